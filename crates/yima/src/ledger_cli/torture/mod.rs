//! `yima ledger torture`: an engine in a process of its own is killed (SIGKILL) at random moments, while it
//! opens, under load, in the background, while it closes. This process stands outside, remembers what was
//! acknowledged, and after each kill holds it against what is there (`model` says how). The first contradiction
//! ends the run, leaves everything as it is, and exits non-zero.

mod model;
#[cfg(test)]
mod model_tests;
mod plan;
mod process;
mod victim;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::{Clock as _, ManualClock, SystemClock, Timestamp};
use ledger::audit::{self, AuditError, AuditReport};
use ledger::{Account, Embedded, Transfer};

use self::model::{Events, Model, Settled, Tally};
use self::plan::Plan;
use self::process::{End, Gone, Victim};
use self::wire::Message;
use crate::bench::Scratch;
use crate::config::Fail;

pub use self::victim::{VictimOptions, victim};

/// How long a victim lives, milliseconds.
const LIFE_MS: std::ops::Range<u64> = 5..300;
/// In how many lives of a hundred the time runs from the start of the process, not of the load.
const EARLY_PERCENT: u64 = 30;
/// In how many lives of a hundred it is told to close, and killed while or after it does.
const CLOSE_PERCENT: u64 = 20;
/// At most so long before it is killed, microseconds.
const CLOSE_US: u64 = 6_000;
/// How long an engine may take to open, or to answer.
const ANSWER_MAX: Duration = Duration::from_mins(2);
/// How long what is due may take to expire on an engine that has nothing else to do.
const EXPIRY_MAX: Duration = Duration::from_secs(20);
/// How many settled requests are kept, to be sent again at any later time.
const KEPT: usize = 2_000;

/// How to torture.
#[derive(clap::Args)]
pub struct Options {
    /// How often to kill it.
    #[arg(long, default_value_t = 100)]
    rounds: u32,
    /// Which requests and which moments.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep the ledger in this directory, which must be empty.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Audit the whole journal after so many kills, and at the end.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    audit_every: u32,
    /// Bytes of a journal file; small, so that many are begun.
    #[arg(long, default_value_t = 256 << 10)]
    file_bytes: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What a run met.
#[derive(Debug, Default)]
struct Report {
    tally: Tally,
    /// Kills before the observer had settled what came before.
    killed_early: u64,
    /// Kills under load or in idleness.
    killed_at_work: u64,
    /// Kills after it was told to close.
    killed_closing: u64,
    /// It had closed before it was killed.
    closed: u64,
    torn: u64,
    audits: u64,
    transfers: usize,
    accounts: usize,
    took: Duration,
}

/// Why a life is over.
enum Stop {
    Gone,
    Wrong(Fail),
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Stop {
        Stop::Gone
    }
}

fn wrong(why: impl Into<String>) -> Stop {
    Stop::Wrong(Fail::new(why))
}

struct Observer {
    dir: PathBuf,
    log: PathBuf,
    file_bytes: u64,
    plan: Plan,
    model: Model,
    /// Settled requests, to be sent again.
    kept: Vec<Settled>,
    /// Those that nobody was told about: their caller would ask again at once.
    again: Vec<Settled>,
    number: u64,
    report: Report,
}

/// Kills, and proves.
pub async fn run(options: &Options) -> Result<(), Fail> {
    let mut scratch = Scratch::new(options.data.as_deref(), "torture")?;
    let begun = Instant::now();
    let mut observer = Observer {
        dir: scratch.path().join("ledger"),
        log: scratch.path().join("engine.log"),
        file_bytes: options.file_bytes,
        plan: Plan::new(options.seed),
        model: Model::default(),
        kept: Vec::new(),
        again: Vec::new(),
        number: 0,
        report: Report::default(),
    };
    let result = observer.torture(options).await;
    observer.report.took = begun.elapsed();
    if let Err(why) = result {
        scratch.keep();
        return Err(Fail::new(format!(
            "torture with seed {}: {why}\nthe ledger is left in {}",
            options.seed,
            observer.dir.display()
        )));
    }
    observer.report.tell(options);
    Ok(())
}

impl Observer {
    async fn torture(&mut self, options: &Options) -> Result<(), Fail> {
        for round in 1..=options.rounds {
            self.round().map_err(|why| Fail::new(format!("round {round}: {why}")))?;
            if round % options.audit_every == 0 {
                self.audit().await.map_err(|why| Fail::new(format!("audit after round {round}: {why}")))?;
            }
            if !options.json && round % 50 == 0 {
                let Tally { acknowledged_events, in_doubt, .. } = self.report.tally;
                println!(
                    "round {round:>5}   {acknowledged_events} events acknowledged, {in_doubt} requests in doubt"
                );
            }
        }
        self.finish().await.map_err(|why| Fail::new(format!("at the end: {why}")))
    }

