//! The journal on disk: appending frames, and reading them back.
//!
//! One frame is written and synced before the next is begun, so a crash can spoil only the last frame.
//! Whatever else does not add up is damage, and is reported with file, frame and offset, never repaired.
//! A file is a segment; the one being written is made in advance, long enough and full of zeros, because a
//! sync is several times faster when neither length nor place of a file changes.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{Directory, Disk, DiskFile};
use crate::fault::Fault;
use crate::frame::{self, FILE_HEADER, FileHeader, Frame, Hash};
use crate::table::SYNC_EVERY;

/// A new segment is begun once the current one has this many bytes, or sooner.
pub const FILE_BYTES: u64 = 16 << 20;

const PREFIX: &str = "journal-";
const SUFFIX: &str = ".ylj";

/// What opening found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Frames read.
    pub frames: u64,
    /// Records read.
    pub records: u64,
    /// The unfinished write at the end that was cut off, if there was one. On a full disk it is cut as soon as there
    /// is room.
    pub torn: Option<Torn>,
    /// Snapshots and indexes that were damaged, and were made again from the journal.
    pub rebuilt: Vec<PathBuf>,
}

/// An unfinished write at the journal's end: never acknowledged to anyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The file it stood in.
    pub file: PathBuf,
    /// The number the frame would have had.
    pub frame: u64,
    /// Where in the file it began.
    pub offset: u64,
    /// Its bytes, kept in a file `torn-…` beside the journal when the engine cuts them.
    pub bytes: u64,
}

/// Why the journal cannot be read to its end.
#[derive(Debug)]
pub enum JournalError {
    /// The operating system refused.
    Io(PathBuf, io::Error),
    /// A frame before the end is not what was written.
    Damaged {
        /// The file.
        file: PathBuf,
        /// The frame's number.
        frame: u64,
        /// Where in the file it begins.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JournalError::Io(path, e) => write!(f, "{}: {e}", path.display()),
            JournalError::Damaged { file, frame, offset, reason } => write!(
                f,
                "the journal is damaged at frame {frame} ({} at byte {offset}): {reason}",
                file.display()
            ),
        }
    }
}

impl std::error::Error for JournalError {}

impl From<Fault> for JournalError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Io(file, e) => JournalError::Io(file, e),
            Fault::Damaged { file, offset, reason } => {
                JournalError::Damaged { file, frame: 0, offset, reason: reason.to_owned() }
            }
            Fault::Contradiction(c) => {
                JournalError::Damaged { file: PathBuf::new(), frame: 0, offset: 0, reason: c.to_string() }
            }
        }
    }
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    |e| JournalError::Io(path, e)
}

/// The journal's files in order.
pub fn files(dir: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let disk = Directory::new(dir);
    Ok(segments(&disk)?.into_iter().map(|segment| disk.path(&file_name(segment))).collect())
}

/// The numbers of the journal's segments in order.
pub fn segments(disk: &dyn Disk) -> Result<Vec<u32>, JournalError> {
    let names = disk.list().map_err(io_at(&disk.path("")))?;
    let mut out: Vec<u32> = names.iter().filter_map(|name| segment(name)).collect();
    out.sort_unstable();
    Ok(out)
}

fn segment(name: &str) -> Option<u32> {
    let number = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

/// The name of a segment's file.
pub fn file_name(segment: u32) -> String {
    format!("{PREFIX}{segment:010}{SUFFIX}")
}

/// Nobody writes so many frames or records; what counts on from here does not overflow.
const NUMBER_MAX: u64 = 1 << 62;

/// Where a walk through the journal ended.
#[derive(Debug, Default)]
pub struct End {
    /// The last sound frame, zero if none.
    pub frame: u64,
    /// Its hash, zeros if none.
    pub head: Hash,
    /// How many records there are in all.
    pub records: u64,
    /// The newest timestamp given out.
    pub timestamp: u64,
    /// The last segment, zero if there is none.
    pub segment: u32,
    /// How many of its bytes are sound.
    pub bytes: u64,
    /// What frames and records there were.
    pub recovery: Recovery,
}

/// A sound frame and where it stands.
#[derive(Debug)]
pub struct Visit<'a> {
    /// The segment.
    pub segment: u32,
    /// The number of the segment's first record.
    pub first_record: u64,
    /// The frame's offset in it, in bytes.
    pub offset: u64,
    /// The frame.
    pub frame: &'a Frame<'a>,
    /// Its hash.
    pub hash: Hash,
}

