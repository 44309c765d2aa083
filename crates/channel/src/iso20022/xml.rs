//! The little of XML that messages need: a writer that cannot leave an element open, and a tree of what was read. One
//! namespace, that of the root; nothing is ever fetched.

use std::fmt::Write as _;

use quick_xml::NsReader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};

use super::Fault;

/// What every namespace of a message begins with.
pub const URN: &str = "urn:iso:std:iso:20022:tech:xsd:";

/// Deeper than this, a message is an attack.
const DEPTH_MAX: usize = 40;

/// An element that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Its local name.
    pub name: String,
    attributes: Vec<(String, String)>,
    /// Its text, trimmed.
    pub text: String,
    children: Vec<Element>,
}

impl Element {
    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Its children of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first element at a path, `GrpHdr/MsgId`.
    pub fn at(&self, path: &str) -> Option<&Element> {
        path.split('/').try_fold(self, |element, name| element.children.iter().find(|c| c.name == name))
    }

    /// The text at a path, unless it is empty.
    pub fn text_at(&self, path: &str) -> Option<&str> {
        self.at(path).map(|e| e.text.as_str()).filter(|text| !text.is_empty())
    }

    /// What must be there.
    pub fn need(&self, path: &'static str) -> Result<&Element, Fault> {
        self.at(path).ok_or(Fault::Missing(path))
    }

    /// The text that must be there.
    pub fn need_text(&self, path: &'static str) -> Result<&str, Fault> {
        self.text_at(path).ok_or(Fault::Missing(path))
    }
}

/// Reads a message: its name, `pain.002.001.10`, and what stands in its `Document`.
pub fn read(bytes: &[u8]) -> Result<(String, Element), Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::Syntax("not UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let wrong = || Fault::Syntax("no XML");
    let mut reader = NsReader::from_str(text);
    let mut namespace: Option<String> = None;
    let mut open = vec![Element::default()];
    loop {
        let (resolved, event) = reader.read_resolved_event().map_err(|_| wrong())?;
        if let Event::Start(_) | Event::Empty(_) = event {
            let ResolveResult::Bound(Namespace(here)) = resolved else {
                return Err(Fault::Namespace(String::new()));
            };
            let first = namespace.get_or_insert_with(|| here.to_owned());
            if first != here {
                // What banks add of their own (supplementary data) is of another; it is not ours to read.
                if open.len() <= 2 {
                    return Err(Fault::Namespace(here.to_owned()));
                }
            }
            if open.len() > DEPTH_MAX {
                return Err(Fault::Syntax("nested too deeply"));
            }
        }
        match event {
            Event::Start(tag) => open.push(begun(&tag)?),
            Event::Empty(tag) => {
                let element = begun(&tag)?;
                open.last_mut().ok_or_else(wrong)?.children.push(element);
            }
            Event::End(_) => {
                let mut element = open.pop().ok_or_else(wrong)?;
                element.text = element.text.trim().into();
                open.last_mut().ok_or_else(wrong)?.children.push(element);
            }
            Event::Text(text) => open.last_mut().ok_or_else(wrong)?.text.push_str(&text.xml10_content()),
            Event::CData(data) => open.last_mut().ok_or_else(wrong)?.text.push_str(&data.xml10_content()),
            Event::GeneralRef(entity) => {
                let character = entity.resolve_char_ref().map_err(|_| wrong())?;
                let known = quick_xml::escape::resolve_xml_entity(&entity);
                let resolved = character.map(String::from).or_else(|| known.map(str::to_owned));
                let resolved = resolved.ok_or(Fault::Syntax("an entity that XML does not know"))?;
                open.last_mut().ok_or_else(wrong)?.text.push_str(&resolved);
            }
            Event::DocType(_) => return Err(Fault::Syntax("a document type")),
            Event::Eof => break,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
    let (Some(mut top), true) = (open.pop(), open.is_empty()) else {
        return Err(Fault::Syntax("it ends in the middle"));
    };
    let namespace = namespace.ok_or_else(wrong)?;
    let message = namespace.strip_prefix(URN).ok_or_else(|| Fault::Namespace(namespace.clone()))?.to_owned();
    match (top.children.pop(), top.children.is_empty(), top.text.trim().is_empty()) {
        (Some(document), true, true) if document.name == "Document" => Ok((message, document)),
        _ => Err(Fault::Missing("Document")),
    }
}

fn begun(tag: &BytesStart<'_>) -> Result<Element, Fault> {
    let mut attributes = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|_| Fault::Syntax("no XML"))?;
        if attribute.key.as_namespace_binding().is_some() || attribute.key.prefix().is_some() {
            continue;
        }
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|_| Fault::Syntax("an entity that XML does not know"))?;
        attributes.push((attribute.key.as_ref().to_owned(), value.to_string()));
    }
    Ok(Element { name: tag.local_name().as_ref().to_owned(), attributes, ..Element::default() })
}

/// The version of a message whose name begins with `kind.`, where it is among those known.
pub fn version(message: &str, kind: &str, known: std::ops::RangeInclusive<u32>) -> Result<u32, Fault> {
    let rest = message.strip_prefix(kind).and_then(|rest| rest.strip_prefix(".001."));
    let number = rest.filter(|rest| rest.len() == 2).and_then(|rest| rest.parse().ok());
    number.filter(|n| known.contains(n)).ok_or_else(|| Fault::Namespace(format!("{URN}{message}")))
}

/// Writes a message, one element a line.
pub struct Writer {
    out: String,
    depth: usize,
}

impl Writer {
    /// A whole message of this name.
    pub fn document(message: &str, content: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer =
            Writer { out: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"), depth: 0 };
        let _ = writeln!(writer.out, "<Document xmlns=\"{URN}{message}\">"); // a String takes everything
        writer.depth = 1;
        content(&mut writer);
        writer.out.push_str("</Document>\n");
        writer.out.into_bytes()
    }

    fn indent(&mut self) {
        self.out.extend(std::iter::repeat_n(' ', self.depth));
    }

    /// An element of others.
    pub fn within(&mut self, name: &str, content: impl FnOnce(&mut Writer)) {
        self.indent();
        let _ = writeln!(self.out, "<{name}>");
        self.depth += 1;
        content(self);
        self.depth -= 1;
        self.indent();
        let _ = writeln!(self.out, "</{name}>");
    }

    /// An element of text, within those named before it in `path`: `PmtTpInf/SvcLvl/Cd`.
    pub fn text(&mut self, path: &str, text: &str) {
        if let Some((outer, inner)) = path.split_once('/') {
            return self.within(outer, |w| w.text(inner, text));
        }
        self.indent();
        let text = quick_xml::escape::escape(text);
        let _ = writeln!(self.out, "<{path}>{text}</{path}>");
    }

    /// An element of text that says its currency.
    pub fn amount(&mut self, name: &str, money: kernel::Money) {
        self.indent();
        let (currency, amount) = (money.currency.alpha(), money.amount());
        let _ = writeln!(self.out, "<{name} Ccy=\"{currency}\">{amount}</{name}>");
    }
}
