//! `yima bench …`: what the platform does a second, measured from outside, and proved.
//!
//! The benchmark is a client: it starts the server as a process of its own and speaks to it over loopback
//! HTTP through the public API, as anybody would. Figures are for people to read; nothing in the tests
//! depends on them. What must hold at any speed, and after any crash, is in `proof`: a run that cannot prove
//! it fails.

mod bills;
mod book;
mod child;
mod crash;
mod import;
mod ledger;
mod load;
mod machine;
mod matching;
mod pay;
mod plan;
mod progress;
mod proof;
mod town;
mod wire;

pub use self::child::Scratch;

use tokio::task::LocalSet;

use crate::config::Fail;

/// What to measure.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Payments a second, of every kind, and the proof that every one of them is in the ledger.
    Pay(pay::Options),
    /// Bills a second, from a biller's file to payable.
    Import(import::Options),
    /// Transfers a second of a ledger engine, beside other engines that get the same.
    Ledger(ledger::Options),
    /// The three-way match of a day with millions of payments, beside a database that does the same join.
    Match(matching::Options),
    /// Kill the server again and again under load; prove that nothing acknowledged is lost, nothing paid twice.
    Crash(crash::Options),
}

/// Measures it.
pub async fn run(command: Command) -> Result<(), Fail> {
    // One thread for the whole client: no locks, and the other core is the server's.
    let client = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, async move {
            match command {
                Command::Pay(options) => pay::run(&options).await,
                Command::Import(options) => import::run(&options).await,
                Command::Ledger(options) => ledger::run(&options).await,
                Command::Match(options) => matching::run(&options),
                Command::Crash(options) => crash::run(&options).await,
            }
        })
    });
    client.await?
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: impl Into<u128>) -> String {
    let digits = number.into().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Microseconds as milliseconds with two decimals.
fn ms(us: u64) -> String {
    format!("{}.{:02}", us / 1_000, us % 1_000 / 10)
}

/// How many a second, rounded down.
fn per_second(count: u64, took: std::time::Duration) -> u64 {
    let us = took.as_micros().max(1);
    u64::try_from(u128::from(count) * 1_000_000 / us).unwrap_or(u64::MAX)
}

/// Prints the violations of a run: the first in words, the rest counted.
fn tell(violations: &[String]) {
    for violation in violations.iter().take(proof::TOLD_MAX) {
        println!("VIOLATION   {violation}");
    }
    if violations.len() > proof::TOLD_MAX {
        println!("VIOLATION   and {} more", violations.len() - proof::TOLD_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn figures_for_people() {
        for (number, text) in [(0_u64, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!((ms(0), ms(1_239), ms(60_000_000)), ("0.00".into(), "1.23".into(), "60000.00".into()));
        assert_eq!(per_second(10, Duration::from_millis(500)), 20);
        assert_eq!(per_second(0, Duration::ZERO), 0);
    }
}
