//! The trades of a shop, newest first: what was paid from the ledger, what was not from the orders.
//!
//! A paid trade stands at the instant of its payment, any other at the instant of its order. A page costs a
//! bounded number of rows whatever the shop's size: a filter that finds little gives short pages with a
//! cursor, never a long search.
//!
//! Must never take a trade's state from SQL.

pub mod http;
pub mod rules;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::time::Duration;

use futures_util::future::try_join_all;
use kernel::ids::{TillId, TradeId};
use kernel::{Money, Timestamp};
use ledger::{AccountFilter, AccountFilterFlags, Transfer};

use self::rules::{Place, Seen};
use super::{Order, Status, Trade, TradeError, close_in_ledger, id_of, refund, rules as trades, store, view};
use crate::books::{self, transfer_code};
use crate::identity::Merchant;
use crate::wallet::instant;
use crate::{City, Fault};

/// Which trades.
#[derive(Clone, Debug)]
pub struct Filter {
    /// In this state.
    pub state: Option<Status>,
    /// At this till.
    pub till: Option<TillId>,
    /// Of this number.
    pub order_no: Option<String>,
    /// Paid, or where not paid ordered, at these instants.
    pub at: Range<Timestamp>,
}

/// How often both sources are looked at for one page.
const LOOKS: usize = 4;
/// Rows of a look where a filter may find few.
const TRANSFERS_A_LOOK: u32 = 2_000;
/// See [`TRANSFERS_A_LOOK`].
const ORDERS_A_LOOK: u32 = 500;
/// A fee is committed in the chain of its payment, so many nanoseconds after it at most.
const CHAIN_NS: u64 = 16;
/// No order is payable for longer, seconds.
const LIFE_MAX_S: u64 = *trades::EXPIRES_RANGE_S.end() + trades::WAIT_S;

/// Up to `limit` trades below `before`, and where to go on; fewer than `limit` do not mean the end.
pub async fn list(
    city: &City,
    who: &Merchant,
    filter: &Filter,
    before: Option<Place>,
    limit: u32,
) -> Result<(Vec<Trade>, Option<Place>), TradeError> {
    if let Some(order_no) = &filter.order_no {
        return match view(city, who, id_of(who.id, order_no)).await {
            Err(TradeError::TradeUnknown) => Ok((Vec::new(), None)),
            found => Ok((found.into_iter().filter(|trade| filter.wants(trade)).collect(), None)),
        };
    }
    let (mut found, mut at) = (Vec::new(), before.unwrap_or(Place::TOP));
    for _ in 0..LOOKS {
        let wanted = limit as usize - found.len();
        let (paid, unpaid) =
            tokio::try_join!(paid(city, who, filter, at, wanted), unpaid(city, who, filter, at, wanted))?;
        let (part, next) = rules::merge(paid, unpaid, wanted);
        found.extend(part);
        match next {
            None => return Ok((found, None)),
            Some(place) => at = place,
        }
        if found.len() == limit as usize {
            break;
        }
    }
    Ok((found, Some(at)))
}

impl Filter {
    fn wants(&self, trade: &Trade) -> bool {
        let at = trade.paid_at.or(trade.ordered_at);
        self.state.is_none_or(|state| state == trade.status)
            && self.till.is_none_or(|till| trade.till == Some(till))
            && at.is_none_or(|at| self.at.contains(&at))
    }

    /// Whether it may pass over trades, so that a look should be long.
    fn is_narrow(&self) -> bool {
        self.state.is_some() || self.till.is_some()
    }
}

