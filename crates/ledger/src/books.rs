//! The books as the engine works on them: accounts in memory, recent records in memory, older ones on disk.
//!
//! A decided record is taken in at once, before it is on disk, so that the next event builds on it. Whoever
//! reads waits until what it saw is on disk ([`Entry::stamp`]), or leaves out records that are not. An open
//! linked chain can be taken back. Running live and reading a journal back take the same path, so they
//! cannot disagree.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::accounts::{Accounts, Entry, Slot};
use crate::fault::Fault;
use crate::posting::{self, Contradiction, Record, Side};
use crate::recent::{Item, MARK_EVERY, Mark, Recent};
use crate::rules::{self, Known, PendingStatus, Refusal};
use crate::sealed::{Sealed, resolution, resolves};
use crate::snapshot::Pending;
use crate::status::{CreateAccountStatus, CreateTransferStatus};
use crate::types::{Account, AccountFlags, Transfer, TransferFlags};

/// See the module.
#[derive(Debug)]
pub struct Books {
    accounts: Accounts,
    /// Oldest first; the last one is being written to, the others have no index yet.
    recent: Vec<Arc<Recent>>,
    active: Recent,
    sealed: Arc<Sealed>,
    pending: HashMap<u128, Open>,
    /// When open pending transfers expire, their timestamps and ids.
    expiries: BTreeSet<(u64, u64, u128)>,
    /// The number of the next record.
    next: u64,
    newest_transfer: u64,
    newest: u64,
    /// Records below this number may have been seen by the snapshot that the books began with.
    seen: u64,
    chain: Option<Chain>,
}

/// A pending transfer that is not resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    expires_at: u64,
    timestamp: u64,
}

/// What to restore if the open linked chain breaks.
#[derive(Debug)]
struct Chain {
    undo: Vec<Undo>,
    newest_transfer: u64,
    newest: u64,
}

#[derive(Debug)]
enum Undo {
    Entry(Slot, Entry),
    Account,
    Pending(u128, Option<Open>),
    Record,
}

/// What the rules may ask about one event, looked up beforehand.
struct View<'a> {
    books: &'a Books,
    slots: [(u128, Option<Slot>); 2],
    id: (u128, Known),
    pending: (u128, Known, PendingStatus),
    transfer_at: bool,
}

impl rules::Books for View<'_> {
    fn account(&self, id: u128) -> Option<Account> {
        let known = self.slots.iter().find(|(known, _)| *known == id);
        let slot = known.map_or_else(|| self.books.accounts.find(id), |(_, slot)| *slot);
        slot.map(|slot| self.books.accounts.at(slot).account)
    }
    fn transfer(&self, id: u128) -> Known {
        if id == self.id.0 {
            self.id.1
        } else if id == self.pending.0 {
            self.pending.1
        } else {
            Known::Unknown
        }
    }
    fn pending_status(&self, _: u128) -> PendingStatus {
        self.pending.2
    }
    fn newest_account(&self) -> u64 {
        self.books.accounts.newest()
    }
    fn newest_transfer(&self) -> u64 {
        self.books.newest_transfer
    }
    fn has_account_at(&self, timestamp: u64) -> bool {
        self.books.accounts.has_at(timestamp)
    }
    fn has_transfer_at(&self, _: u64) -> bool {
        self.transfer_at
    }
}

impl Books {
    /// Books without accounts on top of sealed segments, or none. The next record is that of number `first`,
    /// in `segment`.
    pub fn new(sealed: Sealed, segment: u32, first: u64) -> Books {
        Books {
            accounts: Accounts::default(),
            recent: Vec::new(),
            active: Recent::new(segment, first),
            next: first,
            newest_transfer: sealed.newest(),
            sealed: Arc::new(sealed),
            pending: HashMap::new(),
            expiries: BTreeSet::new(),
            newest: 0,
            seen: 0,
            chain: None,
        }
    }

