//! The door to a biller: what is asked of it between a claim and its outcome.
//!
//! [`FileConnector`] is for billers who hand over files: the bill is theirs to give, so a claim is
//! confirmed at once and without a network. A connector never moves money and never guesses.

use ledger::BoxFuture;

use kernel::Timestamp;
use kernel::ids::{BillId, PaymentId, ResidentId};

/// A claim that waits for its biller: the pending transfer, in the biller's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Our id of the payment: the idempotency key towards the biller.
    pub payment: PaymentId,
    /// Which bill.
    pub bill: BillId,
    /// Who pays.
    pub payer: ResidentId,
    /// The account at the biller.
    pub account_no: String,
    /// The biller's number of the bill.
    pub bill_no: String,
    /// The month billed, `202603`; 0 where the biller gives none.
    pub period: u32,
    /// Minor units.
    pub amount_minor: i64,
    /// When it was claimed.
    pub at: Timestamp,
    /// The way it goes: see [`BillerConnector::way`].
    pub way: u32,
}

/// What a biller says of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The biller has taken the payment.
    Confirmed,
    /// The biller has not taken it and never will; holds its reason.
    Refused(String),
    /// No answer, or none that says either.
    Silent,
    /// The question never left, so nothing was taken. Only [`BillerConnector::confirm`] may say so.
    NotSent,
}

/// A biller that is asked.
pub trait BillerConnector: Send + Sync + 'static {
    /// Whether confirming needs nobody: then claim and settlement are one chain of the ledger, and
    /// nothing is ever left in between. Such a connector answers [`Outcome::Confirmed`] always.
    fn is_local(&self) -> bool {
        false
    }
    /// The number of the way that a payment of `amount_minor` would go, other than those of `tried`; `None` when none is
    /// open. The claim carries it, so that its outcome is asked for where it was sent.
    fn way<'a>(&'a self, amount_minor: i64, tried: &'a [u32]) -> Option<u32> {
        let _ = amount_minor;
        tried.is_empty().then_some(0)
    }
    /// Tells the biller of the payment. May be called again with the same claim.
    fn confirm<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Outcome>;
    /// Asks what became of a claim that [`BillerConnector::confirm`] was silent about. An answer is
    /// final: after `Refused`, a confirmation still under way must not be taken by the biller.
    fn inquire<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Outcome>;
}

/// The connector of billers who hand over files.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileConnector;

impl BillerConnector for FileConnector {
    fn is_local(&self) -> bool {
        true
    }
    fn confirm<'a>(&'a self, _: &'a Claim) -> BoxFuture<'a, Outcome> {
        Box::pin(std::future::ready(Outcome::Confirmed))
    }
    fn inquire<'a>(&'a self, _: &'a Claim) -> BoxFuture<'a, Outcome> {
        Box::pin(std::future::ready(Outcome::Confirmed))
    }
}
