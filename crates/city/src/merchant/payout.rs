//! Paying shops out: what was paid to their account at the bank is booked against bank clearing. The bank
//! moves the money; nothing here does.

use kernel::Money;
use kernel::ids::{MerchantId, PaymentId};
use ledger::{CreateTransferStatus, Transfer};

use super::{MerchantError, get};
use crate::books::{self, Once, transfer_code};
use crate::identity::{Operator, Role};
use crate::wallet::{Moved, instant, rules};
use crate::{City, Fault};

/// Books money that was paid out to a shop, open or closed. `reference` is the bank's own: booked once,
/// whoever asks; the same reference with another shop or amount is refused.
pub async fn pay_out(
    city: &City,
    by: &Operator,
    merchant: MerchantId,
    amount: Money,
    reference: &str,
) -> Result<Moved, MerchantError> {
    by.role.require(Role::Staff)?;
    let currency = city.settings.currency;
    if !rules::amount_acceptable(amount, currency) {
        return Err(MerchantError::AmountUnacceptable);
    }
    if !(1..=64).contains(&reference.len()) || !reference.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(MerchantError::BankReferenceMalformed);
    }
    get(city, merchant).await?;
    let payment = PaymentId::derive(&[b"payout", reference.as_bytes()]);
    let (from, to) = (books::merchant(merchant), books::bank_clearing(currency));
    let once = books::pay_once(&city.ledger, payment.as_u128(), |id| {
        vec![books::transfer(id, from, to, amount.minor, currency, transfer_code::MERCHANT_SETTLEMENT)]
    });
    let same =
        |t: &Transfer| t.debit_account_id == from && Some(t.amount) == u128::try_from(amount.minor).ok();
    let moved = |id, timestamp, repeated| Moved {
        payment: PaymentId::from_u128(id),
        amount,
        at: instant(timestamp),
        repeated,
    };
    match once.await? {
        Once::Done { id, timestamp } => Ok(moved(id, timestamp, false)),
        Once::Already(t) if same(&t) => Ok(moved(t.id, t.timestamp, true)),
        Once::Already(_) => Err(MerchantError::BankReferenceUsed),
        Once::Refused(0, CreateTransferStatus::ExceedsCredits) => Err(MerchantError::BalanceInsufficient),
        Once::Refused(_, status) => Err(Fault::Books(format!("pay out: {status:?}")).into()),
        Once::Exhausted => Err(MerchantError::AttemptsExhausted),
    }
}
