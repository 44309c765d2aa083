//! The cluster engine: TigerBeetle behind the same door, through its official client.
//!
//! The client gathers what many callers ask while one message is under way into the next message, and keeps
//! each caller's batch apart in it (its linked chains, its imports, its timestamps), so nothing is merged here.
//! What this file adds is an end to waiting (the client alone would try for ever), a fresh client after one that
//! was given up, and the signal for followers of the feed. It must never ask twice for a creation that may have
//! arrived: only the caller, who knows the id, may do that.

mod convert;

pub use convert::{account_out, transfer_in, transfer_out};

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tigerbeetle as tb;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::engine::{BoxFuture, Engine, EngineError};
use crate::status::{CreateAccountResult, CreateTransferResult};
use crate::types::{
    Account, AccountBalance, AccountFilter, BATCH_MAX, FeedItem, QueryFilter, QueryFilterFlags,
    TIMESTAMP_MAX, Transfer,
};

/// How soon followers hear of another node's commits while there are some; twice as late after each look
/// that found nothing, up to [`ClusterOptions::poll`].
const POLL_BUSY: Duration = Duration::from_millis(20);

/// What may be chosen when connecting.
#[derive(Debug, Clone, Copy)]
pub struct ClusterOptions {
    /// How long a request waits for the cluster before it is answered [`EngineError::Unavailable`].
    pub deadline: Duration,
    /// The longest time until [`Engine::committed`] shows what another node committed.
    pub poll: Duration,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        ClusterOptions { deadline: Duration::from_secs(10), poll: Duration::from_millis(500) }
    }
}

/// Why a cluster cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// The addresses are not `IP:PORT`, or port numbers, separated by commas; or there are too many.
    Addresses(String),
    /// This machine refused (memory, sockets); holds the client's word for it.
    System(String),
    /// The cluster speaks another release than this client does.
    Incompatible,
    /// Nobody answered in time: the cluster is away, or none of the addresses belongs to this cluster number.
    Away(String),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::Addresses(given) => {
                write!(f, "`{given}`: IP:PORT of each replica is wanted, separated by commas, at most six")
            }
            ConnectError::System(why) => write!(f, "the cluster's client cannot start: {why}"),
            ConnectError::Incompatible => EngineError::Incompatible.fmt(f),
            ConnectError::Away(given) => write!(
                f,
                "no answer from the cluster at {given}: it is not running, not reachable, or has another cluster number"
            ),
        }
    }
}

impl std::error::Error for ConnectError {}

/// A ledger kept by a TigerBeetle cluster. Several nodes may use one cluster at the same time.
pub struct Cluster {
    shared: Arc<Shared>,
}

struct Shared {
    cluster: u128,
    addresses: String,
    options: ClusterOptions,
    connection: Mutex<Connection>,
    committed: watch::Sender<u64>,
}

/// The client in use. Asking takes the lock only to queue a request, never to wait for its answer.
struct Connection {
    client: Option<tb::Client>,
    /// Counts clients, so that a request that waited for an old one does not give up the new one.
    generation: u64,
    closed: bool,
}

impl Cluster {
    /// Connects, and makes sure that the cluster answers. Call inside a tokio runtime with time enabled.
    pub async fn connect(
        cluster: u128,
        addresses: &str,
        options: ClusterOptions,
    ) -> Result<Cluster, ConnectError> {
        let client = new_client(cluster, addresses)?;
        let shared = Arc::new(Shared {
            cluster,
            addresses: addresses.to_owned(),
            options,
            connection: Mutex::new(Connection { client: Some(client), generation: 0, closed: false }),
            committed: watch::channel(0).0,
        });
        let engine = Cluster { shared: shared.clone() };
        match shared.newest().await {
            Ok(newest) => drop(shared.committed.send_replace(newest)),
            Err(EngineError::Incompatible) => return Err(ConnectError::Incompatible),
            Err(_) => return Err(ConnectError::Away(addresses.to_owned())),
        }
        tokio::spawn(follow(Arc::downgrade(&shared)));
        Ok(engine)
    }

