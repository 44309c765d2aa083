//! Who is billed what, and when and how it is paid: pure functions of the seed and of numbers, never of the order in which
//! things happen, so that the same seed gives the same month.

use city::bill::account::AccountRule;
use kernel::derive_u128;

/// A number that depends on the seed, a name and two numbers.
pub fn draw(seed: u64, what: &str, a: u64, b: u64) -> u64 {
    let wide = derive_u128(what, &[&seed.to_be_bytes(), &a.to_be_bytes(), &b.to_be_bytes()]);
    u64::try_from(wide >> 64).unwrap_or(0)
}

/// The hours at which residents pay.
pub const HOURS: [u64; 5] = [9, 11, 14, 17, 19];
/// Bills are due so many days after they come, where the biller says no other day.
pub const DUE_AFTER: u64 = 10;
/// Of a hundred bills so many are paid by somebody else at the same moment, where the biller has no limit of pace.
const TWICE_PERCENT: u64 = 2;
/// Of a hundred bills so many are paid late, and so many never.
const LATE_PERCENT: u64 = 5;
const NEVER_PERCENT: u64 = 2;

/// How somebody pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// By the app.
    App,
    /// Two at the same moment.
    Twice,
    /// At a collector's counter.
    Counter,
    /// By a mandate.
    Mandate,
}

/// The shape of a city.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Which month.
    pub seed: u64,
    /// How many residents, each with one account.
    pub residents: u32,
    /// How many billers.
    pub billers: u32,
    /// How many days.
    pub days: u32,
    /// Of the residents who keep their account, one in so many.
    pub kept_one_in: u32,
}

impl Shape {
    /// A city of so many.
    pub fn new(seed: u64, residents: u32, billers: u32, days: u32) -> Shape {
        // A share that is small enough for billers that bear few questions a second: all are asked within one.
        let kept_one_in = 50.max(residents / 2_400);
        Shape { seed, residents, billers, days, kept_one_in }
    }

    /// The biller of a resident, and the number of the account there.
    pub fn account(&self, resident: u32) -> (u32, u32) {
        (resident % self.billers, resident / self.billers)
    }

    /// The day on which a biller's bills come.
    pub fn billed_on(&self, biller: u32) -> u32 {
        let spread = if self.days > 14 { 5 } else { 2 };
        let day = draw(self.seed, "billed on", biller.into(), 0) % spread;
        u32::try_from(day).unwrap_or(0).min(self.days.saturating_sub(1))
    }

    /// Whether the resident keeps the account and is reminded.
    pub fn keeps(&self, resident: u32) -> bool {
        // Not by the number itself, which says which biller it is.
        draw(self.seed, "keeps", resident.into(), 0).is_multiple_of(self.kept_one_in.into())
    }

    /// How the bill of a resident is paid; `paced` where the biller bears so many questions a second and no more.
    pub fn how(&self, resident: u32, paced: bool) -> How {
        if self.keeps(resident) && draw(self.seed, "mandate", resident.into(), 0).is_multiple_of(10) {
            return How::Mandate;
        }
        match draw(self.seed, "how", resident.into(), 0) % 100 {
            n if n < TWICE_PERCENT && !paced => How::Twice,
            99 if !paced => How::Counter,
            _ => How::App,
        }
    }

    /// The day and the hour at which the bill is paid; `None` if not within the month.
    pub fn pays_at(&self, resident: u32) -> Option<(u32, u32)> {
        let (biller, _) = self.account(resident);
        let billed = self.billed_on(biller);
        let drawn = draw(self.seed, "pays", resident.into(), 0);
        let within = u64::from(self.days.saturating_sub(billed)).max(1);
        let after = match drawn % 100 {
            n if n < NEVER_PERCENT => return None,
            n if n < NEVER_PERCENT + LATE_PERCENT => DUE_AFTER + (drawn >> 8) % 12,
            _ => (drawn >> 8) % within.min(DUE_AFTER),
        };
        let day = billed + u32::try_from(after).unwrap_or(0);
        let hour = u32::try_from((drawn >> 32) % HOURS.len() as u64).unwrap_or(0);
        (day < self.days).then_some((day, hour))
    }

    /// What is billed, minor units, at most `most`.
    pub fn amount(&self, resident: u32, most: i64) -> i64 {
        let most = u64::try_from(most.clamp(200, 15_000)).unwrap_or(200);
        i64::try_from(100 + draw(self.seed, "amount", resident.into(), 0) % (most - 99)).unwrap_or(100)
    }

    /// The break that is planted in what a biller (`bank` false) or the bank returns of a day, if one is.
    pub fn planted(&self, biller: u32, day: u32, bank: bool) -> Option<u64> {
        let drawn = draw(self.seed, "break", (u64::from(biller) << 1) | u64::from(bank), day.into());
        drawn.is_multiple_of(10).then_some((drawn >> 8) % 4)
    }
}

/// Signs that stand in a place of a pattern.
fn signs(p: u8) -> &'static [u8] {
    match p {
        b'#' => b"0123456789",
        b'@' => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        b'*' => b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        _ => b"",
    }
}

/// Account number `n` of a biller: each another, each right. `None` where the rule has no room for so many.
pub fn account_no(rule: &AccountRule, n: u32) -> Option<String> {
    let mut number = rule.pattern.clone().into_bytes();
    let free: Vec<usize> = (0..number.len()).filter(|at| !signs(number[*at]).is_empty()).collect();
    let pattern = number.clone();
    let (body, last) = free.split_at(free.len().saturating_sub(2));
    let mut rest = u64::from(n);
    for at in body.iter().rev() {
        let of = signs(pattern[*at]);
        let base = of.len() as u64;
        number[*at] = of[usize::try_from(rest % base).ok()?];
        rest /= base;
    }
    if rest > 0 {
        return None;
    }
    let [before, check] = last else { return None };
    for a in signs(pattern[*before]) {
        for b in signs(pattern[*check]) {
            (number[*before], number[*check]) = (*a, *b);
            let text = std::str::from_utf8(&number).ok()?;
            if rule.check(text).is_ok() {
                return Some(text.to_owned());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_shipped_rule_has_room_for_a_large_city() {
        for pack in city::bill::shipped_packs() {
            let rule = &pack.spec.account;
            let numbers: HashSet<String> = (0..2_000)
                .chain(16_600..16_700)
                .map(|n| account_no(rule, n).unwrap_or_else(|| panic!("{}: number {n}", pack.spec.id)))
                .collect();
            assert_eq!(numbers.len(), 2_100, "{}", pack.spec.id);
        }
    }

    #[test]
    fn most_pay_in_time_some_late_and_some_never() {
        let shape = Shape::new(1, 60_000, 60, 30);
        let (mut late, mut never) = (0, 0);
        for n in 0..60_000 {
            match shape.pays_at(n) {
                None => never += 1,
                Some((day, hour)) => {
                    assert!(day < 30 && (hour as usize) < HOURS.len());
                    let billed = shape.billed_on(shape.account(n).0);
                    assert!(day >= billed);
                    late += u32::from(u64::from(day - billed) >= DUE_AFTER);
                }
            }
        }
        assert!((2_500..3_500).contains(&late) && (900..1_500).contains(&never), "{late} {never}");
    }
}
