//! aws-lc-rs, in the words that the rest of the folder uses. It holds only what ring would do otherwise.

pub(super) use aws_lc_rs::{digest, hmac, signature};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    EcdsaKeyPair, EcdsaSigningAlgorithm, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};

use super::Unusable;

/// The library's own generator, for the schemes that draw their own numbers: it takes no other.
pub(super) fn rng() -> SystemRandom {
    SystemRandom::new()
}

pub(super) fn ecdsa_from_pkcs8(curve: &'static EcdsaSigningAlgorithm, der: &[u8]) -> Option<EcdsaKeyPair> {
    EcdsaKeyPair::from_pkcs8(curve, der).ok()
}

pub(super) fn ecdsa_from_parts(curve: &'static EcdsaSigningAlgorithm, d: &[u8], point: &[u8]) -> Option<EcdsaKeyPair> {
    EcdsaKeyPair::from_private_key_and_public_key(curve, d, point).ok()
}

/// A public key, ready to verify.
pub(super) struct PublicKey(ParsedPublicKey);

impl PublicKey {
    pub(super) fn from_point(scheme: &'static dyn VerificationAlgorithm, point: &[u8]) -> Result<Self, Unusable> {
        let key = ParsedPublicKey::new(scheme, point);
        key.map(Self).map_err(|_| Unusable("the point of the public key is not on its curve"))
    }

    pub(super) fn from_rsa(scheme: &'static RsaParameters, n: &[u8], e: &[u8]) -> Result<Self, Unusable> {
        let key = RsaPublicKeyComponents { n, e }.to_parsed_public_key(scheme);
        key.map(Self).map_err(|_| Unusable("not an RSA public key"))
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}
