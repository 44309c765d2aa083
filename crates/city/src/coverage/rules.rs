//! What is covered, by what is live where: pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use kernel::Timestamp;
use kernel::ids::BillerId;
use serde::Deserialize as _;
use serde::de::value::StrDeserializer;

use crate::bill::Category;
use crate::region::{self, Level};

/// The kinds of ways, as they are called in figures.
pub const WAYS: [&str; 4] = ["file", "direct", "bank", "provider"];

/// How a way was found last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayState {
    /// Whose way.
    pub biller: BillerId,
    /// Of which kind.
    pub way: String,
    /// Whether somebody was there.
    pub live: bool,
    /// When that was found.
    pub seen_at: Timestamp,
}

/// A time in which a way was live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Whose way.
    pub biller: BillerId,
    /// Of which kind.
    pub way: String,
    /// From when.
    pub opened_at: Timestamp,
    /// To before when; live still where there is none.
    pub closed_at: Option<Timestamp>,
}

impl Span {
    /// Whether the way was live at an instant.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.opened_at <= at && self.closed_at.is_none_or(|closed| at < closed)
    }
}

/// A biller, as coverage sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Institution {
    /// Which.
    pub biller: BillerId,
    /// What it bills.
    pub category: Category,
    /// The region that it serves, of today.
    pub place: &'static str,
}

/// People by region, as the operator gave them. Nothing is made up: what was not given is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Population(HashMap<&'static str, u64>);

impl Population {
    /// Reads lines of `code,people`; `#` begins a comment. Says which line cannot be read.
    pub fn parse(text: &str) -> Result<Population, (usize, &'static str)> {
        let mut known = HashMap::new();
        for (at, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') || at == 0 && line == "code,people" {
                continue;
            }
            let (code, people) = line.split_once(',').ok_or((at + 1, "not code,people"))?;
            let place = region::place(code.trim()).ok_or((at + 1, "there is no such region"))?;
            let people = people.trim().parse().ok().filter(|people| *people <= 2_000_000_000);
            if known.insert(place, people.ok_or((at + 1, "the people are a whole number"))?).is_some() {
                return Err((at + 1, "the region stands there twice"));
            }
        }
        Ok(Population(known))
    }

    /// The people of a region: as given, else the sum of what lies below where all of that is known.
    pub fn of(&self, code: &str) -> Option<u64> {
        self.0.get(code).copied().or_else(|| {
            let below = region::now().below(Some(code));
            if below.is_empty() { None } else { below.into_iter().map(|below| self.of(below)).sum() }
        })
    }

    /// The people of a region who live in the covered ones of the smallest units.
    fn covered(&self, code: &str, units: &[&'static str], covered: &HashSet<&'static str>) -> Option<u64> {
        let stem = region::stem(code);
        let own = || units.iter().filter(|unit| unit.starts_with(stem));
        if own().all(|unit| covered.contains(unit)) {
            return self.of(code);
        }
        if !own().any(|unit| covered.contains(unit)) {
            return Some(0);
        }
        let below = region::now().below(Some(code));
        below.into_iter().map(|below| self.covered(below, units, covered)).sum()
    }
}

/// Whether who serves a region serves a smallest unit.
pub fn serves(place: &str, unit: &str) -> bool {
    unit.starts_with(region::stem(place))
}

/// The smallest units that some places cover.
pub fn covered<'a>(
    units: &[&'static str],
    places: impl IntoIterator<Item = &'a str>,
) -> HashSet<&'static str> {
    let places: BTreeSet<&str> = places.into_iter().collect();
    units.iter().copied().filter(|unit| places.iter().any(|place| serves(place, unit))).collect()
}

/// A region and how much of it is covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its code.
    pub code: &'static str,
    /// Its smallest units.
    pub units: u32,
    /// Those of them in which somebody is live.
    pub covered: u32,
    /// Its people, where known.
    pub people: Option<u64>,
    /// Those of them who live in covered units, where known.
    pub people_covered: Option<u64>,
    /// Who is live there.
    pub institutions: u32,
    /// Since when it is covered without a break, by who is live now.
    pub since: Option<Timestamp>,
    /// Who became live within the month.
    pub opened: u32,
}

