//! The revocation log and its head: SQL and rows.

use std::time::Duration;

use signoff::store::{LogPage, LogRead, Revocation, Scope, ScopeKind, Terms};
use signoff::time::Timestamp;
use signoff::{Error, Position};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row, SqliteConnection};

use super::{integer, position, timestamp};
use crate::error::{damaged, database};

/// The positions of one transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Positions {
    /// The head before.
    pub(super) after: Position,
    /// The first one handed out.
    pub(super) first: Position,
    /// The last one, now the head.
    pub(super) last: Position,
}

/// Hands out `count` positions in a row, from `max(head + 1, now)` on; the last becomes the head.
pub(super) async fn advance(
    connection: &mut SqliteConnection,
    count: usize,
    now: Timestamp,
) -> Result<Positions, Error> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let sql = "UPDATE signoff_meta SET previous = head, head = max(head, ?1 - 1) + ?2 \
               WHERE head <= 9223372036854775807 - ?2 AND ?1 - 1 <= 9223372036854775807 - ?2 RETURNING previous, head";
    let row = sqlx::query(sql).bind(now.as_micros()).bind(count).fetch_optional(connection).await.map_err(database)?;
    let row = row.ok_or_else(|| damaged("the log has no positions left"))?;
    let last: i64 = row.try_get("head").map_err(database)?;
    Ok(Positions {
        after: position(row.try_get("previous").map_err(database)?)?,
        first: position(last - count + 1)?,
        last: position(last)?,
    })
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

const fn cuts_sessions_off(kind: ScopeKind) -> bool {
    matches!(kind, ScopeKind::Subject | ScopeKind::Client | ScopeKind::Everything)
}

pub(super) async fn read(pool: &SqlitePool, after: Position, limit: u32) -> Result<LogRead, Error> {
    // One statement is one snapshot: the head and the entries belong together.
    let sql = "SELECT m.head, e.position, e.kind, e.id, e.expires_at FROM signoff_meta AS m LEFT JOIN \
               (SELECT * FROM signoff_log WHERE position > ? ORDER BY position LIMIT ?) AS e ORDER BY e.position";
    let rows = sqlx::query(sql).bind(integer(after.get())).bind(limit).fetch_all(pool).await.map_err(database)?;
    let first = rows.first().ok_or_else(|| damaged("the head of the log is missing"))?;
    let head = position(first.try_get("head").map_err(database)?)?;
    let entries: Vec<_> = rows.iter().map(revocation).filter_map(Result::transpose).collect::<Result<_, _>>()?;
    let full = entries.len() == limit as usize;
    let through = entries.last().filter(|_| full).map_or(head, Revocation::position);
    Ok(LogRead { page: LogPage { after, entries, through }, head })
}

pub(super) async fn purge(connection: &mut SqliteConnection, horizon: Timestamp, limit: u32) -> Result<u64, Error> {
    let sql = "DELETE FROM signoff_cutoff WHERE expires_at <= ?";
    sqlx::query(sql).bind(horizon.as_micros()).execute(&mut *connection).await.map_err(database)?;
    let sql = "DELETE FROM signoff_log WHERE position IN \
               (SELECT position FROM signoff_log WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)";
    let done = sqlx::query(sql).bind(horizon.as_micros()).bind(limit).execute(connection).await.map_err(database)?;
    Ok(done.rows_affected())
}

pub(super) async fn agree(pool: &SqlitePool, terms: Terms) -> Result<Terms, Error> {
    let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    let sql = "UPDATE signoff_meta SET longest_session = max(longest_session, ?), leeway = max(leeway, ?) \
               RETURNING longest_session, leeway";
    let row = sqlx::query(sql)
        .bind(micros(terms.longest_session))
        .bind(micros(terms.leeway))
        .fetch_one(pool)
        .await
        .map_err(database)?;
    let duration = |column: &str| {
        let micros: i64 = row.try_get(column).map_err(database)?;
        Ok::<_, Error>(Duration::from_micros(micros.unsigned_abs()))
    };
    Ok(Terms { longest_session: duration("longest_session")?, leeway: duration("leeway")? })
}

/// `None` for the row that stands for "no entries".
fn revocation(row: &SqliteRow) -> Result<Option<Revocation>, Error> {
    let Some(at) = row.try_get::<Option<i64>, _>("position").map_err(database)? else { return Ok(None) };
    let code: i64 = row.try_get("kind").map_err(database)?;
    let id: &[u8] = row.try_get("id").map_err(database)?;
    let kind = u8::try_from(code).ok().and_then(ScopeKind::from_code);
    let scope = kind.and_then(|kind| Scope::from_parts(kind, id));
    // An entry that cannot be read may be a revocation: no start without it.
    let scope = scope.ok_or_else(|| damaged("a log entry has an unknown scope"))?;
    let expires_at = timestamp(row.try_get("expires_at").map_err(database)?)?;
    Ok(Some(Revocation::new(scope, position(at)?, expires_at)))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Rows as one JSON text: SQLite unpacks it, so that a statement is prepared once for any number of rows.
pub(super) fn json(rows: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(rows)
        .map_err(|error| Error::new(signoff::ErrorKind::Internal, "rows could not be packed").with_source(error))
}
