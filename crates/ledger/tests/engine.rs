//! The embedded engine through its door: reads, feed, expiry, restarts, refusals.

use std::sync::Arc;
use std::time::Duration;

use kernel::{ManualClock, Timestamp};
use ledger::{
    Account, AccountBalance, AccountFilter, AccountFilterFlags, AccountFlags, BATCH_MAX,
    CreateTransferStatus as S, Embedded, Engine, EngineError, OpenError, QueryFilter, QueryFilterFlags,
    Transfer, TransferFlags,
};
use tempfile::TempDir;

const START: i64 = 1_700_000_000_000_000_000;

fn open(dir: &TempDir, clock: &Arc<ManualClock>) -> Embedded {
    Embedded::open(dir.path(), clock.clone()).expect("opens").0
}

fn account(id: u128) -> Account {
    Account { id, ledger: 156, code: 1, ..Account::default() }
}

fn transfer(id: u128, debit: u128, credit: u128, amount: u128) -> Transfer {
    Transfer {
        id,
        debit_account_id: debit,
        credit_account_id: credit,
        amount,
        ledger: 156,
        code: 1,
        ..Transfer::default()
    }
}

async fn create(engine: &Embedded, events: Vec<Transfer>) -> Vec<S> {
    engine.create_transfers(events).await.unwrap().into_iter().map(|r| r.status).collect()
}

async fn engine_with_accounts(dir: &TempDir, clock: &Arc<ManualClock>, ids: &[u128]) -> Embedded {
    let engine = open(dir, clock);
    let results = engine.create_accounts(ids.iter().map(|id| account(*id)).collect()).await.unwrap();
    assert!(results.iter().all(|r| r.status.is_in_ledger()), "{results:?}");
    engine
}

#[tokio::test]
async fn what_was_answered_is_there_after_reopening() {
    let dir = TempDir::new().unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp::from_nanos(START)));
    let engine = engine_with_accounts(&dir, &clock, &[1, 2]).await;
    assert_eq!(create(&engine, vec![transfer(10, 1, 2, 500)]).await, [S::Created]);
    let before = (
        engine.lookup_accounts(vec![1, 2, 3]).await.unwrap(),
        engine.lookup_transfers(vec![10, 11]).await.unwrap(),
    );
    assert_eq!(before.0.len(), 2);
    assert_eq!(before.0[1].credits_posted, 500);
    drop(engine);

    // The clock went back meanwhile; timestamps did not.
    clock.set(Timestamp::from_nanos(START - 1_000_000));
    let (engine, recovery) = Embedded::open(dir.path(), clock.clone()).unwrap();
    assert_eq!((recovery.frames, recovery.records, recovery.torn), (2, 3, None));
    let after = (
        engine.lookup_accounts(vec![1, 2, 3]).await.unwrap(),
        engine.lookup_transfers(vec![10, 11]).await.unwrap(),
    );
    assert_eq!(before, after);
    let again = engine.create_transfers(vec![transfer(10, 1, 2, 500), transfer(11, 1, 2, 1)]).await.unwrap();
    assert_eq!((again[0].status, again[0].timestamp), (S::Exists, before.1[0].timestamp));
    assert_eq!(again[1].status, S::Created);
    assert!(again[1].timestamp > before.1[0].timestamp);
}
