//! Routes of signing in and out in a browser. The token is in the cookie and nowhere else: no answer has it.

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse};
use kernel::ids::TillId;
use kernel::{Currency, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Current;
use crate::City;
use crate::http::{Amount, Answer, Json, Problem, Query};
use crate::identity::passkey::http::{PasskeyAssertion, PasskeySignInRequest, assertion};
use crate::identity::session::http::{cookie, guard, same_origin};
use crate::identity::session::{self, App, rules};
use crate::identity::{self, IdentityError, Role, passkey};

/// Every route of browser sessions.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(open_session, read_session, end_session))
        .routes(routes!(passkey_session_options))
        .routes(routes!(open_passkey_session))
}

/// How somebody signs in.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "as", rename_all = "snake_case", deny_unknown_fields)]
enum SessionRequest {
    /// A resident, by phone and one-time code (`POST /v1/sign-in/code`).
    Resident {
        /// The phone the code was sent to.
        #[schema(example = "13800001111")]
        phone: String,
        /// The six digits.
        #[schema(example = "042137")]
        code: String,
        /// For who comes the first time.
        #[schema(example = "王小明")]
        name: Option<String>,
    },
    /// A shop, by one of its API keys.
    Merchant {
        /// The key's secret, `ymk_…`.
        key: String,
    },
    /// An operator, by API key.
    Operator {
        /// The key's secret, `yok_…`.
        key: String,
    },
}

/// Who is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WhoAnswer {
    /// `res_…`, `mch_…` or `opr_…`.
    #[schema(example = "mch_01h2xcejqtf2nbrexx3vqjhp41")]
    id: String,
    /// Of the resident, the shop, the operator.
    #[schema(example = "西湖面馆")]
    name: String,
    /// What the key may do that opened the session; null for residents.
    role: Option<Role>,
    /// The till that the shop's key belongs to, if to one.
    #[schema(value_type = Option<String>)]
    till: Option<TillId>,
}

/// What a page must know of the city to show its money and days.
#[derive(Debug, Serialize, ToSchema)]
struct SessionCityAnswer {
    /// ISO 4217.
    #[schema(value_type = String, example = "CNY")]
    currency: Currency,
    /// Seconds east of UTC: where the city's days begin.
    #[schema(example = 28800)]
    utc_offset_s: i32,
    /// Above it money takes two operators; null for others.
    four_eyes_limit: Option<Amount>,
}

/// A session in a browser; its token is in the cookie alone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionAnswer {
    /// Send as `yima-csrf` with every request by cookie other than GET and HEAD.
    csrf: String,
    /// When the session ends by itself.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    #[serde(rename = "as")]
    app: App,
    who: WhoAnswer,
    city: SessionCityAnswer,
}

impl SessionAnswer {
    fn new(city: &City, token: &str, current: Current) -> SessionAnswer {
        let Current { app, expires_at, who } = current;
        let who = WhoAnswer { id: who.id, name: who.name, role: who.role, till: who.till };
        let (settings, currency) = (&city.settings, city.settings.currency);
        let limit = Amount { minor: settings.four_eyes_limit_minor, currency };
        let city = SessionCityAnswer {
            currency,
            utc_offset_s: settings.offset.seconds(),
            four_eyes_limit: (app == App::Operator).then_some(limit),
        };
        SessionAnswer { csrf: rules::csrf(token), expires_at, app, who, city }
    }
}

/// The answer to whoever just signed in. The session that the browser had before ends.
pub(crate) async fn opened(
    city: &City,
    app: App,
    token: &str,
    headers: &HeaderMap,
) -> Answer<impl IntoResponse + use<>> {
    let current = super::current(city, app, token).await?;
    if let Some(old) = cookie(headers, app) {
        session::end(city, app, old).await?;
    }
    let set = rules::set_cookie(app, token, rules::ttl_s(app));
    Ok((AppendHeaders([(header::SET_COOKIE, set)]), Json(SessionAnswer::new(city, token, current))))
}

/// Sign in in a browser
///
/// Sets a cookie that page scripts cannot read and that is sent to this server only: `__Host-yima-resident`,
/// `-merchant` or `-operator`, so one browser may be all three. A resident's session lives 30 days, a shop's 30 days,
/// an operator's 12 hours; that of a key ends with the key.
#[utoipa::path(post, path = "/v1/session", tag = "identity", request_body = SessionRequest,
    responses((status = 200, body = SessionAnswer, headers(("set-cookie" = String, description = "the session"))),
        (status = "default", body = Problem)))]
