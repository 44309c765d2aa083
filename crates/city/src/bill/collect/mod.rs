//! Collectors: banks and service providers that collect the same bills as this city's own front ends.
//!
//! ```text
//! claim ──▶ held ──confirm──▶ paid            receipt (no claim) ──▶ paid
//!            ├──cancel──▶ cancelled                   └──────────────▶ advance
//!            └──time──▶ lapsed ──confirm──▶ paid | advance
//! ```
//!
//! Invariants:
//! - A claim is a pending transfer under the bill's own identity, with the ledger's timeout: of residents, collectors and
//!   advances exactly one pays. Cancelling and time free the bill.
//! - What a collector has confirmed is never lost: the row says so before the ledger is asked, and [`resume`] drives it to
//!   an end, which is the bill's payment or an advance with its reason.
//! - Each reference counts once: its n-th outcome has a marker in the chain that books it, and the next is written only
//!   when that one was voided.
//! - What a collector owes is its clearing account; what it may owe is an account too, drawn in the same chain.

mod error;
pub mod http;
mod registry;
pub mod rules;
mod store;

use std::sync::Arc;
use std::time::Duration;

use kernel::ids::{BillId, BillerId, ClaimId, CollectorId, PaymentId};
use kernel::{Timestamp, derive_u128};
use ledger::Transfer;
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;

pub use self::error::CollectError;
use self::registry::allowed;
pub use self::registry::{
    CollectorKind, Owes, Registered, Wanted, check_settlement, collector, collectors, owes, register,
    set_limit, set_open, settle_beside, settlement_id,
};
pub use self::rules::Receipt;
use super::advance::{self, Reason};
use super::firm::{End, Firm};
use super::pack::Pack;
use super::query::{self, BillView};
use super::rules::{self as bill_rules, AMOUNT_MAX, Bill, Quote, bill_id, ids};
use super::standing::{self, Attempt};
use super::{BillError, bill_row, pack, parts, pay};
use crate::books::{self, shadow, transfer_code};
use crate::identity::{Collector, Role};
use crate::wallet::instant;
use crate::{City, Fault};

/// What a collector said of a reference of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Derived from collector and reference.
    pub id: ClaimId,
    /// Whose.
    pub collector: CollectorId,
    /// The collector's own.
    pub reference: String,
    /// Whether the bill was claimed before the money was taken.
    pub claimed: bool,
    /// Which biller.
    pub biller: BillerId,
    /// Which account there.
    pub account_no: String,
    /// Which bill; of a receipt it may be unknown.
    pub bill: BillId,
    /// Minor units.
    pub amount_minor: i64,
    /// The late fee within it.
    pub late_fee_minor: i64,
    /// When the payer gave the money, as the collector says.
    pub taken_at: Option<Timestamp>,
    /// When it was first told of.
    pub created_at: Timestamp,
    /// Since when it counts as taken.
    pub confirmed_at: Option<Timestamp>,
    /// When it was given up.
    pub cancelled_at: Option<Timestamp>,
}

/// How a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClaimState {
    /// The bill is held for this collector.
    Held,
    /// The hold has run out, or never came to be; nothing was confirmed.
    Lapsed,
    /// It was given up.
    Cancelled,
    /// Confirmed; its end waits for the biller, for whoever else is paying the bill, or for the collector's limit.
    Waiting,
    /// It has paid the bill.
    Paid,
    /// The money is held for the account.
    Advance,
}

/// A claim and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stands {
    /// What the collector said.
    pub claim: Claim,
    /// How it stands, by the ledger.
    pub state: ClaimState,
    /// The hold ends by itself then.
    pub until: Option<Timestamp>,
    /// The bill's payment, or the payment into the advance.
    pub payment: Option<PaymentId>,
    /// Why it became an advance.
    pub reason: Option<Reason>,
    /// When the ledger booked it.
    pub at: Option<Timestamp>,
}

/// The bills of an account, as a counter needs them.
pub async fn bills(
    city: &City,
    who: &Collector,
    biller: BillerId,
    account_no: &str,
) -> Result<Vec<BillView>, BillError> {
    allowed(city, who, biller).await?;
    query::fetch(city, biller, account_no).await
}

