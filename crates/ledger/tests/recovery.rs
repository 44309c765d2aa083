//! What opening makes of a journal that a crash or a hand has touched.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{account, clock, everything, open_small, small_segments, transfer};
use ledger::audit::{self, AuditError};
use ledger::disk::Directory;
use ledger::frame::{self, FILE_HEADER};
use ledger::posting::Record;
use ledger::{Embedded, Engine, JournalError, OpenError, Transfer, TransferFlags};
use tempfile::{TempDir, tempdir};

/// A journal of several files and frames; answers the number of frames.
async fn written() -> (TempDir, u64) {
    let dir = tempdir().unwrap();
    let clock = clock();
    let engine = open_small(dir.path(), &clock);
    engine.create_accounts(vec![account(1), account(2)]).await.unwrap();
    for n in 0..17 {
        let pending = Transfer { flags: TransferFlags::Pending, ..transfer(10 * n + 1, 1, 2, 5) };
        let burnt = transfer(10 * n + 2, 1, 99, 5);
        engine.create_transfers(vec![pending, burnt, transfer(10 * n + 3, 2, 1, 7)]).await.unwrap();
    }
    engine.close();
    (dir, 18)
}

/// Number, file, offset and length of every frame.
fn frames(dir: &Path) -> Vec<(u64, PathBuf, usize, usize)> {
    let mut out = Vec::new();
    for path in ledger::journal::files(dir).unwrap() {
        let bytes = fs::read(&path).unwrap();
        let mut at = FILE_HEADER;
        while let Ok(frame) = frame::read(&bytes[at..]) {
            out.push((frame.header.number, path.clone(), at, frame.bytes.len()));
            at += frame.bytes.len();
        }
    }
    out
}

fn copy(from: &Path) -> TempDir {
    let to = tempdir().unwrap();
    for path in ledger::journal::files(from).unwrap() {
        fs::copy(&path, to.path().join(path.file_name().unwrap())).unwrap();
    }
    to
}

fn in_copy(copy: &TempDir, path: &Path) -> PathBuf {
    copy.path().join(path.file_name().unwrap())
}

fn try_open(dir: &Path) -> Result<(Embedded, ledger::Recovery), OpenError> {
    Embedded::open_with(dir, clock(), small_segments())
}

#[track_caller]
fn damage(dir: &Path) -> (u64, u64, String) {
    match try_open(dir) {
        Err(OpenError::Journal(JournalError::Damaged { frame, offset, reason, .. })) => {
            (frame, offset, reason)
        }
        Err(e) => panic!("{e}"),
        Ok((_, recovery)) => panic!("opened: {recovery:?}"),
    }
}

#[tokio::test]
async fn a_write_torn_at_any_byte_is_cut_and_reported() {
    let (dir, count) = written().await;
    let (number, file, start, len) = frames(dir.path()).pop().unwrap();
    let bytes = fs::read(&file).unwrap();
    assert_eq!(number, count);
    let untouched = copy(dir.path());
    let whole = try_open(untouched.path()).unwrap().0;
    let (_, all) = everything(&whole).await;
    for torn in 0..len {
        let copy = copy(dir.path());
        let last = in_copy(&copy, &file);
        fs::File::options().write(true).open(&last).unwrap().set_len((start + torn) as u64).unwrap();
        let (engine, recovery) = try_open(copy.path()).unwrap();
        assert_eq!(recovery.frames, count - 1);
        if torn == 0 {
            assert_eq!(recovery.torn, None);
        } else {
            let found = recovery.torn.unwrap();
            // Zeros at its end cannot be told from room.
            let written = bytes[start..start + torn].iter().rposition(|b| *b != 0).unwrap() as u64 + 1;
            assert_eq!((found.frame, found.offset, found.bytes), (count, start as u64, written));
            let kept = copy.path().join(format!("torn-{count:020}-{written}"));
            assert_eq!(fs::read(kept).unwrap().len() as u64, written, "what was cut is kept");
        }
        assert_eq!(everything(&engine).await.1, all[..all.len() - 2]);
        // The books go on from there.
        assert!(
            engine.create_transfers(vec![transfer(1000, 1, 2, 1)]).await.unwrap()[0].status.is_in_ledger()
        );
        drop(engine);
        let (engine, recovery) = try_open(copy.path()).unwrap();
        assert_eq!(recovery.torn, None);
        let report = audit::verify(copy.path()).unwrap();
        assert_eq!(report.frames, count);
        report.compare(&engine).await.unwrap();
    }
}

