//! Codes people and tills show each other: EMVCo merchant QR ([`mpm`]) and payer QR ([`cpm`]), the payment code a
//! phone makes offline ([`payment_code`]), drawing them ([`draw`]) and reading them from pictures ([`read`]).
//!
//! Must never do: I/O, read a clock, draw randomness, or decide about money. Time and secrets are arguments; single
//! use of a payment code is enforced by the ledger through [`payment_code::burn_id`].
//!
//! Fields, refusals and the security argument: `docs/reference/codes.md`.

pub mod cpm;
pub mod draw;
pub mod mpm;
pub mod payment_code;
pub mod read;
