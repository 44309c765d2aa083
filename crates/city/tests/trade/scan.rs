//! What a scanned text is: told to who can pay it, refused with a reason to everybody else.

use city::identity::{self, OwnerKind, Role};
use city::merchant::{self, poster::Poster};
use city::{City, trade, wallet};
use codes::mpm::{self, ShopFace};
use kernel::ids::{MerchantId, ResidentId, TradeId};
use serde_json::{Value, json};

use crate::common::{Town, call, refused_with};
use crate::{charge, order, scan, square, waiting};

async fn token(town: &Town, phone: &str) -> String {
    town.pass(60);
    identity::request_code(&town.city, phone).await.expect("a code");
    let sent = town.code_sent_to(phone);
    identity::sign_in(&town.city, phone, &sent, Some("李雷")).await.expect("signed in").token
}

fn router(city: &City) -> axum::Router {
    trade::http::routes().split_for_parts().0.with_state(city.clone())
}

async fn read(town: &Town, token: &str, payload: &str) -> (u16, Value) {
    call(&router(&town.city), "POST", "/v1/codes/read", token, json!({ "payload": payload })).await
}

async fn poster(town: &Town, merchant: MerchantId) -> String {
    let shop = merchant::get(&town.city, merchant).await.expect("a shop");
    Poster::new(&shop, &town.city.settings).expect("a poster").payload().to_owned()
}

/// A code as somebody who knows how they are made could make it.
fn forged(merchant: MerchantId, trade: Option<TradeId>, minor: u64, currency: &str) -> String {
    let face = ShopFace {
        merchant: &merchant.to_string(),
        name: "Shop",
        latin_name: None,
        city: "Hangzhou",
        latin_city: None,
        category_code: "5812",
        currency,
        country: "CN",
    };
    let code = match trade {
        Some(trade) => mpm::merchant_dynamic(&face, &trade.to_string(), minor, 2),
        None => mpm::merchant_static(&face),
    };
    code.and_then(|code| code.encode()).expect("a code")
}

#[tokio::test]
async fn what_can_be_paid_is_told() {
    let (town, shop, payer, _) = square().await;
    let li = token(&town, "13800002222").await;
    let limit = json!({"minor": 100_000, "currency": "CNY"});
    let cny = |minor: i64| json!({"minor": minor, "currency": "CNY"});
    let (status, answer) = read(&town, &li, &poster(&town, shop.id).await).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        answer,
        json!({"kind": "shop_poster", "payee_name": "西湖面馆", "merchant": shop.id.to_string(), "trade": null,
            "amount": null, "order_no": null, "note": null, "expires_at": null, "needs_pin_above": limit})
    );
    let qr = order(&town, &shop, "A-1", 1_250).await;
    let (_, answer) = read(&town, &li, &qr).await;
    let trade = trade::id_of(shop.id, "A-1").to_string();
    assert_eq!(
        answer,
        json!({"kind": "shop_order", "payee_name": "西湖面馆", "merchant": shop.id.to_string(), "trade": trade,
            "amount": cny(1_250), "order_no": "A-1", "note": "面", "expires_at": "2026-03-02T02:16:00Z",
            "needs_pin_above": limit})
    );
    for (amount, told) in [(None, Value::Null), (Some(900), cny(900))] {
        let (_, answer) = read(&town, &li, &wallet::rules::personal_code(payer.id, amount)).await;
        assert_eq!(
            answer,
            json!({"kind": "personal", "payee_name": "**明", "merchant": null, "trade": null, "amount": told,
                "order_no": null, "note": null, "expires_at": null, "needs_pin_above": limit})
        );
    }
    assert_eq!(trade::query(&town.city, &shop, "A-1").await.expect("known").status, trade::Status::Open);
}

