//! Index files: what finds a record in sealed segments of the journal.
//!
//! One file covers one segment or several in a row. It holds sorted tables (see [`crate::table`]): hashes of
//! ids and of the fields that queries match, the events of each account, balances of the past, where time is,
//! and the checksum of every block of the segments, so that reading one record checks what it reads. All of
//! it follows from the journal; a file that is lost or damaged is made again.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::disk::{Disk, DiskFile};
use crate::fault::Fault;
use crate::filter::{self, Filter};
use crate::frame::{ALIGN, FILE_HEADER, Hash, TRANSFER};
use crate::hash::hash_id;
use crate::journal;
use crate::recent::Balances;
use crate::table::{
    self, Extent, PAGE, PAYLOAD, Page, PageWriter, Row, Rows, Table, le_u32, le_u64, le_u128,
};
use crate::types::TIMESTAMP_MAX;

/// Bytes of a segment that one checksum covers.
pub const BLOCK: usize = 4096;
/// The most segments that one file covers.
pub const SPAN: u32 = 256;
/// The longest segment, so that a place within [`SPAN`] segments takes 31 bits.
pub const SEGMENT_MAX: u64 = 128 << 20;

const MAGIC: &[u8; 8] = b"YimaIndx";
const VERSION: u32 = 1;
const WITHIN: u32 = 23;

/// Where a record stands in the segments of one index file: which of them, and its offset in units of
/// [`ALIGN`]. Ordered as the records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub u32);

impl Position {
    /// The place `offset` (in units of [`ALIGN`]) in the segment `nth` after the file's first.
    pub fn new(nth: u32, offset: u32) -> Position {
        Position(nth << WITHIN | offset)
    }
    /// Which segment after the first.
    pub fn nth(self) -> u32 {
        self.0 >> WITHIN
    }
    /// The offset in bytes.
    pub fn offset(self) -> u64 {
        u64::from(self.0 & ((1 << WITHIN) - 1)) * ALIGN as u64
    }
    fn later(self, segments: u32) -> Position {
        Position(self.0.saturating_add(segments << WITHIN)) // a place that no index has stays such
    }
}

/// What a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Field {
    /// The id of a transfer.
    Id = 0,
    /// An id that failed for good.
    Failed = 1,
    /// The pending transfer that the record posts or voids.
    Resolved = 2,
    /// The pending transfer whose expiry the record is.
    Expired = 3,
    /// A transfer's field of that name, if not zero; and so on.
    UserData128 = 4,
    /// See above.
    UserData64 = 5,
    /// See above.
    UserData32 = 6,
}

const TAGS: u64 = 7;

/// The key of a value.
pub fn key(field: Field, value: u128) -> u64 {
    hash_id(value) & !TAGS | field as u64
}

/// The accounts' event key: the account's slot, the place of the event, and whether it is an expiry.
pub fn event_key(slot: u32, position: Position, expired: bool) -> u64 {
    u64::from(slot) << 32 | u64::from(position.0) << 1 | u64::from(expired)
}

