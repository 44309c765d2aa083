//! The route of coupons for residents. Campaigns are the operators' business: `crate::operator::campaign`.

use axum::extract::State;
use kernel::Timestamp;
use kernel::ids::{CampaignId, MerchantId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Campaign, Used};
use crate::City;
use crate::http::{Amount, Answer, Json, Problem, Query};
use crate::identity::Resident;

/// Every route of coupons.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new().routes(routes!(list_coupons))
}

/// For which payment.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct CouponsQuery {
    /// The shop that is to be paid, `mch_…`.
    #[param(value_type = String)]
    shop: MerchantId,
    /// How much, minor units of the city's currency.
    amount: i64,
}

/// A coupon that can be used.
#[derive(Debug, Serialize, ToSchema)]
struct CouponAnswer {
    /// Send as `coupon` with the payment.
    #[schema(value_type = String, example = "cpn_01h2xcejqtf2nbrexx3vqjhp41")]
    id: CampaignId,
    #[schema(example = "消费券 满30减5")]
    name: String,
    /// What it takes off.
    discount: Amount,
    /// The least amount it is for.
    minimum: Amount,
    /// Not from then on.
    #[schema(value_type = String, format = DateTime)]
    valid_until: Timestamp,
}

/// The coupons of a payment, best first.
#[derive(Debug, Serialize, ToSchema)]
struct CouponsAnswer {
    items: Vec<CouponAnswer>,
}

/// List the coupons of a payment
///
/// Those that I can use now at this shop for this amount, the largest discount first. Each can be used once.
#[utoipa::path(get, path = "/v1/coupons", tag = "trade", security(("bearer" = [])), params(CouponsQuery),
    responses((status = 200, body = CouponsAnswer), (status = "default", body = Problem)))]
async fn list_coupons(
    State(city): State<City>,
    who: Resident,
    Query(query): Query<CouponsQuery>,
) -> Answer<Json<CouponsAnswer>> {
    let currency = city.settings.currency;
    let found = super::usable(&city, &who, query.shop, query.amount).await?;
    let answer = |c: Campaign| CouponAnswer {
        id: c.id,
        name: c.name,
        discount: Amount { minor: c.discount_minor, currency },
        minimum: Amount { minor: c.minimum_minor, currency },
        valid_until: c.valid_until,
    };
    Ok(Json(CouponsAnswer { items: found.into_iter().map(answer).collect() }))
}

/// The coupon that a payment was paid with.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UsedCoupon {
    #[schema(value_type = String, example = "cpn_01h2xcejqtf2nbrexx3vqjhp41")]
    id: CampaignId,
    #[schema(example = "消费券 满30减5")]
    name: String,
    /// What it took off: the city's part.
    discount: Amount,
}

impl UsedCoupon {
    /// With its campaign's name.
    pub async fn of(city: &City, used: Option<Used>) -> Answer<Option<UsedCoupon>> {
        let Some(Used { campaign, discount }) = used else { return Ok(None) };
        let name = super::name_of(city, campaign).await?;
        Ok(Some(UsedCoupon { id: campaign, name, discount: discount.into() }))
    }
}
