//! The accounts and transfers that every engine of a run is given: the same from the same seed, event for
//! event, so that what an engine holds afterwards can be worked out again without having been kept.
//!
//! Their shape is that of TigerBeetle's own benchmark: accounts with history, random user data and codes,
//! amounts distributed exponentially around 10,000, ids that begin with the time. Nothing here measures.

use std::sync::Arc;

use clap::ValueEnum;
use ledger::{Account, AccountFlags, Transfer, TransferFlags};

use super::zipf::Zipf;
use crate::bench::plan::Draw;

/// The one ledger that all accounts are of.
pub const LEDGER: u32 = 1;
/// The mean of the amounts.
const AMOUNT: u64 = 10_000;
/// How many ids share a millisecond: about a quarter of a million a second.
const PER_MS: u32 = 256;

/// How ids are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ids {
    /// Milliseconds in front, then counted up from a random number: each greater than the one before.
    Time,
    /// Without any order.
    Random,
}

/// Which accounts meet in a transfer, and of what kind it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Any two accounts.
    Uniform,
    /// The first account pays in every transfer, anybody is paid.
    Hot,
    /// Payer and payee both by Zipf's law with exponent 0.99; the busiest of 10,000 has a tenth of all.
    Zipf,
    /// A batch of pending transfers, then a batch that posts each of them in whole.
    TwoPhase,
}

/// The accounts of a run.
#[derive(Clone, Debug)]
pub enum Accounts {
    /// So many, with ids counted up from the first.
    Counted(u128, u64),
    /// So many, with ids in no order.
    Scattered(u64, u64),
    /// Those that are there.
    Listed(Arc<[u128]>),
}

impl Accounts {
    /// New ones. `at_ms` is when the run began.
    pub fn new(ids: Ids, seed: u64, at_ms: u64, count: u64) -> Accounts {
        let mut draw = Draw::new(seed ^ at_ms, 1);
        match ids {
            Ids::Time => Accounts::Counted(u128::from(at_ms) << 80 | wide(&mut draw) >> 49, count),
            Ids::Random => Accounts::Scattered(draw.next(), count),
        }
    }

    /// How many.
    pub fn len(&self) -> u64 {
        match self {
            Accounts::Counted(_, count) | Accounts::Scattered(_, count) => *count,
            Accounts::Listed(ids) => ids.len() as u64,
        }
    }

    /// The id of one.
    pub fn id(&self, index: u64) -> u128 {
        match self {
            Accounts::Counted(first, _) => first + u128::from(index),
            Accounts::Scattered(seed, _) => wide(&mut Draw::new(*seed, index)),
            Accounts::Listed(ids) => {
                usize::try_from(index).ok().and_then(|i| ids.get(i)).copied().unwrap_or(0)
            }
        }
    }
}

/// What a run sends.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Names the events.
    pub seed: u64,
    /// When the run began, in milliseconds: ids of different runs differ.
    pub at_ms: u64,
    /// Between whom.
    pub accounts: Accounts,
    /// How many events; a post is one.
    pub transfers: u64,
    /// How many of them in one request.
    pub batch: u64,
    /// How their ids are chosen.
    pub ids: Ids,
    /// Of what kind they are.
    pub shape: Shape,
    /// Whether the accounts keep their balance after each transfer.
    pub history: bool,
}

impl Plan {
    /// The events that create the accounts from `from`, at most one batch of them.
    pub fn create(&self, from: u64) -> Vec<Account> {
        let mut draw = Draw::new(self.seed ^ 2, from);
        let flags = if self.history { AccountFlags::History } else { AccountFlags::empty() };
        let account = |index| Account {
            id: self.accounts.id(index),
            user_data_128: wide(&mut draw),
            user_data_64: draw.next(),
            user_data_32: low32(draw.next()),
            ledger: LEDGER,
            code: 1,
            flags,
            ..Account::default()
        };
        (from..self.accounts.len().min(from + self.batch)).map(account).collect()
    }

    /// The transfers from the first.
    pub fn events(&self) -> Events {
        let zipf = (self.shape == Shape::Zipf).then(|| Zipf::new(self.accounts.len()));
        let draw = Draw::new(self.seed, 0);
        let mut ids = Draw::new(self.seed ^ self.at_ms, 3);
        let id = u128::from(self.at_ms + 1) << 80 | wide(&mut ids) >> 49;
        Events { plan: self.clone(), zipf, draw, ids, id, in_ms: 0, left: self.transfers }
    }

