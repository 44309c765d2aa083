//! Who collects: registering collectors, what they may owe, and settling what they do. Must never let one owe more than
//! its limit account holds.

use kernel::ids::{BillerId, CollectorId, PaymentId};
use kernel::{Money, Timestamp, derive_u128};
use ledger::{AccountFlags, CreateTransferStatus, Transfer};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CollectError, rules, store};
use crate::bill::pack::Name;
use crate::bill::rules::AMOUNT_MAX;
use crate::bill::{BillError, advance, pack};
use crate::books::{self, Once, account_code, shadow, transfer_code};
use crate::identity::{Collector, Operator, Role};
use crate::wallet::{Moved, instant};
use crate::{City, Fault};

/// What kind of collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CollectorKind {
    /// Counters of a bank.
    Bank,
    /// A service provider with channels of its own.
    Provider,
}

impl CollectorKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            CollectorKind::Bank => "bank",
            CollectorKind::Provider => "provider",
        }
    }
}

/// What a collector is registered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The operators' own name of it; the same again is the same collector.
    pub reference: String,
    /// Of which kind.
    pub kind: CollectorKind,
    /// What people call it.
    pub name: Name,
    /// For whom it collects; for all when absent.
    pub billers: Option<Vec<BillerId>>,
    /// What it may owe, minor units.
    pub limit_minor: i64,
}

/// A collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Which.
    pub id: CollectorId,
    /// As it was registered, with its newest limit.
    pub wanted: Wanted,
    /// Counts its limits.
    pub(super) revision: i64,
    /// Whether it may collect.
    pub open: bool,
    /// Since when.
    pub created_at: Timestamp,
}

/// How a collector stands, by the ledger. Minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owes {
    /// Collected and not handed over; below zero where it has handed over more.
    pub owed_minor: i64,
    /// Held for claims.
    pub held_minor: i64,
    /// What it may still collect.
    pub left_minor: i64,
}

/// Makes a collector, or finds the one that the reference made. By an operator of role admin.
pub async fn register(city: &City, by: &Operator, wanted: Wanted) -> Result<Registered, BillError> {
    by.role.require(Role::Admin)?;
    rules::acceptable(&wanted).map_err(CollectError::Malformed)?;
    for biller in wanted.billers.iter().flatten() {
        pack(city, *biller).await?;
    }
    let id = CollectorId::derive(&[b"collector", wanted.reference.as_bytes()]);
    let currency = city.settings.currency;
    let limit = shadow::kyc(currency);
    let accounts = vec![
        books::account(
            books::collector(id),
            books::money(currency),
            account_code::COLLECTOR,
            AccountFlags::empty(),
        ),
        books::never_overdrawn(books::collector_limit(id), limit, account_code::COLLECTOR_LIMIT),
    ];
    books::ensure(&city.ledger, accounts).await?;
    let new = Registered { id, wanted, revision: 0, open: true, created_at: city.now() };
    let row = Registered { wanted: Wanted { limit_minor: 0, ..new.wanted.clone() }, ..new.clone() };
    let there: Result<Option<Registered>, BillError> = city
        .store
        .write(move |conn| {
            let row = row.clone();
            Box::pin(async move {
                store::add(conn, &row).await?;
                Ok(store::get(conn, id).await?)
            })
        })
        .await;
    let there = there?.ok_or(CollectError::Unknown)?;
    let same = |a: &Wanted, b: &Wanted| {
        Wanted { limit_minor: 0, ..a.clone() } == Wanted { limit_minor: 0, ..b.clone() }
    };
    if !same(&there.wanted, &new.wanted) {
        return Err(CollectError::Differs.into());
    }
    if there.revision > 0 { Ok(there) } else { set_limit(city, by, id, new.wanted.limit_minor).await }
}

/// Changes what a collector may owe. By an operator of role admin.
pub async fn set_limit(
    city: &City,
    by: &Operator,
    id: CollectorId,
    limit_minor: i64,
) -> Result<Registered, BillError> {
    by.role.require(Role::Admin)?;
    if !(0..=rules::LIMIT_MAX).contains(&limit_minor) {
        return Err(CollectError::Malformed(rules::LIMIT_WRONG).into());
    }
    for _ in 0..3 {
        let there = collector(city, id).await?;
        if there.wanted.limit_minor == limit_minor && there.revision > 0 {
            return Ok(there);
        }
        // The revision names the transfer; what the ledger has is what counts, also after a crash.
        let revision = there.revision + 1;
        let base = derive_u128("collector_limit_set", &[&id.to_bytes(), &revision.to_be_bytes()]);
        let more = limit_minor - there.wanted.limit_minor;
        let (currency, cap) = (city.settings.currency, books::collector_limit(id));
        let pool = books::pool(shadow::kyc(currency));
        let (from, to, code) = match more {
            0.. => (pool, cap, transfer_code::CAP_GRANT),
            _ => (cap, pool, transfer_code::CAP_DRAW),
        };
        let kept = u64::try_from(limit_minor).unwrap_or(0);
        let once = books::pay_once(&city.ledger, base, |id| {
            let set = books::transfer(id, from, to, more.saturating_abs(), currency, code);
            vec![Transfer { ledger: shadow::kyc(currency), user_data_64: kept, ..set }]
        });
        let set = match once.await? {
            Once::Done { .. } => limit_minor,
            Once::Already(t) => i64::try_from(t.user_data_64).unwrap_or(0),
            Once::Refused(0, CreateTransferStatus::ExceedsCredits) => {
                return Err(CollectError::LimitInUse.into());
            }
            other => return Err(Fault::Books(format!("collector's limit: {other:?}")).into()),
        };
        let moved: Result<(), BillError> = city
            .store
            .write(move |conn| Box::pin(async move { Ok(store::set_limit(conn, id, revision, set).await?) }))
            .await;
        moved?;
    }
    let there = collector(city, id).await?;
    if there.wanted.limit_minor == limit_minor { Ok(there) } else { Err(CollectError::LimitChanged.into()) }
}

