//! Comparing a shop's own list of a day with the ledger's: pure.
//!
//! Must never invent a break, and never hold more than one entry for each payment of the day and a bounded number
//! of others, however long the list.

use std::collections::{HashMap, HashSet};
use std::fmt;

use kernel::{Currency, Money};
use serde::Serialize;
use utoipa::ToSchema;

use crate::trade::rules::number_acceptable;
use crate::wallet::rules::amount_acceptable;

/// The first line of a list.
pub const HEADER: &str = "order_no,amount";
/// The longest line, in bytes.
pub const LINE_MAX: usize = 256;
/// How many breaks are kept with all they say; all are counted.
pub const BREAKS_KEPT: usize = 1_000;
/// How many numbers that the ledger does not know are remembered, to know them again as duplicates.
const UNKNOWN_MAX: usize = 100_000;

/// Why a line cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFault {
    /// The first line is not [`HEADER`].
    Header,
    /// Longer than [`LINE_MAX`].
    TooLong,
    /// Not UTF-8.
    Encoding,
    /// Not two fields.
    Columns,
    /// Not 1 to 64 visible ASCII characters.
    OrderNo,
    /// Not a positive amount of the city's currency.
    Amount,
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LineFault::Header => "the first line is `order_no,amount`",
            LineFault::TooLong => "longer than 256 bytes",
            LineFault::Encoding => "not UTF-8",
            LineFault::Columns => "an order number, a comma and an amount are wanted",
            LineFault::OrderNo => "an order number is 1 to 64 visible ASCII characters",
            LineFault::Amount => "an amount is positive and written like 12.50",
        })
    }
}

/// Reads a line: order number and minor units. A number with a comma stands in quotes (RFC 4180).
pub fn line(text: &str, currency: Currency) -> Result<(String, i64), LineFault> {
    let (number, amount) = match text.strip_prefix('"') {
        Some(quoted) => {
            let (number, amount) = quoted.rsplit_once("\",").ok_or(LineFault::Columns)?;
            if number.replace("\"\"", "").contains('"') {
                return Err(LineFault::Columns);
            }
            (number.replace("\"\"", "\""), amount)
        }
        None => text.split_once(',').map(|(n, a)| (n.to_owned(), a)).ok_or(LineFault::Columns)?,
    };
    if !number_acceptable(&number) {
        return Err(LineFault::OrderNo);
    }
    let amount = Money::parse_amount(amount, currency).map_err(|_| LineFault::Amount)?;
    if amount_acceptable(amount, currency) { Ok((number, amount.minor)) } else { Err(LineFault::Amount) }
}

/// A fault, and the line it is in, from 1.
pub type FaultAt = (u64, LineFault);

/// A body that comes piece by piece, as lines.
#[derive(Debug, Default)]
pub struct Lines {
    rest: Vec<u8>,
    number: u64,
}

impl Lines {
    /// Gives `take` every line that ends in `piece`, with its number from 1.
    pub fn feed(
        &mut self,
        mut piece: &[u8],
        mut take: impl FnMut(u64, &str) -> Result<(), LineFault>,
    ) -> Result<(), FaultAt> {
        while let Some(end) = piece.iter().position(|b| *b == b'\n') {
            self.extend(&piece[..end])?;
            piece = &piece[end + 1..];
            self.end(&mut take)?;
        }
        self.extend(piece)
    }

    /// The last line, where nothing ends it.
    pub fn finish(
        &mut self,
        mut take: impl FnMut(u64, &str) -> Result<(), LineFault>,
    ) -> Result<(), FaultAt> {
        if self.rest.is_empty() && self.number > 0 { Ok(()) } else { self.end(&mut take) }
    }

    fn extend(&mut self, part: &[u8]) -> Result<(), FaultAt> {
        if self.rest.len() + part.len() > LINE_MAX {
            return Err((self.number + 1, LineFault::TooLong));
        }
        self.rest.extend_from_slice(part);
        Ok(())
    }

    fn end(&mut self, take: &mut impl FnMut(u64, &str) -> Result<(), LineFault>) -> Result<(), FaultAt> {
        self.number += 1;
        let number = self.number;
        let line = self.rest.strip_suffix(b"\r").unwrap_or(&self.rest);
        let text = std::str::from_utf8(line).map_err(|_| (number, LineFault::Encoding))?;
        if number == 1 {
            if text.strip_prefix('\u{feff}').unwrap_or(text) != HEADER {
                return Err((number, LineFault::Header));
            }
        } else if !text.is_empty() {
            take(number, text).map_err(|why| (number, why))?;
        }
        self.rest.clear();
        Ok(())
    }
}

/// How the two lists disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListBreakCode {
    /// The shop lists a payment that the ledger does not have on this day.
    MissingHere,
    /// The ledger has a payment that the shop does not list.
    MissingThere,
    /// Both have it, with different amounts.
    AmountDiffers,
    /// The shop lists it more than once.
    Duplicate,
}

