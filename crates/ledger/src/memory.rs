//! The committed books in memory: accounts, transfers, and the indexes that answer questions.
//!
//! Changed only by [`Memory::apply`], with records that are on disk already. Replaying a journal and running
//! live take the same path, so they cannot disagree.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use crate::posting::{self, Contradiction, Record};
use crate::rules::{Books, Known, PendingStatus};
use crate::types::{Account, AccountBalance, AccountFlags, Transfer, TransferFlags};

/// Slots are positions in `accounts` or `transfers`. Both lists are in order of time.
pub type Slot = u32;

/// "Nothing before this one" in a chain of slots, and "burnt id" in the id index.
const NONE: Slot = Slot::MAX;

/// See the module.
#[derive(Debug, Default)]
pub struct Memory {
    accounts: Vec<Account>,
    account_ids: HashMap<u128, Slot>,
    transfers: Vec<Transfer>,
    /// How each transfer stands, if it is a pending one.
    statuses: Vec<Option<PendingStatus>>,
    transfer_ids: HashMap<u128, Slot>,
    /// Per account: its transfers as debit and as credit side.
    sides: Vec<Sides>,
    /// For each transfer, the one before it with the same `user_data_128`; and where each value's chain ends.
    same_data: Vec<Slot>,
    data_ends: HashMap<u128, Slot>,
    history: HashMap<Slot, Vec<AccountBalance>>,
    expiries: BTreeSet<(u64, Slot)>,
    newest: u64,
}

/// The transfers of one account.
#[derive(Debug, Default)]
pub struct Sides {
    /// Those that debit it.
    pub debits: Vec<Slot>,
    /// Those that credit it.
    pub credits: Vec<Slot>,
}

fn next_slot(len: usize) -> Result<Slot, Contradiction> {
    Slot::try_from(len)
        .ok()
        .filter(|s| *s != NONE)
        .ok_or(Contradiction("the engine is full: 2^32 - 1 entries"))
}

impl Memory {
    /// Takes in one record of the journal.
    pub fn apply(&mut self, record: &Record) -> Result<(), Contradiction> {
        match record {
            Record::Account(a) => self.add_account(a),
            Record::Transfer(t) => self.add_transfer(t),
            Record::Failed(id) => match self.transfer_ids.entry(*id) {
                Entry::Vacant(free) => {
                    free.insert(NONE);
                    Ok(())
                }
                Entry::Occupied(_) => Err(Contradiction("an id that is known fails")),
            },
            Record::Expired { pending_id, timestamp } => self.expire(*pending_id, *timestamp),
        }
    }

    fn add_account(&mut self, a: &Account) -> Result<(), Contradiction> {
        let slot = next_slot(self.accounts.len())?;
        let Entry::Vacant(free) = self.account_ids.entry(a.id) else {
            return Err(Contradiction("an account is created twice"));
        };
        if self.accounts.last().is_some_and(|last| last.timestamp >= a.timestamp) {
            return Err(Contradiction("accounts are not in the order of time"));
        }
        free.insert(slot);
        self.accounts.push(*a);
        self.sides.push(Sides::default());
        self.newest = self.newest.max(a.timestamp);
        Ok(())
    }

    fn add_transfer(&mut self, t: &Transfer) -> Result<(), Contradiction> {
        let slot = next_slot(self.transfers.len())?;
        if self.transfers.last().is_some_and(|last| last.timestamp >= t.timestamp) {
            return Err(Contradiction("transfers are not in the order of time"));
        }
        if self.transfer_ids.contains_key(&t.id) {
            return Err(Contradiction("a transfer is created twice"));
        }
        let void = t.flags.contains(TransferFlags::VoidPendingTransfer);
        let pending = if t.pending_id == 0 {
            None
        } else {
            let status = if void { PendingStatus::Voided } else { PendingStatus::Posted };
            Some(self.resolve(t.pending_id, status)?)
        };
        let (debit, credit) = self.sides_of(t)?;
        self.change(debit, credit, |d, c| posting::post(t, pending.as_ref(), d, c))?;
        for at in [debit, credit] {
            self.remember(at, t.timestamp);
        }
        self.sides[debit as usize].debits.push(slot);
        self.sides[credit as usize].credits.push(slot);
        let before = match t.user_data_128 {
            0 => NONE,
            data => self.data_ends.insert(data, slot).unwrap_or(NONE),
        };
        self.same_data.push(before);
        let is_pending = t.flags.contains(TransferFlags::Pending);
        self.statuses.push(is_pending.then_some(PendingStatus::Pending));
        if let Some(at) = t.expires_at() {
            self.expiries.insert((at, slot));
        }
        self.transfer_ids.insert(t.id, slot);
        self.transfers.push(*t);
        self.newest = self.newest.max(t.timestamp);
        Ok(())
    }

    fn expire(&mut self, pending_id: u128, timestamp: u64) -> Result<(), Contradiction> {
        let p = self.resolve(pending_id, PendingStatus::Expired)?;
        let (debit, credit) = self.sides_of(&p)?;
        self.change(debit, credit, |d, c| posting::expire(&p, d, c))?;
        self.newest = self.newest.max(timestamp);
        Ok(())
    }

