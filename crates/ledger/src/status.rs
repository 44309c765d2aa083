//! What became of each event of a batch.
//!
//! Names and numbers are TigerBeetle's, and the order of the variants is its order of precedence: the
//! first that applies is the answer. The numbers are stable; logs and files may carry them.

macro_rules! statuses {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$meta])*
        #[derive(Copy, Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
        #[repr(u32)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant = $code,)*
        }

        impl $name {
            /// Every status, in order of precedence.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// The stable number.
            pub const fn code(self) -> u32 {
                self as u32
            }
            /// The status with this number.
            pub fn from_code(code: u32) -> Option<$name> {
                match code {
                    $($code => Some($name::$variant),)*
                    _ => None,
                }
            }
            /// Whether the event is in the ledger after this answer, by this request or an earlier one.
            pub const fn is_in_ledger(self) -> bool {
                matches!(self, $name::Created | $name::Exists)
            }
        }

        impl From<$name> for u32 {
            fn from(status: $name) -> u32 {
                status.code()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(self, f)
            }
        }
    };
}

statuses! {
    /// What became of the creation of an account.
    CreateAccountStatus {
        /// Created, at the timestamp of the result.
        Created = 0xFFFF_FFFF,
        /// Another event of its linked chain failed.
        LinkedEventFailed = 1,
        /// The last event of the batch is linked to a next one that does not exist.
        LinkedEventChainOpen = 2,
        /// The first event of the batch is imported, this one is not.
        ImportedEventExpected = 22,
        /// The first event of the batch is not imported, this one is.
        ImportedEventNotExpected = 23,
        /// Only imported events bring their own timestamp.
        TimestampMustBeZero = 3,
        /// Zero or beyond 63 bits.
        ImportedEventTimestampOutOfRange = 24,
        /// It lies in the future.
        ImportedEventTimestampMustNotAdvance = 25,
        /// A reserved field is not zero (cannot happen here: there are none).
        ReservedField = 4,
        /// A flag without a meaning is set.
        ReservedFlag = 5,
        /// Zero is no id.
        IdMustNotBeZero = 6,
        /// `u128::MAX` is no id.
        IdMustNotBeIntMax = 7,
        /// The id exists, with another `flags`.
        ExistsWithDifferentFlags = 15,
        /// The id exists, with another `user_data_128`.
        ExistsWithDifferentUserData128 = 16,
        /// The id exists, with another `user_data_64`.
        ExistsWithDifferentUserData64 = 17,
        /// The id exists, with another `user_data_32`.
        ExistsWithDifferentUserData32 = 18,
        /// The id exists, with another `ledger`.
        ExistsWithDifferentLedger = 19,
        /// The id exists, with another `code`.
        ExistsWithDifferentCode = 20,
        /// The same event was created before; the result carries its timestamp.
        Exists = 21,
        /// Two flags contradict each other.
        FlagsAreMutuallyExclusive = 8,
        /// `debits_pending` is the ledger's to keep.
        DebitsPendingMustBeZero = 9,
        /// `debits_posted` is the ledger's to keep.
        DebitsPostedMustBeZero = 10,
        /// `credits_pending` is the ledger's to keep.
        CreditsPendingMustBeZero = 11,
        /// `credits_posted` is the ledger's to keep.
        CreditsPostedMustBeZero = 12,
        /// A ledger is required.
        LedgerMustNotBeZero = 13,
        /// A code is required.
        CodeMustNotBeZero = 14,
        /// Imports must come in the order of their timestamps, each unique.
        ImportedEventTimestampMustNotRegress = 26,
    }
}

