//! Relays on real databases.

use std::sync::{Arc, Mutex};

use signoff::relay::{Relay, RelayKey, RelayLink, RelaySettings, Relayed};
use signoff::time::{Clock, SystemClock};
use signoff::{Algorithm, Cause, Error, ErrorKind, KeySet, Rejection, Settings, SigningKey, Signoff};

use crate::service::{Database, LEASE, log_in, until};

/// A relay in the same process, which can be gone.
#[derive(Debug, Default)]
struct Near(Mutex<Option<Relay>>);

#[async_trait::async_trait]
impl RelayLink for Near {
    async fn ask(&self, message: Vec<u8>) -> Result<Vec<u8>, Error> {
        let relay = self.0.lock().unwrap().clone();
        let gone = || Error::new(ErrorKind::Unavailable, "it is gone");
        relay.ok_or_else(gone)?.answer(&message).await.ok_or_else(gone)
    }
}

fn key() -> RelayKey {
    RelayKey::new(&[9; 32]).unwrap()
}

async fn relay(database: &Database) -> Arc<Near> {
    let mut settings = RelaySettings::default();
    settings.name = "relay".to_owned();
    let relay = Relay::open(database.share().await.unwrap(), key(), settings).await.unwrap();
    Arc::new(Near(Mutex::new(Some(relay))))
}

async fn node(database: &Database, links: &[&Arc<Near>]) -> Signoff {
    let links = links.iter().map(|link| Arc::clone(link) as Arc<dyn RelayLink>).collect();
    let store = Relayed::new(database.share().await.unwrap(), key(), links).unwrap();
    let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap());
    Signoff::open(store, keys, Settings::new("https://bank.example", "https://bank.example/api")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_logged_out_behind_one_relay_is_dead_behind_the_other() {
    for database in Database::each() {
        let (one, two) = (relay(&database).await, relay(&database).await);
        let a = node(&database, &[&one, &two]).await;
        let b = node(&database, &[&one, &two]).await;
        let c = node(&database, &[&two]).await;
        let direct = {
            let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap());
            let settings = Settings::new("https://bank.example", "https://bank.example/api");
            Signoff::open(database.share().await.unwrap(), keys, settings).await.unwrap()
        };
        let nodes = [&a, &b, &c, &direct];
        for n in 0..24 {
            let token = log_in(nodes[n % 4]).await;
            for node in nodes {
                until("good", async || node.verify(&token).is_ok()).await;
            }
            let out = nodes[(n + 1) % 4];
            until("out", async || out.log_out(&[&token], Cause::logout()).await.is_ok()).await;
            for node in nodes {
                assert!(node.verify(&token).is_err(), "{database:?}");
            }
        }
        // Two rows of relays, and that of the node which asks for itself.
        assert_eq!(direct.nodes().await.unwrap().len(), 3, "{database:?}");
        assert_eq!(a.nodes().await.unwrap().len(), 4, "instead of its relay's row, those of the nodes behind it");

        // A relay that is gone is left for the next; who knows no other refuses.
        let (token, other) = (log_in(&direct).await, log_in(&direct).await);
        drop(one.0.lock().unwrap().take());
        until("moved", async || a.node_metrics().unwrap().joined == 2 && b.node_metrics().unwrap().joined == 2).await;
        until("good", async || nodes.iter().all(|node| node.verify(&token).is_ok())).await;
        until("out", async || a.log_out(&[&token], Cause::logout()).await.is_ok()).await;
        for node in nodes {
            assert_eq!(node.verify(&token).unwrap_err(), Rejection::Revoked, "{database:?}");
        }
        drop(two.0.lock().unwrap().take());
        until("stale", async || [&a, &b, &c].iter().all(|node| node.verify(&other).err() == Some(Rejection::Stale)))
            .await;
        until("good", async || direct.verify(&other).is_ok()).await;
        // Their rows are waited for once.
        until("out", async || direct.log_out(&[&other], Cause::logout()).await.is_ok()).await;
        until("expelled", async || direct.nodes().await.is_ok_and(|nodes| nodes.len() == 1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_without_nodes_holds_nobody_up_and_leaves_when_it_is_closed() {
    for database in Database::each() {
        let one = relay(&database).await;
        let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap());
        let settings = Settings::new("https://bank.example", "https://bank.example/api");
        let direct = Signoff::open(database.share().await.unwrap(), keys, settings).await.unwrap();
        until("there", async || direct.nodes().await.is_ok_and(|nodes| nodes.len() == 2)).await;
        let mut quick = 0;
        for _ in 0..10 {
            let (token, clock) = (log_in(&direct).await, SystemClock::new());
            let began = clock.elapsed();
            until("out", async || direct.log_out(&[&token], Cause::logout()).await.is_ok()).await;
            quick += usize::from(clock.elapsed() - began < LEASE / 4);
        }
        assert!(quick >= 5, "{database:?}: hints do not wake it: {quick} of 10");
        let relay = one.0.lock().unwrap().take().unwrap();
        relay.close().await;
        until("gone", async || direct.nodes().await.is_ok_and(|nodes| nodes.len() == 1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_shared_store_has_relays() {
    for database in Database::each() {
        let refused = Relay::open(database.open().await.unwrap(), key(), RelaySettings::default()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Misuse);
    }
    for database in Database::each() {
        let refused = Relayed::new(database.share().await.unwrap(), key(), Vec::new()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Misuse);
    }
}
