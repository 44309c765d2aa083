//! Snapshots and indexes whose pages have good checksums and say what no engine writes: a bug, a page in
//! another's place, or a hand. They are refused with a reason and made again; none of their numbers is
//! believed so far that the engine panics, waits for ever or asks for memory without end.

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::{account, clock, everything, open_small, small_segments, transfer};
use ledger::disk::Directory;
use ledger::frame::{self, FileHeader};
use ledger::index::{
    self, BlockRow, EventRow, Files, Index, KeyRow, MarkRow, Position, SegmentRow, Shift, Source, Summary,
    TimeRow,
};
use ledger::posting::Record;
use ledger::snapshot::{self, Reader};
use ledger::table::Row as _;
use ledger::{
    Account, AccountFlags, Embedded, Engine, Fault, JournalError, OpenError, TIMESTAMP_MAX, Transfer, journal,
};
use tempfile::{TempDir, tempdir};

const PAGE: usize = 4096;

/// A closed ledger with several segments, indexes, marks, an open pending transfer and a snapshot.
async fn written() -> TempDir {
    let dir = tempdir().unwrap();
    let engine = open_small(dir.path(), &clock());
    let marked = Account { flags: AccountFlags::History, ..account(1) };
    engine.create_accounts(vec![marked, account(2)]).await.unwrap();
    for n in 1..60 {
        engine.create_transfers(vec![transfer(n, 1, 2, 5)]).await.unwrap();
    }
    let open = Transfer { flags: ledger::TransferFlags::Pending, ..transfer(100, 1, 2, 1) };
    engine.create_transfers(vec![open]).await.unwrap();
    engine.close();
    dir
}

fn copy(from: &Path) -> TempDir {
    let to = tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.path().join(path.file_name().unwrap())).unwrap();
    }
    to
}

/// The only file, or the first, whose name begins so.
fn named(dir: &Path, prefix: &str) -> String {
    let names = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(prefix)).min().unwrap()
}

/// Puts `bytes` at `at` of a page, and makes its checksum right.
fn forge(file: &Path, page: usize, at: usize, new: &[u8]) {
    let mut bytes = fs::read(file).unwrap();
    let page = &mut bytes[page * PAGE..(page + 1) * PAGE];
    page[at..at + new.len()].copy_from_slice(new);
    let crc = crc32c::crc32c(&page[..PAGE - 4]);
    page[PAGE - 4..].copy_from_slice(&crc.to_le_bytes());
    fs::write(file, bytes).unwrap();
}

#[track_caller]
fn reason<T>(result: Result<T, Fault>) -> &'static str {
    match result {
        Err(Fault::Damaged { reason, .. }) => reason,
        Err(e) => panic!("{e}"),
        Ok(_) => panic!("accepted"),
    }
}

fn try_open(dir: &Path) -> Result<(Embedded, ledger::Recovery), OpenError> {
    Embedded::open_with(dir, clock(), small_segments())
}

fn read_all(dir: &Path, name: &str) -> Result<(), Fault> {
    let mut reader = Reader::open(&Directory::new(dir), name)?;
    let header = reader.header;
    (0..header.accounts).try_for_each(|_| reader.account().map(drop))?;
    (0..header.pending).try_for_each(|_| reader.pending().map(drop))?;
    (0..header.marks).try_for_each(|_| reader.mark().map(drop))
}

const MAX: [u8; 8] = u64::MAX.to_le_bytes();

#[tokio::test]
async fn a_forged_snapshot_is_refused_and_made_again() {
    let dir = written().await;
    let name = named(dir.path(), "snapshot-");
    read_all(dir.path(), &name).unwrap();
    let whole = everything(&try_open(copy(dir.path()).path()).unwrap().0).await;
    let header = Reader::open(&Directory::new(dir.path()), &name).unwrap().header;
    assert_eq!((header.accounts, header.pending), (2, 1));
    assert!(header.marks > 0 && header.segment > 1);
    let contradicts = "the snapshot contradicts itself";
    let early = "the snapshot ends too early";
    let more = "an account has seen more than the snapshot";
    let mark = 2 * 136 + 32;
    for (what, page, at, new, wanted) in [
        ("first record", 0, 16, MAX, contradicts),
        ("frame", 0, 24, MAX, contradicts),
        ("newest transfer", 0, 40, (TIMESTAMP_MAX + 1).to_le_bytes(), contradicts),
        ("accounts", 0, 56, (1_u64 << 26).to_le_bytes(), early),
        ("accounts", 0, 56, MAX, early),
        ("pending transfers", 0, 64, MAX, early),
        ("marks", 0, 72, MAX, early),
        ("an account's stamp", 1, 128, (header.seen + 1).to_le_bytes(), more),
        ("an account's time", 1, 120, MAX, more),
        ("a mark's account", 1, mark + 8, (1_u64 << 32).to_le_bytes(), "a mark is of no account"),
    ] {
        let copy = copy(dir.path());
        forge(&copy.path().join(&name), page, at, &new);
        assert_eq!(reason(read_all(copy.path(), &name)), wanted, "{what}");
        let (engine, recovery) = try_open(copy.path()).unwrap();
        assert_eq!(recovery.rebuilt, [copy.path().join(&name)], "{what}");
        assert_eq!(everything(&engine).await, whole, "{what}");
    }
    // There is no segment zero.
    let zero = copy(dir.path());
    let renamed = snapshot::file_name(0);
    fs::rename(zero.path().join(&name), zero.path().join(&renamed)).unwrap();
    forge(&zero.path().join(&renamed), 0, 12, &[0; 4]);
    assert_eq!(reason(read_all(zero.path(), &renamed)), contradicts);
    assert_eq!(everything(&try_open(zero.path()).unwrap().0).await, whole);
}

