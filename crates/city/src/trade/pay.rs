//! The hot path: one linked chain of transfers moves the money, takes the fee, draws the payer's
//! allowance and uses up the payment code, or none of it happens.
//!
//! Order in the chain: payment, allowance, payment code, fee. The payment comes first, so that a
//! trade which is decided already is answered as such whatever else is wrong. Only a coupon stands before it, for
//! its money is part of what is paid; where the coupon is refused, what was decided is looked for.

use kernel::Money;
use kernel::ids::{CampaignId, MerchantId, PaymentId, ResidentId, TillId, TradeId};
use ledger::{CreateTransferStatus, Transfer};
use std::time::Duration;

use super::{Order, Precreate, TradeError, close_in_ledger, order, order_now, put_order, rules, store};
use crate::books::{self, Once, transfer_code};
use crate::coupon::{self, CouponError, Used};
use crate::identity::{self, Merchant, Resident, Role};
use crate::merchant;
use crate::wallet::instant;
use crate::{City, Fault};

/// A payment that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paid {
    /// Its id in the ledger.
    pub payment: PaymentId,
    /// The trade.
    pub trade: TradeId,
    /// The shop.
    pub merchant: MerchantId,
    /// Gross.
    pub amount: Money,
    /// What of it a coupon brought.
    pub coupon: Option<Used>,
    /// When it was committed.
    pub at: kernel::Timestamp,
    /// Whether it had happened before this request.
    pub repeated: bool,
}

/// What a payer scanned and wants to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pay {
    /// The text of the shop's QR code.
    pub code: String,
    /// Needed at a poster; where the code has an amount it must be the same.
    pub amount: Option<Money>,
    /// Needed above the no-PIN limit.
    pub pin: Option<String>,
    /// The coupon to be used.
    pub coupon: Option<CampaignId>,
    /// The client's idempotency key; names the payment at a poster.
    pub key: String,
}

/// What a till scanned and wants to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The order as for [`super::precreate`].
    pub order_no: String,
    /// How much.
    pub amount: Money,
    /// What is sold.
    pub subject: Option<String>,
    /// At which till.
    pub till: Option<TillId>,
    /// The payer's code, 18 digits.
    pub payment_code: String,
}

/// What became of a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charged {
    /// Paid.
    Paid(Paid),
    /// Above the no-PIN limit: waits for the payer until the order expires.
    Waiting(Order),
}

struct Parties {
    trade: TradeId,
    merchant: MerchantId,
    payer: ResidentId,
    tier: identity::Tier,
    amount: i64,
    /// The marker that uses up the payment code.
    burn: Option<u128>,
    coupon: Option<CampaignId>,
    channel: Channel,
}

/// How the payer was met; the ledger keeps it in `user_data_32` of the payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A shop's poster.
    Poster,
    /// The QR code of an order.
    Order,
    /// The payer's own code.
    PayerCode,
}

impl Channel {
    const ALL: [Channel; 3] = [Channel::Poster, Channel::Order, Channel::PayerCode];

    fn number(self) -> u32 {
        match self {
            Channel::Poster => 1,
            Channel::Order => 2,
            Channel::PayerCode => 3,
        }
    }

    /// The channel of a payment in the ledger; older ones do not say.
    pub fn of(payment: &Transfer) -> Option<Channel> {
        Channel::ALL.into_iter().find(|channel| channel.number() == payment.user_data_32)
    }
}

/// Pays what a shop's QR code asks for.
pub async fn pay(city: &City, who: &Resident, request: Pay) -> Result<Paid, TradeError> {
    let qr = codes::mpm::decode(&request.code).map_err(TradeError::Code)?;
    let reference = codes::mpm::yima_reference(&qr).ok_or(TradeError::ForeignCode)?;
    let merchant = reference.merchant.parse().map_err(|_| TradeError::ForeignCode)?;
    let currency = city.settings.currency;
    if request.amount.is_some_and(|a| !crate::wallet::rules::amount_acceptable(a, currency)) {
        return Err(TradeError::AmountUnacceptable);
    }
    let printed = printed(city, &qr)?;
    let asked = request.amount.map(|a| a.minor);
    if asked.is_some() && printed.is_some() && asked != printed {
        return Err(TradeError::AmountDiffers);
    }
    let asked = asked.or(printed);
    let (trade, amount, channel) = if let Some(text) = reference.trade {
        let trade: TradeId = text.parse().map_err(|_| TradeError::ForeignCode)?;
        // The shop's order says what is to be paid. A code that shows the payer another amount is no code of it.
        let order =
            order(city, trade).await?.filter(|o| o.merchant == merchant).ok_or(TradeError::TradeUnknown)?;
        if asked.is_some_and(|asked| asked != order.amount_minor) {
            return Err(TradeError::AmountDiffers);
        }
        refuse_expired(city, &order).await?;
        (trade, order.amount_minor, Channel::Order)
    } else {
        let trade = TradeId::derive(&[b"poster", &who.id.to_bytes(), request.key.as_bytes()]);
        (trade, asked.ok_or(TradeError::AmountMissing)?, Channel::Poster)
    };
    identity::require_pin(city, who, amount, request.pin.as_deref()).await?;
    let (payer, tier, burn, coupon) = (who.id, who.tier, None, request.coupon);
    settle(city, Parties { trade, merchant, payer, tier, amount, burn, coupon, channel }).await
}