macro_rules! row {
    ($(#[$doc:meta])* $name:ident, $size:literal, |$row:ident, $out:ident| $encode:block, |$bytes:ident| $decode:expr, |$shift:ident, $by:ident| $shifted:expr, |$old:ident| $new:expr, { $($field:ident: $ty:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "documented above, as a row")]
        pub struct $name { $(pub $field: $ty,)* }
        impl Row for $name {
            const SIZE: usize = $size;
            fn key(&self) -> u64 { self.key }
            fn encode(&self, $out: &mut [u8]) {
                let $row = self;
                $out[..8].copy_from_slice(&self.key.to_le_bytes());
                $encode
            }
            fn decode($bytes: &[u8]) -> Self { $decode }
        }
        impl Shift for $name {
            fn shift($shift, $by: u32) -> Self { $shifted }
            #[allow(unused_variables, reason = "most keys stay")]
            fn shift_key($old: u64, $by: u32) -> u64 { $new }
        }
    };
}

/// A row of a file that is merged into one beginning `segments` earlier.
pub trait Shift: Row {
    /// The row there.
    #[must_use]
    fn shift(self, segments: u32) -> Self;
    /// What becomes of its key.
    fn shift_key(key: u64, segments: u32) -> u64;
}

row! {
    /// A [`key`] and where its record is.
    KeyRow, 12,
    |row, out| { out[8..12].copy_from_slice(&row.position.0.to_le_bytes()); },
    |b| KeyRow { key: le_u64(b, 0), position: Position(le_u32(b, 8)) },
    |self, by| KeyRow { position: self.position.later(by), ..self },
    |key| key,
    { key: u64, position: Position, }
}
row! {
    /// An [`event_key`].
    EventRow, 8,
    |_row, _out| {},
    |b| EventRow { key: le_u64(b, 0) },
    |self, by| EventRow { key: Self::shift_key(self.key, by) },
    |key| key.saturating_add(u64::from(by) << (WITHIN + 1)),
    { key: u64, }
}
impl EventRow {
    /// The account's slot, the place of the event, and whether it is an expiry.
    pub fn parts(&self) -> (u32, Position, bool) {
        let (slot, event) = (self.key >> 32, self.key & u64::from(u32::MAX));
        let slot = u32::try_from(slot).unwrap_or(u32::MAX);
        (slot, Position(u32::try_from(event >> 1).unwrap_or(u32::MAX)), event & 1 == 1)
    }
}

row! {
    /// An [`event_key`] and the account's balances before it.
    MarkRow, 72,
    |row, out| {
        for (i, balance) in row.balances.iter().enumerate() {
            out[8 + i * 16..24 + i * 16].copy_from_slice(&balance.to_le_bytes());
        }
    },
    |b| MarkRow { key: le_u64(b, 0), balances: [8, 24, 40, 56].map(|at| le_u128(b, at)) },
    |self, by| MarkRow { key: Self::shift_key(self.key, by), ..self },
    |key| key.saturating_add(u64::from(by) << (WITHIN + 1)),
    { key: u64, balances: Balances, }
}
row! {
    /// The timestamp (as key) of the first transfer in a frame, and where the frame begins.
    TimeRow, 12,
    |row, out| { out[8..12].copy_from_slice(&row.position.0.to_le_bytes()); },
    |b| TimeRow { key: le_u64(b, 0), position: Position(le_u32(b, 8)) },
    |self, by| TimeRow { position: self.position.later(by), ..self },
    |key| key,
    { key: u64, position: Position, }
}
row! {
    /// Which block (segment and number, as key), and its checksum.
    BlockRow, 12,
    |row, out| { out[8..12].copy_from_slice(&row.crc.to_le_bytes()); },
    |b| BlockRow { key: le_u64(b, 0), crc: le_u32(b, 8) },
    |self, by| BlockRow { key: Self::shift_key(self.key, by), ..self },
    |key| key.saturating_add(u64::from(by) << 32),
    { key: u64, crc: u32, }
}
row! {
    /// Which segment (as key), how many of its bytes are sound, and the number of its first record.
    SegmentRow, 24,
    |row, out| {
        out[8..16].copy_from_slice(&row.bytes.to_le_bytes());
        out[16..24].copy_from_slice(&row.first_record.to_le_bytes());
    },
    |b| SegmentRow { key: le_u64(b, 0), bytes: le_u64(b, 8), first_record: le_u64(b, 16) },
    |self, by| SegmentRow { key: Self::shift_key(self.key, by), ..self },
    |key| key.saturating_add(u64::from(by)),
    { key: u64, bytes: u64, first_record: u64, }
}

/// What an index file says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The first segment covered.
    pub first: u32,
    /// The last segment covered.
    pub last: u32,
    /// The number of the first record.
    pub first_record: u64,
    /// One more than the number of the last.
    pub end_record: u64,
    /// The hash of the last frame.
    pub head: Hash,
    /// How many ids it has, burnt ones included.
    pub ids: u64,
    /// The least id, `u128::MAX` if none.
    pub least_id: u128,
    /// The greatest id, zero if none.
    pub greatest_id: u128,
    /// The timestamp of the first transfer, `u64::MAX` if none.
    pub oldest: u64,
    /// The timestamp of the last transfer, zero if none.
    pub newest: u64,
}

