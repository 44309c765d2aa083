//! How long the embedded ledger takes from being opened to serving: after it was closed, and after a process that was
//! loading it was killed. What that process was told is acknowledged must be there.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::{Clock as _, SystemClock};
use ledger::{Embedded, Transfer};
use serde_json::{Value, json};

use super::engines::{Outcome, Peer, Spec, embedded};
use super::events::{Accounts, Ids, LEDGER, Plan, Shape};
use super::facts::{self, Resident};
use super::{Options, existing, proof};
use crate::bench::child::clean;
use crate::bench::{grouped, ms};
use crate::config::Fail;

/// One start.
#[derive(Debug)]
struct Started {
    /// Until the directory was open.
    open: Duration,
    /// Until the first new transfer was acknowledged.
    serving: Duration,
    /// This process's memory then.
    resident: Option<Resident>,
}

/// Opens the directory and has one transfer made.
async fn serve(dir: &Path, between: [u128; 2]) -> Result<(Arc<Embedded>, Started), Fail> {
    let begun = Instant::now();
    let engine = embedded(dir)?;
    let open = begun.elapsed();
    let peer = Peer::Embedded(engine.clone());
    let [debit_account_id, credit_account_id] = between;
    // Greater than any id before, as the time goes on; never taken.
    let id = u128::from(SystemClock.now().as_nanos().cast_unsigned()) << 64 | 1;
    let (amount, ledger, code) = (1, LEDGER, 1);
    let probe =
        Transfer { id, debit_account_id, credit_account_id, amount, ledger, code, ..Transfer::default() };
    let outcome = peer.send_one(probe).await?;
    let serving = begun.elapsed();
    if outcome != (Outcome { created: 1, refused: None }) {
        return Err(Fail::new(format!("the first transfer after the start: {outcome:?}")));
    }
    Ok((engine, Started { open, serving, resident: facts::resident(std::process::id()) }))
}

/// Measures both starts of a directory that holds a ledger; answers with its report.
pub async fn run(spec: &Spec, options: &Options) -> Result<Value, Fail> {
    let Spec::Embedded(dir) = spec else {
        return Err(Fail::new("a start is measured of the embedded engine alone"));
    };
    // As the last run left it: not measured, but the two accounts are asked for here.
    let engine = embedded(dir)?;
    let accounts = Peer::Embedded(engine.clone()).accounts_after(0).await?;
    let [one, other, ..] = accounts.as_slice() else {
        return Err(Fail::new(format!("{} has no two accounts; fill it first", dir.display())));
    };
    let between = [one.id, other.id];
    close(engine);

    let (engine, clean) = serve(dir, between).await?;
    close(engine);
    let mut child = loader(dir, options)?;
    let acknowledged = load_and_kill(&mut child, Duration::from_secs(options.load_s))?;
    let (engine, killed) = serve(dir, between).await?;
    let peer = Peer::Embedded(engine.clone());
    let mut violations = Vec::new();
    for ids in acknowledged.chunks(ledger::BATCH_MAX) {
        let found = peer.transfers(ids.to_vec()).await?.len();
        if found != ids.len() {
            violations.push(format!("{} of {} acknowledged are lost", ids.len() - found, ids.len()));
        }
    }
    if acknowledged.is_empty() {
        violations.push("nothing was acknowledged before the kill".to_owned());
    }
    drop(peer);
    close(engine);
    let bytes = facts::bytes_in(dir)?;
    if !options.json {
        let line = |name: &str, started: &Started| {
            let resident = started.resident.unwrap_or_default();
            let (open, serving) = (ms(us(started.open)), ms(us(started.serving)));
            let mib = resident.anon / 1_024;
            println!("{name}open after {open} ms, serving after {serving} ms, then {mib} MiB of its own");
        };
        println!("on disk     {} MiB, its files likely in the system's cache", bytes >> 20);
        line("closed      ", &clean);
        line("killed      ", &killed);
        println!(
            "proof       {} acknowledged batches, each there after the kill",
            grouped(acknowledged.len() as u64)
        );
        crate::bench::tell(&violations);
        let verdict = if violations.is_empty() { "proved" } else { "NOT PROVED" };
        let [clean, killed] = [&clean, &killed].map(|started| ms(us(started.serving)));
        println!("bench ledger: start serving after {clean} ms closed, {killed} ms killed, {verdict}");
    }
    let said = |started: &Started| {
        json!({"open_us": us(started.open), "serving_us": us(started.serving),
            "anon_kib": started.resident.map(|r| r.anon), "file_kib": started.resident.map(|r| r.file)})
    };
    Ok(json!({
        "engine": spec.name(), "workload": "start", "bytes": bytes, "closed": said(&clean), "killed": said(&killed),
        "acknowledged_batches": acknowledged.len(), "violations": violations, "proved": violations.is_empty(),
    }))
}

