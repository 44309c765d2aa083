//! `yima pack certify`: builds the other side of a pack from the pack itself and runs it against a real city in this
//! process: an embedded ledger, a database, real sockets, and a clock that is moved by hand. Must be able to fail: what
//! the product answers is compared with what a second reading of the pack comes to, and the books are looked at after
//! every case.

mod accounts;
mod asked;
mod files;
mod generate;
mod naive;
mod play;
mod report;
mod settle;
mod stage;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use channel::bank::spec::Spec as LineSpec;
use city::bill::pack::Source;
use city::bill::provider::{Connection, ProviderSetting, Providers};
use city::bill::route::spec::Way;
use city::bill::route::{DoorSetting, Doors, Lines};
use city::bill::{Pack, shipped_packs};
use kernel::{Clock, ManualClock, SystemClock};
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use self::play::{BankLine, Flaw, HttpEnd, Side};
use self::report::{Case, Outcome, Report, Signer};
use self::stage::{Stage, Town, first_morning};
use crate::config::Fail;

/// The options of `yima pack certify`.
#[derive(clap::Args, Debug, Clone)]
pub struct Options {
    /// The packs.
    files: Vec<PathBuf>,
    /// Those that ship with Yima, and 1,000 generated ones unless `--generate` says how many.
    #[arg(long)]
    all: bool,
    /// So many generated ones besides.
    #[arg(long, value_name = "N")]
    generate: Option<usize>,
    /// What generated packs, accounts and amounts are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The description of a line to a bank that packs name: NAME=FILE; that of the guide where none is given.
    #[arg(long = "line", value_name = "NAME=FILE")]
    lines: Vec<String>,
    /// The description of a connection to a service provider that packs name: NAME=FILE; a plain one where none is given.
    #[arg(long = "provider", value_name = "NAME=FILE")]
    providers: Vec<String>,
    /// The reports as JSON, one line a pack, instead of text.
    #[arg(long)]
    json: bool,
    /// Show every case, and not only those that failed.
    #[arg(long)]
    cases: bool,
    /// The key that reports are signed with; made where there is none.
    #[arg(long, value_name = "FILE", default_value = "certifier.key")]
    key: PathBuf,
    /// Where the signed reports go, and the texts of generated packs.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How many cities at once.
    #[arg(long, default_value_t = 16)]
    jobs: usize,
    /// How long a question waits for its answer, in milliseconds.
    #[arg(long, default_value_t = 700)]
    patience_ms: u64,
    /// Play the other side with this flaw, to see the certifier find it.
    #[arg(long, value_enum)]
    flaw: Option<Flaw>,
}

/// The options of `yima pack verify`.
#[derive(clap::Args, Debug)]
pub struct VerifyOptions {
    /// A signed report.
    report: PathBuf,
    /// The public half of the key that must have signed it, hexadecimal.
    #[arg(long)]
    key: String,
    /// The pack that it must be about.
    #[arg(long)]
    pack: Option<PathBuf>,
}

/// The line that the guide describes.
const GUIDE_LINE: &str = include_str!("../../../../../docs/guides/bank-line.toml");
/// A service provider as one may be.
const PLAIN_PROVIDER: &str = include_str!("provider.toml");
/// How many packs share a city, one after another.
const PER_CITY: usize = 8;

/// A pack to be tried.
pub struct Subject {
    name: String,
    text: String,
    pack: Result<Pack, String>,
    /// The lines that it names, by name.
    lines: BTreeMap<String, String>,
}

impl Subject {
    /// With the descriptions of the lines and connections that are given, by name; those of a provider as `provider/NAME`.
    fn new(name: String, text: String, given: &BTreeMap<String, String>) -> Subject {
        let pack = Pack::parse(&text).map_err(|why| format!("{}: {why}", why.code()));
        let channels = pack.as_ref().map(|pack| pack.spec.channels.as_slice()).unwrap_or_default();
        let named = channels.iter().filter_map(|channel| match (&channel.bank, &channel.provider) {
            (Some(bank), _) => Some((bank.line.clone(), GUIDE_LINE)),
            (_, Some(provider)) => Some((format!("provider/{}", provider.connection), PLAIN_PROVIDER)),
            _ => None,
        });
        let text_of = |(name, plain): (String, &str)| {
            let text = given.get(&name).map_or(plain, String::as_str).to_owned();
            (name, text)
        };
        let lines = named.map(text_of).collect();
        Subject { name, text, pack, lines }
    }
}

/// With which of its ways a pack is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ways {
    /// It has none: bills come by file.
    None,
    /// This one alone.
    One(usize),
    /// All together.
    All,
}

struct Run {
    subject: usize,
    ways: Ways,
}

