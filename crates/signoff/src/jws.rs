//! Compact JWS (RFC 7515, section 7.1): three parts of canonical base64url. It knows nothing of claims.

use serde_json::Value;

use crate::b64::Buffer;
use crate::key::{Algorithm, KeySet, VerifyingKey};
use crate::{Rejection, json};

/// A token is at most this long: what browsers and proxies carry, and a bound for all work before the signature.
pub(crate) const MAX_TOKEN: usize = 8 * 1024;
const MAX_HEADER: usize = 1024;
/// RSA with 8,192 bits has the longest signatures.
const MAX_SIGNATURE: usize = 1366;
/// `typ` of an access token (RFC 9068, section 2.1).
pub(crate) const ACCESS_TOKEN: &str = "at+jwt";

/// Room for any payload, in bytes.
pub(crate) const PAYLOAD: usize = MAX_TOKEN / 4 * 3 + 3;

/// A token taken apart. Nothing in it is verified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compact<'a> {
    token: &'a str,
    header: &'a str,
    /// What the signature covers: the first two parts with the dot between them.
    signed: &'a str,
    payload: &'a str,
    signature: &'a str,
}

/// What a header says, as far as it may say anything.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: String,
}

impl<'a> Compact<'a> {
    /// Splits a token, all parts bounded in size before any work is done.
    pub(crate) fn split(token: &'a str) -> Result<Self, Rejection> {
        Self::split_within(token, MAX_HEADER)
    }

    /// As [`Compact::split`], with another bound for the header as it is written.
    pub(crate) fn split_within(token: &'a str, max_header: usize) -> Result<Self, Rejection> {
        if token.len() > MAX_TOKEN {
            return Err(Rejection::TooLarge);
        }
        let mut dots = memchr::memchr_iter(b'.', token.as_bytes());
        let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
            return Err(Rejection::Malformed);
        };
        let (header, payload, signature) = (&token[..first], &token[first + 1..second], &token[second + 1..]);
        if payload.is_empty() || signature.is_empty() {
            return Err(Rejection::Malformed);
        }
        if header.len() > max_header || signature.len() > MAX_SIGNATURE {
            return Err(Rejection::TooLarge);
        }
        Ok(Self { token, header, signed: &token[..second], payload, signature })
    }

    /// The whole of it.
    pub(crate) const fn token(&self) -> &'a str {
        self.token
    }

    /// The header as it is written.
    pub(crate) const fn header_text(&self) -> &'a str {
        self.header
    }

    /// The key that must have signed. A header that we mint is known by its bytes, any other is read.
    pub(crate) fn key<'k>(&self, keys: &'k KeySet) -> Result<&'k VerifyingKey, Rejection> {
        if let Some(key) = keys.find_by_header(self.header) {
            return Ok(key);
        }
        let header = self.header(&[ACCESS_TOKEN])?;
        let key = keys.find(&header.kid).ok_or(Rejection::UnknownKey)?;
        // The key decides the algorithm, not the token (RFC 8725, section 3.1).
        if key.algorithm() != header.algorithm {
            return Err(Rejection::WrongAlgorithm);
        }
        Ok(key)
    }

    /// Reads the header of a token whose `typ` must be one of these.
    pub(crate) fn header(&self, types: &[&str]) -> Result<Header, Rejection> {
        let mut buffer = Buffer::<{ MAX_HEADER / 4 * 3 + 3 }>::new();
        read_header(buffer.decode(self.header).ok_or(Rejection::Malformed)?, types)
    }

    /// The payload, if this key signed it.
    pub(crate) fn verify<'b>(
        &self,
        key: &VerifyingKey,
        payload: &'b mut Buffer<PAYLOAD>,
    ) -> Result<&'b [u8], Rejection> {
        let mut buffer = Buffer::<{ MAX_SIGNATURE / 4 * 3 + 6 }>::new();
        let signature = buffer.decode(self.signature).ok_or(Rejection::Malformed)?;
        if !key.verifies(self.signed.as_bytes(), signature) {
            return Err(Rejection::BadSignature);
        }
        payload.decode(self.payload).ok_or(Rejection::Malformed)
    }
}

fn read_header(bytes: &[u8], types: &[&str]) -> Result<Header, Rejection> {
    let mut members = json::object(bytes).ok_or(Rejection::Malformed)?;
    // Extensions that would change the meaning of the token, and keys that the token brings along: none is followed,
    // and a token that carries one is not ours (RFC 8725, sections 3.1 and 3.10).
    const REFUSED: [&str; 11] = ["b64", "crit", "enc", "jku", "jwk", "x5c", "x5t", "x5t#S256", "x5u", "zip", "cty"];
    if REFUSED.iter().any(|name| members.contains_key(*name)) {
        return Err(Rejection::Malformed);
    }
    let mut text = |name: &str| match members.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(Rejection::Malformed),
    };
    let algorithm = Algorithm::from_name(&text("alg")?).ok_or(Rejection::WrongAlgorithm)?;
    let typ = text("typ")?;
    if !types.iter().any(|wanted| is_type(&typ, wanted)) {
        return Err(Rejection::WrongType);
    }
    Ok(Header { algorithm, kid: text("kid")? })
}

/// Compared as a media type: case-insensitive, and "application/" may be left out (RFC 7515, section 4.1.9).
pub(crate) fn is_type(typ: &str, wanted: &str) -> bool {
    let Some((prefix, short)) = typ.split_at_checked(typ.len().saturating_sub(wanted.len())) else { return false };
    let known_prefix = prefix.is_empty() || prefix.eq_ignore_ascii_case("application/");
    known_prefix && short.eq_ignore_ascii_case(wanted)
}

#[cfg(test)]
mod tests;
