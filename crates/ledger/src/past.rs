//! Balances of the past: worked out from the marked balance before.
//!
//! An account with [`AccountFlags::History`] has its balances marked now and then ([`crate::recent::Mark`]); what they were
//! after one of its transfers is a few events away from the mark before it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::accounts::Slot;
use crate::books::Books;
use crate::fault::Fault;
use crate::index::{EventRow, Index, Position, event_key};
use crate::posting::{self, Contradiction, Record, Side};
use crate::query::{Path, Question, Scan, SealedScan, Step, Want, begin, of_account};
use crate::recent::{Balances, MARK_EVERY, Recent};
use crate::rules::Known;
use crate::sealed::{Sealed, resolves};
use crate::types::{Account, AccountBalance, AccountFilter, AccountFlags, Transfer};

/// The balances of an account after each of its transfers.
pub struct AccountBalances(pub AccountFilter);

/// Works out balances of the past from the marks.
struct Past {
    slot: Slot,
    account: Account,
    /// The balances after each event of the stretch worked out last, by its place.
    stretch: Vec<(u64, Balances)>,
}

impl Past {
    fn new(slot: Slot, account: Account) -> Past {
        Past { slot, account, stretch: Vec::new() }
    }

    /// What one event does to the balances.
    fn book(
        &self,
        balances: Balances,
        book: impl Fn(Side, &mut Account) -> Result<(), Contradiction>,
        debit_account_id: u128,
    ) -> Result<Balances, Fault> {
        let side = if debit_account_id == self.account.id { Side::Debit } else { Side::Credit };
        let [debits_pending, debits_posted, credits_pending, credits_posted] = balances;
        let mut a =
            Account { debits_pending, debits_posted, credits_pending, credits_posted, ..self.account };
        book(side, &mut a)?;
        Ok([a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted])
    }

    fn transfer(
        &self,
        balances: Balances,
        t: &Transfer,
        lookup: impl Fn(u128) -> Result<Known, Fault>,
    ) -> Result<Balances, Fault> {
        let pending = if resolves(t) { Some(created(lookup(t.pending_id)?)?) } else { None };
        let book = |side, a: &mut Account| posting::post(t, pending.as_ref(), side, a);
        self.book(balances, book, t.debit_account_id)
    }

    fn expiry(&self, balances: Balances, pending: Known) -> Result<Balances, Fault> {
        let p = created(pending)?;
        self.book(balances, |side, a| posting::expire(&p, side, a), p.debit_account_id)
    }

    fn answer(balances: Balances, timestamp: u64) -> AccountBalance {
        let [debits_pending, debits_posted, credits_pending, credits_posted] = balances;
        AccountBalance { debits_pending, debits_posted, credits_pending, credits_posted, timestamp }
    }

    /// The balances after each event of a stretch in memory, by its number.
    fn in_memory(
        &self,
        sealed: &Sealed,
        stretch: &Stretch,
        found: &mut HashMap<u64, Balances>,
    ) -> Result<(), Fault> {
        let mut balances =
            stretch.mark.ok_or(Contradiction("an account's first event in a segment has no mark"))?;
        for event in &stretch.events {
            let lookup = |id| event.pending.map_or_else(|| sealed.lookup(id), |p| Ok(Known::Created(p)));
            balances = match event.record {
                Record::Transfer(t) => self.transfer(balances, &t, lookup)?,
                Record::Expired { pending_id, .. } => self.expiry(balances, lookup(pending_id)?)?,
                Record::Account(_) | Record::Failed(_) => balances,
            };
            found.insert(event.number, balances);
        }
        Ok(())
    }

    fn sealed(&mut self, sealed: &Sealed, index: &Index, place: Position) -> Result<Option<Balances>, Fault> {
        let wanted = event_key(self.slot, place, false);
        let known =
            |stretch: &[(u64, Balances)]| stretch.iter().find(|(key, _)| *key == wanted).map(|(_, b)| *b);
        if let Some(balances) = known(&self.stretch) {
            return Ok(Some(balances));
        }
        let Some(mark) = index.mark_upto(wanted)?.filter(|m| m.key >> 32 == u64::from(self.slot)) else {
            return Err(Contradiction("an account's first event in a segment has no mark").into());
        };
        self.stretch.clear();
        let mut balances = mark.balances;
        let mut rows = index.events_from(mark.key)?;
        // A little further than wanted: the next ones are likely asked for next.
        let ours = |row: &EventRow| row.key >> 32 == u64::from(self.slot);
        while let Some(row) = rows.next()?.filter(ours) {
            if row.key > wanted && self.stretch.len() >= MARK_EVERY as usize {
                break;
            }
            let (_, place, expired) = row.parts();
            balances = if expired {
                let pending_id = index.id_at(sealed.files(), place)?;
                self.expiry(balances, sealed.lookup(pending_id)?)?
            } else {
                let t = index.transfer(sealed.files(), place)?;
                self.transfer(balances, &t, |id| sealed.lookup(id))?
            };
            self.stretch.push((row.key, balances));
        }
        Ok(known(&self.stretch))
    }
}

