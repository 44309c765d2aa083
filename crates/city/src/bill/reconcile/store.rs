//! The tables of reconciliation: what was returned, what came of matching it.

use kernel::Timestamp;
use kernel::ids::BillerId;
use store::{AnyRow, Conn, Row, StoreError};

use super::BrokenDay;
use super::rules::{Break, BreakCode, Source};
use crate::bill::store::date_of;

/// A biller's day, and who speaks of it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub biller: BillerId,
    /// `20260302`
    pub day: i64,
    pub source: Source,
}

/// A returned file: of which upload, and what is in it.
#[derive(Clone, Debug)]
pub struct Returned {
    pub file: u128,
    /// Hexadecimal.
    pub sha256: String,
    pub lines: u64,
    /// Minor units.
    pub amount_minor: i64,
    pub pieces: u32,
}

/// Keeps a piece of an upload.
pub async fn put_piece(
    conn: &mut Conn,
    at: Place,
    file: u128,
    number: u32,
    lines: Vec<u8>,
    now: Timestamp,
) -> Result<(), StoreError> {
    store::query(
        "INSERT INTO returned_piece (biller, day, source, file, number, lines, put_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(at.biller.to_bytes())
    .bind(at.day)
    .bind(at.source.name())
    .bind(file.to_be_bytes().to_vec())
    .bind(i64::from(number))
    .bind(lines)
    .bind(now.as_millis())
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes an upload what was returned for a day, in the place of what was returned before. Pieces put before `dead` by
/// uploads that broke off are removed on the way.
pub async fn put_returned(
    conn: &mut Conn,
    at: Place,
    returned: &Returned,
    dead: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (biller, source, file) =
        (at.biller.to_bytes(), at.source.name(), returned.file.to_be_bytes().to_vec());
    let here = store::query_scalar::<_, i64>(
        "SELECT COUNT(*) FROM returned_piece WHERE biller = $1 AND day = $2 AND source = $3 AND file = $4",
    )
    .bind(biller.clone())
    .bind(at.day)
    .bind(source)
    .bind(file.clone())
    .fetch_one(&mut *conn)
    .await?;
    if here != i64::from(returned.pieces) {
        return Err(StoreError::Guard);
    }
    store::query(
        "DELETE FROM returned_piece
         WHERE biller = $1 AND day = $2 AND source = $3 AND file <> $4 AND (put_at < $5 OR file =
         (SELECT f.file FROM returned_file f WHERE f.biller = $1 AND f.day = $2 AND f.source = $3))",
    )
    .bind(biller.clone())
    .bind(at.day)
    .bind(source)
    .bind(file.clone())
    .bind(dead.as_millis())
    .execute(&mut *conn)
    .await?;
    store::query("DELETE FROM returned_line WHERE biller = $1 AND day = $2 AND source = $3")
        .bind(biller.clone())
        .bind(at.day)
        .bind(source)
        .execute(&mut *conn)
        .await?;
    store::query(
        "INSERT INTO returned_file (biller, day, source, sha256, lines, amount, received_at, file)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (biller, day, source) DO UPDATE
         SET sha256 = $4, lines = $5, amount = $6, received_at = $7, file = $8",
    )
    .bind(biller)
    .bind(at.day)
    .bind(source)
    .bind(returned.sha256.as_str())
    .bind(i64::try_from(returned.lines).unwrap_or(i64::MAX))
    .bind(returned.amount_minor)
    .bind(now.as_millis())
    .bind(file)
    .execute(conn)
    .await?;
    Ok(())
}

/// Where the lines of a returned file are.
#[derive(Clone, Debug)]
pub enum Kept {
    /// In pieces of this upload.
    Pieces(Vec<u8>),
    /// Line by line, as before there were pieces.
    Lines,
}

/// Where the lines that were returned for a day are; `None` when nothing was.
pub async fn returned(conn: &mut Conn, at: Place) -> Result<Option<Kept>, StoreError> {
    let row = store::query("SELECT file FROM returned_file WHERE biller = $1 AND day = $2 AND source = $3")
        .bind(at.biller.to_bytes())
        .bind(at.day)
        .bind(at.source.name())
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let file: Option<Vec<u8>> = row.try_get("file")?;
    Ok(Some(file.map_or(Kept::Lines, Kept::Pieces)))
}

/// A piece of what was returned.
pub async fn piece(
    conn: &mut Conn,
    at: Place,
    file: &[u8],
    number: u32,
) -> Result<Option<Vec<u8>>, StoreError> {
    let row = store::query(
        "SELECT lines FROM returned_piece
         WHERE biller = $1 AND day = $2 AND source = $3 AND file = $4 AND number = $5",
    )
    .bind(at.biller.to_bytes())
    .bind(at.day)
    .bind(at.source.name())
    .bind(file.to_vec())
    .bind(i64::from(number))
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok(row.try_get("lines")?)).transpose()
}

/// Lines as they were kept before there were pieces: number, reference, amount.
pub async fn lines(
    conn: &mut Conn,
    at: Place,
    after: i64,
    limit: u32,
) -> Result<Vec<(i64, String, i64)>, StoreError> {
    let rows = store::query(
        "SELECT line, reference, amount FROM returned_line
         WHERE biller = $1 AND day = $2 AND source = $3 AND line > $4 ORDER BY line LIMIT $5",
    )
    .bind(at.biller.to_bytes())
    .bind(at.day)
    .bind(at.source.name())
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("line")?, row.try_get("reference")?, row.try_get("amount")?)))
        .collect()
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
