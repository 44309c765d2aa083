//! A local day of a shop's balance in the ledger: when it is, whether it is over, what moved on it. Reads page
//! by page, so that a day of any size costs no more memory than what its reader keeps.

use std::ops::Range;

use kernel::{Date, Timestamp};
use ledger::{AccountFilter, AccountFilterFlags, Transfer};

use crate::books;
use crate::{City, Fault};

/// How many transfers one look takes.
const PAGE: u32 = 8_000;

/// The instants of a local day; `None` for the last day there is.
pub(super) fn span(city: &City, day: Date) -> Option<Range<Timestamp>> {
    let start = |day| Timestamp::start_of(day, city.settings.offset);
    Some(start(day)..start(day.tomorrow().ok()?))
}

/// Whether nothing can be added any more to what lies before `end`.
pub(super) async fn is_over(city: &City, end: Timestamp) -> Result<bool, Fault> {
    Ok(city.now() >= end && books::passed(&city.ledger, &*city.rng, end).await?)
}

/// Every transfer of an account at these instants and after the ledger timestamp `after`, oldest first.
/// `code` of zero means any.
pub(super) async fn each(
    city: &City,
    account_id: u128,
    at: &Range<Timestamp>,
    after: u64,
    code: u16,
    mut each: impl FnMut(&Transfer),
) -> Result<(), Fault> {
    // A bound of zero would mean none.
    let Some(timestamp_max) = books::ledger_time(at.end).checked_sub(1).filter(|max| *max > 0) else {
        return Ok(());
    };
    let mut timestamp_min = books::ledger_time(at.start).max(after.saturating_add(1));
    while timestamp_min <= timestamp_max {
        let filter = AccountFilter {
            account_id,
            code,
            timestamp_min,
            timestamp_max,
            limit: PAGE,
            flags: AccountFilterFlags::Debits | AccountFilterFlags::Credits,
            ..AccountFilter::default()
        };
        let page = city.ledger.get_account_transfers(filter).await?;
        page.iter().for_each(&mut each);
        match page.last() {
            Some(last) if page.len() == PAGE as usize => timestamp_min = last.timestamp + 1,
            _ => break,
        }
    }
    Ok(())
}
