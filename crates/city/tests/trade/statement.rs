//! The daily statement: made when the day is over, and the same bytes ever after.

use city::identity::Merchant;
use city::trade::{self, Precreate, statement::statement};
use kernel::Date;

use crate::common::{Town, code};
use crate::{refund, scan, square, wanted};

fn day(text: &str) -> Date {
    text.parse().expect("a day")
}

async fn lines(town: &Town, shop: &Merchant, date: &str) -> Vec<String> {
    let csv = statement(&town.city, shop, day(date)).await.expect("a statement");
    let text = String::from_utf8(csv).expect("UTF-8");
    let text = text.strip_prefix('\u{feff}').expect("a byte-order mark");
    assert!(text.ends_with("\r\n"));
    text.trim_end().split("\r\n").map(str::to_owned).collect()
}

#[tokio::test]
async fn a_day_with_everything_in_it() {
    let (town, shop, payer, _) = square().await;
    for (number, minor, subject) in [
        ("A-1", 10_000, "=HYPERLINK(\"http://x\",\"y\")"),
        ("+A-2", 5_000, "牛肉面, 大"),
        ("A-3", 250, "@面"),
    ] {
        let request = Precreate { subject: Some(subject.to_owned()), ..wanted(&town.city, number, minor) };
        let qr = trade::precreate(&town.city, &shop, request).await.expect("an order").qr;
        scan(&town.city, &payer, &qr, number).await.expect("paid");
    }
    refund(&town.city, &shop, "A-1", "R-1", 5_000).await.expect("refunded");
    town.clock.set("2026-03-02T15:59:59.999Z".parse().expect("the last moment of the day"));
    assert_eq!(code(statement(&town.city, &shop, day("2026-03-02")).await), "day_not_over");
    town.clock.set("2026-03-02T16:00:00Z".parse().expect("midnight"));
    let told = lines(&town, &shop, "2026-03-02").await;
    assert_eq!(told.len(), 1 + 4 + 1);
    assert_eq!(told[0], trade::statement::HEADER);
    let ends = |line: &str, parts: &[&str]| {
        assert!(line.starts_with("2026-03-02 10:00:00,"), "{line}");
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    };
    ends(&told[1], &[",payment,A-1,trd_", r#","'=HYPERLINK(""http://x"",""y"")",100.00,0.38,99.62"#]);
    ends(&told[2], &[",payment,'+A-2,trd_", ",\"牛肉面, 大\",50.00,0.19,49.81"]);
    ends(&told[3], &[",payment,A-3,trd_", ",'@面,2.50,0.01,2.49"]);
    ends(&told[4], &[",refund,A-1,trd_", ",-50.00,-0.19,-49.81"]);
    assert_eq!(told[5], "total,4,,,,,102.50,0.39,102.11");
    assert_eq!(
        lines(&town, &shop, "2026-03-01").await,
        [trade::statement::HEADER, "total,0,,,,,0.00,0.00,0.00"]
    );
    assert_eq!(
        lines(&town, &town.shop("S-2").await, "2026-03-02").await.len(),
        2,
        "another shop's is its own"
    );
}

#[tokio::test]
async fn the_same_bytes_whatever_happens_later() {
    let (town, shop, payer, _) = square().await;
    let pay = |number: &'static str| {
        let (city, shop) = (town.city.clone(), shop);
        async move {
            let made = trade::precreate(&city, &shop, wanted(&city, number, 10_000)).await.expect("an order");
            scan(&city, &payer, &made.qr, number).await.expect("paid")
        }
    };
    pay("A-1").await;
    town.clock.set("2026-03-02T16:00:00Z".parse().expect("midnight"));
    let first = statement(&town.city, &shop, day("2026-03-02")).await.expect("a statement");
    // The clock is put back into the day: what is paid now belongs to the next one.
    town.clock.set("2026-03-02T15:00:00Z".parse().expect("an hour before"));
    assert_eq!(code(statement(&town.city, &shop, day("2026-03-02")).await), "day_not_over");
    pay("A-2").await;
    town.clock.set("2026-03-02T17:00:00Z".parse().expect("an hour after"));
    refund(&town.city, &shop, "A-1", "R-1", 100).await.expect("refunded");
    assert_eq!(statement(&town.city, &shop, day("2026-03-02")).await.expect("a statement"), first);
    let next = {
        town.clock.set("2026-03-03T16:00:00Z".parse().expect("midnight"));
        lines(&town, &shop, "2026-03-03").await
    };
    assert_eq!(next.len(), 1 + 2 + 1, "{next:?}");
    town.pass(400 * 86_400);
    let town = town.reopen().await;
    assert_eq!(statement(&town.city, &shop, day("2026-03-02")).await.expect("a statement"), first);
}

#[tokio::test]
async fn days_at_the_ends_of_time() {
    let (town, shop, ..) = square().await;
    for (date, over) in [
        ("-009999-01-01", true),
        ("1600-02-29", true),
        ("1969-12-31", true),
        ("1970-01-01", true),
        ("2026-03-02", false),
        ("2261-12-31", false),
        ("9999-12-31", false),
    ] {
        if over {
            assert_eq!(lines(&town, &shop, date).await.len(), 2, "{date}");
        } else {
            assert_eq!(code(statement(&town.city, &shop, day(date)).await), "day_not_over", "{date}");
        }
    }
}

#[tokio::test]
async fn a_pay_out_is_a_line_of_its_own() {
    let (town, shop, payer, _) = square().await;
    let made =
        trade::precreate(&town.city, &shop, wanted(&town.city, "A-1", 10_000)).await.expect("an order");
    scan(&town.city, &payer, &made.qr, "k").await.expect("paid");
    let amount = town.money(5_000);
    city::merchant::pay_out(&town.city, &town.operator, shop.id, amount, "B-1").await.expect("paid out");
    town.pass(86_400);
    let told = lines(&town, &shop, "2026-03-02").await;
    assert_eq!(told.len(), 1 + 2 + 1, "{told:?}");
    assert!(told[2].contains(",payout,"), "{}", told[2]);
    assert!(told[2].contains("-50.00"), "{}", told[2]);
}
