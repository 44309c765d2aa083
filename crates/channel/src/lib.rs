//! The protocols that institutions already speak: ISO 8583 between banks ([`iso8583`]).
//!
//! Must never do: read a clock, draw randomness, decide about money, or know a table of the city's. What was asked and
//! what was answered is all there is here; what follows from it is the city's to decide.

pub mod iso8583;
