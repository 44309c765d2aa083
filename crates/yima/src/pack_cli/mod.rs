//! `yima pack`: what is done with biller packs before they go live.

pub mod certify;

use crate::config::Fail;

/// What to do.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Try packs against a whole city, the other side being played by the pack itself, and sign what came of it.
    Certify(certify::Options),
    /// Check a signed report of `certify`.
    Verify(certify::VerifyOptions),
}

/// Runs one.
pub async fn run(command: &Command) -> Result<(), Fail> {
    match command {
        Command::Certify(options) => certify::run(options).await,
        Command::Verify(options) => certify::verify(options),
    }
}
