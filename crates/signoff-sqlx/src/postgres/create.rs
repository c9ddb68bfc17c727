//! Logins in PostgreSQL: SQL and binding. The order of things is in [`crate::create`].

use signoff::store::{CreatedSessions, Family, NewSession};
use signoff::time::Timestamp;
use signoff::{Error, Session, SessionId, TokenHash};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::sessions::{bytes, live};
use super::{audit, elsewhere};
use crate::create::{self, Birth, Births, Look, Old, Taken, looking_twice, old, taken};
use crate::error::{conflict, database};
use crate::rows::{Fields, Positions, Record, integer};

pub(super) async fn run(
    connection: &mut PgConnection,
    batch: &[NewSession],
    now: Timestamp,
) -> Result<CreatedSessions, Error> {
    looking_twice!(|look| attempt(connection, batch, look, now).await)
}

async fn attempt(
    connection: &mut PgConnection,
    batch: &[NewSession],
    look: Look,
    now: Timestamp,
) -> Result<CreatedSessions, Error> {
    // Nothing but births: they are one statement, which is the whole transaction, in one hop.
    if create::is_births_alone(batch, look) {
        return create::run(connection, batch, look, now).await;
    }
    let mut transaction = connection.begin().await.map_err(database)?;
    let created = create::run(&mut *transaction, batch, look, now).await?;
    transaction.commit().await.map_err(database)?;
    Ok(created)
}

/// Head, sessions, tokens, families and records in one statement, so that the lock of the head is short.
const BEAR: &str = "\
WITH new AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::bigint[], $10::text[], $11::bytea[], $12::text[], $13::text[], $14::bigint[], $15::bigint[], $16::bigint[],
        $17::bigint[], $18::bigint[], $19::bigint[], $20::text[], $21::text[], $22::bytea[], $23::text[], $24::text[],
        $25::text[], $26::bytea[], $27::bytea[], $28::bytea[], $29::bigint[], $30::bigint[]) WITH ORDINALITY
    AS new (event_kind, event_actor, event_reason, event_session, event_logout, event_detail, event_address,
        event_user_agent, event_at, event_subject, sid, subject, client_id, nth, created_at, authenticated_at,
        last_seen_at, idle_expires_at, expires_at, scope, claims, data, device, address, user_agent, token, family,
        current, grace_until, generation, n)
), head AS (
    UPDATE signoff_meta SET previous = head, head = greatest(head, $31 - 1) + $32 WHERE id = 1
    RETURNING previous, head, head - $32 AS base
), session AS (
    INSERT INTO signoff_session (sid, subject, client_id, born, created_at, authenticated_at, last_seen_at,
        idle_expires_at, expires_at, version, scope, claims, data, device, address, user_agent)
    SELECT sid, subject, client_id, base + nth, created_at, authenticated_at, last_seen_at,
        idle_expires_at, expires_at, 1, scope, claims, data, device, address, user_agent
    FROM head CROSS JOIN new ORDER BY n
), tokens AS (
    INSERT INTO signoff_token (hash, sid) SELECT token, sid FROM new WHERE token IS NOT NULL
), families AS (
    INSERT INTO signoff_refresh (family, sid, current, grace_until, generation)
    SELECT family, sid, current, grace_until, generation FROM new WHERE family IS NOT NULL
), recorded AS (
    INSERT INTO signoff_audit (at, kind, subject, actor, reason, session, logout, detail, address, user_agent)
    SELECT event_at, event_kind, event_subject, event_actor, event_reason, event_session,
        decode(event_logout, 'hex'), event_detail, event_address, event_user_agent
    FROM new ORDER BY n
)
SELECT previous, head FROM head";

impl Births for PgConnection {
    async fn lock(&mut self, ids: &[SessionId]) -> Result<(), Error> {
        // A subquery that depends on nothing is done before the row that it stands beside is locked.
        let sql = "WITH held AS MATERIALIZED (SELECT sid FROM signoff_session WHERE sid = ANY ($1) ORDER BY sid FOR UPDATE) \
                   SELECT head FROM signoff_meta WHERE id = 1 AND (SELECT count(*) FROM held) >= 0 FOR UPDATE";
        sqlx::query(sql).bind(bytes(ids)).fetch_one(self).await.map(|_| ()).map_err(database)
    }

