//! What keeps tills from guessing payment codes. The bounds are those that the security argument in
//! `docs/reference/codes.md` counts on: in a minute 10 unknown codes with one key and 60 with all keys of a
//! shop, then a quarter of an hour of refusal; 5 unknown codes for one locator within its epoch. Kept in
//! memory, by each node for itself: a restart forgives.
//!
//! A scan is judged after its code was looked up in memory and before anybody is told what came of it, under
//! one lock. However many scans come at once, no more than the bound are answered; the rest are refused, right
//! or wrong. An unknown code stands counted while the table is asked, and is given back if the table knows it.

use std::collections::HashMap;
use std::hash::Hash;

use codes::payment_code::EPOCH_S;
use kernel::ids::{KeyId, MerchantId};

use super::Merchant;

/// Unknown codes that one key may scan within a minute.
pub const PER_KEY: u32 = 10;
/// Unknown codes that all keys of a shop together may scan within a minute: making keys does not help.
pub const PER_SHOP: u32 = 60;
/// How long a key or a shop is refused after that, seconds.
pub const BLOCK_S: u64 = 15 * 60;
/// Unknown codes with one locator within its epoch.
pub const PER_LOCATOR: u32 = 5;
/// Unknown codes a second, city-wide, that the log warns of.
pub const ALARM_PER_S: u32 = 10;
/// Locators, keys and shops remembered, of each; beyond it those of the past are dropped.
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

    /// Takes back what was added in `window`; in a later one there is nothing to take back.
    fn give_back(&mut self, window: u64) -> bool {
        let counted = self.window == window && self.unknown > 0;
        self.unknown -= u32::from(counted);
        counted
    }
}

/// Why a scan is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// This key scanned too many unknown codes.
    Key,
    /// The keys of this shop together did.
    Shop,
    /// Too many unknown codes began like this one.
    Locator,
}

/// Unknown codes of somebody who is refused for a while after too many.
struct Scanners<K>(HashMap<K, (Count, u64)>);

impl<K> Default for Scanners<K> {
    fn default() -> Self {
        Scanners(HashMap::new())
    }
}

impl<K: Hash + Eq> Scanners<K> {
    fn blocked(&self, who: &K, now_s: u64) -> bool {
        self.0.get(who).is_some_and(|(_, until)| now_s < *until)
    }

    fn unknown(&mut self, who: K, max: u32, now_s: u64) {
        if self.0.len() >= REMEMBER_MAX {
            self.0.retain(|_, (count, until)| now_s < *until || count.window == now_s / 60);
        }
        let (count, until) = self.0.entry(who).or_default();
        if count.add(now_s / 60) >= max {
            *until = now_s + BLOCK_S;
        }
    }

    fn give_back(&mut self, who: &K, max: u32, now_s: u64) {
        if let Some((count, until)) = self.0.get_mut(who)
            && count.give_back(now_s / 60)
            && count.unknown < max
        {
            *until = 0;
        }
    }
}

/// Unknown codes seen lately.
#[derive(Default)]
pub struct Guesses {
    keys: Scanners<KeyId>,
    shops: Scanners<MerchantId>,
    locators: HashMap<u32, Count>,
    city: Count,
}

/// An unknown code that was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    key: KeyId,
    shop: MerchantId,
    locator: u32,
    at_s: u64,
    /// Whether the city as a whole sees so many that its operator should know.
    pub alarm: bool,
}

impl Guesses {
    /// Whether a scan may be answered. To be asked before each answer, and for known codes too.
    pub fn admit(&self, scanner: &Merchant, locator: u32, now_s: u64) -> Result<(), Blocked> {
        if self.keys.blocked(&scanner.key, now_s) {
            return Err(Blocked::Key);
        }
        if self.shops.blocked(&scanner.id, now_s) {
            return Err(Blocked::Shop);
        }
        let known = self.locators.get(&locator).filter(|c| c.window == now_s / EPOCH_S);
        if known.is_some_and(|c| c.unknown >= PER_LOCATOR) { Err(Blocked::Locator) } else { Ok(()) }
    }

    /// Counts an unknown code, unless it may not be answered.
    pub fn unknown(&mut self, scanner: &Merchant, locator: u32, now_s: u64) -> Result<Counted, Blocked> {
        self.admit(scanner, locator, now_s)?;
        if self.locators.len() >= REMEMBER_MAX {
            self.locators.retain(|_, c| c.window == now_s / EPOCH_S);
        }
        self.keys.unknown(scanner.key, PER_KEY, now_s);
        self.shops.unknown(scanner.id, PER_SHOP, now_s);
        self.locators.entry(locator).or_default().add(now_s / EPOCH_S);
        let alarm = self.city.add(now_s) == ALARM_PER_S;
        Ok(Counted { key: scanner.key, shop: scanner.id, locator, at_s: now_s, alarm })
    }

