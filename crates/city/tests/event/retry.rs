//! Tries: the schedule, the log, giving up, disabling.

use std::time::Duration;

use city::event::{self, Attempt, Delivery, DeliveryState};
use city::identity::Merchant;
use kernel::ids::EndpointId;

use crate::common::{Town, code};
use crate::receiver::Receiver;
use crate::{Node, eventually, hook, pay};

/// The only delivery of the endpoint, with its tries.
pub async fn only(node: &Node, shop: &Merchant, endpoint: EndpointId) -> (Delivery, Vec<Attempt>) {
    let log = event::deliveries(&node.city, shop, endpoint, None, None, 10).await.expect("a log");
    assert_eq!(log.len(), 1);
    event::delivery(&node.city, shop, endpoint, log[0].event).await.expect("a delivery")
}

async fn tried(node: &Node, shop: &Merchant, endpoint: EndpointId, times: usize) -> (Delivery, Vec<Attempt>) {
    eventually(&format!("try {times} in the log"), || async {
        let log = event::deliveries(&node.city, shop, endpoint, None, None, 1).await.expect("a log");
        match log.first() {
            None => false,
            Some(d) => {
                let (_, attempts) =
                    event::delivery(&node.city, shop, endpoint, d.event).await.expect("there");
                attempts.len() >= times
            }
        }
    })
    .await;
    only(node, shop, endpoint).await
}

#[tokio::test]
async fn failures_are_tried_again_on_schedule_and_logged() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let receiver = Receiver::start(&[500, 302, 404]).await;
    let (endpoint, _) = hook(&node.city, &shop, &receiver.url).await;
    pay(&node.city, shop.id, 1, 5).await;
    for (n, status, least_s) in [(1, 500, 5), (2, 302, 300), (3, 404, 1_800)] {
        let (delivery, attempts) = tried(&node, &shop, endpoint, n).await;
        let last = attempts.last().expect("a try");
        assert_eq!((last.status, last.error.clone()), (Some(status), Some(format!("HTTP {status}"))));
        assert_eq!((delivery.state, delivery.tries as usize), (DeliveryState::Pending, n));
        let pause = delivery.next_at.since(town.city.now());
        let least = Duration::from_secs(least_s);
        assert!(pause >= least && pause <= least + least / 10, "{pause:?}");
        // Not a moment before.
        town.clock.set(delivery.next_at.minus(Duration::from_millis(1)));
        receiver.assert_quiet(n).await;
        town.clock.set(delivery.next_at);
    }
    let (delivery, attempts) = tried(&node, &shop, endpoint, 4).await;
    assert_eq!((delivery.state, delivery.finished_at), (DeliveryState::Delivered, Some(town.city.now())));
    let statuses: Vec<_> = attempts.iter().map(|a| a.status).collect();
    assert_eq!(statuses, [Some(500), Some(302), Some(404), Some(204)]);
    assert!(attempts.windows(2).all(|w| w[0].started_at < w[1].started_at));
    assert_eq!(attempts[3].error, None);
    let received = receiver.received();
    assert!(received.iter().all(|r| r.header("webhook-id") == received[0].header("webhook-id")));
    assert!(received.iter().all(|r| r.body == received[0].body));
    assert_ne!(received[0].header("webhook-signature"), received[1].header("webhook-signature"));
    let endpoint = event::endpoint(&node.city, &shop, endpoint).await.expect("there");
    assert_eq!(endpoint.failing_since, None);
    node.stop().await;
}

#[tokio::test]
async fn ten_tries_over_three_days_and_then_no_more() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let receiver = Receiver::start(&[]).await;
    receiver.answer(500);
    let (endpoint, _) = hook(&node.city, &shop, &receiver.url).await;
    let start = town.city.now();
    pay(&node.city, shop.id, 1, 5).await;
    for n in 1..=10 {
        let (delivery, _) = tried(&node, &shop, endpoint, n).await;
        if n < 10 {
            town.clock.set(delivery.next_at);
        }
    }
    let (delivery, attempts) = only(&node, &shop, endpoint).await;
    assert_eq!((delivery.state, attempts.len()), (DeliveryState::GivenUp, 10));
    let days = town.city.now().since(start).as_secs() / (24 * 3600);
    assert_eq!(days, 3);
    town.clock.advance(Duration::from_hours(24));
    receiver.assert_quiet(10).await;
    node.stop().await;
}

