//! The routes of events: the live stream, webhook endpoints, their log, sending again.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use kernel::Timestamp;
use kernel::ids::{EndpointId, EventId, TradeId};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Attempt, Delivery, DeliveryState, Endpoint, Subscription};
use crate::City;
use crate::http::{Answer, Json, Page, Path, Problem, Query};
use crate::identity::Merchant;
use crate::identity::session::http::MerchantProof;

/// A comment is sent when nothing else was for so long: proxies keep the connection, and both sides
/// notice when the other is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a stream lives; its listener resumes, and shows a valid key doing so.
const STREAM_LIFE: Duration = Duration::from_mins(30);
/// How soon a stream notices that its session was ended or its key revoked; on another node, what that still trusts
/// comes on top.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What a listener should wait before it resumes.
const RECONNECT: Duration = Duration::from_secs(1);

/// Every route of the event slice.
pub fn routes() -> OpenApiRouter<City> {
    OpenApiRouter::new()
        .routes(routes!(listen))
        .routes(routes!(list_endpoints, create_endpoint))
        .routes(routes!(read_endpoint, delete_endpoint))
        .routes(routes!(enable_endpoint))
        .routes(routes!(rotate_secret))
        .routes(routes!(list_deliveries))
        .routes(routes!(read_delivery))
        .routes(routes!(resend))
        .routes(routes!(replay))
}

/// Where a live stream begins.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListenQuery {
    /// Ledger timestamp (the `id` of an event): begin after it. The header `Last-Event-ID` goes first;
    /// without either the stream begins now.
    after: Option<u64>,
}

/// Listen to my shop's events
///
/// Server-sent events (`text/event-stream`), within 100 ms of the commit. The `id` of each event is its
/// ledger timestamp: a listener that reconnects with it misses nothing and gets nothing twice. The stream ends within
/// seconds of the session or key that it was asked for with.
#[utoipa::path(get, path = "/v1/merchants/me/events", tag = "event", security(("bearer" = [])),
    params(ListenQuery, ("Last-Event-ID" = Option<u64>, Header, description = "`id` of the last event received")),
    responses((status = 200, description = "`event: trade.paid`, `id: …`, `data: {…}`", body = String,
        content_type = "text/event-stream"), (status = "default", body = Problem)))]
async fn listen(
    State(city): State<City>,
    who: Merchant,
    proof: MerchantProof,
    headers: HeaderMap,
    Query(query): Query<ListenQuery>,
) -> Answer<Response> {
    let last = headers.get("last-event-id").map(|v| v.to_str().ok().and_then(|v| v.trim().parse().ok()));
    let after = match last {
        Some(None) => {
            let detail = "Last-Event-ID is the `id` of an event of this stream";
            return Err(Problem::new(400, "malformed_cursor", detail));
        }
        Some(Some(after)) => Some(after),
        None => query.after,
    };
    let subscription = super::subscribe(&city, &who, after)?;
    // The first frame has no data, so no event is dispatched, but it sets the id to resume after.
    let hello =
        Event::default().id(subscription.position().to_string()).retry(RECONNECT).comment("listening");
    let now = Instant::now();
    let listener = Listener { city, proof, subscription, look_at: now + LOOK_EVERY, end: now + STREAM_LIFE };
    let live = stream::unfold(listener, next_frame);
    let frames = futures_util::StreamExt::chain(stream::once(async { Ok(hello) }), live);
    let mut response = Sse::new(frames).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response();
    // Proxies must pass every event on at once.
    let headers = response.headers_mut();
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    Ok(response)
}

struct Listener {
    city: City,
    proof: MerchantProof,
    subscription: Subscription,
    /// When to look again whether it may listen.
    look_at: Instant,
    end: Instant,
}

async fn next_frame(mut of: Listener) -> Option<(Result<Event, Infallible>, Listener)> {
    let next = {
        // Never dropped half-way: an event that was taken up would be lost.
        let mut next = pin!(of.subscription.next());
        loop {
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(of.end) => return None,
                () = tokio::time::sleep_until(of.look_at) => {
                    if !of.proof.holds(&of.city).await {
                        return None;
                    }
                    of.look_at = Instant::now() + LOOK_EVERY;
                }
                next = &mut next => break next,
            }
        }
    };
    match next {
        Ok(Some((at, message))) => {
            let data = serde_json::to_string(&message).ok()?;
            let frame = Event::default().event(message.kind.name()).id(at.to_string()).data(data);
            Some((Ok(frame), of))
        }
        Ok(None) => None,
        Err(why) => {
            // Ends the stream; the listener resumes after what it has.
            tracing::warn!(%why, "live events");
            None
        }
    }
}