/// Those who carry many billers, in one city.
#[derive(Default)]
struct Carriers {
    banks: BTreeMap<String, Arc<BankLine>>,
    providers: BTreeMap<String, (Arc<HttpEnd>, Arc<Connection>)>,
}

/// What all workers share.
struct Work {
    options: Options,
    subjects: Vec<Subject>,
    batches: Mutex<VecDeque<Vec<Run>>>,
    /// Cases and payments of each pack, by the way they were found with.
    found: Mutex<BTreeMap<(usize, usize), Found>>,
    dir: PathBuf,
    cities: AtomicUsize,
}

#[derive(Default)]
struct Found {
    cases: Vec<Case>,
    payments: u64,
    amount_minor: i64,
}

/// Tries packs, prints what came of it, and signs it. Fails when a case of a pack does.
pub async fn run(options: &Options) -> Result<(), Fail> {
    let subjects = subjects(options)?;
    if subjects.is_empty() {
        return Err(Fail::new("no pack was named: FILE…, --generate N or --all"));
    }
    let key = Signer::open(&options.key)?;
    let begun = SystemClock.now();
    let reports = certify(options, subjects).await?;
    let took = SystemClock.now().since(begun);
    if let Some(out) = &options.out {
        std::fs::create_dir_all(out)?;
        for (report, text) in &reports {
            let signed = report.sign(&key)?;
            std::fs::write(out.join(format!("{}.report.json", report.pack)), format!("{signed}\n"))?;
            std::fs::write(out.join(format!("{}.toml", report.pack)), text)?;
        }
    }
    let failed = reports.iter().filter(|(report, _)| !report.passed).count();
    for (report, _) in &reports {
        if options.json {
            println!("{}", report.sign(&key)?);
        } else if reports.len() <= 20 || !report.passed || options.cases {
            print!("{}", report.text(options.cases));
        }
    }
    let sum = |outcome| reports.iter().map(|(report, _)| report.count(outcome)).sum::<usize>();
    let (passed, wrong, none) = (sum(Outcome::Passed), sum(Outcome::Failed), sum(Outcome::NotApplicable));
    let payments: u64 = reports.iter().map(|(report, _)| report.payments).sum();
    let summary = format!(
        "{} packs, {failed} failed; {} cases: {passed} passed, {wrong} failed, {none} not applicable; {payments} \
         payments; {:.1} s; signed by {}",
        reports.len(),
        passed + wrong + none,
        took.as_secs_f64(),
        key.public(),
    );
    if options.json {
        eprintln!("{summary}");
    } else {
        println!("{summary}");
    }
    if failed > 0 { Err(Fail::new(format!("{failed} packs did not pass"))) } else { Ok(()) }
}

/// Checks a signed report.
pub fn verify(options: &VerifyOptions) -> Result<(), Fail> {
    let found = report::verify(&options.report, &options.key)?;
    if let Some(path) = &options.pack {
        let text = read(path)?;
        if hash(&text) != found.pack_sha256 {
            return Err(Fail::new(format!("the report is of another text than {}", path.display())));
        }
    }
    let how = if found.passed { "passed" } else { "did not pass" };
    println!("{} ({}) {how} at {}, by Yima {}", found.pack, found.pack_sha256, found.at, found.yima);
    if found.passed { Ok(()) } else { Err(Fail::new("the pack did not pass")) }
}

fn read(path: &Path) -> Result<String, Fail> {
    std::fs::read_to_string(path).map_err(|e| Fail::new(format!("{}: {e}", path.display())))
}

fn hash(text: &str) -> String {
    kernel::hex(&Sha256::digest(text.as_bytes()))
}

fn subjects(options: &Options) -> Result<Vec<Subject>, Fail> {
    let mut lines = BTreeMap::new();
    for given in &options.lines {
        let (name, path) = given.split_once('=').ok_or_else(|| Fail::new("a line is NAME=FILE"))?;
        lines.insert(name.to_owned(), read(Path::new(path))?);
    }
    for given in &options.providers {
        let (name, path) = given.split_once('=').ok_or_else(|| Fail::new("a provider is NAME=FILE"))?;
        lines.insert(format!("provider/{name}"), read(Path::new(path))?);
    }
    let mut subjects = Vec::new();
    for path in &options.files {
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        subjects.push(Subject::new(name, read(path)?, &lines));
    }
    if options.all {
        subjects.extend(
            shipped_packs().iter().map(|pack| Subject::new(pack.spec.id.clone(), pack.text.clone(), &lines)),
        );
    }
    let count = options.generate.unwrap_or(if options.all { 1_000 } else { 0 });
    for nth in 0..count {
        let made = generate::pack(options.seed, nth);
        subjects.push(Subject::new(made.id, made.text, &made.lines));
    }
    Ok(subjects)
}