/// One disagreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// How.
    pub code: ListBreakCode,
    /// The line in the shop's list, where it is there.
    pub line: Option<u64>,
    /// As the shop wrote it.
    pub order_no: Option<String>,
    /// The trade that the number stands for.
    pub trade: u128,
    /// Minor units in the ledger.
    pub ours_minor: Option<i64>,
    /// Minor units in the list.
    pub theirs_minor: Option<i64>,
}

/// How often each kind of break occurs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// See [`ListBreakCode::MissingHere`].
    pub missing_here: u64,
    /// See [`ListBreakCode::MissingThere`].
    pub missing_there: u64,
    /// See [`ListBreakCode::AmountDiffers`].
    pub amount_differs: u64,
    /// See [`ListBreakCode::Duplicate`].
    pub duplicate: u64,
}

/// A payment of the day in the ledger.
#[derive(Clone, Copy, Debug)]
struct Ours {
    amount: i64,
    /// Its ledger timestamp: what the shop lacks is told in this order.
    at: u64,
    listed: bool,
}

/// The match of a day while lines come in.
#[derive(Debug, Default)]
pub struct Match {
    ours: HashMap<u128, Ours>,
    unknown: HashSet<u128>,
    /// Lines of the shop.
    pub lines: u64,
    /// What its lines come to, minor units.
    pub theirs_minor: i64,
    /// Payments of the day.
    pub payments: u64,
    /// What they come to, minor units.
    pub ours_minor: i64,
    /// Payments that both have, with the same amount.
    pub matched: u64,
    /// What they come to, minor units.
    pub matched_minor: i64,
    /// Breaks of each kind.
    pub counts: Counts,
    /// The first [`BREAKS_KEPT`]: by their lines, then what the shop lacks by time.
    pub breaks: Vec<Break>,
}

impl Match {
    /// A payment of the day: trade, minor units, ledger timestamp.
    pub fn add(&mut self, trade: u128, amount: i64, at: u64) {
        self.payments += 1;
        self.ours_minor = self.ours_minor.saturating_add(amount);
        self.ours.insert(trade, Ours { amount, at, listed: false });
    }

    /// Whether it is a payment of the day.
    pub fn has(&self, trade: u128) -> bool {
        self.ours.contains_key(&trade)
    }

    /// A line of the shop's list.
    pub fn take(&mut self, line: u64, order_no: String, trade: u128, theirs: i64) {
        self.lines += 1;
        self.theirs_minor = self.theirs_minor.saturating_add(theirs);
        let found = self.ours.get_mut(&trade);
        let ours = found.as_ref().map(|ours| ours.amount);
        let again = match found {
            Some(ours) => std::mem::replace(&mut ours.listed, true),
            None if self.unknown.len() < UNKNOWN_MAX => !self.unknown.insert(trade),
            None => self.unknown.contains(&trade),
        };
        let code = match ours {
            _ if again => ListBreakCode::Duplicate,
            None => ListBreakCode::MissingHere,
            Some(ours) if ours != theirs => ListBreakCode::AmountDiffers,
            Some(_) => {
                self.matched += 1;
                self.matched_minor = self.matched_minor.saturating_add(theirs);
                return;
            }
        };
        let (line, order_no) = (Some(line), Some(order_no));
        self.note(Break { code, line, order_no, trade, ours_minor: ours, theirs_minor: Some(theirs) });
    }

    /// There are no more lines: what the shop lacks.
    pub fn finish(&mut self) {
        self.unknown = HashSet::new();
        let mut missing: Vec<(u64, u128, i64)> = std::mem::take(&mut self.ours)
            .into_iter()
            .filter(|(_, ours)| !ours.listed)
            .map(|(trade, ours)| (ours.at, trade, ours.amount))
            .collect();
        missing.sort_unstable();
        for (_, trade, amount) in missing {
            let (code, ours_minor) = (ListBreakCode::MissingThere, Some(amount));
            self.note(Break { code, line: None, order_no: None, trade, ours_minor, theirs_minor: None });
        }
    }

