//! Contracts of the key ring that the nodes share. What is in it is not a store's business.

use super::races::all;
use crate::Store;
use crate::store::StoredKeyRing;

async fn load(store: &dyn Store) -> Option<(u64, String)> {
    let ring = store.load_key_ring().await.expect("loaded");
    ring.map(|StoredKeyRing { version, document }| (version, document))
}

async fn save(store: &dyn Store, expected: u64, document: &str) -> bool {
    store.save_key_ring(expected, document).await.expect("answered")
}

/// A save names the version that it is based on, and what was saved comes back to the last byte.
pub async fn the_key_ring_compares_versions(store: &dyn Store) {
    assert_eq!(load(store).await, None);
    for expected in [1, 2, u64::MAX] {
        assert!(!save(store, expected, "x").await, "there is nothing at version {expected}");
    }
    assert_eq!(load(store).await, None, "a refused save left a ring");

    let large = format!("{{\"ключ\": \"{}\"}}\n ", "x".repeat(200_000));
    assert!(save(store, 0, &large).await);
    assert_eq!(load(store).await, Some((1, large.clone())));
    for expected in [0, 2, u64::MAX] {
        assert!(!save(store, expected, "x").await, "it is at version 1, not {expected}");
    }
    assert_eq!(load(store).await, Some((1, large)), "a refused save changed the ring");
    assert!(save(store, 1, "{}").await);
    assert!(!save(store, 1, "{}").await, "a repeated save is based on what is no more");
    assert_eq!(load(store).await, Some((2, "{}".into())));
}

/// Of several savers who expect the same version, one wins, from the first ring on; nobody's change is lost.
pub async fn concurrent_ring_savers_lose_nothing(store: &dyn Store) {
    for expected in 0..5 {
        let documents: Vec<_> = (0..8).map(|n| format!("{expected}-{n}")).collect();
        let attempts = documents.iter().map(|document| async move { save(store, expected, document).await });
        let saved = all(attempts.collect()).await;
        let winners: Vec<_> = documents.iter().zip(saved).filter(|(_, saved)| *saved).map(|(d, _)| d.clone()).collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(load(store).await, Some((expected + 1, winners[0].clone())));
    }
    let workers = (0..4).map(|_| async move {
        for _ in 0..5 {
            loop {
                let (version, document) = load(store).await.expect("a ring");
                if save(store, version, &format!("{document}.")).await {
                    break;
                }
            }
        }
    });
    all(workers.collect()).await;
    let (version, document) = load(store).await.expect("a ring");
    assert_eq!((version, document.len()), (25, "4-0".len() + 20));
}
