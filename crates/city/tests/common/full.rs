//! A ledger whose disk is full when a test says so: as the engine does then, it refuses what writes and answers
//! what reads. (`crates/yima/tests/full_disk` does the same with a disk.)

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ledger::{
    Account, AccountBalance, AccountFilter, BoxFuture, CreateAccountResult, CreateTransferResult, Engine,
    EngineError, FeedItem, Ledger, QueryFilter, Transfer,
};

/// See the module.
pub struct Full {
    pub ledger: Ledger,
    pub full: Arc<AtomicBool>,
}

type Answer<'a, T> = BoxFuture<'a, Result<Vec<T>, EngineError>>;

impl Full {
    fn refused<T: Send + 'static>(&self) -> Option<Answer<'_, T>> {
        let full = self.full.load(Ordering::Relaxed);
        full.then(|| Box::pin(std::future::ready(Err(EngineError::NoSpace))) as Answer<'_, T>)
    }
}

impl Engine for Full {
    fn create_accounts(&self, events: Vec<Account>) -> Answer<'_, CreateAccountResult> {
        self.refused().unwrap_or_else(|| self.ledger.create_accounts(events))
    }
    fn create_transfers(&self, events: Vec<Transfer>) -> Answer<'_, CreateTransferResult> {
        self.refused().unwrap_or_else(|| self.ledger.create_transfers(events))
    }
    fn lookup_accounts(&self, ids: Vec<u128>) -> Answer<'_, Account> {
        self.ledger.lookup_accounts(ids)
    }
    fn lookup_transfers(&self, ids: Vec<u128>) -> Answer<'_, Transfer> {
        self.ledger.lookup_transfers(ids)
    }
    fn get_account_transfers(&self, filter: AccountFilter) -> Answer<'_, Transfer> {
        self.ledger.get_account_transfers(filter)
    }
    fn get_account_balances(&self, filter: AccountFilter) -> Answer<'_, AccountBalance> {
        self.ledger.get_account_balances(filter)
    }
    fn query_accounts(&self, filter: QueryFilter) -> Answer<'_, Account> {
        self.ledger.query_accounts(filter)
    }
    fn query_transfers(&self, filter: QueryFilter) -> Answer<'_, Transfer> {
        self.ledger.query_transfers(filter)
    }
    fn feed(&self, after: u64, limit: u32) -> Answer<'_, FeedItem> {
        self.ledger.feed(after, limit)
    }
    fn has_room(&self) -> bool {
        !self.full.load(Ordering::Relaxed) && self.ledger.has_room()
    }
    fn committed(&self) -> tokio::sync::watch::Receiver<u64> {
        self.ledger.committed()
    }
}
