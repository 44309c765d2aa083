//! The tables, in the order they came to be. A migration that has landed is never edited; the
//! runner compares checksums and refuses to start on a difference.

use std::borrow::Cow;

use sqlx::AnyPool;
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use crate::StoreError;

/// Number, name and text of every migration; one text for both engines.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "jobs", include_str!("../migrations/0001_jobs.sql")),
    (2, "identity", include_str!("../migrations/0002_identity.sql")),
    (3, "merchant", include_str!("../migrations/0003_merchant.sql")),
    (4, "trade", include_str!("../migrations/0004_trade.sql")),
    (5, "bill", include_str!("../migrations/0005_bill.sql")),
    (6, "event", include_str!("../migrations/0006_event.sql")),
    (7, "identity web", include_str!("../migrations/0007_identity_web.sql")),
    (8, "bill account", include_str!("../migrations/0008_bill_account.sql")),
    (9, "operator", include_str!("../migrations/0009_operator.sql")),
    (10, "operator keys", include_str!("../migrations/0010_operator_keys.sql")),
    (11, "coupon", include_str!("../migrations/0011_coupon.sql")),
    (12, "break days", include_str!("../migrations/0012_break_days.sql")),
    (13, "bill collector", include_str!("../migrations/0013_bill_collector.sql")),
    (14, "mandate", include_str!("../migrations/0014_mandate.sql")),
    (15, "remind", include_str!("../migrations/0015_remind.sql")),
    (16, "family", include_str!("../migrations/0016_family.sql")),
    (17, "supply", include_str!("../migrations/0017_supply.sql")),
    (18, "coverage", include_str!("../migrations/0018_coverage.sql")),
    (19, "bill payout", include_str!("../migrations/0019_bill_payout.sql")),
    (20, "bill provider", include_str!("../migrations/0020_bill_provider.sql")),
    (21, "bill returned", include_str!("../migrations/0021_bill_returned.sql")),
    (22, "bill exchange", include_str!("../migrations/0022_bill_exchange.sql")),
    (23, "complaint", include_str!("../migrations/0023_complaint.sql")),
];

pub(crate) async fn run(pool: &AnyPool) -> Result<(), StoreError> {
    let migrations = MIGRATIONS
        .iter()
        .map(|(version, name, text)| {
            Migration::new(*version, Cow::Borrowed(*name), MigrationType::Simple, text.into_sql_str(), false)
        })
        .collect();
    Migrator::with_migrations(migrations).run(pool).await?;
    Ok(())
}
