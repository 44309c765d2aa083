//! Every rule with trees that break it and trees that do not; a rule without both fails the last test.

use super::licences::{is_allowed, judge};
use super::tree::Tree;
use super::{RULES, Rule};

/// A rule, a tree, and where the rule must find something: `path:line`, space-separated.
type Case = (&'static str, &'static [(&'static str, &'static str)], &'static str);

const TEXT_CASES: &[Case] = &[
    ("module-doc", &[("crates/a/src/lib.rs", "//! What it is.\n")], ""),
    ("module-doc", &[("crates/a/src/lib.rs", "// What it is.\n")], "crates/a/src/lib.rs:1"),
    ("module-doc", &[("crates/a/src/lib.rs", "")], "crates/a/src/lib.rs:1"),
    ("module-doc", &[("notes.md", "no Rust")], ""),
    ("unfinished", &[("a.rs", "// todo list, XXXX\nlet x = \"XXX\";")], ""),
    ("unfinished", &[("a.rs", concat!("// TO", "DO: later\n/* FIX", "ME */"))], "a.rs:1 a.rs:2"),
    ("unfinished", &[("a.rs", "fn f() {\n todo!()\n}"), ("b.rs", "dbg!(1)")], "a.rs:2 b.rs:1"),
    ("unfinished", &[("a.rs", "let todo = !dbg;")], ""),
    ("unfinished", &[("a.rs", "unimplemented!()")], "a.rs:1"),
    ("unfinished", &[("a.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}")], "a.rs:2"),
    ("unfinished", &[("a.sql", concat!("-- XX", "X\n")), ("a.md", concat!("TO", "DO"))], "a.sql:1"),
    ("allow-reason", &[("a.rs", "#[allow(dead_code)]\nfn f() {}")], "a.rs:1"),
    ("allow-reason", &[("a.rs", "#![expect(clippy::all)]")], "a.rs:1"),
    ("allow-reason", &[("a.rs", "#[allow(\n dead_code,\n reason = \"why\"\n)]\nfn f() {}")], ""),
    ("machine-path", &[("a.md", concat!("see /wo", "rk/x"))], "a.md:1"),
    ("machine-path", &[("a.rs", concat!("let p = \"/ho", "me/me\";"))], "a.rs:1"),
    ("machine-path", &[("a.sh", concat!("\nX=/ro", "ot/x"))], "a.sh:2"),
    ("machine-path", &[("a.md", concat!("https://a.b/ho", "me/ and ./wo", "rk/ and /var/lib"))], ""),
    ("registry-host", &[("a.md", concat!("from cra", "tes.io"))], "a.md:1"),
    ("registry-host", &[("Cargo.lock", concat!("from cra", "tes.io")), ("a.md", "cargo fetch")], ""),
    ("assistant", &[("a.md", concat!("\nby Chat", "GPT"))], "a.md:2"),
    ("assistant", &[("a.md", "cursors page forward; a pilot programme opens air routes")], ""),
];

const LAYER_CASES: &[Case] = &[
    ("axum", &[("crates/city/src/bill/http.rs", "use axum::Router;")], ""),
    ("axum", &[("crates/city/src/http/problem.rs", "use axum::Router;")], ""),
    ("axum", &[("crates/yima/src/serve.rs", "use axum::Router;")], ""),
    ("axum", &[("crates/city/tests/common/mod.rs", "use axum::body::Body;")], ""),
    (
        "axum",
        &[("crates/city/src/bill/mod.rs", "// axum\nuse axum::Router;")],
        "crates/city/src/bill/mod.rs:2",
    ),
    ("axum", &[("crates/city/src/lib.rs", "type R = utoipa_axum::Router;")], "crates/city/src/lib.rs:1"),
    ("sqlx", &[("crates/store/src/lib.rs", "use sqlx::Any;")], ""),
    ("sqlx", &[("crates/city/src/bill/store.rs", "use store::query; // sqlx")], ""),
    ("sqlx", &[("crates/city/src/bill/store.rs", "\nuse sqlx::query;")], "crates/city/src/bill/store.rs:2"),
    ("balances", &[("crates/ledger/src/rules.rs", "a.debits_posted += 1;")], ""),
    ("balances", &[("crates/city/src/w.rs", "let b = a.credits_posted - a.debits_posted;")], ""),
    ("balances", &[("crates/city/src/w.rs", "if a.debits_posted == 1 { f(&a.debits_posted) }")], ""),
    ("balances", &[("crates/city/src/w.rs", "match x { _ if y == a.debits_posted => 1 }")], ""),
    ("balances", &[("crates/city/src/w.rs", "let Account { debits_posted, .. } = a;")], ""),
    (
        "balances",
        &[("crates/city/src/w.rs", "a.debits_posted = 1;\na.credits_pending += 1;")],
        "crates/city/src/w.rs:1 crates/city/src/w.rs:2",
    ),
    ("balances", &[("crates/city/src/w.rs", "f(&mut a.b.debits_pending)")], "crates/city/src/w.rs:1"),
    ("balances", &[("crates/yima/src/w.rs", "Account { debits_posted: 5, ..d }")], "crates/yima/src/w.rs:1"),
    ("balances", &[("crates/city/tests/w.rs", "a.debits_posted = 1;")], ""),
    ("balances", &[("crates/yima/src/ledger_cli/torture/w.rs", "a.debits_posted = 1;")], ""),
    (
        "balances",
        &[("crates/yima/src/ledger_cli/w.rs", "a.debits_posted = 1;")],
        "crates/yima/src/ledger_cli/w.rs:1",
    ),
    ("pure", &[("crates/city/src/bill/rules.rs", "use std::fmt;\nfn due(today: Date) {}")], ""),
    ("pure", &[("crates/city/src/bill/rules.rs", "use std::{fmt, fs};")], "crates/city/src/bill/rules.rs:1"),
    (
        "pure",
        &[("crates/city/src/bill/rules/late.rs", "fn f() { std::env::var(\"A\") }")],
        "crates/city/src/bill/rules/late.rs:1",
    ),
    (
        "pure",
        &[("crates/city/src/bill/rules.rs", "async fn f() {\n g().await\n}")],
        "crates/city/src/bill/rules.rs:1 crates/city/src/bill/rules.rs:2",
    ),
    ("pure", &[("crates/city/src/bill/mod.rs", "use std::fs;")], ""),
    (
        "pure",
        &[("crates/ledger/src/rules.rs", "let t = std::time::Instant::now();")],
        "crates/ledger/src/rules.rs:1",
    ),
    ("pure", &[("crates/codes/src/qr.rs", "use std::net::{IpAddr, Ipv4Addr};")], ""),
    ("pure", &[("crates/codes/src/qr.rs", "use tokio::fs;")], "crates/codes/src/qr.rs:1"),
    ("pure", &[("crates/codes/src/qr.rs", "use std::net::TcpStream;")], "crates/codes/src/qr.rs:1"),
    ("pure", &[("crates/codes/src/qr.rs", "let rand = 1; #[cfg(test)]\nmod tests { use std::fs; }")], ""),
    ("pure", &[("crates/codes/tests/qr.rs", "use std::fs;")], ""),
    ("pure", &[("crates/kernel/src/clock.rs", "std::time::SystemTime::now()")], ""),
    (
        "pure",
        &[("crates/kernel/src/money.rs", "std::time::SystemTime::now()")],
        "crates/kernel/src/money.rs:1",
    ),
    ("pure", &[("crates/kernel/src/clock.rs", "getrandom::fill(b)")], "crates/kernel/src/clock.rs:1"),
    (
        "pure",
        &[("crates/city/src/bill/rules.rs", "fn f(rng: &dyn Rng) { OsRng.u64() }")],
        "crates/city/src/bill/rules.rs:1",
    ),
    (
        "float",
        &[(
            "crates/city/src/a.rs",
            "let x: i64 = 1; // f64\nlet y = pair.0.1; let z = 0..9; let w = 1usize + 0xE0;",
        )],
        "",
    ),
    ("float", &[("crates/city/src/a.rs", "let x: f64 = y;")], "crates/city/src/a.rs:1"),
    (
        "float",
        &[("crates/kernel/src/a.rs", "let x = 1.5;\nlet y = 1e9;\nlet z = 2f32;")],
        "crates/kernel/src/a.rs:1 crates/kernel/src/a.rs:2 crates/kernel/src/a.rs:3",
    ),
    ("float", &[("crates/ledger/src/a.rs", "d.as_secs_f64()")], "crates/ledger/src/a.rs:1"),
    (
        "float",
        &[(
            "crates/store/src/a.rs",
            "let x: f64 = y; // float: a ratio shown to people\n// float: the same\nd.as_secs_f64()",
        )],
        "",
    ),
    ("float", &[("crates/store/src/a.rs", "let x: f64 = y; // float: \n")], "crates/store/src/a.rs:1"),
    ("float", &[("crates/city/tests/a.rs", "json!({\"minor\": 1.5})")], ""),
    ("float", &[("crates/city/tests/a.rs", "let x: f64 = 1.5;")], "crates/city/tests/a.rs:1"),
    ("float", &[("crates/yima/src/bench.rs", "let x: f64 = y;")], ""),
];

const WALLET: (&str, &str) = ("crates/city/src/wallet/mod.rs", "//! Money.");

const SLICE_CASES: &[Case] = &[
    (
        "slice-store",
        &[
            WALLET,
            (
                "crates/city/src/bill/mod.rs",
                "use crate::wallet::pay; mod store; use store::x; use self::store::y;",
            ),
        ],
        "",
    ),
    (
        "slice-store",
        &[WALLET, ("crates/city/src/bill/mod.rs", "use crate::{\n wallet::store};")],
        "crates/city/src/bill/mod.rs:2",
    ),
    (
        "slice-store",
        &[WALLET, ("crates/city/src/bill/store.rs", "super::super::wallet::store::x()")],
        "crates/city/src/bill/store.rs:1",
    ),
    (
        "slice-store",
        &[WALLET, ("crates/city/src/bill/mod.rs", "super::wallet::store::x()")],
        "crates/city/src/bill/mod.rs:1",
    ),
    (
        "slice-store",
        &[WALLET, ("crates/yima/src/main.rs", "city::wallet::store::x()")],
        "crates/yima/src/main.rs:1",
    ),
    (
        "slice-store",
        &[WALLET, ("crates/city/src/books.rs", "crate::wallet::store::x()")],
        "crates/city/src/books.rs:1",
    ),
    ("slice-cycle", &[WALLET, ("crates/city/src/bill/mod.rs", "use crate::wallet; use crate::bill::x;")], ""),
    (
        "slice-cycle",
        &[
            ("crates/city/src/bill/mod.rs", "use crate::wallet;"),
            ("crates/city/src/wallet/mod.rs", "\nuse crate::{City, trade};"),
            ("crates/city/src/trade/rules.rs", "\n\nfn f() { super::super::bill::g() }"),
        ],
        "crates/city/src/bill/mod.rs:1 crates/city/src/trade/rules.rs:3 crates/city/src/wallet/mod.rs:2",
    ),
    (
        "slice-cycle",
        &[
            ("crates/city/src/bill/mod.rs", "use crate::wallet;"),
            ("crates/city/src/wallet/mod.rs", "#[cfg(test)]\nmod tests { use crate::bill; }"),
            ("crates/city/src/lib.rs", "pub mod bill; use crate::{bill, wallet};"),
        ],
        "",
    ),
];

const RUNNER: (&str, &str) = (
    "crates/store/src/migrate.rs",
    "(1, \"a\", include_str!(\"../migrations/0001_wallet.sql\")), (2, \"b\", include_str!(\"../migrations/0002_bill.sql\"))",
);
const M1: (&str, &str) = (
    "crates/store/migrations/0001_wallet.sql",
    "CREATE TABLE purse (\n id BYTEA NOT NULL PRIMARY KEY, -- a, b UUID\n owner TEXT,\n at BIGINT CHECK (at IN (1, 2)),\n UNIQUE (id, at)\n);",
);
const M2: (&str, &str) = ("crates/store/migrations/0002_bill.sql", "CREATE TABLE bill (id BYTEA);");

const SQL_CASES: &[Case] = &[
    ("sql-text", &[("crates/city/src/bill/store.rs", "\"SELECT 1\"")], ""),
    ("sql-text", &[("crates/city/src/bill/store/claims.rs", "\"SELECT 1\"")], ""),
    ("sql-text", &[("crates/city/src/bill/mod.rs", "\"UPDATE to come\"; \"select one\"")], ""),
    (
        "sql-text",
        &[("crates/city/src/bill/mod.rs", "f(\n\"UPDATE a SET b = 1\")")],
        "crates/city/src/bill/mod.rs:2",
    ),
    ("sql-text", &[("crates/yima/src/main.rs", "r#\"\n  SELECT 1\"#")], "crates/yima/src/main.rs:1"),
    ("sql-text", &[("crates/city/tests/a.rs", "\"SELECT 1\"")], ""),
    (
        "sql-table",
        &[M1, M2, ("crates/city/src/bill/store.rs", "\"SELECT id FROM bill\"; \"taken from purse\"")],
        "",
    ),
    (
        "sql-table",
        &[M1, M2, ("crates/city/src/bill/store.rs", "\"SELECT id\n FROM bill JOIN purse\"")],
        "crates/city/src/bill/store.rs:2",
    ),
    (
        "sql-table",
        &[M1, M2, ("crates/city/src/bill/store.rs", "\"UPDATE purse SET a = 1\"")],
        "crates/city/src/bill/store.rs:1",
    ),
    (
        "sql-table",
        &[
            M1,
            (
                "crates/city/src/wallet/store.rs",
                "\"INSERT INTO purse VALUES (1) ON CONFLICT DO UPDATE SET a = 1\"",
            ),
        ],
        "",
    ),
    ("sql-column", &[M1, M2], ""),
    (
        "sql-column",
        &[(
            "crates/store/migrations/0001_a.sql",
            "CREATE TABLE a (\n b BOOLEAN,\n c TEXT,\n d UUID NOT NULL)",
        )],
        "crates/store/migrations/0001_a.sql:2 crates/store/migrations/0001_a.sql:4",
    ),
    (
        "sql-column",
        &[("crates/store/migrations/0001_a.sql", "ALTER TABLE a ADD COLUMN b INTEGER;")],
        "crates/store/migrations/0001_a.sql:1",
    ),
    (
        "sql-column",
        &[("crates/store/migrations/0001_a.sql", "CREATE TABLE IF NOT EXISTS a (balance_minor BIGINT)")],
        "crates/store/migrations/0001_a.sql:1",
    ),
    ("migration", &[M1, M2, RUNNER], ""),
    (
        "migration",
        &[M1, M2, ("crates/store/migrations/0003_x.sql", ""), RUNNER],
        "crates/store/migrations/0003_x.sql:1",
    ),
    ("migration", &[M2, RUNNER], "crates/store/migrations/0002_bill.sql:1"),
];

const BILLS: &str =
    "[package]\nname = \"city\"\n[lints]\nworkspace = true\n[dependencies]\nstore.workspace = true\n";
const DENY: (&str, &str) =
    ("deny.toml", "[bans]\ndeny = [\n { crate = \"chrono\", reason = \"jiff\" },\n \"diesel\",\n]\n");

/// A manifest of a crate that uses serde and a crate of our own.
const USER: (&str, &str) =
    ("crates/city/Cargo.toml", "[dependencies]\nserde.workspace = true\nkernel.workspace = true");

const MANIFEST_CASES: &[Case] = &[
    ("direction", &[("crates/city/Cargo.toml", BILLS)], ""),
    (
        "direction",
        &[(
            "crates/kernel/Cargo.toml",
            "[package]\nname = \"kernel\"\n[dependencies]\nledger.workspace = true",
        )],
        "crates/kernel/Cargo.toml:4",
    ),
    (
        "direction",
        &[(
            "crates/ledger/Cargo.toml",
            "[package]\nname = \"ledger\"\n[dev-dependencies]\ndb = { package = \"store\", path = \"x\" }",
        )],
        "crates/ledger/Cargo.toml:4",
    ),
    ("direction", &[("crates/new/Cargo.toml", "[package]\nname = \"new\"")], "crates/new/Cargo.toml:1"),
    (
        "direction",
        &[(
            "crates/store/Cargo.toml",
            "[package]\nname = \"store\"\n[target.'cfg(unix)'.dependencies]\ncity.workspace = true",
        )],
        "crates/store/Cargo.toml:4",
    ),
    ("lints", &[("crates/city/Cargo.toml", BILLS)], ""),
    (
        "lints",
        &[("crates/city/Cargo.toml", "[package]\nname = \"city\""), ("xtask/Cargo.toml", "not toml")],
        "crates/city/Cargo.toml:1 xtask/Cargo.toml:1 xtask/Cargo.toml:1",
    ),
    ("one-version", &[("crates/city/Cargo.toml", BILLS)], ""),
    (
        "one-version",
        &[("crates/city/Cargo.toml", "[dependencies]\nserde = \"1\"\n")],
        "crates/city/Cargo.toml:2",
    ),
    (
        "dependency-why",
        &[
            USER,
            ("Cargo.toml", "[workspace.dependencies]\nkernel = { path = \"k\" }\nserde = \"1\""),
            ("docs/decisions/dependencies.md", "| `serde` | why |"),
        ],
        "",
    ),
    (
        "dependency-why",
        &[
            USER,
            ("Cargo.toml", "[workspace.dependencies]\nserde_json = \"1\"\nserde = \"1\""),
            ("docs/decisions/dependencies.md", "| `serde_json` | why |"),
        ],
        "Cargo.toml:2 Cargo.toml:3",
    ),
    (
        "dependency-why",
        &[
            USER,
            ("Cargo.toml", "[workspace.dependencies]\n"),
            ("docs/decisions/dependencies.md", "# D\n| `serde` | why |"),
        ],
        "docs/decisions/dependencies.md:2",
    ),
    ("banned", &[DENY, ("Cargo.lock", "[[package]]\nname = \"jiff\"\n")], ""),
    (
        "banned",
        &[DENY, ("Cargo.lock", "[[package]]\nname = \"chrono\"\n[[package]]\nname = \"diesel\"")],
        "Cargo.lock:2 Cargo.lock:4",
    ),
    ("banned", &[("Cargo.toml", ""), ("Cargo.lock", "")], "Cargo.toml:1"),
];

fn all() -> impl Iterator<Item = &'static Case> {
    [TEXT_CASES, LAYER_CASES, SLICE_CASES, SQL_CASES, MANIFEST_CASES].into_iter().flatten()
}

