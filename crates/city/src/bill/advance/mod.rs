//! Money held for an account at a biller: paid in advance, or collected when there was nothing left to pay.
//!
//! Invariants:
//! - It is an account of the ledger, never overdrawn, and not the biller's until it pays a bill; then it is a payment of
//!   the bill like any other, under the same identity.
//! - Every transfer into it says from whom and why. It is given back once at most: the returning transfer's id is
//!   derived from it.
//! - What is given back is what came in by that transfer, or what is left.

pub mod http;
pub mod rules;
mod store;

use std::sync::Arc;
use std::time::Duration;

use kernel::ids::{BillId, BillerId, CollectorId, PaymentId, ResidentId};
use kernel::{Money, Timestamp, derive_u128};
use ledger::{AccountFilter, AccountFilterFlags, CreateTransferStatus, Transfer, TransferFlags};
use tokio::sync::watch;

pub use self::rules::Reason;
use super::collect::CollectError;
use super::firm::{End, Firm};
use super::pack::AdvanceUse;
use super::rules::{self as bill_rules, AMOUNT_MAX, Bill, ids};
use super::standing::{Settled, Standing};
use super::{BillError, Paid, PayState, bill_row, pack, parts, query};
use crate::books::{self, Once, account_code, shadow, transfer_code};
use crate::identity::{self, Operator, Resident, Role};
use crate::wallet::{Moved, instant};
use crate::{City, Fault};

/// Whose money it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Paid in from a wallet.
    Resident(ResidentId),
    /// Collected.
    Collector(CollectorId),
}

/// What happened to the money held for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It came in.
    In(Source, Reason),
    /// It paid this bill.
    Used(BillId),
    /// What came in by this payment went back.
    Returned(Source, PaymentId),
}

/// A movement of the money held for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    /// Its id in the ledger.
    pub payment: PaymentId,
    /// What it was.
    pub kind: Kind,
    /// The bill it was meant for or paid, where there was one.
    pub bill: Option<BillId>,
    /// Minor units.
    pub amount_minor: i64,
    /// When.
    pub at: Timestamp,
    /// Ledger timestamp: the cursor of this movement.
    pub cursor: u64,
}

/// Money held for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advance {
    /// At which biller.
    pub biller: BillerId,
    /// The number on the biller's paper.
    pub account_no: String,
    /// Free to be used or given back, minor units.
    pub available_minor: i64,
    /// The movements asked for, newest first.
    pub movements: Vec<Movement>,
    /// The cursor of the next page.
    pub next: Option<u64>,
}

/// Makes sure that the account is there, and known to whoever looks for bills it could pay.
pub(super) async fn open(city: &City, biller: BillerId, account_no: &str) -> Result<u128, BillError> {
    let id = books::advance(biller, account_no);
    let ledger = books::money(city.settings.currency);
    if city.ledger.lookup_accounts(vec![id]).await?.is_empty() {
        let (number, now) = (account_no.to_owned(), city.now());
        let added: Result<(), BillError> = city
            .store
            .write(move |conn| {
                let number = number.clone();
                Box::pin(async move { Ok(store::add(conn, id, biller, &number, now).await?) })
            })
            .await;
        added?;
        books::ensure(&city.ledger, vec![books::never_overdrawn(id, ledger, account_code::ADVANCE)]).await?;
    }
    Ok(id)
}

/// A wish to pay in advance.
#[derive(Clone, Debug)]
pub struct PayAhead {
    /// Which biller.
    pub biller: BillerId,
    /// Which account.
    pub account_no: String,
    /// How much.
    pub amount: Money,
    /// Above the no-PIN limit.
    pub pin: Option<String>,
    /// The client's own id of this payment.
    pub key: String,
}

