//! Which payment comes when: the traffic of a benchmark as a pure function of seed and number, so that
//! a run can be repeated and a finding looked at again. Must never read a clock or ask for randomness.

/// How a payment is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The payer scans the shop's poster and types the amount.
    Poster,
    /// The till makes an order, the payer scans its code: two requests.
    Order,
    /// The till scans the payer's code.
    PayerCode,
    /// From wallet to wallet, by phone number.
    Transfer,
    /// A bill: looked up by account number, quoted, paid.
    Bill,
}

/// Every kind, in the order of the report.
pub const KINDS: [Kind; 5] = [Kind::Poster, Kind::Order, Kind::PayerCode, Kind::Transfer, Kind::Bill];

impl Kind {
    /// As it stands in the report.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Poster => "poster",
            Kind::Order => "order",
            Kind::PayerCode => "payer code",
            Kind::Transfer => "transfer",
            Kind::Bill => "bill",
        }
    }

    /// Whether a shop is paid.
    pub fn at_shop(self) -> bool {
        matches!(self, Kind::Poster | Kind::Order | Kind::PayerCode)
    }
}

/// Between whom payments are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many residents; at least two.
    pub residents: u32,
    /// How many shops; at least one. The first is the hot one.
    pub shops: u32,
    /// Whether there are bills to pay; without them their share goes to the others.
    pub bills: bool,
    /// Whether one order in [`CANCEL_ONE_IN`] is cancelled in place of being paid.
    pub cancels: bool,
}

/// One payment to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// How.
    pub kind: Kind,
    /// Which resident pays.
    pub payer: u32,
    /// Which shop, or which resident, is paid. Of no meaning for a bill.
    pub payee: u32,
    /// Minor units. Of no meaning for a bill.
    pub amount: i64,
    /// Whether the shop cancels the order before it is paid.
    pub cancel: bool,
}

/// Shares of a hundred payments: merchant-presented, payer-presented, transfers; the rest are bills.
const SHARES: [u64; 3] = [40, 30, 15];
/// Of merchant-presented payments one in so many is an order, the others are at a poster.
const ORDER_ONE_IN: u64 = 4;
/// Of payments to shops this share of a hundred goes to the first shop.
const HOT_PERCENT: u64 = 20;
/// Of orders one in so many is cancelled, where the shape wants it.
pub const CANCEL_ONE_IN: u64 = 10;

/// Payment number `index` of the traffic that `seed` names.
pub fn planned(seed: u64, index: u64, shape: &Shape) -> Planned {
    let mut draw = Draw::new(seed, index);
    let [merchant, payer, transfer] = SHARES;
    let hundred = if shape.bills { 100 } else { merchant + payer + transfer };
    let share = draw.below(hundred);
    let kind = if share < merchant {
        if draw.below(ORDER_ONE_IN) == 0 { Kind::Order } else { Kind::Poster }
    } else if share < merchant + payer {
        Kind::PayerCode
    } else if share < merchant + payer + transfer {
        Kind::Transfer
    } else {
        Kind::Bill
    };
    let payer = draw.number(shape.residents);
    let payee = if kind.at_shop() {
        let hot = shape.shops == 1 || draw.below(100) < HOT_PERCENT;
        if hot { 0 } else { 1 + draw.number(shape.shops - 1) }
    } else {
        // Anybody but the payer.
        (payer + 1 + draw.number(shape.residents - 1)) % shape.residents
    };
    // ¥1 to ¥50 in a shop, ¥0.01 to ¥20 among people: below every limit that asks for a PIN.
    let amount = if kind.at_shop() { 100 + draw.number(4_901) } else { 1 + draw.number(2_000) };
    let cancel = shape.cancels && kind == Kind::Order && draw.below(CANCEL_ONE_IN) == 0;
    Planned { kind, payer, payee, amount: i64::from(amount), cancel }
}

/// A stream of numbers (SplitMix64: Steele, Lea, Flood, OOPSLA 2014). Fast and even, not secret.
#[derive(Clone, Debug)]
pub struct Draw(u64);

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl Draw {
    /// The stream for one number of one seed.
    pub fn new(seed: u64, index: u64) -> Draw {
        let mut outer = Draw(seed);
        let mut inner = Draw(outer.next() ^ index);
        Draw(inner.next())
    }

    /// 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is small: the bias of the multiplication is below 2⁻³².
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    fn number(&mut self, bound: u32) -> u32 {
        u32::try_from(self.below(u64::from(bound))).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    const SHAPE: Shape = Shape { residents: 200, shops: 50, bills: true, cancels: false };

    fn counts(shape: Shape, n: u64) -> HashMap<Kind, u64> {
        let mut counts = HashMap::new();
        for i in 0..n {
            *counts.entry(planned(1, i, &shape).kind).or_default() += 1;
        }
        counts
    }

    #[test]
    fn the_mix_is_what_it_says() {
        // 100,000 draws: three standard deviations are below 0.5 of a hundred.
        for (shape, wanted) in [
            (SHAPE, [30.0, 10.0, 30.0, 15.0, 15.0]),
            (Shape { bills: false, ..SHAPE }, [35.3, 11.8, 35.3, 17.6, 0.0]),
        ] {
            let counts = counts(shape, 100_000);
            for (kind, wanted) in KINDS.iter().zip(wanted) {
                let count = u32::try_from(counts.get(kind).copied().unwrap_or(0)).unwrap();
                let share = f64::from(count) / 1_000.0;
                assert!((share - wanted).abs() < 0.6, "{kind:?}: {share} of {wanted}");
            }
        }
    }

    #[test]
    fn one_shop_is_hot_and_nobody_pays_himself() {
        let (mut hot, mut at_shop) = (0, 0);
        for i in 0..100_000 {
            let p = planned(7, i, &SHAPE);
            assert!(p.payer < SHAPE.residents && p.amount > 0 && p.amount <= 5_000 && !p.cancel);
            if p.kind.at_shop() {
                assert!(p.payee < SHAPE.shops);
                at_shop += 1;
                hot += u64::from(p.payee == 0);
            } else {
                assert!(p.payee < SHAPE.residents && p.payee != p.payer);
            }
        }
        assert!((19..=21).contains(&(hot * 100 / at_shop)), "{hot} of {at_shop}");
    }

    #[test]
    fn a_seed_gives_the_same_traffic_and_another_seed_another() {
        let run = |seed| (0..100).map(|i| planned(seed, i, &SHAPE)).collect::<Vec<_>>();
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        let shape = Shape { cancels: true, shops: 1, residents: 2, bills: false };
        let orders: Vec<_> = (0..20_000).map(|i| planned(1, i, &shape)).collect();
        assert!(orders.iter().all(|p| !p.kind.at_shop() || p.payee == 0));
        assert!(orders.iter().any(|p| p.cancel) && orders.iter().all(|p| !p.cancel || p.kind == Kind::Order));
    }
}
