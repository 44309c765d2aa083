//! What happens now: payments by channel from the ledger's feed (those of all nodes), refusals of this node, health
//! of the engines, how far followers are, the books' check, alerts. Must never hold more than two rings of sixty
//! slots, nor slow a payment down: it follows the feed on its own.

mod alerts;
pub mod http;
mod ring;

use std::sync::atomic::Ordering;
use std::time::Duration;

use kernel::Timestamp;
use ledger::{Transfer, TransferFlags};
use tokio::sync::watch;

pub use alerts::{Alert, Severity, Standing};
pub use ring::{Count, LiveChannel, Rings, Slot};

use super::OperatorError;
use super::check::{self, Check, Running};
use crate::books::transfer_code;
use crate::identity::{Operator, Role};
use crate::{City, Fault, bill, books, event, trade};

/// Whether the engines answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// The database.
    pub database: bool,
    /// The ledger.
    pub ledger: bool,
}

/// How far a follower of the ledger is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follower {
    /// `live`, `webhook` or `bill`.
    pub name: &'static str,
    /// Age of the oldest transfer it has not taken in, milliseconds; 0 where it has all.
    pub lag_ms: u64,
}

/// The ledger's feed and who follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// The newest transfer; none on an empty ledger.
    pub committed_at: Option<Timestamp>,
    /// Who follows.
    pub followers: Vec<Follower>,
}

/// What happens now.
#[derive(Clone, Debug)]
pub struct Live {
    /// When this was read.
    pub at: Timestamp,
    /// The last sixty seconds, and the most payments of a second among them.
    pub last_minute: (Slot, u64),
    /// The last sixty minutes, oldest first, each with when it began.
    pub minutes: Vec<(Timestamp, Slot)>,
    /// The last sixty minutes in one.
    pub last_hour: Slot,
    /// Whether the engines answer.
    pub health: Health,
    /// The feed and its followers.
    pub feed: Feed,
    /// The newest check of the books that has ended.
    pub check: Option<Check>,
    /// The check that runs on this node.
    pub running: Option<Running>,
    /// What needs attention, the most urgent first.
    pub alerts: Vec<Alert>,
}

/// How long an engine may take to answer before it counts as down.
const HEALTH_MAX: Duration = Duration::from_secs(3);
/// How much of the past is read at the start.
const PAST: Duration = Duration::from_hours(1);
/// How many transfers of the feed are read at once.
const PAGE: u32 = 8_000;
/// The pause after a failure, and how often imports are looked at.
const REST: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// What happens now. By an operator of any role.
pub async fn live(city: &City, by: &Operator) -> Result<Live, OperatorError> {
    by.role.require(Role::Viewer)?;
    let (health, now) = (health(city).await, city.now());
    let feed = if health.ledger { feed(city, health, now).await? } else { no_feed() };
    let alerts = alerts::alerts(city, health, &feed).await?;
    let check = if health.database { check::newest(city).await? } else { None };
    let now_ms = now.as_millis();
    let rings = city.operator.rings.lock().expect("no panic while held");
    let minutes = rings.minutes(now_ms).into_iter().map(|(at, slot)| (Timestamp::from_millis(at), slot));
    Ok(Live {
        at: now,
        last_minute: rings.last_minute(now_ms),
        minutes: minutes.collect(),
        last_hour: rings.last_hour(now_ms),
        health,
        feed,
        check,
        running: city.operator.check.running(),
        alerts,
    })
}

async fn health(city: &City) -> Health {
    let database = tokio::time::timeout(HEALTH_MAX, city.store.ping());
    let ledger = tokio::time::timeout(HEALTH_MAX, city.ledger.lookup_accounts(vec![1]));
    let (database, ledger) = tokio::join!(database, ledger);
    Health { database: matches!(database, Ok(Ok(()))), ledger: matches!(ledger, Ok(Ok(_))) }
}

fn no_feed() -> Feed {
    Feed { committed_at: None, followers: Vec::new() }
}

