//! `yima`: the whole platform in one binary. This file says which command runs what; it decides nothing.

mod api;
mod bench;
mod client;
mod config;
mod counterpart;
mod coverage_cli;
mod demo;
mod doors;
mod ledger_cli;
mod limits;
mod metrics;
mod pack_cli;
mod samples;
mod server;
mod sim;
mod tour;
mod web;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Fail, Flags};

/// Yima (一码): an open, self-hostable cashless-city platform.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the city over HTTP.
    Serve(Flags),
    /// Serve a demo city that already lives: residents, shops, billers, bills.
    Demo(Flags),
    /// Walk through the main job, from a biller's file to reconciled books; exits 0 only if they agree.
    Tour(tour::Options),
    /// Make an operator and print its API key: the first key of a city. The server must not be running.
    Operator {
        #[command(flatten)]
        flags: Flags,
        /// What to call the operator.
        #[arg(long, default_value = "operator")]
        name: String,
    },
    /// Import a biller's bill file. The server must not be running; it takes files over the API.
    Import(demo::ImportOptions),
    /// Look into the ledger.
    #[command(subcommand)]
    Ledger(ledger_cli::Command),
    /// Measure.
    #[command(subcommand)]
    Bench(bench::Command),
    /// Play a biller or a bank that is asked: the other side of a pack, with faults.
    #[command(subcommand)]
    Counterpart(counterpart::Command),
    /// Compare regions.
    #[command(subcommand)]
    Coverage(coverage_cli::Command),
    /// Write, prove and explain the packs of billers.
    #[command(subcommand)]
    Pack(pack_cli::Command),
    /// Play a city through time, with faults, and prove what came of it.
    #[command(subcommand)]
    Sim(sim::Command),
    /// Print the OpenAPI 3.1 document.
    Openapi,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(cli.command)),
        Err(e) => Err(Fail::new(format!("cannot start: {e}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("yima: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), Fail> {
    match command {
        Command::Serve(flags) => server::serve(&flags.load()?).await,
        Command::Demo(flags) => demo::demo(&flags).await,
        Command::Tour(options) => tour::tour(&options).await,
        Command::Operator { flags, name } => demo::operator(&flags.load()?, &name).await,
        Command::Import(options) => demo::import(&options).await,
        Command::Ledger(command) => ledger_cli::run(command).await,
        Command::Bench(command) => bench::run(command).await,
        Command::Counterpart(command) => counterpart::run(&command).await,
        Command::Coverage(command) => coverage_cli::run(&command),
        Command::Pack(command) => pack_cli::run(&command).await,
        Command::Sim(command) => sim::run(&command).await,
        Command::Openapi => {
            println!("{}", api::document_text());
            Ok(())
        }
    }
}
