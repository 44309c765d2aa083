//! The PIN for a charge that waits for it.

use city::books;
use city::trade::{self, Status};
use kernel::ids::TradeId;

use crate::common::{PIN, code};
use crate::{charge, paid, square, waiting};

const MUCH: i64 = 200_000;

#[tokio::test]
async fn the_payers_pin_pays() {
    let (town, shop, payer, phone) = square().await;
    town.pin(&payer).await;
    let other = town.rich("13800002222", 500_000).await;
    town.pin(&other).await;
    let order = waiting(charge(&town.city, &shop, "A-1", MUCH, &phone.code()).await);
    let list: Vec<_> = trade::waiting(&town.city, &payer).await.expect("a list");
    assert_eq!(list, std::slice::from_ref(&order));
    assert!(trade::waiting(&town.city, &other).await.expect("a list").is_empty());
    assert_eq!(code(trade::confirm(&town.city, &other, order.id, PIN).await), "trade_not_for_you");
    assert_eq!(code(trade::confirm(&town.city, &payer, order.id, "246813").await), "pin_wrong");
    assert_eq!(code(trade::confirm(&town.city, &payer, TradeId::from_u128(7), PIN).await), "trade_unknown");
    let done = trade::confirm(&town.city, &payer, order.id, PIN).await.expect("paid");
    assert_eq!((done.amount, done.repeated), (town.money(MUCH), false));
    assert!(trade::confirm(&town.city, &payer, order.id, PIN).await.expect("known").repeated);
    assert!(trade::waiting(&town.city, &payer).await.expect("a list").is_empty());
    // The till that asks again learns it.
    assert_eq!(paid(charge(&town.city, &shop, "A-1", MUCH, &phone.code()).await).at, done.at);
    assert_eq!(trade::query(&town.city, &shop, "A-1").await.expect("a trade").status, Status::Paid);
    // Also when the time to wait is over: it was paid in it.
    town.pass(121);
    assert!(trade::confirm(&town.city, &payer, order.id, PIN).await.expect("known").repeated);
    assert_eq!(town.available(books::wallet(payer.id)).await, 1_000_000 - MUCH);
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_wait_ends() {
    let (town, shop, payer, phone) = square().await;
    town.pin(&payer).await;
    let expired = waiting(charge(&town.city, &shop, "A-1", MUCH, &phone.code()).await);
    town.pass(120);
    assert!(trade::waiting(&town.city, &payer).await.expect("a list").is_empty());
    assert_eq!(code(trade::confirm(&town.city, &payer, expired.id, PIN).await), "trade_closed");
    let cancelled = waiting(charge(&town.city, &shop, "A-2", MUCH, &phone.code()).await);
    assert_eq!(trade::cancel(&town.city, &shop, "A-2").await.expect("closed").status, Status::Closed);
    assert!(trade::waiting(&town.city, &payer).await.expect("a list").is_empty());
    assert_eq!(code(trade::confirm(&town.city, &payer, cancelled.id, PIN).await), "trade_closed");
    // Five wrong PINs, and the right one comes too late.
    town.pass(10);
    let locked = waiting(charge(&town.city, &shop, "A-3", MUCH, &phone.code()).await);
    for n in 1..=5 {
        let wanted = if n == 5 { "pin_locked" } else { "pin_wrong" };
        assert_eq!(code(trade::confirm(&town.city, &payer, locked.id, "246813").await), wanted);
    }
    assert_eq!(code(trade::confirm(&town.city, &payer, locked.id, PIN).await), "pin_locked");
    assert_eq!(town.available(books::wallet(payer.id)).await, 1_000_000);
    town.assert_conserved().await;
}
