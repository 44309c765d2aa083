//! What the observer remembers: what it asked for, what it was told, and what it found. Pure: it reads no
//! clock and does no I/O, and it works balances out itself from the transfers that are there.
//!
//! After each kill everything of the window, that is since the last time it looked, is settled:
//! - what was acknowledged is there, with the timestamp that was told, or is not there if that was told;
//! - what was not acknowledged is there or not, but a linked chain only as a whole, and whatever of one
//!   request is there has timestamps in its order without gaps;
//! - what a read showed before the kill is still there;
//! - nothing is there that nobody asked for.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use ledger::{
    Account, AccountFlags, CreateAccountResult, CreateAccountStatus, CreateTransferResult,
    CreateTransferStatus, Transfer, TransferFlags as F,
};

/// A sentence about what contradicts what was told.
pub type Contradiction = String;

/// A request as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Events {
    /// Accounts to create.
    Accounts(Vec<Account>),
    /// Transfers to create.
    Transfers(Vec<Transfer>),
}

/// A request of the window.
#[derive(Debug, Clone)]
struct Sent {
    events: Events,
    told: Option<Told>,
    /// What a repeated request must be answered.
    expected: Option<Vec<Expected>>,
}

#[derive(Debug, Clone)]
enum Told {
    Accounts(Vec<CreateAccountResult>),
    Transfers(Vec<CreateTransferResult>),
}

/// What a settled event must be answered when its request is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// It is there since that timestamp.
    Exists(u64),
    /// It failed for a reason that may pass: its id is burnt.
    Burnt,
    /// It failed, or is there with another content, or a chain with it would be broken.
    NotCreated,
    /// Nobody was told and nothing is there: both may be.
    Anything,
}

/// A settled request that can be sent again.
#[derive(Debug, Clone)]
pub struct Settled {
    /// What was sent.
    pub events: Events,
    /// What to expect now.
    pub expected: Vec<Expected>,
    /// Whether it had been acknowledged.
    pub told: bool,
}

/// What settling found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests that were acknowledged.
    pub acknowledged: u64,
    /// Their events.
    pub acknowledged_events: u64,
    /// Requests nobody was told about.
    pub in_doubt: u64,
    /// Of these, requests of which something is there.
    pub found: u64,
    /// Requests sent again and answered as they must be.
    pub repeated: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.acknowledged += other.acknowledged;
        self.acknowledged_events += other.acknowledged_events;
        self.in_doubt += other.in_doubt;
        self.found += other.found;
        self.repeated += other.repeated;
    }
}

/// The observer's memory.
#[derive(Debug, Default)]
pub struct Model {
    window: BTreeMap<u64, Sent>,
    /// Transfers that a read has shown in the window, with their timestamps.
    seen: HashMap<u128, u64>,
    /// Every transfer that is there: its timestamp and a fingerprint of its content.
    transfers: HashMap<u128, (u64, u64)>,
    /// Pending transfers that nothing has posted or voided.
    open: HashMap<u128, Transfer>,
    /// Every account that is there, as created but with posted amounts.
    accounts: BTreeMap<u128, Account>,
    newest_transfer: u64,
    newest_account: u64,
}

/// A number that another content has with a probability of 2^-64.
fn fingerprint(t: &Transfer) -> u64 {
    let mut hasher = DefaultHasher::new();
    (t.id, t.debit_account_id, t.credit_account_id, t.amount, t.pending_id, t.user_data_128)
        .hash(&mut hasher);
    (t.user_data_64, t.user_data_32, t.timeout, t.ledger, t.code, t.flags.bits(), t.timestamp)
        .hash(&mut hasher);
    hasher.finish()
}

/// The chains of a request: from where to where, of any length.
fn chains(linked: impl Iterator<Item = bool>) -> Vec<std::ops::Range<usize>> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut end = 0;
    for is_linked in linked {
        end += 1;
        if !is_linked {
            out.push(start..end);
            start = end;
        }
    }
    if start < end {
        out.push(start..end); // open at the end: it fails, whole
    }
    out
}

fn transfer_chains(events: &[Transfer]) -> Vec<std::ops::Range<usize>> {
    chains(events.iter().map(|t| t.flags.contains(F::Linked)))
}

