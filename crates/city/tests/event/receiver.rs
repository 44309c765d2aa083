//! A shop's own server: real HTTP on a port of this machine, which answers as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Received {
    pub headers: HeaderMap,
    pub body: String,
    /// The status it was answered with.
    pub answered: u16,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
    pub fn kind(&self) -> String {
        self.json()["type"].as_str().expect("a type").to_owned()
    }
}

#[derive(Default)]
struct Inner {
    received: Mutex<Vec<Received>>,
    /// Statuses to answer with, then `otherwise`; 0 hangs for ever.
    script: Mutex<VecDeque<u16>>,
    otherwise: Mutex<u16>,
    retry_after: Mutex<Option<String>>,
}

/// The server; ends with the test.
#[derive(Clone)]
pub struct Receiver {
    inner: Arc<Inner>,
    pub url: String,
}

impl Receiver {
    /// Answers with the statuses of `script` first, then with 204.
    pub async fn start(script: &[u16]) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook?shop=1", listener.local_addr().expect("an address"));
        let inner = Arc::new(Inner::default());
        inner.script.lock().unwrap().extend(script);
        *inner.otherwise.lock().unwrap() = 204;
        let app = Router::new().route("/hook", post(take)).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Receiver { inner, url }
    }

    /// From now on.
    pub fn answer(&self, status: u16) {
        *self.inner.otherwise.lock().unwrap() = status;
    }

    pub fn ask_to_wait(&self, seconds: u64) {
        *self.inner.retry_after.lock().unwrap() = Some(seconds.to_string());
    }

    pub fn received(&self) -> Vec<Received> {
        self.inner.received.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.inner.received.lock().unwrap().len()
    }

    /// Waits for the `n`th request.
    pub async fn wait(&self, n: usize) -> Received {
        crate::eventually(&format!("request {n}"), || async { self.count() >= n }).await;
        self.received()[n - 1].clone()
    }

    /// Gives what should not come some time to come.
    pub async fn assert_quiet(&self, count: usize) {
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let all: Vec<_> =
            self.received().iter().map(|r| (r.kind(), r.headers["webhook-id"].clone())).collect();
        assert_eq!(all.len(), count, "{all:?}");
    }
}

async fn take(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> (StatusCode, HeaderMap) {
    let scripted = inner.script.lock().unwrap().pop_front();
    let answered = scripted.unwrap_or(*inner.otherwise.lock().unwrap());
    let body = String::from_utf8(body.to_vec()).expect("UTF-8");
    inner.received.lock().unwrap().push(Received { headers, body, answered });
    if answered == 0 {
        std::future::pending::<()>().await;
    }
    let mut out = HeaderMap::new();
    if let Some(seconds) = inner.retry_after.lock().unwrap().as_ref() {
        out.insert("retry-after", seconds.parse().expect("a header"));
    }
    (StatusCode::from_u16(answered).expect("a status"), out)
}
