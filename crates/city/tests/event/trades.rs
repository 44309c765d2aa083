//! Real trades, as the trade slice makes them, are told with the shop's own order number.

use city::event::{self, EventType};
use city::trade::{self, Precreate};

use crate::Node;
use crate::common::Town;

#[tokio::test]
async fn paid_refunded_and_closed() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let (city, shop) = (&node.city, town.shop("s-1").await);
    let till = city::merchant::add_till(city, &shop, "1").await.expect("a till").id;
    let payer = town.rich("13800001111", 100_000).await;
    let mut stream = event::subscribe(city, &shop, None).expect("a stream");
    let order = |order_no: &str| Precreate {
        order_no: order_no.to_owned(),
        amount: town.money(1250),
        subject: Some("豆浆 油条".to_owned()),
        till: Some(till),
        expires_in_s: None,
    };
    let made = trade::precreate(city, &shop, order("A-1")).await.expect("an order");
    let pay = trade::Pay { code: made.qr, amount: None, pin: None, coupon: None, key: "k-1".into() };
    trade::pay(city, &payer, pay).await.expect("paid");
    let refund = trade::Refund { order_no: "A-1".into(), refund_no: "R-1".into(), amount: town.money(250) };
    let refunded = trade::refund(city, &shop, refund).await.expect("refunded");
    trade::precreate(city, &shop, order("A-2")).await.expect("an order");
    trade::cancel(city, &shop, "A-2").await.expect("closed");
    for (kind, order_no, minor) in [
        (EventType::Paid, "A-1", Some(1250)),
        (EventType::Refunded, "A-1", Some(250)),
        (EventType::Closed, "A-2", None),
    ] {
        let (_, message) = stream.next().await.expect("no fault").expect("an event");
        assert_eq!((message.kind, message.data.order_no.as_deref()), (kind, Some(order_no)));
        assert_eq!((message.data.trade, message.data.till), (trade::id_of(shop.id, order_no), Some(till)));
        assert_eq!(message.data.amount.map(|m| m.minor), minor);
        assert_eq!(message.data.refund, (kind == EventType::Refunded).then_some(refunded.refund));
        let text = serde_json::to_string(&message).expect("JSON");
        assert!(!text.contains(&payer.id.to_string()), "who paid is nobody's business: {text}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_trade_closed_after_a_failed_try_is_told_by_its_own_id() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let (city, shop) = (&node.city, town.shop("s-1").await);
    let poor = town.rich("13800001111", 100).await;
    let mut stream = event::subscribe(city, &shop, None).expect("a stream");
    let order = Precreate {
        order_no: "A-1".to_owned(),
        amount: town.money(1250),
        subject: None,
        till: None,
        expires_in_s: None,
    };
    let made = trade::precreate(city, &shop, order).await.expect("an order");
    let pay = trade::Pay { code: made.qr, amount: None, pin: None, coupon: None, key: "k-1".into() };
    trade::pay(city, &poor, pay).await.expect_err("too little");
    trade::cancel(city, &shop, "A-1").await.expect("closed");
    let (_, message) = stream.next().await.expect("no fault").expect("an event");
    assert_eq!(message.kind, EventType::Closed);
    assert_eq!((message.data.trade, message.data.order_no.as_deref()), (made.order.id, Some("A-1")));
    node.stop().await;
}
