//! Sessions in a browser: the cookie, who may open one, what it opens, and its end.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use city::City;
use city::identity::{self, OwnerKind, Role};
use http_body_util::BodyExt as _;
use kernel::ids::TillId;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::common::Town;

pub fn router(city: &City) -> Router {
    let routes = city::session::http::routes()
        .merge(city::identity::http::routes())
        .merge(city::merchant::http::routes())
        .merge(city::event::http::routes());
    routes.split_for_parts().0.with_state(city.clone())
}

/// An answer with its headers.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn code(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }
    pub fn set_cookie(&self) -> &str {
        self.headers.get("set-cookie").map_or("", |v| v.to_str().expect("text"))
    }
    /// What a browser sends back.
    pub fn cookie(&self) -> String {
        self.set_cookie().split(';').next().unwrap_or_default().to_owned()
    }
    pub fn csrf(&self) -> String {
        self.body["csrf"].as_str().expect("a csrf token").to_owned()
    }
}

pub async fn send(
    router: &Router,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Value,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if body.is_null() {
        Body::empty()
    } else {
        request = request.header("content-type", "application/json");
        Body::from(body.to_string())
    };
    let answer = router.clone().oneshot(request.body(body).expect("a request")).await.expect("an answer");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
    Answer { status, headers, body: serde_json::from_slice(&bytes).unwrap_or_default() }
}

async fn open(router: &Router, body: Value) -> Answer {
    send(router, "POST", "/v1/session", &[], body).await
}

async fn resident(town: &Town, router: &Router) -> Answer {
    identity::request_code(&town.city, "13800001111").await.expect("a code");
    let code = town.code_sent_to("13800001111");
    open(router, json!({"as": "resident", "phone": "13800001111", "code": code, "name": "王小明"})).await
}

pub async fn read(router: &Router, app: &str, cookie: &str) -> Answer {
    send(router, "GET", &format!("/v1/session?as={app}"), &[("cookie", cookie)], Value::Null).await
}

#[tokio::test]
async fn three_apps_in_one_browser() {
    let town = Town::new().await;
    let router = router(&town.city);
    let shop = town.shop("S-1").await;
    let till = TillId::from_u128(7);
    let till_key = identity::create_key(
        &town.city,
        OwnerKind::Merchant,
        shop.id.as_u128(),
        Role::Staff,
        Some(till),
        "t",
    );
    let till_key = till_key.await.expect("a key");
    let ops = identity::bootstrap_operator(&town.city, "值班").await.expect("an operator");

    let person = resident(&town, &router).await;
    let merchant = open(&router, json!({"as": "merchant", "key": format!(" {}\n", till_key.secret)})).await;
    let operator = open(&router, json!({"as": "operator", "key": ops.secret})).await;
    let day = 24 * 3600;
    for (app, answer, name, role, id, max_age) in [
        ("resident", &person, "王小明", Value::Null, "res_", 30 * day),
        ("merchant", &merchant, "西湖面馆", json!("staff"), "mch_", 30 * day),
        ("operator", &operator, "值班", json!("admin"), "opr_", day / 2),
    ] {
        assert_eq!(answer.status, 200, "{}", answer.body);
        let attributes = format!("; Path=/; Max-Age={max_age}; Secure; HttpOnly; SameSite=Strict");
        let begin = format!("__Host-yima-{app}=");
        let set = answer.set_cookie();
        assert!(set.starts_with(&begin) && set.ends_with(&attributes), "{set}");
        let token = set.trim_start_matches(&begin).split(';').next().expect("a token");
        assert!(!answer.body.to_string().contains(token), "the token is in the cookie alone");
        assert!(!set.contains(&till_key.secret) && !set.contains(&ops.secret), "no key in a cookie");
        assert_eq!(
            (answer.body["as"].as_str(), answer.body["who"]["name"].as_str()),
            (Some(app), Some(name))
        );
        assert_eq!(answer.body["who"]["role"], role);
        let about = &answer.body["city"];
        assert_eq!((&about["currency"], &about["utc_offset_s"]), (&json!("CNY"), &json!(28_800)));
        assert_eq!(about["four_eyes_limit"].is_null(), app != "operator", "{about}");
        assert!(answer.body["who"]["id"].as_str().is_some_and(|text| text.starts_with(id)));
        let ends: kernel::Timestamp = answer.body["expires_at"].as_str().unwrap().parse().expect("a time");
        assert_eq!(ends.since(town.city.now()).as_secs(), max_age);
    }
    assert_eq!(merchant.body["who"]["till"], till.to_string());

    // All three cookies in one header: each app finds its own, and what sign-in said is said again.
    let all = [&person, &merchant, &operator].map(Answer::cookie).join("; ");
    for (app, answer, path) in [
        ("resident", &person, "/v1/me"),
        ("merchant", &merchant, "/v1/merchants/me"),
        ("operator", &operator, "/v1/merchants"),
    ] {
        assert_eq!(read(&router, app, &all).await.body, answer.body, "{app}");
        assert_eq!(send(&router, "GET", path, &[("cookie", &all)], Value::Null).await.status, 200, "{path}");
        let own = answer.cookie();
        for other in ["resident", "merchant", "operator"].into_iter().filter(|o| *o != app) {
            assert_eq!(read(&router, other, &own).await.code(), (401, "unauthenticated"), "{app} as {other}");
            let (_, token) = own.split_once('=').expect("a cookie");
            let moved = format!("__Host-yima-{other}={token}");
            assert_eq!(
                read(&router, other, &moved).await.code(),
                (401, "unauthenticated"),
                "{app} as {other}"
            );
        }
    }
    // The token of a key's session is no key.
    let (_, token) = operator.cookie().split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let bearer = format!("Bearer {token}");
    let answer = send(&router, "GET", "/v1/merchants", &[("authorization", &bearer)], Value::Null).await;
    assert_eq!(answer.code(), (401, "unauthenticated"));
    // Who sends `authorization` means it.
    let head = [("authorization", "Bearer yok_x"), ("cookie", all.as_str())];
    assert_eq!(
        send(&router, "GET", "/v1/merchants", &head, Value::Null).await.code(),
        (401, "unauthenticated")
    );
}

