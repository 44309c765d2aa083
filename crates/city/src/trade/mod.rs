//! Trades between a shop and a payer: an order with a QR code (precreate, pay), a scanned payment
//! code (charge, confirm), query, cancel, refunds, the daily statement.
//!
//! Invariants:
//! - A trade has one identity in the ledger, derived from shop and order number (or, at a poster,
//!   from payer and idempotency key). Paying it, closing it and paying it again meet on that id: the
//!   first to be committed wins, on any node.
//! - Whether a trade is paid, closed or refunded is read from the ledger; SQL has what the shop said
//!   of it beforehand.
//! - Closing puts a marker of amount 0 in the place of the payment. A trade that nobody knows can be
//!   closed too, and can then never be paid.
//! - What may still be refunded is a ledger account per trade, so refunds that race cannot exceed it.
//! - A payment code is used up by its first try: the marker of its use is in the chain that pays, or
//!   is written before a refusal is answered.

mod day;
mod error;
pub mod http;
pub mod list;
mod pay;
pub mod payment;
pub mod reconcile;
mod refund;
pub mod rules;
pub mod scan;
pub mod statement;
mod store;
pub mod takings;

use std::collections::HashMap;
use std::sync::RwLock;
use std::time::Duration;

use kernel::ids::{MerchantId, ResidentId, TillId, TradeId};
use kernel::{Money, Timestamp};
use ledger::Transfer;

pub use error::TradeError;
pub use pay::{Channel, Charge, Charged, Paid, Pay, charge, confirm, pay};
pub use refund::{Refund, Refunded, list as refunds, refund, refund_trade, refunded};

use crate::books::{self, Once, transfer_code};
use crate::identity::{Merchant, Resident, Role};
use crate::merchant;
use crate::wallet::instant;
use crate::{City, Fault};

/// What a shop said of a trade beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Derived from shop and order number.
    pub id: TradeId,
    /// The shop.
    pub merchant: MerchantId,
    /// The shop's own number.
    pub order_no: String,
    /// Minor units of the city's currency.
    pub amount_minor: i64,
    /// What is sold, in the shop's words.
    pub subject: Option<String>,
    /// At which till.
    pub till: Option<TillId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Not payable from then on.
    pub expires_at: Timestamp,
    /// Whose PIN it waits for.
    pub payer: Option<ResidentId>,
}

/// Where a trade stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Can be paid.
    Open,
    /// Waits for the payer's PIN.
    Waiting,
    /// Paid, perhaps refunded in part.
    Paid,
    /// Paid and wholly refunded.
    Refunded,
    /// Can never be paid.
    Closed,
}

/// A trade as its shop may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Which.
    pub id: TradeId,
    /// The shop's own number, where it gave one.
    pub order_no: Option<String>,
    /// Where it stands.
    pub status: Status,
    /// How much; absent for a trade that was closed before anybody knew it.
    pub amount: Option<Money>,
    /// How much of it was refunded.
    pub refunded: Money,
    /// What it cost the shop.
    pub fee: Money,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// When it was ordered; absent at a poster, and for a trade that was closed before anybody knew it.
    pub ordered_at: Option<Timestamp>,
    /// What is sold.
    pub subject: Option<String>,
    /// At which till.
    pub till: Option<TillId>,
}

/// A new order and the text of its QR code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precreated {
    /// The order.
    pub order: Order,
    /// EMVCo merchant-presented payload, to be drawn.
    pub qr: String,
}

/// What a shop wants to be paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precreate {
    /// The shop's own number: the idempotency key.
    pub order_no: String,
    /// How much.
    pub amount: Money,
    /// What is sold.
    pub subject: Option<String>,
    /// At which till; the key's own till if it belongs to one.
    pub till: Option<TillId>,
    /// How long it can be paid; [`rules::EXPIRES_S`] when absent.
    pub expires_in_s: Option<u64>,
}

/// What others may know of a trade's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradeInfo {
    /// The shop's own number.
    pub order_no: Option<String>,
    /// What is sold.
    pub subject: Option<String>,
    /// At which till.
    pub till: Option<TillId>,
}

/// What the trade slice keeps in memory.
#[derive(Debug, Default)]
pub struct State {
    /// Orders: they are asked for again within seconds, by the payer and the followers.
    orders: RwLock<HashMap<TradeId, Order>>,
    /// Sums of shops' days.
    takings: takings::Memory,
    /// Bounds how many lists are matched at once: each holds a day's payments in memory.
    matching: reconcile::Slots,
}

/// How many orders a node remembers.
const REMEMBER_MAX: usize = 100_000;

impl State {
    fn get(&self, trade: TradeId) -> Option<Order> {
        self.orders.read().expect("no panic while held").get(&trade).cloned()
    }
    fn put(&self, order: &Order) {
        let mut held = self.orders.write().expect("no panic while held");
        if held.len() >= REMEMBER_MAX {
            held.clear(); // the table still knows
        }
        // A payer, once set, stays: a row read before must not hide it.
        if order.payer.is_some() || held.get(&order.id).is_none_or(|known| known.payer.is_none()) {
            held.insert(order.id, order.clone());
        }
    }
}

