//! Writes the seeds of the corpora from journals that an engine wrote: `cargo run --example corpus`.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kernel::{ManualClock, Timestamp};
use ledger::frame::{self, FILE_HEADER};
use ledger::{
    Account, AccountFlags as A, Embedded, Engine, Inline, Options, Transfer, TransferFlags as F, index,
    journal, snapshot,
};
use yima_fuzz::disk::Memory;
use yima_fuzz::{files, pages};

fn main() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let dir = yima_fuzz::directory("corpus");
    write_journal(&dir);
    let file = journal::files(&dir).expect("there is a journal").remove(0);
    let bytes = fs::read(file).expect("it can be read");
    let mut end = FILE_HEADER;
    let mut count = 0;
    while let Ok(frame) = frame::read(&bytes[end..]) {
        count += 1;
        // The first byte says what to make right: nothing, and checksums.
        for repair in 0..2 {
            let seed = [&[repair], frame.bytes].concat();
            fs::write(seeds.join(format!("frame/{count:02}-{repair}")), seed).expect("it can be written");
        }
        end += frame.bytes.len();
        for repair in [0, 2] {
            let seed = [&[repair], &bytes[..end]].concat();
            fs::write(seeds.join(format!("segment/{count:02}-{repair}")), seed).expect("it can be written");
        }
    }
    for (name, seed) in [
        ("empty", &[0][..]),
        ("header", &[&[0], &bytes[..FILE_HEADER]].concat()),
        ("torn", &[&[0], &bytes[..end - 20]].concat()),
        ("zeros", &[&[0], &bytes[..end], &[0; 64]].concat()),
    ] {
        fs::write(seeds.join(format!("segment/{name}")), seed).expect("it can be written");
    }
    fs::remove_dir_all(dir).expect("the journal can be removed");
    println!("{count} frames");
    write_ledgers(&seeds);
}

/// Whole ledgers with snapshot and indexes: all files together, and each index and snapshot alone.
fn write_ledgers(seeds: &Path) {
    let put = |target: &str, name: &str, seed: Vec<u8>| {
        let dir = seeds.join(target);
        fs::create_dir_all(&dir).expect("it can be made");
        fs::write(dir.join(name), seed).expect("it can be written");
    };
    // Short ones; and one whose index has tables of several pages.
    for (name, batches, each, options) in [
        ("empty", 0, 0, Options { file_bytes: 2048, merge: 2, snapshot_bytes: 8192 }),
        ("one", 1, 4, Options { file_bytes: 2048, merge: 2, snapshot_bytes: 8192 }),
        ("few", 6, 5, Options { file_bytes: 2048, merge: 2, snapshot_bytes: 8192 }),
        ("merged", 14, 5, Options { file_bytes: 2048, merge: 2, snapshot_bytes: 8192 }),
        ("long", 2, 200, Options { file_bytes: 48 << 10, merge: 2, snapshot_bytes: 1 << 20 }),
    ] {
        let disk = write_disk(batches, each, options);
        for (file, bytes) in disk.files() {
            if let Some((first, _)) = index::covers(&file) {
                let segment = disk.files().into_iter().find(|(n, _)| *n == journal::file_name(first));
                let segment = segment.expect("what an index covers is there").1;
                let packed = pages::pack(&bytes);
                let length = u16::try_from(packed.len()).expect("it is small").to_le_bytes();
                // Behind the sound bytes there is room only.
                let end = segment.iter().rposition(|b| *b != 0).map_or(0, |last| (last / 16 + 1) * 16);
                for mode in [2, 130] {
                    let seed = [&[mode], &length[..], &packed, &segment[..end]].concat();
                    put("index", &format!("{name}-{first}-{mode}"), seed);
                }
            } else if snapshot::segment(&file).is_some() {
                put("snapshot", &format!("{name}-2"), [&[2], &pages::pack(&bytes)[..]].concat());
                if name == "one" {
                    put("snapshot", &format!("{name}-0"), [&[0], &bytes[..]].concat());
                }
            }
        }
        if name != "long" {
            put("open", &format!("{name}-2"), files::pack_disk(&disk, 2));
        }
    }
}

