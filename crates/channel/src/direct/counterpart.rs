//! The other side of a pack, made from the pack: a server that understands the requests the pack describes, proves who
//! sent them, keeps an institution's [`Book`], answers as the pack says it would, and does wrong what it is told to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use kernel::{Clock, Timestamp, UtcOffset};
use quick_xml::escape::escape;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::catalogue::{Catalogue, Institution};
use super::question::{Facts, Request, amount, proof, yuan};
use super::spec::{Auth, Call, Debts, Format, Spec, Unit};
use super::template::{Escape, Template};
use crate::book::{Book, Fault};
use crate::secrets::Secrets;
use crate::{Debt, Meaning, Payment};

/// What goes wrong with a question: of which kind (`query`, `pay`, …), about which account and payment.
pub type Faults = Arc<dyn Fn(&str, &Payment) -> Option<Fault> + Send + Sync>;

/// A running counterpart; it ends when this is dropped.
pub struct Counterpart {
    /// Where it listens.
    pub addr: SocketAddr,
    book: Arc<Mutex<Book>>,
    listed: Arc<Mutex<Vec<Institution>>>,
    task: JoinHandle<()>,
}

impl Drop for Counterpart {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Side {
    spec: Spec,
    catalogue: Option<Catalogue>,
    listed: Arc<Mutex<Vec<Institution>>>,
    book: Arc<Mutex<Book>>,
    faults: Faults,
    secrets: Arc<dyn Secrets>,
    clock: Arc<dyn Clock>,
    slow: Duration,
}

impl Counterpart {
    /// Starts one on a free port of this machine: [`Counterpart::listen`].
    pub async fn start(
        spec: Spec,
        book: Book,
        faults: Faults,
        secrets: Arc<dyn Secrets>,
        clock: Arc<dyn Clock>,
        slow: Duration,
    ) -> std::io::Result<Counterpart> {
        Counterpart::listen(([127, 0, 0, 1], 0).into(), spec, book, faults, secrets, clock, slow).await
    }

    /// Starts one. `slow` is longer than a caller's patience.
    pub async fn listen(
        addr: SocketAddr,
        spec: Spec,
        book: Book,
        faults: Faults,
        secrets: Arc<dyn Secrets>,
        clock: Arc<dyn Clock>,
        slow: Duration,
    ) -> std::io::Result<Counterpart> {
        Counterpart::provider(addr, (spec, None), book, faults, secrets, clock, slow).await
    }

    /// Starts a service provider, with the catalogue of its institutions ([`Counterpart::listed`]).
    pub async fn provider(
        addr: SocketAddr,
        (spec, catalogue): (Spec, Option<Catalogue>),
        book: Book,
        faults: Faults,
        secrets: Arc<dyn Secrets>,
        clock: Arc<dyn Clock>,
        slow: Duration,
    ) -> std::io::Result<Counterpart> {
        let listener = TcpListener::bind(addr).await?;
        let listed = Arc::<Mutex<Vec<Institution>>>::default();
        let addr = listener.local_addr()?;
        let book = Arc::new(Mutex::new(book));
        let side = Arc::new(Side {
            spec,
            catalogue,
            listed: listed.clone(),
            book: book.clone(),
            faults,
            secrets,
            clock,
            slow,
        });
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let side = side.clone();
                open.spawn(async move {
                    let service = service_fn(|request| side.clone().serve(request));
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
                while open.try_join_next().is_some() {}
            }
        });
        Ok(Counterpart { addr, book, listed, task })
    }

    /// The institutions of its catalogue.
    pub fn listed(&self) -> MutexGuard<'_, Vec<Institution>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its books.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why hyper drops the connection without an answer.
#[derive(Debug)]
struct HangUp;

impl std::fmt::Display for HangUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("told to hang up")
    }
}

impl std::error::Error for HangUp {}

type Answer = Response<Full<Bytes>>;

