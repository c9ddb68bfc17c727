//! Sessions and their tokens: SQL and binding.

use signoff::store::{SessionKey, Touch};
use signoff::time::Timestamp;
use signoff::{Error, Session, SessionId, Subject, TokenHash, Update};
use sqlx::postgres::PgPool;

use crate::error::database;
use crate::rows::{integer, session};

/// Live at `$1`, as the contract has it. Every statement that uses it binds the time first. One question for each kind of
/// cutoff, whose answer is one row: what the planner takes for a join it may do by reading all cutoffs.
macro_rules! live {
    () => {
        concat!(
            " destroyed_at IS NULL AND idle_expires_at > $1 AND expires_at + 0 > $1",
            live!("3", "convert_to(signoff_session.subject, 'UTF8')"),
            live!("4", "convert_to(signoff_session.client_id, 'UTF8')"),
            live!("6", "''")
        )
    };
    ($kind:literal, $id:literal) => {
        concat!(
            " AND (SELECT c.position FROM signoff_cutoff AS c WHERE c.kind = ",
            $kind,
            " AND c.id = ",
            $id,
            " AND c.position > signoff_session.born AND c.expires_at + 0 > $1) IS NULL"
        )
    };
}

pub(super) use live;

pub(super) async fn load(pool: &PgPool, key: SessionKey<'_>, now: Timestamp) -> Result<Option<Session>, Error> {
    let (sql, id) = match key {
        SessionKey::Id(id) => {
            (concat!("SELECT * FROM signoff_session WHERE sid = $2 AND", live!()), id.as_bytes().as_slice())
        }
        SessionKey::Token(hash) => (
            concat!(
                "SELECT * FROM signoff_session WHERE sid = (SELECT sid FROM signoff_token WHERE hash = $2) AND",
                live!()
            ),
            hash.as_bytes().as_slice(),
        ),
    };
    let row = sqlx::query(sql).bind(now.as_micros()).bind(id).fetch_optional(pool).await.map_err(database)?;
    row.as_ref().map(session).transpose()
}

pub(super) async fn find_by_token(pool: &PgPool, token: &TokenHash) -> Result<Option<Session>, Error> {
    let sql = "SELECT * FROM signoff_session WHERE sid = (SELECT sid FROM signoff_token WHERE hash = $1)";
    let row = sqlx::query(sql).bind(token.as_bytes().as_slice()).fetch_optional(pool).await.map_err(database)?;
    row.as_ref().map(session).transpose()
}

pub(super) async fn list(
    pool: &PgPool,
    subject: &Subject,
    after: Option<&SessionId>,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<Session>, Error> {
    let sql = concat!(
        "WITH theirs AS MATERIALIZED (SELECT * FROM signoff_session WHERE subject = $2 AND",
        live!(),
        ") SELECT * FROM theirs WHERE sid > $3 ORDER BY sid LIMIT $4"
    );
    let rows = sqlx::query(sql)
        .bind(now.as_micros())
        .bind(subject.as_str())
        // Every id comes after the empty one.
        .bind(after.map_or(&[][..], |id| id.as_bytes()))
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await
        .map_err(database)?;
    rows.iter().map(session).collect()
}

pub(super) async fn update(
    pool: &PgPool,
    id: &SessionId,
    version: u64,
    data: &[u8],
    now: Timestamp,
) -> Result<Update, Error> {
    let sql = concat!(
        "UPDATE signoff_session SET data = $4, version = version + 1 WHERE sid = $2 AND version = $3 AND",
        live!()
    );
    let done = sqlx::query(sql)
        .bind(now.as_micros())
        .bind(id.as_bytes().as_slice())
        .bind(integer(version))
        .bind(data)
        .execute(pool)
        .await
        .map_err(database)?;
    if done.rows_affected() == 1 {
        return Ok(Update::Saved(version + 1));
    }
    // It was not live, or not at that version: versions only grow, and the dead stay dead, so it is not too late to ask.
    let live = load(pool, SessionKey::Id(id), now).await?;
    Ok(if live.is_some() { Update::Conflict } else { Update::Gone })
}

/// The rows are locked in the order of their ids, so that batches that meet wait for each other and never in a circle.
pub(super) async fn touch(pool: &PgPool, batch: &[Touch], now: Timestamp) -> Result<Vec<Session>, Error> {
    let sql = concat!(
        "WITH held AS MATERIALIZED (SELECT sid FROM signoff_session WHERE sid = ANY ($2) AND",
        live!(),
        " ORDER BY sid FOR NO KEY UPDATE) \
         UPDATE signoff_session AS s SET last_seen_at = greatest(s.last_seen_at, $1), \
         idle_expires_at = greatest(s.idle_expires_at, least(asked.idle_expires_at, s.expires_at)) \
         FROM held JOIN unnest($2::bytea[], $3::bigint[]) AS asked (sid, idle_expires_at) ON asked.sid = held.sid \
         WHERE s.sid = ANY ($2) AND s.sid = held.sid RETURNING s.*"
    );
    let ids: Vec<_> = batch.iter().map(|touch| touch.id).collect();
    let ends: Vec<_> = batch.iter().map(|touch| touch.idle_expires_at.as_micros()).collect();
    let query = sqlx::query(sql).bind(now.as_micros()).bind(bytes(&ids)).bind(ends);
    query.fetch_all(pool).await.map_err(database)?.iter().map(session).collect()
}

/// Ids as an array to bind.
pub(super) fn bytes(ids: &[SessionId]) -> Vec<&[u8]> {
    ids.iter().map(|id| id.as_bytes().as_slice()).collect()
}
