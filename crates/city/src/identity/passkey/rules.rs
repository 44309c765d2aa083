//! Pure rules of passkeys: what a relying party checks (W3C Web Authentication Level 3, sections 7.1 and 7.2) before it
//! believes an authenticator. No attestation is asked for, so no statement about the make of a device is looked at.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ciborium::Value;
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use url::{Host, Url};

/// How long an authenticator has to answer, seconds.
pub const CHALLENGE_TTL_S: u64 = 300;
/// How many passkeys a resident may have.
pub const PASSKEYS_MAX: i64 = 10;
/// EdDSA with Ed25519, ECDSA with P-256, RSA PKCS#1 v1.5, the latter for Windows Hello (RFC 9053, RFC 8812); best first.
pub const ALGORITHMS: [i64; 3] = [EDDSA, ES256, RS256];
const EDDSA: i64 = -8;
const ES256: i64 = -7;
const RS256: i64 = -257;
/// The longest id of a credential, bytes (section 5.8.3).
const ID_MAX: usize = 1023;

/// Whom passkeys are made for: the site that residents see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    origin: String,
    id: String,
}

impl RelyingParty {
    /// The site at this address: `https://` and a name, or `http://localhost` with any port. Browsers make no passkeys
    /// for an address of numbers, nor where anybody on the way could change the page.
    pub fn new(public_url: &str) -> Option<RelyingParty> {
        let url = Url::parse(public_url).ok()?;
        let Some(Host::Domain(name)) = url.host() else { return None };
        let local = name == "localhost" || name.ends_with(".localhost");
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let anonymous = url.username().is_empty() && url.password().is_none();
        let secure = url.scheme() == "https" || (url.scheme() == "http" && local);
        (secure && bare && anonymous)
            .then(|| RelyingParty { origin: url.origin().ascii_serialization(), id: name.to_owned() })
    }

    /// The name that passkeys are bound to, `pay.example`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Scheme, name and port, as browsers write it.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

/// Why an authenticator's answer is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A part of it cannot be read; holds which.
    Malformed(&'static str),
    /// Made for the other purpose: adding instead of signing in, or the reverse.
    Ceremony,
    /// Made on another site than the configured one.
    Origin,
    /// Made inside a page of another site.
    Embedded,
    /// Made for another site's name.
    RelyingParty,
    /// Nobody was there.
    NotPresent,
    /// Whoever was there showed neither finger, face nor PIN.
    NotVerified,
    /// No kind of signature that was offered.
    Algorithm,
    /// The passkey is another resident's than it says.
    Owner,
    /// What the authenticator says of copies of the passkey has changed.
    Copies,
    /// The signature does not fit.
    Signature,
    /// The signature counter did not grow: there may be two of this authenticator.
    Counter,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(part) => write!(f, "the authenticator's answer cannot be read: {part}"),
            Self::Ceremony => f.write_str("the authenticator's answer was made for another purpose"),
            Self::Origin => {
                f.write_str("the passkey was used at another address than the configured `public_url`")
            }
            Self::Embedded => f.write_str("the passkey was used inside a page of another site"),
            Self::RelyingParty => f.write_str("the passkey was used for another site"),
            Self::NotPresent => f.write_str("the authenticator saw nobody"),
            Self::NotVerified => f.write_str("the authenticator did not ask for finger, face or PIN"),
            Self::Algorithm => f.write_str("the authenticator signs in a way that was not offered"),
            Self::Owner => f.write_str("the passkey belongs to somebody else"),
            Self::Copies => {
                f.write_str("the authenticator contradicts what it said of copies of this passkey")
            }
            Self::Signature => f.write_str("the signature does not fit the passkey"),
            Self::Counter => f.write_str(
                "the passkey's counter did not grow, so it may have been copied; remove it and add another",
            ),
        }
    }
}

/// What an authenticator is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ceremony {
    /// A new passkey.
    Add,
    /// A signature.
    SignIn,
}