/// What is live and what became live.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Where each who is live serves, and since when.
    pub now: BTreeMap<BillerId, (&'static str, Timestamp)>,
    /// Where each who became live serves.
    pub opened: BTreeMap<BillerId, &'static str>,
}

/// Who of `institutions` is live by `way` (any where none is named) at an instant, and who became so since another.
pub fn live(
    institutions: &BTreeMap<BillerId, Institution>,
    spans: &[Span],
    category: Option<Category>,
    way: Option<&str>,
    from: Timestamp,
    at: Timestamp,
) -> Live {
    let mut found = Live::default();
    for span in spans.iter().filter(|span| way.is_none_or(|way| span.way == way)) {
        let Some(who) = institutions.get(&span.biller) else { continue };
        if category.is_some_and(|category| who.category != category) {
            continue;
        }
        if span.holds(at) {
            let since = found.now.entry(span.biller).or_insert((who.place, span.opened_at));
            since.1 = since.1.min(span.opened_at);
        }
        // Somebody whose line was down for an hour is not somebody new.
        let before = |other: &Span| {
            other.biller == span.biller
                && way.is_none_or(|way| other.way == way)
                && other.opened_at < span.opened_at
        };
        if from <= span.opened_at && span.opened_at <= at && !spans.iter().any(before) {
            found.opened.insert(span.biller, who.place);
        }
    }
    found
}

/// Some regions, each with how much of it is covered.
pub fn rows(regions: &[&'static str], live: &Live, population: &Population) -> Vec<Row> {
    let all = region::now().leaves(None);
    let covered = covered(&all, live.now.values().map(|(place, _)| *place));
    let touches =
        |place: &str, code: &str| serves(place, region::stem(code)) || serves(code, region::stem(place));
    let row = |code: &&'static str| {
        let code = *code;
        let stem = region::stem(code);
        let own = || all.iter().filter(|unit| unit.starts_with(stem));
        let units: Vec<&'static str> = own().copied().collect();
        let here = || live.now.values().filter(|(place, _)| touches(place, code));
        Row {
            code,
            units: count(units.len()),
            covered: count(units.iter().filter(|unit| covered.contains(*unit)).count()),
            people: population.of(code),
            people_covered: population.covered(code, &units, &covered),
            institutions: count(here().count()),
            since: here().map(|(_, since)| *since).min(),
            opened: count(live.opened.values().filter(|place| touches(place, code)).count()),
        }
    };
    regions.iter().map(row).collect()
}

/// A region, or the whole, and how much of it is covered.
pub fn whole(region: Option<&'static str>, live: &Live, population: &Population) -> Row {
    if let Some(code) = region {
        return rows(&[code], live, population).remove(0);
    }
    let rows = rows(&regions(Level::Province, None), live, population);
    Row {
        code: "",
        units: rows.iter().map(|row| row.units).sum(),
        covered: rows.iter().map(|row| row.covered).sum(),
        people: rows.iter().map(|row| row.people).sum(),
        people_covered: rows.iter().map(|row| row.people_covered).sum(),
        institutions: count(live.now.len()),
        since: live.now.values().map(|(_, since)| *since).min(),
        opened: count(live.opened.len()),
    }
}

/// How much was paid in each region, a payment counting where its biller serves: of one who serves a larger region than
/// these, it counts in none. For every thousand people, in thousandths, where people are given, else the number.
pub fn used(regions: &[&'static str], paid: &[(&str, u64)], per_people: Option<&Population>) -> Vec<u64> {
    let value = |code: &&'static str| {
        let own = paid.iter().filter(|(place, _)| serves(code, region::stem(place)));
        let sum: u64 = own.map(|(_, n)| *n).sum();
        match per_people {
            None => Some(sum),
            Some(population) => {
                let people = population.of(code).filter(|people| *people > 0)?;
                Some(sum.saturating_mul(1_000_000) / people)
            }
        }
    };
    regions.iter().filter_map(value).collect()
}

