//! Nodes of one MariaDB database that ask relays by Redis. (What both brokers must do is tested in signoff-nats.)

use std::sync::Arc;
use std::time::Duration;

use signoff::relay::{Relay, RelayKey, RelayLink, RelaySettings, Relayed};
use signoff::store::{Hints, Store};
use signoff::time::{Clock, SystemClock};
use signoff::{Algorithm, Cause, KeySet, Login, Rejection, Settings, SigningKey, Signoff, Subject};
use signoff_redis::{RedisHints, RedisLink, RedisRelay};
use signoff_sqlx::{MySqlStore, ServerOptions};
use signoff_test_servers::{MariaDb, Redis};

const LEASE: Duration = Duration::from_secs(8);

async fn share(url: &str) -> MySqlStore {
    MySqlStore::open_with(url, &ServerOptions::new().shared(LEASE)).await.unwrap()
}

fn key() -> RelayKey {
    RelayKey::new(&[9; 32]).unwrap()
}

fn hints(redis: &Redis) -> Arc<dyn Hints> {
    Arc::new(RedisHints::open(&redis.url(), "bank").unwrap())
}

async fn join(store: impl Store, redis: &Redis) -> Signoff {
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.hints = Some(hints(redis));
    let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap());
    Signoff::open(store, keys, settings).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_behind_a_relay_have_one_row_in_the_database() {
    let (server, redis) = (MariaDb::shared().unwrap(), Redis::start().unwrap());
    let url = server.database().unwrap();
    let mut settings = RelaySettings::default();
    settings.hints = Some(hints(&redis));
    let relay = Relay::open(share(&url).await, key(), settings).await.unwrap();
    let served = RedisRelay::open(relay, &redis.url(), "bank.relay").unwrap();
    served.ready().await;
    let link: Arc<dyn RelayLink> = Arc::new(RedisLink::open(&redis.url(), "bank.relay").unwrap());
    let mut nodes = vec![join(share(&url).await, &redis).await];
    for _ in 0..2 {
        let behind = Relayed::new(share(&url).await, key(), vec![Arc::clone(&link)]).unwrap();
        nodes.push(join(behind, &redis).await);
    }
    assert_eq!(
        (served.relay().nodes(), nodes[0].nodes().await.unwrap().len()),
        (2, 2),
        "the relay's and one of its own"
    );

    let (clock, mut taken) = (SystemClock::new(), Vec::new());
    for n in 0..20 {
        let token = nodes[n % 3].log_in(Login::new(Subject::new("alice").unwrap())).await.unwrap().token;
        assert!(nodes.iter().all(|node| node.verify(token.expose()).is_ok()));
        let began = clock.elapsed();
        let _ = nodes[(n + 1) % 3].log_out(&[token.expose()], Cause::logout()).await.unwrap();
        taken.push(clock.elapsed() - began);
        for node in &nodes {
            assert_eq!(node.verify(token.expose()).unwrap_err(), Rejection::Revoked);
        }
    }
    taken.sort_unstable();
    assert!(taken[10] < LEASE / 4 / 4, "hints do not wake the relay: {taken:?}");
    for node in nodes {
        node.close().await;
    }
    assert_eq!(served.relay().nodes(), 0, "they have left");
    assert!(!format!("{served:?} {link:?}").contains("redis://"));
    served.close().await;
}
