//! What the operator slice refuses, in order of precedence.

use std::fmt;

use ledger::EngineError;
use store::StoreError;

use crate::bill::BillError;
use crate::complaint::ComplaintError;
use crate::coupon::CouponError;
use crate::event::EventError;
use crate::identity::IdentityError;
use crate::merchant::MerchantError;
use crate::wallet::WalletError;
use crate::{Fault, Refusal};

/// A refusal. Nothing was changed, except that the audit trail may say that it was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorError {
    /// The key does not reach so far, or what identity refuses.
    Identity(IdentityError),
    /// What the wallet refuses.
    Wallet(WalletError),
    /// What the merchant slice refuses.
    Merchant(MerchantError),
    /// What the bill slice refuses.
    Bill(BillError),
    /// What the complaint slice refuses.
    Complaint(ComplaintError),
    /// What the event slice refuses.
    Event(EventError),
    /// What the coupon slice refuses.
    Coupon(CouponError),
    /// No reason of 4 to 200 characters where one is needed.
    ReasonMissing,
    /// A look-up needs a whole phone number, a whole id, or for shops two characters of a name.
    LookUpMalformed,
    /// No such approval.
    ApprovalUnknown,
    /// Who asked for it cannot decide on it, with whatever key.
    ApprovalOwn,
    /// One operator may hold the asker's key and this one: he made one of them, or both.
    ApprovalOneHand,
    /// It was decided otherwise, or it has failed; holds its state.
    ApprovalDecided(&'static str),
    /// A request for this bank reference waits already, for another amount or party.
    ApprovalDiffers,
    /// The day has no such disagreement (any more).
    BreakUnknown,
    /// Something below failed.
    Fault(Fault),
}

impl fmt::Display for OperatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity(e) => return e.fmt(f),
            Self::Wallet(e) => return e.fmt(f),
            Self::Merchant(e) => return e.fmt(f),
            Self::Bill(e) => return e.fmt(f),
            Self::Complaint(e) => return e.fmt(f),
            Self::Event(e) => return e.fmt(f),
            Self::Coupon(e) => return e.fmt(f),
            Self::Fault(e) => return e.fmt(f),
            Self::ApprovalDecided(state) => return write!(f, "this request is {state} already"),
            Self::ReasonMissing => {
                "say why: a `reason` of 4 to 200 characters, none of them a control character"
            }
            Self::LookUpMalformed => {
                "look up by a whole phone number or id; a shop also by its reference or 2 characters of its name"
            }
            Self::ApprovalUnknown => "no such approval",
            Self::ApprovalOwn => "who asked cannot decide; another operator must",
            Self::ApprovalOneHand => {
                "one operator may hold both keys, having made them: somebody whose key comes from another must decide"
            }
            Self::ApprovalDiffers => {
                "a request for this bank reference waits already, for another amount or party"
            }
            Self::BreakUnknown => "the day has no such disagreement; list them again",
        })
    }
}

impl std::error::Error for OperatorError {}

impl Refusal for OperatorError {
    fn code(&self) -> &'static str {
        match self {
            Self::Identity(e) => e.code(),
            Self::Wallet(e) => e.code(),
            Self::Merchant(e) => e.code(),
            Self::Bill(e) => e.code(),
            Self::Complaint(e) => e.code(),
            Self::Event(e) => e.code(),
            Self::Coupon(e) => e.code(),
            Self::ReasonMissing => "reason_missing",
            Self::LookUpMalformed => "look_up_malformed",
            Self::ApprovalUnknown => "approval_unknown",
            Self::ApprovalOwn => "approval_own",
            Self::ApprovalOneHand => "approval_one_hand",
            Self::ApprovalDecided(_) => "approval_decided",
            Self::ApprovalDiffers => "approval_differs",
            Self::BreakUnknown => "break_unknown",
            Self::Fault(e) => e.code(),
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Identity(e) => e.status(),
            Self::Wallet(e) => e.status(),
            Self::Merchant(e) => e.status(),
            Self::Bill(e) => e.status(),
            Self::Complaint(e) => e.status(),
            Self::Event(e) => e.status(),
            Self::Coupon(e) => e.status(),
            Self::Fault(e) => e.status(),
            Self::ReasonMissing | Self::LookUpMalformed => 422,
            Self::ApprovalOwn | Self::ApprovalOneHand => 403,
            Self::ApprovalUnknown | Self::BreakUnknown => 404,
            Self::ApprovalDecided(_) | Self::ApprovalDiffers => 409,
        }
    }
}

impl From<IdentityError> for OperatorError {
    fn from(e: IdentityError) -> Self {
        Self::Identity(e)
    }
}

impl From<WalletError> for OperatorError {
    fn from(e: WalletError) -> Self {
        Self::Wallet(e)
    }
}

impl From<MerchantError> for OperatorError {
    fn from(e: MerchantError) -> Self {
        Self::Merchant(e)
    }
}

impl From<BillError> for OperatorError {
    fn from(e: BillError) -> Self {
        Self::Bill(e)
    }
}

impl From<ComplaintError> for OperatorError {
    fn from(e: ComplaintError) -> Self {
        Self::Complaint(e)
    }
}

impl From<EventError> for OperatorError {
    fn from(e: EventError) -> Self {
        Self::Event(e)
    }
}

impl From<CouponError> for OperatorError {
    fn from(e: CouponError) -> Self {
        Self::Coupon(e)
    }
}

impl From<Fault> for OperatorError {
    fn from(e: Fault) -> Self {
        Self::Fault(e)
    }
}

impl From<StoreError> for OperatorError {
    fn from(e: StoreError) -> Self {
        Self::Fault(e.into())
    }
}

impl From<EngineError> for OperatorError {
    fn from(e: EngineError) -> Self {
        Self::Fault(e.into())
    }
}
