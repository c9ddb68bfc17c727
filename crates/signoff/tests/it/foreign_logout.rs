//! Logging foreign tokens out: what dies, what lives, for how long, and what happens when the store fails.

use std::time::Duration;

use serde_json::json;
use signoff::audit::AuditKind;
use signoff::foreign::{AccessTokens, LogoutTokens, Scope};
use signoff::test_util::{FailingStore, Fault};
use signoff::{
    Algorithm, Cause, Delivery, Denied, ErrorKind, Leeway, MemoryStore, Position, Rejection, Scope as OwnScope,
    ScopeKind, Store, Subject,
};

use crate::bank::{Bank, secs, settings, start, subject};
use crate::foreign::{API, CLIENT, ISSUER, LOGOUT_EVENT, Provider, Scene, now, rejected};

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

/// Whatever was accepted before a revocation is dead after it, though `iat` has seconds only.
#[tokio::test]
async fn tokens_of_the_same_second_die() {
    for leeway in [0, 1, 60, 300] {
        // Where within the second the revocation falls, in microseconds, and how long after it tokens are good again.
        for micros in [0, 1, 500_000, 999_999] {
            let mut settings = settings(Delivery::Jwt);
            settings.leeway = Leeway::new(secs(leeway)).unwrap();
            let scene = Scene::on(Bank::open_on(MemoryStore::new(), settings).await);
            scene.bank.clock.advance(Duration::from_micros(micros));
            let ahead = i64::try_from(leeway).unwrap();
            let tokens: Vec<_> =
                (-2..=ahead).map(|n| scene.provider.access(&json!({"iat": now() + n, "n": n}))).collect();
            for token in &tokens {
                assert_eq!(scene.verify(token), Ok(()));
            }
            let too_early = scene.provider.access(&json!({"iat": now() + ahead + 1}));
            assert_eq!(scene.verify(&too_early), Err(Rejection::NotYetValid));
            scene.bank.signoff.revoke_foreign(&scene.issuer, Scope::Subject("alice"), Cause::logout()).await.unwrap();
            for token in &tokens {
                assert_eq!(scene.verify(token), Err(Rejection::Revoked), "leeway {leeway}, {micros} us");
            }
            scene.bank.clock.advance(secs(leeway + 2));
            let new = scene.provider.access(&json!({"iat": now() + ahead + 2}));
            assert_eq!(scene.verify(&new), Ok(()), "a new login is good");
        }
    }
}

/// After a restart nobody remembers what was accepted; the position alone must do.
#[tokio::test]
async fn tokens_of_the_same_second_die_across_a_restart() {
    for (before, after) in [(0, 0), (60, 60), (60, 0), (0, 60)] {
        let store = std::sync::Arc::new(MemoryStore::new());
        let open = async |leeway| {
            let mut settings = settings(Delivery::Jwt);
            settings.leeway = Leeway::new(secs(leeway)).unwrap();
            Bank::open_on(std::sync::Arc::clone(&store), settings).await
        };
        let scene = Scene::on(open(before).await);
        let token = scene.provider.access(&json!({"iat": now() + i64::try_from(before).unwrap()}));
        assert_eq!(scene.verify(&token), Ok(()));
        scene.bank.signoff.close().await;
        let bank = open(after).await;
        bank.signoff.revoke_foreign(&scene.issuer, Scope::Subject("alice"), Cause::logout()).await.unwrap();
        bank.clock.advance(secs(before));
        let verified = bank.signoff.verify_foreign(&scene.access, &token).map(drop);
        assert_eq!(verified, Err(Rejection::Revoked), "leeway {before}, then {after}");
    }
}

