//! Copies of the journal: [`backup`] beside a live ledger, [`restore`] of a copy, also to an earlier moment.
//!
//! A copy is the journal's files, each up to its last sound frame, and a marker. Nothing else of a ledger's
//! directory is in it: indexes and snapshots follow from the journal. Every frame that is copied is checked
//! for its checksums, number, parent and records first; what does not hold is refused, never repaired. The
//! ledger itself is only read.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::frame::{self, FILE_HEADER, FileHeader, Hash};
use crate::journal::{self, JournalError};

/// Tells a copy from a ledger, and keeps two copying programs apart.
const MARKER: &str = "yima-backup";
const MARKER_TEXT: &str = "This directory is kept by `yima ledger backup`. `yima ledger restore` reads it.\n";
/// What a file is called until the whole restore is on disk.
const PART: &str = "part";

/// How far a journal goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reach {
    /// The number of the last frame; frames count from 1.
    pub frame: u64,
    /// How many records there are in all.
    pub records: u64,
    /// Its hash: whoever keeps it can tell if the books are ever rewritten.
    pub head: Hash,
    /// Its timestamp, the newest that the engine had given out; nanoseconds since the Unix epoch.
    pub timestamp: u64,
}

/// What a copy has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backup {
    /// How far it goes.
    pub reach: Reach,
    /// Files of the journal in it.
    pub files: usize,
    /// Frames that were not in it before.
    pub new_frames: u64,
    /// Bytes written.
    pub new_bytes: u64,
}

/// What was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// How far the restored journal goes.
    pub reach: Reach,
    /// Files of the journal in it.
    pub files: usize,
    /// Sound frames after the moment asked for.
    pub left_out: u64,
    /// The timestamp of the last of them, zero if none was left out.
    pub left_out_until: u64,
    /// Bytes at the end that are no whole frame: an unfinished write, never acknowledged.
    pub unfinished_bytes: u64,
}

/// Why a copy cannot be made or restored.
#[derive(Debug)]
#[non_exhaustive]
pub enum BackupError {
    /// A file cannot be read or written, or a frame before the end is not what was written.
    Journal(JournalError),
    /// There is not one whole frame to copy.
    Empty(PathBuf),
    /// The directory has files in it, and they are no backup.
    NotEmpty(PathBuf),
    /// Another program writes this backup.
    Busy(PathBuf),
    /// The backup is not the beginning of this ledger.
    Diverged {
        /// The backup's file that differs.
        file: PathBuf,
    },
    /// The first frame is later than the moment asked for.
    TooEarly {
        /// The timestamp of the first frame, nanoseconds since the Unix epoch.
        first: u64,
    },
    /// What was restored reads back otherwise than it was written.
    NotAsWritten(PathBuf),
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackupError::Journal(e) => e.fmt(f),
            BackupError::Empty(dir) => write!(f, "{}: no journal with a whole frame is here", dir.display()),
            BackupError::NotEmpty(dir) => {
                write!(f, "{}: the directory is not empty, and nothing in it is written over", dir.display())
            }
            BackupError::Busy(dir) => {
                write!(f, "{}: another program writes this backup", dir.display())
            }
            BackupError::Diverged { file } => write!(
                f,
                "the backup is not the beginning of this ledger: {} differs, or goes further; it is left as it is",
                file.display()
            ),
            BackupError::TooEarly { first } => {
                write!(f, "the ledger begins later than that: its first frame is of {first}")
            }
            BackupError::NotAsWritten(dir) => {
                write!(f, "{}: what was written reads back otherwise; do not use it", dir.display())
            }
        }
    }
}

impl std::error::Error for BackupError {}

impl From<JournalError> for BackupError {
    fn from(e: JournalError) -> Self {
        BackupError::Journal(e)
    }
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    |e| BackupError::Journal(JournalError::Io(path, e))
}

