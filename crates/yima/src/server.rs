//! The HTTP server: opens the engines, wraps every route in the same few habits (request id, limits,
//! deadline, log, metrics), and stops without losing anything it acknowledged.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt as _;
use city::http::Problem;
use city::identity::session::{App, http::cookie};
use city::identity::{ConsoleSender, FileSender, MessageSender};
use city::{City, Settings};
use kernel::{Clock, OsRng, Rng, SystemClock};
use ledger::Opened;
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use crate::config::{Config, Fail, Sender};
use crate::limits::Limits;
use crate::metrics::Metrics;

/// The largest body that a route takes unless it says otherwise, bytes.
const BODY_MAX: usize = 256 * 1024;
/// The routes whose bodies are files of millions of bills, and how long such a body may take to arrive.
const UPLOADS: [&str; 2] = ["/v1/imports", "/v1/operator/billers/{id}/imports"];
const UPLOAD_MAX: Duration = Duration::from_hours(1);
/// How long the ledger may take to answer before the server calls itself unhealthy.
const HEALTH_MAX: Duration = Duration::from_secs(3);
/// How much longer than a request may take the server waits for open connections when it was told to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// A city on its engines.
pub struct Running {
    /// The city.
    pub city: City,
    ledger: Opened,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// Opens the engines that the configuration names, and the city on them.
    pub async fn open(config: &Config) -> Result<Running, Fail> {
        Running::open_at(config, Arc::new(SystemClock)).await
    }

    /// As [`Running::open`], with another clock than the machine's.
    pub async fn open_at(config: &Config, clock: Arc<dyn Clock>) -> Result<Running, Fail> {
        make_private(&config.data)?;
        let (ledger, recovery) = config.ledger.open(clock.clone()).await?;
        if let Some(torn) = recovery.as_ref().and_then(|r| r.torn.as_ref()) {
            tracing::warn!(
                bytes = torn.bytes,
                frame = torn.frame,
                "cut an unfinished write at the journal's end"
            );
        }
        let store = Store::open(&config.database).await?;
        let sender: Arc<dyn MessageSender> = match &config.sender {
            Sender::Console => Arc::new(ConsoleSender),
            Sender::File(path) => Arc::new(FileSender::new(path.clone())),
        };
        let device = device_key(&config.data.join("keys"))?;
        let settings = Settings {
            no_pin_limit_minor: config.no_pin_limit,
            four_eyes_limit_minor: config.four_eyes_limit,
            doors: config.doors.clone(),
            lines: config.lines.clone(),
            providers: config.providers.clone(),
            exchange: config.exchange.clone(),
            certificates: config.certificates.clone(),
            payer: config.payer.clone(),
            webhook_private: config.webhook_private,
            relying_party: config.relying_party.clone(),
            currency: config.currency,
            offset: config.offset,
            country: config.country.clone(),
            city_name: config.city_name.clone(),
            ..Settings::china(config.data.clone(), device.key)
        };
        let city = City::open(store, ledger.ledger(), clock, Arc::new(OsRng), settings, sender).await?;
        if device.made_now && city::identity::any_device(&city) {
            std::fs::remove_file(&device.path)?;
            let path = device.path.display();
            return Err(Fail::new(format!(
                "{path} is missing: without it no phone's payment codes work; restore it"
            )));
        }
        let (stop, _) = watch::channel(false);
        Ok(Running { city, ledger, stop, tasks: Vec::new() })
    }

    /// Starts what runs beside the requests.
    pub fn start(&mut self) {
        self.tasks.extend(self.city.start(&self.stop.subscribe()));
    }

    /// Completes when `signal` does, after telling live streams and followers to end: a stream of events never
    /// ends by itself, and a server that waited for it would not stop.
    pub fn stop_after(
        &self,
        signal: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let stop = self.stop.clone();
        async move {
            signal.await;
            let _ = stop.send(true);
        }
    }

    /// Stops the followers, then closes the engines: what was accepted is finished first.
    pub async fn close(self) {
        let _ = self.stop.send(true);
        for task in self.tasks {
            let _ = task.await; // a follower that panicked has nothing left to finish
        }
        self.city.store.close().await;
        self.ledger.close().await;
    }
}

/// Makes a directory that only its owner can look into, unless it is there already.
fn make_private(dir: &Path) -> Result<(), Fail> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|e| Fail::new(format!("{}: {e}", dir.display())))
}

struct DeviceKey {
    key: [u8; 32],
    path: PathBuf,
    made_now: bool,
}

