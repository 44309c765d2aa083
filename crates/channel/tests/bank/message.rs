//! Questions become messages and questions again; answers mean what the pack says, or nothing.

use channel::bank::book::Book;
use channel::bank::message::{Network, Question, Unread, retrieval_of};
use channel::iso8583::Message;
use channel::iso8583::mac::MacKey;
use channel::{Debt, Meaning, Reply};
use kernel::Date;

use super::fixture::{ASCII, BCD, debt, dialect, now, nth, payment};

fn every() -> Vec<Question> {
    let paid = payment("01jm8v9n6wfxkt3m2q5z7rbd4c", "3301002345", "B-1", 15_230);
    vec![
        Question::Query { institution: "330100".to_owned(), account_no: "3301002345".to_owned() },
        Question::Pay(paid.clone()),
        Question::Inquire(paid.clone()),
        Question::Reverse { payment: paid.clone(), repeated: false },
        Question::Reverse { payment: paid.clone(), repeated: true },
        Question::Refund { payment: paid, reference: "rfd_1".to_owned(), amount_minor: 230 },
        Question::Network(Network::SignOn),
        Question::Network(Network::SignOff),
        Question::Network(Network::Echo),
        Question::Network(Network::CutOver(Date::constant(2026, 3, 2))),
    ]
}

#[test]
fn every_question_is_read_as_it_was_written() {
    let key = MacKey::new(&[7; 16]);
    for text in [ASCII, BCD] {
        let dialect = dialect(text);
        for question in every() {
            let written = dialect.write(&question, 42, now());
            if dialect.spec().refund.is_none() && matches!(question, Question::Refund { .. }) {
                assert_eq!(written.unwrap_err().to_string(), "field 3: the pack has no such question");
                continue;
            }
            let message = written.unwrap();
            let bytes = dialect.seal(message.clone(), Some(&key)).unwrap();
            assert_eq!(dialect.open(&bytes, Some(&key)), Ok(message.clone()));
            let read = dialect.read(&message, now()).map(|read| match (read, &question) {
                // A refund carries its own amount, and not the payment's.
                (Question::Refund { mut payment, reference, amount_minor }, Question::Refund { .. }) => {
                    payment.amount_minor = 15_230;
                    Question::Refund { payment, reference, amount_minor }
                }
                (read, _) => read,
            });
            assert_eq!(read, Ok(question));
        }
    }
}

#[test]
fn a_payment_has_the_fields_of_the_standard() {
    let paid = payment("01jm8v9n6wfxkt3m2q5z7rbd4c", "3301002345", "B-1", 15_230);
    let message = dialect(ASCII).write(&Question::Pay(paid.clone()), 42, now()).unwrap();
    let stan = message.get(11).unwrap().to_owned();
    let retrieval = retrieval_of(&paid.id);
    let wanted = Message::new("0200")
        .with(3, "190000")
        .with(4, "000000015230")
        .with(7, "0301013015")
        .with(11, &*stan)
        .with(12, "093015")
        .with(13, "0301")
        .with(32, "1020")
        .with(37, &*retrieval)
        .with(41, "YIMA0001")
        .with(42, "898330048990001")
        .with(48, "330100|3301002345|B-1|202602")
        .with(49, "156")
        .with(61, "01030pay_01jm8v9n6wfxkt3m2q5z7rbd4c");
    assert_eq!(message, wanted);
    // Another node, later, with another count: the same message.
    let later = now().plus(std::time::Duration::from_hours(30));
    assert_eq!(dialect(ASCII).write(&Question::Pay(paid.clone()), 77, later).unwrap(), wanted);
    // Its reversal names it, wherever and whenever it is written.
    let reversal = Question::Reverse { payment: paid.clone(), repeated: false };
    let reversal = dialect(ASCII).write(&reversal, 78, later).unwrap();
    assert_eq!(reversal.mti, "0420");
    assert_eq!(reversal.get(90).unwrap(), format!("0200{stan}03010130150000000102000000000000"));
    assert_eq!(reversal.get(37), Some(&*retrieval));
    // An inquiry is another question each time, and never takes the payment's trace number.
    let count: u32 = stan.parse().unwrap();
    let inquiry = dialect(ASCII).write(&Question::Inquire(paid), count, later).unwrap();
    assert_ne!(inquiry.get(11), Some(&*stan));
    // The bank's time, where the pack says so.
    let local = dialect(BCD).write(&Question::Pay(nth(0)), 1, now()).unwrap();
    assert_eq!(local.get(7), Some("0301093015"));
}

