//! Comparing the ledger's list of a day with the lists of others, part by part and on every core.
//!
//! Must never invent a break: a line is a break only by what the lists hold. Of a list, one part is in memory at a time.

use std::collections::HashMap;
use std::io;
use std::num::NonZero;
use std::thread;

use super::list::{List, PARTS, Reference};
use super::rules::{BreakCode, Source};

/// A disagreement, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Who disagrees.
    pub source: Source,
    /// Where in their list; where in the ledger's, after all of theirs, for what they lack.
    order: (bool, u64),
    /// How. Whether the ledger has what it misses on another day, only the ledger can say.
    pub code: BreakCode,
    /// The payment.
    pub reference: Reference,
    /// Minor units in the ledger.
    pub ours_minor: Option<i64>,
    /// Minor units in their list.
    pub theirs_minor: Option<i64>,
}

/// What came of comparing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// How many payments of the ledger nobody disagrees about.
    pub matched: u64,
    /// The disagreements, by source: first by their lines, then what they lack, in the ledger's order.
    pub found: Vec<Found>,
}

/// Compares the ledger's list with each of the others.
pub fn compare(ours: &List, theirs: &[(Source, List)]) -> io::Result<Compared> {
    let workers = thread::available_parallelism().map_or(1, NonZero::get).min(PARTS);
    let work = |worker: usize| {
        let mut compared = Compared::default();
        for part in (worker..PARTS).step_by(workers) {
            compare_part(ours, theirs, part, &mut compared)?;
        }
        Ok::<_, io::Error>(compared)
    };
    let mut whole = Compared::default();
    thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|worker| scope.spawn(move || work(worker))).collect();
        for one in running {
            let one = one.join().map_err(|_| io::Error::other("a comparison panicked"))??;
            whole.matched += one.matched;
            whole.found.extend(one.found);
        }
        Ok::<(), io::Error>(())
    })?;
    let rank = |source: Source| theirs.iter().position(|(one, _)| *one == source);
    whole.found.sort_by_key(|found| (rank(found.source), found.order));
    Ok(whole)
}

/// A payment of the ledger, or one that only others list.
struct Known {
    number: u64,
    ours_minor: Option<i64>,
    /// Which of the others have listed it, a bit each.
    listed: u8,
    broken: bool,
}