    /// The accounts.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }
    /// The records that have no index yet, oldest segment first.
    pub fn recent(&self) -> impl DoubleEndedIterator<Item = &Recent> {
        self.recent.iter().map(|r| &**r).chain(std::iter::once(&self.active))
    }
    /// The segment being written.
    pub fn active(&self) -> &Recent {
        &self.active
    }
    /// The oldest segment that waits for its index, and how many do.
    pub fn waiting(&self) -> (Option<Arc<Recent>>, usize) {
        (self.recent.first().cloned(), self.recent.len())
    }
    /// The segments with indexes.
    pub fn sealed(&self) -> &Arc<Sealed> {
        &self.sealed
    }
    /// The number of the next record.
    pub fn records(&self) -> u64 {
        self.next
    }
    /// The newest transfer's timestamp, or zero.
    pub fn newest_transfer(&self) -> u64 {
        self.newest_transfer
    }
    /// The newest timestamp of any record.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// Begins a new segment. `spare` is memory of one that is done with.
    pub fn roll(&mut self, segment: u32, spare: Option<Recent>) {
        let mut next = spare.unwrap_or_else(|| Recent::new(segment, self.next));
        next.reset(segment, self.next);
        let last = std::mem::replace(&mut self.active, next);
        if !last.items().is_empty() {
            self.recent.push(Arc::new(last));
        }
    }
    /// Takes in a change of the sealed segments; gives back the recent ones that it makes superfluous.
    pub fn set_sealed(&mut self, sealed: Sealed) -> Vec<Arc<Recent>> {
        let last = sealed.last_segment();
        self.newest_transfer = self.newest_transfer.max(sealed.newest());
        self.sealed = Arc::new(sealed);
        let covered = self.recent.iter().take_while(|r| r.segment <= last).count();
        self.recent.drain(..covered).collect()
    }

    /// Empties the segment being read back, which has its index now.
    pub fn forget_active(&mut self) {
        self.active.reset(self.active.segment, self.next);
    }

    /// What is known of a transfer id.
    pub fn lookup(&self, id: u128) -> Result<Known, Fault> {
        Ok(match self.recent().rev().find_map(|r| r.find(id)) {
            Some((_, Item { record: Record::Transfer(t), .. })) => Known::Created(*t),
            Some(_) => Known::Failed,
            None => self.sealed.lookup(id)?,
        })
    }

    fn pending_status(&self, id: u128) -> Result<PendingStatus, Fault> {
        if self.pending.contains_key(&id) {
            return Ok(PendingStatus::Pending);
        }
        Ok(match self.recent().rev().find_map(|r| r.find_resolver(id)) {
            Some(Item { record: Record::Transfer(t), .. }) => resolution(t),
            Some(_) => PendingStatus::Expired,
            None => self.sealed.resolution(id)?.unwrap_or(PendingStatus::Pending),
        })
    }

    /// Decides about an account. `at` is the event's own timestamp.
    pub fn decide_account(
        &self,
        a: &Account,
        at: u64,
    ) -> Result<Result<Account, Refusal<CreateAccountStatus>>, Fault> {
        let imported = a.flags.contains(AccountFlags::Imported) && self.accounts.find(a.id).is_none();
        let transfer_at =
            imported && a.timestamp <= self.newest_transfer && self.has_transfer_at(a.timestamp)?;
        let nothing = (0, Known::Unknown);
        let pending = (0, Known::Unknown, PendingStatus::Pending);
        let view = View { books: self, slots: [(0, None); 2], id: nothing, pending, transfer_at };
        Ok(rules::create_account(&view, a, at))
    }

    fn has_transfer_at(&self, timestamp: u64) -> Result<bool, Fault> {
        let recent = self.recent().any(|r| r.between(timestamp, timestamp).next().is_some());
        Ok(recent || self.sealed.has_at(timestamp)?)
    }

    /// The slots of a transfer's accounts, which may be unknown: an independent look-up that can be made
    /// for many events before they are decided.
    pub fn slots(&self, t: &Transfer) -> [Option<Slot>; 2] {
        [self.accounts.find(t.debit_account_id), self.accounts.find(t.credit_account_id)]
    }