#[test]
fn times_without_a_year_are_the_nearest() {
    let dialect = dialect(ASCII);
    let mut paid = nth(0);
    for (at, read_at) in [
        ("2025-12-31T15:59:59Z", "2025-12-31T16:00:01Z"),
        ("2025-12-31T16:00:00Z", "2025-12-31T15:59:58Z"),
        ("2024-02-29T04:00:00Z", "2024-03-05T04:00:00Z"),
    ] {
        paid.at = at.parse().unwrap();
        let message = dialect.write(&Question::Pay(paid.clone()), 1, paid.at).unwrap();
        assert_eq!(dialect.read(&message, read_at.parse().unwrap()), Ok(Question::Pay(paid.clone())));
    }
}

#[test]
fn what_cannot_be_said_is_refused_by_field() {
    let dialect = dialect(ASCII);
    let mut wide = nth(0);
    wide.amount_minor = 1_000_000_000_000;
    let mut negative = nth(0);
    negative.amount_minor = -1;
    for (question, why) in [
        (Question::Pay(wide), "field 4: an amount of twelve digits"),
        (Question::Pay(negative), "field 4: an amount of twelve digits"),
        (Question::Pay(payment("1", "a|b", "B", 1)), "field 48: a part has the delimiter in it"),
        (
            Question::Pay(payment(&"1".repeat(1_000), "a", "B", 1)),
            "field 61: a part is longer than its length can say",
        ),
    ] {
        assert_eq!(dialect.write(&question, 1, now()).unwrap_err().to_string(), why);
    }
    let good = dialect.write(&Question::Pay(nth(0)), 1, now()).unwrap();
    for (message, why) in [
        (good.clone().with(48, "a|b"), "field 48: not as many parts as it should have"),
        (good.clone().with(61, "01"), "field 61: ends in the middle of a part"),
        (good.clone().with(61, "01xxxa"), "field 61: a part's length is no number"),
        (good.clone().with(61, "01999a"), "field 61: ends in the middle of a part"),
        (good.clone().with(13, "0230"), "field 13: no time"),
        (good.clone().with(3, "999999"), "field 3: the pack has no such question"),
        (good.clone().with(48, "1|2|3|202613"), "content: no month"),
        (Message::new("0800"), "field 70: is missing"),
        (Message::new("0800").with(70, "161"), "field 70: unknown"),
        (Message::new("0800").with(70, "201").with(15, "1301"), "field 15: no day"),
    ] {
        assert_eq!(dialect.read(&message, now()).unwrap_err().to_string(), why);
    }
    // A tag that nobody knows is passed over.
    let more = format!("99003abc{}", good.get(61).unwrap());
    assert_eq!(dialect.read(&good.clone().with(61, more), now()), Ok(Question::Pay(nth(0))));
}

#[test]
fn a_wrong_code_a_missing_one_and_one_that_covers_less_are_refused() {
    let dialect = dialect(ASCII);
    let (key, other) = (MacKey::new(&[7; 16]), MacKey::new(&[8; 16]));
    let message = dialect.write(&Question::Pay(nth(0)), 1, now()).unwrap();
    let bytes = dialect.seal(message.clone(), Some(&key)).unwrap();
    assert_eq!(dialect.open(&bytes, Some(&other)), Err(Unread::Unproved));
    assert_eq!(dialect.open(&bytes, None), Err(Unread::Unproved));
    let bare = dialect.pack().encode(&message).unwrap();
    assert_eq!(dialect.open(&bare, Some(&key)), Err(Unread::Unproved));
    let mut changed = bytes.clone();
    changed[30] ^= 1;
    assert!(dialect.open(&changed, Some(&key)).is_err());
    // A field after 64: the code is in 128 then, and covers it.
    let reversal = Question::Reverse { payment: nth(0), repeated: false };
    let reversal = dialect.write(&reversal, 1, now()).unwrap();
    let sealed = dialect.seal(reversal.clone(), Some(&key)).unwrap();
    let decoded = dialect.pack().decode(&sealed).unwrap();
    assert!(decoded.get(64).is_none() && decoded.get(128).is_some());
    assert_eq!(dialect.open(&sealed, Some(&key)), Ok(reversal.clone()));
    let uncovered = dialect.pack().encode(&reversal.with(64, "0011223344556677")).unwrap();
    assert_eq!(dialect.open(&uncovered, Some(&key)), Err(Unread::Unproved));
}

#[test]
fn debts_arrive_as_they_were_written() {
    for (text, holder) in [(ASCII, "Zhang San"), (BCD, "张三")] {
        let dialect = dialect(text);
        let bare = Debt { due: None, period: 0, holder: String::new(), ..debt("B1", 1) };
        let debts = [Debt { holder: holder.to_owned(), ..debt("B0", 123_456) }, bare, debt("B2", 50)];
        let question = Question::Query { institution: "330100".to_owned(), account_no: "A".to_owned() };
        let asked = dialect.write(&question, 9, now()).unwrap();
        for debts in [&debts[..], &[]] {
            let answer = dialect.answer(&asked, "00", debts, now()).unwrap();
            let bytes = dialect.pack().encode(&answer).unwrap();
            let answer = dialect.pack().decode(&bytes).unwrap();
            assert_eq!(dialect.meaning(&question, &asked, &answer), Reply::Said(debts.to_vec()));
        }
    }
}

