//! The pay PIN: set, changed, locked, unlocked, and never guessed faster than five tries.

use city::identity;

use crate::common::{PIN, Town, code, race, refused_with};

const PHONE: &str = "13800001111";
const OTHER: &str = "246813";

/// An amount that needs the PIN.
const MUCH: i64 = 100_001;

#[tokio::test]
async fn the_first_pin() {
    let town = Town::new().await;
    let who = town.resident(PHONE).await;
    for bad in ["", "12345", "1234567", "111111", "345678", "987654", "13579a", "１３５７９０"] {
        assert_eq!(code(identity::set_first_pin(&town.city, &who, bad).await), "pin_unacceptable", "{bad}");
    }
    let need = |pin| identity::require_pin(&town.city, &who, MUCH, pin);
    assert_eq!(code(need(Some(PIN)).await), "pin_not_set");
    assert_eq!(code(need(None).await), "pin_required");
    identity::set_first_pin(&town.city, &who, PIN).await.expect("set");
    assert_eq!(code(identity::set_first_pin(&town.city, &who, OTHER).await), "pin_exists");
    need(Some(PIN)).await.expect("the right one");
    identity::require_pin(&town.city, &who, MUCH - 1, None).await.expect("small amounts need none");
    assert!(identity::profile(&town.city, &who).await.expect("a profile").has_pin);
}

#[tokio::test]
async fn a_missing_pin_is_asked_for_however_often() {
    let town = Town::new().await;
    let who = town.resident(PHONE).await;
    for _ in 0..10 {
        assert_eq!(code(identity::require_pin(&town.city, &who, MUCH, Some(PIN)).await), "pin_not_set");
    }
    identity::set_first_pin(&town.city, &who, PIN).await.expect("not locked by tries at nothing");
    identity::require_pin(&town.city, &who, MUCH, Some(PIN)).await.expect("right");
}

#[tokio::test]
async fn changing_needs_the_old_one() {
    let town = Town::new().await;
    let who = town.resident(PHONE).await;
    assert_eq!(code(identity::change_pin(&town.city, &who, PIN, OTHER).await), "pin_not_set");
    town.pin(&who).await;
    assert_eq!(code(identity::change_pin(&town.city, &who, PIN, "000000").await), "pin_unacceptable");
    assert_eq!(code(identity::change_pin(&town.city, &who, OTHER, "975311").await), "pin_wrong");
    identity::change_pin(&town.city, &who, PIN, OTHER).await.expect("changed");
    assert_eq!(code(identity::require_pin(&town.city, &who, MUCH, Some(PIN)).await), "pin_wrong");
    identity::require_pin(&town.city, &who, MUCH, Some(OTHER)).await.expect("the new one");
}

#[tokio::test]
async fn five_wrong_lock_and_a_one_time_code_unlocks() {
    let town = Town::new().await;
    let who = town.resident(PHONE).await;
    town.pin(&who).await;
    // A right one in between forgets the wrong ones.
    for tries in [4, 5] {
        for n in 1..=tries {
            let wanted = if n == 5 { "pin_locked" } else { "pin_wrong" };
            assert_eq!(code(identity::require_pin(&town.city, &who, MUCH, Some(OTHER)).await), wanted, "{n}");
        }
        if tries == 4 {
            identity::require_pin(&town.city, &who, MUCH, Some(PIN)).await.expect("still open");
        }
    }
    assert_eq!(code(identity::require_pin(&town.city, &who, MUCH, Some(PIN)).await), "pin_locked");
    assert_eq!(code(identity::change_pin(&town.city, &who, PIN, OTHER).await), "pin_locked");
    assert!(identity::profile(&town.city, &who).await.expect("a profile").pin_locked);

    assert_eq!(code(identity::reset_pin(&town.city, &who, "000000", OTHER).await), "code_gone");
    town.pass(60);
    identity::request_code(&town.city, PHONE).await.expect("a code");
    let sent = town.code_sent_to(PHONE);
    assert_eq!(code(identity::reset_pin(&town.city, &who, &sent, "111111").await), "pin_unacceptable");
    let wrong = if sent == "000000" { "000001" } else { "000000" };
    assert_eq!(code(identity::reset_pin(&town.city, &who, wrong, OTHER).await), "code_wrong");
    identity::reset_pin(&town.city, &who, &sent, OTHER).await.expect("unlocked");
    assert_eq!(code(identity::reset_pin(&town.city, &who, &sent, PIN).await), "code_gone");
    identity::require_pin(&town.city, &who, MUCH, Some(OTHER)).await.expect("the new one");
    assert!(!identity::profile(&town.city, &who).await.expect("a profile").pin_locked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_wrong_pins_at_once_are_five_tries() {
    let town = Town::new().await;
    let who = town.resident(PHONE).await;
    town.pin(&who).await;
    let ends = race(100, |_| {
        let city = town.city.clone();
        async move { identity::require_pin(&city, &who, MUCH, Some(OTHER)).await }
    })
    .await;
    // Whoever is refused as wrong was compared; the fifth is told that the PIN is locked now.
    assert!(refused_with(&ends, "pin_wrong") <= 4);
    assert_eq!(refused_with(&ends, "pin_wrong") + refused_with(&ends, "pin_locked"), 100);
    assert_eq!(code(identity::require_pin(&town.city, &who, MUCH, Some(PIN)).await), "pin_locked");
}