/// Pays in advance, from a wallet.
pub async fn pay_ahead(city: &City, who: &Resident, wish: &PayAhead) -> Result<Moved, BillError> {
    let pack = pack(city, wish.biller).await?;
    pack.spec.account.check(&wish.account_no).map_err(BillError::AccountMalformed)?;
    if !pack.spec.bills.advance {
        return Err(CollectError::NoAdvance.into());
    }
    let (amount, currency) = (wish.amount, city.settings.currency);
    if amount.currency != currency || !(1..=AMOUNT_MAX).contains(&amount.minor) {
        return Err(BillError::AmountUnacceptable);
    }
    identity::require_pin(city, who, amount.minor, wish.pin.as_deref()).await?;
    let to = open(city, wish.biller, &wish.account_no).await?;
    let payment = PaymentId::derive(&[b"advance", &who.id.to_bytes(), wish.key.as_bytes()]);
    let cap = identity::cap_transfer(city, who, amount.minor, payment.as_u128()).await?;
    let once = books::pay_once(&city.ledger, payment.as_u128(), |id| {
        let from = books::wallet(who.id);
        let main = books::transfer(id, from, to, amount.minor, currency, transfer_code::ADVANCE_IN);
        let main =
            Transfer { user_data_64: ids::request(&wish.key), user_data_32: Reason::Ahead.number(), ..main };
        vec![main, Transfer { user_data_128: id, ..cap }]
    });
    let moved = |id, timestamp, repeated| Moved {
        payment: PaymentId::from_u128(id),
        amount,
        at: instant(timestamp),
        repeated,
    };
    match once.await? {
        Once::Done { id, timestamp } => {
            use_where_automatic(city, wish.biller, &wish.account_no).await;
            Ok(moved(id, timestamp, false))
        }
        Once::Already(t)
            if t.credit_account_id == to && Some(t.amount) == u128::try_from(amount.minor).ok() =>
        {
            Ok(moved(t.id, t.timestamp, true))
        }
        Once::Already(_) => Err(CollectError::ReferenceUsed.into()),
        Once::Refused(0, CreateTransferStatus::ExceedsCredits) => Err(BillError::InsufficientBalance),
        Once::Refused(1, CreateTransferStatus::ExceedsCredits) => Err(BillError::CapReached),
        Once::Refused(at, status) => Err(Fault::Books(format!("advance, event {at}: {status:?}")).into()),
        Once::Exhausted => Err(BillError::AttemptsExhausted),
    }
}

/// The money held for an account, and its movements: `limit` of them before the cursor. Callers check who may see that.
pub async fn advance(
    city: &City,
    biller: BillerId,
    account_no: &str,
    before: Option<u64>,
    limit: u32,
) -> Result<Advance, BillError> {
    let pack = pack(city, biller).await?;
    pack.spec.account.check(account_no).map_err(BillError::AccountMalformed)?;
    let id = books::advance(biller, account_no);
    let available_minor = books::available(&city.ledger, id).await?;
    let mut seen = Advance {
        biller,
        account_no: account_no.to_owned(),
        available_minor,
        movements: Vec::new(),
        next: None,
    };
    if before.is_some_and(|t| t <= 1) {
        return Ok(seen);
    }
    let filter = AccountFilter {
        account_id: id,
        timestamp_max: before.map_or(0, |t| t.saturating_sub(1)),
        limit: limit + 1,
        flags: AccountFilterFlags::Debits | AccountFilterFlags::Credits | AccountFilterFlags::Reversed,
        ..AccountFilter::default()
    };
    let page = city.ledger.get_account_transfers(filter).await?;
    let shown = &page[..page.len().min(limit as usize)];
    seen.movements = shown.iter().filter_map(movement).collect();
    seen.next = shown.last().filter(|_| page.len() > limit as usize).map(|t| t.timestamp);
    Ok(seen)
}

/// What a transfer of an advance was; nothing of what has no end yet or came to none.
fn movement(t: &Transfer) -> Option<Movement> {
    if t.flags.intersects(TransferFlags::Pending | TransferFlags::VoidPendingTransfer) {
        return None;
    }
    let (kind, bill) = match t.code {
        transfer_code::ADVANCE_IN => {
            let reason = Reason::of(t.user_data_32)?;
            let bill = (t.user_data_128 != 0).then(|| BillId::from_u128(t.user_data_128));
            (Kind::In(source(t.debit_account_id, reason), reason), bill)
        }
        transfer_code::BILL_PAYMENT => {
            let bill = BillId::from_u128(t.user_data_128);
            (Kind::Used(bill), Some(bill))
        }
        transfer_code::ADVANCE_RETURN => {
            let reason = Reason::of(t.user_data_32)?;
            let of = PaymentId::from_u128(t.user_data_128);
            (Kind::Returned(source(t.credit_account_id, reason), of), None)
        }
        _ => return None,
    };
    let id = if t.pending_id == 0 { t.id } else { t.pending_id };
    Some(Movement {
        payment: PaymentId::from_u128(id),
        kind,
        bill,
        amount_minor: i64::try_from(t.amount).unwrap_or(i64::MAX),
        at: instant(t.timestamp),
        cursor: t.timestamp,
    })
}

