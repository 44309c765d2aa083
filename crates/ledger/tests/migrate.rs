//! Moving a ledger: random histories, from each engine to each other, stopped at every request.

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use common::history::{self, Random};
use common::stage::Stage;
use ledger::migrate::{Burnt, MigrateError, MigrateOptions, Moved, expiry_void_id, migrate};
use ledger::recount::recount;
use ledger::{
    Account, AccountBalance, AccountFilter, AccountFilterFlags, AccountFlags, BoxFuture, CreateAccountResult,
    CreateTransferResult, CreateTransferStatus as S, Engine, EngineError, FeedItem, QueryFilter, Transfer,
    TransferFlags as F,
};
use tokio::sync::watch;

/// What of an engine a migration may see: only what is newer than a moment, since a server is shared with other tests;
/// and failing after so many requests to create, before or after the last one was carried out.
struct View {
    engine: Arc<dyn Engine>,
    since: u64,
    left: AtomicI64,
    done_first: bool,
}

impl View {
    fn of(stage: &Stage) -> View {
        View::failing(stage, i64::MAX, false)
    }

    fn failing(stage: &Stage, after: i64, done_first: bool) -> View {
        let (engine, since) = (stage.engine.clone(), stage.since);
        View { engine, since, left: AtomicI64::new(after), done_first }
    }

    fn own(&self, f: QueryFilter) -> QueryFilter {
        let least = if self.since == 0 { 0 } else { self.since + 1 };
        QueryFilter { timestamp_min: f.timestamp_min.max(least), ..f }
    }

    fn create<'a, T: 'a>(
        &'a self,
        ask: impl FnOnce(&'a dyn Engine) -> BoxFuture<'a, Result<Vec<T>, EngineError>> + Send + 'a,
    ) -> BoxFuture<'a, Result<Vec<T>, EngineError>> {
        let left = self.left.fetch_sub(1, Ordering::SeqCst);
        Box::pin(async move {
            if left < 0 || (left == 0 && !self.done_first) {
                return Err(EngineError::Unavailable);
            }
            let results = ask(&*self.engine).await;
            if left == 0 { Err(EngineError::Unavailable) } else { results }
        })
    }
}

impl Engine for View {
    fn create_accounts(
        &self,
        e: Vec<Account>,
    ) -> BoxFuture<'_, Result<Vec<CreateAccountResult>, EngineError>> {
        self.create(|engine| engine.create_accounts(e))
    }
    fn create_transfers(
        &self,
        e: Vec<Transfer>,
    ) -> BoxFuture<'_, Result<Vec<CreateTransferResult>, EngineError>> {
        self.create(|engine| engine.create_transfers(e))
    }
    fn lookup_accounts(&self, ids: Vec<u128>) -> BoxFuture<'_, Result<Vec<Account>, EngineError>> {
        self.engine.lookup_accounts(ids)
    }
    fn lookup_transfers(&self, ids: Vec<u128>) -> BoxFuture<'_, Result<Vec<Transfer>, EngineError>> {
        self.engine.lookup_transfers(ids)
    }
    fn get_account_transfers(&self, f: AccountFilter) -> BoxFuture<'_, Result<Vec<Transfer>, EngineError>> {
        self.engine.get_account_transfers(f)
    }
    fn get_account_balances(
        &self,
        f: AccountFilter,
    ) -> BoxFuture<'_, Result<Vec<AccountBalance>, EngineError>> {
        self.engine.get_account_balances(f)
    }
    fn query_accounts(&self, f: QueryFilter) -> BoxFuture<'_, Result<Vec<Account>, EngineError>> {
        self.engine.query_accounts(self.own(f))
    }
    fn query_transfers(&self, f: QueryFilter) -> BoxFuture<'_, Result<Vec<Transfer>, EngineError>> {
        self.engine.query_transfers(self.own(f))
    }
    fn feed(&self, after: u64, limit: u32) -> BoxFuture<'_, Result<Vec<FeedItem>, EngineError>> {
        self.engine.feed(after.max(self.since), limit)
    }
    fn has_room(&self) -> bool {
        self.engine.has_room()
    }
    fn committed(&self) -> watch::Receiver<u64> {
        self.engine.committed()
    }
}

