//! The keys of an issuer as its JWK set says (RFC 7517). It fetches nothing, and looks at no certificate in it.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::key::{Algorithm, VerifyingKey};
use crate::signatures::Holds;
use crate::{Error, ErrorKind, json};

/// A document is at most this long, in bytes.
const MAX_DOCUMENT: usize = 256 * 1024;
/// It has at most so many keys, usable or not.
const MAX_KEYS: usize = 64;

/// How keys are read that do not say enough themselves.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// What an RSA key is bound to whose JWK has no `alg`.
    pub(super) rsa_algorithm: Algorithm,
    /// Keys of other algorithms are passed over.
    pub(super) algorithms: Vec<Algorithm>,
}

/// The keys that count at a moment.
#[derive(Debug)]
pub(super) struct Keys {
    // Invariant: no two have the same name.
    known: Vec<Known>,
    pub(super) age: Age,
}

/// When the keys were asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Age {
    /// They are data of the application, as young as ever.
    Ageless,
    /// They were asked for when the elapsed-time clock showed this.
    AskedAt(Duration),
    /// There are none yet.
    Never,
}

#[derive(Debug)]
struct Known {
    /// The JWK as it was read: a key that did not change between two documents stays the same key, so that remembered
    /// signatures of it go on counting.
    jwk: Map<String, Value>,
    key: VerifyingKey,
}

impl Keys {
    pub(super) const fn none_yet() -> Self {
        Self { known: Vec::new(), age: Age::Never }
    }

    /// Reads a JWK set. What we cannot use is passed over (RFC 7517, section 5): other key types, curves and
    /// algorithms, `use` other than `sig`, keys without `kid`, which no token can name. So are secrets and private keys:
    /// a published secret would let anybody sign.
    ///
    /// Different keys under one `kid` all fall away: a name stands for one key, and we cannot tell for which.
    pub(super) fn parse(document: &str, reading: &Reading, before: &Self, age: Age) -> Result<Self, Error> {
        let refuse = |what| Error::new(ErrorKind::Misuse, what);
        if document.len() > MAX_DOCUMENT {
            return Err(refuse("a JWK set has at most 256 KiB"));
        }
        let members = json::object(document.as_bytes());
        let mut members =
            members.ok_or_else(|| refuse("a JWK set is one JSON object in which no member occurs twice"))?;
        let Some(Value::Array(entries)) = members.remove("keys") else {
            return Err(refuse("a JWK set has an array named keys"));
        };
        if entries.len() > MAX_KEYS {
            return Err(refuse("a JWK set has at most 64 keys"));
        }
        let mut known: Vec<Known> = Vec::with_capacity(entries.len());
        let mut ambiguous = Vec::new();
        for entry in entries {
            let Value::Object(jwk) = entry else { return Err(refuse("a key of a JWK set is a JSON object")) };
            let Some(one) = Known::read(jwk, reading, before) else { continue };
            match known.iter().find(|other| other.key.kid() == one.key.kid()) {
                None => known.push(one),
                Some(other) if other.jwk == one.jwk => {}
                Some(_) => ambiguous.push(one.key.kid().to_owned()),
            }
        }
        known.retain(|one| !ambiguous.iter().any(|kid| kid == one.key.kid()));
        Ok(Self { known, age })
    }

    pub(super) fn find(&self, kid: &str) -> Option<&VerifyingKey> {
        self.known.iter().map(|known| &known.key).find(|key| key.kid() == kid)
    }

    pub(super) fn kids(&self) -> Vec<String> {
        self.known.iter().map(|known| known.key.kid().to_owned()).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

impl Holds for Keys {
    fn holds(&self, key: &VerifyingKey) -> bool {
        self.known.iter().any(|known| known.key.is_same(key))
    }
}

impl Known {
    fn read(jwk: Map<String, Value>, reading: &Reading, before: &Keys) -> Option<Self> {
        if !jwk.contains_key("kid") {
            return None;
        }
        if let Some(known) = before.known.iter().find(|known| known.jwk == jwk) {
            return Some(Self { key: known.key.clone(), jwk });
        }
        let text = serde_json::to_string(&jwk).ok()?;
        let nameless_rsa = jwk.get("kty")? == "RSA" && !jwk.contains_key("alg");
        let key = if nameless_rsa {
            VerifyingKey::from_jwk_as(reading.rsa_algorithm, &text)
        } else {
            VerifyingKey::from_jwk(&text)
        };
        // Why it is no key of ours does not matter: its tokens name a key that we do not know.
        let key = key.ok()?;
        reading.algorithms.contains(&key.algorithm()).then_some(Self { jwk, key })
    }
}

#[cfg(test)]
mod tests;
