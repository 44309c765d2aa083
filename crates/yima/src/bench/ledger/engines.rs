//! The engines of a comparison behind one face: the embedded ledger, TigerBeetle through its official client, and the
//! baseline on PostgreSQL. Each is driven in the way that is fastest for it; none gets work that another does not.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use kernel::SystemClock;
use ledger::{
    Account, AccountFilter, AccountFilterFlags, BATCH_MAX, CreateAccountStatus, CreateTransferStatus,
    Embedded, Engine as _, QueryFilter, Transfer, account_out, transfer_in, transfer_out,
};
use tigerbeetle as tb;

use super::events::LEDGER;
use super::store::{Baseline, Columns};
use crate::config::Fail;

/// Which engine, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spec {
    /// The ledger in a directory.
    Embedded(PathBuf),
    /// A TigerBeetle cluster: its number and its addresses.
    TigerBeetle(u128, String),
    /// A database.
    Postgres(String),
}

impl Spec {
    /// Its name in the output.
    pub fn name(&self) -> &'static str {
        match self {
            Spec::Embedded(_) => "embedded",
            Spec::TigerBeetle(..) => "tigerbeetle",
            Spec::Postgres(_) => "postgres",
        }
    }
}

impl FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> Result<Spec, String> {
        let wrong = || format!("{text}: give embedded:DIR, tigerbeetle:CLUSTER@ADDRESSES or postgres://…");
        let (kind, rest) = text.split_once(':').filter(|(_, rest)| !rest.is_empty()).ok_or_else(wrong)?;
        match kind {
            "embedded" => Ok(Spec::Embedded(rest.into())),
            "tigerbeetle" => {
                let (cluster, addresses) = rest.split_once('@').ok_or_else(wrong)?;
                Ok(Spec::TigerBeetle(cluster.parse().map_err(|_| wrong())?, addresses.to_owned()))
            }
            // `postgres:` in front of an address, or the address alone.
            "postgres" if rest.starts_with("//") => Ok(Spec::Postgres(text.to_owned())),
            "postgres" => Ok(Spec::Postgres(rest.to_owned())),
            _ => Err(wrong()),
        }
    }
}

/// What an account holds, as far as the proof asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Whose.
    pub id: u128,
    /// Reserved and not resolved, both ways together.
    pub open: u128,
    /// Moved out.
    pub debits: u128,
    /// Moved in.
    pub credits: u128,
    /// When it was created: the cursor of [`Peer::accounts_after`].
    pub timestamp: u64,
}

/// An engine under test.
#[derive(Debug)]
pub enum Peer {
    /// In this process.
    Embedded(Arc<Embedded>),
    /// A client a lane: one client has one request under way.
    TigerBeetle(Vec<tb::Client>),
    /// Over a pool of connections.
    Postgres(Baseline),
}

/// How an engine wants its batches.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// As they are.
    Ours,
    /// In the official client's types.
    Theirs,
    /// As columns.
    Columns,
}

/// A batch as its engine takes it. Made before the clock runs.
#[derive(Debug)]
pub enum Batch {
    /// See [`Form::Ours`].
    Ours(Vec<Transfer>),
    /// See [`Form::Theirs`].
    Theirs(Vec<tb::Transfer>),
    /// See [`Form::Columns`].
    Columns(Box<Columns>),
}

impl Form {
    /// Makes it.
    pub fn make(self, events: Vec<Transfer>) -> Batch {
        match self {
            Form::Ours => Batch::Ours(events),
            Form::Theirs => Batch::Theirs(events.iter().map(transfer_out).collect()),
            Form::Columns => Batch::Columns(Box::new(Columns::new(&events))),
        }
    }
}

/// What became of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// So many were created.
    pub created: u64,
    /// What became of the first that was not, in words.
    pub refused: Option<String>,
}

impl Outcome {
    fn of<S: Copy + PartialEq + std::fmt::Debug>(statuses: impl Iterator<Item = S>, created: S) -> Outcome {
        let mut outcome = Outcome::default();
        for status in statuses {
            if status == created {
                outcome.created += 1;
            } else if outcome.refused.is_none() {
                outcome.refused = Some(format!("{status:?}"));
            }
        }
        outcome
    }
}

