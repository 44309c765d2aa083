//! What files are called, which numbers are missing, what an acknowledgement says. Pure.
//!
//! Must never read one name in two ways: a pattern has digits only where a number is, and literals elsewhere.

use std::fmt::Write as _;

use kernel::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::bill::pack::{PackError, Source};

/// What a pack says of exchanging files: `[exchange]`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// What bill files are called: `BILL_{date}_{seq:4}.txt`.
    pub bills: Option<Pattern>,
    /// What our settlement files are called.
    pub settlement: Option<Pattern>,
    /// What the files are called that the biller returns.
    pub returned: Option<Pattern>,
    /// How files are counted.
    #[serde(default)]
    pub sequence: Counting,
    /// The first number.
    #[serde(default = "one")]
    pub first: u32,
    /// The biller acknowledges our files within so many hours; it does not when absent.
    pub ack_within_h: Option<u32>,
}

fn one() -> u32 {
    1
}

/// How files are counted.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Counting {
    /// On and on.
    #[default]
    Running,
    /// From the first number again for every date in the name.
    Day,
}

/// What a file in the folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Bills.
    Bills,
    /// A settlement file as the biller returns it.
    Returned,
    /// The biller's acknowledgement of a settlement file.
    Ack,
    /// Nobody knows.
    Unknown,
}

impl Kind {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Bills => "bills",
            Kind::Returned => "returned",
            Kind::Ack => "ack",
            Kind::Unknown => "unknown",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Kind> {
        [Kind::Bills, Kind::Returned, Kind::Ack, Kind::Unknown].into_iter().find(|kind| kind.name() == name)
    }
}

/// What a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// What the file is.
    pub kind: Kind,
    /// The date in the name.
    pub day: Option<Date>,
    /// The number in the name; none in an acknowledgement.
    pub seq: Option<u32>,
}

/// The end of the name of an acknowledgement.
pub const ACK: &str = ".ack";
/// Names that end so are files on their way.
pub const UNFINISHED: [&str; 3] = [".part", ".tmp", ".filepart"];
/// The longest name of a file, in bytes.
pub const NAME_MAX: usize = 120;

/// A name that is no pattern's, of a file that is still being written or is not meant for us.
pub fn is_ignored(name: &str) -> bool {
    name.starts_with('.') || UNFINISHED.iter().any(|end| name.ends_with(end))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Date,
    /// With its width; 0 for as many digits as it takes.
    Seq(usize),
}

/// The pattern of a name.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct Pattern(Vec<Part>);

impl TryFrom<String> for Pattern {
    type Error = String;
    fn try_from(text: String) -> Result<Pattern, String> {
        let mut parts: Vec<Part> = Vec::new();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('{') {
                let (place, after) = after.split_once('}').ok_or("a { without its }")?;
                let part = match place.split_once(':') {
                    None if place == "date" => Part::Date,
                    None if place == "seq" => Part::Seq(0),
                    Some(("seq", width)) => match width.parse() {
                        Ok(width @ 1..=9) => Part::Seq(width),
                        _ => return Err("{seq:N} has 1 to 9 digits".to_owned()),
                    },
                    _ => return Err(format!("{{{place}}} is not known: {{date}}, {{seq}}, {{seq:4}}")),
                };
                if parts.last().is_some_and(|before| !matches!(before, Part::Literal(_))) {
                    return Err("two places side by side".to_owned());
                }
                parts.push(part);
                rest = after;
            } else {
                let end = rest.find('{').unwrap_or(rest.len());
                parts.push(Part::Literal(rest[..end].to_owned()));
                rest = &rest[end..];
            }
        }
        let literal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let fine = |part: &Part| match part {
            Part::Literal(text) => text.chars().all(literal),
            Part::Date | Part::Seq(_) => true,
        };
        let count = |wanted: fn(&Part) -> bool| parts.iter().filter(|part| wanted(part)).count();
        if !parts.iter().all(fine) || text.len() > 80 {
            return Err("letters, digits, `.`, `_` and `-` besides the places, at most 80".to_owned());
        }
        // A digit beside a number of any length could be part of it.
        let digits = parts.windows(2).any(|pair| match pair {
            [Part::Seq(0), Part::Literal(text)] => text.starts_with(|c: char| c.is_ascii_digit()),
            [Part::Literal(text), Part::Seq(0)] => text.ends_with(|c: char| c.is_ascii_digit()),
            _ => false,
        });
        if digits {
            return Err("a digit beside {seq}".to_owned());
        }
        if count(|part| matches!(part, Part::Seq(_))) != 1 || count(|part| *part == Part::Date) > 1 {
            return Err("one {seq}, and at most one {date}".to_owned());
        }
        if is_ignored(&text) || text.ends_with(ACK) {
            return Err("such a name is that of an unfinished file, or of an acknowledgement".to_owned());
        }
        Ok(Pattern(parts))
    }
}

