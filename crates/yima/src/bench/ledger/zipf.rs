//! Zipf's law: the account of rank `i` is met in proportion to `1 / i^0.99`, as the key-value benchmarks have it
//! (Gray et al., "Quickly generating billion-record synthetic databases", SIGMOD 1994). Ranks are scattered
//! over the accounts, so that busy ones are not neighbours in memory.

use crate::bench::plan::Draw;

/// The exponent.
const THETA: f64 = 0.99; // float: a distribution's parameter
/// A prime greater than any number of accounts: multiplying by it scatters ranks and merges none.
const SCATTER: u64 = (1 << 31) - 1;

/// Picks among so many.
#[derive(Debug)]
pub struct Zipf {
    count: u64,
    zeta: f64,   // float: a distribution's parameter
    second: f64, // float: a distribution's parameter
    eta: f64,    // float: a distribution's parameter
}

impl Zipf {
    /// Among `count`, which is below 2³¹ − 1.
    #[expect(clippy::cast_precision_loss, reason = "a distribution needs no exact number")]
    pub fn new(count: u64) -> Zipf {
        let power = |rank: u64| 1.0 / (rank as f64).powf(THETA); // float: a distribution's parameter
        let zeta: f64 = (1..=count).map(power).sum(); // float: a distribution's parameter
        let first_two = 1.0 + power(2);
        let eta = (1.0 - (2.0 / count as f64).powf(1.0 - THETA)) / (1.0 - first_two / zeta); // float: a distribution's parameter
        Zipf { count, zeta, second: first_two, eta }
    }

    /// The number of one.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a distribution needs no exact number"
    )]
    pub fn pick(&self, draw: &mut Draw) -> u64 {
        let uniform = (draw.next() >> 11) as f64 / (1_u64 << 53) as f64; // float: a draw in [0, 1)
        let reach = uniform * self.zeta;
        let rank = if reach < 1.0 {
            0
        } else if reach < self.second {
            1
        } else {
            let tail = (self.eta * uniform - self.eta + 1.0).powf(1.0 / (1.0 - THETA));
            (self.count as f64 * tail) as u64 // float: a rank by its distribution
        };
        rank.min(self.count - 1) * SCATTER % self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ranks_have_their_share() {
        let count = 10_000;
        let zipf = Zipf::new(count);
        let mut draw = Draw::new(1, 1);
        let mut met = vec![0_u32; 10_000];
        for _ in 0..100_000 {
            met[usize::try_from(zipf.pick(&mut draw)).unwrap()] += 1;
        }
        let of_rank = |rank: u64| met[usize::try_from(rank * SCATTER % count).unwrap()];
        // 1 / zeta(10,000; 0.99) = 1 / 10.22, and the second rank half of it.
        assert!((9_400..10_200).contains(&of_rank(0)), "{}", of_rank(0));
        assert!((4_600..5_300).contains(&of_rank(1)), "{}", of_rank(1));
        assert!(met.iter().filter(|times| **times > 0).count() > 5_000, "the tail is met too");
    }
}
