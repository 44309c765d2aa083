//! The regions of China by their codes (GB/T 2260): what there is, what lies in what, and what stood when. Pure.
//!
//! The data is `packs/regions/`, with its source. Changes are known by year: the map of a year is how things stood at its
//! end. What the source does not know of a change (where a dissolved unit went) is not guessed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

const DIVISIONS: &str = include_str!("../../../packs/regions/divisions.csv");
const CHANGES: &str = include_str!("../../../packs/regions/changes.csv");
/// The names of provinces in English.
const ENGLISH: [(&str, &str); 34] = [
    ("11", "Beijing"),
    ("12", "Tianjin"),
    ("13", "Hebei"),
    ("14", "Shanxi"),
    ("15", "Inner Mongolia"),
    ("21", "Liaoning"),
    ("22", "Jilin"),
    ("23", "Heilongjiang"),
    ("31", "Shanghai"),
    ("32", "Jiangsu"),
    ("33", "Zhejiang"),
    ("34", "Anhui"),
    ("35", "Fujian"),
    ("36", "Jiangxi"),
    ("37", "Shandong"),
    ("41", "Henan"),
    ("42", "Hubei"),
    ("43", "Hunan"),
    ("44", "Guangdong"),
    ("45", "Guangxi"),
    ("46", "Hainan"),
    ("50", "Chongqing"),
    ("51", "Sichuan"),
    ("52", "Guizhou"),
    ("53", "Yunnan"),
    ("54", "Tibet"),
    ("61", "Shaanxi"),
    ("62", "Gansu"),
    ("63", "Qinghai"),
    ("64", "Ningxia"),
    ("65", "Xinjiang"),
    ("71", "Taiwan"),
    ("81", "Hong Kong"),
    ("82", "Macao"),
];

/// How large a region is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// A province, or what stands beside provinces.
    Province,
    /// A prefecture.
    Prefecture,
    /// A county, or what stands beside counties.
    County,
}

/// The level that a code is of.
pub fn level(code: &str) -> Level {
    match (code.get(2..4), code.get(4..6)) {
        (Some("00"), Some("00")) => Level::Province,
        (_, Some("00")) => Level::Prefecture,
        _ => Level::County,
    }
}

/// What became of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It is new.
    New,
    /// It was dissolved, and went into another where that is known.
    Dissolved,
    /// It has another name, code or rank: the new one takes its place.
    Became,
}

struct Change {
    year: u16,
    kind: Kind,
    old: Option<(&'static str, &'static str)>,
    new: Option<(&'static str, &'static str)>,
}

static NOW: LazyLock<Map> = LazyLock::new(|| {
    let units = DIVISIONS.lines().filter_map(|line| line.split_once(',')).collect();
    Map { units }
});

static CHANGED: LazyLock<Vec<Change>> = LazyLock::new(|| {
    let change = |line: &'static str| {
        let mut cells = line.split(',');
        let mut cell = || cells.next().unwrap_or_default();
        let year = cell().parse().ok()?;
        let kind = match cell() {
            "n" => Kind::New,
            "x" => Kind::Dissolved,
            _ => Kind::Became,
        };
        let mut unit = || Some((cell(), cell())).filter(|(code, _)| !code.is_empty());
        Some(Change { year, kind, old: unit(), new: unit() })
    };
    CHANGES.lines().filter_map(change).collect()
});

/// The regions as they stood at one time, names by code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    units: BTreeMap<&'static str, &'static str>,
}

/// The regions of today.
pub fn now() -> &'static Map {
    &NOW
}

/// The regions as they stood at the end of a year; from 1980 on.
pub fn at(year: u16) -> Map {
    let mut units = NOW.units.clone();
    let last = CHANGED.last().map_or(0, |change| change.year);
    for undone in (year.saturating_add(1)..=last).rev() {
        let of_year = || CHANGED.iter().filter(|change| change.year == undone);
        for change in of_year().filter(|change| change.kind != Kind::Dissolved) {
            change.new.map(|(code, _)| units.remove(code));
        }
        units.extend(of_year().filter_map(|change| change.old));
    }
    Map { units }
}

