//! The routes of the wallet.

use axum::Router;
use city::identity::{self, OwnerKind, Role};
use serde_json::{Value, json};

use crate::common::{Town, call, call_raw};

struct Counter {
    town: Town,
    router: Router,
    ming: String,
    hua: String,
    clerk: String,
    viewer: String,
}

async fn token(town: &Town, phone: &str) -> (String, String) {
    identity::request_code(&town.city, phone).await.expect("a code");
    let sent = town.code_sent_to(phone);
    let signed = identity::sign_in(&town.city, phone, &sent, Some("王小明")).await.expect("signed in");
    (signed.token, signed.resident.id.to_string())
}

async fn counter() -> (Counter, String) {
    let town = Town::new().await;
    let routes = city::wallet::http::routes().merge(city::operator::http::routes());
    let router = routes.split_for_parts().0.with_state(town.city.clone());
    let (ming, id) = token(&town, "13800001111").await;
    let (hua, _) = token(&town, "13800002222").await;
    let clerk = town.key(OwnerKind::Operator, 8, Role::Staff).await;
    let viewer = town.key(OwnerKind::Operator, 8, Role::Viewer).await;
    (Counter { town, router, ming, hua, clerk, viewer }, id)
}

fn cny(minor: i64) -> Value {
    json!({"minor": minor, "currency": "CNY"})
}

async fn send(c: &Counter, key: Option<&str>, body: Value) -> (u16, Value) {
    let bearer = format!("Bearer {}", c.ming);
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(key.map(|key| ("idempotency-key", key)));
    let (status, answer) = call_raw(&c.router, "POST", "/v1/transfers", &headers, body).await;
    (status, serde_json::from_slice(&answer).unwrap_or(Value::Null))
}

#[tokio::test]
async fn money_in_on_and_out() {
    let (c, id) = counter().await;
    let deposit = json!({"resident": id, "amount": cny(5_000), "reference": "ICBC-1"});
    for repeated in [false, true] {
        let (status, answer) = call(&c.router, "POST", "/v1/deposits", &c.clerk, deposit.clone()).await;
        assert_eq!((status, &answer["repeated"]), (200, &json!(repeated)), "{answer}");
    }
    let body = json!({"phone": "13800002222", "amount": cny(1_250)});
    let (_, first) = send(&c, Some("key-1"), body.clone()).await;
    let (_, again) = send(&c, Some("key-1"), body).await;
    assert_eq!((&first["id"], &first["at"]), (&again["id"], &again["at"]));
    assert_eq!((&first["payee_name"], &first["amount"]), (&json!("**明"), &cny(1_250)));
    assert_eq!((&first["repeated"], &again["repeated"]), (&json!(false), &json!(true)));
    let withdrawal = json!({"resident": id, "amount": cny(750), "reference": "OUT-1"});
    let (status, _) = call(&c.router, "POST", "/v1/withdrawals", &c.clerk, withdrawal).await;
    assert_eq!(status, 200);
    let (_, balance) = call(&c.router, "GET", "/v1/wallet", &c.ming, ()).await;
    assert_eq!(balance, json!({"available": cny(3_000), "held": cny(0)}));

    let (_, page) = call(&c.router, "GET", "/v1/wallet/history?limit=2", &c.ming, ()).await;
    let kinds: Vec<_> = page["items"].as_array().expect("items").iter().map(|e| &e["kind"]).collect();
    assert_eq!(kinds, ["withdrawal", "transfer"]);
    let next = page["next"].as_str().expect("there is more");
    let (_, last) = call(&c.router, "GET", &format!("/v1/wallet/history?cursor={next}"), &c.ming, ()).await;
    assert_eq!((&last["items"][0]["direction"], &last["next"]), (&json!("in"), &Value::Null));
    let (_, page) = call(&c.router, "GET", "/v1/wallet/history", &c.hua, ()).await;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1), "hua sees her own movements only");
    c.town.assert_conserved().await;
}

