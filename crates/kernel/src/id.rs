//! Typed ids: 128 bits that print as a TypeID (`res_01h2xcejqtf2nbrexx3vqjhp41`).
//!
//! The bits are a UUIDv7 when the id was made fresh and a UUIDv8 when it was derived from what it
//! names (RFC 9562). The same 128 bits are the id in the ledger, so no id is ever 0 or all ones.
//! Text form: TypeID specification 0.3, prefix, `_`, 26 characters of Crockford base32, lower case.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::{Rng, Timestamp};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// What an [`Id`] names; gives it its prefix.
pub trait Kind: 'static {
    /// The text before the underscore: three lower-case letters.
    const PREFIX: &'static str;
}

/// The kinds of thing that have ids.
pub mod kinds {
    macro_rules! kinds {
        ($($name:ident $prefix:literal)*) => {$(
            #[doc = concat!("Ids beginning `", $prefix, "_`.")]
            #[derive(Debug)]
            pub enum $name {}
            impl super::Kind for $name { const PREFIX: &'static str = $prefix; }
        )*};
    }
    kinds! {
        Resident "res" Merchant "mch" Till "til" Biller "blr" Bill "bil" Trade "trd" Payment "pay"
        Refund "rfd" Operator "opr" Device "dev" Session "ses" Import "imp" Event "evt"
        Endpoint "whe" Key "key" Act "act" Approval "apr" Break "brk" Passkey "psk"
        Campaign "cpn" RestoreOrder "rst" Mandate "mdt" Family "fam" Note "nte" Collector "col"
        Claim "clm" Complaint "cmp"
    }
}

/// A 128-bit id of one kind of thing.
pub struct Id<K>(u128, PhantomData<fn() -> K>);

impl<K: Kind> Id<K> {
    /// A new id: time in the first 48 bits (milliseconds), the rest random (UUIDv7).
    pub fn new(now: Timestamp, rng: &dyn Rng) -> Id<K> {
        Id::from_u128(uuid_v7(now, rng.u128()))
    }
    /// The id that belongs to `parts`: the same parts give the same id, anywhere, forever (UUIDv8
    /// over SHA-256). The kind's prefix is part of the derivation.
    pub fn derive(parts: &[&[u8]]) -> Id<K> {
        Id::from_u128(derive_u128(K::PREFIX, parts))
    }
    /// Takes over 128 bits that came out of a ledger or a table.
    pub const fn from_u128(bits: u128) -> Id<K> {
        Id(bits, PhantomData)
    }
    /// The bits, as the ledger has them.
    pub const fn as_u128(self) -> u128 {
        self.0
    }
    /// Sixteen bytes, big-endian, as SQL has them.
    pub fn to_bytes(self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }
    /// From the sixteen bytes in SQL; `None` for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Id<K>> {
        Some(Id::from_u128(u128::from_be_bytes(bytes.try_into().ok()?)))
    }
}

/// A UUIDv7 of `now` with `random` as its 74 random bits (RFC 9562 section 5.7).
pub fn uuid_v7(now: Timestamp, random: u128) -> u128 {
    let ms = u128::from(u64::try_from(now.as_millis()).unwrap_or(0)) & 0xffff_ffff_ffff;
    (ms << 80)
        | (0x7 << 76)
        | (((random >> 64) & 0xfff) << 64)
        | (0b10 << 62)
        | (random & 0x3fff_ffff_ffff_ffff)
}

/// 128 bits (UUIDv8) out of SHA-256 over `domain` and `parts`, each with its length before it, so
/// that no two different lists can run together.
pub fn derive_u128(domain: &str, parts: &[&[u8]]) -> u128 {
    let mut hash = Sha256::new();
    for part in std::iter::once(domain.as_bytes()).chain(parts.iter().copied()) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    let bits = u128::from_be_bytes(first);
    (bits & !(0xf << 76) & !(0b11 << 62)) | (0x8 << 76) | (0b10 << 62)
}

/// Why a text is not an id of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdError {
    /// The prefix is missing or another kind's; holds the one wanted.
    Prefix(&'static str),
    /// After the underscore there are not 26 characters of lower-case Crockford base32 within 128 bits.
    Suffix,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdError::Prefix(wanted) => write!(f, "an id beginning `{wanted}_` is wanted"),
            IdError::Suffix => {
                f.write_str("the part after `_` must be 26 characters 0-9a-z without i, l, o, u")
            }
        }
    }
}

