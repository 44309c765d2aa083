//! The bytes of the journal: files of checksummed, hash-chained frames of records.
//!
//! Layout only, all integers little-endian (`docs/reference/ledger.md` has the table). Nothing here opens a
//! file or knows what a record means; engine, auditor and export share it and nothing else.

use sha2::{Digest, Sha256};

use crate::posting::Record;
use crate::types::{Account, AccountFlags, TIMESTAMP_MAX, Transfer, TransferFlags};

/// Bytes before the first frame of a file.
pub const FILE_HEADER: usize = 96;
/// Bytes before the payload of a frame.
pub const FRAME_HEADER: usize = 96;
/// Bytes of a transfer.
pub const TRANSFER: usize = 128;
/// Everything in a file stands on a multiple of this.
pub const ALIGN: usize = 16;
/// The version of this layout.
pub const VERSION: u32 = 2;

const FILE_MAGIC: &[u8; 8] = b"YimaBook";
const FRAME_MAGIC: &[u8; 8] = b"YimaFrm\x01";

const KIND_ACCOUNT: u32 = 1;
const KIND_TRANSFER: u32 = 2;
const KIND_FAILED: u32 = 3;
const KIND_EXPIRED: u32 = 4;
const RUN_HEADER: usize = 16;

/// SHA-256 of a frame's header and payload; each frame carries that of the one before it.
pub type Hash = [u8; 32];

/// How one journal file begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHeader {
    /// Which file this is; the first of all is 1.
    pub segment: u32,
    /// The number of its first frame; the first of all is 1.
    pub first_frame: u64,
    /// How many records stand in the files before it.
    pub first_record: u64,
    /// The hash of the frame before that, zeros before frame 1.
    pub parent: Hash,
}

/// How one frame begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Frames count from 1 without gaps across files.
    pub number: u64,
    /// The newest timestamp the engine had given out.
    pub timestamp: u64,
    /// How many records stand in the frames before it.
    pub first_record: u64,
    /// Bytes of payload.
    pub payload_len: u32,
    /// Records in the payload.
    pub records: u32,
    /// The hash of the frame before.
    pub parent: Hash,
    payload_crc: u32,
}

/// A frame that passed its checksums.
#[derive(Debug)]
pub struct Frame<'a> {
    /// Its header.
    pub header: FrameHeader,
    /// Header and payload as they stand in the file.
    pub bytes: &'a [u8],
}

fn u32_at(b: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(b, at))
}
fn u64_at(b: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(b, at))
}
fn u128_at(b: &[u8], at: usize) -> u128 {
    u128::from_le_bytes(array(b, at))
}
fn u16_at(b: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(b, at))
}
fn array<const N: usize>(b: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&b[at..at + N]);
    out
}

impl FileHeader {
    /// Its bytes.
    pub fn encode(&self) -> [u8; FILE_HEADER] {
        let mut b = [0; FILE_HEADER];
        b[..8].copy_from_slice(FILE_MAGIC);
        b[8..12].copy_from_slice(&VERSION.to_le_bytes());
        b[16..20].copy_from_slice(&self.segment.to_le_bytes());
        b[24..32].copy_from_slice(&self.first_frame.to_le_bytes());
        b[32..40].copy_from_slice(&self.first_record.to_le_bytes());
        b[64..96].copy_from_slice(&self.parent);
        let crc = crc32c::crc32c_append(crc32c::crc32c(&b[..12]), &b[16..]);
        b[12..16].copy_from_slice(&crc.to_le_bytes());
        b
    }
    /// Reads them back; the reason if they are not a header of this version.
    pub fn decode(b: &[u8]) -> Result<FileHeader, &'static str> {
        let b = b.get(..FILE_HEADER).ok_or("the file header is incomplete")?;
        if &b[..8] != FILE_MAGIC {
            return Err("this is not a ledger journal");
        }
        if u32_at(b, 12) != crc32c::crc32c_append(crc32c::crc32c(&b[..12]), &b[16..]) {
            return Err("the file header fails its checksum");
        }
        if u32_at(b, 8) != VERSION {
            return Err("the journal has a version this program does not read");
        }
        Ok(FileHeader {
            segment: u32_at(b, 16),
            first_frame: u64_at(b, 24),
            first_record: u64_at(b, 32),
            parent: array(b, 64),
        })
    }
}

