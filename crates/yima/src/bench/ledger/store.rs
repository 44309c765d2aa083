//! The baseline: the ledger that one would otherwise write on PostgreSQL. Two tables, guarded statements.
//! For comparison only; nothing of the product uses it.
//!
//! It does less than the engines it is compared with, always to its own advantage: amounts have 63 bits, a
//! post is of the whole amount, no balance is kept per transfer, nothing expires, no foreign keys are checked
//! (the guards prove that accounts exist), and a refused event is only counted, not explained.

use ledger::{Account, Transfer, TransferFlags};
use store::{AssertSqlSafe, PgPool, PgPoolOptions, PgRow, Row, StoreError, query, query_scalar};

use super::engines::Held;

/// Flags as in the ledger's data model: 2 and 4 are the limits, 32 is closed. Room is left in the pages of accounts, so
/// that an update stays on its page.
const SETUP: &[&str] = &[
    "DROP SCHEMA IF EXISTS yima_bench CASCADE",
    "CREATE SCHEMA yima_bench",
    "CREATE TABLE yima_bench.accounts (
        id BYTEA PRIMARY KEY,
        debits_pending BIGINT NOT NULL DEFAULT 0 CHECK (debits_pending >= 0),
        debits_posted BIGINT NOT NULL DEFAULT 0,
        credits_pending BIGINT NOT NULL DEFAULT 0 CHECK (credits_pending >= 0),
        credits_posted BIGINT NOT NULL DEFAULT 0,
        user_data_128 BYTEA NOT NULL, user_data_64 BIGINT NOT NULL, user_data_32 INTEGER NOT NULL,
        ledger INTEGER NOT NULL, code INTEGER NOT NULL, flags INTEGER NOT NULL,
        seq BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE,
        CHECK (flags & 2 = 0 OR debits_pending + debits_posted <= credits_posted),
        CHECK (flags & 4 = 0 OR credits_pending + credits_posted <= debits_posted)
    ) WITH (fillfactor = 50)",
    "CREATE TABLE yima_bench.transfers (
        id BYTEA PRIMARY KEY,
        debit_account_id BYTEA NOT NULL, credit_account_id BYTEA NOT NULL,
        amount BIGINT NOT NULL CHECK (amount >= 0), pending_id BYTEA,
        user_data_128 BYTEA NOT NULL, user_data_64 BIGINT NOT NULL, user_data_32 INTEGER NOT NULL,
        ledger INTEGER NOT NULL, code INTEGER NOT NULL, flags INTEGER NOT NULL,
        seq BIGINT GENERATED ALWAYS AS IDENTITY
    )",
    "CREATE INDEX transfers_debit ON yima_bench.transfers (debit_account_id, seq)",
    "CREATE INDEX transfers_credit ON yima_bench.transfers (credit_account_id, seq)",
    "CREATE UNIQUE INDEX transfers_pending ON yima_bench.transfers (pending_id) WHERE pending_id IS NOT NULL",
];

const CREATE_ACCOUNTS: &str = "INSERT INTO yima_bench.accounts
        (id, user_data_128, user_data_64, user_data_32, ledger, code, flags)
    SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::int[], $5::int[], $6::int[], $7::int[])
    ON CONFLICT (id) DO NOTHING";

/// One transfer: both accounts locked in the order of their ids (so that two transfers never wait for each other),
/// the transfer written if they may take it and its id is new, the balances changed if it was written.
const MOVE_ONE: &str = "WITH locked AS (
        SELECT id, ledger, flags FROM yima_bench.accounts WHERE id IN ($2, $3) ORDER BY id FOR UPDATE
    ), made AS (
        INSERT INTO yima_bench.transfers (id, debit_account_id, credit_account_id, amount,
            user_data_128, user_data_64, user_data_32, ledger, code, flags)
        SELECT $1, d.id, c.id, $4::bigint, $5, $6, $7, $8, $9, 0 FROM locked d, locked c
        WHERE d.id = $2 AND c.id = $3 AND d.id <> c.id AND d.ledger = $8 AND c.ledger = $8
            AND (d.flags | c.flags) & 32 = 0
        ON CONFLICT (id) DO NOTHING RETURNING amount
    )
    UPDATE yima_bench.accounts a SET
        debits_posted = a.debits_posted + CASE WHEN a.id = $2 THEN made.amount ELSE 0 END,
        credits_posted = a.credits_posted + CASE WHEN a.id = $3 THEN made.amount ELSE 0 END
    FROM made WHERE a.id IN ($2, $3)";

/// One batch at a time, whoever sends it: two that update the same accounts in different orders would deadlock.
const ALONE: &str = "SELECT pg_advisory_xact_lock(7919)";

