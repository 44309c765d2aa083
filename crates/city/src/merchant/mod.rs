//! Under construction.
#[derive(Debug, Default)]
pub struct State {}
