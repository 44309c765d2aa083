//! What paying out by bank refuses.

use std::fmt;

use channel::iso20022;

/// A refusal; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayoutError {
    /// The configuration names no account to pay from.
    NoAccount,
    /// The day has not come.
    NotDue,
    /// Nothing waits to be paid out.
    Nothing,
    /// No such payout.
    Unknown,
    /// No such batch.
    BatchUnknown,
    /// The bank has not sent it back, or it was sent again already.
    NotSentBack,
    /// The bank's message contradicts itself or is none.
    Message(iso20022::Fault),
    /// A message of this id was taken with other content.
    MessageDiffers,
    /// A statement of another account.
    AccountDiffers,
}

impl PayoutError {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NoAccount => "payout_account_missing",
            Self::NotDue => "payout_not_due",
            Self::Nothing => "payout_nothing_due",
            Self::Unknown => "payout_unknown",
            Self::BatchUnknown => "payout_batch_unknown",
            Self::NotSentBack => "payout_not_sent_back",
            Self::Message(fault) => fault.code(),
            Self::MessageDiffers => "bank_message_differs",
            Self::AccountDiffers => "bank_account_differs",
        }
    }

    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Unknown | Self::BatchUnknown => 404,
            Self::Message(_) | Self::AccountDiffers => 422,
            _ => 409,
        }
    }
}

impl fmt::Display for PayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Message(fault) => return fault.fmt(f),
            Self::NoAccount => "the configuration names no account to pay out from",
            Self::NotDue => "this day has not come",
            Self::Nothing => "nothing waits to be paid out",
            Self::Unknown => "no such payout",
            Self::BatchUnknown => "no such batch of payouts",
            Self::NotSentBack => "the bank has not sent this payout back, or it was sent again already",
            Self::MessageDiffers => "a message of this id was taken before, with other content",
            Self::AccountDiffers => "this is not the account that payouts leave",
        })
    }
}

impl std::error::Error for PayoutError {}
