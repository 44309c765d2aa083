//! The embedded engine: one writer, group commit, a journal, and the books in memory.
//!
//! The writer thread gathers the requests of all callers, decides them one after another on top of the
//! committed books, writes what they leave as one frame, syncs, takes it into the committed books, and only
//! then answers. Readers see the committed books alone, without waiting for the disk. It must never answer
//! before the sync, and after a failed write it answers nothing more.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fmt, io};

use kernel::Clock;
use tokio::sync::{oneshot, watch};

use crate::batch::Staged;
use crate::engine::{BoxFuture, Engine, EngineError};
use crate::journal::{self, Journal, JournalError, Recovery};
use crate::memory::Memory;
use crate::posting::{Contradiction, Record};
use crate::query::Step;
use crate::rules::{Books, Known};
use crate::status::{CreateAccountResult, CreateTransferResult};
use crate::types::{
    Account, AccountBalance, AccountFilter, BATCH_MAX, FeedItem, QueryFilter, TIMESTAMP_MAX, Transfer,
};

/// The most events decided and synced as one group: 4 MiB of transfers.
const GROUP_MAX: usize = 32_768;
/// The most pending transfers expired in one group; the rest follow in the next.
const EXPIRE_MAX: usize = 8192;
/// How often an idle writer looks at the clock while a pending transfer can expire.
const EXPIRY_POLL: Duration = Duration::from_millis(50);

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
    /// Bytes after which a new journal file is begun.
    pub file_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options { file_bytes: journal::FILE_BYTES }
    }
}

/// A ledger in a directory of this machine.
pub struct Embedded {
    shared: Arc<Shared>,
    queue: Sender<Request>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    books: RwLock<Memory>,
    committed: watch::Sender<u64>,
    state: AtomicU8,
}

const OPEN: u8 = 0;
const CLOSED: u8 = 1;
const UNAVAILABLE: u8 = 2;
const CORRUPT: u8 = 3;

type Answer<T> = oneshot::Sender<Result<Vec<T>, EngineError>>;

enum Request {
    Accounts(Vec<Account>, Answer<CreateAccountResult>),
    Transfers(Vec<Transfer>, Answer<CreateTransferResult>),
    Close,
}

impl Embedded {
    /// Opens the ledger in `dir`, creating it if it is not there: reads the whole journal, cuts an
    /// unfinished write at its end, and refuses if anything before the end is damaged.
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
                journal::sync_dir(&parent)?;
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
        let mut books = Memory::default();
        let end = journal::walk(dir, |records| {
            records.iter().try_for_each(|r| books.apply(r)).map_err(|contradiction| contradiction.to_string())
        })?;
        let journal = Journal::resume(dir, &end, options.file_bytes)?;
        let newest = end.timestamp.max(books.newest()).min(TIMESTAMP_MAX);
        let (committed, _) = watch::channel(books.newest_transfer());
        let shared = Arc::new(Shared { books: RwLock::new(books), committed, state: AtomicU8::new(OPEN) });
        let (queue, requests) = mpsc::channel();
        let writer = Writer { shared: shared.clone(), requests, journal, clock, newest, _lock: lock };
        let writer = std::thread::Builder::new().name("ledger-writer".into()).spawn(move || writer.run());
        let writer = writer.map_err(io_at(dir))?;
        Ok((Embedded { shared, queue, writer: Mutex::new(Some(writer)) }, end.recovery))
    }

    /// Finishes what is queued, stops the writer and gives up the directory. Later requests are answered
    /// [`EngineError::Closed`]. Dropping the engine does the same.
    pub fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = self.queue.send(Request::Close); // refused only if the writer is gone already
            let _ = writer.join(); // its panic has left the state unavailable; nothing to add here
        }
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

    /// Answers a question in steps, giving way to others between them.
    async fn scan<T, F: Copy>(
        &self,
        filter: F,
        step: impl Fn(&Memory, F) -> Step<T, F>,
    ) -> Result<Vec<T>, EngineError> {
        let Step { mut found, mut rest } = self.shared.read(|books| step(books, filter))?;
        while let Some(filter) = rest {
            tokio::task::yield_now().await;
            let next = self.shared.read(|books| step(books, filter))?;
            found.extend(next.found);
            rest = next.rest;
        }
        Ok(found)
    }
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

