//! What tests of engines share. The language of cases is in `case`, what a case plays on in `stage`.
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod case;
pub mod cluster;
pub mod history;
pub mod model;
pub mod proxy;
pub mod stage;

use std::path::Path;
use std::sync::Arc;

use kernel::{ManualClock, Timestamp};
use ledger::{Account, Embedded, Engine, Options, QueryFilter, Transfer};

/// Where every test's clock begins, in nanoseconds.
pub const START: i64 = 1_700_000_000_000_000_000;

pub fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_nanos(START)))
}

pub fn open(dir: &Path, clock: &Arc<ManualClock>) -> Embedded {
    Embedded::open(dir, clock.clone()).expect("the ledger opens").0
}

/// Segments of some records, so that a test meets indexes, merges and snapshots.
pub fn small_segments() -> Options {
    Options { file_bytes: 2048, merge: 4, snapshot_bytes: 16384 }
}

/// Small files, so that a test crosses from one to the next.
pub fn open_small(dir: &Path, clock: &Arc<ManualClock>) -> Embedded {
    Embedded::open_with(dir, clock.clone(), small_segments()).expect("the ledger opens").0
}

pub fn account(id: u128) -> Account {
    Account { id, ledger: 1, code: 1, ..Account::default() }
}

pub fn transfer(id: u128, debit: u128, credit: u128, amount: u128) -> Transfer {
    let accounts = Transfer { debit_account_id: debit, credit_account_id: credit, ..Transfer::default() };
    Transfer { id, amount, ledger: 1, code: 1, ..accounts }
}

/// Everything an engine shows.
pub async fn everything(engine: &dyn Engine) -> (Vec<Account>, Vec<Transfer>) {
    let all = QueryFilter { limit: 8189, ..QueryFilter::default() };
    (engine.query_accounts(all).await.unwrap(), engine.query_transfers(all).await.unwrap())
}
