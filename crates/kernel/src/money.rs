//! An exact amount of one currency. Integers only: a float can never get in or out.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Currency, UnknownCurrency};

/// An amount in minor units (fen, cents) of a currency. Negative amounts are differences, never prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units: `1250` of CNY is ¥12.50.
    pub minor: i64,
    /// ISO 4217 currency.
    pub currency: Currency,
}

/// Why an amount could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoneyError {
    /// The result does not fit into 64 bits of minor units.
    Overflow,
    /// Two currencies met in one sum.
    CurrencyDiffers(Currency, Currency),
    /// No such ISO 4217 code.
    Currency(UnknownCurrency),
    /// The text is not digits with at most one point between them.
    Syntax,
    /// More digits after the point than the currency has; holds how many it has.
    Precision(u8),
}

impl fmt::Display for MoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MoneyError::Overflow => f.write_str("the amount is too large"),
            MoneyError::CurrencyDiffers(a, b) => write!(f, "{a} and {b} cannot be added"),
            MoneyError::Currency(e) => e.fmt(f),
            MoneyError::Syntax => {
                f.write_str("an amount is digits with at most one decimal point, like 12.50")
            }
            MoneyError::Precision(n) => write!(f, "the currency has {n} digits after the point"),
        }
    }
}

impl std::error::Error for MoneyError {}

impl Money {
    /// `minor` units of `currency`.
    pub const fn new(minor: i64, currency: Currency) -> Money {
        Money { minor, currency }
    }

    /// Yuan in fen.
    pub const fn fen(minor: i64) -> Money {
        Money::new(minor, Currency::CNY)
    }

    /// The sum.
    pub fn checked_add(self, other: Money) -> Result<Money, MoneyError> {
        self.same(other)?;
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Money::new(minor, self.currency))
    }

    /// The difference.
    pub fn checked_sub(self, other: Money) -> Result<Money, MoneyError> {
        self.same(other)?;
        let minor = self.minor.checked_sub(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Money::new(minor, self.currency))
    }

    /// The share of `part` in `whole` (both not negative, `whole` not 0), rounded half up to a minor
    /// unit: a fee of 38 basis points is `share(38, 10_000)`.
    pub fn share(self, part: u64, whole: u64) -> Result<Money, MoneyError> {
        let (part, whole) = (i128::from(part), i128::from(whole));
        if whole == 0 {
            return Err(MoneyError::Overflow);
        }
        let twice = i128::from(self.minor) * part * 2 + whole;
        let minor = i64::try_from(twice.div_euclid(whole * 2)).map_err(|_| MoneyError::Overflow)?;
        Ok(Money::new(minor, self.currency))
    }

    /// Reads a decimal amount of a known currency exactly: `"12.5"` of CNY is 1250. An optional `-`
    /// stands first; no sign, space, exponent or grouping else; no more digits than the currency has.
    pub fn parse_amount(text: &str, currency: Currency) -> Result<Money, MoneyError> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |t| (true, t));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || digits.ends_with('.') {
            return Err(MoneyError::Syntax);
        }
        let exponent = usize::from(currency.exponent());
        if fraction.len() > exponent {
            return Err(MoneyError::Precision(currency.exponent()));
        }
        let padding = std::iter::repeat_n(b'0', exponent - fraction.len());
        let minor = whole.bytes().chain(fraction.bytes()).chain(padding).try_fold(0i64, |sum, b| {
            let digit = i64::from(b - b'0');
            let sum = sum.checked_mul(10)?;
            if negative { sum.checked_sub(digit) } else { sum.checked_add(digit) }
        });
        Ok(Money::new(minor.ok_or(MoneyError::Overflow)?, currency))
    }

    /// The decimal amount without its currency, all digits shown: `12.50`.
    pub fn amount(self) -> String {
        let exponent = usize::from(self.currency.exponent());
        let digits = format!("{:0>width$}", self.minor.unsigned_abs(), width = exponent + 1);
        let (whole, fraction) = digits.split_at(digits.len() - exponent);
        let sign = if self.minor < 0 { "-" } else { "" };
        if exponent == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }

    fn same(self, other: Money) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::CurrencyDiffers(self.currency, other.currency))
        }
    }
}

