//! What the wallet refuses, in order of precedence.

use std::fmt;

use ledger::CreateTransferStatus;

use crate::identity::IdentityError;
use crate::{Fault, Refusal};

/// A refusal of the wallet. No money moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalletError {
    /// Not signed in, wrong role, wrong PIN, no such resident.
    Identity(IdentityError),
    /// Not positive, too large, or another currency than the city's.
    AmountUnacceptable,
    /// Not the text of a personal code.
    CodeMalformed,
    /// The personal code asks for another amount.
    AmountDiffersFromCode,
    /// A transfer to oneself.
    PayeeIsPayer,
    /// A bank reference is 1 to 64 visible ASCII characters.
    ReferenceMalformed,
    /// No idempotency key was sent, or one that is not 1 to 64 visible ASCII characters.
    KeyMissing,
    /// The key or reference was used for another amount or party.
    KeyUsedDifferently,
    /// The payee never signed in.
    PayeeWithoutWallet,
    /// The balance does not cover it.
    InsufficientBalance,
    /// The KYC allowance does not cover it.
    CapReached,
    /// This payment failed so often that it needs a new idempotency key.
    AttemptsExhausted,
    /// The approval of this movement was found impossible before, for good.
    GivenUp,
    /// The ledger will not have it; holds its word for why.
    LedgerRefused(CreateTransferStatus),
    /// Something below failed.
    Fault(Fault),
}

impl fmt::Display for WalletError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity(e) => return e.fmt(f),
            Self::Fault(e) => return e.fmt(f),
            Self::LedgerRefused(status) => return write!(f, "the ledger refuses this movement: {status}"),
            Self::AmountUnacceptable => "an amount is positive, in the city's currency and below ten billion",
            Self::CodeMalformed => "this is not a personal code",
            Self::AmountDiffersFromCode => "the personal code asks for another amount",
            Self::PayeeIsPayer => "a transfer needs two residents",
            Self::ReferenceMalformed => "a bank reference is 1 to 64 visible ASCII characters",
            Self::KeyMissing => "send an `idempotency-key` of 1 to 64 visible ASCII characters",
            Self::KeyUsedDifferently => "this key or reference was used for another amount or party",
            Self::PayeeWithoutWallet => "the payee has no wallet yet",
            Self::InsufficientBalance => "the balance does not cover the amount",
            Self::CapReached => "the allowance of this account's tier does not cover the amount",
            Self::AttemptsExhausted => "this payment failed too often; start a new one",
            Self::GivenUp => "the approval of this movement has failed; ask for it anew",
        })
    }
}

impl std::error::Error for WalletError {}

impl Refusal for WalletError {
    fn code(&self) -> &'static str {
        match self {
            Self::Identity(e) => e.code(),
            Self::AmountUnacceptable => "amount_unacceptable",
            Self::CodeMalformed => "personal_code_malformed",
            Self::AmountDiffersFromCode => "amount_differs_from_code",
            Self::PayeeIsPayer => "payee_is_payer",
            Self::ReferenceMalformed => "reference_malformed",
            Self::KeyMissing => "idempotency_key_missing",
            Self::KeyUsedDifferently => "idempotency_key_used",
            Self::PayeeWithoutWallet => "payee_without_wallet",
            Self::InsufficientBalance => "insufficient_balance",
            Self::CapReached => "cap_reached",
            Self::AttemptsExhausted => "attempts_exhausted",
            Self::GivenUp => "movement_given_up",
            Self::LedgerRefused(_) => "ledger_refused",
            Self::Fault(e) => e.code(),
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Identity(e) => e.status(),
            Self::KeyMissing => 400,
            Self::AmountUnacceptable
            | Self::CodeMalformed
            | Self::AmountDiffersFromCode
            | Self::PayeeIsPayer
            | Self::ReferenceMalformed => 422,
            Self::KeyUsedDifferently
            | Self::PayeeWithoutWallet
            | Self::InsufficientBalance
            | Self::CapReached
            | Self::AttemptsExhausted
            | Self::GivenUp
            | Self::LedgerRefused(_) => 409,
            Self::Fault(e) => e.status(),
        }
    }
}

impl From<IdentityError> for WalletError {
    fn from(e: IdentityError) -> Self {
        Self::Identity(e)
    }
}

impl From<Fault> for WalletError {
    fn from(e: Fault) -> Self {
        Self::Fault(e)
    }
}

impl From<ledger::EngineError> for WalletError {
    fn from(e: ledger::EngineError) -> Self {
        Self::Fault(e.into())
    }
}
