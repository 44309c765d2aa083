//! Devices: their codes find their owner until the device is taken away.

use city::identity;
use kernel::OsRng;
use kernel::ids::DeviceId;

use crate::common::{TILL, Town, code, monday, race, refused_with};

#[tokio::test]
async fn a_code_finds_its_payer() {
    let town = Town::new().await;
    let (ming, hua) = (town.resident("13800001111").await, town.resident("13800002222").await);
    let first = town.device(&ming).await;
    town.pass(1);
    let (second, other) = (town.device(&ming).await, town.device(&hua).await);
    for (phone, owner) in [(&first, &ming), (&second, &ming), (&other, &hua)] {
        let payer = identity::resolve_code(&town.city, &TILL, &phone.code()).await.expect("a payer");
        assert_eq!((payer.resident, payer.device), (owner.id, phone.device.id));
    }
    let burn = |text: String| {
        let city = town.city.clone();
        async move { identity::resolve_code(&city, &TILL, &text).await.expect("a payer").burn_id }
    };
    let now = first.code();
    assert_eq!(burn(now.clone()).await, burn(now).await, "one code, one try");
    let before = burn(first.code()).await;
    town.pass(10);
    assert_ne!(before, burn(first.code()).await);
    let names: Vec<_> = identity::devices(&town.city, &ming).await.expect("devices");
    assert_eq!(names, [first.device.clone(), second.device.clone()]);
}

#[tokio::test]
async fn what_is_no_live_code_is_refused() {
    let town = Town::new().await;
    let who = town.resident("13800001111").await;
    let phone = town.device(&who).await;
    for (text, wanted) in [
        ("", "payment_code_length"),
        ("81000000000000000", "payment_code_length"),
        ("8100000000000000000", "payment_code_length"),
        ("81000000000000000x", "payment_code_digits"),
        ("８１００００００００００００００００", "payment_code_digits"),
        ("280000000000000000", "payment_code_prefix"),
        ("810000000000000000", "payment_code_unknown"),
    ] {
        assert_eq!(code(identity::resolve_code(&town.city, &TILL, text).await), wanted, "{text}");
    }
    let shown = phone.code();
    town.pass(69);
    identity::resolve_code(&town.city, &TILL, &shown).await.expect("a minute and a late clock");
    town.pass(1);
    assert_eq!(code(identity::resolve_code(&town.city, &TILL, &shown).await), "payment_code_expired");
    town.pass(300);
    assert_eq!(code(identity::resolve_code(&town.city, &TILL, &shown).await), "payment_code_unknown");
    assert_eq!(code(identity::add_device(&town.city, &who, "").await), "name_malformed");
}

#[tokio::test]
async fn a_device_taken_away_pays_no_more() {
    let town = Town::new().await;
    let (ming, hua) = (town.resident("13800001111").await, town.resident("13800002222").await);
    let (lost, kept) = (town.device(&ming).await, town.device(&ming).await);
    let nobody = DeviceId::new(monday(), &OsRng);
    assert_eq!(code(identity::revoke_device(&town.city, &ming, nobody).await), "device_unknown");
    assert_eq!(code(identity::revoke_device(&town.city, &hua, lost.device.id).await), "device_unknown");
    identity::resolve_code(&town.city, &TILL, &lost.code()).await.expect("still its owner's");
    identity::revoke_device(&town.city, &ming, lost.device.id).await.expect("taken away");
    assert_eq!(code(identity::resolve_code(&town.city, &TILL, &lost.code()).await), "payment_code_unknown");
    assert_eq!(code(identity::revoke_device(&town.city, &ming, lost.device.id).await), "device_unknown");
    identity::resolve_code(&town.city, &TILL, &kept.code()).await.expect("the other phone");
    // Also after a restart.
    let (lost_secret, kept_code) = (lost.secret, kept.code());
    let town = town.reopen().await;
    identity::resolve_code(&town.city, &TILL, &kept_code).await.expect("loaded at start");
    let shown = codes::payment_code::generate(
        &codes::payment_code::DeviceSecret::new(lost_secret),
        u64::try_from(town.city.now().as_secs()).expect("after 1970"),
    );
    assert_eq!(
        code(identity::resolve_code(&town.city, &TILL, &shown.to_string()).await),
        "payment_code_unknown"
    );
}

/// Guesses at once get no more tries than one after the other, also where the table is asked in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guesses_at_once_do_not_pass_the_bound() {
    let town = Town::new().await;
    let answers = race(100, |n| {
        let city = town.city.clone();
        async move { identity::resolve_code(&city, &TILL, &format!("81{n:08}00000000")).await }
    })
    .await;
    assert_eq!(refused_with(&answers, "payment_code_unknown"), 10);
    assert_eq!(refused_with(&answers, "too_many_unknown_codes"), 90);
}

/// A crowd of phones that another node added is no guessing.
#[tokio::test]
async fn known_codes_are_not_counted() {
    let town = Town::new().await;
    let (who, node) = (town.resident("13800001111").await, town.node().await);
    for n in 0..30 {
        let phone = town.device(&who).await;
        let payer = identity::resolve_code(&node, &TILL, &phone.code()).await.expect("a payer");
        assert_eq!(payer.device, phone.device.id, "{n}");
    }
    let expired = town.device(&who).await.code();
    town.pass(70);
    for n in 0..30 {
        let refused = code(identity::resolve_code(&town.city, &TILL, &expired).await);
        assert_eq!(refused, "payment_code_expired", "{n}");
    }
}
