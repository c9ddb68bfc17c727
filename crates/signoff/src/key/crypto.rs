//! The cryptography: ring behind jsonwebtoken's traits, with every key parsed once. The only file that names primitives.

use std::fmt;

use jsonwebtoken::crypto::{JwtSigner, JwtVerifier};
use jsonwebtoken::signature::{self, Signer, Verifier};
use ring::hmac;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    UnparsedPublicKey, VerificationAlgorithm,
};
use zeroize::Zeroizing;

use super::Algorithm;
use crate::{Error, ErrorKind, secret};

/// The shortest secret for HS256: as long as the hash (RFC 7518, section 3.2).
const MIN_SECRET: usize = 32;

pub(super) enum RingSigner {
    EdDsa(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
    Hs256(hmac::Key),
}

impl RingSigner {
    pub(super) fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<(Self, RingVerifier), Error> {
        let refuse = |_| Error::new(ErrorKind::Misuse, "not a PKCS#8 private key of this algorithm");
        match algorithm {
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(refuse)?;
                let verifier = RingVerifier::public(algorithm, pair.public_key().as_ref());
                Ok((Self::EdDsa(pair), verifier))
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &secret::rng());
                let pair = pair.map_err(refuse)?;
                let verifier = RingVerifier::public(algorithm, pair.public_key().as_ref());
                Ok((Self::Es256(pair), verifier))
            }
            Algorithm::Hs256 => Err(Error::new(ErrorKind::Misuse, "an HS256 key is a secret, not a PKCS#8 document")),
        }
    }

    pub(super) fn from_secret(secret: &[u8]) -> Result<(Self, RingVerifier), Error> {
        if secret.len() < MIN_SECRET {
            return Err(Error::new(ErrorKind::Misuse, "an HS256 secret needs at least 32 bytes"));
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        Ok((Self::Hs256(key.clone()), RingVerifier::Secret(key)))
    }
}

impl Signer<Vec<u8>> for RingSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(match self {
            Self::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Es256(pair) => {
                pair.sign(&secret::rng(), message).map_err(|_| signature::Error::new())?.as_ref().to_vec()
            }
            Self::Hs256(key) => hmac::sign(key, message).as_ref().to_vec(),
        })
    }
}

impl JwtSigner for RingSigner {
    fn algorithm(&self) -> jsonwebtoken::Algorithm {
        match self {
            Self::EdDsa(_) => Algorithm::EdDsa.jsonwebtoken(),
            Self::Es256(_) => Algorithm::Es256.jsonwebtoken(),
            Self::Hs256(_) => Algorithm::Hs256.jsonwebtoken(),
        }
    }
}

pub(super) enum RingVerifier {
    Public { algorithm: Algorithm, key: UnparsedPublicKey<Vec<u8>> },
    Secret(hmac::Key),
}

impl RingVerifier {
    fn public(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let scheme: &'static dyn VerificationAlgorithm =
            if algorithm == Algorithm::EdDsa { &ED25519 } else { &ECDSA_P256_SHA256_FIXED };
        Self::Public { algorithm, key: UnparsedPublicKey::new(scheme, bytes.to_vec()) }
    }

    /// The algorithm and the raw bytes of a public key; `None` for a secret.
    pub(super) fn public_bytes(&self) -> Option<(Algorithm, &[u8])> {
        match self {
            Self::Public { algorithm, key } => Some((*algorithm, key.as_ref())),
            Self::Secret(_) => None,
        }
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Public { key, .. } => key.verify(message, signature).is_ok(),
            // Compares in constant time and refuses truncated tags.
            Self::Secret(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        if self.verifies(message, signature) { Ok(()) } else { Err(signature::Error::new()) }
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Public { algorithm, .. } => algorithm.jsonwebtoken(),
            Self::Secret(_) => Algorithm::Hs256.jsonwebtoken(),
        }
    }
}

impl fmt::Debug for RingVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RingVerifier(redacted)")
    }
}

/// A new private key as PKCS#8 in DER.
pub(super) fn generate_pkcs8(algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, Error> {
    let rng = secret::rng();
    let document = match algorithm {
        Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&rng),
        Algorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng),
        Algorithm::Hs256 => return Ok(Zeroizing::new(secret::random::<32>()?.to_vec())),
    };
    let document = document.map_err(|_| Error::new(ErrorKind::Unavailable, "no random numbers for a new key"))?;
    Ok(Zeroizing::new(document.as_ref().to_vec()))
}
