//! Sessions that are kept in other stores, in PostgreSQL: SQL and binding. The order of things is in [`crate::elsewhere`].

use signoff::audit::AuditEvent;
use signoff::elsewhere::Trouble;
use signoff::store::{Intent, IntentKey, IntentsOf, Postponed, Settled};
use signoff::time::Timestamp;
use signoff::{Error, Session, SessionId};
use sqlx::postgres::{PgConnection, PgPool};

use super::audit;
use super::sessions::bytes;
use crate::elsewhere::{self, Links, Settling, Stretch, intent};
use crate::error::{conflict, database};
use crate::rows::{Fields, session_id};

pub(super) async fn insert(connection: &mut PgConnection, new: &Session) -> Result<(), Error> {
    let sql = "INSERT INTO signoff_elsewhere (sid, n, subject, destroyer, handle, ended, attempts, retry_at) \
               SELECT $1, n - 1, $2, destroyer, handle, 0, 0, $3 \
               FROM unnest($4::text[], $5::text[]) WITH ORDINALITY AS link (destroyer, handle, n)";
    let inserted = sqlx::query(sql)
        .bind(new.id.as_bytes().as_slice())
        .bind(new.subject.as_str().as_bytes())
        .bind(new.expires_at.as_micros())
        .bind(new.elsewhere.iter().map(|elsewhere| elsewhere.destroyer()).collect::<Vec<_>>())
        .bind(new.elsewhere.iter().map(|elsewhere| elsewhere.key()).collect::<Vec<_>>())
        .execute(connection)
        .await;
    inserted.map(|_| ()).map_err(conflict)
}

pub(super) async fn postpone(pool: &PgPool, postponed: &[Postponed]) -> Result<Vec<bool>, Error> {
    let mut transaction = pool.begin().await.map_err(database)?;
    let written = elsewhere::postpone(&mut *transaction, postponed).await?;
    transaction.commit().await.map_err(database)?;
    Ok(written)
}

pub(super) async fn settle(pool: &PgPool, settled: &[Settled]) -> Result<(), Error> {
    let mut transaction = pool.begin().await.map_err(database)?;
    elsewhere::settle(&mut *transaction, settled).await?;
    transaction.commit().await.map_err(database)
}

/// Whether the session of a row is destroyed.
macro_rules! destroyed {
    () => {
        " (SELECT s.destroyed_at FROM signoff_session AS s WHERE s.sid = e.sid) IS NOT NULL"
    };
}

impl Links for PgPool {
    async fn unseen(&self, limit: u32) -> Result<Option<Stretch>, Error> {
        let sql = "SELECT position AS seen, (SELECT max(position) FROM (SELECT position FROM signoff_log WHERE position > \
                   (SELECT position FROM signoff_elsewhere_seen WHERE id = 1) ORDER BY position LIMIT $1) AS unseen) \
                   AS through FROM signoff_elsewhere_seen WHERE id = 1";
        let row = sqlx::query(sql).bind(i64::from(limit)).fetch_one(self).await.map_err(database)?;
        let after = row.integer("seen")?;
        Ok(row.optional_integer("through")?.map(|through| Stretch { after, through }))
    }

    async fn ended_by(&self, stretch: Stretch) -> Result<Vec<SessionId>, Error> {
        // The sum keeps the mark from being looked up by its index, which would be all the living for each entry.
        let sql = concat!(
            "SELECT e.sid FROM signoff_elsewhere AS e WHERE e.ended + 0 = 0 AND",
            destroyed!(),
            " AND e.sid = ANY (ARRAY(SELECT id FROM signoff_log WHERE position > $1 AND position <= $2 AND kind = 2)) \
             UNION SELECT e.sid FROM signoff_elsewhere AS e WHERE e.ended + 0 = 0 AND",
            destroyed!(),
            " AND e.subject = ANY (ARRAY(SELECT id FROM signoff_log WHERE position > $1 AND position <= $2 AND kind = 3))"
        );
        let query = sqlx::query(sql).bind(stretch.after).bind(stretch.through);
        query.fetch_all(self).await.map_err(database)?.iter().map(session_id).collect()
    }

