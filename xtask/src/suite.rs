//! `cargo xtask test`: everything that must hold before a change lands, in the order of what fails
//! fastest. The output of every step stays visible.

use std::process::Command;

use crate::postgres::Postgres;
use crate::run::{Result, Steps, cargo, root, run};
use crate::{tidy, tools, web};

/// The crates whose tests touch SQL; they run on both engines.
const SQL_CRATES: &[&str] = &["store", "city", "yima"];

fn cargo_in_root(words: &[&str]) -> Command {
    let mut command = Command::new(cargo());
    command.args(words).current_dir(root()).env_remove("YIMA_TEST_POSTGRES");
    command
}

/// Runs every step; `fast` leaves out what needs programs beyond Rust.
pub fn run_all(fast: bool) -> Result<()> {
    let mut steps = Steps::begin();
    let result = run_steps(&mut steps, fast);
    steps.summary();
    for left_out in result? {
        println!("not run: {left_out}");
    }
    Ok(())
}

/// Answers what could not be run, for people.
fn run_steps(steps: &mut Steps, fast: bool) -> Result<Vec<String>> {
    steps.step("format", || run(&mut cargo_in_root(&["fmt", "--all", "--check"])))?;
    steps.step("tidy", || {
        if tidy::run(root())? {
            Ok(())
        } else {
            Err("see above; `cargo xtask tidy --rules` explains".to_owned())
        }
    })?;
    if !fast {
        // First, because the server embeds them.
        steps.step("web front ends", web::build)?;
    }
    steps.step("clippy", || {
        let words = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        run(&mut cargo_in_root(&words))
    })?;
    steps.step("fuzz targets compile", || {
        let words =
            ["check", "--locked", "--manifest-path", "fuzz/Cargo.toml", "--target-dir", "target/fuzz"];
        // Nothing is linked, so libFuzzer's own C++ need not be compiled.
        run(cargo_in_root(&words).env("CUSTOM_LIBFUZZER_PATH", "/none/libfuzzer.a"))
    })?;
    let mut left_out = Vec::new();
    if fast {
        left_out.push(
            "PostgreSQL, the web front ends and the programs that check us from outside (--fast)".to_owned(),
        );
    } else {
        left_out = steps.step("programs", tools::set_up)?;
    }
    let complete = left_out.is_empty();
    let test = |words: &[&str]| {
        let mut command = cargo_in_root(&["test", "--locked", "--no-fail-fast"]);
        command.args(words);
        if complete {
            command.env("YIMA_REQUIRE_TOOLS", "1");
        }
        if let Some(python) = tools::python().filter(|_| !fast) {
            command.env("YIMA_PYTHON", python);
        }
        command
    };
    steps.step("test on SQLite", || run(&mut test(&["--workspace"])))?;
    if !fast && crate::postgres::bin_dir().is_some() {
        steps.step("test on PostgreSQL", || {
            let postgres = Postgres::start()?;
            println!("private PostgreSQL at {}", postgres.url);
            let crates: Vec<_> = SQL_CRATES.iter().flat_map(|name| ["--package", name]).collect();
            run(test(&crates).env("YIMA_TEST_POSTGRES", &postgres.url))
        })?;
    }
    if !fast && crate::run::find("chromium").is_some() {
        steps.step("test in Chromium", web::test)?;
    }
    Ok(left_out)
}