/// Copies the ledger in `dir` to the backup in `to`, beside a live engine if there is one. `to` is empty, or
/// not there yet, or has an earlier backup of the same ledger; then only what came since is read and
/// written, after its newest file was compared with the ledger's byte by byte (by the hashes in it, that
/// stands for all before).
pub fn backup(dir: &Path, to: &Path) -> Result<Backup, BackupError> {
    let _lock = claim(to)?;
    let theirs = journal::files(dir)?;
    let mut ours = journal::files(to)?;
    for (index, file) in ours.iter().enumerate() {
        if theirs.get(index).map(|f| f.file_name()) != Some(file.file_name()) {
            return Err(BackupError::Diverged { file: file.clone() });
        }
    }
    // The newest file of the copy that has a frame is where to go on; what an interrupted copy began after
    // it is begun again.
    let mut reach = Reach::default();
    let mut have = 0;
    while let Some(newest) = ours.last() {
        let bytes = fs::read(newest).map_err(io_at(newest))?;
        if let Ok(header) = FileHeader::decode(&bytes) {
            let mut kept = before(&header);
            let sound = follow(newest, &bytes, true, &mut kept)?.sound;
            if kept.frame >= header.first_frame {
                let source = &theirs[ours.len() - 1];
                let beginning = fs::read(source).map_err(io_at(source))?;
                if beginning.get(..sound) != Some(&bytes[..sound]) {
                    return Err(BackupError::Diverged { file: newest.clone() });
                }
                (reach, have) = (kept, sound);
                break;
            }
        }
        fs::remove_file(newest).map_err(io_at(newest))?;
        ours.pop();
    }
    let old = reach.frame;
    let mut new_bytes = 0;
    let mut files = ours.len();
    for (index, source) in theirs.iter().enumerate().skip(ours.len().saturating_sub(1)) {
        let is_last = index + 1 == theirs.len();
        let (bytes, sound, end) = settled(source, is_last, reach, have)?;
        if is_last && end.frame == reach.frame && have == 0 {
            break; // begun, and without a frame as yet
        }
        // What was read may have been only in memory. A copy must not know more than a crash leaves here.
        File::open(source).and_then(|f| f.sync_data()).map_err(io_at(source))?;
        let target = to.join(source.file_name().unwrap_or_default());
        write_from(&target, have, &bytes[have..sound])?;
        new_bytes += (sound - have) as u64;
        files = index + 1;
        (reach, have) = (end, 0);
    }
    sync_dir(to)?;
    if reach.frame == 0 {
        return Err(BackupError::Empty(dir.to_owned()));
    }
    Ok(Backup { reach, files, new_frames: reach.frame - old, new_bytes })
}

/// Puts the journal in `from`, a backup or a ledger's directory, into the empty directory `to`. With `until`
/// only the frames up to that timestamp (nanoseconds since the Unix epoch, inclusive): the books as they
/// were at that moment, to the frame.
pub fn restore(from: &Path, to: &Path, until: Option<u64>) -> Result<Restored, BackupError> {
    let files = journal::files(from)?;
    begin_empty(to)?;
    let mut whole = Reach::default();
    let mut kept = Reach::default();
    let mut first = None;
    let mut unfinished_bytes = 0;
    let mut written = Vec::new();
    for (index, source) in files.iter().enumerate() {
        let bytes = fs::read(source).map_err(io_at(source))?;
        let mut cut = 0;
        let stretch = follow_to(source, &bytes, index + 1 == files.len(), &mut whole, |reach, end| {
            first.get_or_insert(reach.timestamp);
            if until.is_none_or(|until| reach.timestamp <= until) {
                (kept, cut) = (*reach, end);
            }
        })?;
        unfinished_bytes += stretch.unfinished;
        if cut > 0 {
            let name = source.file_name().unwrap_or_default();
            let (part, target) = (to.join(name).with_added_extension(PART), to.join(name));
            write_from(&part, 0, &bytes[..cut])?;
            written.push((part, target));
        }
    }
    let Some(first) = first else { return Err(BackupError::Empty(from.to_owned())) };
    if written.is_empty() {
        return Err(BackupError::TooEarly { first });
    }
    // The first file gets its name last: without it nothing takes the others for a ledger.
    for (part, target) in written.iter().rev() {
        fs::rename(part, target).map_err(io_at(part))?;
        sync_dir(to)?;
    }
    let mut read_back = Reach::default();
    for (index, (_, target)) in written.iter().enumerate() {
        let bytes = fs::read(target).map_err(io_at(target))?;
        follow(target, &bytes, index + 1 == written.len(), &mut read_back)?;
    }
    if read_back != kept {
        return Err(BackupError::NotAsWritten(to.to_owned()));
    }
    let left_out = whole.frame - kept.frame;
    let left_out_until = if left_out == 0 { 0 } else { whole.timestamp };
    Ok(Restored { reach: kept, files: written.len(), left_out, left_out_until, unfinished_bytes })
}

