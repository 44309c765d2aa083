//! `yima pack`: what an author of packs needs. Reads and writes files; knows no server and no database, but for
//! [`certify`], which has a city of its own.

pub mod certify;
mod check;
mod docs;
mod new;

use crate::config::Fail;

/// What to do with packs.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Print a new pack, complete and commented; what to change is marked.
    New(new::Options),
    /// Prove packs, and bill files with them; exits 0 only if all is right.
    Check(check::Options),
    /// Try packs against a whole city, the other side being played by the pack itself, and sign what came of it.
    Certify(certify::Options),
    /// Check a signed report of `certify`.
    Verify(certify::VerifyOptions),
    /// Print a page for the biller in Markdown: account numbers, files and calls with examples, settlement.
    Docs(docs::Options),
    /// Print the JSON Schema of packs, for editors.
    Schema,
}

/// The JSON Schema (draft 2020-12) of packs.
pub const SCHEMA: &str = include_str!("../../../../packs/schema.json");

/// Does it.
pub async fn run(command: &Command) -> Result<(), Fail> {
    match command {
        Command::New(options) => new::run(options),
        Command::Check(options) => check::run(options),
        Command::Certify(options) => certify::run(options).await,
        Command::Verify(options) => certify::verify(options),
        Command::Docs(options) => docs::run(options),
        Command::Schema => {
            print!("{SCHEMA}");
            Ok(())
        }
    }
}