#[tokio::test]
async fn what_is_refused_has_a_code() {
    let (c, id) = counter().await;
    let to_hua = json!({"phone": "13800002222", "amount": cny(100)});
    let long = "9".repeat(65);
    for (key, body, status, wanted) in [
        (None, to_hua.clone(), 400, "idempotency_key_missing"),
        (Some(""), to_hua.clone(), 400, "idempotency_key_missing"),
        (Some("a b"), to_hua.clone(), 400, "idempotency_key_missing"),
        (Some(long.as_str()), to_hua.clone(), 400, "idempotency_key_missing"),
        (Some("k"), to_hua, 409, "insufficient_balance"),
        (Some("k"), json!({"amount": cny(100)}), 422, "payee_malformed"),
        (
            Some("k"),
            json!({"phone": "13800002222", "code": "yima:x", "amount": cny(1)}),
            422,
            "payee_malformed",
        ),
        (Some("k"), json!({"code": "yima:x", "amount": cny(1)}), 422, "personal_code_malformed"),
        (Some("k"), json!({"phone": "13800001111", "amount": cny(1)}), 422, "payee_is_payer"),
        (Some("k"), json!({"phone": "13800003333", "amount": cny(1)}), 404, "resident_unknown"),
        (Some("k"), json!({"phone": "13800002222", "amount": cny(0)}), 422, "amount_unacceptable"),
        (Some("k"), json!({"phone": "13800002222", "amount": cny(100_001)}), 403, "pin_required"),
        (
            Some("k"),
            json!({"phone": "13800002222", "amount": {"minor": 1, "currency": "USD"}}),
            422,
            "amount_unacceptable",
        ),
        (
            Some("k"),
            json!({"phone": "13800002222", "amount": {"minor": 1.5, "currency": "CNY"}}),
            400,
            "malformed_body",
        ),
        (
            Some("k"),
            json!({"phone": "13800002222", "amount": {"minor": "1", "currency": "CNY"}}),
            400,
            "malformed_body",
        ),
        (Some("k"), json!({"phone": "13800002222", "amount": 1}), 400, "malformed_body"),
    ] {
        let (got, answer) = send(&c, key, body.clone()).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(wanted)), "{body}: {answer}");
    }
    let booking = json!({"resident": id, "amount": cny(1), "reference": "r"});
    let bad_id = json!({"resident": "res_1", "amount": cny(1), "reference": "r"});
    for (method, path, token, body, status, wanted) in [
        ("GET", "/v1/wallet", "", None, 401, "unauthenticated"),
        ("GET", "/v1/wallet", c.clerk.as_str(), None, 403, "wrong_key"),
        ("GET", "/v1/wallet/history?cursor=x", c.ming.as_str(), None, 400, "malformed_cursor"),
        ("GET", "/v1/wallet/history?cursor=-1", c.ming.as_str(), None, 400, "malformed_cursor"),
        ("GET", "/v1/wallet/history?limit=x", c.ming.as_str(), None, 400, "malformed_query"),
        ("GET", "/v1/wallet/history?page=2", c.ming.as_str(), None, 400, "malformed_query"),
        ("GET", "/v1/wallet/payee", c.ming.as_str(), None, 422, "payee_malformed"),
        ("GET", "/v1/wallet/payee?phone=1", c.ming.as_str(), None, 422, "phone_malformed"),
        ("GET", "/v1/wallet/payee?phone=13800003333", c.ming.as_str(), None, 404, "resident_unknown"),
        ("GET", "/v1/wallet/personal-code.svg?amount=0", c.ming.as_str(), None, 422, "amount_unacceptable"),
        ("GET", "/v1/wallet/personal-code?amount=-1", c.ming.as_str(), None, 422, "amount_unacceptable"),
        ("GET", "/v1/wallet/personal-code?amount=x", c.ming.as_str(), None, 400, "malformed_query"),
        ("GET", "/v1/wallet/personal-code", c.clerk.as_str(), None, 403, "wrong_key"),
        ("POST", "/v1/deposits", c.ming.as_str(), Some(&booking), 403, "wrong_key"),
        ("POST", "/v1/deposits", c.viewer.as_str(), Some(&booking), 403, "forbidden"),
        ("POST", "/v1/withdrawals", c.viewer.as_str(), Some(&booking), 403, "forbidden"),
        ("POST", "/v1/withdrawals", c.clerk.as_str(), Some(&booking), 409, "insufficient_balance"),
        ("POST", "/v1/deposits", c.clerk.as_str(), Some(&bad_id), 400, "malformed_body"),
    ] {
        let (got, answer) = match body {
            Some(body) => call(&c.router, method, path, token, body.clone()).await,
            None => call(&c.router, method, path, token, ()).await,
        };
        assert_eq!((got, answer["code"].as_str()), (status, Some(wanted)), "{method} {path}: {answer}");
    }
    c.town.assert_conserved().await;
}

#[tokio::test]
async fn a_personal_code_is_drawn_and_names_its_owner_masked() {
    let (c, id) = counter().await;
    let bearer = format!("Bearer {}", c.ming);
    let headers = [("authorization", bearer.as_str())];
    let (status, svg) =
        call_raw(&c.router, "GET", "/v1/wallet/personal-code.svg?amount=250", &headers, ()).await;
    assert_eq!(status, 200);
    assert!(String::from_utf8(svg).expect("text").starts_with("<svg"));
    for (query, payload) in [("", format!("yima:{id}")), ("?amount=250", format!("yima:{id}?amount=250"))] {
        let (status, answer) =
            call(&c.router, "GET", &format!("/v1/wallet/personal-code{query}"), &c.ming, ()).await;
        assert_eq!((status, answer), (200, json!({ "payload": payload })));
    }
    let path = format!("/v1/wallet/payee?code=yima:{id}%3Famount=250");
    let (_, payee) = call(&c.router, "GET", &path, &c.hua, ()).await;
    assert_eq!(payee, json!({"name": "**明", "amount": cny(250)}));
}
