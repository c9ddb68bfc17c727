//! SQLite passes the suite that every store must pass: by value and behind pointers.

use std::sync::Arc;

use signoff::{Store, conformance};
use signoff_sqlx::SqliteStore;
use tempfile::TempDir;

async fn fresh(folders: &mut Vec<TempDir>) -> SqliteStore {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("test.sqlite3")).await.unwrap();
    folders.push(folder);
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_by_value() {
    let mut folders = Vec::new();
    conformance::run(async || fresh(&mut folders).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_behind_pointers() {
    let mut folders = Vec::new();
    conformance::run(async || Box::new(fresh(&mut folders).await) as Box<dyn Store>).await;
    conformance::run(async || Arc::new(fresh(&mut folders).await) as Arc<dyn Store>).await;
}