#[tokio::test]
async fn a_wall_clock_that_steps_back_revives_nothing() {
    let scene = Scene::open().await;
    let token = scene.provider.access(&json!({}));
    assert_eq!(scene.verify(&token), Ok(()));
    scene.bank.clock.step(Some(start().saturating_sub(secs(3_600))));
    scene.bank.signoff.revoke_foreign(&scene.issuer, Scope::Subject("alice"), Cause::logout()).await.unwrap();
    scene.bank.clock.step(Some(start()));
    assert_eq!(scene.verify(&token), Err(Rejection::Revoked));
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

#[tokio::test]
async fn a_purge_revives_nothing() {
    let mut settings = settings(Delivery::Jwt);
    settings.leeway = Leeway::new(Leeway::MAX).unwrap();
    let scene = Scene::on(Bank::open_on(MemoryStore::new(), settings).await);
    // As long as a token may live, from as far ahead as it may come.
    let claims = json!({"sid": "s", "iat": now() + 300, "exp": now() + 300 + 86_400});
    let (person, session, nameless) = (
        scene.provider.access(&claims),
        scene.provider.access(&json!({"sub": "bob", "sid": "t", "iat": now() + 300, "exp": now() + 300 + 86_400})),
        scene.provider.access(&json!({"sub": "carol", "iat": now() + 300, "exp": now() + 300 + 86_400})),
    );
    for token in [&person, &session, &nameless] {
        assert_eq!(scene.verify(token), Ok(()));
    }
    scene.bank.signoff.revoke_foreign(&scene.issuer, Scope::Subject("alice"), Cause::logout()).await.unwrap();
    scene.bank.signoff.revoke_foreign(&scene.issuer, Scope::Session("t"), Cause::logout()).await.unwrap();
    let _ = scene.bank.signoff.log_out_foreign(&scene.access, &nameless, Cause::logout()).await.unwrap();
    let mut purged = 0;
    for _ in 0..4 * 24 * 12 {
        for token in [&person, &session, &nameless] {
            assert!(matches!(scene.verify(token), Err(Rejection::Revoked | Rejection::Expired)));
        }
        purged += scene.bank.signoff.purge().await.unwrap().revocations;
        scene.bank.clock.advance(secs(300));
    }
    assert!(purged >= 3, "they are forgotten in the end: {purged}");
    assert_eq!(scene.verify(&person), Err(Rejection::Expired));
}

#[tokio::test]
async fn a_session_is_revoked_for_as_long_as_its_youngest_token_lives() {
    let store = std::sync::Arc::new(MemoryStore::new());
    let scene = Scene::on(Bank::open_on(std::sync::Arc::clone(&store), settings(Delivery::Jwt)).await);
    let token = |jti: &str| {
        let iat = now() + 20 * 3_600;
        scene.provider.access(&json!({"sid": "s", "jti": jti, "iat": iat, "exp": iat + 86_400}))
    };
    let first = scene.provider.access(&json!({"sid": "s"}));
    let _ = scene.bank.signoff.log_out_foreign(&scene.access, &first, Cause::logout()).await.unwrap();
    // The issuer goes on minting for the session, and the person logs out with one of these tokens. Its sibling must not
    // outlive the revocation, which was written for the first.
    let (younger, sibling) = (token("2"), token("3"));
    scene.bank.clock.advance(secs(20 * 3_600));
    let _ = scene.bank.signoff.log_out_foreign(&scene.access, &younger, Cause::logout()).await.unwrap();
    assert_eq!(scene.verify(&sibling), Err(Rejection::Revoked));
    let log = store.log_after(Position::ZERO, 100).await.unwrap().page.entries;
    let sessions = log.iter().filter(|entry| entry.scope().kind() == ScopeKind::Session);
    let kept = sessions.map(|entry| entry.expires_at()).max().unwrap();
    assert!(kept >= start().saturating_add(secs(44 * 3_600)), "{kept}");
}

#[tokio::test]
async fn longer_lives_are_allowed_if_the_log_remembers_as_long() {
    let mut settings = settings(Delivery::Jwt);
    settings.foreign_lifetime = secs(40 * 86_400);
    let scene = Scene::on(Bank::open_on(MemoryStore::new(), settings).await);
    let token = scene.provider.access(&json!({"exp": now() + 40 * 86_400}));
    assert_eq!(scene.verify(&token), Ok(()));
    assert_eq!(
        scene.verify(&scene.provider.access(&json!({"exp": now() + 40 * 86_400 + 1}))),
        Err(Rejection::LivesTooLong)
    );
    scene.bank.signoff.revoke_foreign(&scene.issuer, Scope::Subject("alice"), Cause::logout()).await.unwrap();
    for _ in 0..39 {
        scene.bank.clock.advance(secs(86_400));
        scene.bank.signoff.purge().await.unwrap();
        assert_eq!(scene.verify(&token), Err(Rejection::Revoked));
    }
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
            assert!(refusals > 0, "{fault:?}: the fault was never met");
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
async fn the_provider_ends_a_session_or_a_person() {
    let scene = Scene::open().await;
    let log_out = async |change| {
        let token = scene.provider.logout(&change);
        scene.bank.signoff.log_out_by_provider(&scene.logout, &token, Cause::logout()).await
    };
    let (one, two) = (scene.provider.access(&json!({"sid": "s"})), scene.provider.access(&json!({"sid": "t", "n": 1})));
    // Both are named: the session it is.
    let (_receipt, claims) = log_out(json!({"sid": "s"})).await.unwrap();
    assert_eq!((claims.issuer(), claims.subject(), claims.session_id()), (ISSUER, Some("alice"), Some("s")));
    assert_eq!((scene.verify(&one), scene.verify(&two)), (Err(Rejection::Revoked), Ok(())));
    let (_receipt, claims) = log_out(json!({"jti": "2", "sub": null, "sid": "u"})).await.unwrap();
    assert_eq!((claims.subject(), claims.session_id()), (None, Some("u")));
    let early = scene.provider.access(&json!({"sid": "u"}));
    assert_eq!(scene.verify(&early), Err(Rejection::Revoked), "the logout came before the login");
    let (_receipt, claims) = log_out(json!({"jti": "3"})).await.unwrap();
    assert_eq!(claims.subject(), Some("alice"));
    assert_eq!(scene.verify(&two), Err(Rejection::Revoked));
    // Who is logged out here already is logged out.
    let _ = log_out(json!({"jti": "4", "sid": "s"})).await.unwrap();
}

#[tokio::test]
async fn an_old_logout_token_throws_nobody_out() {
    let scene = Scene::open().await;
    let token = scene.provider.logout(&json!({}));
    let log_out = async || {
        scene.bank.signoff.log_out_by_provider(&scene.logout, &token, Cause::logout()).await.map(|(_, claims)| claims)
    };
    log_out().await.unwrap();
    scene.bank.clock.advance(secs(10));
    let again = scene.provider.access(&json!({"iat": now() + 5}));
    assert_eq!(scene.verify(&again), Ok(()));
    assert_eq!(log_out().await.unwrap().subject(), Some("alice"), "told the same");
    assert_eq!(scene.verify(&again), Ok(()), "but the new login lives");
    scene.bank.clock.advance(secs(110));
    assert_eq!(rejected(log_out().await.unwrap_err()), Rejection::Expired);
}

#[tokio::test]
async fn logout_tokens_are_read_strictly() {
    let scene = Scene::open().await;
    let legacy = LogoutTokens::legacy_untyped(&scene.issuer, CLIENT);
    for (change, expect) in [
        (json!({"iss": "https://other.example"}), Rejection::WrongIssuer),
        (json!({"aud": API}), Rejection::WrongAudience),
        (json!({"aud": null}), Rejection::Malformed),
        (json!({"iat": null}), Rejection::Malformed),
        (json!({"exp": null}), Rejection::Malformed),
        (json!({"exp": now()}), Rejection::Expired),
        (json!({"jti": null}), Rejection::Malformed),
        (json!({"sub": null}), Rejection::Malformed),
        (json!({"nonce": "n"}), Rejection::WrongType),
        (json!({"nonce": null, "events": null}), Rejection::WrongType),
        (json!({"events": []}), Rejection::Malformed),
        (json!({"events": LOGOUT_EVENT}), Rejection::Malformed),
        (json!({"events": {LOGOUT_EVENT: []}}), Rejection::Malformed),
        (json!({"events": {LOGOUT_EVENT: "x"}}), Rejection::Malformed),
        (json!({"events": {"https://other.example": {}}}), Rejection::WrongType),
    ] {
        let token = scene.provider.logout(&change);
        for tokens in [&scene.logout, &legacy] {
            let denied = scene.bank.signoff.log_out_by_provider(tokens, &token, Cause::logout()).await.unwrap_err();
            assert_eq!(rejected(denied), expect, "{change}");
        }
    }
    // A leaked key ends nobody's session any more.
    scene.bank.signoff.revoke_foreign(&scene.issuer, Scope::Key("one"), Cause::logout()).await.unwrap();
    let token = scene.provider.logout(&json!({}));
    let denied = scene.bank.signoff.log_out_by_provider(&scene.logout, &token, Cause::logout()).await.unwrap_err();
    assert_eq!(rejected(denied), Rejection::Revoked);
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
