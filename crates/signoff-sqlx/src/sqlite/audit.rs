//! The audit trail: SQL and binding.

use signoff::audit::AuditEvent;
use signoff::{Error, Subject};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;

use crate::error::database;
use crate::pack::json;
use crate::rows::{Record, event};

/// Adds records, all in one statement however many they are.
pub(super) async fn insert(connection: &mut SqliteConnection, events: &[AuditEvent]) -> Result<(), Error> {
    let rows: Vec<_> = events.iter().map(Record::from).collect();
    let sql = "INSERT INTO signoff_audit (at, kind, subject, actor, reason, session, logout, detail, address, user_agent) \
               SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, unhex(value ->> 6), \
               value ->> 7, value ->> 8, value ->> 9 FROM json_each(?) ORDER BY key";
    sqlx::query(sql).bind(json(&rows)?).execute(connection).await.map(|_| ()).map_err(database)
}

pub(super) async fn trail(pool: &SqlitePool, subject: &Subject, limit: u32) -> Result<Vec<AuditEvent>, Error> {
    let rows = sqlx::query("SELECT * FROM signoff_audit WHERE subject = ? ORDER BY seq DESC LIMIT ?")
        .bind(subject.as_str())
        .bind(limit)
        .fetch_all(pool)
        .await
        .map_err(database)?;
    rows.iter().map(event).collect()
}
