//! The tables of payouts by bank.

use channel::iso20022::Party;
use kernel::Timestamp;
use kernel::ids::{BillerId, PaymentId};
use store::{AnyRow, Conn, Row, StoreError, one_row};

use super::rules::{Code, State};
use super::{Batch, Break, Order, Taken};
use crate::bill::store::{date_number, date_of};

const ORDER: &str =
    "SELECT o.id, o.biller, o.day, o.due, o.amount, o.state, o.reason, o.creditor, b.name AS batch, o.of,
     o.again_at, o.back, o.noted, o.stated, o.updated_at, n.id AS again
     FROM payout_order o LEFT JOIN payout_batch b ON b.id = o.batch LEFT JOIN payout_order n ON n.of = o.id";

fn sql(rest: &str) -> store::AssertSqlSafe<String> {
    store::AssertSqlSafe(format!("{ORDER} {rest}"))
}

fn party(text: &str) -> Result<Party, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt("payout party"))
}

fn party_text(party: &Party) -> Result<String, StoreError> {
    serde_json::to_string(party).map_err(|_| StoreError::Corrupt("payout party"))
}

fn order(row: &AnyRow) -> Result<Order, StoreError> {
    let day = |name: &'static str| date_of(row.try_get(name)?).ok_or(StoreError::Corrupt("payout_order.day"));
    let state: String = row.try_get("state")?;
    let creditor: Option<String> = row.try_get("creditor")?;
    let flag = |name| Ok::<_, StoreError>(row.try_get::<i64, _>(name)? != 0);
    Ok(Order {
        id: store::id(row, "id")?,
        biller: store::id(row, "biller")?,
        day: day("day")?,
        due: day("due")?,
        amount_minor: row.try_get("amount")?,
        state: State::from_name(&state).ok_or(StoreError::Corrupt("payout_order.state"))?,
        reason: row.try_get("reason")?,
        creditor: creditor.as_deref().map(party).transpose()?,
        batch: row.try_get("batch")?,
        instead_of: store::id_opt(row, "of")?,
        again_at: row.try_get::<Option<i64>, _>("again_at")?.map(Timestamp::from_millis),
        again: store::id_opt(row, "again")?,
        back: flag("back")?,
        noted: flag("noted")?,
        stated: flag("stated")?,
        updated_at: Timestamp::from_millis(row.try_get("updated_at")?),
    })
}

/// Keeps an order, unless it is there.
pub async fn add(conn: &mut Conn, order: &Order) -> Result<(), StoreError> {
    store::query(
        "INSERT INTO payout_order (id, biller, day, due, amount, state, reason, of, back, noted, stated, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, '', $7, 0, 0, 0, $8) ON CONFLICT DO NOTHING",
    )
    .bind(order.id.to_bytes())
    .bind(order.biller.to_bytes())
    .bind(date_number(order.day))
    .bind(date_number(order.due))
    .bind(order.amount_minor)
    .bind(order.state.name())
    .bind(order.instead_of.map(PaymentId::to_bytes))
    .bind(order.updated_at.as_millis())
    .execute(conn)
    .await?;
    Ok(())
}

/// An order.
pub async fn by_id(conn: &mut Conn, id: PaymentId) -> Result<Option<Order>, StoreError> {
    let row = store::query(sql("WHERE o.id = $1")).bind(id.to_bytes()).fetch_optional(conn).await?;
    row.as_ref().map(order).transpose()
}

/// The orders of a batch, in the order they stand in it.
pub async fn of_batch(conn: &mut Conn, batch: &str) -> Result<Vec<Order>, StoreError> {
    let rows = store::query(sql("WHERE b.name = $1 ORDER BY o.id")).bind(batch).fetch_all(conn).await?;
    rows.iter().map(order).collect()
}

/// The orders that wait, due on a day or before.
pub async fn waiting(conn: &mut Conn, day: i64, limit: u32) -> Result<Vec<Order>, StoreError> {
    let rows = store::query(sql("WHERE o.state = 'due' AND o.due <= $1 ORDER BY o.due, o.id LIMIT $2"))
        .bind(day)
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await?;
    rows.iter().map(order).collect()
}

/// Orders after an id, all or of one state.
pub async fn list(
    conn: &mut Conn,
    state: Option<State>,
    biller: Option<BillerId>,
    after: Option<PaymentId>,
    limit: u32,
) -> Result<Vec<Order>, StoreError> {
    let rows = store::query(sql(
        "WHERE ($1 = '' OR o.state = $1) AND ($2 = 0 OR o.biller = $3) AND o.id > $4 ORDER BY o.id LIMIT $5",
    ))
    .bind(state.map_or("", State::name))
    .bind(i64::from(biller.is_some()))
    .bind(biller.map(BillerId::to_bytes).unwrap_or_default())
    .bind(after.map(PaymentId::to_bytes).unwrap_or_default())
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(order).collect()
}

