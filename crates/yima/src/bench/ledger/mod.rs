//! `yima bench ledger`: what a ledger engine does a second, beside other engines that get the same events.
//!
//! The embedded engine runs in this process, as it does in the server; the others are servers of their own, on the same
//! machine or not. Each engine has to prove its result: every answer, every balance, samples of transfers, and for the
//! embedded engine all balances again after it was closed and opened.

mod drive;
mod engines;
mod events;
mod facts;
mod proof;
mod report;
mod start;
mod store;
mod zipf;

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use kernel::{Clock as _, SystemClock};
use ledger::BATCH_MAX;

use self::drive::Load;
use self::engines::{Held, Peer, Spec};
use self::events::{Accounts, Ids, Plan, Shape};
use self::proof::Expected;
use self::report::Report;
use super::machine;
use super::progress::Progress;
use crate::config::Fail;

/// What to have the engines do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// Batches between any two accounts.
    Uniform,
    /// One account pays in every transfer.
    Hot,
    /// Busy and quiet accounts, by Zipf's law with exponent 0.99.
    Zipf,
    /// A batch of pending transfers, then a batch that posts them.
    TwoPhase,
    /// Many callers, each with one transfer at a time.
    Callers,
    /// As uniform, then the newest 100 transfers of random accounts.
    History,
    /// The time from opening an existing directory to serving, after a close and after a kill.
    Start,
    /// As uniform; tells the memory after each fifth.
    Memory,
    /// Loads an existing directory until it is killed.
    #[value(hide = true)]
    Loader,
}

/// How to measure.
#[derive(clap::Args)]
pub struct Options {
    /// embedded:DIR, tigerbeetle:CLUSTER@ADDRESSES or postgres://…; several take their turns, the first is compared with
    /// the others.
    #[arg(long = "engine", required = true)]
    engines: Vec<Spec>,
    /// What to do.
    #[arg(long, value_enum, default_value_t = Workload::Uniform)]
    workload: Workload,
    /// Among how many accounts.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(2..=1_000_000_000))]
    accounts: u64,
    /// How many transfers; a post is one.
    #[arg(long, default_value_t = 10_000_000)]
    transfers: u64,
    /// How many in one request.
    #[arg(long, default_value_t = BATCH_MAX as u64, value_parser = clap::value_parser!(u64).range(1..=BATCH_MAX as u64))]
    batch: u64,
    /// How many requests are under way at the same time; TigerBeetle gets a client for each.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=32))]
    in_flight: u16,
    /// How many callers there are (`callers`).
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    callers: u32,
    /// How many accounts are asked for their history (`history`).
    #[arg(long, default_value_t = 10_000)]
    queries: u64,
    /// How ids are chosen.
    #[arg(long, value_enum, default_value_t = Ids::Time)]
    ids: Ids,
    /// Which events; the same seed makes the same transfers.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Accounts do not keep their balance after each transfer.
    #[arg(long)]
    no_history: bool,
    /// Go on with the accounts that are there.
    #[arg(long)]
    existing: bool,
    /// Connections to PostgreSQL.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connections: u32,
    /// TigerBeetle's process on this machine: its memory, processor time and files are told.
    #[arg(long)]
    server_pid: Option<u32>,
    /// How many seconds a process loads before it is killed (`start`).
    #[arg(long, default_value_t = 5)]
    load_s: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Measures one engine after the other, and proves.
pub async fn run(options: &Options) -> Result<(), Fail> {
    let at_ms = SystemClock.now().as_nanos().cast_unsigned() / 1_000_000;
    let (mut reports, mut said) = (Vec::new(), Vec::new());
    for spec in &options.engines {
        match options.workload {
            Workload::Loader => return start::load(spec, options).await,
            Workload::Start => said.push(start::run(spec, options).await?),
            _ => {
                let report = measure(spec, options, at_ms).await?;
                if !options.json {
                    report.print();
                }
                said.push(report.json());
                reports.push(report);
            }
        }
    }
    let proved = said.iter().all(|report| report["proved"] == true);
    if options.json {
        println!("{:#}", serde_json::Value::Array(said));
    } else {
        report::print_ratios(&reports);
    }
    if proved { Ok(()) } else { Err(Fail::new("the proof failed")) }
}

impl Workload {
    fn shape(self) -> Shape {
        match self {
            Workload::Hot => Shape::Hot,
            Workload::Zipf => Shape::Zipf,
            Workload::TwoPhase => Shape::TwoPhase,
            _ => Shape::Uniform,
        }
    }
}

async fn measure(spec: &Spec, options: &Options, at_ms: u64) -> Result<Report, Fail> {
    let own = std::process::id();
    let (pid, server) = match spec {
        Spec::Embedded(dir) => {
            prepare(dir, options.existing)?;
            (Some(own), None)
        }
        Spec::TigerBeetle(..) => (options.server_pid, options.server_pid),
        Spec::Postgres(_) => (None, None),
    };
    let sync = sync_time(spec)?;
    let resident = || pid.and_then(facts::resident);
    let before = resident();
    let lanes = usize::from(options.in_flight);
    let peer = Rc::new(Peer::open(spec, lanes, options.connections, !options.existing).await?);

    let (accounts, found) = if options.existing {
        let found = existing(&peer).await?;
        (Accounts::Listed(found.iter().map(|a| a.id).collect()), Some(found))
    } else {
        (Accounts::new(options.ids, options.seed, at_ms, options.accounts), None)
    };
    let plan = Plan {
        seed: options.seed,
        at_ms,
        accounts,
        transfers: options.transfers,
        batch: options.batch,
        ids: options.ids,
        shape: options.workload.shape(),
        history: !options.no_history,
    };
    if plan.accounts.len() < 2 {
        return Err(Fail::new("there are no two accounts to go on with"));
    }
    let mut violations = Vec::new();
    let creating = if found.is_none() { Some(create(&peer, &plan, &mut violations).await?) } else { None };
    let with_accounts = resident();

    let cpu = || [machine::used(own), server.and_then(machine::used)];
    let cpu_before = cpu();
    let callers = usize::try_from(options.callers)?;
    let is_callers = options.workload == Workload::Callers;
    let mut load = if is_callers {
        drive::callers(&peer, &plan, callers, pid).await?
    } else {
        drive::batches(&peer, &plan, lanes, pid).await?
    };
    let cpu_after = cpu();
    let used = |at: usize| cpu_after[at]?.checked_sub(cpu_before[at]?);
    violations.append(&mut load.violations);
    check_count(&plan, &load, &mut violations);
    let queries = if options.workload == Workload::History {
        let mut queries = drive::history(&peer, &plan, options.queries).await?;
        violations.append(&mut queries.violations);
        Some(queries)
    } else {
        None
    };

    let mut expected =
        found.as_deref().map_or_else(|| Expected::nothing(&plan), |found| Ok(Expected::now(found)))?;
    expected.add(&plan);
    violations.extend(expected.compare(&peer, &plan).await?);
    violations.extend(proof::samples(&peer, &load.samples).await?);
    let (bytes, reopened) = match (spec, &*peer) {
        (Spec::Embedded(dir), Peer::Embedded(engine)) => {
            start::close(engine.clone());
            drop(peer);
            let bytes = facts::bytes_in(dir)?;
            let (took, differences) = start::reopened(dir, &expected, &plan).await?;
            violations.extend(differences.iter().map(|what| format!("opened again: {what}")));
            (Some(bytes), Some(took))
        }
        (_, Peer::Postgres(baseline)) => (Some(baseline.bytes().await?), None),
        _ => (server.and_then(facts::bytes_of), None),
    };
    let name =
        options.workload.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned());
    Ok(Report {
        engine: spec.name(),
        workload: name,
        accounts: plan.accounts.len(),
        creating,
        batch: if is_callers { 1 } else { options.batch },
        lanes: if is_callers { callers } else { lanes },
        sync,
        load,
        queries,
        bytes,
        cpu: [used(0), used(1)],
        memory: [before, with_accounts],
        reopened,
        violations,
    })
}

