//! From questions to messages and back: pure. Both ends of a line are made of this.
//!
//! | field | content |
//! |---|---|
//! | 3 | which question: the pack's processing codes; a reversal has that of the payment |
//! | 4 | minor units |
//! | 7 | the time of sending; of a payment, the time it was claimed |
//! | 11 | trace number: derived where a repetition must be the same message, else counted |
//! | 12, 13 | when the payment was claimed, by the bank's clock |
//! | 15 | the settlement day that a cut-over begins |
//! | 32, 41, 42, 49 | as the pack has them |
//! | 37 | retrieval reference: derived from the payment's id (a refund's reference), so a repetition has the same |
//! | 39 | the answer's code |
//! | 64, 128 | message authentication |
//! | 70 | 001 sign-on, 002 sign-off, 201 cut-over, 301 echo |
//! | 90 | a reversal's original: all derived, so any node can name it after any crash |
//!
//! Institution, account, bill and payment stand where the pack's private fields have them.

use std::collections::BTreeMap;
use std::fmt;

use kernel::{Date, Timestamp, UtcOffset, derive_u128};

use super::layout;
use super::spec::{Call, DebtPart, Debts, Layout, Mac, Part, Spec, Zone};
use crate::direct::answer::day;
use crate::direct::question::{amount, yuan};
use crate::direct::spec::{Day, Unit};
use crate::iso8583::mac::MacKey;
use crate::iso8583::{FieldPack, Form, Malformed, Message};
use crate::{Debt, Meaning, Payment, Reply};

/// What one end of a line asks the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// What is owed on an account.
    Query {
        /// The institution's number at the bank.
        institution: String,
        /// The account at the institution.
        account_no: String,
    },
    /// Takes a payment.
    Pay(Payment),
    /// What became of a payment.
    Inquire(Payment),
    /// Takes a payment back that was not acknowledged.
    Reverse {
        /// The payment.
        payment: Payment,
        /// Whether this was asked before (0421).
        repeated: bool,
    },
    /// Gives back a part of a payment.
    Refund {
        /// The payment.
        payment: Payment,
        /// The refund's own key.
        reference: String,
        /// Minor units.
        amount_minor: i64,
    },
    /// About the line itself.
    Network(Network),
}

/// What messages of the network say (field 70).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Ready for questions.
    SignOn,
    /// No questions, please.
    SignOff,
    /// Whether anybody is there.
    Echo,
    /// From here on, payments belong to this settlement day.
    CutOver(Date),
}

impl Network {
    fn code(self) -> &'static str {
        match self {
            Network::SignOn => "001",
            Network::SignOff => "002",
            Network::CutOver(_) => "201",
            Network::Echo => "301",
        }
    }
}

/// Why bytes were not taken for a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// They are none.
    Malformed(Malformed),
    /// Its code is missing or is not the message's.
    Unproved,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unread::Malformed(why) => why.fmt(f),
            Unread::Unproved => f.write_str("its authentication code is wrong or missing"),
        }
    }
}

/// A bank's way to speak: a description that was proved.
#[derive(Clone, Debug)]
pub struct Dialect {
    spec: Spec,
    pack: FieldPack,
    offset: UtcOffset,
}

fn malformed(place: impl fmt::Display, why: &'static str) -> Malformed {
    Malformed { place: place.to_string(), why }
}

impl Dialect {
    pub(super) fn new(spec: Spec, pack: FieldPack, offset: UtcOffset) -> Dialect {
        Dialect { spec, pack, offset }
    }

    /// What it was made from.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// How fields are written.
    pub fn pack(&self) -> &FieldPack {
        &self.pack
    }

    /// Where the bank's clocks stand.
    pub fn offset(&self) -> UtcOffset {
        self.offset
    }

