//! The observer's hand on the victim: starts it, talks to it, and kills it (SIGKILL) after a time.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::wire::{self, Message};
use crate::config::Fail;

/// The victim answers nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// A victim.
pub struct Victim {
    child: Arc<Mutex<Child>>,
    input: ChildStdin,
    answers: Receiver<(u64, Message)>,
    killed: Arc<AtomicBool>,
    timer: Option<(Sender<()>, JoinHandle<()>)>,
    told_to_close: bool,
}

/// How a victim ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By the kill.
    Killed,
    /// It was told to close, and had before it could be killed.
    Closed,
}

impl Victim {
    /// Starts one on the ledger in `dir`; what it complains about goes to `log`.
    pub fn start(dir: &Path, file_bytes: u64, log: &Path) -> Result<Victim, Fail> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["ledger", "torture-victim", "--file-bytes", &file_bytes.to_string(), "--dir"])
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(log)?)
            .spawn()?;
        let (Some(input), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Fail::new("the victim has no pipes"));
        };
        let (told, answers) = mpsc::channel();
        std::thread::spawn(move || {
            // Whatever it managed to say counts, also what is read after the kill.
            while let Ok(Some(message)) = wire::read(&mut output) {
                if told.send(message).is_err() {
                    return;
                }
            }
        });
        let child = Arc::new(Mutex::new(child));
        let killed = Arc::new(AtomicBool::new(false));
        Ok(Victim { child, input, answers, killed, timer: None, told_to_close: false })
    }

    /// Kills it after `life`, whatever it is doing then.
    pub fn kill_after(&mut self, life: Duration) {
        let (cancel, cancelled) = mpsc::channel();
        let (child, killed) = (self.child.clone(), self.killed.clone());
        let timer = std::thread::spawn(move || {
            if cancelled.recv_timeout(life) == Err(RecvTimeoutError::Timeout) {
                let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
                // Only a victim that has not ended by itself is killed, and only then it says so.
                if matches!(child.try_wait(), Ok(None)) {
                    killed.store(true, Ordering::Release);
                    let _ = child.kill(); // it ended this moment; how, its status tells
                }
            }
        });
        self.timer = Some((cancel, timer));
    }

    /// Sends a request.
    pub fn ask(&mut self, number: u64, request: &Message) -> Result<(), Gone> {
        self.told_to_close |= *request == Message::Close;
        wire::write(&mut self.input, number, request).map_err(|_| Gone)
    }

    /// The next answer; `None` if there is none within `wait`.
    pub fn hear(&self, wait: Duration) -> Result<Option<(u64, Message)>, Gone> {
        match self.answers.recv_timeout(wait) {
            Ok(answer) => Ok(Some(answer)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Gone),
        }
    }

    /// Waits for its end. Hands out what it said and nobody heard.
    pub fn end(mut self, log: &Path) -> Result<(End, Vec<(u64, Message)>), Fail> {
        let rest: Vec<_> = self.answers.iter().collect(); // its output ends when it does
        let status = self.child.lock().unwrap_or_else(PoisonError::into_inner).wait()?;
        if let Some((cancel, timer)) = self.timer.take() {
            let _ = cancel.send(()); // refused only if it has gone off
            let _ = timer.join(); // it does nothing that can fail
        }
        if self.killed.load(Ordering::Acquire) && status.signal() == Some(9) {
            return Ok((End::Killed, rest));
        }
        if self.told_to_close && status.success() {
            return Ok((End::Closed, rest));
        }
        let said = std::fs::read_to_string(log).unwrap_or_default();
        Err(Fail::new(format!("the engine's process ended by itself ({status}): {}", said.trim())))
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        // Gone already, on every path but a failed one.
        let _ = child.kill();
        let _ = child.wait();
    }
}
