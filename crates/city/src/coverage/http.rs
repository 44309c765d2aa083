//! The routes of the coverage slice.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::rules::{Gain, Row};
use super::{CoverageError, Filter, Inequality, Measure, Month, Works};
use crate::City;
use crate::bill::pack::Name;
use crate::bill::{BillerFilter, Category};
use crate::http::{Answer, Json, Problem, Query};
use crate::identity::Operator;
use crate::region::{self, Level};

/// Every route of the coverage slice.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(read_coverage))
        .routes(routes!(coverage_csv))
        .routes(routes!(coverage_history))
        .routes(routes!(coverage_next))
        .routes(routes!(coverage_inequality))
        .routes(routes!(read_status))
}

/// How large the regions are.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "snake_case")]
enum LevelName {
    /// Provinces.
    #[default]
    Province,
    /// Prefectures, and counties that stand beside them.
    Prefecture,
    /// Counties.
    County,
}

impl From<LevelName> for Level {
    fn from(name: LevelName) -> Level {
        match name {
            LevelName::Province => Level::Province,
            LevelName::Prefecture => Level::Prefecture,
            LevelName::County => Level::County,
        }
    }
}

/// What is looked at.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Look {
    /// Regions of this size; provinces when absent.
    #[serde(default)]
    #[param(inline)]
    level: LevelName,
    /// Within this region, six digits.
    parent: Option<String>,
    /// By billers of this category.
    category: Option<Category>,
    /// By this kind of way: `file`, `direct`, `bank` or `provider`.
    way: Option<String>,
    /// At the end of this month, `2026-03`; now when absent.
    month: Option<String>,
}

impl Look {
    fn filter(&self) -> Filter {
        Filter { parent: self.parent.clone(), category: self.category, way: self.way.clone() }
    }

    fn month(&self) -> Result<Option<Month>, CoverageError> {
        let month =
            |text: &str| Month::parse(text).ok_or(CoverageError::Malformed("month", "a month, 2026-03"));
        self.month.as_deref().map(month).transpose()
    }
}

/// A region and how much of it is covered.
#[derive(Debug, Serialize, ToSchema)]
struct RegionAnswer {
    /// GB/T 2260; empty for the whole country.
    #[schema(example = "330100")]
    code: &'static str,
    /// Chinese.
    #[schema(example = "杭州市")]
    name: &'static str,
    /// English, of provinces only.
    #[serde(skip_serializing_if = "Option::is_none")]
    name_en: Option<&'static str>,
    /// Whether there are smaller ones within.
    divided: bool,
    /// Its smallest units: counties, and what has none.
    #[schema(example = 13)]
    units: u32,
    /// Those of them in which somebody is live.
    #[schema(example = 13)]
    covered: u32,
    /// `covered` by `units`, basis points, rounded down.
    #[schema(example = 10_000)]
    covered_bps: u32,
    /// Its people, where the operator gave them.
    #[serde(skip_serializing_if = "Option::is_none")]
    people: Option<u64>,
    /// Those of them in covered units, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    people_covered: Option<u64>,
    /// Billers that are live there.
    #[schema(example = 4)]
    institutions: u32,
    /// Billers that became live within the month, for the first time.
    #[schema(example = 1)]
    opened: u32,
    /// Since when anybody who is live now has been.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
}

impl RegionAnswer {
    fn of(row: &Row) -> RegionAnswer {
        let province = region::level(row.code) == Level::Province;
        RegionAnswer {
            code: row.code,
            name: region::now().name(row.code).unwrap_or_default(),
            name_en: region::english(row.code).filter(|_| province),
            divided: row.code.is_empty() || !region::now().below(Some(row.code)).is_empty(),
            units: row.units,
            covered: row.covered,
            covered_bps: u32::try_from(u64::from(row.covered) * 10_000 / u64::from(row.units.max(1)))
                .unwrap_or(10_000),
            people: row.people,
            people_covered: row.people_covered.filter(|_| row.people.is_some()),
            institutions: row.institutions,
            opened: row.opened,
            since: row.since,
        }
    }
}

