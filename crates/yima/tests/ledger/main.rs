//! `yima bench ledger` with a few thousand transfers of every workload, on the debug binary. The command proves
//! its result itself and exits non-zero where it cannot; here it is made to run, and looked at whether it has measured
//! what it was asked for. No figure is asserted.
//!
//! With `YIMA_TEST_POSTGRES` also on PostgreSQL, with `TIGERBEETLE_ADDRESSES` also on TigerBeetle (cluster 0).

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs it; no setting of this process's own surroundings is taken over.
fn bench(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_yima"))
        .args(["bench", "ledger"])
        .args(args)
        .output()
        .expect("the binary runs")
}

/// The reports of a run that was proved.
fn reports(args: &[&str]) -> Vec<Value> {
    let run = bench(&[args, &["--json"]].concat());
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{args:?}: {}\n{out}\n{err}", run.status);
    serde_json::from_str(&out).expect("a list of reports")
}

fn embedded(dir: &Path) -> String {
    format!("embedded:{}", dir.display())
}

/// Everything that a batch workload must have told.
fn check(report: &Value, workload: &str, accounts: u64, transfers: u64) {
    assert_eq!(report["workload"], workload, "{report:#}");
    assert_eq!(
        (&report["accounts"], &report["transfers"]),
        (&accounts.into(), &transfers.into()),
        "{report:#}"
    );
    assert!(report["latency"]["count"].as_u64() > Some(0), "{report:#}");
    assert!(report["samples"].as_u64() > Some(0), "{report:#}");
    assert_eq!(report["proved"], true, "{report:#}");
}

const SMALL: [&str; 6] = ["--accounts", "500", "--transfers", "4000", "--batch", "400"];

#[test]
fn every_batch_workload_is_proved_on_the_embedded_engine() {
    for workload in ["uniform", "hot", "zipf", "two-phase", "memory"] {
        for more in [&["--ids", "time"][..], &["--ids", "random", "--in-flight", "3", "--no-history"]] {
            let dir = tempfile::tempdir().unwrap();
            let engine = embedded(dir.path());
            let given = [&["--engine", &engine, "--workload", workload][..], &SMALL, more].concat();
            let report = reports(&given).remove(0);
            check(&report, workload, 500, 4_000);
            assert!(report["bytes"].as_u64() > Some(4_000 * 100), "the transfers are on disk: {report:#}");
            assert!(report["reopened_us"].is_u64(), "{report:#}");
            assert_eq!(report["latency"]["count"], 10, "ten batches: {report:#}");
            assert_eq!(report["memory"].as_array().map(Vec::len), Some(5), "{report:#}");
        }
    }
}

#[test]
fn callers_are_answered_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let engine = embedded(dir.path());
    let given = ["--engine", &engine, "--workload", "callers", "--callers", "100"];
    let report = reports(&[&given[..], &SMALL].concat()).remove(0);
    check(&report, "callers", 500, 4_000);
    assert_eq!(
        (&report["batch"], &report["lanes"], &report["latency"]["count"]),
        (&1.into(), &100.into(), &4_000.into())
    );
}

#[test]
fn a_filled_ledger_is_asked_loaded_killed_and_started_again() {
    let dir = tempfile::tempdir().unwrap();
    let engine = embedded(dir.path());
    let given = ["--engine", &engine, "--workload", "history", "--queries", "200"];
    let report = reports(&[&given[..], &SMALL].concat()).remove(0);
    check(&report, "history", 500, 4_000);
    let queries = &report["queries"];
    assert_eq!((&queries["first"]["count"], &queries["again"]["count"]), (&200.into(), &200.into()));
    // 4,000 transfers have 8,000 sides among 500 accounts: sixteen each.
    let found = queries["found"].as_u64().unwrap();
    assert!((200 * 14..200 * 18).contains(&found), "{found}");

    // A directory that holds something is not taken for a new one.
    let run = bench(&["--engine", &engine, "--transfers", "10"]);
    assert!(!run.status.success());
    assert!(String::from_utf8_lossy(&run.stderr).contains("is not empty"), "{run:?}");

    let started =
        reports(&["--engine", &engine, "--workload", "start", "--batch", "50", "--load-s", "1"]).remove(0);
    assert_eq!(started["proved"], true, "{started:#}");
    assert!(started["acknowledged_batches"].as_u64() > Some(0), "{started:#}");
    for start in [&started["closed"], &started["killed"]] {
        assert!(start["serving_us"].as_u64() >= start["open_us"].as_u64(), "{started:#}");
    }

    // What was loaded and killed counts as what was there; the accounts are the same.
    let given =
        ["--engine", &engine, "--existing", "--workload", "history", "--queries", "50", "--transfers", "800"];
    let report = reports(&given).remove(0);
    check(&report, "history", 500, 800);
    assert!(report["creating_us"].is_null(), "{report:#}");
}

#[test]
fn the_result_is_one_line_for_people() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    let (one, other) = (embedded(&one), embedded(&other));
    let run = bench(&[&["--engine", &one, "--engine", &other][..], &SMALL].concat());
    let out = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{run:?}");
    let results: Vec<_> =
        out.lines().filter(|line| line.starts_with("bench ledger: embedded uniform ")).collect();
    assert_eq!(results.len(), 2, "{out}");
    assert!(
        results.iter().all(|line| line.contains(" transfers/s, p50 ") && line.ends_with(", proved")),
        "{out}"
    );
    assert!(out.lines().last().is_some_and(|line| line.starts_with("embedded against embedded: ")), "{out}");
}

/// The same events on another engine, in batches, by callers, and asked for.
fn other_engine(engine: &str) {
    let workloads = ["uniform", "hot", "zipf", "two-phase", "history"];
    for workload in workloads {
        for more in [&["--in-flight", "1"][..], &["--in-flight", "3", "--ids", "random"]] {
            let given =
                [&["--engine", engine, "--workload", workload, "--queries", "50"][..], &SMALL, more].concat();
            check(&reports(&given).remove(0), workload, 500, 4_000);
        }
    }
    let given = ["--engine", engine, "--workload", "callers", "--callers", "50", "--accounts", "50"];
    check(&reports(&[&given[..], &["--transfers", "1000"]].concat()).remove(0), "callers", 50, 1_000);
}

#[test]
fn the_baseline_is_proved_on_postgresql() {
    let Ok(server) = std::env::var("YIMA_TEST_POSTGRES") else {
        eprintln!("skipped: YIMA_TEST_POSTGRES names no server");
        return;
    };
    other_engine(&format!("{server}/postgres"));
}

#[test]
fn tigerbeetle_is_given_the_same() {
    let Ok(addresses) = std::env::var("TIGERBEETLE_ADDRESSES") else {
        eprintln!("skipped: TIGERBEETLE_ADDRESSES names no server");
        return;
    };
    other_engine(&format!("tigerbeetle:0@{addresses}"));
}