/// Reads an operator's prospects, a line each: `name_zh,name_en,category,region,route,people`. The route is `bank` or
/// `provider` where one stands that carries it, else `direct` or `file`; the people may be left out.
pub fn prospects(text: &str) -> Result<Vec<Candidate>, (usize, &'static str)> {
    let mut found = Vec::new();
    for (at, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') || at == 0 && line.starts_with("name_zh,") {
            continue;
        }
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let [zh, en, category, place, by, people] = cells[..] else {
            return Err((at + 1, "not name_zh,name_en,category,region,route,people"));
        };
        let category = Category::deserialize(StrDeserializer::<serde::de::value::Error>::new(category));
        found.push(Candidate {
            name: (zh.to_owned(), en.to_owned()),
            pack: None,
            category: category.map_err(|_| (at + 1, "there is no such category"))?,
            place: region::place(place).ok_or((at + 1, "there is no such region"))?,
            by: WAYS.iter().find(|way| **way == by).ok_or((at + 1, "there is no such route"))?.to_string(),
            route_stands: ["bank", "provider"].contains(&by),
            people: if people.is_empty() {
                None
            } else {
                Some(people.parse().map_err(|_| (at + 1, "the people are a whole number"))?)
            },
        });
    }
    Ok(found)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The regions of a level within another.
pub fn regions(level: Level, parent: Option<&'static str>) -> Vec<&'static str> {
    let stem = parent.map_or("", region::stem);
    let of_level = |code: &&str| {
        let own = region::level(code);
        // Where there are no counties, or no prefectures, what there is stands for itself.
        own == level
            || own > level && region::now().parent(code).is_some_and(|p| region::level(p) < level)
            || own < level && region::now().below(Some(code)).is_empty()
    };
    let inside = region::now().all().map(|(code, _)| code);
    let inside: Vec<&'static str> = inside.filter(|code| code.starts_with(stem)).collect();
    match level {
        Level::Province => inside.into_iter().filter(|code| region::level(code) == level).collect(),
        // Directly administered counties stand beside prefectures.
        Level::Prefecture => inside.into_iter().filter(of_level).collect(),
        Level::County => region::now().leaves(parent),
    }
}

/// Somebody who could be won: known and not live, or a prospect of the operator's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What it is called: Chinese, English.
    pub name: (String, String),
    /// The pack, where there is one.
    pub pack: Option<String>,
    /// What it bills.
    pub category: Category,
    /// The region that it serves.
    pub place: &'static str,
    /// By which way it could come: `bank` or `provider` where such a route stands already, else `direct` or `file`.
    pub by: String,
    /// Whether that route stands already.
    pub route_stands: bool,
    /// The people it reaches, where the operator said.
    pub people: Option<u64>,
}

/// A candidate and what winning it brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gain {
    /// Who.
    pub who: Candidate,
    /// Smallest units that would be covered in its category and are not.
    pub units: u32,
    /// The people reached: as the operator said, else those of these units, where known.
    pub people: Option<u64>,
}

