//! Sessions that are kept in other stores, in MySQL: SQL and binding. The order of things is in [`crate::elsewhere`].

use signoff::audit::AuditEvent;
use signoff::elsewhere::Trouble;
use signoff::store::{Intent, IntentKey, IntentsOf, Postponed, Settled};
use signoff::time::Timestamp;
use signoff::{Error, Session, SessionId};
use sqlx::mysql::{MySql, MySqlConnection, MySqlPool};
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::{READ_COMMITTED, audit, text};
use crate::elsewhere::{self, Links, Settling, Stretch, intent};
use crate::error::{conflict, database};
use crate::rows::{Fields, session_id};

pub(super) async fn insert(connection: &mut MySqlConnection, new: &Session) -> Result<(), Error> {
    let sql = "INSERT INTO signoff_elsewhere (sid, n, subject, destroyer, handle, ended, attempts, retry_at) \
               VALUES (?, ?, ?, ?, ?, 0, 0, ?)";
    for (number, elsewhere) in (0_i64..).zip(&new.elsewhere) {
        sqlx::query(sql)
            .bind(new.id.as_bytes().as_slice())
            .bind(number)
            .bind(new.subject.as_str().as_bytes())
            .bind(elsewhere.destroyer().as_bytes())
            .bind(elsewhere.key().as_bytes())
            .bind(new.expires_at.as_micros())
            .execute(&mut *connection)
            .await
            .map_err(conflict)?;
    }
    Ok(())
}

pub(super) async fn postpone(pool: &MySqlPool, postponed: &[Postponed]) -> Result<Vec<bool>, Error> {
    let mut connection = acquire(pool).await?;
    let mut transaction = connection.begin().await.map_err(database)?;
    let written = elsewhere::postpone(&mut *transaction, postponed).await?;
    transaction.commit().await.map_err(database)?;
    Ok(written)
}

pub(super) async fn settle(pool: &MySqlPool, settled: &[Settled]) -> Result<(), Error> {
    let mut connection = acquire(pool).await?;
    let mut transaction = connection.begin().await.map_err(database)?;
    elsewhere::settle(&mut *transaction, settled).await?;
    transaction.commit().await.map_err(database)
}

/// A connection whose next transaction locks rows and no gaps between them, so that it can be no part of a deadlock.
async fn acquire(pool: &MySqlPool) -> Result<PoolConnection<MySql>, Error> {
    let mut connection = pool.acquire().await.map_err(database)?;
    sqlx::raw_sql(READ_COMMITTED).execute(&mut *connection).await.map_err(database)?;
    Ok(connection)
}

impl Links for MySqlPool {
    async fn unseen(&self, limit: u32) -> Result<Option<Stretch>, Error> {
        let sql = "SELECT position AS seen, (SELECT MAX(position) FROM (SELECT position FROM signoff_log WHERE position > \
                   (SELECT position FROM signoff_elsewhere_seen WHERE id = 1) ORDER BY position LIMIT ?) AS unseen) \
                   AS through FROM signoff_elsewhere_seen WHERE id = 1";
        let row = sqlx::query(sql).bind(limit).fetch_one(self).await.map_err(database)?;
        let after = row.integer("seen")?;
        Ok(row.optional_integer("through")?.map(|through| Stretch { after, through }))
    }

    async fn ended_by(&self, stretch: Stretch) -> Result<Vec<SessionId>, Error> {
        // A consistent read: it locks nothing. The sum keeps the mark from being looked up by its index, which would be all
        // the living for each entry.
        let sql = "SELECT e.sid FROM signoff_log AS l STRAIGHT_JOIN signoff_elsewhere AS e ON e.sid = l.id \
                   STRAIGHT_JOIN signoff_session AS s ON s.sid = e.sid WHERE l.position > ? AND l.position <= ? \
                   AND l.kind = 2 AND e.ended + 0 = 0 AND s.destroyed_at <> 0 \
                   UNION SELECT e.sid FROM signoff_log AS l STRAIGHT_JOIN signoff_elsewhere AS e ON e.subject = l.id \
                   STRAIGHT_JOIN signoff_session AS s ON s.sid = e.sid WHERE l.position > ? AND l.position <= ? \
                   AND l.kind = 3 AND e.ended + 0 = 0 AND s.destroyed_at <> 0";
        let Stretch { after, through } = stretch;
        let query = sqlx::query(sql).bind(after).bind(through).bind(after).bind(through);
        query.fetch_all(self).await.map_err(database)?.iter().map(session_id).collect()
    }

    async fn mark(&self, ended: &[SessionId], stretch: Stretch, now: Timestamp) -> Result<(), Error> {
        let mut connection = acquire(self).await?;
        let mut transaction = connection.begin().await.map_err(database)?;
        if !ended.is_empty() {
            let sql = format!(
                "UPDATE signoff_elsewhere FORCE INDEX (PRIMARY) \
                 SET retry_at = IF(ended = 0, {}, retry_at), ended = 1 WHERE sid IN {}",
                now.as_micros(),
                text::list(ended)
            );
            text::rows(&mut transaction, sql).await?;
        }
        let sql = "UPDATE signoff_elsewhere_seen SET position = GREATEST(position, ?) WHERE id = 1";
        sqlx::query(sql).bind(stretch.through).execute(&mut *transaction).await.map_err(database)?;
        transaction.commit().await.map_err(database)
    }

    async fn read(&self, of: IntentsOf<'_>, limit: u32, now: Timestamp) -> Result<Vec<Intent>, Error> {
        let by_time = "SELECT * FROM ((SELECT * FROM signoff_elsewhere WHERE ended = 1 AND retry_at <= ? \
                       ORDER BY retry_at LIMIT ?) UNION ALL (SELECT * FROM signoff_elsewhere \
                       WHERE ended = 0 AND retry_at <= ? ORDER BY retry_at LIMIT ?)) AS e ORDER BY retry_at LIMIT ?";
        let now = now.as_micros();
        let rows = match of {
            IntentsOf::All => {
                let query = sqlx::query(by_time).bind(i64::MAX).bind(limit).bind(now).bind(limit);
                query.bind(limit).fetch_all(self).await
            }
            IntentsOf::Due => {
                let query = sqlx::query(by_time).bind(now).bind(limit).bind(now).bind(limit);
                query.bind(limit).fetch_all(self).await
            }
            IntentsOf::Sessions(ids) => {
                let sql = format!(
                    "SELECT e.* FROM signoff_elsewhere AS e FORCE INDEX (PRIMARY) \
                     LEFT JOIN signoff_session AS s ON s.sid = e.sid \
                     WHERE e.sid IN {} AND (e.ended = 1 OR s.destroyed_at <> 0) ORDER BY e.retry_at LIMIT {limit}",
                    text::list(ids)
                );
                sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(self).await
            }
            IntentsOf::Subject(subject) => {
                let sql = "SELECT e.* FROM signoff_elsewhere AS e LEFT JOIN signoff_session AS s ON s.sid = e.sid \
                           WHERE e.subject = ? AND (e.ended = 1 OR s.destroyed_at <> 0) \
                           ORDER BY e.retry_at LIMIT ?";
                sqlx::query(sql).bind(subject.as_str().as_bytes()).bind(limit).fetch_all(self).await
            }
        };
        rows.map_err(database)?.iter().map(intent).collect()
    }
}

impl Settling for MySqlConnection {
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