impl std::error::Error for IdError {}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; 26];
        for (i, c) in text.iter_mut().enumerate() {
            *c = ALPHABET[(self.0 >> (125 - 5 * i)) as usize & 31];
        }
        write!(f, "{}_{}", K::PREFIX, str::from_utf8(&text).expect("ASCII"))
    }
}

impl<K: Kind> FromStr for Id<K> {
    type Err = IdError;
    fn from_str(s: &str) -> Result<Self, IdError> {
        let rest =
            s.strip_prefix(K::PREFIX).and_then(|r| r.strip_prefix('_')).ok_or(IdError::Prefix(K::PREFIX))?;
        if rest.len() != 26 || rest.as_bytes()[0] > b'7' {
            return Err(IdError::Suffix);
        }
        rest.bytes()
            .try_fold(0u128, |bits, c| {
                let value = ALPHABET.iter().position(|a| *a == c)?;
                Some((bits << 5) | value as u128)
            })
            .map(Id::from_u128)
            .ok_or(IdError::Suffix)
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededRng;

    enum Any {}
    impl Kind for Any {
        const PREFIX: &'static str = "prefix";
    }

    #[test]
    fn agrees_with_the_typeid_specification() {
        // Rows of the specification's valid.yml.
        for (text, uuid) in [
            ("prefix_01h2xcejqtf2nbrexx3vqjhp41", 0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881_u128),
            ("prefix_0123456789abcdefghjkmnpqrs", 0x0110_c853_1d09_52d8_d73e_1194_e95b_5f19),
            ("prefix_7zzzzzzzzzzzzzzzzzzzzzzzzz", u128::MAX),
            ("prefix_00000000000000000000000001", 1),
        ] {
            let id: Id<Any> = text.parse().unwrap();
            assert_eq!(id.to_string(), text);
            assert_eq!(id.as_u128(), uuid, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_an_id_of_the_kind() {
        let good = "res_01h455vb4pex5vsknk084sn02q";
        assert!(good.parse::<Id<kinds::Resident>>().is_ok());
        for (text, error) in [
            ("mch_01h455vb4pex5vsknk084sn02q", IdError::Prefix("res")),
            ("01h455vb4pex5vsknk084sn02q", IdError::Prefix("res")),
            ("", IdError::Prefix("res")),
            ("res_", IdError::Suffix),
            ("res_01h455vb4pex5vsknk084sn02", IdError::Suffix),
            ("res_01h455vb4pex5vsknk084sn02qq", IdError::Suffix),
            ("res_81h455vb4pex5vsknk084sn02q", IdError::Suffix),
            ("res_01H455VB4PEX5VSKNK084SN02Q", IdError::Suffix),
            ("res_01h455vb4pex5vsknk084sn0uq", IdError::Suffix),
            ("res_01h455vb4pex5vsknk084sn0é", IdError::Suffix),
        ] {
            assert_eq!(text.parse::<Id<kinds::Resident>>(), Err(error), "{text}");
        }
    }

    #[test]
    fn fresh_ids_sort_by_time_and_carry_version_7() {
        let rng = SeededRng::new(7);
        let a: Id<kinds::Payment> = Id::new(Timestamp::from_millis(1_000), &rng);
        let b = Id::new(Timestamp::from_millis(1_001), &rng);
        assert!(a < b);
        assert_eq!((a.as_u128() >> 76) & 0xf, 7);
        assert_eq!((a.as_u128() >> 62) & 0b11, 0b10);
        assert_eq!(Id::from_bytes(&a.to_bytes()), Some(a));
        assert_eq!(Id::<kinds::Payment>::from_bytes(&[1]), None);
    }

    #[test]
    fn derived_ids_depend_on_every_part_and_its_bounds() {
        let id = |parts: &[&[u8]]| Id::<kinds::Trade>::derive(parts);
        assert_eq!(id(&[b"a", b"bc"]), id(&[b"a", b"bc"]));
        assert_ne!(id(&[b"a", b"bc"]), id(&[b"ab", b"c"]));
        assert_ne!(id(&[b"a"]).as_u128(), Id::<kinds::Bill>::derive(&[b"a"]).as_u128());
        assert_eq!((id(&[]).as_u128() >> 76) & 0xf, 8);
    }
}
