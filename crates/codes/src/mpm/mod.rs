//! Merchant-presented QR: EMV QR Code Specification for Payment Systems, Merchant-Presented Mode, version 1.1.
//!
//! A payload is text: objects of a two-digit id, a two-digit length and a value, the CRC last. Lengths count
//! characters; the CRC runs over the UTF-8 bytes. Three levels of trust:
//!
//! | function | accepts |
//! |---|---|
//! | [`decode`] | what the specification allows, nothing else; the error names the field |
//! | [`decode_tolerant`] | whatever has sound TLV and a right CRC; every departure is listed |
//! | [`inspect`] | anything; shows the fields that can be read and the first [`MpmError`] if it is unsound |
//!
//! Must never do: guess an amount, or accept a payload whose CRC does not match. A departure concerning the amount
//! leaves it unusable ([`Amount::to_minor`] refuses), never altered.

mod amount;
mod checks;
mod decode;
mod encode;
mod error;
mod model;
mod tlv;
mod yima;

pub use amount::{Amount, AmountError};
pub use decode::{Tolerated, decode, decode_tolerant};
pub use error::{MpmError, MpmErrorKind};
pub use model::{
    AdditionalData, ConsumerData, Content, Entry, Field, Initiation, LanguageTemplate, MerchantQr, Numbered,
    Percentage, Template, Tip,
};
pub use tlv::{Inspection, LengthUnit, check_tlv_crc, crc16, inspect};
pub use yima::{
    LATIN_CITY, LATIN_NAME, ShopFace, YIMA_GUID, YimaRef, merchant_dynamic, merchant_static, yima_reference,
};

/// Longest payload the specification allows, in characters (section 4.1: 512 alphanumeric characters).
pub const MAX_CHARS: usize = 512;
/// Longest text any QR symbol holds (version 40-L, digits only): beyond it nothing is looked at.
pub const MAX_SYMBOL_CHARS: usize = 7089;
