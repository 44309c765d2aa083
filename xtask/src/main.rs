//! The project's tasks: `cargo xtask demo`, `test`, `web`, `tidy`, `postgres`. Compiled first on a cold
//! machine, so it stays small: one dependency, no argument parser.

mod demo;
mod postgres;
mod run;
mod suite;
mod tidy;
mod tools;
mod web;

use std::path::Path;
use std::process::{Command, ExitCode};

const USAGE: &str = "\
usage: cargo xtask TASK

  demo [--addr HOST:PORT] [--data DIR]
      build the server and start it with a demo city living in DIR (data/demo)
  test [--fast]
      format, tidy, clippy, the web front ends, tests on SQLite and on a private PostgreSQL, tests in
      Chromium; installs Debian packages where it may; --fast needs nothing but Rust
  web
      build the web front ends into web/dist, which the server embeds
  web-bench
      measure them on a slowed processor and network
  screens [DIR]
      draw every screen, at three widths and in both themes, into DIR (web/screens)
  tidy [--rules]
      hold the layout rules; --rules lists them
  postgres -- COMMAND [ARGUMENT …]
      run COMMAND with YIMA_TEST_POSTGRES naming a private, temporary PostgreSQL
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match task(&words) {
        Ok(code) => code,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn task(words: &[&str]) -> run::Result<ExitCode> {
    match words {
        ["demo", rest @ ..] => {
            let (addr, data) = demo_options(rest)?;
            demo::run_demo(addr, data)?;
        }
        ["test"] => suite::run_all(false)?,
        ["test", "--fast"] => suite::run_all(true)?,
        ["web"] => web::build()?,
        ["web-bench"] => web::bench()?,
        ["screens"] => web::screens("web/screens")?,
        ["screens", dir] => web::screens(dir)?,
        ["tidy"] if !tidy::run(run::root())? => return Ok(ExitCode::FAILURE),
        ["tidy"] => {}
        ["tidy", "--rules"] => tidy::list(),
        ["postgres", "--", program, arguments @ ..] => {
            let postgres = postgres::Postgres::start()?;
            let mut command = Command::new(program);
            let ended = run::status(command.args(arguments).env("YIMA_TEST_POSTGRES", &postgres.url))?;
            let code = ended.code().and_then(|code| u8::try_from(code).ok());
            return Ok(code.map_or(ExitCode::FAILURE, ExitCode::from));
        }
        ["postgres-keeper"] => postgres::keep()?, // see postgres.rs; not for people
        ["help" | "--help" | "-h"] => print!("{USAGE}"),
        _ => return Err(USAGE.to_owned()),
    }
    Ok(ExitCode::SUCCESS)
}

/// `--addr` and `--data`, in any order.
fn demo_options<'a>(mut words: &[&'a str]) -> run::Result<(Option<&'a str>, Option<&'a Path>)> {
    let (mut addr, mut data) = (None, None);
    while let [option, value, rest @ ..] = words {
        match *option {
            "--addr" => addr = Some(*value),
            "--data" => data = Some(Path::new(*value)),
            _ => return Err(USAGE.to_owned()),
        }
        words = rest;
    }
    if words.is_empty() { Ok((addr, data)) } else { Err(USAGE.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demo_takes_its_two_options_in_any_order_and_nothing_else() {
        let dir = Some(Path::new("d"));
        for (words, expected) in [
            (&[][..], Some((None, None))),
            (&["--addr", "[::1]:1"], Some((Some("[::1]:1"), None))),
            (&["--data", "d", "--addr", "a"], Some((Some("a"), dir))),
            (&["--data"], None),
            (&["--port", "1"], None),
            (&["here"], None),
        ] {
            assert_eq!(demo_options(words).ok(), expected, "{words:?}");
        }
    }
}
