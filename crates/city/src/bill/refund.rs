//! Giving back a bill payment or a part of it: biller → payer.
//!
//! Invariants:
//! - What may still be given back of a payment is a ledger account, made at its first refund and granted the paid amount
//!   once. Every refund draws it in the chain that moves the money, so refunds that race cannot exceed the payment.
//! - What a biller's payouts have still to bear of refunds is a ledger account too: a refund puts its amount there in
//!   its chain, a payout takes from there in its own ([`share`]). So what a biller has is always what its days not paid
//!   out came to, less that account: a payout never lacks money, and bears no refund twice.
//! - A refund happens or is closed ([`close`]), never both: they compete for its id.

use kernel::derive_u128;
use kernel::ids::{BillerId, PaymentId, RefundId};
use ledger::{CreateTransferStatus, Transfer};

use super::BillError;
use super::standing::{self, Attempt, Settled};
use crate::books::{self, Once, account_code, shadow, transfer_code};
use crate::wallet::instant;
use crate::{City, Fault, identity};
use kernel::Timestamp;

/// What became of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// The payer has it, now or since before: how much, when.
    Done(i64, Timestamp),
    /// It was closed: it never happens.
    Closed,
    /// What the biller is owed does not cover it now.
    NoFunds,
    /// It is more than is left of the payment.
    ExceedsPaid,
}

/// The account of what may still be given back of a payment.
fn refundable(payment: PaymentId) -> u128 {
    derive_u128("bill_refundable", &[&payment.to_bytes()])
}

/// The account of what a biller's payouts have still to bear.
fn unborne(biller: BillerId) -> u128 {
    derive_u128("bill_refunds_unborne", &[&biller.to_bytes()])
}

/// How much of a payment was given back, minor units.
pub async fn refunded(city: &City, payment: PaymentId) -> Result<i64, Fault> {
    let found = city.ledger.lookup_accounts(vec![refundable(payment)]).await?;
    Ok(found.first().map_or(0, |a| i64::try_from(a.debits_posted).unwrap_or(i64::MAX)))
}

/// A payment of a bill that was settled.
pub async fn settled(city: &City, payment: PaymentId) -> Result<Settled, BillError> {
    match standing::attempts(city, &[payment.as_u128()]).await?[..] {
        // Other payments are posted under the same rule of ids: a bill must be behind it.
        [Attempt::Posted(settled)] => match super::query::known_bill(city, settled.bill).await {
            Ok(_) => Ok(settled),
            Err(_) => Err(BillError::PaymentUnknown),
        },
        _ => Err(BillError::PaymentUnknown),
    }
}

/// Gives `amount_minor` of a payment back, once for this refund: whoever asks again hears what happened.
pub async fn give_back(
    city: &City,
    payment: &Settled,
    refund: RefundId,
    amount_minor: i64,
) -> Result<Given, Fault> {
    prepare(city, payment).await?;
    let currency = city.settings.currency;
    let shadows = shadow::refundable(currency);
    let back = identity::cap_return(city, payment.payment.as_u128(), amount_minor, refund.as_u128()).await?;
    let (draw_id, owed_id) = (city.rng.u128(), city.rng.u128());
    let pool = books::pool(shadows);
    let once = books::pay_once(&city.ledger, refund.as_u128(), |id| {
        let plain = |id, from, to, code| books::transfer(id, from, to, amount_minor, currency, code);
        let (biller, payer) = (books::biller(payment.biller), books::wallet(payment.payer));
        let main = plain(id, biller, payer, transfer_code::BILL_REFUND);
        let draw = plain(draw_id, refundable(payment.payment), pool, transfer_code::CAP_DRAW);
        let owed = plain(owed_id, pool, unborne(payment.biller), transfer_code::BILL_REFUND_OWED);
        let mut chain = vec![Transfer { user_data_128: payment.payment.as_u128(), ..main }];
        chain.extend([draw, owed].map(|t| Transfer { ledger: shadows, user_data_128: id, ..t }));
        chain.extend(back);
        chain
    });
    match once.await? {
        Once::Done { timestamp, .. } => Ok(Given::Done(amount_minor, instant(timestamp))),
        Once::Already(t) => Ok(already(&t)),
        Once::Refused(0, CreateTransferStatus::ExceedsCredits) | Once::Exhausted => {
            // Which of two refusals it is, the refundable account tells.
            let left = payment.amount_minor - refunded(city, payment.payment).await?;
            Ok(if amount_minor > left { Given::ExceedsPaid } else { Given::NoFunds })
        }
        Once::Refused(1, CreateTransferStatus::ExceedsCredits) => Ok(Given::ExceedsPaid),
        Once::Refused(at, status) => Err(Fault::Books(format!("bill refund, event {at}: {status:?}"))),
    }
}

