//! Reading a provider's catalogue: its institutions become billers. Whole or not at all: what cannot be read to its end
//! changes nothing, and nobody is closed while an entry cannot be read. Doing it again changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use channel::Reply;
use channel::direct::catalogue::{Catalogue, Institution};
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use utoipa::ToSchema;

use super::super::pack::Pack;
use super::super::{BillError, refresh};
use super::spec::{closed, pack_id};
use super::{ProviderSetting, store};
use crate::identity::{Operator, Role};
use crate::{City, Fault};

/// What came of reading a catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SyncReport {
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// Why it was not read to its end; then nothing was changed.
    pub error: Option<String>,
    /// How many institutions the catalogue has.
    pub institutions: u64,
    /// Packs of institutions that were new.
    pub opened: Vec<String>,
    /// Packs that got other rules.
    pub changed: Vec<String>,
    /// Packs that take no new payments from now on.
    pub closed: Vec<String>,
    /// Institutions that cannot be billers, and why.
    pub refused: Vec<String>,
}

/// A connection to a provider, as operators see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProviderView {
    /// As the configuration names it.
    #[schema(example = "east-utilities")]
    pub connection: String,
    /// Billers behind it that take payments.
    pub billers: u64,
    /// Billers behind it that do not any more.
    pub closed: u64,
    /// Whether it has a catalogue that is read.
    pub catalogue: bool,
    /// What came of the newest reading; absent before the first.
    pub last_sync: Option<SyncReport>,
}

/// A catalogue has no more pages than this.
const PAGES_MAX: u32 = 10_000;
/// How often a catalogue is read: once in so many milliseconds.
const DAY_MS: i64 = 86_400_000;
/// How often it is looked whether one is due, and what other nodes have read is taken in.
const EVERY: Duration = Duration::from_mins(1);

/// The providers of this installation.
pub async fn providers(city: &City) -> Result<Vec<ProviderView>, BillError> {
    refresh(city).await?;
    let mut views = Vec::new();
    for (name, setting) in &city.settings.providers {
        let mut conn = city.store.read().await?;
        let report = store::report(&mut conn, name).await?;
        drop(conn);
        let behind = behind(city, name);
        let shut = behind.iter().filter(|pack| pack.spec.closed).count() as u64;
        views.push(ProviderView {
            connection: name.clone(),
            billers: behind.len() as u64 - shut,
            closed: shut,
            catalogue: setting.connection.catalogue.is_some(),
            last_sync: report.and_then(|text| serde_json::from_str(&text).ok()),
        });
    }
    Ok(views)
}

/// The billers with a way by a connection.
fn behind(city: &City, connection: &str) -> Vec<Arc<Pack>> {
    let packs = city.bill.packs.read().expect("no panic while held");
    let by = |pack: &&Arc<Pack>| {
        let mut ways = pack.spec.channels.iter().filter_map(|channel| channel.provider.as_ref());
        ways.any(|provider| provider.connection == connection)
    };
    packs.values().filter(by).cloned().collect()
}

/// Whether a pack was made from a catalogue.
fn is_listed(pack: &Pack, connection: &str) -> bool {
    let [channel] = &pack.spec.channels[..] else { return false };
    let by = channel.provider.as_ref().filter(|provider| provider.connection == connection);
    by.is_some_and(|provider| pack.spec.id == pack_id(connection, &provider.institution))
}

/// Reads a provider's catalogue now.
pub async fn sync(city: &City, by: &Operator, connection: &str) -> Result<SyncReport, BillError> {
    by.role.require(Role::Admin)?;
    read(city, connection).await
}

async fn read(city: &City, connection: &str) -> Result<SyncReport, BillError> {
    let setting = city.settings.providers.get(connection).ok_or(BillError::ProviderUnknown)?;
    let catalogue = setting.connection.catalogue.as_ref().ok_or(BillError::ProviderUnknown)?;
    refresh(city).await?;
    let mut report = SyncReport::default();
    match fetch(city, connection, catalogue).await {
        Err(why) => report.error = Some(why),
        Ok(entries) => apply(city, (connection, setting), entries, &mut report).await?,
    }
    let now = city.now();
    report.at = Some(now);
    let text = serde_json::to_string(&report).map_err(|e| Fault::Books(e.to_string()))?;
    let name = connection.to_owned();
    let kept: Result<(), BillError> = city
        .store
        .write(move |conn| {
            let (name, text) = (name.clone(), text.clone());
            Box::pin(async move { Ok(store::end(conn, &name, now, &text).await?) })
        })
        .await;
    kept?;
    refresh(city).await?;
    Ok(report)
}

