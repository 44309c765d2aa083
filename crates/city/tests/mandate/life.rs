//! A bill is found, told of, debited on its day; or skipped, paid otherwise, refused, given up.

use city::books;
use city::family::{self, FamilyMay};
use city::mandate::{self, RunState, Target, Terms, When};
use city::remind::NoteKind;

use crate::common::{PIN, Town, code};
use crate::power_bills::{POWER, bills, march, pay, power};
use crate::{is_paid, made, payer, run, state, terms, told, work};

#[tokio::test]
async fn found_told_of_and_debited_on_its_day() {
    let town = Town::new().await;
    let who = payer(&town, "13800000001", 200_000).await;
    let bill = bills(&town, &[(POWER[0], "B1", "250.00")]).await[0].bill.id;
    let mandate = made(&town, &who, "k", terms()).await;
    work(&town).await;
    let found = run(&town, &who, &mandate, bill).await.expect("a run");
    assert_eq!((found.state, found.debit_on.to_string()), (RunState::Noticed, "2026-03-22".to_owned()));
    assert_eq!(told(&town, &who).await, [NoteKind::AutopayNotice]);
    march(&town, 22, 8, 59);
    work(&town).await;
    assert!(!is_paid(&town, bill).await, "not before its hour");
    march(&town, 22, 9, 0);
    work(&town).await;
    let done = run(&town, &who, &mandate, bill).await.expect("a run");
    assert_eq!((done.state, done.amount_minor), (RunState::Debited, 25_000));
    assert!(is_paid(&town, bill).await && done.payment.is_some());
    assert_eq!(mandate::left(&town.city, &mandate).await, Ok(25_000));
    for day in 23..30 {
        march(&town, day, 9, 0);
        work(&town).await;
    }
    assert_eq!(town.available(books::wallet(who.id)).await, 175_000, "once");
    town.assert_conserved().await;
}

/// The no-PIN limit of ¥1,000 does not bind a mandate: its cap is what the PIN was given for.
#[tokio::test]
async fn above_the_no_pin_limit() {
    let town = Town::new().await;
    let who = payer(&town, "13800000001", 500_000).await;
    let bill = bills(&town, &[(POWER[0], "B1", "1500.00")]).await[0].bill.id;
    assert_eq!(code(pay(&town, &who, bill).await), "pin_required");
    let terms = Terms { cap_bill: 200_000, cap_month: 200_000, notice_days: 0, pay: When::AtOnce, ..terms() };
    for (pin, refused) in [(None, "pin_required"), (Some("246801"), "pin_wrong")] {
        let refusal = mandate::create(&town.city, &who, "k", terms.clone(), pin).await;
        assert_eq!(code(refusal), refused);
    }
    let mandate = made(&town, &who, "k", terms).await;
    work(&town).await;
    assert_eq!(state(&town, &who, &mandate, bill).await, Some(RunState::Debited));
}

#[tokio::test]
async fn skipped_once_paid_otherwise_paused_revoked() {
    let town = Town::new().await;
    let who = payer(&town, "13800000001", 500_000).await;
    let rows = [(POWER[0], "B1", "10.00"), (POWER[0], "B2", "20.00"), (POWER[0], "B3", "30.00")];
    let all: Vec<_> = bills(&town, &rows).await.into_iter().map(|view| view.bill.id).collect();
    let mandate = made(&town, &who, "k", terms()).await;
    work(&town).await;
    for _ in 0..2 {
        let skipped = mandate::skip(&town.city, &who, mandate.id, all[0]).await.expect("skipped");
        assert_eq!(skipped.state, RunState::Skipped);
    }
    pay(&town, &who, all[1]).await.expect("paid by hand");
    mandate::pause(&town.city, &who, mandate.id).await.expect("paused");
    march(&town, 22, 9, 0);
    work(&town).await;
    assert!(!is_paid(&town, all[2]).await, "it rests");
    mandate::resume(&town.city, &who, mandate.id).await.expect("resumed");
    march(&town, 23, 9, 0);
    work(&town).await;
    let mut states = Vec::new();
    for bill in &all {
        states.push(state(&town, &who, &mandate, *bill).await.expect("a run"));
    }
    assert_eq!(states, [RunState::Skipped, RunState::PaidOtherwise, RunState::Debited]);
    assert_eq!(code(mandate::skip(&town.city, &who, mandate.id, all[2]).await), "mandate_run_final");
    assert_eq!(town.available(books::wallet(who.id)).await, 495_000);

    let late = bills(&town, &[(POWER[0], "B4", "40.00")]).await[0].bill.id;
    march(&town, 24, 9, 0);
    work(&town).await;
    assert_eq!(state(&town, &who, &mandate, late).await, Some(RunState::Noticed));
    for _ in 0..2 {
        mandate::revoke(&town.city, &who, mandate.id).await.expect("revoked");
    }
    march(&town, 28, 9, 0);
    work(&town).await;
    let ended = run(&town, &who, &mandate, late).await.expect("a run");
    assert_eq!((ended.state, ended.reason.as_deref()), (RunState::Ended, Some("mandate_revoked")));
    assert!(!is_paid(&town, late).await);
    assert_eq!(code(mandate::resume(&town.city, &who, mandate.id).await), "mandate_revoked");
}

