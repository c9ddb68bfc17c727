//! The store fails or hangs at every call, and callers vanish at every await: never a receipt for a logout that did
//! not happen, and a retry always completes.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use signoff::test_util::{FailingStore, Fault};
use signoff::{Cause, Delivery, Denied, ErrorKind, MemoryStore, Position, Scope, Store};

use crate::bank::{BOTH, Bank, settings};

const FAULTS: [Fault; 3] = [Fault::AnswerLost, Fault::Hang, Fault::Refuse];

async fn at_every_call(everywhere: bool) {
    for delivery in BOTH {
        // A single lost answer is found out. When all are lost from there on, nothing can be.
        for (fault, count) in FAULTS.into_iter().flat_map(|fault| [(fault, 1), (fault, u64::MAX)]) {
            let mut refusals = 0;
            for skip in 0.. {
                let store = FailingStore::new(MemoryStore::new());
                let switch = store.switch();
                let mut settings = settings(delivery);
                settings.commit_timeout = Duration::from_millis(20);
                let bank = Bank::open_on(store, settings).await;
                let issued = bank.log_in("alice").await;
                let token = [issued.token.expose()];
                let log_out = async || match everywhere {
                    true => bank.signoff.log_out_everywhere(&token, Cause::logout()).await,
                    false => bank.signoff.log_out(&token, Cause::logout()).await,
                };

                let before = switch.calls();
                switch.fail(skip, count, fault);
                let outcome = tokio::time::timeout(Duration::from_millis(100), log_out()).await;
                let reached = switch.calls() > before + skip;
                switch.heal();
                match outcome {
                    Ok(Ok(_receipt)) => {
                        let context = format!("{delivery:?}, {fault:?} {count} times from {skip}");
                        assert!(!bank.accepts(token[0]).await, "{context}: a receipt, yet alive");
                    }
                    Ok(Err(Denied::Failed(error))) => {
                        refusals += 1;
                        assert_eq!(error.kind(), ErrorKind::Unavailable);
                    }
                    Ok(Err(Denied::Rejected(rejection))) => panic!("an outage became a rejection: {rejection:?}"),
                    // The look-up of an opaque token hangs in the caller's own task; the caller gives up.
                    Err(_) => refusals += 1,
                }
                // While a call hangs in the store, retries are told that nothing is known; then it is given up.
                let mut retries = 0;
                while let Err(error) = log_out().await {
                    assert!(fault == Fault::Hang && retries < 20, "a retry does not complete: {error}");
                    retries += 1;
                }
                assert!(!bank.accepts(token[0]).await);
                if !reached {
                    break;
                }
            }
            let must_refuse = count > 1 || fault == Fault::Hang;
            assert!(refusals > 0 || !must_refuse, "{delivery:?} {fault:?}: the fault was never met");
        }
    }
}

// The clock of the runtime stands still unless everything waits, so that no busy machine makes a time limit pass.
#[tokio::test(start_paused = true)]
async fn a_store_that_fails_at_any_call() {
    at_every_call(false).await;
    at_every_call(true).await;
}

/// How many records of ends there are in the trail of alice.
async fn ends(bank: &Bank) -> usize {
    let trail = bank.signoff.audit_trail(&crate::bank::subject("alice")).await.unwrap();
    trail.iter().filter(|event| event.logout.is_some()).count()
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_found_out() {
    for fault in [Fault::AnswerLost, Fault::Refuse] {
        let store = FailingStore::new(MemoryStore::new());
        let switch = store.switch();
        let bank = Bank::open_on(store, settings(Delivery::Jwt)).await;
        let issued = bank.log_in("alice").await;
        let token = [issued.token.expose()];
        switch.fail(0, 1, fault);
        let receipt = bank.signoff.log_out(&token, Cause::logout()).await.unwrap();
        assert_eq!(receipt.destroyed(), u64::from(fault == Fault::Refuse), "the repetition found it gone, or did it");
        assert!(!bank.accepts(token[0]).await);
        assert_eq!(ends(&bank).await, 1, "recorded once");
        assert_eq!(bank.signoff.log_out(&token, Cause::logout()).await.unwrap().destroyed(), 0);
        assert_eq!(ends(&bank).await, 1);
    }
}

#[tokio::test]
async fn a_wide_end_whose_answer_was_lost_is_found_out_and_never_repeated() {
    for fault in [Fault::AnswerLost, Fault::Refuse] {
        for wide in ["everywhere", "others", "client"] {
            let store = Arc::new(MemoryStore::new());
            let failing = FailingStore::new(Arc::clone(&store));
            let switch = failing.switch();
            let bank = Bank::open_on(failing, settings(Delivery::Jwt)).await;
            let (own, other) = (bank.log_in("alice").await, bank.log_in("alice").await);
            let live = bank.signoff.verify(own.token.expose()).unwrap();
            let end = async || match wide {
                "everywhere" => {
                    let ended = bank.signoff.log_out_everywhere(&[own.token.expose()], Cause::logout()).await;
                    ended.map(|receipt| receipt.destroyed()).map_err(|denied| match denied {
                        Denied::Failed(error) => error,
                        Denied::Rejected(rejection) => panic!("{rejection:?}"),
                    })
                }
                "others" => bank.signoff.log_out_others(&live, Cause::logout()).await.map(|ended| ended.destroyed),
                _ => {
                    let scope = Scope::Client("https://bank.example/api");
                    bank.signoff.revoke(scope, Cause::logout()).await.map(|ended| ended.destroyed)
                }
            };
            let before = ends(&bank).await;
            switch.fail(0, 1, fault);
            let outcome = end().await;
            let done = match wide {
                "everywhere" => 2,
                "others" => 1,
                _ => 0,
            };
            if fault == Fault::AnswerLost {
                assert_eq!(outcome.unwrap(), done, "{wide}: it is there, with what it did");
            } else {
                assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unavailable, "{wide}: it may still come");
                assert!(bank.accepts(other.token.expose()).await);
                assert_eq!((ends(&bank).await, end().await.unwrap()), (before, done), "{wide}");
            }
            assert!(!bank.accepts(other.token.expose()).await, "{wide}");
            let log = store.log_after(Position::ZERO, 100).await.unwrap().page.entries;
            assert_eq!(log.len(), 1, "{wide}: one entry and no second one");
            assert_eq!(ends(&bank).await, before + if wide == "client" { 0 } else { done as usize + 1 }, "{wide}");
        }
    }
}

