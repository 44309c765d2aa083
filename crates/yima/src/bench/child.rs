//! The server under test, as a process of its own: started, stopped politely, killed, started again on
//! the same data and port. Everything it needs to know about itself goes in by flags.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::client::Client;
use crate::config::Fail;

/// How long a server may take to answer after it was started.
const READY_MAX: Duration = Duration::from_mins(2);
/// How long a server may take to stop after it was told to; above the time it gives open connections.
const STOP_MAX: Duration = Duration::from_mins(1);
/// How often it is asked whether it is there, or gone.
const POLL: Duration = Duration::from_millis(2);

/// A directory for one run, removed with the value unless it is to be kept.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    keep: bool,
}

impl Scratch {
    /// `given`, which must be empty or not there and is kept; else a fresh directory among the temporary ones.
    pub fn new(given: Option<&Path>, name: &str) -> Result<Scratch, Fail> {
        let keep = given.is_some();
        let path = given.map_or_else(
            || std::env::temp_dir().join(format!("yima-bench-{name}-{}", std::process::id())),
            Path::to_owned,
        );
        let at = |e| Fail::new(format!("{}: {e}", path.display()));
        fs::create_dir_all(&path).map_err(at)?;
        if fs::read_dir(&path).map_err(at)?.next().is_some() {
            return Err(Fail::new(format!(
                "{} is not empty; a benchmark starts from nothing",
                path.display()
            )));
        }
        Ok(Scratch { path, keep })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the directory for somebody to look at.
    pub fn keep(&mut self) {
        self.keep = true;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.keep {
            let _ = fs::remove_dir_all(&self.path); // what cannot be removed is the machine's temporary directory's care
        }
    }
}

/// The server's process.
#[derive(Debug)]
pub struct Server {
    binary: PathBuf,
    data: PathBuf,
    /// Where it listens.
    pub addr: SocketAddr,
    child: Child,
    log_seen: u64,
}

/// A line of the server's log.
#[derive(Debug, Deserialize)]
struct LogLine {
    level: String,
    fields: LogFields,
}

#[derive(Debug, Deserialize)]
struct LogFields {
    message: Option<String>,
    bytes: Option<u64>,
}

/// What the server said since it was last asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Bytes of unfinished writes it cut from the journal's end.
    pub torn_bytes: u64,
    /// Everything at level error, and what was no log line at all.
    pub errors: Vec<String>,
}

impl Server {
    /// Makes the city's first operator and starts the server on a free port. Answers with the operator's key.
    pub async fn create(data: &Path) -> Result<(Server, String), Fail> {
        let binary = std::env::current_exe()?;
        let mut make = clean(&binary);
        make.arg("operator").arg("--data").arg(data).args(["--name", "bench"]);
        let made = make.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
        if !made.status.success() {
            return Err(Fail::new(format!("`yima operator` failed: {}", made.status)));
        }
        let key = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        let addr = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let child = spawn(&binary, data, addr)?;
        let mut server = Server { binary, data: data.to_owned(), addr, child, log_seen: 0 };
        server.ready().await?;
        Ok((server, key))
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its one-time codes go.
    pub fn messages(&self) -> PathBuf {
        self.data.join("messages.jsonl")
    }

    /// Where its ledger is.
    pub fn ledger(&self) -> PathBuf {
        self.data.join("ledger")
    }

    /// Where its log is.
    pub fn log(&self) -> PathBuf {
        log_path(&self.data)
    }

    /// Kills it where it stands (SIGKILL).
    pub fn kill(&mut self) -> Result<(), Fail> {
        if let Some(status) = self.child.try_wait()? {
            return Err(Fail::new(format!("the server was gone before it was killed: {status}")));
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again on the same data and port; answers with how long it took until it answered.
    pub async fn start_again(&mut self) -> Result<Duration, Fail> {
        let begun = Instant::now();
        self.child = spawn(&self.binary, &self.data, self.addr)?;
        self.ready().await?;
        Ok(begun.elapsed())
    }

    /// Tells it to stop (SIGTERM) and waits until it has.
    pub async fn stop(&mut self) -> Result<ExitStatus, Fail> {
        // The shell's own `kill` is there on every system; the standard library only has SIGKILL.
        let told =
            Command::new("sh").args(["-c", "kill -TERM \"$0\""]).arg(self.pid().to_string()).status()?;
        if !told.success() {
            return Err(Fail::new("the server was gone before it was stopped"));
        }
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if begun.elapsed() > STOP_MAX {
                return Err(Fail::new(format!("the server does not stop within {} s", STOP_MAX.as_secs())));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// What it has logged since the last call.
    pub fn said(&mut self) -> Result<Said, Fail> {
        let mut log = File::open(self.log())?;
        log.seek(SeekFrom::Start(self.log_seen))?;
        let mut text = String::new();
        log.read_to_string(&mut text)?;
        self.log_seen += text.len() as u64;
        Ok(said(&text))
    }

    async fn ready(&mut self) -> Result<(), Fail> {
        let begun = Instant::now();
        let mut client = Client::new(self.addr);
        loop {
            if let Some(status) = self.child.try_wait()? {
                let log = fs::read_to_string(self.log()).unwrap_or_default();
                let last = log.lines().last().unwrap_or("it logged nothing");
                return Err(Fail::new(format!("the server did not start ({status}): {last}")));
            }
            if let Ok(answer) = client.get("/healthz", "").await
                && answer.status.is_success()
            {
                return Ok(());
            }
            if begun.elapsed() > READY_MAX {
                return Err(Fail::new(format!(
                    "the server does not answer within {} s",
                    READY_MAX.as_secs()
                )));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already, on every path but a failed one.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_path(data: &Path) -> PathBuf {
    data.join("server.log")
}

fn spawn(binary: &Path, data: &Path, addr: SocketAddr) -> Result<Child, Fail> {
    let log = OpenOptions::new().create(true).append(true).open(log_path(data))?;
    let child = clean(binary)
        .arg("serve")
        .arg("--data")
        .arg(data)
        .args(["--addr", &addr.to_string(), "--rate-limit", "0", "--log", "warn", "--log-format", "json"])
        .args(["--four-eyes-limit", &super::town::DEPOSIT_MINOR.to_string()])
        .arg("--sender")
        .arg(format!("file:{}", data.join("messages.jsonl").display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()?;
    Ok(child)
}

/// The binary without the settings of this process's environment: a benchmark says what it measures.
pub fn clean(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("YIMA_") {
            command.env_remove(name);
        }
    }
    command
}

fn said(log: &str) -> Said {
    let mut said = Said::default();
    for line in log.lines() {
        match serde_json::from_str::<LogLine>(line) {
            Ok(line) if line.level == "ERROR" => {
                said.errors.push(line.fields.message.unwrap_or_else(|| "an error without words".to_owned()));
            }
            Ok(line) => said.torn_bytes += line.fields.bytes.unwrap_or(0),
            Err(_) => said.errors.push(line.to_owned()),
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_understood() {
        let log = "{\"timestamp\":\"t\",\"level\":\"WARN\",\"fields\":{\"message\":\"cut an unfinished write at \
                   the journal's end\",\"bytes\":96,\"frame\":7}}\n\
                   {\"timestamp\":\"t\",\"level\":\"ERROR\",\"fields\":{\"message\":\"request failed\"}}\n\
                   thread panicked\n";
        let errors = vec!["request failed".to_owned(), "thread panicked".to_owned()];
        assert_eq!(said(log), Said { torn_bytes: 96, errors });
        assert_eq!(said(""), Said::default());
    }
}
