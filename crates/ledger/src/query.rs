//! Questions to the books.
//!
//! A long scan is answered in steps: each visits at most [`STEP`] entries of one source (the records in
//! memory, or one index file) and says where to go on, so that nobody holds the books for long. Transfers are
//! never removed and stand in the order of their timestamps, so going on from a timestamp misses nothing.
//! Transfers that are not on disk yet are left out.

use std::sync::Arc;

use crate::accounts::Slot;
use crate::books::Books;
use crate::fault::Fault;
use crate::index::{EventRow, Field, Index, KeyRow, Position, event_key, key};
use crate::recent::{Item, Recent};
use crate::sealed::{Frames, Sealed};
use crate::table::Walk;
use crate::types::{
    Account, AccountFilter, AccountFilterFlags, BATCH_MAX, FeedItem, QueryFilter, QueryFilterFlags,
    TIMESTAMP_MAX, Transfer,
};

/// The most entries visited in one step.
pub const STEP: usize = 4096;

/// One step of a scan.
#[derive(Debug)]
pub struct Step<T, F> {
    /// What it found.
    pub found: Vec<T>,
    /// The filter for the rest, if there may be more.
    pub rest: Option<F>,
}

impl<T, F> Step<T, F> {
    /// Finds nothing.
    pub fn nothing() -> Self {
        Step { found: Vec::new(), rest: None }
    }
}

/// A filter that can be narrowed to what a step has not visited yet.
pub trait Narrow: Copy {
    /// The inclusive range of timestamps; `None` if the filter finds nothing.
    fn span(&self) -> Option<(u64, u64)>;
    /// Newest first.
    fn reversed(&self) -> bool;
    /// Leaves out everything up to (or, reversed, from) this timestamp; `false` if nothing is left.
    fn pass(&mut self, timestamp: u64) -> bool;
    /// How many are wanted.
    fn limit(&mut self) -> &mut u32;
}

