//! Rings on a store: what operators ask for, races, faults, and key-encryption keys that change.

mod timeline;

use std::sync::Arc;
use std::time::Duration;

use super::plan::Rules;
use super::tend::Request;
use super::*;
use crate::test_util::{FailingStore, Fault};
use crate::{ErrorKind, MemoryStore, Store};

const DAY: u64 = 24 * 3_600;

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_000_000_000 + i64::try_from(secs).unwrap()).unwrap()
}

fn kek(n: u8) -> KeyEncryptionKey {
    KeyEncryptionKey::new([n; 32])
}

fn ring() -> KeyRing {
    KeyRing::new(KeyEncryptionKeys::new(kek(7)), Rotation::default()).unwrap()
}

/// Tending at a time, with tokens that live for a quarter of an hour, when nothing was revoked.
fn tending(store: &dyn Store, now: Timestamp) -> Tending<'_> {
    Tending { store, now, accepted_for: Duration::from_secs(900), revoked: &|_| false }
}

fn states(tended: &Tended) -> Vec<(&str, KeyState)> {
    tended.list.iter().map(|key| (key.kid.as_str(), key.state)).collect()
}

fn works(tended: &Tended, on: &Tended) {
    let signing = tended.keys.signing();
    let signature = signing.sign(b"a.b").unwrap();
    assert!(on.keys.find(signing.kid()).is_some_and(|key| key.verifies(b"a.b", signature.as_ref())));
}

#[tokio::test]
async fn nodes_share_what_the_first_one_made() {
    let store = MemoryStore::new();
    let (one, two) = (ring(), ring());
    let first = one.tend(tending(&store, at(0))).await.unwrap();
    let kid = first.keys.signing().kid().to_owned();
    assert_eq!(
        (states(&first), first.version, &first.created),
        (vec![(&*kid, KeyState::Signing)], 1, &vec![kid.clone()])
    );
    assert_eq!(first.due_at, at(60), "nothing is due before the next refresh");
    let second = two.tend(tending(&store, at(1))).await.unwrap();
    assert_eq!((states(&second), second.version), (states(&first), 1));
    assert!(second.created.is_empty() && second.dropped.is_empty());
    works(&first, &second);
    works(&second, &first);
    assert_eq!(second.keys.jwks().keys.len(), 1);

    let due = one.tend(tending(&store, at(89 * DAY - 5))).await.unwrap();
    assert_eq!(due.due_at, at(89 * DAY));
}

