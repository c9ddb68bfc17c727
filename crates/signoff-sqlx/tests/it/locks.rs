//! Databases that refuse for another's sake: deadlocks, serialization failures, locks that are not given, full disks,
//! killed connections. Such a refusal is repeated where that is safe, or `Unavailable`; never a defect, never damage.

use std::time::Duration;

use signoff::{Cause, Denied, Error, ErrorKind, Signoff};
use sqlx::{AssertSqlSafe, Connection};

use crate::service::{BOTH, Database, accepts, alice, log_in, serve};

/// Makes the next `times` logouts fail in the middle with this code.
async fn refuse(database: &Database, code: &str, times: u32) {
    let sql = match database {
        Database::Postgres(_) => format!(
            "DROP TRIGGER IF EXISTS refuse ON signoff_audit; DROP SEQUENCE IF EXISTS refusals; CREATE SEQUENCE refusals; \
             CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF NEW.logout IS NOT NULL AND nextval('refusals') <= {times} THEN \
             RAISE EXCEPTION 'made to fail' USING ERRCODE = '{code}'; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER refuse BEFORE INSERT ON signoff_audit FOR EACH ROW EXECUTE FUNCTION refuse()"
        ),
        Database::MariaDb(_) => format!(
            "DROP TRIGGER IF EXISTS refuse; DROP SEQUENCE IF EXISTS refusals; CREATE SEQUENCE refusals NOCACHE; \
             CREATE TRIGGER refuse BEFORE INSERT ON signoff_audit FOR EACH ROW BEGIN \
             IF NEW.logout IS NOT NULL THEN IF NEXT VALUE FOR refusals <= {times} THEN \
             SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {code}, MESSAGE_TEXT = 'made to fail'; END IF; END IF; END"
        ),
    };
    database.execute(&sql).await;
}

async fn log_out(signoff: &Signoff, everywhere: bool, token: &str) -> Result<u64, Error> {
    let told = match everywhere {
        true => signoff.log_out_everywhere(&[token], Cause::logout()).await,
        false => signoff.log_out(&[token], Cause::logout()).await,
    };
    told.map(|receipt| receipt.destroyed()).map_err(|denied| match denied {
        Denied::Failed(error) => error,
        Denied::Rejected(rejection) => panic!("a refusal became a rejection: {rejection:?}"),
    })
}

async fn records(signoff: &Signoff) -> usize {
    signoff.audit_trail(&alice()).await.unwrap().iter().filter(|event| event.logout.is_some()).count()
}

