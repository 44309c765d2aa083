//! Paying a bill: claim, confirm, settle. See the table in [`super`].
//!
//! The hot path reads a remembered row and writes the ledger; no SQL. Must never settle on a guess:
//! a silent biller leaves the claim pending, and [`super::follow`] asks until it knows.

use std::time::Duration;

use kernel::ids::{BillId, PaymentId};
use ledger::{CreateTransferStatus, EngineError, Transfer, TransferFlags};

use super::connector::{Claim, Outcome};
use super::pack::Pack;
use super::rules::{self, Bill, Quote, ids};
use super::standing::{self, Attempt, LAST_ATTEMPT, Resolve, Resolved, Settled};
use super::{BillError, bill_row, connector, pack};
use crate::books::{self, attempt_id, transfer_code};
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
    let bill = bill_row(city, request.bill).await?;
    let pack = pack(city, bill.biller).await?;
    let own_id = request.request_id.as_deref().unwrap_or(&request.quote);
    if !(1..=64).contains(&own_id.len()) || !own_id.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(BillError::RequestIdMalformed);
    }
    let own_id = ids::request(own_id);
    let quoted = match pinned(city, &pack, &bill, &request.quote) {
        Ok(quoted) => quoted,
        // A repeated request may come after its quote has run out: the payment still is what it was.
        Err(refusal) => {
            return repeated(city, who, &bill, own_id, request.amount_minor).await?.ok_or(refusal);
        }
    };
    let amount = request.amount_minor.unwrap_or(quoted.total_minor);
    if !rules::amount_accepted(quoted.amount_rule, quoted.total_minor, amount) {
        return Err(BillError::AmountUnacceptable);
    }
    identity::require_pin(city, who, amount, request.pin.as_deref()).await?;
    let intent = Intent { city, who, bill: &bill, pack: &pack, quoted: &quoted, amount, own_id };
    intent.pay().await
}

/// The quote that the id names, if it still holds.
pub(super) fn pinned(city: &City, pack: &Pack, bill: &Bill, id: &str) -> Result<Quote, BillError> {
    let issued = rules::quote_issued(id).ok_or(BillError::QuoteMalformed)?;
    let quote = rules::quote(pack, bill, issued, issued.date(city.settings.offset));
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

/// The payment that this request is a repetition of, if it is one.
async fn repeated(
    city: &City,
    who: &Resident,
    bill: &Bill,
    own_id: u64,
    amount: Option<i64>,
) -> Result<Option<Paid>, BillError> {
    let (number, attempt) = standing::newest(city, bill.id).await?;
    let (settled, state) = match attempt {
        Attempt::Posted(settled) => (settled, PayState::Settled),
        // What may have run out says nothing; the claim of a biller that is asked never does.
        Attempt::Pending(claim) if claim.expires_at().is_none() => {
            let payment = PaymentId::from_u128(attempt_id(bill.id.as_u128(), number));
            (Settled { payment, ..Settled::of(&claim) }, PayState::Pending)
        }
        _ => return Ok(None),
    };
    let same = same_payment(&settled, who, own_id, amount);
    Ok(same.then_some(Paid { settled, state, repeated: true }))
}

fn same_payment(settled: &Settled, who: &Resident, own_id: u64, amount: Option<i64>) -> bool {
    settled.payer == who.id
        && settled.request == own_id
        && amount.is_none_or(|amount| amount == settled.amount_minor)
}

/// A payment under way.
struct Intent<'a> {
    city: &'a City,
    who: &'a Resident,
    bill: &'a Bill,
    pack: &'a Pack,
    quoted: &'a Quote,
    amount: i64,
    own_id: u64,
}

/// How a chain begins: probe, void of the probe, claim, draw; then, with a local biller, post of the
/// claim and post of the draw.
const PROBE: usize = 0;
const CLAIM: usize = 2;
const DRAW: usize = 3;
const POST: usize = 4;

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
    async fn pay(&self) -> Result<Paid, BillError> {
        let (mut k, mut tried) = (0, Vec::new());
        for _ in 0..MOVES_MAX {
            match self.attempt(attempt_id(self.bill.id.as_u128(), k), &mut tried).await? {
                Tried::Paid(paid) => return Ok(paid),
                Tried::Dead => {
                    let (newest, attempt) = standing::newest(self.city, self.bill.id).await?;
                    k = (k + 1).max(if attempt == Attempt::Voided { newest + 1 } else { newest });
                }
            }
            if k > LAST_ATTEMPT {
                return Err(BillError::AttemptsExhausted);
            }
        }
        Err(BillError::Claimed)
    }

    /// One attempt; `tried` are the ways that cannot be gone.
    async fn attempt(&self, id: u128, tried: &mut Vec<u32>) -> Result<Tried, BillError> {
        use CreateTransferStatus as S;
        let connector = connector(self.city, self.bill.biller);
        let local = connector.is_local();
        let Some(way) = connector.way(self.amount, tried) else {
            return self.unless_taken(BillError::BillerUnreachable).await;
        };
        let mut chain = self.claim(id, local, way).await?;
        let draw = chain[DRAW].id;
        if local {
            chain.extend(standing::resolving(id, &[draw], Resolve::Post));
        }
        let timestamps = match submit(self.city, chain).await? {
            Ok(timestamps) => timestamps,
            Err((PROBE, S::ExceedsCredits)) => {
                return self.unless_taken(BillError::InsufficientBalance).await;
            }
            Err((CLAIM, S::IdAlreadyFailed)) => return Ok(Tried::Dead),
            Err((CLAIM, status)) if books::is_exists(status) => return self.taken(id).await,
            Err((DRAW, S::ExceedsCredits)) => return Err(BillError::CapReached),
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
            return done(PayState::Settled, timestamps[POST]);
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
        let resolved = match standing::resolve(self.city, id, &[draw], how).await {
            // The claim stands, whatever the biller said: it is followed up when there is room.
            Err(Fault::Ledger(EngineError::NoSpace)) => return done(PayState::Pending, timestamps[CLAIM]),
            other => other?,
        };
        match (answer, resolved) {
            (Outcome::Refused(why), _) => Err(BillError::BillerRefused(why)),
            (Outcome::NotSent, _) => {
                tried.push(way);
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
        Ok(vec![probe, release, payment, draw])
    }

    /// It cannot be tried; but if the bill is taken, that comes first.
    async fn unless_taken(&self, refusal: BillError) -> Result<Tried, BillError> {
        let (k, attempt) = standing::newest(self.city, self.bill.id).await?;
        let taken = match attempt {
            Attempt::Posted(_) | Attempt::Pending(_) => {
                self.taken(attempt_id(self.bill.id.as_u128(), k)).await?
            }
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
                Err(BillError::AlreadySettled)
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
