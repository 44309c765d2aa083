//! The other side, made from the pack: a counterpart on a socket of its own, told what to do wrong. What a way to a biller
//! needs to be certified is all here: a new kind of way is a new [`Kind`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use channel::bank::book::Book as BankBook;
use channel::bank::counterpart::{
    BankCounterpart, Fault as BankFault, Faults as BankFaults, Kind as BankKind,
};
use channel::bank::line::BankDoor;
use channel::bank::message::Dialect;
use channel::bank::spec::Spec as LineSpec;
use channel::book::{Book, Fault, State};
use channel::direct::counterpart::{Counterpart, Faults};
use channel::direct::spec::{Auth, Call, Spec};
use channel::direct::{HttpDoor, Setting};
use channel::secrets::{Held, Secrets};
use channel::tls::Tls;
use channel::{Debt, Door, Meaning, Payment};
use city::bill::route::spec::Channel;
use city::bill::route::{DoorSetting, LineSetting};
use kernel::{Clock, ManualClock, SeededRng, Timestamp, UtcOffset};

use crate::config::Fail;

/// Something that the other side does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    Slow,
    SilentAfter,
    SilentBefore,
    HangsUp,
    Garbled,
    Strange,
    Again,
    /// With the nth code that the question may be answered with.
    Code(usize),
    Mac,
    Skew,
}

/// What the other side does wrong all the time, to find out whether the certifier notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Flaw {
    /// It takes every payment twice.
    TakesTwice,
    /// It says that it has taken a payment, and has not.
    TakesNothing,
    /// It refuses, and has taken the payment.
    RefusesAfter,
}

impl Flaw {
    fn fault(self) -> Fault {
        match self {
            Flaw::TakesTwice => Fault::Twice,
            Flaw::TakesNothing => Fault::Says(Meaning::Ok),
            Flaw::RefusesAfter => Fault::RefusesAfter,
        }
    }
}

/// A clock that can be put wrong.
pub struct Shifted {
    right: Arc<ManualClock>,
    ahead_s: AtomicI64,
}

impl Clock for Shifted {
    fn now(&self) -> Timestamp {
        let ahead = self.ahead_s.load(Ordering::SeqCst);
        Timestamp::from_nanos(self.right.now().as_nanos() + ahead * 1_000_000_000)
    }
}

/// Secrets that can be forgotten.
struct Forgetful {
    held: Held,
    forgotten: AtomicBool,
}

impl Secrets for Forgetful {
    fn secret(&self, name: &str) -> Option<Vec<u8>> {
        self.held.secret(name).filter(|_| !self.forgotten.load(Ordering::SeqCst))
    }
}

type Told = Arc<Mutex<BTreeMap<String, Fault>>>;

enum Kind {
    Http { far: Option<Arc<Counterpart>>, end: Arc<HttpEnd>, institution: String },
    Bank { far: Option<Arc<BankCounterpart>>, line: Arc<BankLine>, institution: String },
}

/// A biller over HTTP, or a service provider that has many.
pub struct HttpEnd {
    far: Mutex<Option<Arc<Counterpart>>>,
    spec: Spec,
    told: Told,
    secrets: Arc<Forgetful>,
    held: Held,
    clock: Arc<Shifted>,
    users: AtomicI64,
}

/// A line to a bank, and the bank.
pub struct BankLine {
    far: Mutex<Option<Arc<BankCounterpart>>>,
    dialect: Arc<Dialect>,
    secrets: Held,
    clock: Arc<Shifted>,
    users: AtomicI64,
}

/// The other side of a channel.
pub struct Side {
    pub channel: Channel,
    clock: Arc<Shifted>,
    kind: Kind,
}

/// How long the other side keeps silent, beside the patience of who asks.
fn silence(patience: Duration) -> Duration {
    patience + patience / 2
}

/// What is played with: keys that nobody uses for anything else.
fn held(spec: &Spec) -> Held {
    match &spec.auth {
        Auth::None => Held::default(),
        Auth::Basic { secret } => Held::default().with(secret, "certifier:certifier"),
        Auth::HmacSha256 { secret, .. } => Held::default().with(secret, "a key to play with"),
        Auth::RsaSha256 { secret, .. } => {
            Held::default().with(secret, include_str!("play-rsa.pem").trim_ascii_end())
        }
    }
}

