//! A payload built claim by claim, with the faults that were built into it: so the verdict is known beforehand.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use signoff::Rejection;

use crate::cursor::Cursor;
use crate::service::{AUDIENCE, ISSUER, NOW, REVOKED_CLIENT, REVOKED_SESSION, REVOKED_SUBJECT, REVOKED_TOKEN};

pub(crate) struct Built {
    pub(crate) payload: String,
    /// Empty when the payload is good; otherwise signoff may name any of them, because no order is promised.
    pub(crate) faults: Vec<Rejection>,
}

/// The last second of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;
const NOW_MICROS: u64 = NOW * 1_000_000;

pub(crate) fn payload(data: &[u8]) -> Built {
    let mut cursor = Cursor::new(data);
    let mut builder = Builder { members: Vec::new(), faults: Vec::new() };

    builder.issuer(cursor.below(16));
    builder.audience(cursor.below(16));
    let position = builder.position(&mut cursor);
    builder.name("sub", &mut cursor, REVOKED_SUBJECT, position < NOW_MICROS);
    // The revocation of the client stands behind that of the subject, one position later.
    builder.name("client_id", &mut cursor, REVOKED_CLIENT, position < NOW_MICROS + 1);
    builder.id("sid", &mut cursor, &REVOKED_SESSION);
    builder.id("jti", &mut cursor, &REVOKED_TOKEN);
    builder.dates(&mut cursor);
    builder.scope(&mut cursor);
    builder.own(&mut cursor);
    builder.print(&mut cursor)
}

struct Builder {
    /// Names, and values as JSON text: so that a name can occur twice.
    members: Vec<(&'static str, String)>,
    faults: Vec<Rejection>,
}

impl Builder {
    fn issuer(&mut self, choice: u8) {
        match choice {
            0 => self.wrong("iss", json!("https://bank.example/"), Rejection::WrongIssuer),
            1 => self.wrong("iss", json!(7), Rejection::Malformed),
            2 => self.wrong("iss", json!([ISSUER]), Rejection::Malformed),
            3 => self.faults.push(Rejection::Malformed),
            _ => self.good("iss", json!(ISSUER)),
        }
    }

    fn audience(&mut self, choice: u8) {
        match choice {
            0 => self.wrong("aud", json!("https://bank.example/API"), Rejection::WrongAudience),
            1 => self.wrong("aud", json!([]), Rejection::WrongAudience),
            2 => self.wrong("aud", json!(["x", "y"]), Rejection::WrongAudience),
            3 => self.wrong("aud", json!([AUDIENCE, 7]), Rejection::Malformed),
            4 => self.wrong("aud", json!({ AUDIENCE: AUDIENCE }), Rejection::Malformed),
            5 => self.faults.push(Rejection::Malformed),
            6 => self.good("aud", json!(["x", AUDIENCE, "x"])),
            7 => self.good("aud", json!([AUDIENCE])),
            _ => self.good("aud", json!(AUDIENCE)),
        }
    }

    fn position(&mut self, cursor: &mut Cursor<'_>) -> u64 {
        let position = match cursor.below(4) {
            0 => cursor.number(),
            1 => NOW_MICROS + u64::from(cursor.below(8)) - 4,
            2 => i64::MAX.unsigned_abs() + u64::from(cursor.below(3)) - 1,
            _ => u64::from(cursor.byte()),
        };
        let fault = (position > i64::MAX.unsigned_abs()).then_some(Rejection::Malformed);
        self.add("pos", json!(position), fault);
        position
    }

    fn name(&mut self, name: &'static str, cursor: &mut Cursor<'_>, revoked: &str, in_time: bool) {
        let text = match cursor.below(8) {
            0 => revoked.into(),
            1 => return self.wrong(name, json!(null), Rejection::Malformed),
            2 => return self.faults.push(Rejection::Malformed),
            3 => "e\u{301}".repeat(usize::from(cursor.byte())).into(),
            4 => "x".repeat(usize::from(cursor.byte()) + 1).into(),
            _ => cursor.text(),
        };
        let control = |c: char| c < ' ' || ('\u{7f}'..'\u{a0}').contains(&c);
        let fault = if !(1..=255).contains(&text.len()) || text.contains(control) {
            Some(Rejection::Malformed)
        } else {
            (text == revoked && in_time).then_some(Rejection::Revoked)
        };
        self.add(name, json!(text), fault);
    }

