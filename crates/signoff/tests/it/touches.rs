//! Noting that sessions are used: how often it is written down, and who waits for it.

use std::sync::Arc;
use std::time::Duration;

use signoff::test_util::{FailingStore, Fault};
use signoff::{Context, Delivery, ErrorKind, Live, Login, MemoryStore};
use tokio::time::Instant;

use crate::bank::{Bank, secs, settings, subject};

async fn live(bank: &Bank, name: &str) -> Arc<Live> {
    let issued = bank.signoff.log_in(Login::new(subject(name))).await.unwrap();
    Arc::new(bank.signoff.authenticate(issued.token.expose()).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_touches_share_few_transactions() {
    let store = FailingStore::new(MemoryStore::new());
    let switch = store.switch();
    let bank = Bank::open_on(store, settings(Delivery::Opaque)).await;
    let mut sessions = Vec::new();
    for n in 0..200 {
        sessions.push(live(&bank, &format!("person {n}")).await);
    }
    let before = switch.calls();
    let touches: Vec<_> = (0..2_000)
        .map(|n| {
            let (signoff, live) = (bank.signoff.clone(), Arc::clone(&sessions[n % 200]));
            tokio::spawn(async move { signoff.touch(&live).await.unwrap() })
        })
        .collect();
    for touch in touches {
        assert!(touch.await.unwrap());
    }
    let transactions = switch.calls() - before;
    assert!((1..=8).contains(&transactions), "{transactions} transactions for 200 sessions");
}

#[tokio::test]
async fn a_touch_that_failed_is_made_up_for_by_the_next_request() {
    let store = FailingStore::new(MemoryStore::new());
    let switch = store.switch();
    let bank = Bank::open_on(store, settings(Delivery::Opaque)).await;
    let live = live(&bank, "alice").await;
    switch.fail(0, 1, Fault::Refuse);
    assert_eq!(bank.signoff.touch(&live).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let calls = switch.calls();
    assert!(bank.signoff.touch(&live).await.unwrap());
    assert_eq!(switch.calls(), calls + 1);

    // Nobody waits for the second one: it happens, or it is not taken for done.
    bank.clock.advance(secs(60));
    let touch = bank.signoff.touch(&live);
    drop(tokio::time::timeout(Duration::ZERO, touch).await);
    assert!(bank.signoff.touch(&live).await.unwrap());
    assert_eq!(
        bank.signoff.session(&live).await.unwrap().unwrap().last_seen_at,
        crate::bank::start().saturating_add(secs(60))
    );
}

/// With the clock of the runtime, which goes on by itself when all wait: so the times are exact.
#[tokio::test(start_paused = true)]
async fn a_touch_waits_for_company_and_a_renewal_does_not() {
    let bank = Bank::open(Delivery::Jwt).await;
    let (alice, bob) = (live(&bank, "alice").await, live(&bank, "bob").await);
    let start = Instant::now();
    assert!(bank.signoff.touch(&alice).await.unwrap());
    assert!((50..=60).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());

    // Whoever is in a hurry takes the others along.
    bank.clock.advance(secs(60));
    let start = Instant::now();
    let waiting = tokio::spawn({
        let signoff = bank.signoff.clone();
        async move { signoff.touch(&alice).await.unwrap() }
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    let _ = bank.signoff.renew(&bob, Context::new()).await.unwrap();
    assert!(waiting.await.unwrap());
    assert!(start.elapsed() < Duration::from_millis(20), "{:?}", start.elapsed());
}

#[tokio::test]
async fn the_idle_end_is_early_by_an_interval_at_the_most() {
    let mut settings = settings(Delivery::Opaque);
    (settings.access_lifetime, settings.idle) = (secs(100), secs(100));
    let bank = Bank::open_on(MemoryStore::new(), settings).await;
    let live = live(&bank, "alice").await;
    // A request every second, the last one at 55; every tenth is written down.
    for _ in 0..55 {
        assert!(bank.signoff.touch(&live).await.unwrap());
        bank.clock.advance(secs(1));
    }
    assert!(bank.signoff.touch(&live).await.unwrap());
    let end = bank.signoff.session(&live).await.unwrap().unwrap().idle_expires_at;
    assert_eq!(end, crate::bank::start().saturating_add(secs(150)), "55 + 100, less what is within the interval of 10");
}
