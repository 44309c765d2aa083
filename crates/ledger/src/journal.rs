//! The journal on disk: appending frames, and reading all of it back.
//!
//! One frame is written and synced before the next is begun, so a crash can spoil only the last frame.
//! Whatever else does not add up is damage, and is reported with file, frame and offset, never repaired.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::frame::{self, FILE_HEADER, FileHeader, Hash};
use crate::posting::Record;

/// A new file is begun once the current one has this many bytes.
pub const FILE_BYTES: u64 = 64 << 20;

const PREFIX: &str = "journal-";
const SUFFIX: &str = ".ylj";

/// What opening found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Frames read.
    pub frames: u64,
    /// Records read.
    pub records: u64,
    /// The unfinished write at the end that was cut off, if there was one.
    pub torn: Option<Torn>,
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

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    |e| JournalError::Io(path, e)
}

/// The journal's files in order.
pub fn files(dir: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).map_err(io_at(dir))? {
        let entry = entry.map_err(io_at(dir))?;
        if entry.file_name().to_str().is_some_and(|n| n.starts_with(PREFIX) && n.ends_with(SUFFIX)) {
            out.push(entry.path());
        }
    }
    out.sort(); // the number in the name has a fixed width
    Ok(out)
}

fn file_name(first_frame: u64) -> String {
    format!("{PREFIX}{first_frame:020}{SUFFIX}")
}

/// Where a walk through the journal ended.
#[derive(Debug)]
pub struct End {
    /// The last sound frame, zero if none.
    pub frame: u64,
    /// Its hash, zeros if none.
    pub head: Hash,
    /// The newest timestamp given out.
    pub timestamp: u64,
    /// The last file and how many of its bytes are sound; `None` if there is no file.
    pub last: Option<(PathBuf, u64)>,
    /// What frames and records there were.
    pub recovery: Recovery,
}

/// Reads every frame in order and hands its records to `each`, which may object with a reason.
pub fn walk(dir: &Path, mut each: impl FnMut(&[Record]) -> Result<(), String>) -> Result<End, JournalError> {
    let files = files(dir)?;
    let mut end = End { frame: 0, head: [0; 32], timestamp: 0, last: None, recovery: Recovery::default() };
    for (index, path) in files.iter().enumerate() {
        let is_last = index + 1 == files.len();
        let bytes = fs::read(path).map_err(io_at(path))?;
        let next = end.frame + 1;
        let damaged = |frame: u64, offset: usize, reason: &str| JournalError::Damaged {
            file: path.clone(),
            frame,
            offset: offset as u64,
            reason: reason.to_owned(),
        };
        // An unfinished write can only stand at the very end, with nothing sound after it.
        let torn_or_damaged = |frame: u64, offset: usize, reason: &str| {
            let rest = &bytes[offset..];
            if !is_last {
                return Err(damaged(frame, offset, &format!("{reason}, and another file follows")));
            }
            let skip = frame::ALIGN.min(rest.len());
            if let Some(at) = frame::find_sound(&rest[skip..]) {
                let at = offset + skip + at;
                return Err(damaged(
                    frame,
                    offset,
                    &format!("{reason}, and a sound frame follows at byte {at}"),
                ));
            }
            Ok(Torn { file: path.clone(), frame, offset: offset as u64, bytes: rest.len() as u64 })
        };
        match FileHeader::decode(&bytes) {
            Ok(h) if h.first_frame == next && h.parent == end.head => {}
            Ok(_) => return Err(damaged(next, 0, "the file does not continue the one before it")),
            Err(reason) => {
                if bytes.len() > FILE_HEADER {
                    return Err(damaged(next, 0, reason)); // frames are written after a synced header
                }
                end.recovery.torn = Some(torn_or_damaged(next, 0, reason)?);
                end.last = Some((path.clone(), 0));
                break;
            }
        }
        let mut at = FILE_HEADER;
        while at < bytes.len() {
            let number = end.frame + 1;
            let frame = match frame::read(&bytes[at..]) {
                Ok(frame) => frame,
                Err(reason) => {
                    end.recovery.torn = Some(torn_or_damaged(number, at, reason)?);
                    break;
                }
            };
            if frame.header.number != number {
                return Err(damaged(number, at, "a frame with another number stands in its place"));
            }
            if frame.header.parent != end.head {
                return Err(damaged(number, at, "the frame does not carry the hash of the one before it"));
            }
            let records = frame.records().map_err(|reason| damaged(number, at, reason))?;
            each(&records).map_err(|reason| damaged(number, at, &reason))?;
            end.frame = number;
            end.head = frame.hash();
            end.timestamp = frame.header.timestamp;
            end.recovery.frames += 1;
            end.recovery.records += records.len() as u64;
            at += frame.bytes.len();
        }
        end.last = Some((path.clone(), at as u64));
    }
    Ok(end)
}

