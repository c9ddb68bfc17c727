//! PostgreSQL. This file says what is special about the server; its neighbours hold the SQL.

mod audit;
mod create;
mod elsewhere;
mod exchange;
mod key_ring;
mod log;
mod nodes;
mod purge;
mod sessions;
mod sign_off;

use signoff::{Error, ErrorKind};
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgPool, Postgres};

use crate::error::{database, migration};
use crate::migrations::migrator;
use crate::server::{Dialect, server_store, twice};

server_store! {
    /// A store in a PostgreSQL database that this process owns while it has it open.
    ///
    /// PostgreSQL 12 or newer, directly or through a pooler that keeps a session on one connection (no transaction
    /// pooling). The tables are in the schema that the connection creates tables in (`search_path`), which signoff owns
    /// by an advisory lock; another schema of the same database is another store.
    ///
    /// A pool that the application brings should `SET enable_seqscan = off` on its connections, for plans that are made while
    /// tables are empty and kept when they are not.
    ///
    /// Durable: `fsync`, `full_page_writes` and `synchronous_commit` are looked at when it is opened.
    PostgresStore, Postgres, PgPool
}

const MIGRATIONS: [(&str, &str); 6] = [
    ("signoff", include_str!("../../migrations/postgres/0001_signoff.sql")),
    ("key ring", include_str!("../../migrations/postgres/0002_key_ring.sql")),
    ("refresh", include_str!("../../migrations/postgres/0003_refresh.sql")),
    ("authenticated at", include_str!("../../migrations/postgres/0004_authenticated_at.sql")),
    ("elsewhere", include_str!("../../migrations/postgres/0005_elsewhere.sql")),
    ("nodes", include_str!("../../migrations/postgres/0006_nodes.sql")),
];

const WEAKNESSES: [(&str, &str); 4] = [
    ("fsync", "fsync is off: confirmed logouts are lost, and the database with them, when power fails"),
    ("full_page_writes", "full_page_writes is off: a page that was half written when power failed stays damaged"),
    ("synchronous_commit", "synchronous_commit is off: the last confirmed logouts are lost when the server dies"),
    ("local", "synchronous_commit is local: a standby that takes over may not know the last confirmed logouts"),
];

impl Dialect for Postgres {
    const SCHEMES: &'static [&'static str] = &["postgres", "postgresql"];

    async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        // Whatever the server's default is: a stricter level would only turn waiting for the head into errors. Every
        // statement of ours goes by a key: one plan serves all its calls, and as that may be made while the tables are
        // still empty, it must not be to read them whole.
        let sql = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED; \
                   SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off; \
                   SET idle_in_transaction_session_timeout = '10s'";
        sqlx::raw_sql(sql).execute(&mut *connection).await?;
        wait_for_locks(connection, Patience::Short).await
    }

    async fn own(connection: &mut PgConnection) -> Result<bool, Error> {
        // The first half of the key says that the lock is ours ("sign"), the second half which schema it is for. The
        // database is part of every advisory lock.
        let sql = "SELECT pg_try_advisory_lock(1936287598, hashtext(current_schema()))";
        let owned: Option<bool> = sqlx::query_scalar(sql).fetch_one(connection).await.map_err(database)?;
        owned.ok_or_else(|| Error::new(ErrorKind::Misuse, "no schema of the search_path exists to make tables in"))
    }

    async fn disown(connection: &mut PgConnection) -> Result<(), Error> {
        let sql = "SELECT pg_advisory_unlock_all()";
        sqlx::raw_sql(sql).execute(connection).await.map(|_| ()).map_err(database)
    }

    async fn lease(connection: &mut PgConnection) -> Result<Option<i64>, Error> {
        nodes::lease(connection).await
    }

    async fn set_lease(connection: &mut PgConnection, micros: i64) -> Result<(), Error> {
        nodes::set_lease(connection, micros).await
    }

    async fn weaknesses(connection: &mut PgConnection) -> Result<Vec<&'static str>, Error> {
        let sql = "SELECT current_setting('fsync') = 'off' AS fsync, \
                   current_setting('full_page_writes') = 'off' AS full_page_writes, \
                   current_setting('synchronous_commit') = 'off' AS synchronous_commit, \
                   current_setting('synchronous_commit') = 'local' \
                   AND current_setting('synchronous_standby_names') <> '' AS local";
        let row = sqlx::query(sql).fetch_one(connection).await.map_err(database)?;
        let mut weaknesses = Vec::new();
        for (column, weakness) in WEAKNESSES {
            if row.try_get(column).map_err(database)? {
                weaknesses.push(weakness);
            }
        }
        Ok(weaknesses)
    }

    async fn migrate(connection: &mut PgConnection) -> Result<(), Error> {
        // Another node that migrates has the lock for as long as it takes.
        wait_for_locks(connection, Patience::Endless).await.map_err(database)?;
        migrator(&MIGRATIONS).run_direct(None, &mut *connection, false).await.map_err(migration)?;
        wait_for_locks(connection, Patience::Short).await.map_err(database)
    }
}

/// How long to wait for what somebody else has locked.
enum Patience {
    Endless,
    /// A client that is gone without a word may have locked the head of the log, and a server that waits for it does not
    /// notice that its own client has given up. So both waits end: this one, and that for a transaction's next statement.
    Short,
}

async fn wait_for_locks(connection: &mut PgConnection, patience: Patience) -> Result<(), sqlx::Error> {
    let sql = match patience {
        Patience::Endless => "SET lock_timeout = 0",
        Patience::Short => "SET lock_timeout = '10s'",
    };
    sqlx::raw_sql(sql).execute(connection).await.map(|_| ())
}
