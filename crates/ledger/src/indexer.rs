//! Making index files: one for each sealed segment, and one out of many when there are enough.

use std::cell::RefCell;
use std::path::Path;

use crate::disk::{Disk, DiskFile};
use crate::fault::Fault;
use crate::frame::{self, ALIGN, FILE_HEADER, FRAME_HEADER};
use crate::index::{
    self, BLOCK, BlockRow, EventRow, Field, Index, KeyRow, MarkRow, Position, SegmentRow, Shift, Source,
    Summary, TimeRow, event_key, key,
};
use crate::journal;
use crate::posting::Record;
use crate::radix;
use crate::recent::{Item, Recent};
use crate::sealed::resolves;
use crate::table::{Rows, Table};

/// A frame begins a row of the time table if so many bytes lie between it and the last that did.
const TIME_EVERY: u64 = 64 << 10;

/// The rows of one segment, sorted.
#[derive(Debug, Default)]
struct Rowset {
    keys: Vec<KeyRow>,
    events: Vec<EventRow>,
    marks: Vec<MarkRow>,
    times: Vec<TimeRow>,
    blocks: Vec<BlockRow>,
    segments: Vec<SegmentRow>,
}

/// Makes index files, and keeps the memory that this takes for the next time.
#[derive(Debug, Default)]
pub struct Indexer {
    rows: Rowset,
    sorted: Sorted,
    bytes: Vec<u8>,
}

/// Room for sorting.
#[derive(Debug, Default)]
struct Sorted {
    keys: Vec<KeyRow>,
    events: Vec<EventRow>,
}

impl Indexer {
    /// Makes the index of the sealed segment whose records are `recent`. Reads the segment back, so that what
    /// is checksummed for later is what the frames' own checksums say.
    pub fn seal(&mut self, disk: &dyn Disk, recent: &Recent) -> Result<Index, Fault> {
        let name = journal::file_name(recent.segment);
        let path = disk.path(&name);
        let file = disk.open(&name).map_err(Fault::io(&path))?;
        let mut summary = Summary {
            first: recent.segment,
            last: recent.segment,
            first_record: recent.first,
            end_record: recent.end(),
            head: [0; 32],
            ids: 0,
            least_id: u128::MAX,
            greatest_id: 0,
            oldest: u64::MAX,
            newest: 0,
        };
        self.rows.clear();
        let end = self.read_frames(&*file, &path, recent, &mut summary)?;
        self.read_blocks(&*file, &path, end)?;
        // The room that was made in advance and not used.
        file.set_size(end).map_err(Fault::io(&path))?;
        self.rows.segments.push(SegmentRow { key: 0, bytes: end, first_record: recent.first });
        self.rows.gather(recent, &mut summary, &mut self.sorted);
        index::write(disk, summary, &mut self.rows)
    }

    /// Checks the frames against what they hold; answers where the last one ends.
    fn read_frames(
        &mut self,
        file: &dyn DiskFile,
        path: &Path,
        recent: &Recent,
        summary: &mut Summary,
    ) -> Result<u64, Fault> {
        let mut at = FILE_HEADER as u64;
        let mut next_time = 0;
        let mut seen = recent.first;
        while seen < recent.end() {
            let damaged = |reason| Fault::Damaged { file: path.to_owned(), offset: at, reason };
            self.bytes.resize(FRAME_HEADER, 0);
            file.read_exact_at(&mut self.bytes, at).map_err(Fault::io(path))?;
            let size = frame::size(&self.bytes).map_err(damaged)?;
            if size as u64 > index::SEGMENT_MAX {
                return Err(damaged("a frame is longer than a segment"));
            }
            self.bytes.resize(size, 0);
            file.read_exact_at(&mut self.bytes, at).map_err(Fault::io(path))?;
            let frame = frame::read(&self.bytes).map_err(damaged)?;
            let from = usize::try_from(seen - recent.first).unwrap_or(usize::MAX);
            let items = recent.items().get(from..from + frame.header.records as usize);
            let items = items.filter(|_| frame.header.first_record == seen);
            let items = items.ok_or_else(|| damaged("a frame holds other records than it should"))?;
            if at >= next_time
                && let Some(first) = items.iter().find_map(Item::transfer)
            {
                self.rows.times.push(TimeRow { key: first.timestamp, position: place(at) });
                next_time = at + TIME_EVERY;
            }
            seen += items.len() as u64;
            if seen == recent.end() {
                summary.head = frame.hash();
            }
            at += size as u64;
        }
        Ok(at)
    }

    /// Takes the checksum of each block up to `end`.
    fn read_blocks(&mut self, file: &dyn DiskFile, path: &Path, end: u64) -> Result<(), Fault> {
        let mut at = 0;
        while at < end {
            let size = (end - at).min(64 * BLOCK as u64);
            self.bytes.resize(usize::try_from(size).unwrap_or(BLOCK), 0);
            file.read_exact_at(&mut self.bytes, at).map_err(Fault::io(path))?;
            for (block, key) in self.bytes.chunks(BLOCK).zip(at / BLOCK as u64..) {
                self.rows.blocks.push(BlockRow { key, crc: crc32c::crc32c(block) });
            }
            at += size;
        }
        Ok(())
    }
}

fn place(at: u64) -> Position {
    Position::new(0, u32::try_from(at / ALIGN as u64).unwrap_or(u32::MAX))
}

impl Rowset {
    fn clear(&mut self) {
        self.keys.clear();
        self.events.clear();
        self.marks.clear();
        self.times.clear();
        self.blocks.clear();
        self.segments.clear();
    }

