//! Whether an engine holds what it was given: every account its sums, worked out again from the plan, and the transfers
//! that were kept as samples, field for field.

use ledger::{BATCH_MAX, Transfer};

use super::engines::{Held, Peer};
use super::events::{Plan, Sums};
use crate::config::Fail;

/// No more violations are told.
const VIOLATIONS_MAX: usize = 20;

/// What the accounts of a plan must hold.
#[derive(Debug)]
pub struct Expected {
    sums: Vec<Sums>,
}

impl Expected {
    /// Nothing yet, for new accounts.
    pub fn nothing(plan: &Plan) -> Result<Expected, Fail> {
        Ok(Expected { sums: vec![Sums::default(); usize::try_from(plan.accounts.len())?] })
    }

    /// What they hold now. In the order of the plan's accounts, which are these.
    pub fn now(accounts: &[Held]) -> Expected {
        let sums = accounts.iter().map(|a| Sums { debits: a.debits, credits: a.credits });
        Expected { sums: sums.collect() }
    }

    /// The plan was carried out.
    pub fn add(&mut self, plan: &Plan) {
        plan.add_expected(&mut self.sums);
    }

    /// Compares every account; answers with what is wrong.
    pub async fn compare(&self, peer: &Peer, plan: &Plan) -> Result<Vec<String>, Fail> {
        let mut violations = Vec::new();
        let mut total = Sums::default();
        for (chunk, from) in self.sums.chunks(BATCH_MAX).zip((0_u64..).step_by(BATCH_MAX)) {
            let ids: Vec<_> = (from..).zip(chunk).map(|(index, _)| plan.accounts.id(index)).collect();
            let found = peer.accounts(ids.clone()).await?;
            if found.len() != chunk.len() {
                violations
                    .push(format!("{} accounts are missing", chunk.len() - found.len().min(chunk.len())));
                continue;
            }
            for ((held, id), sums) in found.iter().zip(ids).zip(chunk) {
                total.debits += held.debits;
                total.credits += held.credits;
                let right = held.id == id && held.open == 0 && held.debits == sums.debits;
                if !(right && held.credits == sums.credits) && violations.len() < VIOLATIONS_MAX {
                    violations.push(format!("account {id:032x} has {held:?}, should have {sums:?}"));
                }
            }
        }
        if total.debits != total.credits {
            violations.push(format!("{} were debited and {} credited in all", total.debits, total.credits));
        }
        Ok(violations)
    }
}

/// Looks the samples up; answers with what is wrong.
pub async fn samples(peer: &Peer, samples: &[Transfer]) -> Result<Vec<String>, Fail> {
    let mut violations = Vec::new();
    for chunk in samples.chunks(BATCH_MAX) {
        let found = peer.transfers(chunk.iter().map(|t| t.id).collect()).await?;
        if found.len() != chunk.len() {
            violations.push(format!("{} of {} transfers are there", found.len(), chunk.len()));
        }
        for (found, sent) in found.iter().zip(chunk) {
            if (Transfer { timestamp: 0, ..*found }) != *sent && violations.len() < VIOLATIONS_MAX {
                violations.push(format!("{found:?} was sent as {sent:?}"));
            }
        }
    }
    Ok(violations)
}
