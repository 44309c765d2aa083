//! Refunds: many, partial, never more than was paid.
//!
//! What may still be refunded of a trade is a ledger account, made at its first refund and granted
//! the paid amount once. Every refund draws it in the chain that moves the money, so refunds that
//! race cannot exceed it. The fee's share goes back to the shop, a coupon's share to its campaign, and the payer's
//! allowance is given back, in the same chain.

use std::collections::HashMap;

use kernel::ids::{MerchantId, RefundId, TradeId};
use kernel::{Money, Timestamp, derive_u128};
use ledger::{AccountFilter, AccountFilterFlags, CreateTransferStatus, QueryFilter, Transfer};

use super::{TradeError, id_of, rules};
use crate::books::{self, Once, account_code, shadow, transfer_code};
use crate::coupon::{self, TakenBack};
use crate::identity::{self, Merchant, Role};
use crate::wallet::instant;
use crate::{City, Fault};

/// What a shop wants to give back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Of which order.
    pub order_no: String,
    /// The shop's own number of the refund: the idempotency key.
    pub refund_no: String,
    /// How much.
    pub amount: Money,
}

/// A refund that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refunded {
    /// Which.
    pub refund: RefundId,
    /// Of which trade.
    pub trade: TradeId,
    /// How much.
    pub amount: Money,
    /// How much of the fee the shop got back with it.
    pub fee_back: Money,
    /// When it was committed.
    pub at: Timestamp,
    /// Whether it had happened before this request.
    pub repeated: bool,
}

/// The account of what may still be refunded.
fn refundable(trade: TradeId) -> u128 {
    derive_u128("refundable", &[&trade.to_bytes()])
}

/// Gives money of a paid trade back to its payer.
pub async fn refund(city: &City, who: &Merchant, request: Refund) -> Result<Refunded, TradeError> {
    who.role.require(Role::Staff)?;
    if !rules::number_acceptable(&request.order_no) || !rules::number_acceptable(&request.refund_no) {
        return Err(TradeError::NumberMalformed);
    }
    refund_trade(city, who, id_of(who.id, &request.order_no), &request.refund_no, request.amount).await
}

/// [`refund`] by the trade's id: also for what was paid at a poster.
pub async fn refund_trade(
    city: &City,
    who: &Merchant,
    trade: TradeId,
    refund_no: &str,
    amount: Money,
) -> Result<Refunded, TradeError> {
    who.role.require(Role::Staff)?;
    if !rules::number_acceptable(refund_no) {
        return Err(TradeError::NumberMalformed);
    }
    if !crate::wallet::rules::amount_acceptable(amount, city.settings.currency) {
        return Err(TradeError::AmountUnacceptable);
    }
    let decided = books::find_once(&city.ledger, trade.as_u128()).await?;
    let payment = decided.filter(|t| t.credit_account_id == books::merchant(who.id));
    let known = payment.is_some() || super::order(city, trade).await?.is_some_and(|o| o.merchant == who.id);
    let payment = payment.ok_or(if known { TradeError::TradeNotPaid } else { TradeError::TradeUnknown })?;
    let refund = RefundId::derive(&[&trade.to_bytes(), refund_no.as_bytes()]);
    give_back(city, who.id, trade, &payment, refund, amount.minor).await
}

/// Gives back whatever is left of a payment: the second half of a cancellation.
pub(super) async fn refund_rest(
    city: &City,
    merchant: MerchantId,
    trade: TradeId,
    payment: &Transfer,
) -> Result<(), TradeError> {
    let paid = i64::try_from(payment.amount).unwrap_or(i64::MAX);
    let refund = RefundId::derive(&[&trade.to_bytes(), b"cancel", b""]);
    // A partial refund may come in between: what is left is asked for again then, in bounded tries.
    for _ in 0..books::ATTEMPTS_MAX {
        let rest = paid - refunded(city, trade).await?;
        if rest == 0 {
            return Ok(());
        }
        match give_back(city, merchant, trade, payment, refund, rest).await {
            Err(TradeError::RefundExceedsPaid | TradeError::RefundDiffers) => {}
            other => return other.map(|_| ()),
        }
    }
    Err(TradeError::AttemptsExhausted)
}

/// How much of a trade was refunded, minor units.
pub async fn refunded(city: &City, trade: TradeId) -> Result<i64, Fault> {
    let found = city.ledger.lookup_accounts(vec![refundable(trade)]).await?;
    Ok(found.first().map_or(0, |a| i64::try_from(a.debits_posted).unwrap_or(i64::MAX)))
}