    async fn mark(&self, ended: &[SessionId], stretch: Stretch, now: Timestamp) -> Result<(), Error> {
        let mut transaction = self.begin().await.map_err(database)?;
        if !ended.is_empty() {
            let sql = "UPDATE signoff_elsewhere SET ended = 1, retry_at = $2 WHERE ended + 0 = 0 AND sid = ANY ($1)";
            let query = sqlx::query(sql).bind(bytes(ended)).bind(now.as_micros());
            query.execute(&mut *transaction).await.map_err(database)?;
        }
        let sql = "UPDATE signoff_elsewhere_seen SET position = greatest(position, $1) WHERE id = 1";
        sqlx::query(sql).bind(stretch.through).execute(&mut *transaction).await.map_err(database)?;
        transaction.commit().await.map_err(database)
    }

    async fn read(&self, of: IntentsOf<'_>, limit: u32, now: Timestamp) -> Result<Vec<Intent>, Error> {
        let by_time = "SELECT * FROM ((SELECT * FROM signoff_elsewhere WHERE ended = 1 AND retry_at <= $2 \
                       ORDER BY retry_at LIMIT $1) UNION ALL (SELECT * FROM signoff_elsewhere \
                       WHERE ended = 0 AND retry_at <= $3 ORDER BY retry_at LIMIT $1)) AS e ORDER BY retry_at LIMIT $1";
        let limit = i64::from(limit);
        let now = now.as_micros();
        let query = match of {
            IntentsOf::All => sqlx::query(by_time).bind(limit).bind(i64::MAX).bind(now),
            IntentsOf::Due => sqlx::query(by_time).bind(limit).bind(now).bind(now),
            IntentsOf::Sessions(ids) => {
                let sql = concat!(
                    "SELECT e.* FROM signoff_elsewhere AS e WHERE e.sid = ANY ($2) AND (e.ended + 0 = 1 OR",
                    destroyed!(),
                    ") ORDER BY e.retry_at LIMIT $1"
                );
                sqlx::query(sql).bind(limit).bind(bytes(ids))
            }
            IntentsOf::Subject(subject) => {
                let sql = concat!(
                    "SELECT e.* FROM signoff_elsewhere AS e WHERE e.subject = $2 AND (e.ended + 0 = 1 OR",
                    destroyed!(),
                    ") ORDER BY e.retry_at LIMIT $1"
                );
                sqlx::query(sql).bind(limit).bind(subject.as_str().as_bytes())
            }
        };
        query.fetch_all(self).await.map_err(database)?.iter().map(intent).collect()
    }
}

impl Settling for PgConnection {
    async fn postpone(&mut self, postponed: &Postponed) -> Result<bool, Error> {
        let sql = "UPDATE signoff_elsewhere SET ended = 1, attempts = $4, retry_at = $5, trouble = $6 \
                   WHERE sid = $1 AND n = $2 AND attempts = $3";
        let done = sqlx::query(sql)
            .bind(postponed.key.session.as_bytes().as_slice())
            .bind(i64::from(postponed.key.number))
            .bind(i64::from(postponed.read))
            .bind(i64::from(postponed.attempts))
            .bind(postponed.retry_at.as_micros())
            .bind(postponed.trouble.map(Trouble::as_str))
            .execute(self)
            .await
            .map_err(database)?;
        Ok(done.rows_affected() == 1)
    }

    async fn settle(&mut self, key: &IntentKey) -> Result<bool, Error> {
        let sql = "DELETE FROM signoff_elsewhere WHERE sid = $1 AND n = $2";
        let query = sqlx::query(sql).bind(key.session.as_bytes().as_slice()).bind(i64::from(key.number));
        Ok(query.execute(self).await.map_err(database)?.rows_affected() == 1)
    }

    async fn write_down(&mut self, events: &[AuditEvent]) -> Result<(), Error> {
        audit::insert(self, events).await
    }
}
