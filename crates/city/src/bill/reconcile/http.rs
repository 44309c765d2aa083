//! Routes of a biller's day: the settlement file, what was returned, the match.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use kernel::ids::BillerId;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::rules::{Break, BreakCode, Source};
use super::{Report, Totals};
use crate::City;
use crate::bill::upload::http::pieces_of_file;
use crate::http::{Amount, Answer, Json, Page, Path, Problem, Query, ledger_cursor};
use crate::identity::{Biller, Operator};

/// Every route of settlement and reconciliation.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(own_file))
        .routes(routes!(own_returned))
        .routes(routes!(own_report))
        .routes(routes!(own_breaks))
        .routes(routes!(file))
        .routes(routes!(report))
        .routes(routes!(breaks))
}

async fn file_of(city: &City, biller: BillerId, day: &str) -> Answer<impl IntoResponse + use<>> {
    let bytes = super::settlement_file(city, biller, super::day(day)?).await?;
    let name = format!("attachment; filename=\"settlement-{day}.txt\"");
    let headers =
        [(header::CONTENT_TYPE, "application/octet-stream".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, bytes))
}

/// Download my settlement file
///
/// In the layout of the biller's pack; the same bytes at any later time.
#[utoipa::path(get, path = "/v1/biller/settlements/{day}/file", tag = "biller", security(("bearer" = [])),
    params(("day" = String, Path, example = "2026-03-02")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = "default", body = Problem)))]
async fn own_file(
    State(city): State<City>,
    who: Biller,
    Path(day): Path<String>,
) -> Answer<impl IntoResponse> {
    file_of(&city, who.id, &day).await
}

/// Return my settlement file
///
/// The payments the biller has taken, in the layout of its pack; in the place of an earlier one.
#[utoipa::path(put, path = "/v1/biller/settlements/{day}/returned", tag = "biller", security(("bearer" = [])),
    params(("day" = String, Path, example = "2026-03-02")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Totals), (status = "default", body = Problem)))]
async fn own_returned(
    State(city): State<City>,
    who: Biller,
    Path(day): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<Totals>> {
    let pieces = pieces_of_file(&headers, body)?;
    Ok(Json(super::put_biller_file(&city, &who, super::day(&day)?, pieces).await?))
}

/// Read how my day was matched
#[utoipa::path(get, path = "/v1/biller/settlements/{day}", tag = "biller", security(("bearer" = [])),
    params(("day" = String, Path, example = "2026-03-02")),
    responses((status = 200, body = Report), (status = "default", body = Problem)))]
async fn own_report(State(city): State<City>, who: Biller, Path(day): Path<String>) -> Answer<Json<Report>> {
    Ok(Json(super::report(&city, who.id, super::day(&day)?).await?))
}

/// A disagreement.
#[derive(Debug, Serialize, ToSchema)]
struct BreakAnswer {
    number: u64,
    source: Source,
    code: BreakCode,
    /// What to do about it.
    #[schema(example = "send_line_again")]
    remedy: &'static str,
    /// The payment.
    reference: String,
    /// In the ledger.
    ours: Option<Amount>,
    /// In their list.
    theirs: Option<Amount>,
}

/// Disagreements, by number.
#[derive(Debug, Serialize, ToSchema)]
struct BreaksAnswer {
    items: Vec<BreakAnswer>,
    next: Option<String>,
}

async fn breaks_of(city: &City, biller: BillerId, day: &str, page: &Page) -> Answer<Json<BreaksAnswer>> {
    let after = ledger_cursor(page)?.unwrap_or(0);
    let found = super::breaks(city, biller, super::day(day)?, after, page.limit()).await?;
    let full = found.len() == page.limit() as usize;
    let next = found.last().filter(|_| full).map(|(number, _)| number.to_string());
    let amount = |minor| Amount { minor, currency: city.settings.currency };
    let answer = |(number, found): (u64, Break)| BreakAnswer {
        number,
        source: found.source,
        code: found.code,
        remedy: found.code.remedy(found.source),
        reference: found.reference,
        ours: found.ours_minor.map(amount),
        theirs: found.theirs_minor.map(amount),
    };
    Ok(Json(BreaksAnswer { items: found.into_iter().map(answer).collect(), next }))
}

/// List the breaks of my day
#[utoipa::path(get, path = "/v1/biller/settlements/{day}/breaks", tag = "biller", security(("bearer" = [])),
    params(("day" = String, Path, example = "2026-03-02"), Page),
    responses((status = 200, body = BreaksAnswer), (status = "default", body = Problem)))]
async fn own_breaks(
    State(city): State<City>,
    who: Biller,
    Path(day): Path<String>,
    Query(page): Query<Page>,
) -> Answer<Json<BreaksAnswer>> {
    breaks_of(&city, who.id, &day, &page).await
}

/// Download a biller's settlement file
#[utoipa::path(get, path = "/v1/billers/{id}/settlements/{day}/file", tag = "operator",
    security(("bearer" = [])),
    params(("id" = String, Path), ("day" = String, Path, example = "2026-03-02")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = "default", body = Problem)))]
async fn file(
    State(city): State<City>,
    _by: Operator,
    Path((id, day)): Path<(BillerId, String)>,
) -> Answer<impl IntoResponse> {
    file_of(&city, id, &day).await
}

/// Read how a biller's day was matched
#[utoipa::path(get, path = "/v1/billers/{id}/settlements/{day}", tag = "operator", security(("bearer" = [])),
    params(("id" = String, Path), ("day" = String, Path, example = "2026-03-02")),
    responses((status = 200, body = Report), (status = "default", body = Problem)))]
async fn report(
    State(city): State<City>,
    _by: Operator,
    Path((id, day)): Path<(BillerId, String)>,
) -> Answer<Json<Report>> {
    Ok(Json(super::report(&city, id, super::day(&day)?).await?))
}

/// List the breaks of a biller's day
#[utoipa::path(get, path = "/v1/billers/{id}/settlements/{day}/breaks", tag = "operator",
    security(("bearer" = [])),
    params(("id" = String, Path), ("day" = String, Path, example = "2026-03-02"), Page),
    responses((status = 200, body = BreaksAnswer), (status = "default", body = Problem)))]
async fn breaks(
    State(city): State<City>,
    _by: Operator,
    Path((id, day)): Path<(BillerId, String)>,
    Query(page): Query<Page>,
) -> Answer<Json<BreaksAnswer>> {
    breaks_of(&city, id, &day, &page).await
}
