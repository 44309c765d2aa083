//! Texts with places in braces: `{account_no}`, `{amount.yuan}`. What fills a place is written as the text around it
//! needs it, so no value can end a string or open a tag.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text with places, read once and filled many times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Place(String),
}

/// What stands around a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// Inside a JSON string.
    Json,
    /// Inside an XML element or attribute.
    Xml,
    /// Inside a URL: everything but unreserved characters in per cent.
    Url,
    /// Nothing in particular: a text to be signed.
    Plain,
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// A brace is opened and not closed, or a place has no name.
    Brace,
    /// Two places stand side by side, and nobody could tell them apart again.
    Beside(String),
    /// Nobody fills a place of this name.
    Unknown(String),
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TemplateError::Brace => f.write_str("a place is {name}; a brace itself is {{ or }}"),
            TemplateError::Beside(name) => {
                write!(f, "{{{name}}} follows another place without anything between")
            }
            TemplateError::Unknown(name) => write!(f, "{{{name}}} is filled by nothing"),
        }
    }
}

impl Template {
    /// Reads a text. In it `{name}` is a place, where `name` is of a-z, 0-9, `_` and `.`; `{{` and `}}` are braces. In
    /// JSON a brace is most often just that: one that is not followed by a name and `}` is text.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            let name = |b: char| b.is_ascii_lowercase() || b.is_ascii_digit() || b == '_' || b == '.';
            let end = after.find(|b| !name(b)).unwrap_or(after.len());
            if brace == "{" && after[end..].starts_with('}') {
                if end == 0 {
                    return Err(TemplateError::Brace);
                }
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                if let Some(Part::Place(_)) = parts.last() {
                    return Err(TemplateError::Beside(after[..end].to_owned()));
                }
                parts.push(Part::Place(after[..end].to_owned()));
                rest = &after[end + 1..];
            } else {
                plain.push_str(brace);
                rest = after;
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Template { parts })
    }

    /// Proves that every place has a name that somebody fills.
    pub fn only(&self, known: impl Fn(&str) -> bool) -> Result<(), TemplateError> {
        match self.places().find(|name| !known(name)) {
            Some(name) => Err(TemplateError::Unknown(name.to_owned())),
            None => Ok(()),
        }
    }

    /// The names of its places, in order.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Place(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text with its places filled. A place that nothing fills stays empty: [`Template::only`] comes first.
    pub fn fill(&self, escape: Escape, value: impl Fn(&str) -> Option<String>) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Place(name) => escape.push(&mut out, &value(name).unwrap_or_default()),
            }
        }
        out
    }
    /// What stood in the places of a text that this template made; `None` if it did not make it. A place ends where the
    /// text after it first occurs, and a place that occurs twice holds the same.
    pub fn read(&self, text: &str, escape: Escape) -> Option<HashMap<String, String>> {
        let (mut found, mut rest, mut open) = (HashMap::new(), text, None::<&str>);
        let mut keep = |name: &str, raw: &str| {
            let value = escape.undo(raw)?;
            let before = found.insert(name.to_owned(), value.clone());
            before.is_none_or(|before: String| before == value).then_some(())
        };
        for part in &self.parts {
            match (part, open) {
                (Part::Text(text), None) => rest = rest.strip_prefix(text.as_str())?,
                (Part::Text(text), Some(name)) => {
                    let at = rest.find(text.as_str())?;
                    keep(name, &rest[..at])?;
                    (rest, open) = (&rest[at + text.len()..], None);
                }
                (Part::Place(name), None) => open = Some(name),
                (Part::Place(_), Some(_)) => return None, // nobody can say where one ends
            }
        }
        match open {
            Some(name) => keep(name, rest)?,
            None if !rest.is_empty() => return None,
            None => {}
        }
        Some(found)
    }
}

impl Escape {
    fn undo(self, raw: &str) -> Option<String> {
        match self {
            Escape::Plain => Some(raw.to_owned()),
            Escape::Json => serde_json::from_str(&format!("\"{raw}\"")).ok(),
            Escape::Xml => quick_xml::escape::unescape(raw).ok().map(Cow::into_owned),
            Escape::Url => percent_decode_str(raw).decode_utf8().ok().map(Cow::into_owned),
        }
    }

    fn push(self, out: &mut String, value: &str) {
        match self {
            Escape::Plain => out.push_str(value),
            Escape::Json => {
                let quoted = serde_json::Value::from(value).to_string();
                out.push_str(&quoted[1..quoted.len() - 1]);
            }
            Escape::Xml => out.push_str(&quick_xml::escape::escape(value)),
            Escape::Url => out.extend(utf8_percent_encode(value, RESERVED)),
        }
    }
}