/// The key of devices' secrets: 32 bytes in a file of its own beside the database, made at the first start.
/// Nodes of one city share the file.
fn device_key(dir: &Path) -> Result<DeviceKey, Fail> {
    let path = dir.join("device.key");
    let at = |e: std::io::Error| Fail::new(format!("{}: {e}", path.display()));
    match std::fs::read(&path) {
        Ok(bytes) => {
            let key =
                bytes.try_into().map_err(|_| Fail::new(format!("{}: a key has 32 bytes", path.display())))?;
            Ok(DeviceKey { key, path, made_now: false })
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let mut key = [0; 32];
            OsRng.fill(&mut key);
            make_private(dir)?;
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            let mut file = options.open(&path).map_err(at)?;
            file.write_all(&key).and_then(|()| file.sync_all()).map_err(at)?;
            std::fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(at)?;
            Ok(DeviceKey { key, path, made_now: true })
        }
        Err(e) => Err(at(e)),
    }
}

/// Serves until Ctrl-C or SIGTERM.
pub async fn serve(config: &Config) -> Result<(), Fail> {
    logs(config);
    let stop = stop_signal();
    let mut running = Running::open(config).await?;
    running.start();
    let listener = TcpListener::bind(config.addr)
        .await
        .map_err(|e| Fail::new(format!("cannot listen on {}: {e}", config.addr)))?;
    let (database, ledger) = (running.city.store.engine(), &config.ledger);
    tracing::info!(addr = %listener.local_addr()?, database, %ledger, "serving");
    listen(listener, running.city.clone(), config, running.stop_after(stop)).await?;
    running.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Answers requests until `stop` completes, then lets open ones finish within [`DRAIN`].
pub async fn listen(
    listener: TcpListener,
    city: City,
    config: &Config,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Fail> {
    let drain = Duration::from_secs(config.timeout_s) + DRAIN;
    let (draining, mut drained) = watch::channel(false);
    let app = app(city, config)?.into_make_service_with_connect_info::<SocketAddr>();
    let listener = listener.tap_io(|tcp| {
        let _ = tcp.set_nodelay(true); // a socket that cannot is only slower
    });
    let server = axum::serve(listener, app).with_graceful_shutdown(async move {
        stop.await;
        let _ = draining.send(true);
    });
    let deadline = async move {
        let _ = drained.wait_for(|draining| *draining).await;
        tokio::time::sleep(drain).await;
    };
    tokio::select! {
        served = server => Ok(served?),
        () = deadline => Ok(()), // streams of live events never end by themselves
    }
}

/// Logs to standard error, once per process.
pub fn logs(config: &Config) {
    let builder =
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(config.log).with_target(false);
    let _ = if config.log_json { builder.json().try_init() } else { builder.try_init() };
}

/// Completes on Ctrl-C or SIGTERM. It listens from the call on, not from the first poll: call it before the server can be
/// seen to serve, or a signal that comes soon after ends the process without an orderly stop.
pub fn stop_signal() -> impl Future<Output = ()> + Send + 'static {
    use tokio::signal::unix::{SignalKind, signal};
    let heard = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    async move {
        let [term, interrupt] = heard.map(|signal| async {
            match signal {
                Ok(mut signal) => {
                    signal.recv().await;
                }
                Err(_) => std::future::pending().await,
            }
        });
        tokio::select! {
            () = term => {}
            () = interrupt => {}
        }
    }
}

/// What the habits around every request need.
#[derive(Clone)]
struct Around {
    city: City,
    trusted_proxy: Option<IpAddr>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    limits: Arc<Limits>,
    metrics: Metrics,
    deadline: Duration,
}

/// The whole application: the city's routes, the pages, health and metrics.
pub fn app(city: City, config: &Config) -> Result<Router, Fail> {
    let (routes, document) = crate::api::split();
    let document: &'static str = document.to_json()?.leak(); // one per process, for as long as it lives
    let around = Around {
        city: city.clone(),
        trusted_proxy: config.trusted_proxy,
        clock: city.clock.clone(),
        rng: city.rng.clone(),
        limits: Arc::new(Limits::new(config.rate_limit)),
        metrics: Metrics::new()?,
        deadline: Duration::from_secs(config.timeout_s),
    };
    let metrics = around.metrics.clone();
    let (ledger, committed, ways) = (city.ledger.clone(), city.ledger.committed(), city.clone());
    let metrics = get(move || async move {
        let seconds = *committed.borrow() / 1_000_000_000;
        metrics.ledger_committed.set(i64::try_from(seconds).unwrap_or(0));
        metrics.ledger_writable.set(i64::from(ledger.has_room()));
        metrics.ways(&city::bill::all_ways(&ways));
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.text())
    });
    let json = [(header::CONTENT_TYPE, "application/json")];
    Ok(routes
        .merge(crate::web::routes(crate::web::BUILT))
        .route("/openapi.json", get(move || async move { (json, document) }))
        .route("/healthz", get(healthz))
        .route("/metrics", metrics)
        .fallback(|| async { Problem::new(404, "not_found", "there is nothing at this path; see /docs") })
        .method_not_allowed_fallback(|| async {
            Problem::new(405, "method_not_allowed", "this path does not take this method; see /docs")
        })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(from_fn_with_state(around, habits))
        .with_state(city))
}

