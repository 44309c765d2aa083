//! Random histories: each engine against a naive model (`common::model`), long enough to reach every status.

mod common;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::model::{Event, Fate, Model};
use common::stage::Stage;
use common::{START, cluster, open_small};
use kernel::Clock;
use ledger::{
    Account, AccountFilter, AccountFilterFlags, AccountFlags as A, CreateAccountStatus, CreateTransferStatus,
    TIMESTAMP_MAX, Transfer, TransferFlags as F,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};

/// How many histories are played on a cluster. Waiting takes time there, so only every eighth does.
const HISTORIES: usize = 160;
/// What no history can reach.
const UNREACHABLE: &[(&str, &str)] = &[("ReservedField", "this crate's types have none")];
/// What no history can reach on a cluster besides.
const UNREACHABLE_THERE: &[(&str, &str)] =
    &[("OverflowsTimeout", "its clock would have to show the year 2116")];

/// When an import says that it happened. What it comes to depends on the history so far.
#[derive(Debug, Clone, Copy)]
enum Stamp {
    Exactly(u64),
    /// So many nanoseconds after the newest transfer.
    AfterTransfers(u64),
    /// So many nanoseconds after the newest account.
    AfterAccounts(u64),
    /// That of the account made n-th.
    OfAccount(usize),
    /// Just after the account made n-th.
    AfterAccount(usize),
}

/// An event to be; ids are those of a test, not yet of a stage.
#[derive(Debug, Clone)]
enum Plan {
    Account(Account, Stamp),
    Transfer(Transfer, Stamp),
    /// Posts or voids the pending transfer made so many before the newest, with one field changed.
    Resolve(Transfer, Stamp, usize, u8),
    /// What was asked for so many transfers or accounts ago, with one field changed.
    Again(usize, u8),
}

#[derive(Debug, Clone)]
enum Step {
    Accounts(Vec<Plan>),
    Transfers(Vec<Plan>),
    Wait(u64),
    Back,
    /// To the year 2255.
    Leap,
    Reopen,
}

fn id() -> impl Strategy<Value = u128> {
    1_u128..60
}

fn stamp() -> impl Strategy<Value = Stamp> {
    prop_oneof![
        8 => (0_u64..4).prop_map(Stamp::AfterTransfers),
        3 => (0_u64..4).prop_map(Stamp::AfterAccounts),
        2 => (0_usize..12).prop_map(Stamp::OfAccount),
        2 => (0_usize..12).prop_map(Stamp::AfterAccount),
        1 => prop_oneof![Just(0), Just(1), Just(TIMESTAMP_MAX), Just(u64::MAX)].prop_map(Stamp::Exactly),
    ]
}

/// Most events are as they should be; one in three has one thing about it that may not be.
fn change() -> impl Strategy<Value = u8> {
    prop_oneof![2 => Just(u8::MAX), 1 => 0_u8..40]
}

fn changed_transfer(t: Transfer, change: u8) -> Transfer {
    match change {
        0 => Transfer { id: 0, ..t },
        1 => Transfer { id: u128::MAX, ..t },
        2 => Transfer { debit_account_id: 0, ..t },
        3 => Transfer { debit_account_id: u128::MAX, ..t },
        4 => Transfer { debit_account_id: 1 + t.debit_account_id % 9, ..t },
        5 => Transfer { credit_account_id: 0, ..t },
        6 => Transfer { credit_account_id: u128::MAX, ..t },
        7 => Transfer { credit_account_id: 1 + t.credit_account_id % 9, ..t },
        8 => Transfer { credit_account_id: t.debit_account_id, ..t },
        9 => Transfer { amount: u128::MAX, ..t },
        10 => Transfer { amount: u128::MAX - 5, ..t },
        11 => Transfer { amount: t.amount.wrapping_add(1), ..t },
        12 => Transfer { amount: t.amount / 2, ..t },
        13 => Transfer { pending_id: 0, ..t },
        14 => Transfer { pending_id: u128::MAX, ..t },
        15 => Transfer { pending_id: t.id, ..t },
        16 => Transfer { pending_id: 1 + t.pending_id % 60, ..t },
        17 => Transfer { user_data_128: t.user_data_128 + 1, ..t },
        18 => Transfer { user_data_64: t.user_data_64 + 1, ..t },
        19 => Transfer { user_data_32: t.user_data_32 + 1, ..t },
        20 => Transfer { timeout: t.timeout.wrapping_add(1), ..t },
        21 => Transfer { timeout: u32::MAX, ..t },
        22 => Transfer { ledger: 0, ..t },
        23 => Transfer { ledger: 1 + t.ledger % 3, ..t },
        24 => Transfer { code: 0, ..t },
        25 => Transfer { code: 1 + t.code % 3, ..t },
        26..=35 => Transfer { flags: F(t.flags.bits() ^ 1 << (change - 26)), ..t },
        36 => Transfer { timestamp: 1, ..t },
        37 => Transfer { user_data_128: 0, user_data_64: 0, user_data_32: 0, ..t },
        38 => Transfer { ledger: 3, ..t },
        39 => Transfer { code: 3, ..t },
        _ => t,
    }
}

