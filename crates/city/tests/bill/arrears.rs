//! Several open bills of one account: the price of all, oldest first, what a stop leaves, and that a repetition goes on.

use std::fmt::Write as _;

use city::bill::connector::Outcome;
use city::bill::{self, Arrears, BillError, PaidAccount, PayAccount, PayState, Standing};
use city::books;
use city::identity::Resident;
use kernel::ids::BillerId;

use crate::common::{PIN, Town, call, code, race, refused_with};
use crate::parts::parts_pack;
use crate::pay::Scripted;
use crate::support::{POWER, import, pay, shipped, wish};

/// The pack of `hz-power` that wants the oldest bill first.
fn oldest_first() -> String {
    let text = shipped("330100/hz-power").text.replace("id = \"hz-power\"", "id = \"hz-old\"");
    text.replace("amount_rule = \"exact\"", "amount_rule = \"exact\"\norder = \"oldest_first\"")
}

/// A town in which POWER[0] owes 100.00, 50.00 and 20.00 yuan by the end of January, of February and of March.
async fn owing(pack: &str) -> (Town, BillerId) {
    let town = Town::new().await;
    let biller = bill::add_pack(&town.city, &town.operator, pack).await.unwrap().biller;
    let mut file = String::from("户号|账单号|户名|账期|金额|缴费截止日\n");
    for (number, month, yuan, due) in [
        ("B3", "202603", "20.00", "2026-03-31"),
        ("B1", "202601", "100.00", "2026-01-31"),
        ("B2", "202602", "50.00", "2026-02-28"),
    ] {
        writeln!(file, "{}|{number}|王小明|{month}|{yuan}|{due}", POWER[0]).unwrap();
    }
    file += "TOTAL|3|170.00\n";
    import(&town, biller, file.as_bytes()).await.unwrap();
    (town, biller)
}

async fn arrears(town: &Town, biller: BillerId) -> Arrears {
    bill::arrears(&town.city, biller, POWER[0]).await.unwrap()
}

fn all_of(price: &Arrears, biller: BillerId) -> PayAccount {
    PayAccount {
        biller,
        account_no: POWER[0].to_owned(),
        quote: price.id.clone(),
        amount_minor: None,
        pin: None,
        request_id: Some("app-1".to_owned()),
    }
}

fn amounts(done: &PaidAccount) -> Vec<(i64, bool)> {
    done.paid.iter().map(|paid| (paid.settled.amount_minor, paid.repeated)).collect()
}

fn stopped(done: &PaidAccount) -> Option<BillError> {
    done.stopped.as_ref().map(|(_, why)| why.clone())
}

#[tokio::test]
async fn what_is_open_is_priced_and_paid_oldest_first() {
    let (town, biller) = owing(&oldest_first()).await;
    let who = town.rich("13800000001", 50_000).await;
    let price = arrears(&town, biller).await;
    // On 2 March: 30 days at 10 fen, 2 days at 5, none.
    let bills: Vec<_> = price.bills.iter().map(|v| (v.bill.bill_no.as_str(), v.quote.total_minor)).collect();
    assert_eq!(bills, [("B1", 10_300), ("B2", 5_010), ("B3", 2_000)]);
    assert_eq!((price.total_minor, price.late_fee_minor), (17_310, 310));

    // A newer bill alone is refused, and names the oldest that is open.
    for newer in [1, 2] {
        let refused = pay(&town, &who, price.bills[newer].bill.id).await.unwrap_err();
        assert_eq!(refused, BillError::OlderBillOpen(price.bills[0].bill.id));
    }
    let request = all_of(&price, biller);
    let done = bill::pay_account(&town.city, &who, request.clone()).await.unwrap();
    assert_eq!(amounts(&done), [(10_300, false), (5_010, false), (2_000, false)]);
    assert_eq!(done.stopped, None);
    assert_eq!(town.available(books::wallet(who.id)).await, 50_000 - 17_310);
    // The same again is the same payments; nothing is owed any more.
    let again = bill::pay_account(&town.city, &who, request.clone()).await.unwrap();
    assert_eq!(amounts(&again), [(10_300, true), (5_010, true), (2_000, true)]);
    assert_eq!(again.stopped, None);
    assert_eq!(code(bill::arrears(&town.city, biller, POWER[0]).await), "nothing_open");
    // Long after, what it did is still the answer; to another id it is a price that has run out.
    town.pass(3_600);
    let late = bill::pay_account(&town.city, &who, request.clone()).await.unwrap();
    assert_eq!((amounts(&late).len(), stopped(&late)), (3, Some(BillError::QuoteExpired)));
    let other = PayAccount { request_id: Some("app-2".to_owned()), ..request };
    assert_eq!(code(bill::pay_account(&town.city, &who, other).await), "quote_changed");
    assert_eq!(town.available(books::wallet(who.id)).await, 50_000 - 17_310);
    town.assert_conserved().await;
}

