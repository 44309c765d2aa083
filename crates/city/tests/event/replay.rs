//! Sending again.

use std::time::Duration;

use city::event::{self, DeliveryState, Replayed};
use kernel::ids::EventId;

use crate::common::{Town, code};
use crate::receiver::Receiver;
use crate::{Node, close, eventually, hook, pay, refund, trade};

#[tokio::test]
async fn one_event_goes_out_again_with_the_same_id() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let receiver = Receiver::start(&[]).await;
    let (endpoint, _) = hook(&node.city, &shop, &receiver.url).await;
    pay(&node.city, shop.id, 1, 100).await;
    let first = receiver.wait(1).await;
    let event: EventId = first.header("webhook-id").parse().expect("an event id");
    eventually("delivered", || async {
        let (delivery, _) = event::delivery(&node.city, &shop, endpoint, event).await.expect("there");
        delivery.state == DeliveryState::Delivered
    })
    .await;
    event::resend(&node.city, &shop, endpoint, event).await.expect("on its way");
    let second = receiver.wait(2).await;
    assert_eq!((second.header("webhook-id"), &second.body), (first.header("webhook-id"), &first.body));
    eventually("two tries in the log", || async {
        event::delivery(&node.city, &shop, endpoint, event).await.expect("there").1.len() == 2
    })
    .await;
    let unknown = EventId::from_u128(9);
    assert_eq!(code(event::resend(&node.city, &shop, endpoint, unknown).await), "delivery_unknown");
    node.stop().await;
}

#[tokio::test]
async fn one_that_waits_for_its_next_try_goes_out_now() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let receiver = Receiver::start(&[500]).await;
    let (endpoint, _) = hook(&node.city, &shop, &receiver.url).await;
    pay(&node.city, shop.id, 1, 100).await;
    let event: EventId = receiver.wait(1).await.header("webhook-id").parse().expect("an event id");
    eventually("the failure in the log", || async {
        event::delivery(&node.city, &shop, endpoint, event).await.expect("there").0.tries == 1
    })
    .await;
    event::resend(&node.city, &shop, endpoint, event).await.expect("on its way");
    receiver.wait(2).await;
    node.stop().await;
}

#[tokio::test]
async fn everything_since_a_time_also_what_came_before_the_endpoint() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    pay(&node.city, shop.id, 1, 100).await;
    town.pass(60);
    let since = town.city.now();
    for n in 2..700 {
        pay(&node.city, shop.id, n, 100).await;
    }
    refund(&node.city, shop.id, 2, 71, 10).await;
    close(&node.city, shop.id, 900).await;
    let receiver = Receiver::start(&[]).await;
    let (endpoint, _) = hook(&node.city, &shop, &receiver.url).await;
    let types = ["trade.refunded".to_owned()];
    let other = Receiver::start(&[]).await;
    let (picky, _) =
        event::create_endpoint(&node.city, &shop, &other.url, &types).await.expect("an endpoint");
    receiver.assert_quiet(0).await;
    for _ in 0..2 {
        let before = receiver.count();
        let replayed = event::replay(&node.city, &shop, endpoint, since).await;
        assert_eq!(replayed, Ok(Replayed { events: 700, next: None }));
        receiver.wait(before + 700).await;
        let sent = receiver.received().split_off(before);
        let kinds: Vec<_> = sent
            .iter()
            .filter(|r| r.json()["data"]["trade"] == trade(2).to_string())
            .map(crate::receiver::Received::kind)
            .collect();
        assert_eq!(kinds, ["trade.paid", "trade.refunded"]);
        assert!(sent.iter().all(|r| r.json()["data"]["trade"] != trade(1).to_string()));
        eventually("all in the log", || async {
            let pending = Some(DeliveryState::Pending);
            event::deliveries(&node.city, &shop, endpoint, pending, None, 1).await.expect("a log").is_empty()
        })
        .await;
    }
    let replayed = event::replay(&node.city, &shop, picky.id, since).await;
    assert_eq!(replayed, Ok(Replayed { events: 1, next: None }));
    assert_eq!(other.wait(1).await.kind(), "trade.refunded");
    let later = town.city.now().plus(Duration::from_mins(1));
    let nothing = Ok(Replayed { events: 0, next: None });
    assert_eq!(event::replay(&node.city, &shop, endpoint, later).await, nothing);
    node.stop().await;
}
