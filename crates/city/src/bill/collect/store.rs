//! The tables of collectors: collector, collector_claim.

use kernel::Timestamp;
use kernel::ids::{BillerId, ClaimId, CollectorId};
use store::{AnyRow, Conn, Row as _, StoreError, query};

use super::{Claim, CollectorKind, Registered, Wanted};
use crate::bill::pack::Name;

fn registered(row: &AnyRow) -> Result<Registered, StoreError> {
    let (kind, billers): (String, Option<String>) = (row.try_get("kind")?, row.try_get("billers")?);
    let kind = [CollectorKind::Bank, CollectorKind::Provider].into_iter().find(|k| k.name() == kind);
    let billers: Option<Result<Vec<BillerId>, _>> =
        billers.map(|text| text.split(' ').map(str::parse::<BillerId>).collect());
    Ok(Registered {
        id: store::id(row, "id")?,
        wanted: Wanted {
            reference: row.try_get("reference")?,
            kind: kind.ok_or(StoreError::Corrupt("collector.kind"))?,
            name: Name { zh: row.try_get("name_zh")?, en: row.try_get("name_en")? },
            billers: billers.transpose().map_err(|_| StoreError::Corrupt("collector.billers"))?,
            limit_minor: row.try_get("limit_minor")?,
        },
        revision: row.try_get("revision")?,
        open: row.try_get::<i64, _>("open")? != 0,
        created_at: Timestamp::from_millis(row.try_get("created_at")?),
    })
}

/// Adds a collector, unless one is there.
pub async fn add(conn: &mut Conn, new: &Registered) -> Result<(), StoreError> {
    let billers = new.wanted.billers.as_ref();
    let billers = billers.map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    query(
        "INSERT INTO collector (id, reference, kind, name_zh, name_en, billers, limit_minor, revision, open, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 1, $8) ON CONFLICT (id) DO NOTHING",
    )
    .bind(new.id.to_bytes())
    .bind(new.wanted.reference.as_str())
    .bind(new.wanted.kind.name())
    .bind(new.wanted.name.zh.as_str())
    .bind(new.wanted.name.en.as_str())
    .bind(billers)
    .bind(new.wanted.limit_minor)
    .bind(new.created_at.as_millis())
    .execute(conn)
    .await?;
    Ok(())
}

/// A collector.
pub async fn get(conn: &mut Conn, id: CollectorId) -> Result<Option<Registered>, StoreError> {
    let row = query("SELECT * FROM collector WHERE id = $1").bind(id.to_bytes()).fetch_optional(conn).await?;
    row.as_ref().map(registered).transpose()
}

/// Collectors after one.
pub async fn list(
    conn: &mut Conn,
    after: Option<CollectorId>,
    limit: u32,
) -> Result<Vec<Registered>, StoreError> {
    let after = after.unwrap_or(CollectorId::from_u128(0));
    let rows = query("SELECT * FROM collector WHERE id > $1 ORDER BY id LIMIT $2")
        .bind(after.to_bytes())
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await?;
    rows.iter().map(registered).collect()
}

/// Notes the limit that the ledger has in this revision; nothing where a later one is noted.
pub async fn set_limit(
    conn: &mut Conn,
    id: CollectorId,
    revision: i64,
    limit: i64,
) -> Result<(), StoreError> {
    query("UPDATE collector SET limit_minor = $3, revision = $2 WHERE id = $1 AND revision = $2 - 1")
        .bind(id.to_bytes())
        .bind(revision)
        .bind(limit)
        .execute(conn)
        .await?;
    Ok(())
}

/// Lets a collector collect, or no more.
pub async fn set_open(conn: &mut Conn, id: CollectorId, open: bool) -> Result<(), StoreError> {
    query("UPDATE collector SET open = $2 WHERE id = $1")
        .bind(id.to_bytes())
        .bind(i64::from(open))
        .execute(conn)
        .await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Claim, StoreError> {
    let kind: String = row.try_get("kind")?;
    let at = |column: &str| -> Result<Option<Timestamp>, StoreError> {
        Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_millis))
    };
    Ok(Claim {
        id: store::id(row, "id")?,
        collector: store::id(row, "collector")?,
        reference: row.try_get("reference")?,
        claimed: kind == "claim",
        biller: store::id(row, "biller")?,
        account_no: row.try_get("account_no")?,
        bill: store::id(row, "bill")?,
        amount_minor: row.try_get("amount")?,
        late_fee_minor: row.try_get("late_fee")?,
        taken_at: at("taken_at")?,
        created_at: Timestamp::from_millis(row.try_get("created_at")?),
        confirmed_at: at("confirmed_at")?,
        cancelled_at: at("cancelled_at")?,
    })
}

