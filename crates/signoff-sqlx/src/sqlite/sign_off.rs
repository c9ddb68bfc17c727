//! What a sign-off does in SQLite: SQL and binding. The order of things is in [`crate::sign_off`].

use std::collections::HashSet;

use signoff::audit::AuditEvent;
use signoff::store::Revocation;
use signoff::time::Timestamp;
use signoff::{Error, Position, SessionId, Subject};
use sqlx::SqliteConnection;

use super::{audit, log};
use crate::error::database;
use crate::pack::{hex, json};
use crate::rows::{Dead, Positions, dead, session_id};
use crate::sign_off::Ledger;

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
