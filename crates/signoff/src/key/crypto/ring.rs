//! ring, in the words that the rest of the folder uses. It holds only what another library would do otherwise.

pub(super) use ring::{digest, hmac, signature};

use ring::rand::SystemRandom;
use ring::signature::{
    EcdsaKeyPair, EcdsaSigningAlgorithm, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};

use super::Unusable;
use crate::secret;

/// The operating system's generator, for the schemes that draw their own numbers.
pub(super) fn rng() -> SystemRandom {
    secret::rng()
}

pub(super) fn ecdsa_from_pkcs8(curve: &'static EcdsaSigningAlgorithm, der: &[u8]) -> Option<EcdsaKeyPair> {
    EcdsaKeyPair::from_pkcs8(curve, der, &rng()).ok()
}

pub(super) fn ecdsa_from_parts(curve: &'static EcdsaSigningAlgorithm, d: &[u8], point: &[u8]) -> Option<EcdsaKeyPair> {
    EcdsaKeyPair::from_private_key_and_public_key(curve, d, point, &rng()).ok()
}

/// A public key, ready to verify. ring checks that a point is on its curve only when it verifies, and then says no.
pub(super) enum PublicKey {
    Point(UnparsedPublicKey<Vec<u8>>),
    Rsa(&'static RsaParameters, RsaPublicKeyComponents<Vec<u8>>),
}

impl PublicKey {
    pub(super) fn from_point(scheme: &'static dyn VerificationAlgorithm, point: &[u8]) -> Result<Self, Unusable> {
        Ok(Self::Point(UnparsedPublicKey::new(scheme, point.to_vec())))
    }

    pub(super) fn from_rsa(scheme: &'static RsaParameters, n: &[u8], e: &[u8]) -> Result<Self, Unusable> {
        Ok(Self::Rsa(scheme, RsaPublicKeyComponents { n: n.to_vec(), e: e.to_vec() }))
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Point(key) => key.verify(message, signature).is_ok(),
            Self::Rsa(scheme, key) => key.verify(scheme, message, signature).is_ok(),
        }
    }
}
