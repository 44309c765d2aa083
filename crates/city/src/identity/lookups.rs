//! What keeps a resident from finding out which phones are enrolled, and whose they are, by asking for one
//! number after the other. Like [`super::guesses`] it judges after the look-up and before the answer, under
//! one lock, so that asking for many at once does not help. Kept in memory, by each node for itself.

use std::collections::HashMap;

use kernel::Date;
use kernel::ids::ResidentId;

use super::IdentityError;

/// Unknown phones that a resident may ask for in a day. Afterwards no phone is told, known or not.
pub const UNKNOWN_A_DAY: u32 = 20;
/// Residents remembered; beyond it those of days past are dropped.
const REMEMBER_MAX: usize = 100_000;

/// Unknown phones asked for lately.
#[derive(Default)]
pub struct Lookups(HashMap<ResidentId, (Date, u32)>);

impl Lookups {
    /// Whether the answer may be told; counts it if the phone is unknown.
    pub fn judge(&mut self, who: ResidentId, day: Date, known: bool) -> Result<(), IdentityError> {
        let unknown = self.0.get(&who).filter(|(counted, _)| *counted == day).map_or(0, |(_, n)| *n);
        if unknown >= UNKNOWN_A_DAY {
            return Err(IdentityError::TooManyLookups);
        }
        if !known {
            if self.0.len() >= REMEMBER_MAX {
                self.0.retain(|_, (counted, _)| *counted == day);
            }
            self.0.insert(who, (day, unknown + 1));
        }
        Ok(())
    }
}