/// The open end of the journal.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    file: File,
    file_len: u64,
    file_limit: u64,
    frame: u64,
    head: Hash,
    buffer: Vec<u8>,
}

impl Journal {
    /// Makes the journal that [`walk`] read ready for appending: cuts an unfinished write (keeping its
    /// bytes beside it), and syncs, because what was read may still have been only in memory.
    pub fn resume(dir: &Path, end: &End, file_limit: u64) -> Result<Journal, JournalError> {
        if let Some(torn) = &end.recovery.torn {
            cut(dir, torn)?;
        }
        let sound = end.last.as_ref().filter(|(_, len)| *len > 0);
        let (file, file_len) = if let Some((path, len)) = sound {
            let file = OpenOptions::new().append(true).open(path).map_err(io_at(path))?;
            file.sync_all().map_err(io_at(path))?;
            (file, *len)
        } else {
            begin_file(dir, end.frame + 1, end.head)?
        };
        sync_dir(dir)?;
        let dir = dir.to_owned();
        Ok(Journal { dir, file, file_len, file_limit, frame: end.frame, head: end.head, buffer: Vec::new() })
    }

    /// Writes one frame and returns once it is on disk. After an error the end of the file is unknown
    /// and the journal must not be used again.
    pub fn append(&mut self, records: &[Record], timestamp: u64) -> Result<(), JournalError> {
        if self.file_len >= self.file_limit {
            (self.file, self.file_len) = begin_file(&self.dir, self.frame + 1, self.head)?;
        }
        let head = frame::encode(&mut self.buffer, self.frame + 1, timestamp, self.head, records);
        let at = io_at(&self.dir);
        self.file.write_all(&self.buffer).and_then(|()| self.file.sync_data()).map_err(at)?;
        self.frame += 1;
        self.head = head;
        self.file_len += self.buffer.len() as u64;
        Ok(())
    }
}

fn begin_file(dir: &Path, first_frame: u64, parent: Hash) -> Result<(File, u64), JournalError> {
    let path = dir.join(file_name(first_frame));
    let mut file = OpenOptions::new().append(true).create_new(true).open(&path).map_err(io_at(&path))?;
    let header = FileHeader { first_frame, parent }.encode();
    file.write_all(&header).and_then(|()| file.sync_all()).map_err(io_at(&path))?;
    sync_dir(dir)?;
    Ok((file, FILE_HEADER as u64))
}

fn cut(dir: &Path, torn: &Torn) -> Result<(), JournalError> {
    let bytes = fs::read(&torn.file).map_err(io_at(&torn.file))?;
    let offset = usize::try_from(torn.offset).unwrap_or(usize::MAX).min(bytes.len());
    let kept = dir.join(format!("torn-{:020}-{}", torn.frame, torn.bytes));
    let mut copy = File::create(&kept).map_err(io_at(&kept))?;
    copy.write_all(&bytes[offset..]).and_then(|()| copy.sync_all()).map_err(io_at(&kept))?;
    if offset < FILE_HEADER {
        return fs::remove_file(&torn.file).map_err(io_at(&torn.file));
    }
    let file = OpenOptions::new().write(true).open(&torn.file).map_err(io_at(&torn.file))?;
    file.set_len(torn.offset).and_then(|()| file.sync_all()).map_err(io_at(&torn.file))
}

/// A new or removed name survives a crash only once its directory is synced.
pub fn sync_dir(dir: &Path) -> Result<(), JournalError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(io_at(dir))
}
