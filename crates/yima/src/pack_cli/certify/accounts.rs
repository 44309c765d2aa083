//! Account numbers that a pack's rule accepts, and such as it must not.

use city::bill::account::AccountRule;
use kernel::{Rng, SeededRng};

use super::naive;

fn draw(rng: &SeededRng, below: usize) -> usize {
    usize::try_from(rng.u64() % below.max(1) as u64).unwrap_or(0)
}

fn signs(p: char) -> &'static [u8] {
    match p {
        '#' => b"0123456789",
        '@' => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        '*' => b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        _ => b"",
    }
}

/// A number of the pattern's shape; its check digit is as chance will have it.
pub fn shaped(rule: &AccountRule, rng: &SeededRng) -> String {
    let one = |p: char| match signs(p) {
        [] => p,
        signs => char::from(signs[draw(rng, signs.len())]),
    };
    rule.pattern.chars().map(one).collect()
}

/// Up to `count` numbers that the rule accepts, the pack's examples first.
pub fn some(rule: &AccountRule, count: usize, seed: &str) -> Vec<String> {
    let seed = u64::from_str_radix(seed.get(..15).unwrap_or("1"), 16).unwrap_or(1);
    let rng = SeededRng::new(seed);
    let mut found = rule.examples.clone();
    for _ in 0..count * 40 {
        if found.len() >= count {
            break;
        }
        if let Some(number) = completed(rule, shaped(rule, &rng)).filter(|number| !found.contains(number)) {
            found.push(number);
        }
    }
    found
}

/// With its last one or two signs as the rule wants them.
fn completed(rule: &AccountRule, number: String) -> Option<String> {
    let pattern: Vec<char> = rule.pattern.chars().collect();
    let free = |at: usize| match signs(pattern[at]) {
        [] => vec![pattern[at]],
        signs => signs.iter().map(|b| char::from(*b)).collect(),
    };
    if naive::is_account(rule, &number) {
        return Some(number);
    }
    let n = pattern.len();
    for before in if n > 1 { free(n - 2) } else { vec![' '] } {
        for last in free(n - 1) {
            let mut tried: Vec<char> = number.chars().collect();
            tried[n - 1] = last;
            if n > 1 {
                tried[n - 2] = before;
            }
            let tried: String = tried.into_iter().collect();
            if naive::is_account(rule, &tried) {
                return Some(tried);
            }
        }
    }
    None
}

/// A number with a wrong check digit: one sign of a good one is another.
pub fn mistyped(rule: &AccountRule, number: &str) -> Option<String> {
    let chars: Vec<char> = number.chars().collect();
    for at in (0..chars.len()).rev() {
        let pattern = rule.pattern.chars().nth(at)?;
        for sign in signs(pattern) {
            let mut tried = chars.clone();
            tried[at] = char::from(*sign);
            let tried: String = tried.into_iter().collect();
            if tried != number && !naive::is_account(rule, &tried) {
                return Some(tried);
            }
        }
    }
    None
}
