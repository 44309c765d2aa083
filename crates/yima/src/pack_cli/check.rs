//! `yima pack check`: whether packs are right, and whether bill files are what they say.

use std::path::{Path, PathBuf};

use city::operator::desk::{PackCheck, try_out};
use serde_json::json;

use crate::config::Fail;

/// The options of `yima pack check`.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// The packs.
    #[arg(required = true)]
    packs: Vec<PathBuf>,
    /// A bill file to be read with the pack (of one pack).
    #[arg(long)]
    sample: Vec<PathBuf>,
    /// Print JSON: one object a line.
    #[arg(long)]
    json: bool,
}

pub fn run(options: &Options) -> Result<(), Fail> {
    if !options.sample.is_empty() && options.packs.len() > 1 {
        return Err(Fail::new("--sample goes with one pack"));
    }
    let mut wrong = 0;
    for path in &options.packs {
        let text = std::fs::read_to_string(path).map_err(|e| named(path, &e))?;
        if options.sample.is_empty() {
            wrong += tell(options, path, &text, None)?;
        }
        for sample in &options.sample {
            wrong += tell(options, path, &text, Some(sample))?;
        }
    }
    if wrong > 0 { Err(Fail::new(format!("{wrong} not right"))) } else { Ok(()) }
}

fn named(path: &Path, why: &std::io::Error) -> Fail {
    Fail::new(format!("{}: {why}", path.display()))
}

/// Tries one pack out and says what came of it; how much is not right.
fn tell(options: &Options, path: &Path, text: &str, sample: Option<&PathBuf>) -> Result<usize, Fail> {
    let bytes = sample.map(|file| std::fs::read(file).map_err(|e| named(file, &e))).transpose()?;
    let trial = try_out(text, bytes.as_deref());
    let wrong: Vec<&PackCheck> = trial.checks.iter().filter(|check| !check.ok).collect();
    if options.json {
        let line = json!({
            "file": path.display().to_string(),
            "sample": sample.map(|file| file.display().to_string()),
            "ok": wrong.is_empty(),
            "checks": trial.checks,
        });
        println!("{line}");
        return Ok(wrong.len());
    }
    let shown = sample.map_or_else(|| path.display().to_string(), |file| file.display().to_string());
    if wrong.is_empty() {
        println!("{shown}: right");
    }
    for check in &wrong {
        let line = line_of(text, &check.place).map_or_else(String::new, |line| format!(":{line}"));
        let place = if check.place.is_empty() { String::new() } else { format!("{}: ", check.place) };
        let why = check.why.strip_prefix(&place).unwrap_or(&check.why);
        println!("{}{line}: {}: {place}{why}", path.display(), check.check);
    }
    Ok(wrong.len())
}

/// The line on which a key of a pack is written, `bills.file.delimiter`; that of its table when it is not there.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let (table, last) = key.rsplit_once('.').unwrap_or(("", key));
    let (mut inside, mut head) = (table.is_empty(), None);
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[') {
            let name = name.trim_start_matches('[').split(']').next().unwrap_or_default();
            inside = name == table;
            head = if inside { Some(at + 1) } else { head };
        } else if inside && line.split_once('=').is_some_and(|(name, _)| name.trim() == last) {
            return Some(at + 1);
        }
    }
    head
}

#[cfg(test)]
mod tests {
    use super::line_of;

    #[test]
    fn a_key_is_found_on_its_line() {
        let text = "id = \"a\"\n[name]\nzh = \"b\"\n\n[bills.file]\nshape = \"fixed\"\n";
        for (key, line) in [
            ("id", Some(1)),
            ("name.zh", Some(3)),
            ("bills.file.shape", Some(6)),
            ("bills.file.date", Some(5)),
        ] {
            assert_eq!(line_of(text, key), line, "{key}");
        }
        assert_eq!(line_of(text, "settlement.days"), None);
    }
}
