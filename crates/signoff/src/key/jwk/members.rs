//! The members of one JWK, read strictly and overwritten when dropped. It knows no key types.

use serde_json::{Map, Value};
use zeroize::{Zeroize, Zeroizing};

use crate::key::Algorithm;
use crate::{Error, ErrorKind, b64, json};

/// A `kid` is at most this long: it stands in the header of every token.
const MAX_KID: usize = 256;

pub(super) struct Members(Map<String, Value>);

pub(super) const fn refuse(what: &'static str) -> Error {
    Error::new(ErrorKind::Misuse, what)
}

impl Members {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let members = json::object(text.as_bytes());
        members.map(Self).ok_or_else(|| refuse("a JWK is one JSON object in which no member occurs twice"))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Error> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(refuse("a member of the JWK that must be a string is not")),
        }
    }

    /// A required member in canonical base64url.
    pub(super) fn bytes(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        let text = self.text(name)?.ok_or_else(|| refuse("the JWK lacks a member that its kty requires"))?;
        b64::bytes(text).ok_or_else(|| refuse("a member of the JWK is not canonical base64url"))
    }

    /// Two coordinates as one uncompressed point (RFC 7518, section 6.2.1: each as long as the curve's field).
    pub(super) fn point(&self, coordinate: usize) -> Result<Vec<u8>, Error> {
        let (x, y) = (self.bytes("x")?, self.bytes("y")?);
        if x.len() != coordinate || y.len() != coordinate {
            return Err(refuse("a coordinate of the JWK is not as long as its curve says"));
        }
        Ok([&[0x04], x.as_slice(), y.as_slice()].concat())
    }

    pub(super) fn algorithm(&self) -> Result<Option<Algorithm>, Error> {
        let Some(name) = self.text("alg")? else { return Ok(None) };
        Algorithm::from_name(name).map(Some).ok_or_else(|| refuse("the alg of the JWK is no algorithm that we use"))
    }

    pub(super) fn kid(&self) -> Result<Option<String>, Error> {
        let Some(kid) = self.text("kid")? else { return Ok(None) };
        if kid.is_empty() || kid.len() > MAX_KID || kid.chars().any(char::is_control) {
            return Err(refuse("the kid of a JWK has 1 to 256 bytes and no control characters"));
        }
        Ok(Some(kid.to_owned()))
    }

    /// Refuses a key that is meant for something else (RFC 7517, sections 4.2 and 4.3).
    pub(super) fn check_purpose(&self, operation: &str) -> Result<(), Error> {
        if self.text("use")?.is_some_and(|purpose| purpose != "sig") {
            return Err(refuse("the use of the JWK is not sig"));
        }
        match self.0.get("key_ops") {
            None => Ok(()),
            Some(Value::Array(operations)) if operations.iter().any(|other| other == operation) => Ok(()),
            Some(_) => Err(refuse("the key_ops of the JWK do not allow what the key is needed for")),
        }
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        // The secret members are texts at the top; what is deeper is not ours.
        for value in self.0.values_mut() {
            if let Value::String(text) = value {
                text.zeroize();
            }
        }
    }
}
