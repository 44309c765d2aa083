//! The tables of supply: supply, supply_change, restore_order.

use kernel::ids::{BillerId, RestoreOrderId};
use kernel::{Date, Timestamp};
use store::{AnyRow, AssertSqlSafe, Conn, Row as _, StoreError, one_row};

use super::rules::SupplyState;
use super::{Cause, Change, Order, OrderState, Supply};

type Result<T> = std::result::Result<T, StoreError>;

fn number(day: Option<Date>) -> Option<i64> {
    day.map(|d| i64::from(d.year()) * 10_000 + i64::from(d.month()) * 100 + i64::from(d.day()))
}

fn day(row: &AnyRow) -> Result<Option<Date>> {
    let number: Option<i64> = row.try_get("cut_on")?;
    let text = number.map(|n| format!("{:04}-{:02}-{:02}", n / 10_000, n / 100 % 100, n % 100));
    text.map(|text| text.parse().map_err(|_| StoreError::Corrupt("supply.cut_on"))).transpose()
}

fn state(row: &AnyRow) -> Result<SupplyState> {
    let name: String = row.try_get("state")?;
    SupplyState::from_name(&name).ok_or(StoreError::Corrupt("supply.state"))
}

fn supply(row: &AnyRow) -> Result<Supply> {
    Ok(Supply {
        biller: store::id(row, "biller")?,
        account_no: row.try_get("account_no")?,
        state: state(row)?,
        cut_on: day(row)?,
        since: Some(Timestamp::from_millis(row.try_get("since")?)),
        step: row.try_get("step")?,
    })
}

/// How an account stands; `None` where nobody ever told of it.
pub async fn get(conn: &mut Conn, biller: BillerId, account_no: &str) -> Result<Option<Supply>> {
    let row = store::query("SELECT * FROM supply WHERE biller = $1 AND account_no = $2")
        .bind(biller.to_bytes())
        .bind(account_no)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(supply).transpose()
}

/// Whether any account is cut.
pub async fn any_cut(conn: &mut Conn) -> Result<bool> {
    let row =
        store::query("SELECT state FROM supply WHERE state = 'cut' LIMIT 1").fetch_optional(conn).await?;
    Ok(row.is_some())
}

