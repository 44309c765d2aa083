//! `yima bench match`: the three-way match of a day with millions of payments, beside a database that does the same join.
//!
//! Three lists as files (the ledger's, the biller's, the bank's), with breaks planted in them by a seed. Whoever matches
//! reads the files and writes down the breaks it finds; both run as processes of their own, in turn, and what they found
//! is held against what was planted: a run that missed or invented one fails.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use city::bill::reconcile::compare::compare;
use city::bill::reconcile::list::{Line, List};
use city::bill::reconcile::rules::{BreakCode, Source};
use city::bill::reconcile::{bank_layout, each_returned};
use kernel::ids::PaymentId;
use kernel::{Money, derive_u128};
use serde_json::json;

use super::child::Scratch;
use super::{grouped, ms, per_second};
use crate::config::Fail;

/// What the database is told; it gets the directory of the files.
const PEER: &str = include_str!("match_duckdb.py");

/// What to match.
#[derive(clap::Args)]
pub struct Options {
    /// How many payments the ledger has.
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    lines: u64,
    /// How many breaks of each kind are planted in each of the two other lists.
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u64).range(0..=100_000))]
    breaks: u64,
    /// Which amounts and which breaks.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How often each is run; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// A Python that has DuckDB: it does the same join in the same run.
    #[arg(long)]
    duckdb: Option<PathBuf>,
    /// Keep the files in this directory, which must be empty.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Match the files of this directory, and say how long it took: the benchmark's own child.
    #[arg(long, hide = true)]
    only: Option<PathBuf>,
}

/// Matches, and holds what was found against what was planted.
pub fn run(options: &Options) -> Result<(), Fail> {
    if let Some(dir) = &options.only {
        return match_files(dir);
    }
    let scratch = Scratch::new(options.data.as_deref(), "match")?;
    let dir = scratch.path();
    let bytes = plant(dir, options)?;
    let mut ours = Vec::new();
    let mut peers = Vec::new();
    for _ in 0..options.rounds {
        let mut own = Command::new(std::env::current_exe()?);
        own.args(["bench", "match", "--only"]).arg(dir);
        ours.push(measure(own, dir)?);
        if let Some(python) = &options.duckdb {
            let mut peer = Command::new(python);
            peer.arg("-c").arg(PEER).arg(dir);
            peers.push(measure(peer, dir)?);
        }
    }
    let (ours, peer) = (median(ours), (!peers.is_empty()).then(|| median(peers)));
    let lines = options.lines;
    if options.json {
        let figures = |found: &Measured| {
            json!({ "ms": found.took.as_millis(), "memory_kib": found.memory_kib, "found": found.found,
                "recall_bps": found.recall_bps, "precision_bps": found.precision_bps })
        };
        let whole = json!({ "lines": lines, "bytes": bytes, "planted": planted(options), "rounds": options.rounds,
            "yima": figures(&ours), "duckdb": peer.as_ref().map(figures) });
        println!("{whole:#}");
    } else {
        println!(
            "files       {} payments in the ledger's list, two lists against it, {} bytes, {} breaks planted",
            grouped(lines),
            grouped(bytes),
            grouped(planted(options))
        );
        tell("yima", &ours);
        if let Some(peer) = &peer {
            tell("duckdb", peer);
            let ratio = |a: u128, b: u128| format!("{}.{:02}", a / b.max(1), a * 100 / b.max(1) % 100);
            println!(
                "ratio       yima takes {} of duckdb's time and {} of its memory",
                ratio(ours.took.as_millis(), peer.took.as_millis()),
                ratio(ours.memory_kib.into(), peer.memory_kib.into()),
            );
        }
        println!(
            "bench match: {} lines/s, {} s, {} MiB, recall and precision 100 %",
            grouped(per_second(lines * 3, ours.took)),
            ms(u64::try_from(ours.took.as_millis())?),
            ours.memory_kib / 1_024
        );
    }
    let exact = |found: &Measured| found.recall_bps == 10_000 && found.precision_bps == 10_000;
    if exact(&ours) { Ok(()) } else { Err(Fail::new("breaks were missed or invented")) }
}

