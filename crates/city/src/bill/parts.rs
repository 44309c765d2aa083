//! Bills that are paid in parts: which parts the ledger has. Part 0 has the bill's own id, part n one derived from bill
//! and n, so whoever pays the same part races for the same id. A part is claimed only when the one before is posted, and
//! what is posted is final: the chain cannot fork. What is left open is computed from the posted parts, never stored.
//!
//! Beside the claim of a part stands a marker: the day of its price, and whether it pays all that was due. A bill whose
//! newest part has no marker took one payment and is paid.

use std::collections::HashMap;

use kernel::Date;
use kernel::ids::{BillId, PaymentId};
use ledger::Transfer;

use super::fee::Portion;
use super::pack::Pack;
use super::pay::{Paid, PayState};
use super::rules::{Quote, ids};
use super::standing::{self, Attempt, Settled};
use super::store::{date_number, date_of};
use crate::books::{self, attempt_id, transfer_code};
use crate::identity::Resident;
use crate::{City, Fault};

/// A part that is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its payment.
    pub settled: Settled,
    /// The day of its price.
    pub day: Date,
    /// Whether it paid all that was due.
    pub last: bool,
}

impl Part {
    /// What it paid of what.
    pub fn portion(&self) -> Portion {
        let fee_minor = self.settled.late_fee_minor;
        Portion { day: self.day, principal_minor: self.settled.amount_minor - fee_minor, fee_minor }
    }
}

/// How far a bill is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// The parts that are paid, in order.
    pub posted: Vec<Part>,
    /// The number of the newest attempt at the next part; at the last, where all is paid.
    pub number: u32,
    /// That attempt.
    pub attempt: Attempt,
}

/// `user_data_32` of the marker of a part that pays all that was due.
const LAST: u32 = 1;

impl Progress {
    /// Whether all is paid.
    pub fn is_settled(&self) -> bool {
        self.posted.last().is_some_and(|part| part.last)
    }

    /// What is paid of what.
    pub fn portions(&self) -> Vec<Portion> {
        self.posted.iter().map(Part::portion).collect()
    }

    /// The identity of the part that is open; of the last, where all is paid.
    pub fn base(&self, bill: BillId) -> u128 {
        ids::part(bill.as_u128(), self.posted.len() - usize::from(self.is_settled()))
    }

    /// The payment of the client's own id `request`, of this amount where one is given, and its number among the parts.
    pub fn payment_of(
        &self,
        bill: BillId,
        who: &Resident,
        request: u64,
        amount: Option<i64>,
    ) -> Option<(usize, Paid)> {
        let paid = |settled, state| Paid { settled, state, repeated: true };
        let same = |settled: &Settled| same_payment(settled, who, request, amount);
        if let Some(at) = self.posted.iter().position(|part| same(&part.settled)) {
            return Some((at, paid(self.posted[at].settled, PayState::Settled)));
        }
        let Attempt::Pending(claim) = self.attempt else { return None };
        let base = ids::part(bill.as_u128(), self.posted.len());
        let payment = PaymentId::from_u128(attempt_id(base, self.number));
        let settled = Settled { payment, ..Settled::of(&claim) };
        // What may have run out says nothing; the claim of a biller that is asked never does.
        let stands = claim.expires_at().is_none() && same(&settled);
        stands.then(|| (self.posted.len(), paid(settled, PayState::Pending)))
    }
}

/// Whether a payment is the one that is asked for.
pub(super) fn same_payment(settled: &Settled, who: &Resident, request: u64, amount: Option<i64>) -> bool {
    settled.payer == who.id
        && settled.request == request
        && amount.is_none_or(|amount| amount == settled.amount_minor)
}

/// How far some bills are paid, in the order asked for.
pub(super) async fn progress(city: &City, bills: &[BillId]) -> Result<Vec<Progress>, Fault> {
    let none = Progress { posted: Vec::new(), number: 0, attempt: Attempt::None };
    let mut all = vec![none; bills.len()];
    let mut open: Vec<usize> = (0..bills.len()).collect();
    while !open.is_empty() {
        let bases: Vec<u128> =
            open.iter().map(|at| ids::part(bills[*at].as_u128(), all[*at].posted.len())).collect();
        let newest = standing::newest_each(city, &bases).await?;
        let marks = marks(city, newest.iter().filter_map(|(_, attempt)| posted(attempt))).await?;
        let mut further = Vec::new();
        for (at, (number, attempt)) in open.into_iter().zip(newest) {
            (all[at].number, all[at].attempt) = (number, attempt);
            let Some(settled) = posted(&attempt) else { continue };
            let mark = marks.get(&ids::part_mark(settled.payment.as_u128()));
            let day = mark.and_then(|mark| date_of(i64::try_from(mark.user_data_64).ok()?));
            let day = day.unwrap_or_else(|| settled.at.date(city.settings.offset));
            let last = mark.is_none_or(|mark| mark.user_data_32 == LAST);
            all[at].posted.push(Part { settled, day, last });
            if !last {
                further.push(at);
            }
        }
        open = further;
    }
    Ok(all)
}

/// How far one bill is paid.
pub(super) async fn progress_of(city: &City, bill: BillId) -> Result<Progress, Fault> {
    let found = progress(city, &[bill]).await?.pop();
    found.ok_or_else(|| Fault::Books("a bill without a standing".to_owned()))
}

fn posted(attempt: &Attempt) -> Option<Settled> {
    match attempt {
        Attempt::Posted(settled) => Some(*settled),
        _ => None,
    }
}

async fn marks(
    city: &City,
    payments: impl Iterator<Item = Settled>,
) -> Result<HashMap<u128, Transfer>, Fault> {
    let asked: Vec<u128> = payments.map(|settled| ids::part_mark(settled.payment.as_u128())).collect();
    let mut found = HashMap::new();
    for part in asked.chunks(ledger::BATCH_MAX) {
        found.extend(city.ledger.lookup_transfers(part.to_vec()).await?.into_iter().map(|t| (t.id, t)));
    }
    Ok(found)
}

/// The marker beside the claim `pending` of `amount` at this price; none for a bill that takes one payment.
pub(super) fn mark(
    pack: &Pack,
    bill: BillId,
    quoted: &Quote,
    amount: i64,
    pending: u128,
) -> Option<Transfer> {
    let several = pack.spec.bills.parts;
    let last = !several || amount >= quoted.total_minor;
    (several || quoted.parts_paid > 0).then(|| Transfer {
        user_data_128: bill.as_u128(),
        user_data_64: u64::try_from(date_number(quoted.day)).unwrap_or(0),
        user_data_32: if last { LAST } else { 0 },
        ..books::marker(ids::part_mark(pending), transfer_code::BILL_PART)
    })
}

/// Whether the posted payment of this id left something open.
pub(super) async fn left_some(city: &City, pending: u128) -> Result<bool, Fault> {
    let found = city.ledger.lookup_transfers(vec![ids::part_mark(pending)]).await?;
    Ok(found.first().is_some_and(|mark| mark.user_data_32 != LAST))
}
