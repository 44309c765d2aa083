//! Residents who look after each other's bills: one asks, the other consents with the PIN, either ends it.
//!
//! Invariants:
//! - Nothing is seen before the owner of the accounts has consented, and nothing after either side has ended
//!   it: whoever acts on a consent asks [`allows`] at that moment.
//! - A helper sees the open bills on the accounts that the owner keeps. Balance, history and labels stay the owner's.
//! - A helper pays with his own wallet. Anyone may pay anyone's bill; the consent is to see it.
//! - Of two residents there is one link at a time in each direction. What became of a link stays, with its times.

mod error;
pub mod http;
pub mod rules;
mod store;

use kernel::Timestamp;
use kernel::ids::{FamilyId, ResidentId};

pub use error::FamilyError;
pub use rules::{FamilyMay, FamilyState};

use crate::City;
use crate::bill::saved::{self, Due};
use crate::identity::{self, Resident};

/// How many links a helper may have at a time.
pub const LINKS_MAX: i64 = 20;
/// How many links a list shows at most: those that are over are dropped first.
const LIST_MAX: u32 = 200;

/// A link between two residents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Which.
    pub id: FamilyId,
    /// Who asked.
    pub helper: ResidentId,
    /// Whose accounts they are.
    pub owner: ResidentId,
    /// What was asked for.
    pub asked: FamilyMay,
    /// What the owner consented to.
    pub granted: Option<FamilyMay>,
    /// What the helper calls the owner.
    pub label: Option<String>,
    /// How it stands.
    pub state: FamilyState,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When the owner consented.
    pub consented_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Who ended it.
    pub ended_by: Option<ResidentId>,
}

/// What happened to a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What: `invited`, `consented_watch`, `consented_pay`, `declined`, `ended`, `lapsed`.
    pub what: String,
    /// Who did it; none where time did.
    pub by: Option<ResidentId>,
}

/// Asks the owner of this phone to let `who` look after the owner's bills. The same key again is the same
/// invitation.
pub async fn invite(
    city: &City,
    who: &Resident,
    key: &str,
    phone: &str,
    asked: FamilyMay,
    label: Option<String>,
) -> Result<Link, FamilyError> {
    if !label.as_deref().is_none_or(rules::label_acceptable) {
        return Err(FamilyError::LabelMalformed);
    }
    let (owner, _) = identity::resident_by_phone(city, who, phone).await?;
    if owner == who.id {
        return Err(FamilyError::Oneself);
    }
    let now = city.now();
    let link = Link {
        id: FamilyId::derive(&[&who.id.to_bytes(), key.as_bytes()]),
        helper: who.id,
        owner,
        asked,
        granted: None,
        label,
        state: FamilyState::Invited,
        created_at: now,
        consented_at: None,
        ended_at: None,
        ended_by: None,
    };
    city.store
        .write(move |conn| {
            let link = link.clone();
            Box::pin(async move {
                if let Some(there) = store::get(conn, link.id).await? {
                    let same =
                        there.owner == link.owner && there.asked == link.asked && there.label == link.label;
                    return if same { Ok(there) } else { Err(FamilyError::KeyUsedDifferently) };
                }
                store::lapse(conn, link.helper, link.owner, rules::lapsed_before(now), now).await?;
                if store::live_links(conn, link.helper).await? >= LINKS_MAX {
                    return Err(FamilyError::TooMany);
                }
                if !store::add(conn, &link).await? {
                    return Err(FamilyError::Exists);
                }
                store::note(conn, link.id, now, "invited", Some(link.helper)).await?;
                Ok(link)
            })
        })
        .await
}