    /// The code was known after all.
    pub fn give_back(&mut self, counted: Counted) {
        let Counted { key, shop, locator, at_s, .. } = counted;
        self.keys.give_back(&key, PER_KEY, at_s);
        self.shops.give_back(&shop, PER_SHOP, at_s);
        if let Some(count) = self.locators.get_mut(&locator) {
            count.give_back(at_s / EPOCH_S);
        }
        self.city.give_back(at_s);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Role;
    use super::*;

    fn till(shop: u128, key: u128) -> Merchant {
        let (id, key) = (MerchantId::from_u128(shop), KeyId::from_u128(key));
        Merchant { id, role: Role::Staff, key, till: None }
    }

    #[test]
    fn a_guessing_till_is_stopped_and_a_locator_closed() {
        let (guesser, other) = (till(1, 1), till(1, 2));
        let mut guesses = Guesses::default();
        for n in 0..PER_KEY {
            let counted = guesses.unknown(&guesser, n, 600 + u64::from(n) / 5);
            assert!(!counted.expect("within the bound").alarm, "{n}");
        }
        assert_eq!(guesses.unknown(&guesser, 99, 602), Err(Blocked::Key));
        for (at_s, wanted) in
            [(602, Err(Blocked::Key)), (601 + BLOCK_S - 1, Err(Blocked::Key)), (601 + BLOCK_S, Ok(()))]
        {
            assert_eq!(guesses.admit(&guesser, 99, at_s), wanted, "{at_s}");
        }
        assert_eq!(guesses.admit(&other, 99, 602), Ok(()));

        for _ in 0..PER_LOCATOR {
            guesses.unknown(&other, 77, 700).expect("within the bound");
        }
        assert_eq!(guesses.unknown(&other, 77, 700), Err(Blocked::Locator));
        assert_eq!(guesses.admit(&other, 78, 700), Ok(()));
        assert_eq!(guesses.admit(&other, 77, 900), Ok(()), "the next epoch has another locator");
    }

    #[test]
    fn making_keys_does_not_help_a_shop() {
        let mut guesses = Guesses::default();
        for n in 0..PER_SHOP {
            guesses.unknown(&till(1, u128::from(n) + 1), n, 600).expect("a key of its own for each guess");
        }
        assert_eq!(guesses.unknown(&till(1, 1_000), 99, 600), Err(Blocked::Shop));
        assert_eq!(guesses.admit(&till(1, 1_000), 99, 600 + BLOCK_S - 1), Err(Blocked::Shop));
        assert_eq!(guesses.admit(&till(1, 1_000), 99, 600 + BLOCK_S), Ok(()));
        assert_eq!(guesses.admit(&till(2, 1_001), 99, 600), Ok(()), "another shop");
    }

    #[test]
    fn what_the_table_knows_is_given_back() {
        let mut guesses = Guesses::default();
        let scanner = till(1, 1);
        let counted: Vec<_> = (0..PER_KEY).map(|n| guesses.unknown(&scanner, n, 600)).collect();
        assert_eq!(guesses.admit(&scanner, 99, 600), Err(Blocked::Key));
        for (n, counted) in counted.into_iter().enumerate() {
            guesses.give_back(counted.expect("within the bound"));
            assert_eq!(guesses.admit(&scanner, 99, 600), Ok(()), "{n}");
        }
        // In the next minute nothing of this one is taken back.
        let late = guesses.unknown(&scanner, 1, 600).expect("counted");
        for n in 0..PER_KEY {
            guesses.unknown(&scanner, 10 + n, 660).expect("within the bound");
        }
        guesses.give_back(late);
        assert_eq!(guesses.admit(&scanner, 99, 660), Err(Blocked::Key));
    }

    #[test]
    fn the_city_is_told_once_a_second() {
        let mut guesses = Guesses::default();
        let alarms = (0..30u32).filter(|n| {
            let scanner = till(u128::from(*n) + 1, u128::from(*n) + 1);
            guesses.unknown(&scanner, *n, 1_000).expect("within the bound").alarm
        });
        assert_eq!(alarms.count(), 1);
    }
}