/// `CollectedClientData` (section 5.8.1): what the browser says it asked the authenticator for. Members that later
/// levels add are passed over, as the standard wants.
#[derive(Deserialize)]
pub struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin", default)]
    cross_origin: bool,
    #[serde(rename = "topOrigin")]
    top_origin: Option<serde::de::IgnoredAny>,
}

impl ClientData {
    /// Reads it; nothing of it is believed yet.
    pub fn read(json: &[u8]) -> Result<ClientData, Refused> {
        serde_json::from_slice(json).map_err(|_| Refused::Malformed("clientDataJSON"))
    }

    /// The challenge that was signed.
    pub fn challenge(&self) -> Result<Vec<u8>, Refused> {
        BASE64_URL_SAFE_NO_PAD.decode(&self.challenge).map_err(|_| Refused::Malformed("challenge"))
    }

    fn check(&self, rp: &RelyingParty, ceremony: Ceremony) -> Result<(), Refused> {
        let kind = match ceremony {
            Ceremony::Add => "webauthn.create",
            Ceremony::SignIn => "webauthn.get",
        };
        if self.kind != kind {
            return Err(Refused::Ceremony);
        }
        if self.origin != rp.origin {
            return Err(Refused::Origin);
        }
        if self.cross_origin || self.top_origin.is_some() {
            return Err(Refused::Embedded);
        }
        Ok(())
    }
}

/// What is kept of a passkey to check its signatures by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    /// One of [`ALGORITHMS`].
    pub algorithm: i64,
    /// The key as that algorithm takes it: a point, 32 bytes, or RFC 8017's `RSAPublicKey`.
    pub public_key: Vec<u8>,
    /// How many signatures the authenticator says it made; 0 where it does not count.
    pub counter: u32,
    /// Whether copies of the passkey may be on several devices of its owner.
    pub backup_eligible: bool,
}

/// A passkey as its authenticator presents it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// Chosen by the authenticator.
    pub credential_id: Vec<u8>,
    /// To check its signatures by.
    pub verifier: Verifier,
}

/// Checks a new passkey (section 7.1). That the challenge is live is the caller's business.
pub fn add(rp: &RelyingParty, client: &ClientData, attestation: &[u8]) -> Result<Presented, Refused> {
    client.check(rp, Ceremony::Add)?;
    let malformed = Refused::Malformed("attestationObject");
    let mut rest = attestation;
    let object = item(&mut rest).filter(|_| rest.is_empty()).ok_or(malformed)?;
    let data = object.as_map().and_then(|map| field(map, &Value::from("authData")));
    let data = Data::read(data.and_then(Value::as_bytes).ok_or(malformed)?)?;
    data.check(rp)?;
    let (credential_id, key) = data.credential.clone().ok_or(malformed)?;
    let (algorithm, public_key) = public_key(&key)?;
    let verifier =
        Verifier { algorithm, public_key, counter: data.counter, backup_eligible: data.backup_eligible };
    Ok(Presented { credential_id, verifier })
}

/// Checks a signature by a known passkey (section 7.2); answers with the counter to keep. That the challenge is live, and
/// whose passkey it is, is the caller's business.
pub fn sign_in(
    rp: &RelyingParty,
    client: &ClientData,
    client_json: &[u8],
    known: &Verifier,
    authenticator_data: &[u8],
    signature: &[u8],
) -> Result<u32, Refused> {
    client.check(rp, Ceremony::SignIn)?;
    let data = Data::read(authenticator_data)?;
    data.check(rp)?;
    if data.backup_eligible != known.backup_eligible {
        return Err(Refused::Copies);
    }
    let mut signed = authenticator_data.to_vec();
    signed.extend_from_slice(&Sha256::digest(client_json));
    if !verifies(known, &signed, signature) {
        return Err(Refused::Signature);
    }
    // Authenticators that do not count say 0 for ever.
    let counts = data.counter != 0 || known.counter != 0;
    if counts && data.counter <= known.counter { Err(Refused::Counter) } else { Ok(data.counter) }
}

