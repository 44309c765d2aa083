//! The embedded engine through its door: the feed, restarts, concurrency. Questions are in `reading.rs`.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{START, account, clock, everything, open, open_small, transfer};
use kernel::Timestamp;
use ledger::{
    Account, AccountFlags, BATCH_MAX, CreateAccountStatus, CreateTransferStatus as S, Embedded, Engine,
    EngineError, OpenError, Transfer, TransferFlags,
};
use tempfile::tempdir;

async fn create(engine: &dyn Engine, events: Vec<Transfer>) {
    let results = engine.create_transfers(events).await.unwrap();
    assert!(results.iter().all(|r| r.status == S::Created), "{results:?}");
}

#[tokio::test]
async fn what_was_answered_is_there_after_reopening_and_time_never_goes_back() {
    let dir = tempdir().unwrap();
    let clock = clock();
    let engine = open(dir.path(), &clock);
    engine.create_accounts(vec![account(1), account(2)]).await.unwrap();
    create(&engine, vec![transfer(10, 1, 2, 500)]).await;
    let before = everything(&engine).await;
    assert_eq!(before.0[1].credits_posted, 500);
    drop(engine);

    clock.set(Timestamp::from_nanos(START - 1_000_000));
    let (engine, recovery) = Embedded::open(dir.path(), clock.clone()).unwrap();
    assert_eq!((recovery.frames, recovery.records, recovery.torn), (2, 3, None));
    assert_eq!(before, everything(&engine).await);
    let events = vec![transfer(10, 1, 2, 500), transfer(11, 1, 2, 1)];
    let again = engine.create_transfers(events).await.unwrap();
    assert_eq!((again[0].status, again[0].timestamp), (S::Exists, before.1[0].timestamp));
    assert_eq!(again[1].status, S::Created);
    assert!(again[1].timestamp > before.1[0].timestamp);
}

#[tokio::test]
async fn requests_beyond_one_batch_are_refused_whole() {
    let dir = tempdir().unwrap();
    let engine = open(dir.path(), &clock());
    let too_many = BATCH_MAX + 1;
    let accounts = (1..=too_many as u128).map(account).collect::<Vec<_>>();
    assert_eq!(engine.create_accounts(accounts).await.unwrap_err(), EngineError::TooMuchData);
    let transfers = vec![transfer(1, 1, 2, 1); too_many];
    assert_eq!(engine.create_transfers(transfers).await.unwrap_err(), EngineError::TooMuchData);
    assert_eq!(engine.lookup_accounts(vec![1; too_many]).await.unwrap_err(), EngineError::TooMuchData);
    assert_eq!(engine.lookup_transfers(vec![1; too_many]).await.unwrap_err(), EngineError::TooMuchData);
    assert_eq!(everything(&engine).await, (vec![], vec![]));
    let accounts = (1..=BATCH_MAX as u128).map(account).collect::<Vec<_>>();
    let results = engine.create_accounts(accounts).await.unwrap();
    assert!(results.iter().all(|r| r.status == CreateAccountStatus::Created));
}

#[tokio::test]
async fn the_feed_gives_every_transfer_once_in_order_and_wakes_its_followers() {
    let dir = tempdir().unwrap();
    let engine: Arc<dyn Engine> = Arc::new(open(dir.path(), &clock()));
    let mut committed = engine.committed();
    assert_eq!(*committed.borrow_and_update(), 0);
    engine.create_accounts(vec![account(1), account(2)]).await.unwrap();
    assert!(!committed.has_changed().unwrap(), "an account is no news for the feed");

    let follower = tokio::spawn({
        let engine = engine.clone();
        async move {
            let (mut seen, mut after) = (Vec::new(), 0);
            while seen.len() < 50 {
                let items = engine.feed(after, 7).await.unwrap();
                if items.is_empty() {
                    committed.changed().await.unwrap();
                    continue;
                }
                after = items.last().unwrap().timestamp();
                seen.extend(items.iter().map(|i| i.transfer.id));
            }
            (seen, after, *committed.borrow_and_update())
        }
    });
    for i in 0..25 {
        create(&*engine, vec![transfer(2 * i + 1, 1, 2, 1), transfer(2 * i + 2, 1, 2, 1)]).await;
    }
    let (seen, after, committed) =
        tokio::time::timeout(Duration::from_secs(20), follower).await.unwrap().unwrap();
    assert_eq!(seen, (1..=50).collect::<Vec<u128>>());
    assert_eq!(after, committed);
    assert_eq!(engine.feed(after, 7).await.unwrap(), []);
    assert_eq!(engine.feed(0, 0).await.unwrap(), []);
}

#[tokio::test]
async fn an_idle_engine_expires_by_itself() {
    let dir = tempdir().unwrap();
    let clock = clock();
    let engine = open(dir.path(), &clock);
    engine.create_accounts(vec![account(1), account(2)]).await.unwrap();
    create(&engine, vec![Transfer { flags: TransferFlags::Pending, timeout: 5, ..transfer(10, 1, 2, 7) }])
        .await;
    clock.advance(Duration::from_secs(6));
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if engine.lookup_accounts(vec![1]).await.unwrap()[0].debits_pending == 0 {
            return;
        }
    }
    panic!("the pending transfer never expired");
}