impl Side {
    async fn serve(self: Arc<Side>, request: hyper::Request<Incoming>) -> Result<Answer, HangUp> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| HangUp)?.to_bytes();
        let headers =
            head.headers.iter().filter_map(|(n, v)| Some((n.to_string(), v.to_str().ok()?.to_owned())));
        let made = Request {
            method: head.method.to_string(),
            path: head.uri.to_string(),
            headers: headers.collect(),
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        let Some((kind, call, places)) = self.recognise(&made) else {
            return Ok(plain(StatusCode::NOT_FOUND, "no such call"));
        };
        if !self.is_proved(&made, &places) {
            return Ok(plain(StatusCode::UNAUTHORIZED, "not proved"));
        }
        let payment = self.payment(&places);
        let fault = (self.faults)(kind, &payment);
        let skew = if fault == Some(Fault::ClockSkew) { Duration::from_hours(1) } else { Duration::ZERO };
        if self.is_out_of_time(&places, self.clock.now().plus(skew)) {
            return Ok(self.say(call, Meaning::Refused, &[]));
        }
        match fault {
            Some(Fault::SilentBefore) => {
                tokio::time::sleep(self.slow).await;
                return Err(HangUp);
            }
            Some(Fault::StrangeCode) => {
                return Ok(self.answer(call, &[], |code| set(code, self.code_at(call), "Z9-unheard-of")));
            }
            Some(Fault::Says(meaning)) => return Ok(self.say(call, meaning, &[])),
            Some(Fault::Code(nth)) => {
                return Ok(self.code(call, nth, || self.decide(kind, &payment, &places).1));
            }
            _ => {}
        }
        if kind == "catalogue"
            && !matches!(fault, Some(Fault::SilentAfter | Fault::HangsUp | Fault::Garbled | Fault::Slow))
        {
            return Ok(self.page(call, &places));
        }
        let (meaning, debts) = self.decide(kind, &payment, &places);
        match fault {
            Some(Fault::SilentAfter) => {
                tokio::time::sleep(self.slow).await;
                Err(HangUp)
            }
            Some(Fault::HangsUp) => Err(HangUp),
            Some(Fault::Again) if meaning == Meaning::Ok => Ok(self.say(call, Meaning::Duplicate, &debts)),
            Some(Fault::RefusesAfter) => Ok(self.say(call, Meaning::Refused, &[])),
            Some(Fault::Twice) => {
                self.book.lock().unwrap_or_else(PoisonError::into_inner).take_again(&payment.id);
                Ok(self.say(call, meaning, &debts))
            }
            Some(Fault::Garbled) => Ok(plain(StatusCode::OK, "\u{1}<{garbled")),
            Some(Fault::Slow) => {
                tokio::time::sleep(self.slow).await;
                Ok(self.say(call, meaning, &debts))
            }
            _ => Ok(self.say(call, meaning, &debts)),
        }
    }

    /// Which call of the pack a request is, and what its places hold.
    fn recognise(&self, made: &Request) -> Option<(&'static str, &Call, HashMap<String, String>)> {
        let spec = &self.spec;
        let calls = [
            ("query", spec.query.as_ref()),
            ("pay", Some(&spec.pay)),
            ("inquire", Some(&spec.inquire)),
            ("reverse", Some(&spec.reverse)),
            ("refund", spec.refund.as_ref()),
            ("restore", spec.restore.as_ref()),
            ("catalogue", self.catalogue.as_ref().map(|catalogue| &catalogue.call)),
            ("probe", spec.probe.as_ref()),
        ];
        calls.into_iter().find_map(|(kind, call)| {
            let call = call.filter(|call| call.method == made.method)?;
            let mut places = Template::parse(&call.path).ok()?.read(&made.path, Escape::Url)?;
            places.extend(Template::parse(&call.body).ok()?.read(&made.body, spec.format.escape())?);
            for (name, value) in spec.headers.iter().chain(&call.headers) {
                let name = name.to_ascii_lowercase();
                let sent = &made.headers.iter().find(|(other, _)| *other == name)?.1;
                places.extend(Template::parse(value).ok()?.read(sent, Escape::Plain)?);
            }
            Some((kind, call, places))
        })
    }

    fn is_proved(&self, made: &Request, places: &HashMap<String, String>) -> bool {
        if let Auth::HmacSha256 { text, .. } | Auth::RsaSha256 { text, .. } = &self.spec.auth {
            // What was signed must be known from the request itself, or nobody could check it.
            let own = ["method", "path", "body"];
            let Ok(template) = Template::parse(text) else { return false };
            if template.places().any(|place| !own.contains(&place) && !places.contains_key(place)) {
                return false;
            }
        }
        let facts = Facts {
            payment: &self.payment(places),
            reason: places.get("reason").map_or("", String::as_str),
            now: self.clock.now(),
            offset: UtcOffset::CHINA,
            nonce: places.get("nonce").map_or("", String::as_str),
        };
        let value = |place: &str| places.get(place).cloned().or_else(|| facts.value(place));
        match proof(&self.spec.auth, made, value, &*self.secrets) {
            Ok(None) => true,
            Ok(Some((name, value))) => made.headers.iter().any(|(n, v)| *n == name && *v == value),
            Err(_) => false,
        }
    }

    /// Whether a request is not of this time, as far as the pack cares and the request says when it was made.
    fn is_out_of_time(&self, places: &HashMap<String, String>, now: Timestamp) -> bool {
        let seconds = |place: &str, unit: i64| Some(places.get(place)?.parse::<i64>().ok()? / unit);
        let Some(made) = seconds("timestamp_ms", 1_000).or_else(|| seconds("timestamp_s", 1)) else {
            return false;
        };
        let off = (now.as_millis() / 1_000 - made).unsigned_abs();
        self.spec.clock_skew_s.is_some_and(|most| off > u64::from(most))
    }

    fn payment(&self, places: &HashMap<String, String>) -> Payment {
        let text = |place: &str| places.get(place).cloned().unwrap_or_default();
        let fen = places.get("amount.fen").and_then(|text| amount(text, Unit::Fen));
        Payment {
            id: text("payment"),
            institution: text("institution"),
            account_no: text("account_no"),
            bill_no: text("bill_no"),
            period: text("period").parse().unwrap_or(0),
            amount_minor: fen.or_else(|| amount(places.get("amount.yuan")?, Unit::Yuan)).unwrap_or(0),
            at: self.clock.now(),
        }
    }

    fn decide(
        &self,
        kind: &str,
        payment: &Payment,
        places: &HashMap<String, String>,
    ) -> (Meaning, Vec<Debt>) {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let meaning = match kind {
            "query" => match book.query(&payment.institution, &payment.account_no) {
                Ok(debts) if debts.is_empty() => Meaning::NothingDue,
                Ok(debts) => return (Meaning::Ok, debts),
                Err(meaning) => meaning,
            },
            "pay" => book.pay(payment),
            "inquire" => book.inquire(&payment.id),
            "reverse" => book.reverse(payment),
            "refund" => book.refund(
                &payment.id,
                places.get("reason").map_or("", String::as_str),
                payment.amount_minor,
            ),
            "restore" => book.restore(&payment.id, &payment.institution, &payment.account_no),
            _ => Meaning::Ok,
        };
        (meaning, Vec::new())
    }

    /// The answer with a code of the pack; what is asked is done where that means yes.
    fn code(&self, call: &Call, nth: u16, work: impl FnOnce() -> Vec<Debt>) -> Answer {
        let Some((code, meaning)) = self.spec.codes_of(call).into_iter().nth(nth.into()) else {
            return plain(StatusCode::INTERNAL_SERVER_ERROR, "the pack has no such code");
        };
        let debts = if matches!(meaning, Meaning::Ok | Meaning::Duplicate) { work() } else { Vec::new() };
        self.answer(call, &debts, |document| set(document, self.code_at(call), &code))
    }

    fn code_at<'a>(&'a self, call: &'a Call) -> Option<&'a str> {
        call.code.as_deref().or(self.spec.code.as_deref())
    }

    /// An answer of this meaning, or of the one nearest to it that the pack can say.
    fn say(&self, call: &Call, meaning: Meaning, debts: &[Debt]) -> Answer {
        let code = |meaning: Meaning| {
            let of = |codes: &std::collections::BTreeMap<String, Meaning>| {
                codes.iter().find(|(_, m)| **m == meaning).map(|(code, _)| code.clone())
            };
            of(&call.codes).or_else(|| of(&self.spec.codes))
        };
        if self.code_at(call).is_none() {
            return match meaning {
                Meaning::Ok | Meaning::Duplicate | Meaning::NothingDue => self.answer(call, debts, |_| ()),
                Meaning::Busy => plain(StatusCode::TOO_MANY_REQUESTS, "busy"),
                _ => plain(StatusCode::INTERNAL_SERVER_ERROR, "cannot say it"),
            };
        }
        let nearest = match meaning {
            Meaning::Duplicate | Meaning::NothingDue => Some(Meaning::Ok),
            Meaning::Ok | Meaning::Pending | Meaning::Unknown => None,
            _ => Some(Meaning::Refused),
        };
        match code(meaning).or_else(|| code(nearest?)) {
            Some(code) => self.answer(call, debts, |document| set(document, self.code_at(call), &code)),
            None => plain(StatusCode::INTERNAL_SERVER_ERROR, "the pack has no code for it"),
        }
    }

    /// A page of the catalogue: two institutions, so that there are pages.
    fn page(&self, call: &Call, places: &HashMap<String, String>) -> Answer {
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let page = places.get("page").and_then(|page| page.parse::<usize>().ok());
        let shown: Vec<Institution> = match page {
            Some(page) => listed.chunks(2).nth(page.saturating_sub(1)).unwrap_or_default().to_vec(),
            None => listed.clone(),
        };
        drop(listed);
        let ok = call.codes.iter().chain(&self.spec.codes).find(|(_, means)| **means == Meaning::Ok);
        self.answer(call, &[], |document| {
            if let Some((code, _)) = ok {
                set(document, self.code_at(call), code);
            }
            if let Some(catalogue) = &self.catalogue {
                catalogue.write(document, &shown);
            }
        })
    }

    fn answer(&self, call: &Call, debts: &[Debt], with: impl Fn(&mut Value)) -> Answer {
        let body = body(&self.spec, call, debts, with);
        let mut answer = Response::new(Full::new(Bytes::from(body)));
        let kind = hyper::header::HeaderValue::from_static(self.spec.format.content_type());
        answer.headers_mut().insert("content-type", kind);
        answer
    }
}

