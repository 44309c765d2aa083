//! Accounts that residents keep, and what is due on them.

use city::bill::{self, saved};
use city::identity::{self, OwnerKind, Role};
use serde_json::{Value, json};

use crate::common::{Town, call, code, race, refused_with};
use crate::support::{POWER, account, import, pay, power_file, shipped};

async fn token(town: &Town, phone: &str) -> String {
    town.pass(60);
    identity::request_code(&town.city, phone).await.unwrap();
    let sent = town.code_sent_to(phone);
    identity::sign_in(&town.city, phone, &sent, Some("王小明")).await.unwrap().token
}

#[tokio::test]
async fn kept_changed_and_forgotten() {
    let town = Town::new().await;
    let router = city::bill::http::routes().split_for_parts().0.with_state(town.city.clone());
    let (ming, hua) = (token(&town, "13800000001").await, token(&town, "13800000002").await);
    let power = shipped("330100/hz-power").biller;
    let at = |biller: &str, number: &str| format!("/v1/me/bill-accounts/{biller}/{number}");
    let first = at("hz-power", POWER[0]);
    let (status, kept) =
        call(&router, "PUT", &first, &ming, json!({"label": "爸妈家", "remind": true})).await;
    let wanted = json!({"biller": power.to_string(), "biller_name": {"zh": "杭州供电", "en": "Hangzhou Power"},
        "category": "power", "account_no": POWER[0], "label": "爸妈家", "remind": true, "saved_at": kept["saved_at"]});
    assert_eq!((status, &kept), (200, &wanted), "{kept}");
    town.pass(5);
    let (_, second) =
        call(&router, "PUT", &at(&power.to_string(), POWER[1]), &ming, json!({"remind": false})).await;
    let changed = json!({"label": "家", "remind": false});
    let (_, changed) = call(&router, "PUT", &first, &ming, changed).await;
    assert_eq!((&changed["label"], &changed["remind"]), (&json!("家"), &json!(false)));
    assert_eq!(changed["saved_at"], kept["saved_at"]);
    let (_, list) = call(&router, "GET", "/v1/me/bill-accounts", &ming, ()).await;
    assert_eq!(list, json!({"items": [changed, second], "next": null}));
    for _ in 0..2 {
        assert_eq!(call(&router, "DELETE", &first, &ming, ()).await.0, 204, "also asked again");
    }
    assert_eq!(call(&router, "DELETE", &at("hz-power", POWER[1]), &hua, ()).await.0, 204);
    let (_, list) = call(&router, "GET", "/v1/me/bill-accounts", &ming, ()).await;
    assert_eq!(list["items"], json!([second]), "nobody removes what is another's");

    let operator = town.key(OwnerKind::Operator, 8, Role::Admin).await;
    let no = json!({"remind": false});
    let long = "长".repeat(21);
    for (method, path, who, body, status, refused) in [
        ("PUT", at("hz-power", "3339522521"), &ming, no.clone(), 422, "account_check_digit"),
        ("PUT", at("hz-power", "33395"), &ming, no.clone(), 422, "account_shape"),
        ("PUT", at("hz-nothing", POWER[0]), &ming, no.clone(), 404, "biller_unknown"),
        ("PUT", at("x", POWER[0]), &ming, no.clone(), 400, "malformed_id"),
        ("PUT", first.clone(), &ming, json!({}), 400, "malformed_body"),
        ("PUT", first.clone(), &ming, json!({"label": "", "remind": true}), 422, "label_malformed"),
        ("PUT", first.clone(), &ming, json!({"label": " 家", "remind": true}), 422, "label_malformed"),
        ("PUT", first.clone(), &ming, json!({"label": "a\nb", "remind": true}), 422, "label_malformed"),
        ("PUT", first.clone(), &ming, json!({"label": long, "remind": true}), 422, "label_malformed"),
        ("PUT", first.clone(), &operator, no.clone(), 403, "wrong_key"),
        ("DELETE", at("x", POWER[0]), &ming, Value::Null, 400, "malformed_id"),
    ] {
        let (got, answer) = call(&router, method, &path, who, body).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(refused)), "{method} {path}: {answer}");
    }
    for path in ["/v1/me/bill-accounts", "/v1/me/due"] {
        assert_eq!(call(&router, "GET", path, "", ()).await.0, 401);
    }
    let (_, list) = call(&router, "GET", "/v1/me/bill-accounts", &ming, ()).await;
    assert_eq!(list["items"], json!([second]), "what was refused changed nothing");
}

