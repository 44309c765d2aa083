//! A shop's takings: the sums of its statements, today's as they are so far.

use city::identity::{Merchant, OwnerKind, Role};
use city::trade::{self, statement::statement};
use kernel::{Currency, Money};
use serde_json::{Value, json};

use crate::common::{Town, call};
use crate::{order, refund, scan, square};

async fn ask(town: &Town, key: &str, from: &str, to: &str) -> (u16, Value) {
    let router = trade::http::routes().split_for_parts().0.with_state(town.city.clone());
    call(&router, "GET", &format!("/v1/merchants/me/takings?from={from}&to={to}"), key, ()).await
}

fn minor(item: &Value, field: &str) -> i64 {
    item[field]["minor"].as_i64().expect("minor units")
}

/// Count, amount, fee and net of the statement's last line, minor units.
async fn totals(town: &Town, shop: &Merchant, day: &str) -> [i64; 4] {
    let csv = statement(&town.city, shop, day.parse().expect("a day")).await.expect("a statement");
    let text = String::from_utf8(csv).expect("UTF-8");
    let last: Vec<&str> = text.trim_end().lines().last().expect("totals").split(',').collect();
    let minor = |text: &str| Money::parse_amount(text, Currency::CNY).expect("an amount").minor;
    [last[1].parse().expect("a count"), minor(last[6]), minor(last[7]), minor(last[8])]
}

#[tokio::test]
async fn the_sums_of_the_statements() {
    let (town, shop, payer, _) = square().await;
    let city = &town.city;
    let key = town.key(OwnerKind::Merchant, shop.id.as_u128(), Role::Viewer).await;
    for day in 0..3 {
        for n in 0..4 {
            let number = format!("A-{day}-{n}");
            let qr = order(&town, &shop, &number, 1_000 + 777 * n).await;
            scan(city, &payer, &qr, &number).await.expect("paid");
            town.pass(60);
        }
        refund(city, &shop, &format!("A-{day}-1"), "R-1", 500 + day).await.expect("refunded");
        if day > 0 {
            refund(city, &shop, &format!("A-{}-3", day - 1), "R-2", 2_000).await.expect("refunded");
            let reference = format!("OUT-{day}");
            city::merchant::pay_out(city, &town.operator, shop.id, town.money(1_234), &reference)
                .await
                .expect("paid out");
        }
        // Asked in between: what comes later must be counted too, and nothing twice.
        let today = format!("2026-03-0{}", 2 + day);
        let (_, so_far) = ask(&town, &key, &today, &today).await;
        assert_eq!(
            (&so_far["items"][0]["payments"], &so_far["items"][0]["closed"]),
            (&json!(4), &json!(false))
        );
        let qr = order(&town, &shop, &format!("B-{day}"), 99).await;
        scan(city, &payer, &qr, &format!("B-{day}")).await.expect("paid");
        town.pass(86_400 - 240);
    }
    let (status, answer) = ask(&town, &key, "2026-03-01", "2026-03-05").await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["next"], Value::Null);
    let items = answer["items"].as_array().expect("items");
    let days: Vec<&str> = items.iter().map(|item| item["day"].as_str().expect("a day")).collect();
    assert_eq!(days, ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05"]);
    for item in items.iter().filter(|item| item["closed"] == true) {
        let day = item["day"].as_str().expect("a day");
        let (gross, back) = (minor(item, "gross"), minor(item, "refunded"));
        let (fee, net, out) = (minor(item, "fee"), minor(item, "net"), minor(item, "paid_out"));
        let outs = u64::from(out > 0);
        let lines = item["payments"].as_u64().zip(item["refunds"].as_u64()).map(|(p, r)| p + r + outs);
        let lines = i64::try_from(lines.expect("counts")).expect("few");
        assert_eq!(totals(&town, &shop, day).await, [lines, gross - back - out, fee, net - out], "{day}");
    }
    let counts: Vec<_> = items.iter().map(|i| (&i["payments"], &i["refunds"], &i["closed"])).collect();
    let row = |p: u64, r: u64, closed: bool| (json!(p), json!(r), json!(closed));
    let wanted = [row(0, 0, true), row(5, 1, true), row(5, 2, true), row(5, 2, true), row(0, 0, false)];
    assert_eq!(counts, wanted.iter().map(|(p, r, c)| (p, r, c)).collect::<Vec<_>>());
    // Another node, which has counted nothing yet, says the same; so does this one, asked again.
    let node = town.node().await;
    let router = trade::http::routes().split_for_parts().0.with_state(node);
    let path = "/v1/merchants/me/takings?from=2026-03-01&to=2026-03-05";
    assert_eq!(call(&router, "GET", path, &key, ()).await.1, answer);
    assert_eq!(ask(&town, &key, "2026-03-01", "2026-03-05").await.1, answer);
}

#[tokio::test]
async fn days_that_are_refused() {
    let (town, shop, ..) = square().await;
    let key = town.key(OwnerKind::Merchant, shop.id.as_u128(), Role::Viewer).await;
    for (from, to, status, code) in [
        ("2026-03-02", "2026-03-01", 422, "days_unacceptable"),
        ("2026-01-01", "2026-04-03", 422, "days_unacceptable"),
        ("-009999-01-01", "9999-12-31", 422, "days_unacceptable"),
        ("2026-02-30", "2026-03-01", 400, "malformed_day"),
        ("", "2026-03-01", 400, "malformed_day"),
    ] {
        let (got, answer) = ask(&town, &key, from, to).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{from} to {to}: {answer}");
    }
    let (status, answer) = ask(&town, &key, "2026-01-01", "2026-04-02").await;
    assert_eq!((status, answer["items"].as_array().map(Vec::len)), (200, Some(92)));
    let (_, answer) = ask(&town, &key, "9999-12-31", "9999-12-31").await;
    assert_eq!(answer["items"][0]["closed"], false, "{answer}");
    assert_eq!(
        ask(&town, &town.key(OwnerKind::Operator, 8, Role::Admin).await, "2026-01-01", "2026-01-02").await.0,
        403
    );
}
