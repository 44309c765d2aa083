//! SQL behind one door: SQLite or PostgreSQL by address, one text for both.
//!
//! [`Store::read`] hands out a connection for reading; [`Store::write`] runs a closure in a
//! transaction. On SQLite there is one writer, and writers that wait at the same moment share one
//! commit (one sync to disk); on PostgreSQL every write is its own transaction. Nothing is answered
//! before it is durable.
//!
//! Never read-then-write here: use one guarded statement (`UPDATE … WHERE …`, then require one row)
//! or a unique key. Column types are TEXT, BIGINT and BYTEA only, ids are 16-byte BYTEA.

mod error;
mod group;
pub mod jobs;
mod migrate;
mod row;
pub mod testing;

use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyPool, ConnectOptions};

pub use error::StoreError;
pub use group::{BoxFuture, WriteFn};
pub use row::{id, id_opt, one_row};
/// PostgreSQL's own driver, for the ledger's benchmark alone: its baseline needs arrays, which `Any` does not have.
pub use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
pub use sqlx::{AssertSqlSafe, Row, any::AnyRow, query, query_as, query_scalar};

/// A connection to either engine.
pub type Conn = sqlx::AnyConnection;

/// How many connections read at the same time.
const READERS: u32 = 8;

/// An open database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: AnyPool,
    /// Present on SQLite: the one writer, with group commit.
    group: Option<Arc<group::Writer>>,
}

impl Store {
    /// Opens `sqlite:FILE` (created when missing) or `postgres://…` and brings its tables up to date.
    pub async fn open(url: &str) -> Result<Store, StoreError> {
        sqlx::any::install_default_drivers();
        let sqlite = url.starts_with("sqlite:");
        if !sqlite && !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(StoreError::Address(url.split(':').next().unwrap_or_default().to_owned()));
        }
        let address = if sqlite && !url.contains('?') { format!("{url}?mode=rwc") } else { url.to_owned() };
        let options = AnyConnectOptions::from_str(&address)?.disable_statement_logging();
        let pool = pool(sqlite, options.clone(), READERS).await?;
        migrate::run(&pool).await?;
        let group = if sqlite {
            // The writer has a pool of one to itself, so that it survives a broken connection.
            Some(Arc::new(group::Writer::start(self::pool(sqlite, options, 1).await?)))
        } else {
            None
        };
        Ok(Store { pool, group })
    }

    /// A connection for reading. On PostgreSQL it sees every commit answered before this call; on
    /// SQLite as well (WAL snapshot taken at the first statement).
    pub async fn read(&self) -> Result<PoolConnection<Any>, StoreError> {
        Ok(self.pool.acquire().await?)
    }

    /// Runs `f` in a transaction: `Ok` commits, `Err` rolls everything of `f` back. Returns once the
    /// commit is on disk. `f` must not call the store again from inside.
    pub async fn write<T, E, F>(&self, f: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: WriteFn<T, E>,
    {
        if let Some(group) = &self.group {
            return group.write(f).await;
        }
        let mut tx = self.pool.begin().await.map_err(StoreError::from)?;
        let value = f(&mut tx).await?; // dropping the transaction rolls it back
        tx.commit().await.map_err(StoreError::from)?;
        Ok(value)
    }

    /// Whether the database reads and commits, for `/healthz`. On SQLite the commit goes through the one writer.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.write(|conn| {
            Box::pin(async move {
                query_scalar::<_, i64>("SELECT CAST(1 AS BIGINT)").fetch_one(&mut *conn).await?;
                Ok(())
            })
        })
        .await
    }

    /// `sqlite` or `postgres`.
    pub fn engine(&self) -> &'static str {
        if self.group.is_some() { "sqlite" } else { "postgres" }
    }

    /// Finishes the writes that were accepted, then closes every connection.
    pub async fn close(&self) {
        if let Some(group) = &self.group {
            group.close().await;
        }
        self.pool.close().await;
    }
}

/// Durable, concurrent SQLite: write-ahead log, a sync at every commit, constraints on.
const SQLITE_SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
     PRAGMA busy_timeout = 10000; PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;";

async fn pool(sqlite: bool, options: AnyConnectOptions, size: u32) -> Result<AnyPool, StoreError> {
    let pool = AnyPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire(!sqlite)
        .after_connect(move |conn, _| {
            let settings: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(async move {
                if sqlite {
                    sqlx::raw_sql(SQLITE_SETTINGS).execute(conn).await?;
                }
                Ok(())
            });
            settings
        })
        .connect_with(options)
        .await?;
    Ok(pool)
}
