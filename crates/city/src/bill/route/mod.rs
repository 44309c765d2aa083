//! The ways to billers that are asked: which there are, which one a question goes, and what is known of their health.
//!
//! A claim carries the number of the way it goes, so whoever asks for its outcome asks where it was sent. A way that
//! fails is given up for a while ([`rules::Breaker`]); a payment whose question never left goes another way.
//! Where an institution is, and its secrets, is this installation's affair: [`DoorSetting`], by `pack/channel`.

mod probe;
pub mod rules;
pub mod spec;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use channel::bank::line::BankDoor;
use channel::bank::message::Dialect;
use channel::direct::{HttpDoor, Setting};
use channel::secrets::Held;
use channel::tls::Tls;
use channel::{Debt, Door, Meaning, Payment, Reply};
use kernel::ids::BillerId;
use kernel::{Clock, Timestamp, UtcOffset};
use ledger::BoxFuture;
use serde::Serialize;
use url::Url;
use utoipa::ToSchema;

pub use self::probe::{Seen, probe_all};
use self::rules::{Breaker, Candidate, Gate, Pace};
use self::spec::{Channel, Way};
use super::connector::{BillerConnector, Claim, Outcome};
use super::{BillError, Pack};
use crate::City;

/// Where an institution is, and what proves us to it.
#[derive(Clone, Debug)]
pub struct DoorSetting {
    /// Scheme, host and port; a path before every path.
    pub url: Url,
    /// By the names that the pack has.
    pub secrets: Held,
    /// For `https`.
    pub tls: Tls,
}

/// The doors of this installation, by `pack/channel`.
pub type Doors = BTreeMap<String, DoorSetting>;

/// Where a bank is, how it writes, and what proves us to it.
#[derive(Clone, Debug)]
pub struct LineSetting {
    /// `host:port`.
    pub address: String,
    /// The description of its line, proved.
    pub dialect: Arc<Dialect>,
    /// By the names that the description has.
    pub secrets: Held,
}

/// The lines to banks of this installation, by name. Each carries any number of billers.
pub type Lines = BTreeMap<String, LineSetting>;

/// The lines, connected.
pub(super) type OpenLines = BTreeMap<String, Arc<BankDoor>>;

/// Connects the lines to banks.
pub(super) fn open_lines(city: &City) -> OpenLines {
    let mut open = OpenLines::new();
    for (name, line) in &city.settings.lines {
        let (dialect, clock, rng) = (Dialect::clone(&line.dialect), city.clock.clone(), city.rng.clone());
        match BankDoor::open(&line.address, dialect, &line.secrets, clock, rng) {
            Ok(door) => drop(open.insert(name.clone(), Arc::new(door))),
            Err(why) => tracing::error!(line = name, %why, "a line to a bank does not open"),
        }
    }
    open
}

/// The ways to one biller.
pub struct Routes {
    lanes: Vec<Lane>,
    offset: UtcOffset,
    clock: Arc<dyn Clock>,
}

struct Lane {
    channel: Channel,
    door: Arc<dyn Door>,
    /// Whether payments can be asked back this way.
    refunds: bool,
    state: Mutex<LaneState>,
    tally: Tally,
}

/// What changes with every question.
#[derive(Default)]
struct LaneState {
    breaker: Breaker,
    pace: Pace,
    /// When it was asked last, and whether anybody answered.
    last: Option<(Timestamp, bool)>,
}

/// What was asked this way since the node started.
#[derive(Default)]
struct Tally {
    done: AtomicU64,
    refused: AtomicU64,
    silent: AtomicU64,
    unsent: AtomicU64,
    /// Milliseconds since the epoch; 0 for never.
    last_answer: AtomicU64,
}