fn changed_account(a: Account, change: u8) -> Account {
    match change {
        0 => Account { id: 0, ..a },
        1 => Account { id: u128::MAX, ..a },
        2 => Account { debits_pending: 1, ..a },
        3 => Account { debits_posted: 1, ..a },
        4 => Account { credits_pending: 1, ..a },
        5 => Account { credits_posted: 1, ..a },
        6 => Account { user_data_128: a.user_data_128 + 1, ..a },
        7 => Account { user_data_64: a.user_data_64 + 1, ..a },
        8 => Account { user_data_32: a.user_data_32 + 1, ..a },
        9 => Account { ledger: 0, ..a },
        10 => Account { ledger: 1 + a.ledger % 3, ..a },
        11 => Account { code: 0, ..a },
        12 => Account { code: 1 + a.code % 3, ..a },
        13..=19 => Account { flags: A(a.flags.bits() ^ 1 << (change - 13)), ..a },
        20 => Account { timestamp: 1, ..a },
        21 => {
            let both = A::DebitsMustNotExceedCredits | A::CreditsMustNotExceedDebits;
            Account { flags: a.flags | both, ..a }
        }
        _ => a,
    }
}

fn transfer() -> impl Strategy<Value = Plan> {
    let kind = prop_oneof![
        8 => Just(F::empty()),
        6 => Just(F::Pending),
        5 => Just(F::PostPendingTransfer),
        4 => Just(F::VoidPendingTransfer),
        1 => Just(F::BalancingDebit),
        1 => Just(F::BalancingCredit),
        1 => Just(F::BalancingDebit | F::BalancingCredit | F::Pending),
        1 => Just(F::ClosingDebit | F::Pending),
        1 => Just(F::ClosingCredit | F::Pending),
    ];
    let whole = prop_oneof![3 => Just(None), 1 => (0_u128..4).prop_map(Some)];
    let data = (0_u128..2, 0_u64..2, 0_u32..2);
    let amount = prop_oneof![30 => 0_u128..12, 1 => Just(u128::MAX), 1 => Just(u128::MAX - 5)];
    let pending = (id(), whole, prop_oneof![1 => Just(None), 3 => (0_usize..6).prop_map(Some)]);
    (kind, id(), (1_u128..8, 1_u128..8), amount, pending, 0_u32..4, data, (change(), stamp())).prop_map(
        |(kind, id, (debit, credit), amount, (pending_id, part, nth), timeout, data, (change, stamp))| {
            let (user_data_128, user_data_64, user_data_32) = data;
            let t = if kind.intersects(F::PostPendingTransfer | F::VoidPendingTransfer) {
                let whole = if kind == F::PostPendingTransfer { u128::MAX } else { 0 };
                Transfer { id, pending_id, amount: part.unwrap_or(whole), ..Transfer::default() }
            } else {
                let timeout = if kind.contains(F::Pending) { timeout } else { 0 };
                Transfer { timeout, ..common::transfer(id, debit, credit, amount) }
            };
            let t = Transfer { flags: kind, user_data_128, user_data_64, user_data_32, ..t };
            match nth {
                Some(nth) if t.pending_id != 0 => Plan::Resolve(t, stamp, nth, change),
                _ => Plan::Transfer(changed_transfer(t, change), stamp),
            }
        },
    )
}