/// A batch of transfers, pending or not. A row that no guard lets pass, or whose id is taken, is left out alone; a limit of
/// an account that the whole batch would break fails the whole batch.
const MOVE_BATCH: &str = "WITH made AS (
        INSERT INTO yima_bench.transfers (id, debit_account_id, credit_account_id, amount,
            user_data_128, user_data_64, user_data_32, ledger, code, flags)
        SELECT s.id, d.id, c.id, s.amount, s.user_data_128, s.user_data_64, s.user_data_32, s.ledger, s.code, s.flags
        FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bytea[], $6::bigint[], $7::int[],
                $8::int[], $9::int[], $10::int[]) WITH ORDINALITY AS s (id, debit, credit, amount,
                user_data_128, user_data_64, user_data_32, ledger, code, flags, n)
        JOIN yima_bench.accounts d ON d.id = s.debit AND d.ledger = s.ledger AND d.flags & 32 = 0
        JOIN yima_bench.accounts c ON c.id = s.credit AND c.ledger = s.ledger AND c.flags & 32 = 0
        WHERE s.debit <> s.credit ORDER BY s.n
        ON CONFLICT (id) DO NOTHING RETURNING debit_account_id, credit_account_id, amount, flags
    ), sums AS (
        SELECT id, sum(debit) FILTER (WHERE pending)::bigint AS debit_pending,
            sum(debit) FILTER (WHERE NOT pending)::bigint AS debit,
            sum(credit) FILTER (WHERE pending)::bigint AS credit_pending,
            sum(credit) FILTER (WHERE NOT pending)::bigint AS credit
        FROM (SELECT debit_account_id AS id, amount AS debit, 0 AS credit, flags & 2 <> 0 AS pending FROM made
            UNION ALL SELECT credit_account_id, 0, amount, flags & 2 <> 0 FROM made) AS sides GROUP BY id
    ), moved AS (
        UPDATE yima_bench.accounts a SET
            debits_pending = a.debits_pending + coalesce(s.debit_pending, 0),
            debits_posted = a.debits_posted + coalesce(s.debit, 0),
            credits_pending = a.credits_pending + coalesce(s.credit_pending, 0),
            credits_posted = a.credits_posted + coalesce(s.credit, 0)
        FROM sums s WHERE a.id = s.id
    )
    SELECT count(*) FROM made";

/// A batch of posts, each of the whole pending amount. A pending transfer is resolved once: its id is unique among posts.
const POST_BATCH: &str = "WITH made AS (
        INSERT INTO yima_bench.transfers (id, debit_account_id, credit_account_id, amount, pending_id,
            user_data_128, user_data_64, user_data_32, ledger, code, flags)
        SELECT s.id, p.debit_account_id, p.credit_account_id, p.amount, p.id,
            s.user_data_128, s.user_data_64, s.user_data_32, p.ledger, p.code, s.flags
        FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bytea[], $6::bigint[], $7::int[],
                $8::int[], $9::int[], $10::int[], $11::bytea[]) WITH ORDINALITY AS s (id, debit, credit, amount,
                user_data_128, user_data_64, user_data_32, ledger, code, flags, pending_id, n)
        JOIN yima_bench.transfers p ON p.id = s.pending_id AND p.flags & 2 <> 0 AND p.debit_account_id = s.debit
            AND p.credit_account_id = s.credit AND p.amount = s.amount AND p.ledger = s.ledger AND p.code = s.code
        ORDER BY s.n
        ON CONFLICT DO NOTHING RETURNING debit_account_id, credit_account_id, amount
    ), sums AS (
        SELECT id, sum(debit)::bigint AS debit, sum(credit)::bigint AS credit
        FROM (SELECT debit_account_id AS id, amount AS debit, 0 AS credit FROM made
            UNION ALL SELECT credit_account_id, 0, amount FROM made) AS sides GROUP BY id
    ), moved AS (
        UPDATE yima_bench.accounts a SET
            debits_pending = a.debits_pending - s.debit, debits_posted = a.debits_posted + s.debit,
            credits_pending = a.credits_pending - s.credit, credits_posted = a.credits_posted + s.credit
        FROM sums s WHERE a.id = s.id
    )
    SELECT count(*) FROM made";

const ACCOUNTS: &str = "SELECT a.id, a.debits_pending + a.credits_pending, a.debits_posted, a.credits_posted, a.seq
    FROM unnest($1::bytea[]) WITH ORDINALITY AS s (id, n) JOIN yima_bench.accounts a ON a.id = s.id ORDER BY s.n";
