//! Messages to bytes and back. What is read is checked as strictly as what is written.

use encoding_rs::GB18030;

use super::pack::{Bitmap, Class, Digits, Field, FieldPack, Form, Pad};
use super::{Malformed, Message};

impl FieldPack {
    /// The bytes of a message.
    pub fn encode(&self, message: &Message) -> Result<Vec<u8>, Malformed> {
        let mut out = Vec::with_capacity(256);
        if message.mti.len() != 4 || !digits(message.mti.as_bytes()) {
            return Err(Malformed::at("mti", "four digits"));
        }
        match self.mti {
            Digits::Ascii => out.extend_from_slice(message.mti.as_bytes()),
            Digits::Bcd => push_bcd(&mut out, message.mti.as_bytes(), Pad::Left),
        }
        let mut map = 0u128;
        for number in message.fields.keys() {
            if !(2..=128).contains(number) {
                return Err(Malformed::at(number, "a field's number is 2 to 128"));
            }
            map |= bit(*number);
        }
        let halves = if map & u128::from(u64::MAX) == 0 { 1 } else { 2 };
        if halves == 2 {
            map |= bit(1);
        }
        for half in map.to_be_bytes().chunks(8).take(halves) {
            match self.bitmap {
                Bitmap::Binary => out.extend_from_slice(half),
                Bitmap::Hex => out.extend_from_slice(hex(half).as_bytes()),
            }
        }
        for (number, value) in &message.fields {
            let field =
                self.field(*number).ok_or_else(|| Malformed::at(number, "the pack has no such field"))?;
            field.write(value, &mut out).map_err(|why| Malformed::at(number, why))?;
        }
        Ok(out)
    }

    /// The message of bytes, which must be one and nothing after it.
    pub fn decode(&self, bytes: &[u8]) -> Result<Message, Malformed> {
        let mut rest = bytes;
        let short = |place: &str| Malformed::at(place, "ends in the middle");
        let mti = match self.mti {
            Digits::Ascii => text(take(&mut rest, 4).ok_or_else(|| short("mti"))?),
            Digits::Bcd => hex(take(&mut rest, 2).ok_or_else(|| short("mti"))?),
        };
        if !digits(mti.as_bytes()) {
            return Err(Malformed::at("mti", "four digits"));
        }
        let first = self.read_bitmap(&mut rest)?;
        let mut map = u128::from(first) << 64;
        if map & bit(1) != 0 {
            map |= u128::from(self.read_bitmap(&mut rest)?);
        }
        let mut message = Message::new(&mti);
        for number in (2..=128).filter(|n| map & bit(*n) != 0) {
            let field =
                self.field(number).ok_or_else(|| Malformed::at(number, "the pack has no such field"))?;
            let value = field.read(&mut rest).map_err(|why| Malformed::at(number, why))?;
            message.fields.insert(number, value);
        }
        if !rest.is_empty() {
            return Err(Malformed::at("end", "bytes after the last field"));
        }
        Ok(message)
    }

    fn read_bitmap(&self, rest: &mut &[u8]) -> Result<u64, Malformed> {
        let short = || Malformed::at("bitmap", "ends in the middle");
        let bytes = match self.bitmap {
            Bitmap::Binary => take(rest, 8).ok_or_else(short)?.to_vec(),
            Bitmap::Hex => unhex(take(rest, 16).ok_or_else(short)?)
                .ok_or_else(|| Malformed::at("bitmap", "16 hexadecimal digits"))?,
        };
        Ok(bytes.iter().fold(0, |map, byte| (map << 8) | u64::from(*byte)))
    }
}

/// The bit of a field: the first of 128 is the highest.
fn bit(number: u8) -> u128 {
    1 << (128 - number)
}

