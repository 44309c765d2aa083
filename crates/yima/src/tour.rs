//! Under construction.
#[derive(clap::Args)]
pub struct Options {}
pub async fn tour(_: &Options) -> Result<(), crate::config::Fail> {
    Ok(())
}
