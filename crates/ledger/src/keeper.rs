//! The work behind the scenes: preparing segments, indexing sealed ones, merging indexes, taking snapshots.
//!
//! None of it is waited for unless it falls far behind, and all of it can be done again: a crash at any
//! point costs only the work.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::accounts::Entry;
use crate::books::Books;
use crate::disk::Disk;
use crate::engine::EngineError;
use crate::fault::Fault;
use crate::index::{self, Index};
use crate::indexer::{self, Indexer};
use crate::journal;
use crate::recent::Recent;
use crate::sealed::Sealed;
use crate::snapshot::{self, Draft, Header};
use crate::writer::{Shared, lock};

/// How much memory the filters of indexes may take; those of the oldest stay on disk.
const FILTER_BYTES: u64 = 96 << 20;
/// How often the disk is asked again for room when there was none.
const RETRY: Duration = Duration::from_millis(500);
/// How many accounts are copied for a snapshot at a time.
const COPY: usize = 4096;
/// How many steps a merge or a snapshot waits after there was no room for it.
const PATIENCE: u32 = 20;
/// Bytes of an account in a snapshot, about.
const ACCOUNT: u64 = 136;

/// See the module.
pub struct Keeper {
    shared: Arc<Shared>,
    indexer: Indexer,
    /// The segment of the newest snapshot, and how many records that has seen.
    snapshot: (u32, u64),
    /// Whether indexing comes first.
    turn: bool,
    /// How many steps what failed for want of room is put off.
    patience: u32,
}

impl Keeper {
    /// `snapshot` is the segment of the newest snapshot, and how many records it has seen.
    pub fn new(shared: Arc<Shared>, snapshot: (u32, u64)) -> Keeper {
        Keeper { shared, indexer: Indexer::default(), snapshot, turn: false, patience: 0 }
    }

    /// Works until told to close, then takes a last snapshot.
    pub fn run(&mut self) -> Result<(), EngineError> {
        let shared = self.shared.clone();
        loop {
            while self.tidy()? {}
            let mut spare = lock(&shared.spare);
            while !spare.woken && !spare.closing {
                shared.check()?;
                let waited = shared.chores.wait_timeout(spare, RETRY);
                let (guard, time) = waited.unwrap_or_else(PoisonError::into_inner);
                spare = guard;
                spare.woken |= time.timed_out() && spare.no_space;
            }
            spare.woken = false;
            if spare.closing {
                break;
            }
        }
        self.close()
    }

    /// After the last write: what remains to be indexed, and a snapshot.
    pub fn close(&mut self) -> Result<(), EngineError> {
        let shared = self.shared.clone();
        shared.check()?;
        let last = shared.read(Books::records)?;
        if self.snapshot.1 < last {
            // Without room for it, the next start reads more of the journal.
            let _ = self.guard(Self::take_snapshot)?;
        }
        Ok(())
    }

    /// One unit of work; `false` if there was none to do, or no room for it.
    pub fn tidy(&mut self) -> Result<bool, EngineError> {
        self.shared.check()?;
        self.guard(Self::step)
    }

    /// No room on the disk is waited out; any other fault stops the ledger.
    fn guard(&mut self, work: impl FnOnce(&mut Self) -> Result<bool, Fault>) -> Result<bool, EngineError> {
        let done = work(self);
        let mut spare = lock(&self.shared.spare);
        match done {
            Ok(done) => {
                spare.full[1] &= !done;
                Ok(done)
            }
            Err(fault) if fault.is_no_space() => {
                (spare.no_space, spare.full[1]) = (true, true);
                drop(spare);
                self.shared.chores.notify_all();
                Ok(false)
            }
            Err(fault) => {
                drop(spare);
                Err(self.shared.fault(&fault))
            }
        }
    }

    fn step(&mut self) -> Result<bool, Fault> {
        if !self.shared.threads && prepare(&self.shared)? {
            return Ok(true);
        }
        // By turns, so that a flood of segments does not put off the rest for ever.
        self.turn = !self.turn;
        if self.turn && self.index()? {
            return Ok(true);
        }
        if self.patience > 0 {
            self.patience -= 1;
        } else if self.in_background()? {
            return Ok(true);
        }
        Ok(!self.turn && self.index()?)
    }

    /// What takes long and much room. Without room it is put off for a while.
    fn in_background(&mut self) -> Result<bool, Fault> {
        let done = match self.merge() {
            Ok(false) => self.snapshot_if_due(),
            done => done,
        };
        if done.as_ref().is_err_and(Fault::is_no_space) {
            self.patience = PATIENCE;
        }
        done
    }

