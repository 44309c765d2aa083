//! ISO 8583 messages: a message type, a bitmap that says which fields are there, and the fields.
//!
//! The standard leaves open how a field is written, and every bank has its own answer. It is a [`FieldPack`]: data, not
//! code. A [`Message`] is what both sides mean; [`FieldPack::decode`] reads what [`FieldPack::encode`] wrote, and both
//! refuse what the pack does not allow, naming the field. [`Framing`] cuts messages out of a stream of bytes,
//! [`mac`] proves that one was not changed on its way.

mod codec;
mod frame;
pub mod mac;
mod pack;

use std::collections::BTreeMap;
use std::fmt;

pub use frame::{Framing, LengthForm};
pub use pack::{Bitmap, Class, Digits, Field, FieldPack, Form, Pad};

/// The fields of a message by number, 2 to 128, as text. Binary fields are upper-case hexadecimal. Field 1 is the second
/// bitmap and follows from the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Message type indicator, four digits: `0200`.
    pub mti: String,
    /// By number.
    pub fields: BTreeMap<u8, String>,
}

impl Message {
    /// One without fields.
    pub fn new(mti: &str) -> Message {
        Message { mti: mti.to_owned(), fields: BTreeMap::new() }
    }

    /// With a field more.
    #[must_use]
    pub fn with(mut self, number: u8, value: impl Into<String>) -> Message {
        self.fields.insert(number, value.into());
        self
    }

    /// A field's value.
    pub fn get(&self, number: u8) -> Option<&str> {
        self.fields.get(&number).map(String::as_str)
    }

    /// The type that answers this one: `0200` is answered by `0210`, `0421` by `0430`. `None` where this is no request.
    pub fn response_type(&self) -> Option<String> {
        let mti = self.mti.as_bytes();
        let [version, class, function, _] = mti else { return None };
        let answer = match function {
            b'0' => '1',
            b'2' => '3',
            b'4' => '5',
            _ => return None,
        };
        Some(format!("{}{}{answer}0", char::from(*version), char::from(*class)))
    }
}

/// Why bytes are no message of a pack, or a message cannot be written by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// `mti`, `bitmap`, `frame`, `end` or the field's number.
    pub place: String,
    /// What is wrong there. Never the value: fields hold account numbers.
    pub why: &'static str,
}

impl Malformed {
    fn at(place: impl fmt::Display, why: &'static str) -> Malformed {
        Malformed { place: place.to_string(), why }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.bytes().all(|b| b.is_ascii_digit()) {
            write!(f, "field {}: {}", self.place, self.why)
        } else {
            write!(f, "{}: {}", self.place, self.why)
        }
    }
}

impl std::error::Error for Malformed {}
