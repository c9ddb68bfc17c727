//! A service on the memory store, against the reference of `signoff::conformance`.
//!
//! `SIGNOFF_LONG=1` runs 20,000 lives of 100 operations; otherwise 200 of 100. `SIGNOFF_SEED` starts elsewhere.

use std::sync::Arc;

use signoff::MemoryStore;
use signoff::conformance::{Lives, lives_follow_the_model};

#[tokio::test]
async fn lives_on_the_memory_store_follow_the_model() {
    let lives = if std::env::var_os("SIGNOFF_LONG").is_some() { 20_000 } else { 200 };
    let seed = std::env::var("SIGNOFF_SEED").map_or(1, |seed| seed.parse().unwrap());
    let store = Arc::new(MemoryStore::new());
    let seen = lives_follow_the_model(async || Arc::clone(&store), Lives { lives, operations: 100, seed }).await;
    println!("{lives} lives: {seen:?}");
    assert!(seen.answers > lives * 60 && seen.pairs > lives * 8 && seen.restarts > lives, "{seen:?}");
    assert!(seen.granted > lives * 25 && seen.refused > lives * 15, "{seen:?}");
}
