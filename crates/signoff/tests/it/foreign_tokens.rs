//! Foreign tokens as the large providers shape them, and single changes to good ones.

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use signoff::foreign::{AccessTokens, IdTokens, Issuer};
use signoff::{Algorithm, Cause, Delivery, ErrorKind, Rejection};

use crate::bank::{Bank, secs, settings};
use crate::foreign::{API, CLIENT, ISSUER, LOGOUT_EVENT, Provider, Scene, now};

#[tokio::test]
async fn auth0() {
    let bank = Bank::open(Delivery::Jwt).await;
    let provider = Provider::new("https://tenant.eu.auth0.com/", "kPmJlQzZpR7", Algorithm::Rs256);
    let issuer = provider.issuer();
    let payload = json!({
        "iss": provider.issuer, "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
        "aud": [API, "https://tenant.eu.auth0.com/userinfo"], "iat": now(), "exp": now() + 86_400,
        "azp": "my_client_id", "scope": "openid profile read:accounts", "permissions": ["read:accounts"],
    });
    let token = provider.sign(&json!({"typ": "JWT"}), &payload);
    let live = bank.signoff.verify_foreign(&AccessTokens::untyped(&issuer, API), &token).unwrap();
    assert_eq!((live.issuer(), live.subject()), ("https://tenant.eu.auth0.com/", "auth0|5f7c8ec7c33c6c004bbafe82"));
    assert_eq!((live.client_id(), live.session_id(), live.token_id()), (Some("my_client_id"), None, None));
    assert!(live.has_scope("read:accounts") && !live.has_scope("read"));
    assert_eq!(live.audience().count(), 2);
    #[derive(Deserialize)]
    struct Own {
        permissions: Vec<String>,
    }
    assert_eq!(live.application::<Own>().unwrap().permissions, ["read:accounts"]);
    assert_eq!(live.application::<Vec<u8>>().unwrap_err().kind(), ErrorKind::Data);

    let id = json!({
        "iss": provider.issuer, "sub": "auth0|5f7c", "aud": "my_client_id", "iat": now(), "exp": now() + 36_000,
        "nickname": "alice", "email_verified": true, "updated_at": "2026-01-01T00:00:00.000Z", "sid": "s-1", "nonce": "n",
    });
    let id = provider.sign(&json!({"typ": "JWT"}), &id);
    let tokens = IdTokens::new(&issuer, "my_client_id");
    let live = bank.signoff.verify_foreign(&tokens.with_nonce("n"), &id).unwrap();
    assert_eq!((live.subject(), live.session_id()), ("auth0|5f7c", Some("s-1")));
}

#[tokio::test]
async fn entra() {
    let bank = Bank::open(Delivery::Jwt).await;
    let name = "https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad/v2.0";
    let provider = Provider::new(name, "kg2LYs2T0CTjIfj4rt6JIynen38", Algorithm::Rs256);
    // Entra's keys say neither `alg` nor `key_ops`.
    let jwk = provider.jwk(&json!({
        "alg": null, "use": "sig", "x5t": provider.kid, "x5c": ["MIIC/jCCAeagAwIBAgIJ"], "issuer": name,
        "cloud_instance_name": "microsoftonline.com",
    }));
    let issuer = Issuer::with_jwks(name, json!({"keys": [jwk]}).to_string()).build().unwrap();
    let payload = json!({
        "aud": "6e74172b-be56-4843-9ff4-e66a39bb12e3", "iss": name, "iat": now(), "nbf": now(), "exp": now() + 4_805,
        "aio": "AXQAi/8IAAAA", "azp": "6e74172b-be56-4843-9ff4-e66a39bb12e3", "azpacr": "0", "name": "Abe Lincoln",
        "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474", "preferred_username": "abeli@microsoft.com", "rh": "I",
        "scp": "access_as_user", "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
        "tid": "9122040d-6c67-4c5b-b112-36a304b66dad", "uti": "fqiBqXLPj0eQa82S-IYFAA", "ver": "2.0",
    });
    let token = provider.sign(&json!({"typ": "JWT", "x5t": provider.kid}), &payload);
    let tokens = AccessTokens::untyped(&issuer, "6e74172b-be56-4843-9ff4-e66a39bb12e3");
    let live = bank.signoff.verify_foreign(&tokens, &token).unwrap();
    assert!(live.has_scope("access_as_user"));
    // The rule that makes RSA keys fit for PS256 makes them unfit for RS256.
    let builder = Issuer::with_jwks(name, json!({"keys": [jwk]}).to_string());
    let other = builder.rsa_algorithm(Algorithm::Ps256).build().unwrap();
    let tokens = AccessTokens::untyped(&other, "6e74172b-be56-4843-9ff4-e66a39bb12e3");
    assert_eq!(bank.signoff.verify_foreign(&tokens, &token).unwrap_err(), Rejection::WrongAlgorithm);
}

