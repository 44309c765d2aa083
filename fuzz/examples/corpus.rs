//! Writes the seeds of the corpora from journals that an engine wrote: `cargo run --example corpus`.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kernel::{ManualClock, Timestamp};
use ledger::frame::{self, FILE_HEADER};
use ledger::{Account, AccountFlags as A, Embedded, Engine, Transfer, TransferFlags as F, journal};

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
