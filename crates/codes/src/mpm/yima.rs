//! Our own shops' payloads: where merchant and trade stand in them, how to make them, how to recognise them.
//! Must never be trusted for anything but the reference: amount and names on a poster are the printer's words.

use super::{
    Amount, Content, Field, Initiation, LanguageTemplate, MerchantQr, MpmError, MpmErrorKind, Numbered,
};

/// GUID of our merchant account template (reverse domain, EMV QRCPS table 3.9).
pub const YIMA_GUID: &str = "org.yima.pay";
/// The template's id; readers find it by GUID under any of 26–51.
const TEMPLATE: u8 = 26;
const MERCHANT: u8 = 1;
const TRADE: u8 = 2;

/// What stands in 59 when the shop's name is not Latin and no Latin form is given; the name itself is in 64.01.
pub const LATIN_NAME: &str = "YIMA MERCHANT";
/// What stands in 60 when the city is not Latin and no Latin form is given; the city itself is in 64.02.
pub const LATIN_CITY: &str = "-";
const LANGUAGE: &str = "zh";

/// How a shop presents itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShopFace<'a> {
    /// The merchant's id in text, `mch_…`.
    pub merchant: &'a str,
    /// Any script. Longer than 25 characters is cut there. A non-Latin name goes to the language template.
    pub name: &'a str,
    /// Latin form of a non-Latin name for foreign wallets; [`LATIN_NAME`] if `None`.
    pub latin_name: Option<&'a str>,
    /// Any script. Longer than 15 characters is cut there.
    pub city: &'a str,
    /// Latin form of a non-Latin city; [`LATIN_CITY`] if `None`.
    pub latin_city: Option<&'a str>,
    /// ISO 18245, four digits.
    pub category_code: &'a str,
    /// ISO 4217 numeric, three digits: `"156"`.
    pub currency: &'a str,
    /// ISO 3166-1 alpha-2: `"CN"`.
    pub country: &'a str,
}

/// Whom one of our payloads names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YimaRef {
    /// The merchant's id in text.
    pub merchant: String,
    /// The trade's id in text, on a dynamic code.
    pub trade: Option<String>,
}

/// A poster: the payer types the amount.
pub fn merchant_static(shop: &ShopFace<'_>) -> Result<MerchantQr, MpmError> {
    build(shop, Initiation::Static, vec![Field::new(MERCHANT, shop.merchant)], None)
}

/// A code for one trade of `minor` units in a currency with `exponent` decimals.
pub fn merchant_dynamic(
    shop: &ShopFace<'_>,
    trade: &str,
    minor: u64,
    exponent: u32,
) -> Result<MerchantQr, MpmError> {
    let amount =
        Amount::from_minor(minor, exponent).map_err(|e| MpmError::new("54", MpmErrorKind::Amount(e)))?;
    let fields = vec![Field::new(MERCHANT, shop.merchant), Field::new(TRADE, trade)];
    build(shop, Initiation::Dynamic, fields, Some(amount))
}

/// The reference in a payload of ours; `None` for everybody else's.
pub fn yima_reference(qr: &MerchantQr) -> Option<YimaRef> {
    let template = qr.accounts.iter().find_map(|account| match &account.content {
        Content::Template(template) if template.guid == YIMA_GUID => Some(template),
        _ => None,
    })?;
    Some(YimaRef {
        merchant: template.field(MERCHANT)?.to_owned(),
        trade: template.field(TRADE).map(str::to_owned),
    })
}

fn build(
    shop: &ShopFace<'_>,
    initiation: Initiation,
    fields: Vec<Field>,
    amount: Option<Amount>,
) -> Result<MerchantQr, MpmError> {
    let (name, city) = (cut(shop.name, 25), cut(shop.city, 15));
    let own_script = !(is_latin(&name) && is_latin(&city));
    let qr = MerchantQr {
        initiation: Some(initiation),
        accounts: vec![Numbered::template(TEMPLATE, YIMA_GUID, fields)],
        category_code: shop.category_code.to_owned(),
        currency: shop.currency.to_owned(),
        amount,
        country: shop.country.to_owned(),
        merchant_name: latin(&name, shop.latin_name, LATIN_NAME, 25),
        merchant_city: latin(&city, shop.latin_city, LATIN_CITY, 15),
        language: own_script.then(|| LanguageTemplate {
            language: LANGUAGE.to_owned(),
            merchant_name: name,
            merchant_city: (!city.is_empty()).then_some(city),
            reserved: Vec::new(),
        }),
        ..MerchantQr::default()
    };
    // A shop whose data cannot be encoded is told so here, not when the poster is printed.
    qr.encode()?;
    Ok(qr)
}

fn is_latin(text: &str) -> bool {
    text.chars().all(|c| matches!(c, ' '..='~'))
}

fn cut(text: &str, max: usize) -> String {
    text.trim().chars().take(max).collect::<String>().trim_end().to_owned()
}

fn latin(own: &str, given: Option<&str>, fallback: &str, max: usize) -> String {
    if is_latin(own) { own.to_owned() } else { cut(given.unwrap_or(fallback), max) }
}
