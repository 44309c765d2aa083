//! Exported books, read by the real hledger and the real bean-check.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::{account, clock, open, transfer};
use kernel::UtcOffset;
use ledger::export::{AccountName, Export, ExportError, ExportReport, Format, export};
use ledger::{Account, Engine, Transfer, TransferFlags};
use tempfile::{TempDir, tempdir};

/// Whether the program is there. Where tools are required, its absence is a failure.
fn installed(program: &str) -> bool {
    if Command::new(program).arg("--version").output().is_ok() {
        return true;
    }
    let required = ["CI", "YIMA_REQUIRE_TOOLS"].iter().any(|v| std::env::var_os(v).is_some());
    assert!(!required, "{program} is required here and not installed");
    println!("skipped: {program} not installed");
    false
}

/// Currencies with 2, 3 and 0 decimals, a cap ledger, pending money in every state, two days.
async fn city() -> TempDir {
    let dir = tempdir().unwrap();
    let clock = clock();
    let engine = open(dir.path(), &clock);
    let of = |id, ledger, code| Account { ledger, code, ..account(id) };
    let accounts =
        [(1, 156), (2, 156), (3, 156), (4, 414), (5, 414), (6, 392), (7, 392), (8, 1156), (9, 1156)];
    let accounts = accounts.map(|(id, ledger)| of(id, ledger, if id == 1 { 2 } else { 1 }));
    engine.create_accounts(accounts.to_vec()).await.unwrap();
    let pay = |id, debit, credit, amount, ledger| Transfer { ledger, ..transfer(id, debit, credit, amount) };
    let pending = |t: Transfer| Transfer { flags: TransferFlags::Pending, ..t };
    let first_day = vec![
        pay(10, 1, 2, 1_000_000, 156),
        pay(11, 2, 3, 1, 156),
        pay(12, 2, 3, 99, 156),
        pay(13, 4, 5, 1_234_567, 414),
        pay(14, 6, 7, 500, 392),
        pay(15, 8, 9, 12_345, 1156),
        pay(16, 2, 3, 0, 156),
        pending(pay(20, 2, 3, 5_000, 156)),
        pending(pay(21, 2, 3, 6_000, 156)),
        pending(pay(22, 2, 3, 7_000, 156)),
    ];
    clock.advance(std::time::Duration::from_hours(24));
    let resolve =
        |id, pending_id, amount, flags| Transfer { id, pending_id, amount, flags, ..Transfer::default() };
    let second_day = vec![
        resolve(30, 20, 1_234, TransferFlags::PostPendingTransfer),
        resolve(31, 21, 0, TransferFlags::VoidPendingTransfer),
        pay(32, 3, 2, 7, 156),
    ];
    for batch in [first_day, second_day] {
        let results = engine.create_transfers(batch).await.unwrap();
        assert!(results.iter().all(|r| r.status.is_in_ledger()), "{results:?}");
    }
    dir
}

/// Accounts 2 and 4 share a name, in different currencies; 1 is an asset.
fn name(a: &Account) -> AccountName {
    let group = match (a.code, a.ledger) {
        (2, _) => "Assets:Bank",
        (_, 1156) => "Equity:Caps",
        _ => "Liabilities:Residents",
    };
    AccountName(format!("{group}:R{}", if a.id == 4 { 2 } else { a.id }))
}

fn written(dir: &Path, format: Format) -> (String, ExportReport) {
    let mut out = Vec::new();
    let books = Export { dir, format, offset: UtcOffset::CHINA, name: &name };
    let report = export(&books, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), report)
}

fn run(program: &str, args: &[&str], text: &str) -> Output {
    let dir = tempdir().unwrap();
    let file = dir.path().join("books");
    std::fs::write(&file, text).unwrap();
    Command::new(program).args(args).arg(file).output().unwrap()
}

#[track_caller]
fn accepted(output: &Output, text: &str) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}\n{text}");
    out.into_owned()
}

/// The text with one occurrence of something replaced, which must be there.
fn spoiled(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "no {from} in\n{text}");
    text.replacen(from, to, 1)
}

