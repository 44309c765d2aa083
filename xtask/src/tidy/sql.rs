//! Rules about SQL: where its text stands, whose tables it names, and what a column may be.

use std::collections::BTreeMap;

use super::Hit;
use super::tree::{File, Tree, has_extension};

const MIGRATIONS: &str = "crates/store/migrations/";
const RUNNER: &str = "crates/store/src/migrate.rs";

fn migrations(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files.iter().filter(|file| file.path.starts_with(MIGRATIONS) && has_extension(&file.path, &["sql"]))
}

/// How a statement begins, with the word that must follow it somewhere to tell it from English.
const STATEMENTS: &[(&str, &str)] = &[
    ("SELECT ", ""),
    ("INSERT INTO ", ""),
    ("UPDATE ", " SET "),
    ("DELETE FROM ", ""),
    ("WITH ", " AS "),
    ("CREATE TABLE ", ""),
    ("CREATE INDEX ", ""),
];

pub fn text(tree: &Tree) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (file, source) in tree.rust() {
        let exempt = matches!(file.krate(), Some("store" | "xtask")) || file.is_module("store");
        if exempt || file.is_test() {
            continue;
        }
        for string in source.strings.iter().filter(|string| !string.test) {
            let text = string.text.trim_start();
            if STATEMENTS.iter().any(|(begin, then)| text.starts_with(begin) && text.contains(then)) {
                hits.push(Hit::new(file, string.line, "SQL belongs in the slice's store.rs"));
            }
        }
    }
    hits
}

/// `0004_trade.sql`, `0009_trade_tips.sql`: the number and the owner, `trade`.
fn number_and_owner(path: &str) -> Option<(usize, &str)> {
    let name = path.strip_prefix(MIGRATIONS)?.strip_suffix(".sql")?;
    let (number, name) = name.split_once('_')?;
    Some((number.parse().ok()?, name.split('_').next()?))
}

/// The words of SQL, with punctuation apart and comments gone. Strings count as words.
fn words(sql: &str) -> Vec<(usize, String)> {
    let mut words = Vec::new();
    for (n, line) in sql.lines().enumerate() {
        let code = line.split("--").next().unwrap_or_default();
        let mut word = String::new();
        for c in code.chars().chain([' ']) {
            if c.is_alphanumeric() || c == '_' {
                word.push(c);
                continue;
            }
            if !word.is_empty() {
                words.push((n + 1, std::mem::take(&mut word)));
            }
            if !c.is_whitespace() {
                words.push((n + 1, c.to_string()));
            }
        }
    }
    words
}

fn is(word: Option<&(usize, String)>, text: &str) -> bool {
    word.is_some_and(|(_, word)| word.eq_ignore_ascii_case(text))
}

/// The table that a `TABLE` at `i - 1` names, past `IF [NOT] EXISTS`.
fn table_name(words: &[(usize, String)], mut i: usize) -> Option<&str> {
    while ["if", "not", "exists"].iter().any(|skip| is(words.get(i), skip)) {
        i += 1;
    }
    words.get(i).map(|(_, name)| name.as_str())
}

pub fn table(tree: &Tree) -> Vec<Hit> {
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    for file in migrations(tree) {
        let Some((_, owner)) = number_and_owner(&file.path) else { continue };
        let words = words(&file.text);
        for i in 1..words.len() {
            if is(words.get(i - 1), "create") && is(words.get(i), "table") {
                let name = table_name(&words, i + 1).unwrap_or_default();
                owners.insert(name.to_owned(), owner.to_owned());
            }
        }
    }
    let mut hits = Vec::new();
    for (file, source) in tree.rust() {
        let Some(slice) = file.slice().filter(|_| !file.is_test()) else { continue };
        for string in source.strings.iter().filter(|string| !string.test) {
            let words = words(&string.text);
            for pair in words.windows(2) {
                let (verb, name) = (&pair[0].1, &pair[1].1);
                // Upper case, as all our SQL: a message may well say "from session …".
                if !["FROM", "JOIN", "INTO", "UPDATE"].contains(&verb.as_str()) {
                    continue;
                }
                if let Some(owner) = owners.get(name).filter(|owner| *owner != slice) {
                    let message = format!("`{slice}` names `{name}`, a table of `{owner}`");
                    hits.push(Hit::new(file, string.line + pair[1].0 - 1, message));
                }
            }
        }
    }
    hits
}

const TYPES: &[&str] = &["TEXT", "BIGINT", "BYTEA"];
/// What else may begin a line of a table.
const CONSTRAINTS: &[&str] = &["PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "CONSTRAINT"];

pub fn column(tree: &Tree) -> Vec<Hit> {
    let mut hits = Vec::new();
    for file in migrations(tree) {
        for (line, name, kind) in columns(&words(&file.text)) {
            if !TYPES.contains(&kind.as_str()) {
                let message = format!("column `{name}` is {kind}; both engines share TEXT, BIGINT and BYTEA");
                hits.push(Hit::new(file, line, message));
            }
            if name.to_lowercase().contains("balance") {
                hits.push(Hit::new(file, line, format!("column `{name}`: balances are in the ledger only")));
            }
        }
    }
    hits
}

/// Line, name and type of every column that is created or added.
fn columns(words: &[(usize, String)]) -> Vec<(usize, String, String)> {
    let mut found = Vec::new();
    let mut column = |i: usize| {
        if let (Some((line, name)), Some((_, kind))) = (words.get(i), words.get(i + 1))
            && !CONSTRAINTS.contains(&name.to_uppercase().as_str())
        {
            found.push((*line, name.clone(), kind.clone()));
        }
    };
    let mut i = 0;
    while i < words.len() {
        if is(words.get(i), "add") && is(words.get(i + 1), "column") {
            column(i + 2);
        } else if is(words.get(i), "create") && is(words.get(i + 1), "table") {
            while i < words.len() && words[i].1 != "(" {
                i += 1;
            }
            column(i + 1);
            let mut depth = 0;
            while i < words.len() {
                match words[i].1.as_str() {
                    "(" => depth += 1,
                    ")" if depth == 1 => break,
                    ")" => depth -= 1,
                    "," if depth == 1 => column(i + 1),
                    _ => {}
                }
                i += 1;
            }
        }
        i += 1;
    }
    found
}

pub fn migration(tree: &Tree) -> Vec<Hit> {
    let runner = tree.get(RUNNER).and_then(|file| file.source.as_ref());
    let listed: Vec<&str> =
        runner.into_iter().flat_map(|s| &s.strings).map(|string| string.text.as_str()).collect();
    let mut hits = Vec::new();
    for (i, file) in migrations(tree).enumerate() {
        let expected = i + 1;
        if number_and_owner(&file.path).is_none_or(|(number, _)| number != expected) {
            hits.push(Hit::new(
                file,
                1,
                format!("migrations are NNNN_owner.sql without a gap: expected {expected:04}"),
            ));
        }
        let name = file.path.replace("crates/store/", "../");
        if !listed.contains(&name.as_str()) {
            hits.push(Hit::new(file, 1, format!("is not listed in {RUNNER}, so it never runs")));
        }
    }
    hits
}
