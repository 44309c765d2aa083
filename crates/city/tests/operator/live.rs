//! What happens now: payments by channel, refusals, alerts, and the books' check.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::Method;
use axum::response::{IntoResponse as _, Response};
use city::City;
use city::http::Problem;
use city::identity::{OwnerKind, Role};
use city::operator::check::{self, CheckOutcome};
use city::operator::live::{self, LiveChannel};
use city::trade::{self, Charge, Charged, Pay, Precreate};
use city::wallet::{self, Payee};
use ledger::Account;
use serde_json::{Value, json};

use crate::common::{Town, call};
use crate::{operator, router};

/// Counts what the feed has now.
async fn follow(city: &City) {
    let (_running, stop) = tokio::sync::watch::channel(false);
    live::follow(city, &stop).await.expect("the feed is read");
}

async fn order(town: &Town, shop: &city::identity::Merchant, no: &str, minor: i64) -> String {
    let order = Precreate {
        order_no: no.to_owned(),
        amount: town.money(minor),
        subject: None,
        till: None,
        expires_in_s: None,
    };
    trade::precreate(&town.city, shop, order).await.expect("an order").qr
}

#[tokio::test]
async fn payments_are_counted_by_channel_from_all_nodes() {
    let town = Town::new().await;
    let app = router(&town.city);
    let (_, key) = operator(&town, "1", Role::Viewer).await;
    let (ming, hua) = (town.rich("13800001111", 100_000).await, town.resident("13800002222").await);
    let shop = town.shop("s-1").await;
    let phone = town.device(&ming).await;
    let other = town.node().await;
    let pay = |code: String, amount: Option<i64>, key: &str| Pay {
        code,
        amount: amount.map(|minor| town.money(minor)),
        pin: None,
        coupon: None,
        key: key.to_owned(),
    };
    let face = city::merchant::get(&town.city, shop.id).await.expect("the shop");
    let poster = city::merchant::poster::payload_static(&face, &town.city.settings).expect("a poster");
    trade::pay(&other, &ming, pay(poster, Some(100), "k-1")).await.expect("paid");
    let code = order(&town, &shop, "A-1", 200).await;
    trade::pay(&town.city, &ming, pay(code.clone(), None, "k-2")).await.expect("paid");
    trade::pay(&town.city, &ming, pay(code, None, "k-2")).await.expect("the same again");
    let charge = Charge {
        order_no: "A-2".to_owned(),
        amount: town.money(400),
        subject: None,
        till: None,
        payment_code: phone.code(),
    };
    let charged = trade::charge(&town.city, &shop, charge).await.expect("charged");
    assert!(matches!(charged, Charged::Paid(_)));
    let to = Payee::Phone("13800002222".to_owned());
    wallet::transfer(&other, &ming, &to, town.money(800), "k-3", None).await.expect("sent");
    let _ = hua;
    follow(&town.city).await;
    let (status, now) = call(&app, "GET", "/v1/operator/live", &key, ()).await;
    assert_eq!(status, 200, "{now}");
    let last = &now["last_60_s"];
    assert_eq!((&last["payments"], &last["value"]["minor"]), (&json!(4), &json!(1_500)));
    let channels: Vec<_> = last["channels"]
        .as_array()
        .expect("channels")
        .iter()
        .map(|c| (c["channel"].clone(), c["payments"].clone(), c["value"]["minor"].clone()))
        .collect();
    let wanted =
        [("poster", 1, 100), ("order", 1, 200), ("payer_code", 1, 400), ("transfer", 1, 800), ("bill", 0, 0)];
    assert_eq!(channels, wanted.map(|(c, n, v)| (json!(c), json!(n), json!(v))));
    assert_eq!(LiveChannel::ALL.len(), channels.len());
    let minutes = now["minutes"].as_array().expect("minutes");
    assert_eq!((minutes.len(), &minutes[59]["payments"]), (60, &json!(4)));
    town.pass(120);
    let (_, later) = call(&app, "GET", "/v1/operator/live", &key, ()).await;
    assert_eq!(later["last_60_s"]["payments"], json!(0));
    assert_eq!(later["minutes"][57]["payments"], json!(4));
    assert_eq!(
        later["health"],
        json!({"database": true, "database_engine": town.city.store.engine(), "ledger": true})
    );
    let (status, problem) = call(&app, "GET", "/v1/operator/live", "", ()).await;
    assert_eq!((status, &problem["code"]), (401, &json!("unauthenticated")));
}

