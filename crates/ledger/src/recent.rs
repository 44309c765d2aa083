//! The records of one journal segment in memory: of the one being written, and of those that have no index
//! file yet.
//!
//! Records are numbered from zero through the whole ledger. Each event of an account points back to the one
//! before it, so that the account's newest are found without an index.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use hashbrown::HashTable;

use crate::accounts::Slot;
use crate::hash::hash_id;
use crate::posting::Record;
use crate::sealed::resolves;
use crate::types::Transfer;

/// An account's four balances: debits pending and posted, credits pending and posted.
pub type Balances = [u128; 4];

/// An account's balances just before one of its events. There is one for its first event in a segment and
/// one for about every [`MARK_EVERY`] after, so that any balance of the past is a few steps from a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The number of the event's record.
    pub record: u64,
    /// The account.
    pub slot: Slot,
    /// Its balances before the event.
    pub balances: Balances,
}

/// How many events of an account pass between two marks.
pub const MARK_EVERY: u32 = 64;

/// A record and where it belongs.
#[derive(Debug, Clone, Copy)]
pub struct Item {
    /// The record.
    pub record: Record,
    /// Its offset in the segment, in units of [`crate::frame::ALIGN`].
    pub position: u32,
    /// The accounts it changes: debit side, credit side. Meaningless if it changes none.
    pub sides: [Slot; 2],
    /// How many records before this one the event before it on the same account stands; zero if that is
    /// not in memory.
    links: [u32; 2],
}