fn account() -> impl Strategy<Value = Plan> {
    let flags = prop_oneof![
        Just(A::empty()),
        Just(A::DebitsMustNotExceedCredits),
        Just(A::CreditsMustNotExceedDebits),
        Just(A::History),
    ];
    (1_u128..12, flags, 1_u32..3, change(), stamp()).prop_map(|(id, flags, ledger, change, stamp)| {
        let a = Account { flags, ledger, ..common::account(id) };
        Plan::Account(changed_account(a, change), stamp)
    })
}

fn again() -> impl Strategy<Value = Plan> {
    (0_usize..20, 0_u8..40).prop_map(|(back, change)| Plan::Again(back, change))
}

/// Marks most of a batch's events as imported, or some of them as linked to the next.
fn marked(plans: Vec<Plan>, import: bool, odd: usize, linked: Vec<bool>) -> Vec<Plan> {
    let mut marked = plans;
    for (index, plan) in marked.iter_mut().enumerate() {
        let imported = import != (index == odd);
        let link = linked.get(index).copied().unwrap_or(false);
        match plan {
            Plan::Account(a, _) => {
                a.flags |= if imported { A::Imported } else { A::empty() };
                a.flags |= if link { A::Linked } else { A::empty() };
            }
            Plan::Transfer(t, _) | Plan::Resolve(t, ..) => {
                t.flags |= if imported { F::Imported } else { F::empty() };
                t.flags |= if link { F::Linked } else { F::empty() };
            }
            Plan::Again(..) => {}
        }
    }
    marked
}

fn batch(event: impl Strategy<Value = Plan>) -> impl Strategy<Value = Vec<Plan>> {
    let plan = prop_oneof![5 => event, 2 => again()];
    let plans = prop::collection::vec(plan, 1..8);
    let odd = prop_oneof![9 => Just(usize::MAX), 1 => 0_usize..6];
    let linked = prop::collection::vec(prop::bool::weighted(0.25), 8);
    (plans, prop::bool::weighted(0.2), odd, linked)
        .prop_map(|(plans, import, odd, linked)| marked(plans, import, odd, linked))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        14 => batch(transfer()).prop_map(Step::Transfers),
        4 => batch(account()).prop_map(Step::Accounts),
        4 => (0_u64..3).prop_map(Step::Wait),
        1 => Just(Step::Back),
        1 => Just(Step::Leap),
        2 => Just(Step::Reopen),
    ]
}

/// Statuses, of accounts and of transfers.
type Reached = BTreeSet<(&'static str, &'static str)>;
const KINDS: [&str; 2] = ["account", "transfer"];

/// A history under way.
struct Play {
    stage: Stage,
    model: Model,
    asked: [Vec<Event>; 2],
    reached: Reached,
}

impl Play {
    fn on(stage: Stage) -> Play {
        let model = Model::new(stage.since);
        Play { stage, model, asked: [vec![], vec![]], reached: Reached::new() }
    }

    fn time(&self, stamp: Stamp) -> u64 {
        // What is imported before anything is there lies just after the beginning of the test.
        let least = self.stage.since + 1;
        let accounts = &self.model.accounts;
        let of = |n: usize| accounts.get(n % accounts.len().max(1)).map_or(least, |a| a.timestamp);
        let newest_account = accounts.iter().map(|a| a.timestamp).max().unwrap_or(least);
        let transfers = self.model.transfers.iter().map(|(t, _)| t.timestamp);
        match stamp {
            Stamp::Exactly(time) => time,
            Stamp::AfterTransfers(by) => transfers.max().unwrap_or(newest_account) + by,
            Stamp::AfterAccounts(by) => newest_account + by,
            Stamp::OfAccount(n) => of(n),
            Stamp::AfterAccount(n) => of(n) + 1,
        }
    }