/// A new or changed name survives a crash only once its directory is synced.
fn sync_dir(dir: &Path) -> Result<(), BackupError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(io_at(dir))
}

/// Makes `to` a backup's directory that nobody else writes as long as the file is open.
fn claim(to: &Path) -> Result<File, BackupError> {
    let marker = to.join(MARKER);
    if !marker.exists() {
        begin_empty(to)?;
    }
    let open = OpenOptions::new().write(true).create(true).truncate(false).open(&marker);
    let mut file = open.map_err(io_at(&marker))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(BackupError::Busy(to.to_owned())),
        Err(TryLockError::Error(e)) => return Err(io_at(&marker)(e)),
    }
    if file.metadata().map_err(io_at(&marker))?.len() == 0 {
        file.write_all(MARKER_TEXT.as_bytes()).and_then(|()| file.sync_all()).map_err(io_at(&marker))?;
        sync_dir(to)?;
    }
    Ok(file)
}

/// Makes the directory, or finds it empty.
fn begin_empty(dir: &Path) -> Result<(), BackupError> {
    if !dir.is_dir() {
        fs::create_dir_all(dir).map_err(io_at(dir))?;
        if let Some(parent) = dir.canonicalize().ok().and_then(|d| d.parent().map(Path::to_owned)) {
            sync_dir(&parent)?;
        }
    }
    match fs::read_dir(dir).map_err(io_at(dir))?.next() {
        None => Ok(()),
        Some(_) => Err(BackupError::NotEmpty(dir.to_owned())),
    }
}

/// Where the chain stands before the first frame of a file.
fn before(header: &FileHeader) -> Reach {
    Reach {
        frame: header.first_frame.saturating_sub(1),
        records: header.first_record,
        head: header.parent,
        timestamp: 0,
    }
}

/// How much of a file holds.
struct Stretch {
    /// Bytes up to the end of its last sound frame.
    sound: usize,
    /// Bytes after it that are not zeros, or are followed by some.
    unfinished: u64,
}

/// Reads a file of a ledger that may be written to meanwhile. Answers its bytes, how many of them are sound,
/// and how far the chain goes with them. `have` bytes of it are copied already.
fn settled(
    path: &Path,
    is_last: bool,
    reach: Reach,
    have: usize,
) -> Result<(Vec<u8>, usize, Reach), BackupError> {
    let mut seen = None;
    loop {
        let bytes = fs::read(path).map_err(io_at(path))?;
        let mut end = reach;
        if have > 0
            && let Ok(header) = FileHeader::decode(&bytes)
        {
            end = before(&header);
        }
        match follow(path, &bytes, is_last, &mut end) {
            Ok(stretch) => return Ok((bytes, stretch.sound, end)),
            // Reading is no moment: a frame under way may be followed by one written meanwhile. A sound frame
            // after it means that by now it is whole, or it is damaged.
            Err(BackupError::Journal(JournalError::Damaged { frame, .. }))
                if is_last && seen < Some(frame) =>
            {
                seen = Some(frame);
            }
            Err(e) => return Err(e),
        }
    }
}

