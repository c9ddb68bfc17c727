//! A service on each database, against the reference of `signoff::conformance`.
//!
//! `SIGNOFF_LONG=1` runs 2,000 lives of 100 operations on each; otherwise 20 of 100. `SIGNOFF_SEED` starts elsewhere.

use signoff::Store;
use signoff::conformance::{Lives, lives_follow_the_model};
use signoff_sqlx::SqliteStore;

use crate::service::Database;

/// What was seen, in a line.
async fn follow<S: Store>(name: &str, open: impl AsyncFnMut() -> S) -> String {
    let lives = if std::env::var_os("SIGNOFF_LONG").is_some() { 2_000 } else { 20 };
    let seed = std::env::var("SIGNOFF_SEED").map_or(1, |seed| seed.parse().unwrap());
    let seen = lives_follow_the_model(open, Lives { lives, operations: 100, seed }).await;
    assert!(seen.answers > lives * 60 && seen.pairs > lives * 8 && seen.restarts > lives, "{name}: {seen:?}");
    format!("{name}, {lives} lives: {seen:?}")
}

/// Closed and opened again, as a restart does.
async fn on_a_server(database: Database) -> String {
    let name = format!("{database:?}");
    follow(&name, async || database.open().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lives_on_sqlite_follow_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bank.sqlite3");
    // The file is free as soon as the store is dropped, or a little later.
    follow("sqlite", async || {
        loop {
            match SqliteStore::open(&path).await {
                Ok(store) => break store,
                Err(error) => assert!(error.to_string().contains("in use"), "{error}"),
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lives_on_postgres_follow_the_model() {
    let [_, postgres] = Database::each();
    println!("{}", on_a_server(postgres).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lives_on_mariadb_follow_the_model() {
    let [mariadb, _] = Database::each();
    println!("{}", on_a_server(mariadb).await);
}