/// Codes, and whether the database means that the transaction is worth repeating at once.
const POSTGRES: [(&str, bool); 9] = [
    ("40001", true),  // serialization_failure
    ("40P01", true),  // deadlock_detected
    ("55P03", false), // lock_not_available
    ("57014", false), // query_canceled
    ("25006", false), // read_only_sql_transaction
    ("53100", false), // disk_full
    ("53200", false), // out_of_memory
    ("57P03", false), // cannot_connect_now
    ("58030", false), // io_error
];
const MARIADB: [(&str, bool); 9] = [
    ("1213", true),  // ER_LOCK_DEADLOCK
    ("1020", true),  // ER_CHECKREAD
    ("1205", false), // ER_LOCK_WAIT_TIMEOUT
    ("1317", false), // ER_QUERY_INTERRUPTED
    ("1290", false), // ER_OPTION_PREVENTS_STATEMENT: read-only
    ("1021", false), // ER_DISK_FULL
    ("1114", false), // ER_RECORD_FILE_FULL
    ("1037", false), // ER_OUTOFMEMORY
    ("1026", false), // ER_ERROR_ON_WRITE
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_database_refuses_is_repeated_or_unavailable() {
    // Mostly they wait for a lost answer to be looked up, so the databases, of each of which there are two, go at once.
    let mut all = tokio::task::JoinSet::new();
    for everywhere in [false, true] {
        for database in Database::each() {
            all.spawn(async move {
                let signoff = serve(database.open().await.unwrap(), BOTH[0]).await.unwrap();
                let codes = if matches!(database, Database::Postgres(_)) { POSTGRES } else { MARIADB };
                for (code, rolled_back) in codes {
                    refused_with(&database, &signoff, (code, rolled_back), everywhere).await;
                }
                signoff.close().await;
            });
        }
    }
    all.join_all().await;
}

async fn refused_with(database: &Database, signoff: &Signoff, (code, rolled_back): (&str, bool), everywhere: bool) {
    let context = format!("{database:?}, {code}, everywhere {everywhere}");
    // Once: nobody notices, but that a wide end is repeated only if the database says that nothing happened.
    let token = log_in(signoff).await;
    let before = records(signoff).await;
    refuse(database, code, 1).await;
    match log_out(signoff, everywhere, &token).await {
        Ok(destroyed) => {
            assert_eq!(destroyed, 1, "{context}");
            assert!(!everywhere || rolled_back, "{context}");
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{context}");
            assert!(everywhere && !rolled_back, "{context}: {error}");
            assert!(accepts(signoff, &token).await, "{context}");
            assert_eq!(log_out(signoff, everywhere, &token).await.unwrap(), 1, "{context}");
        }
    }
    assert!(!accepts(signoff, &token).await, "{context}");
    assert_eq!(records(signoff).await, before + if everywhere { 2 } else { 1 }, "{context}");

    // Always: an error, and nothing has happened.
    let token = log_in(signoff).await;
    refuse(database, code, 1_000).await;
    let error = log_out(signoff, everywhere, &token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{context}");
    assert!(accepts(signoff, &token).await, "{context}");
    refuse(database, code, 0).await;
    assert_eq!(log_out(signoff, everywhere, &token).await.unwrap(), 1, "{context}: a retry completes");
    assert!(!accepts(signoff, &token).await, "{context}");
}

/// Somebody with a shell, who takes one lock, waits until the logout has the other, and then wants that.
macro_rules! cross {
    ($connection:ty, $url:expr, $patience:expr) => {{
        let mut shell = <$connection>::connect($url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe($patience)).execute(&mut shell).await.unwrap();
        sqlx::raw_sql("BEGIN; UPDATE signoff_meta SET previous = previous").execute(&mut shell).await.unwrap();
        let locked = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            locked.1.await.unwrap();
            tokio::time::sleep(Duration::from_millis(400)).await;
            let wanted = "UPDATE signoff_session SET version = version";
            let crossed = sqlx::raw_sql(wanted).execute(&mut shell).await;
            // The victim is rolled back; the other one goes on.
            let was_victim = crossed.is_err();
            if let Err(error) = crossed {
                assert!(error.to_string().to_lowercase().contains("deadlock"), "{error}");
            }
            let end = if was_victim { "ROLLBACK" } else { "COMMIT" };
            sqlx::raw_sql(end).execute(&mut shell).await.unwrap();
            was_victim
        });
        (locked.0, task)
    }};
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_deadlock_ends_in_a_logout() {
    for database in Database::each() {
        for everywhere in [false, true] {
            let signoff = serve(database.open().await.unwrap(), BOTH[0]).await.unwrap();
            let token = log_in(&signoff).await;
            let (locked, shell) = match &database {
                // Who looks first for a deadlock is its victim: the logout, which waits first.
                Database::Postgres(url) => cross!(sqlx::PgConnection, url, "SET deadlock_timeout = '10s'"),
                Database::MariaDb(url) => cross!(sqlx::MySqlConnection, url, "SET innodb_lock_wait_timeout = 10"),
            };
            let ending = signoff.clone();
            let presented = token.clone();
            let logout = tokio::spawn(async move { log_out(&ending, everywhere, &presented).await });
            locked.send(()).unwrap();
            let shell_was_victim = shell.await.unwrap();
            let context = format!("{database:?}, everywhere {everywhere}, the shell lost: {shell_was_victim}");
            let destroyed = match logout.await.unwrap() {
                Ok(destroyed) => destroyed,
                // On a busy machine it may lose twice.
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable, "{context}");
                    assert!(accepts(&signoff, &token).await, "{context}: nobody was told");
                    log_out(&signoff, everywhere, &token).await.unwrap()
                }
            };
            assert_eq!(destroyed, 1, "{context}");
            assert!(!accepts(&signoff, &token).await);
            signoff.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_not_given_in_time_is_unavailable() {
    for database in Database::each() {
        let mut settings = signoff::Settings::new("https://bank.example", "https://bank.example/api");
        settings.commit_timeout = Duration::from_millis(300);
        let key = signoff::SigningKey::from_secret(signoff::Algorithm::Hs256, &[7; 32]).unwrap();
        let store = database.open().await.unwrap();
        let signoff = Signoff::open(store, signoff::KeySet::new(key), settings).await.unwrap();
        let token = log_in(&signoff).await;
        macro_rules! block {
            ($connection:ty, $url:expr) => {{
                let mut shell = <$connection>::connect($url).await.unwrap();
                sqlx::raw_sql("BEGIN; UPDATE signoff_session SET version = version").execute(&mut shell).await.unwrap();
                let error = log_out(&signoff, false, &token).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{database:?}");
                assert!(accepts(&signoff, &token).await, "{database:?}: nobody was told");
                sqlx::raw_sql("ROLLBACK").execute(&mut shell).await.unwrap();
                shell.close().await.unwrap();
            }};
        }
        match &database {
            Database::Postgres(url) => block!(sqlx::PgConnection, url),
            Database::MariaDb(url) => block!(sqlx::MySqlConnection, url),
        }
        // What was queued happens all the same, and nothing twice.
        while let Err(error) = log_out(&signoff, false, &token).await {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{database:?}");
        }
        assert!(!accepts(&signoff, &token).await);
        assert_eq!(records(&signoff).await, 1, "{database:?}");
    }
}

/// The head of the log for one, which every logout of every other node waits for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_that_failed_has_let_go_of_what_it_locked() {
    for database in Database::each() {
        let signoff = serve(database.open().await.unwrap(), BOTH[0]).await.unwrap();
        for everywhere in [false, true] {
            let token = log_in(&signoff).await;
            refuse(&database, if matches!(database, Database::Postgres(_)) { "53100" } else { "1026" }, 1_000).await;
            log_out(&signoff, everywhere, &token).await.unwrap_err();
            let others = match &database {
                Database::Postgres(_) => "SET lock_timeout = '2s'; UPDATE signoff_meta SET previous = previous",
                Database::MariaDb(_) => "SET innodb_lock_wait_timeout = 2; UPDATE signoff_meta SET previous = previous",
            };
            database.execute(others).await;
            refuse(&database, "53100", 0).await;
        }
        signoff.close().await;
    }
}

/// An administrator, or a pooler, ends every connection between two logouts, and in the middle of many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_connections_are_found_out() {
    for database in Database::each() {
        let end_all = match &database {
            Database::Postgres(_) => {
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                 AND pid <> pg_backend_pid()"
            }
            Database::MariaDb(_) => {
                "BEGIN NOT ATOMIC FOR victim IN (SELECT id FROM information_schema.processlist WHERE db = DATABASE() \
                 AND id <> CONNECTION_ID()) DO BEGIN DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END; \
                 KILL CONNECTION victim.id; END; END FOR; END"
            }
        };
        // As one of several, for the lock of an owner would be lost with its connection.
        let signoff = serve(database.join().await.unwrap(), BOTH[0]).await.unwrap();
        let token = log_in(&signoff).await;
        database.execute(end_all).await;
        assert_eq!(log_out(&signoff, false, &token).await.unwrap(), 1, "{database:?}: it is repeated");
        assert!(!accepts(&signoff, &token).await);

        let mut tokens = Vec::new();
        for _ in 0..150 {
            tokens.push(log_in(&signoff).await);
        }
        let logouts: Vec<_> = tokens
            .iter()
            .enumerate()
            .map(|(n, token)| {
                let (signoff, token) = (signoff.clone(), token.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(2 * n as u64)).await;
                    log_out(&signoff, false, &token).await
                })
            })
            .collect();
        for _ in 0..6 {
            tokio::time::sleep(Duration::from_millis(45)).await;
            database.execute(end_all).await;
        }
        let mut told = 0;
        for (logout, token) in logouts.into_iter().zip(&tokens) {
            match logout.await.unwrap() {
                Ok(_) => {
                    told += 1;
                    assert!(!accepts(&signoff, token).await, "{database:?}: told, yet alive");
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{database:?}: {error}"),
            }
        }
        // How many depends on how often a busy machine lets the axe fall.
        assert!(told > 0, "{database:?}: {told} of 150");
        for token in &tokens {
            log_out(&signoff, false, token).await.unwrap();
        }
        assert_eq!(signoff.sessions(&alice(), None).await.unwrap().len(), 0);
        let store = database.join().await.unwrap();
        let trail = store.audit_trail(&alice(), 1_000).await.unwrap();
        let ends = trail.iter().filter(|event| event.logout.is_some()).count();
        assert_eq!(ends, 151, "{database:?}: each is recorded once");
    }
}
