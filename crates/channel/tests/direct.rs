//! Institutions over HTTP: a door and a counterpart made from the same pack, over real sockets.

use std::sync::Arc;
use std::time::Duration;

use channel::book::{Book, Fault, State};
use channel::direct::counterpart::{Counterpart, Faults};
use channel::direct::question::{amount, yuan};
use channel::direct::spec::{Spec, Unit};
use channel::direct::template::{Escape, Template};
use channel::direct::{HttpDoor, Setting, tree};
use channel::secrets::{Held, Secrets};
use channel::tls::Tls;
use channel::{Debt, Door, Meaning, Payment, Reply};
use kernel::{Date, ManualClock, SeededRng, Timestamp, UtcOffset};
use proptest::prelude::*;

const JSON: &str = r#"
format = "json"
code = "head.code"
clock_skew_s = 300
codes = { "0000" = "ok", "0001" = "duplicate", "1001" = "account_unknown", "1002" = "nothing_due", "2001" = "amount_differs", "2002" = "already_paid", "3001" = "closed", "3002" = "busy", "9000" = "pending", "9999" = "refused" }
headers = { "x-time" = "{timestamp_ms}" }
[auth]
kind = "hmac-sha256"
secret = "power"
header = "x-sign"
text = "{method}&{path}&{timestamp_ms}&{body}"
[query]
path = "/v1/debt?inst={institution}"
body = '{"head":{"nonce":"{nonce}"},"account":"{account_no}"}'
[query.debts]
at = "body.bills"
bill_no = "no"
amount = "amt"
unit = "yuan"
due = "due"
period = "month"
holder = "name"
[pay]
path = "/v1/pay"
body = '{"id":"{payment}","account":"{account_no}","bill":"{bill_no}","amt":"{amount.yuan}"}'
[inquire]
path = "/v1/pay/{payment}"
method = "GET"
codes = { "4004" = "unknown" }
[reverse]
path = "/v1/reverse"
body = '{"id":"{payment}","account":"{account_no}","bill":"{bill_no}","amt":"{amount.yuan}"}'
[refund]
path = "/v1/refund"
body = '{"id":"{payment}","ref":"{reason}","amt":"{amount.yuan}"}'
"#;

const SOAP: &str = r#"
format = "xml"
code = "Envelope.Body.Answer.ResultCode"
codes = { "S" = "ok", "E01" = "account_unknown", "E02" = "amount_differs", "E03" = "already_paid", "E04" = "unknown", "E09" = "refused", "W" = "pending" }
[auth]
kind = "rsa-sha256"
secret = "water-key"
header = "Signature"
text = "{body}"
[query]
path = "/ws"
headers = { "SOAPAction" = "QueryDebt" }
body = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><Query at="{date}T{time}"><No>{account_no}</No></Query></s:Body></s:Envelope>'
[query.debts]
at = "Envelope.Body.Answer.Debt"
bill_no = "@id"
amount = "Fen"
unit = "fen"
due = "Due"
date = "YYYY-MM-DD"
holder = "Name"
[pay]
path = "/ws"
headers = { "SOAPAction" = "Pay" }
body = '<Pay id="{payment}"><No>{account_no}</No><Bill>{bill_no}</Bill><Fen>{amount.fen}</Fen></Pay>'
[inquire]
path = "/ws"
headers = { "SOAPAction" = "Inquire" }
body = '<Inquire id="{payment}"/>'
[reverse]
path = "/ws"
headers = { "SOAPAction" = "Reverse" }
body = '<Reverse id="{payment}"><No>{account_no}</No></Reverse>'
[refund]
path = "/ws"
headers = { "SOAPAction" = "Refund" }
body = '<Refund id="{payment}" ref="{reason}"><Fen>{amount.fen}</Fen></Refund>'
[probe]
path = "/ws?ping"
body = '<Ping/>'
"#;

const RSA_KEY: &[u8] = include_bytes!("keys/rsa.pem");

fn spec(text: &str) -> Spec {
    let spec: Spec = toml::from_str(text).expect("TOML");
    spec.prove().expect("a pack");
    spec
}

fn debt(bill_no: &str, amount_minor: i64) -> Debt {
    let due = Some(Date::constant(2026, 4, 15));
    Debt { bill_no: bill_no.to_owned(), amount_minor, due, period: 0, holder: "王\"<小>&明".to_owned() }
}

fn book() -> Book {
    let mut book = Book::default();
    book.open("", "330001", vec![debt("B1", 15_230), debt("B2", 100)]);
    book.open("", "330002", Vec::new());
    for i in 0..200 {
        book.open("", &format!("34{i:04}"), vec![debt(&format!("C{i}"), 100 + i)]);
    }
    book
}