    fn id(&mut self, name: &'static str, cursor: &mut Cursor<'_>, revoked: &[u8; 16]) {
        let choice = cursor.below(16);
        let bytes = if choice == 0 { *revoked } else { cursor.array::<16>() };
        let text = URL_SAFE_NO_PAD.encode(bytes);
        match choice {
            1 => self.wrong(name, json!(format!("{text}A")), Rejection::Malformed),
            2 => self.wrong(name, json!(&text[..21]), Rejection::Malformed),
            // Sixteen bytes to a lenient reader: the last character has stray bits.
            3 => self.wrong(name, json!(format!("{}h", &text[..21])), Rejection::Malformed),
            4 => self.wrong(name, json!(format!("{}=", &text[..21])), Rejection::Malformed),
            5 => self.wrong(name, json!(bytes), Rejection::Malformed),
            _ => self.add(name, json!(text), (bytes == *revoked).then_some(Rejection::Revoked)),
        }
    }

    fn dates(&mut self, cursor: &mut Cursor<'_>) {
        let exp = date(cursor);
        self.date("exp", exp, (exp <= NOW).then_some(Rejection::Expired));
        let iat = date(cursor);
        self.date("iat", iat, None);
        match cursor.below(4) {
            0 => self.wrong("nbf", json!(-1), Rejection::Malformed),
            1 | 2 => {}
            _ => {
                let nbf = date(cursor);
                self.date("nbf", nbf, (nbf > NOW).then_some(Rejection::NotYetValid));
            }
        }
    }

    fn date(&mut self, name: &'static str, secs: u64, fault: Option<Rejection>) {
        self.add(name, json!(secs), if secs > LAST_SECOND { Some(Rejection::Malformed) } else { fault });
    }

    fn scope(&mut self, cursor: &mut Cursor<'_>) {
        match cursor.below(8) {
            0 => self.wrong("scope", json!(null), Rejection::Malformed),
            1 => self.wrong("scope", json!(["read"]), Rejection::Malformed),
            2 => self.good("scope", json!(cursor.text())),
            _ => {}
        }
    }

    /// The application's own claims: arrays in arrays, of which eight levels are allowed, the payload included.
    fn own(&mut self, cursor: &mut Cursor<'_>) {
        let depth = usize::from(cursor.below(12));
        let value = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let value = if value.is_empty() { json!(cursor.text()).to_string() } else { value };
        self.members.push(("own", value));
        if depth > 7 {
            self.faults.push(Rejection::Malformed);
        }
    }

    fn print(mut self, cursor: &mut Cursor<'_>) -> Built {
        if cursor.below(8) == 1 {
            let again = usize::from(cursor.byte()) % self.members.len();
            self.members.push(self.members[again].clone());
            self.faults.push(Rejection::Malformed);
        }
        let turn = usize::from(cursor.byte()) % self.members.len();
        self.members.rotate_left(turn);
        let members: Vec<_> = self.members.iter().map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
        Built { payload: format!("{{{}}}", members.join(",")), faults: self.faults }
    }

    fn good(&mut self, name: &'static str, value: serde_json::Value) {
        self.add(name, value, None);
    }

    fn wrong(&mut self, name: &'static str, value: serde_json::Value, fault: Rejection) {
        self.add(name, value, Some(fault));
    }

    fn add(&mut self, name: &'static str, value: serde_json::Value, fault: Option<Rejection>) {
        self.members.push((name, value.to_string()));
        self.faults.extend(fault);
    }
}

/// A date, mostly about now or about the end of what a timestamp holds.
fn date(cursor: &mut Cursor<'_>) -> u64 {
    match cursor.below(5) {
        0 => cursor.number(),
        1 => LAST_SECOND + u64::from(cursor.below(4)) - 1,
        2 => NOW + u64::from(cursor.below(4)) - 1,
        3 => NOW - u64::from(cursor.byte()),
        _ => NOW + 1 + u64::from(cursor.byte()),
    }
}
