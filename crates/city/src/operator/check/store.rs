//! The table of checks: operator_check.

use kernel::Timestamp;
use kernel::ids::ActId;
use store::{Conn, Row as _, StoreError, id, query};

use super::{Check, CheckOutcome};

/// Keeps a check that has ended.
pub async fn add(conn: &mut Conn, of: ActId, check: &Check, report: &str) -> Result<(), StoreError> {
    query(
        "INSERT INTO operator_check (id, operator_id, started_at, finished_at, outcome, report)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(of.to_bytes())
    .bind(check.by.to_bytes())
    .bind(check.started_at.as_millis())
    .bind(check.finished_at.as_millis())
    .bind(check.outcome.name())
    .bind(report)
    .execute(conn)
    .await?;
    Ok(())
}

/// The newest check.
pub async fn newest(conn: &mut Conn) -> Result<Option<Check>, StoreError> {
    let row = query("SELECT * FROM operator_check ORDER BY id DESC LIMIT 1").fetch_optional(conn).await?;
    let Some(row) = row else { return Ok(None) };
    let (outcome, report): (String, String) = (row.try_get("outcome")?, row.try_get("report")?);
    Ok(Some(Check {
        by: id(&row, "operator_id")?,
        started_at: Timestamp::from_millis(row.try_get("started_at")?),
        finished_at: Timestamp::from_millis(row.try_get("finished_at")?),
        outcome: CheckOutcome::from_name(&outcome).ok_or(StoreError::Corrupt("operator_check.outcome"))?,
        report: serde_json::from_str(&report).map_err(|_| StoreError::Corrupt("operator_check.report"))?,
    }))
}