/// Lets a collector collect, or no more; what it has taken it still confirms.
pub async fn set_open(
    city: &City,
    by: &Operator,
    id: CollectorId,
    open: bool,
) -> Result<Registered, BillError> {
    by.role.require(Role::Admin)?;
    let set: Result<(), BillError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::set_open(conn, id, open).await?) }))
        .await;
    set?;
    collector(city, id).await
}

/// A collector.
pub async fn collector(city: &City, id: CollectorId) -> Result<Registered, BillError> {
    let mut conn = city.store.read().await?;
    Ok(store::get(&mut conn, id).await?.ok_or(CollectError::Unknown)?)
}

/// Collectors after one, by their ids.
pub async fn collectors(
    city: &City,
    after: Option<CollectorId>,
    limit: u32,
) -> Result<Vec<Registered>, BillError> {
    let mut conn = city.store.read().await?;
    Ok(store::list(&mut conn, after, limit).await?)
}

/// How a collector stands.
pub async fn owes(city: &City, id: CollectorId) -> Result<Owes, BillError> {
    let (clearing, limit) = (books::collector(id), books::collector_limit(id));
    let found = city.ledger.lookup_accounts(vec![clearing, limit]).await?;
    let of = |id: u128| found.iter().find(|a| a.id == id).copied().unwrap_or_default();
    let minor = |units: u128| i64::try_from(units).unwrap_or(i64::MAX);
    let money = of(clearing);
    Ok(Owes {
        owed_minor: minor(money.debits_posted).saturating_sub(minor(money.credits_posted)),
        held_minor: minor(money.debits_pending),
        left_minor: books::free(&of(limit)),
    })
}

/// What the handing over of this bank reference is known by.
pub fn settlement_id(id: CollectorId, reference: &str) -> PaymentId {
    PaymentId::derive(&[b"collector_settlement", &id.to_bytes(), reference.as_bytes()])
}

/// Refuses what could be no handing over, whatever the ledger says.
pub async fn check_settlement(
    city: &City,
    id: CollectorId,
    amount: Money,
    reference: &str,
) -> Result<(), BillError> {
    if amount.currency != city.settings.currency || !(1..=AMOUNT_MAX).contains(&amount.minor) {
        return Err(BillError::AmountUnacceptable);
    }
    if !rules::is_reference(reference) {
        return Err(BillError::ReferenceMalformed);
    }
    collector(city, id).await.map(|_| ())
}

/// Books money that a collector handed over at the bank; `reference` is the bank's own. Once.
pub async fn settle_beside(
    city: &City,
    by: &Operator,
    id: CollectorId,
    amount: Money,
    reference: &str,
    beside: Option<Transfer>,
) -> Result<Moved, BillError> {
    by.role.require(Role::Staff)?;
    check_settlement(city, id, amount, reference).await?;
    let (currency, base) = (city.settings.currency, settlement_id(id, reference).as_u128());
    let room = advance::room(city, books::pool(shadow::kyc(currency)), id, amount.minor, base);
    let once = books::pay_once(&city.ledger, base, |main| {
        let (from, to) = (books::bank_clearing(currency), books::collector(id));
        let main =
            books::transfer(main, from, to, amount.minor, currency, transfer_code::COLLECTOR_SETTLEMENT);
        let main = Transfer { user_data_128: by.id.as_u128(), ..main };
        [main, room].into_iter().chain(beside).collect()
    });
    let moved = |id, timestamp, repeated| Moved {
        payment: PaymentId::from_u128(id),
        amount,
        at: instant(timestamp),
        repeated,
    };
    match once.await? {
        Once::Done { id, timestamp } => Ok(moved(id, timestamp, false)),
        Once::Already(t) if Some(t.amount) == u128::try_from(amount.minor).ok() => {
            Ok(moved(t.id, t.timestamp, true))
        }
        Once::Already(_) => Err(CollectError::ReferenceUsed.into()),
        Once::Refused(_, status) if books::is_exists(status) => Err(BillError::PaymentFinal),
        other => Err(Fault::Books(format!("collector's settlement: {other:?}")).into()),
    }
}

/// The collector as registered, if it may collect for this biller.
pub(super) async fn allowed(city: &City, who: &Collector, biller: BillerId) -> Result<Registered, BillError> {
    let there = collector(city, who.id).await?;
    if there.wanted.billers.as_ref().is_some_and(|billers| !billers.contains(&biller)) {
        return Err(CollectError::NotAllowed.into());
    }
    Ok(there)
}