impl Shared {
    fn check(&self) -> Result<(), EngineError> {
        match self.state.load(Ordering::Acquire) {
            OPEN => Ok(()),
            CLOSED => Err(EngineError::Closed),
            CORRUPT => Err(EngineError::Corrupt),
            _ => Err(EngineError::Unavailable),
        }
    }
    /// Why a request got no answer.
    fn failure(&self) -> EngineError {
        self.check().err().unwrap_or(EngineError::Unavailable)
    }
    fn fail(&self, state: u8) {
        // The first reason stands.
        let _ = self.state.compare_exchange(OPEN, state, Ordering::AcqRel, Ordering::Acquire);
    }
    fn read<T>(&self, question: impl FnOnce(&Memory) -> T) -> Result<T, EngineError> {
        self.check()?;
        let books = self.books.read().map_err(|_| EngineError::Corrupt)?;
        Ok(question(&books))
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
            self.shared.read(|books| ids.iter().filter_map(|id| books.account(*id)).collect())
        })
    }
    fn lookup_transfers(&self, ids: Vec<u128>) -> BoxFuture<'_, Result<Vec<Transfer>, EngineError>> {
        Box::pin(async move {
            if ids.len() > BATCH_MAX {
                return Err(EngineError::TooMuchData);
            }
            let find = |books: &Memory, id: u128| match books.transfer(id) {
                Known::Created(t) => Some(t),
                Known::Unknown | Known::Failed => None,
            };
            self.shared.read(|books| ids.iter().filter_map(|id| find(books, *id)).collect())
        })
    }
    fn get_account_transfers(
        &self,
        filter: AccountFilter,
    ) -> BoxFuture<'_, Result<Vec<Transfer>, EngineError>> {
        Box::pin(self.scan(filter, Memory::account_transfers))
    }
    fn get_account_balances(
        &self,
        filter: AccountFilter,
    ) -> BoxFuture<'_, Result<Vec<AccountBalance>, EngineError>> {
        Box::pin(self.scan(filter, Memory::account_balances))
    }
    fn query_accounts(&self, filter: QueryFilter) -> BoxFuture<'_, Result<Vec<Account>, EngineError>> {
        Box::pin(self.scan(filter, Memory::query_accounts))
    }
    fn query_transfers(&self, filter: QueryFilter) -> BoxFuture<'_, Result<Vec<Transfer>, EngineError>> {
        Box::pin(self.scan(filter, Memory::query_transfers))
    }
    fn feed(&self, after: u64, limit: u32) -> BoxFuture<'_, Result<Vec<FeedItem>, EngineError>> {
        Box::pin(async move { self.shared.read(|books| books.feed(after, limit)) })
    }
    fn committed(&self) -> watch::Receiver<u64> {
        self.shared.committed.subscribe()
    }
}

/// Why the writer stops for good.
enum Stop {
    Storage,
    Contradiction,
}

impl Stop {
    fn state(&self) -> u8 {
        match self {
            Stop::Storage => UNAVAILABLE,
            Stop::Contradiction => CORRUPT,
        }
    }
}

impl From<Contradiction> for Stop {
    fn from(_: Contradiction) -> Self {
        Stop::Contradiction
    }
}

impl From<JournalError> for Stop {
    fn from(_: JournalError) -> Self {
        Stop::Storage
    }
}

/// A decided request whose caller waits for the sync.
enum Decided {
    Accounts(Vec<CreateAccountResult>, Answer<CreateAccountResult>),
    Transfers(Vec<CreateTransferResult>, Answer<CreateTransferResult>),
}

impl Decided {
    fn answer(self) {
        // A caller that no longer waits has dropped its end.
        match self {
            Decided::Accounts(results, answer) => drop(answer.send(Ok(results))),
            Decided::Transfers(results, answer) => drop(answer.send(Ok(results))),
        }
    }
}

struct Writer {
    shared: Arc<Shared>,
    requests: Receiver<Request>,
    journal: Journal,
    clock: Arc<dyn Clock>,
    /// The newest timestamp given out, to an event that succeeded or failed.
    newest: u64,
    /// Held as long as the writer lives.
    _lock: File,
}