/// The trade that a shop knows by this order number.
pub fn id_of(merchant: MerchantId, order_no: &str) -> TradeId {
    TradeId::derive(&[&merchant.to_bytes(), order_no.as_bytes()])
}

/// The order of a trade; `None` at a poster, and for a trade that nobody knows. From memory where
/// possible: whose PIN it waits for, and until when, another node may have changed ([`order_now`]).
async fn order(city: &City, trade: TradeId) -> Result<Option<Order>, Fault> {
    match city.trade.get(trade) {
        Some(order) => Ok(Some(order)),
        None => order_now(city, trade).await,
    }
}

/// The order of a trade as the table has it.
async fn order_now(city: &City, trade: TradeId) -> Result<Option<Order>, Fault> {
    let mut conn = city.store.read().await?;
    let found = store::by_id(&mut conn, trade).await?;
    if let Some(order) = &found {
        city.trade.put(order);
    }
    Ok(found)
}

/// What others may know of a trade's order; `None` at a poster.
pub async fn describe(city: &City, trade: TradeId) -> Result<Option<TradeInfo>, Fault> {
    let found = order(city, trade).await?;
    Ok(found.map(|o| TradeInfo { order_no: Some(o.order_no), subject: o.subject, till: o.till }))
}

/// Makes an order that can be paid by scanning its QR code. The same order again is answered again.
pub async fn precreate(city: &City, who: &Merchant, request: Precreate) -> Result<Precreated, TradeError> {
    who.role.require(Role::Staff)?;
    let life_s = request.expires_in_s.unwrap_or(rules::EXPIRES_S);
    if !rules::EXPIRES_RANGE_S.contains(&life_s) {
        return Err(TradeError::LifetimeUnacceptable);
    }
    let order = put_order(city, who, &request, Duration::from_secs(life_s)).await?;
    let shop = merchant::get(city, who.id).await?;
    let minor = u64::try_from(order.amount_minor).map_err(|_| TradeError::AmountUnacceptable)?;
    let exponent = u32::from(city.settings.currency.exponent());
    let trade = order.id.to_string();
    let qr = merchant::poster::with_face(&shop, &city.settings, |face| {
        codes::mpm::merchant_dynamic(face, &trade, minor, exponent)
    });
    let qr = qr.and_then(|qr| qr.encode()).map_err(TradeError::Code)?;
    Ok(Precreated { order, qr })
}

/// Writes the order unless it is there; the same order number with other content is refused.
async fn put_order(
    city: &City,
    who: &Merchant,
    request: &Precreate,
    life: Duration,
) -> Result<Order, TradeError> {
    if !rules::number_acceptable(&request.order_no) {
        return Err(TradeError::NumberMalformed);
    }
    if !request.subject.as_deref().is_none_or(rules::subject_acceptable) {
        return Err(TradeError::SubjectMalformed);
    }
    if !crate::wallet::rules::amount_acceptable(request.amount, city.settings.currency) {
        return Err(TradeError::AmountUnacceptable);
    }
    let (now, id) = (city.now(), id_of(who.id, &request.order_no));
    // What was ordered before the shop closed is answered as it was.
    if !merchant::get(city, who.id).await?.is_open() && order(city, id).await?.is_none() {
        return Err(TradeError::MerchantClosed);
    }
    // Nor does a till that went out of use take back what was ordered at it.
    let till = who.till.or(request.till);
    if let Some(till) = till
        && let Err(refused) = merchant::require_till(city, who.id, till).await
        && order(city, id).await?.is_none()
    {
        return Err(refused.into());
    }
    let wanted = Order {
        id,
        merchant: who.id,
        order_no: request.order_no.clone(),
        amount_minor: request.amount.minor,
        subject: request.subject.clone(),
        till,
        created_at: now,
        expires_at: now.plus(life),
        payer: None,
    };
    let row = wanted.clone();
    let put: Result<Order, TradeError> =
        city.store.write(move |conn| Box::pin(async move { Ok(store::put(conn, row).await?) })).await;
    let order = put?;
    let same = (order.amount_minor, &order.subject, order.till)
        == (wanted.amount_minor, &wanted.subject, wanted.till);
    if !same {
        return Err(TradeError::OrderDiffers);
    }
    city.trade.put(&order);
    Ok(order)
}

/// Where a trade of the shop stands, by its order number.
pub async fn query(city: &City, who: &Merchant, order_no: &str) -> Result<Trade, TradeError> {
    view(city, who, id_of(who.id, order_no)).await
}

