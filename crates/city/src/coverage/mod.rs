//! Coverage: in which regions which bills can be paid, by which way, since when; who to win next; how unequal regions are.
//!
//! A way to a biller is *live* when the last probe or payment that went it was answered, or, where bills come by file,
//! when a file was taken in within [`FILE_DAYS`] days. Every node writes down what it finds ([`observe`]), the newer
//! word counts, and each change opens or closes a span: what was live in any month can be told later.
//!
//! Invariants:
//! - Nothing here is asked on the way of a payment, and no money follows from it.
//! - What is not known is not shown: shares of people only where the operator gave the people.
//! - A payment is counted once: with the watermark of the feed, in one transaction, whichever node counts.

mod error;
pub mod http;
pub mod inequality;
pub mod rules;
mod store;
mod work;

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use kernel::ids::BillerId;
use kernel::{Date, Timestamp};

pub use error::CoverageError;
pub use inequality::Inequality;
pub use work::{count, observe, start};

use self::rules::{Candidate, Gain, Institution, Population, Row, Span};
use crate::bill::{self, BillerFilter, Category};
use crate::identity::{Operator, Role};
use crate::region::{self, Level};
use crate::{City, Fault};

/// A biller's files are live when one was taken in so lately.
pub const FILE_DAYS: u64 = 45;

/// What the coverage slice keeps in memory.
#[derive(Default)]
pub struct State {
    given: OnceLock<Given>,
}

/// What the operator gave, read once.
#[derive(Default)]
struct Given {
    population: Population,
    prospects: Vec<Candidate>,
}

/// Reads `regions-population.csv` and `prospects.csv` of the data directory, where they are. What cannot be read is left
/// out as a whole, and said.
pub async fn load(city: &City) {
    let read = async |name: &str| tokio::fs::read_to_string(city.settings.data_dir.join(name)).await.ok();
    let mut given = Given::default();
    let broken =
        |file: &str, line: usize, why: &str| tracing::error!(file, line, why, "a file cannot be read");
    if let Some(text) = read("regions-population.csv").await {
        match Population::parse(&text) {
            Ok(population) => given.population = population,
            Err((line, why)) => broken("regions-population.csv", line, why),
        }
    }
    if let Some(text) = read("prospects.csv").await {
        match rules::prospects(&text) {
            Ok(prospects) => given.prospects = prospects,
            Err((line, why)) => broken("prospects.csv", line, why),
        }
    }
    drop(city.coverage.given.set(given));
}

fn given(city: &City) -> &Given {
    city.coverage.given.get_or_init(Given::default)
}

/// A month, `2026-03`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i32,
    month: u32,
}

impl Month {
    /// Reads `2026-03`.
    pub fn parse(text: &str) -> Option<Month> {
        let (year, month) = text.split_once('-').filter(|(y, m)| y.len() == 4 && m.len() == 2)?;
        let first: Date = format!("{year}-{month}-01").parse().ok()?;
        (first.to_string() == format!("{text}-01")).then(|| Month::of(first))
    }

