//! Random histories: the engine against a naive model.
//!
//! The model works every balance out from the list of transfers each time it needs one, keeps a copy of
//! everything to undo a chain, and has its checks in one list. It shares no code with the engine.

mod common;

use std::time::Duration;

use common::{START, clock, everything, open_small};
use ledger::{Account, AccountFlags as A, CreateTransferStatus as S, Engine, Transfer, TransferFlags as F};
use proptest::prelude::*;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Fate {
    Settled,
    Open,
    Posted,
    Voided,
    Expired,
}

#[derive(Clone)]
struct Model {
    accounts: Vec<Account>,
    transfers: Vec<(Transfer, Fate)>,
    burnt: Vec<u128>,
    clock: u64,
    newest: u64,
}

/// debits pending, debits posted, credits pending, credits posted, closed
type Balance = (u128, u128, u128, u128, bool);

impl Model {
    fn balance(&self, id: u128) -> Balance {
        let mut b = (0, 0, 0, 0, false);
        for (t, fate) in &self.transfers {
            let reserves = *fate == Fate::Open;
            let moves = *fate == Fate::Settled && !t.flags.contains(F::VoidPendingTransfer);
            if t.debit_account_id == id {
                b.0 += if reserves { t.amount } else { 0 };
                b.1 += if moves { t.amount } else { 0 };
                b.4 |= reserves && t.flags.contains(F::ClosingDebit);
            }
            if t.credit_account_id == id {
                b.2 += if reserves { t.amount } else { 0 };
                b.3 += if moves { t.amount } else { 0 };
                b.4 |= reserves && t.flags.contains(F::ClosingCredit);
            }
        }
        b
    }

    fn find(&self, id: u128) -> Option<(Transfer, Fate)> {
        self.transfers.iter().copied().find(|(t, _)| t.id == id)
    }

    fn has(&self, id: u128, flag: A) -> bool {
        self.accounts.iter().any(|a| a.id == id && a.flags.contains(flag))
    }

    /// Releases what is due. An expiry takes a timestamp of its own, which may make the next one due.
    fn expire(&mut self) {
        while self.expire_some() {}
    }

    fn expire_some(&mut self) -> bool {
        let now = self.clock.max(self.newest);
        let mut due: Vec<(u64, usize)> = Vec::new();
        for (index, (t, fate)) in self.transfers.iter().enumerate() {
            let at = t.timestamp + u64::from(t.timeout) * 1_000_000_000;
            if *fate == Fate::Open && t.timeout > 0 && at <= now {
                due.push((at, index));
            }
        }
        due.sort_unstable();
        for (_, index) in &due {
            self.transfers[*index].1 = Fate::Expired;
            self.newest = (self.newest + 1).max(now);
        }
        !due.is_empty()
    }

    fn batch(&mut self, events: &[Transfer]) -> Vec<(S, u64)> {
        self.expire();
        let count = events.len() as u64;
        if count == 0 {
            return vec![];
        }
        self.newest = (self.newest + count).max(self.clock);
        let first = self.newest + 1 - count;
        let mut out = Vec::new();
        let mut index = 0;
        while index < events.len() {
            let length = events[index..].iter().take_while(|t| t.flags.contains(F::Linked)).count();
            let open = index + length == events.len();
            let end = if open { events.len() } else { index + length + 1 };
            let before = self.clone();
            let mut broken = None;
            let mut results = Vec::new();
            for (at, event) in events.iter().enumerate().take(end).skip(index) {
                let timestamp = first + at as u64;
                let last_of_open = open && at + 1 == end;
                let (status, existing) = if last_of_open {
                    (S::LinkedEventChainOpen, None)
                } else if broken.is_some() {
                    (S::LinkedEventFailed, None)
                } else {
                    self.one(event, timestamp)
                };
                if status != S::Created && broken.is_none() {
                    broken = Some((at, status));
                }
                results.push((status, existing.unwrap_or(timestamp)));
            }
            if let Some((at, status)) = broken {
                let newest = self.newest;
                *self = before;
                self.newest = newest;
                for result in &mut results[..at - index] {
                    result.0 = S::LinkedEventFailed;
                }
                if status.is_transient() {
                    self.burnt.push(events[at].id);
                }
            }
            out.extend(results);
            index = end;
        }
        out
    }

    fn one(&mut self, t: &Transfer, at: u64) -> (S, Option<u64>) {
        let status = self.judge(t, at);
        if status == S::Exists {
            return (status, self.find(t.id).map(|(e, _)| e.timestamp));
        }
        if status != S::Created {
            return (status, None);
        }
        let mut kept = Transfer { timestamp: at, amount: self.amount(t), ..*t };
        let mut fate = if t.flags.contains(F::Pending) { Fate::Open } else { Fate::Settled };
        if let Some((p, _)) = self.find(t.pending_id) {
            let posts = t.flags.contains(F::PostPendingTransfer);
            let resolved = if posts { Fate::Posted } else { Fate::Voided };
            for (q, fate) in &mut self.transfers {
                if q.id == p.id {
                    *fate = resolved;
                }
            }
            kept = Transfer {
                user_data_64: if t.user_data_64 == 0 { p.user_data_64 } else { t.user_data_64 },
                amount: kept.amount,
                timestamp: at,
                id: t.id,
                pending_id: p.id,
                flags: t.flags,
                timeout: 0,
                ..p
            };
            fate = Fate::Settled;
        }
        self.transfers.push((kept, fate));
        (S::Created, None)
    }

