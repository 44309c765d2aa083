//! What the supply slice refuses, in order of precedence.

use std::fmt;

use crate::bill::BillError;
use crate::identity::IdentityError;
use crate::{Fault, Refusal};

/// A refusal. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SupplyError {
    /// Wrong role.
    Identity(IdentityError),
    /// No such biller, no such account.
    Bill(BillError),
    /// Not a notice; in a file, the line.
    NoticeMalformed(usize),
    /// A cut was announced for what is cut already.
    AlreadyCut,
    /// No such order of this biller.
    OrderUnknown,
    /// Something below failed.
    Fault(Fault),
}

impl fmt::Display for SupplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(e) => e.fmt(f),
            Self::Bill(e) => e.fmt(f),
            Self::NoticeMalformed(line) => write!(
                f,
                "line {line}: a notice is an account number and cut_announced with a day, cut or restored"
            ),
            Self::AlreadyCut => f.write_str("the account is cut already; tell that it is restored first"),
            Self::OrderUnknown => f.write_str("no such order to restore"),
            Self::Fault(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for SupplyError {}

impl Refusal for SupplyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Identity(e) => e.code(),
            Self::Bill(e) => e.code(),
            Self::NoticeMalformed(_) => "supply_notice_malformed",
            Self::AlreadyCut => "supply_already_cut",
            Self::OrderUnknown => "restore_order_unknown",
            Self::Fault(e) => e.code(),
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Identity(e) => e.status(),
            Self::Bill(e) => e.status(),
            Self::NoticeMalformed(_) => 422,
            Self::AlreadyCut => 409,
            Self::OrderUnknown => 404,
            Self::Fault(e) => e.status(),
        }
    }
}

impl From<IdentityError> for SupplyError {
    fn from(e: IdentityError) -> Self {
        Self::Identity(e)
    }
}

impl From<BillError> for SupplyError {
    fn from(e: BillError) -> Self {
        Self::Bill(e)
    }
}

impl From<Fault> for SupplyError {
    fn from(e: Fault) -> Self {
        Self::Fault(e)
    }
}

impl From<store::StoreError> for SupplyError {
    fn from(e: store::StoreError) -> Self {
        Self::Fault(e.into())
    }
}

impl From<ledger::EngineError> for SupplyError {
    fn from(e: ledger::EngineError) -> Self {
        Self::Fault(e.into())
    }
}
