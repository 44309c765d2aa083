//! Refunds in the ledger: never more than was paid, four eyes, funds, and the payouts that bear them.

use city::bill::reconcile;
use city::bill::refund::{self, Given};
use city::books;
use city::complaint::{self, ComplaintKind, ComplaintState, Decision, StepKind};
use city::identity::Role;
use kernel::Date;
use kernel::ids::RefundId;

use crate::common::{Town, code, race};
use crate::support::{POWER, pay};
use crate::{DAY, REFUND_ALL, about, at_operator, bills, operator, read};

fn day(d: i8) -> Date {
    Date::new(2026, 3, d).unwrap()
}

#[tokio::test]
async fn refunds_that_race_never_come_to_more_than_was_paid() {
    let town = Town::new().await;
    let (biller, who, payment, _) = at_operator(&town).await;
    // Money of other bills is there: only the payment itself bounds its refunds.
    let (_, views) = bills(&town, &[(POWER[1], "C", "300.00")]).await;
    pay(&town, &who, views[0].bill.id).await.unwrap();
    let settled = refund::settled(&town.city, payment).await.unwrap();
    let nodes = [town.node().await, town.node().await];
    let ends = race(8, |i| {
        let node = nodes[i % 2].clone();
        // Four refunds of ¥30.00, each asked for twice.
        let id = RefundId::from_u128(1_000 + i as u128 / 2);
        async move { refund::give_back(&node, &settled, id, 3_000).await.unwrap() }
    })
    .await;
    let done = ends.iter().filter(|end| matches!(end, Given::Done(3_000, _))).count();
    let refused = ends.iter().filter(|end| **end == Given::ExceedsPaid).count();
    assert_eq!((done, refused), (6, 2), "{ends:?}");
    assert_eq!(refund::refunded(&town.city, payment).await.unwrap(), 9_000);
    assert_eq!(town.available(books::wallet(who.id)).await, 10_000 + 9_000);
    assert_eq!(town.available(books::biller(biller)).await, 40_000 - 9_000);

    // Closing and giving back compete for the id.
    let id = RefundId::from_u128(2_000);
    assert_eq!(refund::close(&town.city, id).await.unwrap(), Given::Closed);
    assert_eq!(refund::give_back(&town.city, &settled, id, 500).await.unwrap(), Given::Closed);
    let made = refund::close(&town.city, RefundId::from_u128(1_000)).await.unwrap();
    let gone = refund::close(&town.city, RefundId::from_u128(1_003)).await.unwrap();
    assert!(matches!(made, Given::Done(3_000, _)) || matches!(gone, Given::Done(3_000, _)));
    town.assert_conserved().await;
}

