//! The routes of identity: who may call what, and what is said to those who may not.

use axum::Router;
use city::identity::{OwnerKind, Role};
use serde_json::{Value, json};

use crate::common::{Town, call, call_raw};

fn router(town: &Town) -> Router {
    let routes = city::identity::http::routes().merge(city::merchant::http::routes());
    let routes = routes.merge(city::operator::http::routes());
    routes.split_for_parts().0.with_state(town.city.clone())
}

/// Signs in over HTTP: the token.
async fn sign_in(town: &Town, router: &Router, phone: &str) -> String {
    let (status, _) = call(router, "POST", "/v1/sign-in/code", "", json!({"phone": phone})).await;
    assert_eq!(status, 202);
    let sent = town.code_sent_to(phone);
    let body = json!({"phone": phone, "code": sent, "name": "王小明"});
    let (status, answer) = call(router, "POST", "/v1/sign-in", "", body).await;
    assert_eq!(status, 200, "{answer}");
    answer["token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn every_route_wants_its_own_kind_of_key() {
    let town = Town::new().await;
    let router = router(&town);
    let resident = sign_in(&town, &router, "13800001111").await;
    let shop_admin = town.key(OwnerKind::Merchant, 7, Role::Admin).await;
    let shop_staff = town.key(OwnerKind::Merchant, 7, Role::Staff).await;
    let operator = town.key(OwnerKind::Operator, 8, Role::Admin).await;
    let clerk = town.key(OwnerKind::Operator, 8, Role::Staff).await;
    let biller = town.key(OwnerKind::Biller, 9, Role::Admin).await;
    let key_body = json!({"role": "staff", "name": "till 1"});
    let owner_body = json!({"owner": "mch_01h2xcejqtf2nbrexx3vqjhp41", "role": "staff", "name": "first"});
    let nobody = json!({"owner": "opr_01h2xcejqtf2nbrexx3vqjhp41", "role": "staff", "name": "first"});
    let tier = "/v1/residents/res_01h2xcejqtf2nbrexx3vqjhp41/tier";
    let rows: Vec<(&str, &str, &str, Value, u16, &str)> = vec![
        ("GET", "/v1/me", "", Value::Null, 401, "unauthenticated"),
        ("GET", "/v1/me", "yrs_garbage", Value::Null, 401, "unauthenticated"),
        ("GET", "/v1/me", &shop_admin, Value::Null, 403, "wrong_key"),
        ("GET", "/v1/me", &resident, Value::Null, 200, ""),
        ("POST", "/v1/sign-out", "", Value::Null, 401, "unauthenticated"),
        ("PUT", "/v1/me/pin", "", json!({"pin": "135790"}), 401, "unauthenticated"),
        ("POST", "/v1/me/pin/reset", "", json!({"pin": "135790", "code": "1"}), 401, "unauthenticated"),
        ("GET", "/v1/me/devices", &operator, Value::Null, 403, "wrong_key"),
        ("POST", "/v1/me/devices", "", json!({"name": "phone"}), 401, "unauthenticated"),
        ("GET", "/v1/merchants/me/keys", &resident, Value::Null, 403, "wrong_key"),
        ("GET", "/v1/merchants/me/keys", &operator, Value::Null, 403, "wrong_key"),
        ("GET", "/v1/merchants/me/keys", &biller, Value::Null, 403, "wrong_key"),
        ("GET", "/v1/merchants/me/keys", &shop_staff, Value::Null, 403, "forbidden"),
        ("GET", "/v1/merchants/me/keys", &shop_admin, Value::Null, 200, ""),
        ("POST", "/v1/merchants/me/keys", &shop_staff, key_body.clone(), 403, "forbidden"),
        ("POST", "/v1/merchants/me/keys", &shop_admin, key_body, 201, ""),
        (
            "DELETE",
            "/v1/merchants/me/keys/key_01h2xcejqtf2nbrexx3vqjhp41",
            &shop_staff,
            Value::Null,
            403,
            "forbidden",
        ),
        (
            "DELETE",
            "/v1/merchants/me/keys/key_01h2xcejqtf2nbrexx3vqjhp41",
            &shop_admin,
            Value::Null,
            404,
            "key_unknown",
        ),
        ("POST", "/v1/keys", &shop_admin, owner_body.clone(), 403, "wrong_key"),
        ("POST", "/v1/keys", &clerk, owner_body.clone(), 403, "forbidden"),
        ("POST", "/v1/keys", &operator, owner_body, 201, ""),
        ("POST", "/v1/keys", &operator, nobody, 404, "operator_unknown"),
        ("POST", "/v1/operators", &clerk, json!({"name": "second"}), 403, "forbidden"),
        ("POST", "/v1/operators", &shop_admin, json!({"name": "second"}), 403, "wrong_key"),
        ("POST", "/v1/operators", &operator, json!({"name": ""}), 422, "name_malformed"),
        ("POST", "/v1/operators", &operator, json!({"name": "second"}), 201, ""),
        (
            "POST",
            "/v1/keys",
            &operator,
            json!({"owner": "shop", "role": "staff", "name": "x"}),
            422,
            "owner_malformed",
        ),
        ("DELETE", "/v1/keys/key_01h2xcejqtf2nbrexx3vqjhp41", &shop_admin, Value::Null, 403, "wrong_key"),
        ("DELETE", "/v1/keys/key_01h2xcejqtf2nbrexx3vqjhp41", &clerk, Value::Null, 403, "forbidden"),
        ("DELETE", "/v1/keys/key_01h2xcejqtf2nbrexx3vqjhp41", &operator, Value::Null, 404, "key_unknown"),
        ("PUT", tier, &resident, json!({"tier": 2}), 403, "wrong_key"),
        ("PUT", tier, &shop_admin, json!({"tier": 2}), 403, "wrong_key"),
        ("PUT", tier, &clerk, json!({"tier": 2}), 403, "forbidden"),
        ("PUT", tier, &operator, json!({"tier": 4}), 422, "tier_unknown"),
        ("PUT", tier, &operator, json!({"tier": 2}), 404, "resident_unknown"),
    ];
    for (method, path, token, body, status, code) in rows {
        let (got, answer) = if body.is_null() {
            call(&router, method, path, token, ()).await
        } else {
            call(&router, method, path, token, body).await
        };
        assert_eq!(got, status, "{method} {path}: {answer}");
        if !code.is_empty() {
            assert_eq!(answer["code"], code, "{method} {path}");
            assert_eq!(answer["status"], status, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn what_does_not_parse_names_its_place() {
    let town = Town::new().await;
    let router = router(&town);
    let token = sign_in(&town, &router, "13800001111").await;
    for (method, path, body, status, code) in [
        ("POST", "/v1/sign-in/code", "", 400, "malformed_body"),
        ("POST", "/v1/sign-in/code", "{", 400, "malformed_body"),
        ("POST", "/v1/sign-in/code", "[]", 400, "malformed_body"),
        ("POST", "/v1/sign-in/code", r#"{"phone": 13800001111}"#, 400, "malformed_body"),
        ("POST", "/v1/sign-in/code", r#"{"phone": "13800001111", "x": 1}"#, 400, "malformed_body"),
        ("POST", "/v1/sign-in/code", r#"{"phone": "1"}"#, 422, "phone_malformed"),
        ("POST", "/v1/sign-in", r#"{"phone": "13800001111"}"#, 400, "malformed_body"),
        ("PUT", "/v1/me/pin", r#"{"pin": 135790}"#, 400, "malformed_body"),
        ("PUT", "/v1/me/pin", r#"{"pin": "123456"}"#, 422, "pin_unacceptable"),
        ("POST", "/v1/me/devices", r#"{"name": ""}"#, 422, "name_malformed"),
        ("DELETE", "/v1/me/devices/phone", "{}", 400, "malformed_id"),
        ("DELETE", "/v1/me/devices/res_01h2xcejqtf2nbrexx3vqjhp41", "{}", 400, "malformed_id"),
        ("DELETE", "/v1/me/devices/dev_01h2xcejqtf2nbrexx3vqjhp41", "{}", 404, "device_unknown"),
    ] {
        let (got, answer) = call(&router, method, path, &token, body).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{method} {path} {body}: {answer}");
    }
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "text/plain")];
    let (status, _) = call_raw(&router, "POST", "/v1/me/devices", &headers, ()).await;
    assert_eq!(status, 415);
    // RFC 9110 section 11.1: the scheme's case does not matter; the token's does.
    for (header, wanted) in [
        (format!("bearer {token}"), 200),
        (format!("BEARER {token}"), 200),
        (token.clone(), 401),
        (format!("Basic {token}"), 401),
        (format!("Bearer {}", token.to_uppercase()), 401),
    ] {
        let (status, _) = call_raw(&router, "GET", "/v1/me", &[("authorization", &header)], ()).await;
        assert_eq!(status, wanted, "{header}");
    }
}

#[tokio::test]
async fn a_resident_from_first_code_to_sign_out() {
    let town = Town::new().await;
    let router = router(&town);
    let token = sign_in(&town, &router, "13800001111").await;
    let (_, me) = call(&router, "GET", "/v1/me", &token, ()).await;
    assert_eq!(me["resident"]["phone"], "+8613800001111");
    assert_eq!(me["resident"]["tier"], 1);
    assert_eq!(me["allowance_window"], "lifetime");
    assert_eq!(me["allowance_left"], json!({"minor": 100_000, "currency": "CNY"}));
    assert!(me["resident"]["id"].as_str().is_some_and(|id| id.starts_with("res_")));

    let pin = |body| call(&router, "PUT", "/v1/me/pin", &token, body);
    assert_eq!(pin(json!({"pin": "135790"})).await.0, 204);
    let (status, again) = pin(json!({"pin": "135790"})).await;
    assert_eq!((status, again["code"].as_str()), (409, Some("pin_exists")));
    let (status, wrong) = pin(json!({"pin": "246813", "old": "975311"})).await;
    assert_eq!((status, wrong["code"].as_str()), (403, Some("pin_wrong")));
    assert_eq!(pin(json!({"pin": "246813", "old": "135790"})).await.0, 204);

    let (status, device) = call(&router, "POST", "/v1/me/devices", &token, json!({"name": "phone"})).await;
    assert_eq!(status, 201);
    let id = device["device"]["id"].as_str().expect("an id");
    let (_, list) = call(&router, "GET", "/v1/me/devices", &token, ()).await;
    assert_eq!(list.as_array().map(Vec::len), Some(1));
    assert!(list[0].get("secret").is_none(), "the secret is shown once");
    assert_eq!(call(&router, "DELETE", &format!("/v1/me/devices/{id}"), &token, ()).await.0, 204);

    assert_eq!(call(&router, "POST", "/v1/sign-out", &token, ()).await.0, 204);
    let (status, gone) = call(&router, "GET", "/v1/me", &token, ()).await;
    assert_eq!((status, gone["code"].as_str()), (401, Some("unauthenticated")));
}

/// An operator can end whatever key it or anybody made: a leaked one must not live on.
#[tokio::test]
async fn an_operator_ends_any_key() {
    let town = Town::new().await;
    let router = router(&town);
    let operator = town.key(OwnerKind::Operator, 8, Role::Admin).await;
    let (status, second) = call(&router, "POST", "/v1/operators", &operator, json!({"name": "second"})).await;
    assert_eq!(status, 201);
    let second = second["operator"].as_str().expect("an id");
    for owner in ["mch_01h2xcejqtf2nbrexx3vqjhp41", "blr_01h2xcejqtf2nbrexx3vqjhp41", second] {
        let body = json!({"owner": owner, "role": "admin", "name": "leaked"});
        let (_, made) = call(&router, "POST", "/v1/keys", &operator, body).await;
        let id = made["key"]["id"].as_str().expect("an id");
        let path = format!("/v1/keys/{id}");
        assert_eq!(call(&router, "DELETE", &path, &operator, ()).await.0, 204, "{owner}");
        let (status, again) = call(&router, "DELETE", &path, &operator, ()).await;
        assert_eq!((status, again["code"].as_str()), (404, Some("key_unknown")), "{owner}");
        let secret = made["secret"].as_str().expect("a secret");
        let (_, refused) = call(&router, "GET", "/v1/merchants/me/keys", secret, ()).await;
        assert_eq!(refused["code"], "unauthenticated", "{owner}");
    }
}
