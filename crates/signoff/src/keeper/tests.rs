//! What is remembered of tokens goes with their key, and only then.

use super::*;
use crate::{Cause, KeyEncryptionKey, KeyEncryptionKeys, Login, MemoryStore, Reason, Rotation, Settings, Signoff};

async fn open(keys: impl Into<Keys>) -> (Signoff, String) {
    let settings = Settings::new("https://bank.example", "https://bank.example/api");
    let signoff = Signoff::open(MemoryStore::new(), keys, settings).await.unwrap();
    let issued = signoff.log_in(Login::new(crate::Subject::new("alice").unwrap())).await.unwrap();
    let token = issued.token.expose().to_owned();
    assert!(signoff.verify(&token).is_ok());
    assert!(is_remembered(&signoff, &token));
    (signoff, token)
}

fn is_remembered(signoff: &Signoff, token: &str) -> bool {
    signoff.signatures().find(token, &**signoff.keys()).is_some()
}

fn ring() -> KeyRing {
    KeyRing::new(KeyEncryptionKeys::new(KeyEncryptionKey::new([7; 32])), Rotation::default()).unwrap()
}

#[tokio::test]
async fn reading_the_ring_again_forgets_nothing() {
    let (signoff, token) = open(ring()).await;
    signoff.tend_keys().await.unwrap();
    signoff.rotate_keys(Actor::System).await.unwrap();
    assert!(is_remembered(&signoff, &token));
}

#[tokio::test]
async fn a_key_that_is_gone_takes_its_tokens_along() {
    let (signoff, token) = open(ring()).await;
    let kid = signoff.keys().signing().kid().to_owned();
    signoff.remove_key(&kid, Actor::System).await.unwrap();
    assert!(!is_remembered(&signoff, &token));
    assert_eq!(signoff.signatures().len(), 0, "and its memory is free");
}

#[tokio::test]
async fn a_revoked_key_takes_its_tokens_along() {
    for keys in [Keys::from(ring()), Keys::from(KeySet::new(SigningKey::generate().unwrap()))] {
        let (signoff, _) = open(keys).await;
        let kid = signoff.keys().signing().kid().to_owned();
        let cause = Cause::new(Actor::System, Reason::Compromised);
        let _ = signoff.revoke(Scope::Key(&kid), cause).await.unwrap();
        assert_eq!(signoff.signatures().len(), 0);
    }
}

#[tokio::test]
async fn secrets_are_not_remembered() {
    let key = SigningKey::from_secret(crate::Algorithm::Hs256, &[7; 32]).unwrap();
    let settings = Settings::new("https://bank.example", "https://bank.example/api");
    let signoff = Signoff::open(MemoryStore::new(), KeySet::new(key), settings).await.unwrap();
    let issued = signoff.log_in(Login::new(crate::Subject::new("alice").unwrap())).await.unwrap();
    assert!(signoff.verify(issued.token.expose()).is_ok());
    assert_eq!(signoff.signatures().len(), 0);
}

#[tokio::test]
async fn a_token_is_remembered_with_all_of_its_bytes() {
    let (signoff, token) = open(KeySet::new(SigningKey::generate().unwrap())).await;
    // The same end of the signature, so the same place in the cache, and another token.
    for at in [0, 20, token.len() / 2, token.rfind('.').unwrap() + 3] {
        let mut other = token.clone().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).unwrap();
        assert!(!is_remembered(&signoff, &other), "character {at}");
        assert!(signoff.verify(&other).is_err(), "character {at}");
    }
    assert!(is_remembered(&signoff, &token));
}
