//! The routes: shapes, statuses, and who may call them.

use axum::Router;
use city::identity::{OwnerKind, Role};
use city::merchant;
use serde_json::{Value, json};

use crate::common::{Town, call, call_raw};

fn router(town: &Town) -> Router {
    merchant::http::routes()
        .merge(city::operator::http::routes())
        .split_for_parts()
        .0
        .with_state(town.city.clone())
}

fn body(reference: &str) -> Value {
    json!({"reference": reference, "name": "西湖面馆", "mcc": "5812", "city": "杭州", "region": "330106"})
}

#[tokio::test]
async fn an_operator_opens_lists_and_closes() {
    let town = Town::new().await;
    let app = router(&town);
    let key = town.key(OwnerKind::Operator, 1, Role::Admin).await;
    let (status, shop) = call(&app, "POST", "/v1/merchants", &key, body("s-1")).await;
    let id = merchant::id_of("s-1").to_string();
    assert_eq!((status, &shop["id"], &shop["fee_bp"]), (200, &json!(id), &json!(38)));
    assert_eq!(shop["created_at"], json!("2026-03-02T02:00:00Z"));
    assert_eq!(call(&app, "POST", "/v1/merchants", &key, body("s-1")).await, (200, shop.clone()));
    assert_eq!(call(&app, "GET", &format!("/v1/merchants/{id}"), &key, ()).await, (200, shop.clone()));
    call(&app, "POST", "/v1/merchants", &key, body("s-2")).await;
    let (_, first) = call(&app, "GET", "/v1/merchants?limit=1", &key, ()).await;
    let next = first["next"].as_str().expect("a second page").to_owned();
    let (_, second) = call(&app, "GET", &format!("/v1/merchants?limit=1&cursor={next}"), &key, ()).await;
    assert_ne!(first["items"][0]["id"], second["items"][0]["id"]);
    let (status, closed) = call(&app, "POST", &format!("/v1/merchants/{id}/close"), &key, ()).await;
    assert_eq!((status, &closed["closed_at"]), (200, &json!("2026-03-02T02:00:00Z")));
}

#[tokio::test]
async fn a_shop_reads_itself_and_keeps_tills() {
    let town = Town::new().await;
    let app = router(&town);
    let shop = town.shop("s-1").await;
    let key = town.key(OwnerKind::Merchant, shop.id.as_u128(), Role::Admin).await;
    let (status, me) = call(&app, "GET", "/v1/merchants/me", &key, ()).await;
    assert_eq!((status, &me["id"]), (200, &json!(shop.id.to_string())));
    let (_, balance) = call(&app, "GET", "/v1/merchants/me/balance", &key, ()).await;
    let nothing = json!({"minor": 0, "currency": "CNY"});
    assert_eq!(balance, json!({"available": nothing, "reserved": nothing}));
    let (status, till) = call(&app, "POST", "/v1/merchants/me/tills", &key, json!({"name": "1"})).await;
    assert_eq!(status, 200);
    let (_, tills) = call(&app, "GET", "/v1/merchants/me/tills", &key, ()).await;
    assert_eq!(tills, json!({"items": [till], "next": null}));
    let one = format!("/v1/merchants/me/tills/{}", till["id"].as_str().expect("an id"));
    assert_eq!(call(&app, "DELETE", &one, &key, ()).await.0, 204);
    let (_, tills) = call(&app, "GET", "/v1/merchants/me/tills", &key, ()).await;
    assert_eq!(tills["items"], json!([]));
}

#[tokio::test]
async fn posters() {
    let town = Town::new().await;
    let app = router(&town);
    let shop = town.shop("s-1").await;
    let key = town.key(OwnerKind::Merchant, shop.id.as_u128(), Role::Viewer).await;
    let auth = [("authorization", format!("Bearer {key}"))];
    let auth = auth.each_ref().map(|(k, v)| (*k, v.as_str()));
    for (path, start) in [
        ("/v1/merchants/me/poster.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"105mm\""),
        ("/v1/merchants/me/poster.svg?paper=a5", "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"148mm\""),
        ("/v1/merchants/me/poster.pdf", "%PDF-1.5"),
        ("/v1/merchants/me/poster.pdf?paper=a5", "%PDF-1.5"),
    ] {
        let (status, bytes) = call_raw(&app, "GET", path, &auth, ()).await;
        assert_eq!(status, 200, "{path}");
        assert!(bytes.starts_with(start.as_bytes()), "{path}");
    }
    let (status, problem) = call(&app, "GET", "/v1/merchants/me/poster.pdf?paper=a4", &key, ()).await;
    assert_eq!((status, &problem["code"]), (400, &json!("malformed_query")));
}

