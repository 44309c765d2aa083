//! Paying what a code asks for: orders, posters, and codes somebody meddled with.

use city::identity::{Resident, Tier};
use city::trade::{self, Pay, Status};
use city::{books, merchant, wallet};
use codes::mpm::{self, ShopFace};
use kernel::Currency;
use kernel::ids::TradeId;

use crate::common::{PIN, Town, code};
use crate::{order, scan, square, wanted};

#[tokio::test]
async fn an_order_is_paid_once() {
    let (town, shop, payer, _) = square().await;
    let qr = order(&town, &shop, "A-1", 10_000).await;
    let before = trade::query(&town.city, &shop, "A-1").await.expect("a trade");
    assert_eq!(
        (before.status, before.amount, before.paid_at),
        (Status::Open, Some(town.money(10_000)), None)
    );
    let paid = scan(&town.city, &payer, &qr, "k").await.expect("paid");
    assert_eq!((paid.merchant, paid.amount, paid.repeated), (shop.id, town.money(10_000), false));
    // With the same key or another: the trade is the identity.
    for key in ["k", "another"] {
        let again = scan(&town.city, &payer, &qr, key).await.expect("the same");
        assert_eq!((again.at, again.repeated), (paid.at, true));
    }
    let other = town.rich("13800002222", 20_000).await;
    assert_eq!(code(scan(&town.city, &other, &qr, "k").await), "trade_already_paid");
    let trade = trade::query(&town.city, &shop, "A-1").await.expect("a trade");
    assert_eq!((trade.status, trade.paid_at, trade.fee), (Status::Paid, Some(paid.at), town.money(38)));
    assert_eq!(trade::view(&town.city, &shop, paid.trade).await.expect("by id"), trade);
    assert_eq!(town.available(books::merchant(shop.id)).await, 10_000 - 38);
    assert_eq!(town.available(books::fees(Currency::CNY)).await, 38);
    assert_eq!(town.available(books::wallet(payer.id)).await, 990_000);
    assert_eq!(town.available(books::wallet(other.id)).await, 20_000);
    assert_eq!(code(trade::close(&town.city, &shop, "A-1").await), "trade_already_paid");
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_poster_takes_what_the_payer_types() {
    let (town, shop, payer, _) = square().await;
    let face = merchant::get(&town.city, shop.id).await.expect("the shop");
    let poster = merchant::poster::payload_static(&face, &town.city.settings).expect("a poster");
    let pay = |key: &str, minor: Option<i64>| Pay {
        code: poster.clone(),
        amount: minor.map(|minor| town.money(minor)),
        pin: None,
        coupon: None,
        key: key.to_owned(),
    };
    assert_eq!(code(trade::pay(&town.city, &payer, pay("k", None)).await), "amount_missing");
    assert_eq!(code(trade::pay(&town.city, &payer, pay("k", Some(0))).await), "amount_unacceptable");
    let first = trade::pay(&town.city, &payer, pay("k", Some(500))).await.expect("paid");
    let again = trade::pay(&town.city, &payer, pay("k", Some(500))).await.expect("the same");
    assert_eq!((again.trade, again.at, again.repeated), (first.trade, first.at, true));
    assert_eq!(code(trade::pay(&town.city, &payer, pay("k", Some(501))).await), "idempotency_key_used");
    let second = trade::pay(&town.city, &payer, pay("k2", Some(500))).await.expect("another payment");
    assert_ne!(first.trade, second.trade);
    let view = trade::view(&town.city, &shop, first.trade).await.expect("a trade");
    assert_eq!((view.status, view.order_no, view.amount), (Status::Paid, None, Some(town.money(500))));
    // The same key at another shop's poster is not the same payment.
    let other = town.shop("S-2").await;
    let face = merchant::get(&town.city, other.id).await.expect("the shop");
    let poster = merchant::poster::payload_static(&face, &town.city.settings).expect("a poster");
    let there = Pay { code: poster, ..pay("k", Some(500)) };
    assert_eq!(code(trade::pay(&town.city, &payer, there).await), "idempotency_key_used");
    town.assert_conserved().await;
}

/// A payload of our own making: what somebody with a printer can do.
fn forged(merchant: &str, trade: Option<&str>, minor: Option<u64>, currency: &str) -> String {
    let face = ShopFace {
        merchant,
        name: "SHOP",
        latin_name: None,
        city: "HANGZHOU",
        latin_city: None,
        category_code: "5812",
        currency,
        country: "CN",
    };
    let mut qr = match trade {
        Some(trade) => mpm::merchant_dynamic(&face, trade, minor.expect("an amount"), 2),
        None => mpm::merchant_static(&face),
    }
    .expect("a payload");
    qr.amount = minor.map(|minor| mpm::Amount::from_minor(minor, 2).expect("an amount"));
    qr.encode().expect("a payload")
}

#[tokio::test]
async fn codes_somebody_meddled_with() {
    let (town, shop, payer, _) = square().await;
    let other = town.shop("S-2").await;
    let made =
        trade::precreate(&town.city, &shop, wanted(&town.city, "A-1", 10_000)).await.expect("an order");
    let (shop_id, other_id) = (shop.id.to_string(), other.id.to_string());
    let trade_id = made.order.id.to_string();
    let nobodys = TradeId::from_u128(77).to_string();
    let nowhere = merchant::id_of("no such shop").to_string();
    let mut broken = made.qr.clone();
    let last = if broken.ends_with('0') { '1' } else { '0' };
    broken.pop();
    broken.push(last);
    let shown = made.qr.replace("100.00", "001.00");
    assert_ne!(shown, made.qr);
    let some = |minor| Some(town.money(minor));
    for (payload, amount, refused) in [
        ("", None, "empty"),
        ("https://example.org/pay", None, "bad_header"),
        (broken.as_str(), None, "crc_mismatch"),
        (shown.as_str(), None, "crc_mismatch"),
        (&made.qr[..made.qr.len() - 1], None, "truncated"),
        // With a right CRC: the code shows the payer another amount than the order asks for.
        (&forged(&shop_id, Some(&trade_id), Some(100), "156"), None, "amount_differs"),
        (&forged(&shop_id, Some(&trade_id), Some(100), "156"), some(100), "amount_differs"),
        (&forged(&shop_id, Some(&trade_id), Some(100), "156"), some(10_000), "amount_differs"),
        (&forged(&shop_id, Some(&trade_id), Some(10_000), "840"), None, "amount_differs"),
        (&forged(&shop_id, None, Some(100), "156"), some(200), "amount_differs"),
        (&forged(&shop_id, None, None, "840"), some(200), "amount_differs"),
        (&forged(&other_id, Some(&trade_id), Some(10_000), "156"), None, "trade_unknown"),
        (&forged(&shop_id, Some(&nobodys), Some(10_000), "156"), None, "trade_unknown"),
        (&forged("mch_1", None, None, "156"), some(1), "foreign_code"),
        (&forged(&shop_id, Some("trd_1"), Some(1), "156"), None, "foreign_code"),
        (&forged(&nowhere, None, None, "156"), some(1), "merchant_unknown"),
        (&made.qr, some(9_999), "amount_differs"),
        (&made.qr, some(-1), "amount_unacceptable"),
    ] {
        let pay = Pay { code: payload.to_owned(), amount, pin: None, coupon: None, key: "k".to_owned() };
        assert_eq!(code(trade::pay(&town.city, &payer, pay).await), refused, "{payload} {amount:?}");
    }
    let foreign = forged(&shop_id, None, None, "156").replace("org.yima.pay", "org.zima.pay");
    let body = &foreign[..foreign.len() - 4];
    let foreign = format!("{body}{:04X}", mpm::crc16(body.as_bytes()));
    assert_eq!(code(scan(&town.city, &payer, &foreign, "k").await), "foreign_code");
    assert_eq!(town.available(books::wallet(payer.id)).await, 1_000_000);
    // A sticker with its amount printed on is paid as printed.
    let sticker = forged(&shop_id, None, Some(300), "156");
    assert_eq!(scan(&town.city, &payer, &sticker, "s").await.expect("paid").amount, town.money(300));
    scan(&town.city, &payer, &made.qr, "k").await.expect("the order is still open");
    town.assert_conserved().await;
}

#[tokio::test]
async fn what_stands_in_the_way_of_paying() {
    let (town, shop, payer, _) = square().await;
    let much = order(&town, &shop, "much", 100_001).await;
    let pay = |pin: Option<&str>| Pay {
        code: much.clone(),
        amount: None,
        pin: pin.map(str::to_owned),
        coupon: None,
        key: "k".to_owned(),
    };
    assert_eq!(code(trade::pay(&town.city, &payer, pay(None)).await), "pin_required");
    assert_eq!(code(trade::pay(&town.city, &payer, pay(Some(PIN))).await), "pin_not_set");
    town.pin(&payer).await;
    assert_eq!(code(trade::pay(&town.city, &payer, pay(Some("246813"))).await), "pin_wrong");
    let as_one = Resident { tier: Tier::I, ..payer };
    assert_eq!(code(trade::pay(&town.city, &as_one, pay(Some(PIN))).await), "cap_reached");
    trade::pay(&town.city, &payer, pay(Some(PIN))).await.expect("paid");

    // With an empty wallet, however often; then with a full one.
    let poor = town.resident("13800002222").await;
    let qr = order(&town, &shop, "A-1", 500).await;
    for _ in 0..40 {
        assert_eq!(code(scan(&town.city, &poor, &qr, "k").await), "insufficient_balance");
    }
    assert_eq!(trade::query(&town.city, &shop, "A-1").await.expect("a trade").status, Status::Open);
    wallet::deposit(&town.city, &town.operator, poor.id, town.money(500), "in").await.expect("booked");
    let paid = scan(&town.city, &poor, &qr, "k").await.expect("paid now");
    assert!(scan(&town.city, &poor, &qr, "k").await.expect("known, with an empty wallet").repeated);
    let trade = trade::view(&town.city, &shop, paid.trade).await.expect("a trade");
    assert_eq!((trade.status, trade.fee), (Status::Paid, town.money(2)));
    town.assert_conserved().await;
}

#[tokio::test]
async fn an_expired_order_is_closed_for_ever() {
    let (town, shop, payer, _) = square().await;
    // Seen as expired by the payer, by the shop, by a till.
    for (n, seen_by) in ["payer", "shop", "till"].into_iter().enumerate() {
        let number = format!("A-{n}");
        let qr = order(&town, &shop, &number, 100).await;
        let before = kernel::Clock::now(&*town.clock);
        town.pass(899);
        assert_eq!(trade::query(&town.city, &shop, &number).await.expect("a trade").status, Status::Open);
        town.pass(1);
        match seen_by {
            "payer" => assert_eq!(code(scan(&town.city, &payer, &qr, "k").await), "trade_closed"),
            "shop" => {
                let seen = trade::query(&town.city, &shop, &number).await.expect("a trade");
                assert_eq!(seen.status, Status::Closed);
            }
            _ => {
                let phone = town.device(&payer).await;
                let charged = crate::charge(&town.city, &shop, &number, 100, &phone.code()).await;
                assert_eq!(code(charged), "trade_closed");
                let reused = crate::charge(&town.city, &shop, "fresh", 100, &phone.code()).await;
                assert_eq!(code(reused), "payment_code_used");
            }
        }
        town.clock.set(before);
        assert_eq!(code(scan(&town.city, &payer, &qr, "k").await), "trade_closed", "seen by the {seen_by}");
        let seen = trade::query(&town.city, &shop, &number).await.expect("a trade");
        assert_eq!(seen.status, Status::Closed, "seen by the {seen_by}");
    }
    assert_eq!(town.available(books::wallet(payer.id)).await, 1_000_000);
    // Paid in time and asked for again afterwards: paid.
    let qr = order(&town, &shop, "in-time", 100).await;
    scan(&town.city, &payer, &qr, "k").await.expect("paid");
    town.pass(901);
    assert!(scan(&town.city, &payer, &qr, "k").await.expect("paid").repeated);
}

/// Sixteen payers whose money runs out while they race burn every attempt: the order cannot be paid
/// any more, but it can be closed, and says so.
#[tokio::test]
async fn a_trade_without_attempts_left_can_be_closed() {
    let (town, shop, payer, _) = square().await;
    let made = trade::precreate(&town.city, &shop, wanted(&town.city, "A-1", 100)).await.expect("an order");
    burn_every_attempt(&town, made.order.id, payer.id).await;
    assert_eq!(code(scan(&town.city, &payer, &made.qr, "k").await), "attempts_exhausted");
    let closed = trade::cancel(&town.city, &shop, "A-1").await.expect("closed");
    assert_eq!(closed.status, Status::Closed);
    assert_eq!(code(scan(&town.city, &payer, &made.qr, "k").await), "trade_closed");
    assert_eq!(trade::query(&town.city, &shop, "A-1").await.expect("a trade").status, Status::Closed);
    let expiring =
        trade::precreate(&town.city, &shop, wanted(&town.city, "A-2", 100)).await.expect("an order");
    burn_every_attempt(&town, expiring.order.id, payer.id).await;
    town.pass(900);
    assert_eq!(trade::query(&town.city, &shop, "A-2").await.expect("a trade").status, Status::Closed);
}

async fn burn_every_attempt(town: &Town, trade: TradeId, payer: kernel::ids::ResidentId) {
    for k in 0..books::ATTEMPTS_MAX {
        let id = books::attempt_id(trade.as_u128(), k);
        let (from, to) = (books::wallet(payer), books::fees(Currency::CNY));
        let too_much = books::transfer(id, from, to, i64::MAX, Currency::CNY, 10);
        let refused = books::submit(&town.city.ledger, vec![too_much]).await.expect("the ledger answers");
        assert_eq!(refused, Err((0, ledger::CreateTransferStatus::ExceedsCredits)));
    }
}