fn payment(id: &str, account_no: &str, bill_no: &str, amount_minor: i64) -> Payment {
    Payment {
        id: id.to_owned(),
        institution: String::new(),
        account_no: account_no.to_owned(),
        bill_no: bill_no.to_owned(),
        period: 0,
        amount_minor,
        at: Timestamp::from_secs(1_772_000_000),
    }
}

fn secrets() -> Arc<dyn Secrets> {
    Arc::new(Held::default().with("power", "k1").with("water-key", RSA_KEY))
}

async fn other_side(spec: &Spec, faults: Faults) -> Counterpart {
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_772_000_100)));
    let slow = Duration::from_secs(3);
    Counterpart::start(spec.clone(), book(), faults, secrets(), clock, slow).await.unwrap()
}

fn door(spec: &Spec, addr: std::net::SocketAddr, secrets: Arc<dyn Secrets>) -> HttpDoor {
    let setting = Setting {
        base: format!("http://{addr}/").parse().unwrap(),
        tls: Tls::default(),
        secrets,
        institution: String::new(),
        timeout: Duration::from_millis(700),
        retries: 1,
        offset: UtcOffset::CHINA,
        clock: Arc::new(ManualClock::new(Timestamp::from_secs(1_772_000_000))),
        rng: Arc::new(SeededRng::new(7)),
    };
    HttpDoor::new(spec.clone(), setting).unwrap()
}

fn no_faults() -> Faults {
    Arc::new(|_, _| None)
}

#[tokio::test]
async fn a_bill_is_asked_for_paid_repeated_and_given_back() {
    for text in [JSON, SOAP] {
        let spec = spec(text);
        let other = other_side(&spec, no_faults()).await;
        let door = door(&spec, other.addr, secrets());
        assert_eq!(door.probe().await, Reply::Said(()));
        let owed = door.query("", "330001").await;
        assert_eq!(owed, Reply::Said(vec![debt("B1", 15_230), debt("B2", 100)]));
        assert_eq!(door.query("", "330002").await, Reply::Said(Vec::new()));
        assert_eq!(door.query("", "339999").await, Reply::Meant(Meaning::AccountUnknown));

        let first = payment("pay_1", "330001", "B1", 15_230);
        assert_eq!(door.inquire(&first).await, Reply::Meant(Meaning::Unknown));
        assert_eq!(door.pay(&first).await, Reply::Said(()));
        let again = door.pay(&first).await;
        assert!(matches!(again, Reply::Said(()) | Reply::Meant(Meaning::Duplicate)), "{again:?}");
        assert_eq!(door.inquire(&first).await, Reply::Said(()));
        assert_eq!(door.query("", "330001").await, Reply::Said(vec![debt("B2", 100)]));
        for (refused, why) in [
            (payment("pay_2", "330001", "B1", 15_230), Meaning::AlreadyPaid),
            (payment("pay_3", "330001", "B2", 99), Meaning::AmountDiffers),
            (payment("pay_4", "339999", "B2", 99), Meaning::AccountUnknown),
            (payment("pay_1", "330001", "B1", 15_231), Meaning::Refused),
        ] {
            assert_eq!(door.pay(&refused).await, Reply::Meant(why), "{}", refused.id);
        }
        assert_eq!(door.refund(&first, "R1", 230).await, Reply::Said(()));
        assert!(matches!(
            door.refund(&first, "R1", 230).await,
            Reply::Said(()) | Reply::Meant(Meaning::Duplicate)
        ));
        assert_eq!(door.refund(&first, "R2", 15_001).await, Reply::Meant(Meaning::Refused));
        assert_eq!(other.book().payment("pay_1").unwrap().refunds.values().sum::<i64>(), 230);

        // Taken back before it came: it never comes.
        let late = payment("pay_5", "330001", "B2", 100);
        assert_eq!(door.reverse(&late).await, Reply::Said(()));
        assert_eq!(door.pay(&late).await, Reply::Meant(Meaning::Refused));
        assert_eq!(other.book().payment("pay_5").unwrap().state, State::Reversed);
    }
}

