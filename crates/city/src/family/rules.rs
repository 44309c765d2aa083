//! Pure rules of families: what may be consented to, how a link stands, how long an invitation waits.

use std::time::Duration;

use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long an invitation waits for an answer.
pub const INVITATION: Duration = Duration::from_hours(7 * 24);

/// What a helper may; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FamilyMay {
    /// See the open bills, and be reminded of them.
    Watch,
    /// Also pay them by a mandate, from the helper's own wallet.
    Pay,
}

impl FamilyMay {
    /// In tables.
    pub fn name(self) -> &'static str {
        match self {
            FamilyMay::Watch => "watch",
            FamilyMay::Pay => "pay",
        }
    }

    /// From a table.
    pub fn from_name(name: &str) -> Option<FamilyMay> {
        [FamilyMay::Watch, FamilyMay::Pay].into_iter().find(|may| may.name() == name)
    }
}

/// How a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FamilyState {
    /// Waits for the owner's consent.
    Invited,
    /// The owner has consented.
    Active,
    /// The owner said no.
    Declined,
    /// One of the two has ended it.
    Ended,
    /// Nobody answered the invitation within seven days.
    Lapsed,
}

impl FamilyState {
    /// In tables.
    pub fn name(self) -> &'static str {
        match self {
            FamilyState::Invited => "invited",
            FamilyState::Active => "active",
            FamilyState::Declined => "declined",
            FamilyState::Ended => "ended",
            FamilyState::Lapsed => "lapsed",
        }
    }

    /// From a table.
    pub fn from_name(name: &str) -> Option<FamilyState> {
        use FamilyState::{Active, Declined, Ended, Invited, Lapsed};
        [Invited, Active, Declined, Ended, Lapsed].into_iter().find(|state| state.name() == name)
    }
}

/// Invitations made before this instant have lapsed by `now`.
pub fn lapsed_before(now: Timestamp) -> Timestamp {
    now.minus(INVITATION)
}

/// Whether a helper may call the owner so: 1 to 20 characters, none of them a control character.
pub fn label_acceptable(label: &str) -> bool {
    (1..=20).contains(&label.chars().count()) && label.trim() == label && !label.chars().any(char::is_control)
}
