//! Questions to the committed books.
//!
//! A long scan is answered in steps: each visits at most [`STEP`] entries and says where to go on, so that
//! nobody holds the books for long. Entries are never removed, so going on later misses nothing.

use crate::memory::{Memory, Slot};
use crate::types::{
    Account, AccountBalance, AccountFilter, AccountFilterFlags, BATCH_MAX, FeedItem, QueryFilter,
    QueryFilterFlags, Transfer,
};

/// The most entries visited in one step.
pub const STEP: usize = 8192;

/// One step of a scan.
#[derive(Debug)]
pub struct Step<T, F> {
    /// What it found.
    pub found: Vec<T>,
    /// The filter for the rest, if there may be more.
    pub rest: Option<F>,
}

/// A filter that can be narrowed to what a step has not visited yet.
trait Narrow: Copy {
    fn reversed(&self) -> bool;
    fn after(&mut self, timestamp: u64);
    fn limit(&mut self) -> &mut u32;
}

macro_rules! narrow {
    ($filter:ident, $flags:ident) => {
        impl Narrow for $filter {
            fn reversed(&self) -> bool {
                self.flags.contains($flags::Reversed)
            }
            fn after(&mut self, timestamp: u64) {
                if self.reversed() {
                    self.timestamp_max = timestamp - 1;
                } else {
                    self.timestamp_min = timestamp + 1;
                }
            }
            fn limit(&mut self) -> &mut u32 {
                &mut self.limit
            }
        }
    };
}
narrow!(AccountFilter, AccountFilterFlags);
narrow!(QueryFilter, QueryFilterFlags);

/// Visits entries in order until the limit is found or the step is spent.
fn step<T: Copy, F: Narrow>(
    filter: F,
    range: (u64, u64),
    entries: impl Iterator<Item = T>,
    timestamp: impl Fn(&T) -> u64,
    matches: impl Fn(&T) -> bool,
) -> Step<T, F> {
    let mut rest = filter;
    let limit = (*rest.limit() as usize).min(BATCH_MAX);
    let mut found = Vec::new();
    for (visited, entry) in entries.enumerate() {
        if visited == STEP {
            // Narrowing past the ends of the range would turn it inside out: then nothing is left.
            *rest.limit() = u32::try_from(limit - found.len()).unwrap_or(0);
            return Step { found, rest: Some(rest) };
        }
        let at = timestamp(&entry);
        if matches(&entry) {
            found.push(entry);
            if found.len() == limit {
                break;
            }
        }
        let is_end = if rest.reversed() { at <= range.0 } else { at >= range.1 };
        if is_end {
            break;
        }
        rest.after(at);
    }
    Step { found, rest: None }
}

/// The part of a time-ordered list that lies in the range.
fn window<T>(list: &[T], (min, max): (u64, u64), timestamp: impl Fn(&T) -> u64) -> &[T] {
    let from = list.partition_point(|e| timestamp(e) < min);
    let to = list.partition_point(|e| timestamp(e) <= max);
    &list[from..to.max(from)]
}

/// An iterator in either direction.
fn directed<'a, T>(
    entries: impl DoubleEndedIterator<Item = T> + 'a,
    reversed: bool,
) -> Box<dyn Iterator<Item = T> + 'a> {
    if reversed { Box::new(entries.rev()) } else { Box::new(entries) }
}

impl Memory {
    fn at(&self, slot: Slot) -> &Transfer {
        &self.transfers()[slot as usize]
    }

    /// Accounts by their fields.
    pub fn query_accounts(&self, filter: QueryFilter) -> Step<Account, QueryFilter> {
        let Some(range) = filter.range() else {
            return Step { found: Vec::new(), rest: None };
        };
        let entries = window(self.accounts(), range, |a| a.timestamp).iter().copied();
        step(
            filter,
            range,
            directed(entries, filter.reversed()),
            |a| a.timestamp,
            |a| filter.matches_account(a),
        )
    }

    /// Transfers by their fields; by `user_data_128` through its index, else by time.
    pub fn query_transfers(&self, filter: QueryFilter) -> Step<Transfer, QueryFilter> {
        let Some(range) = filter.range() else {
            return Step { found: Vec::new(), rest: None };
        };
        let matches = |t: &Transfer| filter.matches_transfer(t);
        let reversed = filter.reversed();
        if filter.user_data_128 != 0 {
            let entries = self.data_window(filter.user_data_128, range, reversed);
            return step(filter, range, entries.into_iter(), |t| t.timestamp, matches);
        }
        let entries = window(self.transfers(), range, |t| t.timestamp).iter().copied();
        step(filter, range, directed(entries, reversed), |t| t.timestamp, matches)
    }

