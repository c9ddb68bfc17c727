//! Deleting what is over: SQL and binding.

use signoff::Error;
use signoff::store::Purged;
use signoff::time::Timestamp;
use sqlx::postgres::PgPool;

use crate::error::database;

/// A purge that is lost with the server is made again, so nobody waits until the disk has it: a logout that commits meanwhile
/// would wait as well.
const BEGIN: &str = "BEGIN; SET LOCAL synchronous_commit TO off";

/// Rows that somebody else has locked are left for the next time: a purge waits for nobody, so it can be no part of a
/// deadlock with logouts or with the purge of another node.
pub(super) async fn run(pool: &PgPool, horizon: Timestamp, limit: u32) -> Result<Purged, Error> {
    let sessions = "WITH ended AS MATERIALIZED (SELECT sid FROM signoff_session WHERE expires_at <= $1 \
                    AND NOT EXISTS (SELECT FROM signoff_elsewhere AS e WHERE e.sid = signoff_session.sid) \
                    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED), \
                    tokens AS (DELETE FROM signoff_token WHERE sid IN (SELECT sid FROM ended)), \
                    families AS (DELETE FROM signoff_refresh WHERE sid IN (SELECT sid FROM ended)) \
                    DELETE FROM signoff_session WHERE sid IN (SELECT sid FROM ended)";
    let sealed = "UPDATE signoff_refresh SET sealed = NULL WHERE family IN (SELECT family FROM signoff_refresh \
                  WHERE sealed IS NOT NULL AND grace_until <= $1 ORDER BY grace_until LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let cutoffs = "DELETE FROM signoff_cutoff WHERE (kind, id) IN (SELECT kind, id FROM signoff_cutoff \
                   WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let log = "DELETE FROM signoff_log WHERE position IN (SELECT position FROM signoff_log \
               WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let mut transaction = pool.begin_with(BEGIN).await.map_err(database)?;
    let mut deleted = [0; 4];
    for (sql, deleted) in [sessions, sealed, cutoffs, log].into_iter().zip(&mut deleted) {
        let query = sqlx::query(sql).bind(horizon.as_micros()).bind(i64::from(limit));
        *deleted = query.execute(&mut *transaction).await.map_err(database)?.rows_affected();
    }
    transaction.commit().await.map_err(database)?;
    let [sessions, successors, _, revocations] = deleted;
    Ok(Purged { sessions, revocations, successors })
}