/// A history of some batches, with time passing; answers the ids it burnt.
async fn live(random: &mut Random, stage: &Stage, batches: u64, waits: u64) -> Vec<u128> {
    history::open_accounts(stage).await;
    let mut burnt = Vec::new();
    for at in 0..batches {
        let events = history::batch(random, stage, 8, 400);
        for (t, result) in events.iter().zip(history::submit(&*stage.engine, &events).await) {
            if result.status.is_transient() {
                burnt.push(t.id);
            }
        }
        if waits > 0 && at % (batches / waits).max(1) == 0 {
            stage.pass(Duration::from_secs(1)).await;
        }
    }
    burnt.sort_unstable();
    burnt.dedup();
    burnt
}

/// Migrates, stopped at every request, until it is done. Answers what was moved and how often it was stopped.
async fn migrate_with_stops(from: &Stage, to: &Stage, burnt: &Burnt, batch: usize) -> (Moved, u64) {
    let old = View::of(from);
    let clock = to.clock();
    for stops in 0.. {
        // A run's last request is lost, or done with its answer lost. Later runs get further, since burning begins anew
        // each time: nobody can ask which ids are burnt.
        let left = i64::try_from(stops % 3 + stops / 10).unwrap();
        let new = View::failing(to, left, stops % 2 == 0);
        match migrate(&old, &new, burnt, &*clock, MigrateOptions { batch }, |_, _| {}).await {
            Ok(moved) => return (moved, stops),
            Err(MigrateError::To(EngineError::Unavailable)) => assert!(stops < 10_000, "it never ends"),
            Err(e) => panic!("{} to {}: {e}", from.name(), to.name()),
        }
    }
    unreachable!()
}

/// What the two ledgers say to the same later requests.
async fn same_future(from: &Stage, to: &Stage, moved: &Moved, burnt: &[u128]) {
    let all = QueryFilter { limit: 8189, ..QueryFilter::default() };
    let old = View::of(from).query_transfers(all).await.unwrap();
    let new: HashMap<u128, Transfer> =
        View::of(to).query_transfers(all).await.unwrap().into_iter().map(|t| (t.id, t)).collect();
    assert_eq!(moved.transfers, old.len() as u64);
    let mut kept = 0;
    for t in &old {
        let there = new[&t.id];
        kept += u64::from(t.timestamp == there.timestamp);
        assert_eq!(
            (t.amount, t.pending_id, t.user_data_64),
            (there.amount, there.pending_id, there.user_data_64)
        );
    }
    assert_eq!(kept, old.len() as u64 - moved.carried, "all others keep their timestamps");
    for id in burnt {
        let again = vec![Transfer { id: *id, ..from.transfer(1, 1, 2, 1) }];
        let [a, b] = [from, to].map(|stage| stage.engine.create_transfers(again.clone()));
        assert_eq!(
            (a.await.unwrap()[0].status, b.await.unwrap()[0].status),
            (S::IdAlreadyFailed, S::IdAlreadyFailed)
        );
    }
    for p in old.iter().filter(|t| t.flags.contains(F::Pending)) {
        // Voiding tells how it stands.
        let id = expiry_void_id(!p.id);
        let ask =
            vec![Transfer { id, pending_id: p.id, flags: F::VoidPendingTransfer, ..Transfer::default() }];
        let [a, b] = [from, to].map(|stage| stage.engine.create_transfers(ask.clone()));
        let (a, b) = (a.await.unwrap()[0].status, b.await.unwrap()[0].status);
        let expired = a == S::PendingTransferExpired && b == S::PendingTransferAlreadyVoided;
        assert!(a == b || expired, "{p:?}: {a} and {b}");
    }
    let [a, b] = [from, to].map(View::of);
    let (a, b) = (recount(&a, &*from.clock()).await.unwrap(), recount(&b, &*to.clock()).await.unwrap());
    assert_eq!(a.digest(), b.digest());
}