/// What contradicts the journal is found only when that is read: as damage, since records may be missing.
#[tokio::test]
async fn a_snapshot_that_contradicts_the_journal_is_damage() {
    let dir = written().await;
    let name = named(dir.path(), "snapshot-");
    for (at, new, wanted) in [
        (32, MAX, "the journal ends here, though"),
        (48, MAX, "the journal ends here, though"),
        (16, [0; 8], "the segment begins with another record than the snapshot says"),
        (80, [1; 8], "the frame is another than the one that the snapshot has seen"),
    ] {
        let copy = copy(dir.path());
        forge(&copy.path().join(&name), 0, at, &new);
        assert_refused(copy.path(), wanted);
    }
}

#[track_caller]
fn assert_refused(dir: &Path, wanted: &str) {
    match try_open(dir) {
        Err(OpenError::Journal(JournalError::Damaged { reason, .. })) => {
            assert!(reason.starts_with(wanted), "{reason}");
        }
        Err(e) => panic!("{e}"),
        Ok((_, recovery)) => panic!("opened: {recovery:?}"),
    }
}

/// Where the header of an index has the place of a table: page, pages, rows.
fn extent(bytes: &[u8], nth: usize) -> (usize, usize) {
    let at = 256 + 16 * nth;
    let page = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    (page as usize, at)
}

#[tokio::test]
async fn a_forged_index_is_refused_and_made_again() {
    let dir = written().await;
    let name = named(dir.path(), "index-");
    let whole = everything(&try_open(copy(dir.path()).path()).unwrap().0).await;
    let bytes = fs::read(dir.path().join(&name)).unwrap();
    let (segments, _) = extent(&bytes, 5);
    let (_, filter) = extent(&bytes, 7);
    let (other, lists) =
        ("the index has another filter than its ids need", "the index lists other segments than it covers");
    for (what, page, at, new, wanted) in [
        ("newest", 0, 120, MAX, "the index contradicts itself"),
        ("first record", 0, 24, MAX, "the index contradicts itself"),
        ("end record", 0, 32, [0; 8], lists),
        ("ids", 0, 72, MAX, other),
        ("filter blocks", 0, filter + 8, MAX, other),
        ("filter blocks", 0, filter + 8, [0; 8], other),
        ("filter pages", 0, filter, [255; 8], "the index ends too early"),
        ("a segment's number", segments, 0, [7; 8], "a page holds other rows than it should"),
        ("a segment's length", segments, 8, MAX, lists),
        ("a segment's length", segments, 8, [0; 8], lists),
        ("a segment's first record", segments, 16, [1; 8], lists),
    ] {
        let copy = copy(dir.path());
        forge(&copy.path().join(&name), page, at, &new);
        assert_eq!(reason(Index::open(&Directory::new(copy.path()), &name, true)), wanted, "{what}");
        let (engine, recovery) = try_open(copy.path()).unwrap();
        assert_eq!(recovery.rebuilt, [copy.path().join(&name)], "{what}");
        assert_eq!(everything(&engine).await, whole, "{what}");
    }
}

#[tokio::test]
async fn lookups_in_a_forged_index_say_what_is_wrong() {
    let dir = written().await;
    let name = named(dir.path(), "index-");
    let disk = Directory::new(dir.path());
    let index = Index::open(&disk, &name, true).unwrap();
    let files = Files::new(Arc::new(disk.clone()));
    let behind = "the index points behind its segments";
    for place in [Position::new(index.segments().len().try_into().unwrap(), 6), Position(u32::MAX)] {
        assert_eq!(reason(index.id_at(&files, place)), behind);
    }
    assert!(index.mark_upto(u64::MAX).unwrap().is_some(), "the last mark there is");

    // A page of another place: its rows do not begin with what the fences say.
    let path = dir.path().join(&name);
    let (keys, _) = extent(&fs::read(&path).unwrap(), 0);
    forge(&path, keys, 0, &[0; 8]);
    let rows = Index::open(&disk, &name, true).unwrap();
    assert_eq!(reason(rows.keys_from(0).map(drop)), "a page holds other rows than it should");

    // A segment that ends before its index says.
    let segment = dir.path().join(journal::file_name(1));
    fs::File::options().write(true).open(segment).unwrap().set_len(200).unwrap();
    assert_eq!(reason(index.transfer(&files, Position::new(0, 12))), "the file ends too early");
}

