//! What a pack says of an institution that is asked over HTTP.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::template::{Escape, Template};
use crate::Meaning;

/// Why a pack's description of a channel makes no sense: the key, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Within the channel: `query.answer.ok`.
    pub key: String,
    /// What is wrong there.
    pub why: String,
}

impl Invalid {
    pub(crate) fn at(key: impl Into<String>, why: impl Into<String>) -> Invalid {
        Invalid { key: key.into(), why: why.into() }
    }
}

/// An institution's interface.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// In which language both sides write.
    pub format: Format,
    /// How a request proves who sent it.
    #[serde(default)]
    pub auth: Auth,
    /// Headers that every request has; values are templates.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The institution refuses requests whose timestamp is further from its clock, in seconds.
    pub clock_skew_s: Option<u32>,
    /// Where in an answer its result code stands; the HTTP status alone when absent.
    pub code: Option<String>,
    /// What result codes mean, for every question.
    #[serde(default)]
    pub codes: BTreeMap<String, Meaning>,
    /// What is owed on an account.
    pub query: Option<Call>,
    /// Takes a payment.
    pub pay: Call,
    /// What became of a payment.
    pub inquire: Call,
    /// Takes a payment back that never was acknowledged, so that it cannot be taken later.
    pub reverse: Call,
    /// Gives money back.
    pub refund: Option<Call>,
    /// Orders that supply be restored: `{payment}` is the order's id.
    pub restore: Option<Call>,
    /// Whether anybody is there; the query of an account that does not exist when absent.
    pub probe: Option<Call>,
}

/// A language of requests and answers.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// RFC 8259.
    Json,
    /// XML 1.0; SOAP is written out in the template.
    Xml,
}

impl Format {
    /// `content-type` of a body.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Xml => "text/xml; charset=utf-8",
        }
    }

    /// How a value is written in a body.
    pub fn escape(self) -> Escape {
        match self {
            Format::Json => Escape::Json,
            Format::Xml => Escape::Xml,
        }
    }
}

/// How a request proves who sent it. Secrets are named here and given by configuration.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Auth {
    /// By nothing, or by the client's certificate (configuration names it).
    #[default]
    None,
    /// RFC 7617.
    Basic {
        /// The name of the secret `user:password`.
        secret: String,
    },
    /// HMAC-SHA-256 of a text, in hexadecimal.
    HmacSha256 {
        /// The name of the secret key.
        secret: String,
        /// The header it goes into.
        header: String,
        /// What is signed: a template that also has `{method}`, `{path}` and `{body}`.
        text: String,
    },
    /// RSASSA-PKCS1-v1_5 with SHA-256 of a text, in base64.
    RsaSha256 {
        /// The name of the secret private key, PKCS#8 in PEM.
        secret: String,
        /// The header it goes into.
        header: String,
        /// What is signed, as above.
        text: String,
    },
}

/// A question.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// `GET`, `POST` or `PUT`.
    #[serde(default = "post")]
    pub method: String,
    /// From the root of the institution's address, with its query: a template.
    pub path: String,
    /// A template; none for GET.
    #[serde(default)]
    pub body: String,
    /// Other headers than those of all requests, such as `SOAPAction`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What result codes mean here, before what they mean in general.
    #[serde(default)]
    pub codes: BTreeMap<String, Meaning>,
    /// Where the result code stands here, if elsewhere than in general.
    pub code: Option<String>,
    /// What is owed; for `query`.
    pub debts: Option<Debts>,
    /// The institution's own number of the payment, if it gives one.
    pub receipt: Option<String>,
}

fn post() -> String {
    "POST".to_owned()
}

/// Where debts stand in an answer. Paths start at a debt.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Debts {
    /// The list of them.
    pub at: String,
    /// The institution's number of the bill.
    pub bill_no: String,
    /// How much.
    pub amount: String,
    /// Whether amounts are in `fen` or `yuan`.
    pub unit: Unit,
    /// The last day without a late fee.
    pub due: Option<String>,
    /// How days are written: `YYYYMMDD` or `YYYY-MM-DD`.
    #[serde(default)]
    pub date: Day,
    /// The month billed: the first six digits there.
    pub period: Option<String>,
    /// The name on the account.
    pub holder: Option<String>,
}

/// A unit of amounts.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Hundredths.
    Fen,
    /// With at most two decimals.
    Yuan,
}

/// A way to write a day.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum Day {
    /// `20260331`.
    #[default]
    #[serde(rename = "YYYYMMDD")]
    Compact,
    /// `2026-03-31`.
    #[serde(rename = "YYYY-MM-DD")]
    Extended,
}

/// What stands in a template's place, besides `method`, `path` and `body` in what is signed.
pub const PLACES: &[&str] = &[
    "account_no",
    "amount.fen",
    "amount.yuan",
    "bill_no",
    "date",
    "institution",
    "nonce",
    "page",
    "payment",
    "period",
    "reason",
    "time",
    "timestamp_ms",
    "timestamp_s",
];

