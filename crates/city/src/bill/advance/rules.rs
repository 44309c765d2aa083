//! Why money is held for an account, and which reason applies: pure.

use serde::Serialize;
use utoipa::ToSchema;

use crate::bill::pack::AmountRule;

/// Why money is held for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A resident paid in advance.
    Ahead,
    /// Confirmed after the claim had run out, and the bill was paid meanwhile.
    Late,
    /// Collected for a bill that was paid already.
    Twice,
    /// Collected was more than was due.
    MoreThanDue,
    /// Collected was less than the biller takes for the bill.
    LessThanDue,
    /// There is no such bill.
    UnknownBill,
    /// The biller did not take it.
    Refused,
}

impl Reason {
    const ALL: [Reason; 7] = [
        Reason::Ahead,
        Reason::Late,
        Reason::Twice,
        Reason::MoreThanDue,
        Reason::LessThanDue,
        Reason::UnknownBill,
        Reason::Refused,
    ];

    /// In a transfer's `user_data_32`.
    pub fn number(self) -> u32 {
        match self {
            Reason::Ahead => 1,
            Reason::Late => 2,
            Reason::Twice => 3,
            Reason::MoreThanDue => 4,
            Reason::LessThanDue => 5,
            Reason::UnknownBill => 6,
            Reason::Refused => 7,
        }
    }

    /// What a transfer says.
    pub fn of(number: u32) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.number() == number)
    }

    /// Why an amount does not fit what is due.
    pub fn of_misfit(due: i64, taken: i64, rule: AmountRule) -> Reason {
        if taken > due || rule == AmountRule::UpTo { Reason::MoreThanDue } else { Reason::LessThanDue }
    }
}
