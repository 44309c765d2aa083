//! The table of accounts that money was ever held for: bill_advance.

use kernel::Timestamp;
use kernel::ids::BillerId;
use store::{Conn, Row as _, StoreError};

/// Keeps that there may be money for an account.
pub async fn add(
    conn: &mut Conn,
    id: u128,
    biller: BillerId,
    account_no: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    store::query(
        "INSERT INTO bill_advance (id, biller, account_no, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(id.to_be_bytes().to_vec())
    .bind(biller.to_bytes())
    .bind(account_no)
    .bind(now.as_millis())
    .execute(conn)
    .await?;
    Ok(())
}

/// Accounts after one, by their ids in the ledger.
pub async fn after(
    conn: &mut Conn,
    after: u128,
    limit: u32,
) -> Result<Vec<(u128, BillerId, String)>, StoreError> {
    let rows = store::query("SELECT * FROM bill_advance WHERE id > $1 ORDER BY id LIMIT $2")
        .bind(after.to_be_bytes().to_vec())
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            let id: Vec<u8> = row.try_get("id")?;
            let id = id.try_into().map_err(|_| StoreError::Corrupt("bill_advance.id"))?;
            Ok((u128::from_be_bytes(id), store::id(row, "biller")?, row.try_get("account_no")?))
        })
        .collect()
}

/// Account numbers of a biller after one.
pub async fn of_biller(
    conn: &mut Conn,
    biller: BillerId,
    after: &str,
    limit: u32,
) -> Result<Vec<String>, StoreError> {
    let rows = store::query(
        "SELECT account_no FROM bill_advance WHERE biller = $1 AND account_no > $2 ORDER BY account_no LIMIT $3",
    )
    .bind(biller.to_bytes())
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok(row.try_get("account_no")?)).collect()
}
