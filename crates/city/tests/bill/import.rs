//! import: a malformed file is refused whole, a bad row alone, the same file twice changes nothing,
//! a cut is resumed.

use std::fmt::Write as _;

use city::bill::{self, Standing};
use city::identity::{Biller, Role};

use crate::common::{Town, code};
use crate::support::{POWER, import, packs_dir, power_file, shipped};

const HEADER: &str = "户号|账单号|户名|账期|金额|缴费截止日\n";

#[tokio::test]
async fn every_shipped_sample_is_taken_in() {
    let town = Town::new().await;
    let samples = [
        ("330100/hz-power", "330100/samples/hz-power-202602.txt", 42),
        ("330100/hz-water", "330100/samples/hz-water-202602.dat", 38),
        ("330100/hz-gas", "330100/samples/hz-gas-202602.csv", 38),
        ("330100/hz-traffic", "330100/samples/hz-traffic-202602.dat", 36),
        ("310100/sh-power", "310100/samples/sh-power-202602.txt", 42),
        ("310100/sh-water", "310100/samples/sh-water-202602.dat", 38),
        ("310100/sh-broadband", "310100/samples/sh-broadband-202602.csv", 38),
        ("310100/sh-property", "310100/samples/sh-property-202602.txt", 38),
    ];
    for (pack, sample, rows) in samples {
        let biller = shipped(pack).biller;
        let path = packs_dir().join(sample);
        let done = bill::import_path(&town.city, biller, &path, sample, |_| {}).await.unwrap();
        let errors = bill::row_errors(&town.city, done.id, 0, 200).await.unwrap();
        assert_eq!((done.records, done.added, done.refused), (rows, rows, 0), "{sample}: {errors:?}");
        assert!(done.finished_at.is_some());
    }
}

