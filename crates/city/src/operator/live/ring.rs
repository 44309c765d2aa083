//! Payments of the last hour by minute and of the last minute by second, in rings of fixed size: pure counting.
//! Must never grow with the number of payments.

use std::collections::BTreeMap;

/// How a payment was made.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LiveChannel {
    /// At a shop's poster.
    Poster,
    /// By the QR code of an order.
    Order,
    /// By the payer's own code.
    PayerCode,
    /// From resident to resident.
    Transfer,
    /// Of a bill.
    Bill,
}

impl LiveChannel {
    /// Every channel.
    pub const ALL: [LiveChannel; 5] = [
        LiveChannel::Poster,
        LiveChannel::Order,
        LiveChannel::PayerCode,
        LiveChannel::Transfer,
        LiveChannel::Bill,
    ];

    fn index(self) -> usize {
        match self {
            LiveChannel::Poster => 0,
            LiveChannel::Order => 1,
            LiveChannel::PayerCode => 2,
            LiveChannel::Transfer => 3,
            LiveChannel::Bill => 4,
        }
    }
}

/// How many payments, and how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub payments: u64,
    /// Minor units.
    pub value_minor: i64,
}

impl Count {
    fn add(&mut self, other: Count) {
        self.payments = self.payments.saturating_add(other.payments);
        self.value_minor = self.value_minor.saturating_add(other.value_minor);
    }
}

/// Codes of refusals that are told apart in one slot; the rest is counted as [`OTHER`].
const CODES_MAX: usize = 64;
/// What refusals beyond [`CODES_MAX`] codes are counted as.
pub const OTHER: &str = "other";

/// What happened in one second or one minute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// Payments in the ledger, from all nodes, by channel in the order of [`LiveChannel::ALL`].
    pub paid: [Count; LiveChannel::ALL.len()],
    /// Requests to pay that this node answered with success.
    pub ok_here: u64,
    /// Requests to pay that this node refused, by code.
    pub refused_here: BTreeMap<String, u64>,
}

impl Slot {
    /// Over all channels.
    pub fn total(&self) -> Count {
        let mut total = Count::default();
        self.paid.iter().for_each(|count| total.add(*count));
        total
    }

    /// Refusals of every code.
    pub fn refused(&self) -> u64 {
        self.refused_here.values().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// What of this node's requests to pay succeeded, in basis points; none where there were none.
    pub fn success_bp(&self) -> Option<u64> {
        let all = self.ok_here.saturating_add(self.refused());
        u64::try_from(u128::from(self.ok_here) * 10_000 / u128::from(all.max(1))).ok().filter(|_| all > 0)
    }

    fn refuse(&mut self, code: &str, n: u64) {
        let known = self.refused_here.contains_key(code) || self.refused_here.len() < CODES_MAX;
        let code = if known { code } else { OTHER };
        *self.refused_here.entry(code.to_owned()).or_default() += n;
    }

    fn add(&mut self, other: &Slot) {
        self.paid.iter_mut().zip(&other.paid).for_each(|(mine, theirs)| mine.add(*theirs));
        self.ok_here = self.ok_here.saturating_add(other.ok_here);
        other.refused_here.iter().for_each(|(code, n)| self.refuse(code, *n));
    }
}

/// How many slots a ring has.
const SLOTS: i64 = 60;

/// Sixty slots of the same length, each with the number of its time.
#[derive(Debug)]
struct Ring {
    /// Milliseconds of one slot.
    length_ms: i64,
    slots: Vec<(i64, Slot)>,
}

impl Ring {
    fn new(length_ms: i64) -> Ring {
        Ring { length_ms, slots: (0..SLOTS).map(|_| (i64::MIN, Slot::default())).collect() }
    }

    /// The slot of an instant, emptied where it was that of an earlier round; none where a later has it.
    fn slot(&mut self, at_ms: i64) -> Option<&mut Slot> {
        let number = at_ms.div_euclid(self.length_ms);
        let place = usize::try_from(number.rem_euclid(SLOTS)).ok()?;
        let (held, slot) = self.slots.get_mut(place)?;
        if *held > number {
            return None;
        }
        if *held < number {
            (*held, *slot) = (number, Slot::default());
        }
        Some(slot)
    }

