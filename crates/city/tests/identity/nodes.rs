//! Two nodes on the same engines: what one did, the other knows within the stated time.

use std::time::Duration;

use city::City;
use city::identity::{self, OwnerKind, Role, Tier};

use crate::common::{Phone, TILL, Town, code};

/// What a node remembers of sessions, keys and residents, it trusts for this long.
const TRUST_S: u64 = 30;

#[tokio::test]
async fn a_device_added_elsewhere_pays_at_once() {
    let town = Town::new().await;
    let node = town.node().await;
    let who = town.resident("13800001111").await;
    // Right away; when the tables of the hour were never asked for; and when they are ready.
    for wait in [0, 3600, 1] {
        town.pass(wait);
        let phone = town.device(&who).await;
        let payer = identity::resolve_code(&node, &TILL, &phone.code()).await;
        assert_eq!(payer.expect("known after a look at the table").device, phone.device.id, "after {wait} s");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_taken_away_elsewhere_is_felt_in_ten_seconds() {
    let town = Town::new().await;
    let node = town.node().await;
    let who = town.resident("13800001111").await;
    let (lost, kept) = (town.device(&who).await, town.device(&who).await);
    identity::resolve_code(&node, &TILL, &lost.code()).await.expect("learned");
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let tasks = identity::start(&node, &stopped);
    tokio::time::sleep(Duration::from_millis(50)).await;
    identity::revoke_device(&town.city, &who, lost.device.id).await.expect("taken away");
    town.pass(10);
    felt(&node, &lost).await;
    identity::resolve_code(&node, &TILL, &kept.code()).await.expect("the other phone");
    stop.send(true).expect("somebody listens");
    for task in tasks {
        task.await.expect("stops");
    }
}

/// Waits until the node's keeper has come by: it wakes every second of the machine's time.
async fn felt(node: &City, lost: &Phone) {
    for _ in 0..500 {
        if identity::resolve_code(node, &TILL, &lost.code()).await.is_err() {
            assert_eq!(code(identity::resolve_code(node, &TILL, &lost.code()).await), "payment_code_unknown");
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a device taken away still pays");
}

#[tokio::test]
async fn what_was_ended_elsewhere_is_felt_in_half_a_minute() {
    let town = Town::new().await;
    let node = town.node().await;
    identity::request_code(&town.city, "13800001111").await.expect("a code");
    let sent = town.code_sent_to("13800001111");
    let token = identity::sign_in(&town.city, "13800001111", &sent, None).await.expect("signed in").token;
    let key = identity::create_key(&town.city, OwnerKind::Merchant, 7, Role::Staff, None, "till").await;
    let key = key.expect("a key");
    let who = identity::authenticate_resident(&node, &token).await.expect("live on both");
    identity::authenticate_merchant(&node, &key.secret).await.expect("live on both");

    identity::raise_tier(&town.city, &town.operator, who.id, Tier::II).await.expect("raised");
    assert_eq!(identity::authenticate_resident(&town.city, &token).await.expect("live").tier, Tier::II);
    town.pass(TRUST_S);
    assert_eq!(identity::authenticate_resident(&node, &token).await.expect("live").tier, Tier::II);

    identity::authenticate_merchant(&node, &key.secret).await.expect("remembered anew");
    identity::sign_out(&town.city, &who).await.expect("signed out");
    identity::revoke_key(&town.city, 7, key.key.id).await.expect("ended");
    assert_eq!(code(identity::authenticate_resident(&town.city, &token).await), "unauthenticated");
    assert_eq!(code(identity::authenticate_merchant(&town.city, &key.secret).await), "unauthenticated");
    town.pass(TRUST_S);
    assert_eq!(code(identity::authenticate_resident(&node, &token).await), "unauthenticated");
    assert_eq!(code(identity::authenticate_merchant(&node, &key.secret).await), "unauthenticated");
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let town = Town::new().await;
    let who = town.rich("13800001111", 500).await;
    town.pin(&who).await;
    let phone = town.device(&who).await.device;
    let town = town.reopen().await;
    let profile = identity::profile(&town.city, &who).await.expect("a profile");
    assert_eq!((profile.tier, profile.has_pin), (Tier::III, true));
    assert_eq!(identity::devices(&town.city, &who).await.expect("devices"), [phone]);
    assert_eq!(town.available(city::books::wallet(who.id)).await, 500);
}
