//! What a pack says of a line to a bank, and the proof that it makes sense.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kernel::{Timestamp, UtcOffset};
use serde::Deserialize;

use super::message::{Dialect, Network, Question};
use crate::direct::spec::{Day, Invalid, Unit};
use crate::iso8583::{Class, Field, FieldPack, Form, Framing};
use crate::{Debt, Meaning, Payment};

/// A line to a bank.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// How messages lie in the stream.
    pub framing: Framing,
    /// The shipped field pack it starts from: `1987-ascii` or `1987-bcd`.
    pub base: Option<String>,
    /// A field pack of its own instead.
    pub pack: Option<FieldPack>,
    /// Fields that differ from the base, by number.
    #[serde(default)]
    pub field: BTreeMap<String, Field>,
    /// Field 32, who we are to the bank: up to 11 digits.
    pub acquirer: String,
    /// Field 41: 8 characters.
    pub terminal: String,
    /// Field 42: 15 characters.
    pub merchant: String,
    /// Field 49: ISO 4217, three digits.
    #[serde(default = "yuan")]
    pub currency: String,
    /// Minutes east of UTC of the bank's clocks: fields 12, 13, 15 and the working hours.
    #[serde(default = "china")]
    pub utc_offset_minutes: i32,
    /// Whether field 7 has the bank's time or, as the standard wants it, UTC.
    #[serde(default)]
    pub transmission: Zone,
    /// How messages prove where they come from; by nothing but the line when absent.
    pub mac: Option<Mac>,
    /// What is owed on an account.
    pub query: Option<Call>,
    /// Takes a payment.
    pub pay: Call,
    /// What became of a payment.
    pub inquire: Call,
    /// Takes a payment back: 0420, which has the processing code of `pay`.
    #[serde(default)]
    pub reverse: Reverse,
    /// Gives money back.
    pub refund: Option<Call>,
    /// What response codes (field 39) mean; before [`DEFAULT_CODES`].
    #[serde(default)]
    pub codes: BTreeMap<String, Meaning>,
    /// What stands in private fields, by number.
    pub content: BTreeMap<String, Layout<Part>>,
    /// Where debts stand in the answer to `query`.
    pub debts: Option<Debts>,
    /// How long things take.
    #[serde(default)]
    pub times: Times,
    /// When the bank works, by its own clock; always when absent.
    pub hours: Option<Hours>,
    /// How many questions may be under way at once.
    #[serde(default = "at_once")]
    pub at_once: u16,
}

fn yuan() -> String {
    "156".to_owned()
}

fn china() -> i32 {
    480
}

fn at_once() -> u16 {
    500
}

/// A zone of field 7.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Zone {
    /// UTC (ISO 8583:1987, field 7).
    #[default]
    Utc,
    /// The bank's.
    Local,
}

/// Message authentication: X9.19 over everything before it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Mac {
    /// 64, or 128 where a message has fields after 64; or always 128.
    pub field: u8,
    /// The name of the secret: 16 bytes, or 32 hexadecimal digits.
    pub secret: String,
    /// Whether messages of the network (0800) have it too.
    #[serde(default = "yes")]
    pub network: bool,
}

fn yes() -> bool {
    true
}

/// A question.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Field 3: six digits that no other question has.
    pub code: String,
    /// The message type.
    #[serde(default = "financial")]
    pub mti: String,
    /// What response codes mean here, before what they mean in general.
    #[serde(default)]
    pub codes: BTreeMap<String, Meaning>,
}

fn financial() -> String {
    "0200".to_owned()
}

/// A reversal.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Reverse {
    /// How often it is repeated, as 0421, while nobody answers.
    #[serde(default = "twice")]
    pub repeats: u8,
    /// What response codes mean here, before what they mean in general.
    #[serde(default)]
    pub codes: BTreeMap<String, Meaning>,
}

impl Default for Reverse {
    fn default() -> Reverse {
        Reverse { repeats: twice(), codes: BTreeMap::new() }
    }
}

fn twice() -> u8 {
    2
}

/// How the parts of a private field are told apart.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(tag = "layout", rename_all = "lowercase", deny_unknown_fields)]
pub enum Layout<T: Ord> {
    /// It is one part.
    Whole {
        /// Which.
        part: T,
    },
    /// Parts in order, with a character between them that none of them has.
    Delimited {
        /// The character.
        delimiter: char,
        /// In order.
        parts: Vec<T>,
    },
    /// Each part with its tag and its length in bytes before it. Unknown tags are passed over.
    Tlv {
        /// How many characters a tag has.
        tag: u8,
        /// How many digits a length has.
        length: u8,
        /// By tag.
        tags: BTreeMap<String, T>,
    },
}