#[tokio::test]
async fn hledger_accepts_the_books_and_finds_the_same_balances() {
    let dir = city().await;
    let (text, report) = written(dir.path(), Format::Hledger);
    assert_eq!(report, ExportReport { transactions: 9, names: 8, pending_left_out: 3 });
    if !installed("hledger") {
        return;
    }
    accepted(&run("hledger", &["check", "--strict", "-f"], &text), &text);
    let balances =
        run("hledger", &["balance", "--flat", "--no-total", "--format", "%(account) %(total)", "-f"], &text);
    let balances = accepted(&balances, &text);
    for expected in [
        "Assets:Bank:R1 \"CNY\" 10000.00",
        "Liabilities:Residents:R3 \"CNY\" -13.27",
        "Liabilities:Residents:R5 \"KWD\" -1234.567",
        "Liabilities:Residents:R7 \"JPY\" -500",
        "Equity:Caps:R8 \"CAP1156\" 123.45",
    ] {
        let plain = expected.replace("\"CNY\"", "CNY").replace("\"KWD\"", "KWD").replace("\"JPY\"", "JPY");
        assert!(balances.lines().any(|l| l.trim_end_matches('.') == plain), "{plain} not in\n{balances}");
    }
    // It is hledger that proves the sums: each of these must be refused.
    for bad in [
        spoiled(&text, "\"CNY\" 0.99", "\"CNY\" 0.98"),
        spoiled(&text, "= \"CNY\" -13.27", "= \"CNY\" -13.28"),
        spoiled(&text, "= \"KWD\" 1234.567", "= \"KWD\" 1234.566"),
    ] {
        assert!(!run("hledger", &["check", "-f"], &bad).status.success(), "{bad}");
    }
}

#[tokio::test]
async fn bean_check_accepts_the_books() {
    let dir = city().await;
    let (text, report) = written(dir.path(), Format::Beancount);
    assert_eq!(report.transactions, 9);
    if !installed("bean-check") {
        return;
    }
    accepted(&run("bean-check", &[], &text), &text);
    for bad in [
        spoiled(&text, "  0.99 CNY", "  0.98 CNY"),
        spoiled(&text, "-13.27 ~ 0 CNY", "-13.28 ~ 0 CNY"),
        spoiled(&text, "open Liabilities:Residents:R3", "open Liabilities:Residents:R4"),
    ] {
        assert!(!run("bean-check", &[], &bad).status.success(), "{bad}");
    }
}

#[tokio::test]
async fn empty_books_are_books() {
    let dir = tempdir().unwrap();
    drop(open(dir.path(), &clock()));
    for (program, args, format) in
        [("hledger", &["check", "-f"][..], Format::Hledger), ("bean-check", &[][..], Format::Beancount)]
    {
        let (text, report) = written(dir.path(), format);
        assert_eq!(report, ExportReport::default());
        if installed(program) {
            accepted(&run(program, args, &text), &text);
        }
    }
}

#[tokio::test]
async fn names_that_other_programs_do_not_take_are_refused() {
    let dir = city().await;
    for bad in
        ["", "Assets", "Money:Bank", "Assets:", "Assets:bank", "Assets:A b", "Assets:A\n2020", "Assets:银行"]
    {
        let named = |_: &Account| AccountName(bad.to_owned());
        let books =
            Export { dir: dir.path(), format: Format::Hledger, offset: UtcOffset::CHINA, name: &named };
        match export(&books, &mut Vec::new()) {
            Err(ExportError::Name { account: 1, name }) => assert_eq!(name, bad),
            other => panic!("{bad:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn amounts_beyond_a_programs_decimals_are_refused_or_exact() {
    let dir = tempdir().unwrap();
    let engine = open(dir.path(), &clock());
    let of = |id| Account { ledger: 156, ..account(id) };
    engine.create_accounts(vec![of(1), of(2), of(3)]).await.unwrap();
    let pay = |id, debit, credit, amount| Transfer { ledger: 156, ..transfer(id, debit, credit, amount) };
    engine
        .create_transfers(vec![pay(1, 1, 2, u128::MAX), pay(2, 3, 1, u128::MAX), pay(3, 2, 3, 1)])
        .await
        .unwrap();
    let (text, _) = written(dir.path(), Format::Hledger);
    assert!(text.contains("\"CNY\" -3402823669209384634633746074317682114.55"), "{text}");
    if installed("hledger") {
        accepted(&run("hledger", &["check", "-f"], &text), &text);
    }
    let books = Export { dir: dir.path(), format: Format::Beancount, offset: UtcOffset::CHINA, name: &name };
    assert!(matches!(export(&books, &mut Vec::new()), Err(ExportError::TooLarge { account: 1 })));
}

#[tokio::test]
async fn damaged_books_are_not_exported() {
    let dir = city().await;
    let file = ledger::journal::files(dir.path()).unwrap().remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[200] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let books = Export { dir: dir.path(), format: Format::Hledger, offset: UtcOffset::CHINA, name: &name };
    assert!(matches!(export(&books, &mut Vec::new()), Err(ExportError::Audit(_))));
}
