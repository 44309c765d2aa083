//! Sorting many rows by part of their keys, several times faster than by comparing them.

use crate::table::Row;

/// Bits of the key looked at in one pass.
const DIGIT: u32 = 11;

/// Sorts stably by `bits` bits of the keys, of which the lowest is bit `from`. `other` is room to do it in.
pub fn sort<R: Row>(rows: &mut Vec<R>, other: &mut Vec<R>, from: u32, bits: u32) {
    let mut at = from;
    while at < from + bits {
        let digit = |row: &R| usize::try_from(row.key() >> at & ((1 << DIGIT) - 1)).unwrap_or(0);
        let mut ends = [0usize; 1 << DIGIT];
        for row in &*rows {
            ends[digit(row)] += 1;
        }
        if !ends.contains(&rows.len()) {
            let mut sum = 0;
            for end in &mut ends {
                sum += std::mem::replace(end, sum);
            }
            other.clear();
            other.extend_from_slice(rows);
            for row in rows.iter() {
                let place = &mut ends[digit(row)];
                other[*place] = *row;
                *place += 1;
            }
            std::mem::swap(rows, other);
        }
        at += DIGIT;
    }
}

/// Sorts rows whose keys are hashes, which differ in their highest bits with few exceptions.
pub fn sort_hashes<R: Row>(rows: &mut Vec<R>, other: &mut Vec<R>) {
    sort(rows, other, 64 - 3 * DIGIT, 3 * DIGIT);
    // What little is out of order stands near its place.
    let mut moves = 0;
    for at in 1..rows.len() {
        let mut to = at;
        while to > 0 && rows[to] < rows[to - 1] {
            rows.swap(to, to - 1);
            to -= 1;
            moves += 1;
        }
        if moves > 8 * rows.len() {
            rows.sort_unstable();
            return;
        }
    }
}
