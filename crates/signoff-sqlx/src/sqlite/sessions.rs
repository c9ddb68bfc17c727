//! Sessions and their tokens: SQL and binding.

use signoff::store::{SessionKey, Touch};
use signoff::time::Timestamp;
use signoff::{Error, Session, SessionId, Subject, TokenHash, Update};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;

use crate::error::database;
use crate::pack::{hex, json};
use crate::rows::{integer, session};

/// Live at `?1`, as the contract has it. Every statement that uses it binds the time first.
macro_rules! live {
    () => {
        " destroyed_at IS NULL AND idle_expires_at > ?1 AND expires_at > ?1 AND NOT EXISTS (SELECT 1 FROM \
         signoff_cutoff AS c WHERE ((c.kind = 3 AND c.id = CAST(signoff_session.subject AS BLOB)) OR (c.kind = 4 AND \
         c.id = CAST(signoff_session.client_id AS BLOB)) OR (c.kind = 6 AND c.id = x'')) AND c.position > \
         signoff_session.born AND c.expires_at > ?1)"
    };
}

pub(super) use live;

pub(super) async fn load(pool: &SqlitePool, key: SessionKey<'_>, now: Timestamp) -> Result<Option<Session>, Error> {
    let (sql, id) = match key {
        SessionKey::Id(id) => {
            (concat!("SELECT * FROM signoff_session WHERE sid = ?2 AND", live!()), id.as_bytes().as_slice())
        }
        SessionKey::Token(hash) => (
            concat!(
                "SELECT * FROM signoff_session WHERE sid = (SELECT sid FROM signoff_token WHERE hash = ?2) AND",
                live!()
            ),
            hash.as_bytes().as_slice(),
        ),
    };
    let row = sqlx::query(sql).bind(now.as_micros()).bind(id).fetch_optional(pool).await.map_err(database)?;
    row.as_ref().map(session).transpose()
}

pub(super) async fn find_by_token(pool: &SqlitePool, token: &TokenHash) -> Result<Option<Session>, Error> {
    let row = sqlx::query("SELECT * FROM signoff_session WHERE sid = (SELECT sid FROM signoff_token WHERE hash = ?)")
        .bind(token.as_bytes().as_slice())
        .fetch_optional(pool)
        .await
        .map_err(database)?;
    row.as_ref().map(session).transpose()
}

pub(super) async fn list(
    pool: &SqlitePool,
    subject: &Subject,
    after: Option<&SessionId>,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<Session>, Error> {
    let sql =
        concat!("SELECT * FROM signoff_session WHERE subject = ?2 AND sid > ?3 AND", live!(), " ORDER BY sid LIMIT ?4");
    let rows = sqlx::query(sql)
        .bind(now.as_micros())
        .bind(subject.as_str())
        // Every id comes after the empty one.
        .bind(after.map_or(&[][..], |id| id.as_bytes()))
        .bind(limit)
        .fetch_all(pool)
        .await
        .map_err(database)?;
    rows.iter().map(session).collect()
}

pub(super) async fn update(
    connection: &mut SqliteConnection,
    id: &SessionId,
    version: u64,
    data: &[u8],
    now: Timestamp,
) -> Result<Update, Error> {
    let sql = concat!("SELECT version FROM signoff_session WHERE sid = ?2 AND", live!());
    let current: Option<i64> = sqlx::query_scalar(sql)
        .bind(now.as_micros())
        .bind(id.as_bytes().as_slice())
        .fetch_optional(&mut *connection)
        .await
        .map_err(database)?;
    // The transaction has the write lock, so what was just read stays true.
    match current {
        None => Ok(Update::Gone),
        Some(current) if current != integer(version) => Ok(Update::Conflict),
        Some(_) => {
            sqlx::query("UPDATE signoff_session SET data = ?, version = version + 1 WHERE sid = ?")
                .bind(data)
                .bind(id.as_bytes().as_slice())
                .execute(connection)
                .await
                .map_err(database)?;
            Ok(Update::Saved(version + 1))
        }
    }
}

pub(super) async fn touch(
    connection: &mut SqliteConnection,
    batch: &[Touch],
    now: Timestamp,
) -> Result<Vec<Session>, Error> {
    let sql = concat!(
        "UPDATE signoff_session SET last_seen_at = max(last_seen_at, ?1), \
         idle_expires_at = max(idle_expires_at, min(value ->> 1, expires_at)) \
         FROM json_each(?2) WHERE sid = unhex(value ->> 0) AND",
        live!(),
        " RETURNING *"
    );
    let rows = batch.iter().map(|touch| (hex(touch.id.as_bytes()), touch.idle_expires_at.as_micros()));
    let query = sqlx::query(sql).bind(now.as_micros()).bind(json(&rows.collect::<Vec<_>>())?);
    query.fetch_all(connection).await.map_err(database)?.iter().map(session).collect()
}