    /// The month of a day.
    pub fn of(day: Date) -> Month {
        Month { year: i32::from(day.year()), month: u32::try_from(day.month()).unwrap_or(1) }
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Month {
        if self.month == 12 {
            Month { year: self.year + 1, month: 1 }
        } else {
            Month { year: self.year, month: self.month + 1 }
        }
    }

    /// As it is kept: 202603.
    fn number(self) -> u32 {
        u32::try_from(self.year).unwrap_or(0) * 100 + self.month
    }

    /// When it begins in the city.
    fn start(self, city: &City) -> Timestamp {
        let first: Date = format!("{self}-01").parse().unwrap_or(Date::constant(1970, 1, 1));
        Timestamp::start_of(first, city.settings.offset)
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// What is looked at.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Within this region.
    pub parent: Option<String>,
    /// By who bills this.
    pub category: Option<Category>,
    /// By this kind of way.
    pub way: Option<String>,
}

impl Filter {
    fn parent(&self) -> Result<Option<&'static str>, CoverageError> {
        let place = |code: &str| {
            region::place(code).ok_or(CoverageError::Malformed("parent", "the code of a region of today"))
        };
        self.parent.as_deref().map(place).transpose()
    }

    fn way(&self) -> Result<Option<&str>, CoverageError> {
        match self.way.as_deref() {
            Some(way) if !rules::WAYS.contains(&way) => {
                Err(CoverageError::Malformed("way", "file, direct, bank or provider"))
            }
            way => Ok(way),
        }
    }
}

/// Everything that the views are made of, read at once.
struct Known {
    institutions: BTreeMap<BillerId, Institution>,
    spans: Vec<Span>,
}

async fn institutions(city: &City) -> Result<BTreeMap<BillerId, Institution>, Fault> {
    let packs = bill::billers(city, &BillerFilter::default()).await;
    let packs = packs.map_err(|why| Fault::Books(format!("billers: {why}")))?;
    let one = |pack: &std::sync::Arc<bill::Pack>| {
        let place = region::place(&pack.spec.region)?;
        let (biller, category) = (pack.biller, pack.spec.category);
        Some((biller, Institution { biller, category, place }))
    };
    Ok(packs.iter().filter_map(one).collect())
}

async fn known(city: &City) -> Result<Known, CoverageError> {
    let institutions = institutions(city).await?;
    let mut conn = city.store.read().await?;
    Ok(Known { institutions, spans: store::spans(&mut conn).await? })
}

/// How much of each region of a level is covered, at the end of a month or now.
pub async fn coverage(
    city: &City,
    by: &Operator,
    level: Level,
    filter: &Filter,
    month: Option<Month>,
) -> Result<Vec<Row>, CoverageError> {
    by.role.require(Role::Viewer)?;
    let (parent, way, now) = (filter.parent()?, filter.way()?, city.now());
    let month_now = Month::of(now.date(city.settings.offset));
    let month = month.unwrap_or(month_now);
    let from = month.start(city);
    let until = if month >= month_now { now } else { last_of(month, city) };
    let known = known(city).await?;
    let live = rules::live(&known.institutions, &known.spans, filter.category, way, from, until);
    Ok(rules::rows(&rules::regions(level, parent), &live, &given(city).population))
}

/// The last instant of a month.
fn last_of(month: Month, city: &City) -> Timestamp {
    month.next().start(city).minus(std::time::Duration::from_millis(1))
}

/// The months from the first that anything was live, at most so many.
const MONTHS_MAX: usize = 120;

fn months(city: &City, first: Option<Month>) -> Vec<Month> {
    let last = Month::of(city.now().date(city.settings.offset));
    let mut all: Vec<Month> =
        std::iter::successors(first, |m| Some(m.next())).take_while(|m| *m <= last).collect();
    all.drain(..all.len().saturating_sub(MONTHS_MAX));
    all
}

/// How a region stood at the end of each month since anything was live, oldest first. The whole where none is named.
pub async fn history(
    city: &City,
    by: &Operator,
    filter: &Filter,
) -> Result<Vec<(Month, Row)>, CoverageError> {
    by.role.require(Role::Viewer)?;
    let (parent, way, now) = (filter.parent()?, filter.way()?, city.now());
    let known = known(city).await?;
    let first = known.spans.first().map(|span| Month::of(span.opened_at.date(city.settings.offset)));
    let mut found = Vec::new();
    for month in months(city, first) {
        let until = last_of(month, city).min(now);
        let live =
            rules::live(&known.institutions, &known.spans, filter.category, way, month.start(city), until);
        found.push((month, rules::whole(parent, &live, &given(city).population)));
    }
    Ok(found)
}

/// Who to win next, the most worthwhile first: packs that are not live, and the operator's prospects.
pub async fn next(city: &City, by: &Operator, filter: &Filter) -> Result<Vec<Gain>, CoverageError> {
    by.role.require(Role::Viewer)?;
    let (parent, now) = (filter.parent()?, city.now());
    let known = known(city).await?;
    let live =
        |category: Option<Category>| rules::live(&known.institutions, &known.spans, category, None, now, now);
    let anybody = live(None);
    let packs = bill::billers(city, &BillerFilter::default()).await;
    let packs = packs.map_err(|why| Fault::Books(format!("billers: {why}")))?;
    let mut candidates: Vec<Candidate> = packs
        .iter()
        .filter(|pack| !anybody.now.contains_key(&pack.biller))
        .filter_map(|pack| {
            let ways: Vec<&str> = pack.spec.channels.iter().map(|channel| channel.way().name()).collect();
            let by = ["bank", "provider", "direct"].into_iter().find(|way| ways.contains(way));
            let by = by.unwrap_or("file");
            // A route stands where this installation has opened one: a bank's line, a provider's connection.
            let stands = ["bank", "provider"].contains(&by)
                && bill::ways(city, pack.biller).iter().any(|lane| lane.way.name() == by);
            Some(Candidate {
                name: (pack.spec.name.zh.clone(), pack.spec.name.en.clone()),
                pack: Some(pack.spec.id.clone()),
                category: pack.spec.category,
                place: region::place(&pack.spec.region)?,
                by: by.to_owned(),
                route_stands: stands,
                people: None,
            })
        })
        .collect();
    candidates.extend(given(city).prospects.iter().cloned());
    candidates.retain(|who| {
        filter.category.is_none_or(|category| who.category == category)
            && parent.is_none_or(|parent| {
                rules::serves(parent, region::stem(who.place))
                    || rules::serves(who.place, region::stem(parent))
            })
    });
    Ok(rules::rank(candidates, |category| live(Some(category)), &given(city).population))
}

/// What regions are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Bills paid for every thousand people; regions whose people are not known are left out.
    PaymentsPer1000,
    /// Bills paid.
    Payments,
    /// The share of smallest units covered.
    Covered,
}