impl<T: Copy + Ord> Layout<T> {
    /// What may stand in it.
    pub fn parts(&self) -> Vec<T> {
        match self {
            Layout::Whole { part } => vec![*part],
            Layout::Delimited { parts, .. } => parts.clone(),
            Layout::Tlv { tags, .. } => tags.values().copied().collect(),
        }
    }
}

/// Something that a private field says.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The institution's number at the bank.
    Institution,
    /// The account at the institution.
    AccountNo,
    /// The bill.
    BillNo,
    /// The month billed, six digits.
    Period,
    /// Our id of the payment.
    Payment,
    /// A refund's own key.
    Reference,
    /// Nothing.
    Blank,
}

/// Something that a debt says.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum DebtPart {
    /// The institution's number of the bill.
    BillNo,
    /// How much.
    Amount,
    /// The last day without a late fee.
    Due,
    /// The month billed, six digits.
    Period,
    /// The name on the account.
    Holder,
    /// Nothing.
    Blank,
}

/// Where debts stand in an answer, the oldest first.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Debts {
    /// The field.
    pub field: u8,
    /// What stands between two of them. None for tag-length-value, where a bill's number begins the next.
    pub between: Option<char>,
    /// One of them.
    pub each: Layout<DebtPart>,
    /// Whether amounts are in `fen` or `yuan`.
    pub unit: Unit,
    /// How days are written.
    #[serde(default)]
    pub date: Day,
}

/// How long things take, in milliseconds.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Times {
    /// How long a question waits for its answer, its way into the line included.
    pub answer_ms: u32,
    /// How long a connection may take.
    pub connect_ms: u32,
    /// After how long without a message an echo is sent.
    pub echo_every_ms: u32,
    /// The longest pause between two attempts to connect; the first is 100 ms, and each is twice the one before.
    pub reconnect_most_ms: u32,
}

impl Default for Times {
    fn default() -> Times {
        Times { answer_ms: 30_000, connect_ms: 10_000, echo_every_ms: 60_000, reconnect_most_ms: 30_000 }
    }
}

impl Times {
    /// How long a question waits for its answer.
    pub fn answer(&self) -> Duration {
        Duration::from_millis(self.answer_ms.into())
    }
}

/// Working hours; over midnight where `to` is before `from`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// `00:30`
    pub from: String,
    /// `23:30`, not included.
    pub to: String,
}

impl Hours {
    fn minutes(text: &str) -> Option<i64> {
        let (hour, minute) = text.split_once(':')?;
        let two =
            |s: &str| Some(s).filter(|s| s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit()))?.parse().ok();
        let (hour, minute): (i64, i64) = (two(hour)?, two(minute)?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    }

    /// Whether a time falls into them.
    pub fn hold(&self, now: Timestamp, offset: UtcOffset) -> bool {
        let (Some(from), Some(to)) = (Hours::minutes(&self.from), Hours::minutes(&self.to)) else {
            return false;
        };
        let minute = (now.as_secs() + i64::from(offset.seconds())).rem_euclid(86_400) / 60;
        if from < to { (from..to).contains(&minute) } else { minute >= from || minute < to }
    }
}

/// Response codes of ISO 8583:1987 that say something about a bill; a pack's own come first. What is in neither is
/// silence.
pub const DEFAULT_CODES: &[(&str, Meaning)] = &[
    ("00", Meaning::Ok),
    ("09", Meaning::Pending), // request in progress
    ("12", Meaning::Refused), // invalid transaction
    ("13", Meaning::AmountDiffers),
    ("14", Meaning::AccountUnknown),
    ("25", Meaning::Unknown), // unable to locate the original
    ("30", Meaning::Refused), // format error
    ("40", Meaning::Refused), // function not supported
    ("57", Meaning::Refused), // not permitted to the holder
    ("58", Meaning::Refused), // not permitted to the terminal
    ("61", Meaning::Refused), // above a limit
    ("63", Meaning::Refused), // security violation
    ("68", Meaning::Pending), // an answer came too late
    ("90", Meaning::Closed),  // cut-over is in progress
    ("91", Meaning::Pending), // the institution cannot be reached
    ("92", Meaning::Refused), // no such institution
    ("94", Meaning::Duplicate),
    ("96", Meaning::Pending), // system malfunction
];

/// The field packs that come with the project.
pub const BASES: &[(&str, &str)] = &[
    ("1987-ascii", include_str!("../../../../packs/iso8583/1987-ascii.toml")),
    ("1987-bcd", include_str!("../../../../packs/iso8583/1987-bcd.toml")),
];

