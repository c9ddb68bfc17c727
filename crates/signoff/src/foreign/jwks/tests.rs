//! JWK sets, good and bad.

use super::*;

const ED25519: &str = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
const OTHER: &str = r#""kty":"OKP","crv":"Ed25519","x":"Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE""#;
const RSA: &str = r#""kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ""#;

fn reading() -> Reading {
    Reading { rsa_algorithm: Algorithm::Ps256, algorithms: vec![Algorithm::EdDsa, Algorithm::Ps256, Algorithm::Rs256] }
}

fn parse(document: &str) -> Result<Keys, Error> {
    Keys::parse(document, &reading(), &Keys::none_yet(), Age::Ageless)
}

fn kids(keys: &[&str]) -> Vec<String> {
    parse(&format!(r#"{{"keys":[{}]}}"#, keys.iter().map(|key| format!("{{{key}}}")).collect::<Vec<_>>().join(",")))
        .unwrap()
        .kids()
}

#[test]
fn what_cannot_be_used_is_passed_over() {
    let good = format!(r#"{ED25519},"kid":"good","use":"sig","alg":"EdDSA","x5t":"x","nonsense":[1]"#);
    let with = |more: &str| format!("{ED25519},{more}");
    for bad in [
        with(r#""kid":"k","use":"enc""#),
        with(r#""kid":"k","alg":"ES512""#),
        with(r#""kid":"k","alg":"HS256""#),
        with(r#""kid":"k","alg":"none""#),
        with(r#""kid":"k","key_ops":["sign"]"#),
        with(r#""kid":"k","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A""#),
        with(r#""kid":7"#),
        with(r#""kid":"""#),
        ED25519.to_owned(),
        r#""kty":"oct","kid":"k","alg":"HS256","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow""#.to_owned(),
        r#""kty":"EC","crv":"secp256k1","kid":"k","x":"AA","y":"AA""#.to_owned(),
        r#""kty":"AKP","kid":"k","pub":"AA""#.to_owned(),
        r#""kid":"k""#.to_owned(),
        // An algorithm that the issuer may not use.
        r#""kty":"EC","crv":"P-256","kid":"k","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#.to_owned(),
    ] {
        assert_eq!(kids(&[&bad, &good]), ["good"], "{bad}");
    }
}

#[test]
fn a_document_that_is_broken_is_refused_whole() {
    let key = format!(r#"{{{ED25519},"kid":"k"}}"#);
    let many = |count: usize| {
        let keys: Vec<_> = (0..count).map(|n| format!(r#"{{{ED25519},"kid":"{n}"}}"#)).collect();
        format!(r#"{{"keys":[{}]}}"#, keys.join(","))
    };
    assert_eq!(parse(&many(64)).unwrap().len(), 64);
    for bad in [
        String::new(),
        "{}".to_owned(),
        r#"{"keys":{}}"#.to_owned(),
        r#"{"keys":[1]}"#.to_owned(),
        format!(r#"[{key}]"#),
        format!(r#"{{"keys":[{key}],"keys":[]}}"#),
        format!(r#"{{"keys":[{{{ED25519},"kid":"k","kid":"k"}}]}}"#),
        format!(r#"{{"keys":[{key}]}} trailing"#),
        many(65),
        format!(r#"{{"keys":[{key}],"x":"{}"}}"#, "x".repeat(MAX_DOCUMENT)),
    ] {
        assert!(parse(&bad).is_err(), "{bad:.80}");
    }
    assert_eq!(parse(r#"{"keys":[]}"#).unwrap().len(), 0, "a set may be empty");
}

#[test]
fn a_name_stands_for_one_key() {
    let (one, other) = (format!(r#"{ED25519},"kid":"k""#), format!(r#"{OTHER},"kid":"k""#));
    let third = format!(r#"{ED25519},"kid":"third""#);
    assert_eq!(kids(&[&one, &third, &one]), ["k", "third"], "the same key twice is one key");
    assert_eq!(kids(&[&one, &third, &other]), ["third"]);
    assert_eq!(kids(&[&one, &other, &one, &third]), ["third"]);
    assert_eq!(kids(&[&one, &format!(r#"{OTHER},"kid":"k","use":"enc""#)]), ["k"], "what signs nothing has no say");
}

#[test]
fn rsa_keys_without_alg_are_bound_to_one() {
    let keys = |key: &str| parse(&format!(r#"{{"keys":[{{{key}}}]}}"#)).unwrap();
    let found = keys(&format!(r#"{RSA},"kid":"k","use":"sig""#));
    assert_eq!(found.find("k").unwrap().algorithm(), Algorithm::Ps256);
    let found = keys(&format!(r#"{RSA},"kid":"k","alg":"RS256""#));
    assert_eq!(found.find("k").unwrap().algorithm(), Algorithm::Rs256);
    assert_eq!(keys(&format!(r#"{RSA},"kid":"k","alg":"RSA-OAEP""#)).len(), 0);
}

#[test]
fn a_key_that_did_not_change_stays_the_same_key() {
    let document = |keys: &str| format!(r#"{{"keys":[{keys}]}}"#);
    let (one, other) = (format!(r#"{{{ED25519},"kid":"k"}}"#), format!(r#"{{{OTHER},"kid":"k"}}"#));
    let first = parse(&document(&one)).unwrap();
    let key = first.find("k").unwrap().clone();
    let again = Keys::parse(&document(&one), &reading(), &first, Age::Ageless).unwrap();
    assert!(again.holds(&key));
    let replaced = Keys::parse(&document(&other), &reading(), &first, Age::Ageless).unwrap();
    assert!(replaced.find("k").is_some() && !replaced.holds(&key), "another key under the old name");
}
