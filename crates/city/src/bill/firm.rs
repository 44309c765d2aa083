//! Paying a bill with money that is there already: a collector's, or an advance. The same identity as a resident's
//! payment, so whoever comes first wins; it pays all that is open. Must never pay twice for one mark.

use kernel::ids::{PaymentId, ResidentId};
use ledger::{CreateTransferStatus, EngineError, Transfer, TransferFlags};

use super::connector::{Claim, Outcome};
use super::pay::{CONFIRM_WITHIN, MOVES_MAX, submit};
use super::rules::Bill;
use super::standing::{self, Attempt, Resolve, Resolved, Settled};
use super::{BillError, connector};
use crate::books::{self, attempt_id, shadow, transfer_code};
use crate::{City, Fault};

/// Money that pays a bill.
pub(super) struct Firm<'a> {
    pub city: &'a City,
    pub bill: &'a Bill,
    /// The identity of what is paid: the bill, or the part of it that is open.
    pub base: u128,
    /// Whose money: an account of the money ledger.
    pub from: u128,
    /// What the draw beside the payment goes from and to, on the ledger of allowances; it carries the way.
    pub draw: (u128, u128),
    /// Whether `from` is never overdrawn, so that it is asked before the payment's id is tried.
    pub probed: bool,
    /// Minor units.
    pub amount: i64,
    /// The late fee within it.
    pub late_fee: i64,
    /// The payer's own id of the payment, hashed.
    pub own: u64,
    /// A marker that is written with the payment, and only once.
    pub mark: Option<u128>,
}

/// What came of paying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It is paid with this money; before this call or by it.
    Paid(Settled, bool),
    /// The biller has not answered: it is followed up.
    Pending(Settled),
    /// Somebody else has paid it.
    Taken,
    /// Somebody else is paying it.
    Busy,
    /// The biller says no.
    Refused(String),
    /// The way could not be gone; nothing was paid.
    NotSent(u32),
    /// No way is open.
    Unreachable,
    /// The account or its limit does not cover it.
    Short,
    /// The marker was there.
    Marked,
}

