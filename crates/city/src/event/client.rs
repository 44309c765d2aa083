//! The HTTP client of webhooks: one POST over HTTP/1.1, by TLS where the URL says so.
//!
//! A name is resolved here, its addresses are judged, and the connection goes to a judged address:
//! nobody can answer one address to the check and another to the connection. Redirects are not
//! followed, for the same reason. Must never read more of an answer than its head.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{HOST, RETRY_AFTER};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
use url::{Host, Url};

use super::rules;

/// How long a try may take, from the look-up of the name to the head of the answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The answer of a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// What `retry-after` asks for, in seconds; dates are not heeded.
    pub retry_after: Option<Duration>,
}

impl Reply {
    /// Standard Webhooks: any 2xx is taken.
    pub fn is_success(self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The name has no address.
    Resolve(String),
    /// Every address is private, and private ones are refused.
    Private,
    /// No address took the connection.
    Connect(String),
    /// TLS could not be agreed on, or the certificate is not trusted.
    Tls(String),
    /// The connection broke, or the answer was not HTTP.
    Http(String),
    /// 15 seconds were over.
    Timeout,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Resolve(why) => write!(f, "name not resolved: {why}"),
            Failure::Private => f.write_str("the name leads to a private address"),
            Failure::Connect(why) => write!(f, "no connection: {why}"),
            Failure::Tls(why) => write!(f, "TLS: {why}"),
            Failure::Http(why) => write!(f, "HTTP: {why}"),
            Failure::Timeout => write!(f, "no answer within {} s", TIMEOUT.as_secs()),
        }
    }
}

/// What is sent.
#[derive(Clone, Debug)]
pub struct Post<'a> {
    /// Where to.
    pub url: &'a Url,
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`, seconds.
    pub timestamp_s: i64,
    /// `webhook-signature`.
    pub signature: &'a str,
    /// JSON.
    pub body: String,
}

/// Sends webhooks. Trusts the roots of the system (`SSL_CERT_FILE` and `SSL_CERT_DIR` are heeded), loaded
/// at the first `https` URL, and those it is given.
#[derive(Default)]
pub struct Client {
    extra_roots: Vec<Vec<u8>>,
    tls: OnceLock<Option<TlsConnector>>,
}

impl Client {
    pub fn new(extra_roots: Vec<Vec<u8>>) -> Client {
        Client { extra_roots, tls: OnceLock::new() }
    }

    /// Posts, and waits for the head of the answer. To this machine and private networks only where
    /// `allow_private` says so: else a shop could make this server talk to its neighbours.
    pub async fn post(&self, post: Post<'_>, allow_private: bool) -> Result<Reply, Failure> {
        tokio::time::timeout(TIMEOUT, self.exchange(post, allow_private))
            .await
            .unwrap_or(Err(Failure::Timeout))
    }

    async fn exchange(&self, post: Post<'_>, allow_private: bool) -> Result<Reply, Failure> {
        let stream = connect(post.url, allow_private).await?;
        if post.url.scheme() != "https" {
            return send(stream, post).await;
        }
        let tls = self.tls.get_or_init(|| connector(&self.extra_roots)).as_ref();
        let tls = tls.ok_or_else(|| Failure::Tls("no trusted roots on this system".into()))?;
        let name = match post.url.host() {
            Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).ok(),
            Some(Host::Ipv4(ip)) => Some(ServerName::from(std::net::IpAddr::V4(ip))),
            Some(Host::Ipv6(ip)) => Some(ServerName::from(std::net::IpAddr::V6(ip))),
            None => None,
        };
        let name = name.ok_or_else(|| Failure::Tls("the name cannot stand in a certificate".into()))?;
        let stream = tls.connect(name, stream).await.map_err(|e| Failure::Tls(e.to_string()))?;
        send(stream, post).await
    }
}

async fn connect(url: &Url, allow_private: bool) -> Result<TcpStream, Failure> {
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses: Vec<SocketAddr> = match url.host() {
        Some(Host::Ipv4(ip)) => vec![(ip, port).into()],
        Some(Host::Ipv6(ip)) => vec![(ip, port).into()],
        Some(Host::Domain(name)) => {
            let found = tokio::net::lookup_host((name, port)).await;
            found.map_err(|e| Failure::Resolve(e.to_string()))?.collect()
        }
        None => return Err(Failure::Resolve("no host".into())),
    };
    let allowed = |a: &SocketAddr| allow_private || rules::is_public(a.ip());
    let mut failure =
        if addresses.is_empty() { Failure::Resolve("no address".into()) } else { Failure::Private };
    for address in addresses.into_iter().filter(allowed) {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                let _ = stream.set_nodelay(true); // only speed is at stake
                return Ok(stream);
            }
            Err(e) => failure = Failure::Connect(e.to_string()),
        }
    }
    Err(failure)
}

fn connector(extra: &[Vec<u8>]) -> Option<TlsConnector> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for why in &system.errors {
        tracing::warn!(%why, "a trusted root of the system could not be read");
    }
    roots.add_parsable_certificates(system.certs);
    roots.add_parsable_certificates(extra.iter().map(|der| CertificateDer::from(der.clone())));
    if roots.is_empty() {
        tracing::error!(
            "no trusted roots: webhooks by https will fail; install the system's CA certificates"
        );
        return None;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Some(TlsConnector::from(Arc::new(config)))
}

async fn send<S>(stream: S, post: Post<'_>) -> Result<Reply, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let http = |e: hyper::Error| Failure::Http(e.to_string());
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.map_err(http)?;
    let answer = sender.send_request(request(post)?);
    tokio::pin!(answer);
    // Both run here, so that dropping this future drops the connection as well. A connection that ends
    // may have handed the answer over in its last moment.
    let answer = tokio::select! {
        answer = &mut answer => answer,
        _ = connection => answer.await,
    };
    let answer = answer.map_err(http)?;
    let asks = matches!(answer.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let wish = answer.headers().get(RETRY_AFTER).filter(|_| asks);
    let seconds = wish.and_then(|v| v.to_str().ok()).and_then(|v| v.trim().parse().ok());
    Ok(Reply { status: answer.status().as_u16(), retry_after: seconds.map(Duration::from_secs) })
}

fn request(post: Post<'_>) -> Result<Request<Full<Bytes>>, Failure> {
    let host = match (post.url.host_str(), post.url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let target = &post.url[url::Position::BeforePath..url::Position::AfterQuery];
    Request::post(target)
        .header(HOST, host)
        .header("content-type", "application/json")
        .header("user-agent", concat!("Yima/", env!("CARGO_PKG_VERSION")))
        .header("webhook-id", post.id)
        .header("webhook-timestamp", post.timestamp_s)
        .header("webhook-signature", post.signature)
        .header("connection", "close")
        .body(Full::new(Bytes::from(post.body)))
        .map_err(|e| Failure::Http(e.to_string()))
}
