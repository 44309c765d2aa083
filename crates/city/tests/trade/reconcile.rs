//! A shop's own list of a day against the ledger: planted breaks are all found, none is invented.

use std::fmt::Write as _;

use city::identity::{Merchant, OwnerKind, Resident, Role};
use city::merchant::{self, poster::Poster};
use city::trade::{self, Pay};
use serde_json::{Value, json};

use crate::common::{Town, call_raw};
use crate::{order, scan, square};

const MONDAY: &str = "2026-03-02";

async fn send(town: &Town, key: &str, day: &str, list: &str) -> (u16, Value) {
    let router = trade::http::routes().split_for_parts().0.with_state(town.city.clone());
    let (bearer, path) = (format!("Bearer {key}"), format!("/v1/merchants/me/statements/{day}/reconcile"));
    let (status, body) = call_raw(&router, "POST", &path, &[("authorization", &bearer)], list).await;
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

async fn pay(town: &Town, shop: &Merchant, who: &Resident, number: &str, minor: i64) {
    let qr = order(town, shop, number, minor).await;
    scan(&town.city, who, &qr, number).await.expect("paid");
    town.pass(1);
}

async fn at_poster(town: &Town, shop: &Merchant, who: &Resident, minor: i64) -> String {
    let sign = merchant::get(&town.city, shop.id).await.expect("a shop");
    let code = Poster::new(&sign, &town.city.settings).expect("a poster").payload().to_owned();
    let wish =
        Pay { code, amount: Some(town.money(minor)), pin: None, coupon: None, key: format!("p-{minor}") };
    trade::pay(&town.city, who, wish).await.expect("paid").trade.to_string()
}

#[tokio::test]
async fn planted_breaks_are_found() {
    let (town, shop, payer, _) = square().await;
    let key = town.key(OwnerKind::Merchant, shop.id.as_u128(), Role::Viewer).await;
    for (number, minor) in [("A-1", 1_000), ("A-2", 2_000), ("A,\"3", 3_000), ("A-4", 4_000)] {
        pay(&town, &shop, &payer, number, minor).await;
    }
    let posters = [at_poster(&town, &shop, &payer, 55).await, at_poster(&town, &shop, &payer, 66).await];
    order(&town, &shop, "unpaid", 100).await;
    let list = format!(
        "order_no,amount\r\nA-1,10.00\r\nA-2,20.01\r\n\"A,\"\"3\",30.00\r\nA-1,10.00\r\nTue-1,7.00\r\n\r\n\
         unpaid,1.00\r\nnobody,9.99\r\nnobody,9.99\r\n{},0.55\r\n",
        posters[0]
    );
    let (status, early) = send(&town, &key, MONDAY, &list).await;
    assert_eq!((status, &early["code"]), (409, &json!("day_not_over")));
    town.pass(86_400);
    pay(&town, &shop, &payer, "Tue-1", 700).await;
    town.pass(86_400);

    let (status, told) = send(&town, &key, MONDAY, &list).await;
    assert_eq!(status, 200, "{told}");
    let cny = |minor: i64| json!({"minor": minor, "currency": "CNY"});
    let part = |count: u64, minor: i64| json!({"count": count, "amount": cny(minor)});
    assert_eq!(told["ours"], part(6, 10_121));
    assert_eq!(told["theirs"], part(9, 1_000 + 2_001 + 3_000 + 1_000 + 700 + 100 + 999 * 2 + 55));
    assert_eq!(told["matched"], part(3, 4_055));
    let counts = json!({"missing_here": 3, "missing_there": 2, "amount_differs": 1, "duplicate": 2});
    assert_eq!(told["counts"], counts);
    let trade = |number: &str| trade::id_of(shop.id, number).to_string();
    let breaks: Vec<Value> = told["breaks"].as_array().expect("breaks").clone();
    let row = |code: &str,
               line: Option<u64>,
               number: Option<&str>,
               trade: String,
               ours: Value,
               theirs: Value| {
        json!({"code": code, "line": line, "order_no": number, "trade": trade, "ours": ours, "theirs": theirs})
    };
    let wanted = [
        row("amount_differs", Some(3), Some("A-2"), trade("A-2"), cny(2_000), cny(2_001)),
        row("duplicate", Some(5), Some("A-1"), trade("A-1"), cny(1_000), cny(1_000)),
        row("missing_here", Some(6), Some("Tue-1"), trade("Tue-1"), Value::Null, cny(700)),
        row("missing_here", Some(8), Some("unpaid"), trade("unpaid"), Value::Null, cny(100)),
        row("missing_here", Some(9), Some("nobody"), trade("nobody"), Value::Null, cny(999)),
        row("duplicate", Some(10), Some("nobody"), trade("nobody"), Value::Null, cny(999)),
        row("missing_there", None, Some("A-4"), trade("A-4"), cny(4_000), Value::Null),
        row("missing_there", None, None, posters[1].clone(), cny(66), Value::Null),
    ];
    let paid_at = [Some("2026-03-02T"), Some("2026-03-02T"), Some("2026-03-03T"), None, None, None];
    let paid_at = paid_at.into_iter().chain([Some("2026-03-02T"), Some("2026-03-02T")]);
    assert_eq!(breaks.len(), wanted.len(), "{told}");
    for ((mut found, wanted), day) in breaks.into_iter().zip(wanted).zip(paid_at) {
        let at = found.as_object_mut().expect("an object").remove("paid_at").expect("a member");
        assert_eq!(found, wanted);
        assert_eq!(at.as_str().map(|at| &at[..11]), day, "{found}");
    }
    let (_, again) = send(&town, &key, MONDAY, &list).await;
    assert_eq!(again, told, "nothing is kept");
    let other = town.shop("S-2").await;
    let other = town.key(OwnerKind::Merchant, other.id.as_u128(), Role::Viewer).await;
    let (_, others) = send(&town, &other, MONDAY, &list).await;
    assert_eq!((&others["ours"], &others["matched"]), (&part(0, 0), &part(0, 0)));
    assert!(others["breaks"].as_array().expect("breaks").iter().all(|b| b["paid_at"].is_null()), "{others}");
}

#[tokio::test]
async fn a_full_list_has_no_breaks() {
    let (town, shop, payer, _) = square().await;
    let key = town.key(OwnerKind::Merchant, shop.id.as_u128(), Role::Viewer).await;
    let mut list = String::from("\u{feff}order_no,amount\n");
    for n in 0..30 {
        pay(&town, &shop, &payer, &format!("A-{n}"), 100 + n).await;
        writeln!(list, "A-{n},{}", town.money(100 + n).amount()).expect("infallible");
    }
    crate::refund(&town.city, &shop, "A-3", "R", 50).await.expect("refunded");
    town.pass(86_400);
    let (status, told) = send(&town, &key, MONDAY, &list).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!((&told["ours"], &told["theirs"]), (&told["matched"], &told["matched"]));
    assert_eq!((&told["matched"]["count"], &told["breaks"]), (&json!(30), &json!([])));
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_refused_by_its_line() {
    let (town, shop, ..) = square().await;
    let key = town.key(OwnerKind::Merchant, shop.id.as_u128(), Role::Viewer).await;
    town.pass(86_400);
    let long = format!("order_no,amount\n{},1", "9".repeat(300));
    for (list, line) in [
        ("", "line 1: "),
        ("A-1,1.00\n", "line 1: "),
        ("order_no,amount\nA-1;1.00\n", "line 2: "),
        ("order_no,amount\nA-1,1.00\nA-2,-1.00", "line 3: "),
        ("order_no,amount\nA-1,1.00\n\nA 2,1.00\n", "line 4: "),
        (&long, "line 2: "),
    ] {
        let (status, answer) = send(&town, &key, MONDAY, list).await;
        assert_eq!((status, &answer["code"]), (422, &json!("line_malformed")), "{list:?}: {answer}");
        assert!(answer["detail"].as_str().expect("text").starts_with(line), "{list:?}: {answer}");
    }
    let (status, answer) = send(&town, &key, "today", "").await;
    assert_eq!((status, &answer["code"]), (400, &json!("malformed_day")));
    let max = usize::try_from(trade::reconcile::LIST_BYTES_MAX).expect("it fits");
    let huge = format!("order_no,amount\n{}", "\n".repeat(max));
    let (status, answer) = send(&town, &key, MONDAY, &huge).await;
    assert_eq!((status, &answer["code"]), (413, &json!("body_too_large")));
}
