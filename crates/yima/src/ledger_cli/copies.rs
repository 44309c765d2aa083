//! `yima ledger backup` and `restore`: what [`ledger::backup`] does, told to people.

use std::path::{Path, PathBuf};

use kernel::{Timestamp, hex};
use ledger::backup::{Reach, backup, restore};

use crate::config::Fail;

/// What to restore.
#[derive(clap::Args)]
pub struct Restore {
    /// A backup, or the directory of a ledger that no server runs on.
    from: PathBuf,
    /// The directory of the new ledger; it must be empty or not there.
    dir: PathBuf,
    /// Leave out what came after this moment: RFC 3339 (2026-03-01T09:30:00+08:00), or nanoseconds since 1970.
    #[arg(long, value_parser = moment)]
    at: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Nanoseconds since the Unix epoch.
fn moment(text: &str) -> Result<u64, String> {
    if let Ok(nanos) = text.parse() {
        return Ok(nanos);
    }
    let at: Timestamp = text.parse().map_err(|_| "neither RFC 3339 nor nanoseconds since 1970".to_owned())?;
    u64::try_from(at.as_nanos()).map_err(|_| "no ledger is older than 1970".to_owned())
}

fn rfc_3339(timestamp: u64) -> String {
    i64::try_from(timestamp)
        .map_or_else(|_| timestamp.to_string(), |ns| Timestamp::from_nanos(ns).to_string())
}

fn say(reach: &Reach) {
    println!("frames      {:>12}   chain and checksums hold", reach.frame);
    println!("until       {} ({})", rfc_3339(reach.timestamp), reach.timestamp);
    println!("head        {}", hex(&reach.head));
}

/// Copies the ledger in `dir` to `to`.
pub fn back_up(dir: &Path, to: &Path, json: bool) -> Result<(), Fail> {
    let made = backup(dir, to)?;
    if json {
        let made = serde_json::json!({
            "frames": made.reach.frame, "timestamp": made.reach.timestamp, "head": hex(&made.reach.head),
            "files": made.files, "new_frames": made.new_frames, "new_bytes": made.new_bytes,
        });
        println!("{made:#}");
        return Ok(());
    }
    say(&made.reach);
    println!("files       {:>12}", made.files);
    println!("new         {:>12}   frames, {} bytes", made.new_frames, made.new_bytes);
    Ok(())
}

/// Makes a new ledger of a copy.
pub fn bring_back(options: &Restore) -> Result<(), Fail> {
    let made = restore(&options.from, &options.dir, options.at)?;
    if options.json {
        let made = serde_json::json!({
            "frames": made.reach.frame, "timestamp": made.reach.timestamp, "head": hex(&made.reach.head),
            "files": made.files, "left_out": made.left_out, "left_out_until": made.left_out_until,
            "unfinished_bytes": made.unfinished_bytes,
        });
        println!("{made:#}");
        return Ok(());
    }
    say(&made.reach);
    println!("files       {:>12}", made.files);
    if made.left_out > 0 {
        println!("left out    {:>12}   later frames, until {}", made.left_out, rfc_3339(made.left_out_until));
    }
    if made.unfinished_bytes > 0 {
        println!("unfinished  {:>12}   bytes at the end, never acknowledged", made.unfinished_bytes);
    }
    println!("now run `yima ledger verify` on it: that works every balance out again");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_two_ways() {
        for (text, nanos) in [
            ("1700000000000000001", Some(1_700_000_000_000_000_001)),
            ("2023-11-14T22:13:20Z", Some(1_700_000_000_000_000_000)),
            ("2023-11-15T06:13:20.5+08:00", Some(1_700_000_000_500_000_000)),
            ("1969-12-31T23:59:59Z", None),
            ("2023-11-14", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(moment(text).ok(), nanos, "{text}");
        }
        assert_eq!(rfc_3339(1_700_000_000_500_000_000), "2023-11-14T22:13:20.5Z");
    }
}
