//! Everything that can go wrong between our commit and their destroy: the store, their store, callers that vanish, and the
//! process. Never a receipt for a logout that is not finished, and it always comes to its end.

use std::sync::Arc;
use std::time::Duration;

use signoff::test_util::{FailingStore, Fault};
use signoff::{Cause, Delivery, Denied, ErrorKind, MemoryStore, Settings, Signoff};

use crate::bank::{BOTH, Bank, secs, subject};
use crate::elsewhere::{Manner, Theirs, with};
use crate::faults::polled;

fn quick(theirs: &Theirs, delivery: Delivery) -> Settings {
    let mut settings = with(theirs, delivery);
    settings.commit_timeout = Duration::from_millis(20);
    settings.destroyers = settings.destroyers.patience(Duration::from_millis(20));
    settings
}

/// Time passes for both clocks until nothing is unfinished, or it never will be.
async fn settle(bank: &Bank) -> bool {
    for _ in 0..100 {
        if matches!(bank.signoff.unfinished_logouts().await.as_deref(), Ok([])) {
            return true;
        }
        bank.clock.advance(secs(10));
        tokio::time::sleep(secs(10)).await;
    }
    false
}

async fn at_every_call(everywhere: bool) {
    for delivery in BOTH {
        for fault in [Fault::AnswerLost, Fault::Hang, Fault::Refuse] {
            for retried in [true, false] {
                let mut refusals = 0;
                for skip in 0.. {
                    let theirs = Theirs::default();
                    let store = FailingStore::new(MemoryStore::new());
                    let switch = store.switch();
                    let bank = Bank::open_on(store, quick(&theirs, delivery)).await;
                    let issued = theirs.log_in(&bank.signoff, "alice", &["a", "b"]).await;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    let token = [issued.token.expose()];
                    let log_out = async || match everywhere {
                        true => bank.signoff.log_out_everywhere(&token, Cause::logout()).await,
                        false => bank.signoff.log_out(&token, Cause::logout()).await,
                    };
                    let context = format!("{delivery:?} {fault:?} {skip}");

                    let before = switch.calls();
                    switch.fail(skip, 1, fault);
                    let outcome = tokio::time::timeout(Duration::from_millis(100), log_out()).await;
                    let reached = switch.calls() > before + skip;
                    switch.heal();
                    let alive = bank.accepts(token[0]).await;
                    match outcome {
                        Ok(Ok(_receipt)) => assert!(!alive && theirs.keys().is_empty(), "{context}: not finished"),
                        Ok(Err(Denied::Failed(error))) => {
                            refusals += 1;
                            assert_eq!(error.kind(), ErrorKind::Unavailable);
                        }
                        Ok(Err(Denied::Rejected(rejection))) => panic!("{context}: {rejection:?}"),
                        Err(_) => refusals += 1,
                    }
                    let mut retries = 0;
                    while retried && log_out().await.is_err() {
                        retries += 1;
                        assert!(fault == Fault::Hang && retries < 20, "{context}: a retry does not complete");
                    }
                    // A commit that hangs is given up, or happens after all.
                    tokio::time::sleep(secs(1)).await;
                    assert!(settle(&bank).await, "{context}: it does not come to an end");
                    let listed = bank.signoff.sessions(&subject("alice"), None).await.unwrap().len();
                    assert_eq!(theirs.keys().len(), 2 * listed, "{context}: both or neither");
                    assert!(!retried || listed == 0);
                    if !reached {
                        break;
                    }
                }
                // An answer of the logout itself that is lost is found out.
                assert!(refusals > 1, "{delivery:?} {fault:?}: the fault was met {refusals} times");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_at_any_call() {
    at_every_call(false).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_at_any_call_everywhere() {
    at_every_call(true).await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_vanishes_at_any_await_leaves_nothing_half_done() {
    for delivery in BOTH {
        for faults in [0, 2] {
            let mut finished = false;
            let mut polls = 0;
            while !finished {
                polls += 1;
                let theirs = Theirs::default();
                let bank = Bank::open_on(MemoryStore::new(), with(&theirs, delivery)).await;
                let issued = theirs.log_in(&bank.signoff, "alice", &["a", "b"]).await;
                theirs.fail(faults, Manner::Fail);
                let token = [issued.token.expose()];
                let outcome = polled(bank.signoff.log_out(&token, Cause::logout()), polls).await;
                finished = outcome.is_some();
                let receipt = outcome.is_some_and(|outcome| outcome.is_ok());
                assert_eq!(receipt, finished && faults == 0, "{polls}: a receipt, and not finished");
                tokio::time::sleep(Duration::from_millis(100)).await;
                let context = format!("{delivery:?}, {faults} faults, {polls} polls");
                let alive = bank.accepts(token[0]).await;
                let listed = !bank.signoff.sessions(&subject("alice"), None).await.unwrap().is_empty();
                assert_eq!(alive, listed, "{context}: half dead");
                // Nobody retries.
                assert!(settle(&bank).await, "{context}");
                assert_eq!(theirs.keys().len(), if alive { 2 } else { 0 }, "{context}");
                assert!(polls < 200);
            }
            assert!(polls > 2, "the logout never waited, so nothing was tested");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_sweeper_tries_again_and_waits_longer_each_time() {
    let theirs = Theirs::default();
    let bank = Bank::open_on(MemoryStore::new(), with(&theirs, Delivery::Jwt)).await;
    let issued = theirs.log_in(&bank.signoff, "alice", &["a"]).await;
    theirs.fail(usize::MAX, Manner::Fail);
    assert!(bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.is_err());
    let mut waits = Vec::new();
    let mut last = bank.signoff.unfinished_logouts().await.unwrap().remove(0);
    for _ in 0..3_000 {
        bank.clock.advance(secs(1));
        tokio::time::sleep(secs(1)).await;
        let next = bank.signoff.unfinished_logouts().await.unwrap().remove(0);
        if next.attempts != last.attempts {
            waits.push(next.retry_at.since(last.retry_at));
            last = next;
        }
    }
    assert!((10..25).contains(&waits.len()), "{waits:?}");
    assert!(waits[waits.len() - 1] > secs(100) && waits.iter().all(|wait| *wait < secs(400)), "{waits:?}");
    theirs.fail(0, Manner::Fail);
    assert!(settle(&bank).await && !theirs.has("a"));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_does_not_end_the_sweeper() {
    let theirs = Theirs::default();
    let store = FailingStore::new(MemoryStore::new());
    let switch = store.switch();
    let bank = Bank::open_on(store, with(&theirs, Delivery::Jwt)).await;
    let issued = theirs.log_in(&bank.signoff, "alice", &["a"]).await;
    theirs.fail(1, Manner::Fail);
    assert!(bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.is_err());
    for fault in [Fault::Refuse, Fault::AnswerLost, Fault::Hang] {
        let before = switch.calls();
        switch.fail(0, u64::MAX, fault);
        tokio::time::sleep(secs(3_600)).await;
        let asked = switch.calls() - before;
        assert!((5..100).contains(&asked), "{fault:?}: it asks, and not in a hurry: {asked} times in an hour");
        switch.heal();
    }
    assert!(settle(&bank).await && !theirs.has("a"));
}

#[tokio::test(start_paused = true)]
async fn the_next_process_finishes_and_the_tasks_end_with_the_last_clone() {
    for closed in [true, false] {
        let theirs = Theirs::default();
        let store = Arc::new(MemoryStore::new());
        let bank = Bank::open_on(Arc::clone(&store), with(&theirs, Delivery::Jwt)).await;
        let issued = theirs.log_in(&bank.signoff, "alice", &["a"]).await;
        theirs.fail(1, Manner::Hang);
        let logout: Option<Result<_, _>> =
            polled(bank.signoff.log_out(&[issued.token.expose()], Cause::logout()), 30).await;
        assert!(logout.is_none(), "it waits for theirs");
        let Bank { signoff, .. } = bank;
        if closed {
            signoff.close().await;
        } else {
            drop(signoff);
            tokio::time::sleep(secs(30)).await;
        }
        assert_eq!(Arc::strong_count(&store), 1, "nobody holds the store any more");
        assert!(theirs.has("a"));
        let bank = Bank::open_on(store, with(&theirs, Delivery::Jwt)).await;
        assert!(bank.signoff.verify(issued.token.expose()).is_err());
        assert!(settle(&bank).await && !theirs.has("a"));
    }
}

#[tokio::test]
async fn a_hundred_logouts_at_once() {
    let theirs = Theirs::default();
    let bank = Bank::open_on(MemoryStore::new(), with(&theirs, Delivery::Jwt)).await;
    let mut logouts = Vec::new();
    for n in 0..100 {
        let issued = theirs.log_in(&bank.signoff, &format!("user {n}"), &[&n.to_string()]).await;
        let (signoff, theirs): (Signoff, Theirs) = (bank.signoff.clone(), theirs.clone());
        logouts.push(tokio::spawn(async move {
            let _ = signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
            assert!(!theirs.has(&n.to_string()), "its own is gone when its receipt comes");
        }));
    }
    for logout in logouts {
        logout.await.unwrap();
    }
    assert!(theirs.keys().is_empty());
}