#[tokio::test]
async fn who_may_not_sign_in() {
    let town = Town::new().await;
    let router = router(&town.city);
    let shop = town.shop("S-1").await.id.as_u128();
    let merchant = town.key(OwnerKind::Merchant, shop, Role::Admin).await;
    let biller = town.key(OwnerKind::Biller, 7, Role::Admin).await;
    let token = resident(&town, &router).await.cookie();
    let (_, token) = token.split_once('=').expect("a cookie");
    town.pass(60);
    identity::request_code(&town.city, "13800001111").await.expect("a code");
    for (body, status, code) in [
        (json!({"as": "operator", "key": merchant}), 403, "wrong_key"),
        (json!({"as": "merchant", "key": biller}), 403, "wrong_key"),
        (json!({"as": "merchant", "key": token}), 403, "wrong_key"),
        (json!({"as": "merchant", "key": format!("{merchant}x")}), 401, "unauthenticated"),
        (json!({"as": "merchant", "key": ""}), 401, "unauthenticated"),
        (json!({"as": "merchant", "key": merchant, "x": 1}), 400, "malformed_body"),
        (json!({"as": "biller", "key": biller}), 400, "malformed_body"),
        (json!({"as": "merchant"}), 400, "malformed_body"),
        (json!({"key": merchant}), 400, "malformed_body"),
        (json!({"as": "resident", "phone": "13800001111", "code": "x"}), 422, "code_wrong"),
        (json!({"as": "resident", "phone": "13800002222", "code": "000000"}), 422, "code_gone"),
        (json!({"as": "resident", "phone": "12", "code": "000000"}), 422, "phone_malformed"),
        (json!({"as": "resident", "phone": "13800001111", "code": "x", "name": ""}), 422, "name_malformed"),
    ] {
        let answer = open(&router, body.clone()).await;
        assert_eq!(answer.code(), (status, code), "{body}");
        assert_eq!(answer.set_cookie(), "", "{body}");
    }
    for site in ["cross-site", "same-site", "none"] {
        let body = json!({"as": "merchant", "key": merchant});
        let answer = send(&router, "POST", "/v1/session", &[("sec-fetch-site", site)], body).await;
        assert_eq!((answer.code(), answer.set_cookie()), ((403, "csrf"), ""), "{site}");
    }
    for path in ["/v1/session", "/v1/session?as=biller", "/v1/session?as=resident&x=1"] {
        assert_eq!(
            send(&router, "GET", path, &[], Value::Null).await.code(),
            (400, "malformed_query"),
            "{path}"
        );
    }
    assert_eq!(read(&router, "resident", "").await.code(), (401, "unauthenticated"));
}

