//! Four eyes: what waits, who may decide, and that the money moves once.

use city::City;
use city::identity::{Operator, Role};
use city::operator::approval::{
    self, Approval, ApprovalState, Booking, Movement, MovementKind, approve, reject,
};
use city::operator::audit::trail;
use kernel::Currency;
use kernel::ids::{MerchantId, ResidentId};
use ledger::{AccountFilter, Transfer, TransferFlags};
use serde_json::{Value, json};

use crate::common::{Town, call, code, race, refused_with};
use crate::{operator, router};

const LIMIT: i64 = 5_000_000;

fn movement(town: &Town, kind: MovementKind, subject: u128, minor: i64, reference: &str) -> Movement {
    Movement { kind, subject, amount: town.money(minor), reference: reference.to_owned() }
}

async fn ask(city: &City, by: &Operator, wanted: Movement) -> Approval {
    match approval::book(city, by, wanted, Some("customer at the desk")).await.expect("asked") {
        Booking::Waits(approval) => *approval,
        Booking::Moved(moved) => panic!("moved without a second operator: {moved:?}"),
    }
}

/// A resident with an empty wallet and two operators of role staff.
async fn desk() -> (Town, ResidentId, Operator, Operator) {
    let town = Town::new().await;
    let ming = town.resident("13800001111").await.id;
    let (anna, _) = operator(&town, "anna", Role::Staff).await;
    let (bert, _) = operator(&town, "bert", Role::Staff).await;
    (town, ming, anna, bert)
}

async fn has(town: &Town, account: u128) -> i64 {
    town.available(account).await
}

#[tokio::test]
async fn above_the_limit_money_waits_for_a_second_operator() {
    let (town, ming, anna, bert) = desk().await;
    let ming = ming.as_u128();
    let city = &town.city;
    let at = movement(&town, MovementKind::Deposit, ming, LIMIT, "B-1");
    assert!(matches!(approval::book(city, &anna, at, None).await, Ok(Booking::Moved(m)) if !m.repeated));
    let above = movement(&town, MovementKind::Deposit, ming, LIMIT + 1, "B-2");
    let waits = ask(city, &anna, above.clone()).await;
    assert_eq!(
        (waits.state, waits.reason.as_deref()),
        (ApprovalState::Waiting, Some("customer at the desk"))
    );
    assert_eq!(has(&town, ming).await, LIMIT, "nothing moves before");
    assert_eq!(ask(city, &bert, above.clone()).await, waits, "asked again, by whomever, it is the same");
    let done = approve(city, &bert, waits.id, Some("saw the slip")).await.expect("approved");
    assert_eq!((done.state, done.decided.map(|d| d.0)), (ApprovalState::Booked, Some(bert.id)));
    assert_eq!(has(&town, ming).await, 2 * LIMIT + 1);
    // What was booked is booked: asked for again, by whatever way, it is answered as it was.
    let again = approval::book(city, &anna, above.clone(), None).await.expect("answered");
    assert!(matches!(again, Booking::Moved(m) if m.repeated && m.payment == done.movement.payment()));
    assert_eq!(approve(city, &bert, waits.id, None).await.expect("answered"), done);
    let other = movement(&town, MovementKind::Deposit, ming, LIMIT + 2, "B-2");
    assert_eq!(code(approval::book(city, &anna, other, None).await), "idempotency_key_used");
    assert_eq!(has(&town, ming).await, 2 * LIMIT + 1);
    town.assert_conserved().await;
}

