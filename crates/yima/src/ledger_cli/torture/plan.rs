//! What the observer asks for: random requests of every kind, many of which must fail. A function of the
//! seed and of what is there; it reads no clock.

use std::collections::VecDeque;

use kernel::{Rng as _, SeededRng};
use ledger::{Account, AccountFlags as A, BATCH_MAX, Transfer, TransferFlags as F};

use super::model::Events;

/// The first request makes so many accounts.
const ACCOUNTS_FIRST: u64 = 100;
/// No more than so many are made.
const ACCOUNTS_MAX: usize = 5_000;
/// How many of the newest pending transfers may still be posted or voided.
const PENDING_KEPT: usize = 500;

/// Marks the transfers of chains.
const CHAINED: u64 = 1;

/// Draws requests.
#[derive(Debug)]
pub struct Plan {
    rng: SeededRng,
    next: u128,
    accounts: Vec<(u128, u32)>,
    pending: VecDeque<Transfer>,
}

impl Plan {
    /// The requests of this seed.
    pub fn new(seed: u64) -> Plan {
        Plan { rng: SeededRng::new(seed), next: 0, accounts: Vec::new(), pending: VecDeque::new() }
    }

    /// A number below `end`.
    pub fn below(&self, end: u64) -> u64 {
        self.rng.u64() % end.max(1)
    }

    /// A number of the range.
    pub fn within(&self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.below(range.end.saturating_sub(range.start))
    }

    /// Whether it happens, in so many cases of a hundred.
    pub fn percent(&self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// Forgets accounts that did not come to be.
    pub fn know<'a>(&mut self, accounts: impl Iterator<Item = &'a Account>) {
        self.accounts = accounts.map(|a| (a.id, a.ledger)).collect();
    }

    /// The next request, of at most `most` events.
    pub fn request(&mut self, most: usize) -> Events {
        if self.accounts.is_empty() || self.accounts.len() < ACCOUNTS_MAX && self.percent(5) {
            return Events::Accounts(self.some_accounts());
        }
        let size = match self.below(100) {
            0..60 => self.within(1..9),
            60..90 => self.within(1..100),
            90..99 => self.within(100..1_000),
            _ => self.within(1_000..BATCH_MAX as u64 + 1),
        };
        let size = usize::try_from(size).unwrap_or(1).min(most).max(1);
        let mut events: Vec<Transfer> = Vec::with_capacity(size + 8);
        while events.len() < size {
            self.some_transfers(&mut events);
        }
        events.truncate(BATCH_MAX);
        if let Some(last) = events.last_mut()
            && self.below(50) > 0
        {
            last.flags = last.flags.without(F::Linked); // a chain open at the end is rare
        }
        Events::Transfers(events)
    }

    /// Ids come in order or anywhere, as callers give them.
    fn id(&mut self) -> u128 {
        self.next += 1;
        if self.next.is_multiple_of(2) { self.next } else { self.rng.u128() << 40 | 1 << 39 | self.next }
    }

    fn some_accounts(&mut self) -> Vec<Account> {
        let count = if self.accounts.is_empty() { ACCOUNTS_FIRST } else { self.within(1..12) };
        let mut out: Vec<Account> = Vec::new();
        for n in 0..count {
            let flags = match self.below(20) {
                0..4 => A::History,
                4..7 => A::DebitsMustNotExceedCredits,
                7..9 => A::CreditsMustNotExceedDebits,
                _ => A::empty(),
            };
            let linked = if n > 0 && n + 1 < count && self.percent(15) { A::Linked } else { A::empty() };
            let (id, ledger) = (self.id(), if self.percent(90) { 1 } else { 2 });
            let code = if n > 0 && self.percent(5) { 0 } else { 7 }; // without a code it fails
            let user_data_128 = u128::from(self.below(50));
            self.accounts.push((id, ledger));
            out.push(Account {
                id,
                ledger,
                code,
                user_data_128,
                flags: flags | linked,
                ..Account::default()
            });
        }
        out
    }

    fn pair(&self) -> (u128, u128, u32) {
        let any = || self.accounts[usize::try_from(self.below(self.accounts.len() as u64)).unwrap_or(0)];
        let (debit, ledger) = any();
        // A few tries for another one of the same ledger; what then does not fit, fails.
        let credit = (0..4).map(|_| any()).find(|(id, l)| *id != debit && *l == ledger);
        (debit, credit.unwrap_or_else(any).0, ledger)
    }

