//! The tables of identity: resident, sign_in_code, session, device, operator,
//! api_key, key_session.

use kernel::Timestamp;
use kernel::ids::{DeviceId, KeyId, OperatorId, ResidentId, SessionId, TillId};
use store::{Conn, Row as _, StoreError, id, id_opt, query, query_scalar};

use super::rules::{CODE_TRIES_MAX, CODES_MAX, PIN_FAILURES_MAX, Tier};
use super::{Device, Key, OperatorName, OwnerKind, Profile, Role};

type Result<T> = std::result::Result<T, StoreError>;

fn profile(row: &store::AnyRow) -> Result<Profile> {
    Ok(Profile {
        id: id(row, "id")?,
        phone: row.try_get("phone")?,
        name: row.try_get("name")?,
        tier: Tier::from_number(row.try_get("tier")?).ok_or(StoreError::Corrupt("resident.tier"))?,
        has_pin: row.try_get::<Option<String>, _>("pin")?.is_some(),
        pin_locked: row.try_get::<i64, _>("pin_failures")? >= PIN_FAILURES_MAX,
        created_at: Timestamp::from_millis(row.try_get("created_at")?),
    })
}

/// Remembers a sent code unless one was sent after `not_after`, or too many since `count_from`; says
/// whether it did.
pub async fn put_code(
    conn: &mut Conn,
    phone: &str,
    hash: Vec<u8>,
    now: Timestamp,
    expires: Timestamp,
    not_after: Timestamp,
    count_from: Timestamp,
) -> Result<bool> {
    let put = query(
        "INSERT INTO sign_in_code (phone, code_hash, tries, sent_at, expires_at, codes, codes_since)
         VALUES ($1, $2, 0, $3, $4, 1, $3)
         ON CONFLICT (phone) DO UPDATE SET code_hash = excluded.code_hash, tries = 0, sent_at = excluded.sent_at,
             expires_at = excluded.expires_at,
             codes = CASE WHEN sign_in_code.codes_since <= $6 THEN 1 ELSE sign_in_code.codes + 1 END,
             codes_since = CASE WHEN sign_in_code.codes_since <= $6 THEN $3 ELSE sign_in_code.codes_since END
         WHERE sign_in_code.sent_at <= $5 AND (sign_in_code.codes < $7 OR sign_in_code.codes_since <= $6)",
    )
    .bind(phone)
    .bind(hash)
    .bind(now.as_millis())
    .bind(expires.as_millis())
    .bind(not_after.as_millis())
    .bind(count_from.as_millis())
    .bind(CODES_MAX)
    .execute(conn)
    .await?;
    Ok(put.rows_affected() == 1)
}

/// When the last code was sent to a phone.
pub async fn code_sent_at(conn: &mut Conn, phone: &str) -> Result<Option<Timestamp>> {
    let at: Option<i64> = query_scalar("SELECT sent_at FROM sign_in_code WHERE phone = $1")
        .bind(phone)
        .fetch_optional(conn)
        .await?;
    Ok(at.map(Timestamp::from_millis))
}

/// Takes back a code that could not be sent: it opens nothing, and the next may follow at once.
pub async fn unsend_code(conn: &mut Conn, phone: &str) -> Result<()> {
    query("UPDATE sign_in_code SET expires_at = 0, sent_at = 0, codes = codes - 1 WHERE phone = $1")
        .bind(phone)
        .execute(conn)
        .await?;
    Ok(())
}

/// Forgets a code that was used, and how many were sent before it.
async fn drop_code(conn: &mut Conn, phone: &str) -> Result<()> {
    query("DELETE FROM sign_in_code WHERE phone = $1").bind(phone).execute(conn).await?;
    Ok(())
}

/// What a guess at a one-time code met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    /// It was right; the code is gone now.
    Right,
    /// It was wrong, and was counted.
    Wrong,
    /// There is no live code, or its guesses are used up.
    NoCode,
}