#[tokio::test]
async fn a_torn_write_may_be_garbage_or_zeros() {
    let (dir, count) = written().await;
    let (_, file, start, len) = frames(dir.path()).pop().unwrap();
    for fill in [0x00, 0xff] {
        for from in [0, 8, 50, 200] {
            let copy = copy(dir.path());
            let mut bytes = fs::read(&file).unwrap();
            bytes[start + from..start + len].fill(fill);
            fs::write(in_copy(&copy, &file), bytes).unwrap();
            let (_, recovery) = try_open(copy.path()).unwrap();
            assert_eq!(recovery.frames, count - 1);
            // Nothing but zeros is how room looks that was never written to.
            let torn = (fill != 0 || from > 0).then_some(count);
            assert_eq!(recovery.torn.map(|torn| torn.frame), torn);
        }
    }
}

#[tokio::test]
async fn a_file_gets_its_name_only_when_it_holds_a_frame() {
    let (dir, count) = written().await;
    let last = ledger::journal::segments(&Directory::new(dir.path())).unwrap().pop().unwrap();
    for len in [0, 1, FILE_HEADER - 1] {
        let copy = copy(dir.path());
        let begun = copy.path().join(ledger::journal::file_name(last + 1));
        fs::write(&begun, vec![0; len]).unwrap();
        assert_eq!(damage(copy.path()).0, count + 1);
    }
}

#[tokio::test]
async fn a_flipped_byte_before_the_last_frame_refuses_and_names_the_frame() {
    let (dir, _) = written().await;
    let all = frames(dir.path());
    assert!(ledger::journal::files(dir.path()).unwrap().len() > 2, "the test needs sealed files");
    let copy = copy(dir.path());
    for (number, file, start, len) in &all[..all.len() - 1] {
        let good = fs::read(file).unwrap();
        for at in *start..start + len {
            let mut bytes = good.clone();
            bytes[at] ^= 0x20;
            fs::write(in_copy(&copy, file), &bytes).unwrap();
            let (frame, offset, _) = damage(copy.path());
            assert_eq!((frame, offset), (*number, *start as u64), "byte {at}");
            match audit::verify(copy.path()) {
                Err(AuditError::Damaged { frame, offset, .. }) => {
                    assert_eq!((frame, offset), (*number, *start as u64), "byte {at}");
                }
                other => panic!("the auditor missed byte {at}: {other:?}"),
            }
        }
        fs::write(in_copy(&copy, file), &good).unwrap();
    }
    assert!(try_open(copy.path()).is_ok());
}

#[tokio::test]
async fn a_damaged_file_header_or_a_missing_file_refuses() {
    let (dir, _) = written().await;
    let files = ledger::journal::files(dir.path()).unwrap();
    for file in &files {
        let first = frames(dir.path()).iter().find(|f| f.1 == *file).unwrap().0;
        for at in 0..FILE_HEADER {
            let copy = copy(dir.path());
            let mut bytes = fs::read(file).unwrap();
            bytes[at] ^= 1;
            fs::write(in_copy(&copy, file), &bytes).unwrap();
            assert_eq!(damage(copy.path()).0, first, "byte {at}");
            assert!(audit::verify(copy.path()).is_err());
        }
    }
    for missing in &files[..files.len() - 1] {
        let copy = copy(dir.path());
        fs::remove_file(in_copy(&copy, missing)).unwrap();
        assert_eq!(damage(copy.path()).1, 0);
        assert!(audit::verify(copy.path()).is_err());
    }
}

#[tokio::test]
async fn a_removed_or_rewritten_frame_breaks_the_chain() {
    let (dir, _) = written().await;
    let all = frames(dir.path());
    let (number, file, start, len) = all[1].clone();
    assert_eq!(all[2].1, file, "the test wants the next frame in the same file");
    let good = fs::read(&file).unwrap();

    let removed = [&good[..start], &good[start + len..]].concat();
    let copied = copy(dir.path());
    fs::write(in_copy(&copied, &file), removed).unwrap();
    assert_eq!(damage(copied.path()).0, number);

    // Rewritten with right checksums and its right parent: the next frame still knows better.
    let old = frame::read(&good[start..]).unwrap();
    let mut records = old.records().unwrap();
    for record in &mut records {
        if let Record::Transfer(t) = record {
            t.amount += 1;
        }
    }
    let mut builder = frame::Builder::default();
    for record in &records {
        builder.push(record);
    }
    let forged = builder.seal(number, old.header.timestamp, old.header.first_record, old.header.parent);
    assert_eq!(forged.len(), len);
    let forged = [&good[..start], &forged, &good[start + len..]].concat();
    let copied = copy(dir.path());
    fs::write(in_copy(&copied, &file), forged).unwrap();
    let (frame, _, reason) = damage(copied.path());
    assert_eq!((frame, reason.contains("hash")), (number + 1, true), "{reason}");
    match audit::verify(copied.path()) {
        Err(AuditError::Damaged { frame, .. }) => assert_eq!(frame, number + 1),
        other => panic!("{other:?}"),
    }
}