impl Spec {
    /// Proves it.
    pub fn prove(&self) -> Result<(), Invalid> {
        for (name, value) in &self.headers {
            header(&format!("headers.{name}"), name, value)?;
        }
        match &self.auth {
            Auth::None => {}
            Auth::Basic { secret } => secret_name(secret)?,
            Auth::HmacSha256 { secret, header: name, text }
            | Auth::RsaSha256 { secret, header: name, text } => {
                secret_name(secret)?;
                header("auth.header", name, "")?;
                template("auth.text", text, |place| ["method", "path", "body"].contains(&place))?;
            }
        }
        let calls = [
            ("query", self.query.as_ref()),
            ("pay", Some(&self.pay)),
            ("inquire", Some(&self.inquire)),
            ("reverse", Some(&self.reverse)),
            ("refund", self.refund.as_ref()),
            ("restore", self.restore.as_ref()),
            ("probe", self.probe.as_ref()),
        ];
        for (key, call) in calls {
            let Some(call) = call else { continue };
            call.prove(key)?;
            if ["pay", "inquire", "reverse", "refund"].contains(&key) && !call.names("payment") {
                return Err(Invalid::at(key.to_owned(), "does not say which payment: {payment}"));
            }
            if call.debts.is_some() != (key == "query") {
                return Err(Invalid::at(format!("{key}.debts"), "stands in query, and only there"));
            }
            let means =
                |meaning: Meaning| call.codes.values().chain(self.codes.values()).any(|m| *m == meaning);
            if (call.code.is_some() || self.code.is_some()) && !means(Meaning::Ok) {
                return Err(Invalid::at(format!("{key}.codes"), "no code means ok"));
            }
        }
        if self.probe.is_none() && self.query.is_none() {
            return Err(Invalid::at("probe", "needed where there is no query"));
        }
        Ok(())
    }
}

impl Spec {
    /// The result codes that a call may be answered with and what each means, in the order of the codes; none where the
    /// HTTP status is all there is.
    pub fn codes_of(&self, call: &Call) -> BTreeMap<String, Meaning> {
        if call.code.is_none() && self.code.is_none() {
            return BTreeMap::new();
        }
        let all = self.codes.iter().chain(&call.codes);
        all.map(|(code, meaning)| (code.clone(), *meaning)).collect()
    }
}

impl Call {
    /// Whether a place stands in any of its templates.
    fn names(&self, place: &str) -> bool {
        let place = format!("{{{place}}}");
        let templates = [&self.path, &self.body].into_iter().chain(self.headers.values());
        templates.into_iter().any(|template| template.contains(&place))
    }

    pub(super) fn prove(&self, key: &str) -> Result<(), Invalid> {
        if !["GET", "POST", "PUT"].contains(&self.method.as_str()) {
            return Err(Invalid::at(format!("{key}.method"), "GET, POST or PUT"));
        }
        if self.method == "GET" && !self.body.is_empty() {
            return Err(Invalid::at(format!("{key}.body"), "GET has none"));
        }
        let path = format!("{key}.path");
        let visible = |b: u8| b.is_ascii_graphic() && b != b'#';
        if !self.path.starts_with('/') || self.path.starts_with("//") || !self.path.bytes().all(visible) {
            return Err(Invalid::at(path, "begins with one / and has no spaces"));
        }
        template(&path, &self.path, |_| false)?;
        template(&format!("{key}.body"), &self.body, |_| false)?;
        for (name, value) in &self.headers {
            header(&format!("{key}.headers.{name}"), name, value)?;
        }
        Ok(())
    }
}

fn secret_name(name: &str) -> Result<(), Invalid> {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if (1..=40).contains(&name.len()) && name.bytes().all(good) {
        return Ok(());
    }
    Err(Invalid::at("auth.secret", "the name of a secret: 1 to 40 of a-z, 0-9, - and _"))
}

fn header(key: &str, name: &str, value: &str) -> Result<(), Invalid> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let taken = ["host", "content-length", "transfer-encoding", "connection"];
    if name.is_empty() || !name.bytes().all(token) || taken.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(Invalid::at(key, "no name of a header that a pack may set"));
    }
    if value.bytes().any(|b| b.is_ascii_control()) {
        return Err(Invalid::at(key, "a header is one line"));
    }
    template(key, value, |_| false)
}

fn template(key: &str, text: &str, also: impl Fn(&str) -> bool) -> Result<(), Invalid> {
    let known = |place: &str| PLACES.contains(&place) || also(place);
    let proved = Template::parse(text).and_then(|template| template.only(known));
    proved.map_err(|why| Invalid::at(key, why.to_string()))
}
