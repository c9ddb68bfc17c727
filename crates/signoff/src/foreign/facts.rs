//! What a foreign token says, read once and kept whatever kind it is: whether it may be used as one is decided each
//! time, in `rules`.

use serde_json::{Map, Number, Value};

use super::header::Type;
use super::scope::{Derived, Scope};
use super::{Issuer, marks::Marks};
use crate::key::VerifyingKey;
use crate::signatures::Remembered;
use crate::time::Timestamp;
use crate::{Rejection, json};

/// A text in a claim that we give a meaning is at most this long, in bytes.
const MAX_TEXT: usize = 1024;

/// A foreign token whose signature is good, and whose `iss` is its issuer's.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(super) issuer: Issuer,
    pub(super) key: VerifyingKey,
    token: Box<str>,
    pub(super) typ: Type,
    pub(super) subject: Option<String>,
    // Invariant: not empty.
    pub(super) audience: Vec<String>,
    pub(super) issued_at: Timestamp,
    pub(super) not_before: Option<Timestamp>,
    pub(super) expires_at: Timestamp,
    pub(super) token_id: Option<String>,
    pub(super) session_id: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) authorized_party: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) auth_time: Option<Timestamp>,
    pub(super) acr: Option<String>,
    pub(super) amr: Vec<String>,
    pub(super) payload_type: Option<String>,
    pub(super) marks: Marks,
    pub(super) scopes: Scopes,
}

/// The scopes that a token belongs to, besides everything.
#[derive(Debug)]
pub(super) struct Scopes {
    pub(super) token: Derived,
    pub(super) session: Option<Derived>,
    pub(super) subject: Option<Derived>,
    pub(super) key: Derived,
    /// One for each name of a client in it; mostly they are the same.
    pub(super) clients: Vec<Derived>,
}

impl Facts {
    /// Reads the claims. The signature must have been verified with this key, which must be the issuer's.
    pub(super) fn read(
        token: &str,
        payload: &[u8],
        typ: Type,
        issuer: &Issuer,
        key: VerifyingKey,
    ) -> Result<Self, Rejection> {
        let mut read = Members(json::object(payload).ok_or(Rejection::Malformed)?);
        match read.text("iss")? {
            Some(iss) if iss == issuer.name() => {}
            Some(_) => return Err(Rejection::WrongIssuer),
            None => return Err(Rejection::Malformed),
        }
        let marks = Marks::of(&read.0)?;
        let (subject, session_id, token_id) = (read.text("sub")?, read.text("sid")?, read.text("jti")?);
        let (client_id, authorized_party) = (read.text("client_id")?, read.text("azp")?);
        // What Okta and Entra (version 1) call the client.
        let others = [read.text("cid")?, read.text("appid")?];
        let name = issuer.name();
        let mut names: Vec<&str> =
            [&client_id, &authorized_party, &others[0], &others[1]].into_iter().flatten().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let scopes = Scopes {
            token: match &token_id {
                Some(id) => Scope::Token(id).derive(name),
                None => Derived::nameless_token(name, payload),
            },
            session: session_id.as_deref().map(|id| Scope::Session(id).derive(name)),
            subject: subject.as_deref().map(|id| Scope::Subject(id).derive(name)),
            key: Scope::Key(key.kid()).derive(name),
            clients: names.into_iter().map(|id| Scope::Client(id).derive(name)).collect(),
        };
        let [cid, appid] = others;
        Ok(Self {
            issuer: issuer.clone(),
            key,
            token: token.into(),
            typ,
            audience: read.audience()?,
            // Each is rounded to where the token is good for less: it ends earlier, begins later, is older.
            issued_at: read.date("iat", Round::Down)?.ok_or(Rejection::Malformed)?,
            not_before: read.date("nbf", Round::Up)?,
            expires_at: read.date("exp", Round::Down)?.ok_or(Rejection::Malformed)?,
            subject,
            token_id,
            session_id,
            client_id: client_id.or(cid).or(appid),
            authorized_party,
            scope: read.scope()?,
            nonce: read.text("nonce")?,
            auth_time: read.date("auth_time", Round::Down)?,
            acr: read.text("acr")?,
            amr: read.texts("amr")?,
            payload_type: read.text("typ")?,
            marks,
            scopes,
        })
    }

    pub(super) fn has_audience(&self, audience: &str) -> bool {
        self.audience.iter().any(|other| other == audience)
    }

    /// The payload, once more: it is needed too rarely to be kept twice.
    pub(super) fn payload_text(&self) -> &str {
        self.token.split('.').nth(1).unwrap_or_default()
    }
}

