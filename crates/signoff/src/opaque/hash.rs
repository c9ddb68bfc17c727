//! What is kept of an opaque token: a hash, keyed with a pepper if there is one. It parses nothing.

use std::fmt;
use std::sync::Arc;

use ring::{digest, hmac};

use super::Body;
use crate::{Error, ErrorKind};

/// What the store keeps of an opaque token: a hash under a domain of its own.
///
/// A token has 256 random bits, so a plain hash (SHA-256) is enough to make a stolen database useless; a slow one would
/// only slow us down. With a [`Pepper`] it is HMAC-SHA-256, and the first byte is the pepper's id; else that byte is 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// A hash that was stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for stores.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn new(id: u8, hash: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hash);
        bytes[0] = id;
        Self(bytes)
    }
}

impl fmt::Debug for TokenHash {
    // Whoever can write to the database could use a hash from a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(redacted)")
    }
}

/// A secret that hashes of tokens are keyed with. Keep it where the database is not.
#[derive(Clone)]
pub struct Pepper {
    id: u8,
    key: Arc<hmac::Key>,
}

impl Pepper {
    /// A pepper of at least 32 secret bytes, under an id from 1 to 255 that no other pepper of this store ever had.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when the id is 0 or the secret is shorter.
    pub fn new(id: u8, secret: &[u8]) -> Result<Self, Error> {
        if id == 0 || secret.len() < 32 {
            return Err(Error::new(ErrorKind::Misuse, "a pepper has an id from 1 to 255 and at least 32 bytes"));
        }
        Ok(Self { id, key: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret)) })
    }

    fn hash(&self, body: &Body) -> TokenHash {
        TokenHash::new(self.id, hmac::sign(&self.key, &in_domain(body)).as_ref())
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pepper({}, redacted)", self.id)
    }
}

/// The pepper of new tokens, and those that older tokens were hashed with.
///
/// To rotate, put a new pepper in front and keep the one before for as long as sessions live
/// ([`Settings::absolute`](crate::Settings::absolute)). Until then a token that is not in memory may cost a query for each.
#[derive(Clone, Debug, Default)]
pub struct Peppers {
    current: Option<Pepper>,
    older: Vec<Pepper>,
    /// Tokens from before there was any pepper are accepted.
    plain: bool,
}

impl Peppers {
    /// Hashes without a key.
    pub const fn none() -> Self {
        Self { current: None, older: Vec::new(), plain: false }
    }

    /// New tokens are hashed with this pepper, and no others are accepted.
    pub const fn new(current: Pepper) -> Self {
        Self { current: Some(current), older: Vec::new(), plain: false }
    }

    /// Also accepts tokens that were hashed with this one.
    #[must_use]
    pub fn with_older(mut self, pepper: Pepper) -> Self {
        self.older.push(pepper);
        self
    }

    /// Also accepts tokens that were hashed without any, for a store that had none until now.
    #[must_use]
    pub const fn with_unpeppered(mut self) -> Self {
        self.plain = true;
        self
    }

    pub(super) fn hash(&self, body: &Body) -> TokenHash {
        self.current.as_ref().map_or_else(|| plain(body), |pepper| pepper.hash(body))
    }

    pub(super) fn older_hashes(&self, body: &Body) -> impl Iterator<Item = TokenHash> {
        let older = self.older.iter().map(|pepper| pepper.hash(body));
        let unpeppered = (self.plain && self.current.is_some()).then(|| plain(body));
        older.chain(unpeppered)
    }
}

/// Separates these hashes from all others. With 47 bytes of kind and random digits it just fills one block of SHA-256.
const DOMAIN: &[u8] = b"signoff:";

fn plain(body: &Body) -> TokenHash {
    TokenHash::new(0, digest::digest(&digest::SHA256, &in_domain(body)).as_ref())
}

fn in_domain(body: &Body) -> [u8; DOMAIN.len() + size_of::<Body>()] {
    let mut block = [0; DOMAIN.len() + size_of::<Body>()];
    let (domain, rest) = block.split_at_mut(DOMAIN.len());
    domain.copy_from_slice(DOMAIN);
    rest.copy_from_slice(body);
    block
}
