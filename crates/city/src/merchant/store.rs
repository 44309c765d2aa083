//! The tables of this slice: merchant and till.

use kernel::Timestamp;
use kernel::ids::{MerchantId, OperatorId, TillId};
use store::{AnyRow, Conn, Row as _, StoreError, id, query};

use super::{OpenShop, Shop, Till};

type Result<T> = std::result::Result<T, StoreError>;

fn time(row: &AnyRow, column: &'static str) -> Result<Timestamp> {
    Ok(Timestamp::from_millis(row.try_get(column)?))
}

fn time_opt(row: &AnyRow, column: &'static str) -> Result<Option<Timestamp>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_millis))
}

fn shop(row: &AnyRow) -> Result<Shop> {
    Ok(Shop {
        id: id(row, "id")?,
        reference: row.try_get("reference")?,
        name: row.try_get("name")?,
        legal_id: row.try_get("legal_id")?,
        mcc: row.try_get("mcc")?,
        city: row.try_get("city")?,
        region: row.try_get("region")?,
        created_at: time(row, "created_at")?,
        closed_at: time_opt(row, "closed_at")?,
    })
}

fn till_of(row: &AnyRow) -> Result<Till> {
    Ok(Till {
        id: id(row, "id")?,
        merchant: id(row, "merchant_id")?,
        name: row.try_get("name")?,
        created_at: time(row, "created_at")?,
        closed_at: time_opt(row, "closed_at")?,
    })
}

/// Adds the shop unless its reference is taken; answers with what is there.
pub async fn open(
    conn: &mut Conn,
    id: MerchantId,
    request: &OpenShop,
    by: OperatorId,
    now: Timestamp,
) -> Result<Shop> {
    query(
        "INSERT INTO merchant (id, reference, name, legal_id, mcc, city, region, opened_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING",
    )
    .bind(id.to_bytes())
    .bind(&request.reference)
    .bind(&request.name)
    .bind(&request.legal_id)
    .bind(&request.mcc)
    .bind(&request.city)
    .bind(&request.region)
    .bind(by.to_bytes())
    .bind(now.as_millis())
    .execute(&mut *conn)
    .await?;
    get(conn, id).await?.ok_or(StoreError::Guard)
}

/// The shop of this id.
pub async fn get(conn: &mut Conn, merchant: MerchantId) -> Result<Option<Shop>> {
    let row =
        query("SELECT * FROM merchant WHERE id = $1").bind(merchant.to_bytes()).fetch_optional(conn).await?;
    row.as_ref().map(shop).transpose()
}

/// Up to `limit` shops, newest first, after the shop at `after`.
pub async fn list(conn: &mut Conn, after: Option<&Shop>, limit: u32) -> Result<Vec<Shop>> {
    let (at, id) = after.map_or((i64::MAX, vec![0xff; 16]), |s| (s.created_at.as_millis(), s.id.to_bytes()));
    let rows = query(
        "SELECT * FROM merchant WHERE created_at < $1 OR (created_at = $1 AND id < $2)
         ORDER BY created_at DESC, id DESC LIMIT $3",
    )
    .bind(at)
    .bind(id)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(shop).collect()
}

/// Shops whose reference this is, or whose name holds it, by name.
pub async fn search(conn: &mut Conn, text: &str, limit: u32) -> Result<Vec<Shop>> {
    let literal = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    let rows = query(
        "SELECT * FROM merchant WHERE reference = $1 OR name LIKE $2 ESCAPE '\\' ORDER BY name, id LIMIT $3",
    )
    .bind(text)
    .bind(format!("%{literal}%"))
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(shop).collect()
}

/// Closes the shop, once: a second time changes nothing.
pub async fn close(conn: &mut Conn, merchant: MerchantId, now: Timestamp) -> Result<()> {
    query("UPDATE merchant SET closed_at = $1 WHERE id = $2 AND closed_at IS NULL")
        .bind(now.as_millis())
        .bind(merchant.to_bytes())
        .execute(conn)
        .await?;
    Ok(())
}

/// Adds the till, or takes it into use again.
pub async fn add_till(
    conn: &mut Conn,
    till_id: TillId,
    merchant: MerchantId,
    name: &str,
    now: Timestamp,
) -> Result<Till> {
    let row = query(
        "INSERT INTO till (id, merchant_id, name, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (id) DO UPDATE SET closed_at = NULL RETURNING *",
    )
    .bind(till_id.to_bytes())
    .bind(merchant.to_bytes())
    .bind(name)
    .bind(now.as_millis())
    .fetch_one(conn)
    .await?;
    till_of(&row)
}

/// Every till of the shop in use, by name.
pub async fn tills(conn: &mut Conn, merchant: MerchantId) -> Result<Vec<Till>> {
    let rows = query("SELECT * FROM till WHERE merchant_id = $1 AND closed_at IS NULL ORDER BY name")
        .bind(merchant.to_bytes())
        .fetch_all(conn)
        .await?;
    rows.iter().map(till_of).collect()
}

/// The till of this shop, in use or not.
pub async fn till(conn: &mut Conn, merchant: MerchantId, till: TillId) -> Result<Option<Till>> {
    let row = query("SELECT * FROM till WHERE id = $1 AND merchant_id = $2")
        .bind(till.to_bytes())
        .bind(merchant.to_bytes())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(till_of).transpose()
}

/// Takes a till out of use; `None` if the shop has no such till.
pub async fn close_till(
    conn: &mut Conn,
    merchant: MerchantId,
    till_id: TillId,
    now: Timestamp,
) -> Result<Option<Till>> {
    let row = query(
        "UPDATE till SET closed_at = COALESCE(closed_at, $1) WHERE id = $2 AND merchant_id = $3 RETURNING *",
    )
    .bind(now.as_millis())
    .bind(till_id.to_bytes())
    .bind(merchant.to_bytes())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(till_of).transpose()
}
