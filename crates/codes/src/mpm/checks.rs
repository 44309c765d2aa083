//! One rulebook for strict and tolerant reading: each rule either refuses or is noted as a departure.
//! Must never change a value.

use super::{MpmError, MpmErrorKind};

/// Strict refuses at the first departure; tolerant collects them.
pub(super) struct Rulebook {
    strict: bool,
    pub departures: Vec<MpmError>,
}

/// Character classes of EMV QRCPS section 4.6.
#[derive(Clone, Copy)]
pub(super) enum Charset {
    /// `N`: digits.
    N,
    /// `ans`: printable ASCII.
    Ans,
    /// `S`: any Unicode, of which we refuse control characters.
    S,
}

impl Rulebook {
    pub fn strict() -> Self {
        Self { strict: true, departures: Vec::new() }
    }

    pub fn tolerant() -> Self {
        Self { strict: false, departures: Vec::new() }
    }

    pub fn depart(&mut self, path: impl Into<String>, kind: MpmErrorKind) -> Result<(), MpmError> {
        let departure = MpmError::new(path, kind);
        if self.strict {
            return Err(departure);
        }
        self.departures.push(departure);
        Ok(())
    }

    /// A value of 1 to `max` characters of `charset`.
    pub fn text(&mut self, path: &str, value: &str, charset: Charset, max: usize) -> Result<(), MpmError> {
        if value.is_empty() {
            return self.depart(path, MpmErrorKind::EmptyValue);
        }
        if value.chars().count() > max {
            self.depart(path, MpmErrorKind::TooLong { max })?;
        }
        self.charset(path, value, charset)
    }

    /// A value of exactly `want` characters of `charset`.
    pub fn fixed(&mut self, path: &str, value: &str, charset: Charset, want: usize) -> Result<(), MpmError> {
        if value.is_empty() {
            return self.depart(path, MpmErrorKind::EmptyValue);
        }
        if value.chars().count() != want {
            self.depart(path, MpmErrorKind::WrongLength { want })?;
        }
        self.charset(path, value, charset)
    }

    fn charset(&mut self, path: &str, value: &str, charset: Charset) -> Result<(), MpmError> {
        let (allowed, kind): (fn(char) -> bool, _) = match charset {
            Charset::N => (|c| c.is_ascii_digit(), MpmErrorKind::NotDigits),
            Charset::Ans => (|c| matches!(c, ' '..='~'), MpmErrorKind::NotAns),
            Charset::S => (|c| !c.is_control(), MpmErrorKind::ControlCharacter),
        };
        if value.chars().all(allowed) { Ok(()) } else { self.depart(path, kind) }
    }

    /// Which ids were seen: a repeated one departs and says `false` (the first counts).
    pub fn first_seen(&mut self, seen: &mut u128, path: &str, id: u8) -> Result<bool, MpmError> {
        let bit = 1u128 << id;
        if *seen & bit != 0 {
            self.depart(path, MpmErrorKind::Duplicate)?;
            return Ok(false);
        }
        *seen |= bit;
        Ok(true)
    }
}
