//! Rules about the slices of the city: folders of `crates/city/src` that reach each other through
//! the verbs of their `mod.rs`, in one direction. Test code may look at whatever it tests.

use std::collections::{BTreeMap, BTreeSet};

use super::Hit;
use super::source::Path;
use super::tree::{File, Tree};

fn slices(tree: &Tree) -> BTreeSet<&str> {
    tree.rust().filter_map(|(file, _)| file.slice()).collect()
}

/// `path` from the root of the city, as `file` means it: `crate::`, `self::` and `super::` resolved.
fn from_root(file: &File, path: &Path) -> Option<Vec<String>> {
    let inside = file.path.strip_prefix("crates/city/src/")?;
    let mut module: Vec<&str> = inside.strip_suffix(".rs")?.split('/').collect();
    if matches!(module.last(), Some(&("mod" | "lib"))) {
        module.pop();
    }
    let mut segments = path.segments.iter().map(String::as_str).peekable();
    match *segments.peek()? {
        "crate" => {
            module.clear();
            segments.next();
        }
        "self" => {
            segments.next();
        }
        "super" => {
            while segments.next_if_eq(&"super").is_some() {
                module.pop();
            }
        }
        _ => return None,
    }
    Some(module.into_iter().chain(segments).map(str::to_owned).collect())
}

/// Every place outside tests where a file of one slice names another slice: file, line, and what it names.
fn reaches(tree: &Tree) -> Vec<(&File, usize, Vec<String>)> {
    let slices = slices(tree);
    let mut found = Vec::new();
    for (file, source) in tree.rust() {
        let Some(own) = file.slice().filter(|_| !file.is_test()) else { continue };
        for path in source.paths.iter().filter(|path| !path.test) {
            if let Some(to) = from_root(file, path)
                && to.first().is_some_and(|name| name != own && slices.contains(name.as_str()))
            {
                found.push((file, path.line, to));
            }
        }
    }
    found
}

pub fn store(tree: &Tree) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (file, line, to) in reaches(tree) {
        if to.get(1).is_some_and(|module| module == "store") {
            hits.push(Hit::new(
                file,
                line,
                format!("reaches into the tables of `{}`: call its verbs", to[0]),
            ));
        }
    }
    // From outside a slice: the city's own top level, and the binary.
    for (file, source) in tree.rust().filter(|(file, _)| file.slice().is_none() && !file.is_test()) {
        for path in source.paths.iter().filter(|path| !path.test) {
            let names: Vec<&str> = path.segments.iter().map(String::as_str).collect();
            if let ["crate" | "city", slice, "store", ..] = names[..]
                && slices(tree).contains(slice)
            {
                hits.push(Hit::new(file, path.line, format!("reaches into the tables of `{slice}`")));
            }
        }
    }
    hits
}

pub fn cycle(tree: &Tree) -> Vec<Hit> {
    // For each slice the ones it names, with the first place where it does.
    let mut edges: BTreeMap<String, BTreeMap<String, (&File, usize)>> = BTreeMap::new();
    for (file, line, to) in reaches(tree) {
        let from = file.slice().unwrap_or_default().to_owned();
        edges.entry(from).or_default().entry(to[0].clone()).or_insert((file, line));
    }
    let mut hits = Vec::new();
    for (from, targets) in &edges {
        for (to, (file, line)) in targets {
            if let Some(way) = way_back(&edges, to, from) {
                let circle = format!("{from} → {}", way.join(" → "));
                hits.push(Hit::new(
                    file,
                    *line,
                    format!("slices depend on each other in a circle: {circle}"),
                ));
            }
        }
    }
    hits
}

/// A way `from … to` along the edges, if there is one.
fn way_back<T>(edges: &BTreeMap<String, BTreeMap<String, T>>, from: &str, to: &str) -> Option<Vec<String>> {
    let mut seen = BTreeSet::from([from.to_owned()]);
    let mut ways = vec![vec![from.to_owned()]];
    while let Some(way) = ways.pop() {
        let last = &way[way.len() - 1];
        if last == to {
            return Some(way);
        }
        for next in edges.get(last).into_iter().flat_map(BTreeMap::keys) {
            if seen.insert(next.clone()) {
                ways.push(way.iter().chain([next]).cloned().collect());
            }
        }
    }
    None
}
