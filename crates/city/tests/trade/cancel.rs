//! Cancelling is safe in any state, and what is cancelled stays unpaid.

use city::identity::{Merchant, Role};
use city::trade::{self, Status};
use city::{books, wallet};
use kernel::Currency;

use crate::common::code;
use crate::{charge, order, paid, refund, scan, square, waiting, wanted};

#[tokio::test]
async fn an_unpaid_trade_is_closed_for_ever() {
    let (town, shop, payer, phone) = square().await;
    let qr = order(&town, &shop, "open", 100).await;
    order(&town, &shop, "expired", 100).await;
    let unknown = trade::cancel(&town.city, &shop, "unknown").await.expect("also what nobody knows");
    assert_eq!((unknown.status, unknown.amount, unknown.order_no), (Status::Closed, None, None));
    town.pass(900);
    assert_eq!(trade::cancel(&town.city, &shop, "expired").await.expect("closed").status, Status::Closed);
    let much = waiting(charge(&town.city, &shop, "waiting", 100_001, &phone.code()).await);
    for number in ["open", "unknown", "waiting", "expired"] {
        for _ in 0..2 {
            let closed = trade::cancel(&town.city, &shop, number).await.expect("closed");
            assert_eq!((closed.status, closed.paid_at), (Status::Closed, None), "{number}");
        }
        assert_eq!(trade::query(&town.city, &shop, number).await.expect("a trade").status, Status::Closed);
        assert_eq!(
            code(refund(&town.city, &shop, number, "R", 1).await),
            if number == "unknown" { "trade_unknown" } else { "trade_not_paid" }
        );
    }
    assert_eq!(code(scan(&town.city, &payer, &qr, "k").await), "trade_closed");
    assert_eq!(code(trade::confirm(&town.city, &payer, much.id, "135790").await), "pin_not_set");
    // The order comes after its cancellation, as messages do when a network is slow.
    let late =
        trade::precreate(&town.city, &shop, wanted(&town.city, "unknown", 100)).await.expect("an order");
    assert_eq!(code(scan(&town.city, &payer, &late.qr, "k").await), "trade_closed");
    town.pass(10);
    assert_eq!(code(charge(&town.city, &shop, "unknown", 100, &phone.code()).await), "trade_closed");
    assert_eq!(town.available(books::wallet(payer.id)).await, 1_000_000);
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_paid_trade_is_refunded_in_full() {
    let (town, shop, payer, phone) = square().await;
    paid(charge(&town.city, &shop, "A-1", 10_000, &phone.code()).await);
    town.pass(10);
    paid(charge(&town.city, &shop, "A-2", 10_000, &phone.code()).await);
    refund(&town.city, &shop, "A-2", "R-1", 2_500).await.expect("in part");
    for number in ["A-1", "A-2"] {
        for _ in 0..2 {
            let cancelled = trade::cancel(&town.city, &shop, number).await.expect("refunded");
            assert_eq!((cancelled.status, cancelled.refunded), (Status::Refunded, town.money(10_000)));
        }
        assert_eq!(code(refund(&town.city, &shop, number, "R-2", 1).await), "refund_exceeds_paid");
    }
    assert_eq!(town.available(books::wallet(payer.id)).await, 1_000_000);
    assert_eq!(
        town.available(books::fees(Currency::CNY)).await,
        0,
        "with the last part all of the fee is back"
    );
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_cancellation_waits_for_the_shops_money() {
    let (town, shop, payer, phone) = square().await;
    paid(charge(&town.city, &shop, "A-1", 10_000, &phone.code()).await);
    empty_the_till(&town, &shop).await;
    for _ in 0..40 {
        assert_eq!(code(trade::cancel(&town.city, &shop, "A-1").await), "merchant_balance_insufficient");
    }
    assert_eq!(trade::query(&town.city, &shop, "A-1").await.expect("a trade").status, Status::Paid);
    town.pass(10);
    paid(charge(&town.city, &shop, "A-2", 20_000, &phone.code()).await);
    assert_eq!(trade::cancel(&town.city, &shop, "A-1").await.expect("refunded").status, Status::Refunded);
    assert_eq!(wallet::balance(&town.city, &payer).await.expect("a balance").available, town.money(980_000));
    town.assert_conserved().await;
}

/// Pays out all that the shop has, as its settlement will.
pub async fn empty_the_till(town: &crate::common::Town, shop: &Merchant) {
    let has = town.available(books::merchant(shop.id)).await;
    let (from, to) = (books::merchant(shop.id), books::bank_clearing(Currency::CNY));
    let id = kernel::Rng::u128(&kernel::OsRng);
    let out = books::transfer(id, from, to, has, Currency::CNY, books::transfer_code::MERCHANT_SETTLEMENT);
    books::submit(&town.city.ledger, vec![out]).await.expect("the ledger answers").expect("paid out");
}

#[tokio::test]
async fn who_may_cancel_and_close() {
    let (town, shop, ..) = square().await;
    order(&town, &shop, "A-1", 100).await;
    let viewer = Merchant { role: Role::Viewer, ..shop };
    assert_eq!(code(trade::cancel(&town.city, &viewer, "A-1").await), "forbidden");
    assert_eq!(code(trade::close(&town.city, &viewer, "A-1").await), "forbidden");
    assert_eq!(code(trade::cancel(&town.city, &shop, "").await), "number_malformed");
    assert_eq!(code(trade::close(&town.city, &shop, "unknown").await), "trade_unknown");
    for _ in 0..2 {
        assert_eq!(trade::close(&town.city, &shop, "A-1").await.expect("closed").status, Status::Closed);
    }
}
