//! From model to payload. The strict reader is the only rulebook: what was written is read back before it is handed
//! out, so the two cannot drift apart. Must never hand out a payload that [`decode`] would refuse.

use std::fmt::Write as _;

use super::tlv::crc16;
use super::{
    AdditionalData, Content, Field, Initiation, LanguageTemplate, MerchantQr, MpmError, MpmErrorKind,
    Numbered, Tip, decode,
};

impl MerchantQr {
    /// Writes the payload: objects in ascending order of id, CRC last.
    ///
    /// Refuses with the error [`decode`] would give for the field, with [`MpmErrorKind::TooLong`] for a value of more
    /// than 99 characters, and with [`MpmErrorKind::IdOutOfRange`] for an id outside its list's range.
    pub fn encode(&self) -> Result<String, MpmError> {
        let mut out = Writer::default();
        out.object(0, "01")?;
        if let Some(initiation) = self.initiation {
            out.object(1, if initiation == Initiation::Static { "11" } else { "12" })?;
        }
        out.list(&self.accounts, 2, 51)?;
        out.mandatory(52, &self.category_code)?;
        out.mandatory(53, &self.currency)?;
        if let Some(amount) = &self.amount {
            out.object(54, amount.as_str())?;
        }
        match &self.tip {
            None => {}
            Some(Tip::Prompt) => out.object(55, "01")?,
            Some(Tip::Fixed(fee)) => {
                out.object(55, "02")?;
                out.object(56, fee.as_str())?;
            }
            Some(Tip::Percent(percent)) => {
                out.object(55, "03")?;
                out.object(57, &percent.render())?;
            }
        }
        out.mandatory(58, &self.country)?;
        out.mandatory(59, &self.merchant_name)?;
        out.mandatory(60, &self.merchant_city)?;
        out.optional(61, self.postal_code.as_deref())?;
        if let Some(data) = &self.additional {
            out.object(62, &additional(data)?)?;
        }
        if let Some(template) = &self.language {
            out.object(64, &language(template)?)?;
        }
        out.fields(&self.reserved, 65, 79)?;
        out.list(&self.unreserved, 80, 99)?;
        let mut payload = out.text;
        payload.push_str("6304");
        let crc = crc16(payload.as_bytes());
        write!(payload, "{crc:04X}").expect("writing to a string");
        decode(&payload)?;
        Ok(payload)
    }
}

/// Writes objects under a path prefix, so that a refusal names the field.
#[derive(Default)]
struct Writer {
    prefix: String,
    text: String,
}

impl Writer {
    fn under(prefix: &str) -> Self {
        Self { prefix: format!("{prefix}."), text: String::new() }
    }

    fn path(&self, id: u8) -> String {
        format!("{}{id:02}", self.prefix)
    }

    fn object(&mut self, id: u8, value: &str) -> Result<(), MpmError> {
        let length = value.chars().count();
        if length > 99 {
            return Err(MpmError::new(self.path(id), MpmErrorKind::TooLong { max: 99 }));
        }
        write!(self.text, "{id:02}{length:02}{value}").expect("writing to a string");
        Ok(())
    }

    /// The empty string is absence, which the reader then names as missing.
    fn mandatory(&mut self, id: u8, value: &str) -> Result<(), MpmError> {
        if value.is_empty() { Ok(()) } else { self.object(id, value) }
    }

    fn optional(&mut self, id: u8, value: Option<&str>) -> Result<(), MpmError> {
        value.map_or(Ok(()), |value| self.object(id, value))
    }

    fn in_range(&self, id: u8, from: u8, to: u8) -> Result<(), MpmError> {
        if (from..=to).contains(&id) {
            return Ok(());
        }
        Err(MpmError::new(self.path(id), MpmErrorKind::IdOutOfRange))
    }

    fn fields(&mut self, fields: &[Field], from: u8, to: u8) -> Result<(), MpmError> {
        let mut sorted: Vec<&Field> = fields.iter().collect();
        sorted.sort_by_key(|f| f.id);
        for field in sorted {
            self.in_range(field.id, from, to)?;
            self.object(field.id, &field.value)?;
        }
        Ok(())
    }

    fn list(&mut self, list: &[Numbered], from: u8, to: u8) -> Result<(), MpmError> {
        let mut sorted: Vec<&Numbered> = list.iter().collect();
        sorted.sort_by_key(|n| n.id);
        for numbered in sorted {
            self.in_range(numbered.id, from, to)?;
            match &numbered.content {
                Content::Text(text) => self.object(numbered.id, text)?,
                Content::Template(template) => {
                    // Accounts 02–25 are plain text in the specification; a template there would read back as text.
                    if numbered.id <= 25 && self.prefix.is_empty() {
                        return Err(MpmError::new(self.path(numbered.id), MpmErrorKind::IdOutOfRange));
                    }
                    let mut inner = Self::under(&self.path(numbered.id));
                    inner.mandatory(0, &template.guid)?;
                    inner.fields(&template.fields, 1, 99)?;
                    self.object(numbered.id, &inner.text)?;
                }
            }
        }
        Ok(())
    }
}

fn additional(data: &AdditionalData) -> Result<String, MpmError> {
    let mut out = Writer::under("62");
    let entries = [
        &data.bill_number,
        &data.mobile_number,
        &data.store_label,
        &data.loyalty_number,
        &data.reference_label,
        &data.customer_label,
        &data.terminal_label,
        &data.purpose,
    ];
    for (id, entry) in (1u8..).zip(entries) {
        out.optional(id, entry.as_ref().map(super::Entry::as_str))?;
    }
    if !data.consumer_data.is_empty() {
        let letters: String = data.consumer_data.iter().map(|d| d.letter()).collect();
        out.object(9, &letters)?;
    }
    out.optional(10, data.merchant_tax_id.as_deref())?;
    out.optional(11, data.merchant_channel.as_deref())?;
    out.fields(&data.reserved, 12, 49)?;
    out.list(&data.templates, 50, 99)?;
    Ok(out.text)
}

fn language(template: &LanguageTemplate) -> Result<String, MpmError> {
    let mut out = Writer::under("64");
    out.mandatory(0, &template.language)?;
    out.mandatory(1, &template.merchant_name)?;
    out.optional(2, template.merchant_city.as_deref())?;
    out.fields(&template.reserved, 3, 99)?;
    Ok(out.text)
}
