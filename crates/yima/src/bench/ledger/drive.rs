//! The load: batches over some lanes, or single transfers of many callers, and how long each took.
//!
//! Events are made on a thread of their own and wait in a ring, in the engine's own types, before the clock of
//! their request runs. A lane sends its next request when the last was answered. Every answer is read.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use ledger::Transfer;
use tokio::sync::{Mutex, mpsc};
use tokio::task::spawn_local;

use super::engines::{Batch, Form, Outcome, Peer};
use super::events::{Events, Plan};
use super::facts::{self, Resident};
use crate::bench::plan::Draw;
use crate::bench::progress::Progress;
use crate::bench::{machine, per_second};
use crate::config::Fail;

/// How many requests are made ahead, besides those under way.
const RING: usize = 4;
/// Into how many equal parts a run is cut to see whether its rate is steady.
const SLICES: u64 = 5;
/// How many transfers of a request are kept to be looked up afterwards.
const SAMPLES: u64 = 4;
/// One call in so many is kept to be looked up afterwards.
const SAMPLE_CALLS: u64 = 500;
/// No more of them than this.
const SAMPLES_MAX: usize = 50_000;
/// No more violations are told.
const VIOLATIONS_MAX: usize = 20;

/// How a load went.
#[derive(Debug)]
pub struct Load {
    /// Microseconds of each request.
    pub times: Histogram<u64>,
    /// From the first request to the last answer.
    pub took: Duration,
    /// Events acknowledged as created.
    pub created: u64,
    /// Events a second in each slice.
    pub rates: Vec<u64>,
    /// Memory of the engine's process at the end of each slice, and the events until then.
    pub memory: Vec<(u64, Resident)>,
    /// Some of what was sent.
    pub samples: Vec<Transfer>,
    /// Processor time of the thread that made the events.
    pub making: Option<Duration>,
    /// What went wrong.
    pub violations: Vec<String>,
}

/// For microseconds up to ten minutes, with three digits.
fn times() -> Result<Histogram<u64>, Fail> {
    Ok(Histogram::new_with_max(600_000_000, 3)?)
}

/// What is counted while a load runs.
struct Tally {
    load: Load,
    total: u64,
    pid: Option<u32>,
    slice: u64,
    marked: (u64, Instant),
    progress: Progress,
}

impl Tally {
    fn new(total: u64, pid: Option<u32>) -> Result<Rc<RefCell<Tally>>, Fail> {
        let load = Load {
            times: times()?,
            took: Duration::ZERO,
            created: 0,
            rates: Vec::new(),
            memory: Vec::new(),
            samples: Vec::new(),
            making: None,
            violations: Vec::new(),
        };
        let progress = Progress::new("transfers", usize::try_from(total)?);
        let marked = (0, Instant::now());
        Ok(Rc::new(RefCell::new(Tally { load, total, pid, slice: 0, marked, progress })))
    }

    fn answered(&mut self, sent: u64, took: Duration, outcome: Outcome) {
        self.load.times.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        self.load.created += outcome.created;
        if outcome.created != sent && self.load.violations.len() < VIOLATIONS_MAX {
            let why = outcome.refused.unwrap_or_else(|| "no reason given".to_owned());
            self.load
                .violations
                .push(format!("{} of {sent} were not created: {why}", sent - outcome.created));
        }
        let done = self.load.created;
        self.progress.reach(usize::try_from(done).unwrap_or(usize::MAX));
        let slice = done * SLICES / self.total.max(1);
        if slice > self.slice {
            self.slice = slice;
            let now = Instant::now();
            let (before, since) = std::mem::replace(&mut self.marked, (done, now));
            self.load.rates.push(per_second(done - before, now - since));
            if let Some(resident) = self.pid.and_then(facts::resident) {
                self.load.memory.push((done, resident));
            }
        }
    }

    fn sample(&mut self, sent: &[Transfer]) {
        let room = SAMPLES_MAX.saturating_sub(self.load.samples.len());
        self.load.samples.extend(sent.iter().take(room));
    }

    /// Everybody who counted is gone.
    fn finish(tally: Rc<RefCell<Tally>>, took: Duration) -> Result<Load, Fail> {
        let tally = Rc::into_inner(tally).ok_or_else(|| Fail::new("a lane is still counting"))?;
        Ok(Load { took, ..tally.into_inner().load })
    }
}

/// Requests that are made, and that go one after another over the same lane.
struct Ready {
    batches: Vec<(u64, Batch)>,
    samples: Vec<Transfer>,
}

fn make(form: Form, work: Vec<Vec<Transfer>>, draw: &mut Draw) -> Ready {
    let mut ready = Ready { batches: Vec::with_capacity(work.len()), samples: Vec::new() };
    for events in work {
        let count = events.len() as u64;
        for _ in 0..SAMPLES.min(count) {
            let picked = usize::try_from(draw.below(count)).ok().and_then(|at| events.get(at));
            ready.samples.extend(picked);
        }
        ready.batches.push((count, form.make(events)));
    }
    ready
}

