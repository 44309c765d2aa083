//! Billers that are asked, over real sockets: each counterpart is made from the pack itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use channel::book::{Book, Fault, State};
use channel::direct::counterpart::{Counterpart, Faults};
use channel::direct::spec::Spec;
use channel::secrets::Held;
use channel::tls::Tls;
use channel::{Debt, Meaning};
use city::bill::route::{DoorSetting, Doors};
use city::bill::{self, Pack, PayBill, PayState, Standing};
use city::identity::Resident;
use city::{Refusal, books};
use kernel::ids::BillerId;
use kernel::{Date, ManualClock};

use super::support::{POWER, live_pack};
use crate::common::{Town, monday};

/// A water biller that is asked, by two ways.
fn pack_text() -> String {
    let way = |name: &str, cost: u32, hours: &str| {
        format!(
            r#"
[[channels]]
name = "{name}"
cost_minor = {cost}
timeout_s = 1
hours = {hours}
[channels.direct]
format = "json"
code = "code"
codes = {{ "0" = "ok", "1" = "duplicate", "2" = "unknown", "3" = "account_unknown", "4" = "amount_differs", "5" = "already_paid", "6" = "closed", "7" = "pending", "9" = "refused" }}
[channels.direct.query]
path = "/{name}/debts/{{account_no}}"
method = "GET"
[channels.direct.query.debts]
at = "debts"
bill_no = "no"
amount = "fen"
unit = "fen"
due = "due"
holder = "name"
[channels.direct.pay]
path = "/{name}/pay"
body = '{{"id":"{{payment}}","account":"{{account_no}}","bill":"{{bill_no}}","fen":{{amount.fen}}}}'
[channels.direct.inquire]
path = "/{name}/pay/{{payment}}"
method = "GET"
[channels.direct.reverse]
path = "/{name}/reverse"
body = '{{"id":"{{payment}}"}}'
"#
        )
    };
    let ways = way("near", 0, r#"["06:00-23:00"]"#) + &way("far", 5, "[]");
    live_pack("hz-live", "water", ["杭州自来水", "Hangzhou Water"], &ways)
}

fn debt(bill_no: &str, amount_minor: i64) -> Debt {
    let due = Some(Date::constant(2026, 3, 25));
    Debt { bill_no: bill_no.to_owned(), amount_minor, due, period: 0, holder: "王小明".to_owned() }
}

/// A town, its biller, and the biller's two ways.
struct Waterworks {
    town: Town,
    biller: BillerId,
    near: Counterpart,
    far: Counterpart,
    fault: Arc<Mutex<Option<(&'static str, Fault)>>>,
}

impl Waterworks {
    async fn new() -> Waterworks {
        let pack = Pack::parse(&pack_text()).expect("a pack");
        let fault: Arc<Mutex<Option<(&'static str, Fault)>>> = Arc::default();
        let told = fault.clone();
        let faults: Faults = Arc::new(move |kind, _| {
            let told = *told.lock().unwrap();
            told.filter(|(when, _)| *when == kind).map(|(_, fault)| fault)
        });
        let start = async |at: usize| {
            let mut book = Book::default();
            book.open("", POWER[0], vec![debt("B1", 10_000), debt("B2", 2_500)]);
            book.open("", POWER[1], Vec::new());
            let spec: Spec = pack.spec.channels[at].direct.clone().expect("over HTTP");
            let clock = Arc::new(ManualClock::new(monday()));
            let slow = Duration::from_secs(3);
            Counterpart::start(spec, book, faults.clone(), Arc::new(Held::default()), clock, slow)
                .await
                .unwrap()
        };
        let (near, far) = (start(0).await, start(1).await);
        let door = |side: &Counterpart| DoorSetting {
            url: format!("http://{}", side.addr).parse().unwrap(),
            secrets: Held::default(),
            tls: Tls::default(),
        };
        let doors: Doors =
            [("hz-live/near".to_owned(), door(&near)), ("hz-live/far".to_owned(), door(&far))].into();
        let town = Town::with(|settings| settings.doors = doors).await;
        let biller = bill::add_pack(&town.city, &town.operator, &pack_text()).await.unwrap().biller;
        Waterworks { town, biller, near, far, fault }
    }

    fn goes_wrong(&self, kind: &'static str, fault: Fault) {
        *self.fault.lock().unwrap() = Some((kind, fault));
    }

    fn goes_well(&self) {
        *self.fault.lock().unwrap() = None;
    }

    async fn open(&self) -> Vec<(String, i64)> {
        let views = bill::fetch(&self.town.city, self.biller, POWER[0]).await.unwrap();
        let open = views.into_iter().filter(|view| view.standing == Standing::Open);
        let mut open: Vec<_> = open.map(|v| (v.bill.bill_no.clone(), v.bill.amount_minor)).collect();
        open.sort();
        open
    }

    async fn wish(&self, bill_no: &str) -> PayBill {
        let views = bill::fetch(&self.town.city, self.biller, POWER[0]).await.unwrap();
        let view = views.into_iter().find(|view| view.bill.bill_no == bill_no).expect("the bill");
        PayBill { bill: view.bill.id, quote: view.quote.id, amount_minor: None, pin: None, request_id: None }
    }

    async fn left(&self, who: &Resident) -> i64 {
        self.town.available(books::wallet(who.id)).await
    }
}

fn code<T: std::fmt::Debug>(result: Result<T, bill::BillError>) -> &'static str {
    result.unwrap_err().code()
}

#[tokio::test]
async fn debts_are_asked_for_and_paid_the_cheapest_way() {
    let works = Waterworks::new().await;
    let city = &works.town.city;
    let who = works.town.rich("13800000001", 50_000).await;
    assert_eq!(works.open().await, [("B1".to_owned(), 10_000), ("B2".to_owned(), 2_500)]);
    assert_eq!(bill::fetch(city, works.biller, POWER[1]).await.unwrap().len(), 0);
    assert_eq!(code(bill::fetch(city, works.biller, POWER[2]).await), "account_unknown");
    let wish = works.wish("B1").await;
    let paid = bill::pay(city, &who, wish.clone()).await.unwrap();
    assert_eq!((paid.state, paid.repeated), (PayState::Settled, false));
    assert!(bill::pay(city, &who, wish).await.unwrap().repeated);
    assert_eq!(works.left(&who).await, 40_000);
    let taken = works.near.book().payment(&paid.settled.payment.to_string()).cloned().expect("it came near");
    assert_eq!((taken.state, taken.times, taken.payment.amount_minor), (State::Taken, 1, 10_000));
    assert_eq!(works.far.book().payments().count(), 0);
    assert_eq!(works.open().await, [("B2".to_owned(), 2_500)]);

    // What the biller tells of anew holds from then on; a price from before does not.
    let before = works.wish("B2").await;
    works.near.book().open("", POWER[0], vec![debt("B2", 2_400), debt("B3", 100)]);
    assert_eq!(works.open().await, [("B2".to_owned(), 2_400), ("B3".to_owned(), 100)]);
    assert_eq!(code(bill::pay(city, &who, before).await), "quote_changed");
    works.near.book().open("", POWER[0], vec![debt("B3", 100)]);
    assert_eq!(works.open().await, [("B3".to_owned(), 100)]);

    let file = works.town.dir.path().join("bills.txt");
    std::fs::write(&file, "x").unwrap();
    let refused = bill::import_path(city, works.biller, &file, "bills.txt", |_| {}).await;
    assert_eq!(code(refused), "biller_not_by_file");
    works.town.assert_conserved().await;
}

#[tokio::test]
async fn a_refusal_frees_the_money_and_silence_is_asked_about_until_it_is_known() {
    for (fault, settled) in [
        (Fault::Says(Meaning::Closed), None),
        (Fault::Says(Meaning::AccountUnknown), None),
        (Fault::SilentAfter, Some(true)),
        (Fault::SilentBefore, Some(false)),
        (Fault::HangsUp, Some(true)),
        (Fault::Garbled, Some(true)),
        (Fault::StrangeCode, Some(false)),
        (Fault::Says(Meaning::Pending), Some(false)),
    ] {
        let works = Waterworks::new().await;
        let city = &works.town.city;
        let who = works.town.rich("13800000001", 50_000).await;
        let wish = works.wish("B1").await;
        works.goes_wrong("pay", fault);
        let answer = bill::pay(city, &who, wish.clone()).await;
        let Some(settled) = settled else {
            assert_eq!(code(answer), "biller_refused", "{fault:?}");
            assert_eq!(works.left(&who).await, 50_000, "{fault:?}");
            continue;
        };
        assert_eq!(answer.unwrap().state, PayState::Pending, "{fault:?}");
        assert_eq!(works.left(&who).await, 40_000, "{fault:?}");

        // While it cannot be asked, nothing is decided; then another node asks.
        works.goes_wrong("inquire", Fault::Says(Meaning::Closed));
        assert_eq!(bill::settle_pending(city).await, Ok(1), "{fault:?}");
        works.goes_well();
        assert_eq!(bill::settle_pending(&works.town.node().await).await, Ok(0), "{fault:?}");
        assert_eq!(works.left(&who).await, if settled { 40_000 } else { 50_000 }, "{fault:?}");
        let entries: Vec<_> = works.near.book().payments().cloned().collect();
        assert!(entries.iter().all(|entry| entry.times <= 1));
        let taken = entries.iter().any(|entry| entry.state == State::Taken);
        assert_eq!(taken, settled, "{fault:?}");
        if !settled {
            let again = bill::pay(city, &who, works.wish("B1").await).await.unwrap();
            assert_eq!(again.state, PayState::Settled, "{fault:?}");
        }
        works.town.assert_conserved().await;
    }
}

#[tokio::test]
async fn a_payment_that_never_left_goes_another_way_and_none_is_guessed() {
    let mut works = Waterworks::new().await;
    let who = works.town.rich("13800000001", 50_000).await;
    let wish = works.wish("B1").await;
    // Nobody listens any more at the cheaper end.
    let gone = std::mem::replace(&mut works.near, other_end().await);
    drop(gone);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let city = &works.town.city;
    let paid = bill::pay(city, &who, wish).await.unwrap();
    assert_eq!(paid.state, PayState::Settled);
    assert_eq!(works.far.book().payments().count(), 1);
    let health = bill::ways(city, works.biller);
    assert_eq!((health[0].unsent > 0, health[1].done > 0), (true, true), "{health:?}");

    let wish = works.wish("B2").await;
    let gone = std::mem::replace(&mut works.far, other_end().await);
    drop(gone);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let city = &works.town.city;
    assert_eq!(code(bill::pay(city, &who, wish).await), "biller_unreachable");
    assert_eq!(code(bill::fetch(city, works.biller, POWER[0]).await), "biller_unreachable");
    assert_eq!(works.left(&who).await, 40_000);
    assert_eq!(bill::settle_pending(city).await, Ok(0));
    works.town.assert_conserved().await;
}

/// A counterpart that nobody knows of.
async fn other_end() -> Counterpart {
    let pack = Pack::parse(&pack_text()).unwrap();
    let clock = Arc::new(ManualClock::new(monday()));
    let none: Faults = Arc::new(|_, _| None);
    let spec = pack.spec.channels[0].direct.clone().expect("over HTTP");
    Counterpart::start(spec, Book::default(), none, Arc::new(Held::default()), clock, Duration::ZERO)
        .await
        .unwrap()
}

#[tokio::test]
async fn hours_are_kept_and_a_way_that_fails_is_left_alone() {
    let works = Waterworks::new().await;
    let city = &works.town.city;
    let who = works.town.rich("13800000001", 50_000).await;
    works.town.pass(14 * 3_600); // midnight: the cheaper way is closed
    let paid = bill::pay(city, &who, works.wish("B1").await).await.unwrap();
    assert_eq!(paid.state, PayState::Settled);
    assert_eq!((works.near.book().payments().count(), works.far.book().payments().count()), (0, 1));

    works.town.pass(8 * 3_600);
    works.goes_wrong("query", Fault::HangsUp);
    for _ in 0..5 {
        assert_eq!(code(bill::fetch(city, works.biller, POWER[0]).await), "biller_unreachable");
    }
    let silent = |at: usize| bill::ways(city, works.biller)[at].silent;
    assert_eq!((bill::ways(city, works.biller)[0].gate, silent(0), silent(1)), ("open", 5, 5));
    works.goes_well();
    assert_eq!(
        code(bill::fetch(city, works.biller, POWER[0]).await),
        "biller_unreachable",
        "nobody is asked"
    );
    assert_eq!(silent(0), 5);
    works.town.pass(6);
    assert_eq!(works.open().await.len(), 1, "one question found out");
    assert_eq!(bill::ways(city, works.biller)[0].gate, "closed");
}

#[tokio::test]
async fn a_bill_that_was_refused_needs_no_more_room_at_its_biller_than_any_other() {
    let works = Waterworks::new().await;
    let city = &works.town.city;
    let who = works.town.rich("13800000001", 50_000).await;
    let text = pack_text().replace("timeout_s = 1\n", "timeout_s = 1\nrate_per_s = 1\n");
    bill::add_pack(city, &works.town.operator, &text).await.unwrap();
    for meaning in [Meaning::Closed, Meaning::AlreadyPaid] {
        works.goes_wrong("pay", Fault::Says(meaning));
        works.town.pass(2);
        let wish = works.wish("B1").await;
        works.town.pass(2);
        assert_eq!(code(bill::pay(city, &who, wish).await), "biller_refused", "{meaning:?}");
    }
    works.goes_well();
    works.town.pass(2);
    let wish = works.wish("B1").await;
    works.town.pass(2);
    // Both ways bear one question a second; the payment takes the room of one.
    assert_eq!(bill::pay(city, &who, wish).await.unwrap().state, PayState::Settled);
    assert_eq!(works.far.book().payments().count(), 0, "the cheaper way had room");
}

#[tokio::test]
async fn of_many_who_pay_at_once_one_does() {
    let works = Waterworks::new().await;
    let mut asked = tokio::task::JoinSet::new();
    let won = Arc::new(AtomicBool::new(false));
    for i in 0..12 {
        let who = works.town.rich(&format!("138000010{i:02}"), 50_000).await;
        let (city, wish, won) = (works.town.city.clone(), works.wish("B1").await, won.clone());
        asked.spawn(async move {
            match bill::pay(&city, &who, PayBill { request_id: Some(format!("r{i}")), ..wish }).await {
                Ok(paid) => {
                    assert_eq!(paid.state, PayState::Settled);
                    assert!(!won.swap(true, Ordering::Relaxed), "a second one paid");
                }
                Err(refused) => {
                    assert!(
                        ["bill_claimed", "bill_already_settled"].contains(&refused.code()),
                        "{refused:?}"
                    );
                }
            }
        });
    }
    while let Some(done) = asked.join_next().await {
        done.unwrap();
    }
    assert!(won.load(Ordering::Relaxed));
    assert_eq!(works.near.book().payments().map(|entry| entry.times).sum::<u32>(), 1);
    works.town.assert_conserved().await;
}

#[test]
fn ways_that_make_no_sense_are_refused_by_key() {
    let text = pack_text();
    for (from, to, key) in [
        ("name = \"far\"", "name = \"near\"", "channels.1.name"),
        ("name = \"far\"", "name = \"Far\"", "channels.1.name"),
        ("cost_minor = 5", "cost_minor = -5", "channels.1.cost_minor"),
        ("timeout_s = 1", "timeout_s = 0", "channels.0.timeout_s"),
        ("path = \"/near/pay\"", "path = \"near\"", "channels.0.direct.pay.path"),
        ("source = \"live\"", "source = \"file\"", "bills.file"),
    ] {
        assert!(text.contains(from), "{from}");
        match Pack::parse(&text.replace(from, to)) {
            Err(bill::PackError::Invalid(place, _)) => assert_eq!(place, key, "{to}"),
            other => panic!("{to}: {other:?}"),
        }
    }
    for (from, to) in [
        ("\"06:00-23:00\"", "\"6-23\""),
        ("\"06:00-23:00\"", "\"06:00-06:00\""),
        ("\"06:00-23:00\"", "\"06:00-25:00\""),
    ] {
        let refused = Pack::parse(&text.replace(from, to)).unwrap_err();
        assert!(refused.to_string().contains("hours are written"), "{refused}");
    }
}

#[tokio::test]
async fn where_a_certificate_is_required_a_pack_without_one_stays_out() {
    use city::bill::certificate::{Required, canonical};
    use ring::signature::{Ed25519KeyPair, KeyPair as _};
    let dir = tempfile::tempdir().unwrap();
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let keys = vec![kernel::hex(pair.public_key().as_ref())];
    let required = Some(Required { dir: dir.path().to_owned(), keys });
    let town = Town::with(|settings| settings.certificates = required).await;
    let text = pack_text();
    let hash = Pack::parse(&text).unwrap().hash;
    let add = async || bill::add_pack(&town.city, &town.operator, &text).await;
    let keep = |pack_sha256: &str, passed: bool, signer: &Ed25519KeyPair| {
        let report = serde_json::json!({
            "pack": "hz-live", "pack_sha256": pack_sha256, "passed": passed, "at": "2026-03-02T02:00:00Z", "yima": "0.1.0",
        });
        let signed = serde_json::json!({
            "key": kernel::hex(signer.public_key().as_ref()),
            "signature": kernel::hex(signer.sign(&canonical(&report)).as_ref()),
            "report": report,
        });
        std::fs::write(dir.path().join("hz-live.report.json"), signed.to_string()).unwrap();
    };
    assert_eq!(code(add().await), "pack_not_certified");
    let stranger = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
    for (hash, passed, signer) in
        [(&hash[..], false, &pair), ("00", true, &pair), (&hash[..], true, &stranger)]
    {
        keep(hash, passed, signer);
        assert_eq!(code(add().await), "pack_not_certified");
    }
    keep(&hash, true, &pair);
    assert_eq!(add().await.unwrap().hash, hash);
    // Who hands over files is nobody's to ask: it needs none.
    let power = super::support::shipped("330100/hz-power").text;
    bill::add_pack(&town.city, &town.operator, &power).await.unwrap();
}