fn claim_id(collector: CollectorId, reference: &str) -> ClaimId {
    ClaimId::derive(&[b"collector_claim", &collector.to_bytes(), reference.as_bytes()])
}

/// A collector's wish to claim a bill.
#[derive(Clone, Debug)]
pub struct WantedClaim {
    /// Which bill.
    pub bill: BillId,
    /// The id of the quote whose price holds.
    pub quote: String,
    /// Minor units; what the quote says when absent.
    pub amount_minor: Option<i64>,
    /// The collector's own id of it.
    pub reference: String,
}

/// Holds a bill for a collector, until it confirms, cancels, or the pack's time is over.
pub async fn claim(city: &City, who: &Collector, wish: &WantedClaim) -> Result<Stands, BillError> {
    who.role.require(Role::Staff)?;
    if !rules::is_reference(&wish.reference) {
        return Err(BillError::ReferenceMalformed);
    }
    let bill = bill_row(city, wish.bill).await?;
    let id = claim_id(who.id, &wish.reference);
    if let Some(there) = find(city, id).await? {
        let same = there.claimed
            && there.bill == wish.bill
            && wish.amount_minor.is_none_or(|minor| minor == there.amount_minor);
        if !same {
            return Err(CollectError::ReferenceUsed.into());
        }
        let stands = stands(city, there.clone()).await?;
        // Only what came to nothing is tried again, and at a price that holds.
        if stands.state != ClaimState::Lapsed {
            return Ok(stands);
        }
        let pack = pack(city, bill.biller).await?;
        let progress = parts::progress_of(city, bill.id).await?;
        let quote = pay::pinned(city, &pack, &bill, &progress.portions(), &wish.quote)?;
        if quote.total_minor != there.amount_minor {
            return Err(BillError::QuoteChanged);
        }
        return hold(city, who, &bill, there, pack.spec.bills.claim_timeout_s).await;
    }
    let registered = allowed(city, who, bill.biller).await?;
    if !registered.open {
        return Err(CollectError::Closed.into());
    }
    let pack = pack(city, bill.biller).await?;
    if pack.spec.closed {
        return Err(BillError::BillerClosed);
    }
    let progress = parts::progress_of(city, bill.id).await?;
    let quote: Quote = pay::pinned(city, &pack, &bill, &progress.portions(), &wish.quote)?;
    let amount = wish.amount_minor.unwrap_or(quote.total_minor);
    if !takes(&pack, &quote, amount) {
        return Err(BillError::AmountUnacceptable);
    }
    let new = Claim {
        id,
        collector: who.id,
        reference: wish.reference.clone(),
        claimed: true,
        biller: bill.biller,
        account_no: bill.account_no.clone(),
        bill: bill.id,
        amount_minor: amount,
        late_fee_minor: bill_rules::late_fee_within(&quote, amount),
        taken_at: None,
        created_at: city.now(),
        confirmed_at: None,
        cancelled_at: None,
    };
    let there = keep(city, new).await?;
    hold(city, who, &bill, there, pack.spec.bills.claim_timeout_s).await
}

/// Keeps what a collector says of a reference; refuses another saying of it.
async fn keep(city: &City, new: Claim) -> Result<Claim, BillError> {
    let (row, id) = (new.clone(), new.id);
    let there: Result<Option<Claim>, BillError> = city
        .store
        .write(move |conn| {
            let row = row.clone();
            Box::pin(async move {
                store::add_claim(conn, &row).await?;
                Ok(store::claim(conn, id).await?)
            })
        })
        .await;
    let there = there?.ok_or(CollectError::ClaimUnknown)?;
    let same = there.claimed == new.claimed
        && (there.biller, &there.account_no, there.bill) == (new.biller, &new.account_no, new.bill)
        && there.amount_minor == new.amount_minor
        && there.taken_at == new.taken_at;
    if same { Ok(there) } else { Err(CollectError::ReferenceUsed.into()) }
}

