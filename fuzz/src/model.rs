//! Finds out from a token itself which classes of strictness it belongs to. It never asks signoff, and it only looks at
//! tokens that jsonwebtoken accepts: so signature, issuer, audience and the syntax of JSON are settled.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::keys::Key;
use crate::scan::{self, Scanned};
use crate::service::{NOW, REVOKED_CLIENT, REVOKED_SESSION, REVOKED_SUBJECT, REVOKED_TOKEN};
use crate::strictness::Strictness;

/// The last second of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;
const NOW_MICROS: u64 = NOW * 1_000_000;
/// Members that change what a token means, or that bring keys along.
const REFUSED: [&str; 11] = ["b64", "crit", "cty", "enc", "jku", "jwk", "x5c", "x5t", "x5t#S256", "x5u", "zip"];

/// The classes of a token that jsonwebtoken accepts. None: then signoff has no reason to refuse it.
pub(crate) fn classes(token: &str) -> BTreeSet<Strictness> {
    let mut found = Found(BTreeSet::new());
    let (header, rest) = token.split_once('.').unwrap();
    let (payload, _) = rest.split_once('.').unwrap();
    found.note(Strictness::TooLarge, token.len() > 8192 || header.len() > 1024);
    let (header, payload) = (text(header), text(payload));
    let (header, payload) = (scan::object(&header), scan::object(&payload));
    for part in [&header, &payload] {
        found.note(Strictness::DuplicateMember, part.has_duplicates);
        found.note(Strictness::TooDeep, part.depth > 8);
    }
    found.header(&header);
    found.payload(&payload);
    found.0
}

/// A part of a token as the text that it is.
pub(crate) fn text(part: &str) -> String {
    String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

struct Found(BTreeSet<Strictness>);

impl Found {
    fn note(&mut self, class: Strictness, applies: bool) {
        if applies {
            self.0.insert(class);
        }
    }

    fn header(&mut self, header: &Scanned<'_>) {
        self.note(Strictness::RefusedHeader, header.members.iter().any(|(name, _)| REFUSED.contains(&name.as_str())));
        match Value::of(header, "typ") {
            Value::Text(typ) => {
                let known = ["at+jwt", "application/at+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known));
                self.note(Strictness::OtherTyp, !known);
            }
            _ => self.note(Strictness::AbsentTyp, true),
        }
        match Value::of(header, "kid") {
            Value::Text(kid) => self.note(Strictness::UnknownKid, Key::ALL.iter().all(|key| key.kid() != kid)),
            _ => self.note(Strictness::AbsentKid, true),
        }
    }

    fn payload(&mut self, payload: &Scanned<'_>) {
        self.note(Strictness::IssuerList, matches!(Value::of(payload, "iss"), Value::Other));
        for name in ["sub", "client_id"] {
            let text = self.text(payload, name, true);
            self.note(Strictness::NameLength, text.as_ref().is_some_and(|text| !(1..=255).contains(&text.len())));
            let control = |c: char| c < ' ' || ('\u{7f}'..'\u{a0}').contains(&c);
            self.note(Strictness::ControlCharacter, text.is_some_and(|text| text.contains(control)));
        }
        for name in ["jti", "sid"] {
            let text = self.text(payload, name, true);
            self.note(Strictness::OtherId, text.is_some_and(|text| !is_id(&text)));
        }
        self.text(payload, "scope", false);
        let exp = self.number(payload, "exp", LAST_SECOND, false);
        self.note(Strictness::ExpiresNow, exp == Some(NOW));
        self.number(payload, "iat", LAST_SECOND, true);
        self.number(payload, "nbf", LAST_SECOND, false);
        self.number(payload, "auth_time", LAST_SECOND, false);
        let pos = self.number(payload, "pos", i64::MAX.unsigned_abs(), true);
        self.note(Strictness::Revoked, is_revoked(payload, pos.unwrap_or(u64::MAX)));
    }

    /// A claim that must be text; what is wrong with its type is noted.
    fn text(&mut self, payload: &Scanned<'_>, name: &str, required: bool) -> Option<String> {
        match Value::of(payload, name) {
            Value::Text(text) => return Some(text),
            Value::Absent => self.note(Strictness::AbsentClaim, required),
            _ => self.note(Strictness::WrongClaimType, true),
        }
        None
    }

    /// A claim that must be a number; what is wrong with its type, its spelling or its size is noted.
    fn number(&mut self, payload: &Scanned<'_>, name: &str, most: u64, required: bool) -> Option<u64> {
        match Value::of(payload, name) {
            // `u64` would parse a plus sign and leading zeros too, but those are no JSON.
            Value::Number(text) => match text.parse() {
                Ok(number) if number > most => self.note(Strictness::NumberRange, true),
                Ok(number) => return Some(number),
                Err(_) => self.note(Strictness::NumberSpelling, true),
            },
            Value::Absent => self.note(Strictness::AbsentClaim, required),
            _ => self.note(Strictness::WrongClaimType, true),
        }
        None
    }
}

enum Value<'a> {
    Absent,
    Number(&'a str),
    Other,
    Text(String),
}

impl<'a> Value<'a> {
    /// A member's value; of several, the last, as jsonwebtoken takes it.
    fn of(scanned: &Scanned<'a>, name: &str) -> Self {
        let Some((_, text)) = scanned.members.iter().rfind(|(member, _)| member == name) else { return Self::Absent };
        match text.as_bytes()[0] {
            b'"' => Self::Text(serde_json::from_str(text).unwrap()),
            b'-' | b'0'..=b'9' => Self::Number(text),
            _ => Self::Other,
        }
    }
}

/// 22 characters hold 132 bits, so the last one must leave four of them zero: it is `A`, `Q`, `g` or `w`.
fn is_id(text: &str) -> bool {
    text.len() == 22
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        && text.ends_with(['A', 'Q', 'g', 'w'])
}

/// Whether one of the service's revocations kills the token; the cutoffs stand at the start of the log.
fn is_revoked(payload: &Scanned<'_>, born: u64) -> bool {
    let is = |name, text: &str| matches!(Value::of(payload, name), Value::Text(claim) if claim == text);
    (is("sub", REVOKED_SUBJECT) && born < NOW_MICROS)
        || (is("client_id", REVOKED_CLIENT) && born < NOW_MICROS + 1)
        || is("sid", &URL_SAFE_NO_PAD.encode(REVOKED_SESSION))
        || is("jti", &URL_SAFE_NO_PAD.encode(REVOKED_TOKEN))
}