/// The codes under which what stood at the end of a year stands today: none where the source does not say.
pub fn successors(code: &str, year: u16) -> BTreeSet<&'static str> {
    let old = at(year);
    let Some((code, _)) = old.units.get_key_value(code) else { return BTreeSet::new() };
    follow(BTreeSet::from([*code]), year)
}

fn follow(mut codes: BTreeSet<&'static str>, year: u16) -> BTreeSet<&'static str> {
    let mut changes = CHANGED.iter().filter(|change| change.year > year).peekable();
    while let Some(of) = changes.peek().map(|change| change.year) {
        let mut became: HashMap<&str, Vec<Option<&'static str>>> = HashMap::new();
        while let Some(change) = changes.next_if(|change| change.year == of) {
            if let Some((old, _)) = change.old {
                became.entry(old).or_default().push(change.new.map(|(new, _)| new));
            }
        }
        let next = |code: &'static str| became.get(code).cloned().unwrap_or_else(|| vec![Some(code)]);
        codes = codes.into_iter().flat_map(next).flatten().collect();
    }
    codes.retain(|code| NOW.units.contains_key(code));
    codes
}

/// Where a region of today lay at the end of a year: the codes that stood then and became it.
pub fn predecessors(code: &str, year: u16) -> BTreeSet<&'static str> {
    let old = at(year);
    let wanted = level(code);
    let candidates = old.units.keys().copied().filter(|unit| level(unit) == wanted);
    candidates.filter(|unit| follow(BTreeSet::from([*unit]), year).contains(code)).collect()
}

/// A code and what it lay in, largest first, as it stood at the end of a year; nothing where it did not stand.
pub fn resolve(code: &str, year: u16) -> Option<Vec<(&'static str, &'static str)>> {
    at(year).path(code)
}

impl Map {
    /// The name of a region.
    pub fn name(&self, code: &str) -> Option<&'static str> {
        self.units.get(code).copied()
    }

    /// Whether there is such a region.
    pub fn has(&self, code: &str) -> bool {
        self.units.contains_key(code)
    }

    /// What a region lies in: its prefecture, or the province where it lies in none.
    pub fn parent(&self, code: &str) -> Option<&'static str> {
        let get = |code: String| self.units.get_key_value(code.as_str()).map(|(code, _)| *code);
        match level(code) {
            Level::Province => None,
            Level::Prefecture => get(format!("{}0000", code.get(..2)?)),
            Level::County => {
                get(format!("{}00", code.get(..4)?)).or_else(|| get(format!("{}0000", code.get(..2)?)))
            }
        }
    }

    /// A region and what it lies in, largest first.
    pub fn path(&self, code: &str) -> Option<Vec<(&'static str, &'static str)>> {
        let (own, name) = self.units.get_key_value(code)?;
        let mut path = vec![(*own, *name)];
        let mut above = self.parent(code);
        while let Some(code) = above {
            path.push((code, self.units[code]));
            above = self.parent(code);
        }
        path.reverse();
        Some(path)
    }

    /// Every region with its name, by code.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
        self.units.iter().map(|(code, name)| (*code, *name))
    }

    /// What lies right below a region; the provinces below none.
    pub fn below(&self, code: Option<&str>) -> Vec<&'static str> {
        let lies = |unit: &&&str| self.parent(unit) == code;
        self.units.keys().filter(lies).copied().collect()
    }

    /// The smallest units within a region (all where there is none): counties, and what the source knows no counties of.
    pub fn leaves(&self, within: Option<&str>) -> Vec<&'static str> {
        let prefix = within.map_or("", stem);
        let inside = self.units.keys().copied().filter(|unit| unit.starts_with(prefix));
        let inside: Vec<&str> = inside.collect();
        let has_below = |code: &str| {
            let stem = stem(code);
            level(code) != Level::County && inside.iter().any(|unit| *unit != code && unit.starts_with(stem))
        };
        inside.iter().copied().filter(|code| !has_below(code)).collect()
    }
}