/// A ledger with so many batches of so many transfers of every kind, closed.
fn write_disk(batches: u64, each: u64, options: Options) -> Memory {
    let disk = Memory::default();
    let clock = Arc::new(ManualClock::new(Timestamp::from_nanos(1_700_000_000_000_000_000)));
    let mut engine = Inline::open(Arc::new(disk.clone()), clock.clone(), options).expect("it opens").0;
    let account = |id, flags| Account { id, flags, ledger: 156, code: 1, ..Account::default() };
    let accounts = [account(1, A::History), account(2, A::empty()), account(3, A::History)];
    engine.create_accounts(&accounts).expect("the engine answers");
    for batch in 0..batches {
        let transfers: Vec<Transfer> = (0..each)
            .map(|n| {
                let id = u128::from(100 * batch + n + 1);
                let accounts = Transfer {
                    debit_account_id: 1 + id % 3,
                    credit_account_id: 1 + (id + 1) % 3,
                    ..Transfer::default()
                };
                let plain =
                    Transfer { id, amount: 10, ledger: 156, code: 1, user_data_64: n % 4 * 8, ..accounts };
                match n % 5 {
                    1 => Transfer { flags: F::Pending, timeout: 1, user_data_128: 7, ..plain },
                    2 => Transfer { flags: F::Pending, ..plain },
                    3 => Transfer {
                        id,
                        pending_id: id - 1,
                        flags: F::PostPendingTransfer,
                        amount: 5,
                        ..Transfer::default()
                    },
                    4 if batch % 2 == 1 => Transfer { debit_account_id: 99, ..plain },
                    _ => plain,
                }
            })
            .collect();
        engine.create_transfers(&transfers).expect("the engine answers");
        engine.sync().expect("the disk does not fail");
        clock.advance(Duration::from_secs(1));
        while engine.tidy().expect("the disk does not fail") {}
    }
    engine.close().expect("the disk does not fail");
    disk
}

/// Every kind of record, of account and of transfer.
fn write_journal(dir: &Path) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_nanos(1_700_000_000_000_000_000)));
    let (engine, _) = Embedded::open(dir, clock.clone()).expect("the ledger opens");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
    let account = |id, flags| Account { id, flags, ledger: 156, code: 1, ..Account::default() };
    let accounts = vec![
        account(1, A::Linked),
        account(2, A::History),
        account(3, A::DebitsMustNotExceedCredits),
        account(4, A::CreditsMustNotExceedDebits),
    ];
    let transfer = |id, debit_account_id, credit_account_id, flags| {
        let accounts = Transfer { debit_account_id, credit_account_id, ..Transfer::default() };
        Transfer { id, amount: 100, ledger: 156, code: 1, flags, ..accounts }
    };
    let resolve =
        |id, pending_id, flags, amount| Transfer { id, pending_id, flags, amount, ..Transfer::default() };
    let batches = [
        vec![transfer(10, 1, 2, F::empty()), transfer(11, 1, 3, F::Linked), transfer(12, 3, 2, F::empty())],
        vec![
            transfer(20, 1, 2, F::Pending),
            Transfer { timeout: 1, ..transfer(21, 1, 2, F::Pending) },
            transfer(22, 1, 2, F::Pending | F::ClosingDebit),
        ],
        vec![resolve(30, 20, F::PostPendingTransfer, 60), resolve(31, 22, F::VoidPendingTransfer, 0)],
        vec![transfer(40, 1, 99, F::empty()), transfer(41, 3, 1, F::empty())],
        vec![Transfer {
            user_data_128: 7,
            user_data_64: 8,
            user_data_32: 9,
            ..transfer(50, 2, 1, F::BalancingCredit)
        }],
    ];
    runtime.block_on(engine.create_accounts(accounts)).expect("the engine answers");
    for batch in batches {
        runtime.block_on(engine.create_transfers(batch)).expect("the engine answers");
        clock.advance(Duration::from_secs(1));
    }
    engine.close();
}