/// Reads every frame of the journal in a directory in order; `each` may object with a reason.
pub fn walk(dir: &Path, mut each: impl FnMut(&Frame<'_>) -> Result<(), String>) -> Result<End, JournalError> {
    walk_from(&Directory::new(dir), 1, |visit| each(visit.frame))
}

/// Reads every frame from segment `from` on.
pub fn walk_from(
    disk: &dyn Disk,
    from: u32,
    mut each: impl FnMut(&Visit<'_>) -> Result<(), String>,
) -> Result<End, JournalError> {
    let mut segments = segments(disk)?;
    segments.retain(|segment| *segment >= from);
    let mut end = End::default();
    let mut bytes = Vec::new();
    for (index, &segment) in segments.iter().enumerate() {
        let path = disk.path(&file_name(segment));
        let file = disk.open(&file_name(segment)).map_err(io_at(&path))?;
        let size = file.size().map_err(io_at(&path))?;
        bytes.resize(usize::try_from(size).unwrap_or(usize::MAX), 0);
        file.read_exact_at(&mut bytes, 0).map_err(io_at(&path))?;
        let tail = Tail { path: &path, bytes: &bytes, is_last: index + 1 == segments.len() };
        let is_first = index == 0;
        let due = if is_first { from } else { end.segment + 1 };
        end.segment = segment;
        end.bytes = 0;
        // A file gets its name only after its header and its first frame are on disk.
        let header = FileHeader::decode(&bytes).map_err(|reason| tail.damaged(end.frame + 1, 0, reason))?;
        if is_first && from > 1 {
            if header.first_frame.max(header.first_record) > NUMBER_MAX {
                return Err(tail.damaged(end.frame + 1, 0, "the file begins behind all numbers"));
            }
            (end.frame, end.head) = (header.first_frame.saturating_sub(1), header.parent);
            end.records = header.first_record;
        }
        let expected = FileHeader {
            segment: due,
            first_frame: end.frame + 1,
            first_record: end.records,
            parent: end.head,
        };
        if header != expected || segment != due {
            return Err(tail.damaged(end.frame + 1, 0, "the file does not continue the one before it"));
        }
        let mut at = FILE_HEADER;
        while at < bytes.len() {
            let number = end.frame + 1;
            let frame = match frame::read(&bytes[at..]) {
                Ok(frame) => frame,
                Err(reason) if at == FILE_HEADER => return Err(tail.damaged(number, at, reason)),
                Err(reason) => {
                    end.recovery.torn = tail.torn(number, at, reason)?;
                    break;
                }
            };
            if frame.header.number != number || frame.header.first_record != end.records {
                return Err(tail.damaged(number, at, "a frame with another number stands in its place"));
            }
            if frame.header.parent != end.head {
                let reason = "the frame does not carry the hash of the one before it";
                return Err(tail.damaged(number, at, reason));
            }
            let (first_record, hash) = (header.first_record, frame.hash());
            let visit = Visit { segment, first_record, offset: at as u64, frame: &frame, hash };
            each(&visit).map_err(|reason| tail.damaged(number, at, &reason))?;
            end.frame = number;
            end.head = hash;
            end.timestamp = frame.header.timestamp;
            end.records += u64::from(frame.header.records);
            end.recovery.frames += 1;
            end.recovery.records += u64::from(frame.header.records);
            at += frame.bytes.len();
        }
        end.bytes = at as u64;
    }
    Ok(end)
}

/// A segment, for judging the place where no frame is.
struct Tail<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    is_last: bool,
}

impl Tail<'_> {
    fn damaged(&self, frame: u64, offset: usize, reason: &str) -> JournalError {
        let file = self.path.to_owned();
        JournalError::Damaged { file, frame, offset: offset as u64, reason: reason.to_owned() }
    }

    fn sound_after(&self, offset: usize) -> Option<usize> {
        let from = (offset + frame::ALIGN).min(self.bytes.len());
        frame::find_sound(&self.bytes[from..]).map(|at| from + at)
    }

    /// An unfinished write can only stand at the very end, with nothing sound after it. `None` if nothing
    /// stands there at all, which is how the room that was made in advance looks.
    fn torn(&self, frame: u64, offset: usize, reason: &str) -> Result<Option<Torn>, JournalError> {
        let rest = &self.bytes[offset..];
        let Some(last) = rest.iter().rposition(|b| *b != 0) else {
            return Ok(None);
        };
        if !self.is_last {
            return Err(self.damaged(frame, offset, &format!("{reason}, and another file follows")));
        }
        if let Some(at) = self.sound_after(offset) {
            let reason = format!("{reason}, and a sound frame follows at byte {at}");
            return Err(self.damaged(frame, offset, &reason));
        }
        let file = self.path.to_owned();
        Ok(Some(Torn { file, frame, offset: offset as u64, bytes: last as u64 + 1 }))
    }
}

