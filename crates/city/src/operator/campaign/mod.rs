//! Campaigns of coupons, as operators run them: set up with a reason and in the audit trail, given a budget (above
//! the four-eyes limit by two), ended. Must never do either outside of the trail.

pub mod http;

use kernel::Money;
use kernel::ids::{ApprovalId, CampaignId};

use super::approval::{self, Booking, Movement, MovementKind};
use super::audit::{Act, audited};
use super::{OperatorError, rules};
use crate::coupon::{self, Standing, Wanted};
use crate::identity::{Operator, Role};
use crate::{City, Fault};

/// A campaign that was set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// And what is left of its budget.
    pub standing: Standing,
    /// The request that its budget waits for.
    pub waits_for: Option<ApprovalId>,
}

/// Sets a campaign up and gives it its budget, or above the limit asks for that. The same again is answered again.
pub async fn create(
    city: &City,
    by: &Operator,
    key: &str,
    wanted: &Wanted,
    reason: Option<&str>,
) -> Result<Created, OperatorError> {
    // Before anything is entered: what is refused here would be a row of the trail for whoever has a key.
    by.role.require(Role::Admin)?;
    let limit = city.settings.four_eyes_limit_minor;
    let alone = !rules::needs_four_eyes(wanted.budget.minor, limit);
    let budget = wanted.budget;
    let what = format!(
        "budget={} discount={} minimum={}",
        budget.minor, wanted.discount.minor, wanted.minimum.minor
    );
    let act = Act::on("create_campaign", coupon::id_of(by, key)).with(what);
    let create = async {
        let campaign = coupon::create(city, by, key, wanted).await?;
        // An ended one that is asked for again stays as it is.
        if alone && campaign.ended_at.is_none() {
            coupon::fund(city, by, campaign.id, budget).await?;
        }
        Ok::<_, OperatorError>(campaign)
    };
    let campaign = audited(city, by, reason, act, create).await?;
    let mut waits_for = None;
    if !alone && campaign.ended_at.is_none() {
        let (kind, subject) = (MovementKind::Campaign, campaign.id.as_u128());
        let wanted = Movement { kind, subject, amount: budget, reference: campaign.id.to_string() };
        if let Booking::Waits(approval) = approval::book(city, by, wanted, reason).await? {
            waits_for = Some(approval.id);
        }
    }
    let mut standing = coupon::standings(city, vec![campaign]).await?;
    let standing = standing.pop().ok_or_else(|| Fault::Books("a campaign without a standing".into()))?;
    Ok(Created { standing, waits_for })
}

/// Ends a campaign: returns what is left of its budget, and how much that was.
pub async fn end(
    city: &City,
    by: &Operator,
    campaign: CampaignId,
    reason: Option<&str>,
) -> Result<(Standing, Money), OperatorError> {
    by.role.require(Role::Admin)?;
    let end = coupon::end(city, by, campaign);
    audited(city, by, reason, Act::on("end_campaign", campaign), end).await
}
