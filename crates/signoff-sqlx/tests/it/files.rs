//! Files: who owns them, what is in them, and what happens when they are not as expected.

use signoff::{Cause, Delivery, ErrorKind};
use signoff_sqlx::SqliteStore;

use crate::service::{BOTH, accepts, alice, log_in, open};

#[tokio::test]
async fn the_dead_stay_dead_after_a_restart() {
    for delivery in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bank.sqlite3");
        let signoff = open(&path, delivery).await.unwrap();
        let (dead, sibling, alive) = (log_in(&signoff).await, log_in(&signoff).await, log_in(&signoff).await);
        let _ = signoff.log_out(&[&dead], Cause::logout()).await.unwrap();
        signoff.close().await;

        let signoff = open(&path, delivery).await.unwrap();
        assert!(!accepts(&signoff, &dead).await);
        assert!(accepts(&signoff, &sibling).await && accepts(&signoff, &alive).await);
        let _ = signoff.log_out_everywhere(&[&sibling], Cause::logout()).await.unwrap();
        signoff.close().await;

        let signoff = open(&path, delivery).await.unwrap();
        assert!(!accepts(&signoff, &sibling).await && !accepts(&signoff, &alive).await);
        assert!(accepts(&signoff, &log_in(&signoff).await).await);
        let receipt = signoff.log_out(&[&dead], Cause::logout()).await.unwrap();
        assert_eq!(receipt.destroyed(), 0, "found gone, not unknown");
    }
}

#[tokio::test]
async fn one_owner_by_whatever_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bank.sqlite3");
    let first = SqliteStore::open(&path).await.unwrap();
    let mut names = vec![path.clone(), folder.path().join(".").join("bank.sqlite3")];
    #[cfg(unix)]
    {
        names.push(folder.path().join("link"));
        std::os::unix::fs::symlink(&path, &names[2]).unwrap();
    }
    for name in &names {
        let error = SqliteStore::open(name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse);
        assert!(error.to_string().contains("in use"), "{error}");
    }
    first.close().await;
    for name in &names {
        SqliteStore::open(name).await.unwrap().close().await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let signoff = open(&folder.path().join("bank.sqlite3"), Delivery::Opaque).await.unwrap();
    let token = log_in(&signoff).await;
    let mut files = 0;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.file_name());
        let bytes = std::fs::read(file.path()).unwrap();
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()), "the token is in the file");
        files += 1;
    }
    assert!(files >= 3, "the database, its log and the owner's lock");
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.txt");
    let letter = "Dear diary, ".repeat(1_000);
    std::fs::write(&path, &letter).unwrap();
    assert_eq!(SqliteStore::open(&path).await.unwrap_err().kind(), ErrorKind::Data);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), letter);
    let missing = folder.path().join("no").join("folder");
    assert_eq!(SqliteStore::open(missing).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(SqliteStore::open(folder.path()).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

/// Runs SQL on a closed database, as somebody with a shell would.
pub(crate) async fn tamper(path: &std::path::Path, sql: &'static str) {
    use sqlx::{ConnectOptions, Connection};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bank.sqlite3");
    SqliteStore::open(&path).await.unwrap().close().await;
    tamper(
        &path,
        "INSERT INTO _signoff_migrations (version, description, success, checksum, execution_time) \
         VALUES (999, 'from the future', 1, x'00', 0)",
    )
    .await;
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains("newer"), "{error}");
}

#[tokio::test]
async fn a_broken_log_entry_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bank.sqlite3");
    SqliteStore::open(&path).await.unwrap().close().await;
    tamper(&path, "INSERT INTO signoff_log VALUES (7, 99, x'', 0); UPDATE signoff_meta SET head = 7").await;
    assert_eq!(open(&path, Delivery::Jwt).await.unwrap_err().kind(), ErrorKind::Data);
}

#[tokio::test]
async fn the_application_may_keep_its_own_tables_beside_ours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bank.sqlite3");
    tamper(
        &path,
        "CREATE TABLE _sqlx_migrations (version INTEGER PRIMARY KEY); INSERT INTO _sqlx_migrations VALUES (42); \
         CREATE TABLE accounts (id INTEGER PRIMARY KEY)",
    )
    .await;
    let signoff = open(&path, Delivery::Jwt).await.unwrap();
    assert!(accepts(&signoff, &log_in(&signoff).await).await);
    assert_eq!(signoff.sessions(&alice(), None).await.unwrap().len(), 1);
}
