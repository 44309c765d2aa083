//! What the city's operators do beyond a program's routine: dangerous acts with a reason, look-ups of people and
//! shops, movements that need a second pair of eyes, the books' check, what happens now, billers' files.
//!
//! | part | is | keeps in SQL |
//! |---|---|---|
//! | [`audit`] | who did what to whom, and why | every act, forever |
//! | [`acts`] | enrolling, tiers, keys, opening and closing shops, packs, ending silent bill payments | nothing |
//! | [`approval`] | four eyes for deposits, withdrawals, pay-outs and campaign budgets above the limit | the request as asked |
//! | [`campaign`] | coupons' campaigns: set up, given a budget, ended | nothing |
//! | [`complaints`] | complaints about bills decided on, with a second pair of eyes above the limit | nothing |
//! | [`look`] | residents and shops, masked; operators and keys | nothing |
//! | [`collector`] | collectors: registered, limited, handing over; advances given back | nothing |
//! | [`check`] | every balance counted again from the transfers | what each count found |
//! | [`live`] | payments and refusals now, health, alerts | nothing: a ring of 60 minutes in memory |
//! | [`payout`] | payouts to billers by bank: batches, the bank's messages | nothing |
//! | [`desk`] | packs tried out, bill files handed in, imports, settlements, disagreements | what was decided on them |
//!
//! Invariants:
//! - No dangerous act and no look at a person without an entry in the trail, written before it.
//! - A movement above the limit moves on the word of two operators, never two keys that one may hold, and once: its id in
//!   the ledger is that of the direct way.
//! - Nothing here is a truth about money. What an approval says of itself follows from the ledger.
//!
//! It stands on every other slice; none knows of it.

pub mod acts;
pub mod approval;
pub mod audit;
pub mod campaign;
pub mod check;
pub mod collector;
pub mod complaints;
pub mod desk;
mod error;
pub mod http;
pub mod live;
pub mod look;
pub mod payout;
pub mod rules;

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use kernel::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use error::OperatorError;

use crate::City;

/// What the operator slice keeps in memory.
#[derive(Default)]
pub struct State {
    /// Payments and refusals of the last hour.
    rings: Mutex<live::Rings>,
    /// Ledger timestamp of the last transfer that `rings` has.
    position: AtomicU64,
    /// Since when, and when last, the ledger refused something for want of room.
    no_space: Mutex<Option<(Timestamp, Timestamp)>>,
    /// Where unfinished imports stood when they were last looked at.
    standing: Mutex<live::Standing>,
    /// Days with disagreements, as they were last counted.
    counted_days: Mutex<desk::CountedDays>,
    /// The books' check that runs.
    check: check::State,
}

/// Starts what runs beside the requests: approved movements that a crash left unbooked are driven to an end, and
/// payments are counted.
pub fn start(city: &City, stop: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
    vec![
        tokio::spawn(approval::run(city.clone(), stop.clone())),
        tokio::spawn(live::run(city.clone(), stop.clone())),
    ]
}
