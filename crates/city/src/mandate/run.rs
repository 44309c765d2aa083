//! What mandates do by themselves: look for bills once a day, tell of the debit, debit on its day, try again, give up.
//!
//! Two kinds of jobs drive it, one per mandate and one per bill of a mandate. A lease that runs out hands a job to another
//! node, so every step is safe to do twice: rows are added once, states change by guarded updates, and the payment has an
//! id of its own.

use std::time::Duration;

use ::store::{Conn, StoreError, jobs};
use futures_util::future::join_all;
use kernel::ids::{BillId, MandateId};
use kernel::{Date, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::rules::{self, MandateRunState, MandateState, Target};
use super::store::Looked;
use super::{Mandate, MandateError, Run, cap, request_id, store};
use crate::bill::saved::{self, Due, Saved};
use crate::bill::{self, BillError, PayBill, PayState, Standing};
use crate::family::{self, FamilyMay};
use crate::identity::{self, Resident};
use crate::remind::{self, NoteKind, Tell};
use crate::{City, Fault, Refusal as _};

const LOOK: &str = "mandate_look";
const DEBIT: &str = "mandate_debit";
/// Jobs of a kind taken at a time, and worked on at the same time.
const BATCH: u32 = 16;
/// How long a job may take before another node takes it up.
const LEASE: Duration = Duration::from_mins(5);
/// How often due jobs are looked for.
const EVERY: Duration = Duration::from_secs(10);
/// A bill that somebody is paying, or whose biller is being asked, is looked at again after this.
const PAYING: Duration = Duration::from_mins(10);
/// What broke below is tried again after this.
const BROKEN: Duration = Duration::from_mins(1);

/// Looks for the mandate's bills now, and every day.
pub(super) async fn enrol(conn: &mut Conn, id: MandateId, now: Timestamp) -> Result<(), StoreError> {
    if !jobs::enqueue(conn, LOOK, &id.to_bytes(), &id.to_string(), now).await? {
        hasten(conn, id, now).await?;
    }
    Ok(())
}

/// Looks for the mandate's bills now.
pub(super) async fn hasten(conn: &mut Conn, id: MandateId, now: Timestamp) -> Result<(), StoreError> {
    jobs::hasten(conn, jobs::id_of(LOOK, &id.to_bytes()), now).await
}

fn debit_key(mandate: MandateId, bill: BillId) -> Vec<u8> {
    [mandate.to_bytes(), bill.to_bytes()].concat()
}

/// Does what is due now; how many jobs there were. The server does this by itself all the time.
pub async fn work(city: &City) -> Result<usize, Fault> {
    let mut done = 0;
    loop {
        let looks = take(city, LOOK).await?;
        let debits = take(city, DEBIT).await?;
        if looks.is_empty() && debits.is_empty() {
            return Ok(done);
        }
        done += looks.len() + debits.len();
        join_all(looks.iter().map(|job| async {
            let ended = match job.payload.parse() {
                Ok(id) => look(city, id).await,
                Err(_) => Ok(None),
            };
            settle(city, job, ended).await;
        }))
        .await;
        join_all(debits.iter().map(|job| async {
            let parts = job.payload.split_once(' ');
            let ids = parts.and_then(|(m, b)| Some((m.parse().ok()?, b.parse().ok()?)));
            let ended = match ids {
                Some((mandate, bill)) => debit(city, mandate, bill).await,
                None => Ok(None),
            };
            settle(city, job, ended).await;
        }))
        .await;
    }
}

/// Starts what runs beside the requests of this slice.
pub fn start(city: &City, stop: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
    let (city, mut stop) = (city.clone(), stop.clone());
    vec![tokio::spawn(async move {
        while !*stop.borrow() {
            if let Err(why) = work(&city).await {
                tracing::error!(%why, "mandates are looked at again");
            }
            tokio::select! {
                _ = stop.changed() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    })]
}

async fn take(city: &City, kind: &'static str) -> Result<Vec<jobs::Job>, Fault> {
    let now = city.now();
    city.store
        .write(move |conn| Box::pin(async move { Ok(jobs::take(conn, kind, now, LEASE, BATCH).await?) }))
        .await
}

/// A job is due again, or over.
async fn settle(city: &City, job: &jobs::Job, ended: Result<Option<Timestamp>, MandateError>) {
    let (next, why) = match ended {
        Ok(next) => (next, String::new()),
        Err(why) => {
            tracing::error!(%why, "a mandate's job is tried again");
            (Some(city.now().plus(BROKEN)), why.to_string())
        }
    };
    let id = job.id;
    let put: Result<(), Fault> = city
        .store
        .write(move |conn| {
            let why = why.clone();
            Box::pin(async move {
                match next {
                    Some(at) => jobs::retry(conn, id, at, &why).await?,
                    None => jobs::done(conn, id).await?,
                }
                Ok(())
            })
        })
        .await;
    if let Err(why) = put {
        // The lease runs out, then it is taken up again.
        tracing::error!(%why, "a mandate's job was not ended");
    }
}

fn local(city: &City, day: Date, hour: u64) -> Timestamp {
    Timestamp::start_of(day, city.settings.offset).plus(Duration::from_hours(hour))
}

fn today(city: &City) -> Date {
    city.now().date(city.settings.offset)
}

async fn mandate_of(city: &City, id: MandateId) -> Result<Option<Mandate>, MandateError> {
    let mut conn = city.store.read().await?;
    Ok(store::get(&mut conn, id).await?)
}

async fn consented(city: &City, mandate: &Mandate) -> Result<bool, MandateError> {
    match mandate.terms.member {
        Some(member) => Ok(family::allows(city, mandate.resident, member, FamilyMay::Pay).await?),
        None => Ok(true),
    }
}

/// Looks for bills of a mandate; when to look next.
async fn look(city: &City, id: MandateId) -> Result<Option<Timestamp>, MandateError> {
    let Some(mandate) = mandate_of(city, id).await? else { return Ok(None) };
    let today = today(city);
    let over = mandate.terms.valid_until.is_some_and(|until| today > until);
    if mandate.state == MandateState::Revoked || over {
        return Ok(None);
    }
    let next = Some(local(city, rules::days_after(today, 1), rules::LOOK_HOUR));
    let rests = mandate.state == MandateState::Paused || today < mandate.terms.valid_from;
    if rests || !consented(city, &mandate).await? {
        return Ok(next);
    }
    for account in accounts(city, &mandate).await? {
        let due = match saved::due_on(city, vec![account]).await {
            Ok(due) => due,
            Err(BillError::Fault(why)) => return Err(why.into()),
            Err(why) => {
                tracing::warn!(%why, mandate = %id, "an account is looked at tomorrow");
                continue;
            }
        };
        for due in due {
            found(city, &mandate, &due, today).await?;
        }
    }
    Ok(next)
}

/// The accounts that a mandate covers now.
async fn accounts(city: &City, mandate: &Mandate) -> Result<Vec<Saved>, MandateError> {
    let owner = mandate.owner();
    match &mandate.terms.target {
        Target::Account { biller, account_no } => {
            let account = Saved {
                resident: owner,
                biller: *biller,
                account_no: account_no.clone(),
                label: None,
                remind: false,
                saved_at: mandate.created_at,
            };
            if mandate.terms.member.is_none() {
                return Ok(vec![account]);
            }
            // Of another's, only what that one keeps can be seen.
            let mut kept = saved::saved_by(city, owner).await?;
            kept.retain(|s| s.biller == account.biller && s.account_no == account.account_no);
            Ok(kept)
        }
        Target::Kept { categories } => {
            let mut covered = Vec::new();
            for account in saved::saved_by(city, owner).await? {
                let category = bill::biller(city, account.biller).await?.spec.category;
                if categories.is_empty() || categories.contains(&category) {
                    covered.push(account);
                }
            }
            Ok(covered)
        }
    }
}

/// A bill was found: it becomes a run, once, and its payer is told.
async fn found(city: &City, mandate: &Mandate, due: &Due, today: Date) -> Result<(), MandateError> {
    let debit_on = rules::debit_day(&mandate.terms, due.due_on, today);
    if mandate.terms.valid_until.is_some_and(|until| debit_on > until) {
        return Ok(());
    }
    let now = city.now();
    let run = Run {
        mandate: mandate.id,
        bill: due.view.bill.id,
        biller: due.saved.biller,
        account_no: due.saved.account_no.clone(),
        amount_minor: due.view.quote.total_minor,
        due: due.due_on,
        debit_on,
        state: MandateRunState::Found,
        tries: 0,
        reason: None,
        payment: None,
        next_at: Some(local(city, debit_on, rules::DEBIT_HOUR).max(now)),
        found_at: now,
    };
    let new = run.clone();
    let there: Result<Option<Run>, MandateError> = city
        .store
        .write(move |conn| {
            let new = new.clone();
            Box::pin(async move {
                if store::add_run(conn, &new).await? {
                    let payload = format!("{} {}", new.mandate, new.bill);
                    let at = new.next_at.unwrap_or(now);
                    jobs::enqueue(conn, DEBIT, &debit_key(new.mandate, new.bill), &payload, at).await?;
                }
                Ok(store::run(conn, new.mandate, new.bill).await?)
            })
        })
        .await;
    match there? {
        // Also where a crash came between the row and its notice.
        Some(run) if run.state == MandateRunState::Found => notice(city, mandate, &run).await,
        _ => Ok(()),
    }
}

/// Tells of the debit; from then on the run waits for its day.
async fn notice(city: &City, mandate: &Mandate, run: &Run) -> Result<(), MandateError> {
    let step = bill::rules::day_number(run.debit_on);
    remind::tell(city, tell(mandate, run, NoteKind::AutopayNotice, step, Some(run.debit_on), None)).await?;
    let (run, now) = (run.clone(), city.now());
    city.store
        .write(move |conn| {
            let run = run.clone();
            Box::pin(async move { Ok(store::noticed(conn, &run, now).await?) })
        })
        .await
        .map(|_: bool| ())
}

fn tell(
    mandate: &Mandate,
    run: &Run,
    kind: NoteKind,
    step: i64,
    on: Option<Date>,
    reason: Option<String>,
) -> Tell {
    Tell {
        resident: mandate.resident,
        owner: mandate.owner(),
        kind,
        biller: run.biller,
        account_no: run.account_no.clone(),
        bill: Some(run.bill),
        mandate: Some(mandate.id),
        step,
        amount_minor: Some(run.amount_minor),
        on,
        reason,
    }
}

/// What a look at a run came to.
enum Came {
    /// Nothing yet: again then.
    Wait(Timestamp),
    Debited(kernel::ids::PaymentId),
    Pending(kernel::ids::PaymentId),
    PaidOtherwise,
    Refused(&'static str),
    Ended(&'static str),
}

/// Debits a bill if its time has come; when to look again.
async fn debit(city: &City, id: MandateId, bill: BillId) -> Result<Option<Timestamp>, MandateError> {
    let mut conn = city.store.read().await?;
    let both = (store::get(&mut conn, id).await?, store::run(&mut conn, id, bill).await?);
    drop(conn);
    let (Some(mandate), Some(mut run)) = both else { return Ok(None) };
    if run.state.is_final() {
        return Ok(None);
    }
    if run.state == MandateRunState::Found {
        // The notice was not written in time: it gets its days now.
        run.debit_on = run.debit_on.max(rules::debit_day(&mandate.terms, run.due, today(city)));
        run.next_at = Some(local(city, run.debit_on, rules::DEBIT_HOUR).max(city.now()));
        notice(city, &mandate, &run).await?;
        return Ok(run.next_at);
    }
    let came = attempt(city, &mandate, &mut run).await?;
    write_down(city, &mandate, &run, came).await
}

async fn attempt(city: &City, mandate: &Mandate, run: &mut Run) -> Result<Came, MandateError> {
    let now = city.now();
    let views = match bill::fetch(city, run.biller, &run.account_no).await {
        Ok(views) => views,
        Err(BillError::Fault(why)) => return Err(why.into()),
        Err(why) => return may_go_on(city, mandate, run, Came::Refused(why.code())).await,
    };
    let Some(view) = views.into_iter().find(|view| view.bill.id == run.bill) else {
        return Ok(Came::PaidOtherwise);
    };
    run.amount_minor = view.quote.total_minor;
    let own_id = request_id(mandate.id, run.bill);
    match view.standing {
        Standing::Settled(settled) => {
            let ours =
                settled.payer == mandate.resident && settled.request == bill::rules::ids::request(&own_id);
            if ours {
                run.amount_minor = settled.amount_minor;
                return Ok(Came::Debited(settled.payment));
            }
            return Ok(Came::PaidOtherwise);
        }
        // Also while the biller of our own payment is being asked.
        Standing::Claimed { .. } => return Ok(Came::Wait(now.plus(PAYING))),
        Standing::Open => {}
    }
    // What was held is free again: the biller said no after all.
    if run.state == MandateRunState::Pending {
        return may_go_on(city, mandate, run, Came::Refused("biller_refused")).await;
    }
    match may_go_on(city, mandate, run, Came::Wait(now)).await? {
        Came::Wait(at) if at == now => {}
        other => return Ok(other),
    }
    if run.amount_minor > mandate.terms.cap_bill {
        return Ok(Came::Refused("mandate_cap_bill"));
    }
    let (id, bill) = (mandate.id, run.bill);
    let begun: Result<bool, MandateError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::begin(conn, id, bill, now).await?) }))
        .await;
    if !begun? {
        // Skipped, paused or revoked just now: the next look says which.
        return Ok(Came::Wait(now.plus(BROKEN)));
    }
    let before = std::mem::replace(&mut run.state, MandateRunState::Debiting);
    let (_, tier) = identity::name_and_tier(city, mandate.resident).await?;
    let nobody = kernel::ids::SessionId::from_u128(0);
    let who = Resident { id: mandate.resident, tier, session: nobody };
    let account = cap::bring(city, mandate.id, rules::month(today(city))).await?;
    let wish =
        PayBill { bill, quote: view.quote.id, amount_minor: None, pin: None, request_id: Some(own_id) };
    match bill::pay_within(city, &who, wish, account).await {
        Ok(paid) if paid.state == PayState::Settled => Ok(Came::Debited(paid.settled.payment)),
        Ok(paid) => Ok(Came::Pending(paid.settled.payment)),
        // Somebody pays it, or has: the next look says whether it was we.
        Err(BillError::AlreadySettled) => Ok(Came::Wait(now)),
        Err(BillError::Claimed) => {
            run.state = before;
            Ok(Came::Wait(now.plus(PAYING)))
        }
        // The price changed in between, by midnight or by a new pack.
        Err(BillError::QuoteChanged | BillError::QuoteExpired) => {
            run.state = before;
            Ok(Came::Wait(now.plus(BROKEN)))
        }
        Err(BillError::Fault(why)) => Err(why.into()),
        Err(why) => Ok(Came::Refused(why.code())),
    }
}

/// `else_what`, unless the mandate or the consent it stands on does not allow to go on.
async fn may_go_on(city: &City, mandate: &Mandate, run: &Run, else_what: Came) -> Result<Came, MandateError> {
    let today = today(city);
    if mandate.state == MandateState::Revoked {
        return Ok(Came::Ended("mandate_revoked"));
    }
    if mandate.terms.valid_until.is_some_and(|until| today > until) {
        return Ok(Came::Ended("mandate_over"));
    }
    if !consented(city, mandate).await? {
        return Ok(Came::Ended("family_no_consent"));
    }
    // One that was begun before the pause is finished.
    if mandate.state == MandateState::Paused && run.state != MandateRunState::Debiting {
        return Ok(Came::Wait(local(city, rules::days_after(today, 1), rules::DEBIT_HOUR)));
    }
    Ok(else_what)
}

/// Writes down what came of a look, tells of a refusal, and says when to look again.
async fn write_down(
    city: &City,
    mandate: &Mandate,
    run: &Run,
    came: Came,
) -> Result<Option<Timestamp>, MandateError> {
    let now = city.now();
    let same = Looked {
        state: run.state,
        tries: run.tries,
        reason: None,
        payment: None,
        amount_minor: run.amount_minor,
        next_at: None,
    };
    let to = match came {
        Came::Wait(at) => Looked { next_at: Some(at), ..same },
        Came::Debited(payment) => Looked { state: MandateRunState::Debited, payment: Some(payment), ..same },
        Came::Pending(payment) => {
            let next_at = Some(now.plus(PAYING));
            Looked { state: MandateRunState::Pending, payment: Some(payment), next_at, ..same }
        }
        Came::PaidOtherwise => Looked { state: MandateRunState::PaidOtherwise, ..same },
        Came::Ended(reason) => {
            Looked { state: MandateRunState::Ended, reason: Some(reason.to_owned()), ..same }
        }
        Came::Refused(code) => {
            let (tries, reason) = (run.tries + 1, Some(code.to_owned()));
            let again = rules::retry_day(today(city), tries);
            // Told before it is written: what is told twice is told once.
            let note = tell(mandate, run, NoteKind::AutopayFailed, tries, again, reason.clone());
            remind::tell(city, note).await?;
            let state = if again.is_some() { MandateRunState::Refused } else { MandateRunState::GivenUp };
            let next_at = again.map(|day| local(city, day, rules::DEBIT_HOUR));
            Looked { state, tries, reason, next_at, ..same }
        }
    };
    let (run, next_at) = (run.clone(), to.next_at);
    let written: Result<bool, MandateError> = city
        .store
        .write(move |conn| {
            let (run, to) = (run.clone(), to.clone());
            Box::pin(async move { Ok(store::looked(conn, &run, &to, now).await?) })
        })
        .await;
    // Ended by somebody else meanwhile: nothing more to do.
    Ok(if written? { next_at } else { None })
}
