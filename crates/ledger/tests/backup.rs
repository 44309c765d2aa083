//! Copies of a journal: beside a writer, in steps, of what a crash left, and back to any moment.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{account, clock, everything, open_small, transfer};
use kernel::{ManualClock, Timestamp};
use ledger::audit;
use ledger::backup::{Backup, BackupError, backup, restore};
use ledger::frame::{self, FILE_HEADER};
use ledger::{Account, Embedded, Engine, JournalError, Transfer, TransferFlags};
use tempfile::{TempDir, tempdir};

type Books = (Vec<Account>, Vec<Transfer>);

/// A journal of several files, and the books after each of its frames with the timestamp of the frame.
async fn written() -> (TempDir, Vec<(u64, Books)>) {
    let dir = tempdir().unwrap();
    let clock = clock();
    let engine = open_small(dir.path(), &clock);
    let mut moments = Vec::new();
    let made = engine.create_accounts(vec![account(1), account(2)]).await.unwrap();
    moments.push((made[1].timestamp, everything(&engine).await));
    for n in 0..16 {
        go_on(&engine, &clock, n, &mut moments).await;
    }
    engine.close();
    (dir, moments)
}

async fn go_on(engine: &Embedded, clock: &Arc<ManualClock>, n: u128, moments: &mut Vec<(u64, Books)>) {
    clock.advance(std::time::Duration::from_millis(1));
    let pending = Transfer { flags: TransferFlags::Pending, ..transfer(10 * n + 1, 1, 2, 5) };
    let post = Transfer {
        flags: TransferFlags::PostPendingTransfer,
        pending_id: 10 * n + 1,
        ..transfer(10 * n + 2, 0, 0, n % 5)
    };
    let batch = vec![pending, post, transfer(10 * n + 3, 1, 99, 5), transfer(10 * n + 4, 2, 1, 7)];
    let made = engine.create_transfers(batch).await.unwrap();
    moments.push((made[3].timestamp, everything(engine).await));
}

/// The books of the journal in `dir`, which is copied first: an engine writes.
async fn books(dir: &Path, now: u64) -> Books {
    let copy = tempdir().unwrap();
    for path in ledger::journal::files(dir).unwrap() {
        fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    let clock = Arc::new(ManualClock::new(Timestamp::from_nanos(i64::try_from(now).unwrap())));
    everything(&open_small(copy.path(), &clock)).await
}

fn last_file(dir: &Path) -> PathBuf {
    ledger::journal::files(dir).unwrap().pop().unwrap()
}

/// The sound part of each file, by name.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let files = ledger::journal::files(dir).unwrap();
    let sound = |bytes: &[u8]| {
        let mut at = FILE_HEADER;
        while let Ok(frame) = frame::read(&bytes[at..]) {
            at += frame.bytes.len();
        }
        bytes[..at].to_vec()
    };
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    files.iter().map(|path| (name(path), sound(&fs::read(path).unwrap()))).collect()
}

#[tokio::test]
async fn a_copy_is_the_journal_and_grows_by_what_came_since() {
    let dir = tempdir().unwrap();
    let to = tempdir().unwrap();
    let to = to.path().join("a/b"); // made with the copy
    let clock = clock();
    let engine = open_small(dir.path(), &clock);
    assert!(matches!(backup(dir.path(), &to), Err(BackupError::Empty(_))), "there is nothing to copy");
    engine.create_accounts(vec![account(1), account(2)]).await.unwrap();
    let mut had = 0;
    let mut moments = Vec::new();
    for n in 0..16 {
        go_on(&engine, &clock, n, &mut moments).await;
        let made = backup(dir.path(), &to).unwrap();
        assert_eq!(made.new_frames, if n == 0 { 2 } else { 1 });
        assert_eq!(contents(&to), contents(dir.path()));
        let report = audit::verify(&to).unwrap();
        assert_eq!((report.frames, report.head), (made.reach.frame, made.reach.head));
        assert_eq!(made.reach.timestamp, moments.last().unwrap().0);
        let has: u64 = contents(&to).iter().map(|(_, bytes)| bytes.len() as u64).sum();
        assert_eq!(made.new_bytes, has - had);
        had = has;
        let again = backup(dir.path(), &to).unwrap();
        assert_eq!(again, Backup { new_frames: 0, new_bytes: 0, ..made });
    }
    assert!(contents(&to).len() > 2, "the test crosses from file to file");
}

