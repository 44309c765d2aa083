//! Orders: what they may say, and that a number names one of them.

use city::identity::{Merchant, Role};
use city::trade::{self, Precreate, Status};
use city::{merchant, wallet};
use kernel::ids::TillId;

use crate::common::code;
use crate::{charge, order, scan, square, wanted};

#[tokio::test]
async fn what_is_no_order_is_refused() {
    let (town, shop, ..) = square().await;
    let good = || wanted(&town.city, "A-1", 100);
    let usd = kernel::Money::new(100, "USD".parse().expect("a currency"));
    let text = |s: &str| Some(s.to_owned());
    for (request, refused) in [
        (Precreate { order_no: String::new(), ..good() }, "number_malformed"),
        (Precreate { order_no: "a b".to_owned(), ..good() }, "number_malformed"),
        (Precreate { order_no: "订单".to_owned(), ..good() }, "number_malformed"),
        (Precreate { order_no: "9".repeat(65), ..good() }, "number_malformed"),
        (Precreate { subject: text("a\nb"), ..good() }, "subject_malformed"),
        (Precreate { subject: Some("长".repeat(65)), ..good() }, "subject_malformed"),
        (Precreate { expires_in_s: Some(9), ..good() }, "lifetime_unacceptable"),
        (Precreate { expires_in_s: Some(86_401), ..good() }, "lifetime_unacceptable"),
        (Precreate { expires_in_s: Some(u64::MAX), ..good() }, "lifetime_unacceptable"),
        (Precreate { amount: town.money(0), ..good() }, "amount_unacceptable"),
        (Precreate { amount: town.money(-1), ..good() }, "amount_unacceptable"),
        (Precreate { amount: town.money(i64::MAX), ..good() }, "amount_unacceptable"),
        (Precreate { amount: usd, ..good() }, "amount_unacceptable"),
    ] {
        let told = format!("{request:?}");
        assert_eq!(code(trade::precreate(&town.city, &shop, request).await), refused, "{told}");
    }
    let viewer = Merchant { role: Role::Viewer, ..shop };
    assert_eq!(code(trade::precreate(&town.city, &viewer, good()).await), "forbidden");
    assert_eq!(code(trade::query(&town.city, &shop, "A-1").await), "trade_unknown", "nothing was written");
    let nobody = Merchant { id: merchant::id_of("no such shop"), ..shop };
    assert_eq!(code(trade::precreate(&town.city, &nobody, good()).await), "merchant_unknown");
}

#[tokio::test]
async fn a_number_names_one_order() {
    let (town, shop, payer, _) = square().await;
    let first = trade::precreate(&town.city, &shop, wanted(&town.city, "A-1", 100)).await.expect("an order");
    town.pass(60);
    let again = trade::precreate(&town.city, &shop, wanted(&town.city, "A-1", 100)).await.expect("the same");
    assert_eq!(again, first, "with the time it had");
    let other = || wanted(&town.city, "A-1", 100);
    for differs in [
        Precreate { amount: town.money(101), ..other() },
        Precreate { subject: None, ..other() },
        Precreate { till: Some(TillId::from_u128(5)), ..other() },
    ] {
        assert_eq!(code(trade::precreate(&town.city, &shop, differs).await), "order_differs");
    }
    scan(&town.city, &payer, &first.qr, "k").await.expect("paid");
    let after = trade::precreate(&town.city, &shop, wanted(&town.city, "A-1", 100)).await.expect("the same");
    assert_eq!(after, first, "also when it is paid");
    // Numbers are the shop's own.
    let other_shop = town.shop("S-2").await;
    let elsewhere = trade::precreate(&town.city, &other_shop, wanted(&town.city, "A-1", 999)).await;
    assert_ne!(elsewhere.expect("an order").order.id, first.order.id);
}

