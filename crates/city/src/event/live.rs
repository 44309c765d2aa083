//! Live events. A stream first replays from the ledger what came after the listener's last event, then
//! goes over to what the follower hears, without gap or repetition:
//!
//! 1. subscribe to the follower, then read the ledger: what is committed later is heard;
//! 2. what is heard and not later than the last event sent is dropped: it came from the ledger already;
//! 3. a listener too slow for the follower's buffer goes back to 1, from its last event.
//!
//! The follower must look at who listens only after it has read how far the ledger has come: then
//! what it passes over was committed before anybody subscribed.

use std::collections::VecDeque;

use kernel::ids::MerchantId;
use ledger::Transfer;
use tokio::sync::{broadcast, watch};

use super::message::{self, Fact, Message};
use super::{EventError, LISTENERS_MAX};
use crate::identity::Merchant;
use crate::{City, Fault, books};

/// How many transfers a listener may fall behind before it reads the ledger again.
const BUFFER: usize = 1024;
/// How many facts are read from the ledger at once.
const PAGE: u32 = 256;
/// How many transfers of the feed are read at once.
const FEED_PAGE: u32 = 8_000;

/// The events of one shop, from some moment on, in the order of the ledger.
pub struct Subscription {
    city: City,
    merchant: MerchantId,
    /// Ledger timestamp of the last event given out.
    sent: u64,
    /// Facts read from the ledger and not given out yet.
    replayed: VecDeque<Fact>,
    /// Whether the ledger may still have more than was heard.
    behind: bool,
    heard: broadcast::Receiver<Transfer>,
    stop: Option<watch::Receiver<bool>>,
}

/// Listens to the events of a shop: those after ledger timestamp `after`, or those from now on.
pub fn subscribe(city: &City, who: &Merchant, after: Option<u64>) -> Result<Subscription, EventError> {
    let heard = {
        let mut listeners = city.event.listeners.write().expect("no panic while held");
        let tag = books::merchant_tag(who.id);
        let sender = listeners.entry(tag).or_insert_with(|| broadcast::channel(BUFFER).0);
        if sender.receiver_count() >= LISTENERS_MAX {
            return Err(EventError::ListenersMax);
        }
        sender.subscribe()
    };
    let now = *city.ledger.committed().borrow();
    let stop = city.event.stop.read().expect("no panic while held").clone();
    Ok(Subscription {
        city: city.clone(),
        merchant: who.id,
        // A timestamp of the future would silence the stream until then.
        sent: after.map_or(now, |after| after.min(now)),
        replayed: VecDeque::new(),
        behind: true,
        heard,
        stop,
    })
}

impl Subscription {
    /// The ledger timestamp to resume after.
    pub fn position(&self) -> u64 {
        self.sent
    }

    /// The next event with its ledger timestamp; waits for it. `None` when the server stops.
    pub async fn next(&mut self) -> Result<Option<(u64, Message)>, Fault> {
        let Some(fact) = self.next_fact().await? else { return Ok(None) };
        let message = message::message(&self.city, self.merchant, &fact).await?;
        self.sent = fact.at();
        Ok(Some((fact.at(), message)))
    }

    async fn next_fact(&mut self) -> Result<Option<Fact>, Fault> {
        loop {
            while let Some(fact) = self.replayed.pop_front() {
                if fact.at() > self.sent {
                    return Ok(Some(fact));
                }
            }
            if self.behind {
                self.replayed = message::history(&self.city, self.merchant, self.sent, PAGE).await?.into();
                self.behind = !self.replayed.is_empty();
                continue;
            }
            let heard = match &mut self.stop {
                None => self.heard.recv().await,
                Some(stop) => tokio::select! {
                    heard = self.heard.recv() => heard,
                    _ = stop.wait_for(|stop| *stop) => return Ok(None),
                },
            };
            match heard {
                Ok(transfer) => {
                    let news = Fact::of(&transfer).filter(|f| f.is_for(self.merchant) && f.at() > self.sent);
                    if news.is_some() {
                        return Ok(news);
                    }
                }
                Err(broadcast::error::RecvError::Lagged(_)) => self.behind = true,
                Err(broadcast::error::RecvError::Closed) => return Ok(None),
            }
        }
    }
}

/// Follows the feed and passes on to listeners what is news to them.
pub(super) async fn run(city: City, mut stop: watch::Receiver<bool>) {
    let mut committed = city.ledger.committed();
    let mut position = *committed.borrow_and_update();
    loop {
        tokio::select! {
            changed = committed.changed() => if changed.is_err() { return },
            _ = stop.wait_for(|stop| *stop) => return,
        }
        if let Err(why) = pass_on(&city, &mut committed, &mut position).await {
            // Listeners notice nothing but the delay: the position has not moved.
            tracing::warn!(%why, "the ledger's feed could not be read");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            committed.mark_changed();
        }
    }
}

async fn pass_on(city: &City, committed: &mut watch::Receiver<u64>, position: &mut u64) -> Result<(), Fault> {
    loop {
        // First how far, then who listens: see the head of this file.
        let end = *committed.borrow_and_update();
        if *position >= end {
            return Ok(());
        }
        if city.event.listeners.read().expect("no panic while held").is_empty() {
            *position = end;
            return Ok(());
        }
        let page = city.ledger.feed(*position, FEED_PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        let mut silent = Vec::new();
        {
            let listeners = city.event.listeners.read().expect("no panic while held");
            for fact in page.iter().filter_map(|item| Fact::of(&item.transfer)) {
                if let Some(sender) = listeners.get(&fact.tag)
                    && sender.send(fact.transfer).is_err()
                {
                    silent.push(fact.tag);
                }
            }
        }
        if !silent.is_empty() {
            let mut listeners = city.event.listeners.write().expect("no panic while held");
            listeners.retain(|tag, sender| !silent.contains(tag) || sender.receiver_count() > 0);
        }
        *position = last.timestamp();
    }
}
