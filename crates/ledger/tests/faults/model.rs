//! What the engine must show: the books kept in plain lists, with a copy of everything to undo a chain.
//!
//! Which status an event earns is asked of [`ledger::rules`], whose judgement other tests hold to account;
//! here the question is whether anything decided is lost, halved or invented. Everything else is worked out
//! anew: chains, timestamps, balances, expiry, answers to questions. No code of the engine's own books is used.

use std::collections::{BTreeMap, BTreeSet};

use ledger::rules::{self, Books, Known, PendingStatus, Refusal};
use ledger::{
    Account, AccountBalance, AccountFilter, AccountFilterFlags, AccountFlags as A, BATCH_MAX,
    CreateAccountResult, CreateAccountStatus, CreateTransferResult, CreateTransferStatus, FeedItem,
    QueryFilter, QueryFilterFlags, TIMESTAMP_MAX, Transfer, TransferFlags as F,
};

/// The books after some prefix of what was decided.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Model {
    pub accounts: Vec<Account>,
    pub transfers: Vec<Transfer>,
    /// How each pending transfer stands.
    fates: BTreeMap<u128, PendingStatus>,
    history: Vec<(u128, AccountBalance)>,
    pub burnt: BTreeSet<u128>,
    /// The newest timestamp given out.
    pub newest: u64,
    /// Records left so far.
    pub records: u64,
}

impl Books for Model {
    fn account(&self, id: u128) -> Option<Account> {
        self.accounts.iter().find(|a| a.id == id).copied()
    }
    fn transfer(&self, id: u128) -> Known {
        match self.transfers.iter().find(|t| t.id == id) {
            Some(t) => Known::Created(*t),
            None if self.burnt.contains(&id) => Known::Failed,
            None => Known::Unknown,
        }
    }
    fn pending_status(&self, id: u128) -> PendingStatus {
        self.fates[&id]
    }
    fn newest_account(&self) -> u64 {
        self.accounts.last().map_or(0, |a| a.timestamp)
    }
    fn newest_transfer(&self) -> u64 {
        self.transfers.last().map_or(0, |t| t.timestamp)
    }
    fn has_account_at(&self, timestamp: u64) -> bool {
        self.accounts.iter().any(|a| a.timestamp == timestamp)
    }
    fn has_transfer_at(&self, timestamp: u64) -> bool {
        self.transfers.iter().any(|t| t.timestamp == timestamp)
    }
}

/// What a batch needs to know of an event before its rules.
struct Head {
    id: u128,
    linked: bool,
    imported: bool,
    timestamp: u64,
}

/// The statuses of the batch itself, which exist for accounts and for transfers.
struct Entry<S> {
    created: S,
    failed: S,
    open: S,
    expected: S,
    not_expected: S,
    must_be_zero: S,
    out_of_range: S,
    must_not_advance: S,
}

macro_rules! entry {
    ($status:ident) => {
        Entry {
            created: $status::Created,
            failed: $status::LinkedEventFailed,
            open: $status::LinkedEventChainOpen,
            expected: $status::ImportedEventExpected,
            not_expected: $status::ImportedEventNotExpected,
            must_be_zero: $status::TimestampMustBeZero,
            out_of_range: $status::ImportedEventTimestampOutOfRange,
            must_not_advance: $status::ImportedEventTimestampMustNotAdvance,
        }
    };
}

impl Model {
    fn account_mut(&mut self, id: u128) -> &mut Account {
        self.accounts.iter_mut().find(|a| a.id == id).expect("the rules saw the account")
    }

    /// Whether something is due for release at this reading of the clock.
    pub fn has_due(&self, clock: u64) -> bool {
        let now = clock.clamp(self.newest, TIMESTAMP_MAX);
        let open = |t: &&Transfer| self.fates.get(&t.id) == Some(&PendingStatus::Pending);
        self.transfers.iter().filter(open).any(|t| t.expires_at().is_some_and(|at| at <= now))
    }

    /// Releases what is due at this reading of the clock.
    pub fn release_due(&mut self, clock: u64) {
        self.expire(clock.clamp(self.newest, TIMESTAMP_MAX));
    }

    /// Releases what is due at `now`, in the order of expiry; each takes a timestamp of its own.
    fn expire(&mut self, now: u64) {
        let open = self.transfers.iter().filter(|t| self.fates.get(&t.id) == Some(&PendingStatus::Pending));
        let mut due: Vec<(u64, Transfer)> = open.filter_map(|t| Some((t.expires_at()?, *t))).collect();
        due.retain(|(at, _)| *at <= now);
        due.sort_by_key(|(at, t)| (*at, t.timestamp));
        for (_, p) in due {
            self.newest = (self.newest + 1).max(now);
            self.records += 1;
            self.fates.insert(p.id, PendingStatus::Expired);
            self.release(&p);
            self.reopen(&p);
        }
    }

