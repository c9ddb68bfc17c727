//! The audit trail: SQL and binding.

use signoff::audit::AuditEvent;
use signoff::{Error, Subject};
use sqlx::mysql::{MySqlConnection, MySqlPool};

use super::text::{self, Insert};
use crate::error::database;
use crate::rows::{Record, event};

/// Adds records, all in one statement however many they are.
pub(super) async fn insert(connection: &mut MySqlConnection, events: &[AuditEvent]) -> Result<(), Error> {
    let mut sql = String::new();
    push_insert(&mut sql, events.iter().map(|event| (event, event.subject.as_ref())));
    text::rows(connection, sql).await.map(drop)
}

/// The statement that adds these, with these subjects, at the end of others.
pub(super) fn push_insert<'a>(sql: &mut String, events: impl Iterator<Item = (&'a AuditEvent, Option<&'a Subject>)>) {
    let columns = "at, kind, subject, actor, reason, session, logout, detail, address, user_agent";
    let mut insert = Insert::into(sql, &format!("signoff_audit ({columns})"));
    for (event, subject) in events {
        let Record(at, kind, _, actor, reason, session, _, detail, address, user_agent) = &Record::from(event);
        let (subject, logout) = (subject.map(Subject::as_str), event.logout.as_ref().map(|id| id.as_bytes()));
        insert.row().number(*at).bytes(Some(*kind)).bytes(subject).bytes(Some(actor)).bytes(*reason).bytes(*session);
        insert.bytes(logout).bytes(*detail).bytes(address.as_ref()).bytes(*user_agent);
    }
    insert.end();
}

pub(super) async fn trail(pool: &MySqlPool, subject: &Subject, limit: u32) -> Result<Vec<AuditEvent>, Error> {
    let sql = "SELECT * FROM signoff_audit WHERE subject = ? ORDER BY seq DESC LIMIT ?";
    let query = sqlx::query(sql).bind(subject.as_str().as_bytes()).bind(limit);
    query.fetch_all(pool).await.map_err(database)?.iter().map(event).collect()
}
