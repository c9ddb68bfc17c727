//! Published attacks on JWTs: everything is right that the attack leaves right, and each is refused for its own reason.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use signoff::Rejection::{
    BadSignature, Malformed, TooLarge, UnknownKey, WrongAlgorithm, WrongAudience, WrongIssuer, WrongType,
};
use signoff::test_util::ManualClock;
use signoff::{Algorithm, KeySet, MemoryStore, Settings, SigningKey, Signoff};

use crate::bank::start;

/// The attacks of RFC 8725, section 2, and of its successor's draft, with everything right that the attack leaves right.
#[tokio::test]
async fn published_attacks_fail() {
    let keys = Keys::new();
    let signoff = keys.service().await;
    let refused = |token: &str| signoff.verify(token).map(|_| ()).unwrap_err();
    for key in [&keys.hs256, &keys.es256, &keys.eddsa] {
        assert!(signoff.verify(&keys.sign(key, &keys.header(key), &claims().to_string())).is_ok(), "the base is good");
    }
    let good = claims().to_string();
    let hs256 = |header: &str, payload: &str| refused(&keys.sign(&keys.hs256, header, payload));
    let with = |name: &str, value: Value| {
        let mut header: Value = serde_json::from_str(&keys.header(&keys.hs256)).unwrap();
        header[name] = value;
        header.to_string()
    };

    // 2.1: no signature, and a public key taken for a secret.
    for alg in ["none", "None", "nOnE", "NONE", ""] {
        let header = with("alg", json!(alg));
        assert_eq!(hs256(&header, &good), WrongAlgorithm);
        let unsigned = format!("{}.{}.", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(&good));
        assert_eq!(refused(&unsigned), Malformed);
    }
    for (victim, public) in [(&keys.eddsa, keys.ed_public()), (&keys.es256, keys.ec_public())] {
        let jwk = signoff.jwks().keys.into_iter().find(|jwk| jwk.common.key_id.as_deref() == Some(victim.kid()));
        for secret in [public.clone(), STANDARD.encode(&public).into(), serde_json::to_vec(&jwk).unwrap()] {
            for (kid, expect) in [(victim.kid(), WrongAlgorithm), (keys.hs256.kid(), BadSignature)] {
                let header = with("kid", json!(kid));
                assert_eq!(refused(&hmac_token(&secret, &header, &good)), expect);
            }
        }
    }
    // 2.3 and 2.5: compressed, encrypted, nested.
    for (name, value) in [("zip", json!("DEF")), ("enc", json!("A256GCM")), ("cty", json!("JWT"))] {
        assert_eq!(hs256(&with(name, value), &good), Malformed);
    }
    let inner = keys.sign(&keys.hs256, &keys.header(&keys.hs256), &good);
    assert_eq!(hs256(&keys.header(&keys.hs256), &inner), Malformed);
    assert_eq!(hs256(&keys.header(&keys.hs256), &json!(inner).to_string()), Malformed);
    // 2.4: work for nothing.
    assert_eq!(hs256(&with("alg", json!("PBES2-HS512+A256KW")), &good), WrongAlgorithm);
    assert_eq!(hs256(&with("padding", json!("x".repeat(1024))), &good), TooLarge);
    assert_eq!(refused(&format!("{inner}{}", "A".repeat(8192))), TooLarge);
    // 2.6: other encodings of JSON.
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let header = URL_SAFE_NO_PAD.encode(keys.header(&keys.hs256));
    let input = format!("{header}.{}", URL_SAFE_NO_PAD.encode(utf16));
    assert_eq!(refused(&format!("{input}.{}", tag(&decode(A1_KEY), &input))), Malformed);
    // 2.7 and 2.8: from somebody else, for somebody else, of another kind.
    for (name, expect) in [("iss", WrongIssuer), ("aud", WrongAudience)] {
        let mut other = claims();
        other[name] = json!("https://other.example");
        assert_eq!(hs256(&keys.header(&keys.hs256), &other.to_string()), expect);
    }
    for typ in ["JWT", "logout+jwt", "secevent+jwt", "dpop+jwt", "rt+jwt", "application/jwt", "at+jwt;v=1"] {
        assert_eq!(hs256(&with("typ", json!(typ)), &good), WrongType);
    }
    // 2.9: `kid` as a question to a database or a file system, and keys from elsewhere.
    for kid in ["' OR '1'='1", "../../../dev/null", "/proc/self/environ", "", "\u{0}", "x | id"] {
        assert_eq!(hs256(&with("kid", json!(kid)), &good), UnknownKey);
    }
    for name in ["jku", "x5u", "jwk", "x5c", "x5t", "x5t#S256", "crit", "b64"] {
        assert_eq!(hs256(&with(name, json!(["https://evil.example"])), &good), Malformed);
    }
}

