//! Live streams: order, resumption without gap or repetition, and speed.

use std::time::{Duration, Instant};

use city::event::{self, EventType, LISTENERS_MAX};
use kernel::ids::RefundId;

use crate::common::{Town, code};
use crate::{Node, close, pay, refund, trade};

/// Timestamps of the next `count` events.
async fn hear(stream: &mut event::Subscription, count: usize) -> Vec<u64> {
    let mut heard = Vec::with_capacity(count);
    while heard.len() < count {
        let next = tokio::time::timeout(Duration::from_secs(10), stream.next()).await.expect("in time");
        heard.push(next.expect("no fault").expect("no end").0);
    }
    heard
}

#[tokio::test]
async fn each_kind_says_what_happened_and_not_who_paid() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let mut stream = event::subscribe(&node.city, &shop, None).expect("a stream");
    let at = pay(&node.city, shop.id, 1, 1250).await;
    refund(&node.city, shop.id, 1, 77, 250).await;
    close(&node.city, shop.id, 2).await;
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(stream.next().await.expect("no fault").expect("an event"));
    }
    let (first, paid) = &heard[0];
    assert_eq!((*first, paid.kind), (at, EventType::Paid));
    assert_eq!((paid.data.trade, paid.data.merchant, paid.data.refund), (trade(1), shop.id, None));
    assert_eq!(paid.data.amount, Some(town.money(1250)));
    assert_eq!(u64::try_from(paid.created_at.as_nanos()), Ok(at));
    let refunded = &heard[1].1;
    assert_eq!((refunded.kind, refunded.data.refund), (EventType::Refunded, Some(RefundId::from_u128(77))));
    assert_eq!(refunded.data.amount, Some(town.money(250)));
    let closed = &heard[2].1;
    assert_eq!((closed.kind, closed.data.trade, closed.data.amount), (EventType::Closed, trade(2), None));
    assert_ne!(paid.id, refunded.id);
    let json = serde_json::to_value(paid).expect("JSON");
    assert_eq!(json["type"], "trade.paid");
    assert_eq!(json["data"]["amount"], serde_json::json!({"minor": 1250, "currency": "CNY"}));
    let keys: Vec<&String> = json["data"].as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["amount", "merchant", "order_no", "till", "trade"]);
    node.stop().await;
}

#[tokio::test]
async fn a_shop_hears_only_its_own() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let (shop, other) = (town.shop("s-1").await, town.shop("s-2").await);
    let mut stream = event::subscribe(&node.city, &shop, None).expect("a stream");
    pay(&node.city, other.id, 1, 100).await;
    close(&node.city, other.id, 2).await;
    let own = pay(&node.city, shop.id, 3, 100).await;
    assert_eq!(hear(&mut stream, 1).await, [own]);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resuming_in_the_middle_of_payments_has_no_gap_and_no_repetition() {
    const EACH: u128 = 400;
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let (shop, other) = (town.shop("s-1").await, town.shop("s-2").await);
    let start = *node.city.ledger.committed().borrow();
    let payers: Vec<_> = (0..4u128)
        .map(|p| {
            let (city, shop, other) = (node.city.clone(), shop.id, other.id);
            tokio::spawn(async move {
                let mut own = Vec::new();
                for i in 0..EACH {
                    let n = p * 10_000 + i;
                    match i % 8 {
                        6 => own.push(close(&city, shop, n).await),
                        7 => drop(pay(&city, other, n, 5).await),
                        _ => own.push(pay(&city, shop, n, 5).await),
                    }
                }
                own
            })
        })
        .collect();
    // Listens in short stretches while they pay, each time after the last event it has.
    let mut heard = Vec::new();
    let mut after = start;
    let wanted = usize::try_from(4 * EACH * 7 / 8).expect("small");
    let mut stretch = 1;
    while heard.len() < wanted {
        let mut stream = event::subscribe(&node.city, &shop, Some(after)).expect("a stream");
        heard.extend(hear(&mut stream, stretch.min(wanted - heard.len())).await);
        after = *heard.last().expect("some");
        stretch = stretch * 3 % 97 + 1;
    }
    let mut made = Vec::new();
    for payer in payers {
        made.extend(payer.await.expect("no panic"));
    }
    made.sort_unstable();
    assert_eq!(heard, made);
    node.stop().await;
}

