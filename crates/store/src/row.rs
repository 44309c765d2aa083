//! Small readers for what every slice keeps in its rows: ids, and the promise of one row.

use kernel::{Id, Kind};
use sqlx::Row;
use sqlx::any::{AnyQueryResult, AnyRow};

use crate::StoreError;

/// The id in a 16-byte column.
pub fn id<K: Kind>(row: &AnyRow, column: &'static str) -> Result<Id<K>, StoreError> {
    id_opt(row, column)?.ok_or(StoreError::Corrupt(column))
}

/// The id in a 16-byte column that may be NULL.
pub fn id_opt<K: Kind>(row: &AnyRow, column: &'static str) -> Result<Option<Id<K>>, StoreError> {
    let bytes: Option<Vec<u8>> = row.try_get(column)?;
    bytes.map(|b| Id::from_bytes(&b).ok_or(StoreError::Corrupt(column))).transpose()
}

/// Requires that a guarded statement changed exactly one row.
pub fn one_row(result: AnyQueryResult) -> Result<(), StoreError> {
    if result.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Guard) }
}
