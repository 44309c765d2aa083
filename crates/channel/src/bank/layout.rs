//! Parts of private fields to text and back: pure. No value can be taken for a delimiter or a length.

use encoding_rs::GB18030;

use super::spec::Layout;
use crate::iso8583::Form;

/// The text of a field, or of one record in it; empty where every part is.
pub fn write<T: Copy + Ord>(
    layout: &Layout<T>,
    form: Form,
    value: impl Fn(T) -> String,
) -> Result<String, &'static str> {
    match layout {
        Layout::Whole { part } => Ok(value(*part)),
        Layout::Delimited { delimiter, parts } => {
            let values: Vec<String> = parts.iter().map(|part| value(*part)).collect();
            if values.iter().any(|v| v.contains(*delimiter)) {
                return Err("a part has the delimiter in it");
            }
            if values.iter().all(String::is_empty) {
                return Ok(String::new());
            }
            Ok(values.join(&delimiter.to_string()))
        }
        Layout::Tlv { length: width, tags, .. } => {
            let mut out = String::new();
            for (tag, part) in tags {
                let value = value(*part);
                if value.is_empty() {
                    continue;
                }
                let width = usize::from(*width);
                let length = format!("{:0width$}", bytes(form, &value)?.len());
                if length.len() > width {
                    return Err("a part is longer than its length can say");
                }
                for piece in [tag, &length, &value] {
                    out.push_str(piece);
                }
            }
            Ok(out)
        }
    }
}

/// The parts of a text, in its order; those that are empty are left out.
pub fn read<T: Copy + Ord>(
    layout: &Layout<T>,
    form: Form,
    text: &str,
) -> Result<Vec<(T, String)>, &'static str> {
    let mut found = Vec::new();
    match layout {
        Layout::Whole { part } => found.push((*part, text.to_owned())),
        Layout::Delimited { delimiter, parts } => {
            let values: Vec<&str> = text.split(*delimiter).collect();
            if values.len() != parts.len() {
                return Err("not as many parts as it should have");
            }
            found.extend(parts.iter().zip(values).map(|(part, value)| (*part, value.to_owned())));
        }
        Layout::Tlv { tag, length, tags } => {
            const SHORT: &str = "ends in the middle of a part";
            let (tag, length) = (usize::from(*tag), usize::from(*length));
            let content = bytes(form, text)?;
            let mut rest = &content[..];
            while !rest.is_empty() {
                let (head, after) = rest.split_at_checked(tag + length).ok_or(SHORT)?;
                let (name, digits) = head.split_at(tag);
                let digits =
                    std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
                let size = digits.and_then(|d| d.parse().ok()).ok_or("a part's length is no number")?;
                let (value, after) = after.split_at_checked(size).ok_or(SHORT)?;
                rest = after;
                let known = std::str::from_utf8(name).ok().and_then(|name| tags.get(name));
                if let Some(part) = known {
                    found.push((*part, string(form, value)?));
                }
            }
        }
    }
    found.retain(|(_, value)| !value.is_empty());
    Ok(found)
}

/// A text as the field's form has it, where a length counts bytes.
fn bytes(form: Form, text: &str) -> Result<Vec<u8>, &'static str> {
    if form != Form::Gb18030 {
        return Ok(text.as_bytes().to_vec());
    }
    match GB18030.encode(text) {
        (content, _, false) => Ok(content.into_owned()),
        _ => Err("characters that GB 18030 does not have"),
    }
}

fn string(form: Form, content: &[u8]) -> Result<String, &'static str> {
    if form != Form::Gb18030 {
        return std::str::from_utf8(content).map(str::to_owned).map_err(|_| "a part that is no text");
    }
    match GB18030.decode_without_bom_handling(content) {
        (text, false) => Ok(text.into_owned()),
        _ => Err("a part that is no GB 18030"),
    }
}
