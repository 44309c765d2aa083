//! The commands on a ledger that other tests do not run: torture, backup, restore. Torture proves everything
//! itself and exits non-zero where it cannot; here it is only made to run, and to have had something to lose.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use kernel::{ManualClock, Timestamp};
use ledger::{Account, Embedded, Engine as _, Transfer};

fn yima() -> Command {
    Command::new(env!("CARGO_BIN_EXE_yima"))
}

fn out(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}\n{out}\n{err}", output.status)
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", out(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn nothing_acknowledged_is_lost_in_twenty_kills() {
    let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("torture-{}", std::process::id()));
    let rounds = ["ledger", "torture", "--rounds", "20", "--seed", "7", "--json", "--data"];
    let report = json(&yima().args(rounds).arg(&data).output().unwrap());
    let count = |name: &str| report[name].as_u64().unwrap_or_else(|| panic!("{name}: {report}"));
    let killed = count("killed_early") + count("killed_at_work") + count("killed_closing");
    assert_eq!(killed + count("closed_before"), 20, "{report}");
    assert!(killed >= 10, "{report}");
    assert!(count("acknowledged_events") > 1_000, "there was something to lose: {report}");
    assert!(count("in_doubt") > 0, "kills met requests under way: {report}");
    assert!(count("repeated") > 0 && count("audits") > 0, "{report}");

    // Not onto what is there.
    let again = yima().args(rounds).arg(&data).output().unwrap();
    assert!(!again.status.success() && out(&again).contains("not empty"), "{}", out(&again));
    std::fs::remove_dir_all(&data).unwrap();
}

#[test]
fn a_copy_is_taken_beside_the_engine_and_brought_back_to_a_moment() {
    const START: i64 = 1_700_000_000_000_000_000;
    let dir = tempfile::tempdir().unwrap();
    let (books, copy) = (dir.path().join("ledger"), dir.path().join("copy"));
    let clock = Arc::new(ManualClock::new(Timestamp::from_nanos(START)));
    let (engine, _) = Embedded::open(&books, clock.clone()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let account = |id| Account { id, ledger: 156, code: 1, ..Account::default() };
    runtime.block_on(engine.create_accounts(vec![account(1), account(2)])).unwrap();
    let pay = |id| {
        clock.advance(std::time::Duration::from_secs(1));
        let (debit_account_id, credit_account_id) = (1, 2);
        let t = Transfer { id, debit_account_id, credit_account_id, amount: 100, ..Transfer::default() };
        let made = runtime.block_on(engine.create_transfers(vec![Transfer { ledger: 156, code: 1, ..t }]));
        assert!(made.unwrap()[0].status.is_in_ledger());
    };
    let address = format!("embedded:{}", books.display());
    let back_up = |words: &[&str]| {
        yima().args(["ledger", "backup", "--ledger", &address]).arg(&copy).args(words).output().unwrap()
    };
    pay(10);
    let made = json(&back_up(&["--json"]));
    assert_eq!((made["frames"].as_u64(), made["new_frames"].as_u64()), (Some(2), Some(2)), "{made}");
    pay(11);
    let text = out(&back_up(&[]));
    assert!(text.contains("2023-11-14T22:13:22") && text.contains("1   frames"), "{text}");

    let restored = dir.path().join("restored");
    let restore = |words: &[&str]| {
        let mut command = yima();
        command.args(["ledger", "restore"]).arg(&copy).arg(&restored).args(words);
        command.output().unwrap()
    };
    let early = restore(&["--at", "2023-11-14T22:13:19Z"]);
    assert!(!early.status.success() && out(&early).contains("begins later"), "{}", out(&early));
    let made = json(&restore(&["--at", "2023-11-15T06:13:21.5+08:00", "--json"]));
    assert_eq!((made["frames"].as_u64(), made["left_out"].as_u64()), (Some(2), Some(1)), "{made}");
    let ledger = format!("embedded:{}", restored.display());
    let verified = json(&yima().args(["ledger", "verify", "--json", "--ledger", &ledger]).output().unwrap());
    assert_eq!(
        (verified["ledgers"]["156"]["posted"].as_str(), &verified["head"]),
        (Some("100"), &made["head"])
    );
    let again = restore(&[]);
    assert!(!again.status.success() && out(&again).contains("not empty"), "{}", out(&again));
}
