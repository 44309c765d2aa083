//! What certifying came to: the report, its canonical bytes, its signature, and how people read it. Must never call a
//! pack good of which a case failed.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use city::bill::certificate::{self, Certificate};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::Serialize;
use serde_json::Value;

use crate::config::Fail;

/// How a case ended.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should.
    Passed,
    /// Otherwise.
    Failed,
    /// The pack gives no occasion.
    NotApplicable,
}

/// A case.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
    /// Of which channel; absent for what concerns the pack as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Stable: `silent_after_debit`, `pay_code 2001 amount_differs`.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it failed, or does not apply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What certifying a pack came to. Amounts in minor units.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Of this format.
    pub format: u32,
    /// The pack's own name, or that of its file where it cannot be read.
    pub pack: String,
    /// SHA-256 of its text.
    pub pack_sha256: String,
    /// SHA-256 of the descriptions of the lines it was tried with, by name.
    pub lines: BTreeMap<String, String>,
    /// Which Yima tried it.
    pub yima: String,
    /// When, RFC 3339.
    pub at: String,
    /// What accounts and amounts were drawn from.
    pub seed: u64,
    /// Whether no case failed.
    pub passed: bool,
    /// Payments that were settled, and their sum.
    pub payments: u64,
    /// Minor units.
    pub amount_minor: i64,
    /// In the order they were tried.
    pub cases: Vec<Case>,
}

impl Report {
    /// How many cases ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.cases.iter().filter(|case| case.outcome == outcome).count()
    }

    /// For people.
    pub fn text(&self, all: bool) -> String {
        let count = |outcome| self.count(outcome);
        let mut out = format!(
            "{} {}: {} passed, {} failed, {} not applicable; {} payments, {} fen\n",
            if self.passed { "PASSED" } else { "FAILED" },
            self.pack,
            count(Outcome::Passed),
            count(Outcome::Failed),
            count(Outcome::NotApplicable),
            self.payments,
            self.amount_minor,
        );
        for case in self.cases.iter().filter(|case| all || case.outcome == Outcome::Failed) {
            let mark = match case.outcome {
                Outcome::Passed => "ok  ",
                Outcome::Failed => "FAIL",
                Outcome::NotApplicable => "n/a ",
            };
            let channel = case.channel.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
            let why = case.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            out.extend(["  ", mark, " ", &channel, &case.name, &why, "\n"]);
        }
        out
    }

    /// Signed.
    pub fn sign(&self, key: &Signer) -> Result<Value, Fail> {
        let report = serde_json::to_value(self)?;
        let signature = key.0.sign(&certificate::canonical(&report));
        Ok(serde_json::json!({
            "key": kernel::hex(key.0.public_key().as_ref()),
            "report": report,
            "signature": kernel::hex(signature.as_ref()),
        }))
    }
}

/// The key that an installation's reports are signed with.
pub struct Signer(Ed25519KeyPair);

impl Signer {
    /// The key of a file (PKCS#8, DER), which is made where there is none and only its owner can read.
    pub fn open(path: &Path) -> Result<Signer, Fail> {
        let at = |why: String| Fail::new(format!("{}: {why}", path.display()));
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
                    .map_err(|_| at("no key could be made".to_owned()))?;
                if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
                    std::fs::create_dir_all(dir)?;
                }
                let mut options = std::fs::OpenOptions::new();
                let opened = options.write(true).create_new(true).mode(0o600).open(path);
                let mut file = opened.map_err(|e| at(e.to_string()))?;
                file.write_all(made.as_ref())
                    .and_then(|()| file.sync_all())
                    .map_err(|e| at(e.to_string()))?;
                made.as_ref().to_vec()
            }
            Err(e) => return Err(at(e.to_string())),
        };
        let pair = Ed25519KeyPair::from_pkcs8(&bytes).map_err(|e| at(format!("no Ed25519 key: {e}")))?;
        Ok(Signer(pair))
    }

    /// Its public half, hexadecimal.
    pub fn public(&self) -> String {
        kernel::hex(self.0.public_key().as_ref())
    }
}

/// Reads a signed report and checks that this key signed it.
pub fn verify(path: &Path, key: &str) -> Result<Certificate, Fail> {
    let text = std::fs::read_to_string(path).map_err(|e| Fail::new(format!("{}: {e}", path.display())))?;
    certificate::verify(&text, &[key.to_owned()])
        .map_err(|why| Fail::new(format!("{}: {why}", path.display())))
}
