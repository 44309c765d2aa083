//! The simulated disk held to its own contract: what it must keep, what it may lose, and that it does lose it.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use ledger::disk::Disk;

use crate::sim::{Faults, SECTOR, SimDisk};

fn bytes(disk: &SimDisk, name: &str) -> Option<Vec<u8>> {
    disk.files().into_iter().find(|(n, _)| n == name).map(|(_, bytes)| bytes)
}

/// The different outcomes of a crash over many seeds.
fn outcomes<T: Ord>(prepare: impl Fn(&SimDisk), found: impl Fn(&SimDisk) -> T) -> BTreeSet<T> {
    let each = |seed| {
        let disk = SimDisk::new(seed);
        prepare(&disk);
        found(&disk.crash())
    };
    (0..400).map(each).collect()
}

/// A durable file of two sectors of ones.
fn ones(disk: &SimDisk) -> Box<dyn ledger::disk::DiskFile> {
    let file = disk.create("f").unwrap();
    file.write_at(&[1; 2 * SECTOR], 0).unwrap();
    file.sync().unwrap();
    disk.sync_names().unwrap();
    file
}

#[test]
fn what_was_synced_survives() {
    let found = outcomes(|disk| drop(ones(disk)), |disk| bytes(disk, "f"));
    assert_eq!(found, BTreeSet::from([Some(vec![1; 2 * SECTOR])]));
}

#[test]
fn a_name_survives_only_its_own_sync() {
    let unsynced = |disk: &SimDisk| {
        let file = disk.create("f").unwrap();
        file.write_at(b"bytes", 0).unwrap();
        file.sync().unwrap();
    };
    let found = outcomes(unsynced, |disk| bytes(disk, "f"));
    assert_eq!(found, BTreeSet::from([None, Some(b"bytes".to_vec())]));
}

#[test]
fn sectors_are_kept_and_lost_each_for_itself_and_may_tear() {
    let write = |disk: &SimDisk| ones(disk).write_at(&[2; 2 * SECTOR], 0).unwrap();
    let found = outcomes(write, |disk| {
        let b = bytes(disk, "f").unwrap();
        let sector = |b: &[u8]| match () {
            () if b.iter().all(|b| *b == 1) => "old",
            () if b.iter().all(|b| *b == 2) => "new",
            () => "torn",
        };
        (sector(&b[..SECTOR]), sector(&b[SECTOR..]))
    });
    for first in ["old", "new", "torn"] {
        for second in ["old", "new"] {
            assert!(found.contains(&(first, second)), "{first}, {second} of {found:?}");
        }
    }
}

#[test]
fn lengths_are_kept_or_lost_apart_from_the_bytes() {
    let grow = |disk: &SimDisk| {
        let file = ones(disk);
        file.reserve(4 * SECTOR as u64).unwrap();
        file.write_at(&[2; SECTOR], 2 * SECTOR as u64).unwrap();
    };
    let found = outcomes(grow, |disk| {
        let b = bytes(disk, "f").unwrap();
        assert_eq!(b[..2 * SECTOR], [1; 2 * SECTOR]);
        (b.len() / SECTOR, b.get(2 * SECTOR).copied())
    });
    for expected in [(2, None), (3, Some(2)), (3, Some(0)), (4, Some(0)), (4, Some(2))] {
        assert!(found.contains(&expected), "{expected:?} of {found:?}");
    }
    let shrink = |disk: &SimDisk| ones(disk).set_size(5).unwrap();
    assert_eq!(outcomes(shrink, |disk| bytes(disk, "f").unwrap().len()), BTreeSet::from([5, 2 * SECTOR]));
}

#[test]
fn a_rename_of_unsynced_bytes_may_leave_the_new_name_with_none_of_them() {
    let replace = |disk: &SimDisk| {
        ones(disk);
        disk.create("new").unwrap().write_at(b"new", 0).unwrap();
        disk.rename("new", "f").unwrap();
        disk.sync_names().unwrap();
    };
    let found = outcomes(replace, |disk| (bytes(disk, "f").unwrap(), bytes(disk, "new")));
    assert!(found.contains(&(Vec::new(), None)) && found.contains(&(b"new".to_vec(), None)), "{found:?}");
    assert!(found.iter().all(|(f, new)| f.len() <= 3 && new.is_none()), "{found:?}");
}

#[test]
fn a_rename_not_synced_leaves_one_name_or_the_other() {
    let rename = |disk: &SimDisk| {
        ones(disk);
        disk.rename("f", "g").unwrap();
    };
    let found = outcomes(rename, |disk| disk.list().unwrap());
    assert_eq!(found, BTreeSet::from([vec!["f".to_owned()], vec!["g".to_owned()]]));
    let remove = |disk: &SimDisk| {
        ones(disk);
        disk.remove("f").unwrap();
    };
    assert_eq!(outcomes(remove, |disk| disk.list().unwrap().len()), BTreeSet::from([0, 1]));
}