fn source(account: u128, reason: Reason) -> Source {
    match reason {
        Reason::Ahead => Source::Resident(ResidentId::from_u128(account)),
        _ => Source::Collector(CollectorId::from_u128(account)),
    }
}

/// A payment into an advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaidIn {
    /// Which.
    pub payment: PaymentId,
    /// Whose money.
    pub source: Source,
    /// Why it came in.
    pub reason: Reason,
    /// Into which account of the ledger.
    account: u128,
    /// Minor units.
    pub amount_minor: i64,
}

/// A payment into an advance.
pub async fn paid_in(city: &City, payment: PaymentId) -> Result<PaidIn, BillError> {
    let found = city.ledger.lookup_transfers(vec![payment.as_u128()]).await?;
    let found = found.first().filter(|t| t.code == transfer_code::ADVANCE_IN);
    let t = found.ok_or(CollectError::AdvanceUnknown)?;
    let reason = Reason::of(t.user_data_32).ok_or(CollectError::AdvanceUnknown)?;
    let source = source(t.debit_account_id, reason);
    let amount_minor = i64::try_from(t.amount).unwrap_or(i64::MAX);
    Ok(PaidIn { payment, source, reason, account: t.credit_account_id, amount_minor })
}

/// What the giving back of a payment is known by.
pub fn return_id(payment: PaymentId) -> PaymentId {
    PaymentId::derive(&[b"advance_return", &payment.to_bytes()])
}

/// Gives a resident's own payment back to the wallet, or what is left of it. Once.
pub async fn take_back(city: &City, who: &Resident, payment: PaymentId) -> Result<Moved, BillError> {
    let paid = paid_in(city, payment).await?;
    if paid.source != Source::Resident(who.id) {
        return Err(CollectError::AdvanceUnknown.into());
    }
    let left = books::available(&city.ledger, paid.account).await?;
    give_back(city, &paid, left.min(paid.amount_minor), None).await
}

/// Gives a payment back to whoever it came from, by an operator, in one chain with a marker where one is given. Once.
pub async fn give_back_beside(
    city: &City,
    by: &Operator,
    payment: PaymentId,
    amount: Money,
    beside: Option<Transfer>,
) -> Result<Moved, BillError> {
    by.role.require(Role::Staff)?;
    let paid = check_return(city, payment, amount).await?;
    give_back(city, &paid, amount.minor, beside).await
}

/// Refuses what could be no giving back, whatever the ledger says.
pub async fn check_return(city: &City, payment: PaymentId, amount: Money) -> Result<PaidIn, BillError> {
    let paid = paid_in(city, payment).await?;
    if amount.currency != city.settings.currency || !(1..=paid.amount_minor).contains(&amount.minor) {
        return Err(BillError::AmountUnacceptable);
    }
    Ok(paid)
}

async fn give_back(
    city: &City,
    paid: &PaidIn,
    minor: i64,
    beside: Option<Transfer>,
) -> Result<Moved, BillError> {
    let currency = city.settings.currency;
    let moved = |id, minor, timestamp, repeated| Moved {
        payment: PaymentId::from_u128(id),
        amount: Money::new(minor, currency),
        at: instant(timestamp),
        repeated,
    };
    let base = return_id(paid.payment).as_u128();
    if minor <= 0 {
        return match books::find_once(&city.ledger, base).await? {
            Some(t) => Ok(moved(t.id, i64::try_from(t.amount).unwrap_or(i64::MAX), t.timestamp, true)),
            None => Err(CollectError::AdvanceShort.into()),
        };
    }
    let (to, room) = match paid.source {
        Source::Resident(who) => {
            let back = identity::cap_return(city, paid.payment.as_u128(), minor, base).await?;
            (books::wallet(who), back)
        }
        Source::Collector(collector) => {
            let pool = books::pool(shadow::kyc(currency));
            (books::collector(collector), Some(room(city, pool, collector, minor, base)))
        }
    };
    let once = books::pay_once(&city.ledger, base, |id| {
        let main = books::transfer(id, paid.account, to, minor, currency, transfer_code::ADVANCE_RETURN);
        let main =
            Transfer { user_data_128: paid.payment.as_u128(), user_data_32: paid.reason.number(), ..main };
        [main].into_iter().chain(room).chain(beside).collect()
    });
    match once.await? {
        Once::Done { id, timestamp } => Ok(moved(id, minor, timestamp, false)),
        Once::Already(t) => Ok(moved(t.id, i64::try_from(t.amount).unwrap_or(i64::MAX), t.timestamp, true)),
        Once::Refused(0, CreateTransferStatus::ExceedsCredits) | Once::Exhausted => {
            Err(CollectError::AdvanceShort.into())
        }
        Once::Refused(_, status) if books::is_exists(status) && beside.is_some() => {
            Err(BillError::PaymentFinal)
        }
        Once::Refused(at, status) => Err(Fault::Books(format!("give back, event {at}: {status:?}")).into()),
    }
}

