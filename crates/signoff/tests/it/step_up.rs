//! New ids for sessions: a login over another session, and a session that steps up.

use std::sync::Arc;

use serde_json::{Value, json};
use signoff::audit::AuditKind;
use signoff::refresh::Refresh;
use signoff::test_util::{FailingStore, Fault};
use signoff::{
    Cause, Context, Delivery, Denied, ErrorKind, Issued, Live, Login, MemoryStore, Reason, Rejection, StepUp, Update,
};

use crate::bank::{BOTH, Bank, secs, settings, start, subject};
use crate::tokens::{header, payload, sign};

async fn live(bank: &Bank, issued: &Issued) -> Live {
    bank.signoff.authenticate(issued.token.expose()).await.unwrap()
}

async fn step_up(bank: &Bank, live: &Live) -> Result<Issued, Denied> {
    bank.signoff.step_up(live, StepUp::authenticated_again(), Context::new()).await
}

fn is_gone(outcome: &Result<Issued, Denied>) -> bool {
    matches!(outcome, Err(Denied::Rejected(Rejection::Revoked)))
}

/// Session fixation: the attacker's session is in the browser when the victim logs in.
#[tokio::test]
async fn a_planted_session_has_no_part_in_the_login() {
    for delivery in BOTH {
        let bank = Bank::open(delivery).await;
        let planted = bank.log_in("mallory").await;
        let before = live(&bank, &planted).await;
        let issued = bank.signoff.log_in(Login::new(subject("alice")).replacing(&before)).await.unwrap();
        assert!(!bank.accepts(planted.token.expose()).await, "{delivery:?}");
        assert_ne!(issued.session.id, planted.session.id);
        assert!(issued.session.born > planted.session.born);
        assert_eq!(live(&bank, &issued).await.subject(), "alice");
        let trail = bank.signoff.audit_trail(&subject("mallory")).await.unwrap();
        assert_eq!((trail[0].kind, trail[0].reason), (AuditKind::LoggedOut, Some(Reason::Replaced)));
        assert_eq!(trail[0].session, Some(planted.session.id.fingerprint()));
    }
}

#[tokio::test]
async fn a_login_over_a_session_that_is_over_is_a_login() {
    for delivery in BOTH {
        let mut settings = settings(delivery);
        settings.leeway = signoff::Leeway::new(secs(300)).unwrap();
        let bank = Bank::open_on(MemoryStore::new(), settings).await;
        let old = bank.log_in("alice").await;
        let before = live(&bank, &old).await;
        let _ = bank.signoff.log_out(&[old.token.expose()], Cause::logout()).await.unwrap();
        let issued = bank.signoff.log_in(Login::new(subject("alice")).replacing(&before)).await.unwrap();
        assert!(bank.accepts(issued.token.expose()).await);

        // Past its idle end it is no session that could be replaced, but its tokens must not outlive the login.
        let before = live(&bank, &issued).await;
        bank.clock.advance(secs(30 * 60));
        let again = bank.signoff.log_in(Login::new(subject("alice")).replacing(&before)).await.unwrap();
        assert!(bank.accepts(again.token.expose()).await);
        let retry = bank.signoff.end_session(&subject("alice"), &issued.session.id, Cause::logout()).await.unwrap();
        assert!(retry.is_none(), "destroyed by the login");
        let trail = bank.signoff.audit_trail(&subject("alice")).await.unwrap();
        assert_eq!((trail[1].kind, trail[1].reason), (AuditKind::LoggedOut, Some(Reason::Replaced)));
    }
}