/// What an answer says in the language of the pack.
fn body(spec: &Spec, call: &Call, debts: &[Debt], with: impl Fn(&mut Value)) -> String {
    let mut document = Value::Object(Map::new());
    with(&mut document);
    if let Some(stands) = &call.debts {
        let list = debts.iter().map(|debt| debt_value(stands, debt)).collect();
        put(&mut document, &stands.at, Value::Array(list));
    }
    if let Some(place) = &call.receipt {
        set(&mut document, Some(place), "R-1");
    }
    match spec.format {
        Format::Json => document.to_string(),
        Format::Xml => xml(&document),
    }
}

/// An answer of this meaning as the institution would write it; none where the pack has no code for it.
pub fn example_answer(spec: &Spec, call: &Call, meaning: Meaning, debts: &[Debt]) -> Option<String> {
    let Some(place) = call.code.as_deref().or(spec.code.as_deref()) else {
        return (meaning == Meaning::Ok).then(|| body(spec, call, debts, |_| ()));
    };
    let (code, _) = call.codes.iter().chain(&spec.codes).find(|(_, means)| **means == meaning)?;
    Some(body(spec, call, debts, |document| set(document, Some(place), code)))
}

fn plain(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *answer.status_mut() = status;
    answer
}

fn debt_value(spec: &Debts, debt: &Debt) -> Value {
    let mut one = Value::Object(Map::new());
    set(&mut one, Some(&spec.bill_no), &debt.bill_no);
    let amount = match spec.unit {
        Unit::Fen => debt.amount_minor.to_string(),
        Unit::Yuan => yuan(debt.amount_minor),
    };
    set(&mut one, Some(&spec.amount), &amount);
    if let (Some(place), Some(due)) = (&spec.due, debt.due) {
        let due = due.to_string();
        set(
            &mut one,
            Some(place),
            &match spec.date {
                super::spec::Day::Compact => due.replace('-', ""),
                super::spec::Day::Extended => due,
            },
        );
    }
    if let (Some(place), true) = (&spec.period, debt.period > 0) {
        set(&mut one, Some(place), &debt.period.to_string());
    }
    set(&mut one, spec.holder.as_deref(), &debt.holder);
    one
}