/// `12.50 CNY`
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency)
    }
}

/// Reads what `Display` prints.
impl std::str::FromStr for Money {
    type Err = MoneyError;
    fn from_str(s: &str) -> Result<Money, MoneyError> {
        let (amount, currency) = s.split_once(' ').ok_or(MoneyError::Syntax)?;
        Money::parse_amount(amount, currency.parse().map_err(MoneyError::Currency)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    #[test]
    fn prints_with_the_exponent_of_its_currency() {
        for (minor, code, text) in [
            (1250, "CNY", "12.50 CNY"),
            (5, "CNY", "0.05 CNY"),
            (-5, "CNY", "-0.05 CNY"),
            (0, "CNY", "0.00 CNY"),
            (1250, "JPY", "1250 JPY"),
            (1250, "KWD", "1.250 KWD"),
            (1, "CLF", "0.0001 CLF"),
            (i64::MIN, "CNY", "-92233720368547758.08 CNY"),
            (i64::MAX, "CNY", "92233720368547758.07 CNY"),
        ] {
            let money = Money::new(minor, currency(code));
            assert_eq!(money.to_string(), text);
            assert_eq!(text.parse(), Ok(money));
        }
    }

    #[test]
    fn refuses_what_is_not_exact() {
        for (text, code, error) in [
            ("", "CNY", MoneyError::Syntax),
            (".5", "CNY", MoneyError::Syntax),
            ("5.", "CNY", MoneyError::Syntax),
            ("+5", "CNY", MoneyError::Syntax),
            ("1,000", "CNY", MoneyError::Syntax),
            ("1e3", "CNY", MoneyError::Syntax),
            ("１", "CNY", MoneyError::Syntax),
            (" 1", "CNY", MoneyError::Syntax),
            ("1.2.3", "CNY", MoneyError::Syntax),
            ("0.001", "CNY", MoneyError::Precision(2)),
            ("1.0", "JPY", MoneyError::Precision(0)),
            ("92233720368547758.08", "CNY", MoneyError::Overflow),
            ("99999999999999999999999999", "CNY", MoneyError::Overflow),
        ] {
            assert_eq!(Money::parse_amount(text, currency(code)), Err(error), "{text}");
        }
        assert_eq!("1.00 XXQ".parse::<Money>(), Err(MoneyError::Currency(UnknownCurrency)));
        assert_eq!("1.00".parse::<Money>(), Err(MoneyError::Syntax));
    }

    #[test]
    fn arithmetic_is_checked() {
        let (max, one) = (Money::fen(i64::MAX), Money::fen(1));
        assert_eq!(max.checked_add(one), Err(MoneyError::Overflow));
        assert_eq!(Money::fen(i64::MIN).checked_sub(one), Err(MoneyError::Overflow));
        let yen = Money::new(1, currency("JPY"));
        assert_eq!(one.checked_add(yen), Err(MoneyError::CurrencyDiffers(Currency::CNY, currency("JPY"))));
        for (minor, part, whole, share) in [
            (1000, 38, 10_000, 4),
            (100, 38, 10_000, 0),
            (132, 38, 10_000, 1),
            (131, 38, 10_000, 0),
            (-1000, 38, 10_000, -4),
        ] {
            assert_eq!(Money::fen(minor).share(part, whole), Ok(Money::fen(share)), "{minor}");
        }
        assert_eq!(max.share(3, 2), Err(MoneyError::Overflow));
        assert_eq!(one.share(1, 0), Err(MoneyError::Overflow));
    }

    proptest! {
        #[test]
        fn text_and_back_is_the_same(minor: i64, code in prop::sample::select(vec!["CNY", "JPY", "KWD", "CLF"])) {
            let money = Money::new(minor, currency(code));
            prop_assert_eq!(money.to_string().parse(), Ok(money));
        }
    }
}
