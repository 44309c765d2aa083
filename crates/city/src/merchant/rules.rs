//! What a shop may be called, which codes are codes, and what a payment to it costs. Pure.
//!
//! Must never do: round a fee up to more than the amount, or let a fee depend on anything but the
//! shop's category and the amount, so that anyone can compute it again.

use kernel::Money;

/// The rate of every category that no row of [`TARIFF`] names: 0.38 %.
pub const STANDARD_BP: u32 = 38;
const _: () = assert!(STANDARD_BP <= 10_000, "a fee is never more than the amount");

/// Rates in basis points (1/10,000) by ISO 18245 merchant category code, where they differ from
/// [`STANDARD_BP`]. Sorted by code.
///
/// Which trades are favoured follows the notice on card acquiring fees of China's National
/// Development and Reform Commission and People's Bank (发改价格〔2016〕557号, sections 2 to 4):
/// non-profit health, education, welfare and charity are free of fees; supermarkets, wholesale
/// clubs, utilities, fuel and transport tickets are favoured. Government services are free, as the
/// payer may not be charged for paying the state. The rates are the city's tariff: 38 basis points,
/// and for the favoured trades 78 % of it, rounded to a whole basis point. A profit-making hospital or
/// school is opened under a category of its trade that is not in this table.
pub const TARIFF: &[(&str, u32)] = &[
    ("4111", 30), // local passenger transport
    ("4112", 30), // passenger railways
    ("4131", 30), // bus lines
    ("4784", 30), // tolls
    ("4900", 30), // electricity, gas, water, heat
    ("5300", 30), // wholesale clubs
    ("5411", 30), // supermarkets
    ("5541", 30), // fuel stations
    ("5542", 30), // automated fuel pumps
    ("8062", 0),  // hospitals
    ("8211", 0),  // schools
    ("8220", 0),  // universities
    ("8351", 0),  // child care
    ("8398", 0),  // charities
    ("9211", 0),  // courts
    ("9222", 0),  // fines
    ("9311", 0),  // taxes
    ("9399", 0),  // government services
    ("9402", 0),  // post, government only
];

/// The rate of a category, in basis points.
pub fn rate_bp(mcc: &str) -> u32 {
    TARIFF.binary_search_by_key(&mcc, |row| row.0).map_or(STANDARD_BP, |row| TARIFF[row].1)
}

/// What a payment of `amount` to a shop of category `mcc` costs the shop: its rate of the amount,
/// rounded half up to a minor unit. Nothing for an amount that is not positive.
pub fn fee(mcc: &str, amount: Money) -> Money {
    let none = Money::new(0, amount.currency);
    if amount.minor <= 0 {
        return none;
    }
    // No rate exceeds the whole (tested), so the share is at most the amount and always fits.
    amount.share(u64::from(rate_bp(mcc)), 10_000).unwrap_or(none)
}

/// Longest name of a shop or a till, in characters.
pub const NAME_CHARS_MAX: usize = 60;

/// Whether people can read it as a name: 1 to [`NAME_CHARS_MAX`] characters, no control characters,
/// no space at its ends.
pub fn name_acceptable(name: &str) -> bool {
    let length = name.chars().count();
    (1..=NAME_CHARS_MAX).contains(&length) && name.trim() == name && !name.chars().any(char::is_control)
}

/// Whether it can stand for a shop in the operator's own lists: 1 to 64 characters of printable ASCII
/// without spaces.
pub fn reference_acceptable(reference: &str) -> bool {
    (1..=64).contains(&reference.len()) && reference.bytes().all(|b| b.is_ascii_graphic())
}

/// Whether it is a merchant category code by form: four digits (ISO 18245).
pub fn mcc_acceptable(mcc: &str) -> bool {
    mcc.len() == 4 && mcc.bytes().all(|b| b.is_ascii_digit())
}

/// Province-level divisions (GB/T 2260, first two digits).
const PROVINCES: &[u8] = &[
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54,
    61, 62, 63, 64, 65, 71, 81, 82,
];

