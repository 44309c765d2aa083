//! The cluster engine: without a server, what it says about one that is away; and with one, what only a server can
//! show. A server is used where `TIGERBEETLE_ADDRESSES` names one (see `common`).

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::cluster::{Ids, connect, server, skipped};
use common::proxy::{Door, Proxy};
use ledger::{
    Account, AccountFlags, BATCH_MAX, Cluster, ClusterOptions, ConnectError, CreateAccountStatus,
    CreateTransferStatus as S, Engine, EngineError, Transfer, TransferFlags,
};

const IMPATIENT: ClusterOptions =
    ClusterOptions { deadline: Duration::from_millis(300), poll: Duration::from_millis(50) };

#[tokio::test]
async fn addresses_that_are_none_and_a_cluster_that_is_away_are_told_apart() {
    for bad in ["nonsense", "1.2.3:4", "127.0.0.1:99999999"] {
        let refused = Cluster::connect(0, bad, IMPATIENT).await.unwrap_err();
        assert_eq!(refused, ConnectError::Addresses(bad.to_owned()));
    }
    let begun = Instant::now();
    // A port that was free a moment ago: nobody listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let refused = Cluster::connect(0, &address, IMPATIENT).await.unwrap_err();
    assert_eq!(refused, ConnectError::Away(address.clone()));
    assert!(refused.to_string().contains(&address));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn requests_beyond_one_batch_are_refused_whole_and_full_ones_are_taken() {
    let Some(engine) = connect("full batches").await else { return };
    let ids = Ids::new();
    let too_many = vec![common::account(ids.real(1)); BATCH_MAX + 1];
    assert_eq!(engine.create_accounts(too_many).await.unwrap_err(), EngineError::TooMuchData);
    let too_many = vec![common::transfer(ids.real(1), 1, 2, 1); BATCH_MAX + 1];
    assert_eq!(engine.create_transfers(too_many).await.unwrap_err(), EngineError::TooMuchData);
    let all: Vec<u128> = (1..=BATCH_MAX as u128).map(|n| ids.real(n)).collect();
    assert_eq!(engine.lookup_accounts(vec![1; BATCH_MAX + 1]).await.unwrap_err(), EngineError::TooMuchData);
    assert_eq!(engine.lookup_transfers(vec![1; BATCH_MAX + 1]).await.unwrap_err(), EngineError::TooMuchData);
    let made = engine.create_accounts(all.iter().map(|id| common::account(*id)).collect()).await;
    if made == Err(EngineError::TooMuchData) {
        let why = "it takes smaller messages only (--development, --limit-request)";
        return common::cluster::skipped("full batches", why);
    }
    let made = made.unwrap();
    assert!(made.iter().all(|r| r.status == CreateAccountStatus::Created));
    let moves = all.iter().map(|id| common::transfer(*id, all[0], all[1], 1));
    let made = engine.create_transfers(moves.collect()).await.unwrap();
    assert!(made.iter().all(|r| r.status == S::Created));
    assert_eq!(engine.lookup_accounts(all.clone()).await.unwrap().len(), BATCH_MAX);
    assert_eq!(engine.lookup_transfers(all.clone()).await.unwrap().len(), BATCH_MAX);
    let before = made[0].timestamp - 1;
    assert_eq!(engine.feed(before, u32::MAX).await.unwrap().len(), BATCH_MAX);
    assert_eq!(engine.create_transfers(vec![]).await.unwrap(), []);
    assert_eq!(engine.lookup_accounts(vec![]).await.unwrap(), []);
}

/// A caller's batch is its own, though it shares a message with others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_share_messages_without_noticing() {
    const CALLERS: u128 = 1_000;
    let Some(engine) = connect("sharing messages").await else { return };
    let engine = Arc::new(engine);
    let ids = Ids::new();
    let limited = Account { flags: AccountFlags::DebitsMustNotExceedCredits, ..common::account(ids.real(1)) };
    let made =
        engine.create_accounts(vec![limited, common::account(ids.real(2)), common::account(ids.real(3))]);
    let newest = made.await.unwrap()[2].timestamp;
    engine
        .create_transfers(vec![common::transfer(ids.real(4), ids.real(2), ids.real(1), 1_000)])
        .await
        .unwrap();
    let begun = Instant::now();
    let tasks: Vec<_> = (1..=CALLERS)
        .map(|n| {
            let engine = engine.clone();
            let id = move |k: u128| ids.real(n * 10 + k);
            tokio::spawn(async move {
                let linked = |t: Transfer| Transfer { flags: TransferFlags::Linked, ..t };
                let plain = common::transfer(id(0), ids.real(3), ids.real(2), 1);
                let chain = vec![linked(plain), common::transfer(id(1), ids.real(1), ids.real(3), 4)];
                let batch = match n % 4 {
                    0 | 1 => chain,
                    // A chain left open ends with its batch.
                    2 => vec![linked(plain)],
                    // An import among others.
                    _ => vec![Transfer { flags: TransferFlags::Imported, timestamp: 1, ..plain }],
                };
                let results = engine.create_transfers(batch).await.unwrap();
                (n, results.iter().map(|r| r.status).collect::<Vec<S>>())
            })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        let (n, statuses) = task.await.unwrap();
        match (n % 4, statuses.as_slice()) {
            (0 | 1, [S::Created, S::Created]) => won += 1,
            (0 | 1, [S::LinkedEventFailed, S::ExceedsCredits])
            | (2, [S::LinkedEventChainOpen])
            | (3, [S::ImportedEventTimestampMustNotRegress]) => {}
            (kind, other) => panic!("{kind}: {other:?}"),
        }
    }
    eprintln!("{CALLERS} callers answered in {:?}", begun.elapsed());
    assert_eq!(won, 250, "exactly as many as the money allows");
    assert!(begun.elapsed() < Duration::from_secs(5), "callers did not share messages");
    let fed = engine.feed(newest, 8189).await.unwrap();
    assert_eq!(fed.iter().filter(|i| i.transfer.debit_account_id == ids.real(1)).count(), 250);
}

#[tokio::test]
async fn followers_hear_of_their_own_and_of_other_nodes_commits() {
    let Some(ours) = connect("followers").await else { return };
    let Some(theirs) = connect("followers").await else { return };
    let ids = Ids::new();
    let accounts = vec![common::account(ids.real(1)), common::account(ids.real(2))];
    let begun = ours.create_accounts(accounts).await.unwrap()[0].timestamp;
    let mut committed = ours.committed();
    for (engine, id) in [(&ours, 10), (&theirs, 11)] {
        let made = engine.create_transfers(vec![common::transfer(ids.real(id), ids.real(1), ids.real(2), 1)]);
        let at = made.await.unwrap()[0].timestamp;
        let told = tokio::time::timeout(Duration::from_secs(5), committed.wait_for(|newest| *newest >= at));
        told.await.expect("told in time").unwrap();
    }
    let fed = ours.feed(begun, 8189).await.unwrap();
    let fed: Vec<u128> = fed.iter().map(|i| i.transfer.id).filter(|id| ids.owns(*id)).collect();
    assert_eq!(fed, [ids.real(10), ids.real(11)]);
    assert_eq!(ours.feed(u64::MAX, 10).await.unwrap(), []);
    assert_eq!(ours.feed(0, 0).await.unwrap(), []);
}

#[tokio::test]
async fn a_closed_engine_says_so() {
    let Some(engine) = connect("closing").await else { return };
    engine.close().await;
    engine.close().await;
    let one = vec![common::transfer(1, 1, 2, 1)];
    assert_eq!(engine.create_transfers(one).await.unwrap_err(), EngineError::Closed);
    assert_eq!(engine.lookup_accounts(vec![1]).await.unwrap_err(), EngineError::Closed);
    assert_eq!(engine.feed(0, 1).await.unwrap_err(), EngineError::Closed);
}

/// A connection through a door, with little patience.
async fn behind_a_door(what: &str) -> Option<(Proxy, Cluster, Ids)> {
    let Some((cluster, addresses)) = server() else {
        skipped(what, "TIGERBEETLE_ADDRESSES names no server");
        return None;
    };
    if addresses.contains(',') {
        skipped(what, "the door stands before one replica");
        return None;
    }
    let proxy = Proxy::before(&addresses).await;
    let options = ClusterOptions { deadline: Duration::from_millis(800), ..IMPATIENT };
    let engine = Cluster::connect(cluster, &proxy.address, options).await.unwrap();
    let ids = Ids::new();
    let accounts = vec![common::account(ids.real(1)), common::account(ids.real(2))];
    engine.create_accounts(accounts).await.unwrap();
    Some((proxy, engine, ids))
}

/// Asks until there is an answer.
async fn until_answered<T, F: Future<Output = Result<T, EngineError>>>(ask: impl Fn() -> F) -> T {
    let begun = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(EngineError::Unavailable) => {
                assert!(begun.elapsed() < Duration::from_secs(20), "it stays away");
            }
            Err(e) => panic!("{e}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_was_away_is_used_again_by_itself() {
    let Some((proxy, engine, ids)) = behind_a_door("a cluster that is away").await else { return };
    let engine = Arc::new(engine);
    let mut committed = engine.committed();
    for round in 0..3_u128 {
        proxy.set(Door::Shut);
        let begun = Instant::now();
        let many: Vec<_> = (0..200_u128)
            .map(|n| {
                let engine = engine.clone();
                let t = common::transfer(ids.real(1_000 * (round + 1) + n), ids.real(1), ids.real(2), 1);
                tokio::spawn(async move { engine.create_transfers(vec![t]).await })
            })
            .collect();
        for task in many {
            assert_eq!(task.await.unwrap().unwrap_err(), EngineError::Unavailable);
        }
        assert_eq!(engine.lookup_accounts(vec![ids.real(1)]).await.unwrap_err(), EngineError::Unavailable);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        proxy.set(Door::Open);
        committed.borrow_and_update();
        for n in 0..200_u128 {
            let t = common::transfer(ids.real(1_000 * (round + 1) + n), ids.real(1), ids.real(2), 1);
            let status = until_answered(|| engine.create_transfers(vec![t])).await[0].status;
            assert!(status.is_in_ledger(), "{status}");
        }
        let a = engine.lookup_accounts(vec![ids.real(1)]).await.unwrap()[0];
        assert_eq!(a.debits_posted, 200 * (round + 1), "each once");
        tokio::time::timeout(Duration::from_secs(5), committed.changed()).await.expect("told").unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again_and_nothing_happens_twice() {
    let Some((proxy, engine, ids)) = behind_a_door("a lost answer").await else { return };
    for n in 10..13 {
        let t = common::transfer(ids.real(n), ids.real(1), ids.real(2), 5);
        proxy.set(Door::Mute);
        // The client sends it again and again on this connection, and the cluster does it.
        assert_eq!(engine.create_transfers(vec![t]).await.unwrap_err(), EngineError::Unavailable);
        proxy.set(Door::Open);
        let again = until_answered(|| engine.create_transfers(vec![t])).await;
        assert!(again[0].status.is_in_ledger(), "{again:?}");
        let once = until_answered(|| engine.create_transfers(vec![t])).await;
        assert_eq!((once[0].status, once[0].timestamp), (S::Exists, again[0].timestamp));
    }
    assert_eq!(engine.lookup_accounts(vec![ids.real(2)]).await.unwrap()[0].credits_posted, 15);
}

/// A cluster keeps 64 clients; the one it has not heard of for longest makes way.
#[tokio::test]
async fn an_evicted_client_comes_back() {
    let Some(engine) = connect("eviction").await else { return };
    let ids = Ids::new();
    let accounts = vec![common::account(ids.real(1)), common::account(ids.real(2))];
    engine.create_accounts(accounts).await.unwrap();
    for round in 0..2 {
        let others: Vec<_> = (0..70)
            .map(|_| tokio::spawn(async { connect("eviction").await.unwrap().close().await }))
            .collect();
        for other in others {
            other.await.unwrap();
        }
        if round == 0 {
            let found = engine.lookup_accounts(vec![ids.real(1)]).await.unwrap();
            assert_eq!(found.len(), 1, "a question is asked again without a word");
        } else {
            // Whether a creation was done nobody knows; asking again tells.
            let t = common::transfer(ids.real(10), ids.real(1), ids.real(2), 1);
            let first = engine.create_transfers(vec![t]).await;
            assert!(
                first.as_ref().is_ok_and(|r| r[0].status == S::Created)
                    || first == Err(EngineError::Unavailable)
            );
            let again = engine.create_transfers(vec![t]).await.unwrap();
            assert!(again[0].status.is_in_ledger(), "{again:?} after {first:?}");
        }
    }
    assert_eq!(engine.lookup_accounts(vec![ids.real(1)]).await.unwrap()[0].debits_posted, 1);
}