#[tokio::test]
async fn a_closed_shop_takes_no_orders_and_answers_for_old_ones() {
    let (town, shop, payer, _) = square().await;
    let (paid_qr, open_qr) = (order(&town, &shop, "paid", 100).await, order(&town, &shop, "open", 100).await);
    let paid = scan(&town.city, &payer, &paid_qr, "k").await.expect("paid");
    merchant::close(&town.city, &town.operator, shop.id).await.expect("closed");
    let new = trade::precreate(&town.city, &shop, wanted(&town.city, "new", 100)).await;
    assert_eq!(code(new), "merchant_closed");
    assert_eq!(code(scan(&town.city, &payer, &open_qr, "k").await), "merchant_closed");
    // Who lost the answer and asks again is told what happened.
    let again = scan(&town.city, &payer, &paid_qr, "k").await.expect("it was paid");
    assert_eq!((again.at, again.repeated), (paid.at, true));
    assert_eq!(trade::query(&town.city, &shop, "paid").await.expect("a trade").status, Status::Paid);
    crate::refund(&town.city, &shop, "paid", "R-1", 50).await.expect("refunds go on");
    town.assert_conserved().await;
}

#[tokio::test]
async fn nobody_sees_another_shops_trade() {
    let (town, shop, payer, _) = square().await;
    let spy = town.shop("S-2").await;
    let qr = order(&town, &shop, "A-1", 100).await;
    let paid = scan(&town.city, &payer, &qr, "k").await.expect("paid");
    let qr = order(&town, &shop, "A-2", 100).await;
    let open = trade::query(&town.city, &shop, "A-2").await.expect("a trade").id;
    for trade in [paid.trade, open] {
        assert_eq!(code(trade::view(&town.city, &spy, trade).await), "trade_unknown");
        assert_eq!(code(trade::refunds(&town.city, &spy, trade).await), "trade_unknown");
        let refund = trade::refund_trade(&town.city, &spy, trade, "R", town.money(1)).await;
        assert_eq!(code(refund), "trade_unknown");
    }
    for number in ["A-1", "A-2"] {
        assert_eq!(code(trade::query(&town.city, &spy, number).await), "trade_unknown");
        assert_eq!(code(crate::refund(&town.city, &spy, number, "R", 1).await), "trade_unknown");
        // Cancelling its own unknown order of the same number leaves the other shop's alone.
        trade::cancel(&town.city, &spy, number).await.expect("its own");
    }
    scan(&town.city, &payer, &qr, "k").await.expect("still open");
    assert_eq!(wallet::balance(&town.city, &payer).await.expect("a balance").available, town.money(999_800));
}

#[tokio::test]
async fn a_till_is_one_of_the_shop_in_use() {
    let (town, shop, _, phone) = square().await;
    let theirs = merchant::add_till(&town.city, &town.shop("S-2").await, "1").await.expect("a till").id;
    let till = merchant::add_till(&town.city, &shop, "1").await.expect("a till").id;
    let at = |number: &str, till| Precreate { till: Some(till), ..wanted(&town.city, number, 100) };
    let first = trade::precreate(&town.city, &shop, at("A-1", till)).await.expect("an order");
    assert_eq!(first.order.till, Some(till));
    for unknown in [theirs, TillId::from_u128(5)] {
        assert_eq!(code(trade::precreate(&town.city, &shop, at("A-2", unknown)).await), "till_unknown");
        // A key that belongs to it, too; and charges no less than orders.
        let key = Merchant { till: Some(unknown), ..shop };
        assert_eq!(code(charge(&town.city, &key, "A-2", 100, &phone.code()).await), "till_unknown");
    }
    let node = town.node().await;
    trade::precreate(&node, &shop, at("A-3", till)).await.expect("the other node knows the till");
    merchant::close_till(&town.city, &shop, till).await.expect("closed");
    assert_eq!(code(trade::precreate(&town.city, &shop, at("A-4", till)).await), "till_unknown");
    let again = trade::precreate(&town.city, &shop, at("A-1", till)).await.expect("ordered before");
    assert_eq!(again, first);
    town.pass(merchant::TRUST.as_secs());
    assert_eq!(code(trade::precreate(&node, &shop, at("A-4", till)).await), "till_unknown", "learned by now");
}
