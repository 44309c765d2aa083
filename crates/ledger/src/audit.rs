//! The auditor: reads a journal by itself and doubts everything in it.
//!
//! Deliberately simple and deliberately apart: it shares the byte layout ([`crate::frame`]) with the engine
//! and nothing else, not the rules, not the postings, not the reading of files. It checks checksums, the hash
//! chain and the order of time, works every balance out again, and holds every record against the limits that
//! were in force. It changes nothing and takes no lock, so it may run beside a live engine.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use sha2::{Digest, Sha256};

use crate::engine::{Engine, EngineError};
use crate::frame::{self, FILE_HEADER, FileHeader};
use crate::posting::Record;
use crate::types::{Account, AccountFlags, BATCH_MAX, QueryFilter, TIMESTAMP_MAX, Transfer, TransferFlags};

/// What the auditor found in books that hold.
#[derive(Debug, Clone, Default)]
pub struct AuditReport {
    /// Frames read.
    pub frames: u64,
    /// Transfers, of every kind.
    pub transfers: u64,
    /// Of these, transfers that only reserved an amount.
    pub pending: u64,
    /// Pending transfers that were posted.
    pub posted: u64,
    /// Pending transfers that were voided.
    pub voided: u64,
    /// Pending transfers that expired.
    pub expired: u64,
    /// Transfer ids burnt by a transient failure.
    pub failed: u64,
    /// The oldest timestamp of any record, zero in empty books.
    pub first_timestamp: u64,
    /// The newest timestamp of any record, zero in empty books.
    pub last_timestamp: u64,
    /// Hash of the last frame: whoever keeps it can tell if the books are ever rewritten.
    pub head: [u8; 32],
    /// SHA-256 over id and four balances (16 bytes each, little-endian) of every account in order of id.
    pub balances: [u8; 32],
    /// Bytes at the end that are no whole frame: an unfinished write, or one under way.
    pub unfinished_bytes: u64,
    /// Totals of each ledger.
    pub ledgers: BTreeMap<u32, Totals>,
    /// Every account with the balances worked out here.
    pub accounts: BTreeMap<u128, Account>,
}

impl AuditReport {
    /// Pending transfers that still wait to be resolved.
    pub fn open(&self) -> u64 {
        self.pending - self.posted - self.voided - self.expired
    }

    /// Holds the balances worked out here against those of an engine in which nothing happened since.
    pub async fn compare(&self, engine: &dyn Engine) -> Result<(), AuditError> {
        let mut compared = 0;
        let mut filter =
            QueryFilter { limit: u32::try_from(BATCH_MAX).unwrap_or(1), ..QueryFilter::default() };
        loop {
            let page = engine.query_accounts(filter).await.map_err(AuditError::Engine)?;
            for theirs in &page {
                if self.accounts.get(&theirs.id) != Some(theirs) {
                    return Err(AuditError::Differs { account: theirs.id });
                }
                compared += 1;
            }
            let Some(last) = page.last() else { break };
            filter.timestamp_min = last.timestamp + 1;
        }
        if compared != self.accounts.len() {
            return Err(AuditError::Count { journal: self.accounts.len(), engine: compared });
        }
        Ok(())
    }
}

/// Sums over all accounts of one ledger, minor units. Debits and credits are equal, or the books do not hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Accounts.
    pub accounts: u64,
    /// Sum of posted debits, equal to that of posted credits.
    pub posted: Sum,
    /// Sum of pending debits, equal to that of pending credits.
    pub pending: Sum,
}

impl Totals {
    pub(crate) fn add(&mut self, a: &Account) {
        self.accounts += 1;
        self.posted.add(a.debits_posted);
        self.pending.add(a.debits_pending);
    }
}

/// A sum that many balances of 128 bits cannot overflow: `high` × 2^128 + `low`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// Carries.
    pub high: u64,
    /// The lower 128 bits.
    pub low: u128,
}

impl Sum {
    pub(crate) fn add(&mut self, value: u128) {
        let (low, carry) = self.low.overflowing_add(value);
        self.low = low;
        self.high += u64::from(carry);
    }
}

