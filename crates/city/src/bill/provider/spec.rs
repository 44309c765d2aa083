//! What a provider's file says of its interface, and of the billers that are made from its catalogue: pure.

use channel::direct::catalogue::{Catalogue, Institution};
use channel::direct::spec::{Invalid, Spec as Direct};
use serde::Deserialize;
use toml::{Table, Value};

use super::super::pack::{Pack, PackError};

/// A connection to a service provider.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// How long one question may take, in seconds.
    #[serde(default = "default_timeout_s")]
    pub timeout_s: u32,
    /// How it is asked; the institution stands in every question about an account.
    pub direct: Direct,
    /// How it tells which institutions it has; nothing is read when absent.
    pub catalogue: Option<Catalogue>,
    /// What the packs of its institutions have in common: `bills`, `late_fee`, `settlement`, and `channel`, what their
    /// way says besides where it leads.
    pub template: Option<Table>,
    /// What is otherwise for some; a later one goes before an earlier one.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// What is otherwise for the institutions of a category, or for one.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Of this category.
    pub category: Option<String>,
    /// Of this number.
    pub institution: Option<String>,
    /// Keys that take the place of the template's, table by table.
    pub with: Table,
}

fn default_timeout_s() -> u32 {
    8
}

impl Connection {
    /// Reads the description of a connection and proves it: the key and why, where it makes no sense.
    pub fn parse(text: &str) -> Result<Connection, Invalid> {
        let invalid = |key: &str, why: &str| Invalid { key: key.to_owned(), why: why.to_owned() };
        let read: Connection =
            toml::from_str(text).map_err(|why| invalid("the file", why.to_string().trim_end()))?;
        if !(1..=60).contains(&read.timeout_s) {
            return Err(invalid("timeout_s", "1 to 60"));
        }
        let direct = &read.direct;
        direct.prove().map_err(|why| Invalid { key: format!("direct.{}", why.key), ..why })?;
        let asked = [("query", direct.query.as_ref()), ("pay", Some(&direct.pay))];
        for (name, call) in asked {
            let Some(call) = call else { continue };
            let texts = call.headers.values().chain(direct.headers.values()).chain([&call.path, &call.body]);
            if !texts.into_iter().any(|text| text.contains("{institution}")) {
                return Err(invalid(&format!("direct.{name}"), "does not say {institution}"));
            }
        }
        match (&read.catalogue, &read.template) {
            (Some(catalogue), Some(_)) => {
                catalogue.prove()?;
                let sample = Institution {
                    id: "1".to_owned(),
                    name: "某单位".to_owned(),
                    name_en: "Some Biller".to_owned(),
                    category: "other".to_owned(),
                    region: "110100".to_owned(),
                    pattern: "########".to_owned(),
                    open: true,
                };
                read.pack("x", &sample).map_err(|why| invalid("template", &why.to_string()))?;
            }
            (None, None) => {}
            _ => return Err(invalid("template", "goes with `catalogue`")),
        }
        Ok(read)
    }

    /// The pack of an institution, by the template and the rules.
    pub fn pack(&self, connection: &str, of: &Institution) -> Result<Pack, PackError> {
        let mut made = self.template.clone().unwrap_or_default();
        for rule in &self.rules {
            let fits = rule.category.as_ref().is_none_or(|category| *category == of.category)
                && rule.institution.as_ref().is_none_or(|id| *id == of.id);
            if fits {
                merge(&mut made, &rule.with);
            }
        }
        let mut channel = match made.remove("channel") {
            Some(Value::Table(channel)) => channel,
            Some(_) => return Err(PackError::invalid("template.channel", "a table")),
            None => Table::new(),
        };
        let text = |text: &str| Value::from(text);
        let pair = |pairs: [(&str, &str); 2]| {
            Value::Table(pairs.into_iter().map(|(key, value)| (key.to_owned(), text(value))).collect())
        };
        channel.insert("name".to_owned(), text("provider"));
        channel.insert("provider".to_owned(), pair([("connection", connection), ("institution", &of.id)]));
        let filled = |c| match c {
            '#' | '*' => '0',
            '@' => 'A',
            other => other,
        };
        let example: String = of.pattern.chars().map(filled).collect();
        let mut account = Table::new();
        account.insert("pattern".to_owned(), text(&of.pattern));
        account.insert("counter_examples".to_owned(), Value::Array(vec![text(&format!("{example}0"))]));
        account.insert("examples".to_owned(), Value::Array(vec![text(&example)]));
        for (key, value) in [
            ("id", text(&pack_id(connection, &of.id))),
            ("category", text(&of.category)),
            ("region", text(&of.region)),
            ("name", pair([("zh", &of.name), ("en", &of.name_en)])),
            ("closed", Value::Boolean(!of.open)),
            ("account", Value::Table(account)),
            ("channels", Value::Array(vec![Value::Table(channel)])),
        ] {
            if made.insert(key.to_owned(), value).is_some() {
                return Err(PackError::invalid(&format!("template.{key}"), "comes from the catalogue"));
            }
        }
        Pack::parse(&write(&made))
    }
}

/// The pack's own name of an institution behind a connection.
pub fn pack_id(connection: &str, institution: &str) -> String {
    format!("{connection}-{}", institution.to_ascii_lowercase())
}

/// A pack as it is, but taking no new payments.
pub fn closed(text: &str) -> Option<String> {
    let mut made: Table = toml::from_str(text).ok()?;
    made.insert("closed".to_owned(), Value::Boolean(true));
    Some(write(&made))
}

/// Puts keys in the place of others, table by table.
fn merge(into: &mut Table, from: &Table) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::Table(there)), Value::Table(more)) => merge(there, more),
            _ => drop(into.insert(key.clone(), value.clone())),
        }
    }
}

/// A table as TOML, a line for each key.
fn write(table: &Table) -> String {
    let mut text = String::new();
    for (key, value) in table {
        text.extend([&quoted(key), " = ", &inline(value), "\n"]);
    }
    text
}

fn quoted(text: &str) -> String {
    // What JSON escapes, TOML escapes alike.
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => {
            let pairs = table.iter().map(|(key, value)| format!("{} = {}", quoted(key), inline(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        // No key of a pack takes one: it is refused where it stands.
        Value::Float(_) | Value::Datetime(_) => "{}".to_owned(),
    }
}
