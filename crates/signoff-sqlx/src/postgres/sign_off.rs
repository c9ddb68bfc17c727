//! What a sign-off does in PostgreSQL: SQL and binding. The order of things is in [`crate::sign_off`].

use std::collections::HashSet;

use signoff::audit::AuditEvent;
use signoff::store::{Revocation, SessionTarget, SignOff, SignedOff};
use signoff::time::Timestamp;
use signoff::{Error, Position, SessionId, Subject};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::sessions::bytes;
use super::{audit, log};
use crate::error::database;
use crate::rows::{Dead, Fields, Positions, Record, dead, micros, session_id};
use crate::sign_off::{self, Found, Ledger};
use crate::steps;

pub(super) async fn run(connection: &mut PgConnection, batch: &[SignOff], now: Timestamp) -> Result<SignedOff, Error> {
    if let Some(asked) = sign_off::distinct_sessions(batch) {
        return end_sessions(connection, batch, &asked, now).await;
    }
    let mut transaction = connection.begin().await.map_err(database)?;
    steps::reached("sign-off: begun");
    let signed_off = sign_off::run(&mut *transaction, batch, now).await?;
    transaction.commit().await.map_err(database)?;
    steps::reached("sign-off: committed");
    Ok(signed_off)
}

/// The whole transaction as one statement: one hop for any number of sessions.
///
/// Its parts feed each other, so they run in this order: destroy, move the head, append, record. The parts see one
/// snapshot, which is why `known` is asked for those only that were not destroyed here. Waiting for a row that somebody
/// else has locked ends with the newest version of it (READ COMMITTED), be it a session, which then is gone, or the
/// head, which then is counted on from. (EXISTS would be planned as a table of all sessions there are.)
const END_SESSIONS: &str = "\
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::bytea[], $10::bigint[], $11::bigint[]) WITH ORDINALITY
    AS asked (kind, actor, reason, session, logout, detail, address, user_agent, sid, margin, unknown_until, n)
), destroyed AS (
    UPDATE signoff_session SET destroyed_at = $12, data = '', claims = NULL
    WHERE sid = ANY ($9) AND destroyed_at IS NULL
    RETURNING sid, subject, expires_at
), found AS MATERIALIZED (
    SELECT asked.*, destroyed.subject, destroyed.sid IS NOT NULL AS destroyed, destroyed.expires_at,
        destroyed.sid IS NOT NULL
        OR coalesce((SELECT true FROM signoff_session WHERE signoff_session.sid = asked.sid), false) AS known
    FROM asked LEFT JOIN destroyed ON destroyed.sid = asked.sid
), doomed AS MATERIALIZED (
    SELECT found.*, CASE WHEN destroyed THEN least(expires_at + margin, $13) ELSE unknown_until END AS until,
        row_number() OVER (ORDER BY n) AS k
    FROM found WHERE destroyed OR (NOT known AND unknown_until IS NOT NULL)
), head AS (
    UPDATE signoff_meta SET previous = head, head = greatest(head, $12 - 1) + total.count
    FROM (SELECT count(*) FROM doomed) AS total WHERE id = 1 AND total.count > 0
    RETURNING previous, head, head - total.count AS base
), logged AS (
    INSERT INTO signoff_log (position, kind, id, expires_at)
    SELECT base + k, 2, sid, until FROM head CROSS JOIN doomed ORDER BY k
), recorded AS (
    INSERT INTO signoff_audit (at, kind, subject, actor, reason, session, logout, detail, address, user_agent)
    SELECT $12, kind, subject, actor, reason, session, decode(logout, 'hex'), detail, address, user_agent
    FROM doomed ORDER BY k
)
SELECT found.destroyed::int::bigint AS destroyed, found.known::int::bigint AS known, doomed.until, head.previous, head.base
FROM found LEFT JOIN doomed ON doomed.n = found.n LEFT JOIN head ON true ORDER BY found.n";

