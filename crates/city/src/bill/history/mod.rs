//! The bills that a resident has paid, straight from the ledger: page by page, or month by month.

pub mod http;

use std::ops::Range;
use std::sync::Arc;

use kernel::ids::BillerId;
use kernel::{Date, Timestamp};
use ledger::{AccountFilter, AccountFilterFlags, TransferFlags};

use super::query::known_bill;
use super::rules::Bill;
use super::standing::{Settled, each_post};
use super::{BillError, Category, pack};
use crate::City;
use crate::books::{self, transfer_code};
use crate::identity::Resident;

/// A bill that a resident paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The payment.
    pub settled: Settled,
    /// Its bill.
    pub bill: Arc<Bill>,
}

/// Which payments.
#[derive(Clone, Debug)]
pub struct HistoryFilter {
    /// Settled at these instants.
    pub at: Range<Timestamp>,
    /// Of bills of this kind.
    pub category: Option<Category>,
    /// To this biller.
    pub biller: Option<BillerId>,
}

impl Default for HistoryFilter {
    fn default() -> HistoryFilter {
        let at = Timestamp::from_nanos(0)..Timestamp::from_nanos(i64::MAX);
        HistoryFilter { at, category: None, biller: None }
    }
}

/// How often the ledger is looked at for one page.
const LOOKS: usize = 8;
/// Rows of a look.
const ROWS_A_LOOK: u32 = 500;

/// The bills a resident has paid, newest first: up to `limit` of them before the ledger timestamp
/// `before`, and the cursor of the next page. Fewer than `limit` do not mean the end: a page costs a bounded
/// number of rows, however few of them the filter wants.
pub async fn history(
    city: &City,
    who: &Resident,
    filter: &HistoryFilter,
    before: Option<u64>,
    limit: u32,
) -> Result<(Vec<HistoryEntry>, Option<u64>), BillError> {
    let timestamp_min = books::ledger_time(filter.at.start).max(1);
    // Both ends are excluded from here on; a bound of zero would mean none.
    let mut before = before.unwrap_or(u64::MAX).min(books::ledger_time(filter.at.end));
    let mut entries = Vec::new();
    for _ in 0..LOOKS {
        if before <= timestamp_min {
            return Ok((entries, None));
        }
        let look = AccountFilter {
            account_id: books::wallet(who.id),
            code: transfer_code::BILL_PAYMENT,
            timestamp_min,
            timestamp_max: before - 1,
            limit: ROWS_A_LOOK,
            flags: AccountFilterFlags::Debits | AccountFilterFlags::Reversed,
            ..AccountFilter::default()
        };
        let page = city.ledger.get_account_transfers(look).await?;
        // A page may hold claims and voids, which are no payments: go on until full.
        for transfer in &page {
            before = transfer.timestamp;
            if transfer.flags.contains(TransferFlags::PostPendingTransfer) {
                let settled = Settled::of(transfer);
                if wants(city, filter, &settled).await? {
                    entries.push(HistoryEntry { settled, bill: known_bill(city, settled.bill).await? });
                }
            }
            if entries.len() == limit as usize {
                return Ok((entries, Some(before)));
            }
        }
        if page.len() < ROWS_A_LOOK as usize {
            return Ok((entries, None));
        }
    }
    Ok((entries, Some(before)))
}

async fn wants(city: &City, filter: &HistoryFilter, settled: &Settled) -> Result<bool, BillError> {
    if filter.biller.is_some_and(|biller| biller != settled.biller) {
        return Ok(false);
    }
    let Some(category) = filter.category else { return Ok(true) };
    Ok(pack(city, settled.biller).await?.spec.category == category)
}

/// The payments of a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Month {
    /// How many.
    pub count: u64,
    /// What they came to, late fees included, minor units.
    pub amount_minor: i64,
}

/// The months of a year, January first, each by the local days of its payments. `None` for a year that no
/// calendar has.
pub async fn months(city: &City, who: &Resident, year: i16) -> Result<Option<[Month; 12]>, BillError> {
    let offset = city.settings.offset;
    let first_of = |year: i16| Date::new(year, 1, 1).ok().map(|day| Timestamp::start_of(day, offset));
    let next = year.checked_add(1).and_then(first_of);
    let Some((start, end)) = first_of(year).zip(next) else { return Ok(None) };
    let mut months = [Month::default(); 12];
    let (timestamp_min, end) = (books::ledger_time(start).max(1), books::ledger_time(end));
    if end <= timestamp_min {
        return Ok(Some(months));
    }
    let filter = AccountFilter {
        account_id: books::wallet(who.id),
        timestamp_min,
        timestamp_max: end - 1,
        flags: AccountFilterFlags::Debits,
        ..AccountFilter::default()
    };
    each_post(city, filter, |settled| {
        let month = usize::try_from(settled.at.date(offset).month() - 1).unwrap_or(0);
        months[month].count += 1;
        months[month].amount_minor = months[month].amount_minor.saturating_add(settled.amount_minor);
    })
    .await?;
    Ok(Some(months))
}
