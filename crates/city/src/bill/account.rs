//! Account numbers of a biller: their shape and check digit. Pure.
//!
//! Must never accept a number that fails its check digit: money paid to a mistyped number is hard to
//! get back.

use std::fmt::{self, Write as _};

use serde::Deserialize;

use super::pack::{Name, PackError};

/// The longest account number or bill number, in characters (all ASCII).
pub const NUMBER_MAX: usize = 32;

/// What an account number looks like.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct AccountRule {
    /// One character per position: `#` a digit, `@` a letter A-Z, `*` either, anything else itself.
    pub pattern: String,
    /// What the number is called on the biller's paper; by what is billed when absent.
    pub label: Option<Name>,
    /// How the check digit at the end is computed.
    #[serde(default)]
    pub check: Check,
    /// `weighted` only: the weight of each position before the check digit.
    #[serde(default)]
    pub weights: Vec<u32>,
    /// `weighted` only: the check digit for each remainder; its length is the modulus.
    #[serde(default)]
    pub check_digits: String,
    /// Numbers that must be accepted; proved when the pack is loaded.
    pub examples: Vec<String>,
    /// Numbers that must be refused; proved when the pack is loaded.
    pub counter_examples: Vec<String>,
}

/// How a check digit is computed.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// No check digit.
    #[default]
    None,
    /// Luhn, ISO/IEC 7812-1 annex B; the last digit.
    Luhn,
    /// ISO 7064 MOD 11-2, as in GB 11643 (resident identity numbers); the last character, 0-9 or X.
    #[serde(rename = "mod11_2")]
    Mod11_2,
    /// ISO 7064 MOD 97-10, as in ISO 17442 and ISO 13616; the last two digits. Letters count as 10 to 35.
    #[serde(rename = "mod97_10")]
    Mod97_10,
    /// The biller's own `weights` and `check_digits`: digit of (sum of weight × digit) mod their number.
    Weighted,
}

/// Why a text is no account number of this biller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountFault {
    /// Length or characters differ from the pattern.
    Shape,
    /// The check digit is wrong: a typing error.
    CheckDigit,
}

impl fmt::Display for AccountFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AccountFault::Shape => "it does not have the shape of this biller's account numbers",
            AccountFault::CheckDigit => "its check digit is wrong",
        })
    }
}

impl AccountRule {
    /// Whether `number` may be an account of this biller.
    pub fn check(&self, number: &str) -> Result<(), AccountFault> {
        let (number, pattern) = (number.as_bytes(), self.pattern.as_bytes());
        let fits = |(c, p): (&u8, &u8)| match p {
            b'#' => c.is_ascii_digit(),
            b'@' => c.is_ascii_uppercase(),
            b'*' => c.is_ascii_digit() || c.is_ascii_uppercase(),
            other => c == other,
        };
        if number.len() != pattern.len() || !number.iter().zip(pattern).all(fits) {
            return Err(AccountFault::Shape);
        }
        let right = match self.check {
            Check::None => true,
            Check::Luhn => luhn(number),
            Check::Mod11_2 => mod11_2(number),
            Check::Mod97_10 => mod97_10(number),
            Check::Weighted => self.weighted(number),
        };
        if right { Ok(()) } else { Err(AccountFault::CheckDigit) }
    }

    /// The shape as a regular expression of the whole number, in the common part of ECMAScript and Rust; the
    /// check digit is not in it.
    pub fn expression(&self) -> String {
        let mut text = String::from("^");
        let pattern: Vec<char> = self.pattern.chars().collect();
        for run in pattern.chunk_by(|a, b| a == b) {
            let class = match run[0] {
                '#' => "[0-9]",
                '@' => "[A-Z]",
                '*' => "[0-9A-Z]",
                c => {
                    // No other character has a meaning, nor may be escaped in every kind of expression.
                    let escape = if r"^$\.*+?()[]{}|".contains(c) { "\\" } else { "" };
                    for c in run {
                        text.push_str(escape);
                        text.push(*c);
                    }
                    continue;
                }
            };
            text.push_str(class);
            if run.len() > 1 {
                let _ = write!(text, "{{{}}}", run.len()); // infallible
            }
        }
        text.push('$');
        text
    }

