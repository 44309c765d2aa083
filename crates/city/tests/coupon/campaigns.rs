//! Campaigns through the routes: set up, listed, ended, with four eyes, in the trail; and what residents see of them.

use axum::Router;
use city::identity::{self, Operator, OwnerKind, Role};
use kernel::ids::OperatorId;
use serde_json::{Value, json};

use crate::common::{Town, call, call_raw, code};
use crate::{campaign, pay, wanted};
use city::coupon;

fn router(town: &Town) -> Router {
    let routes = identity::http::routes()
        .merge(city::wallet::http::routes())
        .merge(city::trade::http::routes())
        .merge(city::coupon::http::routes())
        .merge(city::operator::http::routes());
    routes.split_for_parts().0.with_state(town.city.clone())
}

async fn operator(town: &Town, name: &str, role: Role) -> (Operator, String) {
    let new = identity::bootstrap_operator(&town.city, name).await.expect("an operator");
    let owner = new.key.owner;
    town.pass(1); // lists are in the order of time
    let key = identity::create_key(&town.city, OwnerKind::Operator, owner, role, None, "desk").await;
    let key = key.expect("a key");
    (Operator { id: OperatorId::from_u128(owner), role, key: key.key.id, browser: false }, key.secret)
}

fn request(budget: i64) -> Value {
    let cny = |minor: i64| json!({ "minor": minor, "currency": "CNY" });
    json!({
        "name": "满30减5", "discount": cny(500), "minimum": cny(3_000), "budget": cny(budget),
        "valid_from": "2026-03-02T02:00:00Z", "valid_until": "2026-03-04T02:00:00Z",
    })
}

async fn create(router: &Router, secret: &str, key: &str, body: &Value) -> (u16, Value) {
    let bearer = format!("Bearer {secret}");
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
    let (status, bytes) = call_raw(router, "POST", "/v1/operator/campaigns", &headers, body.clone()).await;
    (status, serde_json::from_slice(&bytes).expect("JSON"))
}

#[tokio::test]
async fn a_campaign_from_its_beginning_to_its_end() {
    let town = Town::new().await;
    let router = router(&town);
    let (_, admin) = operator(&town, "值班 1", Role::Admin).await;
    let (_, viewer) = operator(&town, "值班 2", Role::Viewer).await;
    let shop = town.shop("S-1").await;
    let payer = town.rich("13800001111", 10_000).await;
    let (status, made) = create(&router, &admin, "k-1", &request(1_200)).await;
    assert_eq!((status, &made["waits_for"]), (201, &Value::Null), "{made}");
    let made = &made["campaign"];
    assert_eq!((&made["state"], &made["left"]["minor"]), (&json!("running"), &json!(1_200)));
    let id = made["id"].as_str().expect("an id");
    assert!(id.starts_with("cpn_"));
    town.pass(1); // the trail is in the order of time
    let (status, again) = create(&router, &admin, "k-1", &request(1_200)).await;
    assert_eq!((status, &again["campaign"]), (201, made));
    town.pass(1);
    let (status, other) = create(&router, &admin, "k-1", &request(1_300)).await;
    assert_eq!((status, &other["code"]), (409, &json!("idempotency_key_used")));

    let parsed: kernel::ids::CampaignId = id.parse().expect("an id");
    pay(&town.city, (&shop, &payer), "A-1", 3_000, parsed).await.expect("paid");
    let other = town.rich("13800002222", 10_000).await;
    pay(&town.city, (&shop, &other), "A-2", 3_000, parsed).await.expect("paid");
    let (status, list) = call(&router, "GET", "/v1/operator/campaigns", &viewer, ()).await;
    let item = &list["items"][0];
    assert_eq!((status, &item["id"], &item["left"]["minor"]), (200, &json!(id), &json!(200)));
    assert_eq!((&item["state"], &list["next"]), (&json!("used_up"), &Value::Null));

    let path = format!("/v1/operator/campaigns/{id}/end");
    let why = format!("{path}?reason=budget%20cut");
    let (status, refused) = call(&router, "POST", &why, &viewer, ()).await;
    assert_eq!((status, &refused["code"]), (403, &json!("forbidden")));
    town.pass(1);
    let (status, ended) = call(&router, "POST", &why, &admin, ()).await;
    assert_eq!((status, &ended["returned"]["minor"]), (200, &json!(200)), "{ended}");
    assert_eq!(
        (&ended["campaign"]["state"], &ended["campaign"]["left"]["minor"]),
        (&json!("ended"), &json!(0))
    );
    town.pass(1);
    // What was ended stays so, whoever asks for it again.
    let (status, again) = create(&router, &admin, "k-1", &request(1_200)).await;
    assert_eq!((status, &again["campaign"]["state"]), (201, &json!("ended")));
    let (_, trail) = call(&router, "GET", "/v1/operator/audit", &admin, ()).await;
    let acts: Vec<_> =
        trail["items"].as_array().expect("acts").iter().filter(|a| a["subject"] == id).collect();
    let seen = |i: usize| (acts[i]["action"].as_str(), acts[i]["outcome"].as_str());
    assert_eq!(seen(1), (Some("end_campaign"), Some("done")));
    assert_eq!((acts[1]["reason"].as_str(), acts.len()), (Some("budget cut"), 5));
    assert_eq!(seen(2), (Some("create_campaign"), Some("idempotency_key_used")));
    assert_eq!(acts[4]["detail"], "budget=1200 discount=500 minimum=3000");
    town.assert_conserved().await;
}

