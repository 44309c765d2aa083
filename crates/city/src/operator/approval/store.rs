//! The table of approvals: operator_approval.

use kernel::ids::ApprovalId;
use kernel::{Currency, Money, Timestamp};
use store::{AnyRow, Conn, Row as _, StoreError, id, id_opt, query};

use super::{Approval, ApprovalState, Movement, MovementKind};
use crate::identity::Operator;

fn approval(row: &AnyRow) -> Result<Approval, StoreError> {
    let (kind, state): (String, String) = (row.try_get("kind")?, row.try_get("state")?);
    let (subject, currency): (Vec<u8>, String) = (row.try_get("subject")?, row.try_get("currency")?);
    let currency: Currency = currency.parse().map_err(|_| StoreError::Corrupt("currency"))?;
    let decided_at: Option<i64> = row.try_get("decided_at")?;
    let decided = match (id_opt(row, "decided_by")?, id_opt(row, "decided_key")?, decided_at) {
        (Some(by), Some(key), Some(at)) => Some((by, key, Timestamp::from_millis(at))),
        _ => None,
    };
    let subject = subject.try_into().map_err(|_| StoreError::Corrupt("operator_approval.subject"))?;
    Ok(Approval {
        id: id(row, "id")?,
        movement: Movement {
            kind: MovementKind::from_name(&kind).ok_or(StoreError::Corrupt("operator_approval.kind"))?,
            subject: u128::from_be_bytes(subject),
            amount: Money::new(row.try_get("amount")?, currency),
            reference: row.try_get("reference")?,
        },
        reason: row.try_get("reason")?,
        asked_by: id(row, "asked_by")?,
        asked_key: id(row, "asked_key")?,
        asked_at: Timestamp::from_millis(row.try_get("asked_at")?),
        state: ApprovalState::from_name(&state).ok_or(StoreError::Corrupt("operator_approval.state"))?,
        decided,
        decision_reason: row.try_get("decision_reason")?,
        outcome: row.try_get("outcome")?,
    })
}

/// Adds a request that waits, unless one is open for its reference.
pub async fn add(conn: &mut Conn, new: &Approval) -> Result<(), StoreError> {
    let movement = &new.movement;
    query(
        "INSERT INTO operator_approval (id, kind, subject, amount, currency, reference, reason, asked_by, asked_key,
             asked_at, state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'waiting') ON CONFLICT DO NOTHING",
    )
    .bind(new.id.to_bytes())
    .bind(movement.kind.name())
    .bind(movement.subject.to_be_bytes().to_vec())
    .bind(movement.amount.minor)
    .bind(movement.amount.currency.to_string())
    .bind(movement.reference.as_str())
    .bind(new.reason.as_deref())
    .bind(new.asked_by.to_bytes())
    .bind(new.asked_key.to_bytes())
    .bind(new.asked_at.as_millis())
    .execute(conn)
    .await?;
    Ok(())
}

/// The request that is open for this reference.
pub async fn open(conn: &mut Conn, wanted: &Movement) -> Result<Option<Approval>, StoreError> {
    let row = query(
        "SELECT * FROM operator_approval WHERE kind = $1 AND reference = $2 AND state IN ('waiting', 'approved')",
    )
    .bind(wanted.kind.name())
    .bind(wanted.reference.as_str())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(approval).transpose()
}

/// The approval of this id.
pub async fn get(conn: &mut Conn, of: ApprovalId) -> Result<Option<Approval>, StoreError> {
    let row = query("SELECT * FROM operator_approval WHERE id = $1")
        .bind(of.to_bytes())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(approval).transpose()
}

/// Approvals before one, newest first.
pub async fn list(
    conn: &mut Conn,
    state: Option<ApprovalState>,
    before: Option<ApprovalId>,
    limit: u32,
) -> Result<Vec<Approval>, StoreError> {
    let sql = if state.is_some() {
        "SELECT * FROM operator_approval WHERE id < $1 AND state = $3 ORDER BY id DESC LIMIT $2"
    } else {
        "SELECT * FROM operator_approval WHERE id < $1 ORDER BY id DESC LIMIT $2"
    };
    let before = before.map_or_else(|| vec![0xff; 16], ApprovalId::to_bytes);
    let mut wanted = query(sql).bind(before).bind(i64::from(limit));
    if let Some(state) = state {
        wanted = wanted.bind(state.name());
    }
    wanted.fetch_all(conn).await?.iter().map(approval).collect()
}

/// Decides a request, if it waits and somebody else asked.
pub async fn decide(
    conn: &mut Conn,
    of: ApprovalId,
    to: ApprovalState,
    by: &Operator,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    query(
        "UPDATE operator_approval SET state = $1, decided_by = $2, decided_key = $3, decided_at = $4, decision_reason = $5
         WHERE id = $6 AND state = 'waiting' AND asked_by <> $2",
    )
    .bind(to.name())
    .bind(by.id.to_bytes())
    .bind(by.key.to_bytes())
    .bind(now.as_millis())
    .bind(reason)
    .bind(of.to_bytes())
    .execute(conn)
    .await?;
    Ok(())
}

/// Up to `limit` approvals that are approved and not ended, after one, oldest first.
pub async fn approved_after(
    conn: &mut Conn,
    after: ApprovalId,
    limit: u32,
) -> Result<Vec<Approval>, StoreError> {
    let rows =
        query("SELECT * FROM operator_approval WHERE state = 'approved' AND id > $1 ORDER BY id LIMIT $2")
            .bind(after.to_bytes())
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?;
    rows.iter().map(approval).collect()
}

/// Notes why the ledger refuses what was approved, before that is made final; the first to hear it is believed.
pub async fn note_refusal(conn: &mut Conn, of: ApprovalId, code: &str) -> Result<(), StoreError> {
    query(
        "UPDATE operator_approval SET outcome = $1 WHERE id = $2 AND state = 'approved' AND outcome IS NULL",
    )
    .bind(code)
    .bind(of.to_bytes())
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps how the ledger ended what was approved.
pub async fn end(conn: &mut Conn, of: ApprovalId, failed: bool, now: Timestamp) -> Result<(), StoreError> {
    let sql = if failed {
        "UPDATE operator_approval SET state = 'failed', ended_at = $1 WHERE id = $2 AND state = 'approved'"
    } else {
        "UPDATE operator_approval SET state = 'booked', outcome = NULL, ended_at = $1
         WHERE id = $2 AND state = 'approved'"
    };
    query(sql).bind(now.as_millis()).bind(of.to_bytes()).execute(conn).await?;
    Ok(())
}
