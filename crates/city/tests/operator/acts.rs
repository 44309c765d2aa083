//! Dangerous acts: a reason where one is needed, and an entry in the trail whatever comes of them.

use city::identity::session::{self, App};
use city::identity::{Operator, Role};
use city::operator::OperatorError;
use city::operator::audit::{Act, audited, trail};
use serde_json::{Value, json};

use crate::common::{Town, call, call_raw, code};
use crate::{operator, router};

/// The newest entries: action, subject, reason, outcome.
async fn entries(app: &axum::Router, key: &str, count: usize) -> Vec<[Value; 4]> {
    let (status, page) = call(app, "GET", &format!("/v1/operator/audit?limit={count}"), key, ()).await;
    assert_eq!(status, 200, "{page}");
    let items = page["items"].as_array().expect("items").iter();
    items.map(|e| ["action", "subject", "reason", "outcome"].map(|field| e[field].clone())).collect()
}

fn with(body: &Value, field: &str, value: &str) -> Value {
    let mut body = body.clone();
    body[field] = json!(value);
    body
}

#[tokio::test]
async fn every_dangerous_act_is_in_the_trail_done_or_refused() {
    let town = Town::new().await;
    let app = router(&town.city);
    let (who, key) = operator(&town, "值班 1", Role::Admin).await;
    let ming = town.resident("13800001111").await.id;
    let shop = town.shop("s-1").await.id;
    let pack = include_str!("../../../../packs/330100/hz-power.toml");
    let biller = city::bill::pack::biller_of("hz-power");
    let payment = "pay_01h2xcejqtf2nbrexx3vqjhp41";
    let till = json!({"role": "staff", "name": "1", "reason": "first key"});
    let why = "reason=%E4%B8%A2%E5%A4%B1%E9%92%A5%E5%8C%99"; // 丢失钥匙
    let resolve = json!({"outcome": "paid", "reference": "CALL-1", "reason": "asked by phone"});
    // Request, status, then the entry: action, subject, reason, outcome.
    type Row = (&'static str, String, Value, u16, &'static str, String, Value, &'static str);
    let rows: Vec<Row> = vec![
        (
            "PUT",
            format!("/v1/residents/{ming}/tier"),
            json!({"tier": 2, "reason": " saw the papers "}),
            200,
            "raise_tier",
            ming.to_string(),
            json!("saw the papers"),
            "done",
        ),
        (
            "PUT",
            format!("/v1/residents/{ming}/tier"),
            json!({"tier": 1}),
            409,
            "raise_tier",
            ming.to_string(),
            Value::Null,
            "tier_lower",
        ),
        (
            "POST",
            "/v1/operators".into(),
            json!({"name": "2"}),
            201,
            "add_operator",
            String::new(),
            Value::Null,
            "done",
        ),
        (
            "POST",
            "/v1/keys".into(),
            json!({"owner": who.id, "role": "viewer", "name": "x", "reason": "auditor"}),
            201,
            "add_key",
            who.id.to_string(),
            json!("auditor"),
            "done",
        ),
        (
            "POST",
            format!("/v1/merchants/{shop}/keys"),
            till,
            201,
            "add_key",
            shop.to_string(),
            json!("first key"),
            "done",
        ),
        (
            "DELETE",
            format!("/v1/keys/key_01h2xcejqtf2nbrexx3vqjhp41?{why}"),
            Value::Null,
            404,
            "revoke_key",
            "key_01h2xcejqtf2nbrexx3vqjhp41".into(),
            json!("丢失钥匙"),
            "key_unknown",
        ),
        (
            "POST",
            format!("/v1/merchants/{shop}/close?reason=asked+for+it"),
            Value::Null,
            200,
            "close_shop",
            shop.to_string(),
            json!("asked for it"),
            "done",
        ),
        (
            "POST",
            "/v1/billers?reason=new+tariff".into(),
            Value::String(pack.to_owned()),
            200,
            "put_pack",
            biller.to_string(),
            json!("new tariff"),
            "done",
        ),
        (
            "POST",
            "/v1/billers".into(),
            Value::String("id = 1".into()),
            422,
            "put_pack",
            String::new(),
            Value::Null,
            "pack_malformed",
        ),
        (
            "POST",
            format!("/v1/bill-payments/{payment}/resolve"),
            resolve,
            404,
            "resolve_bill_payment",
            payment.into(),
            json!("asked by phone"),
            "payment_unknown",
        ),
    ];
    let noodles =
        json!({"reference": "s-2", "name": "面馆", "mcc": "5812", "city": "杭州", "region": "330106"});
    let bank = "reference,amount,date\nTOTAL,0,0.00\n";
    let day = format!("/v1/billers/{biller}/settlements/2026-03-01");
    let rows = rows.into_iter().chain([
        (
            "POST",
            "/v1/merchants".to_owned(),
            with(&noodles, "reason", "signed today"),
            200,
            "open_shop",
            city::merchant::id_of("s-2").to_string(),
            json!("signed today"),
            "done",
        ),
        (
            "POST",
            "/v1/merchants".to_owned(),
            with(&noodles, "mcc", "1"),
            422,
            "open_shop",
            city::merchant::id_of("s-2").to_string(),
            Value::Null,
            "merchant_malformed",
        ),
        (
            "POST",
            "/v1/residents".to_owned(),
            json!({"phone": "13800001111", "name": "王小明", "reason": "at the counter"}),
            200,
            "enrol",
            ming.to_string(),
            json!("at the counter"),
            "done",
        ),
        (
            "PUT",
            format!("{day}/bank?reason=sent+by+mail"),
            Value::String(bank.to_owned()),
            200,
            "put_bank_statement",
            biller.to_string(),
            json!("sent by mail"),
            "done",
        ),
        (
            "POST",
            format!("{day}/reconcile?reason=every+morning"),
            Value::Null,
            200,
            "match_day",
            biller.to_string(),
            json!("every morning"),
            "done",
        ),
        (
            "POST",
            format!("/v1/billers/{biller}/settlements/2026-03-02/reconcile"),
            Value::Null,
            409,
            "match_day",
            biller.to_string(),
            Value::Null,
            "day_not_over",
        ),
    ]);
    for (method, path, body, status, action, subject, reason, outcome) in rows {
        let (got, answer) = match body {
            Value::Null => call(&app, method, &path, &key, ()).await,
            Value::String(text) => call(&app, method, &path, &key, text.as_str()).await,
            body => call(&app, method, &path, &key, body).await,
        };
        assert_eq!(got, status, "{method} {path}: {answer}");
        let newest = entries(&app, &key, 1).await.remove(0);
        assert_eq!(newest, [json!(action), json!(subject), reason, json!(outcome)], "{method} {path}");
        town.pass(1);
    }
    let (_, page) = call(&app, "GET", "/v1/operator/audit?limit=200", &key, ()).await;
    let entry = &page["items"][0];
    assert_eq!((&entry["operator"], &entry["operator_name"]), (&json!(who.id), &json!("值班 1")));
    assert_eq!(entry["key"], json!(who.key));
    assert!(!page.to_string().contains("1380000"), "no phone number is in the trail: {page}");
}

#[tokio::test]
async fn a_reason_that_is_none_is_refused_and_nothing_happens() {
    let town = Town::new().await;
    let app = router(&town.city);
    let (_, key) = operator(&town, "1", Role::Admin).await;
    let ming = town.resident("13800001111").await.id;
    let shop = town.shop("s-1").await.id;
    for (method, path, body) in [
        ("PUT", format!("/v1/residents/{ming}/tier"), json!({"tier": 3, "reason": "abc"})),
        ("POST", "/v1/operators".to_owned(), json!({"name": "2", "reason": ""})),
        ("POST", format!("/v1/merchants/{shop}/close?reason=x"), json!({})),
        ("DELETE", "/v1/keys/key_01h2xcejqtf2nbrexx3vqjhp41?reason=x".to_owned(), json!({})),
    ] {
        let (status, problem) = call(&app, method, &path, &key, body).await;
        assert_eq!((status, &problem["code"]), (422, &json!("reason_missing")), "{method} {path}");
    }
    assert_eq!(entries(&app, &key, 200).await.len(), 0);
    let seen = city::identity::name_and_tier(&town.city, ming).await.expect("known");
    assert_eq!(seen.1, city::identity::Tier::I);
}

#[tokio::test]
async fn who_sits_at_a_browser_must_say_why_and_a_program_need_not() {
    let town = Town::new().await;
    let (program, _) = operator(&town, "1", Role::Admin).await;
    let person = Operator { browser: true, ..program };
    let ok = async || Ok::<_, OperatorError>(7);
    for (by, reason, wanted) in [
        (&program, None, Ok(7)),
        (&program, Some("case 17"), Ok(7)),
        (&program, Some("x"), Err("reason_missing")),
        (&person, None, Err("reason_missing")),
        (&person, Some("   x  "), Err("reason_missing")),
        (&person, Some("case 17"), Ok(7)),
    ] {
        let done = audited(&town.city, by, reason, Act::on("test", "x"), ok()).await;
        match wanted {
            Ok(n) => assert_eq!(done, Ok(n)),
            Err(wanted) => assert_eq!(code(done), wanted),
        }
    }
    assert_eq!(trail(&town.city, &program, None, 200).await.expect("a trail").len(), 3);
}

#[tokio::test]
async fn an_act_that_was_cut_off_stays_open_in_the_trail() {
    let town = Town::new().await;
    let (by, _) = operator(&town, "1", Role::Admin).await;
    let never = std::future::pending::<Result<(), OperatorError>>();
    let act = audited(&town.city, &by, None, Act::on("test", "x"), never);
    let cut = tokio::time::timeout(std::time::Duration::from_millis(500), act).await;
    assert!(cut.is_err());
    let open = trail(&town.city, &by, None, 10).await.expect("a trail").remove(0);
    assert_eq!((open.action.as_str(), open.outcome), ("test", None));
}

#[tokio::test]
async fn the_trail_is_for_admins_and_paged() {
    let town = Town::new().await;
    let app = router(&town.city);
    let (by, key) = operator(&town, "1", Role::Admin).await;
    for n in 0..5 {
        let done = async { Ok::<_, OperatorError>(()) };
        audited(&town.city, &by, None, Act::on("test", n), done).await.expect("done");
        town.pass(1);
    }
    let (mut path, mut seen) = ("/v1/operator/audit?limit=2".to_owned(), Vec::new());
    loop {
        let (_, page) = call(&app, "GET", &path, &key, ()).await;
        seen.extend(page["items"].as_array().expect("items").iter().map(|e| e["subject"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/operator/audit?limit=2&cursor={next}");
    }
    assert_eq!(seen, ["4", "3", "2", "1", "0"]);
    let (_, clerk) = operator(&town, "2", Role::Staff).await;
    for (path, key, status, code) in [
        ("/v1/operator/audit", clerk.as_str(), 403, "forbidden"),
        ("/v1/operator/audit", "", 401, "unauthenticated"),
        ("/v1/operator/audit?cursor=x", key.as_str(), 400, "malformed_cursor"),
    ] {
        let (got, problem) = call(&app, "GET", path, key, ()).await;
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{path}");
    }
}

/// A person at a browser says why, whatever the act: without, nothing happens and nothing is in the trail.
#[tokio::test]
async fn at_a_browser_every_act_asks_for_a_reason() {
    let town = Town::new().await;
    let app = router(&town.city);
    let (_, key) = operator(&town, "1", Role::Admin).await;
    let opened = session::open_by_key(&town.city, App::Operator, &key).await.expect("a session").0;
    let cookie = format!("{}={}", session::rules::cookie_name(App::Operator), opened.token);
    let csrf = session::rules::csrf(&opened.token);
    let headers = [("cookie", cookie.as_str()), ("yima-csrf", csrf.as_str())];
    let biller = city::bill::pack::biller_of("hz-power");
    let day = format!("/v1/billers/{biller}/settlements/2026-03-01");
    let noodles =
        json!({"reference": "s-2", "name": "面馆", "mcc": "5812", "city": "杭州", "region": "330106"});
    for (method, path, body, action) in [
        ("POST", "/v1/merchants".to_owned(), noodles, "open_shop"),
        ("POST", "/v1/residents".to_owned(), json!({"phone": "13800001111", "name": "王小明"}), "enrol"),
        ("PUT", format!("{day}/bank"), json!("reference,amount,date\nTOTAL,0,0.00\n"), "put_bank_statement"),
        ("POST", format!("{day}/reconcile"), Value::Null, "match_day"),
    ] {
        let (with_reason, to) = match &body {
            Value::Object(_) => (with(&body, "reason", "asked for it"), path.clone()),
            other => (other.clone(), format!("{path}?reason=asked+for+it")),
        };
        let sent = |body: &Value| match body {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let before = entries(&app, &key, 200).await.len();
        let (status, problem) = call_raw(&app, method, &path, &headers, sent(&body).as_str()).await;
        let problem: Value = serde_json::from_slice(&problem).expect("JSON");
        assert_eq!((status, &problem["code"]), (422, &json!("reason_missing")), "{method} {path}");
        assert_eq!(entries(&app, &key, 200).await.len(), before, "{action}");
        let (status, _) = call_raw(&app, method, &to, &headers, sent(&with_reason).as_str()).await;
        assert_eq!(status, 200, "{method} {to}");
        let newest = entries(&app, &key, 1).await.remove(0);
        assert_eq!((&newest[0], &newest[2]), (&json!(action), &json!("asked for it")));
        assert_eq!(newest[3], json!("done"), "{action}");
        town.pass(1);
    }
}