/// A webhook endpoint.
#[derive(Debug, Serialize, ToSchema)]
struct EndpointAnswer {
    #[schema(value_type = String, example = "whe_01h2xcejqtf2nbrexx3vqjhp41")]
    id: EndpointId,
    #[schema(example = "https://shop.example/yima")]
    url: String,
    /// The event types it wants.
    #[schema(example = json!(["trade.paid", "trade.refunded", "trade.closed"]))]
    types: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The first failure since the last success.
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<Timestamp>,
    /// From when on nothing is sent.
    #[schema(value_type = Option<String>, format = DateTime)]
    disabled_at: Option<Timestamp>,
    /// Why it was disabled.
    disabled_why: Option<String>,
}

impl From<Endpoint> for EndpointAnswer {
    fn from(e: Endpoint) -> EndpointAnswer {
        let types = e.types.unwrap_or_else(|| super::EventType::ALL.to_vec());
        let (disabled_at, disabled_why) = e.disabled.unzip();
        EndpointAnswer {
            id: e.id,
            url: e.url,
            types: types.into_iter().map(|t| t.name().to_owned()).collect(),
            created_at: e.created_at,
            failing_since: e.failing_since,
            disabled_at,
            disabled_why,
        }
    }
}

/// Where events are to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EndpointRequest {
    /// `https` wherever the message leaves your own machine.
    #[schema(example = "https://shop.example/yima")]
    url: String,
    /// The event types it wants; absent or empty is all.
    #[serde(default)]
    types: Vec<String>,
}

/// A new endpoint and its secret.
#[derive(Debug, Serialize, ToSchema)]
struct NewEndpointAnswer {
    endpoint: EndpointAnswer,
    /// Verifies the signatures; shown once.
    #[schema(example = "whsec_…")]
    secret: String,
}

/// Add a webhook endpoint
///
/// Gets every event committed from now on, signed by Standard Webhooks. Needs role admin.
#[utoipa::path(post, path = "/v1/merchants/me/webhooks", tag = "event", security(("bearer" = [])),
    request_body = EndpointRequest,
    responses((status = 201, body = NewEndpointAnswer), (status = "default", body = Problem)))]
async fn create_endpoint(
    State(city): State<City>,
    who: Merchant,
    Json(request): Json<EndpointRequest>,
) -> Answer<(StatusCode, Json<NewEndpointAnswer>)> {
    let (endpoint, secret) = super::create_endpoint(&city, &who, &request.url, &request.types).await?;
    Ok((StatusCode::CREATED, Json(NewEndpointAnswer { endpoint: endpoint.into(), secret })))
}

/// Every endpoint of the shop.
#[derive(Debug, Serialize, ToSchema)]
struct EndpointsAnswer {
    items: Vec<EndpointAnswer>,
    /// Always absent: a shop's endpoints are one page.
    next: Option<String>,
}

/// List my webhook endpoints
#[utoipa::path(get, path = "/v1/merchants/me/webhooks", tag = "event", security(("bearer" = [])),
    responses((status = 200, body = EndpointsAnswer), (status = "default", body = Problem)))]
async fn list_endpoints(State(city): State<City>, who: Merchant) -> Answer<Json<EndpointsAnswer>> {
    let items = super::endpoints(&city, &who).await?;
    Ok(Json(EndpointsAnswer { items: items.into_iter().map(EndpointAnswer::from).collect(), next: None }))
}

/// Read a webhook endpoint
#[utoipa::path(get, path = "/v1/merchants/me/webhooks/{endpoint}", tag = "event", security(("bearer" = [])),
    params(("endpoint" = String, Path, description = "whe_…")),
    responses((status = 200, body = EndpointAnswer), (status = "default", body = Problem)))]
async fn read_endpoint(
    State(city): State<City>,
    who: Merchant,
    Path(endpoint): Path<EndpointId>,
) -> Answer<Json<EndpointAnswer>> {
    Ok(Json(super::endpoint(&city, &who, endpoint).await?.into()))
}