/// The regions of a level.
#[derive(Debug, Serialize, ToSchema)]
struct CoverageAnswer {
    /// Where they lie, largest first; empty for the whole country.
    path: Vec<RegionName>,
    items: Vec<RegionAnswer>,
}

/// A region.
#[derive(Debug, Serialize, ToSchema)]
struct RegionName {
    #[schema(example = "330000")]
    code: &'static str,
    #[schema(example = "浙江省")]
    name: &'static str,
    /// Of provinces only.
    #[serde(skip_serializing_if = "Option::is_none")]
    name_en: Option<&'static str>,
}

fn path(parent: Option<&str>) -> Vec<RegionName> {
    let path = parent.and_then(region::place).and_then(|code| region::now().path(code)).unwrap_or_default();
    let name = |(code, name): (&'static str, &'static str)| {
        let name_en = region::english(code).filter(|_| region::level(code) == Level::Province);
        RegionName { code, name, name_en }
    };
    path.into_iter().map(name).collect()
}

/// Read how much of each region is covered
///
/// A region's smallest unit is covered when a biller that serves it is live: its last probe or payment was answered, or its
/// last file was taken in less than 45 days ago. People are shown only where the operator gave them.
#[utoipa::path(get, path = "/v1/operator/coverage", tag = "operator", security(("bearer" = [])), params(Look),
    responses((status = 200, body = CoverageAnswer), (status = "default", body = Problem)))]
async fn read_coverage(
    State(city): State<City>,
    by: Operator,
    Query(look): Query<Look>,
) -> Answer<Json<CoverageAnswer>> {
    let rows = super::coverage(&city, &by, look.level.into(), &look.filter(), look.month()?).await?;
    let items = rows.iter().map(RegionAnswer::of).collect();
    Ok(Json(CoverageAnswer { path: path(look.parent.as_deref()), items }))
}

/// Take the same as CSV
///
/// UTF-8 with a byte order mark; empty where a number is not known.
#[utoipa::path(get, path = "/v1/operator/coverage.csv", tag = "operator", security(("bearer" = [])), params(Look),
    responses((status = 200, content_type = "text/csv", body = String), (status = "default", body = Problem)))]
async fn coverage_csv(State(city): State<City>, by: Operator, Query(look): Query<Look>) -> Answer<Response> {
    let rows = super::coverage(&city, &by, look.level.into(), &look.filter(), look.month()?).await?;
    let mut csv =
        "\u{feff}code,name,units,covered,people,people_covered,institutions,opened,since\r\n".to_owned();
    let or_empty = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    for row in rows.iter().map(RegionAnswer::of) {
        // Names of regions have no comma and no quote.
        let since = row.since.map(|at| at.to_string()).unwrap_or_default();
        let (people, covered) = (or_empty(row.people), or_empty(row.people_covered));
        let _ = write!(
            csv,
            "{},{},{},{},{people},{covered},{},{},{since}\r\n",
            row.code, row.name, row.units, row.covered, row.institutions, row.opened
        );
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"coverage.csv\""),
    ];
    Ok((headers, csv).into_response())
}

/// A month of a region.
#[derive(Debug, Serialize, ToSchema)]
struct CoverageMonthAnswer {
    #[schema(example = "2026-03")]
    month: String,
    #[serde(flatten)]
    region: RegionAnswer,
}

/// The months, oldest first.
#[derive(Debug, Serialize, ToSchema)]
struct CoverageHistoryAnswer {
    items: Vec<CoverageMonthAnswer>,
}

/// Read how a region stood at the end of each month
///
/// From the first month in which any biller was live, at most 120; `parent` names the region, else it is the whole.
#[utoipa::path(get, path = "/v1/operator/coverage/history", tag = "operator", security(("bearer" = [])), params(Look),
    responses((status = 200, body = CoverageHistoryAnswer), (status = "default", body = Problem)))]