/// Books that no engine would write, in frames with right checksums and hashes: the auditor must refuse each.
#[test]
fn the_auditor_refuses_books_that_no_engine_would_write() {
    use ledger::{Account, AccountFlags as A, TransferFlags as F};
    let at = |n: u64| 1_000_000_000_000 + n;
    let acc = |id: u128, n: u64| Account { timestamp: at(n), ..account(id) };
    let tra = |id: u128, amount: u128, n: u64| Transfer { timestamp: at(n), ..transfer(id, 1, 2, amount) };
    let accounts = || vec![Record::Account(acc(1, 1)), Record::Account(acc(2, 2))];
    let with = |more: Vec<Record>| [accounts(), more].concat();
    let pending = Transfer { flags: F::Pending, timeout: 1, ..tra(10, 5, 3) };
    let post = |id, amount, n| {
        let t = Transfer { flags: F::PostPendingTransfer, pending_id: 10, ..tra(id, amount, n) };
        Record::Transfer(t)
    };
    let void = |amount, n| {
        let t = Transfer { flags: F::VoidPendingTransfer, pending_id: 10, ..tra(12, amount, n) };
        Record::Transfer(t)
    };
    let expired = |n| Record::Expired { pending_id: 10, timestamp: at(n) };
    let closing = Transfer { flags: F::Pending | F::ClosingDebit, ..tra(10, 0, 3) };
    let limited = |flags, id| Record::Account(Account { flags, ..acc(id, u64::try_from(id).unwrap()) });
    let second = 1_000_000_000;
    let cases: Vec<(&str, Vec<Record>)> = vec![
        ("twice the same account", with(vec![Record::Account(acc(1, 3))])),
        ("an account without a ledger", vec![Record::Account(Account { ledger: 0, ..acc(1, 1) })]),
        ("time goes back", with(vec![Record::Transfer(tra(10, 1, 2))])),
        (
            "twice the same transfer",
            with(vec![Record::Transfer(tra(10, 1, 3)), Record::Transfer(tra(10, 1, 4))]),
        ),
        ("a burnt id is used", with(vec![Record::Failed(10), Record::Transfer(tra(10, 1, 3))])),
        ("a known id is burnt", with(vec![Record::Transfer(tra(10, 1, 3)), Record::Failed(10)])),
        ("an unknown account", vec![Record::Account(acc(1, 1)), Record::Transfer(tra(10, 1, 3))]),
        ("another ledger", with(vec![Record::Transfer(Transfer { ledger: 2, ..tra(10, 1, 3) })])),
        ("to itself", with(vec![Record::Transfer(Transfer { credit_account_id: 1, ..tra(10, 1, 3) })])),
        (
            "overdrawn",
            vec![
                limited(A::DebitsMustNotExceedCredits, 1),
                limited(A::History, 2),
                Record::Transfer(tra(10, 1, 3)),
            ],
        ),
        (
            "overpaid",
            vec![
                limited(A::History, 1),
                limited(A::CreditsMustNotExceedDebits, 2),
                Record::Transfer(tra(10, 1, 3)),
            ],
        ),
        ("overflow", with(vec![Record::Transfer(tra(10, u128::MAX, 3)), Record::Transfer(tra(11, 1, 4))])),
        ("posted out of nothing", with(vec![post(11, 5, 4)])),
        ("posted twice", with(vec![Record::Transfer(pending), post(11, 5, 4), post(12, 5, 5)])),
        ("posted and voided", with(vec![Record::Transfer(pending), post(11, 5, 4), void(5, 5)])),
        ("too much posted", with(vec![Record::Transfer(pending), post(11, 6, 4)])),
        ("too little voided", with(vec![Record::Transfer(pending), void(4, 4)])),
        ("posted after its time", with(vec![Record::Transfer(pending), post(11, 5, 3 + second)])),
        ("expired before its time", with(vec![Record::Transfer(pending), expired(2 + second)])),
        ("expired twice", with(vec![Record::Transfer(pending), expired(3 + second), expired(4 + second)])),
        ("a closed account pays", with(vec![Record::Transfer(closing), Record::Transfer(tra(11, 1, 4))])),
        ("pending and resolving", with(vec![Record::Transfer(Transfer { pending_id: 9, ..pending })])),
        (
            "posted and pending again",
            with(vec![Record::Transfer(pending), {
                let flags = F::PostPendingTransfer | F::Pending;
                Record::Transfer(Transfer { flags, pending_id: 10, ..tra(11, 5, 4) })
            }]),
        ),
        (
            "closed for ever",
            with(vec![Record::Transfer(Transfer { flags: F::ClosingDebit, ..tra(10, 1, 3) })]),
        ),
        ("beyond time", with(vec![Record::Transfer(Transfer { timestamp: u64::MAX, ..tra(10, 1, 3) })])),
        ("half a chain", with(vec![Record::Transfer(Transfer { flags: F::Linked, ..tra(10, 1, 3) })])),
    ];
    let check = |records: &[Record], newest: u64| {
        let dir = tempdir().unwrap();
        let header = frame::FileHeader { segment: 1, first_frame: 1, first_record: 0, parent: [0; 32] };
        let mut builder = frame::Builder::default();
        for record in records {
            builder.push(record);
        }
        let bytes = builder.seal(1, newest, 0, [0; 32]);
        let file = dir.path().join(ledger::journal::file_name(1));
        fs::write(file, [&header.encode()[..], &bytes].concat()).unwrap();
        audit::verify(dir.path())
    };
    // The same parts put together rightly pass, so each case fails for its own reason.
    let right = with(vec![Record::Transfer(pending), post(11, 5, 4), Record::Failed(13)]);
    assert_eq!(check(&right, at(9)).unwrap().posted, 1);
    let right = with(vec![Record::Transfer(pending), expired(3 + second)]);
    assert_eq!(check(&right, at(3 + second)).unwrap().expired, 1);
    assert!(check(&right, at(2)).is_err(), "a frame older than its records");
    for (name, records) in cases {
        let result = check(&records, at(9 * second));
        assert!(matches!(result, Err(AuditError::Wrong { frame: 1, .. })), "{name}: {result:?}");
    }
}

