//! The table of decisions about disagreements: operator_break_decision.

use kernel::Timestamp;
use kernel::ids::BillerId;
use store::{AnyRow, Conn, Row as _, StoreError, id, query};

use super::Decision;

fn decision(row: &AnyRow) -> Result<Decision, StoreError> {
    Ok(Decision {
        id: id(row, "id")?,
        by: id(row, "operator_id")?,
        key: id(row, "key_id")?,
        reason: row.try_get("reason")?,
        at: Timestamp::from_millis(row.try_get("at")?),
    })
}

/// What was decided about the disagreements of a day.
pub async fn decisions(conn: &mut Conn, biller: BillerId, day: i64) -> Result<Vec<Decision>, StoreError> {
    let rows = query("SELECT * FROM operator_break_decision WHERE biller = $1 AND day = $2")
        .bind(biller.to_bytes())
        .bind(day)
        .fetch_all(conn)
        .await?;
    rows.iter().map(decision).collect()
}

/// How many decisions there are about each day of each biller, from a day on.
pub async fn decisions_since(conn: &mut Conn, day: i64) -> Result<Vec<((BillerId, i64), u64)>, StoreError> {
    let rows = query(
        "SELECT biller, day, COUNT(*) AS decisions FROM operator_break_decision WHERE day >= $1 GROUP BY biller, day",
    )
    .bind(day)
    .fetch_all(conn)
    .await?;
    let of_day = |row: &AnyRow| {
        let decisions = u64::try_from(row.try_get::<i64, _>("decisions")?).unwrap_or(0);
        Ok(((id(row, "biller")?, row.try_get("day")?), decisions))
    };
    rows.iter().map(of_day).collect()
}

/// Keeps a decision unless there is one; answers with the one that is there.
pub async fn decide(
    conn: &mut Conn,
    biller: BillerId,
    day: i64,
    new: &Decision,
) -> Result<Option<Decision>, StoreError> {
    query(
        "INSERT INTO operator_break_decision (id, biller, day, operator_id, key_id, reason, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
    )
    .bind(new.id.to_bytes())
    .bind(biller.to_bytes())
    .bind(day)
    .bind(new.by.to_bytes())
    .bind(new.key.to_bytes())
    .bind(new.reason.as_deref())
    .bind(new.at.as_millis())
    .execute(&mut *conn)
    .await?;
    let row = query("SELECT * FROM operator_break_decision WHERE id = $1")
        .bind(new.id.to_bytes())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(decision).transpose()
}
