//! Auto-pay: bills that a resident lets the city pay, each told of before, within caps that the PIN has granted.
//!
//! Invariants:
//! - The cap of a month is a ledger account, drawn in the chain that pays the bill ([`cap`]). No number of debits at the same
//!   moment can pass it.
//! - The PIN is asked for when a mandate is made or changed. Its debits ask for none, whatever the no-PIN limit is: the
//!   caps are what the PIN was given for.
//! - A bill is paid once by a mandate: the payment's request id is derived from both, so a crash, a lost answer or two nodes
//!   come to one payment. Paid by anybody else, it is never debited: the claim on the bill is one.
//! - Nothing is debited that was not told of before, unless the mandate says so (`notice_days` 0).
//! - Whether the mandate and, for a family member's bills, that member's consent hold is asked at the moment of the debit. A
//!   debit that was begun before a revocation is finished.
//!
//! | a run is | until |
//! |---|---|
//! | `found` | the notice is written |
//! | `noticed` | 09:00 of the day of the debit |
//! | `debiting`, `pending` | the payment ends; the biller is being asked |
//! | `refused` | 09:00 one, three and seven days after the first debit; then it is `given_up` |
//! | `debited`, `skipped`, `paid_otherwise`, `given_up`, `ended` | – |

pub mod cap;
mod error;
pub mod http;
pub mod rules;
mod run;
mod store;

use kernel::ids::{BillId, BillerId, MandateId, PaymentId, ResidentId};
use kernel::{Date, Timestamp};

pub use error::MandateError;
pub use rules::{MandateRunState, MandateRunState as RunState, MandateState, Target, Terms, When};
pub use run::{start, work};

use crate::bill;
use crate::family::{self, FamilyError, FamilyMay};
use crate::identity::{self, Resident};
use crate::{City, Fault};

/// How many mandates a resident may have that are not revoked.
pub const MANDATES_MAX: i64 = 20;

/// A mandate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mandate {
    /// Which.
    pub id: MandateId,
    /// Whose wallet pays.
    pub resident: ResidentId,
    /// What it allows.
    pub terms: Terms,
    /// Whether it debits.
    pub state: MandateState,
    /// Counts the changes that needed the PIN.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed, paused, resumed or revoked.
    pub changed_at: Timestamp,
}

impl Mandate {
    /// Whose accounts it covers.
    fn owner(&self) -> ResidentId {
        self.terms.member.unwrap_or(self.resident)
    }
}

/// What a mandate does about a bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Which mandate.
    pub mandate: MandateId,
    /// Which bill.
    pub bill: BillId,
    /// Whose bill.
    pub biller: BillerId,
    /// On which account.
    pub account_no: String,
    /// Minor units, as last seen.
    pub amount_minor: i64,
    /// The last day without a late fee.
    pub due: Date,
    /// The day of the debit.
    pub debit_on: Date,
    /// How it stands.
    pub state: MandateRunState,
    /// How often it was refused.
    pub tries: i64,
    /// The code of the last refusal.
    pub reason: Option<String>,
    /// The payment, where there is one.
    pub payment: Option<PaymentId>,
    /// When it is looked at next.
    pub next_at: Option<Timestamp>,
    /// When it was found.
    pub found_at: Timestamp,
}

/// A change of a mandate; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The most for one bill, minor units.
    pub cap_bill: Option<i64>,
    /// The most in a calendar month, minor units.
    pub cap_month: Option<i64>,
    /// The last day; `Some(None)`: until revoked.
    pub valid_until: Option<Option<Date>>,
    /// A debit is told of so many days before.
    pub notice_days: Option<u32>,
    /// When it debits.
    pub pay: Option<When>,
}