    /// Decides about a transfer. `at` is the event's own timestamp, `slots` are those of its accounts.
    pub fn decide_transfer(
        &self,
        t: &Transfer,
        slots: [Option<Slot>; 2],
        at: u64,
    ) -> Result<Result<Transfer, Refusal<CreateTransferStatus>>, Fault> {
        let known = self.lookup(t.id)?;
        // What it resolves; or, if it exists, what the existing one resolved.
        let pending_id = if let Known::Created(e) = known { e.pending_id } else { t.pending_id };
        let mut pending = (pending_id, Known::Unknown, PendingStatus::Pending);
        if pending_id != 0 {
            pending.1 = self.lookup(pending_id)?;
            if let Known::Created(p) = pending.1
                && p.flags.contains(TransferFlags::Pending)
            {
                pending.2 = self.pending_status(pending_id)?;
            }
        }
        let slots = [(t.debit_account_id, slots[0]), (t.credit_account_id, slots[1])];
        let view = View { books: self, slots, id: (t.id, known), pending, transfer_at: false };
        Ok(rules::create_transfer(&view, t, at))
    }

    /// Takes in the next record, which stands at `position` of the active segment; `None` if that segment
    /// has its index already.
    pub fn apply(&mut self, record: Record, position: Option<u32>) -> Result<(), Fault> {
        let number = self.next;
        let mut sides = [0; 2];
        let mut last = [0; 2];
        match &record {
            Record::Account(a) => {
                self.add_account(a, number)?;
                self.newest = self.newest.max(a.timestamp);
            }
            Record::Failed(_) => {}
            Record::Transfer(t) => {
                let pending = if resolves(t) { Some(self.created(t.pending_id)?) } else { None };
                let post = |side, account: &mut Account| posting::post(t, pending.as_ref(), side, account);
                (sides, last) = self.change(t, number, position.is_some(), post)?;
                if let Some(p) = &pending {
                    self.resolve(p.id, number)?;
                }
                if t.flags.contains(TransferFlags::Pending) {
                    let open = Open { expires_at: t.expires_at().unwrap_or(0), timestamp: t.timestamp };
                    self.set_pending(t.id, Some(open));
                }
                self.newest_transfer = self.newest_transfer.max(t.timestamp);
                self.newest = self.newest.max(t.timestamp);
            }
            Record::Expired { pending_id, timestamp } => {
                let p = self.created(*pending_id)?;
                let expire = |side, account: &mut Account| posting::expire(&p, side, account);
                (sides, last) = self.change(&p, number, position.is_some(), expire)?;
                self.resolve(p.id, number)?;
                self.newest = self.newest.max(*timestamp);
            }
        }
        self.next += 1;
        if let Some(position) = position {
            self.active.push(record, position, sides, last);
            self.note(|| Undo::Record);
        }
        Ok(())
    }

    fn created(&self, id: u128) -> Result<Transfer, Fault> {
        match self.lookup(id)? {
            Known::Created(t) => Ok(t),
            _ => Err(Contradiction("an unknown pending transfer is resolved").into()),
        }
    }

    fn add_account(&mut self, a: &Account, number: u64) -> Result<(), Fault> {
        if number < self.seen
            && let Some(slot) = self.accounts.find(a.id)
            && self.accounts.at(slot).account.timestamp == a.timestamp
        {
            return Ok(());
        }
        self.accounts.add(Entry { account: *a, stamp: number + 1, last: 0, unmarked: 0 })?;
        self.note(|| Undo::Account);
        Ok(())
    }

    /// Changes both accounts of `t`, unless they have seen the record; answers their slots, and the events
    /// they had last.
    fn change(
        &mut self,
        t: &Transfer,
        number: u64,
        in_memory: bool,
        change: impl Fn(Side, &mut Account) -> Result<(), Contradiction>,
    ) -> Result<([Slot; 2], [u64; 2]), Fault> {
        let find = |id| self.accounts.find(id).ok_or(Contradiction("a transfer names an unknown account"));
        let slots = [find(t.debit_account_id)?, find(t.credit_account_id)?];
        let mut last = [0; 2];
        for (i, side) in [Side::Debit, Side::Credit].into_iter().enumerate() {
            let slot = slots[i];
            if self.chain.is_some() {
                let before = *self.accounts.at(slot);
                self.note(|| Undo::Entry(slot, before));
            }
            let entry = self.accounts.at_mut(slot);
            last[i] = entry.last;
            if entry.stamp <= number {
                if in_memory && entry.account.flags.contains(AccountFlags::History) {
                    if entry.last <= self.active.first || entry.unmarked >= MARK_EVERY {
                        let a = &entry.account;
                        let balances =
                            [a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted];
                        self.active.mark(Mark { record: number, slot, balances });
                        entry.unmarked = 0;
                    }
                    entry.unmarked += 1;
                }
                change(side, &mut entry.account)?;
                entry.stamp = number + 1;
            }
            entry.last = number + 1;
        }
        Ok((slots, last))
    }