    /// The message of a question. `stan` counts questions; those that may be repeated have a trace number of their own.
    pub fn write(&self, question: &Question, stan: u32, now: Timestamp) -> Result<Message, Malformed> {
        let spec = &self.spec;
        if let Question::Network(network) = question {
            let message = Message::new("0800")
                .with(7, self.stamp(now))
                .with(11, format!("{stan:06}"))
                .with(32, &*spec.acquirer)
                .with(70, network.code());
            return Ok(match network {
                Network::CutOver(day) => message.with(15, month_day(*day)),
                _ => message,
            });
        }
        let (mti, code) = if let Question::Reverse { repeated, .. } = question {
            (if *repeated { "0421" } else { "0420" }, spec.pay.code.as_str())
        } else {
            let call = self.call(question).ok_or_else(|| malformed(3, "the pack has no such question"))?;
            (call.mti.as_str(), call.code.as_str())
        };
        let payment = question.payment();
        let at = payment.map_or(now, |payment| payment.at);
        let sent = if matches!(question, Question::Pay(_)) { at } else { now };
        let stan = match derived_stan(question) {
            Some(own) => own,
            // Not the payment's, which has the same retrieval reference.
            None if payment.is_some_and(|p| stan_of("pay", &p.id) == stan) => stan % 999_999 + 1,
            None => stan,
        };
        let local = self.local(at);
        let mut message = Message::new(mti)
            .with(3, code)
            .with(7, self.stamp(sent))
            .with(11, format!("{stan:06}"))
            .with(12, &local[4..])
            .with(13, &local[..4])
            .with(32, &*spec.acquirer)
            .with(37, self.retrieval(question, stan, now))
            .with(41, &*spec.terminal)
            .with(42, &*spec.merchant)
            .with(49, &*spec.currency);
        if let Some(minor) = question.amount() {
            let minor = u64::try_from(minor).ok().filter(|minor| *minor < 1_000_000_000_000);
            let minor = minor.ok_or_else(|| malformed(4, "an amount of twelve digits"))?;
            message = message.with(4, format!("{minor:012}"));
        }
        if let Question::Reverse { payment, .. } = question {
            let original = format!(
                "{}{:06}{}{:0>11}{:011}",
                spec.pay.mti,
                stan_of("pay", &payment.id),
                self.stamp(payment.at),
                spec.acquirer,
                0
            );
            message = message.with(90, original);
        }
        for (number, layout) in &spec.content {
            let (number, form) = self.place(number)?;
            let text = layout::write(layout, form, |part| question.part(part));
            let text = text.map_err(|why| malformed(number, why))?;
            if !text.is_empty() {
                message = message.with(number, text);
            }
        }
        Ok(message)
    }

    /// The question of a message.
    pub fn read(&self, message: &Message, now: Timestamp) -> Result<Question, Malformed> {
        let field = |number: u8| message.get(number).ok_or_else(|| malformed(number, "is missing"));
        if message.mti == "0800" {
            return Ok(Question::Network(match field(70)? {
                "001" => Network::SignOn,
                "002" => Network::SignOff,
                "201" => Network::CutOver(self.day(field(15)?, now).ok_or_else(|| malformed(15, "no day"))?),
                "301" => Network::Echo,
                _ => return Err(malformed(70, "unknown")),
            }));
        }
        let mut parts = BTreeMap::new();
        for (number, layout) in &self.spec.content {
            let (number, form) = self.place(number)?;
            if let Some(text) = message.get(number) {
                parts.extend(layout::read(layout, form, text).map_err(|why| malformed(number, why))?);
            }
        }
        let mut part = |part: Part| parts.remove(&part).unwrap_or_default();
        let (institution, account_no) = (part(Part::Institution), part(Part::AccountNo));
        let code = field(3)?;
        let reversal = matches!(&*message.mti, "0420" | "0421");
        let asks = |call: &Call| call.code == code && call.mti[..3] == message.mti[..3];
        if !reversal && self.spec.query.as_ref().is_some_and(asks) {
            return Ok(Question::Query { institution, account_no });
        }
        let amount_minor = field(4)?.parse().map_err(|_| malformed(4, "no amount"))?;
        let (day, time) = (field(13)?, field(12)?);
        let reference = part(Part::Reference);
        let payment = Payment {
            id: part(Part::Payment),
            institution,
            account_no,
            bill_no: part(Part::BillNo),
            period: match &*part(Part::Period) {
                "" => 0,
                text => month(text).ok_or_else(|| malformed("content", "no month"))?,
            },
            amount_minor,
            at: self.instant(&format!("{day}{time}"), now).ok_or_else(|| malformed(13, "no time"))?,
        };
        if reversal && code == self.spec.pay.code {
            field(90)?;
            return Ok(Question::Reverse { payment, repeated: message.mti == "0421" });
        }
        if asks(&self.spec.pay) {
            Ok(Question::Pay(payment))
        } else if asks(&self.spec.inquire) {
            Ok(Question::Inquire(payment))
        } else if self.spec.refund.as_ref().is_some_and(asks) {
            Ok(Question::Refund { payment, reference, amount_minor })
        } else {
            Err(malformed(3, "the pack has no such question"))
        }
    }

