//! What keeps a till from guessing payment codes. The bounds are those that the security argument in
//! `docs/reference/codes.md` counts on: 10 unknown codes a minute for a till, then a quarter of an hour of
//! refusal; 5 unknown codes for one locator within its epoch. Kept in memory: a restart forgives.

use std::collections::HashMap;

use codes::payment_code::EPOCH_S;
use kernel::ids::KeyId;

/// Unknown codes that one key may scan within a minute.
pub const PER_KEY: u32 = 10;
/// How long a key is refused after that, seconds.
pub const BLOCK_S: u64 = 15 * 60;
/// Unknown codes with one locator within its epoch.
pub const PER_LOCATOR: u32 = 5;
/// Unknown codes a second, city-wide, that the log warns of.
pub const ALARM_PER_S: u32 = 10;
/// Locators and keys remembered; beyond it those of the past are dropped.
const REMEMBER_MAX: usize = 100_000;

#[derive(Clone, Copy, Default)]
struct Count {
    /// Minute, epoch or second that is being counted.
    window: u64,
    unknown: u32,
}

impl Count {
    fn add(&mut self, window: u64) -> u32 {
        if self.window != window {
            *self = Count { window, unknown: 0 };
        }
        self.unknown += 1;
        self.unknown
    }
}

/// Why a scan is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// This key scanned too many unknown codes.
    Key,
    /// Too many unknown codes began like this one.
    Locator,
}

/// Unknown codes seen lately.
#[derive(Default)]
pub struct Guesses {
    keys: HashMap<KeyId, (Count, u64)>,
    locators: HashMap<u32, Count>,
    city: Count,
}

impl Guesses {
    /// Whether a scan by `key` may be looked at.
    pub fn admit(&self, key: KeyId, locator: u32, now_s: u64) -> Result<(), Blocked> {
        if self.keys.get(&key).is_some_and(|(_, blocked_until)| now_s < *blocked_until) {
            return Err(Blocked::Key);
        }
        let known = self.locators.get(&locator).filter(|c| c.window == now_s / EPOCH_S);
        if known.is_some_and(|c| c.unknown >= PER_LOCATOR) { Err(Blocked::Locator) } else { Ok(()) }
    }

    /// Counts an unknown code. Says whether the city as a whole sees so many that its operator should know.
    pub fn unknown(&mut self, key: KeyId, locator: u32, now_s: u64) -> bool {
        if self.keys.len() >= REMEMBER_MAX {
            self.keys.retain(|_, (c, until)| now_s < *until || c.window == now_s / 60);
        }
        if self.locators.len() >= REMEMBER_MAX {
            self.locators.retain(|_, c| c.window == now_s / EPOCH_S);
        }
        let (count, blocked_until) = self.keys.entry(key).or_default();
        if count.add(now_s / 60) >= PER_KEY {
            *blocked_until = now_s + BLOCK_S;
        }
        self.locators.entry(locator).or_default().add(now_s / EPOCH_S);
        self.city.add(now_s) == ALARM_PER_S
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guessing_till_is_stopped_and_a_locator_closed() {
        let (till, other) = (KeyId::from_u128(1), KeyId::from_u128(2));
        let mut guesses = Guesses::default();
        for n in 0..PER_KEY {
            assert_eq!(guesses.admit(till, n, 600), Ok(()), "{n}");
            assert!(!guesses.unknown(till, n, 600 + u64::from(n) / 5));
        }
        assert_eq!(guesses.admit(till, 99, 602), Err(Blocked::Key));
        assert_eq!(guesses.admit(till, 99, 601 + BLOCK_S - 1), Err(Blocked::Key));
        assert_eq!(guesses.admit(till, 99, 601 + BLOCK_S), Ok(()));
        assert_eq!(guesses.admit(other, 99, 602), Ok(()));

        for _ in 0..PER_LOCATOR {
            guesses.unknown(other, 7, 700);
        }
        assert_eq!(guesses.admit(other, 7, 700), Err(Blocked::Locator));
        assert_eq!(guesses.admit(other, 8, 700), Ok(()));
        assert_eq!(guesses.admit(other, 7, 900), Ok(()), "the next epoch has another locator");
    }

    #[test]
    fn the_city_is_told_once_a_second() {
        let mut guesses = Guesses::default();
        let alarms = (0..30u64).filter(|n| {
            let key = KeyId::from_u128(u128::from(*n) + 1);
            guesses.unknown(key, u32::try_from(*n).unwrap(), 1_000)
        });
        assert_eq!(alarms.count(), 1);
    }
}
