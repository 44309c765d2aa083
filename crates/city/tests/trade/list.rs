//! The list of a shop's trades: everything once, newest first, page by page, whatever the filter.

use city::City;
use city::identity::{Merchant, Resident};
use city::merchant::{self, poster::Poster};
use city::trade::{self, Pay, Precreate};
use serde_json::Value;

use crate::common::{Town, call};
use crate::{charge, order, refund, scan, square, waiting, wanted};

async fn at_poster(city: &City, shop: &Merchant, who: &Resident, minor: i64, key: &str) {
    let sign = merchant::get(city, shop.id).await.expect("a shop");
    let code = Poster::new(&sign, &city.settings).expect("a poster").payload().to_owned();
    let amount = Some(kernel::Money::new(minor, city.settings.currency));
    trade::pay(city, who, Pay { code, amount, pin: None, coupon: None, key: key.to_owned() })
        .await
        .expect("paid");
}

/// What the pages of a query show, in `limit`s: number (or amount at a poster) and state.
async fn listed(town: &Town, key: &str, query: &str, limit: usize) -> Vec<String> {
    let router = trade::http::routes().split_for_parts().0.with_state(town.city.clone());
    let (mut shown, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/trades?limit={limit}{query}{cursor}");
        let (status, page) = call(&router, "GET", &path, key, ()).await;
        assert_eq!(status, 200, "{path}: {page}");
        let items = page["items"].as_array().expect("items");
        assert!(items.len() <= limit, "{path}");
        shown.extend(items.iter().map(|item| {
            let name = item["order_no"].as_str().map_or(item["amount"]["minor"].to_string(), str::to_owned);
            format!("{name} {}", item["status"].as_str().expect("a state"))
        }));
        match &page["next"] {
            Value::Null => return shown,
            next => cursor = format!("&cursor={}", next.as_str().expect("text")),
        }
    }
}