#[tokio::test]
async fn random_histories_arrive_whole_however_often_it_is_stopped() {
    let (mut voided, mut carried, mut burnt_ids) = (0, 0, 0);
    for seed in 0..30 {
        let mut random = Random(seed);
        let from = Stage::embedded();
        let burnt = live(&mut random, &from, 20 + seed % 20, 5).await;
        let to = Stage::embedded();
        // What has to be released is, before the old ledger is looked at.
        from.pass(Duration::from_millis(1)).await;
        to.manual.as_ref().unwrap().set(from.clock().now());
        let ids = Burnt::of_journal(from.dir.as_ref().unwrap().path()).unwrap();
        let Burnt::Ids(mut found) = ids.clone() else { panic!() };
        found.sort_unstable();
        assert_eq!(found, burnt, "seed {seed}");
        let batch = [1, 3, 7, 8189][usize::try_from(seed % 4).unwrap()];
        let (moved, stops) = migrate_with_stops(&from, &to, &ids, batch).await;
        assert!(stops > 0);
        (voided, carried, burnt_ids) =
            (voided + moved.voided, carried + moved.carried, burnt_ids + moved.burnt);
        // Once more changes nothing.
        let again = migrate_with_stops(&from, &to, &ids, 8189).await.0;
        assert_eq!(
            (again.digest, again.transfers, again.voided),
            (moved.digest, moved.transfers, moved.voided)
        );
        same_future(&from, &to, &moved, &burnt).await;
        let report = ledger::audit::verify(to.dir.as_ref().unwrap().path()).unwrap();
        report.compare(&*to.engine).await.unwrap();
    }
    eprintln!("{voided} voided, {carried} carried over, {burnt_ids} ids burnt");
    assert!(voided > 50 && carried > 50 && burnt_ids > 50, "{voided} {carried} {burnt_ids}");
}

#[tokio::test]
async fn random_histories_move_to_tigerbeetle_and_back() {
    let Some(cluster) = Stage::cluster("migrating both ways").await else { return };
    let mut random = Random(7);
    let first = Stage::embedded_beside(&cluster);
    let burnt = live(&mut random, &first, 60, 3).await;
    let ids = Burnt::of_journal(first.dir.as_ref().unwrap().path()).unwrap();
    let (moved, stops) = migrate_with_stops(&first, &cluster, &ids, 7).await;
    eprintln!("embedded to TigerBeetle: {moved:?}, stopped {stops} times");
    assert_eq!(moved.burnt, burnt.len() as u64);

    // Somebody lives on at the cluster, then it moves back.
    for _ in 0..40 {
        let events = history::batch(&mut random, &cluster, 8, 400);
        history::submit(&*cluster.engine, &events).await;
    }
    let last = Stage::embedded_beside(&cluster);
    let (back, stops) = migrate_with_stops(&cluster, &last, &Burnt::Forgotten, 5).await;
    eprintln!("TigerBeetle to embedded: {back:?}, stopped {stops} times");
    assert!(back.transfers > moved.transfers && back.burnt == 0);
    // The rest of a timeout is rounded up to whole seconds: until both have let go, they may differ.
    cluster.pass(Duration::from_secs(5)).await;
    same_future(&cluster, &last, &back, &[]).await;
    let report = ledger::audit::verify(last.dir.as_ref().unwrap().path()).unwrap();
    report.compare(&*last.engine).await.unwrap();
}

/// Each kind of account and pending transfer, and how it stands afterwards.
#[tokio::test]
async fn what_time_did_by_itself_is_carried_over() {
    let from = Stage::embedded();
    history::open_accounts(&from).await;
    let pending = |id, timeout| Transfer { flags: F::Pending, timeout, ..from.transfer(id, 1, 2, 10) };
    let closing =
        Transfer { flags: F::Pending | F::ClosingDebit, timeout: 100, ..from.transfer(14, 7, 2, 0) };
    let linked = Transfer { flags: F::Linked, ..from.transfer(15, 1, 2, 1) };
    let events = vec![
        pending(10, 1),
        pending(11, 0),
        pending(12, 100),
        pending(13, 4),
        closing,
        linked,
        from.transfer(16, 1, 2, 1),
    ];
    let made = history::submit(&*from.engine, &events).await;
    assert!(made.iter().all(|r| r.status == S::Created), "{made:?}");
    from.pass(Duration::from_secs(2)).await;
    history::submit(&*from.engine, &[from.transfer(17, 1, 2, 1)]).await;
    from.pass(Duration::from_millis(5_500)).await;

    let to = Stage::embedded();
    to.manual.as_ref().unwrap().set(from.clock().now());
    let options = MigrateOptions::default();
    let clock = to.clock();
    let forgotten = &Burnt::Forgotten;
    let moved = migrate(&*from.engine, &*to.engine, forgotten, &*clock, options, |_, _| {}).await.unwrap();
    assert_eq!((moved.transfers, moved.voided, moved.carried), (8, 2, 3));
    let find = async |id| to.engine.lookup_transfers(vec![id]).await.unwrap().first().copied();
    let at = |t: Option<Transfer>| t.unwrap().timestamp;
    let old = from.everything().await.1;
    // Expired while the ledger lived: voided at that moment.
    assert_eq!(at(find(10).await), old[0].timestamp);
    assert_eq!(at(find(expiry_void_id(10)).await), old[0].expires_at().unwrap());
    // Expired afterwards: made at the end, and voided.
    assert!(at(find(13).await) > old[7].timestamp);
    assert!(find(expiry_void_id(13)).await.is_some());
    // Still has time: 100 seconds less the 7.5 that have passed.
    assert_eq!(find(12).await.unwrap().timeout, 93);
    let closed = to.engine.lookup_accounts(vec![7, 8]).await.unwrap();
    assert!(closed.iter().all(|a| a.flags.contains(AccountFlags::Closed)), "{closed:?}");
    assert_eq!(find(15).await.unwrap().flags, F::Imported, "each event of a chain for itself");
    to.pass(Duration::from_secs(94)).await;
    let a = to.engine.lookup_accounts(vec![1, 7]).await.unwrap();
    assert_eq!((a[0].debits_pending, a[0].debits_posted), (10, 3));
    assert!(!a[1].flags.contains(AccountFlags::Closed), "open again when its time is up");
    // The history that a History account keeps is the old one.
    let filter = AccountFilter {
        account_id: 5,
        limit: 10,
        flags: AccountFilterFlags::Debits | AccountFilterFlags::Credits,
        ..AccountFilter::default()
    };
    let balances = from.engine.get_account_balances(filter).await.unwrap();
    assert_eq!(to.engine.get_account_balances(filter).await.unwrap(), balances);
}

