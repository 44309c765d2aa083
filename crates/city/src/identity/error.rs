//! What identity refuses, in order of precedence.

use std::fmt;

use codes::payment_code::{CodeError, Refused};

use super::Role;
use super::guesses::Blocked;
use super::passkey::rules::Refused as PasskeyRefused;
use crate::{Fault, Refusal};

/// A refusal of identity. Nothing was changed, except that a wrong guess was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityError {
    /// No token or key, or one that is unknown, ended or revoked.
    Unauthenticated,
    /// A request by cookie without the session's CSRF token, or one that another site's page made.
    Csrf,
    /// The token or key is good, but speaks for somebody else than this route wants; holds whom it wants.
    WrongKey(&'static str),
    /// The key's role does not reach so far.
    Forbidden(Role),
    /// Not a phone number.
    PhoneMalformed,
    /// Not a usable name.
    NameMalformed,
    /// A code was sent to this phone less than a minute ago.
    CodeTooSoon,
    /// Ten codes were sent to this phone within a day and none was used.
    CodeTooMany,
    /// The message could not be handed over.
    SenderUnavailable,
    /// The one-time code is wrong; the guess counts.
    CodeWrong,
    /// No live one-time code: none sent, used, too old, or guessed at too often.
    CodeGone,
    /// Twenty unknown phones, or twenty codes that lead nowhere, were asked for today.
    TooManyLookups,
    /// No such resident.
    ResidentUnknown,
    /// Tiers are never lowered.
    TierLower,
    /// The PIN must be six digits, not all the same and not a run.
    PinUnacceptable,
    /// There is a PIN already; change or reset it.
    PinExists,
    /// A PIN is needed and none was set.
    PinNotSet,
    /// This needs the PIN and none was sent.
    PinRequired,
    /// The PIN is wrong; so many tries are left.
    PinWrong(i64),
    /// Five wrong PINs: reset it with a one-time code.
    PinLocked,
    /// No live challenge: none given out, used, or older than five minutes.
    PasskeyChallengeGone,
    /// No such passkey: removed, or never added here.
    PasskeyUnknown,
    /// This passkey was added before, by whomever.
    PasskeyExists,
    /// The resident has ten passkeys.
    PasskeysMax,
    /// The authenticator's answer is not believed.
    Passkey(PasskeyRefused),
    /// No such device.
    DeviceUnknown,
    /// No such key.
    KeyUnknown,
    /// No such operator.
    OperatorUnknown,
    /// The text is no payment code of this city.
    CodeMalformed(CodeError),
    /// Too many unknown payment codes, by this till, this shop or with this beginning.
    Guessing(Blocked),
    /// The payment code is not good for a payment.
    CodeRefused(Refused),
    /// Something below failed.
    Fault(Fault),
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthenticated => f.write_str(
                "sign in: send `authorization: Bearer …` with a live token or key, or a session's cookie",
            ),
            Self::Csrf => f.write_str(
                "by cookie, send `yima-csrf` with what `GET /v1/session` answers, from a page of this server",
            ),
            Self::WrongKey(wanted) => write!(f, "this route wants {wanted}"),
            Self::Forbidden(role) => write!(f, "this needs a key of role {}", role.name()),
            Self::PhoneMalformed => {
                f.write_str("a phone number is 11 digits of a Chinese mobile, or + and 7 to 15 digits")
            }
            Self::NameMalformed => {
                f.write_str("a name has 1 to 40 characters without control characters or outer spaces")
            }
            Self::CodeTooSoon => f.write_str("a code was sent less than a minute ago"),
            Self::CodeTooMany => f.write_str("ten codes were sent and none was used; try again tomorrow"),
            Self::SenderUnavailable => f.write_str("the message could not be sent; try again"),
            Self::CodeWrong => f.write_str("the one-time code is wrong"),
            Self::CodeGone => f.write_str("there is no live one-time code for this phone; request one"),
            Self::TooManyLookups => {
                f.write_str("too many unknown phone numbers or codes today; try again tomorrow")
            }
            Self::ResidentUnknown => f.write_str("no such resident"),
            Self::TierLower => f.write_str("the resident has a higher tier; tiers are never lowered"),
            Self::PinUnacceptable => {
                f.write_str("a PIN is six digits, not all the same and not a run like 123456")
            }
            Self::PinExists => {
                f.write_str("there is a PIN already; send the old one too, or reset it with a one-time code")
            }
            Self::PinNotSet => f.write_str("set a PIN first"),
            Self::PinRequired => f.write_str("this needs the PIN"),
            Self::PinWrong(left) => write!(f, "the PIN is wrong; {left} tries are left"),
            Self::PinLocked => {
                f.write_str("the PIN is locked after five wrong tries; reset it with a one-time code")
            }
            Self::PasskeyChallengeGone => {
                f.write_str("the challenge was used or is older than five minutes; begin anew")
            }
            Self::PasskeyUnknown => f.write_str("no such passkey: it was removed, or never added here"),
            Self::PasskeyExists => f.write_str("this passkey was added already"),
            Self::PasskeysMax => f.write_str("there are ten passkeys; remove one first"),
            Self::Passkey(e) => e.fmt(f),
            Self::DeviceUnknown => f.write_str("no such device"),
            Self::KeyUnknown => f.write_str("no such key"),
            Self::OperatorUnknown => f.write_str("no such operator"),
            Self::CodeMalformed(e) => e.fmt(f),
            Self::Guessing(Blocked::Key) => {
                f.write_str("this till scanned too many unknown codes; wait 15 minutes")
            }
            Self::Guessing(Blocked::Shop) => {
                f.write_str("the tills of this shop scanned too many unknown codes; wait 15 minutes")
            }
            Self::Guessing(Blocked::Locator) => {
                f.write_str("too many unknown codes like this one; show a fresh code in 5 minutes")
            }
            Self::CodeRefused(e) => e.fmt(f),
            Self::Fault(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for IdentityError {}

impl Refusal for IdentityError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Csrf => "csrf",
            Self::WrongKey(_) => "wrong_key",
            Self::Forbidden(_) => "forbidden",
            Self::PhoneMalformed => "phone_malformed",
            Self::NameMalformed => "name_malformed",
            Self::CodeTooSoon => "code_too_soon",
            Self::CodeTooMany => "code_too_many",
            Self::SenderUnavailable => "sender_unavailable",
            Self::CodeWrong => "code_wrong",
            Self::CodeGone => "code_gone",
            Self::TooManyLookups => "too_many_lookups",
            Self::ResidentUnknown => "resident_unknown",
            Self::TierLower => "tier_lower",
            Self::PinUnacceptable => "pin_unacceptable",
            Self::PinExists => "pin_exists",
            Self::PinNotSet => "pin_not_set",
            Self::PinRequired => "pin_required",
            Self::PinWrong(_) => "pin_wrong",
            Self::PinLocked => "pin_locked",
            Self::PasskeyChallengeGone => "passkey_challenge_gone",
            Self::PasskeyUnknown => "passkey_unknown",
            Self::PasskeyExists => "passkey_exists",
            Self::PasskeysMax => "passkeys_max",
            Self::Passkey(PasskeyRefused::Malformed(_)) => "passkey_malformed",
            Self::Passkey(_) => "passkey_refused",
            Self::DeviceUnknown => "device_unknown",
            Self::KeyUnknown => "key_unknown",
            Self::OperatorUnknown => "operator_unknown",
            Self::CodeMalformed(e) => e.code(),
            Self::Guessing(Blocked::Key | Blocked::Shop) => "too_many_unknown_codes",
            Self::Guessing(Blocked::Locator) => "payment_code_blocked",
            Self::CodeRefused(e) => e.code(),
            Self::Fault(e) => e.code(),
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::PhoneMalformed
            | Self::NameMalformed
            | Self::CodeWrong
            | Self::CodeGone
            | Self::PinUnacceptable
            | Self::PasskeyChallengeGone
            | Self::Passkey(PasskeyRefused::Malformed(_))
            | Self::CodeMalformed(_) => 422,
            Self::Unauthenticated => 401,
            Self::Csrf
            | Self::WrongKey(_)
            | Self::Forbidden(_)
            | Self::PinRequired
            | Self::PinWrong(_)
            | Self::PinLocked
            | Self::Passkey(_) => 403,
            Self::ResidentUnknown
            | Self::PasskeyUnknown
            | Self::DeviceUnknown
            | Self::KeyUnknown
            | Self::OperatorUnknown => 404,
            Self::TierLower
            | Self::PinExists
            | Self::PinNotSet
            | Self::PasskeyExists
            | Self::PasskeysMax
            | Self::CodeRefused(_) => 409,
            Self::CodeTooSoon | Self::CodeTooMany | Self::TooManyLookups | Self::Guessing(_) => 429,
            Self::SenderUnavailable => 503,
            Self::Fault(e) => e.status(),
        }
    }
}

impl From<Blocked> for IdentityError {
    fn from(e: Blocked) -> Self {
        Self::Guessing(e)
    }
}

impl From<PasskeyRefused> for IdentityError {
    fn from(e: PasskeyRefused) -> Self {
        Self::Passkey(e)
    }
}

impl From<Fault> for IdentityError {
    fn from(e: Fault) -> Self {
        Self::Fault(e)
    }
}

impl From<store::StoreError> for IdentityError {
    fn from(e: store::StoreError) -> Self {
        Self::Fault(e.into())
    }
}
