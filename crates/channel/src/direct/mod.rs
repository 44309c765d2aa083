//! Institutions that are asked over HTTP, with JSON or with XML (SOAP is XML in an envelope): a pack says how each
//! question is put and how each answer is to be understood ([`spec`]). [`question`] and [`answer`] are pure, [`HttpDoor`] is
//! the door.

pub mod answer;
pub mod catalogue;
mod client;
pub mod counterpart;
pub mod question;
pub mod spec;
pub mod template;
pub mod tree;

pub use client::{HttpDoor, Setting};
