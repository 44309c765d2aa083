//! What the merchant slice refuses, in order of precedence.

use std::fmt;

use ledger::{CreateTransferStatus, EngineError};
use store::StoreError;

use crate::identity::IdentityError;
use crate::{Fault, Refusal};

/// A refusal of the merchant slice. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MerchantError {
    /// The key does not reach so far.
    Identity(IdentityError),
    /// A field does not have the form its standard asks for; holds its name.
    Malformed(&'static str),
    /// No such shop.
    Unknown,
    /// The reference names another shop already; holds the field that differs.
    ReferenceTaken(&'static str),
    /// The shop has no such till in use.
    TillUnknown,
    /// Not positive, too large, or another currency than the city's.
    AmountUnacceptable,
    /// A bank reference is 1 to 64 visible ASCII characters.
    BankReferenceMalformed,
    /// The bank's reference was used for another shop or amount.
    BankReferenceUsed,
    /// The shop's balance does not cover it.
    BalanceInsufficient,
    /// This pay-out failed so often that it needs another reference.
    AttemptsExhausted,
    /// The approval of this pay-out was found impossible before, for good.
    GivenUp,
    /// The ledger will not have it; holds its word for why.
    LedgerRefused(CreateTransferStatus),
    /// Something below failed.
    Fault(Fault),
}

impl fmt::Display for MerchantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MerchantError::Identity(e) => e.fmt(f),
            MerchantError::Malformed(field) => write!(f, "`{field}` {}", form(field)),
            MerchantError::Unknown => f.write_str("no such shop"),
            MerchantError::ReferenceTaken(field) => {
                write!(f, "a shop of this reference exists with another `{field}`")
            }
            MerchantError::TillUnknown => f.write_str("the shop has no such till in use"),
            MerchantError::AmountUnacceptable => {
                f.write_str("an amount is positive, in the city's currency and below ten billion")
            }
            MerchantError::BankReferenceMalformed => {
                f.write_str("a bank reference is 1 to 64 visible ASCII characters")
            }
            MerchantError::BankReferenceUsed => {
                f.write_str("this reference was used for another shop or amount")
            }
            MerchantError::BalanceInsufficient => f.write_str("the shop's balance does not cover the amount"),
            MerchantError::AttemptsExhausted => {
                f.write_str("this pay-out failed too often; use another reference")
            }
            MerchantError::GivenUp => f.write_str("the approval of this pay-out has failed; ask for it anew"),
            MerchantError::LedgerRefused(status) => write!(f, "the ledger refuses this pay-out: {status}"),
            MerchantError::Fault(e) => e.fmt(f),
        }
    }
}

/// What is asked of a field, to follow its name.
fn form(field: &str) -> &'static str {
    match field {
        "reference" => "is 1 to 64 printable ASCII characters without spaces",
        "legal_id" => "is a GB 32100 identifier of 18 characters with a right check character",
        "mcc" => "is an ISO 18245 category of four digits",
        "city" => "is 1 to 15 characters without control characters",
        "region" => "is a GB/T 2260 code of six digits",
        _ => "is 1 to 60 characters without control characters",
    }
}

impl std::error::Error for MerchantError {}

impl Refusal for MerchantError {
    fn code(&self) -> &'static str {
        match self {
            MerchantError::Identity(e) => e.code(),
            MerchantError::Malformed(_) => "merchant_malformed",
            MerchantError::Unknown => "merchant_unknown",
            MerchantError::ReferenceTaken(_) => "merchant_reference_taken",
            MerchantError::TillUnknown => "till_unknown",
            MerchantError::AmountUnacceptable => "amount_unacceptable",
            MerchantError::BankReferenceMalformed => "reference_malformed",
            MerchantError::BankReferenceUsed => "idempotency_key_used",
            MerchantError::BalanceInsufficient => "merchant_balance_insufficient",
            MerchantError::AttemptsExhausted => "attempts_exhausted",
            MerchantError::GivenUp => "movement_given_up",
            MerchantError::LedgerRefused(_) => "ledger_refused",
            MerchantError::Fault(e) => e.code(),
        }
    }
    fn status(&self) -> u16 {
        match self {
            MerchantError::Identity(e) => e.status(),
            MerchantError::Malformed(_)
            | MerchantError::AmountUnacceptable
            | MerchantError::BankReferenceMalformed => 422,
            MerchantError::Unknown | MerchantError::TillUnknown => 404,
            MerchantError::ReferenceTaken(_)
            | MerchantError::BankReferenceUsed
            | MerchantError::BalanceInsufficient
            | MerchantError::AttemptsExhausted
            | MerchantError::GivenUp
            | MerchantError::LedgerRefused(_) => 409,
            MerchantError::Fault(e) => e.status(),
        }
    }
}

impl From<IdentityError> for MerchantError {
    fn from(e: IdentityError) -> MerchantError {
        MerchantError::Identity(e)
    }
}

impl From<Fault> for MerchantError {
    fn from(e: Fault) -> MerchantError {
        MerchantError::Fault(e)
    }
}

impl From<StoreError> for MerchantError {
    fn from(e: StoreError) -> MerchantError {
        MerchantError::Fault(e.into())
    }
}

impl From<EngineError> for MerchantError {
    fn from(e: EngineError) -> MerchantError {
        MerchantError::Fault(e.into())
    }
}
