//! From payload to model. Strict and tolerant reading share every rule; they differ only in what a departure does.
//! Must never let a departure change the amount or whom the money goes to.

use super::checks::{Charset, Rulebook};
use super::tlv::{Object, inspect, walk};
use super::{
    AdditionalData, Amount, AmountError, ConsumerData, Content, Entry, Field, Initiation, LanguageTemplate,
    LengthUnit, MAX_CHARS, MerchantQr, MpmError, MpmErrorKind, Numbered, Percentage, Template, Tip,
};

/// What a tolerant reader got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tolerated {
    /// The payload's content as far as the model can say it; [`super::inspect`] shows the rest.
    pub qr: MerchantQr,
    /// Every departure from the specification, in the order found; empty exactly when [`decode`] accepts.
    pub departures: Vec<MpmError>,
}

/// Reads a payload that obeys the specification; refuses any other at its first departure.
pub fn decode(payload: &str) -> Result<MerchantQr, MpmError> {
    read(payload, &mut Rulebook::strict())
}

/// Reads whatever has sound TLV and a right CRC, as [`super::check_tlv_crc`] judges, and lists its departures.
///
/// What a departure does to the content: a repeated object counts once (the first); an amount of zero means that
/// the payer types it; a malformed amount stays unusable; a value where a template belongs is kept as text; where
/// 55–57 contradict each other, 55 decides.
pub fn decode_tolerant(payload: &str) -> Result<Tolerated, MpmError> {
    let mut rules = Rulebook::tolerant();
    let qr = read(payload, &mut rules)?;
    Ok(Tolerated { qr, departures: rules.departures })
}

fn read(payload: &str, rules: &mut Rulebook) -> Result<MerchantQr, MpmError> {
    let inspection = inspect(payload);
    if let Some(problem) = inspection.problem {
        return Err(problem);
    }
    if payload.chars().count() > MAX_CHARS {
        rules.depart("", MpmErrorKind::PayloadTooLong)?;
    }
    if inspection.unit == LengthUnit::Bytes {
        rules.depart("", MpmErrorKind::LengthsInBytes)?;
    }
    Reader { rules, unit: inspection.unit }.payload(&inspection.objects)
}

struct Reader<'r> {
    rules: &'r mut Rulebook,
    unit: LengthUnit,
}

/// Objects 55, 56 and 57 before they are weighed against each other.
#[derive(Default)]
struct TipParts<'a> {
    indicator: Option<&'a str>,
    fixed: Option<Amount>,
    percent: Option<Percentage>,
    percent_given: bool,
}