    /// What each account has been debited and credited once every event has been taken, on top of `before`.
    /// For events that were taken in the plan's batches and all succeeded.
    pub fn add_expected(&self, sums: &mut [Sums]) {
        let mut events = self.events();
        while let Some((transfer, [payer, payee])) = events.next_of() {
            // A pending transfer and its post are planned as one.
            let amount = transfer.amount;
            if let Some(sums) = usize::try_from(payer).ok().and_then(|i| sums.get_mut(i)) {
                sums.debits += amount;
            }
            if let Some(sums) = usize::try_from(payee).ok().and_then(|i| sums.get_mut(i)) {
                sums.credits += amount;
            }
        }
    }
}

/// What was moved out of and into an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Out.
    pub debits: u128,
    /// In.
    pub credits: u128,
}

/// A batch, or a batch and the one that can only be sent when the first was answered.
pub type Work = Vec<Vec<Transfer>>;

/// The transfers of a plan, one after another.
#[derive(Debug)]
pub struct Events {
    plan: Plan,
    zipf: Option<Zipf>,
    draw: Draw,
    ids: Draw,
    id: u128,
    in_ms: u32,
    left: u64,
}

impl Events {
    /// The next request, or pair of requests; `None` at the end.
    pub fn work(&mut self) -> Option<Work> {
        let size = usize::try_from(self.plan.batch).unwrap_or(usize::MAX);
        let mut batch = Vec::with_capacity(size);
        while batch.len() < size
            && let Some((transfer, _)) = self.next_of()
        {
            batch.push(transfer);
        }
        if batch.is_empty() {
            return None;
        }
        if self.plan.shape != Shape::TwoPhase {
            return Some(vec![batch]);
        }
        let posts = batch.iter().map(|pending| self.post(pending)).collect();
        Some(vec![batch, posts])
    }

    /// The next transfer alone, with the numbers of its accounts; of a pair the pending one.
    pub fn next_of(&mut self) -> Option<(Transfer, [u64; 2])> {
        let pair = self.plan.shape == Shape::TwoPhase;
        self.left = self.left.checked_sub(if pair { 2 } else { 1 })?;
        let between = self.between();
        let [debit, credit] = between.map(|index| self.plan.accounts.id(index));
        let transfer = Transfer {
            id: self.next_id(),
            debit_account_id: debit,
            credit_account_id: credit,
            amount: u128::from(amount(&mut self.draw)),
            user_data_128: wide(&mut self.draw),
            user_data_64: self.draw.next(),
            user_data_32: low32(self.draw.next()),
            ledger: LEDGER,
            code: 1 + u16::try_from(self.draw.below(u64::from(u16::MAX))).unwrap_or(0),
            flags: if pair { TransferFlags::Pending } else { TransferFlags::empty() },
            ..Transfer::default()
        };
        Some((transfer, between))
    }

    fn post(&mut self, pending: &Transfer) -> Transfer {
        let flags = TransferFlags::PostPendingTransfer;
        Transfer { id: self.next_id(), pending_id: pending.id, flags, ..*pending }
    }

    fn between(&mut self) -> [u64; 2] {
        let count = self.plan.accounts.len().max(2);
        let any = |zipf: &Option<Zipf>, draw: &mut Draw| match zipf {
            Some(zipf) => zipf.pick(draw),
            None => draw.below(count),
        };
        let payer = if self.plan.shape == Shape::Hot { 0 } else { any(&self.zipf, &mut self.draw) };
        let payee = any(&self.zipf, &mut self.draw);
        [payer, if payee == payer { (payee + 1) % count } else { payee }]
    }

    fn next_id(&mut self) -> u128 {
        if self.plan.ids == Ids::Random {
            return wide(&mut self.ids);
        }
        self.in_ms += 1;
        if self.in_ms == PER_MS {
            self.in_ms = 0;
            self.id = ((self.id >> 80) + 1) << 80 | wide(&mut self.ids) >> 49; // room to count up within 80 bits
        } else {
            self.id += 1;
        }
        self.id
    }
}