impl Pattern {
    fn has_date(&self) -> bool {
        self.0.contains(&Part::Date)
    }

    /// What a name says, if it follows the pattern.
    pub fn read(&self, name: &str) -> Option<(Option<Date>, u32)> {
        let (mut rest, mut day, mut seq) = (name, None, None);
        for part in &self.0 {
            let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
            match part {
                Part::Literal(text) => rest = rest.strip_prefix(text.as_str())?,
                Part::Date => {
                    let text = rest.get(..8).filter(|text| digits(text) == 8)?;
                    let number: i64 = text.parse().ok()?;
                    day = Some(crate::bill::store::date_of(number)?);
                    rest = &rest[8..];
                }
                Part::Seq(width) => {
                    let length = if *width == 0 { digits(rest).min(9) } else { *width };
                    let text =
                        rest.get(..length).filter(|text| !text.is_empty() && digits(text) == length)?;
                    if *width == 0 && text.starts_with('0') && text != "0" {
                        return None; // a number is written in one way
                    }
                    seq = Some(text.parse().ok()?);
                    rest = &rest[length..];
                }
            }
        }
        rest.is_empty().then_some((day, seq?))
    }

    /// The name of a file; none when the number does not fit any more.
    pub fn write(&self, day: Date, seq: u32) -> Option<String> {
        let mut name = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) => name.push_str(text),
                Part::Date => {
                    let _ = write!(name, "{:04}{:02}{:02}", day.year(), day.month(), day.day()); // infallible
                }
                Part::Seq(width) => {
                    let text = format!("{seq:0width$}");
                    if text.len() > 9 || (*width > 0 && text.len() > *width) {
                        return None;
                    }
                    name.push_str(&text);
                }
            }
        }
        Some(name)
    }
}

impl Exchange {
    /// What a name in `in/` says.
    pub fn named(&self, name: &str) -> Named {
        let by = |pattern: &Option<Pattern>, kind| {
            let (day, seq) = pattern.as_ref()?.read(name)?;
            Some(Named { kind, day, seq: Some(seq) })
        };
        let ack = || {
            let (day, _) = self.settlement.as_ref()?.read(name.strip_suffix(ACK)?)?;
            Some(Named { kind: Kind::Ack, day, seq: None })
        };
        by(&self.bills, Kind::Bills)
            .or_else(|| by(&self.returned, Kind::Returned))
            .or_else(ack)
            .unwrap_or(Named { kind: Kind::Unknown, day: None, seq: None })
    }

    /// The series that a date counts in.
    pub fn series(&self, day: Option<Date>) -> i64 {
        match self.sequence {
            Counting::Running => 0,
            Counting::Day => day.map_or(0, crate::bill::store::date_number),
        }
    }

    pub(in crate::bill) fn validate(&self, source: Source) -> Result<(), PackError> {
        let invalid = |key: &str, why: &str| Err(PackError::invalid(&format!("exchange.{key}"), why));
        match (&self.bills, source) {
            (None, Source::File) => return invalid("bills", "needed where bills come by file"),
            (Some(_), Source::Live) => return invalid("bills", "has no meaning where the biller is asked"),
            _ => {}
        }
        let named = [("bills", &self.bills), ("settlement", &self.settlement), ("returned", &self.returned)];
        let given: Vec<(&str, &Pattern)> =
            named.into_iter().filter_map(|(key, pattern)| Some((key, pattern.as_ref()?))).collect();
        if given.is_empty() {
            return invalid("settlement", "nothing is exchanged");
        }
        for (key, pattern) in &given {
            if !pattern.has_date() && (*key == "returned" || self.sequence == Counting::Day) {
                return invalid(key, "needs {date}");
            }
            let example = pattern.write(Date::constant(2026, 3, 2), self.first);
            let Some(example) = example else { return invalid("first", "does not fit into the names") };
            if given.iter().any(|(other, pattern)| other != key && pattern.read(&example).is_some()) {
                return invalid(key, "another file may be called the same");
            }
        }
        if self.ack_within_h.is_some_and(|hours| !(1..=720).contains(&hours)) {
            return invalid("ack_within_h", "1 to 720 hours");
        }
        Ok(())
    }
}

