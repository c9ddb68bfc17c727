//! Headers: as we mint them, and with what a header can have wrong.

use serde_json::json;

use super::literal;
use super::members::Members;
use super::prng::Prng;
use crate::keys::Key;

/// The header that we mint.
pub(super) fn good(key: Key) -> Members {
    let mut members = Members(Vec::new());
    members.push("alg", literal::quote(&format!("{:?}", key.alg())));
    members.push("typ", literal::quote("at+jwt"));
    members.push("kid", literal::quote(key.kid()));
    members
}

pub(super) fn mutate(members: &mut Members, prng: &mut Prng) {
    const TYPES: [&str; 14] = [
        "AT+JWT",
        "application/at+jwt",
        "Application/At+Jwt",
        "JWT",
        "jwt",
        "",
        "at+jwt ",
        "at+JWT\0",
        "logout+jwt",
        "text/at+jwt",
        "é+jwt",
        "application/application/at+jwt",
        "at+jwt;charset=utf-8",
        "dpop+jwt",
    ];
    const ALGS: [&str; 20] = [
        "HS256", "HS384", "HS512", "EdDSA", "Ed25519", "ES256", "ES256K", "ES384", "ES512", "RS256", "PS256", "none",
        "None", "nOnE", "", "hs256", "HS256 ", "HS256\0", "dir", "RSA-OAEP",
    ];
    const KIDS: [&str; 6] = ["", "x", "' OR 1=1 --", "../../dev/null", "\0", "é"];
    const MEMBERS: [&str; 18] = [
        "b64", "crit", "cty", "enc", "jku", "jwk", "x5c", "x5t", "x5t#S256", "x5u", "zip", "url", "nonce", "iss",
        "sub", "own", "Crit", "CRIT",
    ];
    match prng.below(10) {
        0 | 1 => {
            let typ = prng.pick(&TYPES);
            members.set("typ", if prng.one_in(2) { literal::quote(typ) } else { literal::escape(typ, prng) });
        }
        2 => members.set("alg", literal::quote(prng.pick(&ALGS))),
        3 => {
            let kid = Key::ALL[prng.below(3)].kid();
            let value = match prng.below(4) {
                0 => literal::quote(prng.pick(&KIDS)),
                1 => literal::quote(&format!("{kid}A")),
                2 => literal::escape(kid, prng),
                _ => literal::quote(kid),
            };
            members.set("kid", value);
        }
        4..7 => {
            let name = prng.pick(&MEMBERS);
            let name = if prng.one_in(3) { literal::escape(name, prng) } else { literal::quote(name) };
            let value = if prng.one_in(4) { literal::odd_value(prng) } else { fitting(prng) };
            members.insert_anywhere(name, value, prng);
        }
        7 => {
            // Up to the limit of 1 KiB for the header, which is base64, and beyond.
            let length = 620 + prng.below(100);
            members.insert_anywhere(literal::quote("padding"), literal::quote(&"x".repeat(length)), prng);
        }
        _ => members.mutate(prng),
    }
}

/// A value as jsonwebtoken expects it for one or the other member.
fn fitting(prng: &mut Prng) -> Vec<u8> {
    let jwk = json!({ "kty": "oct", "k": "AAAA" });
    let value = match prng.below(7) {
        0 => json!(["exp"]),
        1 => json!([]),
        2 => json!(null),
        3 => json!("https://evil.example/jwks.json"),
        4 => json!("DEF"),
        5 => json!(false),
        _ => jwk,
    };
    value.to_string().into_bytes()
}
