//! What the complaint slice refuses, in order of precedence.

use std::fmt;

use super::rules::ComplaintState;
use crate::bill::BillError;
use crate::identity::IdentityError;
use crate::{Fault, Refusal};

/// A refusal. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ComplaintError {
    /// Wrong role.
    Identity(IdentityError),
    /// No such bill, no such payment.
    Bill(BillError),
    /// Neither a payment nor a bill is named, or both are.
    SubjectMissing,
    /// What people write has 4 to 500 characters.
    WordsMalformed,
    /// This resident has not paid the bill, so nothing of the kind can be wrong with it.
    NothingPaid,
    /// No such complaint of this resident or biller.
    Unknown,
    /// It is somebody else's turn, or it has ended; holds its state.
    NotYourTurn(ComplaintState),
    /// The biller has answered otherwise.
    Answered,
    /// An amount that is not positive, or more than is left of the payment.
    AmountUnacceptable,
    /// There is no payment to give back.
    NothingToRefund,
    /// Who decided on the refund cannot agree to it.
    Own,
    /// It was reopened once already.
    ReopenedBefore,
    /// Something below failed.
    Fault(Fault),
}

impl fmt::Display for ComplaintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity(e) => return e.fmt(f),
            Self::Bill(e) => return e.fmt(f),
            Self::Fault(e) => return e.fmt(f),
            Self::NotYourTurn(state) => return write!(f, "the complaint is {} now", state.name()),
            Self::SubjectMissing => "name the payment or the bill, one of them",
            Self::WordsMalformed => {
                "say what happened: 4 to 500 characters, none of them a control character"
            }
            Self::NothingPaid => "you have not paid this bill here",
            Self::Unknown => "no such complaint",
            Self::Answered => "the biller has answered otherwise already",
            Self::AmountUnacceptable => "a refund is positive and no more than is left of the payment",
            Self::NothingToRefund => "nothing was paid here, so nothing can be given back",
            Self::Own => "who decided on the refund cannot agree to it; another operator must",
            Self::ReopenedBefore => "a complaint is reopened once",
        })
    }
}

impl std::error::Error for ComplaintError {}

impl Refusal for ComplaintError {
    fn code(&self) -> &'static str {
        match self {
            Self::Identity(e) => e.code(),
            Self::Bill(e) => e.code(),
            Self::SubjectMissing => "complaint_subject_missing",
            Self::WordsMalformed => "complaint_words_malformed",
            Self::NothingPaid => "complaint_nothing_paid",
            Self::Unknown => "complaint_unknown",
            Self::NotYourTurn(_) => "complaint_not_your_turn",
            Self::Answered => "complaint_answered",
            Self::AmountUnacceptable => "complaint_amount_unacceptable",
            Self::NothingToRefund => "complaint_nothing_to_refund",
            Self::Own => "complaint_own",
            Self::ReopenedBefore => "complaint_reopened_before",
            Self::Fault(e) => e.code(),
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Identity(e) => e.status(),
            Self::Bill(e) => e.status(),
            Self::SubjectMissing
            | Self::WordsMalformed
            | Self::AmountUnacceptable
            | Self::NothingToRefund => 422,
            Self::Unknown => 404,
            Self::Own => 403,
            Self::NothingPaid | Self::NotYourTurn(_) | Self::Answered | Self::ReopenedBefore => 409,
            Self::Fault(e) => e.status(),
        }
    }
}

impl From<IdentityError> for ComplaintError {
    fn from(e: IdentityError) -> Self {
        Self::Identity(e)
    }
}

impl From<BillError> for ComplaintError {
    fn from(e: BillError) -> Self {
        Self::Bill(e)
    }
}

impl From<Fault> for ComplaintError {
    fn from(e: Fault) -> Self {
        Self::Fault(e)
    }
}

impl From<store::StoreError> for ComplaintError {
    fn from(e: store::StoreError) -> Self {
        Self::Fault(e.into())
    }
}

impl From<ledger::EngineError> for ComplaintError {
    fn from(e: ledger::EngineError) -> Self {
        Self::Fault(e.into())
    }
}
