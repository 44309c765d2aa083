//! payout: every payout in one batch, the bank's word taken once, what came back booked back and sent again.

use channel::iso20022::counterpart::{Bank, Faults, Wrong};
use channel::iso20022::{Agent, Number, Party};
use city::bill::payout::rules::{Code, State};
use city::bill::payout::{self, Taken};
use city::bill::{self, reconcile};
use city::books;
use city::identity::{Operator, Role};
use kernel::ids::{BillerId, PaymentId};
use kernel::{Currency, Date};

use crate::common::{Town, code};
use crate::support::{POWER, import, pay, power_file, shipped};

const ACCOUNT: &str = "\n[settlement.payout]\nname = \"杭州供电公司\"\naccount = \"1202020209900054321\"\ncnaps = \"102331000010\"\n";

fn payer() -> Party {
    Party {
        name: "一码市民卡有限公司".to_owned(),
        account: Number::Account("1202020209900012345".to_owned()),
        agent: Agent::Cnaps("102331000010".to_owned()),
    }
}

fn tuesday() -> Date {
    Date::new(2026, 3, 3).unwrap()
}

/// A town whose power company was paid ¥10.00 on Monday and has its payout ordered; it is Tuesday.
async fn ordered() -> (Town, BillerId, PaymentId) {
    let town = Town::with(|settings| settings.payer = Some(payer())).await;
    let text = shipped("330100/hz-power").text + ACCOUNT;
    let biller = bill::add_pack(&town.city, &town.operator, &text).await.unwrap().biller;
    import(&town, biller, power_file(&[(POWER[0], "B1", "10.00")]).as_bytes()).await.unwrap();
    let who = town.rich("13800000001", 100_000).await;
    let due = bill::fetch(&town.city, biller, POWER[0]).await.unwrap().remove(0);
    pay(&town, &who, due.bill.id).await.unwrap();
    town.pass(86_400);
    let monday = Date::new(2026, 3, 2).unwrap();
    let report = reconcile::run(&town.city, &town.operator, biller, monday).await.unwrap();
    reconcile::run(&town.city, &town.operator, biller, monday).await.unwrap();
    (town, biller, report.payout.unwrap())
}

/// Makes the batch of Tuesday and lets the bank take it, with what goes wrong.
async fn asked(town: &Town, bank: &mut Bank, wrong: Option<Wrong>) -> channel::iso20022::counterpart::Answer {
    let batch = payout::make_batch(&town.city, &town.operator, tuesday()).await.unwrap();
    let file = payout::batch_file(&town.city, &batch.name).await.unwrap();
    assert_eq!(payout::batch_file(&town.city, &batch.name).await.unwrap(), file);
    town.pass(1);
    let faults: Faults = wrong.into_iter().map(|wrong| (1, wrong)).collect();
    bank.take(&file, Currency::CNY, &faults, town.city.now()).unwrap()
}

async fn state(town: &Town, id: PaymentId) -> State {
    payout::find(&town.city, id).await.unwrap().state
}

#[tokio::test]
async fn every_manner_of_a_bank_is_taken_in_once() {
    let (booked, back) = (State::Booked, true);
    let rows: [(Option<Wrong>, State, bool, &[Code]); 8] = [
        (None, booked, false, &[]),
        (Some(Wrong::Rejected), State::Rejected, back, &[]),
        (Some(Wrong::Late), State::Accepted, false, &[]),
        (Some(Wrong::Missing), State::Accepted, false, &[]),
        (Some(Wrong::Returned), State::Returned, back, &[]),
        (Some(Wrong::Twice), booked, false, &[Code::BookedTwice, Code::BookedTwice]),
        (Some(Wrong::Amount), State::Accepted, false, &[Code::AmountDiffers, Code::AmountDiffers]),
        (
            Some(Wrong::RejectedAndBooked),
            State::Rejected,
            back,
            &[Code::BookedAfterRejection, Code::BookedAfterRejection],
        ),
    ];
    for (wrong, wanted, back, breaks) in rows {
        let (town, biller, id) = ordered().await;
        let (city, by) = (&town.city, &town.operator);
        assert_eq!(state(&town, id).await, State::Due);
        let mut bank = Bank::new(1_000_000);
        let answer = asked(&town, &mut bank, wrong).await;
        payout::take_status(city, by, &answer.status).await.unwrap();
        payout::take_statement(city, by, &answer.notification).await.unwrap();
        let once = payout::take_statement(city, by, &answer.statement).await.unwrap();
        let twice = payout::take_statement(city, by, &answer.statement).await.unwrap();
        assert_eq!(twice, Taken { repeated: true, ..once });
        let order = payout::find(city, id).await.unwrap();
        assert_eq!((order.state, order.back), (wanted, back), "{wrong:?}");
        let found = payout::breaks(city, true, None, 50).await.unwrap();
        assert_eq!(found.iter().map(|b| b.code).collect::<Vec<_>>(), breaks, "{wrong:?}");
        let again = town.available(books::biller(biller)).await;
        assert_eq!(again, if back { order.amount_minor } else { 0 }, "{wrong:?}");
        town.assert_conserved().await;
    }
}

