//! Reading: billers, open bills of an account, quotes, imports.
//!
//! Whether a bill is paid comes from the ledger at the moment of asking, never from a table.

use std::sync::Arc;

use channel::{Meaning, Reply};

use super::import::{self, Import, RowError};
use super::pack::{Category, Pack, Source};
use super::parts::{self, Part, Progress};
use super::rules::{self, Bill, Quote};
use super::standing::{Standing, standing_of};
use super::{BillError, bill_row, pack, refresh, routes, store};
use crate::{City, Fault};
use kernel::Timestamp;
use kernel::ids::{BillId, BillerId, ImportId};

/// Which billers.
#[derive(Clone, Debug, Default)]
pub struct BillerFilter {
    /// Those whose region begins so: `33` is all of Zhejiang, `330100` the city of Hangzhou.
    pub region: Option<String>,
    /// Those who bill this.
    pub category: Option<Category>,
    /// Those whose name or city (Chinese or English, in any case) or id holds this text.
    pub text: Option<String>,
}

/// The billers, by region and id.
pub async fn billers(city: &City, filter: &BillerFilter) -> Result<Vec<Arc<Pack>>, BillError> {
    let text = filter.text.as_deref().map(str::to_lowercase);
    let wanted = |pack: &Arc<Pack>| {
        let spec = &pack.spec;
        filter.region.as_deref().is_none_or(|r| spec.region.starts_with(r))
            && filter.category.is_none_or(|c| spec.category == c)
            && text.as_deref().is_none_or(|t| {
                let names = spec.city.iter().chain([&spec.name]).flat_map(|name| [&name.zh, &name.en]);
                names.chain([&spec.id]).any(|name| name.to_lowercase().contains(t))
            })
    };
    let mut found: Vec<_> = {
        let packs = city.bill.packs.read().expect("no panic while held");
        packs.values().filter(|pack| wanted(pack)).cloned().collect()
    };
    found.sort_unstable_by(|a, b| (&a.spec.region, &a.spec.id).cmp(&(&b.spec.region, &b.spec.id)));
    Ok(found)
}

/// A biller.
pub async fn biller(city: &City, id: BillerId) -> Result<Arc<Pack>, BillError> {
    match pack(city, id).await {
        Err(BillError::BillerUnknown) => {
            refresh(city).await?;
            pack(city, id).await
        }
        found => found,
    }
}

/// A bill, how it stands, and what paying it costs now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillView {
    /// What the biller handed over.
    pub bill: Arc<Bill>,
    /// How it stands.
    pub standing: Standing,
    /// What is due now; also for a bill that is paid, where it means nothing any more.
    pub quote: Quote,
    /// What is paid of it, part by part; one that is paid at once is one part.
    pub parts: Vec<Part>,
}

/// The bills of an account, newest due date first. Anyone who knows the number may ask, as for paying
/// a parent's bill; names are shown masked.
pub async fn fetch(city: &City, biller: BillerId, account_no: &str) -> Result<Vec<BillView>, BillError> {
    let pack = pack(city, biller).await?;
    pack.spec.account.check(account_no).map_err(BillError::AccountMalformed)?;
    let asked = match pack.spec.bills.source {
        Source::File => None,
        Source::Live => Some(ask(city, &pack, account_no).await?),
    };
    let (least, greatest) = rules::account_range(biller, account_no);
    let mut conn = city.store.read().await?;
    let mut bills = store::bills_between(&mut conn, least, greatest).await?;
    drop(conn);
    bills.retain(|bill| bill.biller == biller && bill.account_no == account_no);
    if bills.is_empty() && asked.is_none() {
        return Err(BillError::AccountUnknown);
    }
    let bills: Vec<Arc<Bill>> = bills.into_iter().map(Arc::new).collect();
    for bill in &bills {
        city.bill.bills.put(bill.clone());
    }
    let mut views = views(city, &pack, bills).await?;
    if let Some(owed) = asked {
        // What the biller does not tell of any more is not owed, whatever it said before.
        views.retain(|view| view.standing != Standing::Open || owed.contains(&view.bill.id));
    }
    Ok(views)
}

/// Asks the biller what is owed on an account, and keeps it: the ids of the bills that are.
async fn ask(city: &City, pack: &Pack, account_no: &str) -> Result<Vec<BillId>, BillError> {
    let routes = routes(city, pack.biller).ok_or(BillError::BillerUnreachable)?;
    let debts = match routes.query(account_no).await {
        Some(Reply::Said(debts)) => debts,
        Some(Reply::Meant(Meaning::AccountUnknown)) => return Err(BillError::AccountUnknown),
        _ => return Err(BillError::BillerUnreachable),
    };
    let today = city.now().date(city.settings.offset);
    let mut bills = Vec::with_capacity(debts.len());
    for debt in debts {
        match rules::bill_of(pack, account_no, debt, today) {
            Ok(bill) => bills.push(bill),
            Err(why) => tracing::warn!(biller = pack.spec.id, %why, "a debt that cannot be a bill"),
        }
    }
    let ids = bills.iter().map(|bill| bill.id).collect();
    let put: Result<(), BillError> = city
        .store
        .write(move |conn| {
            let bills = bills.clone();
            Box::pin(async move {
                for bill in &bills {
                    store::put_bill(conn, bill).await?;
                }
                Ok(())
            })
        })
        .await;
    put?;
    Ok(ids)
}