/// Room under a collector's limit, in the chain of what makes it owe less.
pub(super) fn room(city: &City, pool: u128, collector: CollectorId, minor: i64, of: u128) -> Transfer {
    let (currency, to) = (city.settings.currency, books::collector_limit(collector));
    let back = books::transfer(city.rng.u128(), pool, to, minor, currency, transfer_code::CAP_RETURN);
    Transfer { ledger: shadow::kyc(currency), user_data_128: of, ..back }
}

/// Money into an advance that a collector has taken, with its mark. `Short` where its limit does not cover it.
pub(super) async fn collected(
    city: &City,
    collector: CollectorId,
    bill: &Bill,
    amount: i64,
    reason: Reason,
    own: u64,
    mark: u128,
) -> Result<Result<Moved, End>, BillError> {
    use CreateTransferStatus as S;
    let currency = city.settings.currency;
    let to = open(city, bill.biller, &bill.account_no).await?;
    let id = derive_u128("collected_advance", &[&mark.to_be_bytes()]);
    let marker = books::marker(mark, transfer_code::COLLECTED);
    let main =
        books::transfer(id, books::collector(collector), to, amount, currency, transfer_code::ADVANCE_IN);
    let main = Transfer {
        user_data_128: bill.id.as_u128(),
        user_data_64: own,
        user_data_32: reason.number(),
        ..main
    };
    let limit = shadow::kyc(currency);
    let (from, pool) = (books::collector_limit(collector), books::pool(limit));
    let draw = books::transfer(city.rng.u128(), from, pool, amount, currency, transfer_code::CAP_DRAW);
    let draw = Transfer { ledger: limit, user_data_128: id, ..draw };
    let chain = vec![Transfer { user_data_128: id, ..marker }, main, draw];
    let moved = |timestamp| Moved {
        payment: PaymentId::from_u128(id),
        amount: Money::new(amount, currency),
        at: instant(timestamp),
        repeated: false,
    };
    match books::submit(&city.ledger, books::linked(chain)).await? {
        Ok(timestamp) => Ok(Ok(moved(timestamp))),
        Err((0, status)) if books::is_exists(status) => Ok(Err(End::Marked)),
        Err((2, S::ExceedsCredits)) => Ok(Err(End::Short)),
        Err((at, status)) => Err(Fault::Books(format!("collected, event {at}: {status:?}")).into()),
    }
}

/// Pays a bill from what is held for its account. By a resident who keeps the account.
pub async fn pay_from(city: &City, who: &Resident, bill: BillId) -> Result<Paid, BillError> {
    let bill = bill_row(city, bill).await?;
    keeps(city, who, bill.biller, &bill.account_no).await?;
    draw(city, &bill).await
}

/// Refuses who does not keep the account.
pub async fn keeps(city: &City, who: &Resident, biller: BillerId, account_no: &str) -> Result<(), BillError> {
    let kept = super::saved::saved(city, who).await?;
    let found = kept.iter().any(|saved| saved.biller == biller && saved.account_no == account_no);
    if found { Ok(()) } else { Err(CollectError::NotKept.into()) }
}

/// Pays a bill from what is held for its account, at today's price. By an operator.
pub async fn pay_from_by(city: &City, by: &Operator, bill: BillId) -> Result<Paid, BillError> {
    by.role.require(Role::Staff)?;
    let bill = bill_row(city, bill).await?;
    draw(city, &bill).await
}

