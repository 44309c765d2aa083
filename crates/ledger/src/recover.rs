//! Opening: from what a directory holds to books that can go on.
//!
//! The journal is the truth. A snapshot shortens the reading of it, indexes spare their segments' records
//! from memory; either is left out when it is damaged or missing, and made again. What is damaged in the
//! journal is reported and nothing is opened. What there is no room for is left to be done when there is.

use std::sync::Arc;

use crate::accounts::{Accounts, Entry};
use crate::books::Books;
use crate::disk::Disk;
use crate::embedded::{OpenError, Options};
use crate::fault::Fault;
use crate::frame::{ALIGN, FILE_HEADER, FileHeader};
use crate::index::{self, Files, Index};
use crate::indexer::Indexer;
use crate::journal::{self, JournalError, Log, Recovery, SPARE};
use crate::keeper::fit_filters;
use crate::recent::Mark;
use crate::sealed::Sealed;
use crate::snapshot::{self, Header, Pending, Reader};
use crate::types::TIMESTAMP_MAX;
use crate::writer::{DurablePlace, Shared, lock};

/// A ledger that can go on.
pub struct Opened {
    /// What everyone sees.
    pub shared: Shared,
    /// Where the journal goes on.
    pub log: Log,
    /// The newest timestamp given out.
    pub newest: u64,
    /// The segment of the newest snapshot, and how many records that has seen.
    pub snapshot: (u32, u64),
    /// What was found.
    pub recovery: Recovery,
}

/// So many segments may stay in memory when there is no room for their indexes: more than a crash leaves without.
const UNINDEXED_MAX: usize = 32;

/// What a snapshot holds.
struct Snapshot {
    header: Header,
    accounts: Accounts,
    pending: Vec<Pending>,
    marks: Vec<Mark>,
}

/// Opens the ledger on `disk`. `threads` says whether a syncer runs beside the keeper.
pub fn open(disk: Arc<dyn Disk>, options: Options, threads: bool) -> Result<Opened, OpenError> {
    let options = options.checked();
    let names = disk.list().map_err(|e| OpenError::Io(disk.path(""), e))?;
    for name in &names {
        if name.starts_with(SPARE) || name.strip_suffix(".draft").is_some() {
            disk.remove(name).map_err(|e| OpenError::Io(disk.path(name), e))?;
        }
    }
    let segments = journal::segments(&*disk)?;
    nothing_missing(&*disk, &names, &segments)?;
    let mut rebuilt = Vec::new();
    let (mut indexes, superfluous) = choose_indexes(&*disk, &names, &segments, &mut rebuilt)?;
    fit_filters(&*disk, &mut indexes)?;
    let files = Arc::new(Files::new(disk.clone()));
    let sealed = Sealed::new(indexes, files.clone());
    let snapshot = choose_snapshot(&*disk, &names, &sealed, &mut rebuilt)?;
    for name in superfluous {
        disk.remove(&name).map_err(|e| OpenError::Io(disk.path(&name), e))?;
    }

    let (from, snapshot_at) =
        snapshot.as_ref().map_or((1, (1, 0)), |s| (s.header.segment, (s.header.segment, s.header.seen)));
    let first_record = snapshot.as_ref().map_or(0, |s| s.header.first_record);
    let mut books = Books::new(sealed, from, first_record);
    let mut marks = Vec::new();
    let mut header = None;
    if let Some(snapshot) = snapshot {
        let h = snapshot.header;
        books.begin(snapshot.accounts, &snapshot.pending, h.seen, h.newest_transfer);
        marks = snapshot.marks;
        header = Some(h);
    }
    let indexer = Indexer::default();
    let mut replay = Replay { disk: &*disk, books, indexer, segment: from, marks, header, fault: None };
    let end = match journal::walk_from(&*disk, from, |visit| replay.frame(visit)) {
        Ok(end) => end,
        Err(e) => return Err(replay.fault.map_or(OpenError::Journal(e), OpenError::from)),
    };
    let Replay { mut books, marks, .. } = replay;
    // What derived files know of must be there, also when they are not used.
    let known = seen_frames(&*disk, &names).max(header.map_or(0, |h| h.last_frame));
    let index = books.sealed().indexes().last().map(|index| index.summary);
    let cut =
        index.is_some_and(|i| i.last == end.segment && (i.end_record, i.head) != (end.records, end.head));
    let unseen = header.is_some_and(|h| end.records < h.seen);
    if end.frame < known || unseen || cut {
        return Err(OpenError::Journal(JournalError::Damaged {
            file: disk.path(&journal::file_name(end.segment.max(from))),
            frame: end.frame + 1,
            offset: end.bytes,
            reason: "the journal ends here, though more was written".to_owned(),
        }));
    }
    books.add_marks(&marks);
    let (log, size, uncut) = Log::resume(disk.clone(), &end, options.file_bytes)?;
    if uncut.is_some() {
        tracing::warn!(
            "no room to cut an unfinished write at the journal's end: nothing can be written until there is"
        );
    }
    let newest = end.timestamp.max(books.newest());
    let first = books.active().first;
    if end.segment > 0 && books.sealed().last_segment() == end.segment {
        // It has its index, so nothing more goes into it.
        books.roll(end.segment, None);
    }
    let full = books.sealed().last_segment() == end.segment;
    let place = DurablePlace { segment: end.segment, first_record: first, frame: end.frame, head: end.head };
    let size = if full { 0 } else { size };
    let shared = Shared::new(disk, options, threads, books, place, (end.bytes, size));
    lock(&shared.spare).uncut = uncut;
    let recovery = Recovery { rebuilt, ..end.recovery };
    Ok(Opened { shared, log, newest, snapshot: snapshot_at, recovery })
}

