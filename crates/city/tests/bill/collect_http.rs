//! Collectors' routes: from registering one to handing over, batches, and every refusal a collector can meet.

use city::identity::{OwnerKind, Role};
use kernel::Clock as _;
use serde_json::{Value, json};

use crate::common::{Town, call};
use crate::support::{POWER, import, one_bill, power_file, shipped};

struct Desk {
    town: Town,
    router: axum::Router,
    operator: String,
}

impl Desk {
    async fn new() -> Desk {
        let town = Town::new().await;
        let (router, _) = city::bill::http::routes().merge(city::operator::http::routes()).split_for_parts();
        let router = router.with_state(town.city.clone());
        let operator = town.key(OwnerKind::Operator, town.operator.id.as_u128(), Role::Admin).await;
        Desk { town, router, operator }
    }

    async fn ask(&self, method: &str, path: &str, key: &str, body: Value) -> (u16, Value) {
        match body {
            Value::Null => call(&self.router, method, path, key, "").await,
            body => call(&self.router, method, path, key, body).await,
        }
    }

    /// A registered collector: its id and a key of its own.
    async fn collector(&self, reference: &str, billers: &[&str], limit: i64) -> (String, String) {
        let request = json!({"reference": reference, "kind": "bank", "name": {"zh": "工商银行柜面", "en": "ICBC counters"},
            "billers": billers, "limit": {"minor": limit, "currency": "CNY"}});
        let (status, made) = self.ask("POST", "/v1/operator/collectors", &self.operator, request).await;
        assert_eq!(status, 200, "{made}");
        let id = made["id"].as_str().unwrap().to_owned();
        let owner: kernel::ids::CollectorId = id.parse().unwrap();
        (id, self.town.key(OwnerKind::Collector, owner.as_u128(), Role::Staff).await)
    }
}

fn yuan(minor: i64) -> Value {
    json!({"minor": minor, "currency": "CNY"})
}

#[tokio::test]
async fn a_counter_finds_claims_confirms_and_hands_over() {
    let desk = Desk::new().await;
    one_bill(&desk.town).await;
    let (id, key) = desk.collector("icbc", &["hz-power"], 50_000).await;
    let (_, me) = desk.ask("GET", "/v1/collector", &key, Value::Null).await;
    assert_eq!((&me["open"], &me["left"]["minor"]), (&json!(true), &json!(50_000)), "{me}");
    let bills = format!("/v1/collector/billers/hz-power/bills?account_no={}", POWER[0]);
    let (status, found) = desk.ask("GET", &bills, &key, Value::Null).await;
    assert_eq!(status, 200, "{found}");
    let bill = &found["items"][0];
    let request = json!({"bill": bill["id"], "quote": bill["quote"]["id"], "reference": "A1"});
    let (status, held) = desk.ask("POST", "/v1/collector/claims", &key, request.clone()).await;
    assert_eq!((status, &held["state"]), (200, &json!("held")), "{held}");
    assert!(held["until"].is_string(), "{held}");
    let claim = format!("/v1/collector/claims/{}", held["id"].as_str().unwrap());
    let cancel = format!("{claim}/cancel");
    let (_, cancelled) = desk.ask("POST", &cancel, &key, Value::Null).await;
    assert_eq!(cancelled["state"], "cancelled", "{cancelled}");
    let mut again = request;
    again["reference"] = json!("A2");
    let (_, held) = desk.ask("POST", "/v1/collector/claims", &key, again).await;
    let claim = format!("/v1/collector/claims/{}", held["id"].as_str().unwrap());
    for _ in 0..2 {
        let (status, paid) = desk.ask("POST", &format!("{claim}/confirm"), &key, Value::Null).await;
        assert_eq!((status, &paid["state"]), (200, &json!("paid")), "{paid}");
    }
    let (_, all) = desk.ask("GET", "/v1/collector/claims?limit=1", &key, Value::Null).await;
    assert_eq!(all["items"][0]["reference"], "A2");
    let next = format!("/v1/collector/claims?limit=1&cursor={}", all["next"].as_str().unwrap());
    let (_, older) = desk.ask("GET", &next, &key, Value::Null).await;
    assert_eq!(older["items"][0]["reference"], "A1");
    let settle = format!("/v1/operator/collectors/{id}/settlements");
    for _ in 0..2 {
        let handed = json!({"amount": yuan(10_000), "reference": "wire-1", "reason": "handed over"});
        let (status, body) = desk.ask("POST", &settle, &desk.operator, handed).await;
        assert_eq!(status, 200, "{body}");
    }
    let (_, me) = desk.ask("GET", "/v1/collector", &key, Value::Null).await;
    assert_eq!((&me["owed"]["minor"], &me["left"]["minor"]), (&json!(0), &json!(50_000)));
    desk.town.assert_conserved().await;
}

