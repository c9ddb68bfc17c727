//! Payloads: mostly member by member as we mint them, with what the claims of ours can have wrong.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::literal;
use super::members::Members;
use super::prng::Prng;
use crate::service::{AUDIENCE, ISSUER, NOW, REVOKED_CLIENT, REVOKED_SESSION, REVOKED_SUBJECT, REVOKED_TOKEN};

/// A good payload, in the order in which we mint.
pub(super) fn good(prng: &mut Prng) -> Members {
    let mut members = Members(Vec::new());
    members.push("iss", literal::quote(ISSUER));
    members.push("sub", literal::quote(&literal::name(prng)));
    members.push("aud", literal::quote(AUDIENCE));
    members.push("exp", (NOW + 1 + prng.below(1000) as u64).to_string());
    members.push("iat", (NOW - prng.below(1000) as u64).to_string());
    if !prng.one_in(4) {
        members.push("auth_time", (NOW - prng.below(9000) as u64).to_string());
    }
    members.push("jti", literal::quote(&literal::id(prng)));
    members.push("sid", literal::quote(&literal::id(prng)));
    let pos = match prng.below(4) {
        0 => prng.number() >> (1 + prng.below(63)),
        _ => NOW * 1_000_000 + prng.below(1_000_000) as u64,
    };
    members.push("pos", pos.to_string());
    members.push("client_id", literal::quote(if prng.one_in(4) { "app" } else { AUDIENCE }));
    if prng.one_in(2) {
        members.push("scope", literal::quote(prng.pick(&["read", "read write", "openid profile email", "", "\"\\é"])));
    }
    for n in 0..prng.below(8).saturating_sub(4) {
        members.push(prng.pick(&["role", "tenant", "amr", "x", "Iss", "sub ", "über", "a\"b"]), own(prng));
        // Sometimes two of the same name: then not as we mint.
        if n > 0 && !prng.one_in(16) {
            let (name, _) = members.0.last_mut().unwrap();
            *name = literal::quote(&format!("own{n}"));
        }
    }
    members
}

/// A value of the application's own, within the bounds.
fn own(prng: &mut Prng) -> Vec<u8> {
    match prng.below(8) {
        0 => literal::quote(&literal::name(prng)),
        1 => json!(prng.number()).to_string().into_bytes(),
        2 => json!(prng.number() as i64).to_string().into_bytes(),
        3 => json!(f64::from_bits(prng.number())).to_string().into_bytes(),
        4 => prng.pick(&["1e3", "-0", "1.0", "0.1e-7", "123456789012345678901234567890", "[ ]", "{ }"]).into(),
        5 => literal::nested(prng.below(8), prng),
        6 => json!({ "sub": "bob", "a": [null, true, 1.5, { "exp": 0 }] }).to_string().into_bytes(),
        _ => literal::quote("teller"),
    }
}

/// A change of something that the claims check looks at.
pub(super) fn mutate(members: &mut Members, prng: &mut Prng) {
    match prng.below(16) {
        0 => {
            let value = literal::odd_string(&literal::name(prng), prng);
            members.set(prng.pick(&["sub", "client_id", "sub", "scope"]), value);
        }
        1 => {
            let value = literal::escape(&literal::name(prng), prng);
            members.set(prng.pick(&["sub", "client_id", "scope"]), value);
        }
        2 => members.set(prng.pick(&["exp", "iat", "auth_time"]), literal::odd_number(NOW + 60, prng)),
        3 => members.set("pos", literal::odd_number(NOW * 1_000_000, prng)),
        4 => members.set("exp", (NOW - 1 + prng.below(3) as u64).to_string()),
        5 | 6 => not_before(members, prng),
        7 => members.set("iss", issuer(prng)),
        8 | 9 => members.set("aud", audience(prng)),
        10 => {
            let id = literal::id(prng);
            members.set(prng.pick(&["jti", "sid"]), literal::odd_id(&id, prng));
        }
        11 => members.set(prng.pick(&["jti", "sid"]), literal::escape(&literal::id(prng), prng)),
        12 => revoke(members, prng),
        13 if prng.one_in(2) => twins(members, prng),
        13 => {
            let name =
                prng.pick(&["aud", "auth_time", "client_id", "exp", "iat", "iss", "jti", "pos", "scope", "sid", "sub"]);
            members.insert_anywhere(literal::quote(name), literal::odd_value(prng), prng);
        }
        14 => {
            // Up to the limit of 8 KiB for the token, which is base64, and beyond.
            let length = if prng.one_in(4) { 5_400 + prng.below(600) } else { prng.below(2_048) };
            members.insert_anywhere(literal::quote("padding"), literal::quote(&"x".repeat(length)), prng);
        }
        _ => {
            let depth = 6 + prng.below(4);
            let value = literal::nested(depth, prng);
            members.insert_anywhere(literal::quote("deep"), value, prng);
        }
    }
}