#[tokio::test]
async fn whatever_changes_something_needs_the_csrf_token() {
    let town = Town::new().await;
    let router = router(&town.city);
    let person = resident(&town, &router).await;
    town.pass(60);
    let other = resident(&town, &router).await;
    let (cookie, csrf, others) = (person.cookie(), person.csrf(), other.csrf());
    let device = || json!({"name": "phone"});
    type Headers<'a> = Vec<(&'a str, &'a str)>;
    let rows: Vec<(Headers<'_>, u16, &str)> = vec![
        (vec![], 403, "csrf"),
        (vec![("yima-csrf", "")], 403, "csrf"),
        (vec![("yima-csrf", &others)], 403, "csrf"),
        (vec![("yima-csrf", &csrf), ("sec-fetch-site", "cross-site")], 403, "csrf"),
        (vec![("yima-csrf", &csrf), ("sec-fetch-site", "same-site")], 403, "csrf"),
        (vec![("sec-fetch-site", "same-origin")], 403, "csrf"),
        (vec![("yima-csrf", &csrf)], 201, ""),
        (vec![("yima-csrf", &csrf), ("sec-fetch-site", "same-origin")], 201, ""),
    ];
    let mut made = 0;
    for (mut headers, status, code) in rows {
        headers.push(("cookie", &cookie));
        let answer = send(&router, "POST", "/v1/me/devices", &headers, device()).await;
        assert_eq!(answer.code(), (status, code), "{headers:?}");
        made += usize::from(status == 201);
        // Reading needs no token, but another site's page may not cause it: it writes too, an entry of a look for one.
        let foreign = headers.iter().any(|(name, site)| *name == "sec-fetch-site" && *site != "same-origin");
        let list = send(&router, "GET", "/v1/me/devices", &headers, Value::Null).await;
        if foreign {
            assert_eq!(list.code(), (403, "csrf"), "{headers:?}");
        } else {
            assert_eq!((list.status, list.body.as_array().map(Vec::len)), (200, Some(made)), "{headers:?}");
        }
    }
    let typed = [("cookie", cookie.as_str()), ("sec-fetch-site", "none")];
    assert_eq!(
        send(&router, "GET", "/v1/me/devices", &typed, Value::Null).await.status,
        200,
        "a typed address"
    );
    // A neighbour's cookie that is no ASCII hides nothing.
    let beside = format!("a=中; {cookie}");
    let headers = [("cookie", beside.as_str())];
    assert_eq!(send(&router, "GET", "/v1/me/devices", &headers, Value::Null).await.status, 200);
    // By bearer token nothing of that is asked: no foreign page can send one.
    let (_, token) = cookie.split_once('=').expect("a cookie");
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("sec-fetch-site", "cross-site")];
    assert_eq!(send(&router, "POST", "/v1/me/devices", &headers, device()).await.status, 201);
    // A session that is over says so rather than asking for its csrf token.
    identity::session::end(&town.city, identity::session::App::Resident, token).await.expect("ended");
    let answer = send(&router, "POST", "/v1/me/devices", &[("cookie", &cookie)], device()).await;
    assert_eq!(answer.code(), (401, "unauthenticated"));
}

