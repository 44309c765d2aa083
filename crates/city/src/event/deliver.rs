//! The worker that delivers webhooks: takes due jobs, posts, writes down how it went.
//!
//! A job is a hint that a delivery may be due; the delivery's row decides. Whatever a crash leaves
//! behind, the lease of its job runs out and another worker takes it up: at least once, never lost.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kernel::ids::{EndpointId, EventId};
use kernel::uuid_v7;
use store::{Conn, StoreError, jobs};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use url::Url;

use super::client::{Client, Failure, Post, Reply};
use super::store::{self as sql, Target};
use super::{Attempt, Delivery, DeliveryState, JOB, rules, signature};
use crate::{City, Fault};

/// How many deliveries are tried at once.
const SLOTS: usize = 64;
/// How many of them go to one endpoint: a slow one does not take all slots.
const SLOTS_PER_ENDPOINT: usize = 8;
/// Longer than a try and its writing can take.
const LEASE: Duration = Duration::from_secs(60);
/// How often the queue is asked when nobody wakes the worker.
const POLL: Duration = Duration::from_millis(500);
/// The pause of a delivery that waits for a slot of its endpoint.
const BUSY: Duration = Duration::from_secs(1);
/// The pause of a delivery that waits for an earlier one of its trade, which wakes it when it is done.
const BEHIND: Duration = Duration::from_secs(60);
/// How long tries under way may go on when the server stops.
const GRACE: Duration = Duration::from_secs(3);

/// How many tries are under way to each endpoint.
type Busy = Arc<Mutex<HashMap<EndpointId, usize>>>;

pub(super) async fn run(city: City, mut stop: watch::Receiver<bool>) {
    let (busy, mut tries) = (Busy::default(), JoinSet::new());
    loop {
        let took = match take(&city, SLOTS - tries.len(), &busy, &mut tries).await {
            Ok(took) => took,
            Err(why) => {
                tracing::warn!(%why, "webhook jobs could not be taken");
                0
            }
        };
        if took > 0 && tries.len() < SLOTS {
            while tries.try_join_next().is_some() {}
            continue;
        }
        tokio::select! {
            Some(_) = tries.join_next() => {}
            () = city.event.due.notified(), if tries.len() < SLOTS => {}
            () = tokio::time::sleep(POLL), if tries.len() < SLOTS => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
        while tries.try_join_next().is_some() {}
    }
    // What is not done by then is tried again when its lease has run out.
    let _ = tokio::time::timeout(GRACE, async { while tries.join_next().await.is_some() {} }).await;
}

/// Takes up to `free` due jobs and begins with them; answers with how many there were.
async fn take(city: &City, free: usize, busy: &Busy, tries: &mut JoinSet<()>) -> Result<usize, Fault> {
    let (now, limit) = (city.now(), u32::try_from(free).unwrap_or(0));
    if limit == 0 {
        return Ok(0);
    }
    let taken: Result<Vec<jobs::Job>, Fault> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(jobs::take(conn, JOB, now, LEASE, limit).await?) }))
        .await;
    let taken = taken?;
    let count = taken.len();
    let mut put_back = Vec::new();
    for job in taken {
        let Some((endpoint, event)) = parse(&job.payload) else {
            tracing::error!(payload = job.payload, "a webhook job that this version cannot read");
            continue;
        };
        if !occupy(busy, endpoint) {
            put_back.push(job.id);
            continue;
        }
        let (city, busy) = (city.clone(), busy.clone());
        tries.spawn(async move {
            if let Err(why) = work(&city, job.id, endpoint, event).await {
                // The lease runs out, then it is taken up again.
                tracing::warn!(%why, %endpoint, %event, "webhook delivery");
            }
            release(&busy, endpoint);
        });
    }
    if !put_back.is_empty() {
        let at = now.plus(BUSY);
        let put: Result<(), Fault> = city
            .store
            .write(move |conn| {
                Box::pin(async move {
                    for id in put_back {
                        jobs::retry(conn, id, at, "the endpoint is busy").await?;
                    }
                    Ok(())
                })
            })
            .await;
        put?;
    }
    Ok(count)
}

fn parse(payload: &str) -> Option<(EndpointId, EventId)> {
    let (endpoint, event) = payload.split_once(' ')?;
    Some((endpoint.parse().ok()?, event.parse().ok()?))
}

fn occupy(busy: &Busy, endpoint: EndpointId) -> bool {
    let mut busy = busy.lock().expect("no panic while held");
    let slots = busy.entry(endpoint).or_insert(0);
    let free = *slots < SLOTS_PER_ENDPOINT;
    *slots += usize::from(free);
    free
}

fn release(busy: &Busy, endpoint: EndpointId) {
    let mut busy = busy.lock().expect("no panic while held");
    if let Some(slots) = busy.get_mut(&endpoint) {
        *slots = slots.saturating_sub(1);
        if *slots == 0 {
            busy.remove(&endpoint);
        }
    }
}

