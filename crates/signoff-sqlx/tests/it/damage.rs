//! Rows that no version of signoff writes, and tables that are not ours: said to be damaged, whole, and in nobody else's
//! way.

use std::path::PathBuf;

use signoff::{Cause, Delivery, Denied, Error, ErrorKind, Login, Signoff, Subject};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;

use crate::service::{Database, accepts, open_at};

/// A place that somebody with a shell can reach.
struct Place {
    place: String,
    database: Option<Database>,
    _folder: Option<TempDir>,
}

impl Place {
    fn each() -> [Self; 3] {
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("bank.sqlite3");
        let of =
            |database: Database| Self { place: database.url().to_owned(), database: Some(database), _folder: None };
        let [mariadb, postgres] = Database::each();
        [
            Self { place: path.to_str().unwrap().to_owned(), database: None, _folder: Some(folder) },
            of(mariadb),
            of(postgres),
        ]
    }

    async fn open(&self, delivery: Delivery) -> Result<Signoff, Error> {
        open_at(&self.place, delivery).await
    }

    /// `sql` has `0x` literals as each database spells bytes.
    async fn tamper(&self, sql: &str) {
        match &self.database {
            Some(database @ Database::Postgres(_)) => {
                database.execute(&sql.replace("x'", "'\\x").replace("NO CHECK; ", "")).await;
            }
            Some(database @ Database::MariaDb(_)) => database.execute(sql).await,
            None => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&self.place);
                let mut connection = options.connect().await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }

    fn is_postgres(&self) -> bool {
        matches!(self.database, Some(Database::Postgres(_)))
    }
}

async fn log_in(signoff: &Signoff, name: &str) -> String {
    signoff.log_in(Login::new(Subject::new(name).unwrap())).await.unwrap().token.expose().to_owned()
}

fn kind(denied: &Denied) -> Option<ErrorKind> {
    match denied {
        Denied::Failed(error) => Some(error.kind()),
        Denied::Rejected(_) => None,
    }
}

