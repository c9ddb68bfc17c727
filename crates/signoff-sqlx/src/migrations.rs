//! signoff's tables, in a migration table of our own, so that the application's migrations and ours do not meet.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// From names and texts, in order.
pub(crate) fn migrator(files: &[(&'static str, &'static str)]) -> Migrator {
    let migration = |(version, (name, sql)): (i64, &(&'static str, &'static str))| {
        Migration::new(version, Cow::Borrowed(*name), MigrationType::Simple, sql.into_sql_str(), false)
    };
    let mut migrator = Migrator::with_migrations((1..).zip(files).map(migration).collect());
    migrator.dangerous_set_table_name("_signoff_migrations");
    migrator
}
