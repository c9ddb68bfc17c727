//! MySQL and MariaDB. This file says what is special about the servers; its neighbours hold the SQL.
//!
//! What locks rows names its index. While a table is small the planner would rather read all of it, and so wait for rows that
//! are no concern of the statement's while it holds others: two of that kind are a deadlock.

mod audit;
mod create;
mod elsewhere;
mod exchange;
mod group;
mod key_ring;
mod log;
mod nodes;
mod purge;
mod sessions;
mod sign_off;
mod text;

use signoff::{Error, ErrorKind};
use sqlx::Row;
use sqlx::mysql::{MySql, MySqlConnection, MySqlPool};

use crate::error::{database, migration};
use crate::migrations::migrator;
use crate::server::{Dialect, server_store, twice};

server_store! {
    /// A store in a MySQL or MariaDB database that this process owns while it has it open.
    ///
    /// MariaDB 10.6 or newer (tested on 10.11), or MySQL 8.0 or newer (by its documentation, not tested): both have
    /// `JSON_TABLE` and `SKIP LOCKED`. MySQL's `caching_sha2_password` needs a connection over TLS (feature `tls-rustls`)
    /// or sqlx's feature `mysql-rsa`. The binary log, if there is one, must not be in the STATEMENT format.
    ///
    /// Durable: `innodb_flush_log_at_trx_commit`, `innodb_doublewrite`, `innodb_flush_method` and `sync_binlog` are looked at
    /// when it is opened.
    MySqlStore, MySql, MySqlPool
}

const MIGRATIONS: [(&str, &str); 10] = [
    ("signoff", include_str!("../../migrations/mysql/0001_signoff.sql")),
    ("key ring", include_str!("../../migrations/mysql/0002_key_ring.sql")),
    ("end sessions", include_str!("../../migrations/mysql/0003_end_sessions.sql")),
    ("end session", include_str!("../../migrations/mysql/0004_end_session.sql")),
    ("refresh", include_str!("../../migrations/mysql/0005_refresh.sql")),
    ("authenticated at", include_str!("../../migrations/mysql/0006_authenticated_at.sql")),
    ("elsewhere", include_str!("../../migrations/mysql/0007_elsewhere.sql")),
    ("end sessions by statements", include_str!("../../migrations/mysql/0008_end_sessions.sql")),
    ("nodes", include_str!("../../migrations/mysql/0009_nodes.sql")),
    ("destroyed in place", include_str!("../../migrations/mysql/0010_destroyed_in_place.sql")),
];

const READ_COMMITTED: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED";

const WEAKNESSES: [(&str, &str); 4] = [
    (
        "flush_log",
        "innodb_flush_log_at_trx_commit is not 1: the last confirmed logouts are lost when power fails or the server dies",
    ),
    ("doublewrite", "innodb_doublewrite is off: a page that was half written when power failed stays damaged"),
    ("flush_method", "innodb_flush_method is nosync or littlesync: confirmed logouts are lost when power fails"),
    (
        "binlog",
        "sync_binlog is not 1 although there is a binary log: confirmed logouts that it misses are undone after a crash",
    ),
];

impl Dialect for MySql {
    const SCHEMES: &'static [&'static str] = &["mysql", "mariadb"];

    async fn prepare(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        // Whatever the server's defaults are: a stricter level would lock gaps between the rows and make deadlocks of what
        // now waits, and a lax mode would cut what does not fit instead of refusing it. A client that is gone without a
        // word may have locked the head of the log, so waiting for it ends; MariaDB also ends its transaction.
        let sql = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; \
                   SET SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'); \
                   SET SESSION innodb_lock_wait_timeout = 10 /*M!100300 , SESSION idle_transaction_timeout = 10 */";
        sqlx::raw_sql(sql).execute(connection).await.map(|_| ())
    }

    async fn own(connection: &mut MySqlConnection) -> Result<bool, Error> {
        lock(connection, "owner", 0).await
    }

    async fn disown(connection: &mut MySqlConnection) -> Result<(), Error> {
        unlock(connection, "owner").await
    }

    async fn lease(connection: &mut MySqlConnection) -> Result<Option<i64>, Error> {
        nodes::lease(connection).await
    }

    async fn set_lease(connection: &mut MySqlConnection, micros: i64) -> Result<(), Error> {
        nodes::set_lease(connection, micros).await
    }

    async fn weaknesses(connection: &mut MySqlConnection) -> Result<Vec<&'static str>, Error> {
        let sql = "SELECT @@GLOBAL.innodb_flush_log_at_trx_commit <> 1 AS flush_log, \
                   CAST(@@GLOBAL.innodb_doublewrite AS CHAR) IN ('0', 'OFF', 'DETECT_ONLY') AS doublewrite, \
                   CAST(@@GLOBAL.innodb_flush_method AS CHAR) IN ('nosync', 'littlesync') AS flush_method, \
                   @@GLOBAL.log_bin = 1 AND @@GLOBAL.sync_binlog <> 1 AS `binlog`";
        let row = sqlx::query(sql).fetch_one(connection).await.map_err(database)?;
        let mut weaknesses = Vec::new();
        for (column, weakness) in WEAKNESSES {
            if row.try_get::<i64, _>(column).map_err(database)? != 0 {
                weaknesses.push(weakness);
            }
        }
        Ok(weaknesses)
    }

    async fn migrate(connection: &mut MySqlConnection) -> Result<(), Error> {
        // The migrator's own lock asks to wait for ever by a negative time, which MariaDB takes for no time at all.
        if !lock(connection, "migrations", 60).await? {
            let what = "another node has been migrating signoff's tables for a minute";
            return Err(Error::new(ErrorKind::Unavailable, what));
        }
        let mut migrator = migrator(&MIGRATIONS);
        migrator.set_locking(false);
        let migrated = migrator.run_direct(None, connection, false).await.map_err(migration);
        unlock(connection, "migrations").await?;
        migrated
    }
}

/// The name of a lock: it is for the whole server, so it says which database it means. At most 64 characters are allowed.
macro_rules! lock_name {
    () => {
        "CONCAT('signoff ', ?, ' ', LEFT(SHA2(IF(@@lower_case_table_names = 0, DATABASE(), LOWER(DATABASE())), 256), 40))"
    };
}

async fn lock(connection: &mut MySqlConnection, purpose: &str, secs: u32) -> Result<bool, Error> {
    let sql = concat!("SELECT GET_LOCK(", lock_name!(), ", ?)");
    let query = sqlx::query_scalar(sql).bind(purpose).bind(secs);
    let taken: Option<i64> = query.fetch_one(connection).await.map_err(database)?;
    taken.map(|taken| taken == 1).ok_or_else(|| Error::new(ErrorKind::Misuse, "the URL names no database, or no lock"))
}

async fn unlock(connection: &mut MySqlConnection, purpose: &str) -> Result<(), Error> {
    let sql = concat!("SELECT RELEASE_LOCK(", lock_name!(), ")");
    sqlx::query(sql).bind(purpose).execute(connection).await.map(|_| ()).map_err(database)
}
