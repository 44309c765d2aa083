//! What coverage refuses.

use std::fmt;

use crate::identity::IdentityError;
use crate::{Fault, Refusal};

/// A refusal of the coverage slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CoverageError {
    /// The key's role does not reach so far.
    Identity(IdentityError),
    /// A parameter that cannot be so: its name, and what it must be.
    Malformed(&'static str, &'static str),
    /// Something below failed.
    Fault(Fault),
}

impl fmt::Display for CoverageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(e) => e.fmt(f),
            Self::Malformed(name, must) => write!(f, "`{name}` is {must}"),
            Self::Fault(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for CoverageError {}

impl Refusal for CoverageError {
    fn code(&self) -> &'static str {
        match self {
            Self::Identity(e) => e.code(),
            Self::Malformed(..) => "coverage_malformed",
            Self::Fault(e) => e.code(),
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Identity(e) => e.status(),
            Self::Malformed(..) => 422,
            Self::Fault(e) => e.status(),
        }
    }
}

impl From<IdentityError> for CoverageError {
    fn from(e: IdentityError) -> Self {
        Self::Identity(e)
    }
}

impl From<Fault> for CoverageError {
    fn from(e: Fault) -> Self {
        Self::Fault(e)
    }
}

impl From<store::StoreError> for CoverageError {
    fn from(e: store::StoreError) -> Self {
        Self::Fault(e.into())
    }
}