/// Every segment up to the last that any file speaks of must be there.
fn nothing_missing(disk: &dyn Disk, names: &[String], segments: &[u32]) -> Result<(), OpenError> {
    let known = names
        .iter()
        .filter_map(|name| index::covers(name).map(|(_, last)| last).or_else(|| snapshot::segment(name)));
    let last = known.chain(segments.last().copied()).max().unwrap_or(0);
    for segment in 1..=last {
        if segments.binary_search(&segment).is_err() {
            return Err(OpenError::Journal(JournalError::Damaged {
                file: disk.path(&journal::file_name(segment)),
                frame: 0,
                offset: 0,
                reason: "the file is missing".to_owned(),
            }));
        }
    }
    Ok(())
}

/// The last frame that any snapshot has seen; of damaged ones nothing is known.
fn seen_frames(disk: &dyn Disk, names: &[String]) -> u64 {
    let snapshots = names.iter().filter(|name| snapshot::segment(name).is_some());
    let frames = snapshots.filter_map(|name| Reader::open(disk, name).ok()).map(|r| r.header.last_frame);
    frames.max().unwrap_or(0)
}

/// The indexes that cover the segments from the first on without a gap, and the names of the others.
fn choose_indexes(
    disk: &dyn Disk,
    names: &[String],
    segments: &[u32],
    rebuilt: &mut Vec<std::path::PathBuf>,
) -> Result<(Vec<Arc<Index>>, Vec<String>), OpenError> {
    let mut found: Vec<(u32, u32, &String)> = names
        .iter()
        .filter_map(|name| index::covers(name).map(|(first, last)| (first, last, name)))
        .collect();
    // For each beginning, the longest first.
    found.sort_by_key(|(first, last, _)| (*first, u32::MAX - last));
    let mut chosen: Vec<Arc<Index>> = Vec::new();
    let mut superfluous = Vec::new();
    for (first, last, name) in found {
        let next = chosen.last().map_or(1, |index| index.summary.last + 1);
        let wanted = first == next && segments.binary_search(&last).is_ok();
        let opened = if wanted { Some(Index::open(disk, name, false)) } else { None };
        match opened {
            Some(Ok(index)) if follows(&index, chosen.last()) && agrees(disk, &index) => {
                chosen.push(Arc::new(index));
            }
            Some(Err(fault @ (Fault::Io(..) | Fault::Contradiction(_)))) => return Err(fault.into()),
            Some(_) => {
                rebuilt.push(disk.path(name));
                superfluous.push(name.clone());
            }
            None => superfluous.push(name.clone()),
        }
    }
    Ok((chosen, superfluous))
}

fn follows(index: &Index, before: Option<&Arc<Index>>) -> bool {
    index.summary.first_record == before.map_or(0, |b| b.summary.end_record)
}

/// Whether the segment after the index's continues what the index covers.
fn agrees(disk: &dyn Disk, index: &Index) -> bool {
    let name = journal::file_name(index.summary.last + 1);
    let Ok(file) = disk.open(&name) else {
        return true; // the last segment is read whole anyway
    };
    let mut bytes = [0; FILE_HEADER];
    if file.read_exact_at(&mut bytes, 0).is_err() {
        return true; // what is wrong with it is found when it is read
    }
    FileHeader::decode(&bytes).is_ok_and(|header| {
        header.parent == index.summary.head && header.first_record == index.summary.end_record
    })
}