#[tokio::test]
async fn keycloak() {
    let bank = Bank::open(Delivery::Jwt).await;
    let name = "https://sso.example/realms/bank";
    let (es, enc) = (Provider::new(name, "es", Algorithm::Es256), Provider::new(name, "enc", Algorithm::Rs256));
    let keys = json!({"keys": [enc.jwk(&json!({"use": "enc", "alg": "RSA-OAEP"})), es.jwk(&json!({}))]});
    let issuer = Issuer::with_jwks(name, keys.to_string()).build().unwrap();
    assert_eq!(issuer.kids(), ["es"]);
    let mut payload = json!({
        "exp": now() + 300, "iat": now(), "auth_time": now() - 3, "jti": "onrtac:7c2e8f2c", "iss": name,
        "aud": [API, "account"], "sub": "f1a2", "typ": "Bearer", "azp": CLIENT, "sid": "2d2f1b1e", "acr": "1",
        "allowed-origins": ["*"], "realm_access": {"roles": ["user"]}, "scope": "openid email", "email_verified": false,
    });
    let token = es.sign(&json!({"typ": "JWT"}), &payload);
    let access = AccessTokens::untyped(&issuer, API);
    let live = bank.signoff.verify_foreign(&access, &token).unwrap();
    assert_eq!((live.session_id(), live.token_id()), (Some("2d2f1b1e"), Some("onrtac:7c2e8f2c")));
    // The ID and the refresh token of the same login differ by a word in the payload.
    for typ in ["ID", "Refresh", "Offline", "Logout"] {
        payload["typ"] = json!(typ);
        let token = es.sign(&json!({"typ": "JWT"}), &payload);
        assert_eq!(bank.signoff.verify_foreign(&access, &token).unwrap_err(), Rejection::WrongType);
    }
}

#[tokio::test]
async fn okta() {
    let bank = Bank::open(Delivery::Jwt).await;
    let provider = Provider::new("https://dev-1.okta.com/oauth2/default", "okta-1", Algorithm::EdDsa);
    let payload = json!({
        "ver": 1, "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE", "iss": provider.issuer, "aud": API,
        "sub": "alice@example.com", "iat": now(), "exp": now() + 3_600, "cid": "0oacqf8qaJw56czJi0g4",
        "uid": "00ujmkLgagxeRrAg20g3", "scp": ["openid", "email"], "auth_time": now() - 9,
    });
    let token = provider.sign(&json!({}), &payload);
    let access = AccessTokens::untyped(&provider.issuer(), API);
    let live = bank.signoff.verify_foreign(&access, &token).unwrap();
    assert_eq!((live.client_id(), live.scope()), (Some("0oacqf8qaJw56czJi0g4"), Some("openid email")));
}

