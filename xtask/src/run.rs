//! Running other programs and timing steps, with the output in plain sight.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

/// What went wrong, for people.
pub type Result<T> = std::result::Result<T, String>;

/// The cargo that runs this task, so that every step uses the same toolchain.
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root")
}

/// Finds `program` on PATH.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// Runs `command` with its output shown and answers how it ended.
pub fn status(command: &mut Command) -> Result<ExitStatus> {
    let program = command.get_program().display().to_string();
    command.status().map_err(|e| format!("{program}: {e}"))
}

/// Runs `command` with its output shown; anything but success is an error that names it.
pub fn run(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", line(command))) }
}

/// Runs `command` silently; answers what it printed, or its complaint as an error.
pub fn output(command: &mut Command) -> Result<String> {
    let out = command.output().map_err(|e| format!("{}: {e}", line(command)))?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned());
    }
    Err(format!("{}: {}\n{}", line(command), out.status, String::from_utf8_lossy(&out.stderr).trim()))
}

/// The command as one would type it.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words: Vec<_> = [program].into_iter().chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

/// Steps that are announced when they begin and timed when they end.
#[derive(Debug)]
pub struct Steps {
    began: Instant,
    done: Vec<(String, Duration)>,
}

impl Steps {
    pub fn begin() -> Steps {
        Steps { began: Instant::now(), done: Vec::new() }
    }

    /// Runs one step; the first that fails ends the task.
    pub fn step<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("==> {name}");
        let began = Instant::now();
        let result = work().map_err(|e| format!("{name}: {e}"));
        let took = began.elapsed();
        println!("    {name}: {} in {}", if result.is_ok() { "ok" } else { "FAILED" }, seconds(took));
        self.done.push((name.to_owned(), took));
        result
    }

    /// Prints every step with its time.
    pub fn summary(&self) {
        println!("\n{:>9}  step", "time");
        for (name, took) in &self.done {
            println!("{:>9}  {name}", seconds(*took));
        }
        println!("{:>9}  in all", seconds(self.began.elapsed()));
    }
}

fn seconds(time: Duration) -> String {
    format!("{}.{} s", time.as_secs(), time.subsec_millis() / 100)
}