const ACCOUNTS_AFTER: &str = "SELECT id, debits_pending + credits_pending, debits_posted, credits_posted, seq
    FROM yima_bench.accounts WHERE seq > $1 ORDER BY seq LIMIT $2";
const TRANSFERS: &str = "SELECT t.* FROM unnest($1::bytea[]) WITH ORDINALITY AS s (id, n)
    JOIN yima_bench.transfers t ON t.id = s.id ORDER BY s.n";
const NEWEST: &str = "SELECT * FROM (
        (SELECT * FROM yima_bench.transfers WHERE debit_account_id = $1 ORDER BY seq DESC LIMIT $2)
        UNION ALL
        (SELECT * FROM yima_bench.transfers WHERE credit_account_id = $1 ORDER BY seq DESC LIMIT $2)
    ) AS both_sides ORDER BY seq DESC LIMIT $2";
const BYTES: &str =
    "SELECT pg_total_relation_size('yima_bench.accounts') + pg_total_relation_size('yima_bench.transfers')";

/// The tables of the baseline.
#[derive(Debug)]
pub struct Baseline {
    pool: PgPool,
}

/// A batch as the driver takes it: a column each. Made before the clock runs.
#[derive(Debug, Default)]
pub struct Columns {
    id: Vec<[u8; 16]>,
    debit: Vec<[u8; 16]>,
    credit: Vec<[u8; 16]>,
    amount: Vec<i64>,
    data_128: Vec<[u8; 16]>,
    data_64: Vec<i64>,
    data_32: Vec<i32>,
    ledger: Vec<i32>,
    code: Vec<i32>,
    flags: Vec<i32>,
    pending: Vec<[u8; 16]>,
    posts: bool,
}

impl Columns {
    /// All of them posts, or none.
    pub fn new(events: &[Transfer]) -> Columns {
        let mut columns = Columns::default();
        for event in events {
            columns.id.push(event.id.to_be_bytes());
            columns.debit.push(event.debit_account_id.to_be_bytes());
            columns.credit.push(event.credit_account_id.to_be_bytes());
            columns.amount.push(amount(event));
            columns.data_128.push(event.user_data_128.to_be_bytes());
            columns.data_64.push(event.user_data_64.cast_signed());
            columns.data_32.push(event.user_data_32.cast_signed());
            columns.ledger.push(event.ledger.cast_signed());
            columns.code.push(i32::from(event.code));
            columns.flags.push(i32::from(event.flags.bits()));
            columns.pending.push(event.pending_id.to_be_bytes());
        }
        columns.posts = events.first().is_some_and(|event| event.pending_id != 0);
        columns
    }
}

impl Baseline {
    /// Connects; with `fresh` the tables are made anew, whatever they held.
    pub async fn open(url: &str, connections: u32, fresh: bool) -> Result<Baseline, StoreError> {
        let wait = std::time::Duration::from_mins(5); // callers are more than connections
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(wait)
            .test_before_acquire(false)
            .connect(url)
            .await?;
        if fresh {
            for statement in SETUP {
                query(AssertSqlSafe(*statement)).execute(&pool).await?;
            }
        }
        Ok(Baseline { pool })
    }

    /// Creates them; answers with how many were new.
    pub async fn create_accounts(&self, events: &[Account]) -> Result<u64, StoreError> {
        let ids: Vec<_> = events.iter().map(|a| a.id.to_be_bytes()).collect();
        let data_128: Vec<_> = events.iter().map(|a| a.user_data_128.to_be_bytes()).collect();
        let data_64: Vec<_> = events.iter().map(|a| a.user_data_64.cast_signed()).collect();
        let data_32: Vec<_> = events.iter().map(|a| a.user_data_32.cast_signed()).collect();
        let ledgers: Vec<_> = events.iter().map(|a| a.ledger.cast_signed()).collect();
        let codes: Vec<_> = events.iter().map(|a| i32::from(a.code)).collect();
        let flags: Vec<_> = events.iter().map(|a| i32::from(a.flags.bits())).collect();
        let made = query(CREATE_ACCOUNTS).bind(ids).bind(data_128).bind(data_64).bind(data_32).bind(ledgers);
        Ok(made.bind(codes).bind(flags).execute(&self.pool).await?.rows_affected())
    }

    /// What the statistics of a table that has just been filled should say; else the planner guesses.
    pub async fn settle(&self) -> Result<(), StoreError> {
        query("VACUUM ANALYZE yima_bench.accounts").execute(&self.pool).await?;
        Ok(())
    }

