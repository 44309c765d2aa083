//! The routes: from a pack and an upload to a receipt and a reconciled day, and who may do what.

use city::identity::{self, OwnerKind, Role};

use crate::common::{Town, call, call_raw};
use crate::support::{POWER, power_file, shipped};

fn router(town: &Town) -> axum::Router {
    let (router, _) = city::bill::http::routes().merge(city::operator::http::routes()).split_for_parts();
    router.with_state(town.city.clone())
}

/// The session token of a resident of tier I with this much.
pub async fn token(town: &Town, phone: &str, minor: i64) -> String {
    identity::request_code(&town.city, phone).await.unwrap();
    let code = town.code_sent_to(phone);
    let signed = identity::sign_in(&town.city, phone, &code, Some("王小明")).await.unwrap();
    let (who, money) = (signed.resident.id, town.money(minor));
    city::wallet::deposit(&town.city, &town.operator, who, money, "token").await.unwrap();
    signed.token
}

#[tokio::test]
async fn the_main_job_over_http() {
    let town = Town::new().await;
    let router = router(&town);
    let pack = shipped("330100/hz-power");
    let id = pack.biller;
    let operator = town.key(OwnerKind::Operator, town.operator.id.as_u128(), Role::Admin).await;
    let biller = town.key(OwnerKind::Biller, id.as_u128(), Role::Staff).await;
    let token = token(&town, "13800000001", 50_000).await;
    let bearer = |token: &str| format!("Bearer {token}");
    let send = async |method: &str, path: &str, token: &str, bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let auth = bearer(token);
        let (status, body) =
            call_raw(&router, method, path, &[("authorization", &auth)], text.as_str()).await;
        (status, serde_json::from_slice::<serde_json::Value>(&body).unwrap_or_default())
    };

    let (status, body) = send("POST", "/v1/billers", &operator, pack.text.as_bytes()).await;
    assert_eq!((status, &body["pack"]), (200, &"hz-power".into()));
    let (status, body) = send("POST", "/v1/billers", &operator, b"id = 1").await;
    assert_eq!((status, &body["code"]), (422, &"pack_malformed".into()));
    let (status, body) = send("POST", "/v1/billers", &operator, " ".repeat(70_000).as_bytes()).await;
    assert_eq!((status, &body["code"]), (413, &"body_too_large".into()));
    let (status, body) = call(&router, "GET", "/v1/billers?region=3301&category=power", "", "").await;
    assert_eq!((status, body["items"].as_array().unwrap().len()), (200, 1));

    let file = power_file(&[(POWER[0], "B1", "100.00"), (POWER[0], "B2", "oops")]);
    let file = file.replace("TOTAL|2|100.00", "TOTAL|2|200.00");
    let (status, body) = send("POST", "/v1/imports?name=bills.txt", &biller, file.as_bytes()).await;
    assert_eq!((status, &body["records"]), (202, &2.into()), "{body}");
    let import = format!("/v1/imports/{}", body["id"].as_str().unwrap());
    let done = loop {
        let (_, body) = call(&router, "GET", &import, &biller, "").await;
        if !body["finished_at"].is_null() {
            break body;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(
        (&done["added"], &done["refused"], &done["name"]),
        (&1.into(), &1.into(), &"bills.txt".into())
    );
    let (_, errors) = call(&router, "GET", &format!("{import}/errors"), &biller, "").await;
    assert_eq!(errors["items"][0]["code"], "malformed");
    assert_eq!((&errors["items"][0]["line"], &errors["items"][0]["field"]), (&3.into(), &"amount".into()));
    let (_, list) = call(&router, "GET", "/v1/imports?limit=1", &biller, "").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);

    let (_, by_pack) = call(&router, "GET", "/v1/billers/hz-power", "", "").await;
    let (_, by_id) = call(&router, "GET", &format!("/v1/billers/{id}"), "", "").await;
    assert_eq!((&by_pack, &by_pack["id"]), (&by_id, &id.to_string().into()));
    let find = format!("/v1/billers/{id}/bills?account_no={}", POWER[0]);
    let (_, same) = call(&router, "GET", &find.replace(&id.to_string(), "hz-power"), &token, "").await;
    let (status, found) = call(&router, "GET", &find, &token, "").await;
    assert_eq!(status, 200, "{found}");
    assert_eq!(same["items"][0]["id"], found["items"][0]["id"]);
    let bill = &found["items"][0];
    assert_eq!(
        (&bill["state"], &bill["holder"], &bill["period"]),
        (&"open".into(), &"**明".into(), &"2026-02".into())
    );
    let bill = format!("/v1/bills/{}", bill["id"].as_str().unwrap());
    let (_, quote) = call(&router, "POST", &format!("{bill}/quote"), &token, "").await;
    assert_eq!(quote["total"]["minor"], 10_000);
    let body = format!(r#"{{"quote":"{}"}}"#, quote["id"].as_str().unwrap());
    let (status, paid) = call(&router, "POST", &format!("{bill}/pay"), &token, body.as_str()).await;
    assert_eq!(
        (status, &paid["state"], &paid["repeated"]),
        (200, &"settled".into(), &false.into()),
        "{paid}"
    );
    let (_, again) = call(&router, "POST", &format!("{bill}/pay"), &token, body.as_str()).await;
    assert_eq!((&again["id"], &again["repeated"]), (&paid["id"], &true.into()));
    // The header goes before the body, and is the payment's identity.
    let auth = bearer(&token);
    let pay = format!("{bill}/pay");
    for (key, status, code) in [
        ("k-1", 409, "bill_already_settled"),
        ("", 400, "request_id_malformed"),
        ("é", 400, "request_id_malformed"),
    ] {
        let headers = [("authorization", auth.as_str()), ("idempotency-key", key)];
        let (found, answer) = call_raw(&router, "POST", &pay, &headers, body.as_str()).await;
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!((found, &answer["code"]), (status, &code.into()), "{key}");
    }
    let (_, read) = call(&router, "GET", &bill, &token, "").await;
    assert_eq!((&read["state"], &read["quote"]), (&"settled".into(), &serde_json::Value::Null));
    let (_, history) = call(&router, "GET", "/v1/bill-payments", &token, "").await;
    assert_eq!(history["items"][0]["payment"]["id"], paid["id"]);
    let resolve = format!("/v1/bill-payments/{}/resolve", paid["id"].as_str().unwrap());
    for (outcome, key, status, member, value) in [
        ("paid", &operator, 200, "repeated", serde_json::Value::Bool(true)),
        ("not_paid", &operator, 409, "code", "payment_final".into()),
        ("paid", &biller, 403, "code", "wrong_key".into()),
        ("perhaps", &operator, 400, "code", "malformed_body".into()),
    ] {
        let body = format!(r#"{{"outcome":"{outcome}","reference":"CALL-1"}}"#);
        let (found, answer) = call(&router, "POST", &resolve, key, body.as_str()).await;
        assert_eq!((found, &answer[member]), (status, &value), "{answer}");
    }
    let receipt = format!("/v1/bill-payments/{}", paid["id"].as_str().unwrap());
    let (_, json) = call(&router, "GET", &receipt, &token, "").await;
    assert_eq!((&json["biller_name"]["zh"], &json["bill_no"]), (&"杭州供电".into(), &"B1".into()));
    let auth = bearer(&token);
    let (status, page) =
        call_raw(&router, "GET", &format!("{receipt}/receipt.html"), &[("authorization", &auth)], "").await;
    assert_eq!(status, 200);
    assert!(String::from_utf8(page).unwrap().contains("100.00 CNY"));

    town.pass(86_400);
    let auth = bearer(&biller);
    let day = "/v1/biller/settlements/2026-03-02";
    let (status, file) =
        call_raw(&router, "GET", &format!("{day}/file"), &[("authorization", &auth)], "").await;
    assert_eq!(status, 200);
    let (status, totals) = send("PUT", &format!("{day}/returned"), &biller, &file).await;
    assert_eq!((status, &totals["amount_minor"]), (200, &10_000.into()));
    let of_biller = format!("/v1/billers/{id}/settlements/2026-03-02");
    let bank =
        format!("reference,amount,date\n{},99.00,2026-03-02\nTOTAL,1,99.00\n", paid["id"].as_str().unwrap());
    assert_eq!(send("PUT", &format!("{of_biller}/bank"), &operator, bank.as_bytes()).await.0, 200);
    let (status, report) = call(&router, "POST", &format!("{of_biller}/reconcile"), &operator, "").await;
    assert_eq!(
        (status, &report["breaks"], &report["payout_minor"]),
        (200, &1.into(), &9_990.into()),
        "{report}"
    );
    for (path, key) in [(day, &biller), (of_biller.as_str(), &operator)] {
        let (_, read) = call(&router, "GET", path, key, "").await;
        assert_eq!(read, report);
        let (_, breaks) = call(&router, "GET", &format!("{path}/breaks"), key, "").await;
        assert_eq!(breaks["items"][0]["code"], "amount_differs");
        assert_eq!(breaks["items"][0]["remedy"], "correct_to_ledger");
    }
    let auth = bearer(&operator);
    let (_, same) =
        call_raw(&router, "GET", &format!("{of_biller}/file"), &[("authorization", &auth)], "").await;
    assert_eq!(same, file);
}

#[tokio::test]
async fn nobody_reaches_what_is_not_theirs() {
    let town = Town::new().await;
    let router = router(&town);
    let (power, water) = (shipped("330100/hz-power").biller, shipped("330100/hz-water").biller);
    let mine = town.key(OwnerKind::Biller, power.as_u128(), Role::Staff).await;
    let theirs = town.key(OwnerKind::Biller, water.as_u128(), Role::Staff).await;
    let file = power_file(&[(POWER[0], "B1", "1.00")]);
    let auth = format!("Bearer {mine}");
    let (_, body) =
        call_raw(&router, "POST", "/v1/imports", &[("authorization", &auth)], file.as_str()).await;
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let import = format!("/v1/imports/{}", body["id"].as_str().unwrap());
    let rows = [
        ("GET", import.clone(), theirs.as_str(), 404, "import_unknown"),
        ("GET", format!("{import}/errors"), theirs.as_str(), 404, "import_unknown"),
        ("GET", import, "", 401, "unauthenticated"),
        ("GET", format!("/v1/billers/{power}/bills?account_no=1"), mine.as_str(), 403, "wrong_key"),
        (
            "POST",
            format!("/v1/billers/{power}/settlements/2026-03-01/reconcile"),
            mine.as_str(),
            403,
            "wrong_key",
        ),
        ("POST", "/v1/billers".to_owned(), mine.as_str(), 403, "wrong_key"),
        ("GET", "/v1/billers/blr_x".to_owned(), "", 400, "malformed_id"),
        ("GET", "/v1/billers/no-such".to_owned(), "", 404, "biller_unknown"),
        ("GET", format!("/v1/billers/{power}x"), "", 400, "malformed_id"),
        ("GET", "/v1/billers?colour=red".to_owned(), "", 400, "malformed_query"),
        ("GET", "/v1/imports?cursor=x".to_owned(), mine.as_str(), 400, "malformed_cursor"),
        ("GET", "/v1/biller/settlements/yesterday/file".to_owned(), mine.as_str(), 400, "day_malformed"),
    ];
    for (method, path, token, status, code) in rows {
        let (found, body) = call(&router, method, &path, token, "").await;
        assert_eq!((found, &body["code"]), (status, &code.into()), "{method} {path}");
    }
}