    /// Gives up the connection. What is under way may or may not be done, and is answered
    /// [`EngineError::Closed`], as is every later request. Dropping the engine does the same.
    pub async fn close(&self) {
        let client = {
            let mut connection = self.shared.connection();
            connection.closed = true;
            connection.client.take()
        };
        if let Some(client) = client {
            let _ = client.close().await; // fails only where there is nothing left to close
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut connection = self.shared.connection();
        connection.closed = true;
        connection.client = None; // the client ends on a thread of its own
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { cluster, addresses, .. } = &*self.shared;
        f.debug_struct("Cluster")
            .field("cluster", cluster)
            .field("addresses", addresses)
            .finish_non_exhaustive()
    }
}

fn new_client(cluster: u128, addresses: &str) -> Result<tb::Client, ConnectError> {
    tb::Client::new(cluster, addresses).map_err(|e| match e {
        tb::InitError::AddressInvalid | tb::InitError::AddressLimitExceeded => {
            ConnectError::Addresses(addresses.to_owned())
        }
        other => ConnectError::System(other.to_string()),
    })
}

/// A request handed to a client: the answer to come, and which client it was.
struct Queued<F> {
    answer: F,
    generation: u64,
}

impl Shared {
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a request to the client, a fresh one if the last was given up.
    fn queue<F>(&self, ask: impl FnOnce(&tb::Client) -> F) -> Result<Queued<F>, EngineError> {
        let mut connection = self.connection();
        if connection.closed {
            return Err(EngineError::Closed);
        }
        if connection.client.is_none() {
            // The addresses were good once, so what fails here is this machine.
            let client = new_client(self.cluster, &self.addresses).map_err(|_| EngineError::Unavailable)?;
            connection.client = Some(client);
        }
        let Connection { client: Some(client), generation, .. } = &*connection else {
            return Err(EngineError::Unavailable);
        };
        Ok(Queued { answer: ask(client), generation: *generation })
    }

    /// Ends this client, unless that was done already: everything it still holds is answered
    /// [`EngineError::Unavailable`], so that an outage does not pile up requests that nobody waits for any more.
    fn give_up(&self, generation: u64) {
        let mut connection = self.connection();
        if connection.generation == generation {
            connection.generation += 1;
            connection.client = None;
        }
    }

    /// Waits for an answer, at most until the deadline.
    async fn wait<T>(
        &self,
        Queued { answer, generation }: Queued<impl Future<Output = Result<T, tb::Error>>>,
        until: Instant,
    ) -> Result<T, Missed> {
        let error = match tokio::time::timeout_at(until, answer).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error,
            Err(_) => {
                self.give_up(generation);
                return Err(Missed::For(EngineError::Unavailable));
            }
        };
        let mut closed = self.connection().closed;
        match error {
            tb::Error::TooMuchData => return Err(Missed::For(EngineError::TooMuchData)),
            // The cluster has forgotten this client: too many others came, or it was away for too long.
            tb::Error::ClientEvicted => self.give_up(generation),
            tb::Error::ClientReleaseTooLow | tb::Error::ClientReleaseTooHigh => {
                self.give_up(generation);
                return Err(Missed::For(EngineError::Incompatible));
            }
            tb::Error::ClientClosed => {
                let connection = self.connection();
                closed = connection.closed;
                let ours = connection.generation != generation;
                drop(connection);
                if !closed && !ours {
                    // An evicted client takes nothing more: this request never left.
                    self.give_up(generation);
                    return Err(Missed::NeverSent);
                }
            }
            _ => return Err(Missed::For(EngineError::Corrupt)),
        }
        Err(Missed::For(if closed { EngineError::Closed } else { EngineError::Unavailable }))
    }

