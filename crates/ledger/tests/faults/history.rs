//! One history: callers, crashes and faults in an order that a seed decides, and the checks after each.
//!
//! Beside the engine runs the [`Model`]. What was acknowledged is one model, what is decided another, and a
//! frame whose sync was cut short a third, of which a crash may leave all or nothing. As long as more than
//! one outcome is allowed the history keeps a [`World`] for each, and strikes out those that an answer of
//! the engine contradicts. When none is left, the engine has lied.

use std::fmt;
use std::sync::Arc;

use kernel::{Clock, ManualClock, Timestamp};
use ledger::{Account, CreateTransferStatus, EngineError, Transfer};

mod rot;

use crate::dice::Dice;
use crate::events::{self, Callers, Question};
use crate::model::Model;
use crate::sim::{Faults, Met, Region, SimDisk};
use crate::stepped::{Kind, Stepped};

const START: u64 = 1_700_000_000_000_000_000;

/// What the engine did that it must never do.
#[derive(Debug)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn violation<T>(what: impl Into<String>) -> Result<T, Violation> {
    Err(Violation(what.into()))
}

/// One account of what may be true.
#[derive(Debug, Clone, Default)]
struct World {
    /// Acknowledged.
    durable: Model,
    /// Decided, of which nobody has been told yet.
    decided: Model,
    /// What else the disk may hold: frames that it was given and that nobody has been told of.
    in_flight: Vec<(Model, Vec<Region>)>,
    /// What may have been before the last frame, the least first, and where the frames since then stand: rot
    /// there looks like an unfinished write.
    before_last: Vec<Model>,
    last_frame: Vec<Region>,
}

