//! The data model: accounts, transfers, their flags, and the filters to read them back.
//!
//! Field for field TigerBeetle's (reference "Account", "Transfer", "AccountFilter", "QueryFilter",
//! "AccountBalance"), with the names of its Rust client and without the reserved padding, so that
//! one caller speaks to both engines. Nothing here decides anything.

/// The most events in one request, and the most rows in one answer: what fits one TigerBeetle
/// message of 1 MiB.
pub const BATCH_MAX: usize = 8189;

/// The greatest timestamp: 63 bits, as in TigerBeetle.
pub const TIMESTAMP_MAX: u64 = (1 << 63) - 1;

macro_rules! flags {
    ($(#[$meta:meta])* $name:ident($int:ty) { $($(#[$doc:meta])* $flag:ident = $bit:literal,)* }) => {
        $(#[$meta])*
        #[derive(Copy, Clone, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash)]
        pub struct $name(pub $int);

        #[allow(non_upper_case_globals, reason = "the flag names of TigerBeetle's Rust client")]
        impl $name {
            $($(#[$doc])* pub const $flag: $name = $name(1 << $bit);)*

            /// Every flag that has a meaning.
            pub const ALL: $name = $name(0 $(| 1 << $bit)*);

            /// No flag.
            pub const fn empty() -> Self {
                $name(0)
            }
            /// The bits as they are stored.
            pub const fn bits(self) -> $int {
                self.0
            }
            /// Whether every flag of `other` is set here.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }
            /// Whether any flag of `other` is set here.
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }
            /// These flags with those of `other` taken away.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                $name(self.0 & !other.0)
            }
            /// Whether bits are set that have no meaning.
            pub const fn has_unknown(self) -> bool {
                self.0 & !Self::ALL.0 != 0
            }
        }

        impl std::ops::BitOr for $name {
            type Output = $name;
            fn bitor(self, rhs: Self) -> Self {
                $name(self.0 | rhs.0)
            }
        }

        impl std::ops::BitOrAssign for $name {
            fn bitor_assign(&mut self, rhs: Self) {
                self.0 |= rhs.0;
            }
        }
    };
}

flags! {
    /// What an account may and may not do.
    AccountFlags(u16) {
        /// Succeeds or fails together with the next event of the batch.
        Linked = 0,
        /// Refuses a transfer that would make debits (pending and posted) exceed posted credits:
        /// a credit-normal account that cannot be overdrawn.
        DebitsMustNotExceedCredits = 1,
        /// The mirror image, for debit-normal accounts.
        CreditsMustNotExceedDebits = 2,
        /// Keeps the balance after each transfer, for `get_account_balances`.
        History = 3,
        /// Created with a timestamp of the past, given by the caller.
        Imported = 4,
        /// Takes no transfers; set by a closing transfer, or at creation.
        Closed = 5,
    }
}

flags! {
    /// What kind of transfer it is.
    TransferFlags(u16) {
        /// Succeeds or fails together with the next event of the batch.
        Linked = 0,
        /// Reserves the amount; a later post, void or expiry resolves it.
        Pending = 1,
        /// Posts the pending transfer `pending_id`, whole or in part.
        PostPendingTransfer = 2,
        /// Voids the pending transfer `pending_id`.
        VoidPendingTransfer = 3,
        /// Moves at most `amount`, limited to what the debit account's credits cover.
        BalancingDebit = 4,
        /// Moves at most `amount`, limited to what the credit account's debits cover.
        BalancingCredit = 5,
        /// Closes the debit account until the transfer is voided or expires.
        ClosingDebit = 6,
        /// Closes the credit account until the transfer is voided or expires.
        ClosingCredit = 7,
        /// Created with a timestamp of the past, given by the caller.
        Imported = 8,
    }
}

flags! {
    /// Direction and order of an [`AccountFilter`].
    AccountFilterFlags(u32) {
        /// Transfers that debit the account.
        Debits = 0,
        /// Transfers that credit the account.
        Credits = 1,
        /// Newest first.
        Reversed = 2,
    }
}

flags! {
    /// Order of a [`QueryFilter`].
    QueryFilterFlags(u32) {
        /// Newest first.
        Reversed = 0,
    }
}

/// An account of one ledger. Balances are in minor units of the ledger's currency and never decrease
/// except that pending amounts are released when their transfer is resolved.
#[derive(Debug, Copy, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Chosen by the caller; neither zero nor `u128::MAX`.
    pub id: u128,
    /// Debits reserved by pending transfers.
    pub debits_pending: u128,
    /// Debits made.
    pub debits_posted: u128,
    /// Credits reserved by pending transfers.
    pub credits_pending: u128,
    /// Credits made.
    pub credits_posted: u128,
    /// The caller's own, e.g. the id of the owner.
    pub user_data_128: u128,
    /// The caller's own.
    pub user_data_64: u64,
    /// The caller's own.
    pub user_data_32: u32,
    /// Which ledger; transfers stay within one. Here the ISO 4217 numeric code, or a shadow ledger.
    pub ledger: u32,
    /// The kind of account in the chart of accounts; not zero.
    pub code: u16,
    /// See [`AccountFlags`].
    pub flags: AccountFlags,
    /// When it was created, in nanoseconds since the Unix epoch; unique. Zero in requests.
    pub timestamp: u64,
}

/// A movement of `amount` from the debit to the credit account. Never changed once created.
#[derive(Debug, Copy, Clone, Default, PartialEq, Eq)]
pub struct Transfer {
    /// Chosen by the caller, and the idempotency key; neither zero nor `u128::MAX`.
    pub id: u128,
    /// The account debited.
    pub debit_account_id: u128,
    /// The account credited.
    pub credit_account_id: u128,
    /// In minor units. `u128::MAX` when posting means the whole pending amount.
    pub amount: u128,
    /// The pending transfer that this one posts or voids, else zero.
    pub pending_id: u128,
    /// The caller's own, e.g. the trade.
    pub user_data_128: u128,
    /// The caller's own.
    pub user_data_64: u64,
    /// The caller's own.
    pub user_data_32: u32,
    /// Seconds until a pending transfer expires; zero never.
    pub timeout: u32,
    /// That of both accounts.
    pub ledger: u32,
    /// The reason of the transfer; not zero.
    pub code: u16,
    /// See [`TransferFlags`].
    pub flags: TransferFlags,
    /// When it was created, in nanoseconds since the Unix epoch; unique. Zero in requests.
    pub timestamp: u64,
}

impl Transfer {
    /// When a pending transfer expires, in nanoseconds since the Unix epoch; `None` for never.
    pub fn expires_at(&self) -> Option<u64> {
        if self.timeout == 0 || !self.flags.contains(TransferFlags::Pending) {
            return None;
        }
        Some(self.timestamp.saturating_add(u64::from(self.timeout) * 1_000_000_000))
    }
}

/// The balance of a [`AccountFlags::History`] account just after the transfer of that timestamp.
#[derive(Debug, Copy, Clone, Default, PartialEq, Eq)]
pub struct AccountBalance {
    /// Debits reserved by pending transfers.
    pub debits_pending: u128,
    /// Debits made.
    pub debits_posted: u128,
    /// Credits reserved by pending transfers.
    pub credits_pending: u128,
    /// Credits made.
    pub credits_posted: u128,
    /// The timestamp of the transfer.
    pub timestamp: u64,
}

/// Which transfers (or balances) of one account. Zero in a field means any.
///
/// As in TigerBeetle an invalid filter (no direction, zero limit, minimum after maximum, unknown flags)
/// finds nothing.
#[derive(Debug, Copy, Clone, Default, PartialEq, Eq)]
pub struct AccountFilter {
    /// The account; required.
    pub account_id: u128,
    /// Match on the transfer's field.
    pub user_data_128: u128,
    /// Match on the transfer's field.
    pub user_data_64: u64,
    /// Match on the transfer's field.
    pub user_data_32: u32,
    /// Match on the transfer's field.
    pub code: u16,
    /// First timestamp, inclusive.
    pub timestamp_min: u64,
    /// Last timestamp, inclusive.
    pub timestamp_max: u64,
    /// At most so many; required; more than [`BATCH_MAX`] is cut to it.
    pub limit: u32,
    /// Direction and order.
    pub flags: AccountFilterFlags,
}

/// Which accounts or transfers of the whole ledger. Zero in a field means any.
#[derive(Debug, Copy, Clone, Default, PartialEq, Eq)]
pub struct QueryFilter {
    /// Match on the field of that name.
    pub user_data_128: u128,
    /// Match on the field of that name.
    pub user_data_64: u64,
    /// Match on the field of that name.
    pub user_data_32: u32,
    /// Match on the field of that name.
    pub ledger: u32,
    /// Match on the field of that name.
    pub code: u16,
    /// First timestamp, inclusive.
    pub timestamp_min: u64,
    /// Last timestamp, inclusive.
    pub timestamp_max: u64,
    /// At most so many; required; more than [`BATCH_MAX`] is cut to it.
    pub limit: u32,
    /// Order.
    pub flags: QueryFilterFlags,
}

/// One committed transfer of the feed, in commit order. Its timestamp is the cursor to resume after.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub struct FeedItem {
    /// The transfer as it was created.
    pub transfer: Transfer,
}

