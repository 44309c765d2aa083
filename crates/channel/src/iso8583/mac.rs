//! Message authentication: ANSI X9.19 (ISO 9797-1 algorithm 3), as most networks of banks have it in field 64 or 128.
//!
//! Single DES in CBC over the message, the last block finished with a second key. Two keys of 8 bytes, 8 bytes of code.

use des::Des;
use des::cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};

/// A key of two halves.
#[derive(Clone)]
pub struct MacKey {
    left: Des,
    right: Des,
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacKey(…)")
    }
}

impl MacKey {
    /// From 16 bytes.
    pub fn new(key: &[u8; 16]) -> MacKey {
        let half = |at: usize| Des::new_from_slice(&key[at..at + 8]).expect("eight bytes");
        MacKey { left: half(0), right: half(8) }
    }

    /// The code of a message: of everything from its type up to where the code is put.
    pub fn code(&self, message: &[u8]) -> [u8; 8] {
        let mut state = Block::<Des>::default();
        for chunk in message.chunks(8) {
            for (byte, added) in state.iter_mut().zip(chunk) {
                *byte ^= added; // a short last chunk counts as filled with zeros
            }
            self.left.encrypt_block(&mut state);
        }
        self.right.decrypt_block(&mut state);
        self.left.encrypt_block(&mut state);
        state.into()
    }

    /// Whether a code is the message's, in a time that does not tell how much of it was right.
    pub fn verify(&self, message: &[u8], code: &[u8]) -> bool {
        let own = self.code(message);
        code.len() == own.len() && own.iter().zip(code).fold(0, |all, (a, b)| all | (a ^ b)) == 0
    }
}