/// A way, as operators see it.
#[derive(Clone, Debug, Serialize, PartialEq, Eq, ToSchema)]
pub struct LaneHealth {
    /// Its name in the pack.
    pub channel: String,
    /// Of which kind it is.
    pub way: Way,
    /// `closed` while it works, `open` while it is given up, `half_open` when one question may find out.
    pub gate: &'static str,
    /// Questions answered with yes, since this node started.
    pub done: u64,
    /// Questions answered with a reason why not.
    pub refused: u64,
    /// Questions without an answer.
    pub silent: u64,
    /// Questions that never left.
    pub unsent: u64,
    /// When somebody last answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_answer: Option<Timestamp>,
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lanes.iter().map(|lane| &lane.channel.name)).finish()
    }
}

/// Puts doors of this process behind the ways of a biller, by channel, in the place of those that the settings name: a way
/// without one is closed. For whole cities that are tried out with both sides in one process.
pub async fn put_doors(
    city: &City,
    biller: BillerId,
    doors: &BTreeMap<String, Arc<dyn Door>>,
) -> Result<(), BillError> {
    let pack = super::pack(city, biller).await?;
    let lane = |channel: &Channel| {
        let (door, refunds) = (doors.get(&channel.name)?.clone(), takes_refunds(city, channel));
        let (channel, state, tally) = (channel.clone(), Mutex::default(), Tally::default());
        Some(Lane { channel, door, refunds, state, tally })
    };
    let lanes = pack.spec.channels.iter().filter_map(lane).collect();
    let routes = Arc::new(Routes { lanes, offset: city.settings.offset, clock: city.clock.clone() });
    city.bill.routes.write().expect("no panic while held").insert(biller, routes.clone());
    super::connect(city, biller, routes);
    Ok(())
}

impl Routes {
    /// The ways of a pack for which this installation has a door; nothing where the pack has no ways at all.
    pub(super) fn open(city: &City, pack: &Pack) -> Option<Routes> {
        if pack.spec.channels.is_empty() {
            return None;
        }
        let mut lanes = Vec::new();
        for channel in &pack.spec.channels {
            let name = format!("{}/{}", pack.spec.id, channel.name);
            let lane = |door: Arc<dyn Door>| Lane {
                channel: channel.clone(),
                door,
                refunds: takes_refunds(city, channel),
                state: Mutex::default(),
                tally: Tally::default(),
            };
            if let Some(by) = &channel.provider {
                match city.bill.providers().get(&by.connection) {
                    Some(door) => lanes.push(lane(door.clone())),
                    None => {
                        tracing::debug!(
                            door = name,
                            "no provider is configured: payments do not go this way"
                        );
                    }
                }
                continue;
            }
            let Some(direct) = &channel.direct else {
                let line = channel.bank.as_ref().and_then(|bank| city.bill.lines().get(&bank.line));
                if let Some(line) = line {
                    lanes.push(lane(line.clone()));
                } else {
                    tracing::debug!(door = name, "no line is configured: payments do not go this way");
                }
                continue;
            };
            let Some(door) = city.settings.doors.get(&name) else {
                tracing::debug!(door = name, "no address is configured: payments do not go this way");
                continue;
            };
            let setting = Setting {
                base: door.url.clone(),
                tls: door.tls.clone(),
                secrets: Arc::new(door.secrets.clone()),
                institution: String::new(),
                timeout: Duration::from_secs(channel.timeout_s.into()).min(city.settings.patience),
                retries: 1,
                offset: city.settings.offset,
                clock: city.clock.clone(),
                rng: city.rng.clone(),
            };
            match HttpDoor::new(direct.clone(), setting) {
                Ok(door) => lanes.push(lane(Arc::new(door))),
                Err(why) => tracing::error!(door = name, %why, "a door does not open"),
            }
        }
        Some(Routes { lanes, offset: city.settings.offset, clock: city.clock.clone() })
    }

    /// Whether there is any.
    pub fn is_connected(&self) -> bool {
        !self.lanes.is_empty()
    }

    /// How they are.
    pub fn health(&self) -> Vec<LaneHealth> {
        let now = self.clock.now();
        self.lanes.iter().map(|lane| lane.health(now)).collect()
    }

