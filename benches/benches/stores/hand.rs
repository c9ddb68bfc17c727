//! What one would write by hand: a transaction for each logout and each refresh, in the shape that is fastest alone, on
//! signoff's own tables.
//!
//! The shapes are one round trip each: a view whose trigger does it (SQLite), one statement with parts (PostgreSQL), a
//! procedure and one UPDATE of two tables (MariaDB). They do not say what they found, and verify no token.

use signoff::SessionId;
use sqlx::mysql::{MySqlPool, MySqlPoolOptions};
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};

use crate::Failure;
use crate::database::{Place, Plain};

/// Connections that commit.
#[derive(Clone)]
pub(crate) enum Hand {
    MariaDb(MySqlPool),
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

/// Whether a logout takes the lock of the head row, which puts positions in the order of commits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Head {
    Locked,
    /// A reader that polls "after the last one that I saw" misses what commits late.
    Unordered,
}

const SQLITE: &str = "
CREATE VIEW hand_logout AS SELECT x'' AS sid, 0 AS at WHERE false;
CREATE TRIGGER hand_logout INSTEAD OF INSERT ON hand_logout BEGIN
    UPDATE signoff_session SET destroyed_at = NEW.at, data = x'', claims = NULL
    WHERE sid = NEW.sid AND destroyed_at IS NULL;
    UPDATE signoff_meta SET previous = head, head = max(head, NEW.at - 1) + 1;
    INSERT INTO signoff_log SELECT head, 2, NEW.sid, NEW.at + 30000000000 FROM signoff_meta;
    INSERT INTO signoff_audit (at, kind, subject, actor, reason, session, logout)
    SELECT NEW.at, 'session_destroyed', subject, 'subject', 'logout', '0123456789ab', NEW.sid
    FROM signoff_session WHERE sid = NEW.sid;
END;
CREATE VIEW hand_refresh AS SELECT x'' AS sid, x'' AS family, x'' AS presented, x'' AS successor, 0 AS at WHERE false;
CREATE TRIGGER hand_refresh INSTEAD OF INSERT ON hand_refresh BEGIN
    UPDATE signoff_refresh SET previous = current, current = NEW.successor, sealed = CAST(NEW.successor || NEW.presented AS BLOB),
        grace_until = NEW.at + 10000000, generation = generation + 1
    WHERE family = NEW.family AND current = NEW.presented;
    UPDATE signoff_session SET last_seen_at = NEW.at, idle_expires_at = min(NEW.at + 1800000000, expires_at)
    WHERE sid = NEW.sid AND destroyed_at IS NULL AND expires_at > NEW.at;
END;";

const MARIADB: &str = "
CREATE PROCEDURE hand_logout(IN id BINARY(16), IN now_micros BIGINT, IN free BIGINT)
BEGIN
    DECLARE owner VARBINARY(255);
    START TRANSACTION;
    UPDATE signoff_session SET destroyed_at = now_micros, data = '', claims = NULL WHERE sid = id AND destroyed_at = 0;
    SELECT subject INTO owner FROM signoff_session WHERE sid = id;
    INSERT INTO signoff_audit (at, kind, subject, actor, reason, session, logout)
    VALUES (now_micros, 'session_destroyed', owner, 'subject', 'logout', '0123456789ab', id);
    IF free = 0 THEN
        UPDATE signoff_meta SET previous = head, head = LAST_INSERT_ID(GREATEST(head, now_micros - 1) + 1)
        WHERE signoff_meta.id = 1;
        SET free = LAST_INSERT_ID();
    END IF;
    INSERT INTO signoff_log (position, kind, id, expires_at) VALUES (free, 2, id, now_micros + 30000000000);
    COMMIT;
END";

const POSTGRES_LOGOUT: &str = "\
WITH destroyed AS (UPDATE signoff_session SET destroyed_at = $2, data = '', claims = NULL \
WHERE sid = $1 AND destroyed_at IS NULL RETURNING sid, subject), \
head AS (UPDATE signoff_meta SET previous = head, head = greatest(head, $2 - 1) + 1 \
WHERE id = 1 AND (SELECT count(*) FROM destroyed) = 1 RETURNING head), \
logged AS (INSERT INTO signoff_log SELECT head, 2, $1, $2 + 30000000000 FROM head) \
INSERT INTO signoff_audit (at, kind, subject, actor, reason, session, logout) \
SELECT $2, 'session_destroyed', subject, 'subject', 'logout', '0123456789ab', $1 FROM destroyed";

const POSTGRES_UNORDERED: &str = "\
WITH destroyed AS (UPDATE signoff_session SET destroyed_at = $2, data = '', claims = NULL \
WHERE sid = $1 AND destroyed_at IS NULL RETURNING sid, subject), \
logged AS (INSERT INTO signoff_log SELECT $3, 2, sid, $2 + 30000000000 FROM destroyed) \
INSERT INTO signoff_audit (at, kind, subject, actor, reason, session, logout) \
SELECT $2, 'session_destroyed', subject, 'subject', 'logout', '0123456789ab', $1 FROM destroyed";

