//! The tables of complaints: complaint, complaint_step.

use kernel::Timestamp;
use kernel::ids::{BillerId, ComplaintId, ResidentId};
use store::{AnyRow, AssertSqlSafe, Conn, Row as _, StoreError, one_row};

use super::rules::{ComplaintKind, ComplaintState, Finding, Proposal, StepActor, StepKind};
use super::{Answer, Complaint, Of, Step};

type Result<T> = std::result::Result<T, StoreError>;

fn named<T>(row: &AnyRow, column: &'static str, of: impl Fn(&str) -> Option<T>) -> Result<T> {
    let name: String = row.try_get(column)?;
    of(&name).ok_or(StoreError::Corrupt(column))
}

fn time(row: &AnyRow, column: &'static str) -> Result<Option<Timestamp>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_millis))
}

fn complaint(row: &AnyRow) -> Result<Complaint> {
    let answer: Option<String> = row.try_get("answer")?;
    let answer = match answer {
        None => None,
        Some(said) => Some(Answer {
            accepts: said == "accept",
            amount_minor: row.try_get("answer_amount")?,
            words: row.try_get::<Option<String>, _>("answer_words")?.unwrap_or_default(),
        }),
    };
    let decided = store::id_opt(row, "decided_by")?.zip(store::id_opt(row, "decided_key")?);
    Ok(Complaint {
        id: store::id(row, "id")?,
        resident: store::id(row, "resident")?,
        biller: store::id(row, "biller")?,
        bill: store::id(row, "bill")?,
        payment: store::id_opt(row, "payment")?,
        kind: named(row, "kind", ComplaintKind::from_name)?,
        words: row.try_get("words")?,
        evidence: row.try_get("evidence")?,
        finding: named(row, "finding", Finding::from_name)?,
        proposal: named(row, "proposal", Proposal::from_name)?,
        proposed_minor: row.try_get("proposed")?,
        raised_at: Timestamp::from_millis(row.try_get("raised_at")?),
        step: row.try_get("step")?,
        state: named(row, "state", ComplaintState::from_name)?,
        level: named(row, "level", ComplaintState::from_name)?,
        due_at: time(row, "due_at")?,
        answer,
        decision: row.try_get("decision")?,
        amount_minor: row.try_get("amount")?,
        decided,
        ask_biller: row.try_get::<i64, _>("ask_biller")? != 0,
        problem: row.try_get("problem")?,
        verdict: row.try_get("verdict")?,
        ended_at: time(row, "ended_at")?,
        reopened: row.try_get::<i64, _>("reopened")? != 0,
    })
}

/// Keeps a new complaint with its first step; `false` where it is there already.
pub async fn add(conn: &mut Conn, new: &Complaint, step: &Step) -> Result<bool> {
    let done = store::query(
        "INSERT INTO complaint (id, resident, biller, bill, payment, kind, words, evidence, finding, proposal,
             proposed, raised_at, step, state, level, due_at, decision, ask_biller, reopened)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0, 1, 0)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(new.id.to_bytes())
    .bind(new.resident.to_bytes())
    .bind(new.biller.to_bytes())
    .bind(new.bill.to_bytes())
    .bind(new.payment.map(kernel::Id::to_bytes))
    .bind(new.kind.name())
    .bind(new.words.as_str())
    .bind(new.evidence.as_str())
    .bind(new.finding.name())
    .bind(new.proposal.name())
    .bind(new.proposed_minor)
    .bind(new.raised_at.as_millis())
    .bind(new.step)
    .bind(new.state.name())
    .bind(new.level.name())
    .bind(new.due_at.map(Timestamp::as_millis))
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 1 {
        add_step(conn, new.id, step).await?;
        return Ok(true);
    }
    Ok(false)
}