    /// One life and its end.
    fn round(&mut self) -> Result<(), Fail> {
        let mut victim = Victim::start(&self.dir, self.file_bytes, &self.log)?;
        let life = Duration::from_millis(self.plan.within(LIFE_MS));
        let early = self.plan.percent(EARLY_PERCENT);
        if early {
            victim.kill_after(life);
        }
        let mut settled = false;
        let mut closing = false;
        let why = match self.settle(&mut victim) {
            Ok(()) => {
                settled = true;
                if !early {
                    victim.kill_after(life);
                }
                self.load(&mut victim, life, &mut closing)
            }
            Err(stop) => stop,
        };
        if let Stop::Wrong(why) = why {
            return Err(why);
        }
        let (end, unheard) = victim.end(&self.log)?;
        for (number, message) in unheard {
            self.hear(number, message, closing)?;
        }
        match end {
            End::Closed => self.report.closed += 1,
            End::Killed if closing => self.report.killed_closing += 1,
            End::Killed if settled => self.report.killed_at_work += 1,
            End::Killed => self.report.killed_early += 1,
        }
        Ok(())
    }

    /// Waits for the engine to open, and settles everything since the last time.
    fn settle(&mut self, victim: &mut Victim) -> Result<(), Stop> {
        match victim.hear(ANSWER_MAX)? {
            Some((_, Message::Open { torn_bytes, .. })) => self.report.torn += u64::from(torn_bytes > 0),
            Some((_, other)) => return Err(wrong(format!("its first words are {other:?}"))),
            None => return Err(wrong(format!("it does not open within {} s", ANSWER_MAX.as_secs()))),
        }
        let accounts = self.accounts(victim, self.model.newest_account())?;
        let mut transfers: Vec<Transfer> = Vec::new();
        loop {
            let after = transfers.last().map_or(self.model.newest_transfer(), |t| t.timestamp);
            let page = self.feed(victim, after)?;
            if page.is_empty() {
                break;
            }
            transfers.extend(page);
        }
        let (tally, settled) = self.model.settle(&accounts, &transfers).map_err(wrong)?;
        self.report.tally += tally;
        self.plan.know(self.model.accounts());
        for request in settled {
            if !request.told {
                self.again.push(request.clone());
            }
            if self.kept.len() < KEPT {
                self.kept.push(request);
            } else {
                let at = usize::try_from(self.plan.below(KEPT as u64)).unwrap_or(0);
                self.kept[at] = request;
            }
        }
        self.balances(victim)
    }

