//! Asks the ways to billers whether anybody is there, now and then, so that it is known before somebody wants to pay.
//!
//! Must never press: a way that is closed at this hour, given up, at its rate's end or was asked a moment ago is left
//! alone, and a bank's line that carries many billers is asked once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use channel::{Door, Reply};
use kernel::Timestamp;
use kernel::ids::BillerId;
use tokio::task::JoinSet;

use super::rules::{self, Gate};
use super::spec::Way;
use super::{Lane, Routes};
use crate::City;

/// A way that was asked so lately need not be asked whether it is there.
const FRESH: Duration = Duration::from_mins(3);
/// So many are asked at once.
const AT_ONCE: usize = 16;

/// How the last question that went a way came out, on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Of which kind the way is.
    pub way: Way,
    /// When, and whether anybody answered; nothing where this node never asked.
    pub last: Option<(Timestamp, bool)>,
}

/// Who uses a door: a biller's ways, and which of them.
type Users = Vec<(Arc<Routes>, usize)>;

impl Routes {
    /// How the last question came out, by way.
    pub(in super::super) fn seen(&self) -> Vec<Seen> {
        self.lanes.iter().map(|lane| Seen { way: lane.channel.way(), last: lane.state().last }).collect()
    }
}

impl Lane {
    /// Whether it may be asked whether anybody is there. A pack without a question for it is not asked.
    fn may_be_probed(&self, routes: &Routes, now: Timestamp) -> bool {
        let has = |direct: &channel::direct::spec::Spec| direct.probe.is_some() || direct.query.is_some();
        let state = self.state();
        state.last.is_none_or(|(at, _)| now.since(at) >= FRESH)
            && state.breaker.gate(now) != Gate::Open
            && (self.channel.rate_per_s.is_none() || state.pace.allows(now))
            && rules::is_open(&self.channel, now, routes.offset)
            && self.channel.direct.as_ref().is_none_or(has)
    }

    fn begin(&self, now: Timestamp) {
        let mut state = self.state();
        state.breaker.try_out(now);
        if let Some(rate) = self.channel.rate_per_s {
            state.pace.take(rate, now);
        }
    }
}

/// Asks every way that may be asked, and that nobody has asked lately, whether anybody is there.
pub async fn probe_all(city: &City) {
    let all: Vec<(BillerId, Arc<Routes>)> = {
        let routes = city.bill.routes.read().expect("no panic while held");
        routes.iter().map(|(biller, routes)| (*biller, routes.clone())).collect()
    };
    let now = city.now();
    // One question for each door, whoever uses it.
    let mut doors: HashMap<usize, (Arc<dyn Door>, Users)> = HashMap::new();
    for (_, routes) in all {
        for (at, lane) in routes.lanes.iter().enumerate() {
            if lane.may_be_probed(&routes, now) {
                let which = Arc::as_ptr(&lane.door).cast::<()>() as usize;
                let users = &mut doors.entry(which).or_insert_with(|| (lane.door.clone(), Vec::new())).1;
                users.push((routes.clone(), at));
            }
        }
    }
    let mut asked = JoinSet::new();
    for (door, users) in doors.into_values() {
        while asked.len() >= AT_ONCE {
            asked.join_next().await;
        }
        asked.spawn(async move {
            for (routes, at) in &users {
                routes.lanes[*at].begin(now);
            }
            let reply: Reply = door.probe().await;
            for (routes, at) in &users {
                routes.lanes[*at].note(&reply, routes.clock.now());
            }
        });
    }
    while asked.join_next().await.is_some() {}
}
