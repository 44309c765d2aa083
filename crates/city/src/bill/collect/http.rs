//! Routes of collectors: the bills of an account, claims, receipts.

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use kernel::ids::{BillId, BillerId, ClaimId, CollectorId, PaymentId};
use kernel::{Currency, Money, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::rules::LINES_MAX;
use super::{ClaimState, CollectError, CollectorKind, Receipt, Stands, WantedClaim};
use crate::City;
use crate::bill::BillError;
use crate::bill::advance::Reason;
use crate::bill::http::{BillsAnswer, biller_named, bills_answer, read_all};
use crate::bill::pack::Name;
use crate::http::{Amount, Answer, Json, Page, Path, Problem, Query};
use crate::identity::Collector;

/// Every route of collectors.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(read_me))
        .routes(routes!(find_bills))
        .routes(routes!(list_claims, claim))
        .routes(routes!(read_claim))
        .routes(routes!(confirm_claim))
        .routes(routes!(cancel_claim))
        .routes(routes!(receive))
        .routes(routes!(receive_batch))
}

/// A collector, as it sees itself.
#[derive(Debug, Serialize, ToSchema)]
struct CollectorMeAnswer {
    #[schema(value_type = String, example = "col_01h2xcejqtf2nbrexx3vqjhp41")]
    id: CollectorId,
    name: Name,
    kind: CollectorKind,
    /// Whether it may claim.
    open: bool,
    /// Collected and not handed over; below zero where more was handed over.
    owed: Amount,
    /// Held for claims.
    held: Amount,
    /// What it may still collect.
    left: Amount,
}

/// Read what I owe and may collect
#[utoipa::path(get, path = "/v1/collector", tag = "collector", security(("bearer" = [])),
    responses((status = 200, body = CollectorMeAnswer), (status = "default", body = Problem)))]
async fn read_me(State(city): State<City>, who: Collector) -> Answer<Json<CollectorMeAnswer>> {
    let there = super::collector(&city, who.id).await?;
    let owes = super::owes(&city, who.id).await?;
    let currency = city.settings.currency;
    let amount = |minor| Amount { minor, currency };
    Ok(Json(CollectorMeAnswer {
        id: there.id,
        name: there.wanted.name,
        kind: there.wanted.kind,
        open: there.open,
        owed: amount(owes.owed_minor),
        held: amount(owes.held_minor),
        left: amount(owes.left_minor),
    }))
}

/// Which account.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct AccountQuery {
    /// The number on the biller's paper.
    account_no: String,
}

/// Find the bills of an account, as a collector
///
/// With the quotes that claims need. The biller by its id (`blr_…`), or by that of its pack (`hz-power`).
#[utoipa::path(get, path = "/v1/collector/billers/{id}/bills", tag = "collector", security(("bearer" = [])),
    params(("id" = String, Path), AccountQuery),
    responses((status = 200, body = BillsAnswer), (status = "default", body = Problem)))]
async fn find_bills(
    State(city): State<City>,
    who: Collector,
    Path(id): Path<String>,
    Query(query): Query<AccountQuery>,
) -> Answer<Json<BillsAnswer>> {
    let found = super::bills(&city, &who, biller_named(&id)?, &query.account_no).await?;
    Ok(Json(bills_answer(found, city.settings.currency)))
}

/// A claim, or money that was collected without one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClaimAnswer {
    #[schema(value_type = String, example = "clm_01h2xcejqtf2nbrexx3vqjhp41")]
    id: ClaimId,
    /// The collector's own.
    reference: String,
    /// Whether the bill was claimed before the money was taken.
    claimed: bool,
    #[schema(value_type = String, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    biller: BillerId,
    account_no: String,
    /// Of a receipt it may be unknown.
    #[schema(value_type = String, example = "bil_01h2xcejqtf2nbrexx3vqjhp41")]
    bill: BillId,
    amount: Amount,
    /// `held` until `until`, `lapsed`, `cancelled`; confirmed: `waiting`, `paid`, or `advance` with its `reason`.
    state: ClaimState,
    /// The hold ends by itself then.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// The bill's payment, or the payment into the advance.
    #[schema(value_type = Option<String>, example = "pay_01h2xcejqtf2nbrexx3vqjhp41")]
    payment: Option<PaymentId>,
    /// Why the money is held for the account.
    reason: Option<Reason>,
    /// When the payer gave the money.
    #[schema(value_type = Option<String>, format = DateTime)]
    taken_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    confirmed_at: Option<Timestamp>,
    /// When the ledger booked it.
    #[schema(value_type = Option<String>, format = DateTime)]
    booked_at: Option<Timestamp>,
}

impl ClaimAnswer {
    fn of(stands: Stands, currency: Currency) -> ClaimAnswer {
        let claim = stands.claim;
        ClaimAnswer {
            id: claim.id,
            reference: claim.reference,
            claimed: claim.claimed,
            biller: claim.biller,
            account_no: claim.account_no,
            bill: claim.bill,
            amount: Amount { minor: claim.amount_minor, currency },
            state: stands.state,
            until: stands.until,
            payment: stands.payment,
            reason: stands.reason,
            taken_at: claim.taken_at,
            created_at: claim.created_at,
            confirmed_at: claim.confirmed_at,
            booked_at: stands.at,
        }
    }
}

