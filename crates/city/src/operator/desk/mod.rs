//! The desk for billers: packs tried out, bill files handed in for a biller, what became of imports, settled days,
//! and what was decided about disagreements. Must never move money: accepting a disagreement takes note of it, and
//! whatever its remedy asks for is done by the biller, the bank, or the next match.

pub mod http;
mod store;
mod trial;

use std::collections::HashMap;

use kernel::ids::{BillerId, BreakId, KeyId, OperatorId};
use kernel::{Date, Timestamp};

pub use trial::{PackCheck, Trial, try_out};

use super::audit::{Act, audited};
use super::{OperatorError, rules};
use crate::bill::reconcile::rules::Break;
use crate::bill::reconcile::{self, BrokenDay, Report, break_id, broken_days};
use crate::bill::{self, BillError, Import, Pack, Upload};
use crate::identity::{Operator, Role};
use crate::{City, Fault};

/// Takes a bill file in for a biller, as the biller could. In the trail; a reason is welcome.
pub async fn upload(
    city: &City,
    by: &Operator,
    biller: BillerId,
    name: &str,
    file: impl Upload,
    reason: Option<&str>,
) -> Result<Import, OperatorError> {
    by.role.require(Role::Staff)?;
    let quiet = Operator { browser: false, ..*by };
    let receiving = bill::receive_for(city, by, biller, name, file);
    audited(city, &quiet, reason, Act::on("upload_bills", biller), receiving).await
}

/// What an operator has decided about a disagreement: that it is taken note of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// About which.
    pub id: BreakId,
    /// Who.
    pub by: OperatorId,
    /// With which key.
    pub key: KeyId,
    /// Why, in the operator's own words.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A disagreement of a biller's day, and what was decided about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeskBreak {
    /// The same for whatever match finds it again.
    pub id: BreakId,
    /// Whose day.
    pub biller: BillerId,
    /// Which.
    pub day: Date,
    /// Its number in the newest match.
    pub number: u64,
    /// What it says.
    pub found: Break,
    /// Absent while nobody has decided.
    pub decision: Option<Decision>,
}

/// A day on which nobody has decided about some disagreements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenDay {
    /// Whose.
    pub biller: BillerId,
    /// Which.
    pub day: Date,
    /// How many are open.
    pub open: u64,
    /// When they were found.
    pub run_at: Timestamp,
}

/// How many days with disagreements are looked at, the newest.
const DAYS: u32 = 400;
/// How many disagreements are read at once.
const PAGE: u32 = 500;

fn numbered(day: Date) -> i64 {
    i64::from(day.year()) * 10_000 + i64::from(day.month()) * 100 + i64::from(day.day())
}

async fn decisions(
    city: &City,
    biller: BillerId,
    day: Date,
) -> Result<HashMap<BreakId, Decision>, OperatorError> {
    let mut conn = city.store.read().await?;
    let found = store::decisions(&mut conn, biller, numbered(day)).await?;
    Ok(found.into_iter().map(|decision| (decision.id, decision)).collect())
}

/// The disagreements of a day after a number, each with what was decided: `limit` of them.
async fn of_day(
    city: &City,
    biller: BillerId,
    day: Date,
    after: u64,
    limit: u32,
) -> Result<Vec<DeskBreak>, OperatorError> {
    let found = match reconcile::breaks(city, biller, day, after, limit).await {
        Err(BillError::NotReconciled) => Vec::new(),
        other => other?,
    };
    let mut decided = decisions(city, biller, day).await?;
    let with = |(number, found): (u64, Break)| {
        let id = break_id(biller, day, &found);
        // Two lines that say the same are one disagreement, told twice.
        let decision = decided.get_mut(&id).cloned();
        DeskBreak { id, biller, day, number, found, decision }
    };
    Ok(found.into_iter().map(with).collect())
}

/// How many disagreements of a day nobody has decided about.
async fn open_of(city: &City, biller: BillerId, day: Date, breaks: u64) -> Result<u64, OperatorError> {
    if breaks == 0 || decisions(city, biller, day).await?.is_empty() {
        return Ok(breaks);
    }
    let (mut open, mut after) = (0, 0);
    loop {
        let page = of_day(city, biller, day, after, PAGE).await?;
        open += page.iter().filter(|b| b.decision.is_none()).count() as u64;
        match page.last() {
            Some(last) if page.len() == PAGE as usize => after = last.number,
            _ => return Ok(open),
        }
    }
}

/// What was counted of a day, and by what it is seen whether that still holds: decisions are only added, and a match
/// that is made again says when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    found: BrokenDay,
    decisions: u64,
    open: u64,
}

/// Days that were counted before.
pub(super) type CountedDays = HashMap<(BillerId, Date), Counted>;

