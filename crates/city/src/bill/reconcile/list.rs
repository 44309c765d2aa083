//! Lists of payments that may be longer than memory: what the ledger has of a day, what somebody returned.
//!
//! A list is cut into parts by its references, so that whoever compares two of them holds one part at a time. A part grows
//! in memory and overflows into a file without a name: a crash leaves nothing behind. Must never lose the order of a
//! list: each line keeps its number.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use kernel::ids::PaymentId;

/// How many parts a list has.
pub const PARTS: usize = 64;
/// A part overflows into the file when it has so many bytes.
const PART_BYTES: usize = 64 << 10;
/// The longest reference kept, in bytes.
pub const REFERENCE_MAX: usize = 64;

/// What a line says the payment is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// `pay_…`: one of ours, or made to look so.
    Payment(PaymentId),
    /// Anything else.
    Other(Box<str>),
}

impl Reference {
    /// Reads what a line says.
    pub fn of(text: &str) -> Reference {
        text.parse().map_or_else(|_| Reference::Other(text.into()), Reference::Payment)
    }

    fn part(&self) -> usize {
        let mut hash = DefaultHasher::new();
        self.hash(&mut hash);
        usize::try_from(hash.finish() >> 32).unwrap_or(0) % PARTS
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Payment(id) => id.fmt(f),
            Reference::Other(text) => f.write_str(text),
        }
    }
}

/// A line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The payment.
    pub reference: Reference,
    /// Minor units.
    pub amount_minor: i64,
}

impl Line {
    /// Appends the line: a length (0 for one of our ids), the reference, the amount.
    pub fn write(&self, out: &mut Vec<u8>) {
        match &self.reference {
            Reference::Payment(id) => {
                out.push(0);
                out.extend_from_slice(&id.as_u128().to_be_bytes());
            }
            Reference::Other(text) => {
                let length = text.len().min(REFERENCE_MAX);
                out.push(u8::try_from(length).unwrap_or(u8::MAX));
                out.extend_from_slice(&text.as_bytes()[..length]);
            }
        }
        out.extend_from_slice(&self.amount_minor.to_be_bytes());
    }

    /// Takes the first line off; `None` where there is none, whole or at all.
    pub fn read(bytes: &mut &[u8]) -> Option<Line> {
        let reference = match usize::from(*bytes.split_off_first()?) {
            0 => Reference::Payment(PaymentId::from_u128(u128::from_be_bytes(take(bytes)?))),
            length => {
                let text = bytes.split_off(..length)?;
                Reference::Other(std::str::from_utf8(text).ok()?.into())
            }
        };
        Some(Line { reference, amount_minor: i64::from_be_bytes(take(bytes)?) })
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    bytes.split_off(..N)?.try_into().ok()
}

/// A list.
#[derive(Debug)]
pub struct List {
    within: PathBuf,
    parts: Vec<Part>,
    overflow: Option<File>,
    written: u64,
    count: u64,
    amount_minor: i64,
}

#[derive(Debug, Default)]
struct Part {
    /// What is not in the file.
    tail: Vec<u8>,
    /// Where in the file the rest is: place and length.
    extents: Vec<(u64, usize)>,
}

impl List {
    /// An empty list that overflows into a directory.
    pub fn new(within: PathBuf) -> List {
        let parts = (0..PARTS).map(|_| Part::default()).collect();
        List { within, parts, overflow: None, written: 0, count: 0, amount_minor: 0 }
    }

    /// Appends a line.
    pub fn push(&mut self, line: &Line) -> io::Result<()> {
        let sum = self.amount_minor.checked_add(line.amount_minor);
        self.amount_minor = sum.ok_or_else(|| io::Error::other("the sum of a list overflows"))?;
        let number = self.count;
        self.count += 1;
        let part = &mut self.parts[line.reference.part()];
        part.tail.extend_from_slice(&number.to_be_bytes());
        line.write(&mut part.tail);
        if part.tail.len() < PART_BYTES {
            return Ok(());
        }
        if self.overflow.is_none() {
            self.overflow = Some(tempfile::tempfile_in(&self.within)?);
        }
        if let Some(file) = &mut self.overflow {
            file.write_all(&part.tail)?;
            part.extents.push((self.written, part.tail.len()));
            self.written += part.tail.len() as u64;
            part.tail.clear();
        }
        Ok(())
    }

    /// How many lines.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum, minor units.
    pub fn amount_minor(&self) -> i64 {
        self.amount_minor
    }

    /// Hands over the lines of a part with their numbers from 0, in the list's order.
    pub fn each(&self, part: usize, mut each: impl FnMut(u64, Line)) -> io::Result<()> {
        let part = &self.parts[part];
        let mut hand = |mut bytes: &[u8]| {
            while let Some(number) = take(&mut bytes) {
                let line = Line::read(&mut bytes).ok_or(io::ErrorKind::InvalidData)?;
                each(u64::from_be_bytes(number), line);
            }
            Ok::<(), io::Error>(())
        };
        let mut buffer = Vec::new();
        if let Some(file) = &self.overflow {
            for (at, length) in &part.extents {
                buffer.resize(*length, 0);
                file.read_exact_at(&mut buffer, *at)?;
                hand(&buffer)?;
            }
        }
        hand(&part.tail)
    }
}