/// Events of an account in one segment in memory, from one with a mark on.
struct Stretch {
    /// The balances marked there; `None` if that is missing.
    mark: Option<Balances>,
    events: Vec<Event>,
}

struct Event {
    number: u64,
    record: Record,
    /// The pending transfer that it resolves, if that is in memory.
    pending: Option<Transfer>,
}

impl Stretch {
    /// What balances after the events from `first` to `last` follow from.
    fn copy(books: &Books, recent: &Recent, slot: Slot, (first, last): (u64, u64)) -> Stretch {
        let (mark, numbers) = recent.since_mark(slot, first, last).unzip();
        let event = |number| {
            let record = recent.get(number)?.record;
            let resolved = match &record {
                Record::Transfer(t) if resolves(t) => Some(t.pending_id),
                Record::Expired { pending_id, .. } => Some(*pending_id),
                _ => None,
            };
            let pending = resolved.and_then(|id| books.recent().rev().find_map(|r| r.find(id)));
            Some(Event { number, record, pending: pending.and_then(|(_, item)| item.transfer()).copied() })
        };
        Stretch { mark, events: numbers.unwrap_or_default().into_iter().filter_map(event).collect() }
    }
}

/// What is copied from memory: the records found, by number and timestamp, and what the balances after them follow
/// from; a step's worth.
pub struct Copied {
    step: Step<(u64, u64), AccountFilter>,
    past: Past,
    stretches: Vec<Stretch>,
    sealed: Arc<Sealed>,
}

fn created(known: Known) -> Result<Transfer, Fault> {
    match known {
        Known::Created(t) => Ok(t),
        _ => Err(Contradiction("an unknown pending transfer was resolved").into()),
    }
}

impl Want<AccountFilter> for Past {
    type Item = AccountBalance;
    fn matches(&self, filter: &AccountFilter, t: &Transfer) -> bool {
        of_account(filter, t)
    }
    fn sealed(
        &mut self,
        sealed: &Sealed,
        index: &Index,
        place: Position,
        t: &Transfer,
    ) -> Result<Option<AccountBalance>, Fault> {
        let balances = Past::sealed(self, sealed, index, place)?;
        Ok(balances.map(|balances| Past::answer(balances, t.timestamp)))
    }
}

impl AccountBalances {
    fn past(&self, books: &Books) -> Option<Past> {
        let slot = books.accounts().find(self.0.account_id)?;
        let account = books.accounts().at(slot).account;
        account.flags.contains(AccountFlags::History).then(|| Past::new(slot, account))
    }
}

impl Question for AccountBalances {
    type Item = AccountBalance;
    type Filter = AccountFilter;
    type Copied = Option<Copied>;
    fn begin(&self, books: &Books, durable: u64) -> Scan<Option<Copied>, AccountFilter> {
        let Some(past) = self.past(books) else { return Scan::Memory(None) };
        let take = |number, t: &Transfer| of_account(&self.0, t).then_some((number, t.timestamp));
        let step = match begin(books, durable, self.0, Path::Account(past.slot), take) {
            Scan::Memory(step) => step,
            Scan::Sealed(scan) => return Scan::Sealed(scan),
        };
        let stretch = |recent: &Recent| {
            let here = step.found.iter().map(|(number, _)| *number);
            let here = here.filter(|number| recent.first <= *number && *number < recent.end());
            let (first, last) = (here.clone().min()?, here.max()?);
            Some(Stretch::copy(books, recent, past.slot, (first, last)))
        };
        let stretches = books.recent().filter_map(stretch).collect();
        Scan::Memory(Some(Copied { step, past, stretches, sealed: books.sealed().clone() }))
    }
    fn finish(&self, copied: Option<Copied>) -> Result<Step<AccountBalance, AccountFilter>, Fault> {
        let Some(Copied { step, past, stretches, sealed }) = copied else { return Ok(Step::nothing()) };
        let mut after = HashMap::new();
        stretches.iter().try_for_each(|stretch| past.in_memory(&sealed, stretch, &mut after))?;
        let answer = |(number, at)| after.get(&number).map(|balances| Past::answer(*balances, at));
        Ok(Step { found: step.found.into_iter().filter_map(answer).collect(), rest: step.rest })
    }
    fn go_on(&self, scan: SealedScan<AccountFilter>) -> Result<Step<AccountBalance, AccountFilter>, Fault> {
        let Path::Account(slot) = scan.path else { return Ok(Step::nothing()) };
        // Only the id is needed here: balances begin with the mark.
        scan.run(&mut Past::new(slot, Account { id: self.0.account_id, ..Account::default() }))
    }
    fn with(&self, filter: AccountFilter) -> Self {
        AccountBalances(filter)
    }
}
