//! How supply changes with what a biller tells: pure.

use kernel::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How supply to an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SupplyState {
    /// Supplied.
    On,
    /// The biller has said that it will cut.
    CutAnnounced,
    /// Cut.
    Cut,
    /// Cut; the debt is paid and the biller is told to restore.
    Restoring,
}

impl SupplyState {
    /// The name in tables and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            SupplyState::On => "on",
            SupplyState::CutAnnounced => "cut_announced",
            SupplyState::Cut => "cut",
            SupplyState::Restoring => "restoring",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<SupplyState> {
        use SupplyState as S;
        [S::On, S::CutAnnounced, S::Cut, S::Restoring].into_iter().find(|state| state.name() == name)
    }
}

/// What a biller tells of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It will cut on this day.
    CutAnnounced(Date),
    /// It has cut.
    Cut,
    /// It supplies; also that it will not cut after all.
    Restored,
}

/// What a notice changes: the new state and day; `None` where it says what is so. An announcement for what is cut already
/// is an error.
pub fn next(
    state: SupplyState,
    cut_on: Option<Date>,
    notice: Notice,
) -> Result<Option<(SupplyState, Option<Date>)>, AlreadyCut> {
    use SupplyState as S;
    Ok(match (notice, state) {
        (Notice::CutAnnounced(_), S::Cut | S::Restoring) => return Err(AlreadyCut),
        (Notice::CutAnnounced(day), S::CutAnnounced) if cut_on == Some(day) => None,
        (Notice::CutAnnounced(day), S::On | S::CutAnnounced) => Some((S::CutAnnounced, Some(day))),
        // Said again, or on its way when the order to restore was made.
        (Notice::Cut, S::Cut | S::Restoring) | (Notice::Restored, S::On) => None,
        (Notice::Cut, S::On | S::CutAnnounced) => Some((S::Cut, None)),
        (Notice::Restored, _) => Some((S::On, None)),
    })
}

/// A cut was announced for what is cut already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyCut;

/// Reads a line of a file of notices: `account,kind[,day]`.
pub fn line(text: &str) -> Option<(&str, Notice)> {
    let mut parts = text.split(',').map(str::trim);
    let (account, kind, day) = (parts.next()?, parts.next()?, parts.next().filter(|day| !day.is_empty()));
    if account.is_empty() || parts.next().is_some() {
        return None;
    }
    notice(kind, day).map(|notice| (account, notice))
}

/// The notice of that name; an announcement has a day, the others have none.
pub fn notice(kind: &str, day: Option<&str>) -> Option<Notice> {
    match (kind, day) {
        ("cut_announced", Some(day)) if day.len() == 10 => day.parse().ok().map(Notice::CutAnnounced),
        ("cut", None) => Some(Notice::Cut),
        ("restored", None) => Some(Notice::Restored),
        _ => None,
    }
}
