//! A small HTTP client for the tour and the benchmarks: one kept-alive connection, JSON in and out. It
//! speaks to the server as anybody else would, through the public API.

use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::config::Fail;

/// One connection to a server.
pub struct Client {
    addr: SocketAddr,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// An answer: status and body.
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body as it came.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The stable code of a refusal, or nothing.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Client {
    /// A client of the server at `addr`; connects at the first request.
    pub fn new(addr: SocketAddr) -> Client {
        Client { addr, connection: None }
    }

    async fn connection(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, Fail> {
        let live = self.connection.as_ref().is_some_and(|c| !c.is_closed());
        if !live {
            let stream = TcpStream::connect(self.addr).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            self.connection = Some(sender);
        }
        self.connection.as_mut().ok_or_else(|| Fail::new("no connection"))
    }

    /// Sends one request and reads the whole answer. An error means that the outcome is unknown.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        token: &str,
        key: Option<&str>,
        kind: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, Fail> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, kind)
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Full::new(body.into()))?;
        let sent = async {
            let connection = self.connection().await?;
            connection.ready().await?;
            let response = connection.send_request(request).await?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            Ok(Answer { status, body })
        };
        let sent: Result<Answer, Fail> = sent.await;
        if sent.is_err() {
            self.connection = None;
        }
        sent
    }

    /// GET.
    pub async fn get(&mut self, path: &str, token: &str) -> Result<Answer, Fail> {
        self.send(Method::GET, path, token, None, "application/json", Bytes::new()).await
    }

    /// POST of JSON, perhaps with an idempotency key.
    pub async fn post(
        &mut self,
        path: &str,
        token: &str,
        key: Option<&str>,
        body: &Value,
    ) -> Result<Answer, Fail> {
        self.send(Method::POST, path, token, key, "application/json", body.to_string()).await
    }

    /// PUT of JSON.
    pub async fn put(&mut self, path: &str, token: &str, body: &Value) -> Result<Answer, Fail> {
        self.send(Method::PUT, path, token, None, "application/json", body.to_string()).await
    }
}

/// The JSON of an answer that must be a success.
pub fn good(what: &str, answer: Result<Answer, Fail>) -> Result<Value, Fail> {
    let answer = answer.map_err(|e| Fail::new(format!("{what}: {e}")))?;
    if answer.status.is_success() {
        return Ok(answer.json());
    }
    Err(Fail::new(format!("{what}: {} {}", answer.status, String::from_utf8_lossy(&answer.body))))
}