#[test]
fn a_removed_file_can_still_be_read_by_who_has_it_open() {
    let disk = SimDisk::new(1);
    let file = ones(&disk);
    disk.remove("f").unwrap();
    let mut buffer = [0; 3];
    file.read_exact_at(&mut buffer, 0).unwrap();
    assert_eq!(buffer, [1; 3]);
    assert_eq!(disk.open("f").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn after_a_failed_sync_the_pages_count_as_clean_and_may_be_lost() {
    let fail = |disk: &SimDisk| {
        let file = ones(disk);
        file.write_at(&[2; 8], 0).unwrap();
        disk.set_faults(Faults { sync: 1000, ..Faults::default() });
        file.sync().unwrap_err();
        disk.set_faults(Faults::default());
        file.sync().unwrap();
        let mut seen = [0; 8];
        file.read_exact_at(&mut seen, 0).unwrap();
        assert_eq!(seen, [2; 8]);
        assert_eq!((disk.met().sync_errors, disk.met().syncs_after_error), (1, 1));
    };
    let found = outcomes(fail, |disk| bytes(disk, "f").unwrap()[0]);
    assert!(found.is_superset(&BTreeSet::from([1, 2])), "{found:?}");
}

#[test]
fn a_full_disk_takes_what_was_reserved_and_nothing_more() {
    let disk = SimDisk::new(1);
    let file = disk.create("f").unwrap();
    file.reserve(100).unwrap();
    disk.set_faults(Faults { full: true, ..Faults::default() });
    file.write_at(&[1; 100], 0).unwrap();
    let full = |result: std::io::Result<()>| assert_eq!(result.unwrap_err().kind(), ErrorKind::StorageFull);
    full(file.write_at(&[2; 60], 50));
    full(file.reserve(200));
    full(disk.create("g").map(drop));
    assert_eq!(file.size().unwrap(), 100);
    file.sync().unwrap();
    disk.set_faults(Faults::default());
    file.write_at(&[2; 60], 50).unwrap();
    assert_eq!(disk.met().no_space, 3);
}

#[test]
fn reads_may_be_short_and_may_fail_but_never_lie() {
    let disk = SimDisk::new(1);
    let file = ones(&disk);
    disk.set_faults(Faults { short: 900, ..Faults::default() });
    let mut buffer = [0; 700];
    file.read_exact_at(&mut buffer, 100).unwrap();
    assert_eq!(buffer, [1; 700]);
    assert!(disk.met().short_reads > 0);
    assert_eq!(file.read_exact_at(&mut buffer, 400).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    disk.set_faults(Faults { read: 1000, ..Faults::default() });
    file.read_at(&mut buffer, 0).unwrap_err();
}

#[test]
fn a_failed_write_is_done_in_part() {
    let disk = SimDisk::new(1);
    let file = ones(&disk);
    disk.set_faults(Faults { write: 1000, ..Faults::default() });
    file.write_at(&[2; SECTOR], 0).unwrap_err();
    let now = bytes(&disk, "f").unwrap();
    assert_eq!((now[0], now[SECTOR - 1]), (2, 1));
}

#[test]
fn when_the_power_is_gone_nothing_works() {
    let disk = SimDisk::new(1);
    let file = ones(&disk);
    disk.crash_after(1);
    file.size().unwrap();
    file.sync().unwrap_err();
    assert!(disk.crashed());
    file.write_at(b"x", 0).unwrap_err();
    disk.list().unwrap_err();
    let found = disk.crash();
    assert!(!found.crashed());
    assert_eq!(found.open("f").unwrap().size().unwrap(), 2 * SECTOR as u64);
}

#[test]
fn a_killed_process_leaves_its_writes_to_the_next_and_to_the_next_crash() {
    let write = |disk: &SimDisk| ones(disk).write_at(&[2; 8], 0).unwrap();
    let disk = SimDisk::new(1);
    write(&disk);
    let next = disk.kill();
    assert!(disk.crashed());
    assert_eq!(bytes(&next, "f").unwrap()[..8], [2; 8]);
    let again = |seed| {
        let disk = SimDisk::new(seed);
        write(&disk);
        bytes(&disk.kill().crash(), "f").unwrap()[0]
    };
    let found: BTreeSet<u8> = (0..200).map(again).collect();
    assert!(found.is_superset(&BTreeSet::from([1, 2])), "{found:?}");
    // Unless the next one syncs.
    let synced = |seed| {
        let disk = SimDisk::new(seed);
        write(&disk);
        let next = disk.kill();
        next.open("f").unwrap().sync().unwrap();
        bytes(&next.crash(), "f").unwrap()[0]
    };
    assert_eq!((0..200).map(synced).collect::<BTreeSet<_>>(), BTreeSet::from([2]));
}

#[test]
fn rot_turns_what_is_seen_and_what_survives_and_a_fork_keeps_it_out() {
    let disk = SimDisk::new(1);
    ones(&disk);
    let copy = disk.fork();
    disk.rot("f", 3, &[0x80]);
    assert_eq!(bytes(&disk, "f").unwrap()[3], 0x81);
    assert_eq!(bytes(&disk.crash(), "f").unwrap()[3], 0x81);
    assert_eq!(bytes(&copy, "f").unwrap()[3], 1);
}