async fn coverage_history(
    State(city): State<City>,
    by: Operator,
    Query(look): Query<Look>,
) -> Answer<Json<CoverageHistoryAnswer>> {
    let months = super::history(&city, &by, &look.filter()).await?;
    let one = |(month, row): &(Month, Row)| CoverageMonthAnswer {
        month: month.to_string(),
        region: RegionAnswer::of(row),
    };
    Ok(Json(CoverageHistoryAnswer { items: months.iter().map(one).collect() }))
}

/// An institution that is not live, and what winning it brings.
#[derive(Debug, Serialize, ToSchema)]
struct GainAnswer {
    name: Name,
    /// Its pack, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pack: Option<String>,
    category: Category,
    /// The region that it serves.
    #[schema(example = "330100")]
    region: &'static str,
    #[schema(example = "杭州市")]
    region_name: &'static str,
    /// By which way it could come: `bank`, `provider`, `direct` or `file`.
    #[schema(example = "bank")]
    by: String,
    /// Whether the bank's or provider's route that carries it stands already.
    route_stands: bool,
    /// Smallest units that would be covered in its category and are not.
    #[schema(example = 13)]
    units: u32,
    /// The people it reaches, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    people: Option<u64>,
}

/// Who to win next.
#[derive(Debug, Serialize, ToSchema)]
struct NextAnswer {
    items: Vec<GainAnswer>,
}

/// Rank the institutions to win next
///
/// Packs that are not live and the operator's prospects (`prospects.csv` in the data directory). First those that a bank's or
/// provider's standing route carries, then by people reached, then by units covered. The first 200.
#[utoipa::path(get, path = "/v1/operator/coverage/next", tag = "operator", security(("bearer" = [])), params(Look),
    responses((status = 200, body = NextAnswer), (status = "default", body = Problem)))]
async fn coverage_next(
    State(city): State<City>,
    by: Operator,
    Query(look): Query<Look>,
) -> Answer<Json<NextAnswer>> {
    let gains = super::next(&city, &by, &look.filter()).await?;
    let one = |Gain { who, units, people }: Gain| GainAnswer {
        name: Name { zh: who.name.0, en: who.name.1 },
        pack: who.pack,
        category: who.category,
        region: who.place,
        region_name: region::now().name(who.place).unwrap_or_default(),
        by: who.by,
        route_stands: who.route_stands,
        units,
        people,
    };
    Ok(Json(NextAnswer { items: gains.into_iter().take(200).map(one).collect() }))
}

/// What regions are compared by.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MeasureName {
    /// Bills paid for every thousand people, regions without known people left out.
    #[serde(rename = "payments_per_1000")]
    PaymentsPer1000,
    /// Bills paid.
    #[default]
    Payments,
    /// The share of smallest units covered.
    Covered,
}

/// What is compared.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Compared {
    /// Regions of this size; provinces when absent.
    #[serde(default)]
    #[param(inline)]
    level: LevelName,
    /// Within this region, six digits.
    parent: Option<String>,
    /// By billers of this category.
    category: Option<Category>,
    /// `covered` only: by this kind of way.
    way: Option<String>,
    /// By what; `payments` when absent.
    #[serde(default)]
    #[param(inline)]
    measure: MeasureName,
}

/// A month.
#[derive(Debug, Serialize, ToSchema)]
struct UnequalMonth {
    #[schema(example = "2026-03")]
    month: String,
    #[serde(flatten)]
    inequality: Inequality,
}

/// The months, oldest first.
#[derive(Debug, Serialize, ToSchema)]
struct UnequalAnswer {
    items: Vec<UnequalMonth>,
}

/// Read how unequal regions are, by month
///
/// Best to worst, p90 to p10 (thousandths), Gini and Theil (millionths), from bills really paid. Each region counts as one. A
/// payment counts where its biller serves; of a biller that serves more than one of the regions, in none.
#[utoipa::path(get, path = "/v1/operator/coverage/inequality", tag = "operator", security(("bearer" = [])),
    params(Compared), responses((status = 200, body = UnequalAnswer), (status = "default", body = Problem)))]
