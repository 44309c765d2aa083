//! From what is asked to the bytes of a request: pure, so that the other side and the tests can do the same.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use kernel::{Timestamp, UtcOffset};
use sha2::Sha256;

use super::spec::{Auth, Call, Spec, Unit};
use super::template::{Escape, Template};
use crate::Payment;
use crate::secrets::Secrets;

/// A request, but for its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `POST`.
    pub method: String,
    /// With its query.
    pub path: String,
    /// In the order they are sent.
    pub headers: Vec<(String, String)>,
    /// May be empty.
    pub body: String,
}

/// What may be asked about.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Institution, account and, where it is about one, the payment.
    pub payment: &'a Payment,
    /// Why it is taken back; or the reference of a refund.
    pub reason: &'a str,
    /// The time of the request.
    pub now: Timestamp,
    /// Where the institution's clocks stand.
    pub offset: UtcOffset,
    /// Something that no other request has.
    pub nonce: &'a str,
}

impl Facts<'_> {
    /// What fills a place.
    pub fn value(&self, place: &str) -> Option<String> {
        let payment = self.payment;
        let local = self.now.local(self.offset); // 2026-03-01 09:30:00
        Some(match place {
            "account_no" => payment.account_no.clone(),
            "amount.fen" => payment.amount_minor.to_string(),
            "amount.yuan" => yuan(payment.amount_minor),
            "bill_no" => payment.bill_no.clone(),
            "date" => local[..10].replace('-', ""),
            "institution" => payment.institution.clone(),
            "nonce" => self.nonce.to_owned(),
            "payment" => payment.id.clone(),
            "period" => {
                if payment.period == 0 {
                    String::new()
                } else {
                    payment.period.to_string()
                }
            }
            // Only the catalogue of a provider comes in pages, and nothing of it has a reason.
            "page" | "reason" => self.reason.to_owned(),
            "time" => local[11..].replace(':', ""),
            "timestamp_ms" => self.now.as_millis().to_string(),
            "timestamp_s" => self.now.as_millis().div_euclid(1_000).to_string(),
            _ => return None,
        })
    }
}

/// `152.30`: an amount in yuan with two decimals.
pub fn yuan(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let minor = minor.unsigned_abs();
    format!("{sign}{}.{:02}", minor / 100, minor % 100)
}

/// An amount of a unit, in minor units: digits, for yuan with at most two decimals.
pub fn amount(text: &str, unit: Unit) -> Option<i64> {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    match unit {
        Unit::Fen => digits(text).then(|| text.parse().ok())?,
        Unit::Yuan => {
            let (whole, part) = text.split_once('.').unwrap_or((text, "00"));
            if !digits(whole) || !digits(part) {
                return None;
            }
            let (kept, rest) = part.split_at(part.len().min(2));
            if rest.bytes().any(|b| b != b'0') {
                return None;
            }
            let part: i64 = format!("{kept:0<2}").parse().ok()?;
            whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(part)
        }
    }
}

/// Why a question cannot be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuestionError {
    /// Configuration has no secret of this name.
    Secret(String),
    /// A template that was not proved.
    Template,
    /// A value that would end a header.
    Header(String),
}

impl std::fmt::Display for QuestionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            QuestionError::Secret(name) => write!(f, "the secret {name} is not configured"),
            QuestionError::Template => f.write_str("a template that was not proved"),
            QuestionError::Header(name) => write!(f, "the header {name} cannot hold its value"),
        }
    }
}

/// The request of a call.
pub fn request(
    spec: &Spec,
    call: &Call,
    facts: &Facts<'_>,
    secrets: &dyn Secrets,
) -> Result<Request, QuestionError> {
    let fill = |text: &str, escape: Escape| match Template::parse(text) {
        Ok(template) => Ok(template.fill(escape, |place| facts.value(place))),
        Err(_) => Err(QuestionError::Template),
    };
    let mut made = Request {
        method: call.method.clone(),
        path: fill(&call.path, Escape::Url)?,
        headers: Vec::new(),
        body: fill(&call.body, spec.format.escape())?,
    };
    if !made.body.is_empty() {
        made.headers.push(("content-type".to_owned(), spec.format.content_type().to_owned()));
    }
    for (name, value) in spec.headers.iter().chain(&call.headers) {
        let value = fill(value, Escape::Plain)?;
        if value.bytes().any(|b| b.is_ascii_control()) || !value.is_ascii() {
            return Err(QuestionError::Header(name.clone()));
        }
        let name = name.to_ascii_lowercase();
        made.headers.retain(|(other, _)| *other != name);
        made.headers.push((name, value));
    }
    made.headers.extend(proof(&spec.auth, &made, |place| facts.value(place), secrets)?);
    Ok(made)
}

/// The header that proves who sent a request. The other side makes it too, and compares.
pub fn proof(
    auth: &Auth,
    made: &Request,
    value: impl Fn(&str) -> Option<String>,
    secrets: &dyn Secrets,
) -> Result<Option<(String, String)>, QuestionError> {
    let missing = |name: &String| QuestionError::Secret(name.clone());
    let signed = |text: &str| match Template::parse(text) {
        Ok(template) => Ok(template.fill(Escape::Plain, |place| match place {
            "method" => Some(made.method.clone()),
            "path" => Some(made.path.clone()),
            "body" => Some(made.body.clone()),
            other => value(other),
        })),
        Err(_) => Err(QuestionError::Template),
    };
    Ok(match auth {
        Auth::None => None,
        Auth::Basic { secret } => {
            let pair = secrets.secret(secret).ok_or_else(|| missing(secret))?;
            Some(("authorization".to_owned(), format!("Basic {}", STANDARD.encode(pair))))
        }
        Auth::HmacSha256 { secret, header, text } => {
            let key = secrets.secret(secret).ok_or_else(|| missing(secret))?;
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length");
            mac.update(signed(text)?.as_bytes());
            Some((header.to_ascii_lowercase(), kernel::hex(&mac.finalize().into_bytes())))
        }
        Auth::RsaSha256 { secret, header, text } => {
            let signature =
                secrets.sign_rsa(secret, signed(text)?.as_bytes()).ok_or_else(|| missing(secret))?;
            Some((header.to_ascii_lowercase(), STANDARD.encode(signature)))
        }
    })
}