    /// The answer to a message: what identifies it, a code, and what is owed.
    pub fn answer(
        &self,
        asked: &Message,
        code: &str,
        debts: &[Debt],
        now: Timestamp,
    ) -> Result<Message, Malformed> {
        let mti = asked.response_type().ok_or_else(|| malformed("mti", "is no request"))?;
        let mut answer = asked.clone();
        answer.mti = mti;
        for number in [64, 90, 128] {
            answer.fields.remove(&number);
        }
        answer = answer.with(7, self.stamp(now)).with(39, code);
        if let (Some(spec), false) = (&self.spec.debts, debts.is_empty()) {
            let number = spec.field;
            let text = self.write_debts(spec, debts).map_err(|why| malformed(number, why))?;
            answer = answer.with(number, text);
        }
        Ok(answer)
    }

    /// What an answer means. What the pack does not know, or is about something else, is silence.
    pub fn meaning(&self, question: &Question, asked: &Message, answer: &Message) -> Reply<Vec<Debt>> {
        let differs =
            |number: &u8| answer.get(*number).is_some_and(|value| asked.get(*number) != Some(value));
        if let Some(number) = [3, 4, 49, 70].iter().find(|number| differs(number)) {
            return Reply::Silent(format!("an answer to something else, by field {number}"));
        }
        let Some(code) = answer.get(39) else {
            return Reply::Silent("an answer without a response code".to_owned());
        };
        let own = match question {
            Question::Reverse { .. } => &self.spec.reverse.codes,
            other => self.call(other).map_or(&self.spec.codes, |call| &call.codes),
        };
        match self.spec.meaning(own, code) {
            None => Reply::Silent("a response code that the pack does not know".to_owned()),
            Some(Meaning::Ok) => match (question, &self.spec.debts) {
                (Question::Query { .. }, Some(spec)) => match self.read_debts(spec, answer) {
                    Ok(debts) => Reply::Said(debts),
                    Err(why) => Reply::Silent(format!("a debt that cannot be read: {why}")),
                },
                _ => Reply::Said(Vec::new()),
            },
            Some(meaning) => Reply::Meant(meaning),
        }
    }

    /// The response code that says a meaning in answer to a question, if there is one.
    pub fn code_for(&self, question: &Question, meaning: Meaning) -> Option<String> {
        let own = match question {
            Question::Reverse { .. } => Some(&self.spec.reverse.codes),
            other => self.call(other).map(|call| &call.codes),
        };
        let none = BTreeMap::new();
        let own = own.unwrap_or(&none);
        let defaults = super::spec::DEFAULT_CODES.iter().map(|(code, _)| *code);
        let mut all = own.keys().chain(self.spec.codes.keys()).map(String::as_str).chain(defaults);
        all.find(|code| self.spec.meaning(own, code) == Some(meaning)).map(str::to_owned)
    }

    /// What a response code means to a question.
    pub fn means(&self, question: &Question, code: &str) -> Option<Meaning> {
        let own = match question {
            Question::Reverse { .. } => Some(&self.spec.reverse.codes),
            other => self.call(other).map(|call| &call.codes),
        };
        self.spec.meaning(own.unwrap_or(&BTreeMap::new()), code)
    }

    /// When a message says it was sent.
    pub fn sent_at(&self, message: &Message, now: Timestamp) -> Option<Timestamp> {
        let text = message.get(7)?;
        match self.spec.transmission {
            Zone::Local => self.instant(text, now),
            Zone::Utc => instant(text, now, UtcOffset::from_seconds(0)?),
        }
    }

