//! Back-channel logout: what a provider may end by a logout token, and what it may not.

use serde_json::json;
use signoff::foreign::{LogoutTokens, Scope};
use signoff::{Cause, Rejection};

use crate::bank::secs;
use crate::foreign::{API, CLIENT, ISSUER, LOGOUT_EVENT, Scene, now, rejected};

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