#[tokio::test]
async fn stepping_up_changes_the_id_and_the_time_and_nothing_else() {
    for delivery in BOTH {
        let mut settings = settings(delivery);
        settings.refresh = (delivery == Delivery::Jwt).then(Refresh::default);
        let bank = Bank::open_on(MemoryStore::new(), settings).await;
        let login = Login::new(subject("alice")).scope("read").claims(&json!({"role": "teller"})).unwrap();
        let old = bank.signoff.log_in(login.device("Phone").data("basket")).await.unwrap();
        assert_eq!(old.session.authenticated_at, start());
        bank.clock.advance(secs(600));
        let before = live(&bank, &old).await;
        assert_eq!(before.authenticated_at(), Some(start()));
        let new = step_up(&bank, &before).await.unwrap();
        let now = start().saturating_add(secs(600));
        let expect = signoff::Session {
            id: new.session.id,
            born: new.session.born,
            authenticated_at: now,
            last_seen_at: now,
            idle_expires_at: now.saturating_add(secs(30 * 60)),
            ..old.session.clone()
        };
        assert_eq!(new.session, expect);
        assert!(new.session.id != old.session.id && new.session.born > old.session.born);
        let after = live(&bank, &new).await;
        assert_eq!(bank.signoff.session(&after).await.unwrap().unwrap(), expect);
        assert_eq!((after.authenticated_at(), after.scope()), (Some(now), Some("read")));
        assert_eq!(after.application::<Value>().unwrap(), json!({"role": "teller"}));

        assert!(!bank.accepts(old.token.expose()).await);
        assert!(is_gone(&step_up(&bank, &before).await), "once");
        assert_eq!(bank.signoff.update_session(&before, 1, b"late").await.unwrap(), Update::Gone);
        if let (Some(dead), Some(good)) = (&old.refresh_token, &new.refresh_token) {
            let refused = bank.signoff.refresh(dead.expose(), Context::new()).await;
            assert!(matches!(refused, Err(Denied::Rejected(Rejection::Revoked))));
            let refreshed = bank.signoff.refresh(good.expose(), Context::new()).await.unwrap();
            assert_eq!(refreshed.session.authenticated_at, now);
        }
        let trail = bank.signoff.audit_trail(&subject("alice")).await.unwrap();
        let kinds: Vec<_> = trail.iter().rev().map(|event| event.kind).collect();
        use AuditKind::{LoggedIn, LoggedOut, RefreshRefused, SteppedUp};
        assert_eq!(kinds, [LoggedIn, LoggedOut, SteppedUp, RefreshRefused]);
        assert_eq!(trail[1].detail.as_deref(), Some("authenticated again"));
        assert_eq!(trail[1].session, Some(new.session.id.fingerprint()));
    }
}

#[tokio::test]
async fn privileges_change_without_a_proof_of_who_it_is() {
    for delivery in BOTH {
        let bank = Bank::open(delivery).await;
        let old = bank.signoff.log_in(Login::new(subject("alice")).scope("read")).await.unwrap();
        let before = live(&bank, &old).await;
        bank.clock.advance(secs(60));
        let step = StepUp::privileges_changed().scope("read pay").claims(&json!({"role": "boss"})).unwrap();
        let new = bank.signoff.step_up(&before, step, Context::new()).await.unwrap();
        let after = live(&bank, &new).await;
        assert_eq!(after.authenticated_at(), Some(start()));
        assert!(after.has_scope("pay") && !bank.accepts(old.token.expose()).await);
        assert_eq!(after.application::<Value>().unwrap(), json!({"role": "boss"}));
        let bad = StepUp::privileges_changed().scope("a  b");
        let refused = bank.signoff.step_up(&after, bad, Context::new()).await;
        assert!(matches!(refused, Err(Denied::Failed(error)) if error.kind() == ErrorKind::Misuse));
        assert!(bank.accepts(new.token.expose()).await);
        assert!(StepUp::privileges_changed().claims(&json!({"auth_time": 1})).is_err(), "nobody writes that but we");
    }
}

#[tokio::test]
async fn nothing_extends_the_life_of_a_session() {
    let bank = Bank::open(Delivery::Opaque).await;
    let mut issued = bank.log_in("alice").await;
    let end = issued.session.expires_at;
    for _ in 0..23 {
        bank.clock.advance(secs(20 * 60));
        let before = live(&bank, &issued).await;
        issued = step_up(&bank, &before).await.unwrap();
        assert_eq!(issued.session.expires_at, end);
        assert!(issued.session.idle_expires_at <= end);
    }
    let before = live(&bank, &issued).await;
    bank.clock.advance(secs(20 * 60));
    assert!(is_gone(&step_up(&bank, &before).await), "eight hours are over");
}

#[tokio::test]
async fn a_session_that_is_over_does_not_step_up() {
    for delivery in BOTH {
        for end in 0..3 {
            let bank = Bank::open(delivery).await;
            let issued = bank.log_in("alice").await;
            let before = live(&bank, &issued).await;
            match end {
                0 => drop(bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap()),
                1 => drop(bank.signoff.revoke(signoff::Scope::Everything, Cause::logout()).await.unwrap()),
                _ => bank.clock.advance(secs(30 * 60)),
            }
            assert!(is_gone(&step_up(&bank, &before).await));
            let trail = bank.signoff.audit_trail(&subject("alice")).await.unwrap();
            assert_eq!(trail[0].kind, AuditKind::RefreshRefused);
            assert!(bank.signoff.sessions(&subject("alice"), None).await.unwrap().is_empty());
        }
    }
}