/// The amount that the code shows its payer, minor units. A code in another currency is not the city's.
pub(super) fn printed(city: &City, qr: &codes::mpm::MerchantQr) -> Result<Option<i64>, TradeError> {
    let currency = city.settings.currency;
    if qr.currency != format!("{:03}", currency.numeric()) {
        return Err(TradeError::AmountDiffers);
    }
    let Some(amount) = &qr.amount else { return Ok(None) };
    let minor = amount.to_minor(u32::from(currency.exponent())).ok().and_then(|m| i64::try_from(m).ok());
    let acceptable =
        minor.filter(|m| crate::wallet::rules::amount_acceptable(Money::new(*m, currency), currency));
    acceptable.map(Some).ok_or(TradeError::AmountUnacceptable)
}

/// Charges the payer whose payment code the till scanned. The code is used up, whatever comes of it.
pub async fn charge(city: &City, who: &Merchant, request: Charge) -> Result<Charged, TradeError> {
    who.role.require(Role::Staff)?;
    let order = Precreate {
        order_no: request.order_no,
        amount: request.amount,
        subject: request.subject,
        till: request.till,
        expires_in_s: None,
    };
    let order = put_order(city, who, &order, Duration::from_secs(rules::EXPIRES_S)).await?;
    // From here a task of its own, which goes on when nobody waits for the answer any more: a till that hangs
    // up between a refusal and the use of the code must not leave a live code behind.
    let (city, who) = (city.clone(), *who);
    let scan = tokio::spawn(async move { scanned(&city, &who, order, &request.payment_code).await });
    scan.await.map_err(|e| Fault::Books(format!("a charge did not end: {e}")))?
}

/// What becomes of an order and the payment code that was scanned for it.
async fn scanned(
    city: &City,
    who: &Merchant,
    order: Order,
    payment_code: &str,
) -> Result<Charged, TradeError> {
    // A till that asks again (its answer was lost) holds a code that is used up by now.
    if let Some(decided) = books::find_once(&city.ledger, order.id.as_u128()).await? {
        spoil(city, identity::payer_of(city, payment_code)).await?;
        return decided_already(city, who.id, order.id, order.amount_minor, &decided).map(Charged::Paid);
    }
    if order.payer.is_some() {
        let payer = identity::resolve_code(city, who, payment_code).await.ok();
        spoil(city, payer).await?;
        refuse_expired(city, &order).await?;
        if payer.is_some_and(|payer| Some(payer.resident) != order.payer) {
            return Err(TradeError::NotForYou);
        }
        return Ok(Charged::Waiting(order));
    }
    let payer = identity::resolve_code(city, who, payment_code).await?;
    if let Err(refused) = refuse_expired(city, &order).await {
        use_up(city, payer.burn_id).await?;
        return Err(refused);
    }
    if order.amount_minor > city.settings.no_pin_limit_minor {
        use_up(city, payer.burn_id).await?;
        return wait_for(city, order, payer.resident).await.map(Charged::Waiting);
    }
    let (_, tier) = identity::name_and_tier(city, payer.resident).await?;
    let parties = Parties {
        trade: order.id,
        merchant: who.id,
        payer: payer.resident,
        tier,
        amount: order.amount_minor,
        burn: Some(payer.burn_id),
        coupon: None,
        channel: Channel::PayerCode,
    };
    match settle(city, parties).await {
        // The chain was rolled back, and the use of the code with it: write it before answering.
        Err(refused) if refused != TradeError::PaymentCodeUsed => {
            use_up(city, payer.burn_id).await?;
            Err(refused)
        }
        other => other.map(Charged::Paid),
    }
}

