//! KYC allowances: exact to the fen, however many payments come at once.

use city::identity::{self, Resident, Tier};
use city::wallet::{self, Payee, WalletError};
use city::{City, trade};
use kernel::{Clock as _, Money};

use crate::common::{Town, code, race, refused_with};

const PAYEE: &str = "13800009999";

/// A resident of this tier with far more money than allowance, and somebody to pay.
async fn town_of(tier: Tier) -> (Town, Resident) {
    let town = Town::new().await;
    town.resident(PAYEE).await;
    let who = town.resident("13800001111").await;
    for (n, minor) in [500_000_00, 500_000_00].into_iter().enumerate() {
        let reference = format!("in-{n}");
        wallet::deposit(&town.city, &town.operator, who.id, town.money(minor), &reference)
            .await
            .expect("booked");
    }
    identity::raise_tier(&town.city, &town.operator, who.id, tier).await.expect("raised");
    town.pin(&who).await;
    (town, Resident { tier, ..who })
}

async fn send(city: &City, who: &Resident, minor: i64, key: &str) -> Result<wallet::Moved, WalletError> {
    let amount = Money::new(minor, city.settings.currency);
    wallet::transfer(city, who, &Payee::Phone(PAYEE.to_owned()), amount, key, Some(crate::common::PIN)).await
}

async fn left(town: &Town, who: &Resident) -> (String, i64) {
    identity::cap_left(&town.city, who.id, who.tier).await.expect("an allowance")
}

#[tokio::test]
async fn every_tier_ends_at_the_fen() {
    for (tier, window, total) in
        [(Tier::I, "lifetime", 1_000_00), (Tier::II, "2026", 100_000_00), (Tier::III, "2026", 200_000_00)]
    {
        let (town, who) = town_of(tier).await;
        assert_eq!(left(&town, &who).await, (window.to_owned(), total));
        assert_eq!(code(send(&town.city, &who, total + 1, "over").await), "cap_reached");
        send(&town.city, &who, total - 1, "all but one").await.expect("within");
        assert_eq!(code(send(&town.city, &who, 2, "two").await), "cap_reached");
        send(&town.city, &who, 1, "the last").await.expect("the last fen");
        assert_eq!(left(&town, &who).await.1, 0);
        assert_eq!(code(send(&town.city, &who, 1, "one more").await), "cap_reached");
        // What was refused for want of allowance is not burnt: asking again asks again.
        assert_eq!(code(send(&town.city, &who, 1, "one more").await), "cap_reached");
        assert!(send(&town.city, &who, 1, "the last").await.expect("known").repeated);
        town.assert_conserved().await;
    }
}

#[tokio::test]
async fn the_lifetime_has_no_new_year() {
    let (town, who) = town_of(Tier::I).await;
    send(&town.city, &who, 1_000_00, "all").await.expect("within");
    town.pass(400 * 24 * 3600);
    assert_eq!(code(send(&town.city, &who, 1, "a year later").await), "cap_reached");
}

#[tokio::test]
async fn a_year_is_the_citys_and_begins_fresh() {
    let (town, who) = town_of(Tier::II).await;
    town.clock.set("2026-12-31T15:59:59Z".parse().expect("a second before midnight in China"));
    send(&town.city, &who, 100_000_00, "2026").await.expect("within");
    assert_eq!(code(send(&town.city, &who, 1, "more").await), "cap_reached");
    town.pass(1);
    assert_eq!(left(&town, &who).await, ("2027".to_owned(), 100_000_00));
    send(&town.city, &who, 100_000_00, "2027").await.expect("a new year");
    assert_eq!(code(send(&town.city, &who, 1, "more still").await), "cap_reached");
}

