//! Paying with a coupon: what it does, what refuses it, and that a refusal leaves it unused.

use std::time::Duration;

use city::coupon::{self, Wanted};
use city::identity::{self, Tier};
use city::trade::{self, Pay};
use city::wallet;
use kernel::ids::CampaignId;

use crate::common::{code, monday};
use crate::{campaign, have, pay, square, wanted};

#[tokio::test]
async fn the_city_pays_its_part_once() {
    let (town, shop, payer, coupon) = square(3).await;
    let (_, allowance) = identity::cap_left(&town.city, payer.id, payer.tier).await.expect("an allowance");
    let paid = pay(&town.city, (&shop, &payer), "A-1", 3_000, coupon).await.expect("paid");
    let used = paid.coupon.expect("a coupon");
    assert_eq!((paid.amount, used.discount, used.campaign), (town.money(3_000), town.money(500), coupon));
    assert_eq!(have(&town, &shop, &payer, coupon).await, [7_500, 3_000, 1_000]);
    let (_, left) = identity::cap_left(&town.city, payer.id, payer.tier).await.expect("an allowance");
    assert_eq!(allowance - left, 2_500, "the allowance is for the payer's own money");
    // The same again, here and elsewhere, and when its time is over: the same answer, and nothing moves.
    let node = town.node().await;
    for (city, days) in [(&town.city, 0), (&node, 0), (&town.city, 3)] {
        town.pass(days * 24 * 3600);
        let again = pay(city, (&shop, &payer), "A-1", 3_000, coupon).await.expect("known");
        assert_eq!((again.payment, again.at, again.coupon), (paid.payment, paid.at, paid.coupon));
        assert!(again.repeated);
    }
    // Asked again in other words, the order is paid as it was.
    for other in [None, Some(CampaignId::from_u128(77))] {
        let again = pay(&town.city, (&shop, &payer), "A-1", 3_000, other).await.expect("paid before");
        assert_eq!(
            (again.payment, again.coupon, again.repeated),
            (paid.payment, paid.coupon, true),
            "{other:?}"
        );
    }
    assert_eq!(have(&town, &shop, &payer, coupon).await, [7_500, 3_000, 1_000]);
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_second_use_is_refused_and_somebody_elses_first_is_not() {
    let (town, shop, payer, coupon) = square(3).await;
    let other = town.rich("13800002222", 10_000).await;
    pay(&town.city, (&shop, &payer), "A-1", 3_000, coupon).await.expect("paid");
    for order_no in ["A-2", "A-2", "A-3"] {
        assert_eq!(code(pay(&town.city, (&shop, &payer), order_no, 3_000, coupon).await), "coupon_used");
    }
    pay(&town.city, (&shop, &other), "A-4", 3_000, coupon).await.expect("another's first");
    // The order whose coupon was refused is paid without.
    let paid = pay(&town.city, (&shop, &payer), "A-2", 3_000, None).await.expect("paid");
    assert_eq!(paid.coupon, None);
    assert_eq!(have(&town, &shop, &payer, coupon).await, [4_500, 9_000, 500]);
    town.assert_conserved().await;
}

#[tokio::test]
async fn what_a_coupon_is_not_for_is_refused_and_moves_nothing() {
    let (town, shop, payer, coupon) = square(1).await;
    let there = town.shop("S-2").await;
    let with = |change: &dyn Fn(&mut Wanted)| {
        let mut wanted = wanted(&town, 500);
        change(&mut wanted);
        wanted
    };
    let local = campaign(&town, "local", &with(&|w| w.shop = Some(there.id))).await;
    let later = with(&|w| w.valid_from = monday().plus(Duration::from_mins(1)));
    let later = campaign(&town, "later", &later).await;
    let brief = with(&|w| w.valid_until = monday().plus(Duration::from_mins(1)));
    let brief = campaign(&town, "brief", &brief).await;
    let ended = campaign(&town, "ended", &wanted(&town, 500)).await;
    coupon::end(&town.city, &town.operator, ended).await.expect("ended");
    let unfunded = coupon::create(&town.city, &town.operator, "unfunded", &wanted(&town, 500)).await;
    let unfunded = unfunded.expect("a campaign").id;
    let before = have(&town, &shop, &payer, coupon).await;
    for (coupon, minor, refused) in [
        (coupon, 2_999, "coupon_minimum"),
        (local, 3_000, "coupon_other_shop"),
        (later, 3_000, "coupon_not_valid"),
        (ended, 3_000, "coupon_not_valid"),
        (unfunded, 3_000, "coupon_exhausted"),
        (CampaignId::from_u128(77), 3_000, "coupon_unknown"),
    ] {
        let order_no = format!("{coupon}-{minor}");
        let refused_with = code(pay(&town.city, (&shop, &payer), &order_no, minor, coupon).await);
        assert_eq!(refused_with, refused, "{coupon} {minor}");
    }
    assert_eq!(have(&town, &shop, &payer, coupon).await, before);
    town.pass(60);
    assert_eq!(code(pay(&town.city, (&shop, &payer), "late", 3_000, brief).await), "coupon_not_valid");
    pay(&town.city, (&shop, &payer), "now", 3_000, later).await.expect("its time has come");
    pay(&town.city, (&there, &payer), "there", 3_000, local).await.expect("its shop");
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_refused_payment_keeps_the_coupon() {
    let (town, shop, payer, coupon) = square(1).await;
    // More than the wallet has, many times: nothing is burnt by it.
    for _ in 0..40 {
        let refused = pay(&town.city, (&shop, &payer), "A-1", 10_501, coupon).await;
        assert_eq!(code(refused), "insufficient_balance");
    }
    assert_eq!(have(&town, &shop, &payer, coupon).await, [10_000, 0, 500]);
    // Just enough with the coupon, in the same chain.
    pay(&town.city, (&shop, &payer), "A-2", 10_500, coupon).await.expect("paid");
    assert_eq!(have(&town, &shop, &payer, coupon).await, [0, 10_500, 0]);
    town.assert_conserved().await;
}

#[tokio::test]
async fn the_same_order_is_paid_with_its_coupon_when_there_is_money() {
    let (town, shop, payer, coupon) = square(1).await;
    for _ in 0..3 {
        let refused = pay(&town.city, (&shop, &payer), "A-1", 12_000, coupon).await;
        assert_eq!(code(refused), "insufficient_balance");
    }
    wallet::deposit(&town.city, &town.operator, payer.id, town.money(1_500), "more").await.expect("money");
    let paid = pay(&town.city, (&shop, &payer), "A-1", 12_000, coupon).await.expect("the same order");
    assert_eq!((paid.repeated, paid.coupon.map(|used| used.campaign)), (false, Some(coupon)));
    let again = pay(&town.city, (&shop, &payer), "A-1", 12_000, coupon).await.expect("known");
    assert_eq!((again.payment, again.repeated), (paid.payment, true));
    assert_eq!(have(&town, &shop, &payer, coupon).await, [0, 12_000, 0]);
    town.assert_conserved().await;
}

#[tokio::test]
async fn an_allowance_that_is_passed_keeps_the_coupon() {
    let (town, shop, _, _) = square(1).await;
    let poor = town.resident("13800003333").await;
    assert_eq!(poor.tier, Tier::I);
    wallet::deposit(&town.city, &town.operator, poor.id, town.money(1_000_000), "p").await.expect("money");
    let (_, allowance) = identity::cap_left(&town.city, poor.id, poor.tier).await.expect("an allowance");
    let big = Wanted { discount: town.money(50_000), budget: town.money(50_000), ..big_minimum(&town) };
    let coupon = campaign(&town, "big", &big).await;
    let over = allowance + 50_001;
    // Above the no-PIN limit everything needs a PIN: stay below it in parts.
    assert!(over < town.city.settings.no_pin_limit_minor * 10);
    town.pin(&poor).await;
    let with_pin = async |order_no: &str, minor: i64| {
        let order = trade::Precreate {
            order_no: order_no.to_owned(),
            amount: town.money(minor),
            subject: None,
            till: None,
            expires_in_s: None,
        };
        let code = trade::precreate(&town.city, &shop, order).await.expect("an order").qr;
        let pin = Some(crate::common::PIN.to_owned());
        let request = Pay { code, amount: None, pin, coupon: Some(coupon), key: order_no.to_owned() };
        trade::pay(&town.city, &poor, request).await
    };
    assert_eq!(code(with_pin("A-1", over).await), "cap_reached");
    with_pin("A-2", over - 1).await.expect("to the last fen of the allowance");
    let (_, left) = identity::cap_left(&town.city, poor.id, poor.tier).await.expect("an allowance");
    assert_eq!(left, 0);
    town.assert_conserved().await;
}

fn big_minimum(town: &crate::common::Town) -> Wanted {
    Wanted { minimum: town.money(60_000), ..wanted(town, 60_000) }
}

#[tokio::test]
async fn a_budget_that_is_used_up_is_refused_until_something_comes_back() {
    let (town, shop, payer, coupon) = square(1).await;
    let other = town.rich("13800002222", 10_000).await;
    pay(&town.city, (&shop, &payer), "A-1", 3_000, coupon).await.expect("the only one");
    for _ in 0..20 {
        assert_eq!(code(pay(&town.city, (&shop, &other), "A-2", 3_000, coupon).await), "coupon_exhausted");
    }
    let refund =
        trade::Refund { order_no: "A-1".to_owned(), refund_no: "R-1".to_owned(), amount: town.money(3_000) };
    trade::refund(&town.city, &shop, refund).await.expect("refunded");
    pay(&town.city, (&shop, &other), "A-2", 3_000, coupon)
        .await
        .expect("the same order, the coupon come back");
    assert_eq!(code(pay(&town.city, (&shop, &payer), "A-3", 3_000, coupon).await), "coupon_used");
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_posters_payment_with_a_coupon_is_its_keys() {
    let (town, shop, payer, coupon) = square(2).await;
    let face = city::merchant::get(&town.city, shop.id).await.expect("the shop");
    let poster = city::merchant::poster::payload_static(&face, &town.city.settings).expect("a poster");
    let pay = |key: &str, coupon| Pay {
        code: poster.clone(),
        amount: Some(town.money(3_000)),
        pin: None,
        coupon,
        key: key.to_owned(),
    };
    let first = trade::pay(&town.city, &payer, pay("k-1", Some(coupon))).await.expect("paid");
    let again = trade::pay(&town.city, &payer, pay("k-1", Some(coupon))).await.expect("known");
    assert_eq!((again.payment, again.coupon, again.repeated), (first.payment, first.coupon, true));
    assert_eq!(code(trade::pay(&town.city, &payer, pay("k-1", None)).await), "idempotency_key_used");
    assert_eq!(code(trade::pay(&town.city, &payer, pay("k-2", Some(coupon))).await), "coupon_used");
    let plain = trade::pay(&town.city, &payer, pay("k-2", None)).await.expect("without one");
    let refused = trade::pay(&town.city, &payer, pay("k-2", Some(coupon))).await;
    assert_eq!(code(refused), "idempotency_key_used", "{} has none", plain.payment);
    town.assert_conserved().await;
}

#[tokio::test]
async fn what_can_be_used_is_listed_best_first() {
    let (town, shop, payer, coupon) = square(2).await;
    let there = town.shop("S-2").await;
    let named = |name: &str, discount: i64, minimum: i64| Wanted {
        name: name.to_owned(),
        discount: town.money(discount),
        minimum: town.money(minimum),
        ..wanted(&town, 1_000)
    };
    let small = campaign(&town, "small", &named("满10减1", 100, 1_000)).await;
    let large = campaign(&town, "large", &named("满50减10", 1_000, 5_000)).await;
    let local = Wanted { shop: Some(there.id), ..named("本店", 300, 1_000) };
    let local = campaign(&town, "local", &local).await;
    let listed = async |shop, minor| {
        let found = coupon::usable(&town.city, &payer, shop, minor).await.expect("a list");
        found.into_iter().map(|c| c.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(shop.id, 999).await, []);
    assert_eq!(listed(shop.id, 1_000).await, [small]);
    assert_eq!(listed(shop.id, 5_000).await, [large, coupon, small]);
    assert_eq!(listed(there.id, 5_000).await, [large, coupon, local, small]);
    pay(&town.city, (&shop, &payer), "A-1", 5_000, large).await.expect("paid");
    assert_eq!(listed(shop.id, 5_000).await, [coupon, small], "used, and used up");
    coupon::end(&town.city, &town.operator, small).await.expect("ended");
    assert_eq!(listed(shop.id, 5_000).await, [coupon]);
    town.pass(48 * 3600);
    assert_eq!(listed(shop.id, 5_000).await, []);
}