    /// What requests would wait for in the end.
    fn keep_up(&mut self) -> Result<(), Fault> {
        if !self.shared.threads {
            prepare(&self.shared)?;
        }
        self.index()?;
        Ok(())
    }

    /// Indexes the oldest segment that waits for it and is complete on disk.
    fn index(&mut self) -> Result<bool, Fault> {
        let shared = self.shared.clone();
        let (oldest, sealed) = {
            let books = shared.books.read().unwrap_or_else(PoisonError::into_inner);
            (books.waiting().0, books.sealed().clone())
        };
        let Some(recent) = oldest.filter(|recent| recent.end() <= *shared.durable.borrow()) else {
            return Ok(false);
        };
        let index = self.indexer.seal(&*shared.disk, &recent)?;
        drop(recent);
        let mut indexes = sealed.indexes().to_vec();
        indexes.push(Arc::new(index));
        self.replace(&sealed, indexes)?;
        Ok(true)
    }

    /// Makes one index out of enough small ones.
    fn merge(&mut self) -> Result<bool, Fault> {
        let shared = self.shared.clone();
        let sealed = shared.books.read().unwrap_or_else(PoisonError::into_inner).sealed().clone();
        let indexes = sealed.indexes();
        let spans: Vec<u32> = indexes.iter().map(|i| i.summary.last - i.summary.first + 1).collect();
        let fan = shared.options.merge;
        let Some(from) = spans
            .windows(fan)
            .position(|w| w.iter().all(|span| *span == w[0]) && w[0] as usize * fan <= index::SPAN as usize)
        else {
            return Ok(false);
        };
        let parts: Vec<&Index> = indexes[from..from + fan].iter().map(|i| &**i).collect();
        // Segments go on being filled meanwhile: requests must not wait for the merge to be done.
        let mut breath = || self.keep_up();
        let merged = indexer::merge(&*shared.disk, &parts, &mut breath)?;
        merged.settle(&*shared.disk)?;
        shared.disk.sync_names().map_err(Fault::io(&shared.disk.path("")))?;
        // What was indexed meanwhile stands behind.
        let sealed = shared.books.read().unwrap_or_else(PoisonError::into_inner).sealed().clone();
        let mut after = sealed.indexes().to_vec();
        let gone: Vec<_> = after.splice(from..from + fan, [Arc::new(merged)]).collect();
        self.replace(&sealed, after)?;
        for index in gone {
            // Left behind, the next start removes it.
            let _ = shared.disk.remove(&index.name());
        }
        Ok(true)
    }

    /// Puts other indexes in place, keeping the memory of their filters within bounds.
    fn replace(&self, sealed: &Sealed, mut indexes: Vec<Arc<Index>>) -> Result<(), Fault> {
        let shared = &*self.shared;
        fit_filters(&*shared.disk, &mut indexes)?;
        let sealed = Sealed::new(indexes, sealed.files().clone());
        let done = shared.books.write().unwrap_or_else(PoisonError::into_inner).set_sealed(sealed);
        let mut spare = lock(&shared.spare);
        for recent in done {
            if let Ok(memory) = Arc::try_unwrap(recent)
                && spare.memory.is_empty()
            {
                spare.memory.push(memory);
            }
        }
        drop(spare);
        shared.chores.notify_all();
        Ok(())
    }

    fn snapshot_if_due(&mut self) -> Result<bool, Fault> {
        let shared = self.shared.clone();
        let options = shared.options;
        let (accounts, sealed, unseen) = {
            let books = shared.books.read().unwrap_or_else(PoisonError::into_inner);
            let unseen = books.records() > self.snapshot.1;
            (books.accounts().list().len() as u64, books.sealed().last_segment(), unseen)
        };
        let journal = u64::from((sealed + 1).saturating_sub(self.snapshot.0)) * options.file_bytes;
        if !unseen || journal < options.snapshot_bytes.max(accounts * ACCOUNT * 3 / 2) {
            return Ok(false);
        }
        self.take_snapshot()
    }

