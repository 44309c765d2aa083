//! Files exchanged with billers through a folder: bills and returned files come in, settlement files go out, and
//! each is acknowledged by a file.
//!
//! | place | holds |
//! |---|---|
//! | `in/` | what the biller puts there: bills, returned files, `NAME.ack` for a file of ours |
//! | `in/taking/` | what is being taken in: moved there first, so that nobody writes to it by its name |
//! | `in/done/`, `in/refused/` | what was taken in, what was not |
//! | `out/` | our settlement files, one a day |
//! | `ack/` | our acknowledgements: `NAME.ack` |
//!
//! Invariants:
//! - A file's content is taken in once, whatever it is called and however often it comes ([`super::import_id`]).
//! - A number of a series serves once: the same content is acknowledged again, other content is refused.
//! - A file leaves `in/taking/` after its end is in the database and its acknowledgement in the folder; whatever a
//!   crash leaves is taken up by the next round. Nothing is acknowledged before it is taken in.
//! - One node at a time works a biller's folder, by a lease.

mod folder;
pub mod http;
mod inbound;
mod outbound;
pub mod rules;
mod store;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use kernel::ids::{BillerId, ImportId};
use kernel::{Date, Timestamp};
use tokio::sync::watch;

use self::folder::{Look, Places};
use self::rules::{Exchange, Kind, Missing, Outcome};
pub use self::store::After;
use super::import::blocking;
use super::pack::Pack;
use super::{BillError, pack};
use crate::{City, Fault};

/// Where a biller's folder is, and how its files are treated.
#[derive(Clone, Debug)]
pub struct Folder {
    /// The folder; `exchange/PACK` of the server's own files when absent.
    pub directory: Option<PathBuf>,
    /// A file is whole when it has not changed for so long. Zero where the sender gives a file its name when it is
    /// whole.
    pub quiet: Duration,
    /// Whether files that were taken in are kept in `in/done/`.
    pub keep: bool,
}

impl Default for Folder {
    fn default() -> Folder {
        Folder { directory: None, quiet: Duration::from_secs(10), keep: true }
    }
}

/// The folders that are not as usual, by pack.
pub type Folders = HashMap<String, Folder>;

/// What this node has seen of the folders.
#[derive(Debug, Default)]
pub struct Seen {
    node: OnceLock<String>,
    /// How each file in `in/` looked, and since when.
    looks: Mutex<HashMap<(BillerId, String), (Look, Timestamp)>>,
    /// Files in `in/taking/` that were judged by this node.
    judged: Mutex<HashSet<(BillerId, String)>>,
    /// Why the newest round failed, and since when rounds do.
    failing: Mutex<HashMap<BillerId, (Timestamp, String)>>,
    /// Held by the round at work.
    working: tokio::sync::Mutex<()>,
}

/// A file that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Whose folder.
    pub biller: BillerId,
    /// What it is called.
    pub name: String,
    /// Of its content, hexadecimal.
    pub sha256: String,
    /// What it is.
    pub kind: Kind,
    /// The date in its name.
    pub day: Option<Date>,
    /// The number in its name.
    pub seq: Option<u32>,
    /// Its length.
    pub bytes: u64,
    /// How it ended; none while it is taken in.
    pub outcome: Option<Outcome>,
    /// Why it was refused.
    pub code: Option<String>,
    /// The import it became.
    pub import: Option<ImportId>,
    /// Records in it.
    pub records: u64,
    /// Their sum, minor units.
    pub amount_minor: i64,
    /// When it was taken up.
    pub arrived_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When its acknowledgement was written.
    pub told_at: Option<Timestamp>,
}

/// A settlement file for the biller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Whose folder.
    pub biller: BillerId,
    /// Whose day.
    pub day: Date,
    /// Its number.
    pub seq: u32,
    /// What it is called.
    pub name: String,
    /// Of its content, hexadecimal.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it lay in `out/`.
    pub written_at: Option<Timestamp>,
    /// When the biller acknowledged it.
    pub acked_at: Option<Timestamp>,
    /// What the biller says of it.
    pub outcome: Option<Outcome>,
    /// Why the biller refused it.
    pub code: Option<String>,
}

/// Numbers that are missing in a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Of which files.
    pub kind: Kind,
    /// Of which day, where every day counts from the start.
    pub day: Option<Date>,
    /// Which.
    pub missing: Missing,
    /// When the file after them came.
    pub since: Timestamp,
}