#[tokio::test]
async fn rotating_twice_is_rotating_once() {
    let store = MemoryStore::new();
    let (one, two) = (ring(), ring());
    let first = one.tend(tending(&store, at(0))).await.unwrap();
    let rotated = one.rotate(tending(&store, at(10))).await.unwrap();
    assert_eq!(rotated.created.len(), 1);
    let states: Vec<_> = rotated.list.iter().map(|key| key.state).collect();
    assert_eq!(states, [KeyState::Signing, KeyState::Prepublished]);
    assert_eq!(rotated.list[1].signs_from, at(10 + DAY));
    assert_eq!(rotated.keys.jwks().keys.len(), 2, "it is published before it signs");
    let again = two.rotate(tending(&store, at(20))).await.unwrap();
    assert_eq!((again.created.len(), &again.list), (0, &rotated.list));

    let after = one.tend(tending(&store, at(10 + DAY))).await.unwrap();
    assert_eq!(after.keys.signing().kid(), rotated.created[0]);
    works(&first, &after);
    let over = one.tend(tending(&store, at(10 + DAY + 60 + 300 + 900))).await.unwrap();
    assert_eq!(over.dropped, [first.keys.signing().kid()]);
    assert_eq!(over.list.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_at_once_make_one_successor() {
    for _ in 0..50 {
        let store = Arc::new(MemoryStore::new());
        for now in [0, 89 * DAY] {
            let nodes = [Arc::new(ring()), Arc::new(ring())].map(|node| {
                let store = Arc::clone(&store);
                tokio::spawn(async move { node.tend(tending(&store, at(now))).await.unwrap() })
            });
            let mut created = 0;
            for node in nodes {
                created += node.await.unwrap().created.len();
            }
            assert_eq!(created, 1);
        }
        assert_eq!(store.load_key_ring().await.unwrap().unwrap().version, 2);
    }
}

#[tokio::test]
async fn who_is_late_starts_again_from_what_is_there() {
    let store = MemoryStore::new();
    let (one, two) = (ring(), ring());
    one.tend(tending(&store, at(0))).await.unwrap();
    // Both read the ring, and both want to change it.
    let rules = Rules { rotation: &two.rotation, retention: Duration::from_secs(1_260), now: at(89 * DAY) };
    let read = two.load(&store).await.unwrap().unwrap();
    let late = two.next(Some(&read), rules, &|_| false, Request::Tend).unwrap();
    assert_eq!(late.len(), 2);
    let faster = one.tend(tending(&store, at(89 * DAY))).await.unwrap();
    assert!(two.save(&store, read.version, late).await.unwrap().is_none());
    let late = two.tend(tending(&store, at(89 * DAY))).await.unwrap();
    assert_eq!((late.list, late.version), (faster.list, 2));
}

#[tokio::test]
async fn faults_at_every_call_leave_one_ring() {
    for fault in [Fault::AnswerLost, Fault::Refuse] {
        for (skip, count) in [(0, 1), (1, 1), (1, 2), (2, 1)] {
            let store = FailingStore::new(MemoryStore::new());
            let (switch, node) = (store.switch(), ring());
            switch.fail(skip, count, fault);
            let first = node.tend(tending(&store, at(0))).await;
            if (fault, skip, count) == (Fault::AnswerLost, 1, 1) {
                assert!(first.is_ok(), "the lost answer is found by reading");
            }
            switch.heal();
            let first = match first {
                Ok(tended) => tended,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable);
                    node.tend(tending(&store, at(1))).await.unwrap()
                }
            };
            assert_eq!((first.list.len(), first.version), (1, 1));

            switch.fail(skip, count, fault);
            let rotated = node.rotate(tending(&store, at(2))).await;
            switch.heal();
            let rotated = match rotated {
                Ok(tended) => tended,
                Err(_) => node.rotate(tending(&store, at(3))).await.unwrap(),
            };
            assert_eq!((rotated.list.len(), rotated.version), (2, 2), "{fault:?} {skip} {count}");
        }
    }
}

#[tokio::test]
async fn a_revoked_key_is_gone_at_once() {
    let store = MemoryStore::new();
    let node = ring();
    let leaked = node.tend(tending(&store, at(0))).await.unwrap().keys.signing().kid().to_owned();
    let revoked = |kid: &str| kid == leaked;
    let after = node.tend(Tending { revoked: &revoked, ..tending(&store, at(9)) }).await.unwrap();
    assert_eq!((after.dropped.as_slice(), after.created.len()), (&[leaked.clone()][..], 1));
    assert_eq!(after.keys.signing().kid(), after.created[0]);
    assert!(after.keys.find(&leaked).is_none() && after.keys.jwks().find(&leaked).is_none());

    // A key in waiting takes over; it is known already.
    let rotated = node.rotate(tending(&store, at(10))).await.unwrap();
    let leaked = rotated.keys.signing().kid();
    let revoked = |kid: &str| kid == leaked;
    let after = node.tend(Tending { revoked: &revoked, ..tending(&store, at(11)) }).await.unwrap();
    assert_eq!((after.keys.signing().kid(), after.list.len()), (&*rotated.created[0], 1));
}

