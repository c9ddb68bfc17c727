//! The revocation log and its head: SQL and binding.

use signoff::store::{LogRead, Revocation, Terms};
use signoff::time::Timestamp;
use signoff::{Error, ErrorKind, Position};
use sqlx::AssertSqlSafe;
use sqlx::mysql::{MySqlConnection, MySqlPool};

use crate::error::{damaged, database};
use crate::pack::literal;
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
    let row = |entry: &&Revocation| {
        let (scope, at, end) = (entry.scope(), entry.position().get(), entry.expires_at().as_micros());
        format!("({at}, {}, {}, {end})", scope.kind().code(), literal(scope.id()))
    };
    let rows: Vec<_> = entries.iter().map(|entry| row(&entry)).collect();
    let log = format!("INSERT INTO signoff_log (position, kind, id, expires_at) VALUES {}", rows.join(", "));
    sqlx::raw_sql(AssertSqlSafe(log)).execute(&mut *connection).await.map_err(database)?;
    let mut wide: Vec<_> = entries.iter().filter(|entry| cuts_sessions_off(entry.scope().kind())).collect();
    if wide.is_empty() {
        return Ok(());
    }
    wide.sort_by_key(|entry| (entry.scope().kind().code(), entry.scope().id().to_vec()));
    // A later entry of a scope has the larger position; the latest expiry counts, so the row never says less than the log
    // does. VALUES() is what MySQL calls old and MariaDB knows alone. In order, so that two nodes take their locks alike.
    let rows: Vec<_> = wide.iter().map(row).collect();
    let cutoffs = format!(
        "INSERT INTO signoff_cutoff (position, kind, id, expires_at) VALUES {} \
         ON DUPLICATE KEY UPDATE position = GREATEST(signoff_cutoff.position, VALUES(position)), \
         expires_at = GREATEST(signoff_cutoff.expires_at, VALUES(expires_at))",
        rows.join(", ")
    );
    sqlx::raw_sql(AssertSqlSafe(cutoffs)).execute(connection).await.map(|_| ()).map_err(database)
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