/// 127 bits, never zero: an id, or user data.
fn wide(draw: &mut Draw) -> u128 {
    (u128::from(draw.next()) << 64 | u128::from(draw.next())) >> 1 | 1 << 64
}

fn low32(bits: u64) -> u32 {
    u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(0)
}

/// At least 1, and around [`AMOUNT`].
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a distribution needs no exact number"
)]
fn amount(draw: &mut Draw) -> u64 {
    let uniform = ((draw.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64; // float: a draw in (0, 1]
    1 + (-uniform.ln() * AMOUNT as f64) as u64 // float: the load's distribution, not an account of money
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn plan(shape: Shape, ids: Ids) -> Plan {
        let accounts = Accounts::new(ids, 7, 1_000, 100);
        Plan { seed: 7, at_ms: 1_000, accounts, transfers: 5_000, batch: 300, ids, shape, history: true }
    }

    const SHAPES: [Shape; 4] = [Shape::Uniform, Shape::Hot, Shape::Zipf, Shape::TwoPhase];

    #[test]
    fn the_same_seed_plans_the_same_events_each_with_its_own_id() {
        for (shape, ids) in SHAPES.into_iter().flat_map(|s| [(s, Ids::Time), (s, Ids::Random)]) {
            let plan = plan(shape, ids);
            let all = || {
                let mut events = plan.events();
                std::iter::from_fn(|| events.work()).flatten().collect::<Vec<_>>()
            };
            let (first, second) = (all(), all());
            assert_eq!(first, second, "{shape:?}");
            let first = first.concat();
            assert_eq!(first.len(), 5_000, "{shape:?}");
            let distinct: HashSet<_> = first.iter().map(|t| t.id).collect();
            assert_eq!(distinct.len(), 5_000, "{shape:?} {ids:?}");
            assert!(first.iter().all(|t| t.debit_account_id != t.credit_account_id && t.code > 0));
            assert_eq!(first.is_sorted_by_key(|t| t.id), ids == Ids::Time, "{shape:?} {ids:?}");
        }
    }

    #[test]
    fn accounts_are_as_many_as_asked_for() {
        for ids in [Ids::Time, Ids::Random] {
            let plan = Plan { batch: 30, ..plan(Shape::Uniform, ids) };
            let made: Vec<_> = (0..4).flat_map(|batch| plan.create(batch * 30)).collect();
            let distinct: HashSet<_> = made.iter().map(|a| a.id).collect();
            assert_eq!((made.len(), distinct.len()), (100, 100));
            assert!(made.iter().zip(0..).all(|(account, index)| account.id == plan.accounts.id(index)));
        }
    }

    #[test]
    fn expected_sums_are_those_of_the_events() {
        for shape in SHAPES {
            let plan = plan(shape, Ids::Time);
            let mut expected = vec![Sums::default(); 100];
            plan.add_expected(&mut expected);
            let mut found = vec![Sums::default(); 100];
            let mut events = plan.events();
            for transfer in std::iter::from_fn(|| events.work()).flat_map(|mut work| work.pop().unwrap()) {
                let at = |id| (0..100).position(|index| plan.accounts.id(index) == id).unwrap();
                found[at(transfer.debit_account_id)].debits += transfer.amount;
                found[at(transfer.credit_account_id)].credits += transfer.amount;
            }
            // The numbers of pairs differ with the batches' ends in nothing but the ids of posts.
            assert_eq!(found, expected, "{shape:?}");
        }
    }

    #[test]
    fn shapes_are_what_they_say() {
        let share = |shape| {
            let plan = plan(shape, Ids::Time);
            let mut events = plan.events();
            let payers = std::iter::from_fn(|| events.next_of()).map(|(_, [payer, _])| payer);
            let mut counts = [0_usize; 100];
            payers.for_each(|payer| counts[usize::try_from(payer).unwrap()] += 1);
            counts.into_iter().max().unwrap()
        };
        assert!(share(Shape::Uniform) < 100, "each has about fifty of 5,000");
        assert_eq!(share(Shape::Hot), 5_000);
        assert!((700..1_300).contains(&share(Shape::Zipf)), "{}", share(Shape::Zipf)); // 5,000 / (1 + 1/2^0.99 + …)
    }
}
