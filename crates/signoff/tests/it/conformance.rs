//! The memory store passes the suite, by value and behind pointers, and so does the store that is an example.

use std::sync::Arc;

use signoff::test_util::FailingStore;
use signoff::{MemoryStore, Store, conformance};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_value() {
    conformance::run(async || MemoryStore::new()).await;
}

#[tokio::test]
async fn behind_pointers() {
    conformance::run(async || Box::new(MemoryStore::new()) as Box<dyn Store>).await;
    conformance::run(async || Arc::new(MemoryStore::new()) as Arc<dyn Store>).await;
}

#[tokio::test]
async fn wrapped() {
    conformance::run(async || FailingStore::new(MemoryStore::new())).await;
}

#[path = "../../examples/file_store.rs"]
mod file_store;

#[test]
fn a_store_of_ones_own() {
    file_store::main();
}
