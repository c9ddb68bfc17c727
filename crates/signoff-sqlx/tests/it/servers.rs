//! Database servers: who owns a database, what is refused when it is opened, and what survives a restart.

use std::error::Error as _;

use signoff::store::{Scope, Target};
use signoff::{Cause, Error, ErrorKind, Login, Position, Subject};
use signoff_sqlx::{MySqlStore, PostgresStore, ServerOptions};
use signoff_test_servers::{MariaDb, Postgres};

use crate::ordering::{at, login, sign_off};
use crate::service::{BOTH, Database, accepts, alice, log_in, serve};

/// Everything that an error and its sources say.
fn words(error: &Error) -> String {
    let mut words = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        words += &format!(" {error} {error:?}");
        source = error.source();
    }
    words
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dead_stay_dead_after_a_restart() {
    for delivery in BOTH {
        for database in Database::each() {
            let signoff = serve(database.open().await.unwrap(), delivery).await.unwrap();
            let (dead, sibling, alive) = (log_in(&signoff).await, log_in(&signoff).await, log_in(&signoff).await);
            assert!(accepts(&signoff, &dead).await);
            let _ = signoff.log_out(&[&dead], Cause::logout()).await.unwrap();
            assert!(!accepts(&signoff, &dead).await);
            signoff.close().await;

            let signoff = serve(database.open().await.unwrap(), delivery).await.unwrap();
            assert!(!accepts(&signoff, &dead).await);
            assert!(accepts(&signoff, &sibling).await && accepts(&signoff, &alive).await);
            let _ = signoff.log_out_everywhere(&[&sibling], Cause::logout()).await.unwrap();
            signoff.close().await;

            let signoff = serve(database.open().await.unwrap(), delivery).await.unwrap();
            assert!(!accepts(&signoff, &sibling).await && !accepts(&signoff, &alive).await);
            assert!(accepts(&signoff, &log_in(&signoff).await).await);
            let receipt = signoff.log_out(&[&dead], Cause::logout()).await.unwrap();
            assert_eq!(receipt.destroyed(), 0, "found gone, not unknown");
            signoff.close().await;
        }
    }
}

#[tokio::test]
async fn one_owner_per_database() {
    for database in Database::each() {
        let first = database.open().await.unwrap();
        let error = database.open().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse);
        assert!(error.to_string().contains("in use"), "{error}");
        drop(first);
        let second = database.open().await.unwrap();
        drop(second);
    }
    // Another schema of the same PostgreSQL database, and another database of the same server, are other stores.
    let [_, Database::Postgres(url)] = Database::each() else { unreachable!() };
    Database::Postgres(url.clone()).execute("CREATE SCHEMA elsewhere").await;
    let here = PostgresStore::open(&url).await.unwrap();
    let there = PostgresStore::open(&format!("{url}?options=-csearch_path%3Delsewhere")).await.unwrap();
    here.close().await;
    there.close().await;
}