    /// The bytes of a message, proved by its code where the pack has one.
    pub fn seal(&self, mut message: Message, key: Option<&MacKey>) -> Result<Vec<u8>, Malformed> {
        let Some(mac) = self.mac(&message) else { return self.pack.encode(&message) };
        let key = key.ok_or_else(|| malformed(mac.field, "there is no key"))?;
        message.fields.insert(mac_field(mac, &message), "0".repeat(16));
        let mut bytes = self.pack.encode(&message)?;
        let end = bytes.len() - 8;
        let code = key.code(&bytes[..end]);
        bytes[end..].copy_from_slice(&code);
        Ok(bytes)
    }

    /// The message of bytes, after its code was checked and taken off.
    pub fn open(&self, bytes: &[u8], key: Option<&MacKey>) -> Result<Message, Unread> {
        let mut message = self.pack.decode(bytes).map_err(Unread::Malformed)?;
        let Some(mac) = self.mac(&message) else { return Ok(message) };
        let number = mac_field(mac, &message);
        // The last field, so that it covers all the others.
        let last = message.fields.keys().next_back() == Some(&number);
        let (content, code) = bytes.split_at(bytes.len().saturating_sub(8));
        if !last || !key.is_some_and(|key| key.verify(content, code)) {
            return Err(Unread::Unproved);
        }
        message.fields.remove(&number);
        Ok(message)
    }

    fn mac(&self, message: &Message) -> Option<&Mac> {
        self.spec.mac.as_ref().filter(|mac| mac.network || !message.mti.starts_with("08"))
    }

    /// A question's call. A reversal and the network have none.
    fn call(&self, question: &Question) -> Option<&Call> {
        match question {
            Question::Query { .. } => self.spec.query.as_ref(),
            Question::Pay(_) => Some(&self.spec.pay),
            Question::Inquire(_) => Some(&self.spec.inquire),
            Question::Refund { .. } => self.spec.refund.as_ref(),
            Question::Reverse { .. } | Question::Network(_) => None,
        }
    }

    /// The number of a content's field, and how it is written.
    fn place(&self, number: &str) -> Result<(u8, Form), Malformed> {
        let number = number.parse().map_err(|_| malformed("content", "no field's number"))?;
        let field = self.pack.field(number).ok_or_else(|| malformed(number, "the pack has no such field"))?;
        Ok((number, field.form()))
    }

    fn form(&self, number: u8) -> Form {
        self.pack.field(number).map_or(Form::Ascii, crate::iso8583::Field::form)
    }