async fn coverage_inequality(
    State(city): State<City>,
    by: Operator,
    Query(compared): Query<Compared>,
) -> Answer<Json<UnequalAnswer>> {
    let measure = match compared.measure {
        MeasureName::PaymentsPer1000 => Measure::PaymentsPer1000,
        MeasureName::Payments => Measure::Payments,
        MeasureName::Covered => Measure::Covered,
    };
    let filter = Filter { parent: compared.parent, category: compared.category, way: compared.way };
    let months = super::unequal(&city, &by, compared.level.into(), &filter, measure).await?;
    let one =
        |(month, inequality): (Month, Inequality)| UnequalMonth { month: month.to_string(), inequality };
    Ok(Json(UnequalAnswer { items: months.into_iter().map(one).collect() }))
}

/// Which billers.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct StatusLook {
    /// Those whose region begins so.
    region: Option<String>,
    /// Those who bill this.
    category: Option<Category>,
    /// Those in this state.
    state: Option<StateName>,
    /// `next` of the page before; absent for the first.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// How a biller is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StateName {
    /// It can be paid.
    Works,
    /// It could be paid, and cannot now.
    Down,
    /// It never could be paid here.
    NotYet,
}

/// A way to a biller.
#[derive(Debug, Serialize, ToSchema)]
struct WayStateAnswer {
    /// `file`, `direct`, `bank` or `provider`.
    #[schema(example = "bank")]
    way: String,
    live: bool,
    /// Since when it is so.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

/// A biller and how it is.
#[derive(Debug, Serialize, ToSchema)]
struct StatusRow {
    /// The pack's own name.
    #[schema(example = "hz-power")]
    pack: String,
    name: Name,
    category: Category,
    #[schema(example = "330100")]
    region: String,
    /// Chinese.
    #[schema(example = "杭州市")]
    region_name: &'static str,
    state: StateName,
    /// Since when it is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    ways: Vec<WayStateAnswer>,
}

/// What works where.
#[derive(Debug, Serialize, ToSchema)]
struct StatusAnswer {
    /// When this was read.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Of all that were asked for: how many work.
    works: u32,
    /// How many are down.
    down: u32,
    items: Vec<StatusRow>,
    /// For the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Read what works where
///
/// For everybody, without a key: which billers can be paid now, which are down, and since when. By region and pack.
#[utoipa::path(get, path = "/v1/status", tag = "bill", params(StatusLook),
    responses((status = 200, body = StatusAnswer), (status = "default", body = Problem)))]
async fn read_status(State(city): State<City>, Query(look): Query<StatusLook>) -> Answer<Json<StatusAnswer>> {
    let filter = BillerFilter { region: look.region, category: look.category, text: None };
    let found = super::status(&city, &filter).await?;
    let number = |works: Works| {
        u32::try_from(found.iter().filter(|one| one.works == works).count()).unwrap_or(u32::MAX)
    };
    let (works, down) = (number(Works::Yes), number(Works::Down));
    let after = look.cursor.as_deref().and_then(|cursor| cursor.split_once('/'));
    let limit = look.limit.unwrap_or(50).clamp(1, 200) as usize;
    let mut items: Vec<StatusRow> = found
        .into_iter()
        .map(|one| StatusRow {
            pack: one.pack.spec.id.clone(),
            name: one.pack.spec.name.clone(),
            category: one.pack.spec.category,
            region: one.pack.spec.region.clone(),
            region_name: region::place(&one.pack.spec.region)
                .and_then(|code| region::now().name(code))
                .unwrap_or_default(),
            state: match one.works {
                Works::Yes => StateName::Works,
                Works::Down => StateName::Down,
                Works::NotYet => StateName::NotYet,
            },
            since: one.since,
            ways: one
                .ways
                .into_iter()
                .map(|(way, live, since)| WayStateAnswer { way, live, since })
                .collect(),
        })
        .filter(|row| look.state.is_none_or(|state| row.state == state))
        .filter(|row| after.is_none_or(|after| (row.region.as_str(), row.pack.as_str()) > after))
        .take(limit + 1)
        .collect();
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| format!("{}/{}", last.region, last.pack));
    Ok(Json(StatusAnswer { at: city.now(), works, down, items, next }))
}
