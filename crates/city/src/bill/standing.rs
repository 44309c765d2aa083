//! How a bill stands, read from the ledger: open, claimed or settled. Must never be asked instead of
//! trying: whoever wants to pay submits the claim, and the ledger decides.

use kernel::Timestamp;
use kernel::ids::{BillId, BillerId, PaymentId, ResidentId};
use ledger::{AccountFilter, CreateTransferStatus, QueryFilter, Transfer, TransferFlags};

use super::parts::{self, Progress};
use super::rules::ids;
use crate::books::{self, attempt_id, shadow, transfer_code};
use crate::wallet::instant;
use crate::{City, Fault};

/// How a bill stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has paid it, or not all of it.
    Open,
    /// A payment is under way.
    Claimed {
        /// The claim ends by itself then, if ever.
        until: Option<Timestamp>,
    },
    /// It is paid.
    Settled(Settled),
}

/// The payment that settled a bill, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The id of the payment: that of the claim.
    pub payment: PaymentId,
    /// Who paid.
    pub payer: ResidentId,
    /// Who is paid.
    pub biller: BillerId,
    /// Which bill.
    pub bill: BillId,
    /// Minor units, late fee included.
    pub amount_minor: i64,
    /// The late fee within it.
    pub late_fee_minor: i64,
    /// What [`ids::request`] made of the client's own payment id.
    pub request: u64,
    /// When.
    pub at: Timestamp,
    /// Ledger timestamp.
    pub timestamp: u64,
}

impl Settled {
    /// What the posting transfer of a bill payment says.
    pub(super) fn of(post: &Transfer) -> Settled {
        Settled {
            payment: PaymentId::from_u128(post.pending_id),
            payer: ResidentId::from_u128(post.debit_account_id),
            biller: BillerId::from_u128(post.credit_account_id),
            bill: BillId::from_u128(post.user_data_128),
            amount_minor: i64::try_from(post.amount).unwrap_or(i64::MAX),
            late_fee_minor: i64::from(post.user_data_32),
            request: post.user_data_64,
            at: instant(post.timestamp),
            timestamp: post.timestamp,
        }
    }
}

/// How an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// No transfer of this id.
    None,
    /// Pending; it may have run out.
    Pending(Transfer),
    /// Posted.
    Posted(Settled),
    /// Voided.
    Voided,
}

/// How each of some attempts (ids of pending transfers) stands.
pub(super) async fn attempts(city: &City, pendings: &[u128]) -> Result<Vec<Attempt>, Fault> {
    let mut found = std::collections::HashMap::new();
    for part in pendings.chunks(ledger::BATCH_MAX / 3) {
        let asked = part.iter().flat_map(|id| [*id, ids::post(*id), ids::void(*id)]).collect();
        found.extend(city.ledger.lookup_transfers(asked).await?.into_iter().map(|t| (t.id, t)));
    }
    let stands = |id: &u128| {
        if let Some(post) = found.get(&ids::post(*id)) {
            return Attempt::Posted(Settled::of(post));
        }
        match (found.get(&ids::void(*id)), found.get(id)) {
            (Some(_), _) => Attempt::Voided,
            (None, Some(pending)) => Attempt::Pending(*pending),
            (None, None) => Attempt::None,
        }
    };
    Ok(pendings.iter().map(stands).collect())
}

/// The greatest number of an attempt. Only a biller's refusal uses one up, so no bill comes near.
pub(super) const LAST_ATTEMPT: u32 = (1 << 24) - 1;

/// How many attempts at a bill are looked at in one go; few bills have more.
const FIRST_LOOK: u32 = 4;

fn attempt_ids(base: u128, numbers: impl Iterator<Item = u32>) -> impl Iterator<Item = u128> {
    numbers.map(move |k| attempt_id(base, k))
}

/// The newest attempt at what `base` names (see [`ids::part`]) and its number: all before it are dead, for an attempt
/// is made only when the one before is. (0, none) when nobody has tried.
pub(super) async fn newest(city: &City, base: u128) -> Result<(u32, Attempt), Fault> {
    let ids: Vec<u128> = attempt_ids(base, 0..FIRST_LOOK).collect();
    newest_from(city, base, &attempts(city, &ids).await?).await
}

/// [`newest`] of each.
pub(super) async fn newest_each(city: &City, bases: &[u128]) -> Result<Vec<(u32, Attempt)>, Fault> {
    let ids: Vec<u128> = bases.iter().flat_map(|base| attempt_ids(*base, 0..FIRST_LOOK)).collect();
    let first = attempts(city, &ids).await?;
    let mut newest = Vec::with_capacity(bases.len());
    for (base, first) in bases.iter().zip(first.chunks(FIRST_LOOK as usize)) {
        newest.push(newest_from(city, *base, first).await?);
    }
    Ok(newest)
}

/// [`newest`], the first [`FIRST_LOOK`] attempts being known. Doubling, then halving: a bill that was
/// refused a million times costs twenty looks.
async fn newest_from(city: &City, base: u128, first: &[Attempt]) -> Result<(u32, Attempt), Fault> {
    let last = first.iter().rposition(|attempt| *attempt != Attempt::None).unwrap_or(0);
    if last + 1 < first.len() {
        return Ok((u32::try_from(last).unwrap_or(0), first[last]));
    }
    let doubled: Vec<u32> = (FIRST_LOOK.ilog2()..24).map(|bits| (2 << bits) - 1).collect();
    let ids: Vec<u128> = attempt_ids(base, doubled.iter().copied()).collect();
    let found = attempts(city, &ids).await?;
    let (mut made, mut newest) = (FIRST_LOOK - 1, first[last]);
    let mut free = LAST_ATTEMPT + 1;
    for (k, attempt) in doubled.into_iter().zip(found) {
        if attempt == Attempt::None {
            free = k;
            break;
        }
        (made, newest) = (k, attempt);
    }
    while made + 1 < free {
        let middle = made.midpoint(free);
        match attempts(city, &[attempt_id(base, middle)]).await?[0] {
            Attempt::None => free = middle,
            attempt => (made, newest) = (middle, attempt),
        }
    }
    Ok((made, newest))
}

