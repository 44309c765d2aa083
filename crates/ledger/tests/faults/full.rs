//! Opening on a disk that is full to the last byte: what is there is shown, what is asked for is refused by name, and
//! with room it goes on where it was.

use std::sync::Arc;

use kernel::{ManualClock, Timestamp};
use ledger::disk::Disk;
use ledger::journal::{file_name, walk_from};
use ledger::{
    Account, AccountBalance, AccountFilter, AccountFilterFlags, AccountFlags, CreateTransferStatus,
    EngineError, Inline, OpenError, Options, QueryFilter, Recovery, Transfer,
};

use crate::sim::{Faults, SimDisk};

const FULL: Faults = Faults { read: 0, write: 0, sync: 0, short: 0, full: true };

fn open(disk: &SimDisk) -> Result<(Inline, Recovery), OpenError> {
    let clock = Arc::new(ManualClock::new(Timestamp::from_nanos(1_000_000_000)));
    let options = Options { file_bytes: 2048, merge: 2, snapshot_bytes: 8192 };
    Inline::open(Arc::new(disk.clone()), clock, options)
}

fn pay(engine: &mut Inline, id: u128) -> Result<CreateTransferStatus, EngineError> {
    let (debit_account_id, credit_account_id) = (1, 2);
    let t = Transfer {
        id,
        debit_account_id,
        credit_account_id,
        amount: 1,
        ledger: 1,
        code: 1,
        ..Transfer::default()
    };
    let results = engine.create_transfers(&[t])?;
    engine.sync()?;
    Ok(results[0].status)
}

/// Everything: accounts, transfers, the balances of the first account after each of them.
type Shown = (Vec<Account>, Vec<Transfer>, Vec<AccountBalance>);

fn everything(engine: &Inline) -> Shown {
    let all = QueryFilter { limit: 8189, ..QueryFilter::default() };
    let flags = AccountFilterFlags::Debits | AccountFilterFlags::Credits;
    let of = AccountFilter { account_id: 1, limit: 8189, flags, ..AccountFilter::default() };
    (
        engine.query_accounts(all).unwrap(),
        engine.query_transfers(all).unwrap(),
        engine.get_account_balances(of).unwrap(),
    )
}

/// A disk with so many transfers, and what they show; the process that wrote them was killed.
fn written(transfers: u128) -> (SimDisk, Shown) {
    let disk = SimDisk::new(1);
    let (mut engine, _) = open(&disk).unwrap();
    let account = |id| Account { id, ledger: 1, code: 1, flags: AccountFlags::History, ..Account::default() };
    engine.create_accounts(&[account(1), account(2)]).unwrap();
    for id in 1..=transfers {
        assert_eq!(pay(&mut engine, id), Ok(CreateTransferStatus::Created));
        engine.tidy().unwrap();
    }
    let shown = everything(&engine);
    assert_eq!((shown.1.len() as u128, shown.2.len() as u128), (transfers, transfers));
    (disk.kill(), shown)
}

fn names(disk: &SimDisk, prefix: &str) -> Vec<String> {
    disk.files().into_iter().map(|(name, _)| name).filter(|name| name.starts_with(prefix)).collect()
}

/// Opens on the full disk, twice; then room is made under the open engine.
fn opens_full(disk: SimDisk, shown: &Shown, torn: Option<u64>) {
    disk.set_faults(FULL);
    let (engine, recovery) = open(&disk).unwrap();
    assert_eq!(recovery.torn.map(|torn| torn.bytes), torn);
    assert_eq!(everything(&engine), *shown);
    drop(engine);

    let disk = disk.kill();
    disk.set_faults(FULL);
    let (mut engine, recovery) = open(&disk).unwrap();
    assert_eq!(recovery.torn.map(|torn| torn.bytes), torn);
    // What has room in the segment there is may be written; then all is refused.
    let mut next = shown.1.len() as u128 + 1;
    while pay(&mut engine, next) == Ok(CreateTransferStatus::Created) {
        assert_eq!(torn, None, "written behind an unfinished write");
        next += 1;
    }
    let before = everything(&engine);
    for _ in 0..3 {
        assert_eq!(pay(&mut engine, next), Err(EngineError::NoSpace));
        assert!(!engine.tidy().unwrap());
    }
    assert!(!engine.has_room());
    assert_eq!(everything(&engine), before);
    assert_eq!(names(&disk, "torn-"), Vec::<String>::new(), "what has no room is not left half done");

    disk.set_faults(Faults::default());
    for _ in 0..40 {
        assert_eq!(pay(&mut engine, next), Ok(CreateTransferStatus::Created));
        next += 1;
    }
    while engine.tidy().unwrap() {}
    assert!(engine.has_room());
    let shown = everything(&engine);
    assert_eq!(shown.1.iter().map(|t| t.id).collect::<Vec<_>>(), (1..next).collect::<Vec<_>>());
    drop(engine);
    for disk in [disk.crash(), disk.kill()] {
        let kept = disk.files().into_iter().find(|(name, _)| name.starts_with("torn-"));
        assert_eq!(kept.map(|(_, bytes)| bytes), torn.map(|_| vec![7; 200]));
        let (engine, recovery) = open(&disk).unwrap();
        assert_eq!(recovery.torn, None);
        assert_eq!(everything(&engine), shown);
    }
}

#[test]
fn an_unfinished_write_is_cut_when_there_is_room() {
    for transfers in [3, 25] {
        let (disk, shown) = written(transfers);
        let end = walk_from(&disk, 1, |_| Ok(())).unwrap();
        let journal = disk.open(&file_name(end.segment)).unwrap();
        journal.write_at(&[7; 200], end.bytes).unwrap();
        journal.sync().unwrap();
        opens_full(disk, &shown, Some(200));
    }
}

#[test]
fn what_has_no_room_for_its_index_is_read_from_memory() {
    // None, some and all of the indexes are lost, and the snapshots with them.
    for keep in [0, 1, 2, 100] {
        let (disk, shown) = written(100);
        let lost = names(&disk, "index-").into_iter().skip(keep).chain(names(&disk, "snapshot-"));
        lost.for_each(|name| disk.remove(&name).unwrap());
        disk.sync_names().unwrap();
        opens_full(disk, &shown, None);
    }
}

#[test]
fn no_more_is_taken_into_memory_than_a_crash_can_leave() {
    let (disk, shown) = written(600);
    let derived = names(&disk, "index-").into_iter().chain(names(&disk, "snapshot-"));
    derived.for_each(|name| disk.remove(&name).unwrap());
    disk.sync_names().unwrap();
    disk.set_faults(FULL);
    assert!(names(&disk, "journal-").len() > 33);
    match open(&disk) {
        Err(OpenError::Io(_, e)) => assert_eq!(e.kind(), std::io::ErrorKind::StorageFull),
        other => panic!("{other:?}"),
    }
    let disk = disk.kill();
    assert_eq!(everything(&open(&disk).unwrap().0), shown);
}
