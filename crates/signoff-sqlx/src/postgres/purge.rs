//! Deleting what is over: SQL and binding.

use signoff::Error;
use signoff::store::Purged;
use signoff::time::Timestamp;
use sqlx::postgres::PgPool;

use crate::error::database;
use crate::rows::Fields;

/// The whole transaction as one statement: one hop. Its parts see one snapshot and change no row twice, for then it would be
/// left open which of them did.
///
/// Rows that somebody else has locked are left for the next time: a purge waits for nobody, so it can be no part of a
/// deadlock with logouts or with the purge of another node.
///
/// A purge that is lost with the server is made again, so nobody waits until the disk has it, until the end of this
/// transaction: a logout that commits meanwhile would wait as well.
const PURGE: &str = "\
WITH ended AS MATERIALIZED (
    SELECT sid FROM signoff_session WHERE expires_at <= $1
    AND (SELECT true FROM signoff_elsewhere AS e WHERE e.sid = signoff_session.sid LIMIT 1) IS NULL
    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
), tokens AS (
    DELETE FROM signoff_token WHERE sid = ANY (ARRAY(SELECT sid FROM ended))
), families AS (
    DELETE FROM signoff_refresh WHERE sid = ANY (ARRAY(SELECT sid FROM ended))
), sessions AS (
    DELETE FROM signoff_session WHERE sid = ANY (ARRAY(SELECT sid FROM ended)) RETURNING sid
), sealed AS (
    UPDATE signoff_refresh SET sealed = NULL WHERE family = ANY (ARRAY(
        SELECT family FROM signoff_refresh WHERE sealed IS NOT NULL AND grace_until <= $1
        AND sid NOT IN (SELECT sid FROM ended) ORDER BY grace_until LIMIT $2 FOR UPDATE SKIP LOCKED))
    RETURNING family
), cutoffs AS (
    DELETE FROM signoff_cutoff WHERE ctid = ANY (ARRAY(SELECT ctid FROM signoff_cutoff
        WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))
), log AS (
    DELETE FROM signoff_log WHERE position = ANY (ARRAY(SELECT position FROM signoff_log
        WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))
    RETURNING position
)
SELECT (SELECT count(*) FROM sessions) AS sessions, (SELECT count(*) FROM log) AS revocations,
    (SELECT count(*) FROM sealed) AS successors, set_config('synchronous_commit', 'off', true) AS unflushed";

pub(super) async fn run(pool: &PgPool, horizon: Timestamp, limit: u32) -> Result<Purged, Error> {
    let query = sqlx::query(PURGE).bind(horizon.as_micros()).bind(i64::from(limit));
    let row = query.fetch_one(pool).await.map_err(database)?;
    let count = |column| row.integer(column).map(i64::unsigned_abs);
    Ok(Purged { sessions: count("sessions")?, revocations: count("revocations")?, successors: count("successors")? })
}
