//! A thousand at once: exactly the right number succeed, and the books are sound afterwards.

use city::books;
use city::identity::Resident;
use city::trade::{self, Charged, Status};

use crate::common::{race, refused_with};
use crate::{charge, order, paid, refund, scan, square};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_payers_one_trade() {
    let (town, shop, ..) = square().await;
    let node = town.node().await;
    let payers = town.crowd(1_000, 500).await;
    let qr = order(&town, &shop, "A-1", 500).await;
    let ends = race(1_000, |n| {
        let (city, who, qr) = (if n % 2 == 0 { &town.city } else { &node }.clone(), payers[n], qr.clone());
        async move { scan(&city, &who, &qr, "k").await }
    })
    .await;
    assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 1);
    assert_eq!(refused_with(&ends, "trade_already_paid"), 999);
    let mut spent = 0;
    for who in &payers {
        spent += 500 - town.available(books::wallet(who.id)).await;
    }
    assert_eq!(spent, 500);
    assert_eq!(town.available(books::merchant(shop.id)).await, 498);
    town.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_against_two_hundred_payers() {
    let (town, shop, ..) = square().await;
    let payers = town.crowd(200, 500).await;
    for round in 0..10_usize {
        let number = format!("A-{round}");
        let qr = order(&town, &shop, &number, 50).await;
        let ends = race(201, |n| {
            let (city, qr, number) = (town.city.clone(), qr.clone(), number.clone());
            let who = payers.get(n.wrapping_sub(usize::from(n > round * 20))).copied().unwrap_or(payers[0]);
            async move {
                if n == round * 20 {
                    return trade::cancel(&city, &shop, &number).await.map(|_| false);
                }
                scan(&city, &who, &qr, "k").await.map(|_| true)
            }
        })
        .await;
        let trade = trade::query(&town.city, &shop, &number).await.expect("a trade");
        let paid = ends.iter().filter(|end| matches!(end, Ok(true))).count();
        match trade.status {
            Status::Closed => assert_eq!((paid, refused_with(&ends, "trade_closed")), (0, 200)),
            Status::Refunded => assert_eq!((paid, refused_with(&ends, "trade_already_paid")), (1, 199)),
            other => panic!("a cancelled trade is {other:?}"),
        }
    }
    for who in &payers {
        assert_eq!(town.available(books::wallet(who.id)).await, 500, "cancelled or given back");
    }
    town.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_refunds_of_a_hundredth() {
    let (town, shop, payer, phone) = square().await;
    let node = town.node().await;
    paid(charge(&town.city, &shop, "A-1", 10_000, &phone.code()).await);
    town.pass(10);
    paid(charge(&town.city, &shop, "other", 90_000, &phone.code()).await);
    let ends = race(1_000, |n| {
        let city = if n % 2 == 0 { &town.city } else { &node }.clone();
        async move { refund(&city, &shop, "A-1", &format!("R-{n}"), 100).await }
    })
    .await;
    assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 100);
    assert_eq!(refused_with(&ends, "refund_exceeds_paid"), 900);
    let trade = trade::query(&town.city, &shop, "A-1").await.expect("a trade");
    assert_eq!((trade.status, trade.refunded), (Status::Refunded, town.money(10_000)));
    assert_eq!(town.available(books::wallet(payer.id)).await, 910_000);
    town.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partial_refunds_against_cancellations() {
    let (town, shop, payer, phone) = square().await;
    paid(charge(&town.city, &shop, "A-1", 10_000, &phone.code()).await);
    town.pass(10);
    paid(charge(&town.city, &shop, "other", 90_000, &phone.code()).await);
    let ends = race(100, |n| {
        let city = town.city.clone();
        async move {
            if n % 10 == 9 {
                return trade::cancel(&city, &shop, "A-1").await.map(|_| 0);
            }
            refund(&city, &shop, "A-1", &format!("R-{n}"), 700).await.map(|done| done.amount.minor)
        }
    })
    .await;
    assert_eq!(ends.iter().filter(|end| end.is_err()).count(), refused_with(&ends, "refund_exceeds_paid"));
    assert!(ends.iter().skip(9).step_by(10).all(Result::is_ok), "every cancellation succeeds");
    assert_eq!(town.available(books::wallet(payer.id)).await, 910_000);
    town.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_code_at_two_hundred_tills() {
    let (town, shop, payer, phone) = square().await;
    let shown = phone.code();
    let ends = race(200, |n| {
        let (city, shown) = (town.city.clone(), shown.clone());
        async move { charge(&city, &shop, &format!("A-{n}"), 100, &shown).await }
    })
    .await;
    assert_eq!(ends.iter().filter(|end| matches!(end, Ok(Charged::Paid(_)))).count(), 1);
    assert_eq!(refused_with(&ends, "payment_code_used"), 199);
    assert_eq!(town.available(books::wallet(payer.id)).await, 1_000_000 - 100);
    town.assert_conserved().await;
}

/// Payers whose wallets are too thin, at an order that one of them can pay: it stays payable.
#[tokio::test(flavor = "multi_thread")]
async fn empty_wallets_do_not_spoil_an_order() {
    let (town, shop, payer, _) = square().await;
    let poor: Vec<Resident> = town.crowd(50, 1).await;
    let qr = order(&town, &shop, "A-1", 500).await;
    for who in poor.iter().cycle().take(200) {
        let refused = scan(&town.city, who, &qr, "k").await;
        assert_eq!(crate::common::code(refused), "insufficient_balance");
    }
    scan(&town.city, &payer, &qr, "k").await.expect("paid");
    town.assert_conserved().await;
}
