//! The desk for billers: packs tried out, files handed in, days, disagreements and what was decided on them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use city::bill::{self, reconcile};
use city::identity::{OwnerKind, Role};
use kernel::Date;
use kernel::ids::BillerId;
use serde_json::{Value, json};

use crate::common::{Town, call, call_raw};
use crate::support::{POWER, import, pay, power_file, shipped};
use crate::{operator, router};

/// A town in which one bill of ¥100.00 was paid on Monday, and the bank says otherwise: two disagreements.
async fn broken_monday() -> (Town, BillerId) {
    let town = Town::new().await;
    let biller = shipped("330100/hz-power").biller;
    import(&town, biller, power_file(&[(POWER[0], "B1", "100.00")]).as_bytes()).await.expect("imported");
    let who = town.rich("13800000001", 1_000_000).await;
    let view = bill::fetch(&town.city, biller, POWER[0]).await.expect("a bill").remove(0);
    pay(&town, &who, view.bill.id).await.expect("paid");
    town.pass(86_400);
    let bank = "reference,amount,date\npay_01h2xcejqtf2nbrexx3vqjhp41,7.00,2026-03-02\nTOTAL,1,7.00\n";
    let monday = Date::new(2026, 3, 2).expect("a day");
    reconcile::put_bank_file(&town.city, &town.operator, biller, monday, bank.as_bytes().to_vec())
        .await
        .expect("taken");
    let report = reconcile::run(&town.city, &town.operator, biller, monday).await.expect("matched");
    assert_eq!(report.breaks, 2);
    (town, biller)
}

