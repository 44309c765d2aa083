//! Dangerous acts: what cannot be taken back, or opens doors to others. Each is a verb of the slice that it
//! belongs to, done here with a reason and in the audit trail. Must never do one outside of it.

pub mod http;
