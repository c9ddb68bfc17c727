//! What a sign-off does in MySQL: SQL and binding. The order of things is in [`crate::sign_off`].

use std::collections::HashSet;

use signoff::audit::AuditEvent;
use signoff::store::{Revocation, SessionTarget, SignOff, SignedOff};
use signoff::time::Timestamp;
use signoff::{Error, Position, SessionId, Subject};
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Connection};

use super::{audit, log};
use crate::error::{damaged, database};
use crate::pack::{hex, json};
use crate::rows::{Dead, Fields, Positions, Record, dead, micros, position, session_id};
use crate::sign_off::{self, Found, Ledger};
use crate::steps;

/// One row for each id of a JSON text.
pub(super) const ASKED: &str =
    "JSON_TABLE(?, '$[*]' COLUMNS (sid VARCHAR(32) CHARSET ascii PATH '$' ERROR ON ERROR)) AS asked";

pub(super) fn packed(ids: &[SessionId]) -> Result<String, Error> {
    let mut ids: Vec<_> = ids.iter().map(|id| hex(id.as_bytes())).collect();
    // In order, so that two batches that meet take their locks alike.
    ids.sort_unstable();
    json(&ids)
}

pub(super) async fn run(
    connection: &mut MySqlConnection,
    batch: &[SignOff],
    now: Timestamp,
) -> Result<SignedOff, Error> {
    if let Some(asked) = sign_off::distinct_sessions(batch).filter(|asked| !asked.is_empty()) {
        return end_sessions(connection, batch, &asked, now).await;
    }
    let mut transaction = connection.begin().await.map_err(database)?;
    steps::reached("sign-off: begun");
    let signed_off = sign_off::run(&mut *transaction, batch, now).await?;
    transaction.commit().await.map_err(database)?;
    steps::reached("sign-off: committed");
    Ok(signed_off)
}

/// The whole transaction as one call: one hop for any number of sessions.
async fn end_sessions(
    connection: &mut MySqlConnection,
    batch: &[SignOff],
    asked: &[(&SignOff, &SessionTarget)],
    now: Timestamp,
) -> Result<SignedOff, Error> {
    steps::reached("sign-off: begun");
    let rows = match asked {
        [(request, target)] => call_for_one(connection, request, target, now).await?,
        _ => call_for_many(connection, asked, now).await?,
    };
    steps::reached("sign-off: committed");
    let first = rows.first().ok_or_else(|| damaged("the database forgot the sessions that were asked for"))?;
    let after = position(first.integer("head_before")?)?;
    let base = first.optional_integer("base")?.map(position).transpose()?;
    let found: Result<Vec<_>, Error> = rows
        .iter()
        .map(|row| {
            let state = row.integer("state")?;
            Ok(Found { destroyed: state == 2, known: state > 0, until: row.optional_integer("until")? })
        })
        .collect();
    sign_off::assemble(batch, found?, after, base.and_then(Position::following))
}

/// No session's end can be later.
const LATEST: i64 = Timestamp::MAX.as_micros();

async fn call_for_one(
    connection: &mut MySqlConnection,
    request: &SignOff,
    target: &SessionTarget,
    now: Timestamp,
) -> Result<Vec<MySqlRow>, Error> {
    let event = request.audit(None, Some(&target.id), 1, now);
    let record = Record::from(&event);
    sqlx::query("CALL signoff_end_session(?, ?, ?, ?, ?, ?, ?, UNHEX(?), ?, ?, ?, ?, ?)")
        .bind(target.id.as_bytes().as_slice())
        .bind(micros(request.margin).min(LATEST))
        .bind(target.revoke_unknown_until.map(Timestamp::as_micros))
        .bind(record.1)
        .bind(record.3)
        .bind(record.4)
        .bind(record.5)
        .bind(record.6)
        .bind(record.7)
        .bind(record.8)
        .bind(record.9)
        .bind(now.as_micros())
        .bind(LATEST)
        .fetch_all(connection)
        .await
        .map_err(database)
}

async fn call_for_many(
    connection: &mut MySqlConnection,
    asked: &[(&SignOff, &SessionTarget)],
    now: Timestamp,
) -> Result<Vec<MySqlRow>, Error> {
    let mut rows = Vec::with_capacity(asked.len());
    for (n, (request, target)) in asked.iter().enumerate() {
        let event = request.audit(None, Some(&target.id), 1, now);
        let (_, kind, _, actor, reason, session, logout, detail, address, user_agent) =
            audit::packed(&Record::from(&event))?;
        let until = target.revoke_unknown_until.map(Timestamp::as_micros);
        let margin = micros(request.margin).min(LATEST);
        let sid = hex(target.id.as_bytes());
        rows.push((n, sid, margin, until, kind, actor, reason, session, logout, detail, address, user_agent));
    }
    // In the order of ids, so that two batches that meet take their locks alike.
    rows.sort_unstable_by(|(_, a, ..), (_, b, ..)| a.cmp(b));
    let query = sqlx::query("CALL signoff_end_sessions(?, ?, ?)").bind(json(&rows)?).bind(now.as_micros()).bind(LATEST);
    query.fetch_all(connection).await.map_err(database)
}