    /// What a broken engine would do.
    pub fn forget_newest_balance(&mut self) {
        self.history.pop();
    }

    fn release(&mut self, p: &Transfer) {
        self.account_mut(p.debit_account_id).debits_pending -= p.amount;
        self.account_mut(p.credit_account_id).credits_pending -= p.amount;
    }
    fn reopen(&mut self, p: &Transfer) {
        for (closes, id) in [(F::ClosingDebit, p.debit_account_id), (F::ClosingCredit, p.credit_account_id)] {
            if p.flags.contains(closes) {
                let a = self.account_mut(id);
                a.flags = a.flags.without(A::Closed);
            }
        }
    }

    /// A request takes one timestamp an event.
    fn begin(&mut self, clock: u64, events: usize) -> u64 {
        let now = clock.clamp(self.newest, TIMESTAMP_MAX);
        if events > 0 {
            self.newest = (self.newest + events as u64).max(now);
        }
        self.newest
    }

    /// A request to create accounts, at this reading of the clock.
    pub fn create_accounts(&mut self, events: &[Account], clock: u64) -> Vec<CreateAccountResult> {
        let last = self.begin(clock, events.len());
        let head = |a: &Account| Head {
            id: a.id,
            linked: a.flags.contains(A::Linked),
            imported: a.flags.contains(A::Imported),
            timestamp: a.timestamp,
        };
        let heads: Vec<Head> = events.iter().map(head).collect();
        let decide = |model: &mut Model, index: usize, at: u64| {
            let kept = rules::create_account(model, &events[index], at)?;
            model.accounts.push(kept);
            model.records += 1;
            Ok(kept.timestamp)
        };
        let results = self.run(&heads, last, &entry!(CreateAccountStatus), decide, |_| false);
        results.into_iter().map(|(status, timestamp)| CreateAccountResult { timestamp, status }).collect()
    }

    /// A request to create transfers, at this reading of the clock.
    pub fn create_transfers(&mut self, events: &[Transfer], clock: u64) -> Vec<CreateTransferResult> {
        let last = self.begin(clock, events.len());
        let head = |t: &Transfer| Head {
            id: t.id,
            linked: t.flags.contains(F::Linked),
            imported: t.flags.contains(F::Imported),
            timestamp: t.timestamp,
        };
        let heads: Vec<Head> = events.iter().map(head).collect();
        let decide = |model: &mut Model, index: usize, at: u64| {
            let kept = rules::create_transfer(model, &events[index], at)?;
            model.book(&kept);
            Ok(kept.timestamp)
        };
        let results =
            self.run(&heads, last, &entry!(CreateTransferStatus), decide, CreateTransferStatus::is_transient);
        results.into_iter().map(|(status, timestamp)| CreateTransferResult { timestamp, status }).collect()
    }

    fn book(&mut self, t: &Transfer) {
        let (debit, credit) = (t.debit_account_id, t.credit_account_id);
        let void = t.flags.contains(F::VoidPendingTransfer);
        if let Known::Created(p) = self.transfer(t.pending_id) {
            self.release(&p);
            if void {
                self.reopen(&p);
            }
            self.fates.insert(p.id, if void { PendingStatus::Voided } else { PendingStatus::Posted });
        }
        if t.flags.contains(F::Pending) {
            self.fates.insert(t.id, PendingStatus::Pending);
            self.account_mut(debit).debits_pending += t.amount;
            self.account_mut(credit).credits_pending += t.amount;
        } else if !void {
            self.account_mut(debit).debits_posted += t.amount;
            self.account_mut(credit).credits_posted += t.amount;
        }
        for (closes, id) in [(F::ClosingDebit, debit), (F::ClosingCredit, credit)] {
            if t.flags.contains(closes) {
                self.account_mut(id).flags |= A::Closed;
            }
        }
        for id in [debit, credit] {
            let a = *self.account_mut(id);
            if a.flags.contains(A::History) {
                let balance = AccountBalance {
                    debits_pending: a.debits_pending,
                    debits_posted: a.debits_posted,
                    credits_pending: a.credits_pending,
                    credits_posted: a.credits_posted,
                    timestamp: t.timestamp,
                };
                self.history.push((id, balance));
            }
        }
        self.transfers.push(*t);
        self.records += 1;
    }