    fn amount(&self, t: &Transfer) -> u128 {
        if let Some((p, _)) = self.find(t.pending_id) {
            let whole = if t.flags.contains(F::PostPendingTransfer) { u128::MAX } else { 0 };
            return if t.amount == whole { p.amount } else { t.amount };
        }
        let (d, c) = (self.balance(t.debit_account_id), self.balance(t.credit_account_id));
        let mut amount = t.amount;
        if t.flags.contains(F::BalancingDebit) {
            amount = amount.min(d.3.saturating_sub(d.0 + d.1));
        }
        if t.flags.contains(F::BalancingCredit) {
            amount = amount.min(c.1.saturating_sub(c.2 + c.3));
        }
        amount
    }

    fn judge(&self, t: &Transfer, at: u64) -> S {
        if let Some((e, _)) = self.find(t.id) {
            return self.twin(t, &e);
        }
        if self.burnt.contains(&t.id) {
            return S::IdAlreadyFailed;
        }
        let first = |checks: &[(bool, S)]| checks.iter().find(|c| c.0).map_or(S::Created, |c| c.1);
        let void = t.flags.contains(F::VoidPendingTransfer);
        if void || t.flags.contains(F::PostPendingTransfer) {
            let Some((p, fate)) = self.find(t.pending_id) else {
                return first(&[
                    (t.pending_id == 0, S::PendingIdMustNotBeZero),
                    (t.pending_id == t.id, S::PendingIdMustBeDifferent),
                    (true, S::PendingTransferNotFound),
                ]);
            };
            let amount = self.amount(t);
            let due = p.timeout > 0 && at >= p.timestamp + u64::from(p.timeout) * 1_000_000_000;
            return first(&[
                (!p.flags.contains(F::Pending), S::PendingTransferNotPending),
                (amount > p.amount, S::ExceedsPendingTransferAmount),
                (void && amount < p.amount, S::PendingTransferHasDifferentAmount),
                (fate == Fate::Posted, S::PendingTransferAlreadyPosted),
                (fate == Fate::Voided, S::PendingTransferAlreadyVoided),
                (fate == Fate::Expired || due, S::PendingTransferExpired),
                (!void && self.balance(p.debit_account_id).4, S::DebitAccountAlreadyClosed),
                (!void && self.balance(p.credit_account_id).4, S::CreditAccountAlreadyClosed),
            ]);
        }
        let (d, c) = (self.balance(t.debit_account_id), self.balance(t.credit_account_id));
        let amount = self.amount(t);
        let (debits, credits) = (d.0 + d.1 + amount, c.2 + c.3 + amount);
        let known = |id| self.accounts.iter().any(|a| a.id == id);
        let (tight_debit, tight_credit) = (A::DebitsMustNotExceedCredits, A::CreditsMustNotExceedDebits);
        first(&[
            (t.debit_account_id == t.credit_account_id, S::AccountsMustBeDifferent),
            (!known(t.debit_account_id), S::DebitAccountNotFound),
            (!known(t.credit_account_id), S::CreditAccountNotFound),
            (d.4, S::DebitAccountAlreadyClosed),
            (c.4, S::CreditAccountAlreadyClosed),
            (self.has(t.debit_account_id, tight_debit) && debits > d.3, S::ExceedsCredits),
            (self.has(t.credit_account_id, tight_credit) && credits > c.1, S::ExceedsDebits),
        ])
    }

