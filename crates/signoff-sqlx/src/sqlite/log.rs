//! The revocation log and its head: SQL and binding.

use signoff::store::{LogRead, Revocation, Terms};
use signoff::time::Timestamp;
use signoff::{Error, Position};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;

use crate::error::{damaged, database};
use crate::pack::{hex, json};
use crate::rows::{self, Fields, Positions, cuts_sessions_off, integer, micros, packed_log, position};

/// Hands out `count` positions in a row, from `max(head + 1, now)` on; the last becomes the head.
pub(super) async fn advance(
    connection: &mut SqliteConnection,
    count: usize,
    now: Timestamp,
) -> Result<Positions, Error> {
    let bound = i64::try_from(count).unwrap_or(i64::MAX);
    let sql = "UPDATE signoff_meta SET previous = head, head = max(head, ?1 - 1) + ?2 \
               WHERE head <= 9223372036854775807 - ?2 AND ?1 - 1 <= 9223372036854775807 - ?2 RETURNING previous, head";
    let row = sqlx::query(sql).bind(now.as_micros()).bind(bound).fetch_optional(connection).await.map_err(database)?;
    let row = row.ok_or_else(|| damaged("the log has no positions left"))?;
    Positions::new(row.integer("previous")?, row.integer("head")?, count)
}

pub(super) async fn head(connection: &mut SqliteConnection) -> Result<Position, Error> {
    let head = sqlx::query_scalar("SELECT head FROM signoff_meta").fetch_one(connection).await.map_err(database)?;
    position(head)
}

/// Appends entries, all in one statement however many they are.
pub(super) async fn append(connection: &mut SqliteConnection, entries: &[Revocation]) -> Result<(), Error> {
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            let scope = entry.scope();
            let position = integer(entry.position().get());
            (position, scope.kind().code(), hex(scope.id()), entry.expires_at().as_micros())
        })
        .collect();
    let rows = json(&rows)?;
    let sql = "INSERT INTO signoff_log (position, kind, id, expires_at) \
               SELECT value ->> 0, value ->> 1, unhex(value ->> 2), value ->> 3 FROM json_each(?)";
    sqlx::query(sql).bind(&rows).execute(&mut *connection).await.map_err(database)?;
    if entries.iter().any(|entry| cuts_sessions_off(entry.scope().kind())) {
        // A later entry of a scope has the larger position; the latest expiry counts, so the row never says less than
        // the log does.
        let sql = "INSERT INTO signoff_cutoff (kind, id, position, expires_at) \
                   SELECT value ->> 1, unhex(value ->> 2), value ->> 0, value ->> 3 FROM json_each(?) \
                   WHERE value ->> 1 IN (3, 4, 6) \
                   ON CONFLICT (kind, id) DO UPDATE SET position = max(position, excluded.position), \
                   expires_at = max(expires_at, excluded.expires_at)";
        sqlx::query(sql).bind(&rows).execute(connection).await.map_err(database)?;
    }
    Ok(())
}

pub(super) async fn read(pool: &SqlitePool, after: Position, limit: u32) -> Result<LogRead, Error> {
    // One statement is one snapshot: the head and the entries belong together.
    let sql = "SELECT head, (SELECT group_concat(position || ' ' || kind || ' ' || expires_at || ' ' || hex(id), char(10)) \
               FROM (SELECT * FROM signoff_log WHERE position > ? ORDER BY position LIMIT ?)) AS log FROM signoff_meta";
    let query = sqlx::query(sql).bind(integer(after.get())).bind(limit);
    packed_log(&query.fetch_one(pool).await.map_err(database)?, after, limit)
}

pub(super) async fn agree(connection: &mut SqliteConnection, terms: Terms) -> Result<Terms, Error> {
    let sql = "UPDATE signoff_meta SET longest_session = max(longest_session, ?), leeway = max(leeway, ?) \
               RETURNING longest_session, leeway";
    let query = sqlx::query(sql).bind(micros(terms.longest_session)).bind(micros(terms.leeway));
    query.fetch_one(connection).await.map_err(database).and_then(|row| rows::terms(&row))
}
