//! Pure rules of coupons: what a campaign may be, when its coupon can be used, what of it goes back with a refund.

use kernel::ids::MerchantId;
use kernel::{Currency, Timestamp};

use super::{Campaign, CouponError, Wanted};
use crate::wallet::rules::amount_acceptable;

/// Fewest and most characters of a campaign's name: it stands on one line of a phone.
pub const NAME_CHARS: std::ops::RangeInclusive<usize> = 1..=30;

/// Refuses what cannot be a campaign. A discount is less than the least amount it is for, so whoever pays always
/// pays something himself.
pub fn campaign(wanted: &Wanted, currency: Currency) -> Result<(), CouponError> {
    let named =
        NAME_CHARS.contains(&wanted.name.chars().count()) && !wanted.name.chars().any(char::is_control);
    let payable = |amount| amount_acceptable(amount, currency);
    for (sound, field) in [
        (named && wanted.name.trim() == wanted.name, "name"),
        (payable(wanted.minimum), "minimum"),
        (payable(wanted.discount) && wanted.discount.minor < wanted.minimum.minor, "discount"),
        (payable(wanted.budget) && wanted.budget.minor >= wanted.discount.minor, "budget"),
        (wanted.valid_from < wanted.valid_until, "valid_until"),
    ] {
        if !sound {
            return Err(CouponError::Malformed(field));
        }
    }
    Ok(())
}

/// Refuses a coupon that cannot be used for this payment, whatever is left of its campaign.
pub fn usable(
    campaign: &Campaign,
    shop: MerchantId,
    amount_minor: i64,
    now: Timestamp,
) -> Result<(), CouponError> {
    if campaign.ended_at.is_some() || now < campaign.valid_from || now >= campaign.valid_until {
        return Err(CouponError::NotValid);
    }
    if campaign.shop.is_some_and(|only| only != shop) {
        return Err(CouponError::OtherShop);
    }
    if amount_minor < campaign.minimum_minor { Err(CouponError::Minimum) } else { Ok(()) }
}

/// What of a discount goes back to its campaign with a refund, of a payment of `paid` of which `before` went back
/// already. Reckoned from the beginning each time and rounded down, so that parts in any number add up to exactly
/// the discount when all is refunded.
pub fn goes_back(discount: i64, paid: i64, before: i64, refund: i64) -> i64 {
    if paid <= 0 {
        return 0;
    }
    let until =
        |refunded: i128| i128::from(discount) * refunded.clamp(0, i128::from(paid)) / i128::from(paid);
    let back = until(i128::from(before) + i128::from(refund)) - until(i128::from(before));
    i64::try_from(back).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Money;
    use kernel::ids::CampaignId;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_secs(s)
    }

    #[test]
    fn campaigns() {
        let sound = Wanted {
            name: "满30减5".to_owned(),
            discount: Money::fen(500),
            minimum: Money::fen(3_000),
            budget: Money::fen(500),
            valid_from: at(10),
            valid_until: at(11),
            shop: None,
        };
        let yen = Money::new(500, "JPY".parse().expect("a currency"));
        let with = |change: &dyn Fn(&mut Wanted)| {
            let mut wanted = sound.clone();
            change(&mut wanted);
            campaign(&wanted, Currency::CNY)
        };
        let bad = |field| Err(CouponError::Malformed(field));
        assert_eq!(with(&|_| {}), Ok(()));
        assert_eq!(with(&|w| w.discount = Money::fen(499)), Ok(()));
        assert_eq!(with(&|w| w.name = "长".repeat(30)), Ok(()));
        for name in ["", " 满减", "a\nb", &"长".repeat(31)] {
            assert_eq!(with(&|w| name.clone_into(&mut w.name)), bad("name"), "{name:?}");
        }
        for discount in [Money::fen(0), Money::fen(-1), Money::fen(3_000), yen] {
            assert_eq!(with(&|w| w.discount = discount), bad("discount"), "{discount:?}");
        }
        for minimum in [Money::fen(0), Money::fen(i64::MAX), yen] {
            assert_eq!(with(&|w| w.minimum = minimum), bad("minimum"), "{minimum:?}");
        }
        for budget in [Money::fen(499), Money::fen(i64::MAX), yen] {
            assert_eq!(with(&|w| w.budget = budget), bad("budget"), "{budget:?}");
        }
        assert_eq!(with(&|w| w.valid_until = w.valid_from), bad("valid_until"));
    }

    #[test]
    fn when_a_coupon_can_be_used() {
        let (here, there) = (MerchantId::from_u128(1), MerchantId::from_u128(2));
        let everywhere = Campaign {
            id: CampaignId::from_u128(9),
            name: String::new(),
            discount_minor: 500,
            minimum_minor: 3_000,
            budget_minor: 500,
            valid_from: at(10),
            valid_until: at(20),
            shop: None,
            created_at: at(0),
            ended_at: None,
        };
        let only_here = Campaign { shop: Some(here), ..everywhere.clone() };
        let ended = Campaign { ended_at: Some(at(12)), ..everywhere.clone() };
        for (campaign, shop, amount, now, wanted) in [
            (&everywhere, here, 3_000, 10, Ok(())),
            (&everywhere, there, i64::MAX, 19, Ok(())),
            (&everywhere, here, 2_999, 10, Err(CouponError::Minimum)),
            (&everywhere, here, 3_000, 9, Err(CouponError::NotValid)),
            (&everywhere, here, 3_000, 20, Err(CouponError::NotValid)),
            (&only_here, here, 3_000, 15, Ok(())),
            (&only_here, there, 1, 15, Err(CouponError::OtherShop)),
            (&ended, here, 3_000, 15, Err(CouponError::NotValid)),
        ] {
            assert_eq!(usable(campaign, shop, amount, at(now)), wanted, "{amount} {now}");
        }
    }

    #[test]
    fn parts_bring_back_the_whole_discount_and_never_more() {
        for parts in [&[3_000][..], &[1, 2_999], &[1_000, 1_000, 1_000], &[7; 428], &[2_999, 1]] {
            let (mut before, mut back) = (0, 0);
            for part in parts {
                let share = goes_back(499, 3_000, before, *part);
                assert!((0..=*part).contains(&share), "never more than the refund: {share} of {part}");
                (before, back) = (before + part, back + share);
            }
            assert_eq!(back, 499 * before / 3_000, "{parts:?}");
        }
        assert_eq!(goes_back(500, 3_000, 3_000, 1), 0, "nothing is left");
        assert_eq!(goes_back(500, 0, 0, 1), 0);
        assert_eq!(goes_back(i64::MAX - 1, i64::MAX, 0, i64::MAX), i64::MAX - 1);
    }
}
