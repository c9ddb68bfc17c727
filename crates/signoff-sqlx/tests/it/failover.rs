//! A standby takes over in the middle of logouts: what was confirmed holds there, and the rest completes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use signoff::{Cause, ErrorKind};
use signoff_test_servers::Postgres;

use crate::service::{BOTH, Database, accepts, alice, log_in, serve};

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