#[tokio::test]
async fn the_end_of_an_unknown_session_is_logged_once() {
    let store = Arc::new(MemoryStore::new());
    let failing = FailingStore::new(Arc::clone(&store));
    let switch = failing.switch();
    let bank = Bank::open_on(failing, settings(Delivery::Jwt)).await;
    // A store that lost everything.
    let elsewhere = Bank::open(Delivery::Jwt).await.log_in("alice").await;
    switch.fail(0, 1, Fault::AnswerLost);
    let _ = bank.signoff.log_out(&[elsewhere.token.expose()], Cause::logout()).await.unwrap();
    assert!(!bank.accepts(elsewhere.token.expose()).await);
    assert_eq!(store.log_after(Position::ZERO, 100).await.unwrap().page.entries.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_found_out_is_an_error_and_in_force_before_it_is_told() {
    let store = FailingStore::new(MemoryStore::new());
    let switch = store.switch();
    let bank = Bank::open_on(store, settings(Delivery::Jwt)).await;
    let issued = bank.log_in("alice").await;
    let token = [issued.token.expose()];
    switch.fail(0, u64::MAX, Fault::AnswerLost);
    assert!(bank.signoff.log_out(&token, Cause::logout()).await.is_err());
    switch.heal();
    assert!(bank.accepts(token[0]).await, "nobody was told that it ended");
    // The repetition is lost too, but the log tells.
    switch.fail(0, 1, Fault::AnswerLost);
    let receipt = bank.signoff.log_out(&token, Cause::logout()).await.unwrap();
    assert_eq!(receipt.destroyed(), 0, "the retry finds it gone");
    assert!(!bank.accepts(token[0]).await);
    assert_eq!(ends(&bank).await, 1);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_session_whose_answer_was_lost_is_in_force_when_the_retry_says_so() {
    let store = FailingStore::new(MemoryStore::new());
    let switch = store.switch();
    let bank = Bank::open_on(store, settings(Delivery::Jwt)).await;
    let issued = bank.log_in("alice").await;
    let (alice, id) = (crate::bank::subject("alice"), issued.session.id);
    // The session is found; the commit happens, but its answer is lost, and so are those of the log.
    switch.fail(1, u64::MAX, Fault::AnswerLost);
    assert!(bank.signoff.end_session(&alice, &id, Cause::logout()).await.is_err());
    switch.heal();
    assert!(bank.accepts(issued.token.expose()).await, "nobody was told that it ended");
    assert!(bank.signoff.end_session(&alice, &id, Cause::logout()).await.unwrap().is_none());
    assert!(!bank.accepts(issued.token.expose()).await);
}

#[tokio::test]
async fn an_outage_is_neither_in_nor_out() {
    let store = FailingStore::new(MemoryStore::new());
    let switch = store.switch();
    let bank = Bank::open_on(store, settings(Delivery::Opaque)).await;
    let issued = bank.log_in("alice").await;
    switch.fail(0, u64::MAX, Fault::Refuse);
    let denied = bank.signoff.authenticate(issued.token.expose()).await.unwrap_err();
    assert!(matches!(denied, Denied::Failed(_)), "{denied:?}");
    switch.heal();
    assert!(bank.accepts(issued.token.expose()).await);
    // Once in memory, it needs no store.
    switch.fail(0, u64::MAX, Fault::Refuse);
    assert!(bank.accepts(issued.token.expose()).await);
}

/// Polls a future at most `polls` times, letting everything else run in between, and drops it.
pub(crate) async fn polled<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

#[tokio::test]
async fn a_caller_that_vanishes_at_any_await_leaves_nothing_half_done() {
    for delivery in BOTH {
        let mut finished = false;
        let mut polls = 0;
        while !finished {
            polls += 1;
            let bank = Bank::open(delivery).await;
            let issued = bank.log_in("alice").await;
            let token = [issued.token.expose()];
            let outcome = polled(bank.signoff.log_out(&token, Cause::logout()), polls).await;
            finished = outcome.is_some();
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            // The caller was told nothing unless it finished; the session is dead or wholly alive.
            let alive = bank.accepts(token[0]).await;
            let listed = !bank.signoff.sessions(&crate::bank::subject("alice"), None).await.unwrap().is_empty();
            assert_eq!(alive, listed, "{delivery:?} after {polls} polls: half dead");
            assert!(!(finished && alive));
            let _ = bank.signoff.log_out(&token, Cause::logout()).await.expect("a retry completes");
            assert!(!bank.accepts(token[0]).await);
            assert!(polls < 100);
        }
        assert!(polls > 1, "the logout never waited, so nothing was tested");
    }
}

#[tokio::test]
async fn a_queued_logout_happens_although_nobody_waits() {
    let bank = Bank::open(Delivery::Jwt).await;
    let issued = bank.log_in("alice").await;
    assert!(polled(bank.signoff.log_out(&[issued.token.expose()], Cause::logout()), 1).await.is_none());
    let _ = bank.signoff.log_out(&[bank.log_in("bob").await.token.expose()], Cause::logout()).await.unwrap();
    assert!(!bank.accepts(issued.token.expose()).await, "it was queued before bob's");
}

#[tokio::test]
async fn many_logouts_at_once_share_transactions() {
    let store = FailingStore::new(MemoryStore::new());
    let switch = store.switch();
    let bank = Arc::new(Bank::open_on(store, settings(Delivery::Jwt)).await);
    let mut issued = Vec::new();
    for n in 0..200 {
        issued.push(bank.log_in(&format!("user {n}")).await);
    }
    let before = switch.calls();
    let logouts: Vec<_> = issued
        .into_iter()
        .map(|issued| {
            let bank = Arc::clone(&bank);
            tokio::spawn(async move {
                let _ = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
                assert!(!bank.accepts(issued.token.expose()).await);
            })
        })
        .collect();
    for logout in logouts {
        logout.await.unwrap();
    }
    let transactions = switch.calls() - before;
    assert!(transactions < 20, "{transactions} transactions for 200 logouts");
}

#[tokio::test]
async fn one_signoff_per_store() {
    let store = Arc::new(MemoryStore::new());
    let first = Bank::open_on(Arc::clone(&store), settings(Delivery::Jwt)).await;
    let issued = first.log_in("alice").await;
    let keys = signoff::KeySet::new(crate::bank::key());
    let second = signoff::Signoff::open(Arc::clone(&store), keys, settings(Delivery::Jwt)).await;
    assert_eq!(second.unwrap_err().kind(), ErrorKind::Misuse);
    let _ = first.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
    first.signoff.close().await;
    let again = Bank::open_on(store, settings(Delivery::Jwt)).await;
    assert!(!again.accepts(issued.token.expose()).await, "the log was loaded before anything was verified");
}

#[tokio::test]
async fn without_memory_for_a_revocation_nothing_is_accepted() {
    for delivery in BOTH {
        let store = Arc::new(MemoryStore::new());
        let mut small = settings(delivery);
        small.revocation_bytes = 64_000;
        let bank = Bank::open_on(Arc::clone(&store), small).await;
        let bystander = bank.log_in("bob").await;
        let mut out = Vec::new();
        let failed = loop {
            assert!(bank.accepts(bystander.token.expose()).await);
            let issued = bank.log_in("alice").await;
            let outcome = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await;
            out.push(issued);
            if let Err(failed) = outcome {
                break failed;
            }
        };
        assert!(out.len() > 10, "the limit leaves room for {}", out.len());
        assert!(matches!(failed, Denied::Failed(error) if error.kind() == ErrorKind::Unavailable));
        // The revocation that found no room is committed, so this node would accept what others refuse.
        assert!(!bank.accepts(bystander.token.expose()).await);
        for issued in &out {
            assert!(!bank.accepts(issued.token.expose()).await);
        }
        let retry = bank.signoff.log_out(&[out[0].token.expose()], Cause::logout()).await;
        assert!(retry.is_err(), "nobody is told that they are logged out");

        bank.signoff.close().await;
        let bank = Bank::open_on(store, settings(delivery)).await;
        assert!(bank.accepts(bystander.token.expose()).await);
        for issued in &out {
            assert!(!bank.accepts(issued.token.expose()).await);
            let _ = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
        }
    }
}