/// The paid trades below `at`.
async fn paid(
    city: &City,
    who: &Merchant,
    filter: &Filter,
    at: Place,
    wanted: usize,
) -> Result<Seen<Trade>, TradeError> {
    if !matches!(filter.state, None | Some(Status::Paid | Status::Refunded)) {
        return Ok(Seen::nothing());
    }
    let account_id = books::merchant(who.id);
    // Payments, fees, at times refunds with what goes back of the fee.
    let limit = if filter.is_narrow() { TRANSFERS_A_LOOK } else { rows(wanted, 4) };
    let (from, to) = (books::ledger_time(filter.at.start).max(1), books::ledger_time(filter.at.end));
    let timestamp_max =
        to.saturating_sub(1).min(at.at_ns.saturating_add(CHAIN_NS)).min(ledger::TIMESTAMP_MAX);
    if timestamp_max < from {
        return Ok(Seen::nothing());
    }
    let page = city
        .ledger
        .get_account_transfers(AccountFilter {
            account_id,
            timestamp_min: from,
            timestamp_max,
            limit,
            flags: AccountFilterFlags::Debits | AccountFilterFlags::Credits | AccountFilterFlags::Reversed,
            ..AccountFilter::default()
        })
        .await?;
    let mut down_to =
        page.last().filter(|_| page.len() == limit as usize).map(|t| Place { at_ns: t.timestamp, id: 0 });
    let fees: HashMap<u128, i64> = page
        .iter()
        .filter(|t| t.code == transfer_code::TRADE_FEE)
        .map(|t| (t.user_data_128, i64::try_from(t.amount).unwrap_or(i64::MAX)))
        .collect();
    let place = |t: &Transfer| Place { at_ns: t.timestamp, id: t.user_data_128 };
    let is_payment = |t: &&Transfer| t.code == transfer_code::TRADE_PAYMENT && place(t) < at;
    let mut payments: Vec<&Transfer> = page.iter().filter(is_payment).collect();
    if !filter.is_narrow() && payments.len() > wanted {
        payments.truncate(wanted);
        down_to = payments.last().map(|t| place(t));
    }
    let ids: Vec<TradeId> = payments.iter().map(|t| TradeId::from_u128(t.user_data_128)).collect();
    let mut orders = orders(city, &ids).await?;
    let refunded = refund::refunded_of(city, &ids).await?;
    let trades = payments.iter().zip(refunded).map(|(t, refunded)| {
        let order = orders.remove(&TradeId::from_u128(t.user_data_128));
        let fee = fees.get(&t.id).copied().unwrap_or(0);
        (place(t), paid_trade(city, t, order, refunded, fee))
    });
    Ok(Seen { found: trades.filter(|(_, trade)| filter.wants(trade)).collect(), down_to })
}

/// Rows of a look that wants so many entries of about `each` rows.
fn rows(wanted: usize, each: u32) -> u32 {
    u32::try_from(wanted).unwrap_or(u32::MAX).saturating_mul(each).clamp(100, TRANSFERS_A_LOOK)
}

fn paid_trade(city: &City, payment: &Transfer, order: Option<Order>, refunded: i64, fee: i64) -> Trade {
    let money = |minor| Money::new(minor, city.settings.currency);
    Trade {
        id: TradeId::from_u128(payment.user_data_128),
        status: trades::status(Some(payment), refunded, false, false),
        amount: Some(money(i64::try_from(payment.amount).unwrap_or(i64::MAX))),
        refunded: money(refunded),
        fee: money(fee),
        paid_at: Some(instant(payment.timestamp)),
        ordered_at: order.as_ref().map(|o| o.created_at),
        order_no: order.as_ref().map(|o| o.order_no.clone()),
        subject: order.as_ref().and_then(|o| o.subject.clone()),
        till: order.and_then(|o| o.till),
    }
}

async fn orders(city: &City, ids: &[TradeId]) -> Result<HashMap<TradeId, Order>, TradeError> {
    let mut conn = city.store.read().await?;
    let found = store::by_ids(&mut conn, ids).await?;
    Ok(found.into_iter().map(|order| (order.id, order)).collect())
}

