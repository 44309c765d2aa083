//! The caps: for one bill, for a month, raised and lowered in its midst.

use city::mandate::{self, Change, RunState, Terms, When};

use crate::common::{PIN, Town, code};
use crate::power_bills::{POWER, bills, march};
use crate::{made, payer, run, state, terms, work};

fn now() -> Terms {
    Terms { pay: When::AtOnce, notice_days: 0, ..terms() }
}

#[tokio::test]
async fn a_month_is_a_ledger_account() {
    let town = Town::new().await;
    let who = payer(&town, "13800000001", 500_000).await;
    let rows = [(POWER[0], "B1", "300.01"), (POWER[0], "B2", "300.00"), (POWER[0], "B3", "250.00")];
    let all: Vec<_> = bills(&town, &rows).await.into_iter().map(|view| view.bill.id).collect();
    let mandate = made(&town, &who, "k", now()).await;
    work(&town).await;
    let large = run(&town, &who, &mandate, all[0]).await.expect("a run");
    assert_eq!((large.state, large.reason.as_deref()), (RunState::Refused, Some("mandate_cap_bill")));
    let mut rest = Vec::new();
    for bill in &all[1..] {
        rest.push(run(&town, &who, &mandate, *bill).await.expect("a run"));
    }
    rest.sort_by_key(|run| run.state == RunState::Refused);
    assert_eq!(rest[0].state, RunState::Debited);
    assert_eq!(rest[1].reason.as_deref(), Some("mandate_cap_reached"), "both are above ¥500");
    town.assert_conserved().await;
    // A new month has a cap of its own.
    town.clock.set("2026-04-01T01:00:00Z".parse().expect("a time"));
    assert_eq!(mandate::left(&town.city, &mandate).await, Ok(50_000));
}

#[tokio::test]
async fn raised_and_lowered_in_its_midst() {
    let town = Town::new().await;
    let who = payer(&town, "13800000001", 500_000).await;
    let mandate = made(&town, &who, "k", now()).await;
    let first = bills(&town, &[(POWER[0], "B1", "300.00")]).await[0].bill.id;
    march(&town, 3, 9, 0);
    work(&town).await;
    assert_eq!(state(&town, &who, &mandate, first).await, Some(RunState::Debited));
    let set = async |cap_bill, cap_month| {
        let change = Change { cap_bill: Some(cap_bill), cap_month: Some(cap_month), ..Change::default() };
        mandate::change(&town.city, &who, mandate.id, change, Some(PIN)).await.expect("changed")
    };
    for (cap_bill, cap_month, left) in
        [(10_000, 40_000, 10_000), (10_000, 20_000, 0), (10_000, 35_000, 5_000), (30_000, 60_000, 30_000)]
    {
        let changed = set(cap_bill, cap_month).await;
        assert_eq!(mandate::left(&town.city, &changed).await, Ok(left), "of {cap_month}, 30000 are drawn");
        let other = town.node().await;
        assert_eq!(mandate::left(&other, &changed).await, Ok(left), "as another node sees it");
    }
    let change = Change { cap_month: Some(1), ..Change::default() };
    for (pin, refused) in [(None, "mandate_malformed"), (Some(PIN), "mandate_malformed")] {
        assert_eq!(code(mandate::change(&town.city, &who, mandate.id, change.clone(), pin).await), refused);
    }
    let change = Change { cap_month: Some(90_000), ..Change::default() };
    assert_eq!(code(mandate::change(&town.city, &who, mandate.id, change, None).await), "pin_required");
    assert_eq!(mandate::left(&town.city, &mandate).await, Ok(30_000), "what is refused changes nothing");
    town.clock.set("2026-05-04T01:00:00Z".parse().expect("a time"));
    assert_eq!(mandate::left(&town.city, &mandate).await, Ok(60_000));
    town.assert_conserved().await;
}