/// The same for one session that lives, which is what most logouts ask for. It has fewer parts, which the server sets up anew
/// for every call. No row: the session does not live, and the other statement says what is to be done then.
const END_SESSION: &str = "\
WITH destroyed AS (
    UPDATE signoff_session SET destroyed_at = $2::bigint, data = '', claims = NULL
    WHERE sid = $1::bytea AND destroyed_at IS NULL
    RETURNING subject, least(expires_at + $3::bigint, $4::bigint) AS until
), head AS (
    UPDATE signoff_meta SET previous = head, head = greatest(head, $2::bigint - 1) + 1 FROM destroyed WHERE id = 1
    RETURNING previous, head, subject, until
), logged AS (
    INSERT INTO signoff_log (position, kind, id, expires_at) SELECT head, 2, $1::bytea, until FROM head
), recorded AS (
    INSERT INTO signoff_audit (at, kind, subject, actor, reason, session, logout, detail, address, user_agent)
    SELECT $2::bigint, $5, subject, $6, $7, $8, decode($9, 'hex'), $10, $11, $12 FROM head
)
SELECT until, previous, head FROM head";

async fn end_session(
    connection: &mut PgConnection,
    batch: &[SignOff],
    (request, target): (&SignOff, &SessionTarget),
    now: Timestamp,
) -> Result<Option<SignedOff>, Error> {
    let latest = Timestamp::MAX.as_micros();
    let event = request.audit(None, Some(&target.id), 1, now);
    let record = Record::from(&event);
    let row = sqlx::query(END_SESSION)
        .bind(target.id.as_bytes().as_slice())
        .bind(now.as_micros())
        .bind(micros(request.margin).min(latest))
        .bind(latest)
        .bind(record.1)
        .bind(record.3)
        .bind(record.4)
        .bind(record.5)
        .bind(record.6)
        .bind(record.7)
        .bind(record.8)
        .bind(record.9)
        .fetch_optional(connection)
        .await
        .map_err(database)?;
    let Some(row) = row else { return Ok(None) };
    let positions = Positions::new(row.integer("previous")?, row.integer("head")?, 1)?;
    let found = Found { destroyed: true, known: true, until: Some(row.integer("until")?) };
    sign_off::assemble(batch, [found], positions.after, Some(positions.first)).map(Some)
}

async fn end_sessions(
    connection: &mut PgConnection,
    batch: &[SignOff],
    asked: &[(&SignOff, &SessionTarget)],
    now: Timestamp,
) -> Result<SignedOff, Error> {
    steps::reached("sign-off: begun");
    if let [alone] = asked
        && let Some(signed_off) = end_session(connection, batch, *alone, now).await?
    {
        steps::reached("sign-off: committed");
        return Ok(signed_off);
    }
    let events: Vec<_> = asked.iter().map(|(request, target)| request.audit(None, Some(&target.id), 1, now)).collect();
    let records: Vec<_> = events.iter().map(Record::from).collect();
    let ids: Vec<_> = asked.iter().map(|(_, target)| target.id).collect();
    let latest = Timestamp::MAX.as_micros();
    let margins: Vec<_> = asked.iter().map(|(request, _)| micros(request.margin).min(latest)).collect();
    let unknown_until = asked.iter().map(|(_, target)| target.revoke_unknown_until.map(Timestamp::as_micros));
    let rows = audit::bind(sqlx::query(END_SESSIONS), &records)
        .bind(bytes(&ids))
        .bind(margins)
        .bind(unknown_until.collect::<Vec<_>>())
        .bind(now.as_micros())
        .bind(latest)
        .fetch_all(&mut *connection)
        .await
        .map_err(database)?;
    steps::reached("sign-off: committed");
    let head =
        rows.first().map(|row| Ok::<_, Error>((row.optional_integer("previous")?, row.optional_integer("base")?)));
    let (after, first) = match head.transpose()? {
        Some((Some(previous), Some(base))) => {
            let positions = Positions::new(previous, base.saturating_add(1), 1)?;
            (positions.after, Some(positions.first))
        }
        // Nothing was appended. Who destroyed what was found gone may have committed while this statement waited, after
        // its snapshot: only a later one is sure to see the entry below its head.
        _ => (log::head(connection).await?, None),
    };
    let found: Result<Vec<_>, Error> = rows
        .iter()
        .map(|row| {
            let yes = |column| row.integer(column).map(|number| number == 1);
            Ok(Found { destroyed: yes("destroyed")?, known: yes("known")?, until: row.optional_integer("until")? })
        })
        .collect();
    sign_off::assemble(batch, found?, after, first)
}

