//! What trades refuse, in order of precedence.

use std::fmt;

use codes::mpm::MpmError;

use super::reconcile::rules::LineFault;
use crate::coupon::CouponError;
use crate::identity::IdentityError;
use crate::merchant::MerchantError;
use crate::wallet::WalletError;
use crate::{Fault, Refusal};

/// A refusal of the trade slice. No money moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TradeError {
    /// Not signed in, wrong role, wrong PIN, a payment code that is not good.
    Identity(IdentityError),
    /// The scanned text is no merchant code; holds what is wrong with it.
    Code(MpmError),
    /// A sound merchant code, but of another payment system.
    ForeignCode,
    /// A payer's payment code: only a till can take it.
    IsPaymentCode,
    /// The personal code is none, or the resident's own.
    Wallet(WalletError),
    /// An order or refund number is 1 to 64 visible ASCII characters.
    NumberMalformed,
    /// A subject has at most 64 characters, none of them a control character.
    SubjectMalformed,
    /// An order lives 10 seconds to 24 hours.
    LifetimeUnacceptable,
    /// Not positive, too large, or another currency than the city's.
    AmountUnacceptable,
    /// A poster's code needs an amount.
    AmountMissing,
    /// The order is for another amount.
    AmountDiffers,
    /// No such shop.
    Merchant(MerchantError),
    /// The shop takes no more payments.
    MerchantClosed,
    /// No such trade.
    TradeUnknown,
    /// The order number was used for an order with another amount, subject or till.
    OrderDiffers,
    /// The key was used for another shop, amount or coupon.
    KeyUsedDifferently,
    /// The trade waits for somebody else.
    NotForYou,
    /// The trade was closed or cancelled, or its time is over.
    TradeClosed,
    /// Somebody paid it already.
    TradeAlreadyPaid,
    /// This payment code was used: one code, one try.
    PaymentCodeUsed,
    /// The coupon cannot be used for this payment.
    Coupon(CouponError),
    /// The balance does not cover it.
    InsufficientBalance,
    /// The KYC allowance does not cover it.
    CapReached,
    /// It failed so often that it needs a new order.
    AttemptsExhausted,
    /// Only a paid trade can be refunded.
    TradeNotPaid,
    /// More than what is left of the payment.
    RefundExceedsPaid,
    /// The refund number was used for another amount.
    RefundDiffers,
    /// The shop's balance does not cover the refund.
    MerchantBalanceInsufficient,
    /// A statement is made when its day is over.
    DayNotOver,
    /// The first day is after the last, or they are too many.
    DaysUnacceptable,
    /// A line of the shop's own list cannot be read; holds the line, from 1, and the reason.
    LineMalformed(u64, LineFault),
    /// No such movement of this resident.
    PaymentUnknown,
    /// Something below failed.
    Fault(Fault),
}

impl fmt::Display for TradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity(e) => return e.fmt(f),
            Self::Code(e) => return e.fmt(f),
            Self::Merchant(e) => return e.fmt(f),
            Self::Fault(e) => return e.fmt(f),
            Self::Wallet(e) => return e.fmt(f),
            Self::Coupon(e) => return e.fmt(f),
            Self::ForeignCode => "this code belongs to another payment system",
            Self::IsPaymentCode => {
                "this is a payment code: a till scans it; to pay a person scan their personal code"
            }
            Self::NumberMalformed => "an order or refund number is 1 to 64 visible ASCII characters",
            Self::SubjectMalformed => "a subject has at most 64 characters without control characters",
            Self::LifetimeUnacceptable => "an order lives 10 seconds to 24 hours",
            Self::AmountUnacceptable => "an amount is positive, in the city's currency and below ten billion",
            Self::AmountMissing => "this code has no amount: send one",
            Self::AmountDiffers => "the order is for another amount",
            Self::MerchantClosed => "this shop takes no payments",
            Self::TradeUnknown => "no such trade",
            Self::OrderDiffers => "this order number was used with another amount, subject or till",
            Self::KeyUsedDifferently => "this idempotency key was used for another shop, amount or coupon",
            Self::NotForYou => "this trade waits for somebody else",
            Self::TradeClosed => "this trade is closed",
            Self::TradeAlreadyPaid => "this trade was paid by somebody already",
            Self::PaymentCodeUsed => "this payment code was used; show a fresh one",
            Self::InsufficientBalance => "the balance does not cover the amount",
            Self::CapReached => "the allowance of this account's tier does not cover the amount",
            Self::AttemptsExhausted => "this trade failed too often; make a new order",
            Self::TradeNotPaid => "only a paid trade can be refunded",
            Self::RefundExceedsPaid => "the refund is more than what is left of the payment",
            Self::RefundDiffers => "this refund number was used for another amount",
            Self::MerchantBalanceInsufficient => "the shop's balance does not cover the refund",
            Self::DayNotOver => "a statement is made when its day is over",
            Self::DaysUnacceptable => "`from` is not after `to`, and they are at most 92 days",
            Self::PaymentUnknown => "no such payment",
            Self::LineMalformed(line, why) => return write!(f, "line {line}: {why}"),
        })
    }
}