    fn note(&mut self, found: Break) {
        let Counts { missing_here, missing_there, amount_differs, duplicate } = &mut self.counts;
        *match found.code {
            ListBreakCode::MissingHere => missing_here,
            ListBreakCode::MissingThere => missing_there,
            ListBreakCode::AmountDiffers => amount_differs,
            ListBreakCode::Duplicate => duplicate,
        } += 1;
        if self.breaks.len() < BREAKS_KEPT {
            self.breaks.push(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_or_named() {
        let cny = Currency::CNY;
        for (text, wanted) in [
            ("A-1,12.50", Ok(("A-1", 1_250))),
            ("A-1,12.5", Ok(("A-1", 1_250))),
            ("A-1,12", Ok(("A-1", 1_200))),
            ("\"A,1\",0.01", Ok(("A,1", 1))),
            ("\"A\"\"1\",0.01", Ok(("A\"1", 1))),
            ("A-1", Err(LineFault::Columns)),
            ("\"A-1,1", Err(LineFault::Columns)),
            ("\"A\"1\",1", Err(LineFault::Columns)),
            (",1.00", Err(LineFault::OrderNo)),
            ("A 1,1.00", Err(LineFault::OrderNo)),
            ("订单,1.00", Err(LineFault::OrderNo)),
            ("A-1,", Err(LineFault::Amount)),
            ("A-1,0", Err(LineFault::Amount)),
            ("A-1,-1.00", Err(LineFault::Amount)),
            ("A-1,1.005", Err(LineFault::Amount)),
            ("A-1,1,000.00", Err(LineFault::Amount)),
            ("A-1,¥1.00", Err(LineFault::Amount)),
            ("A-1,10000000001", Err(LineFault::Amount)),
            ("A-1,99999999999999999999", Err(LineFault::Amount)),
        ] {
            assert_eq!(line(text, cny), wanted.map(|(n, a)| (n.to_owned(), a)), "{text}");
        }
    }

    /// Every line that comes out, in pieces of `step` bytes.
    fn split(body: &[u8], step: usize) -> Result<Vec<(u64, String)>, FaultAt> {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        let mut take = |number: u64, line: &str| {
            out.push((number, line.to_owned()));
            Ok(())
        };
        for piece in body.chunks(step) {
            lines.feed(piece, &mut take)?;
        }
        lines.finish(&mut take)?;
        Ok(out)
    }

    #[test]
    fn a_body_is_the_same_however_it_is_cut() {
        let long = format!("{HEADER}\n{}", "x".repeat(LINE_MAX + 1));
        for step in [1, 2, 3, 7, 1_000] {
            for body in [
                "\u{feff}order_no,amount\r\na,1\r\n\r\nb,2\r\n",
                "order_no,amount\na,1\n\nb,2",
                "order_no,amount\na,1\n\nb,2\n\n\n",
            ] {
                let wanted = vec![(2, "a,1".to_owned()), (4, "b,2".to_owned())];
                assert_eq!(split(body.as_bytes(), step), Ok(wanted), "{body:?} by {step}");
            }
            for (body, wanted) in [
                (&b""[..], (1, LineFault::Header)),
                (b"a,1\n", (1, LineFault::Header)),
                (b"order_no;amount\n", (1, LineFault::Header)),
                (b"order_no,amount\na,1\n\xff,1\n", (3, LineFault::Encoding)),
                (long.as_bytes(), (2, LineFault::TooLong)),
            ] {
                assert_eq!(split(body, step), Err(wanted), "{body:?} by {step}");
            }
            assert_eq!(split(HEADER.as_bytes(), step), Ok(vec![]));
        }
    }

    #[test]
    fn finds_every_disagreement_and_invents_none() {
        use ListBreakCode as C;
        type Row<'a> = (&'a [(u128, i64)], &'a [(u128, i64)], u64, &'a [(C, u128)]);
        let rows: &[Row<'_>] = &[
            (&[], &[], 0, &[]),
            (&[(1, 10), (2, 20)], &[(2, 20), (1, 10)], 2, &[]),
            (&[(1, 10)], &[], 0, &[(C::MissingThere, 1)]),
            (&[], &[(1, 10)], 0, &[(C::MissingHere, 1)]),
            (&[(1, 10)], &[(1, 11)], 0, &[(C::AmountDiffers, 1)]),
            (&[(1, 10)], &[(1, 10), (1, 10)], 1, &[(C::Duplicate, 1)]),
            (&[], &[(3, 1), (3, 1)], 0, &[(C::MissingHere, 3), (C::Duplicate, 3)]),
            (
                &[(9, 1), (4, 2)],
                &[(5, 7)],
                0,
                &[(C::MissingHere, 5), (C::MissingThere, 9), (C::MissingThere, 4)],
            ),
        ];
        for (here, there, matched, expected) in rows {
            let mut found = Match::default();
            for (at, (trade, amount)) in (1..).zip(*here) {
                found.add(*trade, *amount, at);
            }
            for (number, (trade, amount)) in (2..).zip(*there) {
                found.take(number, trade.to_string(), *trade, *amount);
            }
            found.finish();
            let breaks: Vec<_> = found.breaks.iter().map(|b| (b.code, b.trade)).collect();
            assert_eq!((found.matched, &breaks[..]), (*matched, *expected), "{here:?} against {there:?}");
        }
    }

    #[test]
    fn a_long_list_of_nonsense_costs_bounded_memory() {
        let mut found = Match::default();
        for n in 0..(UNKNOWN_MAX as u128 + 10) {
            found.take(2, String::new(), n, 1);
        }
        found.take(3, String::new(), 0, 1);
        assert_eq!((found.unknown.len(), found.breaks.len()), (UNKNOWN_MAX, BREAKS_KEPT));
        assert_eq!((found.counts.missing_here, found.counts.duplicate), (UNKNOWN_MAX as u64 + 10, 1));
    }
}
