//! What runs beside the requests: hands on what nobody answered in time, makes the refunds that were decided. Must never
//! make a second refund of one decision, nor lose one: see the invariants in [`super`].

use std::time::Duration;

use channel::{Meaning, Reply};
use kernel::ids::{ComplaintId, RefundId};
use store::{StoreError, jobs};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::store as tables;
use super::{Complaint, ComplaintError, ComplaintState, Move, Of, REFUND, StepActor, StepKind, advance};
use crate::bill::refund::{self, Given};
use crate::bill::{Settled, dispute};
use crate::{City, Fault};

/// How often.
const EVERY: Duration = Duration::from_secs(2);
/// How long a worker has for one job before another may take it.
const LEASE: Duration = Duration::from_mins(2);
/// Jobs, or complaints, taken at once.
const BATCH: u32 = 32;
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_mins(10);

/// Starts it.
pub fn start(city: &City, stop: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
    let (city, mut stop) = (city.clone(), stop.clone());
    vec![tokio::spawn(async move {
        while !*stop.borrow() {
            if let Err(why) = work(&city).await {
                tracing::error!(%why, "complaints are looked at again");
            }
            tokio::select! {
                _ = stop.changed() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    })]
}

/// Does everything that is due now; the server does so by itself all the time.
pub async fn work(city: &City) -> Result<(), ComplaintError> {
    while escalate(city).await? {}
    let now = city.now();
    let taken: Result<Vec<jobs::Job>, ComplaintError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(jobs::take(conn, REFUND, now, LEASE, BATCH).await?) }))
        .await;
    for job in taken? {
        let made = make(city, &job.payload).await;
        let again = city.now().plus(Duration::from_secs(5 << job.attempts.min(7)).min(PAUSE_MAX));
        let ended: Result<(), ComplaintError> = city
            .store
            .write(move |conn| {
                Box::pin(async move {
                    match made {
                        Ok(true) => jobs::done(conn, job.id).await?,
                        Ok(false) => jobs::retry(conn, job.id, again, "not yet").await?,
                        Err(why) => jobs::retry(conn, job.id, again, &why.to_string()).await?,
                    }
                    Ok(())
                })
            })
            .await;
        ended?;
    }
    Ok(())
}

/// Hands on what nobody answered in time; whether there may be more.
async fn escalate(city: &City) -> Result<bool, ComplaintError> {
    let mut conn = city.store.read().await?;
    let states = [ComplaintState::Biller, ComplaintState::Operator];
    let lapsed = tables::lapsed(&mut conn, &states, city.now(), BATCH).await?;
    drop(conn);
    for late in &lapsed {
        let (step, now) = (late.step, city.now());
        advance(city, Of::All, late.id, |c| {
            let over = c.step == step && c.due_at.is_some_and(|due| due <= now);
            let to = c.state.lapses_to().filter(|_| over);
            Ok(to.map(|to| Move::new(c, to, StepActor::Clock, StepKind::Escalated)))
        })
        .await?;
    }
    Ok(lapsed.len() == BATCH as usize)
}

/// Makes the refund that was decided; whether it need not be tried again.
async fn make(city: &City, payload: &str) -> Result<bool, ComplaintError> {
    let id: ComplaintId = payload.parse().map_err(|_| Fault::Store(StoreError::Corrupt("job.payload")))?;
    let complaint = super::one_of(city, Of::All, id).await?;
    let decided = complaint.refund().zip(complaint.payment).zip(complaint.amount_minor);
    let Some(((refund, payment), minor)) = decided.filter(|_| complaint.state == ComplaintState::Refunding)
    else {
        return Ok(true);
    };
    let settled = refund::settled(city, payment).await?;
    if complaint.ask_biller {
        match asked(city, &settled, refund, minor).await? {
            Asked::Agrees => {}
            Asked::Silent => return not_yet(city, &complaint, "biller_silent").await,
            Asked::Refuses => {
                let given = refund::close(city, refund).await?;
                return ended(city, &complaint, given, StepKind::BillerRefused).await;
            }
        }
    }
    match refund::give_back(city, &settled, refund, minor).await? {
        Given::NoFunds => not_yet(city, &complaint, "biller_funds").await,
        Given::ExceedsPaid => {
            let given = refund::close(city, refund).await?;
            ended(city, &complaint, given, StepKind::RefundImpossible).await
        }
        given => ended(city, &complaint, given, StepKind::BillerRefused).await,
    }
}

/// What a biller says to giving money back.
enum Asked {
    Agrees,
    Silent,
    Refuses,
}

async fn asked(
    city: &City,
    settled: &Settled,
    refund: RefundId,
    minor: i64,
) -> Result<Asked, ComplaintError> {
    Ok(match dispute::ask_back(city, settled, refund, minor).await? {
        None | Some(Reply::Said(()) | Reply::Meant(Meaning::Ok | Meaning::Duplicate)) => Asked::Agrees,
        Some(
            Reply::Silent(_)
            | Reply::NotSent(_)
            | Reply::Meant(Meaning::Pending | Meaning::Busy | Meaning::Closed),
        ) => Asked::Silent,
        Some(Reply::Meant(_)) => Asked::Refuses,
    })
}

async fn not_yet(city: &City, of: &Complaint, problem: &'static str) -> Result<bool, ComplaintError> {
    let (id, decision) = (of.id, of.decision);
    let noted: Result<(), ComplaintError> = city
        .store
        .write(move |conn| {
            Box::pin(async move { Ok(tables::note_problem(conn, id, decision, problem).await?) })
        })
        .await;
    noted.map(|()| false)
}

/// Keeps how the decision ended in the ledger: with the money, or closed, for this reason.
async fn ended(
    city: &City,
    of: &Complaint,
    given: Given,
    otherwise: StepKind,
) -> Result<bool, ComplaintError> {
    let decision = of.decision;
    let by = if otherwise == StepKind::BillerRefused { StepActor::Biller } else { StepActor::Ledger };
    advance(city, Of::All, of.id, |c| {
        if c.decision != decision || c.state != ComplaintState::Refunding {
            return Ok(None);
        }
        Ok(Some(if let Given::Done(minor, _) = given {
            let moved = Move::new(c, ComplaintState::Refunded, StepActor::Ledger, StepKind::Refunded);
            let to = Complaint { amount_minor: Some(minor), problem: None, ..moved.to };
            Move { to, amount_minor: Some(minor), ..moved }
        } else {
            let moved = Move::new(c, c.level, by, otherwise);
            let to = Complaint { decided: None, problem: None, ..moved.to };
            Move { to, amount_minor: c.amount_minor, ..moved }
        }))
    })
    .await?;
    Ok(true)
}
