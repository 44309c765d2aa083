//! Endpoints: verbs, refusals, who may.

use city::event::{self, DeliveryState, ENDPOINTS_MAX, EventType};
use city::identity::{Merchant, Role};
use kernel::ids::{EndpointId, EventId};

use crate::common::{Town, code};
use crate::receiver::Receiver;
use crate::{Node, close, eventually, hook, pay, refund};

#[tokio::test]
async fn each_gets_the_types_it_wants_from_when_it_was_created() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let (all, some) = (Receiver::start(&[]).await, Receiver::start(&[]).await);
    pay(&node.city, shop.id, 1, 100).await;
    hook(&node.city, &shop, &all.url).await;
    let types = ["trade.refunded".to_owned(), "trade.closed".to_owned()];
    let (picky, _) = event::create_endpoint(&node.city, &shop, &some.url, &types).await.expect("an endpoint");
    assert_eq!(picky.types, Some(vec![EventType::Refunded, EventType::Closed]));
    pay(&node.city, shop.id, 2, 100).await;
    refund(&node.city, shop.id, 2, 71, 10).await;
    close(&node.city, shop.id, 3).await;
    all.wait(3).await;
    some.wait(2).await;
    all.assert_quiet(3).await;
    let mut kinds: Vec<_> = all.received().iter().map(crate::receiver::Received::kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["trade.closed", "trade.paid", "trade.refunded"]);
    assert_eq!(some.count(), 2);
    node.stop().await;
}

#[tokio::test]
async fn a_deleted_endpoint_gets_nothing_and_is_unknown() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let receiver = Receiver::start(&[500]).await;
    let (endpoint, _) = hook(&node.city, &shop, &receiver.url).await;
    pay(&node.city, shop.id, 1, 100).await;
    receiver.wait(1).await;
    event::delete_endpoint(&node.city, &shop, endpoint).await.expect("deleted");
    town.pass(60);
    pay(&node.city, shop.id, 2, 100).await;
    receiver.assert_quiet(1).await;
    assert_eq!(code(event::endpoint(&node.city, &shop, endpoint).await), "endpoint_unknown");
    assert_eq!(code(event::delete_endpoint(&node.city, &shop, endpoint).await), "endpoint_unknown");
    assert_eq!(event::endpoints(&node.city, &shop).await, Ok(vec![]));
    node.stop().await;
}

#[tokio::test]
async fn another_shops_endpoint_is_unknown() {
    let town = Town::new().await;
    let node = Node::idle(&town).await;
    let (shop, other) = (town.shop("s-1").await, town.shop("s-2").await);
    let (id, _) = hook(&node.city, &shop, "https://shop.example/hook").await;
    let (city, event) = (&node.city, EventId::from_u128(9));
    let unknown = "endpoint_unknown";
    assert_eq!(code(event::endpoint(city, &other, id).await), unknown);
    assert_eq!(code(event::delete_endpoint(city, &other, id).await), unknown);
    assert_eq!(code(event::enable_endpoint(city, &other, id).await), unknown);
    assert_eq!(code(event::rotate_secret(city, &other, id).await), unknown);
    assert_eq!(code(event::deliveries(city, &other, id, None, None, 1).await), unknown);
    assert_eq!(code(event::delivery(city, &other, id, event).await), unknown);
    assert_eq!(code(event::resend(city, &other, id, event).await), unknown);
    assert_eq!(code(event::replay(city, &other, id, city.now()).await), unknown);
    assert_eq!(code(event::endpoint(city, &shop, EndpointId::from_u128(9)).await), unknown);
    assert_eq!(code(event::delivery(city, &shop, id, event).await), "delivery_unknown");
    assert_eq!(event::endpoints(city, &shop).await.expect("a list").len(), 1);
}

#[tokio::test]
async fn only_role_admin() {
    let town = Town::new().await;
    let node = Node::idle(&town).await;
    let shop = town.shop("s-1").await;
    let staff = Merchant { role: Role::Staff, ..shop };
    let url = "https://shop.example/hook";
    let (id, _) = hook(&node.city, &shop, url).await;
    assert_eq!(code(event::create_endpoint(&node.city, &staff, url, &[]).await), "forbidden");
    assert_eq!(code(event::endpoints(&node.city, &staff).await), "forbidden");
    assert_eq!(code(event::endpoint(&node.city, &staff, id).await), "forbidden");
    assert_eq!(code(event::rotate_secret(&node.city, &staff, id).await), "forbidden");
    assert_eq!(code(event::replay(&node.city, &staff, id, node.city.now()).await), "forbidden");
}

#[tokio::test]
async fn refused_urls_types_and_numbers() {
    let town = Town::new().await;
    let shop = town.shop("s-1").await;
    // As a city is by default: no webhooks into its own network.
    let strict = &town.city;
    for (url, refused) in [
        ("ftp://shop.example/", "webhook_url_malformed"),
        ("shop.example", "webhook_url_malformed"),
        ("https://a:b@shop.example/", "webhook_url_malformed"),
        ("http://localhost:9000/", "webhook_url_private"),
        ("http://127.0.0.1/", "webhook_url_private"),
        ("http://[::1]/", "webhook_url_private"),
        ("http://10.0.0.7/", "webhook_url_private"),
        ("http://169.254.169.254/", "webhook_url_private"),
    ] {
        assert_eq!(code(event::create_endpoint(strict, &shop, url, &[]).await), refused, "{url}");
    }
    let url = "https://shop.example/hook";
    let types = ["trade.opened".to_owned()];
    assert_eq!(code(event::create_endpoint(strict, &shop, url, &types).await), "event_type_unknown");
    for _ in 0..ENDPOINTS_MAX {
        hook(strict, &shop, url).await;
    }
    assert_eq!(code(event::create_endpoint(strict, &shop, url, &[]).await), "endpoints_max");
    assert_eq!(event::endpoints(strict, &shop).await.expect("a list").len(), 10);
}

#[tokio::test]
async fn a_private_address_behind_the_city_s_back_is_refused_at_the_connection() {
    // The endpoint was created where private addresses are allowed; the node that sends is strict.
    let town = Town::new().await;
    let lax = Node::idle(&town).await;
    let shop = town.shop("s-1").await;
    let receiver = Receiver::start(&[]).await;
    let (by_ip, _) = hook(&lax.city, &shop, &receiver.url).await;
    let (by_name, _) = hook(&lax.city, &shop, &receiver.url.replace("127.0.0.1", "localhost")).await;
    let stop = tokio::sync::watch::channel(false);
    let tasks = event::start(&town.city, &stop.1);
    pay(&town.city, shop.id, 1, 100).await;
    for endpoint in [by_ip, by_name] {
        eventually("a try in the log", || async {
            let log = event::deliveries(&town.city, &shop, endpoint, None, None, 1).await.expect("a log");
            log.first().is_some_and(|d| d.tries == 1 && d.state == DeliveryState::Pending)
        })
        .await;
        let log = event::deliveries(&town.city, &shop, endpoint, None, None, 1).await.expect("a log");
        let (_, tries) = event::delivery(&town.city, &shop, endpoint, log[0].event).await.expect("there");
        assert_eq!(tries[0].error.as_deref(), Some("the name leads to a private address"));
    }
    assert_eq!(receiver.count(), 0);
    let _ = stop.0.send(true);
    for task in tasks {
        task.await.expect("no panic");
    }
}