/// How bills stand, in the order asked for. One of which a part is paid is open.
pub async fn standing(city: &City, bills: &[BillId]) -> Result<Vec<Standing>, Fault> {
    let now = city.now();
    let found = parts::progress(city, bills).await?;
    Ok(found.iter().map(|progress| standing_of(progress, now)).collect())
}

/// How a bill stands that is paid so far.
pub(super) fn standing_of(progress: &Progress, now: Timestamp) -> Standing {
    match progress.posted.last() {
        Some(part) if part.last => Standing::Settled(part.settled),
        _ => judge(&progress.attempt, now),
    }
}

fn judge(newest: &Attempt, now: Timestamp) -> Standing {
    match newest {
        Attempt::Posted(settled) => Standing::Settled(*settled),
        Attempt::Pending(t) => {
            let until = t.expires_at().map(instant);
            let runs = until.is_none_or(|until| now < until);
            if runs { Standing::Claimed { until } } else { Standing::Open }
        }
        Attempt::None | Attempt::Voided => Standing::Open,
    }
}

/// How a pending payment can be resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resolve {
    /// The money goes to the biller.
    Post,
    /// The money is free again.
    Void,
}

/// What became of resolving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resolved {
    /// As asked, now or before.
    Done,
    /// It had been resolved the other way.
    Otherwise,
    /// It had run out.
    Lapsed,
}

/// Posts or voids a pending payment together with its draw of the allowance. Safe to repeat and to
/// race: the ledger resolves a pending transfer once.
pub(super) async fn resolve(
    city: &City,
    pending: u128,
    draws: &[u128],
    how: Resolve,
) -> Result<Resolved, Fault> {
    resolve_with(city, resolving(pending, draws, how)).await
}

/// [`resolve`] for a chain that begins with [`resolving`].
pub(super) async fn resolve_with(city: &City, chain: Vec<Transfer>) -> Result<Resolved, Fault> {
    use CreateTransferStatus as S;
    match books::submit(&city.ledger, books::linked(chain)).await? {
        Ok(_) => Ok(Resolved::Done),
        Err((_, S::PendingTransferExpired)) => Ok(Resolved::Lapsed),
        Err((_, status)) if books::is_exists(status) => Ok(Resolved::Done),
        Err((_, S::PendingTransferAlreadyPosted | S::PendingTransferAlreadyVoided)) => {
            Ok(Resolved::Otherwise)
        }
        Err((at, status)) => Err(Fault::Books(format!("resolve bill payment, event {at}: {status:?}"))),
    }
}

/// The events that post or void a payment and its draws.
pub(super) fn resolving(pending: u128, draws: &[u128], how: Resolve) -> Vec<Transfer> {
    let event = |pending_id: u128, code: u16| match how {
        Resolve::Post => Transfer {
            id: ids::post(pending_id),
            pending_id,
            amount: u128::MAX,
            code,
            flags: TransferFlags::PostPendingTransfer,
            ..Transfer::default()
        },
        Resolve::Void => Transfer {
            id: ids::void(pending_id),
            pending_id,
            code,
            flags: TransferFlags::VoidPendingTransfer,
            ..Transfer::default()
        },
    };
    let payment = event(pending, transfer_code::BILL_PAYMENT);
    // Each draw keeps the code it was made with.
    let draws = draws.iter().map(|id| event(*id, 0));
    std::iter::once(payment).chain(draws).collect()
}

/// The pending draws that belong to a pending payment: of the payer's allowance and, where a mandate pays, of the
/// mandate's month. Their `user_data_32` is the way the claim goes.
pub(super) async fn draws_of(city: &City, pending: u128) -> Result<Vec<Transfer>, Fault> {
    let currency = city.settings.currency;
    let kinds = [
        (shadow::kyc(currency), transfer_code::CAP_DRAW),
        (shadow::mandate(currency), transfer_code::MANDATE_DRAW),
    ];
    let mut found = Vec::new();
    for (ledger, code) in kinds {
        let filter = QueryFilter { user_data_128: pending, ledger, code, limit: 8, ..QueryFilter::default() };
        found.extend(city.ledger.query_transfers(filter).await?);
    }
    found.retain(|t| t.flags.contains(TransferFlags::Pending));
    Ok(found)
}

/// How many rows of the ledger one look takes.
pub(super) const PAGE: u32 = 8_000;

/// Every posting of a bill payment that `filter` selects, in the ledger's order.
pub(super) async fn each_post(
    city: &City,
    filter: AccountFilter,
    mut each: impl FnMut(Settled),
) -> Result<(), Fault> {
    let mut filter = AccountFilter { code: transfer_code::BILL_PAYMENT, limit: PAGE, ..filter };
    loop {
        let page = city.ledger.get_account_transfers(filter).await?;
        for post in page.iter().filter(|t| t.flags.contains(TransferFlags::PostPendingTransfer)) {
            each(Settled::of(post));
        }
        match page.last() {
            Some(last) if page.len() == PAGE as usize && last.timestamp < filter.timestamp_max => {
                filter.timestamp_min = last.timestamp + 1;
            }
            _ => return Ok(()),
        }
    }
}
