//! A disk that is really full: a small file system of its own, where this machine lets us mount one (Linux, as
//! root); elsewhere the test says that it did not run. `crates/ledger/tests/durability.rs` does the same with a
//! limit on file sizes, everywhere.

#[allow(dead_code, reason = "the tests of the server use the rest")]
#[path = "../server/process.rs"]
mod process;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::SystemClock;
use ledger::{Account, CreateTransferStatus, Embedded, Engine, EngineError, Options, Transfer, audit};
use process::{Server, request};
use tempfile::TempDir;

/// A file system in memory; unmounted when dropped.
struct Disk(TempDir);

impl Disk {
    /// One of so many KiB, or why there is none.
    fn mount(kib: u32) -> Result<Disk, String> {
        let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
        let size = format!("size={kib}k");
        let mut mount = Command::new("mount");
        let out = mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()).output();
        match out {
            Ok(out) if out.status.success() => Ok(Disk(dir)),
            Ok(out) => Err(String::from_utf8_lossy(&out.stderr).trim().to_owned()),
            Err(e) => Err(e.to_string()),
        }
    }
    /// Makes it larger or smaller.
    fn resize(&self, kib: u64) {
        let size = format!("remount,size={kib}k");
        let done = Command::new("mount").args(["-o", &size]).arg(self.path()).status().unwrap();
        assert!(done.success(), "{size}");
    }
    fn path(&self) -> &Path {
        self.0.path()
    }
    /// Puts a file of so many KiB there.
    fn fill(&self, kib: usize) {
        fs::write(self.path().join("filler"), vec![1; kib << 10]).unwrap();
    }
    /// Takes it away.
    fn free(&self) {
        fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status(); // it complains itself
    }
}

const BATCH: u128 = 500;

fn batch(first: u128) -> Vec<Transfer> {
    let (debit_account_id, credit_account_id) = (1, 2);
    let t = Transfer {
        debit_account_id,
        credit_account_id,
        amount: 1,
        ledger: 1,
        code: 1,
        ..Transfer::default()
    };
    (first..first + BATCH).map(|id| Transfer { id, ..t }).collect()
}

fn open(dir: &Path) -> Embedded {
    let settings = Options { file_bytes: 256 << 10, merge: 3, snapshot_bytes: 1 << 20 };
    Embedded::open_with(dir, Arc::new(SystemClock), settings).expect("the ledger opens").0
}

/// Everything that was acknowledged is there, and no more.
async fn holds(engine: &Embedded, acknowledged: u128) {
    let accounts = engine.lookup_accounts(vec![1, 2]).await.unwrap();
    assert_eq!((accounts[0].debits_posted, accounts[1].credits_posted), (acknowledged, acknowledged));
    for first in (1..=acknowledged).step_by(8_000) {
        let ids: Vec<u128> = (first..=acknowledged.min(first + 7_999)).collect();
        let found = engine.lookup_transfers(ids.clone()).await.unwrap();
        assert!(found.iter().map(|t| t.id).eq(ids), "from {first} of {acknowledged}");
    }
}

/// Pays until there is no room twice running, and holds everything against what was acknowledged. Twice: a merge under
/// way holds room, and gives it back when it has none to end with.
async fn pay_until_full(engine: &Embedded, acknowledged: &mut u128) {
    let mut refused = 0;
    while refused < 2 {
        match engine.create_transfers(batch(*acknowledged + 1)).await {
            Ok(results) => {
                // Also of the ids that were refused before: nothing was done, and none is burnt.
                assert!(results.iter().all(|r| r.status == CreateTransferStatus::Created));
                *acknowledged += BATCH;
                refused = 0;
            }
            Err(e) => {
                assert_eq!((e, e.code()), (EngineError::NoSpace, "ledger_no_space"));
                holds(engine, *acknowledged).await;
                refused += 1;
            }
        }
        assert!(*acknowledged < 8 << 13, "more than the disk can hold");
    }
}

