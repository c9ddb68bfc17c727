//! Sealing: AES-256-GCM under a key that is derived from a secret. What is sealed, and where it is kept, is not known here.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk, Salt};
use zeroize::Zeroizing;

use crate::{Error, ErrorKind, secret};

/// A key that seals and opens. The secret itself is never a key, so that different uses of it have nothing in common.
pub(crate) struct SealingKey(LessSafeKey);

/// What was sealed: harmless without the secret.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    pub(crate) nonce: [u8; NONCE_LEN],
    pub(crate) bytes: Vec<u8>,
}

/// What keys are derived from: `purpose` keeps those of one use apart from those of any other.
pub(crate) fn root(purpose: &'static [u8], secret: &[u8]) -> Prk {
    Salt::new(HKDF_SHA256, purpose).extract(secret)
}

impl SealingKey {
    /// The key that seals under this root.
    pub(crate) fn derive(root: &Prk) -> Result<Self, Error> {
        let internal = |_| Error::new(ErrorKind::Internal, "no cipher to seal with");
        let key: UnboundKey = root.expand(&[b"seal"], &AES_256_GCM).map_err(internal)?.into();
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Encrypts `plain`, and binds `public` to it: both open together, unchanged, or not at all.
    ///
    /// Nonces are random, so one key may seal 2^32 times (NIST SP 800-38D, section 8.3).
    pub(crate) fn seal(&self, public: &[u8], plain: &[u8]) -> Result<Sealed, Error> {
        let nonce = secret::random()?;
        // With room for the tag, so that growing leaves no copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(plain.len() + AES_256_GCM.tag_len()));
        bytes.extend_from_slice(plain);
        let (public, unique) = (Aad::from(public), Nonce::assume_unique_for_key(nonce));
        let sealed = self.0.seal_in_place_append_tag(unique, public, &mut *bytes);
        sealed.map_err(|_| Error::new(ErrorKind::Internal, "it could not be sealed"))?;
        Ok(Sealed { nonce, bytes: std::mem::take(&mut *bytes) })
    }

    /// `None` unless this key sealed exactly these bytes together with exactly this `public`.
    pub(crate) fn open(&self, public: &[u8], sealed: Sealed) -> Option<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(sealed.bytes);
        let nonce = Nonce::assume_unique_for_key(sealed.nonce);
        let length = self.0.open_in_place(nonce, Aad::from(public), &mut bytes).ok()?.len();
        bytes.truncate(length);
        Some(bytes)
    }
}
