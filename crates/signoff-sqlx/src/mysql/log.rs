//! The revocation log and its head: SQL and binding.

use signoff::store::{LogRead, Revocation, Terms};
use signoff::time::Timestamp;
use signoff::{Error, ErrorKind, Position};
use sqlx::mysql::{MySqlConnection, MySqlPool, MySqlRow};

use super::text::{self, Insert};
use crate::error::{damaged, database};
use crate::rows::{self, Fields, Positions, cuts_sessions_off, integer, log_read, micros, position};

/// Hands out `count` positions in a row.
pub(super) async fn advance(
    connection: &mut MySqlConnection,
    count: usize,
    now: Timestamp,
) -> Result<Positions, Error> {
    let rows = text::rows(connection, advance_in_text(count, now)).await?;
    advanced(&rows, count)
}

/// The same as part of a text. From there on `@signoff_base` is the position before the first one; NULL, which goes nowhere, if
/// the head is missing. There is one row, for [`advanced`].
///
/// READ COMMITTED suffices: an UPDATE works on the newest version of the row and waits for whoever has it locked. There is
/// no UPDATE ... RETURNING; what it left is read behind the lock.
pub(super) fn advance_in_text(count: usize, now: Timestamp) -> String {
    let now = now.as_micros();
    format!(
        "UPDATE signoff_meta SET previous = head, head = GREATEST(head, {now} - 1) + {count} WHERE id = 1; \
         SET @signoff_base = (SELECT head - {count} FROM signoff_meta WHERE id = 1); \
         SELECT previous, head FROM signoff_meta WHERE id = 1"
    )
}

pub(super) fn advanced(rows: &[MySqlRow], count: usize) -> Result<Positions, Error> {
    let row = rows.first().ok_or_else(|| damaged("the head of the log is missing"))?;
    Positions::new(row.integer("previous")?, row.integer("head")?, count)
}

pub(super) async fn head(connection: &mut MySqlConnection) -> Result<Position, Error> {
    let sql = "SELECT head FROM signoff_meta WHERE id = 1";
    let row = sqlx::query(sql).fetch_one(connection).await.map_err(database)?;
    position(row.integer("head")?)
}

pub(super) async fn append(connection: &mut MySqlConnection, entries: &[Revocation]) -> Result<(), Error> {
    // MariaDB would cut it, and revoke something else.
    if entries.iter().any(|entry| entry.scope().id().len() > 512) {
        return Err(Error::new(ErrorKind::Misuse, "the name of what is to be revoked is longer than 512 bytes"));
    }
    let mut sql = String::new();
    insert(&mut sql, "signoff_log", entries.iter());
    let mut wide: Vec<_> = entries.iter().filter(|entry| cuts_sessions_off(entry.scope().kind())).collect();
    if !wide.is_empty() {
        wide.sort_by_key(|entry| (entry.scope().kind().code(), entry.scope().id().to_vec()));
        // A later entry of a scope has the larger position; the latest expiry counts, so the row never says less than the log
        // does. VALUES() is what MySQL calls old and MariaDB knows alone. In order, so that two nodes take their locks alike.
        sql.push_str("; ");
        insert(&mut sql, "signoff_cutoff", wide.into_iter());
        sql.push_str(
            " ON DUPLICATE KEY UPDATE position = GREATEST(signoff_cutoff.position, VALUES(position)), \
             expires_at = GREATEST(signoff_cutoff.expires_at, VALUES(expires_at))",
        );
    }
    text::rows(connection, sql).await.map(drop)
}

fn insert<'a>(sql: &mut String, table: &str, entries: impl Iterator<Item = &'a Revocation>) {
    let mut insert = Insert::into(sql, &format!("{table} (position, kind, id, expires_at)"));
    for entry in entries {
        let (scope, at, end) = (entry.scope(), entry.position().get(), entry.expires_at().as_micros());
        insert.row().number(integer(at)).number(scope.kind().code().into()).bytes(Some(scope.id())).number(end);
    }
    insert.end();
}

pub(super) async fn read(pool: &MySqlPool, after: Position, limit: u32) -> Result<LogRead, Error> {
    // One statement is one snapshot: the head and the entries belong together.
    let sql = "SELECT m.head, e.position, e.kind, e.id, e.expires_at FROM signoff_meta AS m LEFT JOIN \
               (SELECT * FROM signoff_log WHERE position > ? ORDER BY position LIMIT ?) AS e ON true \
               WHERE m.id = 1 ORDER BY e.position";
    let query = sqlx::query(sql).bind(integer(after.get())).bind(limit);
    log_read(&query.fetch_all(pool).await.map_err(database)?, after, limit)
}

pub(super) async fn agree(pool: &MySqlPool, terms: Terms) -> Result<Terms, Error> {
    let sql = "UPDATE signoff_meta SET longest_session = GREATEST(longest_session, ?), leeway = GREATEST(leeway, ?) \
               WHERE id = 1";
    let query = sqlx::query(sql).bind(micros(terms.longest_session)).bind(micros(terms.leeway));
    query.execute(pool).await.map_err(database)?;
    // Terms only grow, so what another node agrees on meanwhile is no less.
    let sql = "SELECT longest_session, leeway FROM signoff_meta WHERE id = 1";
    sqlx::query(sql).fetch_one(pool).await.map_err(database).and_then(|row| rows::terms(&row))
}
