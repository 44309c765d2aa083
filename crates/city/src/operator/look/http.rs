//! Routes of look-ups: residents and shops, masked; operators and anybody's keys.

use axum::extract::State;
use kernel::Timestamp;
use kernel::ids::{MerchantId, OperatorId, ResidentId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{SeenResident, SeenShop};
use crate::City;
use crate::http::{Amount, Answer, Json, Path, Problem, Query};
use crate::identity::http::KeyAnswer;
use crate::identity::rules::mask_legal_id;
use crate::identity::rules::{mask_middle, mask_phone};
use crate::identity::{self, Operator, Role};
use crate::operator::acts::http::{Reason, owner};

/// Every route of look-ups.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(find_resident))
        .routes(routes!(look_at_resident))
        .routes(routes!(find_shops))
        .routes(routes!(look_at_shop))
        .routes(routes!(list_operators))
        .routes(routes!(list_keys))
}

/// Whom to look up, and why.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct LookQuery {
    /// A whole phone number or id; a shop's reference, or 2 characters of its name or more.
    q: String,
    /// Why, 4 to 200 characters; for the audit trail. Always needed.
    reason: Option<String>,
}

/// A resident as operators see one.
#[derive(Debug, Serialize, ToSchema)]
struct SeenResidentAnswer {
    #[schema(value_type = String, example = "res_01h2xcejqtf2nbrexx3vqjhp41")]
    id: ResidentId,
    #[schema(example = "138****0001")]
    phone: String,
    #[schema(example = "王*明")]
    name: String,
    has_pin: bool,
    pin_locked: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// KYC class 1, 2 or 3; with role staff.
    tier: Option<u8>,
    /// Free to be spent; with role staff.
    available: Option<Amount>,
    /// Held by payments that wait for a biller or a bank; with role staff.
    held: Option<Amount>,
    /// `lifetime` or the year the allowance is for; with role staff.
    allowance_window: Option<String>,
    /// What payments may still draw in that window; with role staff.
    allowance_left: Option<Amount>,
}

impl SeenResidentAnswer {
    fn of(seen: SeenResident, city: &City) -> SeenResidentAnswer {
        let SeenResident { profile, money } = seen;
        let currency = city.settings.currency;
        let tier = money.is_some().then(|| profile.tier.number());
        let (balance, window, left) =
            money.map_or((None, None, None), |(b, window, left)| (Some(b), Some(window), Some(left)));
        SeenResidentAnswer {
            id: profile.id,
            phone: mask_phone(&profile.phone),
            name: mask_middle(&profile.name),
            has_pin: profile.has_pin,
            pin_locked: profile.pin_locked,
            created_at: profile.created_at,
            tier,
            available: balance.map(|b| b.available.into()),
            held: balance.map(|b| b.held.into()),
            allowance_window: window,
            allowance_left: left.map(|minor| Amount { minor, currency }),
        }
    }
}

/// At most one resident.
#[derive(Debug, Serialize, ToSchema)]
struct SeenResidentsAnswer {
    items: Vec<SeenResidentAnswer>,
    /// Always absent: only a whole phone number or id finds anybody.
    next: Option<String>,
}

/// Find a resident
///
/// By a whole phone number or id. What is shown is masked; tier and money need role staff. The look and its
/// reason are in the audit trail.
#[utoipa::path(get, path = "/v1/operator/residents", tag = "operator", security(("bearer" = [])),
    params(LookQuery),
    responses((status = 200, body = SeenResidentsAnswer), (status = "default", body = Problem)))]
async fn find_resident(
    State(city): State<City>,
    by: Operator,
    Query(look): Query<LookQuery>,
) -> Answer<Json<SeenResidentsAnswer>> {
    let seen = super::find_resident(&city, &by, &look.q, look.reason.as_deref()).await?;
    let items = seen.into_iter().map(|seen| SeenResidentAnswer::of(seen, &city)).collect();
    Ok(Json(SeenResidentsAnswer { items, next: None }))
}

/// Look at a resident
///
/// Masked; tier and money need role staff. The look and its reason are in the audit trail.
#[utoipa::path(get, path = "/v1/operator/residents/{resident}", tag = "operator", security(("bearer" = [])),
    params(("resident" = String, Path, description = "res_…"), Reason),
    responses((status = 200, body = SeenResidentAnswer), (status = "default", body = Problem)))]
async fn look_at_resident(
    State(city): State<City>,
    by: Operator,
    Path(resident): Path<ResidentId>,
    Query(why): Query<Reason>,
) -> Answer<Json<SeenResidentAnswer>> {
    let seen = super::resident(&city, &by, resident, why.reason.as_deref()).await?;
    Ok(Json(SeenResidentAnswer::of(seen, &city)))
}

/// A shop as operators see one.
#[derive(Debug, Serialize, ToSchema)]
struct SeenShopAnswer {
    #[schema(value_type = String, example = "mch_01h2xcejqtf2nbrexx3vqjhp41")]
    id: MerchantId,
    reference: String,
    name: String,
    #[schema(example = "9135****0Y43")]
    legal_id: Option<String>,
    mcc: String,
    city: String,
    region: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// From when on it takes no more payments.
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<Timestamp>,
    /// Can be refunded from, or paid out, now; with role staff.
    available: Option<Amount>,
    /// Held by movements under way; with role staff.
    reserved: Option<Amount>,
}

