//! What a merchant QR says, as types. Field numbers are those of EMV QRCPS Merchant-Presented Mode 1.1, tables 3.1 to
//! 3.9. Must never hold anything the payload does not say.

use super::{Amount, MpmErrorKind};

/// A merchant-presented payload. In a mandatory text field the empty string means absent; only
/// [`super::decode_tolerant`] yields that, and [`MerchantQr::encode`] refuses it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MerchantQr {
    /// 01: whether the code is printed once or made for one purchase.
    pub initiation: Option<Initiation>,
    /// 02–51, at least one, in ascending order of id: 02–25 hold text, 26–51 templates.
    pub accounts: Vec<Numbered>,
    /// 52: merchant category code, ISO 18245, four digits.
    pub category_code: String,
    /// 53: currency, ISO 4217 numeric, three digits.
    pub currency: String,
    /// 54: amount to pay; absent when the payer types it.
    pub amount: Option<Amount>,
    /// 55–57: tip or convenience fee.
    pub tip: Option<Tip>,
    /// 58: country, ISO 3166-1 alpha-2, upper case.
    pub country: String,
    /// 59: merchant name in the common character set, at most 25 characters; other scripts go to
    /// [`MerchantQr::language`].
    pub merchant_name: String,
    /// 60: city of operations in the common character set, at most 15 characters.
    pub merchant_city: String,
    /// 61: postal code, at most 10 characters.
    pub postal_code: Option<String>,
    /// 62: what the till or the biller wants to find again.
    pub additional: Option<AdditionalData>,
    /// 64: name and city in the merchant's own language.
    pub language: Option<LanguageTemplate>,
    /// 65–79: reserved for EMVCo, kept as they are, in ascending order of id.
    pub reserved: Vec<Field>,
    /// 80–99: unreserved templates, in ascending order of id.
    pub unreserved: Vec<Numbered>,
}

/// 01, point of initiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initiation {
    /// `11`: the same code serves many payments (a poster).
    Static,
    /// `12`: made for one payment.
    Dynamic,
}

/// A primitive object inside a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Two-digit id, 0 to 99.
    pub id: u8,
    /// Its text.
    pub value: String,
}

/// An object whose id chooses among many of a kind: merchant accounts, payment-system templates, unreserved ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// Two-digit id, 0 to 99.
    pub id: u8,
    /// Its content.
    pub content: Content,
}

/// Text or template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Uninterpreted text. Regular for accounts 02–25; where a template belongs, only a tolerant reader yields it.
    Text(String),
    /// Objects under a globally unique identifier.
    Template(Template),
}

/// A template: whose it is (00) and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// 00: application identifier, UUID without hyphens, or reverse domain; at most 32 characters.
    pub guid: String,
    /// 01–99 in ascending order of id; their meaning is the GUID owner's.
    pub fields: Vec<Field>,
}

/// 55–57: what the payer adds to the amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tip {
    /// 55 = `01`: ask the payer.
    Prompt,
    /// 55 = `02` with 56: a fixed convenience fee in the payload's currency.
    Fixed(Amount),
    /// 55 = `03` with 57: a percentage of the amount.
    Percent(Percentage),
}

/// 57: a percentage from 0.01 to 99.99, held in hundredths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percentage(u16);

/// 62: additional data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AdditionalData {
    /// 62.01
    pub bill_number: Option<Entry>,
    /// 62.02
    pub mobile_number: Option<Entry>,
    /// 62.03
    pub store_label: Option<Entry>,
    /// 62.04
    pub loyalty_number: Option<Entry>,
    /// 62.05
    pub reference_label: Option<Entry>,
    /// 62.06
    pub customer_label: Option<Entry>,
    /// 62.07
    pub terminal_label: Option<Entry>,
    /// 62.08
    pub purpose: Option<Entry>,
    /// 62.09: what the payer's app should hand over, in the order written.
    pub consumer_data: Vec<ConsumerData>,
    /// 62.10: at most 20 characters.
    pub merchant_tax_id: Option<String>,
    /// 62.11: three characters: media, location, presence.
    pub merchant_channel: Option<String>,
    /// 62.12–62.49: reserved for EMVCo, kept as they are, ascending.
    pub reserved: Vec<Field>,
    /// 62.50–62.99: templates of payment systems, ascending.
    pub templates: Vec<Numbered>,
}