#[tokio::test]
async fn a_batch_is_taken_in_whole_or_not_at_all_and_counts_once() {
    let desk = Desk::new().await;
    let biller = shipped("330100/hz-power").biller;
    let file = power_file(&[(POWER[0], "B1", "100.00"), (POWER[1], "B2", "50.00")]);
    import(&desk.town, biller, file.as_bytes()).await.unwrap();
    let (_, key) = desk.collector("icbc", &["hz-power"], 500_000).await;
    let now = desk.town.clock.now();
    let line = |no: &str, account: &str, bill: &str, yuan: &str| {
        format!("{no},hz-power,{account},{bill},{yuan},{now}\n")
    };
    let good = [
        line("R1", POWER[0], "B1", "100.00"),
        line("R2", POWER[1], "B2", "50.00"),
        line("R3", POWER[0], "B1", "100.00"), // the same bill twice: held for the account
    ]
    .concat();
    let path = "/v1/collector/receipts/batch";
    for (bad, wanted) in [
        ("R9,hz-power\n".to_owned(), "line 4"),
        (line("R9", POWER[0], "B1", "1.234"), "line 4"),
        (format!("R9,nobody-knows,{},B1,1.00,{now}\n", POWER[0]), "line 4"),
        (format!("R9,hz-power,{},B1,1.00,yesterday\n", POWER[0]), "line 4"),
    ] {
        let (status, body) = call(&desk.router, "POST", path, &key, format!("{good}{bad}").as_str()).await;
        assert_eq!((status, &body["code"]), (422, &json!("receipt_line_malformed")), "{bad}: {body}");
        assert!(body["detail"].as_str().unwrap().contains(wanted), "{body}");
    }
    let (_, none) = desk.ask("GET", "/v1/collector/claims", &key, Value::Null).await;
    assert_eq!(none["items"], json!([]), "nothing of a bad batch is taken in");
    for _ in 0..2 {
        let (status, body) = call(&desk.router, "POST", path, &key, good.as_str()).await;
        assert_eq!(status, 200, "{body}");
        let states: Vec<&str> =
            body["items"].as_array().unwrap().iter().map(|c| c["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["paid", "paid", "advance"]);
    }
    let (_, me) = desk.ask("GET", "/v1/collector", &key, Value::Null).await;
    assert_eq!(me["owed"]["minor"], 25_000);
    desk.town.assert_conserved().await;
}

#[tokio::test]
async fn what_collectors_are_refused() {
    let desk = Desk::new().await;
    let (_, view) = one_bill(&desk.town).await;
    let (id, key) = desk.collector("icbc", &["hz-power"], 50_000).await;
    let (_, poor) = desk.collector("poor", &["hz-power"], 9_999).await;
    let (_, water) = desk.collector("water", &["hz-water"], 50_000).await;
    let claim = |reference: &str, amount: Option<Value>| json!({"bill": view.bill.id.to_string(), "quote": view.quote.id, "reference": reference, "amount": amount});
    let now = desk.town.clock.now();
    let receipt = |reference: &str, biller: &str, taken_at: String| {
        json!({"reference": reference, "biller": biller, "account_no": POWER[0], "bill_no": "B1",
            "amount": yuan(10_000), "taken_at": taken_at})
    };
    let (claims, receipts) = ("/v1/collector/claims", "/v1/collector/receipts");
    let old = now.minus(std::time::Duration::from_hours(24 * 32)).to_string();
    let unknown = format!("{claims}/clm_01h2xcejqtf2nbrexx3vqjhp41");
    let long = "x".repeat(65);
    for (method, path, key, body, status, code) in [
        ("POST", claims, &poor, claim("P1", None), 409, "collector_limit_reached"),
        ("POST", claims, &water, claim("W1", None), 403, "collector_not_allowed"),
        ("POST", claims, &key, claim("", None), 400, "reference_malformed"),
        ("POST", claims, &key, claim(&long, None), 400, "reference_malformed"),
        ("POST", claims, &key, claim("A1", Some(yuan(9_999))), 422, "amount_unacceptable"),
        (
            "POST",
            claims,
            &key,
            claim("A1", Some(json!({"minor": 10_000, "currency": "USD"}))),
            422,
            "amount_unacceptable",
        ),
        ("POST", receipts, &key, receipt("R1", "hz-power", old), 422, "taken_at_unacceptable"),
        ("POST", receipts, &water, receipt("R1", "hz-power", now.to_string()), 403, "collector_not_allowed"),
        ("GET", unknown.as_str(), &key, Value::Null, 404, "claim_unknown"),
        ("GET", "/v1/collector/claims?cursor=x", &key, Value::Null, 400, "malformed_cursor"),
        ("GET", "/v1/collector", &desk.operator, Value::Null, 403, "wrong_key"),
        ("GET", "/v1/operator/collectors", &key, Value::Null, 403, "wrong_key"),
    ] {
        let (got, answer) = desk.ask(method, path, key, body).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{method} {path}: {answer}");
    }
    // A closed collector claims nothing, and what it holds can still be confirmed.
    let (_, held) = desk.ask("POST", claims, &key, claim("A1", None)).await;
    let (status, body) = desk
        .ask("PATCH", &format!("/v1/operator/collectors/{id}"), &desk.operator, json!({"open": false}))
        .await;
    assert_eq!((status, &body["open"]), (200, &json!(false)), "{body}");
    let (status, body) = desk.ask("POST", claims, &key, claim("A2", None)).await;
    assert_eq!((status, &body["code"]), (409, &json!("collector_closed")), "{body}");
    let confirm = format!("{claims}/{}/confirm", held["id"].as_str().unwrap());
    let (status, paid) = desk.ask("POST", &confirm, &key, Value::Null).await;
    assert_eq!((status, &paid["state"]), (200, &json!("paid")), "{paid}");
    desk.town.assert_conserved().await;
}