#[tokio::test]
async fn the_auditor_notices_an_engine_that_differs() {
    let (dir, _) = written().await;
    let report = audit::verify(dir.path()).unwrap();
    let engine = try_open(dir.path()).unwrap().0;
    report.compare(&engine).await.unwrap();
    engine.create_transfers(vec![transfer(1000, 1, 2, 1)]).await.unwrap();
    assert!(matches!(report.compare(&engine).await, Err(AuditError::Differs { account: 1 })));
    let report = audit::verify(dir.path()).unwrap();
    report.compare(&engine).await.unwrap();
    engine.create_accounts(vec![account(3)]).await.unwrap();
    assert!(matches!(report.compare(&engine).await, Err(AuditError::Differs { account: 3 })));
}

/// A frame with right checksums that this program would not have written like that is none of its frames.
#[test]
fn records_can_be_written_in_one_way_only() {
    let records = [
        Record::Account(account(1)),
        Record::Expired { pending_id: 10, timestamp: 5 },
        Record::Failed(11),
        Record::Failed(12),
    ];
    let mut frame = frame::Builder::default();
    for record in &records {
        frame.push(record);
    }
    let good = frame.seal(1, 9, 0, [0; 32]);
    let reads = |mut bytes: Vec<u8>| {
        let payload = u32::try_from(bytes.len() - frame::FRAME_HEADER).unwrap();
        bytes[32..36].copy_from_slice(&payload.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[frame::FRAME_HEADER..]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[12..frame::FRAME_HEADER]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        frame::read(&bytes).and_then(|frame| frame.records())
    };
    assert_eq!(reads(good.clone()).unwrap(), records);
    let (account, expired, failed) = (96 + 16, 96 + 16 + 64 + 16, 96 + 16 + 64 + 16 + 32 + 16);
    for (name, at) in [
        ("the end of the frame header", 63),
        ("a run's header", account - 1),
        ("an account", account + 53),
        ("an expiry", expired + 31),
        ("another run's header", failed - 8),
    ] {
        let mut bytes = good.clone();
        bytes[at] = 1;
        assert!(reads(bytes).is_err(), "{name}");
    }
    let run = |kind: u32, count: u32| [&kind.to_le_bytes()[..], &count.to_le_bytes(), &[0; 8]].concat();
    let (head, last) = good.split_at(failed + 16);
    assert!(reads([head, &run(3, 1), last].concat()).is_err(), "two runs of one kind");
    assert!(reads([&good[..], &run(1, 0)].concat()).is_err(), "an empty run");
}