/// How the exchange with a biller stands.
#[derive(Clone, Debug)]
pub struct Overview {
    /// Whose.
    pub pack: Arc<Pack>,
    /// The folder.
    pub directory: PathBuf,
    /// Numbers that are missing.
    pub gaps: Vec<Gap>,
    /// The newest file that came.
    pub received: Option<Received>,
    /// The newest file that went.
    pub sent: Option<Sent>,
    /// Files of ours that the biller refused, or did not acknowledge in time.
    pub unaccepted: Vec<Sent>,
    /// Since when this node cannot work the folder, and why.
    pub failing: Option<(Timestamp, String)>,
}

/// How often folders are looked at.
const EVERY: Duration = Duration::from_secs(2);
/// A node that does not come back loses its folders after so long.
const LEASE: Duration = Duration::from_mins(1);

/// Looks at the folders until told to stop.
pub(super) async fn run(city: City, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(why) = round(&city).await {
            tracing::error!(%why, "folders are looked at again");
        }
        tokio::select! {
            _ = stop.changed() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// The billers that exchange files through a folder, by pack.
fn exchanging(city: &City) -> Vec<Arc<Pack>> {
    let packs = city.bill.packs.read().expect("no panic while held");
    let mut found: Vec<Arc<Pack>> =
        packs.values().filter(|pack| pack.spec.exchange.is_some()).cloned().collect();
    drop(packs);
    found.sort_unstable_by(|a, b| a.spec.id.cmp(&b.spec.id));
    found
}

/// A biller's folder, as a round works it.
struct Desk<'c> {
    city: &'c City,
    pack: Arc<Pack>,
    exchange: &'c Exchange,
    folder: Folder,
    places: Places,
}

fn folder_of(city: &City, pack: &Pack) -> (Folder, PathBuf) {
    let folder = city.settings.exchange.get(&pack.spec.id).cloned().unwrap_or_default();
    let usual = || city.settings.data_dir.join("exchange").join(&pack.spec.id);
    let directory = folder.directory.clone().unwrap_or_else(usual);
    (folder, directory)
}

/// Looks at every folder once, and does what there is to do. The server does this by itself all the time.
pub async fn round(city: &City) -> Result<(), Fault> {
    let seen = &city.bill.exchange;
    let _turn = seen.working.lock().await;
    for pack in exchanging(city) {
        let biller = pack.biller;
        match work(city, pack).await {
            Ok(()) => {
                seen.failing.lock().expect("no panic while held").remove(&biller);
            }
            Err(why) => {
                tracing::warn!(%biller, %why, "a folder could not be worked");
                let mut failing = seen.failing.lock().expect("no panic while held");
                failing.entry(biller).or_insert_with(|| (city.now(), String::new())).1 = why.to_string();
            }
        }
    }
    Ok(())
}

async fn work(city: &City, pack: Arc<Pack>) -> Result<(), BillError> {
    let Some(exchange) = pack.spec.exchange.clone() else { return Ok(()) };
    let (biller, now) = (pack.biller, city.now());
    let node = city.bill.exchange.node.get_or_init(|| format!("{:032x}", city.rng.u128())).clone();
    let held: Result<bool, Fault> = city
        .store
        .write(move |conn| {
            let node = node.clone();
            Box::pin(async move { Ok(store::lease(conn, biller, &node, now, now.plus(LEASE)).await?) })
        })
        .await;
    if !held? {
        return Ok(());
    }
    let (folder, directory) = folder_of(city, &pack);
    let places = Places::of(&directory);
    let desk = Desk { city, pack, exchange: &exchange, folder, places: places.clone() };
    blocking(move || places.make()).await?;
    // What one step cannot do does not keep the others; the first that failed is told of.
    let mut ended = desk.tell().await;
    ended = ended.and(desk.take_up().await);
    ended = ended.and(desk.judge_all().await);
    ended = ended.and(desk.tell().await);
    ended.and(desk.send().await)
}

/// How the exchange with every biller stands that has one. Callers check who may see that.
pub async fn overviews(city: &City) -> Result<Vec<Overview>, BillError> {
    let mut found = Vec::new();
    for pack in exchanging(city) {
        found.push(overview(city, pack).await?);
    }
    Ok(found)
}

/// How many files of one kind an overview tells of.
const TOLD: u32 = 50;

async fn overview(city: &City, pack: Arc<Pack>) -> Result<Overview, BillError> {
    let Some(exchange) = &pack.spec.exchange else { return Err(BillError::NotByFile) };
    let (_, directory) = folder_of(city, &pack);
    let (biller, now) = (pack.biller, city.now());
    let mut conn = city.store.read().await?;
    let gaps = store::gaps(&mut conn, biller, exchange.first).await?;
    let received = store::received_files(&mut conn, biller, &newest(), 1).await?.pop();
    let sent = store::sent_files(&mut conn, biller, i64::MAX, 1).await?.pop();
    let mut unaccepted = store::unaccepted(&mut conn, biller, TOLD).await?;
    drop(conn);
    let within = exchange.ack_within_h.map(|hours| Duration::from_hours(u64::from(hours)));
    unaccepted.retain(|file| match (file.outcome, within, file.written_at) {
        (Some(_), ..) => true,
        (None, Some(within), Some(written)) => now >= written.plus(within),
        (None, ..) => false,
    });
    let gaps = gaps.into_iter().map(|gap| Gap {
        kind: gap.kind,
        day: super::store::date_of(gap.series),
        missing: gap.missing,
        since: gap.since,
    });
    let failing = city.bill.exchange.failing.lock().expect("no panic while held").get(&biller).cloned();
    Ok(Overview { directory, gaps: gaps.collect(), received, sent, unaccepted, failing, pack })
}

/// Before which page everything comes.
pub fn newest() -> After {
    After { at_ms: i64::MAX, name: String::new(), sha256: String::new() }
}

/// The files that a biller put into its folder, the newest first. Callers check who may see that.
pub async fn received(
    city: &City,
    biller: BillerId,
    after: &After,
    limit: u32,
) -> Result<Vec<Received>, BillError> {
    pack(city, biller).await?;
    let mut conn = city.store.read().await?;
    Ok(store::received_files(&mut conn, biller, after, limit).await?)
}

/// The settlement files that were put into a biller's folder, of days before `before`, the newest first.
pub async fn sent(
    city: &City,
    biller: BillerId,
    before: Option<Date>,
    limit: u32,
) -> Result<Vec<Sent>, BillError> {
    pack(city, biller).await?;
    let before = before.map_or(i64::MAX, super::store::date_number);
    let mut conn = city.store.read().await?;
    Ok(store::sent_files(&mut conn, biller, before, limit).await?)
}

/// Something about a biller's folder that needs attention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concern {
    /// `exchange_gap`, `exchange_refused`, `exchange_unacknowledged`, `exchange_refused_there`, `exchange_failing`.
    pub code: &'static str,
    /// Whose folder.
    pub biller: BillerId,
    /// Since when.
    pub since: Timestamp,
    /// One sentence for people.
    pub detail: String,
}

