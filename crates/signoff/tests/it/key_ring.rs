//! A service whose keys are a ring in the store: they rotate, and a leaked one is gone everywhere at once.

use std::sync::Arc;
use std::time::Duration;

use signoff::audit::AuditKind;
use signoff::keyring::KeyState;
use signoff::test_util::{FailingStore, Fault, ManualClock};
use signoff::{
    Actor, Algorithm, Cause, Delivery, ErrorKind, Issued, KeyEncryptionKey, KeyEncryptionKeys, KeyRing, KeySet, Login,
    MemoryStore, Reason, Rejection, Rotation, Scope, SigningKey, Signoff, Store,
};

use crate::bank::{secs, settings, start, subject};

const DAY: u64 = 24 * 60 * 60;

fn ring() -> KeyRing {
    KeyRing::new(KeyEncryptionKeys::new(KeyEncryptionKey::new([7; 32])), Rotation::default()).unwrap()
}

async fn open(store: impl Store, clock: &ManualClock) -> Signoff {
    Signoff::open_with_clock(store, ring(), settings(Delivery::Jwt), Arc::new(clock.clone())).await.unwrap()
}

async fn log_in(signoff: &Signoff) -> Issued {
    signoff.log_in(Login::new(subject("alice"))).await.unwrap()
}

fn states(signoff: &Signoff) -> Vec<KeyState> {
    signoff.key_ring().unwrap().iter().map(|key| key.state).collect()
}

fn published(signoff: &Signoff) -> Vec<String> {
    signoff.jwks().keys.iter().filter_map(|key| key.common.key_id.clone()).collect()
}

fn kid(token: &Issued) -> String {
    jsonwebtoken::decode_header(token.token.expose()).unwrap().kid.unwrap()
}

fn leak() -> Cause {
    Cause::new(Actor::System, Reason::Compromised)
}

#[tokio::test]
async fn keys_are_published_before_they_sign_and_verify_after_they_did() {
    let clock = ManualClock::new(start());
    let signoff = open(MemoryStore::new(), &clock).await;
    assert_eq!(states(&signoff), [KeyState::Signing]);
    assert_eq!(signoff.jwks_max_age(), secs(3_600));
    let first = kid(&log_in(&signoff).await);

    clock.advance(secs(89 * DAY));
    signoff.tend_keys().await.unwrap();
    assert_eq!(states(&signoff), [KeyState::Signing, KeyState::Prepublished]);
    let before = log_in(&signoff).await;
    assert_eq!(kid(&before), first, "the new key is published, and does not sign yet");
    assert_eq!(published(&signoff).len(), 2);

    clock.advance(secs(DAY));
    signoff.tend_keys().await.unwrap();
    assert_eq!(states(&signoff), [KeyState::Retiring, KeyState::Signing]);
    let after = log_in(&signoff).await;
    assert_ne!(kid(&after), first);
    // The last token of the old key lives on as long as it says.
    clock.advance(secs(14 * 60));
    let last = log_in(&signoff).await;
    assert!([&after, &last].iter().all(|issued| signoff.verify(issued.token.expose()).is_ok()));
    assert_eq!(signoff.verify(before.token.expose()).unwrap_err(), Rejection::Expired);
    // Logging out with an expired token of the old key still works.
    assert_eq!(signoff.log_out(&[before.token.expose()], Cause::logout()).await.unwrap().destroyed(), 1);

    clock.advance(secs(2 * DAY));
    signoff.tend_keys().await.unwrap();
    assert_eq!(states(&signoff), [KeyState::Signing]);
    assert!(!published(&signoff).contains(&first));
    assert_eq!(signoff.verify(before.token.expose()).unwrap_err(), Rejection::UnknownKey);
}

#[tokio::test]
async fn a_leaked_key_is_gone_at_once() {
    let store = Arc::new(MemoryStore::new());
    let clock = ManualClock::new(start());
    let signoff = open(Arc::clone(&store), &clock).await;
    let issued = log_in(&signoff).await;
    let leaked = kid(&issued);
    assert!(signoff.verify(issued.token.expose()).is_ok());
    let _ = signoff.revoke(Scope::Key(&leaked), leak()).await.unwrap();

    let refused = signoff.verify(issued.token.expose()).unwrap_err();
    assert!(matches!(refused, Rejection::UnknownKey | Rejection::Revoked), "{refused:?}");
    assert!(!published(&signoff).contains(&leaked), "it is not published any more");
    let next = log_in(&signoff).await;
    assert_ne!(kid(&next), leaked);
    assert!(signoff.verify(next.token.expose()).is_ok());
    assert!(signoff.verify(issued.token.expose()).is_err());

    // Another opening of the store knows it too, whoever puts the key back.
    signoff.close().await;
    let signoff = open(Arc::clone(&store), &clock).await;
    assert!(!published(&signoff).contains(&leaked));
    assert!(signoff.verify(issued.token.expose()).is_err());
    assert_eq!(kid(&log_in(&signoff).await), kid(&next), "and signs with the key that took its place");
}