/// The tables of an index file.
#[derive(Debug)]
pub struct Tables {
    pub(crate) keys: Table<KeyRow>,
    pub(crate) events: Table<EventRow>,
    pub(crate) marks: Table<MarkRow>,
    pub(crate) times: Table<TimeRow>,
    pub(crate) blocks: Table<BlockRow>,
    pub(crate) segments: Table<SegmentRow>,
}

/// An open index file.
#[derive(Debug)]
pub struct Index {
    /// What it covers.
    pub summary: Summary,
    pub(crate) tables: Tables,
    filter: Filter,
    segments: Vec<SegmentRow>,
    file: Box<dyn DiskFile>,
    /// As long as it is not synced, it has the name of a draft, which the next start removes.
    settled: AtomicBool,
    path: PathBuf,
}

/// The name of the file for these segments.
pub fn file_name(first: u32, last: u32) -> String {
    format!("index-{first:010}-{last:010}.yli")
}

/// The segments of an index file of that name.
pub fn covers(name: &str) -> Option<(u32, u32)> {
    let (first, last) = name.strip_prefix("index-")?.strip_suffix(".yli")?.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (file_name(first, last) == name && first <= last && last - first < SPAN).then_some((first, last))
}

const TABLES: usize = 6;

fn header(summary: &Summary, extents: &[Extent; TABLES], fences: Extent, filter: Extent) -> Vec<u8> {
    let mut b = vec![0; 256 + 16 * (TABLES + 2)];
    b[..8].copy_from_slice(MAGIC);
    b[8..12].copy_from_slice(&VERSION.to_le_bytes());
    b[12..16].copy_from_slice(&summary.first.to_le_bytes());
    b[16..20].copy_from_slice(&summary.last.to_le_bytes());
    b[24..32].copy_from_slice(&summary.first_record.to_le_bytes());
    b[32..40].copy_from_slice(&summary.end_record.to_le_bytes());
    b[40..72].copy_from_slice(&summary.head);
    b[72..80].copy_from_slice(&summary.ids.to_le_bytes());
    b[80..96].copy_from_slice(&summary.least_id.to_le_bytes());
    b[96..112].copy_from_slice(&summary.greatest_id.to_le_bytes());
    b[112..120].copy_from_slice(&summary.oldest.to_le_bytes());
    b[120..128].copy_from_slice(&summary.newest.to_le_bytes());
    for (i, extent) in extents.iter().chain([&fences, &filter]).enumerate() {
        extent.encode(&mut b[256 + 16 * i..256 + 16 * (i + 1)]);
    }
    b
}

fn parse_header(page: &Page) -> Result<(Summary, [Extent; TABLES + 2]), &'static str> {
    if &page[..8] != MAGIC {
        return Err("this is not an index of a ledger");
    }
    if le_u32(page, 8) != VERSION {
        return Err("the index has a version this program does not read");
    }
    let mut head = [0; 32];
    head.copy_from_slice(&page[40..72]);
    let summary = Summary {
        first: le_u32(page, 12),
        last: le_u32(page, 16),
        first_record: le_u64(page, 24),
        end_record: le_u64(page, 32),
        head,
        ids: le_u64(page, 72),
        least_id: le_u128(page, 80),
        greatest_id: le_u128(page, 96),
        oldest: le_u64(page, 112),
        newest: le_u64(page, 120),
    };
    let mut extents = [Extent::default(); TABLES + 2];
    for (i, extent) in extents.iter_mut().enumerate() {
        *extent = Extent::decode(&page[256 + 16 * i..]);
    }
    Ok((summary, extents))
}

