//! What families refuse, in order of precedence.

use std::fmt;

use crate::bill::BillError;
use crate::identity::IdentityError;
use crate::{Fault, Refusal};

/// A refusal of the family slice. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FamilyError {
    /// The phone is nobody's, or the PIN is not right.
    Identity(IdentityError),
    /// The bills cannot be read.
    Bill(Box<BillError>),
    /// The label cannot be so.
    LabelMalformed,
    /// The key was used for another invitation.
    KeyUsedDifferently,
    /// The phone is one's own.
    Oneself,
    /// There is a live link of these two already.
    Exists,
    /// The helper has as many links as may be.
    TooMany,
    /// No such link of this resident.
    Unknown,
    /// Only the owner of the accounts can consent.
    NotTheOwner,
    /// A consent to more than was asked for.
    MoreThanAsked,
    /// The invitation has lapsed, or the link has ended.
    Over,
    /// The owner does not consent to this, or not any more.
    NoConsent,
    /// Something below failed.
    Fault(Fault),
}

impl fmt::Display for FamilyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity(e) => return e.fmt(f),
            Self::Bill(e) => return e.fmt(f),
            Self::Fault(e) => return e.fmt(f),
            Self::LabelMalformed => "`label` has 1 to 20 characters, none of them a control character",
            Self::KeyUsedDifferently => "this idempotency key was used for another invitation",
            Self::Oneself => "this phone is your own",
            Self::Exists => "there is a link to this resident already",
            Self::TooMany => "you look after as many as you may",
            Self::Unknown => "no such link",
            Self::NotTheOwner => "only whose accounts they are can consent",
            Self::MoreThanAsked => "this is more than was asked for",
            Self::Over => "this invitation has lapsed, or it was ended",
            Self::NoConsent => "there is no consent to this",
        })
    }
}

impl std::error::Error for FamilyError {}

impl Refusal for FamilyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Identity(e) => e.code(),
            Self::Bill(e) => e.code(),
            Self::LabelMalformed => "label_malformed",
            Self::KeyUsedDifferently => "idempotency_key_used",
            Self::Oneself => "family_oneself",
            Self::Exists => "family_exists",
            Self::TooMany => "family_too_many",
            Self::Unknown => "family_unknown",
            Self::NotTheOwner => "family_not_the_owner",
            Self::MoreThanAsked => "family_more_than_asked",
            Self::Over => "family_over",
            Self::NoConsent => "family_no_consent",
            Self::Fault(e) => e.code(),
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Identity(e) => e.status(),
            Self::Bill(e) => e.status(),
            Self::LabelMalformed | Self::Oneself | Self::MoreThanAsked => 422,
            Self::Unknown => 404,
            Self::NotTheOwner | Self::NoConsent => 403,
            Self::Fault(e) => e.status(),
            _ => 409,
        }
    }
}

impl From<IdentityError> for FamilyError {
    fn from(e: IdentityError) -> Self {
        Self::Identity(e)
    }
}

impl From<BillError> for FamilyError {
    fn from(e: BillError) -> Self {
        Self::Bill(Box::new(e))
    }
}

impl From<Fault> for FamilyError {
    fn from(e: Fault) -> Self {
        Self::Fault(e)
    }
}

impl From<store::StoreError> for FamilyError {
    fn from(e: store::StoreError) -> Self {
        Self::Fault(e.into())
    }
}
