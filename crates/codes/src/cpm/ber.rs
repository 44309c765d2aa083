//! BER-TLV as EMV Book 3, annex B uses it: tags of one to three bytes, definite lengths of one to three bytes.
//! Must never recurse on its own: whoever knows a tag's meaning decides whether to look inside.

use super::{CpmError, CpmErrorKind};

/// One data object, its value unopened.
#[derive(Clone, PartialEq, Eq)]
pub struct Tlv {
    /// The tag's bytes as a number: `0x4F`, `0x9F26`.
    pub tag: u32,
    /// The value's bytes.
    pub value: Vec<u8>,
}

/// Values can be card data: only tag and length are printed.
impl std::fmt::Debug for Tlv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tlv({:X}, {} bytes)", self.tag, self.value.len())
    }
}

/// Splits `bytes` into objects. `parent` prefixes the path of an error.
pub(super) fn parse(bytes: &[u8], parent: &str) -> Result<Vec<Tlv>, CpmError> {
    let mut objects = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let header = |kind| CpmError::new(format!("{parent}@{at}"), kind);
        let (tag, after) = read_tag(rest).ok_or_else(|| header(CpmErrorKind::BadTag))?;
        let path = || super::path(parent, tag);
        let (length, after) =
            read_length(after).ok_or_else(|| CpmError::new(path(), CpmErrorKind::BadLength))?;
        let (value, after) =
            after.split_at_checked(length).ok_or_else(|| CpmError::new(path(), CpmErrorKind::Truncated))?;
        objects.push(Tlv { tag, value: value.to_vec() });
        rest = after;
    }
    Ok(objects)
}

/// A first byte ending in five ones is followed by more, all but the last with the top bit set.
fn read_tag(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (&first, mut rest) = bytes.split_first()?;
    let mut tag = u32::from(first);
    if first & 0x1F != 0x1F {
        return (tag != 0).then_some((tag, rest));
    }
    for _ in 0..2 {
        let (&next, after) = rest.split_first()?;
        (tag, rest) = ((tag << 8) | u32::from(next), after);
        if next & 0x80 == 0 {
            return Some((tag, rest));
        }
    }
    None
}

/// Short form to 127, `81 xx` to 255, `82 xx xx` to 65,535. A length in more bytes than needed is read, too.
fn read_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        0..=0x7F => Some((usize::from(first), rest)),
        0x81 => rest.split_first().map(|(&length, rest)| (usize::from(length), rest)),
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            Some((usize::from(u16::from_be_bytes(*length)), rest))
        }
        _ => None,
    }
}

/// Appends one object, its length in as few bytes as it needs.
pub(super) fn write(out: &mut Vec<u8>, tag: u32, value: &[u8], parent: &str) -> Result<(), CpmError> {
    let bytes = tag.to_be_bytes();
    let used = &bytes[bytes.iter().take_while(|b| **b == 0).count().min(3)..];
    if read_tag(used).is_none_or(|(read, rest)| read != tag || !rest.is_empty()) {
        return Err(CpmError::new(super::path(parent, tag), CpmErrorKind::BadTag));
    }
    out.extend_from_slice(used);
    match u16::try_from(value.len()) {
        Ok(length @ 0..=0x7F) => out.push(length.to_be_bytes()[1]),
        Ok(length @ 0x80..=0xFF) => out.extend([0x81, length.to_be_bytes()[1]]),
        Ok(length) => {
            out.push(0x82);
            out.extend(length.to_be_bytes());
        }
        Err(_) => return Err(CpmError::new(super::path(parent, tag), CpmErrorKind::BadLength)),
    }
    out.extend_from_slice(value);
    Ok(())
}