/// Makes a mandate, with the PIN. The same key again is the same mandate.
pub async fn create(
    city: &City,
    who: &Resident,
    key: &str,
    terms: Terms,
    pin: Option<&str>,
) -> Result<Mandate, MandateError> {
    let now = city.now();
    let today = now.date(city.settings.offset);
    let id = MandateId::derive(&[&who.id.to_bytes(), key.as_bytes()]);
    let there = find(city, who, id).await;
    if let Ok(there) = &there {
        return if there.version > 1 || there.terms == terms {
            identity::require_pin_always(city, who, pin).await?;
            Ok(there.clone())
        } else {
            Err(MandateError::KeyUsedDifferently)
        };
    }
    rules::check(&terms, today).map_err(MandateError::Malformed)?;
    if let Target::Account { biller, account_no } = &terms.target {
        let pack = bill::biller(city, *biller).await?;
        pack.spec.account.check(account_no).map_err(bill::BillError::AccountMalformed)?;
    }
    if let Some(member) = terms.member
        && !family::allows(city, who.id, member, FamilyMay::Pay).await?
    {
        return Err(FamilyError::NoConsent.into());
    }
    identity::require_pin_always(city, who, pin).await?;
    let new = Mandate {
        id,
        resident: who.id,
        terms,
        state: MandateState::Active,
        version: 1,
        created_at: now,
        changed_at: now,
    };
    let month = rules::month(today);
    city.store
        .write(move |conn| {
            let new = new.clone();
            Box::pin(async move {
                if store::live(conn, new.resident).await? >= MANDATES_MAX {
                    return Err(MandateError::TooMany);
                }
                if store::add(conn, &new).await? {
                    store::add_cap(conn, new.id, 1, month, new.terms.cap_month).await?;
                    run::enrol(conn, new.id, now).await?;
                    return Ok(new);
                }
                // Somebody with the same key was faster.
                match store::get(conn, new.id).await? {
                    Some(there) if there.terms == new.terms => Ok(there),
                    _ => Err(MandateError::KeyUsedDifferently),
                }
            })
        })
        .await
}

/// A mandate of this resident.
pub async fn find(city: &City, who: &Resident, id: MandateId) -> Result<Mandate, MandateError> {
    let mut conn = city.store.read().await?;
    let found = store::get(&mut conn, id).await?;
    found.filter(|mandate| mandate.resident == who.id).ok_or(MandateError::Unknown)
}

/// The mandates of this resident, newest first, before the place.
pub async fn list(
    city: &City,
    who: &Resident,
    before: Option<(Timestamp, MandateId)>,
    limit: u32,
) -> Result<Vec<Mandate>, MandateError> {
    let mut conn = city.store.read().await?;
    Ok(store::list(&mut conn, who.id, before, limit).await?)
}

/// What of this month a mandate may still debit, minor units.
pub async fn left(city: &City, mandate: &Mandate) -> Result<i64, MandateError> {
    let month = rules::month(city.now().date(city.settings.offset));
    let account = cap::bring(city, mandate.id, month).await?;
    Ok(crate::books::available(&city.ledger, account).await?)
}

/// Changes a mandate, with the PIN. A lower cap counts at once: what was debited this month already counts against it.
/// It cannot be lowered while a debit is under way.
pub async fn change(
    city: &City,
    who: &Resident,
    id: MandateId,
    change: Change,
    pin: Option<&str>,
) -> Result<Mandate, MandateError> {
    let there = find(city, who, id).await?;
    if there.state == MandateState::Revoked {
        return Err(MandateError::Revoked);
    }
    let today = city.now().date(city.settings.offset);
    let old = &there.terms;
    let terms = Terms {
        cap_bill: change.cap_bill.unwrap_or(old.cap_bill),
        cap_month: change.cap_month.unwrap_or(old.cap_month),
        valid_until: change.valid_until.unwrap_or(old.valid_until),
        notice_days: change.notice_days.unwrap_or(old.notice_days),
        pay: change.pay.unwrap_or(old.pay),
        ..old.clone()
    };
    rules::check_changed(&terms, today).map_err(MandateError::Malformed)?;
    identity::require_pin_always(city, who, pin).await?;
    if terms == *old {
        return Ok(there);
    }
    let (now, month, lower) = (city.now(), rules::month(today), terms.cap_month < old.cap_month);
    let version = there.version;
    let done: Result<(), MandateError> = city
        .store
        .write(move |conn| {
            let terms = terms.clone();
            Box::pin(async move {
                if !store::change(conn, id, version, &terms, now).await? {
                    return Err(MandateError::Changed);
                }
                if lower && store::under_way(conn, id).await? {
                    return Err(MandateError::RunUnderWay);
                }
                store::add_cap(conn, id, version + 1, month, terms.cap_month).await?;
                run::enrol(conn, id, now).await?;
                Ok(())
            })
        })
        .await;
    done?;
    cap::bring(city, id, month).await?;
    find(city, who, id).await
}

