//! Billers that a bank carries: one line, several billers, ISO 8583 over a real socket.

use std::sync::Arc;

use channel::bank::book::Book;
use channel::bank::counterpart::{BankCounterpart, Fault, Faults, Kind};
use channel::bank::message::Dialect;
use channel::bank::spec::Spec;
use channel::secrets::Held;
use channel::{Debt, Meaning};
use city::bill::route::LineSetting;
use city::bill::{self, PayBill, PayState, Standing};
use city::{Refusal, books};
use kernel::ids::BillerId;
use kernel::{Date, ManualClock, SeededRng};

use super::support::{POWER, live_pack, packs_dir};
use crate::common::{Town, monday};

/// A biller of this name, carried by the bank under this number.
fn pack_text(id: &str, institution: &str) -> String {
    let way = format!(
        r#"[[channels]]
name = "bank"
[channels.bank]
line = "hz-bank"
institution = "{institution}"
"#
    );
    live_pack(id, "gas", ["杭州燃气", "Hangzhou Gas"], &way)
}

fn dialect() -> Dialect {
    let path = packs_dir().join("../docs/guides/bank-line.toml");
    let mut spec: Spec = toml::from_str(&std::fs::read_to_string(path).unwrap()).expect("the guide's line");
    (spec.times.answer_ms, spec.times.reconnect_most_ms) = (1_000, 100);
    spec.prove().expect("a line that makes sense")
}

fn debt(bill_no: &str, amount_minor: i64) -> Debt {
    let due = Some(Date::constant(2026, 3, 25));
    Debt { bill_no: bill_no.to_owned(), amount_minor, due, period: 202_602, holder: String::new() }
}

struct Bank {
    town: Town,
    far: BankCounterpart,
    gas: BillerId,
    heat: BillerId,
}

impl Bank {
    async fn new() -> Bank {
        let mut book = Book::default();
        book.open("0571001", POWER[0], vec![debt("G1", 10_000)]);
        book.open("0571002", POWER[0], vec![debt("H1", 7_000)]);
        let secrets = Held::default().with("bank-mac", "0123456789ABCDEFFEDCBA9876543210");
        let (clock, rng) = (Arc::new(ManualClock::new(monday())), Arc::new(SeededRng::new(3)));
        let none = Faults::default();
        let far =
            BankCounterpart::start("127.0.0.1:0", dialect(), &secrets, book, none, clock, rng).await.unwrap();
        let line = LineSetting { address: far.address().to_string(), dialect: Arc::new(dialect()), secrets };
        let town = Town::with(|settings| drop(settings.lines.insert("hz-bank".to_owned(), line))).await;
        let add = async |id: &str, institution: &str| {
            bill::add_pack(&town.city, &town.operator, &pack_text(id, institution)).await.unwrap().biller
        };
        let (gas, heat) = (add("hz-bank-gas", "0571001").await, add("hz-bank-heat", "0571002").await);
        let bank = Bank { town, far, gas, heat };
        while bill::fetch(&bank.town.city, gas, POWER[0]).await.is_err() {
            bank.town.pass(10); // the line is not up yet
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        bank
    }

    async fn wish(&self, biller: BillerId) -> PayBill {
        let view = bill::fetch(&self.town.city, biller, POWER[0]).await.unwrap().remove(0);
        PayBill { bill: view.bill.id, quote: view.quote.id, amount_minor: None, pin: None, request_id: None }
    }
}

#[tokio::test]
async fn one_bank_carries_many_billers() {
    let bank = Bank::new().await;
    let city = &bank.town.city;
    let who = bank.town.rich("13800000001", 50_000).await;
    for (biller, left) in [(bank.gas, 40_000), (bank.heat, 33_000)] {
        let paid = bill::pay(city, &who, bank.wish(biller).await).await.unwrap();
        assert_eq!(paid.state, PayState::Settled);
        assert_eq!(bank.town.available(books::wallet(who.id)).await, left);
        let open = bill::fetch(city, biller, POWER[0]).await.unwrap();
        assert!(open.iter().all(|view| view.standing != Standing::Open));
    }
    let mut institutions: Vec<String> =
        bank.far.book().taken().iter().map(|payment| payment.institution.clone()).collect();
    institutions.sort();
    assert_eq!(institutions, ["0571001", "0571002"]);
    assert_eq!(bill::ways(city, bank.gas)[0].way.name(), "bank");
    bank.town.assert_conserved().await;
}

#[tokio::test]
async fn what_goes_wrong_on_the_line_is_asked_about_or_freed() {
    for (fault, settled) in [
        (Fault::Refuse(Meaning::AlreadyPaid), None),
        (Fault::SilentAfter, Some(true)),
        (Fault::SilentBefore, Some(false)),
        (Fault::WrongMac, Some(true)),
        (Fault::Dropped, Some(true)),
    ] {
        let bank = Bank::new().await;
        let city = &bank.town.city;
        let who = bank.town.rich("13800000001", 50_000).await;
        let wish = bank.wish(bank.gas).await;
        let by_account = [(POWER[0].to_owned(), fault)].into();
        bank.far.set_faults(Faults { by_account, kinds: vec![Kind::Pay], ..Faults::default() });
        let answer = bill::pay(city, &who, wish).await;
        let Some(settled) = settled else {
            assert_eq!(answer.unwrap_err().code(), "biller_refused", "{fault:?}");
            assert_eq!(bank.town.available(books::wallet(who.id)).await, 50_000, "{fault:?}");
            continue;
        };
        assert_eq!(answer.unwrap().state, PayState::Pending, "{fault:?}");
        let node = bank.town.node().await;
        while bill::settle_pending(&node).await.unwrap() > 0 {
            bank.town.pass(10); // the line that was cut comes back
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let left = bank.town.available(books::wallet(who.id)).await;
        assert_eq!((left == 40_000, bank.far.book().taken().len() == 1), (settled, settled), "{fault:?}");
        bank.town.assert_conserved().await;
    }
}

#[test]
fn a_way_is_either_direct_or_by_a_bank() {
    let text = pack_text("hz-bank-gas", "0571001");
    for (from, to, key) in [
        ("line = \"hz-bank\"", "line = \"The Bank\"", "channels.0.bank.line"),
        ("institution = \"0571001\"", "institution = \"\"", "channels.0.bank.institution"),
        ("[channels.bank]\nline = \"hz-bank\"\ninstitution = \"0571001\"\n", "", "channels.0"),
    ] {
        assert!(text.contains(from), "{from}");
        match bill::Pack::parse(&text.replace(from, to)) {
            Err(bill::PackError::Invalid(place, _)) => assert_eq!(place, key, "{to}"),
            other => panic!("{to}: {other:?}"),
        }
    }
}