fn tell(name: &str, found: &Measured) {
    println!(
        "{name:<11} {} s, {} MiB at most; {} breaks found: recall {} %, precision {} %",
        ms(u64::try_from(found.took.as_millis()).unwrap_or(u64::MAX)),
        found.memory_kib / 1_024,
        grouped(found.found),
        percent(found.recall_bps),
        percent(found.precision_bps)
    );
}

fn percent(bps: u64) -> String {
    format!("{}.{:02}", bps / 100, bps % 100)
}

/// What a process came to.
struct Measured {
    took: Duration,
    memory_kib: u64,
    found: u64,
    /// How many of the planted breaks were found, and how many of the found were planted; basis points.
    recall_bps: u64,
    precision_bps: u64,
}

fn median(mut runs: Vec<Measured>) -> Measured {
    runs.sort_by_key(|run| run.took);
    let middle = runs.len() / 2;
    runs.swap_remove(middle)
}

/// Runs a process that prints its own time and memory, `MICROSECONDS KIB`, and leaves `found.csv`.
fn measure(mut command: Command, dir: &Path) -> Result<Measured, Fail> {
    let _ = fs::remove_file(dir.join("found.csv")); // of the one before
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(Fail::new(format!("a matching process ended with {}", output.status)));
    }
    let said = String::from_utf8(output.stdout)?;
    let (us, kib) = said.trim().split_once(' ').ok_or_else(|| Fail::new(format!("it said {said:?}")))?;
    let count = |name: &str| -> Result<BTreeMap<String, u64>, Fail> {
        let mut lines = BTreeMap::new();
        for line in BufReader::new(File::open(dir.join(name))?).lines() {
            *lines.entry(line?).or_default() += 1;
        }
        Ok(lines)
    };
    let (planted, found) = (count("planted.csv")?, count("found.csv")?);
    let both: u64 = found.iter().map(|(line, n)| n.min(planted.get(line).unwrap_or(&0))).sum();
    let share = |all: &BTreeMap<String, u64>| {
        let all: u64 = all.values().sum();
        (both * 10_000).checked_div(all).unwrap_or(10_000)
    };
    Ok(Measured {
        took: Duration::from_micros(us.parse()?),
        memory_kib: kib.parse()?,
        found: found.values().sum(),
        recall_bps: share(&planted),
        precision_bps: share(&found),
    })
}

/// How many breaks there are in all: four kinds, two lists.
fn planted(options: &Options) -> u64 {
    options.breaks.min(options.lines / 100) * 8
}

fn reference(seed: u64, number: u64) -> PaymentId {
    PaymentId::from_u128(derive_u128("bench_match", &[&seed.to_be_bytes(), &number.to_be_bytes()]))
}