#[tokio::test]
async fn rfc_9068() {
    let scene = Scene::open().await;
    let access = AccessTokens::new(&scene.issuer, API);
    let with = |change: Value| {
        let payload = scene.provider.payload(&json!({"jti": "j", "client_id": "c"}), &change);
        let token = scene.provider.sign(&json!({"typ": "at+JWT"}), &payload);
        scene.bank.signoff.verify_foreign(&access, &token).map(drop)
    };
    assert_eq!(with(json!({})), Ok(()));
    for name in ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"] {
        assert_eq!(with(json!({name: null})), Err(Rejection::Malformed), "without {name}");
        for wrong in [json!(true), json!({}), json!([[]]), json!(-1), json!("")] {
            assert!(with(json!({name: wrong})).is_err(), "{name} {wrong}");
        }
    }
    for (change, expect) in [
        (json!({"iss": "https://idp.example/"}), Rejection::WrongIssuer),
        (json!({"aud": "https://bank.example/API"}), Rejection::WrongAudience),
        (json!({"aud": []}), Rejection::WrongAudience),
        (json!({"aud": ["x", 1]}), Rejection::Malformed),
        (json!({"exp": now()}), Rejection::Expired),
        (json!({"exp": now() as f64 + 0.9}), Rejection::Expired),
        (json!({"exp": "1900000000"}), Rejection::Malformed),
        (json!({"iat": now() + 1}), Rejection::NotYetValid),
        (json!({"nbf": now() as f64 + 0.1}), Rejection::NotYetValid),
        (json!({"exp": now() + 86_401}), Rejection::LivesTooLong),
        (json!({"iat": now() - 86_400}), Rejection::LivesTooLong),
        (json!({"nonce": "n"}), Rejection::WrongType),
        (json!({"events": {}}), Rejection::WrongType),
        (json!({"events": []}), Rejection::Malformed),
        (json!({"typ": "ID"}), Rejection::WrongType),
        (json!({"scope": ["a"]}), Rejection::Malformed),
        (json!({"sid": 7}), Rejection::Malformed),
        (json!({"sub": "a\u{0}b"}), Rejection::Malformed),
        (json!({"jti": "x".repeat(1_025)}), Rejection::Malformed),
    ] {
        assert_eq!(with(change.clone()), Err(expect), "{change}");
    }
    for change in [
        json!({"aud": ["x", API]}),
        json!({"iat": now() as f64 - 0.5, "exp": now() as f64 + 1.5, "nbf": now() as f64 - 0.1}),
        json!({"exp": now() + 86_400}),
        json!({"sid": "any text / at all"}),
        json!({"azp": "another", "own": {"a": [1]}}),
    ] {
        assert_eq!(with(change.clone()), Ok(()), "{change}");
    }
}

