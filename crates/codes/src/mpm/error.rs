//! Why a merchant payload is refused, or how it departs from the specification: field path, stable code, wording.
//! Must never quote a field's value, since values can be personal (phone numbers, account names).

use std::fmt;

use super::AmountError;

/// One refusal or departure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MpmError {
    /// Where: `"62.07"` is object 07 inside template 62; `"@12"` is character 12 of the payload (counted from 0)
    /// where no object could be read; `""` is the payload as a whole.
    pub path: String,
    /// What is wrong there.
    pub kind: MpmErrorKind,
}

/// What is wrong with a field, in order of precedence: structure, CRC, then content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MpmErrorKind {
    /// The payload holds no character at all.
    Empty,
    /// More characters than [`super::MAX_CHARS`] (tolerant: [`super::MAX_SYMBOL_CHARS`]).
    PayloadTooLong,
    /// An id or a length is not two digits.
    BadHeader,
    /// The length says more characters than remain.
    Truncated,
    /// The payload does not end with object 63 of four characters.
    CrcMissing,
    /// The CRC does not match the text.
    CrcMismatch,
    /// The CRC has the right value in lower-case digits (section 4.7.3 wants upper case).
    CrcLowerCase,
    /// The CRC is right for ISO-8859-1 bytes, not for UTF-8 (seen in UEMOA payloads).
    CrcLatin1,
    /// Lengths count UTF-8 bytes, not characters (seen in Vietnamese payloads).
    LengthsInBytes,
    /// A mandatory object is absent.
    Missing,
    /// The same id twice in one template; the first counts.
    Duplicate,
    /// Object 00 is not the first.
    NotFirst,
    /// This id has no place here.
    IdOutOfRange,
    /// A value of length 00.
    EmptyValue,
    /// Longer than allowed.
    TooLong {
        /// Most characters allowed.
        max: usize,
    },
    /// Not exactly as long as required.
    WrongLength {
        /// Characters required.
        want: usize,
    },
    /// Something other than digits.
    NotDigits,
    /// A character outside the common character set (`ans`: printable ASCII).
    NotAns,
    /// A control character in a text that may otherwise hold any Unicode (`S`).
    ControlCharacter,
    /// Not one of the values the specification lists.
    NotAllowed,
    /// An amount no reader should accept.
    Amount(AmountError),
    /// A percentage that is not 00.01 to 99.99 with at most two decimals.
    Percentage,
    /// The tip indicator (55) and the values 56 and 57 contradict each other.
    TipConflict,
    /// A template that does not consist of objects.
    NotATemplate,
}

impl MpmErrorKind {
    /// Stable code for programs; never changes once released.
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::PayloadTooLong => "payload_too_long",
            Self::BadHeader => "bad_header",
            Self::Truncated => "truncated",
            Self::CrcMissing => "crc_missing",
            Self::CrcMismatch => "crc_mismatch",
            Self::CrcLowerCase => "crc_lower_case",
            Self::CrcLatin1 => "crc_latin1",
            Self::LengthsInBytes => "lengths_in_bytes",
            Self::Missing => "missing",
            Self::Duplicate => "duplicate",
            Self::NotFirst => "not_first",
            Self::IdOutOfRange => "id_out_of_range",
            Self::EmptyValue => "empty_value",
            Self::TooLong { .. } => "too_long",
            Self::WrongLength { .. } => "wrong_length",
            Self::NotDigits => "not_digits",
            Self::NotAns => "not_ans",
            Self::ControlCharacter => "control_character",
            Self::NotAllowed => "not_allowed",
            Self::Amount(e) => e.code(),
            Self::Percentage => "percentage",
            Self::TipConflict => "tip_conflict",
            Self::NotATemplate => "not_a_template",
        }
    }
}

impl MpmError {
    pub(crate) fn new(path: impl Into<String>, kind: MpmErrorKind) -> Self {
        Self { path: path.into(), kind }
    }

    /// Stable code for programs, see [`MpmErrorKind::code`].
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }
}

impl fmt::Display for MpmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        match self.kind {
            MpmErrorKind::Empty => f.write_str("the payload is empty"),
            MpmErrorKind::PayloadTooLong => f.write_str("the payload has too many characters"),
            MpmErrorKind::BadHeader => f.write_str("id and length must be two digits each"),
            MpmErrorKind::Truncated => f.write_str("the value ends before its length says"),
            MpmErrorKind::CrcMissing => f.write_str("the payload must end with a CRC (object 63, length 04)"),
            MpmErrorKind::CrcMismatch => f.write_str("the CRC does not match"),
            MpmErrorKind::CrcLowerCase => f.write_str("the CRC must be in upper-case digits"),
            MpmErrorKind::CrcLatin1 => f.write_str("the CRC was computed over ISO-8859-1, not UTF-8"),
            MpmErrorKind::LengthsInBytes => f.write_str("lengths count bytes instead of characters"),
            MpmErrorKind::Missing => f.write_str("mandatory, but absent"),
            MpmErrorKind::Duplicate => f.write_str("appears twice"),
            MpmErrorKind::NotFirst => f.write_str("must be the first object"),
            MpmErrorKind::IdOutOfRange => f.write_str("this id has no place here"),
            MpmErrorKind::EmptyValue => f.write_str("has length 00"),
            MpmErrorKind::TooLong { max } => write!(f, "longer than {max} characters"),
            MpmErrorKind::WrongLength { want } => write!(f, "must have {want} characters"),
            MpmErrorKind::NotDigits => f.write_str("must be digits"),
            MpmErrorKind::NotAns => f.write_str("must be printable ASCII"),
            MpmErrorKind::ControlCharacter => f.write_str("holds a control character"),
            MpmErrorKind::NotAllowed => f.write_str("not one of the allowed values"),
            MpmErrorKind::Amount(e) => e.fmt(f),
            MpmErrorKind::Percentage => f.write_str("must be 00.01 to 99.99 with at most two decimals"),
            MpmErrorKind::TipConflict => f.write_str("tip indicator and tip values contradict each other"),
            MpmErrorKind::NotATemplate => f.write_str("must consist of objects (id, length, value)"),
        }?;
        write!(f, " ({})", self.code())
    }
}

impl std::error::Error for MpmError {}
