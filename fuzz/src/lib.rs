//! What the fuzz targets share: checksums and chains made right, so that a mutated record gets past them to
//! the code behind; and a directory to put files in. Knows the byte layout of frames on purpose, from
//! `docs/reference/ledger.md` and not from the code under test.

pub mod disk;
pub mod files;
pub mod pages;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use kernel::ManualClock;
use ledger::frame::{FILE_HEADER, FRAME_HEADER};
use ledger::{Account, Embedded, Engine, OpenError, Options, journal};

/// How much of an input is made right before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// Nothing.
    None,
    /// Magic, length and checksums of frames.
    Checksums,
    /// These, and file header, numbers and parents.
    Chain,
}

impl Repair {
    /// By the first byte of an input.
    pub fn by(byte: u8) -> Repair {
        match byte % 4 {
            0 => Repair::None,
            1 => Repair::Checksums,
            _ => Repair::Chain,
        }
    }
}

/// Makes the magic and the checksums of the frame at the start of `b` right; its payload ends where it says,
/// or with `b`. Answers its length, zero if there is no room for a frame.
pub fn seal(b: &mut [u8]) -> usize {
    if b.len() < FRAME_HEADER {
        return 0;
    }
    let said = u32::from_le_bytes([b[32], b[33], b[34], b[35]]) as usize;
    let payload = said.min(b.len() - FRAME_HEADER);
    b[..8].copy_from_slice(b"YimaFrm\x01");
    b[32..36].copy_from_slice(&u32::try_from(payload).unwrap().to_le_bytes());
    let end = FRAME_HEADER + payload;
    let crc = crc32c::crc32c(&b[FRAME_HEADER..end]);
    b[12..16].copy_from_slice(&crc.to_le_bytes());
    let crc = crc32c::crc32c(&b[12..FRAME_HEADER]);
    b[8..12].copy_from_slice(&crc.to_le_bytes());
    end
}

/// Where a journal file ends, for the next to go on: segment, frames, records, the last frame's hash.
#[derive(Debug, Clone, Copy, Default)]
pub struct End {
    segment: u32,
    frames: u64,
    records: u64,
    head: [u8; 32],
}

/// Makes the first file of a journal right as far as asked for.
pub fn mend(b: &mut [u8], repair: Repair) {
    mend_from(b, repair, None);
}

/// Makes a whole journal file right as far as asked for; answers where it ends. The first file of an input
/// keeps what it says of itself, unless it is the first of its journal. The last frame that does not fit
/// stays as it is.
pub fn mend_from(b: &mut [u8], repair: Repair, before: Option<End>) -> Option<End> {
    if repair == Repair::None || b.len() < FILE_HEADER {
        return before;
    }
    let chain = repair == Repair::Chain;
    let mut end = before.unwrap_or_default();
    if chain && let Some(before) = before {
        b[16..20].copy_from_slice(&before.segment.wrapping_add(1).to_le_bytes());
        b[24..32].copy_from_slice(&before.frames.wrapping_add(1).to_le_bytes());
        b[32..40].copy_from_slice(&before.records.to_le_bytes());
        b[64..96].copy_from_slice(&before.head);
    } else if chain && pages::le_u32(b, 16) <= 1 {
        b[..FILE_HEADER].copy_from_slice(&FIRST.1);
    } else if chain {
        end.frames = pages::le_u64(b, 24).wrapping_sub(1);
        end.records = pages::le_u64(b, 32);
        end.head.copy_from_slice(&b[64..96]);
    }
    if chain {
        b[..12].copy_from_slice(&FIRST.1[..12]);
        let crc = crc32c::crc32c_append(crc32c::crc32c(&b[..12]), &b[16..FILE_HEADER]);
        b[12..16].copy_from_slice(&crc.to_le_bytes());
    }
    end.segment = pages::le_u32(b, 16);
    let mut at = FILE_HEADER;
    while b.len() - at >= FRAME_HEADER {
        let rest = &mut b[at..];
        let said = u32::from_le_bytes([rest[32], rest[33], rest[34], rest[35]]) as usize;
        if said > rest.len() - FRAME_HEADER && at > FILE_HEADER {
            break; // an unfinished write
        }
        if chain {
            rest[16..24].copy_from_slice(&end.frames.wrapping_add(1).to_le_bytes());
            rest[40..48].copy_from_slice(&end.records.to_le_bytes());
            rest[64..96].copy_from_slice(&end.head);
        }
        let length = seal(rest);
        if let Ok(frame) = ledger::frame::read(&rest[..length]) {
            end.head = frame.hash();
            end.records = end.records.wrapping_add(u64::from(frame.header.records));
        }
        end.frames = end.frames.wrapping_add(1);
        at += length;
    }
    Some(end)
}

/// An empty directory of this process. `TMPDIR` says where; memory is best.
pub fn directory(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("yima-fuzz-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir); // it may not be there
    std::fs::create_dir_all(&dir).expect("a temporary directory can be made");
    dir
}

/// The name and the header of the first file of a new journal, as an engine writes them.
pub static FIRST: LazyLock<(OsString, Vec<u8>)> = LazyLock::new(|| {
    let dir = directory("first");
    let engine = open(&dir).expect("an empty directory becomes a ledger");
    let account = Account { id: 1, ledger: 1, code: 1, ..Account::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
    runtime.block_on(engine.create_accounts(vec![account])).expect("the engine answers");
    drop(engine);
    let path = journal::files(&dir).expect("it can be listed").remove(0);
    let mut header = std::fs::read(&path).expect("it can be read");
    header.truncate(FILE_HEADER);
    let name = path.file_name().expect("a file has a name").to_owned();
    std::fs::remove_dir_all(&dir).expect("it can be removed");
    (name, header)
});

/// The ledger in `dir`, with files as small as inputs are, at a time when nothing expires.
pub fn open(dir: &Path) -> Result<Embedded, OpenError> {
    let settings = Options { file_bytes: 16 << 10, merge: 3, snapshot_bytes: 64 << 10 };
    Ok(Embedded::open_with(dir, Arc::new(ManualClock::default()), settings)?.0)
}