/// A file that was refused is told of for so long.
const REFUSED_FOR: Duration = Duration::from_hours(24);

/// What needs attention about folders.
pub async fn concerns(city: &City) -> Result<Vec<Concern>, BillError> {
    let mut found = Vec::new();
    for pack in exchanging(city) {
        let (biller, id) = (pack.biller, pack.spec.id.clone());
        let seen = overview(city, pack).await?;
        let mut concern = |code, since, detail| found.push(Concern { code, biller, since, detail });
        if let Some((since, why)) = seen.failing {
            concern("exchange_failing", since, format!("{id}: {why}"));
        }
        for Gap { kind, day, missing: Missing { from, to }, since } in seen.gaps {
            let of = day.map_or_else(String::new, |day| format!(" of {day}"));
            let detail = format!("{id}: {} files{of} are missing: {from} to {to}", kind.name());
            concern("exchange_gap", since, detail);
        }
        for file in seen.unaccepted {
            if file.outcome.is_some() {
                let why = file.code.unwrap_or_default();
                let detail = format!("{id}: the biller refuses {}: {why}", file.name);
                concern("exchange_refused_there", file.acked_at.unwrap_or(file.made_at), detail);
            } else {
                let detail = format!("{id}: {} was not acknowledged", file.name);
                concern("exchange_unacknowledged", file.made_at, detail);
            }
        }
        let mut conn = city.store.read().await?;
        let refused = store::refused_since(&mut conn, biller, city.now().minus(REFUSED_FOR), TOLD).await?;
        drop(conn);
        for file in refused {
            let detail = format!("{id}: {} was refused: {}", file.name, file.code.unwrap_or_default());
            concern("exchange_refused", file.arrived_at, detail);
        }
    }
    Ok(found)
}
