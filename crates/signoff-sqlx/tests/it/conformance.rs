//! Every store passes the suite that every store must pass: by value and behind pointers.

use std::sync::Arc;

use signoff::{Store, conformance};
use signoff_sqlx::{MySqlStore, PostgresStore, ServerOptions, SqliteStore};
use signoff_test_servers::{MariaDb, Postgres};
use tempfile::TempDir;

async fn sqlite(folders: &mut Vec<TempDir>) -> SqliteStore {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("test.sqlite3")).await.unwrap();
    folders.push(folder);
    store
}

async fn postgres() -> PostgresStore {
    PostgresStore::open(&Postgres::shared().unwrap().database().unwrap()).await.unwrap()
}

async fn mariadb() -> MySqlStore {
    MySqlStore::open(&MariaDb::shared().unwrap().database().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_by_value() {
    let mut folders = Vec::new();
    conformance::run(async || sqlite(&mut folders).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_behind_pointers() {
    let mut folders = Vec::new();
    conformance::run(async || Box::new(sqlite(&mut folders).await) as Box<dyn Store>).await;
    conformance::run(async || Arc::new(sqlite(&mut folders).await) as Arc<dyn Store>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_by_value() {
    conformance::run(postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_in_a_box() {
    conformance::run(async || Box::new(postgres().await) as Box<dyn Store>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_behind_an_arc() {
    conformance::run(async || Arc::new(postgres().await) as Arc<dyn Store>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_by_value() {
    conformance::run(mariadb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_in_a_box() {
    conformance::run(async || Box::new(mariadb().await) as Box<dyn Store>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_behind_an_arc() {
    conformance::run(async || Arc::new(mariadb().await) as Arc<dyn Store>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shared_by_nodes() {
    let options = ServerOptions::new().shared(ServerOptions::LEASE);
    let (postgres, mariadb) = (Postgres::shared().unwrap(), MariaDb::shared().unwrap());
    conformance::run_nodes(async || PostgresStore::open_with(&postgres.database().unwrap(), &options).await.unwrap())
        .await;
    conformance::run_nodes(async || {
        Box::new(MySqlStore::open_with(&mariadb.database().unwrap(), &options).await.unwrap()) as Box<dyn Store>
    })
    .await;
}