impl Writer {
    fn run(mut self) {
        // A panic is a bug; it must not leave callers waiting or readers believing.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.serve()));
        self.shared.fail(match result {
            Ok(Ok(())) => CLOSED,
            Ok(Err(stop)) => stop.state(),
            Err(_) => CORRUPT,
        });
        // Dropping the queue now answers everyone still in it with the reason just set.
    }

    /// Serves until closed.
    fn serve(&mut self) -> Result<(), Stop> {
        let mut group = VecDeque::new();
        loop {
            let open = self.gather(&mut group);
            let (records, decided) = self.decide(&mut group)?;
            if let Err(stop) = self.commit(&records) {
                // Before `decided` is dropped and its callers ask why.
                self.shared.fail(stop.state());
                return Err(stop);
            }
            for request in decided {
                request.answer();
            }
            if !open {
                return Ok(());
            }
        }
    }

    /// Waits for a request (or for something to expire) and takes what else is queued. `false` if closed.
    fn gather(&self, group: &mut VecDeque<Request>) -> bool {
        let expiry = self.shared.books.read().map_or(None, |books| books.next_expiry());
        let first = match expiry {
            None => self.requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) if at <= self.now() => self.requests.try_recv().map_err(|e| match e {
                mpsc::TryRecvError::Empty => RecvTimeoutError::Timeout,
                mpsc::TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
            }),
            Some(_) => self.requests.recv_timeout(EXPIRY_POLL),
        };
        let mut next = match first {
            Ok(request) => request,
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        };
        let mut events = 0;
        loop {
            events += match &next {
                Request::Accounts(events, _) => events.len(),
                Request::Transfers(events, _) => events.len(),
                Request::Close => return false,
            };
            group.push_back(next);
            if events >= GROUP_MAX {
                return true;
            }
            match self.requests.try_recv() {
                Ok(request) => next = request,
                Err(_) => return true, // a closed queue is noticed when it is next waited for
            }
        }
    }

    /// The clock's reading, unless timestamps are ahead of it already.
    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().as_nanos()).unwrap_or(0).clamp(self.newest, TIMESTAMP_MAX)
    }

    /// The timestamp of the last of `count` events that happen now: later than everything before.
    fn reserve(newest: &mut u64, now: u64, count: usize) -> Result<u64, Stop> {
        if count == 0 {
            return Ok(*newest); // an empty batch takes no time
        }
        let last = newest.saturating_add(count as u64).max(now);
        if last > TIMESTAMP_MAX {
            return Err(Stop::Contradiction);
        }
        *newest = last;
        Ok(last)
    }

    /// Decides the group; nothing is changed yet.
    fn decide(&mut self, group: &mut VecDeque<Request>) -> Result<(Vec<Record>, Vec<Decided>), Stop> {
        let now = self.now();
        let mut newest = self.newest;
        let mut decided = Vec::with_capacity(group.len());
        let books = self.shared.books.read().map_err(|_| Stop::Contradiction)?;
        let mut staged = Staged::new(&*books);
        let due: Vec<u128> = books.due(now).take(EXPIRE_MAX).collect();
        for id in due {
            // One by one from now on, never back from now: nothing expires before its time.
            let at = Self::reserve(&mut newest, now, 1)?;
            staged.expire(id, at)?;
        }
        for request in group.drain(..) {
            match request {
                Request::Accounts(events, answer) => {
                    let last = Self::reserve(&mut newest, now, events.len())?;
                    decided.push(Decided::Accounts(staged.create_accounts(&events, last)?, answer));
                }
                Request::Transfers(events, answer) => {
                    let last = Self::reserve(&mut newest, now, events.len())?;
                    decided.push(Decided::Transfers(staged.create_transfers(&events, last)?, answer));
                }
                Request::Close => {}
            }
        }
        self.newest = newest;
        Ok((staged.into_records(), decided))
    }

    /// Puts the records on disk, then takes them into the committed books and wakes the followers of the
    /// feed.
    fn commit(&mut self, records: &[Record]) -> Result<(), Stop> {
        if records.is_empty() {
            return Ok(());
        }
        self.journal.append(records, self.newest)?;
        let mut books = self.shared.books.write().map_err(|_| Stop::Contradiction)?;
        for record in records {
            books.apply(record)?;
        }
        let newest = books.newest_transfer();
        drop(books);
        self.shared.committed.send_if_modified(|seen| std::mem::replace(seen, newest) != newest);
        Ok(())
    }
}
