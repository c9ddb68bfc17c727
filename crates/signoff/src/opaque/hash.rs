//! What is kept of an opaque token: a hash, keyed with a pepper if there is one. It parses nothing.

use std::fmt;
use std::sync::Arc;

use ring::{digest, hmac};
use zeroize::Zeroizing;

use super::{Body, Locator};
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

    /// How new tokens are hashed.
    pub(super) const fn hasher(&self) -> Hasher<'_> {
        Hasher(self.current.as_ref())
    }

    /// How older tokens may have been hashed.
    pub(super) fn older_hashers(&self) -> impl Iterator<Item = Hasher<'_>> {
        let older = self.older.iter().map(|pepper| Hasher(Some(pepper)));
        older.chain((self.plain && self.current.is_some()).then_some(Hasher(None)))
    }
}

/// One way to hash: with a pepper, or without.
#[derive(Clone, Copy)]
pub(super) struct Hasher<'a>(Option<&'a Pepper>);

impl Hasher<'_> {
    pub(super) fn hash(self, body: &Body) -> TokenHash {
        self.digest(&in_domain(body))
    }

    /// The hash of a family of refresh tokens. It is no token's, for it covers fewer bytes.
    pub(super) fn hash_of_family(self, locator: &Locator) -> TokenHash {
        self.digest(&[DOMAIN, locator].concat())
    }

    /// The hash of a credential that somebody else made. It is no token's: the domain is another one.
    pub(super) fn hash_of_external(self, kind: &str, secret: &[u8]) -> TokenHash {
        self.digest(&Zeroizing::new([EXTERNAL, kind.as_bytes(), b":", secret].concat()))
    }

    fn digest(self, text: &[u8]) -> TokenHash {
        match self.0 {
            Some(pepper) => TokenHash::new(pepper.id, hmac::sign(&pepper.key, text).as_ref()),
            None => TokenHash::new(0, digest::digest(&digest::SHA256, text).as_ref()),
        }
    }

    /// What only the holder of a token can derive, and only together with the pepper, if there is one.
    pub(super) fn seed(self, body: &Body) -> Zeroizing<Vec<u8>> {
        let mut seed = Zeroizing::new(Vec::with_capacity(body.len() + digest::SHA256_OUTPUT_LEN));
        seed.extend_from_slice(body);
        if let Some(pepper) = self.0 {
            seed.extend_from_slice(hmac::sign(&pepper.key, &[SEED, body].concat()).as_ref());
        }
        seed
    }
}

/// Separates these hashes from all others. With 47 bytes of kind and random digits it just fills one block of SHA-256.
const DOMAIN: &[u8] = b"signoff:";
/// Separates the hashes of what others made. A kind follows, which has no colon.
const EXTERNAL: &[u8] = b"signoff external:";
/// Separates seeds from hashes.
const SEED: &[u8] = b"signoff seed:";

fn in_domain(body: &Body) -> [u8; DOMAIN.len() + size_of::<Body>()] {
    let mut block = [0; DOMAIN.len() + size_of::<Body>()];
    let (domain, rest) = block.split_at_mut(DOMAIN.len());
    domain.copy_from_slice(DOMAIN);
    rest.copy_from_slice(body);
    block
}
