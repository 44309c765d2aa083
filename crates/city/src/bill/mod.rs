//! Bills: from a biller's file to settled, reconciled money.
//!
//! A biller is a [`pack`]: one text file that says how its account numbers, bill files, prices and
//! settlement work. Its bills are imported ([`import_path`], [`receive`]), found by account number
//! ([`fetch`]), priced ([`quote`](quote()), [`fee`]), paid ([`pay`](pay()), [`pay_account`]) and, day by day, settled and
//! matched ([`reconcile`]).
//!
//! Invariants:
//! - A bill is a row that never changes. Whether it is paid is read from the ledger ([`standing`]).
//! - The claim IS the pending transfer, and its id is derived from the bill: of any number of people
//!   and channels that pay a bill, one succeeds. Nothing in SQL is written on the way.
//! - A bill takes one payment or, where its pack says so, one after another; the parts that are paid, and so what is
//!   left, are read from the ledger ([`Part`]).
//! - No payer can spoil a bill for others: only a biller's refusal uses an attempt at it up, and there
//!   are millions.
//! - A price is computed, never stored; a payment names its quote, and the price of that instant holds.
//! - After a crash or a silent biller the outcome is asked for, then posted or voided: [`follow`]. An
//!   operator can end a payment whose biller stays silent: [`resolve_payment`].
//!
//! | phase | ledger | fails with |
//! |---|---|---|
//! | claim | probe of the funds, pending wallet → biller, pending allowance → pool, one chain | `bill_claimed`, `bill_already_settled`, `insufficient_balance`, `cap_reached` |
//! | confirm | – (the biller is asked, in time or not) | `biller_refused` |
//! | settle | post of both, or void of both, one chain | `bill_claim_lapsed` |
//!
//! Billers who hand over files need no asking: claim and settlement are then one chain.

pub mod account;
pub mod advance;
pub mod arrears;
pub mod calendar;
pub mod certificate;
pub mod collect;
pub mod connector;
pub mod dispute;
mod error;
pub mod exchange;
pub mod fee;
mod firm;
mod follow;
pub mod history;
pub mod http;
mod import;
pub mod layout;
pub mod pack;
mod parts;
mod pay;
pub mod payout;
pub mod provider;
mod query;
mod receipt;
pub mod reconcile;
pub mod refund;
mod resolve;
pub mod restore;
pub mod route;
pub mod rules;
pub mod saved;
mod shipped;
mod standing;
mod store;
mod upload;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use kernel::Timestamp;
use kernel::ids::{BillId, BillerId, ImportId};

pub use arrears::{Arrears, PaidAccount, PayAccount, arrears, pay_account};
pub use error::BillError;
pub use follow::{position, settle_pending, start};
pub use history::{HistoryEntry, HistoryFilter, history};
pub use import::{FileFault, Import, ROW_ERRORS_KEPT, RowError, import_id, import_path, lookup, survey};
pub use pack::{Category, Pack, PackError};
pub use parts::Part;
pub use pay::{Paid, PayBill, PayState, pay, pay_within};
pub use query::{
    BillView, BillerFilter, all_imports, bill, biller, billers, fetch, imports, quote, row_errors,
    stopped_imports, unfinished_imports,
};
pub use receipt::{Receipt, receipt};
pub use resolve::{Resolution, Verdict, resolve_payment};
pub use route::probe_all;
pub use rules::{Bill, Quote};
pub use shipped::packs as shipped_packs;
pub use standing::{Settled, Standing, standing};
pub use upload::{Upload, receive, receive_for};

use self::connector::{BillerConnector, FileConnector};
use self::route::{LaneHealth, OpenLines, Routes};
use crate::identity::{Operator, Role};
use crate::{City, Fault, books};

/// What the bill slice keeps in memory.
#[derive(Default)]
pub struct State {
    packs: RwLock<HashMap<BillerId, Arc<Pack>>>,
    bills: Recent,
    connectors: RwLock<HashMap<BillerId, Arc<dyn BillerConnector>>>,
    /// The lines to banks; opened once.
    lines: OnceLock<OpenLines>,
    /// The connections to service providers; opened once.
    providers: OnceLock<provider::OpenProviders>,
    /// The ways to billers that are asked; each is a connector too.
    routes: RwLock<HashMap<BillerId, Arc<Routes>>>,
    /// The folders that files are exchanged through, as this node has seen them.
    exchange: exchange::Seen,
    /// Held by the import at work.
    importing: tokio::sync::Mutex<()>,
    /// Imports that stopped on this node, since it started: when and why.
    stopped: Mutex<HashMap<ImportId, (Timestamp, String)>>,
}

