//! The follower that turns the ledger's feed into webhook deliveries.
//!
//! Rows, jobs and watermark are written in one transaction, which also requires that the list of
//! endpoints at hand is the current one. So an endpoint gets every event committed after it was
//! created, on whichever node: a payment committed later is read from the feed later, and a transaction
//! begun after that sees the endpoint. Two nodes may follow at once; the watermark lets one of them win.

use std::collections::HashMap;
use std::time::Duration;

use store::{StoreError, jobs};
use tokio::sync::watch;
use tokio::time::Instant;

use super::message::{self, Fact};
use super::store::NewDelivery;
use super::{Endpoint, JOB, store as sql};
use crate::{City, Fault, books};

/// The follower's name at its watermark.
const NAME: &str = "webhook";
/// How many transfers of the feed are read at once; bounds how long one transaction takes.
const PAGE: u32 = 2_000;
/// How long the watermark may lag behind what was read when there was nothing to write.
const LAG: Duration = Duration::from_secs(1);
/// The pause after a failure.
const REST: Duration = Duration::from_secs(1);

/// Where the follower stands and for whom it works.
struct Follower {
    /// Number of changes that [`Follower::hooks`] is of.
    changes: i64,
    /// Endpoints in use, by [`books::merchant_tag`] of their shop.
    hooks: HashMap<u64, Vec<Endpoint>>,
    /// The watermark in SQL.
    stored: u64,
    /// How far the feed was read.
    read: u64,
    stored_at: Instant,
}

/// How far deliveries were written: the ledger timestamp of the last transfer taken in.
pub async fn position(city: &City) -> Result<u64, Fault> {
    let mut conn = city.store.read().await?;
    Ok(jobs::watermark(&mut conn, NAME).await?)
}

/// Key and payload of the job that delivers.
pub(super) fn job(new: &NewDelivery) -> (Vec<u8>, String) {
    let key = [new.endpoint.to_bytes(), new.event.to_bytes()].concat();
    (key, format!("{} {}", new.endpoint, new.event))
}

pub(super) async fn run(city: City, mut stop: watch::Receiver<bool>) {
    let mut committed = city.ledger.committed();
    committed.mark_changed();
    let mut follower = None;
    loop {
        let lagging = follower.as_ref().is_some_and(|f: &Follower| f.read > f.stored);
        tokio::select! {
            changed = committed.changed() => if changed.is_err() { return },
            () = city.event.changed.notified() => follower = None,
            () = tokio::time::sleep(LAG), if lagging => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        match step(&city, &mut follower, &mut committed).await {
            Ok(()) => {}
            Err(Fault::Store(StoreError::Guard)) => {
                // An endpoint changed, or another node was faster: look again, from the watermark.
                follower = None;
                committed.mark_changed();
            }
            Err(why) => {
                tracing::warn!(%why, "webhook follower");
                follower = None;
                committed.mark_changed();
                tokio::select! {
                    () = tokio::time::sleep(REST) => {}
                    _ = stop.wait_for(|stop| *stop) => return,
                }
            }
        }
    }
}

/// Reads the feed to its end.
async fn step(
    city: &City,
    slot: &mut Option<Follower>,
    committed: &mut watch::Receiver<u64>,
) -> Result<(), Fault> {
    let follower = match slot {
        Some(follower) => follower,
        None => slot.insert(load(city).await?),
    };
    loop {
        let end = *committed.borrow_and_update();
        let mut news = Vec::new();
        if follower.hooks.is_empty() {
            follower.read = follower.read.max(end);
        } else if follower.read < end {
            let page = city.ledger.feed(follower.read, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            for fact in page.iter().filter_map(|item| Fact::of(&item.transfer)) {
                deliveries(city, follower, &fact, &mut news).await?;
            }
            follower.read = last.timestamp();
        }
        let due = follower.read > follower.stored && follower.stored_at.elapsed() >= LAG;
        if !news.is_empty() || due {
            write(city, follower, news).await?;
        }
        if follower.read >= end {
            return Ok(());
        }
    }
}

async fn load(city: &City) -> Result<Follower, Fault> {
    let mut conn = city.store.read().await?;
    // The number first: endpoints that change in between make the number old, never the list.
    let changes = sql::changes(&mut conn).await?;
    let mut hooks: HashMap<u64, Vec<Endpoint>> = HashMap::new();
    for endpoint in sql::endpoints_in_use(&mut conn).await? {
        hooks.entry(books::merchant_tag(endpoint.merchant)).or_default().push(endpoint);
    }
    let stored = jobs::watermark(&mut conn, NAME).await?;
    Ok(Follower { changes, hooks, stored, read: stored, stored_at: Instant::now() })
}

/// The deliveries of a fact, to every endpoint that wants it.
async fn deliveries(
    city: &City,
    follower: &Follower,
    fact: &Fact,
    news: &mut Vec<NewDelivery>,
) -> Result<(), Fault> {
    let Some(hooks) = follower.hooks.get(&fact.tag) else { return Ok(()) };
    let wants = |e: &&Endpoint| fact.is_for(e.merchant) && e.wants(fact.kind) && fact.at() > e.from_ledger;
    let mut body = None;
    for endpoint in hooks.iter().filter(wants) {
        let body = match &body {
            Some(body) => body,
            None => body.insert(self::body(city, endpoint, fact).await?),
        };
        news.push(delivery(endpoint, fact, body.clone()));
    }
    Ok(())
}

/// The text that is signed and sent.
pub(super) async fn body(city: &City, endpoint: &Endpoint, fact: &Fact) -> Result<String, Fault> {
    let message = message::message(city, endpoint.merchant, fact).await?;
    serde_json::to_string(&message).map_err(|e| Fault::Books(format!("event: {e}")))
}

pub(super) fn delivery(endpoint: &Endpoint, fact: &Fact, body: String) -> NewDelivery {
    NewDelivery {
        endpoint: endpoint.id,
        event: fact.id(),
        kind: fact.kind,
        trade: fact.trade,
        at: fact.at(),
        body,
    }
}

async fn write(city: &City, follower: &mut Follower, news: Vec<NewDelivery>) -> Result<(), Fault> {
    let (now, changes, from, to) = (city.now(), follower.changes, follower.stored, follower.read);
    let any = !news.is_empty();
    let written: Result<(), Fault> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                sql::require_changes(conn, changes).await?;
                for new in &news {
                    sql::add_delivery(conn, new, false, now).await?;
                    let (key, payload) = job(new);
                    jobs::enqueue(conn, JOB, &key, &payload, now).await?;
                }
                jobs::advance(conn, NAME, from, to).await?;
                Ok(())
            })
        })
        .await;
    written?;
    follower.stored = to;
    follower.stored_at = Instant::now();
    if any {
        city.event.due.notify_one();
    }
    Ok(())
}