/// The frame at the start of `b`, which runs to the end of its file; the reason if there is none.
pub fn read(b: &[u8]) -> Result<Frame<'_>, &'static str> {
    let end = size(b)?;
    let head = &b[..FRAME_HEADER];
    let header = FrameHeader {
        payload_crc: u32_at(head, 12),
        number: u64_at(head, 16),
        timestamp: u64_at(head, 24),
        payload_len: u32_at(head, 32),
        records: u32_at(head, 36),
        first_record: u64_at(head, 40),
        parent: array(head, 64),
    };
    if header.timestamp > TIMESTAMP_MAX {
        return Err("the frame is of a time beyond all timestamps");
    }
    if head[48..64].iter().any(|b| *b != 0) {
        return Err("a byte of the frame header that has no meaning is not zero");
    }
    let bytes = b.get(..end).ok_or("the frame is incomplete")?;
    if crc32c::crc32c(&bytes[FRAME_HEADER..]) != header.payload_crc {
        return Err("the frame fails its checksum");
    }
    Ok(Frame { header, bytes })
}

/// The hash of a frame's bytes.
pub fn hash(frame: &[u8]) -> Hash {
    Sha256::digest(frame).into()
}

/// How many bytes the frame has whose header these bytes begin with; the reason if it is no header.
pub fn size(head: &[u8]) -> Result<usize, &'static str> {
    let head = head.get(..FRAME_HEADER).ok_or("the frame header is incomplete")?;
    if &head[..8] != FRAME_MAGIC {
        return Err("no frame begins here");
    }
    if u32_at(head, 8) != crc32c::crc32c(&head[12..]) {
        return Err("the frame header fails its checksum");
    }
    Ok(FRAME_HEADER + u32_at(head, 32) as usize)
}

/// Where in `b` (the rest of a file) another sound frame begins, if anywhere.
pub fn find_sound(b: &[u8]) -> Option<usize> {
    (0..b.len()).step_by(ALIGN).find(|&at| b[at..].starts_with(FRAME_MAGIC) && read(&b[at..]).is_ok())
}

/// Records can be written in one way only, so that what was read can be written again and be the same.
const NOT_ONE_WAY: &str = "the records are not written as this program writes them";

/// The bytes of a record that have no meaning.
fn padding(kind: u32, body: &[u8]) -> &[u8] {
    match kind {
        KIND_ACCOUNT => &body[52..56],
        KIND_EXPIRED => &body[24..32],
        _ => &[],
    }
}

impl Frame<'_> {
    /// The hash that the next frame must carry as its parent.
    pub fn hash(&self) -> Hash {
        hash(self.bytes)
    }

    /// Hands out its records in order, each with its offset from the frame's beginning; the reason if the
    /// payload is not a sequence of records.
    pub fn each<E: From<&'static str>>(
        &self,
        mut visit: impl FnMut(u32, Record) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut at = FRAME_HEADER;
        let (mut seen, mut before) = (0, 0);
        while at < self.bytes.len() {
            let run = self.bytes.get(at..at + RUN_HEADER).ok_or("a run of records is incomplete")?;
            let (kind, count) = (u32_at(run, 0), u32_at(run, 4) as usize);
            let size = body_size(kind).ok_or("a record is of an unknown kind")?;
            if kind == before || count == 0 || run[8..].iter().any(|b| *b != 0) {
                return Err(NOT_ONE_WAY.into());
            }
            before = kind;
            at += RUN_HEADER;
            let bodies = self.bytes.get(at..at + count * size).ok_or("a run of records is incomplete")?;
            for body in bodies.chunks_exact(size) {
                if padding(kind, body).iter().any(|b| *b != 0) {
                    return Err(NOT_ONE_WAY.into());
                }
                visit(offset(at), decode(kind, body))?;
                at += size;
            }
            seen += count;
        }
        if seen != self.header.records as usize {
            return Err("the frame holds another number of records than it says".into());
        }
        Ok(())
    }

    /// Its records in order; the reason if the payload is not a sequence of records.
    pub fn records(&self) -> Result<Vec<Record>, &'static str> {
        let mut out = Vec::with_capacity((self.header.records as usize).min(self.bytes.len() / 16));
        self.each(|_, record| {
            out.push(record);
            Ok::<(), &'static str>(())
        })?;
        Ok(out)
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("a frame stays below 4 GiB")
}

