//! How fast a file becomes payable bills. Run by hand: `cargo test --release -p city --test bill speed -- --ignored --nocapture`.

use std::io::Write as _;
use std::time::Instant;

use city::bill;

use crate::common::Town;
use crate::support::shipped;

/// The account of `hz-power` with this number in its middle, Luhn digit at its end.
pub fn account(n: u64) -> String {
    let body = format!("33{n:07}");
    let sum: u64 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, c)| match (i % 2, u64::from(c - b'0')) {
            (1, d) => d,
            (_, d) if d > 4 => d * 2 - 9,
            (_, d) => d * 2,
        })
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes half a minute and a quiet machine"]
async fn two_million_rows() {
    let rows = 2_000_000u64;
    let town = Town::new().await;
    let path = town.dir.path().join("bills.txt");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    writeln!(file, "户号|账单号|户名|账期|金额|缴费截止日").unwrap();
    let mut sum = 0;
    for i in 0..rows {
        // In no order of accounts, five accounts with two bills in ten: the index's worst case.
        let (account, fen) = (account(i.wrapping_mul(7_368_787) % 10_000_000), 100 + i % 90_000);
        sum += fen;
        let yuan = format!("{}.{:02}", fen / 100, fen % 100);
        writeln!(file, "{account}|HD{i:010}|王小明|202602|{yuan}|2026-03-25").unwrap();
    }
    writeln!(file, "TOTAL|{rows}|{}.{:02}", sum / 100, sum % 100).unwrap();
    file.flush().unwrap();
    drop(file);

    let start = Instant::now();
    let first = std::sync::Mutex::new(None);
    let done = bill::import_path(&town.city, shipped("330100/hz-power").biller, &path, "bills.txt", |_| {
        first.lock().unwrap().get_or_insert_with(|| start.elapsed());
    });
    let done = done.await.unwrap();
    let took = start.elapsed();
    assert_eq!((done.added, done.refused), (rows, 0));
    let survey = first.lock().unwrap().unwrap();
    let rate = u128::from(rows) * 1_000_000 / took.as_micros();
    println!("import: {rows} rows, first pass {survey:.1?}, all {took:.1?}, {rate} rows/s");
}
