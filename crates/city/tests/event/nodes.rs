//! Crashes, restarts and several nodes: nothing is lost, whoever does the work.

use std::time::Duration;

use city::event::{self, DeliveryState};
use city::identity::Merchant;
use kernel::ids::EndpointId;

use crate::common::Town;
use crate::receiver::Receiver;
use crate::{Node, eventually, hook, pay};

async fn delivered(node: &Node, shop: &Merchant, endpoint: EndpointId, count: usize) {
    eventually(&format!("{count} delivered"), || async {
        let log = event::deliveries(&node.city, shop, endpoint, Some(DeliveryState::Delivered), None, 200);
        log.await.expect("a log").len() == count
    })
    .await;
}

#[tokio::test]
async fn what_is_paid_while_nobody_follows_is_sent_later() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let receiver = Receiver::start(&[]).await;
    let (endpoint, _) = hook(&node.city, &shop, &receiver.url).await;
    pay(&node.city, shop.id, 1, 100).await;
    delivered(&node, &shop, endpoint, 1).await;
    node.stop().await;
    for n in 2..=20 {
        pay(&town.city, shop.id, n, 100).await;
    }
    let town = town.reopen().await;
    let node = Node::start(&town).await;
    delivered(&node, &shop, endpoint, 20).await;
    assert_eq!(receiver.count(), 20);
    node.stop().await;
}

#[tokio::test]
async fn a_try_cut_off_by_a_crash_is_made_again_when_its_lease_runs_out() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    // Hangs for ever on the first, fails the second: then the crash.
    let receiver = Receiver::start(&[0, 500]).await;
    let (endpoint, _) = hook(&node.city, &shop, &receiver.url).await;
    pay(&node.city, shop.id, 1, 100).await;
    receiver.wait(1).await;
    pay(&node.city, shop.id, 2, 100).await;
    receiver.wait(2).await;
    eventually("the failure in the log", || async {
        let log = event::deliveries(&node.city, &shop, endpoint, None, None, 10).await.expect("a log");
        log.iter().any(|d| d.tries == 1)
    })
    .await;
    node.kill().await;
    for n in 3..=5 {
        pay(&town.city, shop.id, n, 100).await;
    }
    let town = town.reopen().await;
    town.clock.advance(Duration::from_secs(61));
    let node = Node::start(&town).await;
    delivered(&node, &shop, endpoint, 5).await;
    // The failed one has both its tries in the log, the one cut off only the second.
    let log = event::deliveries(&node.city, &shop, endpoint, None, None, 10).await.expect("a log");
    let mut tries = Vec::new();
    for d in log.iter().rev() {
        let (_, attempts) = event::delivery(&node.city, &shop, endpoint, d.event).await.expect("there");
        tries.push(attempts.iter().map(|a| a.status).collect::<Vec<_>>());
    }
    let once = vec![Some(204)];
    assert_eq!(tries, [once.clone(), vec![Some(500), Some(204)], once.clone(), once.clone(), once]);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_share_the_work_and_send_nothing_twice() {
    let town = Town::new().await;
    let (one, two) = (Node::start(&town).await, Node::start(&town).await);
    let shop = town.shop("s-1").await;
    let receiver = Receiver::start(&[]).await;
    let (endpoint, _) = hook(&one.city, &shop, &receiver.url).await;
    // The other node has not heard of the endpoint; its follower must not pass the payments over.
    for n in 0..100 {
        pay(&two.city, shop.id, n, 100).await;
    }
    delivered(&one, &shop, endpoint, 100).await;
    receiver.assert_quiet(100).await;
    one.stop().await;
    pay(&two.city, shop.id, 100, 100).await;
    delivered(&two, &shop, endpoint, 101).await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_added_under_load_gets_exactly_what_is_committed_after_it() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let receiver = Receiver::start(&[]).await;
    let (city, id) = (node.city.clone(), shop.id);
    let payer = tokio::spawn(async move {
        let mut made = Vec::new();
        for n in 0..150 {
            made.push(pay(&city, id, n, 100).await);
        }
        made
    });
    tokio::time::sleep(Duration::from_millis(30)).await;
    let (endpoint, _) =
        event::create_endpoint(&node.city, &shop, &receiver.url, &[]).await.expect("an endpoint");
    let made = payer.await.expect("no panic");
    let wanted: Vec<u64> = made.into_iter().filter(|at| *at > endpoint.from_ledger).collect();
    delivered(&node, &shop, endpoint.id, wanted.len()).await;
    let log = event::deliveries(&node.city, &shop, endpoint.id, None, None, 200).await.expect("a log");
    assert_eq!(log.iter().rev().map(|d| d.at).collect::<Vec<_>>(), wanted);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_endpoint_does_not_hold_up_the_others() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let (slow, quick) = (town.shop("s-1").await, town.shop("s-2").await);
    let hanging = Receiver::start(&[0; 100]).await;
    let receiver = Receiver::start(&[]).await;
    hook(&node.city, &slow, &hanging.url).await;
    let (endpoint, _) = hook(&node.city, &quick, &receiver.url).await;
    for n in 0..100 {
        pay(&node.city, slow.id, n, 100).await;
    }
    for n in 200..220 {
        pay(&node.city, quick.id, n, 100).await;
    }
    delivered(&node, &quick, endpoint, 20).await;
    assert!(hanging.count() <= 8, "{} at once", hanging.count());
    node.kill().await;
}
