//! Complaints as operators decide on them: what the complaint slice does, in the trail, and a second pair of eyes above
//! the limit. No decision without a reason: it is told to whoever complained.

pub mod http;

use kernel::ids::ComplaintId;

use super::audit::{Act, audited};
use super::{OperatorError, rules};
use crate::City;
use crate::complaint::{self, Complaint, ComplaintError, Decision, Of};
use crate::identity::{self, Operator, Role};

/// Decides on a complaint. Safe to repeat.
pub async fn decide(
    city: &City,
    by: &Operator,
    id: ComplaintId,
    decision: Decision,
    reason: &str,
) -> Result<Complaint, OperatorError> {
    let (action, detail) = match decision {
        Decision::Refund { amount_minor, ask_biller: true } => {
            ("refund_complaint", format!("{amount_minor}"))
        }
        Decision::Refund { amount_minor, ask_biller: false } => {
            ("refund_complaint", format!("{amount_minor} biller_not_asked"))
        }
        Decision::Correct => ("correct_complaint", String::new()),
        Decision::Dismiss => ("dismiss_complaint", String::new()),
    };
    let act = Act::on(action, id).with(detail);
    audited(city, by, Some(reason), act, complaint::decide(city, by, id, decision, reason)).await
}

/// Agrees to a refund above the limit, or does not: another operator than the one who decided on it, with a key of another
/// line. Safe to repeat.
pub async fn second(
    city: &City,
    by: &Operator,
    id: ComplaintId,
    agrees: bool,
    reason: Option<&str>,
) -> Result<Complaint, OperatorError> {
    let action = if agrees { "approve_complaint" } else { "decline_complaint" };
    let deciding = async {
        by.role.require(Role::Staff)?;
        // What is looked at here changes only with another decision, which takes another step.
        let view = complaint::view(city, Of::All, id, false).await?;
        if let Some((asker, key)) = view.complaint.decided {
            if asker == by.id {
                return Err(OperatorError::from(ComplaintError::Own));
            }
            let asking = identity::hands(city, key).await?;
            let hands = identity::hands(city, by.key).await?;
            if !rules::two_pairs_of_eyes(asker, &asking, by.id, &hands) {
                return Err(OperatorError::ApprovalOneHand);
            }
        }
        Ok(complaint::second(city, by, id, agrees, reason).await?)
    };
    audited(city, by, reason, Act::on(action, id), deciding).await
}
