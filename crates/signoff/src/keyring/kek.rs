//! Key-encryption keys. What they seal, and where it is kept, is not known here.

use std::fmt;

use ring::hkdf::{HKDF_SHA256, Prk};
use zeroize::Zeroizing;

use crate::seal::{self, Sealed, SealingKey};
use crate::{Error, ErrorKind, b64};

/// A key that encrypts keys: 32 random bytes, from a secret manager and never from the database that they protect.
///
/// ```
/// # use signoff::KeyEncryptionKey;
/// let kek = KeyEncryptionKey::from_slice(&[7; 32]).unwrap(); // use `openssl rand 32` instead
/// assert_eq!(kek.id().len(), 11);
/// assert!(KeyEncryptionKey::from_slice(b"a pass phrase").is_err());
/// ```
pub struct KeyEncryptionKey {
    bytes: Zeroizing<[u8; 32]>,
    id: String,
}

impl KeyEncryptionKey {
    /// Takes charge of 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        let mut kek = Self { bytes: Zeroizing::new(bytes), id: String::new() };
        let mut id = [0; 32];
        // It cannot fail: 32 bytes are what this hash gives. An id that is that of zeros would only not be found.
        if let Ok(okm) = kek.root().expand(&[b"id"], HKDF_SHA256) {
            let _ = okm.fill(&mut id);
        }
        kek.id = b64::text(&id[..8]);
        kek
    }

    /// As [`KeyEncryptionKey::new`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] unless there are exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Error> {
        let bytes = bytes.try_into().map_err(|_| Error::new(ErrorKind::Misuse, "a key-encryption key has 32 bytes"))?;
        Ok(Self::new(bytes))
    }

    /// The name of the key: 11 characters that follow from its bytes and say nothing about them.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Encrypts `plain`, and binds `public` to it: both open together, unchanged, or not at all.
    ///
    /// One key may seal 2^32 times; a ring that changed every second would need a century for that.
    pub(super) fn seal(&self, public: &[u8], plain: &[u8]) -> Result<Sealed, Error> {
        SealingKey::derive(&self.root())?.seal(public, plain)
    }

    /// `None` unless this key sealed exactly these bytes together with exactly this `public`.
    pub(super) fn open(&self, public: &[u8], sealed: Sealed) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        Ok(SealingKey::derive(&self.root())?.open(public, sealed))
    }

    /// The bytes themselves are never used as a key, so that the id and the cipher have nothing in common.
    fn root(&self) -> Prk {
        seal::root(b"signoff key ring", &*self.bytes)
    }
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyEncryptionKey({}, redacted)", self.id)
    }
}

/// The key-encryption key that seals now, and others that still open what they sealed.
///
/// To replace one without an interruption: give the new one to all nodes as an *other*; when all have it, make it the
/// current one everywhere and the old one an *other*, and the ring is sealed anew by the first node that looks at it;
/// when all nodes do that, drop the old one. Backups of the database still need it.
#[derive(Debug)]
pub struct KeyEncryptionKeys {
    current: KeyEncryptionKey,
    others: Vec<KeyEncryptionKey>,
}

impl KeyEncryptionKeys {
    /// One key, which seals and opens.
    pub const fn new(current: KeyEncryptionKey) -> Self {
        Self { current, others: Vec::new() }
    }

    /// Also opens what `other` sealed: a key that was replaced, or that will be the current one soon.
    #[must_use]
    pub fn with_other(mut self, other: KeyEncryptionKey) -> Self {
        self.others.push(other);
        self
    }

    pub(super) const fn current(&self) -> &KeyEncryptionKey {
        &self.current
    }

    pub(super) fn find(&self, id: &str) -> Option<&KeyEncryptionKey> {
        std::iter::once(&self.current).chain(&self.others).find(|kek| kek.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_what_it_sealed() {
        let kek = KeyEncryptionKey::new([7; 32]);
        let sealed = kek.seal(b"public", b"private").unwrap();
        assert_eq!(&**kek.open(b"public", sealed.clone()).unwrap().unwrap(), b"private");
        assert!(kek.open(b"Public", sealed.clone()).unwrap().is_none());
        assert!(KeyEncryptionKey::new([8; 32]).open(b"public", sealed.clone()).unwrap().is_none());
        for at in 0..sealed.bytes.len() {
            let mut changed = sealed.clone();
            changed.bytes[at] ^= 1;
            assert!(kek.open(b"public", changed).unwrap().is_none());
            let mut shorter = sealed.clone();
            shorter.bytes.truncate(at);
            assert!(kek.open(b"public", shorter).unwrap().is_none());
        }
        assert_ne!(kek.seal(b"", b"private").unwrap().nonce, sealed.nonce);
    }

    #[test]
    fn names_differ_and_say_nothing() {
        let keks = [KeyEncryptionKey::new([7; 32]), KeyEncryptionKey::new([8; 32])];
        assert_ne!(keks[0].id(), keks[1].id());
        assert_eq!(keks[0].id(), KeyEncryptionKey::from_slice(&[7; 32]).unwrap().id());
        for wrong in [0, 16, 31, 33, 64] {
            assert_eq!(KeyEncryptionKey::from_slice(&vec![1; wrong]).unwrap_err().kind(), ErrorKind::Misuse);
        }
        let printed = format!("{:?}", KeyEncryptionKeys::new(KeyEncryptionKey::new([0xab; 32])));
        assert!(printed.contains("redacted") && !printed.contains("171") && !printed.contains("abab"), "{printed}");
    }
}