/// Plain members as most applications have them, behind ours; as often as not, two have one name.
fn twins(members: &mut Members, prng: &mut Prng) {
    for _ in 0..2 + prng.below(16) {
        let name = format!("{}{}", prng.pick(&["a", "role", "x-", ""]), prng.below(24));
        let value = prng.pick(&["1", "true", "false", "null", "\"x\"", "\"\"", "0", "12345678901234567"]);
        members.push(&name, value);
    }
}

fn not_before(members: &mut Members, prng: &mut Prng) {
    let value = match prng.below(6) {
        0 => literal::odd_number(NOW - 60, prng),
        1 => literal::odd_value(prng),
        _ => (NOW - 1 + prng.below(3) as u64).to_string().into_bytes(),
    };
    let name = if prng.one_in(4) { literal::escape("nbf", prng) } else { literal::quote("nbf") };
    members.insert_anywhere(name, value, prng);
}

fn issuer(prng: &mut Prng) -> Vec<u8> {
    match prng.below(8) {
        0 => literal::quote(&format!("{ISSUER}/")),
        1 => literal::quote(&ISSUER.to_ascii_uppercase()),
        2 => json!([ISSUER]).to_string().into_bytes(),
        3 => json!(["https://other.example", ISSUER]).to_string().into_bytes(),
        4 => literal::odd_value(prng),
        5 => literal::odd_string(ISSUER, prng),
        6 => literal::quote(&ISSUER[..ISSUER.len() - 1]),
        _ => literal::escape(ISSUER, prng),
    }
}

fn audience(prng: &mut Prng) -> Vec<u8> {
    match prng.below(12) {
        0 => literal::quote(&format!("{AUDIENCE}/")),
        1 => literal::quote("https://bank.example/ap"),
        2 => json!([AUDIENCE]).to_string().into_bytes(),
        3 => json!(["x", AUDIENCE, "x"]).to_string().into_bytes(),
        4 => json!([AUDIENCE, 7]).to_string().into_bytes(),
        5 => json!([[AUDIENCE]]).to_string().into_bytes(),
        6 => json!(["x"]).to_string().into_bytes(),
        7 => json!({ AUDIENCE: AUDIENCE }).to_string().into_bytes(),
        8 => [b"[ \"x\" , ".as_slice(), &literal::escape(AUDIENCE, prng), b" ]"].concat(),
        9 => literal::odd_value(prng),
        10 => literal::odd_string(AUDIENCE, prng),
        _ => literal::escape(AUDIENCE, prng),
    }
}

fn revoke(members: &mut Members, prng: &mut Prng) {
    if prng.one_in(2) {
        members.set("pos", (NOW * 1_000_000 - 2 + prng.below(4) as u64).to_string());
    }
    let spelled = |text: &str, prng: &mut Prng| {
        if prng.one_in(2) { literal::quote(text) } else { literal::escape(text, prng) }
    };
    match prng.below(4) {
        0 => members.set("sub", spelled(REVOKED_SUBJECT, prng)),
        1 => members.set("client_id", spelled(REVOKED_CLIENT, prng)),
        2 => members.set("sid", spelled(&URL_SAFE_NO_PAD.encode(REVOKED_SESSION), prng)),
        _ => members.set("jti", spelled(&URL_SAFE_NO_PAD.encode(REVOKED_TOKEN), prng)),
    }
}
