//! How a request becomes durable: decided on the books, gathered into a frame, written, synced, answered.
//!
//! Two steps that may run at the same time: the [`Decider`] takes requests in one after another, while the
//! [`Syncer`] writes the frame before. What is decided is in the books at once, but nobody is told before
//! the sync: answers wait in the group, and readers wait for [`Shared::durable`]. After a failed write or
//! sync nothing is answered any more.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use kernel::Clock;
use tokio::sync::{oneshot, watch};

use crate::batch::{self, OpenFrame, most_bytes};
use crate::books::Books;
use crate::disk::Disk;
use crate::embedded::Options;
use crate::engine::EngineError;
use crate::fault::Fault;
use crate::frame::{Builder, FILE_HEADER, FRAME_HEADER, Hash};
use crate::index;
use crate::journal::{Log, Place, Prepared, Uncut};
use crate::recent::Recent;
use crate::status::{CreateAccountResult, CreateTransferResult};
use crate::types::{Account, BATCH_MAX, TIMESTAMP_MAX, Transfer};

/// The most events written and synced as one frame: 4 MiB of transfers.
const GROUP_MAX: usize = 32_768;
/// The most pending transfers expired at a time; the rest follow in the next group.
const EXPIRE_MAX: usize = 8192;
/// So many segments may wait for their index; then requests wait too.
const WAITING_MAX: usize = 3;

const OPEN: u8 = 0;
const CLOSED: u8 = 1;
const UNAVAILABLE: u8 = 2;
const CORRUPT: u8 = 3;
/// What was asked before is still served.
const CLOSING: u8 = 4;

/// What everyone sees of a running ledger.
pub struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) options: Options,
    /// Whether the syncer runs by itself.
    pub(crate) threads: bool,
    pub(crate) books: RwLock<Books>,
    pub(crate) group: Mutex<Group>,
    /// The group has something to write, or closes.
    work: Condvar,
    /// The group was taken, a segment was prepared, or an index is done.
    pub(crate) room: Condvar,
    /// How many records are on disk.
    pub(crate) durable: watch::Sender<u64>,
    /// The newest transfer on disk.
    pub(crate) committed: watch::Sender<u64>,
    /// How many frames are on disk.
    pub(crate) frames: AtomicU64,
    /// Where the journal ended on disk a moment ago.
    pub(crate) place: Mutex<DurablePlace>,
    state: AtomicU8,
    pub(crate) spare: Mutex<Spare>,
    /// The keeper has something to do.
    pub(crate) chores: Condvar,
}

/// A frame that is on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DurablePlace {
    /// The segment it stands in.
    pub segment: u32,
    /// The number of that segment's first record.
    pub first_record: u64,
    /// Its number.
    pub frame: u64,
    /// Its hash.
    pub head: Hash,
}

/// What is prepared for the next segment.
#[derive(Debug, Default)]
pub struct Spare {
    /// Its file.
    pub file: Option<Prepared>,
    /// How many were prepared.
    pub prepared: u64,
    /// What must be cut off before a segment may be begun.
    pub uncut: Option<Uncut>,
    /// How long it must be.
    pub wanted: u64,
    /// Memory of a segment that is done with.
    pub memory: Vec<Recent>,
    /// There is no room on the disk; forgotten when a request asks again.
    pub no_space: bool,
    /// There was none for the file, or for the keeper's work, when it was last tried.
    pub full: [bool; 2],
    /// The keeper is to stop.
    pub closing: bool,
    /// Something changed since the keeper looked last.
    pub woken: bool,
}

impl Spare {
    /// How long the file is made.
    pub fn size(&self) -> u64 {
        self.wanted.min(index::SEGMENT_MAX)
    }
    /// Whether there is a file, and a long enough one.
    pub fn is_ready(&self) -> bool {
        self.file.as_ref().is_some_and(|file| file.size >= self.size())
    }
}

/// What was decided since the last write, in order.
pub struct Group {
    segment: u32,
    /// The number of that segment's first record.
    segment_first: u64,
    /// Where in it the next frame stands.
    offset: u64,
    /// How long its file is.
    size: u64,
    /// Its file, until the first frame is written.
    begins: Option<Prepared>,
    frame: Option<OpenFrame>,
    first_record: u64,
    end_record: u64,
    events: usize,
    timestamp: u64,
    newest_transfer: u64,
    answers: Vec<Decided>,
    buffer: Vec<u8>,
    closing: bool,
}

