//! Sessions and their tokens: SQL and binding.

use signoff::audit::AuditEvent;
use signoff::store::{NewFamily, SessionKey};
use signoff::time::Timestamp;
use signoff::{Error, Session, SessionId, Subject, TokenHash, Update};
use sqlx::Connection;
use sqlx::mysql::{MySql, MySqlArguments, MySqlConnection, MySqlPool};
use sqlx::query::Query;

use super::{audit, elsewhere, exchange, log};
use crate::error::{conflict, database};
use crate::rows::{Positions, integer, session};

/// Live, as the contract has it. Every statement that uses it binds the time thrice in its place: see [`bind_live`].
macro_rules! live {
    () => {
        " destroyed_at IS NULL AND idle_expires_at > ? AND expires_at > ? AND NOT EXISTS (SELECT 1 FROM \
         signoff_cutoff AS c WHERE ((c.kind = 3 AND c.id = signoff_session.subject) OR (c.kind = 4 AND \
         c.id = signoff_session.client_id) OR (c.kind = 6 AND c.id = '')) AND c.position > signoff_session.born \
         AND c.expires_at > ?)"
    };
}

pub(super) use live;

pub(super) fn bind_live(query: Query<'_, MySql, MySqlArguments>, now: Timestamp) -> Query<'_, MySql, MySqlArguments> {
    query.bind(now.as_micros()).bind(now.as_micros()).bind(now.as_micros())
}

/// Session, token, family, head and record in one transaction. The lock of the head is taken as late as it can be.
pub(super) async fn create(
    connection: &mut MySqlConnection,
    new: &Session,
    token: Option<&TokenHash>,
    refresh: Option<&NewFamily>,
    event: &AuditEvent,
    now: Timestamp,
) -> Result<Positions, Error> {
    let mut transaction = connection.begin().await.map_err(database)?;
    if let Some(token) = token {
        let query = sqlx::query("INSERT INTO signoff_token (hash, sid) VALUES (?, ?)");
        let query = query.bind(token.as_bytes().as_slice()).bind(new.id.as_bytes().as_slice());
        query.execute(&mut *transaction).await.map_err(conflict)?;
    }
    if let Some(refresh) = refresh {
        exchange::insert(&mut transaction, refresh, &new.id).await?;
    }
    elsewhere::insert(&mut transaction, new).await?;
    audit::insert(&mut transaction, std::slice::from_ref(event)).await?;
    let positions = log::advance(&mut transaction, 1, now).await?;
    let sql = "INSERT INTO signoff_session (sid, subject, client_id, born, created_at, last_seen_at, idle_expires_at, \
               expires_at, version, scope, claims, data, device, address, user_agent) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?)";
    sqlx::query(sql)
        .bind(new.id.as_bytes().as_slice())
        .bind(new.subject.as_str().as_bytes())
        .bind(new.client_id.as_str().as_bytes())
        .bind(integer(positions.first.get()))
        .bind(new.created_at.as_micros())
        .bind(new.last_seen_at.as_micros())
        .bind(new.idle_expires_at.as_micros())
        .bind(new.expires_at.as_micros())
        .bind(new.scope.as_deref())
        .bind(new.claims.as_deref())
        .bind(new.data.as_slice())
        .bind(new.device.as_deref())
        .bind(new.context.address().map(|address| address.to_string()))
        .bind(new.context.user_agent())
        .execute(&mut *transaction)
        .await
        .map_err(conflict)?;
    transaction.commit().await.map_err(database)?;
    Ok(positions)
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

pub(super) async fn touch(
    pool: &MySqlPool,
    id: &SessionId,
    idle_expires_at: Timestamp,
    now: Timestamp,
) -> Result<Option<Session>, Error> {
    let sql = concat!(
        "UPDATE signoff_session SET last_seen_at = ?, idle_expires_at = LEAST(?, expires_at) WHERE sid = ? AND",
        live!()
    );
    let query = sqlx::query(sql).bind(now.as_micros()).bind(idle_expires_at.as_micros()).bind(id.as_bytes().as_slice());
    bind_live(query, now).execute(pool).await.map_err(database)?;
    // There is no UPDATE ... RETURNING. Who destroys the session in between has the last word: it is gone then.
    load(pool, SessionKey::Id(id), now).await
}
