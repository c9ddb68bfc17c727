//! Disks that are full and databases that may only be read: an error that says so, nothing lost of what was confirmed,
//! and a retry that completes once there is room.
//!
//! A full disk is a small file system in memory, which only root may mount: anybody else fails here, loudly.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use signoff::{Cause, Delivery, Denied, Error, ErrorKind, Login, Signoff};
use signoff_test_servers::{Failure, MariaDb, Postgres};

use crate::service::{Database, accepts, alice, log_in, open_at, serve};

/// A small file system, gone when dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(size: &str) -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        let size = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "signoff-test"]).arg(&folder).status();
        assert!(mounted.unwrap().success(), "a full disk needs the right to mount: run this test as root");
        Self(folder)
    }

    /// As soon as nobody writes there any more: a connection may be about to close.
    fn remount(&self, how: &str) {
        let remounted = || Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.0).status().unwrap();
        let mut attempts = 0;
        while !remounted().success() {
            attempts += 1;
            assert!(attempts < 100, "the disk is busy");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a connection may be about to close.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// Fills a disk to the last byte, and what takes the room.
fn fill(disk: &Path) -> PathBuf {
    let ballast = disk.join("ballast");
    let mut file = File::create(&ballast).unwrap();
    for size in [1 << 20, 4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
    ballast
}

fn error(denied: Denied) -> Error {
    match denied {
        Denied::Failed(error) => error,
        Denied::Rejected(rejection) => panic!("a full disk became a rejection: {rejection:?}"),
    }
}

/// Fills the disk under a service, logs out until it fails, makes room, and looks at what became of everything.
async fn full(place: &str, disk: &Path, revive: impl Fn() -> Result<(), Failure>) {
    for delivery in [Delivery::Jwt, Delivery::Opaque] {
        let signoff = open_at(place, delivery).await.unwrap();
        let mut tokens = Vec::new();
        for _ in 0..40 {
            let login = Login::new(alice()).data(vec![7; 20_000]);
            tokens.push(signoff.log_in(login).await.unwrap().token.expose().to_owned());
        }
        let ballast = fill(disk);
        // Logins take room until there is none, whatever the database has kept back for itself.
        let mut failed = None;
        for _ in 0..4_000 {
            match signoff.log_in(Login::new(alice()).data(vec![7; 60_000])).await {
                Ok(issued) => tokens.push(issued.token.expose().to_owned()),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let failed = failed.unwrap_or_else(|| panic!("{place}: the disk is never full"));
        assert_eq!(failed.kind(), ErrorKind::Unavailable, "{place}: {failed} {failed:?}");
        let mut told: Vec<bool> = Vec::new();
        for token in tokens.iter().take(30) {
            // A server that has given up altogether costs each of them their time limit.
            if told.iter().filter(|told| !**told).count() == 3 {
                break;
            }
            let outcome = signoff.log_out(&[token], Cause::logout()).await;
            told.push(outcome.is_ok());
            match outcome {
                Ok(_) => assert!(!accepts(&signoff, token).await, "{place}: told, yet alive"),
                Err(denied) => assert_eq!(error(denied).kind(), ErrorKind::Unavailable, "{place}"),
            }
        }
        std::fs::remove_file(ballast).unwrap();
        tokio::task::block_in_place(&revive).unwrap();

        // The same service goes on, and a new one knows what was told.
        complete(&signoff, &tokens[..35]).await;
        signoff.close().await;
        let signoff = reopen(place, delivery).await;
        for (n, token) in tokens.iter().enumerate() {
            let alive = accepts(&signoff, token).await;
            assert_eq!(alive, n >= 35, "{place}: session {n}, told {:?}", told.get(n));
        }
        complete(&signoff, &tokens).await;
        assert!(signoff.sessions(&alice(), None).await.unwrap().is_empty(), "{place}");
        signoff.close().await;
    }
}

/// A server that met a full disk may have to recover first.
async fn reopen(place: &str, delivery: Delivery) -> Signoff {
    for _ in 0..100 {
        match open_at(place, delivery).await {
            Ok(signoff) => return signoff,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{place}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{place} does not come back");
}

async fn complete(signoff: &Signoff, tokens: &[String]) {
    for token in tokens {
        let mut attempts = 0;
        while let Err(denied) = signoff.log_out(&[token], Cause::logout()).await {
            attempts += 1;
            assert!(attempts < 100, "{denied:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_sqlite() {
    let disk = Disk::mount("12m");
    full(disk.0.join("bank.sqlite3").to_str().unwrap(), &disk.0, || Ok(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_postgres() {
    let server = Postgres::start_small(160 << 20, &[]).unwrap();
    // It recovers by itself.
    full(&server.database().unwrap(), &server.data(), || Ok(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_mariadb() {
    let server = MariaDb::start_small(320 << 20, &[]).unwrap();
    // InnoDB ends the server when it cannot write; somebody has to start it again.
    full(&server.database().unwrap(), &server.data(), || server.crash().and_then(|()| server.start_again())).await;
}

/// Every verb that writes says that it cannot, and reading goes on.
async fn only_read(signoff: &Signoff, token: &str, kind: ErrorKind, context: &str) {
    assert!(accepts(signoff, token).await, "{context}");
    assert_eq!(signoff.sessions(&alice(), None).await.unwrap().len(), 1, "{context}");
    let failed = signoff.log_in(Login::new(alice())).await.unwrap_err();
    assert_eq!(failed.kind(), kind, "{context}: {failed} {failed:?}");
    for everywhere in [false, true] {
        let denied = match everywhere {
            true => signoff.log_out_everywhere(&[token], Cause::logout()).await.unwrap_err(),
            false => signoff.log_out(&[token], Cause::logout()).await.unwrap_err(),
        };
        assert_eq!(error(denied).kind(), kind, "{context}");
    }
    assert!(accepts(signoff, token).await, "{context}: nobody was told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_may_only_be_read() {
    let disk = Disk::mount("12m");
    let place = disk.0.join("bank.sqlite3");
    let place = place.to_str().unwrap();
    let signoff = open_at(place, Delivery::Opaque).await.unwrap();
    let token = log_in(&signoff).await;
    signoff.close().await;
    disk.remount("ro");
    let failed = open_at(place, Delivery::Opaque).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Unavailable, "{failed} {failed:?}");
    disk.remount("rw");
    let signoff = open_at(place, Delivery::Opaque).await.unwrap();
    let _ = signoff.log_out(&[&token], Cause::logout()).await.unwrap();
    assert!(!accepts(&signoff, &token).await);
    signoff.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_may_only_be_read() {
    let [_, postgres] = Database::each();
    let server = MariaDb::start(&[]).unwrap();
    let mariadb = Database::MariaDb(server.database().unwrap());
    // Who may do everything may also write where nobody may.
    mariadb.execute("CREATE USER app@localhost; GRANT ALL ON test0.* TO app@localhost").await;
    let mariadb_app = Database::MariaDb(mariadb.url().replace("root@", "app@"));
    let shut = "SET GLOBAL read_only = 1";
    for (admin, database, shut, open) in [
        (&mariadb, &mariadb_app, shut, "SET GLOBAL read_only = 0"),
        (
            &postgres,
            &postgres,
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$",
            "BEGIN READ WRITE; DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET default_transaction_read_only', \
             current_database()); END $$; COMMIT",
        ),
    ] {
        let context = format!("{database:?}");
        let signoff = serve(database.open().await.unwrap(), Delivery::Opaque).await.unwrap();
        let token = log_in(&signoff).await;
        admin.execute(shut).await;
        if matches!(database, Database::Postgres(_)) {
            // It counts for connections to come.
            signoff.close().await;
            let failed = database.open().await.map(|_| ()).unwrap_err();
            assert_eq!(failed.kind(), ErrorKind::Unavailable, "{context}: {failed} {failed:?}");
            admin.execute(open).await;
        } else {
            only_read(&signoff, &token, ErrorKind::Unavailable, &context).await;
            admin.execute(open).await;
            signoff.close().await;
        }
        let signoff = serve(database.open().await.unwrap(), Delivery::Opaque).await.unwrap();
        let _ = signoff.log_out(&[&token], Cause::logout()).await.unwrap();
        assert!(!accepts(&signoff, &token).await, "{context}");
        signoff.close().await;
    }
}

/// A user without the right to write is told so: no retry will help.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_may_only_read() {
    let [mariadb, postgres] = Database::each();
    let server = MariaDb::shared().unwrap();
    let name = mariadb.url().rsplit('/').find_map(|part| part.split_once("?socket")).unwrap().0.to_owned();
    let _ = server;
    for database in [&mariadb, &postgres] {
        let signoff = serve(database.open().await.unwrap(), Delivery::Opaque).await.unwrap();
        let token = log_in(&signoff).await;
        signoff.close().await;
        let reader = match database {
            Database::MariaDb(url) => {
                database
                    .execute(&format!("CREATE USER reader@localhost; GRANT SELECT ON {name}.* TO reader@localhost"))
                    .await;
                Database::MariaDb(url.replace("root@", "reader@"))
            }
            Database::Postgres(url) => {
                database
                    .execute("CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
                    .await;
                Database::Postgres(url.replace("postgres@", "reader@"))
            }
        };
        let failed = match reader.open().await {
            Err(error) => error,
            Ok(store) => serve(store, Delivery::Opaque).await.map(|_| ()).unwrap_err(),
        };
        assert_eq!(failed.kind(), ErrorKind::Misuse, "{database:?}: {failed} {failed:?}");
        let signoff = serve(database.open().await.unwrap(), Delivery::Opaque).await.unwrap();
        let _ = signoff.log_out(&[&token], Cause::logout()).await.unwrap();
        signoff.close().await;
    }
}