/// The value of a field of the additional data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The value itself, at most 25 characters.
    Given(String),
    /// `***`: the payer's app asks for it.
    AskPayer,
}

impl From<&str> for Entry {
    fn from(text: &str) -> Self {
        if text == "***" { Self::AskPayer } else { Self::Given(text.to_owned()) }
    }
}

impl Entry {
    /// The text in the payload.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Given(text) => text,
            Self::AskPayer => "***",
        }
    }
}

/// 62.09: one thing the payer's app is asked to add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsumerData {
    /// `A`: postal address.
    Address,
    /// `M`: mobile number.
    Mobile,
    /// `E`: e-mail address.
    Email,
}

impl ConsumerData {
    pub(super) fn letter(self) -> char {
        match self {
            Self::Address => 'A',
            Self::Mobile => 'M',
            Self::Email => 'E',
        }
    }

    pub(super) fn from_letter(letter: char) -> Option<Self> {
        [Self::Address, Self::Mobile, Self::Email].into_iter().find(|d| d.letter() == letter)
    }
}

/// 64: the merchant in another script.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LanguageTemplate {
    /// 64.00: ISO 639-1, two letters.
    pub language: String,
    /// 64.01: at most 25 characters of any script.
    pub merchant_name: String,
    /// 64.02: at most 15 characters of any script.
    pub merchant_city: Option<String>,
    /// 64.03–64.99: reserved for EMVCo, kept as they are, ascending.
    pub reserved: Vec<Field>,
}

impl MerchantQr {
    /// The name to show the payer: in the merchant's own language where the payload has it.
    pub fn display_name(&self) -> &str {
        self.language.as_ref().map_or(&self.merchant_name, |l| &l.merchant_name)
    }

    /// The city to show the payer, as [`MerchantQr::display_name`].
    pub fn display_city(&self) -> &str {
        self.language.as_ref().and_then(|l| l.merchant_city.as_ref()).unwrap_or(&self.merchant_city)
    }
}

impl Numbered {
    /// A merchant account of 02–25.
    pub fn text(id: u8, value: impl Into<String>) -> Self {
        Self { id, content: Content::Text(value.into()) }
    }

    /// A template with its GUID and fields.
    pub fn template(id: u8, guid: impl Into<String>, fields: Vec<Field>) -> Self {
        Self { id, content: Content::Template(Template { guid: guid.into(), fields }) }
    }
}

impl Field {
    /// A field by id and text.
    pub fn new(id: u8, value: impl Into<String>) -> Self {
        Self { id, value: value.into() }
    }
}

impl Template {
    /// The text of field `id`, if present.
    pub fn field(&self, id: u8) -> Option<&str> {
        self.fields.iter().find(|f| f.id == id).map(|f| f.value.as_str())
    }
}

impl Percentage {
    /// From hundredths of a percent, 1 to 9,999.
    pub fn from_hundredths(hundredths: u16) -> Option<Self> {
        (1..=9999).contains(&hundredths).then_some(Self(hundredths))
    }

    /// In hundredths of a percent.
    pub fn hundredths(self) -> u16 {
        self.0
    }

    pub(super) fn parse(text: &str) -> Result<Self, MpmErrorKind> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || text.len() > 5 || fraction.len() > 2 || !digits(whole) || !digits(fraction) {
            return Err(MpmErrorKind::Percentage);
        }
        let hundredths: u32 =
            format!("{whole}{fraction:0<2}").parse().map_err(|_| MpmErrorKind::Percentage)?;
        u16::try_from(hundredths).ok().and_then(Self::from_hundredths).ok_or(MpmErrorKind::Percentage)
    }

    pub(super) fn render(self) -> String {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => whole.to_string(),
            (whole, fraction) => format!("{whole}.{fraction:02}"),
        }
    }
}
