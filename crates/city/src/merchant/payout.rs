//! Paying shops out: what was paid to their account at the bank is booked against bank clearing. The bank
//! moves the money; nothing here does.

use kernel::Money;
use kernel::ids::{MerchantId, PaymentId};
use ledger::{CreateTransferStatus, Transfer};

use super::{MerchantError, get};
use crate::City;
use crate::books::{self, Once, transfer_code};
use crate::identity::{Operator, Role};
use crate::wallet::{Moved, instant, rules};

/// Books money that was paid out to a shop, open or closed. `reference` is the bank's own: booked once,
/// whoever asks; the same reference with another shop or amount is refused. The ledger keeps who booked it in
/// `user_data_128`. Whether it needs a second operator is asked before (by the operator slice).
pub async fn pay_out(
    city: &City,
    by: &Operator,
    merchant: MerchantId,
    amount: Money,
    reference: &str,
) -> Result<Moved, MerchantError> {
    pay_out_beside(city, by, merchant, amount, reference, None).await
}

/// [`pay_out`] in one chain with a marker: both or neither. [`MerchantError::GivenUp`] where its place is taken.
pub async fn pay_out_beside(
    city: &City,
    by: &Operator,
    merchant: MerchantId,
    amount: Money,
    reference: &str,
    beside: Option<Transfer>,
) -> Result<Moved, MerchantError> {
    by.role.require(Role::Staff)?;
    check_payout(city, merchant, amount, reference).await?;
    let currency = city.settings.currency;
    let payment = payout_id(reference);
    let (from, to) = (books::merchant(merchant), books::bank_clearing(currency));
    let once = books::pay_once(&city.ledger, payment.as_u128(), |id| {
        let main = books::transfer(id, from, to, amount.minor, currency, transfer_code::MERCHANT_SETTLEMENT);
        let main = Transfer { user_data_128: by.id.as_u128(), ..main };
        [main].into_iter().chain(beside).collect()
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
        Once::Refused(1, status) if books::is_exists(status) => Err(MerchantError::GivenUp),
        Once::Refused(_, status) => Err(MerchantError::LedgerRefused(status)),
        Once::Exhausted => Err(MerchantError::AttemptsExhausted),
    }
}

/// What the pay-out of this bank reference is known by.
pub fn payout_id(reference: &str) -> PaymentId {
    PaymentId::derive(&[b"payout", reference.as_bytes()])
}

/// Refuses what could be no pay-out, whatever the ledger says.
pub async fn check_payout(
    city: &City,
    merchant: MerchantId,
    amount: Money,
    reference: &str,
) -> Result<(), MerchantError> {
    let currency = city.settings.currency;
    if !rules::amount_acceptable(amount, currency) {
        return Err(MerchantError::AmountUnacceptable);
    }
    if !(1..=64).contains(&reference.len()) || !reference.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(MerchantError::BankReferenceMalformed);
    }
    get(city, merchant).await?;
    Ok(())
}