#[tokio::test]
async fn what_cannot_be_moved_is_refused_and_named() {
    let (from, to) = (Stage::embedded(), Stage::embedded());
    history::open_accounts(&from).await;
    history::submit(&*from.engine, &[from.transfer(10, 1, 2, 10)]).await;
    let go = async |from: &Stage, to: &Stage| {
        let options = MigrateOptions::default();
        migrate(&*from.engine, &*to.engine, &Burnt::Forgotten, &*to.clock(), options, |_, _| {}).await
    };
    // The new ledger's clock is behind the old ledger's books.
    to.pass(Duration::from_secs(1)).await;
    from.pass(Duration::from_mins(1)).await;
    history::submit(&*from.engine, &[from.transfer(11, 1, 2, 10)]).await;
    let refused = go(&from, &to).await.unwrap_err();
    let status = S::ImportedEventTimestampMustNotAdvance;
    assert!(matches!(refused, MigrateError::Transfer(11, s) if s == status), "{refused}");
    to.pass(Duration::from_mins(2)).await;
    go(&from, &to).await.unwrap();
    // It goes on where it stopped.
    history::submit(&*from.engine, &[from.transfer(12, 2, 1, 1)]).await;
    assert_eq!(go(&from, &to).await.unwrap().transfers, 3);
    // Somebody uses the new ledger already.
    history::submit(&*to.engine, &[to.transfer(20, 1, 2, 1)]).await;
    assert!(matches!(go(&from, &to).await, Err(MigrateError::Differ(1 | 2, _))));
    from.pass(Duration::from_secs(1)).await;
    history::submit(&*from.engine, &[from.transfer(13, 2, 1, 1)]).await;
    let refused = go(&from, &to).await.unwrap_err();
    assert!(matches!(refused, MigrateError::Differ(..)), "{refused}");
    // The old ledger lived on after the last step was done: what it did since cannot follow.
    let (from, to) = (Stage::embedded(), Stage::embedded());
    history::open_accounts(&from).await;
    let pending = Transfer { flags: F::Pending, timeout: 100, ..from.transfer(10, 1, 2, 10) };
    history::submit(&*from.engine, &[pending]).await;
    for stage in [&from, &to] {
        stage.pass(Duration::from_secs(1)).await;
    }
    assert_eq!(go(&from, &to).await.unwrap().carried, 1);
    from.pass(Duration::from_secs(5)).await;
    let post = Transfer {
        id: 11,
        pending_id: 10,
        amount: u128::MAX,
        flags: F::PostPendingTransfer,
        ..Transfer::default()
    };
    assert_eq!(history::submit(&*from.engine, &[post]).await[0].status, S::Created);
    assert!(matches!(go(&from, &to).await, Err(MigrateError::Differ(11, _))));
    // Another account lives there.
    let to = Stage::embedded();
    to.engine.create_accounts(vec![to.account(99)]).await.unwrap();
    to.pass(Duration::from_mins(2)).await;
    let refused = go(&from, &to).await.unwrap_err();
    assert!(matches!(refused, MigrateError::Transfer(..) | MigrateError::Differ(..)), "{refused}");
}
