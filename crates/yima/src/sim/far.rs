//! The other side of every way: institutions with books of their own, in this process, that do wrong now and then. What
//! goes wrong with which question is derived from seed, question and how often it was put, never from the order of things.
//!
//! Must never lie: whatever it leaves out, delays or repeats, a payment that it says is taken is in its book once.

use std::collections::{BTreeMap, HashMap};
use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};

use channel::book::{Book, State};
use channel::{BoxFuture, Debt, Door, Meaning, Payment, Reply};
use city::bill::pack::LateFee;
use kernel::{Date, UtcOffset, derive_u128};

use crate::pack_cli::certify::naive;

/// The books lie in so many parts, by account: a book looks through all its payments.
const PARTS: usize = 256;

/// What may go wrong with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// It never leaves.
    NotSent,
    /// It is answered with this, and nothing is done.
    Says(Meaning),
    /// Nothing is done and nothing said.
    SilentBefore,
    /// It is done, and nothing said.
    SilentAfter,
    /// It is done, and the answer cannot be read.
    Garbled,
    /// It is done, and said to be under way.
    Slow,
    /// It is done, and said to have been done before.
    Duplicate,
    /// It arrives twice.
    DeliveredTwice,
    /// It arrives when nobody waits for it any more.
    DeliveredLate,
}

impl Fault {
    /// As it stands in the report.
    pub fn name(self) -> &'static str {
        match self {
            Fault::NotSent => "not_sent",
            Fault::SilentBefore => "silent_before",
            Fault::SilentAfter => "silent_after",
            Fault::Garbled => "garbled",
            Fault::Slow => "slow",
            Fault::Duplicate => "duplicate",
            Fault::DeliveredTwice => "delivered_twice",
            Fault::DeliveredLate => "delivered_late",
            Fault::Says(Meaning::Refused) => "refused",
            Fault::Says(Meaning::AccountUnknown) => "account_unknown",
            Fault::Says(Meaning::NothingDue) => "nothing_due",
            Fault::Says(Meaning::AmountDiffers) => "amount_differs",
            Fault::Says(Meaning::AlreadyPaid) => "already_paid",
            Fault::Says(Meaning::Busy) => "busy",
            Fault::Says(Meaning::Closed) => "closed",
            Fault::Says(Meaning::Pending) => "pending",
            Fault::Says(_) => "other",
        }
    }
}

/// What can go wrong with a payment.
const PAY: [Fault; 15] = [
    Fault::NotSent,
    Fault::SilentBefore,
    Fault::SilentAfter,
    Fault::Garbled,
    Fault::Slow,
    Fault::Duplicate,
    Fault::DeliveredTwice,
    Fault::DeliveredLate,
    Fault::Says(Meaning::Refused),
    Fault::Says(Meaning::AccountUnknown),
    Fault::Says(Meaning::NothingDue),
    Fault::Says(Meaning::AmountDiffers),
    Fault::Says(Meaning::AlreadyPaid),
    Fault::Says(Meaning::Busy),
    Fault::Says(Meaning::Closed),
];
/// With a question after a payment's outcome.
const INQUIRE: [Fault; 5] = [
    Fault::NotSent,
    Fault::SilentBefore,
    Fault::Says(Meaning::Pending),
    Fault::Says(Meaning::Busy),
    Fault::Says(Meaning::Closed),
];
/// With a reversal.
const REVERSE: [Fault; 4] = [Fault::NotSent, Fault::SilentBefore, Fault::SilentAfter, Fault::Duplicate];
/// With a question after debts.
const QUERY: [Fault; 4] =
    [Fault::NotSent, Fault::SilentBefore, Fault::Says(Meaning::Busy), Fault::Says(Meaning::Closed)];

/// A payment in the books of the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// As it came.
    pub payment: Payment,
    /// How often it was taken.
    pub times: u32,
}

#[derive(Default)]
struct Part {
    book: Book,
    /// How often each question was put.
    asked: HashMap<u128, u32>,
    /// Payments on their way.
    late: Vec<Payment>,
    calls: BTreeMap<&'static str, u64>,
    faults: BTreeMap<(&'static str, &'static str), u64>,
}