impl HttpEnd {
    /// Starts one.
    pub async fn start(
        spec: &Spec,
        clock: Arc<ManualClock>,
        patience: Duration,
        flaw: Option<Flaw>,
    ) -> Result<Arc<HttpEnd>, Fail> {
        let clock = Arc::new(Shifted { right: clock, ahead_s: AtomicI64::new(0) });
        let told = Told::default();
        let held = held(spec);
        let secrets = Arc::new(Forgetful { held: held.clone(), forgotten: AtomicBool::new(false) });
        let asked = told.clone();
        let faults: Faults = Arc::new(move |kind, _| {
            let told = asked.lock().unwrap_or_else(PoisonError::into_inner).get(kind).copied();
            told.or_else(|| flaw.filter(|_| kind == "pay").map(Flaw::fault))
        });
        let slow = silence(patience);
        let far =
            Counterpart::start(spec.clone(), Book::default(), faults, secrets.clone(), clock.clone(), slow)
                .await?;
        let far = Mutex::new(Some(Arc::new(far)));
        Ok(Arc::new(HttpEnd {
            far,
            spec: spec.clone(),
            told,
            secrets,
            held,
            clock,
            users: AtomicI64::new(0),
        }))
    }

    fn far(&self) -> Option<Arc<Counterpart>> {
        self.far.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where it is, and what proves us to it.
    pub fn door(&self) -> Option<DoorSetting> {
        let url = format!("http://{}", self.far()?.addr).parse().ok()?;
        Some(DoorSetting { url, secrets: self.held.clone(), tls: Tls::default() })
    }

    /// The side of a biller that it is, or has.
    pub fn carry(self: &Arc<HttpEnd>, channel: &Channel) -> Side {
        self.users.fetch_add(1, Ordering::SeqCst);
        let institution = channel.institution().to_owned();
        let kind = Kind::Http { far: self.far(), end: self.clone(), institution };
        Side { channel: channel.clone(), clock: self.clock.clone(), kind }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        match &self.kind {
            Kind::Http { end, .. } => end.users.fetch_sub(1, Ordering::SeqCst),
            Kind::Bank { line, .. } => line.users.fetch_sub(1, Ordering::SeqCst),
        };
    }
}

impl BankLine {
    /// Starts the bank of a line.
    pub async fn start(
        spec: &LineSpec,
        clock: Arc<ManualClock>,
        patience: Duration,
        seed: u64,
    ) -> Result<Arc<BankLine>, Fail> {
        let mut spec = spec.clone();
        spec.times.answer_ms = u32::try_from(patience.as_millis()).unwrap_or(1_000);
        spec.times.reconnect_most_ms = 100;
        let dialect = spec.prove().map_err(|why| Fail::new(format!("{}: {}", why.key, why.why)))?;
        let secrets = match &spec.mac {
            Some(mac) => Held::default().with(&mac.secret, "0123456789ABCDEFFEDCBA9876543210"),
            None => Held::default(),
        };
        let clock = Arc::new(Shifted { right: clock, ahead_s: AtomicI64::new(0) });
        let far = BankCounterpart::start(
            "127.0.0.1:0",
            dialect.clone(),
            &secrets,
            BankBook::default(),
            BankFaults::default(),
            clock.clone(),
            Arc::new(SeededRng::new(seed)),
        )
        .await?;
        let far = Mutex::new(Some(Arc::new(far)));
        Ok(Arc::new(BankLine { far, dialect: Arc::new(dialect), secrets, clock, users: AtomicI64::new(0) }))
    }

    fn far(&self) -> Option<Arc<BankCounterpart>> {
        self.far.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where it is, for the city.
    pub fn setting(&self) -> Option<LineSetting> {
        let address = self.far()?.address().to_string();
        Some(LineSetting { address, dialect: self.dialect.clone(), secrets: self.secrets.clone() })
    }

    /// The side of a biller that it carries.
    pub fn carry(self: &Arc<BankLine>, channel: &Channel) -> Side {
        self.users.fetch_add(1, Ordering::SeqCst);
        let kind =
            Kind::Bank { far: self.far(), line: self.clone(), institution: channel.institution().to_owned() };
        Side { channel: channel.clone(), clock: self.clock.clone(), kind }
    }
}

impl Side {
    /// A door of our own to it.
    pub fn own_door(&self, clock: Arc<ManualClock>, patience: Duration) -> Result<Box<dyn Door>, Fail> {
        let rng = Arc::new(SeededRng::new(9));
        match &self.kind {
            Kind::Http { end, institution, .. } => {
                let door = end.door().ok_or_else(|| Fail::new("nobody is there"))?;
                let setting = Setting {
                    base: door.url,
                    tls: door.tls,
                    secrets: Arc::new(door.secrets),
                    institution: institution.clone(),
                    timeout: patience,
                    retries: 0,
                    offset: UtcOffset::CHINA,
                    clock,
                    rng,
                };
                let door =
                    HttpDoor::new(end.spec.clone(), setting).map_err(|why| Fail::new(why.to_string()))?;
                Ok(Box::new(door))
            }
            Kind::Bank { line, .. } => {
                let set = line.setting().ok_or_else(|| Fail::new("nobody is there"))?;
                let door =
                    BankDoor::open(&set.address, Dialect::clone(&set.dialect), &set.secrets, clock, rng)?;
                Ok(Box::new(door))
            }
        }
    }