/// Where rows come from when a file is written.
pub trait Source {
    /// Hands out the keys in order; and so on.
    fn keys(&mut self, each: &mut dyn FnMut(KeyRow) -> Result<(), Fault>) -> Result<(), Fault>;
    /// See above.
    fn events(&mut self, each: &mut dyn FnMut(EventRow) -> Result<(), Fault>) -> Result<(), Fault>;
    /// See above.
    fn marks(&mut self, each: &mut dyn FnMut(MarkRow) -> Result<(), Fault>) -> Result<(), Fault>;
    /// See above.
    fn times(&mut self, each: &mut dyn FnMut(TimeRow) -> Result<(), Fault>) -> Result<(), Fault>;
    /// See above.
    fn blocks(&mut self, each: &mut dyn FnMut(BlockRow) -> Result<(), Fault>) -> Result<(), Fault>;
    /// See above.
    fn segments(&mut self, each: &mut dyn FnMut(SegmentRow) -> Result<(), Fault>) -> Result<(), Fault>;
}

fn draft_name(summary: &Summary) -> String {
    format!("{}.draft", file_name(summary.first, summary.last))
}

/// Writes an index file. It is a draft until it is [settled](Index::settle): one that is merged soon is never
/// written to the disk at all.
pub fn write(disk: &dyn Disk, summary: Summary, source: &mut dyn Source) -> Result<Index, Fault> {
    let written = write_draft(disk, summary, source);
    if written.is_err() {
        // What is not finished takes no room.
        let _ = disk.remove(&draft_name(&summary));
    }
    written
}

fn write_draft(disk: &dyn Disk, summary: Summary, source: &mut dyn Source) -> Result<Index, Fault> {
    let name = file_name(summary.first, summary.last);
    let draft = draft_name(&summary);
    let (path, draft_path) = (disk.path(&name), disk.path(&draft));
    let file = disk.create(&draft).map_err(Fault::io(&draft_path))?;
    let pages = &mut PageWriter::new(&*file, &draft_path, 1);
    if summary.first != summary.last {
        pages.in_pieces();
    }
    let mut filter = Filter::for_ids(summary.ids);
    let mut rows = Vec::new();
    macro_rules! table {
        ($rows:ident $(, |$row:ident| $also:expr)?) => {{
            let mut writer = table::TableWriter::new(pages);
            source.$rows(&mut |row| {
                $(let $row = row;
                $also;)?
                writer.push(pages, &row)
            })?;
            writer.finish(pages)?
        }};
    }
    let tables = Tables {
        keys: table!(keys, |row| if row.key & TAGS <= Field::Failed as u64 {
            filter.insert(row.key);
        }),
        events: table!(events),
        marks: table!(marks),
        times: table!(times),
        blocks: table!(blocks),
        segments: table!(segments, |row| rows.push(row)),
    };
    let mut fences = Extent { page: pages.next_page(), ..Extent::default() };
    let all: Vec<u8> =
        tables.fences().iter().flat_map(|list| list.iter()).flat_map(|f| f.to_le_bytes()).collect();
    fences.rows = all.len() as u64 / 8;
    for payload in all.chunks(PAYLOAD / 8 * 8) {
        pages.page(payload)?;
    }
    fences.pages = pages.next_page() - fences.page;
    let mut extent = Extent { page: pages.next_page(), pages: 0, rows: filter.blocks() };
    filter.write(pages)?;
    extent.pages = pages.next_page() - extent.page;
    filter.place(extent);
    pages.flush()?;
    let mut first = PageWriter::new(&*file, &draft_path, 0);
    first.page(&header(&summary, &tables.extents(), fences, extent))?;
    first.flush()?;
    Ok(Index { summary, tables, filter, segments: rows, file, settled: AtomicBool::new(false), path })
}