fn already(found: &Transfer) -> Given {
    if found.code == transfer_code::BILL_REFUND {
        Given::Done(i64::try_from(found.amount).unwrap_or(i64::MAX), instant(found.timestamp))
    } else {
        Given::Closed
    }
}

/// Makes sure that a refund which has not happened never will: [`Given::Done`] where it was faster, else
/// [`Given::Closed`].
pub async fn close(city: &City, refund: RefundId) -> Result<Given, Fault> {
    let marker = |id| vec![books::marker(id, transfer_code::BILL_REFUND_CLOSED)];
    match books::pay_once(&city.ledger, refund.as_u128(), marker).await? {
        Once::Done { .. } => Ok(Given::Closed),
        Once::Already(found) => Ok(already(&found)),
        other => Err(Fault::Books(format!("closing {refund}: {other:?}"))),
    }
}

/// Makes the accounts of a refund, and grants what may be given back, once.
async fn prepare(city: &City, payment: &Settled) -> Result<(), Fault> {
    let currency = city.settings.currency;
    let ledger = shadow::refundable(currency);
    let account = refundable(payment.payment);
    let new = |id| books::never_overdrawn(id, ledger, account_code::REFUNDABLE);
    books::ensure(&city.ledger, vec![new(account), new(unborne(payment.biller))]).await?;
    let id = derive_u128("bill_refundable_grant", &[&payment.payment.to_bytes()]);
    let (from, code) = (books::pool(ledger), transfer_code::CAP_GRANT);
    let grant = books::transfer(id, from, account, payment.amount_minor, currency, code);
    match books::submit(&city.ledger, vec![Transfer { ledger, ..grant }]).await? {
        Ok(_) => Ok(()),
        Err((_, status)) if books::is_there(status) => Ok(()),
        Err((_, status)) => Err(Fault::Books(format!("bill refundable grant: {status:?}"))),
    }
}

/// What a biller's payouts have still to bear of refunds, minor units.
pub(super) async fn still_to_bear(city: &City, biller: BillerId) -> Result<i64, Fault> {
    books::available(&city.ledger, unborne(biller)).await
}

/// The event in a payout's chain that bears refunds.
pub(super) fn bear(city: &City, biller: BillerId, payout: u128, minor: i64) -> Transfer {
    let (currency, ledger) = (city.settings.currency, shadow::refundable(city.settings.currency));
    let (from, to) = (unborne(biller), books::pool(ledger));
    let code = transfer_code::BILL_REFUND_BORNE;
    let event = books::transfer(city.rng.u128(), from, to, minor, currency, code);
    Transfer { ledger, user_data_128: payout, ..event }
}

/// What a day's payout bears of `owed` refunds, minor units: all that it comes to, at most. What is left is borne by the
/// next day's.
pub(super) fn share(payout_minor: i64, owed: i64) -> i64 {
    owed.clamp(0, payout_minor.max(0))
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn a_payout_bears_what_it_can() {
        for (payout, owed, wanted) in
            [(100, 0, 0), (100, 30, 30), (100, 100, 100), (100, 130, 100), (0, 5, 0)]
        {
            assert_eq!(share(payout, owed), wanted, "{owed} of {payout}");
        }
    }
}