    /// The newest transfer's timestamp.
    async fn newest(&self) -> Result<u64, EngineError> {
        let filter = QueryFilter { limit: 1, flags: QueryFilterFlags::Reversed, ..QueryFilter::default() };
        let found = self.read(|client| client.query_transfers(convert::query_filter(&filter))).await?;
        Ok(found.first().map_or(0, |t| t.timestamp))
    }

    /// Asks for something that changes nothing, a second time where the first client had been evicted.
    async fn read<T, F: Future<Output = Result<T, tb::Error>>>(
        &self,
        ask: impl Fn(&tb::Client) -> F,
    ) -> Result<T, EngineError> {
        let until = Instant::now() + self.options.deadline;
        let queued = self.queue(&ask)?;
        let generation = queued.generation;
        match self.wait(queued, until).await {
            Ok(answer) => Ok(answer),
            Err(Missed::For(EngineError::Unavailable))
                if Instant::now() < until && self.connection().generation == generation + 1 =>
            {
                self.wait(self.queue(&ask)?, until).await.map_err(Missed::error)
            }
            Err(Missed::NeverSent) => self.wait(self.queue(&ask)?, until).await.map_err(Missed::error),
            Err(Missed::For(e)) => Err(e),
        }
    }

    fn tell(&self, newest: u64) -> bool {
        self.committed.send_if_modified(|known| {
            let news = newest > *known;
            *known = newest.max(*known);
            news
        })
    }
}

/// Why there is no answer.
#[derive(Clone, Copy)]
enum Missed {
    /// Known not to have been sent: asking again is safe whatever it is.
    NeverSent,
    /// It may have been done.
    For(EngineError),
}

impl Missed {
    fn error(self) -> EngineError {
        match self {
            Missed::NeverSent => EngineError::Unavailable,
            Missed::For(e) => e,
        }
    }
}

/// Looks for what other nodes committed, as long as somebody follows. Seldom when nothing happens.
async fn follow(shared: Weak<Shared>) {
    let mut pause = POLL_BUSY;
    loop {
        tokio::time::sleep(pause).await;
        let Some(shared) = shared.upgrade() else { return };
        let longest = shared.options.poll;
        pause = (pause * 2).min(longest);
        if shared.connection().closed {
            return;
        }
        if shared.committed.receiver_count() == 0 {
            continue;
        }
        match shared.newest().await {
            Ok(newest) if shared.tell(newest) => pause = POLL_BUSY.min(longest),
            Ok(_) | Err(_) => {} // whoever asks for something hears about an outage; here it only takes longer
        }
    }
}

/// Whether a request is within one message, and how many items it has.
fn fits(items: usize) -> Result<(), EngineError> {
    if items > BATCH_MAX { Err(EngineError::TooMuchData) } else { Ok(()) }
}

macro_rules! create {
    ($self:ident, $events:ident, $call:ident, $event:path, $result:path) => {{
        let asked = fits($events.len()).and_then(|()| {
            let events: Vec<_> = $events.iter().map($event).collect();
            // Queued now, not when the future is first polled.
            let until = Instant::now() + $self.shared.options.deadline;
            Ok(($self.shared.queue(|client| client.$call(&events))?, events, until))
        });
        Box::pin(async move {
            let (queued, events, until) = asked?;
            let results = match $self.shared.wait(queued, until).await {
                Err(Missed::NeverSent) => {
                    let again = $self.shared.queue(|client| client.$call(&events))?;
                    $self.shared.wait(again, until).await.map_err(Missed::error)?
                }
                other => other.map_err(Missed::error)?,
            };
            results.iter().map($result).collect::<Result<Vec<_>, EngineError>>()
        })
    }};
}

