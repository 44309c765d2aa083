//! Taking in a biller's file over the network: streamed to disk, hashed and synced before anything is
//! made of it, so that a crash at any moment leaves either the whole file or none.

pub mod http;

use std::fs::{self, File};
use std::future::Future;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use kernel::ids::BillerId;
use kernel::{Timestamp, hex};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::bill::import::{self, Import, blocking};
use crate::bill::{BillError, pack};
use crate::identity::{Biller, Operator, Role};
use crate::{City, Fault};

/// The bytes of a file, piece by piece.
pub trait Upload: Send {
    /// The next piece; `None` at the end, an error when the sender went away.
    fn next(&mut self) -> impl Future<Output = Option<Result<Vec<u8>, io::Error>>> + Send;
}

/// A file that is in memory.
impl Upload for Vec<u8> {
    async fn next(&mut self) -> Option<Result<Vec<u8>, io::Error>> {
        let whole = std::mem::take(self);
        (!whole.is_empty()).then_some(Ok(whole))
    }
}

/// Takes a bill file in: to disk, through the first pass, then row by row in the background. The same
/// file again gives the import of the first time.
pub async fn receive(
    city: &City,
    who: &Biller,
    name: &str,
    upload: impl Upload,
) -> Result<Import, BillError> {
    who.role.require(Role::Staff)?;
    take(city, who.id, name, upload).await
}

/// [`receive`], by an operator who was given a biller's file.
pub async fn receive_for(
    city: &City,
    by: &Operator,
    biller: BillerId,
    name: &str,
    upload: impl Upload,
) -> Result<Import, BillError> {
    by.role.require(Role::Staff)?;
    take(city, biller, name, upload).await
}

async fn take(city: &City, biller: BillerId, name: &str, upload: impl Upload) -> Result<Import, BillError> {
    pack(city, biller).await?;
    let name: String = name.chars().filter(|c| !c.is_control()).take(120).collect();
    let directory = import::directory(city, biller);
    let part = directory.join(format!("{:032x}.part", city.rng.u128()));
    let kept = keep(&directory, &part, upload).await;
    let path = match kept {
        Ok(path) => path,
        Err(why) => {
            let _ = fs::remove_file(&part); // it may not have been made yet
            return Err(why.into());
        }
    };
    let import = match import::begin(city, biller, &path, &name).await {
        Err(BillError::File(why)) => {
            let _ = fs::remove_file(&path); // nothing refers to it
            return Err(why.into());
        }
        begun => begun?,
    };
    if import.finished_at.is_none() {
        import::spawn(city, import.clone());
    }
    Ok(import)
}

/// Writes the upload to `part`, syncs it and gives it the name of its hash.
async fn keep(directory: &Path, part: &Path, upload: impl Upload) -> Result<PathBuf, Fault> {
    let sha256 = keep_part(directory, part, upload).await?;
    let (from, to, within) = (part.to_path_buf(), directory.join(&sha256), directory.to_path_buf());
    blocking(move || {
        fs::rename(&from, &to)?;
        File::open(&within)?.sync_all()?;
        Ok(to)
    })
    .await
}

/// Writes the upload to `part`, syncs it and says its SHA-256.
pub(super) async fn keep_part(
    directory: &Path,
    part: &Path,
    mut upload: impl Upload,
) -> Result<String, Fault> {
    let (sender, pieces) = mpsc::channel::<Vec<u8>>(16);
    let (at, within) = (part.to_path_buf(), directory.to_path_buf());
    let writer = tokio::spawn(blocking(move || write(&within, &at, pieces)));
    let mut cut = None;
    while let Some(piece) = upload.next().await {
        match piece {
            Ok(piece) => {
                if sender.send(piece).await.is_err() {
                    break; // the writer has failed and says why below
                }
            }
            Err(why) => {
                cut = Some(why);
                break;
            }
        }
    }
    drop(sender);
    let sha256 = writer.await.map_err(|e| Fault::File(e.to_string()))??;
    match cut {
        Some(why) => Err(Fault::File(why.to_string())),
        None => Ok(sha256),
    }
}

/// An upload that was not written to for so long is dead: its request is long over.
const DEAD_AFTER: Duration = Duration::from_hours(1);

/// Removes what uploads that broke off in a crash have left behind. Says how many files.
pub(super) async fn sweep(city: &City) -> Result<usize, Fault> {
    let within = |name| city.settings.data_dir.join(name);
    let (imports, returned, now) = (within("imports"), within("returned"), city.now());
    blocking(move || {
        let mut removed = 0;
        let mut files = Vec::new();
        for biller in entries(&imports)? {
            files.extend(entries(&biller)?);
        }
        files.extend(entries(&returned)?);
        for path in files {
            if path.extension().is_none_or(|e| e != "part") {
                continue;
            }
            let Ok(written) = fs::metadata(&path).and_then(|m| m.modified()) else { continue };
            let written = written.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let written = Timestamp::from_secs(0).plus(written);
            if now >= written.plus(DEAD_AFTER) {
                fs::remove_file(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    })
    .await
}

/// What lies in a directory; nothing in one that is not there.
fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(directory) {
        Ok(found) => found.map(|entry| entry.map(|e| e.path())).collect(),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(e) => Err(e),
    }
}

fn write(directory: &Path, part: &Path, mut pieces: mpsc::Receiver<Vec<u8>>) -> io::Result<String> {
    fs::create_dir_all(directory)?;
    let mut file = File::create(part)?;
    let mut hash = Sha256::new();
    while let Some(piece) = pieces.blocking_recv() {
        hash.update(&piece);
        file.write_all(&piece)?;
    }
    file.sync_all()?;
    Ok(hex(&hash.finalize()))
}