#[test]
fn a_copy_beside_a_running_writer_holds_what_was_acknowledged_before_it() {
    let (dir, to) = (tempdir().unwrap(), tempdir().unwrap());
    let clock = clock();
    let engine = Arc::new(open_small(dir.path(), &clock));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(engine.create_accounts(vec![account(1), account(2)])).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let newest = Arc::new(std::sync::Mutex::new(0));
    let writer = std::thread::spawn({
        let (engine, done, newest) = (engine.clone(), done.clone(), newest.clone());
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut id = 0;
            while !done.load(Ordering::Acquire) {
                let batch: Vec<_> = (1..=id % 97 + 1).map(|n| transfer(id + n, 1, 2, 1)).collect();
                id += batch.len() as u128;
                let made = runtime.block_on(engine.create_transfers(batch)).unwrap();
                *newest.lock().unwrap() = made.last().unwrap().timestamp;
            }
        }
    });
    let mut frames = 0;
    let mut grew = 0;
    for _ in 0..40 {
        let acknowledged = *newest.lock().unwrap();
        let made = backup(dir.path(), to.path()).unwrap();
        assert!(made.reach.timestamp >= acknowledged, "the copy lacks what was there before it");
        assert!(made.reach.frame >= frames);
        grew += u32::from(made.reach.frame > frames);
        frames = made.reach.frame;
        assert_eq!(audit::verify(to.path()).unwrap().frames, frames);
    }
    done.store(true, Ordering::Release);
    writer.join().unwrap();
    assert!(grew > 10, "the writer was running: {grew}");
    backup(dir.path(), to.path()).unwrap();
    engine.close();
    assert_eq!(contents(to.path()), contents(dir.path()));

    let back = tempdir().unwrap();
    restore(to.path(), back.path(), None).unwrap();
    let report = audit::verify(dir.path()).unwrap();
    let restored = open_small(back.path(), &clock);
    runtime.block_on(report.compare(&restored)).unwrap();
}

#[tokio::test]
async fn a_restored_ledger_is_what_it_was_at_that_moment_and_goes_on() {
    let (dir, moments) = written().await;
    let to = tempdir().unwrap();
    backup(dir.path(), to.path()).unwrap();
    let last = moments.len() - 1;
    for (n, (timestamp, expected)) in moments.iter().enumerate() {
        for until in [*timestamp, *timestamp + 1] {
            let back = tempdir().unwrap();
            let back = back.path().join("ledger");
            let made = restore(to.path(), &back, Some(until)).unwrap();
            assert_eq!((made.reach.frame, made.reach.timestamp), (n as u64 + 1, *timestamp));
            assert_eq!(made.left_out, (last - n) as u64);
            assert_eq!(made.left_out_until, if n == last { 0 } else { moments[last].0 });
            assert_eq!(books(&back, *timestamp).await, *expected);
            let clock = clock();
            let engine = open_small(&back, &clock);
            let more = engine.create_transfers(vec![transfer(1000, 1, 2, 1)]).await.unwrap();
            assert!(more[0].status.is_in_ledger());
            engine.close();
            assert_eq!(audit::verify(&back).unwrap().frames, n as u64 + 2);
        }
    }
    let back = tempdir().unwrap();
    match restore(to.path(), back.path(), Some(moments[0].0 - 1)) {
        Err(BackupError::TooEarly { first }) => assert_eq!(first, moments[0].0),
        other => panic!("{other:?}"),
    }
    // A ledger's directory serves as well as a copy of it.
    let made = restore(dir.path(), back.path(), None).unwrap();
    assert_eq!((made.left_out, made.unfinished_bytes), (0, 0));
    assert_eq!(contents(back.path()), contents(dir.path()));
}

