//! What all routes share: problem details (RFC 9457), amounts, cursors, JSON that names what is wrong.

use std::ops::Range;
use std::pin::Pin;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use kernel::{Currency, Date, Money, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{City, Refusal};

/// The body of every error, `application/problem+json`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    #[schema(example = 409)]
    pub status: u16,
    /// Stable and made for programs.
    #[schema(example = "insufficient_balance")]
    pub code: String,
    /// One sentence for people.
    #[schema(example = "the balance does not cover the amount")]
    pub detail: String,
}

impl Problem {
    /// A problem from its parts.
    pub fn new(status: u16, code: &str, detail: impl Into<String>) -> Problem {
        Problem { status, code: code.to_owned(), detail: detail.into() }
    }
}

impl<E: Refusal> From<E> for Problem {
    fn from(error: E) -> Problem {
        if error.status() >= 500 {
            // What broke inside is for the operator's log; the client learns the code only.
            tracing::error!(code = error.code(), %error, "request failed");
            let detail = match error.status() {
                // The one failure whose outcome is known.
                507 => "the ledger has no room: no money was moved; ask again later with the same id",
                _ => "the service could not do this now; asking again with the same id is safe",
            };
            return Problem::new(error.status(), error.code(), detail);
        }
        Problem::new(error.status(), error.code(), error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        response.extensions_mut().insert(ProblemCode(self.code));
        response
    }
}

/// The code of the problem that an answer tells of, among its extensions: for whoever counts refusals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProblemCode(pub String);

/// The result of a handler.
pub type Answer<T> = Result<T, Problem>;

/// A JSON body; what does not parse is refused as `malformed_body` with the place and the reason.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match <axum::Json<T> as FromRequest<S>>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Json(value)),
            Err(JsonRejection::BytesRejection(e)) if e.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(BrokenBody::TooLarge.into())
            }
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(Problem::new(415, "not_json", "send `content-type: application/json`"))
            }
            Err(e) => Err(Problem::new(400, "malformed_body", e.body_text())),
        }
    }
}

/// A body that may be absent: then there is no `content-type` either.
impl<S: Send + Sync, T: DeserializeOwned> OptionalFromRequest<S> for Json<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Problem> {
        if !request.headers().contains_key(header::CONTENT_TYPE) {
            return Ok(None);
        }
        <Json<T> as FromRequest<S>>::from_request(request, state).await.map(Some)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// The query string; refused as `malformed_query`.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Query::<T>::from_request_parts(parts, state)
            .await
            .map(|q| Query(q.0))
            .map_err(|e: QueryRejection| Problem::new(400, "malformed_query", e.body_text()))
    }
}

/// A path parameter; refused as `malformed_id`.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Path::<T>::from_request_parts(parts, state).await.map(|p| Path(p.0)).map_err(|e| {
            let detail = e.body_text();
            Problem::new(400, "malformed_id", detail.strip_prefix("Invalid URL: ").unwrap_or(&detail))
        })
    }
}

/// A request body, piece by piece, with an end: for what is too large to be in memory.
#[derive(Debug)]
pub struct Pieces {
    body: Body,
    left: u64,
}

/// Why a body has no next piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokenBody {
    /// It is larger than the route accepts.
    TooLarge,
    /// The sender went away.
    BrokeOff,
}

impl From<BrokenBody> for Problem {
    fn from(broken: BrokenBody) -> Problem {
        match broken {
            BrokenBody::TooLarge => {
                Problem::new(413, "body_too_large", "the body is larger than this route accepts")
            }
            BrokenBody::BrokeOff => Problem::new(400, "malformed_body", "the body broke off"),
        }
    }
}

impl Pieces {
    /// The pieces of a body of at most `max` bytes.
    pub fn of(body: Body, max: u64) -> Pieces {
        Pieces { body, left: max }
    }

    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, BrokenBody>> {
        loop {
            let frame = std::future::poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx)).await?;
            let Ok(frame) = frame else { return Some(Err(BrokenBody::BrokeOff)) };
            let Ok(data) = frame.into_data() else { continue };
            let Some(left) = self.left.checked_sub(data.len() as u64) else {
                return Some(Err(BrokenBody::TooLarge));
            };
            self.left = left;
            return Some(Ok(data));
        }
    }
}

/// An amount on the wire: integer minor units and the ISO 4217 currency.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// Minor units, `1250` for ¥12.50.
    #[schema(example = 1250)]
    pub minor: i64,
    /// ISO 4217 alphabetic code.
    #[schema(value_type = String, example = "CNY")]
    pub currency: Currency,
}

impl From<Money> for Amount {
    fn from(money: Money) -> Amount {
        Amount { minor: money.minor, currency: money.currency }
    }
}

impl From<Amount> for Money {
    fn from(amount: Amount) -> Money {
        Money::new(amount.minor, amount.currency)
    }
}

/// How every list is paged: pass `next` of the last page as `cursor`.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// `next` of the page before; absent for the first.
    pub cursor: Option<String>,
    /// How many, 1 to 200; 50 when absent.
    pub limit: Option<u32>,
}

impl Page {
    /// The number of rows asked for, within bounds.
    pub fn limit(&self) -> u32 {
        self.limit.unwrap_or(50).clamp(1, 200)
    }
}

/// The `Idempotency-Key` header: 1 to 64 visible ASCII characters, required. The payment's id is
/// derived from it and from who asks, so sending a request again is safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(pub String);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .headers
            .get("idempotency-key")
            .and_then(|value| value.to_str().ok())
            .filter(|key| (1..=64).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()))
            .map(|key| IdempotencyKey(key.to_owned()))
            .ok_or_else(|| crate::wallet::WalletError::KeyMissing.into())
    }
}

/// A day as it is written everywhere, `2026-03-02`.
pub fn day(text: &str) -> Answer<Date> {
    text.parse().map_err(|_| Problem::new(400, "malformed_day", "a day is written like 2026-03-02"))
}

/// The instants of the local days from `from` to `to`, both included; without an end where there is none.
pub fn days(city: &City, from: Option<&str>, to: Option<&str>) -> Answer<Range<Timestamp>> {
    let (from, to) = (from.map(day).transpose()?, to.map(day).transpose()?);
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(Problem::new(422, "days_unacceptable", "`from` is after `to`"));
    }
    let start = |day: Date| Timestamp::start_of(day, city.settings.offset);
    let end = to.and_then(|day| day.tomorrow().ok());
    Ok(from.map_or(Timestamp::from_nanos(0), start)..end.map_or(Timestamp::from_nanos(i64::MAX), start))
}

/// The cursor of a list that is ordered by ledger time.
pub fn ledger_cursor(page: &Page) -> Answer<Option<u64>> {
    let malformed = |_| Problem::new(400, "malformed_cursor", "pass `next` of the page before, unchanged");
    page.cursor.as_deref().map(|text| text.parse().map_err(malformed)).transpose()
}
