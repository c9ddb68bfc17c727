//! The general reader of claims: any order, any spelling, strictly. The signature must have been verified before.

use serde_json::{Map, Value};

use super::facts::{Draft, Fixed};
use crate::settings::Policy;
use crate::time::Timestamp;
use crate::{ClientId, Position, Rejection, Subject, json};

/// Reads the claims of a JWT and checks whom they are from and for.
pub(crate) fn read(payload: &[u8], policy: &Policy) -> Result<Draft<'static>, Rejection> {
    let mut read = Members(json::object(payload).ok_or(Rejection::Malformed)?);
    read.issuer(&policy.settings.issuer)?;
    read.audience(&policy.settings.audience)?;
    let subject = read.text("sub")?;
    let client_id = read.text("client_id")?;
    // The same bounds as where they are minted.
    Subject::check(&subject).and_then(|()| ClientId::check(&client_id)).map_err(|_| Rejection::Malformed)?;
    let fixed = Fixed {
        session_id: read.text("sid")?.parse().map_err(|_| Rejection::Malformed)?,
        token_id: Some(read.text("jti")?.parse().map_err(|_| Rejection::Malformed)?),
        position: read.number("pos")?.and_then(Position::new).ok_or(Rejection::Malformed)?,
        issued_at: read.date("iat")?.ok_or(Rejection::Malformed)?,
        authenticated_at: read.date("auth_time")?,
        not_before: read.date("nbf")?,
        expires_at: read.date("exp")?.ok_or(Rejection::Malformed)?,
        idle_expires_at: Timestamp::MAX,
    };
    let scope = if read.0.contains_key("scope") { Some(read.text("scope")?.into()) } else { None };
    Ok(Draft { fixed, subject: subject.into(), client_id: client_id.into(), scope, application: read.rest().into() })
}

/// The members of a payload, taken out one by one; what is left belongs to the application.
#[derive(Debug)]
pub(crate) struct Members(pub(crate) Map<String, Value>);

impl Members {
    /// `iss`: required, and this, byte for byte.
    pub(crate) fn issuer(&mut self, issuer: &str) -> Result<(), Rejection> {
        match self.0.remove("iss") {
            Some(Value::String(iss)) if iss == issuer => Ok(()),
            Some(Value::String(_)) => Err(Rejection::WrongIssuer),
            _ => Err(Rejection::Malformed),
        }
    }

    /// `aud`: required; one text or several, among them this, byte for byte (RFC 7519, section 4.1.3).
    pub(crate) fn audience(&mut self, audience: &str) -> Result<(), Rejection> {
        match self.0.remove("aud") {
            Some(Value::String(aud)) if aud == audience => Ok(()),
            Some(Value::String(_)) => Err(Rejection::WrongAudience),
            Some(Value::Array(auds)) if auds.iter().all(Value::is_string) => {
                if auds.iter().any(|aud| aud == audience) {
                    Ok(())
                } else {
                    Err(Rejection::WrongAudience)
                }
            }
            _ => Err(Rejection::Malformed),
        }
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<String, Rejection> {
        match self.0.remove(name) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(Rejection::Malformed),
        }
    }

    /// A whole number that is not negative: neither text, nor a fraction, nor too large.
    pub(crate) fn number(&mut self, name: &str) -> Result<Option<u64>, Rejection> {
        self.0.remove(name).map(|value| value.as_u64().ok_or(Rejection::Malformed)).transpose()
    }

    pub(crate) fn date(&mut self, name: &str) -> Result<Option<Timestamp>, Rejection> {
        let Some(secs) = self.number(name)? else { return Ok(None) };
        let secs = i64::try_from(secs).map_err(|_| Rejection::Malformed)?;
        Timestamp::from_secs(secs).map(Some).ok_or(Rejection::Malformed)
    }

    /// What is left, as JSON without the braces around it.
    pub(crate) fn rest(self) -> String {
        let mut text = Value::Object(self.0).to_string();
        text.pop();
        text.remove(0);
        text
    }
}
