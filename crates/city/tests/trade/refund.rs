//! Refunds: many, partial, to the fen, and never more than was paid.

use city::books;
use city::identity::{Merchant, Role};
use city::trade::{self, Status};
use kernel::Currency;

use crate::cancel::empty_the_till;
use crate::common::code;
use crate::{charge, order, paid, refund, square};

#[tokio::test]
async fn parts_add_up_to_what_was_paid() {
    let (town, shop, payer, phone) = square().await;
    let payment = paid(charge(&town.city, &shop, "A-1", 10_000, &phone.code()).await);
    town.pass(10);
    paid(charge(&town.city, &shop, "other", 10_000, &phone.code()).await);
    for (refund_no, minor, fee_back) in [("R-1", 1, 0), ("R-2", 3_333, 12), ("R-3", 5_000, 19)] {
        let done = refund(&town.city, &shop, "A-1", refund_no, minor).await.expect("refunded");
        assert_eq!(
            (done.amount, done.fee_back, done.repeated),
            (town.money(minor), town.money(fee_back), false)
        );
        let again = refund(&town.city, &shop, "A-1", refund_no, minor).await.expect("known");
        assert_eq!(
            (again.refund, again.at, again.fee_back, again.repeated),
            (done.refund, done.at, done.fee_back, true)
        );
        assert_eq!(code(refund(&town.city, &shop, "A-1", refund_no, minor + 1).await), "refund_differs");
    }
    assert_eq!(
        code(refund(&town.city, &shop, "A-1", "R-4", 1_667).await),
        "refund_exceeds_paid",
        "a fen over"
    );
    let last = refund(&town.city, &shop, "A-1", "R-4", 1_666).await.expect("the same number, what is left");
    assert_eq!(last.fee_back, town.money(7), "the last part brings the rest of the fee");
    assert_eq!(code(refund(&town.city, &shop, "A-1", "R-5", 1).await), "refund_exceeds_paid");
    let trade = trade::query(&town.city, &shop, "A-1").await.expect("a trade");
    assert_eq!((trade.status, trade.refunded), (Status::Refunded, town.money(10_000)));
    let list = trade::refunds(&town.city, &shop, payment.trade).await.expect("a list");
    let amounts: Vec<i64> = list.iter().map(|(_, amount, _)| amount.minor).collect();
    assert_eq!(amounts, [1, 3_333, 5_000, 1_666]);
    assert_eq!(town.available(books::wallet(payer.id)).await, 990_000);
    assert_eq!(town.available(books::fees(Currency::CNY)).await, 38, "the other trade's");
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_single_sale_can_be_refunded_to_the_last_fen() {
    let (town, shop, payer, phone) = square().await;
    paid(charge(&town.city, &shop, "A-1", 10_000, &phone.code()).await);
    refund(&town.city, &shop, "A-1", "R-1", 3_333).await.expect("a part");
    let cancelled =
        trade::cancel(&town.city, &shop, "A-1").await.expect("the rest, without a fen of its own");
    assert_eq!(cancelled.status, Status::Refunded);
    assert_eq!(town.available(books::merchant(shop.id)).await, 0);
    assert_eq!(town.available(books::wallet(payer.id)).await, 1_000_000);
    town.assert_conserved().await;
}

#[tokio::test]
async fn what_is_no_refund_is_refused() {
    let (town, shop, _, phone) = square().await;
    paid(charge(&town.city, &shop, "A-1", 10_000, &phone.code()).await);
    order(&town, &shop, "open", 100).await;
    for (order_no, refund_no, minor, refused) in [
        ("A-1", "", 1, "number_malformed"),
        ("", "R", 1, "number_malformed"),
        ("A-1", "退款", 1, "number_malformed"),
        ("A-1", "R", 0, "amount_unacceptable"),
        ("A-1", "R", -1, "amount_unacceptable"),
        ("A-1", "R", i64::MAX, "amount_unacceptable"),
        ("A-1", "R", 10_001, "refund_exceeds_paid"),
        ("open", "R", 1, "trade_not_paid"),
        ("unknown", "R", 1, "trade_unknown"),
    ] {
        assert_eq!(
            code(refund(&town.city, &shop, order_no, refund_no, minor).await),
            refused,
            "{order_no} {minor}"
        );
    }
    let viewer = Merchant { role: Role::Viewer, ..shop };
    assert_eq!(code(refund(&town.city, &viewer, "A-1", "R", 1).await), "forbidden");
    assert_eq!(trade::query(&town.city, &shop, "A-1").await.expect("a trade").refunded, town.money(0));
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_shop_without_money_refunds_later() {
    let (town, shop, payer, phone) = square().await;
    paid(charge(&town.city, &shop, "A-1", 10_000, &phone.code()).await);
    empty_the_till(&town, &shop).await;
    for _ in 0..40 {
        let refused = refund(&town.city, &shop, "A-1", "R-1", 10_000).await;
        assert_eq!(code(refused), "merchant_balance_insufficient");
    }
    // More than is left is told apart from less than the shop has.
    assert_eq!(code(refund(&town.city, &shop, "A-1", "R-2", 10_001).await), "refund_exceeds_paid");
    town.pass(10);
    paid(charge(&town.city, &shop, "A-2", 10_000, &phone.code()).await);
    // What it has now, 99.62, and the fee that comes back with the refund, 0.38, are just enough.
    let done = refund(&town.city, &shop, "A-1", "R-1", 10_000).await.expect("the same number");
    assert_eq!((done.fee_back, done.repeated), (town.money(38), false));
    assert_eq!(town.available(books::merchant(shop.id)).await, 0);
    assert_eq!(town.available(books::wallet(payer.id)).await, 990_000);
    town.assert_conserved().await;
}