    /// Holds every balance against the model, as soon as everything due has expired.
    fn balances(&mut self, victim: &mut Victim) -> Result<(), Stop> {
        let begun = Instant::now();
        loop {
            let now = u64::try_from(SystemClock.now().as_nanos()).unwrap_or(0);
            let accounts = self.accounts(victim, 0)?;
            match self.model.compare(&accounts, now) {
                Ok(()) => return Ok(()),
                Err(why) if begun.elapsed() > EXPIRY_MAX => return Err(wrong(why)),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Sends requests until the victim is gone.
    fn load(&mut self, victim: &mut Victim, life: Duration, closing: &mut bool) -> Stop {
        let begun = Instant::now();
        let at_once = usize::try_from(self.plan.within(1..9)).unwrap_or(1);
        // After so many events only a few come now and then, so that it is also killed in its background work.
        let mut left = usize::try_from(match self.plan.below(20) {
            0..13 => self.plan.within(50..3_000),
            13..19 => 10_000,
            _ => 40_000,
        })
        .unwrap_or(1);
        let before = Duration::from_micros(self.plan.below(CLOSE_US));
        let close_after = self.plan.percent(CLOSE_PERCENT).then(|| life.saturating_sub(before));
        let mut under_way = 0;
        loop {
            let close_now = close_after.is_some_and(|at| begun.elapsed() >= at);
            let step = if *closing {
                Ok(())
            } else if close_now {
                *closing = true;
                victim.ask(u64::MAX, &Message::Close)
            } else {
                self.send(victim, at_once, &mut under_way, &mut left)
            };
            if step.is_err() {
                return Stop::Gone;
            }
            match victim.hear(Duration::from_millis(2)) {
                Ok(Some((number, message))) => {
                    under_way -= 1;
                    if let Err(why) = self.hear(number, message, *closing) {
                        return Stop::Wrong(why);
                    }
                }
                Ok(None) if begun.elapsed() > life + ANSWER_MAX => return wrong("it survives its kill"),
                Ok(None) => {}
                Err(Gone) => return Stop::Gone,
            }
        }
    }

    /// Tops up what is under way.
    fn send(
        &mut self,
        victim: &mut Victim,
        at_once: usize,
        under_way: &mut usize,
        left: &mut usize,
    ) -> Result<(), Gone> {
        if *left == 0 && *under_way == 0 && self.plan.percent(30) {
            *left = 8;
        }
        while *under_way < at_once && *left > 0 {
            self.number += 1;
            *under_way += 1;
            let number = self.number;
            let dice = self.plan.below(100);
            let old = if dice < 15 { self.again.pop() } else { None };
            let old = old.or_else(|| {
                let at = usize::try_from(self.plan.below(self.kept.len() as u64)).unwrap_or(0);
                if dice < 5 { self.kept.get(at).cloned() } else { None }
            });
            let events = match old {
                Some(old) => {
                    let events = old.events.clone();
                    self.model.sent_again(number, old);
                    events
                }
                None if dice > 95 => {
                    victim.ask(number, &Message::Feed(self.model.newest_transfer(), 100))?;
                    continue;
                }
                None => {
                    let events = self.plan.request(*left);
                    self.model.sent(number, events.clone());
                    events
                }
            };
            let (count, message) = match events {
                Events::Accounts(events) => (events.len(), Message::CreateAccounts(events)),
                Events::Transfers(events) => (events.len(), Message::CreateTransfers(events)),
            };
            *left = left.saturating_sub(count);
            victim.ask(number, &message)?;
        }
        Ok(())
    }

    /// Remembers an answer.
    fn hear(&mut self, number: u64, message: Message, closing: bool) -> Result<(), Fail> {
        match message {
            Message::CreatedAccounts(results) => self.model.told_accounts(number, results),
            Message::CreatedTransfers(results) => self.model.told_transfers(number, results),
            Message::Transfers(shown) => {
                self.model.shown(&shown);
                Ok(())
            }
            Message::Accounts(_) | Message::Open { .. } => Ok(()), // of a life that ended while it was asked
            Message::Failed(_) if closing => Ok(()),
            other => Err(format!("the engine answered {other:?}")),
        }
        .map_err(Fail::new)
    }

    /// All accounts from a timestamp on, exclusive.
    fn accounts(&mut self, victim: &mut Victim, after: u64) -> Result<Vec<Account>, Stop> {
        let mut all: Vec<Account> = Vec::new();
        loop {
            let from = all.last().map_or(after, |a| a.timestamp) + 1;
            match self.question(victim, &Message::QueryAccounts(from))? {
                Message::Accounts(page) if page.is_empty() => return Ok(all),
                Message::Accounts(page) => all.extend(page),
                other => return Err(wrong(format!("asked for accounts, it answers {other:?}"))),
            }
        }
    }

    fn feed(&mut self, victim: &mut Victim, after: u64) -> Result<Vec<Transfer>, Stop> {
        let limit = u32::try_from(ledger::BATCH_MAX).unwrap_or(1);
        match self.question(victim, &Message::Feed(after, limit))? {
            Message::Transfers(page) => Ok(page),
            other => Err(wrong(format!("asked for the feed, it answers {other:?}"))),
        }
    }

    /// Asks while nothing else is under way.
    fn question(&mut self, victim: &mut Victim, message: &Message) -> Result<Message, Stop> {
        self.number += 1;
        victim.ask(self.number, message)?;
        match victim.hear(ANSWER_MAX)? {
            Some((number, answer)) if number == self.number => Ok(answer),
            Some((_, answer)) => Err(wrong(format!("an answer to nothing: {answer:?}"))),
            None => Err(wrong(format!("no answer within {} s", ANSWER_MAX.as_secs()))),
        }
    }

    /// Audits the journal as the kill left it, and holds the auditor's balances against an engine opened on it.
    async fn audit(&mut self) -> Result<AuditReport, Fail> {
        self.report.audits += 1;
        let report = audit::verify(&self.dir)?;
        // Time stands still, so that nothing expires that had not by then.
        let now = Timestamp::from_nanos(i64::try_from(report.last_timestamp).unwrap_or(i64::MAX));
        let settings = victim::settings(self.file_bytes);
        let (engine, _) = Embedded::open_with(&self.dir, Arc::new(ManualClock::new(now)), settings)?;
        let begun = Instant::now();
        loop {
            // What was due at that moment expires now, and the journal tells.
            let report = audit::verify(&self.dir)?;
            match report.compare(&engine).await {
                Ok(()) => return Ok(report),
                Err(AuditError::Differs { .. }) if begun.elapsed() < EXPIRY_MAX => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Settles the last life, waits until everything has expired that can, and holds everything against everything.
    async fn finish(&mut self) -> Result<(), Fail> {
        let mut victim = Victim::start(&self.dir, self.file_bytes, &self.log)?;
        match self.everything(&mut victim) {
            Ok(()) => {}
            Err(Stop::Wrong(why)) => return Err(why),
            Err(Stop::Gone) => {
                victim.end(&self.log)?;
                return Err(Fail::new("the engine closed its ledger unasked"));
            }
        }
        let told = victim.ask(0, &Message::Close);
        let (end, _) = victim.end(&self.log)?;
        if told.is_err() || end != End::Closed {
            return Err(Fail::new("the engine could not be told to close"));
        }
        let report = self.audit().await?;
        let accounts: Vec<Account> = report.accounts.values().copied().collect();
        self.model.compare(&accounts, u64::MAX).map_err(|why| Fail::new(format!("by the auditor, {why}")))?;
        if report.transfers != self.model.transfers() as u64 {
            return Err(Fail::new(format!("the auditor finds {} transfers", report.transfers)));
        }
        self.report.transfers = self.model.transfers();
        self.report.accounts = accounts.len();
        Ok(())
    }

    fn everything(&mut self, victim: &mut Victim) -> Result<(), Stop> {
        self.settle(victim)?;
        let now = || u64::try_from(SystemClock.now().as_nanos()).unwrap_or(0);
        while self.model.last_expiry().is_some_and(|at| at >= now()) {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.balances(victim)?;
        let (mut count, mut after) = (0, 0);
        loop {
            let page = self.feed(victim, after)?;
            let Some(last) = page.last() else { break };
            after = last.timestamp;
            count += self.model.recognise(&page).map_err(wrong)?;
        }
        if count == self.model.transfers() {
            return Ok(());
        }
        Err(wrong(format!("{} transfers were there, the feed has {count}", self.model.transfers())))
    }
}

impl Report {
    fn tell(&self, options: &Options) {
        let t = self.tally;
        let took = self.took.as_millis();
        if options.json {
            let report = serde_json::json!({
                "rounds": options.rounds, "seed": options.seed,
                "killed_early": self.killed_early, "killed_at_work": self.killed_at_work,
                "killed_closing": self.killed_closing, "closed_before": self.closed,
                "acknowledged": t.acknowledged, "acknowledged_events": t.acknowledged_events,
                "in_doubt": t.in_doubt, "found": t.found, "not_found": t.in_doubt - t.found,
                "repeated": t.repeated, "torn": self.torn, "audits": self.audits,
                "transfers": self.transfers, "accounts": self.accounts,
                "took_ms": u64::try_from(took).unwrap_or(u64::MAX),
            });
            println!("{report:#}");
            return;
        }
        println!(
            "killed        {:>10}   of them {} opening, {} at work, {} closing; {} had closed before",
            self.killed_early + self.killed_at_work + self.killed_closing,
            self.killed_early,
            self.killed_at_work,
            self.killed_closing,
            self.closed
        );
        println!(
            "acknowledged  {:>10}   requests, {} events: all found",
            t.acknowledged, t.acknowledged_events
        );
        println!(
            "in doubt      {:>10}   requests: {} found whole, {} not at all",
            t.in_doubt,
            t.found,
            t.in_doubt - t.found
        );
        println!("asked again   {:>10}   requests: answered as before", t.repeated);
        println!("torn writes   {:>10}", self.torn);
        println!("in the ledger {:>10}   transfers over {} accounts", self.transfers, self.accounts);
        println!("audits        {:>10}", self.audits);
        println!("torture: {} rounds survived in {}.{} s", options.rounds, took / 1_000, took % 1_000 / 100);
    }
}