#[test]
fn an_answer_means_what_the_pack_says_or_is_silence() {
    let dialect = dialect(ASCII);
    let pay = Question::Pay(nth(0));
    let asked = dialect.write(&pay, 1, now()).unwrap();
    let answer = |code: &str| dialect.answer(&asked, code, &[], now()).unwrap();
    for (code, meaning) in [
        ("94", Meaning::Duplicate),
        ("91", Meaning::Pending),
        ("25", Meaning::Unknown),
        ("14", Meaning::AccountUnknown),
        ("55", Meaning::NothingDue),
        ("13", Meaning::AmountDiffers),
        ("26", Meaning::AlreadyPaid),
        ("90", Meaning::Closed),
        ("09", Meaning::Busy),
        ("12", Meaning::Refused),
    ] {
        assert_eq!(dialect.meaning(&pay, &asked, &answer(code)), Reply::Meant(meaning), "{code}");
        let code = dialect.code_for(&pay, meaning).unwrap();
        assert_eq!(dialect.meaning(&pay, &asked, &answer(&code)), Reply::Meant(meaning), "{code}");
    }
    assert_eq!(dialect.meaning(&pay, &asked, &answer("00")), Reply::Said(Vec::new()));
    let mut without = answer("00");
    without.fields.remove(&39);
    for (answer, why) in [
        (answer("ZZ"), "a response code that the pack does not know"),
        (without, "an answer without a response code"),
        (answer("00").with(4, "000000000001"), "an answer to something else, by field 4"),
        (answer("00").with(3, "380000"), "an answer to something else, by field 3"),
        (answer("00").with(49, "840"), "an answer to something else, by field 49"),
    ] {
        assert_eq!(dialect.meaning(&pay, &asked, &answer), Reply::Silent(why.to_owned()));
    }
    let query = Question::Query { institution: "330100".to_owned(), account_no: "A".to_owned() };
    let asked = dialect.write(&query, 1, now()).unwrap();
    for damaged in ["B1|x|||", "B1|0|||", "|100|||", "B1|100|20260230||", "B1|100||202613|", "B1|100"] {
        let answer = dialect.answer(&asked, "00", &[], now()).unwrap().with(62, damaged);
        let reply = dialect.meaning(&query, &asked, &answer);
        assert!(
            matches!(&reply, Reply::Silent(why) if why.starts_with("a debt that cannot be read")),
            "{reply:?}"
        );
    }
}

#[test]
fn a_book_takes_a_bill_once_and_what_was_taken_back_never_again() {
    let mut book = Book::default();
    book.open("330100", "A0", vec![debt("B0", 1_000)]);
    let first = nth(0);
    let second = payment("other", "A0", "B0", 1_000);
    assert_eq!(book.pay(&payment("x", "A9", "B0", 1_000)), Meaning::AccountUnknown);
    assert_eq!(book.pay(&payment("x", "A0", "B9", 1_000)), Meaning::NothingDue);
    assert_eq!(book.pay(&payment("x", "A0", "B0", 999)), Meaning::AmountDiffers);
    assert_eq!(book.inquire(&first), Meaning::Unknown);
    assert_eq!((book.pay(&first), book.pay(&first)), (Meaning::Ok, Meaning::Ok));
    assert_eq!(book.pay(&second), Meaning::AlreadyPaid);
    let changed = channel::Payment { amount_minor: 5, ..first.clone() };
    assert_eq!(book.pay(&changed), Meaning::Refused);
    assert_eq!(book.refund(&first, "r1", 400), Meaning::Ok);
    assert_eq!(book.refund(&first, "r1", 400), Meaning::Ok);
    assert_eq!(book.refund(&first, "r1", 401), Meaning::Refused);
    assert_eq!(book.refund(&first, "r2", 601), Meaning::AmountDiffers);
    assert_eq!(book.refund(&second, "r3", 1), Meaning::Unknown);
    assert_eq!((book.refunded(&first.id), book.reverse(&first)), (400, Meaning::Refused));
    // One that never came is refused when it comes.
    let late = payment("late", "A0", "B0", 1_000);
    assert_eq!(
        (book.reverse(&late), book.pay(&late), book.inquire(&late)),
        (Meaning::Ok, Meaning::Refused, Meaning::Unknown)
    );
    assert_eq!(book.taken(), [&first]);
}
