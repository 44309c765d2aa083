//! Paying a bill: claim, confirm, settle. See the table in [`super`].
//!
//! The hot path reads a remembered row and writes the ledger; no SQL. Must never settle on a guess:
//! a silent biller leaves the claim pending, and [`super::follow`] asks until it knows.

use std::time::Duration;

use kernel::ids::{BillId, PaymentId};
use ledger::{CreateTransferStatus, EngineError, Transfer, TransferFlags};

use super::connector::{Claim, Outcome};
use super::fee::Portion;
use super::pack::Pack;
use super::parts::{self, same_payment};
use super::rules::{self, Bill, Quote, ids};
use super::standing::{self, Attempt, LAST_ATTEMPT, Resolve, Resolved, Settled};
use super::{BillError, arrears, bill_row, connector, pack};
use crate::books::{self, attempt_id, shadow, transfer_code};
use crate::identity::{self, Resident};
use crate::{City, Fault};

/// A wish to pay.
#[derive(Clone, Debug)]
pub struct PayBill {
    /// Which bill. Anyone may pay anyone's.
    pub bill: BillId,
    /// The id of the quote whose price holds.
    pub quote: String,
    /// Minor units; what the quote says when absent.
    pub amount_minor: Option<i64>,
    /// Above the no-PIN limit.
    pub pin: Option<String>,
    /// The client's own id of this payment, 1 to 64 visible ASCII characters; the quote's when
    /// absent. The same payer, amount and id again is the same payment, not a second.
    pub request_id: Option<String>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paid {
    /// The payment.
    pub settled: Settled,
    /// Settled, or waiting for the biller.
    pub state: PayState,
    /// Whether it had been settled before this request.
    pub repeated: bool,
}

/// Settled, or waiting for the biller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayState {
    /// The money is the biller's.
    Settled,
    /// The money is held; the biller has not answered yet and is being asked.
    Pending,
}

/// How long a payer waits for a biller's answer.
pub(super) const CONFIRM_WITHIN: Duration = Duration::from_secs(10);

/// Pays a bill.
pub async fn pay(city: &City, who: &Resident, request: PayBill) -> Result<Paid, BillError> {
    pay_by(city, who, request, None).await
}

/// Pays a bill without asking for a PIN, for which it draws the amount from `cap` in the same chain: an account on
/// the mandates' shadow ledger that the resident's PIN has filled. Refused as `mandate_cap_reached` when it does
/// not cover the amount.
pub async fn pay_within(city: &City, who: &Resident, request: PayBill, cap: u128) -> Result<Paid, BillError> {
    pay_by(city, who, request, Some(cap)).await
}

async fn pay_by(
    city: &City,
    who: &Resident,
    request: PayBill,
    mandate_cap: Option<u128>,
) -> Result<Paid, BillError> {
    let bill = bill_row(city, request.bill).await?;
    let pack = pack(city, bill.biller).await?;
    let own_id = ids::request(own_id(request.request_id.as_deref(), &request.quote)?);
    let same = (who, own_id, request.amount_minor);
    let quoted = match quoted(city, &pack, &bill, &request.quote, same).await? {
        Priced::Quote(quoted) => quoted,
        Priced::Repeated(paid) => return Ok(paid),
    };
    let amount = request.amount_minor.unwrap_or(quoted.total_minor);
    if !rules::amount_accepted(&quoted, amount) {
        return Err(BillError::AmountUnacceptable);
    }
    if let Err(why) = arrears::require_order(city, &pack, &bill).await {
        // It may have been in order when it was paid.
        let progress = parts::progress_of(city, bill.id).await?;
        let done = progress.payment_of(bill.id, who, own_id, Some(amount));
        return done.map(|(_, paid)| paid).ok_or(why);
    }
    if mandate_cap.is_none() {
        identity::require_pin(city, who, amount, request.pin.as_deref()).await?;
    }
    Intent { city, who, bill: &bill, pack: &pack, quoted: &quoted, amount, own_id, mandate_cap }.pay().await
}

/// The client's own id of a payment: the one given, or else the quote's.
pub(super) fn own_id<'a>(given: Option<&'a str>, quote: &'a str) -> Result<&'a str, BillError> {
    let own_id = given.unwrap_or(quote);
    if !(1..=64).contains(&own_id.len()) || !own_id.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(BillError::RequestIdMalformed);
    }
    Ok(own_id)
}

/// What a request names.
enum Priced {
    /// A quote that holds.
    Quote(Quote),
    /// A payment that was made before.
    Repeated(Paid),
}

