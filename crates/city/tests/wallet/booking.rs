//! Deposits and withdrawals: booked once by the bank's reference, by an operator.

use city::books;
use city::identity::{Operator, Role};
use city::wallet::{self, rules};
use kernel::OsRng;
use kernel::ids::ResidentId;

use crate::common::{Town, code, monday, race};

#[tokio::test]
async fn the_banks_reference_books_once() {
    let town = Town::new().await;
    let (ming, hua) = (town.resident("13800001111").await, town.resident("13800002222").await);
    let (city, by) = (&town.city, &town.operator);
    let first = wallet::deposit(city, by, ming.id, town.money(500), "ICBC-1").await.expect("booked");
    let again = wallet::deposit(city, by, ming.id, town.money(500), "ICBC-1").await.expect("known");
    assert_eq!(
        (again.payment, again.at, first.repeated, again.repeated),
        (first.payment, first.at, false, true)
    );
    assert_eq!(
        code(wallet::deposit(city, by, ming.id, town.money(501), "ICBC-1").await),
        "idempotency_key_used"
    );
    assert_eq!(
        code(wallet::deposit(city, by, hua.id, town.money(500), "ICBC-1").await),
        "idempotency_key_used"
    );

    // A reference of a withdrawal is another thing than one of a deposit.
    let out = wallet::withdraw(city, by, ming.id, town.money(200), "ICBC-1").await.expect("booked");
    assert!(wallet::withdraw(city, by, ming.id, town.money(200), "ICBC-1").await.expect("known").repeated);
    assert_ne!(out.payment, first.payment);
    assert_eq!(
        code(wallet::withdraw(city, by, ming.id, town.money(201), "ICBC-1").await),
        "idempotency_key_used"
    );
    assert_eq!(
        code(wallet::withdraw(city, by, hua.id, town.money(200), "ICBC-1").await),
        "idempotency_key_used"
    );
    assert_eq!(town.available(books::wallet(ming.id)).await, 300);
    assert_eq!(town.available(books::wallet(hua.id)).await, 0);
    town.assert_conserved().await;
}

#[tokio::test]
async fn what_is_refused_books_nothing() {
    let town = Town::new().await;
    let ming = town.rich("13800001111", 100).await;
    let nobody = ResidentId::new(monday(), &OsRng);
    let admin = town.operator;
    let viewer = Operator { role: Role::Viewer, ..admin };
    let long = "9".repeat(65);
    for (by, who, minor, reference, wanted) in [
        (&viewer, ming.id, 1, "r", "forbidden"),
        (&admin, ming.id, 0, "r", "amount_unacceptable"),
        (&admin, ming.id, -1, "r", "amount_unacceptable"),
        (&admin, ming.id, rules::AMOUNT_MAX + 1, "r", "amount_unacceptable"),
        (&admin, ming.id, 1, "", "reference_malformed"),
        (&admin, ming.id, 1, "a b", "reference_malformed"),
        (&admin, ming.id, 1, "回单", "reference_malformed"),
        (&admin, ming.id, 1, &long, "reference_malformed"),
        (&admin, nobody, 1, "r", "resident_unknown"),
    ] {
        let amount = town.money(minor);
        assert_eq!(
            code(wallet::deposit(&town.city, by, who, amount, reference).await),
            wanted,
            "{reference}"
        );
        assert_eq!(
            code(wallet::withdraw(&town.city, by, who, amount, reference).await),
            wanted,
            "{reference}"
        );
    }
    let too_much = wallet::withdraw(&town.city, &admin, ming.id, town.money(101), "r").await;
    assert_eq!(code(too_much), "insufficient_balance");
    wallet::deposit(&town.city, &admin, ming.id, town.money(1), "r").await.expect("booked");
    wallet::withdraw(&town.city, &admin, ming.id, town.money(101), "r")
        .await
        .expect("the same reference again");
    let clerk = Operator { role: Role::Staff, ..admin };
    wallet::deposit(&town.city, &clerk, ming.id, town.money(1), "by-clerk").await.expect("staff books");
    town.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawals_at_once_never_overdraw() {
    let town = Town::new().await;
    let ming = town.rich("13800001111", 1_000).await;
    let ends = race(300, |n| {
        let (city, by) = (town.city.clone(), town.operator);
        let amount = town.money(10);
        // Every reference three times.
        async move { wallet::withdraw(&city, &by, ming.id, amount, &format!("out-{}", n % 150)).await }
    })
    .await;
    assert_eq!(ends.iter().filter(|end| end.as_ref().is_ok_and(|m| !m.repeated)).count(), 100);
    assert_eq!(town.available(books::wallet(ming.id)).await, 0);
    town.assert_conserved().await;
}