#[tokio::test]
async fn withdrawals_and_pay_outs_too() {
    let (town, ming, anna, bert) = desk().await;
    let city = &town.city;
    let shop = town.shop("s-1").await.id;
    for (kind, reference) in [(MovementKind::Deposit, "IN-1"), (MovementKind::Deposit, "IN-2")] {
        let waits = ask(city, &anna, movement(&town, kind, ming.as_u128(), LIMIT + 1, reference)).await;
        approve(city, &bert, waits.id, None).await.expect("approved");
    }
    let out = movement(&town, MovementKind::Withdrawal, ming.as_u128(), LIMIT + 1, "OUT-1");
    let waits = ask(city, &anna, out).await;
    assert_eq!(has(&town, ming.as_u128()).await, 2 * (LIMIT + 1));
    approve(city, &bert, waits.id, None).await.expect("approved");
    assert_eq!(has(&town, ming.as_u128()).await, LIMIT + 1);
    // A shop cannot be paid out what it does not have: the ledger refuses, and the request has failed.
    let pay = movement(&town, MovementKind::Payout, shop.as_u128(), LIMIT + 1, "PO-1");
    let waits = ask(city, &anna, pay.clone()).await;
    assert_eq!(code(approve(city, &bert, waits.id, None).await), "merchant_balance_insufficient");
    let failed = approval::get(city, &anna, waits.id).await.expect("there");
    assert_eq!(failed.state, ApprovalState::Failed);
    assert_eq!(failed.outcome.as_deref(), Some("merchant_balance_insufficient"));
    assert_eq!(code(approve(city, &bert, waits.id, None).await), "approval_decided");
    assert_eq!(code(reject(city, &bert, waits.id, None).await), "approval_decided");
    let anew = ask(city, &anna, pay).await;
    assert_ne!(anew.id, failed.id, "what failed may be asked for anew");
    town.assert_conserved().await;
}

#[tokio::test]
async fn who_may_decide() {
    let (town, ming, anna, bert) = desk().await;
    let city = &town.city;
    let waits =
        ask(city, &anna, movement(&town, MovementKind::Deposit, ming.as_u128(), LIMIT + 1, "B-1")).await;
    let other_key = kernel::ids::KeyId::new(city.now(), &kernel::OsRng);
    let annas_other_key = Operator { key: other_key, role: Role::Admin, ..anna };
    let viewer = Operator { role: Role::Viewer, ..bert };
    let person = Operator { browser: true, ..bert };
    for (by, reason, wanted) in [
        (anna, None, "approval_own"),
        (annas_other_key, Some("it is right"), "approval_own"),
        (viewer, None, "forbidden"),
        (person, None, "reason_missing"),
        (bert, Some("abc"), "reason_missing"),
    ] {
        assert_eq!(code(approve(city, &by, waits.id, reason).await), wanted);
        assert_eq!(code(reject(city, &by, waits.id, reason).await), wanted);
    }
    let unknown = kernel::ids::ApprovalId::from_u128(7);
    assert_eq!(code(approve(city, &bert, unknown, None).await), "approval_unknown");
    let waiting = approval::get(city, &bert, waits.id).await.expect("there");
    assert_eq!(waiting, waits, "nobody has changed anything");
    assert_eq!(has(&town, ming.as_u128()).await, 0);
    let no = reject(city, &bert, waits.id, Some("wrong slip")).await.expect("rejected");
    assert_eq!((no.state, no.decision_reason.as_deref()), (ApprovalState::Rejected, Some("wrong slip")));
    assert_eq!(reject(city, &bert, waits.id, None).await.expect("again"), no);
    assert_eq!(code(approve(city, &bert, waits.id, None).await), "approval_decided");
    assert_eq!(has(&town, ming.as_u128()).await, 0);
    // The trail has every try, and how it ended.
    let admin = Operator { role: Role::Admin, ..bert };
    let trail = trail(city, &admin, None, 200).await.expect("a trail");
    let count = |action: &str, outcome: &str| {
        trail.iter().filter(|e| e.action == action && e.outcome.as_deref() == Some(outcome)).count()
    };
    assert_eq!((count("ask_approval", "done"), count("approve", "approval_own")), (1, 2));
    assert_eq!((count("reject", "done"), count("approve", "approval_decided")), (2, 1));
}

