//! Moves a ledger from one engine to another: accounts, transfers and with them every balance, as imported events
//! that keep their ids and timestamps; then counts both and compares them item by item.
//!
//! Transfers are made again in their order, so that every limit holds again as it held then. What time did by itself
//! has to be done by hand, since an import cannot have a timeout:
//!
//! | the pending transfer | at the new engine |
//! |---|---|
//! | was posted or voided | the same two transfers; the timeout is forgotten |
//! | never expires | the same, open; one that closes an account comes after those made last, if it did |
//! | had expired before the last transfer | the same, and a void just when it expired, with an id made from its own |
//! | is open and will expire, or expired after the last transfer | made last, as a new transfer with the same id that has the rest of its time, at least a second; already late: made and voided |
//!
//! Nobody may write to either side meanwhile. It can be stopped anywhere and begun again: it goes on after the newest
//! transfer that has arrived. What an engine's door does not show is not moved: see [`Burnt`].

mod verify;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::path::Path;

use kernel::Clock;
use sha2::{Digest, Sha256};

use crate::engine::{Engine, EngineError};
use crate::journal::{self, JournalError};
use crate::posting::Record;
use crate::recount::{self, PAGE, Recount, RecountError, accounts_after, newest_account, newest_transfer};
use crate::status::{CreateAccountStatus, CreateTransferStatus};
use crate::types::{
    Account, AccountFilter, AccountFilterFlags, AccountFlags, BATCH_MAX, FeedItem, QueryFilter, Transfer,
    TransferFlags,
};

/// The ids that the old ledger refuses for ever, because a transfer with them failed for a transient reason. A caller
/// that asks again for such a failed attempt must not succeed at the new one, after a later attempt succeeded at the
/// old. No engine shows them; a journal does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Burnt {
    /// All of them, to be burnt at the new ledger too.
    Ids(Vec<u128>),
    /// They cannot be known. Whoever may still ask again for an attempt that failed must be kept from it.
    Forgotten,
}

impl Burnt {
    /// Those of an embedded ledger to which nobody writes.
    pub fn of_journal(dir: &Path) -> Result<Burnt, JournalError> {
        let mut ids = Vec::new();
        journal::walk(dir, |frame| {
            ids.extend(frame.records()?.into_iter().filter_map(|r| match r {
                Record::Failed(id) => Some(id),
                _ => None,
            }));
            Ok(())
        })?;
        Ok(Burnt::Ids(ids))
    }
}

/// What was moved, in this run and those before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// Accounts at both ledgers.
    pub accounts: u64,
    /// Transfers of the old ledger, all of them at the new one.
    pub transfers: u64,
    /// Pending transfers that had expired, with a void at the new ledger.
    pub voided: u64,
    /// Pending transfers with time left, made anew with the rest of it.
    pub carried: u64,
    /// Ids burnt at the new ledger too.
    pub burnt: u64,
    /// Digest of the balances of both ledgers, if they rest; see [`Recount::digest`].
    pub digest: [u8; 32],
}

/// Why a ledger was not moved, or not wholly.
#[derive(Debug)]
#[non_exhaustive]
pub enum MigrateError {
    /// The old ledger did not answer.
    From(EngineError),
    /// The new ledger did not answer. Begin again when it does.
    To(EngineError),
    /// The new ledger refused an account: its id and why.
    Account(u128, CreateAccountStatus),
    /// The new ledger refused a transfer: its id and why. `ImportedEventTimestampMustNotRegress` means that something
    /// else was written to it, or that the old one was written to after this began.
    Transfer(u128, CreateTransferStatus),
    /// The books of the old ledger do not hold.
    FromBooks(RecountError),
    /// The books of the new ledger do not hold.
    ToBooks(RecountError),
    /// The two differ: which account or transfer, and in what.
    Differ(u128, &'static str),
}

impl fmt::Display for MigrateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MigrateError::From(e) => write!(f, "the old ledger: {e}"),
            MigrateError::To(e) => write!(f, "the new ledger: {e}; begin again, it goes on where it stopped"),
            MigrateError::Account(id, status) => {
                write!(f, "the new ledger refused account {id:032x}: {status}")
            }
            MigrateError::Transfer(id, status) => {
                write!(f, "the new ledger refused transfer {id:032x}: {status}")
            }
            MigrateError::FromBooks(e) => write!(f, "the books of the old ledger: {e}"),
            MigrateError::ToBooks(e) => write!(f, "the books of the new ledger: {e}"),
            MigrateError::Differ(id, how) => write!(f, "{id:032x}: {how}"),
        }
    }
}

