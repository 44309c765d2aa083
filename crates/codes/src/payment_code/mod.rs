//! The payment code: 18 digits a phone makes offline and a till scans to charge its owner.
//!
//! ```text
//! 81 llllllll pppppppp      prefix, locator, proof
//! step    = unix seconds / 10          epoch = unix seconds / 300
//! locator = HMAC-SHA-256(secret, "yima payment code locator v1" ‖ epoch)          mod 10^8
//! proof   = HMAC-SHA-256(secret, "yima payment code proof v1" ‖ step ‖ locator)   mod 10^8
//! ```
//!
//! The locator lets the server find the few devices a code may belong to ([`LocatorIndex`]); the proof says which one
//! and when. Integers enter the HMAC as eight big-endian bytes; the reduction takes the first 128 bits of the tag, so
//! no residue is likelier than another by more than 10^8 / 2^128.
//!
//! Life of a code, by the server's clock and counted from the start of its step: from 10 s before (a phone whose
//! clock is ahead) to, but not including, 70 s after. A code from a phone with the right time thus works for at least
//! 60 s after it is shown, whatever second of the step that was.
//!
//! Single use is the caller's ledger's: [`Resolved::burn_id`] is the id of the transfer that a try must create first,
//! so a second try, even after a failed payment, finds it existing.
//!
//! Must never: print a secret, read a clock, or accept a code two devices could have made. Security argument with its
//! numbers: `docs/reference/codes.md`.

mod index;
mod table;

pub use index::{LocatorIndex, Refused, Resolved, Upkeep};

use std::fmt;
use std::ops::Range;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

/// First two digits. Apart from the payer codes tills meet: Alipay 25–30, WeChat Pay 10–15, UnionPay 62, Alipay+ 25
/// and 28. (UnionPay also has card numbers beginning 81; they have 16 or 19 digits, not 18.)
pub const PREFIX: &str = "81";
/// Length of a code in digits.
pub const DIGITS: usize = 18;
/// A phone shows a new code at least this often, in seconds.
pub const STEP_S: u64 = 10;
/// A phone keeps its locator this long, in seconds; across epochs two codes cannot be linked.
pub const EPOCH_S: u64 = 300;
/// A code shown by a phone with the right time works for this long, in seconds.
pub const VALID_S: u64 = 60;
/// How far a phone's clock may be ahead, in seconds.
pub const CLOCK_AHEAD_S: u64 = 10;
/// How far a phone's clock may be behind before its codes live shorter than 50 s. It also makes up for a code first
/// shown late in its step.
pub const CLOCK_BEHIND_S: u64 = 10;

const HALF: u128 = 100_000_000;
const LOCATOR_LABEL: &[u8] = b"yima payment code locator v1";
const PROOF_LABEL: &[u8] = b"yima payment code proof v1";
const BURN_LABEL: &[u8] = b"yima payment code burn v1";

/// The secret a device shares with the server: 32 random bytes from enrolment. Wiped when dropped.
#[derive(Clone)]
pub struct DeviceSecret([u8; 32]);

impl Drop for DeviceSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl DeviceSecret {
    /// Takes 32 bytes of good randomness.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// HMAC with the key worked in, to be used for many messages.
    fn keyed(&self) -> Keyed {
        Keyed(Hmac::new_from_slice(&self.0).expect("HMAC takes keys of any length"))
    }

    pub(crate) fn locator(&self, epoch: u64) -> u32 {
        self.keyed().tag(LOCATOR_LABEL, &[epoch])
    }

    pub(crate) fn proof(&self, step: u64, locator: u32) -> u32 {
        self.keyed().proof(step, locator)
    }

    /// The steps among `steps` for which this device would show `code`, its locator known to match.
    pub(crate) fn steps_of(&self, code: PaymentCode, steps: Range<u64>) -> impl Iterator<Item = u64> {
        let keyed = self.keyed();
        steps.filter(move |step| keyed.proof(*step, code.locator) == code.proof)
    }
}

/// A device secret as HMAC uses it.
struct Keyed(Hmac<Sha256>);

impl Keyed {
    fn proof(&self, step: u64, locator: u32) -> u32 {
        self.tag(PROOF_LABEL, &[step, u64::from(locator)])
    }

    fn tag(&self, label: &[u8], parts: &[u64]) -> u32 {
        let mut mac = self.0.clone();
        mac.update(label);
        for part in parts {
            mac.update(&part.to_be_bytes());
        }
        let tag = mac.finalize().into_bytes();
        let wide = tag[..16].iter().fold(0u128, |wide, byte| (wide << 8) | u128::from(*byte));
        u32::try_from(wide % HALF).expect("below 10^8")
    }
}

impl fmt::Debug for DeviceSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceSecret(…)")
    }
}

/// A well-formed code: 18 digits with our prefix. Whose it is, only the server's table says.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PaymentCode {
    locator: u32,
    proof: u32,
}

/// Why a scanned text is no payment code of ours, in order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeError {
    /// Not 18 characters.
    Length,
    /// Not digits only.
    Digits,
    /// Somebody else's prefix.
    Prefix,
}

impl CodeError {
    /// Stable code for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Length => "payment_code_length",
            Self::Digits => "payment_code_digits",
            Self::Prefix => "payment_code_prefix",
        }
    }
}

impl fmt::Display for CodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "a payment code has 18 digits",
            Self::Digits => "a payment code has digits only",
            Self::Prefix => "a payment code begins with 81",
        })
    }
}

impl std::error::Error for CodeError {}

impl PaymentCode {
    /// Reads what a till scanned; nothing around the digits is forgiven.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        if text.chars().count() != DIGITS {
            return Err(CodeError::Length);
        }
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(CodeError::Digits);
        }
        let rest = text.strip_prefix(PREFIX).ok_or(CodeError::Prefix)?;
        let (locator, proof) = rest.split_at(8);
        let number = |digits: &str| digits.parse().map_err(|_| CodeError::Digits);
        Ok(Self { locator: number(locator)?, proof: number(proof)? })
    }
}

impl PaymentCode {
    /// What the codes of one phone have in common for up to [`EPOCH_S`]: the key for counting wrong tries aimed at one
    /// payer. Personal while it lasts; not for logs.
    pub fn locator(&self) -> u32 {
        self.locator
    }
}

impl fmt::Display for PaymentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{:08}{:08}", self.locator, self.proof)
    }
}

/// A live code is money: logs get the prefix alone.
impl fmt::Debug for PaymentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PaymentCode(81…)")
    }
}

/// What the phone shows at `unix_s`, without a network. The same code until the step ends.
pub fn generate(secret: &DeviceSecret, unix_s: u64) -> PaymentCode {
    let locator = secret.locator(unix_s / EPOCH_S);
    PaymentCode { locator, proof: secret.proof(unix_s / STEP_S, locator) }
}

/// The id of the one try a code is good for: the caller creates a transfer of this id before anything else, and takes
/// "exists" as "used". Never 0 and never all ones, which ledgers reserve.
///
/// It is made of the device and the code's digits, not of the step: should two steps of a device ever yield the same
/// digits, they count as one code.
pub fn burn_id(device_id: u128, code: &PaymentCode) -> u128 {
    let hash = Sha256::new()
        .chain_update(BURN_LABEL)
        .chain_update(device_id.to_be_bytes())
        .chain_update(code.locator.to_be_bytes())
        .chain_update(code.proof.to_be_bytes())
        .finalize();
    let id = hash[..16].iter().fold(0u128, |id, byte| (id << 8) | u128::from(*byte));
    id.clamp(1, u128::MAX - 1)
}