impl From<SeenShop> for SeenShopAnswer {
    fn from(seen: SeenShop) -> SeenShopAnswer {
        let SeenShop { shop, balance } = seen;
        SeenShopAnswer {
            id: shop.id,
            reference: shop.reference.clone(),
            name: shop.name.clone(),
            legal_id: shop.legal_id.as_deref().map(mask_legal_id),
            mcc: shop.mcc.clone(),
            city: shop.city.clone(),
            region: shop.region.clone(),
            created_at: shop.created_at,
            closed_at: shop.closed_at,
            available: balance.map(|b| b.available.into()),
            reserved: balance.map(|b| b.reserved.into()),
        }
    }
}

/// Up to 50 shops, by name.
#[derive(Debug, Serialize, ToSchema)]
struct SeenShopsAnswer {
    items: Vec<SeenShopAnswer>,
    /// Always absent: ask more exactly for more.
    next: Option<String>,
}

/// Find shops
///
/// By id, reference, or part of the name. The legal identifier is masked; money needs role staff. The look and
/// its reason are in the audit trail.
#[utoipa::path(get, path = "/v1/operator/shops", tag = "operator", security(("bearer" = [])), params(LookQuery),
    responses((status = 200, body = SeenShopsAnswer), (status = "default", body = Problem)))]
async fn find_shops(
    State(city): State<City>,
    by: Operator,
    Query(look): Query<LookQuery>,
) -> Answer<Json<SeenShopsAnswer>> {
    let seen = super::find_shops(&city, &by, &look.q, look.reason.as_deref()).await?;
    Ok(Json(SeenShopsAnswer { items: seen.into_iter().map(SeenShopAnswer::from).collect(), next: None }))
}

/// Look at a shop
///
/// The legal identifier is masked; money needs role staff. The look and its reason are in the audit trail.
#[utoipa::path(get, path = "/v1/operator/shops/{merchant}", tag = "operator", security(("bearer" = [])),
    params(("merchant" = String, Path, description = "mch_…"), Reason),
    responses((status = 200, body = SeenShopAnswer), (status = "default", body = Problem)))]
async fn look_at_shop(
    State(city): State<City>,
    by: Operator,
    Path(merchant): Path<MerchantId>,
    Query(why): Query<Reason>,
) -> Answer<Json<SeenShopAnswer>> {
    Ok(Json(super::shop(&city, &by, merchant, why.reason.as_deref()).await?.into()))
}

/// An operator and the live keys, without secrets.
#[derive(Debug, Serialize, ToSchema)]
struct OperatorAnswer {
    #[schema(value_type = String, example = "opr_01h2xcejqtf2nbrexx3vqjhp41")]
    id: OperatorId,
    name: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    keys: Vec<KeyAnswer>,
}

/// Every operator, oldest first.
#[derive(Debug, Serialize, ToSchema)]
struct OperatorsAnswer {
    items: Vec<OperatorAnswer>,
    /// Always absent: operators are one page.
    next: Option<String>,
}

/// List operators
///
/// With the names and roles of their live keys. By an operator of role admin.
#[utoipa::path(get, path = "/v1/operators", tag = "operator", security(("bearer" = [])),
    responses((status = 200, body = OperatorsAnswer), (status = "default", body = Problem)))]
async fn list_operators(State(city): State<City>, by: Operator) -> Answer<Json<OperatorsAnswer>> {
    by.role.require(Role::Admin)?;
    let mut items = Vec::new();
    for operator in identity::operators(&city).await? {
        let keys = identity::keys(&city, operator.id.as_u128()).await?;
        let keys = keys.into_iter().map(KeyAnswer::from).collect();
        let identity::OperatorName { id, name, created_at } = operator;
        items.push(OperatorAnswer { id, name, created_at, keys });
    }
    Ok(Json(OperatorsAnswer { items, next: None }))
}

/// Whose keys.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct OwnerQuery {
    /// `mch_…`, `blr_…` or `opr_…`.
    owner: String,
}

/// The live keys of somebody.
#[derive(Debug, Serialize, ToSchema)]
struct KeysAnswer {
    items: Vec<KeyAnswer>,
    /// Always absent: an owner's keys are one page.
    next: Option<String>,
}

/// List anybody's keys
///
/// Names and roles of the live keys of a shop, biller or operator; no secrets. By an operator of role admin.
#[utoipa::path(get, path = "/v1/keys", tag = "operator", security(("bearer" = [])), params(OwnerQuery),
    responses((status = 200, body = KeysAnswer), (status = "default", body = Problem)))]
async fn list_keys(
    State(city): State<City>,
    by: Operator,
    Query(query): Query<OwnerQuery>,
) -> Answer<Json<KeysAnswer>> {
    by.role.require(Role::Admin)?;
    let (_, bits) = owner(&query.owner)?;
    let keys = identity::keys(&city, bits).await?;
    Ok(Json(KeysAnswer { items: keys.into_iter().map(KeyAnswer::from).collect(), next: None }))
}
