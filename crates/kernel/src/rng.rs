//! Randomness as an argument. [`OsRng`] is for the running system, [`SeededRng`] for tests and
//! simulation; nothing else in the tree may ask the system for random bytes.

use std::sync::Mutex;

use sha2::{Digest, Sha256};

/// Where random bytes come from. Implementations used for secrets must be cryptographically strong.
pub trait Rng: Send + Sync + 'static {
    /// Fills `buf` with random bytes.
    fn fill(&self, buf: &mut [u8]);
    /// A random 128-bit number.
    fn u128(&self) -> u128 {
        let mut buf = [0; 16];
        self.fill(&mut buf);
        u128::from_be_bytes(buf)
    }
    /// A random 64-bit number.
    fn u64(&self) -> u64 {
        let mut buf = [0; 8];
        self.fill(&mut buf);
        u64::from_be_bytes(buf)
    }
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRng;

impl Rng for OsRng {
    #[allow(clippy::disallowed_methods, reason = "the one place that asks the system for randomness")]
    fn fill(&self, buf: &mut [u8]) {
        // Without randomness no token or code may be made: stopping is the safe answer.
        getrandom::fill(buf).expect("the system's random generator works");
    }
}

/// A reproducible stream: SHA-256 of seed and counter. Strong as long as the seed is secret.
#[derive(Debug)]
pub struct SeededRng {
    seed: [u8; 32],
    counter: Mutex<u64>,
}

impl SeededRng {
    /// The stream of this seed.
    pub fn new(seed: u64) -> SeededRng {
        SeededRng { seed: Sha256::digest(seed.to_be_bytes()).into(), counter: Mutex::new(0) }
    }
}

impl Rng for SeededRng {
    fn fill(&self, buf: &mut [u8]) {
        let mut counter = self.counter.lock().expect("no panic while held");
        for chunk in buf.chunks_mut(32) {
            *counter += 1;
            let block = Sha256::new().chain_update(self.seed).chain_update(counter.to_be_bytes()).finalize();
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

/// Lower-case hexadecimal of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut s, b| {
        let _ = write!(s, "{b:02x}"); // writing to a String cannot fail
        s
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeded_streams_repeat_and_differ() {
        let (a, b, c) = (SeededRng::new(1), SeededRng::new(1), SeededRng::new(2));
        assert_eq!(a.u128(), b.u128());
        assert_ne!(a.u128(), c.u128());
        assert_ne!(a.u64(), a.u64());
        assert_eq!(hex(&[0, 0xab, 0xff]), "00abff");
    }
}
