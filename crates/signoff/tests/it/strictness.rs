//! Hostile tokens that are signed with the right key: what is refused here is refused for what it is, and not because a
//! signature is missing. `docs/attacks.md` says which attack each test is about.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use signoff::Rejection::{
    self, BadSignature, Expired, Malformed, NotYetValid, Revoked, TooLarge, UnknownKey, UnknownToken, WrongAlgorithm,
    WrongAudience, WrongIssuer, WrongType,
};
use signoff::opaque::{Kind, Opaque, Pepper, Peppers, generate};
use signoff::test_util::{FailingStore, ManualClock};
use signoff::{
    Algorithm, Cause, Delivery, Denied, KeySet, Leeway, MemoryStore, Position, ScopeKind, SigningKey, Signoff, Store,
};

use crate::bank::{Bank, secs, settings, start};

/// The private key of RFC 7515, appendix A.2.
const RSA: &str = include_str!("../../src/key/tests/rfc_7515_a2.pem");

/// A service that knows four keys: a secret, whose tokens are never remembered, and three others, whose tokens are.
struct Target {
    signoff: Signoff,
    keys: Vec<SigningKey>,
}

impl Target {
    async fn open() -> Self {
        let mut keys: Vec<_> = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Hs256]
            .map(|algorithm| SigningKey::generate_for(algorithm).unwrap())
            .into();
        keys.push(SigningKey::from_rsa_pkcs8_pem(Algorithm::Rs256, RSA).unwrap());
        let known = keys.iter().fold(KeySet::new(SigningKey::generate().unwrap()), |set, key| {
            set.with_retired(key.verifying_key().clone())
        });
        let clock = Arc::new(ManualClock::new(start()));
        let settings = settings(Delivery::Jwt);
        let signoff = Signoff::open_with_clock(MemoryStore::new(), known, settings, clock).await.unwrap();
        Self { signoff, keys }
    }

    fn key(&self, algorithm: Algorithm) -> &SigningKey {
        self.keys.iter().find(|key| key.algorithm() == algorithm).unwrap()
    }

    fn accepts(&self, header: &str, payload: &str) {
        for key in &self.keys {
            let token = sign(key, header, payload);
            for _ in 0..2 {
                assert!(self.signoff.verify(&token).is_ok(), "{header} {payload}");
            }
        }
    }

    /// No key's signature helps, no second presentation does, and it logs nobody out either.
    async fn refuses(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>, expect: Rejection) {
        let (header, payload) = (header.as_ref(), payload.as_ref());
        for key in &self.keys {
            self.refuses_token(&sign(key, header, payload), expect).await;
        }
    }

    async fn refuses_token(&self, token: &str, expect: Rejection) {
        for _ in 0..2 {
            assert_eq!(self.signoff.verify(token).map(drop), Err(expect), "{token:?}");
        }
        match self.signoff.log_out(&[token], Cause::logout()).await {
            Err(Denied::Rejected(_)) => {}
            other => panic!("{token:?} logged out: {other:?}"),
        }
    }
}

/// Signs any bytes. In the header, `ALG` and `KID` stand for what is right for the key.
fn sign(key: &SigningKey, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    sign_text(key, &URL_SAFE_NO_PAD.encode(filled(key, header.as_ref())), &URL_SAFE_NO_PAD.encode(payload))
}