#[tokio::test]
async fn nothing_is_written_over() {
    let (dir, _) = written().await;
    let (to, other) = (tempdir().unwrap(), tempdir().unwrap());
    backup(dir.path(), to.path()).unwrap();
    fs::write(other.path().join("thesis.txt"), "years of work").unwrap();
    assert!(matches!(backup(dir.path(), other.path()), Err(BackupError::NotEmpty(_))));
    assert!(matches!(backup(dir.path(), dir.path()), Err(BackupError::NotEmpty(_))), "onto itself");
    assert!(matches!(restore(to.path(), other.path(), None), Err(BackupError::NotEmpty(_))));
    assert!(matches!(restore(to.path(), dir.path(), None), Err(BackupError::NotEmpty(_))));
    assert!(matches!(restore(to.path(), to.path(), None), Err(BackupError::NotEmpty(_))));
    assert!(matches!(restore(other.path(), tempdir().unwrap().path(), None), Err(BackupError::Empty(_))));
    assert_eq!(fs::read_dir(other.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn one_program_at_a_time_writes_a_copy() {
    let (dir, _) = written().await;
    let to = tempdir().unwrap();
    let before = backup(dir.path(), to.path()).unwrap();
    let held = fs::File::options().write(true).open(to.path().join("yima-backup")).unwrap();
    held.lock().unwrap();
    assert!(matches!(backup(dir.path(), to.path()), Err(BackupError::Busy(_))));
    drop(held);
    assert_eq!(backup(dir.path(), to.path()).unwrap().reach, before.reach);
}

#[tokio::test]
async fn what_a_crash_left_at_the_end_is_not_copied() {
    let (dir, moments) = written().await;
    let frames = moments.len() as u64;
    let file = last_file(dir.path());
    let whole = fs::read(&file).unwrap();
    let mut starts = vec![FILE_HEADER];
    while let Ok(frame) = frame::read(&whole[*starts.last().unwrap()..]) {
        starts.push(starts.last().unwrap() + frame.bytes.len());
    }
    let (start, end) = (starts[starts.len() - 2], starts[starts.len() - 1]);
    let whole = &whole[..end]; // what follows is room
    assert!(starts.len() > 2, "the last file has a frame before the last");
    for torn in (start + 1..end).step_by(7) {
        fs::write(&file, &whole[..torn]).unwrap();
        let to = tempdir().unwrap();
        let made = backup(dir.path(), to.path()).unwrap();
        assert_eq!(made.reach.frame, frames - 1, "torn at {torn}");
        assert_eq!(fs::read(last_file(to.path())).unwrap(), whole[..start]);
        let back = tempdir().unwrap();
        let raw = restore(dir.path(), back.path(), None).unwrap();
        assert_eq!((raw.reach.frame, raw.unfinished_bytes), (frames - 1, (torn - start) as u64));
        // Once the write is finished the copy goes on.
        fs::write(&file, whole).unwrap();
        assert_eq!(backup(dir.path(), to.path()).unwrap().new_frames, 1);
        assert_eq!(contents(to.path()), contents(dir.path()));
    }
    // Room kept for more frames is no frame, and no unfinished one.
    fs::write(&file, [whole, &[0; 5000]].concat()).unwrap();
    let to = tempdir().unwrap();
    assert_eq!(backup(dir.path(), to.path()).unwrap().reach.frame, frames);
    assert_eq!(fs::read(last_file(to.path())).unwrap(), whole);
    let back = tempdir().unwrap();
    assert_eq!(restore(dir.path(), back.path(), None).unwrap().unfinished_bytes, 0);
}

#[tokio::test]
async fn an_interrupted_copy_is_finished_by_the_next() {
    let (dir, _) = written().await;
    let to = tempdir().unwrap();
    backup(dir.path(), to.path()).unwrap();
    let whole = contents(to.path());
    for files in 1..=whole.len() {
        let newest = &whole[files - 1].1;
        for len in [0, 1, FILE_HEADER, FILE_HEADER + 50, newest.len() - 1] {
            for (name, _) in &whole[files..] {
                fs::remove_file(to.path().join(name)).unwrap();
            }
            fs::write(to.path().join(&whole[files - 1].0), &newest[..len]).unwrap();
            assert!(backup(dir.path(), to.path()).unwrap().new_frames > 0);
            assert_eq!(contents(to.path()), whole, "{files} files, {len} bytes of the newest");
        }
    }
}

#[tokio::test]
async fn damage_is_refused_and_named() {
    let (dir, moments) = written().await;
    let good = tempdir().unwrap();
    backup(dir.path(), good.path()).unwrap();
    let mut number = 0;
    for path in ledger::journal::files(dir.path()).unwrap() {
        let bytes = fs::read(&path).unwrap();
        let mut at = FILE_HEADER;
        while let Ok(frame) = frame::read(&bytes[at..]) {
            number += 1;
            let end = at + frame.bytes.len();
            if number == moments.len() as u64 {
                break; // rot in the very last frame cannot be told from an unfinished write
            }
            for flipped in (at..end).step_by(23) {
                let mut rotten = bytes.clone();
                rotten[flipped] ^= 0x10;
                fs::write(&path, &rotten).unwrap();
                let (to, back) = (tempdir().unwrap(), tempdir().unwrap());
                for result in [
                    backup(dir.path(), to.path()).map(|_| ()),
                    restore(dir.path(), back.path(), None).map(|_| ()),
                ] {
                    match result {
                        Err(BackupError::Journal(JournalError::Damaged { frame, offset, .. })) => {
                            assert_eq!((frame, offset), (number, at as u64), "byte {flipped}");
                        }
                        other => panic!("byte {flipped} of frame {number}: {other:?}"),
                    }
                }
                let left = ledger::journal::files(back.path()).unwrap();
                assert!(left.is_empty(), "nothing half restored can be opened");
            }
            at = end;
        }
        fs::write(&path, &bytes).unwrap();
    }
    // The same in the copy's newest file, which the next copy reads again, and in a header.
    let newest = last_file(good.path());
    for flipped in [20, FILE_HEADER + 20] {
        let sound = fs::read(&newest).unwrap();
        let mut rotten = sound.clone();
        rotten[flipped] ^= 1;
        fs::write(&newest, &rotten).unwrap();
        let result = restore(good.path(), tempdir().unwrap().path(), None);
        assert!(matches!(result, Err(BackupError::Journal(_))), "byte {flipped}: {result:?}");
        fs::write(&newest, &sound).unwrap();
    }
    let missing = ledger::journal::files(good.path()).unwrap().remove(0);
    fs::remove_file(missing).unwrap();
    assert!(restore(good.path(), tempdir().unwrap().path(), None).is_err());
    assert!(matches!(backup(dir.path(), good.path()), Err(BackupError::Diverged { .. })));
}

#[tokio::test]
async fn a_copy_of_another_history_is_left_alone() {
    let (dir, moments) = written().await;
    let to = tempdir().unwrap();
    backup(dir.path(), to.path()).unwrap();
    let kept = contents(to.path());
    // A ledger that went back to an earlier moment: shorter first, then another way on.
    for n in [moments.len() - 2, 1] {
        let back = tempdir().unwrap();
        restore(to.path(), back.path(), Some(moments[n].0)).unwrap();
        assert!(matches!(backup(back.path(), to.path()), Err(BackupError::Diverged { .. })), "shorter");
        let clock = clock();
        let engine = open_small(back.path(), &clock);
        for id in 1000..1100 {
            engine.create_transfers(vec![transfer(id, 1, 2, 1)]).await.unwrap();
        }
        drop(engine);
        assert!(matches!(backup(back.path(), to.path()), Err(BackupError::Diverged { .. })), "another way");
        assert_eq!(contents(to.path()), kept);
    }
}
