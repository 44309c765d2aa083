//! What the transfers of a ledger make of its accounts, transfer after transfer: pure counting. Knows nothing of
//! the balances that the engine keeps; that they agree is for [`super`] to see.

use std::collections::HashMap;

use ledger::{Account, AccountFlags, Transfer, TransferFlags};

/// Debits pending, debits posted, credits pending, credits posted; minor units.
pub type Balance = [u128; 4];

/// What an account shows.
pub fn shown(a: &Account) -> Balance {
    [a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted]
}

/// The transfers taken in so far, summed up.
#[derive(Debug, Default)]
pub struct Tally {
    /// Timestamp of the last transfer taken in.
    pub position: u64,
    /// How many were.
    pub transfers: u64,
    sums: HashMap<u128, Balance>,
    /// Pending transfers that are neither posted nor voided.
    open: HashMap<u128, Transfer>,
    /// Every state, since it was asked for, of the accounts that are watched.
    watched: HashMap<u128, Vec<Balance>>,
}

/// A transfer that cannot be: it resolves nothing that is open, or leads below zero or beyond 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impossible(pub u128, pub &'static str);

impl Tally {
    /// What the transfers make of an account.
    pub fn of(&self, account: u128) -> Balance {
        self.sums.get(&account).copied().unwrap_or_default()
    }

    /// Every account that a transfer has touched.
    pub fn accounts(&self) -> impl Iterator<Item = (u128, Balance)> {
        self.sums.iter().map(|(id, sum)| (*id, *sum))
    }

    /// Takes in the next transfer of the feed.
    pub fn take(&mut self, t: &Transfer) -> Result<(), Impossible> {
        use TransferFlags as F;
        self.position = t.timestamp;
        self.transfers += 1;
        if t.flags.intersects(F::PostPendingTransfer | F::VoidPendingTransfer) {
            let p = self.open.remove(&t.pending_id);
            let p = p.ok_or(Impossible(t.id, "resolves what is not open"))?;
            self.shift(&p, 0, |sum| sum.checked_sub(p.amount))?;
        }
        if t.flags.contains(F::Pending) {
            self.open.insert(t.id, *t);
            self.shift(t, 0, |sum| sum.checked_add(t.amount))?;
        } else if !t.flags.contains(F::VoidPendingTransfer) {
            self.shift(t, 1, |sum| sum.checked_add(t.amount))?;
        }
        for id in [t.debit_account_id, t.credit_account_id] {
            let sum = self.of(id);
            if let Some(states) = self.watched.get_mut(&id) {
                states.push(sum);
            }
        }
        Ok(())
    }

    /// Changes the two balances that a transfer touches: the pending ones (`posted` 0) or the posted ones (1).
    fn shift(
        &mut self,
        t: &Transfer,
        posted: usize,
        change: impl Fn(u128) -> Option<u128>,
    ) -> Result<(), Impossible> {
        for (id, at) in [(t.debit_account_id, posted), (t.credit_account_id, 2 + posted)] {
            let sum = &mut self.sums.entry(id).or_default()[at];
            *sum = change(*sum).ok_or(Impossible(t.id, "leads below zero or beyond 128 bits"))?;
        }
        Ok(())
    }

    /// Gives back what pending transfers hold that had expired before this ledger time: the feed does not tell
    /// of that.
    pub fn expire(&mut self, before: u64) -> Result<(), Impossible> {
        let gone = |p: &Transfer| p.expires_at().is_some_and(|at| at < before);
        let expired: Vec<Transfer> = self.open.values().filter(|p| gone(p)).copied().collect();
        for p in expired {
            self.open.remove(&p.id);
            self.shift(&p, 0, |sum| sum.checked_sub(p.amount))?;
        }
        Ok(())
    }

    /// Remembers every state of these accounts from now on.
    pub fn watch(&mut self, accounts: impl Iterator<Item = u128>) {
        self.watched = accounts.map(|id| (id, vec![self.of(id)])).collect();
    }

