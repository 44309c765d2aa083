//! What collecting and advances refuse, in order of precedence.

use std::fmt;

use crate::Refusal;

/// A refusal of collecting, or of advances. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CollectError {
    /// What a collector is registered with cannot be.
    Malformed(&'static str),
    /// No such collector.
    Unknown,
    /// The reference has registered another collector.
    Differs,
    /// It collects no more.
    Closed,
    /// It does not collect for this biller.
    NotAllowed,
    /// What it may owe does not cover the amount.
    LimitReached,
    /// It owes more than the new limit.
    LimitInUse,
    /// Somebody else changed the limit at the same time.
    LimitChanged,
    /// The reference stands for something else.
    ReferenceUsed,
    /// No such claim of this collector.
    ClaimUnknown,
    /// The claim was cancelled.
    ClaimCancelled,
    /// The money was taken: it cannot be cancelled.
    ClaimConfirmed,
    /// The money was taken in the future, or too long ago.
    TakenAt,
    /// A line of a batch cannot be read; nothing of it was taken in.
    Line(usize, String),
    /// The batch has more lines than may be.
    TooManyLines,
    /// The biller takes no money in advance.
    NoAdvance,
    /// Nobody held money for it: no such payment into an advance, or not this resident's.
    AdvanceUnknown,
    /// What is held for the account does not cover it.
    AdvanceShort,
    /// The resident does not keep this account.
    NotKept,
}

impl fmt::Display for CollectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed(why) => why,
            Self::Line(line, why) => return write!(f, "line {line}: {why}"),
            Self::Unknown => "no such collector",
            Self::Differs => "this reference has registered a collector with other content",
            Self::Closed => "this collector collects no more",
            Self::NotAllowed => "this collector does not collect for the biller",
            Self::LimitReached => "the collector owes as much as it may; it must hand over what it collected",
            Self::LimitInUse => "the collector owes more than the new limit would allow",
            Self::LimitChanged => "somebody else changed the limit at the same time; look at it again",
            Self::ReferenceUsed => "this reference stands for something else",
            Self::ClaimUnknown => "no such claim",
            Self::ClaimCancelled => "the claim was cancelled",
            Self::ClaimConfirmed => "the claim was confirmed: the money counts as taken",
            Self::TakenAt => "money is taken now or in the last 31 days",
            Self::TooManyLines => "a batch has 10,000 lines at most",
            Self::NoAdvance => "this biller takes no money in advance",
            Self::AdvanceUnknown => "no such payment in advance",
            Self::AdvanceShort => "what is held for the account does not cover it",
            Self::NotKept => "keep the account first",
        })
    }
}

impl std::error::Error for CollectError {}

impl Refusal for CollectError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "collector_malformed",
            Self::Unknown => "collector_unknown",
            Self::Differs => "collector_differs",
            Self::Closed => "collector_closed",
            Self::NotAllowed => "collector_not_allowed",
            Self::LimitReached => "collector_limit_reached",
            Self::LimitInUse => "collector_limit_in_use",
            Self::LimitChanged => "collector_limit_changed",
            Self::ReferenceUsed => "collector_reference_used",
            Self::ClaimUnknown => "claim_unknown",
            Self::ClaimCancelled => "claim_cancelled",
            Self::ClaimConfirmed => "claim_confirmed",
            Self::TakenAt => "taken_at_unacceptable",
            Self::Line(..) => "receipt_line_malformed",
            Self::TooManyLines => "receipt_lines_max",
            Self::NoAdvance => "advance_not_taken",
            Self::AdvanceUnknown => "advance_unknown",
            Self::AdvanceShort => "advance_insufficient",
            Self::NotKept => "bill_account_not_kept",
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::NotAllowed => 403,
            Self::Unknown | Self::ClaimUnknown | Self::AdvanceUnknown | Self::NotKept => 404,
            Self::Malformed(_) | Self::TakenAt | Self::Line(..) | Self::TooManyLines => 422,
            Self::Differs
            | Self::Closed
            | Self::LimitReached
            | Self::LimitInUse
            | Self::LimitChanged
            | Self::ReferenceUsed
            | Self::ClaimCancelled
            | Self::ClaimConfirmed
            | Self::NoAdvance
            | Self::AdvanceShort => 409,
        }
    }
}
