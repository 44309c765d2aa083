//! The bill slice through its verbs and routes, one file per verb.

#[path = "../common/mod.rs"]
mod common;
mod pay;
mod support;
