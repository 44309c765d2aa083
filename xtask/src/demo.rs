//! `cargo xtask demo`: builds the release binary and becomes it, with a demo city in `data/demo`.

use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Result, cargo, root, run};
use crate::web;

/// Builds and starts `yima demo`. Answers only if that fails: on success this process is the server,
/// so Ctrl-C and every other signal reach it directly.
pub fn run_demo(addr: Option<&str>, data: Option<&Path>) -> Result<()> {
    // Said before minutes of building rather than after.
    if let Some(addr) = addr {
        TcpListener::bind(addr).map_err(|e| format!("cannot listen on {addr}: {e}"))?;
    }
    let data = match data {
        Some(dir) => std::path::absolute(dir).map_err(|e| format!("{}: {e}", dir.display()))?,
        None => PathBuf::from("data/demo"),
    };
    web::build()?;
    println!("building the server (the first time takes some minutes) …");
    run(&mut yima("build", &[]))?;
    let mut words: Vec<&std::ffi::OsStr> = vec!["--quiet".as_ref(), "--".as_ref(), "demo".as_ref()];
    words.extend(["--data".as_ref(), data.as_os_str()]);
    words.extend(addr.into_iter().flat_map(|addr| ["--addr".as_ref(), std::ffi::OsStr::new(addr)]));
    Err(format!("starting the server: {}", yima("run", &words).exec()))
}

fn yima(verb: &str, words: &[&std::ffi::OsStr]) -> Command {
    let mut command = Command::new(cargo());
    command.args([verb, "--release", "--locked", "--package", "yima"]).args(words).current_dir(root());
    command
}
