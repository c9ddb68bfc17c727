//! The ring as a text: readable times, sealed private parts, and nothing that can be changed without notice. It is not
//! known here which keys a ring should have.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::kek::{KeyEncryptionKey, KeyEncryptionKeys};
use super::plan::Entry;
use crate::seal::Sealed;
use crate::store::StoredKeyRing;
use crate::time::Timestamp;
use crate::{Algorithm, Error, ErrorKind, SigningKey, VerifyingKey, b64};

/// The most that is read: far more than any ring has.
const MAX_DOCUMENT: usize = 256 * 1024;

/// How many keys a ring may have.
pub(super) const MAX_KEYS: usize = 64;

/// The keys of a ring, in the order in which they sign.
#[derive(Debug)]
pub(super) struct Ring {
    pub(super) version: u64,
    /// The id of the key-encryption key that it was sealed with.
    pub(super) kek: String,
    /// Another one for every text that was ever saved.
    pub(super) nonce: [u8; 12],
    pub(super) keys: Vec<RingKey>,
}

/// One key: what everybody may know of it, and its private part.
#[derive(Clone)]
pub(super) struct RingKey {
    pub(super) entry: Entry,
    pub(super) verifying: VerifyingKey,
    private: Arc<Zeroizing<Vec<u8>>>,
}

impl RingKey {
    pub(super) fn new(key: &SigningKey, created_at: Timestamp, signs_from: Timestamp) -> Self {
        let (algorithm, kid) = (key.algorithm(), key.kid().to_owned());
        Self {
            entry: Entry { kid, algorithm, created_at, signs_from, verifies_for: Duration::ZERO, verifies_until: None },
            verifying: key.verifying_key().clone(),
            private: Arc::new(Zeroizing::new(key.document().to_vec())),
        }
    }

    pub(super) fn signing_key(&self) -> Result<SigningKey, Error> {
        SigningKey::from_document(self.entry.algorithm, &self.private)
    }
}

impl fmt::Debug for RingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RingKey({:?}, private part redacted)", self.entry)
    }
}

/// The text, part by part. `ring` is bound to `sealed`, which holds the private parts in the order of `ring.keys`, so
/// whoever lacks the key-encryption key can neither add a key, nor prolong one, nor leave one out, nor mix two rings.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    ring: Public,
    nonce: String,
    sealed: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Public {
    format: u32,
    version: u64,
    kek: String,
    keys: Vec<PublicKey>,
}

/// Times and durations are whole microseconds, as everywhere in the store.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicKey {
    kid: String,
    alg: String,
    created_at: i64,
    signs_from: i64,
    verifies_for: u64,
    verifies_until: Option<i64>,
}

const FORMAT: u32 = 1;

impl Ring {
    /// Reads what was stored, if one of these keys sealed it and nobody touched it since.
    ///
    /// # Errors
    ///
    /// * [`ErrorKind::Data`]: it is damaged, was changed by somebody else, or is of a newer version.
    /// * [`ErrorKind::Misuse`]: it was sealed with a key-encryption key that was not given.
    pub(super) fn open(stored: &StoredKeyRing, keks: &KeyEncryptionKeys) -> Result<Self, Error> {
        if stored.document.len() > MAX_DOCUMENT {
            return Err(data("the key ring is larger than any that was ever saved"));
        }
        let text: Text = serde_json::from_str(&stored.document).map_err(|error| {
            data("the key ring is no text that this version writes").with_source(Because(error.to_string()))
        })?;
        if text.ring.format != FORMAT {
            return Err(data("the key ring was written by a newer signoff"));
        }
        // There is one way to write a ring, so that two readers cannot see two rings in one text.
        if write(&text)? != stored.document {
            return Err(data("the key ring was changed by hand"));
        }
        if text.ring.version != stored.version {
            return Err(data("the key ring is stored under another version than it was saved under"));
        }
        let public = bound(&text.ring)?;
        let Text { ring: Public { version, kek, keys, .. }, nonce, sealed } = text;
        let Some(opener) = keks.find(&kek) else {
            let source = Because(format!("the id of the missing key-encryption key is {kek}"));
            let what = "the key ring was sealed with a key-encryption key that was not given";
            return Err(Error::new(ErrorKind::Misuse, what).with_source(source));
        };
        let nonce =
            decode(&nonce)?.as_slice().try_into().map_err(|_| data("the nonce of the key ring has no 12 bytes"))?;
        let plain = opener.open(&public, Sealed { nonce, bytes: decode(&sealed)?.to_vec() })?;
        let plain = plain.ok_or_else(|| data("the key ring was changed by somebody who lacks its key"))?;
        let keys = unpack(&plain, keys)?;
        Ok(Self { version, kek, nonce, keys })
    }

