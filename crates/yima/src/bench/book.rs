//! What the benchmark knows: every payment the server acknowledged, with amount and parties, and what it
//! was answered otherwise. The proof holds the ledger against this book.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::plan::{KINDS, Kind};
use crate::config::Fail;

/// A payment that was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acked {
    /// How it was made.
    pub kind: Kind,
    /// Its number in the traffic.
    pub index: u64,
    /// What the server calls it: the trade's, transfer's or bill payment's 128 bits.
    pub id: u128,
    /// Account that paid.
    pub from: u128,
    /// Account that was paid.
    pub to: u128,
    /// Minor units, gross.
    pub amount: u64,
}

/// An order that the shop closed: it can never be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Its number in the traffic.
    pub index: u64,
    /// The trade's 128 bits.
    pub id: u128,
    /// Which shop.
    pub shop: u32,
}

/// See the module.
#[derive(Debug)]
pub struct Book {
    /// Acknowledged payments, in the order of their answers.
    pub acked: Vec<Acked>,
    /// Closed orders.
    pub closed: Vec<Closed>,
    /// Refusals by kind and code, all of them final.
    pub refused: BTreeMap<(Kind, String), u64>,
    /// Requests sent again, by what came in place of an answer.
    pub again: BTreeMap<String, u64>,
    /// Payments by code for which no phone had an unused code, made at the poster instead.
    pub without_code: u64,
    /// Bill payments for which there was no bill left, made to people instead.
    pub without_bill: u64,
    /// What must never be answered.
    pub violations: Vec<String>,
    times: Vec<Histogram<u64>>,
}

impl Book {
    /// Nothing happened yet.
    pub fn new() -> Result<Book, Fail> {
        // Microseconds up to ten minutes, three digits.
        let times: Result<Vec<_>, _> =
            KINDS.iter().map(|_| Histogram::new_with_max(600_000_000, 3)).collect();
        Ok(Book {
            acked: Vec::new(),
            closed: Vec::new(),
            refused: BTreeMap::new(),
            again: BTreeMap::new(),
            without_code: 0,
            without_bill: 0,
            violations: Vec::new(),
            times: times?,
        })
    }

    /// A payment was acknowledged after so long.
    pub fn ack(&mut self, acked: Acked, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.times[acked.kind as usize].saturating_record(us);
        self.acked.push(acked);
    }

    /// A payment was refused for good.
    pub fn refuse(&mut self, kind: Kind, code: &str) {
        *self.refused.entry((kind, code.to_owned())).or_default() += 1;
    }

    /// A request has to be sent again.
    pub fn ask_again(&mut self, why: &str) {
        match self.again.get_mut(why) {
            Some(count) => *count += 1,
            None => drop(self.again.insert(why.to_owned(), 1)),
        }
    }

    /// Times of one kind, microseconds.
    pub fn times(&self, kind: Kind) -> &Histogram<u64> {
        &self.times[kind as usize]
    }

    /// Times of all payments, microseconds.
    pub fn all_times(&self) -> Histogram<u64> {
        let mut all = self.times[0].clone();
        for times in &self.times[1..] {
            all += times;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_where_their_times_are() {
        for (at, kind) in KINDS.iter().enumerate() {
            assert_eq!(*kind as usize, at);
        }
    }

    #[test]
    fn a_book_counts() {
        let mut book = Book::new().unwrap();
        let acked = Acked { kind: Kind::Order, index: 0, id: 1, from: 2, to: 3, amount: 4 };
        for ms in 1..=100 {
            book.ack(acked, Duration::from_millis(ms));
        }
        book.refuse(Kind::Order, "cap_reached");
        book.ask_again("connection");
        book.ask_again("connection");
        assert_eq!((book.acked.len(), book.again["connection"]), (100, 2));
        assert_eq!(book.refused[&(Kind::Order, "cap_reached".to_owned())], 1);
        assert_eq!(book.times(Kind::Poster).len(), 0);
        let p50 = book.all_times().value_at_quantile(0.5);
        assert!((49_900..=50_100).contains(&p50), "{p50}");
    }
}
