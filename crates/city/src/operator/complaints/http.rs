//! Routes of complaints for operators.

use axum::extract::State;
use kernel::ids::ComplaintId;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::City;
use crate::bill::http::biller_named;
use crate::complaint::http::{
    ComplaintAnswer, ComplaintViewAnswer, ComplaintsAnswer, ComplaintsQuery, minor, page,
};
use crate::complaint::{self, ComplaintError, Decision, Of};
use crate::http::{Amount, Answer, Json, Path, Problem, Query};
use crate::identity::{Operator, Role};

/// Every route of complaints for operators.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(all_complaints))
        .routes(routes!(complaints_of_biller))
        .routes(routes!(any_complaint))
        .routes(routes!(decide_complaint))
        .routes(routes!(approve_complaint))
        .routes(routes!(decline_complaint))
}

/// List complaints
///
/// By an operator of any role, newest first; `state=operator` are those that wait for a decision.
#[utoipa::path(get, path = "/v1/operator/complaints", tag = "operator", security(("bearer" = [])),
    params(ComplaintsQuery),
    responses((status = 200, body = ComplaintsAnswer), (status = "default", body = Problem)))]
async fn all_complaints(
    State(city): State<City>,
    _by: Operator,
    Query(query): Query<ComplaintsQuery>,
) -> Answer<Json<ComplaintsAnswer>> {
    page(&city, Of::All, Of::All, query).await
}

/// List the complaints about a biller
#[utoipa::path(get, path = "/v1/operator/billers/{id}/complaints", tag = "operator", security(("bearer" = [])),
    params(("id" = String, Path), ComplaintsQuery),
    responses((status = 200, body = ComplaintsAnswer), (status = "default", body = Problem)))]
async fn complaints_of_biller(
    State(city): State<City>,
    _by: Operator,
    Path(id): Path<String>,
    Query(query): Query<ComplaintsQuery>,
) -> Answer<Json<ComplaintsAnswer>> {
    page(&city, Of::Biller(biller_named(&id)?), Of::All, query).await
}

/// Whether the biller is asked again.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct AskQuery {
    /// Ask the biller what it has and what is owed, now; for billers that are asked.
    #[serde(default)]
    ask: bool,
}

/// Read a complaint
///
/// With its evidence, as it was and as it is now, and every step. By an operator of role staff.
#[utoipa::path(get, path = "/v1/operator/complaints/{id}", tag = "operator", security(("bearer" = [])),
    params(("id" = String, Path, description = "cmp_…"), AskQuery),
    responses((status = 200, body = ComplaintViewAnswer), (status = "default", body = Problem)))]
async fn any_complaint(
    State(city): State<City>,
    by: Operator,
    Path(id): Path<ComplaintId>,
    Query(query): Query<AskQuery>,
) -> Answer<Json<ComplaintViewAnswer>> {
    by.role.require(Role::Staff)?;
    let view = complaint::view(&city, Of::All, id, query.ask).await?;
    Ok(Json(ComplaintViewAnswer::of(&city, view, Of::All)))
}

/// How a complaint is decided.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ComplaintVerdict {
    /// Money goes back to the payer.
    Refund,
    /// The biller has put its books right; no money moves.
    Correct,
    /// There is nothing to put right.
    Dismiss,
}

/// A decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ComplaintDecisionRequest {
    #[schema(inline)]
    decision: ComplaintVerdict,
    /// With `refund`, and only there: no more than is left of the payment.
    amount: Option<Amount>,
    /// Whether a biller that is asked is asked for the money first; true when absent. Not where it has agreed otherwise.
    ask_biller: Option<bool>,
    /// 4 to 200 characters; whoever complained reads it.
    reason: String,
}

/// Decide on a complaint
///
/// By an operator of role staff, or of role admin once it is the supervisor's. A refund goes from what the biller is owed to
/// the payer's wallet, once, and lowers the biller's next payout; above the four-eyes limit it waits for a second operator.
/// A biller that is asked is asked first, with the refund's id, until it has answered. Safe to repeat.
#[utoipa::path(post, path = "/v1/operator/complaints/{id}/decide", tag = "operator", security(("bearer" = [])),
    params(("id" = String, Path, description = "cmp_…")), request_body = ComplaintDecisionRequest,
    responses((status = 200, body = ComplaintAnswer), (status = "default", body = Problem)))]
async fn decide_complaint(
    State(city): State<City>,
    by: Operator,
    Path(id): Path<ComplaintId>,
    Json(request): Json<ComplaintDecisionRequest>,
) -> Answer<Json<ComplaintAnswer>> {
    let amount = request.amount.map(|amount| minor(&city, amount)).transpose()?;
    let decision = match (request.decision, amount) {
        (ComplaintVerdict::Refund, Some(amount_minor)) => {
            Decision::Refund { amount_minor, ask_biller: request.ask_biller.unwrap_or(true) }
        }
        (ComplaintVerdict::Correct, None) => Decision::Correct,
        (ComplaintVerdict::Dismiss, None) => Decision::Dismiss,
        _ => return Err(ComplaintError::AmountUnacceptable.into()),
    };
    let decided = super::decide(&city, &by, id, decision, &request.reason).await?;
    Ok(Json(ComplaintAnswer::of(&city, decided, Of::All)))
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ComplaintSecondRequest)]
struct SecondRequest {
    /// 4 to 200 characters; needed in a browser's session.
    reason: Option<String>,
}

async fn seconded(
    city: City,
    by: Operator,
    id: ComplaintId,
    agrees: bool,
    request: SecondRequest,
) -> Answer<Json<ComplaintAnswer>> {
    let decided = super::second(&city, &by, id, agrees, request.reason.as_deref()).await?;
    Ok(Json(ComplaintAnswer::of(&city, decided, Of::All)))
}

/// Agree to a refund above the limit
///
/// By another operator of role staff than the one who decided on it, with a key of another line. Safe to repeat.
#[utoipa::path(post, path = "/v1/operator/complaints/{id}/approve", tag = "operator", security(("bearer" = [])),
    params(("id" = String, Path, description = "cmp_…")), request_body = SecondRequest,
    responses((status = 200, body = ComplaintAnswer), (status = "default", body = Problem)))]
async fn approve_complaint(
    State(city): State<City>,
    by: Operator,
    Path(id): Path<ComplaintId>,
    Json(request): Json<SecondRequest>,
) -> Answer<Json<ComplaintAnswer>> {
    seconded(city, by, id, true, request).await
}

/// Decline a refund above the limit
///
/// By another operator, as for agreeing. It is to be decided anew then.
#[utoipa::path(post, path = "/v1/operator/complaints/{id}/decline", tag = "operator", security(("bearer" = [])),
    params(("id" = String, Path, description = "cmp_…")), request_body = SecondRequest,
    responses((status = 200, body = ComplaintAnswer), (status = "default", body = Problem)))]
async fn decline_complaint(
    State(city): State<City>,
    by: Operator,
    Path(id): Path<ComplaintId>,
    Json(request): Json<SecondRequest>,
) -> Answer<Json<ComplaintAnswer>> {
    seconded(city, by, id, false, request).await
}
