//! Nothing stays in limbo: follows the ledger for bill payments that were claimed and not resolved,
//! asks their biller, and posts or voids them. Must never guess: silence is asked again.
//!
//! The watermark of the follower stands before the oldest unresolved claim, so a restart finds it again.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel::Timestamp;
use kernel::ids::{BillId, BillerId, PaymentId, ResidentId};
use ledger::{Transfer, TransferFlags};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::connector::{Claim, Outcome};
use super::query::known_bill;
use super::standing::{self, PAGE, Resolve};
use super::{connector, import, payout, refresh, upload};
use crate::books::transfer_code;
use crate::wallet::instant;
use crate::{City, Fault};

const NAME: &str = "bill";
/// Who pays has the first word: a claim is taken up here when it is so old.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often claims are looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How long the watermark may lag behind.
const SAVE_EVERY: u32 = 10;
/// How often payouts are looked for that a crash left half done.
const PAYOUTS_EVERY: u32 = 60;
/// How often broken uploads are looked for.
const SWEEP_EVERY: u32 = 3_600;

/// Claims not known to be resolved, by ledger timestamp.
#[derive(Default)]
struct Follower {
    /// The watermark in SQL.
    saved: u64,
    /// How far the feed was read.
    read: u64,
    open: BTreeMap<u64, Transfer>,
}

/// How far claims are known to be resolved: a ledger timestamp before the oldest open one.
pub async fn position(city: &City) -> Result<u64, Fault> {
    let mut conn = city.store.read().await?;
    Ok(::store::jobs::watermark(&mut conn, NAME).await?)
}

