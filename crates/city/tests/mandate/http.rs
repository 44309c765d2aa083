//! The routes: their shapes, and every refusal.

use serde_json::{Value, json};

use crate::common::{PIN, Town, call, call_raw};
use crate::power_bills::{POWER, bills, token};
use crate::{payer, work};

fn cny(minor: i64) -> Value {
    json!({"minor": minor, "currency": "CNY"})
}

async fn post(router: &axum::Router, token: &str, key: &str, body: &Value) -> (u16, Value) {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
    let (status, answer) = call_raw(router, "POST", "/v1/mandates", &headers, body.clone()).await;
    (status, serde_json::from_slice(&answer).unwrap_or(Value::Null))
}

#[tokio::test]
async fn made_listed_changed_and_skipped() {
    let town = Town::new().await;
    payer(&town, "13800000001", 500_000).await;
    let (ming, hua) = (token(&town, "13800000001").await, token(&town, "13800000002").await);
    let router = city::mandate::http::routes().split_for_parts().0.with_state(town.city.clone());
    let good = json!({"account": {"biller": "hz-power", "account_no": POWER[0]}, "cap_bill": cny(30_000),
        "cap_month": cny(50_000), "days_before_due": 3, "pin": PIN});
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (body, status, code) in [
        (with("pin", Value::Null), 403, "pin_required"),
        (with("pin", json!("246801")), 403, "pin_wrong"),
        (with("account", Value::Null), 422, "mandate_malformed"),
        (with("categories", json!(["power"])), 422, "mandate_malformed"),
        (with("account", json!({"biller": "hz-power", "account_no": "1"})), 422, "account_shape"),
        (with("account", json!({"biller": "hz-none", "account_no": "1"})), 404, "biller_unknown"),
        (with("cap_bill", cny(0)), 422, "mandate_malformed"),
        (with("cap_bill", json!({"minor": 1, "currency": "EUR"})), 422, "mandate_malformed"),
        (with("cap_month", cny(1)), 422, "mandate_malformed"),
        (with("valid_from", json!("2026-03-01")), 422, "mandate_malformed"),
        (with("valid_until", json!("2026-03-01")), 422, "mandate_malformed"),
        (with("valid_until", json!("soon")), 400, "malformed_day"),
        (with("notice_days", json!(15)), 422, "mandate_malformed"),
        (with("days_before_due", json!(31)), 422, "mandate_malformed"),
        (with("family", json!("fam_01h2xcejqtf2nbrexx3vqjhp41")), 404, "family_unknown"),
    ] {
        let (got, answer) = post(&router, &ming, "k", &body).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{body}: {answer}");
    }
    let (status, made) = post(&router, &ming, "k", &good).await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(
        (&made["state"], &made["left"], &made["notice_days"]),
        (&json!("active"), &cny(50_000), &json!(2))
    );
    assert_eq!(post(&router, &ming, "k", &good).await.1["id"], made["id"], "the same again");
    assert_eq!(
        post(&router, &ming, "k", &with("notice_days", json!(5))).await.1["code"],
        "idempotency_key_used"
    );
    let (_, list) = call(&router, "GET", "/v1/mandates", &ming, ()).await;
    assert_eq!(list["items"], json!([made]));
    assert_eq!(call(&router, "GET", "/v1/mandates", &hua, ()).await.1["items"], json!([]));

    let bill = bills(&town, &[(POWER[0], "B1", "100.00")]).await[0].bill.id;
    work(&town).await;
    let at = format!("/v1/mandates/{}", made["id"].as_str().expect("an id"));
    let (_, runs) = call(&router, "GET", &format!("{at}/runs?limit=1"), &ming, ()).await;
    let run = &runs["items"][0];
    assert_eq!((&run["state"], &run["can_be_skipped"]), (&json!("noticed"), &json!(true)), "{runs}");
    let next = runs["next"].as_str().expect("a full page has a next");
    let (_, rest) = call(&router, "GET", &format!("{at}/runs?cursor={next}"), &ming, ()).await;
    assert_eq!((&rest["items"], &rest["next"]), (&json!([]), &Value::Null));
    let change = json!({"cap_month": cny(60_000), "at_once": true, "valid_until": "2026-12-31", "pin": PIN});
    let (status, changed) = call(&router, "PATCH", &at, &ming, change).await;
    assert_eq!((status, &changed["left"], &changed["days_before_due"]), (200, &cny(60_000), &Value::Null));
    let (_, skipped) = call(&router, "POST", &format!("{at}/skip"), &ming, json!({"bill": bill})).await;
    assert_eq!(skipped["state"], "skipped");
    for (verb, state) in
        [("pause", "paused"), ("resume", "active"), ("revoke", "revoked"), ("revoke", "revoked")]
    {
        let (_, answer) = call(&router, "POST", &format!("{at}/{verb}"), &ming, ()).await;
        assert_eq!(answer["state"], state);
    }
    let unknown = json!({"bill": "bil_01h2xcejqtf2nbrexx3vqjhp41"});
    for (method, path, who, body, status, code) in [
        ("POST", format!("{at}/skip"), &ming, unknown.clone(), 404, "mandate_run_unknown"),
        ("POST", format!("{at}/skip"), &hua, unknown, 404, "mandate_unknown"),
        ("POST", format!("{at}/pause"), &ming, Value::Null, 409, "mandate_revoked"),
        ("PATCH", at.clone(), &ming, json!({"notice_days": 1, "pin": PIN}), 409, "mandate_revoked"),
        ("GET", at.clone(), &hua, Value::Null, 404, "mandate_unknown"),
        ("GET", format!("{at}/runs"), &hua, Value::Null, 404, "mandate_unknown"),
        ("GET", format!("{at}/runs?cursor=x"), &ming, Value::Null, 400, "malformed_cursor"),
        ("GET", "/v1/mandates/x".to_owned(), &ming, Value::Null, 400, "malformed_id"),
    ] {
        let (got, answer) = call(&router, method, &path, who, body).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{method} {path}: {answer}");
    }
    assert_eq!(call(&router, "GET", "/v1/mandates", "", ()).await.0, 401);
}