#[tokio::test]
async fn what_was_paid_in_order_stays_the_answer_when_an_older_bill_comes() {
    let (town, biller) = owing(&oldest_first()).await;
    let who = town.rich("13800000001", 50_000).await;
    let price = arrears(&town, biller).await;
    let request = wish(&town, price.bills[0].bill.id).await;
    let paid = bill::pay(&town.city, &who, request.clone()).await.unwrap();
    let older = format!(
        "户号|账单号|户名|账期|金额|缴费截止日\n{}|B0|王小明|202512|30.00|2025-12-31\nTOTAL|1|30.00\n",
        POWER[0]
    );
    import(&town, biller, older.as_bytes()).await.unwrap();
    let again = bill::pay(&town.city, &who, request).await.unwrap();
    assert_eq!((again.settled, again.repeated), (paid.settled, true));
    let next = wish(&town, price.bills[1].bill.id).await;
    assert_eq!(code(bill::pay(&town.city, &who, next).await), "older_bill_open");
}

#[tokio::test]
async fn any_order_takes_any_bill() {
    let (town, biller) = owing(&shipped("330100/hz-power").text).await;
    let who = town.rich("13800000001", 50_000).await;
    let newest = arrears(&town, biller).await.bills.remove(2);
    pay(&town, &who, newest.bill.id).await.unwrap();
    assert_eq!(arrears(&town, biller).await.total_minor, 15_310);
}

#[tokio::test]
async fn an_amount_pays_whole_bills_and_a_part_only_where_parts_are_taken() {
    let parts = parts_pack("principal_first", "");
    // Whether parts are taken, the amount, and what of each bill is paid by it.
    let rows: [(bool, i64, &[i64]); 13] = [
        (false, 10_300, &[10_300]),
        (false, 15_310, &[10_300, 5_010]),
        (false, 17_310, &[10_300, 5_010, 2_000]),
        (false, 10_299, &[]),
        (false, 12_000, &[]),
        (false, 17_311, &[]),
        (false, 0, &[]),
        (false, -5, &[]),
        (true, 5_000, &[5_000]),
        (true, 11_300, &[10_300, 1_000]),
        (true, 11_299, &[]), // less than the least part is left for the second
        (true, 17_310, &[10_300, 5_010, 2_000]),
        (true, 17_311, &[]),
    ];
    for (takes_parts, amount, expected) in rows {
        let pack = if takes_parts { parts.clone() } else { oldest_first() };
        let (town, biller) = owing(&pack).await;
        let who = town.rich("13800000001", 50_000).await;
        let price = arrears(&town, biller).await;
        let request = PayAccount { amount_minor: Some(amount), ..all_of(&price, biller) };
        let done = bill::pay_account(&town.city, &who, request.clone()).await;
        if expected.is_empty() {
            assert_eq!(code(done), "amount_unacceptable", "{amount}");
            assert_eq!(town.available(books::wallet(who.id)).await, 50_000, "{amount}");
            continue;
        }
        let fresh: Vec<_> = expected.iter().map(|minor| (*minor, false)).collect();
        assert_eq!(amounts(&done.unwrap()), fresh, "{amount}");
        let again = bill::pay_account(&town.city, &who, request.clone()).await.unwrap();
        assert!(again.paid.iter().all(|paid| paid.repeated), "{amount}");
        assert_eq!((again.paid.len(), &again.stopped), (expected.len(), &None), "{amount}");
        // The same id with another amount is not the same payment, and pays nothing.
        if amount != 17_310 {
            let more = PayAccount { amount_minor: Some(17_310), ..request };
            let more = bill::pay_account(&town.city, &who, more).await.unwrap();
            let whole = expected.iter().all(|minor| [10_300, 5_010, 2_000].contains(minor));
            assert_eq!(stopped(&more).is_none(), whole, "{amount}");
        }
        town.assert_conserved().await;
    }
}

