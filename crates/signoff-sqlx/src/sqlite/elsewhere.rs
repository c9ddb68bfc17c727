//! Sessions that are kept in other stores, in SQLite: SQL and binding. The order of things is in [`crate::elsewhere`].

use signoff::audit::AuditEvent;
use signoff::elsewhere::Trouble;
use signoff::store::{Intent, IntentKey, IntentsOf, Postponed};
use signoff::time::Timestamp;
use signoff::{Error, Session, SessionId};
use sqlx::SqliteConnection;

use super::{SqliteStore, audit};
use crate::elsewhere::{Links, Settling, Stretch, intent};
use crate::error::{conflict, database};
use crate::pack::{hex, json};
use crate::rows::{Fields, session_id};

pub(super) async fn insert(connection: &mut SqliteConnection, new: &Session) -> Result<(), Error> {
    let sql = "INSERT INTO signoff_elsewhere (sid, n, subject, destroyer, handle, ended, attempts, retry_at) \
               VALUES (?, ?, ?, ?, ?, 0, 0, ?)";
    for (number, elsewhere) in (0_i64..).zip(&new.elsewhere) {
        sqlx::query(sql)
            .bind(new.id.as_bytes().as_slice())
            .bind(number)
            .bind(new.subject.as_str().as_bytes())
            .bind(elsewhere.destroyer())
            .bind(elsewhere.key())
            .bind(new.expires_at.as_micros())
            .execute(&mut *connection)
            .await
            .map_err(conflict)?;
    }
    Ok(())
}

impl Links for SqliteStore {
    async fn unseen(&self, limit: u32) -> Result<Option<Stretch>, Error> {
        let sql = "SELECT seen.position AS seen, (SELECT max(position) FROM (SELECT position FROM signoff_log WHERE position > \
                   (SELECT position FROM signoff_elsewhere_seen) ORDER BY position LIMIT ?)) AS through \
                   FROM signoff_elsewhere_seen AS seen";
        let row = sqlx::query(sql).bind(limit).fetch_one(&self.readers).await.map_err(database)?;
        let after = row.integer("seen")?;
        Ok(row.optional_integer("through")?.map(|through| Stretch { after, through }))
    }

    async fn ended_by(&self, stretch: Stretch) -> Result<Vec<SessionId>, Error> {
        // The order of a cross join is the order that it is done in. The plus keeps the mark from being looked up by its
        // index, which would be all the living for each entry.
        let sql = "SELECT e.sid FROM signoff_log AS l CROSS JOIN signoff_elsewhere AS e ON e.sid = l.id \
                   CROSS JOIN signoff_session AS s ON s.sid = e.sid WHERE l.position > ?1 AND l.position <= ?2 \
                   AND l.kind = 2 AND +e.ended = 0 AND s.destroyed_at IS NOT NULL \
                   UNION SELECT e.sid FROM signoff_log AS l CROSS JOIN signoff_elsewhere AS e ON e.subject = l.id \
                   CROSS JOIN signoff_session AS s ON s.sid = e.sid WHERE l.position > ?1 AND l.position <= ?2 \
                   AND l.kind = 3 AND +e.ended = 0 AND s.destroyed_at IS NOT NULL";
        let query = sqlx::query(sql).bind(stretch.after).bind(stretch.through);
        query.fetch_all(&self.readers).await.map_err(database)?.iter().map(session_id).collect()
    }

    async fn mark(&self, ended: &[SessionId], stretch: Stretch, now: Timestamp) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        if !ended.is_empty() {
            let sql = "UPDATE signoff_elsewhere SET ended = 1, retry_at = ? WHERE +ended = 0 \
                       AND sid IN (SELECT unhex(value) FROM json_each(?))";
            let query = sqlx::query(sql).bind(now.as_micros()).bind(packed(ended)?);
            query.execute(&mut *transaction).await.map_err(database)?;
        }
        let sql = "UPDATE signoff_elsewhere_seen SET position = max(position, ?)";
        sqlx::query(sql).bind(stretch.through).execute(&mut *transaction).await.map_err(database)?;
        transaction.commit().await.map_err(database)
    }

    async fn read(&self, of: IntentsOf<'_>, limit: u32, now: Timestamp) -> Result<Vec<Intent>, Error> {
        let by_time = "SELECT * FROM (SELECT * FROM signoff_elsewhere WHERE ended = 1 AND retry_at <= ? \
                       ORDER BY retry_at LIMIT ?) UNION ALL SELECT * FROM (SELECT * FROM signoff_elsewhere \
                       WHERE ended = 0 AND retry_at <= ? ORDER BY retry_at LIMIT ?) ORDER BY retry_at LIMIT ?";
        let now = now.as_micros();
        let query = match of {
            IntentsOf::All => sqlx::query(by_time).bind(i64::MAX).bind(limit).bind(now).bind(limit),
            IntentsOf::Due => sqlx::query(by_time).bind(now).bind(limit).bind(now).bind(limit),
            IntentsOf::Sessions(ids) => {
                let sql = "SELECT e.* FROM json_each(?) AS asked CROSS JOIN signoff_elsewhere AS e \
                           ON e.sid = unhex(asked.value) LEFT JOIN signoff_session AS s ON s.sid = e.sid \
                           WHERE e.ended = 1 OR s.destroyed_at IS NOT NULL ORDER BY e.retry_at LIMIT ?";
                sqlx::query(sql).bind(packed(ids)?)
            }
            IntentsOf::Subject(subject) => {
                let sql = "SELECT e.* FROM signoff_elsewhere AS e LEFT JOIN signoff_session AS s ON s.sid = e.sid \
                           WHERE e.subject = ? AND (e.ended = 1 OR s.destroyed_at IS NOT NULL) \
                           ORDER BY e.retry_at LIMIT ?";
                sqlx::query(sql).bind(subject.as_str().as_bytes())
            }
        };
        query.bind(limit).fetch_all(&self.readers).await.map_err(database)?.iter().map(intent).collect()
    }
}

impl Settling for SqliteConnection {
    async fn postpone(&mut self, postponed: &Postponed) -> Result<bool, Error> {
        let sql = "UPDATE signoff_elsewhere SET ended = 1, attempts = ?, retry_at = ?, trouble = ? \
                   WHERE sid = ? AND n = ? AND attempts = ?";
        let done = sqlx::query(sql)
            .bind(postponed.attempts)
            .bind(postponed.retry_at.as_micros())
            .bind(postponed.trouble.map(Trouble::as_str))
            .bind(postponed.key.session.as_bytes().as_slice())
            .bind(postponed.key.number)
            .bind(postponed.read)
            .execute(self)
            .await
            .map_err(database)?;
        Ok(done.rows_affected() == 1)
    }

    async fn settle(&mut self, key: &IntentKey) -> Result<bool, Error> {
        let sql = "DELETE FROM signoff_elsewhere WHERE sid = ? AND n = ?";
        let query = sqlx::query(sql).bind(key.session.as_bytes().as_slice()).bind(key.number);
        Ok(query.execute(self).await.map_err(database)?.rows_affected() == 1)
    }

    async fn write_down(&mut self, events: &[AuditEvent]) -> Result<(), Error> {
        audit::insert(self, events).await
    }
}

fn packed(ids: &[SessionId]) -> Result<String, Error> {
    json(&ids.iter().map(|id| hex(id.as_bytes())).collect::<Vec<_>>())
}
