//! What a sign-off does in PostgreSQL: SQL and binding. The order of things is in [`crate::sign_off`].

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use signoff::audit::AuditEvent;
use signoff::store::{Revocation, SessionTarget, SignOff, SignedOff};
use signoff::time::Timestamp;
use signoff::{Error, Position, SessionId, Subject};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};

use super::sessions::bytes;
use super::{audit, log};
use crate::error::{damaged, database};
use crate::rows::{Dead, Fields, Positions, Record, dead, micros, position, session_id};
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
/// snapshot, which is why a session is looked for again only if it was not destroyed here. Waiting for a row that somebody
/// else has locked ends with the newest version of it (READ COMMITTED), be it a session, which then is gone, or the
/// head, which then is counted on from. (EXISTS would be planned as a table of all sessions there are.)
///
/// What requests mostly have in common comes once, as causes. Each session has its number's position, and one that is not
/// revoked leaves a gap: numbers without gaps would be a sort. The answer is one row, because for each its own would cost
/// both sides more than what it says.
const END_SESSIONS: &str = "\
WITH destroyed AS (
    UPDATE signoff_session SET destroyed_at = $9, data = '', claims = NULL
    WHERE sid = ANY ($1) AND destroyed_at IS NULL
    RETURNING sid, subject, expires_at
), found AS MATERIALIZED (
    SELECT n, sid, state, CASE state WHEN 2 THEN least(expires_at + margin, $10) WHEN 0 THEN unknown_until END AS until,
        subject, cause, session, logout, address, user_agent
    FROM (
        SELECT asked.*, destroyed.subject, destroyed.expires_at, CASE WHEN destroyed.sid IS NOT NULL THEN 2
            WHEN (SELECT true FROM signoff_session WHERE signoff_session.sid = asked.sid) THEN 1 ELSE 0 END AS state
        FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::bytea[], $7::text[], $8::text[])
        WITH ORDINALITY AS asked (sid, margin, unknown_until, cause, session, logout, address, user_agent, n)
        LEFT JOIN destroyed ON destroyed.sid = asked.sid
    ) AS looked
), head AS (
    UPDATE signoff_meta SET previous = head, head = greatest(head, $9 - 1) + total.last
    FROM (SELECT max(n) AS last FROM found WHERE until IS NOT NULL) AS total WHERE id = 1 AND total.last IS NOT NULL
    RETURNING previous, head, head - total.last AS base
), logged AS (
    INSERT INTO signoff_log (position, kind, id, expires_at)
    SELECT base + n, 2, sid, until FROM head CROSS JOIN found WHERE until IS NOT NULL
), recorded AS (
    INSERT INTO signoff_audit (at, kind, subject, actor, reason, session, logout, detail, address, user_agent)
    SELECT $9, ($11::text[])[cause], subject, ($12::text[])[cause], ($13::text[])[cause], session, logout,
        ($14::text[])[cause], address, user_agent
    FROM found WHERE until IS NOT NULL
)
SELECT answer.*, head.previous, head.head, head.base
FROM (SELECT array_agg(n) AS n, array_agg(state::bigint) AS state, array_agg(until) AS until FROM found) AS answer
LEFT JOIN head ON true";

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
    let found = Found { destroyed: true, known: true, entry: Some((positions.first, row.integer("until")?)) };
    sign_off::assemble(batch, [found], positions.after, positions.last).map(Some)
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
    let (causes, cause) = causes(&events);
    let [kinds, actors, reasons, details] = causes;
    let ids: Vec<_> = asked.iter().map(|(_, target)| target.id.as_bytes().as_slice()).collect();
    let latest = Timestamp::MAX.as_micros();
    let margins: Vec<_> = asked.iter().map(|(request, _)| micros(request.margin).min(latest)).collect();
    let unknown_until = asked.iter().map(|(_, target)| target.revoke_unknown_until.map(Timestamp::as_micros));
    let addresses = events.iter().map(|event| event.context.address().map(|address| address.to_string()));
    let row = sqlx::query(END_SESSIONS)
        .bind(ids)
        .bind(margins)
        .bind(unknown_until.collect::<Vec<_>>())
        .bind(cause)
        .bind(events.iter().map(|event| event.session.as_deref()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.logout.as_ref().map(|id| id.as_bytes().as_slice())).collect::<Vec<_>>())
        .bind(addresses.collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.context.user_agent()).collect::<Vec<_>>())
        .bind(now.as_micros())
        .bind(latest)
        .bind(kinds)
        .bind(actors)
        .bind(reasons)
        .bind(details)
        .fetch_one(&mut *connection)
        .await
        .map_err(database)?;
    steps::reached("sign-off: committed");
    let (after, through, base) = match row.optional_integer("base")? {
        Some(base) => (position(row.integer("previous")?)?, position(row.integer("head")?)?, base),
        // Nothing was appended. Who destroyed what was found gone may have committed while this statement waited, after
        // its snapshot: only a later one is sure to see the entry below its head.
        None => {
            let head = log::head(connection).await?;
            (head, head, 0)
        }
    };
    sign_off::assemble(batch, found(&row, base)?, after, through)
}

