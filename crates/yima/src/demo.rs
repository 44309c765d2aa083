//! `yima demo`, `yima operator`, `yima import`: commands that act on the city of this machine directly.

use crate::config::{Config, Fail, Flags};
use crate::server::Running;

/// What to import.
#[derive(clap::Args)]
pub struct ImportOptions {}

/// Demo.
pub async fn demo(_: &Flags) -> Result<(), Fail> {
    Err(Fail::new("under construction"))
}

/// Import.
pub async fn import(_: &ImportOptions) -> Result<(), Fail> {
    Err(Fail::new("under construction"))
}

/// Makes an operator and prints its API key.
pub async fn operator(config: &Config, name: &str) -> Result<(), Fail> {
    let running = Running::open(config).await?;
    let made = city::identity::bootstrap_operator(&running.city, name).await?;
    println!("{}", made.secret);
    running.close().await;
    Ok(())
}
