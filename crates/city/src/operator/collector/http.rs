//! Routes of collectors and advances for operators.

use axum::extract::State;
use axum::response::Response;
use kernel::Timestamp;
use kernel::ids::{BillerId, CollectorId, PaymentId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::City;
use crate::bill::advance::http::AdvanceAnswer;
use crate::bill::collect::http::{ClaimsAnswer, claims_of};
use crate::bill::collect::{self, CollectorKind, Registered, Wanted};
use crate::bill::http::biller_named;
use crate::bill::pack::Name;
use crate::bill::{BillError, advance};
use crate::http::{Amount, Answer, Json, Page, Path, Problem, Query, ledger_cursor};
use crate::identity::{Operator, Role};
use crate::operator::approval::http::{ApprovalAnswer, booked};
use crate::operator::approval::{Movement, MovementKind};
use crate::operator::audit::{Act, audited};
use crate::wallet::http::MovedAnswer;

/// Every route of collectors and advances for operators.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(list, register))
        .routes(routes!(change))
        .routes(routes!(list_collector_claims))
        .routes(routes!(settle))
        .routes(routes!(read_advance))
        .routes(routes!(give_back))
}

/// A collector, as operators see it.
#[derive(Debug, Serialize, ToSchema)]
struct CollectorAnswer {
    #[schema(value_type = String, example = "col_01h2xcejqtf2nbrexx3vqjhp41")]
    id: CollectorId,
    reference: String,
    kind: CollectorKind,
    name: Name,
    /// For whom it collects; for all when absent.
    #[schema(value_type = Option<Vec<String>>)]
    billers: Option<Vec<BillerId>>,
    /// Whether it may claim.
    open: bool,
    /// What it may owe.
    limit: Amount,
    /// Collected and not handed over; below zero where more was handed over.
    owed: Amount,
    /// Held for claims.
    held: Amount,
    /// What it may still collect.
    left: Amount,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

async fn answer(city: &City, there: Registered) -> Result<CollectorAnswer, BillError> {
    let owes = collect::owes(city, there.id).await?;
    let amount = |minor| Amount { minor, currency: city.settings.currency };
    Ok(CollectorAnswer {
        id: there.id,
        reference: there.wanted.reference,
        kind: there.wanted.kind,
        name: there.wanted.name,
        billers: there.wanted.billers,
        open: there.open,
        limit: amount(there.wanted.limit_minor),
        owed: amount(owes.owed_minor),
        held: amount(owes.held_minor),
        left: amount(owes.left_minor),
        created_at: there.created_at,
    })
}

/// Collectors.
#[derive(Debug, Serialize, ToSchema)]
struct CollectorsAnswer {
    items: Vec<CollectorAnswer>,
    next: Option<String>,
}

/// List collectors
#[utoipa::path(get, path = "/v1/operator/collectors", tag = "operator", security(("bearer" = [])), params(Page),
    responses((status = 200, body = CollectorsAnswer), (status = "default", body = Problem)))]
async fn list(
    State(city): State<City>,
    _by: Operator,
    Query(page): Query<Page>,
) -> Answer<Json<CollectorsAnswer>> {
    let malformed = |_| Problem::new(400, "malformed_cursor", "pass `next` of the page before, unchanged");
    let after = page.cursor.as_deref().map(|text| text.parse().map_err(malformed)).transpose()?;
    let found = collect::collectors(&city, after, page.limit()).await?;
    let full = found.len() == page.limit() as usize;
    let next = found.last().filter(|_| full).map(|last| last.id.to_string());
    let mut items = Vec::with_capacity(found.len());
    for there in found {
        items.push(answer(&city, there).await?);
    }
    Ok(Json(CollectorsAnswer { items, next }))
}

/// A collector to be registered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CollectorRequest {
    /// Your own name of it; the same again is the same collector.
    reference: String,
    kind: CollectorKind,
    name: Name,
    /// `blr_…` or packs' names; for all when absent.
    billers: Option<Vec<String>>,
    /// What it may owe.
    limit: Amount,
    /// Why, 4 to 200 characters; needed in a browser's session.
    reason: Option<String>,
}

/// Register a collector
///
/// A bank or service provider that collects the same bills. By an operator of role admin; its keys by `POST /v1/keys`.
#[utoipa::path(post, path = "/v1/operator/collectors", tag = "operator", security(("bearer" = [])),
    request_body = CollectorRequest,
    responses((status = 200, body = CollectorAnswer), (status = "default", body = Problem)))]
async fn register(
    State(city): State<City>,
    by: Operator,
    Json(request): Json<CollectorRequest>,
) -> Answer<Json<CollectorAnswer>> {
    if request.limit.currency != city.settings.currency {
        return Err(BillError::AmountUnacceptable.into());
    }
    let named = |all: Vec<String>| all.iter().map(|text| biller_named(text)).collect::<Answer<Vec<_>>>();
    let wanted = Wanted {
        reference: request.reference,
        kind: request.kind,
        name: request.name,
        billers: request.billers.map(named).transpose()?,
        limit_minor: request.limit.minor,
    };
    let act = Act::on("register_collector", &wanted.reference).with(wanted.limit_minor.to_string());
    let made =
        audited(&city, &by, request.reason.as_deref(), act, collect::register(&city, &by, wanted)).await?;
    Ok(Json(answer(&city, made).await?))
}

