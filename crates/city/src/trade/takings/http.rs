//! The route of a shop's takings.

use axum::extract::State;
use kernel::Currency;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Day, Sums};
use crate::City;
use crate::http::{Amount, Answer, Json, Problem, Query, day};
use crate::identity::Merchant;

/// Every route of takings.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new().routes(routes!(takings))
}

/// Which days.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct TakingsQuery {
    /// First local day, `2026-03-01`.
    from: String,
    /// Last local day, included; at most 92 days in all.
    to: String,
}

/// Sums of one or more days.
#[derive(Debug, Serialize, ToSchema)]
struct TakingsSumsAnswer {
    /// How many payments.
    payments: u64,
    /// What they came to.
    gross: Amount,
    /// How many refunds.
    refunds: u64,
    /// What they came to.
    refunded: Amount,
    /// What the payments cost, less what refunds brought back of it.
    fee: Amount,
    /// `gross` less `refunded` and `fee`.
    net: Amount,
    /// What was paid out to the bank; not part of `net`.
    paid_out: Amount,
}

impl TakingsSumsAnswer {
    fn of(sums: &Sums, currency: Currency) -> TakingsSumsAnswer {
        let amount = |minor| Amount { minor, currency };
        TakingsSumsAnswer {
            payments: sums.payments,
            gross: amount(sums.gross),
            refunds: sums.refunds,
            refunded: amount(sums.refunded),
            fee: amount(sums.fee),
            net: amount(sums.net()),
            paid_out: amount(sums.paid_out),
        }
    }
}

/// The takings of a local day.
#[derive(Debug, Serialize, ToSchema)]
struct TakingsDayAnswer {
    #[schema(example = "2026-03-02")]
    day: String,
    /// Whether the day is over, so that its statement says the same for ever.
    closed: bool,
    #[serde(flatten)]
    sums: TakingsSumsAnswer,
}

/// Takings by day, oldest first.
#[derive(Debug, Serialize, ToSchema)]
struct TakingsAnswer {
    items: Vec<TakingsDayAnswer>,
    /// The day to ask on `from`; absent when all days asked for are here.
    next: Option<String>,
}

/// Read my shop's takings
///
/// Day by day, the sums of what its statement lists; today as it is so far. A very busy shop gets fewer days
/// than it asked for and `next`.
#[utoipa::path(get, path = "/v1/merchants/me/takings", tag = "merchant", security(("bearer" = [])),
    params(TakingsQuery),
    responses((status = 200, body = TakingsAnswer), (status = "default", body = Problem)))]
async fn takings(
    State(city): State<City>,
    who: Merchant,
    Query(query): Query<TakingsQuery>,
) -> Answer<Json<TakingsAnswer>> {
    let (from, to) = (day(&query.from)?, day(&query.to)?);
    let (days, next) = super::takings(&city, &who, from, to).await?;
    let currency = city.settings.currency;
    let item = |Day { day, sums, closed }| TakingsDayAnswer {
        day: day.to_string(),
        closed,
        sums: TakingsSumsAnswer::of(&sums, currency),
    };
    Ok(Json(TakingsAnswer { items: days.into_iter().map(item).collect(), next: next.map(|d| d.to_string()) }))
}