/// Orders whose money has to go back, or that have to be booked again.
pub async fn undone(conn: &mut Conn) -> Result<Vec<Order>, StoreError> {
    let rows = store::query(sql(
        "WHERE o.state IN ('rejected', 'returned') AND (o.back = 0 OR (o.again_at IS NOT NULL AND n.id IS NULL))
         ORDER BY o.id LIMIT 1000",
    ))
    .fetch_all(conn)
    .await?;
    rows.iter().map(order).collect()
}

/// Notes that the money is the biller's again.
pub async fn set_back(conn: &mut Conn, id: PaymentId) -> Result<(), StoreError> {
    let set = "UPDATE payout_order SET back = 1 WHERE id = $1";
    store::query(set).bind(id.to_bytes()).execute(conn).await?;
    Ok(())
}

/// Notes that it is to be sent again; whether it could be.
pub async fn set_again(conn: &mut Conn, id: PaymentId, now: Timestamp) -> Result<bool, StoreError> {
    let set = store::query(
        "UPDATE payout_order SET again_at = $2, updated_at = $2
         WHERE id = $1 AND state IN ('rejected', 'returned') AND again_at IS NULL",
    );
    let done = set.bind(id.to_bytes()).bind(now.as_millis()).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

/// The state it has becomes another; refused where it is not (any more) as it was read.
pub async fn put_state(conn: &mut Conn, was: &Order, now: &Order) -> Result<(), StoreError> {
    let done = store::query(
        "UPDATE payout_order SET state = $3, reason = $4, noted = $5, stated = $6, updated_at = $7
         WHERE id = $1 AND state = $2 AND noted = $8 AND stated = $9",
    )
    .bind(was.id.to_bytes())
    .bind(was.state.name())
    .bind(now.state.name())
    .bind(now.reason.as_str())
    .bind(i64::from(now.noted))
    .bind(i64::from(now.stated))
    .bind(now.updated_at.as_millis())
    .bind(i64::from(was.noted))
    .bind(i64::from(was.stated))
    .execute(conn)
    .await?;
    one_row(done)
}

/// The number that the day's next batch has.
pub async fn next_number(conn: &mut Conn, day: i64) -> Result<i64, StoreError> {
    let row = store::query("SELECT COUNT(*) AS made FROM payout_batch WHERE day = $1")
        .bind(day)
        .fetch_one(conn)
        .await?;
    Ok(row.try_get::<i64, _>("made")? + 1)
}

/// Keeps a batch and puts the orders into it: all, or none.
pub async fn put_batch(
    conn: &mut Conn,
    id: PaymentId,
    batch: &Batch,
    orders: &[(PaymentId, Party)],
) -> Result<(), StoreError> {
    let made = store::query(
        "INSERT INTO payout_batch (id, name, day, number, debtor, orders, amount, made_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
    )
    .bind(id.to_bytes())
    .bind(batch.name.as_str())
    .bind(date_number(batch.day))
    .bind(i64::from(batch.number))
    .bind(party_text(&batch.debtor)?)
    .bind(i64::try_from(orders.len()).unwrap_or(i64::MAX))
    .bind(batch.amount_minor)
    .bind(batch.made_at.as_millis())
    .execute(&mut *conn)
    .await?;
    one_row(made)?;
    for (order, creditor) in orders {
        let put = store::query(
            "UPDATE payout_order SET batch = $2, creditor = $3, state = 'sent', updated_at = $4
             WHERE id = $1 AND state = 'due' AND batch IS NULL",
        )
        .bind(order.to_bytes())
        .bind(id.to_bytes())
        .bind(party_text(creditor)?)
        .bind(batch.made_at.as_millis())
        .execute(&mut *conn)
        .await?;
        one_row(put)?;
    }
    Ok(())
}

fn batch(row: &AnyRow) -> Result<Batch, StoreError> {
    let number: i64 = row.try_get("number")?;
    let orders: i64 = row.try_get("orders")?;
    let debtor: String = row.try_get("debtor")?;
    Ok(Batch {
        name: row.try_get("name")?,
        day: date_of(row.try_get("day")?).ok_or(StoreError::Corrupt("payout_batch.day"))?,
        number: u32::try_from(number).map_err(|_| StoreError::Corrupt("payout_batch.number"))?,
        debtor: party(&debtor)?,
        orders: u64::try_from(orders).unwrap_or(0),
        amount_minor: row.try_get("amount")?,
        made_at: Timestamp::from_millis(row.try_get("made_at")?),
    })
}

/// A batch by its name.
pub async fn batch_named(conn: &mut Conn, name: &str) -> Result<Option<Batch>, StoreError> {
    let row =
        store::query("SELECT * FROM payout_batch WHERE name = $1").bind(name).fetch_optional(conn).await?;
    row.as_ref().map(batch).transpose()
}

/// Batches, the newest first, before one made then.
pub async fn batches(conn: &mut Conn, before: Timestamp, limit: u32) -> Result<Vec<Batch>, StoreError> {
    let rows = store::query("SELECT * FROM payout_batch WHERE made_at < $1 ORDER BY made_at DESC LIMIT $2")
        .bind(before.as_millis())
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await?;
    rows.iter().map(batch).collect()
}

/// A message that was taken: its SHA-256 and what it came to.
pub async fn message(conn: &mut Conn, kind: &str, name: &str) -> Result<Option<(String, Taken)>, StoreError> {
    let row =
        store::query("SELECT sha256, changed, breaks FROM payout_message WHERE kind = $1 AND name = $2")
            .bind(kind)
            .bind(name)
            .fetch_optional(conn)
            .await?;
    let Some(row) = row else { return Ok(None) };
    let count = |name| Ok::<_, StoreError>(u64::try_from(row.try_get::<i64, _>(name)?).unwrap_or(0));
    let taken = Taken { changed: count("changed")?, breaks: count("breaks")?, repeated: true };
    Ok(Some((row.try_get("sha256")?, taken)))
}

/// Keeps that a message was taken; refused where it was.
pub async fn put_message(
    conn: &mut Conn,
    (kind, name, sha256): (&str, &str, &str),
    taken: Taken,
    now: Timestamp,
) -> Result<(), StoreError> {
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let put = store::query(
        "INSERT INTO payout_message (kind, name, sha256, taken_at, changed, breaks) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT DO NOTHING",
    )
    .bind(kind)
    .bind(name)
    .bind(sha256)
    .bind(now.as_millis())
    .bind(count(taken.changed))
    .bind(count(taken.breaks))
    .execute(conn)
    .await?;
    one_row(put)
}

/// Keeps a disagreement, unless it is there.
pub async fn put_break(conn: &mut Conn, found: &Break) -> Result<(), StoreError> {
    store::query(
        "INSERT INTO payout_break (id, found_at, message, code, reference, ours, theirs)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
    )
    .bind(found.id.to_bytes())
    .bind(found.found_at.as_millis())
    .bind(found.message.as_str())
    .bind(found.code.name())
    .bind(found.reference.as_str())
    .bind(found.ours_minor)
    .bind(found.theirs_minor)
    .execute(conn)
    .await?;
    Ok(())
}

/// What a statement lacked has come.
pub async fn resolve(conn: &mut Conn, reference: &str, now: Timestamp) -> Result<(), StoreError> {
    let set = "UPDATE payout_break SET resolved_at = $2 WHERE reference = $1 AND code = 'not_booked' AND resolved_at IS NULL";
    store::query(set).bind(reference).bind(now.as_millis()).execute(conn).await?;
    Ok(())
}

/// Orders of batches before a day that the bank has neither booked nor sent back.
pub async fn unbooked(conn: &mut Conn, before: i64) -> Result<Vec<Order>, StoreError> {
    let rows = store::query(sql("WHERE o.state IN ('sent', 'accepted') AND b.day < $1 ORDER BY o.id"))
        .bind(before)
        .fetch_all(conn)
        .await?;
    rows.iter().map(order).collect()
}

/// Disagreements, the newest first, before an instant.
pub async fn breaks(
    conn: &mut Conn,
    open_only: bool,
    before: Option<(Timestamp, Vec<u8>)>,
    limit: u32,
) -> Result<Vec<Break>, StoreError> {
    let (at, id) = before.map_or((i64::MAX, Vec::new()), |(at, id)| (at.as_millis(), id));
    let rows = store::query(
        "SELECT * FROM payout_break WHERE ($1 = 0 OR resolved_at IS NULL)
         AND (found_at < $2 OR (found_at = $2 AND id < $3)) ORDER BY found_at DESC, id DESC LIMIT $4",
    )
    .bind(i64::from(open_only))
    .bind(at)
    .bind(id)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let code: String = row.try_get("code")?;
            Ok(Break {
                id: store::id(row, "id")?,
                found_at: Timestamp::from_millis(row.try_get("found_at")?),
                message: row.try_get("message")?,
                code: Code::from_name(&code).ok_or(StoreError::Corrupt("payout_break.code"))?,
                reference: row.try_get("reference")?,
                ours_minor: row.try_get("ours")?,
                theirs_minor: row.try_get("theirs")?,
                resolved_at: row.try_get::<Option<i64>, _>("resolved_at")?.map(Timestamp::from_millis),
            })
        })
        .collect()
}