/// The quote that the id names, if it still holds; or else the payment that the request is a repetition of.
async fn quoted(
    city: &City,
    pack: &Pack,
    bill: &Bill,
    id: &str,
    (who, own_id, amount): (&Resident, u64, Option<i64>),
) -> Result<Priced, BillError> {
    let mut refusal = BillError::QuoteChanged;
    // Where a bill takes one payment, its claim says whether it was made: nothing is read before.
    if !pack.spec.bills.parts && !pack.spec.closed {
        match pinned(city, pack, bill, &[], id) {
            Ok(quoted) => return Ok(Priced::Quote(quoted)),
            Err(why) => refusal = why,
        }
    }
    // A repeated request may come after its quote has run out: the payment still is what it was.
    let progress = parts::progress_of(city, bill.id).await?;
    if let Some((_, paid)) = progress.payment_of(bill.id, who, own_id, amount) {
        return Ok(Priced::Repeated(paid));
    }
    if pack.spec.closed {
        return Err(BillError::BillerClosed);
    }
    if pack.spec.bills.parts || !progress.posted.is_empty() {
        return match pinned(city, pack, bill, &progress.portions(), id) {
            // New rules may ask for no more than what is paid.
            Ok(quoted) if !progress.is_settled() && quoted.total_minor > 0 => Ok(Priced::Quote(quoted)),
            Ok(_) => Err(BillError::AlreadySettled),
            Err(BillError::QuoteChanged) if progress.is_settled() => Err(BillError::AlreadySettled),
            Err(why) => Err(why),
        };
    }
    Err(refusal)
}

/// The quote that the id names, if it still holds.
pub(super) fn pinned(
    city: &City,
    pack: &Pack,
    bill: &Bill,
    paid: &[Portion],
    id: &str,
) -> Result<Quote, BillError> {
    let issued = rules::quote_issued(id).ok_or(BillError::QuoteMalformed)?;
    let quote = rules::quote(pack, bill, paid, issued, issued.date(city.settings.offset));
    let now = city.now();
    if now >= quote.valid_until {
        return Err(BillError::QuoteExpired);
    }
    // Second 0 of an instant lies up to a second before it.
    if issued > now || quote.id != id {
        return Err(BillError::QuoteChanged);
    }
    Ok(quote)
}

/// A payment under way.
pub(super) struct Intent<'a> {
    pub city: &'a City,
    pub who: &'a Resident,
    pub bill: &'a Bill,
    pub pack: &'a Pack,
    pub quoted: &'a Quote,
    pub amount: i64,
    pub own_id: u64,
    /// The account that a mandate's payment draws from besides.
    pub mandate_cap: Option<u128>,
}

/// How a chain begins: probe, void of the probe, claim, draw of the allowance, where a mandate pays its draw; then,
/// with a local biller, post of the claim and posts of the draws.
const PROBE: usize = 0;
const CLAIM: usize = 2;
const DRAW: usize = 3;
const MANDATE_DRAW: usize = 4;

/// How often a payment moves on to another attempt before it leaves the bill to those it races.
pub(super) const MOVES_MAX: usize = 64;

/// Submits a chain: the timestamp of each event, or the event that failed and how.
pub(super) async fn submit(
    city: &City,
    chain: Vec<Transfer>,
) -> Result<Result<Vec<u64>, (usize, CreateTransferStatus)>, Fault> {
    use CreateTransferStatus as S;
    let results = city.ledger.create_transfers(books::linked(chain)).await?;
    let failed = results.iter().position(|r| !matches!(r.status, S::Created | S::LinkedEventFailed));
    if let Some(at) = failed {
        return Ok(Err((at, results[at].status)));
    }
    if results.iter().any(|r| r.status != S::Created) {
        return Err(Fault::Books("a chain without an answer".to_owned()));
    }
    Ok(Ok(results.iter().map(|r| r.timestamp).collect()))
}

/// What a try at one attempt id came to.
enum Tried {
    /// It is over.
    Paid(Paid),
    /// This attempt is dead for good; the next may live.
    Dead,
}

