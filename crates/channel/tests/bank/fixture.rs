//! Two banks that write as differently as they may, and a book to play with.

use std::sync::Arc;

use channel::bank::book::Book;
use channel::bank::counterpart::{BankCounterpart, Faults};
use channel::bank::line::{BankDoor, Phase};
use channel::bank::message::Dialect;
use channel::bank::spec::Spec;
use channel::secrets::Secrets;
use channel::{Debt, Door as _, Payment, Reply};
use kernel::{Date, ManualClock, SeededRng, Timestamp};

/// Everything in ASCII, codes in 64 or 128, private fields with delimiters and tags, amounts in fen.
pub const ASCII: &str = r#"
base = "1987-ascii"
acquirer = "1020"
terminal = "YIMA0001"
merchant = "898330048990001"

[framing]
length = "ascii4"

[mac]
field = 64
secret = "bank-mac"

[query]
code = "310000"
[pay]
code = "190000"
[inquire]
code = "380000"
[refund]
code = "200000"

[codes]
"26" = "already_paid"
"55" = "nothing_due"
"09" = "busy"

[content.48]
layout = "delimited"
delimiter = "|"
parts = ["institution", "account_no", "bill_no", "period"]
[content.61]
layout = "tlv"
tag = 2
length = 3
tags = { 01 = "payment", 02 = "reference" }

[debts]
field = 62
between = ";"
unit = "fen"
[debts.each]
layout = "delimited"
delimiter = "|"
parts = ["bill_no", "amount", "due", "period", "holder"]
"#;

/// BCD, no codes, a header before each message, Chinese names by tag, amounts in yuan, the bank's time in field 7.
pub const BCD: &str = r#"
base = "1987-bcd"
acquirer = "00010020300"
terminal = "T0000001"
merchant = "M00000000000001"
transmission = "local"

[framing]
length = "binary2"
header = "6000030000602200000000"

[field]
62 = { name = "Debts", class = "ans", length = 999, prefix = 3, prefix_form = "bcd", form = "gb18030" }

[query]
code = "300000"
mti = "0100"
[pay]
code = "500000"
[inquire]
code = "600000"
mti = "0100"
[inquire.codes]
"77" = "unknown"

[content.100]
layout = "whole"
part = "institution"
[content.102]
layout = "whole"
part = "account_no"
[content.48]
layout = "tlv"
tag = 1
length = 2
tags = { B = "bill_no", P = "payment", M = "period" }

[debts]
field = 62
unit = "yuan"
date = "YYYY-MM-DD"
[debts.each]
layout = "tlv"
tag = 2
length = 2
tags = { 01 = "holder", 02 = "bill_no", 03 = "amount", 04 = "due", 05 = "period" }
"#;

pub struct Known;

impl Secrets for Known {
    fn secret(&self, name: &str) -> Option<Vec<u8>> {
        (name == "bank-mac").then(|| b"0123456789ABCDEFFEDCBA9876543210".to_vec())
    }
    fn sign_rsa(&self, _: &str, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

pub fn spec(text: &str) -> Spec {
    toml::from_str(text).expect("TOML of a spec")
}

pub fn dialect(text: &str) -> Dialect {
    spec(text).prove().expect("a spec that makes sense")
}

/// The same with other times.
pub fn timed(text: &str, answer_ms: u32, echo_every_ms: u32) -> Dialect {
    let mut spec = spec(text);
    spec.times.answer_ms = answer_ms;
    spec.times.echo_every_ms = echo_every_ms;
    spec.times.reconnect_most_ms = 100;
    spec.at_once = 2_000;
    spec.prove().expect("a spec that makes sense")
}

pub fn now() -> Timestamp {
    "2026-03-01T01:30:15Z".parse().unwrap()
}

pub fn debt(bill_no: &str, amount_minor: i64) -> Debt {
    Debt {
        bill_no: bill_no.to_owned(),
        amount_minor,
        due: Some(Date::constant(2026, 3, 31)),
        period: 202_602,
        holder: String::new(),
    }
}

pub fn payment(id: &str, account_no: &str, bill_no: &str, amount_minor: i64) -> Payment {
    Payment {
        id: format!("pay_{id}"),
        institution: "330100".to_owned(),
        account_no: account_no.to_owned(),
        bill_no: bill_no.to_owned(),
        period: 202_602,
        amount_minor,
        at: now(),
    }
}

/// Accounts `A0`, `A1` … of one institution, each with one bill `B0`, `B1` … of 1,000 fen and as many more.
pub fn book(accounts: usize) -> Book {
    let mut book = Book::default();
    for n in 0..accounts {
        book.open(
            "330100",
            &format!("A{n}"),
            vec![debt(&format!("B{n}"), 1_000 + i64::try_from(n).unwrap())],
        );
    }
    book
}

/// The payment of the bill of account `An`.
pub fn nth(n: usize) -> Payment {
    payment(&format!("{n:026}"), &format!("A{n}"), &format!("B{n}"), 1_000 + i64::try_from(n).unwrap())
}

pub async fn counterpart(dialect: &Dialect, book: Book, faults: Faults) -> BankCounterpart {
    let clock = Arc::new(ManualClock::new(now()));
    let rng = Arc::new(SeededRng::new(7));
    BankCounterpart::start("127.0.0.1:0", dialect.clone(), &Known, book, faults, clock, rng).await.unwrap()
}

pub fn door(dialect: &Dialect, bank: &BankCounterpart) -> BankDoor {
    let clock = Arc::new(ManualClock::new(now()));
    let rng = Arc::new(SeededRng::new(8));
    BankDoor::open(&bank.address().to_string(), dialect.clone(), &Known, clock, rng).unwrap()
}

/// Both ends of a line that is up.
pub async fn both(dialect: &Dialect, book: Book, faults: Faults) -> (BankCounterpart, BankDoor) {
    let bank = counterpart(dialect, book, faults).await;
    let door = door(dialect, &bank);
    door.reaches(Phase::Up).await;
    (bank, door)
}

/// Asks what became of a payment until somebody says it, and not for ever.
pub async fn settled(door: &BankDoor, payment: &Payment) -> Reply {
    for _ in 0..200 {
        match door.inquire(payment).await {
            Reply::Silent(_) | Reply::NotSent(_) => {}
            known => return known,
        }
    }
    panic!("nobody says what became of it");
}