macro_rules! summary {
    ($($(#[$doc:meta])* $field:ident,)*) => {
        /// What was met, summed over histories.
        #[derive(Debug, Clone, Copy, Default)]
        pub struct Summary { $($(#[$doc])* pub $field: u64,)* }
        impl std::ops::AddAssign for Summary {
            fn add_assign(&mut self, other: Summary) { $(self.$field += other.$field;)* }
        }
        impl fmt::Display for Summary {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $(writeln!(f, "{:>12} {}", self.$field, stringify!($field).replace('_', " "))?;)*
                Ok(())
            }
        }
    };
}
summary! {
    histories, steps, disk_operations, events_decided, transfers_created, frames_acknowledged, questions,
    opens, power_losses, power_losses_while_opening, processes_killed, clean_stops, torn_tails_cut,
    frames_in_flight_kept, frames_in_flight_lost, read_errors, write_errors, sync_errors, short_reads, no_space,
    requests_refused, rots, rots_that_must_be_found, rots_found_by_opening, rots_found_by_answers,
    rots_found_by_audit, rots_made_good_or_harmless,
}

impl Summary {
    /// What enough histories must have met: otherwise they look at less than they claim.
    pub fn must_be_met(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("torn tails", self.torn_tails_cut),
            ("frames in flight kept", self.frames_in_flight_kept),
            ("frames in flight lost", self.frames_in_flight_lost),
            ("power losses while opening", self.power_losses_while_opening),
            ("processes killed", self.processes_killed),
            ("clean stops", self.clean_stops),
            ("read errors", self.read_errors),
            ("write errors", self.write_errors),
            ("sync errors", self.sync_errors),
            ("short reads", self.short_reads),
            ("want of room", self.no_space),
            ("requests refused", self.requests_refused),
            ("rots found by opening", self.rots_found_by_opening),
            ("rots that must be found", self.rots_that_must_be_found),
            ("rots made good", self.rots_made_good_or_harmless),
        ]
    }
}

/// How an engine's answer ends a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// Go on.
    Fine,
    /// Refused for a reason; the engine may go on.
    Refused,
    /// Nothing more will come: the power is gone, or the engine has stopped as it should.
    Over,
}

pub struct History<E> {
    dice: Dice,
    disk: SimDisk,
    clock: Arc<ManualClock>,
    now: u64,
    /// The newest timestamp given out, to whatever became of it.
    newest: u64,
    /// The engine has given out a timestamp since its memory of them was in doubt.
    time_known: bool,
    engine: Option<E>,
    worlds: Vec<World>,
    callers: Callers,
    /// Ids to ask for beyond those that the books show.
    ids: Vec<u128>,
    faults: Faults,
    faults_left: u32,
    short: u64,
    /// Rot is about: errors need no other reason.
    rotten: bool,
    errors: u64,
    pub summary: Summary,
    /// What happened, for people, if wanted.
    pub trace: Option<Vec<String>>,
}

impl<E: Stepped> History<E> {
    pub fn new(seed: u64, trace: bool) -> History<E> {
        let mut dice = Dice::new(seed);
        let disk = SimDisk::new(dice.next());
        let clock = Arc::new(ManualClock::default());
        History {
            short: *dice.pick(&[0, 0, 200]),
            dice,
            disk,
            clock,
            now: START,
            newest: 0,
            time_known: false,
            engine: None,
            worlds: vec![World::default()],
            callers: Callers::default(),
            ids: Vec::new(),
            faults: Faults::default(),
            faults_left: 0,
            rotten: false,
            errors: 0,
            summary: Summary { histories: 1, ..Summary::default() },
            trace: trace.then(Vec::new),
        }
    }

    fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(what());
        }
    }

    /// Runs to the end, or to the first lie.
    pub fn run(&mut self) -> Result<(), Violation> {
        // Each history has its own dangers, so that none hides another.
        let mut chance = |n: u64| if self.dice.one_in(2) { n } else { 0 };
        let dangers = [chance(3), chance(9), chance(3), chance(5), chance(4), chance(5), chance(3)];
        let tidy = *self.dice.pick(&[0, 5, 20, 40]);
        let steps = 30 + self.dice.below(130);
        self.reopen(self.disk.clone())?;
        let first = self.callers.first_accounts();
        self.create_accounts(&first)?;
        for _ in 0..steps {
            self.summary.steps += 1;
            self.now += self.dice.below(2000);
            self.set_clock();
            self.spend_faults();
            let weights = [40, 7, 25, 10, 6, tidy];
            match self.dice.below(weights.iter().sum::<u64>() + dangers.iter().sum::<u64>()) {
                n if n < 40 => self.transfers()?,
                n if n < 47 => self.accounts()?,
                n if n < 72 => self.sync()?,
                n if n < 82 => self.ask_one_or_all()?,
                n if n < 88 => self.move_clock(),
                n if n < 88 + tidy => self.tidy()?,
                n => {
                    let mut n = n - 88 - tidy;
                    let danger = dangers.iter().position(|weight| {
                        let here = n < *weight;
                        n = n.saturating_sub(*weight);
                        here
                    });
                    self.danger(danger.unwrap_or(0))?;
                }
            }
        }
        self.calm();
        self.sync()?;
        self.power_loss("at the end")?;
        self.end_session()
    }

    fn danger(&mut self, which: usize) -> Result<(), Violation> {
        match which {
            0 => self.power_loss("the power goes"),
            1 => {
                let soon = self.dice.one_in(2);
                let operations = self.dice.below(if soon { 6 } else { 25 });
                self.note(|| format!("the power will go after {operations} operations"));
                self.disk.crash_after(operations);
                if soon {
                    self.transfers()?;
                    self.sync()?;
                }
                Ok(())
            }
            2 => {
                if self.dice.one_in(2) {
                    self.transfers()?;
                }
                self.killed("the process is killed")
            }
            3 => {
                let left = 1 + self.dice.below(12);
                self.begin_faults(Faults { full: true, ..Faults::default() }, left);
                Ok(())
            }
            4 => {
                let mut chance = |n: u64| if self.dice.one_in(2) { self.dice.below(n) } else { 0 };
                let faults =
                    Faults { read: chance(200), write: chance(300), sync: chance(400), ..Faults::default() };
                let left = 1 + self.dice.below(6);
                self.begin_faults(faults, left);
                Ok(())
            }
            5 => self.rot(),
            _ => self.clean_stop(),
        }
    }

    // Faults and time.

    fn begin_faults(&mut self, faults: Faults, left: u64) {
        self.note(|| format!("for {left} steps {faults:?}"));
        self.faults = Faults { short: self.short, ..faults };
        self.faults_left = u32::try_from(left).unwrap();
        self.disk.set_faults(self.faults);
    }
    fn spend_faults(&mut self) {
        if self.faults_left > 0 {
            self.faults_left -= 1;
            if self.faults_left == 0 {
                self.calm();
            }
        }
    }
    /// The disk behaves again. An engine that had no room may need to look once more.
    fn calm(&mut self) {
        self.note(|| "the disk behaves".to_owned());
        let full = self.faults.full;
        self.stop_faults();
        for _ in 0..20 {
            if !full || !self.engine().tidy() {
                break;
            }
        }
    }
    fn stop_faults(&mut self) {
        self.faults = Faults { short: self.short, ..Faults::default() };
        self.faults_left = 0;
        self.disk.set_faults(self.faults);
        self.disk.disarm();
    }
    fn set_clock(&self) {
        self.clock.set(Timestamp::from_nanos(i64::try_from(self.now).unwrap()));
    }
    fn move_clock(&mut self) {
        if self.time_known && self.dice.one_in(4) {
            self.now = START + self.dice.below(1_000_000_000);
        } else {
            self.now += 700_000_000 * self.dice.below(4);
        }
        let now = self.now;
        self.note(|| format!("the clock shows {now}"));
        self.set_clock();
    }
    /// Timestamps of requests that left nothing behind may be forgotten: the clock passes them all.
    fn pass_all_timestamps(&mut self) {
        self.now = self.now.max(self.newest) + 1_000_000;
        self.set_clock();
        self.time_known = false;
    }

    // What an answer means.

    fn judge<T>(
        &mut self,
        what: &str,
        before: Met,
        result: &Result<T, EngineError>,
    ) -> Result<After, Violation> {
        let met = self.disk.met();
        if met.sync_errors > 0 && result.is_ok() && !self.disk.crashed() {
            return violation(format!("{what}: answered although a sync had failed"));
        }
        let Err(e) = result else {
            return Ok(if self.disk.crashed() { After::Over } else { After::Fine });
        };
        self.note(|| format!("{what}: {e:?}"));
        let wounded = met.read_errors + met.write_errors > 0;
        let fresh = met.read_errors > before.read_errors || met.write_errors > before.write_errors;
        match () {
            () if self.disk.crashed() || met.sync_errors > 0 => Ok(After::Over),
            () if self.rotten || fresh => Ok(After::Refused),
            // An engine that met an error may have stopped for good.
            () if wounded => Ok(After::Over),
            () if self.faults.full && !what.starts_with("read") => Ok(After::Refused),
            () => violation(format!("{what}: {e:?} without a cause")),
        }
    }

    /// Strikes out the worlds that contradict an answer.
    fn keep<T: PartialEq + fmt::Debug>(
        &mut self,
        what: &str,
        actual: &T,
        mut expected: impl FnMut(&mut World) -> T,
    ) -> Result<(), Violation> {
        let mut wanted = Vec::new();
        self.worlds.retain_mut(|world| {
            let expects = expected(world);
            let holds = expects == *actual;
            if !holds {
                wanted.push(expects);
            }
            holds
        });
        if self.worlds.is_empty() {
            let differences: Vec<String> = wanted.iter().map(|w| difference(actual, w)).collect();
            return violation(format!("{what}\n{}", differences.join("\n")));
        }
        Ok(())
    }

    // Steps.

    fn engine(&mut self) -> &mut E {
        self.engine.as_mut().expect("a session is open between steps")
    }

    fn accounts(&mut self) -> Result<(), Violation> {
        if self.worlds[0].decided.accounts.len() > 8 {
            return self.transfers();
        }
        let events = self.callers.accounts(&mut self.dice, &self.worlds[0].decided);
        self.create_accounts(&events)
    }

    fn create_accounts(&mut self, events: &[Account]) -> Result<(), Violation> {
        self.note(|| format!("create accounts {events:?}"));
        let before = self.disk.met();
        self.disk.mark();
        let result = self.engine().create_accounts(events);
        self.summary.events_decided += events.len() as u64;
        let after = self.judge("create accounts", before, &result)?;
        self.begin_request(result.is_err(), E::ACCOUNTS_RELEASE);
        if let Ok(actual) = &result {
            let now = self.now;
            self.keep("create accounts", actual, |w| w.decided.create_accounts(events, now))?;
            self.note_timestamps(events.len());
        }
        self.go_on_after_creating(after)
    }

    fn transfers(&mut self) -> Result<(), Violation> {
        let events = self.callers.transfers(&mut self.dice, &self.worlds[0].decided);
        self.create(&events)
    }

    fn create(&mut self, events: &[Transfer]) -> Result<(), Violation> {
        self.note(|| format!("create transfers {events:?}"));
        let before = self.disk.met();
        self.disk.mark();
        let result = self.engine().create_transfers(events);
        self.summary.events_decided += events.len() as u64;
        let after = self.judge("create transfers", before, &result)?;
        self.begin_request(result.is_err(), true);
        if let Ok(actual) = &result {
            let now = self.now;
            self.keep("create transfers", actual, |w| w.decided.create_transfers(events, now))?;
            self.ids.extend(events.iter().map(|t| t.id));
            self.summary.transfers_created +=
                actual.iter().filter(|r| r.status == CreateTransferStatus::Created).count() as u64;
            self.note_timestamps(events.len());
        }
        self.go_on_after_creating(after)
    }

    fn note_timestamps(&mut self, events: usize) {
        self.time_known |= events > 0;
        for world in &self.worlds {
            self.newest = self.newest.max(world.decided.newest);
        }
    }

    /// What a request does before its events: what was decided is perhaps synced, what is due is released.
    fn begin_request(&mut self, failed: bool, releases: bool) {
        let writes = self.journal_writes();
        let flushed = failed || !writes.is_empty();
        let now = self.now;
        for mut world in std::mem::take(&mut self.worlds) {
            let before = flushed.then(|| world.decided.clone());
            let due = releases && world.decided.has_due(now);
            // Without room, or in a request that failed, it may not have come to it.
            let not_released = (due && (failed || self.faults.full)).then(|| world.clone());
            if due {
                world.decided.release_due(now);
            }
            for mut world in [not_released, Some(world)].into_iter().flatten() {
                let now_decided = flushed.then(|| world.decided.clone());
                for decided in [&before, &now_decided].into_iter().flatten() {
                    if decided.records > world.durable.records {
                        world.in_flight.push((decided.clone(), writes.clone()));
                    }
                }
                self.worlds.push(world);
            }
        }
        for world in &self.worlds {
            self.newest = self.newest.max(world.decided.newest);
        }
    }

    /// After an error that is not for want of room, what was decided may be gone with it: only a new
    /// session knows.
    fn go_on_after_creating(&mut self, after: After) -> Result<(), Violation> {
        match after {
            After::Fine => Ok(()),
            After::Refused if self.rotten => Ok(()),
            After::Refused if !self.wounded() => {
                self.summary.requests_refused += 1;
                self.pass_all_timestamps();
                Ok(())
            }
            After::Refused | After::Over => self.next_session(),
        }
    }

    fn wounded(&self) -> bool {
        let met = self.disk.met();
        met.read_errors + met.write_errors + met.sync_errors > 0
    }

    fn journal_writes(&self) -> Vec<Region> {
        self.disk.marked().into_iter().filter(|(name, ..)| E::kind(name) == Kind::Journal).collect()
    }

    fn sync(&mut self) -> Result<(), Violation> {
        self.note(|| "sync".to_owned());
        self.disk.mark();
        let before = self.disk.met();
        let result = self.engine().sync();
        let after = self.judge("sync", before, &result)?;
        let writes = self.journal_writes();
        for world in &mut self.worlds {
            match (&result, after) {
                (Ok(()), _) => {
                    if world.decided.records > world.durable.records {
                        let flushed = std::mem::take(&mut world.in_flight);
                        world.last_frame.clone_from(&writes);
                        world.before_last =
                            vec![std::mem::replace(&mut world.durable, world.decided.clone())];
                        for (model, writes) in flushed {
                            world.before_last.push(model);
                            world.last_frame.extend(writes);
                        }
                    } else {
                        world.durable = world.decided.clone();
                    }
                    world.in_flight.clear();
                }
                // Refused for want of room: nothing has changed, and nothing comes back.
                (Err(_), After::Refused) if !wounded(&self.disk) => world.decided = world.durable.clone(),
                (Err(_), _) => {
                    world.in_flight.push((world.decided.clone(), writes.clone()));
                    world.decided = world.durable.clone();
                }
            }
        }
        match (result, after) {
            (Ok(()), After::Fine) => {
                self.summary.frames_acknowledged += 1;
                Ok(())
            }
            (Err(_), After::Refused) => {
                self.summary.requests_refused += 1;
                self.pass_all_timestamps();
                if self.wounded() { Ok(()) } else { self.ask(&Question::Feed(0, 8189)) }
            }
            _ => self.next_session(),
        }
    }

    fn tidy(&mut self) -> Result<(), Violation> {
        for _ in 0..=self.dice.below(3) {
            let more = self.engine().tidy();
            self.note(|| format!("tidy: {more}"));
            if self.disk.crashed() {
                return self.next_session();
            }
            if !more {
                break;
            }
        }
        if self.disk.met().sync_errors > 0 { self.ask_one() } else { Ok(()) }
    }

    fn ask_one_or_all(&mut self) -> Result<(), Violation> {
        if !self.dice.one_in(10) {
            return self.ask_one();
        }
        self.calm();
        self.sync()?;
        self.verify()
    }

    fn ask_one(&mut self) -> Result<(), Violation> {
        let question = events::one(&mut self.dice, &self.worlds[0].durable);
        self.ask(&question)
    }

    fn ask(&mut self, question: &Question) -> Result<(), Violation> {
        while E::QUESTIONS_WAIT && self.worlds.iter().any(|w| w.decided.records > w.durable.records) {
            self.sync()?;
        }
        macro_rules! ask {
            ($method:ident($($argument:expr),*)) => {{
                let before = self.disk.met();
                let result = self.engine().$method($($argument),*);
                let after = self.judge(concat!("read ", stringify!($method)), before, &result)?;
                if let Ok(actual) = &result {
                    let what = format!("{question:?}");
                    self.keep(&what, actual, |w| w.durable.$method($($argument),*))?;
                }
                after
            }};
        }
        self.summary.questions += 1;
        let after = match question {
            Question::Accounts(ids) => ask!(lookup_accounts(ids)),
            Question::Transfers(ids) => ask!(lookup_transfers(ids)),
            Question::AccountTransfers(filter) => ask!(get_account_transfers(*filter)),
            Question::AccountBalances(filter) => ask!(get_account_balances(*filter)),
            Question::QueryAccounts(filter) => ask!(query_accounts(*filter)),
            Question::QueryTransfers(filter) => ask!(query_transfers(*filter)),
            Question::Feed(at, limit) => ask!(feed(*at, *limit)),
        };
        match after {
            After::Fine => Ok(()),
            After::Refused => {
                self.errors += 1;
                Ok(())
            }
            After::Over => self.next_session(),
        }
    }

    /// Asks for everything, and whether what was burnt is burnt and what was done is done.
    fn verify(&mut self) -> Result<(), Violation> {
        let mut models: Vec<&Model> = self.worlds.iter().map(|w| &w.durable).collect();
        models.sort_by_key(|m| m.records);
        let widest = models.pop().expect("one world is left").clone();
        let ids = self.ids.clone();
        for question in events::everything(&mut self.dice, &widest, &ids) {
            self.ask(&question)?;
        }
        let mut burnt: Vec<u128> = self.worlds.iter().flat_map(|w| w.durable.burnt.iter().copied()).collect();
        burnt.sort_unstable();
        burnt.dedup();
        if burnt.len() > 8 && self.worlds.len() == 1 {
            let from = self.dice.index(burnt.len() - 8);
            burnt = burnt[from..from + 8].to_vec();
        }
        let probes = self.callers.probes(&mut self.dice, &self.worlds[0].durable, &burnt);
        self.create(&probes)
    }

    // Sessions.

    fn power_loss(&mut self, why: &str) -> Result<(), Violation> {
        self.note(|| why.to_owned());
        self.summary.power_losses += 1;
        self.end_session()?;
        self.reopen(self.disk.crash())
    }

    /// Only the process ends: what it wrote is still seen by the next one, and still unsynced.
    fn killed(&mut self, why: &str) -> Result<(), Violation> {
        self.note(|| why.to_owned());
        self.summary.processes_killed += 1;
        self.end_session()?;
        self.reopen(self.disk.kill())?;
        // What the next process has shown may not be lost either.
        if self.dice.one_in(3) { self.power_loss("the power goes at once") } else { Ok(()) }
    }

    /// After the engine, its process or the power is gone.
    fn next_session(&mut self) -> Result<(), Violation> {
        if self.disk.met().sync_errors > 0 || !self.dice.one_in(3) {
            return self.power_loss("the power is gone");
        }
        self.killed("the process is gone")
    }

    fn clean_stop(&mut self) -> Result<(), Violation> {
        self.note(|| "clean stop".to_owned());
        self.summary.clean_stops += 1;
        self.disk.mark();
        if let Some(engine) = self.engine.take() {
            engine.close();
        }
        let writes = self.journal_writes();
        for world in &mut self.worlds {
            // What nobody was told of may have been synced on the way out.
            if world.decided.records > world.durable.records {
                world.in_flight.push((world.decided.clone(), writes.clone()));
            }
            world.decided = world.durable.clone();
        }
        if self.disk.crashed() || self.disk.met().sync_errors > 0 {
            return self.power_loss("the power is gone");
        }
        self.end_session()?;
        let disk = if self.dice.one_in(2) { self.disk.kill() } else { self.disk.crash() };
        self.reopen(disk)
    }

    /// Drops the engine and settles what its disk met.
    fn end_session(&mut self) -> Result<(), Violation> {
        drop(self.engine.take());
        let met = self.disk.met();
        let s = &mut self.summary;
        s.disk_operations += met.operations;
        s.read_errors += met.read_errors;
        s.write_errors += met.write_errors;
        s.sync_errors += met.sync_errors;
        s.short_reads += met.short_reads;
        s.no_space += met.no_space;
        if met.syncs_after_error > 0 {
            return violation("a sync was asked for after one had failed");
        }
        Ok(())
    }

    /// Opens what lies on `disk`, perhaps in several attempts, and checks all of it.
    fn reopen(&mut self, disk: SimDisk) -> Result<(), Violation> {
        self.disk = disk;
        self.stop_faults();
        self.pass_all_timestamps();
        let mut dangers_left = if self.rotten { 0 } else { 2 };
        loop {
            if dangers_left > 0 && self.dice.one_in(4) {
                dangers_left -= 1;
                self.endanger_opening();
            } else {
                self.stop_faults();
            }
            self.summary.opens += 1;
            let opened = E::open(Arc::new(self.disk.clone()), self.clock.clone() as Arc<dyn Clock>);
            let met = self.disk.met();
            match opened {
                Ok((engine, torn)) => {
                    self.note(|| format!("opened, torn: {torn}"));
                    self.summary.torn_tails_cut += u64::from(torn);
                    self.engine = Some(engine);
                    if self.disk.crashed() {
                        self.summary.power_losses_while_opening += 1;
                        self.end_session()?;
                        self.disk = self.disk.crash();
                        continue;
                    }
                    if met.sync_errors > 0 {
                        return violation("opened although a sync had failed");
                    }
                    break;
                }
                Err(refused) => {
                    self.note(|| format!("not opened: {refused:?}"));
                    let faults = met.read_errors + met.write_errors + met.sync_errors + met.no_space;
                    if self.disk.crashed() {
                        self.summary.power_losses_while_opening += 1;
                    } else if faults == 0 || E::OPENS_WHEN_FULL && faults == met.no_space {
                        return violation(format!("refuses a sound ledger: {refused:?}"));
                    }
                    self.end_session()?;
                    let cut = self.disk.crashed() || met.sync_errors > 0 || self.dice.one_in(2);
                    self.disk = if cut { self.disk.crash() } else { self.disk.kill() };
                }
            }
        }
        self.stop_faults();
        self.settle()
    }

    fn endanger_opening(&mut self) {
        if self.dice.one_in(2) {
            let operations = self.dice.below(40);
            self.note(|| format!("the power will go after {operations} operations of opening"));
            self.disk.crash_after(operations);
            return;
        }
        let faults = match self.dice.below(4) {
            0 => Faults { read: 60, ..Faults::default() },
            1 => Faults { write: 200, ..Faults::default() },
            2 => Faults { sync: 300, ..Faults::default() },
            _ => Faults { full: true, ..Faults::default() },
        };
        self.begin_faults(faults, 1);
    }

    /// Finds out which of the allowed outcomes a new session shows, and holds it to all of it.
    fn settle(&mut self) -> Result<(), Violation> {
        let mut worlds = Vec::new();
        let mut doubted = false;
        for mut world in std::mem::take(&mut self.worlds) {
            let in_flight = std::mem::take(&mut world.in_flight);
            let before: Vec<Model> = in_flight.iter().map(|(model, _)| model.clone()).collect();
            for (model, writes) in in_flight {
                doubted = true;
                worlds.push(World {
                    decided: model.clone(),
                    before_last: [&world.durable].into_iter().chain(&before).cloned().collect(),
                    last_frame: if writes.is_empty() { world.last_frame.clone() } else { writes },
                    durable: model,
                    in_flight: Vec::new(),
                });
            }
            world.decided = world.durable.clone();
            worlds.push(world);
        }
        worlds.sort_by_key(|w| w.durable.records);
        let least = worlds[0].durable.records;
        self.worlds = worlds;
        self.verify()?;
        if doubted && self.worlds.len() == 1 {
            let kept = self.worlds[0].durable.records > least;
            self.summary.frames_in_flight_kept += u64::from(kept);
            self.summary.frames_in_flight_lost += u64::from(!kept);
        }
        Ok(())
    }
}

/// Where two answers part, with what stands around it.
fn difference<T: fmt::Debug>(actual: &T, expected: &T) -> String {
    let (actual, expected) = (format!("{actual:?}"), format!("{expected:?}"));
    let at = actual.bytes().zip(expected.bytes()).take_while(|(a, b)| a == b).count();
    let part =
        |text: &str| text.get(at.saturating_sub(300)..(at + 200).min(text.len())).unwrap_or("").to_owned();
    format!("   answered …{}…\n   expected …{}…", part(&actual), part(&expected))
}

fn wounded(disk: &SimDisk) -> bool {
    let met = disk.met();
    met.read_errors + met.write_errors + met.sync_errors > 0
}
