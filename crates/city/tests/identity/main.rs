//! Identity through its verbs and its routes: one file per verb. Money is looked at only to see that
//! it did not move.

#![allow(clippy::inconsistent_digit_grouping, reason = "amounts read as yuan_fen")]

#[path = "../common/mod.rs"]
mod common;

mod browser;
mod caps;
mod device;
mod http;
mod key;
mod nodes;
mod passkey;
mod pin;
mod session;
mod sign_in;
mod tier;