impl Remembered for Facts {
    fn is_of(&self, token: &str) -> bool {
        *self.token == *token
    }

    fn key(&self) -> Option<&VerifyingKey> {
        Some(&self.key)
    }

    fn size(&self) -> usize {
        // The claims that we keep stand in the token, and are shorter there; each derived text has some 50 bytes.
        size_of::<Self>() + 2 * self.token.len() + 128 * (3 + self.scopes.clients.len())
    }
}

/// Which way a date with a fraction goes.
#[derive(Clone, Copy)]
enum Round {
    Down,
    Up,
}

/// The members of a payload. A wrong type is refused, wherever it stands; unknown members are not looked at.
struct Members(Map<String, Value>);

impl Members {
    /// A text that says something, without control characters.
    fn text(&mut self, name: &str) -> Result<Option<String>, Rejection> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) if is_name(&text) => Ok(Some(text)),
            Some(_) => Err(Rejection::Malformed),
        }
    }

    fn texts(&mut self, name: &str) -> Result<Vec<String>, Rejection> {
        match self.0.remove(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => values.into_iter().map(only_text).collect(),
            Some(_) => Err(Rejection::Malformed),
        }
    }

    /// One text or several, at least one (RFC 7519, section 4.1.3).
    fn audience(&mut self) -> Result<Vec<String>, Rejection> {
        let audience = match self.0.remove("aud") {
            Some(one @ Value::String(_)) => vec![only_text(one)?],
            Some(Value::Array(values)) => values.into_iter().map(only_text).collect::<Result<_, _>>()?,
            _ => return Err(Rejection::Malformed),
        };
        if audience.is_empty() { Err(Rejection::WrongAudience) } else { Ok(audience) }
    }

    /// `scope`, or what Okta (an array) and Entra (a text) call `scp`, as words separated by spaces. It may be long, and
    /// it may be empty.
    fn scope(&mut self) -> Result<Option<String>, Rejection> {
        let name = if self.0.contains_key("scope") { "scope" } else { "scp" };
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(words)) => Ok(Some(words)),
            Some(Value::Array(words)) if name == "scp" => {
                let words: Result<Vec<_>, _> = words.into_iter().map(only_text).collect();
                words.map(|words| Some(words.join(" ")))
            }
            Some(_) => Err(Rejection::Malformed),
        }
    }

    /// Seconds since 1970, in whole seconds. Our own tokens have whole numbers only; RFC 7519, section 2, allows
    /// fractions, and some providers send them.
    fn date(&mut self, name: &str, round: Round) -> Result<Option<Timestamp>, Rejection> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        let Value::Number(number) = value else { return Err(Rejection::Malformed) };
        seconds(&number, round).and_then(Timestamp::from_secs).map(Some).ok_or(Rejection::Malformed)
    }
}

fn seconds(number: &Number, round: Round) -> Option<i64> {
    if let Some(whole) = number.as_u64() {
        return i64::try_from(whole).ok();
    }
    let decimal = number.as_f64().filter(|decimal| decimal.is_finite() && *decimal >= 0.0)?;
    let whole = match round {
        Round::Down => decimal.floor(),
        Round::Up => decimal.ceil(),
    };
    // Far below what a float holds exactly, and past every date that we know.
    (whole < 1e15).then_some(whole as i64)
}

fn only_text(value: Value) -> Result<String, Rejection> {
    match value {
        Value::String(text) if is_name(&text) => Ok(text),
        _ => Err(Rejection::Malformed),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_TEXT && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_rounded_to_the_safe_side() {
        let check = |json: &str, down, up| {
            let read = |round| {
                let mut members = Members(json::object(format!("{{\"x\":{json}}}").as_bytes()).unwrap());
                members.date("x", round).map(|date| date.unwrap().as_secs()).ok()
            };
            assert_eq!((read(Round::Down), read(Round::Up)), (down, up), "{json}");
        };
        check("0", Some(0), Some(0));
        check("1800000000", Some(1_800_000_000), Some(1_800_000_000));
        check("1800000000.0", Some(1_800_000_000), Some(1_800_000_000));
        check("1800000000.001", Some(1_800_000_000), Some(1_800_000_001));
        check("1800000000.999", Some(1_800_000_000), Some(1_800_000_001));
        check("1.8e9", Some(1_800_000_000), Some(1_800_000_000));
        check("253402300799", Some(253_402_300_799), Some(253_402_300_799));
        check("253402300799.5", Some(253_402_300_799), None);
        for bad in ["-1", "-0.5", "253402300800", "1e300", "18446744073709551615", "\"1800000000\"", "null", "[1]"] {
            check(bad, None, None);
        }
    }
}