/// Whether `stored` is what asking for `sent` leaves. `pending` is what it posts or voids.
fn is_of(stored: &Transfer, sent: &Transfer, pending: Option<&Transfer>) -> bool {
    let mut expected = Transfer { timestamp: stored.timestamp, ..*sent };
    if let Some(p) = pending {
        let or = |given: u128, inherited: u128| if given == 0 { inherited } else { given };
        expected.debit_account_id = or(sent.debit_account_id, p.debit_account_id);
        expected.credit_account_id = or(sent.credit_account_id, p.credit_account_id);
        expected.user_data_128 = or(sent.user_data_128, p.user_data_128);
        (expected.ledger, expected.code) = (p.ledger, p.code);
        if expected.user_data_64 == 0 {
            expected.user_data_64 = p.user_data_64;
        }
        if expected.user_data_32 == 0 {
            expected.user_data_32 = p.user_data_32;
        }
        let whole = sent.flags.contains(F::VoidPendingTransfer) || sent.amount == u128::MAX;
        expected.amount = if whole { p.amount } else { sent.amount };
    } else if sent.flags.intersects(F::BalancingDebit | F::BalancingCredit) {
        expected.amount = stored.amount;
        return stored.amount <= sent.amount && expected == *stored;
    }
    expected == *stored
}

impl Model {
    /// A request is on its way.
    pub fn sent(&mut self, number: u64, events: Events) {
        self.window.insert(number, Sent { events, told: None, expected: None });
    }

    /// A settled request is on its way again.
    pub fn sent_again(&mut self, number: u64, again: Settled) {
        self.window.insert(number, Sent { events: again.events, told: None, expected: Some(again.expected) });
    }

    /// Its answer came.
    pub fn told_accounts(
        &mut self,
        number: u64,
        results: Vec<CreateAccountResult>,
    ) -> Result<(), Contradiction> {
        let sent = self.window.get_mut(&number).ok_or("an answer to nothing")?;
        let Events::Accounts(events) = &sent.events else { return Err("an answer of another kind".into()) };
        if events.len() != results.len() {
            return Err(format!("{} accounts have {} answers", events.len(), results.len()));
        }
        for (at, expected) in sent.expected.iter().flatten().enumerate() {
            let (r, id) = (results[at], events[at].id);
            let right = match expected {
                // Closed meanwhile, it has a flag more than what is asked for.
                Expected::Exists(_) if r.status == CreateAccountStatus::ExistsWithDifferentFlags => true,
                Expected::Exists(timestamp) => {
                    r.status == CreateAccountStatus::Exists && r.timestamp == *timestamp
                }
                Expected::NotCreated | Expected::Burnt => r.status != CreateAccountStatus::Created,
                Expected::Anything => true,
            };
            if !right {
                return Err(format!("account {id:032x}, asked for again: {r:?}, not {expected:?}"));
            }
        }
        sent.told = Some(Told::Accounts(results));
        Ok(())
    }

    /// Its answer came.
    pub fn told_transfers(
        &mut self,
        number: u64,
        results: Vec<CreateTransferResult>,
    ) -> Result<(), Contradiction> {
        let sent = self.window.get_mut(&number).ok_or("an answer to nothing")?;
        let Events::Transfers(events) = &sent.events else { return Err("an answer of another kind".into()) };
        if events.len() != results.len() {
            return Err(format!("{} transfers have {} answers", events.len(), results.len()));
        }
        for (at, expected) in sent.expected.iter().flatten().enumerate() {
            let (r, id) = (results[at], events[at].id);
            let right = match expected {
                Expected::Exists(timestamp) => {
                    r.status == CreateTransferStatus::Exists && r.timestamp == *timestamp
                }
                Expected::Burnt => r.status == CreateTransferStatus::IdAlreadyFailed,
                Expected::NotCreated => r.status != CreateTransferStatus::Created,
                Expected::Anything => true,
            };
            if !right {
                return Err(format!("transfer {id:032x}, asked for again: {r:?}, not {expected:?}"));
            }
        }
        sent.told = Some(Told::Transfers(results));
        Ok(())
    }

    /// A read beside the writes has shown these.
    pub fn shown(&mut self, transfers: &[Transfer]) {
        self.seen.extend(transfers.iter().map(|t| (t.id, t.timestamp)));
    }

    /// After which timestamp transfers are news.
    pub fn newest_transfer(&self) -> u64 {
        self.newest_transfer
    }

    /// After which timestamp accounts are news.
    pub fn newest_account(&self) -> u64 {
        self.newest_account
    }

    /// The accounts that are there.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// How many transfers are there.
    pub fn transfers(&self) -> usize {
        self.transfers.len()
    }

    /// When the last of the open pending transfers expires, if any can.
    pub fn last_expiry(&self) -> Option<u64> {
        self.open.values().filter_map(Transfer::expires_at).max()
    }

