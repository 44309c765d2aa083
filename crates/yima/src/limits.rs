//! How many requests a caller may make: a token bucket for each signed-in caller or, before that, each address.
//! A bucket holds two seconds' worth. Keys are hashes in memory; nothing of them is kept.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Mutex;

use kernel::Timestamp;

/// Buckets remembered. When there are more, all are forgotten: for a moment everybody has a full one, which costs
/// less than looking through them at every request of a flood.
const BUCKETS_MAX: usize = 200_000;

/// The buckets of one server.
pub struct Limits {
    per_second: u32,
    hasher: RandomState,
    buckets: Mutex<HashMap<u64, Bucket>>,
}

/// Thousandths of a request, so that refilling is exact in milliseconds.
#[derive(Clone, Copy)]
struct Bucket {
    left: u64,
    at: Timestamp,
}

impl Limits {
    /// So many requests a second for each caller; 0 for no limit.
    pub fn new(per_second: u32) -> Limits {
        Limits { per_second, hasher: RandomState::new(), buckets: Mutex::default() }
    }

    /// Takes one request out of the caller's bucket; says whether there was one.
    pub fn admit(&self, caller: &[u8], now: Timestamp) -> bool {
        if self.per_second == 0 {
            return true;
        }
        let full = u64::from(self.per_second) * 2_000;
        let key = self.hasher.hash_one(caller);
        let mut buckets = self.buckets.lock().expect("no panic while held");
        if buckets.len() >= BUCKETS_MAX {
            buckets.clear();
        }
        let bucket = buckets.entry(key).or_insert(Bucket { left: full, at: now });
        *bucket = refilled(*bucket, self.per_second, now);
        let admitted = bucket.left >= 1_000;
        if admitted {
            bucket.left -= 1_000;
        }
        admitted
    }
}

fn refilled(bucket: Bucket, per_second: u32, now: Timestamp) -> Bucket {
    let ms = u64::try_from(now.since(bucket.at).as_millis()).unwrap_or(u64::MAX);
    if ms == 0 {
        return bucket;
    }
    let left = bucket.left.saturating_add(ms.saturating_mul(u64::from(per_second)));
    Bucket { left: left.min(u64::from(per_second) * 2_000), at: now }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let limits = Limits::new(5);
        let at = Timestamp::from_millis;
        for _ in 0..10 {
            assert!(limits.admit(b"a", at(0)));
        }
        assert!(!limits.admit(b"a", at(0)));
        assert!(limits.admit(b"b", at(0)), "another caller has a bucket of its own");
        assert!(!limits.admit(b"a", at(199)));
        assert!(limits.admit(b"a", at(200)));
        assert!(!limits.admit(b"a", at(200)));
        assert!(Limits::new(0).admit(b"a", at(0)));
    }
}
