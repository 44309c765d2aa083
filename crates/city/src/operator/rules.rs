//! Pure rules of the operator slice: reasons, the four-eyes limit, what is shown of whom.

use kernel::ids::OperatorId;

use super::OperatorError;

/// Fewest and most characters of a reason.
pub const REASON_CHARS: std::ops::RangeInclusive<usize> = 4..=200;

/// The reason of an act, without outer spaces. One that is given must be one; `needed` says whether none is
/// refused.
pub fn reason(given: Option<&str>, needed: bool) -> Result<Option<String>, OperatorError> {
    let Some(text) = given.map(str::trim) else {
        return if needed { Err(OperatorError::ReasonMissing) } else { Ok(None) };
    };
    if REASON_CHARS.contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        Ok(Some(text.to_owned()))
    } else {
        Err(OperatorError::ReasonMissing)
    }
}

/// Whether a movement of so much needs a second operator.
pub fn needs_four_eyes(amount_minor: i64, limit_minor: i64) -> bool {
    amount_minor > limit_minor
}

/// Whether two operators with two keys are surely two people: nobody may hold both keys. `asking` and `deciding` are
/// the operators who may hold each, by the line of keys it was made with.
pub fn two_pairs_of_eyes(
    asker: OperatorId,
    asking: &[OperatorId],
    decider: OperatorId,
    deciding: &[OperatorId],
) -> bool {
    let of_asker = |who: &OperatorId| *who == asker || asking.contains(who);
    !of_asker(&decider) && !deciding.iter().any(of_asker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons() {
        let long = "长".repeat(200);
        let longer = "长".repeat(201);
        for (given, needed, wanted) in [
            (None, false, Ok(None)),
            (None, true, Err(OperatorError::ReasonMissing)),
            (Some("case 17"), true, Ok(Some("case 17"))),
            (Some("  case 17 "), false, Ok(Some("case 17"))),
            (Some("投诉处理"), true, Ok(Some("投诉处理"))),
            (Some("abc"), false, Err(OperatorError::ReasonMissing)),
            (Some("  abc  "), false, Err(OperatorError::ReasonMissing)),
            (Some(""), false, Err(OperatorError::ReasonMissing)),
            (Some("a\nbcd"), true, Err(OperatorError::ReasonMissing)),
            (Some(&long), true, Ok(Some(&long[..]))),
            (Some(&longer), true, Err(OperatorError::ReasonMissing)),
        ] {
            assert_eq!(reason(given, needed), wanted.map(|w| w.map(str::to_owned)), "{given:?}");
        }
    }

    #[test]
    fn who_may_hold_both_keys_is_one_pair_of_eyes() {
        let who = OperatorId::from_u128;
        for (asker, asking, decider, deciding, wanted) in [
            (1, &[1][..], 2, &[2][..], true),
            (1, &[1], 1, &[1], false),
            (1, &[1], 2, &[2, 1], false),
            (1, &[1, 2], 2, &[2], false),
            (1, &[1, 3], 2, &[2, 3], false),
            (1, &[1, 3], 2, &[2, 4], true),
            (1, &[], 2, &[], true),
            (1, &[], 2, &[2, 1], false),
            (1, &[1, 2], 2, &[], false),
        ] {
            let ids = |of: &[u128]| of.iter().map(|id| who(*id)).collect::<Vec<_>>();
            let two = two_pairs_of_eyes(who(asker), &ids(asking), who(decider), &ids(deciding));
            assert_eq!(two, wanted, "{asker} {asking:?} {decider} {deciding:?}");
        }
    }

    #[test]
    fn the_limit_itself_needs_one_pair_of_eyes() {
        for (amount, limit, wanted) in [
            (1, 0, true),
            (5_000_000, 5_000_000, false),
            (5_000_001, 5_000_000, true),
            (i64::MAX, i64::MAX, false),
        ] {
            assert_eq!(needs_four_eyes(amount, limit), wanted, "{amount} {limit}");
        }
    }
}
