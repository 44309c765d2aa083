//! Bills paid in parts: what is left, who wins, what a repetition is, and that every reader of the ledger is right.

use std::sync::Arc;

use city::bill::connector::Outcome;
use city::bill::pack::FeeOrder;
use city::bill::{self, BillView, HistoryFilter, PayBill, PayState, Standing};
use city::books;
use kernel::ids::{BillId, BillerId};

use crate::common::{Town, call, code, race, refused_with};
use crate::pay::Scripted;
use crate::support::{POWER, import, power_file, shipped, wish};

/// `hz-power`, but in parts of 10.00 yuan or more.
pub fn parts_pack(order: &str, more: &str) -> String {
    let text = shipped("330100/hz-power").text;
    let text = text.replace("id = \"hz-power\"", "id = \"hz-parts\"").replace(
        "amount_rule = \"exact\"",
        &format!("amount_rule = \"up_to\"\nparts = true\npart_min_minor = 1000\n{more}"),
    );
    text.replace("bps_per_day = 10", &format!("bps_per_day = 10\norder = \"{order}\""))
}

/// A town in which POWER[0] owes 100.00 by 25 March to a biller that takes parts.
async fn owing(order: &str) -> (Town, BillerId, BillId) {
    let town = Town::new().await;
    let biller = bill::add_pack(&town.city, &town.operator, &parts_pack(order, "")).await.unwrap().biller;
    import(&town, biller, power_file(&[(POWER[0], "B1", "100.00")]).as_bytes()).await.unwrap();
    let found = bill::fetch(&town.city, biller, POWER[0]).await.unwrap().remove(0);
    (town, biller, found.bill.id)
}

async fn view(town: &Town, id: BillId) -> BillView {
    bill::bill(&town.city, id).await.unwrap()
}

/// A wish to pay this much of the bill, at the price of now.
async fn part(town: &Town, id: BillId, minor: i64) -> PayBill {
    PayBill { amount_minor: Some(minor), ..wish(town, id).await }
}

/// Lets days pass until it is this one, at 10:00.
fn until(town: &Town, day: &str) {
    let day = day.parse().expect("a day");
    while town.city.now().date(town.city.settings.offset) < day {
        town.pass(86_400);
    }
}

#[tokio::test]
async fn a_bill_is_paid_in_parts_and_its_fee_runs_on_what_is_left() {
    // Order, the fee within the second part, and what is open ten days after it: of the bill, and of the fee. Ten days
    // at 2.00 fen are 20; at 2.06 they are 20.6.
    for (order, second_fee, last) in
        [("principal_first", 0, (2_000, 60 + 20)), ("fee_first", 60, (2_060, 21))]
    {
        let (town, biller, id) = owing(order).await;
        let (who, other) = (town.rich("13800000001", 50_000).await, town.rich("13800000002", 50_000).await);
        let first = bill::pay(&town.city, &who, part(&town, id, 4_000).await).await.unwrap();
        assert_eq!(
            (first.state, first.settled.amount_minor, first.settled.late_fee_minor),
            (PayState::Settled, 4_000, 0)
        );
        assert_eq!(first.settled.payment.as_u128(), id.as_u128(), "part 0 has the bill's own id");
        let now = view(&town, id).await;
        assert_eq!((&now.standing, now.quote.total_minor, now.parts.len()), (&Standing::Open, 6_000, 1));

        // Late by ten days: 6 fen a day on 60.00 yuan.
        until(&town, "2026-03-30");
        assert_eq!(view(&town, id).await.quote.late_fee_minor, 30, "{order}");
        until(&town, "2026-04-04");
        let quote = view(&town, id).await.quote;
        assert_eq!((quote.amount_minor, quote.late_fee_minor), (6_000, 60), "{order}");
        let second = bill::pay(&town.city, &other, part(&town, id, 4_000).await).await.unwrap();
        assert_eq!(
            (second.settled.amount_minor, second.settled.late_fee_minor),
            (4_000, second_fee),
            "{order}"
        );

        // What is left, whole.
        until(&town, "2026-04-14");
        let quote = view(&town, id).await.quote;
        assert_eq!((quote.amount_minor, quote.late_fee_minor), last, "{order}");
        assert_eq!(quote.late_fee_lines.iter().map(|line| line.amount_minor).sum::<i64>(), last.1);
        let third = bill::pay(&town.city, &who, wish(&town, id).await).await.unwrap();
        assert_eq!(third.settled.late_fee_minor, last.1, "{order}");

        // Settled, for everybody who reads the ledger.
        let now = view(&town, id).await;
        assert_eq!((now.standing, now.parts.len()), (Standing::Settled(third.settled), 3));
        assert_eq!(code(bill::quote(&town.city, id).await), "bill_already_settled");
        let all = HistoryFilter::default();
        let (history, _) = bill::history(&town.city, &who, &all, None, 10).await.unwrap();
        assert_eq!(history.iter().map(|e| e.settled).collect::<Vec<_>>(), [third.settled, first.settled]);
        let receipt = bill::receipt(&town.city, &other, second.settled.payment).await.unwrap();
        assert!(receipt.html(&town.city).contains("40.00 CNY"), "{order}");
        assert_eq!(bill::settle_pending(&town.city).await, Ok(0));
        let sum = 8_000 + third.settled.amount_minor;
        assert_eq!(town.available(books::biller(biller)).await, sum);
        // The settlement files have a line for each payment.
        town.pass(86_400);
        let mut lines = 0;
        for paid in [first, second, third] {
            let day = paid.settled.at.date(town.city.settings.offset);
            let file = bill::reconcile::settlement_file(&town.city, biller, day).await.unwrap();
            let text = String::from_utf8_lossy(&file).into_owned();
            lines += text.matches("|B1|").count();
            assert!(text.contains(&paid.settled.payment.to_string()), "{text}");
        }
        assert_eq!(lines, 3);
        // A restart forgets nothing.
        let town = town.reopen().await;
        assert_eq!(view(&town, id).await.parts.len(), 3);
        town.assert_conserved().await;
    }
}