    /// Whether the account, looked up while it was watched, showed one of its states then; of pending transfers
    /// that were due by ledger time `to`, the first to expire may have been given back.
    pub fn agrees(&self, account: &Account, to: u64) -> bool {
        let shown = shown(account);
        let own = [self.of(account.id)];
        let states = self.watched.get(&account.id).map_or(&own[..], Vec::as_slice);
        if states.contains(&shown) {
            return true;
        }
        let mut due: Vec<&Transfer> = self
            .open
            .values()
            .filter(|p| p.expires_at().is_some_and(|at| at <= to))
            .filter(|p| p.debit_account_id == account.id || p.credit_account_id == account.id)
            .collect();
        // Engines release in the order of expiry.
        due.sort_unstable_by_key(|p| (p.expires_at(), p.timestamp));
        states.iter().any(|state| {
            let mut left = *state;
            due.iter().any(|p| {
                let at = if p.debit_account_id == account.id { 0 } else { 2 };
                left[at] = left[at].saturating_sub(p.amount);
                left == shown
            })
        })
    }
}

/// Whether more was spent than came in, where that must not be.
pub fn overdrawn(account: &Account, sum: Balance) -> bool {
    account.flags.contains(AccountFlags::DebitsMustNotExceedCredits) && sum[0].saturating_add(sum[1]) > sum[3]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(id: u128, amount: u128, flags: TransferFlags) -> Transfer {
        let timestamp = u64::try_from(id).expect("small");
        Transfer {
            id,
            debit_account_id: 1,
            credit_account_id: 2,
            amount,
            flags,
            timestamp,
            ..Transfer::default()
        }
    }

    fn account(sum: Balance) -> Account {
        let [debits_pending, debits_posted, credits_pending, credits_posted] = sum;
        Account {
            id: 1,
            debits_pending,
            debits_posted,
            credits_pending,
            credits_posted,
            ..Account::default()
        }
    }

    #[test]
    fn sums_posts_voids_and_expiries() {
        use TransferFlags as F;
        let pending = |id, amount, timeout| Transfer { timeout, ..moved(id, amount, F::Pending) };
        let resolving = |id, pending_id, amount, flag| Transfer { pending_id, ..moved(id, amount, flag) };
        let mut tally = Tally::default();
        for (transfer, wanted) in [
            (moved(1, 10, F::empty()), [0, 10, 0, 0]),
            (pending(2, 5, 0), [5, 10, 0, 0]),
            (pending(3, 7, 60), [12, 10, 0, 0]),
            (resolving(4, 2, 4, F::PostPendingTransfer), [7, 14, 0, 0]),
        ] {
            assert_eq!(tally.take(&transfer), Ok(()));
            assert_eq!(tally.of(1), wanted);
        }
        let due = 3 + 60_000_000_000;
        assert!(tally.agrees(&account([7, 14, 0, 0]), due), "not given back yet");
        assert!(tally.agrees(&account([0, 14, 0, 0]), due), "given back");
        assert!(!tally.agrees(&account([0, 14, 0, 0]), due - 1), "not due");
        assert!(!tally.agrees(&account([7, 13, 0, 0]), due));
        tally.expire(due).expect("possible");
        assert_eq!(tally.of(1), [7, 14, 0, 0]);
        tally.expire(due + 1).expect("possible");
        assert_eq!((tally.of(1), tally.of(2)), ([0, 14, 0, 0], [0, 0, 0, 14]));
        let again = resolving(5, 3, 7, F::VoidPendingTransfer);
        assert_eq!(tally.take(&again), Err(Impossible(5, "resolves what is not open")));
    }

    #[test]
    fn an_account_that_moves_shows_one_of_its_states() {
        let mut tally = Tally::default();
        tally.take(&moved(1, 10, TransferFlags::empty())).expect("possible");
        tally.watch([1].into_iter());
        tally.take(&moved(2, 5, TransferFlags::empty())).expect("possible");
        tally.take(&moved(3, 5, TransferFlags::empty())).expect("possible");
        for (posted, wanted) in [(5, false), (10, true), (12, false), (15, true), (20, true), (25, false)] {
            assert_eq!(tally.agrees(&account([0, posted, 0, 0]), 0), wanted, "{posted}");
        }
    }
}
