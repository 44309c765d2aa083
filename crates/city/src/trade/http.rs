//! Routes of trades.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use kernel::Timestamp;
use kernel::ids::{CampaignId, MerchantId, PaymentId, RefundId, TillId, TradeId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::pay::Charged;
use super::{Charge, Order, Paid, Pay, Precreate, Refund, Refunded, Status, Trade};
use crate::City;
use crate::coupon::http::UsedCoupon;
use crate::http::{Amount, Answer, IdempotencyKey, Json, Path, Problem};
use crate::identity::{Merchant, Resident};

/// Every route of trades.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(precreate))
        .routes(routes!(charge))
        .routes(routes!(pay))
        .routes(routes!(waiting))
        .routes(routes!(confirm))
        .routes(routes!(query))
        .routes(routes!(view))
        .routes(routes!(cancel))
        .routes(routes!(close))
        .routes(routes!(refund))
        .routes(routes!(refunds, refund_trade))
        .routes(routes!(statement))
        .merge(super::list::http::routes())
        .merge(super::payment::http::routes())
        .merge(super::reconcile::http::routes())
        .merge(super::scan::http::routes())
        .merge(super::takings::http::routes())
}

/// An order to be paid by scanning.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PrecreateRequest {
    /// The shop's own number, 1 to 64 visible ASCII characters: the idempotency key.
    #[schema(example = "A-20260302-0001")]
    order_no: String,
    amount: Amount,
    /// What is sold, at most 64 characters.
    #[schema(example = "豆浆 油条")]
    subject: Option<String>,
    #[schema(value_type = Option<String>)]
    till: Option<TillId>,
    /// 10 to 86400; 900 when absent.
    expires_in_s: Option<u64>,
}

/// An order and its QR code.
#[derive(Debug, Serialize, ToSchema)]
struct PrecreateAnswer {
    #[schema(value_type = String, example = "trd_01h2xcejqtf2nbrexx3vqjhp41")]
    trade: TradeId,
    order_no: String,
    amount: Amount,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// EMVCo merchant-presented payload: draw it as a QR code.
    qr: String,
}

/// Make an order
///
/// With the text of its dynamic QR code. The same order again is answered again.
#[utoipa::path(post, path = "/v1/trades", tag = "trade", security(("bearer" = [])),
    request_body = PrecreateRequest,
    responses((status = 200, body = PrecreateAnswer), (status = "default", body = Problem)))]
async fn precreate(
    State(city): State<City>,
    who: Merchant,
    Json(request): Json<PrecreateRequest>,
) -> Answer<Json<PrecreateAnswer>> {
    let request = Precreate {
        order_no: request.order_no,
        amount: request.amount.into(),
        subject: request.subject,
        till: request.till,
        expires_in_s: request.expires_in_s,
    };
    let made = super::precreate(&city, &who, request).await?;
    let amount = Amount { minor: made.order.amount_minor, currency: city.settings.currency };
    Ok(Json(PrecreateAnswer {
        trade: made.order.id,
        order_no: made.order.order_no,
        amount,
        expires_at: made.order.expires_at,
        qr: made.qr,
    }))
}

/// A payment code that a till scanned.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChargeRequest {
    /// The shop's own number, 1 to 64 visible ASCII characters: the idempotency key.
    #[schema(example = "A-20260302-0002")]
    order_no: String,
    amount: Amount,
    /// What is sold, at most 64 characters.
    subject: Option<String>,
    #[schema(value_type = Option<String>)]
    till: Option<TillId>,
    /// The payer's 18 digits.
    #[schema(example = "810000000000000000")]
    payment_code: String,
}

/// What became of a charge.
#[derive(Debug, Serialize, ToSchema)]
struct ChargeAnswer {
    #[schema(value_type = String, example = "trd_01h2xcejqtf2nbrexx3vqjhp41")]
    trade: TradeId,
    /// `paid` or `waiting`.
    status: Status,
    amount: Amount,
    /// When it was paid.
    #[schema(value_type = Option<String>, format = DateTime)]
    paid_at: Option<Timestamp>,
    /// Until when it waits for the payer's PIN.
    #[schema(value_type = Option<String>, format = DateTime)]
    waits_until: Option<Timestamp>,
}

/// Charge a payer
///
/// By the payment code the till scanned. Up to the no-PIN limit it is paid at once; above it the
/// trade waits for the payer's PIN: query it. The code is used up, whatever comes of it.
#[utoipa::path(post, path = "/v1/charges", tag = "trade", security(("bearer" = [])),
    request_body = ChargeRequest,
    responses((status = 200, body = ChargeAnswer), (status = "default", body = Problem)))]