async fn open_session(
    State(city): State<City>,
    headers: HeaderMap,
    Json(request): Json<SessionRequest>,
) -> Answer<impl IntoResponse> {
    same_origin(&headers)?;
    let (app, token) = match request {
        SessionRequest::Resident { phone, code, name } => {
            let signed = identity::sign_in(&city, &phone, &code, name.as_deref()).await?;
            (App::Resident, signed.token)
        }
        SessionRequest::Merchant { key } => by_key(&city, App::Merchant, &key).await?,
        SessionRequest::Operator { key } => by_key(&city, App::Operator, &key).await?,
    };
    opened(&city, app, &token, &headers).await
}

async fn by_key(city: &City, app: App, key: &str) -> Answer<(App, String)> {
    Ok((app, session::open_by_key(city, app, key.trim()).await?.0.token))
}

/// Begin signing in by passkey
///
/// The challenge is good for 5 minutes and one answer. It names no passkey: the browser offers what it has.
#[utoipa::path(post, path = "/v1/session/passkey/options", tag = "identity",
    responses((status = 200, body = PasskeyAssertion), (status = "default", body = Problem)))]
async fn passkey_session_options(
    State(city): State<City>,
    headers: HeaderMap,
) -> Answer<Json<PasskeyAssertion>> {
    same_origin(&headers)?;
    Ok(Json(assertion(&city).await?))
}

/// Sign in by passkey
///
/// What `navigator.credentials.get` gave. Answers, and sets the cookie, as `POST /v1/session` does for a resident.
/// Whatever comes of it, its challenge is used up.
#[utoipa::path(post, path = "/v1/session/passkey", tag = "identity", request_body = PasskeySignInRequest,
    responses((status = 200, body = SessionAnswer, headers(("set-cookie" = String, description = "the session"))),
        (status = "default", body = Problem)))]
async fn open_passkey_session(
    State(city): State<City>,
    headers: HeaderMap,
    Json(request): Json<PasskeySignInRequest>,
) -> Answer<impl IntoResponse> {
    same_origin(&headers)?;
    let session = passkey::sign_in(&city, request.read()?).await?;
    opened(&city, App::Resident, &session.token, &headers).await
}

/// Which of a browser's sessions.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct SessionQuery {
    /// Whose app asks.
    #[serde(rename = "as")]
    #[param(inline)]
    app: App,
}

/// Read my browser's session
///
/// A page that was just loaded learns here who is signed in, and the CSRF token. By cookie only.
#[utoipa::path(get, path = "/v1/session", tag = "identity", params(SessionQuery),
    responses((status = 200, body = SessionAnswer), (status = "default", body = Problem)))]
async fn read_session(
    State(city): State<City>,
    headers: HeaderMap,
    Query(query): Query<SessionQuery>,
) -> Answer<Json<SessionAnswer>> {
    let token = cookie(&headers, query.app).ok_or(IdentityError::Unauthenticated)?;
    Ok(Json(SessionAnswer::new(&city, token, super::current(&city, query.app, token).await?)))
}

/// Sign out in a browser
///
/// Ends the session and has the browser forget its cookie. Without a live session only the latter.
#[utoipa::path(delete, path = "/v1/session", tag = "identity",
    params(SessionQuery, ("yima-csrf" = Option<String>, Header, description = "`csrf` of the session")),
    responses((status = 204, description = "signed out", headers(("set-cookie" = String, description = "forget it"))),
        (status = "default", body = Problem)))]
async fn end_session(
    State(city): State<City>,
    method: Method,
    headers: HeaderMap,
    Query(query): Query<SessionQuery>,
) -> Answer<impl IntoResponse> {
    if let Some(token) = cookie(&headers, query.app) {
        match session::find(&city, query.app, token).await {
            Ok(_) => {
                guard(&method, &headers, token)?;
                session::end(&city, query.app, token).await?;
            }
            Err(IdentityError::Unauthenticated) => {}
            Err(e) => return Err(e.into()),
        }
    }
    let forget = rules::set_cookie(query.app, "", 0);
    Ok((StatusCode::NO_CONTENT, AppendHeaders([(header::SET_COOKIE, forget)])))
}
