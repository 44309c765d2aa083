//! The table of this part: what came of reading catalogues.

use kernel::Timestamp;
use store::{Conn, Row, StoreError};

use super::super::pack::Pack;

/// Adds a biller from a catalogue, or gives it the rules of today. One that an operator has changed stays.
pub async fn put_listed(conn: &mut Conn, pack: &Pack, now: Timestamp) -> Result<bool, StoreError> {
    let done = store::query(
        "INSERT INTO biller (id, pack_id, hash, pack, updated_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (id) DO UPDATE SET hash = $3, pack = $4, updated_at = $5
         WHERE biller.operator_at IS NULL AND biller.hash <> $3",
    )
    .bind(pack.biller.to_bytes())
    .bind(pack.spec.id.as_str())
    .bind(pack.hash.as_str())
    .bind(pack.text.as_str())
    .bind(now.as_millis())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes the reading of a catalogue up, if none was begun since `before`: one node does.
pub async fn begin(
    conn: &mut Conn,
    connection: &str,
    now: Timestamp,
    before: Timestamp,
) -> Result<bool, StoreError> {
    let done = store::query(
        "INSERT INTO provider_sync (connection, begun_at) VALUES ($1, $2)
         ON CONFLICT (connection) DO UPDATE SET begun_at = $2 WHERE provider_sync.begun_at < $3",
    )
    .bind(connection)
    .bind(now.as_millis())
    .bind(before.as_millis())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Keeps what came of it.
pub async fn end(conn: &mut Conn, connection: &str, now: Timestamp, report: &str) -> Result<(), StoreError> {
    store::query(
        "INSERT INTO provider_sync (connection, begun_at, ended_at, report) VALUES ($1, $2, $2, $3)
         ON CONFLICT (connection) DO UPDATE SET ended_at = $2, report = $3",
    )
    .bind(connection)
    .bind(now.as_millis())
    .bind(report)
    .execute(conn)
    .await?;
    Ok(())
}

/// What came of the newest reading.
pub async fn report(conn: &mut Conn, connection: &str) -> Result<Option<String>, StoreError> {
    let row = store::query("SELECT report FROM provider_sync WHERE connection = $1")
        .bind(connection)
        .fetch_optional(conn)
        .await?;
    Ok(row.map(|row| row.try_get("report")).transpose()?.flatten())
}
