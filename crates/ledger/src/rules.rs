//! What becomes of one event: the status it earns, or the record it leaves.
//!
//! Pure: looks at the [`Books`], never changes them, knows no clock and no disk; the event's timestamp
//! comes in. The checks stand in TigerBeetle's order of precedence and the first that fails is the answer,
//! so the order of the lines below *is* the specification (see `docs/reference/ledger.md`).

use crate::status::{CreateAccountStatus, CreateTransferStatus};
use crate::types::{Account, AccountFlags, TIMESTAMP_MAX, Transfer, TransferFlags};

/// What the rules may look at: the state just before the event.
pub trait Books {
    /// The account with this id.
    fn account(&self, id: u128) -> Option<Account>;
    /// What is known of this transfer id.
    fn transfer(&self, id: u128) -> Known;
    /// How the pending transfer with this id stands. Asked only of ids that are pending transfers.
    fn pending_status(&self, id: u128) -> PendingStatus;
    /// The newest account's timestamp, or zero.
    fn newest_account(&self) -> u64;
    /// The newest transfer's timestamp, or zero.
    fn newest_transfer(&self) -> u64;
    /// Whether an account was created at exactly this timestamp.
    fn has_account_at(&self, timestamp: u64) -> bool;
    /// Whether a transfer was created at exactly this timestamp.
    fn has_transfer_at(&self, timestamp: u64) -> bool;
}

/// What is known of a transfer id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Never seen, or seen only in attempts that leave no trace.
    Unknown,
    /// Burnt by a transient failure.
    Failed,
    /// In the ledger.
    Created(Transfer),
}

/// How a pending transfer stands. Resolved once, for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingStatus {
    /// The amount is reserved.
    Pending,
    /// Posted, whole or in part.
    Posted,
    /// Voided.
    Voided,
    /// Its timeout passed.
    Expired,
}

/// A refusal, or the finding that the event is in the ledger already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal<S> {
    /// The answer.
    pub status: S,
    /// The timestamp of the event that exists, for `Exists` only.
    pub existing: Option<u64>,
}

impl<S> From<S> for Refusal<S> {
    fn from(status: S) -> Self {
        Refusal { status, existing: None }
    }
}

