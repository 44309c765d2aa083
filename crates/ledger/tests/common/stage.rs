//! Where a test plays: an engine, its ids, its time. The same test runs on each.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;
use std::time::Duration;

use kernel::{Clock, ManualClock, SystemClock};
use ledger::{Account, Embedded, Engine, QueryFilter, Transfer};
use tempfile::TempDir;
use tokio::sync::MutexGuard;

use super::cluster::{self, Ids};
use super::{account, clock, open_small, transfer};

/// An engine to test on.
pub struct Stage {
    pub engine: Arc<dyn Engine>,
    pub ids: Ids,
    /// Everything of this test is newer.
    pub since: u64,
    /// The embedded engine's directory.
    pub dir: Option<TempDir>,
    /// The clock that a test moves by hand; `None` where time passes by itself.
    pub manual: Option<Arc<ManualClock>>,
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Stage {
    /// The embedded engine, in a directory of its own, with small files.
    pub fn embedded() -> Stage {
        let dir = tempfile::tempdir().unwrap();
        let clock = clock();
        let engine = Arc::new(open_small(dir.path(), &clock));
        Stage { engine, ids: Ids::plain(), since: 0, dir: Some(dir), manual: Some(clock), _turn: None }
    }

    /// The embedded engine on the machine's clock, as neighbour of a cluster: with ids as `beside` has them.
    pub fn embedded_beside(beside: &Stage) -> Stage {
        let dir = tempfile::tempdir().unwrap();
        let (engine, _) = Embedded::open(dir.path(), Arc::new(SystemClock)).unwrap();
        Stage {
            engine: Arc::new(engine),
            ids: beside.ids,
            since: 0,
            dir: Some(dir),
            manual: None,
            _turn: None,
        }
    }

    /// TigerBeetle, where there is a server.
    pub async fn cluster(what: &str) -> Option<Stage> {
        let turn = cluster::turn().await;
        let engine = Arc::new(cluster::connect(what).await?);
        let ids = Ids::new();
        // The cluster's own time is what counts; two accounts nobody uses show it.
        let probe = [u64::MAX, u64::MAX - 1].map(|n| account(ids.real(n.into()))).to_vec();
        let since = engine.create_accounts(probe).await.unwrap()[1].timestamp;
        tokio::time::sleep(Duration::from_millis(20)).await; // room for timestamps that tests import
        Some(Stage { engine, ids, since, dir: None, manual: None, _turn: Some(turn) })
    }

    /// Which engine it is.
    pub fn name(&self) -> &'static str {
        if self.dir.is_some() { "embedded" } else { "TigerBeetle" }
    }

    /// The timestamp that stands for `n` nanoseconds in a test; those that no import can have stay.
    pub fn time(&self, n: u64) -> u64 {
        if n == 0 || n > 1 << 62 || self.dir.is_some() { n } else { self.since + n }
    }

    /// The engine's clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        match &self.manual {
            Some(clock) => clock.clone(),
            None => Arc::new(SystemClock),
        }
    }

    /// The newest timestamp that an answer can have now.
    pub fn now(&self) -> u64 {
        // An engine on the machine's clock answers a little later than now.
        let slack = if self.manual.is_some() { 1_000_000 } else { 1_000_000_000 };
        u64::try_from(self.clock().now().as_nanos()).unwrap() + slack
    }

    /// Lets time pass, and what is due by then expire.
    pub async fn pass(&self, time: Duration) {
        match &self.manual {
            Some(clock) => {
                clock.advance(time);
                self.engine.create_transfers(vec![]).await.unwrap();
            }
            // A little more, for the cluster's own tick.
            None => tokio::time::sleep(time + Duration::from_millis(200)).await,
        }
    }

    /// As `common::account`, with an id of this test.
    pub fn account(&self, id: u128) -> Account {
        account(self.ids.real(id))
    }

    /// As `common::transfer`, with ids of this test.
    pub fn transfer(&self, id: u128, debit: u128, credit: u128, amount: u128) -> Transfer {
        transfer(self.ids.real(id), self.ids.real(debit), self.ids.real(credit), amount)
    }

    /// Everything of this test that the engine shows.
    pub async fn everything(&self) -> (Vec<Account>, Vec<Transfer>) {
        let all = QueryFilter { limit: 8189, timestamp_min: self.since + 1, ..QueryFilter::default() };
        (self.engine.query_accounts(all).await.unwrap(), self.engine.query_transfers(all).await.unwrap())
    }
}

/// Plays `test` on the embedded engine, and on TigerBeetle where there is a server.
pub async fn on_each<F: Future<Output = ()>>(what: &str, test: impl Fn(Arc<Stage>) -> F) {
    test(Arc::new(Stage::embedded())).await;
    if let Some(stage) = Stage::cluster(what).await {
        test(Arc::new(stage)).await;
    }
}