#[tokio::test]
async fn it_stops_where_money_ends_and_goes_on_when_there_is_more() {
    let (town, biller) = owing(&oldest_first()).await;
    let who = town.rich("13800000001", 12_000).await;
    let price = arrears(&town, biller).await;
    let request = all_of(&price, biller);
    let done = bill::pay_account(&town.city, &who, request.clone()).await.unwrap();
    assert_eq!(amounts(&done), [(10_300, false)]);
    assert_eq!(done.stopped, Some((Some(price.bills[1].bill.id), BillError::InsufficientBalance)));
    town_deposit(&town, &who, 10_000).await;
    // The price of the arrears still holds for what is left.
    let done = bill::pay_account(&town.city, &who, request).await.unwrap();
    assert_eq!(amounts(&done), [(10_300, true), (5_010, false), (2_000, false)]);
    assert_eq!(done.stopped, None);
    assert_eq!(town.available(books::wallet(who.id)).await, 22_000 - 17_310);
    town.assert_conserved().await;
}

async fn town_deposit(town: &Town, who: &Resident, minor: i64) {
    city::wallet::deposit(&town.city, &town.operator, who.id, town.money(minor), "more").await.unwrap();
}

#[tokio::test]
async fn somebody_else_who_pays_a_bill_changes_the_price() {
    let (town, biller) = owing(&oldest_first()).await;
    let (who, other) = (town.rich("13800000001", 12_000).await, town.rich("13800000002", 50_000).await);
    let price = arrears(&town, biller).await;
    // Before anything is paid: a plain refusal.
    pay(&town, &other, price.bills[0].bill.id).await.unwrap();
    assert_eq!(code(bill::pay_account(&town.city, &who, all_of(&price, biller)).await), "quote_changed");
    // In the middle: what was paid is said.
    let price = arrears(&town, biller).await;
    let request = PayAccount { amount_minor: Some(5_010), ..all_of(&price, biller) };
    assert_eq!(
        amounts(&bill::pay_account(&town.city, &who, request.clone()).await.unwrap()),
        [(5_010, false)]
    );
    pay(&town, &other, price.bills[1].bill.id).await.unwrap();
    let again = bill::pay_account(&town.city, &who, request).await.unwrap();
    assert_eq!((amounts(&again), stopped(&again)), (vec![(5_010, true)], Some(BillError::QuoteChanged)));
}