impl Tables {
    fn extents(&self) -> [Extent; TABLES] {
        [
            self.keys.extent(),
            self.events.extent(),
            self.marks.extent(),
            self.times.extent(),
            self.blocks.extent(),
            self.segments.extent(),
        ]
    }
    fn fences(&self) -> [&[u64]; TABLES] {
        [
            self.keys.fences(),
            self.events.fences(),
            self.marks.fences(),
            self.times.fences(),
            self.blocks.fences(),
            self.segments.fences(),
        ]
    }
}

/// Whether the rows are those of the segments from the first to the last.
fn sound(rows: &[SegmentRow], summary: &Summary) -> bool {
    let header = FILE_HEADER as u64;
    let each =
        (0..).zip(rows).all(|(nth, row)| row.key == nth && (header..=SEGMENT_MAX).contains(&row.bytes));
    let begins = rows.first().is_some_and(|row| row.first_record == summary.first_record);
    let ends = rows.last().is_some_and(|row| row.first_record <= summary.end_record);
    each && begins && ends && rows.is_sorted_by_key(|row| row.first_record)
}

impl Index {
    /// Opens the index file of that name. It must be an index, whole in header and fences; its other pages
    /// are checked when they are read. `filter` says whether its filter is taken into memory.
    pub fn open(disk: &dyn Disk, name: &str, filter: bool) -> Result<Index, Fault> {
        let path = disk.path(name);
        let file = disk.open(name).map_err(Fault::io(&path))?;
        let damaged = |reason| Fault::Damaged { file: path.clone(), offset: 0, reason };
        let page = table::read_page(&*file, &path, 0)?;
        let (summary, extents) = parse_header(&page).map_err(damaged)?;
        if covers(name) != Some((summary.first, summary.last)) {
            return Err(damaged("the index covers other segments than its name says"));
        }
        let size = file.size().map_err(Fault::io(&path))?;
        if extents.iter().any(|e| (u64::from(e.page) + u64::from(e.pages)) * PAGE as u64 > size) {
            return Err(damaged("the index ends too early"));
        }
        if summary.newest > TIMESTAMP_MAX || summary.first_record > summary.end_record {
            return Err(damaged("the index contradicts itself"));
        }
        let [keys, events, marks, times, blocks, segments, fences, filter_at] = extents;
        let mut all = Vec::new();
        for number in fences.page..fences.page + fences.pages {
            let page = table::read_page(&*file, &path, number)?;
            all.extend(page[..PAYLOAD / 8 * 8].chunks_exact(8).map(|b| le_u64(b, 0)));
        }
        let mut all = all.into_iter();
        macro_rules! open {
            ($extent:ident) => {
                Table::open($extent, all.by_ref().take($extent.pages as usize).collect())
                    .ok_or_else(|| damaged("a table disagrees with its fences"))?
            };
        }
        let tables = Tables {
            keys: open!(keys),
            events: open!(events),
            marks: open!(marks),
            times: open!(times),
            blocks: open!(blocks),
            segments: open!(segments),
        };
        if !filter::fits(filter_at, summary.ids) {
            return Err(damaged("the index has another filter than its ids need"));
        }
        let filter = Filter::open(filter_at, filter, |number| table::read_page(&*file, &path, number))?;
        let mut rows = Vec::new();
        let mut list = tables.segments.from(&*file, &path, 0)?;
        while let Some(row) = list.next()? {
            rows.push(row);
        }
        if rows.len() as u64 != u64::from(summary.last - summary.first) + 1 || !sound(&rows, &summary) {
            return Err(damaged("the index lists other segments than it covers"));
        }
        Ok(Index { summary, tables, filter, segments: rows, file, settled: AtomicBool::new(true), path })
    }