    /// The event as the stage's engine gets it.
    fn event(&self, plan: &Plan, kind: usize) -> Option<Event> {
        let ids = self.stage.ids;
        Some(match plan {
            Plan::Account(a, stamp) => {
                let imported = a.flags.contains(A::Imported);
                let timestamp = if imported { self.time(*stamp) } else { a.timestamp };
                Event::Account(Account { id: ids.real(a.id), timestamp, ..*a })
            }
            Plan::Transfer(t, stamp) => {
                let imported = t.flags.contains(F::Imported);
                let timestamp = if imported { self.time(*stamp) } else { t.timestamp };
                Event::Transfer(Transfer { timestamp, ..with_ids(t, |id| ids.real(id)) })
            }
            Plan::Resolve(t, stamp, nth, change) => {
                let pending = self.model.transfers.iter().rev().filter(|(p, _)| p.flags.contains(F::Pending));
                let pending_id = pending.map(|(p, _)| ids.written(p.id)).nth(*nth).unwrap_or(t.pending_id);
                let t = changed_transfer(Transfer { pending_id, ..*t }, *change);
                return self.event(&Plan::Transfer(t, *stamp), kind);
            }
            Plan::Again(back, change) => {
                let asked = &self.asked[kind];
                let at = asked.len().checked_sub(1 + back)?;
                match asked[at] {
                    // The fields are changed as they are written.
                    Event::Account(a) => {
                        let a = changed_account(Account { id: ids.written(a.id), ..a }, *change);
                        Event::Account(Account { id: ids.real(a.id), ..a })
                    }
                    Event::Transfer(t) => {
                        let t = changed_transfer(with_ids(&t, |id| ids.written(id)), *change);
                        Event::Transfer(with_ids(&t, |id| ids.real(id)))
                    }
                }
            }
        })
    }

    /// TigerBeetle 0.17.9 ends with a failed assertion, for good, when it imports the post or void of a pending transfer
    /// that has a timeout (`post_or_void_pending_transfer`: `assert(!t.flags.imported)`). Nothing to compare there.
    fn kills(&self, event: &Event, batch: &[Event]) -> bool {
        let Event::Transfer(t) = event else { return false };
        let resolves = t.flags.intersects(F::PostPendingTransfer | F::VoidPendingTransfer);
        let before = self.model.transfers.iter().map(|(p, _)| p);
        let beside = batch.iter().filter_map(|e| match e {
            Event::Transfer(p) => Some(p),
            Event::Account(_) => None,
        });
        let timed = before.chain(beside).any(|p| p.id == t.pending_id && p.timeout > 0);
        self.stage.dir.is_none() && resolves && t.flags.contains(F::Imported) && timed
    }

    async fn ask(&mut self, plans: &[Plan], kind: usize) {
        let events: Vec<Event> = plans.iter().filter_map(|plan| self.event(plan, kind)).collect();
        let events: Vec<Event> = events.iter().copied().filter(|e| !self.kills(e, &events)).collect();
        self.asked[kind].extend(events.iter().copied());
        let answers = answers(&*self.stage.engine, &events).await;
        // A cluster tells its time with each event that has no other.
        let own = answers
            .iter()
            .zip(&events)
            .enumerate()
            .find(|(_, ((word, at), event))| *word != "Exists" && stamped(event) != *at);
        let last = own.map(|(index, ((_, at), _))| at + (events.len() - 1 - index) as u64);
        let last = if self.stage.manual.is_some() { None } else { last.or(Some(self.model.clock)) };
        let expected = self.model.batch(&events, last);
        self.reached.extend(expected.iter().map(|(word, _)| (KINDS[kind], *word)));
        let answers: Vec<(&str, u64)> = answers.iter().map(|(word, at)| (word.as_str(), *at)).collect();
        assert_eq!(answers, expected, "{events:#?}");
    }