/// An institution: a biller, a bank or a service provider.
pub struct Far {
    seed: u64,
    bps: u32,
    late_fee: Vec<LateFee>,
    parts: Vec<Mutex<Part>>,
}

impl Far {
    /// One that does wrong in so many of ten thousand questions, and takes what lateness costs besides the debt.
    pub fn new(seed: u64, bps: u32, late_fee: Vec<LateFee>) -> Far {
        Far { seed, bps, late_fee, parts: (0..PARTS).map(|_| Mutex::default()).collect() }
    }

    fn part(&self, account_no: &str) -> MutexGuard<'_, Part> {
        let drawn = derive_u128("part", &[account_no.as_bytes()]);
        let at = usize::try_from(drawn % PARTS as u128).unwrap_or(0);
        self.parts[at].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> impl Iterator<Item = MutexGuard<'_, Part>> {
        self.parts.iter().map(|part| part.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A debt.
    pub fn open(&self, institution: &str, account_no: &str, debt: Debt) {
        self.part(account_no).book.open(institution, account_no, vec![debt]);
    }

    /// What was on its way arrives.
    pub fn deliver(&self) {
        for mut part in self.all() {
            for payment in std::mem::take(&mut part.late) {
                self.book(&mut part.book, &payment);
            }
        }
    }

    /// Every payment that is in the books, with its institution.
    pub fn taken(&self) -> Vec<Taken> {
        let of = |part: MutexGuard<'_, Part>| -> Vec<Taken> {
            let taken = part.book.payments().filter(|entry| entry.state == State::Taken);
            taken.map(|e| Taken { payment: e.payment.clone(), times: e.times }).collect()
        };
        self.all().flat_map(of).collect()
    }

    /// The payments that were taken on a day, by reference, with their amounts.
    pub fn taken_on(&self, day: Date) -> Vec<(String, i64)> {
        let mut rows = Vec::new();
        for part in self.all() {
            let taken = part.book.payments().filter(|entry| entry.state == State::Taken);
            let taken = taken.filter(|entry| entry.payment.at.date(UtcOffset::CHINA) == day);
            rows.extend(taken.map(|entry| (entry.payment.id.clone(), entry.payment.amount_minor)));
        }
        rows.sort_unstable();
        rows
    }

    /// Adds the questions and the faults up.
    pub fn tally(
        &self,
        calls: &mut BTreeMap<&'static str, u64>,
        faults: &mut BTreeMap<(&'static str, &'static str), u64>,
    ) {
        for part in self.all() {
            for (kind, count) in &part.calls {
                *calls.entry(kind).or_default() += count;
            }
            for (which, count) in &part.faults {
                *faults.entry(*which).or_default() += count;
            }
        }
    }

    fn fault(&self, part: &mut Part, kind: &'static str, about: &str, among: &[Fault]) -> Option<Fault> {
        let question = derive_u128(kind, &[about.as_bytes()]);
        let nth = part.asked.entry(question).or_default();
        *nth += 1;
        let drawn =
            derive_u128("fault", &[&self.seed.to_be_bytes(), &question.to_be_bytes(), &nth.to_be_bytes()]);
        *part.calls.entry(kind).or_default() += 1;
        if drawn % 10_000 >= u128::from(self.bps) {
            return None;
        }
        let fault = among[usize::try_from((drawn >> 64) % among.len() as u128).unwrap_or(0)];
        *part.faults.entry((kind, fault.name())).or_default() += 1;
        Some(fault)
    }

    fn take(&self, payment: &Payment) -> Reply {
        let mut part = self.part(&payment.account_no);
        match self.fault(&mut part, "pay", &payment.id, &PAY) {
            Some(Fault::NotSent) => return Reply::NotSent("nobody answers".to_owned()),
            Some(Fault::SilentBefore) => return Reply::Silent("no answer".to_owned()),
            Some(Fault::Says(meaning)) => return Reply::Meant(meaning),
            Some(Fault::DeliveredLate) => {
                part.late.push(payment.clone());
                return Reply::Silent("no answer yet".to_owned());
            }
            Some(fault) => {
                let meaning = self.book(&mut part.book, payment);
                let done = matches!(meaning, Meaning::Ok | Meaning::Duplicate);
                return match fault {
                    Fault::SilentAfter => Reply::Silent("the answer was lost".to_owned()),
                    Fault::Garbled => Reply::Silent("the answer cannot be read".to_owned()),
                    Fault::Slow => Reply::Meant(Meaning::Pending),
                    Fault::Duplicate if done => Reply::Meant(Meaning::Duplicate),
                    _ => {
                        self.book(&mut part.book, payment);
                        said(meaning)
                    }
                };
            }
            None => {}
        }
        said(self.book(&mut part.book, payment))
    }