/// The open end of the journal.
#[derive(Debug)]
pub struct Log {
    disk: std::sync::Arc<dyn Disk>,
    file: Option<Box<dyn DiskFile>>,
    segment: u32,
    frame: u64,
    head: Hash,
    /// The last frame, as long as `head` is not its hash but that of the one before.
    unhashed: Option<Vec<u8>>,
}

/// An unfinished write that still stands at the end of the journal. No segment may follow before it is cut.
#[derive(Debug)]
pub struct Uncut {
    torn: Torn,
    /// The journal's file.
    name: String,
    bytes: Vec<u8>,
}

impl Uncut {
    fn read(disk: &dyn Disk, segment: u32, torn: &Torn) -> Result<Uncut, JournalError> {
        let name = file_name(segment);
        let mut bytes = vec![0; usize::try_from(torn.bytes).unwrap_or(usize::MAX)];
        let file = disk.open(&name).map_err(io_at(&torn.file))?;
        file.read_exact_at(&mut bytes, torn.offset).map_err(io_at(&torn.file))?;
        Ok(Uncut { torn: torn.clone(), name, bytes })
    }

    /// Keeps it beside the journal, and puts zeros in its place. Without room it can be tried again.
    pub fn cut(&self, disk: &dyn Disk) -> Result<(), Fault> {
        let Torn { file: path, frame, offset, bytes } = &self.torn;
        let kept = format!("torn-{frame:020}-{bytes}");
        let kept_path = disk.path(&kept);
        let copy = disk.create(&kept).map_err(Fault::io(&kept_path))?;
        if let Err(e) = copy.write_at(&self.bytes, 0).and_then(|()| copy.sync()) {
            let _ = disk.remove(&kept); // it may be the very file that takes the last room
            return Err(Fault::Io(kept_path, e));
        }
        let file = disk.open(&self.name).map_err(Fault::io(path))?;
        zero(&*file, *offset, offset + bytes).map_err(Fault::io(path))?;
        // Whatever the reason, what was written before is not certain any more: no waiting for room here.
        file.sync().map_err(|e| Fault::Io(path.clone(), io::Error::other(e)))
    }
}

/// Where a frame goes.
#[derive(Debug)]
pub struct Place {
    /// Into which segment.
    pub segment: u32,
    /// Where in it, in bytes.
    pub offset: u64,
    /// The prepared file, if the segment begins with this frame.
    pub begins: Option<Prepared>,
    /// How many records stand before it.
    pub first_record: u64,
}

impl Log {
    /// Makes the journal that a walk read ready for appending: cuts an unfinished write (keeping its bytes
    /// beside it), and syncs, because what was read may still have been only in memory. Answers how long
    /// the last segment's file is made to be, zero if nothing more goes into it; and the unfinished write, if there
    /// was no room to cut it.
    pub fn resume(
        disk: std::sync::Arc<dyn Disk>,
        end: &End,
        file_bytes: u64,
    ) -> Result<(Log, u64, Option<Uncut>), JournalError> {
        let mut log =
            Log { disk, file: None, segment: end.segment, frame: end.frame, head: end.head, unhashed: None };
        let mut uncut = None;
        if let Some(torn) = &end.recovery.torn {
            let found = Uncut::read(&*log.disk, end.segment, torn)?;
            match found.cut(&*log.disk) {
                Err(fault) if fault.is_no_space() => uncut = Some(found),
                cut => cut?,
            }
        }
        let mut size = 0;
        if end.segment > 0 {
            let name = file_name(end.segment);
            let path = log.disk.path(&name);
            let file = log.disk.open(&name).map_err(io_at(&path))?;
            if uncut.is_none() {
                size = file.size().map_err(io_at(&path))?.max(end.bytes);
            }
            if uncut.is_none()
                && size < file_bytes
                && end.bytes < file_bytes
                && zero(&*file, end.bytes, file_bytes).is_ok()
            {
                size = file_bytes; // without room for more, it goes on in the next
            }
            file.sync().map_err(io_at(&path))?;
            log.file = Some(file);
        }
        log.disk.sync_names().map_err(io_at(&log.disk.path("")))?;
        Ok((log, size, uncut))
    }

