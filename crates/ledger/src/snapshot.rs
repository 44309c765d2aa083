//! Snapshots: the accounts on disk, so that a start reads the end of the journal only.
//!
//! A snapshot is taken while the ledger goes on, account by account, so it is of no one moment. Each account
//! carries the number of the last record it has seen; a start reads the journal from the snapshot's segment
//! on and leaves out, account by account, what it has seen. The file gets its name only when all it has
//! seen is in the journal on disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::accounts::{Entry, Slot};
use crate::disk::{Disk, DiskFile};
use crate::fault::Fault;
use crate::frame::Hash;
use crate::recent::Mark;
use crate::table::{PAGE, PAYLOAD, PageWriter, le_u32, le_u64, le_u128, read_page};
use crate::types::{Account, AccountFlags, TIMESTAMP_MAX};

const MAGIC: &[u8; 8] = b"YimaSnap";
const VERSION: u32 = 1;

const ACCOUNT: usize = 136;
const PENDING: usize = 32;
const MARK: usize = 80;

/// Where a snapshot stands in the journal, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header {
    /// The segment to read from.
    pub segment: u32,
    /// The last segment that had its index. Marked balances of segments up to it stand only there.
    pub indexed: u32,
    /// The number of the first record of the segment to read from.
    pub first_record: u64,
    /// A frame that was on disk when the snapshot was begun.
    pub frame: u64,
    /// Its hash.
    pub head: Hash,
    /// One more than the number of the last record that the snapshot has seen.
    pub seen: u64,
    /// The timestamp of the newest transfer it has seen.
    pub newest_transfer: u64,
    /// The last frame before which it has seen all.
    pub last_frame: u64,
    /// How many accounts.
    pub accounts: u64,
    /// How many open pending transfers.
    pub pending: u64,
    /// How many marked balances.
    pub marks: u64,
}

/// A pending transfer that is not resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Its id.
    pub id: u128,
    /// When it expires, in nanoseconds since the Unix epoch; zero if never.
    pub expires_at: u64,
    /// When it was created.
    pub timestamp: u64,
}

/// The name of the snapshot that is read from a segment on.
pub fn file_name(segment: u32) -> String {
    format!("snapshot-{segment:010}.yls")
}