/// Where an answer goes.
pub type Answer<T> = oneshot::Sender<Result<Vec<T>, EngineError>>;

/// A decided request whose caller waits for the sync.
pub enum Decided {
    /// Of accounts.
    Accounts(Vec<CreateAccountResult>, Answer<CreateAccountResult>),
    /// Of transfers.
    Transfers(Vec<CreateTransferResult>, Answer<CreateTransferResult>),
    /// Nobody waits.
    Nobody,
}

impl Decided {
    fn answer(self) {
        // A caller that no longer waits has dropped its end.
        match self {
            Decided::Accounts(results, answer) => drop(answer.send(Ok(results))),
            Decided::Transfers(results, answer) => drop(answer.send(Ok(results))),
            Decided::Nobody => {}
        }
    }
}

/// The lock's content. A panic while it was held leaves the engine corrupt by [`Shared::fail`]; what is
/// inside is looked at only to tell callers so.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// A ledger whose journal ends at `place`, of whose last segment `offset` bytes of `size` are used.
    pub fn new(
        disk: Arc<dyn Disk>,
        options: Options,
        threads: bool,
        books: Books,
        place: DurablePlace,
        (offset, size): (u64, u64),
    ) -> Shared {
        let records = books.records();
        let group = Group {
            segment: place.segment,
            segment_first: place.first_record,
            offset,
            size,
            begins: None,
            frame: None,
            first_record: records,
            end_record: records,
            events: 0,
            timestamp: 0,
            newest_transfer: 0,
            answers: Vec::new(),
            buffer: Vec::new(),
            closing: false,
        };
        Shared {
            disk,
            options,
            threads,
            durable: watch::channel(records).0,
            committed: watch::channel(books.newest_transfer()).0,
            books: RwLock::new(books),
            group: Mutex::new(group),
            work: Condvar::new(),
            room: Condvar::new(),
            frames: AtomicU64::new(place.frame),
            place: Mutex::new(place),
            state: AtomicU8::new(OPEN),
            spare: Mutex::new(Spare { wanted: options.file_bytes, ..Spare::default() }),
            chores: Condvar::new(),
        }
    }

    /// Whether requests are served.
    pub fn check(&self) -> Result<(), EngineError> {
        match self.state.load(Ordering::Acquire) {
            OPEN | CLOSING => Ok(()),
            CLOSED => Err(EngineError::Closed),
            CORRUPT => Err(EngineError::Corrupt),
            _ => Err(EngineError::Unavailable),
        }
    }
    /// Why a request got no answer.
    pub fn failure(&self) -> EngineError {
        let closing = self.state.load(Ordering::Acquire) == CLOSING;
        self.check().err().unwrap_or(if closing { EngineError::Closed } else { EngineError::Unavailable })
    }
    /// From now on a request that gets no answer came too late.
    pub fn closing(&self) {
        let _ = self.state.compare_exchange(OPEN, CLOSING, Ordering::AcqRel, Ordering::Acquire);
    }
    /// Stops for good; the first reason stands. Everyone who waits is told.
    pub fn fail(&self, error: EngineError) {
        let state = match error {
            EngineError::Closed => CLOSED,
            EngineError::Corrupt => CORRUPT,
            _ => UNAVAILABLE,
        };
        for before in [OPEN, CLOSING] {
            let _ = self.state.compare_exchange(before, state, Ordering::AcqRel, Ordering::Acquire);
        }
        // Who is about to wait has the lock and has looked; taking it once makes sure that he is woken.
        drop(lock(&self.group));
        self.work.notify_all();
        self.room.notify_all();
        drop(lock(&self.spare));
        self.chores.notify_all();
        self.durable.send_modify(|_| ());
    }
    /// Stops for good because of a fault: what is damaged is corrupt, what the system refused unavailable. A
    /// damaged index is removed, so that the next start makes it again.
    pub fn fault(&self, fault: &Fault) -> EngineError {
        tracing::error!(%fault, "the ledger stops");
        if let Fault::Damaged { file, .. } = fault
            && let Some(name) = file.file_name().and_then(|name| name.to_str())
            && index::covers(name).is_some()
        {
            let _ = self.disk.remove(name); // or the next start meets it again
        }
        let error = match fault {
            Fault::Io(..) => EngineError::Unavailable,
            Fault::Damaged { .. } | Fault::Contradiction(_) => EngineError::Corrupt,
        };
        self.fail(error);
        error
    }
    /// A question to the books as they are worked on.
    pub fn read<T>(&self, question: impl FnOnce(&Books) -> T) -> Result<T, EngineError> {
        self.check()?;
        let books = self.books.read().map_err(|_| EngineError::Corrupt)?;
        Ok(question(&books))
    }
    /// Whether there is room for the largest request, here or in a segment to come, as far as is known.
    pub fn has_room(&self) -> bool {
        let waiting = self.books.read().map_or(0, |books| books.waiting().1);
        let group = lock(&self.group);
        let used = group.offset + group.frame.as_ref().map_or(0, |frame| frame.builder.size() as u64);
        let need = most_bytes(BATCH_MAX).min(self.options.file_bytes / 2);
        let fits = used + FRAME_HEADER as u64 + need <= group.size;
        drop(group);
        let spare = lock(&self.spare);
        let [no_file, no_index] = spare.full;
        fits || !(no_file && spare.file.is_none() || no_index && waiting >= WAITING_MAX)
    }
    /// Tells the keeper to look what there is to do.
    pub fn wake_keeper(&self) {
        lock(&self.spare).woken = true;
        self.chores.notify_all();
    }
}

