//! The routes of shops: operators open and close them, a shop reads itself and keeps its tills.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use kernel::Timestamp;
use kernel::ids::{MerchantId, TillId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::poster::Paper;
use super::{Shop, Till, rules};
use crate::City;
use crate::http::{Amount, Answer, Json, Page, Path, Problem, Query};
use crate::identity::rules::mask_legal_id;
use crate::identity::{Merchant, Operator};

/// Every route of the merchant slice.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(list_shops))
        .routes(routes!(read_shop))
        .routes(routes!(read_own_shop))
        .routes(routes!(read_balance))
        .routes(routes!(list_tills, add_till))
        .routes(routes!(close_till))
        .routes(routes!(poster_svg))
        .routes(routes!(poster_pdf))
        .merge(super::key::http::routes())
}

/// A shop.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShopAnswer {
    #[schema(value_type = String, example = "mch_01h2xcejqtf2nbrexx3vqjhp41")]
    id: MerchantId,
    reference: String,
    name: String,
    /// Masked for operators, `9135****0Y43`.
    legal_id: Option<String>,
    mcc: String,
    city: String,
    region: String,
    /// What a payment costs, in basis points (1/10,000) of the amount.
    #[schema(example = 38)]
    fee_bp: u32,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// From when on it takes no more payments.
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<Timestamp>,
}

impl ShopAnswer {
    /// As operators see a shop; the shop itself sees its identifier whole.
    pub(crate) fn masked(shop: &Shop) -> ShopAnswer {
        ShopAnswer { legal_id: shop.legal_id.as_deref().map(mask_legal_id), ..shop.into() }
    }
}

impl From<&Shop> for ShopAnswer {
    fn from(shop: &Shop) -> ShopAnswer {
        ShopAnswer {
            id: shop.id,
            reference: shop.reference.clone(),
            name: shop.name.clone(),
            legal_id: shop.legal_id.clone(),
            mcc: shop.mcc.clone(),
            city: shop.city.clone(),
            region: shop.region.clone(),
            fee_bp: rules::rate_bp(&shop.mcc),
            created_at: shop.created_at,
            closed_at: shop.closed_at,
        }
    }
}

/// A page of shops, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct ShopsAnswer {
    items: Vec<ShopAnswer>,
    /// Pass as `cursor` for the next page; absent on the last.
    next: Option<String>,
}

/// List shops
#[utoipa::path(get, path = "/v1/merchants", tag = "operator", security(("bearer" = [])), params(Page),
    responses((status = 200, body = ShopsAnswer), (status = "default", body = Problem)))]
async fn list_shops(
    State(city): State<City>,
    by: Operator,
    Query(page): Query<Page>,
) -> Answer<Json<ShopsAnswer>> {
    let after = page.cursor.as_deref().map(str::parse).transpose();
    let after = after.map_err(|_| Problem::new(400, "malformed_cursor", "pass `next` of the page before"))?;
    let shops = super::list(&city, &by, after, page.limit()).await?;
    let full = shops.len() == page.limit() as usize;
    let next = shops.last().filter(|_| full).map(|s| s.id.to_string());
    Ok(Json(ShopsAnswer { items: shops.iter().map(ShopAnswer::masked).collect(), next }))
}

/// Read a shop
#[utoipa::path(get, path = "/v1/merchants/{merchant}", tag = "operator", security(("bearer" = [])),
    params(("merchant" = String, Path, description = "mch_…")),
    responses((status = 200, body = ShopAnswer), (status = "default", body = Problem)))]
async fn read_shop(
    State(city): State<City>,
    _by: Operator,
    Path(merchant): Path<MerchantId>,
) -> Answer<Json<ShopAnswer>> {
    Ok(Json(ShopAnswer::masked(&*super::get(&city, merchant).await?)))
}

/// Read my shop
#[utoipa::path(get, path = "/v1/merchants/me", tag = "merchant", security(("bearer" = [])),
    responses((status = 200, body = ShopAnswer), (status = "default", body = Problem)))]
async fn read_own_shop(State(city): State<City>, who: Merchant) -> Answer<Json<ShopAnswer>> {
    Ok(Json((&*super::get(&city, who.id).await?).into()))
}

/// What a shop has.
#[derive(Debug, Serialize, ToSchema)]
struct ShopBalanceAnswer {
    /// Can be refunded from, or paid out, now.
    available: Amount,
    /// Held by movements under way.
    reserved: Amount,
}

/// Read my balance
///
/// Straight from the ledger: it has every payment that was answered.
#[utoipa::path(get, path = "/v1/merchants/me/balance", tag = "merchant", security(("bearer" = [])),
    responses((status = 200, body = ShopBalanceAnswer), (status = "default", body = Problem)))]