impl Ledger for MySqlConnection {
    async fn destroy(&mut self, ids: &[SessionId], now: Timestamp) -> Result<Vec<Dead>, Error> {
        let sql = format!(
            "SELECT s.sid, s.subject, s.expires_at FROM {ASKED} STRAIGHT_JOIN signoff_session AS s \
             ON s.sid = UNHEX(asked.sid) WHERE s.destroyed_at IS NULL FOR UPDATE"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(packed(ids)?);
        let found = query.fetch_all(&mut *self).await.map_err(database)?;
        bury(self, found.iter().map(dead).collect::<Result<_, _>>()?, now).await
    }

    async fn destroy_of(
        &mut self,
        subjects: &[(&Subject, Option<&SessionId>)],
        now: Timestamp,
    ) -> Result<Vec<Dead>, Error> {
        let sql = "SELECT DISTINCT s.sid, s.subject, s.expires_at FROM JSON_TABLE(?, '$[*]' COLUMNS (\
                   subject VARCHAR(510) CHARSET ascii PATH '$[0]' ERROR ON ERROR, spared VARCHAR(32) CHARSET ascii PATH '$[1]' ERROR ON ERROR)) \
                   AS asked STRAIGHT_JOIN signoff_session AS s ON s.subject = UNHEX(asked.subject) \
                   WHERE s.destroyed_at IS NULL AND (asked.spared IS NULL OR s.sid <> UNHEX(asked.spared)) \
                   FOR UPDATE";
        let named = subjects
            .iter()
            .map(|(subject, spared)| (hex(subject.as_str().as_bytes()), spared.map(|id| hex(id.as_bytes()))));
        let asked = json(&named.collect::<Vec<_>>())?;
        let mut all = Vec::new();
        loop {
            let found = sqlx::query(sql).bind(&asked).fetch_all(&mut *self).await.map_err(database)?;
            let found: Vec<_> = found.iter().map(dead).collect::<Result<_, _>>()?;
            all.append(&mut bury(self, found, now).await?);
            if subjects.iter().all(|(_, spared)| spared.is_none()) || !left(self, &asked).await? {
                return Ok(all);
            }
        }
    }

    async fn known(&mut self, ids: &[SessionId]) -> Result<HashSet<SessionId>, Error> {
        let sql = format!("SELECT s.sid FROM {ASKED} STRAIGHT_JOIN signoff_session AS s ON s.sid = UNHEX(asked.sid)");
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(packed(ids)?).fetch_all(self).await.map_err(database)?;
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

/// Destroys sessions whose rows this transaction has locked.
async fn bury(connection: &mut MySqlConnection, found: Vec<Dead>, now: Timestamp) -> Result<Vec<Dead>, Error> {
    if !found.is_empty() {
        let ids: Vec<_> = found.iter().map(|dead| dead.id).collect();
        let sql = format!(
            "UPDATE {ASKED} STRAIGHT_JOIN signoff_session AS s ON s.sid = UNHEX(asked.sid) \
             SET s.destroyed_at = ?, s.data = '', s.claims = NULL"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(packed(&ids)?).bind(now.as_micros());
        query.execute(connection).await.map_err(database)?;
    }
    Ok(found)
}

/// Whether a subject of whom a session is spared has others still. While this transaction waited for one that was being
/// replaced, its place may have been taken by one in a part of the index that was read already; no entry of the subject
/// cuts it off. This reads what is committed and waits for nobody.
async fn left(connection: &mut MySqlConnection, asked: &str) -> Result<bool, Error> {
    let sql = "SELECT s.sid FROM JSON_TABLE(?, '$[*]' COLUMNS (\
               subject VARCHAR(510) CHARSET ascii PATH '$[0]' ERROR ON ERROR, \
               spared VARCHAR(32) CHARSET ascii PATH '$[1]' ERROR ON ERROR)) AS asked \
               STRAIGHT_JOIN signoff_session AS s ON s.subject = UNHEX(asked.subject) \
               WHERE s.destroyed_at IS NULL AND s.sid <> UNHEX(asked.spared) LIMIT 1";
    let query = sqlx::query(sql).bind(asked);
    query.fetch_optional(connection).await.map(|row| row.is_some()).map_err(database)
}