/// How unequal regions were each month, by what was really used; oldest first.
pub async fn unequal(
    city: &City,
    by: &Operator,
    level: Level,
    filter: &Filter,
    measure: Measure,
) -> Result<Vec<(Month, Inequality)>, CoverageError> {
    by.role.require(Role::Viewer)?;
    let (parent, way, now) = (filter.parent()?, filter.way()?, city.now());
    let known = known(city).await?;
    let mut conn = city.store.read().await?;
    let uses = store::uses(&mut conn).await?;
    drop(conn);
    let regions = rules::regions(level, parent);
    let population = &given(city).population;
    let first_use = uses.iter().map(|(_, month, _)| *month).min().and_then(Month::of_number);
    let first_live = known.spans.first().map(|span| Month::of(span.opened_at.date(city.settings.offset)));
    let first = match measure {
        Measure::Covered => first_live,
        _ => first_use,
    };
    let mut found = Vec::new();
    for month in months(city, first) {
        let values: Vec<u64> = if measure == Measure::Covered {
            let until = last_of(month, city).min(now);
            let live = rules::live(&known.institutions, &known.spans, filter.category, way, until, until);
            let rows = rules::rows(&regions, &live, population);
            rows.iter().map(|row| u64::from(row.covered) * 1_000_000 / u64::from(row.units.max(1))).collect()
        } else {
            let paid = uses.iter().filter(|(_, of, _)| *of == month.number()).filter_map(|(biller, _, n)| {
                let who = known.institutions.get(biller)?;
                let wanted = filter.category.is_none_or(|category| who.category == category);
                wanted.then_some((who.place, *n))
            });
            let paid: Vec<(&str, u64)> = paid.collect();
            rules::used(&regions, &paid, (measure == Measure::PaymentsPer1000).then_some(population))
        };
        found.extend(inequality::inequality(&values).map(|inequality| (month, inequality)));
    }
    Ok(found)
}

impl Month {
    fn of_number(number: u32) -> Option<Month> {
        Month::parse(&format!("{:04}-{:02}", number / 100, number % 100))
    }
}

/// How a biller is, for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Works {
    /// By a way at least.
    Yes,
    /// It did, and does not now.
    Down,
    /// It never did.
    NotYet,
}

/// A biller and how it is.
#[derive(Clone, Debug)]
pub struct Status {
    /// Its pack.
    pub pack: std::sync::Arc<bill::Pack>,
    /// How it is.
    pub works: Works,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Its ways, live or not, and since when.
    pub ways: Vec<(String, bool, Timestamp)>,
}

/// What works where. For everybody.
pub async fn status(city: &City, filter: &BillerFilter) -> Result<Vec<Status>, CoverageError> {
    let packs = bill::billers(city, filter).await;
    let packs = packs.map_err(|why| Fault::Books(format!("billers: {why}")))?;
    let mut conn = city.store.read().await?;
    let (states, spans) = (store::ways(&mut conn).await?, store::spans(&mut conn).await?);
    drop(conn);
    let mut ways: HashMap<BillerId, Vec<(String, bool, Timestamp)>> = HashMap::new();
    for state in states {
        let own = || spans.iter().filter(|s| s.biller == state.biller && s.way == state.way);
        let since = if state.live {
            own().filter(|span| span.closed_at.is_none()).map(|span| span.opened_at).max()
        } else {
            own().filter_map(|span| span.closed_at).max()
        };
        // A way that never was live is none yet.
        if let Some(since) = since {
            ways.entry(state.biller).or_default().push((state.way, state.live, since));
        }
    }
    let one = |pack: std::sync::Arc<bill::Pack>| {
        let mut ways = ways.remove(&pack.biller).unwrap_or_default();
        ways.sort();
        let (works, since) = match (ways.iter().any(|way| way.1), ways.is_empty()) {
            (true, _) => (Works::Yes, ways.iter().filter(|way| way.1).map(|way| way.2).min()),
            (false, false) => (Works::Down, ways.iter().map(|way| way.2).max()),
            (false, true) => (Works::NotYet, None),
        };
        Status { pack, works, since, ways }
    };
    Ok(packs.into_iter().map(one).collect())
}
