//! The embedded engine: a ledger in a directory, in this process.
//!
//! One thread decides the requests of all callers one after another, one writes and syncs what was decided as one
//! frame and answers; behind them one prepares segments, and one indexes and takes snapshots. Readers ask the books as
//! they are worked on, and wait until what they saw is on disk: no answer shows what a crash could undo.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::{fmt, io};

use kernel::Clock;
use tokio::sync::{oneshot, watch};

use crate::disk::{Directory, Disk};
use crate::engine::{BoxFuture, Engine, EngineError};
use crate::fault::Fault;
use crate::journal::{self, JournalError, Recovery};
use crate::keeper::{Keeper, prepare_all};
use crate::past::AccountBalances;
use crate::query::{self, AccountTransfers, Feed, Narrow, QueryTransfers, Question, Scan, Step};
use crate::recover::{self, Opened};
use crate::rules::Known;
use crate::status::{CreateAccountResult, CreateTransferResult};
use crate::types::{Account, AccountBalance, AccountFilter, BATCH_MAX, FeedItem, QueryFilter, Transfer};
use crate::writer::{Answer, Decided, Decider, EXPIRY_POLL, Shared, Syncer, lock};

/// Why a directory cannot be opened as a ledger.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another engine of this one, has it open.
    Locked(PathBuf),
    /// The journal cannot be read, or is damaged before its end.
    Journal(JournalError),
    /// The operating system refused.
    Io(PathBuf, io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Locked(dir) => {
                write!(f, "the ledger in {} is in use by another process", dir.display())
            }
            OpenError::Journal(e) => e.fmt(f),
            OpenError::Io(path, e) => write!(f, "{}: {e}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<JournalError> for OpenError {
    fn from(e: JournalError) -> Self {
        OpenError::Journal(e)
    }
}

/// What may be chosen when opening.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Bytes of a segment of the journal; at most [`crate::index::SEGMENT_MAX`].
    pub file_bytes: u64,
    /// So many indexes of the same length are merged into one.
    pub merge: usize,
    /// Bytes of journal after which a snapshot is taken; more if the accounts take more than that.
    pub snapshot_bytes: u64,
}

impl Options {
    /// The same, within what the layout allows.
    pub(crate) fn checked(self) -> Options {
        Options {
            file_bytes: self.file_bytes.clamp(1024, crate::index::SEGMENT_MAX),
            merge: self.merge.clamp(2, crate::index::SPAN as usize),
            ..self
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Options { file_bytes: journal::FILE_BYTES, merge: 16, snapshot_bytes: 1 << 30 }
    }
}

/// A ledger in a directory of this machine.
pub struct Embedded {
    shared: Arc<Shared>,
    queue: Sender<Request>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Held as long as the ledger is open.
    lock: Mutex<Option<File>>,
}

/// How much the keeper gives way to the threads that somebody waits for.
const KEEPER_NICE: i32 = 10;

enum Request {
    Accounts(Vec<Account>, Answer<CreateAccountResult>),
    Transfers(Vec<Transfer>, Answer<CreateTransferResult>),
    Close,
}

impl Embedded {
    /// Opens the ledger in `dir`, creating it if it is not there: begins with the newest snapshot, reads the
    /// journal from there on, cuts an unfinished write at its end, and refuses if anything before the end
    /// is damaged.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<(Embedded, Recovery), OpenError> {
        Embedded::open_with(dir, clock, Options::default())
    }

    /// As [`Embedded::open`], with [`Options`].
    pub fn open_with(
        dir: &Path,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<(Embedded, Recovery), OpenError> {
        let io_at = |path: &Path| {
            let path = path.to_owned();
            |e| OpenError::Io(path, e)
        };
        if !dir.is_dir() {
            fs::create_dir_all(dir).map_err(io_at(dir))?;
            if let Some(parent) = dir.canonicalize().ok().and_then(|d| d.parent().map(Path::to_owned)) {
                Directory::new(&parent).sync_names().map_err(io_at(&parent))?;
            }
        }
        let lock_path = dir.join("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&lock_path);
        let lock = lock.map_err(io_at(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Locked(dir.to_owned())),
            Err(TryLockError::Error(e)) => return Err(OpenError::Io(lock_path, e)),
        }
        raise_file_limit();
        let Opened { shared, log, newest, snapshot, recovery } =
            recover::open(Arc::new(Directory::new(dir)), options, true)?;
        let shared = Arc::new(shared);
        let (queue, requests) = mpsc::channel();
        let mut decider = Decider::new(shared.clone(), clock, newest);
        let mut syncer = Syncer::new(shared.clone(), log);
        let mut keeper = Keeper::new(shared.clone(), snapshot);
        let threads = vec![
            spawn(&shared, "ledger-writer", move || serve(&mut decider, &requests)).map_err(io_at(dir))?,
            spawn(&shared, "ledger-syncer", move || syncer.run()).map_err(io_at(dir))?,
            spawn(&shared, "ledger-preparer", {
                let shared = shared.clone();
                move || prepare_all(&shared)
            })
            .map_err(io_at(dir))?,
            spawn(&shared, "ledger-keeper", move || {
                // It has time, as long as it keeps up, which requests wait for in the end.
                let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), KEEPER_NICE);
                keeper.run()
            })
            .map_err(io_at(dir))?,
        ];
        Ok((Embedded { shared, queue, threads: Mutex::new(threads), lock: Mutex::new(Some(lock)) }, recovery))
    }

