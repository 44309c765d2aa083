//! The tables of the audit trail: operator_act and operator_act_end. Rows are added, never changed.

use kernel::Timestamp;
use kernel::ids::ActId;
use store::{AnyRow, Conn, Row as _, StoreError, id, query};

use super::Entry;

/// Enters an act, and its end where it has ended already.
pub async fn enter(conn: &mut Conn, entry: &Entry) -> Result<(), StoreError> {
    query(
        "INSERT INTO operator_act (id, at, operator_id, key_id, action, subject, detail, reason)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(entry.id.to_bytes())
    .bind(entry.at.as_millis())
    .bind(entry.operator.to_bytes())
    .bind(entry.key.to_bytes())
    .bind(entry.action.as_str())
    .bind(entry.subject.as_str())
    .bind(entry.detail.as_str())
    .bind(entry.reason.as_deref())
    .execute(&mut *conn)
    .await?;
    match &entry.outcome {
        Some(outcome) => end(conn, entry.id, outcome, entry.at).await,
        None => Ok(()),
    }
}

/// Says how an act has ended.
pub async fn end(conn: &mut Conn, act: ActId, outcome: &str, now: Timestamp) -> Result<(), StoreError> {
    query("INSERT INTO operator_act_end (act_id, at, outcome) VALUES ($1, $2, $3)")
        .bind(act.to_bytes())
        .bind(now.as_millis())
        .bind(outcome)
        .execute(conn)
        .await?;
    Ok(())
}

fn entry(row: &AnyRow) -> Result<Entry, StoreError> {
    Ok(Entry {
        id: id(row, "id")?,
        at: Timestamp::from_millis(row.try_get("at")?),
        operator: id(row, "operator_id")?,
        key: id(row, "key_id")?,
        action: row.try_get("action")?,
        subject: row.try_get("subject")?,
        detail: row.try_get("detail")?,
        reason: row.try_get("reason")?,
        outcome: row.try_get("outcome")?,
    })
}

/// Entries before one, newest first.
pub async fn entries(conn: &mut Conn, before: Option<ActId>, limit: u32) -> Result<Vec<Entry>, StoreError> {
    let before = before.map_or_else(|| vec![0xff; 16], ActId::to_bytes);
    let rows = query(
        "SELECT a.id, a.at, a.operator_id, a.key_id, a.action, a.subject, a.detail, a.reason, e.outcome
         FROM operator_act a LEFT JOIN operator_act_end e ON e.act_id = a.id
         WHERE a.id < $1 ORDER BY a.id DESC LIMIT $2",
    )
    .bind(before)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(entry).collect()
}
