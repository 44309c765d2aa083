//! What mandates refuse, in order of precedence.

use std::fmt;

use crate::bill::BillError;
use crate::family::FamilyError;
use crate::identity::IdentityError;
use crate::remind::RemindError;
use crate::{Fault, Refusal};

/// A refusal of the mandate slice. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MandateError {
    /// The PIN is not right.
    Identity(IdentityError),
    /// The biller or its account number is not known.
    Bill(Box<BillError>),
    /// The family member does not consent.
    Family(Box<FamilyError>),
    /// A note cannot be planned.
    Remind(Box<RemindError>),
    /// A term cannot be so; holds its name.
    Malformed(&'static str),
    /// The key was used for another mandate.
    KeyUsedDifferently,
    /// The resident has as many mandates as may be.
    TooMany,
    /// No such mandate of this resident.
    Unknown,
    /// It was revoked.
    Revoked,
    /// It was changed at the same moment.
    Changed,
    /// This mandate has nothing to do with this bill.
    RunUnknown,
    /// A debit is under way.
    RunUnderWay,
    /// The bill was debited, skipped, paid otherwise or given up.
    RunFinal,
    /// Something below failed.
    Fault(Fault),
}

impl fmt::Display for MandateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity(e) => return e.fmt(f),
            Self::Bill(e) => return e.fmt(f),
            Self::Family(e) => return e.fmt(f),
            Self::Remind(e) => return e.fmt(f),
            Self::Fault(e) => return e.fmt(f),
            Self::Malformed("cap_bill") => "`cap_bill` is positive, below a billion, in the city's currency",
            Self::Malformed("cap_month") => {
                "`cap_month` is at least `cap_bill`, below a billion, in the city's currency"
            }
            Self::Malformed("valid_from") => "`valid_from` is today or within a year",
            Self::Malformed("valid_until") => "`valid_until` is not before today and not before `valid_from`",
            Self::Malformed("notice_days") => "`notice_days` is 0 to 14",
            Self::Malformed("pay") => "`days_before_due` is 0 to 30",
            Self::Malformed("account") => "a mandate is for one account, or for categories of kept accounts",
            Self::Malformed(field) => return write!(f, "`{field}` cannot be so"),
            Self::KeyUsedDifferently => "this idempotency key was used for another mandate",
            Self::TooMany => "you have as many mandates as you may",
            Self::Unknown => "no such mandate",
            Self::Revoked => "this mandate was revoked",
            Self::Changed => "this mandate was changed at the same moment: look at it again",
            Self::RunUnknown => "this mandate has not found such a bill",
            Self::RunUnderWay => "a debit is under way",
            Self::RunFinal => "this bill was debited, paid otherwise or given up",
        })
    }
}

impl std::error::Error for MandateError {}

impl Refusal for MandateError {
    fn code(&self) -> &'static str {
        match self {
            Self::Identity(e) => e.code(),
            Self::Bill(e) => e.code(),
            Self::Family(e) => e.code(),
            Self::Remind(e) => e.code(),
            Self::Malformed(_) => "mandate_malformed",
            Self::KeyUsedDifferently => "idempotency_key_used",
            Self::TooMany => "mandate_too_many",
            Self::Unknown => "mandate_unknown",
            Self::Revoked => "mandate_revoked",
            Self::Changed => "mandate_changed",
            Self::RunUnknown => "mandate_run_unknown",
            Self::RunUnderWay => "mandate_run_under_way",
            Self::RunFinal => "mandate_run_final",
            Self::Fault(e) => e.code(),
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Identity(e) => e.status(),
            Self::Bill(e) => e.status(),
            Self::Family(e) => e.status(),
            Self::Remind(e) => e.status(),
            Self::Malformed(_) => 422,
            Self::Unknown | Self::RunUnknown => 404,
            Self::Fault(e) => e.status(),
            _ => 409,
        }
    }
}

impl From<IdentityError> for MandateError {
    fn from(e: IdentityError) -> Self {
        Self::Identity(e)
    }
}

impl From<BillError> for MandateError {
    fn from(e: BillError) -> Self {
        match e {
            BillError::Fault(e) => Self::Fault(e),
            e => Self::Bill(Box::new(e)),
        }
    }
}

impl From<FamilyError> for MandateError {
    fn from(e: FamilyError) -> Self {
        match e {
            FamilyError::Fault(e) => Self::Fault(e),
            e => Self::Family(Box::new(e)),
        }
    }
}

impl From<RemindError> for MandateError {
    fn from(e: RemindError) -> Self {
        match e {
            RemindError::Fault(e) => Self::Fault(e),
            e => Self::Remind(Box::new(e)),
        }
    }
}

impl From<Fault> for MandateError {
    fn from(e: Fault) -> Self {
        Self::Fault(e)
    }
}

impl From<store::StoreError> for MandateError {
    fn from(e: store::StoreError) -> Self {
        Self::Fault(e.into())
    }
}
