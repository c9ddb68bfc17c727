//! What an operator does with the keys of a running service.

use jsonwebtoken::jwk::JwkSet;

use super::KeyStatus;
use crate::keeper::Change;
use crate::time::Timestamp;
use crate::{Actor, Error, SigningKey, Signoff};

impl Signoff {
    /// The public keys, for whoever else verifies our tokens (RFC 7517). Revoked ones are left out at once.
    pub fn jwks(&self) -> JwkSet {
        let mut set = self.keys().jwks();
        set.keys.retain(|key| key.common.key_id.as_deref().is_some_and(|kid| !self.keeper().is_revoked(kid)));
        set
    }

    /// For how long others may keep a copy of [`Signoff::jwks`]: the `max-age` of its `Cache-Control`, as far as the
    /// rotation of the keys counts on. Five minutes when the keys are a [`KeySet`](crate::KeySet).
    pub fn jwks_max_age(&self) -> std::time::Duration {
        self.keeper().jwks_max_age()
    }

    /// The keys of the ring, in the order in which they sign; `None` when the keys are a [`KeySet`](crate::KeySet).
    pub fn key_ring(&self) -> Option<Vec<KeyStatus>> {
        self.keeper().list()
    }

    /// Reads the ring and brings it up to date, now. A task does so by itself at least once per
    /// [`Rotation::refresh`](crate::Rotation::refresh).
    ///
    /// # Errors
    ///
    /// * [`ErrorKind::Data`](crate::ErrorKind::Data): the ring is damaged, was changed by somebody else, or went back.
    /// * [`ErrorKind::Misuse`](crate::ErrorKind::Misuse): there is no ring, or its key-encryption key was not given.
    /// * [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable): the store did not answer, or other nodes kept changing
    ///   the ring. Try again.
    pub async fn tend_keys(&self) -> Result<(), Error> {
        self.keeper().change(Change::Tend, Actor::System).await
    }

    /// Publishes a new key now, which signs after [`Rotation::prepublish`](crate::Rotation::prepublish). When one is
    /// already about to sign by then, that is it: repeating this is safe.
    ///
    /// # Errors
    ///
    /// As [`Signoff::tend_keys`].
    pub async fn rotate_keys(&self, actor: Actor) -> Result<(), Error> {
        self.keeper().change(Change::Rotate, actor).await
    }

    /// Adds a key that was made elsewhere. It signs from the given time on, else after
    /// [`Rotation::prepublish`](crate::Rotation::prepublish). A time before now is for a key that verifiers know already;
    /// before the time of the key that signs now, the imported one only verifies, until what it signed so far is over.
    /// A key that is in the ring already stays as it is.
    ///
    /// # Errors
    ///
    /// As [`Signoff::tend_keys`], and [`ErrorKind::Misuse`](crate::ErrorKind::Misuse) when the key was revoked, or the ring
    /// is full.
    pub async fn import_key(&self, key: &SigningKey, signs_from: Option<Timestamp>, actor: Actor) -> Result<(), Error> {
        self.keeper().change(Change::Import(key, signs_from), actor).await
    }

    /// Drops a key at once, with all that it signed. When it was signing, the next key takes its place, else a new one,
    /// which others may not know yet: for emergencies. A key that is not there counts as dropped before.
    ///
    /// Other nodes accept it until they refresh, and whoever has a copy of the published keys until that is over. If the
    /// key leaked, [revoke](Signoff::revoke) it: that drops it here, kills its tokens on every node, and keeps it from
    /// coming back.
    ///
    /// # Errors
    ///
    /// As [`Signoff::tend_keys`].
    pub async fn remove_key(&self, kid: &str, actor: Actor) -> Result<(), Error> {
        self.keeper().change(Change::Remove(kid), actor).await
    }
}