    /// Takes a snapshot; `false` if what it has seen is not on disk yet.
    fn take_snapshot(&mut self) -> Result<bool, Fault> {
        let shared = self.shared.clone();
        let read = || shared.books.read().unwrap_or_else(PoisonError::into_inner);
        let place = *lock(&shared.place);
        if place.segment == 0 {
            return Ok(false);
        }
        let mut header = Header { frame: place.frame, head: place.head, ..Header::default() };
        (header.segment, header.first_record) = {
            let books = read();
            let oldest = books.recent().find(|r| !r.items().is_empty()).map(|r| (r.segment, r.first));
            oldest
                .filter(|(segment, _)| *segment < place.segment)
                .unwrap_or((place.segment, place.first_record))
        };
        let mut draft = Draft::new(shared.disk.clone(), header.segment)?;
        // Accounts made from now on are read from the journal.
        let accounts = read().accounts().list().len();
        for from in (0..accounts).step_by(COPY) {
            let copy: Vec<Entry> = read().accounts().list()[from..(from + COPY).min(accounts)].to_vec();
            copy.iter().try_for_each(|entry| draft.account(entry))?;
            self.keep_up()?;
        }
        let (pending, marks) = {
            let books = read();
            header.seen = books.records();
            header.indexed = books.sealed().last_segment();
            header.newest_transfer = books.newest_transfer();
            let recent = books.recent().filter(|r| r.segment >= header.segment);
            let marks: Vec<_> = recent.flat_map(Recent::marks).copied().collect();
            (books.pending(), marks)
        };
        // The snapshot builds on the indexes there are: from now on they must be there.
        let sealed = read().sealed().clone();
        sealed.indexes().iter().try_for_each(|index| index.settle(&*shared.disk))?;
        if !wait_durable(&shared, header.seen) {
            return Ok(false);
        }
        header.last_frame = shared.frames.load(Ordering::Acquire);
        if shared.check().is_err() {
            return Ok(false); // what was copied may be half done
        }
        draft.finish(header, &pending, &marks)?;
        for name in shared.disk.list().map_err(Fault::io(&shared.disk.path("")))? {
            if snapshot::segment(&name).is_some_and(|segment| segment != header.segment) {
                let _ = shared.disk.remove(&name); // an old one left behind does no harm
            }
        }
        self.snapshot = (header.segment, header.seen);
        Ok(true)
    }
}

/// Prepares the next segment's file; `false` if there was nothing to do, or no room, which is told to whoever
/// asks for a segment.
fn prepare(shared: &Shared) -> Result<bool, Fault> {
    let (nth, wanted) = {
        let mut spare = lock(&shared.spare);
        if spare.is_ready() {
            return Ok(false);
        }
        if let Some(short) = spare.file.take() {
            let _ = shared.disk.remove(&short.name);
        }
        spare.prepared += 1;
        (spare.prepared, spare.size())
    };
    let prepared = cut(shared).and_then(|()| journal::prepare(&*shared.disk, nth, wanted));
    let mut spare = lock(&shared.spare);
    let done = match prepared {
        Ok(file) => {
            spare.file = Some(file);
            (spare.no_space, spare.full[0]) = (false, false);
            Ok(true)
        }
        Err(fault) if fault.is_no_space() => {
            (spare.no_space, spare.full[0]) = (true, true);
            Ok(false)
        }
        Err(fault) => Err(fault),
    };
    drop(spare);
    shared.chores.notify_all();
    done
}

/// Cuts off what there was no room to cut off when the ledger was opened.
fn cut(shared: &Shared) -> Result<(), Fault> {
    let Some(uncut) = lock(&shared.spare).uncut.take() else { return Ok(()) };
    let done = uncut.cut(&*shared.disk);
    if done.is_err() {
        lock(&shared.spare).uncut = Some(uncut);
    }
    done
}

/// Prepares segments in a thread of its own until told to close: a segment is full sooner than the keeper comes
/// back from a merge.
pub fn prepare_all(shared: &Shared) -> Result<(), EngineError> {
    loop {
        shared.check()?;
        prepare(shared).map_err(|fault| shared.fault(&fault))?;
        let spare = lock(&shared.spare);
        if spare.closing {
            return Ok(());
        }
        if spare.is_ready() || spare.no_space {
            // What is asked for meanwhile is seen at the latest after that time.
            drop(shared.chores.wait_timeout(spare, RETRY).unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// Waits for the syncer; `false` if there is none, or it gave up.
fn wait_durable(shared: &Shared, records: u64) -> bool {
    let mut patience = 0;
    while *shared.durable.borrow() < records {
        if shared.check().is_err() || !shared.threads {
            return false;
        }
        patience += 1;
        std::thread::sleep(Duration::from_millis(if patience < 10 { 1 } else { 10 }));
    }
    true
}

/// Has the filters of the newest indexes in memory, as many as fit, and leaves the others on disk.
pub fn fit_filters(disk: &dyn Disk, indexes: &mut [Arc<Index>]) -> Result<(), Fault> {
    let mut left = FILTER_BYTES;
    for index in indexes.iter_mut().rev() {
        let size = index.filter_bytes();
        let fits = size <= left;
        if fits != index.has_filter() && size > 0 {
            index.settle(disk)?;
            *index = Arc::new(Index::open(disk, &index.name(), fits)?);
        }
        left = if fits { left - size } else { 0 };
    }
    Ok(())
}
