//! Tests of keys, by subject, and the keys that several of them use. No test here mints a token.

mod documents;
mod import;
mod jwk;
mod provider;
mod set;
mod vectors;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::ErrorKind;

/// The private key of RFC 7515, appendix A.2.
const RSA_PEM: &str = include_str!("rfc_7515_a2.pem");

const RSA_N: &str = "\
    ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR\
    T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB\
    dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia\
    GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";

/// The key of RFC 7515, appendix A.3, private.
const P256: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;

/// The key of RFC 8037, appendix A.1, private.
const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

const GENERATED: [Algorithm; 6] =
    [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Es384, Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn rsa_key(algorithm: Algorithm) -> SigningKey {
    SigningKey::from_rsa_pkcs8_pem(algorithm, RSA_PEM).unwrap()
}

/// The text without the members of these names, and with `more` in front.
fn edited(json: &str, without: &[&str], more: &str) -> String {
    let mut members: serde_json::Map<_, _> = serde_json::from_str(json).unwrap();
    members.retain(|name, _| !without.contains(&name.as_str()));
    let text = serde_json::to_string(&members).unwrap();
    text.replacen('{', &format!("{{{more}"), 1)
}

#[track_caller]
fn assert_misuse<T: std::fmt::Debug>(result: Result<T, crate::Error>, part: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse, "{error}");
    assert!(error.to_string().contains(part), "{error}");
}

#[test]
fn names_lead_back() {
    for algorithm in GENERATED.into_iter().chain([Algorithm::Ps256, Algorithm::Rs256]) {
        assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
        assert_eq!(serde_json::to_value(algorithm.jsonwebtoken()).unwrap(), algorithm.name());
        assert_eq!(Algorithm::from_name(&algorithm.name().to_ascii_lowercase()), None);
    }
    for name in ["", "none", "noNE", "RS384", "ES256K", "Ed25519", "HS256 "] {
        assert_eq!(Algorithm::from_name(name), None, "{name}");
    }
    assert_eq!(Algorithm::default(), Algorithm::EdDsa);
}

#[test]
fn every_algorithm_signs_what_it_verifies() {
    let mut keys: Vec<_> =
        GENERATED.into_iter().map(|algorithm| SigningKey::generate_for(algorithm).unwrap()).collect();
    keys.extend([Algorithm::Ps256, Algorithm::Rs256].map(rsa_key));
    let lengths = [64, 64, 96, 32, 48, 64, 256, 256];
    for (key, length) in keys.iter().zip(lengths) {
        let signature = key.sign(b"a.b").unwrap();
        let signature = signature.as_ref();
        assert_eq!(signature.len(), length, "{key:?}");
        let verifying = key.verifying_key();
        assert!(verifying.verifies(b"a.b", signature), "{key:?}");
        assert!(!verifying.verifies(b"a.c", signature), "{key:?}");
        assert!(!verifying.verifies(b"a.b", &signature[1..]), "{key:?}");
        assert!(!verifying.verifies(b"a.b", &[signature, &[0]].concat()), "{key:?}");
        assert!(!verifying.verifies(b"a.b", &[&[0], signature].concat()), "{key:?}");
        assert!(!verifying.verifies(b"a.b", &vec![0; length]), "{key:?}");
        assert!(!verifying.verifies(b"a.b", &[]), "{key:?}");
        for other in keys.iter().filter(|other| other.algorithm() != key.algorithm()) {
            assert!(!other.verifying_key().verifies(b"a.b", signature), "{key:?} {other:?}");
        }

        // The same behind jsonwebtoken's traits.
        assert_eq!(key.jwt_signer().algorithm(), key.algorithm().jsonwebtoken());
        assert_eq!(verifying.jwt_verifier().algorithm(), key.algorithm().jsonwebtoken());
        let again = key.jwt_signer().try_sign(b"x").unwrap();
        assert!(verifying.jwt_verifier().verify(b"x", &again).is_ok());
        assert!(verifying.jwt_verifier().verify(b"y", &again).is_err());

        assert_eq!(verifying.is_symmetric(), key.algorithm().name().starts_with("HS"));
        let header = format!(r#"{{"alg":"{}","typ":"at+jwt","kid":"{}"}}"#, key.algorithm().name(), key.kid());
        assert_eq!(decode(verifying.header()), header.as_bytes());
    }
}

#[test]
fn rsa_keys_are_not_generated() {
    for algorithm in [Algorithm::Ps256, Algorithm::Rs256] {
        assert_misuse(SigningKey::generate_for(algorithm), "from_rsa_pkcs8_pem");
    }
}
