//! Signatures, checked by the reference library of Standard Webhooks.

use std::time::Duration;

use city::event;
use kernel::{Clock as _, SystemClock};
use standardwebhooks::Webhook;

use crate::common::Town;
use crate::receiver::{Received, Receiver};
use crate::{Node, eventually, hook, pay};

/// Whether the reference library takes one of the signatures for its own under this secret.
fn signed(secret: &str, received: &Received) -> bool {
    let webhook = Webhook::new(secret).expect("a secret");
    let at = received.header("webhook-timestamp").parse().expect("seconds");
    let wanted =
        webhook.sign(received.header("webhook-id"), at, received.body.as_bytes()).expect("a signature");
    received.header("webhook-signature").split(' ').any(|signature| signature == wanted)
}

/// Whether the reference library accepts the message, its age included.
fn accepted(secret: &str, received: &Received) -> bool {
    let webhook = Webhook::new(secret).expect("a secret");
    webhook.verify(received.body.as_bytes(), &received.headers).is_ok()
}

#[tokio::test]
async fn an_independent_library_accepts_what_is_sent_and_nothing_else() {
    let town = Town::new().await;
    town.clock.set(SystemClock.now()); // the library compares with the real time
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let receiver = Receiver::start(&[]).await;
    let (_, secret) = hook(&node.city, &shop, &receiver.url).await;
    assert!(secret.starts_with("whsec_"));
    pay(&node.city, shop.id, 1, 1250).await;
    let received = receiver.wait(1).await;
    assert!(accepted(&secret, &received));
    let json = received.json();
    assert_eq!(received.header("webhook-id"), json["id"]);
    assert!(received.header("webhook-id").starts_with("evt_"));
    assert_eq!(received.header("webhook-timestamp"), town.city.now().as_secs().to_string());
    assert_eq!(received.header("content-type"), "application/json");
    let spoiled = Received { body: received.body.replace("1250", "9250"), ..received.clone() };
    assert_ne!(spoiled.body, received.body);
    assert!(!accepted(&secret, &spoiled));
    assert!(!accepted("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &received));
    node.stop().await;
}

#[tokio::test]
async fn a_rotated_secret_signs_for_a_day_beside_the_new_one() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let receiver = Receiver::start(&[]).await;
    let (endpoint, old) = hook(&node.city, &shop, &receiver.url).await;
    let new = event::rotate_secret(&node.city, &shop, endpoint).await.expect("rotated");
    assert_ne!(new, old);
    pay(&node.city, shop.id, 1, 5).await;
    let both = receiver.wait(1).await;
    assert!(signed(&new, &both) && signed(&old, &both));
    town.clock.advance(Duration::from_hours(24));
    pay(&node.city, shop.id, 2, 5).await;
    let one = receiver.wait(2).await;
    assert!(signed(&new, &one) && !signed(&old, &one));
    eventually("the log", || async {
        let log = event::deliveries(&node.city, &shop, endpoint, None, None, 10).await.expect("a log");
        log.iter().filter(|d| d.finished_at.is_some()).count() == 2
    })
    .await;
    node.stop().await;
}
