//! How one network writes its fields: read from a pack, proved before use.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Malformed;

/// How a network writes messages.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct FieldPack {
    /// How the message type's four digits are written.
    #[serde(default)]
    pub mti: Digits,
    /// How bitmaps are written.
    #[serde(default)]
    pub bitmap: Bitmap,
    /// By number, as text: keys of a TOML table are. 2 to 128.
    #[serde(rename = "field")]
    fields: BTreeMap<String, Field>,
    /// The same by number.
    #[serde(skip)]
    by_number: BTreeMap<u8, Field>,
}

/// How decimal digits are written.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Digits {
    /// One byte a digit.
    #[default]
    Ascii,
    /// Two digits a byte.
    Bcd,
}

/// How a bitmap is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Bitmap {
    /// 8 bytes.
    #[default]
    Binary,
    /// 16 hexadecimal digits.
    Hex,
}

/// A field.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// What it is, for people.
    pub name: String,
    /// Which characters it may have.
    pub class: Class,
    /// How long it is, or may be when `prefix` is given: characters (digits in BCD), bytes for `b` and in GB 18030.
    pub length: u16,
    /// Of variable length, with a length of so many digits before it: 1 to 4. Fixed when absent.
    pub prefix: Option<u8>,
    /// How those digits are written.
    #[serde(default)]
    pub prefix_form: Digits,
    /// How the value is written; as the class has it when absent.
    pub form: Option<Form>,
    /// On which side an odd number of digits in BCD gets a zero more.
    #[serde(default)]
    pub pad: Pad,
}

/// Characters that a field may have (ISO 8583:1987, 4.2).
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Digits.
    N,
    /// `C` or `D`, then digits.
    Xn,
    /// Letters and digits.
    An,
    /// Printable characters.
    Ans,
    /// Magnetic stripe: digits, `=` and `D`.
    Z,
    /// Bytes; as text, upper-case hexadecimal.
    B,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// One byte a character.
    Ascii,
    /// Two digits a byte.
    Bcd,
    /// Chinese text; its length counts bytes.
    Gb18030,
    /// As it is.
    Binary,
}

/// The side that is padded.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Pad {
    /// Before the first digit.
    #[default]
    Left,
    /// After the last.
    Right,
}

impl FieldPack {
    /// Proves the pack. What reads it must call this first: it knows no field before.
    pub fn prove(mut self) -> Result<FieldPack, Malformed> {
        for (key, field) in &self.fields {
            let number = key.parse::<u8>().ok().filter(|n| (2..=128).contains(n) && n.to_string() == *key);
            let number = number.ok_or_else(|| Malformed::at(key, "a field's number is 2 to 128"))?;
            if number == 65 {
                return Err(Malformed::at(key, "is a bitmap of the third kind, which nobody uses"));
            }
            field.prove().map_err(|why| Malformed::at(number, why))?;
            self.by_number.insert(number, field.clone());
        }
        Ok(self)
    }

    /// The same with other fields in place of its own: networks differ from the standard in a few. To be proved after.
    #[must_use]
    pub fn with_fields(mut self, fields: &BTreeMap<String, Field>) -> FieldPack {
        self.fields.extend(fields.iter().map(|(number, field)| (number.clone(), field.clone())));
        self
    }

    /// The field of a number.
    pub fn field(&self, number: u8) -> Option<&Field> {
        self.by_number.get(&number)
    }

    /// All of them, by number.
    pub fn fields(&self) -> impl Iterator<Item = (u8, &Field)> {
        self.by_number.iter().map(|(number, field)| (*number, field))
    }
}

impl Field {
    /// How its value is written.
    pub fn form(&self) -> Form {
        self.form.unwrap_or(if self.class == Class::B { Form::Binary } else { Form::Ascii })
    }

    fn prove(&self) -> Result<(), &'static str> {
        let longest = match self.prefix {
            None => 9_999,
            Some(digits @ 1..=4) => 10u16.pow(u32::from(digits)) - 1,
            Some(_) => return Err("a length has 1 to 4 digits"),
        };
        if !(1..=longest).contains(&self.length) {
            return Err("the length does not fit its prefix");
        }
        match (self.class, self.form()) {
            (Class::B, Form::Binary) | (Class::N | Class::Z, Form::Bcd) | (Class::Ans, Form::Gb18030) => {
                Ok(())
            }
            (Class::B, _) | (_, Form::Binary) => Err("binary is the form of class b, and its only one"),
            (_, Form::Bcd) => Err("only n and z are written in BCD"),
            (_, Form::Gb18030) => Err("only ans is written in GB 18030"),
            (_, Form::Ascii) => Ok(()),
        }
    }
}
