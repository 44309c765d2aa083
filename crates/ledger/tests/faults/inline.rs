//! The engine of the product as the histories drive it: segments of 2 KiB, so that a short history has many.

use std::sync::Arc;

use kernel::Clock;
use ledger::disk::Disk;
use ledger::{
    Account, AccountBalance, AccountFilter, CreateAccountResult, CreateTransferResult, EngineError, FeedItem,
    Inline, JournalError, OpenError, Options, QueryFilter, Transfer,
};

use crate::stepped::{Kind, Refused, Stepped};
use crate::{run, survive};

impl Stepped for Inline {
    const RECORD: usize = 128;
    const ACCOUNTS_RELEASE: bool = false;
    const QUESTIONS_WAIT: bool = true;
    const OPENS_WHEN_FULL: bool = true;

    fn open(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Result<(Self, bool), Refused> {
        let options = Options { file_bytes: 2048, merge: 2, snapshot_bytes: 8192 };
        match Inline::open(disk, clock, options) {
            Ok((engine, recovery)) => Ok((engine, recovery.torn.is_some())),
            Err(e @ OpenError::Journal(JournalError::Damaged { .. })) => Err(Refused::Damaged(e.to_string())),
            Err(e) => Err(Refused::Io(e.to_string())),
        }
    }
    fn create_accounts(&mut self, events: &[Account]) -> Result<Vec<CreateAccountResult>, EngineError> {
        self.create_accounts(events)
    }
    fn create_transfers(&mut self, events: &[Transfer]) -> Result<Vec<CreateTransferResult>, EngineError> {
        self.create_transfers(events)
    }
    fn sync(&mut self) -> Result<(), EngineError> {
        self.sync()
    }
    fn tidy(&mut self) -> bool {
        self.tidy().unwrap_or(false) // why it failed is told by the next call
    }
    fn close(self) {
        let _ = self.close(); // what it could not do shows when the ledger is opened
    }
    fn lookup_accounts(&self, ids: &[u128]) -> Result<Vec<Account>, EngineError> {
        self.lookup_accounts(ids)
    }
    fn lookup_transfers(&self, ids: &[u128]) -> Result<Vec<Transfer>, EngineError> {
        self.lookup_transfers(ids)
    }
    fn get_account_transfers(&self, filter: AccountFilter) -> Result<Vec<Transfer>, EngineError> {
        self.get_account_transfers(filter)
    }
    fn get_account_balances(&self, filter: AccountFilter) -> Result<Vec<AccountBalance>, EngineError> {
        self.get_account_balances(filter)
    }
    fn query_accounts(&self, filter: QueryFilter) -> Result<Vec<Account>, EngineError> {
        self.query_accounts(filter)
    }
    fn query_transfers(&self, filter: QueryFilter) -> Result<Vec<Transfer>, EngineError> {
        self.query_transfers(filter)
    }
    fn feed(&self, after: u64, limit: u32) -> Result<Vec<FeedItem>, EngineError> {
        self.feed(after, limit)
    }
    fn audit(disk: &dyn Disk) -> Result<(), String> {
        ledger::journal::walk_from(disk, 1, |_| Ok(())).map(drop).map_err(|e| e.to_string())
    }
    fn kind(name: &str) -> Kind {
        match name {
            "lock" => Kind::Scrap,
            _ if name.strip_suffix(".draft").is_some()
                || name.starts_with("torn-")
                || name.starts_with("spare-") =>
            {
                Kind::Scrap
            }
            _ if name.starts_with("journal-") => Kind::Journal,
            _ => Kind::Derived,
        }
    }
}

#[test]
fn the_embedded_engine_survives_every_history() {
    survive::<Inline>("the_embedded_engine_survives_every_history", 2000);
}

#[test]
fn the_embedded_engine_does_the_same_at_every_run() {
    for seed in 0..20 {
        let (first, _, told) = run::<Inline>(seed, true);
        let (_, _, again) = run::<Inline>(seed, true);
        assert!(first.is_ok(), "seed {seed}: {first:?}");
        assert_eq!(told, again, "seed {seed}");
    }
}
