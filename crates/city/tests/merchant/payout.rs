//! Pay-outs: booked once by the bank's reference, never more than the shop has.

use city::identity::{Merchant, Operator, Role};
use city::merchant::{self, pay_out};
use city::{books, trade};
use kernel::{Currency, Money};

use crate::common::{Town, code, race, refused_with};

/// A shop that was paid ¥100.00, fee taken: ¥99.62.
async fn paid_shop() -> (Town, Merchant) {
    let town = Town::new().await;
    let shop = town.shop("s-1").await;
    let payer = town.rich("13800001111", 10_000).await;
    let order = trade::Precreate {
        order_no: "A-1".to_owned(),
        amount: town.money(10_000),
        subject: None,
        till: None,
        expires_in_s: None,
    };
    let qr = trade::precreate(&town.city, &shop, order).await.expect("an order").qr;
    let pay = trade::Pay { code: qr, amount: None, pin: None, coupon: None, key: "k".to_owned() };
    trade::pay(&town.city, &payer, pay).await.expect("paid");
    (town, shop)
}

#[tokio::test]
async fn a_reference_is_paid_out_once() {
    let (town, shop) = paid_shop().await;
    let other = town.shop("s-2").await;
    let has = || async { merchant::balance(&town.city, &shop).await.expect("a balance").available.minor };
    assert_eq!(has().await, 9_962);
    let book = |shop: Merchant, minor, reference: &'static str| {
        let (city, by, amount) = (town.city.clone(), town.operator, town.money(minor));
        async move { pay_out(&city, &by, shop.id, amount, reference).await }
    };
    // Refused for want of money, then covered: the reference is not lost.
    assert_eq!(code(book(shop, 9_963, "B-1").await), "merchant_balance_insufficient");
    let first = book(shop, 9_000, "B-1").await.expect("paid out");
    assert!(!first.repeated);
    town.pass(60);
    let again = book(shop, 9_000, "B-1").await.expect("the same");
    assert_eq!((again.payment, again.at, again.repeated), (first.payment, first.at, true));
    assert_eq!(code(book(shop, 900, "B-1").await), "idempotency_key_used");
    assert_eq!(code(book(other, 9_000, "B-1").await), "idempotency_key_used");
    assert_eq!(has().await, 962);
    // A shop that closed gets what it has.
    merchant::close(&town.city, &town.operator, shop.id).await.expect("closed");
    book(shop, 962, "B-2").await.expect("paid out");
    assert_eq!(has().await, 0);
    // 10,000 came in for the payer, 9,962 went out; 38 is the fee.
    let clearing = town.city.ledger.lookup_accounts(vec![books::bank_clearing(Currency::CNY)]).await;
    let clearing = clearing.expect("an answer")[0];
    assert_eq!((clearing.debits_posted, clearing.credits_posted), (10_000, 9_962));
    town.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pay_outs_at_once_never_exceed_the_balance() {
    let (town, shop) = paid_shop().await;
    let answers = race(20, |n| {
        let (city, by, amount) = (town.city.clone(), town.operator, town.money(1_000));
        async move { pay_out(&city, &by, shop.id, amount, &format!("B-{}", n / 2)).await }
    })
    .await;
    assert_eq!(answers.iter().flatten().filter(|moved| !moved.repeated).count(), 9);
    assert_eq!(answers.iter().flatten().count(), 18, "each reference was asked for twice");
    assert_eq!(refused_with(&answers, "merchant_balance_insufficient"), 2);
    town.assert_conserved().await;
}

#[tokio::test]
async fn refusals() {
    let (town, shop) = paid_shop().await;
    let viewer = Operator { role: Role::Viewer, ..town.operator };
    let long = "x".repeat(65);
    for (by, shop, amount, reference, wanted) in [
        (viewer, shop.id, town.money(1), "B-1", "forbidden"),
        (town.operator, shop.id, town.money(0), "B-1", "amount_unacceptable"),
        (town.operator, shop.id, town.money(-1), "B-1", "amount_unacceptable"),
        (
            town.operator,
            shop.id,
            Money::new(1, "USD".parse().expect("a currency")),
            "B-1",
            "amount_unacceptable",
        ),
        (town.operator, shop.id, town.money(1), "", "reference_malformed"),
        (town.operator, shop.id, town.money(1), "B 1", "reference_malformed"),
        (town.operator, shop.id, town.money(1), &long, "reference_malformed"),
        (town.operator, merchant::id_of("nobody"), town.money(1), "B-1", "merchant_unknown"),
        (town.operator, shop.id, town.money(9_963), "B-1", "merchant_balance_insufficient"),
    ] {
        assert_eq!(code(pay_out(&town.city, &by, shop, amount, reference).await), wanted);
    }
}
