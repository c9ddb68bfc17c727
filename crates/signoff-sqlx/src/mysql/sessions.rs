//! Sessions and their tokens: SQL and binding.

use signoff::store::{SessionKey, Touch};
use signoff::time::Timestamp;
use signoff::{Error, Session, SessionId, Subject, TokenHash, Update};
use sqlx::mysql::{MySql, MySqlArguments, MySqlPool};
use sqlx::query::Query;

use super::{READ_COMMITTED, text};
use crate::error::database;
use crate::rows::{integer, session};

/// Live at a time, as the contract has it. Statements that are prepared have `?` for the time, and bind it in its place with
/// [`bind_live`]. One question for each kind of cutoff, because MariaDB would read the whole table for one with an OR.
macro_rules! live {
    () => {
        live!("?")
    };
    ($now:literal) => {
        concat!(
            " destroyed_at = 0 AND idle_expires_at > ",
            $now,
            " AND expires_at > ",
            $now,
            live!($now, "3", "signoff_session.subject"),
            live!($now, "4", "signoff_session.client_id"),
            live!($now, "6", "''")
        )
    };
    ($now:literal, $kind:literal, $id:literal) => {
        concat!(
            " AND NOT EXISTS (SELECT 1 FROM signoff_cutoff AS c WHERE c.kind = ",
            $kind,
            " AND c.id = ",
            $id,
            " AND c.position > signoff_session.born AND c.expires_at > ",
            $now,
            ")"
        )
    };
}

pub(super) use live;

pub(super) fn bind_live(
    mut query: Query<'_, MySql, MySqlArguments>,
    now: Timestamp,
) -> Query<'_, MySql, MySqlArguments> {
    for _ in 0..5 {
        query = query.bind(now.as_micros());
    }
    query
}

pub(super) async fn load(pool: &MySqlPool, key: SessionKey<'_>, now: Timestamp) -> Result<Option<Session>, Error> {
    let (sql, id) = match key {
        SessionKey::Id(id) => {
            (concat!("SELECT * FROM signoff_session WHERE sid = ? AND", live!()), id.as_bytes().as_slice())
        }
        SessionKey::Token(hash) => (
            concat!(
                "SELECT * FROM signoff_session WHERE sid = (SELECT sid FROM signoff_token WHERE hash = ?) AND",
                live!()
            ),
            hash.as_bytes().as_slice(),
        ),
    };
    let row = bind_live(sqlx::query(sql).bind(id), now).fetch_optional(pool).await.map_err(database)?;
    row.as_ref().map(session).transpose()
}

pub(super) async fn find_by_token(pool: &MySqlPool, token: &TokenHash) -> Result<Option<Session>, Error> {
    let sql = "SELECT * FROM signoff_session WHERE sid = (SELECT sid FROM signoff_token WHERE hash = ?)";
    let row = sqlx::query(sql).bind(token.as_bytes().as_slice()).fetch_optional(pool).await.map_err(database)?;
    row.as_ref().map(session).transpose()
}

pub(super) async fn list(
    pool: &MySqlPool,
    subject: &Subject,
    after: Option<&SessionId>,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<Session>, Error> {
    let sql =
        concat!("SELECT * FROM signoff_session WHERE subject = ? AND sid > ? AND", live!(), " ORDER BY sid LIMIT ?");
    let query = sqlx::query(sql)
        .bind(subject.as_str().as_bytes())
        // Every id comes after the empty one.
        .bind(after.map_or(&[][..], |id| id.as_bytes()));
    let rows = bind_live(query, now).bind(limit).fetch_all(pool).await.map_err(database)?;
    rows.iter().map(session).collect()
}

pub(super) async fn update(
    pool: &MySqlPool,
    id: &SessionId,
    version: u64,
    data: &[u8],
    now: Timestamp,
) -> Result<Update, Error> {
    let sql = concat!(
        "UPDATE signoff_session SET data = ?, version = version + 1 WHERE sid = ? AND version = ? AND",
        live!()
    );
    let query = sqlx::query(sql).bind(data).bind(id.as_bytes().as_slice()).bind(integer(version));
    // The version changes, so a row that was found is a row that was changed, however the connection counts.
    let done = bind_live(query, now).execute(pool).await.map_err(database)?;
    if done.rows_affected() == 1 {
        return Ok(Update::Saved(version + 1));
    }
    // It was not live, or not at that version: versions only grow, and the dead stay dead, so it is not too late to ask.
    let live = load(pool, SessionKey::Id(id), now).await?;
    Ok(if live.is_some() { Update::Conflict } else { Update::Gone })
}

pub(super) async fn touch(pool: &MySqlPool, batch: &[Touch], now: Timestamp) -> Result<Vec<Session>, Error> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    // A stricter level, which the server may have as its default, would lock gaps between the cutoffs. There is no
    // UPDATE ... RETURNING: who destroys a session in between has the last word, it is gone then.
    let sql = format!(
        concat!(
            "{read_committed}; UPDATE signoff_session FORCE INDEX (PRIMARY) \
             SET last_seen_at = GREATEST(last_seen_at, {now}), \
             idle_expires_at = GREATEST(idle_expires_at, LEAST({ends}, expires_at)) WHERE sid IN {ids} AND",
            live!("{now}"),
            "; SELECT * FROM signoff_session FORCE INDEX (PRIMARY) WHERE sid IN {ids} AND",
            live!("{now}")
        ),
        read_committed = READ_COMMITTED,
        now = now.as_micros(),
        ends = text::times(batch.iter().map(|touch| (&touch.id, touch.idle_expires_at))),
        ids = text::list(batch.iter().map(|touch| &touch.id))
    );
    let mut connection = pool.acquire().await.map_err(database)?;
    text::rows(&mut connection, sql).await?.iter().map(session).collect()
}
