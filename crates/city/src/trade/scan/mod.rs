//! What a scanned text is, for the resident who holds the phone: a shop's poster, a shop's order, or
//! another resident's personal code. No money moves.
//!
//! Must never tell more to who guesses than to who scans: shops and orders have ids that can be derived, so
//! whatever is not there is counted as an unknown look-up, and an order is described only to who holds its
//! code, which says its amount.

pub mod http;

use codes::mpm;
use codes::payment_code::PaymentCode;
use kernel::ids::{MerchantId, TradeId};
use kernel::{Money, Timestamp};

use super::pay::{printed, refuse_expired};
use super::{TradeError, order_now};
use crate::City;
use crate::books::{self, transfer_code};
use crate::identity::{self, IdentityError, Lookup, Resident};
use crate::merchant::{self, MerchantError};
use crate::wallet::{self, WalletError};

/// What a scanned text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scanned {
    /// A shop's poster: the payer types the amount, unless the code has one.
    Poster {
        /// The shop.
        merchant: MerchantId,
        /// As on its sign.
        name: String,
        /// What the code asks for.
        amount: Option<Money>,
    },
    /// A shop's order that can be paid now.
    Order {
        /// The shop.
        merchant: MerchantId,
        /// As on its sign.
        name: String,
        /// The trade.
        trade: TradeId,
        /// The shop's own number.
        order_no: String,
        /// How much.
        amount: Money,
        /// What is sold.
        subject: Option<String>,
        /// Not payable from then on.
        expires_at: Timestamp,
    },
    /// Another resident's personal code.
    Personal {
        /// Masked.
        name: String,
        /// What the code asks for.
        amount: Option<Money>,
    },
}

/// Says what a scanned text is; refuses what `who` could not pay by it. An order whose time is over is
/// closed for good, as everywhere.
pub async fn scan(city: &City, who: &Resident, text: &str) -> Result<Scanned, TradeError> {
    if text.starts_with(wallet::rules::PERSONAL_CODE) {
        return personal(city, who, text).await;
    }
    if PaymentCode::parse(text).is_ok() {
        return Err(TradeError::IsPaymentCode);
    }
    let qr = match mpm::decode(text) {
        Ok(qr) => qr,
        // The addresses that other payment systems put into their codes are no damaged codes of ours.
        Err(_) if text.contains("://") => return Err(TradeError::ForeignCode),
        Err(why) => return Err(TradeError::Code(why)),
    };
    let reference = mpm::yima_reference(&qr).ok_or(TradeError::ForeignCode)?;
    let merchant: MerchantId = reference.merchant.parse().map_err(|_| TradeError::ForeignCode)?;
    let printed = printed(city, &qr)?;
    let Some(trade) = reference.trade else {
        let name = shop_name(city, who, merchant).await?;
        let amount = printed.map(|minor| Money::new(minor, city.settings.currency));
        return Ok(Scanned::Poster { merchant, name, amount });
    };
    let trade: TradeId = trade.parse().map_err(|_| TradeError::ForeignCode)?;
    order(city, who, merchant, trade, printed).await
}

async fn order(
    city: &City,
    who: &Resident,
    merchant: MerchantId,
    trade: TradeId,
    printed: Option<i64>,
) -> Result<Scanned, TradeError> {
    let found = order_now(city, trade).await?.filter(|o| o.merchant == merchant);
    let shown = found.as_ref().filter(|o| printed == Some(o.amount_minor));
    identity::may_tell(city, who, Lookup::Code, shown.is_some())?;
    let order = found.ok_or(TradeError::TradeUnknown)?;
    if printed != Some(order.amount_minor) {
        return Err(TradeError::AmountDiffers);
    }
    let decided = books::find_once(&city.ledger, trade.as_u128()).await?;
    match decided {
        Some(t) if t.code == transfer_code::TRADE_PAYMENT => return Err(TradeError::TradeAlreadyPaid),
        Some(_) => return Err(TradeError::TradeClosed),
        None => refuse_expired(city, &order).await?,
    }
    if order.payer.is_some_and(|payer| payer != who.id) {
        return Err(TradeError::NotForYou);
    }
    let name = shop_name(city, who, merchant).await?;
    Ok(Scanned::Order {
        merchant,
        name,
        trade,
        order_no: order.order_no,
        amount: Money::new(order.amount_minor, city.settings.currency),
        subject: order.subject,
        expires_at: order.expires_at,
    })
}

/// The name of a shop that takes payments.
async fn shop_name(city: &City, who: &Resident, merchant: MerchantId) -> Result<String, TradeError> {
    let shop = match merchant::get(city, merchant).await {
        Err(unknown @ MerchantError::Unknown) => {
            identity::may_tell(city, who, Lookup::Code, false)?;
            return Err(unknown.into());
        }
        found => found?,
    };
    identity::may_tell(city, who, Lookup::Code, true)?;
    if shop.is_open() { Ok(shop.name.clone()) } else { Err(TradeError::MerchantClosed) }
}

async fn personal(city: &City, who: &Resident, text: &str) -> Result<Scanned, TradeError> {
    let currency = city.settings.currency;
    let (resident, minor) = wallet::rules::parse_personal_code(text).ok_or(WalletError::CodeMalformed)?;
    if resident == who.id {
        return Err(WalletError::PayeeIsPayer.into());
    }
    let amount = minor.map(|minor| Money::new(minor, currency));
    if amount.is_some_and(|amount| !wallet::rules::amount_acceptable(amount, currency)) {
        return Err(TradeError::AmountUnacceptable);
    }
    let found = identity::name_and_tier(city, resident).await;
    if matches!(found, Ok(_) | Err(IdentityError::ResidentUnknown)) {
        identity::may_tell(city, who, Lookup::Code, found.is_ok())?;
    }
    let (name, _) = found?;
    Ok(Scanned::Personal { name: identity::rules::mask_name(&name), amount })
}
