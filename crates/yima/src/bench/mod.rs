//! `yima bench …`: what the platform does a second, measured from outside.

use crate::config::Fail;

/// What to measure.
#[derive(clap::Subcommand)]
pub enum Command {}

/// Measures it.
pub async fn run(command: Command) -> Result<(), Fail> {
    match command {}
}