fn firm<'a>(
    city: &'a City,
    bill: &'a Bill,
    base: u128,
    claim: &Claim,
    late_fee: i64,
    mark: Option<u128>,
) -> Firm<'a> {
    Firm {
        city,
        bill,
        base,
        from: books::collector(claim.collector),
        draw: (books::collector_limit(claim.collector), books::pool(shadow::kyc(city.settings.currency))),
        probed: false,
        amount: claim.amount_minor,
        late_fee,
        own: ids::request(&claim.reference),
        mark,
    }
}

async fn hold(
    city: &City,
    who: &Collector,
    bill: &Bill,
    claim: Claim,
    timeout: u32,
) -> Result<Stands, BillError> {
    debug_assert_eq!(who.id, claim.collector);
    if claim.cancelled_at.is_some() {
        return Err(CollectError::ClaimCancelled.into());
    }
    let base = parts::progress_of(city, bill.id).await?.base(bill.id);
    match firm(city, bill, base, &claim, claim.late_fee_minor, None).hold(timeout).await? {
        Ok(_) | Err(End::Paid(..) | End::Pending(_)) => stands(city, claim).await,
        Err(End::Taken) => Err(BillError::AlreadySettled),
        Err(End::Short) => Err(CollectError::LimitReached.into()),
        Err(_) => Err(BillError::Claimed),
    }
}

async fn find(city: &City, id: ClaimId) -> Result<Option<Claim>, BillError> {
    let mut conn = city.store.read().await?;
    Ok(store::claim(&mut conn, id).await?)
}

async fn own(city: &City, who: &Collector, id: ClaimId) -> Result<Claim, BillError> {
    let found = find(city, id).await?.filter(|claim| claim.collector == who.id);
    Ok(found.ok_or(CollectError::ClaimUnknown)?)
}

/// A claim of this collector, and how it stands.
pub async fn get(city: &City, who: &Collector, id: ClaimId) -> Result<Stands, BillError> {
    let claim = own(city, who, id).await?;
    stands(city, claim).await
}

/// Claims and receipts of this collector, newest first, told of before an instant.
pub async fn claims(
    city: &City,
    collector: CollectorId,
    before: Option<(Timestamp, ClaimId)>,
    limit: u32,
) -> Result<Vec<Stands>, BillError> {
    let mut conn = city.store.read().await?;
    let found = store::claims(&mut conn, collector, before, limit).await?;
    drop(conn);
    let mut all = Vec::with_capacity(found.len());
    for claim in found {
        all.push(stands(city, claim).await?);
    }
    Ok(all)
}

/// The collector has taken the money: from here on it is never lost. The bill is paid with it, or it is held for the
/// account.
pub async fn confirm(city: &City, who: &Collector, id: ClaimId) -> Result<Stands, BillError> {
    who.role.require(Role::Staff)?;
    own(city, who, id).await?;
    let now = city.now();
    let noted: Result<Option<Claim>, BillError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                store::confirm(conn, id, now).await?;
                Ok(store::claim(conn, id).await?)
            })
        })
        .await;
    let claim = noted?.ok_or(CollectError::ClaimUnknown)?;
    if claim.confirmed_at.is_none() {
        return Err(CollectError::ClaimCancelled.into());
    }
    drive(city, claim).await
}

/// The collector has not taken the money, and never will by this claim: the bill is free.
pub async fn cancel(city: &City, who: &Collector, id: ClaimId) -> Result<Stands, BillError> {
    who.role.require(Role::Staff)?;
    own(city, who, id).await?;
    let now = city.now();
    let noted: Result<Option<Claim>, BillError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                store::cancel(conn, id, now).await?;
                Ok(store::claim(conn, id).await?)
            })
        })
        .await;
    let claim = noted?.ok_or(CollectError::ClaimUnknown)?;
    if claim.cancelled_at.is_none() {
        return Err(CollectError::ClaimConfirmed.into());
    }
    if let (_, Attempt::Pending(t)) =
        standing::newest(city, parts::progress_of(city, claim.bill).await?.base(claim.bill)).await?
        && t.debit_account_id == books::collector(who.id)
        && t.user_data_64 == ids::request(&claim.reference)
    {
        let draws: Vec<u128> = standing::draws_of(city, t.id).await?.iter().map(|t| t.id).collect();
        standing::resolve(city, t.id, &draws, standing::Resolve::Void).await?;
    }
    stands(city, claim).await
}

