//! What a refusal looks like before it becomes HTTP, and what breaks below the slices.

use std::fmt;

use ledger::EngineError;
use store::StoreError;

/// An error of a slice: a stable code for programs and the HTTP status it maps to.
///
/// Codes are `snake_case`, never renamed, and listed in `docs/reference/errors.md`.
pub trait Refusal: std::error::Error {
    /// The stable code, `insufficient_balance`.
    fn code(&self) -> &'static str;
    /// The HTTP status, `409`.
    fn status(&self) -> u16;
}

/// Something below the slices failed. The caller may ask again with the same id: what had been done
/// already is answered as done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The database.
    Store(StoreError),
    /// The ledger did not answer.
    Ledger(EngineError),
    /// The ledger gave an answer that the books never lead to; holds what was asked.
    Books(String),
    /// A file of the city could not be read or written.
    File(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Store(e) => write!(f, "database: {e}"),
            Fault::Ledger(e) => write!(f, "ledger: {e}"),
            Fault::Books(what) => write!(f, "unexpected answer of the ledger: {what}"),
            Fault::File(what) => write!(f, "file: {what}"),
        }
    }
}

impl std::error::Error for Fault {}

impl Refusal for Fault {
    fn code(&self) -> &'static str {
        match self {
            Fault::Books(_) => "internal",
            Fault::Ledger(EngineError::NoSpace) => "ledger_no_space",
            _ => "unavailable",
        }
    }
    fn status(&self) -> u16 {
        match self {
            Fault::Books(_) => 500,
            Fault::Ledger(EngineError::NoSpace) => 507,
            _ => 503,
        }
    }
}

impl From<StoreError> for Fault {
    fn from(e: StoreError) -> Fault {
        Fault::Store(e)
    }
}

impl From<EngineError> for Fault {
    fn from(e: EngineError) -> Fault {
        Fault::Ledger(e)
    }
}
