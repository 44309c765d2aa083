//! Every status, in its order of precedence, and what each event leaves behind.
//!
//! Semantics follow TigerBeetle's reference ("create_accounts", "create_transfers"); the cases are ours.

mod common;

use std::collections::BTreeSet;

use common::case;
use ledger::{CreateAccountStatus, CreateTransferStatus};

/// Name and text, see `common` for the language.
const CASES: &[(&str, &str)] = &[
    (
        "accounts: each check gives way to the next",
        "
account 0   +unknown +no_overdraft +no_overcredit timestamp=1 ledger=0 code=0 debits_pending=1 debits_posted=1 credits_pending=1 credits_posted=1 => TimestampMustBeZero
account 0   +unknown +no_overdraft +no_overcredit ledger=0 code=0 debits_pending=1 debits_posted=1 credits_pending=1 credits_posted=1 => ReservedFlag
account 0   +no_overdraft +no_overcredit ledger=0 code=0 debits_pending=1 debits_posted=1 credits_pending=1 credits_posted=1 => IdMustNotBeZero
account max +no_overdraft +no_overcredit ledger=0 code=0 debits_pending=1 debits_posted=1 credits_pending=1 credits_posted=1 => IdMustNotBeIntMax
account 1   +no_overdraft +no_overcredit ledger=0 code=0 debits_pending=1 debits_posted=1 credits_pending=1 credits_posted=1 => FlagsAreMutuallyExclusive
account 1   ledger=0 code=0 debits_pending=1 debits_posted=1 credits_pending=1 credits_posted=1 => DebitsPendingMustBeZero
account 1   ledger=0 code=0 debits_posted=1 credits_pending=1 credits_posted=1 => DebitsPostedMustBeZero
account 1   ledger=0 code=0 credits_pending=1 credits_posted=1 => CreditsPendingMustBeZero
account 1   ledger=0 code=0 credits_posted=1 => CreditsPostedMustBeZero
account 1   ledger=0 code=0 => LedgerMustNotBeZero
account 1   code=0 => CodeMustNotBeZero
account 1   => Created
balance 1 0/0 0/0",
    ),
    (
        "accounts: exists, field by field",
        "
account 1 +history user_data_128=1 user_data_64=2 user_data_32=3 ledger=4 code=5 => Created

account 1 user_data_128=9 user_data_64=9 user_data_32=9 ledger=9 code=9 => ExistsWithDifferentFlags
account 1 +history user_data_128=9 user_data_64=9 user_data_32=9 ledger=9 code=9 => ExistsWithDifferentUserData128
account 1 +history user_data_128=1 user_data_64=9 user_data_32=9 ledger=9 code=9 => ExistsWithDifferentUserData64
account 1 +history user_data_128=1 user_data_64=2 user_data_32=9 ledger=9 code=9 => ExistsWithDifferentUserData32
account 1 +history user_data_128=1 user_data_64=2 user_data_32=3 ledger=9 code=9 => ExistsWithDifferentLedger
account 1 +history user_data_128=1 user_data_64=2 user_data_32=3 ledger=4 code=9 => ExistsWithDifferentCode
account 1 +history user_data_128=1 user_data_64=2 user_data_32=3 ledger=4 code=5 => Exists
# existing wins over what would refuse a new one
account 1 +history user_data_128=1 user_data_64=2 user_data_32=3 ledger=4 code=5 debits_posted=1 => Exists",
    ),
    (
        "accounts: linked chains succeed or fail whole",
        "
account 1 +linked => LinkedEventFailed
account 2 +linked => LinkedEventFailed
account 3 code=0 +linked => CodeMustNotBeZero
account 4 => LinkedEventFailed
account 5 => Created
account 6 +linked => Created
account 7 => Created
account 5 +linked => ExistsWithDifferentFlags
account 8 => LinkedEventFailed
account 9 +linked => LinkedEventFailed
account 10 +linked => LinkedEventChainOpen

account 1 +linked => LinkedEventChainOpen

account 1 +linked code=0 => CodeMustNotBeZero
account 2 +linked => LinkedEventChainOpen

account 1 => Created
account 2 => Created",
    ),
    (
        "transfers: each check gives way to the next",
        "
account 1 => Created
account 2 => Created
account 3 ledger=2 => Created
account 4 ledger=2 => Created
account 5 ledger=3 => Created

transfer 0 0->0 1 +unknown timestamp=1 pending=1 timeout=1 ledger=0 code=0 +closing_debit => TimestampMustBeZero
transfer 0 0->0 1 +unknown pending=1 timeout=1 ledger=0 code=0 +closing_debit => ReservedFlag
transfer 0 0->0 1 pending=1 timeout=1 ledger=0 code=0 +closing_debit => IdMustNotBeZero
transfer max 0->0 1 pending=1 timeout=1 ledger=0 code=0 +closing_debit => IdMustNotBeIntMax
transfer 1 0->0 1 pending=1 timeout=1 ledger=0 code=0 +closing_debit => DebitAccountIdMustNotBeZero
transfer 1 max->0 1 pending=1 timeout=1 ledger=0 code=0 +closing_debit => DebitAccountIdMustNotBeIntMax
transfer 1 8->0 1 pending=1 timeout=1 ledger=0 code=0 +closing_debit => CreditAccountIdMustNotBeZero
transfer 1 8->max 1 pending=1 timeout=1 ledger=0 code=0 +closing_debit => CreditAccountIdMustNotBeIntMax
transfer 1 8->8 1 pending=1 timeout=1 ledger=0 code=0 +closing_debit => AccountsMustBeDifferent
transfer 1 8->9 1 pending=1 timeout=1 ledger=0 code=0 +closing_debit => PendingIdMustBeZero
transfer 1 8->9 1 timeout=1 ledger=0 code=0 +closing_debit => TimeoutReservedForPendingTransfer
transfer 1 8->9 1 ledger=0 code=0 +closing_debit => ClosingTransferMustBePending
transfer 1 8->9 1 ledger=0 code=0 +closing_credit => ClosingTransferMustBePending
transfer 1 8->9 1 ledger=0 code=0 => LedgerMustNotBeZero
transfer 1 8->9 1 ledger=9 code=0 => CodeMustNotBeZero
transfer 1 8->9 1 ledger=9 => DebitAccountNotFound
transfer 2 1->9 1 ledger=9 => CreditAccountNotFound
transfer 3 1->3 1 ledger=9 => AccountsMustHaveTheSameLedger
transfer 3 1->2 1 ledger=9 => TransferMustHaveTheSameLedgerAsAccounts
transfer 3 1->2 1 => Created
transfer 4 1->2 0 => Created
missing 1
missing 2
stored 3 1->2 1
balance 1 0/1 0/0
balance 2 0/0 0/1",
    ),
    (
        "transfers: exists, field by field",
        "
account 1 => Created
account 2 => Created
account 3 => Created
transfer 10 1->2 5 +pending timeout=60 user_data_128=1 user_data_64=2 user_data_32=3 => Created

transfer 10 3->3 9 pending=9 timeout=9 user_data_128=9 user_data_64=9 user_data_32=9 ledger=9 code=9 => ExistsWithDifferentFlags
transfer 10 3->3 9 +pending pending=9 timeout=9 user_data_128=9 user_data_64=9 user_data_32=9 ledger=9 code=9 => ExistsWithDifferentPendingId
transfer 10 3->3 9 +pending timeout=9 user_data_128=9 user_data_64=9 user_data_32=9 ledger=9 code=9 => ExistsWithDifferentTimeout
transfer 10 3->3 9 +pending timeout=60 user_data_128=9 user_data_64=9 user_data_32=9 ledger=9 code=9 => ExistsWithDifferentDebitAccountId
transfer 10 1->3 9 +pending timeout=60 user_data_128=9 user_data_64=9 user_data_32=9 ledger=9 code=9 => ExistsWithDifferentCreditAccountId
transfer 10 1->2 9 +pending timeout=60 user_data_128=9 user_data_64=9 user_data_32=9 ledger=9 code=9 => ExistsWithDifferentAmount
transfer 10 1->2 5 +pending timeout=60 user_data_128=9 user_data_64=9 user_data_32=9 ledger=9 code=9 => ExistsWithDifferentUserData128
transfer 10 1->2 5 +pending timeout=60 user_data_128=1 user_data_64=9 user_data_32=9 ledger=9 code=9 => ExistsWithDifferentUserData64
transfer 10 1->2 5 +pending timeout=60 user_data_128=1 user_data_64=2 user_data_32=9 ledger=9 code=9 => ExistsWithDifferentUserData32
transfer 10 1->2 5 +pending timeout=60 user_data_128=1 user_data_64=2 user_data_32=3 ledger=9 code=9 => ExistsWithDifferentLedger
transfer 10 1->2 5 +pending timeout=60 user_data_128=1 user_data_64=2 user_data_32=3 code=9 => ExistsWithDifferentCode
transfer 10 1->2 5 +pending timeout=60 user_data_128=1 user_data_64=2 user_data_32=3 => Exists
balance 1 5/0 0/0",
    ),
    (
        "transfers: a transient failure burns the id, any other does not",
        "
account 1 +no_overdraft => Created
account 2 => Created
account 3 +no_overcredit => Created
transfer 10 1->2 1 => ExceedsCredits
transfer 11 2->3 1 => ExceedsDebits
transfer 12 9->2 1 => DebitAccountNotFound
transfer 13 2->9 1 => CreditAccountNotFound
post 14 of 9 => PendingTransferNotFound
transfer 15 2->2 1 => AccountsMustBeDifferent

transfer 20 2->1 100 => Created
account 9 => Created
transfer 10 1->2 1 => IdAlreadyFailed
transfer 11 2->3 1 => IdAlreadyFailed
transfer 12 9->2 1 => IdAlreadyFailed
transfer 13 2->9 1 => IdAlreadyFailed
transfer 14 2->1 1 => IdAlreadyFailed
# before every other check but those of the id itself
transfer 10 0->0 1 => IdAlreadyFailed
transfer 15 2->1 1 => Created
# a burnt id is no pending transfer
post 16 of 10 => PendingTransferNotFound
balance 1 0/0 0/101",
    ),
    (
        "transfers: within a linked chain only the event that failed is burnt, and the chain leaves nothing",
        "
account 1 +no_overdraft => Created
account 2 => Created
transfer 10 2->1 10 +linked => LinkedEventFailed
transfer 11 1->2 11 +linked => ExceedsCredits
transfer 12 2->1 1 => LinkedEventFailed

missing 10
balance 1 0/0 0/0
transfer 10 2->1 10 +linked => Created     # each event of a chain sees the ones before it
transfer 12 1->2 10 => Created
transfer 11 2->1 1 => IdAlreadyFailed
balance 1 0/10 0/10",
    ),
    (
        "transfers: chains undone within one batch leave what came before and after",
        "
account 1 => Created
account 2 => Created
transfer 10 1->2 1 => Created
transfer 11 1->2 2 +linked => LinkedEventFailed
transfer 12 1->2 4 +pending +linked => LinkedEventFailed
post 13 of 12 +linked => LinkedEventFailed
transfer 10 1->2 1 => Exists
transfer 14 1->2 8 => Created
transfer 15 1->2 16 +linked => Created
transfer 16 1->2 32 => Created
transfer 17 1->2 64 +linked => LinkedEventFailed
transfer 17 1->2 64 +linked => Exists        # its twin of the same chain: exists, and breaks it
transfer 18 1->2 64 => LinkedEventFailed
transfer 19 1->2 64 +linked => LinkedEventChainOpen
balance 1 0/57 0/0
missing 11
missing 12
missing 17

transfer 19 1->2 64 +linked => LinkedEventChainOpen
",
    ),
    (
        "pending: reserved, then posted whole or in part, or voided; once",
        "
account 1 => Created
account 2 => Created
transfer 10 1->2 100 +pending user_data_128=1 user_data_64=2 user_data_32=3 code=7 => Created
transfer 20 1->2 100 +pending => Created
transfer 30 1->2 100 +pending => Created
transfer 40 1->2 100 => Created
balance 1 300/100 0/0
balance 2 0/0 300/100

post 11 of 10 => Created
post 21 of 20 60 user_data_128=9 user_data_64=8 user_data_32=7 => Created
void 31 of 30 => Created
post 12 of 10 => PendingTransferAlreadyPosted
void 13 of 10 => PendingTransferAlreadyPosted
post 32 of 30 => PendingTransferAlreadyVoided
void 33 of 30 => PendingTransferAlreadyVoided
post 41 of 40 => PendingTransferNotPending
post 42 of 11 => PendingTransferNotPending
post 43 of 99 => PendingTransferNotFound
stored 11 1->2 100 pending=10 +post user_data_128=1 user_data_64=2 user_data_32=3 code=7
stored 21 1->2 60 pending=20 +post user_data_128=9 user_data_64=8 user_data_32=7
stored 31 1->2 100 pending=30 +void
balance 1 0/260 0/0
balance 2 0/0 0/260",
    ),
    (
        "pending: each check of a post or void gives way to the next",
        "
account 1 => Created
account 2 => Created
account 3 => Created
transfer 10 1->2 100 +pending ledger=1 code=5 => Created
transfer 11 1->2 100 => Created
transfer 12 1->2 100 +pending => Created

post 20 of 0 200 +void timeout=1 debit=3 credit=3 ledger=9 code=9 => FlagsAreMutuallyExclusive
post 20 of 0 200 +pending timeout=1 => FlagsAreMutuallyExclusive
post 20 of 0 200 +balancing_debit timeout=1 => FlagsAreMutuallyExclusive
post 20 of 0 200 +balancing_credit timeout=1 => FlagsAreMutuallyExclusive
post 20 of 0 200 +closing_debit timeout=1 => FlagsAreMutuallyExclusive
void 20 of 0 200 +closing_credit timeout=1 => FlagsAreMutuallyExclusive
post 20 of 0 200 timeout=1 debit=3 credit=3 ledger=9 code=9 => PendingIdMustNotBeZero
post 20 of max 200 timeout=1 debit=3 credit=3 ledger=9 code=9 => PendingIdMustNotBeIntMax
post 20 of 20 200 timeout=1 debit=3 credit=3 ledger=9 code=9 => PendingIdMustBeDifferent
post 20 of 11 200 timeout=1 debit=3 credit=3 ledger=9 code=9 => TimeoutReservedForPendingTransfer
post 20 of 11 200 debit=3 credit=3 ledger=9 code=9 => PendingTransferNotPending
post 20 of 10 200 debit=3 credit=3 ledger=9 code=9 => PendingTransferHasDifferentDebitAccountId
post 20 of 10 200 debit=1 credit=3 ledger=9 code=9 => PendingTransferHasDifferentCreditAccountId
post 20 of 10 200 debit=1 credit=2 ledger=9 code=9 => PendingTransferHasDifferentLedger
post 20 of 10 200 debit=1 credit=2 ledger=1 code=9 => PendingTransferHasDifferentCode
post 20 of 10 101 debit=1 credit=2 ledger=1 code=5 => ExceedsPendingTransferAmount
void 20 of 10 101 => ExceedsPendingTransferAmount
void 20 of 10 99 => PendingTransferHasDifferentAmount
void 20 of 10 max => ExceedsPendingTransferAmount
post 20 of 10 100 debit=1 credit=2 ledger=1 code=5 => Created
void 21 of 12 100 => Created
balance 1 0/200 0/0",
    ),
    (
        "pending: exists, for posts and voids, with what they inherit",
        "
account 1 => Created
account 2 => Created
account 3 => Created
transfer 10 1->2 100 +pending user_data_128=1 user_data_64=2 user_data_32=3 code=5 => Created
transfer 20 1->2 100 +pending user_data_128=1 code=5 => Created
transfer 30 1->2 100 +pending user_data_128=1 code=5 => Created
transfer 40 1->2 0 +pending => Created
post 11 of 10 => Created
post 21 of 20 60 user_data_128=7 user_data_64=7 user_data_32=7 => Created
void 31 of 30 => Created
post 41 of 40 0 => Created

void 11 of 10 => ExistsWithDifferentFlags
post 11 of 20 => ExistsWithDifferentPendingId
post 11 of 10 timeout=1 => ExistsWithDifferentTimeout
post 11 of 10 50 debit=3 credit=3 => ExistsWithDifferentDebitAccountId
post 11 of 10 50 debit=1 credit=3 => ExistsWithDifferentCreditAccountId
post 11 of 10 50 debit=1 credit=2 user_data_128=9 => ExistsWithDifferentAmount
post 11 of 10 user_data_128=9 user_data_64=9 => ExistsWithDifferentUserData128
post 11 of 10 user_data_128=1 user_data_64=9 user_data_32=9 => ExistsWithDifferentUserData64
post 11 of 10 user_data_64=2 user_data_32=9 ledger=9 => ExistsWithDifferentUserData32
post 11 of 10 user_data_32=3 ledger=9 code=9 => ExistsWithDifferentLedger
post 11 of 10 ledger=1 code=9 => ExistsWithDifferentCode
post 11 of 10 ledger=1 code=5 => Exists
post 11 of 10 100 => Exists
post 11 of 10 => Exists
post 21 of 20 => ExistsWithDifferentAmount
post 21 of 20 60 => ExistsWithDifferentUserData128
post 21 of 20 60 user_data_128=7 => ExistsWithDifferentUserData64
post 21 of 20 60 user_data_128=7 user_data_64=7 => ExistsWithDifferentUserData32
post 21 of 20 60 user_data_128=7 user_data_64=7 user_data_32=7 => Exists
void 31 of 30 => Exists
void 31 of 30 100 => Exists
void 31 of 30 99 => ExistsWithDifferentAmount
post 41 of 40 => Exists
post 41 of 40 0 => Exists",
    ),
    (
        "pending: expires when its time is up, and then cannot be resolved",
        "
account 1 +no_overdraft => Created
account 2 => Created
transfer 9 2->1 100 => Created
transfer 10 1->2 60 +pending timeout=3 => Created
transfer 11 1->2 40 +pending timeout=5 => Created
transfer 12 1->2 1 => ExceedsCredits
balance 1 100/0 0/100

wait 2
balance 1 100/0 0/100
post 21 of 11 => Created
wait 2
balance 1 0/40 0/100
post 20 of 10 => PendingTransferExpired
void 22 of 10 => PendingTransferExpired
transfer 13 1->2 60 => Created
wait 2
balance 1 0/100 0/100
transfer 14 1->2 1 +pending timeout=1 +linked => ExceedsCredits
transfer 15 1->2 1 => LinkedEventFailed",
    ),
    (
        "pending: due within the batch counts as expired though nothing has released it yet",
        "embedded only: nobody can stop a cluster's clock
account 1 => Created
account 2 => Created
transfer 10 1->2 5 +pending timeout=1 => Created

clock 1700000001000000000
post 11 of 10 => Created
transfer 20 1->2 5 +pending timeout=1 => Created

clock 1700000001999999999
transfer 30 1->2 1 => Created

# one nanosecond later, because the clock stands still: just when 20 is due
void 21 of 20 => PendingTransferExpired
wait 0
balance 1 0/6 0/0",
    ),
    (
        "limits: pending counts on the limited side, not on the other",
        "
account 1 +no_overdraft => Created
account 2 +no_overcredit => Created
account 3 => Created
transfer 10 3->1 100 => Created
transfer 11 2->3 50 => Created
transfer 12 1->3 60 +pending => Created
transfer 13 1->3 41 => ExceedsCredits
transfer 14 3->1 1000 +pending => Created
transfer 15 1->3 41 => ExceedsCredits
transfer 16 1->3 40 => Created
transfer 17 3->2 51 => ExceedsDebits
transfer 18 3->2 50 +pending => Created
transfer 19 3->2 1 => ExceedsDebits
transfer 20 1->2 1 => ExceedsCredits      # debit side first
balance 1 60/40 1000/100
balance 2 0/50 50/0",
    ),
    (
        "overflow: each sum has its own status, pending before posted before both",
        "
account 1 => Created
account 2 => Created
account 3 => Created
account 4 => Created
account 5 => Created
account 6 => Created
transfer 10 1->2 max +pending => Created
transfer 11 1->3 1 +pending => OverflowsDebitsPending
transfer 12 3->2 1 +pending => OverflowsCreditsPending
transfer 13 1->3 1 => OverflowsDebits
transfer 14 3->2 1 => OverflowsCredits
transfer 20 3->4 max-1 => Created
transfer 21 3->5 1 => Created
transfer 22 3->5 1 => OverflowsDebitsPosted
transfer 23 5->4 1 => Created
transfer 24 5->4 1 => OverflowsCreditsPosted
transfer 25 3->5 1 +pending => OverflowsDebitsPosted
transfer 26 5->4 1 +pending => OverflowsCreditsPosted
transfer 27 5->6 1 => Created
balance 1 max/0 0/0
balance 2 0/0 max/0
balance 3 0/max 0/0
balance 4 0/0 0/max",
    ),
    (
        "overflow: a timeout beyond 63 bits",
        "embedded only: a cluster's clock has not come far enough; in 2116 it will have
account 1 => Created
account 2 => Created

clock 9000000000000000000
transfer 10 1->2 1 +pending timeout=4294967295 => OverflowsTimeout
transfer 10 1->2 1 +pending timeout=223372036 => Created",
    ),
    (
        "balancing: moves what there is, up to the amount",
        "
account 1 +no_overdraft => Created
account 2 => Created
account 3 +no_overcredit => Created
transfer 10 2->1 100 => Created
transfer 11 3->2 70 => Created
transfer 12 1->2 30 +balancing_debit => Created
transfer 13 1->2 max +balancing_debit => Created
transfer 14 1->2 5 +balancing_debit => Created
transfer 15 2->3 max +balancing_credit +pending => Created
transfer 16 2->3 max +balancing_credit => Created
stored 12 1->2 30 +balancing_debit
stored 13 1->2 70 +balancing_debit
stored 14 1->2 0 +balancing_debit
stored 15 2->3 70 +balancing_credit +pending
balance 1 0/100 0/100
balance 3 0/70 70/0

# a retry may name any bound that allows what was moved
transfer 13 1->2 70 +balancing_debit => Exists
transfer 13 1->2 69 +balancing_debit => ExistsWithDifferentAmount
transfer 13 1->2 max +balancing_debit => Exists
transfer 20 2->1 9 => Created
transfer 21 1->3 max +balancing_debit +balancing_credit => Created
stored 21 1->3 0 +balancing_debit +balancing_credit",
    ),
    (
        "closing: a closed account takes nothing but voids",
        "
account 1 => Created
account 2 => Created
account 3 => Created
account 4 +closed => Created
transfer 10 1->2 5 +pending => Created
transfer 11 1->2 5 +pending => Created
transfer 12 2->1 5 +pending => Created
transfer 13 1->3 0 +pending +closing_debit => Created
flags 1 +closed
transfer 14 1->3 1 => DebitAccountAlreadyClosed
transfer 15 3->1 1 => CreditAccountAlreadyClosed
post 16 of 10 => DebitAccountAlreadyClosed
post 17 of 12 => CreditAccountAlreadyClosed
transfer 18 3->4 1 => CreditAccountAlreadyClosed
void 19 of 11 => Created
void 20 of 13 => Created
flags 1
post 21 of 10 => Created
transfer 14 1->3 1 => IdAlreadyFailed
transfer 22 3->1 0 +pending +closing_credit timeout=1 => Created
flags 1 +closed
wait 2
flags 1
transfer 23 1->3 1 => Created
transfer 24 1->3 1 +pending +closing_debit +closing_credit => Created
flags 1 +closed
flags 3 +closed
account 1 => ExistsWithDifferentFlags",
    ),
    (
        "imported: accounts with timestamps of the past",
        "
account 1 +imported timestamp=0 => ImportedEventTimestampOutOfRange
account 1 +imported timestamp=9223372036854775808 => ImportedEventTimestampOutOfRange
account 1 +imported timestamp=9223372036854775807 => ImportedEventTimestampMustNotAdvance
account 1 => ImportedEventExpected
account 1 +imported timestamp=10 => Created
account 2 +imported timestamp=10 => ImportedEventTimestampMustNotRegress
account 2 +imported timestamp=20 => Created
account 1 +imported timestamp=1 => Exists

account 3 => Created
account 4 +imported timestamp=30 => ImportedEventNotExpected

account 4 +imported timestamp=30 => ImportedEventTimestampMustNotRegress
balance 2 0/0 0/0",
    ),
    (
        "imported: transfers with timestamps of the past",
        "
account 1 +imported timestamp=10 => Created
account 2 +imported timestamp=20 => Created
account 3 +imported timestamp=30 => Created

transfer 10 1->2 1 +imported => ImportedEventTimestampOutOfRange
transfer 10 1->2 1 => ImportedEventExpected
transfer 10 1->2 1 +imported timestamp=9223372036854775807 => ImportedEventTimestampMustNotAdvance
transfer 10 1->2 1 +imported timestamp=20 => ImportedEventTimestampMustNotRegress
transfer 10 2->1 1 +imported timestamp=15 => ImportedEventTimestampMustPostdateDebitAccount
transfer 10 1->2 1 +imported timestamp=15 => ImportedEventTimestampMustPostdateCreditAccount
transfer 10 1->2 1 +imported +pending timeout=1 timestamp=40 => ImportedEventTimeoutMustBeZero
transfer 10 1->2 1 +imported timestamp=40 => Created
transfer 11 1->2 1 +imported timestamp=40 => ImportedEventTimestampMustNotRegress
transfer 11 1->2 5 +imported +pending timestamp=41 => Created
post 12 of 11 +imported timestamp=41 => ImportedEventTimestampMustNotRegress
post 12 of 11 +imported timestamp=42 => Created
transfer 10 1->2 1 +imported timestamp=40 => Exists

account 4 +imported timestamp=41 => ImportedEventTimestampMustNotRegress
account 4 +imported timestamp=50 => Created

transfer 13 1->2 1 +imported timestamp=50 => ImportedEventTimestampMustNotRegress
transfer 13 1->2 1 +imported timestamp=51 +linked => LinkedEventFailed
transfer 14 1->2 1 +imported timestamp=51 => ImportedEventTimestampMustNotRegress
transfer 15 1->2 1 +imported timestamp=51 => Created

transfer 16 1->2 1 => Created
transfer 17 1->2 1 +imported timestamp=60 => ImportedEventNotExpected
balance 1 0/8 0/0",
    ),
];