#[tokio::test]
async fn headers_are_read_strictly() {
    let scene = Scene::open().await;
    let payload = scene.provider.payload(&json!({"scope": "read"}), &json!({}));
    let with = |header: Value| scene.verify(&scene.provider.sign(&header, &payload));
    for header in
        [json!({}), json!({"typ": "jwt"}), json!({"x5t": "a", "x5t#S256": "b", "x5c": ["c".repeat(1_500)], "own": 1})]
    {
        assert_eq!(with(header.clone()), Ok(()), "{header}");
    }
    for (header, expect) in [
        (json!({"crit": ["exp"]}), Rejection::Malformed),
        (json!({"b64": false}), Rejection::Malformed),
        (json!({"jku": "https://evil.example"}), Rejection::Malformed),
        (json!({"jwk": {}}), Rejection::Malformed),
        (json!({"x5u": "https://evil.example"}), Rejection::Malformed),
        (json!({"zip": "DEF"}), Rejection::Malformed),
        (json!({"cty": "JWT"}), Rejection::Malformed),
        (json!({"enc": "A256GCM"}), Rejection::Malformed),
        (json!({"kid": null}), Rejection::Malformed),
        (json!({"kid": 1}), Rejection::Malformed),
        (json!({"kid": "' OR 1=1 --"}), Rejection::UnknownKey),
        (json!({"alg": "none"}), Rejection::WrongAlgorithm),
        (json!({"alg": "HS256"}), Rejection::WrongAlgorithm),
        (json!({"alg": "RS256"}), Rejection::WrongAlgorithm),
        (json!({"alg": null}), Rejection::Malformed),
        (json!({"typ": "at+jwt"}), Rejection::WrongType),
        (json!({"typ": ""}), Rejection::WrongType),
        (json!({"typ": 1}), Rejection::Malformed),
        (json!({"x5c": ["c".repeat(4_000)]}), Rejection::TooLarge),
    ] {
        assert_eq!(with(header.clone()), Err(expect), "{header}");
    }
    for bad in ["", "a", "a.b", "a.b.c", "a.b.c.d", &"a".repeat(10_000), "{}.{}.{}"] {
        assert!(scene.verify(bad).is_err());
    }
    let good = scene.provider.sign(&json!({}), &payload);
    for n in 0..good.len() {
        let mut changed = good.clone().into_bytes();
        changed[n] = if changed[n] == b'A' { b'B' } else { b'A' };
        assert!(scene.verify(std::str::from_utf8(&changed).unwrap()).is_err(), "character {n}");
    }
    let twice = payload.to_string().replacen('{', r#"{"sub":"bob","#, 1);
    let header = json!({"alg": "EdDSA", "kid": "one"}).to_string();
    assert_eq!(scene.verify(&scene.provider.sign_text(&header, &twice)), Err(Rejection::Malformed));
}

#[tokio::test]
async fn an_issuer_is_believed_by_its_own_keys_alone() {
    let scene = Scene::open().await;
    // Both call their key "one".
    let other = Scene::of(Bank::open(Delivery::Jwt).await, Provider::ed("https://other.example", "one"));
    let in_their_name = Provider { issuer: ISSUER.into(), ..Provider::ed("", "one") }.access(&json!({}));
    let (ours, theirs) = (scene.provider.access(&json!({})), other.provider.access(&json!({})));
    assert_eq!(scene.verify(&ours), Ok(()));
    assert_eq!(scene.verify(&theirs), Err(Rejection::BadSignature));
    assert_eq!(scene.verify(&in_their_name), Err(Rejection::BadSignature));
    // A signature that is remembered counts for its own issuer only.
    let both = AccessTokens::untyped(&other.issuer, API);
    assert_eq!(scene.bank.signoff.verify_foreign(&both, &theirs).map(drop), Ok(()));
    assert_eq!(scene.verify(&theirs), Err(Rejection::BadSignature));
    assert_eq!(scene.bank.signoff.verify_foreign(&both, &ours).map(drop), Err(Rejection::BadSignature));
    // Shared keys do not help: the issuer is in the token.
    let alias = Provider { issuer: "https://alias.example".into(), ..scene.provider };
    let alias = AccessTokens::untyped(&alias.issuer(), API);
    assert_eq!(scene.bank.signoff.verify_foreign(&alias, &ours).map(drop), Err(Rejection::WrongIssuer));
}

#[tokio::test]
async fn our_own_issuer_is_not_a_foreign_one() {
    let bank = Bank::open(Delivery::Jwt).await;
    let scene = Scene::of(bank, Provider::ed("https://bank.example", "one"));
    assert_eq!(scene.verify(&scene.provider.access(&json!({}))), Err(Rejection::WrongIssuer));
}

#[tokio::test]
async fn id_tokens_answer_one_login_of_one_client() {
    let scene = Scene::open().await;
    let verify = |token: &str, nonce: Option<&str>| {
        let verifier = nonce.map_or_else(|| scene.id.without_nonce(), |nonce| scene.id.with_nonce(nonce));
        scene.bank.signoff.verify_foreign(&verifier, token).map(|live| live.subject().to_owned())
    };
    let good = scene.provider.id(&json!({}));
    assert_eq!(verify(&good, Some("n")).unwrap(), "alice");
    assert_eq!(verify(&good, Some("other")), Err(Rejection::WrongNonce));
    assert_eq!(verify(&good, None), Err(Rejection::WrongNonce), "it answers somebody else's login");
    let again = scene.bank.signoff.verify_foreign(&scene.id.nonce_compared_before(), &good).unwrap();
    assert_eq!((again.acr(), again.amr().collect::<Vec<_>>()), (Some("1"), vec!["pwd"]));
    assert_eq!(again.auth_time().unwrap().as_secs(), now() - 5);
    let without = scene.provider.id(&json!({"nonce": null}));
    assert!(verify(&without, None).is_ok());
    assert_eq!(verify(&without, Some("n")), Err(Rejection::WrongNonce));
    for (change, expect) in [
        (json!({"aud": API}), Rejection::WrongAudience),
        (json!({"aud": [CLIENT, "other"]}), Rejection::WrongAudience),
        (json!({"aud": [CLIENT, "other"], "azp": "other"}), Rejection::WrongAudience),
        (json!({"azp": "other"}), Rejection::WrongAudience),
        (json!({"sub": null}), Rejection::Malformed),
        (json!({"sub": ISSUER}), Rejection::WrongType),
        (json!({"nonce": 1}), Rejection::Malformed),
        (json!({"amr": "pwd"}), Rejection::Malformed),
        (json!({"typ": "Bearer"}), Rejection::WrongType),
        (json!({"scope": "read"}), Rejection::WrongType),
        (json!({"exp": now()}), Rejection::Expired),
    ] {
        assert_eq!(verify(&scene.provider.id(&change), Some("n")), Err(expect), "{change}");
    }
    for change in [json!({"aud": [CLIENT, "other"], "azp": CLIENT}), json!({"azp": CLIENT, "typ": "ID"})] {
        assert!(verify(&scene.provider.id(&change), Some("n")).is_ok(), "{change}");
    }
}

#[tokio::test]
async fn a_remembered_token_is_checked_like_a_new_one() {
    let scene = Scene::open().await;
    let token = scene.provider.access(&json!({}));
    for _ in 0..3 {
        assert_eq!(scene.verify(&token), Ok(()));
    }
    let other = AccessTokens::untyped(&scene.issuer, "https://other.example");
    assert_eq!(scene.bank.signoff.verify_foreign(&other, &token).map(drop), Err(Rejection::WrongAudience));
    assert_eq!(
        scene.bank.signoff.verify_foreign(&scene.id.without_nonce(), &token).map(drop),
        Err(Rejection::WrongType)
    );
    scene.bank.clock.advance(secs(600));
    assert_eq!(scene.verify(&token), Err(Rejection::Expired));
    scene.bank.clock.step(None);
    assert_eq!(scene.verify(&token), Err(Rejection::Stale));
    // Without memory for them it is the same.
    let mut settings = settings(Delivery::Jwt);
    settings.signature_memory = 0;
    let scene = Scene::of(Bank::open_on(signoff::MemoryStore::new(), settings).await, scene.provider);
    assert_eq!(scene.verify(&token), Ok(()));
    assert_eq!(scene.verify(&token), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is presented, signed or not, nothing panics, and no logout token lets anybody in.
    #[test]
    fn no_token_panics(
        texts in proptest::collection::vec("\\PC{0,60}", 8),
        members in proptest::collection::vec(
            (
                prop_oneof![
                    Just("iss"), Just("sub"), Just("aud"), Just("exp"), Just("iat"), Just("nbf"), Just("jti"),
                    Just("sid"), Just("events"), Just("nonce"), Just("scope"), Just("scp"), Just("amr"), Just("typ"),
                    Just("auth_time"), Just("client_id"),
                ],
                prop_oneof![
                    Just(json!(null)), Just(json!(-1)), Just(json!(1e300)), Just(json!(1.8e9)), Just(json!(u64::MAX)),
                    Just(json!(ISSUER)), Just(json!(CLIENT)), Just(json!([CLIENT, API])), Just(json!([[1]])),
                    Just(json!({LOGOUT_EVENT: {}})), "\\PC{0,9}".prop_map(Value::from), any::<i64>().prop_map(Value::from),
                    any::<f64>().prop_map(Value::from),
                ],
            ),
            0..6,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let scene = Scene::open().await;
            let mut payload = scene.provider.payload(&json!({"scope": "read"}), &json!({}));
            for (name, value) in &members {
                payload[name] = value.clone();
            }
            let mut tokens = texts.clone();
            tokens.push(texts.join("."));
            tokens.push(scene.provider.sign_text(&texts[0], &texts[1]));
            for typ in [json!("JWT"), json!("at+jwt"), json!("logout+jwt"), json!(texts[2])] {
                tokens.push(scene.provider.sign(&json!({"typ": typ}), &payload));
            }
            for token in &tokens {
                let strict = AccessTokens::new(&scene.issuer, API);
                let access = scene.bank.signoff.verify_foreign(&strict, token).is_ok();
                let untyped = scene.verify(token).is_ok();
                let id = scene.bank.signoff.verify_foreign(&scene.id.nonce_compared_before(), token).is_ok();
                let out = scene.bank.signoff.log_out_by_provider(&scene.logout, token, Cause::logout()).await.is_ok();
                assert!(u8::from(access) + u8::from(untyped) + u8::from(id) + u8::from(out) <= 1, "{token}");
            }
        });
    }
}

#[test]
fn bad_issuers_are_misuse() {
    let provider = Provider::ed(ISSUER, "one");
    let misuse = |builder: signoff::foreign::IssuerBuilder| {
        assert_eq!(builder.build().unwrap_err().kind(), ErrorKind::Misuse);
    };
    misuse(Issuer::with_jwks("", provider.jwks()));
    misuse(Issuer::with_jwks("a\n", provider.jwks()));
    misuse(Issuer::with_jwks(ISSUER, "{}"));
    misuse(Issuer::with_jwks(ISSUER, r#"{"keys":[]}"#));
    misuse(provider.builder().algorithms([Algorithm::Hs256]));
    misuse(provider.builder().algorithms([]));
    misuse(provider.builder().algorithms([Algorithm::Rs256]));
    misuse(provider.builder().rsa_algorithm(Algorithm::Es256));
    misuse(provider.builder().cooldown(secs(0)));
    misuse(provider.builder().timeout(secs(0)));
    misuse(provider.builder().max_age(secs(1)));
    misuse(provider.builder().stale_for(secs(60)));
    misuse(provider.builder().stale_for(secs(8 * 86_400)));
    assert!(!format!("{:?}", provider.issuer()).contains("keys\":"));
}