#[tokio::test]
async fn what_is_no_part_is_refused() {
    let (town, _, id) = owing("principal_first").await;
    let who = town.rich("13800000001", 50_000).await;
    for minor in [-1, 0, 1, 999, 10_001] {
        assert_eq!(
            code(bill::pay(&town.city, &who, part(&town, id, minor).await).await),
            "amount_unacceptable"
        );
    }
    let old = part(&town, id, 1_000).await;
    // 22 parts of 10.00 do not fit; take what does, so that less than the least is left.
    bill::pay(&town.city, &who, part(&town, id, 9_500).await).await.unwrap();
    assert_eq!(
        code(bill::pay(&town.city, &who, PayBill { request_id: Some("x".into()), ..old }).await),
        "quote_changed"
    );
    assert_eq!(code(bill::pay(&town.city, &who, part(&town, id, 499).await).await), "amount_unacceptable");
    assert_eq!(view(&town, id).await.quote.total_minor, 500);
    bill::pay(&town.city, &who, part(&town, id, 500).await).await.unwrap();
    assert!(matches!(view(&town, id).await.standing, Standing::Settled(_)));
    assert_eq!(town.available(books::wallet(who.id)).await, 40_000);
}

#[tokio::test]
async fn the_last_of_many_parts_pays_the_rest() {
    let (town, _, id) = owing("principal_first").await;
    let text = parts_pack("principal_first", "").replace("part_min_minor = 1000", "part_min_minor = 1");
    bill::add_pack(&town.city, &town.operator, &text).await.unwrap();
    let who = town.rich("13800000001", 50_000).await;
    for _ in 0..23 {
        bill::pay(&town.city, &who, part(&town, id, 1).await).await.unwrap();
    }
    assert_eq!(code(bill::pay(&town.city, &who, part(&town, id, 1).await).await), "amount_unacceptable");
    bill::pay(&town.city, &who, part(&town, id, 9_977).await).await.unwrap();
    let now = view(&town, id).await;
    assert_eq!((now.parts.len(), matches!(now.standing, Standing::Settled(_))), (24, true));
}