/// Delete a webhook endpoint
///
/// What was on its way to it is given up.
#[utoipa::path(delete, path = "/v1/merchants/me/webhooks/{endpoint}", tag = "event",
    security(("bearer" = [])), params(("endpoint" = String, Path, description = "whe_…")),
    responses((status = 204, description = "deleted"), (status = "default", body = Problem)))]
async fn delete_endpoint(
    State(city): State<City>,
    who: Merchant,
    Path(endpoint): Path<EndpointId>,
) -> Answer<StatusCode> {
    super::delete_endpoint(&city, &who, endpoint).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Enable a disabled endpoint
///
/// For events from now on; replay brings what it missed.
#[utoipa::path(post, path = "/v1/merchants/me/webhooks/{endpoint}/enable", tag = "event",
    security(("bearer" = [])), params(("endpoint" = String, Path, description = "whe_…")),
    responses((status = 200, body = EndpointAnswer), (status = "default", body = Problem)))]
async fn enable_endpoint(
    State(city): State<City>,
    who: Merchant,
    Path(endpoint): Path<EndpointId>,
) -> Answer<Json<EndpointAnswer>> {
    Ok(Json(super::enable_endpoint(&city, &who, endpoint).await?.into()))
}

/// A new secret.
#[derive(Debug, Serialize, ToSchema)]
struct SecretAnswer {
    /// Verifies the signatures; shown once.
    #[schema(example = "whsec_…")]
    secret: String,
}

/// Rotate an endpoint's secret
///
/// For 24 hours every message carries signatures of both secrets.
#[utoipa::path(post, path = "/v1/merchants/me/webhooks/{endpoint}/rotate", tag = "event",
    security(("bearer" = [])), params(("endpoint" = String, Path, description = "whe_…")),
    responses((status = 200, body = SecretAnswer), (status = "default", body = Problem)))]
async fn rotate_secret(
    State(city): State<City>,
    who: Merchant,
    Path(endpoint): Path<EndpointId>,
) -> Answer<Json<SecretAnswer>> {
    Ok(Json(SecretAnswer { secret: super::rotate_secret(&city, &who, endpoint).await? }))
}

/// An event on its way to an endpoint.
#[derive(Debug, Serialize, ToSchema)]
struct DeliveryAnswer {
    #[schema(value_type = String, example = "evt_01h2xcejqtf2nbrexx3vqjhp41")]
    event: EventId,
    #[serde(rename = "type")]
    #[schema(example = "trade.paid")]
    kind: &'static str,
    #[schema(value_type = String, example = "trd_01h2xcejqtf2nbrexx3vqjhp41")]
    trade: TradeId,
    state: DeliveryState,
    /// Failed tries since it was last sent or replayed.
    tries: u32,
    /// When it is tried (again), while pending.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Timestamp>,
    /// When it was delivered or given up.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
}

impl From<&Delivery> for DeliveryAnswer {
    fn from(d: &Delivery) -> DeliveryAnswer {
        DeliveryAnswer {
            event: d.event,
            kind: d.kind.name(),
            trade: d.trade,
            state: d.state,
            tries: d.tries,
            next_at: (d.state == DeliveryState::Pending).then_some(d.next_at),
            finished_at: d.finished_at,
        }
    }
}

/// A page of the log, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct DeliveriesAnswer {
    items: Vec<DeliveryAnswer>,
    /// Pass as `cursor` for the next page; absent on the last.
    next: Option<String>,
}

/// Which deliveries.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DeliveriesQuery {
    /// Only those in this state.
    #[param(inline)]
    state: Option<DeliveryState>,
    /// `next` of the page before; absent for the first.
    cursor: Option<String>,
    /// How many, 1 to 200; 50 when absent.
    limit: Option<u32>,
}

/// Read an endpoint's delivery log
#[utoipa::path(get, path = "/v1/merchants/me/webhooks/{endpoint}/deliveries", tag = "event",
    security(("bearer" = [])), params(("endpoint" = String, Path, description = "whe_…"), DeliveriesQuery),
    responses((status = 200, body = DeliveriesAnswer), (status = "default", body = Problem)))]
