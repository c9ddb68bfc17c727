//! The keys of one issuer. Few: they are found by walking along them. It fetches nothing.

use jsonwebtoken::jwk::JwkSet;

use super::{SigningKey, VerifyingKey, jwk};

/// The key that signs now, and those whose tokens may still be about.
#[derive(Debug)]
pub struct KeySet {
    signing: SigningKey,
    // Invariant: begins with the public half of `signing`; no two have the same name.
    verifying: Vec<VerifyingKey>,
}

impl KeySet {
    /// A set with one key, which signs and verifies.
    pub fn new(signing: SigningKey) -> Self {
        let verifying = vec![signing.verifying_key().clone()];
        Self { signing, verifying }
    }

    /// Also accepts what `key` signed: for a key that was replaced. Keep it until the last token that it signed has
    /// expired, leeway included.
    ///
    /// Of two retired keys with one name the later stays, and the name of the signing key is taken: a token names its
    /// key, so a name stands for one key.
    #[must_use]
    pub fn with_retired(mut self, key: VerifyingKey) -> Self {
        if key.kid() != self.signing.kid() {
            self.verifying.retain(|other| other.kid() != key.kid());
            self.verifying.push(key);
        }
        self
    }

    /// The key that signs now.
    pub const fn signing(&self) -> &SigningKey {
        &self.signing
    }

    pub(crate) fn find(&self, kid: &str) -> Option<&VerifyingKey> {
        self.verifying.iter().find(|key| key.kid() == kid)
    }

    /// Whether a signature by any of these keys is worth remembering.
    pub(crate) fn has_asymmetric(&self) -> bool {
        self.verifying.iter().any(|key| !key.is_symmetric())
    }

    /// The key whose tokens begin with exactly this header, in base64url: ours do, so nothing needs to be decoded.
    pub(crate) fn find_by_header(&self, header: &str) -> Option<&VerifyingKey> {
        self.verifying.iter().find(|key| key.header() == header)
    }

    /// Whether this very key is in the set, rather than one of the same name.
    pub(crate) fn holds(&self, key: &VerifyingKey) -> bool {
        self.verifying.iter().any(|other| other.is_same(key))
    }

    /// The same keys; but where `old` has an equal one, that very one, so that what was verified with it still counts.
    #[must_use]
    pub(crate) fn reusing(mut self, old: &Self) -> Self {
        for key in &mut self.verifying {
            if let Some(same) = old.verifying.iter().find(|same| same.is_equal(key)) {
                *key = same.clone();
            }
        }
        self
    }

    /// The public keys as a JWK set (RFC 7517). Secrets are left out.
    pub fn jwks(&self) -> JwkSet {
        let mut keys: Vec<_> = self.verifying.iter().filter_map(jwk::public).collect();
        keys.sort_by(|a, b| a.common.key_id.cmp(&b.common.key_id));
        JwkSet { keys }
    }
}