#[tokio::test]
async fn a_repeated_part_is_the_same_payment_whatever_came_after() {
    let (town, _, id) = owing("principal_first").await;
    let (who, other) = (town.rich("13800000001", 50_000).await, town.rich("13800000002", 50_000).await);
    let request = PayBill { request_id: Some("app-1".into()), ..part(&town, id, 2_000).await };
    let first = bill::pay(&town.city, &who, request.clone()).await.unwrap();
    bill::pay(&town.city, &other, part(&town, id, 3_000).await).await.unwrap();
    // With the old quote, with a new one, and long after: the same payment, and no second one.
    let renewed = PayBill { quote: wish(&town, id).await.quote, ..request.clone() };
    for again in [request.clone(), renewed] {
        let again = bill::pay(&town.city, &who, again).await.unwrap();
        assert_eq!((again.settled, again.repeated), (first.settled, true));
    }
    town.pass(3_600);
    assert!(bill::pay(&town.city, &who, request.clone()).await.unwrap().repeated);
    assert_eq!(code(bill::pay(&town.city, &other, request).await), "quote_expired");
    assert_eq!(view(&town, id).await.quote.total_minor, 5_000);
    assert_eq!(town.available(books::wallet(who.id)).await, 48_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_one_part_one_pays_it_and_the_whole_races_with_it() {
    let (town, biller, id) = owing("principal_first").await;
    let crowd = town.crowd(10, 50_000).await;
    let (some, whole) = (part(&town, id, 2_500).await, wish(&town, id).await);
    let city = town.city.clone();
    let results = race(60, |i| {
        let request = if i % 2 == 0 { some.clone() } else { whole.clone() };
        let (city, who) = (city.clone(), crowd[i % 10]);
        async move { bill::pay(&city, &who, PayBill { request_id: Some(format!("r{i}")), ..request }).await }
    })
    .await;
    let won: Vec<_> = results.iter().filter_map(|r| r.as_ref().ok()).collect();
    assert_eq!(won.len(), 1);
    let (refusal, left) = match won[0].settled.amount_minor {
        2_500 => ("quote_changed", Some(7_500)),
        _ => ("bill_already_settled", None),
    };
    assert_eq!(refused_with(&results, refusal), 59);
    let now = view(&town, id).await;
    assert_eq!(left, (now.standing == Standing::Open).then_some(now.quote.total_minor));
    assert_eq!(town.available(books::biller(biller)).await, won[0].settled.amount_minor);
    town.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_sent_many_times_on_two_nodes_pays_one_part() {
    let (town, biller, id) = owing("principal_first").await;
    let who = town.rich("13800000001", 50_000).await;
    let request = PayBill { request_id: Some("one".into()), ..part(&town, id, 2_500).await };
    let nodes = [town.city.clone(), town.node().await];
    let results = race(40, |i| {
        let (city, request) = (nodes[i % 2].clone(), request.clone());
        async move { bill::pay(&city, &who, request).await }
    })
    .await;
    let payments: std::collections::HashSet<_> =
        results.iter().map(|r| r.as_ref().unwrap().settled.payment).collect();
    assert_eq!(payments.len(), 1);
    assert_eq!(results.iter().filter(|r| !r.as_ref().unwrap().repeated).count(), 1);
    assert_eq!(town.available(books::biller(biller)).await, 2_500);
}

#[tokio::test]
async fn a_part_whose_biller_is_silent_holds_the_next_until_it_is_known() {
    for (answer, open) in [(Outcome::Confirmed, 5_000), (Outcome::Refused("no".into()), 7_500)] {
        let (town, biller, id) = owing("principal_first").await;
        let (who, other) = (town.rich("13800000001", 50_000).await, town.rich("13800000002", 50_000).await);
        bill::pay(&town.city, &who, part(&town, id, 2_500).await).await.unwrap();
        let live = Scripted::new(Outcome::Silent);
        bill::connect(&town.city, biller, live.clone());
        let request = part(&town, id, 2_500).await;
        let held = bill::pay(&town.city, &who, request.clone()).await.unwrap();
        assert_eq!(held.state, PayState::Pending);
        assert!(matches!(view(&town, id).await.standing, Standing::Claimed { .. }));
        assert_eq!(code(bill::pay(&town.city, &other, part(&town, id, 7_500).await).await), "bill_claimed");
        let again = bill::pay(&town.city, &who, request.clone()).await.unwrap();
        assert_eq!((again.settled, again.state, again.repeated), (held.settled, PayState::Pending, true));

        // A crash, and the outcome is asked for.
        let town = town.reopen().await;
        bill::connect(&town.city, biller, live.clone());
        live.answers(answer);
        assert_eq!(bill::settle_pending(&town.city).await, Ok(0));
        let now = view(&town, id).await;
        assert_eq!((&now.standing, now.quote.total_minor), (&Standing::Open, open));
        // The next part goes on from there, at the next attempt where one was refused.
        bill::connect(&town.city, biller, Arc::new(bill::connector::FileConnector));
        bill::pay(&town.city, &other, wish(&town, id).await).await.unwrap();
        assert!(matches!(view(&town, id).await.standing, Standing::Settled(_)));
        assert_eq!(town.available(books::biller(biller)).await, 10_000);
        town.assert_conserved().await;
    }
}

#[tokio::test]
async fn a_pack_that_takes_no_parts_any_more_takes_the_rest() {
    let (town, _, id) = owing("principal_first").await;
    let who = town.rich("13800000001", 50_000).await;
    bill::pay(&town.city, &who, part(&town, id, 2_500).await).await.unwrap();
    let text = parts_pack("principal_first", "").replace(
        "amount_rule = \"up_to\"\nparts = true\npart_min_minor = 1000\n",
        "amount_rule = \"exact\"\n",
    );
    bill::add_pack(&town.city, &town.operator, &text).await.unwrap();
    assert_eq!(code(bill::pay(&town.city, &who, part(&town, id, 2_500).await).await), "amount_unacceptable");
    let rest = wish(&town, id).await;
    assert_eq!(bill::pay(&town.city, &who, rest).await.unwrap().settled.amount_minor, 7_500);
    assert!(matches!(view(&town, id).await.standing, Standing::Settled(_)));
}

#[test]
fn packs_say_sensibly_whether_they_take_parts() {
    for (from, to, key) in [
        ("amount_rule = \"up_to\"", "amount_rule = \"exact\"", "bills.parts"),
        ("amount_rule = \"up_to\"", "amount_rule = \"any\"", "bills.parts"),
        ("part_min_minor = 1000", "part_min_minor = 0", "bills.part_min_minor"),
        ("parts = true", "parts = false", "bills.part_min_minor"),
    ] {
        match bill::Pack::parse(&parts_pack("fee_first", "").replace(from, to)) {
            Err(bill::PackError::Invalid(place, _)) => assert_eq!(place, key, "{to}"),
            other => panic!("{to}: {other:?}"),
        }
    }
    let good = bill::Pack::parse(&parts_pack("fee_first", "")).unwrap();
    assert_eq!(good.spec.late_fee[0].order, FeeOrder::FeeFirst);
    let live = crate::support::live_pack("hz-l", "water", ["水", "Water"], "");
    let live = live.replace("amount_rule = \"exact\"", "amount_rule = \"up_to\"\nparts = true");
    let refused = bill::Pack::parse(&live).unwrap_err().to_string();
    assert!(refused.starts_with("bills.parts"), "{refused}");
}

#[tokio::test]
async fn the_routes_show_lines_and_parts() {
    let (town, _, id) = owing("fee_first").await;
    let (router, _) = bill::http::routes().split_for_parts();
    let router = router.with_state(town.city.clone());
    let token = crate::http::token(&town, "13800000009", 50_000).await;
    until(&town, "2026-03-30");
    let read = format!("/v1/bills/{id}");
    let (_, quote) = call(&router, "POST", &format!("{read}/quote"), &token, "").await;
    assert_eq!(
        quote["late_fee_lines"],
        serde_json::json!([{"from": "2026-03-26", "to": "2026-03-30", "days": 5, "base_minor": 10_000, "bps": 10,
            "amount_minor": 50, "rule_version": null, "calendar_version": null, "why": "daily"}])
    );
    assert_eq!((&quote["late_fee_order"], &quote["least"]["minor"]), (&"fee_first".into(), &1_000.into()));
    let body = format!(
        r#"{{"quote":"{}","amount":{{"minor":4050,"currency":"CNY"}}}}"#,
        quote["id"].as_str().unwrap()
    );
    let (status, paid) = call(&router, "POST", &format!("{read}/pay"), &token, body.as_str()).await;
    assert_eq!((status, &paid["late_fee"]["minor"]), (200, &50.into()), "{paid}");
    let (_, now) = call(&router, "GET", &read, &token, "").await;
    assert_eq!(now["state"], "open");
    let partly = &now["partly_paid"];
    assert_eq!(
        (&partly["paid"]["minor"], &partly["open"]["minor"], &partly["parts"][0]["amount"]["minor"]),
        (&4_050.into(), &6_000.into(), &4_050.into()),
        "{now}"
    );
    assert_eq!(now["quote"]["late_fee_lines"][1]["why"], "paid");
    let (_, biller) = call(&router, "GET", "/v1/billers/hz-parts", "", "").await;
    assert_eq!((&biller["parts"], &biller["order"]), (&true.into(), &"any".into()));
}