    /// What is owed on an account from now on.
    pub fn owe(&self, account_no: &str, debts: Vec<Debt>) {
        match &self.kind {
            Kind::Http { far: Some(far), institution, .. } => far.book().open(institution, account_no, debts),
            Kind::Bank { far: Some(far), institution, .. } => far.book().set(institution, account_no, debts),
            _ => {}
        }
    }

    /// Does something wrong with questions of a kind about an account, and nothing else.
    pub fn goes_wrong(&self, kind: &str, account_no: &str, wrong: Wrong) {
        match &self.kind {
            Kind::Http { end, .. } => {
                let fault = match wrong {
                    Wrong::Slow => Fault::Slow,
                    Wrong::SilentAfter => Fault::SilentAfter,
                    Wrong::SilentBefore => Fault::SilentBefore,
                    Wrong::HangsUp => Fault::HangsUp,
                    Wrong::Garbled => Fault::Garbled,
                    Wrong::Strange => Fault::StrangeCode,
                    Wrong::Again => Fault::Again,
                    Wrong::Code(nth) => Fault::Code(u16::try_from(nth).unwrap_or(u16::MAX)),
                    Wrong::Mac | Wrong::Skew => return,
                };
                *end.told.lock().unwrap_or_else(PoisonError::into_inner) = [(kind.to_owned(), fault)].into();
            }
            Kind::Bank { far: Some(far), .. } => {
                let of = match kind {
                    "query" => BankKind::Query,
                    "pay" => BankKind::Pay,
                    "inquire" => BankKind::Inquire,
                    "refund" => BankKind::Refund,
                    _ => BankKind::Reverse,
                };
                let fault = match wrong {
                    Wrong::Slow => BankFault::Slow,
                    Wrong::SilentAfter => BankFault::SilentAfter,
                    Wrong::SilentBefore => BankFault::SilentBefore,
                    Wrong::HangsUp => BankFault::Dropped,
                    Wrong::Garbled => BankFault::Malformed,
                    Wrong::Strange => {
                        let unused = |last: &char| {
                            self.codes(kind).iter().all(|(code, _)| *code != format!("Z{last}"))
                        };
                        BankFault::Code('Z', ('0'..='9').find(unused).unwrap_or('Z'))
                    }
                    Wrong::Again => BankFault::Twice,
                    Wrong::Code(nth) => {
                        match self.codes(kind).get(nth).map(|(code, _)| code.as_bytes().to_vec()) {
                            Some(code) => BankFault::Code(char::from(code[0]), char::from(code[1])),
                            None => return,
                        }
                    }
                    Wrong::Mac => BankFault::WrongMac,
                    Wrong::Skew => BankFault::Skew,
                };
                let slow_ms = u32::try_from(silence(self.patience()).as_millis()).unwrap_or(u32::MAX);
                let by_account = [(account_no.to_owned(), fault)].into();
                far.set_faults(BankFaults { by_account, kinds: vec![of], slow_ms, ..BankFaults::default() });
            }
            Kind::Bank { .. } => {}
        }
    }

    fn patience(&self) -> Duration {
        match &self.kind {
            Kind::Bank { line, .. } => line.dialect.spec().times.answer(),
            Kind::Http { .. } => Duration::from_secs(1),
        }
    }

    /// Does everything right again.
    pub fn goes_well(&self) {
        self.clock.ahead_s.store(0, Ordering::SeqCst);
        match &self.kind {
            Kind::Http { end, .. } => {
                end.told.lock().unwrap_or_else(PoisonError::into_inner).clear();
                end.secrets.forgotten.store(false, Ordering::SeqCst);
            }
            Kind::Bank { far: Some(far), .. } => far.set_faults(BankFaults::default()),
            Kind::Bank { .. } => {}
        }
    }

    /// Puts its clock wrong.
    pub fn clock_is_ahead(&self, seconds: i64) {
        self.clock.ahead_s.store(seconds, Ordering::SeqCst);
    }

    /// Forgets the key that requests are proved with; `false` where there is none.
    pub fn forgets_key(&self) -> bool {
        match &self.kind {
            Kind::Http { end, .. } if end.spec.auth != Auth::None => {
                end.secrets.forgotten.store(true, Ordering::SeqCst);
                true
            }
            _ => false,
        }
    }

    /// How far the clocks may differ; `None` where nobody looks.
    pub fn skew(&self) -> Option<u32> {
        let Kind::Http { end, .. } = &self.kind else { return None };
        let spec = &end.spec;
        let texts = |call: &Call| {
            let headers = spec.headers.values().chain(call.headers.values()).cloned().collect::<String>();
            format!("{}{}{headers}", call.path, call.body).contains("{timestamp_")
        };
        spec.clock_skew_s.filter(|_| [&spec.pay, &spec.inquire, &spec.reverse].into_iter().all(texts))
    }

