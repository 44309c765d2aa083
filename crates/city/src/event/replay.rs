//! Sending again: one event, or everything since a time. Replays are made from the ledger, so they also
//! bring what an endpoint never got, because it was disabled or did not exist yet.

use kernel::Timestamp;
use kernel::ids::{EndpointId, EventId};
use store::jobs;

use super::message::{self, Fact};
use super::store::{self as sql, NewDelivery};
use super::{Endpoint, EventError, JOB, endpoint, follow};
use crate::City;
use crate::identity::Merchant;

/// How many events one [`replay`] sends at most.
const REPLAY_MAX: usize = 10_000;
/// How many facts are read and written at once.
const PAGE: u32 = 500;

/// What a replay did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// How many events are on their way (again).
    pub events: usize,
    /// Where to go on; `None` when nothing is left.
    pub next: Option<Timestamp>,
}

async fn enabled(city: &City, who: &Merchant, id: EndpointId) -> Result<Endpoint, EventError> {
    let endpoint = endpoint::endpoint(city, who, id).await?;
    if endpoint.disabled.is_some() { Err(EventError::EndpointDisabled) } else { Ok(endpoint) }
}

/// Sends one event again, now, whatever became of it before.
pub async fn resend(city: &City, who: &Merchant, id: EndpointId, event: EventId) -> Result<(), EventError> {
    let endpoint = enabled(city, who, id).await?;
    let now = city.now();
    let set: Result<bool, EventError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                let there = sql::again(conn, endpoint.id, event, now).await?;
                if there {
                    let key = [endpoint.id.to_bytes(), event.to_bytes()].concat();
                    make_due(conn, &key, &format!("{} {event}", endpoint.id), now).await?;
                }
                Ok(there)
            })
        })
        .await;
    if !set? {
        return Err(EventError::DeliveryUnknown);
    }
    city.event.due.notify_one();
    Ok(())
}

/// Sends every event from `since` on (inclusive), up to 10,000; go on from [`Replayed::next`].
pub async fn replay(
    city: &City,
    who: &Merchant,
    id: EndpointId,
    since: Timestamp,
) -> Result<Replayed, EventError> {
    let endpoint = enabled(city, who, id).await?;
    let mut after = u64::try_from(since.as_nanos()).unwrap_or(0).saturating_sub(1);
    let mut events = 0;
    loop {
        let facts = message::history(city, who.id, after, PAGE).await?;
        let Some(last) = facts.last().map(Fact::at) else { return Ok(Replayed { events, next: None }) };
        let mut again = Vec::with_capacity(facts.len());
        for fact in facts.iter().filter(|fact| endpoint.wants(fact.kind)) {
            let body = follow::body(city, &endpoint, fact).await?;
            again.push(follow::delivery(&endpoint, fact, body));
        }
        events += again.len();
        write(city, again).await?;
        city.event.due.notify_one();
        after = last;
        if events >= REPLAY_MAX {
            let next = Timestamp::from_nanos(i64::try_from(after.saturating_add(1)).unwrap_or(i64::MAX));
            return Ok(Replayed { events, next: Some(next) });
        }
    }
}

async fn write(city: &City, again: Vec<NewDelivery>) -> Result<(), EventError> {
    let now = city.now();
    city.store
        .write(move |conn| {
            Box::pin(async move {
                for new in &again {
                    sql::add_delivery(conn, new, true, now).await?;
                    let (key, payload) = follow::job(new);
                    make_due(conn, &key, &payload, now).await?;
                }
                Ok(())
            })
        })
        .await
}

async fn make_due(
    conn: &mut store::Conn,
    key: &[u8],
    payload: &str,
    now: Timestamp,
) -> Result<(), store::StoreError> {
    if !jobs::enqueue(conn, JOB, key, payload, now).await? {
        jobs::retry(conn, jobs::id_of(JOB, key), now, "replayed").await?;
    }
    Ok(())
}
