//! Measures the embedded engine on this machine: `cargo run --release -p ledger --example measure [DIR]`.
//!
//! Two loads: one caller with full batches, and 1,000 callers each waiting for its own chain of four. Prints
//! one line each, and what reopening and auditing such a ledger takes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::SystemClock;
use ledger::{Account, BATCH_MAX, Embedded, Ledger, Transfer, TransferFlags};

const ACCOUNTS: u128 = 20_000;
const CALLERS: u128 = 1_000;

fn transfer(id: u128) -> Transfer {
    let (debit, credit) = (1 + id % ACCOUNTS, 1 + (id * 7 + 1) % ACCOUNTS);
    let credit = if credit == debit { 1 + credit % ACCOUNTS } else { credit };
    let sides = Transfer { debit_account_id: debit, credit_account_id: credit, ..Transfer::default() };
    Transfer { id, amount: 1, user_data_128: id / 4 + 1, ledger: 156, code: 1, ..sides }
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let dir =
        std::env::args_os().nth(1).map_or_else(|| std::env::temp_dir().join("ledger-measure"), PathBuf::from);
    let (engine, _) = Embedded::open(&dir, Arc::new(SystemClock)).expect("an empty directory");
    let engine: Ledger = Arc::new(engine);
    let ids: Vec<u128> = (1..=ACCOUNTS).collect();
    for chunk in ids.chunks(BATCH_MAX) {
        let accounts = chunk.iter().map(|id| Account { id: *id, ledger: 156, code: 1, ..Account::default() });
        engine.create_accounts(accounts.collect()).await.expect("created");
    }

    let batch = BATCH_MAX as u128;
    let started = Instant::now();
    for n in 0..100 {
        let events = (n * batch + 1..=(n + 1) * batch).map(transfer).collect();
        let results = engine.create_transfers(events).await.expect("created");
        assert!(results.iter().all(|r| r.status.is_in_ledger()));
    }
    report("batches of 8,189, one caller", 100 * batch, started.elapsed(), &mut []);

    let started = Instant::now();
    let tasks: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let engine = engine.clone();
            tokio::spawn(async move {
                let mut times = Vec::new();
                for n in 0..100 {
                    let first = (1 << 64) + (caller << 32) + n * 4;
                    let mut chain: Vec<Transfer> = (first..first + 4).map(transfer).collect();
                    chain[..3].iter_mut().for_each(|t| t.flags = TransferFlags::Linked);
                    let asked = Instant::now();
                    let results = engine.create_transfers(chain).await.expect("created");
                    times.push(asked.elapsed());
                    assert!(results.iter().all(|r| r.status.is_in_ledger()));
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("no panic"));
    }
    report("chains of 4, 1,000 callers", CALLERS * 400, started.elapsed(), &mut times);

    let started = Instant::now();
    let mut times = Vec::new();
    for n in 0..1000 {
        let asked = Instant::now();
        engine.create_transfers(vec![transfer((1 << 96) + n)]).await.expect("created");
        times.push(asked.elapsed());
    }
    report("single transfers, one caller", 1000, started.elapsed(), &mut times);

    drop(engine);
    let started = Instant::now();
    let (_, recovery) = Embedded::open(&dir, Arc::new(SystemClock)).expect("reopens");
    report("reopening", recovery.records.into(), started.elapsed(), &mut []);
    let started = Instant::now();
    let audit = ledger::audit::verify(&dir).expect("the books hold");
    report("audit", audit.transfers.into(), started.elapsed(), &mut []);
}

fn report(what: &str, count: u128, elapsed: Duration, times: &mut [Duration]) {
    times.sort_unstable();
    let micros = elapsed.as_micros().max(1);
    print!("{what}: {} transfers/s ({count} in {elapsed:.2?})", count * 1_000_000 / micros);
    if let Some(last) = times.len().checked_sub(1) {
        print!(", p50 {:.2?}, p99 {:.2?}", times[last / 2], times[last * 99 / 100]);
    }
    println!();
}
