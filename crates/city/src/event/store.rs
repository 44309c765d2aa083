//! The tables of this slice: webhook_endpoint, webhook_change, webhook_delivery, webhook_attempt.
//!
//! Every change of an endpoint first counts up the one row of webhook_change. Its row lock puts all
//! such changes into one order, and its number tells whoever writes deliveries that his list is old.

use kernel::Timestamp;
use kernel::ids::{EndpointId, EventId, MerchantId, TradeId};
use store::{AnyRow, Conn, Row as _, StoreError, id, one_row, query, query_scalar};

use super::{Attempt, Delivery, DeliveryState, ENDPOINTS_MAX, Endpoint, EventType};

type Result<T> = std::result::Result<T, StoreError>;

fn ledger_time(ns: u64) -> Result<i64> {
    i64::try_from(ns).map_err(|_| StoreError::Corrupt("at"))
}

fn unsigned<T: TryFrom<i64>>(row: &AnyRow, column: &'static str) -> Result<T> {
    T::try_from(row.try_get::<i64, _>(column)?).map_err(|_| StoreError::Corrupt(column))
}

fn time_opt(row: &AnyRow, column: &'static str) -> Result<Option<Timestamp>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_millis))
}

fn event_type(name: &str) -> Result<EventType> {
    EventType::from_name(name).ok_or(StoreError::Corrupt("type"))
}

fn endpoint(row: &AnyRow) -> Result<Endpoint> {
    let types: Option<String> = row.try_get("types")?;
    let why: Option<String> = row.try_get("disabled_why")?;
    Ok(Endpoint {
        id: id(row, "id")?,
        merchant: id(row, "merchant_id")?,
        url: row.try_get("url")?,
        types: types.map(|t| t.split(' ').map(event_type).collect()).transpose()?,
        from_ledger: unsigned(row, "from_ledger")?,
        created_at: Timestamp::from_millis(row.try_get("created_at")?),
        failing_since: time_opt(row, "failing_since")?,
        disabled: time_opt(row, "disabled_at")?.map(|at| (at, why.unwrap_or_default())),
    })
}

fn delivery(row: &AnyRow) -> Result<Delivery> {
    let state: String = row.try_get("state")?;
    Ok(Delivery {
        endpoint: id(row, "endpoint_id")?,
        event: id(row, "event_id")?,
        kind: event_type(row.try_get("type")?)?,
        trade: id(row, "trade_id")?,
        at: unsigned(row, "at")?,
        body: row.try_get("body")?,
        state: DeliveryState::from_name(&state).ok_or(StoreError::Corrupt("state"))?,
        tries: unsigned(row, "tries")?,
        next_at: Timestamp::from_millis(row.try_get("next_at")?),
        finished_at: time_opt(row, "finished_at")?,
    })
}

/// How many changes of endpoints there were.
pub async fn changes(conn: &mut Conn) -> Result<i64> {
    Ok(query_scalar("SELECT n FROM webhook_change WHERE id = 1").fetch_one(conn).await?)
}

/// Requires that no endpoint has changed since [`changes`] said `n`.
pub async fn require_changes(conn: &mut Conn, n: i64) -> Result<()> {
    if changes(conn).await? == n { Ok(()) } else { Err(StoreError::Guard) }
}

async fn count_change(conn: &mut Conn) -> Result<()> {
    one_row(query("UPDATE webhook_change SET n = n + 1 WHERE id = 1").execute(conn).await?)
}