/// How a row can be damaged, and how it is mended. What a database's own types and checks prevent is left out there.
const DAMAGES: [(&str, &str); 6] = [
    ("expires_at = -expires_at, idle_expires_at = idle_expires_at", "expires_at = -expires_at"),
    ("created_at = -1", "created_at = 1800000000000000"),
    ("last_seen_at = 9223372036854775807", "last_seen_at = 1800000000000000"),
    ("born = -1", "born = 1"),
    ("client_id = ''", "client_id = 'app'"),
    ("address = 'nowhere'", "address = NULL"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_row_is_told_and_stands_in_nobody_elses_way() {
    for place in Place::each() {
        for (damage, mend) in DAMAGES {
            let signoff = place.open(Delivery::Opaque).await.unwrap();
            let (alice, bob) = (log_in(&signoff, "alice").await, log_in(&signoff, "bob").await);
            signoff.close().await;
            let of_alice = if place.is_postgres() { "subject = 'alice'" } else { "CAST(subject AS CHAR) = 'alice'" };
            place.tamper(&format!("UPDATE signoff_session SET {damage} WHERE {of_alice}")).await;
            let signoff = place.open(Delivery::Opaque).await.unwrap();
            let context = format!("{} with {damage}", place.place);

            // Nobody gets in by it, and it is not told as a bad token, but for a row that says that it is over.
            let denied = signoff.authenticate(&alice).await.unwrap_err();
            assert!(matches!(kind(&denied), Some(ErrorKind::Data) | None), "{context}: {denied:?}");
            // A listing without it would be a lie about who is signed in.
            if let Err(error) = signoff.sessions(&Subject::new("alice").unwrap(), None).await {
                assert_eq!(error.kind(), ErrorKind::Data, "{context}");
            }
            // Others come and go.
            assert!(accepts(&signoff, &bob).await, "{context}");
            let _ = signoff.log_out(&[&bob], Cause::logout()).await.unwrap();
            assert!(!accepts(&signoff, &bob).await, "{context}");

            // Her logout is done, or refused whole.
            let told = signoff.log_out(&[&alice], Cause::logout()).await;
            if let Err(denied) = &told {
                assert_eq!(kind(denied), Some(ErrorKind::Data), "{context}: {denied:?}");
            }
            signoff.close().await;
            place.tamper(&format!("UPDATE signoff_session SET {mend} WHERE {of_alice}")).await;
            let signoff = place.open(Delivery::Opaque).await.unwrap();
            let _ = signoff.log_out(&[&alice], Cause::logout()).await.unwrap();
            assert!(!accepts(&signoff, &alice).await, "{context}: a retry completes");
            let trail = signoff.audit_trail(&Subject::new("alice").unwrap()).await.unwrap();
            assert_eq!(trail.iter().filter(|event| event.logout.is_some()).count(), 1, "{context}: recorded once");
            signoff.close().await;
            place.tamper("DELETE FROM signoff_session; DELETE FROM signoff_token; DELETE FROM signoff_audit").await;
        }
    }
}

/// The log is what keeps the dead dead: nothing starts on one that cannot be read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_log_stops_the_start() {
    for place in Place::each() {
        place.open(Delivery::Jwt).await.unwrap().close().await;
        for entry in [
            "7, 99, x'', 1800000000000000",
            "7, 0, x'', 1800000000000000",
            "7, 2, x'00', 1800000000000000",
            "7, 1, x'000102030405060708090a0b0c0d0e0f10', 1800000000000000",
            "7, 3, x'ff', 1800000000000000",
            "7, 2, x'000102030405060708090a0b0c0d0e0f', -1",
            "-7, 2, x'000102030405060708090a0b0c0d0e0f', 1800000000000000",
        ] {
            place.tamper(&format!("INSERT INTO signoff_log VALUES ({entry}); UPDATE signoff_meta SET head = 7")).await;
            let started = place.open(Delivery::Jwt).await;
            let negative = entry.starts_with('-');
            match started {
                Err(error) => assert_eq!(error.kind(), ErrorKind::Data, "{}: {entry}", place.place),
                // It lies before everything that is ever read.
                Ok(signoff) => {
                    assert!(negative, "{}: started on {entry}", place.place);
                    signoff.close().await;
                }
            }
            place.tamper("DELETE FROM signoff_log").await;
        }
        place.tamper("UPDATE signoff_meta SET head = -1").await;
        assert_eq!(place.open(Delivery::Jwt).await.unwrap_err().kind(), ErrorKind::Data, "{}", place.place);
        place.tamper("DELETE FROM signoff_meta").await;
        assert_eq!(place.open(Delivery::Jwt).await.unwrap_err().kind(), ErrorKind::Data, "{}", place.place);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_vanishes_or_changes_is_told_as_damage() {
    for place in Place::each() {
        for change in [
            "DROP TABLE signoff_audit",
            "ALTER TABLE signoff_session DROP COLUMN last_seen_at",
            "ALTER TABLE signoff_log RENAME TO elsewhere",
        ] {
            let signoff = place.open(Delivery::Jwt).await.unwrap();
            let token = log_in(&signoff, "alice").await;
            signoff.close().await;
            place.tamper(change).await;
            let error = match place.open(Delivery::Jwt).await {
                Err(error) => error,
                Ok(signoff) => {
                    let denied = signoff.log_out_everywhere(&[&token], Cause::logout()).await;
                    let error = match denied {
                        Err(Denied::Failed(error)) => error,
                        // Ending needs no such column; logging in does.
                        _ => signoff.log_in(Login::new(Subject::new("alice").unwrap())).await.unwrap_err(),
                    };
                    signoff.close().await;
                    error
                }
            };
            assert_eq!(error.kind(), ErrorKind::Data, "{}: {change}: {error}", place.place);
            let all = "DROP VIEW IF EXISTS signoff_end; DROP TABLE IF EXISTS signoff_elsewhere; DROP TABLE IF EXISTS \
                       signoff_elsewhere_seen; DROP TABLE IF EXISTS signoff_session; DROP TABLE IF EXISTS signoff_token; DROP TABLE IF EXISTS \
                       signoff_log; DROP TABLE IF EXISTS elsewhere; DROP TABLE IF EXISTS signoff_cutoff; DROP TABLE IF \
                       EXISTS signoff_audit; DROP TABLE IF EXISTS signoff_meta; DROP TABLE IF EXISTS signoff_key_ring; \
                       DROP TABLE IF EXISTS signoff_refresh; DROP TABLE IF EXISTS signoff_node; \
                       DROP TABLE IF EXISTS _signoff_migrations";
            place.tamper(all).await;
            if matches!(place.database, Some(Database::MariaDb(_))) {
                place.tamper("DROP PROCEDURE signoff_end_session").await;
            }
        }
    }
}
