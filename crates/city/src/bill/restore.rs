//! What the supply slice needs of bills: whose account a bill is, when a pack wants supply restored, and the door
//! through which that is ordered. Knows nothing of what is cut.

use channel::Reply;
use kernel::ids::{BillId, BillerId, RestoreOrderId};
use kernel::{Date, Timestamp};
use serde::Deserialize;

use super::pack::{Pack, PackError};
use super::query::known_bill;
use super::rules::AMOUNT_MAX;
use super::{BillError, BillView, Standing, fee, routes};
use crate::City;

/// When a cut account is to be restored, and within what time.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// What must be paid.
    #[serde(default)]
    pub restore_when: When,
    /// With `amount_below`: less than this may be left, minor units.
    pub below_minor: Option<i64>,
    /// The biller confirms within so many seconds.
    #[serde(default = "default_confirm_s")]
    pub confirm_within_s: u32,
}

/// What must be paid before supply is restored.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Every bill whose last day has passed.
    #[default]
    OverduePaid,
    /// Every bill.
    AllPaid,
    /// So much that less than `below_minor` is left.
    AmountBelow,
}

fn default_confirm_s() -> u32 {
    86_400
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { restore_when: When::default(), below_minor: None, confirm_within_s: default_confirm_s() }
    }
}

impl Terms {
    pub(super) fn validate(&self) -> Result<(), PackError> {
        let invalid = |key: &str, why: &str| Err(PackError::invalid(key, why));
        if !(60..=2_592_000).contains(&self.confirm_within_s) {
            return invalid("supply.confirm_within_s", "60 to 2592000");
        }
        match (self.restore_when, self.below_minor) {
            (When::AmountBelow, Some(below)) if (1..=AMOUNT_MAX).contains(&below) => Ok(()),
            (When::AmountBelow, _) => invalid("supply.below_minor", "needed with amount_below, and positive"),
            (_, Some(_)) => invalid("supply.below_minor", "has a meaning with amount_below only"),
            (_, None) => Ok(()),
        }
    }
}

/// Whether these bills of an account are paid as its pack wants. Something must have been paid since `since`: that no bill
/// is known here does not say that nothing is owed.
pub fn is_paid_up(pack: &Pack, bills: &[BillView], since: Timestamp, today: Date) -> bool {
    let paid = |view: &BillView| matches!(view.standing, Standing::Settled(settled) if settled.at >= since);
    let mut open = bills.iter().filter(|view| !matches!(view.standing, Standing::Settled(_)));
    let terms = &pack.spec.supply;
    bills.iter().any(paid)
        && match terms.restore_when {
            When::OverduePaid => open.all(|view| today <= fee::due_on(&pack.spec.late_fee, view.bill.due)),
            When::AllPaid => open.next().is_none(),
            When::AmountBelow => {
                let left = open.fold(0i64, |sum, view| sum.saturating_add(view.quote.total_minor));
                left < terms.below_minor.unwrap_or(1)
            }
        }
}

/// Whose bill it is: biller and account number.
pub async fn account_of(city: &City, bill: BillId) -> Result<(BillerId, String), BillError> {
    let bill = known_bill(city, bill).await?;
    Ok((bill.biller, bill.account_no.clone()))
}

/// Orders a biller to restore supply; `None` where its pack describes no such order. Safe to repeat with the same order.
pub async fn restore(
    city: &City,
    biller: BillerId,
    order: RestoreOrderId,
    account_no: &str,
) -> Option<Reply> {
    routes(city, biller)?.restore(&order.to_string(), account_no).await
}
