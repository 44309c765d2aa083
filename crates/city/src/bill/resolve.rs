//! Ending a payment whose biller stays silent, by hand: an operator has asked the biller and says how
//! it stands. Must never change what has ended: the ledger resolves a claim once.

use kernel::derive_u128;
use kernel::ids::PaymentId;
use ledger::{Transfer, TransferFlags};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::BillError;
use super::rules::ids;
use super::standing::{self, Attempt, Resolve, Resolved, Settled};
use crate::City;
use crate::books::{self, transfer_code};
use crate::identity::{Operator, Role};

/// What the biller says of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It has taken it: the money becomes the biller's.
    Paid,
    /// It has not and never will: the money is the payer's again.
    NotPaid,
}

/// A payment that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The payment; of one that was not paid, what would have been.
    pub payment: Settled,
    /// How it ended.
    pub verdict: Verdict,
    /// Whether it had ended so before this request.
    pub repeated: bool,
}

/// Ends a pending payment as the biller says, `reference` being the operator's record of that; both
/// stay in the ledger with the operator. Safe to repeat.
pub async fn resolve_payment(
    city: &City,
    by: &Operator,
    payment: PaymentId,
    verdict: Verdict,
    reference: &str,
) -> Result<Resolution, BillError> {
    by.role.require(Role::Admin)?;
    if !(1..=64).contains(&reference.len()) || !reference.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(BillError::ReferenceMalformed);
    }
    let id = payment.as_u128();
    let claim = city.ledger.lookup_transfers(vec![id]).await?.into_iter().next();
    let is_claim =
        |t: &Transfer| t.code == transfer_code::BILL_PAYMENT && t.flags.contains(TransferFlags::Pending);
    let claim = claim.filter(is_claim).ok_or(BillError::PaymentUnknown)?;
    let held = Settled { payment, ..Settled::of(&claim) };
    let ended = |payment, repeated| Ok(Resolution { payment, verdict, repeated });
    match (standing::attempts(city, &[id]).await?[0], verdict) {
        (Attempt::Posted(settled), Verdict::Paid) => return ended(settled, true),
        (Attempt::Voided, Verdict::NotPaid) => return ended(held, true),
        (Attempt::Posted(_) | Attempt::Voided, _) => return Err(BillError::PaymentFinal),
        (Attempt::Pending(_) | Attempt::None, _) => {}
    }
    let draws: Vec<u128> = standing::draws_of(city, id).await?.iter().map(|t| t.id).collect();
    let how = if verdict == Verdict::Paid { Resolve::Post } else { Resolve::Void };
    let mut chain = standing::resolving(id, &draws, how);
    let mark = derive_u128("bill_resolved", &[&id.to_be_bytes()]);
    chain.push(Transfer {
        user_data_128: by.id.as_u128(),
        user_data_64: ids::request(reference),
        ..books::marker(mark, transfer_code::BILL_RESOLVED)
    });
    match (standing::resolve_with(city, chain).await?, verdict) {
        (Resolved::Done, _) | (Resolved::Lapsed, Verdict::NotPaid) => {}
        (Resolved::Lapsed, Verdict::Paid) => return Err(BillError::ClaimLapsed),
        (Resolved::Otherwise, _) => return Err(BillError::PaymentFinal),
    }
    tracing::info!(%payment, operator = %by.id, reference, ?verdict, "a bill payment was ended by hand");
    match standing::attempts(city, &[id]).await?[0] {
        Attempt::Posted(settled) => ended(settled, false),
        _ => ended(held, false),
    }
}