#[tokio::test]
async fn a_revoked_key_of_a_set_is_not_published_and_does_not_sign() {
    let keys = KeySet::new(SigningKey::generate().unwrap());
    let kid = keys.signing().kid().to_owned();
    let signoff = Signoff::open(MemoryStore::new(), keys, settings(Delivery::Jwt)).await.unwrap();
    let issued = log_in(&signoff).await;
    let _ = signoff.revoke(Scope::Key(&kid), leak()).await.unwrap();
    assert_eq!(signoff.verify(issued.token.expose()).unwrap_err(), Rejection::Revoked);
    assert_eq!(published(&signoff), [""; 0]);
    assert_eq!(signoff.log_in(Login::new(subject("bob"))).await.unwrap_err().kind(), ErrorKind::Misuse);
    assert_eq!(signoff.mint(&issued.session).unwrap_err().kind(), ErrorKind::Misuse);
    assert_eq!(signoff.tend_keys().await.unwrap_err().kind(), ErrorKind::Misuse, "there is no ring");
    assert_eq!(signoff.key_ring(), None);
    assert_eq!(signoff.jwks_max_age(), secs(300));
}

#[tokio::test]
async fn a_removed_key_takes_its_remembered_tokens_along() {
    let clock = ManualClock::new(start());
    let signoff = open(MemoryStore::new(), &clock).await;
    let issued = log_in(&signoff).await;
    let removed = kid(&issued);
    for _ in 0..2 {
        assert!(signoff.verify(issued.token.expose()).is_ok(), "the second time from memory");
    }
    signoff.remove_key(&removed, Actor::System).await.unwrap();
    assert_eq!(signoff.verify(issued.token.expose()).unwrap_err(), Rejection::UnknownKey);
    // And does not come back with a key of the same name that is another object.
    assert_ne!(kid(&log_in(&signoff).await), removed);
}

#[tokio::test]
async fn operators_rotate_and_import_and_it_is_recorded() {
    let clock = ManualClock::new(start());
    let signoff = open(MemoryStore::new(), &clock).await;
    let operator = Actor::Operator(subject("olga"));
    signoff.rotate_keys(operator.clone()).await.unwrap();
    signoff.rotate_keys(operator.clone()).await.unwrap();
    assert_eq!(states(&signoff), [KeyState::Signing, KeyState::Prepublished], "twice is once");

    let old = SigningKey::generate_for(Algorithm::Es256).unwrap();
    signoff.import_key(&old, Some(start().saturating_sub(secs(DAY))), operator).await.unwrap();
    assert!(published(&signoff).contains(&old.kid().to_owned()));
    assert_ne!(kid(&log_in(&signoff).await), old.kid(), "an older key only verifies");
    assert_eq!(AuditKind::from_word("key_added"), Some(AuditKind::KeyAdded));
    assert_eq!(AuditKind::from_word("key_dropped"), Some(AuditKind::KeyDropped));
}

#[tokio::test]
async fn a_service_that_had_a_set_keeps_its_key() {
    let key = SigningKey::generate_for(Algorithm::Es384).unwrap();
    let document = key.kid().to_owned();
    let clock = Arc::new(ManualClock::new(start()));
    let keys = ring().with_first_key(key);
    let signoff = Signoff::open_with_clock(MemoryStore::new(), keys, settings(Delivery::Jwt), clock).await.unwrap();
    assert_eq!(kid(&log_in(&signoff).await), document);
}

/// The task that looks after the ring, on the clocks of the machine: the store fails, heals, and the ring is read again.
#[tokio::test]
async fn the_ring_survives_a_store_that_is_away() {
    let store = FailingStore::new(MemoryStore::new());
    let switch = store.switch();
    let mut rotation = Rotation::default();
    rotation.refresh = Duration::from_secs(1);
    let keys = KeyEncryptionKeys::new(KeyEncryptionKey::new([7; 32]));
    let keys = KeyRing::new(keys, rotation).unwrap();
    let signoff = Signoff::open(store, keys, settings(Delivery::Jwt)).await.unwrap();
    let issued = log_in(&signoff).await;
    switch.fail(0, u64::MAX, Fault::Refuse);
    assert_eq!(signoff.tend_keys().await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(signoff.verify(issued.token.expose()).is_ok(), "the keys that it had are as good as before");
    let before = switch.calls();
    tokio::time::timeout(Duration::from_secs(20), async {
        while switch.calls() < before + 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("the task tries again by itself");
    switch.heal();
    signoff.tend_keys().await.unwrap();
    assert!(signoff.verify(issued.token.expose()).is_ok());
    signoff.close().await;
}
