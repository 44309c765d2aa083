//! The sealed part of the ledger: the indexes in the order of their segments, and the segments themselves.
//!
//! Never changed: a new index makes a new `Sealed`, and whoever reads the old one goes on undisturbed.

use std::sync::Arc;

use crate::fault::Fault;
use crate::frame::{self, FRAME_HEADER};
use crate::index::{Field, Files, Index, Position, key};
use crate::posting::Record;
use crate::rules::{Known, PendingStatus};
use crate::table;
use crate::types::{Transfer, TransferFlags};

/// Offsets are counted in these.
const ALIGN: u32 = 16;
const _: () = assert!(ALIGN as usize == frame::ALIGN);

/// See the module.
#[derive(Debug, Clone)]
pub struct Sealed {
    indexes: Vec<Arc<Index>>,
    files: Arc<Files>,
    greatest_id: u128,
}

impl Sealed {
    /// The segments that these indexes cover, which follow each other from the first on.
    pub fn new(indexes: Vec<Arc<Index>>, files: Arc<Files>) -> Sealed {
        let greatest_id = indexes.iter().map(|i| i.summary.greatest_id).max().unwrap_or(0);
        Sealed { indexes, files, greatest_id }
    }
    /// The indexes, oldest first.
    pub fn indexes(&self) -> &[Arc<Index>] {
        &self.indexes
    }
    /// The segments' files.
    pub fn files(&self) -> &Arc<Files> {
        &self.files
    }
    /// The last segment covered, zero if none.
    pub fn last_segment(&self) -> u32 {
        self.indexes.last().map_or(0, |i| i.summary.last)
    }
    /// The newest transfer's timestamp, or zero.
    pub fn newest(&self) -> u64 {
        self.indexes.iter().rev().map(|i| i.summary.newest).find(|at| *at > 0).unwrap_or(0)
    }

    /// What is known of a transfer id.
    pub fn lookup(&self, id: u128) -> Result<Known, Fault> {
        if id > self.greatest_id {
            return Ok(Known::Unknown); // ids that grow with time end here
        }
        for index in self.indexes.iter().rev() {
            if !index.may_hold(id)? {
                continue;
            }
            let wanted = key(Field::Id, id);
            let mut rows = index.keys_from(wanted)?;
            while let Some(row) = rows.next()? {
                if row.key == wanted {
                    let t = index.transfer(&self.files, row.position)?;
                    if t.id == id {
                        return Ok(Known::Created(t));
                    }
                } else if row.key == key(Field::Failed, id) {
                    if index.id_at(&self.files, row.position)? == id {
                        return Ok(Known::Failed);
                    }
                } else {
                    break;
                }
            }
        }
        Ok(Known::Unknown)
    }

    /// How a pending transfer was resolved, if it was.
    pub fn resolution(&self, pending_id: u128) -> Result<Option<PendingStatus>, Fault> {
        for index in self.indexes.iter().rev() {
            let (resolved, expired) = (key(Field::Resolved, pending_id), key(Field::Expired, pending_id));
            let mut rows = index.keys_from(resolved)?;
            while let Some(row) = rows.next()? {
                if row.key == resolved {
                    let t = index.transfer(&self.files, row.position)?;
                    if t.pending_id == pending_id {
                        return Ok(Some(resolution(&t)));
                    }
                } else if row.key == expired {
                    if index.id_at(&self.files, row.position)? == pending_id {
                        return Ok(Some(PendingStatus::Expired));
                    }
                } else {
                    break;
                }
            }
        }
        Ok(None)
    }

    /// Whether a transfer was created at exactly this timestamp.
    pub fn has_at(&self, timestamp: u64) -> Result<bool, Fault> {
        let holds = |i: &&Arc<Index>| i.summary.oldest <= timestamp && timestamp <= i.summary.newest;
        let Some(index) = self.indexes.iter().find(holds) else { return Ok(false) };
        let mut frames = Frames::new(self, index, index.place_of_time(timestamp)?);
        while let Some(transfers) = frames.next()? {
            match transfers.last() {
                Some((_, last)) if last.timestamp >= timestamp => {
                    return Ok(transfers.iter().any(|(_, t)| t.timestamp == timestamp));
                }
                _ => {}
            }
        }
        Ok(false)
    }
}

/// Whether the transfer posts or voids a pending one.
pub fn resolves(t: &Transfer) -> bool {
    t.flags.intersects(TransferFlags::PostPendingTransfer | TransferFlags::VoidPendingTransfer)
}

/// What a post or a void makes of its pending transfer.
pub fn resolution(t: &Transfer) -> PendingStatus {
    if t.flags.contains(TransferFlags::VoidPendingTransfer) {
        PendingStatus::Voided
    } else {
        PendingStatus::Posted
    }
}

/// The transfers of an index's segments, frame by frame.
#[derive(Debug)]
pub struct Frames<'a> {
    sealed: &'a Sealed,
    index: &'a Index,
    nth: u32,
    offset: u64,
}

impl<'a> Frames<'a> {
    /// From the frame at `place` on.
    pub fn new(sealed: &'a Sealed, index: &'a Index, place: Position) -> Self {
        let mut frames = Frames { sealed, index, nth: place.nth(), offset: place.offset() };
        frames.settle();
        frames
    }
    /// Goes to the next segment when this one is used up.
    fn settle(&mut self) {
        while self.index.segments().get(self.nth as usize).is_some_and(|row| self.offset >= row.bytes) {
            self.nth += 1;
            self.offset = frame::FILE_HEADER as u64;
        }
    }
    /// Where the next frame stands.
    pub fn place(&self) -> Position {
        Position::new(self.nth, u32::try_from(self.offset / frame::ALIGN as u64).unwrap_or(u32::MAX))
    }
    /// The transfers of the next frame, with their places.
    #[allow(clippy::should_implement_trait, reason = "it can fail, and then there is nothing to go on with")]
    pub fn next(&mut self) -> Result<Option<Vec<(Position, Transfer)>>, Fault> {
        let Some(row) = self.index.segments().get(self.nth as usize) else { return Ok(None) };
        let segment = self.index.summary.first + self.nth;
        let file = self.sealed.files.get(segment)?;
        let path = self.sealed.files.path(segment);
        let damaged = |reason| Fault::Damaged { file: path.clone(), offset: self.offset, reason };
        let short = |e| table::short(&path, self.offset, e);
        let mut bytes = vec![0; FRAME_HEADER];
        file.read_exact_at(&mut bytes, self.offset).map_err(short)?;
        let size = frame::size(&bytes).map_err(damaged)?;
        if self.offset + size as u64 > row.bytes {
            return Err(damaged("a frame is longer than its segment"));
        }
        bytes.resize(size, 0);
        file.read_exact_at(&mut bytes, self.offset).map_err(short)?;
        let frame = frame::read(&bytes).map_err(damaged)?;
        let mut out = Vec::with_capacity(frame.header.records as usize);
        let start = self.place();
        frame
            .each(|at, record| {
                if let Record::Transfer(t) = record {
                    out.push((Position(start.0 + at / ALIGN), t));
                }
                Ok::<(), &'static str>(())
            })
            .map_err(damaged)?;
        self.offset += size as u64;
        self.settle();
        Ok(Some(out))
    }
}