impl Field {
    /// Appends a value, with its length before it if it varies.
    fn write(&self, value: &str, out: &mut Vec<u8>) -> Result<(), &'static str> {
        self.check(value)?;
        let content = match self.form() {
            Form::Ascii => value.as_bytes().to_vec(),
            Form::Bcd => {
                let mut content = Vec::with_capacity(value.len() / 2 + 1);
                push_bcd(&mut content, value.replace('=', "D").as_bytes(), self.pad);
                content
            }
            Form::Gb18030 => match GB18030.encode(value) {
                (content, _, false) => content.into_owned(),
                _ => return Err("characters that GB 18030 does not have"),
            },
            Form::Binary => unhex(value.as_bytes()).ok_or("upper-case hexadecimal of whole bytes")?,
        };
        let units = if self.form() == Form::Bcd { value.len() } else { content.len() };
        let longest = usize::from(self.length);
        match self.prefix {
            None if units != longest => return Err("not of its fixed length"),
            Some(_) if units > longest => return Err("longer than it may be"),
            None => {}
            Some(width) => {
                let length = format!("{units:0width$}", width = usize::from(width));
                match self.prefix_form {
                    Digits::Ascii => out.extend_from_slice(length.as_bytes()),
                    Digits::Bcd => push_bcd(out, length.as_bytes(), Pad::Left),
                }
            }
        }
        out.extend_from_slice(&content);
        Ok(())
    }

    /// Takes a value from the front.
    fn read(&self, rest: &mut &[u8]) -> Result<String, &'static str> {
        const SHORT: &str = "ends in the middle";
        let units = match self.prefix {
            None => usize::from(self.length),
            Some(width) => {
                let width = usize::from(width);
                let length = match self.prefix_form {
                    Digits::Ascii => text(take(rest, width).ok_or(SHORT)?),
                    Digits::Bcd => hex(take(rest, width.div_ceil(2)).ok_or(SHORT)?),
                };
                let length = Some(length).filter(|l| digits(l.as_bytes())).and_then(|l| l.parse().ok());
                let length: usize = length.ok_or("its length is no number")?;
                if length > usize::from(self.length) {
                    return Err("longer than it may be");
                }
                length
            }
        };
        let value = match self.form() {
            Form::Ascii => text(take(rest, units).ok_or(SHORT)?),
            Form::Bcd => {
                let nibbles = hex(take(rest, units.div_ceil(2)).ok_or(SHORT)?);
                let (from, padding) = match (units % 2, self.pad) {
                    (0, _) => (0, "0"),
                    (_, Pad::Left) => (1, &nibbles[..1]),
                    (_, Pad::Right) => (0, &nibbles[nibbles.len() - 1..]),
                };
                if padding != "0" {
                    return Err("the half byte that fills it up is not 0");
                }
                nibbles[from..from + units].replace('D', if self.class == Class::Z { "=" } else { "D" })
            }
            Form::Gb18030 => {
                let content = take(rest, units).ok_or(SHORT)?;
                let (value, malformed) = GB18030.decode_without_bom_handling(content);
                if malformed {
                    return Err("no GB 18030");
                }
                value.into_owned()
            }
            Form::Binary => hex(take(rest, units).ok_or(SHORT)?),
        };
        self.check(&value)?;
        Ok(value)
    }

    /// Whether all characters are of the field's class.
    fn check(&self, value: &str) -> Result<(), &'static str> {
        let all = |allowed: fn(u8) -> bool| value.bytes().all(allowed);
        let (good, why) = match self.class {
            Class::N => (all(|b| b.is_ascii_digit()), "digits only"),
            Class::Xn => {
                let signed = value.starts_with(['C', 'D']) && digits(&value.as_bytes()[1..]);
                (signed, "C or D, then digits")
            }
            Class::An => (all(|b| b.is_ascii_alphanumeric() || b == b' '), "letters, digits and spaces only"),
            Class::Ans if self.form() == Form::Gb18030 => {
                (!value.chars().any(char::is_control), "printable characters only")
            }
            Class::Ans => (all(|b| (b' '..=b'~').contains(&b)), "printable ASCII only"),
            Class::Z => (all(|b| b.is_ascii_digit() || b == b'='), "digits and = only"),
            Class::B => {
                let digit = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
                (
                    value.len().is_multiple_of(2) && value.bytes().all(digit),
                    "upper-case hexadecimal of whole bytes",
                )
            }
        };
        if good { Ok(()) } else { Err(why) }
    }
}

fn digits(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_digit)
}

fn take<'a>(rest: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(n)?;
    *rest = left;
    Some(taken)
}

/// Bytes as characters, one each; the classes refuse those outside of ASCII.
fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|b| char::from(*b)).collect()
}

fn push_bcd(out: &mut Vec<u8>, digits: &[u8], pad: Pad) {
    let mut padded = Vec::with_capacity(digits.len() + 1);
    let odd = digits.len() % 2 == 1;
    padded.extend((odd && pad == Pad::Left).then_some(b'0'));
    padded.extend_from_slice(digits);
    padded.extend((odd && pad == Pad::Right).then_some(b'0'));
    out.extend(unhex(&padded).into_iter().flatten());
}

fn hex(bytes: &[u8]) -> String {
    kernel::hex(bytes).to_ascii_uppercase()
}

/// The bytes of hexadecimal digits of either case.
pub(super) fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let nibble = |b: u8| char::from(b).to_digit(16).and_then(|n| u8::try_from(n).ok());
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks(2).map(|pair| Some((nibble(pair[0])? << 4) | nibble(pair[1])?)).collect()
}