async fn charge(
    State(city): State<City>,
    who: Merchant,
    Json(request): Json<ChargeRequest>,
) -> Answer<Json<ChargeAnswer>> {
    let amount = request.amount;
    let request = Charge {
        order_no: request.order_no,
        amount: amount.into(),
        subject: request.subject,
        till: request.till,
        payment_code: request.payment_code,
    };
    Ok(Json(match super::charge(&city, &who, request).await? {
        Charged::Paid(paid) => ChargeAnswer {
            trade: paid.trade,
            status: Status::Paid,
            amount,
            paid_at: Some(paid.at),
            waits_until: None,
        },
        Charged::Waiting(order) => ChargeAnswer {
            trade: order.id,
            status: Status::Waiting,
            amount,
            paid_at: None,
            waits_until: Some(order.expires_at),
        },
    }))
}

/// A scanned shop code to be paid.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PayRequest {
    /// The text of the shop's QR code, as scanned.
    code: String,
    /// Needed at a poster.
    amount: Option<Amount>,
    /// Needed above the no-PIN limit.
    pin: Option<String>,
    /// To be used: one of `GET /v1/coupons`.
    #[schema(value_type = Option<String>, example = "cpn_01h2xcejqtf2nbrexx3vqjhp41")]
    coupon: Option<CampaignId>,
}

/// A payment that happened.
#[derive(Debug, Serialize, ToSchema)]
struct PaidAnswer {
    /// Reads it again: `GET /v1/payments/{id}`.
    #[schema(value_type = String, example = "pay_01h2xcejqtf2nbrexx3vqjhp41")]
    id: PaymentId,
    #[schema(value_type = String, example = "trd_01h2xcejqtf2nbrexx3vqjhp41")]
    trade: TradeId,
    #[schema(value_type = String, example = "mch_01h2xcejqtf2nbrexx3vqjhp41")]
    merchant: MerchantId,
    /// The shop's name.
    #[schema(example = "西湖面馆")]
    payee_name: String,
    /// What the shop was paid: payers pay no fee.
    amount: Amount,
    /// What of it the payer paid himself.
    payer_paid: Amount,
    /// What of it a coupon paid.
    coupon: Option<UsedCoupon>,
    #[schema(value_type = String, format = DateTime)]
    paid_at: Timestamp,
    /// Whether it had happened before this request.
    repeated: bool,
}

impl PaidAnswer {
    /// The shop is in memory: it was just paid.
    async fn of(city: &City, paid: Paid) -> Answer<PaidAnswer> {
        let shop = crate::merchant::get(city, paid.merchant).await?;
        Ok(PaidAnswer {
            id: paid.payment,
            trade: paid.trade,
            merchant: paid.merchant,
            payee_name: shop.name.clone(),
            amount: paid.amount.into(),
            payer_paid: Amount {
                minor: paid.amount.minor - paid.coupon.map_or(0, |used| used.discount.minor),
                currency: paid.amount.currency,
            },
            coupon: UsedCoupon::of(city, paid.coupon).await?,
            paid_at: paid.at,
            repeated: paid.repeated,
        })
    }
}

/// Pay a shop's code
///
/// A poster or an order's QR code. The same `Idempotency-Key` pays once. With a `coupon` the city pays its part in the
/// same moment; where the payment is refused, the coupon is not used.
#[utoipa::path(post, path = "/v1/payments", tag = "trade", security(("bearer" = [])),
    params(("idempotency-key" = String, Header)), request_body = PayRequest,
    responses((status = 200, body = PaidAnswer), (status = "default", body = Problem)))]
async fn pay(
    State(city): State<City>,
    who: Resident,
    key: IdempotencyKey,
    Json(request): Json<PayRequest>,
) -> Answer<Json<PaidAnswer>> {
    let amount = request.amount.map(Into::into);
    let PayRequest { code, pin, coupon, .. } = request;
    let request = Pay { code, amount, pin, coupon, key: key.0 };
    let paid = super::pay(&city, &who, request).await?;
    Ok(Json(PaidAnswer::of(&city, paid).await?))
}

/// A charge that waits for its payer's PIN.
#[derive(Debug, Serialize, ToSchema)]
struct WaitingAnswer {
    #[schema(value_type = String, example = "trd_01h2xcejqtf2nbrexx3vqjhp41")]
    trade: TradeId,
    merchant_name: String,
    amount: Amount,
    subject: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    waits_until: Timestamp,
}

/// List what waits for my PIN
#[utoipa::path(get, path = "/v1/payments/waiting", tag = "trade", security(("bearer" = [])),
    responses((status = 200, body = Vec<WaitingAnswer>), (status = "default", body = Problem)))]
