//! The tables of reconciliation: what was returned, what came of matching it.

use kernel::Timestamp;
use kernel::ids::BillerId;
use store::{AnyRow, AssertSqlSafe, Conn, Row, StoreError};

use super::BrokenDay;
use super::rules::{Break, BreakCode, Source, Theirs};
use crate::bill::store::date_of;

/// A returned file, read.
#[derive(Clone, Debug)]
pub struct Returned {
    /// Of the file, hexadecimal.
    pub sha256: String,
    /// Its lines.
    pub lines: Vec<Theirs>,
    /// Their sum, minor units.
    pub amount: i64,
}

/// Keeps what was returned for a day in the place of what was returned before.
pub async fn put_returned(
    conn: &mut Conn,
    biller: BillerId,
    day: i64,
    source: Source,
    file: &Returned,
    now: Timestamp,
) -> Result<(), StoreError> {
    store::query("DELETE FROM returned_line WHERE biller = $1 AND day = $2 AND source = $3")
        .bind(biller.to_bytes())
        .bind(day)
        .bind(source.name())
        .execute(&mut *conn)
        .await?;
    for (number, part) in file.lines.chunks(60).enumerate() {
        let place =
            |row: usize| format!("($1, $2, $3, ${}, ${}, ${})", row * 3 + 4, row * 3 + 5, row * 3 + 6);
        let places = (0..part.len()).map(place).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "INSERT INTO returned_line (biller, day, source, line, reference, amount) VALUES {places}"
        );
        let mut query =
            store::query(AssertSqlSafe(sql)).bind(biller.to_bytes()).bind(day).bind(source.name());
        for (at, line) in part.iter().enumerate() {
            let line_number = i64::try_from(number * 60 + at + 1).unwrap_or(i64::MAX);
            query = query.bind(line_number).bind(line.reference.as_str()).bind(line.amount_minor);
        }
        query.execute(&mut *conn).await?;
    }
    store::query(
        "INSERT INTO returned_file (biller, day, source, sha256, lines, amount, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (biller, day, source) DO UPDATE SET sha256 = $4, lines = $5, amount = $6, received_at = $7",
    )
    .bind(biller.to_bytes())
    .bind(day)
    .bind(source.name())
    .bind(file.sha256.as_str())
    .bind(i64::try_from(file.lines.len()).unwrap_or(i64::MAX))
    .bind(file.amount)
    .bind(now.as_millis())
    .execute(conn)
    .await?;
    Ok(())
}

/// What was returned for a day, in the order of its lines; `None` when nothing was.
pub async fn returned(
    conn: &mut Conn,
    biller: BillerId,
    day: i64,
    source: Source,
) -> Result<Option<Vec<Theirs>>, StoreError> {
    let there =
        store::query("SELECT lines FROM returned_file WHERE biller = $1 AND day = $2 AND source = $3")
            .bind(biller.to_bytes())
            .bind(day)
            .bind(source.name())
            .fetch_optional(&mut *conn)
            .await?;
    if there.is_none() {
        return Ok(None);
    }
    let rows = store::query(
        "SELECT reference, amount FROM returned_line WHERE biller = $1 AND day = $2 AND source = $3 ORDER BY line",
    )
    .bind(biller.to_bytes())
    .bind(day)
    .bind(source.name())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| Ok(Theirs { reference: row.try_get("reference")?, amount_minor: row.try_get("amount")? }))
        .collect::<Result<Vec<_>, StoreError>>()
        .map(Some)
}

/// Keeps the result of a day in the place of the one before.
pub async fn put_report(
    conn: &mut Conn,
    biller: BillerId,
    day: i64,
    report: &str,
    breaks: &[Break],
    now: Timestamp,
) -> Result<(), StoreError> {
    store::query(
        "INSERT INTO reconciliation (biller, day, report, breaks, run_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (biller, day) DO UPDATE SET report = $3, breaks = $4, run_at = $5",
    )
    .bind(biller.to_bytes())
    .bind(day)
    .bind(report)
    .bind(i64::try_from(breaks.len()).unwrap_or(i64::MAX))
    .bind(now.as_millis())
    .execute(&mut *conn)
    .await?;
    store::query("DELETE FROM reconciliation_break WHERE biller = $1 AND day = $2")
        .bind(biller.to_bytes())
        .bind(day)
        .execute(&mut *conn)
        .await?;
    for (number, found) in breaks.iter().enumerate() {
        store::query(
            "INSERT INTO reconciliation_break (biller, day, number, source, code, remedy, reference, ours, theirs)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(biller.to_bytes())
        .bind(day)
        .bind(i64::try_from(number + 1).unwrap_or(i64::MAX))
        .bind(found.source.name())
        .bind(found.code.name())
        .bind(found.code.remedy(found.source))
        .bind(found.reference.as_str())
        .bind(found.ours_minor)
        .bind(found.theirs_minor)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// The newest result of a day, as JSON.
pub async fn report(conn: &mut Conn, biller: BillerId, day: i64) -> Result<Option<String>, StoreError> {
    let row = store::query("SELECT report FROM reconciliation WHERE biller = $1 AND day = $2")
        .bind(biller.to_bytes())
        .bind(day)
        .fetch_optional(conn)
        .await?;
    row.map(|row| Ok(row.try_get("report")?)).transpose()
}

/// The breaks of a day after a number, and the number of each.
pub async fn breaks(
    conn: &mut Conn,
    biller: BillerId,
    day: i64,
    after: i64,
    limit: u32,
) -> Result<Vec<(i64, Break)>, StoreError> {
    let rows = store::query(
        "SELECT number, source, code, reference, ours, theirs FROM reconciliation_break
         WHERE biller = $1 AND day = $2 AND number > $3 ORDER BY number LIMIT $4",
    )
    .bind(biller.to_bytes())
    .bind(day)
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let (source, code): (String, String) = (row.try_get("source")?, row.try_get("code")?);
            let found = Break {
                source: Source::from_name(&source)
                    .ok_or(StoreError::Corrupt("reconciliation_break.source"))?,
                code: BreakCode::from_name(&code).ok_or(StoreError::Corrupt("reconciliation_break.code"))?,
                reference: row.try_get("reference")?,
                ours_minor: row.try_get("ours")?,
                theirs_minor: row.try_get("theirs")?,
            };
            Ok((row.try_get("number")?, found))
        })
        .collect()
}

/// The days whose newest result has breaks, the newest day first.
pub async fn broken_days(conn: &mut Conn, limit: u32) -> Result<Vec<BrokenDay>, StoreError> {
    let rows = store::query(
        "SELECT biller, day, breaks, run_at FROM reconciliation WHERE breaks > 0 ORDER BY day DESC, biller LIMIT $1",
    )
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    let day = |row: &AnyRow| {
        Ok(BrokenDay {
            biller: store::id(row, "biller")?,
            day: date_of(row.try_get("day")?).ok_or(StoreError::Corrupt("reconciliation.day"))?,
            breaks: u64::try_from(row.try_get::<i64, _>("breaks")?).unwrap_or(0),
            run_at: Timestamp::from_millis(row.try_get("run_at")?),
        })
    };
    rows.iter().map(day).collect()
}
