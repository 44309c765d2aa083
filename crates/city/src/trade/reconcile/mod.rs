//! A shop's own list of a day against the ledger: which payments both have, and where they disagree.
//!
//! What is compared are the payments of the day, gross, each by its order number (or by `trd_…`, which is how a
//! poster's payment is named). The list is read as it comes in and nothing is kept of it: only the payments of the
//! day are in memory. Must never change anything.

pub mod http;
pub mod rules;

use std::collections::HashMap;
use std::sync::Arc;

use kernel::ids::{MerchantId, TradeId};
use kernel::{Date, Money, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::rules::{Break, FaultAt, LineFault, Lines, ListBreakCode, Match};
use super::{TradeError, belongs_to, day, id_of, store};
use crate::books::{self, transfer_code};
use crate::identity::Merchant;
use crate::wallet::instant;
use crate::{City, Fault};

/// The longest list, in bytes.
pub const LIST_BYTES_MAX: u64 = 64 << 20;

impl From<FaultAt> for TradeError {
    fn from((line, why): FaultAt) -> Self {
        TradeError::LineMalformed(line, why)
    }
}

/// A list on its way in.
#[derive(Debug)]
pub struct Matching {
    shop: MerchantId,
    currency: kernel::Currency,
    lines: Lines,
    found: Match,
    _slot: OwnedSemaphorePermit,
}

/// A disagreement, with what is known of it elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The disagreement. Its order number is the shop's own also where the list lacks it.
    pub found: Break,
    /// When it was paid: also on another day, where it is missing here.
    pub paid_at: Option<Timestamp>,
}

/// What came of matching.
#[derive(Debug)]
pub struct Report {
    /// The sums and counts.
    pub found: Match,
    /// The first [`rules::BREAKS_KEPT`] disagreements.
    pub breaks: Vec<Told>,
}

/// How many lists are matched at once.
const MATCHED_AT_ONCE: usize = 4;

/// Places for lists that are being matched.
#[derive(Debug)]
pub(super) struct Slots(Arc<Semaphore>);

impl Default for Slots {
    fn default() -> Slots {
        Slots(Arc::new(Semaphore::new(MATCHED_AT_ONCE)))
    }
}

/// Begins to match a day that is over.
pub async fn begin(city: &City, who: &Merchant, date: Date) -> Result<Matching, TradeError> {
    let at = day::span(city, date).ok_or(TradeError::DayNotOver)?;
    if !day::is_over(city, at.end).await? {
        return Err(TradeError::DayNotOver);
    }
    let slots = city.trade.matching.0.clone();
    let slot = slots.acquire_owned().await.map_err(|e| Fault::Books(e.to_string()))?;
    let mut found = Match::default();
    day::each(city, books::merchant(who.id), &at, 0, transfer_code::TRADE_PAYMENT, |t| {
        found.add(t.user_data_128, i64::try_from(t.amount).unwrap_or(i64::MAX), t.timestamp);
    })
    .await?;
    Ok(Matching {
        shop: who.id,
        currency: city.settings.currency,
        lines: Lines::default(),
        found,
        _slot: slot,
    })
}

impl Matching {
    /// Takes in the next piece of the list.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), TradeError> {
        let Matching { shop, currency, lines, found, .. } = self;
        Ok(lines.feed(piece, |number, line| take(found, *shop, *currency, number, line))?)
    }

    /// The list is at its end.
    pub async fn finish(self, city: &City) -> Result<Report, TradeError> {
        let Matching { shop, currency, mut lines, mut found, _slot } = self;
        lines.finish(|number, line| take(&mut found, shop, currency, number, line))?;
        found.finish();
        let breaks = std::mem::take(&mut found.breaks);
        Ok(Report { breaks: tell(city, shop, breaks).await?, found })
    }
}

fn take(
    found: &mut Match,
    shop: MerchantId,
    currency: kernel::Currency,
    number: u64,
    line: &str,
) -> Result<(), LineFault> {
    let (order_no, amount) = rules::line(line, currency)?;
    let by_number = id_of(shop, &order_no);
    let by_trade = order_no.parse::<TradeId>().ok().filter(|_| !found.has(by_number.as_u128()));
    let trade = by_trade.unwrap_or(by_number);
    found.take(number, order_no, trade.as_u128(), amount);
    Ok(())
}

/// Adds what the ledger and the orders know of each disagreement.
async fn tell(city: &City, shop: MerchantId, breaks: Vec<Break>) -> Result<Vec<Told>, TradeError> {
    let ids: Vec<u128> = breaks.iter().map(|found| found.trade).collect();
    let decided = books::find_each(&city.ledger, &ids).await?;
    let paid: HashMap<u128, u64> = decided
        .into_iter()
        .filter(|(_, t)| t.code == transfer_code::TRADE_PAYMENT && belongs_to(t, shop))
        .map(|(trade, t)| (trade, t.timestamp))
        .collect();
    let lacking = breaks.iter().filter(|found| found.code == ListBreakCode::MissingThere);
    let lacking: Vec<TradeId> = lacking.map(|found| TradeId::from_u128(found.trade)).collect();
    let mut conn = city.store.read().await?;
    let orders = store::by_ids(&mut conn, &lacking).await?;
    drop(conn);
    let mut numbers: HashMap<u128, String> =
        orders.into_iter().map(|order| (order.id.as_u128(), order.order_no)).collect();
    let told = breaks.into_iter().map(|mut found| {
        let paid_at = paid.get(&found.trade).map(|at| instant(*at));
        found.order_no = found.order_no.or_else(|| numbers.remove(&found.trade));
        Told { found, paid_at }
    });
    Ok(told.collect())
}

/// Minor units as money of the city.
fn money(city: &City, minor: i64) -> Money {
    Money::new(minor, city.settings.currency)
}