/// Tries one delivery and writes down how it went.
async fn work(city: &City, job: u128, endpoint: EndpointId, event: EventId) -> Result<(), Fault> {
    let target = {
        let mut conn = city.store.read().await?;
        sql::target(&mut conn, endpoint, event).await?
    };
    let Some(target) = target else {
        // Delivered, given up, or its endpoint is gone.
        return write(city, move |conn| Box::pin(async move { jobs::done(conn, job).await })).await;
    };
    if wait_for_turn(city, job, &target.delivery).await? {
        return Ok(());
    }
    let (attempt, retry_after) = attempt(city, &target).await;
    record(city, job, target.delivery, attempt, retry_after).await
}

async fn write<F>(city: &City, f: F) -> Result<(), Fault>
where
    F: for<'c> FnOnce(&'c mut Conn) -> store::BoxFuture<'c, Result<(), StoreError>> + Send + 'static,
{
    Ok(city.store.write(f).await?)
}

/// Puts the job back if an earlier event of its trade is still on its way; says whether it is.
async fn wait_for_turn(city: &City, job: u128, delivery: &Delivery) -> Result<bool, Fault> {
    let behind = {
        let mut conn = city.store.read().await?;
        sql::is_behind(&mut conn, delivery).await?
    };
    if !behind {
        return Ok(false);
    }
    let (delivery, now) = (delivery.clone(), city.now());
    write(city, move |conn| {
        Box::pin(async move {
            // Asked again beside the write: the earlier one may have ended just now, and woken nobody.
            let at = if sql::is_behind(conn, &delivery).await? { now.plus(BEHIND) } else { now };
            jobs::retry(conn, job, at, "an earlier event of the trade is on its way").await
        })
    })
    .await?;
    Ok(true)
}

/// Posts once.
async fn attempt(city: &City, target: &Target) -> (Attempt, Option<Duration>) {
    let (started_at, began) = (city.now(), Instant::now());
    let client: Arc<Client> = city.event.client();
    let mut secrets = vec![target.secret.as_slice()];
    if let Some((previous, until)) = &target.previous
        && started_at < *until
    {
        secrets.push(previous);
    }
    let id = target.delivery.event.to_string();
    let timestamp_s = started_at.as_secs();
    let signature = signature::sign(&secrets, &id, timestamp_s, &target.delivery.body);
    let result = match Url::parse(&target.url) {
        Err(e) => Err(Failure::Resolve(e.to_string())),
        Ok(url) => {
            let body = target.delivery.body.clone();
            client
                .post(
                    Post { url: &url, id: &id, timestamp_s, signature: &signature, body },
                    city.settings.webhook_private,
                )
                .await
        }
    };
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (status, error, retry_after) = match result {
        Ok(Reply { status, retry_after }) => {
            let taken = Reply { status, retry_after }.is_success();
            (Some(status), (!taken).then(|| format!("HTTP {status}")), retry_after)
        }
        Err(failure) => (None, Some(failure.to_string()), None),
    };
    (Attempt { started_at, duration_ms, status, error }, retry_after)
}

/// Writes the try into the log and moves the delivery on.
async fn record(
    city: &City,
    job: u128,
    delivery: Delivery,
    attempt: Attempt,
    retry_after: Option<Duration>,
) -> Result<(), Fault> {
    let now = city.now();
    let (id, random) = (uuid_v7(now, city.rng.u128()), city.rng.u64());
    let finished = attempt.error.is_none();
    write(city, move |conn| {
        Box::pin(async move {
            sql::add_attempt(conn, id, &delivery, &attempt).await?;
            let Some(error) = attempt.error else {
                sql::finish(conn, &delivery, DeliveryState::Delivered, now).await?;
                sql::healthy(conn, delivery.endpoint).await?;
                jobs::done(conn, job).await?;
                return wake_successor(conn, &delivery, now).await;
            };
            let since = sql::failing(conn, delivery.endpoint, now).await?;
            if let rules::Verdict::Disable(why) = rules::judge(attempt.status, since, now) {
                tracing::warn!(endpoint = %delivery.endpoint, why, "webhook endpoint disabled");
                sql::disable_endpoint(conn, delivery.endpoint, why, now).await?;
                return jobs::done(conn, job).await;
            }
            let tries = delivery.tries + 1;
            if let Some(pause) = rules::pause(tries, random, retry_after) {
                sql::postpone(conn, &delivery, tries, now.plus(pause)).await?;
                jobs::retry(conn, job, now.plus(pause), &error).await
            } else {
                sql::finish(conn, &delivery, DeliveryState::GivenUp, now).await?;
                jobs::done(conn, job).await?;
                wake_successor(conn, &delivery, now).await
            }
        })
    })
    .await?;
    if finished {
        city.event.due.notify_one();
    }
    Ok(())
}

/// Makes the next event of the trade due.
async fn wake_successor(conn: &mut Conn, d: &Delivery, now: kernel::Timestamp) -> Result<(), StoreError> {
    let Some(event) = sql::successor(conn, d).await? else { return Ok(()) };
    let key = [d.endpoint.to_bytes(), event.to_bytes()].concat();
    jobs::retry(conn, jobs::id_of(JOB, &key), now, "its turn").await
}
