//! How a request proves whose it is: by bearer token or key, else by the cookie of its app's session. These
//! extractors are what makes authorization an argument type.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};

use super::{App, Holder, find, rules};
use crate::http::Problem;
use crate::identity::{
    Biller, Collector, IdentityError, Key, Merchant, Operator, Resident, authenticate_biller,
    authenticate_collector, authenticate_merchant, authenticate_operator, authenticate_resident,
};
use crate::{City, Refusal as _};

/// The header of a session's CSRF token.
const CSRF: &str = "yima-csrf";

/// The bearer token of a request. The scheme's case does not matter (RFC 9110 section 11.1).
fn bearer(headers: &HeaderMap) -> Result<&str, IdentityError> {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token)
        .ok_or(IdentityError::Unauthenticated)
}

/// The token in the cookie of this app.
pub fn cookie(headers: &HeaderMap, app: App) -> Option<&str> {
    // One by one: a neighbour's cookie that is no text must not hide ours.
    let sent =
        headers.get_all(header::COOKIE).into_iter().flat_map(|value| value.as_bytes().split(|b| *b == b';'));
    let mut sent = sent.filter_map(|one| std::str::from_utf8(one).ok());
    sent.find_map(|one| rules::cookie_value(one, rules::cookie_name(app)))
}

/// Refuses a request that another site's page made, where the browser says so (W3C Fetch Metadata).
pub fn same_origin(headers: &HeaderMap) -> Result<(), IdentityError> {
    match headers.get("sec-fetch-site") {
        Some(site) if site != "same-origin" => Err(IdentityError::Csrf),
        _ => Ok(()),
    }
}

/// Refuses what may change something unless our own page asks for it.
pub fn guard(method: &Method, headers: &HeaderMap, token: &str) -> Result<(), IdentityError> {
    if [Method::GET, Method::HEAD].contains(method) {
        // Reading writes too: a look-up its entry, a list the closing of what has expired. A sibling's page may not cause it.
        let site = headers.get("sec-fetch-site");
        let foreign = site.is_some_and(|site| site == "cross-site" || site == "same-site");
        return if foreign { Err(IdentityError::Csrf) } else { Ok(()) };
    }
    same_origin(headers)?;
    let sent = headers.get(CSRF).and_then(|value| value.to_str().ok());
    if sent.is_some_and(|sent| rules::csrf_holds(token, sent)) { Ok(()) } else { Err(IdentityError::Csrf) }
}

/// How a request says whose it is.
enum Proof<'a> {
    Bearer(&'a str),
    Cookie(&'a str),
}

/// A request with an `authorization` header means it: its cookies are not looked at.
fn proof(parts: &Parts, app: App) -> Result<Proof<'_>, IdentityError> {
    if parts.headers.contains_key(header::AUTHORIZATION) {
        return bearer(&parts.headers).map(Proof::Bearer);
    }
    cookie(&parts.headers, app).map(Proof::Cookie).ok_or(IdentityError::Unauthenticated)
}

async fn holder(city: &City, parts: &Parts, app: App, token: &str) -> Result<Holder, IdentityError> {
    let (holder, _) = find(city, app, token).await?;
    guard(&parts.method, &parts.headers, token)?;
    Ok(holder)
}

async fn key(city: &City, parts: &Parts, app: App, token: &str) -> Result<Key, IdentityError> {
    match holder(city, parts, app, token).await? {
        Holder::Key(key) => Ok(key),
        Holder::Resident(_) => Err(IdentityError::Unauthenticated),
    }
}

impl FromRequestParts<City> for Resident {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, city: &City) -> Result<Self, Problem> {
        match proof(parts, App::Resident)? {
            Proof::Bearer(token) => Ok(authenticate_resident(city, token).await?),
            Proof::Cookie(token) => match holder(city, parts, App::Resident, token).await? {
                Holder::Resident(resident) => Ok(resident),
                Holder::Key(_) => Err(IdentityError::Unauthenticated.into()),
            },
        }
    }
}

impl FromRequestParts<City> for Merchant {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, city: &City) -> Result<Self, Problem> {
        match proof(parts, App::Merchant)? {
            Proof::Bearer(secret) => Ok(authenticate_merchant(city, secret).await?),
            Proof::Cookie(token) => Ok(Merchant::by(&key(city, parts, App::Merchant, token).await?)),
        }
    }
}

impl FromRequestParts<City> for Operator {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, city: &City) -> Result<Self, Problem> {
        match proof(parts, App::Operator)? {
            Proof::Bearer(secret) => Ok(authenticate_operator(city, secret).await?),
            Proof::Cookie(token) => {
                let key = key(city, parts, App::Operator, token).await?;
                Ok(Operator { browser: true, ..Operator::by(&key) })
            }
        }
    }
}

impl FromRequestParts<City> for Biller {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, city: &City) -> Result<Self, Problem> {
        Ok(authenticate_biller(city, bearer(&parts.headers)?).await?)
    }
}

impl FromRequestParts<City> for Collector {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, city: &City) -> Result<Self, Problem> {
        Ok(authenticate_collector(city, bearer(&parts.headers)?).await?)
    }
}

/// What a shop's request proved itself by, to be looked at again while its answer goes on.
#[derive(Clone)]
pub struct MerchantProof {
    secret: String,
    by_cookie: bool,
}

impl MerchantProof {
    /// Whether it is good still: the session not ended, the key not revoked. Taken to be while nobody can tell.
    pub async fn holds(&self, city: &City) -> bool {
        let found = if self.by_cookie {
            find(city, App::Merchant, &self.secret).await.map(drop)
        } else {
            authenticate_merchant(city, &self.secret).await.map(drop)
        };
        found.map_or_else(|refused| refused.status() >= 500, |()| true)
    }
}

impl FromRequestParts<City> for MerchantProof {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &City) -> Result<Self, Problem> {
        let (secret, by_cookie) = match proof(parts, App::Merchant)? {
            Proof::Bearer(secret) => (secret, false),
            Proof::Cookie(token) => (token, true),
        };
        Ok(MerchantProof { secret: secret.to_owned(), by_cookie })
    }
}

/// Whether a request came by cookie, so that a person at a screen asks and not a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByCookie(pub bool);

impl FromRequestParts<City> for ByCookie {
    type Rejection = std::convert::Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &City) -> Result<Self, Self::Rejection> {
        Ok(ByCookie(!parts.headers.contains_key(header::AUTHORIZATION)))
    }
}