#[tokio::test]
async fn a_request_is_refused_where_the_direct_way_would_refuse_it() {
    let (town, ming, anna, _) = desk().await;
    let city = &town.city;
    let viewer = Operator { role: Role::Viewer, ..anna };
    let nobody = ResidentId::from_u128(9).as_u128();
    let no_shop = MerchantId::from_u128(9).as_u128();
    let big = LIMIT + 1;
    let deposit = MovementKind::Deposit;
    for (by, wanted, refused) in [
        (viewer, movement(&town, deposit, ming.as_u128(), big, "B-1"), "forbidden"),
        (anna, movement(&town, deposit, ming.as_u128(), 0, "B-1"), "amount_unacceptable"),
        (anna, movement(&town, deposit, ming.as_u128(), 2_000_000_000_000, "B-1"), "amount_unacceptable"),
        (anna, movement(&town, deposit, ming.as_u128(), big, "B 1"), "reference_malformed"),
        (anna, movement(&town, deposit, nobody, big, "B-1"), "resident_unknown"),
        (anna, movement(&town, MovementKind::Payout, no_shop, big, "B-1"), "merchant_unknown"),
    ] {
        assert_eq!(code(approval::book(city, &by, wanted, None).await), refused);
    }
    let waits = ask(city, &anna, movement(&town, deposit, ming.as_u128(), big, "B-1")).await;
    let differs = movement(&town, deposit, ming.as_u128(), big + 1, "B-1");
    assert_eq!(code(approval::book(city, &anna, differs, None).await), "approval_differs");
    let all = approval::list(city, &anna, None, None, 10).await.expect("a list");
    assert_eq!(all, [waits]);
}

