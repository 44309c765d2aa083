//! The desk for payouts by bank: batches out, the bank's messages in, what came back and what disagrees. Each act is a verb
//! of the bill slice, done here in the audit trail.

pub mod http;
