//! pay: one claim, one settlement, whoever tries; every refusal changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use city::bill::connector::{BillerConnector, Claim, Outcome};
use city::bill::{self, BillError, HistoryFilter, PayBill, PayState, Standing};
use city::{Refusal as _, books};
use kernel::ids::BillId;
use ledger::BoxFuture;

use crate::common::{PIN, Town, code, race, refused_with};
use crate::support::{POWER, first_account, import, one_bill, packs_dir, pay, power_file, shipped, wish};

#[tokio::test]
async fn a_bill_is_fetched_paid_and_remembered() {
    let town = Town::new().await;
    let (biller, view) = one_bill(&town).await;
    assert_eq!(view.standing, Standing::Open);
    assert_eq!(view.quote.total_minor, 10_000);
    let who = town.rich("13800000001", 50_000).await;

    let paid = pay(&town, &who, view.bill.id).await.unwrap();
    assert_eq!((paid.state, paid.repeated), (PayState::Settled, false));
    assert_eq!(town.available(books::wallet(who.id)).await, 40_000);
    assert_eq!(town.available(books::biller(biller)).await, 10_000);

    let now = bill::bill(&town.city, view.bill.id).await.unwrap();
    assert_eq!(now.standing, Standing::Settled(paid.settled));
    let all = HistoryFilter::default();
    let (history, next) = bill::history(&town.city, &who, &all, None, 10).await.unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!((history[0].settled, &history[0].bill), (paid.settled, &view.bill));
    assert_eq!(next, None);
    let receipt = bill::receipt(&town.city, &who, paid.settled.payment).await.unwrap();
    assert_eq!(receipt.settled, paid.settled);
    let page = receipt.html(&town.city);
    for text in ["100.00 CNY", POWER[0], "杭州供电", "**明", "2026-03-02 10:00:00"] {
        assert!(page.contains(text), "{text} in {page}");
    }
    // Somebody else's payment is nobody's business.
    let other = town.resident("13800000002").await;
    assert_eq!(code(bill::receipt(&town.city, &other, paid.settled.payment).await), "payment_unknown");
    assert_eq!(bill::history(&town.city, &other, &all, None, 10).await.unwrap(), (vec![], None));
    town.assert_conserved().await;
}

#[tokio::test]
async fn history_is_paged_newest_first() {
    let town = Town::new().await;
    let biller = shipped("330100/hz-power").biller;
    let rows: Vec<_> = ["B1", "B2", "B3", "B4", "B5"].map(|b| (POWER[0], b, "1.00")).to_vec();
    import(&town, biller, power_file(&rows).as_bytes()).await.unwrap();
    let who = town.rich("13800000001", 50_000).await;
    for view in bill::fetch(&town.city, biller, POWER[0]).await.unwrap() {
        pay(&town, &who, view.bill.id).await.unwrap();
    }
    let all = HistoryFilter::default();
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let (page, next) = bill::history(&town.city, &who, &all, before, 2).await.unwrap();
        seen.extend(page.iter().map(|e| e.settled.timestamp));
        let Some(next) = next else { break };
        before = Some(next);
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted_by(|a, b| a > b));
}

#[tokio::test]
async fn the_same_request_again_is_the_same_payment() {
    let town = Town::new().await;
    let (_, view) = one_bill(&town).await;
    let who = town.rich("13800000001", 50_000).await;
    let other = town.rich("13800000002", 50_000).await;
    let request = PayBill { request_id: Some("app-1".into()), ..wish(&town, view.bill.id).await };
    let first = bill::pay(&town.city, &who, request.clone()).await.unwrap();
    let again = bill::pay(&town.city, &who, request.clone()).await.unwrap();
    assert_eq!((again.settled, again.repeated), (first.settled, true));
    // Even after the quote has run out, and with another amount or id it is another payment.
    town.pass(3_600);
    assert!(bill::pay(&town.city, &who, request.clone()).await.unwrap().repeated);
    let different = PayBill { request_id: Some("app-2".into()), ..request.clone() };
    assert_eq!(code(bill::pay(&town.city, &who, different).await), "quote_expired");
    assert_eq!(code(bill::pay(&town.city, &other, request).await), "quote_expired");
    assert_eq!(code(bill::quote(&town.city, view.bill.id).await), "bill_already_settled");
    assert_eq!(town.available(books::wallet(who.id)).await, 40_000);
}