fn body_size(kind: u32) -> Option<usize> {
    match kind {
        KIND_ACCOUNT => Some(64),
        KIND_TRANSFER => Some(TRANSFER),
        KIND_FAILED => Some(16),
        KIND_EXPIRED => Some(32),
        _ => None,
    }
}

fn decode(kind: u32, b: &[u8]) -> Record {
    match kind {
        KIND_ACCOUNT => Record::Account(decode_account(b)),
        KIND_TRANSFER => Record::Transfer(decode_transfer(b)),
        KIND_FAILED => Record::Failed(u128_at(b, 0)),
        _ => Record::Expired { pending_id: u128_at(b, 0), timestamp: u64_at(b, 16) },
    }
}

/// A frame being filled.
#[derive(Debug)]
pub struct Builder {
    out: Vec<u8>,
    records: u32,
    /// The kind of the last run, where its header stands, and how many records it has.
    run: Option<(u32, usize, u32)>,
}

/// A state of a [`Builder`] to go back to.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    len: usize,
    records: u32,
    run: Option<(u32, usize, u32)>,
}

impl Default for Builder {
    fn default() -> Self {
        Builder { out: vec![0; FRAME_HEADER], records: 0, run: None }
    }
}

impl Builder {
    /// An empty frame that reuses the memory of `buffer`.
    pub fn reuse(mut buffer: Vec<u8>) -> Builder {
        buffer.clear();
        buffer.resize(FRAME_HEADER, 0);
        Builder { out: buffer, records: 0, run: None }
    }
    /// How many records it holds.
    pub fn records(&self) -> u32 {
        self.records
    }
    /// Its bytes so far, header included.
    pub fn size(&self) -> usize {
        self.out.len()
    }
    /// Where it stands, to come back with [`Builder::back_to`].
    pub fn mark(&self) -> Mark {
        Mark { len: self.out.len(), records: self.records, run: self.run }
    }
    /// Forgets what was pushed since `mark`.
    pub fn back_to(&mut self, mark: Mark) {
        self.out.truncate(mark.len);
        (self.records, self.run) = (mark.records, mark.run);
        if let Some((_, at, count)) = self.run {
            self.out[at + 4..at + 8].copy_from_slice(&count.to_le_bytes());
        }
    }

    /// Adds a record; answers its offset from the frame's beginning.
    pub fn push(&mut self, record: &Record) -> u32 {
        let kind = match record {
            Record::Account(_) => KIND_ACCOUNT,
            Record::Transfer(_) => KIND_TRANSFER,
            Record::Failed(_) => KIND_FAILED,
            Record::Expired { .. } => KIND_EXPIRED,
        };
        let (at, count) = match self.run {
            Some((last, at, count)) if last == kind => (at, count + 1),
            _ => {
                let at = self.out.len();
                self.out.extend_from_slice(&kind.to_le_bytes());
                self.out.resize(at + RUN_HEADER, 0);
                (at, 1)
            }
        };
        self.run = Some((kind, at, count));
        self.out[at + 4..at + 8].copy_from_slice(&count.to_le_bytes());
        let start = self.out.len();
        match record {
            Record::Account(a) => encode_account(&mut self.out, a),
            Record::Transfer(t) => self.out.extend_from_slice(&encode_transfer(t)),
            Record::Failed(id) => self.out.extend_from_slice(&id.to_le_bytes()),
            Record::Expired { pending_id, timestamp } => {
                self.out.extend_from_slice(&pending_id.to_le_bytes());
                self.out.extend_from_slice(&timestamp.to_le_bytes());
                self.out.extend_from_slice(&[0; 8]);
            }
        }
        self.records += 1;
        offset(start)
    }