#[tokio::test]
async fn refusals_of_paying_are_counted_by_code_and_nothing_else_is() {
    let town = Town::new().await;
    let app = router(&town.city);
    let (_, key) = operator(&town, "1", Role::Viewer).await;
    let ok = || -> Response { ().into_response() };
    let refused = |status, code| -> Response { Problem::new(status, code, "").into_response() };
    for (method, route, answer) in [
        (Method::POST, "/v1/payments", ok()),
        (Method::POST, "/v1/transfers", ok()),
        (Method::POST, "/v1/bills/{id}/pay", ok()),
        (Method::POST, "/v1/charges", refused(409, "cap_reached")),
        (Method::POST, "/v1/charges", axum::http::StatusCode::ACCEPTED.into_response()),
        (Method::GET, "/v1/payments", refused(405, "method_not_allowed")),
        (Method::POST, "/v1/refunds", refused(409, "trade_not_paid")),
        (Method::GET, "/v1/wallet", ok()),
    ] {
        live::http::note(&town.city, &method, route, &answer);
    }
    let (_, now) = call(&app, "GET", "/v1/operator/live", &key, ()).await;
    let last = &now["last_60_s"];
    assert_eq!(
        (&last["ok_here"], &last["refused_here"], &last["success_bp"]),
        (&json!(3), &json!(1), &json!(7_500))
    );
    assert_eq!(
        (&last["refusals"], &now["refusals"]),
        (&json!({"cap_reached": 1}), &json!({"cap_reached": 1}))
    );
}

/// The alerts now: code and subject.
async fn alerts(app: &axum::Router, key: &str) -> Vec<(String, String)> {
    let (status, now) = call(app, "GET", "/v1/operator/live", key, ()).await;
    assert_eq!(status, 200, "{now}");
    let text = |v: &Value| v.as_str().expect("text").to_owned();
    let all = now["alerts"].as_array().expect("alerts").iter();
    all.map(|a| (text(&a["code"]), text(&a["subject"]))).collect()
}

#[tokio::test]
async fn alerts_come_with_what_is_wrong_and_go_with_it() {
    let town = Town::new().await;
    let app = router(&town.city);
    let city = &town.city;
    let (anna, key) = operator(&town, "anna", Role::Admin).await;
    let (bert, _) = operator(&town, "bert", Role::Staff).await;
    let ming = town.resident("13800001111").await.id;
    let of = |code: &str, all: &[(String, String)]| -> Vec<String> {
        all.iter().filter(|(c, _)| c == code).map(|(_, subject)| subject.clone()).collect()
    };
    assert_eq!(of("books_check_old", &alerts(&app, &key).await), [""]);
    wait_for_check(city, &anna).await;
    assert_eq!(of("books_check_old", &alerts(&app, &key).await), [""; 0]);
    let wanted = city::operator::approval::Movement {
        kind: city::operator::approval::MovementKind::Deposit,
        subject: ming.as_u128(),
        amount: town.money(6_000_000),
        reference: "B-1".to_owned(),
    };
    let waits = city::operator::approval::book(city, &anna, wanted, None).await.expect("asked");
    let city::operator::approval::Booking::Waits(waits) = waits else { panic!("{waits:?}") };
    town.pass(3_599);
    assert_eq!(of("approval_waiting", &alerts(&app, &key).await), [""; 0]);
    town.pass(2);
    assert_eq!(of("approval_waiting", &alerts(&app, &key).await), [waits.id.to_string()]);
    city::operator::approval::reject(city, &bert, waits.id, None).await.expect("rejected");
    assert_eq!(of("approval_waiting", &alerts(&app, &key).await), [""; 0]);
    live::http::note(city, &Method::GET, "/v1/x", &Problem::new(507, "ledger_no_space", "").into_response());
    assert_eq!(of("ledger_no_space", &alerts(&app, &key).await), [""]);
    town.pass(600);
    assert_eq!(of("ledger_no_space", &alerts(&app, &key).await), [""; 0]);
    // Nobody has followed the feed here: whoever does is behind by the age of the first transfer.
    let lagging = of("feed_lag", &alerts(&app, &key).await);
    assert!(lagging.is_empty(), "nothing was committed but accounts: {lagging:?}");
    town.rich("13800003333", 100).await;
    town.pass(61);
    assert_eq!(of("feed_lag", &alerts(&app, &key).await), ["live", "webhook"]);
    follow(city).await;
    assert_eq!(of("feed_lag", &alerts(&app, &key).await), ["webhook"]);
    town.pass(24 * 3_600);
    assert_eq!(of("books_check_old", &alerts(&app, &key).await), [""]);
}