impl Item {
    /// The transfer, if it is one.
    pub fn transfer(&self) -> Option<&Transfer> {
        match &self.record {
            Record::Transfer(t) => Some(t),
            _ => None,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Recent {
    /// Which segment of the journal.
    pub segment: u32,
    /// The number of its first record.
    pub first: u64,
    items: Vec<Item>,
    /// Which of them are transfers.
    transfers: Vec<u32>,
    ids: HashTable<u32>,
    /// No id in `ids` is greater.
    greatest_id: u128,
    resolvers: HashTable<u32>,
    marks: Vec<Mark>,
    by_data: Mutex<ByData>,
}

/// The transfers of each `user_data_128`, made when somebody asks for the first time.
#[derive(Debug, Default)]
struct ByData {
    upto: usize,
    newest: HashMap<u128, u32>,
    before: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Recent {
    /// Nothing yet.
    pub fn new(segment: u32, first: u64) -> Recent {
        Recent {
            segment,
            first,
            items: Vec::new(),
            transfers: Vec::new(),
            ids: HashTable::new(),
            greatest_id: 0,
            resolvers: HashTable::new(),
            marks: Vec::new(),
            by_data: Mutex::default(),
        }
    }
    /// Empties it for another segment, keeping its memory.
    pub fn reset(&mut self, segment: u32, first: u64) {
        (self.segment, self.first) = (segment, first);
        self.items.clear();
        self.transfers.clear();
        self.ids.clear();
        self.greatest_id = 0;
        self.resolvers.clear();
        self.marks.clear();
        *self.by_data.get_mut().unwrap_or_else(PoisonError::into_inner) = ByData::default();
    }
    /// Its records in order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }
    /// One more than the number of its last record.
    pub fn end(&self) -> u64 {
        self.first + self.items.len() as u64
    }
    /// The record of that number.
    pub fn get(&self, record: u64) -> Option<&Item> {
        let index = record.checked_sub(self.first)?;
        self.items.get(usize::try_from(index).ok()?)
    }
    /// The numbers of its transfers from `min` to `max` in nanoseconds, in order.
    pub fn between(&self, min: u64, max: u64) -> impl DoubleEndedIterator<Item = u64> {
        let at = |index: &u32| self.items[*index as usize].transfer().map_or(0, |t| t.timestamp);
        let from = self.transfers.partition_point(|i| at(i) < min);
        let to = self.transfers.partition_point(|i| at(i) <= max);
        self.transfers[from..to.max(from)].iter().map(|i| self.first + u64::from(*i))
    }
    /// The timestamp of its first transfer.
    pub fn oldest(&self) -> Option<u64> {
        let first = *self.transfers.first()?;
        self.items[first as usize].transfer().map(|t| t.timestamp)
    }
    /// The balances marked, in the order of their events.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }
    /// Marks a balance.
    pub fn mark(&mut self, mark: Mark) {
        self.marks.push(mark);
    }
    /// Replaces all marks.
    pub fn set_marks(&mut self, marks: Vec<Mark>) {
        self.marks = marks;
    }

    /// Adds a record. `last` is, for both sides, one more than the number of the event before it.
    pub fn push(&mut self, record: Record, position: u32, sides: [Slot; 2], last: [u64; 2]) {
        let number = self.end();
        let link = |last: u64| if last == 0 { 0 } else { u32::try_from(number + 1 - last).unwrap_or(0) };
        let index = u32::try_from(self.items.len()).expect("a segment has fewer records than bytes");
        self.items.push(Item { record, position, sides, links: last.map(link) });
        if matches!(record, Record::Transfer(_)) {
            self.transfers.push(index);
        }
        let items = &self.items;
        match &items[index as usize].record {
            Record::Account(_) => return,
            Record::Transfer(t) if resolves(t) => {
                let hasher = |i: &u32| hash_id(resolved(&items[*i as usize].record));
                self.resolvers.insert_unique(hash_id(t.pending_id), index, hasher);
            }
            Record::Expired { pending_id, .. } => {
                let hasher = |i: &u32| hash_id(resolved(&items[*i as usize].record));
                self.resolvers.insert_unique(hash_id(*pending_id), index, hasher);
                return;
            }
            Record::Transfer(_) | Record::Failed(_) => {}
        }
        let id = id_of(&items[index as usize].record);
        self.greatest_id = self.greatest_id.max(id);
        self.ids.insert_unique(hash_id(id), index, |i| hash_id(id_of(&items[*i as usize].record)));
    }

    /// Takes the newest record away again, and the marks made for it.
    pub fn pop(&mut self) {
        let Some(item) = self.items.pop() else { return };
        let index = u32::try_from(self.items.len()).unwrap_or(NONE);
        while self.marks.last().is_some_and(|m| m.record >= self.end()) {
            self.marks.pop();
        }
        let forget = |table: &mut HashTable<u32>, id: u128| {
            if let Ok(found) = table.find_entry(hash_id(id), |i| *i == index) {
                found.remove();
            }
        };
        match item.record {
            Record::Account(_) => {}
            Record::Transfer(t) => {
                self.transfers.pop();
                forget(&mut self.ids, t.id);
                if resolves(&t) {
                    forget(&mut self.resolvers, t.pending_id);
                }
            }
            Record::Failed(id) => forget(&mut self.ids, id),
            Record::Expired { pending_id, .. } => forget(&mut self.resolvers, pending_id),
        }
    }

    /// The transfer or burnt id.
    pub fn find(&self, id: u128) -> Option<(u64, &Item)> {
        if id > self.greatest_id {
            return None; // ids that grow with time end here
        }
        let same = |i: &u32| id_of(&self.items[*i as usize].record) == id;
        self.ids.find(hash_id(id), same).map(|i| (self.first + u64::from(*i), &self.items[*i as usize]))
    }
    /// The post, void or expiry of a pending transfer.
    pub fn find_resolver(&self, pending_id: u128) -> Option<&Item> {
        let same = |i: &u32| resolved(&self.items[*i as usize].record) == pending_id;
        self.resolvers.find(hash_id(pending_id), same).map(|i| &self.items[*i as usize])
    }

    /// The number of the event before `record` on the account in `slot`.
    pub fn before(&self, record: u64, slot: Slot) -> Option<u64> {
        let item = self.get(record)?;
        let side = usize::from(item.sides[0] != slot);
        let link = item.links[side];
        (link != 0).then(|| record - u64::from(link))
    }

    /// The events of an account up to `last`, oldest first, beginning with one not after `first` that has a mark; and
    /// the balances marked there. `None` if there is no such mark in this segment.
    pub fn since_mark(&self, slot: Slot, first: u64, last: u64) -> Option<(Balances, Vec<u64>)> {
        let mut numbers = Vec::new();
        let mut next = Some(last);
        while let Some(number) = next.filter(|number| *number >= self.first) {
            numbers.push(number);
            if number <= first
                && let Some(mark) = self.mark_at(number, slot)
            {
                numbers.reverse();
                return Some((mark.balances, numbers));
            }
            next = self.before(number, slot);
        }
        None
    }

    fn mark_at(&self, record: u64, slot: Slot) -> Option<&Mark> {
        let from = self.marks.partition_point(|mark| mark.record < record);
        self.marks[from..].iter().take_while(|mark| mark.record == record).find(|mark| mark.slot == slot)
    }

    /// The transfers with this `user_data_128` (not zero), newest first, as numbers of records. Must not be
    /// asked while a linked chain is open: what it has seen cannot be taken away again.
    pub fn with_data(&self, data: u128) -> Vec<u64> {
        let mut by_data = self.by_data.lock().unwrap_or_else(PoisonError::into_inner);
        let ByData { upto, newest, before } = &mut *by_data;
        for (index, item) in self.items.iter().enumerate().skip(*upto) {
            let data = item.transfer().map_or(0, |t| t.user_data_128);
            let index = u32::try_from(index).unwrap_or(NONE);
            before.push(if data == 0 { NONE } else { newest.insert(data, index).unwrap_or(NONE) });
        }
        *upto = self.items.len();
        let chain = std::iter::successors(newest.get(&data).copied(), |at| {
            Some(before[*at as usize]).filter(|at| *at != NONE)
        });
        chain.map(|at| self.first + u64::from(at)).collect()
    }
}

fn id_of(record: &Record) -> u128 {
    match record {
        Record::Transfer(t) => t.id,
        Record::Failed(id) => *id,
        Record::Account(_) | Record::Expired { .. } => 0,
    }
}

fn resolved(record: &Record) -> u128 {
    match record {
        Record::Transfer(t) => t.pending_id,
        Record::Expired { pending_id, .. } => *pending_id,
        Record::Account(_) | Record::Failed(_) => 0,
    }
}
