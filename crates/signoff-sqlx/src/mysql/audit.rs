//! The audit trail: SQL and binding.

use signoff::audit::AuditEvent;
use signoff::{Error, Subject};
use sqlx::mysql::{MySqlConnection, MySqlPool};

use crate::error::database;
use crate::pack::{hex, json};
use crate::rows::{Record, event};

/// Adds records, all in one statement however many they are.
pub(super) async fn insert(connection: &mut MySqlConnection, events: &[AuditEvent]) -> Result<(), Error> {
    let sql = "INSERT INTO signoff_audit (at, kind, subject, actor, reason, session, logout, detail, address, user_agent) \
               SELECT at, UNHEX(kind), UNHEX(subject), UNHEX(actor), UNHEX(reason), UNHEX(session), UNHEX(logout), \
               UNHEX(detail), UNHEX(address), UNHEX(user_agent) FROM JSON_TABLE(?, '$[*]' COLUMNS (\
               n FOR ORDINALITY, \
               at BIGINT PATH '$[0]' ERROR ON ERROR, \
               kind LONGTEXT PATH '$[1]' ERROR ON ERROR, \
               subject LONGTEXT PATH '$[2]' ERROR ON ERROR, \
               actor LONGTEXT PATH '$[3]' ERROR ON ERROR, \
               reason LONGTEXT PATH '$[4]' ERROR ON ERROR, \
               session LONGTEXT PATH '$[5]' ERROR ON ERROR, \
               logout LONGTEXT PATH '$[6]' ERROR ON ERROR, \
               detail LONGTEXT PATH '$[7]' ERROR ON ERROR, \
               address LONGTEXT PATH '$[8]' ERROR ON ERROR, \
               user_agent LONGTEXT PATH '$[9]' ERROR ON ERROR)) AS record ORDER BY n";
    let rows: Vec<_> = events.iter().map(|event| packed(&Record::from(event))).collect();
    sqlx::query(sql).bind(json(&rows)?).execute(connection).await.map(|_| ()).map_err(database)
}

/// The columns in their order, all texts as hexadecimal digits: so no server has to understand JSON's escapes.
pub(super) type Packed = (
    i64,
    String,
    Option<String>,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

pub(super) fn packed(record: &Record<'_>) -> Packed {
    let text = |text: &str| hex(text.as_bytes());
    (
        record.0,
        text(record.1),
        record.2.map(text),
        text(&record.3),
        record.4.map(text),
        record.5.map(text),
        record.6.clone(),
        record.7.map(text),
        record.8.as_deref().map(text),
        record.9.map(text),
    )
}

pub(super) async fn trail(pool: &MySqlPool, subject: &Subject, limit: u32) -> Result<Vec<AuditEvent>, Error> {
    let sql = "SELECT * FROM signoff_audit WHERE subject = ? ORDER BY seq DESC LIMIT ?";
    let query = sqlx::query(sql).bind(subject.as_str().as_bytes()).bind(limit);
    query.fetch_all(pool).await.map_err(database)?.iter().map(event).collect()
}
