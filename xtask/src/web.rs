//! The web front ends in `web/`: fetches what they are built with, checks their texts and types, and builds `web/dist`, which the
//! server's own build embeds. It writes nowhere
//! else but `web/node_modules` and `web/src/api`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::run::{Result, cargo, find, output, root, run};

/// The oldest Node.js that Vite runs on.
const NODE_MIN: (u32, u32) = (20, 19);

fn web() -> PathBuf {
    root().join("web")
}

/// A command of npm's in `web/`.
fn npm(words: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.args(words).current_dir(web());
    command
}

/// Whether Node.js and npm are there; says exactly what is missing.
fn toolchain() -> Result<()> {
    let wanted =
        format!("Node.js {}.{} or newer with npm is needed for the web front ends", NODE_MIN.0, NODE_MIN.1);
    if find("node").is_none() || find("npm").is_none() {
        return Err(format!("{wanted}; on Debian: apt-get install nodejs npm (or from nodejs.org)"));
    }
    let version = output(Command::new("node").arg("--version"))?;
    let mut numbers = version.trim_start_matches('v').split('.').map_while(|n| n.parse::<u32>().ok());
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found < NODE_MIN { Err(format!("{wanted}; this is {version}")) } else { Ok(()) }
}

/// Fetches the packages that the lock file names, unless they are there already.
fn packages() -> Result<()> {
    let lock =
        fs::read(web().join("package-lock.json")).map_err(|e| format!("web/package-lock.json: {e}"))?;
    let stamp = web().join("node_modules/.yima-lock");
    if fs::read(&stamp).is_ok_and(|kept| kept == lock) {
        return Ok(());
    }
    run(&mut npm(&["ci", "--no-audit", "--no-fund", "--ignore-scripts"]))?;
    fs::write(&stamp, &lock).map_err(|e| format!("{}: {e}", stamp.display()))
}

/// Builds `web/dist` unless it is made from what lies there now. Fails if a text, a type or a size budget does not hold.
pub fn build() -> Result<()> {
    toolchain()?;
    packages()?;
    run(&mut npm(&["run", "--silent", "build"]))
}

/// Runs a script of `web/` with Node.js, against the server that cargo builds with `profile`.
fn script(words: &[&str], profile: &[&str]) -> Result<()> {
    build()?;
    let mut server = Command::new(cargo());
    server.args(["build", "--locked", "--package", "yima"]).args(profile).current_dir(root());
    run(&mut server)?;
    let folder = if profile.is_empty() { "debug" } else { "release" };
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let mut node = Command::new("node");
    node.args(words).current_dir(web()).env("YIMA_BINARY", target.join(folder).join("yima"));
    run(&mut node)
}

/// The browser tests: a real server, real stores, Chromium.
pub fn test() -> Result<()> {
    script(&["--test", "--test-concurrency=1", "e2e/"], &[])
}

/// Draws every screen at three widths in both themes into `DIR`.
pub fn screens(dir: &str) -> Result<()> {
    let dir = std::path::absolute(dir).map_err(|e| format!("{dir}: {e}"))?;
    script(&["e2e/screens.mjs", &dir.to_string_lossy()], &[])
}

/// First paint and input delay on a slowed processor and network.
pub fn bench() -> Result<()> {
    script(&["e2e/bench.mjs"], &["--release"])
}
