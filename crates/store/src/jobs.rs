//! A durable queue of work to be done at least once, at or after a time. The work itself must be
//! safe to do twice: a lease that runs out hands the job to another worker.

use kernel::{Timestamp, derive_u128};
use sqlx::Row;
use std::time::Duration;

use crate::{Conn, StoreError};

/// A job that a worker holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Derived from kind and key.
    pub id: u128,
    /// What the slice gave to [`enqueue`].
    pub payload: String,
    /// How often it was taken up, this time included; 1 is the first.
    pub attempts: u32,
}

/// The id of the job of this kind and key, for [`retry`] of a job that is not held.
pub fn id_of(kind: &str, key: &[u8]) -> u128 {
    derive_u128("job", &[kind.as_bytes(), key])
}

/// Adds a job unless one of the same kind and key is there already. Says whether it was added.
pub async fn enqueue(
    conn: &mut Conn,
    kind: &str,
    key: &[u8],
    payload: &str,
    run_at: Timestamp,
) -> Result<bool, StoreError> {
    let id = id_of(kind, key);
    let added = sqlx::query(
        "INSERT INTO job (id, kind, payload, run_at, attempts) VALUES ($1, $2, $3, $4, 0) ON CONFLICT (id) DO NOTHING",
    )
    .bind(id.to_be_bytes().to_vec())
    .bind(kind)
    .bind(payload)
    .bind(run_at.as_millis())
    .execute(conn)
    .await?;
    Ok(added.rows_affected() == 1)
}

/// Takes up to `limit` due jobs of `kind` and leases them until `now + lease`.
pub async fn take(
    conn: &mut Conn,
    kind: &str,
    now: Timestamp,
    lease: Duration,
    limit: u32,
) -> Result<Vec<Job>, StoreError> {
    let rows = sqlx::query(
        "UPDATE job SET leased_until = $1, attempts = attempts + 1 WHERE id IN (
             SELECT id FROM job WHERE kind = $2 AND run_at <= $3 AND (leased_until IS NULL OR leased_until <= $3)
             ORDER BY run_at LIMIT $4)
         AND (leased_until IS NULL OR leased_until <= $3) RETURNING id, payload, attempts",
    )
    .bind(now.plus(lease).as_millis())
    .bind(kind)
    .bind(now.as_millis())
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let id: Vec<u8> = row.try_get("id")?;
            Ok(Job {
                id: u128::from_be_bytes(id.try_into().map_err(|_| StoreError::Corrupt("job.id"))?),
                payload: row.try_get("payload")?,
                attempts: u32::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(u32::MAX),
            })
        })
        .collect()
}

/// The job is finished: it goes away.
pub async fn done(conn: &mut Conn, id: u128) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM job WHERE id = $1").bind(id.to_be_bytes().to_vec()).execute(conn).await?;
    Ok(())
}

/// The job failed and is due again at `run_at`.
pub async fn retry(conn: &mut Conn, id: u128, run_at: Timestamp, error: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE job SET run_at = $1, leased_until = NULL, last_error = $2 WHERE id = $3")
        .bind(run_at.as_millis())
        .bind(error)
        .bind(id.to_be_bytes().to_vec())
        .execute(conn)
        .await?;
    Ok(())
}

/// The job need not wait any longer: it is due at `run_at`, unless a worker has it right now.
pub async fn hasten(conn: &mut Conn, id: u128, run_at: Timestamp) -> Result<(), StoreError> {
    sqlx::query("UPDATE job SET run_at = $1 WHERE id = $2 AND leased_until IS NULL")
        .bind(run_at.as_millis())
        .bind(id.to_be_bytes().to_vec())
        .execute(conn)
        .await?;
    Ok(())
}

/// How far follower `name` of the ledger's feed has come (ledger timestamp, 0 at the start).
pub async fn watermark(conn: &mut Conn, name: &str) -> Result<u64, StoreError> {
    let after: Option<i64> = sqlx::query_scalar("SELECT after FROM follower WHERE name = $1")
        .bind(name)
        .fetch_optional(conn)
        .await?;
    Ok(after.and_then(|t| u64::try_from(t).ok()).unwrap_or(0))
}

/// Moves follower `name` from `from` to `to`, in the transaction of what it wrote. `Guard` when
/// another node moved it first: the caller's writes are rolled back with it.
pub async fn advance(conn: &mut Conn, name: &str, from: u64, to: u64) -> Result<(), StoreError> {
    let ns = |t: u64| i64::try_from(t).map_err(|_| StoreError::Corrupt("follower.after"));
    let moved = if from == 0 {
        sqlx::query("INSERT INTO follower (name, after) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
            .bind(name)
            .bind(ns(to)?)
            .execute(conn)
            .await?
    } else {
        sqlx::query("UPDATE follower SET after = $1 WHERE name = $2 AND after = $3")
            .bind(ns(to)?)
            .bind(name)
            .bind(ns(from)?)
            .execute(conn)
            .await?
    };
    crate::one_row(moved)
}
