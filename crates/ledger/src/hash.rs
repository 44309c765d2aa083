//! The hash that the tables in memory and on disk share. Part of the layout of index files: it must not
//! change without their version.

const SEED: [u64; 4] =
    [0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db, 0x8ebc_6af0_9c88_c6e3, 0x5899_65cc_7537_4cc3];

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    low(product) ^ low(product >> 64)
}

#[allow(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
fn low(x: u128) -> u64 {
    x as u64
}

/// Sixty-four bits of an id, or of any other value.
pub fn hash_id(id: u128) -> u64 {
    fold(fold(low(id) ^ SEED[0], low(id >> 64) ^ SEED[1]) ^ SEED[2], SEED[3])
}