statuses! {
    /// What became of the creation of a transfer.
    CreateTransferStatus {
        /// Created, at the timestamp of the result.
        Created = 0xFFFF_FFFF,
        /// Another event of its linked chain failed.
        LinkedEventFailed = 1,
        /// The last event of the batch is linked to a next one that does not exist.
        LinkedEventChainOpen = 2,
        /// The first event of the batch is imported, this one is not.
        ImportedEventExpected = 56,
        /// The first event of the batch is not imported, this one is.
        ImportedEventNotExpected = 57,
        /// Only imported events bring their own timestamp.
        TimestampMustBeZero = 3,
        /// Zero or beyond 63 bits.
        ImportedEventTimestampOutOfRange = 58,
        /// It lies in the future.
        ImportedEventTimestampMustNotAdvance = 59,
        /// A flag without a meaning is set.
        ReservedFlag = 4,
        /// Zero is no id.
        IdMustNotBeZero = 5,
        /// `u128::MAX` is no id.
        IdMustNotBeIntMax = 6,
        /// The id exists, with another `flags`.
        ExistsWithDifferentFlags = 36,
        /// The id exists, with another `pending_id`.
        ExistsWithDifferentPendingId = 40,
        /// The id exists, with another `timeout`.
        ExistsWithDifferentTimeout = 44,
        /// The id exists, with another `debit_account_id`.
        ExistsWithDifferentDebitAccountId = 37,
        /// The id exists, with another `credit_account_id`.
        ExistsWithDifferentCreditAccountId = 38,
        /// The id exists, with another `amount`.
        ExistsWithDifferentAmount = 39,
        /// The id exists, with another `user_data_128`.
        ExistsWithDifferentUserData128 = 41,
        /// The id exists, with another `user_data_64`.
        ExistsWithDifferentUserData64 = 42,
        /// The id exists, with another `user_data_32`.
        ExistsWithDifferentUserData32 = 43,
        /// The id exists, with another `ledger`.
        ExistsWithDifferentLedger = 67,
        /// The id exists, with another `code`.
        ExistsWithDifferentCode = 45,
        /// The same event was created before; the result carries its timestamp.
        Exists = 46,
        /// An earlier attempt with this id failed for a reason that may since have gone; use a new id.
        IdAlreadyFailed = 68,
        /// Two flags contradict each other.
        FlagsAreMutuallyExclusive = 7,
        /// A debit account is required.
        DebitAccountIdMustNotBeZero = 8,
        /// `u128::MAX` is no account.
        DebitAccountIdMustNotBeIntMax = 9,
        /// A credit account is required.
        CreditAccountIdMustNotBeZero = 10,
        /// `u128::MAX` is no account.
        CreditAccountIdMustNotBeIntMax = 11,
        /// Debit and credit account are the same.
        AccountsMustBeDifferent = 12,
        /// Only a post or void names a pending transfer.
        PendingIdMustBeZero = 13,
        /// A post or void must name its pending transfer.
        PendingIdMustNotBeZero = 14,
        /// `u128::MAX` is no transfer.
        PendingIdMustNotBeIntMax = 15,
        /// A transfer cannot resolve itself.
        PendingIdMustBeDifferent = 16,
        /// Only a pending transfer has a timeout.
        TimeoutReservedForPendingTransfer = 17,
        /// Closing an account must be reversible, hence pending.
        ClosingTransferMustBePending = 64,
        /// A ledger is required.
        LedgerMustNotBeZero = 19,
        /// A code is required.
        CodeMustNotBeZero = 20,
        /// No such debit account (transient).
        DebitAccountNotFound = 21,
        /// No such credit account (transient).
        CreditAccountNotFound = 22,
        /// The two accounts are of different ledgers.
        AccountsMustHaveTheSameLedger = 23,
        /// The transfer names another ledger than its accounts.
        TransferMustHaveTheSameLedgerAsAccounts = 24,
        /// No such pending transfer (transient).
        PendingTransferNotFound = 25,
        /// The transfer named is not a pending one.
        PendingTransferNotPending = 26,
        /// Given, and not that of the pending transfer.
        PendingTransferHasDifferentDebitAccountId = 27,
        /// Given, and not that of the pending transfer.
        PendingTransferHasDifferentCreditAccountId = 28,
        /// Given, and not that of the pending transfer.
        PendingTransferHasDifferentLedger = 29,
        /// Given, and not that of the pending transfer.
        PendingTransferHasDifferentCode = 30,
        /// More than was reserved.
        ExceedsPendingTransferAmount = 31,
        /// A void is of the whole amount.
        PendingTransferHasDifferentAmount = 32,
        /// It was posted before.
        PendingTransferAlreadyPosted = 33,
        /// It was voided before.
        PendingTransferAlreadyVoided = 34,
        /// Its timeout has passed.
        PendingTransferExpired = 35,
        /// Imports must come in the order of their timestamps, each unique.
        ImportedEventTimestampMustNotRegress = 60,
        /// Older than its debit account.
        ImportedEventTimestampMustPostdateDebitAccount = 61,
        /// Older than its credit account.
        ImportedEventTimestampMustPostdateCreditAccount = 62,
        /// An imported transfer cannot expire.
        ImportedEventTimeoutMustBeZero = 63,
        /// The debit account is closed (transient).
        DebitAccountAlreadyClosed = 65,
        /// The credit account is closed (transient).
        CreditAccountAlreadyClosed = 66,
        /// The account's `debits_pending` would pass `u128::MAX`.
        OverflowsDebitsPending = 47,
        /// The account's `credits_pending` would pass `u128::MAX`.
        OverflowsCreditsPending = 48,
        /// The account's `debits_posted` would pass `u128::MAX`.
        OverflowsDebitsPosted = 49,
        /// The account's `credits_posted` would pass `u128::MAX`.
        OverflowsCreditsPosted = 50,
        /// Pending and posted debits together would pass `u128::MAX`.
        OverflowsDebits = 51,
        /// Pending and posted credits together would pass `u128::MAX`.
        OverflowsCredits = 52,
        /// The expiry lies beyond 63 bits of nanoseconds.
        OverflowsTimeout = 53,
        /// The debit account's limit: debits would exceed its credits (transient).
        ExceedsCredits = 54,
        /// The credit account's limit: credits would exceed its debits (transient).
        ExceedsDebits = 55,
    }
}

impl CreateTransferStatus {
    /// Whether the reason may pass with time, so that the same request could later succeed. Such an id is
    /// burnt: every later request with it is answered [`CreateTransferStatus::IdAlreadyFailed`].
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            CreateTransferStatus::DebitAccountNotFound
                | CreateTransferStatus::CreditAccountNotFound
                | CreateTransferStatus::PendingTransferNotFound
                | CreateTransferStatus::ExceedsCredits
                | CreateTransferStatus::ExceedsDebits
                | CreateTransferStatus::DebitAccountAlreadyClosed
                | CreateTransferStatus::CreditAccountAlreadyClosed
        )
    }
}

/// The answer to one account of a batch, in the batch's order.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub struct CreateAccountResult {
    /// Of the account if it is in the ledger, else of the attempt.
    pub timestamp: u64,
    /// What became of it.
    pub status: CreateAccountStatus,
}

/// The answer to one transfer of a batch, in the batch's order.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub struct CreateTransferResult {
    /// Of the transfer if it is in the ledger, else of the attempt.
    pub timestamp: u64,
    /// What became of it.
    pub status: CreateTransferStatus,
}
