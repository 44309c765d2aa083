//! The route of a shop's trades.

use axum::extract::State;
use kernel::ids::TillId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Filter;
use super::rules::{NoPlace, Place};
use crate::City;
use crate::http::{Answer, Json, Page, Problem, Query, days};
use crate::identity::Merchant;
use crate::trade::Status;
use crate::trade::http::TradeAnswer;

/// Every route of the list.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new().routes(routes!(list_trades))
}

/// Which trades.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct TradesQuery {
    /// `open`, `waiting`, `paid`, `refunded` (wholly) or `closed`.
    #[param(inline)]
    state: Option<Status>,
    /// First local day, `2026-03-02`: of the payment, or of the order where none was paid.
    from: Option<String>,
    /// Last local day, included.
    to: Option<String>,
    /// `til_…`
    #[param(value_type = Option<String>)]
    till: Option<TillId>,
    /// The shop's own number, whole.
    order_no: Option<String>,
    /// `next` of the page before; absent for the first.
    cursor: Option<String>,
    /// How many at most, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// A page of trades, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct TradesAnswer {
    items: Vec<TradeAnswer>,
    /// Cursor of the next page; absent on the last. A page may be shorter than asked for, even empty, and
    /// still have one.
    next: Option<String>,
}

/// List my shop's trades
///
/// Newest first: what was paid (at posters too) by the instant of its payment, what was not by that of its
/// order. The ledger says how each stands. A trade that was cancelled before anybody ordered it is found by its number
/// only. Amounts are minor units; days are the city's.
#[utoipa::path(get, path = "/v1/trades", tag = "trade", security(("bearer" = [])), params(TradesQuery),
    responses((status = 200, body = TradesAnswer), (status = "default", body = Problem)))]
async fn list_trades(
    State(city): State<City>,
    who: Merchant,
    Query(query): Query<TradesQuery>,
) -> Answer<Json<TradesAnswer>> {
    let TradesQuery { state, from, to, till, order_no, cursor, limit } = query;
    let malformed =
        |NoPlace| Problem::new(400, "malformed_cursor", "pass `next` of the page before, unchanged");
    let before: Option<Place> = cursor.as_deref().map(str::parse).transpose().map_err(malformed)?;
    let at = days(&city, from.as_deref(), to.as_deref())?;
    let limit = Page { cursor: None, limit }.limit();
    let filter = Filter { state, till, order_no, at };
    let (trades, next) = super::list(&city, &who, &filter, before, limit).await?;
    let items = trades.into_iter().map(TradeAnswer::from).collect();
    Ok(Json(TradesAnswer { items, next: next.map(|place| place.to_string()) }))
}