    fn write_debts(&self, spec: &Debts, debts: &[Debt]) -> Result<String, &'static str> {
        let mut records = Vec::new();
        for debt in debts {
            let value = |part: DebtPart| match part {
                DebtPart::BillNo => debt.bill_no.clone(),
                DebtPart::Amount if spec.unit == Unit::Yuan => yuan(debt.amount_minor),
                DebtPart::Amount => debt.amount_minor.to_string(),
                DebtPart::Due => debt.due.map(|due| write_day(due, spec.date)).unwrap_or_default(),
                DebtPart::Period if debt.period == 0 => String::new(),
                DebtPart::Period => debt.period.to_string(),
                DebtPart::Holder => debt.holder.clone(),
                DebtPart::Blank => String::new(),
            };
            records.push(match &spec.each {
                Layout::Tlv { .. } => {
                    layout::write(&first_tag(&spec.each, DebtPart::BillNo), self.form(spec.field), value)
                        .and_then(|head| {
                            let rest = layout::write(&spec.each, self.form(spec.field), |part| {
                                if part == DebtPart::BillNo { String::new() } else { value(part) }
                            })?;
                            Ok(head + &rest)
                        })?
                }
                other => layout::write(other, self.form(spec.field), value)?,
            });
        }
        match spec.between {
            Some(between) if records.iter().any(|record| record.contains(between)) => {
                Err("a part has the sign between debts in it")
            }
            Some(between) => Ok(records.join(&between.to_string())),
            None => Ok(records.concat()),
        }
    }

    fn read_debts(&self, spec: &Debts, answer: &Message) -> Result<Vec<Debt>, &'static str> {
        let Some(text) = answer.get(spec.field).filter(|text| !text.is_empty()) else {
            return Ok(Vec::new());
        };
        let form = self.form(spec.field);
        let mut records: Vec<Vec<(DebtPart, String)>> = Vec::new();
        match spec.between {
            Some(between) => {
                for record in text.split(between) {
                    records.push(layout::read(&spec.each, form, record)?);
                }
            }
            None => {
                for (part, value) in layout::read(&spec.each, form, text)? {
                    if part == DebtPart::BillNo {
                        records.push(Vec::new());
                    }
                    records.last_mut().ok_or("something before a bill's number")?.push((part, value));
                }
            }
        }
        records.into_iter().map(|parts| read_debt(spec, parts)).collect()
    }

    /// Field 37: derived for what may be repeated; for a query the usual day, hour and trace number.
    fn retrieval(&self, question: &Question, stan: u32, now: Timestamp) -> String {
        let key = match question {
            Question::Refund { reference, .. } => Some(reference),
            other => other.payment().map(|payment| &payment.id),
        };
        if let Some(key) = key {
            return retrieval_of(key);
        }
        let day = now.date(self.offset);
        format!("{}{:03}{}{stan:06}", day.year() % 10, day.day_of_year(), &self.local(now)[4..6])
    }

    /// Field 7 of a time.
    fn stamp(&self, at: Timestamp) -> String {
        match self.spec.transmission {
            Zone::Local => self.local(at),
            Zone::Utc => civil(at, UtcOffset::from_seconds(0).unwrap_or(self.offset)),
        }
    }

    /// `MMDDhhmmss` by the bank's clock.
    fn local(&self, at: Timestamp) -> String {
        civil(at, self.offset)
    }

    /// The time nearest to `now` of `MMDDhhmmss` by the bank's clock.
    fn instant(&self, text: &str, now: Timestamp) -> Option<Timestamp> {
        instant(text, now, self.offset)
    }

    /// The day nearest to `now` of `MMDD`.
    fn day(&self, text: &str, now: Timestamp) -> Option<Date> {
        Some(self.instant(&format!("{text}000000"), now)?.date(self.offset))
    }
}

impl Question {
    /// The payment it is about.
    pub fn payment(&self) -> Option<&Payment> {
        match self {
            Question::Pay(payment)
            | Question::Inquire(payment)
            | Question::Reverse { payment, .. }
            | Question::Refund { payment, .. } => Some(payment),
            Question::Query { .. } | Question::Network(_) => None,
        }
    }

    /// The account it is about.
    pub fn account_no(&self) -> Option<&str> {
        match self {
            Question::Query { account_no, .. } => Some(account_no),
            other => other.payment().map(|payment| payment.account_no.as_str()),
        }
    }

    fn amount(&self) -> Option<i64> {
        match self {
            Question::Refund { amount_minor, .. } => Some(*amount_minor),
            other => other.payment().map(|payment| payment.amount_minor),
        }
    }

    fn part(&self, part: Part) -> String {
        if let Question::Query { institution, account_no } = self {
            return match part {
                Part::Institution => institution.clone(),
                Part::AccountNo => account_no.clone(),
                _ => String::new(),
            };
        }
        let Some(payment) = self.payment() else { return String::new() };
        match part {
            Part::Institution => payment.institution.clone(),
            Part::AccountNo => payment.account_no.clone(),
            Part::BillNo => payment.bill_no.clone(),
            Part::Period if payment.period == 0 => String::new(),
            Part::Period => payment.period.to_string(),
            Part::Payment => payment.id.clone(),
            Part::Reference => match self {
                Question::Refund { reference, .. } => reference.clone(),
                _ => String::new(),
            },
            Part::Blank => String::new(),
        }
    }
}

