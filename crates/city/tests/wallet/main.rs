//! The wallet through its verbs and its routes: one file per verb.

#[path = "../common/mod.rs"]
mod common;

mod booking;
mod history;
mod http;
mod transfer;
