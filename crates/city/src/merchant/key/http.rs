//! Routes of shops' keys: a shop keeps its own, an operator makes the first.

use axum::extract::State;
use axum::http::StatusCode;
use kernel::ids::{KeyId, TillId};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::WantedKey;
use crate::City;
use crate::http::{Answer, Json, Path, Problem};
use crate::identity::http::{KeyAnswer, NewKeyAnswer};
use crate::identity::{self, Merchant, Role};

/// Every route of shops' keys.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new().routes(routes!(merchant_keys, add_merchant_key)).routes(routes!(revoke_merchant_key))
}

/// List my shop's keys
#[utoipa::path(get, path = "/v1/merchants/me/keys", tag = "merchant", security(("bearer" = [])),
    responses((status = 200, body = Vec<KeyAnswer>), (status = "default", body = Problem)))]
async fn merchant_keys(State(city): State<City>, who: Merchant) -> Answer<Json<Vec<KeyAnswer>>> {
    who.role.require(Role::Admin)?;
    let keys = identity::keys(&city, who.id.as_u128()).await?;
    Ok(Json(keys.into_iter().map(KeyAnswer::from).collect()))
}

/// What a shop's new key may do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MerchantKeyRequest {
    role: Role,
    name: String,
    /// The till it belongs to, if to one.
    #[schema(value_type = Option<String>)]
    till: Option<TillId>,
}

impl From<MerchantKeyRequest> for WantedKey {
    fn from(r: MerchantKeyRequest) -> WantedKey {
        WantedKey { role: r.role, till: r.till, name: r.name }
    }
}

/// Add a key for my shop
#[utoipa::path(post, path = "/v1/merchants/me/keys", tag = "merchant", security(("bearer" = [])),
    request_body = MerchantKeyRequest,
    responses((status = 201, body = NewKeyAnswer), (status = "default", body = Problem)))]
async fn add_merchant_key(
    State(city): State<City>,
    who: Merchant,
    Json(request): Json<MerchantKeyRequest>,
) -> Answer<(StatusCode, Json<NewKeyAnswer>)> {
    Ok((StatusCode::CREATED, Json(super::add_own(&city, &who, &request.into()).await?.into())))
}

/// End a key of my shop
#[utoipa::path(delete, path = "/v1/merchants/me/keys/{key}", tag = "merchant", security(("bearer" = [])),
    params(("key" = String, Path, description = "key_…")),
    responses((status = 204, description = "ended"), (status = "default", body = Problem)))]
async fn revoke_merchant_key(
    State(city): State<City>,
    who: Merchant,
    Path(key): Path<KeyId>,
) -> Answer<StatusCode> {
    who.role.require(Role::Admin)?;
    identity::revoke_key(&city, who.id.as_u128(), key).await?;
    Ok(StatusCode::NO_CONTENT)
}