/// The segment of a snapshot's name.
pub fn segment(name: &str) -> Option<u32> {
    let number = name.strip_prefix("snapshot-")?.strip_suffix(".yls")?.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

/// A snapshot being written.
#[derive(Debug)]
pub struct Draft {
    disk: Arc<dyn Disk>,
    file: Box<dyn DiskFile>,
    path: PathBuf,
    name: String,
    next: u32,
    payload: Vec<u8>,
    /// Pages are handed to the file many at a time.
    pages: Vec<Vec<u8>>,
    accounts: u64,
}

const PAGES_AT_ONCE: usize = 256;

impl Draft {
    /// Begins one.
    pub fn new(disk: Arc<dyn Disk>, segment: u32) -> Result<Draft, Fault> {
        let name = file_name(segment);
        let draft = format!("{name}.draft");
        let path = disk.path(&draft);
        let file = disk.create(&draft).map_err(Fault::io(&path))?;
        Ok(Draft { disk, file, path, name, next: 1, payload: Vec::new(), pages: Vec::new(), accounts: 0 })
    }

    fn room(&mut self, size: usize) -> Result<(), Fault> {
        if self.payload.len() + size > PAYLOAD {
            self.pages.push(std::mem::take(&mut self.payload));
            if self.pages.len() >= PAGES_AT_ONCE {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        let mut writer = PageWriter::new(&*self.file, &self.path, self.next);
        for payload in self.pages.drain(..) {
            writer.page(&payload)?;
        }
        writer.flush()?;
        self.next = writer.next_page();
        // As index files: in pieces, so that the journal does not wait for long.
        self.file.sync().map_err(Fault::io(&self.path))
    }

    /// Adds the next account.
    pub fn account(&mut self, entry: &Entry) -> Result<(), Fault> {
        self.room(ACCOUNT)?;
        let (a, out) = (&entry.account, &mut self.payload);
        for field in
            [a.id, a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted, a.user_data_128]
        {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&a.user_data_64.to_le_bytes());
        out.extend_from_slice(&a.user_data_32.to_le_bytes());
        out.extend_from_slice(&a.ledger.to_le_bytes());
        out.extend_from_slice(&a.code.to_le_bytes());
        out.extend_from_slice(&a.flags.bits().to_le_bytes());
        out.extend_from_slice(&entry.unmarked.to_le_bytes());
        out.extend_from_slice(&a.timestamp.to_le_bytes());
        out.extend_from_slice(&entry.stamp.to_le_bytes());
        self.accounts += 1;
        Ok(())
    }

    /// Completes it: `header` has everything but the counts. The journal must hold all it has seen.
    pub fn finish(mut self, header: Header, pending: &[Pending], marks: &[Mark]) -> Result<(), Fault> {
        for p in pending {
            self.room(PENDING)?;
            self.payload.extend_from_slice(&p.id.to_le_bytes());
            self.payload.extend_from_slice(&p.expires_at.to_le_bytes());
            self.payload.extend_from_slice(&p.timestamp.to_le_bytes());
        }
        for m in marks {
            self.room(MARK)?;
            self.payload.extend_from_slice(&m.record.to_le_bytes());
            self.payload.extend_from_slice(&u64::from(m.slot).to_le_bytes());
            for balance in m.balances {
                self.payload.extend_from_slice(&balance.to_le_bytes());
            }
        }
        if !self.payload.is_empty() {
            self.pages.push(std::mem::take(&mut self.payload));
        }
        self.flush()?;
        let header = Header {
            accounts: self.accounts,
            pending: pending.len() as u64,
            marks: marks.len() as u64,
            ..header
        };
        let mut first = PageWriter::new(&*self.file, &self.path, 0);
        first.page(&encode(&header))?;
        first.flush()?;
        self.file.sync().map_err(Fault::io(&self.path))?;
        let path = self.disk.path(&self.name);
        self.disk.rename(&format!("{}.draft", self.name), &self.name).map_err(Fault::io(&path))?;
        self.disk.sync_names().map_err(Fault::io(&path))
    }
}

impl Drop for Draft {
    /// What is not finished takes no room. (A finished one has another name.)
    fn drop(&mut self) {
        let _ = self.disk.remove(&format!("{}.draft", self.name));
    }
}

fn encode(h: &Header) -> Vec<u8> {
    let mut b = Vec::with_capacity(128);
    b.extend_from_slice(MAGIC);
    b.extend_from_slice(&VERSION.to_le_bytes());
    b.extend_from_slice(&h.segment.to_le_bytes());
    for field in
        [h.first_record, h.frame, h.seen, h.newest_transfer, h.last_frame, h.accounts, h.pending, h.marks]
    {
        b.extend_from_slice(&field.to_le_bytes());
    }
    b.extend_from_slice(&h.head);
    b.extend_from_slice(&h.indexed.to_le_bytes());
    b
}

/// Reads a snapshot: its header first, then what it holds, piece by piece.
#[derive(Debug)]
pub struct Reader {
    /// The header.
    pub header: Header,
    file: Box<dyn DiskFile>,
    path: PathBuf,
    next: u32,
    page: Vec<u8>,
    at: usize,
    buffer: Vec<u8>,
}

impl Reader {
    /// Opens the snapshot of that name.
    pub fn open(disk: &dyn Disk, name: &str) -> Result<Reader, Fault> {
        let path = disk.path(name);
        let file = disk.open(name).map_err(Fault::io(&path))?;
        let b = read_page(&*file, &path, 0)?;
        let damaged = |reason| Fault::Damaged { file: path.clone(), offset: 0, reason };
        if &b[..8] != MAGIC {
            return Err(damaged("this is not a snapshot of a ledger"));
        }
        if le_u32(&b, 8) != VERSION {
            return Err(damaged("the snapshot has a version this program does not read"));
        }
        let mut head = [0; 32];
        head.copy_from_slice(&b[80..112]);
        let field = |i: usize| le_u64(&b, 16 + 8 * i);
        let header = Header {
            segment: le_u32(&b, 12),
            indexed: le_u32(&b, 112),
            first_record: field(0),
            frame: field(1),
            head,
            seen: field(2),
            newest_transfer: field(3),
            last_frame: field(4),
            accounts: field(5),
            pending: field(6),
            marks: field(7),
        };
        if segment(name) != Some(header.segment) {
            return Err(damaged("the snapshot is of another segment than its name says"));
        }
        let h = &header;
        let numbers = h.segment > 0 && h.first_record <= h.seen && h.frame <= h.last_frame;
        if !numbers || h.newest_transfer > TIMESTAMP_MAX {
            return Err(damaged("the snapshot contradicts itself"));
        }
        // Who reads it makes room for so many.
        let holds = [(h.accounts, ACCOUNT), (h.pending, PENDING), (h.marks, MARK)];
        let bytes: u128 = holds.iter().map(|(count, size)| u128::from(*count) * *size as u128).sum();
        if bytes > u128::from(file.size().map_err(Fault::io(&path))?) {
            return Err(damaged("the snapshot ends too early"));
        }
        Ok(Reader { header, file, path, next: 1, page: Vec::new(), at: 0, buffer: Vec::new() })
    }

    /// The next piece of that size.
    fn piece(&mut self, size: usize) -> Result<&[u8], Fault> {
        if self.page.is_empty() || self.at + size > PAYLOAD {
            self.load()?;
        }
        self.at += size;
        Ok(&self.page[self.at - size..self.at])
    }

    fn load(&mut self) -> Result<(), Fault> {
        if self.buffer.is_empty() {
            let size = self.file.size().map_err(Fault::io(&self.path))?;
            let offset = u64::from(self.next) * PAGE as u64;
            let pages = (size.saturating_sub(offset) / PAGE as u64).min(PAGES_AT_ONCE as u64).max(1);
            self.buffer = vec![0; usize::try_from(pages).unwrap_or(1) * PAGE];
            if self.file.read_exact_at(&mut self.buffer, offset).is_err() {
                self.buffer.clear();
                read_page(&*self.file, &self.path, self.next)?; // says what is wrong
            }
        }
        let page = self.buffer.get(self.at_page()..self.at_page() + PAGE).unwrap_or(&[]);
        let sound = page.len() == PAGE && crc32c::crc32c(&page[..PAYLOAD]) == le_u32(page, PAYLOAD);
        if !sound {
            let offset = u64::from(self.next) * PAGE as u64;
            return Err(damaged(&self.path, offset));
        }
        self.page = page.to_vec();
        self.at = 0;
        self.next += 1;
        if self.at_page() == 0 || self.at_page() >= self.buffer.len() {
            self.buffer.clear();
        }
        Ok(())
    }

    /// Where in the buffer the next page stands: the buffer holds pages in groups from page 1 on.
    fn at_page(&self) -> usize {
        (self.next as usize - 1) % PAGES_AT_ONCE * PAGE
    }

    /// The next account, with its slot's stamp.
    pub fn account(&mut self) -> Result<Entry, Fault> {
        let b = self.piece(ACCOUNT)?;
        let account = Account {
            id: le_u128(b, 0),
            debits_pending: le_u128(b, 16),
            debits_posted: le_u128(b, 32),
            credits_pending: le_u128(b, 48),
            credits_posted: le_u128(b, 64),
            user_data_128: le_u128(b, 80),
            user_data_64: le_u64(b, 96),
            user_data_32: le_u32(b, 104),
            ledger: le_u32(b, 108),
            code: u16::from_le_bytes([b[112], b[113]]),
            flags: AccountFlags(u16::from_le_bytes([b[114], b[115]])),
            timestamp: le_u64(b, 120),
        };
        let entry = Entry { account, unmarked: le_u32(b, 116), stamp: le_u64(b, 128), last: 0 };
        // Readers would wait for a record that never comes, and no time comes after the last.
        if entry.stamp > self.header.seen || account.timestamp > TIMESTAMP_MAX {
            return Err(self.contradiction("an account has seen more than the snapshot"));
        }
        Ok(entry)
    }
    /// The next pending transfer; after all accounts.
    pub fn pending(&mut self) -> Result<Pending, Fault> {
        let b = self.piece(PENDING)?;
        Ok(Pending { id: le_u128(b, 0), expires_at: le_u64(b, 16), timestamp: le_u64(b, 24) })
    }
    /// The next mark; after all pending transfers.
    pub fn mark(&mut self) -> Result<Mark, Fault> {
        let b = self.piece(MARK)?;
        let (record, slot) = (le_u64(b, 0), Slot::try_from(le_u64(b, 8)));
        let balances = [16, 32, 48, 64].map(|at| le_u128(b, at));
        let slot = slot.map_err(|_| self.contradiction("a mark is of no account"))?;
        Ok(Mark { record, slot, balances })
    }
    /// What is wrong with the piece read last.
    fn contradiction(&self, reason: &'static str) -> Fault {
        let offset = u64::from(self.next - 1) * PAGE as u64;
        Fault::Damaged { file: self.path.clone(), offset, reason }
    }
}

fn damaged(path: &Path, offset: u64) -> Fault {
    Fault::Damaged { file: path.to_owned(), offset, reason: "a page fails its checksum" }
}
