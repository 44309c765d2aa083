//! Works the books of any engine out again from what it shows: every balance from the transfers alone, held
//! against the balances that the engine keeps. Changes nothing. What a journal could tell besides (burnt ids, the hash
//! chain) is not to be seen through an engine's door; [`crate::audit`] looks there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use kernel::Clock;
use sha2::{Digest, Sha256};

use crate::audit::Totals;
use crate::engine::{Engine, EngineError};
use crate::types::{Account, AccountFlags, QueryFilter, QueryFilterFlags, Transfer, TransferFlags};

/// How far the engine's clock may be from ours, and how long a release may take after it is due.
const SLACK: Duration = Duration::from_secs(2);
/// How often the count begins again because something expired while it ran.
const TRIES: u32 = 10;

/// debits pending, debits posted, credits pending, credits posted; minor units
pub type Balance = [u128; 4];

/// What was counted.
#[derive(Debug, Clone, Default)]
pub struct Recount {
    /// Every account as the engine shows it, by id.
    pub accounts: BTreeMap<u128, Account>,
    /// Transfers of every kind.
    pub transfers: u64,
    /// Pending transfers that are neither posted, voided nor expired.
    pub open: u64,
    /// Timestamp of the newest transfer; zero for none.
    pub newest: u64,
    /// Totals of each ledger.
    pub ledgers: BTreeMap<u32, Totals>,
    /// Balances without what open pending transfers with a timeout reserve: what does not change by itself.
    pub(crate) settled: HashMap<u128, Balance>,
}

/// Why the books do not hold, or could not be counted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecountError {
    /// The engine did not answer.
    Engine(EngineError),
    /// Somebody writes to the ledger; the books can only be counted while they rest.
    Moving,
    /// The engine contradicts itself: which account or transfer, and how.
    Wrong(u128, &'static str),
}

impl fmt::Display for RecountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecountError::Engine(e) => e.fmt(f),
            RecountError::Moving => {
                f.write_str("the ledger is being written to; its books can be counted while nobody writes")
            }
            RecountError::Wrong(id, how) => write!(f, "{id:032x}: {how}"),
        }
    }
}

impl std::error::Error for RecountError {}

impl From<EngineError> for RecountError {
    fn from(e: EngineError) -> Self {
        RecountError::Engine(e)
    }
}

/// Counts everything. Nobody else may write meanwhile; what expires by itself is allowed for. `clock` tells what has
/// expired and is that of the engine. Keeps every account and open pending transfer in memory.
pub async fn recount(engine: &dyn Engine, clock: &dyn Clock) -> Result<Recount, RecountError> {
    for _ in 0..TRIES {
        if let Some(found) = count(engine, clock).await? {
            return Ok(found);
        }
        tokio::time::sleep(SLACK / 2).await;
    }
    Err(RecountError::Moving)
}

pub(crate) fn now(clock: &dyn Clock) -> u64 {
    u64::try_from(clock.now().as_nanos()).unwrap_or(0)
}

/// The next accounts after a timestamp.
pub(crate) async fn accounts_after(engine: &dyn Engine, after: u64) -> Result<Vec<Account>, EngineError> {
    let filter = QueryFilter { timestamp_min: after + 1, limit: PAGE, ..QueryFilter::default() };
    engine.query_accounts(filter).await
}

/// The newest account's timestamp, zero for none.
pub(crate) async fn newest_account(engine: &dyn Engine) -> Result<u64, EngineError> {
    let filter = QueryFilter { limit: 1, flags: QueryFilterFlags::Reversed, ..QueryFilter::default() };
    Ok(engine.query_accounts(filter).await?.first().map_or(0, |a| a.timestamp))
}

/// The newest transfer.
pub(crate) async fn newest(engine: &dyn Engine) -> Result<Option<Transfer>, EngineError> {
    let filter = QueryFilter { limit: 1, flags: QueryFilterFlags::Reversed, ..QueryFilter::default() };
    Ok(engine.query_transfers(filter).await?.first().copied())
}

/// The newest transfer's timestamp, zero for none.
pub(crate) async fn newest_transfer(engine: &dyn Engine) -> Result<u64, EngineError> {
    Ok(newest(engine).await?.map_or(0, |t| t.timestamp))
}

/// [`crate::BATCH_MAX`], for filters.
pub(crate) const PAGE: u32 = 8189;

