//! Acknowledged means durable: real processes, really killed; a disk that is really full.
//!
//! The child processes are this test program itself, asked for one of its tests by name with a variable set.

mod common;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{account, clock, everything, open, open_small, transfer};
use kernel::SystemClock;
use ledger::{
    Account, AccountFlags, CreateTransferStatus as S, Embedded, Engine, EngineError, OpenError, Transfer,
    TransferFlags,
};
use tempfile::tempdir;

const DIR: &str = "YIMA_TEST_LEDGER_DIR";
const ROUND: &str = "YIMA_TEST_LEDGER_ROUND";

/// The directory to work in, if this process is the child of another test.
fn child_dir() -> Option<std::ffi::OsString> {
    std::env::var_os(DIR)
}

fn command(test: &str, dir: &Path, round: u32) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env(DIR, dir).env(ROUND, round.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// A child with its lines, killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill(); // SIGKILL; it may have ended by itself
        let _ = self.0.wait();
    }
}

/// Child: pays without end and prints the number of every payment once it was answered.
#[test]
fn child_pays_until_killed() {
    let Some(dir) = child_dir() else { return };
    let round: u128 = std::env::var(ROUND).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let engine = Arc::new(Embedded::open(Path::new(&dir), Arc::new(SystemClock)).unwrap().0);
        let limited = Account { flags: AccountFlags::DebitsMustNotExceedCredits, ..account(1) };
        engine.create_accounts(vec![limited, account(2), account(3)]).await.unwrap();
        engine.create_transfers(vec![transfer(round << 64, 3, 1, 1 << 40)]).await.unwrap();
        let callers = (0..50_u128).map(|caller| {
            let engine = engine.clone();
            tokio::spawn(async move {
                for n in 1.. {
                    let id = round << 64 | caller << 32 | n << 4;
                    let linked = |t: Transfer| Transfer { flags: t.flags | TransferFlags::Linked, ..t };
                    let pending =
                        Transfer { flags: TransferFlags::Pending, timeout: 1, ..transfer(id + 2, 1, 3, 1) };
                    let chain =
                        vec![linked(transfer(id, 1, 2, 3)), linked(transfer(id + 1, 2, 3, 1)), pending];
                    let results = engine.create_transfers(chain).await.unwrap();
                    assert!(results.iter().all(|r| r.status == S::Created), "{results:?}");
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "paid {id} {}", results[0].timestamp).unwrap();
                    out.flush().unwrap();
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
    });
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let dir = tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut acknowledged = BTreeMap::new();
    for round in 1..=8 {
        let mut child = Running(command("child_pays_until_killed", dir.path(), round).spawn().unwrap());
        let lines = BufReader::new(child.0.stdout.take().unwrap());
        // A different moment each round, counted in acknowledgements so that a slow machine gets there too.
        let last = acknowledged.len() + 37 * round as usize * round as usize;
        let deadline = Instant::now() + Duration::from_mins(1);
        for line in lines.lines() {
            let line = line.unwrap_or_default();
            if let Some(("paid", rest)) = line.split_once(' ')
                && let Some((id, timestamp)) = rest.split_once(' ')
            {
                acknowledged.insert(id.parse::<u128>().unwrap(), timestamp.parse::<u64>().unwrap());
            }
            // The lines already in the pipe were acknowledged too: once killed, read to the end.
            if acknowledged.len() == last {
                child.0.kill().unwrap();
            }
            assert!(Instant::now() < deadline, "only {} acknowledged", acknowledged.len());
        }
        drop(child);
        assert!(acknowledged.len() >= last);

        let (engine, recovery) = Embedded::open(dir.path(), Arc::new(SystemClock)).unwrap();
        runtime.block_on(async {
            for (id, timestamp) in &acknowledged {
                let chain = engine.lookup_transfers(vec![*id, id + 1, id + 2]).await.unwrap();
                assert_eq!(chain.len(), 3, "payment {id} was acknowledged; recovery: {recovery:?}");
                assert_eq!(chain[0].timestamp, *timestamp);
            }
        });
        engine.close();
        let report = ledger::audit::verify(dir.path()).unwrap();
        let engine = Embedded::open(dir.path(), clock()).unwrap().0; // its clock stands in the past
        runtime.block_on(report.compare(&engine)).unwrap();
    }
}

/// Child: holds the directory until killed.
#[test]
fn child_holds_the_directory() {
    let Some(dir) = child_dir() else { return };
    let _engine = Embedded::open(Path::new(&dir), Arc::new(SystemClock)).unwrap();
    println!("open");
    std::thread::sleep(Duration::from_mins(1));
}

#[test]
fn two_processes_cannot_open_one_directory() {
    let dir = tempdir().unwrap();
    let mut child = Running(command("child_holds_the_directory", dir.path(), 0).spawn().unwrap());
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("open")));
    match Embedded::open(dir.path(), clock()) {
        Err(OpenError::Locked(path)) => assert_eq!(path, dir.path()),
        other => panic!("{other:?}"),
    }
    drop(child);
    open(dir.path(), &clock());
}

