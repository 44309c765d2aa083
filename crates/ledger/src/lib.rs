//! A double-entry ledger: the only truth about money.
//!
//! Speaks TigerBeetle's data model ([`Account`], [`Transfer`], their statuses) through one door, the
//! [`Engine`]. [`Embedded`] is the engine that needs nothing but a directory; [`Cluster`] is TigerBeetle itself;
//! [`Address`] says which. [`audit`] and [`export`] read the embedded journal without its engine, so that its books can be
//! doubted; [`recount`] counts the books of either, [`migrate`] moves them.
//!
//! A request is decided by [`rules`] (pure), event after event in a [`batch`]; what it leaves are records
//! ([`posting`]), written as one [`frame`] of the [`journal`] and then taken into the committed books.
//! See `docs/reference/ledger.md`.

mod address;
pub mod audit;
pub mod batch;
mod cluster;
pub mod disk;
pub mod embedded;
mod engine;
pub mod export;
pub mod frame;
pub mod journal;
mod memory;
pub mod migrate;
pub mod posting;
mod query;
pub mod recount;
pub mod rules;
mod status;
mod types;

pub use address::{Address, AddressError, AddressOpenError, Opened};
pub use cluster::{Cluster, ClusterOptions, ConnectError};
pub use embedded::{Embedded, OpenError, Options};
pub use engine::{BoxFuture, Engine, EngineError, Ledger};
pub use journal::{JournalError, Recovery, Torn};
pub use status::{CreateAccountResult, CreateAccountStatus, CreateTransferResult, CreateTransferStatus};
pub use types::{
    Account, AccountBalance, AccountFilter, AccountFilterFlags, AccountFlags, BATCH_MAX, FeedItem,
    QueryFilter, QueryFilterFlags, TIMESTAMP_MAX, Transfer, TransferFlags,
};