    /// The ring of these keys as a text, sealed anew.
    pub(super) fn seal(version: u64, keys: Vec<RingKey>, kek: &KeyEncryptionKey) -> Result<(Self, String), Error> {
        if keys.is_empty() || keys.len() > MAX_KEYS {
            return Err(Error::new(ErrorKind::Misuse, "a key ring has 1 to 64 keys"));
        }
        let ring =
            Public { format: FORMAT, version, kek: kek.id().to_owned(), keys: keys.iter().map(public).collect() };
        let sealed = kek.seal(&bound(&ring)?, &pack(&keys))?;
        let (nonce, sealed_text) = (b64::text(&sealed.nonce), b64::text(&sealed.bytes));
        let text = write(&Text { ring, nonce, sealed: sealed_text })?;
        if text.len() > MAX_DOCUMENT {
            return Err(Error::new(ErrorKind::Misuse, "the key ring is too large: fewer keys, or smaller ones"));
        }
        Ok((Self { version, kek: kek.id().to_owned(), nonce: sealed.nonce, keys }, text))
    }
}

fn public(key: &RingKey) -> PublicKey {
    PublicKey {
        kid: key.entry.kid.clone(),
        alg: key.entry.algorithm.name().to_owned(),
        created_at: key.entry.created_at.as_micros(),
        signs_from: key.entry.signs_from.as_micros(),
        verifies_for: u64::try_from(key.entry.verifies_for.as_micros()).unwrap_or(u64::MAX),
        verifies_until: key.entry.verifies_until.map(Timestamp::as_micros),
    }
}

/// What the seal is bound to: what the text says openly, and what kind of text it is.
fn bound(ring: &Public) -> Result<Vec<u8>, Error> {
    Ok([b"signoff key ring\0", write(ring)?.as_bytes()].concat())
}

fn write(part: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(part)
        .map_err(|error| Error::new(ErrorKind::Internal, "the key ring could not be written").with_source(error))
}

/// The private parts, each behind its length in four bytes.
fn pack(keys: &[RingKey]) -> Zeroizing<Vec<u8>> {
    // With room for all, so that growing leaves no copy behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(keys.iter().map(|key| 4 + key.private.len()).sum()));
    for key in keys {
        let length = u32::try_from(key.private.len()).unwrap_or(u32::MAX);
        plain.extend_from_slice(&length.to_be_bytes());
        plain.extend_from_slice(&key.private);
    }
    plain
}

/// Only we seal, so what is wrong here is a defect of ours or of the version that wrote it, and is said key by key.
fn unpack(mut plain: &[u8], keys: Vec<PublicKey>) -> Result<Vec<RingKey>, Error> {
    let mut opened: Vec<RingKey> = Vec::with_capacity(keys.len());
    for public in keys {
        let broken = |what| data(what).with_source(Because(format!("the key is {}", public.kid)));
        let time =
            |micros| Timestamp::from_micros(micros).ok_or_else(|| broken("a key of the ring has an impossible time"));
        let algorithm = Algorithm::from_name(&public.alg);
        let algorithm = algorithm.ok_or_else(|| broken("a key of the ring has an algorithm that is unknown here"))?;
        let part = plain
            .split_first_chunk::<4>()
            .and_then(|(length, rest)| rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?));
        let (private, rest) = part.ok_or_else(|| broken("a key of the ring has no private part"))?;
        plain = rest;
        // The error of the key is dropped: it is about bytes that are nobody's business.
        let key = SigningKey::from_document(algorithm, private).ok().filter(|key| key.kid() == public.kid);
        let key = key.ok_or_else(|| broken("a key of the ring is not the one that it is called"))?;
        let mut key = RingKey::new(&key, time(public.created_at)?, time(public.signs_from)?);
        key.entry.verifies_for = Duration::from_micros(public.verifies_for);
        key.entry.verifies_until = public.verifies_until.map(time).transpose()?;
        opened.push(key);
    }
    if opened.is_empty() || !plain.is_empty() {
        return Err(data("the key ring is empty, or has private parts that belong to no key"));
    }
    Ok(opened)
}

fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    b64::bytes(text).ok_or_else(|| data("the key ring is not written in base64url"))
}

fn data(what: &'static str) -> Error {
    Error::new(ErrorKind::Data, what)
}

/// What an error is about, where it varies. Never a secret.
#[derive(Debug)]
struct Because(String);

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Somebody else may have written what is quoted here.
        self.0.chars().take(200).try_for_each(|c| write!(f, "{}", c.escape_debug()))
    }
}

impl std::error::Error for Because {}

#[cfg(test)]
mod tests;
