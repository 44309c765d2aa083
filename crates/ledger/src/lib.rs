//! A double-entry ledger: the only truth about money.
//!
//! Speaks TigerBeetle's data model ([`Account`], [`Transfer`], their statuses) through one door, the
//! [`Engine`]. [`Embedded`] is the engine that needs nothing but a directory; [`Cluster`] is TigerBeetle itself;
//! [`Address`] says which. [`audit`] and [`export`] read the embedded journal without its engine, so that its books can be
//! doubted; [`recount`] counts the books of either, [`migrate`] moves them.
//!
//! A request is decided by [`rules`] (pure), event after event in a batch; what it leaves are records
//! ([`posting`]), taken into the books at once and written as part of one [`frame`] of the [`journal`]; nobody is told, and
//! nothing is shown, before it is synced.
//! See `docs/reference/ledger.md`.

mod accounts;
mod address;
pub mod audit;
pub mod backup;
mod batch;
mod books;
mod cluster;
pub mod disk;
pub mod embedded;
mod engine;
pub mod export;
mod fault;
mod filter;
pub mod frame;
mod hash;
pub mod index;
mod indexer;
pub mod inline;
pub mod journal;
mod keeper;
pub mod migrate;
mod past;
pub mod posting;
mod query;
mod radix;
mod recent;
pub mod recount;
mod recover;
pub mod rules;
mod sealed;
pub mod snapshot;
mod status;
pub mod table;
mod types;
mod writer;

pub use address::{Address, AddressError, AddressOpenError, Opened};
pub use cluster::{Cluster, ClusterOptions, ConnectError, account_out, transfer_in, transfer_out};
pub use embedded::{Embedded, OpenError, Options};
pub use engine::{BoxFuture, Engine, EngineError, Ledger};
pub use fault::Fault;
pub use inline::Inline;
pub use journal::{JournalError, Recovery, Torn};
pub use status::{CreateAccountResult, CreateAccountStatus, CreateTransferResult, CreateTransferStatus};
pub use types::{
    Account, AccountBalance, AccountFilter, AccountFilterFlags, AccountFlags, BATCH_MAX, FeedItem,
    QueryFilter, QueryFilterFlags, TIMESTAMP_MAX, Transfer, TransferFlags,
};