#[tokio::test]
async fn signing_out_and_in_again() {
    let town = Town::new().await;
    let router = router(&town.city);
    let shop = town.shop("S-1").await.id.as_u128();
    let key = town.key(OwnerKind::Merchant, shop, Role::Admin).await;
    let body = || json!({"as": "merchant", "key": key});
    let first = open(&router, body()).await;
    let (cookie, csrf) = (first.cookie(), first.csrf());
    let path = "/v1/session?as=merchant";
    let refused = send(&router, "DELETE", path, &[("cookie", &cookie)], Value::Null).await;
    assert_eq!((refused.code(), refused.set_cookie()), ((403, "csrf"), ""));
    let headers = [("cookie", cookie.as_str()), ("yima-csrf", &csrf)];
    for (times, headers) in [(1, &headers[..]), (2, &headers[..]), (3, &[])] {
        let out = send(&router, "DELETE", path, headers, Value::Null).await;
        assert_eq!(out.status, 204, "time {times}");
        let forget = "__Host-yima-merchant=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict";
        assert_eq!(out.set_cookie(), forget, "time {times}");
        assert_eq!(read(&router, "merchant", &cookie).await.code(), (401, "unauthenticated"));
    }

    // Who signs in over a session ends it.
    let second = open(&router, body()).await.cookie();
    let third = send(&router, "POST", "/v1/session", &[("cookie", &second)], body()).await.cookie();
    assert_eq!(read(&router, "merchant", &second).await.code(), (401, "unauthenticated"));
    assert_eq!(read(&router, "merchant", &third).await.status, 200);
    // Whom a key failed keeps the session they have.
    let wrong = json!({"as": "merchant", "key": "ymk_x"});
    assert_eq!(send(&router, "POST", "/v1/session", &[("cookie", &third)], wrong).await.status, 401);
    assert_eq!(read(&router, "merchant", &third).await.status, 200);
}

#[tokio::test]
async fn a_session_of_a_key_ends_with_the_key() {
    let town = Town::new().await;
    let (router, elsewhere) = (router(&town.city), town.node().await);
    let shop = town.shop("S-1").await;
    let owner = shop.id.as_u128();
    let till = city::merchant::add_till(&town.city, &shop, "till 1").await.expect("a till").id;
    let of_shop =
        identity::create_key(&town.city, OwnerKind::Merchant, owner, Role::Admin, None, "a").await.unwrap();
    let of_till = identity::create_key(&town.city, OwnerKind::Merchant, owner, Role::Staff, Some(till), "b");
    let of_till = of_till.await.unwrap();
    let ops = identity::bootstrap_operator(&town.city, "值班").await.unwrap();
    let by = |app: &str, key: &str| open(&router, json!({"as": app, "key": key}));
    let sessions = [
        ("merchant", by("merchant", &of_shop.secret).await.cookie()),
        ("merchant", by("merchant", &of_till.secret).await.cookie()),
        ("operator", by("operator", &ops.secret).await.cookie()),
    ];
    let far = self::router(&elsewhere);
    for (app, cookie) in &sessions {
        assert_eq!(read(&far, app, cookie).await.status, 200, "known on another node");
    }
    identity::revoke_key(&town.city, owner, of_shop.key.id).await.expect("ended");
    city::merchant::close_till(&town.city, &shop, till).await.expect("closed");
    identity::revoke_any_key(&town.city, &town.operator, ops.key.id).await.expect("ended");
    for (app, cookie) in &sessions {
        assert_eq!(read(&router, app, cookie).await.code(), (401, "unauthenticated"), "at once here");
    }
    town.pass(30);
    for (app, cookie) in &sessions {
        assert_eq!(
            read(&far, app, cookie).await.code(),
            (401, "unauthenticated"),
            "half a minute later there"
        );
    }
}

/// A node that still trusts a key in memory opens no session by it once it was revoked elsewhere.
#[tokio::test]
async fn no_session_by_a_key_that_ended_elsewhere() {
    let town = Town::new().await;
    let elsewhere = town.node().await;
    let shop = town.shop("S-1").await.id.as_u128();
    let key =
        identity::create_key(&town.city, OwnerKind::Merchant, shop, Role::Admin, None, "a").await.unwrap();
    identity::authenticate_merchant(&elsewhere, &key.secret).await.expect("remembered there");
    identity::revoke_key(&town.city, shop, key.key.id).await.expect("ended");
    identity::authenticate_merchant(&elsewhere, &key.secret).await.expect("still trusted there");
    let answer = open(&router(&elsewhere), json!({"as": "merchant", "key": key.secret})).await;
    assert_eq!((answer.code(), answer.set_cookie()), ((401, "unauthenticated"), ""));
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let town = Town::new().await;
    let router = router(&town.city);
    let shop = town.shop("S-1").await.id.as_u128();
    let key = town.key(OwnerKind::Merchant, shop, Role::Admin).await;
    let ops = identity::bootstrap_operator(&town.city, "值班").await.unwrap();
    let console = open(&router, json!({"as": "operator", "key": ops.secret})).await.cookie();
    let till = open(&router, json!({"as": "merchant", "key": key})).await.cookie();
    let shift = 12 * 3600;
    town.pass(shift - 1);
    assert_eq!(read(&router, "operator", &console).await.status, 200, "the last second");
    // Remembered a second ago, and over all the same.
    town.pass(1);
    assert_eq!(read(&router, "operator", &console).await.code(), (401, "unauthenticated"));
    town.pass(30 * 24 * 3600 - shift - 1);
    assert_eq!(read(&router, "merchant", &till).await.status, 200, "a till works for a month");
    town.pass(1);
    assert_eq!(read(&router, "merchant", &till).await.code(), (401, "unauthenticated"));
}

