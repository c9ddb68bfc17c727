//! The one order in which we write claims, and the quick reader of exactly that. What is written in another way is left
//! to the [general reader](super::read), which decides alike.

use std::borrow::Cow;

use super::application::{self, expect, is_printable, number, until_quote};
use super::facts::{Draft, Fixed};
use crate::time::Timestamp;
use crate::{Position, SessionId, TokenId, b64};

/// The texts between the claims, prepared once for an issuer and an audience.
#[derive(Debug)]
pub(crate) struct Layout {
    /// `{"iss":"...","sub":"`
    start: String,
    /// `","aud":"...","exp":`
    audience: String,
}

const IAT: &str = ",\"iat\":";
const AUTH_TIME: &str = ",\"auth_time\":";
const JTI: &str = ",\"jti\":\"";
const SID: &str = "\",\"sid\":\"";
const POS: &str = "\",\"pos\":";
const CLIENT: &str = ",\"client_id\":\"";
const SCOPE: &str = "\"scope\":\"";

impl Layout {
    pub(crate) fn new(issuer: &str, audience: &str) -> Self {
        let mut start = String::from("{\"iss\":\"");
        escape(issuer, &mut start);
        start.push_str("\",\"sub\":\"");
        let mut middle = String::from("\",\"aud\":\"");
        escape(audience, &mut middle);
        middle.push_str("\",\"exp\":");
        Self { start, audience: middle }
    }

    /// The payload of a token. It must have a `jti`; `nbf` is never written.
    pub(crate) fn write(&self, draft: &Draft<'_>, token_id: &TokenId) -> String {
        let fixed = &draft.fixed;
        let scope = draft.scope.as_deref();
        let texts = draft.subject.len() + draft.client_id.len() + scope.map_or(0, str::len) + draft.application.len();
        let mut json = String::with_capacity(self.start.len() + self.audience.len() + texts + 216);
        json.push_str(&self.start);
        escape(&draft.subject, &mut json);
        json.push_str(&self.audience);
        push_number(fixed.expires_at.as_secs().unsigned_abs(), &mut json);
        json.push_str(IAT);
        push_number(fixed.issued_at.as_secs().unsigned_abs(), &mut json);
        if let Some(authenticated_at) = fixed.authenticated_at {
            json.push_str(AUTH_TIME);
            push_number(authenticated_at.as_secs().unsigned_abs(), &mut json);
        }
        for (name, id) in [(JTI, token_id.as_bytes()), (SID, fixed.session_id.as_bytes())] {
            json.push_str(name);
            json.extend(b64::encode_id(id).map(char::from));
        }
        json.push_str(POS);
        push_number(fixed.position.get(), &mut json);
        json.push_str(CLIENT);
        escape(&draft.client_id, &mut json);
        json.push('"');
        if let Some(scope) = scope {
            json.push(',');
            json.push_str(SCOPE);
            escape(scope, &mut json);
            json.push('"');
        }
        if !draft.application.is_empty() {
            json.push(',');
            json.push_str(&draft.application);
        }
        json.push('}');
        json
    }

    /// Reads a payload that is byte for byte as we would write it, in printable ASCII without escapes, with issuer and
    /// audience right. `None` for everything else: it may be bad, or good in another spelling.
    pub(crate) fn scan<'a>(&self, payload: &'a [u8]) -> Option<Draft<'a>> {
        let rest = &mut { payload };
        expect(rest, self.start.as_bytes())?;
        let subject = until_quote(rest)?;
        // The quote is taken already.
        expect(rest, self.audience.as_bytes().strip_prefix(b"\"")?)?;
        let expires_at = date(number(rest)?)?;
        expect(rest, IAT.as_bytes())?;
        let issued_at = date(number(rest)?)?;
        // Earlier versions did not write it.
        let mut authenticated_at = None;
        if expect(rest, AUTH_TIME.as_bytes()).is_some() {
            authenticated_at = Some(date(number(rest)?)?);
        }
        expect(rest, JTI.as_bytes())?;
        let token_id = TokenId::from_bytes(id(rest)?);
        expect(rest, SID.as_bytes())?;
        let session_id = SessionId::from_bytes(id(rest)?);
        expect(rest, POS.as_bytes())?;
        let position = Position::new(number(rest)?)?;
        expect(rest, CLIENT.as_bytes())?;
        let client_id = until_quote(rest)?;
        let mut members = std::str::from_utf8(rest.strip_suffix(b"}")?).ok()?;
        let mut scope = None;
        if !members.is_empty() {
            members = members.strip_prefix(',')?;
            if let Some(found) = members.strip_prefix(SCOPE) {
                let rest = &mut found.as_bytes();
                scope = Some(text(until_quote(rest)?)?);
                members = &found[found.len() - rest.len()..];
                members = if members.is_empty() { members } else { members.strip_prefix(',')? };
                // A comma promises a member.
                if members.is_empty() && !rest.is_empty() {
                    return None;
                }
            } else if members.is_empty() {
                return None;
            }
        }
        let short = |text: &[u8]| matches!(text.len(), 1..=255);
        if !short(subject) || !short(client_id) || !application::is_own(members) {
            return None;
        }
        let fixed = Fixed {
            session_id,
            token_id: Some(token_id),
            position,
            issued_at,
            authenticated_at,
            not_before: None,
            expires_at,
            idle_expires_at: Timestamp::MAX,
        };
        let (subject, client_id) = (text(subject)?, text(client_id)?);
        Some(Draft { fixed, subject, client_id, scope, application: members.into() })
    }
}

fn date(secs: u64) -> Option<Timestamp> {
    Timestamp::from_secs(i64::try_from(secs).ok()?)
}

fn id(rest: &mut &[u8]) -> Option<[u8; 16]> {
    let (id, tail) = rest.split_at_checked(22)?;
    *rest = tail;
    b64::decode_id(id)
}

fn text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    std::str::from_utf8(bytes).ok().map(Cow::from)
}

/// Appends a text as it stands between the quotes of a JSON string (RFC 8259, section 7).
fn escape(text: &str, to: &mut String) {
    if is_printable(text.as_bytes()) {
        to.push_str(text);
        return;
    }
    let quoted = serde_json::Value::from(text).to_string();
    to.push_str(&quoted[1..quoted.len() - 1]);
}

fn push_number(mut number: u64, to: &mut String) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    to.push_str(std::str::from_utf8(&digits[at..]).unwrap_or_default());
}

#[cfg(test)]
mod tests;
