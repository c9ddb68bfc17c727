//! What accepting a token allocates: nothing. A program of its own, because it counts what is allocated.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use allocation_counter::measure;
use signoff::{Algorithm, Delivery, KeySet, Login, MemoryStore, Settings, SigningKey, Signoff, Subject};

/// Longer than most: an address as subject, a client, and some scopes.
const SUBJECT: &str = "auth|8f14e45f-ceea-467f-a8f1-1c2d3e4f5a6b@customers.bank.example";
const SCOPE: &str = "accounts.read accounts.write transfers.create statements.read";

async fn open(delivery: Delivery, key: SigningKey, signature_memory: usize) -> Signoff {
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.delivery = delivery;
    settings.signature_memory = signature_memory;
    Signoff::open(MemoryStore::new(), KeySet::new(key), settings).await.unwrap()
}

/// The most that one of many acceptances allocated, after a first one that lets the thread set up what it keeps.
async fn most(signoff: &Signoff, login: Login) -> u64 {
    let issued = signoff.log_in(login).await.unwrap();
    let token = issued.token.expose();
    let _ = signoff.authenticate(token).await.unwrap();
    let counted = (0..1_000).map(|_| measure(|| assert!(signoff.verify(token).is_ok())).count_total);
    counted.max().unwrap()
}

fn login() -> Login {
    Login::new(Subject::new(SUBJECT).unwrap()).scope(SCOPE)
}

#[tokio::test]
async fn accepting_a_token_allocates_nothing() {
    use Algorithm::{EdDsa, Es256, Es384, Hs256, Hs384, Hs512};
    for algorithm in [EdDsa, Es256, Es384, Hs256, Hs384, Hs512] {
        let key = || SigningKey::generate_for(algorithm).unwrap();
        for (memory, presentation) in [(0, "the first time"), (1 << 20, "again")] {
            let signoff = open(Delivery::Jwt, key(), memory).await;
            assert_eq!(most(&signoff, login()).await, 0, "{algorithm:?}, {presentation}");
        }
    }
    let signoff = open(Delivery::Opaque, SigningKey::generate().unwrap(), 0).await;
    assert_eq!(most(&signoff, login()).await, 0, "opaque");
}

#[tokio::test]
async fn plain_claims_of_the_application_allocate_nothing_either() {
    let own = serde_json::json!({"role": "teller", "level": 3, "branch": "Bern"});
    let signoff = open(Delivery::Jwt, SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap(), 0).await;
    assert_eq!(most(&signoff, login().claims(&own).unwrap()).await, 0);
}

#[tokio::test]
async fn the_count_counts() {
    let own = serde_json::json!({"nested": {"a": [1, 2]}});
    let signoff = open(Delivery::Jwt, SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap(), 0).await;
    assert!(most(&signoff, login().claims(&own).unwrap()).await > 0, "nested claims are read by the general reader");
}
