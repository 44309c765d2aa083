//! The doors to institutions that take bill payments, in the protocols they already speak: HTTP with JSON or XML
//! ([`direct`]), ISO 8583 ([`iso8583`]) over a line to a bank ([`bank`]), and ISO 20022 ([`iso20022`]) with the bank that pays
//! out.
//!
//! Must never do: read a clock or draw randomness by itself, decide about money, or know a table of the city's. What was
//! asked and what was answered is all there is here; what follows from it is the city's to decide.

pub mod bank;
pub mod book;
pub mod direct;
pub mod iso20022;
pub mod iso8583;
pub mod secrets;
pub mod tls;

use std::future::Future;
use std::pin::Pin;

use kernel::{Date, Timestamp};
use serde::Deserialize;

/// A future that a trait object gives.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A payment of a bill, in the institution's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Our id of it, `pay_…`: the idempotency key towards the institution.
    pub id: String,
    /// The institution's number in a network of many; empty where it is asked directly.
    pub institution: String,
    /// The account at the institution.
    pub account_no: String,
    /// The institution's number of the bill.
    pub bill_no: String,
    /// The month billed, `202603`; 0 where there is none.
    pub period: u32,
    /// Minor units.
    pub amount_minor: i64,
    /// When it was claimed. The same in every question about it, so that whoever asks again, on any node, after any
    /// crash, asks about the same payment.
    pub at: Timestamp,
}

/// What is owed on an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debt {
    /// The institution's number of the bill.
    pub bill_no: String,
    /// Minor units.
    pub amount_minor: i64,
    /// The last day without a late fee, if the institution says.
    pub due: Option<Date>,
    /// The month billed, `202603`; 0 where there is none.
    pub period: u32,
    /// The name on the account; may be empty.
    pub holder: String,
}

/// What an institution's answer means.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Done; for an inquiry, that the payment was taken.
    Ok,
    /// It had been done before: as good as done.
    Duplicate,
    /// Not known yet: to be asked again.
    Pending,
    /// There is no such payment; for an inquiry.
    Unknown,
    /// There is no such account.
    AccountUnknown,
    /// Nothing is owed.
    NothingDue,
    /// The amount is not what is owed.
    AmountDiffers,
    /// Somebody has paid it already.
    AlreadyPaid,
    /// Outside of working hours, or while books are closed.
    Closed,
    /// Too many requests.
    Busy,
    /// Refused for a reason of its own.
    Refused,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<T = ()> {
    /// The institution answered, and this is what it says.
    Said(T),
    /// It answered with this meaning instead.
    Meant(Meaning),
    /// No answer, or none that can be understood: it may have been done. Says why, for operators.
    Silent(String),
    /// The question never left: nothing was done. Says why, for operators.
    NotSent(String),
}

/// A door to institutions. Every question may be put again with the same content, and is answered as it was.
pub trait Door: Send + Sync + 'static {
    /// What is owed on an account.
    fn query<'a>(&'a self, institution: &'a str, account_no: &'a str) -> BoxFuture<'a, Reply<Vec<Debt>>>;
    /// Takes a payment.
    fn pay<'a>(&'a self, payment: &'a Payment) -> BoxFuture<'a, Reply>;
    /// What became of a payment that [`Door::pay`] was silent about.
    fn inquire<'a>(&'a self, payment: &'a Payment) -> BoxFuture<'a, Reply>;
    /// Takes a payment back that was never acknowledged. Once this is done the institution will never take it, not even
    /// if [`Door::pay`] is still on its way.
    fn reverse<'a>(&'a self, payment: &'a Payment) -> BoxFuture<'a, Reply>;
    /// Gives back a part of a payment that was taken; `reference` is this refund's own idempotency key.
    fn refund<'a>(
        &'a self,
        payment: &'a Payment,
        reference: &'a str,
        amount_minor: i64,
    ) -> BoxFuture<'a, Reply>;
    /// Orders that supply to an account be restored; `order` is its own idempotency key. `Meant(Unknown)` where the
    /// institution takes no such orders.
    fn restore<'a>(
        &'a self,
        order: &'a str,
        institution: &'a str,
        account_no: &'a str,
    ) -> BoxFuture<'a, Reply> {
        let _ = (order, institution, account_no);
        Box::pin(std::future::ready(Reply::Meant(Meaning::Unknown)))
    }
    /// Whether anybody is there.
    fn probe(&self) -> BoxFuture<'_, Reply>;
}
