//! Rules about what code may name, by the layer it stands in.

use super::Hit;
use super::source::{Kind, Path, Token};
use super::tree::{File, Tree};

/// Every word of `names` in code that `applies` to, told as `message`; not here, where rules are named.
fn words(tree: &Tree, names: &[&str], message: &str, applies: impl Fn(&File, &Token) -> bool) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (file, source) in tree.rust().filter(|(file, _)| file.krate() != Some("xtask")) {
        for token in &source.tokens {
            if token.kind == Kind::Word && names.contains(&token.text.as_str()) && applies(file, token) {
                hits.push(Hit::new(file, token.line, format!("`{}`: {message}", token.text)));
            }
        }
    }
    hits
}

pub fn axum(tree: &Tree) -> Vec<Hit> {
    let names = ["axum", "axum_core", "utoipa_axum"];
    words(tree, &names, "HTTP belongs in http.rs or in crates/yima", |file, token| {
        !(file.krate() == Some("yima") || file.is_module("http") || file.is_test() || token.test)
    })
}

pub fn sqlx(tree: &Tree) -> Vec<Hit> {
    words(tree, &["sqlx"], "the SQL library belongs in crates/store; slices use `store::`", |file, _| {
        file.krate() != Some("store")
    })
}

const BALANCES: &[&str] = &["debits_pending", "debits_posted", "credits_pending", "credits_posted"];

/// The observer of `yima ledger torture`, which doubts the ledger's balances, works them out itself.
const OBSERVER: &str = "crates/yima/src/ledger_cli/torture/";

/// Outside the ledger a balance field may be read: no assignment to it, no `&mut` of it, and no
/// struct (literal, pattern or definition) that gives it a value or a place of its own.
pub fn balances(tree: &Tree) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (file, source) in tree.rust() {
        if file.krate() == Some("ledger") || file.path.starts_with(OBSERVER) || file.is_test() {
            continue;
        }
        let tokens = &source.tokens;
        let text = |i: usize| tokens.get(i).map_or("", |t| t.text.as_str());
        for (i, token) in tokens.iter().enumerate() {
            if token.test || !BALANCES.contains(&token.text.as_str()) {
                continue;
            }
            let (next, after) = (text(i + 1), text(i + 2));
            let assigned = next == "=" && after != "=" && after != ">";
            let compound = ["+", "-", "*", "/", "%", "^", "&", "|"].contains(&next) && after == "=";
            let field = next == ":" && after != ":";
            if assigned || compound || field || is_borrowed_mut(tokens, i) {
                let message = format!("`{}` is written outside the ledger", token.text);
                hits.push(Hit::new(file, token.line, message));
            }
        }
    }
    hits
}

/// Whether the field at `i` ends an expression `&mut a.b.field`.
fn is_borrowed_mut(tokens: &[Token], mut i: usize) -> bool {
    while i >= 2 && tokens[i - 1].text == "." && tokens[i - 2].kind == Kind::Word {
        i -= 2;
    }
    i >= 2 && tokens[i - 1].text == "mut" && tokens[i - 2].text == "&"
}

/// Modules of the standard library that reach outside the process.
const OUTSIDE: &[&str] = &["env", "fs", "net", "process", "thread"];
/// What in them is a value like any other.
const ADDRESSES: &[&str] = &["IpAddr", "Ipv4Addr", "Ipv6Addr", "SocketAddr"];
/// Crates that do the same, or that wait.
const OUTSIDE_CRATES: &[&str] = &["axum", "getrandom", "rand", "sqlx", "store", "tokio"];
/// Clocks and generators.
const SOURCES: &[&str] = &["Instant", "OsRng", "SystemClock", "SystemTime"];

/// The two places of the kernel where the machine is asked, and the one that names them.
const KERNEL_DOORS: &[(&str, &[&str])] = &[
    ("crates/kernel/src/clock.rs", &["SystemClock", "SystemTime"]),
    ("crates/kernel/src/rng.rs", &["OsRng", "getrandom"]),
    ("crates/kernel/src/lib.rs", &["SystemClock", "OsRng"]),
];

pub fn pure(tree: &Tree) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (file, source) in tree.rust() {
        let in_source = |name: &str| file.path.starts_with(&format!("crates/{name}/src/"));
        let is_rules = file.krate().is_some_and(|name| name != "xtask") && file.is_module("rules");
        if !(is_rules || in_source("codes") || in_source("kernel")) || file.is_test() {
            continue;
        }
        let doors =
            KERNEL_DOORS.iter().find(|(path, _)| *path == file.path).map_or(&[][..], |(_, names)| names);
        for path in source.paths.iter().filter(|path| !path.test) {
            if let Some(name) = impure(path).filter(|name| !doors.contains(name)) {
                hits.push(Hit::new(file, path.line, format!("`{name}` here: take the value as an argument")));
            }
        }
        for token in
            source.tokens.iter().filter(|t| is_rules && !t.test && ["async", "await"].contains(&&*t.text))
        {
            hits.push(Hit::new(
                file,
                token.line,
                format!("`{}`: a rule has nothing to wait for", token.text),
            ));
        }
    }
    hits
}

/// What of `path` reaches outside, if anything.
fn impure(path: &Path) -> Option<&str> {
    let first = path.segments.first()?.as_str();
    let second = path.segments.get(1).map(String::as_str);
    let third = path.segments.get(2).is_some_and(|name| ADDRESSES.contains(&name.as_str()));
    if first == "std" && second.is_some_and(|name| OUTSIDE.contains(&name)) && !third {
        return second;
    }
    // A local called `rand` or `store` is nobody's business; a path or an import of it is.
    if OUTSIDE_CRATES.contains(&first) && path.segments.len() > 1 {
        return Some(first);
    }
    path.segments.iter().map(String::as_str).find(|name| SOURCES.contains(name))
}

/// Where money is near.
const MONEY: &[&str] = &["city", "kernel", "ledger", "store"];

pub fn float(tree: &Tree) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (file, source) in tree.rust() {
        if !file.krate().is_some_and(|name| MONEY.contains(&name)) {
            continue;
        }
        let marked = |line: usize| {
            let mut comments = source.comments.iter().filter(|c| c.line == line || c.line + 1 == line);
            comments
                .any(|c| c.text.split_once("// float: ").is_some_and(|(_, reason)| !reason.trim().is_empty()))
        };
        for token in &source.tokens {
            // Tests offer fractions to be refused, and probabilities to generators.
            let offered = token.kind == Kind::Number && (token.test || file.is_test());
            if is_float(token) && !offered && !marked(token.line) {
                hits.push(Hit::new(
                    file,
                    token.line,
                    format!("`{}`: money is counted in integers", token.text),
                ));
            }
        }
    }
    hits
}

/// `f64`, `as_secs_f64`, `1.5`, `2f32`, `1e9`.
fn is_float(token: &Token) -> bool {
    let text = token.text.as_str();
    match token.kind {
        Kind::Word => ["f32", "f64"].iter().any(|f| text == *f || text.ends_with(&format!("_{f}"))),
        Kind::Number => text
            .trim_start_matches(|c: char| c.is_ascii_digit() || c == '_')
            .starts_with(['.', 'e', 'E', 'f']),
        Kind::Punct => false,
    }
}