async fn waiting(State(city): State<City>, who: Resident) -> Answer<Json<Vec<WaitingAnswer>>> {
    let mut answer = Vec::new();
    for Order { id, merchant, amount_minor, subject, expires_at, .. } in super::waiting(&city, &who).await? {
        let merchant_name = crate::merchant::get(&city, merchant).await?.name.clone();
        let amount = Amount { minor: amount_minor, currency: city.settings.currency };
        answer.push(WaitingAnswer { trade: id, merchant_name, amount, subject, waits_until: expires_at });
    }
    Ok(Json(answer))
}

/// The payer's PIN.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ConfirmRequest {
    pin: String,
}

/// Confirm a charge
///
/// With the PIN: pays what waits for it.
#[utoipa::path(post, path = "/v1/payments/waiting/{trade}/confirm", tag = "trade", security(("bearer" = [])),
    params(("trade" = String, Path, description = "trd_…")), request_body = ConfirmRequest,
    responses((status = 200, body = PaidAnswer), (status = "default", body = Problem)))]
async fn confirm(
    State(city): State<City>,
    who: Resident,
    Path(trade): Path<TradeId>,
    Json(request): Json<ConfirmRequest>,
) -> Answer<Json<PaidAnswer>> {
    let paid = super::confirm(&city, &who, trade, &request.pin).await?;
    Ok(Json(PaidAnswer::of(&city, paid).await?))
}

/// A trade as its shop sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TradeAnswer {
    #[schema(value_type = String, example = "trd_01h2xcejqtf2nbrexx3vqjhp41")]
    trade: TradeId,
    order_no: Option<String>,
    status: Status,
    /// Absent for a trade that was closed before anybody knew it.
    amount: Option<Amount>,
    refunded: Amount,
    fee: Amount,
    #[schema(value_type = Option<String>, format = DateTime)]
    paid_at: Option<Timestamp>,
    /// Absent at a poster, and for a trade that was closed before anybody knew it.
    #[schema(value_type = Option<String>, format = DateTime)]
    ordered_at: Option<Timestamp>,
    subject: Option<String>,
    #[schema(value_type = Option<String>)]
    till: Option<TillId>,
}

impl From<Trade> for TradeAnswer {
    fn from(t: Trade) -> TradeAnswer {
        TradeAnswer {
            trade: t.id,
            order_no: t.order_no,
            status: t.status,
            amount: t.amount.map(Into::into),
            refunded: t.refunded.into(),
            fee: t.fee.into(),
            paid_at: t.paid_at,
            ordered_at: t.ordered_at,
            subject: t.subject,
            till: t.till,
        }
    }
}

/// Query by order number
///
/// Safe at any moment; the ledger answers.
#[utoipa::path(get, path = "/v1/orders/{order_no}", tag = "trade", security(("bearer" = [])),
    params(("order_no" = String, Path, description = "the shop's own number")),
    responses((status = 200, body = TradeAnswer), (status = "default", body = Problem)))]
async fn query(
    State(city): State<City>,
    who: Merchant,
    Path(order_no): Path<String>,
) -> Answer<Json<TradeAnswer>> {
    Ok(Json(super::query(&city, &who, &order_no).await?.into()))
}

/// Query by trade id
///
/// Also for what was paid at a poster.
#[utoipa::path(get, path = "/v1/trades/{trade}", tag = "trade", security(("bearer" = [])),
    params(("trade" = String, Path, description = "trd_…")),
    responses((status = 200, body = TradeAnswer), (status = "default", body = Problem)))]
async fn view(
    State(city): State<City>,
    who: Merchant,
    Path(trade): Path<TradeId>,
) -> Answer<Json<TradeAnswer>> {
    Ok(Json(super::view(&city, &who, trade).await?.into()))
}

/// Cancel
///
/// In whatever state, also a trade nobody knows: unpaid it can never be paid after this, paid it is
/// refunded in full. Safe to ask again.
#[utoipa::path(post, path = "/v1/orders/{order_no}/cancel", tag = "trade", security(("bearer" = [])),
    params(("order_no" = String, Path, description = "the shop's own number")),
    responses((status = 200, body = TradeAnswer), (status = "default", body = Problem)))]
async fn cancel(
    State(city): State<City>,
    who: Merchant,
    Path(order_no): Path<String>,
) -> Answer<Json<TradeAnswer>> {
    Ok(Json(super::cancel(&city, &who, &order_no).await?.into()))
}

/// Close an unpaid order
///
/// Refused as `trade_already_paid` when it was paid.
#[utoipa::path(post, path = "/v1/orders/{order_no}/close", tag = "trade", security(("bearer" = [])),
    params(("order_no" = String, Path, description = "the shop's own number")),
    responses((status = 200, body = TradeAnswer), (status = "default", body = Problem)))]
