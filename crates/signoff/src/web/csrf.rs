//! A token that only pages of the own origin can know, for those who must have one (OWASP, HMAC-based token pattern).

use std::fmt::Write;

use ring::hmac;

use super::{Auth, Reply};
use crate::site::Credentials;

/// What is authenticated, so that the key serves nothing else.
const PURPOSE: &[u8] = b"signoff CSRF token, version 1";

impl Auth {
    /// The CSRF token of the session, 64 hexadecimal digits, to be sent back in `X-CSRF-Token` or in a field of a form; `None`
    /// without a good session cookie.
    ///
    /// It is a MAC under the value of the cookie, so nothing is stored, every node knows it, and it ends with the session. A
    /// JWT in the cookie is replaced from time to time, and its token with it, though not by the answer that this token is for:
    /// a page whose token is refused gets the new one.
    pub fn csrf_token(&self) -> Option<String> {
        self.live()?.ok()?;
        self.note_csrf_token();
        let tag = hmac::sign(&self.csrf_key()?, PURPOSE);
        Some(tag.as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }))
    }

    /// Whether this is the CSRF token of the session cookie that the request presents.
    pub fn is_csrf_token(&self, token: &[u8]) -> bool {
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let given: Option<Vec<u8>> = token
            .chunks(2)
            .map(|pair| match pair {
                [high, low] => Some(digit(high)? << 4 | digit(low)?),
                _ => None,
            })
            .collect();
        match (self.csrf_key(), given) {
            (Some(key), Some(given)) if given.len() == 32 => hmac::verify(&key, PURPOSE, &given).is_ok(),
            _ => false,
        }
    }

    /// `GET /csrf`: the token, as `{"csrf_token":"…"}`. Pages of other origins cannot read the answer.
    pub fn csrf(&self) -> Reply {
        match (self.require(), self.csrf_token()) {
            (Err(answer), _) => answer.into(),
            (Ok(_), token) => {
                let token = token.map_or_else(|| "null".to_owned(), |token| format!("\"{token}\""));
                Reply::json(200, format!(r#"{{"csrf_token":{token}}}"#))
            }
        }
    }

    fn csrf_key(&self) -> Option<hmac::Key> {
        let Credentials::Cookie(_) = self.credentials() else { return None };
        let value = self.credentials().one().ok()??;
        Some(hmac::Key::new(hmac::HMAC_SHA256, value.as_bytes()))
    }
}
