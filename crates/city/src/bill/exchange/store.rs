//! The tables of exchanged files: `exchange_in`, `exchange_sequence`, `exchange_out`, `exchange_lease`.

use std::collections::BTreeMap;

use kernel::Timestamp;
use kernel::ids::{BillerId, ImportId};
use store::{AnyRow, AssertSqlSafe, Conn, Row, StoreError};

use super::rules::{ExchangeFault, Kind, Missing, Outcome};
use super::{Received, Sent};
use crate::bill::store::{date_number, date_of};

fn big(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn count(row: &AnyRow, column: &'static str) -> Result<u64, StoreError> {
    u64::try_from(row.try_get::<i64, _>(column)?).map_err(|_| StoreError::Corrupt(column))
}

fn instant(row: &AnyRow, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_millis))
}

/// Holds a biller's folder for a node, until then. Says whether it has it.
pub async fn lease(
    conn: &mut Conn,
    biller: BillerId,
    node: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let done = store::query(
        "INSERT INTO exchange_lease (biller, node, leased_until) VALUES ($1, $2, $3)
         ON CONFLICT (biller) DO UPDATE SET node = $2, leased_until = $3
         WHERE exchange_lease.node = $2 OR exchange_lease.leased_until <= $4",
    )
    .bind(biller.to_bytes())
    .bind(node)
    .bind(until.as_millis())
    .bind(now.as_millis())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

const IN: &str = "biller, name, sha256, kind, day, seq, bytes, state, code, import_id, records, amount, arrived_at, \
                  ended_at, told_at";

fn received(row: &AnyRow) -> Result<Received, StoreError> {
    let (kind, state): (String, String) = (row.try_get("kind")?, row.try_get("state")?);
    let day: i64 = row.try_get("day")?;
    let seq = u32::try_from(count(row, "seq")?).map_err(|_| StoreError::Corrupt("exchange_in.seq"))?;
    let kind = Kind::from_name(&kind).ok_or(StoreError::Corrupt("exchange_in.kind"))?;
    Ok(Received {
        biller: store::id(row, "biller")?,
        name: row.try_get("name")?,
        sha256: row.try_get("sha256")?,
        kind,
        day: date_of(day),
        seq: matches!(kind, Kind::Bills | Kind::Returned).then_some(seq),
        bytes: count(row, "bytes")?,
        outcome: Outcome::from_name(&state),
        code: row.try_get("code")?,
        import: store::id_opt(row, "import_id")?,
        records: count(row, "records")?,
        amount_minor: row.try_get("amount")?,
        arrived_at: instant(row, "arrived_at")?.ok_or(StoreError::Corrupt("exchange_in.arrived_at"))?,
        ended_at: instant(row, "ended_at")?,
        told_at: instant(row, "told_at")?,
    })
}

/// Keeps what became of a file. What was accepted stays accepted, and is only told again.
pub async fn put_in(conn: &mut Conn, file: &Received) -> Result<(), StoreError> {
    store::query(
        "INSERT INTO exchange_in (biller, name, sha256, kind, day, seq, bytes, state, code, import_id, records, amount,
             arrived_at, ended_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         ON CONFLICT (biller, name, sha256) DO UPDATE SET told_at = NULL,
             kind = CASE WHEN exchange_in.state = 'accepted' THEN exchange_in.kind ELSE $4 END,
             day = CASE WHEN exchange_in.state = 'accepted' THEN exchange_in.day ELSE $5 END,
             seq = CASE WHEN exchange_in.state = 'accepted' THEN exchange_in.seq ELSE $6 END,
             code = CASE WHEN exchange_in.state = 'accepted' THEN exchange_in.code ELSE $9 END,
             import_id = CASE WHEN exchange_in.state = 'accepted' THEN exchange_in.import_id ELSE $10 END,
             records = CASE WHEN exchange_in.state = 'accepted' THEN exchange_in.records ELSE $11 END,
             amount = CASE WHEN exchange_in.state = 'accepted' THEN exchange_in.amount ELSE $12 END,
             arrived_at = CASE WHEN exchange_in.state = 'refused' THEN $13 ELSE exchange_in.arrived_at END,
             ended_at = CASE WHEN exchange_in.state = 'accepted' THEN exchange_in.ended_at ELSE $14 END,
             state = CASE WHEN exchange_in.state = 'accepted' THEN exchange_in.state ELSE $8 END",
    )
    .bind(file.biller.to_bytes())
    .bind(file.name.as_str())
    .bind(file.sha256.as_str())
    .bind(file.kind.name())
    .bind(file.day.map_or(0, date_number))
    .bind(i64::from(file.seq.unwrap_or(0)))
    .bind(big(file.bytes))
    .bind(file.outcome.map_or("taking", Outcome::name))
    .bind(file.code.as_deref())
    .bind(file.import.map(ImportId::to_bytes))
    .bind(big(file.records))
    .bind(file.amount_minor)
    .bind(file.arrived_at.as_millis())
    .bind(file.ended_at.map(Timestamp::as_millis))
    .execute(conn)
    .await?;
    Ok(())
}

/// Uses a number up for this content. Refused where other content has it.
pub async fn claim(
    conn: &mut Conn,
    file: &Received,
    series: i64,
) -> Result<Result<(), ExchangeFault>, StoreError> {
    let seq = i64::from(file.seq.unwrap_or(0));
    store::query(
        "INSERT INTO exchange_sequence (biller, kind, series, seq, sha256, arrived_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (biller, kind, series, seq) DO NOTHING",
    )
    .bind(file.biller.to_bytes())
    .bind(file.kind.name())
    .bind(series)
    .bind(seq)
    .bind(file.sha256.as_str())
    .bind(file.arrived_at.as_millis())
    .execute(&mut *conn)
    .await?;
    let row = store::query(
        "SELECT sha256 FROM exchange_sequence WHERE biller = $1 AND kind = $2 AND series = $3 AND seq = $4",
    )
    .bind(file.biller.to_bytes())
    .bind(file.kind.name())
    .bind(series)
    .bind(seq)
    .fetch_one(conn)
    .await?;
    let has: String = row.try_get("sha256")?;
    Ok(if has == file.sha256 { Ok(()) } else { Err(ExchangeFault::SequenceRepeated) })
}

/// The greatest number of a day's returned files that was taken in.
pub async fn newest_returned(conn: &mut Conn, biller: BillerId, day: i64) -> Result<i64, StoreError> {
    let row = store::query(
        "SELECT MAX(seq) AS seq FROM exchange_in WHERE biller = $1 AND kind = 'returned' AND day = $2
         AND state = 'accepted'",
    )
    .bind(biller.to_bytes())
    .bind(day)
    .fetch_one(conn)
    .await?;
    Ok(row.try_get::<Option<i64>, _>("seq")?.unwrap_or(0))
}

/// The files that are being taken in, or that their sender was not told about yet.
pub async fn untold(conn: &mut Conn, biller: BillerId) -> Result<Vec<Received>, StoreError> {
    let sql = format!(
        "SELECT {IN} FROM exchange_in WHERE biller = $1 AND told_at IS NULL ORDER BY arrived_at, name"
    );
    let rows = store::query(AssertSqlSafe(sql)).bind(biller.to_bytes()).fetch_all(conn).await?;
    rows.iter().map(received).collect()
}

/// A file of bills is through.
pub async fn accept(conn: &mut Conn, file: &Received, now: Timestamp) -> Result<(), StoreError> {
    store::query(
        "UPDATE exchange_in SET state = 'accepted', ended_at = $1
         WHERE biller = $2 AND name = $3 AND sha256 = $4 AND state = 'taking'",
    )
    .bind(now.as_millis())
    .bind(file.biller.to_bytes())
    .bind(file.name.as_str())
    .bind(file.sha256.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

/// The sender was told.
pub async fn told(conn: &mut Conn, file: &Received, now: Timestamp) -> Result<(), StoreError> {
    store::query(
        "UPDATE exchange_in SET told_at = $1 WHERE biller = $2 AND name = $3 AND sha256 = $4 AND state <> 'taking'",
    )
    .bind(now.as_millis())
    .bind(file.biller.to_bytes())
    .bind(file.name.as_str())
    .bind(file.sha256.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

/// The row errors of an import, counted by code.
pub async fn errors(conn: &mut Conn, import: ImportId) -> Result<BTreeMap<String, u64>, StoreError> {
    let rows = store::query(
        "SELECT code, COUNT(*) AS rows_refused FROM import_error WHERE import_id = $1 GROUP BY code",
    )
    .bind(import.to_bytes())
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok((row.try_get("code")?, count(row, "rows_refused")?))).collect()
}

/// Numbers that are missing: of what, in which series, which, and since when.
#[derive(Clone, Copy, Debug)]
pub struct GapRow {
    pub kind: Kind,
    pub series: i64,
    pub missing: Missing,
    pub since: Timestamp,
}

/// Every gap of a biller's series, each of which begins at `first`.
pub async fn gaps(conn: &mut Conn, biller: BillerId, first: u32) -> Result<Vec<GapRow>, StoreError> {
    let rows = store::query(
        "SELECT kind, series, before, seq, arrived_at FROM (
             SELECT kind, series, seq, arrived_at,
                 COALESCE(LAG(seq) OVER (PARTITION BY kind, series ORDER BY seq), $2) AS before
             FROM exchange_sequence WHERE biller = $1) AS numbers
         WHERE seq > before + 1 ORDER BY kind, series, seq",
    )
    .bind(biller.to_bytes())
    .bind(i64::from(first) - 1)
    .fetch_all(conn)
    .await?;
    let number = |n: i64| u32::try_from(n).map_err(|_| StoreError::Corrupt("exchange_sequence.seq"));
    let gap = |row: &AnyRow| {
        let kind: String = row.try_get("kind")?;
        let (before, seq): (i64, i64) = (row.try_get("before")?, row.try_get("seq")?);
        Ok(GapRow {
            kind: Kind::from_name(&kind).ok_or(StoreError::Corrupt("exchange_sequence.kind"))?,
            series: row.try_get("series")?,
            missing: Missing { from: number(before + 1)?, to: number(seq - 1)? },
            since: Timestamp::from_millis(row.try_get("arrived_at")?),
        })
    };
    rows.iter().map(gap).collect()
}

/// Where a page of received files begins: before this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct After {
    /// When it came.
    pub at_ms: i64,
    /// What it is called.
    pub name: String,
    /// Of its content.
    pub sha256: String,
}

/// What came in, the newest first.
pub async fn received_files(
    conn: &mut Conn,
    biller: BillerId,
    after: &After,
    limit: u32,
) -> Result<Vec<Received>, StoreError> {
    let sql = format!(
        "SELECT {IN} FROM exchange_in WHERE biller = $1 AND (arrived_at < $2 OR (arrived_at = $2 AND
             (name < $3 OR (name = $3 AND sha256 < $4)))) ORDER BY arrived_at DESC, name DESC, sha256 DESC LIMIT $5"
    );
    let query = store::query(AssertSqlSafe(sql)).bind(biller.to_bytes()).bind(after.at_ms);
    let query = query.bind(after.name.as_str()).bind(after.sha256.as_str()).bind(i64::from(limit));
    query.fetch_all(conn).await?.iter().map(received).collect()
}

