//! The table of trades: trade_order.

use kernel::Timestamp;
use kernel::ids::{MerchantId, ResidentId, TillId, TradeId};
use store::{AssertSqlSafe, Conn, Row as _, StoreError, id, id_opt, query};

use super::Order;

type Result<T> = std::result::Result<T, StoreError>;

/// How many orders [`by_ids`] asks for in one statement.
const IDS_MAX: usize = 100;

fn order(row: &store::AnyRow) -> Result<Order> {
    Ok(Order {
        id: id(row, "id")?,
        merchant: id(row, "merchant_id")?,
        order_no: row.try_get("order_no")?,
        amount_minor: row.try_get("amount")?,
        subject: row.try_get("subject")?,
        till: id_opt(row, "till_id")?,
        created_at: Timestamp::from_millis(row.try_get("created_at")?),
        expires_at: Timestamp::from_millis(row.try_get("expires_at")?),
        payer: id_opt(row, "payer_id")?,
    })
}

/// Adds an order unless there is one; answers with the one that is there now.
pub async fn put(conn: &mut Conn, new: Order) -> Result<Order> {
    let added = query(
        "INSERT INTO trade_order (id, merchant_id, order_no, amount, subject, till_id, created_at, expires_at, payer_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING",
    )
    .bind(new.id.to_bytes())
    .bind(new.merchant.to_bytes())
    .bind(new.order_no.clone())
    .bind(new.amount_minor)
    .bind(new.subject.clone())
    .bind(new.till.map(TillId::to_bytes))
    .bind(new.created_at.as_millis())
    .bind(new.expires_at.as_millis())
    .bind(new.payer.map(ResidentId::to_bytes))
    .execute(&mut *conn)
    .await?;
    if added.rows_affected() == 1 {
        return Ok(new);
    }
    by_id(conn, new.id).await?.ok_or(StoreError::Guard)
}

/// The order of this id.
pub async fn by_id(conn: &mut Conn, trade: TradeId) -> Result<Option<Order>> {
    let row =
        query("SELECT * FROM trade_order WHERE id = $1").bind(trade.to_bytes()).fetch_optional(conn).await?;
    row.as_ref().map(order).transpose()
}

/// The orders of these ids, in no order; trades without an order are left out.
pub async fn by_ids(conn: &mut Conn, trades: &[TradeId]) -> Result<Vec<Order>> {
    let mut found = Vec::with_capacity(trades.len());
    for chunk in trades.chunks(IDS_MAX) {
        // One text for every length: what is left over asks for the last id again.
        let places: Vec<String> = (1..=IDS_MAX).map(|n| format!("${n}")).collect();
        let sql = format!("SELECT * FROM trade_order WHERE id IN ({})", places.join(", "));
        let mut select = query(AssertSqlSafe(sql));
        for i in 0..IDS_MAX {
            select = select.bind(chunk[i.min(chunk.len() - 1)].to_bytes());
        }
        for row in select.fetch_all(&mut *conn).await? {
            found.push(order(&row)?);
        }
    }
    Ok(found)
}

/// Orders of a shop, newest first: made between two instants (the later one excluded), and before the order
/// `before` (made at, id; of those made at the same instant the one with the lesser id comes later).
pub async fn of_shop(
    conn: &mut Conn,
    merchant: MerchantId,
    made: std::ops::Range<Timestamp>,
    before: (Timestamp, u128),
    limit: u32,
) -> Result<Vec<Order>> {
    let rows = query(
        "SELECT * FROM trade_order WHERE merchant_id = $1 AND created_at >= $2 AND created_at < $3
         AND (created_at < $4 OR (created_at = $4 AND id < $5)) ORDER BY created_at DESC, id DESC LIMIT $6",
    )
    .bind(merchant.to_bytes())
    .bind(made.start.as_millis())
    .bind(made.end.as_millis())
    .bind(before.0.as_millis())
    .bind(TradeId::from_u128(before.1).to_bytes())
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(order).collect()
}

/// Lets an order wait for this payer until `expires`, unless it waits for another already: `Guard`.
pub async fn wait_for(conn: &mut Conn, trade: TradeId, payer: ResidentId, expires: Timestamp) -> Result<()> {
    let set = query(
        "UPDATE trade_order SET payer_id = $1, expires_at = $2 WHERE id = $3 AND (payer_id IS NULL OR payer_id = $1)",
    )
    .bind(payer.to_bytes())
    .bind(expires.as_millis())
    .bind(trade.to_bytes())
    .execute(conn)
    .await?;
    store::one_row(set)
}

/// What waits for this payer's PIN and has not expired, newest first.
pub async fn waiting(conn: &mut Conn, payer: ResidentId, now: Timestamp) -> Result<Vec<Order>> {
    let rows = query(
        "SELECT * FROM trade_order WHERE payer_id IS NOT NULL AND payer_id = $1 AND expires_at > $2
         ORDER BY created_at DESC LIMIT 20",
    )
    .bind(payer.to_bytes())
    .bind(now.as_millis())
    .fetch_all(conn)
    .await?;
    rows.iter().map(order).collect()
}
