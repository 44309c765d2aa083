//! At the same moment: two nodes, a person and a mandate, two bills and one cap, a revocation and a debit; and a crash
//! between the payment and its record.

use city::books;
use city::mandate::{self, RunState, Terms, When};

use crate::common::{Town, race};
use crate::power_bills::{POWER, bills, march, pay};
use crate::{is_paid, made, payer, run, state, terms, work};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_on_the_same_day() {
    let town = Town::new().await;
    let who = payer(&town, "13800000001", 500_000).await;
    let rows: Vec<(String, &str)> = (0..8).map(|i| (format!("B{i}"), "10.00")).collect();
    let rows: Vec<(&str, &str, &str)> = rows.iter().map(|(n, yuan)| (POWER[0], n.as_str(), *yuan)).collect();
    let all = bills(&town, &rows).await;
    let mandate = made(&town, &who, "k", Terms { notice_days: 0, pay: When::AtOnce, ..terms() }).await;
    let nodes = [town.city.clone(), town.node().await, town.node().await];
    race(3, |i| {
        let node = nodes[i].clone();
        async move { mandate::work(&node).await.expect("it works") }
    })
    .await;
    work(&town).await;
    for view in &all {
        assert_eq!(state(&town, &who, &mandate, view.bill.id).await, Some(RunState::Debited));
    }
    assert_eq!(town.available(books::wallet(who.id)).await, 492_000, "each once");
    assert_eq!(mandate::left(&town.city, &mandate).await, Ok(42_000));
    town.assert_conserved().await;
}

/// Ten bills of ¥100 by two mandates of ¥500 and ¥300 in the month: eight at most, and no fen more.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_cap_holds_whatever_comes_at_once() {
    let town = Town::new().await;
    let who = payer(&town, "13800000001", 500_000).await;
    let numbers: Vec<String> = (0..10).map(|i| format!("B{i}")).collect();
    let rows: Vec<(&str, &str, &str)> = numbers.iter().map(|n| (POWER[0], n.as_str(), "100.00")).collect();
    bills(&town, &rows).await;
    let now = Terms { notice_days: 0, pay: When::AtOnce, ..terms() };
    let mandates = [
        made(&town, &who, "a", now.clone()).await,
        made(&town, &who, "b", Terms { cap_month: 30_000, ..now }).await,
    ];
    let nodes = [town.city.clone(), town.node().await];
    race(2, |i| {
        let node = nodes[i].clone();
        async move { mandate::work(&node).await.expect("it works") }
    })
    .await;
    work(&town).await;
    let mut debited = 0;
    for (mandate, cap) in mandates.iter().zip([50_000, 30_000]) {
        let runs = mandate::runs(&town.city, &who, mandate.id, None, 200).await.expect("runs");
        let own = runs.iter().filter(|run| run.state == RunState::Debited).count();
        let left = mandate::left(&town.city, mandate).await.expect("an answer");
        assert_eq!(i64::try_from(own).expect("few") * 10_000, cap - left);
        debited += own;
    }
    assert!(debited <= 8, "{debited}");
    let spent = 500_000 - town.available(books::wallet(who.id)).await;
    assert_eq!(spent, i64::try_from(debited).expect("few") * 10_000);
    town.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_person_and_a_mandate_pay_at_once() {
    let town = Town::new().await;
    let who = payer(&town, "13800000001", 500_000).await;
    let other = town.rich("13800000002", 500_000).await;
    let bill = bills(&town, &[(POWER[0], "B1", "100.00")]).await[0].bill.id;
    let mandate = made(&town, &who, "k", terms()).await;
    work(&town).await;
    march(&town, 22, 9, 0);
    let (_, by_hand) = tokio::join!(mandate::work(&town.city), pay(&town, &other, bill));
    work(&town).await;
    let state = state(&town, &who, &mandate, bill).await.expect("a run");
    let wanted = if by_hand.is_ok() { RunState::PaidOtherwise } else { RunState::Debited };
    assert_eq!(state, wanted);
    let spent = [&who, &other].map(|r| books::wallet(r.id));
    let left = town.available(spent[0]).await + town.available(spent[1]).await;
    assert_eq!(left, 990_000, "paid once");
    assert_eq!(mandate::left(&town.city, &mandate).await, Ok(if by_hand.is_ok() { 50_000 } else { 40_000 }));
}

/// The node is held up in the midst of the debit; the resident revokes. What was begun is finished, and nothing is begun
/// afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn revoked_during_a_debit() {
    let town = Town::new().await;
    let who = payer(&town, "13800000001", 500_000).await;
    let bill = bills(&town, &[(POWER[0], "B1", "100.00")]).await[0].bill.id;
    let mandate = made(&town, &who, "k", terms()).await;
    work(&town).await;
    march(&town, 22, 9, 0);
    let (held, gate) = town.node_that_is_held_up().await;
    gate.close().await;
    let works = tokio::spawn(async move { mandate::work(&held).await });
    gate.somebody_waits().await;
    mandate::revoke(&town.city, &who, mandate.id).await.expect("revoked");
    let refused = mandate::skip(&town.city, &who, mandate.id, bill).await;
    assert_eq!(crate::common::code(refused), "mandate_run_under_way");
    gate.open();
    works.await.expect("no panic").expect("it works");
    assert_eq!(state(&town, &who, &mandate, bill).await, Some(RunState::Debited));
    let next = bills(&town, &[(POWER[0], "B2", "100.00")]).await[0].bill.id;
    march(&town, 25, 9, 0);
    work(&town).await;
    assert!(is_paid(&town, bill).await && !is_paid(&town, next).await);
}

/// The answer of the ledger is lost, and the node with it: another takes the job up when its lease has run out, and
/// finds its own payment.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crash_after_the_payment() {
    let town = Town::new().await;
    let who = payer(&town, "13800000001", 500_000).await;
    let bill = bills(&town, &[(POWER[0], "B1", "100.00")]).await[0].bill.id;
    let mandate = made(&town, &who, "k", terms()).await;
    work(&town).await;
    march(&town, 22, 9, 0);
    let (held, gate) = town.node_that_is_held_up().await;
    gate.close().await;
    let works = tokio::spawn(async move { mandate::work(&held).await });
    gate.somebody_waits().await;
    works.abort();
    assert!(works.await.is_err(), "it crashed");
    assert_eq!(state(&town, &who, &mandate, bill).await, Some(RunState::Debiting));
    work(&town).await;
    assert!(!is_paid(&town, bill).await, "its lease has not run out");
    town.pass(301);
    work(&town).await;
    let done = run(&town, &who, &mandate, bill).await.expect("a run");
    assert_eq!(done.state, RunState::Debited);
    assert_eq!(town.available(books::wallet(who.id)).await, 490_000);
}