/// The payer's PIN for a charge that waits for it.
pub async fn confirm(city: &City, who: &Resident, trade: TradeId, pin: &str) -> Result<Paid, TradeError> {
    // Another node may have let it wait since this one read it.
    let order =
        order_now(city, trade).await?.filter(|o| o.payer.is_some()).ok_or(TradeError::TradeUnknown)?;
    if order.payer != Some(who.id) {
        return Err(TradeError::NotForYou);
    }
    refuse_expired(city, &order).await?;
    identity::require_pin(city, who, order.amount_minor, Some(pin)).await?;
    let (merchant, amount) = (order.merchant, order.amount_minor);
    let (payer, tier, burn, coupon, channel) = (who.id, who.tier, None, None, Channel::PayerCode);
    settle(city, Parties { trade, merchant, payer, tier, amount, burn, coupon, channel }).await
}

/// Refuses an order whose time is over, unless it was paid in time: then the payment answers. Who was
/// told that it is closed can rely on it: it is closed in the ledger, whatever clocks do afterwards.
pub(super) async fn refuse_expired(city: &City, order: &Order) -> Result<(), TradeError> {
    if city.now() < order.expires_at {
        return Ok(());
    }
    // Another node may have given it time to wait for a PIN.
    if order_now(city, order.id).await?.is_some_and(|o| city.now() < o.expires_at) {
        return Ok(());
    }
    let decided = close_in_ledger(city, order.merchant, order.id).await?;
    if decided.code == transfer_code::TRADE_PAYMENT { Ok(()) } else { Err(TradeError::TradeClosed) }
}

/// Uses up a payment code that was scanned for a trade which needs none any more, if it is a live one.
async fn spoil(city: &City, payer: Option<identity::Payer>) -> Result<(), TradeError> {
    let Some(payer) = payer else { return Ok(()) };
    match use_up(city, payer.burn_id).await {
        Err(TradeError::PaymentCodeUsed) => Ok(()),
        other => other,
    }
}

/// Lets the order wait for the payer's PIN.
async fn wait_for(city: &City, order: Order, payer: ResidentId) -> Result<Order, TradeError> {
    let expires_at = city.now().plus(Duration::from_secs(rules::WAIT_S));
    let trade = order.id;
    let set: Result<(), TradeError> = city
        .store
        .write(move |conn| {
            Box::pin(async move { Ok(store::wait_for(conn, trade, payer, expires_at).await?) })
        })
        .await;
    match set {
        Err(TradeError::Fault(Fault::Store(::store::StoreError::Guard))) => Err(TradeError::NotForYou),
        other => {
            other?;
            let order = Order { payer: Some(payer), expires_at, ..order };
            city.trade.put(&order);
            Ok(order)
        }
    }
}

/// Writes the marker that a payment code was used; refused when it is there already.
async fn use_up(city: &City, burn: u128) -> Result<(), TradeError> {
    match books::submit(&city.ledger, vec![books::marker(burn, transfer_code::CODE_USED)]).await? {
        Ok(_) => Ok(()),
        Err((_, status)) if books::is_exists(status) => Err(TradeError::PaymentCodeUsed),
        Err((_, status)) => Err(Fault::Books(format!("use up a code: {status:?}")).into()),
    }
}