    /// Settles the window. `accounts` and `transfers` are all that are there and were not before, in the
    /// order of their timestamps.
    pub fn settle(
        &mut self,
        accounts: &[Account],
        transfers: &[Transfer],
    ) -> Result<(Tally, Vec<Settled>), Contradiction> {
        let window = std::mem::take(&mut self.window);
        let mut asked_accounts: HashMap<u128, Vec<Account>> = HashMap::new();
        let mut asked: HashMap<u128, Vec<Transfer>> = HashMap::new();
        for sent in window.values() {
            match &sent.events {
                Events::Accounts(list) => {
                    for a in list {
                        asked_accounts.entry(a.id).or_default().push(*a);
                    }
                }
                Events::Transfers(list) => {
                    for t in list {
                        asked.entry(t.id).or_default().push(*t);
                    }
                }
            }
        }
        for a in accounts {
            self.take_account(a, asked_accounts.get(&a.id).map_or(&[], Vec::as_slice))?;
        }
        let mut fresh = HashMap::new();
        for t in transfers {
            self.take_transfer(t, asked.get(&t.id).map_or(&[], Vec::as_slice))?;
            fresh.insert(t.id, *t);
        }
        for (id, timestamp) in self.seen.drain() {
            if self.transfers.get(&id).map(|(t, _)| *t) != Some(timestamp) {
                return Err(format!("transfer {id:032x} was shown at {timestamp}, and is gone"));
            }
        }
        let mut tally = Tally::default();
        let mut settled = Vec::new();
        for sent in window.into_values() {
            let told = sent.told.is_some();
            let unique = |id| asked.get(&id).is_none_or(|list| list.len() == 1);
            let (expected, found) = match (&sent.events, &sent.told) {
                (Events::Accounts(events), Some(Told::Accounts(results))) => {
                    (self.told_accounts_hold(events, results)?, true)
                }
                (Events::Accounts(events), _) => self.accounts_in_doubt(events)?,
                (Events::Transfers(events), Some(Told::Transfers(results))) => {
                    (self.told_transfers_hold(events, results, &fresh, unique)?, true)
                }
                (Events::Transfers(events), _) => self.transfers_in_doubt(events, &fresh, unique)?,
            };
            let events = match &sent.events {
                Events::Accounts(list) => list.len(),
                Events::Transfers(list) => list.len(),
            };
            tally.acknowledged += u64::from(told);
            tally.acknowledged_events += if told { events as u64 } else { 0 };
            tally.in_doubt += u64::from(!told);
            tally.found += u64::from(!told && found);
            tally.repeated += u64::from(told && sent.expected.is_some());
            // What was certain before stays so.
            let before = sent.expected.into_iter().flatten().chain(std::iter::repeat(Expected::Anything));
            let certain = |(now, before)| if now == Expected::Anything { before } else { now };
            let expected = expected.into_iter().zip(before).map(certain).collect();
            settled.push(Settled { events: sent.events, expected, told });
        }
        Ok((tally, settled))
    }

    fn take_account(&mut self, a: &Account, asked: &[Account]) -> Result<(), Contradiction> {
        let plain = created(a);
        if a.timestamp <= self.newest_account || self.accounts.contains_key(&a.id) {
            return Err(format!("account {:032x} appears a second time, or out of order", a.id));
        }
        if !asked.iter().any(|sent| Account { timestamp: a.timestamp, ..*sent } == plain) {
            return Err(format!("account {:032x} is there, and nobody asked for it like that: {a:?}", a.id));
        }
        self.newest_account = a.timestamp;
        self.accounts.insert(a.id, plain);
        Ok(())
    }