impl Peer {
    /// Opens it. What it needs is there afterwards: a directory, or tables that are made anew if `fresh`.
    pub async fn open(spec: &Spec, lanes: usize, connections: u32, fresh: bool) -> Result<Peer, Fail> {
        match spec {
            Spec::Embedded(dir) => Ok(Peer::Embedded(embedded(dir)?)),
            Spec::TigerBeetle(cluster, addresses) => {
                let clients: Result<_, _> =
                    (0..lanes).map(|_| tb::Client::new(*cluster, addresses)).collect();
                Ok(Peer::TigerBeetle(clients?))
            }
            Spec::Postgres(url) => {
                let connections = connections.max(u32::try_from(lanes)?);
                Ok(Peer::Postgres(Baseline::open(url, connections, fresh).await?))
            }
        }
    }

    /// How it wants batches.
    pub fn form(&self) -> Form {
        match self {
            Peer::Embedded(_) => Form::Ours,
            Peer::TigerBeetle(_) => Form::Theirs,
            Peer::Postgres(_) => Form::Columns,
        }
    }

    /// Creates accounts.
    pub async fn create_accounts(&self, events: Vec<Account>) -> Result<Outcome, Fail> {
        match self {
            Peer::Embedded(engine) => {
                let results = engine.create_accounts(events).await?;
                Ok(Outcome::of(results.iter().map(|r| r.status), CreateAccountStatus::Created))
            }
            Peer::TigerBeetle(clients) => {
                let events: Vec<_> = events.iter().map(account_out).collect();
                let results = client(clients, 0)?.create_accounts(&events).await?;
                Ok(Outcome::of(results.iter().map(|r| r.status), tb::CreateAccountStatus::Created))
            }
            Peer::Postgres(baseline) => {
                Ok(Outcome { created: baseline.create_accounts(&events).await?, refused: None })
            }
        }
    }

    /// Says that all accounts are there.
    pub async fn settle(&self) -> Result<(), Fail> {
        if let Peer::Postgres(baseline) = self {
            baseline.settle().await?;
        }
        Ok(())
    }

    /// Creates a batch of transfers. `lane` is the sender's number.
    pub async fn send(&self, lane: usize, batch: Batch) -> Result<Outcome, Fail> {
        match (self, batch) {
            (Peer::Embedded(engine), Batch::Ours(events)) => {
                let results = engine.create_transfers(events).await?;
                Ok(Outcome::of(results.iter().map(|r| r.status), CreateTransferStatus::Created))
            }
            (Peer::TigerBeetle(clients), Batch::Theirs(events)) => {
                // The variant that takes the events as they are, without a copy.
                let answer = client(clients, lane)?.create_transfers_reusable(
                    tb::Completion::new(),
                    events,
                    Vec::new(),
                );
                let (_, _, results) = answer.await?;
                Ok(Outcome::of(results.iter().map(|r| r.status), tb::CreateTransferStatus::Created))
            }
            (Peer::Postgres(baseline), Batch::Columns(columns)) => {
                Ok(Outcome { created: baseline.create_transfers(*columns).await?, refused: None })
            }
            _ => Err(Fail::new("a batch was made for another engine")),
        }
    }

    /// Creates one transfer, as one of many callers.
    pub async fn send_one(&self, event: Transfer) -> Result<Outcome, Fail> {
        match self {
            Peer::Postgres(baseline) => {
                let created = u64::from(baseline.create_transfer(&event).await?);
                Ok(Outcome { created, refused: None })
            }
            _ => self.send(0, self.form().make(vec![event])).await,
        }
    }

    /// The accounts of these ids, in their order; at most one batch.
    pub async fn accounts(&self, ids: Vec<u128>) -> Result<Vec<Held>, Fail> {
        match self {
            Peer::Embedded(engine) => Ok(engine.lookup_accounts(ids).await?.iter().map(held).collect()),
            Peer::TigerBeetle(clients) => {
                Ok(client(clients, 0)?.lookup_accounts(&ids).await?.iter().map(held_theirs).collect())
            }
            Peer::Postgres(baseline) => Ok(baseline.accounts(&ids).await?),
        }
    }

    /// Accounts in the order of their creation, from behind the one created then; at most one batch.
    pub async fn accounts_after(&self, after: u64) -> Result<Vec<Held>, Fail> {
        let limit = u32::try_from(BATCH_MAX)?;
        match self {
            Peer::Embedded(engine) => {
                let filter =
                    QueryFilter { ledger: LEDGER, timestamp_min: after + 1, limit, ..QueryFilter::default() };
                Ok(engine.query_accounts(filter).await?.iter().map(held).collect())
            }
            Peer::TigerBeetle(clients) => {
                let filter = tb::QueryFilter {
                    ledger: LEDGER,
                    timestamp_min: after + 1,
                    limit,
                    ..tb::QueryFilter::default()
                };
                Ok(client(clients, 0)?.query_accounts(filter).await?.iter().map(held_theirs).collect())
            }
            Peer::Postgres(baseline) => Ok(baseline.accounts_after(after, limit).await?),
        }
    }

