//! Routes of deposits, withdrawals and pay-outs, and of the approvals that large ones wait for.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use kernel::Timestamp;
use kernel::ids::{ApprovalId, CampaignId, CollectorId, MerchantId, OperatorId, PaymentId, ResidentId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Approval, ApprovalState, Booking, Movement, MovementKind};
use crate::City;
use crate::bill;
use crate::http::{Amount, Answer, Json, Path, Problem, Query};
use crate::identity::rules::mask_middle;
use crate::identity::{self, Operator};
use crate::operator::audit::http::names;
use crate::wallet::http::MovedAnswer;
use crate::{coupon, merchant};

/// Every route of movements that may need two.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(deposit))
        .routes(routes!(withdraw))
        .routes(routes!(pay_out))
        .routes(routes!(list_approvals))
        .routes(routes!(read_approval))
        .routes(routes!(approve))
        .routes(routes!(reject))
}

/// An operator in an answer.
#[derive(Debug, Serialize, ToSchema)]
struct Decider {
    #[schema(value_type = String, example = "opr_01h2xcejqtf2nbrexx3vqjhp41")]
    id: OperatorId,
    name: Option<String>,
}

/// A movement above the limit, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::operator) struct ApprovalAnswer {
    #[schema(value_type = String, example = "apr_01h2xcejqtf2nbrexx3vqjhp41")]
    id: ApprovalId,
    kind: MovementKind,
    /// `res_…`, `mch_…` or `cpn_…`.
    #[schema(example = "res_01h2xcejqtf2nbrexx3vqjhp41")]
    subject: String,
    /// The shop's or campaign's name, or the resident's, masked.
    #[schema(example = "王*明")]
    subject_name: String,
    amount: Amount,
    /// The bank's own reference; for a campaign its id.
    reference: String,
    /// Why, in the asker's words.
    reason: Option<String>,
    asked_by: Decider,
    #[schema(value_type = String, format = DateTime)]
    asked_at: Timestamp,
    state: ApprovalState,
    /// Who approved or rejected it.
    decided_by: Option<Decider>,
    #[schema(value_type = Option<String>, format = DateTime)]
    decided_at: Option<Timestamp>,
    /// Why, in the decider's words.
    decision_reason: Option<String>,
    /// Why it failed: the code of the refusal.
    #[schema(example = "insufficient_balance")]
    outcome: Option<String>,
    /// The movement in the ledger, once it is there.
    #[schema(value_type = Option<String>, example = "pay_01h2xcejqtf2nbrexx3vqjhp41")]
    payment: Option<PaymentId>,
}

async fn answers(city: &City, approvals: Vec<Approval>) -> Answer<Vec<ApprovalAnswer>> {
    let (names, payments) = (names(city).await?, super::payments(city, &approvals).await?);
    let mut answers = Vec::with_capacity(approvals.len());
    for approval in approvals {
        answers.push(answer(city, &names, payments.get(&approval.id).copied(), approval).await?);
    }
    Ok(answers)
}

async fn answer(
    city: &City,
    names: &HashMap<OperatorId, String>,
    payment: Option<PaymentId>,
    approval: Approval,
) -> Answer<ApprovalAnswer> {
    let movement = &approval.movement;
    let subject_name = match movement.kind {
        MovementKind::Payout => {
            merchant::get(city, MerchantId::from_u128(movement.subject)).await?.name.clone()
        }
        MovementKind::Campaign => coupon::get(city, CampaignId::from_u128(movement.subject)).await?.name,
        MovementKind::Collector => {
            bill::collect::collector(city, CollectorId::from_u128(movement.subject)).await?.wanted.name.zh
        }
        // Of an advance the approval shows the payment that goes back; whose it was is in the account's movements.
        MovementKind::AdvanceReturn => movement.subject_text(),
        MovementKind::Deposit | MovementKind::Withdrawal => {
            mask_middle(&identity::name_and_tier(city, ResidentId::from_u128(movement.subject)).await?.0)
        }
    };
    let who = |id: OperatorId| Decider { id, name: names.get(&id).cloned() };
    Ok(ApprovalAnswer {
        id: approval.id,
        kind: movement.kind,
        subject: movement.subject_text(),
        subject_name,
        amount: movement.amount.into(),
        reference: movement.reference.clone(),
        reason: approval.reason,
        asked_by: who(approval.asked_by),
        asked_at: approval.asked_at,
        state: approval.state,
        decided_by: approval.decided.map(|(id, ..)| who(id)),
        decided_at: approval.decided.map(|(.., at)| at),
        decision_reason: approval.decision_reason,
        outcome: approval.outcome,
        payment,
    })
}