/// The owner lets the helper see (and pay): at most what was asked for, with the PIN. Consenting to less later is
/// consenting again.
pub async fn consent(
    city: &City,
    who: &Resident,
    id: FamilyId,
    may: FamilyMay,
    pin: Option<&str>,
) -> Result<Link, FamilyError> {
    let found = link(city, who, id).await?;
    if found.owner != who.id {
        return Err(FamilyError::NotTheOwner);
    }
    if may > found.asked {
        return Err(FamilyError::MoreThanAsked);
    }
    if found.state == FamilyState::Active && found.granted == Some(may) {
        return Ok(found);
    }
    identity::require_pin_always(city, who, pin).await?;
    let (now, owner) = (city.now(), who.id);
    let done: Result<bool, FamilyError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                if !store::consent(conn, id, may, now, rules::lapsed_before(now)).await? {
                    return Ok(false);
                }
                let what = if may == FamilyMay::Pay { "consented_pay" } else { "consented_watch" };
                store::note(conn, id, now, what, Some(owner)).await?;
                Ok(true)
            })
        })
        .await;
    if done? { link(city, who, id).await } else { Err(FamilyError::Over) }
}

/// Either side ends it, at any time; an owner who has not consented declines. Ended again, it is as it was.
pub async fn end(city: &City, who: &Resident, id: FamilyId) -> Result<Link, FamilyError> {
    let found = link(city, who, id).await?;
    let (now, by) = (city.now(), who.id);
    let is_owner = found.owner == who.id;
    let ended: Result<(), FamilyError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                let what = if is_owner
                    && store::end(conn, id, FamilyState::Invited, FamilyState::Declined, by, now).await?
                {
                    Some("declined")
                } else if store::end(conn, id, FamilyState::Invited, FamilyState::Ended, by, now).await?
                    || store::end(conn, id, FamilyState::Active, FamilyState::Ended, by, now).await?
                {
                    Some("ended")
                } else {
                    None
                };
                if let Some(what) = what {
                    store::note(conn, id, now, what, Some(by)).await?;
                }
                Ok(())
            })
        })
        .await;
    ended?;
    link(city, who, id).await
}

/// A link that `who` is one side of.
pub async fn link(city: &City, who: &Resident, id: FamilyId) -> Result<Link, FamilyError> {
    let mut conn = city.store.read().await?;
    let found = store::get(&mut conn, id).await?.map(|link| link.at(city.now()));
    found.filter(|link| link.helper == who.id || link.owner == who.id).ok_or(FamilyError::Unknown)
}

/// The links that `who` is one side of, newest first, and the events of one if asked for.
pub async fn links(city: &City, who: &Resident) -> Result<Vec<Link>, FamilyError> {
    let mut conn = city.store.read().await?;
    let found = store::of(&mut conn, who.id, LIST_MAX).await?;
    Ok(found.into_iter().map(|link| link.at(city.now())).collect())
}

/// What happened to a link, oldest first.
pub async fn history(city: &City, who: &Resident, id: FamilyId) -> Result<Vec<Event>, FamilyError> {
    link(city, who, id).await?;
    let mut conn = city.store.read().await?;
    Ok(store::events(&mut conn, id).await?)
}

/// The open bills on the accounts that the owner keeps, for the helper to see.
pub async fn due(city: &City, who: &Resident, id: FamilyId) -> Result<Vec<Due>, FamilyError> {
    let link = link(city, who, id).await?;
    if link.helper != who.id || !allows(city, who.id, link.owner, FamilyMay::Watch).await? {
        return Err(FamilyError::NoConsent);
    }
    Ok(saved::due_on(city, saved::saved_by(city, link.owner).await?).await?)
}

/// Whether `owner` lets `helper` do so now.
pub async fn allows(
    city: &City,
    helper: ResidentId,
    owner: ResidentId,
    may: FamilyMay,
) -> Result<bool, FamilyError> {
    let mut conn = city.store.read().await?;
    Ok(store::granted(&mut conn, helper, owner).await?.is_some_and(|granted| granted >= may))
}

/// Who watches over the bills of `owner` now.
pub async fn watchers(city: &City, owner: ResidentId) -> Result<Vec<ResidentId>, FamilyError> {
    let mut conn = city.store.read().await?;
    Ok(store::watchers(&mut conn, owner).await?)
}

impl Link {
    /// As it stands at `now`: an invitation nobody answered has lapsed.
    fn at(mut self, now: Timestamp) -> Link {
        if self.state == FamilyState::Invited && self.created_at < rules::lapsed_before(now) {
            self.state = FamilyState::Lapsed;
        }
        self
    }
}
