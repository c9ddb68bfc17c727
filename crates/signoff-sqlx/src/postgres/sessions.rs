//! Sessions and their tokens: SQL and binding.

use signoff::audit::AuditEvent;
use signoff::store::{Family, NewFamily, SessionKey};
use signoff::time::Timestamp;
use signoff::{Error, Session, SessionId, Subject, TokenHash, Update};
use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPool};

use super::elsewhere;
use crate::error::{conflict, database};
use crate::rows::{Fields, Positions, Record, integer, session};

/// Live at `$1`, as the contract has it. Every statement that uses it binds the time first.
macro_rules! live {
    () => {
        " destroyed_at IS NULL AND idle_expires_at > $1 AND expires_at > $1 AND NOT EXISTS (SELECT FROM \
         signoff_cutoff AS c WHERE ((c.kind = 3 AND c.id = convert_to(signoff_session.subject, 'UTF8')) OR \
         (c.kind = 4 AND c.id = convert_to(signoff_session.client_id, 'UTF8')) OR (c.kind = 6 AND c.id = '')) \
         AND c.position > signoff_session.born AND c.expires_at > $1)"
    };
}

pub(super) use live;

/// What belongs to the session in other stores is written first, so that the lock of the head is short.
pub(super) async fn create(
    connection: &mut PgConnection,
    new: &Session,
    token: Option<&TokenHash>,
    refresh: Option<&NewFamily>,
    event: &AuditEvent,
    now: Timestamp,
) -> Result<Positions, Error> {
    if new.elsewhere.is_empty() {
        return create_alone(connection, new, token, refresh, event, now).await;
    }
    let mut transaction = connection.begin().await.map_err(database)?;
    elsewhere::insert(&mut transaction, new).await?;
    let positions = create_alone(&mut transaction, new, token, refresh, event, now).await?;
    transaction.commit().await.map_err(database)?;
    Ok(positions)
}

/// Session, token, family, head and record in one statement: one hop, one transaction, and the lock of the head is short.
async fn create_alone(
    connection: &mut PgConnection,
    new: &Session,
    token: Option<&TokenHash>,
    refresh: Option<&NewFamily>,
    event: &AuditEvent,
    now: Timestamp,
) -> Result<Positions, Error> {
    let sql = "WITH head AS (UPDATE signoff_meta SET previous = head, head = greatest(head, $1 - 1) + 1 WHERE id = 1 \
               RETURNING previous, head), \
               session AS (INSERT INTO signoff_session (sid, subject, client_id, born, created_at, last_seen_at, \
               idle_expires_at, expires_at, version, scope, claims, data, device, address, user_agent) \
               SELECT $2, $3, $4, head, $5, $6, $7, $8, 1, $9, $10, $11, $12, $13, $14 FROM head), \
               token AS (INSERT INTO signoff_token (hash, sid) SELECT $15, $2 WHERE $15 IS NOT NULL), \
               family AS (INSERT INTO signoff_refresh (family, sid, current, grace_until, generation) \
               SELECT $26, $2, $27, $28, $29 WHERE $26 IS NOT NULL), \
               record AS (INSERT INTO signoff_audit (at, kind, subject, actor, reason, session, logout, detail, address, \
               user_agent) VALUES ($16, $17, $18, $19, $20, $21, decode($22, 'hex'), $23, $24, $25)) \
               SELECT previous, head FROM head";
    let record = Record::from(event);
    let family = refresh.map(|first| Family::new(new.id, first));
    let row = sqlx::query(sql)
        .bind(now.as_micros())
        .bind(new.id.as_bytes().as_slice())
        .bind(new.subject.as_str())
        .bind(new.client_id.as_str())
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
        .bind(token.map(|token| token.as_bytes().as_slice()))
        .bind(record.0)
        .bind(record.1)
        .bind(record.2)
        .bind(record.3)
        .bind(record.4)
        .bind(record.5)
        .bind(record.6)
        .bind(record.7)
        .bind(record.8)
        .bind(record.9)
        .bind(refresh.map(|first| first.family.as_bytes().as_slice()))
        .bind(family.as_ref().map(|family| family.current.as_bytes().as_slice()))
        .bind(family.as_ref().map(|family| family.grace_until.as_micros()))
        .bind(family.as_ref().map(|family| integer(family.generation)))
        .fetch_one(connection)
        .await
        .map_err(conflict)?;
    Positions::new(row.integer("previous")?, row.integer("head")?, 1)
}

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
    let sql =
        concat!("SELECT * FROM signoff_session WHERE subject = $2 AND sid > $3 AND", live!(), " ORDER BY sid LIMIT $4");
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

pub(super) async fn touch(
    pool: &PgPool,
    id: &SessionId,
    idle_expires_at: Timestamp,
    now: Timestamp,
) -> Result<Option<Session>, Error> {
    let sql = concat!(
        "UPDATE signoff_session SET last_seen_at = $1, idle_expires_at = least($3, expires_at) WHERE sid = $2 AND",
        live!(),
        " RETURNING *"
    );
    let row = sqlx::query(sql)
        .bind(now.as_micros())
        .bind(id.as_bytes().as_slice())
        .bind(idle_expires_at.as_micros())
        .fetch_optional(pool)
        .await
        .map_err(database)?;
    row.as_ref().map(session).transpose()
}

/// Ids as an array to bind.
pub(super) fn bytes(ids: &[SessionId]) -> Vec<&[u8]> {
    ids.iter().map(|id| id.as_bytes().as_slice()).collect()
}