/// Moves the money of a trade, once.
async fn settle(city: &City, parties: Parties) -> Result<Paid, TradeError> {
    use CreateTransferStatus as S;
    let Parties { trade, merchant, payer, tier, amount, burn, coupon, channel } = parties;
    let currency = city.settings.currency;
    let shop = merchant::get(city, merchant).await?;
    if !shop.is_open() {
        // What happened before it closed is answered as it was.
        return decided_or(city, &parties, TradeError::MerchantClosed).await;
    }
    let claim = match coupon {
        None => None,
        Some(coupon) => match coupon::claim(city, payer, coupon, merchant, amount).await {
            Ok(claim) => Some(claim),
            // So is what was paid before the coupon's time was over.
            Err(refused) => return decided_or(city, &parties, refused.into()).await,
        },
    };
    let fee = shop.fee(Money::new(amount, currency)).minor;
    let fee_id = city.rng.u128();
    let discount = claim.map_or(0, |claim| claim.discount_minor);
    let cap = identity::cap_transfer_of(city, payer, tier, amount - discount, trade.as_u128()).await?;
    let shop_account = books::merchant(merchant);
    // Where the payment stands in the chain.
    let at = if claim.is_some() { 2 } else { 0 };
    let once = books::pay_once_at(&city.ledger, trade.as_u128(), at, |id| {
        let mut chain = Vec::with_capacity(6);
        chain.extend(claim.iter().flat_map(|claim| claim.events(id)));
        let (from, code) = (books::wallet(payer), transfer_code::TRADE_PAYMENT);
        let main = books::transfer(id, from, shop_account, amount, currency, code);
        chain.push(Transfer {
            user_data_128: trade.as_u128(),
            user_data_64: u64::try_from(discount).unwrap_or(0),
            user_data_32: channel.number(),
            ..main
        });
        chain.push(Transfer { user_data_128: id, ..cap });
        chain.extend(burn.map(|burn| books::marker(burn, transfer_code::CODE_USED)));
        if fee > 0 {
            let to = books::fees(currency);
            let fee = books::transfer(fee_id, shop_account, to, fee, currency, transfer_code::TRADE_FEE);
            chain.push(Transfer { user_data_128: id, ..fee });
        }
        chain
    });
    match once.await? {
        Once::Done { id, timestamp } => Ok(Paid {
            payment: PaymentId::from_u128(id),
            trade,
            merchant,
            amount: Money::new(amount, currency),
            coupon: coupon.map(|campaign| Used { campaign, discount: Money::new(discount, currency) }),
            at: instant(timestamp),
            repeated: false,
        }),
        Once::Already(found) => decided_for(city, &parties, &found).await,
        Once::Refused(0, S::ExceedsCredits) if claim.is_some() => {
            decided_or(city, &parties, CouponError::Used.into()).await
        }
        Once::Refused(1, S::ExceedsCredits) if claim.is_some() => {
            decided_or(city, &parties, CouponError::Exhausted.into()).await
        }
        Once::Refused(i, S::ExceedsCredits | S::DebitAccountNotFound) if i == at => {
            Err(TradeError::InsufficientBalance)
        }
        Once::Refused(i, S::ExceedsCredits) if i == at + 1 => Err(TradeError::CapReached),
        Once::Refused(i, status) if i == at + 2 && burn.is_some() && books::is_exists(status) => {
            Err(TradeError::PaymentCodeUsed)
        }
        Once::Refused(index, status) => {
            Err(Fault::Books(format!("payment: event {index} {status:?}")).into())
        }
        Once::Exhausted => Err(TradeError::AttemptsExhausted),
    }
}

/// What a payer is answered who cannot pay: what was decided of the trade before, or else the refusal.
async fn decided_or(city: &City, parties: &Parties, refused: TradeError) -> Result<Paid, TradeError> {
    match books::find_once(&city.ledger, parties.trade.as_u128()).await? {
        Some(found) => decided_for(city, parties, &found).await,
        None => Err(refused),
    }
}

/// [`decided_already`] for a payer: the same payment again is one with the same payer. Where the payer's own key names the
/// payment, it names the coupon too; an order is paid once, and answered as it was.
async fn decided_for(city: &City, parties: &Parties, found: &Transfer) -> Result<Paid, TradeError> {
    let &Parties { trade, merchant, payer, amount, coupon, channel, .. } = parties;
    if found.code == transfer_code::TRADE_PAYMENT && found.debit_account_id != books::wallet(payer) {
        return Err(TradeError::TradeAlreadyPaid);
    }
    let paid = decided_already(city, merchant, trade, amount, found)?;
    let used = coupon::of_payment(city, found).await?;
    if channel == Channel::Poster && used.map(|used| used.campaign) != coupon {
        return Err(TradeError::KeyUsedDifferently);
    }
    Ok(Paid { coupon: used, ..paid })
}

/// What it means that the trade was decided before: it was paid, or it is closed. Leaves out the coupon.
fn decided_already(
    city: &City,
    merchant: MerchantId,
    trade: TradeId,
    amount: i64,
    found: &Transfer,
) -> Result<Paid, TradeError> {
    if found.code != transfer_code::TRADE_PAYMENT {
        return Err(TradeError::TradeClosed);
    }
    if found.credit_account_id != books::merchant(merchant)
        || Some(found.amount) != u128::try_from(amount).ok()
    {
        return Err(TradeError::KeyUsedDifferently);
    }
    Ok(Paid {
        payment: PaymentId::from_u128(found.id),
        trade,
        merchant,
        amount: Money::new(amount, city.settings.currency),
        coupon: None,
        at: instant(found.timestamp),
        repeated: true,
    })
}
