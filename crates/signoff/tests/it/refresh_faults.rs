//! Refreshes while the store fails, callers vanish, and logouts race: never a second branch, never a false thief, and
//! nothing after a logout.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use signoff::refresh::Refresh;
use signoff::test_util::{FailingStore, Fault, on_step};
use signoff::{Cause, Context, Denied, ErrorKind, MemoryStore, Rejection};

use crate::bank::{Bank, subject};
use crate::faults::polled;
use crate::refresh::{log_in, next, open, refresh, refusal, settings};

// The clock of the runtime stands still unless everything waits, so that no busy machine makes a time limit pass.
#[tokio::test(start_paused = true)]
async fn a_store_that_fails_at_any_call() {
    for fault in [Fault::AnswerLost, Fault::Hang, Fault::Refuse] {
        for (skip, count) in [(0, 1), (0, 2), (0, 3), (0, 4), (1, 1), (1, 2), (1, 5), (2, 2), (0, 6)] {
            let store = FailingStore::new(MemoryStore::new());
            let switch = store.switch();
            let mut settings = settings();
            settings.commit_timeout = Duration::from_millis(20);
            let bank = Bank::open_on(store, settings).await;
            let (access, token) = log_in(&bank, "alice").await;
            switch.fail(skip, count, fault);
            let first = refresh(&bank, &token).await;
            switch.heal();
            let first = match first {
                Ok(refreshed) => Some(refreshed.refresh_token.expose().to_owned()),
                Err(Denied::Failed(error)) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable);
                    None
                }
                Err(Denied::Rejected(rejection)) => panic!("an outage became a rejection: {rejection:?}"),
            };
            // While a call hangs in the store, retries are told that nothing is known; then it is given up.
            let mut retries = 0;
            let successor = loop {
                match refresh(&bank, &token).await {
                    Ok(refreshed) => break refreshed.refresh_token.expose().to_owned(),
                    Err(Denied::Failed(_)) if fault == Fault::Hang && retries < 20 => retries += 1,
                    Err(denied) => panic!("{fault:?} {skip} {count}: a retry does not complete: {denied:?}"),
                }
            };
            assert!(first.is_none_or(|first| first == successor), "{fault:?} {skip} {count}: a second branch");
            assert!(bank.accepts(&access).await, "nobody was taken for a thief");
            let _ = refresh(&bank, &successor).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_lost_answer_is_found_out_and_nobody_notices() {
    let store = FailingStore::new(MemoryStore::new());
    let switch = store.switch();
    let bank = Bank::open_on(store, settings()).await;
    let (_, token) = log_in(&bank, "alice").await;
    switch.fail(0, 1, Fault::AnswerLost);
    let successor = next(&bank, &token).await;
    assert_eq!(next(&bank, &token).await, successor);
    let _ = refresh(&bank, &successor).await.unwrap();
}

#[tokio::test]
async fn a_theft_whose_answer_was_lost_is_told_once() {
    let store = FailingStore::new(MemoryStore::new());
    let switch = store.switch();
    let told = Arc::new(Mutex::new(0));
    let teller = Arc::clone(&told);
    let mut settings = settings();
    let refresh_settings = Refresh::default().grace(Duration::ZERO).unwrap();
    settings.refresh = Some(refresh_settings.on_reuse(move |_| *teller.lock().unwrap() += 1));
    let bank = Bank::open_on(store, settings).await;
    let (access, token) = log_in(&bank, "alice").await;
    let _ = refresh(&bank, &token).await.unwrap();
    switch.fail(0, 1, Fault::AnswerLost);
    assert_eq!(refusal(refresh(&bank, &token).await), Rejection::Reused);
    assert!(!bank.accepts(&access).await);
    assert_eq!(*told.lock().unwrap(), 1);
    assert_eq!(bank.signoff.audit_trail(&subject("alice")).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_caller_that_vanishes_at_any_await_leaves_nothing_half_done() {
    let mut finished = false;
    let mut polls = 0;
    while !finished {
        polls += 1;
        let bank = open().await;
        let (_, token) = log_in(&bank, "alice").await;
        let outcome = polled(bank.signoff.refresh(&token, Context::new()), polls).await;
        finished = outcome.is_some();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let successor = next(&bank, &token).await;
        if let Some(outcome) = outcome {
            assert_eq!(outcome.unwrap().refresh_token.expose(), successor);
        }
        assert_eq!(next(&bank, &token).await, successor);
        let _ = refresh(&bank, &successor).await.unwrap();
        assert!(polls < 100);
    }
    assert!(polls > 1, "the refresh never waited, so nothing was tested");
}

/// Runs once at the named point, on the thread that reached it, if that is of this runtime: other tests of the process
/// refresh as well.
struct Intruder {
    runtime: tokio::runtime::Id,
    step: &'static str,
    work: Box<dyn FnOnce() + Send>,
}

static INTRUDER: Mutex<Option<Intruder>> = Mutex::new(None);

fn intrude_at(step: &'static str, work: impl FnOnce() + Send + 'static) {
    let runtime = tokio::runtime::Handle::current().id();
    *INTRUDER.lock().unwrap() = Some(Intruder { runtime, step, work: Box::new(work) });
}

fn intrude(step: &'static str) {
    let Ok(here) = tokio::runtime::Handle::try_current() else { return };
    let due = |intruder: &mut Intruder| intruder.step == step && intruder.runtime == here.id();
    let intruder = INTRUDER.lock().unwrap().take_if(due);
    if let Some(intruder) = intruder {
        tokio::task::block_in_place(intruder.work);
    }
}

/// Does `work` completely, while the world stands still at a point of something else.
fn on_another_thread<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> impl FnOnce() -> T {
    let runtime = tokio::runtime::Handle::current();
    move || std::thread::spawn(move || runtime.block_on(work)).join().unwrap()
}

/// Every point at which something else can happen; within the store's transaction nothing can.
const REFRESH: [&str; 5] = [
    "refresh: queued",
    "refresh: before the transaction",
    "refresh: after the transaction",
    "refresh: in force",
    "refresh: decided",
];
const LOGOUT: [&str; 4] =
    ["logout: queued", "logout: before the transaction", "logout: after the transaction", "logout: in force"];

async fn log_out(bank: &Bank, way: usize, token: &str) {
    let signoff = &bank.signoff;
    let everything = signoff::Scope::Everything;
    match way {
        0 => drop(signoff.log_out(&[token], Cause::logout()).await.unwrap()),
        1 => drop(signoff.log_out_everywhere(&[token], Cause::logout()).await.unwrap()),
        _ => drop(signoff.revoke(everything, Cause::logout()).await.unwrap()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_refreshed_after_a_logout() {
    on_step(intrude);
    for way in 0..3 {
        // A whole logout at each point of a refresh: it has returned `Ok`, so the refresh under way fails.
        for step in REFRESH {
            for exchanged in [false, true] {
                let bank = Arc::new(open().await);
                let (access, token) = log_in(&bank, "alice").await;
                // With the current token, or with the one before it, within its grace.
                let current = if exchanged { next(&bank, &token).await } else { token.clone() };
                let theirs = (Arc::clone(&bank), token.clone());
                let logout = on_another_thread(async move { log_out(&theirs.0, way, &theirs.1).await });
                intrude_at(step, logout);
                let ours = (Arc::clone(&bank), token.clone());
                let outcome = tokio::spawn(async move { refresh(&ours.0, &ours.1).await }).await.unwrap();
                assert!(INTRUDER.lock().unwrap().is_none(), "{step} was not reached");
                assert_eq!(refusal(outcome), Rejection::Revoked, "{way} at {step}");
                assert!(!bank.accepts(&access).await);
                assert_eq!(refusal(refresh(&bank, &current).await), Rejection::Revoked);
            }
        }
        // A whole refresh at each point of a logout: it may succeed, but what it gave is dead when the logout returns.
        for step in LOGOUT {
            let bank = Arc::new(open().await);
            let (_, token) = log_in(&bank, "alice").await;
            let given: Arc<Mutex<Vec<String>>> = Arc::default();
            let theirs = (Arc::clone(&bank), token.clone(), Arc::clone(&given));
            let refreshing = on_another_thread(async move {
                if let Ok(refreshed) = refresh(&theirs.0, &theirs.1).await {
                    let tokens = [refreshed.token.expose().to_owned(), refreshed.refresh_token.expose().to_owned()];
                    theirs.2.lock().unwrap().extend(tokens);
                }
            });
            intrude_at(step, refreshing);
            let ours = (Arc::clone(&bank), token.clone());
            tokio::spawn(async move { log_out(&ours.0, way, &ours.1).await }).await.unwrap();
            assert!(INTRUDER.lock().unwrap().is_none(), "{step} was not reached");
            let given = given.lock().unwrap().clone();
            assert_eq!(!given.is_empty(), LOGOUT.iter().position(|s| *s == step) < Some(2), "{way} at {step}");
            if let [access, successor] = given.as_slice() {
                assert!(!bank.accepts(access).await, "{way} at {step}");
                assert_eq!(refusal(refresh(&bank, successor).await), Rejection::Revoked);
            }
            assert_eq!(refusal(refresh(&bank, &token).await), Rejection::Revoked);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn devices_that_race_a_logout_lose() {
    for round in 0..60 {
        let bank = Arc::new(open().await);
        let mut devices = Vec::new();
        let mut firsts = Vec::new();
        for _ in 0..6 {
            let (_, mut token) = log_in(&bank, "alice").await;
            firsts.push(token.clone());
            let bank = Arc::clone(&bank);
            devices.push(tokio::spawn(async move {
                let mut given = Vec::new();
                let ended = loop {
                    match refresh(&bank, &token).await {
                        Ok(refreshed) => {
                            given.push(refreshed.token.expose().to_owned());
                            token = refreshed.refresh_token.expose().to_owned();
                        }
                        ended => break refusal(ended),
                    }
                };
                (given, ended)
            }));
        }
        tokio::time::sleep(Duration::from_micros(round * 40)).await;
        match round % 3 {
            0 => {
                let all: Vec<_> = firsts.iter().map(String::as_str).collect();
                drop(bank.signoff.log_out(&all, Cause::logout()).await.unwrap());
            }
            way => log_out(&bank, way as usize, &firsts[0]).await,
        }
        for device in devices {
            let (given, ended) = device.await.unwrap();
            assert_eq!(ended, Rejection::Revoked);
            for access in given {
                assert!(!bank.accepts(&access).await);
            }
        }
    }
}