fn found(rule: &Rule, tree: &Tree) -> String {
    let mut hits = (rule.check)(tree);
    hits.sort();
    let places: Vec<_> = hits.iter().map(|hit| format!("{}:{}", hit.path, hit.line)).collect();
    places.join(" ")
}

#[test]
fn rules_find_what_they_must_and_nothing_else() {
    for (name, files, expected) in all() {
        let rule = RULES.iter().find(|rule| rule.name == *name).expect("a rule of this name");
        assert_eq!(found(rule, &Tree::of(files)), *expected, "{name}: {files:#?}");
    }
}

#[test]
fn length_counts_source_and_tests_apart() {
    let (long, longer) = ("x\n".repeat(701), "x\n".repeat(1001));
    let generated = format!("// @generated by openapi\n{longer}");
    let rule = RULES.iter().find(|rule| rule.name == "length").expect("the rule");
    for (path, text, expected) in [
        ("a/b.rs", &long[2..], ""),
        ("a/b.rs", &long, "a/b.rs:701"),
        ("a/tests/b.rs", &long, ""),
        ("a/tests/b.rs", &longer, "a/tests/b.rs:1001"),
        ("a/b.ts", &generated, ""),
        ("a/b.csv", &longer, ""),
    ] {
        assert_eq!(found(rule, &Tree::of(&[(path, text)])), expected, "{path}");
    }
}

