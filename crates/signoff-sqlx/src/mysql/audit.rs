//! The audit trail: SQL and binding.

use signoff::audit::AuditEvent;
use signoff::{Error, Subject};
use sqlx::AssertSqlSafe;
use sqlx::mysql::{MySqlConnection, MySqlPool};

use crate::error::database;
use crate::pack::literal;
use crate::rows::{Record, event};

/// Adds records, all in one statement however many they are.
pub(super) async fn insert(connection: &mut MySqlConnection, events: &[AuditEvent]) -> Result<(), Error> {
    let rows: Vec<_> = events.iter().map(|event| row(&Record::from(event))).collect();
    let sql = format!(
        "INSERT INTO signoff_audit (at, kind, subject, actor, reason, session, logout, detail, address, user_agent) \
         VALUES {}",
        rows.join(", ")
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ()).map_err(database)
}

fn row(record: &Record<'_>) -> String {
    let Record(at, kind, subject, actor, reason, session, logout, detail, address, user_agent) = record;
    let text = |text: Option<&str>| text.map_or_else(|| "NULL".to_owned(), |text| literal(text.as_bytes()));
    let (kind, actor) = (text(Some(kind)), text(Some(actor.as_str())));
    let [subject, reason, session, detail, address, user_agent] =
        [*subject, *reason, *session, *detail, address.as_deref(), *user_agent].map(text);
    let logout = logout.as_ref().map_or_else(|| "NULL".to_owned(), |digits| format!("x'{digits}'"));
    format!("({at}, {kind}, {subject}, {actor}, {reason}, {session}, {logout}, {detail}, {address}, {user_agent})")
}

pub(super) async fn trail(pool: &MySqlPool, subject: &Subject, limit: u32) -> Result<Vec<AuditEvent>, Error> {
    let sql = "SELECT * FROM signoff_audit WHERE subject = ? ORDER BY seq DESC LIMIT ?";
    let query = sqlx::query(sql).bind(subject.as_str().as_bytes()).bind(limit);
    query.fetch_all(pool).await.map_err(database)?.iter().map(event).collect()
}
