//! What the tests have in common: a service with a clock that stands still.

use std::sync::Arc;
use std::time::Duration;

use signoff::test_util::ManualClock;
use signoff::time::Timestamp;
use signoff::{Algorithm, Delivery, Issued, KeySet, Login, MemoryStore, Settings, SigningKey, Signoff, Store, Subject};

pub(crate) const BOTH: [Delivery; 2] = [Delivery::Jwt, Delivery::Opaque];

/// A service, its clock, and the names that tests use.
pub(crate) struct Bank {
    pub(crate) signoff: Signoff,
    pub(crate) clock: ManualClock,
}

pub(crate) fn start() -> Timestamp {
    Timestamp::from_secs(1_800_000_000).unwrap()
}

pub(crate) fn settings(delivery: Delivery) -> Settings {
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.delivery = delivery;
    settings
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The same key in every test, so that a service can be opened again.
pub(crate) fn key() -> SigningKey {
    SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap()
}

/// Tells jsonwebtoken what to compute with: a build of the whole workspace has several backends of it, and then it
/// chooses none. Must come before its first use in a test that verifies or signs with it.
pub(crate) fn second_opinion() {
    // Fails when another test of this process was first.
    let _ = jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER.install_default();
}

pub(crate) fn subject(name: &str) -> Subject {
    Subject::new(name).unwrap()
}

impl Bank {
    pub(crate) async fn open(delivery: Delivery) -> Self {
        Self::open_on(MemoryStore::new(), settings(delivery)).await
    }

    pub(crate) async fn open_on(store: impl Store, settings: Settings) -> Self {
        let clock = ManualClock::new(start());
        let keys = KeySet::new(key());
        let signoff = Signoff::open_with_clock(store, keys, settings, Arc::new(clock.clone())).await.unwrap();
        Self { signoff, clock }
    }

    pub(crate) async fn log_in(&self, name: &str) -> Issued {
        self.signoff.log_in(Login::new(subject(name))).await.unwrap()
    }

    /// Whether a token opens anything, by way of the store if need be.
    pub(crate) async fn accepts(&self, token: &str) -> bool {
        self.signoff.authenticate(token).await.is_ok()
    }
}