/// What the sessions of the answer came to, in the order in which they were asked for.
fn found(row: &PgRow, base: i64) -> Result<Vec<Found>, Error> {
    let column =
        |name| row.try_get::<Option<Vec<Option<i64>>>, _>(name).map_err(database).map(Option::unwrap_or_default);
    let (numbers, states, ends) = (column("n")?, column("state")?, column("until")?);
    let mut found = Vec::with_capacity(numbers.len());
    for ((n, state), until) in numbers.into_iter().zip(states).zip(ends) {
        let (n, state) = n.zip(state).ok_or_else(|| damaged("the database forgot what it found"))?;
        let entry = until.map(|until| Ok::<_, Error>((position(base.saturating_add(n))?, until))).transpose()?;
        found.push((n, Found { destroyed: state == 2, known: state > 0, entry }));
    }
    // An aggregate promises no order.
    found.sort_unstable_by_key(|(n, _)| *n);
    Ok(found.into_iter().map(|(_, found)| found).collect())
}

/// The kinds, actors, reasons and details that records have, each combination once, and which of them each record has, from 1.
type Causes<'a> = [Vec<Option<Cow<'a, str>>>; 4];

fn causes(events: &[AuditEvent]) -> (Causes<'_>, Vec<i64>) {
    let mut known = HashMap::new();
    let mut causes = Causes::default();
    let mut which = Vec::with_capacity(events.len());
    for event in events {
        let next = known.len() as i64 + 1;
        let number = *known.entry((event.kind, &event.actor, event.reason, event.detail.as_deref())).or_insert(next);
        if number == next {
            let words = [
                Some(event.kind.as_str().into()),
                Some(event.actor.to_text().into()),
                event.reason.map(|reason| reason.as_str().into()),
                event.detail.as_deref().map(Cow::from),
            ];
            causes.iter_mut().zip(words).for_each(|(column, word)| column.push(word));
        }
        which.push(number);
    }
    (causes, which)
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
                   WHERE s.subject = ANY ($2) AND s.subject = asked.subject \
                   AND s.sid IS DISTINCT FROM asked.spared AND s.destroyed_at IS NULL \
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

    async fn destroy_late(&mut self, subjects: &[&Subject], now: Timestamp) -> Result<Vec<Dead>, Error> {
        let lock = "SELECT head FROM signoff_meta WHERE id = 1 FOR UPDATE";
        sqlx::query(lock).fetch_one(&mut *self).await.map_err(database)?;
        let sql = "WITH late AS MATERIALIZED (SELECT sid FROM signoff_session WHERE subject = ANY ($2) \
                   AND destroyed_at IS NULL FOR UPDATE SKIP LOCKED) \
                   UPDATE signoff_session SET destroyed_at = $1, data = '', claims = NULL \
                   WHERE sid = ANY (ARRAY(SELECT sid FROM late)) RETURNING sid, subject, expires_at";
        let names: Vec<_> = subjects.iter().map(|subject| subject.as_str()).collect();
        let query = sqlx::query(sql).bind(now.as_micros()).bind(names);
        query.fetch_all(self).await.map_err(database)?.iter().map(dead).collect()
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
               ON s.subject = asked.subject WHERE s.subject = ANY ($1) AND s.sid <> asked.spared AND s.destroyed_at IS NULL LIMIT 1";
    let query = sqlx::query(sql).bind(subjects).bind(spared);
    query.fetch_optional(connection).await.map(|row| row.is_some()).map_err(database)
}
