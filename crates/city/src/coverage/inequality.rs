//! How unequal some regions are: best to worst, p90 to p10, Gini, Theil. Pure, in integers.
//!
//! Values are whole numbers of any unit, none below zero. Every region counts as one, however large.

use serde::Serialize;
use utoipa::ToSchema;

/// How unequal some values are. Ratios in thousandths, indices in millionths; rounded to the nearest.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq, ToSchema)]
pub struct Inequality {
    /// How many values.
    #[schema(example = 31)]
    pub regions: u64,
    /// How many of them are 0.
    #[schema(example = 0)]
    pub zeros: u64,
    /// The greatest by the least, in thousandths; nothing where the least is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1420)]
    pub best_worst_milli: Option<u64>,
    /// The 90th percentile by the 10th (nearest rank), in thousandths; nothing where the 10th is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1250)]
    pub p90_p10_milli: Option<u64>,
    /// Gini's coefficient in millionths: 0 where all are equal; nothing where all are 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 61_000)]
    pub gini_ppm: Option<u64>,
    /// Theil's index T in millionths; nothing where all are 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 6_100)]
    pub theil_ppm: Option<u64>,
}

/// Values above are cut off, so that no sum runs over.
const VALUE_MAX: u64 = 1 << 50;

/// How unequal these are; nothing of nothing.
pub fn inequality(values: &[u64]) -> Option<Inequality> {
    let mut sorted: Vec<u128> = values.iter().map(|v| u128::from((*v).min(VALUE_MAX))).collect();
    sorted.sort_unstable();
    let (worst, best) = (*sorted.first()?, *sorted.last()?);
    let n = sorted.len() as u128;
    let rank = |percent: u128| sorted[usize::try_from((n * percent).div_ceil(100).max(1) - 1).unwrap_or(0)];
    let sum: u128 = sorted.iter().sum();
    Some(Inequality {
        regions: u64::try_from(n).unwrap_or(u64::MAX),
        zeros: sorted.iter().take_while(|v| **v == 0).count() as u64,
        best_worst_milli: ratio(best, worst, 1_000),
        p90_p10_milli: ratio(rank(90), rank(10), 1_000),
        gini_ppm: (sum > 0).then(|| gini(&sorted, n, sum)).flatten(),
        theil_ppm: (sum > 0).then(|| theil(&sorted, n, sum)),
    })
}

fn ratio(above: u128, below: u128, unit: u128) -> Option<u64> {
    if below == 0 {
        return None;
    }
    u64::try_from((above * unit + below / 2) / below).ok()
}

/// The sum over (2i - n - 1) x_i, by n times the sum of all.
fn gini(sorted: &[u128], n: u128, sum: u128) -> Option<u64> {
    let (mut above, mut below) = (0u128, 0u128);
    for (x, i) in sorted.iter().zip(1u128..) {
        if 2 * i > n + 1 {
            above += (2 * i - n - 1) * x;
        } else {
            below += (n + 1 - 2 * i) * x;
        }
    }
    ratio(above.saturating_sub(below), n * sum, 1_000_000)
}

/// Bits after the point.
const POINT: u32 = 40;
/// The natural logarithm of two, with so many bits.
const LN_2: i128 = 762_123_384_786;

/// The mean of x/m ln x/m, m being the mean.
fn theil(sorted: &[u128], n: u128, sum: u128) -> u64 {
    let mut total = 0i128;
    for x in sorted.iter().filter(|x| **x > 0) {
        let ln = ln(x * n, sum);
        // x/sum, times ln of x n / sum.
        let whole = i128::try_from(*x).unwrap_or(0) * ln;
        total += whole / i128::try_from(sum).unwrap_or(1);
    }
    let ppm = (total.max(0) * 1_000_000 + (1 << (POINT - 1))) >> POINT;
    u64::try_from(ppm).unwrap_or(0)
}

/// The natural logarithm of a fraction of positive numbers, with [`POINT`] bits after the point.
fn ln(above: u128, below: u128) -> i128 {
    // The fraction is f times a power of two, f in [1, 2), with 63 bits after the point.
    let mut power = i128::from(above.ilog2()) - i128::from(below.ilog2());
    let shift = |x: u128| x << (126 - x.ilog2());
    let (a, b) = (shift(above), shift(below));
    let mut f = if a >= b {
        divided(a, b)
    } else {
        power -= 1;
        divided(a, b) // in (1/2, 1)
    };
    if f < 1 << 63 {
        f <<= 1;
    }
    // Squaring doubles the logarithm to base two: its bits come out one by one.
    let mut fraction = 0i128;
    for _ in 0..POINT {
        f = (f * f) >> 63;
        fraction <<= 1;
        if f >= 1 << 64 {
            fraction |= 1;
            f >>= 1;
        }
    }
    (((power << POINT) + fraction) * LN_2) >> POINT
}

