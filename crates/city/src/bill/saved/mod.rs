//! Accounts at billers that a resident keeps, and what is due on them.
//!
//! Invariants:
//! - Only a number that may be an account of the biller is kept; whether there are bills for it yet does not
//!   matter.
//! - A resident keeps [`SAVED_MAX`] at most, whatever comes at once: who adds or removes one holds the row that
//!   counts them.
//! - What is due is read from the bills and the ledger at the moment of asking, never kept.

pub mod http;
mod store;

use std::sync::Arc;

use kernel::ids::{BillerId, ResidentId};
use kernel::{Date, Timestamp};

use super::query::{BillView, fetch};
use super::{BillError, Pack, Standing, fee, pack};
use crate::City;
use crate::identity::Resident;

/// How many accounts a resident may keep.
pub const SAVED_MAX: i64 = 50;
/// The longest label, in characters.
pub const LABEL_MAX: usize = 20;

/// An account that a resident keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Whose.
    pub resident: ResidentId,
    /// At which biller.
    pub biller: BillerId,
    /// The number on the biller's paper.
    pub account_no: String,
    /// What the resident calls it.
    pub label: Option<String>,
    /// Whether the resident wants to be reminded of what is due.
    pub remind: bool,
    /// When it was first kept.
    pub saved_at: Timestamp,
}

/// An open bill on an account that the resident keeps.
#[derive(Clone, Debug)]
pub struct Due {
    /// The account.
    pub saved: Saved,
    /// Its biller.
    pub pack: Arc<Pack>,
    /// The bill, and what paying it costs now.
    pub view: BillView,
    /// The last day without a late fee; a day of rest moves it where the biller's rules say so.
    pub due_on: Date,
    /// Whether that day has passed.
    pub overdue: bool,
}

fn label_acceptable(label: &str) -> bool {
    let length = label.chars().count();
    (1..=LABEL_MAX).contains(&length) && label.trim() == label && !label.chars().any(char::is_control)
}

/// Keeps an account, or changes its label and reminder.
pub async fn save(
    city: &City,
    who: &Resident,
    biller: BillerId,
    account_no: &str,
    label: Option<String>,
    remind: bool,
) -> Result<Saved, BillError> {
    let pack = pack(city, biller).await?;
    pack.spec.account.check(account_no).map_err(BillError::AccountMalformed)?;
    if !label.as_deref().is_none_or(label_acceptable) {
        return Err(BillError::LabelMalformed);
    }
    let (resident, account_no, saved_at) = (who.id, account_no.to_owned(), city.now());
    let wanted = Saved { resident, biller, account_no, label, remind, saved_at };
    city.store
        .write(move |conn| {
            Box::pin(async move {
                store::hold(conn, resident).await?;
                if let Some(there) = store::change(conn, &wanted).await? {
                    return Ok(there);
                }
                if !store::count_one_more(conn, resident).await? {
                    return Err(BillError::TooManySaved);
                }
                store::add(conn, &wanted).await?;
                Ok(wanted)
            })
        })
        .await
}

/// Keeps an account no longer; nothing where it was not kept.
pub async fn forget(
    city: &City,
    who: &Resident,
    biller: BillerId,
    account_no: &str,
) -> Result<(), BillError> {
    if !account_no.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(()); // nothing of such a number is ever kept
    }
    let (resident, account_no) = (who.id, account_no.to_owned());
    city.store
        .write(move |conn| {
            Box::pin(async move {
                store::hold(conn, resident).await?;
                if store::remove(conn, resident, biller, &account_no).await? {
                    store::count_one_less(conn, resident).await?;
                }
                Ok(())
            })
        })
        .await
}

/// The accounts that the resident keeps, first kept first.
pub async fn saved(city: &City, who: &Resident) -> Result<Vec<Saved>, BillError> {
    let mut conn = city.store.read().await?;
    Ok(store::of(&mut conn, who.id).await?)
}

/// The accounts that this resident keeps, for a slice that knows the id only and may see them.
pub async fn saved_by(city: &City, resident: ResidentId) -> Result<Vec<Saved>, BillError> {
    let mut conn = city.store.read().await?;
    Ok(store::of(&mut conn, resident).await?)
}

/// The next `limit` accounts whose keepers want to be reminded, after `after`, in the order of their keys.
pub async fn reminded(
    city: &City,
    after: Option<(ResidentId, BillerId, String)>,
    limit: u32,
) -> Result<Vec<Saved>, BillError> {
    let mut conn = city.store.read().await?;
    Ok(store::reminded(&mut conn, after, limit).await?)
}

/// Who keeps this account and wants to be reminded.
pub async fn reminded_of(
    city: &City,
    biller: BillerId,
    account_no: &str,
) -> Result<Vec<ResidentId>, BillError> {
    let mut conn = city.store.read().await?;
    Ok(store::reminded_of(&mut conn, biller, account_no).await?)
}

/// The open bills on the accounts that the resident keeps, soonest due first. A bill that somebody is paying
/// right now is not open.
pub async fn due(city: &City, who: &Resident) -> Result<Vec<Due>, BillError> {
    due_on(city, saved(city, who).await?).await
}

/// [`due`] on these accounts; whoever asks for another's has seen to it that he may.
pub async fn due_on(city: &City, accounts: Vec<Saved>) -> Result<Vec<Due>, BillError> {
    let today = city.now().date(city.settings.offset);
    let mut due = Vec::new();
    for saved in accounts {
        let pack = pack(city, saved.biller).await?;
        let views = match fetch(city, saved.biller, &saved.account_no).await {
            // New rules of the biller may no longer know the number.
            Err(BillError::AccountUnknown | BillError::AccountMalformed(_)) => continue,
            views => views?,
        };
        for view in views.into_iter().filter(|view| view.standing == Standing::Open) {
            let due_on = fee::due_on(&pack.spec.late_fee, view.bill.due);
            let (saved, pack) = (saved.clone(), pack.clone());
            due.push(Due { saved, pack, view, due_on, overdue: today > due_on });
        }
    }
    due.sort_by_key(|due| (due.due_on, due.view.bill.id));
    Ok(due)
}