    /// Finishes and answers what was asked before, takes a snapshot and gives up the directory; returns once that is
    /// done, also if another began it. What is asked later is answered [`EngineError::Closed`], and nothing of it is
    /// done. Dropping the engine does the same.
    pub fn close(&self) {
        let mut running = lock(&self.threads);
        if running.is_empty() {
            return;
        }
        self.shared.closing();
        let mut threads = std::mem::take(&mut *running);
        let _ = self.queue.send(Request::Close); // refused only if the decider is gone already
        let behind = threads.split_off(2);
        // A thread's panic has left the state corrupt; there is nothing to add here.
        for thread in threads {
            let _ = thread.join();
        }
        lock(&self.shared.spare).closing = true;
        self.shared.chores.notify_all();
        for thread in behind {
            let _ = thread.join();
        }
        self.shared.fail(EngineError::Closed);
        lock(&self.lock).take();
    }

    fn submit<T: Send + 'static>(
        &self,
        events: usize,
        request: impl FnOnce(Answer<T>) -> Request,
    ) -> BoxFuture<'_, Result<Vec<T>, EngineError>> {
        if events > BATCH_MAX {
            return Box::pin(std::future::ready(Err(EngineError::TooMuchData)));
        }
        let (answer, result) = oneshot::channel();
        let sent = self.queue.send(request(answer));
        Box::pin(async move {
            sent.map_err(|_| self.shared.failure())?;
            result.await.unwrap_or_else(|_| Err(self.shared.failure()))
        })
    }

    /// Waits until so many records are on disk.
    async fn durable(&self, records: u64) -> Result<(), EngineError> {
        let mut durable = self.shared.durable.subscribe();
        loop {
            // First: what was found is answered also if the ledger was closed meanwhile.
            if *durable.borrow_and_update() >= records {
                return Ok(());
            }
            self.shared.check()?;
            durable.changed().await.map_err(|_| self.shared.failure())?;
        }
    }

    /// Answers a question in steps, giving way to others between them.
    async fn ask<Q: Question>(&self, mut question: Q) -> Result<Vec<Q::Item>, EngineError> {
        let mut found = Vec::new();
        loop {
            let step = step(&self.shared, &question)?;
            found.extend(step.found);
            let Some(rest) = step.rest else { return Ok(found) };
            question = question.with(rest);
            tokio::task::yield_now().await;
        }
    }
}

/// One step of a question.
pub(crate) fn step<Q: Question>(
    shared: &Shared,
    question: &Q,
) -> Result<Step<Q::Item, Q::Filter>, EngineError>
where
    Q::Filter: Narrow,
{
    let durable = *shared.durable.borrow();
    let scan = shared.read(|books| question.begin(books, durable))?;
    let step = match scan {
        Scan::Memory(copied) => question.finish(copied),
        Scan::Sealed(scan) => question.go_on(scan),
    };
    step.map_err(|fault| shared.fault(&fault))
}

/// The accounts of these ids, and how many records must be on disk before they may be shown.
pub(crate) fn accounts(shared: &Shared, ids: &[u128]) -> Result<(Vec<Account>, u64), EngineError> {
    shared.read(|books| {
        let slots = ids.iter().filter_map(|id| books.accounts().find(*id));
        let mut stamp = 0;
        let found = slots.map(|slot| {
            let entry = books.accounts().at(slot);
            stamp = stamp.max(entry.stamp);
            entry.account
        });
        (found.collect(), stamp)
    })
}

/// The transfers of these ids that are on disk.
pub(crate) fn transfers(shared: &Shared, ids: &[u128]) -> Result<Vec<Transfer>, EngineError> {
    let durable = *shared.durable.borrow();
    let mut found: Vec<Option<Transfer>> = Vec::with_capacity(ids.len());
    let sealed = shared.read(|books| {
        for id in ids {
            let recent = books.recent().rev().find_map(|recent| recent.find(*id));
            let visible = recent.filter(|(number, _)| *number < durable);
            found.push(visible.and_then(|(_, item)| item.transfer()).copied());
        }
        books.sealed().clone()
    })?;
    for (id, found) in ids.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
        if let Known::Created(t) = sealed.lookup(*id).map_err(|fault| shared.fault(&fault))? {
            *found = Some(t);
        }
    }
    Ok(found.into_iter().flatten().collect())
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("state", &self.shared.check()).finish_non_exhaustive()
    }
}

