//! What of several bills is paid with an amount, and the seal of their prices: pure.

use kernel::ids::BillId;
use kernel::{Timestamp, derive_u128, hex};

use crate::bill::rules::{Quote, amount_accepted};

/// How many bills one payment of an account pays at most; the oldest go first.
pub const BILLS_MAX: usize = 60;

/// How much of each bill is paid, oldest first: whole bills, then what the biller takes as less than the whole of the
/// next. `amount` is all of them when absent. `None` where it does not come out even.
pub fn allocate(quotes: &[&Quote], amount: Option<i64>) -> Option<Vec<i64>> {
    let mut rest = match amount {
        Some(amount) => amount,
        None => quotes.iter().try_fold(0i64, |sum, quote| sum.checked_add(quote.total_minor))?,
    };
    let mut shares = Vec::new();
    for quote in quotes {
        if rest <= 0 {
            break;
        }
        let share = rest.min(quote.total_minor);
        if !amount_accepted(quote, share) {
            return None;
        }
        shares.push(share);
        rest -= share;
    }
    (rest == 0 && !shares.is_empty()).then_some(shares)
}

/// The id of the price of several bills, asked for at `at`.
pub fn quote_id(at: Timestamp, quotes: &[(BillId, &Quote)]) -> String {
    let issued_s = at.as_secs();
    let issued = issued_s.to_be_bytes();
    let ids: Vec<_> = quotes.iter().map(|(bill, _)| bill.to_bytes()).collect();
    let each = quotes.iter().zip(&ids).flat_map(|((_, quote), id)| [&id[..], quote.id.as_bytes()]);
    let sealed: Vec<&[u8]> = std::iter::once(&issued[..]).chain(each).collect();
    let seal = derive_u128("arrears_quote", &sealed);
    format!("a1-{issued_s:x}-{}", hex(&seal.to_be_bytes()))
}

/// The instant that the id of such a price names.
pub fn quote_issued(id: &str) -> Option<Timestamp> {
    let (issued, seal) = id.strip_prefix("a1-")?.split_once('-')?;
    let seconds = i64::from_str_radix(issued, 16).ok()?;
    (seal.len() == 32).then(|| Timestamp::from_secs(seconds))
}