/// Who brings most: where a bank's or a provider's route stands first, then by people, then by units.
pub fn rank(
    candidates: Vec<Candidate>,
    live: impl Fn(Category) -> Live,
    population: &Population,
) -> Vec<Gain> {
    let all = region::now().leaves(None);
    let mut known: Vec<(Category, HashSet<&'static str>)> = Vec::new();
    let mut gains = Vec::new();
    for who in candidates {
        let at = known.iter().position(|(category, _)| *category == who.category).unwrap_or_else(|| {
            let live = live(who.category);
            known.push((who.category, covered(&all, live.now.values().map(|(place, _)| *place))));
            known.len() - 1
        });
        let new: Vec<&str> =
            all.iter().copied().filter(|u| serves(who.place, u) && !known[at].1.contains(u)).collect();
        let whole = all.iter().filter(|u| serves(who.place, u)).count() == new.len();
        let counted =
            if whole { population.of(who.place) } else { new.iter().map(|u| population.of(u)).sum() };
        let people = who.people.or(counted);
        gains.push(Gain { units: count(new.len()), people, who });
    }
    gains.sort_by(|a, b| {
        let key = |gain: &Gain| (gain.who.route_stands, gain.people, gain.units);
        key(b).cmp(&key(a)).then_with(|| a.who.name.cmp(&b.who.name))
    });
    gains
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_secs(1_772_000_000 + day * 86_400)
    }

    fn who(n: u128, category: Category, place: &'static str) -> (BillerId, Institution) {
        let biller = BillerId::from_u128(n);
        (biller, Institution { biller, category, place })
    }

    fn span(n: u128, way: &str, opened: i64, closed: Option<i64>) -> Span {
        Span {
            biller: BillerId::from_u128(n),
            way: way.to_owned(),
            opened_at: at(opened),
            closed_at: closed.map(at),
        }
    }

    #[test]
    fn a_prefecture_covers_its_counties_and_a_province_all_below() {
        let all = BTreeMap::from([
            who(1, Category::Power, "330000"),
            who(2, Category::Water, "330100"),
            who(3, Category::Water, "330106"),
        ]);
        let spans = [
            span(1, "bank", 0, None),
            span(2, "file", 1, Some(5)),
            span(2, "file", 7, None),
            span(3, "direct", 2, None),
        ];
        let zhejiang = region::now().leaves(Some("330000")).len();
        let hangzhou = region::now().leaves(Some("330100")).len();
        for (category, way, day, region, covered, institutions, opened) in [
            (None, None, 0, "330000", zhejiang, 1, 1),
            (Some(Category::Water), None, 1, "330000", hangzhou, 1, 1),
            (Some(Category::Water), None, 6, "330000", 1, 1, 2),
            (Some(Category::Water), None, 8, "330100", hangzhou, 2, 2),
            (Some(Category::Water), Some("file"), 6, "330100", 0, 0, 1),
            (Some(Category::Gas), None, 8, "330000", 0, 0, 0),
            (None, None, 8, "340000", 0, 0, 0),
        ] {
            let live = live(&all, &spans, category, way, at(0), at(day));
            let row = rows(
                &[region::now().path(region).expect("a region").last().expect("it").0],
                &live,
                &Population::default(),
            )
            .remove(0);
            let found = (row.covered as usize, row.institutions, row.opened);
            assert_eq!(found, (covered, institutions, opened), "{category:?} {way:?} {day} {region}");
            assert_eq!(row.people, None, "nobody said how many live there");
        }
    }

    #[test]
    fn people_are_counted_only_where_they_are_known() {
        let population =
            Population::parse("code,people\n330106,1000\n# a comment\n330000,60000\n").expect("read");
        let units = region::now().leaves(None);
        let one = HashSet::from(["330106"]);
        assert_eq!(population.covered("330106", &units, &one), Some(1_000));
        assert_eq!(population.covered("330100", &units, &one), Some(1_000));
        assert_eq!((population.of("330000"), population.of("330100")), (Some(60_000), None));
        let all: HashSet<_> = units.iter().copied().collect();
        assert_eq!(population.covered("330000", &units, &all), Some(60_000));
        assert_eq!(population.covered("330100", &units, &all), None);
        for (text, line) in
            [("330106", 1), ("999999,1", 1), ("330106,x", 1), ("330106,1\n330106,2", 2), ("330106,-1", 1)]
        {
            assert_eq!(Population::parse(text).map_err(|(at, _)| at), Err(line), "{text}");
        }
    }

    #[test]
    fn every_level_lists_every_smallest_unit_once() {
        for level in [Level::Province, Level::Prefecture, Level::County] {
            for parent in [None, Some("310000"), Some("420000"), Some("330100")] {
                let found = regions(level, parent);
                let units: usize = found.iter().map(|code| region::now().leaves(Some(code)).len()).sum();
                let whole = region::now().leaves(parent).len();
                if level == Level::County || parent.is_none_or(|p| region::level(p) < level) {
                    assert_eq!(units, whole, "{level:?} {parent:?}");
                }
            }
        }
    }

    #[test]
    fn a_standing_route_comes_first_then_people_then_units() {
        let one = |name: &str, place, stands, people| Candidate {
            name: (name.to_owned(), name.to_owned()),
            pack: None,
            category: Category::Gas,
            place,
            by: "bank".to_owned(),
            route_stands: stands,
            people,
        };
        let candidates = vec![
            one("large", "330000", false, Some(9_000)),
            one("unknown", "340000", true, None),
            one("small", "330100", true, Some(100)),
        ];
        let gains = rank(candidates, |_| Live::default(), &Population::default());
        let names: Vec<_> = gains.iter().map(|gain| gain.who.name.0.as_str()).collect();
        assert_eq!(names, ["small", "unknown", "large"]);
        assert_eq!(gains[1].units as usize, region::now().leaves(Some("340000")).len());
    }
}
