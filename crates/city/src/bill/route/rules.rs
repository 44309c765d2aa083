//! Which way a question goes, and when a way is given up for a while: pure.

use std::time::Duration;

use kernel::{Timestamp, UtcOffset};

use super::spec::Channel;

/// After so many failures in a row nobody is asked any more.
const FAILURES: u32 = 5;
/// For how long the first time; doubled each time after that.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_mins(2);

/// A circuit breaker: closed while a way works, open while it does not, and half open when one question may find out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    failures: u32,
    /// How often it opened since the way last worked.
    opened: u32,
    until: Option<Timestamp>,
}

/// What a breaker lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Everything.
    Closed,
    /// One question, to find out.
    HalfOpen,
    /// Nothing.
    Open,
}

impl Breaker {
    /// What it lets through now.
    pub fn gate(&self, now: Timestamp) -> Gate {
        match self.until {
            None => Gate::Closed,
            Some(until) if now >= until => Gate::HalfOpen,
            Some(_) => Gate::Open,
        }
    }

    /// Lets the one question through that finds out; the next must wait for its answer, or for as long again.
    pub fn try_out(&mut self, now: Timestamp) {
        if self.gate(now) == Gate::HalfOpen {
            self.until = Some(now.plus(self.pause()));
        }
    }

    /// Somebody answered, whatever it was.
    pub fn answered(&mut self) {
        *self = Breaker::default();
    }

    /// Nobody answered.
    pub fn failed(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        if self.until.is_some() || self.failures >= FAILURES {
            self.opened = self.opened.saturating_add(1);
            self.until = Some(now.plus(self.pause()));
        }
    }

    fn pause(&self) -> Duration {
        PAUSE.saturating_mul(1 << self.opened.saturating_sub(1).min(10)).min(PAUSE_MAX)
    }
}

/// How fast questions may follow one another: as many at once as a second bears, then evenly (the generic cell rate
/// algorithm, ITU-T I.371).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Until then the rate is used up.
    used_until: Option<Timestamp>,
}

impl Pace {
    /// Whether one more may go now.
    pub fn allows(&self, now: Timestamp) -> bool {
        self.used_until.is_none_or(|until| until.since(now) < Duration::from_secs(1))
    }

    /// One more goes.
    pub fn take(&mut self, rate_per_s: u32, now: Timestamp) {
        let from = self.used_until.filter(|until| *until > now).unwrap_or(now);
        self.used_until = Some(from.plus(Duration::from_secs(1) / rate_per_s.max(1)));
    }
}

/// A way as it is now.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// What the pack says.
    pub channel: &'a Channel,
    /// What its breaker lets through.
    pub gate: Gate,
    /// Whether its rate bears one more.
    pub has_room: bool,
}

/// Whether somebody is there at an instant.
pub fn is_open(channel: &Channel, now: Timestamp, offset: UtcOffset) -> bool {
    let seconds = now.as_secs().saturating_add(i64::from(offset.seconds())).rem_euclid(86_400);
    let minute = u32::try_from(seconds / 60).unwrap_or(0);
    channel.hours.is_empty() || channel.hours.iter().any(|hours| hours.contains(minute))
}

/// What a payment of `amount` costs this way, minor units, rounded up.
pub fn cost(channel: &Channel, amount: i64) -> i64 {
    let share = (i128::from(amount) * i128::from(channel.cost_bps) + 9_999) / 10_000;
    channel.cost_minor.saturating_add(i64::try_from(share).unwrap_or(i64::MAX))
}

