//! The worker that delivers webhooks: takes due jobs, posts, writes down how it went.
//!
//! A job is a hint that a delivery may be due; the delivery's row decides. Whatever a crash leaves
//! behind, the lease of its job runs out and another worker takes it up: at least once, never lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kernel::ids::{EndpointId, EventId};
use kernel::uuid_v7;
use store::{Conn, StoreError, jobs};
use tokio::sync::watch;
use tokio::task::{Id as TaskId, JoinSet};
use tokio::time::Instant;
use url::Url;

use super::client::{Client, Failure, Post, Reply};
use super::lanes::{Lanes, Leased, WAITING_MAX};
use super::store::{self as sql, Target};
use super::{Attempt, Delivery, DeliveryState, JOB, rules, signature};
use crate::{City, Fault};

/// How long a job is this worker's.
const LEASE: Duration = Duration::from_mins(1);
/// How long after it was leased a delivery may still be begun: a try and its writing fit into the rest.
const FRESH: Duration = Duration::from_secs(30);
/// How many jobs are taken at once.
const BATCH: usize = 256;
/// How often the queue is asked when nobody wakes the worker.
const POLL: Duration = Duration::from_millis(500);
/// The pause of a delivery whose lane is full.
const BUSY: Duration = Duration::from_secs(2);
/// The pause of a delivery that waits for an earlier one of its trade, which wakes it when it is done.
const BEHIND: Duration = Duration::from_mins(1);
/// How long tries under way may go on when the server stops.
const GRACE: Duration = Duration::from_secs(3);

pub(super) async fn run(city: City, mut stop: watch::Receiver<bool>) {
    let (mut lanes, mut tries) = (Lanes::default(), JoinSet::new());
    let mut going: HashMap<TaskId, EndpointId> = HashMap::new();
    let mut ask = true;
    loop {
        // More is taken only when half of the room is free, so that not every try asks the queue.
        if ask && lanes.room() >= WAITING_MAX / 2 {
            ask = match take(&city, &mut lanes).await {
                Ok(count) => count == BATCH,
                Err(why) => {
                    tracing::warn!(%why, "webhook jobs could not be taken");
                    false
                }
            };
        }
        while let Some(job) = lanes.next(Instant::now(), FRESH) {
            let city = city.clone();
            let handle = tries.spawn(async move {
                if let Err(why) = work(&city, job.job, job.endpoint, job.event).await {
                    // The lease runs out, then it is taken up again.
                    tracing::warn!(%why, endpoint = %job.endpoint, event = %job.event, "webhook delivery");
                }
            });
            going.insert(handle.id(), job.endpoint);
        }
        if ask && lanes.room() >= WAITING_MAX / 2 {
            tokio::task::yield_now().await;
            if *stop.borrow() {
                break;
            }
            continue;
        }
        tokio::select! {
            Some(ended) = tries.join_next_with_id() => {
                let id = ended.map_or_else(|panic| panic.id(), |(id, ())| id);
                if let Some(endpoint) = going.remove(&id) {
                    lanes.ended(endpoint);
                }
            }
            () = city.event.due.notified() => ask = true,
            () = tokio::time::sleep(POLL) => ask = true,
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    // What is not done by then is tried again when its lease has run out.
    let _ = tokio::time::timeout(GRACE, async { while tries.join_next().await.is_some() {} }).await;
}

/// Leases due jobs and puts them into their lanes; answers with how many there were.
async fn take(city: &City, lanes: &mut Lanes) -> Result<usize, Fault> {
    let (now, limit) = (city.now(), u32::try_from(BATCH).unwrap_or(u32::MAX));
    let taken: Result<Vec<jobs::Job>, Fault> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(jobs::take(conn, JOB, now, LEASE, limit).await?) }))
        .await;
    let taken = taken?;
    let (count, at) = (taken.len(), Instant::now());
    let mut full = Vec::new();
    for job in taken {
        let Some((endpoint, event)) = parse(&job.payload) else {
            tracing::error!(payload = job.payload, "a webhook job that this version cannot read");
            continue;
        };
        if let Err(job) = lanes.push(Leased { job: job.id, endpoint, event, at }) {
            full.push(job.job);
        }
    }
    if !full.is_empty() {
        let at = now.plus(BUSY);
        write(city, move |conn| {
            Box::pin(async move {
                for id in full {
                    jobs::retry(conn, id, at, "its endpoint is busy").await?;
                }
                Ok(())
            })
        })
        .await?;
    }
    Ok(count)
}

fn parse(payload: &str) -> Option<(EndpointId, EventId)> {
    let (endpoint, event) = payload.split_once(' ')?;
    Some((endpoint.parse().ok()?, event.parse().ok()?))
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

/// Makes the next event of the trade due. One that a worker holds is left to it: it has seen, or will see when it
/// puts the job back, that its turn has come, and taking its lease away would send it twice.
async fn wake_successor(conn: &mut Conn, d: &Delivery, now: kernel::Timestamp) -> Result<(), StoreError> {
    let Some(event) = sql::successor(conn, d).await? else { return Ok(()) };
    let key = [d.endpoint.to_bytes(), event.to_bytes()].concat();
    jobs::hasten(conn, jobs::id_of(JOB, &key), now).await
}
