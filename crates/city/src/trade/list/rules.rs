//! Putting two lists together that are each newest first: what was paid, and what was not. Pure.
//!
//! Must never pass over an entry: what one list has not shown yet holds back what is older in the other.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

/// A place in the list: by instant, then by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Nanoseconds since the Unix epoch.
    pub at_ns: u64,
    /// Tells apart what happened at the same instant.
    pub id: u128,
}

impl Place {
    /// Above every entry.
    pub const TOP: Place = Place { at_ns: u64::MAX, id: u128::MAX };
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:032x}", self.at_ns, self.id)
    }
}

/// Not a place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPlace;

impl FromStr for Place {
    type Err = NoPlace;
    fn from_str(text: &str) -> Result<Place, NoPlace> {
        let (at, id) = text.split_once('-').ok_or(NoPlace)?;
        if id.len() != 32 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(NoPlace);
        }
        let (at_ns, id) = (at.parse(), u128::from_str_radix(id, 16));
        Ok(Place { at_ns: at_ns.map_err(|_| NoPlace)?, id: id.map_err(|_| NoPlace)? })
    }
}

/// What was looked through of one list.
#[derive(Clone, Debug)]
pub struct Seen<T> {
    /// What was found, in any order.
    pub found: Vec<(Place, T)>,
    /// Everything from this place upwards was looked at; `None` when the list is at its end.
    pub down_to: Option<Place>,
}

impl<T> Seen<T> {
    /// A list with nothing in it.
    pub fn nothing() -> Seen<T> {
        Seen { found: Vec::new(), down_to: None }
    }
}

/// The newest `limit` entries of both, and the place to go on below; `None` when both are at their end.
pub fn merge<T>(one: Seen<T>, other: Seen<T>, limit: usize) -> (Vec<T>, Option<Place>) {
    let down_to = one.down_to.max(other.down_to);
    let mut found: Vec<(Place, T)> = one.found.into_iter().chain(other.found).collect();
    found.retain(|(place, _)| down_to.is_none_or(|down_to| *place >= down_to));
    found.sort_unstable_by_key(|(place, _)| Reverse(*place));
    let next = match found.get(limit) {
        Some(_) => limit.checked_sub(1).map(|last| found[last].0),
        None => down_to,
    };
    found.truncate(limit);
    (found.into_iter().map(|(_, entry)| entry).collect(), next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(at_ns: u64) -> Place {
        Place { at_ns, id: u128::from(at_ns) }
    }

    #[test]
    fn places_are_text() {
        for place in [Place::TOP, place(0), place(1_772_416_800_123_456_789)] {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for text in
            ["", "1", "1-2", "-1-00000000000000000000000000000000", "1-+0000000000000000000000000000001"]
        {
            assert_eq!(text.parse::<Place>(), Err(NoPlace), "{text}");
        }
    }

    /// What `list` shows when asked for `step` entries below `at`.
    fn seen(list: &[u64], at: Place, step: usize) -> Seen<u64> {
        let below: Vec<u64> = list.iter().rev().copied().filter(|n| place(*n) < at).collect();
        let found: Vec<(Place, u64)> = below.iter().take(step).map(|n| (place(*n), *n)).collect();
        let down_to = (below.len() > step).then(|| found.last().map_or(at, |(place, _)| *place));
        Seen { found, down_to }
    }

    proptest! {
        #[test]
        fn page_by_page_shows_all_of_both_once_and_in_order(
            mixed in prop::collection::btree_map(0u64..1_000, any::<bool>(), 0..60),
            (limit, one_step, other_step) in (1usize..9, 1usize..9, 1usize..9),
        ) {
            let part = |side| mixed.iter().filter(|(_, s)| **s == side).map(|(n, _)| *n).collect::<Vec<_>>();
            let (one, other) = (part(true), part(false));
            let (mut shown, mut at) = (Vec::new(), Place::TOP);
            for _ in 0..200 {
                let (page, next) = merge(seen(&one, at, one_step), seen(&other, at, other_step), limit);
                prop_assert!(page.len() <= limit);
                shown.extend(page);
                match next {
                    Some(next) => { prop_assert!(next < at); at = next }
                    None => break,
                }
            }
            prop_assert_eq!(shown, mixed.keys().rev().copied().collect::<Vec<_>>());
        }
    }
}
