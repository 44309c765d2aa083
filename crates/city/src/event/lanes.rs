//! Which deliveries are tried next: a lane per endpoint, so that a slow one holds up only itself.
//! Pure: knows nothing of queues, sockets or clocks but the instants it is given.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use kernel::ids::{EndpointId, EventId};
use tokio::time::Instant;

/// How many deliveries are tried at once.
pub const SLOTS: usize = 64;
/// How many of them go to one endpoint.
pub const SLOTS_PER_LANE: usize = 8;
/// How many wait in one lane.
pub const LANE_MAX: usize = 1_024;
/// How many wait in all lanes.
pub const WAITING_MAX: usize = 4_096;

/// A job that this worker has leased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leased {
    /// The job's id.
    pub job: u128,
    /// Where to.
    pub endpoint: EndpointId,
    /// Which event.
    pub event: EventId,
    /// When it was taken.
    pub at: Instant,
}

#[derive(Debug, Default)]
struct Lane {
    running: usize,
    waiting: VecDeque<Leased>,
}

/// The lanes of one worker.
#[derive(Debug, Default)]
pub struct Lanes {
    of: HashMap<EndpointId, Lane>,
    /// Endpoints with something waiting and a free slot, in the order they are served.
    ready: VecDeque<EndpointId>,
    running: usize,
    waiting: usize,
}

impl Lanes {
    /// How many more may be leased now.
    pub fn room(&self) -> usize {
        WAITING_MAX - self.waiting
    }

    /// Lets a job wait in its lane; gives it back when the lane is full.
    pub fn push(&mut self, job: Leased) -> Result<(), Leased> {
        let lane = self.of.entry(job.endpoint).or_default();
        if lane.waiting.len() >= LANE_MAX || self.waiting >= WAITING_MAX {
            return Err(job);
        }
        lane.waiting.push_back(job);
        self.waiting += 1;
        if lane.waiting.len() == 1 && lane.running < SLOTS_PER_LANE {
            self.ready.push_back(job.endpoint);
        }
        Ok(())
    }

    /// The next job to try, lane after lane. One that has waited longer than `fresh` is dropped: its
    /// lease may run out while it is tried, so it is left to whoever takes it then.
    pub fn next(&mut self, now: Instant, fresh: Duration) -> Option<Leased> {
        while self.running < SLOTS {
            let endpoint = self.ready.pop_front()?;
            let lane = self.of.get_mut(&endpoint)?;
            let job = lane.waiting.pop_front();
            self.waiting -= usize::from(job.is_some());
            let job = job.filter(|job| now.duration_since(job.at) < fresh);
            lane.running += usize::from(job.is_some());
            if !lane.waiting.is_empty() && lane.running < SLOTS_PER_LANE {
                self.ready.push_back(endpoint);
            } else if lane.waiting.is_empty() && lane.running == 0 {
                self.of.remove(&endpoint);
            }
            if job.is_some() {
                self.running += 1;
                return job;
            }
        }
        None
    }

    /// A try to this endpoint has ended.
    pub fn ended(&mut self, endpoint: EndpointId) {
        let Some(lane) = self.of.get_mut(&endpoint) else { return };
        // A lane with all slots taken was not among the ready ones.
        if lane.running == SLOTS_PER_LANE && !lane.waiting.is_empty() {
            self.ready.push_back(endpoint);
        }
        lane.running -= 1;
        self.running -= 1;
        if lane.running == 0 && lane.waiting.is_empty() {
            self.of.remove(&endpoint);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Duration = Duration::from_secs(30);

    fn job(endpoint: u128, n: u128, at: Instant) -> Leased {
        Leased { job: n, endpoint: EndpointId::from_u128(endpoint), event: EventId::from_u128(n), at }
    }

    fn drain(lanes: &mut Lanes, now: Instant) -> Vec<(u128, u128)> {
        std::iter::from_fn(|| lanes.next(now, FRESH)).map(|j| (j.endpoint.as_u128(), j.job)).collect()
    }

    #[test]
    fn a_slow_endpoint_holds_up_only_itself() {
        let (mut lanes, now) = (Lanes::default(), Instant::now());
        for n in 0..20 {
            lanes.push(job(1, n, now)).unwrap();
        }
        lanes.push(job(2, 100, now)).unwrap();
        let first = drain(&mut lanes, now);
        assert_eq!(first[..2], [(1, 0), (2, 100)], "lane after lane");
        assert_eq!(first.len(), SLOTS_PER_LANE + 1);
        assert_eq!(drain(&mut lanes, now), []);
        lanes.ended(EndpointId::from_u128(1));
        assert_eq!(drain(&mut lanes, now), [(1, 8)]);
        lanes.ended(EndpointId::from_u128(2));
        lanes.push(job(2, 101, now)).unwrap();
        assert_eq!(drain(&mut lanes, now), [(2, 101)]);
    }

    #[test]
    fn never_more_than_the_slots_and_everything_in_the_end() {
        let (mut lanes, now) = (Lanes::default(), Instant::now());
        for n in 0..2_000 {
            lanes.push(job(n % 20, n, now)).unwrap();
        }
        assert_eq!(lanes.room(), WAITING_MAX - 2_000);
        let mut running = VecDeque::from(drain(&mut lanes, now));
        assert_eq!(running.len(), SLOTS);
        let mut done = Vec::new();
        while let Some((endpoint, n)) = running.pop_front() {
            done.push(n);
            lanes.ended(EndpointId::from_u128(endpoint));
            running.extend(drain(&mut lanes, now));
            assert!(running.len() <= SLOTS);
        }
        done.sort_unstable();
        assert_eq!(done, (0..2_000).collect::<Vec<_>>());
        assert!(lanes.of.is_empty() && lanes.ready.is_empty() && lanes.room() == WAITING_MAX);
    }

    #[test]
    fn a_full_lane_gives_back() {
        let (mut lanes, now) = (Lanes::default(), Instant::now());
        for n in 0..LANE_MAX as u128 {
            lanes.push(job(1, n, now)).unwrap();
        }
        assert_eq!(lanes.push(job(1, 9_999, now)), Err(job(1, 9_999, now)));
        lanes.push(job(2, 9_999, now)).unwrap();
    }

    #[test]
    fn what_waited_too_long_is_left_to_its_lease() {
        let (mut lanes, then) = (Lanes::default(), Instant::now());
        let now = then + FRESH;
        for n in 0..3 {
            lanes.push(job(1, n, then)).unwrap();
        }
        lanes.push(job(1, 3, now)).unwrap();
        assert_eq!(drain(&mut lanes, now), [(1, 3)]);
        lanes.ended(EndpointId::from_u128(1));
        assert!(lanes.of.is_empty() && lanes.room() == WAITING_MAX);
    }
}