/// The browser's `EventSource` can send no header of its own but `Last-Event-ID`: the cookie must do.
#[tokio::test]
async fn live_events_by_cookie() {
    let town = Town::new().await;
    let router = router(&town.city);
    let shop = town.shop("S-1").await.id.as_u128();
    let key = town.key(OwnerKind::Merchant, shop, Role::Staff).await;
    let cookie = open(&router, json!({"as": "merchant", "key": key})).await.cookie();
    for (headers, status) in [
        (vec![("cookie", cookie.as_str())], 200),
        (vec![("cookie", cookie.as_str()), ("last-event-id", "7"), ("sec-fetch-site", "same-origin")], 200),
        (vec![("cookie", cookie.as_str()), ("last-event-id", "x")], 400),
        (vec![], 401),
    ] {
        let mut request = Request::builder().uri("/v1/merchants/me/events");
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), status, "{headers:?}");
    }
}

/// A stream does not outlive what it was asked for with: the session that was ended, the key that was revoked.
#[tokio::test]
async fn live_events_end_with_their_session_or_key() {
    let town = Town::new().await;
    let router = router(&town.city);
    let shop = town.shop("S-1").await.id.as_u128();
    let key =
        identity::create_key(&town.city, OwnerKind::Merchant, shop, Role::Admin, None, "a").await.unwrap();
    let other = town.key(OwnerKind::Merchant, shop, Role::Staff).await;
    let signed = open(&router, json!({"as": "merchant", "key": key.secret})).await;
    let (cookie, csrf) = (signed.cookie(), signed.csrf());
    let second = open(&router, json!({"as": "merchant", "key": key.secret})).await.cookie();
    let listen = async |name: &str, value: &str| {
        let request = Request::builder().uri("/v1/merchants/me/events").header(name, value);
        let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut body = answer.into_body();
        body.frame().await.expect("a greeting").expect("no fault");
        body
    };
    let bearer = format!("Bearer {}", key.secret);
    let mut signed_out = listen("cookie", &cookie).await;
    let (mut by_session, mut by_key) =
        (listen("cookie", &second).await, listen("authorization", &bearer).await);
    let mut stays = listen("authorization", &format!("Bearer {other}")).await;
    let soon = std::time::Duration::from_mins(1);
    let headers = [("cookie", cookie.as_str()), ("yima-csrf", &csrf)];
    assert_eq!(send(&router, "DELETE", "/v1/session?as=merchant", &headers, Value::Null).await.status, 204);
    assert!(tokio::time::timeout(soon, signed_out.frame()).await.expect("in time").is_none(), "it ends");
    for body in [&mut by_session, &mut by_key] {
        let quiet = tokio::time::timeout(std::time::Duration::from_millis(1), body.frame()).await;
        assert!(quiet.is_err(), "another session of the key goes on, and so does the key");
    }
    identity::revoke_key(&town.city, shop, key.key.id).await.expect("ended");
    for body in [&mut by_session, &mut by_key] {
        assert!(tokio::time::timeout(soon, body.frame()).await.expect("in time").is_none(), "it ends");
    }
    let quiet = tokio::time::timeout(std::time::Duration::from_millis(1), stays.frame()).await;
    assert!(quiet.is_err(), "another key goes on");
}