/// The orders below `at` that were not paid.
async fn unpaid(
    city: &City,
    who: &Merchant,
    filter: &Filter,
    at: Place,
    wanted: usize,
) -> Result<Seen<Trade>, TradeError> {
    let now = city.now();
    let mut made = filter.at.clone();
    match filter.state {
        Some(Status::Paid | Status::Refunded) => return Ok(Seen::nothing()),
        Some(Status::Open | Status::Waiting) => {
            made.start = made.start.max(now.minus(Duration::from_secs(LIFE_MAX_S)));
        }
        None | Some(Status::Closed) => {}
    }
    let limit = if filter.is_narrow() { ORDERS_A_LOOK } else { rows(wanted, 2) };
    let mut conn = city.store.read().await?;
    let rows = store::of_shop(&mut conn, who.id, made, order_before(at), limit).await?;
    drop(conn);
    let place = |o: &Order| Place { at_ns: books::ledger_time(o.created_at), id: o.id.as_u128() };
    let down_to = rows.last().filter(|_| rows.len() == limit as usize).map(place);
    let at_till = |o: &Order| filter.till.is_none_or(|till| o.till == Some(till));
    let rows: Vec<Order> = rows.into_iter().filter(at_till).collect();
    let decided = decided(city, &rows).await?;
    let standing = rows.into_iter().map(|order| stands(city, order, &decided, now));
    let trades = try_join_all(standing).await?.into_iter().flatten();
    let trades = trades.filter(|(_, trade)| filter.wants(trade));
    Ok(Seen { found: trades.map(|(order, trade)| (place(&order), trade)).collect(), down_to })
}

/// The place in the table of orders, which has whole milliseconds, that a place in the list comes to.
fn order_before(at: Place) -> (Timestamp, u128) {
    let at_ms = Timestamp::from_millis(i64::try_from(at.at_ns / 1_000_000).unwrap_or(i64::MAX));
    // Between two milliseconds every order of the earlier one lies below.
    (at_ms, if at.at_ns.is_multiple_of(1_000_000) { at.id } else { u128::MAX })
}

/// An order that was not paid, as a trade; `None` when it was.
async fn stands(
    city: &City,
    order: Order,
    decided: &HashMap<TradeId, Transfer>,
    now: Timestamp,
) -> Result<Option<(Order, Trade)>, TradeError> {
    let mut decided = decided.get(&order.id).copied();
    let expired = now >= order.expires_at;
    if decided.is_none() && expired {
        // Said to be closed means closed: nobody's clock can open it again.
        decided = Some(close_in_ledger(city, order.merchant, order.id).await?);
    }
    if decided.is_some_and(|t| t.code == transfer_code::TRADE_PAYMENT) {
        return Ok(None);
    }
    let money = |minor| Money::new(minor, city.settings.currency);
    let trade = Trade {
        id: order.id,
        status: trades::status(decided.as_ref(), 0, order.payer.is_some(), expired),
        amount: Some(money(order.amount_minor)),
        refunded: money(0),
        fee: money(0),
        paid_at: None,
        ordered_at: Some(order.created_at),
        order_no: Some(order.order_no.clone()),
        subject: order.subject.clone(),
        till: order.till,
    };
    Ok(Some((order, trade)))
}

/// What the ledger has decided of these orders. Most are decided at the first attempt; only for the others
/// every id is looked up that an attempt could have.
async fn decided(city: &City, orders: &[Order]) -> Result<HashMap<TradeId, Transfer>, Fault> {
    let first: Vec<u128> = orders.iter().map(|o| o.id.as_u128()).collect();
    let mut found: HashMap<TradeId, Transfer> = HashMap::new();
    for part in first.chunks(ledger::BATCH_MAX) {
        let transfers = city.ledger.lookup_transfers(part.to_vec()).await?;
        found.extend(transfers.into_iter().map(|t| (TradeId::from_u128(t.id), t)));
    }
    let known: HashSet<TradeId> = found.keys().copied().collect();
    let rest: Vec<u128> = first.into_iter().filter(|id| !known.contains(&TradeId::from_u128(*id))).collect();
    for (base, transfer) in books::find_each(&city.ledger, &rest).await? {
        found.insert(TradeId::from_u128(base), transfer);
    }
    Ok(found)
}
