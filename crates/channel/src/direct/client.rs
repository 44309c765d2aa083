//! The door itself: puts a question over HTTP/1.1 and understands the answer.
//!
//! Whether a question left is known exactly: until the connection stands nothing was sent; from the first byte on, no
//! answer is silence. Redirects are not followed, an answer has an end in time and in length.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use kernel::{Clock, Rng, Timestamp, UtcOffset};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use url::{Position, Url};

use super::answer;
use super::question::{self, Facts, Request};
use super::spec::{Call, Spec};
use crate::secrets::Secrets;
use crate::tls::{Tls, TlsError};
use crate::{BoxFuture, Debt, Door, Meaning, Payment, Reply};

/// The longest answer that is read.
const ANSWER_MAX: usize = 1 << 20;
/// How many connections are kept for the next question.
const IDLE_MAX: usize = 16;

/// What a door needs besides its pack.
pub struct Setting {
    /// Scheme, host and port of the institution; a path before every path.
    pub base: Url,
    /// For `https`.
    pub tls: Tls,
    /// By the names that the pack has.
    pub secrets: Arc<dyn Secrets>,
    /// The institution's number in a network; may be empty.
    pub institution: String,
    /// How long one question may take.
    pub timeout: Duration,
    /// How often a question that never left is put again.
    pub retries: u32,
    /// Where the institution's clocks stand.
    pub offset: UtcOffset,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Nonces.
    pub rng: Arc<dyn Rng>,
}

/// An institution that is asked over HTTP.
pub struct HttpDoor {
    spec: Spec,
    set: Setting,
    tls: Option<TlsConnector>,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

/// How an exchange ended.
enum Exchange {
    Answered(u16, Bytes),
    NotSent(String),
    Silent(String),
}

impl HttpDoor {
    /// A door; nothing is connected before the first question. `spec` has been proved.
    pub fn new(spec: Spec, set: Setting) -> Result<HttpDoor, TlsError> {
        let tls = if set.base.scheme() == "https" { Some(set.tls.connector()?) } else { None };
        Ok(HttpDoor { spec, set, tls, idle: Mutex::default() })
    }

    async fn ask(&self, call: &Call, payment: &Payment, reason: &str) -> Reply<Value> {
        let mut tries = 0;
        loop {
            let now = self.set.clock.now();
            let nonce = format!("{:032x}", self.set.rng.u128());
            let facts = Facts { payment, reason, now, offset: self.set.offset, nonce: &nonce };
            let request = match question::request(&self.spec, call, &facts, &*self.set.secrets) {
                Ok(request) => request,
                Err(why) => return Reply::NotSent(why.to_string()),
            };
            let exchange = tokio::time::timeout(self.set.timeout, self.exchange(request)).await;
            match exchange.unwrap_or_else(|_| Exchange::Silent("no answer in time".to_owned())) {
                Exchange::Answered(status, body) => return answer::read(&self.spec, call, status, &body),
                Exchange::Silent(why) => return Reply::Silent(why),
                Exchange::NotSent(why) if tries >= self.set.retries => return Reply::NotSent(why),
                Exchange::NotSent(_) => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(100 << tries.min(5))).await;
                }
            }
        }
    }

    async fn exchange(&self, request: Request) -> Exchange {
        let mut request = match self.http(request) {
            Ok(request) => request,
            Err(why) => return Exchange::NotSent(why.to_string()),
        };
        // A connection kept from before may have been closed meanwhile; then the request comes back unsent.
        loop {
            let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut sender) = kept else { break };
            if sender.ready().await.is_err() {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(answer) => return self.read(sender, answer).await,
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Exchange::Silent(failed.into_error().to_string()),
                },
            }
        }
        let mut sender = match self.connect().await {
            Ok(sender) => sender,
            Err(why) => return Exchange::NotSent(why),
        };
        match sender.try_send_request(request).await {
            Ok(answer) => self.read(sender, answer).await,
            Err(mut failed) => match failed.take_message() {
                Some(_) => Exchange::NotSent(failed.into_error().to_string()),
                None => Exchange::Silent(failed.into_error().to_string()),
            },
        }
    }

    async fn read(
        &self,
        sender: SendRequest<Full<Bytes>>,
        answer: hyper::Response<hyper::body::Incoming>,
    ) -> Exchange {
        let status = answer.status().as_u16();
        match Limited::new(answer.into_body(), ANSWER_MAX).collect().await {
            Ok(body) => {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                if idle.len() < IDLE_MAX {
                    idle.push(sender);
                }
                Exchange::Answered(status, body.to_bytes())
            }
            Err(why) => Exchange::Silent(why.to_string()),
        }
    }

    fn http(&self, request: Request) -> Result<hyper::Request<Full<Bytes>>, hyper::http::Error> {
        let base = self.set.base[Position::BeforePath..Position::AfterPath].trim_end_matches('/');
        let mut made = hyper::Request::builder()
            .method(request.method.as_str())
            .uri(format!("{base}{}", request.path))
            .header("host", &self.set.base[Position::BeforeHost..Position::AfterPort])
            .header("user-agent", concat!("Yima/", env!("CARGO_PKG_VERSION")));
        for (name, value) in request.headers {
            made = made.header(name, value);
        }
        made.body(Full::new(Bytes::from(request.body)))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let host = self.set.base.host_str().ok_or("no host")?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = self.set.base.port_or_known_default().ok_or("no port")?;
        let stream = TcpStream::connect((host, port)).await.map_err(|e| e.to_string())?;
        let _ = stream.set_nodelay(true); // only speed is at stake
        let Some(tls) = &self.tls else { return handshake(stream).await };
        let name = ServerName::try_from(host.to_owned()).map_err(|e| e.to_string())?;
        handshake(tls.connect(name, stream).await.map_err(|e| e.to_string())?).await
    }

    /// A page of a provider's catalogue, from 1.
    pub async fn page(&self, call: &Call, page: u32) -> Reply<Value> {
        self.ask(call, &HttpDoor::about("", "", self.set.clock.now()), &page.to_string()).await
    }

    fn about(institution: &str, account_no: &str, at: Timestamp) -> Payment {
        Payment {
            id: String::new(),
            institution: institution.to_owned(),
            account_no: account_no.to_owned(),
            bill_no: String::new(),
            period: 0,
            amount_minor: 0,
            at,
        }
    }

    /// A call that only says yes or no.
    fn plain<'a>(
        &'a self,
        call: Option<&'a Call>,
        payment: &'a Payment,
        reason: &'a str,
    ) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            let Some(call) = call else { return Reply::NotSent("the pack has no such call".to_owned()) };
            done(self.ask(call, payment, reason).await)
        })
    }
}