const POSTGRES_REFRESH: &str = "\
WITH rotated AS (UPDATE signoff_refresh SET previous = current, current = $4, sealed = $4 || $3, \
grace_until = $5 + 10000000, generation = generation + 1 WHERE family = $2 AND current = $3 RETURNING sid) \
UPDATE signoff_session SET last_seen_at = $5, idle_expires_at = least($5 + 1800000000, expires_at) \
WHERE sid = $1 AND sid = (SELECT sid FROM rotated) AND destroyed_at IS NULL AND expires_at > $5";

const MARIADB_REFRESH: &str = "\
UPDATE signoff_refresh AS f STRAIGHT_JOIN signoff_session AS s ON s.sid = f.sid \
SET f.previous = f.current, f.current = ?, f.sealed = CONCAT(?, ?), f.grace_until = ? + 10000000, \
f.generation = f.generation + 1, s.last_seen_at = ?, s.idle_expires_at = LEAST(? + 1800000000, s.expires_at) \
WHERE f.family = ? AND f.current = ? AND s.destroyed_at = 0 AND s.expires_at > ?";

impl Hand {
    /// On signoff's tables.
    pub(crate) async fn open(place: &Place, connections: u32) -> Result<Self, Failure> {
        Ok(match place {
            Place::MariaDb(url) => {
                let options = MySqlPoolOptions::new().max_connections(connections).test_before_acquire(false);
                let options = options.after_connect(|connection, _| {
                    let sql = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
                    Box::pin(async move { sqlx::raw_sql(sql).execute(connection).await.map(drop) })
                });
                Self::MariaDb(options.connect(url).await?)
            }
            Place::Postgres(url) => {
                let options = PgPoolOptions::new().max_connections(connections).test_before_acquire(false);
                Self::Postgres(options.connect(url).await?)
            }
            Place::Sqlite(_) => {
                let options = SqlitePoolOptions::new().max_connections(connections).test_before_acquire(false);
                let file = place.durable_file().pragma("cache_size", "-65536").pragma("wal_autocheckpoint", "4000");
                Self::Sqlite(options.connect_with(file.busy_timeout(std::time::Duration::from_secs(60))).await?)
            }
        })
    }

    /// What the statements need beside the tables.
    pub(crate) async fn prepare(place: &Place) -> Result<(), Failure> {
        let mut plain = place.connect().await?;
        match plain {
            Plain::MariaDb(_) => plain.execute(MARIADB).await?,
            Plain::Postgres(_) => {}
            Plain::Sqlite(_) => plain.execute(SQLITE).await?,
        }
        plain.close().await
    }

    /// Destroys a session, logs its revocation and records it. `position` is used where no head gives one.
    pub(crate) async fn log_out(&self, id: SessionId, at: i64, position: i64, head: Head) -> Result<(), sqlx::Error> {
        let sid = id.as_bytes().as_slice();
        match self {
            Self::MariaDb(pool) => {
                let free = if head == Head::Locked { 0 } else { position };
                let call = sqlx::query("CALL hand_logout(?, ?, ?)").bind(sid).bind(at).bind(free);
                call.execute(pool).await.map(drop)
            }
            Self::Postgres(pool) => match head {
                Head::Locked => sqlx::query(POSTGRES_LOGOUT).bind(sid).bind(at).execute(pool).await.map(drop),
                Head::Unordered => {
                    sqlx::query(POSTGRES_UNORDERED).bind(sid).bind(at).bind(position).execute(pool).await.map(drop)
                }
            },
            Self::Sqlite(pool) => {
                let insert = sqlx::query("INSERT INTO hand_logout VALUES (?, ?)").bind(sid).bind(at);
                insert.execute(pool).await.map(drop)
            }
        }
    }

    /// Exchanges the token with hash `presented` for the one with hash `successor`, and notes that the session is used.
    pub(crate) async fn refresh(
        &self,
        id: SessionId,
        family: &[u8],
        presented: &[u8],
        successor: &[u8],
        at: i64,
    ) -> Result<(), sqlx::Error> {
        let sid = id.as_bytes().as_slice();
        match self {
            Self::MariaDb(pool) => {
                let update = sqlx::query(MARIADB_REFRESH).bind(successor).bind(successor).bind(presented).bind(at);
                let update = update.bind(at).bind(at).bind(family).bind(presented).bind(at);
                update.execute(pool).await.map(drop)
            }
            Self::Postgres(pool) => {
                let update = sqlx::query(POSTGRES_REFRESH).bind(sid).bind(family).bind(presented).bind(successor);
                update.bind(at).execute(pool).await.map(drop)
            }
            Self::Sqlite(pool) => {
                let insert = sqlx::query("INSERT INTO hand_refresh VALUES (?, ?, ?, ?, ?)").bind(sid).bind(family);
                insert.bind(presented).bind(successor).bind(at).execute(pool).await.map(drop)
            }
        }
    }

    pub(crate) async fn close(self) {
        match self {
            Self::MariaDb(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite(pool) => pool.close().await,
        }
    }
}
