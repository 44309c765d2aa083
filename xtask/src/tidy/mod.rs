//! What a compiler cannot hold: the layout of the tree, who may name what, and what must not stand
//! in it. One [`Rule`] per promise of ARCHITECTURE.md, each with good and bad examples in `tests.rs`.
//! Tidy reads; it never changes a file.

mod layers;
mod licences;
mod manifests;
mod slices;
mod source;
mod sql;
#[cfg(test)]
mod tests;
mod text;
mod tree;

use std::path::Path;

use tree::{File, Tree};

/// A place where a rule is broken.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    path: String,
    line: usize,
    message: String,
}

impl Hit {
    fn new(file: &File, line: usize, message: impl Into<String>) -> Hit {
        Hit { path: file.path.clone(), line, message: message.into() }
    }
}

/// A promise about the tree.
struct Rule {
    name: &'static str,
    /// What is promised, in one sentence.
    promise: &'static str,
    check: fn(&Tree) -> Vec<Hit>,
}

const RULES: &[Rule] = &[
    Rule {
        name: "module-doc",
        promise: "every Rust file begins with `//!`: what it is for and what it must never do",
        check: text::module_doc,
    },
    Rule {
        name: "length",
        promise: "a source file has at most 700 lines, a test file 1,000; generated files are exempt",
        check: text::length,
    },
    Rule {
        name: "unfinished",
        promise: "nothing is left for later: no such marks, no ignored tests, no debug prints",
        check: text::unfinished,
    },
    Rule {
        name: "allow-reason",
        promise: "a lint is allowed only with `reason = \"…\"`",
        check: text::allow_reason,
    },
    Rule {
        name: "machine-path",
        promise: "no path of the machine it was written on",
        check: text::machine_path,
    },
    Rule {
        name: "registry-host",
        promise: "no package registry is named by its host; its client knows where it is",
        check: text::registry_host,
    },
    Rule {
        name: "assistant",
        promise: "the text speaks of the project, not of the tools it was written with",
        check: text::assistant,
    },
    Rule {
        name: "axum",
        promise: "`axum` is named only in `http.rs` files and in `crates/yima`",
        check: layers::axum,
    },
    Rule { name: "sqlx", promise: "`sqlx` is named only in `crates/store`", check: layers::sqlx },
    Rule {
        name: "balances",
        promise: "only `crates/ledger` writes balances; everybody else reads them",
        check: layers::balances,
    },
    Rule {
        name: "pure",
        promise: "`rules.rs`, `crates/codes` and `crates/kernel` do no I/O and read no clock or randomness",
        check: layers::pure,
    },
    Rule {
        name: "float",
        promise: "no `f32` or `f64` near money, except on lines marked `// float: reason`",
        check: layers::float,
    },
    Rule {
        name: "slice-store",
        promise: "a slice reaches another through its verbs, never its `store`",
        check: slices::store,
    },
    Rule {
        name: "slice-cycle",
        promise: "slices do not depend on each other in a circle",
        check: slices::cycle,
    },
    Rule {
        name: "sql-text",
        promise: "SQL stands in `store.rs` files, in `crates/store` and in migrations",
        check: sql::text,
    },
    Rule {
        name: "sql-table",
        promise: "a slice's SQL names only tables of its own migrations",
        check: sql::table,
    },
    Rule {
        name: "sql-column",
        promise: "columns are TEXT, BIGINT or BYTEA, and none holds a balance",
        check: sql::column,
    },
    Rule {
        name: "migration",
        promise: "migrations are numbered without a gap and each is listed in `migrate.rs`",
        check: sql::migration,
    },
    Rule {
        name: "direction",
        promise: "kernel ← {ledger, codes, store, channel} ← city ← yima, and `xtask` stands alone",
        check: manifests::direction,
    },
    Rule {
        name: "lints",
        promise: "every crate inherits the lints of the workspace",
        check: manifests::lints,
    },
    Rule {
        name: "one-version",
        promise: "versions of dependencies stand once, in the root manifest",
        check: manifests::one_version,
    },
    Rule {
        name: "dependency-why",
        promise: "every dependency is used and has its line in docs/decisions/dependencies.md; no line is stale",
        check: manifests::dependency_why,
    },
    Rule { name: "banned", promise: "Cargo.lock has nothing that deny.toml bans", check: manifests::banned },
];

/// Checks the repository at `root`; prints what it finds and answers whether it is tidy.
pub fn run(root: &Path) -> Result<bool, String> {
    let tree = Tree::read(root)?;
    let mut count = 0;
    for rule in RULES {
        let mut hits = (rule.check)(&tree);
        hits.sort();
        for hit in &hits {
            println!("{}:{}: {}: {}", hit.path, hit.line, rule.name, hit.message);
        }
        count += hits.len();
    }
    let licences = licences::check(root, &tree)?;
    for refusal in &licences.refused {
        println!("deny.toml:1: licence: {refusal}");
    }
    count += licences.refused.len();
    println!(
        "{} files, {} rules, {} packages in Cargo.lock, {} licences read: {}",
        tree.files.len(),
        RULES.len() + 1,
        manifests::locked(&tree),
        licences.read,
        if count == 0 { "tidy".to_owned() } else { format!("{count} findings") },
    );
    Ok(count == 0)
}

/// Prints every rule with its promise.
pub fn list() {
    for rule in RULES {
        println!("{:<15} {}", rule.name, rule.promise);
    }
    println!("{:<15} {}", "licence", licences::PROMISE);
}