impl Ledger for PgConnection {
    async fn destroy(&mut self, ids: &[SessionId], now: Timestamp) -> Result<Vec<Dead>, Error> {
        let sql = "UPDATE signoff_session SET destroyed_at = $1, data = '', claims = NULL \
                   WHERE sid = ANY ($2) AND destroyed_at IS NULL RETURNING sid, subject, expires_at";
        let query = sqlx::query(sql).bind(now.as_micros()).bind(bytes(ids));
        query.fetch_all(self).await.map_err(database)?.iter().map(dead).collect()
    }

    async fn destroy_of(
        &mut self,
        subjects: &[(&Subject, Option<&SessionId>)],
        now: Timestamp,
    ) -> Result<Vec<Dead>, Error> {
        let sql = "UPDATE signoff_session AS s SET destroyed_at = $1, data = '', claims = NULL \
                   FROM unnest($2::text[], $3::bytea[]) AS asked (subject, spared) \
                   WHERE s.subject = asked.subject AND s.sid IS DISTINCT FROM asked.spared AND s.destroyed_at IS NULL \
                   RETURNING s.sid, s.subject, s.expires_at";
        let names: Vec<_> = subjects.iter().map(|(subject, _)| subject.as_str()).collect();
        let spared: Vec<_> = subjects.iter().map(|(_, spared)| spared.map(|id| id.as_bytes().as_slice())).collect();
        let mut all = Vec::new();
        loop {
            let query = sqlx::query(sql).bind(now.as_micros()).bind(&names).bind(&spared);
            let found = query.fetch_all(&mut *self).await.map_err(database)?;
            all.append(&mut found.iter().map(dead).collect::<Result<_, _>>()?);
            if !left(self, &names, &spared).await? {
                return Ok(all);
            }
        }
    }

    async fn known(&mut self, ids: &[SessionId]) -> Result<HashSet<SessionId>, Error> {
        let sql = "SELECT sid FROM signoff_session WHERE sid = ANY ($1)";
        let rows = sqlx::query(sql).bind(bytes(ids)).fetch_all(self).await.map_err(database)?;
        rows.iter().map(session_id).collect()
    }

    async fn head(&mut self) -> Result<Position, Error> {
        log::head(self).await
    }

    async fn advance(&mut self, count: usize, now: Timestamp) -> Result<Positions, Error> {
        log::advance(self, count, now).await
    }

    async fn append(&mut self, entries: &[Revocation]) -> Result<(), Error> {
        log::append(self, entries).await
    }

    async fn record(&mut self, events: &[AuditEvent]) -> Result<(), Error> {
        audit::insert(self, events).await
    }
}

/// Whether a subject of whom a session is spared has others still. While this transaction waited for one that was being
/// replaced, its place was taken by one that the statement's snapshot did not have; no entry of the subject cuts it off.
async fn left(connection: &mut PgConnection, subjects: &[&str], spared: &[Option<&[u8]>]) -> Result<bool, Error> {
    if spared.iter().all(Option::is_none) {
        return Ok(false);
    }
    let sql = "SELECT s.sid FROM unnest($1::text[], $2::bytea[]) AS asked (subject, spared) JOIN signoff_session AS s \
               ON s.subject = asked.subject WHERE s.sid <> asked.spared AND s.destroyed_at IS NULL LIMIT 1";
    let query = sqlx::query(sql).bind(subjects).bind(spared);
    query.fetch_optional(connection).await.map(|row| row.is_some()).map_err(database)
}
