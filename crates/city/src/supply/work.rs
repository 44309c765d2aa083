//! What runs beside the requests: finds payments of cut accounts in the ledger's feed, makes the orders to restore, sends
//! them. Must never make a second order for one cut, nor lose one: see the invariants in [`super`].

use std::time::Duration;

use channel::{Meaning, Reply};
use kernel::Timestamp;
use kernel::ids::{BillId, BillerId, RestoreOrderId};
use ledger::TransferFlags;
use store::{StoreError, jobs};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::store as tables;
use super::{CHECK, CROSSED, Cause, Order, OrderState, SEND, Supply, SupplyError, SupplyState, TELL, queue};
use crate::books::transfer_code;
use crate::remind::RemindError;
use crate::{City, Fault, bill, remind};

const NAME: &str = "supply";
/// Rows of the feed in one look.
const PAGE: u32 = 8_000;
/// How often.
const EVERY: Duration = Duration::from_secs(1);
/// How long a worker has for one job before another may take it.
const LEASE: Duration = Duration::from_mins(2);
/// Jobs taken at once.
const BATCH: u32 = 32;
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_mins(10);

/// Starts it.
pub fn start(city: &City, stop: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
    let (city, mut stop) = (city.clone(), stop.clone());
    vec![tokio::spawn(async move {
        while !*stop.borrow() {
            if let Err(why) = work(&city).await {
                tracing::error!(%why, "supply is looked at again");
            }
            tokio::select! {
                _ = stop.changed() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    })]
}

/// Does everything that is due now; the server does so by itself all the time.
pub async fn work(city: &City) -> Result<(), SupplyError> {
    while follow(city).await? {}
    for (id, payload, tries) in take(city, TELL).await? {
        let done = match subject(city, &payload).await {
            Ok(supply) => tell(city, &supply).await.map_err(|why| why.to_string()),
            Err(why) => Err(why.to_string()),
        };
        finish(city, id, tries, done).await?;
    }
    for (id, payload, tries) in take(city, CHECK).await? {
        let done = check(city, &payload).await;
        finish(city, id, tries, done.map_err(|why| why.to_string())).await?;
    }
    for (id, payload, tries) in take(city, SEND).await? {
        let done = send(city, &payload).await;
        finish(city, id, tries, done.map_err(|why| why.to_string())).await?;
    }
    Ok(())
}

/// Reads a page of the feed; whether there may be more.
async fn follow(city: &City) -> Result<bool, SupplyError> {
    let mut conn = city.store.read().await?;
    let from = jobs::watermark(&mut conn, NAME).await?;
    let items = city.ledger.feed(from, PAGE).await?;
    let Some(last) = items.last() else { return Ok(false) };
    let (to, more) = (last.timestamp(), items.len() == PAGE as usize);
    // A cut that is told of after this look finds the payment by itself.
    let mut paid = Vec::new();
    if tables::any_cut(&mut conn).await? {
        let post = |t: &ledger::Transfer| {
            t.code == transfer_code::BILL_PAYMENT && t.flags.contains(TransferFlags::PostPendingTransfer)
        };
        for item in items.iter().filter(|item| post(&item.transfer)) {
            let bill = BillId::from_u128(item.transfer.user_data_128);
            let (biller, account_no) = bill::restore::account_of(city, bill).await?;
            let there = tables::get(&mut conn, biller, &account_no).await?;
            paid.extend(there.filter(|s| s.state == SupplyState::Cut).map(|s| (s, item.timestamp())));
        }
    }
    drop(conn);
    let now = city.now();
    let moved: Result<(), SupplyError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                for (supply, at) in &paid {
                    let reason = i64::try_from(*at).unwrap_or(i64::MAX);
                    queue(&mut *conn, CHECK, supply, reason, now).await?;
                }
                Ok(jobs::advance(conn, NAME, from, to).await?)
            })
        })
        .await;
    match moved {
        Ok(()) => Ok(more),
        // Another node was here.
        Err(SupplyError::Fault(Fault::Store(StoreError::Guard))) => Ok(false),
        Err(other) => Err(other),
    }
}

async fn take(city: &City, kind: &'static str) -> Result<Vec<(u128, String, u32)>, SupplyError> {
    let now = city.now();
    let taken: Result<Vec<jobs::Job>, SupplyError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(jobs::take(conn, kind, now, LEASE, BATCH).await?) }))
        .await;
    Ok(taken?.into_iter().map(|job| (job.id, job.payload, job.attempts)).collect())
}

