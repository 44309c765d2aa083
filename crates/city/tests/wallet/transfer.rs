//! Money to another resident: once per key, within balance and allowance, by phone or personal code.

use city::City;
use city::books;
use city::identity::{Resident, Tier};
use city::wallet::{self, Moved, Payee, WalletError, rules};
use kernel::ids::ResidentId;
use kernel::{Money, OsRng};

use crate::common::{PIN, Town, code, monday, race, refused_with};

const HUA: &str = "13800002222";

fn phone(phone: &str) -> Payee {
    Payee::Phone(phone.to_owned())
}

async fn send(city: &City, who: &Resident, minor: i64, key: &str) -> Result<Moved, WalletError> {
    let amount = Money::new(minor, city.settings.currency);
    wallet::transfer(city, who, &phone(HUA), amount, key, None).await
}

#[tokio::test]
async fn by_phone_and_by_personal_code() {
    let town = Town::new().await;
    let ming = town.rich("13800001111", 10_000).await;
    let hua = town.resident(HUA).await;
    let open = rules::personal_code(hua.id, None);
    let fixed = rules::personal_code(hua.id, Some(250));
    for (n, (to, minor)) in [
        (phone("+86 138-0000-2222"), 100),
        (Payee::PersonalCode(open), 200),
        (Payee::PersonalCode(fixed), 250),
    ]
    .into_iter()
    .enumerate()
    {
        let (payee, name, _) = wallet::payee(&town.city, &ming, &to).await.expect("a payee");
        assert_eq!((payee, name.as_str()), (hua.id, "**明"));
        let key = format!("key-{n}");
        let moved =
            wallet::transfer(&town.city, &ming, &to, town.money(minor), &key, None).await.expect("sent");
        assert!(!moved.repeated);
        let again =
            wallet::transfer(&town.city, &ming, &to, town.money(minor), &key, None).await.expect("known");
        assert_eq!(again, Moved { repeated: true, ..moved });
    }
    let balance = |who| {
        let city = town.city.clone();
        async move { wallet::balance(&city, &who).await.expect("a balance").available.minor }
    };
    assert_eq!((balance(ming).await, balance(hua).await), (10_000 - 550, 550));
    town.assert_conserved().await;
}

