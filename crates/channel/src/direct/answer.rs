//! From the bytes of an answer to what it means. Must never guess: what the pack does not know is silence, and the
//! outcome is asked for.

use kernel::Date;
use serde_json::Value;

use super::question::amount;
use super::spec::{Call, Day, Debts, Format, Spec};
use super::tree;
use crate::{Debt, Meaning, Reply};

/// What the answer to a call means; `Said` where it means yes.
pub fn read(spec: &Spec, call: &Call, status: u16, body: &[u8]) -> Reply<Value> {
    let document = match spec.format {
        Format::Json => tree::json(body),
        Format::Xml => tree::xml(body),
    };
    let Some(place) = call.code.as_ref().or(spec.code.as_ref()) else {
        return match (status, document) {
            (200..300, Ok(document)) => Reply::Said(document),
            (200..300, Err(why)) => Reply::Silent(format!("HTTP {status}, {why}")),
            (429, _) => Reply::Meant(Meaning::Busy),
            _ => Reply::Silent(format!("HTTP {status}")),
        };
    };
    let document = match document {
        Ok(document) => document,
        Err(_) if status == 429 => return Reply::Meant(Meaning::Busy),
        Err(why) => return Reply::Silent(format!("HTTP {status}, {why}")),
    };
    let Some(code) = tree::text(&document, place) else {
        return Reply::Silent(format!("HTTP {status} without {place}"));
    };
    match call.codes.get(&code).or_else(|| spec.codes.get(&code)) {
        Some(Meaning::Ok) => Reply::Said(document),
        Some(meaning) => Reply::Meant(*meaning),
        // The code is the institution's, and may have anything in it.
        None => Reply::Silent("a result code that the pack does not know".to_owned()),
    }
}

/// What is owed, by an answer that says yes.
pub fn debts(spec: &Debts, document: &Value) -> Reply<Vec<Debt>> {
    let each = tree::items(document, &spec.at);
    let read: Option<Vec<Debt>> = each.into_iter().map(|one| debt(spec, one)).collect();
    match read {
        Some(found) => Reply::Said(found),
        None => Reply::Silent("a debt that cannot be read".to_owned()),
    }
}

fn debt(spec: &Debts, one: &Value) -> Option<Debt> {
    let bill_no = tree::text(one, &spec.bill_no)?;
    if !(1..=32).contains(&bill_no.len()) || !bill_no.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    let amount_minor = amount(&tree::text(one, &spec.amount)?, spec.unit).filter(|minor| *minor > 0)?;
    let text = |place: &Option<String>| tree::text(one, place.as_ref()?).filter(|text| !text.is_empty());
    let due = match text(&spec.due) {
        None => None,
        Some(text) => Some(day(&text, spec.date)?),
    };
    let period = text(&spec.period).map_or(Some(0), |text| month(&text))?;
    let holder = text(&spec.holder).unwrap_or_default();
    Some(Debt { bill_no, amount_minor, due, period, holder })
}

/// The day of a text.
pub fn day(text: &str, form: Day) -> Option<Date> {
    let digits = match form {
        Day::Compact => text.to_owned(),
        Day::Extended => {
            let dashes = text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
            dashes.then(|| text.replace('-', ""))?
        }
    };
    if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Date::new(digits[..4].parse().ok()?, digits[4..6].parse().ok()?, digits[6..].parse().ok()?).ok()
}

/// The month of a text's first six digits, `202603` or `2026-03`.
fn month(text: &str) -> Option<u32> {
    let digits: String = text.chars().filter(char::is_ascii_digit).take(6).collect();
    let month: u32 = digits.parse().ok().filter(|_| digits.len() == 6)?;
    (1..=12).contains(&(month % 100)).then_some(month)
}