impl State {
    /// The lines to banks.
    fn lines(&self) -> &OpenLines {
        static NONE: OpenLines = OpenLines::new();
        self.lines.get().unwrap_or(&NONE)
    }

    /// The connections to service providers.
    fn providers(&self) -> &provider::OpenProviders {
        static NONE: provider::OpenProviders = provider::OpenProviders::new();
        self.providers.get().unwrap_or(&NONE)
    }
}

/// Bills asked for lately. They never change, so remembering them is safe.
#[derive(Default)]
struct Recent(Mutex<HashMap<BillId, Arc<Bill>>>);

/// How many bills a node remembers; beyond it the memory is dropped: the table still knows.
const RECENT_MAX: usize = 200_000;

impl Recent {
    fn get(&self, id: BillId) -> Option<Arc<Bill>> {
        self.0.lock().expect("no panic while held").get(&id).cloned()
    }

    fn put(&self, bill: Arc<Bill>) {
        let mut held = self.0.lock().expect("no panic while held");
        if held.len() >= RECENT_MAX {
            held.clear();
        }
        held.insert(bill.id, bill);
    }
}

/// Brings the shipped packs up to date, reads every pack and makes sure their accounts exist.
pub async fn load(city: &City) -> Result<(), Fault> {
    let now = city.now();
    let seeded: Result<(), Fault> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                for pack in shipped::packs() {
                    store::seed_biller(&mut *conn, pack, now).await?;
                }
                Ok(())
            })
        })
        .await;
    seeded?;
    city.bill.lines.get_or_init(|| route::open_lines(city));
    city.bill.providers.get_or_init(|| provider::open(city));
    refresh(city).await
}

/// Takes in packs that another node was given.
async fn refresh(city: &City) -> Result<(), Fault> {
    let mut conn = city.store.read().await?;
    let known = |biller: BillerId, hash: &str| {
        let packs = city.bill.packs.read().expect("no panic while held");
        packs.get(&biller).is_some_and(|pack| pack.hash == hash)
    };
    let mut accounts = Vec::new();
    for (biller, hash) in store::biller_versions(&mut conn).await? {
        if known(biller, &hash) {
            continue;
        }
        let read = if let Some(shipped) = shipped::packs().iter().find(|pack| pack.hash == hash) {
            Ok(shipped.clone())
        } else {
            let text = store::pack_text(&mut conn, biller).await?.unwrap_or_default();
            Pack::parse(&text).map(Arc::new)
        };
        // A pack of a newer release may have keys that this node does not know: the old one stays.
        match read {
            Ok(pack) => {
                accounts.push(payable(city, biller));
                open_routes(city, &pack);
                city.bill.packs.write().expect("no panic while held").insert(biller, pack);
            }
            Err(why) => tracing::error!(%biller, %why, "a stored pack cannot be read"),
        }
    }
    drop(conn);
    if accounts.is_empty() { Ok(()) } else { books::ensure(&city.ledger, accounts).await }
}

fn payable(city: &City, biller: BillerId) -> ledger::Account {
    let ledger = books::money(city.settings.currency);
    books::never_overdrawn(books::biller(biller), ledger, books::account_code::BILLER)
}

/// Adds a biller, or gives it new rules: bills keep their content, quotes already given are void.
pub async fn add_pack(city: &City, by: &Operator, text: &str) -> Result<Arc<Pack>, BillError> {
    by.role.require(Role::Admin)?;
    let pack = Pack::parse(text)?;
    certified(city, &pack).await?;
    books::ensure(&city.ledger, vec![payable(city, pack.biller)]).await?;
    let (row, now) = (pack.clone(), city.now());
    let put: Result<bool, BillError> = city
        .store
        .write(move |conn| Box::pin(async move { Ok(store::put_biller(conn, &row, now).await?) }))
        .await;
    put?;
    open_routes(city, &pack);
    let pack = Arc::new(pack);
    city.bill.packs.write().expect("no panic while held").insert(pack.biller, pack.clone());
    Ok(pack)
}

