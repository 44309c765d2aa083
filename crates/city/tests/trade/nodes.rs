//! Two nodes on the same engines: a trade is one trade, wherever it is asked about.

use city::trade::{self, Status};

use crate::common::{PIN, code};
use crate::{charge, order, scan, square, waiting};

#[tokio::test]
async fn a_wait_begun_elsewhere_is_known_here() {
    let (town, shop, payer, phone) = square().await;
    town.pin(&payer).await;
    let node = town.node().await;
    // This node knows the order from before it waited.
    order(&town, &shop, "A-1", 200_000).await;
    assert_eq!(trade::query(&town.city, &shop, "A-1").await.expect("a trade").status, Status::Open);
    assert_eq!(trade::query(&node, &shop, "A-1").await.expect("a trade").status, Status::Open);
    // Late in its quarter of an hour, so that waiting gives it more time than it had.
    town.pass(890);
    let order = waiting(charge(&node, &shop, "A-1", 200_000, &phone.code()).await);
    assert_eq!(trade::query(&town.city, &shop, "A-1").await.expect("a trade").status, Status::Waiting);
    town.pass(100);
    assert_eq!(trade::query(&town.city, &shop, "A-1").await.expect("a trade").status, Status::Waiting);
    trade::confirm(&town.city, &payer, order.id, PIN).await.expect("paid here");
    assert_eq!(trade::query(&node, &shop, "A-1").await.expect("a trade").status, Status::Paid);
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_node_that_knew_the_order_does_not_close_it_early() {
    let (town, shop, payer, phone) = square().await;
    let node = town.node().await;
    let qr = order(&town, &shop, "A-1", 200_000).await;
    town.pass(890);
    waiting(charge(&node, &shop, "A-1", 200_000, &phone.code()).await);
    town.pass(20);
    // Its memory says that the time is over; the table says that it waits.
    assert_eq!(code(scan(&town.city, &payer, &qr, "k").await), "pin_required");
    assert_eq!(trade::query(&town.city, &shop, "A-1").await.expect("a trade").status, Status::Waiting);
}

#[tokio::test]
async fn what_one_node_closed_the_other_does_not_pay() {
    let (town, shop, payer, _) = square().await;
    let node = town.node().await;
    let qr = order(&town, &shop, "A-1", 100).await;
    trade::cancel(&node, &shop, "A-1").await.expect("closed");
    assert_eq!(code(scan(&town.city, &payer, &qr, "k").await), "trade_closed");
    assert_eq!(trade::query(&town.city, &shop, "A-1").await.expect("a trade").status, Status::Closed);
}
