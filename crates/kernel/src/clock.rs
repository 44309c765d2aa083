//! Time as an argument. Only [`SystemClock`] reads the machine's clock; everything that decides
//! takes a [`Timestamp`] or a [`Clock`], so that a whole city can be replayed.

use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A calendar day, proleptic Gregorian, without a zone. `2026-03-01` in text.
pub type Date = jiff::civil::Date;

/// An instant: nanoseconds since 1970-01-01T00:00:00Z. RFC 3339 in text and JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A fixed distance from UTC in seconds, east positive. China has one: `+08:00`, no summer time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UtcOffset(i32);

impl UtcOffset {
    /// China Standard Time, UTC+8 (GB/T 7408; no summer time since 1991).
    pub const CHINA: UtcOffset = UtcOffset(8 * 3600);

    /// An offset of `seconds` east of UTC; `None` beyond ±18 h.
    pub const fn from_seconds(seconds: i32) -> Option<UtcOffset> {
        if seconds.abs() > 18 * 3600 { None } else { Some(UtcOffset(seconds)) }
    }

    /// Seconds east of UTC.
    pub const fn seconds(self) -> i32 {
        self.0
    }
}

impl Timestamp {
    /// From nanoseconds since the Unix epoch.
    pub const fn from_nanos(ns: i64) -> Timestamp {
        Timestamp(ns)
    }
    /// From milliseconds since the Unix epoch; saturates at the ends of the range (year 2262).
    pub const fn from_millis(ms: i64) -> Timestamp {
        Timestamp(ms.saturating_mul(1_000_000))
    }
    /// From seconds since the Unix epoch; saturates at the ends of the range (year 2262).
    pub const fn from_secs(s: i64) -> Timestamp {
        Timestamp(s.saturating_mul(1_000_000_000))
    }
    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }
    /// Whole milliseconds since the Unix epoch, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }
    /// This instant and `d` more; saturates at the end of the range.
    #[must_use]
    pub fn plus(self, d: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(d.as_nanos()).unwrap_or(i64::MAX)))
    }
    /// This instant less `d`; saturates at the start of the range.
    #[must_use]
    pub fn minus(self, d: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(i64::try_from(d.as_nanos()).unwrap_or(i64::MAX)))
    }
    /// How long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
    /// The calendar day on which this instant falls, at `offset` from UTC.
    pub fn date(self, offset: UtcOffset) -> Date {
        let days = self.as_secs().saturating_add(i64::from(offset.0)).div_euclid(86_400);
        let days = i32::try_from(days).unwrap_or(0); // ±292 years fit
        Date::constant(1970, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap_or(Date::MAX)
    }
    /// The first instant of `date` at `offset` from UTC.
    pub fn start_of(date: Date, offset: UtcOffset) -> Timestamp {
        let since = date.duration_since(Date::constant(1970, 1, 1));
        Timestamp::from_secs(since.as_secs().saturating_sub(i64::from(offset.0)))
    }
    fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or(jiff::Timestamp::MAX)
    }
    /// Local civil time to the second, `2026-03-01 09:30:00`, at `offset` from UTC.
    pub fn local(self, offset: UtcOffset) -> String {
        let shifted = Timestamp(self.0.saturating_add(i64::from(offset.0) * 1_000_000_000));
        shifted.to_jiff().strftime("%Y-%m-%d %H:%M:%S").to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_jiff().fmt(f)
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let t: jiff::Timestamp = s.parse()?;
        Ok(Timestamp(i64::try_from(t.as_nanosecond()).unwrap_or(i64::MAX)))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Where "now" comes from.
pub trait Clock: Send + Sync + 'static {
    /// The current instant. May stand still or go back; callers that need order keep their own.
    fn now(&self) -> Timestamp;
}

/// The machine's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::default().plus(since)
    }
}

/// A clock that a test or a simulator moves by hand.
#[derive(Debug, Default)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock standing at `at`.
    pub fn new(at: Timestamp) -> ManualClock {
        ManualClock(Mutex::new(at))
    }
    /// Moves forward by `d`.
    pub fn advance(&self, d: Duration) {
        let mut at = self.0.lock().expect("no panic while held");
        *at = at.plus(d);
    }
    /// Jumps to `at`, forward or back.
    pub fn set(&self, at: Timestamp) {
        *self.0.lock().expect("no panic while held") = at;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("no panic while held")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_local_midnight() {
        for (text, offset, day) in [
            ("2026-03-01T15:59:59.999999999Z", UtcOffset::CHINA, "2026-03-01"),
            ("2026-03-01T16:00:00Z", UtcOffset::CHINA, "2026-03-02"),
            ("1969-12-31T15:59:59Z", UtcOffset::CHINA, "1969-12-31"),
            ("2026-03-01T00:00:00Z", UtcOffset::from_seconds(-3600).unwrap(), "2026-02-28"),
        ] {
            let t: Timestamp = text.parse().unwrap();
            assert_eq!(t.date(offset).to_string(), day, "{text}");
            assert_eq!(Timestamp::start_of(t.date(offset), offset).date(offset), t.date(offset));
            assert!(Timestamp::start_of(t.date(offset), offset) <= t);
        }
    }

    #[test]
    fn prints_and_reads_rfc3339_exactly() {
        for text in ["2026-03-01T09:30:00.000000001Z", "1970-01-01T00:00:00Z"] {
            let t: Timestamp = text.parse().unwrap();
            assert_eq!(t.to_string(), text);
        }
        assert_eq!(Timestamp::from_secs(0).local(UtcOffset::CHINA), "1970-01-01 08:00:00");
        assert!("yesterday".parse::<Timestamp>().is_err());
    }
}
