//! The one door to a ledger, whichever engine stands behind it.
//!
//! Only what TigerBeetle can do is here, so that the embedded engine and the cluster engine answer alike.
//! Every answer speaks of what is on disk: no read and no feed shows a transfer that a crash could undo.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use crate::status::{CreateAccountResult, CreateTransferResult};
use crate::types::{Account, AccountBalance, AccountFilter, FeedItem, QueryFilter, Transfer};

/// A future that an object-safe trait can return.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A ledger shared by everyone who needs one.
pub type Ledger = Arc<dyn Engine>;

/// A double-entry ledger.
///
/// A request to create is queued when the method is called; dropping the future does not cancel it. One
/// request is atomic against others but not as a whole: each event (or linked chain) succeeds or fails
/// alone and has its own answer. Requests and answers hold at most [`crate::BATCH_MAX`] items.
pub trait Engine: Send + Sync + 'static {
    /// Creates accounts; one result per event, in order.
    fn create_accounts(
        &self,
        events: Vec<Account>,
    ) -> BoxFuture<'_, Result<Vec<CreateAccountResult>, EngineError>>;

    /// Creates transfers; one result per event, in order. Answered only once they are on disk.
    fn create_transfers(
        &self,
        events: Vec<Transfer>,
    ) -> BoxFuture<'_, Result<Vec<CreateTransferResult>, EngineError>>;

    /// The accounts of these ids, in the order asked for; unknown ones are left out.
    fn lookup_accounts(&self, ids: Vec<u128>) -> BoxFuture<'_, Result<Vec<Account>, EngineError>>;

    /// The transfers of these ids, in the order asked for; unknown ones are left out.
    fn lookup_transfers(&self, ids: Vec<u128>) -> BoxFuture<'_, Result<Vec<Transfer>, EngineError>>;

    /// The transfers of one account.
    fn get_account_transfers(
        &self,
        filter: AccountFilter,
    ) -> BoxFuture<'_, Result<Vec<Transfer>, EngineError>>;

    /// The balances of one account after each of its transfers; empty unless it keeps
    /// [`crate::AccountFlags::History`].
    fn get_account_balances(
        &self,
        filter: AccountFilter,
    ) -> BoxFuture<'_, Result<Vec<AccountBalance>, EngineError>>;

    /// Accounts by user data, ledger, code and time of creation.
    fn query_accounts(&self, filter: QueryFilter) -> BoxFuture<'_, Result<Vec<Account>, EngineError>>;

    /// Transfers by user data, ledger, code and time of creation.
    fn query_transfers(&self, filter: QueryFilter) -> BoxFuture<'_, Result<Vec<Transfer>, EngineError>>;

    /// Committed transfers after the timestamp `after` (exclusive; zero from the beginning), in commit
    /// order, at most `limit`. Resume with the timestamp of the last item. Expiries are not transfers and
    /// do not appear: a pending transfer without a post or void is expired once [`Transfer::expires_at`]
    /// has passed.
    fn feed(&self, after: u64, limit: u32) -> BoxFuture<'_, Result<Vec<FeedItem>, EngineError>>;

    /// Whether there is room on the disk for what may be asked next; `false` if requests are, or will soon be, answered
    /// [`EngineError::NoSpace`]. A cluster does not tell beforehand.
    fn has_room(&self) -> bool;

    /// Changes whenever something was committed, to the newest timestamp that [`Engine::feed`] can show.
    /// A follower waits on it instead of polling.
    fn committed(&self) -> watch::Receiver<u64>;
}

/// Why a whole request has no answer. What it asked for may or may not have been done, except where the
/// variant says otherwise; asking again with the same ids is safe and tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EngineError {
    /// More than [`crate::BATCH_MAX`] events. Nothing was done.
    TooMuchData,
    /// The engine was closed. Nothing was done unless the request was already under way.
    Closed,
    /// The engine cannot write or reach its storage. An embedded engine whose disk failed answers nothing
    /// until it is reopened; a cluster that was away is used again as soon as it is back.
    Unavailable,
    /// There is no room on the disk for what is asked. Nothing was done; reads go on, and writes do again once
    /// there is room.
    NoSpace,
    /// The engine found its own state in contradiction and stopped before making it worse.
    Corrupt,
    /// The cluster speaks another release than this program's client. Nothing was done.
    Incompatible,
}

impl EngineError {
    /// A stable word for logs and clients.
    pub const fn code(self) -> &'static str {
        match self {
            EngineError::TooMuchData => "ledger_too_much_data",
            EngineError::Closed => "ledger_closed",
            EngineError::Unavailable => "ledger_unavailable",
            EngineError::NoSpace => "ledger_no_space",
            EngineError::Corrupt => "ledger_corrupt",
            EngineError::Incompatible => "ledger_incompatible",
        }
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EngineError::TooMuchData => "the request has more events than one batch may hold",
            EngineError::Closed => "the ledger is closed",
            EngineError::Unavailable => "the ledger cannot reach its storage",
            EngineError::NoSpace => "the disk has no room for the ledger",
            EngineError::Corrupt => "the ledger found its own state in contradiction and stopped",
            EngineError::Incompatible => {
                "the ledger's cluster and this program's client are of different releases"
            }
        })
    }
}

impl std::error::Error for EngineError {}