#[test]
fn every_rule_is_tested_both_ways() {
    for rule in RULES.iter().filter(|rule| rule.name != "length") {
        let of_rule =
            |fires: bool| all().filter(move |(n, _, e)| *n == rule.name && e.is_empty() != fires).count();
        assert!(of_rule(true) > 0, "{} never fires in a test", rule.name);
        assert!(of_rule(false) > 0, "{} is never content in a test", rule.name);
    }
}

#[test]
fn a_circle_is_told_as_a_way() {
    let tree = Tree::of(&[
        ("crates/city/src/bill/mod.rs", "use crate::trade;"),
        ("crates/city/src/trade/mod.rs", "use crate::bill;"),
    ]);
    let rule = RULES.iter().find(|rule| rule.name == "slice-cycle").expect("the rule");
    assert!((rule.check)(&tree)[0].message.ends_with("bill → trade → bill"));
}

#[test]
fn licences_are_judged_by_their_expression() {
    let allowed = ["MIT", "Zlib", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR GPL-3.0) AND Zlib", true),
        ("MIT OR GPL-3.0 AND AGPL-3.0", true),
        ("(MIT OR GPL-3.0) AND AGPL-3.0", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0", false),
        ("(MIT", false),
        ("MIT MIT", false),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    }
    let judged = judge("a v1|MIT\na v1|MIT (*)\nb v2 (x)|GPL-3.0\n\nc v3|\n", &allowed);
    assert_eq!(judged.read, 3);
    assert_eq!(
        judged.refused,
        ["b v2 has GPL-3.0, which is not allowed", "c v3 has no licence, which is not allowed"]
    );
}
