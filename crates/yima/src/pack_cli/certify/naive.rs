//! What a pack says, worked out a second time in another way than the product does: check digits, days, late fees, fees.
//! What both find is right; where they differ, the case fails.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use city::bill::account::{AccountRule, Check};
use city::bill::calendar::Calendar;
use city::bill::pack::LateFee;
use kernel::Date;

/// The days that are not what their weekday says: whether they are worked.
static EXCEPTIONS: LazyLock<BTreeMap<String, bool>> = LazyLock::new(|| {
    let lines = include_str!("../../../../../packs/calendar/cn.txt").lines();
    let day = |line: &str| {
        let mut words = line.split_whitespace();
        let (day, kind) = (words.next()?, words.next()?);
        ["rest", "work"].contains(&kind).then(|| (day.to_owned(), kind == "work"))
    };
    lines.filter_map(day).collect()
});

fn counts(calendar: Calendar, day: Date) -> bool {
    if calendar == Calendar::Natural {
        return true;
    }
    let plain = !matches!(day.weekday().to_monday_one_offset(), 6 | 7);
    EXCEPTIONS.get(&day.to_string()).copied().unwrap_or(plain)
}

fn next(day: Date) -> Date {
    day.tomorrow().unwrap_or(day)
}

/// The day `days` counted days after `day`.
pub fn days_after(calendar: Calendar, day: Date, days: u32) -> Date {
    let (mut at, mut left) = (day, days);
    while left > 0 {
        at = next(at);
        if counts(calendar, at) {
            left -= 1;
        }
    }
    at
}

/// `amount` times basis points, rounded half up.
pub fn share(amount: i64, bps: i64) -> i64 {
    let product = i128::from(amount) * i128::from(bps);
    let (whole, rest) = (product / 10_000, product % 10_000);
    i64::try_from(whole + i128::from(rest >= 5_000)).unwrap_or(i64::MAX)
}

/// What lateness costs, day by day, each by the version in force on it.
pub fn late_fee(versions: &[LateFee], amount: i64, due: Date, today: Date) -> i64 {
    let at = |day: Date| versions.iter().rfind(|rule| rule.from.is_none_or(|from| from <= day));
    let mut day = due;
    while at(due).is_some_and(|rule| !counts(rule.calendar, day)) {
        day = next(day);
    }
    let (mut free, mut fixed, mut exact) = (0, false, 0i128);
    while day < today {
        day = next(day);
        let Some(rule) = at(day).filter(|rule| counts(rule.calendar, day)) else { continue };
        if free < rule.grace_days {
            free += 1;
            continue;
        }
        let before = exact;
        match rule.bps_per_day {
            Some(bps) => exact += i128::from(amount) * i128::from(bps),
            None if !fixed => {
                fixed = true;
                exact += i128::from(rule.fixed_minor.unwrap_or(0)) * 10_000;
            }
            None => {}
        }
        if let Some(cap) = rule.cap_bps {
            exact = exact.min(i128::from(amount) * i128::from(cap)).max(before);
        }
    }
    i64::try_from((exact + 5_000) / 10_000).unwrap_or(i64::MAX)
}

/// The last day of a month and so many days more.
pub fn due_after(period: u32, days: u32) -> Option<Date> {
    let (year, month) = (i16::try_from(period / 100).ok()?, i8::try_from(period % 100).ok()?);
    let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let mut day = Date::new(year, month, 1).ok()?.yesterday().ok()?;
    for _ in 0..days {
        day = next(day);
    }
    Some(day)
}

/// Whether a number may be an account, by shape and check digit.
pub fn is_account(rule: &AccountRule, number: &str) -> bool {
    let pattern: Vec<char> = rule.pattern.chars().collect();
    let chars: Vec<char> = number.chars().collect();
    if chars.len() != pattern.len() {
        return false;
    }
    for (c, p) in chars.iter().zip(&pattern) {
        let fits = match p {
            '#' => c.is_ascii_digit(),
            '@' => c.is_ascii_uppercase(),
            '*' => c.is_ascii_digit() || c.is_ascii_uppercase(),
            other => c == other,
        };
        if !fits {
            return false;
        }
    }
    let value = |c: char| c.to_digit(36).filter(|_| !c.is_ascii_lowercase()).unwrap_or(0);
    let last = chars[chars.len() - 1];
    match rule.check {
        Check::None => true,
        Check::Luhn => {
            // By the definition: the digit that brings the sum of the others to a multiple of ten.
            let mut sum = 0;
            for (at, c) in chars[..chars.len() - 1].iter().rev().enumerate() {
                let doubled = if at % 2 == 0 { value(*c) * 2 } else { value(*c) };
                sum += doubled / 10 + doubled % 10;
            }
            (10 - sum % 10) % 10 == value(last)
        }
        Check::Mod11_2 => {
            // By weights: 2 to the power of the position, counted from the right.
            if last != 'X' && !last.is_ascii_digit() {
                return false;
            }
            let mut sum = if last == 'X' { 10 } else { value(last) };
            let mut weight = 1;
            for c in chars[..chars.len() - 1].iter().rev() {
                weight = weight * 2 % 11;
                sum += value(*c) * weight;
            }
            sum % 11 == 1
        }
        Check::Mod97_10 => {
            let digits: String = chars.iter().map(|c| value(*c).to_string()).collect();
            let rest = digits.bytes().fold(0u32, |rest, b| (rest * 10 + u32::from(b - b'0')) % 97);
            rest == 1
        }
        Check::Weighted => {
            let sum: u32 = chars.iter().zip(&rule.weights).map(|(c, w)| value(*c) * w).sum();
            let signs: Vec<char> = rule.check_digits.chars().collect();
            signs.get(sum as usize % signs.len().max(1)) == Some(&last)
        }
    }
}

#[cfg(test)]
mod tests {
    use city::bill::pack::FeeOrder;

    use super::*;

    #[test]
    fn works_out_what_is_known() {
        let date = |text: &str| text.parse::<Date>().unwrap();
        assert_eq!(days_after(Calendar::Workdays, date("2026-02-14"), 1), date("2026-02-24"));
        assert_eq!((share(12_345, 5), share(10_000, 10), share(5, 1_000)), (6, 10, 1));
        assert_eq!(due_after(202_512, 3), Some(date("2026-01-03")));
        let rule = LateFee {
            bps_per_day: Some(10),
            fixed_minor: None,
            grace_days: 1,
            cap_bps: Some(20),
            calendar: Calendar::Natural,
            from: None,
            order: FeeOrder::default(),
        };
        let rules = [rule];
        for (today, fee) in [("2026-03-02", 0), ("2026-03-03", 10), ("2026-03-04", 20), ("2026-03-05", 20)] {
            assert_eq!(late_fee(&rules, 10_000, date("2026-03-01"), date(today)), fee, "{today}");
        }
    }
}