impl FeedItem {
    /// The cursor: pass it as `after` to go on from here.
    pub fn timestamp(&self) -> u64 {
        self.transfer.timestamp
    }
}

impl AccountFilter {
    /// The inclusive timestamp range, or `None` if the filter is invalid and finds nothing.
    pub fn range(&self) -> Option<(u64, u64)> {
        let directed = self.flags.intersects(AccountFilterFlags::Debits | AccountFilterFlags::Credits);
        if self.account_id == 0 || self.account_id == u128::MAX || !directed || self.flags.has_unknown() {
            return None;
        }
        range(self.timestamp_min, self.timestamp_max, self.limit)
    }
    /// Whether the transfer matches in every field but account and timestamp.
    pub fn matches(&self, t: &Transfer) -> bool {
        (self.user_data_128 == 0 || self.user_data_128 == t.user_data_128)
            && (self.user_data_64 == 0 || self.user_data_64 == t.user_data_64)
            && (self.user_data_32 == 0 || self.user_data_32 == t.user_data_32)
            && (self.code == 0 || self.code == t.code)
    }
}

impl QueryFilter {
    /// The inclusive timestamp range, or `None` if the filter is invalid and finds nothing.
    pub fn range(&self) -> Option<(u64, u64)> {
        if self.flags.has_unknown() {
            return None;
        }
        range(self.timestamp_min, self.timestamp_max, self.limit)
    }
    /// Whether the account matches in every field but the timestamp.
    pub fn matches_account(&self, a: &Account) -> bool {
        self.matches(a.user_data_128, a.user_data_64, a.user_data_32, a.ledger, a.code)
    }
    /// Whether the transfer matches in every field but the timestamp.
    pub fn matches_transfer(&self, t: &Transfer) -> bool {
        self.matches(t.user_data_128, t.user_data_64, t.user_data_32, t.ledger, t.code)
    }
    fn matches(&self, data_128: u128, data_64: u64, data_32: u32, ledger: u32, code: u16) -> bool {
        (self.user_data_128 == 0 || self.user_data_128 == data_128)
            && (self.user_data_64 == 0 || self.user_data_64 == data_64)
            && (self.user_data_32 == 0 || self.user_data_32 == data_32)
            && (self.ledger == 0 || self.ledger == ledger)
            && (self.code == 0 || self.code == code)
    }
}

fn range(min: u64, max: u64, limit: u32) -> Option<(u64, u64)> {
    let last = if max == 0 { TIMESTAMP_MAX } else { max };
    let valid = limit != 0 && min <= TIMESTAMP_MAX && last <= TIMESTAMP_MAX && min <= last;
    valid.then_some((min.max(1), last))
}
