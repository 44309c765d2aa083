//! How what the ledger says of a day can disagree with what somebody else says: pure. The comparing is [`super::compare`].

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who disagrees with the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The biller.
    Biller,
    /// The bank.
    Bank,
    /// The terms of the biller's pack as they are now.
    Terms,
}

impl Source {
    /// The name in tables and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Source::Biller => "biller",
            Source::Bank => "bank",
            Source::Terms => "terms",
        }
    }

    /// The source of that name.
    pub fn from_name(name: &str) -> Option<Source> {
        [Source::Biller, Source::Bank, Source::Terms].into_iter().find(|s| s.name() == name)
    }
}

/// How two lists disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakCode {
    /// They list a payment that the ledger does not have.
    MissingHere,
    /// The ledger has a payment that they do not list.
    MissingThere,
    /// Both have it, with different amounts.
    AmountDiffers,
    /// They list it more than once.
    Duplicate,
    /// They list it on this day, the ledger has it on another.
    Late,
    /// The payout that was booked is not what the terms come to now.
    PayoutDiffers,
}

impl BreakCode {
    const ALL: [BreakCode; 6] = [
        BreakCode::MissingHere,
        BreakCode::MissingThere,
        BreakCode::AmountDiffers,
        BreakCode::Duplicate,
        BreakCode::Late,
        BreakCode::PayoutDiffers,
    ];

    /// The name in tables and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            BreakCode::MissingHere => "missing_here",
            BreakCode::MissingThere => "missing_there",
            BreakCode::AmountDiffers => "amount_differs",
            BreakCode::Duplicate => "duplicate",
            BreakCode::Late => "late",
            BreakCode::PayoutDiffers => "payout_differs",
        }
    }

    /// The code of that name.
    pub fn from_name(name: &str) -> Option<BreakCode> {
        BreakCode::ALL.into_iter().find(|c| c.name() == name)
    }

    /// What to do about it.
    pub fn remedy(self, source: Source) -> &'static str {
        match (self, source) {
            (BreakCode::MissingHere, Source::Biller | Source::Terms) => "biller_proves_or_withdraws",
            (BreakCode::MissingHere, Source::Bank) => "bank_proves_or_returns",
            (BreakCode::MissingThere, Source::Biller | Source::Terms) => "send_line_again",
            (BreakCode::MissingThere, Source::Bank) => "ask_bank_to_trace",
            (BreakCode::AmountDiffers, _) => "correct_to_ledger",
            (BreakCode::Duplicate, _) => "strike_repetition",
            (BreakCode::Late, _) => "move_to_its_day",
            (BreakCode::PayoutDiffers, _) => "settle_difference_with_biller",
        }
    }
}

/// One disagreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// Who disagrees.
    pub source: Source,
    /// How.
    pub code: BreakCode,
    /// The payment, as they or we call it.
    pub reference: String,
    /// Minor units in the ledger.
    pub ours_minor: Option<i64>,
    /// Minor units in their list.
    pub theirs_minor: Option<i64>,
}
