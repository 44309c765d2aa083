//! The tables of mandates: mandate, mandate_cap, mandate_run. They say what was agreed and how far it is; what is paid
//! is in the ledger.

use kernel::Timestamp;
use kernel::ids::{BillId, MandateId, PaymentId, ResidentId};
use store::{AnyRow, Conn, Row as _, StoreError, id, id_opt, one_row, query, query_scalar};

use super::rules::{MandateRunState, MandateState, Step, Target, Terms, When};
use super::{Mandate, Run};
use crate::bill::pack::Category;
use crate::bill::rules::{day_number, day_of};

type Result<T> = std::result::Result<T, StoreError>;

fn number(row: &AnyRow, column: &'static str) -> Result<u32> {
    u32::try_from(row.try_get::<i64, _>(column)?).map_err(|_| StoreError::Corrupt(column))
}

fn mandate(row: &AnyRow) -> Result<Mandate> {
    let time = |column| Ok::<_, StoreError>(Timestamp::from_millis(row.try_get(column)?));
    let state: String = row.try_get("state")?;
    let categories: String = row.try_get("categories")?;
    let category = |name: &str| {
        serde_json::from_value::<Category>(name.into()).map_err(|_| StoreError::Corrupt("mandate.categories"))
    };
    let target = if let (Some(biller), Some(account_no)) =
        (id_opt(row, "biller")?, row.try_get::<Option<String>, _>("account_no")?)
    {
        Target::Account { biller, account_no }
    } else {
        let named = categories.split(',').filter(|name| !name.is_empty());
        Target::Kept { categories: named.map(category).collect::<Result<_>>()? }
    };
    let before_due: Option<i64> = row.try_get("before_due")?;
    Ok(Mandate {
        id: id(row, "id")?,
        resident: id(row, "resident_id")?,
        terms: Terms {
            member: id_opt(row, "member")?,
            target,
            cap_bill: row.try_get("cap_bill")?,
            cap_month: row.try_get("cap_month")?,
            valid_from: day_of(row.try_get("valid_from")?)
                .ok_or(StoreError::Corrupt("mandate.valid_from"))?,
            valid_until: row.try_get::<Option<i64>, _>("valid_until")?.and_then(day_of),
            notice_days: number(row, "notice_days")?,
            pay: before_due.map_or(When::AtOnce, |days| When::BeforeDue(u32::try_from(days).unwrap_or(0))),
        },
        state: MandateState::from_name(&state).ok_or(StoreError::Corrupt("mandate.state"))?,
        version: row.try_get("version")?,
        created_at: time("created_at")?,
        changed_at: time("changed_at")?,
    })
}

fn before_due(pay: When) -> Option<i64> {
    match pay {
        When::AtOnce => None,
        When::BeforeDue(days) => Some(days.into()),
    }
}

/// Adds a mandate; `false` when it is there.
pub async fn add(conn: &mut Conn, new: &Mandate) -> Result<bool> {
    let terms = &new.terms;
    let (biller, account_no, categories) = match &terms.target {
        Target::Account { biller, account_no } => {
            (Some(biller.to_bytes()), Some(account_no.as_str()), String::new())
        }
        Target::Kept { categories } => {
            let names: Vec<&str> = categories.iter().map(|category| category.name()).collect();
            (None, None, names.join(","))
        }
    };
    let done = query(
        "INSERT INTO mandate (id, resident_id, member, biller, account_no, categories, cap_bill, cap_month, valid_from,
         valid_until, notice_days, before_due, state, version, created_at, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'active', 1, $13, $13) ON CONFLICT (id) DO NOTHING",
    )
    .bind(new.id.to_bytes())
    .bind(new.resident.to_bytes())
    .bind(terms.member.map(ResidentId::to_bytes))
    .bind(biller)
    .bind(account_no)
    .bind(categories)
    .bind(terms.cap_bill)
    .bind(terms.cap_month)
    .bind(day_number(terms.valid_from))
    .bind(terms.valid_until.map(day_number))
    .bind(i64::from(terms.notice_days))
    .bind(before_due(terms.pay))
    .bind(new.created_at.as_millis())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The cap of a version.
pub async fn add_cap(conn: &mut Conn, mandate: MandateId, version: i64, month: i64, cap: i64) -> Result<()> {
    let done =
        query("INSERT INTO mandate_cap (mandate_id, version, month, cap_month) VALUES ($1, $2, $3, $4)")
            .bind(mandate.to_bytes())
            .bind(version)
            .bind(month)
            .bind(cap)
            .execute(conn)
            .await?;
    one_row(done)
}

/// The caps of a mandate, by version.
pub async fn caps(conn: &mut Conn, mandate: MandateId) -> Result<Vec<Step>> {
    let rows =
        query("SELECT version, month, cap_month FROM mandate_cap WHERE mandate_id = $1 ORDER BY version")
            .bind(mandate.to_bytes())
            .fetch_all(conn)
            .await?;
    let step = |row: &AnyRow| {
        Ok(Step {
            version: row.try_get("version")?,
            month: row.try_get("month")?,
            cap: row.try_get("cap_month")?,
        })
    };
    rows.iter().map(step).collect()
}

