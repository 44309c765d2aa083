//! The bare structure of a merchant payload: objects, CRC, and looking a field up by path. Knows no field's meaning.
//! Must never accept a CRC that does not match.

use super::{MAX_SYMBOL_CHARS, MpmError, MpmErrorKind};

/// What the lengths of a payload count. The specification says characters; a few generators count UTF-8 bytes, which
/// only shows when a value is not ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthUnit {
    /// As specified.
    Characters,
    /// A departure, accepted by tolerant readers when reading by characters fails.
    Bytes,
}

/// One object: id 0–99 and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Object<'a> {
    pub id: u8,
    pub value: &'a str,
}

/// What can be said about any text: the objects read so far and the first structural problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection<'a> {
    pub(super) objects: Vec<Object<'a>>,
    /// How lengths were counted.
    pub unit: LengthUnit,
    /// `None` when TLV and CRC are sound.
    pub problem: Option<MpmError>,
}

impl<'a> Inspection<'a> {
    /// The value at a dotted path, `"62.07"` or `"38.01.00"`. The first object of an id counts.
    pub fn field(&self, path: &str) -> Option<&'a str> {
        let mut ids = path.split('.');
        let mut value = find(&self.objects, ids.next()?)?;
        for id in ids {
            value = find(&walk(value, self.unit, "").0, id)?;
        }
        Some(value)
    }

    /// The top-level objects in order, as id and value.
    pub fn objects(&self) -> impl Iterator<Item = (u8, &'a str)> + '_ {
        self.objects.iter().map(|o| (o.id, o.value))
    }
}

fn find<'a>(objects: &[Object<'a>], id: &str) -> Option<&'a str> {
    let id: u8 = id.parse().ok()?;
    objects.iter().find(|o| o.id == id).map(|o| o.value)
}

/// Reads objects until the text or its sense ends. `parent` prefixes the path of an error.
pub(super) fn walk<'a>(text: &'a str, unit: LengthUnit, parent: &str) -> (Vec<Object<'a>>, Option<MpmError>) {
    let mut objects = Vec::new();
    let (mut rest, mut at) = (text, 0);
    while !rest.is_empty() {
        let Some((id, length, tail)) = header(rest) else {
            return (objects, Some(MpmError::new(format!("{parent}@{at}"), MpmErrorKind::BadHeader)));
        };
        let Some((value, tail)) = split(tail, length, unit) else {
            return (objects, Some(MpmError::new(format!("{parent}{id:02}"), MpmErrorKind::Truncated)));
        };
        objects.push(Object { id, value });
        at += 4 + value.chars().count();
        rest = tail;
    }
    (objects, None)
}

fn header(text: &str) -> Option<(u8, usize, &str)> {
    let (head, tail) = text.split_at_checked(4)?;
    let head = head.as_bytes();
    let pair = |i: usize| -> Option<u8> {
        let (tens, units) = (head[i], head[i + 1]);
        (tens.is_ascii_digit() && units.is_ascii_digit()).then(|| (tens - b'0') * 10 + (units - b'0'))
    };
    Some((pair(0)?, usize::from(pair(2)?), tail))
}

fn split(text: &str, length: usize, unit: LengthUnit) -> Option<(&str, &str)> {
    let at = match unit {
        LengthUnit::Bytes => length,
        LengthUnit::Characters => {
            let mut starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            starts.nth(length)?
        }
    };
    text.split_at_checked(at)
}

/// CRC-16/IBM-3740 (also called CCITT-FALSE): polynomial 1021h, start FFFFh, nothing reflected, nothing added
/// (EMV QRCPS 4.7.3 after ISO/IEC 13239).
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        let mut crc = crc ^ (u16::from(*byte) << 8);
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        }
        crc
    })
}

/// Reads what can be read of any text and says the first problem of its TLV or CRC.
pub fn inspect(payload: &str) -> Inspection<'_> {
    let unsound = |path: &str, kind| Inspection {
        objects: Vec::new(),
        unit: LengthUnit::Characters,
        problem: Some(MpmError::new(path, kind)),
    };
    if payload.is_empty() {
        return unsound("", MpmErrorKind::Empty);
    }
    if payload.chars().count() > MAX_SYMBOL_CHARS {
        return unsound("", MpmErrorKind::PayloadTooLong);
    }
    let by_characters = read(payload, LengthUnit::Characters);
    if by_characters.problem.is_none() || payload.is_ascii() {
        return by_characters;
    }
    let by_bytes = read(payload, LengthUnit::Bytes);
    if by_bytes.problem.is_none() { by_bytes } else { by_characters }
}

/// Sound TLV up to a final CRC object, and a right CRC: the verdict of the public test payloads. Says how lengths
/// were counted.
pub fn check_tlv_crc(payload: &str) -> Result<LengthUnit, MpmError> {
    let inspection = inspect(payload);
    inspection.problem.map_or(Ok(inspection.unit), Err)
}

fn read(payload: &str, unit: LengthUnit) -> Inspection<'_> {
    let (objects, mut problem) = walk(payload, unit, "");
    if problem.is_none() {
        problem = match objects.last() {
            Some(Object { id: 63, value }) if value.len() == 4 => {
                check_crc(payload, value).map(|kind| MpmError::new("63", kind))
            }
            _ => Some(MpmError::new("63", MpmErrorKind::CrcMissing)),
        };
    }
    Inspection { objects, unit, problem }
}

/// `digits` are the payload's last four bytes. A CRC that is right in a way the specification does not allow is
/// refused all the same, under a code that says which way.
fn check_crc(payload: &str, digits: &str) -> Option<MpmErrorKind> {
    let covered = &payload[..payload.len() - 4];
    let want = format!("{:04X}", crc16(covered.as_bytes()));
    if digits == want {
        return None;
    }
    if digits.eq_ignore_ascii_case(&want) {
        return Some(MpmErrorKind::CrcLowerCase);
    }
    let latin1: Option<Vec<u8>> = covered.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    match latin1 {
        Some(bytes) if format!("{:04X}", crc16(&bytes)) == digits => Some(MpmErrorKind::CrcLatin1),
        _ => Some(MpmErrorKind::CrcMismatch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_check_value_of_the_catalogue() {
        assert_eq!(crc16(b"123456789"), 0x29B1);
        assert_eq!(crc16(b""), 0xFFFF);
    }
}