    /// The transfers of one account.
    pub fn account_transfers(&self, filter: AccountFilter) -> Step<Transfer, AccountFilter> {
        let nothing = Step { found: Vec::new(), rest: None };
        let (Some(range), Some(slot)) = (filter.range(), self.account_slot(filter.account_id)) else {
            return nothing;
        };
        let wants_debits = filter.flags.contains(AccountFilterFlags::Debits);
        let wants_credits = filter.flags.contains(AccountFilterFlags::Credits);
        let reversed = filter.reversed();
        if filter.user_data_128 != 0 {
            let id = filter.account_id;
            let entries = self.data_window(filter.user_data_128, range, reversed).into_iter();
            return step(
                filter,
                range,
                entries,
                |t| t.timestamp,
                |t| {
                    let side = (wants_debits && t.debit_account_id == id)
                        || (wants_credits && t.credit_account_id == id);
                    side && filter.matches(t)
                },
            );
        }
        let sides = self.sides(slot);
        let part = |wanted: bool, list: &'_ [Slot]| -> (usize, usize) {
            if !wanted {
                return (0, 0);
            }
            let from = list.partition_point(|s| self.at(*s).timestamp < range.0);
            let to = list.partition_point(|s| self.at(*s).timestamp <= range.1);
            (from, to.max(from))
        };
        let (d, c) = (part(wants_debits, &sides.debits), part(wants_credits, &sides.credits));
        let debits = sides.debits[d.0..d.1].iter().copied();
        let credits = sides.credits[c.0..c.1].iter().copied();
        let merged = Merge {
            a: directed(debits, reversed).peekable(),
            b: directed(credits, reversed).peekable(),
            reversed,
        };
        step(filter, range, merged.map(|s| *self.at(s)), |t| t.timestamp, |t| filter.matches(t))
    }

    /// The balances of one account after each of the transfers that the filter selects.
    pub fn account_balances(&self, filter: AccountFilter) -> Step<AccountBalance, AccountFilter> {
        let history = self.account_slot(filter.account_id).map_or(&[][..], |slot| self.history(slot));
        if history.is_empty() {
            return Step { found: Vec::new(), rest: None };
        }
        let transfers = self.account_transfers(filter);
        let balance = |t: &Transfer| {
            let index = history.binary_search_by_key(&t.timestamp, |b| b.timestamp);
            index.ok().map(|i| history[i])
        };
        Step { found: transfers.found.iter().filter_map(balance).collect(), rest: transfers.rest }
    }

    /// The feed after a timestamp.
    pub fn feed(&self, after: u64, limit: u32) -> Vec<FeedItem> {
        let from = self.transfers().partition_point(|t| t.timestamp <= after);
        let items = self.transfers()[from..].iter().take((limit as usize).min(BATCH_MAX));
        items.map(|t| FeedItem { transfer: *t }).collect()
    }

    /// The transfers with a `user_data_128` in a range of time, in the order wanted.
    fn data_window(&self, data: u128, (min, max): (u64, u64), reversed: bool) -> Vec<Transfer> {
        let newest_first = self.with_data(data).map(|slot| *self.at(slot));
        let mut found: Vec<Transfer> =
            newest_first.skip_while(|t| t.timestamp > max).take_while(|t| t.timestamp >= min).collect();
        if !reversed {
            found.reverse();
        }
        found
    }
}

/// Two lists of slots in order, as one.
struct Merge<I: Iterator<Item = Slot>> {
    a: std::iter::Peekable<I>,
    b: std::iter::Peekable<I>,
    reversed: bool,
}

impl<I: Iterator<Item = Slot>> Iterator for Merge<I> {
    type Item = Slot;
    fn next(&mut self) -> Option<Slot> {
        match (self.a.peek(), self.b.peek()) {
            (Some(a), Some(b)) if (a < b) != self.reversed => self.a.next(),
            (Some(_), None) => self.a.next(),
            _ => self.b.next(),
        }
    }
}