/// Starts a check and waits for its end.
async fn wait_for_check(city: &City, by: &city::identity::Operator) -> check::Check {
    let started = check::start(city, by, None).await.expect("started").started_at;
    loop {
        if let Some(ended) = check::newest(city).await.expect("an answer")
            && ended.started_at == started
            && city_is_idle(city, by).await
        {
            return ended;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

async fn city_is_idle(city: &City, by: &city::identity::Operator) -> bool {
    live::live(city, by).await.expect("an answer").running.is_none()
}

#[tokio::test]
async fn sound_books_pass_and_the_sums_are_told() {
    let town = Town::new().await;
    let app = router(&town.city);
    let (_, key) = operator(&town, "1", Role::Staff).await;
    let ming = town.rich("13800001111", 10_000).await;
    let shop = town.shop("s-1").await;
    let code = order(&town, &shop, "A-1", 10_000).await;
    let pay = Pay { code, amount: None, pin: None, coupon: None, key: "k".to_owned() };
    trade::pay(&town.city, &ming, pay).await.expect("paid");
    let (status, begun) = call(&app, "POST", "/v1/operator/checks", &key, ()).await;
    assert_eq!((status, &begun["state"]), (202, &json!("running")), "{begun}");
    let report = loop {
        let (_, now) = call(&app, "GET", "/v1/operator/live", &key, ()).await;
        if now["check"]["state"] != json!("running") {
            break now["check"].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    assert_eq!(report["state"], json!("passed"), "{report}");
    let sums = ["bank_minor", "wallets_minor", "shops_minor", "billers_minor", "fees_minor", "differences"];
    assert_eq!(sums.map(|s| report["report"][s].as_i64().expect("a number")), [10_000, 0, 9_962, 0, 38, 0]);
    let (_, viewer) = operator(&town, "2", Role::Viewer).await;
    let (status, problem) = call(&app, "POST", "/v1/operator/checks", &viewer, ()).await;
    assert_eq!((status, &problem["code"]), (403, &json!("forbidden")));
    let own = town.key(OwnerKind::Merchant, shop.id.as_u128(), Role::Admin).await;
    let (status, problem) = call(&app, "POST", "/v1/operator/checks", &own, ()).await;
    assert_eq!((status, &problem["code"]), (403, &json!("wrong_key")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_books_are_checked_while_the_city_pays() {
    let town = Town::new().await;
    let (by, _) = operator(&town, "1", Role::Staff).await;
    let crowd = town.crowd(20, 100_000).await;
    let shop = town.shop("s-1").await;
    let face = city::merchant::get(&town.city, shop.id).await.expect("the shop");
    let poster = city::merchant::poster::payload_static(&face, &town.city.settings).expect("a poster");
    let over = Arc::new(AtomicBool::new(false));
    let payers: Vec<_> = crowd
        .into_iter()
        .map(|who| {
            let (city, code, over) = (town.city.clone(), poster.clone(), over.clone());
            tokio::spawn(async move {
                let mut paid = 0u64;
                while !over.load(Ordering::Relaxed) {
                    let amount = Some(kernel::Money::fen(1));
                    let pay =
                        Pay { code: code.clone(), amount, pin: None, coupon: None, key: format!("k-{paid}") };
                    trade::pay(&city, &who, pay).await.expect("paid");
                    paid += 1;
                }
                paid
            })
        })
        .collect();
    let mut transfers = Vec::new();
    for _ in 0..5 {
        let found = wait_for_check(&town.city, &by).await;
        assert_eq!((found.outcome, &found.report.first[..]), (CheckOutcome::Passed, &[][..]));
        transfers.push(found.report.transfers);
        town.pass(1); // the next check is another one
    }
    over.store(true, Ordering::Relaxed);
    let mut paid = 0;
    for payer in payers {
        paid += payer.await.expect("no panic");
    }
    assert!(transfers.is_sorted() && transfers[0] < transfers[4], "the city went on paying: {transfers:?}");
    assert!(paid > 0);
    town.assert_conserved().await;
}

#[tokio::test]
async fn books_that_lie_are_found_out() {
    let town = Town::new().await;
    let (by, _) = operator(&town, "1", Role::Admin).await;
    let ming = town.rich("13800001111", 10_000).await.id.as_u128();
    let (node, liar) = town.node_that_lies(ming).await;
    assert_eq!(wait_for_check(&node, &by).await.outcome, CheckOutcome::Passed);
    town.pass(1);
    liar.store(true, Ordering::Relaxed);
    let found = wait_for_check(&node, &by).await;
    assert_eq!(found.outcome, CheckOutcome::Failed);
    let first = &found.report.first[0];
    assert_eq!(
        (first.id.clone(), found.report.differences),
        (format!("{ming:032x}"), 1),
        "{:?}",
        found.report
    );
    let now = live::live(&node, &by).await.expect("an answer");
    assert!(
        now.alerts.iter().any(|a| a.code == "books_check_failed" && a.severity == live::Severity::Critical)
    );
    let account: Vec<Account> = town.city.ledger.lookup_accounts(vec![ming]).await.expect("an answer");
    assert_eq!(account[0].credits_posted, 10_000);
}

/// A way on which nobody is there.
const DEAD_END: &str = r#"
[[channels]]
name = "near"
timeout_s = 1
[channels.direct]
format = "json"
code = "code"
codes = { "0" = "ok", "2" = "unknown", "9" = "refused" }
[channels.direct.query]
path = "/debts/{account_no}"
method = "GET"
[channels.direct.query.debts]
at = "debts"
bill_no = "no"
amount = "fen"
unit = "fen"
[channels.direct.pay]
path = "/pay"
body = '{"id":"{payment}","account":"{account_no}","fen":{amount.fen}}'
[channels.direct.inquire]
path = "/pay/{payment}"
method = "GET"
[channels.direct.reverse]
path = "/reverse"
body = '{"id":"{payment}"}'
"#;

#[tokio::test]
async fn a_biller_that_does_not_answer_and_a_late_complaint_are_told_of_once() {
    use city::complaint::{self, ComplaintKind, Raise};
    let url = "http://127.0.0.1:1".parse().expect("an address");
    let door = city::bill::route::DoorSetting {
        url,
        secrets: channel::secrets::Held::default(),
        tls: channel::tls::Tls::default(),
    };
    let town = Town::with(|s| s.doors = [("hz-live/near".to_owned(), door)].into()).await;
    let app = router(&town.city);
    let city = &town.city;
    let (_, key) = operator(&town, "anna", Role::Admin).await;
    let (_, view) = crate::support::one_bill(&town).await;
    let who = town.rich("13800001111", 50_000).await;
    let payment = crate::support::pay(&town, &who, view.bill.id).await.expect("paid").settled.payment;
    let wish = Raise {
        kind: ComplaintKind::PaidButDue,
        payment: Some(payment),
        bill: None,
        words: "还是欠费".to_owned(),
    };
    let complaint = complaint::raise(city, &who, wish).await.expect("raised").id;
    let text = crate::support::live_pack("hz-live", "water", ["杭州自来水", "Hangzhou Water"], DEAD_END);
    let silent = city::bill::add_pack(city, &town.operator, &text).await.expect("a pack").biller;
    for _ in 0..5 {
        city::bill::fetch(city, silent, crate::support::POWER[0]).await.expect_err("nobody is there");
    }
    let of = |code: &str, all: &[(String, String)]| -> Vec<String> {
        all.iter().filter(|(c, _)| c == code).map(|(_, subject)| subject.clone()).collect()
    };
    let now = alerts(&app, &key).await;
    assert_eq!(of("biller_silent", &now), [silent.to_string()]);
    assert_eq!(of("complaint_overdue", &now), [""; 0]);
    // From the biller to an operator, from there to a supervisor, whose time is over too.
    for days in [8, 6, 6] {
        town.pass(days * 86_400);
        complaint::work(city).await.expect("handed on");
    }
    assert_eq!(of("complaint_overdue", &alerts(&app, &key).await), [complaint.to_string()]);
}