/// Ends a job, or puts it off: `Ok(true)` is done, `Ok(false)` not yet.
async fn finish(city: &City, id: u128, tries: u32, done: Result<bool, String>) -> Result<(), SupplyError> {
    let pause = Duration::from_secs(5 << tries.min(7)).min(PAUSE_MAX);
    let again = city.now().plus(pause);
    city.store
        .write(move |conn| {
            Box::pin(async move {
                match done {
                    Ok(true) => jobs::done(conn, id).await?,
                    Ok(false) => jobs::retry(conn, id, again, "not yet").await?,
                    Err(why) => jobs::retry(conn, id, again, &why).await?,
                }
                Ok(())
            })
        })
        .await
}

/// The account that a job is about, as it stands now.
async fn subject(city: &City, payload: &str) -> Result<Supply, SupplyError> {
    let malformed = || Fault::Store(StoreError::Corrupt("job.payload"));
    let (biller, account_no) = payload.split_once(' ').ok_or_else(malformed)?;
    let biller: BillerId = biller.parse().map_err(|_| malformed())?;
    super::supply(city, biller, account_no).await
}

/// Has those reminded whose supply is to be cut, unless that is over.
async fn tell(city: &City, supply: &Supply) -> Result<bool, RemindError> {
    let (SupplyState::CutAnnounced, Some(on)) = (supply.state, supply.cut_on) else { return Ok(true) };
    remind::supply_will_be_cut(city, supply.biller, &supply.account_no, on).await?;
    Ok(true)
}

/// Looks whether a cut account is paid up, and orders it to be restored.
async fn check(city: &City, payload: &str) -> Result<bool, SupplyError> {
    let supply = subject(city, payload).await?;
    let (SupplyState::Cut, Some(since)) = (supply.state, supply.since) else { return Ok(true) };
    let pack = bill::biller(city, supply.biller).await?;
    let bills = match bill::fetch(city, supply.biller, &supply.account_no).await {
        Err(bill::BillError::AccountUnknown) => return Ok(true),
        bills => bills?,
    };
    let now = city.now();
    let today = now.date(city.settings.offset);
    if !bill::restore::is_paid_up(&pack, &bills, since.minus(CROSSED), today) {
        return Ok(true);
    }
    order(city, &supply, pack.spec.supply.confirm_within_s, now).await?;
    Ok(true)
}

/// Makes the order for a cut, once: whoever comes second finds the step taken.
async fn order(city: &City, cut: &Supply, within_s: u32, now: Timestamp) -> Result<(), SupplyError> {
    let to = Supply {
        state: SupplyState::Restoring,
        cut_on: None,
        since: Some(now),
        step: cut.step + 1,
        ..cut.clone()
    };
    let id =
        RestoreOrderId::derive(&[&cut.biller.to_bytes(), cut.account_no.as_bytes(), &cut.step.to_be_bytes()]);
    let order = Order {
        id,
        biller: cut.biller,
        account_no: cut.account_no.clone(),
        state: OrderState::Ordered,
        ordered_at: now,
        confirm_by: now.plus(Duration::from_secs(within_s.into())),
        sent: 0,
        last_answer: None,
        confirmed_at: None,
    };
    let made: Result<(), SupplyError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                tables::change(&mut *conn, &to, Cause::Payment, now).await?;
                tables::add_order(&mut *conn, &order).await?;
                jobs::enqueue(conn, SEND, &id.to_bytes(), &id.to_string(), now).await?;
                Ok(())
            })
        })
        .await;
    match made {
        Err(SupplyError::Fault(Fault::Store(StoreError::Guard))) => Ok(()),
        other => other,
    }
}

/// Sends an order; whether it need not be sent again.
async fn send(city: &City, payload: &str) -> Result<bool, SupplyError> {
    let malformed = || Fault::Store(StoreError::Corrupt("job.payload"));
    let id: RestoreOrderId = payload.parse().map_err(|_| malformed())?;
    let mut conn = city.store.read().await?;
    let found = tables::order_by_id(&mut conn, id).await?.ok_or_else(malformed)?;
    drop(conn);
    if found.state != OrderState::Ordered {
        return Ok(true);
    }
    let (state, answer) = match bill::restore::restore(city, found.biller, id, &found.account_no).await {
        None | Some(Reply::Meant(Meaning::Unknown)) => (OrderState::Offered, "not_offered".to_owned()),
        Some(Reply::Said(()) | Reply::Meant(Meaning::Ok | Meaning::Duplicate)) => {
            (OrderState::Accepted, "ok".to_owned())
        }
        Some(Reply::Meant(meaning)) => (OrderState::Ordered, format!("{meaning:?}").to_lowercase()),
        Some(Reply::Silent(_)) => (OrderState::Ordered, "silent".to_owned()),
        Some(Reply::NotSent(_)) => (OrderState::Ordered, "not_sent".to_owned()),
    };
    let noted: Result<(), SupplyError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(tables::note_sent(conn, id, state, &answer).await?) }))
        .await;
    noted?;
    Ok(state != OrderState::Ordered)
}
