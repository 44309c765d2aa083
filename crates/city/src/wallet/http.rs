//! Routes of the wallet.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use kernel::Timestamp;
use kernel::ids::PaymentId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Moved, Payee, WalletError, rules};
use crate::City;
use crate::http::{Amount, Answer, IdempotencyKey, Json, Page, Problem, Query, ledger_cursor};
use crate::identity::Resident;

/// Every route of the wallet.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(balance))
        .routes(routes!(history))
        .routes(routes!(payee))
        .routes(routes!(personal_code))
        .routes(routes!(personal_code_svg))
        .routes(routes!(transfer))
}

/// A wallet's money.
#[derive(Debug, Serialize, ToSchema)]
struct BalanceAnswer {
    /// Free to be spent.
    available: Amount,
    /// Held by payments that wait for a biller or a bank.
    held: Amount,
}

/// Read my balance
#[utoipa::path(get, path = "/v1/wallet", tag = "wallet", security(("bearer" = [])),
    responses((status = 200, body = BalanceAnswer), (status = "default", body = Problem)))]
async fn balance(State(city): State<City>, who: Resident) -> Answer<Json<BalanceAnswer>> {
    let balance = super::balance(&city, &who).await?;
    Ok(Json(BalanceAnswer { available: balance.available.into(), held: balance.held.into() }))
}

/// A movement in a wallet.
#[derive(Debug, Serialize, ToSchema)]
struct EntryAnswer {
    #[schema(value_type = String, example = "pay_01h2xcejqtf2nbrexx3vqjhp41")]
    id: PaymentId,
    /// `deposit`, `withdrawal`, `transfer`, `trade_payment`, `trade_refund`, `bill_payment`, `bill_refund`, `coupon`,
    /// `coupon_back`.
    kind: &'static str,
    /// `in` or `out`.
    direction: &'static str,
    amount: Amount,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// A page of movements, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct HistoryAnswer {
    items: Vec<EntryAnswer>,
    /// Cursor of the next page; absent on the last.
    next: Option<String>,
}

/// List my movements
///
/// Straight from the ledger, newest first.
#[utoipa::path(get, path = "/v1/wallet/history", tag = "wallet", security(("bearer" = [])), params(Page),
    responses((status = 200, body = HistoryAnswer), (status = "default", body = Problem)))]
async fn history(
    State(city): State<City>,
    who: Resident,
    Query(page): Query<Page>,
) -> Answer<Json<HistoryAnswer>> {
    let (entries, next) = super::history(&city, &who, ledger_cursor(&page)?, page.limit()).await?;
    let items = entries.into_iter().map(|e| EntryAnswer {
        id: e.payment,
        kind: e.kind,
        direction: if e.incoming { "in" } else { "out" },
        amount: e.amount.into(),
        at: e.at,
    });
    Ok(Json(HistoryAnswer { items: items.collect(), next: next.map(|t| t.to_string()) }))
}

/// Whom to look up.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct PayeeQuery {
    /// A phone number.
    phone: Option<String>,
    /// The text of a personal code.
    code: Option<String>,
}

/// Whom a transfer would go to.
#[derive(Debug, Serialize, ToSchema)]
struct PayeeAnswer {
    /// Masked: the last character stays.
    #[schema(example = "**明")]
    name: String,
    /// What the personal code asks for.
    amount: Option<Amount>,
}

/// Check a payee
///
/// The masked name behind a phone number or a personal code, to be confirmed before money is sent. After 20
/// unknown phone numbers in a day no phone number is told any more; personal codes are.
#[utoipa::path(get, path = "/v1/wallet/payee", tag = "wallet", security(("bearer" = [])), params(PayeeQuery),
    responses((status = 200, body = PayeeAnswer), (status = "default", body = Problem)))]
async fn payee(
    State(city): State<City>,
    who: Resident,
    Query(query): Query<PayeeQuery>,
) -> Answer<Json<PayeeAnswer>> {
    let (_, name, minor) = super::payee(&city, &who, &one_payee(query.phone, query.code)?).await?;
    let currency = city.settings.currency;
    Ok(Json(PayeeAnswer { name, amount: minor.map(|minor| Amount { minor, currency }) }))
}

fn one_payee(phone: Option<String>, code: Option<String>) -> Answer<Payee> {
    match (phone, code) {
        (Some(phone), None) => Ok(Payee::Phone(phone)),
        (None, Some(code)) => Ok(Payee::PersonalCode(code)),
        _ => Err(Problem::new(422, "payee_malformed", "name the payee by either `phone` or `code`")),
    }
}

/// What a personal code shall ask for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct PersonalCodeQuery {
    /// Minor units; absent lets the payer choose.
    amount: Option<i64>,
}

