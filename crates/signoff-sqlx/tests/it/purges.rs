//! Purging on several nodes while others log out: no deadlock, nothing that lives or still kills.

use std::sync::Arc;

use signoff::store::{Purged, SessionKey};
use signoff::{Position, SessionId, Store};
use signoff_sqlx::{PostgresStore, ServerOptions};

use crate::ordering::{at, create, end};
use crate::service::Database;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_purge_while_others_log_out() {
    const OVER: usize = 200;
    const LIVE: usize = 60;
    for database in Database::each() {
        let nodes: [Arc<dyn Store>; 3] = [
            Arc::from(database.join().await.unwrap()),
            Arc::from(database.join().await.unwrap()),
            Arc::from(database.join().await.unwrap()),
        ];
        let mut over = Vec::new();
        for n in 0..OVER {
            over.push(create(&*nodes[0], "alice", (n % 50) as i64).await);
        }
        // Half of them have entries, which end at 50 + 60 s at the latest.
        for ids in over[..OVER / 2].chunks(50) {
            nodes[0].sign_off(&[end(ids)], at(1)).await.unwrap();
        }
        let mut live = Vec::new();
        for _ in 0..LIVE {
            live.push(create(&*nodes[0], "bob", 9_000).await);
        }
        let purges = nodes[..2].iter().map(|node| {
            let node = Arc::clone(node);
            tokio::spawn(async move {
                let mut sum = Purged::default();
                for _ in 0..60 {
                    let purged = node.purge(at(200), 10).await.unwrap();
                    assert!(purged.sessions <= 10 && purged.revocations <= 10);
                    sum.sessions += purged.sessions;
                    sum.revocations += purged.revocations;
                }
                sum
            })
        });
        let purges: Vec<_> = purges.collect();
        // Logouts of the living, and late ones of those that are being purged.
        for (n, id) in live.iter().enumerate().take(LIVE / 2) {
            nodes[2].sign_off(&[end(&[*id, over[OVER - 1 - n]])], at(2)).await.unwrap();
        }
        let mut sum = Purged::default();
        for purge in purges {
            let purged = purge.await.unwrap();
            sum.sessions += purged.sessions;
            sum.revocations += purged.revocations;
        }
        assert_eq!(sum.sessions, OVER as u64, "each once");
        for (n, id) in live.iter().enumerate() {
            let found = nodes[1].load_session(SessionKey::Id(id), at(3)).await.unwrap();
            assert_eq!(found.is_some(), n >= LIVE / 2);
        }
        let log = nodes[1].log_after(Position::ZERO, 10_000).await.unwrap().page.entries;
        assert!(log.iter().all(|entry| entry.expires_at() > at(200)));
        assert_eq!(log.len(), LIVE / 2);
    }
}

/// What is lost of a purge is purged again; of all else that a connection of PostgreSQL confirms, nothing may be lost.
#[tokio::test]
async fn only_a_purge_does_not_wait_for_the_disk() {
    let [_, Database::Postgres(database)] = Database::each() else { unreachable!() };
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(&database).await.unwrap();
    let store = PostgresStore::with_pool(pool.clone(), &ServerOptions::new()).await.unwrap();
    create(&store, "alice", 0).await;
    assert_eq!(store.purge(at(200), 10).await.unwrap().sessions, 1);
    let setting = sqlx::query_scalar::<_, String>("SHOW synchronous_commit").fetch_one(&pool).await.unwrap();
    assert_eq!(setting, "on");
    store.close().await;
}

/// Numbers from a fixed seed: a store that fails does so again.
struct Draw(u64);

impl Draw {
    fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// Sessions and revocations of all ends, purged to random horizons by two nodes at once while others log in, log out and
/// refresh: never a deadlock, and exactly what ended at or before the largest horizon is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_horizons_take_what_is_over_and_nothing_else() {
    let rounds = if std::env::var_os("SIGNOFF_LONG").is_some() { 40 } else { 3 };
    for database in Database::each() {
        let nodes: [Arc<dyn Store>; 3] = [
            Arc::from(database.join().await.unwrap()),
            Arc::from(database.join().await.unwrap()),
            Arc::from(database.join().await.unwrap()),
        ];
        let mut draw = Draw(0x9e37_79b9_7f4a_7c15);
        let mut kept: Vec<(SessionId, i64)> = Vec::new();
        let mut logged: Vec<i64> = Vec::new();
        for round in 0..rounds {
            // Ends from second 100 on, and entries that outlive them by a minute.
            for n in 0..60 {
                let ends_at = 100 + draw.below(800) as i64;
                let id = create(&*nodes[0], "alice", ends_at).await;
                kept.push((id, ends_at));
                if n % 3 == 0 {
                    nodes[0].sign_off(&[end(&[id])], at(1)).await.unwrap();
                    logged.push(ends_at + 60);
                }
            }
            let horizons: Vec<i64> = (0..40).map(|_| 50 + draw.below(900) as i64).collect();
            let purges: Vec<_> = [0, 1]
                .map(|n| {
                    let (node, horizons) = (Arc::clone(&nodes[n]), horizons.clone());
                    tokio::spawn(async move {
                        for horizon in horizons.iter().skip(n * 20).take(20) {
                            node.purge(at(*horizon), 7).await.unwrap();
                        }
                    })
                })
                .into();
            // Logins, logouts, refreshes and saves in between.
            for n in 0..20_u64 {
                let ends_at = 2_000 + n as i64;
                let id = create(&*nodes[2], "bob", ends_at).await;
                kept.push((id, ends_at));
                if n % 2 == 0 {
                    // One that may be purged at this moment is found destroyed, gone or unknown: all are dead.
                    let victim = kept[draw.below(kept.len() as u64 - 1) as usize];
                    let signed_off = nodes[2].sign_off(&[end(&[id, victim.0])], at(2)).await.unwrap();
                    logged.extend(
                        signed_off
                            .page
                            .entries
                            .iter()
                            .map(|entry| (entry.expires_at().as_micros() - at(0).as_micros()) / 1_000_000),
                    );
                }
                if n < 5 {
                    crate::exchanges::refresh_once(&*nodes[2], (round * 5 + n as usize) as u8).await;
                }
            }
            for purge in purges {
                purge.await.unwrap();
            }
            let horizon = *horizons.iter().max().unwrap();
            loop {
                let purged = nodes[round % 2].purge(at(horizon), 50).await.unwrap();
                if purged == Purged::default() {
                    break;
                }
            }
            kept.retain(|(_, end)| *end > horizon);
            logged.retain(|end| *end > horizon);
            // What is left is found gone or destroys now, never unknown; entries are exactly those that still kill.
            let log = nodes[1].log_after(Position::ZERO, 100_000).await.unwrap().page.entries;
            let mut found: Vec<_> =
                log.iter().map(|entry| (entry.expires_at().as_micros() - at(0).as_micros()) / 1_000_000).collect();
            found.sort_unstable();
            logged.sort_unstable();
            assert_eq!(found, logged, "{database:?}, round {round}, horizon {horizon}");
        }
        for ids in kept.chunks(50) {
            let ids: Vec<_> = ids.iter().map(|(id, _)| *id).collect();
            let outcome = nodes[0].sign_off(&[end(&ids)], at(3)).await.unwrap().outcomes[0];
            assert_eq!(outcome.unknown, 0, "{database:?}: a session was purged before its end");
        }
    }
}
