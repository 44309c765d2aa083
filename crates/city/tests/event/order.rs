//! The ordering key: events of one trade arrive in their order, those of others do not wait.

use std::time::Duration;

use city::event::{self, DeliveryState};

use crate::common::Town;
use crate::receiver::Receiver;
use crate::{Node, eventually, hook, pay, refund, trade};

#[tokio::test]
async fn a_refund_waits_for_its_payment_and_other_trades_do_not() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let receiver = Receiver::start(&[500]).await;
    let (endpoint, _) = hook(&node.city, &shop, &receiver.url).await;
    pay(&node.city, shop.id, 1, 100).await;
    receiver.wait(1).await;
    refund(&node.city, shop.id, 1, 71, 10).await;
    refund(&node.city, shop.id, 1, 72, 20).await;
    pay(&node.city, shop.id, 2, 100).await;
    let other = receiver.wait(2).await;
    assert_eq!(other.json()["data"]["trade"], trade(2).to_string());
    receiver.assert_quiet(2).await;
    town.clock.advance(Duration::from_secs(6));
    receiver.wait(5).await;
    let of_trade_1: Vec<_> = receiver
        .received()
        .iter()
        .filter(|r| r.answered == 204 && r.json()["data"]["trade"] == trade(1).to_string())
        .map(|r| (r.kind(), r.json()["data"]["amount"]["minor"].as_i64()))
        .collect();
    let wanted = [("trade.paid", 100), ("trade.refunded", 10), ("trade.refunded", 20)];
    assert_eq!(of_trade_1, wanted.map(|(kind, minor)| (kind.to_owned(), Some(minor))));
    eventually("all delivered", || async {
        let log = event::deliveries(&node.city, &shop, endpoint, Some(DeliveryState::Delivered), None, 10);
        log.await.expect("a log").len() == 4
    })
    .await;
    node.stop().await;
}

#[tokio::test]
async fn an_event_that_was_given_up_lets_the_next_go() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let receiver = Receiver::start(&[500; 10]).await;
    let (endpoint, _) = hook(&node.city, &shop, &receiver.url).await;
    pay(&node.city, shop.id, 1, 100).await;
    refund(&node.city, shop.id, 1, 71, 10).await;
    for n in 1..10 {
        receiver.wait(n).await;
        eventually("the try in the log", || async {
            let log = event::deliveries(&node.city, &shop, endpoint, None, None, 10).await.expect("a log");
            log.iter().any(|d| d.tries as usize == n)
        })
        .await;
        let log = event::deliveries(&node.city, &shop, endpoint, None, None, 10).await.expect("a log");
        let failed = log.iter().find(|d| d.tries as usize == n).expect("there");
        town.clock.set(failed.next_at);
    }
    let last = receiver.wait(11).await;
    assert_eq!((last.kind().as_str(), last.answered), ("trade.refunded", 204));
    assert!(receiver.received()[..10].iter().all(|r| r.kind() == "trade.paid"));
    let given_up =
        event::deliveries(&node.city, &shop, endpoint, Some(DeliveryState::GivenUp), None, 10).await;
    assert_eq!(given_up.expect("a log").len(), 1);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_trades_with_failures_stay_in_order_each() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    // Every third request fails at first.
    let script: Vec<u16> = (0..60).map(|i| if i % 3 == 0 { 500 } else { 204 }).collect();
    let receiver = Receiver::start(&script).await;
    let (endpoint, _) = hook(&node.city, &shop, &receiver.url).await;
    for n in 0..40 {
        pay(&node.city, shop.id, n, 100).await;
    }
    for n in 0..40 {
        refund(&node.city, shop.id, n, 5_000 + n, 10).await;
    }
    eventually("all delivered", || async {
        town.clock.advance(Duration::from_millis(500));
        let log = event::deliveries(&node.city, &shop, endpoint, Some(DeliveryState::Delivered), None, 200);
        log.await.expect("a log").len() == 80
    })
    .await;
    let taken: Vec<_> = receiver.received().into_iter().filter(|r| r.answered == 204).collect();
    for n in 0..40 {
        let told = taken.iter().filter(|r| r.json()["data"]["trade"] == trade(n).to_string());
        // On a busy machine a lease may run out and an event be told again: at least once. First times are in order.
        let mut kinds: Vec<String> = Vec::new();
        for kind in told.map(crate::receiver::Received::kind) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        assert_eq!(kinds, ["trade.paid", "trade.refunded"], "trade {n}");
    }
    node.stop().await;
}