    fn take_transfer(&mut self, t: &Transfer, asked: &[Transfer]) -> Result<(), Contradiction> {
        let id = t.id;
        if t.timestamp <= self.newest_transfer || self.transfers.contains_key(&id) {
            return Err(format!("transfer {id:032x} appears a second time, or out of order"));
        }
        let resolves = t.flags.intersects(F::PostPendingTransfer | F::VoidPendingTransfer);
        let pending = if resolves { self.open.remove(&t.pending_id) } else { None };
        if resolves && pending.is_none() {
            return Err(format!("transfer {id:032x} resolves {:032x}, which is not pending", t.pending_id));
        }
        if pending.and_then(|p| p.expires_at()).is_some_and(|at| at <= t.timestamp) {
            return Err(format!("transfer {id:032x} resolves {:032x}, which had expired", t.pending_id));
        }
        if !asked.iter().any(|sent| is_of(t, sent, pending.as_ref())) {
            return Err(format!("transfer {id:032x} is there, and nobody asked for it like that: {t:?}"));
        }
        if t.flags.contains(F::Pending) {
            self.open.insert(id, *t);
        } else if !t.flags.contains(F::VoidPendingTransfer) {
            for (account, is_debit) in [(t.debit_account_id, true), (t.credit_account_id, false)] {
                let a = self.accounts.get_mut(&account);
                let a = a.ok_or_else(|| {
                    format!("transfer {id:032x} is of account {account:032x}, which is not there")
                })?;
                let balance = if is_debit { &mut a.debits_posted } else { &mut a.credits_posted };
                *balance =
                    balance.checked_add(t.amount).ok_or_else(|| format!("transfer {id:032x} overflows"))?;
            }
        }
        self.newest_transfer = t.timestamp;
        self.transfers.insert(id, (t.timestamp, fingerprint(t)));
        Ok(())
    }

    fn told_accounts_hold(
        &self,
        events: &[Account],
        results: &[CreateAccountResult],
    ) -> Result<Vec<Expected>, Contradiction> {
        let mut expected = Vec::with_capacity(events.len());
        let in_chain = chained(chains(events.iter().map(|a| a.flags.contains(AccountFlags::Linked))));
        for (at, (a, r)) in events.iter().zip(results).enumerate() {
            let there = self.accounts.get(&a.id).map(|a| a.timestamp);
            let in_ledger = r.status.is_in_ledger();
            if in_ledger && there != Some(r.timestamp) || !in_ledger && there == Some(r.timestamp) {
                return Err(format!("account {:032x} was told {r:?}; found at {there:?}", a.id));
            }
            expected.push(match there {
                Some(timestamp) if in_ledger && !in_chain[at] => Expected::Exists(timestamp),
                _ => Expected::NotCreated,
            });
        }
        Ok(expected)
    }

    fn accounts_in_doubt(&self, events: &[Account]) -> Result<(Vec<Expected>, bool), Contradiction> {
        let mut expected = vec![Expected::Anything; events.len()];
        let mut found = false;
        for chain in chains(events.iter().map(|a| a.flags.contains(AccountFlags::Linked))) {
            let there = chain.clone().filter(|at| self.accounts.contains_key(&events[*at].id)).count();
            if there != 0 && there != chain.len() {
                let id = events[chain.start].id;
                return Err(format!(
                    "of the chain from account {id:032x} {there} of {} are there",
                    chain.len()
                ));
            }
            found |= there > 0;
            for at in chain.clone() {
                if let Some(a) = self.accounts.get(&events[at].id) {
                    expected[at] = if chain.len() == 1
                        && (Account { timestamp: a.timestamp, ..events[at] }) == created(a)
                    {
                        Expected::Exists(a.timestamp)
                    } else {
                        Expected::NotCreated
                    };
                }
            }
        }
        Ok((expected, found))
    }

    fn told_transfers_hold(
        &self,
        events: &[Transfer],
        results: &[CreateTransferResult],
        fresh: &HashMap<u128, Transfer>,
        unique: impl Fn(u128) -> bool,
    ) -> Result<Vec<Expected>, Contradiction> {
        let mut expected = vec![Expected::NotCreated; events.len()];
        let first = results.iter().enumerate().find(|(_, r)| r.status == CreateTransferStatus::Created);
        let base = first.map(|(at, r)| r.timestamp.saturating_sub(at as u64));
        for chain in transfer_chains(events) {
            let made = |at: &usize| results[*at].status == CreateTransferStatus::Created;
            let created = chain.clone().filter(made).count();
            if created != 0 && created != chain.len() {
                let id = events[chain.start].id;
                return Err(format!(
                    "of the chain from transfer {id:032x} {created} of {} were told",
                    chain.len()
                ));
            }
            for at in chain.clone() {
                let (t, r) = (&events[at], results[at]);
                let there = self.transfers.get(&t.id).map(|(timestamp, _)| *timestamp);
                let in_ledger = r.status.is_in_ledger();
                let lost = in_ledger && there != Some(r.timestamp);
                // One that failed may be there by another request with the same id, but not by this one.
                let risen =
                    !in_ledger && (there == Some(r.timestamp) || unique(t.id) && fresh.contains_key(&t.id));
                if lost || risen {
                    return Err(format!("transfer {:032x} was told {r:?}; found at {there:?}", t.id));
                }
                if r.status == CreateTransferStatus::Created
                    && base != Some(r.timestamp.saturating_sub(at as u64))
                {
                    return Err(format!("transfer {:032x} has not the timestamp of its place: {r:?}", t.id));
                }
                expected[at] = match there {
                    Some(timestamp) if in_ledger && chain.len() == 1 => Expected::Exists(timestamp),
                    None if burnt(r.status) && chain.len() == 1 => Expected::Burnt,
                    _ => Expected::NotCreated,
                };
            }
        }
        Ok(expected)
    }