/// Where this installation wants a proof, that there is one: a report of exactly this text, which every case passed.
async fn certified(city: &City, pack: &Pack) -> Result<(), BillError> {
    let Some(required) = city.settings.certificates.as_ref().filter(|_| !pack.spec.channels.is_empty())
    else {
        return Ok(());
    };
    let path = required.dir.join(format!("{}.report.json", pack.spec.id));
    let read = import::blocking(move || match std::fs::read_to_string(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    });
    let refused = |why: &str| Err(BillError::PackNotCertified(why.to_owned()));
    let Some(report) = read.await? else { return refused("there is no report of it") };
    match certificate::verify(&report, &required.keys) {
        Err(why) => refused(&why.to_string()),
        Ok(found) if found.pack_sha256 != pack.hash => refused("the report is of another text"),
        Ok(found) if !found.passed => refused("a case failed"),
        Ok(_) => Ok(()),
    }
}

/// Opens the ways to a biller as its pack and this installation have them.
fn open_routes(city: &City, pack: &Pack) {
    let mut routes = city.bill.routes.write().expect("no panic while held");
    match Routes::open(city, pack) {
        Some(opened) => {
            let opened = Arc::new(opened);
            routes.insert(pack.biller, opened.clone());
            connect(city, pack.biller, opened);
        }
        None => {
            if routes.remove(&pack.biller).is_some() {
                city.bill.connectors.write().expect("no panic while held").remove(&pack.biller);
            }
        }
    }
}

/// How the ways to a biller are on this node; none for one who hands over files.
pub fn ways(city: &City, biller: BillerId) -> Vec<LaneHealth> {
    routes(city, biller).map(|routes| routes.health()).unwrap_or_default()
}

/// How the ways to every biller that is asked are on this node, by pack.
pub fn all_ways(city: &City) -> Vec<(Arc<Pack>, Vec<LaneHealth>)> {
    let packs = city.bill.packs.read().expect("no panic while held");
    let asked = packs.values().filter(|pack| !pack.spec.channels.is_empty()).cloned();
    let mut asked: Vec<Arc<Pack>> = asked.collect();
    drop(packs);
    asked.sort_unstable_by(|a, b| a.spec.id.cmp(&b.spec.id));
    asked.into_iter().map(|pack| (pack.clone(), ways(city, pack.biller))).collect()
}

/// How the last question that went each way to a biller came out, on this node; none for one who hands over files.
pub fn seen(city: &City, biller: BillerId) -> Vec<route::Seen> {
    routes(city, biller).map(|routes| routes.seen()).unwrap_or_default()
}

/// Whether payments can reach a biller from this installation: it hands over files, or a way to it is configured.
pub fn is_connected(city: &City, pack: &Pack) -> bool {
    pack.spec.channels.is_empty() || routes(city, pack.biller).is_some_and(|routes| routes.is_connected())
}

/// The ways to a biller that is asked.
fn routes(city: &City, biller: BillerId) -> Option<Arc<Routes>> {
    city.bill.routes.read().expect("no panic while held").get(&biller).cloned()
}

/// Connects a biller that is asked live. Until then, and without it, bills are the files' alone.
pub fn connect(city: &City, biller: BillerId, connector: Arc<dyn BillerConnector>) {
    city.bill.connectors.write().expect("no panic while held").insert(biller, connector);
}

/// The pack of a biller.
async fn pack(city: &City, biller: BillerId) -> Result<Arc<Pack>, BillError> {
    let held = |city: &City| city.bill.packs.read().expect("no panic while held").get(&biller).cloned();
    if let Some(pack) = held(city) {
        return Ok(pack);
    }
    refresh(city).await?;
    held(city).ok_or(BillError::BillerUnknown)
}

fn connector(city: &City, biller: BillerId) -> Arc<dyn BillerConnector> {
    let connectors = city.bill.connectors.read().expect("no panic while held");
    connectors.get(&biller).cloned().unwrap_or_else(|| Arc::new(FileConnector))
}

/// A bill, from memory where possible.
async fn bill_row(city: &City, id: BillId) -> Result<Arc<Bill>, BillError> {
    if let Some(bill) = city.bill.bills.get(id) {
        return Ok(bill);
    }
    let mut conn = city.store.read().await?;
    let found = store::bills(&mut conn, &[id]).await?.pop().ok_or(BillError::BillUnknown)?;
    let bill = Arc::new(found);
    city.bill.bills.put(bill.clone());
    Ok(bill)
}