/// Sixty at once: fifty are kept. One that goes makes room for one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_are_kept_whatever_comes_at_once() {
    let town = Town::new().await;
    let who = town.resident("13800000001").await;
    let biller = shipped("330100/hz-power").biller;
    let keep = |n: u64| {
        let city = town.city.clone();
        async move { saved::save(&city, &who, biller, &account(n), None, false).await }
    };
    let kept = race(60, |n| keep(n as u64)).await;
    assert_eq!(refused_with(&kept, "bill_accounts_max"), 10);
    let all = saved::saved(&town.city, &who).await.unwrap();
    assert_eq!(all.len(), 50);
    let there = all[7].account_no.clone();
    saved::save(&town.city, &who, biller, &there, Some("x".into()), true).await.expect("it is kept already");
    // The same one by many at once is one.
    let city = town.city.clone();
    let gone = race(8, |_| {
        let (city, there) = (city.clone(), there.clone());
        async move { saved::forget(&city, &who, biller, &there).await }
    });
    assert!(gone.await.iter().all(Result::is_ok));
    let kept = race(8, |_| keep(1_000)).await;
    assert!(kept.iter().all(Result::is_ok), "{kept:?}");
    assert_eq!(code(keep(1_001).await), "bill_accounts_max");
    assert_eq!(saved::saved(&town.city, &who).await.unwrap().len(), 50);
}

#[tokio::test]
async fn what_is_due_soonest_first() {
    let town = Town::new().await;
    let router = city::bill::http::routes().split_for_parts().0.with_state(town.city.clone());
    let payer = town.rich("13800000001", 5_000_000).await;
    let ming = token(&town, "13800000001").await;
    let biller = shipped("330100/hz-power").biller;
    let file =
        power_file(&[(POWER[0], "B1", "100.00"), (POWER[0], "B2", "70.00"), (POWER[1], "B3", "50.00")]);
    // Another due date for B3.
    let file = file.replace("B3|王小明|202602|50.00|2026-03-25", "B3|王小明|202602|50.00|2026-03-20");
    import(&town, biller, file.as_bytes()).await.unwrap();
    let due = async || call(&router, "GET", "/v1/me/due", &ming, ()).await.1;
    assert_eq!(due().await["items"], json!([]), "nothing is kept");
    for (number, label) in [(POWER[0], Some("家")), (POWER[1], None), (POWER[2], None)] {
        let label = label.map(str::to_owned);
        saved::save(&town.city, &payer, biller, number, label, true).await.expect("kept");
    }
    let bills = |answer: &Value| -> Vec<String> {
        let items = answer["items"].as_array().expect("items");
        items.iter().map(|item| item["bill_no"].as_str().expect("a number").to_owned()).collect()
    };
    let answer = due().await;
    assert_eq!(bills(&answer)[0], "B3");
    assert_eq!(answer["items"].as_array().map(Vec::len), Some(3));
    let found = bill::fetch(&town.city, biller, POWER[1]).await.unwrap();
    let cny = |minor: i64| json!({"minor": minor, "currency": "CNY"});
    assert_eq!(
        answer["items"][0],
        json!({"biller": biller.to_string(), "biller_name": {"zh": "杭州供电", "en": "Hangzhou Power"},
            "category": "power", "account_no": POWER[1], "label": null, "remind": true,
            "bill": found[0].bill.id.to_string(), "bill_no": "B3", "period": "2026-02", "amount": cny(5_000),
            "late_fee": cny(0), "due_on": "2026-03-20", "overdue": false})
    );
    // What is paid, by whomever, is due no more.
    pay(&town, &payer, found[0].bill.id).await.unwrap();
    let mut left = bills(&due().await);
    left.sort_unstable();
    assert_eq!(left, ["B1", "B2"]);
    town.pass(28 * 86_400);
    let late = due().await;
    for item in late["items"].as_array().expect("items") {
        assert_eq!((&item["overdue"], &item["label"]), (&json!(true), &json!("家")));
        let quote = bill::quote(&town.city, item["bill"].as_str().unwrap().parse().unwrap()).await.unwrap();
        assert!(quote.late_fee_minor > 0);
        assert_eq!(
            (&item["amount"], &item["late_fee"]),
            (&cny(quote.total_minor), &cny(quote.late_fee_minor))
        );
    }
}