    /// Waits until nothing on a cluster is about to expire, and lets the model know the time.
    async fn settle(&mut self) {
        const NEAR: u64 = 300_000_000;
        if let Some(clock) = &self.stage.manual {
            self.model.clock = u64::try_from(clock.now().as_nanos()).unwrap();
            // Whatever is due by now is released, by the writer's own clock or by these empty batches: one for each
            // transfer, since the timestamp of an expiry may make the next one due.
            for _ in 0..=self.model.transfers.len() {
                self.stage.engine.create_transfers(vec![]).await.unwrap();
            }
        } else {
            loop {
                self.model.clock = u64::try_from(self.stage.clock().now().as_nanos()).unwrap();
                let now = self.model.clock;
                let near = self.model.transfers.iter().any(|(t, fate)| {
                    let open = *fate == Fate::Open;
                    open && t.expires_at().is_some_and(|at| at.abs_diff(now) < NEAR)
                });
                if !near {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        self.model.expire();
    }

    async fn step(&mut self, step: &Step) {
        self.settle().await;
        match step {
            Step::Accounts(plans) => self.ask(plans, 0).await,
            Step::Transfers(plans) => self.ask(plans, 1).await,
            Step::Wait(seconds) => match &self.stage.manual {
                Some(clock) => clock.advance(Duration::from_secs(*seconds)),
                None => tokio::time::sleep(Duration::from_secs(*seconds / 2)).await,
            },
            Step::Back => {
                if let Some(clock) = &self.stage.manual {
                    clock.set(kernel::Timestamp::from_nanos(START));
                }
            }
            Step::Leap => {
                if let Some(clock) = &self.stage.manual {
                    clock.set(kernel::Timestamp::from_nanos(9_000_000_000_000_000_000));
                }
            }
            Step::Reopen => self.reopen().await,
        }
        self.settle().await;
        self.compare().await;
    }

    async fn reopen(&mut self) {
        let (Some(dir), Some(clock)) = (&self.stage.dir, &self.stage.manual) else { return };
        let before = self.stage.everything().await;
        // Another stands in while the first lets go of its directory.
        drop(std::mem::replace(&mut self.stage.engine, Stage::embedded().engine));
        self.stage.engine = Arc::new(open_small(dir.path(), clock));
        assert_eq!(self.stage.everything().await, before);
        // Timestamps of failures may be forgotten: time goes on from the last frame.
        self.model.newest = ledger::journal::walk(dir.path(), |_| Ok(())).unwrap().timestamp;
    }

    async fn compare(&self) {
        let (accounts, transfers) = self.stage.everything().await;
        let accounts: Vec<Account> =
            accounts.into_iter().filter(|a| self.stage.ids.written(a.id) < 1 << 32).collect();
        let kept: Vec<Transfer> = self.model.transfers.iter().map(|(t, _)| *t).collect();
        assert_eq!(transfers, kept);
        let shown: Vec<Account> = self.model.accounts.iter().map(|a| self.model.shown(a)).collect();
        assert_eq!(accounts, shown);
    }

    async fn end(&self) {
        for a in self.model.accounts.iter().filter(|a| a.flags.contains(A::History)) {
            let flags = AccountFilterFlags::Debits | AccountFilterFlags::Credits;
            let all = AccountFilter { account_id: a.id, limit: 8189, flags, ..AccountFilter::default() };
            let kept = self.stage.engine.get_account_balances(all).await.unwrap();
            let rows = self.model.rows.iter().filter(|(id, _)| *id == a.id).map(|(_, row)| *row);
            assert_eq!(kept, rows.collect::<Vec<_>>(), "account {:x}", a.id);
        }
        if let (Some(dir), true) = (&self.stage.dir, self.stage.manual.is_some()) {
            let report = ledger::audit::verify(dir.path()).unwrap();
            report.compare(&*self.stage.engine).await.unwrap();
        }
    }

    async fn play(mut self, steps: &[Step]) -> Reached {
        self.settle().await;
        let flags = [
            A::empty(),
            A::empty(),
            A::DebitsMustNotExceedCredits,
            A::CreditsMustNotExceedDebits,
            A::History,
        ];
        let accounts = (1..).zip(flags).map(|(id, flags)| Account { flags, ..common::account(id) });
        let begin: Vec<Plan> = accounts.map(|a| Plan::Account(a, Stamp::Exactly(0))).collect();
        self.step(&Step::Accounts(begin)).await;
        for step in steps {
            self.step(step).await;
        }
        self.end().await;
        self.reached
    }
}

fn with_ids(t: &Transfer, change: impl Fn(u128) -> u128) -> Transfer {
    Transfer {
        id: change(t.id),
        debit_account_id: change(t.debit_account_id),
        credit_account_id: change(t.credit_account_id),
        pending_id: change(t.pending_id),
        ..*t
    }
}

fn stamped(event: &Event) -> u64 {
    match event {
        Event::Account(a) => a.timestamp,
        Event::Transfer(t) => t.timestamp,
    }
}

async fn answers(engine: &dyn ledger::Engine, events: &[Event]) -> Vec<(String, u64)> {
    let (mut accounts, mut transfers) = (vec![], vec![]);
    for event in events {
        match event {
            Event::Account(a) => accounts.push(*a),
            Event::Transfer(t) => transfers.push(*t),
        }
    }
    let mut out = Vec::new();
    if transfers.is_empty() {
        let made = engine.create_accounts(accounts).await.unwrap();
        out.extend(made.iter().map(|r| (r.status.to_string(), r.timestamp)));
    } else {
        let made = engine.create_transfers(transfers).await.unwrap();
        out.extend(made.iter().map(|r| (r.status.to_string(), r.timestamp)));
    }
    out
}

/// What was reached, and what must have been and was not.
fn report(engine: &str, reached: &Reached, unreachable: &[&[(&str, &str)]]) {
    let accounts = CreateAccountStatus::ALL.iter().map(|s| (KINDS[0], s.to_string()));
    let transfers = CreateTransferStatus::ALL.iter().map(|s| (KINDS[1], s.to_string()));
    let all: BTreeSet<(&str, String)> = accounts.chain(transfers).collect();
    for (kind, word) in reached {
        eprintln!("{engine}: reached {kind} {word}");
    }
    for (word, why) in unreachable.concat() {
        eprintln!("{engine}: {word} cannot be reached: {why}");
    }
    eprintln!("{engine}: reached {} of {} statuses", reached.len(), all.len());
    let excused: BTreeSet<&str> = unreachable.concat().iter().map(|(word, _)| *word).collect();
    let missed: Vec<_> = all
        .iter()
        .filter(|(kind, word)| !reached.contains(&(kind, word.as_str())) && !excused.contains(word.as_str()))
        .collect();
    assert!(missed.is_empty(), "{engine}: never reached: {missed:?}");
}

#[test]
fn the_embedded_engine_does_what_a_naive_model_does() {
    let reached = Mutex::new(Reached::new());
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let histories = prop::collection::vec(step(), 1..60);
    let mut runner = TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let result = runner.run(&histories, |steps| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let met = runtime.block_on(Play::on(Stage::embedded()).play(&steps));
        reached.lock().unwrap().extend(met);
        Ok(())
    });
    if let Err(e) = result {
        panic!("{e}");
    }
    report("embedded", &reached.into_inner().unwrap(), &[UNREACHABLE]);
}

#[test]
fn tigerbeetle_does_what_a_naive_model_does() {
    if cluster::server().is_none() {
        return cluster::skipped("random histories", "TIGERBEETLE_ADDRESSES names no server");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let histories = prop::collection::vec(step(), 60..61);
    let mut reached = Reached::new();
    for number in 0..HISTORIES {
        let mut steps = histories.new_tree(&mut runner).unwrap().current();
        steps.retain(|step| number % 8 == 0 || !matches!(step, Step::Wait(_)));
        let met = runtime.block_on(async {
            Play::on(Stage::cluster("random histories").await.expect("a server")).play(&steps).await
        });
        reached.extend(met);
    }
    let why = "TigerBeetle 0.17.9 does not survive it";
    cluster::skipped("importing the post or void of a pending transfer with a timeout", why);
    report("TigerBeetle", &reached, &[UNREACHABLE, UNREACHABLE_THERE]);
}
