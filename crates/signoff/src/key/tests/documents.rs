//! Keys that go into a store and come back.

use super::*;

fn samples() -> Vec<SigningKey> {
    let mut keys: Vec<_> =
        GENERATED.into_iter().map(|algorithm| SigningKey::generate_for(algorithm).unwrap()).collect();
    keys.extend([Algorithm::Ps256, Algorithm::Rs256].map(rsa_key));
    let secret = format!(r#"{{"kty":"oct","alg":"HS384","kid":"a \"b\"","k":"{}"}}"#, encode(&[9; 48]));
    for jwk in [ED25519, P256, &edited(P256, &[], r#""kid":"mine","#), &secret] {
        keys.push(SigningKey::from_jwk(jwk).unwrap());
    }
    keys
}

#[test]
fn a_document_is_the_same_key_again() {
    for key in samples() {
        let again = SigningKey::from_document(key.algorithm(), key.document()).unwrap();
        assert_eq!(again.kid(), key.kid());
        assert_eq!(again.verifying_key().header(), key.verifying_key().header());
        assert_eq!(again.document(), key.document());
        let signature = again.sign(b"a.b").unwrap();
        assert!(key.verifying_key().verifies(b"a.b", signature.as_ref()), "{key:?}");
        assert!(!again.verifying_key().is_same(key.verifying_key()));
        for other in GENERATED.into_iter().filter(|other| *other != key.algorithm()) {
            // A secret says nothing about its algorithm, so only its length can tell.
            if !(key.algorithm().is_symmetric() && other.is_symmetric()) {
                let error = SigningKey::from_document(other, key.document()).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Data, "{key:?} {other:?}");
            }
        }
    }
}

#[test]
fn a_secret_that_looks_like_something_else_stays_a_secret() {
    let json = r#"{"kty":"oct","alg":"HS256","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;
    let key = SigningKey::from_secret(Algorithm::Hs256, json.as_bytes()).unwrap();
    let again = SigningKey::from_document(Algorithm::Hs256, key.document()).unwrap();
    assert_eq!(again.kid(), key.kid());
    assert_ne!(SigningKey::from_jwk(json).unwrap().kid(), key.kid());
}

#[test]
fn damaged_documents_are_data() {
    for bad in [&b""[..], b"P", b"J", b"S", b"X", b"J{}", b"J\xff", b"S123", b"P\x30\x00"] {
        assert_eq!(SigningKey::from_document(Algorithm::Hs256, bad).unwrap_err().kind(), ErrorKind::Data, "{bad:?}");
        assert_eq!(SigningKey::from_document(Algorithm::EdDsa, bad).unwrap_err().kind(), ErrorKind::Data, "{bad:?}");
    }
}

#[test]
fn nothing_private_prints() {
    for key in samples() {
        let text =
            format!("{key:?} {:?}", KeySet::new(SigningKey::from_document(key.algorithm(), key.document()).unwrap()));
        let document = key.document();
        assert!(!text.contains(&encode(&document[1..])));
        assert!(!text.contains(&format!("{:?}", &document[1..])));
        for secret in ["nWGxne", "jpsQnn", "CQkJCQ"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
