//! Sessions that are kept elsewhere: which end of ours ends them, in which order, and what each failure looks like.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use signoff::audit::AuditKind;
use signoff::elsewhere::Trouble;
use signoff::refresh::Refresh;
use signoff::store::Store;
use signoff::test_util::FailingStore;
use signoff::{
    Cause, Context, Delivery, Denied, Destroyers, ErrorKind, Issued, Login, MemoryStore, Scope, SessionDestroyer,
    Settings, Signoff,
};

use crate::bank::{BOTH, Bank, secs, settings, subject};

/// A store of sessions that is not ours.
#[derive(Clone, Default)]
pub(crate) struct Theirs(Arc<State>);

#[derive(Default)]
struct State {
    keys: Mutex<BTreeSet<String>>,
    /// How many calls go wrong, and how.
    faults: AtomicUsize,
    manner: Mutex<Option<Manner>>,
    calls: AtomicUsize,
    /// Whoever is asked when a session is destroyed.
    witness: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    Fail,
    Hang,
    Panic,
}

impl Theirs {
    pub(crate) fn fail(&self, times: usize, manner: Manner) {
        *self.0.manner.lock().unwrap() = Some(manner);
        self.0.faults.store(times, Ordering::SeqCst);
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.0.keys.lock().unwrap().iter().cloned().collect()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.keys.lock().unwrap().contains(key)
    }

    fn calls(&self) -> usize {
        self.0.calls.load(Ordering::SeqCst)
    }

    /// Somebody logs in there and here.
    pub(crate) async fn log_in(&self, signoff: &Signoff, name: &str, keys: &[&str]) -> Issued {
        let mut login = Login::new(subject(name));
        for key in keys {
            self.0.keys.lock().unwrap().insert((*key).to_owned());
            login = login.elsewhere("theirs", key);
        }
        signoff.log_in(login).await.unwrap()
    }
}

#[async_trait]
impl SessionDestroyer for Theirs {
    async fn destroy(&self, key: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0.calls.fetch_add(1, Ordering::SeqCst);
        if let Some(witness) = self.0.witness.get() {
            witness();
        }
        // As a network does: so that callers can vanish meanwhile.
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        let faults = &self.0.faults;
        if faults.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            let manner = *self.0.manner.lock().unwrap();
            match manner {
                Some(Manner::Hang) => std::future::pending().await,
                Some(Manner::Panic) => panic!("theirs is broken"),
                _ => return Err("theirs is down".into()),
            }
        }
        self.0.keys.lock().unwrap().remove(key);
        Ok(())
    }
}

pub(crate) fn with(theirs: &Theirs, delivery: Delivery) -> Settings {
    let mut settings = settings(delivery);
    settings.destroyers = Destroyers::new().with("theirs", theirs.clone()).unwrap();
    settings
}

fn unavailable(denied: Denied) -> signoff::Error {
    let Denied::Failed(error) = denied else { panic!("{denied:?}") };
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    error
}

async fn count(signoff: &Signoff, kind: AuditKind) -> usize {
    let trail = signoff.audit_trail(&subject("alice")).await.unwrap();
    trail.iter().filter(|event| event.kind == kind).count()
}

