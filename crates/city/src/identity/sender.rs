//! The door messages leave through: to the console, into a file, or (as another implementation of
//! [`MessageSender`]) to an SMS gateway.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use store::BoxFuture;

/// A message to a person. The text holds a secret: it must not be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// E.164.
    pub phone: String,
    /// What it is about, for gateways that want a template: `sign_in_code`, `due_soon`.
    pub template: &'static str,
    /// The one-time code; empty in a note.
    pub code: String,
    /// The text of a note; none with a one-time code.
    pub note: Option<String>,
}

impl Message {
    /// The text as a person reads it.
    pub fn text(&self) -> String {
        if let Some(note) = &self.note {
            return note.clone();
        }
        format!("【一码】验证码 {}，5 分钟内有效，请勿告诉他人。Your Yima code is {}.", self.code, self.code)
    }
}

/// Sends messages. `Ok` means that the message was handed over, not that it was read.
pub trait MessageSender: Send + Sync + 'static {
    /// Hands one message over; the error is one sentence for the operator's log.
    fn send(&self, message: Message) -> BoxFuture<'_, Result<(), String>>;
}

/// Writes each message to standard output: for a first try on a laptop.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConsoleSender;

impl MessageSender for ConsoleSender {
    fn send(&self, message: Message) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let mut out = std::io::stdout().lock();
            writeln!(out, "message to {}: {}", message.phone, message.text()).map_err(|e| e.to_string())
        })
    }
}

/// Appends each message to a file, one JSON object a line: `{"phone","template","code","text"}`.
#[derive(Clone, Debug)]
pub struct FileSender {
    path: PathBuf,
}

impl FileSender {
    /// Appends to `path`, which is made when missing, for its owner alone (mode 0600).
    pub fn new(path: PathBuf) -> FileSender {
        FileSender { path }
    }
}

impl MessageSender for FileSender {
    fn send(&self, message: Message) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let line = serde_json::json!({
                "phone": message.phone, "template": message.template, "code": message.code, "text": message.text(),
            });
            // One short append under O_APPEND: lines of concurrent senders do not mix.
            let mut options = OpenOptions::new();
            // Whoever can read the file can sign in as anybody.
            options.create(true).append(true).mode(0o600);
            let mut file = options.open(&self.path).map_err(|e| e.to_string())?;
            file.write_all(format!("{line}\n").as_bytes()).map_err(|e| e.to_string())
        })
    }
}
