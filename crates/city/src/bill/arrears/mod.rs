//! Several open bills of one account: what they cost together, and paying them with one request, oldest first.
//!
//! Invariants:
//! - Paying several bills is a sequence of single payments: each is final by itself, each has an id of its own derived
//!   from the client's and the bill. It stops at the first refusal and says what was paid.
//! - The price names every bill in it. It holds for those that are left after a part of the sequence, so asking again
//!   goes on where it stopped and pays nothing twice.
//! - Where a pack has `oldest_first`, no bill is paid before those due before it.

pub mod http;
pub mod rules;

use std::sync::Arc;

use kernel::Timestamp;
use kernel::ids::{BillId, BillerId};

use self::rules::{BILLS_MAX, allocate};
use super::pack::{Order, Pack};
use super::parts;
use super::pay::{Intent, Paid, PayState, own_id};
use super::query::{BillView, fetch};
use super::rules::{Bill, Quote, ids, quote};
use super::standing::Standing;
use super::{BillError, pack};
use crate::City;
use crate::identity::{self, Resident};

/// What is open on an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrears {
    /// To be sent with the payment.
    pub id: String,
    /// Whose bills.
    pub pack: Arc<Pack>,
    /// The bills, oldest first, with what each costs now.
    pub bills: Vec<BillView>,
    /// Of all of them, minor units.
    pub total_minor: i64,
    /// The late fees within it.
    pub late_fee_minor: i64,
    /// Until then the price is good.
    pub valid_until: Timestamp,
}