impl Intent<'_> {
    /// What is paid: the bill, or the part of it that comes next.
    fn base(&self) -> u128 {
        ids::part(self.bill.id.as_u128(), self.quoted.parts_paid as usize)
    }

    pub(super) async fn pay(&self) -> Result<Paid, BillError> {
        let (mut k, mut tried, mut chosen) = (0, Vec::new(), None);
        for _ in 0..MOVES_MAX {
            match self.attempt(attempt_id(self.base(), k), &mut tried, &mut chosen).await? {
                Tried::Paid(paid) => return Ok(paid),
                Tried::Dead => {
                    let (newest, attempt) = standing::newest(self.city, self.base()).await?;
                    k = (k + 1).max(if attempt == Attempt::Voided { newest + 1 } else { newest });
                }
            }
            if k > LAST_ATTEMPT {
                return Err(BillError::AttemptsExhausted);
            }
        }
        Err(BillError::Claimed)
    }

    /// One attempt; `tried` are the ways that cannot be gone, `chosen` the one that is: a way is asked for room once, however
    /// many attempts are dead already.
    async fn attempt(
        &self,
        id: u128,
        tried: &mut Vec<u32>,
        chosen: &mut Option<u32>,
    ) -> Result<Tried, BillError> {
        use CreateTransferStatus as S;
        let connector = connector(self.city, self.bill.biller);
        let local = connector.is_local();
        let Some(way) = chosen.or_else(|| connector.way(self.amount, tried)) else {
            return self.unless_taken(BillError::BillerUnreachable).await;
        };
        *chosen = Some(way);
        let mut chain = self.claim(id, local, way).await?;
        let draws: Vec<u128> = chain[DRAW..].iter().map(|draw| draw.id).collect();
        let post = chain.len();
        if local {
            chain.extend(standing::resolving(id, &draws, Resolve::Post));
        }
        chain.extend(parts::mark(self.pack, self.bill.id, self.quoted, self.amount, id));
        let timestamps = match submit(self.city, chain).await? {
            Ok(timestamps) => timestamps,
            Err((PROBE, S::ExceedsCredits)) => {
                return self.unless_taken(BillError::InsufficientBalance).await;
            }
            Err((CLAIM, S::IdAlreadyFailed)) => return Ok(Tried::Dead),
            Err((CLAIM, status)) if books::is_exists(status) => return self.taken(id).await,
            Err((DRAW, S::ExceedsCredits)) => return Err(BillError::CapReached),
            Err((MANDATE_DRAW, S::ExceedsCredits)) => return Err(BillError::MandateCapReached),
            Err((at, status)) => {
                return Err(Fault::Books(format!("bill payment, event {at}: {status:?}")).into());
            }
        };
        let done = |state, timestamp: u64| {
            let settled = Settled {
                payment: PaymentId::from_u128(id),
                payer: self.who.id,
                biller: self.bill.biller,
                bill: self.bill.id,
                amount_minor: self.amount,
                late_fee_minor: rules::late_fee_within(self.quoted, self.amount),
                request: self.own_id,
                at: crate::wallet::instant(timestamp),
                timestamp,
            };
            Ok(Tried::Paid(Paid { settled, state, repeated: false }))
        };
        if local {
            return done(PayState::Settled, timestamps[post]);
        }
        let asked = Claim {
            payment: PaymentId::from_u128(id),
            bill: self.bill.id,
            payer: self.who.id,
            account_no: self.bill.account_no.clone(),
            bill_no: self.bill.bill_no.clone(),
            period: self.bill.period,
            amount_minor: self.amount,
            at: crate::wallet::instant(timestamps[CLAIM]),
            way,
        };
        let answer = tokio::time::timeout(CONFIRM_WITHIN, connector.confirm(&asked)).await;
        let answer = answer.unwrap_or(Outcome::Silent);
        let how = match answer {
            Outcome::Silent => return done(PayState::Pending, timestamps[CLAIM]),
            Outcome::Confirmed => Resolve::Post,
            Outcome::Refused(_) | Outcome::NotSent => Resolve::Void,
        };
        let resolved = match standing::resolve(self.city, id, &draws, how).await {
            // The claim stands, whatever the biller said: it is followed up when there is room.
            Err(Fault::Ledger(EngineError::NoSpace)) => return done(PayState::Pending, timestamps[CLAIM]),
            other => other?,
        };
        match (answer, resolved) {
            (Outcome::Refused(why), _) => Err(BillError::BillerRefused(why)),
            (Outcome::NotSent, _) => {
                tried.push(way);
                *chosen = None;
                Ok(Tried::Dead)
            }
            (_, Resolved::Done) => self.settled(id).await,
            (_, Resolved::Otherwise | Resolved::Lapsed) => Err(BillError::ClaimLapsed),
        }
    }

    /// The claim: the payment, then the draw of the payer's allowance, both pending.
    ///
    /// A probe goes before: the same money held and let go under ids of its own. A transfer that fails
    /// for want of funds burns its id, and that of the claim belongs to everybody who may pay the bill:
    /// so a payer without funds fails at the probe, and the claim is never tried.
    async fn claim(&self, id: u128, local: bool, way: u32) -> Result<Vec<Transfer>, BillError> {
        let currency = self.city.settings.currency;
        // A biller that must be asked is asked until it answers; only then may the claim end.
        let timeout = if local { self.pack.spec.bills.claim_timeout_s } else { 0 };
        let late_fee = rules::late_fee_within(self.quoted, self.amount);
        let (from, to) = (books::wallet(self.who.id), books::biller(self.bill.biller));
        let payment = Transfer {
            flags: TransferFlags::Pending,
            timeout,
            user_data_128: self.bill.id.as_u128(),
            user_data_64: self.own_id,
            user_data_32: u32::try_from(late_fee).map_err(|_| BillError::AmountUnacceptable)?,
            ..books::transfer(id, from, to, self.amount, currency, transfer_code::BILL_PAYMENT)
        };
        let draw = identity::cap_transfer(self.city, self.who, self.amount, id).await?;
        let draw = Transfer { flags: TransferFlags::Pending, timeout, user_data_32: way, ..draw };
        let [probe, release] = books::funds_probe(&*self.city.rng, &payment);
        let mut chain = vec![probe, release, payment, draw];
        if let Some(cap) = self.mandate_cap {
            let (ledger, code) = (shadow::mandate(currency), transfer_code::MANDATE_DRAW);
            let (draw, pool) = (self.city.rng.u128(), books::pool(ledger));
            chain.push(Transfer {
                flags: TransferFlags::Pending,
                timeout,
                ledger,
                user_data_128: id,
                user_data_32: way,
                ..books::transfer(draw, cap, pool, self.amount, currency, code)
            });
        }
        Ok(chain)
    }

    /// It cannot be tried; but if the bill is taken, that comes first.
    async fn unless_taken(&self, refusal: BillError) -> Result<Tried, BillError> {
        let (k, attempt) = standing::newest(self.city, self.base()).await?;
        let taken = match attempt {
            Attempt::Posted(_) | Attempt::Pending(_) => self.taken(attempt_id(self.base(), k)).await?,
            Attempt::None | Attempt::Voided => Tried::Dead,
        };
        match taken {
            Tried::Paid(paid) => Ok(Tried::Paid(paid)),
            Tried::Dead => Err(refusal),
        }
    }

    /// Somebody was here first: who, and how does it stand?
    async fn taken(&self, id: u128) -> Result<Tried, BillError> {
        let city = self.city;
        match standing::attempts(city, &[id]).await?[..] {
            [Attempt::Posted(settled)] => {
                if same_payment(&settled, self.who, self.own_id, Some(self.amount)) {
                    return Ok(Tried::Paid(Paid { settled, state: PayState::Settled, repeated: true }));
                }
                let left = parts::left_some(city, id).await?;
                Err(if left { BillError::QuoteChanged } else { BillError::AlreadySettled })
            }
            [Attempt::Voided] => Ok(Tried::Dead),
            [Attempt::Pending(t)] => {
                let run_out = t.expires_at().is_some_and(|at| city.now() >= crate::wallet::instant(at));
                if !run_out {
                    let settled = Settled { payment: PaymentId::from_u128(id), ..Settled::of(&t) };
                    return if same_payment(&settled, self.who, self.own_id, Some(self.amount)) {
                        Ok(Tried::Paid(Paid { settled, state: PayState::Pending, repeated: true }))
                    } else {
                        Err(BillError::Claimed)
                    };
                }
                // By this clock it has run out; only the ledger's own word makes the next attempt safe.
                let draws: Vec<u128> = standing::draws_of(city, id).await?.iter().map(|t| t.id).collect();
                match standing::resolve(city, id, &draws, Resolve::Void).await? {
                    Resolved::Done | Resolved::Lapsed => Ok(Tried::Dead),
                    Resolved::Otherwise => Err(BillError::AlreadySettled),
                }
            }
            _ => Err(Fault::Books("exists, but not found".to_owned()).into()),
        }
    }

    async fn settled(&self, id: u128) -> Result<Tried, BillError> {
        match standing::attempts(self.city, &[id]).await?[..] {
            [Attempt::Posted(settled)] => {
                Ok(Tried::Paid(Paid { settled, state: PayState::Settled, repeated: false }))
            }
            _ => Err(Fault::Books("posted, but not found".to_owned()).into()),
        }
    }
}
