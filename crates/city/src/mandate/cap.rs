//! A mandate's month as a ledger account: granted with the month's cap, drawn in the chain that pays a bill.
//!
//! A change of the cap is a step of its own, with an id of its own: a grant of what is more, or taking back what is less,
//! as far as it is not drawn. What the steps before came to is read from the ledger, so every node takes the same ones.

use kernel::derive_u128;
use kernel::ids::MandateId;
use ledger::{Transfer, TransferFlags};

use super::rules::{self, Step};
use crate::books::{self, account_code, shadow, transfer_code};
use crate::{City, Fault};

/// The account of a mandate for a month, 202603.
pub fn account(mandate: MandateId, month: i64) -> u128 {
    derive_u128("mandate_cap", &[&mandate.to_bytes(), &month.to_be_bytes()])
}

fn step_id(account: u128, step: &Step) -> u128 {
    derive_u128("mandate_cap_step", &[&account.to_be_bytes(), &step.version.to_be_bytes()])
}

/// What a step came to: more is positive.
fn came_to(step: &Transfer) -> i128 {
    let amount = i128::try_from(step.amount).unwrap_or(i128::MAX);
    if step.code == transfer_code::MANDATE_LOWERED { -amount } else { amount }
}

/// Brings the account of a month to the caps as they are now, and answers with it.
pub async fn bring(city: &City, mandate: MandateId, month: i64) -> Result<u128, Fault> {
    let all = super::caps(city, mandate).await?;
    let steps = rules::steps(&all, month);
    let (account, currency) = (account(mandate, month), city.settings.currency);
    let ledger = shadow::mandate(currency);
    let ids: Vec<u128> = steps.iter().map(|step| step_id(account, step)).collect();
    let mut there = city.ledger.lookup_transfers(ids).await?;
    if there.is_empty() {
        let new = books::never_overdrawn(account, ledger, account_code::MANDATE_CAP);
        books::ensure(&city.ledger, vec![new]).await?;
    }
    let mut granted = 0;
    for step in steps {
        let id = step_id(account, step);
        if let Some(done) = there.iter().find(|t| t.id == id) {
            granted += came_to(done);
            continue;
        }
        let more = i128::from(step.cap) - granted;
        let amount = i64::try_from(more.abs()).unwrap_or(i64::MAX);
        let pool = books::pool(ledger);
        let (from, to, code, flags) = if more >= 0 {
            (pool, account, transfer_code::MANDATE_GRANT, TransferFlags::empty())
        } else {
            (account, pool, transfer_code::MANDATE_LOWERED, TransferFlags::BalancingDebit)
        };
        let change = Transfer { ledger, flags, ..books::transfer(id, from, to, amount, currency, code) };
        for result in city.ledger.create_transfers(vec![change]).await? {
            if !books::is_there(result.status) && !books::is_exists(result.status) {
                return Err(Fault::Books(format!("cap of a mandate: {:?}", result.status)));
            }
        }
        there = city.ledger.lookup_transfers(vec![id]).await?;
        granted += there.first().map_or(0, came_to);
        let rest = steps.iter().filter(|s| s.version > step.version).map(|s| step_id(account, s)).collect();
        there = city.ledger.lookup_transfers(rest).await?;
    }
    Ok(account)
}