/// The field pack of a name.
pub fn base(name: &str) -> Option<FieldPack> {
    let (_, text) = BASES.iter().find(|(known, _)| *known == name)?;
    toml::from_str(text).ok()
}

/// Fields that messages have of themselves; private content stands in none of them.
const TAKEN: &[u8] = &[3, 4, 7, 11, 12, 13, 15, 32, 37, 39, 41, 42, 49, 64, 70, 90, 128];

impl Spec {
    /// Proves it. What comes of it writes and reads messages.
    pub fn prove(&self) -> Result<Dialect, Invalid> {
        self.framing.prove().map_err(|e| Invalid::at(format!("framing.{}", e.place), e.why))?;
        let pack = self.proved_pack()?;
        let offset = self.utc_offset_minutes.checked_mul(60).and_then(UtcOffset::from_seconds);
        let offset = offset.ok_or_else(|| Invalid::at("utc_offset_minutes", "at most 18 hours"))?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(&self.acquirer) || self.acquirer.len() > 11 {
            return Err(Invalid::at("acquirer", "1 to 11 digits"));
        }
        if !digits(&self.currency) || self.currency.len() != 3 {
            return Err(Invalid::at("currency", "three digits, ISO 4217"));
        }
        if let Some(mac) = &self.mac {
            mac.prove(&pack)?;
        }
        self.prove_calls()?;
        self.prove_content(&pack)?;
        self.prove_times()?;
        let dialect = Dialect::new(self.clone(), pack, offset);
        self.rehearse(&dialect)?;
        Ok(dialect)
    }

    fn proved_pack(&self) -> Result<FieldPack, Invalid> {
        let pack = match (&self.base, &self.pack) {
            (Some(name), None) => {
                let known = || BASES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
                base(name).ok_or_else(|| Invalid::at("base", format!("one of {}", known())))?
            }
            (None, Some(pack)) => pack.clone(),
            _ => return Err(Invalid::at("base", "either this or pack")),
        };
        pack.with_fields(&self.field).prove().map_err(|e| Invalid::at(format!("field.{}", e.place), e.why))
    }