/// [`refunded`] of many trades, in their order.
pub(super) async fn refunded_of(city: &City, trades: &[TradeId]) -> Result<Vec<i64>, Fault> {
    let mut sums: HashMap<u128, i64> = HashMap::new();
    for part in trades.chunks(ledger::BATCH_MAX) {
        let ids = part.iter().map(|trade| refundable(*trade)).collect();
        let accounts = city.ledger.lookup_accounts(ids).await?;
        sums.extend(accounts.iter().map(|a| (a.id, i64::try_from(a.debits_posted).unwrap_or(i64::MAX))));
    }
    Ok(trades.iter().map(|trade| sums.get(&refundable(*trade)).copied().unwrap_or(0)).collect())
}

/// What a payment cost the shop, minor units: the fee transfer that names it.
pub(super) async fn fee_of(city: &City, payment: u128) -> Result<i64, Fault> {
    named(city, payment, transfer_code::TRADE_FEE).await
}

/// The amount of the transfer of this code that names another as the one it belongs to.
async fn named(city: &City, other: u128, code: u16) -> Result<i64, Fault> {
    let filter = QueryFilter {
        user_data_128: other,
        ledger: books::money(city.settings.currency),
        code,
        limit: 1,
        ..QueryFilter::default()
    };
    let found = city.ledger.query_transfers(filter).await?;
    Ok(found.first().map_or(0, |t| i64::try_from(t.amount).unwrap_or(i64::MAX)))
}

/// The fee's share that goes back with a refund. The refund that empties what is left brings the whole
/// rest of the fee: it succeeds only if no other came in between, so the fee never goes back twice.
async fn fee_share(city: &City, trade: TradeId, payment: &Transfer, amount: i64) -> Result<i64, Fault> {
    let paid = i64::try_from(payment.amount).unwrap_or(i64::MAX);
    let fee = fee_of(city, payment.id).await?;
    if fee == 0 || amount != paid - refunded(city, trade).await? {
        return Ok(rules::fee_back(fee, amount, paid));
    }
    let mut rest = fee;
    for draw in draws(city, trade).await? {
        rest -= named(city, draw.user_data_128, transfer_code::TRADE_FEE_BACK).await?;
    }
    Ok(rest)
}

/// What was drawn from a trade's refundable amount, oldest first; each names its refund.
async fn draws(city: &City, trade: TradeId) -> Result<Vec<Transfer>, Fault> {
    let filter = AccountFilter {
        account_id: refundable(trade),
        limit: 8_000,
        flags: AccountFilterFlags::Debits,
        ..AccountFilter::default()
    };
    Ok(city.ledger.get_account_transfers(filter).await?)
}

/// Gives money back, reckoning its shares again where another refund of the trade comes in between.
async fn give_back(
    city: &City,
    merchant: MerchantId,
    trade: TradeId,
    payment: &Transfer,
    refund: RefundId,
    amount: i64,
) -> Result<Refunded, TradeError> {
    let paid = i64::try_from(payment.amount).unwrap_or(i64::MAX);
    grant(city, trade, paid).await?;
    for _ in 0..books::ATTEMPTS_MAX {
        let before = refunded(city, trade).await?;
        let fee_back = fee_share(city, trade, payment, amount).await?;
        let coupon = coupon::take_back(city, trade, payment, before, amount, refund.as_u128()).await?;
        let step = coupon.is_some().then_some(usize::from(fee_back > 0) + 2);
        let giving = Giving { merchant, trade, payment, refund, amount, fee_back, coupon };
        match giving.submit(city).await? {
            Once::Refused(at, status) if Some(at) == step && books::is_exists(status) => {}
            once => return giving.ended(city, once).await,
        }
    }
    Err(TradeError::AttemptsExhausted)
}

/// A refund with its shares.
struct Giving<'a> {
    merchant: MerchantId,
    trade: TradeId,
    payment: &'a Transfer,
    refund: RefundId,
    amount: i64,
    fee_back: i64,
    coupon: Option<TakenBack>,
}

