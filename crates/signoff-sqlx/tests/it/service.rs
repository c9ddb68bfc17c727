//! What the tests have in common: a service on a store, and the servers that stores are on.

use std::path::Path;
use std::time::Duration;

use signoff::time::{Clock, SystemClock};
use signoff::{Algorithm, Delivery, Error, KeySet, Login, MemoryStore, Settings, SigningKey, Signoff, Store, Subject};
use signoff_sqlx::{MySqlStore, PostgresStore, ServerOptions, SqliteStore};
use signoff_test_servers::{MariaDb, Postgres, Proxy};
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;

pub(crate) const BOTH: [Delivery; 2] = [Delivery::Jwt, Delivery::Opaque];

/// Opens the file with a key that survives restarts.
pub(crate) async fn open(path: &Path, delivery: Delivery) -> Result<Signoff, Error> {
    serve(SqliteStore::open(path).await?, delivery).await
}

/// A service with a key that survives restarts.
pub(crate) async fn serve(store: impl Store, delivery: Delivery) -> Result<Signoff, Error> {
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.delivery = delivery;
    let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap());
    Signoff::open(store, keys, settings).await
}

/// Opens what is at a path or a URL.
pub(crate) async fn open_at(place: &str, delivery: Delivery) -> Result<Signoff, Error> {
    let database = match place.split_once("://") {
        Some(("postgres", _)) => Database::Postgres(place.to_owned()),
        Some(("mysql", _)) => Database::MariaDb(place.to_owned()),
        _ => return open(Path::new(place), delivery).await,
    };
    serve(database.open().await?, delivery).await
}

/// One empty store of each kind, and what must live as long as it.
pub(crate) async fn each_store() -> Vec<(&'static str, Box<dyn Store>, Option<TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = SqliteStore::open(folder.path().join("test.sqlite3")).await.unwrap();
    let [mariadb, postgres] = Database::each();
    vec![
        ("memory", Box::new(MemoryStore::new()), None),
        ("sqlite", Box::new(sqlite), Some(folder)),
        ("postgres", postgres.open().await.unwrap(), None),
        ("mariadb", mariadb.open().await.unwrap(), None),
    ]
}

/// Of nodes.
pub(crate) const LEASE: Duration = Duration::from_secs(2);

/// A new, empty database on a server.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    MariaDb(String),
    Postgres(String),
}

impl Database {
    /// One of each kind.
    pub(crate) fn each() -> [Self; 2] {
        [
            Self::MariaDb(MariaDb::shared().unwrap().database().unwrap()),
            Self::Postgres(Postgres::shared().unwrap().database().unwrap()),
        ]
    }

    pub(crate) fn url(&self) -> &str {
        match self {
            Self::MariaDb(url) | Self::Postgres(url) => url,
        }
    }

    /// A line to the shared server that can be spoiled, and this database by way of it.
    pub(crate) fn by_line(&self) -> (Proxy, Self) {
        match self {
            Self::MariaDb(url) => {
                let server = MariaDb::shared().unwrap();
                let line = server.line().unwrap();
                let url = server.url_by(&line, url);
                (line, Self::MariaDb(url))
            }
            Self::Postgres(url) => {
                let server = Postgres::shared().unwrap();
                let line = server.line().unwrap();
                let url = server.url_by(&line, url);
                (line, Self::Postgres(url))
            }
        }
    }

    pub(crate) async fn open(&self) -> Result<Box<dyn Store>, Error> {
        self.open_with(&ServerOptions::new()).await
    }

    /// As one of several nodes.
    pub(crate) async fn share(&self) -> Result<Box<dyn Store>, Error> {
        self.open_with(&ServerOptions::new().shared(LEASE)).await
    }

    /// As one of several stores that know nothing of each other.
    pub(crate) async fn join(&self) -> Result<Box<dyn Store>, Error> {
        self.open_with(&ServerOptions::new().unowned()).await
    }

    pub(crate) async fn open_with(&self, options: &ServerOptions) -> Result<Box<dyn Store>, Error> {
        Ok(match self {
            Self::MariaDb(url) => Box::new(MySqlStore::open_with(url, options).await?),
            Self::Postgres(url) => Box::new(PostgresStore::open_with(url, options).await?),
        })
    }

    /// Runs SQL as somebody with a shell would.
    pub(crate) async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::MariaDb(url) => {
                let mut connection = sqlx::MySqlConnection::connect(url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
            Self::Postgres(url) => {
                let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }
}

pub(crate) fn alice() -> Subject {
    Subject::new("alice").unwrap()
}

/// Logs alice in and gives her token away.
pub(crate) async fn log_in(signoff: &Signoff) -> String {
    signoff.log_in(Login::new(alice())).await.unwrap().token.expose().to_owned()
}

pub(crate) async fn accepts(signoff: &Signoff, token: &str) -> bool {
    signoff.authenticate(token).await.is_ok()
}

/// Waits for something that has to happen, however busy the machine is.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let clock = SystemClock::new();
    let began = clock.elapsed();
    while !is_so().await {
        assert!(clock.elapsed() - began < Duration::from_secs(60), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