async fn certify(options: &Options, subjects: Vec<Subject>) -> Result<Vec<(Report, String)>, Fail> {
    let dir = std::env::temp_dir().join(format!(
        "yima-certify-{}-{}",
        std::process::id(),
        SystemClock.now().as_nanos()
    ));
    let work = Arc::new(Work {
        options: options.clone(),
        batches: Mutex::new(batches(&subjects).into()),
        subjects,
        found: Mutex::default(),
        dir: dir.clone(),
        cities: AtomicUsize::new(0),
    });
    let mut workers = JoinSet::new();
    for _ in 0..options.jobs.clamp(1, 256) {
        let work = work.clone();
        workers.spawn(async move { work.go().await });
    }
    let mut first = Ok(());
    while let Some(ended) = workers.join_next().await {
        let ended = ended.map_err(|e| Fail::new(e.to_string())).and_then(|ended| ended);
        first = first.and(ended);
    }
    let _ = std::fs::remove_dir_all(&dir); // what cannot be removed is the system's to clean
    first?;
    let at = SystemClock.now().to_string();
    let mut found = std::mem::take(&mut *work.found.lock().unwrap_or_else(PoisonError::into_inner));
    let reports = work.subjects.iter().enumerate().map(|(nth, subject)| {
        let own: Vec<Found> = (0..=9).filter_map(|way| found.remove(&(nth, way))).collect();
        (report_of(subject, own, &at, options.seed), subject.text.clone())
    });
    Ok(reports.collect())
}

fn report_of(subject: &Subject, found: Vec<Found>, at: &str, seed: u64) -> Report {
    let read = Case {
        channel: None,
        name: "pack_is_read".to_owned(),
        outcome: if subject.pack.is_ok() { Outcome::Passed } else { Outcome::Failed },
        why: subject.pack.as_ref().err().cloned(),
    };
    let (mut cases, mut payments, mut amount_minor) = (vec![read], 0, 0);
    for one in found {
        payments += one.payments;
        amount_minor += one.amount_minor;
        cases.extend(one.cases);
    }
    Report {
        format: 1,
        pack: subject.pack.as_ref().map_or_else(|_| subject.name.clone(), |pack| pack.spec.id.clone()),
        pack_sha256: hash(&subject.text),
        lines: subject.lines.iter().map(|(name, text)| (name.clone(), hash(text))).collect(),
        yima: env!("CARGO_PKG_VERSION").to_owned(),
        at: at.to_owned(),
        seed,
        passed: cases.iter().all(|case| case.outcome != Outcome::Failed),
        payments,
        amount_minor,
        cases,
    }
}

/// What is tried in which city: a pack with several ways in several, for a city knows all doors from its beginning.
fn batches(subjects: &[Subject]) -> Vec<Vec<Run>> {
    let mut rounds: BTreeMap<usize, Vec<Run>> = BTreeMap::new();
    for (nth, subject) in subjects.iter().enumerate() {
        let Ok(pack) = &subject.pack else { continue };
        let count = pack.spec.channels.len();
        if count == 0 {
            rounds.entry(0).or_default().push(Run { subject: nth, ways: Ways::None });
        }
        for at in 0..count {
            rounds.entry(at).or_default().push(Run { subject: nth, ways: Ways::One(at) });
        }
        if count > 1 {
            rounds.entry(8).or_default().push(Run { subject: nth, ways: Ways::All });
        }
    }
    let mut batches = Vec::new();
    for (round, runs) in rounds {
        // Where a way is to be lost, nobody else may need it.
        let together = if round == 8 { 1 } else { PER_CITY };
        let mut runs = runs.into_iter().peekable();
        while runs.peek().is_some() {
            batches.push(runs.by_ref().take(together).collect());
        }
    }
    batches
}

impl Work {
    async fn go(&self) -> Result<(), Fail> {
        loop {
            let batch = self.batches.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(batch) = batch else { return Ok(()) };
            self.city(&batch).await?;
        }
    }

    /// Tries some packs in a city of their own.
    async fn city(&self, batch: &[Run]) -> Result<(), Fail> {
        let patience = Duration::from_millis(self.options.patience_ms.max(50));
        let clock = Arc::new(ManualClock::new(first_morning()));
        let (mut doors, mut carriers, mut all) = (Doors::new(), Carriers::default(), Vec::new());
        for run in batch {
            let subject = &self.subjects[run.subject];
            all.push(self.sides(subject, run.ways, &clock, patience, &mut carriers, &mut doors).await);
        }
        let lines: Lines =
            carriers.banks.iter().filter_map(|(name, bank)| Some((name.clone(), bank.setting()?))).collect();
        let provider = |(name, (end, connection)): (&String, &(Arc<HttpEnd>, Arc<Connection>))| {
            let DoorSetting { url, secrets, tls } = end.door()?;
            Some((name.clone(), ProviderSetting { url, connection: connection.clone(), secrets, tls }))
        };
        let providers: Providers = carriers.providers.iter().filter_map(provider).collect();
        let nth = self.cities.fetch_add(1, Ordering::Relaxed);
        let dir = self.dir.join(nth.to_string());
        let mut town =
            Town::open(&dir, clock, (doors, lines, providers), patience, self.options.seed).await?;
        for (run, sides) in batch.iter().zip(all) {
            let found = self.one(&mut town, run, sides, patience).await;
            let way = match run.ways {
                Ways::None => 0,
                Ways::One(at) => at,
                Ways::All => 8,
            };
            self.found.lock().unwrap_or_else(PoisonError::into_inner).insert((run.subject, way), found);
            town.next_morning();
        }
        town.close().await;
        Ok(())
    }

