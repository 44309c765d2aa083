//! What the fuzz targets share: checksums and chains made right, so that a mutated record gets past them to
//! the code behind; and a directory to put files in. Knows the byte layout of frames on purpose, from
//! `docs/reference/ledger.md` and not from the code under test.

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

/// Makes a whole journal file right as far as asked for. The last frame that does not fit stays as it is.
pub fn mend(b: &mut [u8], repair: Repair) {
    if repair == Repair::None || b.len() < FILE_HEADER {
        return;
    }
    let chain = repair == Repair::Chain;
    if chain {
        b[..FILE_HEADER].copy_from_slice(&FIRST.1);
    }
    let (mut at, mut number, mut records, mut parent) = (FILE_HEADER, 1_u64, 0_u64, [0; 32]);
    while b.len() - at >= FRAME_HEADER {
        let rest = &mut b[at..];
        let said = u32::from_le_bytes([rest[32], rest[33], rest[34], rest[35]]) as usize;
        if said > rest.len() - FRAME_HEADER && number > 1 {
            return; // an unfinished write
        }
        if chain {
            rest[16..24].copy_from_slice(&number.to_le_bytes());
            rest[40..48].copy_from_slice(&records.to_le_bytes());
            rest[64..96].copy_from_slice(&parent);
        }
        let end = seal(rest);
        if let Ok(frame) = ledger::frame::read(&rest[..end]) {
            parent = frame.hash();
            records += u64::from(frame.header.records);
        }
        number += 1;
        at += end;
    }
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