impl std::error::Error for TradeError {}

impl Refusal for TradeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Identity(e) => e.code(),
            Self::Code(e) => e.code(),
            Self::ForeignCode => "foreign_code",
            Self::IsPaymentCode => "is_payment_code",
            Self::Wallet(e) => e.code(),
            Self::Coupon(e) => e.code(),
            Self::NumberMalformed => "number_malformed",
            Self::SubjectMalformed => "subject_malformed",
            Self::LifetimeUnacceptable => "lifetime_unacceptable",
            Self::AmountUnacceptable => "amount_unacceptable",
            Self::AmountMissing => "amount_missing",
            Self::AmountDiffers => "amount_differs",
            Self::Merchant(e) => e.code(),
            Self::MerchantClosed => "merchant_closed",
            Self::TradeUnknown => "trade_unknown",
            Self::OrderDiffers => "order_differs",
            Self::KeyUsedDifferently => "idempotency_key_used",
            Self::NotForYou => "trade_not_for_you",
            Self::TradeClosed => "trade_closed",
            Self::TradeAlreadyPaid => "trade_already_paid",
            Self::PaymentCodeUsed => "payment_code_used",
            Self::InsufficientBalance => "insufficient_balance",
            Self::CapReached => "cap_reached",
            Self::AttemptsExhausted => "attempts_exhausted",
            Self::TradeNotPaid => "trade_not_paid",
            Self::RefundExceedsPaid => "refund_exceeds_paid",
            Self::RefundDiffers => "refund_differs",
            Self::MerchantBalanceInsufficient => "merchant_balance_insufficient",
            Self::DayNotOver => "day_not_over",
            Self::DaysUnacceptable => "days_unacceptable",
            Self::LineMalformed(..) => "line_malformed",
            Self::PaymentUnknown => "payment_unknown",
            Self::Fault(e) => e.code(),
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Identity(e) => e.status(),
            Self::Merchant(e) => e.status(),
            Self::Wallet(e) => e.status(),
            Self::Coupon(e) => e.status(),
            Self::Code(_)
            | Self::ForeignCode
            | Self::IsPaymentCode
            | Self::NumberMalformed
            | Self::SubjectMalformed
            | Self::LifetimeUnacceptable
            | Self::AmountUnacceptable
            | Self::AmountMissing
            | Self::DaysUnacceptable
            | Self::LineMalformed(..) => 422,
            Self::TradeUnknown | Self::PaymentUnknown => 404,
            Self::NotForYou => 403,
            Self::Fault(e) => e.status(),
            _ => 409,
        }
    }
}

impl From<IdentityError> for TradeError {
    fn from(e: IdentityError) -> Self {
        Self::Identity(e)
    }
}

impl From<MerchantError> for TradeError {
    fn from(e: MerchantError) -> Self {
        Self::Merchant(e)
    }
}

impl From<WalletError> for TradeError {
    fn from(e: WalletError) -> Self {
        Self::Wallet(e)
    }
}

impl From<CouponError> for TradeError {
    fn from(e: CouponError) -> Self {
        match e {
            CouponError::Fault(fault) => Self::Fault(fault),
            refused => Self::Coupon(refused),
        }
    }
}

impl From<Fault> for TradeError {
    fn from(e: Fault) -> Self {
        Self::Fault(e)
    }
}

impl From<store::StoreError> for TradeError {
    fn from(e: store::StoreError) -> Self {
        Self::Fault(e.into())
    }
}

impl From<ledger::EngineError> for TradeError {
    fn from(e: ledger::EngineError) -> Self {
        Self::Fault(e.into())
    }
}