    /// One batch in one transaction; answers with how many were created.
    pub async fn create_transfers(&self, batch: Columns) -> Result<u64, StoreError> {
        let mut tx = self.pool.begin().await?;
        query(ALONE).execute(&mut *tx).await?;
        let posts = batch.posts;
        let made = query_scalar::<_, i64>(if posts { POST_BATCH } else { MOVE_BATCH });
        let made = made.bind(batch.id).bind(batch.debit).bind(batch.credit).bind(batch.amount);
        let made = made.bind(batch.data_128).bind(batch.data_64).bind(batch.data_32).bind(batch.ledger);
        let made = made.bind(batch.code).bind(batch.flags);
        let made = if posts { made.bind(batch.pending) } else { made };
        let made = made.fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(made.cast_unsigned())
    }

    /// One transfer, a transaction of its own; answers with whether it was created.
    pub async fn create_transfer(&self, event: &Transfer) -> Result<bool, StoreError> {
        let moved = query(MOVE_ONE)
            .bind(event.id.to_be_bytes())
            .bind(event.debit_account_id.to_be_bytes())
            .bind(event.credit_account_id.to_be_bytes())
            .bind(amount(event))
            .bind(event.user_data_128.to_be_bytes())
            .bind(event.user_data_64.cast_signed())
            .bind(event.user_data_32.cast_signed())
            .bind(event.ledger.cast_signed())
            .bind(i32::from(event.code));
        Ok(moved.execute(&self.pool).await?.rows_affected() == 2)
    }

    /// The accounts of these ids, in their order.
    pub async fn accounts(&self, ids: &[u128]) -> Result<Vec<Held>, StoreError> {
        let ids: Vec<_> = ids.iter().map(|id| id.to_be_bytes()).collect();
        query(ACCOUNTS).bind(ids).fetch_all(&self.pool).await?.iter().map(held).collect()
    }

    /// Accounts in the order of their creation, from behind this one.
    pub async fn accounts_after(&self, after: u64, limit: u32) -> Result<Vec<Held>, StoreError> {
        let found = query(ACCOUNTS_AFTER).bind(after.cast_signed()).bind(i64::from(limit));
        found.fetch_all(&self.pool).await?.iter().map(held).collect()
    }

    /// The transfers of these ids, in their order.
    pub async fn transfers(&self, ids: &[u128]) -> Result<Vec<Transfer>, StoreError> {
        let ids: Vec<_> = ids.iter().map(|id| id.to_be_bytes()).collect();
        query(TRANSFERS).bind(ids).fetch_all(&self.pool).await?.iter().map(transfer).collect()
    }

    /// The newest transfers of an account.
    pub async fn newest(&self, account: u128, limit: u32) -> Result<Vec<Transfer>, StoreError> {
        let found = query(NEWEST).bind(account.to_be_bytes()).bind(i64::from(limit));
        found.fetch_all(&self.pool).await?.iter().map(transfer).collect()
    }

    /// What both tables and their indexes take on disk.
    pub async fn bytes(&self) -> Result<u64, StoreError> {
        Ok(query_scalar::<_, i64>(BYTES).fetch_one(&self.pool).await?.cast_unsigned())
    }
}

fn amount(event: &Transfer) -> i64 {
    i64::try_from(event.amount).unwrap_or(-1) // refused by the table
}

fn held(row: &PgRow) -> Result<Held, StoreError> {
    let number = |column| row.try_get::<i64, _>(column).map(i64::cast_unsigned);
    let id = u128::from_be_bytes(row.try_get(0)?);
    let (open, debits, credits) = (number(1)?.into(), number(2)?.into(), number(3)?.into());
    Ok(Held { id, open, debits, credits, timestamp: number(4)? })
}

fn transfer(row: &PgRow) -> Result<Transfer, StoreError> {
    let id = |column| row.try_get::<[u8; 16], _>(column).map(u128::from_be_bytes);
    let long = |column| row.try_get::<i64, _>(column).map(i64::cast_unsigned);
    let int = |column| row.try_get::<i32, _>(column).map(i32::cast_unsigned);
    let pending = row.try_get::<Option<[u8; 16]>, _>("pending_id")?;
    Ok(Transfer {
        id: id("id")?,
        debit_account_id: id("debit_account_id")?,
        credit_account_id: id("credit_account_id")?,
        amount: long("amount")?.into(),
        pending_id: pending.map_or(0, u128::from_be_bytes),
        user_data_128: id("user_data_128")?,
        user_data_64: long("user_data_64")?,
        user_data_32: int("user_data_32")?,
        ledger: int("ledger")?,
        code: u16::try_from(int("code")?).unwrap_or(0),
        flags: TransferFlags(u16::try_from(int("flags")?).unwrap_or(0)),
        timestamp: long("seq")?,
        ..Transfer::default()
    })
}