#[tokio::test]
async fn a_full_disk_refuses_writes_answers_reads_and_loses_nothing() {
    let disk = match Disk::mount(8 << 10) {
        Ok(disk) => disk,
        Err(why) => return println!("skipped: no file system can be mounted here: {why}"),
    };
    let dir = disk.path().join("ledger");
    disk.fill(4 << 10);
    let engine = open(&dir);
    let account = |id| Account { id, ledger: 1, code: 1, ..Account::default() };
    engine.create_accounts(vec![account(1), account(2)]).await.unwrap();
    let mut acknowledged = 0;
    pay_until_full(&engine, &mut acknowledged).await;
    let full = acknowledged;
    assert!(full > 0, "the disk had room for something");

    // Somebody makes room under the running engine.
    disk.free();
    let begun = Instant::now();
    while engine.create_transfers(batch(acknowledged + 1)).await == Err(EngineError::NoSpace) {
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not go on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    acknowledged += BATCH;
    pay_until_full(&engine, &mut acknowledged).await;
    assert!(acknowledged > full + BATCH, "it went on for as long as there was room");

    // A polite end on a full disk, and what opens after it.
    engine.close();
    let report = audit::verify(&dir).unwrap();
    assert_eq!(u128::from(report.transfers), acknowledged);
    let copy = tempfile::tempdir().unwrap();
    ledger::backup::backup(&dir, copy.path()).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    ledger::backup::restore(copy.path(), &elsewhere.path().join("ledger"), None).unwrap();
    let moved = open(&elsewhere.path().join("ledger"));
    holds(&moved, acknowledged).await;
    report.compare(&moved).await.unwrap();
}

/// What a request was answered: status, code of a refusal, body.
fn ask(server: &Server, method: &str, path: &str, token: &str, body: &str) -> (u16, String, String) {
    let head = format!("content-type: application/json\r\nauthorization: Bearer {token}\r\n");
    let answer = request(server.addr, method, path, &head, body);
    (answer.status, answer.code(), answer.body)
}

/// Waits until the server says this of its writes; it answers that it is well all the time.
fn says(server: &Server, writes: &str) {
    let begun = Instant::now();
    loop {
        let (status, _, body) = ask(server, "GET", "/healthz", "", "");
        let (_, _, metrics) = ask(server, "GET", "/metrics", "", "");
        assert!(status == 200 && body.contains(r#""status":"ok""#), "{status} {body}");
        let room = u8::from(writes == "ok");
        if body.contains(&format!(r#""writes":"{writes}""#))
            && metrics.contains(&format!("\nyima_ledger_writable {room}\n"))
        {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{body}\n{metrics}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A server whose ledger ends with its last record and an unfinished write, on a disk that is full to the last page.
fn full_after(mut server: Server, ledger: &Path, disk: &Disk) -> Server {
    server.stop();
    let mut bytes = 0;
    for entry in fs::read_dir(ledger).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("spare-")) {
            fs::remove_file(&path).unwrap(); // opening does that too, and would have its room
            continue;
        }
        if path.extension().is_some_and(|e| e == "ylj") {
            // The room that was made in advance.
            let content = fs::read(&path).unwrap();
            let end = content.iter().rposition(|b| *b != 0).unwrap() as u64 + 1;
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_len(end.next_multiple_of(16)).unwrap();
            file.write_all_at(&[7; 200], end.next_multiple_of(16)).unwrap();
        }
        bytes += fs::metadata(&path).unwrap().len().next_multiple_of(4096);
    }
    disk.resize(bytes / 1024);
    server.restart();
    server
}

#[test]
fn the_server_on_a_full_disk_refuses_payments_by_name_answers_balances_and_goes_on() {
    let disk = match Disk::mount(256 << 10) {
        Ok(disk) => disk,
        Err(why) => return println!("skipped: no file system can be mounted here: {why}"),
    };
    let ledger = disk.path().join("ledger");
    let server = Server::start(&["--ledger", &format!("embedded:{}", ledger.display())]);
    let operator = server.operator.clone();
    let people = ["13800000001", "13800000002"].map(|phone| {
        let code = format!(r#"{{"phone":"{phone}"}}"#);
        assert_eq!(ask(&server, "POST", "/v1/sign-in/code", "", &code).0, 202);
        let messages = fs::read_to_string(server.data().join("messages")).unwrap();
        let message: serde_json::Value = serde_json::from_str(messages.lines().last().unwrap()).unwrap();
        let wish = serde_json::json!({"phone": phone, "code": message["code"], "name": "居民"}).to_string();
        let signed: serde_json::Value =
            serde_json::from_str(&ask(&server, "POST", "/v1/sign-in", "", &wish).2).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        (text(&signed["resident"]["id"]), text(&signed["token"]))
    });
    let deposit = |reference: &str| {
        let amount = r#""amount":{"minor":500,"currency":"CNY"}"#;
        format!(r#"{{"resident":"{}",{amount},"reference":"{reference}"}}"#, people[0].0)
    };
    assert_eq!(ask(&server, "POST", "/v1/deposits", &operator, &deposit("B-1")).0, 200);
    let balance = |server: &Server, minor: i64| {
        let (status, _, body) = ask(server, "GET", "/v1/wallet", &people[0].1, "");
        assert!(status == 200 && body.contains(&format!("\"minor\":{minor},")), "{status} {body}");
    };
    balance(&server, 500);
    says(&server, "ok");

    let mut server = full_after(server, &ledger, &disk);
    balance(&server, 500);
    says(&server, "no_space");
    for _ in 0..3 {
        let (status, code, body) = ask(&server, "POST", "/v1/deposits", &operator, &deposit("B-2"));
        assert_eq!((status, code.as_str()), (507, "ledger_no_space"), "{body}");
        assert!(body.contains("no money was moved"), "{body}");
    }
    balance(&server, 500);
    let (status, code, _) = ask(&server, "GET", "/v1/nothing", &operator, "");
    assert_eq!((status, code.as_str()), (404, "not_found"));

    says(&server, "no_space");

    // Room is made under the running server: the same request is done, once.
    disk.resize(256 << 10);
    let begun = Instant::now();
    let done = loop {
        match ask(&server, "POST", "/v1/deposits", &operator, &deposit("B-2")) {
            (507, ..) => assert!(begun.elapsed() < Duration::from_secs(20), "it does not go on"),
            other => break other,
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(done.0 == 200 && done.2.contains("\"repeated\":false"), "{done:?}");
    let again = ask(&server, "POST", "/v1/deposits", &operator, &deposit("B-2"));
    assert!(again.2.contains("\"repeated\":true"), "{again:?}");
    balance(&server, 1000);
    says(&server, "ok");
    let mut names = fs::read_dir(&ledger).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.any(|name| name.to_string_lossy().starts_with("torn-")), "the unfinished write is kept");
    server.stop();
}
