//! What can go wrong with SQL, as far as a caller can tell the difference.

use std::fmt;

/// Why the store did not do it. Nothing was changed, except where `Lost` says that nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The address is neither `sqlite:` nor `postgres://`; holds its scheme.
    Address(String),
    /// A unique key is taken already.
    Unique,
    /// A guarded statement met no row, or more than one: somebody else was first.
    Guard,
    /// A row does not have the shape its slice wrote; holds the column.
    Corrupt(&'static str),
    /// The connection broke while committing: the write may or may not have happened.
    Lost(String),
    /// The store is shutting down.
    Closed,
    /// Anything else the engine said.
    Engine(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Address(scheme) => {
                write!(f, "a database address begins `sqlite:` or `postgres://`, not `{scheme}:`")
            }
            StoreError::Unique => f.write_str("the key is taken already"),
            StoreError::Guard => f.write_str("the row was not in the expected state"),
            StoreError::Corrupt(column) => write!(f, "column {column} holds a value its slice never writes"),
            StoreError::Lost(why) => write!(f, "the outcome of a commit is unknown: {why}"),
            StoreError::Closed => f.write_str("the store is closed"),
            StoreError::Engine(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        match &error {
            sqlx::Error::Database(e) if e.is_unique_violation() => StoreError::Unique,
            sqlx::Error::PoolClosed => StoreError::Closed,
            _ => StoreError::Engine(error.to_string()),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> StoreError {
        StoreError::Engine(error.to_string())
    }
}
