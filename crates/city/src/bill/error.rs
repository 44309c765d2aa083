//! What the bill slice refuses, in order of precedence.

use std::fmt;

use kernel::ids::BillId;

use super::account::AccountFault;
use super::collect::CollectError;
use super::import::FileFault;
use super::layout::LineFault;
use super::pack::PackError;
use super::payout::PayoutError;
use crate::identity::IdentityError;
use crate::{Fault, Refusal};

/// A refusal. Nothing was changed, except where a variant says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BillError {
    /// Not signed in, wrong role, wrong PIN.
    Identity(IdentityError),
    /// The text is no biller pack.
    Pack(PackError),
    /// What collecting and advances refuse.
    Collect(CollectError),
    /// No such biller.
    BillerUnknown,
    /// No biller has such an account number.
    AccountMalformed(AccountFault),
    /// A well-formed account number that no bill was ever imported for.
    AccountUnknown,
    /// No such bill.
    BillUnknown,
    /// No such import.
    ImportUnknown,
    /// The biller is asked and hands over no files.
    NotByFile,
    /// The file is not what the layout says; nothing of it was taken in.
    File(FileFault),
    /// A line of a returned file cannot be read; nothing of the file was kept. Line and reason.
    ReturnedLine(usize, LineFault),
    /// Not a quote of this city.
    QuoteMalformed,
    /// The quote is older than it may be.
    QuoteExpired,
    /// The rules have changed since the quote: ask for a new one.
    QuoteChanged,
    /// The biller does not take this amount for this bill.
    AmountUnacceptable,
    /// A bill of the account that is due before must be paid first: which.
    OlderBillOpen(BillId),
    /// Nothing is owed on the account.
    NothingOpen,
    /// The client's own payment id is 1 to 64 visible ASCII characters.
    RequestIdMalformed,
    /// The bill is paid.
    AlreadySettled,
    /// Somebody is paying it right now; try again shortly.
    Claimed,
    /// The claim ran out before it could be settled; the money is free again.
    ClaimLapsed,
    /// No way to the biller is open now; nothing was done.
    BillerUnreachable,
    /// No such service provider, or one without a catalogue.
    ProviderUnknown,
    /// This installation wants a proof that the pack was tried. Holds why there is none.
    PackNotCertified(String),
    /// The biller takes no new payments.
    BillerClosed,
    /// The biller refuses the payment; the money is free again. Holds its reason.
    BillerRefused(String),
    /// The balance does not cover it.
    InsufficientBalance,
    /// The KYC allowance does not cover it.
    CapReached,
    /// What the mandate may debit in this month does not cover it.
    MandateCapReached,
    /// The biller refused payments of this bill millions of times; it cannot be paid here any more.
    AttemptsExhausted,
    /// No such payment of this resident.
    PaymentUnknown,
    /// The reference of a resolution is 1 to 64 visible ASCII characters.
    ReferenceMalformed,
    /// The payment has ended the other way.
    PaymentFinal,
    /// Not a day.
    DayMalformed,
    /// The day is not over: its books are not complete.
    DayNotOver,
    /// The day was not reconciled yet.
    NotReconciled,
    /// A label has 1 to 20 characters, none of them a control character.
    LabelMalformed,
    /// The resident keeps as many accounts as may be.
    TooManySaved,
    /// What paying out by bank refuses.
    Payout(PayoutError),
    /// Something below failed.
    Fault(Fault),
}

impl fmt::Display for BillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity(e) => return e.fmt(f),
            Self::Pack(e) => return e.fmt(f),
            Self::File(e) => return e.fmt(f),
            Self::Collect(e) => return e.fmt(f),
            Self::Payout(e) => return e.fmt(f),
            Self::Fault(e) => return e.fmt(f),
            Self::AccountMalformed(fault) => return write!(f, "the account number: {fault}"),
            Self::OlderBillOpen(bill) => return write!(f, "{bill}, due before, must be paid first"),
            Self::BillerRefused(why) => return write!(f, "the biller refuses the payment: {why}"),
            Self::ReturnedLine(line, fault) => return write!(f, "line {line}: {fault}"),
            Self::PackNotCertified(why) => return write!(f, "the pack has no certificate: {why}"),
            Self::BillerUnknown => "no such biller",
            Self::AccountUnknown => "the biller has no bill for this account number",
            Self::BillUnknown => "no such bill",
            Self::ImportUnknown => "no such import",
            Self::NotByFile => "this biller is asked for its bills and hands over no files",
            Self::QuoteMalformed => "this is not a quote; ask for one and send its id unchanged",
            Self::QuoteExpired => "the quote has expired; ask for a new one",
            Self::QuoteChanged => "what is due has changed since the quote; ask for a new one",
            Self::AmountUnacceptable => "the biller does not take this amount for this bill",
            Self::NothingOpen => "nothing is owed on this account",
            Self::RequestIdMalformed => {
                "an idempotency key or request id is 1 to 64 visible ASCII characters"
            }
            Self::AlreadySettled => "the bill is paid already",
            Self::Claimed => "somebody is paying this bill right now; try again shortly",
            Self::ClaimLapsed => "the payment took too long and was given up; the money is free again",
            Self::ProviderUnknown => "no such service provider, or it has no catalogue",
            Self::BillerClosed => "the biller takes no payments any more",
            Self::BillerUnreachable => "the biller cannot be reached now; try again later",
            Self::InsufficientBalance => "the balance does not cover the amount",
            Self::CapReached => "the allowance of this account's tier does not cover the amount",
            Self::MandateCapReached => {
                "what the mandate may still debit this month does not cover the amount"
            }
            Self::AttemptsExhausted => "payments of this bill failed too often; pay it at the biller",
            Self::PaymentUnknown => "no such payment",
            Self::ReferenceMalformed => "a reference is 1 to 64 visible ASCII characters",
            Self::PaymentFinal => "the payment has ended the other way already",
            Self::DayMalformed => "a day is written 2026-03-01",
            Self::DayNotOver => "the day is not over yet",
            Self::NotReconciled => "this day was not reconciled yet",
            Self::LabelMalformed => {
                "a label has 1 to 20 characters without control characters or outer spaces"
            }
            Self::TooManySaved => "at most 50 accounts are kept; remove one",
        })
    }
}

