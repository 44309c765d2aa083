//! Signatures of Standard Webhooks (symmetric, scheme `v1`): HMAC-SHA-256 over `id.timestamp.body`.
//!
//! Must never sign anything but the very bytes that are sent.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Bytes of a secret; the specification asks for 24 to 64.
pub const SECRET_BYTES: usize = 32;

/// A secret as the receiver wants it: `whsec_` and base64.
pub fn secret_text(secret: &[u8]) -> String {
    format!("whsec_{}", BASE64_STANDARD.encode(secret))
}

/// The `webhook-signature` header: one signature for each secret, the newest first, a space between.
pub fn sign(secrets: &[&[u8]], id: &str, timestamp_s: i64, body: &str) -> String {
    let signatures: Vec<String> = secrets
        .iter()
        .map(|secret| {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
            mac.update(format!("{id}.{timestamp_s}.{body}").as_bytes());
            format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
        })
        .collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_vector_of_the_specification() {
        // From the reference libraries of Standard Webhooks.
        let secret = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (id, at, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        let wanted = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(sign(&[&secret], id, at, body), wanted);
        assert_eq!(secret_text(&secret), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");

        // A rotated secret signs beside the new one.
        let both = sign(&[b"new", &secret], id, at, body);
        assert!(both.starts_with("v1,") && both.ends_with(&format!(" {wanted}")), "{both}");
    }
}