/// One bill.
pub async fn bill(city: &City, id: BillId) -> Result<BillView, BillError> {
    let bill = bill_row(city, id).await?;
    let pack = pack(city, bill.biller).await?;
    views(city, &pack, vec![bill]).await?.pop().ok_or(BillError::BillUnknown)
}

async fn views(city: &City, pack: &Pack, bills: Vec<Arc<Bill>>) -> Result<Vec<BillView>, BillError> {
    let ids: Vec<BillId> = bills.iter().map(|bill| bill.id).collect();
    let found = parts::progress(city, &ids).await?;
    let now = city.now();
    let today = now.date(city.settings.offset);
    let view = |(bill, progress): (Arc<Bill>, Progress)| {
        let quote = rules::quote(pack, &bill, &progress.portions(), now, today);
        let standing = match progress.posted.last() {
            // New rules ask for no more than what is paid.
            Some(part) if quote.total_minor == 0 => Standing::Settled(part.settled),
            _ => standing_of(&progress, now),
        };
        BillView { bill, standing, quote, parts: progress.posted }
    };
    Ok(bills.into_iter().zip(found).map(view).collect())
}

/// What paying a bill costs now; the price stands until the quote runs out. A bill that is paid has
/// no price.
pub async fn quote(city: &City, id: BillId) -> Result<Quote, BillError> {
    let view = bill(city, id).await?;
    match view.standing {
        Standing::Settled(_) => Err(BillError::AlreadySettled),
        Standing::Open | Standing::Claimed { .. } => Ok(view.quote),
    }
}

/// The bill of a payment in the ledger. It must be there: payments are made of bills.
pub(super) async fn known_bill(city: &City, id: BillId) -> Result<Arc<Bill>, BillError> {
    match bill_row(city, id).await {
        Err(BillError::BillUnknown) => Err(Fault::Books(format!("{id} is paid and unknown")).into()),
        found => found,
    }
}

/// The imports of a biller, newest first, begun before `before`.
pub async fn imports(
    city: &City,
    biller: BillerId,
    before: Option<Timestamp>,
    limit: u32,
) -> Result<Vec<Import>, BillError> {
    let before = before.map_or(i64::MAX, Timestamp::as_millis);
    let mut conn = city.store.read().await?;
    Ok(store::imports(&mut conn, biller, before, limit).await?)
}

/// The rows of an import that were not taken in, after a line.
pub async fn row_errors(
    city: &City,
    id: ImportId,
    after_line: u64,
    limit: u32,
) -> Result<Vec<RowError>, BillError> {
    import::lookup(city, id).await?;
    let mut conn = city.store.read().await?;
    let after = i64::try_from(after_line).unwrap_or(i64::MAX);
    let rows = store::row_errors(&mut conn, id, after, limit).await?;
    let error = |(line, field, code)| RowError { line: u64::try_from(line).unwrap_or(0), field, code };
    Ok(rows.into_iter().map(error).collect())
}

/// The imports of one biller or of all, newest first: `limit` of them begun before `before`. Callers check who
/// may see that.
pub async fn all_imports(
    city: &City,
    biller: Option<BillerId>,
    before: Option<Timestamp>,
    limit: u32,
) -> Result<Vec<Import>, BillError> {
    if let Some(biller) = biller {
        return imports(city, biller, before, limit).await;
    }
    let before = before.map_or(i64::MAX, Timestamp::as_millis);
    let mut conn = city.store.read().await?;
    Ok(store::all_imports(&mut conn, before, limit).await?)
}

/// The imports that have not come to their end.
pub async fn unfinished_imports(city: &City) -> Result<Vec<Import>, BillError> {
    let mut conn = city.store.read().await?;
    Ok(store::unfinished_imports(&mut conn).await?)
}

/// The imports that stopped on this node since it started: which, when and why. They go on at its next start, or
/// when their file is handed in again.
pub fn stopped_imports(city: &City) -> Vec<(ImportId, Timestamp, String)> {
    let stopped = city.bill.stopped.lock().expect("no panic while held");
    stopped.iter().map(|(id, (at, why))| (*id, *at, why.clone())).collect()
}