    fn twin(&self, t: &Transfer, e: &Transfer) -> S {
        let resolves = t.flags.intersects(F::PostPendingTransfer | F::VoidPendingTransfer);
        if t.flags != e.flags {
            return S::ExistsWithDifferentFlags;
        }
        if t.pending_id != e.pending_id {
            return S::ExistsWithDifferentPendingId;
        }
        if t.timeout != e.timeout {
            return S::ExistsWithDifferentTimeout;
        }
        if resolves {
            let p = self.find(e.pending_id).unwrap().0;
            let data = if t.user_data_64 == 0 { p.user_data_64 } else { t.user_data_64 };
            return match () {
                () if self.amount(t) != e.amount => S::ExistsWithDifferentAmount,
                () if data != e.user_data_64 => S::ExistsWithDifferentUserData64,
                () => S::Exists,
            };
        }
        let balancing = t.flags.intersects(F::BalancingDebit | F::BalancingCredit);
        match () {
            () if t.debit_account_id != e.debit_account_id => S::ExistsWithDifferentDebitAccountId,
            () if t.credit_account_id != e.credit_account_id => S::ExistsWithDifferentCreditAccountId,
            () if balancing && t.amount < e.amount => S::ExistsWithDifferentAmount,
            () if !balancing && t.amount != e.amount => S::ExistsWithDifferentAmount,
            () if t.user_data_64 != e.user_data_64 => S::ExistsWithDifferentUserData64,
            () => S::Exists,
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Batch(Vec<Transfer>),
    Wait(u64),
    Back,
    Reopen,
}

fn event() -> impl Strategy<Value = Transfer> {
    let kind = prop_oneof![
        6 => Just(F::empty()),
        4 => Just(F::Pending),
        4 => Just(F::PostPendingTransfer),
        3 => Just(F::VoidPendingTransfer),
        1 => Just(F::BalancingDebit),
        1 => Just(F::BalancingCredit),
        1 => Just(F::BalancingDebit | F::BalancingCredit | F::Pending),
        1 => Just(F::ClosingDebit | F::Pending),
        1 => Just(F::ClosingCredit | F::Pending),
    ];
    let whole = prop_oneof![3 => Just(None), 1 => (0_u128..4).prop_map(Some)];
    (
        kind,
        1_u128..60,
        (1_u128..7, 1_u128..7),
        0_u128..12,
        (1_u128..60, whole),
        0_u32..4,
        prop::bool::weighted(0.25),
        0_u64..2,
    )
        .prop_map(
            |(kind, id, (debit, credit), amount, (pending_id, part), timeout, linked, user_data_64)| {
                let flags = if linked { kind | F::Linked } else { kind };
                if kind.intersects(F::PostPendingTransfer | F::VoidPendingTransfer) {
                    let whole = if kind == F::PostPendingTransfer { u128::MAX } else { 0 };
                    let amount = part.unwrap_or(whole);
                    return Transfer { id, pending_id, flags, amount, user_data_64, ..Transfer::default() };
                }
                let timeout = if kind.contains(F::Pending) { timeout } else { 0 };
                Transfer { flags, timeout, user_data_64, ..common::transfer(id, debit, credit, amount) }
            },
        )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::collection::vec(event(), 1..8).prop_map(Step::Batch),
        2 => (0_u64..3).prop_map(Step::Wait),
        1 => Just(Step::Back),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_does_what_a_naive_model_does(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let clock = clock();
            let mut engine = open_small(dir.path(), &clock);
            let flags = [A::empty(), A::empty(), A::DebitsMustNotExceedCredits, A::CreditsMustNotExceedDebits, A::History];
            let accounts: Vec<Account> =
                (1..).zip(flags).map(|(id, flags)| Account { flags, ..common::account(id) }).collect();
            engine.create_accounts(accounts.clone()).await.unwrap();
            let start = u64::try_from(START).unwrap();
            let mut model =
                Model { accounts, transfers: vec![], burnt: vec![], clock: start, newest: start };
            model.newest = engine.query_accounts(all()).await.unwrap().last().unwrap().timestamp;
            for step in steps {
                match step {
                    Step::Batch(events) => {
                        let results = engine.create_transfers(events.clone()).await.unwrap();
                        let results: Vec<_> = results.iter().map(|r| (r.status, r.timestamp)).collect();
                        assert_eq!(results, model.batch(&events), "{events:?}");
                    }
                    Step::Wait(seconds) => {
                        clock.advance(Duration::from_secs(seconds));
                        model.clock += seconds * 1_000_000_000;
                    }
                    Step::Back => {
                        clock.set(kernel::Timestamp::from_nanos(START));
                        model.clock = start;
                    }
                    Step::Reopen => {
                        let before = everything(&engine).await;
                        drop(engine);
                        engine = open_small(dir.path(), &clock);
                        assert_eq!(everything(&engine).await, before);
                        // Timestamps of failures may be forgotten: time goes on from the last frame.
                        model.newest = ledger::journal::walk(dir.path(), |_| Ok(())).unwrap().timestamp;
                    }
                }
                // Whatever is due by now is released, by the writer's own clock or by these empty batches: one for
                // each transfer, since the timestamp of an expiry may make the next one due.
                for _ in 0..=model.transfers.len() {
                    engine.create_transfers(vec![]).await.unwrap();
                }
                model.expire();
                let (accounts, transfers) = everything(&engine).await;
                let kept: Vec<Transfer> = model.transfers.iter().map(|(t, _)| *t).collect();
                assert_eq!(transfers, kept);
                for a in accounts {
                    let balance = (
                        a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted,
                        a.flags.contains(A::Closed),
                    );
                    assert_eq!(balance, model.balance(a.id), "account {}", a.id);
                }
            }
            let report = ledger::audit::verify(dir.path()).unwrap();
            report.compare(&engine).await.unwrap();
        });
    }
}

fn all() -> ledger::QueryFilter {
    ledger::QueryFilter { limit: 100, ..ledger::QueryFilter::default() }
}
