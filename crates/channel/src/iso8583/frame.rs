//! Where a message begins and ends in a stream: its length, then what a network puts before each message.

use serde::Deserialize;

use super::Malformed;
use super::codec::unhex;

/// How messages lie in a stream.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Framing {
    /// How the length is written.
    pub length: LengthForm,
    /// Whether it counts itself.
    #[serde(default)]
    pub length_counts_itself: bool,
    /// What stands before each message, in hexadecimal: a TPDU, an institution's header. What comes in may have other
    /// bytes there: they route, and say nothing.
    #[serde(default)]
    pub header: String,
}

/// How the length is written.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LengthForm {
    /// Two bytes, the higher first.
    Binary2,
    /// Four bytes, the highest first.
    Binary4,
    /// Four decimal digits.
    Ascii4,
}

/// No message of a network is longer.
pub const LONGEST: usize = 9_999;

impl Framing {
    /// The header's bytes.
    fn header(&self) -> Result<Vec<u8>, Malformed> {
        let why = || Malformed::at("header", "hexadecimal of at most 100 bytes");
        unhex(self.header.as_bytes()).filter(|header| header.len() <= 100).ok_or_else(why)
    }

    /// Proves what a pack says.
    pub fn prove(&self) -> Result<(), Malformed> {
        self.header().map(drop)
    }

    /// How many bytes the length takes.
    fn width(&self) -> usize {
        match self.length {
            LengthForm::Binary2 => 2,
            LengthForm::Binary4 | LengthForm::Ascii4 => 4,
        }
    }

    /// A message with its length and header before it.
    pub fn wrap(&self, message: &[u8]) -> Result<Vec<u8>, Malformed> {
        let mut content = self.header()?;
        content.extend_from_slice(message);
        let own = if self.length_counts_itself { self.width() } else { 0 };
        let length = u16::try_from(content.len() + own).ok().filter(|l| usize::from(*l) <= LONGEST);
        let length = length.ok_or_else(|| Malformed::at("frame", "longer than 9,999 bytes"))?;
        let mut out = match self.length {
            LengthForm::Binary2 => length.to_be_bytes().to_vec(),
            LengthForm::Binary4 => u32::from(length).to_be_bytes().to_vec(),
            LengthForm::Ascii4 => format!("{length:04}").into_bytes(),
        };
        out.extend_from_slice(&content);
        Ok(out)
    }

    /// Takes the first message off what has arrived; `None` while it is not whole. A frame of nothing is a message of
    /// nothing: networks send it to keep a line open.
    pub fn unwrap(&self, arrived: &mut Vec<u8>) -> Result<Option<Vec<u8>>, Malformed> {
        let width = self.width();
        let Some(prefix) = arrived.get(..width) else { return Ok(None) };
        let length = match self.length {
            LengthForm::Ascii4 => {
                std::str::from_utf8(prefix).ok().filter(|p| p.bytes().all(|b| b.is_ascii_digit()))
            }
            _ => Some(""),
        };
        let length = match length {
            None => return Err(Malformed::at("frame", "its length is no number")),
            Some("") => prefix.iter().fold(0usize, |sum, b| (sum << 8) | usize::from(*b)),
            Some(digits) => digits.parse().expect("four digits"),
        };
        let own = if self.length_counts_itself { width } else { 0 };
        let content = length.checked_sub(own).filter(|l| *l <= LONGEST);
        let content = content.ok_or_else(|| Malformed::at("frame", "a length that no message has"))?;
        if arrived.len() < width + content {
            return Ok(None);
        }
        let header = self.header()?.len();
        let frame: Vec<u8> = arrived.drain(..width + content).skip(width).collect();
        if frame.is_empty() {
            return Ok(Some(frame));
        }
        match frame.get(header..) {
            Some(message) => Ok(Some(message.to_vec())),
            None => Err(Malformed::at("frame", "shorter than its header")),
        }
    }
}