    fn resolve(&mut self, id: u128, status: PendingStatus) -> Result<Transfer, Contradiction> {
        let slot = self.transfer_ids.get(&id).copied().filter(|s| *s != NONE);
        let slot = slot.ok_or(Contradiction("an unknown pending transfer is resolved"))?;
        if self.statuses[slot as usize] != Some(PendingStatus::Pending) {
            return Err(Contradiction("a transfer is resolved that is not pending"));
        }
        self.statuses[slot as usize] = Some(status);
        let p = self.transfers[slot as usize];
        if let Some(at) = p.expires_at() {
            self.expiries.remove(&(at, slot));
        }
        Ok(p)
    }

    fn sides_of(&self, t: &Transfer) -> Result<(Slot, Slot), Contradiction> {
        let slot = |id| self.account_ids.get(&id).copied();
        match (slot(t.debit_account_id), slot(t.credit_account_id)) {
            (Some(debit), Some(credit)) if debit != credit => Ok((debit, credit)),
            _ => Err(Contradiction("a transfer names accounts that are unknown or the same")),
        }
    }

    fn change(
        &mut self,
        debit: Slot,
        credit: Slot,
        change: impl FnOnce(&mut Account, &mut Account) -> Result<(), Contradiction>,
    ) -> Result<(), Contradiction> {
        let [d, c] = self
            .accounts
            .get_disjoint_mut([debit as usize, credit as usize])
            .map_err(|_| Contradiction("a transfer names accounts that are unknown or the same"))?;
        change(d, c)
    }

    /// Keeps the balance after a transfer, for accounts that want their history.
    fn remember(&mut self, slot: Slot, timestamp: u64) {
        let a = &self.accounts[slot as usize];
        if a.flags.contains(AccountFlags::History) {
            self.history.entry(slot).or_default().push(AccountBalance {
                debits_pending: a.debits_pending,
                debits_posted: a.debits_posted,
                credits_pending: a.credits_pending,
                credits_posted: a.credits_posted,
                timestamp,
            });
        }
    }

    /// The newest timestamp of any record.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// All accounts, oldest first.
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// All transfers, oldest first.
    pub fn transfers(&self) -> &[Transfer] {
        &self.transfers
    }

    /// An account's slot.
    pub fn account_slot(&self, id: u128) -> Option<Slot> {
        self.account_ids.get(&id).copied()
    }

    /// The transfers of an account.
    pub fn sides(&self, slot: Slot) -> &Sides {
        &self.sides[slot as usize]
    }

    /// The kept balances of an account, oldest first.
    pub fn history(&self, slot: Slot) -> &[AccountBalance] {
        self.history.get(&slot).map_or(&[], Vec::as_slice)
    }

    /// The transfers with this `user_data_128` (not zero), newest first.
    pub fn with_data(&self, data: u128) -> impl Iterator<Item = Slot> {
        let newest = self.data_ends.get(&data).copied();
        std::iter::successors(newest, |slot| {
            let before = self.same_data[*slot as usize];
            (before != NONE).then_some(before)
        })
    }

    /// When the next pending transfer expires, in nanoseconds since the Unix epoch.
    pub fn next_expiry(&self) -> Option<u64> {
        self.expiries.first().map(|(at, _)| *at)
    }

    /// Pending transfers due at `now`, in the order in which they expire.
    pub fn due(&self, now: u64) -> impl Iterator<Item = u128> {
        let due = self.expiries.iter().take_while(move |(at, _)| *at <= now);
        due.map(|(_, slot)| self.transfers[*slot as usize].id)
    }
}

impl Books for Memory {
    fn account(&self, id: u128) -> Option<Account> {
        self.account_ids.get(&id).map(|slot| self.accounts[*slot as usize])
    }
    fn transfer(&self, id: u128) -> Known {
        match self.transfer_ids.get(&id) {
            None => Known::Unknown,
            Some(&NONE) => Known::Failed,
            Some(slot) => Known::Created(self.transfers[*slot as usize]),
        }
    }
    fn pending_status(&self, id: u128) -> PendingStatus {
        let slot = self.transfer_ids.get(&id).copied().unwrap_or(NONE);
        self.statuses.get(slot as usize).copied().flatten().unwrap_or(PendingStatus::Pending)
    }
    fn newest_account(&self) -> u64 {
        self.accounts.last().map_or(0, |a| a.timestamp)
    }
    fn newest_transfer(&self) -> u64 {
        self.transfers.last().map_or(0, |t| t.timestamp)
    }
    fn has_account_at(&self, timestamp: u64) -> bool {
        self.accounts.binary_search_by_key(&timestamp, |a| a.timestamp).is_ok()
    }
    fn has_transfer_at(&self, timestamp: u64) -> bool {
        self.transfers.binary_search_by_key(&timestamp, |t| t.timestamp).is_ok()
    }
}
