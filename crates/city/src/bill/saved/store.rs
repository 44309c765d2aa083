//! The tables of accounts that residents keep: bill_account, bill_account_count.

use kernel::Timestamp;
use kernel::ids::{BillerId, ResidentId};
use store::{AnyRow, Conn, Row as _, StoreError, one_row};

use super::{SAVED_MAX, Saved};

type Result<T> = std::result::Result<T, StoreError>;

fn saved(row: &AnyRow) -> Result<Saved> {
    Ok(Saved {
        resident: store::id(row, "resident_id")?,
        biller: store::id(row, "biller")?,
        account_no: row.try_get("account_no")?,
        label: row.try_get("label")?,
        remind: row.try_get::<Option<i64>, _>("remind_at")?.is_some(),
        saved_at: Timestamp::from_millis(row.try_get("saved_at")?),
    })
}

/// Holds the resident's count until the end of the transaction, so that changes come one after another.
pub async fn hold(conn: &mut Conn, resident: ResidentId) -> Result<()> {
    store::query(
        "INSERT INTO bill_account_count (resident_id, kept) VALUES ($1, 0)
         ON CONFLICT (resident_id) DO UPDATE SET kept = bill_account_count.kept",
    )
    .bind(resident.to_bytes())
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts another one; `false` when the resident keeps as many as may be.
pub async fn count_one_more(conn: &mut Conn, resident: ResidentId) -> Result<bool> {
    let done =
        store::query("UPDATE bill_account_count SET kept = kept + 1 WHERE resident_id = $1 AND kept < $2")
            .bind(resident.to_bytes())
            .bind(SAVED_MAX)
            .execute(conn)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// Counts one less.
pub async fn count_one_less(conn: &mut Conn, resident: ResidentId) -> Result<()> {
    let done =
        store::query("UPDATE bill_account_count SET kept = kept - 1 WHERE resident_id = $1 AND kept > 0")
            .bind(resident.to_bytes())
            .execute(conn)
            .await?;
    one_row(done)
}

/// Changes label and reminder of an account that is kept; `None` when it is not.
pub async fn change(conn: &mut Conn, wanted: &Saved) -> Result<Option<Saved>> {
    let row = store::query(
        "UPDATE bill_account SET label = $4, remind_at = CASE WHEN $5 = 0 THEN NULL ELSE COALESCE(remind_at, $6) END
         WHERE resident_id = $1 AND biller = $2 AND account_no = $3 RETURNING *",
    )
    .bind(wanted.resident.to_bytes())
    .bind(wanted.biller.to_bytes())
    .bind(wanted.account_no.as_str())
    .bind(wanted.label.as_deref())
    .bind(i64::from(wanted.remind))
    .bind(wanted.saved_at.as_millis())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(saved).transpose()
}

/// Adds an account that is not kept yet.
pub async fn add(conn: &mut Conn, new: &Saved) -> Result<()> {
    store::query(
        "INSERT INTO bill_account (resident_id, biller, account_no, label, remind_at, saved_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(new.resident.to_bytes())
    .bind(new.biller.to_bytes())
    .bind(new.account_no.as_str())
    .bind(new.label.as_deref())
    .bind(new.remind.then(|| new.saved_at.as_millis()))
    .bind(new.saved_at.as_millis())
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes an account; `false` when it was not kept.
pub async fn remove(
    conn: &mut Conn,
    resident: ResidentId,
    biller: BillerId,
    account_no: &str,
) -> Result<bool> {
    let done =
        store::query("DELETE FROM bill_account WHERE resident_id = $1 AND biller = $2 AND account_no = $3")
            .bind(resident.to_bytes())
            .bind(biller.to_bytes())
            .bind(account_no)
            .execute(conn)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// The accounts that a resident keeps, first kept first.
pub async fn of(conn: &mut Conn, resident: ResidentId) -> Result<Vec<Saved>> {
    let rows = store::query(
        "SELECT * FROM bill_account WHERE resident_id = $1 ORDER BY saved_at, biller, account_no",
    )
    .bind(resident.to_bytes())
    .fetch_all(conn)
    .await?;
    rows.iter().map(saved).collect()
}

/// The next accounts whose keepers want to be reminded.
pub async fn reminded(
    conn: &mut Conn,
    after: Option<(ResidentId, BillerId, String)>,
    limit: u32,
) -> Result<Vec<Saved>> {
    let (resident, biller, account_no) =
        after.map_or((Vec::new(), Vec::new(), String::new()), |(r, b, n)| (r.to_bytes(), b.to_bytes(), n));
    let rows = store::query(
        "SELECT * FROM bill_account WHERE (resident_id, biller, account_no) > ($1, $2, $3) AND remind_at IS NOT NULL
         ORDER BY resident_id, biller, account_no LIMIT $4",
    )
    .bind(resident)
    .bind(biller)
    .bind(account_no)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(saved).collect()
}

/// Who keeps this account and wants to be reminded.
pub async fn reminded_of(conn: &mut Conn, biller: BillerId, account_no: &str) -> Result<Vec<ResidentId>> {
    let rows = store::query(
        "SELECT resident_id FROM bill_account WHERE biller = $1 AND account_no = $2 AND remind_at IS NOT NULL
         ORDER BY resident_id",
    )
    .bind(biller.to_bytes())
    .bind(account_no)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| store::id(row, "resident_id")).collect()
}