#[tokio::test]
async fn every_refusal_changes_nothing() {
    let (town, biller) = owing(&oldest_first()).await;
    let who = town.rich("13800000001", 1_000_000).await;
    let poor = town.resident("13800000002").await;
    let price = arrears(&town, biller).await;
    let good = all_of(&price, biller);
    let with = |f: fn(&mut PayAccount)| {
        let mut wish = good.clone();
        f(&mut wish);
        wish
    };
    let single = wish(&town, price.bills[0].bill.id).await.quote;
    for (by, request, expected) in [
        (&who, with(|w| w.biller = BillerId::from_u128(7)), "biller_unknown"),
        (&who, with(|w| w.account_no = "12".to_owned()), "account_shape"),
        (&who, with(|w| w.account_no = POWER[1].to_owned()), "account_unknown"),
        (&who, with(|w| w.quote = "a2-1-2".to_owned()), "quote_malformed"),
        (&who, PayAccount { quote: single, ..good.clone() }, "quote_malformed"),
        (&who, with(|w| w.quote = format!("a1-1-{}", "0".repeat(32))), "quote_expired"),
        (&who, with(|w| w.quote.replace_range(w.quote.len() - 1.., "g")), "quote_changed"),
        (&who, with(|w| w.request_id = Some("a b".to_owned())), "request_id_malformed"),
        (&who, with(|w| w.amount_minor = Some(1)), "amount_unacceptable"),
        (&poor, good.clone(), "insufficient_balance"),
    ] {
        assert_eq!(code(bill::pay_account(&town.city, by, request).await), expected);
    }
    assert_eq!(town.available(books::wallet(who.id)).await, 1_000_000);
    let standing = arrears(&town, biller).await.bills;
    assert!(standing.iter().all(|view| view.standing == Standing::Open));
    bill::pay_account(&town.city, &who, good).await.unwrap();
}

