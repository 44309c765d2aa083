//! The proof that a pack was tried: the report of `yima pack certify`, signed with Ed25519 (RFC 8032). Pure. Must never
//! take a report for another pack's, or one with a failed case for a good one.

use std::fmt;
use std::path::PathBuf;

use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::Value;

/// What a report says that counts here.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Certificate {
    /// The pack's own name.
    pub pack: String,
    /// SHA-256 of its text, hexadecimal.
    pub pack_sha256: String,
    /// Whether no case failed.
    pub passed: bool,
    /// When it was tried.
    pub at: String,
    /// By which Yima.
    pub yima: String,
}

/// That packs of billers that are asked go live with a proof only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Required {
    /// Where reports lie: `PACK.report.json`.
    pub dir: PathBuf,
    /// The public halves of the keys that count, hexadecimal.
    pub keys: Vec<String>,
}

/// Why a text is no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateError {
    /// It is no signed report.
    Malformed,
    /// None of the keys that count here has signed it.
    KeyUnknown,
    /// The signature is not that of this report.
    Signature,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CertificateError::Malformed => "this is no signed report",
            CertificateError::KeyUnknown => "it is signed with another key",
            CertificateError::Signature => "the signature is not that of this report",
        })
    }
}

impl std::error::Error for CertificateError {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    key: String,
    report: Value,
    signature: String,
}

/// The bytes that are signed: JSON without spaces, members in the order of their names.
pub fn canonical(value: &Value) -> Vec<u8> {
    fn write(out: &mut String, value: &Value) {
        match value {
            Value::Object(members) => {
                let mut names: Vec<&String> = members.keys().collect();
                names.sort_unstable();
                out.push('{');
                for (at, name) in names.into_iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    out.push_str(&Value::from(name.as_str()).to_string());
                    out.push(':');
                    write(out, &members[name]);
                }
                out.push('}');
            }
            Value::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    write(out, item);
                }
                out.push(']');
            }
            other => out.push_str(&other.to_string()),
        }
    }
    let mut out = String::new();
    write(&mut out, value);
    out.into_bytes()
}

/// Reads a signed report and checks that one of `keys` (public, hexadecimal) has signed it.
pub fn verify(text: &str, keys: &[String]) -> Result<Certificate, CertificateError> {
    let signed: Signed = serde_json::from_str(text).map_err(|_| CertificateError::Malformed)?;
    let bytes = |text: &str| unhex(text).ok_or(CertificateError::Malformed);
    let (key, signature) = (bytes(&signed.key)?, bytes(&signed.signature)?);
    if !keys.iter().any(|known| unhex(known).as_ref() == Some(&key)) {
        return Err(CertificateError::KeyUnknown);
    }
    let proved = UnparsedPublicKey::new(&ED25519, key).verify(&canonical(&signed.report), &signature);
    proved.map_err(|_| CertificateError::Signature)?;
    serde_json::from_value(signed.report).map_err(|_| CertificateError::Malformed)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    if !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_that_are_signed_do_not_depend_on_spaces_or_order() {
        let one: Value = serde_json::from_str(r#"{"b":[1,{"y":"é\n","x":null}],"a":true}"#).unwrap();
        let two: Value =
            serde_json::from_str(r#"{ "a" : true, "b": [1, {"x": null, "y": "é\n"}] }"#).unwrap();
        assert_eq!(canonical(&one), canonical(&two));
        assert_eq!(String::from_utf8(canonical(&one)).unwrap(), r#"{"a":true,"b":[1,{"x":null,"y":"é\n"}]}"#);
    }

    #[test]
    fn only_the_report_that_a_known_key_signed_is_a_proof() {
        use ring::signature::{Ed25519KeyPair, KeyPair as _};
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let report = serde_json::json!({
            "pack": "hz-power", "pack_sha256": "00", "passed": true, "at": "2026-03-02T02:00:00Z", "yima": "0.1.0",
        });
        let key = kernel::hex(pair.public_key().as_ref());
        let signature = kernel::hex(pair.sign(&canonical(&report)).as_ref());
        let signed = serde_json::json!({ "key": key, "report": report, "signature": signature }).to_string();
        assert_eq!(verify(&signed, std::slice::from_ref(&key)).unwrap().pack, "hz-power");
        let other = kernel::hex(&[9; 32]);
        assert_eq!(verify(&signed, &[other]), Err(CertificateError::KeyUnknown));
        let forged = signed.replace("hz-power", "hz-water");
        assert_eq!(verify(&forged, std::slice::from_ref(&key)), Err(CertificateError::Signature));
        assert_eq!(verify("{}", &[key]), Err(CertificateError::Malformed));
    }
}