fn done(reply: Reply<Value>) -> Reply {
    match reply {
        Reply::Said(_) => Reply::Said(()),
        Reply::Meant(meaning) => Reply::Meant(meaning),
        Reply::Silent(why) => Reply::Silent(why),
        Reply::NotSent(why) => Reply::NotSent(why),
    }
}

async fn handshake<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    // Ends with the connection: when the other side closes it, or the last sender is dropped.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

impl Door for HttpDoor {
    fn query<'a>(&'a self, institution: &'a str, account_no: &'a str) -> BoxFuture<'a, Reply<Vec<Debt>>> {
        Box::pin(async move {
            let Some(call) = &self.spec.query else {
                return Reply::NotSent("the pack has no query".to_owned());
            };
            let about = HttpDoor::about(institution, account_no, self.set.clock.now());
            match self.ask(call, &about, "").await {
                Reply::Said(document) => match &call.debts {
                    Some(debts) => answer::debts(debts, &document),
                    None => Reply::Silent("the pack does not say where debts stand".to_owned()),
                },
                Reply::Meant(Meaning::NothingDue) => Reply::Said(Vec::new()),
                Reply::Meant(meaning) => Reply::Meant(meaning),
                Reply::Silent(why) => Reply::Silent(why),
                Reply::NotSent(why) => Reply::NotSent(why),
            }
        })
    }

    fn pay<'a>(&'a self, payment: &'a Payment) -> BoxFuture<'a, Reply> {
        self.plain(Some(&self.spec.pay), payment, "")
    }

    fn inquire<'a>(&'a self, payment: &'a Payment) -> BoxFuture<'a, Reply> {
        self.plain(Some(&self.spec.inquire), payment, "")
    }

    fn reverse<'a>(&'a self, payment: &'a Payment) -> BoxFuture<'a, Reply> {
        self.plain(Some(&self.spec.reverse), payment, "")
    }

    fn refund<'a>(
        &'a self,
        payment: &'a Payment,
        reference: &'a str,
        amount_minor: i64,
    ) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            let refund = Payment { amount_minor, ..payment.clone() };
            self.plain(self.spec.refund.as_ref(), &refund, reference).await
        })
    }

    fn restore<'a>(
        &'a self,
        order: &'a str,
        institution: &'a str,
        account_no: &'a str,
    ) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            let Some(call) = &self.spec.restore else { return Reply::Meant(Meaning::Unknown) };
            let about = HttpDoor::about(institution, account_no, self.set.clock.now());
            done(self.ask(call, &Payment { id: order.to_owned(), ..about }, "").await)
        })
    }

    fn probe(&self) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let about = HttpDoor::about(&self.set.institution, "0", self.set.clock.now());
            match self.spec.probe.as_ref().or(self.spec.query.as_ref()) {
                // Whatever it says of an account that does not exist, somebody is there to say it.
                Some(call) => match done(self.ask(call, &about, "").await) {
                    Reply::Meant(_) if self.spec.probe.is_none() => Reply::Said(()),
                    reply => reply,
                },
                None => Reply::NotSent("the pack has no probe".to_owned()),
            }
        })
    }
}