#[tokio::test]
async fn what_is_no_campaign_is_refused() {
    let town = Town::new().await;
    let router = router(&town);
    let (_, admin) = operator(&town, "值班 1", Role::Admin).await;
    let (_, staff) = operator(&town, "值班 2", Role::Staff).await;
    let with = |field: &str, value: Value| {
        let mut body = request(1_000);
        body[field] = value;
        body
    };
    let cny = |minor: i64| json!({ "minor": minor, "currency": "CNY" });
    for (body, wanted) in [
        (with("name", json!("")), (422, "campaign_malformed")),
        (with("discount", cny(3_000)), (422, "campaign_malformed")),
        (with("discount", cny(0)), (422, "campaign_malformed")),
        (with("minimum", cny(-1)), (422, "campaign_malformed")),
        (with("budget", cny(499)), (422, "campaign_malformed")),
        (with("budget", json!({ "minor": 1_000, "currency": "JPY" })), (422, "campaign_malformed")),
        (with("valid_until", json!("2026-03-02T02:00:00Z")), (422, "campaign_malformed")),
        (with("valid_from", json!("2026-03-09T02:00:00Z")), (422, "campaign_malformed")),
        (with("shop", json!("mch_01h2xcejqtf2nbrexx3vqjhp41")), (404, "merchant_unknown")),
        (with("reason", json!("why")), (422, "reason_missing")),
        (with("valid_from", json!("today")), (400, "malformed_body")),
        (with("more", json!(1)), (400, "malformed_body")),
    ] {
        let (status, refused) = create(&router, &admin, "k", &body).await;
        assert_eq!((status, refused["code"].as_str()), (wanted.0, Some(wanted.1)), "{body}");
    }
    let mut past = with("valid_from", json!("2026-02-01T02:00:00Z"));
    past["valid_until"] = json!("2026-03-02T01:59:59Z");
    let (status, refused) = create(&router, &admin, "k", &past).await;
    assert_eq!((status, refused["code"].as_str()), (422, Some("campaign_malformed")));
    let (status, refused) = create(&router, &staff, "k", &request(1_000)).await;
    assert_eq!((status, refused["code"].as_str()), (403, Some("forbidden")));
    let (status, refused) = call(&router, "POST", "/v1/operator/campaigns", &admin, request(1_000)).await;
    assert_eq!((status, refused["code"].as_str()), (400, Some("idempotency_key_missing")));
    let unknown = "/v1/operator/campaigns/cpn_01h2xcejqtf2nbrexx3vqjhp41/end";
    let (status, refused) = call(&router, "POST", unknown, &admin, ()).await;
    assert_eq!((status, refused["code"].as_str()), (404, Some("coupon_unknown")));
    let (_, list) = call(&router, "GET", "/v1/operator/campaigns", &admin, ()).await;
    assert_eq!(list["items"], json!([]));
}