#[tokio::test]
async fn a_receiver_may_ask_to_wait_longer() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let receiver = Receiver::start(&[503]).await;
    receiver.ask_to_wait(3_600);
    let (endpoint, _) = hook(&node.city, &shop, &receiver.url).await;
    pay(&node.city, shop.id, 1, 5).await;
    let (delivery, _) = tried(&node, &shop, endpoint, 1).await;
    assert_eq!(delivery.next_at.since(town.city.now()), Duration::from_hours(1));
    node.stop().await;
}

#[tokio::test]
async fn nobody_listening_is_a_failure_with_its_reason() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", free.local_addr().expect("an address"));
    drop(free);
    let (endpoint, _) = hook(&node.city, &shop, &url).await;
    pay(&node.city, shop.id, 1, 5).await;
    let (delivery, attempts) = tried(&node, &shop, endpoint, 1).await;
    assert_eq!((delivery.state, attempts[0].status), (DeliveryState::Pending, None));
    let error = attempts[0].error.clone().expect("a reason");
    assert!(error.starts_with("no connection"), "{error}");
    node.stop().await;
}

#[tokio::test]
async fn five_days_without_success_disable_the_endpoint() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let receiver = Receiver::start(&[]).await;
    receiver.answer(500);
    let (endpoint, _) = hook(&node.city, &shop, &receiver.url).await;
    let first_failure = town.city.now();
    pay(&node.city, shop.id, 1, 5).await;
    receiver.wait(1).await;
    tried(&node, &shop, endpoint, 1).await;
    let failing = event::endpoint(&node.city, &shop, endpoint).await.expect("there");
    assert_eq!((failing.failing_since, failing.disabled), (Some(first_failure), None));
    town.clock.advance(Duration::from_hours(5 * 24));
    eventually("disabled", || async {
        event::endpoint(&node.city, &shop, endpoint).await.expect("there").disabled.is_some()
    })
    .await;
    let (delivery, _) = only(&node, &shop, endpoint).await;
    assert_eq!(delivery.state, DeliveryState::GivenUp);
    // Nothing is written for it any more, and what failed cannot be sent again before it is enabled.
    pay(&node.city, shop.id, 2, 5).await;
    let sent = receiver.count();
    receiver.assert_quiet(sent).await;
    assert_eq!(only(&node, &shop, endpoint).await.0.event, delivery.event);
    assert_eq!(code(event::resend(&node.city, &shop, endpoint, delivery.event).await), "endpoint_disabled");
    let since = first_failure;
    assert_eq!(code(event::replay(&node.city, &shop, endpoint, since).await), "endpoint_disabled");
    // Enabled again, a replay brings both.
    receiver.answer(204);
    let enabled = event::enable_endpoint(&node.city, &shop, endpoint).await.expect("enabled");
    assert_eq!((enabled.disabled, enabled.failing_since), (None, None));
    let replayed = event::replay(&node.city, &shop, endpoint, since).await.expect("replayed");
    assert_eq!((replayed.events, replayed.next), (2, None));
    receiver.wait(sent + 2).await;
    node.stop().await;
}

#[tokio::test]
async fn gone_disables_at_once() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let receiver = Receiver::start(&[410]).await;
    let (endpoint, _) = hook(&node.city, &shop, &receiver.url).await;
    pay(&node.city, shop.id, 1, 5).await;
    tried(&node, &shop, endpoint, 1).await;
    let gone = event::endpoint(&node.city, &shop, endpoint).await.expect("there");
    assert_eq!(gone.disabled.map(|(_, why)| why).as_deref(), Some("the receiver answered 410 Gone"));
    node.stop().await;
}
