//! A movement read again: by either side, with all a receipt shows, and by nobody else.

use axum::Router;
use city::identity::{self, OwnerKind, Role};
use serde_json::{Value, json};

use crate::common::{Town, call, call_raw};
use crate::{order, refund, square};

async fn token(town: &Town, phone: &str, name: &str) -> String {
    town.pass(60);
    identity::request_code(&town.city, phone).await.expect("a code");
    let sent = town.code_sent_to(phone);
    identity::sign_in(&town.city, phone, &sent, Some(name)).await.expect("signed in").token
}

async fn post(router: &Router, path: &str, token: &str, key: &str, body: Value) -> Value {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
    let (status, answer) = call_raw(router, "POST", path, &headers, body).await;
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    assert_eq!(status, 200, "{answer}");
    answer
}

#[tokio::test]
async fn what_was_answered_can_be_read_again() {
    let (town, shop, ..) = square().await;
    let city = &town.city;
    let routes = city::trade::http::routes().merge(city::wallet::http::routes());
    let router = routes.split_for_parts().0.with_state(city.clone());
    let cny = |minor: i64| json!({"minor": minor, "currency": "CNY"});
    let (ming, hua) =
        (token(&town, "13800001111", "王小明").await, token(&town, "13800002222", "李华").await);
    let read = async |token: &str, id: &Value| {
        call(&router, "GET", &format!("/v1/payments/{}", id.as_str().expect("an id")), token, ()).await
    };

    let qr = order(&town, &shop, "A-1", 10_000).await;
    let paid = post(&router, "/v1/payments", &ming, "k-1", json!({ "code": qr })).await;
    assert_eq!((&paid["payee_name"], &paid["amount"]), (&json!("西湖面馆"), &cny(10_000)), "{paid}");
    let again = post(&router, "/v1/payments", &ming, "k-1", json!({ "code": qr })).await;
    assert_eq!((&again["id"], &again["repeated"]), (&paid["id"], &json!(true)));
    let wanted = json!({"id": paid["id"], "kind": "trade_payment", "direction": "out", "amount": cny(10_000),
        "at": paid["paid_at"], "other_name": "西湖面馆", "merchant": paid["merchant"], "trade": paid["trade"],
        "order_no": "A-1", "subject": "面", "refunded": cny(0), "coupon": null});
    assert_eq!(read(&ming, &paid["id"]).await, (200, wanted));
    let back = refund(city, &shop, "A-1", "R-1", 300).await.expect("refunded");
    assert_eq!(read(&ming, &paid["id"]).await.1["refunded"], cny(300));

    let sent = json!({"phone": "13800002222", "amount": cny(250)});
    let sent = post(&router, "/v1/transfers", &ming, "k-2", sent).await;
    assert_eq!(sent["payee_name"], "*华");
    for (side, direction, name) in [(&ming, "out", "*华"), (&hua, "in", "**明")] {
        let (status, told) = read(side, &sent["id"]).await;
        assert_eq!(status, 200, "{told}");
        assert_eq!((&told["kind"], &told["direction"]), (&json!("transfer"), &json!(direction)));
        assert_eq!(
            (&told["other_name"], &told["amount"], &told["at"]),
            (&json!(name), &cny(250), &sent["at"])
        );
    }
    // Every entry of the history can be read.
    let (_, history) = call(&router, "GET", "/v1/wallet/history", &ming, ()).await;
    let mut kinds = Vec::new();
    for entry in history["items"].as_array().expect("items") {
        let (status, told) = read(&ming, &entry["id"]).await;
        assert_eq!(status, 200, "{told}");
        for member in ["id", "kind", "direction", "amount", "at"] {
            assert_eq!(told[member], entry[member], "{member}");
        }
        kinds.push(told["kind"].as_str().expect("a kind").to_owned());
    }
    assert_eq!(kinds, ["transfer", "trade_refund", "trade_payment", "deposit"]);
    let refund_id = json!(kernel::ids::PaymentId::from_u128(back.refund.as_u128()).to_string());
    let (_, told) = read(&ming, &refund_id).await;
    assert_eq!(
        (&told["direction"], &told["order_no"], &told["refunded"]),
        (&json!("in"), &json!("A-1"), &Value::Null)
    );

    let till = town.key(OwnerKind::Merchant, shop.id.as_u128(), Role::Admin).await;
    let nobody = json!("pay_01h2xcejqtf2nbrexx3vqjhp41");
    for (who, id, status, code) in [
        (&hua, &paid["id"], 404, "payment_unknown"),
        (&ming, &nobody, 404, "payment_unknown"),
        (&ming, &paid["trade"], 400, "malformed_id"),
        (&till, &paid["id"], 403, "wrong_key"),
    ] {
        let (got, answer) = read(who, id).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{id}: {answer}");
    }
}
