//! Rules about manifests, the lock file and what is written down about dependencies.

use toml::{Table, Value};

use super::Hit;
use super::tree::{File, Tree};

/// Which crates of the workspace each one may depend on.
const LAYERS: &[(&str, &[&str])] = &[
    ("kernel", &[]),
    ("ledger", &["kernel"]),
    ("codes", &["kernel"]),
    ("store", &["kernel"]),
    ("channel", &["kernel"]),
    ("city", &["kernel", "ledger", "codes", "store", "channel"]),
    ("yima", &["kernel", "ledger", "codes", "store", "channel", "city"]),
    ("xtask", &[]),
];

const ROOT: &str = "Cargo.toml";
const REASONS: &str = "docs/decisions/dependencies.md";

fn table<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Table> {
    path.iter().try_fold(table, |table, name| table.get(*name)?.as_table())
}

/// Reads a manifest; one that cannot be read is told as a hit.
fn parse(file: &File, hits: &mut Vec<Hit>) -> Table {
    file.text.parse().unwrap_or_else(|e: toml::de::Error| {
        hits.push(Hit::new(file, 1, e.message().to_owned()));
        Table::new()
    })
}

/// Every dependency of a manifest, also of single platforms: the name it is called by, and what is said of it.
fn dependencies(manifest: &Table) -> Vec<(&String, &Value)> {
    let platforms = manifest.get("target").and_then(Value::as_table);
    let places = platforms.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let mut all = Vec::new();
    for place in places.chain([manifest]) {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            all.extend(place.get(section).and_then(Value::as_table).into_iter().flatten());
        }
    }
    all
}

/// The line that begins with `name` as a key.
fn line_of_key(file: &File, name: &str) -> usize {
    let begins = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', ' ', '=']));
    file.lines().find(|(_, line)| begins(line)).map_or(1, |(n, _)| n)
}

pub fn direction(tree: &Tree) -> Vec<Hit> {
    let mut hits = Vec::new();
    for file in tree.manifests() {
        let manifest = parse(file, &mut hits);
        let name = table(&manifest, &["package"]).and_then(|p| p.get("name")).and_then(Value::as_str);
        let Some((name, may)) = name.and_then(|name| LAYERS.iter().find(|(layer, _)| *layer == name)) else {
            hits.push(Hit::new(
                file,
                1,
                "a crate with no layer: say in xtask/src/tidy/manifests.rs where it stands",
            ));
            continue;
        };
        for (called, what) in dependencies(&manifest) {
            let real = what.get("package").and_then(Value::as_str).unwrap_or(called);
            if LAYERS.iter().any(|(layer, _)| *layer == real) && !may.contains(&real) {
                let message = format!("`{name}` must not depend on `{real}`");
                hits.push(Hit::new(file, line_of_key(file, called), message));
            }
        }
    }
    hits
}

pub fn lints(tree: &Tree) -> Vec<Hit> {
    let mut hits = Vec::new();
    for file in tree.manifests() {
        let manifest = parse(file, &mut hits);
        let inherits = table(&manifest, &["lints"]).and_then(|lints| lints.get("workspace"));
        if inherits.and_then(Value::as_bool) != Some(true) {
            hits.push(Hit::new(file, 1, "does not say `[lints] workspace = true`"));
        }
    }
    hits
}

pub fn one_version(tree: &Tree) -> Vec<Hit> {
    let mut hits = Vec::new();
    for file in tree.manifests() {
        let manifest = parse(file, &mut hits);
        for (name, what) in dependencies(&manifest) {
            if what.get("workspace").and_then(Value::as_bool) != Some(true) {
                let message = format!("`{name}`: say `{name}.workspace = true`");
                hits.push(Hit::new(file, line_of_key(file, name), message));
            }
        }
    }
    hits
}

/// The names in the first column of the table, each in backticks, with their lines.
fn documented(file: &File) -> Vec<(usize, &str)> {
    let cell = |line| str::strip_prefix(line, "| `")?.split_once('`').map(|(name, _)| name);
    file.lines().filter_map(|(n, line)| Some((n, cell(line)?))).collect()
}

pub fn dependency_why(tree: &Tree) -> Vec<Hit> {
    let mut hits = Vec::new();
    let Some(root) = tree.get(ROOT) else { return hits };
    let manifest = parse(root, &mut hits);
    let empty = Table::new();
    let used = table(&manifest, &["workspace", "dependencies"]).unwrap_or(&empty);
    let documented: Vec<_> = tree.get(REASONS).map(documented).unwrap_or_default();
    for (name, what) in used {
        if what.get("path").is_none() && !documented.iter().any(|(_, known)| known == name) {
            let message =
                format!("`{name}` has no line in {REASONS}: what does it replace, what does it cost?");
            hits.push(Hit::new(root, line_of_key(root, name), message));
        }
    }
    let manifests: Vec<Table> = tree.manifests().map(|file| parse(file, &mut hits)).collect();
    let named: Vec<_> = manifests.iter().flat_map(dependencies).map(|(name, _)| name).collect();
    for name in used.keys().filter(|name| !named.contains(name)) {
        hits.push(Hit::new(root, line_of_key(root, name), format!("`{name}`: no crate uses it")));
    }
    for (line, name) in documented.iter().filter(|(_, name)| !used.contains_key(*name)) {
        let file = tree.get(REASONS).expect("it was read");
        hits.push(Hit::new(file, *line, format!("`{name}` is no dependency any more")));
    }
    hits
}

/// Names of all packages in the lock file.
fn packages(tree: &Tree) -> Vec<String> {
    let lock: Table = tree.get("Cargo.lock").and_then(|file| file.text.parse().ok()).unwrap_or_default();
    let packages = lock.get("package").and_then(Value::as_array).cloned().unwrap_or_default();
    packages.iter().filter_map(|p| Some(p.get("name")?.as_str()?.to_owned())).collect()
}

/// How many packages the lock file has.
pub fn locked(tree: &Tree) -> usize {
    packages(tree).len()
}

pub fn banned(tree: &Tree) -> Vec<Hit> {
    let mut hits = Vec::new();
    let (Some(deny), Some(lock)) = (tree.get("deny.toml"), tree.get("Cargo.lock")) else {
        let root = tree.get(ROOT).into_iter();
        return root.map(|file| Hit::new(file, 1, "deny.toml or Cargo.lock is missing beside it")).collect();
    };
    let rules = parse(deny, &mut hits);
    let bans = table(&rules, &["bans"]).and_then(|bans| bans.get("deny")).and_then(Value::as_array);
    let packages = packages(tree);
    for ban in bans.into_iter().flatten() {
        let name = ban.as_str().or_else(|| ban.get("crate")?.as_str()).unwrap_or_default();
        let reason = ban.get("reason").and_then(Value::as_str).unwrap_or("banned");
        if packages.iter().any(|package| package == name) {
            let line = lock.line_of(&format!("name = \"{name}\""));
            hits.push(Hit::new(lock, line, format!("`{name}`: {reason}")));
        }
    }
    hits
}

/// The licences that deny.toml allows.
pub fn allowed_licences(tree: &Tree) -> Vec<String> {
    let rules: Table = tree.get("deny.toml").and_then(|file| file.text.parse().ok()).unwrap_or_default();
    let allowed = table(&rules, &["licenses"]).and_then(|l| l.get("allow")).and_then(Value::as_array);
    allowed.into_iter().flatten().filter_map(|l| Some(l.as_str()?.to_owned())).collect()
}
