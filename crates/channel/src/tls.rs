//! TLS towards an institution: which roots are trusted, and the certificate that says who we are.

use std::fmt;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

/// What TLS is spoken with.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Roots trusted besides those of the system, in DER.
    pub roots: Vec<Vec<u8>>,
    /// The client's own certificate chain and private key, in PEM, where the institution wants one.
    pub identity: Option<(String, String)>,
}

/// Why TLS cannot be spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsError {
    /// The system has no trusted roots, and none were given.
    NoRoots,
    /// A certificate or key given cannot be read, or they do not belong together; says why.
    Identity(String),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::NoRoots => f.write_str("no trusted roots: install the system's CA certificates"),
            TlsError::Identity(why) => write!(f, "the certificates: {why}"),
        }
    }
}

impl Tls {
    /// With the roots of a PEM file besides the system's, and an identity: certificate chain and key, both PEM.
    pub fn read(ca: Option<&[u8]>, identity: Option<(String, String)>) -> Result<Tls, TlsError> {
        let wrong = |e: &dyn fmt::Display| TlsError::Identity(e.to_string());
        let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(ca.unwrap_or_default()).collect();
        let roots = roots.map_err(|e| wrong(&e))?.iter().map(|der| der.to_vec()).collect();
        let tls = Tls { roots, identity };
        if tls.identity.is_some() {
            tls.connector()?;
        }
        Ok(tls)
    }

    /// What connects. The roots of the system are read here (`SSL_CERT_FILE` and `SSL_CERT_DIR` are heeded).
    pub fn connector(&self) -> Result<TlsConnector, TlsError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots.add_parsable_certificates(self.roots.iter().map(|der| CertificateDer::from(der.clone())));
        if roots.is_empty() {
            return Err(TlsError::NoRoots);
        }
        let wrong = |e: &dyn fmt::Display| TlsError::Identity(e.to_string());
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| wrong(&e))?
            .with_root_certificates(roots);
        let config = match &self.identity {
            None => config.with_no_client_auth(),
            Some((chain, key)) => {
                let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
                let chain = chain.map_err(|e| wrong(&e))?;
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|e| wrong(&e))?;
                config.with_client_auth_cert(chain, key).map_err(|e| wrong(&e))?
            }
        };
        Ok(TlsConnector::from(Arc::new(config)))
    }
}
