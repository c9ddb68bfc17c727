//! Seconds, leeways and retention: a foreign token that was revoked stays so until it has expired.

use std::time::Duration;

use serde_json::json;
use signoff::foreign::Scope;
use signoff::{Cause, Delivery, Leeway, MemoryStore, Position, Rejection, ScopeKind, Store};

use crate::bank::{Bank, secs, settings, start};
use crate::foreign::{Scene, now};

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
