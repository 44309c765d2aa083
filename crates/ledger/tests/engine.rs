//! The embedded engine through its door: reading back, the feed, restarts, concurrency.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{START, account, clock, everything, open, open_small, transfer};
use kernel::Timestamp;
use ledger::{
    Account, AccountFilter, AccountFilterFlags, AccountFlags, BATCH_MAX, CreateAccountStatus,
    CreateTransferStatus as S, Embedded, Engine, EngineError, OpenError, QueryFilter, QueryFilterFlags,
    Transfer, TransferFlags,
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
async fn lookups_keep_the_order_asked_for_and_leave_out_the_unknown() {
    let dir = tempdir().unwrap();
    let engine = open(dir.path(), &clock());
    engine.create_accounts(vec![account(1), account(2)]).await.unwrap();
    create(&engine, vec![transfer(10, 1, 2, 1), transfer(11, 1, 2, 1)]).await;
    let ids = |a: Vec<Account>| a.iter().map(|a| a.id).collect::<Vec<_>>();
    assert_eq!(ids(engine.lookup_accounts(vec![2, 9, 1, 2]).await.unwrap()), [2, 1, 2]);
    let ids = |t: Vec<Transfer>| t.iter().map(|t| t.id).collect::<Vec<_>>();
    assert_eq!(ids(engine.lookup_transfers(vec![11, 9, 10]).await.unwrap()), [11, 10]);
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

/// Many accounts and transfers with few distinct values in every field.
async fn populated(engine: &dyn Engine) -> (Vec<Account>, Vec<Transfer>) {
    let some = |i: u128, of: u128| u32::try_from(i % of).unwrap();
    let accounts = (1..=40).map(|i| Account {
        user_data_128: i % 5,
        user_data_64: some(i, 3).into(),
        user_data_32: some(i, 2),
        ledger: 1 + some(i, 2),
        code: u16::try_from(1 + i % 4).unwrap(),
        flags: if i % 2 == 0 { AccountFlags::History } else { AccountFlags::empty() },
        ..account(i)
    });
    engine.create_accounts(accounts.collect()).await.unwrap();
    for batch in 0..6 {
        let events = (0..100).map(|n| {
            let i = batch * 100 + n + 1;
            let (debit, credit) = (1 + i % 7, 1 + (i + 2 + 2 * (i % 3)) % 7);
            Transfer {
                user_data_128: i % 5,
                user_data_64: some(i, 3).into(),
                user_data_32: some(i, 2),
                ledger: 1 + some(debit, 2),
                code: u16::try_from(1 + i % 4).unwrap(),
                flags: if i % 11 == 0 { TransferFlags::Pending } else { TransferFlags::empty() },
                ..transfer(i, debit, credit, i)
            }
        });
        engine.create_transfers(events.collect()).await.unwrap();
    }
    let all = everything(engine).await;
    assert!(all.1.len() > 100, "{} transfers", all.1.len());
    all
}

/// What a filter must find, worked out the slow way.
fn expected<T: Copy>(
    all: &[T],
    timestamp: impl Fn(&T) -> u64,
    matches: impl Fn(&T) -> bool,
    (min, max): (u64, u64),
    limit: u32,
    reversed: bool,
) -> Vec<T> {
    let max = if max == 0 { u64::MAX } else { max };
    let mut found: Vec<T> =
        all.iter().copied().filter(|e| matches(e) && (min..=max).contains(&timestamp(e))).collect();
    if reversed {
        found.reverse();
    }
    found.truncate(limit as usize);
    found
}

#[tokio::test]
async fn queries_find_what_a_slow_search_finds() {
    let dir = tempdir().unwrap();
    let engine = open(dir.path(), &clock());
    let (accounts, transfers) = populated(&engine).await;
    let middle = transfers[transfers.len() / 2].timestamp;
    let mut nonempty = 0;
    for bits in 0..32_u32 {
        let field = |bit: u32| bits >> bit & 1;
        for (range, limit) in [((0, 0), 8189), ((middle, 0), 7), ((0, middle), 9), ((middle, middle), 5)] {
            for flags in [QueryFilterFlags::empty(), QueryFilterFlags::Reversed] {
                let f = QueryFilter {
                    user_data_128: u128::from(field(0)) * 2,
                    user_data_64: field(1).into(),
                    user_data_32: field(2),
                    ledger: field(3) * 2,
                    code: u16::try_from(field(4)).unwrap() * 3,
                    timestamp_min: range.0,
                    timestamp_max: range.1,
                    limit,
                    flags,
                };
                let reversed = flags == QueryFilterFlags::Reversed;
                let any = |want: u128, have: u128| want == 0 || want == have;
                let want = expected(
                    &transfers,
                    |t| t.timestamp,
                    |t| {
                        any(f.user_data_128, t.user_data_128)
                            && any(f.user_data_64.into(), t.user_data_64.into())
                            && any(f.user_data_32.into(), t.user_data_32.into())
                            && any(f.ledger.into(), t.ledger.into())
                            && any(f.code.into(), t.code.into())
                    },
                    range,
                    limit,
                    reversed,
                );
                nonempty += usize::from(!want.is_empty());
                assert_eq!(engine.query_transfers(f).await.unwrap(), want, "{f:?}");
                let want = expected(
                    &accounts,
                    |a| a.timestamp,
                    |a| {
                        any(f.user_data_128, a.user_data_128)
                            && any(f.user_data_64.into(), a.user_data_64.into())
                            && any(f.user_data_32.into(), a.user_data_32.into())
                            && any(f.ledger.into(), a.ledger.into())
                            && any(f.code.into(), a.code.into())
                    },
                    range,
                    limit,
                    reversed,
                );
                assert_eq!(engine.query_accounts(f).await.unwrap(), want, "{f:?}");
            }
        }
    }
    assert!(nonempty > 100, "the filters must mostly find something: {nonempty}");
}

#[tokio::test]
async fn account_transfers_and_balances_find_what_a_slow_search_finds() {
    use AccountFilterFlags as F;
    let dir = tempdir().unwrap();
    let engine = open(dir.path(), &clock());
    let (_, transfers) = populated(&engine).await;
    let middle = transfers[transfers.len() / 2].timestamp;
    for account_id in 1..=8 {
        for direction in [F::Debits, F::Credits, F::Debits | F::Credits] {
            for (range, limit) in [((0, 0), 8189), ((middle, 0), 7), ((0, middle), 9)] {
                for (user_data_128, code) in [(0, 0), (2, 0), (0, 3), (2, 3)] {
                    for reversed in [false, true] {
                        let flags = if reversed { direction | F::Reversed } else { direction };
                        let f = AccountFilter {
                            account_id,
                            user_data_128,
                            code,
                            timestamp_min: range.0,
                            timestamp_max: range.1,
                            limit,
                            flags,
                            ..AccountFilter::default()
                        };
                        let side = |t: &Transfer| {
                            (flags.contains(F::Debits) && t.debit_account_id == account_id)
                                || (flags.contains(F::Credits) && t.credit_account_id == account_id)
                        };
                        let fields = |t: &Transfer| {
                            (user_data_128 == 0 || user_data_128 == t.user_data_128)
                                && (code == 0 || code == t.code)
                        };
                        let want = expected(
                            &transfers,
                            |t| t.timestamp,
                            |t| side(t) && fields(t),
                            range,
                            limit,
                            reversed,
                        );
                        assert_eq!(engine.get_account_transfers(f).await.unwrap(), want, "{f:?}");

                        let balances = engine.get_account_balances(f).await.unwrap();
                        if account_id % 2 == 1 {
                            assert_eq!(balances, [], "account {account_id} keeps no history");
                            continue;
                        }
                        assert_eq!(balances.len(), want.len());
                        for (balance, t) in balances.iter().zip(&want) {
                            assert_eq!(balance.timestamp, t.timestamp);
                            let until = transfers.iter().filter(|u| u.timestamp <= t.timestamp);
                            let posted = |u: &&Transfer| !u.flags.contains(TransferFlags::Pending);
                            let debits: u128 = until
                                .clone()
                                .filter(posted)
                                .filter(|u| u.debit_account_id == account_id)
                                .map(|u| u.amount)
                                .sum();
                            let reserved: u128 = until
                                .filter(|u| !posted(u) && u.credit_account_id == account_id)
                                .map(|u| u.amount)
                                .sum();
                            assert_eq!((balance.debits_posted, balance.credits_pending), (debits, reserved));
                        }
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn invalid_filters_find_nothing() {
    use AccountFilterFlags as F;
    let dir = tempdir().unwrap();
    let engine = open(dir.path(), &clock());
    populated(&engine).await;
    let good = AccountFilter { account_id: 2, limit: 5, flags: F::Debits, ..AccountFilter::default() };
    assert_eq!(engine.get_account_transfers(good).await.unwrap().len(), 5);
    for bad in [
        AccountFilter { account_id: 0, ..good },
        AccountFilter { account_id: u128::MAX, ..good },
        AccountFilter { limit: 0, ..good },
        AccountFilter { flags: F::empty(), ..good },
        AccountFilter { flags: F::Reversed, ..good },
        AccountFilter { flags: F::Debits | F(1 << 3), ..good },
        AccountFilter { timestamp_min: 2, timestamp_max: 1, ..good },
        AccountFilter { timestamp_min: u64::MAX, ..good },
        AccountFilter { timestamp_max: u64::MAX, ..good },
    ] {
        assert_eq!(engine.get_account_transfers(bad).await.unwrap(), [], "{bad:?}");
        assert_eq!(engine.get_account_balances(bad).await.unwrap(), [], "{bad:?}");
    }
    let good = QueryFilter { limit: 5, ..QueryFilter::default() };
    assert_eq!(engine.query_transfers(good).await.unwrap().len(), 5);
    for bad in [
        QueryFilter { limit: 0, ..good },
        QueryFilter { flags: QueryFilterFlags(2), ..good },
        QueryFilter { timestamp_min: 2, timestamp_max: 1, ..good },
        QueryFilter { timestamp_max: 1 << 63, ..good },
    ] {
        assert_eq!(engine.query_transfers(bad).await.unwrap(), [], "{bad:?}");
        assert_eq!(engine.query_accounts(bad).await.unwrap(), [], "{bad:?}");
    }
}

#[tokio::test]
async fn a_scan_longer_than_one_step_misses_nothing_and_repeats_nothing() {
    let dir = tempdir().unwrap();
    let engine = open(dir.path(), &clock());
    engine.create_accounts((1..=3).map(account).collect()).await.unwrap();
    // Every third is marked, so that the last entry of a step (8,192 forward, 15,809 backward) is one of them.
    for batch in 0..3_u128 {
        let marked = |i: u128| u64::from(i % 3 == 2);
        let ids = batch * 8000 + 1..=(batch + 1) * 8000;
        let events = ids.map(|i| Transfer { user_data_64: marked(i), ..transfer(i, 1, 2 + i % 2, 1) });
        create(&engine, events.collect()).await;
    }
    let want: Vec<u128> = (1..=24_000).filter(|i| i % 3 == 2).collect();
    let newest_first = |count: usize| want.iter().rev().take(count).copied().collect::<Vec<_>>();
    let ids = |found: Vec<Transfer>| found.iter().map(|t| t.id).collect::<Vec<_>>();
    let filter = QueryFilter { user_data_64: 1, limit: 8189, ..QueryFilter::default() };
    assert_eq!(ids(engine.query_transfers(filter).await.unwrap()), want);
    for limit in [8189, 5000] {
        let back = QueryFilter { limit, flags: QueryFilterFlags::Reversed, ..filter };
        assert_eq!(ids(engine.query_transfers(back).await.unwrap()), newest_first(limit as usize));
        let of_account = AccountFilter {
            account_id: 1,
            user_data_64: 1,
            limit,
            flags: AccountFilterFlags::Debits | AccountFilterFlags::Reversed,
            ..AccountFilter::default()
        };
        assert_eq!(
            ids(engine.get_account_transfers(of_account).await.unwrap()),
            newest_first(limit as usize)
        );
    }
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