    fn choose<'a>(&'a self, amount: i64, fits: impl Fn(&Channel) -> bool) -> Option<&'a Lane> {
        let now = self.clock.now();
        let candidate = |lane: &'a Lane| {
            let state = lane.state();
            let has_room = lane.channel.rate_per_s.is_none() || state.pace.allows(now);
            Candidate { channel: &lane.channel, gate: state.breaker.gate(now), has_room }
        };
        let candidates: Vec<_> = self.lanes.iter().map(candidate).collect();
        let lane = &self.lanes[rules::choose(&candidates, amount, now, self.offset, fits)?];
        let mut state = lane.state();
        state.breaker.try_out(now);
        if let Some(rate) = lane.channel.rate_per_s {
            state.pace.take(rate, now);
        }
        drop(state);
        Some(lane)
    }

    fn lane(&self, number: u32) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.channel.number() == number)
    }

    /// Orders that supply be restored, by the first way that takes such orders; a way that is closed now, or silent, is
    /// asked again later, not replaced: two ways may lead to two desks.
    pub(super) async fn restore(&self, order: &str, account_no: &str) -> Option<Reply> {
        let takes = |c: &Channel| c.direct.as_ref().is_some_and(|direct| direct.restore.is_some());
        if !self.lanes.iter().any(|lane| takes(&lane.channel)) {
            return None;
        }
        let Some(lane) = self.choose(0, takes) else {
            return Some(Reply::NotSent("no way is open now".to_owned()));
        };
        let reply = lane.door.restore(order, lane.channel.institution(), account_no).await;
        lane.note(&reply, self.clock.now());
        Some(reply)
    }

    /// The name of a way.
    pub(super) fn name_of(&self, way: u32) -> Option<String> {
        self.lane(way).map(|lane| lane.channel.name.clone())
    }

    /// What became of a payment, asked where it was sent. Unlike [`BillerConnector::inquire`] takes nothing back,
    /// whatever the answer.
    pub(super) async fn look(&self, claim: &Claim) -> Option<Reply> {
        let lane = self.lane(claim.way)?;
        let reply = lane.door.inquire(&payment(&lane.channel, claim)).await;
        lane.note(&reply, self.clock.now());
        Some(reply)
    }

    /// Asks for a part of a payment back, where it was sent; `None` where that way takes no such requests.
    pub(super) async fn refund(&self, claim: &Claim, reference: &str, amount_minor: i64) -> Option<Reply> {
        let lane = self.lane(claim.way).filter(|lane| lane.refunds)?;
        let reply = lane.door.refund(&payment(&lane.channel, claim), reference, amount_minor).await;
        lane.note(&reply, self.clock.now());
        Some(reply)
    }

    /// What is owed on an account, by the way that is best for it. `None` when no way is open.
    pub(super) async fn query(&self, account_no: &str) -> Option<Reply<Vec<Debt>>> {
        let mut tried = Vec::new();
        loop {
            let free = |c: &Channel| c.has_query() && !tried.contains(&c.number());
            let lane = self.choose(0, free)?;
            let reply = lane.door.query(lane.channel.institution(), account_no).await;
            lane.note(&reply, self.clock.now());
            match reply {
                Reply::Silent(_) | Reply::NotSent(_) => tried.push(lane.channel.number()),
                answered => return Some(answered),
            }
        }
    }
}

