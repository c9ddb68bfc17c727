//! What is accepted as a token, and what is not: single changes to a good one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};
use signoff::{Algorithm, Delivery, KeySet, Rejection, Settings, SigningKey, Signoff, Unverified};

use crate::bank::{Bank, key, start};

/// A token signed with the bank's own key, over any header and payload.
pub(crate) fn sign(header: &str, payload: &str) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[7; 32]), input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag))
}

pub(crate) fn header() -> String {
    format!(r#"{{"alg":"HS256","typ":"at+jwt","kid":"{}"}}"#, key().kid())
}

pub(crate) fn payload() -> Value {
    let now = start().as_secs();
    json!({
        "iss": "https://bank.example", "sub": "alice", "aud": "https://bank.example/api", "exp": now + 60, "iat": now,
        "jti": "A".repeat(22), "sid": "A".repeat(22), "pos": start().as_micros(), "client_id": "app",
    })
}

#[tokio::test]
async fn each_claim_is_required_and_typed() {
    let bank = Bank::open(Delivery::Jwt).await;
    let verify = |payload: &Value| bank.signoff.verify(&sign(&header(), &payload.to_string())).map(|_| ());
    assert_eq!(verify(&payload()), Ok(()));
    let with = |name: &str, value: Value| {
        let mut payload = payload();
        payload[name] = value;
        payload
    };
    for name in ["iss", "sub", "aud", "exp", "iat", "jti", "sid", "pos", "client_id"] {
        let mut without = payload();
        without.as_object_mut().unwrap().remove(name);
        assert_eq!(verify(&without), Err(Rejection::Malformed), "without {name}");
        for wrong in [json!(null), json!(true), json!({}), json!([[]]), json!(-1), json!(1.5), json!("")] {
            let wrong = with(name, wrong);
            assert!(verify(&wrong).is_err(), "{wrong}");
        }
    }
    for (name, value, expect) in [
        ("iss", json!("https://bank.example/"), Rejection::WrongIssuer),
        ("iss", json!("HTTPS://bank.example"), Rejection::WrongIssuer),
        ("aud", json!("https://other.example"), Rejection::WrongAudience),
        ("aud", json!(["a", "b"]), Rejection::WrongAudience),
        ("aud", json!([]), Rejection::WrongAudience),
        ("aud", json!(42), Rejection::Malformed),
        ("aud", json!(["https://bank.example/api", 42]), Rejection::Malformed),
        ("exp", json!("9999999999"), Rejection::Malformed),
        ("exp", json!(start().as_secs()), Rejection::Expired),
        ("exp", json!(u64::MAX), Rejection::Malformed),
        ("exp", json!(253_402_300_800_i64), Rejection::Malformed),
        ("nbf", json!(start().as_secs() + 1), Rejection::NotYetValid),
        ("nbf", json!("0"), Rejection::Malformed),
        ("pos", json!(u64::MAX), Rejection::Malformed),
        ("sid", json!("A".repeat(21) + "B"), Rejection::Malformed),
        ("jti", json!("x"), Rejection::Malformed),
        ("sub", json!("a\u{0}b"), Rejection::Malformed),
        ("sub", json!("a".repeat(256)), Rejection::Malformed),
        ("scope", json!(["read"]), Rejection::Malformed),
    ] {
        let wrong = with(name, value);
        assert_eq!(verify(&wrong), Err(expect), "{wrong}");
    }
    for (name, value) in
        [("aud", json!(["x", "https://bank.example/api"])), ("nbf", json!(0)), ("own", json!({"a": [1]}))]
    {
        assert_eq!(verify(&with(name, value)), Ok(()));
    }
}

#[tokio::test]
async fn json_is_read_strictly() {
    let bank = Bank::open(Delivery::Jwt).await;
    let good = payload().to_string();
    let verify = |payload: &str| bank.signoff.verify(&sign(&header(), payload)).map(|_| ());
    assert_eq!(verify(&good), Ok(()));
    for bad in [
        good.replacen('{', r#"{"sub":"bob","#, 1),
        good.replacen('{', r#"{"own":{"a":1,"a":2},"#, 1),
        good.replacen('{', r#"{"own":[[[[[[[[[]]]]]]]]],"#, 1),
        format!("{good}{good}"),
        format!("{good} x"),
        format!("\u{feff}{good}"),
        good.replacen("60", "6e1", 1).replacen(&(start().as_secs() + 60).to_string(), "1.8e10", 1),
    ] {
        assert_eq!(verify(&bad), Err(Rejection::Malformed), "{bad}");
    }
}

#[tokio::test]
async fn the_key_decides_the_algorithm() {
    let folder = tempfile::tempdir().unwrap();
    let ed = SigningKey::load_or_create(folder.path().join("ed"), Algorithm::EdDsa).unwrap();
    let (ed_kid, hs_kid) = (ed.kid().to_owned(), key().kid().to_owned());
    let keys = KeySet::new(ed).with_retired(key().verifying_key().clone());
    let settings = Settings::new("https://bank.example", "https://bank.example/api");
    let clock = std::sync::Arc::new(signoff::test_util::ManualClock::new(start()));
    let signoff = Signoff::open_with_clock(signoff::MemoryStore::new(), keys, settings, clock).await.unwrap();
    let verify = |alg: &str, kid: &str| {
        let header = format!(r#"{{"alg":"{alg}","typ":"at+jwt","kid":"{kid}"}}"#);
        signoff.verify(&sign(&header, &payload().to_string())).map(|_| ())
    };
    assert_eq!(verify("HS256", &hs_kid), Ok(()), "a retired key still verifies");
    assert_eq!(verify("HS256", &ed_kid), Err(Rejection::WrongAlgorithm));
    assert_eq!(verify("EdDSA", &hs_kid), Err(Rejection::WrongAlgorithm));
    assert_eq!(verify("EdDSA", &ed_kid), Err(Rejection::BadSignature));
    for alg in ["none", "NONE", "", "HS384", "RS256"] {
        assert_eq!(verify(alg, &hs_kid), Err(Rejection::WrongAlgorithm));
    }
    for kid in ["", "x", "' OR 1=1 --", "../../dev/null"] {
        assert_eq!(verify("HS256", kid), Err(Rejection::UnknownKey));
    }
}

#[tokio::test]
async fn every_algorithm_mints_what_it_verifies() {
    let folder = tempfile::tempdir().unwrap();
    use Algorithm::{EdDsa, Es256, Es384, Hs256, Hs384, Hs512};
    for algorithm in [EdDsa, Es256, Es384, Hs256, Hs384, Hs512] {
        let key = SigningKey::load_or_create(folder.path().join(algorithm.name()), algorithm).unwrap();
        let settings = Settings::new("https://bank.example", "https://bank.example/api");
        let signoff = Signoff::open(signoff::MemoryStore::new(), KeySet::new(key), settings).await.unwrap();
        let issued = signoff.log_in(signoff::Login::new(crate::bank::subject("alice"))).await.unwrap();
        let token = issued.token.expose();
        assert!(signoff.verify(token).is_ok());
        // Every single changed character is noticed.
        for n in 0..token.len() {
            let mut changed = token.to_owned().into_bytes();
            changed[n] = if changed[n] == b'A' { b'B' } else { b'A' };
            assert!(signoff.verify(std::str::from_utf8(&changed).unwrap()).is_err(), "{algorithm:?}, character {n}");
        }
    }
}

#[tokio::test]
async fn a_token_is_not_known_by_its_bytes() {
    // ES256 signatures have a twin, (r, n - s): the same token under another spelling dies with it.
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::load_or_create(folder.path().join("key"), Algorithm::Es256).unwrap();
    let settings = Settings::new("https://bank.example", "https://bank.example/api");
    let signoff = Signoff::open(signoff::MemoryStore::new(), KeySet::new(key), settings).await.unwrap();
    let issued = signoff.log_in(signoff::Login::new(crate::bank::subject("alice"))).await.unwrap();
    let (input, signature) = issued.token.expose().rsplit_once('.').unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let order: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut borrow = 0i16;
    for n in (0..32).rev() {
        let digit = i16::from(order[n]) - i16::from(bytes[32 + n]) - borrow;
        borrow = i16::from(digit < 0);
        bytes[32 + n] = digit.rem_euclid(256) as u8;
    }
    let twin = format!("{input}.{}", URL_SAFE_NO_PAD.encode(&bytes));
    assert_ne!(twin, issued.token.expose());
    assert!(signoff.verify(&twin).is_ok(), "the twin verifies, as it does everywhere");
    let _ = signoff.log_out(&[issued.token.expose()], signoff::Cause::logout()).await.unwrap();
    assert_eq!(signoff.verify(&twin).unwrap_err(), Rejection::Revoked);
}

#[test]
fn garbage_of_any_size_is_refused() {
    for size in [0, 1, 100, 8 * 1024, 8 * 1024 + 1, 64 * 1024, 1 << 20] {
        for byte in ["a", ".", "é", "\0", "=", "{"] {
            assert!(Unverified::parse(&byte.repeat(size)).is_err());
            assert!(Unverified::parse(&format!("soa_{}", byte.repeat(size))).is_err());
        }
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}", parts in proptest::collection::vec("[A-Za-z0-9_-]{0,40}", 0..6)) {
        prop_assert!(Unverified::parse(&text).is_err());
        let _ = Unverified::parse(&parts.join("."));
    }
}
