//! The route that matches a shop's own list of a day.

use axum::body::Body;
use axum::extract::State;
use kernel::Timestamp;
use kernel::ids::TradeId;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::rules::{Counts, ListBreakCode};
use super::{LIST_BYTES_MAX, Report, Told, money};
use crate::City;
use crate::http::{Amount, Answer, Json, Path, Pieces, Problem, day};
use crate::identity::Merchant;

/// Every route of matching.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new().routes(routes!(reconcile_list))
}

/// Payments and what they come to.
#[derive(Debug, Serialize, ToSchema)]
struct ListPartAnswer {
    count: u64,
    amount: Amount,
}

/// How often each kind of break occurs.
#[derive(Debug, Serialize, ToSchema)]
struct ListCountsAnswer {
    missing_here: u64,
    missing_there: u64,
    amount_differs: u64,
    duplicate: u64,
}

impl From<Counts> for ListCountsAnswer {
    fn from(c: Counts) -> ListCountsAnswer {
        ListCountsAnswer {
            missing_here: c.missing_here,
            missing_there: c.missing_there,
            amount_differs: c.amount_differs,
            duplicate: c.duplicate,
        }
    }
}

/// A disagreement.
#[derive(Debug, Serialize, ToSchema)]
struct ListBreakAnswer {
    code: ListBreakCode,
    /// The line in your list, from 1; absent where it is missing there.
    line: Option<u64>,
    /// Absent for a poster's payment.
    order_no: Option<String>,
    #[schema(value_type = String, example = "trd_01h2xcejqtf2nbrexx3vqjhp41")]
    trade: TradeId,
    /// In the ledger.
    ours: Option<Amount>,
    /// In your list.
    theirs: Option<Amount>,
    /// When it was paid; where it is missing here, on another day.
    #[schema(value_type = Option<String>, format = DateTime)]
    paid_at: Option<Timestamp>,
}

/// What came of matching.
#[derive(Debug, Serialize, ToSchema)]
struct ReconcileAnswer {
    /// The payments of the day in the ledger.
    ours: ListPartAnswer,
    /// The lines of your list.
    theirs: ListPartAnswer,
    /// What both have, with the same amount.
    matched: ListPartAnswer,
    /// All breaks, counted.
    counts: ListCountsAnswer,
    /// The first 1,000: in the order of your lines, then what your list lacks, by time.
    breaks: Vec<ListBreakAnswer>,
}

impl ReconcileAnswer {
    fn of(report: Report, city: &City) -> ReconcileAnswer {
        let amount = |minor| Amount::from(money(city, minor));
        let part = |count, minor| ListPartAnswer { count, amount: amount(minor) };
        let found = &report.found;
        let told = |Told { found, paid_at }| ListBreakAnswer {
            code: found.code,
            line: found.line,
            order_no: found.order_no,
            trade: TradeId::from_u128(found.trade),
            ours: found.ours_minor.map(amount),
            theirs: found.theirs_minor.map(amount),
            paid_at,
        };
        ReconcileAnswer {
            ours: part(found.payments, found.ours_minor),
            theirs: part(found.lines, found.theirs_minor),
            matched: part(found.matched, found.matched_minor),
            counts: found.counts.into(),
            breaks: report.breaks.into_iter().map(told).collect(),
        }
    }
}

/// Match my own list of a day
///
/// Send CSV in UTF-8: the first line is `order_no,amount`, then a line for each payment of the day, gross, with your order
/// number and the amount in units of the currency as in the statement, `12.50`. What was paid at a poster has no
/// number: name it by its trade, `trd_…`. At most 64 MiB. Nothing is changed or kept.
#[utoipa::path(post, path = "/v1/merchants/me/statements/{day}/reconcile", tag = "merchant",
    security(("bearer" = [])), params(("day" = String, Path, description = "`2026-03-02`")),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = ReconcileAnswer), (status = "default", body = Problem)))]
async fn reconcile_list(
    State(city): State<City>,
    who: Merchant,
    Path(date): Path<String>,
    body: Body,
) -> Answer<Json<ReconcileAnswer>> {
    let mut matching = super::begin(&city, &who, day(&date)?).await?;
    let mut pieces = Pieces::of(body, LIST_BYTES_MAX);
    while let Some(piece) = pieces.next().await {
        matching.feed(&piece.map_err(Problem::from)?)?;
    }
    Ok(Json(ReconcileAnswer::of(matching.finish(&city).await?, &city)))
}
