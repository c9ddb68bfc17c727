//! Sets of keys: what is found, and what is published.

use super::*;

fn everything() -> KeySet {
    let named = edited(P256, &[], r#""kid":"p256","#);
    GENERATED
        .into_iter()
        .map(|algorithm| SigningKey::generate_for(algorithm).unwrap())
        .chain([rsa_key(Algorithm::Ps256), SigningKey::from_jwk(&named).unwrap()])
        .fold(KeySet::new(SigningKey::from_jwk(ED25519).unwrap()), |keys, key| {
            keys.with_retired(key.verifying_key().clone())
        })
}

#[test]
fn jwks_publish_public_keys_only() {
    let json = serde_json::to_value(everything().jwks()).unwrap();
    let published = json["keys"].as_array().unwrap();
    let mut shapes = Vec::new();
    for key in published {
        let mut names: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        for private in ["d", "dp", "dq", "k", "oth", "p", "q", "qi"] {
            assert!(!names.contains(&private), "{key}");
        }
        assert_eq!(key["use"], "sig");
        shapes.push(format!("{} {}", key["alg"].as_str().unwrap(), names.join(" ")));
        // What we publish, others can read; and so can we.
        let again = VerifyingKey::from_jwk(&key.to_string()).unwrap();
        assert_eq!(again.kid(), key["kid"].as_str().unwrap());
        assert_eq!(again.algorithm().name(), key["alg"]);
    }
    shapes.sort_unstable();
    let expected = [
        "ES256 alg crv kid kty use x y",
        "ES256 alg crv kid kty use x y",
        "ES384 alg crv kid kty use x y",
        "EdDSA alg crv kid kty use x",
        "EdDSA alg crv kid kty use x",
        "PS256 alg e kid kty n use",
    ];
    assert_eq!(shapes, expected);
    assert!(published.iter().any(|key| key["kid"] == "p256"));
    let secret = KeySet::new(SigningKey::generate_for(Algorithm::Hs512).unwrap());
    assert!(secret.jwks().keys.is_empty());
}

#[test]
fn thumbprints_agree_with_jsonwebtoken() {
    // A build of the whole workspace has several backends of it, and then it chooses none. Fails when another test was
    // first.
    let _ = jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER.install_default();
    for jwk in everything().jwks().keys {
        let thumbprint = jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap();
        let kid = jwk.common.key_id.unwrap();
        assert!(kid == thumbprint || kid == "p256", "{kid}");
    }
}

#[test]
fn keys_are_found_by_name_by_header_and_in_person() {
    let keys = everything();
    for jwk in keys.jwks().keys {
        let kid = jwk.common.key_id.unwrap();
        let key = keys.find(&kid).unwrap();
        assert_eq!(key.kid(), kid);
        assert!(keys.find_by_header(key.header()).unwrap().is_same(key));
        assert!(keys.holds(key) && keys.holds(&key.clone()));
    }
    assert!(keys.find("").is_none() && keys.find("nobody").is_none());
    assert!(keys.find_by_header("").is_none());
    assert!(keys.find(keys.signing().kid()).unwrap().is_same(keys.signing().verifying_key()));
    let twin = SigningKey::from_jwk(ED25519).unwrap();
    assert_eq!(twin.kid(), keys.signing().kid());
    assert!(!keys.holds(twin.verifying_key()));
}

#[test]
fn a_name_stands_for_one_key() {
    let named = |json: &str| SigningKey::from_jwk(&edited(json, &[], r#""kid":"same","#)).unwrap();
    let (first, second) = (named(ED25519), named(P256));
    let keys = KeySet::new(SigningKey::generate().unwrap())
        .with_retired(first.verifying_key().clone())
        .with_retired(second.verifying_key().clone());
    assert!(keys.holds(second.verifying_key()) && !keys.holds(first.verifying_key()));
    assert_eq!(keys.jwks().keys.len(), 2);

    let keys = KeySet::new(first).with_retired(second.verifying_key().clone());
    assert_eq!(keys.find("same").unwrap().algorithm(), Algorithm::EdDsa, "the key that signs keeps its name");
    assert!(!keys.holds(second.verifying_key()));
}