    fn weighted(&self, number: &[u8]) -> bool {
        let Some((last, body)) = number.split_last() else { return false };
        let modulus = u32::try_from(self.check_digits.len()).unwrap_or(1);
        let sum = body.iter().zip(&self.weights).fold(0, |sum, (c, w)| (sum + w * value(*c)) % modulus);
        self.check_digits.as_bytes().get(sum as usize) == Some(last)
    }

    /// Whether the rule makes sense and does what its examples say.
    pub(super) fn validate(&self) -> Result<(), PackError> {
        let invalid = |key: &str, why: &str| Err(PackError::invalid(&format!("account.{key}"), why));
        if self.pattern.is_empty() || self.pattern.len() > NUMBER_MAX || !self.pattern.is_ascii() {
            return invalid("pattern", "1 to 32 ASCII characters");
        }
        if let Some(label) = &self.label {
            label.validate("account.label")?;
        }
        if self.pattern.bytes().any(|b| !b.is_ascii_graphic()) {
            return invalid("pattern", "no spaces or control characters");
        }
        let digits_but = |last: usize| {
            let body = &self.pattern.as_bytes()[..self.pattern.len().saturating_sub(last)];
            !body.is_empty() && body.iter().all(|b| *b == b'#' || b.is_ascii_digit())
        };
        match self.check {
            Check::Luhn if !digits_but(0) => return invalid("pattern", "luhn needs digits only"),
            Check::Mod11_2 if !digits_but(1) || !self.pattern.ends_with(['#', '*']) => {
                return invalid("pattern", "mod11_2 needs digits, then # or *");
            }
            Check::Mod97_10 if !self.pattern.ends_with("##") => {
                return invalid("pattern", "mod97_10 needs ## at the end");
            }
            Check::Weighted if self.weights.len() + 1 != self.pattern.len() => {
                return invalid("weights", "one for each position before the check digit");
            }
            Check::Weighted if self.weights.iter().any(|w| *w > 1_000) => {
                return invalid("weights", "0 to 1000");
            }
            Check::Weighted if !(2..=36).contains(&self.check_digits.len()) => {
                return invalid("check_digits", "2 to 36 characters");
            }
            Check::Weighted => {}
            _ if !self.weights.is_empty() => return invalid("weights", "only with check = \"weighted\""),
            _ if !self.check_digits.is_empty() => {
                return invalid("check_digits", "only with check = \"weighted\"");
            }
            _ => {}
        }
        if self.examples.is_empty() {
            return invalid("examples", "at least one");
        }
        if self.counter_examples.is_empty() {
            return invalid("counter_examples", "at least one");
        }
        for example in &self.examples {
            if let Err(why) = self.check(example) {
                return Err(PackError::example("account.examples", example, &why.to_string()));
            }
        }
        for example in &self.counter_examples {
            if self.check(example).is_ok() {
                return Err(PackError::example("account.counter_examples", example, "the rule accepts it"));
            }
        }
        Ok(())
    }
}

/// 0-9, then A-Z as 10 to 35; anything else counts as nothing.
fn value(c: u8) -> u32 {
    match c {
        b'0'..=b'9' => u32::from(c - b'0'),
        b'A'..=b'Z' => u32::from(c - b'A') + 10,
        _ => 0,
    }
}

fn luhn(number: &[u8]) -> bool {
    let sum: u32 = number
        .iter()
        .rev()
        .enumerate()
        .map(|(i, c)| match (i % 2, value(*c)) {
            (0, d) => d,
            (_, d) if d > 4 => d * 2 - 9,
            (_, d) => d * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

fn mod11_2(number: &[u8]) -> bool {
    let Some((last, body)) = number.split_last() else { return false };
    let product = body.iter().fold(0, |p, c| (p + value(*c)) * 2 % 11);
    let check = (12 - product) % 11;
    match last {
        b'X' => check == 10,
        b'0'..=b'9' => check == u32::from(last - b'0'),
        _ => false, // A counts as 10 elsewhere; here only X does
    }
}

fn mod97_10(number: &[u8]) -> bool {
    number.iter().fold(0, |p, c| {
        let v = value(*c);
        (p * if v > 9 { 100 } else { 10 } + v) % 97
    }) == 1
}
