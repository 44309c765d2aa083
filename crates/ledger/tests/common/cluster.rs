//! The real cluster, where `TIGERBEETLE_ADDRESSES` names one that was started fresh (`TIGERBEETLE_CLUSTER` is its
//! number, 0 when absent). One server serves every test of a run: each test has its own range of ids and sees
//! what is newer than itself, and tests of one program take turns.
#![allow(dead_code, reason = "each test file uses its own part")]

use kernel::{Clock, SystemClock};
use ledger::{Cluster, ClusterOptions};
use tokio::sync::{Mutex, MutexGuard};

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// Where the server is, if there is one.
pub fn server() -> Option<(u128, String)> {
    let addresses = std::env::var("TIGERBEETLE_ADDRESSES").ok().filter(|a| !a.is_empty())?;
    let cluster = std::env::var("TIGERBEETLE_CLUSTER").map_or(0, |n| n.parse().expect("a cluster number"));
    Some((cluster, addresses))
}

/// Says that a test was left out on the cluster, and why.
pub fn skipped(what: &str, why: &str) {
    eprintln!("skipped on TigerBeetle: {what}: {why}");
}

/// Waits for this program's turn on the server.
pub async fn turn() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().await
}

/// Connects to the server, or says that `what` was left out.
pub async fn connect(what: &str) -> Option<Cluster> {
    let Some((cluster, addresses)) = server() else {
        skipped(what, "TIGERBEETLE_ADDRESSES names no server");
        return None;
    };
    Some(Cluster::connect(cluster, &addresses, ClusterOptions::default()).await.expect("the server answers"))
}

/// A range of ids of its own.
#[derive(Clone, Copy, Debug)]
pub struct Ids(u128);

impl Ids {
    /// A fresh range: nobody takes one in the same nanosecond.
    pub fn new() -> Ids {
        let now = u64::try_from(SystemClock.now().as_nanos()).expect("after 1970");
        Ids(u128::from(now) << 64)
    }
    /// The range of a ledger that one test has to itself: ids as they are written.
    pub const fn plain() -> Ids {
        Ids(0)
    }
    /// The id that stands for `n`. Zero and the greatest numbers stay what they are.
    pub fn real(self, n: u128) -> u128 {
        if n == 0 || n > u128::from(u64::MAX) { n } else { self.0 | n }
    }
    /// What `real` made an id of.
    pub fn written(self, id: u128) -> u128 {
        if self.owns(id) { id ^ self.0 } else { id }
    }
    /// Whether an id is of this range.
    pub fn owns(self, id: u128) -> bool {
        id >> 64 == self.0 >> 64
    }
}