fn compare_part(
    ours: &List,
    theirs: &[(Source, List)],
    part: usize,
    compared: &mut Compared,
) -> io::Result<()> {
    let mut known: HashMap<Reference, Known> = HashMap::new();
    ours.each(part, |number, line| {
        let here = Known { number, ours_minor: Some(line.amount_minor), listed: 0, broken: false };
        known.insert(line.reference, here);
    })?;
    for (at, (source, list)) in theirs.iter().enumerate() {
        let bit = 1u8 << at;
        list.each(part, |number, line| {
            let unknown = || Known { number: 0, ours_minor: None, listed: 0, broken: false };
            let here = known.entry(line.reference.clone()).or_insert_with(unknown);
            let code = if here.listed & bit != 0 {
                BreakCode::Duplicate
            } else if here.ours_minor.is_none() {
                BreakCode::MissingHere
            } else if here.ours_minor != Some(line.amount_minor) {
                BreakCode::AmountDiffers
            } else {
                here.listed |= bit;
                return;
            };
            here.listed |= bit;
            here.broken = true;
            compared.found.push(Found {
                source: *source,
                order: (false, number),
                code,
                reference: line.reference,
                ours_minor: here.ours_minor,
                theirs_minor: Some(line.amount_minor),
            });
        })?;
        for (reference, here) in &mut known {
            if here.ours_minor.is_none() || here.listed & bit != 0 {
                continue;
            }
            here.broken = true;
            compared.found.push(Found {
                source: *source,
                order: (true, here.number),
                code: BreakCode::MissingThere,
                reference: reference.clone(),
                ours_minor: here.ours_minor,
                theirs_minor: None,
            });
        }
    }
    compared.matched +=
        known.values().filter(|here| here.ours_minor.is_some() && !here.broken).count() as u64;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::list::Line;
    use super::*;

    fn list(lines: &[(&str, i64)]) -> List {
        let mut list = List::new(std::env::temp_dir());
        for (reference, amount_minor) in lines {
            list.push(&Line { reference: Reference::of(reference), amount_minor: *amount_minor }).unwrap();
        }
        list
    }

    #[test]
    fn finds_every_disagreement_and_invents_none() {
        use BreakCode as C;
        type Row<'a> = (&'a [(&'a str, i64)], &'a [(&'a str, i64)], &'a [(C, &'a str)], u64);
        let rows: &[Row<'_>] = &[
            (&[], &[], &[], 0),
            (&[("a", 1), ("b", 2)], &[("b", 2), ("a", 1)], &[], 2),
            (&[("a", 1)], &[], &[(C::MissingThere, "a")], 0),
            (&[], &[("a", 1)], &[(C::MissingHere, "a")], 0),
            (&[("a", 1)], &[("a", 2)], &[(C::AmountDiffers, "a")], 0),
            (&[("a", 1)], &[("a", 1), ("a", 1)], &[(C::Duplicate, "a")], 0),
            (&[], &[("z", 1), ("z", 1)], &[(C::MissingHere, "z"), (C::Duplicate, "z")], 0),
            (
                &[("a", 1), ("b", 2), ("c", 3)],
                &[("c", 4), ("a", 1)],
                &[(C::AmountDiffers, "c"), (C::MissingThere, "b")],
                1,
            ),
        ];
        for (here, there, expected, matched) in rows {
            let compared = compare(&list(here), &[(Source::Bank, list(there))]).unwrap();
            let found: Vec<_> = compared.found.iter().map(|b| (b.code, b.reference.to_string())).collect();
            let expected: Vec<_> = expected.iter().map(|(code, text)| (*code, (*text).to_owned())).collect();
            assert_eq!((found, compared.matched), (expected, *matched), "{here:?} against {there:?}");
        }
    }

    #[test]
    fn a_list_that_overflows_into_its_file_is_compared_as_one_in_memory() {
        let amount = |number: u128| i64::try_from(number % 1_000).unwrap() + 1;
        let id =
            |number: u128| kernel::ids::PaymentId::from_u128(number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c));
        let long = |skip: u128| {
            let mut list = List::new(std::env::temp_dir());
            for number in (0..300_000).filter(|number| *number != skip) {
                let reference = Reference::Payment(id(number));
                list.push(&Line { reference, amount_minor: amount(number) }).unwrap();
            }
            list
        };
        let compared =
            compare(&long(7), &[(Source::Biller, long(299_999)), (Source::Bank, long(7))]).unwrap();
        let found: Vec<_> = compared.found.iter().map(|f| (f.source, f.code, f.reference.clone())).collect();
        let expected = [
            (Source::Biller, BreakCode::MissingHere, Reference::Payment(id(7))),
            (Source::Biller, BreakCode::MissingThere, Reference::Payment(id(299_999))),
        ];
        assert_eq!((found.as_slice(), compared.matched), (expected.as_slice(), 299_998));
    }

    proptest! {
        #[test]
        fn a_line_is_read_as_it_was_written(text in "[ -~]{1,64}", id: u128, amount: i64, ours: bool) {
            let reference = if ours {
                Reference::of(&kernel::ids::PaymentId::from_u128(id).to_string())
            } else {
                Reference::of(&text)
            };
            let line = Line { reference, amount_minor: amount };
            let mut bytes = Vec::new();
            line.write(&mut bytes);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(Line::read(&mut rest), Some(line));
            prop_assert!(rest.is_empty());
            prop_assert_eq!(Line::read(&mut &bytes[..bytes.len() - 1]), None);
        }
    }
}
