//! A ledger that answers a node late: what moves money waits at a gate until a test opens it, as when the node or its
//! network was held up.

use std::sync::Arc;

use ledger::{
    Account, AccountBalance, AccountFilter, BoxFuture, CreateAccountResult, CreateTransferResult, Engine,
    EngineError, FeedItem, Ledger, QueryFilter, Transfer,
};
use tokio::sync::Semaphore;

/// Where what moves money waits.
pub struct Gate {
    asked: Semaphore,
    open: Semaphore,
}

impl Gate {
    /// An open gate.
    pub fn new() -> Gate {
        Gate { asked: Semaphore::new(0), open: Semaphore::new(1) }
    }
    /// Lets nothing through any more.
    pub async fn close(&self) {
        self.open.acquire().await.expect("a gate").forget();
        self.asked.forget_permits(usize::MAX);
    }
    /// Waits until something waits.
    pub async fn somebody_waits(&self) {
        self.asked.acquire().await.expect("a gate").forget();
    }
    /// Lets everything through.
    pub fn open(&self) {
        self.open.add_permits(1);
    }
}

/// See the module.
pub struct Slow {
    pub ledger: Ledger,
    pub gate: Arc<Gate>,
}

type Answer<'a, T> = BoxFuture<'a, Result<Vec<T>, EngineError>>;

impl Engine for Slow {
    fn create_accounts(&self, events: Vec<Account>) -> Answer<'_, CreateAccountResult> {
        self.ledger.create_accounts(events)
    }
    fn create_transfers(&self, events: Vec<Transfer>) -> Answer<'_, CreateTransferResult> {
        let ledger = self.ledger.clone();
        let gate = self.gate.clone();
        Box::pin(async move {
            gate.asked.add_permits(1);
            let _through = gate.open.acquire().await.map_err(|_| EngineError::Unavailable)?;
            ledger.create_transfers(events).await
        })
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
        self.ledger.has_room()
    }
    fn committed(&self) -> tokio::sync::watch::Receiver<u64> {
        self.ledger.committed()
    }
}
