//! The routes of trades.

use axum::Router;
use city::identity::{self, OwnerKind, Role};
use serde_json::{Value, json};

use crate::common::{Town, call, call_raw};
use crate::square;

fn cny(minor: i64) -> Value {
    json!({"minor": minor, "currency": "CNY"})
}

async fn token(town: &Town, phone: &str) -> String {
    town.pass(60);
    identity::request_code(&town.city, phone).await.expect("a code");
    let sent = town.code_sent_to(phone);
    identity::sign_in(&town.city, phone, &sent, None).await.expect("signed in").token
}

async fn pay(router: &Router, token: &str, body: Value) -> (u16, Value) {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k")];
    let (status, answer) = call_raw(router, "POST", "/v1/payments", &headers, body).await;
    (status, serde_json::from_slice(&answer).unwrap_or(Value::Null))
}

#[tokio::test]
async fn from_order_to_statement() {
    let (town, shop, payer, phone) = square().await;
    town.pin(&payer).await;
    let router = city::trade::http::routes().split_for_parts().0.with_state(town.city.clone());
    let till = town.key(OwnerKind::Merchant, shop.id.as_u128(), Role::Staff).await;
    let viewer = town.key(OwnerKind::Merchant, shop.id.as_u128(), Role::Viewer).await;
    let operator = town.key(OwnerKind::Operator, 8, Role::Admin).await;
    let ming = token(&town, "13800001111").await;

    let body = json!({"order_no": "A/1", "amount": cny(10_000), "subject": "面"});
    let (status, made) = call(&router, "POST", "/v1/trades", &till, body.clone()).await;
    assert_eq!(status, 200, "{made}");
    let (status, paid) = pay(&router, &ming, json!({"code": made["qr"]})).await;
    assert_eq!((status, &paid["trade"], &paid["repeated"]), (200, &made["trade"], &json!(false)), "{paid}");
    let (_, trade) = call(&router, "GET", "/v1/orders/A%2F1", &till, ()).await;
    assert_eq!((&trade["status"], &trade["fee"]), (&json!("paid"), &cny(38)), "{trade}");
    let path = format!("/v1/trades/{}", made["trade"].as_str().expect("an id"));
    assert_eq!(call(&router, "GET", &path, &till, ()).await.1, trade);
    let back = json!({"refund_no": "R-1", "amount": cny(5_000)});
    let (status, refunded) = call(&router, "POST", "/v1/orders/A%2F1/refunds", &till, back.clone()).await;
    assert_eq!((status, &refunded["fee_back"]), (200, &cny(19)), "{refunded}");
    let (_, again) = call(&router, "POST", &format!("{path}/refunds"), &till, back).await;
    assert_eq!((&again["refund"], &again["repeated"]), (&refunded["refund"], &json!(true)));
    let (_, list) = call(&router, "GET", &format!("{path}/refunds"), &till, ()).await;
    assert_eq!((list.as_array().map(Vec::len), &list[0]["amount"]), (Some(1), &cny(5_000)));

    let charge = |number: &str, minor: i64, code: String| json!({"order_no": number, "amount": cny(minor), "payment_code": code});
    let (_, charged) = call(&router, "POST", "/v1/charges", &till, charge("A-2", 300, phone.code())).await;
    assert_eq!(charged["status"], "paid", "{charged}");
    town.pass(10);
    let (_, waits) = call(&router, "POST", "/v1/charges", &till, charge("A-3", 100_001, phone.code())).await;
    assert_eq!((&waits["status"], &waits["paid_at"]), (&json!("waiting"), &Value::Null));
    let (_, list) = call(&router, "GET", "/v1/payments/waiting", &ming, ()).await;
    assert_eq!(list[0]["trade"], waits["trade"]);
    assert_eq!(list[0]["merchant_name"], "西湖面馆");
    let confirm = format!("/v1/payments/waiting/{}/confirm", waits["trade"].as_str().expect("an id"));
    let (status, wrong) = call(&router, "POST", &confirm, &ming, json!({"pin": "246813"})).await;
    assert_eq!((status, wrong["code"].as_str()), (403, Some("pin_wrong")));
    assert_eq!(call(&router, "POST", &confirm, &ming, json!({"pin": "135790"})).await.0, 200);
    let (_, closed) = call(&router, "POST", "/v1/orders/A-9/cancel", &till, ()).await;
    assert_eq!((&closed["status"], &closed["amount"]), (&json!("closed"), &Value::Null));
    let (_, refused) = call(&router, "POST", "/v1/orders/A-3/close", &till, ()).await;
    assert_eq!(refused["code"], "trade_already_paid");

    for (method, path, token, body, status, code) in [
        ("POST", "/v1/trades", "", Some(&body), 401, "unauthenticated"),
        ("POST", "/v1/trades", ming.as_str(), Some(&body), 403, "wrong_key"),
        ("POST", "/v1/trades", operator.as_str(), Some(&body), 403, "wrong_key"),
        ("POST", "/v1/trades", viewer.as_str(), Some(&body), 403, "forbidden"),
        ("POST", "/v1/trades", till.as_str(), Some(&json!({"order_no": "A"})), 400, "malformed_body"),
        ("POST", "/v1/orders/A-1/cancel", viewer.as_str(), None, 403, "forbidden"),
        ("GET", "/v1/orders/unknown", viewer.as_str(), None, 404, "trade_unknown"),
        ("GET", "/v1/trades/A-1", viewer.as_str(), None, 400, "malformed_id"),
        ("GET", "/v1/payments/waiting", till.as_str(), None, 403, "wrong_key"),
        (
            "POST",
            "/v1/payments/waiting/trd_1/confirm",
            ming.as_str(),
            Some(&json!({"pin": "1"})),
            400,
            "malformed_id",
        ),
        ("POST", "/v1/payments", ming.as_str(), Some(&json!({"code": "x"})), 400, "idempotency_key_missing"),
        ("GET", "/v1/merchants/me/statements/today", till.as_str(), None, 400, "malformed_day"),
        ("GET", "/v1/merchants/me/statements/2026-03-02", till.as_str(), None, 409, "day_not_over"),
        ("GET", "/v1/merchants/me/statements/2026-03-02", ming.as_str(), None, 403, "wrong_key"),
    ] {
        let (got, answer) = match body {
            Some(body) => call(&router, method, path, token, body.clone()).await,
            None => call(&router, method, path, token, ()).await,
        };
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{method} {path}: {answer}");
    }
    town.pass(86_400);
    let bearer = format!("Bearer {till}");
    let (status, csv) =
        call_raw(&router, "GET", "/v1/merchants/me/statements/2026-03-02", &[("authorization", &bearer)], ())
            .await;
    assert_eq!(status, 200);
    let csv = String::from_utf8(csv).expect("UTF-8");
    assert!(csv.contains("\r\ntotal,4,,,,,1053.01,"), "{csv}");
    town.assert_conserved().await;
}
