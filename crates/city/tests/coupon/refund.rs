//! Refunds of what was paid with a coupon: it never becomes money.

use city::coupon;
use city::identity;
use city::trade::{self, Refund, Status};

use crate::common::{code, race};
use crate::{campaign, have, pay, square, wanted};

fn part(minor: i64, refund_no: &str) -> Refund {
    Refund { order_no: "A-1".to_owned(), refund_no: refund_no.to_owned(), amount: kernel::Money::fen(minor) }
}

#[tokio::test]
async fn parts_give_the_campaign_its_share_to_the_last_fen() {
    for parts in [&[3_000][..], &[1, 1_499, 1_500], &[1_000, 1_000, 1_000], &[5, 7, 2_988]] {
        let (town, shop, payer, coupon) = square(1).await;
        let (_, allowance) = identity::cap_left(&town.city, payer.id, payer.tier).await.expect("a cap");
        pay(&town.city, (&shop, &payer), "A-1", 3_000, coupon).await.expect("paid");
        let mut before = 0;
        for (i, minor) in parts.iter().enumerate() {
            let refund = part(*minor, &format!("R-{i}"));
            trade::refund(&town.city, &shop, refund.clone()).await.expect("refunded");
            before += minor;
            let share = 500 * before / 3_000;
            assert_eq!(
                have(&town, &shop, &payer, coupon).await,
                [7_500 + before - share, 3_000 - before, share],
                "{parts:?} {i}"
            );
            // The same again is the same, and moves nothing.
            let again = trade::refund(&town.city, &shop, refund).await.expect("known");
            assert!(again.repeated);
            assert_eq!(have(&town, &shop, &payer, coupon).await[2], share);
        }
        assert_eq!(have(&town, &shop, &payer, coupon).await, [10_000, 0, 500]);
        let (_, left) = identity::cap_left(&town.city, payer.id, payer.tier).await.expect("a cap");
        assert_eq!(left, allowance, "the allowance came back as it was drawn");
        assert_eq!(code(trade::refund(&town.city, &shop, part(1, "R")).await), "refund_exceeds_paid");
        assert_eq!(code(pay(&town.city, (&shop, &payer), "A-2", 3_000, coupon).await), "coupon_used");
        town.assert_conserved().await;
    }
}

#[tokio::test]
async fn a_cancellation_after_a_part_brings_back_the_rest() {
    let (town, shop, payer, coupon) = square(1).await;
    pay(&town.city, (&shop, &payer), "A-1", 3_000, coupon).await.expect("paid");
    trade::refund(&town.city, &shop, part(1_001, "R-1")).await.expect("a part");
    let cancelled = trade::cancel(&town.city, &shop, "A-1").await.expect("cancelled");
    assert_eq!(cancelled.status, Status::Refunded);
    assert_eq!(have(&town, &shop, &payer, coupon).await, [10_000, 0, 500]);
    town.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn refunds_at_the_same_moment_lose_no_fen() {
    let (town, shop, payer, coupon) = square(1).await;
    pay(&town.city, (&shop, &payer), "A-1", 3_000, coupon).await.expect("paid");
    let node = town.node().await;
    let results = race(10, |i| {
        let city = if i % 2 == 0 { town.city.clone() } else { node.clone() };
        async move { trade::refund(&city, &shop, part(299, &format!("R-{i}"))).await }
    });
    for (i, result) in results.await.into_iter().enumerate() {
        result.unwrap_or_else(|why| panic!("{i}: {why}"));
    }
    let share = 500 * 2_990 / 3_000;
    assert_eq!(have(&town, &shop, &payer, coupon).await, [7_500 + 2_990 - share, 10, share]);
    trade::cancel(&town.city, &shop, "A-1").await.expect("the rest");
    assert_eq!(have(&town, &shop, &payer, coupon).await, [10_000, 0, 500]);
    town.assert_conserved().await;
}

#[tokio::test]
async fn what_comes_back_after_the_end_is_returned_by_ending_again() {
    let (town, shop, payer, coupon) = square(2).await;
    pay(&town.city, (&shop, &payer), "A-1", 3_000, coupon).await.expect("paid");
    let (standing, returned) = coupon::end(&town.city, &town.operator, coupon).await.expect("ended");
    assert_eq!((standing.left, returned), (town.money(0), town.money(500)));
    trade::refund(&town.city, &shop, part(3_000, "R-1")).await.expect("refunded");
    assert_eq!(have(&town, &shop, &payer, coupon).await, [10_000, 0, 500]);
    let (standing, returned) = coupon::end(&town.city, &town.operator, coupon).await.expect("again");
    assert_eq!((standing.left, returned), (town.money(0), town.money(500)));
    let (_, returned) = coupon::end(&town.city, &town.operator, coupon).await.expect("and again");
    assert_eq!(returned, town.money(0));
    town.assert_conserved().await;
}

#[tokio::test]
async fn without_a_coupon_nothing_is_taken_back() {
    let (town, shop, payer, coupon) = square(1).await;
    campaign(&town, "other", &wanted(&town, 500)).await;
    pay(&town.city, (&shop, &payer), "A-1", 3_000, None).await.expect("paid");
    trade::refund(&town.city, &shop, part(3_000, "R-1")).await.expect("refunded");
    assert_eq!(have(&town, &shop, &payer, coupon).await, [10_000, 0, 500]);
}
