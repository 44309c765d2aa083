//! What runs beside the requests: ways are probed, what was found is written down, payments are counted.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel::Timestamp;
use kernel::ids::BillerId;
use ledger::TransferFlags;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{FILE_DAYS, Month, store};
use crate::bill::{self, BillerFilter};
use crate::books::transfer_code;
use crate::{City, Fault};

/// The follower of the ledger's feed that counts payments.
const NAME: &str = "coverage";
/// How often ways are probed and looked at.
const EVERY: Duration = Duration::from_mins(1);
/// Before the first time: whoever starts has other things to do.
const FIRST: Duration = Duration::from_secs(10);
/// How much of the feed is read at once.
const PAGE: u32 = 8_000;

/// Starts what runs beside the requests of this slice.
pub fn start(city: &City, stop: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
    let (city, mut stop) = (city.clone(), stop.clone());
    vec![tokio::spawn(async move {
        let mut pause = FIRST;
        while !*stop.borrow() {
            tokio::select! {
                _ = stop.changed() => continue,
                () = tokio::time::sleep(pause) => {}
            }
            pause = EVERY;
            tokio::select! {
                _ = stop.changed() => continue,
                () = bill::probe_all(&city) => {}
            }
            if let Err(why) = observe(&city).await {
                tracing::error!(%why, "what is covered was not written down");
            }
            if let Err(why) = count(&city).await {
                tracing::error!(%why, "payments were not counted by region");
            }
        }
    })]
}

/// Writes down how every way to every biller was found last, by this node.
pub async fn observe(city: &City) -> Result<(), Fault> {
    let now = city.now();
    let packs = bill::billers(city, &BillerFilter::default()).await;
    let packs = packs.map_err(|why| Fault::Books(format!("billers: {why}")))?;
    let mut found: BTreeMap<(BillerId, String), (bool, Timestamp)> = BTreeMap::new();
    let mut standing: BTreeMap<BillerId, Vec<String>> = BTreeMap::new();
    for pack in &packs {
        let ways = standing.entry(pack.biller).or_default();
        for lane in bill::seen(city, pack.biller) {
            ways.push(lane.way.name().to_owned());
            let Some((at, answered)) = lane.last else { continue };
            // Of several of a kind one is enough.
            let best = found.entry((pack.biller, lane.way.name().to_owned())).or_insert((answered, at));
            *best = (best.0 || answered, best.1.max(at));
        }
        if pack.spec.bills.source == bill::pack::Source::File {
            ways.push("file".to_owned());
            let imports = bill::imports(city, pack.biller, None, 20).await;
            let imports = imports.map_err(|why| Fault::Books(format!("imports: {why}")))?;
            if let Some(last) = imports.iter().filter_map(|import| import.finished_at).max() {
                let lapses = last.plus(Duration::from_hours(24 * FILE_DAYS));
                let state = if now < lapses { (true, last) } else { (false, lapses) };
                found.insert((pack.biller, "file".to_owned()), state);
            }
        }
    }
    let mut conn = city.store.read().await?;
    let states = store::ways(&mut conn).await?;
    drop(conn);
    for state in states.iter().filter(|state| state.live) {
        // The pack or this installation has the way no more.
        if standing.get(&state.biller).is_some_and(|ways| !ways.contains(&state.way)) {
            found.insert((state.biller, state.way.clone()), (false, now));
        }
    }
    found.retain(|(biller, way), (_, at)| {
        let same = |state: &&super::rules::WayState| state.biller == *biller && state.way == *way;
        states.iter().find(same).is_none_or(|state| state.seen_at < *at)
    });
    if found.is_empty() {
        return Ok(());
    }
    city.store
        .write(move |conn| {
            let found = found.clone();
            Box::pin(async move {
                for ((biller, way), (live, at)) in &found {
                    store::observe(&mut *conn, *biller, way, *live, *at).await?;
                }
                Ok(())
            })
        })
        .await
}

/// Counts the bill payments that the ledger has and nobody counted yet.
pub async fn count(city: &City) -> Result<(), Fault> {
    loop {
        let mut conn = city.store.read().await?;
        let from = ::store::jobs::watermark(&mut conn, NAME).await?;
        drop(conn);
        let page = city.ledger.feed(from, PAGE).await?;
        let Some(to) = page.last().map(ledger::FeedItem::timestamp) else { return Ok(()) };
        let mut counted: BTreeMap<(BillerId, u32), i64> = BTreeMap::new();
        for item in &page {
            let t = &item.transfer;
            let posted = !t.flags.contains(TransferFlags::Pending)
                && !t.flags.contains(TransferFlags::VoidPendingTransfer);
            if t.code == transfer_code::BILL_PAYMENT && posted {
                let at = crate::wallet::instant(t.timestamp);
                let month = Month::of(at.date(city.settings.offset)).number();
                *counted.entry((BillerId::from_u128(t.credit_account_id), month)).or_default() += 1;
            }
        }
        let full = page.len() == PAGE as usize;
        let written: Result<(), Fault> = city
            .store
            .write(move |conn| {
                let counted = counted.clone();
                Box::pin(async move {
                    ::store::jobs::advance(&mut *conn, NAME, from, to).await?;
                    for ((biller, month), payments) in &counted {
                        store::count(&mut *conn, *biller, *month, *payments).await?;
                    }
                    Ok(())
                })
            })
            .await;
        match written {
            // Another node counted them.
            Err(Fault::Store(::store::StoreError::Guard)) => {}
            other => other?,
        }
        if !full {
            return Ok(());
        }
    }
}