/// Starts what runs beside the requests of this slice.
pub fn start(city: &City, stop: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
    let beside = [
        tokio::spawn(super::provider::run(city.clone(), stop.clone())),
        tokio::spawn(super::collect::run(city.clone(), stop.clone())),
        tokio::spawn(super::advance::run(city.clone(), stop.clone())),
        tokio::spawn(super::exchange::run(city.clone(), stop.clone())),
    ];
    let (city, mut stop) = (city.clone(), stop.clone());
    let follower = tokio::spawn(async move {
        if let Err(why) = import::resume(&city).await {
            tracing::error!(%why, "unfinished imports were not taken up");
        }
        let mut follower = None;
        let mut round = 0u32;
        while !*stop.borrow() {
            if let Err(why) = work(&city, &mut follower, round).await {
                tracing::error!(%why, "open claims are looked at again");
                follower = None;
            }
            if round.is_multiple_of(SWEEP_EVERY)
                && let Err(why) = upload::sweep(&city).await
            {
                tracing::error!(%why, "broken uploads were not removed");
            }
            if round.is_multiple_of(PAYOUTS_EVERY)
                && let Err(why) = payout::drive(&city).await
            {
                tracing::error!(%why, "payouts that came back were not booked");
            }
            round = round.wrapping_add(1);
            tokio::select! {
                _ = stop.changed() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    });
    [follower].into_iter().chain(beside).collect()
}

async fn work(city: &City, follower: &mut Option<Follower>, round: u32) -> Result<(), Fault> {
    if follower.is_none() {
        *follower = Some(Follower::open(city).await?);
    }
    if let Some(follower) = follower {
        follower.read(city).await?;
        follower.resolve(city, PATIENCE).await?;
        if round.is_multiple_of(SAVE_EVERY) {
            follower.save(city).await?;
            refresh(city).await?;
        }
    }
    Ok(())
}

/// Drives every bill payment that is pending now to its end, as far as the billers answer. Says how
/// many are still open. The server does this by itself all the time.
pub async fn settle_pending(city: &City) -> Result<usize, Fault> {
    let mut follower = Follower::open(city).await?;
    follower.read(city).await?;
    follower.resolve(city, Duration::ZERO).await?;
    follower.save(city).await?;
    Ok(follower.open.len())
}

impl Follower {
    async fn open(city: &City) -> Result<Follower, Fault> {
        let mut conn = city.store.read().await?;
        let saved = ::store::jobs::watermark(&mut conn, NAME).await?;
        Ok(Follower { saved, read: saved, open: BTreeMap::new() })
    }

    /// Reads the feed to its end.
    async fn read(&mut self, city: &City) -> Result<(), Fault> {
        loop {
            let items = city.ledger.feed(self.read, PAGE).await?;
            let Some(last) = items.last() else { return Ok(()) };
            self.read = last.timestamp();
            for item in &items {
                self.take(&item.transfer);
            }
            if items.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    fn take(&mut self, t: &Transfer) {
        if t.code != transfer_code::BILL_PAYMENT {
            return;
        }
        if t.flags.contains(TransferFlags::Pending) {
            // A collector's hold, of which no biller knows: it is confirmed, or ends by itself.
            if t.timeout > 0 {
                return;
            }
            self.open.insert(t.timestamp, *t);
        } else if let Some(at) = self.open.iter().find(|(_, p)| p.id == t.pending_id).map(|(at, _)| *at) {
            self.open.remove(&at);
        }
    }

    /// Asks for and settles what is older than `patience`.
    async fn resolve(&mut self, city: &City, patience: Duration) -> Result<(), Fault> {
        let now = city.now();
        let due: Vec<Transfer> =
            self.open.values().filter(|t| now.since(instant(t.timestamp)) >= patience).copied().collect();
        for claim in due {
            if settle(city, &claim, now).await? {
                self.open.remove(&claim.timestamp);
            }
        }
        Ok(())
    }

    /// Moves the watermark up to the oldest open claim.
    async fn save(&mut self, city: &City) -> Result<(), Fault> {
        let to = self.open.keys().next().map_or(self.read, |oldest| oldest - 1);
        let from = self.saved;
        if to <= from {
            return Ok(());
        }
        let moved: Result<(), Fault> = city
            .store
            .write(move |conn| {
                Box::pin(async move { Ok(::store::jobs::advance(conn, NAME, from, to).await?) })
            })
            .await;
        match moved {
            // Another node was faster: its mark is as good, and what is open here stays open here.
            Err(Fault::Store(::store::StoreError::Guard)) => {
                let mut conn = city.store.read().await?;
                self.saved = ::store::jobs::watermark(&mut conn, NAME).await?;
                Ok(())
            }
            Ok(()) => {
                self.saved = to;
                Ok(())
            }
            Err(other) => Err(other),
        }
    }
}

/// Whether the claim has reached its end.
async fn settle(city: &City, pending: &Transfer, now: Timestamp) -> Result<bool, Fault> {
    let connector = connector(city, BillerId::from_u128(pending.credit_account_id));
    if connector.is_local() && pending.timeout == 0 {
        return Ok(false); // claimed from a biller that is asked live, and is not connected now
    }
    let draws = standing::draws_of(city, pending.id).await?;
    let bill = match known_bill(city, BillId::from_u128(pending.user_data_128)).await {
        Ok(bill) => bill,
        Err(why) => return Err(Fault::Books(why.to_string())),
    };
    let claim = Claim {
        payment: PaymentId::from_u128(pending.id),
        bill: bill.id,
        payer: ResidentId::from_u128(pending.debit_account_id),
        account_no: bill.account_no.clone(),
        bill_no: bill.bill_no.clone(),
        period: bill.period,
        amount_minor: i64::try_from(pending.amount).unwrap_or(i64::MAX),
        at: instant(pending.timestamp),
        way: draws.first().map_or(0, |draw| draw.user_data_32),
    };
    let asked = tokio::time::timeout(Duration::from_secs(10), connector.inquire(&claim)).await;
    let how = match asked.unwrap_or(Outcome::Silent) {
        Outcome::Confirmed => Resolve::Post,
        Outcome::Refused(_) => Resolve::Void,
        // Ended by the ledger itself, or asked again.
        Outcome::Silent | Outcome::NotSent => {
            return Ok(pending.expires_at().is_some_and(|at| now >= instant(at)));
        }
    };
    let draws: Vec<u128> = draws.iter().map(|draw| draw.id).collect();
    let resolved = standing::resolve(city, pending.id, &draws, how).await?;
    tracing::info!(payment = %claim.payment, ?how, ?resolved, "an open claim was resolved");
    Ok(true)
}