/// Whether both engines answer, and whether the ledger has room for writes: without, reading goes on.
async fn healthz(State(city): State<City>) -> Response {
    let store = city.store.ping().await;
    let ledger = tokio::time::timeout(HEALTH_MAX, city.ledger.lookup_accounts(vec![1])).await;
    let ledger = ledger.unwrap_or(Err(ledger::EngineError::Unavailable));
    if let Err(e) = &store {
        tracing::error!(%e, "the database does not answer");
    }
    if store.is_ok() && ledger.is_ok() {
        let writes = if city.ledger.has_room() { "ok" } else { "no_space" };
        return axum::Json(serde_json::json!({"status": "ok", "writes": writes})).into_response();
    }
    let (store, ledger) = (store.is_ok(), ledger.is_ok());
    Problem::new(503, "unhealthy", format!("database answers: {store}; ledger answers: {ledger}"))
        .into_response()
}

/// Request id, limit, deadline, metrics and one log line, around every route. Logs say method, route
/// pattern, status and time: no path, no query, no body, nothing of a person.
async fn habits(State(around): State<Around>, request: Request, next: Next) -> Response {
    let begun = around.clock.now();
    let id = request_id(&request, &*around.rng);
    let method = request.method().clone();
    let api = request.uri().path().starts_with("/v1/");
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |p| p.as_str().to_owned());
    around.metrics.in_flight.inc();
    let mut response = if around.limits.admit(&caller(&around, &request), begun) {
        let deadline =
            if UPLOADS.contains(&route.as_str()) { around.deadline.max(UPLOAD_MAX) } else { around.deadline };
        let span = tracing::info_span!("request", id);
        tokio::time::timeout(deadline, next.run(request).instrument(span)).await.unwrap_or_else(|_| {
            let detail = "no answer in time; asking again with the same id is safe";
            Problem::new(503, "timeout", detail).into_response()
        })
    } else {
        let mut refused =
            Problem::new(429, "rate_limited", "too many requests; wait a second").into_response();
        refused.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        refused
    };
    city::operator::live::http::note(&around.city, &method, &route, &response);
    around.metrics.in_flight.dec();
    let took = around.clock.now().since(begun);
    let status = response.status().as_u16();
    around.metrics.requests.with_label_values(&[method.as_str(), &route, response.status().as_str()]).inc();
    around.metrics.seconds.with_label_values(&[route.as_str()]).observe(took.as_secs_f64());
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    if status >= 500 {
        tracing::warn!(request = id, %method, route, status, took_us, "answered");
    } else {
        tracing::debug!(request = id, %method, route, status, took_us, "answered");
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("x-request-id", id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if api {
        // No page of another site embeds an answer; programs, which are no pages, do not look at it.
        headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
        if !headers.contains_key(header::CACHE_CONTROL) {
            // People's money and names: neither a proxy nor a shared computer keeps them.
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
    response
}

/// The caller's own `x-request-id` where it is 16 to 64 hexadecimal digits and hyphens (no phone number is so long),
/// else a fresh one.
fn request_id(request: &Request<Body>, rng: &dyn Rng) -> String {
    let own = request.headers().get("x-request-id").and_then(|v| v.to_str().ok());
    let own =
        own.filter(|v| (16..=64).contains(&v.len()) && v.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'));
    own.map_or_else(|| format!("{:016x}", rng.u64()), str::to_owned)
}

/// Who asks, for the limits: a token, key or browser's session that was found good a moment ago, else the address. A
/// made-up token gets no bucket of its own.
fn caller(around: &Around, request: &Request<Body>) -> Vec<u8> {
    let header = |name| request.headers().get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    let token =
        header(header::AUTHORIZATION.as_str()).and_then(|v| v.split_once(' ')).map(|(_, token)| token.trim());
    if let Some(token) = token.filter(|token| city::identity::remembers(&around.city, token)) {
        return token.as_bytes().to_vec();
    }
    // A browser sends the cookies of all its apps; the first good one stands for it.
    let mut cookies = App::ALL.into_iter().filter_map(|app| cookie(request.headers(), app));
    if let Some(token) = cookies.find(|token| city::identity::remembers(&around.city, token)) {
        return token.as_bytes().to_vec();
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|a| a.0.ip());
    let forwarded = header("x-forwarded-for").filter(|_| peer.is_some() && peer == around.trusted_proxy);
    // The proxy adds the address it saw at the end; what stands before it is the client's word.
    let forwarded = forwarded.and_then(|list| list.rsplit(',').next()).map(|last| last.trim().to_owned());
    forwarded.or_else(|| peer.map(|ip| ip.to_string())).unwrap_or_default().into_bytes()
}