/// Stops the engine; nobody else holds it.
pub fn close(engine: Arc<Embedded>) {
    engine.close();
}

fn us(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}

fn loader(dir: &Path, options: &Options) -> Result<Child, Fail> {
    let mut engine = std::ffi::OsString::from("embedded:");
    engine.push(dir);
    let child = clean(&std::env::current_exe()?)
        .args(["bench", "ledger", "--workload", "loader", "--batch", &options.batch.to_string(), "--engine"])
        .arg(engine)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    Ok(child)
}

/// Lets it load for so long from its first acknowledgement, and kills it; answers with what it told.
fn load_and_kill(child: &mut Child, load: Duration) -> Result<Vec<u128>, Fail> {
    let out = child.stdout.take().ok_or_else(|| Fail::new("the loader has no output"))?;
    let mut ids = Vec::new();
    let mut first = None;
    let mut killed = false;
    for line in BufReader::new(out).lines() {
        let line = line?;
        // The last line may be cut short; its batch was then not told.
        if line.len() == 32 {
            ids.push(u128::from_str_radix(&line, 16)?);
        }
        if !killed && first.get_or_insert_with(Instant::now).elapsed() >= load {
            child.kill()?;
            killed = true; // what is in the pipe was told before
        }
    }
    let status = child.wait()?;
    if killed { Ok(ids) } else { Err(Fail::new(format!("the loader ended by itself: {status}"))) }
}

/// The loader: sends batches between the accounts that are there, and says the last id of each, until it is killed.
pub async fn load(spec: &Spec, options: &Options) -> Result<(), Fail> {
    let peer = Peer::open(spec, 1, options.connections, false).await?;
    let found = existing(&peer).await?;
    let accounts = Accounts::Listed(found.iter().map(|a| a.id).collect());
    let at_ms = SystemClock.now().as_nanos().cast_unsigned() / 1_000_000;
    let (seed, batch, ids) = (options.seed, options.batch, Ids::Time);
    let plan =
        Plan { seed, at_ms, accounts, transfers: u64::MAX, batch, ids, shape: Shape::Uniform, history: true };
    let mut events = plan.events();
    let mut out = std::io::stdout().lock();
    while let Some(work) = events.work() {
        for batch in work {
            let count = batch.len() as u64;
            let last = batch.last().map_or(0, |t| t.id);
            let outcome = peer.send(0, peer.form().make(batch)).await?;
            if outcome.created != count {
                return Err(Fail::new(format!("the loader was refused: {outcome:?}")));
            }
            writeln!(out, "{last:032x}")?;
            out.flush()?;
        }
    }
    Ok(())
}

/// Opens a directory again and compares every account; answers with how long it took to open, and what is wrong.
pub async fn reopened(
    dir: &Path,
    expected: &proof::Expected,
    plan: &Plan,
) -> Result<(Duration, Vec<String>), Fail> {
    let begun = Instant::now();
    let engine = embedded(dir)?;
    let took = begun.elapsed();
    let violations = expected.compare(&Peer::Embedded(engine.clone()), plan).await?;
    close(engine);
    Ok((took, violations))
}
