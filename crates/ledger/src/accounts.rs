//! The accounts, all in memory: an account's slot is its place in the order of creation, for good.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as TableEntry;

use crate::hash::hash_id;
use crate::posting::Contradiction;
use crate::types::Account;

/// An account's place in the order of creation.
pub type Slot = u32;

/// An account and what the engine keeps beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The account with its working balances.
    pub account: Account,
    /// One more than the number of the last record that changed it. A reader waits until that many
    /// records are on disk; a start from a snapshot leaves out what the account has seen.
    pub stamp: u64,
    /// One more than the number of the last event in the chain of its events; zero if there is none in
    /// memory.
    pub last: u64,
    /// How many events it has had since its balance was last marked.
    pub unmarked: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Accounts {
    list: Vec<Entry>,
    ids: HashTable<Slot>,
}

impl Accounts {
    /// All of them, oldest first.
    pub fn list(&self) -> &[Entry] {
        &self.list
    }
    /// The slot of an id.
    pub fn find(&self, id: u128) -> Option<Slot> {
        self.ids.find(hash_id(id), |slot| self.list[*slot as usize].account.id == id).copied()
    }
    /// The account in a slot.
    pub fn at(&self, slot: Slot) -> &Entry {
        &self.list[slot as usize]
    }
    /// The account in a slot, to change it.
    pub fn at_mut(&mut self, slot: Slot) -> &mut Entry {
        &mut self.list[slot as usize]
    }
    /// The newest account's timestamp, or zero.
    pub fn newest(&self) -> u64 {
        self.list.last().map_or(0, |e| e.account.timestamp)
    }
    /// Whether an account was created at exactly this timestamp.
    pub fn has_at(&self, timestamp: u64) -> bool {
        self.list.binary_search_by_key(&timestamp, |e| e.account.timestamp).is_ok()
    }
    /// Makes room for so many more.
    pub fn reserve(&mut self, more: usize) {
        self.list.reserve(more);
        self.ids.reserve(more, |slot| hash_id(self.list[*slot as usize].account.id));
    }
    /// Adds an account, which must be newer than all others and not there yet.
    pub fn add(&mut self, entry: Entry) -> Result<Slot, Contradiction> {
        if self.newest() >= entry.account.timestamp {
            return Err(Contradiction("accounts are not in the order of time"));
        }
        let slot = Slot::try_from(self.list.len()).ok().filter(|slot| *slot < Slot::MAX);
        let slot = slot.ok_or(Contradiction("the engine is full: 2^32 - 1 accounts"))?;
        let (id, list) = (entry.account.id, &self.list);
        let place = self.ids.entry(
            hash_id(id),
            |slot| list[*slot as usize].account.id == id,
            |slot| hash_id(list[*slot as usize].account.id),
        );
        match place {
            TableEntry::Occupied(_) => return Err(Contradiction("an account is created twice")),
            TableEntry::Vacant(free) => free.insert(slot),
        };
        self.list.push(entry);
        Ok(slot)
    }
    /// Takes the newest account away again.
    pub fn remove_newest(&mut self) {
        if let Some(entry) = self.list.pop() {
            let slot = Slot::try_from(self.list.len()).unwrap_or(Slot::MAX);
            if let Ok(found) = self.ids.find_entry(hash_id(entry.account.id), |s| *s == slot) {
                found.remove();
            }
        }
    }
}