/// Signatures that a lax verifier takes: none of them depends on the key.
#[tokio::test]
async fn odd_signatures_fail() {
    let keys = Keys::new();
    let signoff = keys.service().await;
    for key in [&keys.es256, &keys.eddsa, &keys.hs256] {
        let good = keys.sign(key, &keys.header(key), &claims().to_string());
        let (input, signature) = good.rsplit_once('.').unwrap();
        let bytes = decode(signature);
        let one = [vec![0; 31], vec![1], vec![0; 31], vec![1]].concat();
        // Zeros (CVE-2022-21449), ones, too short, too long, in two halves, and as ASN.1.
        let (r, s) = bytes.split_at(bytes.len() / 2);
        let der = [&[0x30, 70, 2, 33, 0], r, &[2, 33, 0], s].concat();
        let swapped = [s, r].concat();
        let longer = [bytes.as_slice(), &[0]].concat();
        let odd = [&[0; 64], one.as_slice(), &bytes[..bytes.len() - 1], &bytes[..16], r, &der, &swapped, &longer];
        for odd in odd {
            let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(odd));
            assert_eq!(signoff.verify(&token).unwrap_err(), BadSignature, "{:?}: {odd:?}", key.algorithm());
        }
    }
}

/// Keys from the documents, so that the tokens there meet a service that knows their keys.
pub(crate) struct Keys {
    hs256: SigningKey,
    es256: SigningKey,
    eddsa: SigningKey,
}

impl Keys {
    pub(crate) fn new() -> Self {
        crate::bank::second_opinion();
        Self {
            hs256: SigningKey::from_secret(Algorithm::Hs256, &decode(A1_KEY)).unwrap(),
            es256: SigningKey::from_pkcs8(Algorithm::Es256, &es256_pkcs8()).unwrap(),
            eddsa: SigningKey::from_pkcs8(Algorithm::EdDsa, &ed25519_pkcs8()).unwrap(),
        }
    }

    pub(crate) async fn service(&self) -> Signoff {
        let retired = [&self.es256, &self.eddsa].map(|key| key.verifying_key().clone());
        let signing = SigningKey::from_secret(Algorithm::Hs256, &decode(A1_KEY)).unwrap();
        let keys = retired.into_iter().fold(KeySet::new(signing), KeySet::with_retired);
        let settings = Settings::new("https://bank.example", "https://bank.example/api");
        let clock = Arc::new(ManualClock::new(start()));
        Signoff::open_with_clock(MemoryStore::new(), keys, settings, clock).await.unwrap()
    }

    fn header(&self, key: &SigningKey) -> String {
        format!(r#"{{"alg":"{}","typ":"at+jwt","kid":"{}"}}"#, key.algorithm().name(), key.kid())
    }

    /// A token over any header and payload. Not signoff signs here.
    fn sign(&self, key: &SigningKey, header: &str, payload: &str) -> String {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = match key.algorithm() {
            Algorithm::EdDsa => URL_SAFE_NO_PAD.encode(ed25519().sign(input.as_bytes())),
            Algorithm::Es256 => {
                let key = EncodingKey::from_ec_der(&es256_pkcs8());
                jsonwebtoken::crypto::sign(input.as_bytes(), &key, jsonwebtoken::Algorithm::ES256).unwrap()
            }
            _ => tag(&decode(A1_KEY), &input),
        };
        format!("{input}.{signature}")
    }

    fn ed_public(&self) -> Vec<u8> {
        ed25519().public_key().as_ref().to_vec()
    }

    fn ec_public(&self) -> Vec<u8> {
        [vec![4], decode(A3_KEY[1]), decode(A3_KEY[2])].concat()
    }
}

fn claims() -> Value {
    let now = start();
    json!({
        "iss": "https://bank.example", "sub": "alice", "aud": "https://bank.example/api", "exp": now.as_secs() + 60,
        "iat": now.as_secs(), "jti": "A".repeat(22), "sid": "A".repeat(22), "pos": now.as_micros(), "client_id": "app",
    })
}

fn hmac_token(secret: &[u8], header: &str, payload: &str) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    format!("{input}.{}", tag(secret, &input))
}

fn tag(secret: &[u8], input: &str) -> String {
    URL_SAFE_NO_PAD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes()))
}

pub(crate) fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// RFC 7515, appendix A.1.1.
pub(crate) const A1_KEY: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
/// RFC 7515, appendix A.3.1: the private number and the coordinates.
pub(crate) const A3_KEY: [&str; 3] = [
    "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
    "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
];
/// RFC 8037, appendix A.1.
const ED25519: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

fn ed25519() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&decode(ED25519)).unwrap()
}

/// PKCS#8 (RFC 8410, section 7) around a seed.
fn ed25519_pkcs8() -> Vec<u8> {
    [vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20], decode(ED25519)].concat()
}

/// PKCS#8 (RFC 5958 around RFC 5915) around the three numbers.
fn es256_pkcs8() -> Vec<u8> {
    let head = [
        0x30, 0x81, 0x87, 2, 1, 0, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce,
        0x3d, 3, 1, 7, 4, 0x6d, 0x30, 0x6b, 2, 1, 1, 4, 0x20,
    ];
    let [private, x, y] = A3_KEY.map(decode);
    [head.to_vec(), private, vec![0xa1, 0x44, 3, 0x42, 0, 4], x, y].concat()
}
