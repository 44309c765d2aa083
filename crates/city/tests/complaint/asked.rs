//! Billers that are asked: what they say is evidence, and they are asked for the money first.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use channel::book::{Book, Fault};
use channel::direct::counterpart::{Counterpart, Faults};
use channel::secrets::Held;
use channel::tls::Tls;
use channel::{Debt, Meaning};
use city::bill::dispute::SaysOfPayment;
use city::bill::route::DoorSetting;
use city::bill::{self, Pack};
use city::books;
use city::complaint::{self, ComplaintKind, ComplaintState, Decision, Finding, Of, StepKind};
use kernel::ManualClock;

use crate::common::{Town, monday};
use crate::support::{POWER, live_pack, pay};
use crate::{about, read};

const WAY: &str = r#"
[[channels]]
name = "near"
timeout_s = 1
[channels.direct]
format = "json"
code = "code"
codes = { "0" = "ok", "1" = "duplicate", "2" = "unknown", "3" = "account_unknown", "6" = "closed", "9" = "refused" }
[channels.direct.query]
path = "/debts/{account_no}"
method = "GET"
[channels.direct.query.debts]
at = "debts"
bill_no = "no"
amount = "fen"
unit = "fen"
period = "month"
[channels.direct.pay]
path = "/pay"
body = '{"id":"{payment}","account":"{account_no}","bill":"{bill_no}","fen":{amount.fen}}'
[channels.direct.inquire]
path = "/pay/{payment}"
method = "GET"
[channels.direct.reverse]
path = "/reverse"
body = '{"id":"{payment}"}'
[channels.direct.refund]
path = "/refund"
body = '{"id":"{payment}","reason":"{reason}","fen":{amount.fen}}'
"#;

#[tokio::test]
async fn the_biller_is_asked_for_the_money_first_until_it_answers() {
    let pack =
        Pack::parse(&live_pack("hz-live", "water", ["杭州自来水", "Hangzhou Water"], WAY)).expect("a pack");
    let fault: Arc<Mutex<Option<Fault>>> = Arc::default();
    let told = fault.clone();
    let faults: Faults = Arc::new(move |kind, _| told.lock().unwrap().filter(|_| kind == "refund"));
    let mut book = Book::default();
    let debt = |no: &str| Debt {
        bill_no: no.into(),
        amount_minor: 5_000,
        due: None,
        period: 202_602,
        holder: String::new(),
    };
    book.open("", POWER[0], vec![debt("B1"), debt("B2")]);
    let spec = pack.spec.channels[0].direct.clone().expect("over HTTP");
    let clock = Arc::new(ManualClock::new(monday()));
    let side =
        Counterpart::start(spec, book, faults, Arc::new(Held::default()), clock, Duration::from_secs(3))
            .await
            .unwrap();
    let url = format!("http://{}", side.addr).parse().unwrap();
    let door = DoorSetting { url, secrets: Held::default(), tls: Tls::default() };
    let town = Town::with(|s| s.doors = [("hz-live/near".to_owned(), door)].into()).await;
    let text = live_pack("hz-live", "water", ["杭州自来水", "Hangzhou Water"], WAY);
    let biller = bill::add_pack(&town.city, &town.operator, &text).await.unwrap().biller;
    let who = town.rich("13800000001", 50_000).await;
    let views = bill::fetch(&town.city, biller, POWER[0]).await.unwrap();
    let mut payments = Vec::new();
    for view in &views {
        payments.push(pay(&town, &who, view.bill.id).await.unwrap().settled.payment);
    }
    let city = &town.city;
    let raised = complaint::raise(city, &who, about(ComplaintKind::PaidTwice, payments[1])).await.unwrap();
    assert_eq!(raised.finding, Finding::TwoPayments);
    let evidence = raised.evidence().unwrap();
    let says = evidence.biller.unwrap();
    assert_eq!((says.payment, says.listed), (Some(SaysOfPayment::Taken), Some(false)));
    assert_eq!(evidence.payment.unwrap().way.as_deref(), Some("near"));
    assert_eq!(side.book().inquire(&payments[1].to_string()), Meaning::Ok, "asking takes nothing back");

    town.pass(8 * 86_400);
    complaint::work(city).await.unwrap();
    let refund = |amount_minor| Decision::Refund { amount_minor, ask_biller: true };
    // A biller that says no: it is the operator's again, with a decision of its own.
    *fault.lock().unwrap() = Some(Fault::Says(Meaning::Refused));
    complaint::decide(city, &town.operator, raised.id, refund(5_000), "重复缴费").await.unwrap();
    complaint::work(city).await.unwrap();
    let view = complaint::view(city, Of::All, raised.id, true).await.unwrap();
    assert_eq!(
        (view.complaint.state, view.steps.last().unwrap().what),
        (ComplaintState::Operator, StepKind::BillerRefused)
    );
    let first = view.complaint.refund().unwrap();

    // One that is silent is asked again, with the same refund, and gives once.
    complaint::decide(city, &town.operator, raised.id, refund(4_000), "重复缴费").await.unwrap();
    for wrong in [Fault::SilentAfter, Fault::SilentBefore, Fault::Says(Meaning::Closed)] {
        *fault.lock().unwrap() = Some(wrong);
        complaint::work(city).await.unwrap();
        let waits = read(city, raised.id).await;
        assert_eq!(
            (waits.state, waits.problem.as_deref()),
            (ComplaintState::Refunding, Some("biller_silent")),
            "{wrong:?}"
        );
        assert_eq!(town.available(books::biller(biller)).await, 10_000);
        town.pass(700);
    }
    *fault.lock().unwrap() = None;
    let town = town.reopen().await;
    complaint::work(&town.city).await.unwrap();
    let done = read(&town.city, raised.id).await;
    assert_eq!((done.state, done.amount_minor), (ComplaintState::Refunded, Some(4_000)));
    assert_ne!(done.refund(), Some(first));
    assert_eq!(town.available(books::wallet(who.id)).await, 44_000);
    town.assert_conserved().await;
}