impl std::error::Error for MigrateError {}

/// How much is asked for at once.
#[derive(Debug, Clone, Copy)]
pub struct MigrateOptions {
    /// Events in a request, at most [`BATCH_MAX`]; fewer for a cluster that takes smaller messages.
    pub batch: usize,
}

impl Default for MigrateOptions {
    fn default() -> Self {
        MigrateOptions { batch: BATCH_MAX }
    }
}

/// Moves everything, then verifies both sides. `progress` hears how many accounts and transfers have arrived. `clock`
/// is that of both engines. Keeps every account in memory while it verifies.
pub async fn migrate(
    from: &dyn Engine,
    to: &dyn Engine,
    burnt: &Burnt,
    clock: &dyn Clock,
    options: MigrateOptions,
    mut progress: impl FnMut(u64, u64),
) -> Result<Moved, MigrateError> {
    let mut run = Run { from, to, clock, batch: options.batch.clamp(1, BATCH_MAX), moved: Moved::default() };
    run.accounts(&mut progress).await?;
    let end = newest_transfer(from).await.map_err(MigrateError::From)?;
    let waiting = run.unresolved(end).await?;
    run.transfers(&waiting, &mut progress).await?;
    run.burn(burnt).await?;
    run.carry(&waiting.carried).await?;
    if newest_transfer(from).await.map_err(MigrateError::From)? != end {
        return Err(MigrateError::FromBooks(RecountError::Moving));
    }
    verify::verify(from, to, clock, &waiting, run.moved).await
}

/// Pending transfers of the old ledger that time resolved, or will.
struct Waiting {
    /// Expired before the last transfer: id and expiry, in order of expiry.
    expired: Vec<(u64, u128)>,
    /// Those that are made last, in order.
    carried: Vec<Transfer>,
    carried_ids: HashSet<u128>,
}

/// The id of the void that stands for an expiry.
pub fn expiry_void_id(pending_id: u128) -> u128 {
    derived(b"yima ledger migrate: expiry", pending_id)
}

fn derived(what: &[u8], id: u128) -> u128 {
    let hash = Sha256::new().chain_update(what).chain_update(id.to_le_bytes()).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    u128::from_le_bytes(bytes)
}

/// The account as it is imported: without balances, and closed only if it was made so.
fn account_to_import(a: &Account, made_closed: bool) -> Account {
    let closed = if made_closed { AccountFlags::Closed } else { AccountFlags::empty() };
    Account {
        debits_pending: 0,
        debits_posted: 0,
        credits_pending: 0,
        credits_posted: 0,
        flags: a.flags.without(AccountFlags::Linked | AccountFlags::Closed) | closed | AccountFlags::Imported,
        ..*a
    }
}

/// The transfer as it is imported. A chain is not linked again: each of its events is known to have succeeded.
fn transfer_to_import(t: &Transfer) -> Transfer {
    Transfer { flags: t.flags.without(TransferFlags::Linked) | TransferFlags::Imported, timeout: 0, ..*t }
}

fn void_of(p: u128) -> Transfer {
    let flags = TransferFlags::VoidPendingTransfer;
    Transfer { id: expiry_void_id(p), pending_id: p, flags, ..Transfer::default() }
}

struct Run<'a> {
    from: &'a dyn Engine,
    to: &'a dyn Engine,
    clock: &'a dyn Clock,
    batch: usize,
    moved: Moved,
}