/// What was saved, by the answer that the saver got, is in the session that goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_save_at_the_same_time_is_not_lost() {
    let bank = Arc::new(Bank::open(Delivery::Jwt).await);
    for _ in 0..50 {
        let issued = bank.log_in("alice").await;
        let before = Arc::new(live(&bank, &issued).await);
        let saver = tokio::spawn({
            let (bank, before) = (Arc::clone(&bank), Arc::clone(&before));
            async move {
                let mut version = 1;
                loop {
                    let saved = bank.signoff.update_session(&before, version, &version.to_be_bytes()).await.unwrap();
                    let Update::Saved(next) = saved else { return (version, saved) };
                    version = next;
                    // Some logins meet no save, some a few; nobody could step up if the data changed all the time.
                    tokio::time::sleep(std::time::Duration::from_micros(u64::from(version % 3 == 0) * 300)).await;
                }
            }
        });
        let stepped = loop {
            match step_up(&bank, &before).await {
                Ok(stepped) => break stepped,
                Err(Denied::Failed(error)) if error.kind() == ErrorKind::Conflict => {}
                Err(other) => panic!("{other:?}"),
            }
        };
        let (version, last) = saver.await.unwrap();
        assert_eq!(last, Update::Gone);
        let saved = if version == 1 { Vec::new() } else { (version - 1).to_be_bytes().to_vec() };
        assert_eq!(stepped.session.data, saved);
        assert_eq!(stepped.session.version, 1);
    }
}

/// Whatever fails, and however: at the end the old token is alive and alone, or nothing of the session is.
#[tokio::test]
async fn a_step_up_that_fails_leaves_one_session_at_the_most() {
    for fault in [Fault::AnswerLost, Fault::Refuse] {
        for call in 0..4 {
            let store = FailingStore::new(MemoryStore::new());
            let switch = store.switch();
            let bank = Bank::open_on(store, settings(Delivery::Jwt)).await;
            let issued = bank.log_in("alice").await;
            let before = live(&bank, &issued).await;
            switch.fail(call, 1, fault);
            let stepped = step_up(&bank, &before).await;
            let reached = !switch.is_failing();
            switch.heal();
            let living = bank.signoff.sessions(&subject("alice"), None).await.unwrap();
            assert_eq!(living.len(), 1);
            let is_old = living[0].id == issued.session.id;
            assert_eq!(bank.accepts(issued.token.expose()).await, is_old, "{fault:?} at {call}");
            match stepped {
                Ok(stepped) => assert!(!is_old && bank.accepts(stepped.token.expose()).await),
                Err(error) => {
                    assert!(
                        reached && matches!(&error, Denied::Failed(error) if error.kind() == ErrorKind::Unavailable)
                    );
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_stepped_up_survives_a_logout_everywhere() {
    let bank = Arc::new(Bank::open(Delivery::Jwt).await);
    for _ in 0..30 {
        let mut issued = bank.log_in("alice").await;
        let first = issued.token.expose().to_owned();
        let climber = tokio::spawn({
            let bank = Arc::clone(&bank);
            async move {
                let mut tokens = Vec::new();
                while let Ok(before) = bank.signoff.verify(issued.token.expose()) {
                    let Ok(next) = step_up(&bank, &before).await else { break };
                    tokens.push(next.token.expose().to_owned());
                    issued = next;
                }
                tokens
            }
        });
        tokio::task::yield_now().await;
        let _ = bank.signoff.log_out_everywhere(&[&first], Cause::logout()).await.unwrap();
        for token in climber.await.unwrap() {
            assert!(!bank.accepts(&token).await);
        }
        assert!(bank.signoff.sessions(&subject("alice"), None).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_guard_asks_when_the_person_authenticated() {
    for delivery in BOTH {
        let bank = Bank::open(delivery).await;
        let issued = bank.log_in("alice").await;
        let before = live(&bank, &issued).await;
        bank.clock.advance(secs(300));
        assert!(bank.signoff.is_authenticated_within(&before, secs(300)));
        assert!(!bank.signoff.is_authenticated_within(&before, secs(299)));
        let stepped = step_up(&bank, &before).await.unwrap();
        let after = live(&bank, &stepped).await;
        assert!(bank.signoff.is_authenticated_within(&after, secs(1)));
        // A clock that was set back makes nobody fresh.
        bank.clock.step(Some(start()));
        assert!(!bank.signoff.is_authenticated_within(&after, secs(3_600)));
        bank.clock.step(None);
        assert!(!bank.signoff.is_authenticated_within(&before, secs(3_600)));
    }
}

/// Tokens of earlier versions, which do not say when, and those that say it badly.
#[tokio::test]
async fn a_token_need_not_say_when() {
    let bank = Bank::open(Delivery::Jwt).await;
    let old = payload();
    let token = bank.signoff.verify(&sign(&header(), &old.to_string())).unwrap();
    assert_eq!(token.authenticated_at(), None);
    assert!(!bank.signoff.is_authenticated_within(&token, secs(u64::MAX)));
    for bad in [json!("1800000000"), json!(-1), json!(1.5), json!(null), json!(u64::MAX)] {
        let mut payload = old.clone();
        payload["auth_time"] = bad;
        assert_eq!(bank.signoff.verify(&sign(&header(), &payload.to_string())).unwrap_err(), Rejection::Malformed);
    }
}