    /// The other sides of a pack's ways.
    async fn sides(
        &self,
        subject: &Subject,
        ways: Ways,
        clock: &Arc<ManualClock>,
        patience: Duration,
        carriers: &mut Carriers,
        doors: &mut Doors,
    ) -> Result<Vec<Side>, Fail> {
        let Ok(pack) = &subject.pack else { return Ok(Vec::new()) };
        let flaw = self.options.flaw;
        let mut sides = Vec::new();
        for (at, channel) in pack.spec.channels.iter().enumerate() {
            if ways != Ways::All && ways != Ways::One(at) {
                continue;
            }
            if let Some(spec) = &channel.direct {
                let end = HttpEnd::start(spec, clock.clone(), patience, flaw).await?;
                doors.extend(end.door().map(|door| (format!("{}/{}", pack.spec.id, channel.name), door)));
                sides.push(end.carry(channel));
            } else if let Some(bank) = &channel.bank {
                let line = if let Some(line) = carriers.banks.get(&bank.line) {
                    line.clone()
                } else {
                    let text = subject.lines.get(&bank.line).map_or(GUIDE_LINE, String::as_str);
                    let spec: LineSpec = toml::from_str(text)?;
                    let line = BankLine::start(&spec, clock.clone(), patience, self.options.seed).await?;
                    carriers.banks.insert(bank.line.clone(), line.clone());
                    line
                };
                sides.push(line.carry(channel));
            } else if let Some(provider) = &channel.provider {
                let end = if let Some((end, _)) = carriers.providers.get(&provider.connection) {
                    end.clone()
                } else {
                    let name = format!("provider/{}", provider.connection);
                    let text = subject.lines.get(&name).map_or(PLAIN_PROVIDER, String::as_str);
                    let connection = Connection::parse(text)
                        .map_err(|why| Fail::new(format!("{name}: {}: {}", why.key, why.why)))?;
                    let end = HttpEnd::start(&connection.direct, clock.clone(), patience, flaw).await?;
                    let known = (end.clone(), Arc::new(connection));
                    carriers.providers.insert(provider.connection.clone(), known);
                    end
                };
                sides.push(end.carry(channel));
            }
        }
        Ok(sides)
    }

    /// Tries one pack.
    async fn one(
        &self,
        town: &mut Town,
        run: &Run,
        sides: Result<Vec<Side>, Fail>,
        patience: Duration,
    ) -> Found {
        let failed = |why: String| Found {
            cases: vec![Case {
                channel: None,
                name: "stage".to_owned(),
                outcome: Outcome::Failed,
                why: Some(why),
            }],
            ..Found::default()
        };
        let Ok(pack) = &self.subjects[run.subject].pack else { return Found::default() };
        let mut sides = match sides {
            Ok(sides) => sides,
            Err(why) => return failed(why.to_string()),
        };
        let mut stage = match town.stage(pack).await {
            Ok(stage) => stage,
            Err(why) => return failed(why.to_string()),
        };
        match run.ways {
            Ways::None => files::run(&mut stage, true).await,
            Ways::All => asked::run_all(&mut stage, &mut sides).await,
            Ways::One(at) => {
                if at == 0 && pack.spec.bills.source == Source::File {
                    files::run(&mut stage, false).await;
                }
                match sides.first_mut() {
                    Some(side) => asked::run(&mut stage, side, patience).await,
                    None => unknown_way(&mut stage, pack.spec.channels[at].way()),
                }
            }
        }
        stage.channel = None;
        if run.ways != Ways::All {
            settle::run(&mut stage).await;
        }
        Found {
            payments: stage.paid.len() as u64,
            amount_minor: stage.paid.iter().map(|row| row.amount).sum(),
            cases: stage.cases,
        }
    }
}

fn unknown_way(stage: &mut Stage, way: Way) {
    let why = format!("nobody plays the other side of a way of kind {}", way.name());
    stage.cases.push(Case {
        channel: None,
        name: "way".to_owned(),
        outcome: Outcome::Failed,
        why: Some(why),
    });
}