    /// The sixty slots up to now, oldest first, each with the instant it began.
    fn read(&self, now_ms: i64) -> Vec<(i64, Slot)> {
        let last = now_ms.div_euclid(self.length_ms);
        let slot = |number: i64| {
            let place = usize::try_from(number.rem_euclid(SLOTS)).unwrap_or(0);
            let held = self.slots.get(place).filter(|(held, _)| *held == number);
            (number * self.length_ms, held.map(|(_, slot)| slot.clone()).unwrap_or_default())
        };
        (last - SLOTS + 1..=last).map(slot).collect()
    }
}

/// The last minute by second and the last hour by minute.
#[derive(Debug)]
pub struct Rings {
    seconds: Ring,
    minutes: Ring,
}

impl Default for Rings {
    fn default() -> Rings {
        Rings { seconds: Ring::new(1_000), minutes: Ring::new(60_000) }
    }
}

impl Rings {
    fn each(&mut self, at_ms: i64, change: impl Fn(&mut Slot)) {
        self.seconds.slot(at_ms).into_iter().for_each(&change);
        self.minutes.slot(at_ms).into_iter().for_each(&change);
    }

    /// A payment that the ledger has.
    pub fn paid(&mut self, at_ms: i64, channel: LiveChannel, amount_minor: i64) {
        let one = Count { payments: 1, value_minor: amount_minor };
        self.each(at_ms, |slot| slot.paid[channel.index()].add(one));
    }

    /// A request to pay that this node answered with success, or refused with a code.
    pub fn answered(&mut self, at_ms: i64, refusal: Option<&str>) {
        self.each(at_ms, |slot| match refusal {
            None => slot.ok_here = slot.ok_here.saturating_add(1),
            Some(code) => slot.refuse(code, 1),
        });
    }

    /// The last sixty seconds in one, and the most payments of a second among them.
    pub fn last_minute(&self, now_ms: i64) -> (Slot, u64) {
        let (mut sum, mut peak) = (Slot::default(), 0);
        for (_, slot) in self.seconds.read(now_ms) {
            peak = peak.max(slot.total().payments);
            sum.add(&slot);
        }
        (sum, peak)
    }

    /// The last sixty minutes, oldest first, each with the instant it began (ms); the last is not over.
    pub fn minutes(&self, now_ms: i64) -> Vec<(i64, Slot)> {
        self.minutes.read(now_ms)
    }

    /// The last sixty minutes in one.
    pub fn last_hour(&self, now_ms: i64) -> Slot {
        let mut sum = Slot::default();
        self.minutes.read(now_ms).iter().for_each(|(_, slot)| sum.add(slot));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_772_416_800_000;

    #[test]
    fn what_is_old_falls_out_and_what_is_late_finds_its_place() {
        let mut rings = Rings::default();
        rings.paid(NOON, LiveChannel::Poster, 100);
        rings.paid(NOON + 30_000, LiveChannel::Bill, 7);
        rings.paid(NOON + 30_500, LiveChannel::Bill, 5);
        rings.paid(NOON + 1_000, LiveChannel::Transfer, 1); // read from the ledger later
        rings.answered(NOON, None);
        rings.answered(NOON, Some("cap_reached"));
        for (at, payments, value, peak) in [
            (NOON, 1, 100, 1),
            (NOON + 30_999, 4, 113, 2),
            (NOON + 59_999, 4, 113, 2),
            (NOON + 60_000, 3, 13, 2),
            (NOON + 89_999, 2, 12, 2),
            (NOON + 90_000, 0, 0, 0),
        ] {
            let (slot, most) = rings.last_minute(at);
            let total = slot.total();
            assert_eq!((total.payments, total.value_minor, most), (payments, value, peak), "{}", at - NOON);
        }
        let (first, _) = rings.last_minute(NOON);
        assert_eq!((first.refused(), first.success_bp()), (1, Some(5_000)));
        assert_eq!(rings.last_minute(NOON + 90_000).0.success_bp(), None, "of nothing there is no share");
        let hour = rings.minutes(NOON + 59 * 60_000);
        assert_eq!((hour.len(), hour[0].0, hour[0].1.total().payments), (60, NOON, 4));
        assert_eq!(rings.last_hour(NOON + 60 * 60_000).total(), Count::default());
        // A round later the old slot is another's; an event of before has no place any more.
        rings.paid(NOON + 3_600_000, LiveChannel::Poster, 1);
        rings.paid(NOON, LiveChannel::Poster, 1);
        assert_eq!(rings.last_hour(NOON + 3_600_000).total().payments, 1);
    }

    #[test]
    fn made_up_codes_do_not_make_it_grow() {
        let mut rings = Rings::default();
        for n in 0..1_000 {
            rings.answered(NOON, Some(&format!("code_{n}")));
        }
        let (slot, _) = rings.last_minute(NOON);
        assert_eq!((slot.refused_here.len(), slot.refused()), (CODES_MAX + 1, 1_000));
    }
}