    /// Takes a payment of a debt, or of a debt and what its lateness costs on that day by a reckoning of its own.
    fn book(&self, book: &mut Book, payment: &Payment) -> Meaning {
        let (institution, account_no) = (&payment.institution, &payment.account_no);
        let debts = book.query(institution, account_no).unwrap_or_default();
        let today = payment.at.date(UtcOffset::CHINA);
        let owed = |debt: &Debt| {
            let fee =
                debt.due.map_or(0, |due| naive::late_fee(&self.late_fee, debt.amount_minor, due, today));
            debt.amount_minor + fee
        };
        let late =
            debts.iter().find(|d| d.bill_no == payment.bill_no && d.amount_minor != payment.amount_minor);
        let Some(debt) = late.filter(|debt| owed(debt) == payment.amount_minor) else {
            return book.pay(payment);
        };
        let with_fee = Debt { amount_minor: payment.amount_minor, ..debt.clone() };
        book.open(institution, account_no, vec![with_fee]);
        let meaning = book.pay(payment);
        book.open(institution, account_no, debts);
        meaning
    }
}

fn said(meaning: Meaning) -> Reply {
    if meaning == Meaning::Ok { Reply::Said(()) } else { Reply::Meant(meaning) }
}

/// What was asked for is not done, or nothing is known of it.
fn unanswered<T>(fault: Fault) -> Option<Reply<T>> {
    match fault {
        Fault::NotSent => Some(Reply::NotSent("nobody answers".to_owned())),
        Fault::SilentBefore => Some(Reply::Silent("no answer".to_owned())),
        Fault::Says(meaning) => Some(Reply::Meant(meaning)),
        _ => None,
    }
}

impl Door for Far {
    fn query<'a>(&'a self, institution: &'a str, account_no: &'a str) -> BoxFuture<'a, Reply<Vec<Debt>>> {
        let mut part = self.part(account_no);
        let fault = self.fault(&mut part, "query", account_no, &QUERY);
        let reply =
            fault.and_then(unanswered).unwrap_or_else(|| match part.book.query(institution, account_no) {
                Ok(debts) => Reply::Said(debts),
                Err(meaning) => Reply::Meant(meaning),
            });
        Box::pin(ready(reply))
    }

    fn pay<'a>(&'a self, payment: &'a Payment) -> BoxFuture<'a, Reply> {
        Box::pin(ready(self.take(payment)))
    }

    fn inquire<'a>(&'a self, payment: &'a Payment) -> BoxFuture<'a, Reply> {
        let mut part = self.part(&payment.account_no);
        let fault = self.fault(&mut part, "inquire", &payment.id, &INQUIRE);
        let reply = fault.and_then(unanswered).unwrap_or_else(|| said(part.book.inquire(&payment.id)));
        Box::pin(ready(reply))
    }

    fn reverse<'a>(&'a self, payment: &'a Payment) -> BoxFuture<'a, Reply> {
        let mut part = self.part(&payment.account_no);
        let fault = self.fault(&mut part, "reverse", &payment.id, &REVERSE);
        let reply = fault.and_then(unanswered).unwrap_or_else(|| {
            let meaning = part.book.reverse(payment);
            match fault {
                Some(Fault::SilentAfter) => Reply::Silent("the answer was lost".to_owned()),
                Some(_) => Reply::Meant(Meaning::Duplicate),
                None => said(meaning),
            }
        });
        Box::pin(ready(reply))
    }

    fn refund<'a>(&'a self, payment: &'a Payment, reference: &'a str, minor: i64) -> BoxFuture<'a, Reply> {
        let mut part = self.part(&payment.account_no);
        Box::pin(ready(said(part.book.refund(&payment.id, reference, minor))))
    }

    fn probe(&self) -> BoxFuture<'_, Reply> {
        Box::pin(ready(Reply::Said(())))
    }
}
