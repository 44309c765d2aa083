//! The table of coupons: coupon_campaign. It says what a campaign is, never what is left of it.

use kernel::Timestamp;
use kernel::ids::{CampaignId, MerchantId, OperatorId};
use store::{AnyRow, Conn, Row as _, StoreError, id, id_opt, query};

use super::Campaign;

type Result<T> = std::result::Result<T, StoreError>;

fn campaign(row: &AnyRow) -> Result<Campaign> {
    let time = |column| Ok::<_, StoreError>(Timestamp::from_millis(row.try_get(column)?));
    Ok(Campaign {
        id: id(row, "id")?,
        name: row.try_get("name")?,
        discount_minor: row.try_get("discount")?,
        minimum_minor: row.try_get("minimum")?,
        budget_minor: row.try_get("budget")?,
        valid_from: time("valid_from")?,
        valid_until: time("valid_until")?,
        shop: id_opt(row, "merchant_id")?,
        created_at: time("created_at")?,
        ended_at: row.try_get::<Option<i64>, _>("ended_at")?.map(Timestamp::from_millis),
    })
}

/// Adds a campaign unless it is there; answers with the one that is there now.
pub async fn put(conn: &mut Conn, new: &Campaign, by: OperatorId) -> Result<Campaign> {
    query(
        "INSERT INTO coupon_campaign (id, name, discount, minimum, budget, valid_from, valid_until, merchant_id,
         created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING",
    )
    .bind(new.id.to_bytes())
    .bind(&new.name)
    .bind(new.discount_minor)
    .bind(new.minimum_minor)
    .bind(new.budget_minor)
    .bind(new.valid_from.as_millis())
    .bind(new.valid_until.as_millis())
    .bind(new.shop.map(MerchantId::to_bytes))
    .bind(by.to_bytes())
    .bind(new.created_at.as_millis())
    .execute(&mut *conn)
    .await?;
    get(conn, new.id).await?.ok_or(StoreError::Guard)
}

/// The campaign of this id.
pub async fn get(conn: &mut Conn, campaign_id: CampaignId) -> Result<Option<Campaign>> {
    let row = query("SELECT * FROM coupon_campaign WHERE id = $1")
        .bind(campaign_id.to_bytes())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(campaign).transpose()
}

/// Up to `limit` campaigns, newest first, after the one at `after`.
pub async fn list(conn: &mut Conn, after: Option<&Campaign>, limit: u32) -> Result<Vec<Campaign>> {
    let (at, id) = after.map_or((i64::MAX, vec![0xff; 16]), |c| (c.created_at.as_millis(), c.id.to_bytes()));
    let rows = query(
        "SELECT * FROM coupon_campaign WHERE created_at < $1 OR (created_at = $1 AND id < $2)
         ORDER BY created_at DESC, id DESC LIMIT $3",
    )
    .bind(at)
    .bind(id)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(campaign).collect()
}

/// Up to `limit` campaigns whose time this is, for a shop and an amount, largest discount first.
pub async fn valid(
    conn: &mut Conn,
    shop: MerchantId,
    amount_minor: i64,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Campaign>> {
    let rows = query(
        "SELECT * FROM coupon_campaign WHERE valid_until > $1 AND valid_from <= $1 AND ended_at IS NULL
         AND (merchant_id IS NULL OR merchant_id = $2) AND minimum <= $3
         ORDER BY discount DESC, valid_until, id LIMIT $4",
    )
    .bind(now.as_millis())
    .bind(shop.to_bytes())
    .bind(amount_minor)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(campaign).collect()
}

/// Ends a campaign, once: a second time changes nothing.
pub async fn end(conn: &mut Conn, campaign_id: CampaignId, now: Timestamp) -> Result<()> {
    query("UPDATE coupon_campaign SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL")
        .bind(now.as_millis())
        .bind(campaign_id.to_bytes())
        .execute(conn)
        .await?;
    Ok(())
}