#[tokio::test]
async fn the_pin_is_asked_for_the_whole_once() {
    let (town, biller) = owing(&oldest_first()).await;
    let mut file = String::from("户号|账单号|户名|账期|金额|缴费截止日\n");
    writeln!(file, "{}|B9|王小明|202603|900.00|2026-04-30\nTOTAL|1|900.00", POWER[0]).unwrap();
    import(&town, biller, file.as_bytes()).await.unwrap();
    let who = town.rich("13800000001", 1_000_000).await;
    town.pin(&who).await;
    // No bill by itself is above the no-PIN limit of 1,000.00 yuan; all of them are.
    let price = arrears(&town, biller).await;
    let request = all_of(&price, biller);
    assert_eq!(code(bill::pay_account(&town.city, &who, request.clone()).await), "pin_required");
    let wrong = PayAccount { pin: Some("246801".to_owned()), ..request.clone() };
    assert_eq!(code(bill::pay_account(&town.city, &who, wrong).await), "pin_wrong");
    let right = PayAccount { pin: Some(PIN.to_owned()), ..request.clone() };
    assert_eq!(bill::pay_account(&town.city, &who, right).await.unwrap().paid.len(), 4);
    // To hear what became of it takes none.
    assert_eq!(bill::pay_account(&town.city, &who, request).await.unwrap().paid.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_payers_each_bill_has_one() {
    let (town, biller) = owing(&oldest_first()).await;
    let crowd = town.crowd(10, 50_000).await;
    let request = all_of(&arrears(&town, biller).await, biller);
    let city = town.city.clone();
    let results = race(20, |i| {
        let (city, who, request) = (city.clone(), crowd[i % 10], request.clone());
        async move { bill::pay_account(&city, &who, request).await }
    })
    .await;
    // Whoever paid the first may be overtaken at the next; every bill is paid once, at its price.
    let fresh: i64 = results
        .iter()
        .flatten()
        .flat_map(|done| &done.paid)
        .filter(|paid| !paid.repeated)
        .map(|paid| paid.settled.amount_minor)
        .sum();
    assert_eq!(fresh, town.available(books::biller(biller)).await);
    assert!(refused_with(&results, "insufficient_balance") == 0);
    let left: i64 = match bill::arrears(&town.city, biller, POWER[0]).await {
        Ok(rest) => rest.total_minor,
        Err(why) => {
            assert_eq!(why, BillError::NothingOpen);
            0
        }
    };
    assert_eq!(fresh + left, 17_310);
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_silent_biller_stops_the_next_where_the_oldest_goes_first() {
    for (pack, payments, stops) in [(oldest_first(), 1, true), (shipped("330100/hz-power").text, 3, false)] {
        let (town, biller) = owing(&pack).await;
        let who = town.rich("13800000001", 50_000).await;
        let price = arrears(&town, biller).await;
        let live = Scripted::new(Outcome::Silent);
        bill::connect(&town.city, biller, live.clone());
        let request = all_of(&price, biller);
        let done = bill::pay_account(&town.city, &who, request.clone()).await.unwrap();
        assert_eq!(done.paid.len(), payments);
        assert!(done.paid.iter().all(|paid| paid.state == PayState::Pending));
        let first = price.bills[0].bill.id;
        assert_eq!(stopped(&done), stops.then_some(BillError::OlderBillOpen(first)));
        // Asked again it is the same claims.
        let again = bill::pay_account(&town.city, &who, request.clone()).await.unwrap();
        assert_eq!((again.paid.len(), again.paid[0].repeated), (payments, true));
        // The biller has taken it: the rest goes on.
        live.answers(Outcome::Confirmed);
        assert_eq!(bill::settle_pending(&town.city).await, Ok(0));
        bill::connect(&town.city, biller, std::sync::Arc::new(bill::connector::FileConnector));
        let done = bill::pay_account(&town.city, &who, request).await.unwrap();
        assert_eq!((done.paid.len(), done.stopped), (3, None));
        assert_eq!(town.available(books::biller(biller)).await, 17_310);
        town.assert_conserved().await;
    }
}

#[tokio::test]
async fn the_routes_say_what_of_each() {
    let (town, _) = owing(&oldest_first()).await;
    let (router, _) = bill::http::routes().split_for_parts();
    let router = router.with_state(town.city.clone());
    let token = crate::http::token(&town, "13800000009", 16_000).await;
    let find = format!("/v1/billers/hz-old/arrears?account_no={}", POWER[0]);
    let (status, price) = call(&router, "GET", &find, &token, "").await;
    assert_eq!(
        (status, &price["total"]["minor"], &price["order"]),
        (200, &17_310.into(), &"oldest_first".into())
    );
    assert_eq!(price["bills"][0]["quote"]["late_fee_lines"][0]["amount_minor"], 300);
    // One alone names the older one in words that a payer may read.
    let newer = &price["bills"][2];
    let body = format!(r#"{{"quote":"{}"}}"#, newer["quote"]["id"].as_str().unwrap());
    let path = format!("/v1/bills/{}/pay", newer["id"].as_str().unwrap());
    let (status, refused) = call(&router, "POST", &path, &token, body.as_str()).await;
    assert_eq!((status, &refused["code"]), (409, &"older_bill_open".into()), "{refused}");
    assert!(refused.to_string().contains(price["bills"][0]["id"].as_str().unwrap()), "{refused}");

    let body = format!(
        r#"{{"biller":"hz-old","account_no":"{}","quote":"{}","request_id":"r-1"}}"#,
        POWER[0],
        price["id"].as_str().unwrap()
    );
    let pay = "/v1/bills/pay-account";
    let (status, done) = call(&router, "POST", pay, &token, body.as_str()).await;
    assert_eq!(
        (status, &done["state"], &done["paid"]["minor"]),
        (200, &"stopped".into(), &15_310.into()),
        "{done}"
    );
    assert_eq!(done["payments"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&done["stopped"]["bill"], &done["stopped"]["code"]),
        (&price["bills"][2]["id"], &"insufficient_balance".into())
    );
    let other =
        body.replace("\"request_id\"", "\"amount\":{\"minor\":1,\"currency\":\"USD\"},\"request_id\"");
    let (status, refused) = call(&router, "POST", pay, &token, other.as_str()).await;
    assert_eq!((status, &refused["code"]), (422, &"amount_unacceptable".into()), "{refused}");
}
