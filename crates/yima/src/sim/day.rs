//! A day of the month: bills come, notes go out, people pay, and what was left open is asked for until it has an end.
//!
//! The payments of one biller follow one another in the order of the residents, so that how fast a way bears questions and
//! when it is given up is the same each time; billers go at the same time as one another.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use city::bill::collect::{self, ClaimState, WantedClaim};
use city::bill::{self, BillError, BillView, PayBill, PayState, Standing};
use city::{Refusal as _, mandate, remind};
use kernel::ids::PaymentId;
use tokio::task::JoinSet;

use super::plan::{HOURS, How};
use super::town::{Town, bill_no};
use crate::config::Fail;

/// So many seconds pass at most while those wait who found no room.
const SECONDS: u32 = 240;
/// What is open is asked for each so many seconds.
const ASK_EVERY: u32 = 5;
/// And so often after the last has paid.
const ASKS: u32 = 240;
/// The same payer tries so often at one moment.
const TRIES: u32 = 4;
/// Payments at billers that hand over files: nobody is asked, so their order is of no matter.
const FILE_AT_ONCE: usize = 8;

/// What happened, added up.
#[derive(Default)]
pub struct Diary {
    /// Payments that were acknowledged as settled.
    pub acked: Vec<PaymentId>,
    /// Bills that came.
    pub billed: u64,
    /// Payers who were answered that it is under way.
    pub pending: u64,
    /// Refusals by code.
    pub refused: BTreeMap<&'static str, u64>,
    /// What must not be.
    pub violations: Vec<String>,
}

impl Diary {
    fn add(&mut self, other: Diary) {
        self.acked.extend(other.acked);
        self.pending += other.pending;
        for (code, count) in other.refused {
            *self.refused.entry(code).or_default() += count;
        }
        self.violations.extend(other.violations);
    }

    fn refuse(&mut self, why: &BillError) {
        *self.refused.entry(why.code()).or_default() += 1;
    }
}

/// How a try ended.
enum Ended {
    /// It is paid or being paid, by whomever.
    Done,
    /// At another hour.
    Later,
    /// The biller cannot be asked now: nobody else need try.
    Stop,
}

/// Who pays at an hour, by biller.
pub type Queues = Vec<VecDeque<u32>>;

/// Who pays when: by day and hour.
pub fn plan(town: &Town) -> BTreeMap<(u32, u32), Queues> {
    let mut all: BTreeMap<(u32, u32), Queues> = BTreeMap::new();
    for n in 0..town.shape.residents {
        if town.how(n) == How::Mandate {
            continue;
        }
        if let Some(at) = town.shape.pays_at(n) {
            let (biller, _) = town.shape.account(n);
            let queues = all.entry(at).or_insert_with(|| vec![VecDeque::new(); town.billers.len()]);
            queues[biller as usize].push_back(n);
        }
    }
    all
}

/// Plays a day; `left` are those who found no room before.
pub async fn play(
    town: &Arc<Town>,
    day: u32,
    plan: &mut BTreeMap<(u32, u32), Queues>,
    left: &mut Queues,
    diary: &mut Diary,
) -> Result<(), Fail> {
    town.go_to(day, 6 * 60);
    for biller in 0..town.shape.billers {
        if town.shape.billed_on(biller) == day {
            diary.billed += town.bill(biller).await?;
        }
    }
    // Planned in the quiet hours, sent after them.
    for minutes in [7 * 60 + 30, 8 * 60 + 5] {
        town.go_to(day, minutes);
        remind::work(&town.city).await?;
        mandate::work(&town.city).await?;
        settle(town, ASKS).await?;
    }
    for (nth, hour) in (0u32..).zip(HOURS) {
        town.go_to(day, hour * 60);
        mandate::work(&town.city).await?;
        if let Some(due) = plan.remove(&(day, nth)) {
            for (queue, due) in left.iter_mut().zip(due) {
                queue.extend(due);
            }
        }
        pay(town, left, diary).await?;
        if settle(town, ASKS).await? > 0 {
            diary.violations.push(format!("on day {day} a payment had no end within the hour"));
        }
    }
    // In the quiet hours nothing goes out.
    town.go_to(day, 22 * 60);
    mandate::work(&town.city).await?;
    remind::work(&town.city).await?;
    settle(town, ASKS).await?;
    Ok(())
}

/// Asks for what is open, then lets arrive what was on its way; how many are open still.
async fn ask(town: &Town) -> Result<usize, Fail> {
    let claims = collect::resume(&town.city).await?;
    let open = bill::settle_pending(&town.city).await?;
    for side in &town.billers {
        if let Some(far) = &side.far {
            far.deliver();
        }
    }
    Ok(open + claims)
}

async fn settle(town: &Town, times: u32) -> Result<usize, Fail> {
    let mut open = 0;
    for _ in 0..times {
        open = ask(town).await?;
        if open == 0 {
            break;
        }
        town.clock.advance(Duration::from_secs(ASK_EVERY.into()));
    }
    Ok(open)
}

