//! Fresh databases for tests: a file in the test's own directory, or, where `YIMA_TEST_POSTGRES`
//! names a server (`postgres://user@host:port`), a database of its own there. Never used by the product.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection as _};

use crate::{Conn, StoreError};

/// The address of an empty database for one test.
pub async fn fresh_url(dir: &Path, rng: &dyn kernel::Rng) -> Result<String, StoreError> {
    let Ok(server) = std::env::var("YIMA_TEST_POSTGRES") else {
        return Ok(format!("sqlite:{}", dir.join("yima.db").display()));
    };
    sqlx::any::install_default_drivers();
    let name = format!("yima_{:032x}", rng.u128());
    let mut conn = <Conn as sqlx::Connection>::connect(&format!("{server}/postgres")).await?;
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut conn).await?;
    conn.close().await?;
    Ok(format!("{server}/{name}"))
}