/// Takes in money that was collected without a claim.
pub async fn receive(city: &City, who: &Collector, receipt: &Receipt) -> Result<Stands, BillError> {
    who.role.require(Role::Staff)?;
    let claim = read_receipt(city, who, receipt).await?;
    let there = keep(city, claim).await?;
    drive(city, there).await
}

/// What a receipt says, if it can be.
async fn read_receipt(city: &City, who: &Collector, receipt: &Receipt) -> Result<Claim, BillError> {
    if !rules::is_reference(&receipt.reference) {
        return Err(BillError::ReferenceMalformed);
    }
    let pack = pack(city, receipt.biller).await?;
    allowed(city, who, receipt.biller).await?;
    pack.spec.account.check(&receipt.account_no).map_err(BillError::AccountMalformed)?;
    if !rules::is_bill_no(&receipt.bill_no) {
        return Err(BillError::BillUnknown);
    }
    if !(1..=AMOUNT_MAX).contains(&receipt.amount_minor) {
        return Err(BillError::AmountUnacceptable);
    }
    let (id, now) = (claim_id(who.id, &receipt.reference), city.now());
    // What was taken in before stays what it is, however long ago.
    if !rules::taken_acceptable(receipt.taken_at, now) && find(city, id).await?.is_none() {
        return Err(CollectError::TakenAt.into());
    }
    Ok(Claim {
        id,
        collector: who.id,
        reference: receipt.reference.clone(),
        claimed: false,
        biller: receipt.biller,
        account_no: receipt.account_no.clone(),
        bill: bill_id(receipt.biller, &receipt.account_no, &receipt.bill_no),
        amount_minor: receipt.amount_minor,
        late_fee_minor: 0,
        taken_at: Some(Timestamp::from_millis(receipt.taken_at.as_millis())),
        created_at: now,
        confirmed_at: Some(now),
        cancelled_at: None,
    })
}

/// Takes in a batch: every line or none is acknowledged, then each goes its way.
pub async fn receive_all(
    city: &City,
    who: &Collector,
    receipts: &[Receipt],
) -> Result<Vec<Stands>, BillError> {
    who.role.require(Role::Staff)?;
    let mut kept = Vec::with_capacity(receipts.len());
    for (number, receipt) in receipts.iter().enumerate() {
        let read = read_receipt(city, who, receipt).await;
        let read = match read {
            Err(why) if crate::Refusal::status(&why) < 500 => {
                return Err(CollectError::Line(number + 1, why.to_string()).into());
            }
            read => read?,
        };
        if find(city, read.id).await?.is_some_and(|there| !same_receipt(&there, &read)) {
            let why = CollectError::ReferenceUsed.to_string();
            return Err(CollectError::Line(number + 1, why).into());
        }
        if kept.iter().any(|other: &Claim| other.id == read.id && !same_receipt(other, &read)) {
            let why = CollectError::ReferenceUsed.to_string();
            return Err(CollectError::Line(number + 1, why).into());
        }
        kept.push(read);
    }
    let rows = kept.clone();
    let added: Result<(), BillError> = city
        .store
        .write(move |conn| {
            let rows = rows.clone();
            Box::pin(async move {
                for row in &rows {
                    store::add_claim(conn, row).await?;
                }
                Ok(())
            })
        })
        .await;
    added?;
    let mut all = Vec::with_capacity(kept.len());
    for claim in kept {
        let there = keep(city, claim).await?;
        all.push(drive(city, there).await?);
    }
    Ok(all)
}

fn same_receipt(a: &Claim, b: &Claim) -> bool {
    !a.claimed
        && (a.bill, &a.account_no, a.biller) == (b.bill, &b.account_no, b.biller)
        && (a.amount_minor, a.taken_at) == (b.amount_minor, b.taken_at)
}

/// The marker of a reference's n-th outcome.
fn mark(claim: ClaimId, n: u32) -> u128 {
    derive_u128("collected", &[&claim.to_bytes(), &n.to_be_bytes()])
}

/// How often a reference may be told to a biller that does not take it, before it becomes an advance.
const OUTCOMES_MAX: u32 = 16;

