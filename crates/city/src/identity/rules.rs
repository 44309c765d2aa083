//! Pure rules of identity: phone numbers, PINs, one-time codes, tiers and their allowances.

use kernel::Date;

/// A yuan in fen: the limits of the payment rules are stated in yuan.
const YUAN: i64 = 100;
/// How long a one-time code lives, seconds.
pub const CODE_TTL_S: u64 = 300;
/// How soon another one may be sent to the same phone, seconds.
pub const CODE_RESEND_S: u64 = 60;
/// How many codes a phone gets before one of them is used, within [`CODES_WINDOW_S`]. With the tries of
/// each it bounds what somebody who asks for codes day and night can guess: 50 of a million a day.
pub const CODES_MAX: i64 = 10;
/// How long codes are counted, seconds: a day from the first.
pub const CODES_WINDOW_S: u64 = 24 * 3600;
/// How many guesses a one-time code allows.
pub const CODE_TRIES_MAX: i64 = 5;
/// How many wrong PINs lock the PIN.
pub const PIN_FAILURES_MAX: i64 = 5;
/// How long a session lives, seconds: 30 days.
pub const SESSION_TTL_S: u64 = 30 * 24 * 3600;

/// The class of a payment account (People's Bank of China, Announcement 2015 No. 43, article 11),
/// by how well its holder is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Known by one outside channel (a phone number): ¥1,000 in its lifetime.
    I,
    /// Known in person or by three outside channels: ¥100,000 a year.
    II,
    /// Known in person or by five outside channels: ¥200,000 a year.
    III,
}

/// An allowance: payments from the balance may draw so much within the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Names the window: `lifetime` or a year. Part of the cap account's identity.
    pub window: String,
    /// What is granted, one grant per tier reached, each with its tier's number. Amounts in fen.
    pub grants: Vec<(u8, i64)>,
}

impl Tier {
    /// 1, 2 or 3.
    pub fn number(self) -> u8 {
        match self {
            Tier::I => 1,
            Tier::II => 2,
            Tier::III => 3,
        }
    }

    /// From 1, 2 or 3.
    pub fn from_number(n: i64) -> Option<Tier> {
        match n {
            1 => Some(Tier::I),
            2 => Some(Tier::II),
            3 => Some(Tier::III),
            _ => None,
        }
    }

    /// The allowance that a payment on `day` draws from. A tier reached later in the year adds a
    /// grant to the same account, so that what was used already still counts.
    pub fn allowance(self, day: Date) -> Allowance {
        let year = || day.year().to_string();
        match self {
            Tier::I => Allowance { window: "lifetime".to_owned(), grants: vec![(1, 1_000 * YUAN)] },
            Tier::II => Allowance { window: year(), grants: vec![(2, 100_000 * YUAN)] },
            Tier::III => Allowance { window: year(), grants: vec![(2, 100_000 * YUAN), (3, 100_000 * YUAN)] },
        }
    }
}

/// A phone number in E.164: eleven digits of a Chinese mobile number get `+86`; with a `+` 7 to 15
/// digits stand as they are (ITU-T E.164 section 6.2). Spaces and hyphens are dropped.
pub fn phone(text: &str) -> Option<String> {
    let compact: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if let Some(rest) = compact.strip_prefix('+') {
        let fits = (7..=15).contains(&rest.len()) && digits(rest) && !rest.starts_with('0');
        return fits.then_some(compact);
    }
    let bytes = compact.as_bytes();
    let mobile = compact.len() == 11 && digits(&compact) && bytes[0] == b'1' && bytes[1] >= b'3';
    mobile.then(|| format!("+86{compact}"))
}

/// A name as another may see it: the last character stays, `*明`; what is shorter is all hidden.
pub fn mask_name(name: &str) -> String {
    let count = name.chars().count();
    let last = name.chars().last().filter(|_| count > 1);
    last.map_or_else(|| "*".to_owned(), |c| format!("{}{c}", "*".repeat((count - 1).min(3))))
}

/// A phone number as another may recognise it: a Chinese mobile keeps three digits and four, `138****0001`, any
/// other its first two and last two, `+44****67`.
pub fn mask_phone(phone: &str) -> String {
    let tail =
        |digits: &str, n: usize| digits.chars().skip(digits.chars().count().saturating_sub(n)).collect();
    let (head, tail): (String, String) = match phone.strip_prefix("+86") {
        Some(mobile) if mobile.len() == 11 => (mobile.chars().take(3).collect(), tail(mobile, 4)),
        _ => (phone.chars().take(3).collect(), tail(phone, 2)),
    };
    format!("{head}****{tail}")
}

