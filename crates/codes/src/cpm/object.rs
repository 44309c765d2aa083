//! The data objects of templates 61 and 62 with their formats (EMV QRCPS Consumer-Presented Mode 1.1, tables 4.3 to
//! 4.5). Must never show more of a card number than its last four digits.

use std::fmt;

use super::{CpmError, CpmErrorKind, Tlv, ber, path};

/// One object. An unknown tag is kept as it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Object {
    /// 4F: application identifier, 5 to 16 bytes (ISO/IEC 7816-5).
    Aid(Vec<u8>),
    /// 50: application label, 1 to 16 characters.
    Label(String),
    /// 57: track 2 equivalent data.
    Track2(Track2),
    /// 5A: card number or token.
    CardNumber(CardNumber),
    /// 5F20: cardholder name, 2 to 26 characters.
    CardholderName(String),
    /// 5F2D: languages in order of preference, ISO 639-1, 1 to 4 pairs of letters.
    Languages(String),
    /// 5F34: card sequence number, two digits in one byte.
    SequenceNumber(u8),
    /// 5F50: where the issuer can be reached.
    IssuerUrl(String),
    /// 9F08: application version.
    Version([u8; 2]),
    /// 9F19: token requestor, eleven digits in six bytes.
    TokenRequestor([u8; 6]),
    /// 9F24: payment account reference, 29 characters.
    AccountReference(String),
    /// 9F25: last four digits of the card number behind a token.
    LastFour([u8; 2]),
    /// 63 in an application, 64 in the common template: chip data handed through to the issuer.
    Transparent(Vec<Tlv>),
    /// Any other tag.
    Other(Tlv),
}

/// Only the tag and how much there is: names and card data stay out of logs.
impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aid(aid) => write!(f, "Aid({aid:02X?})"),
            Self::Label(label) => write!(f, "Label({label:?})"),
            Self::Track2(track) => fmt::Debug::fmt(track, f),
            Self::CardNumber(number) => fmt::Debug::fmt(number, f),
            Self::Transparent(list) => write!(f, "Transparent({list:?})"),
            Self::Other(tlv) => write!(f, "Other({tlv:?})"),
            known => match known.parts("") {
                Ok((tag, value)) => write!(f, "Object({tag:X}, {} bytes)", value.len()),
                Err(_) => f.write_str("Object(…)"),
            },
        }
    }
}

/// 5A: 8 to 19 digits.
#[derive(Clone, PartialEq, Eq)]
pub struct CardNumber(String);

/// 57: card number, separator, expiry, service code and the rest, as hexadecimal digits with `D` for the separator.
#[derive(Clone, PartialEq, Eq)]
pub struct Track2(String);

impl CardNumber {
    /// From 8 to 19 digits.
    pub fn new(digits: &str) -> Option<Self> {
        let good = (8..=19).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        good.then(|| Self(digits.to_owned()))
    }

    /// All digits. Card data: show [`CardNumber::last_four`] instead.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// The last four digits.
    pub fn last_four(&self) -> &str {
        &self.0[self.0.len() - 4..]
    }
}

impl fmt::Debug for CardNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CardNumber(…{})", self.last_four())
    }
}

impl Track2 {
    /// From digits with one `D`, at most 37 characters.
    pub fn new(text: &str) -> Option<Self> {
        let (number, rest) = text.split_once('D')?;
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let good = (8..=19).contains(&number.len()) && digits(number) && digits(rest) && text.len() <= 37;
        good.then(|| Self(text.to_owned()))
    }

    /// Digits and `D`. Card data.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The card number in front of the separator.
    pub fn card_number(&self) -> Option<CardNumber> {
        CardNumber::new(self.0.split('D').next()?)
    }
}

impl fmt::Debug for Track2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Track2({:?})", self.card_number())
    }
}