/// The region of today that a code stands for: itself, or the municipality whose own districts it means (`310100`).
pub fn place(code: &str) -> Option<&'static str> {
    let found = NOW.units.get_key_value(code).map(|(code, _)| *code);
    found.or_else(|| {
        let whole = code.get(..2).filter(|_| ["0100", "0200"].contains(&code.get(2..).unwrap_or("")))?;
        let province = *NOW.units.get_key_value(format!("{whole}0000").as_str())?.0;
        let parts = NOW.below(Some(province));
        (!parts.is_empty() && parts.iter().all(|part| level(part) == Level::County)).then_some(province)
    })
}

/// What the codes within a region begin with.
pub fn stem(code: &str) -> &str {
    match level(code) {
        Level::Province => &code[..2],
        Level::Prefecture => &code[..4],
        Level::County => code,
    }
}

/// The English name of a province by any code within it.
pub fn english(code: &str) -> Option<&'static str> {
    ENGLISH.iter().find(|(province, _)| code.starts_with(province)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(code: &str, year: u16) -> String {
        resolve(code, year).map_or_else(String::new, |path| path.iter().map(|(_, name)| *name).collect())
    }

    #[test]
    fn as_many_as_the_list_of_civil_affairs_has() {
        let count = |level_of: Level| now().all().filter(|(code, _)| level(code) == level_of).count();
        assert_eq!(
            (count(Level::Province), count(Level::Prefecture), count(Level::County)),
            (34, 333, 2_847)
        );
        assert!(now().all().all(|(code, _)| english(code).is_some()));
        assert_eq!(now().below(None).len(), 34);
        assert_eq!(now().below(Some("330000")).len(), 11);
        // Without counties in the source: four prefectures, and Taiwan, Hong Kong, Macao.
        let bare: Vec<_> =
            now().leaves(None).into_iter().filter(|code| level(code) != Level::County).collect();
        assert_eq!(bare.len() + 2_847, now().leaves(None).len());
        assert!(["441900", "442000", "710000", "810000", "820000"].iter().all(|code| bare.contains(code)));
    }

    #[test]
    fn a_figure_stands_on_the_map_of_its_year() {
        for (code, year, path) in [
            ("371202", 2012, "山东省莱芜市莱城区"),
            ("371202", 2019, ""),
            ("370116", 2019, "山东省济南市莱芜区"),
            ("370116", 2012, ""),
            ("341402", 2010, "安徽省巢湖市居巢区"),
            ("340181", 2011, "安徽省合肥市巢湖市"),
            ("420600", 2009, "湖北省襄樊市"),
            ("420600", 2010, "湖北省襄阳市"),
            ("330184", 2000, "浙江省杭州市余杭市"),
            ("330110", 2001, "浙江省杭州市余杭区"),
            ("330113", 2020, ""),
            ("330113", 2021, "浙江省杭州市临平区"),
            ("429004", 2012, "湖北省仙桃市"),
        ] {
            assert_eq!(names(code, year), path, "{code} {year}");
        }
    }

    #[test]
    fn the_districts_of_a_municipality_are_the_municipality() {
        for (code, stands_for) in [
            ("310100", Some("310000")),
            ("330100", Some("330100")),
            ("330106", Some("330106")),
            ("500200", Some("500000")),
            ("331500", None),
            ("710100", None),
            ("99", None),
            ("", None),
        ] {
            assert_eq!(place(code), stands_for, "{code}");
        }
    }

    #[test]
    fn what_stood_then_is_found_today() {
        for (code, year, today) in [
            ("371202", 2012, vec!["370116"]),
            ("371200", 2012, vec!["370116"]),
            ("341402", 2010, vec!["340181"]),
            ("420600", 2009, vec!["420600"]),
            ("330184", 2000, vec!["330110"]),
            ("330125", 1993, vec!["330110"]),
            ("330103", 2020, vec!["330105"]),
            ("542300", 2013, vec!["540200"]),
            ("999999", 2012, vec![]),
        ] {
            assert_eq!(successors(code, year).into_iter().collect::<Vec<_>>(), today, "{code} {year}");
        }
        assert!(predecessors("370116", 2012).contains("371202"));
        assert!(predecessors("330105", 2020).contains("330103"));
    }
}