async fn one(city: &City, approval: Approval) -> Answer<ApprovalAnswer> {
    let mut all = answers(city, vec![approval]).await?;
    all.pop().ok_or_else(|| Problem::new(500, "internal", "the service could not do this now"))
}

pub(in crate::operator) async fn booked(
    city: &City,
    by: &Operator,
    wanted: Movement,
    reason: Option<&str>,
) -> Answer<Response> {
    match super::book(city, by, wanted, reason).await? {
        Booking::Moved(moved) => Ok(Json(MovedAnswer::from(moved)).into_response()),
        Booking::Waits(approval) => {
            Ok((StatusCode::ACCEPTED, Json(one(city, *approval).await?)).into_response())
        }
    }
}

/// Money that came in or went out at the bank.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BookingRequest {
    #[schema(value_type = String, example = "res_01h2xcejqtf2nbrexx3vqjhp41")]
    resident: ResidentId,
    amount: Amount,
    /// The bank's own reference: booked once.
    #[schema(example = "ICBC20260302000123")]
    reference: String,
    /// Why, 4 to 200 characters: for the second operator, above the limit.
    reason: Option<String>,
}

/// Book a deposit
///
/// By an operator of role staff. Above the four-eyes limit it is not booked but waits for a second operator: 202.
#[utoipa::path(post, path = "/v1/deposits", tag = "operator", security(("bearer" = [])),
    request_body = BookingRequest,
    responses((status = 200, body = MovedAnswer), (status = 202, body = ApprovalAnswer),
        (status = "default", body = Problem)))]
async fn deposit(
    State(city): State<City>,
    by: Operator,
    Json(request): Json<BookingRequest>,
) -> Answer<Response> {
    booking(&city, &by, MovementKind::Deposit, request).await
}

/// Book a withdrawal
///
/// By an operator of role staff. Above the four-eyes limit it is not booked but waits for a second operator: 202.
#[utoipa::path(post, path = "/v1/withdrawals", tag = "operator", security(("bearer" = [])),
    request_body = BookingRequest,
    responses((status = 200, body = MovedAnswer), (status = 202, body = ApprovalAnswer),
        (status = "default", body = Problem)))]
async fn withdraw(
    State(city): State<City>,
    by: Operator,
    Json(request): Json<BookingRequest>,
) -> Answer<Response> {
    booking(&city, &by, MovementKind::Withdrawal, request).await
}

async fn booking(
    city: &City,
    by: &Operator,
    kind: MovementKind,
    request: BookingRequest,
) -> Answer<Response> {
    let BookingRequest { resident, amount, reference, reason } = request;
    let wanted = Movement { kind, subject: resident.as_u128(), amount: amount.into(), reference };
    booked(city, by, wanted, reason.as_deref()).await
}

/// What was paid out at the bank.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PayoutRequest {
    amount: Amount,
    /// The bank's own number of the movement; booked once.
    #[schema(example = "20260302-000017")]
    reference: String,
    /// Why, 4 to 200 characters: for the second operator, above the limit.
    reason: Option<String>,
}

/// Book a pay-out to a shop
///
/// By an operator of role staff, when the bank has paid the shop. The shop's statement has it as `payout`. Above
/// the four-eyes limit it is not booked but waits for a second operator: 202.
#[utoipa::path(post, path = "/v1/merchants/{merchant}/payouts", tag = "operator", security(("bearer" = [])),
    params(("merchant" = String, Path, description = "mch_…")), request_body = PayoutRequest,
    responses((status = 200, body = MovedAnswer), (status = 202, body = ApprovalAnswer),
        (status = "default", body = Problem)))]