fn verifies(known: &Verifier, signed: &[u8], signature: &[u8]) -> bool {
    let key = &known.public_key;
    match known.algorithm {
        EDDSA => UnparsedPublicKey::new(&ED25519, key).verify(signed, signature),
        ES256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key).verify(signed, signature),
        RS256 => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).verify(signed, signature),
        _ => return false,
    }
    .is_ok()
}

/// Authenticator data (section 6.1).
struct Data {
    rp_id_hash: [u8; 32],
    present: bool,
    verified: bool,
    backup_eligible: bool,
    counter: u32,
    /// Id and COSE key of a new credential.
    credential: Option<(Vec<u8>, Value)>,
}

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const CREDENTIAL: u8 = 1 << 6;
const EXTENSIONS: u8 = 1 << 7;

impl Data {
    fn read(bytes: &[u8]) -> Result<Data, Refused> {
        Data::parse(bytes).ok_or(Refused::Malformed("authenticatorData"))
    }

    fn parse(bytes: &[u8]) -> Option<Data> {
        let (rp_id_hash, rest) = bytes.split_first_chunk::<32>()?;
        let ([flags], rest) = rest.split_first_chunk::<1>()?;
        let (counter, mut rest) = rest.split_first_chunk::<4>()?;
        let has = |flag: u8| flags & flag != 0;
        // What was copied must be something that may be copied.
        if has(BACKED_UP) && !has(BACKUP_ELIGIBLE) {
            return None;
        }
        let mut credential = None;
        if has(CREDENTIAL) {
            let (_aaguid, after) = rest.split_first_chunk::<16>()?;
            let (length, after) = after.split_first_chunk::<2>()?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (id, after) = after.split_at_checked(length).filter(|_| (1..=ID_MAX).contains(&length))?;
            rest = after;
            credential = Some((id.to_vec(), item(&mut rest)?));
        }
        if has(EXTENSIONS) {
            item(&mut rest).filter(Value::is_map)?;
        }
        rest.is_empty().then(|| Data {
            rp_id_hash: *rp_id_hash,
            present: has(USER_PRESENT),
            verified: has(USER_VERIFIED),
            backup_eligible: has(BACKUP_ELIGIBLE),
            counter: u32::from_be_bytes(*counter),
            credential,
        })
    }

    fn check(&self, rp: &RelyingParty) -> Result<(), Refused> {
        if self.rp_id_hash[..] != Sha256::digest(rp.id.as_bytes())[..] {
            return Err(Refused::RelyingParty);
        }
        if !self.present {
            return Err(Refused::NotPresent);
        }
        if self.verified { Ok(()) } else { Err(Refused::NotVerified) }
    }
}

/// The next CBOR item.
fn item(rest: &mut &[u8]) -> Option<Value> {
    ciborium::from_reader(rest).ok()
}

fn field<'a>(map: &'a [(Value, Value)], key: &Value) -> Option<&'a Value> {
    map.iter().find(|(k, _)| k == key).map(|(_, value)| value)
}