async fn draw(city: &City, bill: &Arc<Bill>) -> Result<Paid, BillError> {
    let pack = pack(city, bill.biller).await?;
    let now = city.now();
    let progress = parts::progress_of(city, bill.id).await?;
    let quote = bill_rules::quote(&pack, bill, &progress.portions(), now, now.date(city.settings.offset));
    let limit = shadow::kyc(city.settings.currency);
    let from = open(city, bill.biller, &bill.account_no).await?;
    let carrier = books::named("advance_use", limit);
    books::ensure(
        &city.ledger,
        vec![books::account(carrier, limit, account_code::CAP_POOL, ledger::AccountFlags::empty())],
    )
    .await?;
    let firm = Firm {
        city,
        bill,
        base: progress.base(bill.id),
        from,
        draw: (books::pool(limit), carrier),
        probed: true,
        amount: quote.total_minor,
        late_fee: quote.late_fee_minor,
        own: 0,
        mark: None,
    };
    let mut tried = Vec::new();
    let paid = |settled: Settled, state, repeated| Ok(Paid { settled, state, repeated });
    loop {
        return match firm.pay(&tried).await? {
            End::Paid(settled, repeated) => paid(settled, PayState::Settled, repeated),
            End::Pending(settled) => paid(settled, PayState::Pending, false),
            End::Taken => Err(BillError::AlreadySettled),
            End::Busy | End::Marked => Err(BillError::Claimed),
            End::Refused(why) => Err(BillError::BillerRefused(why)),
            End::Unreachable => Err(BillError::BillerUnreachable),
            End::Short => Err(CollectError::AdvanceShort.into()),
            End::NotSent(way) => {
                tried.push(way);
                continue;
            }
        };
    }
}

/// Pays what is due on the account with what is held for it, oldest first, where the pack says so. Whatever is refused
/// is looked at again by [`run`].
pub(super) async fn use_where_automatic(city: &City, biller: BillerId, account_no: &str) {
    if let Err(why) = use_up(city, biller, account_no).await {
        tracing::warn!(%biller, code = crate::Refusal::code(&why), "an advance was not used");
    }
}

async fn use_up(city: &City, biller: BillerId, account_no: &str) -> Result<usize, BillError> {
    let pack = pack(city, biller).await?;
    if pack.spec.bills.advance_use != AdvanceUse::Auto {
        return Ok(0);
    }
    let mut left = books::available(&city.ledger, books::advance(biller, account_no)).await?;
    if left <= 0 {
        return Ok(0);
    }
    let mut open = match query::fetch(city, biller, account_no).await {
        Err(BillError::AccountUnknown) => return Ok(0),
        found => found?,
    };
    open.retain(|view| view.standing == Standing::Open);
    open.sort_by_key(|view| (view.bill.due, view.bill.id));
    let mut used = 0;
    for view in open {
        if view.quote.total_minor > left {
            break;
        }
        let paid = draw(city, &view.bill).await?;
        left -= paid.settled.amount_minor;
        used += 1;
    }
    Ok(used)
}

/// How often bills are looked for that advances could pay.
const EVERY: Duration = Duration::from_mins(1);
/// How many accounts are read at once.
const BATCH: u32 = 200;

/// Pays what advances cover, where packs say so. Says how many bills it paid.
pub async fn use_all(city: &City) -> Result<usize, BillError> {
    let (mut used, mut after) = (0, 0u128);
    loop {
        let page = {
            let mut conn = city.store.read().await?;
            store::after(&mut conn, after, BATCH).await?
        };
        let Some((last, ..)) = page.last() else { return Ok(used) };
        after = *last;
        for (_, biller, account_no) in page {
            match use_up(city, biller, &account_no).await {
                Ok(paid) => used += paid,
                Err(why) => {
                    tracing::warn!(%biller, code = crate::Refusal::code(&why), "an advance was not used");
                }
            }
        }
    }
}

/// Accounts of a biller that money was ever held for, after one, with what is held now.
pub async fn accounts(
    city: &City,
    biller: BillerId,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<(String, i64)>, BillError> {
    let mut conn = city.store.read().await?;
    let found = store::of_biller(&mut conn, biller, after.unwrap_or_default(), limit).await?;
    drop(conn);
    let ids: Vec<u128> = found.iter().map(|number| books::advance(biller, number)).collect();
    let accounts = city.ledger.lookup_accounts(ids.clone()).await?;
    let free = |id: &u128| accounts.iter().find(|a| a.id == *id).map_or(0, books::free);
    let free: Vec<i64> = ids.iter().map(free).collect();
    Ok(found.into_iter().zip(free).collect())
}

pub(super) async fn run(city: City, mut stop: watch::Receiver<bool>) {
    loop {
        if let Err(why) = use_all(&city).await {
            tracing::error!(%why, "advances could not be looked at");
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
