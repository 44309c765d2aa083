//! Institutions that a bank takes payments for, over ISO 8583: one line carries many of them. A pack says how the bank
//! writes ([`spec`]); [`message`] turns questions into messages and back, and [`book`] is what the other side knows of
//! accounts: both pure. [`line`] keeps one connection up and puts the questions, [`counterpart`] is the other end of it.
//!
//! Must never do: call anything done that the bank did not say is done. What was written and not answered is silence.

pub mod book;
pub mod counterpart;
mod layout;
pub mod line;
pub mod message;
pub mod spec;
mod wire;
