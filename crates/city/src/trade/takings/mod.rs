//! What a shop took, day by day: the sums of its statements, without their lines.
//!
//! A day's sums are remembered with the ledger timestamp up to which they count. Nothing is ever added to
//! the ledger before that, so asking again costs only what came since, and a day that is over costs nothing.
//!
//! Must never say anything else than the statement of the day does.

pub mod http;

use std::collections::HashMap;
use std::sync::Mutex;

use kernel::Date;
use kernel::ids::MerchantId;
use ledger::Transfer;

use super::{TradeError, day};
use crate::City;
use crate::books::{self, transfer_code};
use crate::identity::Merchant;

/// The most days of one question.
pub const DAYS_MAX: usize = 92;
/// How many transfers are read for one answer, but for the day that passes it.
const TRANSFERS_MAX: usize = 200_000;
/// How many days of shops a node remembers.
const REMEMBER_MAX: usize = 200_000;

/// The sums of a local day, minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// How many payments.
    pub payments: u64,
    /// What they came to.
    pub gross: i64,
    /// How many refunds.
    pub refunds: u64,
    /// What they came to.
    pub refunded: i64,
    /// What the payments cost, less what refunds brought back of it.
    pub fee: i64,
    /// What was paid out to the bank.
    pub paid_out: i64,
}

impl Sums {
    /// What the day brought the shop.
    pub fn net(&self) -> i64 {
        self.gross - self.refunded - self.fee
    }

    fn add(&mut self, transfer: &Transfer) {
        let amount = i64::try_from(transfer.amount).unwrap_or(i64::MAX);
        match transfer.code {
            transfer_code::TRADE_PAYMENT => {
                self.payments += 1;
                self.gross += amount;
            }
            transfer_code::TRADE_REFUND => {
                self.refunds += 1;
                self.refunded += amount;
            }
            transfer_code::TRADE_FEE => self.fee += amount,
            transfer_code::TRADE_FEE_BACK => self.fee -= amount,
            transfer_code::MERCHANT_SETTLEMENT => self.paid_out += amount,
            _ => {}
        }
    }
}

/// A day of a shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Which local day.
    pub day: Date,
    /// Its sums.
    pub sums: Sums,
    /// Whether the day is over: nothing changes any more.
    pub closed: bool,
}

/// Sums up to a ledger timestamp.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    sums: Sums,
    /// All transfers of the day up to this one are in.
    up_to: u64,
    closed: bool,
}

/// Days of shops in memory. The ledger can make each again.
#[derive(Debug, Default)]
pub struct Memory(Mutex<HashMap<(MerchantId, Date), Known>>);

impl Memory {
    fn get(&self, shop: MerchantId, day: Date) -> Known {
        self.0.lock().expect("no panic while held").get(&(shop, day)).copied().unwrap_or_default()
    }

    fn put(&self, shop: MerchantId, day: Date, known: Known) {
        let mut held = self.0.lock().expect("no panic while held");
        if held.len() >= REMEMBER_MAX {
            held.clear(); // the ledger still knows
        }
        let there = held.entry((shop, day)).or_default();
        // Who counted further at the same time is right.
        if known.up_to > there.up_to || known.closed {
            *there = known;
        }
    }
}

/// The takings of the local days from `from` to `to`, oldest first, [`DAYS_MAX`] at most; and the day to go
/// on with where they are too much for one answer.
pub async fn takings(
    city: &City,
    who: &Merchant,
    from: Date,
    to: Date,
) -> Result<(Vec<Day>, Option<Date>), TradeError> {
    let wanted = std::iter::successors(Some(from), |day| day.tomorrow().ok());
    let wanted: Vec<Date> = wanted.take_while(|day| *day <= to).take(DAYS_MAX + 1).collect();
    if !(1..=DAYS_MAX).contains(&wanted.len()) {
        return Err(TradeError::DaysUnacceptable);
    }
    let (mut days, mut read) = (Vec::with_capacity(wanted.len()), 0);
    for day in wanted {
        if read > TRANSFERS_MAX {
            return Ok((days, Some(day)));
        }
        let (counted, transfers) = count(city, who.id, day).await?;
        days.push(counted);
        read += transfers;
    }
    Ok((days, None))
}

/// A day, and how many transfers had to be read for it.
async fn count(city: &City, shop: MerchantId, day: Date) -> Result<(Day, usize), TradeError> {
    let mut known = city.trade.takings.get(shop, day);
    let Some(at) = day::span(city, day).filter(|_| !known.closed) else {
        return Ok((Day { day, sums: known.sums, closed: known.closed }, 0));
    };
    // Asked before it is counted: what is over then is all there.
    known.closed = day::is_over(city, at.end).await?;
    let mut read = 0;
    day::each(city, books::merchant(shop), &at, known.up_to, 0, |t| {
        known.sums.add(t);
        known.up_to = t.timestamp;
        read += 1;
    })
    .await?;
    if read > 0 || known.closed {
        city.trade.takings.put(shop, day, known);
    }
    Ok((Day { day, sums: known.sums, closed: known.closed }, read))
}
