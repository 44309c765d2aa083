//! The day's planning: through all kept accounts that want reminders, a page at a time. A page's notes and the place behind
//! it are one transaction, so nothing is left out and nothing planned twice, whichever node takes which page.

use std::collections::HashMap;
use std::time::Duration;

use ::store::{StoreError, jobs};
use kernel::{Date, Timestamp};

use super::{NoteKind, RemindError, Tell, preferences, recipients, rules, store};
use crate::bill::saved::{self, Saved};
use crate::{City, Fault};

/// The one job of this kind: its time is the next page's.
const JOB: &str = "remind_sweep";
/// How long a page may take before another node takes it up.
const LEASE: Duration = Duration::from_mins(5);
/// Accounts of a page.
const PAGE: u32 = 100;
/// A day is planned from this hour on, local: the bills of the night have come.
const HOUR: u64 = 7;

/// Makes sure that there is the job.
pub async fn enrol(city: &City) -> Result<(), Fault> {
    let now = city.now();
    city.store
        .write(move |conn| {
            Box::pin(async move {
                jobs::enqueue(conn, JOB, b"", "", now).await?;
                Ok(())
            })
        })
        .await
}

/// Plans the next page, if its time has come and no other node does: 1, or else 0.
pub async fn page(city: &City) -> Result<usize, Fault> {
    let now = city.now();
    let taken: Result<Vec<jobs::Job>, Fault> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(jobs::take(conn, JOB, now, LEASE, 1).await?) }))
        .await;
    let Some(job) = taken?.pop() else { return Ok(0) };
    match plan(city, job.id, now).await {
        Ok(()) => Ok(1),
        // Another node went on: its place is as good.
        Err(RemindError::Fault(Fault::Store(StoreError::Guard))) => Ok(0),
        Err(why) => {
            let (text, again) = (why.to_string(), now.plus(Duration::from_mins(1)));
            tracing::error!(%why, "the day's reminders are planned again");
            let put: Result<(), Fault> = city
                .store
                .write(move |conn| {
                    let text = text.clone();
                    Box::pin(async move { Ok(jobs::retry(conn, job.id, again, &text).await?) })
                })
                .await;
            put.map(|()| 0)
        }
    }
}

async fn plan(city: &City, job: u128, now: Timestamp) -> Result<(), RemindError> {
    let offset = city.settings.offset;
    let today = now.date(offset);
    let tomorrow = today.tomorrow().unwrap_or(today);
    let next_day = Timestamp::start_of(tomorrow, offset).plus(Duration::from_hours(HOUR));
    let place: Result<Option<store::Place>, RemindError> =
        city.store.write(move |conn| Box::pin(async move { Ok(store::place(conn, today).await?) })).await;
    let Some(from) = place? else { return again(city, job, next_day).await };
    let accounts = saved::reminded(city, from.clone(), PAGE).await?;
    let last = accounts.last().map(|s| (s.resident, s.biller, s.account_no.clone()));
    let more = accounts.len() == PAGE as usize;
    let notes = notes(city, accounts, today).await?;
    let (to, end) = (last.or_else(|| from.clone()), (!more).then_some(now));
    city.store
        .write(move |conn| {
            let (notes, from, to) = (notes.clone(), from.clone(), to.clone());
            Box::pin(async move {
                for note in &notes {
                    store::plan(conn, note.id(), note, now).await?;
                }
                store::advance(conn, today, &from, &to, end).await?;
                jobs::retry(conn, job, if more { now } else { next_day }, "").await?;
                Ok(())
            })
        })
        .await
}

async fn again(city: &City, job: u128, at: Timestamp) -> Result<(), RemindError> {
    city.store.write(move |conn| Box::pin(async move { Ok(jobs::retry(conn, job, at, "").await?) })).await
}

/// What is to be told of these accounts today.
async fn notes(city: &City, accounts: Vec<Saved>, today: Date) -> Result<Vec<Tell>, RemindError> {
    let mut days = HashMap::new();
    let mut notes = Vec::new();
    for account in accounts {
        let owner = account.resident;
        let due = match saved::due_on(city, vec![account]).await {
            Ok(due) => due,
            // A biller that cannot be asked today is asked tomorrow; a ledger or database that cannot, in a minute.
            Err(why) if crate::Refusal::status(&why) < 500 || is_biller(&why) => {
                tracing::warn!(%why, "an account is left out of today's reminders");
                continue;
            }
            Err(why) => return Err(why.into()),
        };
        if due.is_empty() {
            continue;
        }
        for resident in recipients(city, owner).await? {
            let due_days = if let Some(days) = days.get(&resident) {
                *days
            } else {
                let wanted = preferences(city, resident).await?.due_days;
                days.insert(resident, wanted);
                wanted
            };
            let told = due.iter().filter_map(|due| {
                let (kind, step) = rules::step(due.due_on, today, due_days)?;
                Some(tell(resident, due, kind, step))
            });
            notes.extend(told);
        }
    }
    Ok(notes)
}

fn is_biller(why: &crate::bill::BillError) -> bool {
    matches!(why, crate::bill::BillError::BillerUnreachable)
}

fn tell(resident: kernel::ids::ResidentId, due: &saved::Due, kind: NoteKind, step: i64) -> Tell {
    Tell {
        resident,
        owner: due.saved.resident,
        kind,
        biller: due.saved.biller,
        account_no: due.saved.account_no.clone(),
        bill: Some(due.view.bill.id),
        mandate: None,
        step,
        amount_minor: Some(due.view.quote.total_minor),
        on: Some(due.due_on),
        reason: None,
    }
}
