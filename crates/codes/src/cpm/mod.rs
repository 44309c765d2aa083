//! Consumer-presented QR: EMV QR Code Specification for Payment Systems, Consumer-Presented Mode, version 1.1: base64
//! of BER-TLV.
//!
//! ```text
//! 85 payload format "CPV01"
//! 61 application template, one or more: 4F AID, then card data, 63 transparent template
//! 62 common data template, at most one:  card data for all applications, 64 transparent template
//! ```
//!
//! Objects keep the order they were written in, so that decoding and encoding give the same text back.
//! Must never print card data: `Debug` of everything here shows tags, lengths and at most the last four digits.

mod ber;
mod object;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub use ber::Tlv;
pub use object::{CardNumber, Object, Track2};

/// Value of the payload format indicator.
pub const FORMAT: &str = "CPV01";
/// Longest payload looked at, in base64 characters; the specification's symbols hold 512 bytes.
pub const MAX_CHARS: usize = 4096;

const TAG_FORMAT: u32 = 0x85;
const TAG_APPLICATION: u32 = 0x61;
const TAG_COMMON: u32 = 0x62;

/// A consumer-presented payload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConsumerQr {
    /// 61, in order of the payer's preference, at least one.
    pub applications: Vec<DataTemplate>,
    /// 62: what holds for every application that does not say otherwise.
    pub common: Option<DataTemplate>,
    /// Objects at top level besides 85, 61 and 62, kept as they are and written last.
    pub other: Vec<Tlv>,
}

/// The content of template 61 or 62.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DataTemplate {
    /// In the order written; a tag at most once.
    pub objects: Vec<Object>,
}

/// One refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpmError {
    /// Tags in hexadecimal, dotted: `"61.9F26"`; `"61.@7"` is byte 7 inside template 61; `""` is the payload.
    pub path: String,
    /// What is wrong there.
    pub kind: CpmErrorKind,
}

/// What is wrong with an object, in order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpmErrorKind {
    /// Longer than [`MAX_CHARS`], or nothing at all.
    Size,
    /// Not base64 with padding.
    Base64,
    /// A tag that is cut off, zero, or longer than three bytes.
    BadTag,
    /// A length that is cut off, indefinite, or above 65,535.
    BadLength,
    /// The value ends before its length says.
    Truncated,
    /// The first object is not 85 with value `CPV01`.
    Format,
    /// A mandatory object is absent.
    Missing,
    /// A tag twice in one template.
    Duplicate,
    /// Too short or too long for its tag.
    WrongLength,
    /// Not the characters or digits its tag wants.
    Characters,
    /// 4F or 63 in the common template, 61 or 64 in an application, and the like.
    Misplaced,
    /// An application with neither 57 nor 5A, in itself or in the common template.
    NoCard,
}

impl CpmErrorKind {
    /// Stable code for programs; never changes once released.
    pub fn code(self) -> &'static str {
        match self {
            Self::Size => "cpm_size",
            Self::Base64 => "cpm_base64",
            Self::BadTag => "cpm_bad_tag",
            Self::BadLength => "cpm_bad_length",
            Self::Truncated => "cpm_truncated",
            Self::Format => "cpm_format",
            Self::Missing => "cpm_missing",
            Self::Duplicate => "cpm_duplicate",
            Self::WrongLength => "cpm_wrong_length",
            Self::Characters => "cpm_characters",
            Self::Misplaced => "cpm_misplaced",
            Self::NoCard => "cpm_no_card",
        }
    }
}

impl CpmError {
    fn new(path: impl Into<String>, kind: CpmErrorKind) -> Self {
        Self { path: path.into(), kind }
    }

    /// Stable code for programs, see [`CpmErrorKind::code`].
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }
}

impl fmt::Display for CpmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(match self.kind {
            CpmErrorKind::Size => "the payload is empty or too long",
            CpmErrorKind::Base64 => "the payload is not base64",
            CpmErrorKind::BadTag => "no valid tag",
            CpmErrorKind::BadLength => "no valid length",
            CpmErrorKind::Truncated => "the value ends before its length says",
            CpmErrorKind::Format => "the payload must begin with format CPV01",
            CpmErrorKind::Missing => "mandatory, but absent",
            CpmErrorKind::Duplicate => "appears twice",
            CpmErrorKind::WrongLength => "too short or too long",
            CpmErrorKind::Characters => "holds characters that do not belong here",
            CpmErrorKind::Misplaced => "does not belong in this template",
            CpmErrorKind::NoCard => "neither track 2 (57) nor card number (5A) for this application",
        })?;
        write!(f, " ({})", self.code())
    }
}

impl std::error::Error for CpmError {}

fn path(parent: &str, tag: u32) -> String {
    format!("{parent}{tag:02X}")
}