#[tokio::test]
async fn what_came_back_goes_out_again_as_another_payout() {
    let (town, biller, id) = ordered().await;
    let (city, by) = (&town.city, &town.operator);
    assert_eq!(code(payout::send_again(city, by, id).await), "payout_not_sent_back");
    let mut bank = Bank::new(1_000_000);
    let answer = asked(&town, &mut bank, Some(Wrong::Rejected)).await;
    payout::take_status(city, by, &answer.status).await.unwrap();
    assert_eq!(code(payout::make_batch(city, by, tuesday()).await), "payout_nothing_due");

    // Two operators on two nodes at once.
    let other = town.node().await;
    let (a, b) = tokio::join!(payout::send_again(city, by, id), payout::send_again(&other, by, id));
    let again = a.unwrap();
    assert_eq!(again.id, b.unwrap().id);
    assert_ne!(again.id, id);
    assert_eq!((again.instead_of, again.state), (Some(id), State::Due));
    assert_eq!(town.available(books::biller(biller)).await, 0);

    let answer = asked(&town, &mut bank, None).await;
    payout::take_status(city, by, &answer.status).await.unwrap();
    payout::take_statement(city, by, &answer.statement).await.unwrap();
    assert_eq!((state(&town, again.id).await, state(&town, id).await), (State::Booked, State::Rejected));
    assert_eq!(payout::breaks(city, false, None, 50).await.unwrap(), []);
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_batch_handed_in_twice_frees_no_money() {
    let (town, biller, id) = ordered().await;
    let (city, by) = (&town.city, &town.operator);
    let mut bank = Bank::new(1_000_000);
    asked(&town, &mut bank, Some(Wrong::Late)).await;
    let file = payout::batch_file(city, "YIMA-20260303-1").await.unwrap();
    town.pass(1);
    let answer = bank.take(&file, Currency::CNY, &Faults::new(), city.now()).unwrap();
    assert_eq!(payout::take_status(city, by, &answer.status).await.unwrap().breaks, 1);
    assert_eq!(state(&town, id).await, State::Sent);
    assert_eq!(town.available(books::biller(biller)).await, 0);
    assert_eq!(payout::breaks(city, true, None, 9).await.unwrap()[0].code, Code::DuplicateReported);
}

#[tokio::test]
async fn two_that_make_a_batch_at_once_send_a_payout_once() {
    let (town, _, id) = ordered().await;
    let other = town.node().await;
    let by = &town.operator;
    let (a, b) = tokio::join!(
        payout::make_batch(&town.city, by, tuesday()),
        payout::make_batch(&other, by, tuesday())
    );
    assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1);
    assert_eq!(payout::batches(&town.city, None, 9).await.unwrap().len(), 1);
    assert_eq!(payout::find(&town.city, id).await.unwrap().batch.as_deref(), Some("YIMA-20260303-1"));
}

#[tokio::test]
async fn refusals_change_nothing() {
    let (town, _, id) = ordered().await;
    let (city, by) = (&town.city, &town.operator);
    let looker = Operator { role: Role::Viewer, ..town.operator };
    let staff = Operator { role: Role::Staff, ..town.operator };
    let wednesday = Date::new(2026, 3, 4).unwrap();
    assert_eq!(code(payout::make_batch(city, by, wednesday).await), "payout_not_due");
    assert_eq!(code(payout::make_batch(city, &looker, tuesday()).await), "forbidden");
    assert_eq!(code(payout::send_again(city, &staff, id).await), "forbidden");
    assert_eq!(code(payout::take_status(city, &looker, b"").await), "forbidden");
    assert_eq!(code(payout::take_statement(city, &looker, b"").await), "forbidden");
    assert_eq!(code(payout::batch_file(city, "none").await), "payout_batch_unknown");
    assert_eq!(code(payout::find(city, PaymentId::from_u128(3)).await), "payout_unknown");
    assert_eq!(code(payout::take_status(city, by, b"<x/>").await), "message_namespace");
    let mut bank = Bank::new(1_000_000);
    let answer = asked(&town, &mut bank, None).await;
    let statement = String::from_utf8(answer.statement).unwrap();
    let foreign = statement.replace("1202020209900012345", "99");
    assert_eq!(code(payout::take_statement(city, by, foreign.as_bytes()).await), "bank_account_differs");
    assert_eq!(state(&town, id).await, State::Sent);
    payout::take_statement(city, by, statement.as_bytes()).await.unwrap();
    let other = statement.replace("E1-1", "E1-2");
    assert_eq!(code(payout::take_statement(city, by, other.as_bytes()).await), "bank_message_differs");
    let by_hand = Town::new().await;
    let refused = payout::make_batch(&by_hand.city, &by_hand.operator, tuesday()).await;
    assert_eq!(code(refused), "payout_account_missing");
}
