//! Both ends of a real line: every fault ends in the reply it must, and what follows finds the truth.

use channel::bank::counterpart::{Fault, Faults, Kind};
use channel::bank::line::{BankDoor, Phase};
use channel::bank::message::Network;
use channel::{Door as _, Meaning, Payment, Reply};
use kernel::{Date, ManualClock, SeededRng};

use super::fixture::{
    ASCII, BCD, Known, book, both, counterpart, debt, door, now, nth, payment, settled, spec, timed,
};

/// Long enough for any machine.
const PATIENT: u32 = 60_000;
/// Long enough for silence to be told.
const SHORT: u32 = 250;

fn on(account: &str, fault: Fault) -> Faults {
    Faults { by_account: [(account.to_owned(), fault)].into(), ..Faults::default() }
}

/// Waits for what another task will do, and not for ever.
async fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..12_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("it never happened");
}

/// Pays until it was written: a machine that stands still for long may keep one from leaving in time.
async fn written(door: &BankDoor, payment: &Payment) -> Reply {
    let mut reply = door.pay(payment).await;
    for _ in 0..20 {
        if !matches!(reply, Reply::NotSent(_)) {
            break;
        }
        reply = door.pay(payment).await;
    }
    reply
}

#[tokio::test]
async fn a_bill_is_asked_for_paid_inquired_and_given_back() {
    for text in [ASCII, BCD] {
        let dialect = timed(text, PATIENT, PATIENT);
        let (bank, door) = both(&dialect, book(2), Faults::default()).await;
        assert_eq!(door.probe().await, Reply::Said(()));
        assert_eq!(door.query("330100", "A0").await, Reply::Said(vec![debt("B0", 1_000)]));
        assert_eq!(door.query("330100", "A7").await, Reply::Meant(Meaning::AccountUnknown));
        assert_eq!(door.inquire(&nth(0)).await, Reply::Meant(Meaning::Unknown));
        for _ in 0..3 {
            assert_eq!(door.pay(&nth(0)).await, Reply::Said(()));
        }
        assert_eq!(door.query("330100", "A0").await, Reply::Said(Vec::new()));
        assert_eq!(door.inquire(&nth(0)).await, Reply::Said(()));
        assert_eq!(bank.book().taken(), [&nth(0)]);
        let wrong = Payment { amount_minor: 1, ..nth(1) };
        assert_eq!(door.pay(&wrong).await, Reply::Meant(Meaning::AmountDiffers));
        let paid = if text == ASCII { Meaning::AlreadyPaid } else { Meaning::Refused };
        assert_eq!(door.pay(&payment("x", "A0", "B0", 1_000)).await, Reply::Meant(paid));
        let refund = door.refund(&nth(0), "rfd_1", 300).await;
        if text == ASCII {
            assert_eq!(refund, Reply::Said(()));
            assert_eq!(door.refund(&nth(0), "rfd_1", 300).await, Reply::Said(()));
            assert_eq!(door.refund(&nth(0), "rfd_2", 701).await, Reply::Meant(Meaning::AmountDiffers));
            assert_eq!(bank.book().refunded(&nth(0).id), 300);
        } else {
            assert_eq!(refund, Reply::NotSent("field 3: the pack has no such question".to_owned()));
        }
        let health = door.health();
        assert_eq!((health.phase, health.under_way, health.skew_s), (Phase::Up, 0, 0));
        assert_eq!((health.tally.unasked, health.tally.late), (0, 0));
        door.close().await;
        assert_eq!(bank.heard()["0800/002"], 1);
    }
}

#[tokio::test]
async fn every_refusal_that_is_declared_arrives_as_itself_and_takes_nothing() {
    let dialect = timed(ASCII, PATIENT, PATIENT);
    let (bank, door) = both(&dialect, book(1), Faults::default()).await;
    for meaning in [
        Meaning::Pending,
        Meaning::Unknown,
        Meaning::AccountUnknown,
        Meaning::NothingDue,
        Meaning::AmountDiffers,
        Meaning::AlreadyPaid,
        Meaning::Closed,
        Meaning::Busy,
        Meaning::Refused,
        Meaning::Duplicate,
    ] {
        bank.set_faults(on("A0", Fault::Refuse(meaning)));
        assert_eq!(door.pay(&nth(0)).await, Reply::Meant(meaning));
        assert_eq!(door.inquire(&nth(0)).await, Reply::Meant(Meaning::Unknown));
    }
    assert!(bank.book().taken().is_empty());
    // What was taken is not refused when it is asked for again.
    bank.set_faults(Faults::default());
    assert_eq!(door.pay(&nth(0)).await, Reply::Said(()));
    bank.set_faults(on("A0", Fault::Refuse(Meaning::Refused)));
    assert_eq!(door.pay(&nth(0)).await, Reply::Said(()));
}

