//! An index file and the segment it covers: the file is refused, or every lookup answers or says what is damaged,
//! and all that answer agree with each other and with the segment.
//!
//! The input: what to make right, how long the index part is (two bytes), the index, the segment.
#![no_main]

use std::fmt::Debug;
use std::sync::Arc;

use ledger::Fault;
use ledger::frame::{TRANSFER, decode_transfer};
use ledger::index::{EventRow, Field, Files, Index, Position, TimeRow, file_name, key};
use ledger::journal;
use ledger::table::{Row, Rows, RowsBack};
use libfuzzer_sys::fuzz_target;
use yima_fuzz::Repair;
use yima_fuzz::disk::Memory;
use yima_fuzz::pages::{le_u32, le_u64, seal_blocks, unpack};

/// Rows of a table of that number, by the header.
fn count(bytes: &[u8], table: usize) -> u64 {
    le_u64(bytes, 256 + 16 * table + 8)
}

fn forwards<R: Row>(rows: Result<Rows<'_, R>, Fault>) -> Result<Vec<R>, Fault> {
    let (mut rows, mut all) = (rows?, Vec::new());
    while let Some(row) = rows.next()? {
        all.push(row);
    }
    Ok(all)
}

fn backwards<R: Row>(rows: Result<RowsBack<'_, R>, Fault>) -> Result<Vec<R>, Fault> {
    let (mut rows, mut all) = (rows?, Vec::new());
    while let Some(row) = rows.next()? {
        all.push(row);
    }
    all.reverse();
    Ok(all)
}

/// Keys to ask for: those of some rows, those beside them, and the ends.
fn probes<R: Row>(all: &[R]) -> Vec<u64> {
    let step = all.len() / 8 + 1;
    let some = all.iter().step_by(step).chain(all.last()).map(Row::key);
    some.flat_map(|k| [k.saturating_sub(1), k, k.saturating_add(1)]).chain([0, 1 << 32, u64::MAX]).collect()
}

/// A table whose rows are in order answers each key with the rows after it, and with those before.
fn agree<'a, R: Row + Debug>(
    all: &[R],
    from: impl Fn(u64) -> Result<Rows<'a, R>, Fault>,
    before: Option<&dyn Fn(u64) -> Result<RowsBack<'a, R>, Fault>>,
) {
    let sorted = all.is_sorted_by_key(Row::key);
    for key in probes(all) {
        let at = all.partition_point(|row| row.key() < key);
        let after = forwards(from(key));
        let until = before.map(|before| backwards(before(key)));
        if sorted {
            assert_eq!(after.expect("all of it read before"), &all[at..]);
            if let Some(until) = until {
                assert_eq!(until.expect("all of it read before"), &all[..at]);
            }
        }
    }
}

fn ask(index: &Index, files: &Files, bytes: &[u8], segment: &[u8]) -> Result<(), Fault> {
    assert_eq!(index.segments().len(), (index.summary.last - index.summary.first) as usize + 1);
    for id in [0, 1, index.summary.least_id, index.summary.greatest_id, u128::MAX] {
        let _ = index.may_hold(id); // a page of the filter may be damaged
        for field in [Field::Id, Field::Failed, Field::Resolved, Field::UserData128] {
            let _ = index.keys_from(key(field, id));
        }
    }
    for at in [0, 1, index.summary.oldest, index.summary.newest, u64::MAX] {
        let _ = index.place_after_time(at);
        let upto = index.place_of_time(at);
        let rows: Result<Vec<TimeRow>, Fault> = backwards(index.times_before(at));
        if let (Ok(upto), Ok(Some(last))) = (upto, rows.map(|rows| rows.last().copied())) {
            assert_eq!(upto, last.position);
        }
    }
    for key in [0, 1 << 32, u64::MAX] {
        let _ = index.mark_upto(key);
    }
    for place in [0, 6, 5 << 23, u32::MAX >> 1, u32::MAX] {
        let mut piece = [0; 5000];
        let _ = index.read(files, Position(place), &mut piece);
        let _ = index.id_at(files, Position(place));
    }
    let keys = forwards(index.keys_from(0));
    if let Ok(keys) = &keys {
        assert_eq!(keys.len() as u64, count(bytes, 0));
        agree(keys, |key| index.keys_from(key), None);
        for row in keys {
            let Ok(transfer) = index.transfer(files, row.position) else { continue };
            let at = usize::try_from(row.position.offset()).unwrap();
            let there: &[u8; TRANSFER] = segment[at..at + TRANSFER].try_into().unwrap();
            assert_eq!(transfer, decode_transfer(there));
        }
    }
    let events: Vec<EventRow> = forwards(index.events_from(0))?;
    assert_eq!(events.len() as u64, count(bytes, 1));
    agree(&events, |key| index.events_from(key), Some(&|key| index.events_before(key)));
    for row in events.iter().take(64) {
        let (slot, place, expired) = row.parts();
        assert_eq!(ledger::index::event_key(slot, place, expired), row.key);
        if let Ok(Some(mark)) = index.mark_upto(row.key) {
            assert!(mark.key <= row.key, "a mark of a later event");
        }
    }
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let Some((&[mode, low, high], rest)) = data.split_first_chunk() else { return };
    let length = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
    let (index, segment) = rest.split_at(length);
    let mut bytes = unpack(index, Repair::by(mode));
    if Repair::by(mode) != Repair::None && mode >= 128 {
        seal_blocks(&mut bytes, segment);
    }
    let (first, last) = (le_u32(&bytes, 12), le_u32(&bytes, 16));
    let name = file_name(first, last);
    let disk = Memory::default();
    disk.put(&name, bytes.clone());
    disk.put(&journal::file_name(first), segment.to_vec());
    for filter in [true, false] {
        match Index::open(&disk, &name, filter) {
            Ok(index) => {
                let files = Files::new(Arc::new(disk.clone()));
                let _ = ask(&index, &files, &bytes, segment); // a page behind the header may be damaged
            }
            Err(Fault::Io(file, e)) => panic!("{}: {e}: the disk did not fail", file.display()),
            Err(_) => {}
        }
    }
});