    /// The transfers of these ids, in their order; at most one batch.
    pub async fn transfers(&self, ids: Vec<u128>) -> Result<Vec<Transfer>, Fail> {
        match self {
            Peer::Embedded(engine) => Ok(engine.lookup_transfers(ids).await?),
            Peer::TigerBeetle(clients) => {
                Ok(client(clients, 0)?.lookup_transfers(&ids).await?.iter().map(transfer_in).collect())
            }
            Peer::Postgres(baseline) => Ok(baseline.transfers(&ids).await?),
        }
    }

    /// The newest transfers of an account, newest first.
    pub async fn newest(&self, account_id: u128, limit: u32) -> Result<Vec<Transfer>, Fail> {
        match self {
            Peer::Embedded(engine) => {
                let flags =
                    AccountFilterFlags::Debits | AccountFilterFlags::Credits | AccountFilterFlags::Reversed;
                let filter = AccountFilter { account_id, limit, flags, ..AccountFilter::default() };
                Ok(engine.get_account_transfers(filter).await?)
            }
            Peer::TigerBeetle(clients) => {
                let flags = tb::AccountFilterFlags::Debits
                    | tb::AccountFilterFlags::Credits
                    | tb::AccountFilterFlags::Reversed;
                let filter = tb::AccountFilter { account_id, limit, flags, ..tb::AccountFilter::default() };
                Ok(client(clients, 0)?.get_account_transfers(filter).await?.iter().map(transfer_in).collect())
            }
            Peer::Postgres(baseline) => Ok(baseline.newest(account_id, limit).await?),
        }
    }
}

/// Opens the ledger in `dir`.
pub fn embedded(dir: &Path) -> Result<Arc<Embedded>, Fail> {
    Ok(Arc::new(Embedded::open(dir, Arc::new(SystemClock))?.0))
}

fn client(clients: &[tb::Client], lane: usize) -> Result<&tb::Client, Fail> {
    clients.get(lane).ok_or_else(|| Fail::new("there are more lanes than clients"))
}

fn held(account: &Account) -> Held {
    let open = account.debits_pending + account.credits_pending;
    let (debits, credits) = (account.debits_posted, account.credits_posted);
    Held { id: account.id, open, debits, credits, timestamp: account.timestamp }
}

fn held_theirs(account: &tb::Account) -> Held {
    let open = account.debits_pending + account.credits_pending;
    let (debits, credits) = (account.debits_posted, account.credits_posted);
    Held { id: account.id, open, debits, credits, timestamp: account.timestamp }
}

#[cfg(test)]
mod tests {
    use ledger::TransferFlags;

    use super::*;

    #[test]
    fn engines_are_named_by_their_address() {
        let cases = [
            ("embedded:some/dir", Some(Spec::Embedded("some/dir".into()))),
            ("tigerbeetle:0@3000,3001", Some(Spec::TigerBeetle(0, "3000,3001".into()))),
            ("postgres://u@h/db", Some(Spec::Postgres("postgres://u@h/db".into()))),
            ("postgres:postgres://u@h/db", Some(Spec::Postgres("postgres://u@h/db".into()))),
            ("tigerbeetle:3000", None),
            ("tigerbeetle:x@3000", None),
            ("sqlite:file", None),
            ("embedded:", None),
            ("embedded", None),
        ];
        for (text, spec) in cases {
            assert_eq!(text.parse().ok(), spec, "{text}");
        }
    }

    #[test]
    fn a_transfer_survives_the_other_clients_types() {
        let transfer = Transfer {
            id: 1,
            debit_account_id: 2,
            credit_account_id: 3,
            amount: 4,
            pending_id: 5,
            user_data_128: 6,
            user_data_64: 7,
            user_data_32: 8,
            timeout: 9,
            ledger: 10,
            code: 11,
            flags: TransferFlags::Pending,
            timestamp: 12,
        };
        assert_eq!(transfer_in(&transfer_out(&transfer)), transfer);
    }

    #[test]
    fn the_first_refusal_is_told() {
        let outcome = Outcome::of([1, 2, 1, 3].into_iter(), 1);
        assert_eq!(outcome, Outcome { created: 2, refused: Some("2".into()) });
    }
}