#[tokio::test]
async fn a_malformed_file_is_refused_whole() {
    let town = Town::new().await;
    let biller = shipped("330100/hz-power").biller;
    let good = format!("{}|B1|王|202602|1.00|2026-03-25\n", POWER[0]);
    let long = format!("{}|B1|{}|202602|1.00|2026-03-25\n", POWER[0], "王".repeat(2_000));
    let files: &[(Vec<u8>, &str)] = &[
        (Vec::new(), "file_totals_missing"),
        (HEADER.into(), "file_totals_missing"),
        (format!("{HEADER}{good}").into(), "file_totals_missing"),
        (format!("{HEADER}{good}TOTAL|2|1.00\n").into(), "file_count_differs"),
        (format!("{HEADER}{good}TOTAL|1|1.01\n").into(), "file_sum_differs"),
        (format!("{HEADER}{good}TOTAL|one|1.00\n").into(), "file_totals_malformed"),
        (format!("{HEADER}{good}TOTAL|1\n").into(), "file_totals_malformed"),
        (format!("{HEADER}{good}TOTAL|1|1.00\n{good}").into(), "file_after_totals"),
        (format!("{HEADER}{long}TOTAL|1|1.00\n").into(), "file_line_too_long"),
        ([HEADER.as_bytes(), &good.as_bytes()[..12], b"\xff\xfe\n"].concat(), "file_encoding"),
    ];
    for (bytes, expected) in files {
        assert_eq!(code(import(&town, biller, bytes).await), *expected);
    }
    let broadband = shipped("310100/sh-broadband").biller;
    assert_eq!(code(import(&town, broadband, b"head\n").await), "file_empty");
    assert_eq!(code(bill::fetch(&town.city, biller, POWER[0]).await), "account_unknown");
    assert_eq!(bill::imports(&town.city, biller, None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_bad_row_is_reported_and_the_others_go_in() {
    let town = Town::new().await;
    let biller = shipped("330100/hz-power").biller;
    import(&town, biller, power_file(&[(POWER[2], "OLD", "5.00")]).as_bytes()).await.unwrap();
    let [a, b, c] = POWER;
    let name = "王".repeat(61);
    // Line, field, code; an empty code is a good row.
    let rows = [
        (format!("{a}|B1|王|202602|1.00|2026-03-25"), "", ""),
        (format!("{a}|B2|王|202602|1.00"), "", "columns"),
        (format!("{a}|B2|王|202602|1.00|2026-03-25|x"), "", "columns"),
        (format!("{a}|B2|王\u{1}|202602|1.00|2026-03-25"), "holder", "control_character"),
        (format!("{a}|B2|王|202613|1.00|2026-03-25"), "period", "malformed"),
        (format!("{a}|B2|王|202602|1.0.0|2026-03-25"), "amount", "malformed"),
        (format!("{a}|B2|王|202602|-1.00|2026-03-25"), "amount", "malformed"),
        (format!("{a}|B2|王|202602|1.001|2026-03-25"), "amount", "malformed"),
        (format!("{a}|B2|王|202602|1.00|2026-02-30"), "due", "malformed"),
        (format!("{}x|B2|王|202602|1.00|2026-03-25", &a[..9]), "account_no", "account_shape"),
        (format!("{}1|B2|王|202602|1.00|2026-03-25", &a[..9]), "account_no", "account_check_digit"),
        (format!("{a}||王|202602|1.00|2026-03-25"), "bill_no", "bill_no"),
        (format!("{a}|{}|王|202602|1.00|2026-03-25", "9".repeat(33)), "bill_no", "bill_no"),
        (format!("{a}|B2|{name}|202602|1.00|2026-03-25"), "holder", "holder_too_long"),
        (format!("{a}|B2|王|202602|0.00|2026-03-25"), "amount", "amount_out_of_range"),
        (format!("{a}|B2|王|202602|10000000000000.00|2026-03-25"), "amount", "amount_out_of_range"),
        (format!("{c}|OLD|王小明|202602|6.00|2026-03-25"), "", "bill_differs"),
        (format!("{c}|OLD|王小明|202602|5.00|2026-03-25"), "", ""), // there already, the same
        (format!("{b}|B1|王|202602|2.00|2026-03-25"), "", ""),
        (format!("{b}|B1|王|202602|3.00|2026-03-25"), "", "bill_differs"), // differs from the line before
    ];
    let body = rows.iter().map(|(row, ..)| row.as_str()).collect::<Vec<_>>().join("\n") + "\n";
    let file = format!("{HEADER}{body}TOTAL|{}|99999999999999.00\n", rows.len());
    let done = import(&town, biller, file.as_bytes()).await.unwrap();

    let expected: Vec<_> = (2u64..)
        .zip(&rows)
        .filter(|(_, (_, _, code))| !code.is_empty())
        .map(|(line, (_, field, code))| (line, (*field).to_owned(), (*code).to_owned()))
        .collect();
    let errors = bill::row_errors(&town.city, done.id, 0, 200).await.unwrap();
    let found: Vec<_> = errors.into_iter().map(|e| (e.line, e.field, e.code)).collect();
    assert_eq!(found, expected);
    assert_eq!((done.added, done.unchanged, done.refused), (2, 1, expected.len() as u64));
    let bills = bill::fetch(&town.city, biller, b).await.unwrap();
    assert_eq!(bills.len(), 1);
    assert_eq!(bills[0].bill.amount_minor, 200);
    assert_eq!(bills[0].standing, Standing::Open);
}

#[tokio::test]
async fn the_same_file_again_changes_nothing() {
    let town = Town::new().await;
    let biller = shipped("330100/hz-power").biller;
    let file = power_file(&[(POWER[0], "B1", "1.00"), (POWER[1], "B1", "2.00")]);
    let first = import(&town, biller, file.as_bytes()).await.unwrap();
    town.pass(60);
    assert_eq!(import(&town, biller, file.as_bytes()).await.unwrap(), first);
    // The same bills in another file: nothing new, nothing refused.
    let other = power_file(&[(POWER[1], "B1", "2.00"), (POWER[0], "B1", "1.00")]);
    let second = import(&town, biller, other.as_bytes()).await.unwrap();
    assert_eq!((second.added, second.unchanged, second.refused), (0, 2, 0));
    assert_ne!(second.id, first.id);
}

#[tokio::test]
async fn an_upload_cut_off_by_a_crash_is_taken_up_again() {
    let town = Town::new().await;
    let biller = shipped("330100/hz-power").biller;
    let rows = 70_000u64; // more than one chunk
    let mut file = String::from(HEADER);
    for i in 0..rows {
        writeln!(file, "{}|B{i}|王|202602|1.00|2026-03-25", crate::support::account(i)).unwrap();
    }
    writeln!(file, "TOTAL|{rows}|{rows}.00").unwrap();
    let path = town.dir.path().join("big.txt");
    std::fs::write(&path, &file).unwrap();

    // The process dies after the first chunk: the future is dropped where it stands.
    let (seen, mut cut) = tokio::sync::mpsc::unbounded_channel();
    let progress = move |import: &bill::Import| {
        let _ = seen.send(import.clone());
    };
    let city = town.city.clone();
    let at = path.clone();
    let running =
        tokio::spawn(
            async move { bill::import_path(&city, biller, &at, "big.txt", progress).await.map(|_| ()) },
        );
    let begun = cut.recv().await.unwrap();
    let chunk = cut.recv().await.unwrap();
    running.abort();
    let _ = running.await;
    assert_eq!(begun.records, rows);
    assert!(chunk.added > 0);

    let town = town.reopen().await;
    let done = bill::import_path(&town.city, biller, &path, "big.txt", |_| {}).await.unwrap();
    assert_eq!((done.added, done.unchanged, done.refused), (rows, 0, 0));
    for i in [0, rows / 2, rows - 1] {
        assert_eq!(bill::fetch(&town.city, biller, &crate::support::account(i)).await.unwrap().len(), 1);
    }
}

struct Once(Option<Vec<u8>>);

impl bill::Upload for Once {
    async fn next(&mut self) -> Option<Result<Vec<u8>, std::io::Error>> {
        self.0.take().map(Ok)
    }
}

struct Broken(bool);

impl bill::Upload for Broken {
    async fn next(&mut self) -> Option<Result<Vec<u8>, std::io::Error>> {
        let first = std::mem::replace(&mut self.0, true);
        Some(if first { Err(std::io::Error::other("gone")) } else { Ok(b"half".to_vec()) })
    }
}

#[tokio::test]
async fn an_upload_is_kept_before_it_is_answered_and_taken_in_behind() {
    let town = Town::new().await;
    let biller = shipped("330100/hz-power").biller;
    let who = Biller { id: biller, role: Role::Staff };
    let file = power_file(&[(POWER[0], "B1", "1.00")]).into_bytes();
    let import = bill::receive(&town.city, &who, "a.txt", Once(Some(file.clone()))).await.unwrap();
    let kept = town.dir.path().join("imports").join(biller.to_string()).join(&import.sha256);
    assert_eq!(std::fs::read(kept).unwrap(), file);
    loop {
        if bill::lookup(&town.city, import.id).await.unwrap().finished_at.is_some() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(bill::fetch(&town.city, biller, POWER[0]).await.unwrap().len(), 1);

    let viewer = Biller { role: Role::Viewer, ..who };
    assert_eq!(code(bill::receive(&town.city, &viewer, "a.txt", Once(None)).await), "forbidden");
    assert_eq!(code(bill::receive(&town.city, &who, "a.txt", Broken(false)).await), "unavailable");
    assert_eq!(code(bill::receive(&town.city, &who, "a.txt", Once(None)).await), "file_totals_missing");
    let left = std::fs::read_dir(town.dir.path().join("imports").join(biller.to_string())).unwrap();
    assert_eq!(left.count(), 1, "refused and broken uploads leave nothing behind");
}

#[tokio::test]
async fn what_a_crash_left_of_an_upload_goes_at_the_next_start() {
    let town = Town::new().await;
    let within = town.dir.path().join("imports").join(shipped("330100/hz-power").biller.to_string());
    std::fs::create_dir_all(&within).unwrap();
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let file = |name: &str, dead: bool| {
        let made = std::fs::File::create(within.join(name)).unwrap();
        if dead {
            made.set_modified(long_ago).unwrap();
        }
    };
    file("dead.part", true);
    file("growing.part", false); // by the machine's clock, which is ahead of the town's
    file("kept", true);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let tasks = bill::start(&town.city, &stopped);
    while within.join("dead.part").exists() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    stop.send(true).unwrap();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(within.join("growing.part").exists() && within.join("kept").exists());
}
