//! Pure rules of the wallet: amounts, personal codes, how a transfer reads in a history.

use kernel::ids::ResidentId;
use kernel::{Currency, Money};

use crate::books::transfer_code as code;

/// The largest single movement, minor units: ten billion yuan. Keeps every sum far from overflow.
pub const AMOUNT_MAX: i64 = 1_000_000_000_000;

/// Whether an amount may be moved: positive, in the city's currency, not absurd.
pub fn amount_acceptable(amount: Money, currency: Currency) -> bool {
    amount.currency == currency && (1..=AMOUNT_MAX).contains(&amount.minor)
}

/// What every personal code begins with.
pub const PERSONAL_CODE: &str = "yima:";

/// The text of a personal code: who is to be paid, and how much if that is set.
pub fn personal_code(resident: ResidentId, amount_minor: Option<i64>) -> String {
    let who = format!("{PERSONAL_CODE}{resident}");
    amount_minor.map_or_else(|| who.clone(), |minor| format!("{who}?amount={minor}"))
}

/// Reads a personal code.
pub fn parse_personal_code(text: &str) -> Option<(ResidentId, Option<i64>)> {
    let rest = text.strip_prefix(PERSONAL_CODE)?;
    let (resident, amount) = match rest.split_once("?amount=") {
        None => (rest, None),
        Some((resident, amount)) if amount.bytes().all(|b| b.is_ascii_digit()) => {
            (resident, Some(amount.parse().ok()?))
        }
        Some(_) => return None,
    };
    Some((resident.parse().ok()?, amount))
}

/// What a movement on a wallet was, for people and programs.
pub fn kind(transfer_code: u16) -> &'static str {
    match transfer_code {
        code::DEPOSIT => "deposit",
        code::WITHDRAWAL => "withdrawal",
        code::WALLET_TRANSFER => "transfer",
        code::TRADE_PAYMENT => "trade_payment",
        code::TRADE_REFUND => "trade_refund",
        code::BILL_PAYMENT => "bill_payment",
        code::ADVANCE_IN => "advance",
        code::ADVANCE_RETURN => "advance_return",
        code::BILL_REFUND => "bill_refund",
        code::COUPON_SUBSIDY => "coupon",
        code::COUPON_BACK => "coupon_back",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        let cny = Currency::CNY;
        for (minor, ok) in [(1, true), (AMOUNT_MAX, true), (0, false), (-1, false), (AMOUNT_MAX + 1, false)] {
            assert_eq!(amount_acceptable(Money::fen(minor), cny), ok, "{minor}");
        }
        assert!(!amount_acceptable(Money::new(1, "JPY".parse().unwrap()), cny));
    }

    #[test]
    fn personal_codes() {
        let who: ResidentId = "res_01h2xcejqtf2nbrexx3vqjhp41".parse().unwrap();
        for amount in [None, Some(1250)] {
            assert_eq!(parse_personal_code(&personal_code(who, amount)), Some((who, amount)));
        }
        for text in [
            "",
            "yima:",
            "yima:mch_01h2xcejqtf2nbrexx3vqjhp41",
            "res_01h2xcejqtf2nbrexx3vqjhp41",
            "yima:res_01h2xcejqtf2nbrexx3vqjhp41?amount=",
            "yima:res_01h2xcejqtf2nbrexx3vqjhp41?amount=-1",
            "yima:res_01h2xcejqtf2nbrexx3vqjhp41?amount=99999999999999999999",
        ] {
            assert_eq!(parse_personal_code(text), None, "{text}");
        }
    }

    #[test]
    fn every_movement_of_a_wallet_has_a_name() {
        for code in [
            code::DEPOSIT,
            code::WITHDRAWAL,
            code::WALLET_TRANSFER,
            code::TRADE_PAYMENT,
            code::TRADE_REFUND,
            code::BILL_PAYMENT,
            code::ADVANCE_IN,
            code::ADVANCE_RETURN,
            code::BILL_REFUND,
            code::COUPON_SUBSIDY,
            code::COUPON_BACK,
        ] {
            assert_ne!(kind(code), "other");
        }
    }
}