    /// The events of a batch, chain by chain.
    fn run<S: Copy>(
        &mut self,
        heads: &[Head],
        last: u64,
        entry: &Entry<S>,
        mut decide: impl FnMut(&mut Model, usize, u64) -> Result<u64, Refusal<S>>,
        burns: impl Fn(S) -> bool,
    ) -> Vec<(S, u64)> {
        let mut results = Vec::new();
        let import = heads.first().is_some_and(|head| head.imported);
        let mut start = 0;
        while start < heads.len() {
            let linked = heads[start..].iter().take_while(|head| head.linked).count();
            let open = start + linked == heads.len();
            let end = if open { heads.len() } else { start + linked + 1 };
            let before = (linked > 0).then(|| self.clone());
            let mut burnt = None;
            let mut broken = false;
            for (index, head) in heads.iter().enumerate().take(end).skip(start) {
                let at = last + 1 + index as u64 - heads.len() as u64;
                let decided = match (import, head.imported) {
                    _ if open && index + 1 == end => Err(entry.open.into()),
                    _ if broken => Err(entry.failed.into()),
                    (true, false) => Err(entry.expected.into()),
                    (false, true) => Err(entry.not_expected.into()),
                    (false, false) if head.timestamp != 0 => Err(entry.must_be_zero.into()),
                    (true, true) if head.timestamp == 0 || head.timestamp > TIMESTAMP_MAX => {
                        Err(entry.out_of_range.into())
                    }
                    (true, true) if head.timestamp >= last => Err(entry.must_not_advance.into()),
                    _ => decide(self, index, at),
                };
                match decided {
                    Ok(at) => results.push((entry.created, at)),
                    Err(Refusal { status, existing }) => {
                        if !broken && linked > 0 {
                            for result in &mut results[start..] {
                                result.0 = entry.failed;
                            }
                        }
                        broken = true;
                        burnt = if burns(status) { Some(head.id) } else { burnt };
                        results.push((status, existing.unwrap_or(at)));
                    }
                }
            }
            if broken && let Some(before) = before {
                *self = before;
            }
            if let Some(id) = burnt {
                self.burnt.insert(id);
                self.records += 1;
            }
            start = end;
        }
        results
    }

    pub fn lookup_accounts(&self, ids: &[u128]) -> Vec<Account> {
        ids.iter().filter_map(|id| self.account(*id)).collect()
    }

    pub fn lookup_transfers(&self, ids: &[u128]) -> Vec<Transfer> {
        ids.iter().filter_map(|id| self.transfers.iter().find(|t| t.id == *id).copied()).collect()
    }

    pub fn get_account_transfers(&self, filter: AccountFilter) -> Vec<Transfer> {
        if self.account(filter.account_id).is_none() {
            return Vec::new();
        }
        let debits = filter.flags.contains(AccountFilterFlags::Debits);
        let credits = filter.flags.contains(AccountFilterFlags::Credits);
        let side = |t: &Transfer| {
            (debits && t.debit_account_id == filter.account_id)
                || (credits && t.credit_account_id == filter.account_id)
        };
        let reversed = filter.flags.contains(AccountFilterFlags::Reversed);
        let matches = |t: &Transfer| side(t) && filter.matches(t);
        select(&self.transfers, filter.range(), reversed, filter.limit, |t| t.timestamp, matches)
    }

    pub fn get_account_balances(&self, filter: AccountFilter) -> Vec<AccountBalance> {
        let balance = |t: &Transfer| {
            let of =
                |(id, b): &&(u128, AccountBalance)| *id == filter.account_id && b.timestamp == t.timestamp;
            self.history.iter().find(of).map(|(_, b)| *b)
        };
        self.get_account_transfers(filter).iter().filter_map(balance).collect()
    }

    pub fn query_accounts(&self, filter: QueryFilter) -> Vec<Account> {
        let reversed = filter.flags.contains(QueryFilterFlags::Reversed);
        let matches = |a: &Account| filter.matches_account(a);
        select(&self.accounts, filter.range(), reversed, filter.limit, |a| a.timestamp, matches)
    }

    pub fn query_transfers(&self, filter: QueryFilter) -> Vec<Transfer> {
        let reversed = filter.flags.contains(QueryFilterFlags::Reversed);
        let matches = |t: &Transfer| filter.matches_transfer(t);
        select(&self.transfers, filter.range(), reversed, filter.limit, |t| t.timestamp, matches)
    }

    pub fn feed(&self, after: u64, limit: u32) -> Vec<FeedItem> {
        let items = self.transfers.iter().filter(|t| t.timestamp > after);
        items.take((limit as usize).min(BATCH_MAX)).map(|t| FeedItem { transfer: *t }).collect()
    }
}

fn select<T: Copy>(
    all: &[T],
    range: Option<(u64, u64)>,
    reversed: bool,
    limit: u32,
    at: impl Fn(&T) -> u64,
    matches: impl Fn(&T) -> bool,
) -> Vec<T> {
    let Some((min, max)) = range else {
        return Vec::new();
    };
    let wanted = |x: &&T| at(x) >= min && at(x) <= max && matches(x);
    let limit = (limit as usize).min(BATCH_MAX);
    if reversed {
        all.iter().rev().filter(wanted).take(limit).copied().collect()
    } else {
        all.iter().filter(wanted).take(limit).copied().collect()
    }
}