/// Where a trade of the shop stands, by its id.
pub async fn view(city: &City, who: &Merchant, trade: TradeId) -> Result<Trade, TradeError> {
    let mut decided = books::find_once(&city.ledger, trade.as_u128()).await?;
    // What is decided changes no more; what is not, the table knows best.
    let order = if decided.is_some() { order(city, trade).await? } else { order_now(city, trade).await? };
    let order = order.filter(|o| o.merchant == who.id);
    if order.is_none() && !decided.as_ref().is_some_and(|t| belongs_to(t, who.id)) {
        return Err(TradeError::TradeUnknown);
    }
    let expired = order.as_ref().is_some_and(|o| city.now() >= o.expires_at);
    if decided.is_none() && expired {
        // Said to be closed means closed: nobody's clock can open it again.
        decided = Some(close_in_ledger(city, who.id, trade).await?);
    }
    let mut refunded = 0;
    let mut fee = 0;
    let payment = decided.filter(|t| t.code == transfer_code::TRADE_PAYMENT);
    if let Some(payment) = &payment {
        refunded = refund::refunded(city, trade).await?;
        fee = refund::fee_of(city, payment.id).await?;
    }
    let currency = city.settings.currency;
    let paid = payment.map(|t| i64::try_from(t.amount).unwrap_or(i64::MAX));
    Ok(Trade {
        id: trade,
        status: rules::status(
            decided.as_ref(),
            refunded,
            order.as_ref().is_some_and(|o| o.payer.is_some()),
            expired,
        ),
        amount: paid.or(order.as_ref().map(|o| o.amount_minor)).map(|minor| Money::new(minor, currency)),
        refunded: Money::new(refunded, currency),
        fee: Money::new(fee, currency),
        paid_at: payment.map(|t| instant(t.timestamp)),
        ordered_at: order.as_ref().map(|o| o.created_at),
        order_no: order.as_ref().map(|o| o.order_no.clone()),
        subject: order.as_ref().and_then(|o| o.subject.clone()),
        till: order.and_then(|o| o.till),
    })
}

/// Whether the transfer that decided a trade names this shop.
fn belongs_to(transfer: &Transfer, merchant: MerchantId) -> bool {
    transfer.credit_account_id == books::merchant(merchant)
        || (transfer.code == transfer_code::TRADE_CLOSED
            && transfer.user_data_64 == books::merchant_tag(merchant))
}

/// Puts the closing marker in the place of the payment, or answers with what is there already.
async fn close_in_ledger(city: &City, merchant: MerchantId, trade: TradeId) -> Result<Transfer, TradeError> {
    // A later attempt's id does not lead back to the trade, so the marker names it, as payments do.
    let marker = |id| Transfer {
        user_data_128: trade.as_u128(),
        user_data_64: books::merchant_tag(merchant),
        ..books::marker(id, transfer_code::TRADE_CLOSED)
    };
    match books::pay_once(&city.ledger, trade.as_u128(), |id| vec![marker(id)]).await? {
        Once::Done { id, timestamp } => Ok(Transfer { timestamp, ..marker(id) }),
        Once::Already(found) => Ok(found),
        Once::Refused(_, status) => Err(Fault::Books(format!("close: {status:?}")).into()),
        Once::Exhausted => Err(TradeError::AttemptsExhausted),
    }
}

/// Cancels in whatever state: an unpaid trade, also one nobody knows, can never be paid after this;
/// a paid one is refunded in full. Safe to ask again.
pub async fn cancel(city: &City, who: &Merchant, order_no: &str) -> Result<Trade, TradeError> {
    who.role.require(Role::Staff)?;
    if !rules::number_acceptable(order_no) {
        return Err(TradeError::NumberMalformed);
    }
    let trade = id_of(who.id, order_no);
    let decided = close_in_ledger(city, who.id, trade).await?;
    if decided.code == transfer_code::TRADE_PAYMENT {
        refund::refund_rest(city, who.id, trade, &decided).await?;
    }
    view(city, who, trade).await
}

/// Closes an unpaid trade; refused when it was paid. For a shop that has changed its mind.
pub async fn close(city: &City, who: &Merchant, order_no: &str) -> Result<Trade, TradeError> {
    who.role.require(Role::Staff)?;
    let trade = id_of(who.id, order_no);
    order(city, trade).await?.ok_or(TradeError::TradeUnknown)?;
    let decided = close_in_ledger(city, who.id, trade).await?;
    if decided.code == transfer_code::TRADE_PAYMENT {
        return Err(TradeError::TradeAlreadyPaid);
    }
    view(city, who, trade).await
}

/// What waits for this payer's PIN, newest first.
pub async fn waiting(city: &City, who: &Resident) -> Result<Vec<Order>, TradeError> {
    let mut conn = city.store.read().await?;
    let orders = store::waiting(&mut conn, who.id, city.now()).await?;
    drop(conn);
    let mut open = Vec::new();
    for order in orders {
        if books::find_once(&city.ledger, order.id.as_u128()).await?.is_none() {
            open.push(order);
        }
    }
    Ok(open)
}