#[tokio::test]
async fn everything_once_newest_first() {
    let (town, shop, payer, phone) = square().await;
    let city = &town.city;
    let key = town.key(city::identity::OwnerKind::Merchant, shop.id.as_u128(), city::identity::Role::Viewer);
    let key = key.await;
    let till = merchant::add_till(city, &shop, "one").await.expect("a till").id;
    // Ordered in this order, a second apart; paid in another.
    order(&town, &shop, "expires", 100).await;
    town.pass(1);
    let late = Precreate { till: Some(till), ..wanted(city, "paid-late", 200) };
    let late = trade::precreate(city, &shop, late).await.expect("an order").qr;
    town.pass(1);
    let early = order(&town, &shop, "paid-early", 300).await;
    scan(city, &payer, &early, "k1").await.expect("paid");
    town.pass(1);
    at_poster(city, &shop, &payer, 77, "k2").await;
    town.pass(1);
    order(&town, &shop, "closed", 400).await;
    trade::close(city, &shop, "closed").await.expect("closed");
    trade::cancel(city, &shop, "never-ordered").await.expect("closed");
    town.pass(86_400 - 4);
    waiting(charge(city, &shop, "waits", 100_001, &phone.code()).await);
    town.pass(1);
    let gone = order(&town, &shop, "given-back", 500).await;
    scan(city, &payer, &gone, "k3").await.expect("paid");
    refund(city, &shop, "given-back", "R-1", 500).await.expect("refunded");
    town.pass(1);
    let open = Precreate { till: Some(till), expires_in_s: Some(3_600), ..wanted(city, "open", 600) };
    trade::precreate(city, &shop, open).await.expect("an order");
    assert_eq!(refused(&town, &late).await, "trade_closed", "its time is over");
    let again = Precreate { till: Some(till), ..wanted(city, "at-till", 800) };
    let again = trade::precreate(city, &shop, again).await.expect("an order").qr;
    town.pass(1);
    scan(city, &payer, &again, "k5").await.expect("paid");
    refund(city, &shop, "at-till", "R-2", 100).await.expect("refunded");

    let all = [
        "at-till paid",
        "open open",
        "given-back refunded",
        "waits waiting",
        "closed closed",
        "77 paid",
        "paid-early paid",
        "paid-late closed",
        "expires closed",
    ];
    let some = |wanted: &dyn Fn(&str) -> bool| -> Vec<&str> {
        all.iter().copied().filter(|entry| wanted(entry)).collect()
    };
    for limit in [1, 2, 3, 4, 9, 200] {
        assert_eq!(listed(&town, &key, "", limit).await, all, "{limit}");
        for state in ["open", "waiting", "paid", "refunded", "closed"] {
            let end = format!(" {state}");
            let query = format!("&state={state}");
            assert_eq!(listed(&town, &key, &query, limit).await, some(&|e| e.ends_with(&end)), "{query}");
        }
        let at_till = ["at-till paid", "open open", "paid-late closed"];
        assert_eq!(listed(&town, &key, &format!("&till={till}"), limit).await, at_till);
        assert_eq!(listed(&town, &key, &format!("&till={till}&state=closed"), limit).await, at_till[2..]);
        assert_eq!(listed(&town, &key, "&from=2026-03-03", limit).await, all[..4]);
        assert_eq!(listed(&town, &key, "&to=2026-03-02", limit).await, all[4..]);
        assert_eq!(listed(&town, &key, "&from=2026-03-02&to=2026-03-02&state=paid", limit).await, all[5..7]);
        assert!(listed(&town, &key, "&from=2026-03-04", limit).await.is_empty());
        assert!(listed(&town, &key, "&to=1969-12-31", limit).await.is_empty());
    }
    for (query, found) in [
        ("&order_no=open", &["open open"][..]),
        ("&order_no=open&state=paid", &[]),
        ("&order_no=never-ordered", &["null closed"]),
        ("&order_no=paid-early&from=2026-03-03", &[]),
        ("&order_no=unknown", &[]),
    ] {
        assert_eq!(listed(&town, &key, query, 5).await, found, "{query}");
    }
    // A page has the same figures as the trade by itself.
    let router = trade::http::routes().split_for_parts().0.with_state(city.clone());
    let (_, page) = call(&router, "GET", "/v1/trades", &key, ()).await;
    for item in page["items"].as_array().expect("items") {
        let path = format!("/v1/trades/{}", item["trade"].as_str().expect("an id"));
        assert_eq!(call(&router, "GET", &path, &key, ()).await.1, *item);
    }
    let other = town.shop("S-2").await;
    let other =
        town.key(city::identity::OwnerKind::Merchant, other.id.as_u128(), city::identity::Role::Admin);
    assert!(listed(&town, &other.await, "", 50).await.is_empty(), "another shop's is its own");
    for (query, status, code) in [
        ("state=done", 400, "malformed_query"),
        ("till=1", 400, "malformed_query"),
        ("page=2", 400, "malformed_query"),
        ("cursor=1", 400, "malformed_cursor"),
        ("from=today", 400, "malformed_day"),
        ("from=2026-03-03&to=2026-03-02", 422, "days_unacceptable"),
    ] {
        let (got, answer) = call(&router, "GET", &format!("/v1/trades?{query}"), &key, ()).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{query}");
    }
    town.assert_conserved().await;
}

async fn refused(town: &Town, qr: &str) -> &'static str {
    let payer = town.resident("13800003333").await;
    crate::common::code(scan(&town.city, &payer, qr, "late").await)
}

/// More trades than a look goes through, of which the filter wants few: every page is short work, and all
/// are found.
#[tokio::test]
async fn a_filter_that_finds_little() {
    let (town, shop, payer, _) = square().await;
    let city = &town.city;
    let key = town.key(city::identity::OwnerKind::Merchant, shop.id.as_u128(), city::identity::Role::Viewer);
    let key = key.await;
    let till = merchant::add_till(city, &shop, "rare").await.expect("a till").id;
    let mut rare = Vec::new();
    for n in 0..2_500u32 {
        let number = format!("N-{n:04}");
        let is_rare = n % 700 == 3;
        let order = Precreate { till: is_rare.then_some(till), ..wanted(city, &number, 1) };
        trade::precreate(city, &shop, order).await.expect("an order");
        town.clock.advance(std::time::Duration::from_millis(u64::from(n % 2)));
        if is_rare {
            rare.push(format!("{number} open"));
        }
    }
    let qr = order(&town, &shop, "N-paid", 1).await;
    scan(city, &payer, &qr, "k").await.expect("paid");
    rare.reverse();
    for limit in [1, 3, 200] {
        assert_eq!(listed(&town, &key, &format!("&till={till}"), limit).await, rare);
    }
    assert_eq!(listed(&town, &key, "", 200).await.len(), 2_501);
    assert_eq!(listed(&town, &key, "&state=paid", 200).await, ["N-paid paid"]);
}
