//! A standby takes over in the middle of logouts: what was confirmed holds there, and the rest completes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use signoff::{Algorithm, Cause, Delivery, ErrorKind, KeySet, Rejection, Settings, SigningKey, Signoff};
use signoff_test_servers::{Postgres, Proxy};

use crate::service::{BOTH, Database, accepts, alice, log_in, serve, until};

const SESSIONS: usize = 120;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_standby_knows_every_confirmed_logout() {
    let primary = Postgres::start(&[]).unwrap();
    let url = primary.database().unwrap();
    let standby = tokio::task::block_in_place(|| primary.standby()).unwrap();
    for delivery in BOTH {
        let database = Database::Postgres(url.clone());
        let signoff = serve(database.open().await.unwrap(), delivery).await.unwrap();
        // On the standby everything is there to be read, and nothing can be written.
        let there = Database::Postgres(standby.url_here(&url));
        let refused = there.join().await.map(|_| ()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused:?}");
        let token = log_in(&signoff).await;
        let _ = signoff.log_out(&[&token], Cause::logout()).await.unwrap();
        signoff.close().await;
    }

    let delivery = BOTH[0];
    let signoff = serve(Database::Postgres(url.clone()).open().await.unwrap(), delivery).await.unwrap();
    let mut tokens = Vec::new();
    for _ in 0..SESSIONS {
        tokens.push(log_in(&signoff).await);
    }
    let answered = Arc::new(AtomicUsize::new(0));
    let logouts: Vec<_> = tokens
        .iter()
        .enumerate()
        .map(|(n, token)| {
            let (signoff, token, answered) = (signoff.clone(), token.clone(), Arc::clone(&answered));
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(2 * n as u64)).await;
                let told = signoff.log_out(&[&token], Cause::logout()).await.is_ok();
                answered.fetch_add(usize::from(told), Ordering::SeqCst);
                told
            })
        })
        .collect();
    while answered.load(Ordering::SeqCst) < 30 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::task::block_in_place(|| primary.crash().and_then(|()| standby.promote())).unwrap();
    let mut told = Vec::new();
    for logout in logouts {
        told.push(logout.await.unwrap());
    }
    signoff.close().await;
    assert!(told.contains(&true) && told.contains(&false), "the crash came too early or too late to mean anything");

    let there = Database::Postgres(standby.url_here(&url));
    let signoff = serve(there.open().await.unwrap(), delivery).await.unwrap();
    let mut alive = 0;
    for (token, told) in tokens.iter().zip(&told) {
        let accepted = accepts(&signoff, token).await;
        assert!(!(accepted && *told), "a confirmed logout is unknown to the standby");
        alive += usize::from(accepted);
    }
    assert_eq!(alive, signoff.sessions(&alice(), None).await.unwrap().len(), "half dead");
    for token in &tokens {
        let _ = signoff.log_out(&[token], Cause::logout()).await.unwrap();
        assert!(!accepts(&signoff, token).await, "a retry completes");
    }
    signoff.close().await;
}

/// Two nodes, each by a line that can be led to another server.
async fn two_nodes(primary: &Postgres, url: &str) -> Vec<(Signoff, Proxy)> {
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let line = primary.line().unwrap();
        let database = Database::Postgres(primary.url_by(&line, url));
        // On a busy machine a standby takes its time to confirm, and a node its own to join.
        let node = loop {
            if let Ok(node) = serve(database.share().await.unwrap(), Delivery::Jwt).await {
                break node;
            }
        };
        nodes.push((node, line));
    }
    nodes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_go_on_at_a_standby_that_has_every_commit() {
    let primary = Postgres::start(&[]).unwrap();
    let url = primary.database().unwrap();
    let standby = tokio::task::block_in_place(|| primary.standby()).unwrap();
    let nodes = two_nodes(&primary, &url).await;
    let (a, b) = (&nodes[0].0, &nodes[1].0);
    let (dead, alive) = (log_in(a).await, log_in(a).await);
    until("out", async || a.log_out(&[&dead], Cause::logout()).await.is_ok()).await;

    tokio::task::block_in_place(|| primary.crash()).unwrap();
    // They cannot know who is logged out on the other side of the break, and say so.
    until("stale", async || !a.may_answer() && !b.may_answer()).await;
    for node in [a, b] {
        assert_eq!(node.verify(&alive).unwrap_err(), Rejection::Stale);
        let failed = node.log_out(&[&alive], Cause::logout()).await.map(|_| ());
        assert!(failed.is_err(), "nobody is told that they are out");
    }
    tokio::task::block_in_place(|| standby.promote()).unwrap();
    nodes.iter().for_each(|(_, line)| standby.take_over(line));
    until("back", async || a.may_answer() && b.may_answer()).await;
    for node in [a, b] {
        assert_eq!(node.verify(&dead).unwrap_err(), Rejection::Revoked);
    }
    // A logout that failed may have been carried out by a server that then died; a retry completes it.
    until("out", async || b.log_out(&[&alive], Cause::logout()).await.is_ok()).await;
    assert_eq!(a.verify(&alive).unwrap_err(), Rejection::Revoked);
    assert!(a.verify(&log_in(b).await).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_distrust_a_standby_that_lacks_commits() {
    let primary = Postgres::start(&[]).unwrap();
    let url = primary.database().unwrap();
    let standby = tokio::task::block_in_place(|| primary.standby()).unwrap();
    let nodes = two_nodes(&primary, &url).await;
    let (a, b) = (&nodes[0].0, &nodes[1].0);
    let first = log_in(a).await;
    let _ = a.log_out(&[&first], Cause::logout()).await.unwrap();
    let (dead, alive) = (log_in(a).await, log_in(a).await);

    // From here on commits are confirmed that the standby does not have.
    let database = Database::Postgres(url.clone());
    database.execute("ALTER SYSTEM SET synchronous_standby_names = ''").await;
    database.execute("SELECT pg_reload_conf()").await;
    tokio::task::block_in_place(|| standby.crash()).unwrap();
    until("out", async || a.log_out(&[&dead], Cause::logout()).await.is_ok()).await;
    assert_eq!(b.verify(&dead).unwrap_err(), Rejection::Revoked);
    tokio::task::block_in_place(|| {
        primary.crash().and_then(|()| standby.start_again()).and_then(|()| standby.promote())
    })
    .unwrap();
    nodes.iter().for_each(|(_, line)| standby.take_over(line));

    // They know more than the store does: of the dead they say so, and of the others that they cannot know, for good.
    until("distrust", async || {
        let told = [a, b].map(|node| node.verify(&alive));
        assert!([a, b].iter().all(|node| node.verify(&dead).is_err()));
        told.iter().all(|told| matches!(told, Err(Rejection::Stale)))
    })
    .await;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!([a, b].iter().all(|node| node.verify(&alive).is_err() && node.verify(&dead).is_err()));
    }
    for (node, _) in nodes {
        node.close().await;
    }
    // Whoever runs it is told to do this.
    let there = Database::Postgres(standby.url_here(&url));
    let settings = Settings::new("https://bank.example", "https://bank.example/api");
    let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap());
    let node = Signoff::open_after_restore(there.share().await.unwrap(), keys, settings, &[], Cause::logout());
    let node = node.await.unwrap();
    assert!(node.verify(&dead).is_err() && node.verify(&alive).is_err(), "everybody is logged out");
    assert!(node.verify(&log_in(&node).await).is_ok());
}
