//! Routes of campaigns.

use axum::extract::State;
use axum::http::StatusCode;
use kernel::ids::{ApprovalId, CampaignId, MerchantId};
use kernel::{Money, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::coupon::{self, Standing, Wanted};
use crate::http::{Amount, Answer, IdempotencyKey, Json, Page, Path, Problem, Query};
use crate::identity::Operator;
use crate::operator::acts::http::Reason;
use crate::{City, merchant};

/// Every route of campaigns.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new().routes(routes!(list_campaigns, create_campaign)).routes(routes!(end_campaign))
}

/// A campaign to set up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CampaignRequest {
    /// As residents read it: 1 to 30 characters.
    #[schema(example = "消费券 满30减5")]
    name: String,
    /// What a coupon takes off; less than `minimum`.
    discount: Amount,
    /// The least amount it is for.
    minimum: Amount,
    /// For all its coupons together.
    budget: Amount,
    #[schema(value_type = String, format = DateTime)]
    valid_from: Timestamp,
    /// Not from then on.
    #[schema(value_type = String, format = DateTime)]
    valid_until: Timestamp,
    /// At this shop only; everywhere when absent.
    #[schema(value_type = Option<String>, example = "mch_01h2xcejqtf2nbrexx3vqjhp41")]
    shop: Option<MerchantId>,
    /// Why, 4 to 200 characters; needed in a browser's session.
    reason: Option<String>,
}

/// How a campaign stands.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CampaignState {
    /// Its budget waits for a second operator, or was not given.
    Unfunded,
    /// Its time has not come.
    Upcoming,
    /// Its coupons can be used.
    Running,
    /// What is left of its budget does not cover another coupon.
    UsedUp,
    /// Its time is over.
    Over,
    /// An operator has ended it.
    Ended,
}

/// A campaign of coupons.
#[derive(Debug, Serialize, ToSchema)]
struct CampaignAnswer {
    #[schema(value_type = String, example = "cpn_01h2xcejqtf2nbrexx3vqjhp41")]
    id: CampaignId,
    name: String,
    state: CampaignState,
    /// What a coupon takes off.
    discount: Amount,
    /// The least amount it is for.
    minimum: Amount,
    /// For all its coupons together.
    budget: Amount,
    /// What of it is left, by the ledger.
    left: Amount,
    #[schema(value_type = String, format = DateTime)]
    valid_from: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    valid_until: Timestamp,
    /// At this shop only.
    #[schema(value_type = Option<String>)]
    shop: Option<MerchantId>,
    shop_name: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
}

fn state(standing: &Standing, now: Timestamp) -> CampaignState {
    let campaign = &standing.campaign;
    if campaign.ended_at.is_some() {
        CampaignState::Ended
    } else if now >= campaign.valid_until {
        CampaignState::Over
    } else if !standing.funded {
        CampaignState::Unfunded
    } else if standing.left.minor < campaign.discount_minor {
        CampaignState::UsedUp
    } else if now < campaign.valid_from {
        CampaignState::Upcoming
    } else {
        CampaignState::Running
    }
}

impl CampaignAnswer {
    async fn of(city: &City, standing: Standing) -> Answer<CampaignAnswer> {
        let amount = |minor| Amount::from(Money::new(minor, city.settings.currency));
        let state = state(&standing, city.now());
        let Standing { campaign, left, .. } = standing;
        let shop_name = match campaign.shop {
            Some(shop) => Some(merchant::get(city, shop).await?.name.clone()),
            None => None,
        };
        Ok(CampaignAnswer {
            id: campaign.id,
            name: campaign.name,
            state,
            discount: amount(campaign.discount_minor),
            minimum: amount(campaign.minimum_minor),
            budget: amount(campaign.budget_minor),
            left: left.into(),
            valid_from: campaign.valid_from,
            valid_until: campaign.valid_until,
            shop: campaign.shop,
            shop_name,
            created_at: campaign.created_at,
            ended_at: campaign.ended_at,
        })
    }
}