/// What of a collector changes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeRequest {
    /// What it may owe from now on; unchanged when absent.
    limit: Option<Amount>,
    /// Whether it may claim; unchanged when absent.
    open: Option<bool>,
    /// Why, 4 to 200 characters; needed in a browser's session.
    reason: Option<String>,
}

/// Change a collector's limit, or whether it may claim
///
/// By an operator of role admin.
#[utoipa::path(patch, path = "/v1/operator/collectors/{id}", tag = "operator", security(("bearer" = [])),
    params(("id" = String, Path, description = "col_…")), request_body = ChangeRequest,
    responses((status = 200, body = CollectorAnswer), (status = "default", body = Problem)))]
async fn change(
    State(city): State<City>,
    by: Operator,
    Path(id): Path<CollectorId>,
    Json(request): Json<ChangeRequest>,
) -> Answer<Json<CollectorAnswer>> {
    if request.limit.is_some_and(|limit| limit.currency != city.settings.currency) {
        return Err(BillError::AmountUnacceptable.into());
    }
    let limit = request.limit.map(|limit| limit.minor);
    let act = Act::on("change_collector", id).with(format!("limit={limit:?} open={:?}", request.open));
    let changing = async {
        by.role.require(Role::Admin)?;
        let mut there = collect::collector(&city, id).await?;
        if let Some(limit) = limit {
            there = collect::set_limit(&city, &by, id, limit).await?;
        }
        if let Some(open) = request.open {
            there = collect::set_open(&city, &by, id, open).await?;
        }
        Ok::<_, BillError>(there)
    };
    let there = audited(&city, &by, request.reason.as_deref(), act, changing).await?;
    Ok(Json(answer(&city, there).await?))
}

/// List a collector's claims and receipts
#[utoipa::path(get, path = "/v1/operator/collectors/{id}/claims", tag = "operator", security(("bearer" = [])),
    params(("id" = String, Path, description = "col_…"), Page),
    responses((status = 200, body = ClaimsAnswer), (status = "default", body = Problem)))]
async fn list_collector_claims(
    State(city): State<City>,
    by: Operator,
    Path(id): Path<CollectorId>,
    Query(page): Query<Page>,
) -> Answer<Json<ClaimsAnswer>> {
    by.role.require(Role::Staff)?;
    claims_of(&city, id, &page).await
}

/// What was handed over at the bank.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HandOverRequest {
    amount: Amount,
    /// The bank's own reference: booked once.
    reference: String,
    /// Why, 4 to 200 characters: for the second operator, above the limit.
    reason: Option<String>,
}

/// Book what a collector handed over
///
/// By an operator of role staff. Above the four-eyes limit it waits for a second operator: 202.
#[utoipa::path(post, path = "/v1/operator/collectors/{id}/settlements", tag = "operator",
    security(("bearer" = [])), params(("id" = String, Path, description = "col_…")),
    request_body = HandOverRequest,
    responses((status = 200, body = MovedAnswer), (status = 202, body = ApprovalAnswer),
        (status = "default", body = Problem)))]
async fn settle(
    State(city): State<City>,
    by: Operator,
    Path(id): Path<CollectorId>,
    Json(request): Json<HandOverRequest>,
) -> Answer<Response> {
    let HandOverRequest { amount, reference, reason } = request;
    let (kind, subject) = (MovementKind::Collector, id.as_u128());
    let wanted = Movement { kind, subject, amount: amount.into(), reference };
    booked(&city, &by, wanted, reason.as_deref()).await
}

/// Read what is held for an account at a biller
#[utoipa::path(get, path = "/v1/operator/billers/{id}/accounts/{account}/advance", tag = "operator",
    security(("bearer" = [])), params(("id" = String, Path), ("account" = String, Path), Page),
    responses((status = 200, body = AdvanceAnswer), (status = "default", body = Problem)))]
async fn read_advance(
    State(city): State<City>,
    by: Operator,
    Path((id, account)): Path<(String, String)>,
    Query(page): Query<Page>,
) -> Answer<Json<AdvanceAnswer>> {
    by.role.require(Role::Staff)?;
    let before = ledger_cursor(&page)?;
    let seen = advance::advance(&city, biller_named(&id)?, &account, before, page.limit()).await?;
    Ok(Json(AdvanceAnswer::of(&city, seen, None)))
}

/// How much goes back, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReturnRequest {
    /// At most what came in by that payment.
    amount: Amount,
    /// Why, 4 to 200 characters.
    reason: Option<String>,
}

/// Give back money held for an account
///
/// To the wallet or collector it came from; once. Above the four-eyes limit it waits for a second operator: 202.
#[utoipa::path(post, path = "/v1/operator/advances/{payment}/return", tag = "operator", security(("bearer" = [])),
    params(("payment" = String, Path, description = "pay_…")), request_body = ReturnRequest,
    responses((status = 200, body = MovedAnswer), (status = 202, body = ApprovalAnswer),
        (status = "default", body = Problem)))]
async fn give_back(
    State(city): State<City>,
    by: Operator,
    Path(payment): Path<PaymentId>,
    Json(request): Json<ReturnRequest>,
) -> Answer<Response> {
    let wanted = Movement {
        kind: MovementKind::AdvanceReturn,
        subject: payment.as_u128(),
        amount: request.amount.into(),
        reference: payment.to_string(),
    };
    booked(&city, &by, wanted, request.reason.as_deref()).await
}