impl Run<'_> {
    async fn accounts(&mut self, progress: &mut impl FnMut(u64, u64)) -> Result<(), MigrateError> {
        let mut after = newest_account(self.to).await.map_err(MigrateError::To)?;
        loop {
            let page = accounts_after(self.from, after).await.map_err(MigrateError::From)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.timestamp;
            for some in page.chunks(self.batch) {
                let mut events = Vec::with_capacity(some.len());
                for a in some {
                    let closed = a.flags.contains(AccountFlags::Closed);
                    events.push(account_to_import(a, closed && self.has_no_transfers(a.id).await?));
                }
                let results = self.to.create_accounts(events).await.map_err(MigrateError::To)?;
                for (a, result) in some.iter().zip(results) {
                    if !result.status.is_in_ledger() {
                        return Err(MigrateError::Account(a.id, result.status));
                    }
                    self.moved.accounts += 1;
                }
                progress(self.moved.accounts, 0);
            }
        }
    }

    async fn has_no_transfers(&self, account_id: u128) -> Result<bool, MigrateError> {
        let flags = AccountFilterFlags::Debits | AccountFilterFlags::Credits;
        let any = AccountFilter { account_id, limit: 1, flags, ..AccountFilter::default() };
        Ok(self.from.get_account_transfers(any).await.map_err(MigrateError::From)?.is_empty())
    }

    /// Reads the old ledger once for the pending transfers with a timeout that nothing resolved.
    async fn unresolved(&self, end: u64) -> Result<Waiting, MigrateError> {
        let closing = TransferFlags::ClosingDebit | TransferFlags::ClosingCredit;
        let mut open: HashMap<u128, Transfer> = HashMap::new();
        let mut after = 0;
        loop {
            let page = self.from.feed(after, PAGE).await.map_err(MigrateError::From)?;
            let Some(last) = page.last() else { break };
            after = last.timestamp();
            for t in page.iter().map(|item| item.transfer) {
                if t.expires_at().is_some() || t.flags.intersects(closing) {
                    open.insert(t.id, t);
                } else if t.pending_id != 0 {
                    open.remove(&t.pending_id);
                }
            }
        }
        // Expiry by the old ledger's own last moment, not by ours: the answer stays the same however often this is
        // begun again.
        let mut waiting = Waiting { expired: vec![], carried: vec![], carried_ids: HashSet::new() };
        let mut closings = Vec::new();
        for p in open.into_values() {
            match p.expires_at() {
                Some(at) if at <= end => waiting.expired.push((at, p.id)),
                Some(_) => waiting.carried.push(p),
                None => closings.push(p),
            }
        }
        // What closes an account for good must not come before what was reserved on it earlier.
        let first = waiting.carried.iter().map(|p| p.timestamp).min().unwrap_or(u64::MAX);
        waiting.carried.extend(closings.into_iter().filter(|p| p.timestamp > first));
        waiting.expired.sort_unstable();
        waiting.carried.sort_unstable_by_key(|p| p.timestamp);
        waiting.carried_ids = waiting.carried.iter().map(|p| p.id).collect();
        Ok(waiting)
    }

    async fn transfers(
        &mut self,
        waiting: &Waiting,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<(), MigrateError> {
        let newest = recount::newest(self.to).await.map_err(MigrateError::To)?;
        let mut last = newest.map_or(0, |t| t.timestamp);
        if newest.is_some_and(|t| !t.flags.contains(TransferFlags::Imported)) {
            // What is made last has been begun. More must not be imported after it: besides being out of order, the post
            // of a pending transfer with a timeout, imported, ends a TigerBeetle 0.17.9 for good.
            let more = self.from.feed(last, 1).await.map_err(MigrateError::From)?;
            return match more.first() {
                Some(item) => Err(MigrateError::Differ(
                    item.transfer.id,
                    "the old ledger was written to when all but the last step was done; begin with an empty one",
                )),
                None => Ok(()),
            };
        }
        let there = self.there(waiting.expired.iter().map(|(_, id)| expiry_void_id(*id))).await?;
        let mut voids: VecDeque<(u64, u128)> =
            waiting.expired.iter().filter(|(_, id)| !there.contains(&expiry_void_id(*id))).copied().collect();
        let (mut batch, mut after, mut sent) = (Vec::new(), last, 0);
        loop {
            let page = self.from.feed(after, PAGE).await.map_err(MigrateError::From)?;
            after = page.last().map_or(u64::MAX, FeedItem::timestamp);
            let coming =
                page.iter().map(|item| item.transfer).filter(|t| !waiting.carried_ids.contains(&t.id));
            // At the end whatever voids are left.
            let coming = coming.map(Some).chain(page.is_empty().then_some(None));
            for next in coming {
                let before = next.map_or(u64::MAX, |t| t.timestamp);
                while let Some((at, p)) = voids.front().copied() {
                    let Some(at) = self.free(at.max(last + 1), before).await? else { break };
                    let void = Transfer { timestamp: at, ..void_of(p) };
                    self.collect(&mut batch, transfer_to_import(&void)).await?;
                    last = at;
                    voids.pop_front();
                }
                let Some(t) = next else { break };
                self.collect(&mut batch, transfer_to_import(&t)).await?;
                last = t.timestamp;
                sent += 1;
            }
            progress(self.moved.accounts, sent);
            if page.is_empty() {
                return self.submit(std::mem::take(&mut batch)).await;
            }
        }
    }

    /// The first timestamp from `at` on, before `before`, that no account has.
    async fn free(&self, mut at: u64, before: u64) -> Result<Option<u64>, MigrateError> {
        while at < before {
            let filter =
                QueryFilter { timestamp_min: at, timestamp_max: at, limit: 1, ..QueryFilter::default() };
            if self.from.query_accounts(filter).await.map_err(MigrateError::From)?.is_empty() {
                return Ok(Some(at));
            }
            at += 1;
        }
        Ok(None)
    }

    async fn collect(&self, batch: &mut Vec<Transfer>, t: Transfer) -> Result<(), MigrateError> {
        batch.push(t);
        if batch.len() < self.batch {
            return Ok(());
        }
        self.submit(std::mem::take(batch)).await
    }

    /// Which of these transfers the new ledger has.
    async fn there(&self, ids: impl Iterator<Item = u128>) -> Result<HashSet<u128>, MigrateError> {
        let ids: Vec<u128> = ids.collect();
        let mut there = HashSet::new();
        for some in ids.chunks(self.batch) {
            let found = self.to.lookup_transfers(some.to_vec()).await.map_err(MigrateError::To)?;
            there.extend(found.iter().map(|t| t.id));
        }
        Ok(there)
    }

    async fn submit(&self, events: Vec<Transfer>) -> Result<(), MigrateError> {
        let results = self.to.create_transfers(events.clone()).await.map_err(MigrateError::To)?;
        match events.iter().zip(results).find(|(_, r)| !r.status.is_in_ledger()) {
            Some((t, result)) => Err(MigrateError::Transfer(t.id, result.status)),
            None => Ok(()),
        }
    }

    /// Burns the ids at the new ledger: a transfer between accounts that do not exist fails, and its id with it.
    async fn burn(&mut self, burnt: &Burnt) -> Result<(), MigrateError> {
        use CreateTransferStatus as S;
        let Burnt::Ids(ids) = burnt else { return Ok(()) };
        let nobody = [1, 2].map(|n| derived(b"yima ledger migrate: nobody", n));
        for some in ids.chunks(self.batch) {
            let event = |id: &u128| Transfer {
                id: *id,
                debit_account_id: nobody[0],
                credit_account_id: nobody[1],
                ledger: 1,
                code: 1,
                ..Transfer::default()
            };
            let results = self.to.create_transfers(some.iter().map(event).collect()).await;
            for (id, result) in some.iter().zip(results.map_err(MigrateError::To)?) {
                if !matches!(result.status, S::DebitAccountNotFound | S::IdAlreadyFailed) {
                    return Err(MigrateError::Transfer(*id, result.status));
                }
                self.moved.burnt += 1;
            }
        }
        Ok(())
    }

    /// Makes anew what has time left; what ran out of it is voided.
    async fn carry(&mut self, carried: &[Transfer]) -> Result<(), MigrateError> {
        for some in carried.chunks(self.batch) {
            let ids = some.iter().map(|p| p.id).collect();
            let found = self.to.lookup_transfers(ids).await.map_err(MigrateError::To)?;
            let there: HashMap<u128, Transfer> = found.into_iter().map(|t| (t.id, t)).collect();
            let now = recount::now(self.clock);
            let timeout = |p: &Transfer| match there.get(&p.id) {
                Some(made) => made.timeout,
                None => p.expires_at().map_or(0, |at| rest(at, now)),
            };
            let missing = some.iter().filter(|p| !there.contains_key(&p.id));
            let made = missing.map(|p| Transfer {
                timestamp: 0,
                timeout: timeout(p),
                flags: p.flags.without(TransferFlags::Linked),
                ..*p
            });
            self.submit(made.collect()).await?;
            let late = some.iter().filter(|p| p.timeout > 0 && timeout(p) == 0).map(|p| void_of(p.id));
            self.submit(late.collect()).await?;
        }
        Ok(())
    }
}

/// Whole seconds from `now` until `at`, rounded up; zero if that is past.
fn rest(at: u64, now: u64) -> u32 {
    u32::try_from(at.saturating_sub(now).div_ceil(1_000_000_000)).unwrap_or(u32::MAX)
}