/// Field 37 of a key: 12 of 0-9 and A-Z.
pub fn retrieval_of(key: &str) -> String {
    let mut rest = derive_u128("iso8583 37", &[key.as_bytes()]);
    let digit = |_| {
        let value = u32::try_from(rest % 36).unwrap_or(0);
        rest /= 36;
        char::from_digit(value, 36).unwrap_or('0').to_ascii_uppercase()
    };
    (0..12).map(digit).collect()
}

/// Field 11 of what may be repeated, and must be the same message then.
fn derived_stan(question: &Question) -> Option<u32> {
    match question {
        Question::Pay(payment) => Some(stan_of("pay", &payment.id)),
        Question::Reverse { payment, .. } => Some(stan_of("reverse", &payment.id)),
        Question::Refund { reference, .. } => Some(stan_of("refund", reference)),
        _ => None,
    }
}

fn stan_of(kind: &str, key: &str) -> u32 {
    let bits = derive_u128("iso8583 11", &[kind.as_bytes(), key.as_bytes()]);
    u32::try_from(bits % 999_999).unwrap_or(0) + 1
}

fn mac_field(mac: &Mac, message: &Message) -> u8 {
    let above = message.fields.keys().any(|number| (65..128).contains(number));
    if mac.field == 64 && !above { 64 } else { 128 }
}

/// A layout of one part of another, with its tag.
fn first_tag(layout: &Layout<DebtPart>, part: DebtPart) -> Layout<DebtPart> {
    match layout {
        Layout::Tlv { tag, length, tags } => Layout::Tlv {
            tag: *tag,
            length: *length,
            tags: tags.iter().filter(|(_, p)| **p == part).map(|(t, p)| (t.clone(), *p)).collect(),
        },
        other => other.clone(),
    }
}

fn read_debt(spec: &Debts, parts: Vec<(DebtPart, String)>) -> Result<Debt, &'static str> {
    let mut debt =
        Debt { bill_no: String::new(), amount_minor: 0, due: None, period: 0, holder: String::new() };
    for (part, value) in parts {
        match part {
            DebtPart::BillNo => debt.bill_no = value,
            DebtPart::Amount => debt.amount_minor = amount(&value, spec.unit).ok_or("its amount")?,
            DebtPart::Due => debt.due = Some(day(&value, spec.date).ok_or("its due day")?),
            DebtPart::Period => debt.period = month(&value).ok_or("its month")?,
            DebtPart::Holder => debt.holder = value,
            DebtPart::Blank => {}
        }
    }
    if !(1..=32).contains(&debt.bill_no.len()) || !debt.bill_no.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("its number");
    }
    if debt.amount_minor <= 0 {
        return Err("its amount");
    }
    Ok(debt)
}

fn month(text: &str) -> Option<u32> {
    let month: u32 =
        text.parse().ok().filter(|_| text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit()))?;
    (1..=12).contains(&(month % 100)).then_some(month)
}

fn month_day(day: Date) -> String {
    format!("{:02}{:02}", day.month(), day.day())
}

fn write_day(day: Date, form: Day) -> String {
    match form {
        Day::Compact => day.to_string().replace('-', ""),
        Day::Extended => day.to_string(),
    }
}

/// `MMDDhhmmss`.
fn civil(at: Timestamp, offset: UtcOffset) -> String {
    let second = (at.as_secs() + i64::from(offset.seconds())).rem_euclid(86_400);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{}{hour:02}{minute:02}{second:02}", month_day(at.date(offset)))
}

/// The time nearest to `now` of `MMDDhhmmss`: no year is written.
fn instant(text: &str, now: Timestamp, offset: UtcOffset) -> Option<Timestamp> {
    if text.len() != 10 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let two = |at: usize| text[at..at + 2].parse::<i8>().ok();
    let (month, day, hour, minute, second) = (two(0)?, two(2)?, two(4)?, two(6)?, two(8)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    let year = now.date(offset).year();
    let at = |year: i16| {
        let start = Timestamp::start_of(Date::new(year, month, day).ok()?, offset);
        Some(Timestamp::from_secs(start.as_secs() + seconds))
    };
    [year - 1, year, year + 1].into_iter().filter_map(at).min_by_key(|t| t.as_secs().abs_diff(now.as_secs()))
}
