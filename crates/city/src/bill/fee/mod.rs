//! Late fees: versions of a pack's rule, and what a bill owes by them, line by line. Must never round twice: the fee
//! is exact until its end, and a line is the difference of two rounded running totals, so lines sum to the fee.

pub mod rules;

use std::fmt;

use kernel::Date;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::pack::{LateFee, PackError};

pub use rules::{Line, Notice, Portion, Why, assess, due_on};

/// How many versions a pack may have.
const VERSIONS_MAX: usize = 32;

/// `[late_fee]`, a rule in force ever since, or `[[late_fee]]`, its versions.
pub(super) fn versions<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<LateFee>, D::Error> {
    struct OneOrMore;
    impl<'de> Visitor<'de> for OneOrMore {
        type Value = Vec<LateFee>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a late fee or a list of its versions")
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            Ok(vec![LateFee::deserialize(MapAccessDeserializer::new(map))?])
        }
        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(seq))
        }
    }
    source.deserialize_any(OneOrMore)
}

/// The first day of a version, written `2026-07-01`.
pub(super) fn first_day<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Date>, D::Error> {
    let text = String::deserialize(source)?;
    let day = text.parse().ok().filter(|_| text.len() == 10);
    day.map(Some).ok_or_else(|| serde::de::Error::custom("a day is written 2026-07-01"))
}

/// Proves the versions of a pack.
pub(super) fn validate(versions: &[LateFee]) -> Result<(), PackError> {
    if versions.len() > VERSIONS_MAX {
        return Err(PackError::invalid("late_fee", "at most 32 versions"));
    }
    for (at, version) in versions.iter().enumerate() {
        let key = if versions.len() == 1 { "late_fee".to_owned() } else { format!("late_fee[{at}]") };
        version.validate(&key)?;
    }
    // Only the first may lack its day: it is in force ever since.
    if !versions.is_sorted_by(|a, b| a.from < b.from) {
        return Err(PackError::invalid(
            "late_fee",
            "the versions stand in order, each from a day of its own",
        ));
    }
    Ok(())
}
