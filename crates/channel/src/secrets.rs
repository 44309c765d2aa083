//! Secrets by name: packs name them, configuration gives them, nothing logs them.

use std::collections::HashMap;
use std::fmt;

use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

/// Where a door finds the secrets that its pack names.
pub trait Secrets: Send + Sync + 'static {
    /// Its bytes.
    fn secret(&self, name: &str) -> Option<Vec<u8>>;
    /// Signs with the RSA key of that name (PKCS#8 in PEM): RSASSA-PKCS1-v1_5 with SHA-256, RFC 8017.
    fn sign_rsa(&self, name: &str, text: &[u8]) -> Option<Vec<u8>> {
        let pem = self.secret(name)?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(&pem).ok()?;
        let pair = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok()?;
        let mut signature = vec![0; pair.public().modulus_len()];
        // The randomness blinds the computation; the signature does not depend on it.
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).ok()?;
        Some(signature)
    }
}

/// Secrets held in memory.
#[derive(Clone, Default)]
pub struct Held(HashMap<String, Vec<u8>>);

impl Held {
    /// With one more.
    #[must_use]
    pub fn with(mut self, name: &str, secret: impl Into<Vec<u8>>) -> Held {
        self.0.insert(name.to_owned(), secret.into());
        self
    }
}

impl Secrets for Held {
    fn secret(&self, name: &str) -> Option<Vec<u8>> {
        self.0.get(name).cloned()
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