/// Statuses that no case can reach: there are no reserved fields to be wrong in this crate's types.
const UNREACHABLE: &[&str] = &["ReservedField"];

fn missed(met: &BTreeSet<String>) -> Vec<String> {
    let accounts = CreateAccountStatus::ALL.iter().map(ToString::to_string);
    let transfers = CreateTransferStatus::ALL.iter().map(ToString::to_string);
    accounts.chain(transfers).filter(|s| !met.contains(s)).collect()
}

#[test]
fn every_case_holds_and_every_status_is_reached() {
    let mut met = BTreeSet::new();
    for (name, text) in CASES {
        met.extend(case::run_embedded(name, text));
    }
    assert_eq!(missed(&met), UNREACHABLE);
}

#[test]
fn every_case_holds_on_tigerbeetle() {
    if let Some(met) = case::run_cluster(CASES) {
        assert_eq!(missed(&met), [UNREACHABLE, &["OverflowsTimeout"]].concat());
    }
}

#[test]
fn statuses_keep_their_numbers() {
    for status in CreateAccountStatus::ALL {
        assert_eq!(CreateAccountStatus::from_code(status.code()), Some(*status));
    }
    for status in CreateTransferStatus::ALL {
        assert_eq!(CreateTransferStatus::from_code(status.code()), Some(*status));
    }
    assert_eq!(CreateTransferStatus::from_code(0), None);
    assert_eq!(CreateTransferStatus::from_code(18), None);
    for (code, status) in [
        (1, CreateTransferStatus::LinkedEventFailed),
        (46, CreateTransferStatus::Exists),
        (54, CreateTransferStatus::ExceedsCredits),
        (68, CreateTransferStatus::IdAlreadyFailed),
        (u32::MAX, CreateTransferStatus::Created),
    ] {
        assert_eq!(u32::from(status), code);
    }
}
