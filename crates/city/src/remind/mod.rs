//! Telling residents what they would rather know in time: new bills, bills due soon or overdue, supply that will be
//! cut, and what auto-pay does. Notes go into the inbox and, where wanted, out by SMS.
//!
//! Invariants:
//! - Nobody is told of a paid bill: how a bill stands is read from the ledger at the moment of sending. A note that came
//!   too late is kept as `paid_meanwhile` and never shown.
//! - Each kind, bill and step is told once per resident: the note's id is derived from them, whatever plans it how often.
//! - A note about another's account is sent only while that one's consent holds.
//! - A note is in the inbox first, then its SMS is handed over, by the one node that put it there.
//!
//! Kept accounts are planned once a day, page by page; the place is in a table, so a restart goes on and nodes share it.

mod error;
pub mod http;
pub mod rules;
mod send;
mod store;
mod sweep;

use kernel::ids::{BillId, BillerId, MandateId, NoteId, ResidentId};
use kernel::{Date, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use error::RemindError;
pub use rules::{NoteKind, NoteLanguage, Preferences};

use crate::bill::{self, saved};
use crate::identity::Resident;
use crate::{City, Fault, family};

/// How often due notes are looked for.
const EVERY: std::time::Duration = std::time::Duration::from_secs(20);

/// Something to tell a resident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tell {
    /// Whom.
    pub resident: ResidentId,
    /// Whose account it is about.
    pub owner: ResidentId,
    /// What kind of note.
    pub kind: NoteKind,
    /// Whose bill.
    pub biller: BillerId,
    /// On which account.
    pub account_no: String,
    /// Which bill; none where all of the account are meant.
    pub bill: Option<BillId>,
    /// The mandate, in notes of auto-pay.
    pub mandate: Option<MandateId>,
    /// Tells notes of one kind and bill apart.
    pub step: i64,
    /// Minor units.
    pub amount_minor: Option<i64>,
    /// The day it is about: due, debited, tried again, cut.
    pub on: Option<Date>,
    /// The code of a refusal.
    pub reason: Option<String>,
}

impl Tell {
    /// What is told once.
    fn id(&self) -> NoteId {
        let about = self.bill.map_or_else(
            || [self.biller.to_bytes(), self.account_no.as_bytes().to_vec()].concat(),
            BillId::to_bytes,
        );
        let mandate = self.mandate.map(MandateId::to_bytes).unwrap_or_default();
        NoteId::derive(&[
            &self.resident.to_bytes(),
            self.kind.name().as_bytes(),
            &about,
            &mandate,
            &self.step.to_be_bytes(),
        ])
    }
}

/// How a note stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteState {
    /// Waits for its time.
    Planned,
    /// In the inbox.
    Sent,
    /// The bill was paid before its time came.
    PaidMeanwhile,
    /// The owner of the account had ended the consent.
    ConsentEnded,
    /// The resident does not want such notes, or not of this account any more.
    Unwanted,
}

/// A note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Which.
    pub id: NoteId,
    /// What it tells, to whom.
    pub tell: Tell,
    /// How it stands.
    pub state: NoteState,
    /// Not before.
    pub send_at: Timestamp,
    /// When it came into the inbox.
    pub sent_at: Option<Timestamp>,
    /// When it was read.
    pub read_at: Option<Timestamp>,
}

/// Plans a note, to be sent as soon as the resident's quiet hours allow; nothing where it was planned before.
pub async fn tell(city: &City, what: Tell) -> Result<(), Fault> {
    plan(city, vec![what]).await
}

async fn plan(city: &City, notes: Vec<Tell>) -> Result<(), Fault> {
    if notes.is_empty() {
        return Ok(());
    }
    let now = city.now();
    city.store
        .write(move |conn| {
            Box::pin(async move {
                for note in &notes {
                    store::plan(conn, note.id(), note, now).await?;
                }
                Ok(())
            })
        })
        .await
}