/// The mandate of this id.
pub async fn get(conn: &mut Conn, id: MandateId) -> Result<Option<Mandate>> {
    let row = query("SELECT * FROM mandate WHERE id = $1").bind(id.to_bytes()).fetch_optional(conn).await?;
    row.as_ref().map(mandate).transpose()
}

/// How many mandates of a resident are not revoked.
pub async fn live(conn: &mut Conn, who: ResidentId) -> Result<i64> {
    let count = query_scalar("SELECT COUNT(*) FROM mandate WHERE resident_id = $1 AND state <> 'revoked'");
    Ok(count.bind(who.to_bytes()).fetch_one(conn).await?)
}

/// A resident's mandates, newest first.
pub async fn list(
    conn: &mut Conn,
    who: ResidentId,
    before: Option<(Timestamp, MandateId)>,
    limit: u32,
) -> Result<Vec<Mandate>> {
    let (at, mandate_id) =
        before.map_or((i64::MAX, vec![0xff; 16]), |(at, id)| (at.as_millis(), id.to_bytes()));
    let rows = query(
        "SELECT * FROM mandate WHERE resident_id = $1 AND (created_at, id) < ($2, $3)
         ORDER BY created_at DESC, id DESC LIMIT $4",
    )
    .bind(who.to_bytes())
    .bind(at)
    .bind(mandate_id)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(mandate).collect()
}

