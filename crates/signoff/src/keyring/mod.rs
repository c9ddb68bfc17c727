//! The keys of a service as a ring in the store: all nodes share it, and rotate it by themselves. No clock is read and
//! no task is started here: [`Signoff`](crate::Signoff) tends the ring.
//!
//! A key is published before it signs, and verifies for a while after another one has superseded it; [`Rotation`] says
//! when, and why no verifier ever meets a token whose key it cannot know. A key that was revoked is dropped, and
//! replaced, at once.
//!
//! # Who can do what
//!
//! Private parts are sealed with a key-encryption key ([`KeyEncryptionKey`], AES-256-GCM) that the application gives
//! and the database never sees. The seal covers the whole ring, so whoever can write to the database but lacks that key can
//! neither read a key, nor add, prolong, exchange or leave out one: such a ring is refused. What they can do, as with
//! every other row, is put back an earlier ring, or remove it. A node that has seen the later one refuses that; one
//! that starts afterwards cannot know. So a key that leaked must also be revoked
//! ([`Scope::Key`](crate::Scope::Key)), which is remembered elsewhere.
//!
//! Whoever has the key-encryption key and can read the database can sign as the service.

mod document;
mod kek;
mod operate;
mod plan;
mod rotation;
mod tend;

use std::sync::Mutex;

use crate::time::Timestamp;
use crate::{Algorithm, Error, SigningKey};

pub use kek::{KeyEncryptionKey, KeyEncryptionKeys};
pub use rotation::Rotation;
pub(crate) use tend::{Tended, Tending};

/// A ring of keys that lives in the store.
///
/// ```
/// use signoff::{KeyEncryptionKey, KeyEncryptionKeys, KeyRing, Rotation};
///
/// # let from_the_secret_manager = [7; 32];
/// let kek = KeyEncryptionKey::new(from_the_secret_manager);
/// let ring = KeyRing::new(KeyEncryptionKeys::new(kek), Rotation::default())?;
/// assert_eq!(ring.rotation().jwks_max_age().as_secs(), 3_600);
/// # Ok::<(), signoff::Error>(())
/// ```
#[derive(Debug)]
pub struct KeyRing {
    keks: KeyEncryptionKeys,
    rotation: Rotation,
    first: Option<SigningKey>,
    /// The version and the nonce of the newest ring that was seen here. Losing it would only let an older one pass.
    seen: Mutex<Option<(u64, [u8; 12])>>,
}

/// Where a key of a ring is in its life. Before, it does not exist; afterwards, it is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum KeyState {
    /// Published, so that every verifier knows it before it signs.
    Prepublished,
    /// It signs. There is exactly one.
    Signing,
    /// Superseded; what it signed is still accepted.
    Retiring,
}

/// One key of a ring, for those who look after it. There is nothing secret in it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct KeyStatus {
    /// The name of the key.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// Where it is in its life.
    pub state: KeyState,
    /// When it came into the ring.
    pub created_at: Timestamp,
    /// From when on it signs. When it replaced a key that was revoked, this is the time of that one.
    pub signs_from: Timestamp,
    /// When it goes; `None` while it has no successor. It may move while the key still signs.
    pub verifies_until: Option<Timestamp>,
}

impl KeyRing {
    /// A ring that these keys seal and open, and that rotates like this. The keys that sign are in the store, or are
    /// made when the ring is first tended.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`](crate::ErrorKind::Misuse) when the times of the rotation do not fit each other.
    pub fn new(keks: KeyEncryptionKeys, rotation: Rotation) -> Result<Self, Error> {
        Ok(Self { keks, rotation: rotation.checked()?, first: None, seen: Mutex::default() })
    }

    /// Starts a new ring with this key instead of a new one: the key that the service has signed with so far. It means
    /// nothing when the store has a ring.
    #[must_use]
    pub fn with_first_key(self, key: SigningKey) -> Self {
        Self { first: Some(key), ..self }
    }

    /// How the keys follow each other.
    pub const fn rotation(&self) -> &Rotation {
        &self.rotation
    }
}

#[cfg(test)]
mod tests;