#[tokio::test]
async fn every_end_ends_theirs() {
    type End = for<'a> fn(&'a Signoff, &'a Issued) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
    let ends: [(&str, End, &[&str]); 6] = [
        (
            "logout",
            |s, i| Box::pin(async { drop(s.log_out(&[i.token.expose()], Cause::logout()).await.unwrap()) }),
            &["b"],
        ),
        (
            "everywhere",
            |s, i| Box::pin(async { drop(s.log_out_everywhere(&[i.token.expose()], Cause::logout()).await.unwrap()) }),
            &[],
        ),
        (
            "others",
            |s, i| {
                Box::pin(async {
                    let live = s.authenticate(i.token.expose()).await.unwrap();
                    let _ = s.log_out_others(&live, Cause::logout()).await.unwrap();
                })
            },
            &["a1", "a2"],
        ),
        (
            "end session",
            |s, i| {
                Box::pin(async {
                    let ended = s.end_session(&i.session.subject, &i.session.id, Cause::logout()).await.unwrap();
                    assert!(ended.is_some());
                })
            },
            &["b"],
        ),
        (
            "revoke session",
            |s, i| {
                Box::pin(async {
                    let scope = Scope::Session(i.session.id.as_bytes());
                    let _ = s.revoke(scope, Cause::logout()).await.unwrap();
                })
            },
            &["b"],
        ),
        (
            "revoke subject",
            |s, _| {
                Box::pin(async {
                    let _ = s.revoke(Scope::Subject("alice"), Cause::logout()).await.unwrap();
                })
            },
            &[],
        ),
    ];
    for delivery in BOTH {
        for (name, end, left) in ends {
            let theirs = Theirs::default();
            let bank = Bank::open_on(MemoryStore::new(), with(&theirs, delivery)).await;
            let one = theirs.log_in(&bank.signoff, "alice", &["a1", "a2"]).await;
            let _two = theirs.log_in(&bank.signoff, "alice", &["b"]).await;
            let _bystander = theirs.log_in(&bank.signoff, "bob", &["bob"]).await;
            end(&bank.signoff, &one).await;
            let expect: Vec<_> = left.iter().copied().chain(["bob"]).collect();
            assert_eq!(theirs.keys(), expect, "{name}");
            assert!(bank.signoff.unfinished_logouts().await.unwrap().is_empty());
            let gone = 4 - expect.len();
            assert_eq!(count(&bank.signoff, AuditKind::ElsewhereDestroyed).await, gone, "{name}: one record for each");
            assert_eq!(theirs.calls(), gone, "{name}: each once");
        }
    }
}

#[tokio::test]
async fn a_stolen_refresh_token_ends_theirs() {
    let theirs = Theirs::default();
    let mut settings = with(&theirs, Delivery::Jwt);
    settings.refresh = Some(Refresh::default().grace(Duration::ZERO).unwrap());
    let bank = Bank::open_on(MemoryStore::new(), settings).await;
    let issued = theirs.log_in(&bank.signoff, "alice", &["a"]).await;
    let first = issued.refresh_token.unwrap();
    let _ = bank.signoff.refresh(first.expose(), Context::new()).await.unwrap();
    assert!(theirs.has("a"));
    let _ = bank.signoff.refresh(first.expose(), Context::new()).await.unwrap_err();
    bank.signoff.close().await;
    assert!(!theirs.has("a"), "closing waits for what was begun");
}

#[tokio::test]
async fn ours_is_dead_before_theirs_and_the_receipt_comes_last() {
    for delivery in BOTH {
        let theirs = Theirs::default();
        let bank = Bank::open_on(MemoryStore::new(), with(&theirs, delivery)).await;
        let issued = theirs.log_in(&bank.signoff, "alice", &["a"]).await;
        let (signoff, token) = (bank.signoff.clone(), issued.token.expose().to_owned());
        assert!(bank.accepts(&token).await);
        let asked = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&asked);
        let witness = move || {
            assert!(signoff.verify(&token).is_err(), "ours is in force first");
            seen.fetch_add(1, Ordering::SeqCst);
        };
        assert!(theirs.0.witness.set(Box::new(witness)).is_ok());
        let _ = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
        assert_eq!((asked.load(Ordering::SeqCst), theirs.has("a")), (1, false));
    }
}