macro_rules! narrow {
    ($filter:ident, $flags:ident) => {
        impl Narrow for $filter {
            fn span(&self) -> Option<(u64, u64)> {
                self.range()
            }
            fn reversed(&self) -> bool {
                self.flags.contains($flags::Reversed)
            }
            fn pass(&mut self, timestamp: u64) -> bool {
                let Some((min, max)) = self.range() else { return false };
                if self.reversed() {
                    // A maximum of zero would mean none.
                    self.timestamp_max = max.min(timestamp.saturating_sub(1));
                    self.timestamp_max >= min && self.timestamp_max > 0
                } else {
                    self.timestamp_min = min.max(timestamp + 1);
                    self.timestamp_min <= max
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

/// Collects what matches until the limit is found or the step is spent.
struct Collect<T, F> {
    found: Vec<T>,
    filter: F,
    limit: usize,
    visited: usize,
    /// The timestamp visited last.
    at: u64,
}

impl<T, F: Narrow> Collect<T, F> {
    fn new(mut filter: F) -> Self {
        let limit = (*filter.limit() as usize).min(BATCH_MAX);
        Collect { found: Vec::new(), filter, limit, visited: 0, at: 0 }
    }
    /// Takes in one entry; `false` when it wants no more.
    fn visit(&mut self, at: u64, found: Option<T>) -> bool {
        self.visited += 1;
        self.at = at;
        self.found.extend(found);
        self.found.len() < self.limit && self.visited < STEP
    }
    /// The step, when the source is not used up: go on after the entry visited last.
    fn stopped(self) -> Step<T, F> {
        let at = self.at;
        self.up_to(at)
    }
    /// The step, when the source ends at this timestamp (reversed: begins).
    fn up_to(mut self, timestamp: u64) -> Step<T, F> {
        let left = self.limit - self.found.len();
        *self.filter.limit() = u32::try_from(left).unwrap_or(0);
        let more = left > 0 && self.filter.pass(timestamp);
        Step { found: self.found, rest: more.then_some(self.filter) }
    }
    /// The step, when there is nothing after.
    fn ended(self) -> Step<T, F> {
        Step { found: self.found, rest: None }
    }
}

/// Which transfers a scan goes through.
#[derive(Debug, Clone, Copy)]
pub enum Path {
    /// Those of an account.
    Account(Slot),
    /// Those with a value in a field.
    Field(Field, u128),
    /// All.
    Time,
}

impl Path {
    fn of(filter: &QueryFilter) -> Path {
        if filter.user_data_128 != 0 {
            Path::Field(Field::UserData128, filter.user_data_128)
        } else if filter.user_data_64 != 0 {
            Path::Field(Field::UserData64, filter.user_data_64.into())
        } else if filter.user_data_32 != 0 {
            Path::Field(Field::UserData32, filter.user_data_32.into())
        } else {
            Path::Time
        }
    }
}

/// What one transfer of a sealed scan becomes in its answer.
pub trait Want<F> {
    /// An entry of the answer.
    type Item;
    /// Whether it is wanted.
    fn matches(&self, filter: &F, t: &Transfer) -> bool;
    /// What it becomes.
    fn sealed(
        &mut self,
        sealed: &Sealed,
        index: &Index,
        place: Position,
        t: &Transfer,
    ) -> Result<Option<Self::Item>, Fault>;
}

/// The transfers themselves.
struct Transfers<M>(M);

impl<F, M: Fn(&F, &Transfer) -> bool> Want<F> for Transfers<M> {
    type Item = Transfer;
    fn matches(&self, filter: &F, t: &Transfer) -> bool {
        self.0(filter, t)
    }
    fn sealed(
        &mut self,
        _: &Sealed,
        _: &Index,
        _: Position,
        t: &Transfer,
    ) -> Result<Option<Transfer>, Fault> {
        Ok(Some(*t))
    }
}

/// A scan that has passed the books' lock.
pub enum Scan<M, F> {
    /// The step was made in memory: this was copied from there.
    Memory(M),
    /// It goes on in a sealed part, which needs no lock.
    Sealed(SealedScan<F>),
}

/// See [`Scan`].
pub struct SealedScan<F> {
    sealed: Arc<Sealed>,
    nth: usize,
    filter: F,
    pub(crate) path: Path,
}

/// The first step of a scan of transfers: in memory, or which sealed part it is in. `take` answers what is wanted of a
/// record in memory, by its number.
pub fn begin<T, F: Narrow>(
    books: &Books,
    durable: u64,
    filter: F,
    path: Path,
    take: impl Fn(u64, &Transfer) -> Option<T>,
) -> Scan<Step<T, F>, F> {
    let Some((min, max)) = filter.span() else { return Scan::Memory(Step::nothing()) };
    let sealed = books.sealed();
    let has = |i: &Arc<Index>| i.summary.oldest <= max && i.summary.newest >= min && i.summary.newest > 0;
    let in_sealed = |nth: usize| Scan::Sealed(SealedScan { sealed: sealed.clone(), nth, filter, path });
    if !filter.reversed() {
        if let Some(nth) = sealed.indexes().iter().position(has) {
            return in_sealed(nth);
        }
        return Scan::Memory(in_memory(books, durable, filter, (min, max), path, take));
    }
    let oldest = books.recent().find_map(Recent::oldest).unwrap_or(TIMESTAMP_MAX);
    let last = sealed.indexes().iter().rposition(has);
    if max < oldest {
        return last.map_or(Scan::Memory(Step::nothing()), in_sealed);
    }
    let mut step = in_memory(books, durable, filter, (min.max(oldest), max), path, take);
    if step.rest.is_none() && step.found.len() < BATCH_MAX.min(limit_of(filter)) && last.is_some() {
        // Memory is used up; what is older is sealed.
        let mut rest = filter;
        *rest.limit() = u32::try_from(limit_of(filter).min(BATCH_MAX) - step.found.len()).unwrap_or(0);
        step.rest = rest.pass(oldest).then_some(rest);
    }
    Scan::Memory(step)
}

fn limit_of<F: Narrow>(mut filter: F) -> usize {
    *filter.limit() as usize
}

fn in_memory<T, F: Narrow>(
    books: &Books,
    durable: u64,
    filter: F,
    (min, max): (u64, u64),
    path: Path,
    take: impl Fn(u64, &Transfer) -> Option<T>,
) -> Step<T, F> {
    let mut collect = Collect::new(filter);
    let reversed = filter.reversed();
    let mut visit = |recent: &Recent, number: u64| {
        let Some(t) = recent.get(number).and_then(|item| item.transfer()) else { return true };
        if number >= durable || t.timestamp > max || t.timestamp < min {
            return true;
        }
        collect.visit(t.timestamp, take(number, t))
    };
    macro_rules! visit_all {
        ($recent:expr, $numbers:expr) => {
            for number in $numbers {
                if !visit($recent, number) {
                    return collect.stopped();
                }
            }
        };
    }
    match path {
        Path::Account(slot) => {
            let numbers = Chain::new(books, slot);
            if reversed {
                for (recent, number) in numbers {
                    if recent.get(number).and_then(|i| i.transfer()).is_some_and(|t| t.timestamp < min) {
                        break;
                    }
                    if !visit(recent, number) {
                        return collect.stopped();
                    }
                }
            } else {
                let in_range = |(recent, number): &(&Recent, u64)| {
                    recent.get(*number).and_then(Item::transfer).is_none_or(|t| t.timestamp >= min)
                };
                let mut numbers: Vec<(&Recent, u64)> = numbers.take_while(in_range).collect();
                numbers.reverse();
                for (recent, number) in numbers {
                    if !visit(recent, number) {
                        return collect.stopped();
                    }
                }
            }
        }
        Path::Field(Field::UserData128, value) => {
            for recent in directed(books.recent(), reversed) {
                let mut numbers = recent.with_data(value);
                if !reversed {
                    numbers.reverse();
                }
                visit_all!(recent, numbers);
            }
        }
        Path::Field(..) | Path::Time => {
            for recent in directed(books.recent(), reversed) {
                visit_all!(recent, directed(recent.between(min, max), reversed));
            }
        }
    }
    collect.ended()
}

/// An iterator in either direction.
fn directed<'a, T>(
    entries: impl DoubleEndedIterator<Item = T> + 'a,
    reversed: bool,
) -> Box<dyn Iterator<Item = T> + 'a> {
    if reversed { Box::new(entries.rev()) } else { Box::new(entries) }
}

/// The events of an account that are in memory, newest first.
struct Chain<'a> {
    books: &'a Books,
    slot: Slot,
    next: Option<u64>,
}

impl<'a> Chain<'a> {
    fn new(books: &'a Books, slot: Slot) -> Self {
        Chain { books, slot, next: books.accounts().at(slot).last.checked_sub(1) }
    }
}

impl<'a> Iterator for Chain<'a> {
    type Item = (&'a Recent, u64);
    fn next(&mut self) -> Option<Self::Item> {
        let number = self.next?;
        let recent = self.books.recent().rev().find(|r| r.first <= number)?;
        self.next = recent.before(number, self.slot);
        (number < recent.end()).then_some((recent, number))
    }
}

impl<F: Narrow> SealedScan<F> {
    /// Goes through one index.
    pub fn run<W: Want<F>>(self, want: &mut W) -> Result<Step<W::Item, F>, Fault> {
        let Some((min, max)) = self.filter.span() else { return Ok(Step::nothing()) };
        let sealed = &*self.sealed;
        let index = &*sealed.indexes()[self.nth];
        let reversed = self.filter.reversed();
        let filter = self.filter;
        let mut collect = Collect::new(filter);
        let mut visit = |place: Position, t: &Transfer| -> Result<bool, Fault> {
            if t.timestamp < min || t.timestamp > max {
                return Ok(if reversed { t.timestamp > max } else { t.timestamp < min });
            }
            let found = if want.matches(&filter, t) { want.sealed(sealed, index, place, t)? } else { None };
            Ok(collect.visit(t.timestamp, found))
        };
        let edge = if reversed { index.summary.oldest } else { index.summary.newest };
        let transfer = |place| index.transfer(sealed.files(), place);
        let done = match self.path {
            Path::Account(slot) => {
                let mut rows: Box<dyn Walk<EventRow>> = if reversed {
                    Box::new(index.events_before(event_key(slot, index.place_after_time(max)?, false))?)
                } else {
                    Box::new(index.events_from(event_key(slot, index.place_of_time(min)?, false))?)
                };
                loop {
                    match rows.step()?.map(|row| row.parts()) {
                        Some((of, place, false)) if of == slot => {
                            if !visit(place, &transfer(place)?)? {
                                break false;
                            }
                        }
                        Some((of, _, true)) if of == slot => {}
                        _ => break true,
                    }
                }
            }
            Path::Field(field, value) => {
                let (from, to) = (index.place_of_time(min)?, index.place_after_time(max)?);
                let key = key(field, value);
                let mut rows: Box<dyn Walk<KeyRow>> = if reversed {
                    Box::new(index.keyed_before(key, to)?)
                } else {
                    Box::new(index.keyed_from(key, from)?)
                };
                loop {
                    match rows.step()? {
                        // Another value may share the key: it does not match, and is passed over.
                        Some(row) if row.key == key && from <= row.position && row.position < to => {
                            if !visit(row.position, &transfer(row.position)?)? {
                                break false;
                            }
                        }
                        _ => break true,
                    }
                }
            }
            Path::Time if reversed => {
                let mut stretches = index.times_before(max)?;
                let mut until = index.place_after_time(max)?;
                'all: loop {
                    let Some(from) = stretches.next()?.map(|row| row.position) else { break true };
                    let mut transfers = Vec::new();
                    let mut frames = Frames::new(sealed, index, from);
                    while frames.place() < until {
                        match frames.next()? {
                            Some(frame) => transfers.extend(frame),
                            None => break,
                        }
                    }
                    until = from;
                    for (place, t) in transfers.iter().rev() {
                        if !visit(*place, t)? {
                            break 'all false;
                        }
                    }
                }
            }
            Path::Time => {
                let mut frames = Frames::new(sealed, index, index.place_of_time(min)?);
                'all: loop {
                    let Some(transfers) = frames.next()? else { break true };
                    for (place, t) in &transfers {
                        if !visit(*place, t)? {
                            break 'all false;
                        }
                    }
                }
            }
        };
        let spent = collect.found.len() >= collect.limit || collect.visited >= STEP;
        Ok(if !done && spent { collect.stopped() } else { collect.up_to(edge) })
    }
}

/// A question about transfers that can be asked step by step.
pub trait Question {
    /// What an answer has.
    type Item;
    /// The filter.
    type Filter: Narrow;
    /// What is copied from memory.
    type Copied;
    /// The part that needs the books, whose lock others wait for meanwhile. `durable` is how many records are on disk.
    fn begin(&self, books: &Books, durable: u64) -> Scan<Self::Copied, Self::Filter>;
    /// Makes the step of what was copied.
    fn finish(&self, copied: Self::Copied) -> Result<Step<Self::Item, Self::Filter>, Fault>;
    /// The part that needs only sealed segments.
    fn go_on(&self, scan: SealedScan<Self::Filter>) -> Result<Step<Self::Item, Self::Filter>, Fault>;
    /// The same question about the rest.
    fn with(&self, filter: Self::Filter) -> Self;
}

/// Transfers by their fields.
pub struct QueryTransfers(pub QueryFilter);

impl Question for QueryTransfers {
    type Item = Transfer;
    type Filter = QueryFilter;
    type Copied = Step<Transfer, QueryFilter>;
    fn begin(&self, books: &Books, durable: u64) -> Scan<Self::Copied, QueryFilter> {
        let take = |_, t: &Transfer| self.0.matches_transfer(t).then_some(*t);
        begin(books, durable, self.0, Path::of(&self.0), take)
    }
    fn finish(&self, copied: Self::Copied) -> Result<Step<Transfer, QueryFilter>, Fault> {
        Ok(copied)
    }
    fn go_on(&self, scan: SealedScan<QueryFilter>) -> Result<Step<Transfer, QueryFilter>, Fault> {
        scan.run(&mut Transfers(QueryFilter::matches_transfer))
    }
    fn with(&self, filter: QueryFilter) -> Self {
        QueryTransfers(filter)
    }
}

/// The transfers of an account.
pub struct AccountTransfers(pub AccountFilter);

/// Whether a transfer is on the side of the account that the filter wants, and matches.
pub fn of_account(filter: &AccountFilter, t: &Transfer) -> bool {
    let debits = filter.flags.contains(AccountFilterFlags::Debits);
    let credits = filter.flags.contains(AccountFilterFlags::Credits);
    let directed = debits && t.debit_account_id == filter.account_id
        || credits && t.credit_account_id == filter.account_id;
    directed && filter.matches(t)
}

impl Question for AccountTransfers {
    type Item = Transfer;
    type Filter = AccountFilter;
    type Copied = Step<Transfer, AccountFilter>;
    fn begin(&self, books: &Books, durable: u64) -> Scan<Self::Copied, AccountFilter> {
        match books.accounts().find(self.0.account_id) {
            None => Scan::Memory(Step::nothing()),
            Some(slot) => {
                let take = |_, t: &Transfer| of_account(&self.0, t).then_some(*t);
                begin(books, durable, self.0, Path::Account(slot), take)
            }
        }
    }
    fn finish(&self, copied: Self::Copied) -> Result<Step<Transfer, AccountFilter>, Fault> {
        Ok(copied)
    }
    fn go_on(&self, scan: SealedScan<AccountFilter>) -> Result<Step<Transfer, AccountFilter>, Fault> {
        scan.run(&mut Transfers(of_account))
    }
    fn with(&self, filter: AccountFilter) -> Self {
        AccountTransfers(filter)
    }
}

/// The feed after a timestamp.
pub struct Feed(QueryFilter);

impl Feed {
    /// At most `limit` transfers after the timestamp; `None` if there can be none.
    pub fn new(after: u64, limit: u32) -> Option<Feed> {
        let timestamp_min = after.checked_add(1).filter(|min| *min <= TIMESTAMP_MAX && limit > 0)?;
        Some(Feed(QueryFilter { timestamp_min, limit, ..QueryFilter::default() }))
    }
}

impl Question for Feed {
    type Item = Transfer;
    type Filter = QueryFilter;
    type Copied = Step<Transfer, QueryFilter>;
    fn begin(&self, books: &Books, durable: u64) -> Scan<Self::Copied, QueryFilter> {
        begin(books, durable, self.0, Path::Time, |_, t| Some(*t))
    }
    fn finish(&self, copied: Self::Copied) -> Result<Step<Transfer, QueryFilter>, Fault> {
        Ok(copied)
    }
    fn go_on(&self, scan: SealedScan<QueryFilter>) -> Result<Step<Transfer, QueryFilter>, Fault> {
        scan.run(&mut Transfers(|_: &QueryFilter, _: &Transfer| true))
    }
    fn with(&self, filter: QueryFilter) -> Self {
        Feed(filter)
    }
}

/// What the feed calls a transfer.
pub fn feed_items(transfers: Vec<Transfer>) -> Vec<FeedItem> {
    transfers.into_iter().map(|transfer| FeedItem { transfer }).collect()
}

/// Accounts by their fields, and how many records must be on disk before they may be shown.
pub fn query_accounts(books: &Books, filter: QueryFilter) -> (Step<Account, QueryFilter>, u64) {
    let Some((min, max)) = filter.range() else { return (Step::nothing(), 0) };
    let list = books.accounts().list();
    let from = list.partition_point(|e| e.account.timestamp < min);
    let to = list.partition_point(|e| e.account.timestamp <= max).max(from);
    let mut collect = Collect::new(filter);
    let mut stamp = 0;
    for entry in directed(list[from..to].iter(), filter.reversed()) {
        let found = filter.matches_account(&entry.account).then_some(entry.account);
        if found.is_some() {
            stamp = stamp.max(entry.stamp);
        }
        if !collect.visit(entry.account.timestamp, found) {
            return (collect.stopped(), stamp);
        }
    }
    (collect.ended(), stamp)
}
