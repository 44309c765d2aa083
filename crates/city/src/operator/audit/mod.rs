//! The audit trail: who did what to whom, and why. Written before the act, so that a crash cannot swallow one;
//! how it ended is a second row. Must never change or remove a row, nor hold a phone number or a name.

pub mod http;
mod store;

use kernel::Timestamp;
use kernel::ids::{ActId, KeyId, OperatorId};

use super::{OperatorError, rules};
use crate::identity::{Operator, Role};
use crate::{City, Refusal};

/// What an operator is about to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// `raise_tier`, `close_shop`, …
    pub action: &'static str,
    /// To whom or what: an id.
    pub subject: String,
    /// What of it, `tier=3`; empty where the action says it all.
    pub detail: String,
}

impl Act {
    /// An act whose action says it all.
    pub fn on(action: &'static str, subject: impl ToString) -> Act {
        Act { action, subject: subject.to_string(), detail: String::new() }
    }

    /// With what of it.
    #[must_use]
    pub fn with(self, detail: impl Into<String>) -> Act {
        Act { detail: detail.into(), ..self }
    }
}

/// An entry of the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// In order of time.
    pub id: ActId,
    /// When it began.
    pub at: Timestamp,
    /// Who.
    pub operator: OperatorId,
    /// With which key.
    pub key: KeyId,
    /// What.
    pub action: String,
    /// To whom or what.
    pub subject: String,
    /// What of it.
    pub detail: String,
    /// The operator's own words.
    pub reason: Option<String>,
    /// `done`, the code of the refusal, or nothing where a crash cut the act off or it is under way.
    pub outcome: Option<String>,
}

/// What an act that was done is said to have come to.
pub const DONE: &str = "done";

/// Does what `doing` does, in the trail: refused without a reason where one is needed, entered before it begins,
/// ended with what came of it. An end that cannot be written leaves the entry open; the act stands.
pub async fn audited<T, E>(
    city: &City,
    by: &Operator,
    reason: Option<&str>,
    act: Act,
    doing: impl Future<Output = Result<T, E>>,
) -> Result<T, OperatorError>
where
    E: Into<OperatorError>,
{
    let reason = rules::reason(reason, by.browser)?;
    let entry = enter(city, by, reason, act, None).await?;
    let done = doing.await.map_err(Into::into);
    let outcome = done.as_ref().err().map_or(DONE, Refusal::code);
    if let Err(why) = end(city, entry, outcome).await {
        tracing::error!(%entry, outcome, %why, "the end of an operator's act was not written");
    }
    done
}

/// Enters a look that has happened, with what it came to. Nothing may be shown before this has answered.
pub(super) async fn looked(
    city: &City,
    by: &Operator,
    reason: String,
    act: Act,
    outcome: &'static str,
) -> Result<(), OperatorError> {
    enter(city, by, Some(reason), act, Some(outcome)).await?;
    Ok(())
}

async fn enter(
    city: &City,
    by: &Operator,
    reason: Option<String>,
    act: Act,
    outcome: Option<&'static str>,
) -> Result<ActId, OperatorError> {
    let now = city.now();
    let entry = Entry {
        id: ActId::new(now, &*city.rng),
        at: now,
        operator: by.id,
        key: by.key,
        action: act.action.to_owned(),
        subject: act.subject,
        detail: act.detail,
        reason,
        outcome: outcome.map(str::to_owned),
    };
    let id = entry.id;
    let entered: Result<(), OperatorError> =
        city.store.write(move |conn| Box::pin(async move { Ok(store::enter(conn, &entry).await?) })).await;
    entered.map(|()| id)
}

async fn end(city: &City, id: ActId, outcome: &'static str) -> Result<(), OperatorError> {
    let now = city.now();
    city.store.write(move |conn| Box::pin(async move { Ok(store::end(conn, id, outcome, now).await?) })).await
}

/// The trail, newest first, before an entry. By an operator of role admin.
pub async fn trail(
    city: &City,
    by: &Operator,
    before: Option<ActId>,
    limit: u32,
) -> Result<Vec<Entry>, OperatorError> {
    by.role.require(Role::Admin)?;
    let mut conn = city.store.read().await?;
    Ok(store::entries(&mut conn, before, limit).await?)
}