#[tokio::test(start_paused = true)]
async fn failures_are_errors_until_a_retry_completes() {
    for delivery in BOTH {
        for (manner, trouble) in
            [(Manner::Fail, Trouble::Failed), (Manner::Hang, Trouble::Late), (Manner::Panic, Trouble::Panicked)]
        {
            let theirs = Theirs::default();
            let bank = Bank::open_on(MemoryStore::new(), with(&theirs, delivery)).await;
            let issued = theirs.log_in(&bank.signoff, "alice", &["a"]).await;
            let token = [issued.token.expose()];
            theirs.fail(3, manner);
            for attempt in 1..=3 {
                let error = unavailable(bank.signoff.log_out(&token, Cause::logout()).await.unwrap_err());
                assert_eq!(
                    error.source().map(ToString::to_string).as_deref(),
                    match manner {
                        Manner::Fail => Some("theirs is down"),
                        _ => None,
                    }
                );
                assert!(!error.to_string().contains("theirs"), "{error}");
                assert!(!bank.accepts(token[0]).await, "ours is dead from the first attempt on");
                assert!(theirs.has("a"));
                let listed = bank.signoff.unfinished_logouts().await.unwrap();
                assert_eq!(listed.len(), 1);
                let unfinished = &listed[0];
                assert_eq!((unfinished.attempts, unfinished.trouble), (attempt, Some(trouble)));
                assert_eq!((&unfinished.subject, unfinished.destroyer.as_str()), (&subject("alice"), "theirs"));
                assert_eq!(unfinished.session, issued.session.id.fingerprint());
                assert!(unfinished.retry_at > crate::bank::start());
            }
            let receipt = bank.signoff.log_out(&token, Cause::logout()).await.unwrap();
            assert_eq!(receipt.destroyed(), 0, "it was, by the first attempt");
            assert!(!theirs.has("a") && bank.signoff.unfinished_logouts().await.unwrap().is_empty());
            let _ = bank.signoff.log_out(&token, Cause::logout()).await.unwrap();
            assert_eq!(theirs.calls(), 4, "what is settled is not asked for again");
            assert_eq!(count(&bank.signoff, AuditKind::ElsewhereDelayed).await, 1, "the first failure only");
            assert_eq!(count(&bank.signoff, AuditKind::ElsewhereDestroyed).await, 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_the_device_list_completes_too() {
    let theirs = Theirs::default();
    let bank = Bank::open_on(MemoryStore::new(), with(&theirs, Delivery::Jwt)).await;
    let issued = theirs.log_in(&bank.signoff, "alice", &["a"]).await;
    theirs.fail(2, Manner::Fail);
    let end = async || bank.signoff.end_session(&subject("alice"), &issued.session.id, Cause::logout()).await;
    assert!(end().await.is_err());
    assert!(end().await.is_err(), "it is not live any more, and not finished either");
    assert!(end().await.unwrap().is_none());
    assert!(!theirs.has("a"));
}

#[tokio::test(start_paused = true)]
async fn one_of_several_fails() {
    let theirs = Theirs::default();
    let bank = Bank::open_on(MemoryStore::new(), with(&theirs, Delivery::Jwt)).await;
    let issued = theirs.log_in(&bank.signoff, "alice", &["a", "b", "c"]).await;
    theirs.fail(1, Manner::Hang);
    unavailable(bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap_err());
    assert_eq!(theirs.keys().len(), 1, "the others do not wait for it");
    assert_eq!(bank.signoff.unfinished_logouts().await.unwrap().len(), 1);
    let _ = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
    assert!(theirs.keys().is_empty());
}

#[tokio::test(start_paused = true)]
async fn more_than_a_page_of_a_person() {
    let theirs = Theirs::default();
    let bank = Bank::open_on(MemoryStore::new(), with(&theirs, Delivery::Jwt)).await;
    let mut last = None;
    for n in 0..50 {
        let keys: Vec<_> = (0..4).map(|m| format!("{n} {m}")).collect();
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        last = Some(theirs.log_in(&bank.signoff, "alice", &keys).await);
    }
    let token = last.unwrap().token;
    let receipt = bank.signoff.log_out_everywhere(&[token.expose()], Cause::logout()).await.unwrap();
    assert_eq!((receipt.destroyed(), theirs.keys().len(), theirs.calls()), (50, 0, 200));
}

#[tokio::test]
async fn a_login_names_destroyers_that_exist() {
    let theirs = Theirs::default();
    let bank = Bank::open_on(MemoryStore::new(), with(&theirs, Delivery::Jwt)).await;
    let login = || Login::new(subject("alice"));
    let many = (0..17).fold(login(), |login, n| login.elsewhere("theirs", &n.to_string()));
    for bad in
        [login().elsewhere("their", "a"), login().elsewhere("theirs", ""), login().elsewhere("theirs", "\n"), many]
    {
        assert_eq!(bank.signoff.log_in(bad).await.unwrap_err().kind(), ErrorKind::Misuse);
    }
    assert!(bank.signoff.sessions(&subject("alice"), None).await.unwrap().is_empty(), "nothing is left of them");
    let debug = format!("{:?} {:?}", login().elsewhere("theirs", "s3cret"), bank.signoff.settings());
    assert!(debug.contains("theirs") && !debug.contains("s3cret"));
    let mut zero = with(&theirs, Delivery::Jwt);
    zero.destroyers = zero.destroyers.patience(Duration::ZERO);
    let keys = signoff::KeySet::new(crate::bank::key());
    assert_eq!(Signoff::open(MemoryStore::new(), keys, zero).await.unwrap_err().kind(), ErrorKind::Misuse);
}

#[tokio::test]
async fn a_destroyer_that_is_missing_on_a_node_leaves_it_unfinished() {
    let theirs = Theirs::default();
    let store = Arc::new(MemoryStore::new());
    let bank = Bank::open_on(Arc::clone(&store), with(&theirs, Delivery::Jwt)).await;
    let issued = theirs.log_in(&bank.signoff, "alice", &["a"]).await;
    let token = [issued.token.expose()];
    bank.signoff.close().await;

    // Another destroyer only.
    let mut settings = settings(Delivery::Jwt);
    settings.destroyers = Destroyers::new().with("other", Theirs::default()).unwrap();
    let bank = Bank::open_on(Arc::clone(&store), settings).await;
    unavailable(bank.signoff.log_out(&token, Cause::logout()).await.unwrap_err());
    let listed = bank.signoff.unfinished_logouts().await.unwrap();
    assert_eq!(listed[0].trouble, Some(Trouble::Unconfigured));
    bank.signoff.close().await;

    // None at all: nobody looks, but the list still tells.
    let bank = Bank::open_on(Arc::clone(&store), crate::bank::settings(Delivery::Jwt)).await;
    let _ = bank.signoff.log_out(&token, Cause::logout()).await.unwrap();
    assert_eq!(bank.signoff.unfinished_logouts().await.unwrap().len(), 1);
    bank.signoff.close().await;

    let bank = Bank::open_on(store, with(&theirs, Delivery::Jwt)).await;
    let _ = bank.signoff.log_out(&token, Cause::logout()).await.unwrap();
    assert!(!theirs.has("a") && bank.signoff.unfinished_logouts().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_snapshot_of_the_memory_store_keeps_what_is_unfinished() {
    let theirs = Theirs::default();
    let store = Arc::new(MemoryStore::new());
    let bank = Bank::open_on(Arc::clone(&store), with(&theirs, Delivery::Jwt)).await;
    let (one, two) =
        (theirs.log_in(&bank.signoff, "alice", &["a"]).await, theirs.log_in(&bank.signoff, "bob", &["b"]).await);
    theirs.fail(1, Manner::Fail);
    unavailable(bank.signoff.log_out(&[one.token.expose()], Cause::logout()).await.unwrap_err());
    let unfinished = bank.signoff.unfinished_logouts().await.unwrap();
    let snapshot = store.to_snapshot().unwrap();

    let again = Bank::open_on(MemoryStore::from_snapshot(&snapshot).unwrap(), with(&theirs, Delivery::Jwt)).await;
    assert_eq!(again.signoff.unfinished_logouts().await.unwrap(), unfinished);
    let _ = again.signoff.log_out(&[one.token.expose(), two.token.expose()], Cause::logout()).await.unwrap();
    assert!(theirs.keys().is_empty());
}

#[tokio::test]
async fn without_destroyers_it_costs_no_call() {
    let mut calls = Vec::new();
    for destroyers in [Destroyers::new(), with(&Theirs::default(), Delivery::Jwt).destroyers] {
        let store = FailingStore::new(MemoryStore::new());
        let switch = store.switch();
        let mut settings = settings(Delivery::Jwt);
        settings.destroyers = destroyers;
        let bank = Bank::open_on(store, settings).await;
        let issued = bank.log_in("alice").await;
        // The first sweep is over.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let before = switch.calls();
        let _ = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
        calls.push(switch.calls() - before);
    }
    assert_eq!(calls, [1, 2], "one question more, if there may be something elsewhere");
}

#[tokio::test(start_paused = true)]
async fn what_expires_is_destroyed_at_its_end() {
    let theirs = Theirs::default();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let bank = Bank::open_on(Arc::clone(&store), with(&theirs, Delivery::Jwt)).await;
    let _expires = theirs.log_in(&bank.signoff, "alice", &["expires"]).await;
    let cut_off = theirs.log_in(&bank.signoff, "bob", &["cut off"]).await;
    let _ = bank.signoff.revoke(Scope::Everything, Cause::logout()).await.unwrap();
    assert!(!bank.accepts(cut_off.token.expose()).await);
    bank.clock.advance(secs(8 * 3_600 - 1));
    tokio::time::sleep(secs(60)).await;
    assert_eq!(theirs.keys(), ["cut off", "expires"], "no scope destroys sessions, here or there");
    bank.clock.advance(secs(1));
    tokio::time::sleep(secs(60)).await;
    assert!(theirs.keys().is_empty());
}
