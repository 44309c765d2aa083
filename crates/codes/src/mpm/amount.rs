//! The decimal text of an amount (objects 54 and 56) and its exact way to and from minor units.
//! Must never round and never use floating point.

use std::fmt;

/// An amount as the payload writes it, for example `"23.72"`; the currency stands in object 53.
///
/// [`Amount::parse`] and [`Amount::from_minor`] only make well-formed ones. A malformed one can come out of
/// [`super::decode_tolerant`] alone, listed as a departure; [`Amount::to_minor`] then refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amount(String);

/// Why a text is no amount, or has no exact value in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AmountError {
    /// Not digits with at most one decimal point after the first digit.
    Malformed,
    /// Longer than 13 characters.
    TooLong,
    /// Zero; an open amount is said by leaving object 54 out.
    Zero,
    /// More decimals than the currency has.
    TooPrecise,
    /// Does not fit 64 bits of minor units.
    TooLarge,
}

impl AmountError {
    /// Stable code for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "amount_malformed",
            Self::TooLong => "amount_too_long",
            Self::Zero => "amount_zero",
            Self::TooPrecise => "amount_too_precise",
            Self::TooLarge => "amount_too_large",
        }
    }
}

impl fmt::Display for AmountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "an amount is digits with at most one decimal point",
            Self::TooLong => "an amount has at most 13 characters",
            Self::Zero => "an amount must not be zero",
            Self::TooPrecise => "more decimals than the currency has",
            Self::TooLarge => "amount out of range",
        })
    }
}

impl std::error::Error for AmountError {}

/// Length limit of objects 54 and 56 (EMV QRCPS table 3.4).
const MAX_CHARS: usize = 13;

impl Amount {
    /// Checks the form: 1 to 13 characters, digits, at most one `.` and not at the start, not zero.
    ///
    /// ```
    /// use codes::mpm::{Amount, AmountError};
    /// assert_eq!(Amount::parse("23.72").unwrap().to_minor(2), Ok(2372));
    /// assert_eq!(Amount::parse("1,000"), Err(AmountError::Malformed));
    /// ```
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        if text.chars().count() > MAX_CHARS {
            return Err(AmountError::TooLong);
        }
        Self::split(text)?;
        if text.bytes().all(|b| matches!(b, b'0' | b'.')) {
            return Err(AmountError::Zero);
        }
        Ok(Self(text.to_owned()))
    }

    /// Writes minor units with `exponent` decimals (ISO 4217: CNY 2, JPY 0): 2372 fen is `"23.72"`.
    pub fn from_minor(minor: u64, exponent: u32) -> Result<Self, AmountError> {
        let scale = 10u64.checked_pow(exponent).ok_or(AmountError::TooLarge)?;
        let whole = minor / scale;
        let text = if exponent == 0 {
            whole.to_string()
        } else {
            format!("{whole}.{:0width$}", minor % scale, width = exponent as usize)
        };
        Self::parse(&text)
    }

    /// The exact amount in minor units of a currency with `exponent` decimals. Trailing zeros beyond the exponent
    /// are harmless; other digits there are [`AmountError::TooPrecise`].
    pub fn to_minor(&self, exponent: u32) -> Result<u64, AmountError> {
        Self::parse(&self.0)?;
        let (whole, fraction) = Self::split(&self.0)?;
        let kept = fraction.len().min(exponent as usize);
        let (fraction, beyond) = fraction.split_at(kept);
        if beyond.bytes().any(|b| b != b'0') {
            return Err(AmountError::TooPrecise);
        }
        let mut minor = 0u64;
        let digits = whole.bytes().chain(fraction.bytes()).map(|b| u64::from(b - b'0'));
        let padding = std::iter::repeat_n(0, exponent as usize - kept);
        for digit in digits.chain(padding) {
            minor = minor.checked_mul(10).and_then(|m| m.checked_add(digit)).ok_or(AmountError::TooLarge)?;
        }
        Ok(minor)
    }

    /// The text as it stands in the payload.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Keeps a text that is no amount, for a tolerant reader to show.
    pub(super) fn unchecked(text: &str) -> Self {
        Self(text.to_owned())
    }

    fn split(text: &str) -> Result<(&str, &str), AmountError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) {
            return Err(AmountError::Malformed);
        }
        Ok((whole, fraction))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_minor_is_exact_or_refused() {
        use AmountError::{Malformed, TooLarge, TooLong, TooPrecise, Zero};
        let cases: &[(&str, u32, Result<u64, AmountError>)] = &[
            ("23.72", 2, Ok(2372)),
            ("23.7", 2, Ok(2370)),
            ("23", 2, Ok(2300)),
            ("23.", 2, Ok(2300)),
            ("0.01", 2, Ok(1)),
            ("007", 0, Ok(7)),
            ("100.00", 0, Ok(100)),
            ("1.234", 3, Ok(1234)),
            ("9999999999999", 4, Ok(99_999_999_999_990_000)),
            ("9999999999999", 7, Err(TooLarge)),
            ("100.01", 0, Err(TooPrecise)),
            ("1.005", 2, Err(TooPrecise)),
            ("12345678901.23", 2, Err(TooLong)),
            ("0", 2, Err(Zero)),
            ("0.00", 2, Err(Zero)),
            ("", 2, Err(Malformed)),
            (".50", 2, Err(Malformed)),
            (".", 2, Err(Malformed)),
            ("1,000", 2, Err(Malformed)),
            ("1.2.3", 2, Err(Malformed)),
            ("-1", 2, Err(Malformed)),
            ("+1", 2, Err(Malformed)),
            ("1e3", 2, Err(Malformed)),
            (" 1", 2, Err(Malformed)),
            ("１", 2, Err(Malformed)),
        ];
        for (text, exponent, want) in cases {
            let got = Amount::parse(text).and_then(|a| a.to_minor(*exponent));
            assert_eq!(got, *want, "{text} at exponent {exponent}");
        }
    }

    #[test]
    fn from_minor_writes_every_decimal() {
        let cases: &[(u64, u32, Result<&str, AmountError>)] = &[
            (2372, 2, Ok("23.72")),
            (1, 2, Ok("0.01")),
            (100, 2, Ok("1.00")),
            (5, 0, Ok("5")),
            (999_999_999_999, 2, Ok("9999999999.99")),
            (1_000_000_000_000, 2, Err(AmountError::TooLong)),
            (0, 2, Err(AmountError::Zero)),
            (u64::MAX, 2, Err(AmountError::TooLong)),
            (1, 20, Err(AmountError::TooLarge)),
        ];
        for (minor, exponent, want) in cases {
            let got = Amount::from_minor(*minor, *exponent);
            let got = got.as_ref().map(Amount::as_str).map_err(|e| *e);
            assert_eq!(got, *want, "{minor} at exponent {exponent}");
        }
    }
}
