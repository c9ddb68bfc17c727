//! Deleting what is over: SQL and binding.

use signoff::Error;
use signoff::store::Purged;
use signoff::time::Timestamp;
use sqlx::mysql::MySqlPool;

use super::{READ_COMMITTED, text};
use crate::error::database;
use crate::rows::session_id;

/// Rows that somebody else has locked are left for the next time: a purge waits for nobody, so it can be no part of a
/// deadlock with logouts or with the purge of another node.
pub(super) async fn run(pool: &MySqlPool, horizon: Timestamp, limit: u32) -> Result<Purged, Error> {
    let mut connection = pool.acquire().await.map_err(database)?;
    sqlx::raw_sql(READ_COMMITTED).execute(&mut *connection).await.map_err(database)?;
    let mut transaction = sqlx::Connection::begin(&mut *connection).await.map_err(database)?;
    // NOT EXISTS would be a table of all that there is elsewhere.
    let ended = "SELECT sid FROM signoff_session FORCE INDEX (signoff_session_by_end) WHERE expires_at <= ? \
                 AND (SELECT e.n FROM signoff_elsewhere AS e WHERE e.sid = signoff_session.sid LIMIT 1) IS NULL \
                 ORDER BY expires_at LIMIT ? FOR UPDATE SKIP LOCKED";
    let query = sqlx::query(ended).bind(horizon.as_micros()).bind(limit);
    let ended = query.fetch_all(&mut *transaction).await.map_err(database)?;
    let ended = ended.iter().map(session_id).collect::<Result<Vec<_>, _>>()?;
    let mut sessions = 0;
    if !ended.is_empty() {
        for (table, index) in [
            ("signoff_token", "signoff_token_by_session"),
            ("signoff_refresh", "signoff_refresh_by_session"),
            ("signoff_session", "PRIMARY"),
        ] {
            let sql = format!("DELETE t FROM {table} AS t FORCE INDEX ({index}) WHERE t.sid IN {}", text::list(&ended));
            let query = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
            sessions = query.execute(&mut *transaction).await.map_err(database)?.rows_affected();
        }
    }
    let cutoffs = "DELETE c FROM (SELECT kind, id FROM signoff_cutoff FORCE INDEX (signoff_cutoff_by_end) \
                   WHERE expires_at <= ? ORDER BY expires_at LIMIT ?) AS due \
                   STRAIGHT_JOIN signoff_cutoff AS c FORCE INDEX (PRIMARY) ON c.kind = due.kind AND c.id = due.id \
                   WHERE c.expires_at <= ?";
    let log = "DELETE l FROM (SELECT position FROM signoff_log FORCE INDEX (signoff_log_by_end) \
               WHERE expires_at <= ? ORDER BY expires_at LIMIT ?) AS due \
               STRAIGHT_JOIN signoff_log AS l FORCE INDEX (PRIMARY) ON l.position = due.position \
               WHERE l.expires_at <= ?";
    let mut revocations = 0;
    for sql in [cutoffs, log] {
        // What is due is read without locks, so it is looked at once more under them.
        let query = sqlx::query(sql).bind(horizon.as_micros()).bind(limit).bind(horizon.as_micros());
        revocations = query.execute(&mut *transaction).await.map_err(database)?.rows_affected();
    }
    transaction.commit().await.map_err(database)?;
    // Alone, because it waits for exchanges under way, and so must hold nothing that they wait for.
    let sealed = "UPDATE signoff_refresh FORCE INDEX (signoff_refresh_by_grace) SET sealed = NULL, grace_until = 0 \
                  WHERE grace_until > 0 AND grace_until <= ? ORDER BY grace_until LIMIT ?";
    let query = sqlx::query(sealed).bind(horizon.as_micros()).bind(limit);
    let successors = query.execute(&mut *connection).await.map_err(database)?.rows_affected();
    Ok(Purged { sessions, revocations, successors })
}
