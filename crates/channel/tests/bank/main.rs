//! A line to a bank, from its description to both ends of a real connection.

mod crowd;
mod describe;
mod fixture;
mod independent;
mod line;
mod message;
