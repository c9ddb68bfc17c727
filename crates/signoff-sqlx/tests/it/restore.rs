//! A backup that is restored knows nothing of the logouts since: opened as what it is, it revives nobody.

use signoff::refresh::Refresh;
use signoff::{
    Algorithm, Cause, Context, Delivery, Error, KeySet, Login, MemoryStore, Scope, Settings, SigningKey, Signoff, Store,
};
use signoff_sqlx::{MySqlStore, PostgresStore, SqliteStore};
use signoff_test_servers::{MariaDb, Postgres};
use sqlx::{AssertSqlSafe, Connection};

use crate::service::{BOTH, accepts, alice, log_in, serve};

/// How a database is backed up, each by its own tool, as docs/stores.md says.
#[derive(Clone, Copy, Debug)]
enum Kind {
    MariaDb,
    Postgres,
    Sqlite,
}

const KINDS: [Kind; 3] = [Kind::MariaDb, Kind::Postgres, Kind::Sqlite];

impl Kind {
    /// The address of a new database.
    fn create(self, folder: &tempfile::TempDir) -> String {
        match self {
            Self::MariaDb => MariaDb::shared().unwrap().database().unwrap(),
            Self::Postgres => Postgres::shared().unwrap().database().unwrap(),
            Self::Sqlite => folder.path().join("bank.sqlite3").to_str().unwrap().to_owned(),
        }
    }

    async fn open(self, address: &str) -> Result<Box<dyn Store>, Error> {
        Ok(match self {
            Self::MariaDb => Box::new(MySqlStore::open(address).await?),
            Self::Postgres => Box::new(PostgresStore::open(address).await?),
            Self::Sqlite => Box::new(SqliteStore::open(address).await?),
        })
    }

    /// Takes a backup while the store is open and used, restores it beside, and gives the address of that.
    async fn back_up_and_restore(self, address: &str) -> String {
        match self {
            Self::MariaDb => {
                let server = MariaDb::shared().unwrap();
                server.restore(&server.dump(address).unwrap()).unwrap()
            }
            Self::Postgres => {
                let server = Postgres::shared().unwrap();
                server.restore(&server.dump(address).unwrap()).unwrap()
            }
            Self::Sqlite => {
                let copy = format!("{address}-copy");
                let mut connection = sqlx::SqliteConnection::connect(&format!("sqlite:{address}")).await.unwrap();
                let sql = AssertSqlSafe(format!("VACUUM INTO '{copy}'"));
                sqlx::query(sql).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                copy
            }
        }
    }
}

fn settings(delivery: Delivery) -> Settings {
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.delivery = delivery;
    settings
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::Hs256, &[n; 32]).unwrap()
}

async fn after_restore(store: Box<dyn Store>, delivery: Delivery) -> Signoff {
    let keys = KeySet::new(key(7));
    Signoff::open_after_restore(store, keys, settings(delivery), &[], Cause::logout()).await.unwrap()
}

#[tokio::test]
async fn a_restored_backup_revives_nobody() {
    for (kind, delivery) in KINDS.into_iter().flat_map(|kind| BOTH.map(|delivery| (kind, delivery))) {
        let folder = tempfile::tempdir().unwrap();
        let address = kind.create(&folder);
        let signoff = serve(kind.open(&address).await.unwrap(), delivery).await.unwrap();
        let (before, since, bystander) = (log_in(&signoff).await, log_in(&signoff).await, log_in(&signoff).await);
        let _ = signoff.log_out(&[&before], Cause::logout()).await.unwrap();
        let copy = kind.back_up_and_restore(&address).await;
        let younger = log_in(&signoff).await;
        let _ = signoff.log_out(&[&since, &younger], Cause::logout()).await.unwrap();
        signoff.close().await;

        // What there is to be afraid of: opened as if nothing had happened, the copy lets the dead in.
        let naive = serve(kind.open(&copy).await.unwrap(), delivery).await.unwrap();
        assert!(accepts(&naive, &since).await, "{kind:?} {delivery:?}: the backup is from before this logout");
        assert!(!accepts(&naive, &before).await, "{kind:?} {delivery:?}: a backup keeps what was in it");
        naive.close().await;

        let signoff = after_restore(kind.open(&copy).await.unwrap(), delivery).await;
        let dead = [&before, &since, &bystander, &younger];
        for token in dead {
            assert!(!accepts(&signoff, token).await, "{kind:?} {delivery:?}");
        }
        let alive = log_in(&signoff).await;
        assert!(accepts(&signoff, &alive).await, "{kind:?} {delivery:?}: people can log in again");
        signoff.close().await;

        let signoff = serve(kind.open(&copy).await.unwrap(), delivery).await.unwrap();
        for token in dead {
            assert!(!accepts(&signoff, token).await, "{kind:?} {delivery:?}: also after the next restart");
        }
        assert!(accepts(&signoff, &alive).await, "{kind:?} {delivery:?}");
        assert!(signoff.sessions(&alice(), None).await.unwrap().len() == 1, "{kind:?} {delivery:?}");
        signoff.close().await;
    }
}

#[tokio::test]
async fn a_refresh_token_from_before_gives_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let address = Kind::Sqlite.create(&folder);
    let mut settings = settings(Delivery::Jwt);
    settings.refresh = Some(Refresh::default());
    let store = Kind::Sqlite.open(&address).await.unwrap();
    let signoff = Signoff::open(store, KeySet::new(key(7)), settings.clone()).await.unwrap();
    let token = signoff.log_in(Login::new(alice())).await.unwrap().refresh_token.unwrap();
    let copy = Kind::Sqlite.back_up_and_restore(&address).await;

    let store = Kind::Sqlite.open(&copy).await.unwrap();
    let keys = KeySet::new(key(7));
    let restored = Signoff::open_after_restore(store, keys, settings, &[], Cause::logout()).await.unwrap();
    assert!(restored.refresh(token.expose(), Context::new()).await.is_err());
    assert!(signoff.refresh(token.expose(), Context::new()).await.is_ok(), "it was a good one");
}

#[tokio::test]
async fn a_key_that_leaked_since_the_backup_is_named() {
    for named in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let address = Kind::Sqlite.create(&folder);
        let signoff = serve(Kind::Sqlite.open(&address).await.unwrap(), Delivery::Jwt).await.unwrap();
        let copy = Kind::Sqlite.back_up_and_restore(&address).await;
        let (leaked, next) = (key(7), key(8));
        let kid = leaked.verifying_key().kid().to_owned();
        let _ = signoff.revoke(Scope::Key(&kid), Cause::logout()).await.unwrap();
        signoff.close().await;

        let store = Kind::Sqlite.open(&copy).await.unwrap();
        let keys = KeySet::new(next).with_retired(leaked.verifying_key().clone());
        let revoked: &[&str] = if named { &[&kid] } else { &[] };
        let restored =
            Signoff::open_after_restore(store, keys, settings(Delivery::Jwt), revoked, Cause::logout()).await.unwrap();
        // Whoever has the key mints what they like, also a position that is yet to come.
        let thief = Signoff::open_after_restore(
            MemoryStore::new(),
            KeySet::new(leaked),
            settings(Delivery::Jwt),
            &[],
            Cause::logout(),
        );
        let thief = thief.await.unwrap();
        for _ in 0..10 {
            log_in(&thief).await;
        }
        assert_eq!(accepts(&restored, &log_in(&thief).await).await, !named);
    }
}