/// A name as an operator may recognise it: the first and the last character stay, `王*明`; of two the last,
/// and what is shorter is all hidden.
pub fn mask_middle(name: &str) -> String {
    let count = name.chars().count();
    match (name.chars().next(), name.chars().last()) {
        (Some(first), Some(last)) if count > 2 => format!("{first}{}{last}", "*".repeat((count - 2).min(3))),
        _ => mask_name(name),
    }
}

/// A legal identifier as it is shown: the first four and the last four characters.
pub fn mask_legal_id(id: &str) -> String {
    let chars: Vec<char> = id.chars().collect();
    if chars.len() <= 8 {
        return "*".repeat(chars.len());
    }
    let (head, tail) = (&chars[..4], &chars[chars.len() - 4..]);
    head.iter().chain(&['*'; 4]).chain(tail).collect()
}

/// Whether a PIN may be chosen: six digits, not all the same, not a run up or down.
pub fn pin_acceptable(pin: &str) -> bool {
    let d = pin.as_bytes();
    if d.len() != 6 || !d.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let steps: Vec<i16> = d.windows(2).map(|w| i16::from(w[1]) - i16::from(w[0])).collect();
    ![0, 1, -1].iter().any(|step| steps.iter().all(|s| s == step))
}

/// Whether a name may be used: 1 to 40 characters, none of them a control character.
pub fn name_acceptable(name: &str) -> bool {
    (1..=40).contains(&name.chars().count()) && !name.chars().any(char::is_control) && name.trim() == name
}

/// Six digits out of 64 random bits; the bias of the remainder is below 10⁻¹³.
pub fn one_time_code(random: u64) -> String {
    format!("{:06}", random % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_ids() {
        assert_eq!(mask_legal_id("91350100M000100Y43"), "9135****0Y43");
        assert_eq!(mask_legal_id("12345678"), "********");
    }

    #[test]
    fn phones() {
        for (text, wanted) in [
            ("13800001111", Some("+8613800001111")),
            ("138 0000-1111", Some("+8613800001111")),
            ("+8613800001111", Some("+8613800001111")),
            ("+442071234567", Some("+442071234567")),
            ("12800001111", None),
            ("1380000111", None),
            ("+0861380000", None),
            ("+86138000011112222", None),
            ("１３８00001111", None),
            ("", None),
            ("+", None),
        ] {
            assert_eq!(phone(text).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn names_and_their_masks() {
        for (name, ok, masked) in [
            ("王小明", true, "**明"),
            ("王明", true, "*明"),
            ("明", true, "*"),
            ("Alexandra", true, "***a"),
            ("", false, "*"),
            (" 王", false, "*王"),
            ("a\nb", false, "**b"),
        ] {
            assert_eq!((name_acceptable(name), mask_name(name).as_str()), (ok, masked), "{name:?}");
        }
        assert!(!name_acceptable(&"长".repeat(41)));
    }

    #[test]
    fn what_operators_see_of_a_person() {
        for (name, masked) in [
            ("王小明", "王*明"),
            ("王明", "*明"),
            ("明", "*"),
            ("", "*"),
            ("Alexandra", "A***a"),
            ("欧阳小明", "欧**明"),
        ] {
            assert_eq!(mask_middle(name), masked);
        }
        for (phone, masked) in [
            ("+8613800000001", "138****0001"),
            ("+442071234567", "+44****67"),
            ("+86215555555", "+86****55"),
            ("+1234567", "+12****67"),
        ] {
            assert_eq!(mask_phone(phone), masked);
        }
    }

    #[test]
    fn pins() {
        for (pin, ok) in [
            ("135790", true),
            ("112233", true),
            ("000000", false),
            ("123456", false),
            ("654321", false),
            ("12345", false),
            ("1234567", false),
            ("13579a", false),
            ("１３５７９０", false),
        ] {
            assert_eq!(pin_acceptable(pin), ok, "{pin}");
        }
    }

    #[test]
    fn allowances_of_the_tiers() {
        let day = Date::constant(2026, 12, 31);
        for (tier, window, total) in [
            (Tier::I, "lifetime", 1_000 * YUAN),
            (Tier::II, "2026", 100_000 * YUAN),
            (Tier::III, "2026", 200_000 * YUAN),
        ] {
            let allowance = tier.allowance(day);
            assert_eq!(allowance.window, window);
            assert_eq!(allowance.grants.iter().map(|g| g.1).sum::<i64>(), total);
            assert_eq!(Tier::from_number(i64::from(tier.number())), Some(tier));
        }
        // Whoever goes from II to III keeps the grant of II: its id is the same.
        assert_eq!(Tier::III.allowance(day).grants[0], Tier::II.allowance(day).grants[0]);
        assert_eq!(Tier::from_number(4), None);
    }

    #[test]
    fn codes_are_six_digits() {
        assert_eq!(one_time_code(7), "000007");
        assert_eq!(one_time_code(u64::MAX).len(), 6);
    }
}