#[tokio::test]
async fn refusals_have_stable_codes() {
    let town = Town::new().await;
    let app = router(&town);
    let shop = town.shop("s-1").await;
    let admin = town.key(OwnerKind::Operator, 1, Role::Admin).await;
    let viewer = town.key(OwnerKind::Operator, 1, Role::Viewer).await;
    let own = town.key(OwnerKind::Merchant, shop.id.as_u128(), Role::Admin).await;
    let mut taken = body("s-1");
    taken["name"] = json!("东湖面馆");
    let mut extra = body("s-2");
    extra["fee"] = json!(0);
    let mut region = body("s-2");
    region["region"] = json!("1");
    let unknown = merchant::id_of("nobody");
    let payout = json!({"amount": {"minor": 1, "currency": "CNY"}, "reference": "B-1"});
    let key = json!({"role": "staff", "name": "1", "till": "til_01h2xcejqtf2nbrexx3vqjhp41"});
    for (method, path, key, sent, status, code) in [
        ("POST", "/v1/merchants".to_owned(), "", body("s-2"), 401, "unauthenticated"),
        ("POST", "/v1/merchants".to_owned(), &own, body("s-2"), 403, "wrong_key"),
        ("POST", "/v1/merchants".to_owned(), &viewer, body("s-2"), 403, "forbidden"),
        ("POST", "/v1/merchants".to_owned(), &admin, extra, 400, "malformed_body"),
        ("POST", "/v1/merchants".to_owned(), &admin, region, 422, "merchant_malformed"),
        ("POST", "/v1/merchants".to_owned(), &admin, taken, 409, "merchant_reference_taken"),
        ("POST", format!("/v1/merchants/{unknown}/keys"), &admin, key.clone(), 404, "merchant_unknown"),
        ("POST", format!("/v1/merchants/{}/keys", shop.id), &viewer, key.clone(), 403, "forbidden"),
        ("POST", format!("/v1/merchants/{}/keys", shop.id), &own, key.clone(), 403, "wrong_key"),
        ("POST", "/v1/merchants/me/keys".to_owned(), &own, key, 404, "till_unknown"),
        ("POST", format!("/v1/merchants/{unknown}/payouts"), &admin, payout.clone(), 404, "merchant_unknown"),
        ("POST", format!("/v1/merchants/{}/payouts", shop.id), &viewer, payout.clone(), 403, "forbidden"),
        (
            "POST",
            format!("/v1/merchants/{}/payouts", shop.id),
            &admin,
            payout,
            409,
            "merchant_balance_insufficient",
        ),
        ("GET", "/v1/merchants?cursor=x".to_owned(), &admin, Value::Null, 400, "malformed_cursor"),
        ("GET", "/v1/merchants/mch_1".to_owned(), &admin, Value::Null, 400, "malformed_id"),
        ("GET", format!("/v1/merchants/{unknown}"), &admin, Value::Null, 404, "merchant_unknown"),
        ("GET", "/v1/merchants/me".to_owned(), &admin, Value::Null, 403, "wrong_key"),
        ("GET", "/v1/merchants/me/balance".to_owned(), &admin, Value::Null, 403, "wrong_key"),
        ("GET", "/v1/merchants/me/poster.pdf".to_owned(), &admin, Value::Null, 403, "wrong_key"),
        ("POST", "/v1/merchants/me/tills".to_owned(), &own, json!({"name": " "}), 422, "merchant_malformed"),
        ("DELETE", "/v1/merchants/me/tills/til_x".to_owned(), &own, Value::Null, 400, "malformed_id"),
    ] {
        let (got, problem) = match sent {
            Value::Null => call(&app, method, &path, key, ()).await,
            sent => call(&app, method, &path, key, sent).await,
        };
        assert_eq!((got, problem["code"].as_str()), (status, Some(code)), "{method} {path}");
    }
}