type Entries = Vec<Result<Institution, String>>;

/// The whole catalogue, or why it cannot be read.
async fn fetch(city: &City, connection: &str, catalogue: &Catalogue) -> Result<Entries, String> {
    let door = city.bill.providers().get(connection).ok_or("the connection is not open")?;
    let mut entries = Vec::new();
    for page in 1..=PAGES_MAX {
        let document = match door.page(&catalogue.call, page).await {
            Reply::Said(document) => document,
            Reply::Meant(meaning) => return Err(format!("page {page}: {meaning:?}")),
            Reply::Silent(why) | Reply::NotSent(why) => return Err(format!("page {page}: {why}")),
        };
        let more = catalogue.read(&document);
        let ended = more.is_empty() || !catalogue.is_paged();
        entries.extend(more);
        if ended {
            // A provider without any institution has lost its list rather than all of its billers.
            let empty = entries.is_empty();
            return if empty { Err("the catalogue is empty".to_owned()) } else { Ok(entries) };
        }
    }
    Err(format!("more than {PAGES_MAX} pages"))
}

async fn apply(
    city: &City,
    (connection, setting): (&str, &ProviderSetting),
    entries: Entries,
    report: &mut SyncReport,
) -> Result<(), BillError> {
    report.institutions = entries.len() as u64;
    let known: BTreeMap<String, Arc<Pack>> = {
        let packs = city.bill.packs.read().expect("no panic while held");
        packs.values().map(|pack| (pack.spec.id.clone(), pack.clone())).collect()
    };
    let (mut listed, mut put) = (BTreeSet::new(), Vec::new());
    for entry in entries {
        let made = entry.and_then(|one| {
            let pack =
                setting.connection.pack(connection, &one).map_err(|why| format!("{}: {why}", one.id))?;
            if !listed.insert(pack.spec.id.clone()) {
                return Err(format!("{}: listed twice", one.id));
            }
            let there = known.get(&pack.spec.id);
            if there.is_some_and(|there| !is_listed(there, connection)) {
                return Err(format!("{}: the pack {} is another's", one.id, pack.spec.id));
            }
            Ok(pack)
        });
        match made {
            Ok(pack) if known.get(&pack.spec.id).is_some_and(|there| there.hash == pack.hash) => {}
            Ok(pack) => put.push(pack),
            Err(why) => report.refused.push(why),
        }
    }
    if report.refused.is_empty() {
        let gone = known.values().filter(|pack| {
            is_listed(pack, connection) && !listed.contains(&pack.spec.id) && !pack.spec.closed
        });
        put.extend(gone.filter_map(|pack| Pack::parse(&closed(&pack.text)?).ok()));
    }
    let now = city.now();
    let done: Result<Vec<Pack>, BillError> = city
        .store
        .write(move |conn| {
            let put = put.clone();
            Box::pin(async move {
                let mut done = Vec::new();
                for pack in put {
                    if store::put_listed(&mut *conn, &pack, now).await? {
                        done.push(pack);
                    }
                }
                Ok(done)
            })
        })
        .await;
    for pack in done? {
        let list = match known.get(&pack.spec.id) {
            None => &mut report.opened,
            Some(before) if pack.spec.closed && !before.spec.closed => &mut report.closed,
            Some(_) => &mut report.changed,
        };
        list.push(pack.spec.id);
    }
    Ok(())
}

/// Reads each catalogue once a day, on one node, until told to stop; on the others its billers are taken in.
pub async fn run(city: City, mut stop: watch::Receiver<bool>) {
    if city.settings.providers.is_empty() {
        return;
    }
    while !*stop.borrow() {
        if let Err(why) = round(&city).await {
            tracing::error!(%why, "catalogues are looked at again");
        }
        tokio::select! {
            _ = stop.changed() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn round(city: &City) -> Result<(), BillError> {
    for (name, setting) in &city.settings.providers {
        if setting.connection.catalogue.is_none() {
            continue;
        }
        let now = city.now();
        let before = Timestamp::from_millis(now.as_millis() - DAY_MS);
        let owned = name.clone();
        let mine: Result<bool, BillError> = city
            .store
            .write(move |conn| {
                let name = owned.clone();
                Box::pin(async move { Ok(store::begin(conn, &name, now, before).await?) })
            })
            .await;
        if mine? {
            let report = read(city, name).await?;
            if let Some(why) = report.error {
                tracing::warn!(provider = name, why, "a catalogue was not read");
            }
        }
    }
    Ok(refresh(city).await?)
}
