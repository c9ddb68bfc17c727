//! What a sign-off does in SQLite: SQL and binding. The order of things is in [`crate::sign_off`].

use std::collections::HashSet;

use signoff::audit::AuditEvent;
use signoff::store::{Revocation, SessionTarget, SignOff, SignedOff};
use signoff::time::Timestamp;
use signoff::{Error, Position, SessionId, Subject};
use sqlx::SqliteConnection;

use super::{audit, log};
use crate::error::{damaged, database};
use crate::pack::{hex, json};
use crate::rows::{Dead, Fields, Positions, Record, dead, micros, position, session_id};
use crate::sign_off::{self, Found, Ledger};
use crate::steps;

/// The whole transaction as one statement, for any number of sessions.
///
/// It has the write lock before it looks at anything, and has found all of them before the first row goes to the trigger
/// of `signoff_end`, which destroys, moves the head, appends and records. What it returns are those rows, as found.
macro_rules! end {
    ($asked:literal) => {
        concat!(
            "INSERT INTO signoff_end (n, sid, destroyed, known, until, head, at, kind, subject, actor, reason, session, \
             logout, detail, address, user_agent) SELECT asked.n, asked.sid, s.sid IS NOT NULL AND s.destroyed_at IS NULL, \
             s.sid IS NOT NULL, CASE WHEN s.sid IS NULL THEN asked.unknown_until \
             WHEN s.destroyed_at IS NULL THEN min(s.expires_at + asked.margin, ?2) END, m.head, ?1, asked.kind, \
             CASE WHEN s.destroyed_at IS NULL THEN s.subject END, asked.actor, asked.reason, asked.session, \
             unhex(asked.logout), asked.detail, asked.address, asked.user_agent FROM (SELECT ",
            $asked,
            ") AS asked CROSS JOIN signoff_meta AS m LEFT JOIN signoff_session AS s ON s.sid = asked.sid \
             WHERE max(m.head, ?1) < 9223372036854775807 - ?3 ORDER BY asked.n \
             RETURNING n, destroyed, known, until, head"
        )
    };
}

/// Without JSON, which would take a tenth of the time.
const END_SESSION: &str = end!(
    "0 AS n, ?4 AS sid, ?5 AS margin, ?6 AS unknown_until, ?7 AS kind, ?8 AS actor, ?9 AS reason, ?10 AS session, \
     ?11 AS logout, ?12 AS detail, ?13 AS address, ?14 AS user_agent"
);

const END_SESSIONS: &str = end!(
    "key AS n, unhex(value ->> 0) AS sid, value ->> 1 AS margin, value ->> 2 AS unknown_until, value ->> 3 AS kind, \
     value ->> 4 AS actor, value ->> 5 AS reason, value ->> 6 AS session, value ->> 7 AS logout, value ->> 8 AS detail, \
     value ->> 9 AS address, value ->> 10 AS user_agent FROM json_each(?4)"
);

