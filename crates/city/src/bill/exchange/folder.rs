//! The folder on disk. Every step is a rename or leaves nothing behind, so a crash between two of them is taken up by
//! doing the step again.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use kernel::hex;
use sha2::{Digest, Sha256};

use super::rules::{NAME_MAX, is_ignored};

/// The places of a biller's folder.
#[derive(Clone, Debug)]
pub struct Places {
    /// The biller puts files here.
    pub inbox: PathBuf,
    /// Files that are being taken in: ours alone.
    pub taking: PathBuf,
    /// Files that were taken in.
    pub done: PathBuf,
    /// Files that were refused.
    pub refused: PathBuf,
    /// Our files for the biller.
    pub outbox: PathBuf,
    /// Our acknowledgements for the biller.
    pub acks: PathBuf,
}

impl Places {
    /// The places in a directory.
    pub fn of(directory: &Path) -> Places {
        let inbox = directory.join("in");
        Places {
            taking: inbox.join("taking"),
            done: inbox.join("done"),
            refused: inbox.join("refused"),
            outbox: directory.join("out"),
            acks: directory.join("ack"),
            inbox,
        }
    }

    /// Makes what is not there.
    pub fn make(&self) -> io::Result<()> {
        for place in [&self.taking, &self.done, &self.refused, &self.outbox, &self.acks] {
            fs::create_dir_all(place).map_err(|e| named(place, &e))?;
        }
        Ok(())
    }
}

fn named(path: &Path, e: &io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}

/// What tells a file that grows from one that rests: length and time of the last writing, nanoseconds.
pub type Look = (u64, u128);

/// The files of a directory that are whole by their names, and those whose names nobody can use.
pub fn files(directory: &Path) -> io::Result<(Vec<(String, Look)>, usize)> {
    let (mut found, mut unusable) = (Vec::new(), 0);
    for entry in fs::read_dir(directory).map_err(|e| named(directory, &e))? {
        let entry = entry?;
        let Ok(meta) = entry.metadata() else { continue }; // taken away again
        if !meta.is_file() {
            continue; // directories, and links that lead who knows where
        }
        match entry.file_name().into_string() {
            Ok(name) if is_ignored(&name) => {}
            Ok(name) if name.len() <= NAME_MAX && !name.chars().any(char::is_control) => {
                let modified =
                    meta.modified().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
                found.push((name, (meta.len(), modified.unwrap_or_default().as_nanos())));
            }
            _ => unusable += 1,
        }
    }
    found.sort_unstable();
    Ok((found, unusable))
}

/// Moves a file into `taking`, unless one of its name is there.
pub fn take(places: &Places, name: &str) -> io::Result<bool> {
    let to = places.taking.join(name);
    if to.exists() {
        return Ok(false);
    }
    match fs::rename(places.inbox.join(name), &to) {
        Ok(()) => sync(&places.taking).map(|()| true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false), // its sender took it back
        Err(e) => Err(named(&to, &e)),
    }
}

/// Moves a file that has ended out of `taking`, or removes it. It may be gone already.
pub fn put_away(places: &Places, name: &str, sha256: &str, accepted: bool, keep: bool) -> io::Result<()> {
    let from = places.taking.join(name);
    let ended = if accepted && !keep {
        fs::remove_file(&from)
    } else {
        let place = if accepted { &places.done } else { &places.refused };
        let mut to = place.join(name);
        if to.exists() {
            to = place.join(format!("{name}.{}", &sha256[..12.min(sha256.len())]));
        }
        fs::rename(&from, &to).and_then(|()| sync(place))
    };
    match ended {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        ended => ended.map_err(|e| named(&from, &e)),
    }
}

/// A copy that nobody else writes to, synced; its hash and length.
pub fn copy(from: &Path, part: &Path) -> io::Result<(String, u64)> {
    if let Some(directory) = part.parent() {
        fs::create_dir_all(directory)?;
    }
    let (mut input, mut output) = (File::open(from).map_err(|e| named(from, &e))?, File::create(part)?);
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0u64, vec![0; 1 << 18]);
    loop {
        let n = input.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        hash.update(&buffer[..n]);
        output.write_all(&buffer[..n])?;
        bytes += n as u64;
    }
    output.sync_all()?;
    Ok((hex(&hash.finalize()), bytes))
}

/// Writes a file that is there whole or not at all.
pub fn write(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let part = directory.join(format!(".{name}.tmp"));
    let mut file = File::create(&part).map_err(|e| named(&part, &e))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, directory.join(name)).map_err(|e| named(&part, &e))?;
    sync(directory)
}

/// Makes sure that renames in a directory outlive a crash.
pub fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