/// The way a question about `amount` goes: among those that are there and not given up, first those that work, then the
/// cheapest, then the first of the pack.
pub fn choose(
    candidates: &[Candidate<'_>],
    amount: i64,
    now: Timestamp,
    offset: UtcOffset,
    fits: impl Fn(&Channel) -> bool,
) -> Option<usize> {
    let there = |c: &Candidate<'_>| {
        c.gate != Gate::Open && c.has_room && is_open(c.channel, now, offset) && fits(c.channel)
    };
    let (at, _) = candidates
        .iter()
        .enumerate()
        .filter(|(_, candidate)| there(candidate))
        .min_by_key(|(at, c)| (c.gate == Gate::HalfOpen, cost(c.channel, amount), *at))?;
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(1_772_000_000 + second)
    }

    #[test]
    fn questions_beyond_the_rate_wait() {
        let mut pace = Pace::default();
        for _ in 0..4 {
            assert!(pace.allows(at(0)));
            pace.take(4, at(0));
        }
        assert!(!pace.allows(at(0)));
        let half = at(0).plus(Duration::from_millis(500));
        for _ in 0..2 {
            assert!(pace.allows(half));
            pace.take(4, half);
        }
        assert!(!pace.allows(half));
        assert!(pace.allows(at(100)), "what was not used is not kept for more than a second");
    }

    #[test]
    fn the_cheapest_that_is_there_is_chosen_and_one_in_doubt_last() {
        let way = |name: &str, cost_minor: i64, cost_bps: u32, hours: &[&str]| {
            let hours: Vec<String> = hours.iter().map(|h| format!("{h:?}")).collect();
            let text = format!(
                "name = {name:?}\ncost_minor = {cost_minor}\ncost_bps = {cost_bps}\nhours = [{}]\n[direct]\nformat = \"json\"\n\
                 pay = {{ path = \"/p\" }}\ninquire = {{ path = \"/i\" }}\nreverse = {{ path = \"/r\" }}\n",
                hours.join(", ")
            );
            toml::from_str::<Channel>(&text).expect("a channel")
        };
        let ways = [way("a", 0, 20, &[]), way("b", 30, 0, &[]), way("c", 0, 0, &["22:00-06:00"])];
        let (noon, night) =
            ("2026-03-02T04:00:00Z".parse().unwrap(), "2026-03-02T16:00:00Z".parse().unwrap());
        use Gate::{Closed, HalfOpen, Open};
        for (gates, room, amount, now, chosen) in [
            ([Closed, Closed, Closed], [true; 3], 10_000, noon, Some(0)),
            ([Closed, Closed, Closed], [true; 3], 20_000, noon, Some(1)),
            ([Closed, Closed, Closed], [true; 3], 20_000, night, Some(2)),
            ([Closed, Closed, Closed], [false, true, true], 10_000, noon, Some(1)),
            ([HalfOpen, Closed, Closed], [true; 3], 10_000, noon, Some(1)),
            ([HalfOpen, Open, Closed], [true; 3], 10_000, noon, Some(0)),
            ([Open, Open, Closed], [true; 3], 10_000, noon, None),
        ] {
            let candidates: Vec<_> = ways
                .iter()
                .zip(gates)
                .zip(room)
                .map(|((channel, gate), has_room)| Candidate { channel, gate, has_room })
                .collect();
            let found = choose(&candidates, amount, now, UtcOffset::CHINA, |_| true);
            assert_eq!(found, chosen, "{gates:?} {room:?} {amount} {now}");
        }
    }

    #[test]
    fn a_way_that_fails_is_given_up_for_longer_and_longer_and_tried_out_by_one() {
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            breaker.failed(at(0));
        }
        assert_eq!(breaker.gate(at(0)), Gate::Closed);
        breaker.failed(at(0));
        assert_eq!((breaker.gate(at(4)), breaker.gate(at(5))), (Gate::Open, Gate::HalfOpen));
        breaker.try_out(at(5));
        assert_eq!(breaker.gate(at(6)), Gate::Open, "one question at a time");
        breaker.failed(at(7));
        assert_eq!((breaker.gate(at(16)), breaker.gate(at(17))), (Gate::Open, Gate::HalfOpen));
        for _ in 0..20 {
            breaker.failed(at(17));
        }
        assert_eq!((breaker.gate(at(136)), breaker.gate(at(137))), (Gate::Open, Gate::HalfOpen));
        breaker.answered();
        assert_eq!(breaker.gate(at(17)), Gate::Closed);
        breaker.failed(at(17));
        assert_eq!(breaker.gate(at(17)), Gate::Closed, "it begins anew");
    }
}
