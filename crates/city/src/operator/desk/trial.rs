//! Trying out a biller pack, and a bill file with it, before either is taken in: pure. Nothing is changed.

use std::collections::HashSet;

use serde::Serialize;
use utoipa::ToSchema;

use crate::bill::rules::{Bill, read_bill};
use crate::bill::{Pack, PackError, survey};

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PackCheck {
    /// `readable`, `valid`, `examples`, `sample_file`, `sample_row`, `sample_rows`.
    #[schema(example = "sample_row")]
    pub check: &'static str,
    /// Whether it is right.
    pub ok: bool,
    /// Where: a key of the pack, or line and field of the sample; may be empty.
    #[schema(example = "line 7, account_no")]
    pub place: String,
    /// Why not, or what was found.
    pub why: String,
}

/// What trying out a pack came to.
#[derive(Clone, Debug)]
pub struct Trial {
    /// In order; what stands after the first that is not right may not have been looked at.
    pub checks: Vec<PackCheck>,
    /// The pack, where it is one.
    pub pack: Option<Pack>,
    /// The first bills of the sample.
    pub bills: Vec<Bill>,
}

/// How many rows that are not right are told one by one.
const ROWS_TOLD: usize = 50;
/// How many bills of the sample are shown.
const SHOWN: usize = 5;

fn right(check: &'static str, why: impl Into<String>) -> PackCheck {
    PackCheck { check, ok: true, place: String::new(), why: why.into() }
}

fn wrong(check: &'static str, place: impl Into<String>, why: impl Into<String>) -> PackCheck {
    PackCheck { check, ok: false, place: place.into(), why: why.into() }
}

/// Reads a pack, and a bill file by its layout.
pub fn try_out(text: &str, sample: Option<&[u8]>) -> Trial {
    let mut checks = Vec::new();
    let pack = match Pack::parse(text) {
        Ok(pack) => {
            checks.push(right("readable", ""));
            checks.push(right("valid", ""));
            checks.push(right("examples", ""));
            pack
        }
        Err(fault) => {
            match fault {
                PackError::Malformed(why) => checks.push(wrong("readable", "", why)),
                PackError::Invalid(key, why) => {
                    checks.extend([right("readable", ""), wrong("valid", key, why)]);
                }
                PackError::Example(key, example, why) => {
                    let why = format!("{example}: {why}");
                    checks.extend([right("readable", ""), wrong("examples", key, why)]);
                }
            }
            return Trial { checks, pack: None, bills: Vec::new() };
        }
    };
    let bills = sample.map(|bytes| read_sample(&pack, bytes, &mut checks)).unwrap_or_default();
    Trial { checks, pack: Some(pack), bills }
}

fn read_sample(pack: &Pack, bytes: &[u8], checks: &mut Vec<PackCheck>) -> Vec<Bill> {
    let Some(layout) = &pack.spec.bills.file else {
        checks.push(wrong("sample_file", "", "the biller is asked and hands over no files".to_owned()));
        return Vec::new();
    };
    match survey(layout, bytes) {
        Ok(Ok(found)) => checks.push(right("sample_file", format!("{} records", found.records))),
        Ok(Err(fault)) => checks.push(wrong("sample_file", fault.code(), fault.to_string())),
        Err(fault) => checks.push(wrong("sample_file", "", fault.to_string())),
    }
    let (mut shown, mut read, mut refused, mut seen) = (Vec::new(), 0u64, 0usize, HashSet::new());
    for (number, line) in layout.records(bytes) {
        let fault = match read_bill(pack, layout, line) {
            Ok(bill) if seen.insert(bill.id) => {
                read += 1;
                if shown.len() < SHOWN {
                    shown.push(bill);
                }
                continue;
            }
            Ok(_) => ("bill_no", "bill_repeated"),
            Err(fault) => (fault.field(), fault.code()),
        };
        refused += 1;
        if refused <= ROWS_TOLD {
            let field = if fault.0.is_empty() { String::new() } else { format!(", {}", fault.0) };
            checks.push(wrong("sample_row", format!("line {number}{field}"), fault.1));
        }
    }
    let found = format!("{read} bills read, {refused} rows refused");
    checks.push(PackCheck { check: "sample_rows", ok: refused == 0, place: String::new(), why: found });
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const POWER: &str = include_str!("../../../../../packs/330100/hz-power.toml");

    fn outcome(text: &str, sample: Option<&str>) -> Vec<(&'static str, bool, String)> {
        let trial = try_out(text, sample.map(str::as_bytes));
        trial.checks.into_iter().map(|c| (c.check, c.ok, c.place)).collect()
    }

    #[test]
    fn says_where_and_stops_where_nothing_more_can_be_known() {
        let good = [("readable", true, ""), ("valid", true, ""), ("examples", true, "")];
        let head = "户号|账单号|户名|账期|金额|缴费截止日\n";
        let row = |account: &str, number: &str| format!("{account}|{number}|王小明|202602|1.00|2026-03-25\n");
        let whole = format!("{head}{}TOTAL|1|1.00\n", row("3339522520", "B1"));
        let rows = format!(
            "{head}{}{}{}TOTAL|3|3.00\n",
            row("3339522520", "B1"),
            row("3339522521", "B1"),
            row("3339522520", "B1")
        );
        let invalid = POWER.replace("region = \"330100\"", "region = \"990000\"");
        for (text, sample, wanted) in [
            ("id = 1", None, vec![("readable", false, "")]),
            (
                invalid.as_str(),
                Some(whole.as_str()),
                vec![("readable", true, ""), ("valid", false, "region")],
            ),
            (POWER, None, good.to_vec()),
            (
                POWER,
                Some(&whole),
                [&good[..], &[("sample_file", true, ""), ("sample_rows", true, "")]].concat(),
            ),
            (
                POWER,
                Some(&rows),
                [
                    &good[..],
                    &[
                        ("sample_file", true, ""),
                        ("sample_row", false, "line 3, account_no"),
                        ("sample_row", false, "line 4, bill_no"),
                        ("sample_rows", false, ""),
                    ],
                ]
                .concat(),
            ),
            (
                POWER,
                Some(head),
                [&good[..], &[("sample_file", false, "file_totals_missing"), ("sample_rows", true, "")]]
                    .concat(),
            ),
        ] {
            let wanted: Vec<_> = wanted.into_iter().map(|(c, ok, place)| (c, ok, place.to_owned())).collect();
            assert_eq!(outcome(text, sample), wanted);
        }
    }
}