/// Everybody in the queues pays; who finds no room stays in.
async fn pay(town: &Arc<Town>, queues: &mut Queues, diary: &mut Diary) -> Result<(), Fail> {
    let mut later = vec![VecDeque::new(); queues.len()];
    for second in 0..SECONDS {
        let mut tasks = JoinSet::new();
        for (biller, queue) in queues.iter_mut().enumerate() {
            let queue = std::mem::take(queue);
            if queue.is_empty() {
                continue;
            }
            let workers = if town.billers[biller].far.is_none() { FILE_AT_ONCE } else { 1 };
            for worker in 0..workers {
                let (town, some) =
                    (town.clone(), queue.iter().skip(worker).step_by(workers).copied().collect());
                tasks.spawn(async move { Ok::<_, Fail>((biller, worker, serve(&town, some).await?)) });
            }
        }
        if tasks.is_empty() {
            break;
        }
        let mut ended = Vec::new();
        while let Some(done) = tasks.join_next().await {
            ended.push(done??);
        }
        ended.sort_unstable_by_key(|(biller, worker, _)| (*biller, *worker));
        for (biller, _, (left, again, some)) in ended {
            queues[biller].extend(left);
            later[biller].extend(again);
            diary.add(some);
        }
        town.clock.advance(Duration::from_secs(1));
        if second % ASK_EVERY == 0 {
            ask(town).await?;
        }
    }
    for (queue, later) in queues.iter_mut().zip(later) {
        queue.extend(later);
    }
    Ok(())
}

/// The payers of one biller, one after another: who found no room, and who comes again at another hour.
async fn serve(town: &Town, mut queue: VecDeque<u32>) -> Result<(VecDeque<u32>, VecDeque<u32>, Diary), Fail> {
    let (mut diary, mut again) = (Diary::default(), VecDeque::new());
    while let Some(n) = queue.pop_front() {
        match one(town, n, &mut diary).await? {
            Ended::Done => {}
            Ended::Later => again.push_back(n),
            Ended::Stop => {
                queue.push_front(n);
                break;
            }
        }
    }
    Ok((queue, again, diary))
}

async fn one(town: &Town, n: u32, diary: &mut Diary) -> Result<Ended, Fail> {
    let (biller, _) = town.shape.account(n);
    let side = &town.billers[biller as usize];
    let account_no = town.account_no(n)?;
    for nth in 0..TRIES {
        let views = match bill::fetch(&town.city, side.pack.biller, &account_no).await {
            Ok(views) => views,
            Err(BillError::Fault(why)) => return Err(why.into()),
            Err(why) => {
                diary.refuse(&why);
                return Ok(if matches!(why, BillError::BillerUnreachable) {
                    Ended::Stop
                } else {
                    Ended::Later
                });
            }
        };
        let number = bill_no(n);
        let Some(view) = views.into_iter().find(|view| view.bill.bill_no == number) else {
            diary.violations.push(format!("{}: bill {number} is not shown", side.pack.spec.id));
            return Ok(Ended::Done);
        };
        if view.standing != Standing::Open {
            return Ok(Ended::Done);
        }
        let ended = match town.how(n) {
            How::Counter => counter(town, n, nth, &view, diary).await?,
            How::Twice => {
                let other = (n + 1) % town.shape.residents;
                let mut aside = Diary::default();
                let (ended, _) =
                    tokio::join!(by_app(town, n, &view, diary), by_app(town, other, &view, &mut aside));
                diary.acked.extend(aside.acked);
                diary.violations.extend(aside.violations);
                ended?
            }
            How::App | How::Mandate => by_app(town, n, &view, diary).await?,
        };
        match ended {
            Ended::Later => {}
            ended => return Ok(ended),
        }
    }
    Ok(Ended::Later)
}

async fn by_app(town: &Town, n: u32, view: &BillView, diary: &mut Diary) -> Result<Ended, Fail> {
    let wish = PayBill {
        bill: view.bill.id,
        quote: view.quote.id.clone(),
        amount_minor: None,
        pin: None,
        request_id: None,
    };
    match bill::pay(&town.city, &town.resident(n), wish).await {
        Ok(paid) => {
            if paid.state == PayState::Settled {
                diary.acked.push(paid.settled.payment);
            } else {
                diary.pending += 1;
            }
            Ok(Ended::Done)
        }
        Err(BillError::Fault(why)) => Err(why.into()),
        Err(why) => {
            diary.refuse(&why);
            match why {
                BillError::BillerRefused(_) | BillError::AlreadySettled | BillError::Claimed => {
                    Ok(Ended::Later)
                }
                BillError::BillerUnreachable => Ok(Ended::Stop),
                why => {
                    diary.violations.push(format!("bill {}: {} {why}", view.bill.id, why.code()));
                    Ok(Ended::Done)
                }
            }
        }
    }
}

/// The counter claims the bill, takes the money, and says so.
async fn counter(town: &Town, n: u32, nth: u32, view: &BillView, diary: &mut Diary) -> Result<Ended, Fail> {
    let reference = format!("S{n}-{}-{nth}", town.city.now().as_secs());
    let wish =
        WantedClaim { bill: view.bill.id, quote: view.quote.id.clone(), amount_minor: None, reference };
    let told = match collect::claim(&town.city, &town.collector, &wish).await {
        Ok(held) if held.state == ClaimState::Held => {
            collect::confirm(&town.city, &town.collector, held.claim.id).await
        }
        other => other,
    };
    match told {
        Ok(told) => {
            if let (ClaimState::Paid, Some(payment)) = (told.state, told.payment) {
                diary.acked.push(payment);
            }
            Ok(Ended::Done)
        }
        Err(BillError::Fault(why)) => Err(why.into()),
        Err(why) => {
            diary.refuse(&why);
            Ok(if matches!(why, BillError::BillerUnreachable) { Ended::Stop } else { Ended::Later })
        }
    }
}
