//! Nodes on one store in memory, with leases so long that without a hint everybody would notice.

use std::sync::Arc;
use std::time::Duration;

use signoff::relay::{Relay, RelayKey, RelayLink, RelaySettings, Relayed};
use signoff::store::{Hints, Store};
use signoff::time::{Clock, SystemClock};
use signoff::{Algorithm, Cause, KeySet, Login, MemoryStore, Rejection, Settings, SigningKey, Signoff, Subject};

pub(crate) const LEASE: Duration = Duration::from_secs(8);
/// What it takes without hints: up to `H/4` and an eighth, and the machine is busy.
pub(crate) const FLOOR: Duration = Duration::from_millis(3_000);
/// What it takes with them, on a busy machine: without, half of all logouts take more than three times as long.
pub(crate) const WOKEN: Duration = Duration::from_millis(300);

pub(crate) struct Fleet(MemoryStore);

impl Fleet {
    pub(crate) fn new() -> Self {
        Self::with(LEASE)
    }

    pub(crate) fn with(lease: Duration) -> Self {
        Self(MemoryStore::shared(lease))
    }

    /// A relay on the store.
    pub(crate) async fn relay(&self, hints: Arc<dyn Hints>) -> Relay {
        let mut settings = RelaySettings::default();
        settings.hints = Some(hints);
        Relay::open(self.0.another(), key(), settings).await.unwrap()
    }

    /// A node that asks relays.
    pub(crate) async fn join_behind(&self, links: Vec<Arc<dyn RelayLink>>, hints: Arc<dyn Hints>) -> Signoff {
        open(Relayed::new(self.0.another(), key(), links).unwrap(), hints).await
    }

    pub(crate) async fn join(&self, hints: Arc<dyn Hints>) -> Signoff {
        open(self.0.another(), hints).await
    }
}

async fn open(store: impl Store, hints: Arc<dyn Hints>) -> Signoff {
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.hints = Some(hints);
    let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap());
    Signoff::open(store, keys, settings).await.unwrap()
}

fn key() -> RelayKey {
    RelayKey::new(&[9; 32]).unwrap()
}

/// How long a logout on `a` took, of a session that `b` accepted until then, and refuses now.
pub(crate) async fn log_out(a: &Signoff, b: &Signoff) -> Duration {
    let token = a.log_in(Login::new(Subject::new("alice").unwrap())).await.unwrap().token;
    assert!(b.verify(token.expose()).is_ok());
    let clock = SystemClock::new();
    let began = clock.elapsed();
    let _ = a.log_out(&[token.expose()], Cause::logout()).await.unwrap();
    let took = clock.elapsed() - began;
    assert_eq!(b.verify(token.expose()).unwrap_err(), Rejection::Revoked);
    took
}

/// The median of so many logouts, by turns on both.
pub(crate) async fn median(a: &Signoff, b: &Signoff, logouts: usize) -> Duration {
    let mut taken = Vec::new();
    for n in 0..logouts {
        taken.push(if n % 2 == 0 { log_out(a, b).await } else { log_out(b, a).await });
    }
    taken.sort_unstable();
    taken[logouts / 2]
}

/// The hints work: at the latest after a while, because somebody may be busy connecting.
pub(crate) async fn are_woken(what: &str, a: &Signoff, b: &Signoff) {
    let mut taken = Vec::new();
    for _ in 0..4 {
        let median = median(a, b, 20).await;
        if median < WOKEN {
            return;
        }
        taken.push(median);
    }
    panic!("{what}: hints do not wake: {taken:?}");
}

pub(crate) fn cycles(node: &Signoff) -> u64 {
    node.node_metrics().unwrap().renewals
}