/// A campaign that was set up.
#[derive(Debug, Serialize, ToSchema)]
struct CreatedCampaignAnswer {
    campaign: CampaignAnswer,
    /// Its budget waits for a second operator: this approval.
    #[schema(value_type = Option<String>, example = "apr_01h2xcejqtf2nbrexx3vqjhp41")]
    waits_for: Option<ApprovalId>,
}

/// Set up a campaign of coupons
///
/// Each resident can use its coupon once, while its budget lasts. The budget comes from the city's money at the
/// bank; above the four-eyes limit it waits for a second operator. The same `Idempotency-Key` sets up one. By an
/// operator of role admin.
#[utoipa::path(post, path = "/v1/operator/campaigns", tag = "operator", security(("bearer" = [])),
    params(("idempotency-key" = String, Header)), request_body = CampaignRequest,
    responses((status = 201, body = CreatedCampaignAnswer), (status = "default", body = Problem)))]
async fn create_campaign(
    State(city): State<City>,
    by: Operator,
    key: IdempotencyKey,
    Json(request): Json<CampaignRequest>,
) -> Answer<(StatusCode, Json<CreatedCampaignAnswer>)> {
    let CampaignRequest { name, discount, minimum, budget, valid_from, valid_until, shop, reason } = request;
    let wanted = Wanted {
        name,
        discount: discount.into(),
        minimum: minimum.into(),
        budget: budget.into(),
        valid_from,
        valid_until,
        shop,
    };
    let made = super::create(&city, &by, &key.0, &wanted, reason.as_deref()).await?;
    let campaign = CampaignAnswer::of(&city, made.standing).await?;
    Ok((StatusCode::CREATED, Json(CreatedCampaignAnswer { campaign, waits_for: made.waits_for })))
}

/// A page of campaigns, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct CampaignsAnswer {
    items: Vec<CampaignAnswer>,
    /// Pass as `cursor` for the next page; absent on the last.
    next: Option<String>,
}

/// List campaigns of coupons
///
/// Newest first, each with what is left of its budget.
#[utoipa::path(get, path = "/v1/operator/campaigns", tag = "operator", security(("bearer" = [])), params(Page),
    responses((status = 200, body = CampaignsAnswer), (status = "default", body = Problem)))]
async fn list_campaigns(
    State(city): State<City>,
    by: Operator,
    Query(page): Query<Page>,
) -> Answer<Json<CampaignsAnswer>> {
    let malformed = |_| Problem::new(400, "malformed_cursor", "pass `next` of the page before");
    let after = page.cursor.as_deref().map(str::parse).transpose().map_err(malformed)?;
    let found = coupon::list(&city, &by, after, page.limit()).await?;
    let full = found.len() == page.limit() as usize;
    let next = found.last().filter(|_| full).map(|last| last.campaign.id.to_string());
    let mut items = Vec::with_capacity(found.len());
    for standing in found {
        items.push(CampaignAnswer::of(&city, standing).await?);
    }
    Ok(Json(CampaignsAnswer { items, next }))
}

/// A campaign that was ended.
#[derive(Debug, Serialize, ToSchema)]
struct EndedCampaignAnswer {
    campaign: CampaignAnswer,
    /// What of its budget went back to the bank now.
    returned: Amount,
}

/// End a campaign of coupons
///
/// Its coupons can be used no more, and what is left of its budget goes back to the bank. Safe to repeat; then what
/// refunds have brought back since goes there too. By an operator of role admin.
#[utoipa::path(post, path = "/v1/operator/campaigns/{campaign}/end", tag = "operator", security(("bearer" = [])),
    params(("campaign" = String, Path, description = "cpn_…"), Reason),
    responses((status = 200, body = EndedCampaignAnswer), (status = "default", body = Problem)))]
async fn end_campaign(
    State(city): State<City>,
    by: Operator,
    Path(campaign): Path<CampaignId>,
    Query(why): Query<Reason>,
) -> Answer<Json<EndedCampaignAnswer>> {
    let (standing, returned) = super::end(&city, &by, campaign, why.reason.as_deref()).await?;
    let campaign = CampaignAnswer::of(&city, standing).await?;
    Ok(Json(EndedCampaignAnswer { campaign, returned: returned.into() }))
}
