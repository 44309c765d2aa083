//! What keeps a resident from finding out which phones are enrolled, and whose they are, by asking for one
//! number after the other, or which codes a shop's orders have. Like [`super::guesses`] it judges after the look-up and before the answer, under
//! one lock, so that asking for many at once does not help. Kept in memory, by each node for itself.

use std::collections::HashMap;

use kernel::Date;
use kernel::ids::ResidentId;

use super::{IdentityError, Resident};
use crate::City;

/// What is looked up: each is counted by itself, so that who mistyped many phones can still pay in shops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// Whose phone it is.
    Phone,
    /// What a scanned code stands for.
    Code,
}

/// Unknown ones that a resident may ask for in a day. Afterwards none is told, known or not.
pub const UNKNOWN_A_DAY: u32 = 20;
/// Residents remembered; beyond it those of days past are dropped.
const REMEMBER_MAX: usize = 100_000;

/// Unknown ones asked for lately.
#[derive(Default)]
pub struct Lookups(HashMap<(ResidentId, Lookup), (Date, u32)>);

impl Lookups {
    /// Whether the answer may be told; counts it if what was asked for is unknown.
    pub fn judge(
        &mut self,
        who: ResidentId,
        what: Lookup,
        day: Date,
        known: bool,
    ) -> Result<(), IdentityError> {
        let unknown = self.0.get(&(who, what)).filter(|(counted, _)| *counted == day).map_or(0, |(_, n)| *n);
        if unknown >= UNKNOWN_A_DAY {
            return Err(IdentityError::TooManyLookups);
        }
        if !known {
            if self.0.len() >= REMEMBER_MAX {
                self.0.retain(|_, (counted, _)| *counted == day);
            }
            self.0.insert((who, what), (day, unknown + 1));
        }
        Ok(())
    }
}

/// Whether this resident may be told what became of a look-up, found or not; counts it if it was not found.
/// To be asked after the look-up and before every answer to it.
pub fn may_tell(city: &City, who: &Resident, what: Lookup, known: bool) -> Result<(), IdentityError> {
    let day = city.now().date(city.settings.offset);
    city.identity.lookups.lock().expect("no panic while held").judge(who.id, what, day, known)
}