/// An index of the last segment that a number can have, with a key though it says that it has no ids.
struct OneKey;

impl Source for OneKey {
    fn keys(&mut self, each: &mut dyn FnMut(KeyRow) -> Result<(), Fault>) -> Result<(), Fault> {
        each(KeyRow { key: 8, position: Position::new(5, 6) })
    }
    fn events(&mut self, _: &mut dyn FnMut(EventRow) -> Result<(), Fault>) -> Result<(), Fault> {
        Ok(())
    }
    fn marks(&mut self, _: &mut dyn FnMut(MarkRow) -> Result<(), Fault>) -> Result<(), Fault> {
        Ok(())
    }
    fn times(&mut self, _: &mut dyn FnMut(TimeRow) -> Result<(), Fault>) -> Result<(), Fault> {
        Ok(())
    }
    fn blocks(&mut self, _: &mut dyn FnMut(BlockRow) -> Result<(), Fault>) -> Result<(), Fault> {
        Ok(())
    }
    fn segments(&mut self, each: &mut dyn FnMut(SegmentRow) -> Result<(), Fault>) -> Result<(), Fault> {
        each(SegmentRow { key: 0, bytes: 4096, first_record: 0 })
    }
}

#[test]
fn numbers_at_their_end_do_not_overflow() {
    let dir = tempdir().unwrap();
    let disk = Directory::new(dir.path());
    let (first, last) = (u32::MAX, u32::MAX);
    let (least_id, greatest_id, oldest, newest) = (0, u128::MAX, u64::MAX, 0);
    let summary = Summary {
        first,
        last,
        first_record: 0,
        end_record: 0,
        head: [0; 32],
        ids: 0,
        least_id,
        greatest_id,
        oldest,
        newest,
    };
    index::write(&disk, summary, &mut OneKey).unwrap().settle(&disk).unwrap();
    let index = Index::open(&disk, &index::file_name(first, last), true).unwrap();
    assert!(!index.may_hold(1).unwrap(), "it has no ids");
    let place = index.keys_from(8).unwrap().peek().unwrap().position;
    let files = Files::new(Arc::new(disk));
    assert_eq!(reason(index.transfer(&files, place)), "the index points behind its segments");

    // Rows that are merged keep their order.
    let balances = [0; 4];
    assert_eq!(KeyRow { key: 1, position: Position(u32::MAX) }.shift(255).position, Position(u32::MAX));
    assert_eq!(EventRow { key: u64::MAX }.shift(255).key(), u64::MAX);
    assert_eq!(MarkRow { key: u64::MAX, balances }.shift(255).key(), u64::MAX);
    assert_eq!(BlockRow { key: u64::MAX, crc: 0 }.shift(255).key(), u64::MAX);
    assert_eq!(SegmentRow { key: u64::MAX, bytes: 0, first_record: 0 }.shift(255).key(), u64::MAX);
}

#[tokio::test]
async fn a_journal_of_impossible_numbers_or_times_is_damage() {
    // A file whose first frame or record is behind all numbers.
    let dir = tempdir().unwrap();
    for (first_frame, first_record) in [(u64::MAX, 1), (2, u64::MAX)] {
        let header = FileHeader { segment: 2, first_frame, first_record, parent: [0; 32] };
        let mut record = frame::Builder::default();
        record.push(&Record::Failed(1));
        let frame = record.seal(first_frame, 1, first_record, [0; 32]);
        let file = dir.path().join(journal::file_name(2));
        fs::write(&file, [&header.encode()[..], &frame].concat()).unwrap();
        match journal::walk_from(&Directory::new(dir.path()), 2, |_| Ok(())) {
            Err(JournalError::Damaged { reason, .. }) => {
                assert_eq!(reason, "the file begins behind all numbers");
            }
            other => panic!("{other:?}"),
        }
    }
    // A record of a time after which none comes.
    let dir = tempdir().unwrap();
    let engine = open_small(dir.path(), &clock());
    engine.create_accounts(vec![account(1), account(2)]).await.unwrap();
    engine.close();
    fs::remove_file(dir.path().join(named(dir.path(), "snapshot-"))).unwrap();
    let end = journal::walk(dir.path(), |_| Ok(())).unwrap();
    let mut late = frame::Builder::default();
    late.push(&Record::Transfer(Transfer { timestamp: TIMESTAMP_MAX + 1, ..transfer(1, 1, 2, 1) }));
    let frame = late.seal(end.frame + 1, end.timestamp + 1, end.records, end.head);
    let path = dir.path().join(journal::file_name(1));
    let mut bytes = fs::read(&path).unwrap();
    let at = usize::try_from(end.bytes).unwrap();
    bytes[at..at + frame.len()].copy_from_slice(&frame);
    fs::write(&path, bytes).unwrap();
    assert_refused(dir.path(), "a record is of a time beyond all timestamps");
}