/// What the ledger has of a reference.
enum Outcome {
    /// Nothing that stands: this marker is free.
    Free(u32),
    /// The bill's payment, or the way to it.
    Payment(Attempt, u128),
    /// A payment into an advance.
    Advance(Transfer),
}

async fn outcome(city: &City, claim: ClaimId) -> Result<Outcome, BillError> {
    let marks: Vec<u128> = (0..=OUTCOMES_MAX).map(|n| mark(claim, n)).collect();
    let found = city.ledger.lookup_transfers(marks.clone()).await?;
    let mut last =
        marks.iter().enumerate().filter_map(|(n, id)| Some((n, found.iter().find(|t| t.id == *id)?)));
    let Some((n, marker)) = last.next_back() else { return Ok(Outcome::Free(0)) };
    let target = marker.user_data_128;
    match standing::attempts(city, &[target]).await?[0] {
        Attempt::Voided => Ok(Outcome::Free(u32::try_from(n).unwrap_or(0) + 1)),
        Attempt::Pending(t) if t.code == transfer_code::ADVANCE_IN => Ok(Outcome::Advance(t)),
        Attempt::None => Err(Fault::Books(format!("{claim} is marked, and there is nothing")).into()),
        attempt => Ok(Outcome::Payment(attempt, target)),
    }
}

/// Drives what was confirmed to its end, as far as it comes.
async fn drive(city: &City, claim: Claim) -> Result<Stands, BillError> {
    let bill = match bill_row(city, claim.bill).await {
        Ok(bill) => Some(bill),
        Err(BillError::BillUnknown) => None,
        Err(other) => return Err(other),
    };
    let (mut tried, mut refused) = (Vec::new(), false);
    for _ in 0..=OUTCOMES_MAX {
        let Outcome::Free(n) = outcome(city, claim.id).await? else { break };
        let next = mark(claim.id, n);
        let why = match &bill {
            None => Some(Reason::UnknownBill),
            Some(_) if refused || n >= OUTCOMES_MAX => Some(Reason::Refused),
            Some(bill) => match pay_with(city, bill, &claim, next, &tried).await? {
                Tried::Advance(why) => Some(why),
                Tried::Wait => return stands(city, claim).await,
                Tried::Again => None,
                Tried::Refused => {
                    refused = true;
                    None
                }
                Tried::NotSent(way) => {
                    tried.push(way);
                    None
                }
            },
        };
        if let Some(why) = why {
            let unknown = Bill {
                id: claim.bill,
                biller: claim.biller,
                account_no: claim.account_no.clone(),
                bill_no: String::new(),
                period: 0,
                amount_minor: claim.amount_minor,
                due: kernel::Date::MAX,
                holder: String::new(),
            };
            let own = ids::request(&claim.reference);
            let held =
                advance::collected(city, claim.collector, &unknown, claim.amount_minor, why, own, next)
                    .await?;
            match held {
                Ok(_) => advance::use_where_automatic(city, claim.biller, &claim.account_no).await,
                Err(End::Short) => return stands(city, claim).await,
                Err(_) => {}
            }
        }
    }
    let stands = stands(city, claim).await?;
    if matches!(stands.state, ClaimState::Paid | ClaimState::Advance) {
        let (id, now) = (stands.claim.id, city.now());
        let ended: Result<(), BillError> =
            city.store.write(move |conn| Box::pin(async move { Ok(store::end(conn, id, now).await?) })).await;
        ended?;
    }
    Ok(stands)
}

enum Tried {
    Again,
    Wait,
    Refused,
    NotSent(u32),
    Advance(Reason),
}

/// Whether a collector may take this amount: of a bill that is paid in parts, all that is open.
fn takes(pack: &Pack, quote: &Quote, amount: i64) -> bool {
    let whole = !pack.spec.bills.parts || amount >= quote.total_minor;
    whole && bill_rules::amount_accepted(quote, amount)
}