#[tokio::test]
async fn disagreements_are_listed_over_billers_accepted_once_and_stay_accepted() {
    let (town, biller) = broken_monday().await;
    let app = router(&town.city);
    let (anna, key) = operator(&town, "anna", Role::Admin).await;
    let (_, clerk) = operator(&town, "clerk", Role::Staff).await;
    let open = "/v1/operator/breaks?state=open";
    let (status, list) = call(&app, "GET", open, &clerk, ()).await;
    assert_eq!(status, 200, "{list}");
    let codes: Vec<_> = list["items"].as_array().expect("items").iter().map(|b| &b["code"]).collect();
    assert_eq!(codes, ["missing_here", "missing_there"]);
    let first = &list["items"][0];
    assert_eq!((&first["remedy"], &first["state"]), (&json!("bank_proves_or_returns"), &json!("open")));
    let (_, page) = call(&app, "GET", "/v1/operator/breaks?limit=1", &clerk, ()).await;
    let next = page["next"].as_str().expect("there is more");
    let (_, second) =
        call(&app, "GET", &format!("/v1/operator/breaks?limit=1&cursor={next}"), &clerk, ()).await;
    assert_eq!((&page["items"][0], &second["items"][0]), (first, &list["items"][1]));
    let path = |id: &Value| {
        let id = id.as_str().expect("an id");
        format!("/v1/billers/{biller}/settlements/2026-03-02/breaks/{id}/accept")
    };
    let why = json!({"reason": "the bank returns it"});
    let (status, accepted) = call(&app, "POST", &path(&first["id"]), &key, why.clone()).await;
    assert_eq!((status, &accepted["state"]), (200, &json!("accepted")), "{accepted}");
    assert_eq!(
        (&accepted["accepted_by"], &accepted["reason"]),
        (&json!(anna.id), &json!("the bank returns it"))
    );
    let again = json!({"reason": "another reason"});
    assert_eq!(call(&app, "POST", &path(&first["id"]), &key, again).await, (200, accepted.clone()));
    let (_, left) = call(&app, "GET", open, &clerk, ()).await;
    assert_eq!(left["items"].as_array().map(Vec::len), Some(1));
    // A new match that finds the same finds it decided.
    let monday = Date::new(2026, 3, 2).expect("a day");
    reconcile::run(&town.city, &town.operator, biller, monday).await.expect("matched");
    let (_, left) = call(&app, "GET", open, &clerk, ()).await;
    assert_eq!(left["items"][0]["id"], list["items"][1]["id"]);
    let (_, day) = call(&app, "GET", "/v1/operator/settlements?day=2026-03-02", &clerk, ()).await;
    let power = day["items"].as_array().expect("items").iter().find(|s| s["pack"] == json!("hz-power"));
    let power = power.expect("the biller");
    assert_eq!((&power["report"]["breaks"], &power["open_breaks"]), (&json!(2), &json!(1)));
    let water = day["items"].as_array().expect("items").iter().find(|s| s["pack"] == json!("hz-water"));
    assert_eq!(water.expect("another")["report"], Value::Null);
    // The alert counts what is open, and goes with the last.
    let alert = async || {
        let (_, now) = call(&app, "GET", "/v1/operator/live", &clerk, ()).await;
        let alerts = now["alerts"].as_array().expect("alerts").clone();
        alerts.into_iter().find(|a| a["code"] == json!("breaks_open"))
    };
    for _ in 0..2 {
        let told = alert().await.expect("an alert");
        assert_eq!(told["detail"], json!("2026-03-02: 1 disagreements nobody has decided on"));
    }
    call(&app, "POST", &path(&list["items"][1]["id"]), &key, json!({})).await;
    assert_eq!((alert().await, alert().await), (None, None));
    // A match that finds something else is counted anew.
    town.pass(1);
    let bank = "reference,amount,date\npay_01h2xcejqtf2nbrexx3vqjhp41,8.00,2026-03-02\nTOTAL,1,8.00\n";
    reconcile::put_bank_file(&town.city, &town.operator, biller, monday, bank.as_bytes().to_vec())
        .await
        .expect("taken");
    reconcile::run(&town.city, &town.operator, biller, monday).await.expect("matched");
    let told = alert().await.expect("an alert");
    assert_eq!(told["detail"], json!("2026-03-02: 1 disagreements nobody has decided on"));
    let unknown = json!("brk_01h2xcejqtf2nbrexx3vqjhp41");
    for (path, key, body, status, code) in [
        (path(&first["id"]), &clerk, why.clone(), 403, "forbidden"),
        (path(&first["id"]), &key, json!({"reason": "x"}), 422, "reason_missing"),
        (path(&unknown), &key, why.clone(), 404, "break_unknown"),
        (path(&first["id"]).replace("03-02", "03-01"), &key, why.clone(), 404, "break_unknown"),
        (path(&first["id"]).replace("03-02", "03-32"), &key, why.clone(), 400, "day_malformed"),
        (path(&json!("brk_1")), &key, why.clone(), 400, "malformed_id"),
    ] {
        let (got, problem) = call(&app, "POST", &path, key, body).await;
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{path}");
    }
    for (path, status, code) in [
        ("/v1/operator/breaks?cursor=x", 400, "malformed_cursor"),
        ("/v1/operator/breaks?day=1", 400, "day_malformed"),
        ("/v1/operator/breaks?state=x", 400, "malformed_query"),
        ("/v1/operator/settlements", 400, "malformed_query"),
        ("/v1/operator/settlements?day=x", 400, "day_malformed"),
    ] {
        let (got, problem) = call(&app, "GET", path, &clerk, ()).await;
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{path}");
    }
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_file_is_handed_in_for_a_biller_and_its_errors_are_seen() {
    let town = Town::new().await;
    let app = router(&town.city);
    let (_, key) = operator(&town, "anna", Role::Admin).await;
    let (_, viewer) = operator(&town, "viewer", Role::Viewer).await;
    let file = power_file(&[(POWER[0], "B1", "100.00"), ("3339522521", "B2", "1.00")]);
    let path = "/v1/operator/billers/hz-power/imports?name=feb.txt&reason=sent+by+mail";
    let (status, begun) = call(&app, "POST", path, &key, file.as_str()).await;
    assert_eq!((status, &begun["import"]["name"]), (202, &json!("feb.txt")), "{begun}");
    let id = begun["import"]["id"].as_str().expect("an id").to_owned();
    let one = format!("/v1/operator/imports/{id}");
    let done = loop {
        let (_, now) = call(&app, "GET", &one, &viewer, ()).await;
        if now["done"] == json!(true) {
            break now;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    assert_eq!((&done["import"]["added"], &done["import"]["refused"]), (&json!(1), &json!(1)));
    assert_eq!((&done["biller_name"]["en"], &done["stopped"]), (&json!("Hangzhou Power"), &Value::Null));
    let (_, errors) = call(&app, "GET", &format!("{one}/errors"), &viewer, ()).await;
    assert_eq!(errors["items"], json!([{"line": 3, "field": "account_no", "code": "account_check_digit"}]));
    for (path, count) in [
        ("/v1/operator/imports", 1),
        ("/v1/operator/imports?biller=hz-power", 1),
        ("/v1/operator/imports?biller=hz-water", 0),
    ] {
        let (_, list) = call(&app, "GET", path, &viewer, ()).await;
        assert_eq!(list["items"].as_array().map(Vec::len), Some(count), "{path}");
    }
    let (_, trail) = call(&app, "GET", "/v1/operator/audit?limit=1", &key, ()).await;
    let entry = &trail["items"][0];
    assert_eq!((&entry["action"], &entry["reason"]), (&json!("upload_bills"), &json!("sent by mail")));
    let own = town.key(OwnerKind::Biller, 1, Role::Admin).await;
    for (method, path, key, status, code) in [
        ("POST", "/v1/operator/billers/hz-power/imports", &viewer, 403, "forbidden"),
        ("POST", "/v1/operator/billers/hz-power/imports", &own, 403, "wrong_key"),
        ("POST", "/v1/operator/billers/hz-none/imports", &key, 404, "biller_unknown"),
        ("POST", "/v1/operator/billers/1/imports", &key, 400, "malformed_id"),
        ("GET", "/v1/operator/imports/imp_01h2xcejqtf2nbrexx3vqjhp41", &viewer, 404, "import_unknown"),
        ("GET", "/v1/operator/imports/imp_01h2xcejqtf2nbrexx3vqjhp41/errors", &viewer, 404, "import_unknown"),
        ("GET", "/v1/operator/imports?cursor=x", &viewer, 400, "malformed_cursor"),
    ] {
        let bearer = format!("Bearer {key}");
        let (got, body) = call_raw(&app, method, path, &[("authorization", &bearer)], file.as_str()).await;
        let problem: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{method} {path}");
    }
}

#[tokio::test]
async fn a_pack_is_tried_out_and_nothing_changes() {
    let town = Town::new().await;
    let app = router(&town.city);
    let (_, key) = operator(&town, "anna", Role::Staff).await;
    let (_, viewer) = operator(&town, "viewer", Role::Viewer).await;
    let text = shipped("330100/hz-power").text;
    let changed = text.replace("hz-power", "hz-power-2");
    let sample = BASE64_STANDARD.encode(power_file(&[(POWER[0], "B1", "100.00")]));
    let path = "/v1/operator/packs/check";
    let before = bill::billers(&town.city, &bill::BillerFilter::default()).await.expect("billers").len();
    let (status, tried) = call(&app, "POST", path, &key, json!({"pack": text, "sample": sample})).await;
    assert_eq!((status, &tried["ok"], &tried["pack"]), (200, &json!(true), &json!("hz-power")), "{tried}");
    assert_eq!(tried["in_force"], tried["rule_version"]);
    let bill = json!({"account_no": POWER[0], "bill_no": "B1", "holder": "**明", "due": "2026-03-25",
        "amount": {"minor": 10_000, "currency": "CNY"}});
    assert_eq!(tried["bills"], json!([bill]));
    let (_, tried) = call(&app, "POST", path, &key, json!({"pack": changed})).await;
    assert_eq!((&tried["ok"], &tried["in_force"]), (&json!(true), &Value::Null));
    let (status, tried) = call(&app, "POST", path, &key, json!({"pack": "id = 1"})).await;
    assert_eq!(
        (status, &tried["ok"], &tried["checks"][0]["check"]),
        (200, &json!(false), &json!("readable"))
    );
    let after = bill::billers(&town.city, &bill::BillerFilter::default()).await.expect("billers").len();
    assert_eq!(before, after);
    for (key, body, status, code) in [
        (&viewer, json!({"pack": ""}), 403, "forbidden"),
        (&key, json!({"pack": "", "sample": "?"}), 400, "malformed_body"),
        (&key, json!({"text": ""}), 400, "malformed_body"),
    ] {
        let (got, problem) = call(&app, "POST", path, key, body).await;
        assert_eq!((got, &problem["code"]), (status, &json!(code)));
    }
}