/// Reads a payload as a till scans it.
pub fn decode(payload: &str) -> Result<ConsumerQr, CpmError> {
    if payload.is_empty() || payload.len() > MAX_CHARS {
        return Err(CpmError::new("", CpmErrorKind::Size));
    }
    let bytes = STANDARD.decode(payload).map_err(|_| CpmError::new("", CpmErrorKind::Base64))?;
    let objects = ber::parse(&bytes, "")?;
    match objects.first() {
        Some(Tlv { tag: TAG_FORMAT, value }) if value == FORMAT.as_bytes() => {}
        _ => return Err(CpmError::new("85", CpmErrorKind::Format)),
    }
    let mut qr = ConsumerQr::default();
    for object in objects.into_iter().skip(1) {
        match object.tag {
            TAG_FORMAT => return Err(CpmError::new("85", CpmErrorKind::Duplicate)),
            TAG_APPLICATION => qr.applications.push(DataTemplate::read(&object.value, "61.")?),
            TAG_COMMON if qr.common.is_some() => return Err(CpmError::new("62", CpmErrorKind::Duplicate)),
            TAG_COMMON => qr.common = Some(DataTemplate::read(&object.value, "62.")?),
            _ => qr.other.push(object),
        }
    }
    qr.check()?;
    Ok(qr)
}

impl ConsumerQr {
    /// Writes the payload: 85, the applications, the common template, the rest. Refuses what [`decode`] refuses, with
    /// the same errors.
    pub fn encode(&self) -> Result<String, CpmError> {
        self.check()?;
        let mut out = Vec::new();
        ber::write(&mut out, TAG_FORMAT, FORMAT.as_bytes(), "")?;
        for application in &self.applications {
            ber::write(&mut out, TAG_APPLICATION, &application.bytes("61.")?, "")?;
        }
        if let Some(common) = &self.common {
            ber::write(&mut out, TAG_COMMON, &common.bytes("62.")?, "")?;
        }
        for object in &self.other {
            if matches!(object.tag, TAG_FORMAT | TAG_APPLICATION | TAG_COMMON) {
                return Err(CpmError::new(path("", object.tag), CpmErrorKind::Misplaced));
            }
            ber::write(&mut out, object.tag, &object.value, "")?;
        }
        let payload = STANDARD.encode(out);
        // One rulebook: what was written must read back.
        decode(&payload)?;
        Ok(payload)
    }

    /// The application a till should use: the first whose AID it knows.
    pub fn choose(&self, known: impl Fn(&[u8]) -> bool) -> Option<&DataTemplate> {
        self.applications.iter().find(|a| a.aid().is_some_and(&known))
    }

    fn check(&self) -> Result<(), CpmError> {
        if self.applications.is_empty() {
            return Err(CpmError::new("61", CpmErrorKind::Missing));
        }
        let common_card = self.common.as_ref().is_some_and(DataTemplate::has_card);
        for application in &self.applications {
            if application.aid().is_none() {
                return Err(CpmError::new("61.4F", CpmErrorKind::Missing));
            }
            if !common_card && !application.has_card() {
                return Err(CpmError::new("61", CpmErrorKind::NoCard));
            }
        }
        if self.common.as_ref().is_some_and(|c| c.aid().is_some()) {
            return Err(CpmError::new("62.4F", CpmErrorKind::Misplaced));
        }
        Ok(())
    }
}

impl DataTemplate {
    /// 4F: application identifier, 5 to 16 bytes.
    pub fn aid(&self) -> Option<&[u8]> {
        self.find(|o| if let Object::Aid(aid) = o { Some(aid.as_slice()) } else { None })
    }

    /// 50: the application's name for people.
    pub fn label(&self) -> Option<&str> {
        self.find(|o| if let Object::Label(label) = o { Some(label.as_str()) } else { None })
    }

    /// 57: what the magnetic stripe would say.
    pub fn track2(&self) -> Option<&Track2> {
        self.find(|o| if let Object::Track2(track) = o { Some(track) } else { None })
    }

    /// 5A: card number.
    pub fn card_number(&self) -> Option<&CardNumber> {
        self.find(|o| if let Object::CardNumber(number) = o { Some(number) } else { None })
    }

    /// The value of `tag` in the transparent template (63 or 64): 9F26 cryptogram, 9F36 counter, 9F37 number, 9F10
    /// issuer data, 82 profile.
    pub fn transparent(&self, tag: u32) -> Option<&[u8]> {
        self.find(|o| if let Object::Transparent(list) = o { Some(list) } else { None })?
            .iter()
            .find(|tlv| tlv.tag == tag)
            .map(|tlv| tlv.value.as_slice())
    }

    fn find<'a, T>(&'a self, wanted: impl Fn(&'a Object) -> Option<T>) -> Option<T> {
        self.objects.iter().find_map(wanted)
    }

    fn has_card(&self) -> bool {
        self.track2().is_some() || self.card_number().is_some()
    }

    fn read(bytes: &[u8], parent: &str) -> Result<Self, CpmError> {
        let mut seen = Vec::new();
        let mut objects = Vec::new();
        for tlv in ber::parse(bytes, parent)? {
            if seen.contains(&tlv.tag) {
                return Err(CpmError::new(path(parent, tlv.tag), CpmErrorKind::Duplicate));
            }
            seen.push(tlv.tag);
            objects.push(Object::read(tlv, parent)?);
        }
        Ok(Self { objects })
    }

    fn bytes(&self, parent: &str) -> Result<Vec<u8>, CpmError> {
        let mut out = Vec::new();
        for object in &self.objects {
            let (tag, value) = object.parts(parent)?;
            ber::write(&mut out, tag, &value, parent)?;
        }
        Ok(out)
    }
}
