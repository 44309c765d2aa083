//! Rules about the words of a file, whatever it does.

use super::Hit;
use super::source::Kind;
use super::tree::{File, Tree, has_extension};

/// Whether `word` stands in `line` with no letter, digit or underscore beside it.
fn has_word(line: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(is_word)
            && !line[at + word.len()..].chars().next().is_some_and(is_word)
    })
}

/// What package managers write themselves.
fn is_lock_file(file: &File) -> bool {
    ["Cargo.lock", "package-lock.json"].iter().any(|name| file.path.ends_with(name))
}

pub fn module_doc(tree: &Tree) -> Vec<Hit> {
    let bad = tree.rust().filter(|(file, _)| !file.text.starts_with("//! "));
    bad.map(|(file, _)| Hit::new(file, 1, "begins without `//!` saying what it is for")).collect()
}

const SOURCE_MAX: usize = 700;
const TEST_MAX: usize = 1000;

pub fn length(tree: &Tree) -> Vec<Hit> {
    let mut hits = Vec::new();
    for file in &tree.files {
        let generated = file.lines().take(5).any(|(_, line)| line.contains("@generated"));
        if generated || !has_extension(&file.path, &["rs", "ts", "tsx", "js", "sql", "sh"]) {
            continue;
        }
        let (lines, max) = (file.lines().count(), if file.is_test() { TEST_MAX } else { SOURCE_MAX });
        if lines > max {
            hits.push(Hit::new(file, max + 1, format!("{lines} lines, more than {max}; move a concept out")));
        }
    }
    hits
}

/// Marks of unfinished work. In a Rust string they are data (ISO 4217 has a currency of this name).
const MARKS: &[&str] = &["TODO", "FIXME", "XXX"];

pub fn unfinished(tree: &Tree) -> Vec<Hit> {
    let mut hits = Vec::new();
    for file in &tree.files {
        let mut mark = |line: usize, text: &str| {
            for mark in MARKS.iter().filter(|mark| has_word(text, mark)) {
                hits.push(Hit::new(file, line, format!("{mark}: do it, or say what is absent and why")));
            }
        };
        let Some(source) = &file.source else {
            if has_extension(&file.path, &["ts", "tsx", "js", "css", "html", "sql", "sh", "toml", "yml"]) {
                file.lines().for_each(|(n, line)| mark(n, line));
            }
            continue;
        };
        source.comments.iter().for_each(|c| mark(c.line, &c.text));
        for three in source.tokens.windows(3) {
            let [a, b, c] = [0, 1, 2].map(|i| three[i].text.as_str());
            if b == "!" && ["todo", "unimplemented", "dbg"].contains(&a) {
                hits.push(Hit::new(file, three[0].line, format!("{a}! does not belong in the tree")));
            }
            if [a, b, c] == ["#", "[", "ignore"] {
                hits.push(Hit::new(file, three[0].line, "a test that does not run proves nothing"));
            }
        }
    }
    hits
}

pub fn allow_reason(tree: &Tree) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (file, source) in tree.rust() {
        let text = |i: usize| source.tokens.get(i).map_or("", |t| t.text.as_str());
        for i in 0..source.tokens.len() {
            let open = if text(i + 1) == "!" { i + 2 } else { i + 1 };
            if text(i) != "#" || text(open) != "[" || !["allow", "expect"].contains(&text(open + 1)) {
                continue;
            }
            let inside = source.tokens[open..].iter().take_while(|t| t.text != "]");
            if !inside.into_iter().any(|t| t.text == "reason" && t.kind == Kind::Word) {
                hits.push(Hit::new(
                    file,
                    source.tokens[i].line,
                    "a lint is allowed without `reason = \"…\"`",
                ));
            }
        }
    }
    hits
}

/// First parts of absolute paths that exist on somebody's machine only.
const MACHINE_ROOTS: &[&str] = &["work", "root", "home", "Users"];

pub fn machine_path(tree: &Tree) -> Vec<Hit> {
    let mut hits = Vec::new();
    for file in &tree.files {
        for (n, line) in file.lines() {
            for root in MACHINE_ROOTS {
                let path = format!("/{root}/");
                // The slash begins a path unless it continues one (`a/home/`, `~/work/`, `https://x/home/`).
                let begins = line.match_indices(&path).any(|(at, _)| {
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-~/}>)*".contains(c))
                });
                if begins {
                    hits.push(Hit::new(file, n, format!("`{path}` is a path of one machine")));
                }
            }
        }
    }
    hits
}

/// Hosts of package registries; written in halves so that this file does not name them.
const REGISTRIES: &[&str] = &[
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("yarnpkg", ".com"),
    concat!("deb.debian", ".org"),
    concat!("security.debian", ".org"),
    concat!("proxy.golang", ".org"),
];

pub fn registry_host(tree: &Tree) -> Vec<Hit> {
    let mut hits = Vec::new();
    for file in tree.files.iter().filter(|file| !is_lock_file(file)) {
        for (n, line) in file.lines() {
            for host in REGISTRIES.iter().filter(|host| line.contains(**host)) {
                hits.push(Hit::new(file, n, format!("names the registry host {host}")));
            }
        }
    }
    hits
}

/// Writing tools by name, in halves as above.
const ASSISTANTS: &[&str] = &[
    concat!("anth", "ropic"),
    concat!("chat", "gpt"),
    concat!("cla", "ude"),
    concat!("cop", "ilot"),
    concat!("open", "ai"),
];

pub fn assistant(tree: &Tree) -> Vec<Hit> {
    let mut hits = Vec::new();
    for file in tree.files.iter().filter(|file| !is_lock_file(file)) {
        for (n, line) in file.lines() {
            let line = line.to_lowercase();
            for name in ASSISTANTS.iter().filter(|name| has_word(&line, name)) {
                hits.push(Hit::new(file, n, format!("names a writing tool, {name}")));
            }
        }
    }
    hits
}