fn ensure<S>(holds: bool, otherwise: S) -> Result<(), S> {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// The account to keep, or why not. `at` is the event's own timestamp.
pub fn create_account(
    books: &impl Books,
    a: &Account,
    at: u64,
) -> Result<Account, Refusal<CreateAccountStatus>> {
    use CreateAccountStatus as S;
    ensure(!a.flags.has_unknown(), S::ReservedFlag)?;
    ensure(a.id != 0, S::IdMustNotBeZero)?;
    ensure(a.id != u128::MAX, S::IdMustNotBeIntMax)?;
    if let Some(e) = books.account(a.id) {
        account_exists(a, &e)?;
        return Err(Refusal { status: S::Exists, existing: Some(e.timestamp) });
    }
    let both = AccountFlags::DebitsMustNotExceedCredits | AccountFlags::CreditsMustNotExceedDebits;
    ensure(!a.flags.contains(both), S::FlagsAreMutuallyExclusive)?;
    ensure(a.debits_pending == 0, S::DebitsPendingMustBeZero)?;
    ensure(a.debits_posted == 0, S::DebitsPostedMustBeZero)?;
    ensure(a.credits_pending == 0, S::CreditsPendingMustBeZero)?;
    ensure(a.credits_posted == 0, S::CreditsPostedMustBeZero)?;
    ensure(a.ledger != 0, S::LedgerMustNotBeZero)?;
    ensure(a.code != 0, S::CodeMustNotBeZero)?;

    let mut timestamp = at;
    if a.flags.contains(AccountFlags::Imported) {
        ensure(a.timestamp > books.newest_account(), S::ImportedEventTimestampMustNotRegress)?;
        ensure(!books.has_transfer_at(a.timestamp), S::ImportedEventTimestampMustNotRegress)?;
        timestamp = a.timestamp;
    }
    Ok(Account { timestamp, ..*a })
}

fn account_exists(a: &Account, e: &Account) -> Result<(), CreateAccountStatus> {
    use CreateAccountStatus as S;
    ensure(a.flags == e.flags, S::ExistsWithDifferentFlags)?;
    ensure(a.user_data_128 == e.user_data_128, S::ExistsWithDifferentUserData128)?;
    ensure(a.user_data_64 == e.user_data_64, S::ExistsWithDifferentUserData64)?;
    ensure(a.user_data_32 == e.user_data_32, S::ExistsWithDifferentUserData32)?;
    ensure(a.ledger == e.ledger, S::ExistsWithDifferentLedger)?;
    ensure(a.code == e.code, S::ExistsWithDifferentCode)
}

/// The transfer to keep (its amount and inherited fields settled), or why not. `at` is the event's own
/// timestamp.
pub fn create_transfer(
    books: &impl Books,
    t: &Transfer,
    at: u64,
) -> Result<Transfer, Refusal<CreateTransferStatus>> {
    use CreateTransferStatus as S;
    ensure(!t.flags.has_unknown(), S::ReservedFlag)?;
    ensure(t.id != 0, S::IdMustNotBeZero)?;
    ensure(t.id != u128::MAX, S::IdMustNotBeIntMax)?;
    match books.transfer(t.id) {
        Known::Created(e) => {
            transfer_exists(books, t, &e)?;
            return Err(Refusal { status: S::Exists, existing: Some(e.timestamp) });
        }
        Known::Failed => return Err(S::IdAlreadyFailed.into()),
        Known::Unknown => {}
    }
    if resolves_pending(t) { Ok(post_or_void(books, t, at)?) } else { Ok(transfer(books, t, at)?) }
}

fn resolves_pending(t: &Transfer) -> bool {
    t.flags.intersects(TransferFlags::PostPendingTransfer | TransferFlags::VoidPendingTransfer)
}

/// A plain or pending transfer whose id is new.
fn transfer(books: &impl Books, t: &Transfer, at: u64) -> Result<Transfer, CreateTransferStatus> {
    use CreateTransferStatus as S;
    use TransferFlags as F;
    let pending = t.flags.contains(F::Pending);
    ensure(t.debit_account_id != 0, S::DebitAccountIdMustNotBeZero)?;
    ensure(t.debit_account_id != u128::MAX, S::DebitAccountIdMustNotBeIntMax)?;
    ensure(t.credit_account_id != 0, S::CreditAccountIdMustNotBeZero)?;
    ensure(t.credit_account_id != u128::MAX, S::CreditAccountIdMustNotBeIntMax)?;
    ensure(t.credit_account_id != t.debit_account_id, S::AccountsMustBeDifferent)?;
    ensure(t.pending_id == 0, S::PendingIdMustBeZero)?;
    ensure(pending || t.timeout == 0, S::TimeoutReservedForPendingTransfer)?;
    let closes = t.flags.intersects(F::ClosingDebit | F::ClosingCredit);
    ensure(pending || !closes, S::ClosingTransferMustBePending)?;
    ensure(t.ledger != 0, S::LedgerMustNotBeZero)?;
    ensure(t.code != 0, S::CodeMustNotBeZero)?;

    let debit = books.account(t.debit_account_id).ok_or(S::DebitAccountNotFound)?;
    let credit = books.account(t.credit_account_id).ok_or(S::CreditAccountNotFound)?;
    ensure(debit.ledger == credit.ledger, S::AccountsMustHaveTheSameLedger)?;
    ensure(t.ledger == debit.ledger, S::TransferMustHaveTheSameLedgerAsAccounts)?;

    let timestamp = if t.flags.contains(F::Imported) {
        imported_timestamp(books, t)?;
        ensure(t.timestamp > debit.timestamp, S::ImportedEventTimestampMustPostdateDebitAccount)?;
        ensure(t.timestamp > credit.timestamp, S::ImportedEventTimestampMustPostdateCreditAccount)?;
        ensure(t.timeout == 0, S::ImportedEventTimeoutMustBeZero)?;
        t.timestamp
    } else {
        at
    };
    ensure(!debit.flags.contains(AccountFlags::Closed), S::DebitAccountAlreadyClosed)?;
    ensure(!credit.flags.contains(AccountFlags::Closed), S::CreditAccountAlreadyClosed)?;

    let amount = balanced_amount(t, &debit, &credit);
    let fits = |balance: u128| balance.checked_add(amount).is_some();
    ensure(!pending || fits(debit.debits_pending), S::OverflowsDebitsPending)?;
    ensure(!pending || fits(credit.credits_pending), S::OverflowsCreditsPending)?;
    ensure(fits(debit.debits_posted), S::OverflowsDebitsPosted)?;
    ensure(fits(credit.credits_posted), S::OverflowsCreditsPosted)?;
    // The sum of pending and posted never overflows: every transfer was held to the next two lines.
    ensure(fits(debit.debits_pending + debit.debits_posted), S::OverflowsDebits)?;
    ensure(fits(credit.credits_pending + credit.credits_posted), S::OverflowsCredits)?;
    let expiry = timestamp.saturating_add(u64::from(t.timeout) * 1_000_000_000);
    ensure(expiry <= TIMESTAMP_MAX, S::OverflowsTimeout)?;

    let debits = debit.debits_pending + debit.debits_posted + amount;
    let credits = credit.credits_pending + credit.credits_posted + amount;
    let debit_limited = debit.flags.contains(AccountFlags::DebitsMustNotExceedCredits);
    let credit_limited = credit.flags.contains(AccountFlags::CreditsMustNotExceedDebits);
    ensure(!debit_limited || debits <= debit.credits_posted, S::ExceedsCredits)?;
    ensure(!credit_limited || credits <= credit.debits_posted, S::ExceedsDebits)?;

    Ok(Transfer { amount, timestamp, ..*t })
}

/// What a balancing transfer really moves: as much of `amount` as leaves neither side overdrawn.
fn balanced_amount(t: &Transfer, debit: &Account, credit: &Account) -> u128 {
    let mut amount = t.amount;
    if t.flags.contains(TransferFlags::BalancingDebit) {
        let debits = debit.debits_posted + debit.debits_pending;
        amount = amount.min(debit.credits_posted.saturating_sub(debits));
    }
    if t.flags.contains(TransferFlags::BalancingCredit) {
        let credits = credit.credits_posted + credit.credits_pending;
        amount = amount.min(credit.debits_posted.saturating_sub(credits));
    }
    amount
}

/// A post or a void whose id is new.
fn post_or_void(books: &impl Books, t: &Transfer, at: u64) -> Result<Transfer, CreateTransferStatus> {
    use CreateTransferStatus as S;
    use TransferFlags as F;
    let void = t.flags.contains(F::VoidPendingTransfer);
    let plain_only = F::Pending | F::BalancingDebit | F::BalancingCredit | F::ClosingDebit | F::ClosingCredit;
    let both = t.flags.contains(F::PostPendingTransfer | F::VoidPendingTransfer);
    ensure(!both && !t.flags.intersects(plain_only), S::FlagsAreMutuallyExclusive)?;
    ensure(t.pending_id != 0, S::PendingIdMustNotBeZero)?;
    ensure(t.pending_id != u128::MAX, S::PendingIdMustNotBeIntMax)?;
    ensure(t.pending_id != t.id, S::PendingIdMustBeDifferent)?;
    ensure(t.timeout == 0, S::TimeoutReservedForPendingTransfer)?;

    let Known::Created(p) = books.transfer(t.pending_id) else {
        return Err(S::PendingTransferNotFound);
    };
    ensure(p.flags.contains(F::Pending), S::PendingTransferNotPending)?;

    // Zero inherits; anything else must agree. User data alone may differ.
    let agrees = |given: u128, own: u128| given == 0 || given == own;
    ensure(agrees(t.debit_account_id, p.debit_account_id), S::PendingTransferHasDifferentDebitAccountId)?;
    ensure(agrees(t.credit_account_id, p.credit_account_id), S::PendingTransferHasDifferentCreditAccountId)?;
    ensure(agrees(t.ledger.into(), p.ledger.into()), S::PendingTransferHasDifferentLedger)?;
    ensure(agrees(t.code.into(), p.code.into()), S::PendingTransferHasDifferentCode)?;

    let amount = if t.amount == whole_amount(void) { p.amount } else { t.amount };
    ensure(amount <= p.amount, S::ExceedsPendingTransferAmount)?;
    ensure(!void || amount == p.amount, S::PendingTransferHasDifferentAmount)?;

    match books.pending_status(p.id) {
        PendingStatus::Pending => {}
        PendingStatus::Posted => return Err(S::PendingTransferAlreadyPosted),
        PendingStatus::Voided => return Err(S::PendingTransferAlreadyVoided),
        PendingStatus::Expired => return Err(S::PendingTransferExpired),
    }
    // Due, though the engine has not yet come round to expire it.
    ensure(p.expires_at().is_none_or(|expiry| at < expiry), S::PendingTransferExpired)?;

    let timestamp = if t.flags.contains(F::Imported) {
        imported_timestamp(books, t)?;
        t.timestamp
    } else {
        at
    };
    // The only movement left to a closed account is voiding a pending transfer.
    let closed = |id| books.account(id).is_some_and(|a: Account| a.flags.contains(AccountFlags::Closed));
    ensure(void || !closed(p.debit_account_id), S::DebitAccountAlreadyClosed)?;
    ensure(void || !closed(p.credit_account_id), S::CreditAccountAlreadyClosed)?;

    Ok(Transfer {
        debit_account_id: p.debit_account_id,
        credit_account_id: p.credit_account_id,
        amount,
        user_data_128: if t.user_data_128 == 0 { p.user_data_128 } else { t.user_data_128 },
        user_data_64: if t.user_data_64 == 0 { p.user_data_64 } else { t.user_data_64 },
        user_data_32: if t.user_data_32 == 0 { p.user_data_32 } else { t.user_data_32 },
        ledger: p.ledger,
        code: p.code,
        timestamp,
        ..*t
    })
}

/// The `amount` that stands for the whole pending amount: zero in a void, `u128::MAX` in a post.
fn whole_amount(void: bool) -> u128 {
    if void { 0 } else { u128::MAX }
}

/// Imports arrive in the order of their timestamps, and share none with an account.
fn imported_timestamp(books: &impl Books, t: &Transfer) -> Result<(), CreateTransferStatus> {
    let advances = t.timestamp > books.newest_transfer() && !books.has_account_at(t.timestamp);
    ensure(advances, CreateTransferStatus::ImportedEventTimestampMustNotRegress)
}

/// Whether `t` asks for what `e`, the transfer with its id, already did. Flags come first, because they
/// change what the other fields mean.
fn transfer_exists(books: &impl Books, t: &Transfer, e: &Transfer) -> Result<(), CreateTransferStatus> {
    use CreateTransferStatus as S;
    ensure(t.flags == e.flags, S::ExistsWithDifferentFlags)?;
    ensure(t.pending_id == e.pending_id, S::ExistsWithDifferentPendingId)?;
    ensure(t.timeout == e.timeout, S::ExistsWithDifferentTimeout)?;
    if resolves_pending(t)
        && let Known::Created(p) = books.transfer(e.pending_id)
    {
        return post_or_void_exists(t, e, &p);
    }
    ensure(t.debit_account_id == e.debit_account_id, S::ExistsWithDifferentDebitAccountId)?;
    ensure(t.credit_account_id == e.credit_account_id, S::ExistsWithDifferentCreditAccountId)?;
    // A balancing amount is a bound, not the amount moved: a retry may name any bound that allows it.
    let balancing = t.flags.intersects(TransferFlags::BalancingDebit | TransferFlags::BalancingCredit);
    let same = if balancing { t.amount >= e.amount } else { t.amount == e.amount };
    ensure(same, S::ExistsWithDifferentAmount)?;
    ensure(t.user_data_128 == e.user_data_128, S::ExistsWithDifferentUserData128)?;
    ensure(t.user_data_64 == e.user_data_64, S::ExistsWithDifferentUserData64)?;
    ensure(t.user_data_32 == e.user_data_32, S::ExistsWithDifferentUserData32)?;
    ensure(t.ledger == e.ledger, S::ExistsWithDifferentLedger)?;
    ensure(t.code == e.code, S::ExistsWithDifferentCode)
}

/// As [`transfer_exists`], with what a post or void inherits from the pending transfer `p` filled in.
fn post_or_void_exists(t: &Transfer, e: &Transfer, p: &Transfer) -> Result<(), CreateTransferStatus> {
    use CreateTransferStatus as S;
    let or = |given: u128, inherited: u128| if given == 0 { inherited } else { given };
    let void = t.flags.contains(TransferFlags::VoidPendingTransfer);
    let amount = if t.amount == whole_amount(void) { p.amount } else { t.amount };
    ensure(
        or(t.debit_account_id, e.debit_account_id) == e.debit_account_id,
        S::ExistsWithDifferentDebitAccountId,
    )?;
    ensure(
        or(t.credit_account_id, e.credit_account_id) == e.credit_account_id,
        S::ExistsWithDifferentCreditAccountId,
    )?;
    ensure(amount == e.amount, S::ExistsWithDifferentAmount)?;
    ensure(or(t.user_data_128, p.user_data_128) == e.user_data_128, S::ExistsWithDifferentUserData128)?;
    let data_64 = or(t.user_data_64.into(), p.user_data_64.into());
    ensure(data_64 == e.user_data_64.into(), S::ExistsWithDifferentUserData64)?;
    let data_32 = or(t.user_data_32.into(), p.user_data_32.into());
    ensure(data_32 == e.user_data_32.into(), S::ExistsWithDifferentUserData32)?;
    ensure(or(t.ledger.into(), e.ledger.into()) == e.ledger.into(), S::ExistsWithDifferentLedger)?;
    ensure(or(t.code.into(), e.code.into()) == e.code.into(), S::ExistsWithDifferentCode)
}