#[tokio::test]
async fn faults_that_keep_the_answer_end_in_silence_and_inquiry_finds_the_truth() {
    for (text, fault, taken) in [
        (ASCII, Fault::SilentBefore, false),
        (ASCII, Fault::SilentAfter, true),
        (ASCII, Fault::Slow, true),
        (ASCII, Fault::WrongMac, true),
        (ASCII, Fault::Malformed, true),
        (ASCII, Fault::Dropped, true),
        (BCD, Fault::WrongMac, true),
        (BCD, Fault::Malformed, true),
        (BCD, Fault::Dropped, true),
    ] {
        let dialect = timed(text, SHORT, PATIENT);
        let faults = Faults { slow_ms: SHORT * 2, ..on("A0", fault) };
        let (bank, door) = both(&dialect, book(1), faults).await;
        assert!(matches!(written(&door, &nth(0)).await, Reply::Silent(_)), "{fault:?}");
        until(|| bank.heard().contains_key("0200")).await;
        let truth = settled(&door, &nth(0)).await;
        assert_eq!(truth, if taken { Reply::Said(()) } else { Reply::Meant(Meaning::Unknown) }, "{fault:?}");
        let tally = || door.health().tally;
        match fault {
            Fault::Slow => until(|| tally().late >= 1).await,
            Fault::WrongMac if text == ASCII => assert_eq!((tally().unproved, tally().malformed), (1, 0)),
            Fault::WrongMac | Fault::Malformed => assert_eq!((tally().unproved, tally().malformed), (0, 1)),
            Fault::Dropped => assert!(tally().signed_on >= 2),
            _ => assert_eq!((tally().unproved, tally().malformed), (0, 0)),
        }
        assert_eq!(bank.book().taken().len(), usize::from(taken));
    }
}

#[tokio::test]
async fn faults_that_let_the_answer_through_do_not_hide_it() {
    let dialect = timed(ASCII, PATIENT, PATIENT);
    let tomorrow = Some(Date::constant(2026, 3, 2));
    for fault in [Fault::Twice, Fault::SignOff, Fault::CutOver, Fault::Skew] {
        let (bank, door) = both(&dialect, book(2), on("A0", fault)).await;
        assert_eq!(door.pay(&nth(0)).await, Reply::Said(()), "{fault:?}");
        let health = door.health();
        match fault {
            Fault::Twice => until(|| door.health().tally.unasked == 1).await,
            // Signed on again by itself, or the next payment would wait for ever.
            Fault::SignOff => until(|| door.health().tally.signed_on == 2).await,
            Fault::CutOver => assert_eq!(health.settlement_day, tomorrow),
            _ => assert_eq!(health.skew_s, 3_600),
        }
        assert_eq!(door.pay(&nth(1)).await, Reply::Said(()), "{fault:?}");
        assert_eq!(bank.book().taken(), [&nth(0), &nth(1)]);
    }
}

#[tokio::test]
async fn a_reversal_takes_back_and_a_late_payment_is_refused_for_good() {
    let dialect = timed(ASCII, SHORT, PATIENT);
    let (bank, door) = both(&dialect, book(2), on("A0", Fault::SilentAfter)).await;
    assert!(matches!(written(&door, &nth(0)).await, Reply::Silent(_)));
    // Taken back although it was taken, and before it came.
    for n in [0, 1] {
        while door.reverse(&nth(n)).await != Reply::Said(()) {}
        bank.set_faults(Faults::default());
        for _ in 0..2 {
            let late = loop {
                match door.pay(&nth(n)).await {
                    Reply::Silent(_) | Reply::NotSent(_) => {}
                    known => break known,
                }
            };
            assert_eq!(late, Reply::Meant(Meaning::Refused));
        }
        assert_eq!(settled(&door, &nth(n)).await, Reply::Meant(Meaning::Unknown));
    }
    assert!(bank.book().taken().is_empty());
    assert_eq!(bank.book().query("330100", "A0"), Ok(&[debt("B0", 1_000)][..]), "it is owed again");
}

#[tokio::test]
async fn a_reversal_is_repeated_as_a_repetition_while_nobody_answers() {
    let dialect = timed(ASCII, SHORT, PATIENT);
    let faults = Faults { kinds: vec![Kind::Reverse], ..on("A0", Fault::SilentBefore) };
    let (bank, door) = both(&dialect, book(1), faults).await;
    while bank.heard().get("0421").is_none_or(|n| *n < 2) {
        assert!(!matches!(door.reverse(&nth(0)).await, Reply::Said(()) | Reply::Meant(_)));
    }
    assert!(bank.heard()["0420"] >= 1);
}

