//! What coupons refuse, in order of precedence.

use std::fmt;

use crate::identity::IdentityError;
use crate::merchant::MerchantError;
use crate::wallet::WalletError;
use crate::{Fault, Refusal};

/// A refusal of the coupon slice. Nothing was changed, and no coupon used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CouponError {
    /// The key's role does not reach so far.
    Identity(IdentityError),
    /// The campaign is for a shop that is not there.
    Merchant(MerchantError),
    /// The budget cannot be moved.
    Wallet(WalletError),
    /// A field of a campaign cannot be so; holds its name.
    Malformed(&'static str),
    /// The key was used for another campaign.
    KeyUsedDifferently,
    /// No such campaign.
    Unknown,
    /// The campaign was ended: it takes no budget any more.
    Ended,
    /// Before its time, after it, or ended by the city.
    NotValid,
    /// It is for another shop.
    OtherShop,
    /// The amount is below the least that it is for.
    Minimum,
    /// This resident has used it.
    Used,
    /// The campaign's budget does not cover another one.
    Exhausted,
    /// Something below failed.
    Fault(Fault),
}

impl fmt::Display for CouponError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity(e) => return e.fmt(f),
            Self::Merchant(e) => return e.fmt(f),
            Self::Wallet(e) => return e.fmt(f),
            Self::Fault(e) => return e.fmt(f),
            Self::Malformed("name") => "`name` has 1 to 30 characters, none of them a control character",
            Self::Malformed("discount") => "`discount` is positive and less than `minimum`",
            Self::Malformed("minimum") => "`minimum` is an amount that can be paid, in the city's currency",
            Self::Malformed("budget") => "`budget` covers at least one coupon and is below ten billion",
            Self::Malformed("valid_until") => "`valid_until` is after `valid_from` and after now",
            Self::Malformed(field) => return write!(f, "`{field}` cannot be so"),
            Self::KeyUsedDifferently => "this idempotency key was used for another campaign",
            Self::Unknown => "no such coupon",
            Self::Ended => "this campaign was ended",
            Self::NotValid => "this coupon is not valid now",
            Self::OtherShop => "this coupon is for another shop",
            Self::Minimum => "the amount is below the least that this coupon is for",
            Self::Used => "this coupon was used",
            Self::Exhausted => "all of these coupons are used up",
        })
    }
}

impl std::error::Error for CouponError {}

impl Refusal for CouponError {
    fn code(&self) -> &'static str {
        match self {
            Self::Identity(e) => e.code(),
            Self::Merchant(e) => e.code(),
            Self::Wallet(e) => e.code(),
            Self::Malformed(_) => "campaign_malformed",
            Self::KeyUsedDifferently => "idempotency_key_used",
            Self::Unknown => "coupon_unknown",
            Self::Ended => "campaign_ended",
            Self::NotValid => "coupon_not_valid",
            Self::OtherShop => "coupon_other_shop",
            Self::Minimum => "coupon_minimum",
            Self::Used => "coupon_used",
            Self::Exhausted => "coupon_exhausted",
            Self::Fault(e) => e.code(),
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Identity(e) => e.status(),
            Self::Merchant(e) => e.status(),
            Self::Wallet(e) => e.status(),
            Self::Malformed(_) => 422,
            Self::Unknown => 404,
            Self::Fault(e) => e.status(),
            _ => 409,
        }
    }
}

impl From<IdentityError> for CouponError {
    fn from(e: IdentityError) -> Self {
        Self::Identity(e)
    }
}

impl From<WalletError> for CouponError {
    fn from(e: WalletError) -> Self {
        Self::Wallet(e)
    }
}

impl From<MerchantError> for CouponError {
    fn from(e: MerchantError) -> Self {
        Self::Merchant(e)
    }
}

impl From<Fault> for CouponError {
    fn from(e: Fault) -> Self {
        Self::Fault(e)
    }
}

impl From<store::StoreError> for CouponError {
    fn from(e: store::StoreError) -> Self {
        Self::Fault(e.into())
    }
}

impl From<ledger::EngineError> for CouponError {
    fn from(e: ledger::EngineError) -> Self {
        Self::Fault(e.into())
    }
}
