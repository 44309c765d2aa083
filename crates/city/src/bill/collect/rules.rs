//! What a collector may be and say: pure.

use std::time::Duration;

use kernel::Timestamp;
use kernel::ids::BillerId;

use super::Wanted;
use crate::bill::account::NUMBER_MAX;

/// The highest limit, minor units: ten billion yuan.
pub const LIMIT_MAX: i64 = 1_000_000_000_000;
/// Why a limit cannot be.
pub const LIMIT_WRONG: &str = "a limit is 0 to ten billion yuan";
/// How long ago money may have been taken.
const TAKEN_MAX: Duration = Duration::from_hours(744);
/// How far a collector's clock may be ahead.
const AHEAD_MAX: Duration = Duration::from_mins(5);
/// How many receipts of one batch.
pub const LINES_MAX: usize = 10_000;

/// Money that was collected without a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The collector's own id of it: it counts once.
    pub reference: String,
    /// Which biller.
    pub biller: BillerId,
    /// The number on the biller's paper.
    pub account_no: String,
    /// The biller's number of the bill.
    pub bill_no: String,
    /// Minor units.
    pub amount_minor: i64,
    /// When the payer gave it.
    pub taken_at: Timestamp,
}

/// Whether a text may be a reference: 1 to 64 visible ASCII characters.
pub fn is_reference(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Whether a text may be a biller's number of a bill.
pub fn is_bill_no(text: &str) -> bool {
    (1..=NUMBER_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Whether money may have been taken then.
pub fn taken_acceptable(taken: Timestamp, now: Timestamp) -> bool {
    taken <= now.plus(AHEAD_MAX) && taken >= now.minus(TAKEN_MAX)
}

/// Whether a collector may be registered so.
pub fn acceptable(wanted: &Wanted) -> Result<(), &'static str> {
    if !is_reference(&wanted.reference) {
        return Err("a reference is 1 to 64 visible ASCII characters");
    }
    if wanted.name.validate("name").is_err() {
        return Err("a name has 1 to 60 characters without outer spaces, in both languages");
    }
    if wanted.billers.as_ref().is_some_and(|billers| billers.is_empty() || billers.len() > 1_000) {
        return Err("1 to 1000 billers, or none named for all");
    }
    if !(0..=LIMIT_MAX).contains(&wanted.limit_minor) {
        return Err(LIMIT_WRONG);
    }
    Ok(())
}