#[tokio::test]
async fn what_goes_wrong_is_silence_or_a_reason_and_asking_again_finds_the_truth() {
    for (fault, taken, reply) in [
        (Fault::Slow, true, "no answer in time"),
        (Fault::SilentAfter, true, "no answer in time"),
        (Fault::SilentBefore, false, "no answer in time"),
        (Fault::HangsUp, true, ""),
        (Fault::Garbled, true, "HTTP 200, no JSON"),
        (Fault::StrangeCode, false, "a result code that the pack does not know"),
    ] {
        let spec = spec(JSON);
        let other = other_side(&spec, Arc::new(move |kind, _| (kind == "pay").then_some(fault))).await;
        let door = door(&spec, other.addr, secrets());
        let first = payment("pay_1", "330001", "B1", 15_230);
        match door.pay(&first).await {
            Reply::Silent(why) => assert!(why.starts_with(reply), "{fault:?}: {why}"),
            answered => panic!("{fault:?}: {answered:?}"),
        }
        let truth = if taken { Reply::Said(()) } else { Reply::Meant(Meaning::Unknown) };
        assert_eq!(door.inquire(&first).await, truth, "{fault:?}");
        assert_eq!(door.reverse(&first).await, Reply::Said(()), "{fault:?}");
        assert_eq!(door.inquire(&first).await, Reply::Meant(Meaning::Refused), "{fault:?}");
    }
    let json = spec(JSON);
    let other = other_side(&json, Arc::new(|_, _| Some(Fault::ClockSkew))).await;
    let first = payment("pay_1", "330001", "B1", 15_230);
    assert_eq!(door(&json, other.addr, secrets()).pay(&first).await, Reply::Meant(Meaning::Refused));
    assert!(other.book().payment("pay_1").is_none());
    for meaning in
        [Meaning::Closed, Meaning::Busy, Meaning::Pending, Meaning::AlreadyPaid, Meaning::NothingDue]
    {
        let other = other_side(&json, Arc::new(move |_, _| Some(Fault::Says(meaning)))).await;
        let door = door(&json, other.addr, secrets());
        assert_eq!(door.pay(&payment("pay_1", "330001", "B1", 15_230)).await, Reply::Meant(meaning));
        assert!(other.book().payment("pay_1").is_none());
    }
}

#[tokio::test]
async fn who_cannot_prove_himself_is_not_heard_and_where_nobody_is_nothing_is_sent() {
    for (text, wrong) in [
        (JSON, Held::default().with("power", "another key")),
        (SOAP, Held::default().with("water-key", include_bytes!("keys/other.pem").as_slice())),
    ] {
        let spec = spec(text);
        let other = other_side(&spec, no_faults()).await;
        let reply =
            door(&spec, other.addr, Arc::new(wrong)).pay(&payment("pay_1", "330001", "B1", 15_230)).await;
        assert!(matches!(reply, Reply::Silent(_)), "{reply:?}");
        assert!(other.book().payment("pay_1").is_none());
        let none = door(&spec, other.addr, Arc::new(Held::default()));
        let reply = none.pay(&payment("pay_1", "330001", "B1", 15_230)).await;
        assert!(matches!(&reply, Reply::NotSent(why) if why.contains("is not configured")), "{reply:?}");
    }
    let spec = spec(JSON);
    let gone = other_side(&spec, no_faults()).await.addr; // stopped at once
    let reply = door(&spec, gone, secrets()).pay(&payment("pay_1", "330001", "B1", 15_230)).await;
    assert!(matches!(reply, Reply::NotSent(_)), "{reply:?}");
}

#[tokio::test]
async fn two_hundred_payments_at_once_with_faults_are_each_taken_once_or_not_at_all() {
    let spec = spec(JSON);
    let faults: Faults = Arc::new(|kind, payment: &Payment| {
        let n: u32 = payment.id.trim_start_matches("pay_").parse().unwrap_or(0);
        (kind == "pay").then_some(())?;
        match n % 20 {
            3 => Some(Fault::SilentAfter),
            7 => Some(Fault::SilentBefore),
            11 => Some(Fault::HangsUp),
            13 => Some(Fault::Garbled),
            _ => None,
        }
    });
    let other = other_side(&spec, faults).await;
    let door = Arc::new(door(&spec, other.addr, secrets()));
    let mut asked = tokio::task::JoinSet::new();
    for i in 0..200i64 {
        let door = door.clone();
        asked.spawn(async move {
            let one = payment(&format!("pay_{i}"), &format!("34{i:04}"), &format!("C{i}"), 100 + i);
            let mut reply = door.pay(&one).await;
            while !matches!(reply, Reply::Said(()) | Reply::Meant(Meaning::Duplicate)) {
                reply = match door.inquire(&one).await {
                    Reply::Meant(Meaning::Unknown) => {
                        assert_eq!(door.reverse(&one).await, Reply::Said(()));
                        return false;
                    }
                    other => other,
                };
            }
            true
        });
    }
    let mut paid = 0;
    while let Some(done) = asked.join_next().await {
        paid += usize::from(done.unwrap());
    }
    let book = other.book();
    let taken = book.payments().filter(|entry| entry.state == State::Taken).count();
    assert!(paid == taken && paid > 0, "{paid} are believed to be paid, {taken} were taken");
    assert!(book.payments().all(|entry| entry.times <= 1));
}

