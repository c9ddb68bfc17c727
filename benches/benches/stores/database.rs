//! The three databases, each durable, and plain connections to them.

use std::path::PathBuf;

use signoff::Store;
use signoff_sqlx::{MySqlStore, PostgresStore, SqliteStore};
use signoff_test_servers::{MariaDb, Postgres};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, MySqlConnection, PgConnection, Row, SqliteConnection};
use tempfile::TempDir;

use crate::Failure;

/// A kind of database, and its server.
pub(crate) enum Database {
    MariaDb(MariaDb),
    Postgres(Postgres),
    Sqlite,
}

/// One database with nothing else in it. A file is removed with it, a server's databases with the server.
pub(crate) enum Place {
    MariaDb(String),
    Postgres(String),
    Sqlite(TempDir),
}

/// A connection of nobody's but ours.
pub(crate) enum Plain {
    MariaDb(MySqlConnection),
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Database {
    /// SQLite, and servers with as much memory as a small machine gives them. What they confirm is on the disk.
    pub(crate) fn all() -> Result<[Self; 3], Failure> {
        let postgres = [("shared_buffers", "512MB"), ("max_wal_size", "2GB"), ("maintenance_work_mem", "256MB")];
        let mariadb = [("innodb-buffer-pool-size", "512M"), ("innodb-log-file-size", "512M")];
        Ok([Self::Sqlite, Self::Postgres(Postgres::start(&postgres)?), Self::MariaDb(MariaDb::start(&mariadb)?)])
    }

    /// As in the names of claims.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::MariaDb(_) => "mariadb",
            Self::Postgres(_) => "postgres",
            Self::Sqlite => "sqlite",
        }
    }

    pub(crate) fn place(&self) -> Result<Place, Failure> {
        Ok(match self {
            Self::MariaDb(server) => Place::MariaDb(server.database()?),
            Self::Postgres(server) => Place::Postgres(server.database()?),
            Self::Sqlite => Place::Sqlite(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?),
        })
    }
}

impl Place {
    /// Opens it as an application does, and makes the tables.
    pub(crate) async fn store(&self) -> Result<Box<dyn Store>, Failure> {
        Ok(match self {
            Self::MariaDb(url) => Box::new(MySqlStore::open(url).await?),
            Self::Postgres(url) => Box::new(PostgresStore::open(url).await?),
            Self::Sqlite(_) => Box::new(SqliteStore::open(self.file()).await?),
        })
    }

    /// Makes the tables, and leaves it to whoever comes next.
    pub(crate) async fn prepare(&self) -> Result<(), Failure> {
        match self {
            Self::MariaDb(url) => MySqlStore::open(url).await?.close().await,
            Self::Postgres(url) => PostgresStore::open(url).await?.close().await,
            Self::Sqlite(_) => SqliteStore::open(self.file()).await?.close().await,
        }
        Ok(())
    }

    /// The file, where there is one.
    pub(crate) fn file(&self) -> PathBuf {
        match self {
            Self::Sqlite(folder) => folder.path().join("signoff.sqlite3"),
            _ => PathBuf::new(),
        }
    }

    /// How to open the file as durably as the store does.
    pub(crate) fn durable_file(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(self.file())
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
    }

    pub(crate) async fn connect(&self) -> Result<Plain, Failure> {
        Ok(match self {
            Self::MariaDb(url) => Plain::MariaDb(MySqlConnection::connect(url).await?),
            Self::Postgres(url) => Plain::Postgres(PgConnection::connect(url).await?),
            Self::Sqlite(_) => Plain::Sqlite(self.durable_file().connect().await?),
        })
    }

    /// Has the operating system read the file, as it has on a machine that has run for a while.
    pub(crate) fn warm(&self) -> Result<(), Failure> {
        if let Self::Sqlite(_) = self {
            std::io::copy(&mut std::fs::File::open(self.file())?, &mut std::io::sink())?;
        }
        Ok(())
    }

