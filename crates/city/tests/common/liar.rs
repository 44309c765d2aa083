//! A ledger that shows a balance its transfers do not make, when a test says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ledger::{
    Account, AccountBalance, AccountFilter, BoxFuture, CreateAccountResult, CreateTransferResult, Engine,
    EngineError, FeedItem, Ledger, QueryFilter, Transfer,
};

/// See the module.
pub struct Liar {
    pub ledger: Ledger,
    pub account: u128,
    pub lies: Arc<AtomicBool>,
}

type Answer<'a, T> = BoxFuture<'a, Result<Vec<T>, EngineError>>;

impl Liar {
    fn bend<'a>(&'a self, answer: Answer<'a, Account>) -> Answer<'a, Account> {
        Box::pin(async move {
            let mut accounts = answer.await?;
            if self.lies.load(Ordering::Relaxed) {
                let ours = accounts.iter_mut().filter(|a| a.id == self.account);
                ours.for_each(|a| a.credits_posted += 1);
            }
            Ok(accounts)
        })
    }
}

impl Engine for Liar {
    fn create_accounts(&self, events: Vec<Account>) -> Answer<'_, CreateAccountResult> {
        self.ledger.create_accounts(events)
    }
    fn create_transfers(&self, events: Vec<Transfer>) -> Answer<'_, CreateTransferResult> {
        self.ledger.create_transfers(events)
    }
    fn lookup_accounts(&self, ids: Vec<u128>) -> Answer<'_, Account> {
        self.bend(self.ledger.lookup_accounts(ids))
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
        self.bend(self.ledger.query_accounts(filter))
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
