//! Balances of the past: worked out from the marked balance before.
//!
//! An account with [`AccountFlags::History`] has its balances marked now and then ([`crate::recent::Mark`]); what they were
//! after one of its transfers is a few events away from the mark before it.

use crate::accounts::Slot;
use crate::books::Books;
use crate::fault::Fault;
use crate::index::{EventRow, Index, Position, event_key};
use crate::posting::{self, Contradiction, Side};
use crate::query::{Path, Question, Scan, SealedScan, Step, Want, begin, of_account};
use crate::recent::{Balances, MARK_EVERY};
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

    fn in_memory(&self, books: &Books, number: u64) -> Result<Option<Balances>, Fault> {
        let Some(recent) = books.recent().find(|r| r.first <= number && number < r.end()) else {
            return Ok(None);
        };
        let upto = recent.marks().partition_point(|m| m.record <= number);
        let mark = recent.marks()[..upto].iter().rfind(|m| m.slot == self.slot);
        let mark = mark.ok_or(Contradiction("an account's first event in a segment has no mark"))?;
        // The account's events from the mark to the number, found backwards.
        let back = std::iter::successors(Some(number), |n| recent.before(*n, self.slot));
        let mut numbers: Vec<u64> = back.take_while(|n| *n >= mark.record).collect();
        numbers.reverse();
        let mut balances = mark.balances;
        for n in numbers {
            balances = match recent.get(n).map(|item| item.record) {
                Some(posting::Record::Transfer(t)) => self.transfer(balances, &t, |id| books.lookup(id))?,
                Some(posting::Record::Expired { pending_id, .. }) => {
                    self.expiry(balances, books.lookup(pending_id)?)?
                }
                _ => balances,
            };
        }
        Ok(Some(balances))
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
    fn in_memory(&self, books: &Books, number: u64, t: &Transfer) -> Result<Option<AccountBalance>, Fault> {
        let balances = Past::in_memory(self, books, number)?;
        Ok(balances.map(|balances| Past::answer(balances, t.timestamp)))
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
    fn begin(&self, books: &Books, durable: u64) -> Result<Scan<AccountBalance, AccountFilter>, Fault> {
        match self.past(books) {
            None => Ok(Scan::Done(Step::nothing())),
            Some(past) => begin(books, durable, self.0, Path::Account(past.slot), &past),
        }
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