/// Counts a guess first, then compares: no number of guesses at once gets more than the allowed tries.
pub async fn guess_code(conn: &mut Conn, phone: &str, hash: Vec<u8>, now: Timestamp) -> Result<Guess> {
    let wanted: Option<Vec<u8>> = query_scalar(
        "UPDATE sign_in_code SET tries = tries + 1 WHERE phone = $1 AND tries < $2 AND expires_at > $3 RETURNING code_hash",
    )
    .bind(phone)
    .bind(CODE_TRIES_MAX)
    .bind(now.as_millis())
    .fetch_optional(&mut *conn)
    .await?;
    match wanted {
        None => Ok(Guess::NoCode),
        Some(wanted) if wanted != hash => Ok(Guess::Wrong),
        Some(_) => {
            drop_code(conn, phone).await?;
            Ok(Guess::Right)
        }
    }
}

/// Adds a resident unless the phone has one; answers with whoever has the phone now.
pub async fn resident_for_phone(
    conn: &mut Conn,
    new_id: ResidentId,
    phone: &str,
    name: &str,
    now: Timestamp,
) -> Result<Profile> {
    query(
        "INSERT INTO resident (id, phone, name, tier, pin_failures, created_at) VALUES ($1, $2, $3, 1, 0, $4)
         ON CONFLICT (phone) DO NOTHING",
    )
    .bind(new_id.to_bytes())
    .bind(phone)
    .bind(name)
    .bind(now.as_millis())
    .execute(&mut *conn)
    .await?;
    by_phone(conn, phone).await?.ok_or(StoreError::Guard)
}

/// The resident of this phone.
pub async fn by_phone(conn: &mut Conn, phone: &str) -> Result<Option<Profile>> {
    let row = query("SELECT * FROM resident WHERE phone = $1").bind(phone).fetch_optional(conn).await?;
    row.as_ref().map(profile).transpose()
}

/// The resident of this id.
pub async fn by_id(conn: &mut Conn, resident: ResidentId) -> Result<Option<Profile>> {
    let row =
        query("SELECT * FROM resident WHERE id = $1").bind(resident.to_bytes()).fetch_optional(conn).await?;
    row.as_ref().map(profile).transpose()
}

/// Holds the resident's row until the end of the transaction, so that changes come one after another.
pub async fn hold_resident(conn: &mut Conn, resident: ResidentId) -> Result<()> {
    query("UPDATE resident SET tier = tier WHERE id = $1").bind(resident.to_bytes()).execute(conn).await?;
    Ok(())
}

/// Raises (never lowers) the tier; says whether it was raised.
pub async fn raise_tier(conn: &mut Conn, resident: ResidentId, tier: Tier) -> Result<bool> {
    let raised = query("UPDATE resident SET tier = $1 WHERE id = $2 AND tier < $1")
        .bind(i64::from(tier.number()))
        .bind(resident.to_bytes())
        .execute(conn)
        .await?;
    Ok(raised.rows_affected() == 1)
}

/// Sets the PIN and forgets wrong ones. With `only_first`, refuses (`false`) where there is one already.
pub async fn set_pin(conn: &mut Conn, resident: ResidentId, pin: &str, only_first: bool) -> Result<bool> {
    let sql = if only_first {
        "UPDATE resident SET pin = $1, pin_failures = 0 WHERE id = $2 AND pin IS NULL"
    } else {
        "UPDATE resident SET pin = $1, pin_failures = 0 WHERE id = $2"
    };
    let set = query(sql).bind(pin).bind(resident.to_bytes()).execute(conn).await?;
    Ok(set.rows_affected() == 1)
}

/// Counts a try at the PIN as wrong before it is checked; `None` when the PIN is locked. The inner
/// `None` means that no PIN was set.
pub async fn begin_pin_try(conn: &mut Conn, resident: ResidentId) -> Result<Option<Option<String>>> {
    let pin = query_scalar(
        "UPDATE resident SET pin_failures = pin_failures + 1 WHERE id = $1 AND pin_failures < $2 RETURNING pin",
    )
    .bind(resident.to_bytes())
    .bind(PIN_FAILURES_MAX)
    .fetch_optional(conn)
    .await?;
    Ok(pin)
}

/// The PIN was right (or there was none to try): forget the failures.
pub async fn end_pin_try(conn: &mut Conn, resident: ResidentId) -> Result<()> {
    query("UPDATE resident SET pin_failures = 0 WHERE id = $1")
        .bind(resident.to_bytes())
        .execute(conn)
        .await?;
    Ok(())
}