async fn close(
    State(city): State<City>,
    who: Merchant,
    Path(order_no): Path<String>,
) -> Answer<Json<TradeAnswer>> {
    Ok(Json(super::close(&city, &who, &order_no).await?.into()))
}

/// Money to give back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefundRequest {
    /// The shop's own number of the refund: the idempotency key.
    #[schema(example = "R-1")]
    refund_no: String,
    amount: Amount,
}

/// A refund that happened.
#[derive(Debug, Serialize, ToSchema)]
struct RefundAnswer {
    #[schema(value_type = String, example = "rfd_01h2xcejqtf2nbrexx3vqjhp41")]
    refund: RefundId,
    #[schema(value_type = String, example = "trd_01h2xcejqtf2nbrexx3vqjhp41")]
    trade: TradeId,
    amount: Amount,
    /// The fee's share that the shop got back.
    fee_back: Amount,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Whether it had happened before this request.
    repeated: bool,
}

impl From<Refunded> for RefundAnswer {
    fn from(r: Refunded) -> RefundAnswer {
        RefundAnswer {
            refund: r.refund,
            trade: r.trade,
            amount: r.amount.into(),
            fee_back: r.fee_back.into(),
            at: r.at,
            repeated: r.repeated,
        }
    }
}

/// Refund by order number
///
/// In whole or in part, as often as there is something left.
#[utoipa::path(post, path = "/v1/orders/{order_no}/refunds", tag = "trade", security(("bearer" = [])),
    params(("order_no" = String, Path, description = "the shop's own number")), request_body = RefundRequest,
    responses((status = 200, body = RefundAnswer), (status = "default", body = Problem)))]
async fn refund(
    State(city): State<City>,
    who: Merchant,
    Path(order_no): Path<String>,
    Json(request): Json<RefundRequest>,
) -> Answer<Json<RefundAnswer>> {
    let refund = Refund { order_no, refund_no: request.refund_no, amount: request.amount.into() };
    Ok(Json(super::refund(&city, &who, refund).await?.into()))
}

/// A refund of a trade.
#[derive(Debug, Serialize, ToSchema)]
struct RefundEntry {
    #[schema(value_type = String, example = "rfd_01h2xcejqtf2nbrexx3vqjhp41")]
    refund: RefundId,
    amount: Amount,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// List a trade's refunds
///
/// Oldest first.
#[utoipa::path(get, path = "/v1/trades/{trade}/refunds", tag = "trade", security(("bearer" = [])),
    params(("trade" = String, Path, description = "trd_…")),
    responses((status = 200, body = Vec<RefundEntry>), (status = "default", body = Problem)))]
async fn refunds(
    State(city): State<City>,
    who: Merchant,
    Path(trade): Path<TradeId>,
) -> Answer<Json<Vec<RefundEntry>>> {
    let refunds = super::refund::list(&city, &who, trade).await?;
    let entries =
        refunds.into_iter().map(|(refund, amount, at)| RefundEntry { refund, amount: amount.into(), at });
    Ok(Json(entries.collect()))
}

/// Refund by trade id
///
/// Also for what was paid at a poster.
#[utoipa::path(post, path = "/v1/trades/{trade}/refunds", tag = "trade", security(("bearer" = [])),
    params(("trade" = String, Path, description = "trd_…")), request_body = RefundRequest,
    responses((status = 200, body = RefundAnswer), (status = "default", body = Problem)))]
async fn refund_trade(
    State(city): State<City>,
    who: Merchant,
    Path(trade): Path<TradeId>,
    Json(request): Json<RefundRequest>,
) -> Answer<Json<RefundAnswer>> {
    let amount = request.amount.into();
    Ok(Json(super::refund::refund_trade(&city, &who, trade, &request.refund_no, amount).await?.into()))
}

/// Read a day's statement
///
/// CSV in UTF-8, closed by a totals line; made when the day is over, and the same bytes ever after.
#[utoipa::path(get, path = "/v1/merchants/me/statements/{day}", tag = "merchant", security(("bearer" = [])),
    params(("day" = String, Path, description = "`2026-03-02`")),
    responses((status = 200, content_type = "text/csv", body = String), (status = "default", body = Problem)))]
async fn statement(State(city): State<City>, who: Merchant, Path(day): Path<String>) -> Answer<Response> {
    let day = crate::http::day(&day)?;
    let csv = super::statement::statement(&city, &who, day).await?;
    let disposition = format!("attachment; filename=\"statement-{day}.csv\"");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((StatusCode::OK, headers, csv).into_response())
}
