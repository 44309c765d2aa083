//! Under construction.
#[derive(Debug, Default)]
pub struct State {}
pub async fn load(_: &crate::City) -> Result<(), crate::Fault> {
    Ok(())
}
pub fn start(_: &crate::City, _: &tokio::sync::watch::Receiver<bool>) -> Vec<tokio::task::JoinHandle<()>> {
    vec![]
}