#[tokio::test]
async fn the_next_payout_bears_what_was_given_back() {
    let town = Town::new().await;
    let (biller, who, payment, id) = at_operator(&town).await;
    let city = &town.city;
    town.pass(DAY);
    // Monday is paid out; then nothing is there to give back.
    let monday = reconcile::run(city, &town.operator, biller, day(2)).await.unwrap();
    assert_eq!((monday.refunds_minor, monday.breaks), (0, 0));
    let by = operator(&town, "anna", Role::Staff).await;
    complaint::decide(city, &by, id, REFUND_ALL, "属实,退款").await.unwrap();
    complaint::work(city).await.unwrap();
    let waits = read(city, id).await;
    assert_eq!((waits.state, waits.problem.as_deref()), (ComplaintState::Refunding, Some("biller_funds")));

    // Tuesday brings ¥40.00, Wednesday ¥90.00.
    let rows = [(POWER[1], "C", "40.00"), (POWER[1], "D", "90.00"), (POWER[1], "E", "50.00")];
    let (_, views) = bills(&town, &rows).await;
    pay(&town, &who, views[0].bill.id).await.unwrap();
    town.pass(DAY);
    pay(&town, &who, views[1].bill.id).await.unwrap();
    complaint::work(city).await.unwrap();
    assert_eq!(read(city, id).await.state, ComplaintState::Refunded);
    assert_eq!(town.available(books::biller(biller)).await, 3_000);

    // Tuesday's payout bears what it can, Wednesday's the rest; two nodes settle both days at once.
    town.pass(DAY);
    let nodes = [town.node().await, town.node().await];
    let op = town.operator;
    let reports = race(4, |i| {
        let node = nodes[i % 2].clone();
        async move { reconcile::run(&node, &op, biller, day(if i < 2 { 3 } else { 4 })).await.unwrap() }
    })
    .await;
    assert_eq!(
        (reports[0].refunds_minor, reports[2].refunds_minor),
        (reports[1].refunds_minor, reports[3].refunds_minor)
    );
    assert_eq!(reports[0].refunds_minor + reports[2].refunds_minor, 10_000);
    assert!(reports.iter().all(|report| report.breaks == 0), "{reports:?}");
    let fees: i64 = reports.iter().step_by(2).filter(|r| r.payout.is_some()).map(|r| r.fee_minor).sum();
    let left = town.available(books::biller(biller)).await;
    let paid_out = reports[0].payout_minor + reports[2].payout_minor;
    assert_eq!(paid_out + left, 3_000 - fees, "{reports:?}");
    assert_eq!(left, 0);
    // The files are of payments, and the same as ever.
    let file = reconcile::settlement_file(city, biller, day(4)).await.unwrap();
    assert!(String::from_utf8(file).unwrap().contains("TOTAL|1|90.00"));
    // A day later nothing is left to bear.
    pay(&town, &who, views[2].bill.id).await.unwrap();
    town.pass(DAY);
    let friday = reconcile::run(city, &town.operator, biller, day(5)).await.unwrap();
    assert_eq!((friday.refunds_minor, friday.breaks), (0, 0));
    assert_eq!(refund::refunded(city, payment).await.unwrap(), 10_000);
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_day_that_was_given_back_whole_is_paid_out_with_nothing() {
    let town = Town::new().await;
    let (biller, _, _, id) = at_operator(&town).await;
    let city = &town.city;
    complaint::decide(city, &town.operator, id, REFUND_ALL, "属实,退款").await.unwrap();
    complaint::work(city).await.unwrap();
    assert_eq!(read(city, id).await.state, ComplaintState::Refunded);
    town.pass(DAY);
    let report = reconcile::run(city, &town.operator, biller, day(2)).await.unwrap();
    assert_eq!((report.payout_minor, report.refunds_minor, report.breaks), (0, 10_000, 0));
    assert_eq!(report.method, city::bill::pack::Method::Gross, "nothing is there to keep a fee from");
    let again = reconcile::run(city, &town.operator, biller, day(2)).await.unwrap();
    assert_eq!((again.payout, again.refunds_minor), (report.payout, 10_000));
    town.assert_conserved().await;
}

#[tokio::test]
async fn above_the_limit_a_refund_takes_two() {
    let town = Town::with(|s| s.four_eyes_limit_minor = 9_999).await;
    let (biller, who, _, id) = at_operator(&town).await;
    let city = &town.city;
    let anna = operator(&town, "anna", Role::Staff).await;
    let bert = operator(&town, "bert", Role::Staff).await;
    let waits = complaint::decide(city, &anna, id, REFUND_ALL, "属实,退款").await.unwrap();
    assert_eq!(waits.state, ComplaintState::Second);
    complaint::work(city).await.unwrap();
    assert_eq!(town.available(books::biller(biller)).await, 10_000, "nothing moves on one's word");
    let second = city::operator::complaints::second;
    assert_eq!(code(second(city, &anna, id, true, None).await), "complaint_own");
    assert_eq!(code(complaint::second(city, &anna, id, true, None).await), "complaint_own");
    let declined = second(city, &bert, id, false, Some("金额不对")).await.unwrap();
    assert_eq!((declined.state, declined.level), (ComplaintState::Operator, ComplaintState::Operator));
    complaint::decide(city, &anna, id, REFUND_ALL, "属实,退款").await.unwrap();
    second(city, &bert, id, true, Some("看过凭证")).await.unwrap();
    second(city, &bert, id, true, Some("看过凭证")).await.unwrap();
    complaint::work(city).await.unwrap();
    assert_eq!(read(city, id).await.state, ComplaintState::Refunded);
    assert_eq!(town.available(books::wallet(who.id)).await, 50_000);
    assert_eq!(code(second(city, &bert, id, false, None).await), "complaint_not_your_turn");
}

#[tokio::test]
async fn what_is_left_bounds_a_decision_also_after_it_was_made() {
    let town = Town::new().await;
    let (_, who, payment, id) = at_operator(&town).await;
    let city = &town.city;
    let refund = |amount_minor| Decision::Refund { amount_minor, ask_biller: true };
    for amount in [0, -1, 10_001] {
        let refused = complaint::decide(city, &town.operator, id, refund(amount), "属实,退款").await;
        assert_eq!(code(refused), "complaint_amount_unacceptable", "{amount}");
    }
    complaint::decide(city, &town.operator, id, refund(8_000), "属实,退款").await.unwrap();
    // Another complaint about the payment is faster.
    let settled = refund::settled(city, payment).await.unwrap();
    refund::give_back(city, &settled, RefundId::from_u128(7), 5_000).await.unwrap();
    complaint::work(city).await.unwrap();
    let back = read(city, id).await;
    assert_eq!(back.state, ComplaintState::Operator);
    let view = complaint::view(city, complaint::Of::All, id, false).await.unwrap();
    assert_eq!(view.steps.last().unwrap().what, StepKind::RefundImpossible);
    complaint::decide(city, &town.operator, id, refund(5_000), "退剩余部分").await.unwrap();
    complaint::work(city).await.unwrap();
    assert_eq!(read(city, id).await.state, ComplaintState::Refunded);
    assert_eq!(town.available(books::wallet(who.id)).await, 50_000);
    let wish = about(ComplaintKind::PaidTwice, payment);
    assert_eq!(complaint::raise(city, &who, wish).await.unwrap().proposed_minor, None);
    town.assert_conserved().await;
}