/// Tries to pay the bill with what was collected.
async fn pay_with(
    city: &City,
    bill: &Arc<Bill>,
    claim: &Claim,
    mark: u128,
    tried: &[u32],
) -> Result<Tried, BillError> {
    let mut late_fee = claim.late_fee_minor;
    let progress = parts::progress_of(city, bill.id).await?;
    // Without a claim it is the price of the day on which the money was taken; with one, that of the claim, unless a part
    // was paid since.
    if !progress.is_settled() && (!claim.claimed || !progress.posted.is_empty()) {
        let pack = pack(city, bill.biller).await?;
        let taken = claim.taken_at.unwrap_or(claim.created_at);
        let portions = progress.portions();
        let quote = bill_rules::quote(&pack, bill, &portions, taken, taken.date(city.settings.offset));
        if !takes(&pack, &quote, claim.amount_minor) {
            let why = Reason::of_misfit(quote.total_minor, claim.amount_minor, quote.amount_rule);
            return Ok(Tried::Advance(why));
        }
        late_fee = bill_rules::late_fee_within(&quote, claim.amount_minor);
    }
    Ok(match firm(city, bill, progress.base(bill.id), claim, late_fee, Some(mark)).pay(tried).await? {
        End::Paid(..) | End::Marked => Tried::Again,
        End::Pending(_) | End::Busy | End::Unreachable | End::Short => Tried::Wait,
        End::Taken if claim.claimed => Tried::Advance(Reason::Late),
        End::Taken => Tried::Advance(Reason::Twice),
        End::Refused(_) => Tried::Refused,
        End::NotSent(way) => Tried::NotSent(way),
    })
}

/// How a claim stands, by the ledger.
async fn stands(city: &City, claim: Claim) -> Result<Stands, BillError> {
    let mut stands =
        Stands { state: ClaimState::Lapsed, until: None, payment: None, reason: None, at: None, claim };
    match outcome(city, stands.claim.id).await? {
        Outcome::Payment(Attempt::Posted(settled), _) => {
            stands.state = ClaimState::Paid;
            stands.payment = Some(settled.payment);
            stands.at = Some(settled.at);
        }
        Outcome::Payment(_, id) => {
            stands.state = ClaimState::Waiting;
            stands.payment = Some(PaymentId::from_u128(id));
        }
        Outcome::Advance(t) => {
            stands.state = ClaimState::Advance;
            stands.payment = Some(PaymentId::from_u128(t.id));
            stands.reason = Reason::of(t.user_data_32);
            stands.at = Some(instant(t.timestamp));
        }
        Outcome::Free(_) if stands.claim.confirmed_at.is_some() => stands.state = ClaimState::Waiting,
        Outcome::Free(_) if stands.claim.cancelled_at.is_some() => stands.state = ClaimState::Cancelled,
        Outcome::Free(_) => {
            let base = parts::progress_of(city, stands.claim.bill).await?.base(stands.claim.bill);
            if let (_, Attempt::Pending(t)) = standing::newest(city, base).await?
                && t.debit_account_id == books::collector(stands.claim.collector)
                && t.user_data_64 == ids::request(&stands.claim.reference)
            {
                let until = t.expires_at().map(instant);
                if until.is_none_or(|until| city.now() < until) {
                    stands.state = ClaimState::Held;
                    stands.until = until;
                }
            }
        }
    }
    Ok(stands)
}

/// How many are read at once.
const BATCH: u32 = 100;
/// How often what was confirmed and has no end is looked for.
const EVERY: Duration = Duration::from_secs(5);

/// Drives everything that was confirmed to its end, as far as it comes. Says how much is still open.
pub async fn resume(city: &City) -> Result<usize, BillError> {
    let (mut open, mut after) = (0, ClaimId::from_u128(0));
    loop {
        let page = {
            let mut conn = city.store.read().await?;
            store::open_after(&mut conn, after, BATCH).await?
        };
        let Some(last) = page.last() else { return Ok(open) };
        after = last.id;
        for claim in page {
            let id = claim.id;
            match drive(city, claim).await {
                Ok(stands) if stands.state == ClaimState::Waiting => open += 1,
                Ok(_) => {}
                Err(why) => {
                    open += 1;
                    tracing::error!(claim = %id, %why, "what was collected has no end yet");
                }
            }
        }
    }
}

pub(super) async fn run(city: City, mut stop: watch::Receiver<bool>) {
    loop {
        if let Err(why) = resume(&city).await {
            tracing::error!(%why, "what was collected could not be looked for");
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
