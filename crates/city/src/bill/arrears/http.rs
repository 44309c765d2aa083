//! Routes of accounts with several open bills.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use kernel::Timestamp;
use kernel::ids::{BillId, BillerId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::PayAccount;
use crate::bill::http::{AccountQuery, BillAnswer, PaymentAnswer, biller_named};
use crate::bill::pack::Order;
use crate::bill::{BillError, PayState};
use crate::http::{Amount, Answer, Json, Path, Problem, Query};
use crate::identity::Resident;
use crate::{City, Refusal as _};

/// Every route of arrears.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new().routes(routes!(read_arrears)).routes(routes!(pay_account))
}

/// What is open on an account.
#[derive(Debug, Serialize, ToSchema)]
struct ArrearsAnswer {
    /// Send it with the payment.
    id: String,
    /// The open bills, oldest first, at most 60; each quote is a part of this price.
    bills: Vec<BillAnswer>,
    /// What all of them cost now.
    total: Amount,
    /// The late fees within it.
    late_fee: Amount,
    /// Whether a bill may be paid before those due before it.
    order: Order,
    #[schema(value_type = String, format = DateTime)]
    valid_until: Timestamp,
}

/// Ask what is open on an account
///
/// The open bills, oldest first, with what they cost together; the price stands until it runs out.
/// `nothing_open` where nothing is owed. The biller by its id (`blr_…`), or by that of its pack (`hz-power`).
#[utoipa::path(get, path = "/v1/billers/{id}/arrears", tag = "bill", security(("bearer" = [])),
    params(("id" = String, Path), AccountQuery),
    responses((status = 200, body = ArrearsAnswer), (status = "default", body = Problem)))]
async fn read_arrears(
    State(city): State<City>,
    _who: Resident,
    Path(id): Path<String>,
    Query(query): Query<AccountQuery>,
) -> Answer<Json<ArrearsAnswer>> {
    let found = super::arrears(&city, biller_named(&id)?, &query.account_no).await?;
    let currency = city.settings.currency;
    let amount = |minor| Amount { minor, currency };
    Ok(Json(ArrearsAnswer {
        id: found.id,
        bills: found.bills.into_iter().map(|view| BillAnswer::of(view, currency)).collect(),
        total: amount(found.total_minor),
        late_fee: amount(found.late_fee_minor),
        order: found.pack.spec.bills.order,
        valid_until: found.valid_until,
    }))
}

/// A wish to pay what is open on an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PayAccountRequest {
    /// The biller by its id (`blr_…`), or by that of its pack.
    #[schema(example = "hz-power")]
    biller: String,
    account_no: String,
    /// The id of the arrears.
    quote: String,
    /// All of it when absent. Whole bills, oldest first, and of the next what the biller takes as a payment of less.
    amount: Option<Amount>,
    /// Needed where the whole is above the no-PIN limit.
    pin: Option<String>,
    /// Your own id of this payment, 1 to 64 visible ASCII characters, where no `Idempotency-Key` gives
    /// it; the quote's when absent. Asking again with the same one is safe.
    request_id: Option<String>,
}

/// How the payment of several bills ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum AccountState {
    /// Everything that was asked for is paid.
    Settled,
    /// The biller has not answered for some of it yet.
    Pending,
    /// It stopped; what is listed is paid, the rest is not.
    Stopped,
}

/// Where it stopped.
#[derive(Debug, Serialize, ToSchema)]
struct StoppedAnswer {
    /// At which bill; absent where it is none of them.
    #[schema(value_type = Option<String>, example = "bil_01h2xcejqtf2nbrexx3vqjhp41")]
    bill: Option<BillId>,
    /// The stable code of the refusal.
    #[schema(example = "insufficient_balance")]
    code: &'static str,
    message: String,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
struct PaidAccountAnswer {
    state: AccountState,
    /// The payments, in order.
    payments: Vec<PaymentAnswer>,
    /// What they come to.
    paid: Amount,
    stopped: Option<StoppedAnswer>,
}

/// Pay what is open on an account
///
/// Oldest first, at the price of the arrears. Each bill is a payment of its own and final by itself; at the first refusal
/// the rest is left, and `stopped` says why. Asking again with the same key goes on there and pays nothing twice. A
/// refusal before anything is paid is a plain error. 202 where the biller has not answered for all of it yet.
#[utoipa::path(post, path = "/v1/bills/pay-account", tag = "bill", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header)), request_body = PayAccountRequest,
    responses((status = 200, body = PaidAccountAnswer), (status = 202, body = PaidAccountAnswer),
        (status = "default", body = Problem)))]
async fn pay_account(
    State(city): State<City>,
    who: Resident,
    headers: HeaderMap,
    Json(request): Json<PayAccountRequest>,
) -> Answer<impl IntoResponse> {
    let currency = city.settings.currency;
    if request.amount.is_some_and(|amount| amount.currency != currency) {
        return Err(BillError::AmountUnacceptable.into());
    }
    let biller: BillerId = biller_named(&request.biller)?;
    let key = headers.get("idempotency-key").map(|key| key.to_str().unwrap_or_default().to_owned());
    let wish = PayAccount {
        biller,
        account_no: request.account_no,
        quote: request.quote,
        amount_minor: request.amount.map(|amount| amount.minor),
        pin: request.pin,
        request_id: key.or(request.request_id),
    };
    let done = super::pay_account(&city, &who, wish).await?;
    let waits = done.paid.iter().any(|paid| paid.state == PayState::Pending);
    let state = match (&done.stopped, waits) {
        (Some(_), _) => AccountState::Stopped,
        (None, true) => AccountState::Pending,
        (None, false) => AccountState::Settled,
    };
    let minor = done.paid.iter().map(|paid| paid.settled.amount_minor).sum();
    let payment = |paid: &super::Paid| PaymentAnswer::of(&paid.settled, paid.state, paid.repeated, currency);
    let answer = PaidAccountAnswer {
        state,
        payments: done.paid.iter().map(payment).collect(),
        paid: Amount { minor, currency },
        stopped: done.stopped.map(|(bill, why)| StoppedAnswer {
            bill,
            code: why.code(),
            message: why.to_string(),
        }),
    };
    Ok((if waits { StatusCode::ACCEPTED } else { StatusCode::OK }, Json(answer)))
}