    fn prove_calls(&self) -> Result<(), Invalid> {
        let calls = [
            ("query", self.query.as_ref()),
            ("pay", Some(&self.pay)),
            ("inquire", Some(&self.inquire)),
            ("refund", self.refund.as_ref()),
        ];
        let mut seen = BTreeSet::new();
        for (key, call) in calls.into_iter().filter_map(|(key, call)| Some((key, call?))) {
            if call.code.len() != 6 || !call.code.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Invalid::at(format!("{key}.code"), "six digits"));
            }
            if !seen.insert(&call.code) {
                return Err(Invalid::at(format!("{key}.code"), "another question has it"));
            }
            if !["0100", "0200", "0220"].contains(&call.mti.as_str()) {
                return Err(Invalid::at(format!("{key}.mti"), "0100, 0200 or 0220"));
            }
            self.prove_codes(&format!("{key}.codes"), &call.codes)?;
        }
        self.prove_codes("reverse.codes", &self.reverse.codes)?;
        self.prove_codes("codes", &BTreeMap::new())?;
        if self.reverse.repeats > 10 {
            return Err(Invalid::at("reverse.repeats", "at most 10"));
        }
        if self.query.is_some() != self.debts.is_some() {
            return Err(Invalid::at("debts", "stands beside query, and only there"));
        }
        Ok(())
    }

    /// Whether codes have two characters, and one of them and the general ones means yes.
    fn prove_codes(&self, key: &str, own: &BTreeMap<String, Meaning>) -> Result<(), Invalid> {
        let short = |code: &&String| code.len() != 2 || !code.bytes().all(|b| b.is_ascii_alphanumeric());
        if let Some(code) = own.keys().chain(self.codes.keys()).find(short) {
            return Err(Invalid::at(format!("{key}.{code}"), "a response code has two characters"));
        }
        let known = own.keys().chain(self.codes.keys()).map(String::as_str);
        let known: BTreeSet<&str> = known.chain(DEFAULT_CODES.iter().map(|(code, _)| *code)).collect();
        if known.iter().any(|code| self.meaning(own, code) == Some(Meaning::Ok)) {
            return Ok(());
        }
        Err(Invalid::at(key, "no code means ok"))
    }

    /// What a response code means to a question.
    pub fn meaning(&self, own: &BTreeMap<String, Meaning>, code: &str) -> Option<Meaning> {
        let general = || DEFAULT_CODES.iter().find(|(known, _)| *known == code).map(|(_, meaning)| *meaning);
        own.get(code).or_else(|| self.codes.get(code)).copied().or_else(general)
    }

    /// The response codes that a question with these codes of its own may be answered with, and what each means.
    pub fn codes_of(&self, own: &BTreeMap<String, Meaning>) -> BTreeMap<String, Meaning> {
        let usual = DEFAULT_CODES.iter().map(|(code, meaning)| ((*code).to_owned(), *meaning));
        let said = |codes: &BTreeMap<String, Meaning>| codes.clone().into_iter();
        usual.chain(said(&self.codes)).chain(said(own)).collect()
    }

    fn prove_content(&self, pack: &FieldPack) -> Result<(), Invalid> {
        let mut seen = BTreeSet::new();
        for (number, layout) in &self.content {
            let key = format!("content.{number}");
            prove_layout(&key, number.parse().ok(), pack, layout)?;
            for part in layout.parts().into_iter().filter(|part| *part != Part::Blank) {
                if !seen.insert(part) {
                    return Err(Invalid::at(key, format!("{part:?} stands somewhere else too")));
                }
            }
        }
        let wanted = [Part::Institution, Part::AccountNo, Part::BillNo, Part::Payment];
        let wanted = wanted.into_iter().chain(self.refund.is_some().then_some(Part::Reference));
        for part in wanted {
            if !seen.contains(&part) {
                return Err(Invalid::at("content", format!("{part:?} stands nowhere")));
            }
        }
        let Some(debts) = &self.debts else { return Ok(()) };
        if self.content.contains_key(&debts.field.to_string()) {
            return Err(Invalid::at("debts.field", "has other content"));
        }
        prove_layout("debts.each", Some(debts.field), pack, &debts.each)?;
        let parts = debts.each.parts();
        let distinct: BTreeSet<_> = parts.iter().filter(|part| **part != DebtPart::Blank).collect();
        if distinct.len() != parts.iter().filter(|part| **part != DebtPart::Blank).count() {
            return Err(Invalid::at("debts.each", "a part stands there twice"));
        }
        if !distinct.contains(&DebtPart::BillNo) || !distinct.contains(&DebtPart::Amount) {
            return Err(Invalid::at("debts.each", "a debt has bill_no and amount"));
        }
        match (&debts.each, debts.between) {
            (Layout::Tlv { .. }, None) => Ok(()),
            (Layout::Delimited { delimiter, .. }, Some(between))
                if separates(between) && between != *delimiter =>
            {
                Ok(())
            }
            (Layout::Whole { .. }, _) => Err(Invalid::at("debts.each", "has more than one part")),
            (Layout::Tlv { .. }, Some(_)) => {
                Err(Invalid::at("debts.between", "a bill's number begins the next debt"))
            }
            _ => Err(Invalid::at("debts.between", "one visible character other than the delimiter")),
        }
    }

    fn prove_times(&self) -> Result<(), Invalid> {
        let times = &self.times;
        for (key, value, least, most) in [
            ("times.answer_ms", times.answer_ms, 10, 600_000),
            ("times.connect_ms", times.connect_ms, 10, 600_000),
            ("times.echo_every_ms", times.echo_every_ms, 10, 3_600_000),
            ("times.reconnect_most_ms", times.reconnect_most_ms, 100, 3_600_000),
            ("at_once", self.at_once.into(), 1, 10_000),
        ] {
            if !(least..=most).contains(&value) {
                return Err(Invalid::at(key, format!("{least} to {most}")));
            }
        }
        let Some(hours) = &self.hours else { return Ok(()) };
        for (key, text) in [("hours.from", &hours.from), ("hours.to", &hours.to)] {
            if Hours::minutes(text).is_none() {
                return Err(Invalid::at(key, "HH:MM"));
            }
        }
        if hours.from == hours.to {
            return Err(Invalid::at("hours.to", "the same as from: leave hours out"));
        }
        Ok(())
    }

    /// Writes one question of each kind and reads it again: shows what a field has no room for.
    fn rehearse(&self, dialect: &Dialect) -> Result<(), Invalid> {
        let now = Timestamp::from_secs(1_775_000_000);
        let payment = Payment {
            id: "pay_01jm8v9n6wfxkt3m2q5z7rbd4c".to_owned(),
            institution: "1".to_owned(),
            account_no: "1".to_owned(),
            bill_no: "1".to_owned(),
            period: if self.content.values().any(|l| l.parts().contains(&Part::Period)) {
                202_603
            } else {
                0
            },
            amount_minor: 1,
            at: now,
        };
        let mut questions = vec![
            Question::Pay(payment.clone()),
            Question::Inquire(payment.clone()),
            Question::Reverse { payment: payment.clone(), repeated: true },
            Question::Network(Network::SignOn),
            Question::Network(Network::CutOver(now.date(dialect.offset()))),
        ];
        if self.query.is_some() {
            questions.push(Question::Query { institution: "1".to_owned(), account_no: "1".to_owned() });
        }
        if self.refund.is_some() {
            let reference = payment.id.replace("pay_", "rfd_");
            questions.push(Question::Refund { payment, reference, amount_minor: 1 });
        }
        let key = crate::iso8583::mac::MacKey::new(&[7; 16]);
        for question in questions {
            let failed = |e: &crate::iso8583::Malformed| match e.place.parse::<u8>() {
                Ok(number) => Invalid::at(format!("field.{number}"), format!("{question:?}: {}", e.why)),
                Err(_) => Invalid::at("field", format!("{question:?}: {e}")),
            };
            let asked = dialect.write(&question, 1, now).map_err(|e| failed(&e))?;
            let bytes = dialect.seal(asked.clone(), Some(&key)).map_err(|e| failed(&e))?;
            let read = dialect.open(&bytes, Some(&key)).ok().and_then(|m| dialect.read(&m, now).ok());
            if read.as_ref() != Some(&question) {
                return Err(Invalid::at("content", format!("{question:?} is not read as it was written")));
            }
            let debts = match (&question, &self.debts) {
                (Question::Query { .. }, Some(_)) => vec![Debt {
                    bill_no: "1".to_owned(),
                    amount_minor: 1,
                    due: None,
                    period: 0,
                    holder: String::new(),
                }],
                _ => Vec::new(),
            };
            let answer = dialect.answer(&asked, "00", &debts, now).map_err(|e| failed(&e))?;
            dialect.seal(answer, Some(&key)).map_err(|e| failed(&e))?;
        }
        Ok(())
    }
}