impl PersonalCodeQuery {
    /// The text of the code.
    fn text(&self, city: &City, who: &Resident) -> Answer<String> {
        let money = |minor| kernel::Money::new(minor, city.settings.currency);
        if self.amount.is_some_and(|minor| !rules::amount_acceptable(money(minor), city.settings.currency)) {
            return Err(WalletError::AmountUnacceptable.into());
        }
        Ok(rules::personal_code(who.id, self.amount))
    }
}

/// Draw my personal code
///
/// A QR code, SVG, that another resident scans to send me money.
#[utoipa::path(get, path = "/v1/wallet/personal-code.svg", tag = "wallet", security(("bearer" = [])),
    params(PersonalCodeQuery),
    responses((status = 200, content_type = "image/svg+xml", body = String), (status = "default", body = Problem)))]
async fn personal_code_svg(
    State(city): State<City>,
    who: Resident,
    Query(query): Query<PersonalCodeQuery>,
) -> Answer<impl IntoResponse> {
    let text = query.text(&city, &who)?;
    let svg = codes::draw::qr(&text, codes::draw::ErrorCorrection::Medium)
        .and_then(|symbol| symbol.to_svg(&codes::draw::Options::default()))
        .map_err(|e| Problem::new(422, e.code(), e.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], svg))
}

/// A personal code.
#[derive(Debug, Serialize, ToSchema)]
struct PersonalCodeAnswer {
    /// To be drawn as a QR code; whoever reads it may send money with `POST /v1/transfers`.
    #[schema(example = "yima:res_01h2xcejqtf2nbrexx3vqjhp41?amount=1250")]
    payload: String,
}

/// Read my personal code
///
/// Its text, for an app that draws it itself. The amount is minor units.
#[utoipa::path(get, path = "/v1/wallet/personal-code", tag = "wallet", security(("bearer" = [])),
    params(PersonalCodeQuery),
    responses((status = 200, body = PersonalCodeAnswer), (status = "default", body = Problem)))]
async fn personal_code(
    State(city): State<City>,
    who: Resident,
    Query(query): Query<PersonalCodeQuery>,
) -> Answer<Json<PersonalCodeAnswer>> {
    Ok(Json(PersonalCodeAnswer { payload: query.text(&city, &who)? }))
}

/// Money to another resident.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TransferRequest {
    /// The payee's phone number; or `code`.
    phone: Option<String>,
    /// The text of the payee's personal code; or `phone`.
    code: Option<String>,
    amount: Amount,
    /// Needed above the no-PIN limit.
    pin: Option<String>,
}

/// A movement that happened.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MovedAnswer {
    #[schema(value_type = String, example = "pay_01h2xcejqtf2nbrexx3vqjhp41")]
    id: PaymentId,
    amount: Amount,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Whether it had happened before this request.
    repeated: bool,
}

impl From<Moved> for MovedAnswer {
    fn from(m: Moved) -> MovedAnswer {
        MovedAnswer { id: m.payment, amount: m.amount.into(), at: m.at, repeated: m.repeated }
    }
}

/// Money that was sent.
#[derive(Debug, Serialize, ToSchema)]
struct TransferAnswer {
    /// Reads it again: `GET /v1/payments/{id}`.
    #[schema(value_type = String, example = "pay_01h2xcejqtf2nbrexx3vqjhp41")]
    id: PaymentId,
    /// Masked: the last character stays.
    #[schema(example = "**明")]
    payee_name: String,
    /// What the payer paid and the payee got: there is no fee.
    amount: Amount,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Whether it had happened before this request.
    repeated: bool,
}

/// Send money
///
/// To a phone number or a personal code. The same `Idempotency-Key` moves money once.
#[utoipa::path(post, path = "/v1/transfers", tag = "wallet", security(("bearer" = [])),
    params(("idempotency-key" = String, Header)), request_body = TransferRequest,
    responses((status = 200, body = TransferAnswer), (status = "default", body = Problem)))]
async fn transfer(
    State(city): State<City>,
    who: Resident,
    key: IdempotencyKey,
    Json(request): Json<TransferRequest>,
) -> Answer<Json<TransferAnswer>> {
    let to = one_payee(request.phone, request.code)?;
    let pin = request.pin.as_deref();
    // Asked before money moves: a name that cannot be had must not hide that it did.
    let (_, payee_name, _) = super::payee(&city, &who, &to).await?;
    let Moved { payment, amount, at, repeated } =
        super::transfer(&city, &who, &to, request.amount.into(), &key.0, pin).await?;
    Ok(Json(TransferAnswer { id: payment, payee_name, amount: amount.into(), at, repeated }))
}