/// Signs the first two parts as they stand.
fn sign_text(key: &SigningKey, header: &str, payload: &str) -> String {
    let input = format!("{header}.{payload}");
    let signature = key.jwt_signer().try_sign(input.as_bytes()).unwrap();
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn filled(key: &SigningKey, header: &[u8]) -> Vec<u8> {
    // What is no text has no placeholders either.
    std::str::from_utf8(header).map_or_else(
        |_| header.to_vec(),
        |header| header.replace("ALG", key.algorithm().name()).replace("KID", key.kid()).into(),
    )
}

const HEADER: &str = r#"{"alg":"ALG","typ":"at+jwt","kid":"KID"}"#;

/// The good header with another member.
fn header_with(member: &str) -> String {
    HEADER.replacen('}', &format!(",{member}}}"), 1)
}

/// A good payload in the order in which we write, so that both readers of claims meet what is made of it.
fn payload() -> String {
    let now = start();
    let (secs, id) = (now.as_secs(), "A".repeat(22));
    let who = r#""iss":"https://bank.example","sub":"alice","aud":"https://bank.example/api""#;
    let when = format!(r#""exp":{},"iat":{secs}"#, secs + 60);
    let which = format!(r#""jti":"{id}","sid":"{id}","pos":{},"client_id":"app""#, now.as_micros());
    format!("{{{who},{when},{which}}}")
}

/// The good payload with another member at its end, where an application's own are.
fn payload_with(member: &str) -> String {
    let good = payload();
    format!("{},{member}}}", good.strip_suffix('}').unwrap())
}

/// The good payload with the raw JSON of one claim replaced.
fn payload_where(name: &str, raw: &str) -> String {
    let good = payload();
    let value = serde_json::from_str::<Value>(&good).unwrap()[name].to_string();
    let (from, to) = (format!(r#""{name}":{value}"#), format!(r#""{name}":{raw}"#));
    assert!(good.contains(&from), "no claim {name}");
    good.replacen(&from, &to, 1)
}

#[tokio::test]
async fn what_is_changed_here_was_good() {
    let target = Target::open().await;
    target.accepts(HEADER, &payload());
    target.accepts(&header_with(r#""own":{"a":[1]}"#), &payload_with(r#""own":{"a":[1,null,"x"]}"#));
    target.accepts(&format!(" {HEADER}\n"), &format!("\t{} ", payload()));
    // Names are compared by case (RFC 7515, section 4): these mean nothing, so they are neither followed nor minded.
    target.accepts(&header_with(r#""Crit":["x"],"JKU":"https://evil.example","ALG ":"none""#), &payload());
}

/// RFC 7515, section 4.1.11, and RFC 7797: what must be understood is not understood, whatever it is.
#[tokio::test]
async fn critical_extensions_are_refused() {
    let target = Target::open().await;
    for crit in
        [r#"["exp"]"#, r#"["b64"]"#, r#"["own"],"own":1"#, "[]", "null", "{}", "0", "false", r#""""#, r#""exp""#, "[1]"]
    {
        target.refuses(header_with(&format!(r#""crit":{crit}"#)), payload(), Malformed).await;
        target.refuses(header_with(&format!(r#""\u0063rit":{crit}"#)), payload(), Malformed).await;
    }
    for b64 in ["true", "false", "null", "0", r#""false""#] {
        target.refuses(header_with(&format!(r#""b64":{b64}"#)), payload(), Malformed).await;
        target.refuses(header_with(&format!(r#""b64":{b64},"crit":["b64"]"#)), payload(), Malformed).await;
    }
    // A payload that is not encoded, as `b64: false` would have it.
    for key in &target.keys {
        for header in [HEADER.to_owned(), header_with(r#""b64":false,"crit":["b64"]"#)] {
            let raw = payload().replace("https://bank.example", "issuer");
            assert!(!raw.contains('.'));
            let token = sign_text(key, &URL_SAFE_NO_PAD.encode(filled(key, header.as_bytes())), &raw);
            target.refuses_token(&token, Malformed).await;
        }
    }
}

/// Nothing is ever unpacked (CVE-2024-28180, CVE-2024-33664), with or without the header that asks for it.
#[tokio::test]
async fn compressed_payloads_are_refused() {
    let target = Target::open().await;
    // DEFLATE (RFC 1951, section 3.2.4) without compression: one stored block.
    let deflated = |bytes: &[u8]| {
        let length = u16::try_from(bytes.len()).unwrap();
        [&[1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), bytes].concat()
    };
    let packed = deflated(payload().as_bytes());
    for zip in [r#""DEF""#, r#""def""#, r#""GZ""#, r#""""#, "null", "true"] {
        let header = header_with(&format!(r#""zip":{zip}"#));
        target.refuses(&header, &packed, Malformed).await;
        target.refuses(&header, payload(), Malformed).await;
    }
    target.refuses(HEADER, &packed, Malformed).await;
    target.refuses(HEADER, deflated(&[b'['; 5_000]), Malformed).await;
}

/// Keys and addresses of keys in the header (CVE-2018-0114): refused, whoever signed, and nobody is called.
#[tokio::test]
async fn keys_in_the_header_are_never_followed() {
    let target = Target::open().await;
    let thief = SigningKey::generate().unwrap();
    let jwks = KeySet::new(SigningKey::generate().unwrap()).with_retired(thief.verifying_key().clone()).jwks();
    let jwk = jwks.keys.iter().find(|jwk| jwk.common.key_id.as_deref() == Some(thief.kid())).unwrap();
    let jwk = serde_json::to_string(jwk).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!(r#""http://{}/jwks.json""#, listener.local_addr().unwrap());
    for (name, value) in [
        ("jwk", jwk.as_str()),
        ("jwk", "{}"),
        ("jwk", "null"),
        ("jku", &url),
        ("jku", r#""file:///etc/passwd""#),
        ("jku", r#""https://bank.example/jwks.json""#),
        ("jku", "null"),
        ("x5u", &url),
        ("x5c", r#"["MIIB"]"#),
        ("x5c", "[]"),
        ("x5t", r#""AAAA""#),
        ("x5t#S256", r#""AAAA""#),
        (r"j\u0077k", jwk.as_str()),
        (r"\u006aku", &url),
        (r"x5\u0075", &url),
    ] {
        let header = header_with(&format!(r#""{name}":{value}"#));
        target.refuses(&header, payload(), Malformed).await;
        target.refuses_token(&sign(&thief, &header, payload()), Malformed).await;
        // The thief's key under the name of one that we know.
        let named = header.replace("KID", target.key(Algorithm::EdDsa).kid());
        target.refuses_token(&sign(&thief, &named, payload()), Malformed).await;
    }
    // Without the header it is what it is: a strange key, or a forged signature.
    target.refuses_token(&sign(&thief, HEADER, payload()), UnknownKey).await;
    let named = HEADER.replace("KID", target.key(Algorithm::EdDsa).kid());
    target.refuses_token(&sign(&thief, named, payload()), BadSignature).await;
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "somebody was called");
}

/// CVE-2020-28042: `none` in all sixteen spellings by case and in others, with every signature.
#[tokio::test]
async fn none_is_no_algorithm_in_any_spelling() {
    let target = Target::open().await;
    let cases = (0..16_u8).map(|upper| {
        let letter = |(n, letter): (usize, char)| {
            if upper & 1 << n == 0 { letter } else { letter.to_ascii_uppercase() }
        };
        "none".chars().enumerate().map(letter).collect::<String>()
    });
    let others =
        ["", " none", "none ", r"\u006eone", r"none\u0000", "nоne", "null", "n", "nonee", "NoneWithRSA", "HS0"];
    for alg in cases.chain(others.map(str::to_owned)) {
        let header = HEADER.replace("ALG", &alg);
        target.refuses(&header, payload(), WrongAlgorithm).await;
        for key in &target.keys {
            let good = sign(key, &header, payload());
            let (input, _) = good.rsplit_once('.').unwrap();
            target.refuses_token(&format!("{input}."), Malformed).await;
            target.refuses_token(input, Malformed).await;
            for junk in ["AA", "e30", "A", "null", &"A".repeat(86), &"A".repeat(43)] {
                target.refuses_token(&format!("{input}.{junk}"), WrongAlgorithm).await;
            }
        }
    }
    for alg in ["null", "[]", r#"["none"]"#, "{}", "false", "0"] {
        target.refuses(HEADER.replace(r#""ALG""#, alg), payload(), Malformed).await;
    }
    target.refuses(HEADER.replace(r#""alg":"ALG","#, ""), payload(), Malformed).await;
    // The right algorithm with an empty or short signature.
    for key in &target.keys {
        let good = sign(key, HEADER, payload());
        let (input, signature) = good.rsplit_once('.').unwrap();
        target.refuses_token(&format!("{input}."), Malformed).await;
        for length in [2, 3, 4, signature.len() / 2 / 4 * 4] {
            target.refuses_token(&format!("{input}.{}", &signature[..length]), key_rejects(signature, length)).await;
        }
    }
}

/// A prefix of a signature is a signature of fewer bytes if its last character has no stray bits.
fn key_rejects(signature: &str, length: usize) -> Rejection {
    if URL_SAFE_NO_PAD.decode(&signature[..length]).is_ok() { BadSignature } else { Malformed }
}

/// Each public key in every form in which it is written down, taken for a secret (CVE-2015-9235, CVE-2016-10555,
/// CVE-2017-11424, CVE-2022-29217, CVE-2024-54150).
#[tokio::test]
async fn a_public_key_is_no_secret() {
    let target = Target::open().await;
    let secret = target.key(Algorithm::Hs256);
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let victim = target.key(algorithm);
        let jwk = target.signoff.jwks().keys.into_iter().find(|jwk| jwk.common.key_id.as_deref() == Some(victim.kid()));
        let jwk = serde_json::to_value(jwk.unwrap()).unwrap();
        let mut secrets = forms(&jwk);
        secrets.extend([jwk.to_string().into_bytes(), victim.kid().into(), vec![], vec![0]]);
        for (alg, hash) in
            [("HS256", ring::hmac::HMAC_SHA256), ("HS384", ring::hmac::HMAC_SHA384), ("HS512", ring::hmac::HMAC_SHA512)]
        {
            for bytes in &secrets {
                let forge = |kid: &str| {
                    let header = HEADER.replace("ALG", alg).replace("KID", kid);
                    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload()));
                    let tag = ring::hmac::sign(&ring::hmac::Key::new(hash, bytes), input.as_bytes());
                    format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag))
                };
                target.refuses_token(&forge(victim.kid()), WrongAlgorithm).await;
                let expect = if alg == "HS256" { BadSignature } else { WrongAlgorithm };
                target.refuses_token(&forge(secret.kid()), expect).await;
            }
        }
    }
}

/// An asymmetric key in another algorithm of its own family, and under the name of another key.
#[tokio::test]
async fn a_key_has_one_algorithm() {
    let target = Target::open().await;
    let pss = SigningKey::from_rsa_pkcs8_pem(Algorithm::Ps256, RSA).unwrap();
    let rs256 = target.key(Algorithm::Rs256);
    for kid in [rs256.kid(), pss.kid()] {
        let header = HEADER.replace("KID", kid);
        let expect = if kid == rs256.kid() { WrongAlgorithm } else { UnknownKey };
        target.refuses_token(&sign(&pss, &header, payload()), expect).await;
    }
    // It says that it was made otherwise than it was.
    target
        .refuses_token(&sign(&pss, HEADER.replace("ALG", "RS256").replace("KID", rs256.kid()), payload()), BadSignature)
        .await;
    for signer in &target.keys {
        for named in &target.keys {
            if named.kid() != signer.kid() {
                let header = HEADER.replace("KID", named.kid());
                target.refuses_token(&sign(signer, &header, payload()), WrongAlgorithm).await;
                let header = header.replace("ALG", named.algorithm().name());
                target.refuses_token(&sign(signer, &header, payload()), BadSignature).await;
            }
        }
    }
}

/// The ways in which a public key is written: raw, DER, PEM, base64, and OpenSSH's.
fn forms(jwk: &Value) -> Vec<Vec<u8>> {
    let number = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let oid = |bytes: &[u8]| der(6, &[bytes]);
    let wrapped = |algorithm: &[u8], key: &[u8]| der(0x30, &[algorithm, &der(3, &[&[0], key])]);
    let ssh = |fields: &[&[u8]]| {
        let field = |bytes: &&[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
        fields.iter().flat_map(field).collect::<Vec<u8>>()
    };
    let (raw, spki, openssh) = match jwk["kty"].as_str().unwrap() {
        "OKP" => {
            let raw = number("x");
            let algorithm = der(0x30, &[&oid(&[0x2b, 0x65, 0x70])]);
            (raw.clone(), wrapped(&algorithm, &raw), ssh(&[b"ssh-ed25519", &raw]))
        }
        "EC" => {
            let raw = [vec![4], number("x"), number("y")].concat();
            let curve = oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]);
            let algorithm = der(0x30, &[&oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]), &curve]);
            let openssh = ssh(&[b"ecdsa-sha2-nistp256", b"nistp256", &raw]);
            (raw.clone(), wrapped(&algorithm, &raw), openssh)
        }
        _ => {
            let (n, e) = ([vec![0], number("n")].concat(), number("e"));
            let raw = der(0x30, &[&der(2, &[&n]), &der(2, &[&e])]);
            let algorithm = der(0x30, &[&oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]), &[5, 0]]);
            (raw.clone(), wrapped(&algorithm, &raw), ssh(&[b"ssh-rsa", &e, &n]))
        }
    };
    let mut forms = vec![format!("ssh {}", STANDARD.encode(&openssh)).into_bytes()];
    for (label, bytes) in [("PUBLIC KEY", &spki), ("RSA PUBLIC KEY", &raw), ("EC PUBLIC KEY", &raw)] {
        let base64 = STANDARD.encode(bytes);
        let lines: Vec<_> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let pem = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----", lines.join("\n"));
        forms.extend([bytes.clone(), base64.into(), format!("{pem}\n").into(), pem.replace('\n', "\r\n").into()]);
        forms.push(pem.into());
    }
    forms
}

/// One value of ASN.1 in DER.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = match body.len() {
        short @ 0..128 => vec![u8::try_from(short).unwrap()],
        long => [&[0x82][..], &u16::try_from(long).unwrap().to_be_bytes()].concat(),
    };
    [vec![tag], length, body].concat()
}

/// RFC 7519, section 4: two readers of one token must not see two values.
#[tokio::test]
async fn a_name_stands_once_in_every_object() {
    let target = Target::open().await;
    for (first, second) in [
        (r#""alg":"ALG""#, r#""alg":"none""#),
        (r#""\u0061lg":"none""#, r#""alg":"ALG""#),
        (r#""kid":"KID""#, r#""kid":"other""#),
        (r#""kid":"KID""#, r#""k\u0069d":"KID""#),
        (r#""typ":"JWT""#, r#""t\u0079p":"at+jwt""#),
        (r#""own":1"#, r#""own":1"#),
        (r#""own":1"#, r#""\u006fwn":1"#),
        (r#""own":{"a":1,"a":1}"#, r#""x":0"#),
        (r#""own":[{"a":1,"\u0061":1}]"#, r#""x":0"#),
    ] {
        for pair in [format!("{first},{second}"), format!("{second},{first}")] {
            // A template has its own `alg`, `typ` and `kid`, where these are not it.
            let mut header = format!("{{{pair}");
            for member in [r#""alg":"ALG""#, r#""typ":"at+jwt""#, r#""kid":"KID""#] {
                if !first.contains(&member[1..4]) && !second.contains(&member[1..4]) {
                    header.push_str(&format!(",{member}"));
                }
            }
            target.refuses(format!("{header}}}"), payload(), Malformed).await;
        }
    }
    for (first, second) in [
        (r#""own":1"#, r#""own":2"#),
        (r#""own":1"#, r#""own":1"#),
        (r#""own":1"#, r#""\u006fwn":2"#),
        (r#""o\u0077n":1"#, r#""\u006Fwn":2"#),
        (r#""own":{"a":1,"a":2}"#, r#""x":0"#),
        (r#""own":{"a":{"b":{"c":1,"c":2}}}"#, r#""x":0"#),
        (r#""own":{"a":1,"\u0061":2}"#, r#""x":0"#),
        (r#""own":[[{"a":1},{"b":1,"b":1}]]"#, r#""x":0"#),
        (r#""":1"#, r#""":2"#),
        (r#""😀":1"#, r#""\ud83d\ude00":2"#),
        (r#""a\u0000":1"#, r#""a\u0000":2"#),
        (r#""\/":1"#, r#""/":2"#),
        (r#""scope":"read""#, r#""scope":"admin""#),
        (r#""scope":"read""#, r#""s\u0063ope":"admin""#),
        (r#""nbf":0"#, r#""nbf":9999999999"#),
    ] {
        for (first, second) in [(first, second), (second, first)] {
            for between in ["", r#""between":[1],"#] {
                target.refuses(HEADER, payload_with(&format!("{first},{between}{second}")), Malformed).await;
            }
        }
    }
    // What is ours, once more: at the end, where the quick reader looks for the application's own, and at the start.
    let good = payload();
    for name in ["iss", "sub", "aud", "exp", "iat", "jti", "sid", "pos", "client_id"] {
        let value = serde_json::from_str::<Value>(&good).unwrap()[name].to_string();
        let escaped = format!(r"\u{:04x}{}", u32::from(name.as_bytes()[0]), &name[1..]);
        for spelled in [name, &escaped] {
            for value in [value.as_str(), r#""bob""#, "null", "9999999999"] {
                let member = format!(r#""{spelled}":{value}"#);
                target.refuses(HEADER, payload_with(&member), Malformed).await;
                target.refuses(HEADER, good.replacen('{', &format!("{{{member},"), 1), Malformed).await;
            }
        }
    }
}

#[tokio::test]
async fn nothing_follows_the_end() {
    let target = Target::open().await;
    for tail in ["\0", " \0", "x", "{}", "[]", ",", "}", "]", "\"", "null", "\u{b}", "\u{a0}", "\u{feff}", "//", "/**/"]
    {
        target.refuses(format!("{HEADER}{tail}"), payload(), Malformed).await;
        target.refuses(HEADER, format!("{}{tail}", payload()), Malformed).await;
        target.refuses(format!("{tail}{HEADER}"), payload(), Malformed).await;
        target.refuses(HEADER, format!("{tail}{}", payload()), Malformed).await;
    }
    target.refuses(HEADER, payload_with(r#""own":1,"#), Malformed).await;
    target.refuses(HEADER, format!("{}{}", payload(), payload()), Malformed).await;
    for key in &target.keys {
        let good = sign(key, HEADER, payload());
        assert!(target.signoff.verify(&good).is_ok(), "and now it may be remembered");
        for tail in [" ", "\n", "\r\n", "\t", "\0", ".", "=", "==", "%00", "%20", ";", ",", "\u{200b}", "é", "?"] {
            for token in [format!("{good}{tail}"), format!("{tail}{good}")] {
                target.refuses_token(&token, Malformed).await;
            }
        }
        for more in ["A", "AA", "AAAA"] {
            assert!(target.signoff.verify(&format!("{good}{more}")).is_err(), "{more}");
        }
        for scheme in ["Bearer ", "bearer:", "JWT "] {
            target.refuses_token(&format!("{scheme}{good}"), Malformed).await;
        }
    }
}

/// RFC 7515, section 2, and CVE-2022-25898: each part has one spelling, also where the signature covers another one.
#[tokio::test]
async fn base64url_has_one_spelling() {
    let target = Target::open().await;
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    // The texts that a lax decoder reads as the same bytes.
    let respelled = |bytes: &[u8]| {
        let text = URL_SAFE_NO_PAD.encode(bytes);
        let (rest, last) = text.split_at(text.len() - 1);
        let mut others = vec![
            format!("{text}="),
            format!("{text}=="),
            format!("{text}A"),
            format!("{rest}\n{last}"),
            format!("{rest} {last}"),
            format!("{text}\r\n"),
            format!("{rest}\0{last}"),
            format!("{rest}%{:02X}", last.as_bytes()[0]),
        ];
        others.extend([URL_SAFE.encode(bytes), STANDARD.encode(bytes)].into_iter().filter(|other| *other != text));
        let stray = [1, 16, 4][bytes.len() % 3];
        let at = alphabet.find(last).unwrap();
        others.extend((1..stray).map(|n| format!("{rest}{}", &alphabet[at + n..=at + n])));
        (text, others)
    };
    for spaces in 0..3 {
        for key in &target.keys {
            let (header, headers) = respelled(&filled(key, format!("{HEADER}{}", " ".repeat(spaces)).as_bytes()));
            let (claims, payloads) =
                respelled(payload_with(&format!(r#""own":"ÿþ~{}""#, "x".repeat(spaces))).as_bytes());
            let good = sign_text(key, &header, &claims);
            assert!(target.signoff.verify(&good).is_ok());
            for header in headers {
                target.refuses_token(&sign_text(key, &header, &claims), Malformed).await;
            }
            for claims in payloads {
                target.refuses_token(&sign_text(key, &header, &claims), Malformed).await;
            }
            let (input, signature) = good.rsplit_once('.').unwrap();
            let (_, signatures) = respelled(&URL_SAFE_NO_PAD.decode(signature).unwrap());
            for other in signatures {
                let token = format!("{input}.{other}");
                let refused = target.signoff.verify(&token).map(drop).unwrap_err();
                // One character more may be whole bytes more.
                assert!(matches!(refused, Malformed | BadSignature), "{refused:?}");
                target.refuses_token(&token, refused).await;
            }
        }
    }
}

#[tokio::test]
async fn control_characters_are_refused() {
    let target = Target::open().await;
    // As they are, JSON does not have them (RFC 8259, section 7).
    for control in 0..0x20_u8 {
        let control = char::from(control);
        target.refuses(HEADER, payload_with(&format!("\"own\":\"a{control}b\"")), Malformed).await;
        target.refuses(HEADER, payload_with(&format!("\"o{control}wn\":1")), Malformed).await;
        target.refuses(HEADER, payload_where("sub", &format!("\"alice{control}\"")), Malformed).await;
        target.refuses(header_with(&format!("\"own\":\"a{control}b\"")), payload(), Malformed).await;
    }
    // Escaped they are text, which names must not have.
    for control in (0..0x20).chain([0x7f, 0x80, 0x85, 0x9f]) {
        for name in ["sub", "client_id", "jti", "sid"] {
            let value = serde_json::from_str::<Value>(&payload()).unwrap()[name].as_str().unwrap().to_owned();
            for raw in [format!(r#""{value}\u{control:04x}""#), format!(r#""\u{control:04x}{value}""#)] {
                target.refuses(HEADER, payload_where(name, &raw), Malformed).await;
            }
        }
    }
    target.refuses(HEADER, payload_where("iss", r#""https://bank.example\u0000""#), WrongIssuer).await;
    target.refuses(HEADER, payload_where("aud", r#""https://bank.example/api\u0000""#), WrongAudience).await;
    target.refuses(HEADER.replace("KID", r"KID\u0000"), payload(), UnknownKey).await;
    target.refuses(HEADER.replace("ALG", r"ALG\u0000"), payload(), WrongAlgorithm).await;
    target.refuses(HEADER.replace("at+jwt", r"at+jwt\u0000"), payload(), WrongType).await;
}

#[tokio::test]
async fn deep_nesting_is_refused() {
    let target = Target::open().await;
    let nested = |open: &str, close: &str, levels: usize| format!("{}0{}", open.repeat(levels), close.repeat(levels));
    // The outermost object is the first level of eight.
    target.accepts(HEADER, &payload_with(&format!(r#""own":{}"#, nested("[", "]", 7))));
    target.accepts(HEADER, &payload_with(&format!(r#""own":{}"#, nested(r#"{"a":"#, "}", 7))));
    for levels in [8, 9, 127, 128, 129, 600] {
        for own in [nested("[", "]", levels), nested(r#"{"a":"#, "}", levels)] {
            target.refuses(HEADER, payload_with(&format!(r#""own":{own}"#)), Malformed).await;
        }
    }
    target.refuses(HEADER, "[".repeat(5_000), Malformed).await;
    target.refuses(HEADER, r#"{"a":"#.repeat(1_000), Malformed).await;
    target.refuses(header_with(&format!(r#""own":{}"#, nested("[", "]", 250))), payload(), Malformed).await;
    target.refuses("[".repeat(750), payload(), Malformed).await;
}

/// CVE-2026-25537: a time that is no number is not a time that is missing, and a number is whole and in range.
#[tokio::test]
async fn times_are_whole_numbers() {
    let target = Target::open().await;
    let numbers = [
        "-1",
        "-0",
        "0.5",
        "-1800000060",
        "1800000060.0",
        "1800000060.9",
        "1.80000006e9",
        "1e10",
        "1E400",
        "-1e400",
        "1e-400",
        "18446744073709551615",
        "18446744073709551616",
        "9223372036854775807",
        "9223372036854775808",
        "253402300800000001",
        "NaN",
        "nan",
        "Infinity",
        "-Infinity",
        "+1800000060",
        "01800000060",
        "0x6b49d23c",
        "1_800_000_060",
        "1800000060n",
        ".5",
        "1.",
        "1e",
        "--1",
        "",
    ];
    let others = [
        r#""1800000060""#,
        r#""""#,
        r#""Infinity""#,
        r#""2027-01-15T08:00:00Z""#,
        "null",
        "true",
        "false",
        "{}",
        "[]",
        "[1800000060]",
        r#"{"$numberLong":"1800000060"}"#,
    ];
    let long =
        ["9".repeat(400), "9".repeat(5_000), format!("0.{}1", "0".repeat(5_000)), format!("1{}", "0".repeat(999))];
    for name in ["exp", "iat", "pos"] {
        for raw in numbers.iter().chain(&others).copied().chain(long.iter().map(String::as_str)) {
            // A position is a number of 63 bits, without a calendar.
            let good =
                name == "pos" && !raw.starts_with(['+', '0']) && raw.parse::<i64>().is_ok_and(|number| number > 0);
            if !good {
                target.refuses(HEADER, payload_where(name, raw), Malformed).await;
            }
        }
    }
    for raw in numbers.iter().chain(&others).copied().chain(long.iter().map(String::as_str)) {
        target.refuses(HEADER, payload_with(&format!(r#""nbf":{raw}"#)), Malformed).await;
    }
    // The year 10000 is out of range for a date, though not for a position.
    target.refuses(HEADER, payload_where("exp", "253402300800"), Malformed).await;
    // Over for long is well-formed: it does not let in, though it may still log out.
    for key in &target.keys {
        let token = sign(key, HEADER, payload_where("exp", "0"));
        assert_eq!(target.signoff.verify(&token).map(drop), Err(Expired));
    }
    // An application's own numbers are whatever JSON has, and no more.
    for raw in ["NaN", "Infinity", "-Infinity", "1e999", "01", "+1", ".5", "1.", "0x1"] {
        target.refuses(HEADER, payload_with(&format!(r#""own":{raw}"#)), Malformed).await;
        target.refuses(HEADER, payload_with(&format!(r#""own":{{"a":[{raw}]}}"#)), Malformed).await;
        target.refuses(header_with(&format!(r#""own":{raw}"#)), payload(), Malformed).await;
    }
}

/// CVE-2020-26160 and CVE-2024-53861: whom it is from and for is compared whole, and has one type.
#[tokio::test]
async fn issuer_and_audience_are_compared_whole() {
    let target = Target::open().await;
    for raw in [
        "0",
        "-1",
        "1.5",
        "null",
        "true",
        "{}",
        r#"{"https://bank.example/api":true}"#,
        r#"[["https://bank.example/api"]]"#,
        r#"["https://bank.example/api",["https://bank.example/api"]]"#,
        r#"["https://bank.example/api",1]"#,
        r#"["https://bank.example/api",null]"#,
        "[null]",
        "[{}]",
    ] {
        target.refuses(HEADER, payload_where("aud", raw), Malformed).await;
    }
    for text in ["", "*", "https://bank.example/ap", "https://bank.example/api/", "https://bank.example/API", " ", "a"]
    {
        target.refuses(HEADER, payload_where("aud", &json!(text).to_string()), WrongAudience).await;
        target.refuses(HEADER, payload_where("aud", &json!([text]).to_string()), WrongAudience).await;
    }
    target.refuses(HEADER, payload_where("aud", "[]"), WrongAudience).await;
    for raw in ["0", "null", "true", "{}", r#"["https://bank.example"]"#, "[]"] {
        target.refuses(HEADER, payload_where("iss", raw), Malformed).await;
    }
    for text in [
        "",
        "https",
        "https://bank.exampl",
        "https://bank.example/",
        "https://bank.example.evil",
        "HTTPS://bank.example",
    ] {
        target.refuses(HEADER, payload_where("iss", &json!(text).to_string()), WrongIssuer).await;
    }
    for name in ["iss", "aud", "sub", "jti", "sid", "client_id", "exp", "iat", "pos"] {
        let mut without: Value = serde_json::from_str(&payload()).unwrap();
        without.as_object_mut().unwrap().remove(name);
        target.refuses(HEADER, without.to_string(), Malformed).await;
    }
}

/// Empty parts, unsecured, nested and encrypted tokens (RFC 7516), and both JSON serialisations (CVE-2022-39227).
#[tokio::test]
async fn a_token_has_three_parts_and_one_serialisation() {
    let target = Target::open().await;
    for key in &target.keys {
        let good = sign(key, HEADER, payload());
        let [header, claims, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
        for token in [
            String::new(),
            ".".into(),
            "..".into(),
            "...".into(),
            "....".into(),
            header.into(),
            format!("{header}.{claims}"),
            format!(".{header}.{claims}.{signature}"),
            format!("{header}..{claims}.{signature}"),
            format!("{good}."),
            format!("{good}.{signature}"),
            format!("{good}.{claims}.{signature}"),
            // Encrypted, as far as its shape goes.
            format!("{header}..{claims}.{claims}.{signature}"),
            format!("{header}.{claims}.{claims}.{claims}.{signature}"),
            "....".repeat(2_000),
            ".".repeat(8_192),
            json!({"payload": claims, "protected": header, "signature": signature}).to_string(),
            json!({"payload": claims, "signatures": [{"protected": header, "signature": signature}]}).to_string(),
            // A good token that hides in a member, for who splits at dots before looking.
            json!({"a": format!(".{claims}."), "payload": claims, "protected": header, "signature": signature})
                .to_string(),
            format!("{{\"{good}\":1}}"),
        ] {
            target.refuses_token(&token, Malformed).await;
        }
        // Signed as they are, with a part that is empty.
        target.refuses_token(&sign_text(key, "", claims), Malformed).await;
        target.refuses_token(&sign_text(key, header, ""), Malformed).await;
        target.refuses_token(&sign_text(key, "", ""), Malformed).await;
        for encoded in
            [header.replace('.', "%2E"), format!("{header}%2E{claims}%2E{signature}"), good.replace('.', "。")]
        {
            target.refuses_token(&encoded, Malformed).await;
        }
        // A good token inside a good signature.
        target.refuses(HEADER, &good, Malformed).await;
        target.refuses(HEADER, json!(good).to_string(), Malformed).await;
        target.refuses(header_with(r#""cty":"JWT""#), &good, Malformed).await;
        target.refuses(header_with(r#""cty":"at+jwt""#), payload(), Malformed).await;
        target.refuses(header_with(r#""enc":"A256GCM""#), payload(), Malformed).await;
        for alg in ["dir", "RSA-OAEP", "ECDH-ES", "PBES2-HS256+A128KW", "A128KW"] {
            target.refuses(HEADER.replace("ALG", alg), payload(), WrongAlgorithm).await;
            let header = URL_SAFE_NO_PAD.encode(json!({"alg": alg, "enc": "A256GCM", "kid": key.kid()}).to_string());
            target.refuses_token(&format!("{header}.AA.AA.AA.AA"), Malformed).await;
        }
    }
    for payload in ["null", "[]", "0", "\"\"", "true", "{", "}", "{\"\"}", "{}x", "\u{0}"] {
        target.refuses(HEADER, payload, Malformed).await;
    }
    target.refuses(HEADER, "{}", Malformed).await;
}

/// RFC 8725, section 3.7: JSON is UTF-8 without a mark, and nothing else (RFC 8259, section 8.1).
#[tokio::test]
async fn text_is_utf_8() {
    let target = Target::open().await;
    let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let utf32 = |text: &str| text.chars().flat_map(|char| u32::from(char).to_le_bytes()).collect::<Vec<u8>>();
    let encodings = |text: &str| {
        let mut encodings = vec![
            utf16(text, u16::to_le_bytes),
            utf16(text, u16::to_be_bytes),
            utf16(&format!("\u{feff}{text}"), u16::to_le_bytes),
            utf16(&format!("\u{feff}{text}"), u16::to_be_bytes),
            format!("\u{feff}{text}").into_bytes(),
        ];
        if text.len() < 200 {
            encodings.push(utf32(text));
        }
        encodings
    };
    for key in &target.keys {
        for encoded in encodings(&payload()) {
            target.refuses_token(&sign(key, HEADER, encoded), Malformed).await;
        }
        for encoded in encodings(std::str::from_utf8(&filled(key, HEADER.as_bytes())).unwrap()) {
            let text = URL_SAFE_NO_PAD.encode(encoded);
            target.refuses_token(&sign_text(key, &text, &URL_SAFE_NO_PAD.encode(payload())), Malformed).await;
        }
        target.refuses_token(&format!("\u{feff}{}", sign(key, HEADER, payload())), Malformed).await;
    }
    // Not UTF-8: stray and cut-off bytes, long forms of short characters, halves of pairs, beyond the last character.
    for bytes in [
        &b"\xff"[..],
        b"\x80",
        b"\xc3",
        b"\xc0\x80",
        b"\xc1\xa1",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
    ] {
        let with = |text: String| {
            let (before, after) = text.split_once('@').unwrap();
            [before.as_bytes(), bytes, after.as_bytes()].concat()
        };
        target.refuses(HEADER, with(payload_with(r#""own":"@""#)), Malformed).await;
        target.refuses(HEADER, with(payload_with(r#""@":1"#)), Malformed).await;
        target.refuses(HEADER, with(payload_where("sub", r#""alice@""#)), Malformed).await;
        for key in &target.keys {
            let header = with(String::from_utf8(filled(key, header_with(r#""own":"@""#).as_bytes())).unwrap());
            target.refuses_token(&sign(key, header, payload()), Malformed).await;
        }
    }
    for escape in [r"\ud800", r"\udc00", r"\ud800\u0041", r"\udc00\ud800", r"\u12", r"\x41", r"\'", r"\"] {
        target.refuses(HEADER, payload_with(&format!(r#""own":"{escape}""#)), Malformed).await;
        target.refuses(header_with(&format!(r#""own":"{escape}""#)), payload(), Malformed).await;
    }
}

/// Bounds before work, also for what is signed.
#[tokio::test]
async fn large_tokens_are_refused_before_they_are_read() {
    let target = Target::open().await;
    for key in &target.keys {
        let padded = |header: usize, payload: usize| {
            let own = |length: usize| format!(r#""own":"{}""#, "x".repeat(length));
            sign(key, header_with(&own(header)), payload_with(&own(payload)))
        };
        assert!(target.signoff.verify(&padded(10, 4_000)).is_ok());
        for token in [padded(1_000, 10), padded(10, 7_000), padded(10, 1 << 20), padded(1 << 20, 10)] {
            target.refuses_token(&token, TooLarge).await;
        }
        let good = padded(10, 10);
        let (input, _) = good.rsplit_once('.').unwrap();
        target.refuses_token(&format!("{input}.{}", "A".repeat(1_368)), TooLarge).await;
    }
}

/// A signature that is remembered counts for the whole token that it was made for, and for no other with its end.
#[tokio::test]
async fn a_remembered_signature_is_no_other_tokens() {
    let target = Target::open().await;
    for key in &target.keys {
        let alice = sign(key, HEADER, payload());
        for _ in 0..3 {
            assert_eq!(target.signoff.verify(&alice).unwrap().subject(), "alice");
        }
        let (input, signature) = alice.rsplit_once('.').unwrap();
        let (header, claims) = input.split_once('.').unwrap();
        let bob = URL_SAFE_NO_PAD.encode(payload_where("sub", r#""bob00""#));
        assert_eq!(bob.len(), claims.len());
        target.refuses_token(&format!("{header}.{bob}.{signature}"), BadSignature).await;
        let other = URL_SAFE_NO_PAD.encode(filled(key, header_with(r#""own":1"#).as_bytes()));
        target.refuses_token(&format!("{other}.{claims}.{signature}"), BadSignature).await;
        // The same end behind another beginning of the signature.
        let flipped = if signature.starts_with('A') { "B" } else { "A" };
        target.refuses_token(&format!("{input}.{flipped}{}", &signature[1..]), BadSignature).await;
    }
    // Logging out finds it by what it says: all that names the session is dead, remembered or not.
    let [first, ..] = target.keys.as_slice() else { panic!("no keys") };
    let _ = target.signoff.log_out(&[&sign(first, HEADER, payload())], Cause::logout()).await.unwrap();
    for key in &target.keys {
        assert_eq!(target.signoff.verify(&sign(key, HEADER, payload())).map(drop), Err(Revoked));
        assert_eq!(target.signoff.verify(&sign(key, HEADER, payload_with(r#""own":1"#))).map(drop), Err(Revoked));
    }
}

/// No leeway unless it is asked for, five minutes at the most, and exactly what was asked for.
#[tokio::test]
async fn leeway_is_zero_unless_set_and_bounded() {
    assert_eq!(settings(Delivery::Jwt).leeway.get(), secs(0));
    assert_eq!(Leeway::default().get(), secs(0));
    assert_eq!(Leeway::MAX, secs(300));
    for refused in [Leeway::MAX + std::time::Duration::from_nanos(1), secs(301), std::time::Duration::MAX] {
        assert_eq!(Leeway::new(refused).unwrap_err().kind(), signoff::ErrorKind::Misuse);
    }
    let micro = std::time::Duration::from_micros(1);
    for leeway in [0, 1, 59, 300] {
        let mut settings = settings(Delivery::Jwt);
        settings.leeway = Leeway::new(secs(leeway)).unwrap();
        let bank = Bank::open_on(MemoryStore::new(), settings).await;
        let (token, early) = (bank.log_in("alice").await.token, start().as_secs() + 100);
        let early = sign(
            &crate::bank::key(),
            HEADER,
            payload_where("exp", &(early + 9_000).to_string()).replacen('{', &format!(r#"{{"nbf":{early},"#), 1),
        );
        bank.clock.advance(secs(100 - leeway.min(100)));
        if leeway < 100 {
            bank.clock.step(Some(start().saturating_add(secs(100 - leeway)).saturating_sub(micro)));
            assert_eq!(bank.signoff.verify(&early).map(drop), Err(NotYetValid));
            bank.clock.step(Some(start().saturating_add(secs(100 - leeway))));
        }
        assert!(bank.signoff.verify(&early).is_ok());
        bank.clock.step(Some(start().saturating_add(secs(900 + leeway)).saturating_sub(micro)));
        assert!(bank.signoff.verify(token.expose()).is_ok());
        bank.clock.step(Some(start().saturating_add(secs(900 + leeway))));
        assert_eq!(bank.signoff.verify(token.expose()).map(drop), Err(Expired));
    }
}

/// How long a revocation is kept grows with the leeway, because both read one value: it outlives what it kills.
#[tokio::test]
async fn revocations_are_kept_for_longer_than_any_leeway() {
    for leeway in [0, 1, 60, 300] {
        let mut settings = settings(Delivery::Jwt);
        settings.leeway = Leeway::new(secs(leeway)).unwrap();
        let (absolute, store) = (settings.absolute, Arc::new(MemoryStore::new()));
        let bank = Bank::open_on(Arc::clone(&store), settings).await;
        let (alice, bob) = (bank.log_in("alice").await.token, bank.log_in("bob").await.token);
        let _ = bank.signoff.log_out(&[alice.expose()], Cause::logout()).await.unwrap();
        let _ = bank.signoff.log_out_everywhere(&[bob.expose()], Cause::logout()).await.unwrap();
        let page = store.log_after(Position::ZERO, 100).await.unwrap().page;
        assert!(page.entries.iter().any(|entry| entry.scope().kind() == ScopeKind::Session));
        assert!(page.entries.iter().any(|entry| entry.scope().kind() == ScopeKind::Subject));
        // The last moment of the last token of these sessions, by a clock that is five minutes behind.
        let last = start().saturating_add(absolute + secs(leeway) + secs(300));
        for entry in page.entries {
            assert!(entry.expires_at() >= last, "{entry:?} with a leeway of {leeway} seconds");
        }
    }
}

fn why<T>(result: &Result<T, Denied>) -> Option<Rejection> {
    match result {
        Err(Denied::Rejected(rejection)) => Some(*rejection),
        _ => None,
    }
}

/// A checksum is not security, but what cannot be a token costs no query, and what was not found is asked for again.
#[tokio::test]
async fn junk_costs_no_query() {
    let store = FailingStore::new(MemoryStore::new());
    let calls = store.switch();
    let bank = Bank::open_on(store, settings(Delivery::Opaque)).await;
    let good = bank.log_in("alice").await.token;
    let good = good.expose();
    let jwt = sign(&SigningKey::generate().unwrap(), HEADER, payload());
    let mut junk: Vec<_> = ["", "soa_", "soa", "x", "sor_x", &good[4..], &good[..52], &jwt].map(str::to_owned).into();
    junk.extend([format!("{good}0"), good.to_lowercase(), good.replace("soa_", "sos_"), good.replace("soa_", "SOA_")]);
    junk.extend(
        (4..53).map(|n| format!("{}{}{}", &good[..n], if &good[n..=n] == "0" { "1" } else { "0" }, &good[n + 1..])),
    );
    junk.push(generate(Kind::Session, &Peppers::none()).unwrap().0.expose().to_owned());
    // Whether the good one is in memory or not, which finds it by fewer digits than it has.
    for cached in [false, true] {
        assert_eq!(bank.signoff.verify(good).is_ok(), cached);
        let before = calls.calls();
        for token in &junk {
            let verified = bank.signoff.verify(token).err();
            assert!(matches!(verified, Some(Malformed | WrongType | UnknownKey)), "{token}: {verified:?}");
            assert_eq!(why(&bank.signoff.authenticate(token).await), verified, "{token}");
            assert_eq!(why(&bank.signoff.log_out(&[token], Cause::logout()).await), verified, "{token}");
        }
        assert_eq!(calls.calls(), before, "the store was asked");
        assert!(bank.accepts(good).await);
    }
    // Well made, and unknown: nothing is remembered of it.
    let before = calls.calls();
    let (unknown, _) = generate(Kind::Access, &Peppers::none()).unwrap();
    for n in 1..4 {
        assert!(!bank.accepts(unknown.expose()).await);
        assert_eq!(calls.calls(), before + n);
    }
    assert!(bank.accepts(good).await);
    // Another kind is refused without a query wherever it opens nothing; only a logout looks a refresh token up.
    let before = calls.calls();
    let (refresh, _) = generate(Kind::Refresh, &Peppers::none()).unwrap();
    assert_eq!(bank.signoff.verify(refresh.expose()).err(), Some(WrongType));
    assert_eq!(why(&bank.signoff.authenticate(refresh.expose()).await), Some(WrongType));
    assert_eq!(calls.calls(), before);
    assert_eq!(why(&bank.signoff.log_out(&[refresh.expose()], Cause::logout()).await), Some(UnknownToken));
    assert_eq!(calls.calls(), before + 1);
}

/// What is kept of an opaque token is no token, in whatever way it is written down.
#[tokio::test]
async fn a_stored_hash_opens_nothing() {
    for peppers in [Peppers::none(), Peppers::new(Pepper::new(1, &[1; 32]).unwrap())] {
        let store = Arc::new(MemoryStore::new());
        let mut settings = settings(Delivery::Opaque);
        settings.peppers = peppers.clone();
        let bank = Bank::open_on(Arc::clone(&store), settings).await;
        let issued = bank.log_in("alice").await;
        let token = Opaque::parse(Kind::Access, issued.token.expose()).unwrap();
        let hash = token.hashes(&peppers).next().unwrap();
        assert!(store.find_by_token(&hash).await.unwrap().is_some());
        let hex: String = hash.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let base64 = URL_SAFE_NO_PAD.encode(hash.as_bytes());
        for stolen in [format!("soa_{hex}"), format!("soa_{base64}"), hex, base64, issued.session.id.to_string()] {
            assert!(!bank.accepts(&stolen).await, "{stolen}");
        }
        bank.signoff.close().await;
        // Whoever may write to the database, but has no pepper, cannot plant a token of his own making.
        let mut other = crate::bank::settings(Delivery::Opaque);
        other.peppers = Peppers::new(Pepper::new(1, &[2; 32]).unwrap());
        let bank = Bank::open_on(store, other).await;
        assert!(!bank.accepts(issued.token.expose()).await, "its hash was made without this pepper");
    }
}