    /// Writes one frame and returns once it is on disk. After an error the end of the file is unknown
    /// and the journal must not be used again.
    pub fn append(
        &mut self,
        place: Place,
        frame: frame::Builder,
        timestamp: u64,
    ) -> Result<(), JournalError> {
        self.settle();
        let name = file_name(place.segment);
        let path = self.disk.path(&name);
        let bytes = frame.seal(self.frame + 1, timestamp, place.first_record, self.head);
        if let Some(Prepared { file, name: prepared, .. }) = place.begins {
            let header = FileHeader {
                segment: place.segment,
                first_frame: self.frame + 1,
                first_record: place.first_record,
                parent: self.head,
            };
            file.write_at(&header.encode(), 0).map_err(io_at(&path))?;
            write(&*file, &path, &bytes, place.offset)?;
            self.disk.rename(&prepared, &name).map_err(io_at(&path))?;
            self.disk.sync_names().map_err(io_at(&path))?;
            self.file = Some(file);
            self.segment = place.segment;
        } else {
            let file = self.file.as_ref().filter(|_| self.segment == place.segment);
            let file = file.ok_or_else(|| JournalError::Io(path.clone(), io::ErrorKind::NotFound.into()))?;
            write(&**file, &path, &bytes, place.offset)?;
        }
        self.frame += 1;
        self.unhashed = Some(bytes);
        Ok(())
    }

    /// Works out the hash of the last frame, which nobody has to wait for; gives its memory back.
    pub fn settle(&mut self) -> Option<Vec<u8>> {
        let bytes = self.unhashed.take()?;
        self.head = frame::hash(&bytes);
        Some(bytes)
    }

    /// The segment written to last.
    pub fn segment(&self) -> u32 {
        self.segment
    }
    /// The last frame written.
    pub fn frame(&self) -> u64 {
        self.frame
    }
    /// The hash of the last frame, once it is settled.
    pub fn head(&self) -> Hash {
        self.head
    }
}

fn write(file: &dyn DiskFile, path: &Path, bytes: &[u8], at: u64) -> Result<(), JournalError> {
    file.write_at(bytes, at).and_then(|()| file.sync()).map_err(io_at(path))
}

/// A file for a segment to come: room on the disk, zeros, synced.
#[derive(Debug)]
pub struct Prepared {
    /// The file.
    pub file: Box<dyn DiskFile>,
    /// How long it is.
    pub size: u64,
    /// What it is called until it holds the segment's first frame.
    pub name: String,
}

/// Prepares a file of `size` bytes, the `nth` since the ledger was opened.
pub fn prepare(disk: &dyn Disk, nth: u64, size: u64) -> Result<Prepared, Fault> {
    let name = format!("{SPARE}{nth}");
    let path = disk.path(&name);
    let file = disk.create(&name).map_err(Fault::io(&path))?;
    if let Err(e) = zero(&*file, 0, size).and_then(|()| file.sync()) {
        let _ = disk.remove(&name); // it may be the very file that takes the last room
        return Err(Fault::Io(path, e));
    }
    Ok(Prepared { file, size, name })
}

/// How the names of prepared files begin.
pub const SPARE: &str = "spare-";

fn zero(file: &dyn DiskFile, from: u64, to: u64) -> io::Result<()> {
    const ZEROS: &[u8] = &[0; 1 << 18];
    file.reserve(to)?;
    let mut at = from;
    while at < to {
        let n = (to - at).min(ZEROS.len() as u64);
        file.write_at(&ZEROS[..usize::try_from(n).unwrap_or(0)], at)?;
        at += n;
        if (at - from).is_multiple_of(SYNC_EVERY) {
            file.sync()?;
        }
    }
    Ok(())
}