/// Sends the plan in batches over so many lanes. `pid` is whose memory is looked at.
pub async fn batches(peer: &Rc<Peer>, plan: &Plan, lanes: usize, pid: Option<u32>) -> Result<Load, Fail> {
    let (ring, work) = mpsc::channel(RING + lanes);
    let (form, planned) = (peer.form(), plan.clone());
    let maker = std::thread::Builder::new().name("bench-events".into()).spawn(move || {
        let mut events = planned.events();
        let mut draw = Draw::new(planned.seed, 4);
        while let Some(work) = events.work() {
            if ring.blocking_send(make(form, work, &mut draw)).is_err() {
                break; // nobody takes them any more: a lane has failed and says why
            }
        }
        machine::used_by_this_thread()
    })?;
    while work.len() < RING + lanes && !maker.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let tally = Tally::new(plan.transfers, pid)?;
    let begun = tally.borrow().marked.1;
    let work = Rc::new(Mutex::new(work));
    let lanes: Vec<_> = (0..lanes)
        .map(|number| spawn_local(lane(number, peer.clone(), work.clone(), tally.clone())))
        .collect();
    for lane in lanes {
        lane.await??;
    }
    let took = begun.elapsed();
    let making = maker.join().map_err(|_| Fail::new("making the events failed"))?;
    Ok(Load { making, ..Tally::finish(tally, took)? })
}

async fn lane(
    number: usize,
    peer: Rc<Peer>,
    work: Rc<Mutex<mpsc::Receiver<Ready>>>,
    tally: Rc<RefCell<Tally>>,
) -> Result<(), Fail> {
    loop {
        let Some(ready) = work.lock().await.recv().await else { return Ok(()) };
        for (count, batch) in ready.batches {
            let begun = Instant::now();
            let outcome = peer.send(number, batch).await?;
            let took = begun.elapsed();
            tally.borrow_mut().answered(count, took, outcome);
        }
        tally.borrow_mut().sample(&ready.samples);
    }
}

/// Sends the plan one transfer at a time from so many callers.
pub async fn callers(peer: &Rc<Peer>, plan: &Plan, callers: usize, pid: Option<u32>) -> Result<Load, Fail> {
    let tally = Tally::new(plan.transfers, pid)?;
    let events = Rc::new(RefCell::new(plan.events()));
    let begun = tally.borrow().marked.1;
    let callers: Vec<_> =
        (0..callers).map(|_| spawn_local(caller(peer.clone(), events.clone(), tally.clone()))).collect();
    for caller in callers {
        caller.await??;
    }
    Tally::finish(tally, begun.elapsed())
}

async fn caller(peer: Rc<Peer>, events: Rc<RefCell<Events>>, tally: Rc<RefCell<Tally>>) -> Result<(), Fail> {
    loop {
        let next = events.borrow_mut().next_of();
        let Some((transfer, _)) = next else { return Ok(()) };
        let begun = Instant::now();
        let outcome = peer.send_one(transfer).await?;
        let took = begun.elapsed();
        let mut tally = tally.borrow_mut();
        tally.answered(1, took, outcome);
        if tally.load.created.is_multiple_of(SAMPLE_CALLS) {
            tally.sample(&[transfer]);
        }
    }
}

/// How long the newest transfers of an account take, in microseconds: of some accounts for the first time, and of the same
/// accounts again, when everything they need has been touched.
#[derive(Debug)]
pub struct Queries {
    /// The first time.
    pub first: Histogram<u64>,
    /// Again.
    pub again: Histogram<u64>,
    /// Transfers found in one round.
    pub found: u64,
    /// What was wrong with an answer.
    pub violations: Vec<String>,
}

/// The most transfers of one question.
const NEWEST: u32 = 100;

/// Asks for the newest transfers of so many random accounts, one after another, twice.
pub async fn history(peer: &Peer, plan: &Plan, count: u64) -> Result<Queries, Fail> {
    let mut rounds = [times()?, times()?];
    let (mut found, mut violations) = (0, Vec::new());
    for times in &mut rounds {
        found = 0;
        let mut draw = Draw::new(plan.seed, 5);
        for _ in 0..count {
            let account = plan.accounts.id(draw.below(plan.accounts.len()));
            let begun = Instant::now();
            let newest = peer.newest(account, NEWEST).await?;
            times.saturating_record(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
            found += newest.len() as u64;
            let its = |t: &Transfer| (t.debit_account_id == account) != (t.credit_account_id == account);
            let ordered = newest.is_sorted_by(|a, b| a.timestamp > b.timestamp);
            let wrong = newest.len() > NEWEST as usize || !ordered || !newest.iter().all(its);
            if wrong && violations.len() < VIOLATIONS_MAX {
                violations.push(format!("the history of account {account:032x} is not what was asked for"));
            }
        }
    }
    let [first, again] = rounds;
    Ok(Queries { first, again, found, violations })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_what_was_answered() {
        let tally = Tally::new(1_000, None).unwrap();
        for (sent, took_ms, created) in [(400, 20, 400), (400, 30, 399), (200, 40_000, 200)] {
            let refused = (created < sent).then(|| "ExceedsCredits".to_owned());
            tally.borrow_mut().answered(sent, Duration::from_millis(took_ms), Outcome { created, refused });
        }
        let load = Tally::finish(tally, Duration::from_secs(41)).unwrap();
        assert_eq!((load.created, load.rates.len()), (999, 3));
        let [p50, p100] = [0.5, 1.0].map(|q| load.times.value_at_quantile(q) / 1_000);
        assert_eq!((load.times.min() / 1_000, p50, p100), (20, 30, 40_009)); // three digits are kept
        assert_eq!(load.violations, ["1 of 400 were not created: ExceedsCredits"]);
    }

    #[test]
    fn samples_are_of_what_is_sent() {
        let sent: Vec<_> = (1..=9).map(|id| Transfer { id, ..Transfer::default() }).collect();
        let ready = make(Form::Ours, vec![sent.clone(), sent.clone()], &mut Draw::new(1, 1));
        assert_eq!((ready.batches.len(), ready.samples.len()), (2, 8));
        assert!(ready.samples.iter().all(|sample| sent.contains(sample)));
    }
}
