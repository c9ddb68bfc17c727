//! The revocation log and its head: SQL and binding.

use signoff::store::{LogRead, Revocation, Terms};
use signoff::time::Timestamp;
use signoff::{Error, ErrorKind, Position};
use sqlx::mysql::{MySqlConnection, MySqlPool};

use crate::error::{damaged, database};
use crate::pack::{hex, json};
use crate::rows::{self, Fields, Positions, cuts_sessions_off, integer, log_read, micros, position};

/// Hands out `count` positions in a row.
///
/// READ COMMITTED suffices: an UPDATE works on the newest version of the row and waits for whoever has it locked. There is
/// no UPDATE ... RETURNING; `LAST_INSERT_ID(expression)` carries the head, and the head before is read behind the lock.
pub(super) async fn advance(
    connection: &mut MySqlConnection,
    count: usize,
    now: Timestamp,
) -> Result<Positions, Error> {
    let sql = "UPDATE signoff_meta SET previous = head, head = LAST_INSERT_ID(GREATEST(head, ? - 1) + ?) WHERE id = 1";
    let query = sqlx::query(sql).bind(now.as_micros()).bind(integer(count as u64));
    let done = query.execute(&mut *connection).await.map_err(database)?;
    if done.rows_affected() != 1 {
        return Err(damaged("the head of the log is missing"));
    }
    let sql = "SELECT previous FROM signoff_meta WHERE id = 1";
    let row = sqlx::query(sql).fetch_one(connection).await.map_err(database)?;
    Positions::new(row.integer("previous")?, integer(done.last_insert_id()), count)
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
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            let scope = entry.scope();
            (integer(entry.position().get()), scope.kind().code(), hex(scope.id()), entry.expires_at().as_micros())
        })
        .collect();
    let rows = json(&rows)?;
    let log = "INSERT INTO signoff_log (position, kind, id, expires_at) \
               SELECT position, kind, UNHEX(id), expires_at FROM JSON_TABLE(?, '$[*]' COLUMNS (\
               position BIGINT PATH '$[0]' ERROR ON ERROR, kind INT PATH '$[1]' ERROR ON ERROR, \
               id VARCHAR(1024) CHARSET ascii PATH '$[2]' ERROR ON ERROR, expires_at BIGINT PATH '$[3]' ERROR ON ERROR)) AS entry";
    // A later entry of a scope has the larger position; the latest expiry counts, so the row never says less than the log
    // does. VALUES() is what MySQL calls old and MariaDB knows alone. In order, so that two nodes take their locks alike.
    let cutoffs = "INSERT INTO signoff_cutoff (position, kind, id, expires_at) \
                   SELECT position, kind, UNHEX(id), expires_at FROM JSON_TABLE(?, '$[*]' COLUMNS (\
                   position BIGINT PATH '$[0]' ERROR ON ERROR, kind INT PATH '$[1]' ERROR ON ERROR, \
                   id VARCHAR(1024) CHARSET ascii PATH '$[2]' ERROR ON ERROR, expires_at BIGINT PATH '$[3]' ERROR ON ERROR)) AS entry \
                   WHERE kind IN (3, 4, 6) ORDER BY kind, id \
                   ON DUPLICATE KEY UPDATE position = GREATEST(signoff_cutoff.position, VALUES(position)), \
                   expires_at = GREATEST(signoff_cutoff.expires_at, VALUES(expires_at))";
    let wide = entries.iter().any(|entry| cuts_sessions_off(entry.scope().kind()));
    for sql in [Some(log), wide.then_some(cutoffs)].into_iter().flatten() {
        sqlx::query(sql).bind(&rows).execute(&mut *connection).await.map_err(database)?;
    }
    Ok(())
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
