//! Logging foreign tokens out: what dies, what lives, for how long, and what happens when the store fails.

use std::time::Duration;

use serde_json::json;
use signoff::audit::AuditKind;
use signoff::foreign::{AccessTokens, Scope};
use signoff::test_util::{FailingStore, Fault};
use signoff::{Algorithm, Cause, Delivery, Denied, ErrorKind, MemoryStore, Rejection, Scope as OwnScope, Subject};

use crate::bank::{Bank, secs, settings, subject};
use crate::foreign::{API, CLIENT, ISSUER, Provider, Scene, now, rejected};

#[tokio::test]
async fn a_session_dies_with_all_its_tokens() {
    let scene = Scene::open().await;
    let one = scene.provider.access(&json!({"sid": "s", "jti": "1"}));
    let sibling = scene.provider.access(&json!({"sid": "s", "jti": "2"}));
    let id = scene.provider.id(&json!({"sid": "s"}));
    let other = scene.provider.access(&json!({"sid": "other", "jti": "3"}));
    assert_eq!((scene.verify(&one), scene.verify(&sibling), scene.verify(&other)), (Ok(()), Ok(()), Ok(())));
    let receipt = scene.bank.signoff.log_out_foreign(&scene.access, &one, Cause::logout()).await.unwrap();
    assert!(receipt.body().contains(r#""status":"destroyed""#));
    assert_eq!((scene.verify(&one), scene.verify(&sibling)), (Err(Rejection::Revoked), Err(Rejection::Revoked)));
    let id = scene.bank.signoff.verify_foreign(&scene.id.with_nonce("n"), &id);
    assert_eq!(id.unwrap_err(), Rejection::Revoked);
    assert_eq!(scene.verify(&other), Ok(()));
    // Twice is fine.
    let _ = scene.bank.signoff.log_out_foreign(&scene.access, &one, Cause::logout()).await.unwrap();
    // The session is dead for tokens to come, too.
    scene.bank.clock.advance(secs(60));
    let later = scene.provider.access(&json!({"sid": "s", "jti": "4", "iat": now() + 60}));
    assert_eq!(scene.verify(&later), Err(Rejection::Revoked));
}

#[tokio::test]
async fn a_token_without_names_is_known_by_its_claims() {
    let bank = Bank::open(Delivery::Jwt).await;
    let scene = Scene::of(bank, Provider::new(ISSUER, "one", Algorithm::Es256));
    let payload = scene.provider.payload(&json!({"scope": "read"}), &json!({}));
    let token = scene.provider.sign(&json!({"typ": "JWT"}), &payload);
    // ECDSA signs the same claims differently each time, and under another header.
    let twin = scene.provider.sign(&json!({"typ": "JWT"}), &payload);
    let again = scene.provider.sign(&json!({"own": 1}), &payload);
    let sibling = scene.provider.access(&json!({"exp": now() + 601}));
    assert!(token != twin && twin != again);
    let _ = scene.bank.signoff.log_out_foreign(&scene.access, &token, Cause::logout()).await.unwrap();
    for dead in [&token, &twin, &again] {
        assert_eq!(scene.verify(dead), Err(Rejection::Revoked));
    }
    assert_eq!(scene.verify(&sibling), Ok(()), "nothing says that they belong together");
    let _ = scene.bank.signoff.log_out_foreign_everywhere(&scene.access, &token, Cause::logout()).await.unwrap();
    assert_eq!(scene.verify(&sibling), Err(Rejection::Revoked));
}

#[tokio::test]
async fn every_scope_kills_its_own_and_nothing_else() {
    let claims = json!({"sub": "alice", "sid": "s", "jti": "j", "client_id": "c", "azp": "p"});
    let others = json!({"sub": "bob", "sid": "t", "jti": "k", "client_id": "d", "azp": "q"});
    for (scope, key_dies) in [
        (Scope::Client("c"), false),
        (Scope::Client("p"), false),
        (Scope::Session("s"), false),
        (Scope::Subject("alice"), false),
        (Scope::Token("j"), false),
        (Scope::Key("one"), true),
        (Scope::Everything, true),
    ] {
        let scene = Scene::open().await;
        // The same names with another issuer, on the same service.
        let elsewhere = Provider::ed("https://other.example", "one");
        let theirs = AccessTokens::untyped(&elsewhere.issuer(), API);
        let (token, neighbour) = (scene.provider.access(&claims), scene.provider.access(&others));
        let namesake = elsewhere.access(&claims);
        let ours = scene.bank.log_in("alice").await;
        assert_eq!((scene.verify(&token), scene.verify(&neighbour)), (Ok(()), Ok(())));
        let ended = scene.bank.signoff.revoke_foreign(&scene.issuer, scope, Cause::logout()).await.unwrap();
        assert_eq!(ended.destroyed, 0);
        assert_eq!(scene.verify(&token), Err(Rejection::Revoked), "{scope:?}");
        assert_eq!(scene.verify(&neighbour).is_err(), key_dies, "{scope:?}");
        let namesake = scene.bank.signoff.verify_foreign(&theirs, &namesake);
        assert!(namesake.is_ok(), "{scope:?}: the same names of another issuer");
        assert!(scene.bank.accepts(ours.token.expose()).await, "{scope:?}: our own alice");
    }
    let scene = Scene::open().await;
    for empty in [Scope::Client(""), Scope::Key(""), Scope::Session(""), Scope::Subject(""), Scope::Token("")] {
        let refused = scene.bank.signoff.revoke_foreign(&scene.issuer, empty, Cause::logout()).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Misuse);
    }
}

#[tokio::test]
async fn our_own_names_reach_no_foreign_token() {
    let scene = Scene::open().await;
    let token = scene.provider.access(&json!({"client_id": "c"}));
    let ours = scene.bank.log_in("alice").await;
    let _ = scene.bank.signoff.log_out_everywhere(&[ours.token.expose()], Cause::logout()).await.unwrap();
    for scope in [OwnScope::Subject("alice"), OwnScope::Client("c"), OwnScope::Key("one")] {
        scene.bank.signoff.revoke(scope, Cause::logout()).await.unwrap();
    }
    assert_eq!(scene.verify(&token), Ok(()));
    // Everything is everything.
    scene.bank.signoff.revoke(OwnScope::Everything, Cause::logout()).await.unwrap();
    assert_eq!(scene.verify(&token), Err(Rejection::Revoked));
}

#[tokio::test]
async fn the_client_of_an_id_token_is_its_audience() {
    let scene = Scene::open().await;
    let id = scene.provider.id(&json!({}));
    let verify = || scene.bank.signoff.verify_foreign(&scene.id.with_nonce("n"), &id).map(drop);
    assert_eq!(verify(), Ok(()));
    scene.bank.signoff.revoke_foreign(&scene.issuer, Scope::Client(CLIENT), Cause::logout()).await.unwrap();
    assert_eq!(verify(), Err(Rejection::Revoked));
}

#[tokio::test]
async fn expired_and_revoked_tokens_log_out() {
    let scene = Scene::open().await;
    let token = scene.provider.access(&json!({"sid": "s", "jti": "1"}));
    let sibling = scene.provider.access(&json!({"sid": "s", "jti": "2", "exp": now() + 80_000}));
    scene.bank.clock.advance(secs(700));
    assert_eq!(scene.verify(&token), Err(Rejection::Expired));
    let _ = scene.bank.signoff.log_out_foreign(&scene.access, &token, Cause::logout()).await.unwrap();
    assert_eq!(scene.verify(&sibling), Err(Rejection::Revoked));
    let _ = scene.bank.signoff.log_out_foreign(&scene.access, &sibling, Cause::logout()).await.unwrap();
    let forged = Provider::ed(ISSUER, "one").access(&json!({"sid": "s"}));
    let denied = scene.bank.signoff.log_out_foreign(&scene.access, &forged, Cause::logout()).await.unwrap_err();
    assert_eq!(rejected(denied), Rejection::BadSignature);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_at_any_call() {
    for fault in [Fault::AnswerLost, Fault::Hang, Fault::Refuse] {
        for everywhere in [false, true] {
            let mut refusals = 0;
            for skip in 0.. {
                let store = FailingStore::new(MemoryStore::new());
                let switch = store.switch();
                let mut settings = settings(Delivery::Jwt);
                settings.commit_timeout = Duration::from_millis(20);
                let scene = Scene::on(Bank::open_on(store, settings).await);
                let token = scene.provider.access(&json!({"sid": "s", "jti": "1"}));
                let sibling = scene.provider.access(&json!({"sid": "s", "jti": "2"}));
                let log_out = async || match everywhere {
                    true => scene.bank.signoff.log_out_foreign_everywhere(&scene.access, &token, Cause::logout()).await,
                    false => scene.bank.signoff.log_out_foreign(&scene.access, &token, Cause::logout()).await,
                };
                let before = switch.calls();
                switch.fail(skip, 1, fault);
                let outcome = log_out().await;
                let reached = switch.calls() > before + skip;
                switch.heal();
                match outcome {
                    Ok(_receipt) => {
                        assert_eq!(scene.verify(&token), Err(Rejection::Revoked), "{fault:?} {skip}");
                        assert_eq!(scene.verify(&sibling), Err(Rejection::Revoked), "{fault:?} {skip}");
                    }
                    Err(Denied::Failed(error)) => {
                        refusals += 1;
                        assert_eq!(error.kind(), ErrorKind::Unavailable);
                    }
                    Err(Denied::Rejected(rejection)) => panic!("an outage became a rejection: {rejection:?}"),
                }
                let mut retries = 0;
                while let Err(error) = log_out().await {
                    assert!(fault == Fault::Hang && retries < 20, "a retry does not complete: {error}");
                    retries += 1;
                }
                assert_eq!(scene.verify(&token), Err(Rejection::Revoked));
                assert_eq!(scene.verify(&sibling), Err(Rejection::Revoked));
                if !reached {
                    break;
                }
            }
            // A single answer that is lost is found out in the log; what is not there may still come, and is not repeated.
            assert_eq!(refusals > 0, fault != Fault::AnswerLost, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn what_was_logged_out_stays_so_after_a_restart() {
    let store = std::sync::Arc::new(MemoryStore::new());
    let scene = Scene::on(Bank::open_on(std::sync::Arc::clone(&store), settings(Delivery::Jwt)).await);
    let token = scene.provider.access(&json!({"sid": "s"}));
    let _ = scene.bank.signoff.log_out_foreign(&scene.access, &token, Cause::logout()).await.unwrap();
    scene.bank.signoff.close().await;
    let bank = Bank::open_on(store, settings(Delivery::Jwt)).await;
    assert_eq!(bank.signoff.verify_foreign(&scene.access, &token).unwrap_err(), Rejection::Revoked);
}

#[tokio::test]
async fn a_replayed_logout_fills_no_log() {
    let store = FailingStore::new(MemoryStore::new());
    let switch = store.switch();
    let scene = Scene::on(Bank::open_on(store, settings(Delivery::Jwt)).await);
    let token = scene.provider.access(&json!({"sid": "s"}));
    let _ = scene.bank.signoff.log_out_foreign(&scene.access, &token, Cause::logout()).await.unwrap();
    let calls = switch.calls();
    for _ in 0..100 {
        let _ = scene.bank.signoff.log_out_foreign(&scene.access, &token, Cause::logout()).await.unwrap();
    }
    assert_eq!(switch.calls(), calls, "there is nothing left to write");
    // A revocation of the session alone does not count for a younger token: it could be forgotten first.
    let younger = scene.provider.access(&json!({"sid": "s", "exp": now() + 80_000}));
    let _ = scene.bank.signoff.log_out_foreign(&scene.access, &younger, Cause::logout()).await.unwrap();
    assert!(switch.calls() > calls);
}

#[tokio::test]
async fn the_trail_of_our_own_people_does_not_mention_foreign_ones() {
    let scene = Scene::open().await;
    let token = scene.provider.access(&json!({"sid": "s"}));
    let _ours = scene.bank.log_in("alice").await;
    let _ = scene.bank.signoff.log_out_foreign_everywhere(&scene.access, &token, Cause::logout()).await.unwrap();
    let trail = scene.bank.signoff.audit_trail(&subject("alice")).await.unwrap();
    assert!(trail.iter().all(|event| event.kind == AuditKind::LoggedIn), "{trail:?}");
    assert!(Subject::new("foreign:\u{1f}x").is_err());
}