#[tokio::test]
async fn what_never_left_is_not_sent() {
    let dialect = timed(ASCII, SHORT, PATIENT);
    // Nobody listens there: the port was just given back.
    let gone = counterpart(&dialect, book(1), Faults::default()).await;
    let address = gone.address().to_string();
    drop(gone);
    let clock = std::sync::Arc::new(ManualClock::new(now()));
    let open = |address: &str, dialect| {
        BankDoor::open(address, dialect, &Known, clock.clone(), std::sync::Arc::new(SeededRng::new(1)))
    };
    let door = open(&address, dialect.clone()).unwrap();
    for reply in [door.pay(&nth(0)).await, door.reverse(&nth(0)).await, door.probe().await] {
        assert!(matches!(&reply, Reply::NotSent(why) if why.starts_with("the line is down")), "{reply:?}");
    }
    assert_eq!(door.health().phase, Phase::Down);
    // A value that no message can carry.
    let (_bank, door) = both(&timed(ASCII, PATIENT, PATIENT), book(1), Faults::default()).await;
    let odd = payment("1", "A|0", "B", 1);
    assert_eq!(door.pay(&odd).await, Reply::NotSent("field 48: a part has the delimiter in it".to_owned()));
    // A secret that nobody configured.
    let mut other = spec(ASCII);
    other.mac.as_mut().unwrap().secret = "other".to_owned();
    let refused = open(&address, other.prove().unwrap()).unwrap_err();
    assert_eq!(refused.to_string(), "the secret other is not configured, or is not 16 bytes");
}

#[tokio::test]
async fn outside_of_its_hours_the_bank_is_not_asked_for_anything_new() {
    let mut closed = spec(ASCII);
    closed.hours = toml::from_str("from = \"10:00\"\nto = \"09:00\"").unwrap();
    let dialect = closed.prove().unwrap();
    let (bank, door) = both(&dialect, book(1), Faults::default()).await;
    assert_eq!(door.pay(&nth(0)).await, Reply::Meant(Meaning::Closed));
    assert_eq!(door.query("330100", "A0").await, Reply::Meant(Meaning::Closed));
    assert_eq!(door.refund(&nth(0), "r", 1).await, Reply::Meant(Meaning::Closed));
    assert!(!bank.heard().contains_key("0200"));
    // What was asked before may always be asked about.
    assert_eq!(door.inquire(&nth(0)).await, Reply::Meant(Meaning::Unknown));
    assert_eq!(door.reverse(&nth(0)).await, Reply::Said(()));
}

#[tokio::test]
async fn a_line_that_is_cut_comes_back_and_a_quiet_one_is_tried() {
    let dialect = timed(ASCII, PATIENT, 20);
    let (bank, door) = both(&dialect, book(1), Faults::default()).await;
    until(|| bank.heard().get("0800/301").is_some_and(|n| *n >= 2)).await;
    bank.hang_up().await;
    until(|| door.health().tally.signed_on >= 2).await;
    assert_eq!(door.pay(&nth(0)).await, Reply::Said(()));
    // Both ends may begin a day, and the bank may ask whether we are there.
    let day = Date::constant(2026, 3, 9);
    assert_eq!(door.cut_over(day).await, Reply::Said(()));
    bank.tell(Network::CutOver(day)).await;
    bank.tell(Network::Echo).await;
    until(|| bank.heard().contains_key("0810/201") && bank.heard().contains_key("0810/301")).await;
    assert_eq!(door.health().settlement_day, Some(day));
}

#[tokio::test]
async fn a_bank_that_was_signed_off_takes_no_payment_and_knows_what_it_took() {
    let dialect = timed(ASCII, PATIENT, PATIENT);
    let bank = counterpart(&dialect, book(2), Faults::default()).await;
    let one = door(&dialect, &bank);
    one.reaches(Phase::Up).await;
    assert_eq!(one.pay(&nth(0)).await, Reply::Said(()));
    bank.tell(Network::SignOff).await;
    until(|| bank.heard().contains_key("0810/002")).await;
    until(|| one.health().tally.signed_on == 2).await;
    assert_eq!(one.pay(&nth(0)).await, Reply::Said(()), "as before");
    // A second node has a line of its own.
    let two = door(&dialect, &bank);
    assert_eq!(two.inquire(&nth(0)).await, Reply::Said(()));
    assert_eq!(two.pay(&nth(0)).await, Reply::Said(()));
    assert_eq!(bank.book().taken(), [&nth(0)]);
}

#[tokio::test]
async fn a_node_with_another_key_is_not_heard() {
    let bank = counterpart(&timed(ASCII, SHORT, PATIENT), book(1), Faults::default()).await;
    let mut other = spec(ASCII);
    other.mac = None;
    other.times.answer_ms = SHORT;
    let door = door(&other.prove().unwrap(), &bank);
    until(|| door.health().trouble.as_deref() == Some("the sign-on was not answered")).await;
    assert!(matches!(door.pay(&nth(0)).await, Reply::NotSent(_)));
    assert!(bank.heard().is_empty() && bank.book().taken().is_empty());
}