    /// Its file's name.
    pub fn name(&self) -> String {
        if self.settled.load(Ordering::Acquire) {
            file_name(self.summary.first, self.summary.last)
        } else {
            draft_name(&self.summary)
        }
    }
    /// Syncs it and gives it its name, if that was not done before. The name survives a crash after the next
    /// [`Disk::sync_names`].
    pub fn settle(&self, disk: &dyn Disk) -> Result<(), Fault> {
        if self.settled.load(Ordering::Acquire) {
            return Ok(());
        }
        // Whatever the reason, what was written before is not certain any more: no waiting for room here.
        self.file.sync().map_err(|e| Fault::Io(self.path.clone(), std::io::Error::other(e)))?;
        let name = file_name(self.summary.first, self.summary.last);
        disk.rename(&draft_name(&self.summary), &name).map_err(Fault::io(&self.path))?;
        self.settled.store(true, Ordering::Release);
        Ok(())
    }
    /// Bytes of memory that its filter takes, or would take.
    pub fn filter_bytes(&self) -> u64 {
        self.filter.bytes()
    }
    /// Whether its filter is in memory.
    pub fn has_filter(&self) -> bool {
        self.filter.in_memory()
    }
    /// The number of the first record of each segment, and how many bytes of it are sound.
    pub fn segments(&self) -> &[SegmentRow] {
        &self.segments
    }
    /// Whether it may hold this id.
    pub fn may_hold(&self, id: u128) -> Result<bool, Fault> {
        if id < self.summary.least_id || id > self.summary.greatest_id {
            return Ok(false);
        }
        self.filter.may_hold(hash_id(id), |number| table::read_page(&*self.file, &self.path, number))
    }
    /// The records with this key from the place `from` on; a few may be of another value.
    pub fn keyed_from(&self, key: u64, from: Position) -> Result<Rows<'_, KeyRow>, Fault> {
        self.tables.keys.from_row(&*self.file, &self.path, &KeyRow { key, position: from })
    }
    /// The records with this key before the place `to`, last first; as above.
    pub fn keyed_before(&self, key: u64, to: Position) -> Result<table::RowsBack<'_, KeyRow>, Fault> {
        self.tables.keys.before_row(&*self.file, &self.path, &KeyRow { key, position: to })
    }
    /// The keys from `key` on; a few may be of another value.
    pub fn keys_from(&self, key: u64) -> Result<Rows<'_, KeyRow>, Fault> {
        self.tables.keys.from(&*self.file, &self.path, key)
    }
    /// The event keys from `key` on.
    pub fn events_from(&self, key: u64) -> Result<Rows<'_, EventRow>, Fault> {
        self.tables.events.from(&*self.file, &self.path, key)
    }
    /// The event keys before `key`, last first.
    pub fn events_before(&self, key: u64) -> Result<table::RowsBack<'_, EventRow>, Fault> {
        self.tables.events.before(&*self.file, &self.path, key)
    }
    /// The last mark of an account at `key` or before.
    pub fn mark_upto(&self, key: u64) -> Result<Option<MarkRow>, Fault> {
        self.tables.marks.before(&*self.file, &self.path, key.saturating_add(1))?.next()
    }
    /// Where to begin looking for transfers after the timestamp.
    pub fn place_of_time(&self, timestamp: u64) -> Result<Position, Fault> {
        let row = self.tables.times.before(&*self.file, &self.path, timestamp.saturating_add(1))?.next()?;
        Ok(row.map_or(Position::new(0, FIRST), |row| row.position))
    }
    /// Behind the last place where a transfer of this timestamp or an earlier one can stand.
    pub fn place_after_time(&self, timestamp: u64) -> Result<Position, Fault> {
        let row = self.tables.times.from(&*self.file, &self.path, timestamp.saturating_add(1))?.next()?;
        Ok(row.map_or(Position(u32::MAX >> 1), |row| row.position))
    }
    /// The rows of time upto the timestamp, last first.
    pub fn times_before(&self, timestamp: u64) -> Result<table::RowsBack<'_, TimeRow>, Fault> {
        self.tables.times.before(&*self.file, &self.path, timestamp.saturating_add(1))
    }
    /// The rows of a table, for merging.
    pub(crate) fn rows<'a, R: Row>(&'a self, table: &'a Table<R>) -> Result<Rows<'a, R>, Fault> {
        table.from(&*self.file, &self.path, 0)
    }

    /// Reads bytes of a segment, checked against the blocks' checksums.
    pub fn read(&self, files: &Files, position: Position, bytes: &mut [u8]) -> Result<(), Fault> {
        let (from, to) = (position.offset(), position.offset() + bytes.len() as u64);
        let end = self.segments.get(position.nth() as usize).map(|row| row.bytes).ok_or_else(|| {
            let reason = "the index points behind its segments";
            Fault::Damaged { file: self.path.clone(), offset: 0, reason }
        })?;
        let segment = self.summary.first + position.nth();
        let path = files.path(segment);
        let damaged = |offset, reason| Fault::Damaged { file: path.clone(), offset, reason };
        if to > end {
            return Err(damaged(from, "the index points behind the segment's end"));
        }
        let file = files.get(segment)?;
        let first = from / BLOCK as u64;
        let window_from = first * BLOCK as u64;
        let window_to = to.next_multiple_of(BLOCK as u64).min(end);
        let mut window = vec![0; usize::try_from(window_to - window_from).unwrap_or(0)];
        file.read_exact_at(&mut window, window_from).map_err(|e| table::short(&path, window_from, e))?;
        let mut rows =
            self.tables.blocks.from(&*self.file, &self.path, u64::from(position.nth()) << 32 | first)?;
        for (i, block) in window.chunks(BLOCK).enumerate() {
            let wanted = u64::from(position.nth()) << 32 | (first + i as u64);
            let row = rows.next()?.filter(|row| row.key == wanted);
            if row.map(|row| row.crc) != Some(crc32c::crc32c(block)) {
                return Err(damaged((first + i as u64) * BLOCK as u64, "a block fails its checksum"));
            }
        }
        let skip = usize::try_from(from - window_from).unwrap_or(0);
        bytes.copy_from_slice(&window[skip..skip + bytes.len()]);
        Ok(())
    }

    /// The transfer at that place.
    pub fn transfer(&self, files: &Files, position: Position) -> Result<crate::types::Transfer, Fault> {
        let mut bytes = [0; TRANSFER];
        self.read(files, position, &mut bytes)?;
        Ok(crate::frame::decode_transfer(&bytes))
    }
    /// The first sixteen bytes of the record at that place: its id.
    pub fn id_at(&self, files: &Files, position: Position) -> Result<u128, Fault> {
        let mut bytes = [0; 16];
        self.read(files, position, &mut bytes)?;
        Ok(u128::from_le_bytes(bytes))
    }
}