/// Without money: tried again after one, three and seven days, told each time, then given up. What stands in the way is
/// gone: paid at the next try.
#[tokio::test]
async fn refused_retried_given_up() {
    let town = Town::new().await;
    let who = payer(&town, "13800000001", 500).await;
    let bill = bills(&town, &[(POWER[0], "B1", "100.00")]).await[0].bill.id;
    let now = Terms { pay: When::AtOnce, notice_days: 1, ..terms() };
    let mandate = made(&town, &who, "k", now).await;
    work(&town).await;
    let mut seen = Vec::new();
    for day in 3..12 {
        march(&town, day, 9, 0);
        work(&town).await;
        let run = run(&town, &who, &mandate, bill).await.expect("a run");
        seen.push((day, run.tries, run.state));
        assert_eq!(run.reason.as_deref(), Some("insufficient_balance"));
    }
    let tries: Vec<i64> = seen.iter().map(|(_, tries, _)| *tries).collect();
    assert_eq!(tries, [1, 2, 2, 3, 3, 3, 3, 4, 4], "3, 4, 6 and 10 March");
    assert_eq!(seen[8].2, RunState::GivenUp);
    let failed = [NoteKind::AutopayFailed; 4];
    assert_eq!(told(&town, &who).await, [&[NoteKind::AutopayNotice][..], &failed].concat());
    assert!(!is_paid(&town, bill).await);

    let second = bills(&town, &[(POWER[0], "B2", "200.00")]).await[0].bill.id;
    march(&town, 12, 8, 0);
    work(&town).await;
    march(&town, 13, 9, 0);
    work(&town).await;
    assert_eq!(state(&town, &who, &mandate, second).await, Some(RunState::Refused));
    let money = town.money(100_000);
    city::wallet::deposit(&town.city, &town.operator, who.id, money, "later").await.expect("a deposit");
    march(&town, 14, 9, 0);
    work(&town).await;
    assert_eq!(state(&town, &who, &mandate, second).await, Some(RunState::Debited));
}

/// A helper's mandate covers what the owner keeps, while the owner consents.
#[tokio::test]
async fn a_family_members_bills_while_the_consent_holds() {
    let town = Town::new().await;
    let helper = payer(&town, "13800000001", 500_000).await;
    let owner = payer(&town, "13800000002", 0x1).await;
    let all = bills(&town, &[(POWER[1], "B1", "10.00"), (POWER[2], "B2", "20.00")]).await;
    city::bill::saved::save(&town.city, &owner, power(), POWER[1], None, false).await.expect("kept");
    let kept = Target::Kept { categories: vec![city::bill::Category::Power] };
    let terms = Terms { member: Some(owner.id), target: kept, ..terms() };
    let refused = mandate::create(&town.city, &helper, "k", terms.clone(), Some(PIN)).await;
    assert_eq!(code(refused), "family_no_consent");
    let link =
        family::invite(&town.city, &helper, "f", "13800000002", FamilyMay::Pay, None).await.expect("invited");
    family::consent(&town.city, &owner, link.id, FamilyMay::Pay, Some(PIN)).await.expect("consented");
    let mandate = made(&town, &helper, "k", terms).await;
    work(&town).await;
    march(&town, 22, 9, 0);
    work(&town).await;
    let (first, other) = (all[0].bill.id, all[1].bill.id);
    assert_eq!(state(&town, &helper, &mandate, first).await, Some(RunState::Debited));
    assert_eq!(state(&town, &helper, &mandate, other).await, None, "an account that the owner does not keep");
    assert_eq!(town.available(books::wallet(owner.id)).await, 1, "the helper pays");

    let next = bills(&town, &[(POWER[1], "B3", "30.00")]).await[0].bill.id;
    march(&town, 23, 8, 0);
    work(&town).await;
    assert_eq!(state(&town, &helper, &mandate, next).await, Some(RunState::Noticed));
    family::end(&town.city, &owner, link.id).await.expect("ended");
    march(&town, 25, 9, 0);
    work(&town).await;
    let ended = run(&town, &helper, &mandate, next).await.expect("a run");
    assert_eq!((ended.state, ended.reason.as_deref()), (RunState::Ended, Some("family_no_consent")));
    assert!(!is_paid(&town, next).await);
}