/// Writes the three lists and what was planted. Says how many bytes the lists have.
fn plant(dir: &Path, options: &Options) -> Result<u64, Fail> {
    let Options { lines, seed, .. } = *options;
    let breaks = options.breaks.min(lines / 100);
    let amount =
        |number: u64| i64::try_from(number.wrapping_mul(seed | 1).wrapping_mul(2_654_435_761) % 900_000);
    let mut bytes = 0;
    let mut planted = BufWriter::new(File::create(dir.join("planted.csv"))?);
    for (name, source) in [("ledger", None), ("biller", Some(Source::Biller)), ("bank", Some(Source::Bank))] {
        let mut file = Sheet::create(&dir.join(format!("{name}.csv")))?;
        let mut plant =
            |code: BreakCode, reference: PaymentId| writeln!(planted, "{name},{},{reference}", code.name());
        // Others list in an order of their own: by a stride that visits every number once.
        let stride = if source.is_none() { 1 } else { coprime(lines, seed) };
        let place = u64::from(source == Some(Source::Bank));
        for step in 0..lines {
            let number = u64::try_from(u128::from(step) * u128::from(stride) % u128::from(lines))?;
            let (id, amount) = (reference(seed, number), amount(number)? + 1);
            // The first numbers of every hundred are where breaks are, those of the bank beside those of the biller.
            let kind =
                (number % 100).checked_sub(place * 3).filter(|_| source.is_some() && number / 100 < breaks);
            match kind {
                Some(0) => plant(BreakCode::MissingThere, id)?,
                Some(1) => {
                    plant(BreakCode::AmountDiffers, id)?;
                    file.line(id, amount + 1)?;
                }
                Some(2) => {
                    plant(BreakCode::Duplicate, id)?;
                    file.line(id, amount)?;
                    file.line(id, amount)?;
                }
                _ => file.line(id, amount)?,
            }
        }
        if source.is_some() {
            for number in 0..breaks {
                let id = reference(seed ^ (place + 1) << 32, lines + number);
                plant(BreakCode::MissingHere, id)?;
                file.line(id, 100)?;
            }
        }
        bytes += file.close()?;
    }
    planted.flush()?;
    Ok(bytes)
}

/// A stride that shares no factor with `lines`.
fn coprime(lines: u64, seed: u64) -> u64 {
    let gcd = |mut a: u64, mut b: u64| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let from = lines / 2 + seed % 1_000 + 1;
    (from..from + lines).find(|stride| gcd(*stride, lines) == 1).unwrap_or(1)
}

/// A list in the layout of the bank's statement.
struct Sheet {
    file: BufWriter<File>,
    count: u64,
    sum: i64,
    bytes: u64,
}

impl Sheet {
    fn create(path: &Path) -> Result<Sheet, Fail> {
        let mut sheet = Sheet {
            file: BufWriter::with_capacity(1 << 20, File::create(path)?),
            count: 0,
            sum: 0,
            bytes: 0,
        };
        sheet.text("reference,amount,date\n")?;
        Ok(sheet)
    }

    fn text(&mut self, text: &str) -> Result<(), Fail> {
        self.bytes += text.len() as u64;
        Ok(self.file.write_all(text.as_bytes())?)
    }

    fn line(&mut self, reference: PaymentId, amount: i64) -> Result<(), Fail> {
        self.count += 1;
        self.sum += amount;
        self.text(&format!("{reference},{},2026-03-02\n", Money::fen(amount).amount()))
    }

    fn close(mut self) -> Result<u64, Fail> {
        let last = format!("TOTAL,{},{}\n", self.count, Money::fen(self.sum).amount());
        self.text(&last)?;
        self.file.flush()?;
        Ok(self.bytes)
    }
}

/// The child: reads the lists as the server reads what is returned, compares them, writes down the breaks.
fn match_files(dir: &Path) -> Result<(), Fail> {
    let begun = Instant::now();
    let read = |name: &str| -> std::io::Result<List> {
        let mut list = List::new(dir.to_path_buf());
        let path = dir.join(format!("{name}.csv"));
        each_returned(bank_layout(), &path, |line: Line| list.push(&line)).map_err(std::io::Error::other)?;
        Ok(list)
    };
    let lists = std::thread::scope(|scope| {
        let running = ["ledger", "biller", "bank"].map(|name| scope.spawn(move || read(name)));
        running.map(|one| one.join().unwrap_or_else(|_| Err(std::io::Error::other("a reader panicked"))))
    });
    let [ledger, biller, bank] = lists;
    let compared = compare(&ledger?, &[(Source::Biller, biller?), (Source::Bank, bank?)])?;
    let mut out = BufWriter::new(File::create(dir.join("found.csv"))?);
    for found in &compared.found {
        writeln!(out, "{},{},{}", found.source.name(), found.code.name(), found.reference)?;
    }
    out.flush()?;
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    println!("{} {}", begun.elapsed().as_micros(), peak.trim().trim_end_matches(" kB"));
    Ok(())
}
