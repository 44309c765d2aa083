//! A chained hash table over slots: three arrays of numbers, so that ten million entries cost little more than their
//! keys and building it can stop and go on anywhere. Must never hold secrets.

/// End of a chain.
const NONE: u32 = u32::MAX;

/// Maps 32-bit keys to the slots that carry them. Twelve to sixteen bytes per slot.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// First slot of each chain; a power of two of them, or none.
    heads: Vec<u32>,
    /// Per slot: its key and the next slot of its chain.
    slots: Vec<(u32, u32)>,
    /// After retirement: chains below this one still hold old entries.
    dirty: usize,
}

/// Chains for so many slots: a load of one half to one.
fn chains(slots: usize) -> usize {
    slots.next_power_of_two().max(16)
}

impl Table {
    /// How many slots the table has a place for; slots come in order.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// An empty table with room for `slots`.
    pub fn with_room(slots: usize) -> Self {
        Self { heads: vec![NONE; chains(slots)], slots: Vec::with_capacity(slots), dirty: 0 }
    }

    /// Drops every entry but keeps the memory, to be wiped in portions by [`Table::wipe`].
    pub fn retire(&mut self) {
        self.slots.clear();
        self.dirty = self.heads.len();
    }

    /// Wipes at most `chains` chains of a retired table; `true` when it is empty as new.
    pub fn wipe(&mut self, chains: usize) -> bool {
        let from = self.dirty.saturating_sub(chains);
        self.heads[from..self.dirty].fill(NONE);
        self.dirty = from;
        from == 0
    }

    /// A retired table as an empty one with room for `slots`.
    pub fn reuse(mut self, slots: usize) -> Self {
        if self.heads.len() != chains(slots) {
            return Self::with_room(slots);
        }
        self.wipe(usize::MAX);
        self.slots.reserve(slots);
        self
    }

    /// Adds the next slot, linked under `key`; `None` keeps the place of a slot that is not in use.
    pub fn push(&mut self, key: Option<u32>) {
        if self.slots.len() >= self.heads.len().saturating_mul(2) {
            self.grow();
        }
        let slot = self.slots.len();
        self.slots.push((0, NONE));
        if let Some(key) = key {
            self.link(slot, key);
        }
    }

    /// Links a slot that has its place but is under no key.
    pub fn link(&mut self, slot: usize, key: u32) {
        let chain = self.chain(key);
        self.slots[slot] = (key, self.heads[chain]);
        self.heads[chain] = u32::try_from(slot).expect("fewer than 2^32 slots");
    }

    /// Takes a linked slot out of its chain; its place stays.
    pub fn unlink(&mut self, slot: usize) {
        let wanted = u32::try_from(slot).expect("fewer than 2^32 slots");
        let (key, after) = self.slots[slot];
        let chain = self.chain(key);
        if self.heads[chain] == wanted {
            self.heads[chain] = after;
            return;
        }
        let mut at = self.heads[chain];
        while at != NONE {
            let next = self.slots[at as usize].1;
            if next == wanted {
                self.slots[at as usize].1 = after;
                return;
            }
            at = next;
        }
    }

    /// The slots under `key`.
    pub fn find(&self, key: u32) -> impl Iterator<Item = usize> + '_ {
        let mut at = if self.heads.is_empty() { NONE } else { self.heads[self.chain(key)] };
        std::iter::from_fn(move || {
            while at != NONE {
                let slot = at as usize;
                let (own, next) = self.slots[slot];
                at = next;
                if own == key {
                    return Some(slot);
                }
            }
            None
        })
    }

    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        self.heads.capacity() * size_of::<u32>() + self.slots.capacity() * size_of::<(u32, u32)>()
    }

    /// Fibonacci hashing: the top bits of a product, which every bit of the key reaches.
    fn chain(&self, key: u32) -> usize {
        let bits = self.heads.len().trailing_zeros();
        let spread = u64::from(key).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        usize::try_from(spread >> (64 - bits)).expect("an index fits")
    }

    /// More chains, every linked slot put anew.
    fn grow(&mut self) {
        let linked: Vec<u32> = (0..self.heads.len()).flat_map(|chain| self.chain_slots(chain)).collect();
        self.heads.clear();
        self.heads.resize(chains(self.slots.len() * 2), NONE);
        for slot in linked {
            let key = self.slots[slot as usize].0;
            self.link(slot as usize, key);
        }
    }

    fn chain_slots(&self, chain: usize) -> Vec<u32> {
        let mut slots = Vec::new();
        let mut at = self.heads[chain];
        while at != NONE {
            slots.push(at);
            at = self.slots[at as usize].1;
        }
        slots
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn behaves_as_a_set_of_pairs() {
        let mut table = Table::default();
        let mut model = BTreeSet::new();
        let mut state = 1u64;
        for step in 0..20_000usize {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = u32::try_from(state >> 54).expect("ten bits");
            let slot = step / 2;
            if step % 2 == 0 {
                table.push((state & 1 == 0).then_some(key));
                if state & 1 == 0 {
                    model.insert((key, slot));
                }
            } else if let Some(&(key, slot)) = model.range((key, 0)..).next()
                && state & 6 == 0
            {
                table.unlink(slot);
                model.remove(&(key, slot));
                if state & 8 == 0 {
                    table.link(slot, key ^ 1);
                    model.insert((key ^ 1, slot));
                }
            }
        }
        for key in 0..1024 {
            let got: BTreeSet<_> = table.find(key).collect();
            let want: BTreeSet<_> =
                model.range((key, 0)..=(key, usize::MAX)).map(|(_, slot)| *slot).collect();
            assert_eq!(got, want, "key {key}");
        }
    }
}