#[tokio::test]
async fn a_listener_that_fell_far_behind_misses_nothing() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let mut stream = event::subscribe(&node.city, &shop, None).expect("a stream");
    let mut made = vec![pay(&node.city, shop.id, 0, 5).await];
    assert_eq!(hear(&mut stream, 1).await, made);
    // More than the follower keeps for it.
    for n in 1..3_000 {
        made.push(pay(&node.city, shop.id, n, 5).await);
    }
    assert_eq!(hear(&mut stream, 2_999).await, made[1..]);
    node.stop().await;
}

#[tokio::test]
async fn old_events_come_from_the_ledger_in_order_of_both_lists() {
    let town = Town::new().await;
    let node = Node::idle(&town).await;
    let shop = town.shop("s-1").await;
    let mut made = Vec::new();
    for n in 0..600 {
        let close_it = n % 7 == 0 || (200..500).contains(&n);
        made.push(if close_it {
            close(&node.city, shop.id, n).await
        } else {
            pay(&node.city, shop.id, n, 5).await
        });
    }
    for from in [0, 1, 199, 350, 599] {
        let after = made[from];
        let mut stream = event::subscribe(&node.city, &shop, Some(after)).expect("a stream");
        assert_eq!(stream.position(), after);
        assert_eq!(hear(&mut stream, made.len() - from - 1).await, made[from + 1..]);
    }
}

#[tokio::test]
async fn a_timestamp_of_the_future_begins_now() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let mut stream = event::subscribe(&node.city, &shop, Some(u64::MAX)).expect("a stream");
    let at = pay(&node.city, shop.id, 1, 5).await;
    assert_eq!(hear(&mut stream, 1).await, [at]);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn within_100_ms_of_the_commit() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let mut stream = event::subscribe(&node.city, &shop, None).expect("a stream");
    let mut times = Vec::new();
    for n in 0..200 {
        let at = pay(&node.city, shop.id, n, 5).await;
        let committed = Instant::now();
        assert_eq!(hear(&mut stream, 1).await, [at]);
        times.push(committed.elapsed());
    }
    times.sort_unstable();
    println!("live event after the answer of the ledger: p50 {:?} p99 {:?}", times[100], times[198]);
    assert!(times[198] < Duration::from_millis(100), "{:?}", times[198]);
    node.stop().await;
}

#[tokio::test]
async fn so_many_listen_and_no_more() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let (shop, other) = (town.shop("s-1").await, town.shop("s-2").await);
    let mut streams: Vec<_> =
        (0..LISTENERS_MAX).map(|_| event::subscribe(&node.city, &shop, None).expect("a stream")).collect();
    assert_eq!(code(event::subscribe(&node.city, &shop, None).map(|_| ())), "listeners_max");
    event::subscribe(&node.city, &other, None).expect("another shop's");
    streams.pop();
    streams.push(event::subscribe(&node.city, &shop, None).expect("one left"));
    let at = pay(&node.city, shop.id, 1, 5).await;
    for stream in &mut streams {
        assert_eq!(hear(stream, 1).await, [at]);
    }
    drop(streams);
    // Nobody is left: the follower forgets the shop, and somebody may come again.
    pay(&node.city, shop.id, 2, 5).await;
    let mut again = event::subscribe(&node.city, &shop, Some(at)).expect("a stream");
    assert_eq!(hear(&mut again, 1).await.len(), 1);
    node.stop().await;
}

#[tokio::test]
async fn streams_end_when_the_server_stops() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let mut stream = event::subscribe(&node.city, &shop, None).expect("a stream");
    let end = tokio::spawn(async move { stream.next().await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    node.stop().await;
    assert_eq!(end.await.expect("no panic"), Ok(None));
}