impl Reader<'_> {
    fn payload(&mut self, objects: &[Object<'_>]) -> Result<MerchantQr, MpmError> {
        if !objects.iter().any(|o| o.id == 0) {
            self.rules.depart("00", MpmErrorKind::Missing)?;
        } else if objects[0].id != 0 {
            self.rules.depart("00", MpmErrorKind::NotFirst)?;
        }
        let mut qr = MerchantQr::default();
        let mut tip = TipParts::default();
        let mut seen = 0u128;
        for &Object { id, value } in objects {
            let path = format!("{id:02}");
            if !self.rules.first_seen(&mut seen, &path, id)? {
                continue;
            }
            match id {
                0 => self.one_of(&path, value, &["01"])?,
                1 => {
                    self.one_of(&path, value, &["11", "12"])?;
                    qr.initiation = match value {
                        "11" => Some(Initiation::Static),
                        "12" => Some(Initiation::Dynamic),
                        _ => None,
                    };
                }
                2..=25 => {
                    self.rules.text(&path, value, Charset::Ans, 99)?;
                    qr.accounts.push(Numbered::text(id, value));
                }
                26..=51 => qr.accounts.push(self.numbered(id, &path, value)?),
                52 => {
                    self.rules.fixed(&path, value, Charset::N, 4)?;
                    value.clone_into(&mut qr.category_code);
                }
                53 => {
                    self.rules.fixed(&path, value, Charset::N, 3)?;
                    value.clone_into(&mut qr.currency);
                }
                54 => qr.amount = self.amount(&path, value)?,
                55 => {
                    self.one_of(&path, value, &["01", "02", "03"])?;
                    tip.indicator = Some(value);
                }
                56 => tip.fixed = self.amount(&path, value)?,
                57 => {
                    tip.percent_given = true;
                    match Percentage::parse(value) {
                        Ok(percent) => tip.percent = Some(percent),
                        Err(kind) => self.rules.depart(&path, kind)?,
                    }
                }
                58 => {
                    self.rules.fixed(&path, value, Charset::Ans, 2)?;
                    if !value.bytes().all(|b| b.is_ascii_uppercase()) {
                        self.rules.depart(&path, MpmErrorKind::NotAllowed)?;
                    }
                    value.clone_into(&mut qr.country);
                }
                59 => {
                    self.rules.text(&path, value, Charset::Ans, 25)?;
                    value.clone_into(&mut qr.merchant_name);
                }
                60 => {
                    self.rules.text(&path, value, Charset::Ans, 15)?;
                    value.clone_into(&mut qr.merchant_city);
                }
                61 => {
                    self.rules.text(&path, value, Charset::Ans, 10)?;
                    qr.postal_code = Some(value.to_owned());
                }
                62 => qr.additional = self.additional(value)?,
                64 => qr.language = self.language(value)?,
                65..=79 => {
                    self.rules.text(&path, value, Charset::S, 99)?;
                    qr.reserved.push(Field::new(id, value));
                }
                80..=99 => qr.unreserved.push(self.numbered(id, &path, value)?),
                // 63 is the CRC, already checked; two digits go no further than 99.
                _ => {}
            }
        }
        for mandatory in [52, 53, 58, 59, 60] {
            if seen & (1 << mandatory) == 0 {
                self.rules.depart(format!("{mandatory}"), MpmErrorKind::Missing)?;
            }
        }
        if qr.accounts.is_empty() {
            self.rules.depart("02-51", MpmErrorKind::Missing)?;
        }
        qr.tip = self.tip(tip)?;
        for list in [&mut qr.accounts, &mut qr.unreserved] {
            list.sort_by_key(|n| n.id);
        }
        qr.reserved.sort_by_key(|f| f.id);
        Ok(qr)
    }

    fn one_of(&mut self, path: &str, value: &str, allowed: &[&str]) -> Result<(), MpmError> {
        if allowed.contains(&value) { Ok(()) } else { self.rules.depart(path, MpmErrorKind::NotAllowed) }
    }

    fn amount(&mut self, path: &str, value: &str) -> Result<Option<Amount>, MpmError> {
        match Amount::parse(value) {
            Ok(amount) => Ok(Some(amount)),
            Err(error) => {
                self.rules.depart(path, MpmErrorKind::Amount(error))?;
                Ok((error != AmountError::Zero).then(|| Amount::unchecked(value)))
            }
        }
    }

    fn tip(&mut self, parts: TipParts<'_>) -> Result<Option<Tip>, MpmError> {
        let TipParts { indicator, fixed, percent, percent_given } = parts;
        let wants = match indicator {
            Some("02") => (true, false),
            Some("03") => (false, true),
            _ => (false, false),
        };
        if wants.0 && fixed.is_none() {
            self.rules.depart("56", MpmErrorKind::Missing)?;
        }
        if wants.1 && !percent_given {
            self.rules.depart("57", MpmErrorKind::Missing)?;
        }
        if (fixed.is_some() && !wants.0) || (percent_given && !wants.1) {
            self.rules.depart("55", MpmErrorKind::TipConflict)?;
        }
        Ok(match indicator {
            Some("01") => Some(Tip::Prompt),
            Some("02") => fixed.map(Tip::Fixed),
            Some("03") => percent.map(Tip::Percent),
            _ => None,
        })
    }

    /// The objects of a template, without repetitions and in ascending order; `None` when it is no template.
    fn objects<'a>(&mut self, path: &str, value: &'a str) -> Result<Option<Vec<Object<'a>>>, MpmError> {
        if value.is_empty() {
            self.rules.depart(path, MpmErrorKind::EmptyValue)?;
            return Ok(None);
        }
        let (objects, problem) = walk(value, self.unit, &format!("{path}."));
        if problem.is_some() {
            self.rules.depart(path, MpmErrorKind::NotATemplate)?;
            return Ok(None);
        }
        let mut seen = 0u128;
        let mut once = Vec::with_capacity(objects.len());
        for object in objects {
            if self.rules.first_seen(&mut seen, &format!("{path}.{:02}", object.id), object.id)? {
                once.push(object);
            }
        }
        once.sort_by_key(|o| o.id);
        Ok(Some(once))
    }

    fn numbered(&mut self, id: u8, path: &str, value: &str) -> Result<Numbered, MpmError> {
        let Some(objects) = self.objects(path, value)? else { return Ok(Numbered::text(id, value)) };
        let mut template = Template { guid: String::new(), fields: Vec::new() };
        for Object { id, value } in objects {
            let path = format!("{path}.{id:02}");
            if id == 0 {
                self.rules.text(&path, value, Charset::Ans, 32)?;
                value.clone_into(&mut template.guid);
            } else {
                self.rules.text(&path, value, Charset::S, 99)?;
                template.fields.push(Field::new(id, value));
            }
        }
        if template.guid.is_empty() {
            self.rules.depart(format!("{path}.00"), MpmErrorKind::Missing)?;
        }
        Ok(Numbered { id, content: Content::Template(template) })
    }

    fn additional(&mut self, value: &str) -> Result<Option<AdditionalData>, MpmError> {
        let Some(objects) = self.objects("62", value)? else { return Ok(None) };
        let mut data = AdditionalData::default();
        for Object { id, value } in objects {
            let path = format!("62.{id:02}");
            let entry = match id {
                1 => &mut data.bill_number,
                2 => &mut data.mobile_number,
                3 => &mut data.store_label,
                4 => &mut data.loyalty_number,
                5 => &mut data.reference_label,
                6 => &mut data.customer_label,
                7 => &mut data.terminal_label,
                8 => &mut data.purpose,
                9 => {
                    data.consumer_data = self.consumer_data(&path, value)?;
                    continue;
                }
                10 => {
                    self.rules.text(&path, value, Charset::Ans, 20)?;
                    data.merchant_tax_id = Some(value.to_owned());
                    continue;
                }
                11 => {
                    self.rules.fixed(&path, value, Charset::Ans, 3)?;
                    data.merchant_channel = Some(value.to_owned());
                    continue;
                }
                12..=49 => {
                    self.rules.text(&path, value, Charset::S, 99)?;
                    data.reserved.push(Field::new(id, value));
                    continue;
                }
                50..=99 => {
                    data.templates.push(self.numbered(id, &path, value)?);
                    continue;
                }
                // 00 has no meaning in template 62, though some schemes put a GUID there.
                _ => {
                    self.rules.depart(&path, MpmErrorKind::IdOutOfRange)?;
                    continue;
                }
            };
            self.rules.text(&path, value, Charset::Ans, 25)?;
            *entry = (!value.is_empty()).then(|| Entry::from(value));
        }
        Ok(Some(data))
    }

    fn consumer_data(&mut self, path: &str, value: &str) -> Result<Vec<ConsumerData>, MpmError> {
        self.rules.text(path, value, Charset::Ans, 3)?;
        let mut wanted = Vec::new();
        for letter in value.chars() {
            match ConsumerData::from_letter(letter) {
                Some(data) if !wanted.contains(&data) => wanted.push(data),
                _ => self.rules.depart(path, MpmErrorKind::NotAllowed)?,
            }
        }
        Ok(wanted)
    }

    fn language(&mut self, value: &str) -> Result<Option<LanguageTemplate>, MpmError> {
        let Some(objects) = self.objects("64", value)? else { return Ok(None) };
        let mut template = LanguageTemplate::default();
        for Object { id, value } in objects {
            let path = format!("64.{id:02}");
            match id {
                0 => {
                    self.rules.fixed(&path, value, Charset::Ans, 2)?;
                    if !value.bytes().all(|b| b.is_ascii_alphabetic()) {
                        self.rules.depart(&path, MpmErrorKind::NotAllowed)?;
                    }
                    value.clone_into(&mut template.language);
                }
                1 => {
                    self.rules.text(&path, value, Charset::S, 25)?;
                    value.clone_into(&mut template.merchant_name);
                }
                2 => {
                    self.rules.text(&path, value, Charset::S, 15)?;
                    template.merchant_city = Some(value.to_owned());
                }
                _ => {
                    self.rules.text(&path, value, Charset::S, 99)?;
                    template.reserved.push(Field::new(id, value));
                }
            }
        }
        for (path, part) in [("64.00", &template.language), ("64.01", &template.merchant_name)] {
            if part.is_empty() {
                self.rules.depart(path, MpmErrorKind::Missing)?;
            }
        }
        Ok((!template.merchant_name.is_empty()).then_some(template))
    }
}
