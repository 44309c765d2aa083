//! The complaint slice through its verbs and routes: evidence, whose turn it is and until when, refunds, what is refused.

#[path = "../common/mod.rs"]
mod common;
#[path = "../bill/support.rs"]
#[allow(dead_code, reason = "the bill slice's tests use all of it")]
mod support;

mod asked;
mod refunds;
mod routes;

use city::City;
use city::bill::{self, BillView};
use city::complaint::{
    self, Answer, Complaint, ComplaintKind, ComplaintState, Decision, Finding, Of, Proposal, Raise, StepKind,
};
use city::identity::{self, Biller, Operator, OwnerKind, Resident, Role};
use common::{Town, code, race};
use kernel::ids::{BillerId, ComplaintId, OperatorId, PaymentId};
use support::{POWER, import, pay, power_file, shipped};

/// Seconds.
pub const DAY: u64 = 86_400;

/// A biller's key of role staff.
pub fn staff(id: BillerId) -> Biller {
    Biller { id, role: Role::Staff }
}

/// An operator with a key of this role.
pub async fn operator(town: &Town, name: &str, role: Role) -> Operator {
    let new = identity::bootstrap_operator(&town.city, name).await.unwrap();
    let owner = new.key.owner;
    let key = identity::create_key(&town.city, OwnerKind::Operator, owner, role, None, "desk").await.unwrap();
    Operator { id: OperatorId::from_u128(owner), role, key: key.key.id, browser: false }
}

/// Bills of `hz-power`, ¥ by bill number, of one account; in the order given.
pub async fn bills(town: &Town, rows: &[(&str, &str, &str)]) -> (BillerId, Vec<BillView>) {
    let biller = shipped("330100/hz-power").biller;
    import(town, biller, power_file(rows).as_bytes()).await.unwrap();
    let mut views = Vec::new();
    for (account, number, _) in rows {
        let of_account = bill::fetch(&town.city, biller, account).await.unwrap();
        views.extend(of_account.into_iter().filter(|view| view.bill.bill_no == *number));
    }
    (biller, views)
}

/// A complaint about a payment.
pub fn about(kind: ComplaintKind, payment: PaymentId) -> Raise {
    Raise { kind, payment: Some(payment), bill: None, words: "我交过了".into() }
}

/// The whole of a bill of ¥100.00.
pub const REFUND_ALL: Decision = Decision::Refund { amount_minor: 10_000, ask_biller: true };

/// A bill of ¥100.00, paid, complained of and left to an operator by its biller.
pub async fn at_operator(town: &Town) -> (BillerId, Resident, PaymentId, ComplaintId) {
    let (biller, views) = bills(town, &[(POWER[0], "B1", "100.00")]).await;
    let who = town.rich("13800000001", 50_000).await;
    let payment = pay(town, &who, views[0].bill.id).await.unwrap().settled.payment;
    let raised =
        complaint::raise(&town.city, &who, about(ComplaintKind::WrongAccount, payment)).await.unwrap();
    let yes = Answer { accepts: true, amount_minor: Some(10_000), words: "确认是错户".into() };
    let answered = complaint::answer(&town.city, &staff(biller), raised.id, yes).await.unwrap();
    assert_eq!(answered.state, ComplaintState::Operator);
    (biller, who, payment, raised.id)
}

/// The complaint as it stands.
pub async fn read(city: &City, id: ComplaintId) -> Complaint {
    complaint::view(city, Of::All, id, false).await.unwrap().complaint
}

