//! Whole tokens: a header and a payload are changed, joined and signed, and some are changed once more.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;

use super::prng::Prng;
use super::{bytes, header, payload};
use crate::keys::{Key, OTHER_SECRET, SECRET, tag};

/// A token, and what it was made of.
pub(super) struct Token {
    pub(super) text: String,
    pub(super) key: Key,
    pub(super) header: Vec<u8>,
    pub(super) payload: Vec<u8>,
    /// Whether the text is just these parts, signed with that key.
    pub(super) is_well_signed: bool,
}

pub(super) fn generate(prng: &mut Prng) -> Token {
    // The public keys cost many times as much as the secret one.
    let key = match prng.below(512) {
        0 => Key::Es256,
        1..9 => Key::EdDsa,
        _ => Key::Hs256,
    };
    let mut header_members = header::good(key);
    let mut members = payload::good(prng);
    if prng.one_in(8) {
        prng.shuffle(&mut members.0);
    }
    let changes = [0, 0, 1, 1, 1, 1, 1, 2, 2, 3][prng.below(10)];
    let mut in_header = 0;
    let mut in_payload = 0;
    let mut in_text = false;
    for _ in 0..changes {
        match prng.below(32) {
            0..6 => header::mutate(&mut header_members, prng),
            6 => in_header += 1,
            7..18 => payload::mutate(&mut members, prng),
            18..23 => members.mutate(prng),
            23..29 => in_payload += 1,
            _ => in_text = true,
        }
    }
    let mut header = header_members.print();
    (0..in_header).for_each(|_| bytes::mutate(&mut header, prng));
    let mut payload = members.print();
    (0..in_payload).for_each(|_| bytes::mutate(&mut payload, prng));
    let good = assemble(key, &header, &payload);
    let text = if in_text { mutate(&good, key, prng) } else { good.clone() };
    Token { is_well_signed: text == good, text, key, header, payload }
}

/// A token over any two parts, well signed.
pub(super) fn assemble(key: Key, header: &[u8], payload: &[u8]) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = key.sign(input.as_bytes());
    input + "." + &signature
}

/// A change of the compact form, or another signature.
fn mutate(token: &str, key: Key, prng: &mut Prng) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let at = prng.below(token.len() + 1);
    let part = |n: usize| token.split('.').nth(n).unwrap();
    match prng.below(24) {
        0 => token[..at].to_owned(),
        1 => {
            let piece =
                prng.pick(&["=", "==", " ", "\n", "\r\n", ".", "..", "+", "/", "\0", "é", "%2E", "A", "\u{feff}"]);
            format!("{}{piece}{}", &token[..at], &token[at..])
        }
        2 => format!("{}{}", &token[..at], &token[token.len().min(at + 1)..]),
        3 => other_last_digit(token, prng),
        4 => format!("{token}{}", prng.pick(&["=", "==", " ", "\n", ".", ".AA", ".AA.AA", "A", "\0"])),
        5 => format!("{}{token}", prng.pick(&[" ", ".", "Bearer ", "\u{feff}", "\"", "\n", "A", "soa_", "[\""])),
        6 => input.to_owned(),
        7 => format!("{input}."),
        8 => format!("{input}..{signature}"),
        9 => format!("{}..{signature}", part(0)),
        10 => format!(".{}.{signature}", part(1)),
        11 => format!("{input}.{}", tag(hmac::HMAC_SHA256, &OTHER_SECRET, input.as_bytes())),
        12 => format!("{input}.{}", tag(hmac::HMAC_SHA384, &SECRET, input.as_bytes())),
        13 => format!("{}.{}.{}", STANDARD.encode(decoded(part(0))), STANDARD.encode(decoded(part(1))), part(2)),
        14 => format!("{}.{}.{signature}", part(1), part(0)),
        15 => confuse(input, prng),
        16 => with_alg(token, prng.pick(&["none", "None", "NONE", ""]), ""),
        17 => with_alg(token, "none", signature),
        18 => {
            let hash = [("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)][prng.below(2)];
            let input = with_alg(token, hash.0, "");
            let input = input.trim_end_matches('.');
            format!("{input}.{}", tag(hash.1, &SECRET, input.as_bytes()))
        }
        19 => format!(r#"{{"protected":"{}","payload":"{}","signature":"{signature}"}}"#, part(0), part(1)),
        20 => format!("{input}.{}", URL_SAFE_NO_PAD.encode(&decoded(signature)[..prng.below(32)])),
        21 => {
            format!("{input}.{}", URL_SAFE_NO_PAD.encode([decoded(signature), vec![0; 1 + prng.below(400)]].concat()))
        }
        22 => token.chars().map(|c| if prng.one_in(64) { c.to_ascii_uppercase() } else { c }).collect(),
        _ => {
            // Signed by another key of the service than its header says.
            let other = Key::ALL[prng.below(3)];
            if other == key { token.to_owned() } else { format!("{input}.{}", other.sign(input.as_bytes())) }
        }
    }
}

/// The last character of a part changed; often only the bits that base64 leaves over.
fn other_last_digit(token: &str, prng: &mut Prng) -> String {
    let mut parts: Vec<_> = token.split('.').map(|part| part.as_bytes().to_vec()).collect();
    let which = prng.below(3);
    if let Some(last) = parts[which].last_mut() {
        *last = if prng.one_in(2) { last.wrapping_add(1) & 0x7f } else { b"AQgwBRhxz9_-"[prng.below(12)] };
    }
    String::from_utf8(parts.join(&b'.')).unwrap()
}

/// A public key taken for a secret (RFC 8725, section 2.1).
fn confuse(input: &str, prng: &mut Prng) -> String {
    let victim = [Key::EdDsa, Key::Es256][prng.below(2)];
    let (_, payload) = input.split_once('.').unwrap();
    let mut header = header::good(victim);
    header.set("alg", *b"\"HS256\"");
    let input = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header.print()));
    let public = victim.public();
    let secret = match prng.below(3) {
        0 => public,
        1 => URL_SAFE_NO_PAD.encode(public).into_bytes(),
        _ => victim.kid().as_bytes().to_vec(),
    };
    format!("{input}.{}", tag(hmac::HMAC_SHA256, &secret, input.as_bytes()))
}

/// The same token with another `alg` in its header, and another signature.
fn with_alg(token: &str, alg: &str, signature: &str) -> String {
    let (_, payload) = token.rsplit_once('.').unwrap().0.split_once('.').unwrap();
    let header = format!(r#"{{"alg":"{alg}","typ":"at+jwt","kid":"{}"}}"#, Key::Hs256.kid());
    format!("{}.{payload}.{signature}", URL_SAFE_NO_PAD.encode(header))
}

fn decoded(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).unwrap()
}
