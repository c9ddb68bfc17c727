//! The revocation log and its head: SQL and binding.

use signoff::store::{LogRead, Revocation, Terms};
use signoff::time::Timestamp;
use signoff::{Error, Position};
use sqlx::postgres::{PgConnection, PgPool};

use crate::error::database;
use crate::rows::{self, Fields, Positions, cuts_sessions_off, integer, micros, packed_log, position};

/// Hands out `count` positions in a row.
///
/// READ COMMITTED suffices: whoever finds the row locked waits for the commit and then counts on from the newest
/// version of it.
pub(super) async fn advance(connection: &mut PgConnection, count: usize, now: Timestamp) -> Result<Positions, Error> {
    let sql = "UPDATE signoff_meta SET previous = head, head = greatest(head, $1 - 1) + $2 WHERE id = 1 \
               RETURNING previous, head";
    let query = sqlx::query(sql).bind(now.as_micros()).bind(integer(count as u64));
    let row = query.fetch_one(connection).await.map_err(database)?;
    Positions::new(row.integer("previous")?, row.integer("head")?, count)
}

pub(super) async fn head(connection: &mut PgConnection) -> Result<Position, Error> {
    let sql = "SELECT head FROM signoff_meta WHERE id = 1";
    let row = sqlx::query(sql).fetch_one(connection).await.map_err(database)?;
    position(row.integer("head")?)
}

pub(super) async fn append(connection: &mut PgConnection, entries: &[Revocation]) -> Result<(), Error> {
    let kinds: Vec<i64> = entries.iter().map(|entry| i64::from(entry.scope().kind().code())).collect();
    let ids: Vec<Vec<u8>> = entries.iter().map(|entry| entry.scope().id().to_vec()).collect();
    let positions: Vec<i64> = entries.iter().map(|entry| integer(entry.position().get())).collect();
    let ends: Vec<i64> = entries.iter().map(|entry| entry.expires_at().as_micros()).collect();
    let log = "INSERT INTO signoff_log (position, kind, id, expires_at) \
               SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bigint[])";
    // The latest position and the latest expiry of a scope count, so the row never says less than the log does. Grouped,
    // because a row can be merged once in a statement; in order, so that two nodes take their locks alike.
    let cutoffs = "INSERT INTO signoff_cutoff (position, kind, id, expires_at) \
                   SELECT max(position), kind, id, max(expires_at) \
                   FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bigint[]) \
                   AS entry (position, kind, id, expires_at) WHERE kind IN (3, 4, 6) \
                   GROUP BY kind, id ORDER BY kind, id \
                   ON CONFLICT (kind, id) DO UPDATE \
                   SET position = greatest(signoff_cutoff.position, excluded.position), \
                   expires_at = greatest(signoff_cutoff.expires_at, excluded.expires_at)";
    let wide = entries.iter().any(|entry| cuts_sessions_off(entry.scope().kind()));
    for sql in [Some(log), wide.then_some(cutoffs)].into_iter().flatten() {
        let query = sqlx::query(sql).bind(&positions).bind(&kinds).bind(&ids).bind(&ends);
        query.execute(&mut *connection).await.map_err(database)?;
    }
    Ok(())
}

pub(super) async fn read(pool: &PgPool, after: Position, limit: u32) -> Result<LogRead, Error> {
    // One statement is one snapshot: the head and the entries belong together.
    let sql = "SELECT head, (SELECT string_agg(position || ' ' || kind || ' ' || expires_at || ' ' || encode(id, 'hex'), \
               chr(10)) FROM (SELECT * FROM signoff_log WHERE position > $1 ORDER BY position LIMIT $2) AS entry) AS log \
               FROM signoff_meta WHERE id = 1";
    let query = sqlx::query(sql).bind(integer(after.get())).bind(i64::from(limit));
    packed_log(&query.fetch_one(pool).await.map_err(database)?, after, limit)
}

pub(super) async fn agree(pool: &PgPool, terms: Terms) -> Result<Terms, Error> {
    let sql = "UPDATE signoff_meta SET longest_session = greatest(longest_session, $1), leeway = greatest(leeway, $2) \
               WHERE id = 1 RETURNING longest_session, leeway";
    let query = sqlx::query(sql).bind(micros(terms.longest_session)).bind(micros(terms.leeway));
    query.fetch_one(pool).await.map_err(database).and_then(|row| rows::terms(&row))
}
