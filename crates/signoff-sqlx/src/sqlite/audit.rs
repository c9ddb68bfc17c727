//! The audit trail: SQL and rows.

use signoff::audit::{Actor, AuditEvent, AuditKind, Reason};
use signoff::time::Timestamp;
use signoff::{Error, LogoutId, Subject};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row, SqliteConnection};

use super::log::{hex, json};
use super::sessions::context;
use super::timestamp;
use crate::error::{damaged, database};

/// Adds records, all in one statement however many they are.
pub(super) async fn insert(connection: &mut SqliteConnection, events: &[AuditEvent]) -> Result<(), Error> {
    let rows: Vec<_> = events
        .iter()
        .map(|event| {
            (
                event.at.as_micros(),
                event.kind.as_str(),
                event.subject.as_ref().map(Subject::as_str),
                event.actor.to_text(),
                event.reason.map(Reason::as_str),
                event.session.as_deref(),
                event.logout.map(|id| hex(id.as_bytes())),
                event.detail.as_deref(),
                event.context.address().map(|address| address.to_string()),
                event.context.user_agent(),
            )
        })
        .collect();
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

fn event(row: &SqliteRow) -> Result<AuditEvent, Error> {
    let text = |column: &str| row.try_get::<Option<&str>, _>(column).map_err(database);
    let broken = || damaged("a stored audit record is broken");
    let at: Timestamp = timestamp(row.try_get("at").map_err(database)?)?;
    let logout: Option<&[u8]> = row.try_get("logout").map_err(database)?;
    let logout = logout.map(|bytes| bytes.try_into().map(LogoutId::from_bytes)).transpose();
    Ok(AuditEvent {
        at,
        kind: text("kind")?.and_then(AuditKind::from_word).ok_or_else(broken)?,
        subject: text("subject")?.map(Subject::new).transpose().map_err(|_| broken())?,
        actor: text("actor")?.and_then(Actor::from_text).ok_or_else(broken)?,
        reason: text("reason")?.map(|word| Reason::from_word(word).ok_or_else(broken)).transpose()?,
        session: text("session")?.map(str::to_owned),
        logout: logout.map_err(|_| broken())?,
        detail: text("detail")?.map(str::to_owned),
        context: context(row)?,
    })
}