/// The files that were refused since then, the newest first.
pub async fn refused_since(
    conn: &mut Conn,
    biller: BillerId,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<Received>, StoreError> {
    let sql = format!(
        "SELECT {IN} FROM exchange_in WHERE biller = $1 AND arrived_at >= $2 AND state = 'refused'
         ORDER BY arrived_at DESC LIMIT $3"
    );
    let query = store::query(AssertSqlSafe(sql)).bind(biller.to_bytes()).bind(since.as_millis());
    query.bind(i64::from(limit)).fetch_all(conn).await?.iter().map(received).collect()
}

const OUT: &str = "biller, day, seq, name, sha256, bytes, made_at, written_at, acked_at, outcome, code";

fn sent(row: &AnyRow) -> Result<Sent, StoreError> {
    let outcome: Option<String> = row.try_get("outcome")?;
    Ok(Sent {
        biller: store::id(row, "biller")?,
        day: date_of(row.try_get("day")?).ok_or(StoreError::Corrupt("exchange_out.day"))?,
        seq: u32::try_from(count(row, "seq")?).map_err(|_| StoreError::Corrupt("exchange_out.seq"))?,
        name: row.try_get("name")?,
        sha256: row.try_get("sha256")?,
        bytes: count(row, "bytes")?,
        made_at: instant(row, "made_at")?.ok_or(StoreError::Corrupt("exchange_out.made_at"))?,
        written_at: instant(row, "written_at")?,
        acked_at: instant(row, "acked_at")?,
        outcome: outcome.as_deref().and_then(Outcome::from_name),
        code: row.try_get("code")?,
    })
}

/// Keeps a day's file as it is to be written; until it is, the newest content counts.
pub async fn put_out(conn: &mut Conn, file: &Sent) -> Result<(), StoreError> {
    store::query(
        "INSERT INTO exchange_out (biller, day, seq, name, sha256, bytes, made_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (biller, day) DO UPDATE SET sha256 = $5, bytes = $6 WHERE exchange_out.written_at IS NULL",
    )
    .bind(file.biller.to_bytes())
    .bind(date_number(file.day))
    .bind(i64::from(file.seq))
    .bind(file.name.as_str())
    .bind(file.sha256.as_str())
    .bind(big(file.bytes))
    .bind(file.made_at.as_millis())
    .execute(conn)
    .await?;
    Ok(())
}

/// The file of a day lies in the folder.
pub async fn written(conn: &mut Conn, biller: BillerId, day: i64, now: Timestamp) -> Result<(), StoreError> {
    store::query(
        "UPDATE exchange_out SET written_at = $1 WHERE biller = $2 AND day = $3 AND written_at IS NULL",
    )
    .bind(now.as_millis())
    .bind(biller.to_bytes())
    .bind(day)
    .execute(conn)
    .await?;
    Ok(())
}

/// The biller's word about a file of ours. Says whether there is such a file, and with what content.
pub async fn sent_named(conn: &mut Conn, biller: BillerId, name: &str) -> Result<Option<Sent>, StoreError> {
    let sql =
        format!("SELECT {OUT} FROM exchange_out WHERE biller = $1 AND name = $2 AND written_at IS NOT NULL");
    let row =
        store::query(AssertSqlSafe(sql)).bind(biller.to_bytes()).bind(name).fetch_optional(conn).await?;
    row.as_ref().map(sent).transpose()
}

/// Keeps the biller's word; a later one stands in the place of an earlier.
pub async fn acked(
    conn: &mut Conn,
    biller: BillerId,
    name: &str,
    outcome: Outcome,
    code: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    store::query(
        "UPDATE exchange_out SET acked_at = $1, outcome = $2, code = $3 WHERE biller = $4 AND name = $5",
    )
    .bind(now.as_millis())
    .bind(outcome.name())
    .bind(code)
    .bind(biller.to_bytes())
    .bind(name)
    .execute(conn)
    .await?;
    Ok(())
}

/// What went out of days before this one, the newest first.
pub async fn sent_files(
    conn: &mut Conn,
    biller: BillerId,
    before: i64,
    limit: u32,
) -> Result<Vec<Sent>, StoreError> {
    let sql =
        format!("SELECT {OUT} FROM exchange_out WHERE biller = $1 AND day < $2 ORDER BY day DESC LIMIT $3");
    let query = store::query(AssertSqlSafe(sql)).bind(biller.to_bytes()).bind(before).bind(i64::from(limit));
    query.fetch_all(conn).await?.iter().map(sent).collect()
}

/// What was written and not accepted by the biller, the newest first.
pub async fn unaccepted(conn: &mut Conn, biller: BillerId, limit: u32) -> Result<Vec<Sent>, StoreError> {
    let sql = format!(
        "SELECT {OUT} FROM exchange_out WHERE biller = $1 AND written_at IS NOT NULL
         AND (outcome IS NULL OR outcome = 'refused') ORDER BY day DESC LIMIT $2"
    );
    let query = store::query(AssertSqlSafe(sql)).bind(biller.to_bytes()).bind(i64::from(limit));
    query.fetch_all(conn).await?.iter().map(sent).collect()
}

/// The file of a day that was begun and may not lie in the folder.
pub async fn unwritten(conn: &mut Conn, biller: BillerId) -> Result<Option<Sent>, StoreError> {
    let sql = format!(
        "SELECT {OUT} FROM exchange_out WHERE biller = $1 AND written_at IS NULL ORDER BY day LIMIT 1"
    );
    let row = store::query(AssertSqlSafe(sql)).bind(biller.to_bytes()).fetch_optional(conn).await?;
    row.as_ref().map(sent).transpose()
}