#[tokio::test]
async fn a_tier_reached_in_the_year_keeps_what_was_used() {
    let (town, who) = town_of(Tier::II).await;
    send(&town.city, &who, 60_000_00, "as II").await.expect("within");
    identity::raise_tier(&town.city, &town.operator, who.id, Tier::III).await.expect("raised");
    let who = Resident { tier: Tier::III, ..who };
    assert_eq!(left(&town, &who).await, ("2026".to_owned(), 140_000_00));
    assert_eq!(code(send(&town.city, &who, 140_000_01, "over").await), "cap_reached");
    send(&town.city, &who, 140_000_00, "the rest").await.expect("within");
    // A node that still believes in tier II grants nothing twice.
    let late = Resident { tier: Tier::II, ..who };
    assert_eq!(code(send(&town.city, &late, 1, "late").await), "cap_reached");
    assert_eq!(code(send(&town.node().await, &late, 1, "elsewhere").await), "cap_reached");
    town.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_payments_against_one_allowance() {
    let (town, who) = town_of(Tier::I).await;
    // 1,000 times ¥1.50 against ¥1,000: 666 fit, on whichever of two nodes.
    let node = town.node().await;
    let ends = race(1_000, |n| {
        let city = if n % 2 == 0 { town.city.clone() } else { node.clone() };
        async move { send(&city, &who, 150, &format!("key-{n}")).await }
    })
    .await;
    assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 666);
    assert_eq!(refused_with(&ends, "cap_reached"), 334);
    assert_eq!(left(&town, &who).await.1, 100);
    let payee = identity::resident_by_phone(&town.city, &who, PAYEE).await.expect("the payee").0;
    assert_eq!(town.available(city::books::wallet(payee)).await, 666 * 150);
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_refund_gives_the_allowance_back_where_it_was_drawn() {
    let (town, who) = town_of(Tier::II).await;
    let shop = town.shop("S-1").await;
    let order = trade::Precreate {
        order_no: "A-1".to_owned(),
        amount: town.money(900_00),
        subject: None,
        till: None,
        expires_in_s: None,
    };
    let order = trade::precreate(&town.city, &shop, order).await.expect("an order");
    let pay = trade::Pay { code: order.qr, amount: None, pin: None, coupon: None, key: "k".to_owned() };
    trade::pay(&town.city, &who, pay).await.expect("paid");
    assert_eq!(left(&town, &who).await.1, 100_000_00 - 900_00);
    for (refund_no, minor, after) in [("R-1", 1, 100_000_00 - 899_99), ("R-2", 899_99, 100_000_00)] {
        let refund = trade::Refund {
            order_no: "A-1".to_owned(),
            refund_no: refund_no.to_owned(),
            amount: town.money(minor),
        };
        wallet::deposit(&town.city, &town.operator, who.id, town.money(1), refund_no).await.expect("booked");
        give_the_shop(&town, &shop, refund_no).await;
        trade::refund(&town.city, &shop, refund.clone()).await.expect("refunded");
        assert!(trade::refund(&town.city, &shop, refund).await.expect("again").repeated);
        assert_eq!(left(&town, &who).await.1, after, "{refund_no}");
    }
    // The allowance of the year of the payment, not of the year of the refund.
    town.clock.set("2027-01-02T00:00:00Z".parse().expect("a time"));
    assert_eq!(left(&town, &who).await, ("2027".to_owned(), 100_000_00));
    assert!(town.clock.now() > crate::common::monday());
    town.assert_conserved().await;
}

/// The fee is not all given back with parts of a refund: another customer pays in what is missing.
async fn give_the_shop(town: &Town, shop: &identity::Merchant, key: &str) {
    let phone = if key == "R-1" { "13800005555" } else { "13800006666" };
    let other = town.rich(phone, 10_00).await;
    let order = trade::Precreate {
        order_no: format!("other-{key}"),
        amount: town.money(10_00),
        subject: None,
        till: None,
        expires_in_s: None,
    };
    let order = trade::precreate(&town.city, shop, order).await.expect("an order");
    let pay = trade::Pay { code: order.qr, amount: None, pin: None, coupon: None, key: key.to_owned() };
    trade::pay(&town.city, &other, pay).await.expect("paid");
}