/// Lets a mandate rest; what it would have debited waits.
pub async fn pause(city: &City, who: &Resident, id: MandateId) -> Result<Mandate, MandateError> {
    turn(city, who, id, MandateState::Active, MandateState::Paused).await
}

/// Lets a mandate debit again. The caps are those that the PIN was given for.
pub async fn resume(city: &City, who: &Resident, id: MandateId) -> Result<Mandate, MandateError> {
    turn(city, who, id, MandateState::Paused, MandateState::Active).await
}

async fn turn(
    city: &City,
    who: &Resident,
    id: MandateId,
    from: MandateState,
    to: MandateState,
) -> Result<Mandate, MandateError> {
    if find(city, who, id).await?.state == MandateState::Revoked {
        return Err(MandateError::Revoked);
    }
    let now = city.now();
    let done: Result<(), MandateError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                // Paused or active already: it is as asked.
                if store::turn(conn, id, from, to, now).await? {
                    run::hasten(conn, id, now).await?;
                }
                Ok(())
            })
        })
        .await;
    done?;
    find(city, who, id).await
}

/// Ends a mandate for good, at any time; a debit that was begun is finished. Safe to repeat.
pub async fn revoke(city: &City, who: &Resident, id: MandateId) -> Result<Mandate, MandateError> {
    find(city, who, id).await?;
    let now = city.now();
    let done: Result<(), MandateError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                for from in [MandateState::Active, MandateState::Paused] {
                    store::turn(conn, id, from, MandateState::Revoked, now).await?;
                }
                store::end_waiting(conn, id, "mandate_revoked", now).await?;
                Ok(())
            })
        })
        .await;
    done?;
    find(city, who, id).await
}

/// Lets one bill be, this once: the mandate does not debit it. Safe to repeat.
pub async fn skip(city: &City, who: &Resident, id: MandateId, bill: BillId) -> Result<Run, MandateError> {
    find(city, who, id).await?;
    let now = city.now();
    let run: Result<Option<Run>, MandateError> = city
        .store
        .write(move |conn| {
            Box::pin(async move {
                store::skip(conn, id, bill, now).await?;
                Ok(store::run(conn, id, bill).await?)
            })
        })
        .await;
    let run = run?.ok_or(MandateError::RunUnknown)?;
    match run.state {
        MandateRunState::Skipped => Ok(run),
        MandateRunState::Debiting | MandateRunState::Pending => Err(MandateError::RunUnderWay),
        _ => Err(MandateError::RunFinal),
    }
}

/// What a mandate did and will do, newest first, before the place.
pub async fn runs(
    city: &City,
    who: &Resident,
    id: MandateId,
    before: Option<(Timestamp, BillId)>,
    limit: u32,
) -> Result<Vec<Run>, MandateError> {
    find(city, who, id).await?;
    let mut conn = city.store.read().await?;
    Ok(store::runs(&mut conn, id, before, limit).await?)
}

/// The client's own id of the payment of a bill by a mandate.
fn request_id(mandate: MandateId, bill: BillId) -> String {
    let id = kernel::derive_u128("mandate_payment", &[&mandate.to_bytes(), &bill.to_bytes()]);
    format!("mandate-{}", kernel::hex(&id.to_be_bytes()))
}

async fn caps(city: &City, id: MandateId) -> Result<Vec<rules::Step>, Fault> {
    let mut conn = city.store.read().await?;
    Ok(store::caps(&mut conn, id).await?)
}
