//! The tables of this slice: biller, bill, import. Reconciliation's tables are in `reconcile/store.rs`.

use std::collections::HashMap;
use std::fmt::Write as _;

use kernel::Timestamp;
use kernel::ids::{BillId, BillerId, ImportId};
use store::{AnyRow, AssertSqlSafe, Conn, Row, StoreError, one_row};

use super::import::{Import, Survey};
use super::pack::Pack;
use super::rules::{Bill, RowFault};
pub use super::rules::{day_number as date_number, day_of as date_of};

/// Adds a biller or gives it a new pack. Says whether anything changed.
pub async fn put_biller(conn: &mut Conn, pack: &Pack, now: Timestamp) -> Result<bool, StoreError> {
    let done = store::query(
        "INSERT INTO biller (id, pack_id, hash, pack, updated_at, operator_at) VALUES ($1, $2, $3, $4, $5, $5)
         ON CONFLICT (id) DO UPDATE SET hash = $3, pack = $4, updated_at = $5, operator_at = $5
         WHERE biller.hash <> $3 OR biller.operator_at IS NULL",
    )
    .bind(pack.biller.to_bytes())
    .bind(pack.spec.id.as_str())
    .bind(pack.hash.as_str())
    .bind(pack.text.as_str())
    .bind(now.as_millis())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Adds or renews a biller that ships with the project. A pack that an operator put in its place stays.
pub async fn seed_biller(conn: &mut Conn, pack: &Pack, now: Timestamp) -> Result<(), StoreError> {
    store::query(
        "INSERT INTO biller (id, pack_id, hash, pack, updated_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (id) DO UPDATE SET hash = $3, pack = $4, updated_at = $5
         WHERE biller.operator_at IS NULL AND biller.hash <> $3",
    )
    .bind(pack.biller.to_bytes())
    .bind(pack.spec.id.as_str())
    .bind(pack.hash.as_str())
    .bind(pack.text.as_str())
    .bind(now.as_millis())
    .execute(conn)
    .await?;
    Ok(())
}

/// Id and rule version of every biller.
pub async fn biller_versions(conn: &mut Conn) -> Result<Vec<(BillerId, String)>, StoreError> {
    let rows = store::query("SELECT id, hash FROM biller ORDER BY pack_id").fetch_all(conn).await?;
    rows.iter().map(|row| Ok((store::id(row, "id")?, row.try_get("hash")?))).collect()
}

/// The pack text of a biller.
pub async fn pack_text(conn: &mut Conn, biller: BillerId) -> Result<Option<String>, StoreError> {
    let row = store::query("SELECT pack FROM biller WHERE id = $1")
        .bind(biller.to_bytes())
        .fetch_optional(conn)
        .await?;
    row.map(|row| Ok(row.try_get("pack")?)).transpose()
}

const BILL: &str = "id, biller, account_no, bill_no, period, amount, due, holder";

fn bill(row: &AnyRow) -> Result<Bill, StoreError> {
    let period: i64 = row.try_get("period")?;
    Ok(Bill {
        id: store::id(row, "id")?,
        biller: store::id(row, "biller")?,
        account_no: row.try_get("account_no")?,
        bill_no: row.try_get("bill_no")?,
        period: u32::try_from(period).map_err(|_| StoreError::Corrupt("bill.period"))?,
        amount_minor: row.try_get("amount")?,
        due: date_of(row.try_get("due")?).ok_or(StoreError::Corrupt("bill.due"))?,
        holder: row.try_get("holder")?,
    })
}

/// Some bills, in no order.
pub async fn bills(conn: &mut Conn, ids: &[BillId]) -> Result<Vec<Bill>, StoreError> {
    let mut found = Vec::with_capacity(ids.len());
    for part in ids.chunks(200) {
        let places = (1..=part.len()).map(|i| format!("${i}")).collect::<Vec<_>>().join(", ");
        let sql = format!("SELECT {BILL} FROM bill WHERE id IN ({places})");
        let query = store::query(AssertSqlSafe(sql));
        let query = part.iter().fold(query, |query, id| query.bind(id.to_bytes()));
        for row in query.fetch_all(&mut *conn).await? {
            found.push(bill(&row)?);
        }
    }
    Ok(found)
}

/// The bills whose ids lie in a range: those of an account, and by chance of another.
pub async fn bills_between(
    conn: &mut Conn,
    least: BillId,
    greatest: BillId,
) -> Result<Vec<Bill>, StoreError> {
    let rows = store::query(AssertSqlSafe(format!(
        "SELECT {BILL} FROM bill WHERE id >= $1 AND id <= $2 ORDER BY due DESC, id LIMIT 500"
    )))
    .bind(least.to_bytes())
    .bind(greatest.to_bytes())
    .fetch_all(conn)
    .await?;
    rows.iter().map(bill).collect()
}

/// Keeps a bill as its biller tells of it now. What it told before, it takes back with that.
pub async fn put_bill(conn: &mut Conn, bill: &Bill) -> Result<(), StoreError> {
    store::query(
        "INSERT INTO bill (id, biller, account_no, bill_no, period, amount, due, holder)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (id) DO UPDATE SET period = $5, amount = $6, due = $7, holder = $8",
    )
    .bind(bill.id.to_bytes())
    .bind(bill.biller.to_bytes())
    .bind(bill.account_no.as_str())
    .bind(bill.bill_no.as_str())
    .bind(i64::from(bill.period))
    .bind(bill.amount_minor)
    .bind(date_number(bill.due))
    .bind(bill.holder.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

/// Rows of one INSERT. Each row is one bound text that the statement cuts up: binding every column on
/// its own costs more than writing the row, and grows with the square of their number.
const ROWS_PER_INSERT: usize = 256;

/// What [`add_bills`] did.
#[derive(Debug, Default)]
pub struct Added {
    /// Bills that were new.
    pub new: u64,
    /// Bills that were there, the same.
    pub unchanged: u64,
    /// Places in the list of the bills that are there with other content.
    pub differing: Vec<usize>,
}

/// Adds the bills that are not there yet, all of one biller.
pub async fn add_bills(conn: &mut Conn, bills: &[(u64, Bill)]) -> Result<Added, StoreError> {
    let mut added = Added::default();
    let mut text = String::new();
    let mut rows = 0;
    for (number, part) in bills.chunks(ROWS_PER_INSERT).enumerate() {
        if rows != part.len() {
            rows = part.len();
            text = insert_text(rows);
        }
        let ids: Vec<u8> = part.iter().flat_map(|(_, b)| b.id.as_u128().to_be_bytes()).collect();
        let query = store::query(AssertSqlSafe(text.clone())).bind(part[0].1.biller.to_bytes()).bind(ids);
        let query = part.iter().fold(query, |query, (_, bill)| query.bind(packed(bill)));
        let new = query.execute(&mut *conn).await?.rows_affected();
        added.new += new;
        if new < rows as u64 {
            let differing = differing(conn, part).await?;
            added.unchanged += rows as u64 - new - differing.len() as u64;
            added.differing.extend(differing.into_iter().map(|at| number * ROWS_PER_INSERT + at));
        }
    }
    Ok(added)
}

/// The INSERT of so many rows: `$1` the biller, `$2` the ids one after another, from `$3` a row each.
fn insert_text(rows: usize) -> String {
    let mut sql = String::with_capacity(rows * 190 + 200);
    sql.push_str("INSERT INTO bill (id, biller, account_no, bill_no, period, amount, due, holder) VALUES ");
    for row in 0..rows {
        let (comma, at, p) = (if row == 0 { "" } else { ", " }, row * 16 + 1, row + 3);
        let _ = write!(
            sql,
            "{comma}(substr($2, {at}, 16), $1, rtrim(substr(${p}, 1, 32)), rtrim(substr(${p}, 33, 32)), \
             CAST(substr(${p}, 65, 6) AS BIGINT), CAST(substr(${p}, 71, 15) AS BIGINT), \
             CAST(substr(${p}, 86, 8) AS BIGINT), substr(${p}, 94))"
        ); // writing to a String cannot fail
    }
    sql.push_str(" ON CONFLICT (id) DO NOTHING");
    sql
}

/// A row as [`insert_text`] cuts it up. Every field before the last has its length by the rules.
fn packed(bill: &Bill) -> String {
    format!(
        "{:<32}{:<32}{:06}{:015}{:08}{}",
        bill.account_no,
        bill.bill_no,
        bill.period,
        bill.amount_minor,
        date_number(bill.due),
        bill.holder
    )
}

/// Which of these bills, by place, are there with other content.
async fn differing(conn: &mut Conn, part: &[(u64, Bill)]) -> Result<Vec<usize>, StoreError> {
    let ids: Vec<BillId> = part.iter().map(|(_, bill)| bill.id).collect();
    let there = bills(conn, &ids).await?;
    let there: HashMap<BillId, Bill> = there.into_iter().map(|bill| (bill.id, bill)).collect();
    let differs = |bill: &Bill| there.get(&bill.id).is_none_or(|b| b != bill);
    Ok((0..part.len()).filter(|at| differs(&part[*at].1)).collect())
}

const IMPORT: &str = "id, biller, sha256, name, bytes, records, line, at_byte, added, unchanged, refused, \
     created_at, finished_at";

fn import(row: &AnyRow) -> Result<Import, StoreError> {
    let number = |column: &'static str| -> Result<u64, StoreError> {
        u64::try_from(row.try_get::<i64, _>(column)?).map_err(|_| StoreError::Corrupt(column))
    };
    let finished: Option<i64> = row.try_get("finished_at")?;
    Ok(Import {
        id: store::id(row, "id")?,
        biller: store::id(row, "biller")?,
        sha256: row.try_get("sha256")?,
        name: row.try_get("name")?,
        bytes: number("bytes")?,
        records: number("records")?,
        line: number("line")?,
        at_byte: number("at_byte")?,
        added: number("added")?,
        unchanged: number("unchanged")?,
        refused: number("refused")?,
        created_at: Timestamp::from_millis(row.try_get("created_at")?),
        finished_at: finished.map(Timestamp::from_millis),
    })
}

/// Begins an import; a file that was begun before keeps its row.
pub async fn begin_import(
    conn: &mut Conn,
    id: ImportId,
    biller: BillerId,
    name: &str,
    survey: &Survey,
    now: Timestamp,
) -> Result<(), StoreError> {
    store::query(
        "INSERT INTO import (id, biller, sha256, name, bytes, records, line, at_byte, added, unchanged, refused,
             created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, 0, $9) ON CONFLICT (id) DO NOTHING",
    )
    .bind(id.to_bytes())
    .bind(biller.to_bytes())
    .bind(survey.sha256.as_str())
    .bind(name)
    .bind(big(survey.bytes))
    .bind(big(survey.records))
    .bind(big(survey.first_line))
    .bind(big(survey.first_byte))
    .bind(now.as_millis())
    .execute(conn)
    .await?;
    Ok(())
}

fn big(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// An import.
pub async fn import_by_id(conn: &mut Conn, id: ImportId) -> Result<Option<Import>, StoreError> {
    let sql = format!("SELECT {IMPORT} FROM import WHERE id = $1");
    let row = store::query(AssertSqlSafe(sql)).bind(id.to_bytes()).fetch_optional(conn).await?;
    row.as_ref().map(import).transpose()
}

/// The imports of a biller, newest first, begun before `before` (ms).
pub async fn imports(
    conn: &mut Conn,
    biller: BillerId,
    before: i64,
    limit: u32,
) -> Result<Vec<Import>, StoreError> {
    let sql = format!(
        "SELECT {IMPORT} FROM import WHERE biller = $1 AND created_at < $2 ORDER BY created_at DESC, id LIMIT $3"
    );
    let query = store::query(AssertSqlSafe(sql)).bind(biller.to_bytes()).bind(before).bind(i64::from(limit));
    query.fetch_all(conn).await?.iter().map(import).collect()
}

/// The imports of every biller, newest first, begun before `before` (ms).
pub async fn all_imports(conn: &mut Conn, before: i64, limit: u32) -> Result<Vec<Import>, StoreError> {
    let sql =
        format!("SELECT {IMPORT} FROM import WHERE created_at < $1 ORDER BY created_at DESC, id LIMIT $2");
    let query = store::query(AssertSqlSafe(sql)).bind(before).bind(i64::from(limit));
    query.fetch_all(conn).await?.iter().map(import).collect()
}

/// The imports that a crash or a stop left unfinished.
pub async fn unfinished_imports(conn: &mut Conn) -> Result<Vec<Import>, StoreError> {
    let sql = format!("SELECT {IMPORT} FROM import WHERE finished_at IS NULL ORDER BY created_at");
    store::query(AssertSqlSafe(sql)).fetch_all(conn).await?.iter().map(import).collect()
}

/// What a chunk of an import did.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// The byte it began at: the guard against two workers at one file.
    pub from_byte: u64,
    /// Lines and bytes taken in after it.
    pub line: u64,
    /// See `line`.
    pub at_byte: u64,
    /// Bills that were new.
    pub added: u64,
    /// Bills that were there, the same.
    pub unchanged: u64,
    /// Rows refused.
    pub refused: u64,
    /// Set with the last chunk.
    pub finished_at: Option<Timestamp>,
}

/// Moves an import forward, in the transaction of its rows. `Guard` when another worker was there.
pub async fn advance_import(conn: &mut Conn, id: ImportId, step: &Step) -> Result<(), StoreError> {
    let done = store::query(
        "UPDATE import SET line = $1, at_byte = $2, added = added + $3, unchanged = unchanged + $4,
             refused = refused + $5, finished_at = $6 WHERE id = $7 AND at_byte = $8 AND finished_at IS NULL",
    )
    .bind(big(step.line))
    .bind(big(step.at_byte))
    .bind(big(step.added))
    .bind(big(step.unchanged))
    .bind(big(step.refused))
    .bind(step.finished_at.map(Timestamp::as_millis))
    .bind(id.to_bytes())
    .bind(big(step.from_byte))
    .execute(conn)
    .await?;
    one_row(done)
}

/// Keeps the errors of rows.
pub async fn add_row_errors(
    conn: &mut Conn,
    id: ImportId,
    errors: &[(u64, RowFault)],
) -> Result<(), StoreError> {
    for part in errors.chunks(60) {
        let place = |row: usize| format!("($1, ${}, ${}, ${})", row * 3 + 2, row * 3 + 3, row * 3 + 4);
        let places = (0..part.len()).map(place).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "INSERT INTO import_error (import_id, line, field, code) VALUES {places} ON CONFLICT DO NOTHING"
        );
        let query = store::query(AssertSqlSafe(sql)).bind(id.to_bytes());
        let query = part.iter().fold(query, |query, (line, fault)| {
            query.bind(big(*line)).bind(fault.field()).bind(fault.code())
        });
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

/// Errors of an import after a line: line, field, code.
pub async fn row_errors(
    conn: &mut Conn,
    id: ImportId,
    after_line: i64,
    limit: u32,
) -> Result<Vec<(i64, String, String)>, StoreError> {
    let rows = store::query(
        "SELECT line, field, code FROM import_error WHERE import_id = $1 AND line > $2 ORDER BY line LIMIT $3",
    )
    .bind(id.to_bytes())
    .bind(after_line)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(|r| Ok((r.try_get("line")?, r.try_get("field")?, r.try_get("code")?))).collect()
}
