//! The tables of this slice: `coverage_way`, `coverage_span`, `coverage_use`.

use kernel::Timestamp;
use kernel::ids::BillerId;
use store::{Conn, Row as _, StoreError, id, query};

use super::rules::{Span, WayState};

type Result<T> = std::result::Result<T, StoreError>;

/// Takes in how a way was found, unless something newer is known. A change opens or closes a span.
pub async fn observe(
    conn: &mut Conn,
    biller: BillerId,
    way: &str,
    live: bool,
    seen_at: Timestamp,
) -> Result<()> {
    let newer = query(
        "INSERT INTO coverage_way (biller, way, live, seen_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (biller, way) DO UPDATE SET live = excluded.live, seen_at = excluded.seen_at
         WHERE coverage_way.seen_at < excluded.seen_at",
    )
    .bind(biller.to_bytes())
    .bind(way)
    .bind(i64::from(live))
    .bind(seen_at.as_millis())
    .execute(&mut *conn)
    .await?;
    if newer.rows_affected() == 0 {
        return Ok(());
    }
    // The row above is held until the end of the transaction: of two nodes one comes after the other.
    let text = if live {
        "INSERT INTO coverage_span (biller, way, opened_at)
         SELECT biller, way, seen_at FROM coverage_way WHERE biller = $1 AND way = $2 AND NOT EXISTS
         (SELECT 1 FROM coverage_span WHERE biller = $1 AND way = $2 AND closed_at IS NULL)
         ON CONFLICT (biller, way, opened_at) DO NOTHING"
    } else {
        "UPDATE coverage_span SET closed_at = (SELECT seen_at FROM coverage_way WHERE biller = $1 AND way = $2)
         WHERE biller = $1 AND way = $2 AND closed_at IS NULL"
    };
    query(text).bind(biller.to_bytes()).bind(way).execute(conn).await?;
    Ok(())
}

/// Every way as it was found last.
pub async fn ways(conn: &mut Conn) -> Result<Vec<WayState>> {
    let rows = query("SELECT biller, way, live, seen_at FROM coverage_way").fetch_all(conn).await?;
    let state = |row: &store::AnyRow| {
        Ok(WayState {
            biller: id(row, "biller")?,
            way: row.try_get("way")?,
            live: row.try_get::<i64, _>("live")? == 1,
            seen_at: Timestamp::from_millis(row.try_get("seen_at")?),
        })
    };
    rows.iter().map(state).collect()
}

/// Every span in which a way was live.
pub async fn spans(conn: &mut Conn) -> Result<Vec<Span>> {
    let rows = query("SELECT biller, way, opened_at, closed_at FROM coverage_span ORDER BY opened_at")
        .fetch_all(conn)
        .await?;
    let span = |row: &store::AnyRow| {
        Ok(Span {
            biller: id(row, "biller")?,
            way: row.try_get("way")?,
            opened_at: Timestamp::from_millis(row.try_get("opened_at")?),
            closed_at: row.try_get::<Option<i64>, _>("closed_at")?.map(Timestamp::from_millis),
        })
    };
    rows.iter().map(span).collect()
}

/// Adds payments to a month of a biller.
pub async fn count(conn: &mut Conn, biller: BillerId, month: u32, payments: i64) -> Result<()> {
    query(
        "INSERT INTO coverage_use (biller, month, payments) VALUES ($1, $2, $3)
         ON CONFLICT (biller, month) DO UPDATE SET payments = coverage_use.payments + excluded.payments",
    )
    .bind(biller.to_bytes())
    .bind(i64::from(month))
    .bind(payments)
    .execute(conn)
    .await?;
    Ok(())
}

/// Payments by biller and month.
pub async fn uses(conn: &mut Conn) -> Result<Vec<(BillerId, u32, u64)>> {
    let rows = query("SELECT biller, month, payments FROM coverage_use").fetch_all(conn).await?;
    let one = |row: &store::AnyRow| {
        Ok((
            id(row, "biller")?,
            u32::try_from(row.try_get::<i64, _>("month")?).unwrap_or(0),
            u64::try_from(row.try_get::<i64, _>("payments")?).unwrap_or(0),
        ))
    };
    rows.iter().map(one).collect()
}