/// Changes the terms of the version that was seen; `false` when it is another by now, or revoked.
pub async fn change(
    conn: &mut Conn,
    id: MandateId,
    version: i64,
    terms: &Terms,
    now: Timestamp,
) -> Result<bool> {
    let done = query(
        "UPDATE mandate SET cap_bill = $3, cap_month = $4, valid_until = $5, notice_days = $6, before_due = $7,
         version = version + 1, changed_at = $8 WHERE id = $1 AND version = $2 AND state <> 'revoked'",
    )
    .bind(id.to_bytes())
    .bind(version)
    .bind(terms.cap_bill)
    .bind(terms.cap_month)
    .bind(terms.valid_until.map(day_number))
    .bind(i64::from(terms.notice_days))
    .bind(before_due(terms.pay))
    .bind(now.as_millis())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Turns a mandate from one state to another; `false` when it is in neither or in that one.
pub async fn turn(
    conn: &mut Conn,
    id: MandateId,
    from: MandateState,
    to: MandateState,
    now: Timestamp,
) -> Result<bool> {
    let done = query("UPDATE mandate SET state = $3, changed_at = $4 WHERE id = $1 AND state = $2")
        .bind(id.to_bytes())
        .bind(from.name())
        .bind(to.name())
        .bind(now.as_millis())
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether a debit of this mandate is under way.
pub async fn under_way(conn: &mut Conn, id: MandateId) -> Result<bool> {
    let count: i64 = query_scalar(
        "SELECT COUNT(*) FROM mandate_run WHERE mandate_id = $1 AND state IN ('debiting', 'pending')",
    )
    .bind(id.to_bytes())
    .fetch_one(conn)
    .await?;
    Ok(count > 0)
}

fn run_of(row: &AnyRow) -> Result<Run> {
    let state: String = row.try_get("state")?;
    let day = |column| day_of(row.try_get(column)?).ok_or(StoreError::Corrupt("mandate_run.day"));
    Ok(Run {
        mandate: id(row, "mandate_id")?,
        bill: id(row, "bill")?,
        biller: id(row, "biller")?,
        account_no: row.try_get("account_no")?,
        amount_minor: row.try_get("amount")?,
        due: day("due")?,
        debit_on: day("debit_on")?,
        state: MandateRunState::from_name(&state).ok_or(StoreError::Corrupt("mandate_run.state"))?,
        tries: row.try_get("tries")?,
        reason: row.try_get("reason")?,
        payment: id_opt(row, "payment")?,
        next_at: row.try_get::<Option<i64>, _>("next_at")?.map(Timestamp::from_millis),
        found_at: Timestamp::from_millis(row.try_get("found_at")?),
    })
}

/// Adds what a mandate will do about a bill; `false` when it was found before.
pub async fn add_run(conn: &mut Conn, new: &Run) -> Result<bool> {
    let done = query(
        "INSERT INTO mandate_run (mandate_id, bill, biller, account_no, amount, due, debit_on, state, tries, next_at,
         found_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'found', 0, $8, $9, $9)
         ON CONFLICT (mandate_id, bill) DO NOTHING",
    )
    .bind(new.mandate.to_bytes())
    .bind(new.bill.to_bytes())
    .bind(new.biller.to_bytes())
    .bind(new.account_no.as_str())
    .bind(new.amount_minor)
    .bind(day_number(new.due))
    .bind(day_number(new.debit_on))
    .bind(new.next_at.map(Timestamp::as_millis))
    .bind(new.found_at.as_millis())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What a mandate does about a bill.
pub async fn run(conn: &mut Conn, mandate: MandateId, bill: BillId) -> Result<Option<Run>> {
    let row = query("SELECT * FROM mandate_run WHERE mandate_id = $1 AND bill = $2")
        .bind(mandate.to_bytes())
        .bind(bill.to_bytes())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(run_of).transpose()
}

/// What a mandate did and will do, newest first.
pub async fn runs(
    conn: &mut Conn,
    mandate: MandateId,
    before: Option<(Timestamp, BillId)>,
    limit: u32,
) -> Result<Vec<Run>> {
    let (at, bill) = before.map_or((i64::MAX, vec![0xff; 16]), |(at, id)| (at.as_millis(), id.to_bytes()));
    let rows = query(
        "SELECT * FROM mandate_run WHERE mandate_id = $1 AND (found_at, bill) < ($2, $3)
         ORDER BY found_at DESC, bill DESC LIMIT $4",
    )
    .bind(mandate.to_bytes())
    .bind(at)
    .bind(bill)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(run_of).collect()
}

/// The notice is written: the run waits for its day.
pub async fn noticed(conn: &mut Conn, run: &Run, now: Timestamp) -> Result<bool> {
    let done = query(
        "UPDATE mandate_run SET state = 'noticed', debit_on = $3, next_at = $4, changed_at = $5
         WHERE mandate_id = $1 AND bill = $2 AND state = 'found'",
    )
    .bind(run.mandate.to_bytes())
    .bind(run.bill.to_bytes())
    .bind(day_number(run.debit_on))
    .bind(run.next_at.map(Timestamp::as_millis))
    .bind(now.as_millis())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The debit begins: only while the mandate is active and the run waits, or was begun before and broke off. The mandate's
/// row is held until this is committed, so a revocation comes before or after.
pub async fn begin(conn: &mut Conn, mandate: MandateId, bill: BillId, now: Timestamp) -> Result<bool> {
    let held = query("UPDATE mandate SET state = state WHERE id = $1 AND state = 'active'")
        .bind(mandate.to_bytes())
        .execute(&mut *conn)
        .await?;
    if held.rows_affected() == 0 {
        return Ok(false);
    }
    let done = query(
        "UPDATE mandate_run SET state = 'debiting', changed_at = $3
         WHERE mandate_id = $1 AND bill = $2 AND state IN ('noticed', 'refused', 'debiting')",
    )
    .bind(mandate.to_bytes())
    .bind(bill.to_bytes())
    .bind(now.as_millis())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What a look at a run came to. A run that has ended stays as it is.
#[derive(Clone, Debug)]
pub struct Looked {
    /// How it stands now.
    pub state: MandateRunState,
    /// How often it was refused.
    pub tries: i64,
    /// Why.
    pub reason: Option<String>,
    /// The payment.
    pub payment: Option<PaymentId>,
    /// Minor units, as seen now.
    pub amount_minor: i64,
    /// When it is looked at next.
    pub next_at: Option<Timestamp>,
}

/// Writes down what a look at a run came to.
pub async fn looked(conn: &mut Conn, run: &Run, to: &Looked, now: Timestamp) -> Result<bool> {
    let done = query(
        "UPDATE mandate_run SET state = $3, tries = $4, reason = COALESCE($5, reason), payment = COALESCE($6, payment),
         amount = $7, next_at = $8, changed_at = $9
         WHERE mandate_id = $1 AND bill = $2
         AND state NOT IN ('debited', 'skipped', 'paid_otherwise', 'given_up', 'ended')",
    )
    .bind(run.mandate.to_bytes())
    .bind(run.bill.to_bytes())
    .bind(to.state.name())
    .bind(to.tries)
    .bind(to.reason.as_deref())
    .bind(to.payment.map(PaymentId::to_bytes))
    .bind(to.amount_minor)
    .bind(to.next_at.map(Timestamp::as_millis))
    .bind(now.as_millis())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Lets a bill be, unless it is being paid or has ended.
pub async fn skip(conn: &mut Conn, mandate: MandateId, bill: BillId, now: Timestamp) -> Result<()> {
    query(
        "UPDATE mandate_run SET state = 'skipped', next_at = NULL, changed_at = $3
         WHERE mandate_id = $1 AND bill = $2 AND state IN ('found', 'noticed', 'refused')",
    )
    .bind(mandate.to_bytes())
    .bind(bill.to_bytes())
    .bind(now.as_millis())
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends what waits.
pub async fn end_waiting(conn: &mut Conn, mandate: MandateId, reason: &str, now: Timestamp) -> Result<()> {
    query(
        "UPDATE mandate_run SET state = 'ended', reason = $2, next_at = NULL, changed_at = $3
         WHERE mandate_id = $1 AND state IN ('found', 'noticed', 'refused')",
    )
    .bind(mandate.to_bytes())
    .bind(reason)
    .bind(now.as_millis())
    .execute(conn)
    .await?;
    Ok(())
}
