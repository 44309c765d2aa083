//! A journal file, read by everything that reads one: the walk that opens a ledger, the auditor, the copier, and
//! the engine. None panics; they agree on what is damaged; what the auditor accepts, the engine opens with
//! the auditor's balances.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use ledger::backup::{BackupError, restore};
use ledger::{audit, journal};
use libfuzzer_sys::fuzz_target;
use yima_fuzz::{FIRST, Repair, directory, mend, open};

static DIR: LazyLock<PathBuf> = LazyLock::new(|| directory("segment"));

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let mut bytes = rest.to_vec();
    mend(&mut bytes, Repair::by(*first));
    let (dir, copy) = (DIR.as_path(), DIR.join("copy"));
    let _ = std::fs::remove_dir_all(&copy); // it may not be there
    for entry in std::fs::read_dir(dir).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap(); // also snapshots and indexes of the one before
    }
    std::fs::write(dir.join(&FIRST.0), &bytes).unwrap();

    let mut records = 0;
    let walked = journal::walk(dir, |frame| {
        records += frame.records()?.len() as u64;
        Ok(())
    });
    let audited = audit::verify(dir);
    let copied = restore(dir, &copy, None);
    let Ok(end) = walked else {
        let nothing = audited.is_err() || audited.is_ok_and(|report| report.frames == 0);
        assert!(nothing, "the walk finds damage, the auditor none");
        assert!(copied.is_err(), "the walk finds damage, the copier none");
        return;
    };
    assert_eq!(end.recovery.records, records);
    match copied {
        Ok(copied) => assert_eq!((copied.reach.frame, copied.reach.head), (end.frame, end.head)),
        Err(BackupError::Empty(_)) => assert_eq!(end.frame, 0),
        Err(e) => panic!("the walk reads what the copier refuses: {e}"),
    }
    let Ok(report) = audited else { return };
    assert_eq!((report.frames, report.head), (end.frame, end.head));
    let engine = open(dir).expect("what the auditor accepts the engine opens");
    if report.pending == 0 {
        // Nothing can expire meanwhile.
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(report.compare(&engine)).unwrap();
    }
});
