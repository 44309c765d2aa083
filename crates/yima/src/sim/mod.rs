//! `yima sim`: a city played through time in one process, both sides of every biller, with faults; and the proof that all
//! came right. The engines, packs, rules and verbs are the real ones; the clock is moved by hand, and the institutions are
//! behind doors of this process instead of a network.

mod close;
mod day;
mod far;
mod plan;
mod proof;
mod town;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use self::close::Closed;
use self::day::Diary;
use self::plan::Shape;
use self::proof::{BOUND, Proof};
use self::town::Town;
use crate::bench::grouped;
use crate::config::Fail;

/// What to play.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// A month of bills: all ways, with faults; exits 0 only if every payment and every settlement is right.
    Bills(Options),
}

/// The options of `yima sim bills`.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// How many residents, each with one bill.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(2..=5_000_000))]
    residents: u32,
    /// How many of the shipped billers; the most that ship when absent, up to 60.
    #[arg(long, default_value_t = 60)]
    billers: u32,
    /// How many days.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=60))]
    days: u32,
    /// Which month: the same seed, the same outcome.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// With how many of ten thousand questions to an institution something goes wrong.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(0..=5_000))]
    faults_bps: u32,
    /// Keep the city in this directory, which must be empty.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs one.
pub async fn run(command: &Command) -> Result<(), Fail> {
    let Command::Bills(options) = command;
    let (dir, keep) = match &options.data {
        Some(dir) => (dir.clone(), true),
        None => (std::env::temp_dir().join(format!("yima-sim-{}", std::process::id())), false),
    };
    std::fs::create_dir_all(&dir)?;
    if std::fs::read_dir(&dir)?.next().is_some() {
        return Err(Fail::new(format!("{} is not empty", dir.display())));
    }
    let played = bills(options, &dir).await;
    if !keep {
        let _ = std::fs::remove_dir_all(&dir); // it is in the directory for what is temporary
    }
    played
}

/// What a month came to.
struct Month {
    diary: Diary,
    closed: Closed,
    proof: Proof,
    calls: BTreeMap<&'static str, u64>,
    faults: BTreeMap<(&'static str, &'static str), u64>,
    kept: u32,
    mandates: u32,
    enrolled: Duration,
    played: Duration,
    proved: Duration,
}

async fn bills(options: &Options, dir: &Path) -> Result<(), Fail> {
    let shape = Shape::new(options.seed, options.residents, options.billers, options.days);
    let town = Arc::new(Town::open(dir, shape, options.faults_bps).await?);
    let month = play(&town).await;
    if let Ok(town) = Arc::try_unwrap(town) {
        town.close().await;
    }
    let month = month?;
    let mut violations = month.diary.violations.clone();
    violations.extend(month.closed.violations.iter().cloned());
    violations.extend(month.proof.violations.iter().cloned());
    if options.json {
        println!("{:#}", as_json(options, &month, &violations));
    } else {
        print(options, &month, &violations);
    }
    if violations.is_empty() { Ok(()) } else { Err(Fail::new("not everything came right")) }
}

async fn play(town: &Arc<Town>) -> Result<Month, Fail> {
    let begun = Instant::now();
    let said = |what: &str| eprintln!("{:>6.1} s  {what}", begun.elapsed().as_secs_f32());
    town.enrol().await?;
    let enrolled = begun.elapsed();
    said("everybody has moved in");
    let (mut diary, mut closed) = (Diary::default(), Closed::default());
    let mut plan = day::plan(town);
    let mut left = vec![VecDeque::new(); town.billers.len()];
    for day in 0..town.shape.days {
        day::play(town, day, &mut plan, &mut left, &mut diary).await?;
        close::day(town, day, &mut closed).await?;
        said(&format!("{}: {} payments settled", town.date(day), closed.payments));
    }
    let played = begun.elapsed();
    let proof = proof::prove(town, &diary, &closed).await?;
    let (mut calls, mut faults) = (BTreeMap::new(), BTreeMap::new());
    for far in town.billers.iter().filter_map(|side| side.far.as_ref()) {
        far.tally(&mut calls, &mut faults);
    }
    let everybody = 0..town.shape.residents;
    let kept = everybody.clone().filter(|n| town.shape.keeps(*n)).count();
    let mandates = everybody.filter(|n| town.how(*n) == plan::How::Mandate).count();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(Month {
        diary,
        closed,
        proof,
        calls,
        faults,
        kept: count(kept),
        mandates: count(mandates),
        enrolled,
        played: played.saturating_sub(enrolled),
        proved: begun.elapsed().saturating_sub(played),
    })
}

