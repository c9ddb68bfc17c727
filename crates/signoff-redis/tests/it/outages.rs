//! Redis stops during logouts: an error, dead tokens, and an end when it is back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::Commands;
use signoff::audit::AuditKind;
use signoff::elsewhere::Trouble;
use signoff::{
    Algorithm, Cause, Denied, Destroyers, ErrorKind, Issued, KeySet, Login, MemoryStore, Settings, SigningKey, Signoff,
    Store, Subject,
};
use signoff_redis::RedisSessions;
use signoff_test_servers::Redis;

use crate::sessions::connect;

fn alice() -> Subject {
    Subject::new("alice").unwrap()
}

async fn open(store: impl Store, server: &Redis) -> Signoff {
    let redis = RedisSessions::open(&server.url()).unwrap().prefix("sess:").within(Duration::from_millis(200));
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.destroyers = Destroyers::new()
        .with("redis", redis)
        .unwrap()
        .sweep_every(Duration::from_millis(50))
        .retry(Duration::from_millis(20), Duration::from_millis(200));
    let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap());
    Signoff::open(store, keys, settings).await.unwrap()
}

async fn log_in(signoff: &Signoff, server: &Redis, key: &str) -> Issued {
    let mut redis = connect(server);
    let _: () = redis.set(format!("sess:{key}"), "theirs").unwrap();
    // So that it is there again after a crash.
    let _: () = redis::cmd("SAVE").query(&mut redis).unwrap();
    signoff.log_in(Login::new(alice()).elsewhere("redis", key)).await.unwrap()
}

fn unavailable(denied: Denied) -> signoff::Error {
    let Denied::Failed(error) = denied else { panic!("{denied:?}") };
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    error
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..4_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what}: it does not come to that");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_down_during_a_logout() {
    let server = Redis::start().unwrap();
    let signoff = open(MemoryStore::new(), &server).await;
    let (one, two) = (log_in(&signoff, &server, "one").await, log_in(&signoff, &server, "two").await);
    let _ = signoff.log_out(&[one.token.expose()], Cause::logout()).await.unwrap();
    let left: Vec<String> = connect(&server).keys("*").unwrap();
    assert_eq!(left, ["sess:two"]);

    server.crash().unwrap();
    let error = unavailable(signoff.log_out(&[two.token.expose()], Cause::logout()).await.unwrap_err());
    assert!(std::error::Error::source(&error).is_some(), "the operator can see why");
    assert!(signoff.verify(two.token.expose()).is_err(), "no token of ours waits for Redis");
    let _ = unavailable(signoff.log_out(&[two.token.expose()], Cause::logout()).await.unwrap_err());
    let listed = signoff.unfinished_logouts().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].subject, listed[0].trouble), (&alice(), Some(Trouble::Failed)));
    assert!(listed[0].attempts >= 2);

    server.start_again().unwrap();
    let mut receipt = None;
    until("a retry", async || {
        receipt = signoff.log_out(&[two.token.expose()], Cause::logout()).await.ok();
        receipt.is_some()
    })
    .await;
    assert!(receipt.unwrap().body().contains("destroyed"));
    let left: Vec<String> = connect(&server).keys("*").unwrap();
    // What was deleted after Redis had saved is back after its crash: a receipt is as good as the other store.
    assert_eq!(left, ["sess:one"]);
    assert!(signoff.unfinished_logouts().await.unwrap().is_empty());
    let trail = signoff.audit_trail(&alice()).await.unwrap();
    let count = |kind| trail.iter().filter(|event| event.kind == kind).count();
    assert_eq!((count(AuditKind::ElsewhereDestroyed), count(AuditKind::ElsewhereDelayed)), (2, 1));
    signoff.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_comes_back_and_nobody_retries() {
    let server = Redis::start().unwrap();
    let store = Arc::new(MemoryStore::new());
    let signoff = open(Arc::clone(&store), &server).await;
    let issued = log_in(&signoff, &server, "one").await;
    server.crash().unwrap();
    let _ = unavailable(signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap_err());
    server.start_again().unwrap();
    until("the sweeper", async || signoff.unfinished_logouts().await.unwrap().is_empty()).await;
    let left: bool = connect(&server).exists("sess:one").unwrap();
    assert!(!left);

    // Once more, and this node is gone as well: the next one finishes it.
    let issued = log_in(&signoff, &server, "two").await;
    server.crash().unwrap();
    let _ = unavailable(signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap_err());
    signoff.close().await;
    server.start_again().unwrap();
    let signoff = open(store, &server).await;
    until("the sweeper of the next node", async || signoff.unfinished_logouts().await.unwrap().is_empty()).await;
    let left: bool = connect(&server).exists("sess:two").unwrap();
    assert!(!left);
    assert!(signoff.verify(issued.token.expose()).is_err());
    signoff.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_killed_while_many_log_out() {
    const SESSIONS: usize = 60;
    let server = Redis::start().unwrap();
    let signoff = open(MemoryStore::new(), &server).await;
    let mut tokens = Vec::new();
    for n in 0..SESSIONS {
        tokens.push(log_in(&signoff, &server, &n.to_string()).await.token.expose().to_owned());
    }
    let answered = Arc::new(AtomicUsize::new(0));
    let logouts: Vec<_> = tokens
        .iter()
        .enumerate()
        .map(|(n, token)| {
            let (signoff, token, answered) = (signoff.clone(), token.clone(), Arc::clone(&answered));
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(3 * n as u64)).await;
                let told = signoff.log_out(&[&token], Cause::logout()).await.is_ok();
                answered.fetch_add(1, Ordering::SeqCst);
                told
            })
        })
        .collect();
    until("some answers", async || answered.load(Ordering::SeqCst) >= 10).await;
    tokio::task::block_in_place(|| server.crash()).unwrap();
    let mut told = Vec::new();
    for logout in logouts {
        told.push(logout.await.unwrap());
    }
    assert!(told.contains(&true) && told.contains(&false), "the crash came too early or too late to mean anything");
    for token in &tokens {
        assert!(signoff.verify(token).is_err());
    }
    let unfinished = signoff.unfinished_logouts().await.unwrap().len();
    assert_eq!(unfinished, told.iter().filter(|told| !**told).count(), "who was told nothing is not forgotten");
    tokio::task::block_in_place(|| server.start_again()).unwrap();
    for token in &tokens {
        until("a retry", async || signoff.log_out(&[token], Cause::logout()).await.is_ok()).await;
    }
    assert!(signoff.unfinished_logouts().await.unwrap().is_empty());
    signoff.close().await;
}