#[test]
fn packs_that_make_no_sense_are_refused_by_key() {
    for (from, to, key) in [
        ("method = \"GET\"", "method = \"DELETE\"", "inquire.method"),
        ("path = \"/v1/pay\"", "path = \"v1/pay\"", "pay.path"),
        ("path = \"/v1/pay\"", "path = \"/v1 pay\"", "pay.path"),
        ("path = \"/v1/pay\"", "path = \"/v1/{payed}\"", "pay.path"),
        ("{payment}", "1", "pay"),
        ("{nonce}", "{nonce}{time}", "query.body"),
        ("{account_no}", "{account}", "query.body"),
        ("header = \"x-sign\"", "header = \"Host\"", "auth.header"),
        ("secret = \"power\"", "secret = \"The Key\"", "auth.secret"),
        ("{timestamp_ms}&{body}", "{when}&{body}", "auth.text"),
        ("\"0000\" = \"ok\", ", "", "query.codes"),
    ] {
        assert!(JSON.contains(from), "{from}");
        let spec: Spec = toml::from_str(&JSON.replace(from, to)).expect("TOML");
        assert_eq!(spec.prove().unwrap_err().key, key, "{to}");
    }
}

#[test]
fn answers_are_read_by_path_in_either_language() {
    let xml = tree::xml(br#"<?xml version="1.0"?><a:R xmlns:a="u"><a:i n="1">x &amp; &#20013;</a:i><i n="2"><![CDATA[<y>]]></i><e/></a:R>"#).unwrap();
    let json = tree::json(
        r##"{"R":{"i":[{"@n":"1","#text":"x & 中"},{"@n":"2","#text":"<y>"}],"e":""}}"##.as_bytes(),
    )
    .unwrap();
    assert_eq!(xml, json);
    assert_eq!(tree::text(&xml, "R.i.1.@n").as_deref(), Some("2"));
    assert_eq!(tree::items(&xml, "R.i").len(), 2);
    assert_eq!(tree::items(&xml, "R.e").len(), 0);
    assert_eq!(tree::items(&xml, "R.none").len(), 0);
    let deep = "<a>".repeat(40) + &"</a>".repeat(40);
    for (bytes, why) in [
        (&b"<a>"[..], "XML that ends in the middle"),
        (b"", "XML that ends in the middle"),
        (b"<a></b>", "no XML"),
        (b"<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "XML with a document type"),
        (b"<a>&x;</a>", "an entity that XML does not know"),
        (b"<a>\xff</a>", "XML that is not UTF-8"),
        (deep.as_bytes(), "XML nested too deeply"),
    ] {
        assert_eq!(tree::xml(bytes).unwrap_err(), why, "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn amounts_are_whole_fen() {
    for (text, unit, minor) in [
        ("152.30", Unit::Yuan, Some(15_230)),
        ("152.3", Unit::Yuan, Some(15_230)),
        ("152", Unit::Yuan, Some(15_200)),
        ("0.01", Unit::Yuan, Some(1)),
        ("152.300", Unit::Yuan, Some(15_230)),
        ("152.305", Unit::Yuan, None),
        ("1e3", Unit::Yuan, None),
        ("-1", Unit::Yuan, None),
        (".5", Unit::Yuan, None),
        ("1.", Unit::Yuan, None),
        ("99999999999999999999", Unit::Yuan, None),
        ("15230", Unit::Fen, Some(15_230)),
        ("152.30", Unit::Fen, None),
        ("", Unit::Fen, None),
    ] {
        assert_eq!(amount(text, unit), minor, "{text}");
    }
    assert_eq!((yuan(5), yuan(15_230), yuan(-1)), ("0.05".into(), "152.30".into(), "-0.01".into()));
}

proptest! {
    #[test]
    fn no_value_breaks_out_of_its_place(value in "\\PC{0,20}", escape in prop::sample::select(vec![Escape::Json, Escape::Xml, Escape::Url])) {
        let text = match escape {
            Escape::Json => r#"{"a":"{account_no}","b":1}"#,
            Escape::Xml => r#"<a b="1">{account_no}</a>"#,
            _ => "/x/{account_no}?y",
        };
        let template = Template::parse(text).unwrap();
        let made = template.fill(escape, |_| Some(value.clone()));
        match escape {
            Escape::Json => {
                let read = tree::json(made.as_bytes()).unwrap();
                prop_assert_eq!(tree::at(&read, "a")[0], &serde_json::Value::from(value.as_str()));
                prop_assert_eq!(tree::text(&read, "b"), Some("1".to_owned()));
            }
            Escape::Xml => {
                let read = tree::xml(made.as_bytes()).unwrap();
                let inner = tree::text(&read, "a.#text").unwrap_or_default();
                prop_assert_eq!(inner, value.trim());
            }
            _ => prop_assert!(made.is_ascii() && made.matches(['?', '/']).count() == 3, "{}", made),
        }
        let read = template.read(&made, escape).unwrap();
        prop_assert_eq!(&read["account_no"], &value);
    }
}
