//! The audit trail: SQL and binding.

use signoff::audit::AuditEvent;
use signoff::{Error, Subject};
use sqlx::AssertSqlSafe;
use sqlx::mysql::{MySqlConnection, MySqlPool};

use crate::error::database;
use crate::pack::push_literal;
use crate::rows::{Record, event};

/// Adds records, all in one statement however many they are.
pub(super) async fn insert(connection: &mut MySqlConnection, events: &[AuditEvent]) -> Result<(), Error> {
    let mut sql = String::new();
    push_insert(&mut sql, events.iter().map(|event| (event, event.subject.as_ref())));
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ()).map_err(database)
}

/// The statement that adds these, with these subjects, at the end of others.
pub(super) fn push_insert<'a>(sql: &mut String, events: impl Iterator<Item = (&'a AuditEvent, Option<&'a Subject>)>) {
    sql.push_str(
        "INSERT INTO signoff_audit (at, kind, subject, actor, reason, session, logout, detail, address, user_agent) VALUES ",
    );
    let mut before = "(";
    for (event, subject) in events {
        let Record(at, kind, _, actor, reason, session, _, detail, address, user_agent) = &Record::from(event);
        sql.push_str(before);
        before = ", (";
        sql.push_str(&at.to_string());
        let columns: [Option<&[u8]>; 9] = [
            Some(kind.as_bytes()),
            subject.map(|subject| subject.as_str().as_bytes()),
            Some(actor.as_bytes()),
            reason.map(str::as_bytes),
            session.map(str::as_bytes),
            event.logout.as_ref().map(|id| id.as_bytes().as_slice()),
            detail.map(str::as_bytes),
            address.as_deref().map(str::as_bytes),
            user_agent.map(str::as_bytes),
        ];
        for column in columns {
            sql.push_str(", ");
            push_literal(sql, column);
        }
        sql.push(')');
    }
}

pub(super) async fn trail(pool: &MySqlPool, subject: &Subject, limit: u32) -> Result<Vec<AuditEvent>, Error> {
    let sql = "SELECT * FROM signoff_audit WHERE subject = ? ORDER BY seq DESC LIMIT ?";
    let query = sqlx::query(sql).bind(subject.as_str().as_bytes()).bind(limit);
    query.fetch_all(pool).await.map_err(database)?.iter().map(event).collect()
}
