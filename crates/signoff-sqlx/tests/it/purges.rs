//! Purging on several nodes while others log out: no deadlock, nothing that lives or still kills.

use std::sync::Arc;

use signoff::store::{Purged, SessionKey};
use signoff::{Position, Store};

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