    /// How many bytes its tables and indexes take.
    pub(crate) async fn bytes(&self) -> Result<u64, Failure> {
        let sql = match self {
            Self::MariaDb(_) => {
                "SELECT CAST(SUM(data_length + index_length) AS SIGNED) FROM information_schema.tables \
                 WHERE table_schema = DATABASE()"
            }
            Self::Postgres(_) => "SELECT pg_database_size(current_database())",
            Self::Sqlite(_) => {
                "SELECT (page_count - freelist_count) * page_size \
                                FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
            }
        };
        let mut plain = self.connect().await?;
        // The server's own idea of it is an estimate.
        if let Plain::MariaDb(_) = plain {
            plain.execute("ANALYZE TABLE signoff_session, signoff_token, signoff_log, signoff_audit").await?;
        }
        let bytes = plain.number(sql).await?;
        plain.close().await?;
        Ok(bytes.unsigned_abs())
    }
}

impl Plain {
    /// Runs statements without arguments.
    pub(crate) async fn execute(&mut self, sql: &str) -> Result<(), Failure> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match self {
            Self::MariaDb(connection) => sql.execute(connection).await.map(drop)?,
            Self::Postgres(connection) => sql.execute(connection).await.map(drop)?,
            Self::Sqlite(connection) => sql.execute(connection).await.map(drop)?,
        }
        Ok(())
    }

    /// The first column of the one row that a query gives.
    pub(crate) async fn number(&mut self, sql: &str) -> Result<i64, Failure> {
        let sql = AssertSqlSafe(sql);
        Ok(match self {
            Self::MariaDb(connection) => sqlx::query(sql).fetch_one(connection).await?.try_get(0)?,
            Self::Postgres(connection) => sqlx::query(sql).fetch_one(connection).await?.try_get(0)?,
            Self::Sqlite(connection) => sqlx::query(sql).fetch_one(connection).await?.try_get(0)?,
        })
    }

    /// All texts that a query gives in its first column.
    pub(crate) async fn texts(&mut self, sql: &'static str) -> Result<Vec<String>, Failure> {
        Ok(match self {
            Self::MariaDb(connection) => sqlx::query_scalar(sql).fetch_all(connection).await?,
            Self::Postgres(connection) => sqlx::query_scalar(sql).fetch_all(connection).await?,
            Self::Sqlite(connection) => sqlx::query_scalar(sql).fetch_all(connection).await?,
        })
    }

    /// The smallest durable write there is: one row into a table without other indexes.
    pub(crate) async fn append(&mut self) -> Result<(), sqlx::Error> {
        let id = [7_u8; 16].as_slice();
        let (sql, dollars) = ("INSERT INTO plain (id, at) VALUES (?, ?)", "INSERT INTO plain (id, at) VALUES ($1, $2)");
        match self {
            Self::MariaDb(connection) => sqlx::query(sql).bind(id).bind(1_i64).execute(connection).await.map(drop),
            Self::Postgres(connection) => sqlx::query(dollars).bind(id).bind(1_i64).execute(connection).await.map(drop),
            Self::Sqlite(connection) => sqlx::query(sql).bind(id).bind(1_i64).execute(connection).await.map(drop),
        }
    }

    /// The table that [`Plain::append`] needs.
    pub(crate) async fn prepare_append(&mut self) -> Result<(), Failure> {
        let columns = match self {
            Self::MariaDb(_) => "n BIGINT AUTO_INCREMENT PRIMARY KEY, id BINARY(16) NOT NULL, at BIGINT NOT NULL",
            Self::Postgres(_) => {
                "n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id bytea NOT NULL, at bigint NOT NULL"
            }
            Self::Sqlite(_) => "n INTEGER PRIMARY KEY, id BLOB NOT NULL, at INTEGER NOT NULL",
        };
        self.execute(&format!("CREATE TABLE plain ({columns})")).await
    }

    pub(crate) async fn close(self) -> Result<(), Failure> {
        match self {
            Self::MariaDb(connection) => connection.close().await?,
            Self::Postgres(connection) => connection.close().await?,
            Self::Sqlite(connection) => connection.close().await?,
        }
        Ok(())
    }
}