/// Whether it is a region code by form: six digits that begin with a province (GB/T 2260).
pub fn region_acceptable(region: &str) -> bool {
    let digits = region.as_bytes();
    digits.len() == 6
        && digits.iter().all(u8::is_ascii_digit)
        && PROVINCES.contains(&((digits[0] - b'0') * 10 + (digits[1] - b'0')))
}

/// Whether it is a unified social credit identifier with a right check character: 18 characters of the
/// alphabet of GB 32100-2015, the last one from the others by modulo 31 with weights 3^i (section 4.7).
pub fn legal_id_acceptable(id: &str) -> bool {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    let values: Option<Vec<usize>> = id.bytes().map(|b| ALPHABET.iter().position(|a| *a == b)).collect();
    let Some(values) = values.filter(|v| v.len() == 18) else { return false };
    let (sum, _) = values[..17].iter().fold((0, 1), |(sum, weight), v| (sum + v * weight, weight * 3 % 31));
    values[17] == (31 - sum % 31) % 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_tariff_is_sorted_and_below_the_whole() {
        assert!(TARIFF.is_sorted_by(|a, b| a.0 < b.0), "binary search needs an order without doubles");
        assert!(TARIFF.iter().all(|(mcc, bp)| mcc_acceptable(mcc) && *bp <= STANDARD_BP));
    }

    #[test]
    fn fees_by_category_round_half_up() {
        for (mcc, minor, fee_minor) in [
            ("5812", 10_000, 38), // restaurant, ¥100
            ("5812", 1_250, 5),   // 4.75 fen
            ("5812", 131, 0),     // 0.4978 fen
            ("5812", 132, 1),     // 0.5016 fen
            ("5812", 1, 0),
            ("5812", 0, 0),
            ("5812", -500, 0),
            ("5411", 10_000, 30),
            ("5411", 500, 2), // exactly 1.5 fen
            ("5411", 499, 1),
            ("8062", 10_000_000, 0),
            ("9311", 10_000_000, 0),
            ("5812", i64::MAX, 35_048_813_740_048_148), // 0.0038 × (2^63 − 1), no overflow
        ] {
            assert_eq!(fee(mcc, Money::fen(minor)), Money::fen(fee_minor), "{mcc} {minor}");
        }
    }

    proptest! {
        #[test]
        fn a_fee_lies_between_nothing_and_the_amount(
            minor: i64, mcc in prop::sample::select(vec!["5812", "5411", "8062", "0000"]),
        ) {
            let fee = fee(mcc, Money::fen(minor)).minor;
            prop_assert!(fee >= 0 && fee <= minor.max(0));
        }
    }

    #[test]
    fn codes_and_names_by_form() {
        for (what, check, good, bad) in [
            ("mcc", mcc_acceptable as fn(&str) -> bool, "5411", &["541", "54111", "54a1", "５411", ""][..]),
            ("region", region_acceptable, "330106", &["33010", "3301061", "993301", "33010x", "003301", ""]),
            ("name", name_acceptable, "西湖面馆 No.1", &["", " a", "a ", "a\nb", "\u{7}"]),
            ("reference", reference_acceptable, "shop-0001", &["", "a b", "店", "a\n"]),
            // The identifier used as the example in descriptions of GB 32100-2015.
            (
                "legal id",
                legal_id_acceptable,
                "91350100M000100Y43",
                &["91350100M000100Y42", "91350100M000100Y4", "91350100m000100Y43", "9135010OM000100Y43", ""],
            ),
        ] {
            assert!(check(good), "{what}: {good}");
            for text in bad {
                assert!(!check(text), "{what}: {text:?}");
            }
        }
        assert!(
            name_acceptable(&"店".repeat(NAME_CHARS_MAX))
                && !name_acceptable(&"店".repeat(NAME_CHARS_MAX + 1))
        );
        assert!(reference_acceptable(&"x".repeat(64)) && !reference_acceptable(&"x".repeat(65)));
    }
}
