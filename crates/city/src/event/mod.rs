//! Telling shops what happened to their trades: live, to tills that listen, and by webhook.
//!
//! The ledger's feed is the only source; nothing is told that is not committed, and everything told
//! can be told again from the ledger.
//!
//! | | live ([`subscribe`]) | webhook ([`create_endpoint`]) |
//! |---|---|---|
//! | follower | [`live`]: in memory, from now on | [`follow`]: watermark in SQL |
//! | order | that of the ledger | of one trade: that of the ledger |
//! | loss | none: resumes after any ledger timestamp | none: rows and watermark in one transaction |
//! | again | a resumed stream never repeats | at least once, same `webhook-id` |
//!
//! Invariants:
//! - A payment to a shop nobody listens for and without an endpoint costs a look into a map, no SQL.
//! - A delivery is not tried while an earlier one of the same trade and endpoint is pending.
//! - Messages never say who paid.

mod client;
mod deliver;
mod endpoint;
mod error;
mod follow;
pub mod http;
mod lanes;
mod live;
pub mod message;
mod replay;
pub mod rules;
pub mod signature;
mod store;

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use kernel::Timestamp;
use kernel::ids::{EndpointId, EventId, MerchantId, TradeId};
use ledger::Transfer;
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::JoinHandle;

pub use endpoint::{
    create_endpoint, delete_endpoint, deliveries, delivery, disabled, enable_endpoint, endpoint, endpoints,
    rotate_secret,
};
pub use error::EventError;
pub use follow::position;
pub use live::{Subscription, subscribe};
pub use message::{EventType, Message};
pub use replay::{Replayed, replay, resend};

use crate::City;

/// How many listen to the live events of one shop at most.
pub const LISTENERS_MAX: usize = 256;
/// How many webhook endpoints a shop has at most.
pub const ENDPOINTS_MAX: i64 = 10;
/// The kind of the jobs that deliver.
const JOB: &str = "webhook";

/// What the event slice keeps in memory.
#[derive(Default)]
pub struct State {
    /// Who listens, by [`crate::books::merchant_tag`] of the shop.
    listeners: RwLock<HashMap<u64, broadcast::Sender<Transfer>>>,
    /// Wakes the worker: there is something to deliver.
    due: Notify,
    /// Wakes the follower: endpoints have changed on this node.
    changed: Notify,
    /// What sends webhooks.
    client: RwLock<Arc<client::Client>>,
    /// Ends live streams when the server stops.
    stop: RwLock<Option<watch::Receiver<bool>>>,
}

impl State {
    /// Sets root certificates (DER) that webhooks trust beside the system's own.
    pub fn trust(&self, roots: Vec<Vec<u8>>) {
        *self.client.write().expect("no panic while held") = Arc::new(client::Client::new(roots));
    }

    fn client(&self) -> Arc<client::Client> {
        self.client.read().expect("no panic while held").clone()
    }
}

/// Starts the follower for live events, the follower for webhooks and the worker that delivers.
pub fn start(city: &City, stop: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
    *city.event.stop.write().expect("no panic while held") = Some(stop.clone());
    vec![
        tokio::spawn(live::run(city.clone(), stop.clone())),
        tokio::spawn(follow::run(city.clone(), stop.clone())),
        tokio::spawn(deliver::run(city.clone(), stop.clone())),
    ]
}

/// A webhook endpoint, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Which.
    pub id: EndpointId,
    /// Whose.
    pub merchant: MerchantId,
    /// Where events are sent.
    pub url: String,
    /// The event types it wants; `None` is all.
    pub types: Option<Vec<EventType>>,
    /// Ledger timestamp, ns: later events are sent.
    pub from_ledger: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// The first failure since the last success.
    pub failing_since: Option<Timestamp>,
    /// From when on nothing is sent, and why.
    pub disabled: Option<(Timestamp, String)>,
}

impl Endpoint {
    /// Whether it wants events of this type.
    pub fn wants(&self, kind: EventType) -> bool {
        self.types.as_ref().is_none_or(|types| types.contains(&kind))
    }
}

/// What has become of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It will be tried (again).
    Pending,
    /// The receiver took it.
    Delivered,
    /// Every try failed, or the endpoint was disabled or deleted; a replay begins anew.
    GivenUp,
}

impl DeliveryState {
    const fn name(self) -> &'static str {
        match self {
            DeliveryState::Pending => "pending",
            DeliveryState::Delivered => "delivered",
            DeliveryState::GivenUp => "given_up",
        }
    }

    fn from_name(name: &str) -> Option<DeliveryState> {
        [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::GivenUp]
            .into_iter()
            .find(|s| s.name() == name)
    }
}

/// An event on its way to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Where to.
    pub endpoint: EndpointId,
    /// Which event; the `webhook-id`.
    pub event: EventId,
    /// What it tells.
    pub kind: EventType,
    /// The ordering key.
    pub trade: TradeId,
    /// Ledger timestamp, ns.
    pub at: u64,
    /// The very bytes that are signed and sent.
    pub body: String,
    /// What has become of it.
    pub state: DeliveryState,
    /// Failed tries since it was last set to pending.
    pub tries: u32,
    /// When it is due, while pending.
    pub next_at: Timestamp,
    /// When it was delivered or given up.
    pub finished_at: Option<Timestamp>,
}

/// One try of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, milliseconds.
    pub duration_ms: u64,
    /// HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// Why it does not count as delivered.
    pub error: Option<String>,
}