/// A wish to pay what is open on an account.
#[derive(Clone, Debug)]
pub struct PayAccount {
    /// Whose bills.
    pub biller: BillerId,
    /// The account at the biller.
    pub account_no: String,
    /// The id of [`Arrears`].
    pub quote: String,
    /// Minor units; all of it when absent.
    pub amount_minor: Option<i64>,
    /// Where the whole is above the no-PIN limit.
    pub pin: Option<String>,
    /// The client's own id of this payment, 1 to 64 visible ASCII characters; the quote's when absent.
    pub request_id: Option<String>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidAccount {
    /// The payments, in order.
    pub paid: Vec<Paid>,
    /// Where it stopped, and why: asking again may go on there.
    pub stopped: Option<(Option<BillId>, BillError)>,
}

/// Oldest first.
fn sort(bills: &mut [BillView]) {
    bills.sort_by_key(|view| (view.bill.due, view.bill.id));
}

/// The oldest bills that are open on an account, and what they cost together.
pub async fn arrears(city: &City, biller: BillerId, account_no: &str) -> Result<Arrears, BillError> {
    let pack = pack(city, biller).await?;
    let mut bills = fetch(city, biller, account_no).await?;
    bills.retain(|view| !matches!(view.standing, Standing::Settled(_)) && view.quote.total_minor > 0);
    sort(&mut bills);
    bills.truncate(BILLS_MAX);
    let issued = bills.first().map(|view| view.quote.valid_until).ok_or(BillError::NothingOpen)?;
    let valid = std::time::Duration::from_secs(pack.spec.bills.quote_valid_s.into());
    let (mut total_minor, mut late_fee_minor) = (0i64, 0i64);
    for view in &bills {
        total_minor = total_minor.saturating_add(view.quote.total_minor);
        late_fee_minor = late_fee_minor.saturating_add(view.quote.late_fee_minor);
    }
    let quotes: Vec<(BillId, &Quote)> = bills.iter().map(|view| (view.bill.id, &view.quote)).collect();
    let id = rules::quote_id(issued.minus(valid), &quotes);
    Ok(Arrears { id, pack, bills, total_minor, late_fee_minor, valid_until: issued })
}

/// Refuses where the pack wants older bills paid first and one is not.
pub(super) async fn require_order(city: &City, pack: &Pack, bill: &Bill) -> Result<(), BillError> {
    if pack.spec.bills.order == Order::Any {
        return Ok(());
    }
    let before = |view: &BillView| (view.bill.due, view.bill.id) < (bill.due, bill.id);
    let mut older = fetch(city, bill.biller, &bill.account_no).await?;
    older.retain(|view| before(view) && !matches!(view.standing, Standing::Settled(_)));
    let oldest = older.iter().min_by_key(|view| (view.bill.due, view.bill.id));
    oldest.map_or(Ok(()), |view| Err(BillError::OlderBillOpen(view.bill.id)))
}

/// A bill of the sequence.
struct Step {
    bill: Arc<Bill>,
    /// Its price before this request paid anything of it.
    quote: Quote,
    /// The client's own id of this payment.
    own_id: u64,
    /// What this request has paid of it already.
    done: Option<Paid>,
}

/// The bills that a price asked for at `issued` names, if it still holds: those that are open, and those that this
/// request paid.
async fn steps(
    city: &City,
    who: &Resident,
    pack: &Pack,
    request: &PayAccount,
    issued: Timestamp,
) -> Result<Vec<Step>, BillError> {
    let own = own_id(request.request_id.as_deref(), &request.quote)?;
    let mut bills = fetch(city, request.biller, &request.account_no).await?;
    sort(&mut bills);
    let asked: Vec<BillId> = bills.iter().map(|view| view.bill.id).collect();
    let day = issued.date(city.settings.offset);
    let mut steps = Vec::new();
    for (view, progress) in bills.into_iter().zip(parts::progress(city, &asked).await?) {
        let bill = view.bill;
        let own_id = ids::account_request(own, bill.id.as_u128());
        let found = progress.payment_of(bill.id, who, own_id, None);
        if found.is_none() && progress.is_settled() {
            continue;
        }
        let before = found.map_or(progress.posted.len(), |(number, _)| number);
        let paid = progress.portions();
        let quote = quote(pack, &bill, &paid[..before], issued, day);
        if quote.total_minor > 0 {
            steps.push(Step { bill, quote, own_id, done: found.map(|(_, paid)| paid) });
        }
    }
    steps.truncate(BILLS_MAX);
    Ok(steps)
}

/// Whether the price that was asked for is that of these bills, and still holds.
fn pinned(city: &City, steps: &[Step], id: &str, issued: Timestamp) -> Result<(), BillError> {
    let Some(first) = steps.first() else { return Err(BillError::QuoteChanged) };
    let now = city.now();
    if now >= first.quote.valid_until {
        return Err(BillError::QuoteExpired);
    }
    let quotes: Vec<(BillId, &Quote)> = steps.iter().map(|step| (step.bill.id, &step.quote)).collect();
    if issued > now || rules::quote_id(issued, &quotes) != id {
        return Err(BillError::QuoteChanged);
    }
    Ok(())
}

/// Pays what is open on an account, oldest first. Safe to repeat: what was paid is answered again, and what was not is
/// paid if the price still holds.
pub async fn pay_account(city: &City, who: &Resident, request: PayAccount) -> Result<PaidAccount, BillError> {
    let pack = pack(city, request.biller).await?;
    let issued = rules::quote_issued(&request.quote).ok_or(BillError::QuoteMalformed)?;
    let steps = steps(city, who, &pack, &request, issued).await?;
    let done: Vec<Paid> = steps.iter().filter_map(|step| step.done).collect();
    let stop = |paid: Vec<Paid>, bill, why| {
        // Nothing was done, now or before: a plain refusal.
        if paid.is_empty() { Err(why) } else { Ok(PaidAccount { paid, stopped: Some((bill, why)) }) }
    };
    if let Err(why) = pinned(city, &steps, &request.quote, issued) {
        return stop(done, None, why);
    }
    let quotes: Vec<&Quote> = steps.iter().map(|step| &step.quote).collect();
    let Some(shares) = allocate(&quotes, request.amount_minor) else {
        return stop(done, None, BillError::AmountUnacceptable);
    };
    // The same id with another amount is not the same payment.
    let differs = |(step, share): (&Step, Option<&i64>)| {
        step.done.is_some_and(|paid| share != Some(&paid.settled.amount_minor))
    };
    if steps.iter().zip(shares.iter().map(Some).chain(std::iter::repeat(None))).any(differs) {
        return stop(done, None, BillError::AmountUnacceptable);
    }
    if done.len() < shares.len() {
        let whole = shares.iter().sum();
        if let Err(why) = identity::require_pin(city, who, whole, request.pin.as_deref()).await {
            return stop(done, None, why.into());
        }
    }
    let mut paid: Vec<Paid> = Vec::with_capacity(shares.len());
    for (step, amount) in steps.iter().zip(shares) {
        let bill = &*step.bill;
        let waiting =
            paid.last().filter(|paid| paid.state == PayState::Pending).map(|paid| paid.settled.bill);
        let outcome = match (step.done, waiting) {
            (Some(done), _) => Ok(done),
            // The biller has not answered for the one before.
            (None, Some(before)) if pack.spec.bills.order == Order::OldestFirst => {
                Err(BillError::OlderBillOpen(before))
            }
            (None, _) => {
                let (quoted, own_id) = (&step.quote, step.own_id);
                Intent { city, who, bill, pack: &pack, quoted, amount, own_id, mandate_cap: None }.pay().await
            }
        };
        match outcome {
            Ok(done) => paid.push(done),
            Err(why) => return stop(paid, Some(bill.id), why),
        }
    }
    Ok(PaidAccount { paid, stopped: None })
}
