//! The tables of families: family_link, family_event.

use kernel::Timestamp;
use kernel::ids::{FamilyId, ResidentId};
use store::{AnyRow, Conn, Row as _, StoreError, id, id_opt, query, query_scalar};

use super::rules::{FamilyMay, FamilyState};
use super::{Event, Link};

type Result<T> = std::result::Result<T, StoreError>;

fn link(row: &AnyRow) -> Result<Link> {
    let time = |column| Ok::<_, StoreError>(Timestamp::from_millis(row.try_get(column)?));
    let time_opt =
        |column| Ok::<_, StoreError>(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_millis));
    let (asked, state): (String, String) = (row.try_get("asked")?, row.try_get("state")?);
    let granted: Option<String> = row.try_get("granted")?;
    Ok(Link {
        id: id(row, "id")?,
        helper: id(row, "helper")?,
        owner: id(row, "owner")?,
        asked: FamilyMay::from_name(&asked).ok_or(StoreError::Corrupt("family_link.asked"))?,
        granted: granted.as_deref().and_then(FamilyMay::from_name),
        label: row.try_get("label")?,
        state: FamilyState::from_name(&state).ok_or(StoreError::Corrupt("family_link.state"))?,
        created_at: time("created_at")?,
        consented_at: time_opt("consented_at")?,
        ended_at: time_opt("ended_at")?,
        ended_by: id_opt(row, "ended_by")?,
    })
}

fn pair(helper: ResidentId, owner: ResidentId) -> Vec<u8> {
    [helper.to_bytes(), owner.to_bytes()].concat()
}

/// The link of this id.
pub async fn get(conn: &mut Conn, id: FamilyId) -> Result<Option<Link>> {
    let row =
        query("SELECT * FROM family_link WHERE id = $1").bind(id.to_bytes()).fetch_optional(conn).await?;
    row.as_ref().map(link).transpose()
}

/// An invitation of these two made before `before` makes room for another.
pub async fn lapse(
    conn: &mut Conn,
    helper: ResidentId,
    owner: ResidentId,
    before: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let lapsed = query(
        "UPDATE family_link SET state = 'lapsed', live = NULL, ended_at = $3
         WHERE live = $1 AND state = 'invited' AND created_at < $2 RETURNING id",
    )
    .bind(pair(helper, owner))
    .bind(before.as_millis())
    .bind(now.as_millis())
    .fetch_optional(&mut *conn)
    .await?;
    match lapsed {
        Some(row) => note(conn, id(&row, "id")?, now, "lapsed", None).await,
        None => Ok(()),
    }
}

/// How many links of this helper are invited or active.
pub async fn live_links(conn: &mut Conn, helper: ResidentId) -> Result<i64> {
    let count = query_scalar("SELECT COUNT(*) FROM family_link WHERE helper = $1 AND live IS NOT NULL");
    Ok(count.bind(helper.to_bytes()).fetch_one(conn).await?)
}

/// Adds an invitation; `false` when these two have a live link.
pub async fn add(conn: &mut Conn, new: &Link) -> Result<bool> {
    let done = query(
        "INSERT INTO family_link (id, helper, owner, asked, label, state, live, created_at)
         VALUES ($1, $2, $3, $4, $5, 'invited', $6, $7) ON CONFLICT DO NOTHING",
    )
    .bind(new.id.to_bytes())
    .bind(new.helper.to_bytes())
    .bind(new.owner.to_bytes())
    .bind(new.asked.name())
    .bind(new.label.as_deref())
    .bind(pair(new.helper, new.owner))
    .bind(new.created_at.as_millis())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes down what happened.
pub async fn note(
    conn: &mut Conn,
    link: FamilyId,
    at: Timestamp,
    what: &str,
    by: Option<ResidentId>,
) -> Result<()> {
    query(
        "INSERT INTO family_event (link_id, at, what, resident_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT (link_id, at, what) DO NOTHING",
    )
    .bind(link.to_bytes())
    .bind(at.as_millis())
    .bind(what)
    .bind(by.map(ResidentId::to_bytes))
    .execute(conn)
    .await?;
    Ok(())
}

/// The owner consents; `false` when the link is over, or an invitation from before `lapsed`.
pub async fn consent(
    conn: &mut Conn,
    id: FamilyId,
    may: FamilyMay,
    now: Timestamp,
    lapsed: Timestamp,
) -> Result<bool> {
    let done = query(
        "UPDATE family_link SET state = 'active', granted = $2, consented_at = $3
         WHERE id = $1 AND (state = 'active' OR (state = 'invited' AND created_at >= $4))",
    )
    .bind(id.to_bytes())
    .bind(may.name())
    .bind(now.as_millis())
    .bind(lapsed.as_millis())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a link that stands as `from`; `false` when it does not.
pub async fn end(
    conn: &mut Conn,
    id: FamilyId,
    from: FamilyState,
    to: FamilyState,
    by: ResidentId,
    now: Timestamp,
) -> Result<bool> {
    let done = query(
        "UPDATE family_link SET state = $3, live = NULL, ended_at = $4, ended_by = $5 WHERE id = $1 AND state = $2",
    )
    .bind(id.to_bytes())
    .bind(from.name())
    .bind(to.name())
    .bind(now.as_millis())
    .bind(by.to_bytes())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The links of a resident, live ones first, then the newest.
pub async fn of(conn: &mut Conn, who: ResidentId, limit: u32) -> Result<Vec<Link>> {
    let rows = query(
        "SELECT * FROM family_link WHERE helper = $1 OR owner = $1
         ORDER BY CASE WHEN live IS NULL THEN 1 ELSE 0 END, created_at DESC, id LIMIT $2",
    )
    .bind(who.to_bytes())
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(link).collect()
}

/// What happened to a link, oldest first.
pub async fn events(conn: &mut Conn, link: FamilyId) -> Result<Vec<Event>> {
    let rows = query("SELECT at, what, resident_id FROM family_event WHERE link_id = $1 ORDER BY at, what")
        .bind(link.to_bytes())
        .fetch_all(conn)
        .await?;
    let event = |row: &AnyRow| {
        let at = Timestamp::from_millis(row.try_get("at")?);
        Ok(Event { at, what: row.try_get("what")?, by: id_opt(row, "resident_id")? })
    };
    rows.iter().map(event).collect()
}

/// What the owner lets the helper do now.
pub async fn granted(conn: &mut Conn, helper: ResidentId, owner: ResidentId) -> Result<Option<FamilyMay>> {
    let found: Option<String> =
        query_scalar("SELECT granted FROM family_link WHERE live = $1 AND state = 'active'")
            .bind(pair(helper, owner))
            .fetch_optional(conn)
            .await?;
    Ok(found.as_deref().and_then(FamilyMay::from_name))
}

/// Whose watch the owner has consented to.
pub async fn watchers(conn: &mut Conn, owner: ResidentId) -> Result<Vec<ResidentId>> {
    let rows = query("SELECT helper FROM family_link WHERE owner = $1 AND state = 'active' ORDER BY helper")
        .bind(owner.to_bytes())
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| id(row, "helper")).collect()
}
