//! Deleting what is over: SQL and binding.

use signoff::Error;
use signoff::store::Purged;
use signoff::time::Timestamp;
use sqlx::sqlite::SqliteConnection;

use crate::error::{damaged, database};
use crate::rows::Fields;

/// Sessions that ended at or before a time, and have nothing unfinished elsewhere.
macro_rules! over {
    () => {
        "(SELECT sid FROM signoff_session WHERE expires_at <= ? AND NOT EXISTS (SELECT 1 FROM signoff_elsewhere AS e \
         WHERE e.sid = signoff_session.sid) ORDER BY expires_at, sid LIMIT ?)"
    };
}

/// The whole transaction as one text, because a logout that comes meanwhile waits for each part of it. The first three mean
/// the same sessions, for it has the write lock from the start.
const PURGE: &str = concat!(
    "BEGIN IMMEDIATE; DELETE FROM signoff_token WHERE sid IN ",
    over!(),
    "; DELETE FROM signoff_refresh WHERE sid IN ",
    over!(),
    "; DELETE FROM signoff_session WHERE sid IN ",
    over!(),
    "; SELECT changes() AS gone; \
     UPDATE signoff_refresh SET sealed = NULL WHERE family IN (SELECT family FROM signoff_refresh \
     WHERE sealed IS NOT NULL AND grace_until <= ? ORDER BY grace_until LIMIT ?); \
     SELECT changes() AS gone; \
     DELETE FROM signoff_cutoff WHERE (kind, id) IN \
     (SELECT kind, id FROM signoff_cutoff WHERE expires_at <= ? ORDER BY expires_at LIMIT ?); \
     DELETE FROM signoff_log WHERE position IN \
     (SELECT position FROM signoff_log WHERE expires_at <= ? ORDER BY expires_at LIMIT ?); \
     SELECT changes() AS gone; COMMIT"
);

/// Deletes what was over at `horizon`: sessions with their tokens and families, sealed successors, cut-offs and entries of
/// the log, at most `limit` of each. After an error the transaction may be open still.
pub(super) async fn run(connection: &mut SqliteConnection, horizon: Timestamp, limit: u32) -> Result<Purged, Error> {
    // Each of the six changes has the same two parameters.
    let query = (0..6).fold(sqlx::query(PURGE), |query, _| query.bind(horizon.as_micros()).bind(limit));
    let rows = query.fetch_all(connection).await.map_err(database)?;
    let gone = rows.iter().map(|row| row.integer("gone").map(i64::unsigned_abs)).collect::<Result<Vec<_>, _>>()?;
    match *gone {
        [sessions, successors, revocations] => Ok(Purged { sessions, revocations, successors }),
        _ => Err(damaged("the database forgot what it deleted")),
    }
}
