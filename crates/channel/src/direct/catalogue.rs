//! The list of institutions behind a service provider: where it stands in the answer to one more question.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::counterpart::put;
use super::spec::{Call, Invalid};
use super::tree;

/// How a provider tells which institutions it has. Paths start at an institution.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// How it is asked. With the place `{page}` page after page, from 1 until one is empty; else once.
    pub call: Call,
    /// The list.
    pub at: String,
    /// The provider's number of the institution.
    pub id: String,
    /// Its name in Chinese.
    pub name: String,
    /// Its name in English; the Chinese one when absent.
    pub name_en: Option<String>,
    /// What it bills.
    pub category: String,
    /// What the provider's words for that mean; the names of packs' categories when absent.
    #[serde(default)]
    pub categories: BTreeMap<String, String>,
    /// Six digits of GB/T 2260.
    pub region: String,
    /// What its account numbers look like, as packs write it.
    pub pattern: String,
    /// Whether it takes payments; all do when absent.
    pub state: Option<String>,
    /// The words there that mean yes.
    #[serde(default)]
    pub open: Vec<String>,
}

/// An institution as its provider tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Institution {
    /// The provider's number.
    pub id: String,
    /// Chinese.
    pub name: String,
    /// English.
    pub name_en: String,
    /// A name of packs.
    pub category: String,
    /// GB/T 2260.
    pub region: String,
    /// Of account numbers.
    pub pattern: String,
    /// Whether it takes payments.
    pub open: bool,
}

impl Catalogue {
    /// Proves it.
    pub fn prove(&self) -> Result<(), Invalid> {
        self.call.prove("catalogue.call")?;
        if self.state.is_some() == self.open.is_empty() {
            return Err(Invalid::at("catalogue.open", "goes with `state`"));
        }
        Ok(())
    }

    /// Whether it comes page by page.
    pub fn is_paged(&self) -> bool {
        self.call.path.contains("{page}") || self.call.body.contains("{page}")
    }

    /// The institutions of a page: each, or why it cannot be read.
    pub fn read(&self, document: &Value) -> Vec<Result<Institution, String>> {
        tree::items(document, &self.at).into_iter().map(|one| self.one(one)).collect()
    }

    fn one(&self, one: &Value) -> Result<Institution, String> {
        let text = |place: &str| tree::text(one, place).filter(|text| !text.is_empty());
        let id = text(&self.id).ok_or("an institution without a number")?;
        let must = |place: &str| text(place).ok_or_else(|| format!("{id}: {place} is missing"));
        let (name, word) = (must(&self.name)?, must(&self.category)?);
        let name_en = self.name_en.as_deref().and_then(text).unwrap_or_else(|| name.clone());
        let category = self.categories.get(&word).cloned().unwrap_or(word);
        let open = match &self.state {
            Some(place) => self.open.contains(&must(place)?),
            None => true,
        };
        let (region, pattern) = (must(&self.region)?, must(&self.pattern)?);
        Ok(Institution { id, name, name_en, category, region, pattern, open })
    }

    /// A page as the provider would write it.
    pub(super) fn write(&self, document: &mut Value, institutions: &[Institution]) {
        let each = |one: &Institution| {
            let mut made = Value::Object(Map::new());
            let mut set = |place: &str, text: &str| put(&mut made, place, Value::from(text));
            let word = self.categories.iter().find(|(_, means)| **means == one.category);
            set(&self.id, &one.id);
            set(&self.name, &one.name);
            if let Some(place) = &self.name_en {
                set(place, &one.name_en);
            }
            set(&self.category, word.map_or(&one.category, |(word, _)| word));
            set(&self.region, &one.region);
            set(&self.pattern, &one.pattern);
            if let Some(place) = &self.state {
                set(place, if one.open { &self.open[0] } else { "closed" });
            }
            made
        };
        put(document, &self.at, Value::Array(institutions.iter().map(each).collect()));
    }
}
