//! Routes of money held for accounts at billers, for residents.

use axum::extract::State;
use axum::http::StatusCode;
use kernel::Timestamp;
use kernel::ids::{BillId, BillerId, PaymentId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Advance, Kind, PayAhead, Reason, Source};
use crate::City;
use crate::bill::PayState;
use crate::bill::http::{PaymentAnswer, biller_named};
use crate::http::{Amount, Answer, IdempotencyKey, Json, Page, Path, Problem, Query, ledger_cursor};
use crate::identity::{Biller, Resident};
use crate::wallet::http::MovedAnswer;

/// Every route of advances.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(pay_ahead))
        .routes(routes!(take_back))
        .routes(routes!(pay_from))
        .routes(routes!(read_mine))
        .routes(routes!(read_as_biller))
}

/// A movement of money held for an account.
#[derive(Debug, Serialize, ToSchema)]
struct AdvanceMovementAnswer {
    #[schema(value_type = String, example = "pay_01h2xcejqtf2nbrexx3vqjhp41")]
    id: PaymentId,
    /// `in`, `used` or `returned`.
    kind: &'static str,
    /// `resident` or `collector`; absent of what paid a bill.
    source: Option<&'static str>,
    /// Why it came in.
    reason: Option<Reason>,
    /// The bill it was meant for, or paid.
    #[schema(value_type = Option<String>)]
    bill: Option<BillId>,
    /// The payment that went back.
    #[schema(value_type = Option<String>)]
    returned: Option<PaymentId>,
    /// Whether I paid it in.
    mine: bool,
    amount: Amount,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// Money held for an account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdvanceAnswer {
    #[schema(value_type = String, example = "blr_01h2xcejqtf2nbrexx3vqjhp41")]
    biller: BillerId,
    account_no: String,
    /// Free to pay bills or to be given back.
    available: Amount,
    /// Newest first.
    items: Vec<AdvanceMovementAnswer>,
    next: Option<String>,
}

impl AdvanceAnswer {
    pub(crate) fn of(city: &City, seen: Advance, who: Option<&Resident>) -> AdvanceAnswer {
        let amount = |minor| Amount { minor, currency: city.settings.currency };
        let movement = |m: super::Movement| {
            let (kind, source, reason, returned) = match m.kind {
                Kind::In(source, reason) => ("in", Some(source), Some(reason), None),
                Kind::Used(_) => ("used", None, None, None),
                Kind::Returned(source, of) => ("returned", Some(source), None, Some(of)),
            };
            AdvanceMovementAnswer {
                id: m.payment,
                kind,
                source: source.map(|source| match source {
                    Source::Resident(_) => "resident",
                    Source::Collector(_) => "collector",
                }),
                reason,
                bill: m.bill,
                returned,
                mine: source.is_some_and(|s| who.is_some_and(|who| s == Source::Resident(who.id))),
                amount: amount(m.amount_minor),
                at: m.at,
            }
        };
        AdvanceAnswer {
            biller: seen.biller,
            account_no: seen.account_no,
            available: amount(seen.available_minor),
            items: seen.movements.into_iter().map(movement).collect(),
            next: seen.next.map(|t| t.to_string()),
        }
    }
}

/// Money for bills to come.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PayAheadRequest {
    /// `blr_…`, or the pack's name.
    #[schema(example = "hz-power")]
    biller: String,
    account_no: String,
    amount: Amount,
    /// Needed above the no-PIN limit.
    pin: Option<String>,
}

/// Pay in advance
///
/// Where the biller's pack allows it. The money is held for the account until it pays a bill or is taken back.
#[utoipa::path(post, path = "/v1/bills/advance", tag = "bill", security(("bearer" = [])),
    params(("Idempotency-Key" = String, Header)), request_body = PayAheadRequest,
    responses((status = 200, body = MovedAnswer), (status = "default", body = Problem)))]
async fn pay_ahead(
    State(city): State<City>,
    who: Resident,
    IdempotencyKey(key): IdempotencyKey,
    Json(request): Json<PayAheadRequest>,
) -> Answer<Json<MovedAnswer>> {
    let wish = PayAhead {
        biller: biller_named(&request.biller)?,
        account_no: request.account_no,
        amount: request.amount.into(),
        pin: request.pin,
        key,
    };
    Ok(Json(super::pay_ahead(&city, &who, &wish).await?.into()))
}

/// Take back what I paid in advance
///
/// What is left of that payment, into my wallet; once. The same again is answered with what went back.
#[utoipa::path(post, path = "/v1/bills/advance/{payment}/return", tag = "bill", security(("bearer" = [])),
    params(("payment" = String, Path, description = "pay_…")),
    responses((status = 200, body = MovedAnswer), (status = "default", body = Problem)))]
async fn take_back(
    State(city): State<City>,
    who: Resident,
    Path(payment): Path<PaymentId>,
) -> Answer<Json<MovedAnswer>> {
    Ok(Json(super::take_back(&city, &who, payment).await?.into()))
}

/// Pay a bill from what is held for its account
///
/// At today's price, by a resident who keeps the account. 202 where the biller has not answered yet.
#[utoipa::path(post, path = "/v1/bills/{id}/pay-from-advance", tag = "bill", security(("bearer" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = PaymentAnswer), (status = 202, body = PaymentAnswer),
        (status = "default", body = Problem)))]
async fn pay_from(
    State(city): State<City>,
    who: Resident,
    Path(bill): Path<BillId>,
) -> Answer<(StatusCode, Json<PaymentAnswer>)> {
    let paid = super::pay_from(&city, &who, bill).await?;
    let status = if paid.state == PayState::Settled { StatusCode::OK } else { StatusCode::ACCEPTED };
    let answer = PaymentAnswer::of(&paid.settled, paid.state, paid.repeated, city.settings.currency);
    Ok((status, Json(answer)))
}

/// Read what is held for an account that I keep
#[utoipa::path(get, path = "/v1/me/bill-accounts/{biller}/{account}/advance", tag = "bill",
    security(("bearer" = [])), params(("biller" = String, Path), ("account" = String, Path), Page),
    responses((status = 200, body = AdvanceAnswer), (status = "default", body = Problem)))]
async fn read_mine(
    State(city): State<City>,
    who: Resident,
    Path((biller, account)): Path<(String, String)>,
    Query(page): Query<Page>,
) -> Answer<Json<AdvanceAnswer>> {
    let biller = biller_named(&biller)?;
    super::keeps(&city, &who, biller, &account).await?;
    let seen = super::advance(&city, biller, &account, ledger_cursor(&page)?, page.limit()).await?;
    Ok(Json(AdvanceAnswer::of(&city, seen, Some(&who))))
}

/// Read what is held for an account of mine, as its biller
#[utoipa::path(get, path = "/v1/accounts/{account}/advance", tag = "bill", security(("bearer" = [])),
    params(("account" = String, Path), Page),
    responses((status = 200, body = AdvanceAnswer), (status = "default", body = Problem)))]
async fn read_as_biller(
    State(city): State<City>,
    who: Biller,
    Path(account): Path<String>,
    Query(page): Query<Page>,
) -> Answer<Json<AdvanceAnswer>> {
    let seen = super::advance(&city, who.id, &account, ledger_cursor(&page)?, page.limit()).await?;
    Ok(Json(AdvanceAnswer::of(&city, seen, None)))
}