async fn feed(city: &City, health: Health, now: Timestamp) -> Result<Feed, OperatorError> {
    let committed = *city.ledger.committed().borrow();
    let mut at = vec![("live", city.operator.position.load(Ordering::Relaxed))];
    if health.database {
        at.push(("webhook", event::position(city).await?));
        at.push(("bill", bill::position(city).await?));
    }
    let mut followers = Vec::with_capacity(at.len());
    for (name, position) in at {
        let behind = position < committed;
        let next = if behind { city.ledger.feed(position, 1).await? } else { Vec::new() };
        let age = next.first().map(|item| now.since(crate::wallet::instant(item.timestamp())));
        let lag_ms = u64::try_from(age.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
        followers.push(Follower { name, lag_ms });
    }
    let committed_at = (committed > 0).then(|| crate::wallet::instant(committed));
    Ok(Feed { committed_at, followers })
}

/// The payment that a transfer is, if it is one.
fn payment(transfer: &Transfer) -> Option<LiveChannel> {
    match transfer.code {
        transfer_code::TRADE_PAYMENT => Some(match trade::Channel::of(transfer) {
            Some(trade::Channel::Poster) => LiveChannel::Poster,
            Some(trade::Channel::PayerCode) => LiveChannel::PayerCode,
            Some(trade::Channel::Order) | None => LiveChannel::Order,
        }),
        transfer_code::WALLET_TRANSFER => Some(LiveChannel::Transfer),
        // Claimed first, paid when it is posted.
        transfer_code::BILL_PAYMENT if transfer.flags.contains(TransferFlags::PostPendingTransfer) => {
            Some(LiveChannel::Bill)
        }
        _ => None,
    }
}

/// Counts a request to pay that this node answered: with success, or with the code of a refusal.
pub fn answered(city: &City, refusal: Option<&str>) {
    let now = city.now().as_millis();
    city.operator.rings.lock().expect("no panic while held").answered(now, refusal);
}

/// Remembers that the ledger refused something for want of room.
pub fn no_space(city: &City) {
    let now = city.now();
    let mut full = city.operator.no_space.lock().expect("no panic while held");
    let since = full.filter(|(_, last)| now < last.plus(PAST)).map_or(now, |(since, _)| since);
    *full = Some((since, now));
}

/// Follows the feed, from an hour ago.
pub(super) async fn run(city: City, mut stop: watch::Receiver<bool>) {
    let mut committed = city.ledger.committed();
    committed.mark_changed();
    let begin = books::ledger_time(city.now().minus(PAST));
    city.operator.position.store(begin, Ordering::Relaxed);
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        let news = tokio::select! {
            changed = committed.changed() => match changed {
                Ok(()) => true,
                Err(_) => return,
            },
            _ = look.tick() => false,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        if !news {
            if let Err(why) = alerts::look_at_imports(&city).await {
                tracing::warn!(%why, "imports could not be looked at");
            }
            continue;
        }
        if let Err(why) = follow(&city, &stop).await {
            tracing::warn!(%why, "the ledger's feed could not be read");
            tokio::time::sleep(REST).await;
            committed.mark_changed();
        }
    }
}

/// Counts what the feed has, to its end.
pub async fn follow(city: &City, stop: &watch::Receiver<bool>) -> Result<(), Fault> {
    while !*stop.borrow() {
        let position = city.operator.position.load(Ordering::Relaxed);
        let page = city.ledger.feed(position, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        let mut rings = city.operator.rings.lock().expect("no panic while held");
        for transfer in page.iter().map(|item| &item.transfer) {
            if let Some(channel) = payment(transfer) {
                let at = crate::wallet::instant(transfer.timestamp).as_millis();
                rings.paid(at, channel, i64::try_from(transfer.amount).unwrap_or(i64::MAX));
            }
        }
        drop(rings);
        city.operator.position.store(last.timestamp(), Ordering::Relaxed);
    }
    Ok(())
}