fn answered(city: &City, stands: Stands) -> (StatusCode, Json<ClaimAnswer>) {
    let status = if stands.state == ClaimState::Waiting { StatusCode::ACCEPTED } else { StatusCode::OK };
    (status, Json(ClaimAnswer::of(stands, city.settings.currency)))
}

/// A bill to be claimed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ClaimRequest {
    #[schema(value_type = String, example = "bil_01h2xcejqtf2nbrexx3vqjhp41")]
    bill: BillId,
    /// The id of a quote of this bill.
    quote: String,
    /// What the quote says when absent.
    amount: Option<Amount>,
    /// Your own id of this claim, 1 to 64 visible ASCII characters; the same again is the same claim.
    reference: String,
}

/// Claim a bill
///
/// Holds it, at the price of the quote, for as long as the biller's pack says (`until`); nobody else can pay it
/// meanwhile. Take the money, then confirm; or cancel. Safe to repeat by `reference`.
#[utoipa::path(post, path = "/v1/collector/claims", tag = "collector", security(("bearer" = [])),
    request_body = ClaimRequest,
    responses((status = 200, body = ClaimAnswer), (status = 202, body = ClaimAnswer),
        (status = "default", body = Problem)))]
async fn claim(
    State(city): State<City>,
    who: Collector,
    Json(request): Json<ClaimRequest>,
) -> Answer<(StatusCode, Json<ClaimAnswer>)> {
    if request.amount.is_some_and(|amount| amount.currency != city.settings.currency) {
        return Err(BillError::AmountUnacceptable.into());
    }
    let wish = WantedClaim {
        bill: request.bill,
        quote: request.quote,
        amount_minor: request.amount.map(|amount| amount.minor),
        reference: request.reference,
    };
    let stands = super::claim(&city, &who, &wish).await?;
    Ok(answered(&city, stands))
}

/// Claims and receipts, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClaimsAnswer {
    items: Vec<ClaimAnswer>,
    next: Option<String>,
}

/// A page of a collector's claims.
pub(crate) async fn claims_of(city: &City, of: CollectorId, page: &Page) -> Answer<Json<ClaimsAnswer>> {
    let malformed = || Problem::new(400, "malformed_cursor", "pass `next` of the page before, unchanged");
    let place = |text: &str| {
        let (at, id) = text.split_once(',')?;
        Some((Timestamp::from_millis(at.parse().ok()?), id.parse::<ClaimId>().ok()?))
    };
    let before = page.cursor.as_deref().map(|text| place(text).ok_or_else(malformed)).transpose()?;
    let found = super::claims(city, of, before, page.limit()).await?;
    let full = found.len() == page.limit() as usize;
    let last = found.last().filter(|_| full).map(|s| (s.claim.created_at, s.claim.id));
    let next = last.map(|(at, id)| format!("{},{id}", at.as_millis()));
    let items = found.into_iter().map(|s| ClaimAnswer::of(s, city.settings.currency)).collect();
    Ok(Json(ClaimsAnswer { items, next }))
}

/// List my claims and receipts
#[utoipa::path(get, path = "/v1/collector/claims", tag = "collector", security(("bearer" = [])), params(Page),
    responses((status = 200, body = ClaimsAnswer), (status = "default", body = Problem)))]
async fn list_claims(
    State(city): State<City>,
    who: Collector,
    Query(page): Query<Page>,
) -> Answer<Json<ClaimsAnswer>> {
    claims_of(&city, who.id, &page).await
}

/// Read a claim or receipt of mine
#[utoipa::path(get, path = "/v1/collector/claims/{id}", tag = "collector", security(("bearer" = [])),
    params(("id" = String, Path, description = "clm_…")),
    responses((status = 200, body = ClaimAnswer), (status = "default", body = Problem)))]
async fn read_claim(
    State(city): State<City>,
    who: Collector,
    Path(id): Path<ClaimId>,
) -> Answer<Json<ClaimAnswer>> {
    let stands = super::get(&city, &who, id).await?;
    Ok(Json(ClaimAnswer::of(stands, city.settings.currency)))
}

/// Confirm a claim
///
/// The money was taken: from now on it is never lost. It pays the bill, also after the hold has run out; where somebody
/// else has paid meanwhile it is held for the account (`advance`). 202 while its end waits. Safe to repeat.
#[utoipa::path(post, path = "/v1/collector/claims/{id}/confirm", tag = "collector", security(("bearer" = [])),
    params(("id" = String, Path, description = "clm_…")),
    responses((status = 200, body = ClaimAnswer), (status = 202, body = ClaimAnswer),
        (status = "default", body = Problem)))]