/// Child: pays, asks for more than the limit on file sizes allows, and pays again.
#[test]
fn child_fills_the_disk() {
    let Some(dir) = child_dir() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let engine = open_small(Path::new(&dir), &clock());
        engine.create_accounts(vec![account(1), account(2)]).await.unwrap();
        for id in 1..=60 {
            assert_eq!(pay(&engine, id).await, S::Created);
        }
        let before = everything(&engine).await;
        let many = (1000..9000).map(|id| transfer(id, 1, 2, 1)).collect();
        assert_eq!(engine.create_transfers(many).await.unwrap_err(), EngineError::NoSpace);
        assert_eq!(everything(&engine).await, before, "reads go on, and nothing was done");
        for id in 61..=120 {
            assert_eq!(pay(&engine, id).await, S::Created);
        }
        println!("\nwent on");
    });
}

async fn pay(engine: &Embedded, id: u128) -> S {
    let results = engine.create_transfers(vec![transfer(id, 1, 2, 1)]).await.unwrap();
    println!("\npaid {id}");
    results[0].status
}

#[test]
fn what_the_disk_has_no_room_for_is_refused_and_the_rest_goes_on() {
    let dir = tempdir().unwrap();
    // A file beyond the limit (in KiB or half KiB, by shell) fails with EFBIG once its signal is ignored.
    let test = command("child_fills_the_disk", dir.path(), 0);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]).arg(test.get_program());
    shell.args(test.get_args()).env(DIR, dir.path());
    let output = shell.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("went on"), "{text}");
    let paid: Vec<u128> = text.lines().filter_map(|l| l.strip_prefix("paid ")?.parse().ok()).collect();
    assert_eq!(paid.len(), 120);

    let (engine, _) = Embedded::open(dir.path(), clock()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let found = runtime.block_on(engine.lookup_transfers(paid.clone())).unwrap();
    assert_eq!(found.len(), paid.len());
    ledger::audit::verify(dir.path()).unwrap();
}

/// By the system calls themselves: every answer comes after the sync of what it speaks of. A killed process
/// cannot show this, because what it wrote stays in the system's memory.
#[test]
fn every_answer_follows_its_sync() {
    let dir = tempdir().unwrap();
    let trace = dir.path().join("trace");
    let test = command("child_fills_the_disk", dir.path(), 0);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-s", "16", "-e", "trace=write,pwrite64,fdatasync", "-o"]).arg(&trace);
    strace.args(["sh", "-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]).arg(test.get_program());
    strace.args(test.get_args()).env(DIR, dir.path());
    // Needs a program that no build machine must have, and leave to trace.
    if !strace.output().is_ok_and(|output| output.status.success()) {
        println!("skipped: strace not installed, or not allowed");
        return;
    }
    let mut paid = 0;
    let mut unsynced = BTreeSet::new();
    let mut syncing = HashMap::new(); // by thread, when another's line stands in between
    for line in std::fs::read_to_string(&trace).unwrap().lines() {
        // A segment is written to before it has its name; zeros are room for later.
        let file = line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(file, _)| file);
        let thread = line.split_whitespace().next().unwrap_or_default().to_owned();
        if line.contains("fdatasync resumed") {
            let file: Option<String> = syncing.remove(&thread);
            assert!(line.trim_end().ends_with("= 0"), "{line}");
            file.map(|file| unsynced.remove(&file));
            continue;
        }
        let journal = file.filter(|file| file.contains("/journal-") || file.contains("/spare-"));
        if let Some(file) = journal {
            if line.contains("pwrite64") && !line.contains("\"\\0\\0\\0\\0\\0\\0\\0\\0") {
                unsynced.insert(file.to_owned());
            } else if line.contains("fdatasync") && line.contains("<unfinished") {
                syncing.insert(thread, file.to_owned());
            } else if line.contains("fdatasync") && line.trim_end().ends_with("= 0") {
                unsynced.remove(file);
            }
        } else if line.contains("paid ") {
            assert!(unsynced.is_empty(), "answered before the sync of {unsynced:?}: {line}");
            paid += 1;
        }
    }
    assert!(paid > 50, "{paid} answers seen");
}