    /// Completes the frame.
    ///
    /// # Panics
    /// If the frame takes 4 GiB or more; a group of requests is bounded far below.
    pub fn seal(mut self, number: u64, timestamp: u64, first_record: u64, parent: Hash) -> Vec<u8> {
        let out = &mut self.out;
        let payload_len = offset(out.len() - FRAME_HEADER);
        let crc = crc32c::crc32c(&out[FRAME_HEADER..]);
        out[..8].copy_from_slice(FRAME_MAGIC);
        out[12..16].copy_from_slice(&crc.to_le_bytes());
        out[16..24].copy_from_slice(&number.to_le_bytes());
        out[24..32].copy_from_slice(&timestamp.to_le_bytes());
        out[32..36].copy_from_slice(&payload_len.to_le_bytes());
        out[36..40].copy_from_slice(&self.records.to_le_bytes());
        out[40..48].copy_from_slice(&first_record.to_le_bytes());
        out[64..96].copy_from_slice(&parent);
        let crc = crc32c::crc32c(&out[12..FRAME_HEADER]);
        out[8..12].copy_from_slice(&crc.to_le_bytes());
        self.out
    }
}

fn encode_account(out: &mut Vec<u8>, a: &Account) {
    out.extend_from_slice(&a.id.to_le_bytes());
    out.extend_from_slice(&a.user_data_128.to_le_bytes());
    out.extend_from_slice(&a.user_data_64.to_le_bytes());
    out.extend_from_slice(&a.user_data_32.to_le_bytes());
    out.extend_from_slice(&a.ledger.to_le_bytes());
    out.extend_from_slice(&a.code.to_le_bytes());
    out.extend_from_slice(&a.flags.bits().to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&a.timestamp.to_le_bytes());
}

fn decode_account(b: &[u8]) -> Account {
    Account {
        id: u128_at(b, 0),
        user_data_128: u128_at(b, 16),
        user_data_64: u64_at(b, 32),
        user_data_32: u32_at(b, 40),
        ledger: u32_at(b, 44),
        code: u16_at(b, 48),
        flags: AccountFlags(u16_at(b, 50)),
        timestamp: u64_at(b, 56),
        ..Account::default()
    }
}

/// The bytes of a transfer.
pub fn encode_transfer(t: &Transfer) -> [u8; TRANSFER] {
    let mut b = [0; TRANSFER];
    b[..16].copy_from_slice(&t.id.to_le_bytes());
    b[16..32].copy_from_slice(&t.debit_account_id.to_le_bytes());
    b[32..48].copy_from_slice(&t.credit_account_id.to_le_bytes());
    b[48..64].copy_from_slice(&t.amount.to_le_bytes());
    b[64..80].copy_from_slice(&t.pending_id.to_le_bytes());
    b[80..96].copy_from_slice(&t.user_data_128.to_le_bytes());
    b[96..104].copy_from_slice(&t.user_data_64.to_le_bytes());
    b[104..108].copy_from_slice(&t.user_data_32.to_le_bytes());
    b[108..112].copy_from_slice(&t.timeout.to_le_bytes());
    b[112..116].copy_from_slice(&t.ledger.to_le_bytes());
    b[116..118].copy_from_slice(&t.code.to_le_bytes());
    b[118..120].copy_from_slice(&t.flags.bits().to_le_bytes());
    b[120..].copy_from_slice(&t.timestamp.to_le_bytes());
    b
}

/// The transfer in the first [`TRANSFER`] bytes of `b`.
///
/// # Panics
/// If there are fewer.
pub fn decode_transfer(b: &[u8]) -> Transfer {
    Transfer {
        id: u128_at(b, 0),
        debit_account_id: u128_at(b, 16),
        credit_account_id: u128_at(b, 32),
        amount: u128_at(b, 48),
        pending_id: u128_at(b, 64),
        user_data_128: u128_at(b, 80),
        user_data_64: u64_at(b, 96),
        user_data_32: u32_at(b, 104),
        timeout: u32_at(b, 108),
        ledger: u32_at(b, 112),
        code: u16_at(b, 116),
        flags: TransferFlags(u16_at(b, 118)),
        timestamp: u64_at(b, 120),
    }
}
