//! Two nodes and the last of a budget; one resident on two phones.

use crate::common::{race, refused_with};
use crate::{have, pay, square};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_give_no_more_than_the_budget() {
    let (town, shop, payer, coupon) = square(5).await;
    let node = town.node().await;
    let crowd = town.crowd(16, 10_000).await;
    let results = race(16, |i| {
        let city = if i % 2 == 0 { town.city.clone() } else { node.clone() };
        let who = crowd[i];
        async move { pay(&city, (&shop, &who), &format!("A-{i}"), 3_000, coupon).await }
    });
    let results = results.await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 5);
    assert_eq!(refused_with(&results, "coupon_exhausted"), 11);
    assert_eq!(have(&town, &shop, &payer, coupon).await, [10_000, 15_000, 0]);
    town.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_resident_uses_it_once_on_two_nodes() {
    let (town, shop, payer, coupon) = square(8).await;
    let node = town.node().await;
    let results = race(8, |i| {
        let city = if i % 2 == 0 { town.city.clone() } else { node.clone() };
        async move { pay(&city, (&shop, &payer), &format!("A-{i}"), 3_000, coupon).await }
    });
    let results = results.await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
    assert_eq!(refused_with(&results, "coupon_used"), 7);
    assert_eq!(have(&town, &shop, &payer, coupon).await, [7_500, 3_000, 3_500]);
    town.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_payment_sent_many_times_is_one() {
    let (town, shop, payer, coupon) = square(8).await;
    let node = town.node().await;
    let results = race(8, |i| {
        let city = if i % 2 == 0 { town.city.clone() } else { node.clone() };
        async move { pay(&city, (&shop, &payer), "A-1", 3_000, coupon).await }
    });
    let paid: Vec<_> = results.await.into_iter().map(|paid| paid.expect("paid")).collect();
    assert!(paid.iter().all(|p| (p.payment, p.coupon) == (paid[0].payment, paid[0].coupon)));
    assert_eq!(paid.iter().filter(|p| !p.repeated).count(), 1);
    assert_eq!(have(&town, &shop, &payer, coupon).await, [7_500, 3_000, 3_500]);
    town.assert_conserved().await;
}
