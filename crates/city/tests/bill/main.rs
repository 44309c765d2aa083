//! The bill slice through its verbs and routes, one file per verb.

mod bank;
#[path = "../common/mod.rs"]
mod common;
mod history;
mod http;
mod import;
mod layout;
mod live;
mod packs;
mod pay;
mod payout;
mod reconcile;
mod saved;
mod support;