/// How often money moved into the wallet.
async fn deposits(town: &Town, account: u128) -> usize {
    let flags = ledger::AccountFilterFlags::Credits;
    let filter = AccountFilter { account_id: account, limit: 1_000, flags, ..AccountFilter::default() };
    town.city.ledger.get_account_transfers(filter).await.expect("the ledger answers").len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_approvers_on_two_nodes_move_the_money_once() {
    let (town, ming, anna, _) = desk().await;
    let account = ming.as_u128();
    let waits =
        ask(&town.city, &anna, movement(&town, MovementKind::Deposit, account, LIMIT + 1, "B-1")).await;
    let mut approvers = Vec::new();
    for n in 0..50 {
        approvers.push(operator(&town, &format!("approver {n}"), Role::Staff).await.0);
    }
    let nodes = [town.city.clone(), town.node().await];
    let answers = race(50, |n| {
        let (city, by, id) = (nodes[n % 2].clone(), approvers[n], waits.id);
        async move { approve(&city, &by, id, None).await }
    })
    .await;
    assert_eq!(answers.iter().flatten().filter(|a| a.state == ApprovalState::Booked).count(), 50);
    let deciders: std::collections::HashSet<_> =
        answers.iter().flatten().map(|a| a.decided.expect("decided").0).collect();
    assert_eq!(deciders.len(), 1, "one of them approved it");
    assert_eq!((has(&town, account).await, deposits(&town, account).await), (LIMIT + 1, 1));
    town.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn approving_and_rejecting_compete_and_one_wins() {
    let (town, ming, anna, bert) = desk().await;
    let account = ming.as_u128();
    let mut moved = 0;
    for round in 0..10 {
        let reference = format!("B-{round}");
        let waits =
            ask(&town.city, &anna, movement(&town, MovementKind::Deposit, account, LIMIT + 1, &reference))
                .await;
        let answers = race(20, |n| {
            let (city, id) = (town.city.clone(), waits.id);
            async move {
                if n % 2 == 0 {
                    approve(&city, &bert, id, None).await
                } else {
                    reject(&city, &bert, id, None).await
                }
            }
        })
        .await;
        assert_eq!(answers.iter().flatten().count(), 10, "those who are of the winner's mind");
        assert_eq!(refused_with(&answers, "approval_decided"), 10);
        let end = approval::get(&town.city, &anna, waits.id).await.expect("there").state;
        assert!(matches!(end, ApprovalState::Booked | ApprovalState::Rejected), "{end:?}");
        moved += i64::from(end == ApprovalState::Booked);
    }
    assert_eq!(has(&town, account).await, moved * (LIMIT + 1));
    town.assert_conserved().await;
}

#[tokio::test]
async fn what_was_approved_and_not_booked_is_driven_to_its_end() {
    for by_approving_again in [true, false] {
        let (town, ming, anna, bert) = desk().await;
        let account = ming.as_u128();
        let waits =
            ask(&town.city, &anna, movement(&town, MovementKind::Deposit, account, LIMIT + 1, "B-1")).await;
        // The node claims it and finds no room in the ledger: as after a crash, it is approved and not booked.
        let (node, full) = town.node_that_fills_up().await;
        full.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(code(approve(&node, &bert, waits.id, None).await), "ledger_no_space");
        let cut = approval::get(&town.city, &anna, waits.id).await.expect("there");
        assert_eq!((cut.state, has(&town, account).await), (ApprovalState::Approved, 0));
        assert_eq!(code(reject(&town.city, &bert, waits.id, None).await), "approval_decided");
        assert_eq!(code(approve(&town.city, &anna, waits.id, None).await), "approval_own");
        assert_eq!(approval::resume(&node).await, Ok(0), "still no room");
        let town = town.reopen().await;
        if by_approving_again {
            approve(&town.city, &bert, waits.id, None).await.expect("approved");
        } else {
            assert_eq!(approval::resume(&town.city).await, Ok(1));
        }
        assert_eq!(approval::resume(&town.city).await, Ok(0), "nothing is left");
        let end = approval::get(&town.city, &anna, waits.id).await.expect("there");
        assert_eq!((end.state, end.decided.map(|d| d.0)), (ApprovalState::Booked, Some(bert.id)));
        assert_eq!((has(&town, account).await, deposits(&town, account).await), (LIMIT + 1, 1));
        town.assert_conserved().await;
    }
}

/// Closes an account in the ledger, as a run-down bank would.
async fn close(town: &Town, account: u128) {
    let currency = town.city.settings.currency;
    let other = city::books::bank_clearing(currency);
    let closing = Transfer {
        flags: TransferFlags::Pending | TransferFlags::ClosingDebit,
        ..city::books::transfer(account ^ 1, account, other, 0, currency, 1)
    };
    let done = town.city.ledger.create_transfers(vec![closing]).await.expect("the ledger answers");
    assert_eq!(done[0].status, ledger::CreateTransferStatus::Created);
}

#[tokio::test]
async fn what_the_ledger_refuses_for_good_has_failed() {
    let (town, ming, anna, bert) = desk().await;
    let (city, account) = (&town.city, ming.as_u128());
    let wanted = movement(&town, MovementKind::Deposit, account, LIMIT + 1, "B-1");
    let waits = ask(city, &anna, wanted.clone()).await;
    close(&town, account).await;
    assert_eq!(code(approve(city, &bert, waits.id, None).await), "ledger_refused");
    let failed = approval::get(city, &anna, waits.id).await.expect("there");
    assert_eq!((failed.state, failed.outcome.as_deref()), (ApprovalState::Failed, Some("ledger_refused")));
    assert_eq!(approval::resume(city).await, Ok(0), "nobody asks again and again");
    let small = movement(&town, MovementKind::Deposit, account, 100, "B-2");
    assert_eq!(code(approval::book(city, &anna, small, None).await), "ledger_refused");
    let shop = town.shop("s-1").await.id.as_u128();
    close(&town, shop).await;
    let out = movement(&town, MovementKind::Payout, shop, 100, "P-1");
    assert_eq!(code(approval::book(city, &anna, out, None).await), "ledger_refused");
}

/// A node that was held up comes to book what another found to have failed: it cannot any more, whatever the wallet
/// has by then. What is asked anew moves once.
#[tokio::test]
async fn what_has_failed_stays_failed_however_late_a_node_comes() {
    let (town, ming, anna, bert) = desk().await;
    let (city, account) = (&town.city, ming.as_u128());
    let out = movement(&town, MovementKind::Withdrawal, account, LIMIT + 1, "OUT-1");
    let waits = ask(city, &anna, out.clone()).await;
    let (node, gate) = town.node_that_is_held_up().await;
    gate.close().await;
    let late = tokio::spawn(async move { approve(&node, &bert, waits.id, None).await });
    gate.somebody_waits().await;
    assert_eq!(approval::resume(city).await, Ok(1));
    let failed = approval::get(city, &anna, waits.id).await.expect("there");
    assert_eq!(
        (failed.state, failed.outcome.as_deref()),
        (ApprovalState::Failed, Some("insufficient_balance"))
    );
    city::wallet::deposit(city, &anna, ming, town.money(2 * LIMIT), "IN-1").await.expect("a deposit");
    gate.open();
    assert_eq!(code(late.await.expect("no panic")), "approval_decided");
    assert_eq!(approval::get(city, &anna, waits.id).await, Ok(failed.clone()));
    assert_eq!(has(&town, account).await, 2 * LIMIT, "nothing moved");
    let anew = ask(city, &anna, out).await;
    assert_ne!(anew.id, failed.id);
    let done = approve(city, &bert, anew.id, None).await.expect("approved");
    assert_eq!((done.state, done.outcome), (ApprovalState::Booked, None));
    assert_eq!(has(&town, account).await, LIMIT - 1);
    town.assert_conserved().await;
}

/// A crash between the ledger's word that it failed and its row: the next who looks says the same.
#[tokio::test]
async fn a_failure_that_was_cut_off_is_found_again() {
    let (town, ming, anna, bert) = desk().await;
    let (city, account) = (&town.city, ming.as_u128());
    let out = movement(&town, MovementKind::Withdrawal, account, LIMIT + 1, "OUT-1");
    let waits = ask(city, &anna, out).await;
    let (node, full) = town.node_that_fills_up().await;
    full.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(code(approve(&node, &bert, waits.id, None).await), "ledger_no_space");
    let mark = kernel::derive_u128("approval", &[&waits.id.to_bytes()]);
    let code_failed = city::books::transfer_code::APPROVAL_FAILED;
    assert_eq!(city::books::mark(&city.ledger, mark, code_failed).await, Ok(code_failed));
    city::wallet::deposit(city, &anna, ming, town.money(2 * LIMIT), "IN-1").await.expect("a deposit");
    assert_eq!(approval::resume(city).await, Ok(1));
    let failed = approval::get(city, &anna, waits.id).await.expect("there");
    assert_eq!((failed.state, failed.outcome.as_deref()), (ApprovalState::Failed, Some("movement_given_up")));
    assert_eq!(has(&town, account).await, 2 * LIMIT, "nothing moved");
}

#[tokio::test]
async fn everything_approved_is_driven_to_its_end_however_much_it_is() {
    let (town, ming, anna, bert) = desk().await;
    let (node, full) = town.node_that_fills_up().await;
    full.store(true, std::sync::atomic::Ordering::Relaxed);
    for n in 0..101 {
        let wanted = movement(&town, MovementKind::Deposit, ming.as_u128(), LIMIT + 1, &format!("B-{n}"));
        let waits = ask(&town.city, &anna, wanted).await;
        assert_eq!(code(approve(&node, &bert, waits.id, None).await), "ledger_no_space");
    }
    assert_eq!(approval::resume(&node).await, Ok(0), "still no room");
    assert_eq!(approval::resume(&town.city).await, Ok(101));
    assert_eq!(has(&town, ming.as_u128()).await, 101 * (LIMIT + 1));
}

/// An admin who makes keys for others has seen them: he is not two pairs of eyes, whoever the keys say they are of.
#[tokio::test]
async fn keys_that_one_hand_made_are_one_pair_of_eyes() {
    let town = Town::new().await;
    let app = router(&town.city);
    let ming = town.resident("13800001111").await.id;
    let (_, root) = operator(&town, "root", Role::Admin).await;
    let (other_id, other) = operator(&town, "other root", Role::Admin).await;
    let added = async |by: &str, name: &str| {
        let (status, made) = call(&app, "POST", "/v1/operators", by, json!({"name": name})).await;
        assert_eq!(status, 201, "{made}");
        town.pass(1);
        (made["operator"].clone(), made["secret"].as_str().expect("a secret").to_owned())
    };
    let (anna_id, anna) = added(&root, "anna").await;
    let (_, bert) = added(&anna, "bert").await;
    let (_, carl) = added(&root, "carl").await;
    let (_, dora) = added(&other, "dora").await;
    let key = async |by: &str, owner: &Value| {
        let body = json!({"owner": owner, "role": "staff", "name": "another"});
        let (status, made) = call(&app, "POST", "/v1/keys", by, body).await;
        assert_eq!(status, 201, "{made}");
        made["secret"].as_str().expect("a secret").to_owned()
    };
    let annas_by_other = key(&other, &anna_id).await;
    let others_by_root = key(&root, &json!(other_id.id)).await;
    let amount = json!({"minor": LIMIT + 1, "currency": Currency::CNY.to_string()});
    for (n, (what, asker, decider, wanted)) in [
        ("her key was made by the asker", &root, &anna, Some("approval_one_hand")),
        ("his key was made with one that the asker made", &root, &bert, Some("approval_one_hand")),
        ("the asker's key was made by him", &anna, &root, Some("approval_one_hand")),
        ("both keys were made by one", &anna, &carl, Some("approval_one_hand")),
        ("both come from one, at last", &carl, &bert, Some("approval_one_hand")),
        (
            "another line, but this key was made by the asker",
            &root,
            &others_by_root,
            Some("approval_one_hand"),
        ),
        ("whose line this key of hers is of", &other, &annas_by_other, Some("approval_one_hand")),
        ("the same operator", &anna, &annas_by_other, Some("approval_own")),
        ("another line", &bert, &dora, None),
        ("another line, first key", &root, &other, None),
        ("her key of another line", &carl, &annas_by_other, None),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({"resident": ming, "amount": amount, "reference": format!("B-{n}")});
        let (status, waits) = call(&app, "POST", "/v1/deposits", asker, body).await;
        assert_eq!(status, 202, "{what}: {waits}");
        for how in ["reject", "approve"].into_iter().filter(|how| wanted.is_some() || *how == "approve") {
            let path = format!("/v1/operator/approvals/{}/{how}", waits["id"].as_str().expect("an id"));
            let (status, answer) = call(&app, "POST", &path, decider, json!({})).await;
            match wanted {
                Some(code) => assert_eq!((status, &answer["code"]), (403, &json!(code)), "{what}"),
                None => assert_eq!((status, &answer["state"]), (200, &json!("booked")), "{what}: {answer}"),
            }
        }
    }
    assert_eq!(town.available(ming.as_u128()).await, 3 * (LIMIT + 1));
}

#[tokio::test]
async fn a_direct_booking_under_the_same_reference_wins_or_loses_but_never_adds() {
    let (town, ming, anna, bert) = desk().await;
    let account = ming.as_u128();
    let waits =
        ask(&town.city, &anna, movement(&town, MovementKind::Deposit, account, LIMIT + 1, "B-1")).await;
    let small = movement(&town, MovementKind::Deposit, account, 100, "B-1");
    assert!(matches!(approval::book(&town.city, &anna, small, None).await, Ok(Booking::Moved(_))));
    assert_eq!(code(approve(&town.city, &bert, waits.id, None).await), "idempotency_key_used");
    assert_eq!((has(&town, account).await, deposits(&town, account).await), (100, 1));
}

#[tokio::test]
async fn what_a_person_books_is_in_the_trail_with_its_reason() {
    let (town, ming, anna, _) = desk().await;
    let (admin, _) = operator(&town, "admin", Role::Admin).await;
    let (city, account) = (&town.city, ming.as_u128());
    let browser = Operator { browser: true, ..anna };
    let small = |reference: &str| movement(&town, MovementKind::Deposit, account, 100, reference);
    assert_eq!(code(approval::book(city, &browser, small("B-1"), None).await), "reason_missing");
    assert_eq!(has(&town, account).await, 0, "and nothing moved");
    let reason = Some("cash at the desk");
    assert!(matches!(approval::book(city, &browser, small("B-1"), reason).await, Ok(Booking::Moved(_))));
    assert!(matches!(approval::book(city, &anna, small("B-2"), None).await, Ok(Booking::Moved(_))));
    let entries = trail(city, &admin, None, 10).await.expect("the trail");
    assert_eq!(entries.len(), 1, "a program's booking is in the ledger only");
    let one = &entries[0];
    assert_eq!(
        (one.action.as_str(), one.operator, one.reason.as_deref(), one.outcome.as_deref()),
        ("deposit", anna.id, reason, Some("done"))
    );
}

#[tokio::test]
async fn the_ledger_says_who_booked() {
    let (town, ming, anna, _) = desk().await;
    let small = movement(&town, MovementKind::Deposit, ming.as_u128(), 100, "B-1");
    let id = small.payment().as_u128();
    approval::book(&town.city, &anna, small, None).await.expect("booked");
    let found = town.city.ledger.lookup_transfers(vec![id]).await.expect("the ledger answers");
    assert_eq!(found[0].user_data_128, anna.id.as_u128());
}

#[tokio::test]
async fn over_http() {
    let (town, ming, _, _) = desk().await;
    let app = router(&town.city);
    let (_, carl) = operator(&town, "carl", Role::Staff).await;
    let (dora, doras) = operator(&town, "dora", Role::Staff).await;
    let (_, viewer) = operator(&town, "viewer", Role::Viewer).await;
    let amount = json!({"minor": 6_000_000, "currency": Currency::CNY.to_string()});
    let body = json!({"resident": ming, "amount": amount, "reference": "B-1", "reason": "cash at the desk"});
    let (status, waits) = call(&app, "POST", "/v1/deposits", &carl, body.clone()).await;
    assert_eq!(
        (status, &waits["state"], &waits["kind"]),
        (202, &json!("waiting"), &json!("deposit")),
        "{waits}"
    );
    assert_eq!((&waits["subject"], &waits["subject_name"]), (&json!(ming), &json!("王*明")));
    assert_eq!((&waits["asked_by"]["name"], &waits["payment"]), (&json!("carl"), &Value::Null));
    assert_eq!(call(&app, "POST", "/v1/deposits", &carl, body.clone()).await, (202, waits.clone()));
    let path = format!("/v1/operator/approvals/{}", waits["id"].as_str().expect("an id"));
    assert_eq!(call(&app, "GET", &path, &doras, ()).await, (200, waits.clone()));
    let (_, list) = call(&app, "GET", "/v1/operator/approvals?state=waiting", &doras, ()).await;
    assert_eq!(list, json!({"items": [waits], "next": null}));
    let yes = json!({"reason": "saw the cash"});
    for (method, path, key, body, status, code) in [
        ("POST", format!("{path}/approve"), &carl, yes.clone(), 403, "approval_own"),
        ("POST", format!("{path}/approve"), &viewer, yes.clone(), 403, "forbidden"),
        ("POST", format!("{path}/approve"), &doras, json!({"why": "x"}), 400, "malformed_body"),
        ("POST", format!("{path}/reject"), &doras, json!({"reason": "x"}), 422, "reason_missing"),
        ("POST", "/v1/operator/approvals/apr_1/approve".into(), &doras, yes.clone(), 400, "malformed_id"),
        (
            "POST",
            "/v1/operator/approvals/apr_01h2xcejqtf2nbrexx3vqjhp41/reject".into(),
            &doras,
            yes.clone(),
            404,
            "approval_unknown",
        ),
        ("GET", "/v1/operator/approvals?state=odd".into(), &doras, Value::Null, 400, "malformed_query"),
        ("GET", "/v1/operator/approvals?cursor=odd".into(), &doras, Value::Null, 400, "malformed_cursor"),
        ("GET", "/v1/operator/approvals".into(), &viewer, Value::Null, 403, "forbidden"),
        ("GET", path.clone(), &viewer, Value::Null, 403, "forbidden"),
    ] {
        let (got, problem) = match body {
            Value::Null => call(&app, method, &path, key, ()).await,
            body => call(&app, method, &path, key, body).await,
        };
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{method} {path}");
    }
    let (status, done) = call(&app, "POST", &format!("{path}/approve"), &doras, yes).await;
    assert_eq!((status, &done["state"], &done["decided_by"]["id"]), (200, &json!("booked"), &json!(dora.id)));
    assert_eq!(done["decision_reason"], json!("saw the cash"));
    let (status, booked) = call(&app, "POST", "/v1/deposits", &carl, body).await;
    assert_eq!((status, &booked["id"], &booked["repeated"]), (200, &done["payment"], &json!(true)));
    let (_, problem) = call(&app, "POST", &format!("{path}/reject"), &doras, json!({})).await;
    assert_eq!(problem["detail"], json!("this request is booked already"));
}
