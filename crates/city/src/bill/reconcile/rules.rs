//! Comparing what the ledger says of a day with what somebody else says: pure.
//!
//! Must never invent a break: a line is a break only by what the two lists hold.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A payment in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    /// `pay_…`
    pub reference: String,
    /// Minor units.
    pub amount_minor: i64,
}

/// A line that somebody returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theirs {
    /// What it says the payment is.
    pub reference: String,
    /// Minor units.
    pub amount_minor: i64,
}

/// Who disagrees with the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The biller.
    Biller,
    /// The bank.
    Bank,
    /// The terms of the biller's pack as they are now.
    Terms,
}

impl Source {
    /// The name in tables and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Source::Biller => "biller",
            Source::Bank => "bank",
            Source::Terms => "terms",
        }
    }

    /// The source of that name.
    pub fn from_name(name: &str) -> Option<Source> {
        [Source::Biller, Source::Bank, Source::Terms].into_iter().find(|s| s.name() == name)
    }
}

/// How two lists disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakCode {
    /// They list a payment that the ledger does not have.
    MissingHere,
    /// The ledger has a payment that they do not list.
    MissingThere,
    /// Both have it, with different amounts.
    AmountDiffers,
    /// They list it more than once.
    Duplicate,
    /// They list it on this day, the ledger has it on another.
    Late,
    /// The payout that was booked is not what the terms come to now.
    PayoutDiffers,
}

impl BreakCode {
    const ALL: [BreakCode; 6] = [
        BreakCode::MissingHere,
        BreakCode::MissingThere,
        BreakCode::AmountDiffers,
        BreakCode::Duplicate,
        BreakCode::Late,
        BreakCode::PayoutDiffers,
    ];

    /// The name in tables and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            BreakCode::MissingHere => "missing_here",
            BreakCode::MissingThere => "missing_there",
            BreakCode::AmountDiffers => "amount_differs",
            BreakCode::Duplicate => "duplicate",
            BreakCode::Late => "late",
            BreakCode::PayoutDiffers => "payout_differs",
        }
    }

    /// The code of that name.
    pub fn from_name(name: &str) -> Option<BreakCode> {
        BreakCode::ALL.into_iter().find(|c| c.name() == name)
    }

    /// What to do about it.
    pub fn remedy(self, source: Source) -> &'static str {
        match (self, source) {
            (BreakCode::MissingHere, Source::Biller | Source::Terms) => "biller_proves_or_withdraws",
            (BreakCode::MissingHere, Source::Bank) => "bank_proves_or_returns",
            (BreakCode::MissingThere, Source::Biller | Source::Terms) => "send_line_again",
            (BreakCode::MissingThere, Source::Bank) => "ask_bank_to_trace",
            (BreakCode::AmountDiffers, _) => "correct_to_ledger",
            (BreakCode::Duplicate, _) => "strike_repetition",
            (BreakCode::Late, _) => "move_to_its_day",
            (BreakCode::PayoutDiffers, _) => "settle_difference_with_biller",
        }
    }
}

/// One disagreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// Who disagrees.
    pub source: Source,
    /// How.
    pub code: BreakCode,
    /// The payment, as they or we call it.
    pub reference: String,
    /// Minor units in the ledger.
    pub ours_minor: Option<i64>,
    /// Minor units in their list.
    pub theirs_minor: Option<i64>,
}

/// The disagreements: first by their lines, then what they lack, in the ledger's order. `other_days`
/// holds payments of the ledger on other days, by reference.
pub fn compare(
    source: Source,
    ours: &[Ours],
    theirs: &[Theirs],
    other_days: &BTreeMap<String, i64>,
) -> Vec<Break> {
    let today: HashMap<&str, i64> = ours.iter().map(|o| (o.reference.as_str(), o.amount_minor)).collect();
    let mut seen = HashSet::new();
    let mut breaks = Vec::new();
    for line in theirs {
        let reference = line.reference.as_str();
        let here = today.get(reference).copied();
        let elsewhere = other_days.get(reference).copied();
        let known = here.or(elsewhere);
        let code = if !seen.insert(reference) {
            BreakCode::Duplicate
        } else if known.is_none() {
            BreakCode::MissingHere
        } else if known != Some(line.amount_minor) {
            BreakCode::AmountDiffers
        } else if here.is_none() {
            BreakCode::Late
        } else {
            continue;
        };
        breaks.push(Break {
            source,
            code,
            reference: line.reference.clone(),
            ours_minor: known,
            theirs_minor: Some(line.amount_minor),
        });
    }
    let missing = ours.iter().filter(|o| !seen.contains(o.reference.as_str()));
    breaks.extend(missing.map(|o| Break {
        source,
        code: BreakCode::MissingThere,
        reference: o.reference.clone(),
        ours_minor: Some(o.amount_minor),
        theirs_minor: None,
    }));
    breaks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_disagreement_and_invents_none() {
        use BreakCode as C;
        let ours = |list: &[(&str, i64)]| -> Vec<Ours> {
            list.iter().map(|(r, a)| Ours { reference: (*r).into(), amount_minor: *a }).collect()
        };
        let other_days = BTreeMap::from([("y".to_owned(), 7)]);
        type Row<'a> = (&'a [(&'a str, i64)], &'a [(&'a str, i64)], &'a [(C, &'a str)]);
        let rows: &[Row<'_>] = &[
            (&[], &[], &[]),
            (&[("a", 1), ("b", 2)], &[("b", 2), ("a", 1)], &[]),
            (&[("a", 1)], &[], &[(C::MissingThere, "a")]),
            (&[], &[("a", 1)], &[(C::MissingHere, "a")]),
            (&[("a", 1)], &[("a", 2)], &[(C::AmountDiffers, "a")]),
            (&[("a", 1)], &[("a", 1), ("a", 1)], &[(C::Duplicate, "a")]),
            (&[], &[("y", 7)], &[(C::Late, "y")]),
            (&[], &[("y", 8)], &[(C::AmountDiffers, "y")]),
            (&[], &[("z", 1), ("z", 1)], &[(C::MissingHere, "z"), (C::Duplicate, "z")]),
            (
                &[("a", 1), ("b", 2), ("c", 3)],
                &[("c", 4), ("a", 1)],
                &[(C::AmountDiffers, "c"), (C::MissingThere, "b")],
            ),
        ];
        for (here, there, expected) in rows {
            let theirs: Vec<Theirs> =
                there.iter().map(|(r, a)| Theirs { reference: (*r).into(), amount_minor: *a }).collect();
            let found = compare(Source::Bank, &ours(here), &theirs, &other_days);
            let found: Vec<_> = found.iter().map(|b| (b.code, b.reference.as_str())).collect();
            assert_eq!(found, *expected, "{here:?} against {there:?}");
        }
    }
}