impl Mac {
    fn prove(&self, pack: &FieldPack) -> Result<(), Invalid> {
        let numbers: &[u8] = match self.field {
            64 => &[64, 128],
            128 => &[128],
            _ => return Err(Invalid::at("mac.field", "64 or 128")),
        };
        for number in numbers {
            let fits = |f: &Field| f.class == Class::B && f.length == 8 && f.prefix.is_none();
            if !pack.field(*number).is_some_and(fits) {
                return Err(Invalid::at(format!("field.{number}"), "a code is of class b, 8 long"));
            }
        }
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if (1..=40).contains(&self.secret.len()) && self.secret.bytes().all(good) {
            return Ok(());
        }
        Err(Invalid::at("mac.secret", "the name of a secret: 1 to 40 of a-z, 0-9, - and _"))
    }
}

/// Whether a character may stand between parts.
fn separates(c: char) -> bool {
    c.is_ascii_punctuation()
}

fn prove_layout<T: Copy + Ord>(
    key: &str,
    number: Option<u8>,
    pack: &FieldPack,
    layout: &Layout<T>,
) -> Result<(), Invalid> {
    let number = number.filter(|n| !TAKEN.contains(n));
    let field = number.and_then(|number| pack.field(number));
    let field = field.ok_or_else(|| Invalid::at(key, "no field of the pack that is free"))?;
    if field.prefix.is_none() || field.form() == Form::Binary {
        return Err(Invalid::at(key, "a field of characters whose length varies"));
    }
    match layout {
        Layout::Whole { .. } => Ok(()),
        Layout::Delimited { delimiter, parts } => {
            if !separates(*delimiter) || field.class != Class::Ans {
                return Err(Invalid::at(key, "a delimiter is a visible sign, in a field of class ans"));
            }
            if parts.is_empty() {
                return Err(Invalid::at(key, "has no parts"));
            }
            Ok(())
        }
        Layout::Tlv { tag, length, tags } => {
            if !(1..=4).contains(tag) || !(1..=4).contains(length) {
                return Err(Invalid::at(key, "a tag and a length have 1 to 4 characters"));
            }
            let visible = |tag: &&String| tag.bytes().all(|b| b.is_ascii_alphanumeric());
            if tags.is_empty() || !tags.keys().all(|t| t.len() == usize::from(*tag) && visible(&t)) {
                return Err(Invalid::at(key, "tags are letters and digits, all of the length that is said"));
            }
            Ok(())
        }
    }
}