    fn plain(&mut self) -> Transfer {
        let (debit_account_id, credit_account_id, ledger) = self.pair();
        let amount = u128::from(self.below(1_000));
        let (user_data_128, code) = (u128::from(self.below(200)), 1 + u16::from(self.percent(20)));
        let id = self.id();
        Transfer {
            id,
            debit_account_id,
            credit_account_id,
            amount,
            user_data_128,
            ledger,
            code,
            ..Transfer::default()
        }
    }

    fn pending(&mut self) -> Transfer {
        let mut t = self.plain();
        t.flags = F::Pending;
        t.timeout = [0, 0, 1, 1, 2][usize::try_from(self.below(5)).unwrap_or(0)];
        if self.percent(3) {
            // It opens again with the timeout at the latest.
            (t.flags, t.timeout) =
                (t.flags | if self.percent(50) { F::ClosingDebit } else { F::ClosingCredit }, 1);
        }
        self.pending.push_back(t);
        if self.pending.len() > PENDING_KEPT {
            self.pending.pop_front();
        }
        t
    }

    fn resolving(&mut self) -> Transfer {
        let newest = self.pending.len() as u64;
        let at = usize::try_from(self.below(newest)).unwrap_or(0);
        let Some(p) = self.pending.get(at).copied() else { return self.pending() };
        if self.percent(70) {
            self.pending.remove(at); // the others are tried a second time, and that fails
        }
        let (flags, amount) = match self.below(10) {
            0..4 => (F::PostPendingTransfer, u128::MAX),
            4..6 => (F::PostPendingTransfer, p.amount / 2),
            6 => (F::PostPendingTransfer, p.amount + 1),
            _ => (F::VoidPendingTransfer, 0),
        };
        Transfer { id: self.id(), pending_id: p.id, amount, flags, ..Transfer::default() }
    }

    fn some_transfers(&mut self, out: &mut Vec<Transfer>) {
        match self.below(100) {
            0..45 => out.push(self.plain()),
            45..58 => out.push(self.pending()),
            58..72 => out.push(self.resolving()),
            72..84 => self.chain(out),
            84..87 => {
                let unknown = self.rng.u128() | 1;
                out.push(Transfer { credit_account_id: unknown, ..self.plain() });
            }
            87..90 => {
                let t = self.plain();
                out.push(match self.below(3) {
                    0 => Transfer { credit_account_id: t.debit_account_id, ..t },
                    1 => Transfer { ledger: 9, ..t },
                    _ => Transfer { pending_id: 5, ..t },
                });
            }
            90..95 => {
                let t = self.plain();
                let flags = if self.percent(50) { F::BalancingDebit } else { F::BalancingCredit };
                out.push(Transfer { flags, ..t });
            }
            _ => {
                // A plain one of this request a second time, perhaps with another amount. Not one of a chain:
                // there alone, it would look like half of it.
                let again = out
                    .iter()
                    .rev()
                    .take(20)
                    .find(|t| t.flags == F::empty() && t.user_data_64 != CHAINED)
                    .copied();
                let again = again.unwrap_or_else(|| self.plain());
                let more = u128::from(self.percent(50));
                out.push(Transfer { amount: again.amount + more, ..again });
            }
        }
    }

    /// Some linked transfers, of which one may be bad.
    fn chain(&mut self, out: &mut Vec<Transfer>) {
        let length = self.within(2..7);
        let bad = if self.percent(35) { self.below(length) } else { length };
        for n in 0..length {
            let mut t = match self.below(10) {
                0..6 => self.plain(),
                6..8 => self.pending(),
                _ => self.resolving(),
            };
            if n == bad {
                t = match self.below(3) {
                    0 => Transfer { debit_account_id: self.rng.u128() | 1, ..self.plain() },
                    1 => Transfer { code: 0, ..self.plain() },
                    _ => Transfer { credit_account_id: t.debit_account_id, ..self.plain() },
                };
            }
            if n + 1 < length {
                t.flags |= F::Linked;
            }
            t.user_data_64 = CHAINED;
            out.push(t);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_requests_of_every_kind() {
        let (mut a, mut b) = (Plan::new(1), Plan::new(1));
        let mut seen = F::empty();
        for n in 0..2_000 {
            let request = a.request(1_000);
            assert_eq!(request, b.request(1_000), "request {n}");
            if let Events::Transfers(events) = request {
                assert!((1..=BATCH_MAX).contains(&events.len()));
                for t in &events {
                    seen |= t.flags;
                }
            }
        }
        assert_eq!(seen, F::ALL.without(F::Imported));
        assert_ne!(Plan::new(1).request(1_000), Plan::new(2).request(1_000));
    }
}
