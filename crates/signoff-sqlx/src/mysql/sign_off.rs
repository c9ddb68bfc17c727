//! What a sign-off does in MySQL: SQL and binding. The order of things is in [`crate::sign_off`].

use std::collections::HashSet;

use signoff::audit::AuditEvent;
use signoff::store::{Revocation, SessionTarget, SignOff, SignedOff};
use signoff::time::Timestamp;
use signoff::{Error, Position, SessionId, Subject};
use sqlx::Connection;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use super::{audit, group, log, text};
use crate::error::{damaged, database};
use crate::pack::{hex, json};
use crate::rows::{Dead, Fields, Positions, Record, dead, micros, position, session_id};
use crate::sign_off::{self, Found, Ledger};
use crate::steps;

pub(super) async fn run(
    connection: &mut MySqlConnection,
    batch: &[SignOff],
    now: Timestamp,
) -> Result<SignedOff, Error> {
    match sign_off::distinct_sessions(batch).as_deref() {
        Some([(request, target)]) => return end_session(connection, batch, request, target, now).await,
        Some(asked) if !asked.is_empty() => return group::end_sessions(connection, batch, asked, now).await,
        _ => {}
    }
    let mut transaction = connection.begin().await.map_err(database)?;
    steps::reached("sign-off: begun");
    let signed_off = sign_off::run(&mut *transaction, batch, now).await?;
    transaction.commit().await.map_err(database)?;
    steps::reached("sign-off: committed");
    Ok(signed_off)
}

/// The whole transaction as one call, for a lone logout: one hop. Many are not done by a procedure, as what it would unpack
/// them from costs more than the hops: see [`group`].
async fn end_session(
    connection: &mut MySqlConnection,
    batch: &[SignOff],
    request: &SignOff,
    target: &SessionTarget,
    now: Timestamp,
) -> Result<SignedOff, Error> {
    steps::reached("sign-off: begun");
    let row = call_for_one(connection, request, target, now).await?;
    steps::reached("sign-off: committed");
    let after = position(row.integer("head_before")?)?;
    let state = row.integer("state")?;
    let entry = match row.optional_integer("base")? {
        Some(base) => Some((position(base.saturating_add(1))?, row.integer("until")?)),
        None => None,
    };
    let through = entry.map_or(after, |(position, _)| position);
    sign_off::assemble(batch, [Found { destroyed: state == 2, known: state > 0, entry }], after, through)
}

/// No session's end can be later.
pub(super) const LATEST: i64 = Timestamp::MAX.as_micros();

async fn call_for_one(
    connection: &mut MySqlConnection,
    request: &SignOff,
    target: &SessionTarget,
    now: Timestamp,
) -> Result<MySqlRow, Error> {
    let event = request.audit(None, Some(&target.id), 1, now);
    let record = Record::from(&event);
    let rows = sqlx::query("CALL signoff_end_session(?, ?, ?, ?, ?, ?, ?, UNHEX(?), ?, ?, ?, ?, ?)")
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
        .map_err(database)?;
    rows.into_iter().next().ok_or_else(|| damaged("the database forgot the session that was asked for"))
}

impl Ledger for MySqlConnection {
    async fn destroy(&mut self, ids: &[SessionId], now: Timestamp) -> Result<Vec<Dead>, Error> {
        let sql = format!(
            "SELECT sid, subject, expires_at FROM signoff_session FORCE INDEX (PRIMARY) \
             WHERE sid IN {} AND destroyed_at = 0 FOR UPDATE",
            text::list(ids)
        );
        let found = text::rows(self, sql).await?;
        bury(self, found.iter().map(dead).collect::<Result<_, _>>()?, now).await
    }

    async fn destroy_of(
        &mut self,
        subjects: &[(&Subject, Option<&SessionId>)],
        now: Timestamp,
    ) -> Result<Vec<Dead>, Error> {
        let sql = "SELECT DISTINCT s.sid, s.subject, s.expires_at FROM JSON_TABLE(?, '$[*]' COLUMNS (\
                   subject VARCHAR(510) CHARSET ascii PATH '$[0]' ERROR ON ERROR, spared VARCHAR(32) CHARSET ascii PATH '$[1]' ERROR ON ERROR)) \
                   AS asked STRAIGHT_JOIN signoff_session AS s FORCE INDEX (signoff_session_by_subject) \
                   ON s.subject = UNHEX(asked.subject) \
                   WHERE s.destroyed_at = 0 AND (asked.spared IS NULL OR s.sid <> UNHEX(asked.spared)) \
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
        let sql = format!("SELECT sid FROM signoff_session WHERE sid IN {}", text::list(ids));
        text::rows(self, sql).await?.iter().map(session_id).collect()
    }

    async fn destroy_late(&mut self, subjects: &[&Subject], now: Timestamp) -> Result<Vec<Dead>, Error> {
        text::rows(self, "SELECT head FROM signoff_meta WHERE id = 1 FOR UPDATE".to_owned()).await?;
        let sql = format!(
            "SELECT sid, subject, expires_at FROM signoff_session FORCE INDEX (signoff_session_by_subject) \
             WHERE subject IN {} AND destroyed_at = 0 FOR UPDATE SKIP LOCKED",
            text::list(subjects.iter().copied())
        );
        let found = text::rows(self, sql).await?;
        bury(self, found.iter().map(dead).collect::<Result<_, _>>()?, now).await
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
            "UPDATE signoff_session FORCE INDEX (PRIMARY) SET destroyed_at = {}, data = '', claims = NULL WHERE sid IN {}",
            now.as_micros(),
            text::list(&ids)
        );
        text::rows(connection, sql).await?;
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
               STRAIGHT_JOIN signoff_session AS s FORCE INDEX (signoff_session_by_subject) \
               ON s.subject = UNHEX(asked.subject) \
               WHERE s.destroyed_at = 0 AND s.sid <> UNHEX(asked.spared) LIMIT 1";
    let query = sqlx::query(sql).bind(asked);
    query.fetch_optional(connection).await.map(|row| row.is_some()).map_err(database)
}