/// `a / b` with 63 bits after the point, both having their highest bit at 126.
fn divided(a: u128, b: u128) -> u128 {
    let mut rest = a;
    let mut found = 0u128;
    for _ in 0..64 {
        found <<= 1;
        if rest >= b {
            rest -= b;
            found |= 1;
        }
        rest <<= 1;
    }
    found
}

/// Reads `year,region,value` lines, values with up to six digits after the point: how unequal each year was.
///
/// # Errors
/// The number of the first line that cannot be read, and why.
pub fn of_csv(text: &str) -> Result<Vec<(String, Inequality)>, (usize, &'static str)> {
    let mut years: std::collections::BTreeMap<String, Vec<u64>> = std::collections::BTreeMap::new();
    let mut seen = std::collections::HashSet::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || at == 0 && line == "year,region,value" {
            continue;
        }
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let [year, region, value] = cells[..] else { return Err((at + 1, "not year,region,value")) };
        if year.is_empty() || region.is_empty() {
            return Err((at + 1, "the year and the region may not be empty"));
        }
        if !seen.insert((year.to_owned(), region.to_owned())) {
            return Err((at + 1, "the region stands there twice for the year"));
        }
        let value = millionths(value).ok_or((at + 1, "the value is a number from 0 to 1000000000"))?;
        years.entry(year.to_owned()).or_default().push(value);
    }
    Ok(years.into_iter().filter_map(|(year, values)| Some((year, inequality(&values)?))).collect())
}

fn millionths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > 6 {
        return None;
    }
    let whole: u64 = whole.parse().ok().filter(|whole| *whole <= 1_000_000_000)?;
    whole.checked_mul(1_000_000)?.checked_add(format!("{part:0<6}").parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_worked_out_by_hand() {
        // Gini of 1..4: (-3·1 - 1·2 + 1·3 + 3·4) / (4·10) = 0.25. Theil: the mean of x/2.5 ln x/2.5 = 0.106440…
        let found = inequality(&[4, 1, 3, 2]).expect("figures");
        assert_eq!(
            (found.best_worst_milli, found.p90_p10_milli, found.gini_ppm, found.theil_ppm),
            (Some(4_000), Some(4_000), Some(250_000), Some(106_440))
        );
        // One has all of n: Gini 1 - 1/n, Theil ln n (ln 10 = 2.302585).
        let found = inequality(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 7]).expect("figures");
        assert_eq!(
            (found.zeros, found.best_worst_milli, found.gini_ppm, found.theil_ppm),
            (9, None, Some(900_000), Some(2_302_585))
        );
        let found = inequality(&[5; 31]).expect("figures");
        assert_eq!(
            (found.best_worst_milli, found.gini_ppm, found.theil_ppm),
            (Some(1_000), Some(0), Some(0))
        );
        assert_eq!(inequality(&[0, 0]).expect("figures").gini_ppm, None);
        assert_eq!(inequality(&[]), None);
        assert!(inequality(&[u64::MAX, 1]).expect("figures").theil_ppm.is_some());
    }

    #[test]
    fn a_file_of_years_is_read_and_a_broken_line_is_named() {
        let text = "year,region,value\n2011,best,50.4\n2011,worst,1\n2018,best,1.42\n2018,worst,1\n";
        let years = of_csv(text).expect("read");
        let ratios: Vec<_> =
            years.iter().map(|(year, found)| (year.as_str(), found.best_worst_milli)).collect();
        assert_eq!(ratios, [("2011", Some(50_400)), ("2018", Some(1_420))]);
        for (text, line) in [
            ("2011,a,1\n2011,a,2", 2),
            ("2011,a,-1", 1),
            ("2011,a", 1),
            ("2011,a,1.1234567", 1),
            ("2011,,1", 1),
            ("2011,a,1e3", 1),
        ] {
            assert_eq!(of_csv(text).map_err(|(at, _)| at), Err(line), "{text}");
        }
    }
}