#[tokio::test]
async fn removing_is_for_good_only_with_a_revocation() {
    let store = MemoryStore::new();
    let key = SigningKey::generate().unwrap();
    let node = ring().with_first_key(SigningKey::generate().unwrap());
    node.tend(tending(&store, at(0))).await.unwrap();
    node.import(tending(&store, at(1)), &key, None).await.unwrap();
    let removed = node.remove(tending(&store, at(2)), key.kid()).await.unwrap();
    assert_eq!((removed.dropped, removed.list.len()), (vec![key.kid().to_owned()], 1));
    assert!(node.remove(tending(&store, at(3)), key.kid()).await.unwrap().dropped.is_empty());
    let again = node.import(tending(&store, at(4)), &key, None).await.unwrap();
    assert_eq!(again.created, [key.kid()]);
    let revoked = |kid: &str| kid == key.kid();
    let revoked = Tending { revoked: &revoked, ..tending(&store, at(5)) };
    assert_eq!(node.tend(revoked).await.unwrap().dropped, [key.kid()]);
    assert_eq!(node.import(revoked, &key, None).await.unwrap_err().kind(), ErrorKind::Misuse);

    let signing = node.tend(tending(&store, at(6))).await.unwrap().keys.signing().kid().to_owned();
    let replaced = node.remove(tending(&store, at(7)), &signing).await.unwrap();
    assert_eq!((replaced.dropped, replaced.created.len(), replaced.list.len()), (vec![signing], 1, 1));
}

#[tokio::test]
async fn keys_from_elsewhere() {
    let store = MemoryStore::new();
    let of_old = SigningKey::generate().unwrap();
    let kid = of_old.kid().to_owned();
    let node = ring().with_first_key(of_old);
    let first = node.tend(tending(&store, at(0))).await.unwrap();
    assert_eq!(states(&first), [(&*kid, KeyState::Signing)]);

    let next = SigningKey::generate_for(Algorithm::Es256).unwrap();
    let imported = node.import(tending(&store, at(5)), &next, None).await.unwrap();
    assert_eq!(states(&imported)[1], (next.kid(), KeyState::Prepublished));
    assert_eq!(imported.list[1].signs_from, at(5 + DAY));
    let again = node.import(tending(&store, at(9)), &next, Some(at(9))).await.unwrap();
    assert_eq!((again.list, again.version), (imported.list, imported.version), "repeating it changes nothing");

    let now = SigningKey::generate_for(Algorithm::Hs256).unwrap();
    let imported = node.import(tending(&store, at(10)), &now, Some(at(1))).await.unwrap();
    assert_eq!(states(&imported)[0], (&*kid, KeyState::Retiring));
    assert_eq!(states(&imported)[1], (now.kid(), KeyState::Signing));
    assert_eq!(imported.list[1].signs_from, at(10), "nobody takes over in the past");
    assert_eq!(imported.keys.jwks().keys.len(), 2, "a secret is never published");
    works(&first, &imported);

    let past = SigningKey::generate().unwrap();
    let imported = node.import(tending(&store, at(11)), &past, Some(Timestamp::MIN)).await.unwrap();
    assert_eq!(states(&imported)[0], (past.kid(), KeyState::Retiring));
    assert!(
        imported.list[0].verifies_until.unwrap() >= at(11 + 900),
        "what it signed until now is accepted to its end"
    );

    // A new ring may begin with an import.
    let empty = MemoryStore::new();
    let only = ring().import(tending(&empty, at(0)), &past, None).await.unwrap();
    assert_eq!((states(&only), only.version), (vec![(past.kid(), KeyState::Signing)], 1));
}

