//! The bill slice through its verbs and routes, one file per verb.

mod arrears;
mod bank;
mod collect;
mod collect_http;
#[path = "../common/mod.rs"]
mod common;
mod exchange;
mod fee;
mod history;
mod http;
mod import;
mod layout;
mod live;
mod packs;
mod parts;
mod pay;
mod payout;
mod provider;
mod reconcile;
mod saved;
mod schema;
mod support;