    // A statement of its own, because its snapshot must not be older than the locks.
    async fn replaceable(&mut self, ids: &[SessionId], now: Timestamp) -> Result<Vec<Old>, Error> {
        let sql =
            concat!("SELECT sid, subject, expires_at, version FROM signoff_session WHERE sid = ANY ($2) AND", live!());
        let query = sqlx::query(sql).bind(now.as_micros()).bind(bytes(ids));
        query.fetch_all(self).await.map_err(database)?.iter().map(old).collect()
    }

    async fn taken(&mut self, batch: &[NewSession]) -> Result<Taken, Error> {
        let sql = "SELECT 1::bigint AS what, sid FROM signoff_session WHERE sid = ANY ($1) \
                   UNION ALL SELECT 2, hash FROM signoff_token WHERE hash = ANY ($2) \
                   UNION ALL SELECT 3, family FROM signoff_refresh WHERE family = ANY ($3)";
        let ids: Vec<_> = batch.iter().map(|new| new.session.id).collect();
        let tokens: Vec<_> = batch.iter().filter_map(|new| new.token.as_ref().map(hash)).collect();
        let families = batch.iter().filter_map(|new| new.refresh.as_ref().map(|first| hash(&first.family)));
        let query = sqlx::query(sql).bind(bytes(&ids)).bind(tokens).bind(families.collect::<Vec<_>>());
        taken(&query.fetch_all(self).await.map_err(database)?)
    }

    async fn link(&mut self, new: &Session) -> Result<(), Error> {
        elsewhere::insert(self, new).await
    }

    async fn bear(&mut self, births: &[Birth<'_>], count: usize, now: Timestamp) -> Result<Positions, Error> {
        let events: Vec<_> = births.iter().map(|birth| Record::from(&birth.new.audit)).collect();
        let ids: Vec<_> = births.iter().map(|birth| birth.new.session.id).collect();
        let families = births.iter().map(|Birth { new, .. }| {
            new.refresh.as_ref().map(|first| (&first.family, Family::new(new.session.id, first)))
        });
        let families: Vec<_> = families.collect();
        let row = audit::bind(sqlx::query(BEAR), &events)
            .bind(events.iter().map(|record| record.0).collect::<Vec<_>>())
            .bind(events.iter().map(|record| record.2).collect::<Vec<_>>())
            .bind(bytes(&ids))
            .bind(column(births, |session| session.subject.as_str()))
            .bind(column(births, |session| session.client_id.as_str()))
            .bind(births.iter().map(|birth| integer(birth.nth as u64)).collect::<Vec<_>>())
            .bind(column(births, |session| session.created_at.as_micros()))
            .bind(column(births, |session| session.authenticated_at.as_micros()))
            .bind(column(births, |session| session.last_seen_at.as_micros()))
            .bind(column(births, |session| session.idle_expires_at.as_micros()))
            .bind(column(births, |session| session.expires_at.as_micros()))
            .bind(column(births, |session| session.scope.as_deref()))
            .bind(column(births, |session| session.claims.as_deref()))
            .bind(column(births, |session| session.data.as_slice()))
            .bind(column(births, |session| session.device.as_deref()))
            .bind(column(births, |session| session.context.address().map(|address| address.to_string())))
            .bind(column(births, |session| session.context.user_agent()))
            .bind(births.iter().map(|birth| birth.new.token.as_ref().map(hash)).collect::<Vec<_>>())
            .bind(families.iter().map(|family| family.as_ref().map(|(key, _)| hash(key))).collect::<Vec<_>>())
            .bind(families.iter().map(|family| family.as_ref().map(|(_, new)| hash(&new.current))).collect::<Vec<_>>())
            .bind(
                families
                    .iter()
                    .map(|family| family.as_ref().map(|(_, new)| new.grace_until.as_micros()))
                    .collect::<Vec<_>>(),
            )
            .bind(
                families
                    .iter()
                    .map(|family| family.as_ref().map(|(_, new)| integer(new.generation)))
                    .collect::<Vec<_>>(),
            )
            .bind(now.as_micros())
            .bind(integer(count as u64))
            .fetch_one(self)
            .await
            .map_err(conflict)?;
        Positions::new(row.integer("previous")?, row.integer("head")?, count)
    }
}

/// One column of all sessions, to bind.
fn column<'a, T>(births: &[Birth<'a>], pick: impl Fn(&'a Session) -> T) -> Vec<T> {
    births.iter().map(|birth| pick(&birth.new.session)).collect()
}

fn hash(hash: &TokenHash) -> &[u8] {
    hash.as_bytes()
}