    /// Whether a bank, and whether its messages carry codes.
    pub fn bank_mac(&self) -> Option<bool> {
        match &self.kind {
            Kind::Bank { line, .. } => Some(line.dialect.spec().mac.is_some()),
            Kind::Http { .. } => None,
        }
    }

    /// Whether it can be asked for a refund.
    pub fn refunds(&self) -> bool {
        match &self.kind {
            Kind::Http { end, .. } => end.spec.refund.is_some(),
            Kind::Bank { line, .. } => line.dialect.spec().refund.is_some(),
        }
    }

    /// Whether it can be asked what is owed.
    pub fn queries(&self) -> bool {
        match &self.kind {
            Kind::Http { end, .. } => end.spec.query.is_some(),
            Kind::Bank { line, .. } => line.dialect.spec().query.is_some(),
        }
    }

    /// The codes that a question may be answered with, and what they mean.
    pub fn codes(&self, kind: &str) -> Vec<(String, Meaning)> {
        let none = BTreeMap::new();
        match &self.kind {
            Kind::Http { end, .. } => {
                let spec = &end.spec;
                let call = match kind {
                    "query" => spec.query.as_ref(),
                    "pay" => Some(&spec.pay),
                    "inquire" => Some(&spec.inquire),
                    "refund" => spec.refund.as_ref(),
                    _ => Some(&spec.reverse),
                };
                call.map(|call| spec.codes_of(call)).unwrap_or_default().into_iter().collect()
            }
            Kind::Bank { line, .. } => {
                let spec = line.dialect.spec();
                let own = match kind {
                    "query" => spec.query.as_ref().map_or(&none, |call| &call.codes),
                    "pay" => &spec.pay.codes,
                    "inquire" => &spec.inquire.codes,
                    "refund" => spec.refund.as_ref().map_or(&none, |call| &call.codes),
                    _ => &spec.reverse.codes,
                };
                spec.codes_of(own).into_iter().collect()
            }
        }
    }

    /// The payments that it has, and how often it took each.
    pub fn taken(&self) -> Vec<(Payment, u32)> {
        match &self.kind {
            Kind::Http { far: Some(far), institution, .. } => {
                let book = far.book();
                // Not every question about a payment names the institution: what is of another is not here.
                let own = |payment: &Payment| payment.institution == *institution;
                let taken = book.payments().filter(|e| e.state == State::Taken && own(&e.payment));
                taken.map(|entry| (entry.payment.clone(), entry.times)).collect()
            }
            Kind::Bank { far: Some(far), institution, .. } => {
                let book = far.book();
                let own = book.taken().into_iter().filter(|payment| payment.institution == *institution);
                own.map(|payment| (payment.clone(), 1)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What it gave back of a payment.
    pub fn refunded(&self, payment: &str) -> i64 {
        match &self.kind {
            Kind::Http { far: Some(far), .. } => {
                far.book().payment(payment).map_or(0, |entry| entry.refunds.values().sum())
            }
            Kind::Bank { far: Some(far), .. } => far.book().refunded(payment),
            _ => 0,
        }
    }

    /// Whether somebody is there at an instant.
    pub fn is_open(&self, now: Timestamp) -> bool {
        let minute = (now.as_secs() + 8 * 3_600).rem_euclid(86_400) / 60;
        let minute = u32::try_from(minute).unwrap_or(0);
        let open = self.channel.hours.is_empty() || self.channel.hours.iter().any(|h| h.contains(minute));
        let bank = match &self.kind {
            Kind::Bank { line, .. } => {
                let offset = UtcOffset::from_seconds(line.dialect.spec().utc_offset_minutes * 60);
                line.dialect
                    .spec()
                    .hours
                    .as_ref()
                    .is_none_or(|h| h.hold(now, offset.unwrap_or(UtcOffset::CHINA)))
            }
            Kind::Http { .. } => true,
        };
        open && bank
    }

    /// Leaves for good; `false` where others are carried by the same line.
    pub async fn leaves(&mut self) -> bool {
        let left = match &mut self.kind {
            Kind::Http { end, .. } if end.users.load(Ordering::SeqCst) > 1 => false,
            Kind::Http { far, end, .. } => {
                let gone = far.take();
                end.far.lock().unwrap_or_else(PoisonError::into_inner).take();
                drop(gone);
                true
            }
            Kind::Bank { line, .. } if line.users.load(Ordering::SeqCst) > 1 => false,
            Kind::Bank { far, line, .. } => {
                let gone = far.take();
                line.far.lock().unwrap_or_else(PoisonError::into_inner).take();
                drop(gone);
                true
            }
        };
        // Whoever serves a socket notices a little later.
        tokio::time::sleep(Duration::from_millis(50)).await;
        left
    }
}