impl std::error::Error for BillError {}

impl Refusal for BillError {
    fn code(&self) -> &'static str {
        match self {
            Self::Identity(e) => e.code(),
            Self::Pack(e) => e.code(),
            Self::File(e) => e.code(),
            Self::Collect(e) => e.code(),
            Self::Payout(e) => e.code(),
            Self::Fault(e) => e.code(),
            Self::BillerUnknown => "biller_unknown",
            Self::AccountMalformed(AccountFault::Shape) => "account_shape",
            Self::AccountMalformed(AccountFault::CheckDigit) => "account_check_digit",
            Self::AccountUnknown => "account_unknown",
            Self::BillUnknown => "bill_unknown",
            Self::ImportUnknown => "import_unknown",
            Self::NotByFile => "biller_not_by_file",
            Self::ReturnedLine(..) => "returned_line_malformed",
            Self::QuoteMalformed => "quote_malformed",
            Self::QuoteExpired => "quote_expired",
            Self::QuoteChanged => "quote_changed",
            Self::AmountUnacceptable => "amount_unacceptable",
            Self::OlderBillOpen(_) => "older_bill_open",
            Self::NothingOpen => "nothing_open",
            Self::RequestIdMalformed => "request_id_malformed",
            Self::AlreadySettled => "bill_already_settled",
            Self::Claimed => "bill_claimed",
            Self::ClaimLapsed => "bill_claim_lapsed",
            Self::ProviderUnknown => "provider_unknown",
            Self::PackNotCertified(_) => "pack_not_certified",
            Self::BillerClosed => "biller_closed",
            Self::BillerUnreachable => "biller_unreachable",
            Self::BillerRefused(_) => "biller_refused",
            Self::InsufficientBalance => "insufficient_balance",
            Self::CapReached => "cap_reached",
            Self::MandateCapReached => "mandate_cap_reached",
            Self::AttemptsExhausted => "attempts_exhausted",
            Self::PaymentUnknown => "payment_unknown",
            Self::ReferenceMalformed => "reference_malformed",
            Self::PaymentFinal => "payment_final",
            Self::DayMalformed => "day_malformed",
            Self::DayNotOver => "day_not_over",
            Self::NotReconciled => "not_reconciled",
            Self::LabelMalformed => "label_malformed",
            Self::TooManySaved => "bill_accounts_max",
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Identity(e) => e.status(),
            Self::Collect(e) => e.status(),
            Self::Payout(e) => e.status(),
            Self::Fault(e) => e.status(),
            Self::BillerUnreachable => 503,
            Self::QuoteMalformed
            | Self::RequestIdMalformed
            | Self::ReferenceMalformed
            | Self::DayMalformed => 400,
            Self::BillerUnknown
            | Self::ProviderUnknown
            | Self::AccountUnknown
            | Self::BillUnknown
            | Self::ImportUnknown
            | Self::PaymentUnknown
            | Self::NotReconciled => 404,
            Self::Pack(_)
            | Self::AccountMalformed(_)
            | Self::File(_)
            | Self::ReturnedLine(..)
            | Self::LabelMalformed
            | Self::AmountUnacceptable => 422,
            Self::QuoteExpired
            | Self::QuoteChanged
            | Self::OlderBillOpen(_)
            | Self::NothingOpen
            | Self::AlreadySettled
            | Self::Claimed
            | Self::BillerClosed
            | Self::PackNotCertified(_)
            | Self::ClaimLapsed
            | Self::BillerRefused(_)
            | Self::InsufficientBalance
            | Self::CapReached
            | Self::MandateCapReached
            | Self::AttemptsExhausted
            | Self::PaymentFinal
            | Self::TooManySaved
            | Self::NotByFile
            | Self::DayNotOver => 409,
        }
    }
}

impl From<IdentityError> for BillError {
    fn from(e: IdentityError) -> Self {
        Self::Identity(e)
    }
}

impl From<CollectError> for BillError {
    fn from(e: CollectError) -> Self {
        Self::Collect(e)
    }
}

impl From<PackError> for BillError {
    fn from(e: PackError) -> Self {
        Self::Pack(e)
    }
}

impl From<PayoutError> for BillError {
    fn from(e: PayoutError) -> Self {
        Self::Payout(e)
    }
}

impl From<FileFault> for BillError {
    fn from(e: FileFault) -> Self {
        Self::File(e)
    }
}

impl From<Fault> for BillError {
    fn from(e: Fault) -> Self {
        Self::Fault(e)
    }
}

impl From<store::StoreError> for BillError {
    fn from(e: store::StoreError) -> Self {
        Self::Fault(e.into())
    }
}

impl From<ledger::EngineError> for BillError {
    fn from(e: ledger::EngineError) -> Self {
        Self::Fault(e.into())
    }
}