    fn gather(&mut self, recent: &Recent, summary: &mut Summary, sorted: &mut Sorted) {
        let items = recent.items();
        for item in items {
            let position = Position::new(0, item.position);
            let mut keep = |field, value| self.keys.push(KeyRow { key: key(field, value), position });
            let mut id = |id: u128| {
                summary.ids += 1;
                summary.least_id = summary.least_id.min(id);
                summary.greatest_id = summary.greatest_id.max(id);
            };
            match &item.record {
                Record::Account(_) => continue,
                Record::Failed(burnt) => {
                    id(*burnt);
                    keep(Field::Failed, *burnt);
                    continue;
                }
                Record::Expired { pending_id, .. } => keep(Field::Expired, *pending_id),
                Record::Transfer(t) => {
                    id(t.id);
                    keep(Field::Id, t.id);
                    if resolves(t) {
                        keep(Field::Resolved, t.pending_id);
                    }
                    for (field, value) in [
                        (Field::UserData128, t.user_data_128),
                        (Field::UserData64, t.user_data_64.into()),
                        (Field::UserData32, t.user_data_32.into()),
                    ] {
                        if value != 0 {
                            keep(field, value);
                        }
                    }
                    summary.oldest = summary.oldest.min(t.timestamp);
                    summary.newest = summary.newest.max(t.timestamp);
                }
            }
            let expired = item.transfer().is_none();
            self.events.extend(item.sides.map(|slot| EventRow { key: event_key(slot, position, expired) }));
        }
        for mark in recent.marks() {
            let Some(item) = recent.get(mark.record) else { continue };
            let key = event_key(mark.slot, Position::new(0, item.position), item.transfer().is_none());
            self.marks.push(MarkRow { key, balances: mark.balances });
        }
        radix::sort_hashes(&mut self.keys, &mut sorted.keys);
        // They come in the order of their places already.
        let slots = self.events.iter().fold(0, |all, row| all | row.key >> 32);
        radix::sort(&mut self.events, &mut sorted.events, 32, 64 - slots.leading_zeros());
        self.marks.sort_unstable();
    }
}

macro_rules! hand_out {
    ($($rows:ident: $row:ty,)*) => {
        impl Source for Rowset {
            $(fn $rows(&mut self, each: &mut dyn FnMut($row) -> Result<(), Fault>) -> Result<(), Fault> {
                self.$rows.iter().try_for_each(|row| each(*row))
            })*
        }
        impl Source for Merge<'_> {
            $(fn $rows(&mut self, each: &mut dyn FnMut($row) -> Result<(), Fault>) -> Result<(), Fault> {
                self.merge(|index| &index.tables.$rows, each)
            })*
        }
    };
}
hand_out! {
    keys: KeyRow,
    events: EventRow,
    marks: MarkRow,
    times: TimeRow,
    blocks: BlockRow,
    segments: SegmentRow,
}

/// Index files of segments in a row, as one.
struct Merge<'a> {
    parts: &'a [&'a Index],
    breath: RefCell<&'a mut dyn FnMut() -> Result<(), Fault>>,
}

/// Makes one index out of those of segments in a row. Every now and then it takes a `breath`, for what
/// cannot wait until it is done.
pub fn merge(
    disk: &dyn Disk,
    parts: &[&Index],
    breath: &mut dyn FnMut() -> Result<(), Fault>,
) -> Result<Index, Fault> {
    let mut summary = parts[0].summary;
    for part in &parts[1..] {
        let p = part.summary;
        summary = Summary {
            last: p.last,
            end_record: p.end_record,
            head: p.head,
            ids: summary.ids + p.ids,
            least_id: summary.least_id.min(p.least_id),
            greatest_id: summary.greatest_id.max(p.greatest_id),
            oldest: summary.oldest.min(p.oldest),
            newest: summary.newest.max(p.newest),
            ..summary
        };
    }
    index::write(disk, summary, &mut Merge { parts, breath: RefCell::new(breath) })
}

/// How many rows of each part are merged at a time, about.
const STRETCH: usize = 4096;

impl Merge<'_> {
    /// Merges stretch by stretch: all rows below a bound that no part has much of, sorted together.
    fn merge<R: Shift>(
        &self,
        table: impl Fn(&Index) -> &Table<R>,
        each: &mut dyn FnMut(R) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let first = self.parts[0].summary.first;
        let mut open: Vec<(u32, Rows<'_, R>)> = Vec::new();
        for part in self.parts {
            open.push((part.summary.first - first, part.rows(table(part))?));
        }
        let mut stretch: Vec<R> = Vec::new();
        loop {
            let Some(bound) = open.iter().filter_map(|(by, rows)| Some(rows.peek()?.shift(*by).key())).min()
            else {
                return Ok(());
            };
            // At least the least key; more if all parts have few rows until there.
            let ahead = STRETCH / Table::<R>::PER_PAGE + 1;
            let next = open.iter().filter_map(|(by, rows)| rows.key_ahead(ahead, *by)).min();
            let next = next.unwrap_or(u64::MAX);
            stretch.clear();
            for (by, rows) in &mut open {
                let row = |rows: &Rows<'_, R>| rows.peek().map(|row| row.shift(*by));
                while let Some(row) = row(rows).filter(|row| row.key() < next) {
                    stretch.push(row);
                    rows.next()?;
                }
                // One key may have any number of rows. They stand in order in each part, and the parts do.
                while next <= bound
                    && let Some(row) = row(rows).filter(|row| row.key() == bound)
                {
                    each(row)?;
                    rows.next()?;
                }
            }
            // Each part's rows are in order already, which a stable sort makes use of.
            stretch.sort();
            stretch.iter().try_for_each(|row| each(*row))?;
            (self.breath.borrow_mut())()?;
        }
    }
}