/// The newest snapshot that is whole and all of whose earlier segments have indexes.
fn choose_snapshot(
    disk: &dyn Disk,
    names: &[String],
    sealed: &Sealed,
    rebuilt: &mut Vec<std::path::PathBuf>,
) -> Result<Option<Snapshot>, OpenError> {
    let mut found: Vec<(u32, &String)> =
        names.iter().filter_map(|name| snapshot::segment(name).map(|segment| (segment, name))).collect();
    found.sort_unstable();
    for (segment, name) in found.into_iter().rev() {
        // If an index before it is missing, all is read, which makes it again.
        if segment > sealed.last_segment() + 1 {
            continue;
        }
        match read_snapshot(disk, name, sealed.last_segment()) {
            Ok(Some(snapshot)) => return Ok(Some(snapshot)),
            Ok(None) => {}
            Err(fault @ Fault::Io(..)) => return Err(fault.into()),
            Err(_) => {
                rebuilt.push(disk.path(name));
                disk.remove(name).map_err(|e| OpenError::Io(disk.path(name), e))?;
            }
        }
    }
    Ok(None)
}

/// The snapshot of that name, if all the indexes that it builds on are still there: up to `indexed`.
fn read_snapshot(disk: &dyn Disk, name: &str, indexed: u32) -> Result<Option<Snapshot>, Fault> {
    let mut reader = Reader::open(disk, name)?;
    let header = reader.header;
    if header.indexed > indexed {
        return Ok(None);
    }
    let mut accounts = Accounts::default();
    accounts.reserve(usize::try_from(header.accounts).unwrap_or(0));
    for _ in 0..header.accounts {
        let entry: Entry = reader.account()?;
        accounts.add(entry)?;
    }
    let pending = (0..header.pending).map(|_| reader.pending()).collect::<Result<_, _>>()?;
    let marks = (0..header.marks).map(|_| reader.mark()).collect::<Result<_, _>>()?;
    Ok(Some(Snapshot { header, accounts, pending, marks }))
}

/// Taking the journal in, frame by frame.
struct Replay<'a> {
    disk: &'a dyn Disk,
    books: Books,
    indexer: Indexer,
    segment: u32,
    marks: Vec<Mark>,
    header: Option<Header>,
    fault: Option<Fault>,
}

impl Replay<'_> {
    fn frame(&mut self, visit: &journal::Visit<'_>) -> Result<(), String> {
        if let Some(h) = self.header
            && visit.frame.header.number == h.frame
            && visit.hash != h.head
        {
            return Err("the frame is another than the one that the snapshot has seen".to_owned());
        }
        if let Some(h) = self.header
            && visit.segment == h.segment
            && visit.first_record != h.first_record
        {
            return Err("the segment begins with another record than the snapshot says".to_owned());
        }
        self.take_in(visit).map_err(|fault| {
            let reason = fault.to_string();
            if !matches!(fault, Fault::Contradiction(_)) {
                self.fault = Some(fault);
            }
            reason
        })?;
        if self.books.newest() > TIMESTAMP_MAX {
            return Err("a record is of a time beyond all timestamps".to_owned());
        }
        Ok(())
    }

    fn take_in(&mut self, visit: &journal::Visit<'_>) -> Result<(), Fault> {
        if visit.segment != self.segment {
            self.seal()?;
            self.books.roll(visit.segment, None);
            self.segment = visit.segment;
        }
        let in_memory = visit.segment > self.books.sealed().last_segment();
        visit.frame.each(|at, record| {
            let at = (visit.offset + u64::from(at)) / ALIGN as u64;
            let position = in_memory.then(|| u32::try_from(at).unwrap_or(u32::MAX));
            self.books.apply(record, position)
        })
    }

    /// Makes the index of the segment that was read, if it has none. Without room for it the segment stays in memory,
    /// and so do those after it: the keeper indexes them when there is.
    fn seal(&mut self) -> Result<(), Fault> {
        if self.books.sealed().last_segment() >= self.segment {
            return Ok(());
        }
        self.books.add_marks(&self.marks);
        let (oldest, waiting) = self.books.waiting();
        let index = match oldest {
            Some(_) if waiting < UNINDEXED_MAX => return Ok(()),
            Some(oldest) => self.indexer.seal(self.disk, &oldest)?,
            None => match self.indexer.seal(self.disk, self.books.active()) {
                Err(fault) if fault.is_no_space() => {
                    tracing::warn!(%fault, "no room for an index: segments stay in memory until there is");
                    return Ok(());
                }
                index => index?,
            },
        };
        let sealed = self.books.sealed();
        index.settle(self.disk)?;
        let mut indexes = sealed.indexes().to_vec();
        indexes.push(Arc::new(index));
        let sealed = Sealed::new(indexes, sealed.files().clone());
        self.books.set_sealed(sealed);
        if waiting == 0 {
            self.books.forget_active();
        }
        Ok(())
    }
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Io(path, e) => OpenError::Io(path, e),
            damaged => OpenError::Journal(damaged.into()),
        }
    }
}