fn set(document: &mut Value, place: Option<&str>, text: &str) {
    if let Some(place) = place {
        put(document, place, Value::from(text));
    }
}

/// Puts a value at a path, making what leads there.
pub(super) fn put(document: &mut Value, path: &str, value: Value) {
    let mut at = document;
    for name in path.split('.').filter(|name| !name.is_empty()) {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let members = at.as_object_mut().expect("made above");
        at = members.entry(name).or_insert(Value::Null);
    }
    *at = value;
}

/// The document as XML.
fn xml(document: &Value) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    if let Value::Object(members) = document {
        for (name, value) in members {
            element(&mut out, name, value);
        }
    }
    out
}

fn element(out: &mut String, name: &str, value: &Value) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| element(out, name, item)),
        Value::Object(members) => {
            let attribute = |(key, value): (&String, &Value)| {
                Some(format!(" {}=\"{}\"", key.strip_prefix('@')?, escape(value.as_str()?)))
            };
            let attributes: String = members.iter().filter_map(attribute).collect();
            out.extend(["<", name, &attributes, ">"]);
            members.iter().filter(|(key, _)| !key.starts_with('@')).for_each(|(k, v)| element(out, k, v));
            out.extend(["</", name, ">"]);
        }
        other => {
            let text = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
            out.extend(["<", name, ">", &escape(text), "</", name, ">"]);
        }
    }
}