    fn transfers_in_doubt(
        &self,
        events: &[Transfer],
        fresh: &HashMap<u128, Transfer>,
        unique: impl Fn(u128) -> bool,
    ) -> Result<(Vec<Expected>, bool), Contradiction> {
        let here = |at: usize| fresh.get(&events[at].id).filter(|t| unique(t.id));
        let found = (0..events.len()).find_map(|at| here(at).map(|t| t.timestamp.saturating_sub(at as u64)));
        let mut expected = vec![Expected::Anything; events.len()];
        for chain in transfer_chains(events) {
            let there = chain.clone().filter(|at| self.transfers.contains_key(&events[*at].id)).count();
            if there != 0 && there != chain.len() {
                let id = events[chain.start].id;
                return Err(format!(
                    "of the chain from transfer {id:032x} {there} of {} are there",
                    chain.len()
                ));
            }
            for at in chain.clone() {
                let stored = here(at);
                if stored.is_some_and(|t| Some(t.timestamp.saturating_sub(at as u64)) != found) {
                    return Err(format!(
                        "transfer {:032x} has not the timestamp of its place",
                        events[at].id
                    ));
                }
                expected[at] = match stored {
                    Some(t) if chain.len() == 1 => Expected::Exists(t.timestamp),
                    Some(_) => Expected::NotCreated,
                    // The request was decided, so this one had failed; a later one must not make it true.
                    None if found.is_some() && unique(events[at].id) => Expected::NotCreated,
                    None => Expected::Anything,
                };
            }
        }
        Ok((expected, found.is_some()))
    }

    /// Holds all accounts with their balances against the model, at a moment when all that expires up to
    /// `now` (nanoseconds since the Unix epoch) has. Tells the first difference.
    pub fn compare(&self, theirs: &[Account], now: u64) -> Result<(), Contradiction> {
        let mut ours = self.accounts.clone();
        for p in self.open.values() {
            if p.expires_at().is_some_and(|at| at <= now) {
                continue;
            }
            for (account, is_debit) in [(p.debit_account_id, true), (p.credit_account_id, false)] {
                let a =
                    ours.get_mut(&account).ok_or_else(|| format!("account {account:032x} is not there"))?;
                let (balance, closing) = if is_debit {
                    (&mut a.debits_pending, F::ClosingDebit)
                } else {
                    (&mut a.credits_pending, F::ClosingCredit)
                };
                *balance = balance.checked_add(p.amount).ok_or("pending amounts overflow")?;
                if p.flags.contains(closing) {
                    a.flags |= AccountFlags::Closed;
                }
            }
        }
        if theirs.len() != ours.len() {
            return Err(format!("{} accounts are there, {} were", theirs.len(), ours.len()));
        }
        for a in theirs {
            let expected = ours.get(&a.id);
            if expected != Some(a) {
                return Err(format!("account {:032x} is {a:?}, by what is there {expected:?}", a.id));
            }
        }
        Ok(())
    }

    /// Holds a part of the whole feed against the model; answers how many it had.
    pub fn recognise(&self, transfers: &[Transfer]) -> Result<usize, Contradiction> {
        for t in transfers {
            if self.transfers.get(&t.id) != Some(&(t.timestamp, fingerprint(t))) {
                return Err(format!("transfer {:032x} is not what it was: {t:?}", t.id));
            }
        }
        Ok(transfers.len())
    }
}

/// An account without what transfers have changed.
fn created(a: &Account) -> Account {
    Account {
        debits_pending: 0,
        debits_posted: 0,
        credits_pending: 0,
        credits_posted: 0,
        flags: a.flags.without(AccountFlags::Closed),
        ..*a
    }
}

/// Whether no later attempt with this id can succeed.
fn burnt(status: CreateTransferStatus) -> bool {
    status.is_transient() || status == CreateTransferStatus::IdAlreadyFailed
}

/// For each event whether it shares a chain.
fn chained(chains: Vec<std::ops::Range<usize>>) -> Vec<bool> {
    chains.into_iter().flat_map(|chain| std::iter::repeat_n(chain.len() > 1, chain.len())).collect()
}