impl Lane {
    fn state(&self) -> MutexGuard<'_, LaneState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note<T>(&self, reply: &Reply<T>, now: Timestamp) {
        let (count, answered) = match reply {
            Reply::Said(_) | Reply::Meant(Meaning::Duplicate) => (&self.tally.done, true),
            Reply::Meant(_) => (&self.tally.refused, true),
            Reply::Silent(why) => {
                tracing::warn!(channel = self.channel.name, why, "a biller is silent");
                (&self.tally.silent, false)
            }
            Reply::NotSent(why) => {
                tracing::warn!(channel = self.channel.name, why, "a biller cannot be reached");
                (&self.tally.unsent, false)
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.state().last = Some((now, answered));
        if answered {
            self.tally.last_answer.store(u64::try_from(now.as_millis()).unwrap_or(0), Ordering::Relaxed);
            self.state().breaker.answered();
        } else {
            self.state().breaker.failed(now);
        }
    }

    fn health(&self, now: Timestamp) -> LaneHealth {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let last = i64::try_from(count(&self.tally.last_answer)).unwrap_or(0);
        LaneHealth {
            channel: self.channel.name.clone(),
            way: self.channel.way(),
            gate: match self.state().breaker.gate(now) {
                Gate::Closed => "closed",
                Gate::HalfOpen => "half_open",
                Gate::Open => "open",
            },
            done: count(&self.tally.done),
            refused: count(&self.tally.refused),
            silent: count(&self.tally.silent),
            unsent: count(&self.tally.unsent),
            last_answer: (last > 0).then(|| Timestamp::from_millis(last)),
        }
    }
}

/// Whether payments can be asked back this way.
fn takes_refunds(city: &City, channel: &Channel) -> bool {
    let line = channel.bank.as_ref().and_then(|bank| city.settings.lines.get(&bank.line));
    channel.direct.as_ref().is_some_and(|direct| direct.refund.is_some())
        || line.is_some_and(|line| line.dialect.spec().refund.is_some())
}

/// The claim in the institution's terms.
fn payment(channel: &Channel, claim: &Claim) -> Payment {
    Payment {
        id: claim.payment.to_string(),
        institution: channel.institution().to_owned(),
        account_no: claim.account_no.clone(),
        bill_no: claim.bill_no.clone(),
        period: claim.period,
        amount_minor: claim.amount_minor,
        at: claim.at,
    }
}

/// A refusal in words that a payer may read.
fn reason(meaning: Meaning) -> String {
    let why = match meaning {
        Meaning::AccountUnknown => "it does not know the account",
        Meaning::NothingDue => "nothing is due",
        Meaning::AmountDiffers => "the amount due has changed",
        Meaning::AlreadyPaid => "it is paid already",
        Meaning::Closed => "it is closed at this hour",
        Meaning::Busy => "it is too busy",
        Meaning::Unknown => "it never received the payment",
        _ => "without a reason",
    };
    why.to_owned()
}

impl BillerConnector for Routes {
    fn way<'a>(&'a self, amount_minor: i64, tried: &'a [u32]) -> Option<u32> {
        let lane = self.choose(amount_minor, |channel| !tried.contains(&channel.number()))?;
        Some(lane.channel.number())
    }

    fn confirm<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let Some(lane) = self.lane(claim.way) else { return Outcome::NotSent };
            let reply = lane.door.pay(&payment(&lane.channel, claim)).await;
            lane.note(&reply, self.clock.now());
            match reply {
                Reply::Said(()) | Reply::Meant(Meaning::Ok | Meaning::Duplicate) => Outcome::Confirmed,
                Reply::Meant(Meaning::Pending | Meaning::Unknown) | Reply::Silent(_) => Outcome::Silent,
                Reply::Meant(meaning) => Outcome::Refused(reason(meaning)),
                Reply::NotSent(_) => Outcome::NotSent,
            }
        })
    }

    fn inquire<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let Some(lane) = self.lane(claim.way) else { return Outcome::Silent };
            let payment = payment(&lane.channel, claim);
            let reply = lane.door.inquire(&payment).await;
            lane.note(&reply, self.clock.now());
            match reply {
                Reply::Said(()) | Reply::Meant(Meaning::Ok | Meaning::Duplicate) => Outcome::Confirmed,
                Reply::Meant(Meaning::Pending | Meaning::Busy | Meaning::Closed)
                | Reply::Silent(_)
                | Reply::NotSent(_) => Outcome::Silent, // it cannot be asked now
                // It has not been taken, but may be on its way still: after this it never will be taken.
                Reply::Meant(meaning) => match lane.door.reverse(&payment).await {
                    Reply::Said(()) | Reply::Meant(Meaning::Ok | Meaning::Duplicate) => {
                        Outcome::Refused(reason(meaning))
                    }
                    _ => Outcome::Silent,
                },
            }
        })
    }
}