impl Engine for Embedded {
    fn create_accounts(
        &self,
        events: Vec<Account>,
    ) -> BoxFuture<'_, Result<Vec<CreateAccountResult>, EngineError>> {
        self.submit(events.len(), |answer| Request::Accounts(events, answer))
    }
    fn create_transfers(
        &self,
        events: Vec<Transfer>,
    ) -> BoxFuture<'_, Result<Vec<CreateTransferResult>, EngineError>> {
        self.submit(events.len(), |answer| Request::Transfers(events, answer))
    }
    fn lookup_accounts(&self, ids: Vec<u128>) -> BoxFuture<'_, Result<Vec<Account>, EngineError>> {
        Box::pin(async move {
            if ids.len() > BATCH_MAX {
                return Err(EngineError::TooMuchData);
            }
            let (found, stamp) = accounts(&self.shared, &ids)?;
            self.durable(stamp).await?;
            Ok(found)
        })
    }
    fn lookup_transfers(&self, ids: Vec<u128>) -> BoxFuture<'_, Result<Vec<Transfer>, EngineError>> {
        Box::pin(async move {
            if ids.len() > BATCH_MAX {
                return Err(EngineError::TooMuchData);
            }
            transfers(&self.shared, &ids)
        })
    }
    fn get_account_transfers(
        &self,
        filter: AccountFilter,
    ) -> BoxFuture<'_, Result<Vec<Transfer>, EngineError>> {
        Box::pin(self.ask(AccountTransfers(filter)))
    }
    fn get_account_balances(
        &self,
        filter: AccountFilter,
    ) -> BoxFuture<'_, Result<Vec<AccountBalance>, EngineError>> {
        Box::pin(self.ask(AccountBalances(filter)))
    }
    fn query_accounts(&self, filter: QueryFilter) -> BoxFuture<'_, Result<Vec<Account>, EngineError>> {
        Box::pin(async move {
            let mut found = Vec::new();
            let mut rest = Some(filter);
            while let Some(filter) = rest {
                let (step, stamp) = self.shared.read(|books| query::query_accounts(books, filter))?;
                self.durable(stamp).await?;
                found.extend(step.found);
                rest = step.rest;
                tokio::task::yield_now().await;
            }
            Ok(found)
        })
    }
    fn query_transfers(&self, filter: QueryFilter) -> BoxFuture<'_, Result<Vec<Transfer>, EngineError>> {
        Box::pin(self.ask(QueryTransfers(filter)))
    }
    fn feed(&self, after: u64, limit: u32) -> BoxFuture<'_, Result<Vec<FeedItem>, EngineError>> {
        Box::pin(async move {
            self.shared.check()?;
            match Feed::new(after, limit) {
                None => Ok(Vec::new()),
                Some(feed) => Ok(query::feed_items(self.ask(feed).await?)),
            }
        })
    }
    fn has_room(&self) -> bool {
        self.shared.has_room()
    }
    fn committed(&self) -> watch::Receiver<u64> {
        self.shared.committed.subscribe()
    }
}

/// Segments and indexes are kept open for reading, which the usual soft limit of 1,024 files leaves little room for
/// beside a server's connections.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Refused, it works with fewer.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Runs one of the engine's threads. A panic is a bug; it must not leave callers waiting or readers
/// believing.
fn spawn(
    shared: &Arc<Shared>,
    name: &str,
    mut work: impl FnMut() -> Result<(), EngineError> + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let shared = shared.clone();
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut work)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => shared.fail(error),
            Err(_) => shared.fail(EngineError::Corrupt),
        }
    })
}

/// Takes requests in until closed.
fn serve(decider: &mut Decider, requests: &Receiver<Request>) -> Result<(), EngineError> {
    loop {
        let room = decider.expire()?;
        let next = match decider.next_expiry() {
            None => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) if room && at <= decider.now() => requests.try_recv().map_err(|e| match e {
                mpsc::TryRecvError::Empty => RecvTimeoutError::Timeout,
                mpsc::TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
            }),
            Some(_) => requests.recv_timeout(EXPIRY_POLL),
        };
        if next.is_ok() {
            decider.expire()?; // what is due comes before what was asked after
        }
        let taken = match next {
            Ok(Request::Accounts(events, answer)) => refuse(answer, |answer| {
                decider.create_accounts(&events, |results| Decided::Accounts(results, answer.take()))
            }),
            Ok(Request::Transfers(events, answer)) => refuse(answer, |answer| {
                decider.create_transfers(&events, |results| Decided::Transfers(results, answer.take()))
            }),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Ok(Request::Close) | Err(RecvTimeoutError::Disconnected) => {
                decider.finish();
                return Ok(());
            }
        };
        taken?;
    }
}

/// An answer that is given at most once.
struct Once<T>(Option<Answer<T>>);

impl<T> Once<T> {
    fn take(&mut self) -> Answer<T> {
        self.0.take().expect("a request is answered once")
    }
}

/// Tells the caller when there is no room, and goes on; every other error ends the service.
fn refuse<T>(
    answer: Answer<T>,
    decide: impl FnOnce(&mut Once<T>) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    let mut once = Once(Some(answer));
    match decide(&mut once) {
        Err(EngineError::NoSpace) => {
            // A caller that no longer waits has dropped its end.
            drop(once.take().send(Err(EngineError::NoSpace)));
            Ok(())
        }
        other => other,
    }
}

impl From<Fault> for EngineError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Io(..) => EngineError::Unavailable,
            Fault::Damaged { .. } | Fault::Contradiction(_) => EngineError::Corrupt,
        }
    }
}