impl Object {
    pub(super) fn read(tlv: Tlv, parent: &str) -> Result<Self, CpmError> {
        let Tlv { tag, value } = tlv;
        let refuse = |kind| CpmError::new(path(parent, tag), kind);
        let text = |least: usize, most: usize| -> Result<String, CpmError> {
            if !(least..=most).contains(&value.len()) {
                return Err(refuse(CpmErrorKind::WrongLength));
            }
            if !value.iter().all(|b| matches!(b, b' '..=b'~')) {
                return Err(refuse(CpmErrorKind::Characters));
            }
            String::from_utf8(value.clone()).map_err(|_| refuse(CpmErrorKind::Characters))
        };
        let length = || refuse(CpmErrorKind::WrongLength);
        let characters = || refuse(CpmErrorKind::Characters);
        let common = parent == "62.";
        Ok(match tag {
            0x4F if (5..=16).contains(&value.len()) => Self::Aid(value),
            0x4F => return Err(length()),
            0x50 => Self::Label(text(1, 16)?),
            0x57 => Self::Track2(Track2::new(&unpack(&value)).ok_or_else(characters)?),
            0x5A if value.len() > 10 => return Err(length()),
            0x5A => Self::CardNumber(CardNumber::new(&unpack(&value)).ok_or_else(characters)?),
            0x5F20 => Self::CardholderName(text(2, 26)?),
            0x5F2D => {
                let languages = text(2, 8)?;
                if !languages.len().is_multiple_of(2) {
                    return Err(length());
                }
                if !languages.bytes().all(|b| b.is_ascii_alphabetic()) {
                    return Err(characters());
                }
                Self::Languages(languages)
            }
            0x5F34 => Self::SequenceNumber(*one(&value).ok_or_else(length)?),
            0x5F50 => Self::IssuerUrl(text(1, 255)?),
            0x9F08 => Self::Version(value.try_into().map_err(|_| length())?),
            0x9F19 => Self::TokenRequestor(value.try_into().map_err(|_| length())?),
            0x9F24 => Self::AccountReference(text(29, 29)?),
            0x9F25 => {
                let digits: [u8; 2] = value.try_into().map_err(|_| length())?;
                if digits.iter().any(|b| b >> 4 > 9 || b & 15 > 9) {
                    return Err(characters());
                }
                Self::LastFour(digits)
            }
            0x63 if !common => Self::Transparent(ber::parse(&value, &format!("{parent}63."))?),
            0x64 if common => Self::Transparent(ber::parse(&value, &format!("{parent}64."))?),
            0x61..=0x64 | 0x85 => return Err(refuse(CpmErrorKind::Misplaced)),
            _ => Self::Other(Tlv { tag, value }),
        })
    }

    /// Tag and value as they are written.
    pub(super) fn parts(&self, parent: &str) -> Result<(u32, Vec<u8>), CpmError> {
        Ok(match self {
            Self::Aid(aid) => (0x4F, aid.clone()),
            Self::Label(text) => (0x50, text.clone().into_bytes()),
            Self::Track2(track) => (0x57, pack(&track.0)),
            Self::CardNumber(number) => (0x5A, pack(&number.0)),
            Self::CardholderName(text) => (0x5F20, text.clone().into_bytes()),
            Self::Languages(text) => (0x5F2D, text.clone().into_bytes()),
            Self::SequenceNumber(number) => (0x5F34, vec![*number]),
            Self::IssuerUrl(text) => (0x5F50, text.clone().into_bytes()),
            Self::Version(bytes) => (0x9F08, bytes.to_vec()),
            Self::TokenRequestor(bytes) => (0x9F19, bytes.to_vec()),
            Self::AccountReference(text) => (0x9F24, text.clone().into_bytes()),
            Self::LastFour(bytes) => (0x9F25, bytes.to_vec()),
            Self::Transparent(list) => {
                let tag = if parent == "62." { 0x64 } else { 0x63 };
                let mut out = Vec::new();
                for tlv in list {
                    ber::write(&mut out, tlv.tag, &tlv.value, &path(parent, tag))?;
                }
                (tag, out)
            }
            Self::Other(tlv) => (tlv.tag, tlv.value.clone()),
        })
    }
}

fn one(bytes: &[u8]) -> Option<&u8> {
    if let [byte] = bytes { Some(byte) } else { None }
}

/// Compressed digits (`cn`): two to a byte, one `F` filling up the last.
fn unpack(bytes: &[u8]) -> String {
    let nibbles = bytes.iter().flat_map(|b| [b >> 4, b & 15]);
    let mut text: String = nibbles.map(|n| char::from(b"0123456789ABCDEF"[usize::from(n)])).collect();
    if text.ends_with('F') {
        text.pop();
    }
    text
}

fn pack(text: &str) -> Vec<u8> {
    let nibble = |c: u8| if c == b'D' { 0x0D } else { c - b'0' };
    text.as_bytes()
        .chunks(2)
        .map(|pair| (nibble(pair[0]) << 4) | pair.get(1).map_or(0x0F, |c| nibble(*c)))
        .collect()
}