#[tokio::test]
async fn a_closed_engine_says_so_and_gives_up_its_directory() {
    let dir = tempdir().unwrap();
    let clock = clock();
    let engine = open(dir.path(), &clock);
    engine.create_accounts(vec![account(1), account(2)]).await.unwrap();
    assert!(matches!(Embedded::open(dir.path(), clock.clone()), Err(OpenError::Locked(_))));
    let last = engine.create_transfers(vec![transfer(10, 1, 2, 1)]);
    engine.close();
    assert_eq!(last.await.unwrap()[0].status, S::Created, "what was queued before is still done");
    assert_eq!(engine.create_transfers(vec![transfer(11, 1, 2, 1)]).await.unwrap_err(), EngineError::Closed);
    assert_eq!(engine.lookup_accounts(vec![1]).await.unwrap_err(), EngineError::Closed);
    assert_eq!(engine.feed(0, 1).await.unwrap_err(), EngineError::Closed);
    let engine = open(dir.path(), &clock);
    assert_eq!(everything(&engine).await.1.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_asked_before_closing_is_done_and_what_comes_later_is_told_so() {
    for _ in 0..10 {
        let dir = tempdir().unwrap();
        let engine = Arc::new(open_small(dir.path(), &clock()));
        engine.create_accounts(vec![account(1), account(2)]).await.unwrap();
        let closing = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (1..=64_u128)
            .map(|caller| {
                let (engine, closing) = (engine.clone(), closing.clone());
                tokio::spawn(async move {
                    let mut created = Vec::new();
                    for id in caller << 32.. {
                        let answer = engine.create_transfers(vec![transfer(id, 1, 2, 1)]);
                        let before = !closing.load(Ordering::SeqCst);
                        match answer.await {
                            Ok(results) => assert_eq!(results[0].status, S::Created),
                            Err(e) => {
                                assert_eq!((e, before), (EngineError::Closed, false));
                                break;
                            }
                        }
                        created.push(id);
                    }
                    let seen = engine.lookup_accounts(vec![1]).await.map(|found| found.len());
                    assert!(matches!(seen, Ok(1) | Err(EngineError::Closed)), "{seen:?}");
                    created
                })
            })
            .collect();
        let mut committed = engine.committed();
        for _ in 0..20 {
            committed.changed().await.unwrap();
        }
        closing.store(true, Ordering::SeqCst);
        let close = || {
            tokio::task::spawn_blocking({
                let engine = engine.clone();
                move || {
                    engine.close();
                    // Whoever closes it, it is closed then.
                    assert_eq!(format!("{engine:?}"), "Embedded { state: Err(Closed), .. }");
                }
            })
        };
        let (first, second) = (close(), close());
        first.await.unwrap();
        second.await.unwrap();
        let mut created = Vec::new();
        for caller in callers {
            created.extend(caller.await.unwrap());
        }
        let reopened = open_small(dir.path(), &clock());
        for ids in created.chunks(BATCH_MAX) {
            assert_eq!(reopened.lookup_transfers(ids.to_vec()).await.unwrap().len(), ids.len());
        }
        let payer = reopened.lookup_accounts(vec![1]).await.unwrap()[0];
        assert_eq!(payer.debits_posted, created.len() as u128, "no more than was answered");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_callers_share_syncs_and_lose_nothing() {
    const CALLERS: u32 = 500;
    let dir = tempdir().unwrap();
    let clock = clock();
    let engine = Arc::new(open_small(dir.path(), &clock));
    // Everyone wants 4 of the 1,000 that account 1 can spend, in a chain that also moves something else.
    let limited = Account { flags: AccountFlags::DebitsMustNotExceedCredits, ..account(1) };
    engine.create_accounts(vec![limited, account(2), account(3)]).await.unwrap();
    create(&*engine, vec![transfer(1, 2, 1, 1000)]).await;
    let tasks: Vec<_> = (1..=CALLERS)
        .map(|n| {
            let (engine, n) = (engine.clone(), u128::from(n));
            tokio::spawn(async move {
                let linked = |t: Transfer| Transfer { flags: TransferFlags::Linked, ..t };
                let chain = vec![linked(transfer(n * 10, 3, 2, 1)), transfer(n * 10 + 1, 1, 3, 4)];
                engine.create_transfers(chain).await.unwrap()
            })
        })
        .collect();
    let mut won = Vec::new();
    for (n, task) in (1..).zip(tasks) {
        let statuses: Vec<S> = task.await.unwrap().iter().map(|r| r.status).collect();
        match statuses.as_slice() {
            [S::Created, S::Created] => won.push(n),
            [S::LinkedEventFailed, S::ExceedsCredits] => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(won.len(), 250, "exactly as many as the money allows");
    drop(engine);
    let report = ledger::audit::verify(dir.path()).unwrap();
    assert!(report.frames < u64::from(CALLERS) / 2, "{} frames for {CALLERS} callers", report.frames);
    let engine = open_small(dir.path(), &clock);
    report.compare(&engine).await.unwrap();
    for n in won {
        assert_eq!(engine.lookup_transfers(vec![n * 10, n * 10 + 1]).await.unwrap().len(), 2);
    }
}
