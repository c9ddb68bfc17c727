//! The cryptography behind jsonwebtoken's traits, with every key parsed once. The only folder that names primitives.
//!
//! It knows all algorithms of jsonwebtoken, as [`PROVIDER`](super::PROVIDER) needs them; which of them our own keys may
//! use is the business of [`Algorithm`].

#[cfg(feature = "aws-lc-rs")]
mod aws_lc_rs;
#[cfg(not(feature = "aws-lc-rs"))]
mod ring;
mod signer;
mod verifier;

#[cfg(feature = "aws-lc-rs")]
use self::aws_lc_rs as backend;
#[cfg(not(feature = "aws-lc-rs"))]
use self::ring as backend;
pub(super) use signer::{Signature, Signer};
pub(super) use verifier::{Material, Verifier};

use backend::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, Ed25519KeyPair, RsaEncoding, RsaParameters,
};
use backend::{digest, hmac};
use jsonwebtoken::Algorithm as Scheme;
use zeroize::Zeroizing;

use super::Algorithm;
use crate::{Error, ErrorKind, secret};

/// Why bytes are no key. It says nothing about the bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unusable(pub(super) &'static str);

impl From<Unusable> for Error {
    fn from(unusable: Unusable) -> Self {
        Self::new(ErrorKind::Misuse, unusable.0)
    }
}

/// The length of a coordinate, and what signs and verifies on that curve.
struct Ecdsa {
    coordinate: usize,
    signing: &'static EcdsaSigningAlgorithm,
    verifying: &'static EcdsaVerificationAlgorithm,
}

/// JOSE writes r and s side by side, not in DER: "fixed" (RFC 7518, section 3.4).
fn ecdsa(scheme: Scheme) -> Option<Ecdsa> {
    match scheme {
        Scheme::ES256 => Some(Ecdsa {
            coordinate: 32,
            signing: &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            verifying: &signature::ECDSA_P256_SHA256_FIXED,
        }),
        Scheme::ES384 => Some(Ecdsa {
            coordinate: 48,
            signing: &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
            verifying: &signature::ECDSA_P384_SHA384_FIXED,
        }),
        _ => None,
    }
}

/// The hash and the length of its output, which is also the least length of a secret (RFC 7518, section 3.2).
fn hmac(scheme: Scheme) -> Option<(hmac::Algorithm, usize)> {
    match scheme {
        Scheme::HS256 => Some((hmac::HMAC_SHA256, 32)),
        Scheme::HS384 => Some((hmac::HMAC_SHA384, 48)),
        Scheme::HS512 => Some((hmac::HMAC_SHA512, 64)),
        _ => None,
    }
}

fn rsa(scheme: Scheme) -> Option<(&'static dyn RsaEncoding, &'static RsaParameters)> {
    match scheme {
        Scheme::PS256 => Some((&signature::RSA_PSS_SHA256, &signature::RSA_PSS_2048_8192_SHA256)),
        Scheme::PS384 => Some((&signature::RSA_PSS_SHA384, &signature::RSA_PSS_2048_8192_SHA384)),
        Scheme::PS512 => Some((&signature::RSA_PSS_SHA512, &signature::RSA_PSS_2048_8192_SHA512)),
        Scheme::RS256 => Some((&signature::RSA_PKCS1_SHA256, &signature::RSA_PKCS1_2048_8192_SHA256)),
        Scheme::RS384 => Some((&signature::RSA_PKCS1_SHA384, &signature::RSA_PKCS1_2048_8192_SHA384)),
        Scheme::RS512 => Some((&signature::RSA_PKCS1_SHA512, &signature::RSA_PKCS1_2048_8192_SHA512)),
        _ => None,
    }
}

/// A new private key: PKCS#8 in DER, or as many secret bytes as the hash puts out.
pub(super) fn generate(algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, Error> {
    let scheme = algorithm.jsonwebtoken();
    if let Some((_, length)) = hmac(scheme) {
        let bytes = Zeroizing::new(secret::random::<64>()?);
        return Ok(Zeroizing::new(bytes.get(..length).unwrap_or(&*bytes).to_vec()));
    }
    let rng = backend::rng();
    let document = if let Some(curve) = ecdsa(scheme) {
        EcdsaKeyPair::generate_pkcs8(curve.signing, &rng)
    } else if scheme == Scheme::EdDSA {
        Ed25519KeyPair::generate_pkcs8(&rng)
    } else {
        return Err(Error::new(
            ErrorKind::Misuse,
            "RSA keys are not generated here: make one elsewhere and use SigningKey::from_rsa_pkcs8_pem",
        ));
    };
    let document = document.map_err(|_| Error::new(ErrorKind::Unavailable, "no random numbers for a new key"))?;
    Ok(Zeroizing::new(document.as_ref().to_vec()))
}

pub(super) fn sha256(bytes: &[u8]) -> impl AsRef<[u8]> + use<> {
    digest::digest(&digest::SHA256, bytes)
}

pub(super) fn sha384(bytes: &[u8]) -> impl AsRef<[u8]> + use<> {
    digest::digest(&digest::SHA384, bytes)
}

pub(super) fn sha512(bytes: &[u8]) -> impl AsRef<[u8]> + use<> {
    digest::digest(&digest::SHA512, bytes)
}

/// HMAC with SHA-256, for the names of secrets.
pub(super) fn hmac_sha256(key: &[u8], bytes: &[u8]) -> impl AsRef<[u8]> + use<> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes)
}