/// A biller will cut the supply of an account on this day: everybody who keeps it and wants to be reminded is told, and
/// who watches over them. Safe to repeat. Not sent to anybody once nothing on the account is open.
pub async fn supply_will_be_cut(
    city: &City,
    biller: BillerId,
    account_no: &str,
    on: Date,
) -> Result<(), RemindError> {
    let mut notes = Vec::new();
    for owner in saved::reminded_of(city, biller, account_no).await? {
        for resident in recipients(city, owner).await? {
            notes.push(Tell {
                resident,
                owner,
                kind: NoteKind::SupplyCutSoon,
                biller,
                account_no: account_no.to_owned(),
                bill: None,
                mandate: None,
                step: bill::rules::day_number(on),
                amount_minor: None,
                on: Some(on),
                reason: None,
            });
        }
    }
    Ok(plan(city, notes).await?)
}

/// Who is told of the accounts of `owner`: himself, and who watches over them.
async fn recipients(city: &City, owner: ResidentId) -> Result<Vec<ResidentId>, RemindError> {
    let mut all = vec![owner];
    all.extend(family::watchers(city, owner).await?);
    Ok(all)
}

/// How the resident wants to be told.
pub async fn preferences(city: &City, who: ResidentId) -> Result<Preferences, RemindError> {
    let mut conn = city.store.read().await?;
    Ok(store::preferences(&mut conn, who).await?.unwrap_or_default())
}

/// Sets how the resident wants to be told.
pub async fn prefer(city: &City, who: &Resident, wanted: Preferences) -> Result<Preferences, RemindError> {
    rules::check(&wanted).map_err(RemindError::Malformed)?;
    let (now, resident, row) = (city.now(), who.id, wanted.clone());
    let put: Result<(), RemindError> = city
        .store
        .write(move |conn| {
            let row = row.clone();
            Box::pin(async move { Ok(store::put_preferences(conn, resident, &row, now).await?) })
        })
        .await;
    put?;
    Ok(wanted)
}

/// A page of the inbox, newest first, before the place, and how many are unread.
pub async fn inbox(
    city: &City,
    who: &Resident,
    before: Option<(Timestamp, NoteId)>,
    limit: u32,
) -> Result<(Vec<Note>, i64), RemindError> {
    let mut conn = city.store.read().await?;
    let notes = store::inbox(&mut conn, who.id, before, limit).await?;
    Ok((notes, store::unread(&mut conn, who.id).await?))
}

/// Marks notes as read: these, or all. Answers with how many are unread then.
pub async fn read(city: &City, who: &Resident, ids: Option<Vec<NoteId>>) -> Result<i64, RemindError> {
    let (now, resident) = (city.now(), who.id);
    city.store
        .write(move |conn| {
            let ids = ids.clone();
            Box::pin(async move {
                match ids {
                    Some(ids) => {
                        for id in ids {
                            store::read(conn, resident, Some(id), now).await?;
                        }
                    }
                    None => store::read(conn, resident, None, now).await?,
                }
                Ok(store::unread(conn, resident).await?)
            })
        })
        .await
}

/// Does what is due now: the day's planning, and sending. Says how many notes and pages there were. The server does
/// this by itself all the time.
pub async fn work(city: &City) -> Result<usize, Fault> {
    sweep::enrol(city).await?;
    let mut done = 0;
    loop {
        let some = sweep::page(city).await? + send::due(city).await?;
        if some == 0 {
            return Ok(done);
        }
        done += some;
    }
}

/// Starts what runs beside the requests of this slice.
pub fn start(city: &City, stop: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
    let (city, mut stop) = (city.clone(), stop.clone());
    vec![tokio::spawn(async move {
        while !*stop.borrow() {
            if let Err(why) = work(&city).await {
                tracing::error!(%why, "notes are looked at again");
            }
            tokio::select! {
                _ = stop.changed() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    })]
}