/// Where the first frame of a segment begins, in units of [`ALIGN`].
const FIRST: u32 = 6;
const _: () = assert!(FIRST as usize * ALIGN == crate::frame::FILE_HEADER);

/// The segments that are open for reading.
pub struct Files {
    disk: Arc<dyn Disk>,
    open: Mutex<HashMap<u32, Arc<dyn DiskFile>>>,
}

/// More files than this are not kept open at a time.
const OPEN_MAX: usize = 400;

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("disk", &self.disk).finish_non_exhaustive()
    }
}

impl Files {
    /// None is open yet.
    pub fn new(disk: Arc<dyn Disk>) -> Files {
        Files { disk, open: Mutex::default() }
    }
    /// What to call a segment's file in messages to people.
    pub fn path(&self, segment: u32) -> PathBuf {
        self.disk.path(&journal::file_name(segment))
    }
    /// The file of a segment.
    pub fn get(&self, segment: u32) -> Result<Arc<dyn DiskFile>, Fault> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(&segment) {
            return Ok(file.clone());
        }
        let name = journal::file_name(segment);
        if open.len() >= OPEN_MAX {
            open.clear();
        }
        let opened = self.disk.open(&name).or_else(|_| {
            open.clear(); // too many files may be open
            self.disk.open(&name)
        });
        let path = self.disk.path(&name);
        let file: Arc<dyn DiskFile> = opened.map_err(|e| table::short(&path, 0, e))?.into();
        open.insert(segment, file.clone());
        Ok(file)
    }
}