#[tokio::test]
async fn every_refusal_changes_nothing() {
    let town = Town::new().await;
    let biller = shipped("330100/hz-power").biller;
    let rows = [(POWER[0], "B1", "100.00"), (POWER[1], "B1", "1000.01"), (POWER[2], "B1", "950.00")];
    import(&town, biller, power_file(&rows).as_bytes()).await.unwrap();
    let find = async |account| bill::fetch(&town.city, biller, account).await.unwrap().remove(0).bill.id;
    let (small, large, middle) = (find(POWER[0]).await, find(POWER[1]).await, find(POWER[2]).await);
    let rich = town.rich("13800000001", 1_000_000).await;
    let poor = town.resident("13800000002").await;
    // Tier I: ¥1,000 for life.
    let capped = town.resident("13800000003").await;
    let reference = "capped-1";
    let money = town.money(1_000_000);
    city::wallet::deposit(&town.city, &town.operator, capped.id, money, reference).await.unwrap();
    pay(&town, &capped, middle).await.unwrap();

    let good = wish(&town, small).await;
    let with = |f: fn(&mut PayBill)| {
        let mut wish = good.clone();
        f(&mut wish);
        wish
    };
    let rows = [
        (&rich, with(|w| w.bill = BillId::from_u128(7)), "bill_unknown"),
        (&rich, with(|w| w.quote = "q2-1-2".into()), "quote_malformed"),
        (&rich, with(|w| w.quote = w.quote.replace('-', "--")), "quote_malformed"),
        (&rich, with(|w| w.quote = format!("q1-1-{}", "0".repeat(32))), "quote_expired"),
        (&rich, with(|w| w.quote.replace_range(w.quote.len() - 1.., "g")), "quote_changed"),
        (&rich, with(|w| w.amount_minor = Some(9_999)), "amount_unacceptable"),
        (&rich, with(|w| w.amount_minor = Some(-1)), "amount_unacceptable"),
        (&rich, with(|w| w.request_id = Some(String::new())), "request_id_malformed"),
        (&rich, with(|w| w.request_id = Some("a b".into())), "request_id_malformed"),
        (&poor, good.clone(), "insufficient_balance"),
        (&capped, with(|_| ()), "cap_reached"),
        (&rich, wish(&town, large).await, "pin_required"),
    ];
    for (who, request, expected) in rows {
        assert_eq!(code(bill::pay(&town.city, who, request).await), expected);
    }
    town.pin(&rich).await;
    let wrong = PayBill { pin: Some("246801".into()), ..wish(&town, large).await };
    assert_eq!(code(bill::pay(&town.city, &rich, wrong).await), "pin_wrong");
    assert_eq!(town.available(books::wallet(rich.id)).await, 1_000_000);
    assert_eq!(town.available(books::biller(biller)).await, 95_000);
    for id in [small, large] {
        assert_eq!(bill::bill(&town.city, id).await.unwrap().standing, Standing::Open);
    }
    // And then it works: nothing above has used anything up.
    pay(&town, &rich, small).await.unwrap();
    let right = PayBill { pin: Some(PIN.into()), ..wish(&town, large).await };
    bill::pay(&town.city, &rich, right).await.unwrap();
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_price_holds_over_midnight_and_never_longer_than_the_quote() {
    let town = Town::new().await;
    let (_, view) = one_bill(&town).await; // due 2026-03-25
    let who = town.rich("13800000001", 50_000).await;
    // 2026-03-25, 23:55 in China.
    town.pass(23 * 86_400 + 13 * 3_600 + 55 * 60);
    let before = wish(&town, view.bill.id).await;
    town.pass(600);
    let after = bill::quote(&town.city, view.bill.id).await.unwrap();
    assert_eq!((after.late_fee_minor, after.total_minor), (10, 10_010)); // 0.1 % a day
    let paid = bill::pay(&town.city, &who, before).await.unwrap();
    assert_eq!((paid.settled.amount_minor, paid.settled.late_fee_minor), (10_000, 0));
}

#[tokio::test]
async fn a_new_pack_voids_quotes() {
    let town = Town::new().await;
    let (biller, view) = one_bill(&town).await;
    let who = town.rich("13800000001", 50_000).await;
    let old = wish(&town, view.bill.id).await;
    let text = shipped("330100/hz-power").text.replace("bps_per_day = 10", "bps_per_day = 11");
    let pack = bill::add_pack(&town.city, &town.operator, &text).await.unwrap();
    assert_eq!(pack.biller, biller);
    assert_eq!(code(bill::pay(&town.city, &who, old).await), "quote_changed");
    pay(&town, &who, view.bill.id).await.unwrap();
    // The operator's pack outlives a restart.
    let town = town.reopen().await;
    assert_eq!(bill::biller(&town.city, biller).await.unwrap().hash, pack.hash);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_payers_settle_a_bill_once() {
    let town = Town::new().await;
    let (biller, view) = one_bill(&town).await;
    let crowd = town.crowd(50, 50_000).await;
    let request = wish(&town, view.bill.id).await;
    let city = town.city.clone();
    let results = race(1_000, |i| {
        let (city, who, request) = (city.clone(), crowd[i % 50], request.clone());
        let request = PayBill { request_id: Some(format!("r{i}")), ..request };
        async move { bill::pay(&city, &who, request).await }
    })
    .await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
    assert_eq!(refused_with(&results, "bill_already_settled"), 999);
    assert_eq!(town.available(books::biller(biller)).await, 10_000);
    town.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_can_make_a_bill_unpayable_with_an_empty_wallet() {
    const ROUNDS: i64 = 20;
    let town = Town::new().await;
    let biller = shipped("330100/hz-power").biller;
    let numbers: Vec<String> = (0..ROUNDS).map(|n| format!("B{n}")).collect();
    let rows: Vec<_> = numbers.iter().map(|number| (POWER[0], number.as_str(), "100.00")).collect();
    import(&town, biller, power_file(&rows).as_bytes()).await.unwrap();
    let bills = bill::fetch(&town.city, biller, POWER[0]).await.unwrap();
    let poor = town.crowd(bills.len(), 10_000).await;
    let rich = town.rich("13800000001", 5_000_000).await;
    let city = town.city.clone();
    for (view, who) in bills.iter().zip(poor) {
        let request = wish(&town, view.bill.id).await;
        let results = race(61, |i| {
            let (city, request) = (city.clone(), request.clone());
            async move {
                if i > 0 {
                    return bill::pay(&city, &who, request).await.map(|_| ());
                }
                let (from, to, currency) =
                    (books::wallet(who.id), books::wallet(rich.id), city.settings.currency);
                let code = books::transfer_code::WALLET_TRANSFER;
                let away = books::transfer(city.rng.u128(), from, to, 1, currency, code);
                books::submit(&city.ledger, vec![away]).await.map(|_| ()).map_err(BillError::from)
            }
        })
        .await;
        // Some pays may have been faster than the money; all of them are the same payment then.
        let paid = matches!(bill::bill(&city, view.bill.id).await.unwrap().standing, Standing::Settled(_));
        if paid {
            assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 61);
        } else {
            assert_eq!(refused_with(&results, "insufficient_balance"), 60);
            let settled = pay(&town, &rich, view.bill.id).await.unwrap().settled;
            // The very first attempt: none of the sixty has used one up.
            assert_eq!((settled.payer, settled.payment.as_u128()), (rich.id, view.bill.id.as_u128()));
        }
    }
    assert_eq!(town.available(books::biller(biller)).await, ROUNDS * 10_000);
    town.assert_conserved().await;
}

#[tokio::test]
async fn a_bill_that_was_refused_a_hundred_times_can_be_paid() {
    let town = Town::new().await;
    let (biller, view) = one_bill(&town).await;
    let who = town.rich("13800000001", 50_000).await;
    let live = Scripted::new(Outcome::Refused("closed".into()));
    bill::connect(&town.city, biller, live.clone());
    for _ in 0..100 {
        assert_eq!(code(pay(&town, &who, view.bill.id).await), "biller_refused");
        let standing = bill::bill(&town.city, view.bill.id).await.unwrap().standing;
        assert_eq!(standing, Standing::Open);
    }
    *live.confirm.lock().unwrap() = Some(Outcome::Confirmed);
    let late = wish(&town, view.bill.id).await;
    let paid = pay(&town, &who, view.bill.id).await.unwrap();
    assert_eq!(bill::bill(&town.city, view.bill.id).await.unwrap().standing, Standing::Settled(paid.settled));
    let other = town.rich("13800000002", 50_000).await;
    assert_eq!(code(bill::quote(&town.city, view.bill.id).await), "bill_already_settled");
    let late = PayBill { request_id: Some("late".into()), ..late };
    assert_eq!(code(bill::pay(&town.city, &other, late).await), "bill_already_settled");
    assert_eq!(town.available(books::wallet(who.id)).await, 40_000);
    town.assert_conserved().await;
}

/// A biller that answers as the test says, and counts what it took.
#[derive(Default)]
pub struct Scripted {
    confirm: std::sync::Mutex<Option<Outcome>>,
    inquire: std::sync::Mutex<Option<Outcome>>,
    asked: AtomicUsize,
}

impl Scripted {
    pub fn new(confirm: Outcome) -> Arc<Scripted> {
        Arc::new(Scripted { confirm: std::sync::Mutex::new(Some(confirm)), ..Scripted::default() })
    }
    pub fn answers(&self, outcome: Outcome) {
        *self.inquire.lock().unwrap() = Some(outcome);
    }
}

impl BillerConnector for Scripted {
    fn confirm<'a>(&'a self, _: &'a Claim) -> BoxFuture<'a, Outcome> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let outcome = self.confirm.lock().unwrap().clone();
        Box::pin(async move {
            match outcome {
                Some(outcome) => outcome,
                None => std::future::pending().await, // the call hangs; only a crash ends it
            }
        })
    }
    fn inquire<'a>(&'a self, _: &'a Claim) -> BoxFuture<'a, Outcome> {
        let outcome = self.inquire.lock().unwrap().clone().unwrap_or(Outcome::Silent);
        Box::pin(std::future::ready(outcome))
    }
}

#[tokio::test]
async fn a_live_biller_that_confirms_is_paid_and_one_that_refuses_is_not() {
    let town = Town::new().await;
    let (biller, view) = one_bill(&town).await;
    let who = town.rich("13800000001", 50_000).await;
    let live = Scripted::new(Outcome::Refused("account closed".into()));
    bill::connect(&town.city, biller, live.clone());
    for _ in 0..3 {
        let refused = pay(&town, &who, view.bill.id).await;
        assert_eq!(refused, Err(BillError::BillerRefused("account closed".into())));
        assert_eq!(town.available(books::wallet(who.id)).await, 50_000);
    }
    *live.confirm.lock().unwrap() = Some(Outcome::Confirmed);
    let paid = pay(&town, &who, view.bill.id).await.unwrap();
    assert_eq!(paid.state, PayState::Settled);
    assert_eq!(live.asked.load(Ordering::Relaxed), 4);
    assert_eq!(bill::bill(&town.city, view.bill.id).await.unwrap().standing, Standing::Settled(paid.settled));
    town.assert_conserved().await;
}

/// A biller in whose answer's time the ledger's disk fills up.
struct Filling(Arc<AtomicBool>, Outcome);

impl BillerConnector for Filling {
    fn confirm<'a>(&'a self, _: &'a Claim) -> BoxFuture<'a, Outcome> {
        self.0.store(true, Ordering::Relaxed);
        Box::pin(std::future::ready(self.1.clone()))
    }
    fn inquire<'a>(&'a self, _: &'a Claim) -> BoxFuture<'a, Outcome> {
        Box::pin(std::future::ready(self.1.clone()))
    }
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_paid_and_what_was_claimed_before_is_pending() {
    for (answer, left, settled) in
        [(Outcome::Confirmed, 40_000, true), (Outcome::Refused("no".into()), 50_000, false)]
    {
        let town = Town::new().await;
        let (biller, view) = one_bill(&town).await;
        let who = town.rich("13800000001", 50_000).await;
        let (city, full) = town.node_that_fills_up().await;
        bill::connect(&city, biller, Arc::new(Filling(full.clone(), answer)));
        let request = wish(&town, view.bill.id).await;

        // Full before: nothing is claimed, and no id is spent however often it is tried.
        full.store(true, Ordering::Relaxed);
        for _ in 0..20 {
            let refused = bill::pay(&city, &who, request.clone()).await.unwrap_err();
            assert_eq!((refused.status(), refused.code()), (507, "ledger_no_space"));
        }
        assert_eq!(town.available(books::wallet(who.id)).await, 50_000);
        assert_eq!(bill::bill(&city, view.bill.id).await.unwrap().standing, Standing::Open);

        // Full after the claim: to say that nothing was done would be wrong.
        full.store(false, Ordering::Relaxed);
        let held = bill::pay(&city, &who, request).await.unwrap();
        assert_eq!(held.state, PayState::Pending);
        assert_eq!(town.available(books::wallet(who.id)).await, 40_000);
        let still = bill::settle_pending(&city).await.unwrap_err();
        assert_eq!(still.code(), "ledger_no_space");

        full.store(false, Ordering::Relaxed);
        assert_eq!(bill::settle_pending(&city).await, Ok(0));
        assert_eq!(town.available(books::wallet(who.id)).await, left);
        let standing = bill::bill(&city, view.bill.id).await.unwrap().standing;
        assert_eq!(matches!(standing, Standing::Settled(_)), settled);
        town.assert_conserved().await;
    }
}

#[tokio::test]
async fn a_silent_biller_is_asked_until_it_answers() {
    for (answer, left, settled) in
        [(Outcome::Confirmed, 40_000, true), (Outcome::Refused("no".into()), 50_000, false)]
    {
        let town = Town::new().await;
        let (biller, view) = one_bill(&town).await;
        let (who, other) = (town.rich("13800000001", 50_000).await, town.rich("13800000002", 50_000).await);
        let live = Scripted::new(Outcome::Silent);
        bill::connect(&town.city, biller, live.clone());

        let request = wish(&town, view.bill.id).await;
        let held = bill::pay(&town.city, &who, request.clone()).await.unwrap();
        assert_eq!(held.state, PayState::Pending);
        assert_eq!(town.available(books::wallet(who.id)).await, 40_000);
        // Asking again is the same payment; somebody else has to wait; silence settles nothing.
        assert!(bill::pay(&town.city, &who, request.clone()).await.unwrap().repeated);
        assert_eq!(code(pay(&town, &other, view.bill.id).await), "bill_claimed");
        town.pass(86_400);
        // The quote has run out long ago; the payment is still under way, and that is the answer.
        let again = bill::pay(&town.city, &who, request.clone()).await.unwrap();
        assert_eq!((again.settled, again.state, again.repeated), (held.settled, PayState::Pending, true));
        assert_eq!(code(bill::pay(&town.city, &other, request).await), "quote_expired");
        assert_eq!(bill::settle_pending(&town.city).await, Ok(1));
        assert_eq!(
            bill::bill(&town.city, view.bill.id).await.unwrap().standing,
            Standing::Claimed { until: None }
        );

        live.answers(answer);
        assert_eq!(bill::settle_pending(&town.city).await, Ok(0));
        assert_eq!(town.available(books::wallet(who.id)).await, left);
        let standing = bill::bill(&town.city, view.bill.id).await.unwrap().standing;
        assert_eq!(matches!(standing, Standing::Settled(_)), settled);
        assert_eq!(bill::settle_pending(&town.city).await, Ok(0));
        town.assert_conserved().await;
    }
}

#[tokio::test]
async fn a_crash_between_claim_and_outcome_is_resolved_after_the_restart() {
    for (answer, left) in [(Outcome::Confirmed, 40_000), (Outcome::Refused("no".into()), 50_000)] {
        let town = Town::new().await;
        let (biller, view) = one_bill(&town).await;
        let who = town.rich("13800000001", 50_000).await;
        let hanging = Arc::new(Scripted::default());
        bill::connect(&town.city, biller, hanging.clone());
        let request = wish(&town, view.bill.id).await;
        let city = town.city.clone();
        let paying = tokio::spawn(async move { bill::pay(&city, &who, request).await });
        while hanging.asked.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        paying.abort();
        assert!(paying.await.is_err());

        let town = town.reopen().await;
        // Before its biller is connected again nobody guesses.
        assert_eq!(bill::settle_pending(&town.city).await, Ok(1));
        let live = Scripted::new(Outcome::Silent);
        live.answers(answer);
        bill::connect(&town.city, biller, live);
        assert_eq!(bill::settle_pending(&town.city).await, Ok(0));
        assert_eq!(town.available(books::wallet(who.id)).await, left);
        town.assert_conserved().await;
    }
}

#[tokio::test]
async fn an_operator_ends_what_a_silent_biller_leaves_open() {
    use city::bill::{Verdict, resolve_payment};
    use city::identity::{Operator, Role};
    for (verdict, other, left) in
        [(Verdict::Paid, Verdict::NotPaid, 40_000), (Verdict::NotPaid, Verdict::Paid, 50_000)]
    {
        let town = Town::new().await;
        let (biller, view) = one_bill(&town).await;
        let who = town.rich("13800000001", 50_000).await;
        bill::connect(&town.city, biller, Scripted::new(Outcome::Silent));
        let held = pay(&town, &who, view.bill.id).await.unwrap();
        let payment = held.settled.payment;
        let end = async |by: &Operator, payment, verdict, reference| {
            resolve_payment(&town.city, by, payment, verdict, reference).await
        };
        let staff = Operator { role: Role::Staff, ..town.operator };
        let deposit = city::wallet::deposit(&town.city, &town.operator, who.id, town.money(1), "d").await;
        let deposit = deposit.unwrap().payment;
        let stranger = kernel::ids::PaymentId::from_u128(5);
        assert_eq!(code(end(&staff, payment, verdict, "r").await), "forbidden");
        assert_eq!(code(end(&town.operator, payment, verdict, "").await), "reference_malformed");
        assert_eq!(code(end(&town.operator, payment, verdict, "a b").await), "reference_malformed");
        for id in [stranger, deposit] {
            assert_eq!(code(end(&town.operator, id, verdict, "r").await), "payment_unknown");
        }
        let standing = bill::bill(&town.city, view.bill.id).await.unwrap().standing;
        assert_eq!(standing, Standing::Claimed { until: None });

        let ended = end(&town.operator, payment, verdict, "CALL-17").await.unwrap();
        assert_eq!((ended.payment.payment, ended.payment.bill), (payment, view.bill.id));
        assert_eq!((ended.payment.amount_minor, ended.verdict, ended.repeated), (10_000, verdict, false));
        let again = end(&town.operator, payment, verdict, "CALL-17").await.unwrap();
        assert_eq!((again.payment, again.repeated), (ended.payment, true));
        assert_eq!(code(end(&town.operator, payment, other, "CALL-18").await), "payment_final");
        assert_eq!(town.available(books::wallet(who.id)).await, left + 1);
        assert_eq!(bill::settle_pending(&town.city).await, Ok(0));
        let standing = bill::bill(&town.city, view.bill.id).await.unwrap().standing;
        assert_eq!(matches!(standing, Standing::Settled(_)), verdict == Verdict::Paid);
        town.assert_conserved().await;
    }
}

#[tokio::test]
async fn the_follower_settles_by_itself() {
    let town = Town::new().await;
    let (biller, view) = one_bill(&town).await;
    let who = town.rich("13800000001", 50_000).await;
    let live = Scripted::new(Outcome::Silent);
    live.answers(Outcome::Confirmed);
    bill::connect(&town.city, biller, live);
    assert_eq!(pay(&town, &who, view.bill.id).await.unwrap().state, PayState::Pending);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let tasks = bill::start(&town.city, &stopped);
    town.pass(60);
    let standing = loop {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let standing = bill::bill(&town.city, view.bill.id).await.unwrap().standing;
        if !matches!(standing, Standing::Claimed { .. }) {
            break standing;
        }
    };
    assert!(matches!(standing, Standing::Settled(_)));
    stop.send(true).unwrap();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn amount_rules_hold() {
    let town = Town::new().await;
    let who = town.rich("13800000001", 10_000_000).await;
    // Pack, sample, then a payment by its distance to what is due, and whether it is taken.
    type Row<'a> = (&'a str, &'a str, &'a [(i64, bool)]);
    let rows: [Row<'_>; 4] = [
        ("330100/hz-power", "330100/samples/hz-power-202602.txt", &[(-1, false), (1, false), (0, true)]),
        ("330100/hz-water", "330100/samples/hz-water-202602.dat", &[(-1, false), (1, true)]),
        ("310100/sh-water", "310100/samples/sh-water-202602.dat", &[(1, false), (-1, true)]),
        ("330100/hz-gas", "330100/samples/hz-gas-202602.csv", &[(-100, true)]),
    ];
    for (pack, sample, tries) in rows {
        let pack = shipped(pack);
        let path = packs_dir().join(sample);
        bill::import_path(&town.city, pack.biller, &path, sample, |_| {}).await.unwrap();
        let account = first_account(&pack, &path);
        let bills = bill::fetch(&town.city, pack.biller, &account).await.unwrap();
        let id = bills[0].bill.id;
        for (distance, taken) in tries {
            let quote = bill::quote(&town.city, id).await.unwrap();
            let request = PayBill {
                bill: id,
                amount_minor: Some(quote.total_minor + distance),
                quote: quote.id,
                pin: None,
                request_id: None,
            };
            let paid = bill::pay(&town.city, &who, request).await;
            if *taken {
                assert_eq!(paid.unwrap().settled.amount_minor, quote.total_minor + distance);
            } else {
                assert_eq!(code(paid), "amount_unacceptable");
            }
        }
    }
}