/// What must happen before events fit into the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Nothing.
    Enough,
    /// The group must be written.
    Write,
    /// A segment of at least so many bytes must be begun.
    Segment(u64),
}

/// How long the decider waits for the keeper before it looks again.
const GLANCE: Duration = Duration::from_millis(20);

/// Takes requests in, one after another.
pub struct Decider {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    /// The newest timestamp given out, to an event that succeeded or failed.
    newest: u64,
}

impl Decider {
    /// Goes on after `newest`.
    pub fn new(shared: Arc<Shared>, clock: Arc<dyn Clock>, newest: u64) -> Decider {
        Decider { shared, clock, newest }
    }

    /// The clock's reading, unless timestamps are ahead of it already.
    pub fn now(&self) -> u64 {
        u64::try_from(self.clock.now().as_nanos()).unwrap_or(0).clamp(self.newest, TIMESTAMP_MAX)
    }

    /// The timestamp of the last of `count` events that happen now: later than everything before.
    fn reserve(&mut self, count: usize) -> Result<u64, EngineError> {
        if count == 0 {
            return Ok(self.newest); // an empty batch takes no time
        }
        let last = self.newest.saturating_add(count as u64).max(self.now());
        if last > TIMESTAMP_MAX {
            self.shared.fail(EngineError::Corrupt);
            return Err(EngineError::Corrupt);
        }
        self.newest = last;
        Ok(last)
    }

    /// What must happen before so many events fit into the journal.
    pub fn wants(&self, events: usize) -> Result<Room, EngineError> {
        let shared = &*self.shared;
        shared.check()?;
        let need = FRAME_HEADER as u64 + most_bytes(events);
        let group = lock(&shared.group);
        let used = group.frame.as_ref().map_or(0, |frame| frame.builder.size() as u64);
        let records = group.end_record - group.segment_first;
        let crowded = records >= (shared.options.file_bytes / 128).max(1);
        let fits = group.offset + used + need <= group.size && !crowded;
        Ok(if group.frame.is_some() && (!fits || group.events + events > GROUP_MAX) {
            Room::Write
        } else if fits {
            Room::Enough
        } else {
            Room::Segment(FILE_HEADER as u64 + need)
        })
    }

    /// Waits until so many events fit into the journal. [`EngineError::NoSpace`] if the disk has no room for
    /// them.
    fn make_room(&self, events: usize) -> Result<(), EngineError> {
        let shared = &*self.shared;
        if !shared.threads {
            return Ok(()); // whoever takes the steps has made it
        }
        loop {
            match self.wants(events)? {
                Room::Enough => return Ok(()),
                Room::Write => {
                    let mut group = lock(&shared.group);
                    while group.frame.is_some() {
                        shared.check()?;
                        group = shared.room.wait(group).unwrap_or_else(PoisonError::into_inner);
                    }
                }
                Room::Segment(size) => {
                    let mut asked = false;
                    while !self.can_begin(size) {
                        shared.check()?;
                        let mut spare = lock(&shared.spare);
                        if spare.no_space && asked {
                            return Err(EngineError::NoSpace);
                        }
                        // Once more even if there was no room a while ago: some may have been made.
                        (spare.wanted, spare.woken, spare.no_space, asked) =
                            (size.max(shared.options.file_bytes), true, false, true);
                        shared.chores.notify_all();
                        // Whatever is waited for may have happened since it was looked for.
                        drop(
                            shared.chores.wait_timeout(spare, GLANCE).unwrap_or_else(PoisonError::into_inner),
                        );
                    }
                    self.begin_segment()?;
                    shared.wake_keeper();
                }
            }
        }
    }