async fn pay_out(
    State(city): State<City>,
    by: Operator,
    Path(merchant): Path<MerchantId>,
    Json(request): Json<PayoutRequest>,
) -> Answer<Response> {
    let PayoutRequest { amount, reference, reason } = request;
    let (kind, subject) = (MovementKind::Payout, merchant.as_u128());
    let wanted = Movement { kind, subject, amount: amount.into(), reference };
    booked(&city, &by, wanted, reason.as_deref()).await
}

/// Which approvals.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ApprovalsQuery {
    /// In this state; in any when absent.
    #[param(inline)]
    state: Option<ApprovalState>,
    /// `next` of the page before; absent for the first.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// A page of approvals, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct ApprovalsAnswer {
    items: Vec<ApprovalAnswer>,
    /// Pass as `cursor` for the next page; absent on the last.
    next: Option<String>,
}

/// List approvals
///
/// Movements above the four-eyes limit, newest first. By an operator of role staff.
#[utoipa::path(get, path = "/v1/operator/approvals", tag = "operator", security(("bearer" = [])),
    params(ApprovalsQuery),
    responses((status = 200, body = ApprovalsAnswer), (status = "default", body = Problem)))]
async fn list_approvals(
    State(city): State<City>,
    by: Operator,
    Query(query): Query<ApprovalsQuery>,
) -> Answer<Json<ApprovalsAnswer>> {
    let before = query.cursor.as_deref().map(str::parse).transpose();
    let before =
        before.map_err(|_| Problem::new(400, "malformed_cursor", "pass `next` of the page before"))?;
    let limit = query.limit.unwrap_or(50).clamp(1, 200);
    let found = super::list(&city, &by, query.state, before, limit).await?;
    let full = found.len() == limit as usize;
    let next = found.last().filter(|_| full).map(|last| last.id.to_string());
    Ok(Json(ApprovalsAnswer { items: answers(&city, found).await?, next }))
}

/// Read an approval
#[utoipa::path(get, path = "/v1/operator/approvals/{approval}", tag = "operator", security(("bearer" = [])),
    params(("approval" = String, Path, description = "apr_…")),
    responses((status = 200, body = ApprovalAnswer), (status = "default", body = Problem)))]
async fn read_approval(
    State(city): State<City>,
    by: Operator,
    Path(approval): Path<ApprovalId>,
) -> Answer<Json<ApprovalAnswer>> {
    Ok(Json(one(&city, super::get(&city, &by, approval).await?).await?))
}

/// Why it is approved or rejected.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DecisionRequest {
    /// 4 to 200 characters; needed in a browser's session.
    reason: Option<String>,
}

/// Approve a movement
///
/// By another operator of role staff than the one who asked, with a key of another line (`approval_one_hand`). The money
/// moves now, once; asking again is safe. What the ledger refuses has failed, with the refusal's code; ask for the movement anew then.
#[utoipa::path(post, path = "/v1/operator/approvals/{approval}/approve", tag = "operator",
    security(("bearer" = [])), params(("approval" = String, Path, description = "apr_…")),
    request_body = DecisionRequest,
    responses((status = 200, body = ApprovalAnswer), (status = "default", body = Problem)))]
async fn approve(
    State(city): State<City>,
    by: Operator,
    Path(approval): Path<ApprovalId>,
    Json(request): Json<DecisionRequest>,
) -> Answer<Json<ApprovalAnswer>> {
    let approval = super::approve(&city, &by, approval, request.reason.as_deref()).await?;
    Ok(Json(one(&city, approval).await?))
}

/// Reject a movement
///
/// By another operator of role staff than the one who asked, with a key of another line. No money moves; asking again is safe.
#[utoipa::path(post, path = "/v1/operator/approvals/{approval}/reject", tag = "operator",
    security(("bearer" = [])), params(("approval" = String, Path, description = "apr_…")),
    request_body = DecisionRequest,
    responses((status = 200, body = ApprovalAnswer), (status = "default", body = Problem)))]
async fn reject(
    State(city): State<City>,
    by: Operator,
    Path(approval): Path<ApprovalId>,
    Json(request): Json<DecisionRequest>,
) -> Answer<Json<ApprovalAnswer>> {
    let approval = super::reject(&city, &by, approval, request.reason.as_deref()).await?;
    Ok(Json(one(&city, approval).await?))
}