impl Giving<'_> {
    /// Where the refund stands in the chain.
    fn main(&self) -> usize {
        usize::from(self.fee_back > 0)
    }

    async fn submit(&self, city: &City) -> Result<Once, Fault> {
        let &Giving { merchant, trade, payment, refund, amount, fee_back, .. } = self;
        let currency = city.settings.currency;
        let own = amount - self.coupon.as_ref().map_or(0, |back| back.minor);
        let cap_return =
            if own > 0 { identity::cap_return(city, payment.id, own, refund.as_u128()).await? } else { None };
        let (draw_id, fee_id) = (city.rng.u128(), city.rng.u128());
        let shadow_ledger = shadow::refundable(currency);
        let shop = books::merchant(merchant);
        books::pay_once_at(&city.ledger, refund.as_u128(), self.main(), |id| {
            let mut chain = Vec::with_capacity(6);
            // The fee's share comes first: it is part of what the shop gives back.
            if fee_back > 0 {
                let (from, code) = (books::fees(currency), transfer_code::TRADE_FEE_BACK);
                let fee = books::transfer(fee_id, from, shop, fee_back, currency, code);
                chain.push(Transfer { user_data_128: id, ..fee });
            }
            let payer = payment.debit_account_id;
            let main = books::transfer(id, shop, payer, amount, currency, transfer_code::TRADE_REFUND);
            chain.push(Transfer { user_data_128: trade.as_u128(), ..main });
            let (from, to) = (refundable(trade), books::pool(shadow_ledger));
            let draw = books::transfer(draw_id, from, to, amount, currency, transfer_code::CAP_DRAW);
            chain.push(Transfer { ledger: shadow_ledger, user_data_128: id, ..draw });
            chain.extend(self.coupon.iter().flat_map(|back| back.events.iter().copied()));
            chain.extend(cap_return);
            chain
        })
        .await
    }

    async fn ended(&self, city: &City, once: Once) -> Result<Refunded, TradeError> {
        let &Giving { trade, payment, refund, amount, fee_back, .. } = self;
        let (main, currency) = (self.main(), city.settings.currency);
        let done = |timestamp, fee_back, repeated| Refunded {
            refund,
            trade,
            amount: Money::new(amount, currency),
            fee_back: Money::new(fee_back, currency),
            at: instant(timestamp),
            repeated,
        };
        match once {
            Once::Done { timestamp, .. } => Ok(done(timestamp, fee_back, false)),
            Once::Already(t) if Some(t.amount) == u128::try_from(amount).ok() => {
                let fee_back = named(city, t.id, transfer_code::TRADE_FEE_BACK).await?;
                Ok(done(t.timestamp, fee_back, true))
            }
            Once::Already(_) => Err(TradeError::RefundDiffers),
            Once::Refused(at, CreateTransferStatus::ExceedsCredits) if at == main => {
                // Which of two refusals it is, the refundable account tells.
                let paid = i64::try_from(payment.amount).unwrap_or(i64::MAX);
                if amount > paid - refunded(city, trade).await? {
                    return Err(TradeError::RefundExceedsPaid);
                }
                Err(TradeError::MerchantBalanceInsufficient)
            }
            Once::Refused(at, CreateTransferStatus::ExceedsCredits) if at == main + 1 => {
                Err(TradeError::RefundExceedsPaid)
            }
            Once::Refused(index, status) => {
                Err(Fault::Books(format!("refund: event {index} {status:?}")).into())
            }
            Once::Exhausted => Err(TradeError::AttemptsExhausted),
        }
    }
}

/// Makes the account of what may still be refunded and grants it the paid amount, once.
async fn grant(city: &City, trade: TradeId, paid: i64) -> Result<(), TradeError> {
    let ledger = shadow::refundable(city.settings.currency);
    let account = refundable(trade);
    books::ensure(&city.ledger, vec![books::never_overdrawn(account, ledger, account_code::REFUNDABLE)])
        .await?;
    let id = derive_u128("refundable_grant", &[&trade.to_bytes()]);
    let (from, currency) = (books::pool(ledger), city.settings.currency);
    let grant = books::transfer(id, from, account, paid, currency, transfer_code::CAP_GRANT);
    match books::submit(&city.ledger, vec![Transfer { ledger, ..grant }]).await? {
        Ok(_) => Ok(()),
        Err((_, status)) if books::is_there(status) => Ok(()),
        Err((_, status)) => Err(Fault::Books(format!("refundable grant: {status:?}")).into()),
    }
}

/// The refunds of a trade of the shop, oldest first: id, amount, time.
pub async fn list(
    city: &City,
    who: &Merchant,
    trade: TradeId,
) -> Result<Vec<(RefundId, Money, Timestamp)>, TradeError> {
    super::view(city, who, trade).await?;
    let draws = draws(city, trade).await?;
    let ids = draws.iter().map(|draw| draw.user_data_128).collect();
    let refunds = city.ledger.lookup_transfers(ids).await?;
    let money =
        |t: &Transfer| Money::new(i64::try_from(t.amount).unwrap_or(i64::MAX), city.settings.currency);
    Ok(refunds.iter().map(|t| (RefundId::from_u128(t.id), money(t), instant(t.timestamp))).collect())
}
