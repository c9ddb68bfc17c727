//! The audit trail: SQL and binding.

use signoff::audit::AuditEvent;
use signoff::{Error, ErrorKind, Subject};
use sqlx::mysql::{MySqlConnection, MySqlPool};

use crate::error::database;
use crate::pack::{hex, json};
use crate::rows::{Record, event};

/// Adds records, all in one statement however many they are. What is unpacked has lengths, because MariaDB would put a table
/// with a LONGTEXT into a file.
pub(super) async fn insert(connection: &mut MySqlConnection, events: &[AuditEvent]) -> Result<(), Error> {
    let sql = "INSERT INTO signoff_audit (at, kind, subject, actor, reason, session, logout, detail, address, user_agent) \
               SELECT at, UNHEX(kind), UNHEX(subject), UNHEX(actor), UNHEX(reason), UNHEX(session), UNHEX(logout), \
               UNHEX(detail), UNHEX(address), UNHEX(user_agent) FROM JSON_TABLE(?, '$[*]' COLUMNS (\
               n FOR ORDINALITY, \
               at BIGINT PATH '$[0]' ERROR ON ERROR, \
               kind VARCHAR(128) CHARSET ascii PATH '$[1]' ERROR ON ERROR, \
               subject VARCHAR(510) CHARSET ascii PATH '$[2]' ERROR ON ERROR, \
               actor VARCHAR(640) CHARSET ascii PATH '$[3]' ERROR ON ERROR, \
               reason VARCHAR(128) CHARSET ascii PATH '$[4]' ERROR ON ERROR, \
               session VARCHAR(64) CHARSET ascii PATH '$[5]' ERROR ON ERROR, \
               logout VARCHAR(32) CHARSET ascii PATH '$[6]' ERROR ON ERROR, \
               detail VARCHAR(2048) CHARSET ascii PATH '$[7]' ERROR ON ERROR, \
               address VARCHAR(128) CHARSET ascii PATH '$[8]' ERROR ON ERROR, \
               user_agent VARCHAR(1024) CHARSET ascii PATH '$[9]' ERROR ON ERROR)) AS record ORDER BY n";
    let rows = events.iter().map(|event| packed(&Record::from(event))).collect::<Result<Vec<_>, _>>()?;
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

pub(super) fn packed(record: &Record<'_>) -> Result<Packed, Error> {
    // MariaDB cuts what is too long for a column of a JSON_TABLE, whatever it is told to do. Everything else is bounded by
    // its type.
    if record.5.is_some_and(|session| session.len() > 32) || record.7.is_some_and(|detail| detail.len() > 1_024) {
        return Err(Error::new(
            ErrorKind::Misuse,
            "the detail of an audit record is longer than this database can hold",
        ));
    }
    let text = |text: &str| hex(text.as_bytes());
    Ok((
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
    ))
}

pub(super) async fn trail(pool: &MySqlPool, subject: &Subject, limit: u32) -> Result<Vec<AuditEvent>, Error> {
    let sql = "SELECT * FROM signoff_audit WHERE subject = ? ORDER BY seq DESC LIMIT ?";
    let query = sqlx::query(sql).bind(subject.as_str().as_bytes()).bind(limit);
    query.fetch_all(pool).await.map_err(database)?.iter().map(event).collect()
}
