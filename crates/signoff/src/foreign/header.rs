//! The header of a foreign token (RFC 7515, section 4). Nothing in it is believed: it names a key and a type.

use serde_json::Value;

use crate::b64::Buffer;
use crate::jws::{Compact, is_type};
use crate::key::Algorithm;
use crate::{Rejection, json};

/// A header is at most this long as it is written; ours are shorter, but some providers put certificates into theirs.
pub(super) const MAX_HEADER: usize = 4 * 1024;

/// What a token says that it is (RFC 8725, section 3.11).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Type {
    /// `at+jwt` (RFC 9068, section 2.1).
    Access,
    /// `logout+jwt` (OpenID Connect Back-Channel Logout, section 2.4).
    Logout,
    /// Something else: no kind that we verify.
    Other,
    /// None, or `JWT`, which says no more.
    Unsaid,
}

#[derive(Debug)]
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    pub(super) kid: String,
    pub(super) typ: Type,
}

impl Header {
    pub(super) fn read(token: &Compact<'_>) -> Result<Self, Rejection> {
        let mut buffer = Buffer::<{ MAX_HEADER / 4 * 3 + 3 }>::new();
        let mut members = json::object(buffer.decode(token.header_text()).ok_or(Rejection::Malformed)?)
            .ok_or(Rejection::Malformed)?;
        // Extensions that would change the meaning of the token, and keys that it brings along. `x5t`, `x5t#S256` and
        // `x5c` are not here: some providers send them (Entra sends `x5t`). They are ignored, never followed: the key
        // comes from the issuer's set, by `kid` alone (RFC 8725, section 3.10).
        const REFUSED: [&str; 8] = ["b64", "crit", "cty", "enc", "jku", "jwk", "x5u", "zip"];
        if REFUSED.iter().any(|name| members.contains_key(*name)) {
            return Err(Rejection::Malformed);
        }
        let mut text = |name: &str| match members.remove(name) {
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Rejection::Malformed),
            None => Ok(None),
        };
        let algorithm = text("alg")?.ok_or(Rejection::Malformed)?;
        let algorithm = Algorithm::from_name(&algorithm).ok_or(Rejection::WrongAlgorithm)?;
        let typ = match text("typ")?.as_deref() {
            None => Type::Unsaid,
            Some(typ) if is_type(typ, "JWT") => Type::Unsaid,
            Some(typ) if is_type(typ, "at+jwt") => Type::Access,
            Some(typ) if is_type(typ, "logout+jwt") => Type::Logout,
            Some(_) => Type::Other,
        };
        // Without a name there would be as many candidates as keys, so the signature would choose the key.
        Ok(Self { algorithm, kid: text("kid")?.ok_or(Rejection::Malformed)?, typ })
    }
}