#[tokio::test]
async fn what_is_refused_moves_nothing() {
    let town = Town::new().await;
    let ming = town.rich("13800001111", 1_000_000).await;
    let hua = town.resident(HUA).await;
    town.pin(&ming).await;
    let personal = |text: String| Payee::PersonalCode(text);
    let jpy: kernel::Currency = "JPY".parse().expect("a currency");
    let cny = |minor| town.money(minor);
    let stranger = rules::personal_code(ResidentId::new(monday(), &OsRng), None);
    for (to, amount, pin, wanted) in [
        (phone(HUA), cny(0), None, "amount_unacceptable"),
        (phone(HUA), cny(-1), None, "amount_unacceptable"),
        (phone(HUA), cny(i64::MIN), None, "amount_unacceptable"),
        (phone(HUA), cny(rules::AMOUNT_MAX + 1), None, "amount_unacceptable"),
        (phone(HUA), cny(i64::MAX), None, "amount_unacceptable"),
        (phone(HUA), Money::new(100, jpy), None, "amount_unacceptable"),
        (phone("138"), cny(1), None, "phone_malformed"),
        (phone("13800003333"), cny(1), None, "resident_unknown"),
        (personal(stranger), cny(1), None, "resident_unknown"),
        (personal(format!("yima:{}?amount=x", hua.id)), cny(1), None, "personal_code_malformed"),
        (personal("https://example.org".to_owned()), cny(1), None, "personal_code_malformed"),
        (personal(rules::personal_code(hua.id, Some(100))), cny(101), None, "amount_differs_from_code"),
        (phone("13800001111"), cny(1), None, "payee_is_payer"),
        (personal(rules::personal_code(ming.id, None)), cny(1), None, "payee_is_payer"),
        (phone(HUA), cny(100_001), None, "pin_required"),
        (phone(HUA), cny(100_001), Some("246813"), "pin_wrong"),
        (phone(HUA), cny(1_000_001), Some(PIN), "insufficient_balance"),
    ] {
        let refused = wallet::transfer(&town.city, &ming, &to, amount, "key", pin).await;
        assert_eq!(code(refused), wanted, "{to:?} {amount:?}");
    }
    assert_eq!(town.available(books::wallet(ming.id)).await, 1_000_000);
    assert_eq!(town.available(books::wallet(hua.id)).await, 0);
    wallet::transfer(&town.city, &ming, &phone(HUA), cny(100_001), "key", Some(PIN))
        .await
        .expect("with the PIN");
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_key_names_one_payment() {
    let town = Town::new().await;
    let ming = town.rich("13800001111", 10_000).await;
    town.resident(HUA).await;
    town.resident("13800003333").await;
    send(&town.city, &ming, 100, "key").await.expect("sent");
    assert_eq!(code(send(&town.city, &ming, 101, "key").await), "idempotency_key_used");
    let other =
        wallet::transfer(&town.city, &ming, &phone("13800003333"), town.money(100), "key", None).await;
    assert_eq!(code(other), "idempotency_key_used");
    // The key is the payer's own: another payer may use the same.
    let hua = town.rich("13800004444", 500).await;
    assert!(!send(&town.city, &hua, 100, "key").await.expect("sent").repeated);
    // Known also after a restart, and with an empty wallet.
    send(&town.city, &ming, 9_900, "rest").await.expect("sent");
    let town = town.reopen().await;
    assert!(send(&town.city, &ming, 100, "key").await.expect("known").repeated);
    assert_eq!(town.available(books::wallet(ming.id)).await, 0);
}

#[tokio::test]
async fn a_payment_that_failed_can_succeed_with_its_key() {
    let town = Town::new().await;
    let ming = town.rich("13800001111", 99).await;
    town.resident(HUA).await;
    // However often it is asked for before the money comes.
    for n in 0..40 {
        assert_eq!(code(send(&town.city, &ming, 100, "key").await), "insufficient_balance", "try {n}");
    }
    wallet::deposit(&town.city, &town.operator, ming.id, town.money(1), "top-up").await.expect("booked");
    let moved = send(&town.city, &ming, 100, "key").await.expect("now it is there");
    assert_eq!(send(&town.city, &ming, 100, "key").await.expect("once"), Moved { repeated: true, ..moved });
    assert_eq!(code(send(&town.city, &ming, 99, "key").await), "idempotency_key_used");
    assert_eq!(town.available(books::wallet(ming.id)).await, 0);
    town.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_a_thousand_times_at_once() {
    let town = Town::new().await;
    let ming = town.rich("13800001111", 100_000).await;
    let hua = town.resident(HUA).await;
    let node = town.node().await;
    let ends = race(1_000, |n| {
        let city = if n % 2 == 0 { town.city.clone() } else { node.clone() };
        async move { send(&city, &ming, 100, "key").await }
    })
    .await;
    let moved: Vec<Moved> = ends.into_iter().map(|end| end.expect("the same payment")).collect();
    assert_eq!(moved.iter().filter(|m| !m.repeated).count(), 1);
    assert!(moved.iter().all(|m| (m.payment, m.at) == (moved[0].payment, moved[0].at)));
    assert_eq!(town.available(books::wallet(hua.id)).await, 100);
    town.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_is_never_overdrawn() {
    let town = Town::new().await;
    let ming = town.rich("13800001111", 10_050).await;
    let hua = town.resident(HUA).await;
    let ends = race(1_000, |n| {
        let city = town.city.clone();
        async move { send(&city, &ming, 100, &format!("key-{n}")).await }
    })
    .await;
    assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 100);
    assert_eq!(refused_with(&ends, "insufficient_balance"), 900);
    assert_eq!(town.available(books::wallet(ming.id)).await, 50);
    assert_eq!(town.available(books::wallet(hua.id)).await, 10_000);
    town.assert_conserved().await;
}

/// Top-ups come in while a thousand requests try one key: it moves once, whichever attempt it was.
#[tokio::test(flavor = "multi_thread")]
async fn one_key_against_top_ups() {
    let town = Town::new().await;
    let ming = town.rich("13800001111", 10).await;
    let hua = town.resident(HUA).await;
    let ends = race(1_000, |n| {
        let (city, operator) = (town.city.clone(), town.operator);
        async move {
            if n % 100 == 50 {
                let amount = Money::new(20, city.settings.currency);
                wallet::deposit(&city, &operator, ming.id, amount, &format!("top-{n}")).await
            } else {
                send(&city, &ming, 100, "key").await
            }
        }
    })
    .await;
    for end in &ends {
        if let Err(e) = end {
            assert_eq!(city::Refusal::code(e), "insufficient_balance");
        }
    }
    // 10 + 10 × 20 = 210: enough for one, and for a second if there were one.
    send(&town.city, &ming, 100, "key").await.expect("by now at the latest");
    assert_eq!(town.available(books::wallet(hua.id)).await, 100);
    assert_eq!(town.available(books::wallet(ming.id)).await, 110);
    town.assert_conserved().await;
}

#[tokio::test]
async fn the_allowance_is_refused_by_its_own_name() {
    let town = Town::new().await;
    let ming = town.rich("13800001111", 1_000_000).await;
    town.resident(HUA).await;
    let as_one = Resident { tier: Tier::I, ..ming };
    town.pin(&ming).await;
    let refused =
        wallet::transfer(&town.city, &as_one, &phone(HUA), town.money(100_001), "key", Some(PIN)).await;
    assert_eq!(code(refused), "cap_reached");
}

/// Nobody learns the names of a city by asking for one number after the other, not even at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn unknown_phones_are_told_twenty_times_a_day() {
    let town = Town::new().await;
    let (ming, other) = (town.rich("13800001111", 10_000).await, town.resident("13800003333").await);
    let hua = town.resident(HUA).await;
    for n in 0..30 {
        wallet::payee(&town.city, &ming, &phone(HUA)).await.unwrap_or_else(|e| panic!("{n}: {e}"));
    }
    let answers = race(60, |n| {
        let city = town.city.clone();
        async move { wallet::payee(&city, &ming, &phone(&format!("1370000{n:04}"))).await }
    })
    .await;
    assert_eq!(refused_with(&answers, "resident_unknown"), 20);
    assert_eq!(refused_with(&answers, "too_many_lookups"), 40);
    // A known one is told no more either, nor by way of a transfer; a personal code is.
    assert_eq!(code(wallet::payee(&town.city, &ming, &phone(HUA)).await), "too_many_lookups");
    assert_eq!(code(send(&town.city, &ming, 100, "key").await), "too_many_lookups");
    let shown = Payee::PersonalCode(rules::personal_code(hua.id, None));
    wallet::payee(&town.city, &ming, &shown).await.expect("a payee");
    wallet::payee(&town.city, &other, &phone(HUA)).await.expect("somebody else asks");
    town.pass(14 * 3600);
    wallet::payee(&town.city, &ming, &phone(HUA)).await.expect("midnight is over");
}