    fn resolve(&mut self, id: u128, number: u64) -> Result<(), Fault> {
        if !self.pending.contains_key(&id) && number >= self.seen {
            return Err(Contradiction("a transfer is resolved that is not pending").into());
        }
        self.set_pending(id, None);
        Ok(())
    }

    fn set_pending(&mut self, id: u128, open: Option<Open>) {
        let before = match open {
            Some(open) => self.pending.insert(id, open),
            None => self.pending.remove(&id),
        };
        for (is_new, open) in [(false, before), (true, open)] {
            let Some(open) = open.filter(|open| open.expires_at != 0) else { continue };
            let expiry = (open.expires_at, open.timestamp, id);
            if is_new {
                self.expiries.insert(expiry)
            } else {
                self.expiries.remove(&expiry)
            };
        }
        self.note(|| Undo::Pending(id, before));
    }

    fn note(&mut self, undo: impl FnOnce() -> Undo) {
        if let Some(chain) = &mut self.chain {
            chain.undo.push(undo());
        }
    }

    /// A linked chain begins: from now on it can be taken back.
    pub fn open_chain(&mut self) {
        self.chain =
            Some(Chain { undo: Vec::new(), newest_transfer: self.newest_transfer, newest: self.newest });
    }
    /// The chain holds.
    pub fn close_chain(&mut self) {
        self.chain = None;
    }
    /// The chain is broken: what it did is taken back.
    pub fn break_chain(&mut self) {
        let Some(chain) = self.chain.take() else { return };
        for undo in chain.undo.into_iter().rev() {
            match undo {
                Undo::Entry(slot, entry) => *self.accounts.at_mut(slot) = entry,
                Undo::Account => self.accounts.remove_newest(),
                Undo::Pending(id, open) => self.set_pending(id, open),
                Undo::Record => {
                    self.active.pop();
                    self.next -= 1;
                }
            }
        }
        (self.newest_transfer, self.newest) = (chain.newest_transfer, chain.newest);
    }

    /// When the next pending transfer expires, in nanoseconds since the Unix epoch.
    pub fn next_expiry(&self) -> Option<u64> {
        self.expiries.first().map(|(at, ..)| *at)
    }
    /// The pending transfers that are due at `now`, in the order in which they expire.
    pub fn due(&self, now: u64) -> impl Iterator<Item = u128> {
        self.expiries.iter().take_while(move |(at, ..)| *at <= now).map(|(.., id)| *id)
    }

    /// The open pending transfers, oldest first.
    pub fn pending(&self) -> Vec<Pending> {
        let open = self.pending.iter();
        let pending =
            |(id, p): (&u128, &Open)| Pending { id: *id, expires_at: p.expires_at, timestamp: p.timestamp };
        let mut pending: Vec<Pending> = open.map(pending).collect();
        pending.sort_unstable_by_key(|p| p.timestamp);
        pending
    }

    /// Begins with what a snapshot holds, which has seen records below `seen`.
    pub fn begin(&mut self, accounts: Accounts, pending: &[Pending], seen: u64, newest_transfer: u64) {
        self.accounts = accounts;
        self.seen = seen;
        self.newest_transfer = self.newest_transfer.max(newest_transfer);
        self.newest = self.newest.max(newest_transfer).max(self.accounts.newest());
        for p in pending {
            self.set_pending(p.id, Some(Open { expires_at: p.expires_at, timestamp: p.timestamp }));
        }
    }
    /// Adds the marks of a snapshot to the active segment, which has been read back.
    pub fn add_marks(&mut self, marks: &[Mark]) {
        let (first, end) = (self.active.first, self.active.end());
        let mut all = self.active.marks().to_vec();
        all.extend(marks.iter().filter(|m| first <= m.record && m.record < end));
        all.sort_by_key(|m| (m.record, m.slot));
        all.dedup_by_key(|m| (m.record, m.slot));
        self.active.set_marks(all);
    }
}