    /// Asks for a segment of at least `size` bytes.
    pub fn ask_for(&self, size: u64) {
        lock(&self.shared.spare).wanted = size.max(self.shared.options.file_bytes);
    }

    /// Whether a segment of at least `size` bytes can be begun.
    pub fn can_begin(&self, size: u64) -> bool {
        let waiting = self.shared.books.read().map_or(0, |books| books.waiting().1);
        let spare = lock(&self.shared.spare);
        waiting < WAITING_MAX && spare.file.as_ref().is_some_and(|file| file.size >= size)
    }

    /// Begins a segment with the file that was prepared. The group is empty: only the decider fills it.
    pub fn begin_segment(&self) -> Result<(), EngineError> {
        let shared = &*self.shared;
        let mut spare = lock(&shared.spare);
        spare.wanted = shared.options.file_bytes;
        let Some(file) = spare.file.take() else { return Ok(()) };
        let memory = spare.memory.pop();
        drop(spare);
        let mut books = shared.books.write().map_err(|_| EngineError::Corrupt)?;
        let mut group = lock(&shared.group);
        group.offset = FILE_HEADER as u64;
        group.size = file.size;
        if let Some(unused) = group.begins.replace(file) {
            // Too short for what comes, and nothing was written to it.
            let _ = shared.disk.remove(&unused.name);
            return Ok(());
        }
        group.segment += 1;
        group.segment_first = books.records();
        books.roll(group.segment, memory);
        Ok(())
    }

    /// Decides on the books and puts what is left into the group.
    fn decide<T>(
        &mut self,
        events: usize,
        decide: impl FnOnce(&mut Self, &mut Books, &mut OpenFrame) -> Result<T, Fault>,
        answer: impl FnOnce(T) -> Decided,
    ) -> Result<(), EngineError> {
        let shared = self.shared.clone();
        let mut books = shared.books.write().map_err(|_| EngineError::Corrupt)?;
        let mut guard = lock(&shared.group);
        let group = &mut *guard;
        // Out of the syncer's reach until the request is whole: what fails in the middle is not written.
        let mut answers = std::mem::take(&mut group.answers);
        let mut frame = group.frame.take().unwrap_or_else(|| {
            group.first_record = books.records();
            group.events = 0;
            let builder = Builder::reuse(std::mem::take(&mut group.buffer));
            OpenFrame { builder, offset: group.offset }
        });
        match decide(self, &mut books, &mut frame) {
            Ok(decided) => answers.push(answer(decided)),
            Err(fault) => {
                drop(guard);
                drop(books);
                return Err(shared.fault(&fault));
            }
        }
        (group.frame, group.answers) = (Some(frame), answers);
        group.events += events;
        group.end_record = books.records();
        group.timestamp = self.newest;
        group.newest_transfer = books.newest_transfer();
        drop(books);
        drop(guard);
        shared.work.notify_all();
        Ok(())
    }

    /// Takes in a request to create accounts.
    pub fn create_accounts(
        &mut self,
        events: &[Account],
        answer: impl FnOnce(Vec<CreateAccountResult>) -> Decided,
    ) -> Result<(), EngineError> {
        self.make_room(events.len())?;
        let last = self.reserve(events.len())?;
        let decide = |_: &mut Self, books: &mut Books, frame: &mut OpenFrame| {
            batch::create_accounts(books, frame, events, last)
        };
        self.decide(events.len(), decide, answer)
    }

    /// Takes in a request to create transfers.
    pub fn create_transfers(
        &mut self,
        events: &[Transfer],
        answer: impl FnOnce(Vec<CreateTransferResult>) -> Decided,
    ) -> Result<(), EngineError> {
        self.make_room(events.len())?;
        let last = self.reserve(events.len())?;
        let decide = |_: &mut Self, books: &mut Books, frame: &mut OpenFrame| {
            batch::create_transfers(books, frame, events, last)
        };
        self.decide(events.len(), decide, answer)
    }