/// Algorithm and key of a COSE key (RFC 9052 section 7, RFC 9053 section 7, RFC 8230 section 4).
fn public_key(key: &Value) -> Result<(i64, Vec<u8>), Refused> {
    let malformed = Refused::Malformed("the public key");
    let map = key.as_map().ok_or(malformed)?;
    let number = |label: i64| {
        let value = field(map, &Value::from(label)).and_then(Value::as_integer);
        value.and_then(|value| i64::try_from(value).ok())
    };
    let bytes = |label: i64| field(map, &Value::from(label)).and_then(Value::as_bytes).map(Vec::as_slice);
    let coordinate = |label: i64| bytes(label).filter(|bytes| bytes.len() == 32);
    // Key type, algorithm, and curve where there is one.
    let (kind, algorithm) = (number(1).ok_or(malformed)?, number(3).ok_or(malformed)?);
    let key = match (kind, algorithm) {
        (1, EDDSA) if number(-1) == Some(6) => coordinate(-2).map(<[u8]>::to_vec),
        (2, ES256) if number(-1) == Some(1) => {
            let point = coordinate(-2).zip(coordinate(-3));
            point.map(|(x, y)| [&[4][..], x, y].concat())
        }
        // Up to 8192 bits: what is stored must have a bound.
        (3, RS256) => bytes(-1)
            .zip(bytes(-2))
            .filter(|(n, e)| n.len() <= 1024 && e.len() <= 8)
            .map(|(n, e)| der(0x30, &[integer(n), integer(e)].concat())),
        _ => return Err(Refused::Algorithm),
    };
    Ok((algorithm, key.ok_or(malformed)?))
}

/// A DER item (X.690 section 8.1) of less than 64 KiB.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    let head = match length {
        [0, short @ 0..=127] => vec![tag, short],
        [0, byte] => vec![tag, 0x81, byte],
        [high, low] => vec![tag, 0x82, high, low],
    };
    [&head, content].concat()
}

/// A positive DER integer.
fn integer(big_endian: &[u8]) -> Vec<u8> {
    let first = big_endian.iter().position(|byte| *byte != 0).unwrap_or(big_endian.len());
    der(
        2,
        &[&[0], &big_endian[first..]].concat()
            [usize::from(big_endian.get(first).is_some_and(|b| *b < 128))..],
    )
}

/// A phone number as an authenticator may show it beside the passkey: whoever sees that list knows the owner's own
/// number again, but does not learn it.
pub fn mask_phone(phone: &str) -> String {
    let (head, tail) = (phone.len().saturating_sub(8), phone.len().saturating_sub(4));
    format!("{}****{}", phone.get(..head).unwrap_or_default(), phone.get(tail..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_passkeys_can_be_made() {
        for (url, wanted) in [
            ("http://localhost:8888", Some(("http://localhost:8888", "localhost"))),
            ("http://localhost:80/", Some(("http://localhost", "localhost"))),
            ("https://pay.example", Some(("https://pay.example", "pay.example"))),
            ("https://PAY.example:443/", Some(("https://pay.example", "pay.example"))),
            ("https://pay.example:8443", Some(("https://pay.example:8443", "pay.example"))),
            ("https://杭州.example", Some(("https://xn--6rtr6s.example", "xn--6rtr6s.example"))),
            ("http://pay.example", None),
            ("http://127.0.0.1:8888", None),
            ("https://192.0.2.1", None),
            ("https://[::1]", None),
            ("https://pay.example/yima", None),
            ("https://pay.example/?a", None),
            ("https://a@pay.example", None),
            ("pay.example", None),
            ("ftp://localhost", None),
            ("", None),
        ] {
            let rp = RelyingParty::new(url);
            assert_eq!(rp.as_ref().map(|rp| (rp.origin(), rp.id())), wanted, "{url}");
        }
    }

    #[test]
    fn integers_of_der() {
        for (bytes, wanted) in [
            (&[1, 0, 1][..], &[2, 3, 1, 0, 1][..]),
            (&[0, 0, 127], &[2, 1, 127]),
            (&[128], &[2, 2, 0, 128]),
            (&[], &[2, 1, 0]),
        ] {
            assert_eq!(integer(bytes), wanted);
        }
        assert_eq!(der(4, &[7; 200])[..4], [4, 0x81, 200, 7]);
        assert_eq!(der(4, &[7; 300])[..5], [4, 0x82, 1, 44, 7]);
    }

    #[test]
    fn phones_are_shown_in_part() {
        for (phone, wanted) in [
            ("+8613800001111", "+86138****1111"),
            ("+442071234567", "+4420****4567"),
            ("+1234567", "****4567"),
        ] {
            assert_eq!(mask_phone(phone), wanted);
        }
    }
}
