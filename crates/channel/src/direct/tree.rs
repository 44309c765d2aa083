//! What an institution answered, as one tree, be it JSON or XML; and paths into it.
//!
//! An XML element is an object of its children by local name (namespaces say who defined a name, not what it means
//! here), an element that repeats is a list, one without children its text, and `@name` an attribute.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use serde_json::{Map, Value};

/// Deeper than this, an answer is an attack.
const DEPTH_MAX: usize = 32;

/// What of a tree is wanted: names and positions, `data.items.0.no`; on a list, a name stands for that of each item.
pub fn at<'a>(tree: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = vec![tree];
    for name in path.split('.').filter(|name| !name.is_empty()) {
        found = found.into_iter().flat_map(|value| step(value, name)).collect();
    }
    found
}

fn step<'a>(value: &'a Value, name: &str) -> Vec<&'a Value> {
    match value {
        Value::Array(items) => match name.parse::<usize>() {
            Ok(at) => items.get(at).into_iter().collect(),
            Err(_) => items.iter().flat_map(|item| step(item, name)).collect(),
        },
        Value::Object(members) => members.get(name).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The items of a list; what stands alone where a list may stand is a list of one (XML cannot tell them apart), and
/// nothing is an empty one.
pub fn items<'a>(tree: &'a Value, path: &str) -> Vec<&'a Value> {
    let each = |value: &'a Value| match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        Value::String(text) if text.trim().is_empty() => Vec::new(),
        other => vec![other],
    };
    at(tree, path).into_iter().flat_map(each).collect()
}

/// The first value at a path, as text: strings, numbers and truth values.
pub fn text(tree: &Value, path: &str) -> Option<String> {
    match at(tree, path).first()? {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Reads JSON.
pub fn json(bytes: &[u8]) -> Result<Value, &'static str> {
    serde_json::from_slice(bytes).map_err(|_| "no JSON")
}

/// Reads XML: the root element's content under the root's name. Entities other than the five of XML are refused, and
/// nothing is ever fetched.
pub fn xml(bytes: &[u8]) -> Result<Value, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "XML that is not UTF-8")?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<(String, Map<String, Value>, String)> =
        vec![(String::new(), Map::new(), String::new())];
    loop {
        match reader.read_event().map_err(|_| "no XML")? {
            Event::Start(tag) => {
                if open.len() > DEPTH_MAX {
                    return Err("XML nested too deeply");
                }
                open.push((local(&tag), attributes(&tag)?, String::new()));
            }
            Event::Empty(tag) => {
                let members = attributes(&tag)?;
                close(&mut open, local(&tag), members, String::new())?;
            }
            Event::End(_) => {
                let (name, members, text) = open.pop().ok_or("no XML")?;
                close(&mut open, name, members, text)?;
            }
            Event::Text(text) => {
                open.last_mut().ok_or("no XML")?.2.push_str(&text.xml10_content());
            }
            Event::CData(data) => {
                open.last_mut().ok_or("no XML")?.2.push_str(&data.xml10_content());
            }
            Event::GeneralRef(entity) => {
                let character = entity.resolve_char_ref().map_err(|_| "no XML")?;
                let known = quick_xml::escape::resolve_xml_entity(&entity);
                let resolved = character.map(String::from).or_else(|| known.map(str::to_owned));
                open.last_mut()
                    .ok_or("no XML")?
                    .2
                    .push_str(&resolved.ok_or("an entity that XML does not know")?);
            }
            Event::DocType(_) => return Err("XML with a document type"),
            Event::Eof => break,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some((_, members, _)), true) if !members.is_empty() => Ok(Value::Object(members)),
        _ => Err("XML that ends in the middle"),
    }
}

/// Puts a closed element into its parent.
fn close(
    open: &mut [(String, Map<String, Value>, String)],
    name: String,
    members: Map<String, Value>,
    text: String,
) -> Result<(), &'static str> {
    let value = if members.is_empty() {
        Value::from(text.trim())
    } else {
        let mut members = members;
        if !text.trim().is_empty() {
            members.insert("#text".to_owned(), Value::from(text.trim()));
        }
        Value::Object(members)
    };
    let (_, siblings, _) = open.last_mut().ok_or("no XML")?;
    match siblings.get_mut(&name) {
        None => {
            siblings.insert(name, value);
        }
        Some(Value::Array(list)) => list.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
    Ok(())
}

fn local(tag: &BytesStart<'_>) -> String {
    tag.local_name().as_ref().to_owned()
}

fn attributes(tag: &BytesStart<'_>) -> Result<Map<String, Value>, &'static str> {
    let mut found = Map::new();
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|_| "no XML")?;
        if attribute.key.as_namespace_binding().is_some() || attribute.key.prefix().is_some() {
            continue; // how names are bound, and what other schemas say of them
        }
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|_| "an entity that XML does not know")?;
        found.insert(format!("@{}", attribute.key.as_ref()), Value::from(value.as_ref()));
    }
    Ok(found)
}