async fn list_deliveries(
    State(city): State<City>,
    who: Merchant,
    Path(endpoint): Path<EndpointId>,
    Query(query): Query<DeliveriesQuery>,
) -> Answer<Json<DeliveriesAnswer>> {
    let before = query.cursor.as_deref().map(str::parse).transpose();
    let before =
        before.map_err(|_| Problem::new(400, "malformed_cursor", "pass `next` of the page before"))?;
    let limit = Page { cursor: None, limit: query.limit }.limit();
    let found = super::deliveries(&city, &who, endpoint, query.state, before, limit).await?;
    let next = found.last().filter(|_| found.len() == limit as usize).map(|d| d.at.to_string());
    Ok(Json(DeliveriesAnswer { items: found.iter().map(DeliveryAnswer::from).collect(), next }))
}

/// One try.
#[derive(Debug, Serialize, ToSchema)]
struct AttemptAnswer {
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    duration_ms: u64,
    /// HTTP status, where there was an answer.
    #[schema(example = 503)]
    status: Option<u16>,
    /// Why it does not count as delivered.
    error: Option<String>,
}

impl From<Attempt> for AttemptAnswer {
    fn from(a: Attempt) -> AttemptAnswer {
        let Attempt { started_at, duration_ms, status, error } = a;
        AttemptAnswer { started_at, duration_ms, status, error }
    }
}

/// A delivery with all its tries.
#[derive(Debug, Serialize, ToSchema)]
struct DeliveryLogAnswer {
    delivery: DeliveryAnswer,
    /// The very text that is signed and sent.
    body: String,
    /// Oldest first.
    attempts: Vec<AttemptAnswer>,
}

/// Read a delivery
///
/// With every try: when, how long, which status or error.
#[utoipa::path(get, path = "/v1/merchants/me/webhooks/{endpoint}/deliveries/{event}", tag = "event",
    security(("bearer" = [])), params(("endpoint" = String, Path, description = "whe_…"),
        ("event" = String, Path, description = "evt_…")),
    responses((status = 200, body = DeliveryLogAnswer), (status = "default", body = Problem)))]
async fn read_delivery(
    State(city): State<City>,
    who: Merchant,
    Path((endpoint, event)): Path<(EndpointId, EventId)>,
) -> Answer<Json<DeliveryLogAnswer>> {
    let (found, attempts) = super::delivery(&city, &who, endpoint, event).await?;
    let attempts = attempts.into_iter().map(AttemptAnswer::from).collect();
    Ok(Json(DeliveryLogAnswer { delivery: (&found).into(), body: found.body, attempts }))
}

/// Send one event again
///
/// Whatever became of it before; with the same `webhook-id`.
#[utoipa::path(post, path = "/v1/merchants/me/webhooks/{endpoint}/deliveries/{event}/resend", tag = "event",
    security(("bearer" = [])), params(("endpoint" = String, Path, description = "whe_…"),
        ("event" = String, Path, description = "evt_…")),
    responses((status = 202, description = "on its way"), (status = "default", body = Problem)))]
async fn resend(
    State(city): State<City>,
    who: Merchant,
    Path((endpoint, event)): Path<(EndpointId, EventId)>,
) -> Answer<StatusCode> {
    super::resend(&city, &who, endpoint, event).await?;
    Ok(StatusCode::ACCEPTED)
}

/// From when on to send again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReplayRequest {
    /// Events committed at or after this time.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

/// What is on its way again.
#[derive(Debug, Serialize, ToSchema)]
struct ReplayAnswer {
    /// How many events.
    events: usize,
    /// Pass as `since` to go on; absent when nothing is left.
    #[schema(value_type = Option<String>, format = DateTime)]
    next: Option<Timestamp>,
}

/// Send everything since a time again
///
/// From the ledger, so it also brings what the endpoint never got. Up to some 10,000 events at once.
#[utoipa::path(post, path = "/v1/merchants/me/webhooks/{endpoint}/replay", tag = "event",
    security(("bearer" = [])), params(("endpoint" = String, Path, description = "whe_…")),
    request_body = ReplayRequest,
    responses((status = 202, body = ReplayAnswer), (status = "default", body = Problem)))]
async fn replay(
    State(city): State<City>,
    who: Merchant,
    Path(endpoint): Path<EndpointId>,
    Json(request): Json<ReplayRequest>,
) -> Answer<(StatusCode, Json<ReplayAnswer>)> {
    let replayed = super::replay(&city, &who, endpoint, request.since).await?;
    Ok((StatusCode::ACCEPTED, Json(ReplayAnswer { events: replayed.events, next: replayed.next })))
}
