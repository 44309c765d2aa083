//! Pure rules of trades: order numbers, lifetimes, the fee's share of a refund, what state a trade is in.

use ledger::Transfer;

use super::Status;
use crate::books::transfer_code;

/// How long an order can be paid unless the shop says otherwise, seconds.
pub const EXPIRES_S: u64 = 15 * 60;
/// The shortest and the longest life an order may be given, seconds.
pub const EXPIRES_RANGE_S: std::ops::RangeInclusive<u64> = 10..=24 * 3600;
/// How long a charge waits for the payer's PIN, seconds.
pub const WAIT_S: u64 = 120;

/// Whether an order or refund number may be used: 1 to 64 visible ASCII characters.
pub fn number_acceptable(number: &str) -> bool {
    (1..=64).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_graphic())
}

/// Whether a subject may be used: at most 64 characters, no control characters.
pub fn subject_acceptable(subject: &str) -> bool {
    subject.chars().count() <= 64 && !subject.chars().any(char::is_control)
}

/// The part of the fee that goes back with a refund, rounded down, so that refunds in any order and
/// any number never give back more than the fee.
pub fn fee_back(fee: i64, refund: i64, paid: i64) -> i64 {
    if paid <= 0 {
        return 0;
    }
    i64::try_from(i128::from(fee) * i128::from(refund) / i128::from(paid)).unwrap_or(0)
}

/// The state of a trade: what the ledger has decides, then time.
pub fn status(decided: Option<&Transfer>, refunded: i64, waiting: bool, expired: bool) -> Status {
    match decided {
        Some(t) if t.code == transfer_code::TRADE_PAYMENT && u128::try_from(refunded) == Ok(t.amount) => {
            Status::Refunded
        }
        Some(t) if t.code == transfer_code::TRADE_PAYMENT => Status::Paid,
        Some(_) => Status::Closed,
        None if expired => Status::Closed,
        None if waiting => Status::Waiting,
        None => Status::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_subjects() {
        for (number, ok) in
            [("A-1", true), ("", false), ("a b", false), ("订单", false), (&"9".repeat(65), false)]
        {
            assert_eq!(number_acceptable(number), ok, "{number}");
        }
        assert!(subject_acceptable("豆浆 油条"));
        assert!(!subject_acceptable("a\nb"));
        assert!(!subject_acceptable(&"长".repeat(65)));
    }

    #[test]
    fn fees_go_back_in_proportion_and_never_more_than_they_were() {
        for (fee, refund, paid, back) in [
            (38, 10_000, 10_000, 38),
            (38, 5_000, 10_000, 19),
            (38, 1, 10_000, 0),
            (0, 5, 5, 0),
            (5, 5, 0, 0),
        ] {
            assert_eq!(fee_back(fee, refund, paid), back);
        }
        let parts = [3_333, 3_333, 3_334];
        assert!(parts.iter().map(|part| fee_back(38, *part, 10_000)).sum::<i64>() <= 38);
        assert_eq!(fee_back(i64::MAX, i64::MAX, i64::MAX), i64::MAX);
    }

    #[test]
    fn states() {
        let paid = Transfer { code: transfer_code::TRADE_PAYMENT, amount: 10, ..Transfer::default() };
        let closed = Transfer { code: transfer_code::TRADE_CLOSED, ..Transfer::default() };
        for (decided, refunded, waiting, expired, wanted) in [
            (Some(&paid), 0, false, false, Status::Paid),
            (Some(&paid), 9, true, true, Status::Paid),
            (Some(&paid), 10, false, true, Status::Refunded),
            (Some(&closed), 0, true, false, Status::Closed),
            (None, 0, true, true, Status::Closed),
            (None, 0, true, false, Status::Waiting),
            (None, 0, false, false, Status::Open),
        ] {
            assert_eq!(status(decided, refunded, waiting, expired), wanted);
        }
    }
}