/// A new ledger begins with an empty directory; one that goes on has one.
fn prepare(dir: &Path, existing: bool) -> Result<(), Fail> {
    let at = |e| Fail::new(format!("{}: {e}", dir.display()));
    if existing {
        return if dir.is_dir() { Ok(()) } else { Err(Fail::new(format!("{} is not there", dir.display()))) };
    }
    std::fs::create_dir_all(dir).map_err(at)?;
    if std::fs::read_dir(dir).map_err(at)?.next().is_some() {
        return Err(Fail::new(format!(
            "{} is not empty; --existing goes on with what it holds",
            dir.display()
        )));
    }
    Ok(())
}

/// Beside the directory of the embedded engine; where the others have their files is not known here. In a directory of
/// its own, since several runs may look at the same disk.
fn sync_time(spec: &Spec) -> Result<Duration, Fail> {
    let beside = match spec {
        Spec::Embedded(dir) => {
            dir.parent().filter(|parent| !parent.as_os_str().is_empty()).map(Path::to_owned)
        }
        _ => Some(std::env::temp_dir()),
    };
    let dir = beside.unwrap_or_default().join(format!("yima-bench-sync-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let took = machine::sync_time(&dir);
    std::fs::remove_dir_all(&dir)?;
    Ok(took?)
}

/// All accounts that are there, in the order of their creation.
async fn existing(peer: &Peer) -> Result<Vec<Held>, Fail> {
    let mut found: Vec<Held> = Vec::new();
    loop {
        let page = peer.accounts_after(found.last().map_or(0, |a| a.timestamp)).await?;
        if page.is_empty() {
            return Ok(found);
        }
        found.extend(page);
    }
}

async fn create(peer: &Peer, plan: &Plan, violations: &mut Vec<String>) -> Result<Duration, Fail> {
    let begun = Instant::now();
    let mut made = 0;
    let progress = Progress::new("accounts", usize::try_from(plan.accounts.len())?);
    while made < plan.accounts.len() {
        let events = plan.create(made);
        let count = events.len() as u64;
        let outcome = peer.create_accounts(events).await?;
        if outcome.created != count {
            violations
                .push(format!("{} of {count} accounts were created: {:?}", outcome.created, outcome.refused));
        }
        made += count;
        progress.reach(usize::try_from(made)?);
    }
    let took = begun.elapsed();
    peer.settle().await?;
    Ok(took)
}

fn check_count(plan: &Plan, load: &Load, violations: &mut Vec<String>) {
    // A pair is not cut in two.
    let planned = if plan.shape == Shape::TwoPhase { plan.transfers / 2 * 2 } else { plan.transfers };
    if load.created != planned {
        violations.push(format!("{} of {planned} transfers were created", load.created));
    }
}