/// Puts the change after `to.step - 1` and keeps its record. `Guard` when another came in between.
pub async fn change(conn: &mut Conn, to: &Supply, cause: Cause, now: Timestamp) -> Result<()> {
    let done = store::query(
        "INSERT INTO supply (biller, account_no, state, cut_on, since, step) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (biller, account_no) DO UPDATE SET state = $3, cut_on = $4, since = $5, step = $6
         WHERE supply.step = $6 - 1",
    )
    .bind(to.biller.to_bytes())
    .bind(to.account_no.as_str())
    .bind(to.state.name())
    .bind(number(to.cut_on))
    .bind(now.as_millis())
    .bind(to.step)
    .execute(&mut *conn)
    .await?;
    one_row(done)?;
    store::query(
        "INSERT INTO supply_change (biller, account_no, step, state, cut_on, cause, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(to.biller.to_bytes())
    .bind(to.account_no.as_str())
    .bind(to.step)
    .bind(to.state.name())
    .bind(number(to.cut_on))
    .bind(cause.name())
    .bind(now.as_millis())
    .execute(conn)
    .await?;
    Ok(())
}

/// The changes of an account before a step, newest first.
pub async fn changes(
    conn: &mut Conn,
    biller: BillerId,
    account_no: &str,
    before: i64,
    limit: u32,
) -> Result<Vec<Change>> {
    let rows = store::query(
        "SELECT * FROM supply_change WHERE biller = $1 AND account_no = $2 AND step < $3 ORDER BY step DESC LIMIT $4",
    )
    .bind(biller.to_bytes())
    .bind(account_no)
    .bind(before)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    let change = |row: &AnyRow| {
        let cause: String = row.try_get("cause")?;
        Ok(Change {
            step: row.try_get("step")?,
            state: state(row)?,
            cut_on: day(row)?,
            cause: Cause::from_name(&cause).ok_or(StoreError::Corrupt("supply_change.cause"))?,
            at: Timestamp::from_millis(row.try_get("at")?),
        })
    };
    rows.iter().map(change).collect()
}

const ORDER: &str = "id, biller, account_no, state, ordered_at, confirm_by, sent, last_answer, confirmed_at";

fn order(row: &AnyRow) -> Result<Order> {
    let state: String = row.try_get("state")?;
    let confirmed: Option<i64> = row.try_get("confirmed_at")?;
    Ok(Order {
        id: store::id(row, "id")?,
        biller: store::id(row, "biller")?,
        account_no: row.try_get("account_no")?,
        state: OrderState::from_name(&state).ok_or(StoreError::Corrupt("restore_order.state"))?,
        ordered_at: Timestamp::from_millis(row.try_get("ordered_at")?),
        confirm_by: Timestamp::from_millis(row.try_get("confirm_by")?),
        sent: row.try_get("sent")?,
        last_answer: row.try_get("last_answer")?,
        confirmed_at: confirmed.map(Timestamp::from_millis),
    })
}

/// Keeps a new order.
pub async fn add_order(conn: &mut Conn, new: &Order) -> Result<()> {
    store::query(
        "INSERT INTO restore_order (id, biller, account_no, state, ordered_at, confirm_by, sent)
         VALUES ($1, $2, $3, $4, $5, $6, 0)",
    )
    .bind(new.id.to_bytes())
    .bind(new.biller.to_bytes())
    .bind(new.account_no.as_str())
    .bind(new.state.name())
    .bind(new.ordered_at.as_millis())
    .bind(new.confirm_by.as_millis())
    .execute(conn)
    .await?;
    Ok(())
}

/// An order.
pub async fn order_by_id(conn: &mut Conn, id: RestoreOrderId) -> Result<Option<Order>> {
    let sql = format!("SELECT {ORDER} FROM restore_order WHERE id = $1");
    let row = store::query(AssertSqlSafe(sql)).bind(id.to_bytes()).fetch_optional(conn).await?;
    row.as_ref().map(order).transpose()
}

/// The newest order of an account.
pub async fn newest_order(conn: &mut Conn, biller: BillerId, account_no: &str) -> Result<Option<Order>> {
    let sql = format!(
        "SELECT {ORDER} FROM restore_order WHERE biller = $1 AND account_no = $2 ORDER BY ordered_at DESC, id DESC LIMIT 1"
    );
    let query = store::query(AssertSqlSafe(sql)).bind(biller.to_bytes()).bind(account_no);
    query.fetch_optional(conn).await?.as_ref().map(order).transpose()
}

/// The orders of a biller that are not confirmed, after an id.
pub async fn open_orders(
    conn: &mut Conn,
    biller: BillerId,
    after: RestoreOrderId,
    limit: u32,
) -> Result<Vec<Order>> {
    let sql = format!(
        "SELECT {ORDER} FROM restore_order WHERE biller = $1 AND state <> 'confirmed' AND id > $2 ORDER BY id LIMIT $3"
    );
    let query = store::query(AssertSqlSafe(sql)).bind(biller.to_bytes()).bind(after.to_bytes());
    query.bind(i64::from(limit)).fetch_all(conn).await?.iter().map(order).collect()
}

/// Orders that should have been confirmed before `now`, the oldest first.
pub async fn late_orders(conn: &mut Conn, now: Timestamp, limit: u32) -> Result<Vec<Order>> {
    let sql = format!(
        "SELECT {ORDER} FROM restore_order WHERE state <> 'confirmed' AND confirm_by < $1 ORDER BY confirm_by LIMIT $2"
    );
    let query = store::query(AssertSqlSafe(sql)).bind(now.as_millis()).bind(i64::from(limit));
    query.fetch_all(conn).await?.iter().map(order).collect()
}

/// Keeps what came of sending; an order that is confirmed stays so.
pub async fn note_sent(conn: &mut Conn, id: RestoreOrderId, to: OrderState, answer: &str) -> Result<()> {
    store::query(
        "UPDATE restore_order SET state = $1, sent = sent + 1, last_answer = $2 WHERE id = $3 AND state <> 'confirmed'",
    )
    .bind(to.name())
    .bind(answer)
    .bind(id.to_bytes())
    .execute(conn)
    .await?;
    Ok(())
}

/// The orders of an account are done.
pub async fn confirm(conn: &mut Conn, biller: BillerId, account_no: &str, now: Timestamp) -> Result<()> {
    store::query(
        "UPDATE restore_order SET state = 'confirmed', confirmed_at = $1
         WHERE biller = $2 AND account_no = $3 AND state <> 'confirmed'",
    )
    .bind(now.as_millis())
    .bind(biller.to_bytes())
    .bind(account_no)
    .execute(conn)
    .await?;
    Ok(())
}
