//! Random histories, from a seed: few accounts and ids, so that events meet; every flag that can work.
#![allow(dead_code, reason = "each test file uses its own part")]

use ledger::{Account, AccountFlags as A, CreateTransferResult, Engine, Transfer, TransferFlags as F};

use super::stage::Stage;

/// Numbers from a seed (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    /// Less than `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// How many accounts a history has.
pub const ACCOUNTS: u128 = 8;

/// Accounts of every kind that takes transfers, and one that was made closed.
pub async fn open_accounts(stage: &Stage) {
    let flags = [
        A::empty(),
        A::empty(),
        A::DebitsMustNotExceedCredits,
        A::CreditsMustNotExceedDebits,
        A::History,
        A::DebitsMustNotExceedCredits | A::History,
        A::empty(),
        A::Closed,
    ];
    let events = (1..=ACCOUNTS).zip(flags).map(|(id, flags)| Account {
        flags,
        user_data_128: id,
        user_data_64: 2,
        user_data_32: 3,
        ..stage.account(id)
    });
    stage.engine.create_accounts(events.collect()).await.unwrap();
}

/// A batch of one to `most` transfers; ids from 1 to `ids`.
pub fn batch(random: &mut Random, stage: &Stage, most: u64, ids: u64) -> Vec<Transfer> {
    (0..=random.below(most)).map(|_| event(random, stage, ids)).collect()
}

fn event(random: &mut Random, stage: &Stage, ids: u64) -> Transfer {
    let id = u128::from(1 + random.below(ids));
    let kinds = [
        (18, F::empty()),
        (18, F::Pending),
        (12, F::PostPendingTransfer),
        (9, F::VoidPendingTransfer),
        (3, F::BalancingDebit),
        (3, F::BalancingCredit),
        (3, F::BalancingDebit | F::BalancingCredit | F::Pending),
        (1, F::ClosingDebit | F::Pending),
        (1, F::ClosingCredit | F::Pending),
    ];
    let mut at = random.below(kinds.iter().map(|k| k.0).sum());
    let kind = kinds.iter().find(|(weight, _)| {
        let here = at < *weight;
        at = at.saturating_sub(*weight);
        here
    });
    let kind = kind.unwrap().1;
    let flags = if random.one_in(5) { kind | F::Linked } else { kind };
    let data = Transfer {
        user_data_128: u128::from(random.below(3)),
        user_data_64: random.below(3),
        user_data_32: u32::try_from(random.below(3)).unwrap(),
        ..Transfer::default()
    };
    if kind.intersects(F::PostPendingTransfer | F::VoidPendingTransfer) {
        let whole = if kind == F::PostPendingTransfer { u128::MAX } else { 0 };
        let amount = if random.one_in(4) { u128::from(random.below(4)) } else { whole };
        let near = u128::from(1 + random.below(ids));
        let pending_id = stage.ids.real(near);
        return Transfer { id: stage.ids.real(id), pending_id, flags, amount, ..data };
    }
    let side = |random: &mut Random| u128::from(1 + random.below(9));
    let (debit, credit) = (side(random), side(random));
    let timeout = if kind.contains(F::Pending) && !random.one_in(3) { 1 + random.below(4) } else { 0 };
    Transfer {
        flags,
        timeout: u32::try_from(timeout).unwrap(),
        user_data_128: data.user_data_128,
        user_data_64: data.user_data_64,
        user_data_32: data.user_data_32,
        ..stage.transfer(id, debit, credit, u128::from(random.below(12)))
    }
}

/// Asks for a batch.
pub async fn submit(engine: &dyn Engine, events: &[Transfer]) -> Vec<CreateTransferResult> {
    engine.create_transfers(events.to_vec()).await.unwrap()
}
