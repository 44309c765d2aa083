//! Licences of everything we build with, against the list in deny.toml. Expressions are SPDX 2.3
//! annex D (`OR`, `AND`, `WITH`, brackets) and the older `A/B` for `A OR B`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::manifests;
use super::tree::Tree;

pub const PROMISE: &str = "every package we build with has a licence that deny.toml allows";

/// What was read and what is not allowed.
#[derive(Debug)]
pub struct Licences {
    /// How many packages.
    pub read: usize,
    /// One sentence for each package that may not be used.
    pub refused: Vec<String>,
}

/// Asks cargo for the licence of every package on this platform, also those of tests and build scripts.
pub fn check(root: &Path, tree: &Tree) -> Result<Licences, String> {
    let out = Command::new(crate::run::cargo())
        .args([
            "tree",
            "--workspace",
            "--locked",
            "--edges",
            "all",
            "--prefix",
            "none",
            "--format",
            "{p}|{l}",
        ])
        .current_dir(root)
        .output()
        .map_err(|e| format!("cargo tree: {e}"))?;
    if !out.status.success() {
        return Err(format!("cargo tree: {}", String::from_utf8_lossy(&out.stderr).trim()));
    }
    Ok(judge(&String::from_utf8_lossy(&out.stdout), &manifests::allowed_licences(tree)))
}

/// Judges lines of `package|licence`, where cargo marks a repeated one with ` (*)`.
pub fn judge(lines: &str, allowed: &[String]) -> Licences {
    let lines = lines.lines().map(|line| line.trim_end_matches(" (*)").trim());
    let packages: BTreeSet<_> = lines.filter_map(|line| line.split_once('|')).collect();
    let mut refused = Vec::new();
    for (package, licence) in &packages {
        if !is_allowed(licence, allowed) {
            let licence = if licence.is_empty() { "no licence" } else { licence };
            let package = package.split(" (").next().unwrap_or(package);
            refused.push(format!("{package} has {licence}, which is not allowed"));
        }
    }
    Licences { read: packages.len(), refused }
}

/// Whether the expression can be met with allowed licences alone.
pub fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = any(&words, &mut at, allowed);
    met && at == words.len()
}

fn any(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = all(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all(words, at, allowed);
    }
    met
}

fn all(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, allowed);
    }
    met
}

fn one(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let met = any(words, at, allowed);
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return met && closed;
    }
    let mut licence = (*word).to_owned();
    if words.get(*at) == Some(&"WITH") {
        licence = format!("{licence} WITH {}", words.get(*at + 1).unwrap_or(&""));
        *at += 2;
    }
    allowed.contains(&licence)
}
