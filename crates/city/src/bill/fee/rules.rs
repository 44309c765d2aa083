//! What lateness costs: pure. Day by day, each by the version of the rule that is in force on it.
//!
//! Amounts run in ten-thousandths of a minor unit and are rounded half up once, at the end; so the fee does not depend
//! on how days are gathered into lines, and never falls from one day to the next.

use kernel::Date;
use serde::Serialize;
use utoipa::ToSchema;

use crate::bill::calendar::{Calendar, DAYS_MAX, tomorrow};
use crate::bill::pack::{FeeOrder, LateFee};
use crate::bill::rules::AMOUNT_MAX;

/// What of a bill was paid before, at the price of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Portion {
    /// The day of the price: late fee runs on it as it did, and on what is left from the next day on.
    pub day: Date,
    /// Of the bill's own amount, minor units.
    pub principal_minor: i64,
    /// Of the late fee, minor units.
    pub fee_minor: i64,
}

/// Why a line is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Days late that cost nothing.
    Grace,
    /// So much for each day.
    Daily,
    /// An amount, once.
    Fixed,
    /// From here on the cap holds: the rest up to it, then nothing.
    Cap,
    /// Late fee paid before; taken off.
    Paid,
}

/// The yearly notice by which workdays were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which year.
    pub year: i16,
    /// Whether that notice is known; else workdays are Monday to Friday until it is.
    pub known: bool,
}

/// One line of a late fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The first day in it that counts.
    pub from: Date,
    /// The last.
    pub to: Date,
    /// How many count.
    pub days: u32,
    /// What of the bill was open on them, minor units.
    pub base_minor: i64,
    /// Basis points of it a day; 0 where the rule has an amount once.
    pub bps: u32,
    /// What they cost, minor units: the rounded running total after them less that before them.
    pub amount_minor: i64,
    /// The first day of the version of the rule; none for one in force ever since.
    pub version: Option<Date>,
    /// The year's notice, where workdays count.
    pub notice: Option<Notice>,
    /// Why.
    pub why: Why,
}

/// The version of the rule in force on a day.
fn in_force(versions: &[LateFee], day: Date) -> Option<&LateFee> {
    versions.iter().rev().find(|version| version.from.is_none_or(|from| from <= day))
}

/// The last day without a late fee: a due date on a day of rest moves where the rule of that day has workdays.
pub fn due_on(versions: &[LateFee], due: Date) -> Date {
    in_force(versions, due).map_or(due, |version| version.calendar.on_or_after(due))
}

/// What a payment on a day that does not cover all pays first.
pub fn order(versions: &[LateFee], day: Date) -> FeeOrder {
    in_force(versions, day).map(|version| version.order).unwrap_or_default()
}

/// Ten-thousandths of a minor unit, rounded half up to minor units.
fn rounded(exact: i128) -> i64 {
    i64::try_from((exact * 2 + 10_000) / 20_000).unwrap_or(AMOUNT_MAX).min(AMOUNT_MAX)
}

/// The late fee, on `today`, of a bill of `amount` minor units due on `due`, of which `paid` was paid, line by line. The
/// lines sum to what is still owed of the fee.
pub fn assess(versions: &[LateFee], amount: i64, due: Date, paid: &[Portion], today: Date) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let (mut day, mut late, mut charged_once) = (due_on(versions, due), 0u32, false);
    let (mut running, mut before) = (0i128, 0i128);
    for _ in 0..DAYS_MAX {
        if day >= today {
            break;
        }
        day = tomorrow(day);
        let Some(version) = in_force(versions, day).filter(|version| version.calendar.counts(day)) else {
            continue;
        };
        late += 1;
        let principal: i64 = paid.iter().filter(|part| part.day < day).map(|part| part.principal_minor).sum();
        let base_minor = amount - principal;
        if base_minor <= 0 {
            break;
        }
        let (wanted, why) = match (version.bps_per_day, version.fixed_minor) {
            _ if late <= version.grace_days => (0, Why::Grace),
            (Some(bps), _) => (i128::from(base_minor) * i128::from(bps), Why::Daily),
            (None, Some(fixed)) if !charged_once => {
                charged_once = true;
                (i128::from(fixed) * 10_000, Why::Fixed)
            }
            _ => continue,
        };
        let cap = version.cap_bps.map_or(i128::MAX, |bps| i128::from(amount) * i128::from(bps));
        let added = wanted.min((cap - running).max(0));
        let why = if added < wanted { Why::Cap } else { why };
        let line = Line {
            from: day,
            to: day,
            days: 1,
            base_minor,
            bps: version.bps_per_day.unwrap_or(0),
            amount_minor: 0,
            version: version.from,
            notice: version.calendar.notice(day),
            why,
        };
        match lines.last_mut() {
            Some(last) if same(last, &line) => {
                last.to = day;
                last.days += 1;
            }
            _ => {
                before = running;
                lines.push(line);
            }
        }
        running += added;
        if let Some(last) = lines.last_mut() {
            last.amount_minor = rounded(running) - rounded(before);
        }
    }
    lines.extend(paid_before(paid, rounded(running)));
    lines
}

/// Whether a day belongs to a line.
fn same(line: &Line, day: &Line) -> bool {
    let Line { base_minor, bps, version, notice, why, .. } = *line;
    why != Why::Fixed
        && (base_minor, bps, version, notice, why)
            == (day.base_minor, day.bps, day.version, day.notice, day.why)
}

/// The line that takes off what was paid of a fee. New rules may have made the fee less than that: then nothing is owed.
fn paid_before(paid: &[Portion], fee: i64) -> Option<Line> {
    let off = paid.iter().map(|part| part.fee_minor).sum::<i64>().min(fee);
    let mut days = paid.iter().filter(|part| part.fee_minor > 0).map(|part| part.day);
    let from = days.next().filter(|_| off > 0)?;
    Some(Line {
        from,
        to: days.next_back().unwrap_or(from),
        days: 0,
        base_minor: 0,
        bps: 0,
        amount_minor: -off,
        version: None,
        notice: None,
        why: Why::Paid,
    })
}

/// What lines come to, minor units.
pub fn total(lines: &[Line]) -> i64 {
    lines.iter().map(|line| line.amount_minor).sum()
}

impl Notice {
    /// As it is written on the wire: `cn-2026`, or `cn-2031-assumed` where the notice is not known yet.
    pub fn name(self) -> String {
        let Notice { year, known } = self;
        if known { format!("cn-{year}") } else { format!("cn-{year}-assumed") }
    }
}

impl Calendar {
    /// The yearly notice that says whether this day counts; none for natural days.
    pub fn notice(self, day: Date) -> Option<Notice> {
        (self == Calendar::Workdays)
            .then(|| Notice { year: day.year(), known: crate::bill::calendar::knows(day) })
    }
}