async fn confirm_claim(
    State(city): State<City>,
    who: Collector,
    Path(id): Path<ClaimId>,
) -> Answer<(StatusCode, Json<ClaimAnswer>)> {
    let stands = super::confirm(&city, &who, id).await?;
    Ok(answered(&city, stands))
}

/// Cancel a claim
///
/// The money was not taken: the bill is free. Safe to repeat.
#[utoipa::path(post, path = "/v1/collector/claims/{id}/cancel", tag = "collector", security(("bearer" = [])),
    params(("id" = String, Path, description = "clm_…")),
    responses((status = 200, body = ClaimAnswer), (status = "default", body = Problem)))]
async fn cancel_claim(
    State(city): State<City>,
    who: Collector,
    Path(id): Path<ClaimId>,
) -> Answer<Json<ClaimAnswer>> {
    let stands = super::cancel(&city, &who, id).await?;
    Ok(Json(ClaimAnswer::of(stands, city.settings.currency)))
}

/// Money that was collected without a claim.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReceiptRequest {
    /// Your own id of it, 1 to 64 visible ASCII characters; it counts once.
    reference: String,
    /// `blr_…`, or the pack's name.
    #[schema(example = "hz-power")]
    biller: String,
    account_no: String,
    bill_no: String,
    amount: Amount,
    /// When the payer gave it: in the last 31 days.
    #[schema(value_type = String, format = DateTime)]
    taken_at: Timestamp,
}

/// Hand in money collected without a claim
///
/// It pays the bill if that is open and takes the amount, at the price of the day it was taken; else it is held for the
/// account with a `reason`. 202 while its end waits, for the biller or the collector's limit. Safe to repeat.
#[utoipa::path(post, path = "/v1/collector/receipts", tag = "collector", security(("bearer" = [])),
    request_body = ReceiptRequest,
    responses((status = 200, body = ClaimAnswer), (status = 202, body = ClaimAnswer),
        (status = "default", body = Problem)))]
async fn receive(
    State(city): State<City>,
    who: Collector,
    Json(request): Json<ReceiptRequest>,
) -> Answer<(StatusCode, Json<ClaimAnswer>)> {
    if request.amount.currency != city.settings.currency {
        return Err(BillError::AmountUnacceptable.into());
    }
    let receipt = Receipt {
        reference: request.reference,
        biller: biller_named(&request.biller)?,
        account_no: request.account_no,
        bill_no: request.bill_no,
        amount_minor: request.amount.minor,
        taken_at: request.taken_at,
    };
    let stands = super::receive(&city, &who, &receipt).await?;
    Ok(answered(&city, stands))
}

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
struct BatchAnswer {
    /// In the order of its lines.
    items: Vec<ClaimAnswer>,
}

/// The largest batch, bytes.
const BATCH_BYTES_MAX: u64 = 4 << 20;

/// Hand in a batch of receipts
///
/// One line each: `reference,biller,account,bill number,yuan,taken at`, without a header, 10,000 at most. One bad line
/// and nothing of it is taken in (`receipt_line_malformed`); what was taken in before counts once.
#[utoipa::path(post, path = "/v1/collector/receipts/batch", tag = "collector", security(("bearer" = [])),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = BatchAnswer), (status = "default", body = Problem)))]
async fn receive_batch(State(city): State<City>, who: Collector, body: Body) -> Answer<Json<BatchAnswer>> {
    let currency = city.settings.currency;
    let bytes = read_all(body, BATCH_BYTES_MAX).await?;
    let receipts = read_lines(&bytes, currency).map_err(BillError::from)?;
    let all = super::receive_all(&city, &who, &receipts).await?;
    Ok(Json(BatchAnswer { items: all.into_iter().map(|s| ClaimAnswer::of(s, currency)).collect() }))
}

fn read_lines(bytes: &[u8], currency: Currency) -> Result<Vec<Receipt>, CollectError> {
    let text = std::str::from_utf8(bytes).map_err(|_| CollectError::Line(1, "not UTF-8".to_owned()))?;
    if text.lines().count() > LINES_MAX {
        return Err(CollectError::TooManyLines);
    }
    let read = |line: &str| -> Result<Receipt, &'static str> {
        let parts: Vec<&str> = line.split(',').collect();
        let [reference, biller, account_no, bill_no, yuan, taken_at] = parts[..] else {
            return Err("six columns are needed");
        };
        let amount = Money::parse_amount(yuan, currency).map_err(|_| "the amount cannot be read")?;
        Ok(Receipt {
            reference: reference.to_owned(),
            biller: biller_named(biller).map_err(|_| "no biller is named so")?,
            account_no: account_no.to_owned(),
            bill_no: bill_no.to_owned(),
            amount_minor: amount.minor,
            taken_at: taken_at.parse().map_err(|_| "the time cannot be read")?,
        })
    };
    let numbered = text.lines().enumerate();
    numbered.map(|(at, line)| read(line).map_err(|why| CollectError::Line(at + 1, why.to_owned()))).collect()
}