#[tokio::test]
async fn what_cannot_be_paid_is_refused_with_its_reason() {
    let (town, shop, payer, phone) = square().await;
    let li = token(&town, "13800002222").await;
    let ming = token(&town, "13800001111").await;
    let profile = identity::authenticate_resident(&town.city, &li).await.expect("signed in");
    let (paid, closed, waits) =
        (order(&town, &shop, "A-1", 500).await, order(&town, &shop, "A-2", 500).await, "A-3");
    scan(&town.city, &payer, &paid, "k").await.expect("paid");
    trade::close(&town.city, &shop, "A-2").await.expect("closed");
    waiting(charge(&town.city, &shop, waits, 100_001, &phone.code()).await);
    let waits = forged(shop.id, Some(trade::id_of(shop.id, waits)), 100_001, "156");
    let gone = town.shop("S-2").await;
    merchant::close(&town.city, &town.operator, gone.id).await.expect("closed");
    let late = order(&town, &shop, "A-4", 500).await;
    let mut damaged = late.clone();
    damaged.replace_range(damaged.len() - 4.., "0000");
    let personal = |who: ResidentId, minor| wallet::rules::personal_code(who, minor);
    let foreign = forged(shop.id, None, 0, "156").replace("org.yima.pay", "org.else.pay");
    let body = &foreign[..foreign.len() - 4];
    let foreign = format!("{body}{:04X}", mpm::crc16(body.as_bytes()));
    for (payload, status, refused) in [
        ("", 422, "empty"),
        ("hello", 422, "bad_header"),
        (&damaged, 422, "crc_mismatch"),
        (&late[..40], 422, "truncated"),
        (&foreign, 422, "foreign_code"),
        ("https://qr.example.com/bax0123", 422, "foreign_code"),
        ("wxp://f2f0abcdef", 422, "foreign_code"),
        (&phone.code(), 422, "is_payment_code"),
        (&forged(shop.id, None, 0, "840"), 409, "amount_differs"),
        (&forged(merchant::id_of("nobody"), None, 0, "156"), 404, "merchant_unknown"),
        (&forged(shop.id, Some(trade::id_of(shop.id, "A-9")), 500, "156"), 404, "trade_unknown"),
        (&forged(gone.id, Some(trade::id_of(shop.id, "A-4")), 500, "156"), 404, "trade_unknown"),
        (&forged(shop.id, Some(trade::id_of(shop.id, "A-4")), 501, "156"), 409, "amount_differs"),
        (&poster(&town, gone.id).await, 409, "merchant_closed"),
        (&paid, 409, "trade_already_paid"),
        (&closed, 409, "trade_closed"),
        (&waits, 403, "trade_not_for_you"),
        ("yima:", 422, "personal_code_malformed"),
        (&personal(profile.id, None), 422, "payee_is_payer"),
        (&personal(payer.id, Some(0)), 422, "amount_unacceptable"),
        (&personal(ResidentId::from_u128(7), None), 404, "resident_unknown"),
    ] {
        let (got, answer) = read(&town, &li, payload).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(refused)), "{payload}: {answer}");
        assert!(answer["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    }
    assert_eq!(read(&town, &ming, &waits).await.0, 200, "it waits for this payer");
    assert_eq!(read(&town, &li, &late).await.0, 200);
    town.pass(15 * 60);
    assert_eq!(read(&town, &li, &late).await.1["code"], "trade_closed");
    let till = town.key(OwnerKind::Merchant, shop.id.as_u128(), Role::Staff).await;
    assert_eq!(read(&town, &till, &late).await.0, 403, "residents only");
    assert_eq!(read(&town, "", &late).await.0, 401);
}

/// Who tries one code after another is told twenty times a day that there is nothing, and then nothing at
/// all; whoever mistyped phones can still pay in shops, and the other way round.
#[tokio::test]
async fn guessing_codes_is_stopped() {
    let (town, shop, payer, _) = square().await;
    let real = order(&town, &shop, "A-7", 500).await;
    let mut answers = Vec::new();
    for n in 0..40u64 {
        // The number is there at times, the amount never is.
        let number = format!("A-{}", n % 10);
        let guess = forged(shop.id, Some(trade::id_of(shop.id, &number)), 1_000 + n, "156");
        answers.push(trade::scan::scan(&town.city, &payer, &guess).await);
    }
    assert_eq!(refused_with(&answers, "trade_unknown"), 18);
    assert_eq!(refused_with(&answers, "amount_differs"), 2);
    assert_eq!(refused_with(&answers, "too_many_lookups"), 20);
    let told = trade::scan::scan(&town.city, &payer, &real).await;
    assert_eq!(refused_with(&[told], "too_many_lookups"), 1, "the right one is refused as well");
    let phone = wallet::Payee::Phone("13800001111".to_owned());
    assert!(wallet::payee(&town.city, &payer, &phone).await.is_ok(), "phones are counted by themselves");
    town.pass(86_400);
    assert_eq!(trade::scan::scan(&town.city, &payer, &real).await.map_err(|e| e.to_string()).err(), {
        Some("this trade is closed".to_owned())
    });
}