/// Why a file in the folder is refused, besides what is wrong inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeFault {
    /// The pack has no such name.
    NameUnknown,
    /// The number was used by a file with other content.
    SequenceRepeated,
    /// The number is before the pack's first.
    SequenceBelowFirst,
    /// An acknowledgement that cannot be read.
    AckMalformed,
    /// An acknowledgement of a file that was never sent.
    AckUnknown,
    /// An acknowledgement of other content than was sent.
    AckDiffers,
}

impl ExchangeFault {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            ExchangeFault::NameUnknown => "exchange_name_unknown",
            ExchangeFault::SequenceRepeated => "sequence_repeated",
            ExchangeFault::SequenceBelowFirst => "sequence_below_first",
            ExchangeFault::AckMalformed => "ack_malformed",
            ExchangeFault::AckUnknown => "ack_unknown",
            ExchangeFault::AckDiffers => "ack_differs",
        }
    }
}

/// Numbers that are missing, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Missing {
    /// The first that is missing.
    pub from: u32,
    /// The last.
    pub to: u32,
}

/// What an acknowledgement says: ours of a file that came, the biller's of one of ours. Keys that are not here are
/// left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Of the file.
    pub name: String,
    /// Of the file, hexadecimal.
    pub sha256: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The number in its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u32>,
    /// Records in it.
    #[serde(default)]
    pub records: u64,
    /// Their sum, minor units, as far as amounts can be read.
    #[serde(default)]
    pub amount_minor: i64,
    /// Bills that were new.
    #[serde(default)]
    pub added: u64,
    /// Bills that were there, the same.
    #[serde(default)]
    pub unchanged: u64,
    /// Records that were refused.
    #[serde(default)]
    pub refused: u64,
    /// Why records were refused, by code; of the first 10,000.
    #[serde(default)]
    pub errors: std::collections::BTreeMap<String, u64>,
    /// Numbers that are missing before this one.
    #[serde(default)]
    pub missing: Vec<Missing>,
}

/// How a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Taken in.
    Accepted,
    /// Not taken in, nothing of it.
    Refused,
}

impl Outcome {
    /// The name in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Refused => "refused",
        }
    }

    /// The outcome of this name.
    pub fn from_name(name: &str) -> Option<Outcome> {
        [Outcome::Accepted, Outcome::Refused].into_iter().find(|outcome| outcome.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        let day = Date::constant(2026, 3, 2);
        for (pattern, seq, name) in [
            ("BILL_{date}_{seq:4}.txt", 7, Some("BILL_20260302_0007.txt")),
            ("{seq}-{date}.csv", 12, Some("12-20260302.csv")),
            ("X{seq:2}.dat", 99, Some("X99.dat")),
            ("X{seq:2}.dat", 100, None),
        ] {
            let pattern = Pattern::try_from(pattern.to_owned()).unwrap();
            assert_eq!(pattern.write(day, seq).as_deref(), name);
            if let Some(name) = name {
                let read = pattern.read(name).unwrap();
                assert_eq!(read, (pattern.has_date().then_some(day), seq));
                for other in [format!("{name}x"), format!("x{name}"), name.to_uppercase() + "."] {
                    assert_eq!(pattern.read(&other), None, "{other}");
                }
            }
        }
        let pattern = Pattern::try_from("B_{date}_{seq}.txt".to_owned()).unwrap();
        for wrong in [
            "B_20260230_1.txt",
            "B_2026030_1.txt",
            "B_20260302_01.txt",
            "B_20260302_.txt",
            "",
            "B_+2026030_1.txt",
        ] {
            assert_eq!(pattern.read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_pattern_that_could_be_misread_is_refused() {
        for (text, why) in [
            ("a.txt", "one {seq}"),
            ("{seq}_{seq}", "one {seq}"),
            ("{date}{seq}", "side by side"),
            ("{seq:0}", "1 to 9"),
            ("{seq", "without"),
            ("{day}_{seq}", "not known"),
            ("../{seq}", "letters"),
            ("{seq}.part", "unfinished"),
            ("{seq}.ack", "acknowledgement"),
            (".{seq}", "unfinished"),
            ("a1{seq}", "digit"),
        ] {
            let refused = Pattern::try_from(text.to_owned()).unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }
}