/// `None` where something may have expired while it was counted.
async fn count(engine: &dyn Engine, clock: &dyn Clock) -> Result<Option<Recount>, RecountError> {
    use TransferFlags as F;
    let begun = now(clock);
    let before = (newest_account(engine).await?, newest_transfer(engine).await?);
    let mut sums: HashMap<u128, Balance> = HashMap::new();
    let mut open: HashMap<u128, Transfer> = HashMap::new();
    let mut found = Recount::default();
    loop {
        let page = engine.feed(found.newest, PAGE).await?;
        let Some(last) = page.last() else { break };
        found.newest = last.timestamp();
        for t in page.iter().map(|item| &item.transfer) {
            found.transfers += 1;
            if t.flags.intersects(F::PostPendingTransfer | F::VoidPendingTransfer) {
                let wrong = RecountError::Wrong(t.id, "resolves what is not open");
                let p = open.remove(&t.pending_id).ok_or(wrong)?;
                shift(&mut sums, &p, 0, |sum| sum.checked_sub(p.amount))?;
            }
            if t.flags.contains(F::Pending) {
                open.insert(t.id, *t);
                shift(&mut sums, t, 0, |sum| sum.checked_add(t.amount))?;
            } else if !t.flags.contains(F::VoidPendingTransfer) {
                shift(&mut sums, t, 1, |sum| sum.checked_add(t.amount))?;
            }
        }
    }
    let mut after = 0;
    loop {
        let page = accounts_after(engine, after).await?;
        let Some(last) = page.last() else { break };
        after = last.timestamp;
        found.accounts.extend(page.iter().map(|a| (a.id, *a)));
    }
    if before != (newest_account(engine).await?, newest_transfer(engine).await?) {
        return Err(RecountError::Moving);
    }
    let slack = u64::try_from(SLACK.as_nanos()).unwrap_or(u64::MAX);
    let (from, to) = (begun.saturating_sub(slack), now(clock).saturating_add(slack));
    // How many open transfers keep an account closed: one, or more where some are due and not yet taken away here.
    let mut closed: HashMap<u128, u64> = HashMap::new();
    open.values().flat_map(closes).for_each(|id| *closed.entry(id).or_default() += 1);
    let release = |sums: &mut HashMap<u128, Balance>, p: &Transfer, closed: &mut HashMap<u128, u64>| {
        closes(p).for_each(|id| *closed.entry(id).or_default() -= 1);
        shift(sums, p, 0, |sum| sum.checked_sub(p.amount))
    };
    let (mut due, mut timed) = (Vec::new(), Vec::new());
    for p in open.values() {
        match p.expires_at() {
            Some(at) if at < from => release(&mut sums, p, &mut closed)?,
            Some(at) if at <= to => due.push((at, p.timestamp, p)),
            Some(_) => timed.push(p),
            None => found.open += 1,
        }
    }
    // Engines release in order of expiry: somewhere in what may be due is the border that the balances show.
    due.sort_unstable_by_key(|(at, created, _)| (*at, *created));
    let touched: HashSet<u128> =
        due.iter().flat_map(|(_, _, p)| [p.debit_account_id, p.credit_account_id]).collect();
    let mut due = due.into_iter();
    while !touched.iter().all(|id| found.accounts.get(id).is_some_and(|a| holds(a, &sums, &closed).is_ok())) {
        let Some((_, _, p)) = due.next() else { return Ok(None) };
        release(&mut sums, p, &mut closed)?;
    }
    timed.extend(due.map(|(_, _, p)| p));
    found.open += timed.len() as u64;
    for (id, a) in &found.accounts {
        holds(a, &sums, &closed).map_err(|how| RecountError::Wrong(*id, how))?;
        found.ledgers.entry(a.ledger).or_default().add(a);
    }
    if let Some(id) = sums.keys().find(|id| !found.accounts.contains_key(id)) {
        return Err(RecountError::Wrong(*id, "transfers name an account that is not there"));
    }
    for p in timed {
        shift(&mut sums, p, 0, |sum| sum.checked_sub(p.amount))?;
    }
    found.settled = sums;
    Ok(Some(found))
}

/// The accounts that an open pending transfer keeps closed.
fn closes(p: &Transfer) -> impl Iterator<Item = u128> {
    let sides = [
        (TransferFlags::ClosingDebit, p.debit_account_id),
        (TransferFlags::ClosingCredit, p.credit_account_id),
    ];
    let flags = p.flags;
    sides.into_iter().filter(move |(flag, _)| flags.contains(*flag)).map(|(_, id)| id)
}

/// Whether an account shows what its transfers make it.
fn holds(
    a: &Account,
    sums: &HashMap<u128, Balance>,
    closed: &HashMap<u128, u64>,
) -> Result<(), &'static str> {
    let sum = sums.get(&a.id).copied();
    if sum.unwrap_or_default() != [a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted] {
        return Err("the balance is not what its transfers make it");
    }
    // An account without transfers may have been made closed.
    if sum.is_some() && a.flags.contains(AccountFlags::Closed) != closed.get(&a.id).is_some_and(|n| *n > 0) {
        return Err("closed or open against its transfers");
    }
    Ok(())
}

/// Changes the two balances that a transfer touches: the pending ones (`posted` 0) or the posted ones (1).
fn shift(
    sums: &mut HashMap<u128, Balance>,
    t: &Transfer,
    posted: usize,
    change: impl Fn(u128) -> Option<u128>,
) -> Result<(), RecountError> {
    for (id, at) in [(t.debit_account_id, posted), (t.credit_account_id, 2 + posted)] {
        let sum = &mut sums.entry(id).or_default()[at];
        *sum =
            change(*sum).ok_or(RecountError::Wrong(t.id, "takes a balance below zero or beyond 128 bits"))?;
    }
    Ok(())
}

impl Recount {
    /// A digest of every account and its balances, by id; the same for the same books. Flags and timestamps are left
    /// out, which moving a ledger may change.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for a in self.accounts.values() {
            for field in [a.id, a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted] {
                hash.update(field.to_le_bytes());
            }
        }
        hash.finalize().into()
    }
}
