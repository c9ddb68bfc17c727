//! The audit trail: SQL and binding.

use signoff::audit::AuditEvent;
use signoff::{Error, Subject};
use sqlx::postgres::{PgArguments, PgConnection, PgPool, Postgres};
use sqlx::query::Query;

use crate::error::database;
use crate::rows::{Record, event};

/// Adds records, all in one statement however many they are.
pub(super) async fn insert(connection: &mut PgConnection, events: &[AuditEvent]) -> Result<(), Error> {
    let sql = "INSERT INTO signoff_audit (kind, actor, reason, session, logout, detail, address, user_agent, at, subject) \
               SELECT kind, actor, reason, session, decode(logout, 'hex'), detail, address, user_agent, at, subject \
               FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], \
               $9::bigint[], $10::text[]) WITH ORDINALITY AS record (kind, actor, reason, session, logout, detail, \
               address, user_agent, at, subject, n) ORDER BY n";
    let records: Vec<_> = events.iter().map(Record::from).collect();
    let at: Vec<i64> = records.iter().map(|record| record.0).collect();
    let subjects: Vec<Option<&str>> = records.iter().map(|record| record.2).collect();
    let query = bind(sqlx::query(sql), &records).bind(at).bind(subjects);
    query.execute(connection).await.map(|_| ()).map_err(database)
}

/// Binds everything but the time and the subject: eight arrays of text.
pub(super) fn bind<'q>(
    query: Query<'q, Postgres, PgArguments>,
    records: &[Record<'_>],
) -> Query<'q, Postgres, PgArguments> {
    let column = |pick: fn(&Record<'_>) -> Option<String>| records.iter().map(pick).collect::<Vec<_>>();
    query
        .bind(column(|record| Some(record.1.to_owned())))
        .bind(column(|record| Some(record.3.clone())))
        .bind(column(|record| record.4.map(str::to_owned)))
        .bind(column(|record| record.5.map(str::to_owned)))
        .bind(column(|record| record.6.clone()))
        .bind(column(|record| record.7.map(str::to_owned)))
        .bind(column(|record| record.8.clone()))
        .bind(column(|record| record.9.map(str::to_owned)))
}

pub(super) async fn trail(pool: &PgPool, subject: &Subject, limit: u32) -> Result<Vec<AuditEvent>, Error> {
    let sql = "SELECT * FROM signoff_audit WHERE subject = $1 ORDER BY seq DESC LIMIT $2";
    let query = sqlx::query(sql).bind(subject.as_str()).bind(i64::from(limit));
    query.fetch_all(pool).await.map_err(database)?.iter().map(event).collect()
}
