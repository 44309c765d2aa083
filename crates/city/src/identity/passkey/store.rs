//! The tables of passkeys: passkey, passkey_challenge.

use kernel::Timestamp;
use kernel::ids::{PasskeyId, ResidentId};
use store::{Conn, Row as _, StoreError, id, query};

use super::rules::{PASSKEYS_MAX, Verifier};
use super::{Passkey, Stored};

type Result<T> = std::result::Result<T, StoreError>;

/// Adds a challenge, and forgets those nobody answered in time.
pub async fn add_challenge(
    conn: &mut Conn,
    hash: Vec<u8>,
    resident: Option<ResidentId>,
    now: Timestamp,
    expires: Timestamp,
) -> Result<()> {
    query("DELETE FROM passkey_challenge WHERE expires_at <= $1")
        .bind(now.as_millis())
        .execute(&mut *conn)
        .await?;
    query("INSERT INTO passkey_challenge (challenge_hash, resident_id, expires_at) VALUES ($1, $2, $3)")
        .bind(hash)
        .bind(resident.map(ResidentId::to_bytes))
        .bind(expires.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

/// Uses up a live challenge: for whom it was. `None` when there is none.
pub async fn take_challenge(
    conn: &mut Conn,
    hash: Vec<u8>,
    now: Timestamp,
) -> Result<Option<Option<ResidentId>>> {
    let row = query(
        "DELETE FROM passkey_challenge WHERE challenge_hash = $1 AND expires_at > $2 RETURNING resident_id",
    )
    .bind(hash)
    .bind(now.as_millis())
    .fetch_optional(conn)
    .await?;
    row.map(|row| store::id_opt(&row, "resident_id")).transpose()
}

/// Adds a passkey unless its credential is known or the resident, whose row the caller holds, has as many as they may;
/// says whether it did.
pub async fn add(conn: &mut Conn, passkey: &Stored) -> Result<bool> {
    let added = query(
        "INSERT INTO passkey (credential_id, id, resident_id, name, algorithm, public_key, counter, backup_eligible,
             transports, created_at)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
         WHERE (SELECT COUNT(*) FROM passkey WHERE resident_id = $3 AND removed_at IS NULL) < $11
         ON CONFLICT (credential_id) DO NOTHING",
    )
    .bind(passkey.credential_id.clone())
    .bind(passkey.passkey.id.to_bytes())
    .bind(passkey.resident.to_bytes())
    .bind(passkey.passkey.name.clone())
    .bind(passkey.verifier.algorithm)
    .bind(passkey.verifier.public_key.clone())
    .bind(i64::from(passkey.verifier.counter))
    .bind(i64::from(passkey.verifier.backup_eligible))
    .bind(passkey.transports.join(" "))
    .bind(passkey.passkey.created_at.as_millis())
    .bind(PASSKEYS_MAX)
    .execute(conn)
    .await?;
    Ok(added.rows_affected() == 1)
}

/// Whether this credential was ever added, by whomever.
pub async fn is_known(conn: &mut Conn, credential_id: Vec<u8>) -> Result<bool> {
    let row = query("SELECT id FROM passkey WHERE credential_id = $1")
        .bind(credential_id)
        .fetch_optional(conn)
        .await?;
    Ok(row.is_some())
}

fn stored(row: &store::AnyRow) -> Result<Stored> {
    let counter: i64 = row.try_get("counter")?;
    let used: Option<i64> = row.try_get("used_at")?;
    let transports: String = row.try_get("transports")?;
    let backup_eligible = row.try_get::<i64, _>("backup_eligible")? != 0;
    Ok(Stored {
        credential_id: row.try_get("credential_id")?,
        resident: id(row, "resident_id")?,
        verifier: Verifier {
            algorithm: row.try_get("algorithm")?,
            public_key: row.try_get("public_key")?,
            counter: u32::try_from(counter).map_err(|_| StoreError::Corrupt("passkey.counter"))?,
            backup_eligible,
        },
        transports: transports.split_whitespace().map(str::to_owned).collect(),
        passkey: Passkey {
            id: id(row, "id")?,
            name: row.try_get("name")?,
            backup_eligible,
            created_at: Timestamp::from_millis(row.try_get("created_at")?),
            used_at: used.map(Timestamp::from_millis),
        },
    })
}

/// The passkeys of a resident, oldest first.
pub async fn of_resident(conn: &mut Conn, resident: ResidentId) -> Result<Vec<Stored>> {
    let rows = query("SELECT * FROM passkey WHERE resident_id = $1 AND removed_at IS NULL ORDER BY id")
        .bind(resident.to_bytes())
        .fetch_all(conn)
        .await?;
    rows.iter().map(stored).collect()
}

/// The passkey of this credential.
pub async fn by_credential(conn: &mut Conn, credential_id: Vec<u8>) -> Result<Option<Stored>> {
    let row = query("SELECT * FROM passkey WHERE credential_id = $1 AND removed_at IS NULL")
        .bind(credential_id)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(stored).transpose()
}

/// Notes a use; `Guard` when the passkey was removed meanwhile, or another use was noted with as high a counter.
pub async fn used(conn: &mut Conn, passkey: PasskeyId, counter: u32, now: Timestamp) -> Result<()> {
    let noted = query(
        "UPDATE passkey SET counter = $1, used_at = $2
         WHERE id = $3 AND removed_at IS NULL AND (counter < $1 OR (counter = 0 AND $1 = 0))",
    )
    .bind(i64::from(counter))
    .bind(now.as_millis())
    .bind(passkey.to_bytes())
    .execute(conn)
    .await?;
    store::one_row(noted)
}

/// Removes a passkey; `Guard` when the resident has no such one.
pub async fn remove(conn: &mut Conn, resident: ResidentId, passkey: PasskeyId, now: Timestamp) -> Result<()> {
    let removed =
        query("UPDATE passkey SET removed_at = $1 WHERE id = $2 AND resident_id = $3 AND removed_at IS NULL")
            .bind(now.as_millis())
            .bind(passkey.to_bytes())
            .bind(resident.to_bytes())
            .execute(conn)
            .await?;
    store::one_row(removed)
}