    /// How many pending transfers are due, up to as many as are expired at a time.
    pub fn due(&self) -> Result<usize, EngineError> {
        let now = self.now();
        self.shared.read(|books| books.due(now).take(EXPIRE_MAX).count())
    }

    /// Expires pending transfers that are due; `false` if there is no room for that, which is tried again.
    pub fn expire(&mut self) -> Result<bool, EngineError> {
        let (now, due) = (self.now(), self.due()?);
        if due == 0 {
            return Ok(true);
        }
        match self.make_room(due) {
            Err(EngineError::NoSpace) => return Ok(false),
            other => other?,
        }
        let decide = |this: &mut Self, books: &mut Books, frame: &mut OpenFrame| {
            for _ in 0..due {
                let Some(id) = books.due(now).next() else { break };
                // One by one from now on, never back from now: nothing expires before its time.
                let at = this.newest.saturating_add(1).max(now);
                batch::expire(books, frame, id, at)?;
                this.newest = at;
            }
            Ok(())
        };
        self.decide(due, decide, |()| Decided::Nobody)?;
        Ok(true)
    }

    /// When the next pending transfer expires.
    pub fn next_expiry(&self) -> Option<u64> {
        self.shared.books.read().map_or(None, |books| books.next_expiry())
    }

    /// Nothing follows: the syncer ends after what is there.
    pub fn finish(&self) {
        lock(&self.shared.group).closing = true;
        self.shared.work.notify_all();
    }
}

/// Writes what was decided, syncs, and answers.
pub struct Syncer {
    shared: Arc<Shared>,
    log: Log,
}

impl Syncer {
    /// Writes to the end of `log`.
    pub fn new(shared: Arc<Shared>, log: Log) -> Syncer {
        Syncer { shared, log }
    }

    /// Serves until the decider has finished, or a write fails.
    pub fn run(&mut self) -> Result<(), EngineError> {
        let shared = self.shared.clone();
        loop {
            shared.check()?;
            let mut group = lock(&shared.group);
            while group.answers.is_empty() && !group.closing {
                shared.check()?;
                group = shared.work.wait(group).unwrap_or_else(PoisonError::into_inner);
            }
            if group.answers.is_empty() {
                return Ok(());
            }
            self.write(group)?;
        }
    }

    /// Writes what there is.
    pub fn flush(&mut self) -> Result<(), EngineError> {
        let shared = self.shared.clone();
        shared.check()?;
        let group = lock(&shared.group);
        if group.answers.is_empty() { Ok(()) } else { self.write(group) }
    }

    fn write(&mut self, mut group: MutexGuard<'_, Group>) -> Result<(), EngineError> {
        let shared = &*self.shared;
        let frame = group.frame.take();
        let answers = std::mem::take(&mut group.answers);
        let (timestamp, newest_transfer) = (group.timestamp, group.newest_transfer);
        let (end_record, segment_first) = (group.end_record, group.segment_first);
        let place = frame.as_ref().filter(|frame| frame.builder.records() > 0).map(|frame| {
            let offset = group.offset;
            group.offset += frame.builder.size() as u64;
            let begins = group.begins.take();
            Place { segment: group.segment, offset, begins, first_record: group.first_record }
        });
        drop(group);
        shared.room.notify_all();
        if let (Some(place), Some(frame)) = (place, frame) {
            self.log.append(place, frame.builder, timestamp).map_err(|error| {
                tracing::error!(%error, "the ledger stops");
                // Before the answers are dropped and their callers ask why.
                shared.fail(EngineError::Unavailable);
                EngineError::Unavailable
            })?;
            shared.frames.store(self.log.frame(), Ordering::Release);
            shared.durable.send_replace(end_record);
            shared
                .committed
                .send_if_modified(|seen| std::mem::replace(seen, newest_transfer) != newest_transfer);
        }
        for decided in answers {
            decided.answer();
        }
        if let Some(buffer) = self.log.settle() {
            lock(&shared.group).buffer = buffer;
            let (segment, frame, head) = (self.log.segment(), self.log.frame(), self.log.head());
            let place = DurablePlace { segment, first_record: segment_first, frame, head };
            if std::mem::replace(&mut *lock(&shared.place), place).segment != segment {
                shared.wake_keeper(); // the segment before is complete on disk
            }
        }
        Ok(())
    }
}

/// How long an idle decider sleeps while a pending transfer can expire.
pub const EXPIRY_POLL: Duration = Duration::from_millis(50);
