//! The door through which a history drives an engine: one call after another, no threads, no hidden work.

use std::sync::Arc;

use kernel::Clock;
use ledger::disk::Disk;
use ledger::{
    Account, AccountBalance, AccountFilter, CreateAccountResult, CreateTransferResult, EngineError, FeedItem,
    QueryFilter, Transfer,
};

/// Why an engine did not open.
#[derive(Debug)]
pub enum Refused {
    /// What lies there is not what was written.
    Damaged(String),
    /// The disk did not do what it was asked.
    Io(String),
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The truth: its loss is the loss of money.
    Journal,
    /// Can be made again from the journal.
    Derived,
    /// Kept for people, or empty; never read.
    Scrap,
}

/// An engine in steps.
///
/// The rules of the door: each request to create first releases what is due at that moment (unless there is no
/// room for it), then decides its events; to make room it may write and sync what was decided before it; questions are answered from what is synced alone; a request refused for want of room has changed
/// nothing; after an error of [`Stepped::sync`] everything decided since the sync before is forgotten; after a
/// failed sync of any file or of the names every call is an error.
pub trait Stepped: Sized {
    /// Bytes of a transfer in the journal, which begins with its id, little-endian.
    const RECORD: usize;
    /// Whether a question must wait for the sync of what it touches: then a history syncs before it asks.
    const QUESTIONS_WAIT: bool;
    /// Whether a full disk alone never keeps it from opening.
    const OPENS_WHEN_FULL: bool;
    /// Whether a request to create accounts releases what is due, as one to create transfers does.
    const ACCOUNTS_RELEASE: bool;
    /// Opens what lies on the disk, whatever it is; whether an unfinished write was cut off.
    fn open(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Result<(Self, bool), Refused>;
    /// Decides; nothing of it is durable yet.
    fn create_accounts(&mut self, events: &[Account]) -> Result<Vec<CreateAccountResult>, EngineError>;
    /// Decides; nothing of it is durable yet.
    fn create_transfers(&mut self, events: &[Transfer]) -> Result<Vec<CreateTransferResult>, EngineError>;
    /// Writes and syncs everything decided as one frame: acknowledged from now on.
    fn sync(&mut self) -> Result<(), EngineError>;
    /// One unit of background work; `false` if there was none.
    fn tidy(&mut self) -> bool;
    /// A clean stop.
    fn close(self);
    fn lookup_accounts(&self, ids: &[u128]) -> Result<Vec<Account>, EngineError>;
    fn lookup_transfers(&self, ids: &[u128]) -> Result<Vec<Transfer>, EngineError>;
    fn get_account_transfers(&self, filter: AccountFilter) -> Result<Vec<Transfer>, EngineError>;
    fn get_account_balances(&self, filter: AccountFilter) -> Result<Vec<AccountBalance>, EngineError>;
    fn query_accounts(&self, filter: QueryFilter) -> Result<Vec<Account>, EngineError>;
    fn query_transfers(&self, filter: QueryFilter) -> Result<Vec<Transfer>, EngineError>;
    fn feed(&self, after: u64, limit: u32) -> Result<Vec<FeedItem>, EngineError>;
    /// Reads all of the journal from the first byte, trusting nothing; the reason if it is damaged.
    fn audit(disk: &dyn Disk) -> Result<(), String>;
    /// What the file of this name is for.
    fn kind(name: &str) -> Kind;
}
