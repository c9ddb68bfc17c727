//! JWKs that are read: which are keys, and which are refused. What is published has a file of its own.

use super::*;

fn rsa(more: &str) -> String {
    format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"AQAB"{more}}}"#)
}

#[test]
fn the_algorithm_is_one() {
    let ed = edited(ED25519, &["d"], "");
    let ec = edited(P256, &["d"], "");
    let with = |json: &str, more: &str| edited(json, &[], more);
    assert_eq!(VerifyingKey::from_jwk(&ed).unwrap().algorithm(), Algorithm::EdDsa);
    assert_eq!(VerifyingKey::from_jwk(&with(&ec, r#""alg":"ES256","#)).unwrap().algorithm(), Algorithm::Es256);
    assert_misuse(VerifyingKey::from_jwk(&with(&ec, r#""alg":"ES384","#)), "does not go with");
    assert_misuse(VerifyingKey::from_jwk(&with(&ed, r#""alg":"HS256","#)), "does not go with");
    assert_misuse(VerifyingKey::from_jwk(&with(&ec, r#""alg":"ES256K","#)), "no algorithm");
    assert_misuse(VerifyingKey::from_jwk(&with(&ec, r#""alg":256,"#)), "string");
    assert_misuse(VerifyingKey::from_jwk_as(Algorithm::Es384, &ec), "does not go with");
    assert_misuse(VerifyingKey::from_jwk_as(Algorithm::Hs256, &ec), "does not go with");

    assert_misuse(VerifyingKey::from_jwk(&rsa("")), "must name its alg");
    assert_eq!(VerifyingKey::from_jwk(&rsa(r#","alg":"PS256""#)).unwrap().algorithm(), Algorithm::Ps256);
    assert_eq!(VerifyingKey::from_jwk_as(Algorithm::Rs256, &rsa("")).unwrap().algorithm(), Algorithm::Rs256);
    assert_misuse(VerifyingKey::from_jwk_as(Algorithm::Rs256, &rsa(r#","alg":"PS256""#)), "another");
    assert_misuse(VerifyingKey::from_jwk_as(Algorithm::Hs256, &rsa("")), "does not go with");

    assert_eq!(SigningKey::from_jwk(P256).unwrap().algorithm(), Algorithm::Es256);
    assert_misuse(SigningKey::from_jwk(&with(P256, r#""alg":"EdDSA","#)), "does not go with");
    let secret = |alg: &str, length| format!(r#"{{"kty":"oct"{alg},"k":"{}"}}"#, encode(&vec![1; length]));
    assert_misuse(SigningKey::from_jwk(&secret("", 32)), "must name its alg");
    assert_misuse(SigningKey::from_jwk(&secret(r#","alg":"ES256""#, 32)), "does not go with");
    assert_misuse(SigningKey::from_jwk(&secret(r#","alg":"HS512""#, 63)), "at least");
    assert_eq!(SigningKey::from_jwk(&secret(r#","alg":"HS512""#, 64)).unwrap().algorithm(), Algorithm::Hs512);
}

#[test]
fn the_purpose_is_respected() {
    let public = edited(P256, &["d"], "");
    for (more, good) in [
        (r#""use":"sig","#, true),
        (r#""use":"enc","#, false),
        (r#""use":["sig"],"#, false),
        (r#""key_ops":["verify"],"#, true),
        (r#""key_ops":["sign","verify"],"use":"sig","#, true),
        (r#""key_ops":["sign"],"#, false),
        (r#""key_ops":[],"#, false),
        (r#""key_ops":"verify","#, false),
        (r#""x5c":["AAAA"],"x5t":"AA","unknown":{"d":1},"#, true),
    ] {
        assert_eq!(VerifyingKey::from_jwk(&edited(&public, &[], more)).is_ok(), good, "{more}");
    }
    assert!(SigningKey::from_jwk(&edited(P256, &[], r#""key_ops":["sign"],"#)).is_ok());
    assert_misuse(SigningKey::from_jwk(&edited(P256, &[], r#""key_ops":["verify"],"#)), "key_ops");
    assert_misuse(SigningKey::from_jwk(&edited(P256, &[], r#""use":"enc","#)), "use");
}

#[test]
fn private_and_public_keys_have_their_places() {
    assert_misuse(VerifyingKey::from_jwk(P256), "private key");
    assert_misuse(VerifyingKey::from_jwk(ED25519), "private key");
    let secret = format!(r#"{{"kty":"oct","alg":"HS256","k":"{}"}}"#, encode(&[1; 32]));
    assert_misuse(VerifyingKey::from_jwk(&secret), "secret");
    assert_misuse(VerifyingKey::from_jwk(r#"{"kty":"oct","alg":"HS256"}"#), "secret");
    for name in ["d", "dp", "dq", "k", "oth", "p", "q", "qi"] {
        assert_misuse(VerifyingKey::from_jwk(&rsa(&format!(r#","alg":"RS256","{name}":"AQAB""#))), "private key");
    }
    assert_misuse(SigningKey::from_jwk(&edited(P256, &["d"], "")), "cannot sign");
    assert_misuse(SigningKey::from_jwk(&rsa(r#","alg":"RS256""#)), "cannot sign");
    assert_misuse(SigningKey::from_jwk(&rsa(r#","alg":"RS256","d":"AQAB""#)), "from_rsa_pkcs8_pem");
}

#[test]
fn a_kid_is_a_name() {
    let public = edited(P256, &["d"], "");
    let named = |kid: &str| VerifyingKey::from_jwk(&edited(&public, &[], &format!(r#""kid":{kid},"#)));
    assert_eq!(named(r#""it's \"mine\"""#).unwrap().kid(), r#"it's "mine""#);
    assert_eq!(named(&format!("\"{}\"", "k".repeat(256))).unwrap().kid().len(), 256);
    for bad in [r#""""#, r#""a\nb""#, r#""a\u0000""#, r#""\u0085""#, "7", "null", &format!("\"{}\"", "k".repeat(257))] {
        assert_misuse(named(bad), "");
    }
    // Whatever the name holds, the header that we prepare is the JSON that says so.
    let key = named(r#""\\ \" é""#).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&decode(key.header())).unwrap();
    assert_eq!(header["kid"], r#"\ " é"#);
    assert_eq!(header.as_object().unwrap().len(), 3);
}

#[test]
fn only_exact_keys_are_keys() {
    let edit = |name: &str, value: &str| edited(&edited(P256, &["d"], ""), &[name], &format!(r#""{name}":"{value}","#));
    let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    assert!(VerifyingKey::from_jwk(&edit("y", y)).is_ok());
    for bad in [&y[1..], &format!("{y}="), &format!("{y}A"), &y.replace("a0", "a1"), &y.replace('-', "+"), "", "é"] {
        if *bad != *y {
            assert_misuse(VerifyingKey::from_jwk(&edit("y", bad)), "");
        }
    }
    assert_misuse(VerifyingKey::from_jwk(&edit("crv", "P-384")), "coordinate");
    for (name, value) in [("crv", "P-521"), ("crv", "secp256k1"), ("kty", "OKP"), ("kty", "ec"), ("kty", "")] {
        assert_misuse(VerifyingKey::from_jwk(&edit(name, value)), "kty and crv");
    }
    for missing in ["x", "y", "crv", "kty"] {
        assert_misuse(VerifyingKey::from_jwk(&edited(P256, &["d", missing], "")), "");
    }
    for bad in ["", "[]", "null", "{}", r#"{"keys":[]}"#, &format!("{}x", edit("y", y))] {
        assert_misuse(VerifyingKey::from_jwk(bad), "");
        assert_misuse(SigningKey::from_jwk(bad), "");
    }
    let twice = edited(P256, &["d"], r#""kty":"EC","#);
    assert_misuse(VerifyingKey::from_jwk(&twice), "twice");
    assert_misuse(SigningKey::from_jwk(&edited(P256, &[], r#""d":"AA","#)), "twice");

    // Ed25519 with a byte too many, X25519, and halves of different keys.
    let ed = |x: &str, crv: &str| format!(r#"{{"kty":"OKP","crv":"{crv}","x":"{x}"}}"#);
    assert_misuse(VerifyingKey::from_jwk(&ed(&encode(&[1; 33]), "Ed25519")), "Ed25519");
    assert_misuse(VerifyingKey::from_jwk(&ed(&encode(&[1; 32]), "X25519")), "kty and crv");
    assert_misuse(SigningKey::from_jwk(&edited(ED25519, &["d"], &format!(r#""d":"{}","#, encode(&[1; 32])))), "one");
    assert_misuse(SigningKey::from_jwk(&edited(P256, &["d"], &format!(r#""d":"{}","#, encode(&[1; 32])))), "one");
    assert_misuse(SigningKey::from_jwk(&edited(P256, &["d"], &format!(r#""d":"{}","#, encode(&[1; 31])))), "as long");
    assert_misuse(SigningKey::from_jwk(&edited(P256, &["d"], &format!(r#""d":"{}","#, encode(&[0; 32])))), "one");
}

#[test]
fn a_point_off_the_curve_verifies_nothing() {
    let off = edited(P256, &["d", "y"], &format!(r#""y":"{}","#, encode(&[1; 32])));
    let signature = SigningKey::from_jwk(P256).unwrap().sign(b"a.b").unwrap();
    // Refused at once or never of use, as the library has it.
    assert!(VerifyingKey::from_jwk(&off).map_or(true, |key| !key.verifies(b"a.b", signature.as_ref())));
}

#[test]
fn rsa_keys_have_bounds() {
    let key = |n: &[u8], e: &[u8]| {
        let json = format!(r#"{{"kty":"RSA","alg":"RS256","n":"{}","e":"{}"}}"#, encode(n), encode(e));
        VerifyingKey::from_jwk(&json)
    };
    let modulus = |length: usize, first: u8| {
        let mut n = vec![0xff; length];
        n[0] = first;
        n
    };
    let e = [1, 0, 1];
    for (length, first, good) in
        [(256, 0x80, true), (256, 0x7f, false), (255, 0xff, false), (1024, 0xff, true), (1025, 0x01, false)]
    {
        assert_eq!(key(&modulus(length, first), &e).is_ok(), good, "{length} {first}");
    }
    assert_misuse(key(&modulus(257, 0), &e), "leading zeros");
    assert_misuse(key(&[], &e), "modulus");
    let n = modulus(256, 0xff);
    for (e, good) in [
        (&[3][..], true),
        (&[1, 0, 0, 0, 1], true),
        (&[], false),
        (&[0], false),
        (&[1], false),
        (&[2], false),
        (&[1, 0, 0], false),
        (&[0, 3], false),
        (&[2, 0, 0, 0, 1], false),
        (&[1, 0, 0, 0, 0, 1], false),
    ] {
        assert_eq!(key(&n, e).is_ok(), good, "{e:?}");
    }
    let mut even = n;
    even[255] = 0xfe;
    assert_misuse(key(&even, &e), "odd modulus");
}
