//! What reminding refuses, in order of precedence.

use std::fmt;

use crate::bill::BillError;
use crate::family::FamilyError;
use crate::identity::IdentityError;
use crate::{Fault, Refusal};

/// A refusal of the remind slice. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemindError {
    /// Who is to be told is not known.
    Identity(IdentityError),
    /// A consent cannot be read.
    Family(Box<FamilyError>),
    /// The bills cannot be read.
    Bill(Box<BillError>),
    /// A preference cannot be so; holds its name.
    Malformed(&'static str),
    /// Something below failed.
    Fault(Fault),
}

impl fmt::Display for RemindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(e) => e.fmt(f),
            Self::Family(e) => e.fmt(f),
            Self::Bill(e) => e.fmt(f),
            Self::Fault(e) => e.fmt(f),
            Self::Malformed("quiet") => {
                f.write_str("`quiet` has `from` and `to`, two different times like 21:30")
            }
            Self::Malformed("due_days") => f.write_str("`due_days` is 1 to 15"),
            Self::Malformed("muted") => f.write_str("notes of what auto-pay does cannot be muted"),
            Self::Malformed(field) => write!(f, "`{field}` cannot be so"),
        }
    }
}

impl std::error::Error for RemindError {}

impl Refusal for RemindError {
    fn code(&self) -> &'static str {
        match self {
            Self::Identity(e) => e.code(),
            Self::Family(e) => e.code(),
            Self::Bill(e) => e.code(),
            Self::Malformed(_) => "preference_malformed",
            Self::Fault(e) => e.code(),
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Identity(e) => e.status(),
            Self::Family(e) => e.status(),
            Self::Bill(e) => e.status(),
            Self::Malformed(_) => 422,
            Self::Fault(e) => e.status(),
        }
    }
}

impl From<IdentityError> for RemindError {
    fn from(e: IdentityError) -> Self {
        Self::Identity(e)
    }
}

impl From<FamilyError> for RemindError {
    fn from(e: FamilyError) -> Self {
        match e {
            FamilyError::Fault(e) => Self::Fault(e),
            e => Self::Family(Box::new(e)),
        }
    }
}

impl From<BillError> for RemindError {
    fn from(e: BillError) -> Self {
        match e {
            BillError::Fault(e) => Self::Fault(e),
            e => Self::Bill(Box::new(e)),
        }
    }
}

impl From<Fault> for RemindError {
    fn from(e: Fault) -> Self {
        Self::Fault(e)
    }
}

impl From<store::StoreError> for RemindError {
    fn from(e: store::StoreError) -> Self {
        Self::Fault(e.into())
    }
}
