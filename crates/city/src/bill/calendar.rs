//! Workdays of mainland China: Monday to Friday, less public holidays, plus the weekend days worked
//! in their stead. Pure; the data is `packs/calendar/cn.txt`. Beyond its last year a workday is
//! Monday to Friday, until the next year's notice of the State Council is added there.

use std::sync::OnceLock;

use kernel::Date;
use serde::Deserialize;

const CN: &str = include_str!("../../../../packs/calendar/cn.txt");

/// Which days count.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Calendar {
    /// Every day.
    #[default]
    Natural,
    /// Chinese workdays only.
    Workdays,
}

/// How far ahead or back days are counted; beyond it a count stands still.
pub(super) const DAYS_MAX: u32 = 20 * 366;

impl Calendar {
    /// Whether the day counts.
    pub fn counts(self, day: Date) -> bool {
        self == Calendar::Natural || is_workday(day)
    }

    /// The day itself if it counts, else the next one that does.
    pub fn on_or_after(self, day: Date) -> Date {
        let mut day = day;
        while !self.counts(day) {
            day = tomorrow(day);
        }
        day
    }

    /// How many days that count lie after `from`, up to and with `to`.
    pub fn days_between(self, from: Date, to: Date) -> u32 {
        let (mut day, mut days) = (from, 0);
        while day < to && days < DAYS_MAX {
            day = tomorrow(day);
            days += u32::from(self.counts(day));
        }
        days
    }

    /// The day `days` counted days after `from`.
    pub fn add(self, from: Date, days: u32) -> Date {
        (0..days.min(DAYS_MAX)).fold(from, |day, _| self.on_or_after(tomorrow(day)))
    }
}

/// The next day; the last day of time has none and is its own.
pub fn tomorrow(day: Date) -> Date {
    day.tomorrow().unwrap_or(day)
}

fn exceptions() -> &'static [(Date, bool)] {
    static EXCEPTIONS: OnceLock<Vec<(Date, bool)>> = OnceLock::new();
    EXCEPTIONS.get_or_init(|| {
        let mut days: Vec<_> = CN.lines().filter_map(exception).collect();
        days.sort_unstable();
        days
    })
}

/// Whether the notice of this day's year is in the data.
pub(super) fn knows(day: Date) -> bool {
    let year = |known: Option<&(Date, bool)>| known.map(|(day, _)| day.year());
    let (first, last) = (year(exceptions().first()), year(exceptions().last()));
    first.is_some_and(|first| first <= day.year()) && last.is_some_and(|last| day.year() <= last)
}

fn is_workday(day: Date) -> bool {
    let exceptions = exceptions();
    match exceptions.binary_search_by_key(&day, |(d, _)| *d) {
        Ok(at) => exceptions[at].1,
        Err(_) => day.weekday().to_monday_one_offset() <= 5,
    }
}

/// `2026-01-01 rest` or `2026-01-04 work`; comments are neither.
fn exception(line: &str) -> Option<(Date, bool)> {
    let (day, kind) = line.split_once(' ')?;
    Some((day.parse().ok()?, kind == "work"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_holidays_and_the_days_worked_for_them() {
        for (day, workday) in [
            ("2026-01-01", false), // New Year's Day, a Thursday
            ("2026-01-04", true),  // a Sunday worked for it
            ("2026-01-05", true),
            ("2026-01-10", false), // a plain Saturday
            ("2026-02-17", false), // Spring Festival
            ("2026-02-28", true),  // a Saturday worked for it
            ("2025-10-01", false),
            ("2004-01-17", true), // the first day worked that the data knows
            ("2031-01-06", true), // a Monday beyond the data
            ("2031-01-05", false),
        ] {
            assert_eq!(is_workday(day.parse().unwrap()), workday, "{day}");
        }
    }

    #[test]
    fn counts_days_of_either_calendar() {
        let date = |s: &str| s.parse::<Date>().unwrap();
        // 2026-02-14 (Saturday, worked) to 2026-02-24 (Tuesday): the festival lies between.
        assert_eq!(Calendar::Natural.days_between(date("2026-02-14"), date("2026-02-24")), 10);
        assert_eq!(Calendar::Workdays.days_between(date("2026-02-14"), date("2026-02-24")), 1);
        assert_eq!(Calendar::Workdays.days_between(date("2026-02-24"), date("2026-02-14")), 0);
        assert_eq!(Calendar::Workdays.on_or_after(date("2026-02-15")), date("2026-02-24"));
        assert_eq!(Calendar::Workdays.add(date("2026-02-14"), 1), date("2026-02-24"));
        assert_eq!(Calendar::Natural.add(date("2026-02-27"), 2), date("2026-03-01"));
    }
}