/// How many tries at the PIN are left.
pub async fn pin_tries_left(conn: &mut Conn, resident: ResidentId) -> Result<i64> {
    let failures: i64 = query_scalar("SELECT pin_failures FROM resident WHERE id = $1")
        .bind(resident.to_bytes())
        .fetch_one(conn)
        .await?;
    Ok((PIN_FAILURES_MAX - failures).max(0))
}

/// Adds a session.
pub async fn add_session(
    conn: &mut Conn,
    hash: Vec<u8>,
    session: SessionId,
    resident: ResidentId,
    now: Timestamp,
    expires: Timestamp,
) -> Result<()> {
    query("INSERT INTO session (token_hash, id, resident_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(hash)
        .bind(session.to_bytes())
        .bind(resident.to_bytes())
        .bind(now.as_millis())
        .bind(expires.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

/// The live session of a token: session, resident, tier and when it ends.
pub async fn session(
    conn: &mut Conn,
    hash: Vec<u8>,
    now: Timestamp,
) -> Result<Option<(SessionId, ResidentId, Tier, Timestamp)>> {
    let row = query(
        "SELECT s.id AS id, s.resident_id AS resident_id, s.expires_at AS expires_at, r.tier AS tier
         FROM session s JOIN resident r ON r.id = s.resident_id
         WHERE s.token_hash = $1 AND s.revoked_at IS NULL AND s.expires_at > $2",
    )
    .bind(hash)
    .bind(now.as_millis())
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let tier = Tier::from_number(row.try_get("tier")?).ok_or(StoreError::Corrupt("resident.tier"))?;
        let expires = Timestamp::from_millis(row.try_get("expires_at")?);
        Ok((id(&row, "id")?, id(&row, "resident_id")?, tier, expires))
    })
    .transpose()
}

/// Ends a session.
pub async fn revoke_session(conn: &mut Conn, session: SessionId, now: Timestamp) -> Result<()> {
    query("UPDATE session SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
        .bind(now.as_millis())
        .bind(session.to_bytes())
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends every session of a resident but one.
pub async fn revoke_other_sessions(
    conn: &mut Conn,
    resident: ResidentId,
    kept: SessionId,
    now: Timestamp,
) -> Result<()> {
    query("UPDATE session SET revoked_at = $1 WHERE resident_id = $2 AND id <> $3 AND revoked_at IS NULL")
        .bind(now.as_millis())
        .bind(resident.to_bytes())
        .bind(kept.to_bytes())
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends the session of a token.
pub async fn end_session(conn: &mut Conn, hash: Vec<u8>, now: Timestamp) -> Result<()> {
    query("UPDATE session SET revoked_at = $1 WHERE token_hash = $2 AND revoked_at IS NULL")
        .bind(now.as_millis())
        .bind(hash)
        .execute(conn)
        .await?;
    Ok(())
}

/// Adds a session that a key opened; `Guard` when the key is not live any more.
pub async fn add_key_session(
    conn: &mut Conn,
    hash: Vec<u8>,
    session: SessionId,
    key: KeyId,
    now: Timestamp,
    expires: Timestamp,
) -> Result<()> {
    let added = query(
        "INSERT INTO key_session (token_hash, id, key_id, created_at, expires_at)
         SELECT $1, $2, id, $3, $4 FROM api_key WHERE id = $5 AND revoked_at IS NULL",
    )
    .bind(hash)
    .bind(session.to_bytes())
    .bind(now.as_millis())
    .bind(expires.as_millis())
    .bind(key.to_bytes())
    .execute(conn)
    .await?;
    store::one_row(added)
}

/// The live key of a live session, and when the session ends.
pub async fn key_session(conn: &mut Conn, hash: Vec<u8>, now: Timestamp) -> Result<Option<(Key, Timestamp)>> {
    let row = query(
        "SELECT k.id AS id, k.owner_kind AS owner_kind, k.owner_id AS owner_id, k.role AS role, k.till_id AS till_id,
                k.name AS name, s.expires_at AS expires_at
         FROM key_session s JOIN api_key k ON k.id = s.key_id
         WHERE s.token_hash = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND k.revoked_at IS NULL",
    )
    .bind(hash)
    .bind(now.as_millis())
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok((key(&row)?, Timestamp::from_millis(row.try_get("expires_at")?)))).transpose()
}

/// Ends the session of a token that a key opened.
pub async fn end_key_session(conn: &mut Conn, hash: Vec<u8>, now: Timestamp) -> Result<()> {
    query("UPDATE key_session SET revoked_at = $1 WHERE token_hash = $2 AND revoked_at IS NULL")
        .bind(now.as_millis())
        .bind(hash)
        .execute(conn)
        .await?;
    Ok(())
}

/// Adds a device.
pub async fn add_device(conn: &mut Conn, device: &Device) -> Result<()> {
    query("INSERT INTO device (id, resident_id, name, created_at) VALUES ($1, $2, $3, $4)")
        .bind(device.id.to_bytes())
        .bind(device.resident.to_bytes())
        .bind(device.name.clone())
        .bind(device.created_at.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

/// The live devices of a resident, oldest first.
pub async fn devices(conn: &mut Conn, resident: ResidentId) -> Result<Vec<Device>> {
    let rows = query("SELECT * FROM device WHERE resident_id = $1 AND revoked_at IS NULL ORDER BY id")
        .bind(resident.to_bytes())
        .fetch_all(conn)
        .await?;
    rows.iter().map(device).collect()
}

fn device(row: &store::AnyRow) -> Result<Device> {
    Ok(Device {
        id: id(row, "id")?,
        resident: id(row, "resident_id")?,
        name: row.try_get("name")?,
        created_at: Timestamp::from_millis(row.try_get("created_at")?),
    })
}

/// Live devices and their owners: `limit` of them with ids after `after`, in order of id.
pub async fn devices_after(
    conn: &mut Conn,
    after: DeviceId,
    limit: u32,
) -> Result<Vec<(DeviceId, ResidentId)>> {
    let rows =
        query("SELECT id, resident_id FROM device WHERE id > $1 AND revoked_at IS NULL ORDER BY id LIMIT $2")
            .bind(after.to_bytes())
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?;
    rows.iter().map(|row| Ok((id(row, "id")?, id(row, "resident_id")?))).collect()
}

/// Ends a device; `Guard` when the resident has no such live device.
pub async fn revoke_device(
    conn: &mut Conn,
    resident: ResidentId,
    device: DeviceId,
    now: Timestamp,
) -> Result<()> {
    let revoked =
        query("UPDATE device SET revoked_at = $1 WHERE id = $2 AND resident_id = $3 AND revoked_at IS NULL")
            .bind(now.as_millis())
            .bind(device.to_bytes())
            .bind(resident.to_bytes())
            .execute(conn)
            .await?;
    store::one_row(revoked)
}

/// The devices revoked at `since` or later.
pub async fn devices_revoked_since(conn: &mut Conn, since: Timestamp) -> Result<Vec<DeviceId>> {
    let rows =
        query("SELECT id FROM device WHERE revoked_at >= $1").bind(since.as_millis()).fetch_all(conn).await?;
    rows.iter().map(|row| id(row, "id")).collect()
}

/// Adds an operator.
pub async fn add_operator(conn: &mut Conn, operator: OperatorId, name: &str, now: Timestamp) -> Result<()> {
    query("INSERT INTO operator (id, name, created_at) VALUES ($1, $2, $3)")
        .bind(operator.to_bytes())
        .bind(name)
        .bind(now.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

/// Adds an API key.
pub async fn add_key(
    conn: &mut Conn,
    hash: Vec<u8>,
    key: &Key,
    made_with: Option<KeyId>,
    now: Timestamp,
) -> Result<()> {
    query(
        "INSERT INTO api_key (key_hash, id, owner_kind, owner_id, role, till_id, name, created_at, made_with)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(hash)
    .bind(key.id.to_bytes())
    .bind(key.owner_kind.prefix())
    .bind(key.owner.to_be_bytes().to_vec())
    .bind(key.role.name())
    .bind(key.till.map(TillId::to_bytes))
    .bind(key.name.clone())
    .bind(now.as_millis())
    .bind(made_with.map(KeyId::to_bytes))
    .execute(conn)
    .await?;
    Ok(())
}

/// The owners of a key, of the key that it was made with, and so on.
pub async fn hands(conn: &mut Conn, key: KeyId) -> Result<Vec<OperatorId>> {
    let rows = query(
        "WITH RECURSIVE line (id, owner_id, made_with) AS (
             SELECT id, owner_id, made_with FROM api_key WHERE id = $1
             UNION
             SELECT k.id, k.owner_id, k.made_with FROM api_key k JOIN line ON k.id = line.made_with
         )
         SELECT DISTINCT owner_id FROM line",
    )
    .bind(key.to_bytes())
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| id(row, "owner_id")).collect()
}

fn key(row: &store::AnyRow) -> Result<Key> {
    let owner: Vec<u8> = row.try_get("owner_id")?;
    let kind: String = row.try_get("owner_kind")?;
    let role: String = row.try_get("role")?;
    Ok(Key {
        id: id(row, "id")?,
        owner_kind: OwnerKind::from_prefix(&kind).ok_or(StoreError::Corrupt("api_key.owner_kind"))?,
        owner: u128::from_be_bytes(owner.try_into().map_err(|_| StoreError::Corrupt("api_key.owner_id"))?),
        role: Role::from_name(&role).ok_or(StoreError::Corrupt("api_key.role"))?,
        till: id_opt(row, "till_id")?,
        name: row.try_get("name")?,
    })
}

/// The live key of this hash.
pub async fn key_by_hash(conn: &mut Conn, hash: Vec<u8>) -> Result<Option<Key>> {
    let row = query("SELECT * FROM api_key WHERE key_hash = $1 AND revoked_at IS NULL")
        .bind(hash)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(key).transpose()
}

/// The live keys of an owner, oldest first.
pub async fn keys(conn: &mut Conn, owner: u128) -> Result<Vec<Key>> {
    let rows = query("SELECT * FROM api_key WHERE owner_id = $1 AND revoked_at IS NULL ORDER BY id")
        .bind(owner.to_be_bytes().to_vec())
        .fetch_all(conn)
        .await?;
    rows.iter().map(key).collect()
}

/// Ends a live key, of this owner if one is named; `Guard` when there is none.
pub async fn revoke_key(conn: &mut Conn, owner: Option<u128>, key: KeyId, now: Timestamp) -> Result<()> {
    let sql = if owner.is_some() {
        "UPDATE api_key SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL AND owner_id = $3"
    } else {
        "UPDATE api_key SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL"
    };
    let mut update = query(sql).bind(now.as_millis()).bind(key.to_bytes());
    if let Some(owner) = owner {
        update = update.bind(owner.to_be_bytes().to_vec());
    }
    store::one_row(update.execute(conn).await?)
}

/// Ends the live keys of an owner's till.
pub async fn revoke_till_keys(conn: &mut Conn, owner: u128, till: TillId, now: Timestamp) -> Result<()> {
    query("UPDATE api_key SET revoked_at = $1 WHERE till_id = $2 AND owner_id = $3 AND revoked_at IS NULL")
        .bind(now.as_millis())
        .bind(till.to_bytes())
        .bind(owner.to_be_bytes().to_vec())
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether there is such an operator.
pub async fn operator_exists(conn: &mut Conn, operator: OperatorId) -> Result<bool> {
    let row =
        query("SELECT id FROM operator WHERE id = $1").bind(operator.to_bytes()).fetch_optional(conn).await?;
    Ok(row.is_some())
}

/// What an operator is called.
pub async fn operator_name(conn: &mut Conn, operator: OperatorId) -> Result<Option<String>> {
    let name = query_scalar("SELECT name FROM operator WHERE id = $1")
        .bind(operator.to_bytes())
        .fetch_optional(conn)
        .await?;
    Ok(name)
}

/// Every operator, oldest first.
pub async fn operators(conn: &mut Conn) -> Result<Vec<OperatorName>> {
    let rows = query("SELECT id, name, created_at FROM operator ORDER BY id").fetch_all(conn).await?;
    let name = |row: &store::AnyRow| {
        let created_at = Timestamp::from_millis(row.try_get("created_at")?);
        Ok(OperatorName { id: id(row, "id")?, name: row.try_get("name")?, created_at })
    };
    rows.iter().map(name).collect()
}