#[tokio::test]
async fn a_budget_above_the_limit_takes_two() {
    let town = Town::new().await;
    let router = router(&town);
    let (_, first) = operator(&town, "值班 1", Role::Admin).await;
    let (_, second) = operator(&town, "值班 2", Role::Staff).await;
    let limit = town.city.settings.four_eyes_limit_minor;
    let (status, made) = create(&router, &first, "k-1", &request(limit + 1)).await;
    assert_eq!((status, &made["campaign"]["state"]), (201, &json!("unfunded")), "{made}");
    let approval = made["waits_for"].as_str().expect("an approval");
    let id = made["campaign"]["id"].as_str().expect("an id");
    let (_, again) = create(&router, &first, "k-1", &request(limit + 1)).await;
    assert_eq!(again["waits_for"], approval, "one request, however often it is sent");
    let path = format!("/v1/operator/approvals/{approval}");
    let (_, seen) = call(&router, "GET", &path, &second, ()).await;
    let shown = (&seen["kind"], &seen["subject"], &seen["subject_name"], &seen["amount"]["minor"]);
    assert_eq!(shown, (&json!("campaign"), &json!(id), &json!("满30减5"), &json!(limit + 1)));
    let approve = format!("{path}/approve");
    let why = json!({ "reason": "checked with finance" });
    let (status, refused) = call(&router, "POST", &approve, &first, why.clone()).await;
    assert_eq!((status, refused["code"].as_str()), (403, Some("approval_own")));
    for _ in 0..2 {
        let (status, done) = call(&router, "POST", &approve, &second, why.clone()).await;
        assert_eq!((status, done["state"].as_str()), (200, Some("booked")), "{done}");
    }
    let (_, list) = call(&router, "GET", "/v1/operator/campaigns", &second, ()).await;
    let item = &list["items"][0];
    assert_eq!((&item["state"], &item["left"]["minor"]), (&json!("running"), &json!(limit + 1)));
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_campaign_that_was_ended_is_given_nothing() {
    let town = Town::new().await;
    let wanted = wanted(&town, 500);
    let made = coupon::create(&town.city, &town.operator, "c", &wanted).await.expect("a campaign");
    let fund = async |minor| coupon::fund(&town.city, &town.operator, made.id, town.money(minor)).await;
    assert_eq!(code(fund(501).await), "campaign_malformed");
    coupon::end(&town.city, &town.operator, made.id).await.expect("ended without a budget");
    assert_eq!(code(fund(500).await), "campaign_ended");
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_campaign_that_a_crash_left_without_its_budget_is_asked_for_again() {
    let town = Town::new().await;
    let wanted = wanted(&town, 500);
    let cut = coupon::create(&town.city, &town.operator, "c", &wanted).await.expect("a campaign");
    let node = town.node().await;
    for _ in 0..2 {
        let made = city::operator::campaign::create(&node, &town.operator, "c", &wanted, None).await;
        let standing = made.expect("the same campaign").standing;
        assert_eq!((standing.campaign.id, standing.funded, standing.left), (cut.id, true, town.money(500)));
    }
    town.assert_conserved().await;
}

#[tokio::test]
async fn campaigns_are_paged_newest_first() {
    let town = Town::new().await;
    let router = router(&town);
    let (_, viewer) = operator(&town, "值班 1", Role::Viewer).await;
    let mut made = Vec::new();
    for key in ["a", "b", "c"] {
        made.push(campaign(&town, key, &wanted(&town, 500)).await.to_string());
        town.pass(1);
    }
    let mut seen = Vec::new();
    let mut path = "/v1/operator/campaigns?limit=2".to_owned();
    loop {
        let (status, page) = call(&router, "GET", &path, &viewer, ()).await;
        assert_eq!(status, 200);
        seen.extend(
            page["items"].as_array().expect("items").iter().map(|c| c["id"].as_str().expect("id").to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/operator/campaigns?limit=2&cursor={next}");
    }
    made.reverse();
    assert_eq!(seen, made);
    let (status, refused) = call(&router, "GET", "/v1/operator/campaigns?cursor=x", &viewer, ()).await;
    assert_eq!((status, refused["code"].as_str()), (400, Some("malformed_cursor")));
}

#[tokio::test]
async fn a_resident_sees_pays_and_reads_it_again() {
    let town = Town::new().await;
    let router = router(&town);
    let shop = town.shop("S-1").await;
    let payer = town.rich("13800001111", 10_000).await;
    identity::request_code(&town.city, "13800001111").await.expect("a code is sent");
    let sent = town.code_sent_to("13800001111");
    let token = identity::sign_in(&town.city, "13800001111", &sent, None).await.expect("signed in").token;
    let coupon = campaign(&town, "c", &wanted(&town, 500)).await.to_string();
    let listed = format!("/v1/coupons?shop={}&amount=3000", shop.id);
    let (status, list) = call(&router, "GET", &listed, &token, ()).await;
    let cny = |minor: i64| json!({ "minor": minor, "currency": "CNY" });
    let item = json!({ "id": coupon, "name": "满30减5", "discount": cny(500), "minimum": cny(3_000),
        "valid_until": "2026-03-04T02:00:00Z" });
    assert_eq!((status, list), (200, json!({ "items": [item] })));
    for path in ["/v1/coupons", "/v1/coupons?shop=x&amount=1"] {
        let (status, refused) = call(&router, "GET", path, &token, ()).await;
        assert_eq!((status, refused["code"].as_str()), (400, Some("malformed_query")), "{path}");
    }
    let face = city::merchant::get(&town.city, shop.id).await.expect("the shop");
    let poster = city::merchant::poster::payload_static(&face, &town.city.settings).expect("a poster");
    let body = json!({ "code": poster, "amount": cny(3_000), "coupon": coupon });
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k-1")];
    let (status, bytes) = call_raw(&router, "POST", "/v1/payments", &headers, body).await;
    let paid: Value = serde_json::from_slice(&bytes).expect("JSON");
    let used = json!({ "id": coupon, "name": "满30减5", "discount": cny(500) });
    assert_eq!((status, &paid["amount"], &paid["payer_paid"]), (200, &cny(3_000), &cny(2_500)), "{paid}");
    assert_eq!(paid["coupon"], used);
    let read = format!("/v1/payments/{}", paid["id"].as_str().expect("an id"));
    let (_, movement) = call(&router, "GET", &read, &token, ()).await;
    assert_eq!((&movement["amount"], &movement["coupon"]), (&cny(3_000), &used));
    let (_, history) = call(&router, "GET", "/v1/wallet/history", &token, ()).await;
    let kinds: Vec<_> =
        history["items"].as_array().expect("items").iter().map(|e| e["kind"].as_str()).collect();
    assert_eq!(kinds, [Some("trade_payment"), Some("coupon"), Some("deposit")]);
    let read = format!("/v1/payments/{}", history["items"][1]["id"].as_str().expect("an id"));
    let (_, movement) = call(&router, "GET", &read, &token, ()).await;
    assert_eq!(
        (&movement["kind"], &movement["direction"], &movement["coupon"]),
        (&json!("coupon"), &json!("in"), &used)
    );
    let (_, list) = call(&router, "GET", &listed, &token, ()).await;
    assert_eq!(list, json!({ "items": [] }));
    assert_eq!(payer.tier, identity::Tier::III);
}

#[tokio::test]
async fn the_books_check_knows_budgets() {
    let town = Town::new().await;
    let router = router(&town);
    let (_, staff) = operator(&town, "值班 1", Role::Staff).await;
    let shop = town.shop("S-1").await;
    let payer = town.rich("13800001111", 10_000).await;
    let coupon = campaign(&town, "c", &wanted(&town, 1_200)).await;
    pay(&town.city, (&shop, &payer), "A-1", 3_000, coupon).await.expect("paid");
    let (status, _) = call(&router, "POST", "/v1/operator/checks", &staff, ()).await;
    assert_eq!(status, 202);
    let check = loop {
        let (_, now) = call(&router, "GET", "/v1/operator/live", &staff, ()).await;
        if now["check"]["state"] != json!("running") {
            break now["check"].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    assert_eq!(check["state"], json!("passed"), "{check}");
    let sums = ["bank_minor", "wallets_minor", "campaigns_minor", "differences"];
    assert_eq!(sums.map(|s| check["report"][s].as_i64().expect("a number")), [11_200, 7_500, 700, 0]);
}