pub(super) async fn end_sessions(
    connection: &mut SqliteConnection,
    batch: &[SignOff],
    asked: &[(&SignOff, &SessionTarget)],
    now: Timestamp,
) -> Result<SignedOff, Error> {
    let latest = Timestamp::MAX.as_micros();
    let count = i64::try_from(asked.len()).unwrap_or(i64::MAX);
    let events: Vec<_> = asked.iter().map(|(request, target)| request.audit(None, Some(&target.id), 1, now)).collect();
    let rows = asked.iter().zip(&events).map(|((request, target), event)| {
        let unknown_until = target.revoke_unknown_until.map(Timestamp::as_micros);
        (target.id, micros(request.margin).min(latest), unknown_until, Record::from(event))
    });
    let rows: Vec<_> = rows.collect();
    steps::reached("sign-off: begun");
    let started = |sql| sqlx::query(sql).bind(now.as_micros()).bind(latest).bind(count);
    let query = match rows.as_slice() {
        [(id, margin, unknown_until, Record(_, kind, _, actor, reason, session, logout, detail, address, agent))] => {
            let query = started(END_SESSION).bind(id.as_bytes().as_slice()).bind(margin).bind(unknown_until);
            let query = query.bind(kind).bind(actor).bind(reason).bind(session).bind(logout);
            query.bind(detail).bind(address).bind(agent)
        }
        _ => {
            let row = |(id, margin, until, record): &(SessionId, i64, Option<i64>, Record<'_>)| {
                let Record(_, kind, _, actor, reason, session, logout, detail, address, agent) = record;
                let id = hex(id.as_bytes());
                json(&(id, margin, until, kind, actor, reason, session, logout, detail, address, agent))
            };
            let rows = rows.iter().map(row).collect::<Result<Vec<_>, _>>()?;
            started(END_SESSIONS).bind(format!("[{}]", rows.join(",")))
        }
    };
    let rows = query.fetch_all(&mut *connection).await.map_err(database)?;
    steps::reached("sign-off: committed");
    let Some(first) = rows.first() else {
        if asked.is_empty() {
            let head = log::head(connection).await?;
            return sign_off::assemble(batch, [], head, head);
        }
        return Err(damaged("the log has no positions left"));
    };
    let after = first.integer("head")?;
    let mut found: Vec<_> = rows
        .iter()
        .map(|row| {
            let yes = |column| row.integer(column).map(|number| number == 1);
            let found = Found { destroyed: yes("destroyed")?, known: yes("known")?, entry: None };
            Ok((row.integer("n")?, found, row.optional_integer("until")?))
        })
        .collect::<Result<_, Error>>()?;
    // SQLite does not promise in which order it returns them.
    found.sort_unstable_by_key(|(n, ..)| *n);
    let base = after.max(now.as_micros().saturating_sub(1));
    let mut last = after;
    let mut next = base;
    for (_, found, until) in &mut found {
        if let Some(until) = *until {
            next = next.saturating_add(1);
            last = next;
            found.entry = Some((position(next)?, until));
        }
    }
    sign_off::assemble(batch, found.into_iter().map(|(_, found, _)| found), position(after)?, position(last)?)
}

impl Ledger for SqliteConnection {
    async fn destroy(&mut self, ids: &[SessionId], now: Timestamp) -> Result<Vec<Dead>, Error> {
        let sql = "UPDATE signoff_session SET destroyed_at = ?, data = x'', claims = NULL WHERE destroyed_at IS NULL \
                   AND sid IN (SELECT unhex(value) FROM json_each(?)) RETURNING sid, subject, expires_at";
        let query = sqlx::query(sql).bind(now.as_micros()).bind(packed(ids)?);
        query.fetch_all(self).await.map_err(database)?.iter().map(dead).collect()
    }

    async fn destroy_of(
        &mut self,
        subjects: &[(&Subject, Option<&SessionId>)],
        now: Timestamp,
    ) -> Result<Vec<Dead>, Error> {
        let sql = "UPDATE signoff_session SET destroyed_at = ?1, data = x'', claims = NULL WHERE sid IN \
                   (SELECT s.sid FROM json_each(?2) AS asked CROSS JOIN signoff_session AS s \
                   ON s.subject = asked.value ->> 0 WHERE s.destroyed_at IS NULL \
                   AND s.sid IS NOT unhex(asked.value ->> 1)) RETURNING sid, subject, expires_at";
        let subjects = subjects.iter().map(|(subject, spared)| (subject.as_str(), spared.map(|id| hex(id.as_bytes()))));
        let subjects = json(&subjects.collect::<Vec<_>>())?;
        let query = sqlx::query(sql).bind(now.as_micros()).bind(subjects);
        query.fetch_all(self).await.map_err(database)?.iter().map(dead).collect()
    }

    async fn known(&mut self, ids: &[SessionId]) -> Result<HashSet<SessionId>, Error> {
        let sql = "SELECT sid FROM signoff_session WHERE sid IN (SELECT unhex(value) FROM json_each(?))";
        let rows = sqlx::query(sql).bind(packed(ids)?).fetch_all(self).await.map_err(database)?;
        rows.iter().map(session_id).collect()
    }

    // There is one writer at a time.
    async fn destroy_late(&mut self, _: &[&Subject], _: Timestamp) -> Result<Vec<Dead>, Error> {
        Ok(Vec::new())
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

fn packed(ids: &[SessionId]) -> Result<String, Error> {
    json(&ids.iter().map(|id| hex(id.as_bytes())).collect::<Vec<_>>())
}
