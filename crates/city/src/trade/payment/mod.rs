//! One movement of a resident's money, read again: what a receipt shows, for who lost the answer or wants to see
//! an old one. Bill payments have receipts of their own, in [`crate::bill`].
//!
//! Must never show a movement to anybody but its two sides, nor a person's whole name to the other.

pub mod http;

use kernel::ids::{CampaignId, MerchantId, PaymentId, ResidentId, TradeId};
use kernel::{Money, Timestamp};
use ledger::Transfer;

use super::{TradeError, TradeInfo, describe, refund};
use crate::City;
use crate::books::{self, transfer_code};
use crate::coupon::{self, Used};
use crate::identity::{self, Resident};
use crate::merchant;
use crate::wallet::{self, instant};

/// A movement as one of its sides may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// Its id in the ledger.
    pub payment: PaymentId,
    /// What it was: see [`wallet::rules::kind`].
    pub kind: &'static str,
    /// Whether money came in.
    pub incoming: bool,
    /// How much.
    pub amount: Money,
    /// When it was committed.
    pub at: Timestamp,
    /// The other side: a shop's name, a person's masked; none at the bank.
    pub other: Option<String>,
    /// The shop, where one is the other side.
    pub merchant: Option<MerchantId>,
    /// The trade that was paid or given back.
    pub trade: Option<TradeId>,
    /// What the shop said of the trade.
    pub order: Option<TradeInfo>,
    /// How much of a payment was given back.
    pub refunded: Option<Money>,
    /// What of a payment a coupon brought; of a coupon's own movement, what that was.
    pub coupon: Option<Used>,
}

/// A movement of the resident's wallet.
pub async fn movement(city: &City, who: &Resident, payment: PaymentId) -> Result<Movement, TradeError> {
    let wallet = books::wallet(who.id);
    let found = city.ledger.lookup_transfers(vec![payment.as_u128()]).await?.into_iter().next();
    let ours = |t: &Transfer| t.debit_account_id == wallet || t.credit_account_id == wallet;
    let told = |t: &Transfer| t.code != transfer_code::BILL_PAYMENT && ours(t);
    let found = found.filter(told).ok_or(TradeError::PaymentUnknown)?;
    let incoming = found.credit_account_id == wallet;
    let side = if incoming { found.debit_account_id } else { found.credit_account_id };
    let money = |minor| Money::new(minor, city.settings.currency);
    let mut movement = Movement {
        payment,
        kind: wallet::rules::kind(found.code),
        incoming,
        amount: money(i64::try_from(found.amount).unwrap_or(i64::MAX)),
        at: instant(found.timestamp),
        other: None,
        merchant: None,
        trade: None,
        order: None,
        refunded: None,
        coupon: None,
    };
    match found.code {
        transfer_code::TRADE_PAYMENT | transfer_code::TRADE_REFUND => {
            let (shop, trade) = (MerchantId::from_u128(side), TradeId::from_u128(found.user_data_128));
            movement.other = Some(merchant::get(city, shop).await?.name.clone());
            movement.merchant = Some(shop);
            movement.trade = Some(trade);
            movement.order = describe(city, trade).await?;
            if !incoming {
                movement.refunded = Some(money(refund::refunded(city, trade).await?));
                movement.coupon = coupon::of_payment(city, &found).await?;
            }
        }
        transfer_code::WALLET_TRANSFER => {
            let (name, _) = identity::name_and_tier(city, ResidentId::from_u128(side)).await?;
            movement.other = Some(identity::rules::mask_name(&name));
        }
        transfer_code::COUPON_SUBSIDY | transfer_code::COUPON_BACK => {
            movement.coupon = Some(Used { campaign: CampaignId::from_u128(side), discount: movement.amount });
        }
        _ => {}
    }
    Ok(movement)
}