#[tokio::test]
async fn the_key_encryption_key_changes() {
    let store = MemoryStore::new();
    let with = |keks| KeyRing::new(keks, Rotation::default()).unwrap();
    let old = with(KeyEncryptionKeys::new(kek(1)));
    let first = old.tend(tending(&store, at(0))).await.unwrap();
    let sealed_with = async |n| store.load_key_ring().await.unwrap().unwrap().document.contains(kek(n).id());
    assert!(sealed_with(1).await);

    // Without the key nothing works, and nothing is overwritten.
    let strange = with(KeyEncryptionKeys::new(kek(2)));
    let error = strange.tend(tending(&store, at(1))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    assert!(error.to_string().contains("key-encryption key"), "{error}");
    assert!(sealed_with(1).await);

    let ready = with(KeyEncryptionKeys::new(kek(1)).with_other(kek(2)));
    assert_eq!(ready.tend(tending(&store, at(2))).await.unwrap().version, 1, "knowing another one changes nothing");
    let both = with(KeyEncryptionKeys::new(kek(2)).with_other(kek(1)));
    let resealed = both.tend(tending(&store, at(3))).await.unwrap();
    assert_eq!((resealed.version, &resealed.list), (2, &first.list));
    assert!(sealed_with(2).await && !sealed_with(1).await);
    works(&first, &resealed);
    assert_eq!(both.tend(tending(&store, at(4))).await.unwrap().version, 2, "once is enough");

    let new = with(KeyEncryptionKeys::new(kek(2)));
    works(&new.tend(tending(&store, at(5))).await.unwrap(), &first);
    assert_eq!(old.tend(tending(&store, at(6))).await.unwrap_err().kind(), ErrorKind::Misuse);
}

#[tokio::test]
async fn a_ring_that_goes_back_is_noticed() {
    let (store, earlier) = (MemoryStore::new(), MemoryStore::new());
    let node = ring();
    node.tend(tending(&store, at(0))).await.unwrap();
    let first = store.load_key_ring().await.unwrap().unwrap();
    node.rotate(tending(&store, at(1))).await.unwrap();
    assert!(earlier.save_key_ring(0, &first.document).await.unwrap());
    for lost in [&earlier, &MemoryStore::new()] {
        assert_eq!(node.tend(tending(lost, at(2))).await.unwrap_err().kind(), ErrorKind::Data);
    }
    assert_eq!(node.tend(tending(&store, at(2))).await.unwrap().version, 2);
    // As far as the later one, but another one.
    ring().rotate(tending(&earlier, at(3))).await.unwrap();
    assert_eq!(node.tend(tending(&earlier, at(4))).await.unwrap_err().kind(), ErrorKind::Data);
    assert_eq!(ring().tend(tending(&earlier, at(4))).await.unwrap().version, 2, "who starts afterwards cannot know");
}

#[tokio::test]
async fn what_cannot_work_is_misuse() {
    let store = MemoryStore::new();
    let forever = Tending { accepted_for: Duration::MAX, ..tending(&store, at(0)) };
    assert_eq!(ring().tend(forever).await.unwrap_err().kind(), ErrorKind::Misuse);
    let rotation = Rotation { prepublish: Duration::ZERO, ..Rotation::default() };
    assert_eq!(KeyRing::new(KeyEncryptionKeys::new(kek(1)), rotation).unwrap_err().kind(), ErrorKind::Misuse);
    let node = ring();
    node.tend(tending(&store, at(0))).await.unwrap();
    for n in 1..document::MAX_KEYS / 2 {
        let time = at(4_000 * DAY + u64::try_from(n).unwrap());
        node.import(tending(&store, at(1)), &SigningKey::generate().unwrap(), Some(time)).await.unwrap();
    }
    let full = node.import(tending(&store, at(1)), &SigningKey::generate().unwrap(), None).await;
    assert_eq!(full.unwrap_err().kind(), ErrorKind::Misuse);
    let rotated = node.rotate(tending(&store, at(2))).await.unwrap();
    assert_eq!(rotated.list.len(), document::MAX_KEYS / 2 + 1, "there is always room to rotate");
}

#[tokio::test]
async fn nothing_secret_is_printed() {
    let store = MemoryStore::new();
    let key = SigningKey::from_secret(Algorithm::Hs256, b"an astonishing secret, 32 bytes.").unwrap();
    let node = ring().with_first_key(key);
    let tended = node.tend(tending(&store, at(0))).await.unwrap();
    let stored = store.load_key_ring().await.unwrap().unwrap();
    let printed = format!("{node:?} {tended:?} {stored:?}");
    for secret in ["astonishing", "97, 110, 32, 97", "YW4gYXN0b25pc2hpbmc", "616e2061", "[7, 7"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