fn ends(month: &Month) -> [u64; 3] {
    let ends = month.proof.ends.as_ref();
    ends.map_or([0; 3], |ends| [ends.value_at_quantile(0.5), ends.value_at_quantile(0.99), ends.max()])
}

fn as_json(options: &Options, month: &Month, violations: &[String]) -> serde_json::Value {
    let Month { diary, closed, proof, .. } = month;
    let [p50, p99, max] = ends(month);
    let faults: BTreeMap<String, u64> =
        month.faults.iter().map(|((kind, fault), count)| (format!("{kind}:{fault}"), *count)).collect();
    json!({
        "residents": options.residents, "billers": options.billers, "days": options.days, "seed": options.seed,
        "faults_bps": options.faults_bps, "bills": diary.billed, "payments": closed.payments,
        "by_way": proof.by_way, "paid_minor": proof.paid_minor, "pending": diary.pending, "voided": proof.voided,
        "advances": proof.advances, "refused": diary.refused, "calls": month.calls, "faults": faults,
        "end_p50_ms": p50, "end_p99_ms": p99, "end_max_ms": max, "bound_ms": u64::try_from(BOUND.as_millis()).unwrap_or(0),
        "settlements": closed.days, "matched": closed.matched, "breaks": closed.breaks,
        "payout_minor": closed.payout_minor, "fee_minor": closed.fee_minor,
        "kept_accounts": month.kept, "mandates": month.mandates, "notes": proof.notes,
        "enrol_s": month.enrolled.as_secs(), "play_s": month.played.as_secs(), "prove_s": month.proved.as_secs(),
        "digest": proof.digest, "violations": violations, "proved": violations.is_empty(),
    })
}

fn print(options: &Options, month: &Month, violations: &[String]) {
    let Month { diary, closed, proof, .. } = month;
    let list = |items: &mut dyn Iterator<Item = (String, u64)>| {
        let texts: Vec<String> = items.map(|(name, count)| format!("{name} {}", grouped(count))).collect();
        texts.join(", ")
    };
    let named = |map: &BTreeMap<&'static str, u64>| list(&mut map.iter().map(|(k, v)| ((*k).to_owned(), *v)));
    let faults = list(&mut month.faults.iter().map(|((kind, fault), n)| (format!("{kind}:{fault}"), *n)));
    let seconds = |d: Duration| format!("{:.1} s", d.as_secs_f32());
    let [p50, p99, max] = ends(month).map(|ms| format!("{}.{:03} s", ms / 1_000, ms % 1_000));
    println!(
        "city         {} residents, {} billers, {} days, seed {}",
        grouped(options.residents),
        options.billers,
        options.days,
        options.seed
    );
    println!(
        "bills        {} came, {} were paid: {}",
        grouped(diary.billed),
        grouped(closed.payments),
        named(&proof.by_way)
    );
    println!("questions    {}", named(&month.calls));
    println!("faults       {} of 10,000: {faults}", options.faults_bps);
    println!("refusals     {}", named(&diary.refused));
    println!(
        "ends         {} were under way when the payer was answered, {} claims let go, {} advances",
        grouped(diary.pending),
        grouped(proof.voided),
        grouped(proof.advances)
    );
    println!(
        "             from claim to end p50 {p50}, p99 {p99}, most {max}; bound {} s (time of the city)",
        BOUND.as_secs()
    );
    println!(
        "settlements  {} billers' days, {} payments matched; breaks planted and found: {}",
        grouped(closed.days),
        grouped(closed.matched),
        named(&closed.breaks)
    );
    println!(
        "paid out     {} fen, {} fen kept for collection",
        grouped(closed.payout_minor.unsigned_abs()),
        grouped(closed.fee_minor.unsigned_abs())
    );
    println!(
        "reminders    {} residents keep their account, {} with a mandate; {} notes",
        grouped(month.kept),
        grouped(month.mandates),
        grouped(proof.notes)
    );
    println!(
        "time         moving in {}, the month {}, the proof {}",
        seconds(month.enrolled),
        seconds(month.played),
        seconds(month.proved)
    );
    println!("digest       {}", proof.digest);
    for why in violations {
        println!("WRONG        {why}");
    }
    let verdict = if violations.is_empty() { "proved" } else { "NOT PROVED" };
    println!("sim bills: {} payments, {verdict}", grouped(closed.payments));
}