/// Keeps what a collector says of a reference, unless something is kept of it.
pub async fn add_claim(conn: &mut Conn, new: &Claim) -> Result<(), StoreError> {
    query(
        "INSERT INTO collector_claim (id, collector, reference, kind, biller, account_no, bill, amount, late_fee,
             taken_at, created_at, confirmed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(new.id.to_bytes())
    .bind(new.collector.to_bytes())
    .bind(new.reference.as_str())
    .bind(if new.claimed { "claim" } else { "receipt" })
    .bind(new.biller.to_bytes())
    .bind(new.account_no.as_str())
    .bind(new.bill.to_bytes())
    .bind(new.amount_minor)
    .bind(new.late_fee_minor)
    .bind(new.taken_at.map(Timestamp::as_millis))
    .bind(new.created_at.as_millis())
    .bind(new.confirmed_at.map(Timestamp::as_millis))
    .execute(conn)
    .await?;
    Ok(())
}

/// What is kept of a reference.
pub async fn claim(conn: &mut Conn, id: ClaimId) -> Result<Option<Claim>, StoreError> {
    let row =
        query("SELECT * FROM collector_claim WHERE id = $1").bind(id.to_bytes()).fetch_optional(conn).await?;
    row.as_ref().map(read).transpose()
}

/// The money is taken, unless the claim was cancelled.
pub async fn confirm(conn: &mut Conn, id: ClaimId, now: Timestamp) -> Result<(), StoreError> {
    query(
        "UPDATE collector_claim SET confirmed_at = $2
         WHERE id = $1 AND confirmed_at IS NULL AND cancelled_at IS NULL",
    )
    .bind(id.to_bytes())
    .bind(now.as_millis())
    .execute(conn)
    .await?;
    Ok(())
}

/// The claim is given up, unless the money was taken.
pub async fn cancel(conn: &mut Conn, id: ClaimId, now: Timestamp) -> Result<(), StoreError> {
    query(
        "UPDATE collector_claim SET cancelled_at = $2
         WHERE id = $1 AND confirmed_at IS NULL AND cancelled_at IS NULL",
    )
    .bind(id.to_bytes())
    .bind(now.as_millis())
    .execute(conn)
    .await?;
    Ok(())
}

/// The ledger has its end: nobody needs to look for it.
pub async fn end(conn: &mut Conn, id: ClaimId, now: Timestamp) -> Result<(), StoreError> {
    query("UPDATE collector_claim SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL")
        .bind(id.to_bytes())
        .bind(now.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

/// What was confirmed and has no end yet, after one.
pub async fn open_after(conn: &mut Conn, after: ClaimId, limit: u32) -> Result<Vec<Claim>, StoreError> {
    let rows = query(
        "SELECT * FROM collector_claim WHERE ended_at IS NULL AND confirmed_at IS NOT NULL AND id > $1
         ORDER BY id LIMIT $2",
    )
    .bind(after.to_bytes())
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(read).collect()
}

/// Claims of a collector, newest first, before one.
pub async fn claims(
    conn: &mut Conn,
    collector: CollectorId,
    before: Option<(Timestamp, ClaimId)>,
    limit: u32,
) -> Result<Vec<Claim>, StoreError> {
    let (at, id) = before.map_or((i64::MAX, ClaimId::from_u128(u128::MAX)), |(at, id)| (at.as_millis(), id));
    let rows = query(
        "SELECT * FROM collector_claim WHERE collector = $1 AND (created_at < $2 OR (created_at = $2 AND id < $3))
         ORDER BY created_at DESC, id DESC LIMIT $4",
    )
    .bind(collector.to_bytes())
    .bind(at)
    .bind(id.to_bytes())
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(read).collect()
}
