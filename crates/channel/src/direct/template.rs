//! Texts with places in braces: `{account_no}`, `{amount.yuan}`. What fills a place is written as the text around it
//! needs it, so no value can end a string or open a tag.

use std::fmt;

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
    /// Nobody fills a place of this name.
    Unknown(String),
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TemplateError::Brace => f.write_str("a place is {name}; a brace itself is {{ or }}"),
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
}

impl Escape {
    fn push(self, out: &mut String, value: &str) {
        match self {
            Escape::Plain => out.push_str(value),
            Escape::Json => {
                let quoted = serde_json::Value::from(value).to_string();
                out.push_str(&quoted[1..quoted.len() - 1]);
            }
            Escape::Xml => out.push_str(&quick_xml::escape::escape(value)),
            Escape::Url => {
                for byte in value.bytes() {
                    match byte {
                        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                            out.push(byte.into())
                        }
                        _ => out.push_str(&format!("%{byte:02X}")),
                    }
                }
            }
        }
    }
}