async fn read_balance(State(city): State<City>, who: Merchant) -> Answer<Json<ShopBalanceAnswer>> {
    let balance = super::balance(&city, &who).await?;
    Ok(Json(ShopBalanceAnswer { available: balance.available.into(), reserved: balance.reserved.into() }))
}

/// A till.
#[derive(Debug, Serialize, ToSchema)]
struct TillAnswer {
    #[schema(value_type = String, example = "til_01h2xcejqtf2nbrexx3vqjhp41")]
    id: TillId,
    name: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<Timestamp>,
}

impl From<Till> for TillAnswer {
    fn from(till: Till) -> TillAnswer {
        TillAnswer { id: till.id, name: till.name, created_at: till.created_at, closed_at: till.closed_at }
    }
}

/// Every till of the shop in use.
#[derive(Debug, Serialize, ToSchema)]
struct TillsAnswer {
    items: Vec<TillAnswer>,
    /// Always absent: a shop's tills are one page.
    next: Option<String>,
}

/// List my tills
#[utoipa::path(get, path = "/v1/merchants/me/tills", tag = "merchant", security(("bearer" = [])),
    responses((status = 200, body = TillsAnswer), (status = "default", body = Problem)))]
async fn list_tills(State(city): State<City>, who: Merchant) -> Answer<Json<TillsAnswer>> {
    let tills = super::tills(&city, &who).await?;
    Ok(Json(TillsAnswer { items: tills.into_iter().map(TillAnswer::from).collect(), next: None }))
}

/// A till to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TillRequest {
    /// Unique within the shop.
    #[schema(example = "收银台 1")]
    name: String,
}

/// Add a till
///
/// The same name again is the same till.
#[utoipa::path(post, path = "/v1/merchants/me/tills", tag = "merchant", security(("bearer" = [])),
    request_body = TillRequest,
    responses((status = 200, body = TillAnswer), (status = "default", body = Problem)))]
async fn add_till(
    State(city): State<City>,
    who: Merchant,
    Json(request): Json<TillRequest>,
) -> Answer<Json<TillAnswer>> {
    Ok(Json(super::add_till(&city, &who, &request.name).await?.into()))
}

/// Take a till out of use
///
/// Ends its keys and takes no more orders for it.
#[utoipa::path(delete, path = "/v1/merchants/me/tills/{till}", tag = "merchant", security(("bearer" = [])),
    params(("till" = String, Path, description = "til_…")),
    responses((status = 204, description = "out of use"), (status = "default", body = Problem)))]
async fn close_till(State(city): State<City>, who: Merchant, Path(till): Path<TillId>) -> Answer<StatusCode> {
    super::close_till(&city, &who, till).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How a poster is printed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct PosterQuery {
    /// `a5` or `a6`; `a6` when absent.
    #[param(inline)]
    paper: Option<Paper>,
}

/// Print my poster as SVG
///
/// Name and static merchant QR, in millimetres, on whole dots of a 300 dpi printer.
#[utoipa::path(get, path = "/v1/merchants/me/poster.svg", tag = "merchant", security(("bearer" = [])),
    params(PosterQuery),
    responses((status = 200, description = "the poster", body = String, content_type = "image/svg+xml"),
        (status = "default", body = Problem)))]
async fn poster_svg(
    State(city): State<City>,
    who: Merchant,
    Query(q): Query<PosterQuery>,
) -> Answer<Response> {
    let poster = super::poster(&city, &who).await?;
    let svg = poster.svg(q.paper.unwrap_or_default());
    Ok(([(header::CONTENT_TYPE, "image/svg+xml; charset=utf-8")], svg).into_response())
}

/// Print my poster as PDF
///
/// Name and static merchant QR; vectors, so sharp at 300 dpi and beyond.
#[utoipa::path(get, path = "/v1/merchants/me/poster.pdf", tag = "merchant", security(("bearer" = [])),
    params(PosterQuery),
    responses((status = 200, description = "the poster", body = String, content_type = "application/pdf"),
        (status = "default", body = Problem)))]
async fn poster_pdf(
    State(city): State<City>,
    who: Merchant,
    Query(q): Query<PosterQuery>,
) -> Answer<Response> {
    let poster = super::poster(&city, &who).await?;
    let pdf = poster.pdf(q.paper.unwrap_or_default());
    let name = "inline; filename=\"poster.pdf\"";
    let headers = [(header::CONTENT_TYPE, "application/pdf"), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, pdf).into_response())
}