/// The days on which disagreements are open, newest first. Asked for again and again: two queries, and more only for
/// days that were matched or decided on since they were last counted.
pub(super) async fn open_days(city: &City) -> Result<Vec<OpenDay>, OperatorError> {
    let broken = broken_days(city, DAYS).await?;
    let Some(oldest) = broken.iter().map(|found| found.day).min() else { return Ok(Vec::new()) };
    let decided = {
        let mut conn = city.store.read().await?;
        store::decisions_since(&mut conn, numbered(oldest)).await?
    };
    let decided: HashMap<(BillerId, i64), u64> = decided.into_iter().collect();
    let known = city.operator.counted_days.lock().expect("no panic while held").clone();
    let (mut counted, mut days) = (CountedDays::with_capacity(broken.len()), Vec::new());
    for found in broken {
        let BrokenDay { biller, day, breaks, run_at } = found;
        let decisions = decided.get(&(biller, numbered(day))).copied().unwrap_or_default();
        let same = known.get(&(biller, day)).filter(|was| was.found == found && was.decisions == decisions);
        let open = match (decisions, same) {
            (0, _) => breaks,
            (_, Some(was)) => was.open,
            (_, None) => open_of(city, biller, day, breaks).await?,
        };
        counted.insert((biller, day), Counted { found, decisions, open });
        if open > 0 {
            days.push(OpenDay { biller, day, open, run_at });
        }
    }
    *city.operator.counted_days.lock().expect("no panic while held") = counted;
    Ok(days)
}

/// How a biller's day stands: the newest match, where there was one, and how many disagreements are open.
pub type DayOfBiller = (std::sync::Arc<Pack>, Option<Report>, u64);

/// How a day stands with every biller. By an operator of any role.
pub async fn settlements(city: &City, by: &Operator, day: Date) -> Result<Vec<DayOfBiller>, OperatorError> {
    by.role.require(Role::Viewer)?;
    let mut all = Vec::new();
    for pack in bill::billers(city, &bill::BillerFilter::default()).await? {
        let report = match reconcile::report(city, pack.biller, day).await {
            Err(BillError::NotReconciled) => None,
            other => Some(other?),
        };
        let breaks = report.as_ref().map_or(0, |report| report.breaks);
        let open = open_of(city, pack.biller, day, breaks).await?;
        all.push((pack, report, open));
    }
    Ok(all)
}

/// Where a page of disagreements begins: after this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whose day.
    pub biller: BillerId,
    /// Which.
    pub day: Date,
    /// Number in it.
    pub number: u64,
}

/// Which disagreements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BreakFilter {
    /// Of this biller.
    pub biller: Option<BillerId>,
    /// Of this day.
    pub day: Option<Date>,
    /// Only those decided about, or only those not.
    pub decided: Option<bool>,
}

/// Disagreements of all billers, the newest day first, after a place. By an operator of any role.
pub async fn breaks(
    city: &City,
    by: &Operator,
    wanted: BreakFilter,
    after: Option<Place>,
    limit: u32,
) -> Result<Vec<DeskBreak>, OperatorError> {
    by.role.require(Role::Viewer)?;
    let mut found = Vec::new();
    for BrokenDay { biller, day, .. } in broken_days(city, DAYS).await? {
        let right = wanted.biller.is_none_or(|b| b == biller) && wanted.day.is_none_or(|d| d == day);
        // The order of the days: newest first, then by biller.
        let here = (std::cmp::Reverse(day), biller);
        let mut number = 0;
        if let Some(place) = after {
            match (std::cmp::Reverse(place.day), place.biller).cmp(&here) {
                std::cmp::Ordering::Greater => continue,
                std::cmp::Ordering::Equal => number = place.number,
                std::cmp::Ordering::Less => {}
            }
        }
        while right && found.len() < limit as usize {
            let page = of_day(city, biller, day, number, PAGE).await?;
            let Some(last) = page.last() else { break };
            number = last.number;
            let wanted = |b: &DeskBreak| wanted.decided.is_none_or(|decided| b.decision.is_some() == decided);
            found.extend(page.into_iter().filter(wanted));
        }
        if found.len() >= limit as usize {
            found.truncate(limit as usize);
            break;
        }
    }
    Ok(found)
}

/// Takes note of a disagreement and its remedy; safe to repeat, and the first who did stays the one. No money moves.
/// By an operator of role admin.
pub async fn accept(
    city: &City,
    by: &Operator,
    biller: BillerId,
    day: Date,
    id: BreakId,
    reason: Option<&str>,
) -> Result<DeskBreak, OperatorError> {
    let text = rules::reason(reason, by.browser)?;
    let accepting = async {
        by.role.require(Role::Admin)?;
        let found = find(city, biller, day, id).await?;
        if found.decision.is_some() {
            return Ok(found);
        }
        let decision = Decision { id, by: by.id, key: by.key, reason: text, at: city.now() };
        let day = numbered(day);
        let kept: Result<Option<Decision>, OperatorError> = city
            .store
            .write(move |conn| {
                Box::pin(async move { Ok(store::decide(conn, biller, day, &decision).await?) })
            })
            .await;
        let decision = kept?.ok_or_else(|| Fault::Books(format!("the decision on {id} is gone")))?;
        Ok::<_, OperatorError>(DeskBreak { decision: Some(decision), ..found })
    };
    let act = Act::on("accept_break", id).with(format!("{biller} {day}"));
    audited(city, by, reason, act, accepting).await
}

async fn find(city: &City, biller: BillerId, day: Date, id: BreakId) -> Result<DeskBreak, OperatorError> {
    bill::biller(city, biller).await?;
    let mut after = 0;
    loop {
        let page = of_day(city, biller, day, after, PAGE).await?;
        let Some(last) = page.last() else { return Err(OperatorError::BreakUnknown) };
        after = last.number;
        if let Some(found) = page.into_iter().find(|b| b.id == id) {
            return Ok(found);
        }
    }
}
