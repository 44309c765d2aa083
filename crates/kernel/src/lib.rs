//! What every other crate stands on: [`Money`], typed [`Id`]s, [`Clock`], [`Rng`].
//!
//! Nothing here touches a file, a socket or a database, and nothing but [`SystemClock`] and
//! [`OsRng`] reads the machine's time or randomness: decisions elsewhere take them as arguments.

mod clock;
mod currency;
mod id;
mod money;
mod rng;

pub use clock::{Clock, Date, ManualClock, SystemClock, Timestamp, UtcOffset};
pub use currency::{Currency, UnknownCurrency};
pub use id::{Id, IdError, Kind, derive_u128, kinds, uuid_v7};
pub use money::{Money, MoneyError};
pub use rng::{OsRng, Rng, SeededRng, hex};

/// The id types of the platform, by the name a reader expects.
pub mod ids {
    use super::{Id, kinds};
    /// A resident, `res_…`; the same 128 bits are the id of the wallet account in the ledger.
    pub type ResidentId = Id<kinds::Resident>;
    /// A shop, `mch_…`; the same 128 bits are its balance account in the ledger.
    pub type MerchantId = Id<kinds::Merchant>;
    /// A till of a shop, `til_…`.
    pub type TillId = Id<kinds::Till>;
    /// A biller, `blr_…`; the same 128 bits are its payable account in the ledger.
    pub type BillerId = Id<kinds::Biller>;
    /// A bill, `bil_…`.
    pub type BillId = Id<kinds::Bill>;
    /// A trade between a shop and a payer, `trd_…`.
    pub type TradeId = Id<kinds::Trade>;
    /// A movement of money, `pay_…`; the same 128 bits are the transfer in the ledger.
    pub type PaymentId = Id<kinds::Payment>;
    /// A refund of a trade, `rfd_…`.
    pub type RefundId = Id<kinds::Refund>;
    /// An order to a biller to restore supply, `rst_…`.
    pub type RestoreOrderId = Id<kinds::RestoreOrder>;
    /// A complaint about a bill or its payment, `cmp_…`.
    pub type ComplaintId = Id<kinds::Complaint>;
    /// A city operator, `opr_…`.
    pub type OperatorId = Id<kinds::Operator>;
    /// A resident's phone, `dev_…`.
    pub type DeviceId = Id<kinds::Device>;
    /// A sign-in session, `ses_…`.
    pub type SessionId = Id<kinds::Session>;
    /// An import of a biller's file, `imp_…`.
    pub type ImportId = Id<kinds::Import>;
    /// An event told to a till or a webhook, `evt_…`.
    pub type EventId = Id<kinds::Event>;
    /// A webhook endpoint, `whe_…`.
    pub type EndpointId = Id<kinds::Endpoint>;
    /// An API key, `key_…` (the key's public name, never its secret).
    pub type KeyId = Id<kinds::Key>;
    /// What an operator did, `act_…`: an entry of the audit trail.
    pub type ActId = Id<kinds::Act>;
    /// A movement that waits for a second operator, `apr_…`.
    pub type ApprovalId = Id<kinds::Approval>;
    /// A disagreement of a biller's day, `brk_…`, derived from what it says.
    pub type BreakId = Id<kinds::Break>;
    /// A resident's passkey, `psk_…` (not the id its authenticator knows it by).
    pub type PasskeyId = Id<kinds::Passkey>;
    /// A campaign of coupons, `cpn_…`; the same 128 bits are its budget account in the ledger.
    pub type CampaignId = Id<kinds::Campaign>;
    /// A mandate to pay bills by themselves, `mdt_…`.
    pub type MandateId = Id<kinds::Mandate>;
    /// A tie between two residents, `fam_…`.
    pub type FamilyId = Id<kinds::Family>;
    /// A note in a resident's inbox, `nte_…`.
    pub type NoteId = Id<kinds::Note>;
    /// A bank or service provider that collects bills, `col_…`; the same 128 bits are its clearing account.
    pub type CollectorId = Id<kinds::Collector>;
    /// Something a collector collects, `clm_…`, derived from the collector and its reference.
    pub type ClaimId = Id<kinds::Claim>;
}