impl Engine for Cluster {
    fn create_accounts(
        &self,
        events: Vec<Account>,
    ) -> BoxFuture<'_, Result<Vec<CreateAccountResult>, EngineError>> {
        if events.is_empty() {
            return Box::pin(std::future::ready(Ok(vec![])));
        }
        create!(self, events, create_accounts, convert::account_out, convert::account_result)
    }

    fn create_transfers(
        &self,
        events: Vec<Transfer>,
    ) -> BoxFuture<'_, Result<Vec<CreateTransferResult>, EngineError>> {
        if events.is_empty() {
            return Box::pin(std::future::ready(Ok(vec![])));
        }
        let created: BoxFuture<'_, Result<Vec<CreateTransferResult>, EngineError>> =
            create!(self, events, create_transfers, convert::transfer_out, convert::transfer_result);
        Box::pin(async move {
            let results = created.await?;
            let in_ledger = results.iter().filter(|r| r.status.is_in_ledger());
            if let Some(newest) = in_ledger.map(|r| r.timestamp).max() {
                self.shared.tell(newest);
            }
            Ok(results)
        })
    }

    fn lookup_accounts(&self, ids: Vec<u128>) -> BoxFuture<'_, Result<Vec<Account>, EngineError>> {
        Box::pin(async move {
            fits(ids.len())?;
            if ids.is_empty() {
                return Ok(vec![]);
            }
            let found = self.shared.read(|client| client.lookup_accounts(&ids)).await?;
            Ok(found.iter().map(convert::account_in).collect())
        })
    }

    fn lookup_transfers(&self, ids: Vec<u128>) -> BoxFuture<'_, Result<Vec<Transfer>, EngineError>> {
        Box::pin(async move {
            fits(ids.len())?;
            if ids.is_empty() {
                return Ok(vec![]);
            }
            let found = self.shared.read(|client| client.lookup_transfers(&ids)).await?;
            Ok(found.iter().map(convert::transfer_in).collect())
        })
    }

    fn get_account_transfers(
        &self,
        filter: AccountFilter,
    ) -> BoxFuture<'_, Result<Vec<Transfer>, EngineError>> {
        let filter = convert::account_filter(&filter);
        Box::pin(async move {
            let found = self.shared.read(|client| client.get_account_transfers(filter)).await?;
            Ok(found.iter().map(convert::transfer_in).collect())
        })
    }

    fn get_account_balances(
        &self,
        filter: AccountFilter,
    ) -> BoxFuture<'_, Result<Vec<AccountBalance>, EngineError>> {
        let filter = convert::account_filter(&filter);
        Box::pin(async move {
            let found = self.shared.read(|client| client.get_account_balances(filter)).await?;
            Ok(found.iter().map(convert::balance_in).collect())
        })
    }

    fn query_accounts(&self, filter: QueryFilter) -> BoxFuture<'_, Result<Vec<Account>, EngineError>> {
        let filter = convert::query_filter(&filter);
        Box::pin(async move {
            let found = self.shared.read(|client| client.query_accounts(filter)).await?;
            Ok(found.iter().map(convert::account_in).collect())
        })
    }

    fn query_transfers(&self, filter: QueryFilter) -> BoxFuture<'_, Result<Vec<Transfer>, EngineError>> {
        let filter = convert::query_filter(&filter);
        Box::pin(async move {
            let found = self.shared.read(|client| client.query_transfers(filter)).await?;
            Ok(found.iter().map(convert::transfer_in).collect())
        })
    }

    fn feed(&self, after: u64, limit: u32) -> BoxFuture<'_, Result<Vec<FeedItem>, EngineError>> {
        Box::pin(async move {
            if after >= TIMESTAMP_MAX || limit == 0 {
                return Ok(vec![]);
            }
            let filter = QueryFilter { timestamp_min: after + 1, limit, ..QueryFilter::default() };
            let found = self.query_transfers(filter).await?;
            Ok(found.into_iter().map(|transfer| FeedItem { transfer }).collect())
        })
    }

    fn has_room(&self) -> bool {
        true
    }
    fn committed(&self) -> watch::Receiver<u64> {
        self.shared.committed.subscribe()
    }
}