async fn add_step(conn: &mut Conn, of: ComplaintId, step: &Step) -> Result<()> {
    store::query(
        "INSERT INTO complaint_step (complaint, step, at, actor, operator, what, words, amount, state, due_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(of.to_bytes())
    .bind(step.number)
    .bind(step.at.as_millis())
    .bind(step.actor.name())
    .bind(step.operator.map(kernel::Id::to_bytes))
    .bind(step.what.name())
    .bind(step.words.as_deref())
    .bind(step.amount_minor)
    .bind(step.state.name())
    .bind(step.due_at.map(Timestamp::as_millis))
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes the step after `to.step - 1` and keeps its record. `Guard` when another came in between.
pub async fn take_step(conn: &mut Conn, to: &Complaint, step: &Step) -> Result<()> {
    let done = store::query(
        "UPDATE complaint SET step = $2, state = $3, level = $4, due_at = $5, answer = $6, answer_amount = $7,
             answer_words = $8, decision = $9, amount = $10, decided_by = $11, decided_key = $12, ask_biller = $13,
             problem = $14, verdict = $15, ended_at = $16, reopened = $17
         WHERE id = $1 AND step = $2 - 1",
    )
    .bind(to.id.to_bytes())
    .bind(to.step)
    .bind(to.state.name())
    .bind(to.level.name())
    .bind(to.due_at.map(Timestamp::as_millis))
    .bind(to.answer.as_ref().map(|answer| if answer.accepts { "accept" } else { "reject" }))
    .bind(to.answer.as_ref().and_then(|answer| answer.amount_minor))
    .bind(to.answer.as_ref().map(|answer| answer.words.as_str()))
    .bind(to.decision)
    .bind(to.amount_minor)
    .bind(to.decided.map(|(id, _)| id.to_bytes()))
    .bind(to.decided.map(|(_, key)| key.to_bytes()))
    .bind(i64::from(to.ask_biller))
    .bind(to.problem.as_deref())
    .bind(to.verdict.as_deref())
    .bind(to.ended_at.map(Timestamp::as_millis))
    .bind(i64::from(to.reopened))
    .execute(&mut *conn)
    .await?;
    one_row(done)?;
    add_step(conn, to.id, step).await
}

/// Keeps why the refund of this decision is not made yet.
pub async fn note_problem(conn: &mut Conn, id: ComplaintId, decision: i64, problem: &str) -> Result<()> {
    store::query("UPDATE complaint SET problem = $1 WHERE id = $2 AND decision = $3 AND state = 'refunding'")
        .bind(problem)
        .bind(id.to_bytes())
        .bind(decision)
        .execute(conn)
        .await?;
    Ok(())
}

/// A complaint.
pub async fn by_id(conn: &mut Conn, id: ComplaintId) -> Result<Option<Complaint>> {
    let row = store::query("SELECT * FROM complaint WHERE id = $1")
        .bind(id.to_bytes())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(complaint).transpose()
}

/// Complaints, newest first, before a place in that order.
pub async fn list(
    conn: &mut Conn,
    of: Of,
    state: Option<ComplaintState>,
    before: Option<(Timestamp, ComplaintId)>,
    limit: u32,
) -> Result<Vec<Complaint>> {
    let whose = match of {
        Of::All => "resident >= $1",
        Of::Resident(_) => "resident = $1",
        Of::Biller(_) => "biller = $1",
    };
    let owner = match of {
        Of::All => ResidentId::from_u128(0).to_bytes(),
        Of::Resident(id) => id.to_bytes(),
        Of::Biller(id) => BillerId::to_bytes(id),
    };
    let sql = format!(
        "SELECT * FROM complaint WHERE {whose} AND (raised_at < $2 OR (raised_at = $2 AND id < $3))
         AND ($4 = '' OR state = $4) ORDER BY raised_at DESC, id DESC LIMIT $5"
    );
    let (at, id) =
        before.unwrap_or((Timestamp::from_millis(i64::MAX / 1_000_000), ComplaintId::from_u128(0)));
    let query = store::query(AssertSqlSafe(sql)).bind(owner).bind(at.as_millis()).bind(id.to_bytes());
    let query = query.bind(state.map_or("", ComplaintState::name)).bind(i64::from(limit));
    query.fetch_all(conn).await?.iter().map(complaint).collect()
}

/// Complaints in one of these states whose time was over before `now`, the oldest first.
pub async fn lapsed(
    conn: &mut Conn,
    states: &[ComplaintState],
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Complaint>> {
    let names = states.iter().map(|s| format!("'{}'", s.name())).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT * FROM complaint WHERE state IN ({names}) AND due_at <= $1 ORDER BY due_at, id LIMIT $2"
    );
    let query = store::query(AssertSqlSafe(sql)).bind(now.as_millis()).bind(i64::from(limit));
    query.fetch_all(conn).await?.iter().map(complaint).collect()
}

/// The steps of a complaint, oldest first.
pub async fn steps(conn: &mut Conn, id: ComplaintId) -> Result<Vec<Step>> {
    let rows = store::query("SELECT * FROM complaint_step WHERE complaint = $1 ORDER BY step")
        .bind(id.to_bytes())
        .fetch_all(conn)
        .await?;
    let step = |row: &AnyRow| {
        Ok(Step {
            number: row.try_get("step")?,
            at: Timestamp::from_millis(row.try_get("at")?),
            actor: named(row, "actor", StepActor::from_name)?,
            operator: store::id_opt(row, "operator")?,
            what: named(row, "what", StepKind::from_name)?,
            words: row.try_get("words")?,
            amount_minor: row.try_get("amount")?,
            state: named(row, "state", ComplaintState::from_name)?,
            due_at: time(row, "due_at")?,
        })
    };
    rows.iter().map(step).collect()
}