impl Firm<'_> {
    fn ours(&self, settled: &Settled) -> bool {
        settled.payer.as_u128() == self.from && settled.request == self.own
    }

    fn claim_of(&self, id: u128, timeout: u32) -> Result<Transfer, BillError> {
        let currency = self.city.settings.currency;
        let to = books::biller(self.bill.biller);
        Ok(Transfer {
            flags: TransferFlags::Pending,
            timeout,
            user_data_128: self.bill.id.as_u128(),
            user_data_64: self.own,
            user_data_32: u32::try_from(self.late_fee).map_err(|_| BillError::AmountUnacceptable)?,
            ..books::transfer(id, self.from, to, self.amount, currency, transfer_code::BILL_PAYMENT)
        })
    }

    fn draw_of(&self, id: u128, timeout: u32, way: u32) -> Transfer {
        let currency = self.city.settings.currency;
        let (from, to) = self.draw;
        let drawn = self.city.rng.u128();
        Transfer {
            ledger: shadow::kyc(currency),
            flags: TransferFlags::Pending,
            timeout,
            user_data_128: id,
            user_data_32: way,
            ..books::transfer(drawn, from, to, self.amount, currency, transfer_code::CAP_DRAW)
        }
    }

    /// Holds the bill for so many seconds, without asking anybody: until when.
    pub async fn hold(&self, timeout: u32) -> Result<Result<Settled, End>, BillError> {
        use CreateTransferStatus as S;
        let mut floor = 0;
        for _ in 0..MOVES_MAX {
            let k = match self.next(floor, None).await? {
                Next::Free(k) => k,
                Next::Own((held, 0), _) => return Ok(Err(End::Pending(held))),
                Next::Own((held, _), _) => return Ok(Ok(held)),
                Next::End(end) => return Ok(Err(end)),
            };
            let id = attempt_id(self.base, k);
            let chain = vec![self.claim_of(id, timeout)?, self.draw_of(id, timeout, 0)];
            match submit(self.city, chain).await? {
                Ok(_) => {
                    let found = self.city.ledger.lookup_transfers(vec![id]).await?;
                    let held = found.first().ok_or_else(|| Fault::Books("held, but not found".to_owned()))?;
                    return Ok(Ok(Settled { payment: PaymentId::from_u128(id), ..Settled::of(held) }));
                }
                Err((0, S::IdAlreadyFailed)) => floor = k + 1,
                Err((0, status)) if books::is_exists(status) => {}
                Err((1, S::ExceedsCredits)) => return Ok(Err(End::Short)),
                Err((at, status)) => {
                    return Err(Fault::Books(format!("hold a bill, event {at}: {status:?}")).into());
                }
            }
        }
        Ok(Err(End::Busy))
    }

    /// How the bill stands for this money. `ended` is an attempt that the ledger says has run out.
    async fn next(&self, floor: u32, ended: Option<u32>) -> Result<Next, BillError> {
        let (newest, attempt) = standing::newest(self.city, self.base).await?;
        let id = attempt_id(self.base, newest);
        let free = |k: u32| Next::Free(k.max(floor));
        Ok(match attempt {
            Attempt::None => free(newest),
            Attempt::Voided => free(newest + 1),
            Attempt::Posted(settled) if self.ours(&settled) => Next::End(End::Paid(settled, true)),
            Attempt::Posted(_) => Next::End(End::Taken),
            Attempt::Pending(_) if ended == Some(newest) => free(newest + 1),
            Attempt::Pending(t) => {
                let run_out = t.expires_at().is_some_and(|at| self.city.now() >= crate::wallet::instant(at));
                let held = Settled { payment: PaymentId::from_u128(id), ..Settled::of(&t) };
                if run_out {
                    // Only the ledger's own word makes the next attempt safe.
                    let draws = draw_ids(self.city, id).await?;
                    match standing::resolve(self.city, id, &draws, Resolve::Void).await? {
                        Resolved::Done | Resolved::Lapsed => free(newest + 1),
                        Resolved::Otherwise => Next::End(End::Busy),
                    }
                } else if self.ours(&held) {
                    Next::Own((held, t.timeout), newest)
                } else {
                    Next::End(End::Busy)
                }
            }
        })
    }

    /// Pays; `tried` are the ways that cannot be gone.
    pub async fn pay(&self, tried: &[u32]) -> Result<End, BillError> {
        let connector = connector(self.city, self.bill.biller);
        let local = connector.is_local();
        let (mut floor, mut ended) = (0, None);
        for _ in 0..MOVES_MAX {
            // Our own hold ends in the chain that pays: nobody comes between.
            let (k, own) = match self.next(floor, ended).await? {
                Next::Free(k) => (k, Vec::new()),
                Next::Own((held, 0), _) => return Ok(End::Pending(held)),
                Next::Own((held, _), k) => {
                    let id = held.payment.as_u128();
                    let draws = draw_ids(self.city, id).await?;
                    (k + 1, standing::resolving(id, &draws, Resolve::Void))
                }
                Next::End(end) => return Ok(end),
            };
            let Some(way) = connector.way(self.amount, tried) else { return Ok(End::Unreachable) };
            let id = attempt_id(self.base, k);
            let (claim, draw) = (self.claim_of(id, 0)?, self.draw_of(id, 0, way));
            let mut chain = own;
            let before = chain.len();
            if let Some(mark) = self.mark {
                let marker = books::marker(mark, transfer_code::COLLECTED);
                chain.push(Transfer { user_data_128: id, ..marker });
            }
            let marked = chain.len();
            if self.probed {
                chain.extend(books::funds_probe(&*self.city.rng, &claim));
            }
            let at_claim = chain.len();
            chain.extend([claim, draw]);
            if local {
                chain.extend(standing::resolving(id, &[draw.id], Resolve::Post));
            }
            match self.sent(chain, before, marked, at_claim).await? {
                Sent::Done(_) if local => return self.settled(id).await,
                Sent::Done(timestamps) => return self.ask(id, draw.id, way, timestamps[at_claim]).await,
                Sent::End(end) => return Ok(end),
                Sent::Burnt => floor = k + 1,
                Sent::Lapsed => ended = Some(k.saturating_sub(1)),
                Sent::Again => {}
            }
        }
        Ok(End::Busy)
    }

    async fn sent(
        &self,
        chain: Vec<Transfer>,
        before: usize,
        marked: usize,
        at_claim: usize,
    ) -> Result<Sent, BillError> {
        use CreateTransferStatus as S;
        let (at, status) = match submit(self.city, chain).await? {
            Ok(timestamps) => return Ok(Sent::Done(timestamps)),
            Err(failed) => failed,
        };
        Ok(match status {
            S::PendingTransferExpired if at < before => Sent::Lapsed,
            S::PendingTransferAlreadyPosted | S::PendingTransferAlreadyVoided if at < before => Sent::Again,
            status if at < before && books::is_exists(status) => Sent::Again,
            status if at >= before && at < marked && books::is_exists(status) => Sent::End(End::Marked),
            S::ExceedsCredits if at >= marked => Sent::End(End::Short),
            S::IdAlreadyFailed if at == at_claim => Sent::Burnt,
            status if at == at_claim && books::is_exists(status) => Sent::Again,
            status => return Err(Fault::Books(format!("firm payment, event {at}: {status:?}")).into()),
        })
    }

    async fn settled(&self, id: u128) -> Result<End, BillError> {
        match standing::attempts(self.city, &[id]).await?[..] {
            [Attempt::Posted(settled)] => Ok(End::Paid(settled, false)),
            _ => Err(Fault::Books("posted, but not found".to_owned()).into()),
        }
    }

    /// Asks the biller to take a claim that stands.
    async fn ask(&self, id: u128, draw: u128, way: u32, timestamp: u64) -> Result<End, BillError> {
        let connector = connector(self.city, self.bill.biller);
        let asked = Claim {
            payment: PaymentId::from_u128(id),
            bill: self.bill.id,
            payer: ResidentId::from_u128(self.from),
            account_no: self.bill.account_no.clone(),
            bill_no: self.bill.bill_no.clone(),
            period: self.bill.period,
            amount_minor: self.amount,
            at: crate::wallet::instant(timestamp),
            way,
        };
        let held = Settled {
            payment: asked.payment,
            timestamp,
            at: asked.at,
            ..Settled::of(&self.claim_of(id, 0)?)
        };
        let answer = tokio::time::timeout(CONFIRM_WITHIN, connector.confirm(&asked)).await;
        let answer = answer.unwrap_or(Outcome::Silent);
        let how = match answer {
            Outcome::Silent => return Ok(End::Pending(held)),
            Outcome::Confirmed => Resolve::Post,
            Outcome::Refused(_) | Outcome::NotSent => Resolve::Void,
        };
        let resolved = match standing::resolve(self.city, id, &[draw], how).await {
            // The claim stands, whatever the biller said: it is followed up when there is room.
            Err(Fault::Ledger(EngineError::NoSpace)) => return Ok(End::Pending(held)),
            other => other?,
        };
        match (answer, resolved) {
            (Outcome::Refused(why), Resolved::Done) => Ok(End::Refused(why)),
            (Outcome::NotSent, Resolved::Done) => Ok(End::NotSent(way)),
            (_, Resolved::Done) => self.settled(id).await,
            // Somebody ended it by hand meanwhile.
            (_, Resolved::Otherwise | Resolved::Lapsed) => Ok(End::Pending(held)),
        }
    }
}

enum Next {
    /// This attempt is free.
    Free(u32),
    /// This money holds the bill: the claim with its timeout, and its attempt.
    Own((Settled, u32), u32),
    End(End),
}

enum Sent {
    Done(Vec<u64>),
    End(End),
    Burnt,
    Lapsed,
    Again,
}

async fn draw_ids(city: &City, id: u128) -> Result<Vec<u128>, Fault> {
    Ok(standing::draws_of(city, id).await?.iter().map(|t| t.id).collect())
}