/// Adds an endpoint, unless the shop has as many as it may: `false`.
pub async fn add_endpoint(conn: &mut Conn, new: &Endpoint, secret: &[u8]) -> Result<bool> {
    count_change(conn).await?;
    let sql =
        "SELECT CAST(COUNT(*) AS BIGINT) FROM webhook_endpoint WHERE merchant_id = $1 AND deleted_at IS NULL";
    let have: i64 = query_scalar(sql).bind(new.merchant.to_bytes()).fetch_one(&mut *conn).await?;
    if have >= ENDPOINTS_MAX {
        return Ok(false);
    }
    let types = new.types.as_ref().map(|t| t.iter().map(|t| t.name()).collect::<Vec<_>>().join(" "));
    query(
        "INSERT INTO webhook_endpoint (id, merchant_id, url, types, secret, from_ledger, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(new.id.to_bytes())
    .bind(new.merchant.to_bytes())
    .bind(&new.url)
    .bind(types)
    .bind(secret.to_vec())
    .bind(ledger_time(new.from_ledger)?)
    .bind(new.created_at.as_millis())
    .execute(conn)
    .await?;
    Ok(true)
}

/// The shop's endpoints, oldest first.
pub async fn endpoints(conn: &mut Conn, merchant: MerchantId) -> Result<Vec<Endpoint>> {
    let sql = "SELECT * FROM webhook_endpoint WHERE merchant_id = $1 AND deleted_at IS NULL ORDER BY id";
    let rows = query(sql).bind(merchant.to_bytes()).fetch_all(conn).await?;
    rows.iter().map(endpoint).collect()
}

/// Every shop's endpoints in use.
pub async fn endpoints_in_use(conn: &mut Conn) -> Result<Vec<Endpoint>> {
    let sql = "SELECT * FROM webhook_endpoint WHERE deleted_at IS NULL AND disabled_at IS NULL ORDER BY id";
    let rows = query(sql).fetch_all(conn).await?;
    rows.iter().map(endpoint).collect()
}

/// Every shop's endpoints that are disabled, newest first.
pub async fn disabled_endpoints(conn: &mut Conn, limit: u32) -> Result<Vec<Endpoint>> {
    let sql = "SELECT * FROM webhook_endpoint WHERE deleted_at IS NULL AND disabled_at IS NOT NULL
               ORDER BY disabled_at DESC, id LIMIT $1";
    let rows = query(sql).bind(i64::from(limit)).fetch_all(conn).await?;
    rows.iter().map(endpoint).collect()
}

/// The shop's endpoint of this id.
pub async fn own_endpoint(conn: &mut Conn, merchant: MerchantId, of: EndpointId) -> Result<Option<Endpoint>> {
    let sql = "SELECT * FROM webhook_endpoint WHERE id = $1 AND merchant_id = $2 AND deleted_at IS NULL";
    let row = query(sql).bind(of.to_bytes()).bind(merchant.to_bytes()).fetch_optional(conn).await?;
    row.as_ref().map(endpoint).transpose()
}

/// Deletes an endpoint and gives up what was on its way to it.
pub async fn delete_endpoint(conn: &mut Conn, of: EndpointId, now: Timestamp) -> Result<()> {
    count_change(conn).await?;
    let deleted = query("UPDATE webhook_endpoint SET deleted_at = $1 WHERE id = $2 AND deleted_at IS NULL")
        .bind(now.as_millis())
        .bind(of.to_bytes())
        .execute(&mut *conn)
        .await?;
    one_row(deleted)?;
    give_up_all(conn, of, now).await
}

/// Disables an endpoint and gives up what was on its way to it.
pub async fn disable_endpoint(conn: &mut Conn, of: EndpointId, why: &str, now: Timestamp) -> Result<()> {
    count_change(conn).await?;
    query("UPDATE webhook_endpoint SET disabled_at = $1, disabled_why = $2 WHERE id = $3 AND disabled_at IS NULL")
        .bind(now.as_millis())
        .bind(why)
        .bind(of.to_bytes())
        .execute(&mut *conn)
        .await?;
    give_up_all(conn, of, now).await
}

// Their jobs find nothing to do and go away by themselves.
async fn give_up_all(conn: &mut Conn, of: EndpointId, now: Timestamp) -> Result<()> {
    query(
        "UPDATE webhook_delivery SET state = 'given_up', finished_at = $1
         WHERE endpoint_id = $2 AND state = 'pending'",
    )
    .bind(now.as_millis())
    .bind(of.to_bytes())
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes an endpoint into use again, from ledger timestamp `from_ledger` on.
pub async fn enable_endpoint(conn: &mut Conn, of: EndpointId, from_ledger: u64) -> Result<()> {
    count_change(conn).await?;
    query(
        "UPDATE webhook_endpoint SET disabled_at = NULL, disabled_why = NULL, failing_since = NULL, from_ledger = $1
         WHERE id = $2 AND disabled_at IS NOT NULL AND deleted_at IS NULL",
    )
    .bind(ledger_time(from_ledger)?)
    .bind(of.to_bytes())
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives an endpoint a new secret; the one until now signs as well until `until`.
pub async fn rotate_secret(conn: &mut Conn, of: EndpointId, secret: &[u8], until: Timestamp) -> Result<()> {
    let rotated = query(
        "UPDATE webhook_endpoint SET previous_secret = secret, previous_until = $1, secret = $2
         WHERE id = $3 AND deleted_at IS NULL",
    )
    .bind(until.as_millis())
    .bind(secret.to_vec())
    .bind(of.to_bytes())
    .execute(conn)
    .await?;
    one_row(rotated)
}

/// A delivery to be written.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    pub endpoint: EndpointId,
    pub event: EventId,
    pub kind: EventType,
    pub trade: TradeId,
    pub at: u64,
    pub body: String,
}

const ADD: &str =
    "INSERT INTO webhook_delivery (endpoint_id, event_id, type, trade_id, at, body, state, tries, next_at)
     VALUES ($1, $2, $3, $4, $5, $6, 'pending', 0, $7) ON CONFLICT (endpoint_id, event_id) DO NOTHING";
const ADD_AGAIN: &str =
    "INSERT INTO webhook_delivery (endpoint_id, event_id, type, trade_id, at, body, state, tries, next_at)
     VALUES ($1, $2, $3, $4, $5, $6, 'pending', 0, $7) ON CONFLICT (endpoint_id, event_id) DO UPDATE
     SET state = 'pending', tries = 0, next_at = excluded.next_at, finished_at = NULL";

/// Writes a delivery. One that is there is left alone, or with `again` set to pending.
pub async fn add_delivery(conn: &mut Conn, new: &NewDelivery, again: bool, now: Timestamp) -> Result<()> {
    query(if again { ADD_AGAIN } else { ADD })
        .bind(new.endpoint.to_bytes())
        .bind(new.event.to_bytes())
        .bind(new.kind.name())
        .bind(new.trade.to_bytes())
        .bind(ledger_time(new.at)?)
        .bind(&new.body)
        .bind(now.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

/// Sets a delivery to pending again; says whether there is one.
pub async fn again(conn: &mut Conn, to: EndpointId, event: EventId, now: Timestamp) -> Result<bool> {
    let set = query(
        "UPDATE webhook_delivery SET state = 'pending', tries = 0, next_at = $1, finished_at = NULL
         WHERE endpoint_id = $2 AND event_id = $3",
    )
    .bind(now.as_millis())
    .bind(to.to_bytes())
    .bind(event.to_bytes())
    .execute(conn)
    .await?;
    Ok(set.rows_affected() == 1)
}

/// A delivery by endpoint and event.
pub async fn get_delivery(conn: &mut Conn, to: EndpointId, event: EventId) -> Result<Option<Delivery>> {
    let sql = "SELECT * FROM webhook_delivery WHERE endpoint_id = $1 AND event_id = $2";
    let row = query(sql).bind(to.to_bytes()).bind(event.to_bytes()).fetch_optional(conn).await?;
    row.as_ref().map(delivery).transpose()
}

/// Deliveries to an endpoint before ledger timestamp `before`, newest first.
pub async fn deliveries(
    conn: &mut Conn,
    to: EndpointId,
    state: Option<DeliveryState>,
    before: u64,
    limit: u32,
) -> Result<Vec<Delivery>> {
    let rows = query(
        "SELECT * FROM webhook_delivery WHERE endpoint_id = $1 AND at < $2 AND ($3 = '' OR state = $3)
         ORDER BY at DESC LIMIT $4",
    )
    .bind(to.to_bytes())
    .bind(ledger_time(before)?)
    .bind(state.map_or("", DeliveryState::name))
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(delivery).collect()
}

/// What a worker needs to try a delivery.
#[derive(Debug)]
pub struct Target {
    pub delivery: Delivery,
    pub url: String,
    pub secret: Vec<u8>,
    /// The secret before it and until when it signs.
    pub previous: Option<(Vec<u8>, Timestamp)>,
}

/// A pending delivery to an endpoint in use.
pub async fn target(conn: &mut Conn, to: EndpointId, event: EventId) -> Result<Option<Target>> {
    let row = query(
        "SELECT d.*, e.url, e.secret, e.previous_secret, e.previous_until
         FROM webhook_delivery d JOIN webhook_endpoint e ON e.id = d.endpoint_id
         WHERE d.endpoint_id = $1 AND d.event_id = $2 AND d.state = 'pending'
           AND e.deleted_at IS NULL AND e.disabled_at IS NULL",
    )
    .bind(to.to_bytes())
    .bind(event.to_bytes())
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let previous: Option<Vec<u8>> = row.try_get("previous_secret")?;
    Ok(Some(Target {
        delivery: delivery(&row)?,
        url: row.try_get("url")?,
        secret: row.try_get("secret")?,
        previous: previous.zip(time_opt(&row, "previous_until")?),
    }))
}

/// Whether an earlier event of the same trade is still on its way to the endpoint.
pub async fn is_behind(conn: &mut Conn, d: &Delivery) -> Result<bool> {
    let earlier: Option<i64> = query_scalar(
        "SELECT at FROM webhook_delivery
         WHERE endpoint_id = $1 AND trade_id = $2 AND at < $3 AND state = 'pending' LIMIT 1",
    )
    .bind(d.endpoint.to_bytes())
    .bind(d.trade.to_bytes())
    .bind(ledger_time(d.at)?)
    .fetch_optional(conn)
    .await?;
    Ok(earlier.is_some())
}

/// The next event of the same trade that is on its way to the endpoint.
pub async fn successor(conn: &mut Conn, d: &Delivery) -> Result<Option<EventId>> {
    let row = query(
        "SELECT event_id FROM webhook_delivery
         WHERE endpoint_id = $1 AND trade_id = $2 AND at > $3 AND state = 'pending' ORDER BY at LIMIT 1",
    )
    .bind(d.endpoint.to_bytes())
    .bind(d.trade.to_bytes())
    .bind(ledger_time(d.at)?)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(|row| id(row, "event_id")).transpose()
}

/// Writes a try into the log. `id` is a fresh UUIDv7.
pub async fn add_attempt(conn: &mut Conn, id: u128, d: &Delivery, a: &Attempt) -> Result<()> {
    query(
        "INSERT INTO webhook_attempt (id, endpoint_id, event_id, started_at, duration_ms, status, error)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id.to_be_bytes().to_vec())
    .bind(d.endpoint.to_bytes())
    .bind(d.event.to_bytes())
    .bind(a.started_at.as_millis())
    .bind(i64::try_from(a.duration_ms).unwrap_or(i64::MAX))
    .bind(a.status.map(i64::from))
    .bind(a.error.clone())
    .execute(conn)
    .await?;
    Ok(())
}

/// The tries of a delivery, oldest first.
pub async fn attempts(conn: &mut Conn, to: EndpointId, event: EventId) -> Result<Vec<Attempt>> {
    let sql = "SELECT * FROM webhook_attempt WHERE endpoint_id = $1 AND event_id = $2 ORDER BY id";
    let rows = query(sql).bind(to.to_bytes()).bind(event.to_bytes()).fetch_all(conn).await?;
    let attempt = |row: &AnyRow| {
        let status: Option<i64> = row.try_get("status")?;
        Ok(Attempt {
            started_at: Timestamp::from_millis(row.try_get("started_at")?),
            duration_ms: unsigned(row, "duration_ms")?,
            status: status.and_then(|s| u16::try_from(s).ok()),
            error: row.try_get("error")?,
        })
    };
    rows.iter().map(attempt).collect()
}

/// Ends a pending delivery; says whether it was pending still.
pub async fn finish(conn: &mut Conn, d: &Delivery, state: DeliveryState, now: Timestamp) -> Result<bool> {
    let finished = query(
        "UPDATE webhook_delivery SET state = $1, finished_at = $2
         WHERE endpoint_id = $3 AND event_id = $4 AND state = 'pending'",
    )
    .bind(state.name())
    .bind(now.as_millis())
    .bind(d.endpoint.to_bytes())
    .bind(d.event.to_bytes())
    .execute(conn)
    .await?;
    Ok(finished.rows_affected() == 1)
}

/// Counts a failed try and says when the next is due.
pub async fn postpone(conn: &mut Conn, d: &Delivery, tries: u32, next_at: Timestamp) -> Result<()> {
    query(
        "UPDATE webhook_delivery SET tries = $1, next_at = $2
         WHERE endpoint_id = $3 AND event_id = $4 AND state = 'pending'",
    )
    .bind(i64::from(tries))
    .bind(next_at.as_millis())
    .bind(d.endpoint.to_bytes())
    .bind(d.event.to_bytes())
    .execute(conn)
    .await?;
    Ok(())
}

/// The endpoint took a delivery.
pub async fn healthy(conn: &mut Conn, endpoint: EndpointId) -> Result<()> {
    query("UPDATE webhook_endpoint SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL")
        .bind(endpoint.to_bytes())
        .execute(conn)
        .await?;
    Ok(())
}

/// The endpoint failed; answers with the first failure since its last success.
pub async fn failing(conn: &mut Conn, endpoint: EndpointId, now: Timestamp) -> Result<Timestamp> {
    let since: i64 = query_scalar(
        "UPDATE webhook_endpoint SET failing_since = COALESCE(failing_since, $1) WHERE id = $2
         RETURNING failing_since",
    )
    .bind(now.as_millis())
    .bind(endpoint.to_bytes())
    .fetch_one(conn)
    .await?;
    Ok(Timestamp::from_millis(since))
}