fn follow(path: &Path, bytes: &[u8], is_last: bool, reach: &mut Reach) -> Result<Stretch, BackupError> {
    follow_to(path, bytes, is_last, reach, |_, _| {})
}

/// Checks every frame of a file against the chain that stands at `reach`, and moves `reach` on. `each` is
/// told where it stands after a frame and at which byte that one ends.
fn follow_to(
    path: &Path,
    bytes: &[u8],
    is_last: bool,
    reach: &mut Reach,
    mut each: impl FnMut(&Reach, usize),
) -> Result<Stretch, BackupError> {
    let damaged = |frame: u64, offset: usize, reason: &str| {
        let (file, offset, reason) = (path.to_owned(), offset as u64, reason.to_owned());
        BackupError::Journal(JournalError::Damaged { file, frame, offset, reason })
    };
    // What does not hold is the journal's end, if nothing sound comes after it.
    let ends = |frame: u64, offset: usize, reason: &str| {
        let rest = &bytes[offset..];
        if rest.iter().all(|b| *b == 0) {
            // Room that was kept for more frames.
            let unfinished = if offset == 0 { rest.len() as u64 } else { 0 };
            return Ok(Stretch { sound: offset, unfinished });
        }
        if !is_last {
            return Err(damaged(frame, offset, &format!("{reason}, and another file follows")));
        }
        let skip = frame::ALIGN.min(rest.len());
        if let Some(at) = frame::find_sound(&rest[skip..]) {
            let at = offset + skip + at;
            return Err(damaged(frame, offset, &format!("{reason}, and a sound frame follows at byte {at}")));
        }
        Ok(Stretch { sound: offset, unfinished: rest.len() as u64 })
    };
    let next = reach.frame + 1;
    match FileHeader::decode(bytes) {
        Ok(header)
            if header.first_frame == next
                && header.first_record == reach.records
                && header.parent == reach.head
                && path.file_name() == Some(journal::file_name(header.segment).as_ref()) => {}
        Ok(_) => return Err(damaged(next, 0, "the file does not continue the one before it")),
        Err(reason) if !is_last => return Err(damaged(next, 0, reason)),
        Err(reason) => return ends(next, 0, reason),
    }
    let mut at = FILE_HEADER;
    while at < bytes.len() {
        let number = reach.frame + 1;
        let frame = match frame::read(&bytes[at..]) {
            Ok(frame) => frame,
            Err(reason) => return ends(number, at, reason),
        };
        if frame.header.number != number {
            return Err(damaged(number, at, "a frame with another number stands in its place"));
        }
        if frame.header.parent != reach.head {
            return Err(damaged(number, at, "the frame does not carry the hash of the one before it"));
        }
        if frame.header.first_record != reach.records {
            return Err(damaged(number, at, "the frame counts the records before it otherwise"));
        }
        frame.records().map_err(|reason| damaged(number, at, reason))?;
        at += frame.bytes.len();
        let records = reach.records + u64::from(frame.header.records);
        let timestamp = frame.header.timestamp;
        *reach = Reach { frame: number, records, head: frame.hash(), timestamp };
        each(reach, at);
    }
    Ok(Stretch { sound: at, unfinished: 0 })
}

/// Writes `bytes` into the file at `offset`, cuts what lies beyond, and returns once it is on disk.
fn write_from(path: &Path, offset: usize, bytes: &[u8]) -> Result<(), BackupError> {
    let (offset, end) = (offset as u64, (offset + bytes.len()) as u64);
    let open = OpenOptions::new().write(true).create(true).truncate(false).open(path);
    let file = open.map_err(io_at(path))?;
    file.set_len(end.min(file.metadata().map_err(io_at(path))?.len()))
        .and_then(|()| file.write_all_at(bytes, offset))
        .and_then(|()| file.sync_all())
        .map_err(io_at(path))?;
    let dir = path.parent().unwrap_or(Path::new("."));
    sync_dir(dir)?; // a file must not be missing when the one after it is there
    Ok(())
}