#[tokio::test]
async fn a_bill_paid_twice_is_found_and_refunded_once() {
    let town = Town::new().await;
    let rows = [(POWER[0], "B1", "100.00"), (POWER[0], "B1-A", "100.00"), (POWER[1], "C", "7.00")];
    let (biller, views) = bills(&town, &rows).await;
    let who = town.rich("13800000001", 50_000).await;
    let first = pay(&town, &who, views[0].bill.id).await.unwrap().settled.payment;
    town.pass(60);
    let again = pay(&town, &who, views[1].bill.id).await.unwrap().settled.payment;
    let wish = about(ComplaintKind::PaidTwice, again);
    let city = &town.city;
    // The same, five times at once on two nodes, is one complaint.
    let nodes = [town.node().await, town.node().await];
    let raised = race(5, |i| {
        let (node, wish) = (nodes[i % 2].clone(), wish.clone());
        async move { complaint::raise(&node, &who, wish).await.unwrap() }
    })
    .await;
    assert!(raised.iter().all(|one| *one == raised[0]));
    let raised = raised[0].clone();
    assert_eq!(
        (raised.finding, raised.proposal, raised.proposed_minor),
        (Finding::TwoPayments, Proposal::Refund, Some(10_000))
    );
    let evidence = raised.evidence().unwrap();
    let others: Vec<_> = evidence.others.iter().map(|o| (o.payment, o.same_payer, o.same_account)).collect();
    assert_eq!(others, [(first, true, true)]);
    assert_eq!(evidence.payment.as_ref().map(|p| (p.amount_minor, p.left_minor)), Some((10_000, 10_000)));
    assert!(evidence.import.is_some() && evidence.settlement.is_some());
    assert_eq!(raised.state, ComplaintState::Biller);

    let yes = Answer { accepts: true, amount_minor: Some(10_000), words: "重复缴费".into() };
    complaint::answer(city, &staff(biller), raised.id, yes.clone()).await.unwrap();
    complaint::answer(city, &staff(biller), raised.id, yes).await.unwrap();
    let by = operator(&town, "anna", Role::Staff).await;
    complaint::decide(city, &by, raised.id, REFUND_ALL, "属实,退款").await.unwrap();
    complaint::decide(city, &by, raised.id, REFUND_ALL, "属实,退款").await.unwrap();
    let town = town.reopen().await; // a crash between decision and money
    let nodes = [town.node().await, town.node().await];
    for done in race(2, |i| {
        let node = nodes[i].clone();
        async move { complaint::work(&node).await }
    })
    .await
    {
        done.unwrap();
    }
    complaint::work(&town.city).await.unwrap();
    let done = read(&town.city, raised.id).await;
    assert_eq!((done.state, done.amount_minor), (ComplaintState::Refunded, Some(10_000)));
    assert_eq!(town.available(city::books::wallet(who.id)).await, 40_000);
    assert_eq!(town.available(city::books::biller(biller)).await, 10_000);
    let view = complaint::view(&town.city, Of::Resident(who.id), raised.id, false).await.unwrap();
    let told: Vec<_> = view.steps.iter().map(|step| (step.number, step.what)).collect();
    assert_eq!(
        told,
        [
            (1, StepKind::Raised),
            (2, StepKind::BillerAccepted),
            (3, StepKind::RefundDecided),
            (4, StepKind::Refunded)
        ]
    );
    assert_eq!(view.now.payment.unwrap().refunded_minor, 10_000);
    town.assert_conserved().await;
}

#[tokio::test]
async fn who_does_not_answer_loses_the_turn() {
    let town = Town::new().await;
    let (biller, views) = bills(&town, &[(POWER[0], "B1", "100.00")]).await;
    let who = town.rich("13800000001", 50_000).await;
    let payment = pay(&town, &who, views[0].bill.id).await.unwrap().settled.payment;
    let city = &town.city;
    let raised = complaint::raise(city, &who, about(ComplaintKind::PaidButDue, payment)).await.unwrap();
    // Monday; five workdays are over at the end of the next.
    assert_eq!(raised.due_at.unwrap().to_string(), "2026-03-09T16:00:00Z");
    town.pass(7 * DAY);
    complaint::work(city).await.unwrap();
    assert_eq!(read(city, raised.id).await.state, ComplaintState::Biller, "the last day is not over");
    town.pass(DAY);
    let nodes = [town.node().await, town.node().await];
    for done in race(2, |i| {
        let node = nodes[i].clone();
        async move { complaint::work(&node).await }
    })
    .await
    {
        done.unwrap();
    }
    let late = read(city, raised.id).await;
    assert_eq!((late.state, late.step), (ComplaintState::Operator, 2), "handed on once");
    let no = Answer { accepts: false, amount_minor: None, words: "没有收到".into() };
    assert_eq!(code(complaint::answer(city, &staff(biller), raised.id, no).await), "complaint_not_your_turn");
    town.pass(5 * DAY);
    complaint::work(city).await.unwrap();
    assert_eq!(read(city, raised.id).await.state, ComplaintState::Supervisor);
    assert_eq!(complaint::overdue(city, 10).await.unwrap(), []);
    let anna = operator(&town, "anna", Role::Staff).await;
    assert_eq!(
        code(complaint::decide(city, &anna, raised.id, Decision::Dismiss, "账单已销").await),
        "forbidden"
    );
    town.pass(5 * DAY);
    complaint::work(city).await.unwrap();
    assert_eq!(read(city, raised.id).await.state, ComplaintState::Supervisor, "nobody is above");
    assert_eq!(complaint::overdue(city, 10).await.unwrap()[0].id, raised.id);
    let done =
        complaint::decide(city, &town.operator, raised.id, Decision::Correct, "单位已销账").await.unwrap();
    assert_eq!((done.state, done.due_at), (ComplaintState::Corrected, None));
    assert_eq!(complaint::overdue(city, 10).await.unwrap(), []);

    // Reopened once, by whoever complained, and decided by a supervisor.
    let other = town.rich("13800000002", 100).await;
    assert_eq!(code(complaint::reopen(city, &other, raised.id, "还是欠费").await), "complaint_unknown");
    let open = complaint::reopen(city, &who, raised.id, "还是欠费").await.unwrap();
    assert_eq!((open.state, open.ended_at), (ComplaintState::Supervisor, None));
    assert_eq!(complaint::reopen(city, &who, raised.id, "还是欠费").await.unwrap(), open);
    complaint::decide(city, &town.operator, raised.id, Decision::Dismiss, "账单已销").await.unwrap();
    assert_eq!(code(complaint::reopen(city, &who, raised.id, "还是欠费").await), "complaint_reopened_before");
}
