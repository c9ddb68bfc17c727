//! A server that is killed in the middle of logouts and started again: what was confirmed is there, the rest completes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use signoff::{Cause, Delivery, Signoff};
use signoff_test_servers::{Failure, MariaDb, Postgres};

use crate::service::{Database, accepts, alice, log_in, serve};

const SESSIONS: usize = 120;

async fn killed(
    database: Database,
    crash: impl Fn() -> Result<(), Failure>,
    start_again: impl Fn() -> Result<(), Failure>,
) {
    for (round, delivery) in [(0, Delivery::Jwt), (1, Delivery::Opaque)] {
        let signoff = serve(database.open().await.unwrap(), delivery).await.unwrap();
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
                    tokio::time::sleep(Duration::from_millis(n as u64)).await;
                    let told = signoff.log_out(&[&token], Cause::logout()).await.is_ok();
                    answered.fetch_add(usize::from(told), Ordering::SeqCst);
                    told
                })
            })
            .collect();
        while answered.load(Ordering::SeqCst) < 20 + 20 * round {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mut before = 0;
        tokio::task::block_in_place(|| {
            crash()?;
            before = answered.load(Ordering::SeqCst);
            start_again()
        })
        .unwrap();
        let mut told = Vec::new();
        for logout in logouts {
            told.push(logout.await.unwrap());
        }
        // Of the others, those may be told whose outcome is found out: a server may be back within a second.
        assert!((1..SESSIONS).contains(&before), "the crash came too early or too late to mean anything");

        for (token, told) in tokens.iter().zip(&told) {
            assert!(!(*told && accepts(&signoff, token).await), "a confirmed logout was undone in memory");
        }
        // The same service goes on when the server is back.
        complete(&signoff, &tokens[..SESSIONS / 2]).await;
        signoff.close().await;

        let signoff = serve(database.open().await.unwrap(), delivery).await.unwrap();
        let listed = signoff.sessions(&alice(), None).await.unwrap().len();
        let mut alive = 0;
        for (n, (token, told)) in tokens.iter().zip(&told).enumerate() {
            let accepted = accepts(&signoff, token).await;
            assert!(!(accepted && (*told || n < SESSIONS / 2)), "logout {n} was confirmed and is undone");
            alive += usize::from(accepted);
        }
        assert_eq!(alive, listed, "half dead");
        complete(&signoff, &tokens).await;
        for token in &tokens {
            assert!(!accepts(&signoff, token).await);
        }
        signoff.close().await;
    }
}

/// Logs out until it is confirmed.
async fn complete(signoff: &Signoff, tokens: &[String]) {
    for token in tokens {
        let mut attempts = 0;
        while let Err(denied) = signoff.log_out(&[token], Cause::logout()).await {
            attempts += 1;
            assert!(attempts < 50, "{denied:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_killed() {
    let server = Postgres::start(&[]).unwrap();
    let database = Database::Postgres(server.database().unwrap());
    killed(database, || server.crash(), || server.start_again()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_is_killed() {
    let server = MariaDb::start(&[]).unwrap();
    let database = Database::MariaDb(server.database().unwrap());
    killed(database, || server.crash(), || server.start_again()).await;
}