#[tokio::test]
async fn an_owner_that_lost_its_lock_to_another_stops() {
    for database in Database::each() {
        let first = database.open().await.unwrap();
        let end_all = match &database {
            Database::Postgres(_) => {
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()"
            }
            // It ends whoever holds the lock.
            Database::MariaDb(_) => {
                "SET @name = CONCAT('signoff owner ', LEFT(SHA2(DATABASE(), 256), 40)); \
                 SET @sql = CONCAT('KILL ', IS_USED_LOCK(@name)); PREPARE kill_it FROM @sql; EXECUTE kill_it"
            }
        };
        database.execute(end_all).await;
        let second = database.open().await.unwrap();
        let mut answers = Vec::new();
        for _ in 0..80 {
            answers.push(first.load_key_ring().await.map_err(|error| error.kind()));
            if answers.last() == Some(&Err(ErrorKind::Misuse)) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(answers.last(), Some(&Err(ErrorKind::Misuse)), "{answers:?}");
        assert!(second.load_key_ring().await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_nodes_migrate_at_once() {
    for database in Database::each() {
        let nodes: Vec<_> = (0..8)
            .map(|_| {
                let database = database.clone();
                tokio::spawn(async move { database.join().await })
            })
            .collect();
        for node in nodes {
            let store = node.await.unwrap().unwrap();
            assert!(store.load_key_ring().await.unwrap().is_none());
        }
    }
}

#[tokio::test]
async fn newer_and_foreign_tables_are_refused() {
    for database in Database::each() {
        drop(database.open().await.unwrap());
        database
            .execute(
                "INSERT INTO _signoff_migrations (version, description, success, checksum, execution_time) \
                 VALUES (999, 'from the future', true, '', 0)",
            )
            .await;
        let error = database.open().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(error.to_string().contains("newer"), "{error}");
    }
    for database in Database::each() {
        database.execute("CREATE TABLE signoff_log (entry INT)").await;
        assert_eq!(database.open().await.unwrap_err().kind(), ErrorKind::Data);
    }
    for database in Database::each() {
        drop(database.open().await.unwrap());
        database.execute("DROP TABLE signoff_log").await;
        let error = serve(database.open().await.unwrap(), BOTH[0]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{}", words(&error));
    }
}

#[tokio::test]
async fn settings_that_lose_commits_are_refused_by_name() {
    let postgres = Postgres::start(&[("fsync", "off"), ("synchronous_commit", "off")]).unwrap();
    let mariadb =
        MariaDb::start(&[("innodb-flush-log-at-trx-commit", "2"), ("log-bin", "bin"), ("sync-binlog", "0")]).unwrap();
    let databases = [
        (Database::Postgres(postgres.database().unwrap()), ["fsync", "synchronous_commit"]),
        (Database::MariaDb(mariadb.database().unwrap()), ["innodb_flush_log_at_trx_commit", "sync_binlog"]),
    ];
    for (database, settings) in databases {
        let error = database.open().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse);
        assert!(error.to_string().contains(settings[0]), "{error}");
        let options = ServerOptions::new().accept_weak_durability();
        drop(database.open_with(&options).await.unwrap());
        let durability = match &database {
            Database::Postgres(url) => PostgresStore::open_with(url, &options).await.unwrap().durability(),
            Database::MariaDb(url) => MySqlStore::open_with(url, &options).await.unwrap().durability(),
        };
        assert!(!durability.is_full());
        for (weakness, setting) in durability.weaknesses().iter().zip(settings) {
            assert!(weakness.contains(setting), "{weakness}");
        }
    }
    for database in Database::each() {
        let durability = match &database {
            Database::Postgres(url) => PostgresStore::open(url).await.unwrap().durability(),
            Database::MariaDb(url) => MySqlStore::open(url).await.unwrap().durability(),
        };
        assert!(durability.is_full());
    }
}

/// The same for each setting that the test above does not turn.
#[tokio::test]
async fn every_setting_that_loses_commits_is_refused_by_name() {
    let postgres = [
        (vec![("full_page_writes", "off")], "full_page_writes"),
        (vec![("synchronous_commit", "local"), ("synchronous_standby_names", "nobody")], "local"),
    ];
    for (settings, name) in postgres {
        let server = Postgres::start(&settings).unwrap();
        let error = Database::Postgres(server.database().unwrap()).open().await.map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse);
        assert!(error.to_string().contains(name), "{error}");
    }
    let mariadb =
        [("innodb-doublewrite", "0"), ("innodb-flush-method", "nosync"), ("innodb-flush-log-at-trx-commit", "0")];
    for (setting, value) in mariadb {
        let server = MariaDb::start(&[(setting, value)]).unwrap();
        let error = Database::MariaDb(server.database().unwrap()).open().await.map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse);
        assert!(error.to_string().contains(&setting.replace('-', "_")), "{error}");
    }
    // Without a standby to wait for, waiting for none loses nothing.
    let server = Postgres::start(&[("synchronous_commit", "local")]).unwrap();
    assert!(PostgresStore::open(&server.database().unwrap()).await.unwrap().durability().is_full());
}

#[tokio::test]
async fn wrong_addresses_are_told_apart_and_no_password_is_told() {
    let [mariadb, postgres] = Database::each();
    postgres.execute("CREATE ROLE locked LOGIN PASSWORD 'secret'").await;
    mariadb.execute("CREATE USER locked@localhost IDENTIFIED BY 'secret'").await;
    let change = |url: &str, from: &str, to: &str| {
        assert!(url.contains(from), "{url}");
        url.replace(from, to)
    };
    let (p, m) = (postgres.url(), mariadb.url());
    let name = |url: &str| url.rsplit('/').next().unwrap().to_owned();
    let database = m.split_once("localhost/").unwrap().1.split_once('?').unwrap().0;
    for (url, kind) in [
        (change(p, "postgres@", "locked:hunter2@"), ErrorKind::Misuse),
        (change(p, &format!("/{}", name(p)), "/nowhere"), ErrorKind::Misuse),
        (change(p, "postgres@", "postgres:hunter2@%2Fnowhere"), ErrorKind::Unavailable),
        ("postgres://postgres:hunter2@127.0.0.1:1/x".to_owned(), ErrorKind::Unavailable),
        (change(p, "postgres://", "mysql://"), ErrorKind::Misuse),
        ("postgres://postgres:hunter2@host:notaport/x".to_owned(), ErrorKind::Misuse),
        ("hunter2".to_owned(), ErrorKind::Misuse),
    ] {
        let error = PostgresStore::open(&url).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{url}: {}", words(&error));
        assert!(!words(&error).contains("hunter2"), "{}", words(&error));
    }
    for (url, kind) in [
        (change(m, "root@", "locked:hunter2@"), ErrorKind::Misuse),
        (change(m, &format!("/{database}?"), "/nowhere?"), ErrorKind::Misuse),
        (change(m, &format!("/{database}?"), "/?"), ErrorKind::Misuse),
        ("mysql://root:hunter2@localhost/x?socket=/nowhere".to_owned(), ErrorKind::Unavailable),
        (change(m, "mysql://", "postgres://"), ErrorKind::Misuse),
    ] {
        let error = MySqlStore::open(&url).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{url}: {}", words(&error));
        assert!(!words(&error).contains("hunter2"), "{}", words(&error));
    }
    postgres.execute("GRANT ALL ON SCHEMA public TO locked").await;
    let store = PostgresStore::open(&change(p, "postgres@", "locked:secret@")).await.unwrap();
    assert!(!format!("{store:?}").contains("secret"), "{store:?}");
    mariadb.execute(&format!("GRANT ALL ON {database}.* TO locked@localhost")).await;
    let store = MySqlStore::open(&change(m, "root@", "locked:secret@")).await.unwrap();
    assert!(!format!("{store:?}").contains("secret"), "{store:?}");
}

#[tokio::test]
async fn a_pool_of_the_application_serves() {
    let [Database::MariaDb(mariadb), Database::Postgres(postgres)] = Database::each() else { unreachable!() };
    let options = ServerOptions::new();
    // One connection is enough: the store's own are not counted.
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(&postgres).await.unwrap();
    let signoff = serve(PostgresStore::with_pool(pool.clone(), &options).await.unwrap(), BOTH[0]).await.unwrap();
    let token = log_in(&signoff).await;
    let held = pool.acquire().await.unwrap();
    let _ = signoff.log_out(&[&token], Cause::logout()).await.unwrap();
    drop(held);
    assert!(!accepts(&signoff, &token).await);
    signoff.close().await;
    let pool = sqlx::mysql::MySqlPoolOptions::new().max_connections(1).connect(&mariadb).await.unwrap();
    let signoff = serve(MySqlStore::with_pool(pool.clone(), &options).await.unwrap(), BOTH[0]).await.unwrap();
    let token = log_in(&signoff).await;
    let _ = signoff.log_out(&[&token], Cause::logout()).await.unwrap();
    assert!(!accepts(&signoff, &token).await);
}

#[tokio::test]
async fn subjects_of_all_unicode_are_distinct() {
    let mut names: Vec<String> =
        ["a", "A", "a ", "a  ", " a", "á", "a\u{301}", "ａ", "ß", "ss", "ẞ", "ı", "i", "İ", "ﬁ", "fi"]
            .map(str::to_owned)
            .to_vec();
    names.extend(
        ["'", "\"", "\\", "\\'", "%", "_", "$1", "?", "{}", "[]", "\u{200b}", "\u{ad}", "\u{feff}"].map(str::to_owned),
    );
    names.extend(["\u{10ffff}", "\u{fffd}", "\u{ffff}", "👩‍👩‍👧", "👩", "𝒜", "é".repeat(127).as_str()].map(str::to_owned));
    // One name for every plane and block, however odd.
    names.extend(
        (0..=0x0010_ffff_u32).step_by(0x61f).filter_map(char::from_u32).filter(|c| !c.is_control()).map(String::from),
    );
    names.sort();
    names.dedup();
    for database in Database::each() {
        let signoff = serve(database.open().await.unwrap(), BOTH[0]).await.unwrap();
        for name in &names {
            let _ = signoff.log_in(Login::new(Subject::new(name).unwrap())).await.unwrap();
        }
        for (n, name) in names.iter().enumerate() {
            let subject = Subject::new(name).unwrap();
            let listed = signoff.sessions(&subject, None).await.unwrap();
            assert_eq!(listed.len(), 1, "{name:?}");
            assert_eq!(signoff.audit_trail(&subject).await.unwrap()[0].subject.as_ref(), Some(&subject));
            if n % 50 == 0 {
                let _ = signoff.revoke(Scope::Subject(name), Cause::logout()).await.unwrap();
                assert!(signoff.sessions(&subject, None).await.unwrap().is_empty(), "{name:?}");
            }
        }
        assert!(signoff.sessions(&alice(), None).await.unwrap().is_empty());
        signoff.close().await;
    }
}

/// What a database cannot hold is refused, and nothing is left of it; nothing is cut.
#[tokio::test]
async fn what_cannot_be_held_is_refused_whole() {
    let [mariadb, postgres] = Database::each();
    let store = postgres.open().await.unwrap();
    let mut event = login("alice");
    event.detail = Some("a\0b".to_owned());
    assert_eq!(store.record(&event).await.unwrap_err().kind(), ErrorKind::Misuse);
    assert!(store.audit_trail(&alice(), 10).await.unwrap().is_empty());

    let store = mariadb.open().await.unwrap();
    store.record(&event).await.unwrap();
    assert_eq!(store.audit_trail(&alice(), 10).await.unwrap(), [event.clone()]);
    event.detail = Some("ä".repeat(512));
    store.record(&event).await.unwrap();
    assert_eq!(store.audit_trail(&alice(), 1).await.unwrap(), [event.clone()]);
    event.detail = Some("x".repeat(100_000));
    store.record(&event).await.unwrap();
    assert_eq!(store.audit_trail(&alice(), 1).await.unwrap(), [event.clone()], "whole, not cut");

    for (length, fits) in [(512, true), (513, false)] {
        let name = "k".repeat(length);
        let target = Target::Scope { revocation: Scope::Key(&name).into(), revoke_until: at(5_000) };
        let signed_off = store.sign_off(&[sign_off(target)], at(1)).await;
        assert_eq!(signed_off.map_err(|error| error.kind()).is_ok(), fits);
    }
    let log = store.log_after(Position::ZERO, 10).await.unwrap().page.entries;
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].scope(), Scope::Key(&"k".repeat(512)));
}