/// Why the books do not hold.
#[derive(Debug)]
#[non_exhaustive]
pub enum AuditError {
    /// A file cannot be read.
    Io(PathBuf, io::Error),
    /// A frame before the end is not what was written.
    Damaged {
        /// The file.
        file: PathBuf,
        /// The frame's number.
        frame: u64,
        /// Where in the file it begins.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// A sound frame records something that must not happen.
    Wrong {
        /// The frame's number.
        frame: u64,
        /// Id of the account or transfer concerned.
        id: u128,
        /// What is wrong.
        reason: &'static str,
    },
    /// Debits and credits of a ledger are not equal.
    NotConserved {
        /// The ledger.
        ledger: u32,
    },
    /// An engine shows other fields or balances than the journal gives.
    Differs {
        /// The account.
        account: u128,
    },
    /// An engine has another number of accounts than the journal.
    Count {
        /// In the journal.
        journal: usize,
        /// In the engine.
        engine: usize,
    },
    /// The engine compared with does not answer.
    Engine(EngineError),
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AuditError::Io(path, e) => write!(f, "{}: {e}", path.display()),
            AuditError::Damaged { file, frame, offset, reason } => {
                write!(f, "damaged at frame {frame} ({} at byte {offset}): {reason}", file.display())
            }
            AuditError::Wrong { frame, id, reason } => {
                write!(f, "wrong in frame {frame}, id {id:032x}: {reason}")
            }
            AuditError::NotConserved { ledger } => write!(f, "debits and credits of ledger {ledger} differ"),
            AuditError::Differs { account } => {
                write!(f, "the engine shows account {account:032x} otherwise than its journal")
            }
            AuditError::Count { journal, engine } => {
                write!(f, "the journal has {journal} accounts, the engine {engine}")
            }
            AuditError::Engine(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for AuditError {}

/// Audits the journal in `dir`.
pub fn verify(dir: &Path) -> Result<AuditReport, AuditError> {
    let mut books = Books::default();
    let files = journal_files(dir)?;
    for (index, path) in files.iter().enumerate() {
        let bytes = fs::read(path).map_err(|e| AuditError::Io(path.clone(), e))?;
        let is_last = index + 1 == files.len();
        let next = books.report.frames + 1;
        let damaged = |frame, offset: usize, reason: &str| AuditError::Damaged {
            file: path.clone(),
            frame,
            offset: offset as u64,
            reason: reason.to_owned(),
        };
        let header = FileHeader::decode(&bytes).map_err(|reason| damaged(next, 0, reason))?;
        let follows = header.first_frame == next && header.first_record == books.records;
        if !follows || header.parent != books.report.head || header.segment as usize != index + 1 {
            return Err(damaged(next, 0, "the file does not continue the one before it"));
        }
        let mut at = FILE_HEADER;
        while bytes[at..].iter().any(|b| *b != 0) {
            let number = books.report.frames + 1;
            let frame = match frame::read(&bytes[at..]) {
                Ok(frame) => frame,
                Err(reason) => {
                    let later = at + frame::ALIGN.min(bytes.len() - at);
                    if !is_last || frame::find_sound(&bytes[later..]).is_some() {
                        return Err(damaged(number, at, reason));
                    }
                    let end = bytes.iter().rposition(|b| *b != 0).unwrap_or(at);
                    books.report.unfinished_bytes = (end + 1 - at) as u64;
                    break;
                }
            };
            if frame.header.number != number {
                return Err(damaged(number, at, "a frame with another number stands in its place"));
            }
            if frame.header.parent != books.report.head {
                return Err(damaged(number, at, "the frame does not carry the hash of the one before it"));
            }
            if frame.header.first_record != books.records {
                return Err(damaged(number, at, "the frame counts the records before it otherwise"));
            }
            let records = frame.records().map_err(|reason| damaged(number, at, reason))?;
            books.records += records.len() as u64;
            books.report.frames = number;
            books.report.head = frame.hash();
            books.take(&records, frame.header.timestamp)?;
            at += frame.bytes.len();
        }
    }
    books.finish()
}

fn journal_files(dir: &Path) -> Result<Vec<PathBuf>, AuditError> {
    let at = |e| AuditError::Io(dir.to_owned(), e);
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(at)? {
        let path = entry.map_err(at)?.path();
        if path.extension().is_some_and(|e| e == "ylj") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The auditor's own books.
#[derive(Default)]
struct Books {
    report: AuditReport,
    /// Pending transfers not yet resolved.
    open: HashMap<u128, Transfer>,
    /// Pending transfers already resolved, and all other transfers, and burnt ids.
    closed_ids: HashSet<u128>,
    /// The newest timestamp that the engine gave out itself.
    clock: u64,
    newest_account: u64,
    newest_transfer: u64,
    records: u64,
}

impl Books {
    fn wrong(&self, id: u128, reason: &'static str) -> AuditError {
        AuditError::Wrong { frame: self.report.frames, id, reason }
    }

    fn require(&self, holds: bool, id: u128, reason: &'static str) -> Result<(), AuditError> {
        if holds { Ok(()) } else { Err(self.wrong(id, reason)) }
    }

    fn take(&mut self, records: &[Record], frame_timestamp: u64) -> Result<(), AuditError> {
        self.require(!records.is_empty(), 0, "an empty frame")?;
        for (index, record) in records.iter().enumerate() {
            let next = records.get(index + 1);
            match record {
                Record::Account(a) => {
                    let chain_goes_on = matches!(next, Some(Record::Account(_)));
                    let linked = a.flags.contains(AccountFlags::Linked);
                    self.require(!linked || chain_goes_on, a.id, "a linked chain is cut off")?;
                    self.account(a)?;
                }
                Record::Transfer(t) => {
                    let chain_goes_on = matches!(next, Some(Record::Transfer(_)));
                    let linked = t.flags.contains(TransferFlags::Linked);
                    self.require(!linked || chain_goes_on, t.id, "a linked chain is cut off")?;
                    self.transfer(t)?;
                }
                Record::Failed(id) => {
                    let known = !self.closed_ids.insert(*id) || self.open.contains_key(id);
                    self.require(!known && *id != 0, *id, "a known id fails")?;
                    self.report.failed += 1;
                }
                Record::Expired { pending_id, timestamp } => self.expire(*pending_id, *timestamp)?,
            }
        }
        self.require(frame_timestamp >= self.clock, 0, "the frame is older than its records")?;
        self.clock = frame_timestamp;
        Ok(())
    }

    /// Time only goes forward; imports may lie in the past but keep their own order.
    fn at(&mut self, id: u128, timestamp: u64, imported: bool, newest: u64) -> Result<(), AuditError> {
        self.require(timestamp > newest && timestamp <= TIMESTAMP_MAX, id, "not in the order of time")?;
        if !imported {
            self.require(timestamp > self.clock, id, "not in the order of time")?;
            self.clock = timestamp;
        }
        let first = &mut self.report.first_timestamp;
        *first = if *first == 0 { timestamp } else { timestamp.min(*first) };
        self.report.last_timestamp = self.report.last_timestamp.max(timestamp);
        Ok(())
    }

    fn account(&mut self, a: &Account) -> Result<(), AuditError> {
        self.at(a.id, a.timestamp, a.flags.contains(AccountFlags::Imported), self.newest_account)?;
        self.newest_account = a.timestamp;
        let sound = a.id != 0 && a.id != u128::MAX && a.ledger != 0 && a.code != 0 && !a.flags.has_unknown();
        self.require(sound, a.id, "a field of the account has no meaning")?;
        match self.report.accounts.entry(a.id) {
            Entry::Vacant(free) => {
                free.insert(*a);
                Ok(())
            }
            Entry::Occupied(_) => Err(self.wrong(a.id, "the account exists already")),
        }
    }

    fn transfer(&mut self, t: &Transfer) -> Result<(), AuditError> {
        use TransferFlags as F;
        self.at(t.id, t.timestamp, t.flags.contains(F::Imported), self.newest_transfer)?;
        self.newest_transfer = t.timestamp;
        self.report.transfers += 1;
        let sound = t.id != 0 && t.id != u128::MAX && !t.flags.has_unknown();
        self.require(sound, t.id, "a field of the transfer has no meaning")?;
        let known = self.closed_ids.contains(&t.id) || self.open.contains_key(&t.id);
        self.require(!known, t.id, "the transfer exists already, or its id was burnt")?;
        self.require(
            t.debit_account_id != t.credit_account_id,
            t.id,
            "debit and credit account are the same",
        )?;
        let (mut debit, mut credit) = self.sides(t)?;
        let older = debit.timestamp < t.timestamp && credit.timestamp < t.timestamp;
        self.require(older, t.id, "the transfer is older than its accounts")?;
        let same = debit.ledger == t.ledger && credit.ledger == t.ledger;
        self.require(same, t.id, "the transfer leaves its ledger")?;

        let void = t.flags.contains(F::VoidPendingTransfer);
        let closed =
            debit.flags.contains(AccountFlags::Closed) || credit.flags.contains(AccountFlags::Closed);
        self.require(void || !closed, t.id, "an account of the transfer is closed")?;

        let post = t.flags.contains(F::PostPendingTransfer);
        if post || void {
            self.require(post != void, t.id, "both post and void")?;
            let others =
                F::Pending | F::BalancingDebit | F::BalancingCredit | F::ClosingDebit | F::ClosingCredit;
            let plain = !t.flags.intersects(others) && t.timeout == 0;
            self.require(plain, t.id, "it resolves a transfer, and is of another kind besides")?;
            let p = self.resolve(t.pending_id)?;
            let same = p.debit_account_id == t.debit_account_id
                && p.credit_account_id == t.credit_account_id
                && p.ledger == t.ledger
                && p.code == t.code;
            self.require(same, t.id, "it resolves a transfer of other accounts, ledger or code")?;
            let in_time = p.timeout == 0 || t.timestamp < p.timestamp + u64::from(p.timeout) * 1_000_000_000;
            self.require(in_time, t.id, "it resolves a transfer that had expired")?;
            self.release(&p, &mut debit, &mut credit)?;
            if void {
                self.require(t.amount == p.amount, t.id, "it voids another amount than was pending")?;
                reopen(&p, &mut debit, &mut credit);
                self.report.voided += 1;
            } else {
                self.require(t.amount <= p.amount, t.id, "it posts more than was pending")?;
                debit.debits_posted = self.plus(t.id, debit.debits_posted, t.amount)?;
                credit.credits_posted = self.plus(t.id, credit.credits_posted, t.amount)?;
                self.report.posted += 1;
            }
            self.closed_ids.insert(t.id);
        } else if t.flags.contains(F::Pending) {
            self.require(t.pending_id == 0, t.id, "a pending transfer that resolves another")?;
            debit.debits_pending = self.plus(t.id, debit.debits_pending, t.amount)?;
            credit.credits_pending = self.plus(t.id, credit.credits_pending, t.amount)?;
            if t.flags.contains(F::ClosingDebit) {
                debit.flags |= AccountFlags::Closed;
            }
            if t.flags.contains(F::ClosingCredit) {
                credit.flags |= AccountFlags::Closed;
            }
            self.open.insert(t.id, *t);
            self.report.pending += 1;
        } else {
            self.require(
                t.timeout == 0 && t.pending_id == 0,
                t.id,
                "a plain transfer with a pending one's fields",
            )?;
            let closing = t.flags.intersects(F::ClosingDebit | F::ClosingCredit);
            self.require(!closing, t.id, "it closes an account for ever")?;
            debit.debits_posted = self.plus(t.id, debit.debits_posted, t.amount)?;
            credit.credits_posted = self.plus(t.id, credit.credits_posted, t.amount)?;
            self.closed_ids.insert(t.id);
        }
        for account in [debit, credit] {
            self.put(t.id, account)?;
        }
        Ok(())
    }

    fn expire(&mut self, id: u128, timestamp: u64) -> Result<(), AuditError> {
        self.at(id, timestamp, false, 0)?;
        let p = self.resolve(id)?;
        let due = p.timeout != 0 && timestamp >= p.timestamp + u64::from(p.timeout) * 1_000_000_000;
        self.require(due, id, "it expired before its time")?;
        let (mut debit, mut credit) = self.sides(&p)?;
        self.release(&p, &mut debit, &mut credit)?;
        reopen(&p, &mut debit, &mut credit);
        self.report.expired += 1;
        for account in [debit, credit] {
            self.put(id, account)?;
        }
        Ok(())
    }

    fn resolve(&mut self, id: u128) -> Result<Transfer, AuditError> {
        let Some(p) = self.open.remove(&id) else {
            return Err(self.wrong(id, "it is resolved but not pending"));
        };
        self.closed_ids.insert(id);
        Ok(p)
    }

    fn release(&self, p: &Transfer, debit: &mut Account, credit: &mut Account) -> Result<(), AuditError> {
        let less = |balance: u128| balance.checked_sub(p.amount);
        match (less(debit.debits_pending), less(credit.credits_pending)) {
            (Some(debits), Some(credits)) => {
                debit.debits_pending = debits;
                credit.credits_pending = credits;
                Ok(())
            }
            _ => Err(self.wrong(p.id, "more is released than was pending")),
        }
    }

    fn sides(&self, t: &Transfer) -> Result<(Account, Account), AuditError> {
        let side = |id: u128| self.report.accounts.get(&id).copied();
        match (side(t.debit_account_id), side(t.credit_account_id)) {
            (Some(debit), Some(credit)) => Ok((debit, credit)),
            _ => Err(self.wrong(t.id, "an account of the transfer is unknown")),
        }
    }

    fn plus(&self, id: u128, balance: u128, amount: u128) -> Result<u128, AuditError> {
        balance.checked_add(amount).ok_or_else(|| self.wrong(id, "a balance overflows"))
    }

    /// Writes a changed account back if its limits still hold.
    fn put(&mut self, id: u128, a: Account) -> Result<(), AuditError> {
        let debits = self.plus(id, a.debits_posted, a.debits_pending)?;
        let credits = self.plus(id, a.credits_posted, a.credits_pending)?;
        let overdrawn =
            a.flags.contains(AccountFlags::DebitsMustNotExceedCredits) && debits > a.credits_posted;
        self.require(!overdrawn, id, "the debits of an account exceed its credits")?;
        let overpaid =
            a.flags.contains(AccountFlags::CreditsMustNotExceedDebits) && credits > a.debits_posted;
        self.require(!overpaid, id, "the credits of an account exceed its debits")?;
        self.report.accounts.insert(a.id, a);
        Ok(())
    }

    fn finish(self) -> Result<AuditReport, AuditError> {
        let mut report = self.report;
        let mut digest = Sha256::new();
        let mut credits: BTreeMap<u32, (Sum, Sum)> = BTreeMap::new();
        for a in report.accounts.values() {
            for value in [a.id, a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted] {
                digest.update(value.to_le_bytes());
            }
            report.ledgers.entry(a.ledger).or_default().add(a);
            let (posted, pending) = credits.entry(a.ledger).or_default();
            posted.add(a.credits_posted);
            pending.add(a.credits_pending);
        }
        for (ledger, totals) in &report.ledgers {
            if credits.get(ledger) != Some(&(totals.posted, totals.pending)) {
                return Err(AuditError::NotConserved { ledger: *ledger });
            }
        }
        report.balances = digest.finalize().into();
        Ok(report)
    }
}

/// A closing transfer that came to nothing opens again what it closed.
fn reopen(p: &Transfer, debit: &mut Account, credit: &mut Account) {
    if p.flags.contains(TransferFlags::ClosingDebit) {
        debit.flags = debit.flags.without(AccountFlags::Closed);
    }
    if p.flags.contains(TransferFlags::ClosingCredit) {
        credit.flags = credit.flags.without(AccountFlags::Closed);
    }
}
