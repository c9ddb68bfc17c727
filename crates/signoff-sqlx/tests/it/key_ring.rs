//! The key ring in a file: it survives restarts, comes to databases that had none, and is not changed unnoticed.

use std::path::Path;

use signoff::test_util::tend_key_ring;
use signoff::time::Timestamp;
use signoff::{Error, ErrorKind, KeyEncryptionKey, KeyEncryptionKeys, KeyRing, KeySet, Rotation};
use signoff_sqlx::SqliteStore;

use crate::files::tamper;

const DAY: i64 = 24 * 60 * 60;

/// Opens the file, brings the ring up to date, and closes it again: one life of a node.
async fn live(path: &Path, keks: KeyEncryptionKeys, secs: i64) -> Result<KeySet, Error> {
    let store = SqliteStore::open(path).await.unwrap();
    let ring = KeyRing::new(keks, Rotation::default()).unwrap();
    let keys = tend_key_ring(&ring, &store, Timestamp::from_secs(1_000_000_000 + secs).unwrap()).await;
    store.close().await;
    keys
}

fn kek(n: u8) -> KeyEncryptionKey {
    KeyEncryptionKey::new([n; 32])
}

fn keks() -> KeyEncryptionKeys {
    KeyEncryptionKeys::new(kek(7))
}

fn kids(keys: &KeySet) -> Vec<String> {
    let mut kids: Vec<_> = keys.jwks().keys.into_iter().filter_map(|key| key.common.key_id).collect();
    kids.sort();
    kids
}

#[tokio::test]
async fn keys_rotate_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bank.sqlite3");
    let first = live(&path, keks(), 0).await.unwrap();
    let again = live(&path, keks(), 60).await.unwrap();
    assert_eq!((again.signing().kid(), kids(&again)), (first.signing().kid(), kids(&first)));

    let published = live(&path, keks(), 89 * DAY).await.unwrap();
    assert_eq!((published.signing().kid(), kids(&published).len()), (first.signing().kid(), 2));
    let rotated = live(&path, keks(), 90 * DAY).await.unwrap();
    assert_ne!(rotated.signing().kid(), first.signing().kid());
    assert_eq!(kids(&rotated), kids(&published));
    let over = live(&path, keks(), 91 * DAY).await.unwrap();
    assert_eq!(kids(&over), [rotated.signing().kid()]);

    let resealed = live(&path, KeyEncryptionKeys::new(kek(8)).with_other(kek(7)), 91 * DAY).await.unwrap();
    assert_eq!(kids(&resealed), kids(&over));
    assert_eq!(live(&path, keks(), 91 * DAY).await.unwrap_err().kind(), ErrorKind::Misuse);
    assert_eq!(kids(&live(&path, KeyEncryptionKeys::new(kek(8)), 91 * DAY).await.unwrap()), kids(&over));
}

#[tokio::test]
async fn a_database_from_before_gets_a_ring() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bank.sqlite3");
    SqliteStore::open(&path).await.unwrap().close().await;
    tamper(&path, "DROP TABLE signoff_key_ring; DELETE FROM _signoff_migrations WHERE version = 2").await;
    assert_eq!(kids(&live(&path, keks(), 0).await.unwrap()).len(), 1);
}

#[tokio::test]
async fn what_was_changed_in_the_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for sql in [
        "UPDATE signoff_key_ring SET document = replace(document, '\"verifies_until\":null', '\"verifies_until\":5')",
        "UPDATE signoff_key_ring SET document = replace(document, '\"alg\":\"EdDSA\"', '\"alg\":\"HS256\"')",
        "UPDATE signoff_key_ring SET document = document || ' '",
        "UPDATE signoff_key_ring SET document = ''",
        "UPDATE signoff_key_ring SET version = 7",
        "UPDATE signoff_key_ring SET version = -1",
    ] {
        let path = folder.path().join("bank.sqlite3");
        let _ = std::fs::remove_file(&path);
        live(&path, keks(), 0).await.unwrap();
        tamper(&path, sql).await;
        assert_eq!(live(&path, keks(), 60).await.unwrap_err().kind(), ErrorKind::Data, "{sql}");
    }
}
